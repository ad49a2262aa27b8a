"""Commands about keys and databases, their replies and errors as redis-server gives them."""

from __future__ import annotations

import pytest

from support.embedded import NOW_MS, Client, Embedded


@pytest.fixture(params=[2, 3])
def world(request: pytest.FixtureRequest) -> Embedded:
    return Embedded(request.param)


@pytest.fixture
def client(world: Embedded) -> Client:
    return world.main


def test_delete_counts_keys_that_were_there(client: Client) -> None:
    for name in ("DEL", "UNLINK"):
        client.ok("SET", "a", 1)
        client.ok("SET", "b", 1)
        assert client.ok(name, "a", "b", "a", "none") == 2
        assert client.ok("EXISTS", "a", "b") == 0


def test_exists_and_touch_count_repeated_keys(client: Client) -> None:
    client.ok("SET", "a", 1)
    assert client.ok("EXISTS", "a", "a", "none") == 2
    assert client.ok("TOUCH", "a", "a", "none") == 2


def test_type(client: Client) -> None:
    client.ok("SET", "a", 1)
    assert client.call("TYPE", "a") == ("+", b"string")
    assert client.call("TYPE", "none") == ("+", b"none")


def test_keys_with_patterns(world: Embedded, client: Client) -> None:
    for key in ("one", "two", "three", "x*"):
        client.ok("SET", key, 1)
    client.ok("SET", "gone", 1, "PX", 5)
    world.clock.advance(5)
    assert sorted(client.ok("KEYS", "*")) == [b"one", b"three", b"two", b"x*"]
    assert client.ok("KEYS", "t[wx]?") == [b"two"]
    assert client.ok("KEYS", "x\\*") == [b"x*"]
    assert client.ok("KEYS", "none") == []


def test_scan_visits_every_key_once(world: Embedded, client: Client) -> None:
    names = {b"k%d" % i for i in range(100)}
    for name in names:
        client.ok("SET", name, 1)
    client.ok("SET", "gone", 1, "PX", 5)
    world.clock.advance(5)
    seen: list[bytes] = []
    cursor = b"0"
    calls = 0
    while True:
        cursor, keys = client.ok("SCAN", cursor, "COUNT", 7)
        seen += keys
        calls += 1
        if cursor == b"0":
            break
    assert sorted(seen) == sorted(names)
    assert calls == 15
    assert len(client.ok("SCAN", 0)[1]) == 9


def test_scan_filters(client: Client, world: Embedded) -> None:
    client.ok("SET", "a", 1)
    client.ok("SET", "b", 1)
    assert client.ok("SCAN", 0, "match", "a*") == [b"0", [b"a"]]
    assert client.ok("SCAN", 0, "TYPE", "STRING", "MATCH", "[b-z]", "COUNT", 2) == [b"0", [b"b"]]
    assert client.ok("SCAN", 0, "TYPE", "stream") == [b"0", []]
    assert client.ok("SCAN", 0, "TYPE", "nosuch") == [b"0", []]


@pytest.mark.parametrize("cursor", ["x", "-1", "", "1 ", "18446744073709551616"])
def test_scan_refuses_a_bad_cursor(client: Client, cursor: str) -> None:
    assert client.error("SCAN", cursor) == "ERR invalid cursor"


@pytest.mark.parametrize("cursor", ["18446744073709551615", " 7", "+7", "007"])
def test_scan_takes_any_number_as_a_cursor(client: Client, cursor: str) -> None:
    assert client.ok("SCAN", cursor) == [b"0", []]


def test_scan_option_errors(client: Client) -> None:
    for words in (["COUNT"], ["COUNT", 0], ["COUNT", -1], ["MATCH"], ["TYPE"], ["BAD", 1]):
        assert client.error("SCAN", 0, *words) == "ERR syntax error"
    refusal = "ERR value is not an integer or out of range"
    assert client.error("SCAN", 0, "COUNT", "x") == refusal


def test_randomkey(world: Embedded, client: Client) -> None:
    assert client.call("RANDOMKEY") == ("nil", "_" if world.resp == 3 else "$")
    for i in range(50):
        client.ok("SET", f"gone{i}", 1, "PX", 5)
    client.ok("SET", "stays", 1)
    world.clock.advance(5)
    assert client.ok("RANDOMKEY") == b"stays"
    client.ok("DEL", "stays")
    assert client.ok("RANDOMKEY") is None
    assert client.ok("DBSIZE") == 0


