"""Orders of pending entries by ID: the handles of their records (records.py), in chunks."""

from __future__ import annotations

from headwater.raw import alloc, copy, get_u32, get_u64, move, put_u32, put_u64
from headwater.streams.records import Records

# A chunk of an order: u64 low ms, u64 low seq, u32 start, u32 end, then handles in
# [start, end). Every ID of the chunk is at or above low, every ID of the chunk before below it.
LOW_SEQ = 8
CHUNK_HEADER_BYTES = 24
CHUNK_START = 16
CHUNK_END = 20
CHUNK_HANDLES = 512  # moving half of a full chunk takes less time than finding the place
SMALL_CHUNK_HANDLES = 4
MERGED_HANDLES = CHUNK_HANDLES // 2  # neighbours that fit in so many become one


def new_chunk(capacity: int, ms: int, seq: int) -> bytearray:
    """Return an empty chunk whose low ID is given."""
    chunk = alloc(CHUNK_HEADER_BYTES + 4 * capacity)
    put_u64(chunk, 0, ms)
    put_u64(chunk, LOW_SEQ, seq)
    put_u32(chunk, CHUNK_START, 0)
    put_u32(chunk, CHUNK_END, 0)
    return chunk


class HandleOrder:
    """Handles in the order of their IDs, in chunks; appending is the cheapest insertion."""

    __slots__ = ("chunks", "found_number", "found_slot", "length")

    def __init__(self) -> None:
        self.chunks: list[bytearray] = []
        self.length = 0
        # Where the last one was removed: the next one is often the one behind it.
        self.found_number = 0
        self.found_slot = 0

    def copy(self) -> HandleOrder:
        twin = HandleOrder()
        for chunk in self.chunks:
            twin.chunks.append(bytearray(chunk))
        twin.length = self.length
        return twin

    def chunk_of(self, ms: int, seq: int) -> int:
        """Return the number of the chunk where an ID is or would be; there must be one."""
        top = len(self.chunks) - 1
        # What is acknowledged is mostly the oldest, in the first chunk.
        low = 0
        if top == 0 or not at_or_above_low(self.chunks[1], ms, seq):
            return 0
        if at_or_above_low(self.chunks[top], ms, seq):
            return top
        while top - low > 1:
            middle = (low + top) >> 1
            if at_or_above_low(self.chunks[middle], ms, seq):
                low = middle
            else:
                top = middle
        return low

    def slot_of(self, records: Records, chunk: bytearray, ms: int, seq: int) -> int:
        """Return the position in a chunk of the first handle whose ID is not below the given."""
        low = get_u32(chunk, CHUNK_START)
        high = get_u32(chunk, CHUNK_END)
        if low == high:
            return low
        if records.compare(get_u32(chunk, CHUNK_HEADER_BYTES + 4 * low), ms, seq) >= 0:
            return low
        if records.compare(get_u32(chunk, CHUNK_HEADER_BYTES + 4 * (high - 1)), ms, seq) < 0:
            return high
        while high - low > 1:
            middle = (low + high) >> 1
            if records.compare(get_u32(chunk, CHUNK_HEADER_BYTES + 4 * middle), ms, seq) < 0:
                low = middle
            else:
                high = middle
        return high

    def append(self, handle: int, ms: int, seq: int) -> None:
        """Append a handle whose ID is above all others in here."""
        self.length += 1
        last = len(self.chunks) - 1
        if last < 0:
            self.chunks.append(new_chunk(SMALL_CHUNK_HANDLES, ms, seq))
            last = 0
        chunk = self.chunks[last]
        end = get_u32(chunk, CHUNK_END)
        if CHUNK_HEADER_BYTES + 4 * end == len(chunk):
            if len(chunk) < CHUNK_HEADER_BYTES + 4 * CHUNK_HANDLES:
                self.make_room_at_end(last)
                chunk = self.chunks[last]
            else:
                chunk = new_chunk(CHUNK_HANDLES, ms, seq)
                self.chunks.append(chunk)
            end = get_u32(chunk, CHUNK_END)
        put_u32(chunk, CHUNK_HEADER_BYTES + 4 * end, handle)
        put_u32(chunk, CHUNK_END, end + 1)

    def insert(self, records: Records, handle: int, ms: int, seq: int) -> None:
        """Insert a handle whose ID is not in here."""
        self.length += 1
        if not self.chunks:
            chunk = new_chunk(SMALL_CHUNK_HANDLES, ms, seq)
            self.chunks.append(chunk)
            put_u32(chunk, CHUNK_HEADER_BYTES, handle)
            put_u32(chunk, CHUNK_END, 1)
            return
        number = self.chunk_of(ms, seq)
        chunk = self.chunks[number]
        slot = self.slot_of(records, chunk, ms, seq)
        end = get_u32(chunk, CHUNK_END)
        capacity = (len(chunk) - CHUNK_HEADER_BYTES) >> 2
        if end == capacity:
            if slot == end and number == len(self.chunks) - 1:
                self.length -= 1
                self.append(handle, ms, seq)
                return
            self.make_room(records, number)
            number = self.chunk_of(ms, seq)
            chunk = self.chunks[number]
            slot = self.slot_of(records, chunk, ms, seq)
            end = get_u32(chunk, CHUNK_END)
        if number == 0 and not at_or_above_low(chunk, ms, seq):
            put_u64(chunk, 0, ms)
            put_u64(chunk, LOW_SEQ, seq)
        pos = CHUNK_HEADER_BYTES + 4 * slot
        if slot != end:
            move(chunk, pos + 4, pos, 4 * (end - slot))
        put_u32(chunk, pos, handle)
        put_u32(chunk, CHUNK_END, end + 1)

    def make_room_at_end(self, number: int) -> bool:
        """Move a chunk's handles to its beginning or into a bigger one; False if it is full."""
        chunk = self.chunks[number]
        start = get_u32(chunk, CHUNK_START)
        end = get_u32(chunk, CHUNK_END)
        capacity = (len(chunk) - CHUNK_HEADER_BYTES) >> 2
        if start > 0 and start >= capacity >> 2:
            move(chunk, CHUNK_HEADER_BYTES, CHUNK_HEADER_BYTES + 4 * start, 4 * (end - start))
            put_u32(chunk, CHUNK_START, 0)
            put_u32(chunk, CHUNK_END, end - start)
            return True
        if capacity < CHUNK_HANDLES:
            grown = new_chunk(capacity * 4 if capacity < 128 else CHUNK_HANDLES, 0, 0)
            copy(grown, 0, chunk, 0, len(chunk))
            self.chunks[number] = grown
            return True
        return False

    def make_room(self, records: Records, number: int) -> None:
        """Change a chunk that is full at its end so that a handle can be inserted anywhere."""
        if self.make_room_at_end(number):
            return
        chunk = self.chunks[number]
        start = get_u32(chunk, CHUNK_START)
        end = get_u32(chunk, CHUNK_END)
        middle = (start + end) >> 1
        first = get_u32(chunk, CHUNK_HEADER_BYTES + 4 * middle)
        half = new_chunk(CHUNK_HANDLES, records.ms(first), records.seq(first))
        copy(
            half,
            CHUNK_HEADER_BYTES,
            chunk,
            CHUNK_HEADER_BYTES + 4 * middle,
            4 * (end - middle),
        )
        put_u32(half, CHUNK_END, end - middle)
        put_u32(chunk, CHUNK_END, middle)
        self.chunks.insert(number + 1, half)

    def remove(self, records: Records, ms: int, seq: int) -> int:
        """Remove the handle of an ID and return it, or 0 if there is none."""
        number = self.found_number
        slot = self.found_slot
        if number < len(self.chunks):
            chunk = self.chunks[number]
            if get_u32(chunk, CHUNK_START) <= slot < get_u32(chunk, CHUNK_END):
                handle = get_u32(chunk, CHUNK_HEADER_BYTES + 4 * slot)
                if records.compare(handle, ms, seq) == 0:
                    self.drop(number, slot)
                    return handle
        elif not self.chunks:
            return 0
        number = self.chunk_of(ms, seq)
        chunk = self.chunks[number]
        slot = self.slot_of(records, chunk, ms, seq)
        if slot == get_u32(chunk, CHUNK_END):
            return 0
        handle = get_u32(chunk, CHUNK_HEADER_BYTES + 4 * slot)
        if records.compare(handle, ms, seq) != 0:
            return 0
        self.drop(number, slot)
        return handle

    def take_out(self, records: Records, handle: int, ms: int, seq: int) -> None:
        """Remove a handle that is in here, by its ID."""
        number = self.found_number
        slot = self.found_slot
        found = False
        if number < len(self.chunks):
            chunk = self.chunks[number]
            found = (
                get_u32(chunk, CHUNK_START) <= slot < get_u32(chunk, CHUNK_END)
                and get_u32(chunk, CHUNK_HEADER_BYTES + 4 * slot) == handle
            )
        if not found:
            number = self.chunk_of(ms, seq)
            slot = self.slot_of(records, self.chunks[number], ms, seq)
        self.drop(number, slot)

    def drop(self, number: int, slot: int) -> None:
        """Remove the handle in a slot of a chunk."""
        chunk = self.chunks[number]
        start = get_u32(chunk, CHUNK_START)
        end = get_u32(chunk, CHUNK_END)
        pos = CHUNK_HEADER_BYTES + 4 * slot
        self.found_number = number
        self.found_slot = slot
        self.length -= 1
        # The shorter side moves: removing the first or the last moves nothing.
        if slot - start < end - slot - 1:
            if slot != start:
                first = CHUNK_HEADER_BYTES + 4 * start
                move(chunk, first + 4, first, 4 * (slot - start))
            start += 1
            put_u32(chunk, CHUNK_START, start)
            self.found_slot = slot + 1
        else:
            end -= 1
            if slot != end:
                move(chunk, pos, pos + 4, 4 * (end - slot))
            put_u32(chunk, CHUNK_END, end)
        if start == end:
            del self.chunks[number]
            self.found_slot = 0
        elif end - start < MERGED_HANDLES >> 1 and len(self.chunks) > 1:
            self.merge(number)

    def merge(self, number: int) -> None:
        """Join a chunk with a neighbour if both together are small."""
        if number + 1 == len(self.chunks):
            number -= 1
        left = self.chunks[number]
        right = self.chunks[number + 1]
        left_start = get_u32(left, CHUNK_START)
        right_start = get_u32(right, CHUNK_START)
        left_length = get_u32(left, CHUNK_END) - left_start
        right_length = get_u32(right, CHUNK_END) - right_start
        if left_length + right_length > MERGED_HANDLES:
            return
        joined = new_chunk(CHUNK_HANDLES, get_u64(left, 0), get_u64(left, LOW_SEQ))
        copy(joined, CHUNK_HEADER_BYTES, left, CHUNK_HEADER_BYTES + 4 * left_start, 4 * left_length)
        copy(
            joined,
            CHUNK_HEADER_BYTES + 4 * left_length,
            right,
            CHUNK_HEADER_BYTES + 4 * right_start,
            4 * right_length,
        )
        put_u32(joined, CHUNK_END, left_length + right_length)
        self.chunks[number] = joined
        del self.chunks[number + 1]

    def find(self, records: Records, ms: int, seq: int) -> int:
        """Return the handle of an ID, or 0."""
        if not self.chunks:
            return 0
        chunk = self.chunks[self.chunk_of(ms, seq)]
        slot = self.slot_of(records, chunk, ms, seq)
        if slot == get_u32(chunk, CHUNK_END):
            return 0
        handle = get_u32(chunk, CHUNK_HEADER_BYTES + 4 * slot)
        if records.compare(handle, ms, seq) != 0:
            return 0
        return handle

    def first(self) -> int:
        """Return the handle of the lowest ID, or 0."""
        if not self.chunks:
            return 0
        chunk = self.chunks[0]
        return get_u32(chunk, CHUNK_HEADER_BYTES + 4 * get_u32(chunk, CHUNK_START))

    def last(self) -> int:
        """Return the handle of the highest ID, or 0."""
        if not self.chunks:
            return 0
        chunk = self.chunks[len(self.chunks) - 1]
        return get_u32(chunk, CHUNK_HEADER_BYTES + 4 * (get_u32(chunk, CHUNK_END) - 1))

    def handles_from(self, records: Records, ms: int, seq: int, limit: int) -> list[int]:
        """Return at most `limit` handles in order, from an ID (inclusive) upwards."""
        found: list[int] = []
        if not self.chunks or limit <= 0:
            return found
        number = self.chunk_of(ms, seq)
        chunk = self.chunks[number]
        slot = self.slot_of(records, chunk, ms, seq)
        while True:
            end = get_u32(chunk, CHUNK_END)
            while slot < end:
                found.append(get_u32(chunk, CHUNK_HEADER_BYTES + 4 * slot))
                limit -= 1
                if limit == 0:
                    return found
                slot += 1
            number += 1
            if number == len(self.chunks):
                return found
            chunk = self.chunks[number]
            slot = get_u32(chunk, CHUNK_START)

    def skip(
        self, records: Records, ms: int, seq: int, limit: int, end_ms: int, end_seq: int
    ) -> tuple[int, int]:
        """Pass over IDs from one (inclusive) on: at most `limit`, all below the end.

        Returns how many that were, and the handle of the next one, or 0.
        """
        if not self.chunks:
            return 0, 0
        passed = 0
        number = self.chunk_of(ms, seq)
        chunk = self.chunks[number]
        slot = self.slot_of(records, chunk, ms, seq)
        while True:
            end = get_u32(chunk, CHUNK_END)
            if slot < end:
                last = get_u32(chunk, CHUNK_HEADER_BYTES + 4 * (end - 1))
                behind = end
                if records.compare(last, end_ms, end_seq) >= 0:
                    behind = self.slot_of(records, chunk, end_ms, end_seq)
                if behind - slot >= limit - passed:
                    behind = slot + limit - passed
                if behind > slot:
                    passed += behind - slot
                    slot = behind
                if slot < end:
                    return passed, get_u32(chunk, CHUNK_HEADER_BYTES + 4 * slot)
            number += 1
            if number == len(self.chunks):
                return passed, 0
            chunk = self.chunks[number]
            slot = get_u32(chunk, CHUNK_START)

    def start(self, number: int) -> int:
        """The first slot of a chunk that holds a handle."""
        return get_u32(self.chunks[number], CHUNK_START)

    def end(self, number: int) -> int:
        """The slot behind the last one of a chunk that holds a handle."""
        return get_u32(self.chunks[number], CHUNK_END)

    def handle(self, number: int, slot: int) -> int:
        """The handle in a slot of a chunk."""
        return get_u32(self.chunks[number], CHUNK_HEADER_BYTES + 4 * slot)

    def leave_out(self, records: Records, owner: int) -> None:
        """Remove the handles of all records that have this owner."""
        chunks: list[bytearray] = []
        self.length = 0
        for chunk in self.chunks:
            start = get_u32(chunk, CHUNK_START)
            kept = start
            for slot in range(start, get_u32(chunk, CHUNK_END)):
                handle = get_u32(chunk, CHUNK_HEADER_BYTES + 4 * slot)
                if records.owner(handle) != owner:
                    put_u32(chunk, CHUNK_HEADER_BYTES + 4 * kept, handle)
                    kept += 1
            put_u32(chunk, CHUNK_END, kept)
            if kept != start:
                chunks.append(chunk)
                self.length += kept - start
        self.chunks = chunks
        for number in range(len(chunks) - 2, -1, -1):
            self.merge(number)

    def check(self, records: Records) -> list[int]:
        """Verify the order and return all its handles; for tests."""
        handles: list[int] = []
        for number, chunk in enumerate(self.chunks):
            start = get_u32(chunk, CHUNK_START)
            end = get_u32(chunk, CHUNK_END)
            capacity = (len(chunk) - CHUNK_HEADER_BYTES) >> 2
            assert start < end <= capacity <= CHUNK_HANDLES
            assert capacity == CHUNK_HANDLES or len(self.chunks) == 1
            for slot in range(start, end):
                handle = get_u32(chunk, CHUNK_HEADER_BYTES + 4 * slot)
                ms = records.ms(handle)
                seq = records.seq(handle)
                assert at_or_above_low(chunk, ms, seq)
                assert number + 1 == len(self.chunks) or not at_or_above_low(
                    self.chunks[number + 1], ms, seq
                )
                assert not handles or records.compare(handles[len(handles) - 1], ms, seq) < 0
                handles.append(handle)
        assert len(handles) == self.length
        return handles


def at_or_above_low(chunk: bytearray, ms: int, seq: int) -> bool:
    """Tell whether an ID is not below the low ID of a chunk."""
    low = get_u64(chunk, 0)
    if low != ms:
        return low < ms
    return get_u64(chunk, LOW_SEQ) <= seq
