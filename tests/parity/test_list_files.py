"""Lists in RDB: what redis-server writes is read, what is written redis-server reads."""

from __future__ import annotations

import random
import struct

import pytest

from headwater.lists.list import List
from headwater.lists.run import Pieces
from headwater.rdb.crc64 import crc64
from headwater.rdb.encoder import dump_payload
from headwater.rdb.list_decoder import ListDecoder
from headwater.rdb.loader import load_payload
from headwater.rdb.source import RdbError, payload_source
from support.servers import Server
from support.wire import Connection

FILLS = (-2, -1, -5, 3, 0, 128)


def texts(rng: random.Random) -> list[bytes]:
    """Items of all sizes and kinds that are stored in different ways."""
    numbers = (
        0,
        12,
        13,
        127,
        128,
        -1,
        -4097,
        32768,
        -(1 << 23),
        1 << 31,
        -(1 << 63),
        (1 << 63) - 1,
    )
    found = [b"%d" % number for number in numbers]
    found += [rng.randbytes(n) for n in (0, 1, 63, 64, 300, 4095, 4096, 8180, 8200, 70_000)]
    found += [b"a" * 9000, b"01", b"+5", b" 1"]
    found += [b"item %d" % rng.randrange(10**6) for _ in range(rng.choice((0, 5, 900)))]
    rng.shuffle(found)
    return found[: rng.choice((1, 3, 30, 2000))]


def items(value: List) -> bytes:
    pieces = Pieces(value.run(0, value.length), False)
    found = b""
    while piece := pieces.read(100_000):
        found += piece
    return found


def bulks(some: list[bytes]) -> bytes:
    return b"".join(b"$%d\r\n%s\r\n" % (len(text), text) for text in some)


def payload_of(kind: int, body: bytes) -> bytes:
    data = bytearray(bytes([kind]) + body + struct.pack("<H", 6))
    return bytes(data) + struct.pack("<Q", crc64(data, 0, len(data), 0))


@pytest.fixture
def theirs(reference: Server) -> Connection:
    connection = reference.connect()
    connection.ok("FLUSHALL")
    return connection


@pytest.mark.parametrize("seed", range(6))
def test_payloads_go_both_ways(theirs: Connection, seed: int) -> None:
    rng = random.Random(seed)
    theirs.ok("CONFIG", "SET", "list-max-listpack-size", FILLS[seed])
    theirs.ok("CONFIG", "SET", "list-compress-depth", seed % 3)
    try:
        for _ in range(4):
            some = texts(rng)
            theirs.ok("DEL", "l")
            for start in range(0, len(some), 100):
                theirs.ok("RPUSH", "l", *some[start : start + 100])
            value = load_payload(theirs.ok("DUMP", "l"))
            assert isinstance(value, List)
            value.settle(FILLS[seed])
            assert value.length == len(some)
            assert items(value) == bulks(some)
            assert value.encoding() == theirs.ok("OBJECT", "ENCODING", "l")
            for compress in (True, False):
                theirs.ok("RESTORE", "back", 0, dump_payload(value, compress), "REPLACE")
                assert theirs.ok("LRANGE", "back", 0, -1) == some
    finally:
        theirs.ok("CONFIG", "SET", "list-max-listpack-size", -2)
        theirs.ok("CONFIG", "SET", "list-compress-depth", 0)


def test_nodes_of_their_own_however_small(theirs: Connection) -> None:
    """DEBUG can make redis-server give small items a node of their own."""
    theirs.ok("DEBUG", "QUICKLIST-PACKED-THRESHOLD", "5b")
    try:
        some = [b"%d" % i if i % 3 else b"text %d" % i * 9 for i in range(3000)]
        theirs.ok("RPUSH", "l", *some)
        theirs.ok("RPUSH", "l", b"1234567", b"a" * 100)
        payload = theirs.ok("DUMP", "l")
    finally:
        theirs.ok("DEBUG", "QUICKLIST-PACKED-THRESHOLD", "0")
    value = load_payload(payload)
    assert isinstance(value, List)
    assert items(value) == bulks([*some, b"1234567", b"a" * 100])


# --- older versions, which the reference reads as well ---


