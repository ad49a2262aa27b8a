"""XREADGROUP in a group with settings: what is due again comes first, then new entries.

An entry is due when its time has come (streams/redelivery.py); it goes to whoever reads next, the
longest overdue one first. A consumer with MAXPENDING entries gets nothing that it does not own
already. What has been delivered as often as it may is not delivered here: upkeep makes it a dead
letter at its time (dead_letters.py), or whoever asks for it by another way does.

Pending entries whose data is deleted are pending no more when they are due.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.commands.dead_letters import bury
from headwater.commands.leases import held, hold
from headwater.commands.settling import settled
from headwater.resp.reply import Reply
from headwater.streams.delivery import (
    EntryFinder,
    claim_bytes,
    deliver_handles,
    deliver_history,
    hand_over,
    history_within,
    one_more,
    run_behind,
    write_run,
    write_with_zeros,
)
from headwater.streams.group import Consumer, Group
from headwater.streams.ids import next_id
from headwater.streams.ordering import Chosen, choose
from headwater.streams.redelivery import Redelivery
from headwater.streams.stream import Stream

if TYPE_CHECKING:
    from headwater.commands.session import Session

DROPPED_AT_ONCE = 10_000
"""So many entries whose data is deleted, or that are dead letters now, one read drops; the next one
goes on."""

LOOKED_AT_ONCE = 1000
"""So many entries that CLAIM may not take are passed over, beside the ones that it may."""

RECHECK_MS = 1000
"""A reader that claims looks again after so long if what it found must not be taken yet."""

_DROPPED_AT_ONCE, _LOOKED_AT_ONCE, _RECHECK_MS = DROPPED_AT_ONCE, LOOKED_AT_ONCE, RECHECK_MS
_NO_LIMIT = -1
_EVERY_ENTRY = 2**62


class DueEntries:
    """The pending entries that one read takes: `handles` in order, `size` their bytes.

    room: how many entries more the consumer may have, -1: no limit. limited: it might have got
    more if it had room. next_ms: when the next of its own entries is due, as far as it is known,
    -1: nobody looked. dropped: how many were dropped since their data is deleted.
    """

    __slots__ = (
        "_consumer",
        "_count",
        "_database",
        "_extra",
        "_finder",
        "_group",
        "_key",
        "_max_bytes",
        "_now_ms",
        "_session",
        "_stream",
        "dropped",
        "handles",
        "limited",
        "next_ms",
        "room",
        "size",
    )

    def __init__(
        self,
        session: Session,
        key: bytes,
        stream: Stream,
        group: Group,
        consumer: Consumer,
        count: int,
        max_bytes: int,
        claiming: bool,
    ) -> None:
        redelivery = group.redelivery
        assert redelivery is not None
        self._session = session
        self._database = session.database
        self._key = key
        self._stream = stream
        self._group = group
        self._consumer = consumer
        self._now_ms = session.state.clock.now_ms
        self._finder = EntryFinder(stream)
        self._count = count
        self._max_bytes = max_bytes
        self._extra = claiming
        self.handles: list[int] = []
        self.size = 0
        self.dropped = 0
        self.limited = False
        self.next_ms = -1
        self.room = _NO_LIMIT
        if redelivery.settings.max_pending != 0:
            has = group.pending.count_of(consumer.number)
            if has < redelivery.settings.max_pending:
                self.room = redelivery.settings.max_pending - has
            else:
                self.room = 0

    def is_full(self) -> bool:
        """Whether the reader's limits are reached."""
        return len(self.handles) == self._count or (
            len(self.handles) != 0 and 0 <= self._max_bytes <= self.size
        )

    def take_due(self, redelivery: Redelivery) -> None:
        """Take what is due, as far as the limits allow."""
        due = redelivery.due
        records = self._group.pending.records
        number = self._consumer.number
        while due.length != 0 and due.first_ms() <= self._now_ms and not self.is_full():
            handle = due.first()
            if records.owner(handle) != number and self.room == 0:
                self.limited = True
                break
            self._take(redelivery, handle)
            if self.dropped == _DROPPED_AT_ONCE:
                break
        if self.room == 0:
            self.limited = True
            self._take_own(redelivery)

    def _take_own(self, redelivery: Redelivery) -> None:
        """Take what is due of the consumer's own, which stands behind what it may not have."""
        due = redelivery.due
        found: list[tuple[int, int]] = []
        n = self._group.pending.count_of(self._consumer.number)
        for handle in self._group.pending.owned_from(self._consumer.number, 0, 0, n):
            if due.has(handle):
                due_ms = due.due_ms(handle)
                if due_ms <= self._now_ms:
                    found.append((due_ms, handle))
                elif self.next_ms < 0 or due_ms < self.next_ms:
                    self.next_ms = due_ms
        found.sort()
        for _, handle in found:
            if self.is_full() or self.dropped == _DROPPED_AT_ONCE:
                break
            self._take(redelivery, handle)

    def _take(self, redelivery: Redelivery, handle: int) -> None:
        pending = self._group.pending
        records = pending.records
        ms = records.ms(handle)
        seq = records.seq(handle)
        if not self._finder.find(ms, seq):
            pending.remove(handle)
            recorder = self._session.state.recorder
            recorder.acknowledge(self._database.index, self._key, self._group, ms, seq)
            self.dropped += 1
            return
        due = redelivery.due
        due.remove(handle)  # comes back when it is assigned
        if self.room > 0 and records.owner(handle) != self._consumer.number:
            self.room -= 1
        self._add(handle)

    def _add(self, handle: int) -> None:
        records = self._group.pending.records
        self.handles.append(handle)
        self.size += self._finder.size
        if self._extra:
            idle_ms = self._now_ms - records.time(handle)
            self.size += claim_bytes(idle_ms, records.count(handle))

    def take_idle(self, redelivery: Redelivery, min_idle_ms: int) -> None:
        """Take what consumers have and has been idle so long (CLAIM), but for what must wait.

        That is what BACKOFF defers. What is held over a connection it takes as XCLAIM does.
        """
        pending = self._group.pending
        records = pending.records
        due = redelivery.due
        defers = len(redelivery.settings.backoff_ms) != 0
        taken = set(self.handles)
        until_ms = self._now_ms - min_idle_ms
        number = self._consumer.number
        handle = pending.newest_nacked
        handle = pending.oldest if handle == 0 else records.behind(handle)
        passed = 0
        self.next_ms = -1
        while handle != 0 and passed < _LOOKED_AT_ONCE and not self.is_full():
            behind = records.behind(handle)
            if records.time(handle) > until_ms:
                if self.next_ms < 0:
                    self.next_ms = records.time(handle) + min_idle_ms
                break
            if handle in taken:
                pass
            elif (defers and due.has(handle)) or (
                self.room == 0 and records.owner(handle) != number
            ):
                passed += 1
                self.next_ms = self._now_ms + _RECHECK_MS
            elif not self._finder.find(records.ms(handle), records.seq(handle)):
                passed += 1
            elif redelivery.settings.is_last(records.count(handle)):
                self._bury(handle)
                passed += 1
            else:
                due.remove(handle)
                if self.room > 0 and records.owner(handle) != number:
                    self.room -= 1
                self._add(handle)
            handle = behind

    def _bury(self, handle: int) -> None:
        """Make a dead letter of an entry that is not to be delivered once more."""
        if bury(self._session.state, self._database, self._key, self._stream, self._group, handle):
            self.dropped += 1

    def hand_over(self, claiming: bool, reply: Reply) -> None:
        """Write the entries and make them the consumer's, delivered once more."""
        pending = self._group.pending
        records = pending.records
        finder = self._finder
        number = self._consumer.number
        now_ms = self._now_ms
        for handle in self.handles:
            delivered = records.count(handle)
            finder.find(records.ms(handle), records.seq(handle))
            if claiming:
                finder.write_claimed(reply, now_ms - records.time(handle), delivered)
            else:
                finder.write(reply)
            pending.assign(handle, number, now_ms, one_more(delivered))
        self._consumer.active_ms = now_ms


