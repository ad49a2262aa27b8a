"""SET with its options, and GET."""

from __future__ import annotations

import pytest

from headwater.commands.strings import digest
from headwater.streams.stream import Stream
from support.embedded import NOW_MS, Client, Embedded

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
INVALID_TIME = "ERR invalid expire time in 'set' command"
MAX = 2**63 - 1


@pytest.fixture(params=[2, 3])
def world(request: pytest.FixtureRequest) -> Embedded:
    return Embedded(request.param)


@pytest.fixture
def client(world: Embedded) -> Client:
    return world.main


def put_stream(world: Embedded, key: bytes) -> None:
    world.state.keyspace.databases[0].set(key, Stream())


def test_get_and_set(world: Embedded, client: Client) -> None:
    data = bytes(range(256)) * 300
    assert client.call("SET", "a", data) == ("+", b"OK")
    assert client.call("GET", "a") == ("$", data)
    assert client.call("GET", "none") == ("nil", "_" if world.resp == 3 else "$")
    put_stream(world, b"st")
    assert client.error("GET", "st") == WRONG_TYPE
    assert client.ok("SET", "st", 1) == b"OK"
    assert client.ok("GET", "st") == b"1"


def test_set_takes_the_expiry_away_unless_told_otherwise(world: Embedded, client: Client) -> None:
    client.ok("SET", "a", 1, "EX", 10)
    client.ok("SET", "a", 2, "KEEPTTL")
    assert client.ok("PTTL", "a") == 10_000
    client.ok("SET", "a", 3)
    assert client.ok("PTTL", "a") == -1
    client.ok("SET", "none", 3, "KEEPTTL")
    assert client.ok("PTTL", "none") == -1


@pytest.mark.parametrize(
    ("option", "number"),
    [("EX", 10), ("px", 10_000), ("EXAT", NOW_MS // 1000 + 10), ("PXAT", NOW_MS + 10_000)],
)
def test_expiry(client: Client, option: str, number: int) -> None:
    client.ok("SET", "a", 1, option, number)
    assert client.ok("PTTL", "a") == 10_000
    client.ok("SET", "a", 1, option, 1, option, number)
    assert client.ok("PTTL", "a") == 10_000


def test_an_expiry_in_the_past_deletes(client: Client) -> None:
    client.ok("SET", "a", 1)
    assert client.ok("SET", "a", 1, "EXAT", 1) == b"OK"
    assert client.ok("SET", "b", 1, "PXAT", 1) == b"OK"
    assert client.ok("DBSIZE") == 0


@pytest.mark.parametrize("option", ["EX", "PX", "EXAT", "PXAT"])
def test_expiry_errors(client: Client, option: str) -> None:
    assert client.error("SET", "a", 1, option, 0) == INVALID_TIME
    assert client.error("SET", "a", 1, option, -1) == INVALID_TIME
    assert client.error("SET", "a", 1, option) == "ERR syntax error"
    refusal = "ERR value is not an integer or out of range"
    assert client.error("SET", "a", 1, option, "x") == refusal
    if option != "PXAT":
        assert client.error("SET", "a", 1, option, MAX) == INVALID_TIME
    for other in (["KEEPTTL"], ["EX" if option != "EX" else "PX", 10]):
        assert client.error("SET", "a", 1, option, 10, *other) == "ERR syntax error"
        assert client.error("SET", "a", 1, *other, option, 10) == "ERR syntax error"


def test_nx_and_xx(client: Client) -> None:
    assert client.ok("SET", "a", 1, "XX") is None
    assert client.ok("SET", "a", 1, "NX", "nx") == b"OK"
    assert client.ok("SET", "a", 2, "NX") is None
    assert client.ok("SET", "a", 3, "xx") == b"OK"
    assert client.ok("GET", "a") == b"3"
    for words in (["NX", "XX"], ["XX", "NX"], ["NX", "IFEQ", 1], ["IFNE", 1, "XX"], ["BAD"]):
        assert client.error("SET", "a", 1, *words) == "ERR syntax error"


def test_get_option(world: Embedded, client: Client) -> None:
    assert client.ok("SET", "a", 1, "GET") is None
    assert client.ok("SET", "a", 2, "GET", "EX", 10) == b"1"
    assert client.ok("SET", "a", 3, "NX", "GET") == b"2"
    assert client.ok("SET", "none", 3, "XX", "GET") is None
    assert client.ok("EXISTS", "none") == 0
    assert client.ok("GET", "a") == b"2"
    put_stream(world, b"st")
    assert client.error("SET", "st", 1, "GET") == WRONG_TYPE
    assert client.error("SET", "st", 1, "GET", "NX") == WRONG_TYPE


def test_conditions_on_the_value(world: Embedded, client: Client) -> None:
    assert client.ok("SET", "a", 1, "IFEQ", 1) is None
    assert client.ok("SET", "a", 1, "IFNE", 1) == b"OK"
    assert client.ok("SET", "a", 2, "IFEQ", 2) is None
    assert client.ok("SET", "a", 2, "ifeq", 1, "GET") == b"1"
    assert client.ok("SET", "a", 3, "IFNE", 2) is None
    assert client.ok("SET", "a", 3, "IFNE", 2, "GET") == b"2"
    assert client.ok("GET", "a") == b"2"
    assert client.error("SET", "a", 1, "IFEQ") == "ERR syntax error"
    put_stream(world, b"st")
    for option in ("IFEQ", "IFNE", "IFDEQ", "IFDNE"):
        assert client.error("SET", "st", 1, option, "x") == WRONG_TYPE


def test_conditions_on_the_digest(client: Client) -> None:
    assert digest(b"Hello world") == b"b6acb9d84a38ff74"
    assert client.ok("SET", "a", "x", "IFDEQ", "short") is None
    assert client.ok("SET", "a", "Hello world", "IFDNE", "short") == b"OK"
    refusal = "ERR must be exactly 16 hexadecimal characters"
    assert client.error("SET", "a", 1, "IFDEQ", "b6acb9d84a38ff7") == refusal
    assert client.ok("SET", "a", 1, "IFDNE", "b6acb9d84a38ff74") is None
    assert client.ok("SET", "a", 1, "IFDEQ", "B6ACB9D84A38FF74") == b"OK"
    assert client.ok("SET", "a", 2, "IFDEQ", "b6acb9d84a38ff74") is None
    assert client.ok("SET", "a", 2, "IFDNE", "b6acb9d84a38ff74") == b"OK"


def test_set_with_an_expiry_many_times_leaves_nothing_behind(
    world: Embedded, client: Client
) -> None:
    db = world.state.keyspace.databases[0]
    for _ in range(100):
        client.ok("SET", "a", 1, "EX", 1000)
        client.ok("DEL", "a")
        client.ok("SET", "b", 1, "EX", 1000)
    assert sum(len(keys) for keys in db.wheel.buckets.values()) == 1
