"""Strings: SET with its options, reading, setting several, changing in place."""

from __future__ import annotations

import pytest

from headwater.commands.strings import put_string, string_of
from headwater.commands.strings_options import digest
from headwater.keyspace.cut import Cut
from headwater.keyspace.notifications import GENERIC, OVERWRITTEN, STRING, TYPE_CHANGED
from headwater.keyspace.strings import GrownString
from headwater.resp.reply import Reply
from headwater.streams.stream import Stream
from support.disk import SimulatedDisk
from support.durable import DIRECTORY, DurableEngine, reopened
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
    assert client.ok("MGET", "a", "b") == [None, None]
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


def test_what_is_no_string(world: Embedded, client: Client) -> None:
    put_stream(world, b"st")
    for line in (
        "APPEND st x",
        "SETRANGE st 0 x",
        "STRLEN st",
        "GETRANGE st 0 1",
        "GETDEL st",
        "GETEX st EX x",
        "GETSET st x",
        "DIGEST st",
        "INCR st",
        "INCRBYFLOAT st x",
        "INCREX st",
    ):
        assert client.error(*line.split()) == WRONG_TYPE, line
    assert client.ok("SETNX", "st", 1) == 0
    assert client.ok("MSETNX", "new", 1, "st", 2) == 0
    assert client.ok("MGET", "st", "new") == [None, None]
    assert client.ok("MSET", "st", 1) == b"OK"


def test_encodings(client: Client) -> None:
    def encoding() -> str:
        found = client.ok("OBJECT", "ENCODING", "a").decode()
        client.ok("COPY", "a", "b", "REPLACE")
        assert client.ok("OBJECT", "ENCODING", "b").decode() == found
        return str(found)

    client.ok("APPEND", "a", 5)
    assert encoding() == "int"
    client.ok("APPEND", "a", 5)
    assert encoding() == "raw"
    client.ok("INCR", "a")
    assert (encoding(), client.ok("GET", "a")) == ("int", b"56")
    client.ok("SETRANGE", "a", 0, "")
    assert encoding() == "int"
    client.ok("SETRANGE", "a", 0, 7)
    assert encoding() == "raw"
    client.ok("INCRBYFLOAT", "a", 1)
    assert (encoding(), client.ok("GET", "a")) == ("embstr", b"77")
    client.ok("SET", "a", "x" * 45)
    assert encoding() == "raw"


@pytest.mark.parametrize("line", ["APPEND a x", "SETRANGE a 0 x", "INCR a", "INCRBYFLOAT a 1.5"])
def test_what_is_changed_expires_when_it_did(client: Client, line: str) -> None:
    client.ok("SET", "a", 10, "EX", 10)
    for _ in range(2):
        client.call(*line.split())
        assert client.ok("PTTL", "a") == 10_000


@pytest.mark.parametrize("line", ["SET a 1", "GETSET a 1", "MSET a 1"])
def test_what_is_set_does_not(client: Client, line: str) -> None:
    for begin in (["SET", "a", 10], ["APPEND", "a", "more"]):
        client.ok(*begin)
        client.ok("EXPIRE", "a", 10)
        client.ok(*line.split())
        assert client.ok("PTTL", "a") == -1


