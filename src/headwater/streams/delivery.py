"""Entries on their way to a consumer: new ones, its own history, the idle ones it claims.

Every function writes the array of one stream's entries into the reply and returns how many
entries those are and their bytes; (0, 0) and nothing written when there are none, but for the
history, which is an empty array then. Limits are the same everywhere:

count       at most so many entries, -1: no limit
max_bytes   no further entry once the entries take so many bytes, -1: no limit; one entry is
            always delivered, as MAXSIZE of Redis 8.10 has it

An entry is sent as the bytes it is stored as. With CLAIM each one has four elements instead of
two: behind ID and fields the milliseconds since the last delivery and how often it was
delivered before, 0 and 0 for a new one.
"""

from __future__ import annotations

from headwater.raw import copy, decimal_length
from headwater.resp.reply import Reply
from headwater.streams.block import Block, id_at
from headwater.streams.group import Consumer, Group
from headwater.streams.ids import next_id
from headwater.streams.lag import counts_on, counts_on_behind, entries_read_at
from headwater.streams.pending import PendingEntries
from headwater.streams.range import ATTACH_BYTES, Range
from headwater.streams.stream import Stream

MAX_COUNT = 2**63 - 1  # deliveries stay at this, which is what XNACK FATAL sets
_MAX_COUNT = MAX_COUNT  # the same as a C number
_ATTACH_BYTES = ATTACH_BYTES
_MAX_READ = 2**63 - 1  # entries_read stays at this
NEVER_MS = 2**63 - 1
NULL_ENTRY_BYTES = 30  # about what an entry takes whose data is deleted
TWO_ELEMENTS_BYTES = 4  # an entry begins with *2 CRLF

_NO_BLOCK = Block(0)


def one_more(count: int) -> int:
    """Return a delivery count after one more delivery."""
    if count >= _MAX_COUNT:
        return count
    return count + 1


class EntryFinder:
    """Finds entries by ID; the one behind the last one found without a search.

    Valid until the stream changes. After `find` gave True the entry's bytes are `size` bytes
    of `block.data()` from `start` on.
    """

    __slots__ = ("block", "index", "size", "slot", "start", "stream")

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.index = -1
        self.slot = 0
        self.block = _NO_BLOCK
        self.start = 0
        self.size = 0

    def find(self, ms: int, seq: int) -> bool:
        """Look for the entry of an ID; False when there is none."""
        stream = self.stream
        if self.index >= 0:
            index = self.index
            slot = self.slot + 1
            block = stream.blocks[index]
            if slot == block.slots and index + 1 < len(stream.blocks):
                index += 1
                block = stream.blocks[index]
                slot = block.first
            if slot < block.slots:
                found_ms, found_seq = block.entry_id(slot)
                if found_ms == ms and found_seq == seq:
                    self._stand_on(index, slot)
                    return True
        index, slot = stream.locate(ms, seq)
        if index == len(stream.blocks):
            return False
        block = stream.blocks[index]
        found_ms, found_seq = block.entry_id(slot)
        if found_ms != ms or found_seq != seq:
            return False
        self._stand_on(index, slot)
        return True

    def _stand_on(self, index: int, slot: int) -> None:
        block = self.stream.blocks[index]
        self.index = index
        self.slot = slot
        self.block = block
        self.start = block.offset(slot)
        self.size = block.offset(slot + 1) - self.start

    def write(self, reply: Reply) -> None:
        """Write the entry that was found."""
        reply.span(self.block.data(), self.start, self.size)

    def write_claimed(self, reply: Reply, idle_ms: int, count: int) -> None:
        """Write the entry that was found with the two elements of CLAIM."""
        reply.raw_bytes(b"*4\r\n")
        data, start = self.block.data(), self.start + TWO_ELEMENTS_BYTES
        reply.span(data, start, self.size - TWO_ELEMENTS_BYTES)
        reply.integer(idle_ms)
        reply.integer(count)


