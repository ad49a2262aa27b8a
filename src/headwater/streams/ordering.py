"""ORDERBY, with the stream at hand: which entries a reader gets, and what is in flight or held.

`choose` gives a reader held entries that are ready (lanes.py), then new ones: those whose value has
nothing in flight; the others are held. Every entry is looked at once, since the group's
last-delivered ID passes the held ones too. So a reader may find nothing though there are new
entries behind many that have to be held: one `choose` holds HELD_AT_ONCE of them at most, or
HELD_PER_POLL for a reader that will not wait.

What `choose` did follows from the state, from how many ready and how many new entries it went
through, and from NOACK: the journal has these (DELIVER_ORDERED), and `choose_again` does the same.
"""

from __future__ import annotations

from headwater.raw import alloc, copy, get_u32, get_u64, put_u32, put_u64
from headwater.resp.reply import Reply
from headwater.streams.block import id_at
from headwater.streams.delivery import EntryFinder, hand_over, run_behind
from headwater.streams.digests import digest_of_field
from headwater.streams.group import Consumer, Group
from headwater.streams.lanes import Lanes
from headwater.streams.redelivery import Redelivery
from headwater.streams.settings import GroupSettings
from headwater.streams.stream import Stream

HELD_AT_ONCE = 10_000
"""So many entries are held in one turn of the loop, about a millisecond of it; a reader that waits
goes on in a later turn."""

HELD_PER_POLL = 100_000
"""And so many for one that does not wait: it may get nothing though there is something behind."""

BYTES_AT_ONCE = 8 << 20
"""A reply ends at so many bytes: unlike a run of new entries, chosen ones are copied."""

_HELD_AT_ONCE, _HELD_PER_POLL, _BYTES_AT_ONCE = HELD_AT_ONCE, HELD_PER_POLL, BYTES_AT_ONCE
_NO_LIMIT = -1

# An entry that was chosen: u64 ms | u64 seq | u64 bytes | u32 lane, and 4 bytes of nothing.
_ENTRY_BYTES = 32
_SEQ, _SIZE, _LANE = 8, 16, 24
_FIRST_ENTRIES, _MOST_EXPECTED = 16, 1024


