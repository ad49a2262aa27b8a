"""What Redis's format has no place for: settings of a stream and its groups, and what they keep.

AUX fields named `headwater-stream`, which Redis passes over, stand before the key: chunks of at
most about CHUNK_BYTES, each beginning with a byte that says of what. They are applied in this
order when the stream itself is complete.

    GROUP     text name | i64 last read | settings as streams/settings.py has them
    HELD, IN_FLIGHT  as lane_extras.py has them
    DEFERRED  text name | n times (u64 ms | u64 seq | i64 due): entries that nobody owns
    RETENTION as streams/retention.py has it
    SCHEDULE  u64 next handle
    SCHEDULED entries that are scheduled: records as streams/schedule.py has them, in their order
    SCHEMA    a version of its schema: u32 number | u8 compat | i64 set at | its text; oldest first

text: u32 bytes | bytes; numbers are little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from headwater.rdb.lane_extras import HELD, IN_FLIGHT, apply_lanes, lane_chunks
from headwater.schemas.versions import SchemaVersion, with_version
from headwater.streams.group import Group
from headwater.streams.ordering import load_lanes
from headwater.streams.retention import decode as decode_retention
from headwater.streams.schedule import Schedule
from headwater.streams.settings import decode
from headwater.streams.stream import Stream

STREAM_EXTRAS = b"headwater-stream"
CHUNK_BYTES = 16 * 1024

GROUP, DEFERRED = 1, 2
_DEFERRED_BYTES = 24
RETENTION = 5
SCHEDULE, SCHEDULED = 6, 7
SCHEMA = 8


def chunks(stream: Stream) -> Iterator[bytes]:
    """What is beside Redis's format in a stream, in pieces; it must stay as it is meanwhile."""
    for group in (stream.groups or {}).values():
        if group.redelivery is not None:
            yield (
                _head(GROUP, group.name)
                + struct.pack("<q", group.read_ms)
                + group.redelivery.settings.encode()
            )
            for kind, entries in lane_chunks(group):
                yield _head(kind, group.name) + entries
            for entries in _deferred(group):
                yield _head(DEFERRED, group.name) + entries
    if stream.retention is not None:
        yield bytes((RETENTION,)) + stream.retention.encode()
    schedule = stream.schedule
    if schedule is not None:
        yield struct.pack("<Bq", SCHEDULE, schedule.next_handle)
        for number in range(schedule.page_count()):
            yield bytes((SCHEDULED,)) + schedule.page_bytes(number)
    if stream.schema is not None:
        for number, compat, set_ms, text in stream.schema.describe():
            yield struct.pack("<BIBq", SCHEMA, number, compat, set_ms) + text


def apply_chunk(stream: Stream, chunk: bytes) -> None:
    """Give a stream what a chunk says; ValueError if that can not be."""
    try:
        if chunk[:1] == bytes((GROUP,)):
            group, pos = _group(stream, chunk)
            group.read_ms = struct.unpack_from("<q", chunk, pos)[0]
            settings = decode(chunk[pos + 8 :])
            group.configure(settings)
            if settings.order_by:
                load_lanes(stream, group)
        elif chunk[:1] in (bytes((HELD,)), bytes((IN_FLIGHT,))):
            group, pos = _group(stream, chunk)
            apply_lanes(stream, group, chunk[0], chunk[pos:])
        elif chunk[:1] == bytes((DEFERRED,)):
            _apply_deferred(stream, chunk)
        elif chunk[:1] == bytes((RETENTION,)):
            stream.retention = decode_retention(chunk[1:])
        elif chunk[:1] == bytes((SCHEDULE,)):
            stream.schedule = Schedule()
            (handle,) = struct.unpack("<xq", chunk)
            if handle < 1:
                raise ValueError(f"the next scheduled entry would be {handle}")
            stream.schedule.next_handle = handle
        elif chunk[:1] == bytes((SCHEDULED,)):
            if stream.schedule is None:
                raise ValueError("entries are scheduled where there is no schedule")
            stream.schedule.load_page(chunk[1:])
        elif chunk[:1] == bytes((SCHEMA,)):
            number, compat, set_ms = struct.unpack_from("<IBq", chunk, 1)
            version = SchemaVersion(number, compat, set_ms, chunk[14:])
            stream.schema = with_version(stream.schema, version)
        else:
            raise ValueError(f"a stream has something of kind {chunk[:1]!r} beside it")
    except struct.error as error:
        raise ValueError("what is beside a stream is cut short") from error


def _deferred(group: Group) -> Iterator[bytes]:
    """The entries of a group that are due at a time of their own, in pieces."""
    redelivery = group.redelivery
    assert redelivery is not None
    records = group.pending.records
    handle = group.pending.oldest if group.pending.nacked else 0
    found = bytearray()
    while handle and records.owner(handle) == 0:
        due_ms = redelivery.deferred_ms(handle)
        if due_ms:
            found += struct.pack("<QQq", records.ms(handle), records.seq(handle), due_ms)
            if len(found) >= CHUNK_BYTES:
                yield bytes(found)
                found.clear()
        handle = records.behind(handle)
    if found:
        yield bytes(found)


def _apply_deferred(stream: Stream, chunk: bytes) -> None:
    group, pos = _group(stream, chunk)
    redelivery = group.redelivery
    if redelivery is None or (len(chunk) - pos) % _DEFERRED_BYTES:
        raise ValueError("entries are to be due later, but not in a group with settings")
    records = group.pending.records
    for ms, seq, due_ms in struct.iter_unpack("<QQq", chunk[pos:]):
        handle = group.pending.find(ms, seq)
        if handle == 0 or records.owner(handle) != 0:
            raise ValueError(f"entry {ms}-{seq} is to be due later, but it is not given back")
        redelivery.released(handle, records.count(handle), due_ms)


def _head(kind: int, name: bytes) -> bytes:
    return struct.pack("<BI", kind, len(name)) + name


def _text(chunk: bytes, pos: int) -> tuple[bytes, int]:
    """The text at `pos`, and what is behind it."""
    (size,) = struct.unpack_from("<I", chunk, pos)
    if size > len(chunk) - pos - 4:
        raise ValueError("what is beside a stream is cut short")
    return chunk[pos + 4 : pos + 4 + size], pos + 4 + size


def _group(stream: Stream, chunk: bytes) -> tuple[Group, int]:
    """The group that a chunk is about, and where the rest of the chunk begins."""
    name, pos = _text(chunk, 1)
    group = (stream.groups or {}).get(name)
    if group is None:
        raise ValueError(f"there is no group {name[:64]!r}")
    return group, pos