def test_rename(client: Client) -> None:
    client.ok("SET", "a", 1, "PX", 5000)
    client.ok("SET", "b", 2)
    assert client.call("RENAME", "a", "b") == ("+", b"OK")
    assert client.ok("GET", "b") == b"1"
    assert client.ok("PTTL", "b") == 5000
    assert client.ok("EXISTS", "a") == 0
    assert client.ok("RENAME", "b", "b") == b"OK"
    assert client.error("RENAME", "none", "b") == "ERR no such key"
    assert client.error("RENAME", "none", "none") == "ERR no such key"


def test_renamenx(client: Client) -> None:
    client.ok("SET", "a", 1)
    client.ok("SET", "b", 2)
    assert client.ok("RENAMENX", "a", "b") == 0
    assert client.ok("RENAMENX", "a", "a") == 0
    assert client.ok("RENAMENX", "a", "c") == 1
    assert client.ok("GET", "c") == b"1"
    assert client.error("RENAMENX", "a", "d") == "ERR no such key"


def test_copy(client: Client) -> None:
    client.ok("SET", "a", 1, "PX", 5000)
    assert client.ok("COPY", "a", "b") == 1
    assert client.ok("PTTL", "b") == 5000
    client.ok("SET", "a", 2)
    assert client.ok("GET", "b") == b"1"
    assert client.ok("COPY", "a", "b") == 0
    assert client.ok("COPY", "a", "b", "replace", "DB", 0) == 1
    assert client.ok("GET", "b") == b"2"
    assert client.ok("TTL", "b") == -1
    assert client.ok("COPY", "none", "b", "REPLACE") == 0
    assert client.ok("COPY", "a", "a", "DB", 3) == 1
    client.ok("SELECT", 3)
    assert client.ok("GET", "a") == b"2"


def test_copy_errors(client: Client) -> None:
    client.ok("SET", "a", 1)
    same = "ERR source and destination objects are the same"
    assert client.error("COPY", "a", "a") == same
    assert client.error("COPY", "none", "none", "DB", 0, "REPLACE") == same
    assert client.error("COPY", "a", "b", "DB") == "ERR syntax error"
    assert client.error("COPY", "a", "b", "BAD") == "ERR syntax error"
    assert client.error("COPY", "a", "b", "DB", 16) == "ERR DB index is out of range"
    assert client.error("COPY", "a", "b", "DB", -1) == "ERR DB index is out of range"


def test_move(client: Client) -> None:
    client.ok("SET", "a", 1, "PX", 5000)
    assert client.ok("MOVE", "a", 1) == 1
    assert client.ok("EXISTS", "a") == 0
    client.ok("SET", "a", 2)
    assert client.ok("MOVE", "a", 1) == 0
    assert client.ok("MOVE", "none", 1) == 0
    client.ok("SELECT", 1)
    assert (client.ok("GET", "a"), client.ok("PTTL", "a")) == (b"1", 5000)
    same = "ERR source and destination objects are the same"
    assert client.error("MOVE", "none", 1) == same
    assert client.error("MOVE", "a", 16) == "ERR DB index is out of range"


INT_RANGE = "ERR value is out of range, value must between -2147483648 and 2147483647"


def test_numbers_of_databases(client: Client) -> None:
    not_an_integer = "ERR value is not an integer or out of range"
    for words in (["SELECT"], ["MOVE", "a"], ["COPY", "a", "b", "DB"]):
        assert client.error(*words, "x") == not_an_integer
        assert client.error(*words, 1 << 31) == INT_RANGE
        assert client.error(*words, -(1 << 31) - 1) == INT_RANGE
        assert client.error(*words, 1 << 63) == not_an_integer
        assert client.error(*words, 16) == "ERR DB index is out of range"


