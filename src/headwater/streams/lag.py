"""How far a group is in its stream: the entries-read counter and the lag, as Redis 8.10.

A group counts what it reads. The count is exact as long as no entry at or behind the
last-delivered ID was deleted from the middle; otherwise it is derived from the stream's own
counter where that is possible, and is UNKNOWN where it is not.
"""

from __future__ import annotations

from headwater.streams.group import UNKNOWN, Group
from headwater.streams.ids import compare
from headwater.streams.stream import Stream


def has_deleted_from(stream: Stream, ms: int, seq: int) -> bool:
    """Tell whether an entry at or above an ID may have been deleted from between others."""
    deleted_ms, deleted_seq = stream.max_deleted_ms, stream.max_deleted_seq
    if stream.length == 0 or (deleted_ms == 0 and deleted_seq == 0):
        return False
    first_ms, first_seq = stream.first_id()
    if compare(first_ms, first_seq, deleted_ms, deleted_seq) > 0:
        return False
    return compare(ms, seq, deleted_ms, deleted_seq) <= 0


def entries_read_at(stream: Stream, ms: int, seq: int) -> int:
    """Return how many entries were ever added up to an ID (inclusive), or UNKNOWN."""
    added = stream.entries_added
    if added == 0:
        return 0
    behind_last = compare(ms, seq, stream.last_ms, stream.last_seq)
    if stream.length == 0 and behind_last <= 0:
        return added
    deleted_ms, deleted_seq = stream.max_deleted_ms, stream.max_deleted_seq
    if (ms != 0 or seq != 0) and compare(ms, seq, deleted_ms, deleted_seq) < 0:
        return UNKNOWN
    if behind_last == 0:
        return added
    if behind_last > 0:
        return UNKNOWN
    first_ms, first_seq = stream.first_id()
    if (deleted_ms != 0 or deleted_seq != 0) and compare(
        deleted_ms, deleted_seq, first_ms, first_seq
    ) >= 0:
        return UNKNOWN
    behind_first = compare(ms, seq, first_ms, first_seq)
    if behind_first < 0:
        return added - stream.length
    if behind_first == 0:
        return added - stream.length + 1
    return UNKNOWN


def counts_on(stream: Stream, group: Group) -> bool:
    """Tell whether the next entry that the group reads is the next one that was added.

    Once true it stays true while the group reads on.
    """
    if group.entries_read == UNKNOWN:
        return False
    first_ms, first_seq = stream.first_id()
    first_is_read = compare(group.last_ms, group.last_seq, first_ms, first_seq) >= 0
    return counts_on_behind(stream, group, first_is_read)


def counts_on_behind(stream: Stream, group: Group, first_is_read: bool) -> bool:
    """As `counts_on`, of who knows whether the group has read the stream's first entry."""
    if group.entries_read == UNKNOWN or not first_is_read:
        return False
    return not has_deleted_from(stream, group.last_ms, group.last_seq)


def set_entries_added(stream: Stream, entries_added: int) -> None:
    """Set the stream's counter; no group has read more than was added."""
    stream.entries_added = entries_added
    if stream.groups is None:
        return
    for group in stream.groups.values():
        if group.entries_read != UNKNOWN and group.entries_read > entries_added:
            group.entries_read = entries_added


def lag_of(stream: Stream, group: Group) -> int:
    """Return how many entries the group has still to read, or UNKNOWN."""
    if stream.entries_added == 0 or stream.length == 0:
        return 0
    first_ms, first_seq = stream.first_id()
    if (
        compare(group.last_ms, group.last_seq, first_ms, first_seq) < 0
        and compare(stream.max_deleted_ms, stream.max_deleted_seq, first_ms, first_seq) < 0
    ):
        return stream.length
    read = group.entries_read
    if read == UNKNOWN or has_deleted_from(stream, group.last_ms, group.last_seq):
        read = entries_read_at(stream, group.last_ms, group.last_seq)
        if read == UNKNOWN:
            return UNKNOWN
    return stream.entries_added - read


def backlog_of(stream: Stream, group: Group) -> int:
    """Return how many entries the group was not given yet, exact whatever was deleted.

    Entries behind the last-delivered ID, and those before it that are held for their order.
    """
    backlog = stream.behind(group.last_ms, group.last_seq)
    if group.redelivery is not None and group.redelivery.lanes is not None:
        backlog += group.redelivery.lanes.held_count
    return backlog