def test_a_string_grows(world: Embedded, client: Client) -> None:
    """Replies, copies and a snapshot show the bytes of their moment."""
    db = world.state.keyspace.databases[0]
    assert client.ok("SETRANGE", "a", 100_000, "end") == 100_003
    expected = bytearray(b"\0" * 100_000 + b"end")
    copies: list[tuple[bytes, bytes]] = []
    readers: list[tuple[Reply, bytes]] = []
    cut = Cut(world.state.keyspace)
    for step in range(60):
        data = b"%d," % step * (1 + step % 7)
        at = (step * 7919) % len(expected)
        if step % 3:
            assert client.ok("APPEND", "a", data) == len(expected) + len(data)
            expected += data
        else:
            expected[at : at + len(data)] = data
            assert client.ok("SETRANGE", "a", at, data) == len(expected)
        if step % 10 == 0:
            name = b"copy%d" % step
            client.ok("COPY", "a", name)
            copies.append((name, bytes(expected)))
            reply = Reply()
            value = string_of(db.values[b"a"])
            assert value is not None
            put_string(reply, value)
            readers.append((reply, bytes(expected)))
        if step == 30:
            client.ok("APPEND", "copy20", "mine")
            copies[2] = (b"copy20", copies[2][1] + b"mine")
    assert client.ok("GET", "a") == bytes(expected)
    assert client.ok("GETRANGE", "a", 5, 90_000) == bytes(expected[5:90_001])
    assert client.ok("GETRANGE", "a", -9, -2) == bytes(expected[-9:-1])
    for name, was in copies:
        assert client.ok("GET", name) == was
    for reply, was in readers:
        sent = bytearray()
        for part in reply.take_parts():
            if isinstance(part, bytes):
                sent += part
                continue
            while piece := part.read(1000):
                sent += piece
        assert sent == b"$%d\r\n%b\r\n" % (len(was), was)
    assert cut.advance()
    value = string_of(cut.value)
    assert value is not None
    assert value.content() == b"\0" * 100_000 + b"end"
    cut.close()


def test_changing_in_place_copies_nothing(world: Embedded, client: Client) -> None:
    db = world.state.keyspace.databases[0]
    client.ok("SET", "a", "x" * 1000)
    client.ok("APPEND", "a", "y")
    value = db.values[b"a"]
    assert isinstance(value, GrownString)
    buffer = value.buf
    for _ in range(100):
        client.ok("APPEND", "a", "more")
        client.ok("SETRANGE", "a", 3, "z")
        assert client.ok("GETRANGE", "a", 3, 4) == b"zx"
    assert db.values[b"a"] is value
    assert value.buf is buffer
    assert client.ok("MEMORY", "USAGE", "a") > 1401
    client.ok("COPY", "a", "b")
    client.ok("APPEND", "a", "seen by nobody")
    assert value.buf is buffer  # what is added is behind what the copy has
    client.ok("SETRANGE", "a", 0, "!")
    assert value.buf is not buffer


def test_a_string_can_be_too_long() -> None:
    client = Embedded(proto_max_bulk_len="2mb").main
    refusal = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
    size = 2 * 1024 * 1024
    assert client.ok("SETRANGE", "a", size - 1, "x") == size
    assert client.error("APPEND", "a", "x") == refusal
    assert client.error("SETRANGE", "a", size, "x") == refusal
    assert client.error("SETRANGE", "none", size, "x") == refusal
    assert client.error("SETRANGE", "none", MAX, "x") == refusal
    assert client.ok("SETRANGE", "none", MAX, "") == 0
    assert client.error("SETRANGE", "none", -1, "x") == "ERR offset is out of range"
    assert client.ok("EXISTS", "none") == 0


def test_getex(client: Client) -> None:
    assert client.ok("GETEX", "none", "EX", "x") is None
    client.ok("SET", "a", 1)
    assert client.ok("GETEX", "a", "EX", 10, "EX", 20) == b"1"
    assert client.ok("TTL", "a") == 20
    assert client.ok("GETEX", "a") == b"1"
    assert client.ok("TTL", "a") == 20
    assert client.ok("GETEX", "a", "PERSIST") == b"1"
    assert client.ok("TTL", "a") == -1
    assert client.error("GETEX", "a", "EX", 10, "PERSIST") == "ERR syntax error"
    assert client.error("GETEX", "a", "KEEPTTL") == "ERR syntax error"
    assert client.error("GETEX", "a", "PX", 0) == INVALID_TIME.replace("'set'", "'getex'")
    assert client.ok("GETEX", "a", "PXAT", 1) == b"1"
    assert client.ok("EXISTS", "a") == 0


