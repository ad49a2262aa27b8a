"""What a connection is told about itself and others, as redis-server tells it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator

import pytest

from support.pair import MismatchError, Pair, Peers
from support.servers import Server
from support.wire import Reply, Word, encode, pairs, plain

WAIT_SECONDS = 20


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def pair(request: pytest.FixtureRequest, headwater: Server, reference: Server) -> Iterator[Pair]:
    both = Pair(headwater, reference, request.param)
    yield both
    both.close()


def say(pair: Pair, peers: Peers, *lines: str) -> None:
    for line in lines:
        pair.same(peers, *line.split())


def raw_answer(peers: Peers, *requests: tuple[Word, ...]) -> tuple[list[Reply], list[Reply]]:
    """All replies up to the PONG of a PING that is sent behind the requests."""
    found = []
    for connection in (peers.ours, peers.theirs):
        connection.send_raw(b"".join(map(encode, requests)) + encode(["ECHO", "the end"]))
        replies = []
        while (reply := connection.read()) != ("$", b"the end"):
            replies.append(reply)
        found.append(replies)
    return found[0], found[1]


def agree(found: tuple[list[Reply], list[Reply]]) -> None:
    ours, theirs = found
    if ours != theirs:
        raise MismatchError(f"want: {theirs}\ngot:  {ours}")


def test_greeting(pair: Pair) -> None:
    one = pair.connect()
    say(pair, one, "HELLO", "HELLO 2", "HELLO 3", "HELLO 3 SETNAME me", "CLIENT GETNAME")
    say(pair, one, "HELLO 2 AUTH default any SETNAME you", "CLIENT GETNAME", "HELLO 2")
    ours, theirs = (pairs(connection.call("HELLO")) for connection in (one.ours, one.theirs))
    for name in (b"proto", b"mode", b"role"):
        assert ours[name] == theirs[name]
    assert ours[b"server"] == ("$", b"redis")
    assert re.fullmatch(rb"\d+\.\d+\.\d+", plain(ours[b"version"]))


def test_reset(pair: Pair) -> None:
    one = pair.connect()
    say(pair, one, "SELECT 3", "CLIENT SETNAME me", "WATCH k", "MULTI", "GET k", "RESET")
    say(pair, one, "EXEC", "CLIENT GETNAME", "SET here 1", "SELECT 0", "GET here")


def test_quit_answers_and_ends(pair: Pair) -> None:
    one = pair.connect()
    for connection in (one.ours, one.theirs):
        connection.send_raw(encode(["QUIT"]) + encode(["PING"]))
        assert connection.read_rest() == b"+OK\r\n"


def test_client_reply(pair: Pair) -> None:
    one = pair.connect()
    agree(
        raw_answer(
            one,
            ("CLIENT", "REPLY", "ON"),
            ("CLIENT", "REPLY", "SKIP"),
            ("PING",),
            ("PING", "seen"),
            ("CLIENT", "REPLY", "OFF"),
            ("PING", "unseen"),
            ("NOSUCH",),
            ("SET", "k", "v"),
            ("CLIENT", "REPLY", "SKIP"),
            ("CLIENT", "REPLY", "ON"),
            ("GET", "k"),
            ("CLIENT", "REPLY", "SKIP"),
            ("CLIENT", "REPLY", "SKIP"),
            ("PING", "skipped"),
        )
    )


def test_names_and_info(pair: Pair) -> None:
    one = pair.connect()
    say(pair, one, "CLIENT SETNAME first", "CLIENT GETNAME", "CLIENT SETINFO LIB-NAME lib")
    say(pair, one, "CLIENT SETINFO lib-ver 1.2", "CLIENT NO-EVICT on", "CLIENT NO-TOUCH on")
    fields = []
    for connection in (one.ours, one.theirs):
        text = connection.ok("CLIENT", "INFO").decode()
        fields.append(dict(word.split("=", 1) for word in text.split()))
    ours, theirs = fields
    assert set(theirs) <= set(ours), f"missing: {set(theirs) - set(ours)}"
    for name in ("name", "db", "sub", "psub", "multi", "watch", "cmd", "user", "redir", "resp",
                 "lib-name", "lib-ver", "flags"):  # fmt: skip
        assert ours[name] == theirs[name], name
    say(pair, one, "CLIENT NO-EVICT off", "CLIENT NO-TOUCH off", "SELECT 7")
    one.ours.send("MULTI")
    one.theirs.send("MULTI")
    assert one.ours.read() == one.theirs.read()
    for connection, watcher in zip((one.ours, one.theirs), pair.watchers, strict=True):
        text = watcher.ok("CLIENT", "LIST", "ID", connection.id).decode()
        fields.append(dict(word.split("=", 1) for word in text.split()))
    assert [fields[2][name] for name in ("db", "multi", "flags", "cmd")] == [
        fields[3][name] for name in ("db", "multi", "flags", "cmd")
    ]


@pytest.mark.skipif(
    os.environ.get("HEADWATER_TEST_SUBJECT", "") == "embedded", reason="all have one address there"
)
def test_kill(pair: Pair) -> None:
    victims = [pair.connect() for _ in range(3)]
    answers = []
    for side in ("ours", "theirs"):
        ends = [getattr(one, side) for one in victims]
        main = getattr(pair.main, side)
        found = [main.call("CLIENT", "KILL", "ID", ends[0].id)]
        assert ends[0].read_rest() == b""
        name = f"127.0.0.1:{ends[1].sock.getsockname()[1]}"
        found.append(main.call("CLIENT", "KILL", name))
        assert ends[1].read_rest() == b""
        address = f"127.0.0.1:{ends[2].sock.getsockname()[1]}"
        found.append(main.call("CLIENT", "KILL", "ADDR", address, "USER", "default"))
        assert ends[2].read_rest() == b""
        found.append(main.call("CLIENT", "KILL", "ADDR", address))
        found.append(main.call("CLIENT", "KILL", "ID", main.id, "SKIPME", "yes"))
        answers.append(found)
    assert answers[0] == answers[1]


def test_client_kills_itself(pair: Pair) -> None:
    one = pair.connect()
    for connection in (one.ours, one.theirs):
        connection.send("CLIENT", "KILL", "ID", connection.id, "SKIPME", "no")
        assert connection.read_rest() == b":1\r\n"


def test_pause_and_unpause(pair: Pair) -> None:
    one, other = pair.connect(), pair.connect()
    say(pair, one, "CLIENT PAUSE 600000 WRITE", "GET k", "PING")
    other.ours.send("SET", "k", "v")
    other.theirs.send("SET", "k", "v")
    other.blocked = True
    pair.settle([other])
    assert other.blocked, "a write went through"
    say(pair, one, "GET k", "CLIENT UNPAUSE")
    assert pair.settle_all([other])
    say(pair, one, "GET k")


def test_monitor(pair: Pair) -> None:
    one = pair.connect()
    say(pair, one, "MONITOR")
    requests: list[tuple[Word, ...]] = [
        ("SELECT", "2"),
        ("SET", "k", 'a "quoted"\n\x00\xff value\\'),
        ("XADD", "s", "1-0", "f", ""),
        ("NOSUCH", "x"),
        ("GET",),
        ("MULTI",),
        ("XLEN", "s"),
        ("EXEC",),
        ("HELLO", "2", "AUTH", "default", "secret"),
        ("AUTH", "default", "secret"),
        ("CLIENT", "SETNAME", "me"),
        ("ECHO", "last"),
    ]
    lines = []
    for side in ("ours", "theirs"):
        speaker, monitor = getattr(pair.main, side), getattr(one, side)
        for words in requests:
            speaker.call(*words)
        seen = []
        while not seen or '"last"' not in seen[-1]:
            kind, text = monitor.read()
            assert kind == "+"
            seen.append(
                re.sub(r"^\d+\.\d{6} \[(\d+) [^ \]]+\]", r"TIME [\1 CLIENT]", text.decode())
            )
        lines.append(seen)
    assert lines[0] == lines[1]


def test_selected_database_is_ones_own(pair: Pair) -> None:
    one, other = pair.connect(), pair.connect()
    say(pair, one, "SELECT 9", "SET k nine")
    say(pair, other, "GET k", "SELECT 9", "GET k", "SWAPDB 9 0", "GET k", "SELECT 0", "GET k")
    say(pair, one, "GET k", "FLUSHDB")


def test_inline_and_arrays_mixed(pair: Pair) -> None:
    one = pair.connect()
    raw = b"SET k v\r\n" + encode(["GET", "k"]) + b"GET k\n" + encode(["DEL", "k"]) + b"\r\n"
    for connection in (one.ours, one.theirs):
        connection.send_raw(raw)
        assert [connection.read() for _ in range(4)] == [
            *(("+", b"OK"), ("$", b"v"), ("$", b"v"), (":", 1)),
        ]


def test_deep_pipeline(pair: Pair) -> None:
    one = pair.connect()
    requests: list[tuple[Word, ...]] = [("XADD", "s", f"{n}-0", "n", n) for n in range(1, 20_001)]
    pair.same_all(one, requests)
    pair.same(one, "XLEN", "s")


def test_commands_of_a_type_error(pair: Pair) -> None:
    """Every stream command on a string."""
    say(pair, pair.main, "SET k v")
    for line in (
        "XADD k * f v", "XLEN k", "XRANGE k - +", "XREVRANGE k + -", "XREAD STREAMS k 0",
        "XREAD BLOCK 0 STREAMS k 0", "XREADGROUP GROUP g c STREAMS k >", "XACK k g 1-0",
        "XDEL k 1-0", "XDELEX k IDS 1 1-0", "XACKDEL k g IDS 1 1-0", "XTRIM k MAXLEN 1",
        "XCLAIM k g c 0 1-0", "XAUTOCLAIM k g c 0 0", "XPENDING k g", "XPENDING k g - + 1",
        "XSETID k 1-0", "XGROUP CREATE k g 0", "XGROUP SETID k g 0", "XGROUP DESTROY k g",
        "XGROUP CREATECONSUMER k g c", "XGROUP DELCONSUMER k g c", "XINFO STREAM k",
        "XINFO GROUPS k", "XINFO CONSUMERS k g",
    ):  # fmt: skip
        say(pair, pair.main, line)


def test_blocked_client_in_a_transaction_does_not_wait(pair: Pair) -> None:
    say(pair, pair.main, "XGROUP CREATE s g $ MKSTREAM", "MULTI", "XREAD BLOCK 0 STREAMS s $")
    say(pair, pair.main, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >", "EXEC")


def test_slowlog(pair: Pair) -> None:
    one = pair.connect()
    say(pair, one, "CONFIG SET slowlog-log-slower-than 0", "SLOWLOG RESET")
    long_word = "x" * 200
    pair.same(one, "SET", "k", long_word)
    pair.same(one, "DEL", *(f"k{n}" for n in range(40)))
    say(pair, one, "CONFIG SET slowlog-log-slower-than 10000")
    logged = []
    for connection in (one.ours, one.theirs):
        rows = connection.ok("SLOWLOG", "GET", "-1")
        logged.append([row[3] for row in rows])
        assert all(len(row) == 6 for row in rows)
        assert all(isinstance(row[0], int) and row[1] > 0 and row[2] >= 0 for row in rows)
        assert connection.ok("SLOWLOG", "LEN") == len(rows)
    assert logged[0] == logged[1]
    say(pair, one, "SLOWLOG RESET", "SLOWLOG LEN", "SLOWLOG GET")


def info(connection_text: bytes) -> dict[str, str]:
    lines = connection_text.decode().split("\r\n")
    return dict(line.split(":", 1) for line in lines if ":" in line)


SECTIONS = ("server", "clients", "memory", "persistence", "stats", "replication", "cpu",
            "commandstats", "errorstats", "keyspace")  # fmt: skip


def test_info_counts(pair: Pair) -> None:
    """Figures that follow from what was said."""
    one = pair.connect()
    say(pair, one, "CONFIG RESETSTAT", "SET k v", "GET k", "GET none", "XADD s 1-1 f v", "XADD")
    say(pair, one, "EXPIRE k 1000", "XLEN k")
    texts = [plain(c.call("INFO", *SECTIONS)) for c in (one.ours, one.theirs)]
    ours, theirs = map(info, texts)
    for name in ("db0", "keyspace_hits", "keyspace_misses", "blocked_clients", "role",
                 "connected_slaves", "errorstat_WRONGTYPE", "errorstat_ERR"):  # fmt: skip
        want, got = theirs.get(name, ""), ours.get(name, "")
        assert re.sub("avg_ttl=.*", "", got) == re.sub("avg_ttl=.*", "", want), name
    for name in ("cmdstat_set", "cmdstat_get", "cmdstat_xadd", "cmdstat_xlen"):
        want, got = (re.sub(r"usec[^,]*=[\d.]+,?", "", side[name]) for side in (theirs, ours))
        assert got == want, name
    for name in ("redis_version", "process_id", "tcp_port", "uptime_in_seconds", "used_memory",
                 "used_memory_rss", "total_commands_processed", "used_cpu_user", "maxclients",
                 "total_connections_received", "connected_clients", "loading", "run_id",
                 "maxmemory", "instantaneous_ops_per_sec", "expired_keys"):  # fmt: skip
        assert name in theirs
        assert name in ours, name


@pytest.mark.parametrize("section", SECTIONS)
def test_info_section(pair: Pair, section: str) -> None:
    ours, theirs = (c.ok("INFO", section) for c in (pair.main.ours, pair.main.theirs))
    heads = [[line for line in text.split(b"\r\n") if line[:1] == b"#"] for text in (ours, theirs)]
    assert heads[0] == heads[1]


def test_wait_and_role(pair: Pair) -> None:
    say(pair, pair.main, "SET k v", "WAIT 0 0", "WAIT 0 10", "WAIT 1 1", "ROLE")


def test_active_and_lazy_expiry(pair: Pair) -> None:
    one = pair.connect()

    def both_until(condition: Callable[[Reply], bool], *words: Word) -> None:
        for connection in (one.ours, one.theirs):
            deadline = time.monotonic() + WAIT_SECONDS
            while not condition(connection.call(*words)):
                assert time.monotonic() < deadline, words
                time.sleep(0.001)

    say(pair, one, "SET kept v", "SET active v PX 5", "XADD stream 1-0 f v", "PEXPIRE stream 5")
    both_until(lambda reply: reply == (":", 1), "DBSIZE")
    say(pair, one, "DEBUG SET-ACTIVE-EXPIRE 0", "SET lazy v PX 1", "DBSIZE")
    both_until(lambda reply: reply[0] == "nil", "GET", "lazy")
    say(pair, one, "EXISTS lazy", "TYPE lazy", "TTL lazy", "RENAME lazy other", "KEYS *", "DBSIZE")
    say(pair, one, "DEBUG SET-ACTIVE-EXPIRE 1")


def test_a_stream_that_expires_wakes_its_group_readers(pair: Pair) -> None:
    say(pair, pair.main, "XGROUP CREATE s g $ MKSTREAM")
    reader = pair.connect()
    pair.send(reader, "XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "s", ">")
    say(pair, pair.main, "PEXPIRE s 5")
    assert pair.settle_all([reader])


def test_timeouts(pair: Pair) -> None:
    one = pair.connect()
    say(pair, one, "XGROUP CREATE s g $ MKSTREAM", "XREAD BLOCK 1 STREAMS s $")
    say(pair, one, "XREAD BLOCK 1 STREAMS none t 0 0", "XREADGROUP GROUP g c BLOCK 1 STREAMS s >")
    say(pair, one, "XREADGROUP GROUP g c BLOCK 1 STREAMS s 0", "XREAD BLOCK 1 STREAMS s +")


def test_a_lost_race_does_not_restart_the_timeout(pair: Pair) -> None:
    """Woken again and again for entries that are gone already, a reader still gives up."""
    say(pair, pair.main, "XGROUP CREATE s g $ MKSTREAM")
    reader = pair.connect()
    for side, connection in (("ours", reader.ours), ("theirs", reader.theirs)):
        connection.send("XREADGROUP", "GROUP", "g", "c", "BLOCK", 300, "STREAMS", "s", ">")
        main = getattr(pair.main, side)
        deadline = time.monotonic() + WAIT_SECONDS
        while not connection.has_data(0.01):
            assert time.monotonic() < deadline, f"{side}: the time limit starts again"
            main.pipeline([["MULTI"], ["XADD", "s", "*", "f", "v"],
                           ["XTRIM", "s", "MAXLEN", 0], ["EXEC"]])  # fmt: skip
        assert connection.read()[0] == "nil"


def test_first_blocked_is_first_served(pair: Pair) -> None:
    say(pair, pair.main, "XGROUP CREATE s g $ MKSTREAM")
    readers = [pair.connect() for _ in range(12)]
    for number, reader in enumerate(readers):
        pair.send(
            reader, "XREADGROUP", "GROUP", "g", f"c{number}", "COUNT", 1, "BLOCK", 0, "STREAMS",
            "s", ">",
        )  # fmt: skip
    for number, reader in enumerate(readers, start=1):
        pair.same(pair.main, "XADD", "s", f"{number}-0", "f", "v")
        assert pair.settle(readers) == [reader]


def test_memory_usage_grows(pair: Pair) -> None:
    main = pair.main.ours
    main.ok("XADD", "s", "1-0", "f", "v")
    small = main.ok("MEMORY", "USAGE", "s")
    main.pipeline([("XADD", "s", f"{n}-0", "f", "v" * 100) for n in range(2, 2002)])
    assert main.ok("MEMORY", "USAGE", "s") - small > 100_000