def run_behind(
    stream: Stream, group: Group, count: int, max_bytes: int, extra_bytes: int
) -> tuple[int, int, int, int, int, int]:
    """Where the entries behind the last-delivered ID are, within the limits.

    (index of the first one's block, its slot, index of the last one's block, the slot behind it,
    how many, their bytes); none: how many is 0. Each counts as `extra_bytes` more than it is
    stored as.

    Where the group stood is remembered, and good if the entry before is the last-delivered one;
    whatever was trimmed, deleted or set in between makes that not so, and it is searched.
    """
    blocks = stream.blocks
    total = len(blocks)
    ms = group.last_ms
    seq = group.last_seq
    if (
        stream.length == 0
        or count == 0
        or (ms > stream.last_ms or (ms == stream.last_ms and seq >= stream.last_seq))
    ):
        return 0, 0, 0, 0, 0, 0
    index1 = group.next_index
    slot1 = group.next_slot
    found = False
    if stream.head <= index1 < total:
        block = blocks[index1]
        if slot1 == block.slots:
            found = block.last_ms == ms and block.last_seq == seq
            if found:
                index1 += 1
                if index1 == total:
                    return 0, 0, 0, 0, 0, 0
                block = blocks[index1]
                slot1 = block.first
        elif block.first < slot1 < block.slots:
            before_ms, before_seq = block.entry_id(slot1 - 1)
            found = before_ms == ms and before_seq == seq
    if not found:
        found, ms, seq = next_id(ms, seq)
        if not found:
            return 0, 0, 0, 0, 0, 0
        index1, slot1 = stream.locate(ms, seq)
        if index1 == total:
            return 0, 0, 0, 0, 0, 0
    index2 = index1
    slot2 = slot1
    kept = 0
    size = 0
    while True:
        block = blocks[index2]
        begin = slot1 if index2 == index1 else block.first
        slot2 = block.slots
        if count >= 0 and slot2 - begin > count - kept:
            slot2 = begin + count - kept
        kept += slot2 - begin
        size += block.offset(slot2) - block.offset(begin)
        if kept == count or index2 + 1 == total:
            break
        index2 += 1
    if max_bytes < 0 or size + extra_bytes * kept <= max_bytes:
        return index1, slot1, index2, slot2, kept, size
    last = index2
    end = slot2
    index2 = index1
    kept = 0
    size = 0
    while True:
        block = blocks[index2]
        slot2 = slot1 if index2 == index1 else block.first
        behind = end if index2 == last else block.slots
        while slot2 < behind:
            size += block.offset(slot2 + 1) - block.offset(slot2)
            kept += 1
            slot2 += 1
            if size + extra_bytes * kept >= max_bytes:
                return index1, slot1, index2, slot2, kept, size
        if index2 == last:
            return index1, slot1, index2, slot2, kept, size
        index2 += 1


def write_run(
    stream: Stream, index1: int, slot1: int, index2: int, slot2: int, size: int, reply: Reply
) -> None:
    """Write the entries of a run one behind the other, without an array head."""
    if size > _ATTACH_BYTES:
        run = Range(stream.blocks, index1, slot1, index2, slot2)
        run.keep(-1, False)
        run.write(reply, False)
    else:
        reply.reserve(size)
        buf = reply.buf
        pos = reply.pos
        index = index1
        while index <= index2:
            block = stream.blocks[index]
            start = block.offset(slot1 if index == index1 else block.first)
            n = block.offset(slot2 if index == index2 else block.slots) - start
            copy(buf, pos, block.data(), start, n)
            pos += n
            index += 1
        reply.pos = pos


def hand_over(
    stream: Stream,
    group: Group,
    consumer: Consumer,
    now_ms: int,
    noack: bool,
    index1: int,
    slot1: int,
    index2: int,
    slot2: int,
    count: int,
) -> None:
    """Make the group and the consumer hold a run of new entries, `count` of them.

    They become pending unless `noack`; the last-delivered ID and the counter follow.
    """
    pending = group.pending
    number = consumer.number
    blocks = stream.blocks
    read = group.entries_read
    block = blocks[index1]
    # An entry before the run is at or below the last-delivered ID.
    exact = counts_on_behind(stream, group, index1 > stream.head or slot1 > block.first)
    ms = group.last_ms
    seq = group.last_seq
    if exact and noack:
        block = blocks[index2]
        ms, seq = block.entry_id(slot2 - 1)
        read = _MAX_READ if count > _MAX_READ - read else read + count
    else:
        index = index1
        slot = slot1
        while True:
            block = blocks[index]
            end = slot2 if index == index2 else block.slots
            buf = block.data()
            while slot < end:
                ms, seq = id_at(buf, block.offset(slot))
                if exact:
                    if read < _MAX_READ:
                        read += 1
                else:
                    read = entries_read_at(stream, ms, seq)
                    group.set_position(ms, seq, read)
                    exact = counts_on(stream, group)
                if not noack:
                    pending.deliver(ms, seq, number, now_ms)
                slot += 1
            if index == index2:
                break
            index += 1
            block = blocks[index]
            slot = block.first
        if not noack:
            consumer.active_ms = now_ms
    group.set_position(ms, seq, read)
    group.next_index = index2
    group.next_slot = slot2


