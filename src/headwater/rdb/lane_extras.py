"""What ORDERBY keeps of a group, as chunks of stream_extras.py: entries with their value's digest.

    HELD       text name | n times (u64 ms | u64 seq | u64 digest, 0: it waits for nobody)
    IN_FLIGHT  text name | n times (u64 ms | u64 seq | u64 digest)

Both by ID. The digests are those of streams/digests.py; the data of what is in flight may be
deleted, so they can not always be computed again.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from headwater.streams.group import Group
from headwater.streams.ids import next_id
from headwater.streams.ordering import load_lanes
from headwater.streams.stream import Stream

HELD, IN_FLIGHT = 3, 4
ENTRIES_PER_CHUNK = 640
_ENTRY = struct.Struct("<QQQ")


def lane_chunks(group: Group) -> Iterator[tuple[int, bytes]]:
    """What a group holds and has in flight: the kind of a chunk, and what is behind the name."""
    if group.redelivery is None or group.redelivery.lanes is None:
        return
    lanes = group.redelivery.lanes
    more, ms, seq = lanes.held_count != 0, 0, 0
    while more:
        held = lanes.held_from(ms, seq, ENTRIES_PER_CHUNK)
        if not held:
            break
        yield HELD, b"".join(_ENTRY.pack(*entry) for entry in held)
        more, ms, seq = next_id(held[-1][0], held[-1][1])
    pending = group.pending
    more, ms, seq = True, 0, 0
    while more:
        handles = pending.handles_from(ms, seq, ENTRIES_PER_CHUNK)
        if not handles:
            break
        flying = []
        for handle in handles:
            ms, seq = pending.records.ms(handle), pending.records.seq(handle)
            value = lanes.value_of(handle)
            if value:
                flying.append(_ENTRY.pack(ms, seq, value))
        if flying:
            yield IN_FLIGHT, b"".join(flying)
        more, ms, seq = next_id(ms, seq)


def apply_lanes(stream: Stream, group: Group, kind: int, entries: bytes) -> None:
    """Give a group what a chunk says; ValueError if that can not be."""
    if len(entries) % _ENTRY.size:
        raise ValueError("what is beside a stream is cut short")
    lanes = load_lanes(stream, group)
    pending = group.pending
    for ms, seq, value in _ENTRY.iter_unpack(entries):
        if kind == HELD:
            lanes.hold(ms, seq, value)
            continue
        handle = pending.find(ms, seq)
        if handle == 0 or value == 0 or lanes.lane_of(handle) != 0:
            raise ValueError(f"entry {ms}-{seq} is in flight, but not pending")
        lanes.enter(handle, value)
