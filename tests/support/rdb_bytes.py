"""RDB bytes made by hand, apart from the program's own encoder: lengths, nodes, streams, files."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

MAX = 2**64 - 1

Id = tuple[int, int]
Entry = tuple[Id, list[tuple[bytes, bytes]], bool]
"""ID, fields and values, whether it is deleted."""


def _row(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ (0x95AC9329AC4BC9B5 if value & 1 else 0)
    return value


_ROWS = [_row(i) for i in range(256)]


def crc64(data: bytes) -> int:
    """Byte by byte."""
    value = 0
    for byte in data:
        value = value >> 8 ^ _ROWS[(value ^ byte) & 255]
    return value


def length(n: int) -> bytes:
    if n < 64:
        return bytes([n])
    if n < 16384:
        return bytes([64 | n >> 8, n & 255])
    if n < 2**32:
        return b"\x80" + n.to_bytes(4, "big")
    return b"\x81" + n.to_bytes(8, "big")


def string(data: bytes) -> bytes:
    return length(len(data)) + data


def raw_id(of: Id) -> bytes:
    return struct.pack(">QQ", *of)


def lengths_id(of: Id) -> bytes:
    return length(of[0]) + length(of[1])


# --- nodes ---


def element(content: bytes) -> bytes:
    """An element of a listpack with the size behind it."""
    n = len(content)
    if n <= 127:
        return content + bytes([n])
    groups = [n & 127]
    limit = 16383
    while n >= limit:
        groups.append(n >> 7 * len(groups) & 127)
        limit = {16383: 2097151, 2097151: 268435455}.get(limit, 2**62)
    groups.append(n >> 7 * len(groups))
    groups.reverse()
    return content + bytes([groups[0], *(group | 128 for group in groups[1:])])


def integer(value: int) -> bytes:
    """An integer in its smallest encoding."""
    if 0 <= value <= 127:
        return element(bytes([value]))
    if -4096 <= value < 4096:
        return element(bytes([0xC0 | (value & 8191) >> 8, value & 255]))
    for size, mark in ((2, 0xF1), (3, 0xF2), (4, 0xF3), (8, 0xF4)):
        if -(1 << 8 * size - 1) <= value < 1 << 8 * size - 1:
            return element(bytes([mark]) + value.to_bytes(size, "little", signed=True))
    raise ValueError(value)


def text(data: bytes) -> bytes:
    """A string, as an integer if it is one that comes out the same."""
    try:
        value = int(data)
        if b"%d" % value == data and -(2**63) <= value < 2**63:
            return integer(value)
    except ValueError:
        pass
    return plain(data)


def plain(data: bytes) -> bytes:
    """A string as a string."""
    n = len(data)
    if n < 64:
        return element(bytes([0x80 | n]) + data)
    if n < 4096:
        return element(bytes([0xE0 | n >> 8, n & 255]) + data)
    return element(b"\xf0" + struct.pack("<I", n) + data)


def listpack(elements: list[bytes], count: int | None = None) -> bytes:
    body = b"".join(elements)
    count = min(len(elements), 65535) if count is None else count
    return struct.pack("<IH", len(body) + 7, count) + body + b"\xff"


def signed(value: int) -> int:
    """A difference of unsigned numbers as 64 signed bits hold it."""
    value &= MAX
    return value - 2**64 if value >= 2**63 else value


def node_elements(entries: list[Entry], master: Id | None = None) -> list[bytes]:
    """The elements of a node: its fields are the first entry's."""
    ms, seq = master or entries[0][0]
    names = [name for name, _ in entries[0][1]]
    dead = sum(deleted for _, _, deleted in entries)
    found = [integer(len(entries) - dead), integer(dead), integer(len(names))]
    found += [*map(text, names), integer(0)]
    for (entry_ms, entry_seq), pairs, deleted in entries:
        same = [name for name, _ in pairs] == names
        found.append(integer(deleted + 2 * same))
        found += [integer(signed(entry_ms - ms)), integer(signed(entry_seq - seq))]
        if same:
            found += [text(value) for _, value in pairs]
            found.append(integer(len(pairs) + 3))
        else:
            found.append(integer(len(pairs)))
            found += [text(word) for pair in pairs for word in pair]
            found.append(integer(2 * len(pairs) + 4))
    return found


