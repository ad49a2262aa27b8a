"""`maxmemory` of a real server: refused or evicted in time, accepted again when there is room."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from support.servers import Server
from support.wire import Connection, encode, plain

MIB = 1024 * 1024
WAIT_SECONDS = 20
OOM = b"OOM command not allowed when used memory > 'maxmemory'."
BUSY = b"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
VALUE = "v" * 2000
ROOM = 6 * MIB
REQUESTS = 5000  # of them not half have room


def used(connection: Connection) -> int:
    text = connection.ok("INFO", "memory").decode()
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return int(fields["used_memory"])


def evicted(connection: Connection) -> int:
    text = connection.ok("INFO", "stats").decode()
    return int(text.partition("evicted_keys:")[2].split()[0])


def until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not happened():
        assert time.monotonic() < end, "this should have happened by now"
        time.sleep(0.01)


@pytest.fixture
def limited(headwater: Server) -> Iterator[Connection]:
    """A connection to a server that may use ROOM more than it does when it is empty."""
    connection = headwater.connect()
    depth = connection.ok("CONFIG", "GET", "stream-compress-depth")[1]
    connection.ok("CONFIG", "SET", "stream-compress-depth", 0)
    # What earlier tests left is freed by and by.
    until(lambda: b"lazyfree_pending_objects:0" in connection.ok("INFO", "memory"))
    connection.ok("CONFIG", "SET", "maxmemory", "100gb")  # so it is measured
    connection.ok("CONFIG", "SET", "maxmemory", used(connection) + ROOM)
    yield connection
    connection.ok("CONFIG", "SET", "maxmemory", 0, "maxmemory-policy", "noeviction")
    connection.ok("CONFIG", "SET", "stream-compress-depth", depth)


def limit_of(connection: Connection) -> int:
    return int(connection.ok("CONFIG", "GET", "maxmemory")[1])


def fill(connection: Connection, *words: str, count: int = REQUESTS) -> int:
    """Pipelined requests, `%d` in their words being their number; how many succeeded."""
    done = 0
    for first in range(0, count, 100):
        numbers = range(first, first + 100)
        requests = [[word.replace("%d", str(i)) for word in words] for i in numbers]
        for kind, text in connection.pipeline(requests):
            if kind == "-":
                assert text == OOM
            else:
                done += 1
    return done


@pytest.mark.parametrize(
    "words",
    [
        ("SET", "key:%d", VALUE),
        ("APPEND", "key", VALUE * 2),
        ("XADD", "stream:%d", "*", "f", VALUE),
        ("XADD", "stream", "*", "f", VALUE),
        ("RPUSH", "list", VALUE),
    ],
    ids=lambda words: f"{words[0]} {words[1][:9]}",
)
def test_a_burst_does_not_pass_the_limit_by_much(
    limited: Connection, words: tuple[str, ...]
) -> None:
    done = fill(limited, *words)
    assert 0 < done < REQUESTS
    # A string that grows has an eighth of room, and what waits to be parsed counts as well.
    assert used(limited) < limit_of(limited) + 4 * MIB
    assert used(limited) > limit_of(limited) - 3 * MIB
    assert limited.ok("DBSIZE") > 0


def test_one_request_that_makes_much(limited: Connection) -> None:
    """SETRANGE of some bytes far away: the next one is refused at once, in one pipeline too."""
    requests = [["SETRANGE", f"k{i}", str(8 * MIB), "x"] for i in range(20)]
    replies = limited.pipeline(requests)
    assert sum(kind != "-" for kind, _ in replies) <= 3


def test_what_goes_on_over_the_limit(limited: Connection) -> None:
    limited.ok("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
    limited.ok("XADD", "s", "1-1", "f", "v")
    limited.ok("XREADGROUP", "GROUP", "g", "ann", "STREAMS", "s", ">")
    limited.ok("CONFIG", "SET", "maxmemory", MIB)
    for words in (
        ("SET", "a", 1),
        ("APPEND", "a", 1),
        ("XADD", "s", "*", "f", "v"),
        ("XGROUP", "CREATE", "s", "h", "0"),
        ("COPY", "s", "t"),
        ("INCR", "n"),
    ):
        assert limited.call(*words) == ("-", OOM), words
    assert limited.ok("XRANGE", "s", "-", "+")
    assert limited.ok("XACK", "s", "g", "1-1") == 1
    assert limited.ok("XTRIM", "s", "MAXLEN", 0) == 1
    assert limited.ok("GET", "a") is None
    assert limited.ok("DEL", "s") == 1
    limited.ok("CONFIG", "SET", "maxmemory", "100gb")
    assert limited.ok("SET", "a", 1) == b"OK"


def test_transactions_over_the_limit(limited: Connection, headwater: Server) -> None:
    other = headwater.connect()
    limited.ok("MULTI")
    limited.ok("SET", "a", 1)
    other.ok("CONFIG", "SET", "maxmemory", MIB)
    assert limited.call("EXEC")[0] == "-"
    limited.ok("MULTI")
    assert limited.call("SET", "a", 1) == ("-", OOM)
    assert limited.call("EXEC")[0] == "-"
    # What takes no memory may be queued and run, as in Redis.
    limited.ok("MULTI")
    for words in (("GET", "a"), ("DEL", "a"), ("UNSUBSCRIBE",)):
        assert limited.ok(*words) == b"QUEUED"
    assert limited.ok("EXEC")[:2] == [None, 0]
    other.ok("CONFIG", "SET", "maxmemory", "100gb")
    assert limited.ok("SET", "a", 1) == b"OK"


@pytest.mark.parametrize("way", ["DEL", "XTRIM", "FLUSHALL", "raised"])
def test_writes_are_accepted_again(limited: Connection, way: str) -> None:
    fill(limited, "XADD", "stream", "*", "f", VALUE)
    assert limited.call("SET", "a", 1) == ("-", OOM)
    if way == "DEL":
        limited.ok("DEL", "stream")
    elif way == "XTRIM":
        limited.ok("XTRIM", "stream", "MAXLEN", 100)
    elif way == "FLUSHALL":
        limited.ok("FLUSHALL")
    else:
        limited.ok("CONFIG", "SET", "maxmemory", 2 * limit_of(limited))
    until(lambda: limited.call("SET", "a", 1)[0] != "-")


@pytest.mark.parametrize(
    "policy", ["allkeys-lru", "allkeys-random", "volatile-lru", "volatile-random", "volatile-ttl"]
)
def test_eviction(limited: Connection, policy: str) -> None:
    """Strings go, and streams and what the policy does not name stay."""
    limited.ok("XADD", "stream", "*", "f", "v")
    limited.ok("CONFIG", "SET", "maxmemory-policy", policy)
    volatile = policy.startswith("volatile")
    if volatile:
        limited.ok("SET", "lasting", 1)
        if policy == "volatile-ttl":
            limited.ok("SET", "late", 1, "EX", 100_000)
    before = evicted(limited)
    expiry = ("EX", "1000") if volatile else ()
    assert fill(limited, "SET", "key:%d", VALUE, *expiry) == REQUESTS
    assert evicted(limited) - before > 1000
    assert used(limited) < limit_of(limited) + 2 * MIB
    assert limited.ok("XLEN", "stream") == 1
    if volatile:
        assert limited.ok("GET", "lasting") == b"1"
    if policy == "volatile-ttl":
        assert limited.ok("GET", "late") == b"1"


def test_nothing_is_evicted_in_the_middle_of_a_script(
    limited: Connection, headwater: Server
) -> None:
    """Others who are told that a script runs are no reason to change what the script sees."""
    other = headwater.connect()
    limited.ok("CONFIG", "SET", "busy-reply-threshold", 1, "maxmemory-policy", "allkeys-random")
    script = "local n = redis.call('dbsize') for i = 1, %d do end return {n, redis.call('dbsize')}"
    turns, busy = 1_000_000, 0
    try:
        while not busy:
            limited.ok("CONFIG", "SET", "maxmemory", 0)
            fill(limited, "SET", "key:%d", VALUE, count=10_000)
            lower = ("CONFIG", "SET", "maxmemory", used(limited) - 5 * MIB)
            limited.send_raw(encode(lower) + encode(("EVAL", script % turns, 0)))
            while not limited.has_data():
                busy += other.call("SET", "other", "1") == ("-", BUSY)
            assert limited.read() == ("+", b"OK")
            before, behind = plain(limited.read())
            assert before == behind
            turns *= 4
    finally:
        limited.call("CONFIG", "SET", "busy-reply-threshold", 5000)


def test_streams_alone_are_refused(limited: Connection) -> None:
    limited.ok("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    done = fill(limited, "XADD", "s:%d", "*", "f", VALUE)
    assert 0 < done < REQUESTS
    assert limited.ok("DBSIZE") == done


def test_policies_that_count_uses_are_refused(headwater: Server) -> None:
    connection = headwater.connect()
    for policy in ("allkeys-lfu", "volatile-LFU"):
        kind, text = connection.call("CONFIG", "SET", "maxmemory-policy", policy)
        assert kind == "-"
        assert isinstance(text, bytes)
        assert b"use the lru policy" in text
    assert connection.ok("CONFIG", "GET", "maxmemory-policy")[1] == b"noeviction"