class Chosen:
    """Entries that a reader is about to get: `count` of them, which take `size` bytes.

    held: how many of them were held before; passed: how many new ones the group's last-delivered
    ID has passed, held or chosen. changed: whether anything was done that must be recorded.
    more: nothing was chosen, but there are entries that were not looked at yet.
    """

    __slots__ = (
        "_entries",
        "_runs",
        "_spans",
        "changed",
        "count",
        "held",
        "more",
        "passed",
        "size",
    )

    def __init__(self, expected: int) -> None:
        self.count = 0
        self.size = 0
        self.held = 0
        self.passed = 0
        self.changed = False
        self.more = False
        room = expected if _FIRST_ENTRIES < expected < _MOST_EXPECTED else _FIRST_ENTRIES
        self._entries = alloc(_ENTRY_BYTES * room)
        # Where they are: bytes that hold some back to back, u64 where these begin, u64 their size.
        self._runs: list[bytearray] = []
        self._spans = bytearray()

    def _add(self, ms: int, seq: int, lane: int, data: bytearray, start: int, size: int) -> None:
        pos = _ENTRY_BYTES * self.count
        if pos == len(self._entries):
            bigger = alloc(2 * pos)
            copy(bigger, 0, self._entries, 0, pos)
            self._entries = bigger
        entries = self._entries
        put_u64(entries, pos, ms)
        put_u64(entries, pos + _SEQ, seq)
        put_u64(entries, pos + _SIZE, size)
        put_u32(entries, pos + _LANE, lane)
        self.count += 1
        self.size += size
        spans = self._spans
        runs = len(self._runs)
        end = -1  # of the last run, if it is in the same bytes
        if runs != 0 and self._runs[runs - 1] is data:
            end = get_u64(spans, 16 * (runs - 1))
            end += get_u64(spans, 16 * (runs - 1) + 8)
        if end == start:
            pos = 16 * (runs - 1) + 8
            put_u64(spans, pos, get_u64(spans, pos) + size)
        else:
            self._begin_run(data, start, size)

    def _begin_run(self, data: bytearray, start: int, size: int) -> None:
        runs = len(self._runs)
        spans = self._spans
        self._runs.append(data)
        if 16 * runs == len(spans):
            spans.extend(bytes(max(16 * _FIRST_ENTRIES, len(spans))))
        put_u64(spans, 16 * runs, start)
        put_u64(spans, 16 * runs + 8, size)

    def _take_ready(
        self, stream: Stream, lanes: Lanes, count: int, max_bytes: int, extra: int, noack: bool
    ) -> None:
        """Choose held entries that are ready."""
        finder = EntryFinder(stream)
        records = lanes.records
        while lanes.held_count != 0 and lanes.ready.length != 0 and self.count != count:
            if self.count != 0 and 0 <= max_bytes <= self.size + extra * self.count:
                break
            records = lanes.records  # all may have been forgotten
            handle = lanes.ready.first()
            ms = records.ms(handle)
            seq = records.seq(handle)
            lane = lanes.take(handle, not noack)
            self.held += 1
            if finder.find(ms, seq):
                self._add(ms, seq, lane, finder.block.data(), finder.start, finder.size)

    def _pass_new(
        self,
        stream: Stream,
        group: Group,
        lanes: Lanes,
        count: int,
        max_bytes: int,
        extra: int,
        noack: bool,
        most_held: int,
        most_passed: int,
    ) -> None:
        """Choose new entries, hold those between them that have to be."""
        index1, slot1, _, _, n, _ = run_behind(stream, group, 1, -1, 0)
        if n == 0:
            return
        field = lanes.field
        size = len(field)
        blocks = stream.blocks
        index = index1
        slot = slot1
        held = passed = 0
        full = self._is_full(count, max_bytes, extra)
        while not full:
            block = blocks[index]
            data = block.data()
            slots = block.slots
            start = block.offset(slot)
            while slot < slots:
                behind = block.offset(slot + 1)
                # Without ORDERBY (what was held is still there) nothing is in order.
                key = digest_of_field(data, start, field) if size != 0 else 0
                lane = 0
                if key == 0:
                    free = True
                elif noack:
                    free = not lanes.is_busy(key)
                else:
                    lane = lanes.start(key)
                    free = lane != 0
                ms, seq = id_at(data, start)
                slot += 1
                passed += 1
                if free:
                    self._add(ms, seq, lane, data, start, behind - start)
                    full = self._is_full(count, max_bytes, extra)
                else:
                    lanes.hold(ms, seq, key)
                    held += 1
                    full = held == most_held
                    self.more = full
                if full or passed == most_passed:
                    full = True
                    break
                start = behind
            if full or index + 1 == len(blocks):
                break
            index += 1
            block = blocks[index]
            slot = block.first
        if passed != 0:
            self.passed = passed
            if self.more:
                block = blocks[len(blocks) - 1]
                self.more = self.count == 0 and (index + 1 != len(blocks) or slot != block.slots)
            # As entries that need no acknowledgement: nothing becomes pending here.
            hand_over(stream, group, _NOBODY, 0, True, index1, slot1, index, slot, passed)

    def _is_full(self, count: int, max_bytes: int, extra: int) -> bool:
        return self.count == count or (
            self.count != 0 and 0 <= max_bytes <= self.size + extra * self.count
        )

    def write(self, reply: Reply, claiming: bool) -> None:
        """Write the entries; with the two elements of CLAIM, 0 and 0, behind each or not."""
        spans = self._spans
        if not claiming:
            reply.reserve(self.size)
            for i in range(len(self._runs)):
                data = self._runs[i]
                reply.span(data, get_u64(spans, 16 * i), get_u64(spans, 16 * i + 8))
            return
        reply.reserve(self.size + 8 * self.count)
        buf = reply.buf
        pos = reply.pos
        entry = 0
        for i in range(len(self._runs)):
            data = self._runs[i]
            start = get_u64(spans, 16 * i)
            end = start + get_u64(spans, 16 * i + 8)
            while start < end:
                size = get_u64(self._entries, entry + _SIZE)
                copy(buf, pos, data, start, size)
                buf[pos + 1] = 52  # *4 instead of *2
                pos += size
                for _ in range(2):
                    buf[pos] = 58
                    buf[pos + 1] = 48
                    buf[pos + 2] = 13
                    buf[pos + 3] = 10
                    pos += 4
                start += size
                entry += _ENTRY_BYTES
        reply.pos = pos

    def hand_over(self, group: Group, consumer: Consumer, now_ms: int, noack: bool) -> None:
        """Make the entries pending for the consumer, unless `noack`."""
        redelivery = group.redelivery
        assert redelivery is not None
        lanes = redelivery.lanes
        assert lanes is not None
        if self.count != 0 and not noack:
            pending = group.pending
            entries = self._entries
            number = consumer.number
            end = _ENTRY_BYTES * self.count
            pos = 0
            while pos < end:
                handle = pending.deliver(
                    get_u64(entries, pos), get_u64(entries, pos + _SEQ), number, now_ms
                )
                lanes.set_lane(handle, get_u32(entries, pos + _LANE))
                pos += _ENTRY_BYTES
            consumer.active_ms = now_ms
        if lanes.field == b"" and lanes.held_count == 0:
            _end_draining(group, redelivery)


_NOBODY = Consumer(b"", 0, 0)