def node(entries: list[Entry], master: Id | None = None) -> bytes:
    """A node with its ID, as two strings."""
    packed = listpack(node_elements(entries, master))
    return string(raw_id(master or entries[0][0])) + string(packed)


# --- streams ---


@dataclass
class ConsumerBytes:
    name: bytes
    owned: list[Id] = field(default_factory=list)
    seen_ms: int = 1000
    active_ms: int = 2000


@dataclass
class GroupBytes:
    name: bytes
    last: Id = (0, 0)
    read: int = MAX
    pending: list[tuple[Id, int, int]] = field(default_factory=list)  # ID, time, count
    consumers: list[ConsumerBytes] = field(default_factory=list)
    nacked: list[Id] = field(default_factory=list)

    def encode(self, version: int) -> bytes:
        data = string(self.name) + lengths_id(self.last)
        if version >= 2:
            data += length(self.read)
        data += length(len(self.pending))
        for pending_id, time_ms, count in self.pending:
            data += raw_id(pending_id) + struct.pack("<q", time_ms) + length(count)
        data += length(len(self.consumers))
        for consumer in self.consumers:
            data += string(consumer.name) + struct.pack("<q", consumer.seen_ms)
            if version >= 3:
                data += struct.pack("<q", consumer.active_ms)
            data += length(len(consumer.owned)) + b"".join(map(raw_id, consumer.owned))
        if version >= 5:
            data += length(len(self.nacked)) + b"".join(map(raw_id, self.nacked))
        return data


@dataclass
class StreamBytes:
    nodes: list[bytes] = field(default_factory=list)
    length: int = 0
    last: Id = (0, 0)
    first: Id = (0, 0)
    max_deleted: Id = (0, 0)
    added: int = 0
    groups: list[GroupBytes] = field(default_factory=list)
    duration_s: int = 100
    maxsize: int = 100
    producers: list[tuple[bytes, list[tuple[bytes, Id]]]] = field(default_factory=list)
    iids_added: int = 0
    iids_duplicates: int = 0

    def encode(self, version: int) -> bytes:
        """The value as the type of this version (1 to 5) has it."""
        data = length(len(self.nodes)) + b"".join(self.nodes)
        data += length(self.length) + lengths_id(self.last)
        if version >= 2:
            data += lengths_id(self.first) + lengths_id(self.max_deleted) + length(self.added)
        data += length(len(self.groups))
        data += b"".join(group.encode(version) for group in self.groups)
        if version >= 4:
            data += length(self.duration_s) + length(self.maxsize) + length(len(self.producers))
            for name, iids in self.producers:
                data += string(name) + length(len(iids))
                for iid, entry_id in iids:
                    data += string(iid) + lengths_id(entry_id)
            data += length(self.iids_added) + length(self.iids_duplicates)
        return data


STREAM_TYPES = (15, 19, 21, 26, 27)


def stream_of(entries: list[Entry]) -> StreamBytes:
    """A stream of one node."""
    live = [entry_id for entry_id, _, deleted in entries if not deleted]
    last = entries[-1][0]
    return StreamBytes([node(entries)], len(live), last, live[0], (0, 0), len(entries))


def payload(kind: int, value: bytes, version: int = 11) -> bytes:
    """What DUMP would return."""
    data = bytes([kind]) + value + struct.pack("<H", version)
    return data + struct.pack("<Q", crc64(data))


def stream_payload(stream: StreamBytes, version: int) -> bytes:
    return payload(STREAM_TYPES[version - 1], stream.encode(version))


def file(body: bytes, version: int = 12, crc: bool = True) -> bytes:
    """A whole RDB file."""
    data = b"REDIS%04d" % version + body + b"\xff"
    if version < 5:
        return data
    return data + (struct.pack("<Q", crc64(data)) if crc else bytes(8))


def select(db: int) -> bytes:
    return b"\xfe" + length(db)


def key(kind: int, name: bytes, value: bytes) -> bytes:
    return bytes([kind]) + string(name) + value
