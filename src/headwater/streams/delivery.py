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
from headwater.streams.block import Block
from headwater.streams.group import Consumer, Group
from headwater.streams.ids import MAX, next_id
from headwater.streams.lag import counts_on, entries_read_at
from headwater.streams.range import Range
from headwater.streams.stream import Stream

MAX_COUNT = 2**63 - 1  # deliveries stay at this, which is what XNACK FATAL sets
_MAX_COUNT = MAX_COUNT  # the same as a C number
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
    of `block.buf` from `start` on.
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
        reply.span(self.block.buf, self.start, self.size)

    def write_claimed(self, reply: Reply, idle_ms: int, count: int) -> None:
        """Write the entry that was found with the two elements of CLAIM."""
        reply.raw_bytes(b"*4\r\n")
        reply.span(self.block.buf, self.start + TWO_ELEMENTS_BYTES, self.size - TWO_ELEMENTS_BYTES)
        reply.integer(idle_ms)
        reply.integer(count)


def new_entries(
    stream: Stream, group: Group, count: int, max_bytes: int, extra_bytes: int
) -> Range | None:
    """Return the entries behind the last-delivered ID, within the limits; None for none.

    Each counts as `extra_bytes` more than it is stored as.
    """
    if stream.length == 0 or (
        group.last_ms > stream.last_ms
        or (group.last_ms == stream.last_ms and group.last_seq >= stream.last_seq)
    ):
        return None
    ok, ms, seq = next_id(group.last_ms, group.last_seq)
    if not ok:
        return None
    run = stream.range(ms, seq, MAX, MAX, count, False)
    if run is None or max_bytes < 0 or run.size + extra_bytes * run.count <= max_bytes:
        return run
    kept = 0
    size = 0
    for index in range(run.index1, run.index2 + 1):
        block = stream.blocks[index]
        slot = run.slot1 if index == run.index1 else block.first
        end = run.slot2 if index == run.index2 else block.slots
        while slot < end:
            if kept != 0 and size >= max_bytes:
                run.keep(kept, False)
                return run
            size += block.offset(slot + 1) - block.offset(slot) + extra_bytes
            kept += 1
            slot += 1
    return run


def hand_over(
    stream: Stream, group: Group, consumer: Consumer, now_ms: int, noack: bool, run: Range
) -> None:
    """Make the group and the consumer hold a run of new entries.

    They become pending unless `noack`; the last-delivered ID and the counter follow.
    """
    pending = group.pending
    number = consumer.number
    read = group.entries_read
    exact = counts_on(stream, group)
    ms = group.last_ms
    seq = group.last_seq
    if exact and noack:
        block = stream.blocks[run.index2]
        ms, seq = block.entry_id(run.slot2 - 1)
        read = _MAX_READ if run.count > _MAX_READ - read else read + run.count
        group.set_position(ms, seq, read)
        return
    for index in range(run.index1, run.index2 + 1):
        block = stream.blocks[index]
        slot = run.slot1 if index == run.index1 else block.first
        end = run.slot2 if index == run.index2 else block.slots
        while slot < end:
            ms, seq = block.entry_id(slot)
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
    group.set_position(ms, seq, read)
    if not noack:
        consumer.active_ms = now_ms


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
    run = new_entries(stream, group, count, max_bytes, 0)
    if run is None:
        return 0, 0
    reply.array(run.count)
    run.write(reply, False)
    hand_over(stream, group, consumer, now_ms, noack, run)
    return run.count, run.size


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
    finder = EntryFinder(stream)
    size = 0
    until_ms = now_ms - min_idle_ms
    handle = pending.oldest
    while handle != 0 and pending.records.time(handle) <= until_ms:
        if len(due) == count or (due and 0 <= max_bytes <= size):
            break
        if finder.find(pending.records.ms(handle), pending.records.seq(handle)):
            due.append(handle)
            size += finder.size + claim_bytes(
                now_ms - pending.records.time(handle), pending.records.count(handle)
            )
        handle = pending.records.behind(handle)

    run = None
    if not due:
        run = new_entries(stream, group, count, max_bytes, 8)
    elif len(due) != count and (max_bytes < 0 or size < max_bytes):
        left = count - len(due) if count >= 0 else -1
        run = new_entries(stream, group, left, max_bytes - size if max_bytes >= 0 else -1, 8)
    total = len(due)
    if run is not None:
        total += run.count
    if total == 0:
        return 0, 0
    reply.array(total)
    for handle in due:
        delivered = pending.records.count(handle)
        finder.find(pending.records.ms(handle), pending.records.seq(handle))
        finder.write_claimed(reply, now_ms - pending.records.time(handle), delivered)
        pending.assign(handle, consumer.number, now_ms, one_more(delivered))
        consumer.active_ms = now_ms
    if run is not None:
        size += write_with_zeros(stream, run, reply)
        hand_over(stream, group, consumer, now_ms, noack, run)
    return total, size


def claim_bytes(idle_ms: int, count: int) -> int:
    """Return how many bytes the two elements of CLAIM take."""
    return 6 + decimal_length(idle_ms) + decimal_length(count)


def write_with_zeros(stream: Stream, run: Range, reply: Reply) -> int:
    """Write new entries with the two elements of CLAIM; return their bytes."""
    size = run.size + 8 * run.count
    reply.reserve(size)
    buf = reply.buf
    pos = reply.pos
    for index in range(run.index1, run.index2 + 1):
        block = stream.blocks[index]
        slot = run.slot1 if index == run.index1 else block.first
        end = run.slot2 if index == run.index2 else block.slots
        start = block.offset(slot)
        while slot < end:
            slot += 1
            behind = block.offset(slot)
            copy(buf, pos, block.buf, start, behind - start)
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
    reply.array(len(handles))
    size = 0
    for handle in handles:
        if finder.find(pending.records.ms(handle), pending.records.seq(handle)):
            finder.write(reply)
            size += finder.size
            pending.assign(handle, consumer.number, now_ms, one_more(pending.records.count(handle)))
        else:
            reply.array(2)
            reply.stream_id(pending.records.ms(handle), pending.records.seq(handle))
            reply.null_array()
    return len(handles), size


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
    records = group.pending.records
    finder = EntryFinder(stream)
    handle = group.pending.oldest
    while handle != 0 and not finder.find(records.ms(handle), records.seq(handle)):
        handle = records.behind(handle)
    if handle == 0:
        return -1
    time_ms = records.time(handle)
    if min_idle_ms > NEVER_MS - time_ms:
        return NEVER_MS
    return time_ms + min_idle_ms
