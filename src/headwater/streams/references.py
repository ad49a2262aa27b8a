"""What the groups of a stream hold of one entry: for DELREF, ACKED and the like."""

from __future__ import annotations

from headwater.streams.stream import Stream


def is_acknowledged(stream: Stream, ms: int, seq: int) -> bool:
    """Tell whether every group was delivered an ID and none has it pending.

    True without any group, as Redis 8.10.
    """
    if stream.groups is None:
        return True
    for group in stream.groups.values():
        if group.last_ms < ms or (group.last_ms == ms and group.last_seq < seq):
            return False
        if group.pending.find(ms, seq) != 0:
            return False
        redelivery = group.redelivery
        if (
            redelivery is not None
            and redelivery.lanes is not None
            and redelivery.lanes.is_held(ms, seq)
        ):
            return False
    return True


def drop_references(stream: Stream, ms: int, seq: int) -> int:
    """Remove an ID from the pending entries of every group; return how many had it."""
    dropped = 0
    if stream.groups is not None:
        for group in stream.groups.values():
            if group.pending.acknowledge(ms, seq):
                dropped += 1
        if dropped != 0 and stream.ordered and stream.plan is not None:
            # The next entry of its value may be ready now, and somebody wait for it.
            stream.plan.sooner(0)
    return dropped