def test_swapdb(client: Client) -> None:
    client.ok("SET", "a", 1)
    assert client.ok("SWAPDB", 0, 1) == b"OK"
    assert client.ok("EXISTS", "a") == 0
    client.ok("SELECT", 1)
    assert client.ok("GET", "a") == b"1"
    assert client.ok("SWAPDB", 1, 1) == b"OK"
    assert client.ok("GET", "a") == b"1"
    assert client.error("SWAPDB", "x", 1) == "ERR invalid first DB index"
    assert client.error("SWAPDB", 1 << 31, "x") == "ERR invalid first DB index"
    assert client.error("SWAPDB", 0, "x") == "ERR invalid second DB index"
    assert client.error("SWAPDB", 16, 0) == "ERR DB index is out of range"
    assert client.error("SWAPDB", 0, -1) == "ERR DB index is out of range"


def test_flush(client: Client) -> None:
    for mode in ([], ["ASYNC"], ["sync"]):
        client.ok("SELECT", 1)
        client.ok("SET", "a", 1)
        client.ok("SELECT", 0)
        client.ok("SET", "a", 1)
        assert client.ok("FLUSHDB", *mode) == b"OK"
        assert client.ok("DBSIZE") == 0
        client.ok("SELECT", 1)
        assert client.ok("DBSIZE") == 1
        assert client.ok("FLUSHALL", *mode) == b"OK"
        assert client.ok("DBSIZE") == 0
    assert client.error("FLUSHDB", "BAD") == "ERR syntax error"
    assert client.error("FLUSHALL", "ASYNC", "SYNC") == "ERR syntax error"


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"1", b"int"),
        (b"-9223372036854775808", b"int"),
        (b"9223372036854775808", b"embstr"),
        (b"01", b"embstr"),
        (b"-0", b"embstr"),
        (b"", b"embstr"),
        (b"x" * 65, b"raw"),
    ],
)
def test_object_encoding(client: Client, data: bytes, encoding: bytes) -> None:
    client.ok("SET", "a", data)
    assert client.call("OBJECT", "ENCODING", "a") == ("$", encoding)


def test_object(world: Embedded, client: Client) -> None:
    client.ok("SET", "a", 1)
    world.clock.advance(2900)
    assert client.ok("OBJECT", "IDLETIME", "a") == 2
    assert client.ok("OBJECT", "REFCOUNT", "a") == 1
    assert client.error("OBJECT", "FREQ", "a").startswith("ERR An LFU maxmemory policy is not")
    for name in ("ENCODING", "IDLETIME", "REFCOUNT", "FREQ"):
        assert client.ok("OBJECT", name, "none") is None
    client.ok("GET", "a")
    assert client.ok("OBJECT", "IDLETIME", "a") == 0
    assert client.error("OBJECT", "BAD", "a") == "ERR unknown subcommand 'BAD'. Try OBJECT HELP."
    assert any(b"IDLETIME" in line for line in client.ok("OBJECT", "HELP"))


def test_idle_time_and_no_touch(world: Embedded, client: Client) -> None:
    client.ok("SET", "a", 1)
    world.clock.advance(5000)
    client.session.no_touch = True
    client.ok("GET", "a")
    assert client.ok("OBJECT", "IDLETIME", "a") == 5
    client.ok("TOUCH", "a")
    assert client.ok("OBJECT", "IDLETIME", "a") == 0
    world.clock.advance(5000)
    client.ok("GET", "a")
    assert client.ok("OBJECT", "IDLETIME", "a") == 5


def test_memory_usage(client: Client) -> None:
    client.ok("SET", "a", b"x" * 1000)
    used = client.ok("MEMORY", "USAGE", "a")
    assert 1000 < used < 2000
    assert client.ok("MEMORY", "USAGE", "a", "SAMPLES", 0) == used
    assert client.ok("MEMORY", "USAGE", "none") is None
    for words in (["SAMPLES"], ["SAMPLES", -1], ["BAD", 1]):
        assert client.error("MEMORY", "USAGE", "a", *words) == "ERR syntax error"
    assert any(b"USAGE" in line for line in client.ok("MEMORY", "HELP"))


def test_statistics(world: Embedded, client: Client) -> None:
    client.ok("SET", "a", 1)
    client.ok("SET", "b", 1, "PX", 5)
    world.clock.advance(5)
    assert client.ok("EXISTS", "a", "b", "c") == 1
    client.ok("TTL", "a")
    keyspace = world.state.keyspace
    assert (keyspace.keyspace_hits, keyspace.keyspace_misses) == (2, 2)
    assert keyspace.expired_keys == 1
    assert keyspace.dirty == 2
    assert world.clock.now_ms == NOW_MS + 5