def test_msetex(client: Client) -> None:
    assert client.ok("MSETEX", 2, "a", 1, "b", 2, "EX", 10) == 1
    assert client.ok("MGET", "a", "b") == [b"1", b"2"]
    assert client.ok("TTL", "b") == 10
    assert client.ok("MSETEX", 1, "a", 3, "keepttl", "xx") == 1
    assert client.ok("TTL", "a") == 10
    assert client.ok("MSETEX", 2, "c", 1, "b", 3, "NX") == 0
    assert client.ok("MSETEX", 2, "c", 1, "b", 3, "XX", "PX", 5) == 0
    assert client.ok("MGET", "b", "c") == [b"2", None]
    assert client.ok("MSETEX", 1, "b", 3) == 1
    assert client.ok("TTL", "b") == -1
    for number in ("0", "-1", "x", "2147483648"):
        assert client.error("MSETEX", number, "a", 1, "EX", 1) == "ERR invalid numkeys value"
    for number in ("2", "2147483647"):
        text = "ERR wrong number of key-value pairs"
        assert client.error("MSETEX", number, "a", 1, "b") == text
    for words in (["NX", "XX"], ["EX", 1, "PX", 1], ["KEEPTTL", "EX", 1], ["EX"], ["GET"], ["no"]):
        assert client.error("MSETEX", 1, "a", 1, *words) == "ERR syntax error"
    assert client.error("MSETEX", 1, "a", 1, "EX", 0) == INVALID_TIME.replace("'set'", "'msetex'")


def test_delex(world: Embedded, client: Client) -> None:
    assert client.ok("DELEX", "none", "NOPE", "x") == 0
    assert client.error("DELEX", "none", "IFEQ").endswith("arguments for 'delex' command")
    client.ok("SET", "a", "hello")
    assert client.ok("DELEX", "a", "IFEQ", "other") == 0
    assert client.ok("DELEX", "a", "IFNE", "hello") == 0
    assert client.ok("DELEX", "a", "IFDEQ", "z" * 16) == 0
    assert client.ok("DELEX", "a", "ifdne", digest(b"hello").upper()) == 0
    assert client.error("DELEX", "a", "IFDEQ", "0") == (
        "ERR must be exactly 16 hexadecimal characters"
    )
    for word in ("NX", "NOPE"):
        assert client.error("DELEX", "a", word, "x") == (
            "ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE"
        )
    assert client.ok("DELEX", "a", "IFDEQ", digest(b"hello")) == 1
    put_stream(world, b"st")
    assert client.error("DELEX", "st", "NOPE", "x") == (
        "ERR Key should be of string type if conditions are specified"
    )
    assert client.ok("DELEX", "st") == 1
    assert client.ok("DBSIZE") == 0


def test_digest(client: Client) -> None:
    assert client.ok("DIGEST", "none") is None
    for data, known in ((b"hello", b"9555e8555c62dcfd"), (b"v8", b"0cc76dbb41381419")):
        client.ok("SET", "a", data)
        assert client.ok("DIGEST", "a") == known
    client.ok("SETRANGE", "a", 0, "v8")
    assert client.ok("DIGEST", "a") == known


