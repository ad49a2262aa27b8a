"""`headwater reset`, `headwater dead-letters` and `headwater bench`."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from headwater.commands.dead_letters import DEAD_LETTER_FIELDS
from support.command_line import Terminal, run
from support.servers import Server

StartServer = Callable[..., Server]


def url_of(server: Server) -> str:
    return f"redis://127.0.0.1:{server.port}"


@pytest.fixture(params=["headwater", "reference"])
def server(request: pytest.FixtureRequest) -> Server:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Server)
    return found


# --- reset ---


@pytest.fixture
def orders(server: Server) -> Server:
    """A stream of IDs 1-1 to 20-1 whose group has read 12 and acknowledged 2."""
    connection = server.connect()
    for i in range(1, 21):
        connection.ok("XADD", "orders", f"{i}-1", "n", i)
    connection.ok("XGROUP", "CREATE", "orders", "billing", "0")
    connection.ok("XREADGROUP", "GROUP", "billing", "one", "COUNT", 12, "STREAMS", "orders", ">")
    connection.ok("XACK", "orders", "billing", "1-1", "2-1")
    return server


def next_ids(server: Server) -> list[bytes]:
    """What the group reads next."""
    words = ("XREADGROUP", "GROUP", "billing", "two", "COUNT", 3, "STREAMS", "orders", ">")
    reply = server.connect().ok(*words)
    return [entry_id for entry_id, _ in reply[0][1]] if reply else []


def pending(server: Server) -> int:
    found = server.connect().ok("XPENDING", "orders", "billing")[0]
    assert isinstance(found, int)
    return found


@pytest.mark.parametrize(
    ("position", "first", "entries"),
    [
        ("start", b"1-1", 20),
        ("0", b"1-1", 20),
        ("end", None, 0),
        ("5-1", b"5-1", 16),
        ("5", b"5-1", 16),
        ("5-2", b"6-1", 15),
        ("20-1", b"20-1", 1),
        ("20-2", None, 0),
        ("1970-01-01T00:00:00.010+00:00", b"10-1", 11),
        ("1m", None, 0),
    ],
)
def test_where_a_group_reads_then(
    orders: Server, position: str, first: bytes | None, entries: int
) -> None:
    words = ("reset", "orders", "billing", position, "--json")
    before = orders.connect().ok("XINFO", "GROUPS", "orders")
    done = run(*words, "--dry-run", url=url_of(orders))
    assert done.status == 0, done.err
    wanted = {
        "key": "orders", "group": "billing", "first": first.decode() if first else None,
        "entries": entries, "pending_dropped": 0, "dry_run": True,
    }  # fmt: skip
    assert json.loads(done.out) == wanted
    assert orders.connect().ok("XINFO", "GROUPS", "orders") == before
    done = run(*words, url=url_of(orders))
    assert json.loads(done.out) == {**wanted, "dry_run": False}
    assert pending(orders) == 10
    assert next_ids(orders)[:1] == ([first] if first else [])


def test_dropping_what_is_pending(orders: Server) -> None:
    words = ("reset", "orders", "billing", "15-1", "--pending", "drop")
    done = run(*words, "--dry-run", url=url_of(orders))
    assert done.out == (
        "billing would read 6 entries of orders, from 15-1 on; "
        "10 pending entries would be forgotten\n"
    )
    assert pending(orders) == 10
    done = run(*words, url=url_of(orders))
    assert done.out == (
        "billing will read 6 entries of orders, from 15-1 on; 10 pending entries forgotten\n"
    )
    assert pending(orders) == 0
    assert next_ids(orders) == [b"15-1", b"16-1", b"17-1"]


def test_what_comes_later_and_is_not_meant_is_not_read(orders: Server) -> None:
    assert run("reset", "orders", "billing", "100-5", url=url_of(orders)).status == 0
    connection = orders.connect()
    connection.ok("XADD", "orders", "50-1", "n", 50)
    connection.ok("XADD", "orders", "100-5", "n", 100)
    assert next_ids(orders) == [b"100-5"]


def test_many_entries_and_many_pending(server: Server) -> None:
    connection = server.connect()
    connection.pipeline([("XADD", "orders", f"{i}-1", "n", i) for i in range(1, 12_001)])
    connection.ok("XGROUP", "CREATE", "orders", "billing", "0")
    words = ("XREADGROUP", "GROUP", "billing", "one", "COUNT", 2500, "STREAMS", "orders", ">")
    connection.ok(*words)
    done = run("reset", "orders", "billing", "2-1", "--pending", "drop", url=url_of(server))
    told = "11,999" if server.kind == "headwater" else "more than 10,000"
    assert f"will read {told} entries of orders, from 2-1 on" in done.out
    assert "2,500 pending entries forgotten" in done.out
    assert pending(server) == 0
    done = run("reset", "orders", "billing", "start", url=url_of(server))
    assert "will read 12,000 entries" in done.out


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("nothing", "billing", "0"), 1, "there is no key nothing"),
        (("text", "billing", "0"), 1, "text is no stream"),
        (("orders", "mail", "0"), 1, "orders has no group mail"),
        (("orders", "billing", "soon"), 2, "no point in a stream"),
        (("orders", "billing"), 2, "Missing argument"),
    ],
)
def test_wrong_use_of_reset(orders: Server, words: tuple[str, ...], status: int, told: str) -> None:
    orders.connect().ok("SET", "text", "1")
    done = run("reset", *words, url=url_of(orders))
    assert done.status == status
    assert told in done.err


def test_a_terminal_is_asked(orders: Server) -> None:
    words = ("reset", "orders", "billing", "start")
    with Terminal(words, url_of(orders)) as terminal:
        terminal.expect("Go on? [y/N]")
        terminal.press("n\n")
        assert terminal.finish() == 1
    assert next_ids(orders)[:1] == [b"13-1"]
    with Terminal(words, url_of(orders)) as terminal:
        terminal.expect("billing will read 20 entries of orders, from 1-1 on. Go on? [y/N]")
        terminal.press("y\n")
        assert terminal.finish() == 0
    assert next_ids(orders)[:1] == [b"1-1"]


# --- dead letters ---


def letter(n: int, stream: str = "orders") -> tuple[Any, ...]:
    """The fields of a dead letter."""
    values = (stream, f"{n}-1", "billing", "one", 5, "max-deliveries", 1_700_000_000_000 + n)
    pairs = zip(DEAD_LETTER_FIELDS, values, strict=True)
    return ("n", n, "note", "é\n".encode(), *[word for pair in pairs for word in pair])


@pytest.fixture
def dead(server: Server) -> Server:
    """Dead letters 1-1 to 130-1 of `orders`, and an entry that is none."""
    connection = server.connect()
    connection.ok("XADD", "orders", "1-1", "a", "1")
    for i in range(1, 131):
        connection.ok("XADD", "orders:dead-letter", f"{i}-1", *letter(i))
    connection.ok("XADD", "orders:dead-letter", "131-1", "no", "letter")
    connection.ok("SET", "text", "1")
    return server


def fields(server: Server, key: str) -> list[Any]:
    return [found for _, found in server.connect().ok("XRANGE", key, "-", "+")]


def test_streams_with_dead_letters(dead: Server) -> None:
    connection = dead.connect()
    connection.ok("XADD", "graveyard", "1-1", *letter(7, "other"))
    done = run("dead-letters", "ls", url=url_of(dead))
    assert done.status == 0
    assert [line.split()[:2] for line in done.lines] == [
        ["STREAM", "LETTERS"], ["graveyard", "1"], ["orders:dead-letter", "131"],
    ]  # fmt: skip
    found = json.loads(run("dead-letters", "ls", "--json", url=url_of(dead)).out)
    assert [one["key"] for one in found] == ["graveyard", "orders:dead-letter"]


@pytest.mark.parametrize("key", ["orders", "orders:dead-letter"])
def test_dead_letters_of_a_stream(dead: Server, key: str) -> None:
    done = run("dead-letters", "ls", key, url=url_of(dead))
    assert done.status == 0
    assert len(done.lines) == 101
    assert "there are more than 100" in done.err
    assert done.lines[1].split()[:3] == ["1-1", "orders", "1-1"]
    assert "n=1 note=é\\n" in done.lines[1]
    done = run("dead-letters", "ls", key, "--json", "--limit", "0", url=url_of(dead))
    found = json.loads(done.out)
    assert len(found) == 130
    assert found[4] == {
        "id": "5-1", "original_stream": "orders", "original_id": "5-1", "group": "billing",
        "consumer": "one", "deliveries": 5, "reason": "max-deliveries",
        "dead_lettered_at": 1_700_000_000_005, "fields": {"n": "5", "note": "é\n"},
    }  # fmt: skip
    assert "orders:dead-letter has 1 entry besides dead letters" in done.err


def test_all_go_back(dead: Server) -> None:
    done = run("dead-letters", "redrive", "orders", url=url_of(dead))
    assert (done.status, done.out) == (0, "130 dead letters were sent back\n")
    wanted = [[b"n", b"%d" % i, b"note", "é\n".encode()] for i in range(1, 131)]
    assert fields(dead, "orders")[1:] == wanted
    assert fields(dead, "orders:dead-letter") == [[b"no", b"letter"]]
    done = run("dead-letters", "redrive", "orders", "--json", url=url_of(dead))
    if dead.kind == "reference":
        assert json.loads(done.out) == []


def test_some_go_back(dead: Server) -> None:
    url = url_of(dead)
    done = run("dead-letters", "redrive", "orders", "--count", "60", url=url)
    assert done.out == "60 dead letters were sent back\n"
    done = run("dead-letters", "redrive", "orders", "70-1", "100-1", "--json", url=url)
    found = json.loads(done.out)
    assert [one["id"] for one in found] == ["70-1", "100-1"]
    last = dead.connect().ok("XREVRANGE", "orders", "+", "-", "COUNT", 1)[0]
    assert last[0].decode() == found[1]["new_id"]
    assert last[1][1] == b"100"
    assert len(fields(dead, "orders:dead-letter")) == 69
    done = run("dead-letters", "redrive", "orders", "5-1", "120-1", url=url)
    assert done.status == 1
    assert "1 of the IDs are not there" in done.err
    assert done.out == "1 dead letter was sent back\n"


def test_they_go_elsewhere(dead: Server) -> None:
    words = ("dead-letters", "redrive", "orders:dead-letter", "--to", "again", "--count", "2")
    assert run(*words, url=url_of(dead)).status == 0
    assert [found[1] for found in fields(dead, "again")] == [b"1", b"2"]
    done = run(*words[:3], "--to", "text", url=url_of(dead))
    assert done.status == 1
    assert "0 dead letters were sent back" in done.out
    assert len(fields(dead, "orders:dead-letter")) == 129


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("ls", "nothing"), 1, "there is no key nothing"),
        (("ls", "text"), 1, "text is no stream"),
        (("redrive", "nothing"), 1, "there is no key nothing"),
        (("redrive", "orders", "1-1", "--count", "1"), 2, "exclude each other"),
    ],
)
def test_wrong_use_of_dead_letters(
    dead: Server, words: tuple[str, ...], status: int, told: str
) -> None:
    done = run("dead-letters", *words, url=url_of(dead))
    assert done.status == status
    assert told in done.err


def test_none_is_lost_or_doubled_while_others_write(dead: Server) -> None:
    """Two redrives at a time, and somebody who adds dead letters."""
    stop = threading.Event()

    def write() -> None:
        connection = dead.connect()
        n = 1000
        while not stop.is_set() and n < 3000:
            n += 1
            connection.ok("XADD", "orders:dead-letter", "*", *letter(n))

    found: list[Any] = []
    words = ("dead-letters", "redrive", "orders", "--json")

    def redrive() -> None:
        with Terminal(words, url_of(dead)) as terminal:
            found.append((terminal.finish(), terminal.text))

    threads = [threading.Thread(target=redrive) for _ in range(2)]
    writer = threading.Thread(target=write)
    writer.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    writer.join()
    moved = [one[1] for one in fields(dead, "orders")[1:]]
    left = [one[1] for one in fields(dead, "orders:dead-letter") if one[0] == b"n"]
    assert len(set(moved)) == len(moved)
    assert not set(moved) & set(left)
    assert {b"%d" % n for n in range(1, 131)} <= set(moved) | set(left)


# --- bench ---


def test_bench(server: Server) -> None:
    connection = server.connect()
    connection.ok("SET", "mine", "1")
    words = ("bench", "-n", "2000", "-s", "5", "--size", "20")
    done = run(*words, url=url_of(server))
    assert (done.status, done.err) == (0, "")
    assert [line.split()[0] for line in done.lines[1:]] == [
        "WHAT", "XADD", "XADD,", "XREADGROUP", "XREADGROUP",
    ]  # fmt: skip
    assert connection.ok("KEYS", "*") == [b"mine"]
    done = run(*words, "--json", "--pipeline", "7", url=url_of(server))
    found = json.loads(done.out)
    assert [one["entries"] >= 200 for one in found["results"]] == [True] * 4
    for one in found["results"]:
        assert 0 < one["p50_us"] <= one["p95_us"] <= one["p99_us"] <= one["max_us"]


def test_bench_leaves_keys_alone(server: Server) -> None:
    connection = server.connect()
    connection.ok("SET", "mine", "1")
    connection.ok("XADD", "stream", "1-1", "a", "1")
    for key in ("mine", "stream"):
        done = run("bench", "--key", key, url=url_of(server))
        assert done.status == 1
        assert f"the key {key} is there already" in done.err
    assert connection.ok("XLEN", "stream") == 1
    assert connection.ok("GET", "mine") == b"1"


def test_bench_ends_with_its_time(server: Server) -> None:
    done = run("bench", "-n", "100000000", "-s", "0.1", "--json", url=url_of(server))
    for one in json.loads(done.out)["results"]:
        assert 0 < one["entries"] < 1_000_000


def test_bench_is_interrupted(server: Server) -> None:
    with Terminal(("bench", "-s", "30", "-n", "10000000"), url_of(server)) as terminal:
        terminal.expect("XADD")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.finish() == 130
    assert server.connect().ok("KEYS", "*") == []