def choose(
    stream: Stream,
    group: Group,
    count: int,
    max_bytes: int,
    extra: int,
    noack: bool,
    patient: bool,
) -> Chosen:
    """Choose entries for a reader of a group with lanes, within its limits (delivery.py).

    Each counts as `extra` bytes more than it is stored as. `patient`: the reader waits, if there
    is nothing for it now. Lanes and position have changed: the caller goes on to `hand_over`.
    """
    redelivery = group.redelivery
    assert redelivery is not None
    lanes = redelivery.lanes
    assert lanes is not None
    chosen = Chosen(count)
    if max_bytes < 0 or max_bytes > _BYTES_AT_ONCE:
        max_bytes = _BYTES_AT_ONCE
    most_held = _HELD_AT_ONCE if patient else _HELD_PER_POLL
    if lanes.ready.length != 0:
        chosen._take_ready(stream, lanes, count, max_bytes, extra, noack)
    chosen._pass_new(stream, group, lanes, count, max_bytes, extra, noack, most_held, _NO_LIMIT)
    chosen.changed = chosen.held != 0 or chosen.passed != 0
    return chosen


def choose_again(stream: Stream, group: Group, held: int, passed: int, noack: bool) -> Chosen:
    """Do what a `choose` did that went through so many held and new entries."""
    redelivery = group.redelivery
    chosen = Chosen(held + passed)
    if redelivery is None or redelivery.lanes is None:
        return chosen
    lanes = redelivery.lanes
    while chosen.held < held and lanes.ready.length != 0:
        # One at a time: an entry that is gone counts here, too.
        chosen._take_ready(stream, lanes, chosen.count + 1, _NO_LIMIT, 0, noack)
    if passed != 0:
        chosen._pass_new(stream, group, lanes, _NO_LIMIT, _NO_LIMIT, 0, noack, _NO_LIMIT, passed)
    chosen.changed = True
    return chosen


def _end_draining(group: Group, redelivery: Redelivery) -> None:
    """What was held when ORDERBY was turned off is delivered."""
    if redelivery.settings.is_off():
        group.configure(None)
    else:
        redelivery.lanes = None


def became_pending(stream: Stream, group: Group, handle: int) -> None:
    """An entry became pending other than by `choose`: its value is in flight."""
    redelivery = group.redelivery
    if redelivery is None or redelivery.lanes is None:
        return
    lanes = redelivery.lanes
    records = group.pending.records
    ms = records.ms(handle)
    seq = records.seq(handle)
    if not lanes.release(ms, seq, handle) and lanes.field != b"":
        finder = EntryFinder(stream)
        if finder.find(ms, seq):
            key = digest_of_field(finder.block.data(), finder.start, lanes.field)
            if key != 0:
                lanes.enter(handle, key)


def forget_held(group: Group) -> bool:
    """The group will read from elsewhere: nothing is held any more. False: nothing was."""
    redelivery = group.redelivery
    if redelivery is None or redelivery.lanes is None or redelivery.lanes.held_count == 0:
        return False
    redelivery.lanes.forget_held()
    return True


def configure(stream: Stream, group: Group, settings: GroupSettings | None) -> None:
    """Give the group these settings (None: all off), as Group.configure, ORDERBY included.

    With a new field the values of what is pending and held are taken from the stream; what is
    held when ORDERBY is turned off is delivered first, in any order of values.
    """
    before: Lanes | None = None
    if group.redelivery is not None:
        before = group.redelivery.lanes
    field = b"" if settings is None else settings.order_by
    if field == b"" and (before is None or before.held_count == 0):
        group.configure(settings)
        return
    group.configure(GroupSettings() if settings is None else settings)
    redelivery = group.redelivery
    assert redelivery is not None
    stream.ordered = True
    if before is not None and before.field == field:
        redelivery.lanes = before
        return
    lanes = Lanes(field)
    redelivery.lanes = lanes
    finder = EntryFinder(stream)
    pending = group.pending
    if field != b"":
        for handle in pending.handles_from(0, 0, pending.count):
            ms = pending.records.ms(handle)
            seq = pending.records.seq(handle)
            if finder.find(ms, seq):
                key = digest_of_field(finder.block.data(), finder.start, field)
                if key != 0:
                    lanes.enter(handle, key)
    if before is not None:
        for handle in before.held.handles_from(before.records, 0, 0, before.held_count):
            ms = before.records.ms(handle)
            seq = before.records.seq(handle)
            if finder.find(ms, seq):
                key = 0
                if field != b"":
                    key = digest_of_field(finder.block.data(), finder.start, field)
                lanes.hold(ms, seq, key)


def load_lanes(stream: Stream, group: Group) -> Lanes:
    """The lanes of a group that is being loaded, made if need be: as its settings say, empty."""
    redelivery = group.redelivery
    if redelivery is None:
        group.configure(GroupSettings())
        redelivery = group.redelivery
    assert redelivery is not None
    stream.ordered = True
    if redelivery.lanes is None:
        redelivery.lanes = Lanes(redelivery.settings.order_by)
    return redelivery.lanes