@pytest.mark.parametrize(
    "line",
    [
        "SET a 2",
        "SET a 2 EXAT 1",
        "APPEND a x",
        "SETRANGE a 0 x",
        "INCR a",
        "INCRBYFLOAT a 1",
        "INCREX a",
        "GETSET a 2",
        "GETDEL a",
        "GETEX a EX 10",
        "MSET a 2",
        "MSETEX 1 a 2",
        "DELEX a IFEQ 1",
        "LCS a a",
        "GET a",
        "GETEX a",
        "SETNX a 2",
        "DELEX a IFEQ 2",
        "INCREX a UBOUND 0",
        "SETRANGE a 9 ",
    ],
)
def test_watchers_and_counts_of_changes(world: Embedded, client: Client, line: str) -> None:
    """All but the last seven change the key."""
    other = world.connect()
    client.ok("SET", "a", 1)
    client.ok("WATCH", "a")
    dirty = world.state.keyspace.dirty
    other.ok(*line.split(" "))
    changed = world.state.keyspace.dirty > dirty
    client.ok("MULTI")
    client.ok("PING")
    assert (client.ok("EXEC") is None) == changed
    unchanging = ("LCS", "GET ", "SETNX", "DELEX a IFEQ 2", "INCREX a U", "SETRANGE a 9")
    assert changed == (line != "GETEX a" and not line.startswith(unchanging))


@pytest.mark.parametrize(
    ("line", "events"),
    [
        ("SET new 1", "set"),
        ("SET a 1 EX 10", "overwritten set expire"),
        ("SET a 1 KEEPTTL", "overwritten set"),
        ("SET st 1", "overwritten type_changed set"),
        ("SETNX new 1", "set"),
        ("SETEX a 10 1", "overwritten set expire"),
        ("GETSET a 1", "overwritten set"),
        ("MSET a 1 new 2", "overwritten set set"),
        ("MSETEX 1 new 1 EX 5", "set expire"),
        ("APPEND a 1", "append"),
        ("APPEND new 1", "append"),
        ("SETRANGE a 0 x", "setrange"),
        ("INCR a", "incrby"),
        ("DECRBY new 3", "incrby"),
        ("INCRBYFLOAT a 1", "incrbyfloat"),
        ("INCREX a BYFLOAT 0.5 EX 10", "incrbyfloat expire"),
        ("INCREX ttl PERSIST", "incrby persist"),
        ("INCREX ttl EX 5 ENX", "incrby"),
        ("INCREX a EXAT 1", "del"),
        ("INCREX new EXAT 1", ""),
        ("GETDEL a", "del"),
        ("DELEX a", "del"),
        ("GETEX a EX 10", "expire"),
        ("GETEX ttl PERSIST", "persist"),
        ("GETEX a PERSIST", ""),
        ("GETEX a EXAT 1", "del"),
        ("SETNX a 1", ""),
        ("INCREX a UBOUND 0", ""),
    ],
)
def test_events(world: Embedded, client: Client, line: str, events: str) -> None:
    put_stream(world, b"st")
    client.ok("MSET", "a", 1, "ttl", 1)
    client.ok("EXPIRE", "ttl", 100)
    heard: list[str] = []

    def hear(event_class: int, event: bytes, key: bytes, db: int) -> None:
        assert db == 0
        heard.append(event.decode())

    keyspace = world.state.keyspace
    keyspace.notifier = hear
    keyspace.notify_classes = GENERIC | STRING | OVERWRITTEN | TYPE_CHANGED
    client.call(*line.split())
    assert heard == events.split()


def test_strings_live_through_a_restart() -> None:
    disk = SimulatedDisk(DIRECTORY)
    store = DurableEngine(disk, appendonly="yes")
    store.ok("SET", "a", "x" * 100, "EX", 100)
    store.ok("APPEND", "a", "more")
    store.ok("SETRANGE", "a", 2, "!")
    store.ok("SETRANGE", "b", 10, "far")
    store.ok("INCREX", "n", "BYFLOAT", "1.5", "EX", 100)
    store.ok("MSETEX", 1, "m", 1, "EX", 50)
    store.ok("GETEX", "m", "PERSIST")
    store.settle()
    store.stop()
    again = reopened(disk, store, appendonly="yes")
    assert again.digest() == store.digest()
    assert again.ok("GETRANGE", "a", 98, -1) == b"xxmore"
    assert again.ok("GET", "b") == b"\0" * 10 + b"far"
    assert again.ok("TTL", "m") == -1
    assert again.ok("APPEND", "b", "ther") == 17