def deliver_managed(
    session: Session,
    key: bytes,
    stream: Stream,
    group: Group,
    consumer: Consumer,
    count: int,
    max_bytes: int,
    min_idle_ms: int,
    noack: bool,
    patient: bool,
    reply: Reply,
) -> tuple[int, int, int]:
    """Deliver what is due and what is new (XREADGROUP with `>`); how many, their bytes.

    Limits are those of delivery.py; `min_idle_ms` is that of CLAIM, -1: none; `patient`: the reader
    waits if there is nothing. Records what it does. If there is nothing, nothing is written, and
    the third number says when the reader should be tried again though nobody wakes it, -1: never.
    """
    state = session.state
    database = session.database
    recorder = state.recorder
    now_ms = state.clock.now_ms
    redelivery = group.redelivery
    assert redelivery is not None
    settings = redelivery.settings
    claiming = min_idle_ms >= 0
    hold(session, group)
    due = DueEntries(session, key, stream, group, consumer, count, max_bytes, claiming)
    due.take_due(redelivery)
    if claiming and not due.is_full():
        due.take_idle(redelivery, min_idle_ms)

    left = count - len(due.handles) if count >= 0 else _EVERY_ENTRY
    if due.is_full():
        left = 0
    if due.room >= 0 and not (noack and due.room > 0) and due.room < left:
        left = due.room
    if settings.group_max_pending != 0:
        # What was due is pending already.
        room = settings.group_max_pending - group.pending.count
        if room < 0:
            room = 0
        redelivery.full = room == 0
        if not (noack and room > 0) and room < left:
            left = room
    bytes_left = -1
    if max_bytes >= 0:
        bytes_left = max_bytes - due.size if max_bytes > due.size else 1
    extra = 8 if claiming else 0
    chosen: Chosen | None = None
    index1 = slot1 = index2 = slot2 = new = size = 0
    if left == 0:
        pass
    elif redelivery.lanes is not None:
        chosen = choose(stream, group, left, bytes_left, extra, noack, patient)
        new, size = chosen.count, chosen.size
    else:
        index1, slot1, index2, slot2, new, size = run_behind(stream, group, left, bytes_left, extra)

    again = len(due.handles)
    total = again + new
    if total != 0:
        reply.array(total)
    if again != 0:
        due.hand_over(claiming, reply)
    if chosen is not None:
        if new != 0:
            chosen.write(reply, claiming)
        chosen.hand_over(group, consumer, now_ms, noack)
        size += extra * new
    elif new != 0:
        if claiming:
            size = write_with_zeros(stream, index1, slot1, index2, slot2, new, size, reply)
        else:
            write_run(stream, index1, slot1, index2, slot2, size, reply)
        hand_over(stream, group, consumer, now_ms, noack, index1, slot1, index2, slot2, new)
    recorder.assign(database.index, key, group, consumer, due.handles, now_ms, now_ms)
    if chosen is not None:
        if chosen.changed:
            recorder.deliver_ordered(database.index, key, group, consumer, now_ms, noack, chosen)
    elif new != 0:
        recorder.deliver(database.index, key, group, consumer, now_ms, new, noack)
    held(session, stream, group)
    if total != 0 or due.dropped != 0:
        # Not for one that got nothing: it would wake itself again and again.
        settled(database, key, stream, group)
    if total != 0:
        return total, due.size + size, -1
    if due.dropped != 0 or (chosen is not None and chosen.changed):
        database.keyspace.dirty += 1
    if due.limited and (patient or session.blocked is not None):
        state.waiters.limited.append((key, consumer.number, redelivery))
    if due.dropped == _DROPPED_AT_ONCE or (chosen is not None and chosen.more):
        return 0, 0, now_ms
    return 0, 0, due.next_ms