def deliver(
    stream: Stream,
    group: Group,
    consumer: Consumer,
    now_ms: int,
    count: int,
    max_bytes: int,
    noack: bool,
    reply: Reply,
) -> tuple[int, int]:
    """Deliver new entries (XREADGROUP with `>` and without CLAIM)."""
    index1, slot1, index2, slot2, n, size = run_behind(stream, group, count, max_bytes, 0)
    if n == 0:
        return 0, 0
    reply.array(n)
    write_run(stream, index1, slot1, index2, slot2, size, reply)
    hand_over(stream, group, consumer, now_ms, noack, index1, slot1, index2, slot2, n)
    return n, size


def deliver_claiming(
    stream: Stream,
    group: Group,
    consumer: Consumer,
    now_ms: int,
    count: int,
    max_bytes: int,
    min_idle_ms: int,
    noack: bool,
    reply: Reply,
    due: list[int],
) -> tuple[int, int]:
    """Deliver entries that are pending and idle enough, then new ones (XREADGROUP CLAIM).

    Nacked entries come first, then the longest idle ones. They become pending for the consumer
    whatever `noack` says; their handles are appended to `due`, which is empty. Those whose data
    is deleted are passed over.
    """
    pending = group.pending
    records = pending.records
    finder = EntryFinder(stream)
    size = 0
    until_ms = now_ms - min_idle_ms
    handle = first_with_data(pending, finder)
    while handle != 0 and records.time(handle) <= until_ms:
        if len(due) == count or (due and 0 <= max_bytes <= size):
            break
        if finder.find(records.ms(handle), records.seq(handle)):
            due.append(handle)
            size += finder.size + claim_bytes(now_ms - records.time(handle), records.count(handle))
        handle = records.behind(handle)

    index1 = slot1 = index2 = slot2 = n = new_size = 0
    if not due:
        index1, slot1, index2, slot2, n, new_size = run_behind(stream, group, count, max_bytes, 8)
    elif len(due) != count and (max_bytes < 0 or size < max_bytes):
        left = count - len(due) if count >= 0 else -1
        index1, slot1, index2, slot2, n, new_size = run_behind(
            stream, group, left, max_bytes - size if max_bytes >= 0 else -1, 8
        )
    total = len(due) + n
    if total == 0:
        return 0, 0
    reply.array(total)
    for handle in due:
        delivered = records.count(handle)
        finder.find(records.ms(handle), records.seq(handle))
        finder.write_claimed(reply, now_ms - records.time(handle), delivered)
        pending.assign(handle, consumer.number, now_ms, one_more(delivered))
        consumer.active_ms = now_ms
    if n != 0:
        size += write_with_zeros(stream, index1, slot1, index2, slot2, n, new_size, reply)
        hand_over(stream, group, consumer, now_ms, noack, index1, slot1, index2, slot2, n)
    return total, size


def first_with_data(pending: PendingEntries, finder: EntryFinder) -> int:
    """The handle of the first entry in the order by time whose data is not deleted, or 0.

    Data that is deleted does not come back, unless XSETID has set the last-generated ID back
    below it: those before the first are remembered and passed over, up to one above that ID.
    """
    records = pending.records
    stream = finder.stream
    handle = pending.passed
    handle = pending.oldest if handle == 0 else records.behind(handle)
    first_ms, first_seq = stream.first_id()
    final = True
    # Most of them were trimmed: they are below the stream's first entry.
    while handle != 0 and (
        records.compare(handle, first_ms, first_seq) < 0
        or not finder.find(records.ms(handle), records.seq(handle))
    ):
        final = final and records.compare(handle, stream.last_ms, stream.last_seq) <= 0
        if final:
            pending.passed = handle
        handle = records.behind(handle)
    return handle


