"""CONSUMERTTL and GROUPTTL: consumers and groups that nobody uses any more go by themselves.

Nothing is done when a consumer asks but that the time is noted (`Consumer.seen_ms`,
`Group.read_ms`). Each has a moment at which it is looked at next: consumers in a heap of their
group (`Group.idle`), a group in `Group.look_ms`. Whoever has been there meanwhile is looked at
again later; so a look costs O(log n) and there are as many as there are times to live.

A consumer that waits in XREADGROUP, or that holds an entry over a connection which lives (LEASE
connection), is there; a group that such a consumer belongs to is read. For a while after a start
nobody goes, so that clients can come back first.

What a consumer leaves pending is nobody's then, and so due at once. A million entries take many
turns; a consumer that comes back meanwhile keeps the others.

With times to live above GRACE_MS the last visits that no other record tells of are recorded from
time to time, so that a start knows them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.keyspace.calendar import NEVER
from headwater.keyspace.notifications import STREAM
from headwater.raw import monotonic_us
from headwater.streams.group import Consumer, Group
from headwater.streams.settings import GroupSettings
from headwater.streams.stream import Stream

if TYPE_CHECKING:
    from headwater.commands.state import ServerState
    from headwater.keyspace.database import Database

GRACE_MS = 300_000
"""So long after a start nobody goes, or as long as the time to live, if that is shorter."""

NOTES = 16
"""Visits are recorded so often within a time to live: what a start knows is that exact."""

BUDGET_US = 1000
ENTRIES_AT_ONCE = 200
"""So many entries are released, or looked at, before it is looked at the clock."""


def next_ms(state: ServerState, stream: Stream) -> int:
    """When a consumer or a group has to be looked at (unix ms); NEVER if none has."""
    at_ms = NEVER
    for group in (stream.groups or {}).values():
        if group.redelivery is None:
            continue
        settings = group.redelivery.settings
        if settings.group_ttl_ms:
            at_ms = min(at_ms, max(group.look_ms, _grace_end_ms(state, settings.group_ttl_ms)))
        if group.idle is not None:
            ttl_ms = settings.consumer_ttl_ms
            # Nobody tells of a consumer that comes; it need not be looked at before this.
            first_ms = state.clock.now_ms + ttl_ms
            if group.idle.length:
                first_ms = group.idle.first_ms()
            at_ms = min(at_ms, max(first_ms, _grace_end_ms(state, ttl_ms)))
    return at_ms


def run(state: ServerState, database: Database, key: bytes, stream: Stream) -> None:
    """Look at whoever is to be looked at, for a while."""
    now_ms = state.clock.now_ms
    if database.has_expired(key):
        database.expire(key)
        return
    until_us = monotonic_us() + BUDGET_US
    for group in list((stream.groups or {}).values()):
        if group.redelivery is None:
            continue
        settings = group.redelivery.settings
        ttl_ms = settings.group_ttl_ms
        is_due = ttl_ms and max(group.look_ms, _grace_end_ms(state, ttl_ms)) <= now_ms
        if is_due and _look_at_group(state, database, key, group, ttl_ms):
            destroy_group(state, database, key, stream, group)
            continue
        ttl_ms = settings.consumer_ttl_ms
        if group.idle is not None and _grace_end_ms(state, ttl_ms) <= now_ms:
            _look_at_consumers(state, database, key, stream, group, until_us)
        if monotonic_us() >= until_us:
            return


def begin(
    state: ServerState, database: Database, key: bytes, group: Group, before: GroupSettings
) -> None:
    """A group got other settings than `before`, which are recorded: its times begin."""
    redelivery = group.redelivery
    if redelivery is None:
        return
    ttl_ms = redelivery.settings.group_ttl_ms
    if ttl_ms and ttl_ms != before.group_ttl_ms:
        group.read_ms = state.clock.now_ms
        group.look_ms = 0
        state.recorder.read_group(database.index, key, group)


def destroy_group(
    state: ServerState, database: Database, key: bytes, stream: Stream, group: Group
) -> None:
    """XGROUP DESTROY: the group is gone; who waits for it is told."""
    assert stream.groups is not None
    database.about_to_change(key)
    del stream.groups[group.name]
    state.recorder.destroy_group(database.index, key, group.name)
    database.keyspace.graveyard.extend(group.parts())
    database.keyspace.dirty += 1
    if stream.retention is not None:
        stream.retention.released(stream, state.clock.now_ms)
    database.notify(STREAM, b"xgroup-destroy", key)
    database.signal_ready(key)


def group_is_idle(state: ServerState, database: Database, key: bytes, group: Group) -> bool:
    """Whether nobody has read from a group for longer than its GROUPTTL; it is about to go."""
    redelivery = group.redelivery
    if redelivery is None or redelivery.settings.group_ttl_ms == 0:
        return False
    ttl_ms = redelivery.settings.group_ttl_ms
    now_ms = state.clock.now_ms
    return (
        group.read_ms + ttl_ms <= now_ms
        and _grace_end_ms(state, ttl_ms) <= now_ms
        and not _is_read(database, key, group)
    )


def _grace_end_ms(state: ServerState, ttl_ms: int) -> int:
    return state.ready_ms + min(ttl_ms, GRACE_MS)


def _is_read(database: Database, key: bytes, group: Group) -> bool:
    """Whether somebody waits for entries of the group, or holds some of them."""
    waiting = database.waiting.get(key)
    if waiting is not None and (
        group.name in waiting.groups
        or (waiting.parked is not None and group.name in waiting.parked)
    ):
        return True
    return group.redelivery is not None and group.redelivery.held.length != 0


def _next_look_ms(alive_ms: int, ttl_ms: int, now_ms: int) -> int:
    """When to look again at who was last there at `alive_ms`."""
    at_ms = alive_ms + ttl_ms
    if ttl_ms > GRACE_MS:
        at_ms = min(at_ms, now_ms + ttl_ms // NOTES)
    return min(max(at_ms, now_ms + 1), NEVER)


def _is_news(seen_ms: int, ttl_ms: int, now_ms: int) -> bool:
    """Whether somebody was there since the look before, and a start should know it."""
    return ttl_ms > GRACE_MS and seen_ms >= now_ms - ttl_ms // NOTES


# --- groups ---


def _look_at_group(
    state: ServerState, database: Database, key: bytes, group: Group, ttl_ms: int
) -> bool:
    """Whether the group is to go; if not, it is known when to look again."""
    now_ms = state.clock.now_ms
    if group.read_ms + ttl_ms <= now_ms:
        if not _is_read(database, key, group):
            return True
        group.read_ms = now_ms
    if _is_news(group.read_ms, ttl_ms, now_ms):
        state.recorder.read_group(database.index, key, group)
    group.look_ms = _next_look_ms(group.read_ms, ttl_ms, now_ms)
    return False


# --- consumers ---


def _look_at_consumers(
    state: ServerState,
    database: Database,
    key: bytes,
    stream: Stream,
    group: Group,
    until_us: int,
) -> None:
    """Look at the consumers whose moment has come, until it is enough for this turn."""
    assert group.redelivery is not None
    assert group.idle is not None
    ttl_ms = group.redelivery.settings.consumer_ttl_ms
    now_ms = state.clock.now_ms
    idle = group.idle
    waiting: set[bytes] | None = None
    while idle.length and idle.first_ms() <= now_ms:
        number = idle.first()
        consumer = group.by_number[number]
        assert consumer is not None
        if max(consumer.seen_ms, consumer.there_ms) + ttl_ms <= now_ms:
            if waiting is None:
                waiting = _who_waits(database, key, group)
            if consumer.name in waiting:
                consumer.there_ms = now_ms
            elif _is_done(state, database, key, group, consumer):
                _remove(state, database, key, stream, group, consumer)
        if group.by_number[number] is consumer:
            alive_ms = max(consumer.seen_ms, consumer.there_ms)
            if alive_ms + ttl_ms > now_ms:
                if _is_news(alive_ms, ttl_ms, now_ms) and group.pending_of(consumer):
                    state.recorder.see_consumer(database.index, key, group, consumer, alive_ms)
                idle.remove(number)
                idle.put(number, _next_look_ms(alive_ms, ttl_ms, now_ms))
        if monotonic_us() >= until_us:
            return


def _who_waits(database: Database, key: bytes, group: Group) -> set[bytes]:
    """The consumers of a group for whom somebody waits in XREADGROUP."""
    waiting = database.waiting.get(key)
    if waiting is None:
        return set()
    return {blocked.terms.consumer for blocked in waiting.members_of(group.name)}


def _is_done(
    state: ServerState, database: Database, key: bytes, group: Group, consumer: Consumer
) -> bool:
    """Whether an idle consumer has nothing pending; what it has is released, some of it.

    It is done later: if there is more, or if it holds an entry and so is there.
    """
    redelivery = group.redelivery
    assert redelivery is not None
    pending = group.pending
    if group.pending_of(consumer) == 0:
        return True
    ms = seq = 0
    if redelivery.held.length:
        # While these entries are looked at it gets no others, unless it asks: then it is there.
        if group.looked is not None and group.looked[:2] == (consumer.number, consumer.seen_ms):
            _, _, ms, seq = group.looked
        handles = pending.owned_from(consumer.number, ms, seq, ENTRIES_AT_ONCE + 1)
        group.looked = None
        for handle in handles:
            if redelivery.holder_of(handle) != 0:
                consumer.there_ms = state.clock.now_ms
                return False
        if len(handles) > ENTRIES_AT_ONCE:
            records = pending.records
            last = handles[ENTRIES_AT_ONCE]
            group.looked = (consumer.number, consumer.seen_ms, records.ms(last), records.seq(last))
            return False
        if ms != 0 or seq != 0:
            # All were looked at, over several turns; they are released from the next one on.
            group.looked = (consumer.number, consumer.seen_ms, _BEHIND_ALL, 0)
    _release_some(state, database, key, group, consumer)
    return group.pending_of(consumer) == 0


_BEHIND_ALL = 2**64 - 1


def _release_some(
    state: ServerState, database: Database, key: bytes, group: Group, consumer: Consumer
) -> None:
    """Some of what a consumer has pending is nobody's from now on, and due."""
    pending = group.pending
    records = pending.records
    recorder = state.recorder
    database.about_to_change(key)
    for handle in pending.owned_from(consumer.number, 0, 0, ENTRIES_AT_ONCE):
        count = records.count(handle)
        pending.assign(handle, 0, 0, count)
        ms, seq = records.ms(handle), records.seq(handle)
        recorder.nack(database.index, key, group, ms, seq, count)
        database.keyspace.dirty += 1
    database.keyspace.has_nacked = True
    if database.waiting:
        database.signal_ready(key)


def _remove(
    state: ServerState,
    database: Database,
    key: bytes,
    stream: Stream,
    group: Group,
    consumer: Consumer,
) -> None:
    """XGROUP DELCONSUMER of one that has nothing pending."""
    database.about_to_change(key)
    group.delete_consumer(consumer.name)
    group.looked = None
    state.recorder.delete_consumer(database.index, key, group, consumer.name)
    database.keyspace.dirty += 1
    if stream.retention is not None:
        stream.retention.released(stream, state.clock.now_ms)
    database.notify(STREAM, b"xgroup-delconsumer", key)
