"""RESTORE: what it makes, what it replaces, and each of its errors."""

from __future__ import annotations

import pytest

from headwater.rdb.loader import load_payload
from support import rdb_bytes as made
from support.embedded import NOW_MS, Client, Embedded


@pytest.fixture
def embedded() -> Embedded:
    return Embedded()


@pytest.fixture
def client(embedded: Embedded) -> Client:
    return embedded.main


STRING = made.payload(0, made.string(b"value"))
STREAM = made.stream_payload(made.stream_of([((1, 1), [(b"f", b"v")], False)]), 3)
BROKEN_CRC = STRING[:-1] + bytes([STRING[len(STRING) - 1] ^ 1])


def test_it_makes_keys(client: Client) -> None:
    assert client.ok("RESTORE", "k", 0, STRING) == b"OK"
    assert client.ok("GET", "k") == b"value"
    assert client.ok("TTL", "k") == -1
    assert client.ok("RESTORE", "s", 5000, STREAM) == b"OK"
    assert client.ok("XRANGE", "s", "-", "+") == [[b"1-1", [b"f", b"v"]]]
    assert client.ok("PTTL", "s") == 5000
    assert client.ok("XADD", "s", "1-2", "f", "w") == b"1-2"


def test_what_dump_returns_is_the_same_again(client: Client) -> None:
    client.ok("XADD", "s", "5-1", "a", "1", "b", "2")
    client.ok("XGROUP", "CREATE", "s", "g", "0")
    client.ok("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">")
    client.ok("RESTORE", "t", 0, client.ok("DUMP", "s"))
    assert client.ok("XINFO", "STREAM", "t", "FULL") == client.ok("XINFO", "STREAM", "s", "FULL")
    assert client.ok("DUMP", "t") == client.ok("DUMP", "s")


def test_a_key_that_is_there_is_replaced_when_asked(client: Client) -> None:
    client.ok("SET", "k", "old", "EX", 100)
    assert client.error("RESTORE", "k", 0, STRING).startswith("BUSYKEY")
    assert client.ok("GET", "k") == b"old"
    client.ok("RESTORE", "k", 0, STRING, "replace")
    assert client.ok("GET", "k") == b"value"
    assert client.ok("TTL", "k") == -1
    client.ok("RESTORE", "k", 0, STREAM, "REPLACE")
    assert client.ok("TYPE", "k") == b"stream"


def test_times(client: Client, embedded: Embedded) -> None:
    client.ok("RESTORE", "k", NOW_MS + 700, STRING, "ABSTTL")
    assert client.ok("PEXPIRETIME", "k") == NOW_MS + 700
    embedded.pass_ms(700)
    assert client.ok("EXISTS", "k") == 0
    client.ok("RESTORE", "k", 0, STRING, "ABSTTL")
    assert client.ok("TTL", "k") == -1


@pytest.mark.parametrize("words", [("1", "ABSTTL"), (f"{NOW_MS}", "ABSTTL"), (f"{2**63 - 1}",)])
def test_a_time_that_has_passed_makes_no_key(client: Client, words: tuple[str, ...]) -> None:
    """Also one that 64 bits do not hold, as Redis counts."""
    client.ok("SET", "k", "old")
    ttl, *options = words
    assert client.ok("RESTORE", "k", ttl, STRING, "REPLACE", *options) == b"OK"
    assert client.ok("EXISTS", "k") == 0
    assert client.ok("RESTORE", "new", ttl, STRING, *options) == b"OK"
    assert client.ok("EXISTS", "new") == 0


def test_use_of_keys(client: Client) -> None:
    client.ok("RESTORE", "k", 0, STRING, "IDLETIME", 100)
    assert client.ok("OBJECT", "IDLETIME", "k") == 100
    client.ok("RESTORE", "k", 0, STRING, "REPLACE", "IDLETIME", 2**63 - 1)
    assert client.ok("OBJECT", "IDLETIME", "k") == 16777214
    client.ok("RESTORE", "k", 0, STRING, "REPLACE", "FREQ", 255)
    assert client.ok("OBJECT", "IDLETIME", "k") == 0


ERRORS: list[tuple[tuple[object, ...], str]] = [
    (("new", 0, STRING, "NONSENSE"), "ERR syntax error"),
    (("new", 0, STRING, "IDLETIME"), "ERR syntax error"),
    (("new", 0, STRING, "FREQ"), "ERR syntax error"),
    (("new", 0, STRING, "IDLETIME", 1, "FREQ", 1), "ERR syntax error"),
    (("new", 0, STRING, "FREQ", 1, "IDLETIME", 1), "ERR syntax error"),
    (("k", "x", STRING, "NONSENSE"), "ERR syntax error"),
    (("k", "x", BROKEN_CRC), "BUSYKEY Target key name already exists."),
    (("k", "x", BROKEN_CRC, "REPLACE"), "ERR value is not an integer or out of range"),
    (("new", -1, BROKEN_CRC), "ERR Invalid TTL value, must be >= 0"),
    (("new", 0, STRING, "IDLETIME", -1), "ERR Invalid IDLETIME value, must be >= 0"),
    (("new", 0, STRING, "IDLETIME", "x"), "ERR value is not an integer or out of range"),
    (("new", 0, STRING, "FREQ", -1), "ERR Invalid FREQ value, must be >= 0 and <= 255"),
    (("new", 0, STRING, "FREQ", 256), "ERR Invalid FREQ value, must be >= 0 and <= 255"),
    (("new", 0, BROKEN_CRC), "ERR DUMP payload version or checksum are wrong"),
    (("new", 0, b""), "ERR DUMP payload version or checksum are wrong"),
    (("new", 0, bytes(9)), "ERR DUMP payload version or checksum are wrong"),
    (("new", 0, STRING[:-8] + bytes(8)), "ERR DUMP payload version or checksum are wrong"),
    (("new", 0, made.payload(0, b"\x01a", 17)), "ERR DUMP payload version or checksum are wrong"),
    (("new", 0, made.payload(0, b"\x02a")), "ERR Bad data format"),
    (("new", 0, made.payload(21, b"")), "ERR Bad data format"),
    (("new", 0, made.payload(1, b"\x02\x01a")), "ERR Bad data format"),
    (("new", 0, made.payload(1, b"\x00")), "ERR Bad data format"),
    (("new", 0, made.payload(2, b"\x01\x01a")), "ERR Bad data format"),
    (("new", 0, made.payload(99, b"\x01a")), "ERR Bad data format"),
    (("new", 0, STREAM[10:]), "ERR DUMP payload version or checksum are wrong"),
]


@pytest.mark.parametrize(("words", "text"), ERRORS)
def test_errors(client: Client, words: tuple[str | bytes | int, ...], text: str) -> None:
    client.ok("SET", "k", "old")
    assert client.error("RESTORE", *words) == text
    assert client.ok("GET", "k") == b"old"
    assert client.ok("DBSIZE") == 1


def test_metadata_of_modules_before_the_value_is_passed_over() -> None:
    value = load_payload(made.payload(243, b"\x01abcd\x01\x05\x00\x00\x03abc", 14))
    assert value.type_name() == b"string"


def test_it_wakes_who_waits_and_is_seen_by_who_watches(client: Client, embedded: Embedded) -> None:
    reader = embedded.connect()
    reader.send("XREAD", "BLOCK", 0, "STREAMS", "s", "0")
    watcher = embedded.connect()
    watcher.ok("WATCH", "s")
    client.ok("RESTORE", "s", 0, STREAM)
    assert len(reader.read_all()) == 1
    watcher.ok("MULTI")
    watcher.ok("PING")
    assert watcher.ok("EXEC") is None


def test_what_the_keyspace_must_know_of_its_streams(client: Client, embedded: Embedded) -> None:
    keyspace = embedded.state.keyspace
    client.ok("RESTORE", "plain", 0, STREAM)
    assert (keyspace.has_idmp, keyspace.has_nacked) == (False, False)
    stream = made.stream_of([((1, 1), [(b"f", b"v")], False)])
    stream.producers = [(b"p", [(b"i", (1, 1))])]
    client.ok("RESTORE", "idmp", 0, made.stream_payload(stream, 4))
    assert (keyspace.has_idmp, keyspace.has_nacked) == (True, False)
    stream.groups = [made.GroupBytes(b"g", pending=[((1, 1), 0, 1)], nacked=[(1, 1)])]
    client.ok("RESTORE", "nacked", 0, made.stream_payload(stream, 5))
    assert (keyspace.has_idmp, keyspace.has_nacked) == (True, True)