def claim_bytes(idle_ms: int, count: int) -> int:
    """Return how many bytes the two elements of CLAIM take."""
    return 6 + decimal_length(idle_ms) + decimal_length(count)


def write_with_zeros(
    stream: Stream,
    index1: int,
    slot1: int,
    index2: int,
    slot2: int,
    count: int,
    size: int,
    reply: Reply,
) -> int:
    """Write a run of new entries with the two elements of CLAIM; return their bytes."""
    size += 8 * count
    reply.reserve(size)
    buf = reply.buf
    pos = reply.pos
    for index in range(index1, index2 + 1):
        block = stream.blocks[index]
        slot = slot1 if index == index1 else block.first
        end = slot2 if index == index2 else block.slots
        start = block.offset(slot)
        data = block.data()
        while slot < end:
            slot += 1
            behind = block.offset(slot)
            copy(buf, pos, data, start, behind - start)
            buf[pos + 1] = 52  # *4 instead of *2
            pos += behind - start
            buf[pos] = 58
            buf[pos + 1] = 48
            buf[pos + 2] = 13
            buf[pos + 3] = 10
            buf[pos + 4] = 58
            buf[pos + 5] = 48
            buf[pos + 6] = 13
            buf[pos + 7] = 10
            pos += 8
            start = behind
    reply.pos = pos
    return size


def deliver_history(
    stream: Stream,
    group: Group,
    consumer: Consumer,
    ms: int,
    seq: int,
    now_ms: int,
    count: int,
    max_bytes: int,
    reply: Reply,
) -> tuple[int, int]:
    """Deliver again what the consumer has pending behind an ID (XREADGROUP with an ID).

    Each entry is delivered once more; one whose data is deleted is sent with null fields and
    stays as it was.
    """
    ok, ms, seq = next_id(ms, seq)
    if not ok or count == 0:
        reply.array(0)
        return 0, 0
    pending = group.pending
    finder = EntryFinder(stream)
    limit = pending.count_of(consumer.number)
    if 0 <= count < limit:
        limit = count
    handles = pending.owned_from(consumer.number, ms, seq, limit)
    if max_bytes >= 0:
        del handles[history_within(group, finder, handles, max_bytes) :]
    return len(handles), deliver_handles(stream, group, consumer, handles, now_ms, reply)


def deliver_handles(
    stream: Stream,
    group: Group,
    consumer: Consumer,
    handles: list[int],
    now_ms: int,
    reply: Reply,
) -> int:
    """Deliver these pending entries of the consumer again, as `deliver_history`; their bytes."""
    pending = group.pending
    records = pending.records
    finder = EntryFinder(stream)
    reply.array(len(handles))
    size = 0
    for handle in handles:
        if finder.find(records.ms(handle), records.seq(handle)):
            finder.write(reply)
            size += finder.size
            pending.assign(handle, consumer.number, now_ms, one_more(records.count(handle)))
        else:
            reply.array(2)
            reply.stream_id(records.ms(handle), records.seq(handle))
            reply.null_array()
    return size


def history_within(group: Group, finder: EntryFinder, handles: list[int], max_bytes: int) -> int:
    """Return how many of these pending entries are delivered within a limit of bytes."""
    records = group.pending.records
    kept = 0
    size = 0
    for handle in handles:
        if kept != 0 and size >= max_bytes:
            break
        if finder.find(records.ms(handle), records.seq(handle)):
            size += finder.size
        else:
            size += NULL_ENTRY_BYTES
        kept += 1
    return kept


def claimable_at(stream: Stream, group: Group, min_idle_ms: int) -> int:
    """Return when the first pending entry will be idle enough (unix ms), -1 if there is none.

    Entries whose data is deleted are passed over, as they are never delivered.
    """
    handle = first_with_data(group.pending, EntryFinder(stream))
    if handle == 0:
        return -1
    records = group.pending.records
    time_ms = records.time(handle)
    if min_idle_ms > NEVER_MS - time_ms:
        return NEVER_MS
    return time_ms + min_idle_ms