def _bury_history(
    session: Session,
    key: bytes,
    stream: Stream,
    group: Group,
    handles: list[int],
    remain: list[int],
) -> int:
    """Bury what is exhausted of these pending entries; those that are not are added to `remain`.

    How many are exhausted and cannot be buried now: they stay pending, and are not delivered.
    """
    redelivery = group.redelivery
    assert redelivery is not None
    records = group.pending.records
    finder = EntryFinder(stream)
    now_ms = session.state.clock.now_ms
    stuck = 0
    for handle in handles:
        ms = records.ms(handle)
        seq = records.seq(handle)
        if not redelivery.settings.is_last(records.count(handle)) or not finder.find(ms, seq):
            remain.append(handle)
        elif redelivery.retry_ms > now_ms or not bury(
            session.state, session.database, key, stream, group, handle
        ):
            stuck += 1
    return stuck


def history_managed(
    session: Session,
    key: bytes,
    stream: Stream,
    group: Group,
    consumer: Consumer,
    ms: int,
    seq: int,
    count: int,
    max_bytes: int,
    reply: Reply,
) -> tuple[int, int]:
    """Deliver again what the consumer has pending behind an ID, as delivery.deliver_history.

    What has been delivered as often as it may is a dead letter instead; one that cannot be made
    now is passed over. Records what it does.
    """
    redelivery = group.redelivery
    assert redelivery is not None
    database = session.database
    recorder = session.state.recorder
    now_ms = session.state.clock.now_ms
    pending = group.pending
    records = pending.records
    remain: list[int] = []
    stuck = 0
    if redelivery.settings.max_deliveries != 0:
        ok, from_ms, from_seq = next_id(ms, seq)
        limit = pending.count_of(consumer.number)
        if 0 <= count < limit:
            limit = count
        before = pending.count
        while ok and len(remain) < limit and before - pending.count < _DROPPED_AT_ONCE:
            wanted = limit - len(remain)
            handles = pending.owned_from(consumer.number, from_ms, from_seq, wanted)
            ok = len(handles) == wanted
            if max_bytes >= 0:
                within = history_within(group, EntryFinder(stream), handles, max_bytes)
                if within < len(handles):
                    ok = False
                    del handles[within:]
            if not handles:
                break
            last = handles[len(handles) - 1]
            from_ms = records.ms(last)
            from_seq = records.seq(last)
            stuck += _bury_history(session, key, stream, group, handles, remain)
            if ok:
                ok, from_ms, from_seq = next_id(from_ms, from_seq)
        # Those that remain are the first ones behind the ID, but for those that are stuck.
        count = len(remain)
    hold(session, group)
    if stuck == 0:
        entries, size = deliver_history(
            stream, group, consumer, ms, seq, now_ms, count, max_bytes, reply
        )
        recorder.deliver_again(database.index, key, group, consumer, now_ms, entries, ms, seq)
    else:
        if max_bytes >= 0:
            del remain[history_within(group, EntryFinder(stream), remain, max_bytes) :]
        entries = len(remain)
        size = deliver_handles(stream, group, consumer, remain, now_ms, reply)
        given: list[int] = []
        for handle in remain:
            # What has no data was sent, and stays as it was.
            if records.time(handle) == now_ms:
                given.append(handle)
        recorder.assign(database.index, key, group, consumer, given, now_ms, consumer.active_ms)
    held(session, stream, group)
    settled(database, key, stream, group)
    return entries, size
