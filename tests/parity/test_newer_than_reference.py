"""What Redis 8.4 to 8.10 added to streams, which the reference does not have."""

from __future__ import annotations

from typing import Any

import pytest

from support.pair import is_blocked
from support.servers import Server
from support.wire import Connection, plain

WAIT_SECONDS = 20


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def connection(request: pytest.FixtureRequest, headwater: Server) -> Connection:
    found = headwater.connect(resp=3)
    found.hello(request.param)
    if b"XNACK" not in {name.upper() for name in found.ok("COMMAND", "LIST")}:
        pytest.skip("the subject of the tests is older than these commands")
    return found


def fill(connection: Connection, *keys: str, count: int = 5) -> None:
    for key in keys:
        connection.ok("XGROUP", "CREATE", key, "g", "0", "MKSTREAM")
        for number in range(1, count + 1):
            connection.ok("XADD", key, f"{number}-0", "f", "v" * 100)


def ids(read: Any) -> dict[str, list[str]]:
    """{stream: IDs} of an XREAD or XREADGROUP answer in either protocol."""
    rows = read.items() if isinstance(read, dict) else read or []
    return {key.decode(): [entry[0].decode() for entry in entries] for key, entries in rows}


READS = [("XREAD",), ("XREADGROUP", "GROUP", "g", "ann")]


@pytest.mark.parametrize("read", READS, ids=["XREAD", "XREADGROUP"])
def test_maxcount_is_for_all_streams_together(
    connection: Connection, read: tuple[str, ...]
) -> None:
    fill(connection, "s", "t")
    at = ">" if len(read) > 1 else "0"
    streams = ("STREAMS", "s", "t", at, at)
    found = ids(connection.ok(*read, "COUNT", 3, "MAXCOUNT", 4, *streams))
    assert found == {"s": ["1-0", "2-0", "3-0"], "t": ["1-0"]}


@pytest.mark.parametrize("read", READS, ids=["XREAD", "XREADGROUP"])
def test_maxsize_lets_one_entry_through(connection: Connection, read: tuple[str, ...]) -> None:
    fill(connection, "s", "t")
    at = ">" if len(read) > 1 else "0"
    found = ids(connection.ok(*read, "MAXSIZE", 1, "STREAMS", "s", "t", at, at))
    assert found == {"s": ["1-0"]}
    found = ids(connection.ok(*read, "MAXSIZE", 1_000_000, "STREAMS", "s", "t", at, at))
    assert sum(map(len, found.values())) == (10 if at == "0" else 9)


@pytest.mark.parametrize("read", READS, ids=["XREAD", "XREADGROUP"])
def test_maxsize_bounds_the_bytes(connection: Connection, read: tuple[str, ...]) -> None:
    fill(connection, "s", count=100)
    at = ">" if len(read) > 1 else "0"
    found = ids(connection.ok(*read, "MAXSIZE", 1100, "STREAMS", "s", at))
    assert 5 <= len(found["s"]) <= 12


@pytest.mark.parametrize("read", READS, ids=["XREAD", "XREADGROUP"])
@pytest.mark.parametrize("option", ["MAXCOUNT", "MAXSIZE"])
@pytest.mark.parametrize("value", ["x", "-1", "0", ""])
def test_wrong_limits(
    connection: Connection, read: tuple[str, ...], option: str, value: str
) -> None:
    fill(connection, "s")
    assert connection.call(*read, option, value, "STREAMS", "s", "0")[0] == "-"


def test_maxcount_below_count(connection: Connection) -> None:
    fill(connection, "s")
    reply = connection.call("XREAD", "COUNT", 5, "MAXCOUNT", 4, "STREAMS", "s", "0")
    assert reply == ("-", b"ERR MAXCOUNT must be greater than or equal to COUNT")