def string(data: bytes) -> bytes:
    n = len(data)
    if n < 64:
        return bytes([n]) + data
    return bytes([0x40 | n >> 8, n & 255]) + data


def ziplist(entries: list[tuple[bytes, bytes]]) -> bytes:
    """Entries as (head, content)."""
    body = b""
    before = last = 0
    for head, content in entries:
        last = len(body)
        size_before = bytes([before]) if before < 254 else b"\xfe" + struct.pack("<I", before)
        entry = size_before + head + content
        body += entry
        before = len(entry)
    return struct.pack("<IIH", 11 + len(body), 10 + last, len(entries)) + body + b"\xff"


ENTRIES: list[tuple[bytes, bytes, bytes]] = [
    (b"\x03", b"abc", b"abc"),
    (b"\x00", b"", b""),
    (b"\x40\x50", b"d" * 80, b"d" * 80),
    (b"\x80\x00\x00\x01\x2c", b"e" * 300, b"e" * 300),
    (b"\xf1", b"", b"0"),
    (b"\xfd", b"", b"12"),
    (b"\xfe", b"\x80", b"-128"),
    (b"\xc0", struct.pack("<h", -32768), b"-32768"),
    (b"\xf0", b"\xff\xff\x7f", b"8388607"),
    (b"\xf0", b"\x00\x00\x80", b"-8388608"),
    (b"\xd0", struct.pack("<i", -(1 << 31)), b"-2147483648"),
    (b"\xe0", struct.pack("<q", (1 << 63) - 1), b"9223372036854775807"),
    (b"\xe0", struct.pack("<q", -(1 << 63)), b"-9223372036854775808"),
]
ZIPLIST = ziplist([entry[:2] for entry in ENTRIES])
TEXTS = [entry[2] for entry in ENTRIES]
OLD = {
    "items": (1, b"\x03" + string(b"a") + b"\xc0\x05" + string(b""), [b"a", b"5", b""]),
    "ziplist": (10, string(ZIPLIST), TEXTS),
    "quicklist": (14, b"\x02" + string(ZIPLIST) + string(ziplist([(b"\x01", b"z")])),
                  [*TEXTS, b"z"]),
}  # fmt: skip


@pytest.mark.parametrize("name", OLD)
def test_older_layouts(theirs: Connection, name: str) -> None:
    kind, body, expected = OLD[name]
    payload = payload_of(kind, body)
    theirs.ok("RESTORE", "l", 0, payload)
    assert theirs.ok("LRANGE", "l", 0, -1) == expected
    value = load_payload(payload)
    assert isinstance(value, List)
    assert items(value) == bulks(expected)


@pytest.mark.parametrize("kind", [1, 10, 14, 18])
def test_what_is_broken_is_told_as_such(theirs: Connection, kind: int) -> None:
    """Every byte changed, and cut off everywhere; what comes through is a list."""
    rng = random.Random(kind)
    if kind == 18:
        theirs.ok("CONFIG", "SET", "rdbcompression", "no")
        theirs.ok("RPUSH", "l", *TEXTS, b"x" * 200, b"y" * 9000, b"5")
        body = theirs.ok("DUMP", "l")[1:-10]
        theirs.ok("CONFIG", "SET", "rdbcompression", "yes")
    else:
        body = next(row[1] for row in OLD.values() if row[0] == kind)
    refused = 0
    for at in range(min(len(body), 700)):
        for changed in (
            body[:at],
            body[:at] + bytes([body[at] ^ 1 << rng.randrange(8)]) + body[at + 1 :],
        ):
            source = payload_source(bytearray(changed), 0, len(changed))
            try:
                decoder = ListDecoder(source, kind)
                assert decoder.step(1 << 62)
            except RdbError:
                refused += 1
                continue
            if decoder.list.length:
                assert items(decoder.list)
    assert refused > 20 or kind == 1


def test_an_empty_list_is_no_value() -> None:
    for kind, body in (
        (1, b"\0"),
        (14, b"\0"),
        (18, b"\0"),
        (18, b"\x01\x02\x07\x07\0\0\0\0\0\xff"),
    ):
        with pytest.raises(RdbError):
            load_payload(payload_of(kind, body))
