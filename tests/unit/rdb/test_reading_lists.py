"""Lists out of RDB: what Redis wrote is read, and what is damaged is refused with words."""

from __future__ import annotations

import random
import struct

import pytest

from headwater.commands.digest import value_digest
from headwater.lists.list import List
from headwater.rdb.encoder import dump_payload
from headwater.rdb.loader import load_payload
from headwater.rdb.source import RdbError
from headwater.resp.reply import Reply
from support import rdb_bytes as made
from support.embedded import replies_of

TEXTS = [b"", b"a", b"7", b"-1", b"4096", b"-70000", b"9223372036854775807", b"x" * 70, b"y" * 5000]


def list_of(texts: list[bytes], fill: int = -2) -> List:
    value = List()
    for text in texts:
        value.expect(fill, len(text), 1)
        value.push(bytearray(text), 0, len(text), False)
    return value


def ziplist(*entries: bytes) -> bytes:
    """A ziplist of entries that begin with their encoding."""
    body = b""
    before = last = 0
    for entry in entries:
        last = len(body)
        head = bytes([before]) if before < 254 else b"\xfe" + struct.pack("<I", before)
        body += head + entry
        before = len(head + entry)
    return struct.pack("<IIH", 11 + len(body), 10 + last, len(entries)) + body + b"\xff"


ENTRIES = (
    b"\x03abc",
    b"\x41\x00" + b"l" * 256,
    b"\x80\x00\x00\x00\x02hi",
    b"\xc0\xd2\x04",
    b"\xd0" + struct.pack("<i", -7),
    b"\xe0" + struct.pack("<q", -(1 << 63)),
    b"\xf0\xff\xff\xff",
    b"\xfe\x80",
    b"\xf1",
    b"\xfd",
)
READ = [
    b"abc",
    b"l" * 256,
    b"hi",
    b"1234",
    b"-7",
    b"-9223372036854775808",
    b"-1",
    b"-128",
    b"0",
    b"12",
]
PAYLOADS = {
    "items": made.payload(1, b"\x02\x01a\xc0\x07"),
    "ziplist": made.payload(10, made.string(ziplist(*ENTRIES))),
    "quicklist": made.payload(
        14, b"\x02" + made.string(ziplist(*ENTRIES)) + made.string(ziplist(b"\x01z"))
    ),
    "listpack": dump_payload(list_of(TEXTS[:8]), False),
    "nodes": dump_payload(list_of(TEXTS * 20), False),
    "large": dump_payload(list_of([b"z" * 9000, b"a", b"z" * 20000]), False),
}


def texts_of(payload: bytes) -> list[bytes]:
    value = load_payload(payload)
    assert isinstance(value, List)
    run = value.run(0, value.length)
    reply = Reply()
    run.write(reply, False)
    return [text for _, text in replies_of(bytes(reply.buf[: reply.pos]))]


def test_what_redis_wrote_is_read() -> None:
    assert texts_of(PAYLOADS["items"]) == [b"a", b"7"]
    assert texts_of(PAYLOADS["ziplist"]) == READ
    assert texts_of(PAYLOADS["quicklist"]) == [*READ, b"z"]
    assert texts_of(PAYLOADS["nodes"]) == TEXTS * 20


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_damaged_list_is_refused_or_whole(name: str) -> None:
    """Bytes are changed and the checksum made right: no reader goes beyond its buffer."""
    rng = random.Random(name)
    body = PAYLOADS[name][1:-10]
    refused = 0
    rounds = 400 if len(body) < 2000 else 40
    for _ in range(rounds):
        damaged = bytearray(body)
        for _ in range(rng.choice([1, 1, 2, 5])):
            at = rng.randrange(min(len(damaged), rng.choice([20, 600, 1 << 20])))
            damaged[at] = rng.choice([0, 1, 0x7F, 0x80, 0xC1, 0xF0, 0xFE, 0xFF, rng.randrange(256)])
        if rng.random() < 0.1:
            del damaged[rng.randrange(len(damaged)) :]
        try:
            value = load_payload(made.payload(PAYLOADS[name][0], bytes(damaged)))
        except RdbError:
            refused += 1
        else:
            assert isinstance(value, List)
            again = load_payload(dump_payload(value, False))
            assert value_digest(again, 0) == value_digest(value, 0)
    assert refused