def test_limits_hold_when_woken(connection: Connection, headwater: Server) -> None:
    connection.ok("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    reader = headwater.connect(resp=3)
    reader.send("XREADGROUP", "GROUP", "g", "ann", "MAXCOUNT", 2, "BLOCK", 0, "STREAMS", "s", ">")
    while not is_blocked(connection, reader.id):
        assert not reader.has_data()
    connection.pipeline(
        [["MULTI"], *(["XADD", "s", f"{n}-0", "f", "v"] for n in range(1, 6)), ["EXEC"]]
    )
    assert ids(plain(reader.read())) == {"s": ["1-0", "2-0"]}


def test_claim_takes_idle_entries_first(connection: Connection) -> None:
    fill(connection, "s", count=3)
    connection.ok("XREADGROUP", "GROUP", "g", "ann", "COUNT", 2, "STREAMS", "s", ">")
    connection.ok("XCLAIM", "s", "g", "ann", 0, "1-0", "IDLE", 60_000, "JUSTID")
    read = connection.ok("XREADGROUP", "GROUP", "g", "bob", "CLAIM", 30_000, "STREAMS", "s", ">")
    entries = read[b"s"] if isinstance(read, dict) else read[0][1]
    assert [entry[0] for entry in entries] == [b"1-0", b"3-0"]
    assert entries[0][2] >= 60_000
    assert entries[0][3] == 1
    assert entries[1][2:] == [0, 0]
    rows = connection.ok("XPENDING", "s", "g", "-", "+", 10)
    assert [(row[0], row[1], row[3]) for row in rows] == [
        (b"1-0", b"bob", 2),
        (b"2-0", b"ann", 1),
        (b"3-0", b"bob", 1),
    ]


def test_a_blocked_claim_wakes_when_an_entry_is_idle_enough(
    connection: Connection, headwater: Server
) -> None:
    fill(connection, "s", count=1)
    connection.ok("XREADGROUP", "GROUP", "g", "ann", "STREAMS", "s", ">")
    reader = headwater.connect(resp=3)
    reader.send(
        *("XREADGROUP", "GROUP", "g", "bob", "BLOCK", 0, "CLAIM", 150, "STREAMS", "s", ">"),
    )
    while not is_blocked(connection, reader.id):
        assert not reader.has_data()
    assert reader.has_data(WAIT_SECONDS), "nobody tells the reader that an entry is idle enough"
    assert ids(plain(reader.read())) == {"s": ["1-0"]}
    [row] = connection.ok("XPENDING", "s", "g", "-", "+", 10)
    assert row[1] == b"bob"


def test_two_blocked_claims_share(connection: Connection, headwater: Server) -> None:
    """Each entry that becomes idle goes to one reader, the first one first."""
    fill(connection, "s", count=1)
    connection.ok("XREADGROUP", "GROUP", "g", "ann", "STREAMS", "s", ">")
    readers = [headwater.connect(resp=3) for _ in range(2)]
    for number, reader in enumerate(readers):
        reader.send(
            *("XREADGROUP", "GROUP", "g", f"c{number}", "BLOCK", 0, "CLAIM", 100),
            *("STREAMS", "s", ">"),
        )
        while not is_blocked(connection, reader.id):
            assert not reader.has_data()
    assert readers[0].has_data(WAIT_SECONDS)
    assert ids(plain(readers[0].read())) == {"s": ["1-0"]}
    # Delivered anew, the entry becomes idle anew, and then it is the other one's turn.
    assert readers[1].has_data(WAIT_SECONDS)
    assert ids(plain(readers[1].read())) == {"s": ["1-0"]}
    [row] = connection.ok("XPENDING", "s", "g", "-", "+", 10)
    assert (row[1], row[3]) == (b"c1", 3)


def test_approximate_trimming_minds_references(connection: Connection) -> None:
    """Whole nodes, and of those what DELREF and ACKED let go (8.2 to 8.4 trimmed nothing)."""
    fill(connection, "s", "t", count=250)
    assert connection.ok("XTRIM", "s", "MAXLEN", "~", 60, "DELREF") == connection.ok(
        "XTRIM", "t", "MAXLEN", "~", 60
    )
    connection.ok("DEL", "s")
    fill(connection, "s", count=250)
    connection.ok("XREADGROUP", "GROUP", "g", "ann", "COUNT", 10, "STREAMS", "s", ">")
    connection.ok("XACK", "s", "g", *(f"{n}-0" for n in range(1, 10)))
    assert connection.ok("XTRIM", "s", "MAXLEN", "~", 60, "ACKED") == 9
    assert connection.ok("XRANGE", "s", "-", "+", "COUNT", 1)[0][0] == b"10-0"
    pending = connection.ok("XPENDING", "s", "g")
    assert pending[:3] == [1, b"10-0", b"10-0"]


def test_an_idempotent_producer(connection: Connection) -> None:
    first = connection.ok("XADD", "s", "IDMP", "producer", "request 1", "*", "f", "v")
    again = connection.ok("XADD", "s", "IDMP", "producer", "request 1", "*", "f", "v")
    other = connection.ok("XADD", "s", "IDMP", "producer", "request 2", "*", "f", "v")
    assert first == again != other
    assert connection.ok("XLEN", "s") == 2
    first = connection.ok("XADD", "s", "IDMPAUTO", "producer", "*", "same", "content")
    assert connection.ok("XADD", "s", "IDMPAUTO", "producer", "*", "same", "content") == first
    assert connection.ok("XADD", "s", "IDMPAUTO", "other", "*", "same", "content") != first
    assert connection.ok("XLEN", "s") == 4
