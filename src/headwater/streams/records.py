"""Memory of pending entries: records of fixed width, and orders of their handles by ID.

A record is named by its handle, a 32-bit number that stays valid until the record is given
back; 0 is no record. What the records mean is pending.py's business.

A record (RECORD_BYTES, little endian):

    0  u64 ms       the ID's two halves
    8  u64 seq
   16  i64 time     last delivery, unix ms; 0 while nacked
   24  u64 count    deliveries
   32  u32 owner    0 while nacked
   36  u32 before   handle of the neighbour delivered before, in the order by time
   40  u32 behind   handle of the neighbour delivered after; in a free record, the next free one
"""

from __future__ import annotations

from headwater.raw import alloc, copy, get_i64, get_u32, get_u64, move, put_i64, put_u32, put_u64

RECORD_BYTES = 44
SEQ = 8
TIME = 16
COUNT = 24
OWNER = 32
BEFORE = 36
BEHIND = 40

# A page of records: u32 records in use, u32 first free record + 1, u32 records ever used,
# u32 capacity, then the records.
PAGE_HEADER_BYTES = 16
PAGE_FREE = 4
PAGE_USED = 8
PAGE_CAPACITY = 12
PAGE_SHIFT = 10
PAGE_RECORDS = 1 << PAGE_SHIFT  # 45 KB: few enough pages to list, small enough to come and go
PAGE_MASK = PAGE_RECORDS - 1
SMALL_PAGE_RECORDS = 16  # the first page starts small: most groups have little pending

# A chunk of an order: u64 low ms, u64 low seq, u32 start, u32 end, then handles in
# [start, end). Every ID of the chunk is at or above low, every ID of the chunk before below it.
CHUNK_HEADER_BYTES = 24
CHUNK_START = 16
CHUNK_END = 20
CHUNK_HANDLES = 512  # moving half of a full chunk takes less time than finding the place
SMALL_CHUNK_HANDLES = 4
MERGED_HANDLES = CHUNK_HANDLES // 2  # neighbours that fit in so many become one


def new_page(number: int, capacity: int) -> bytearray:
    """Return an empty page; the first record of page 0 is never used, as its handle is 0."""
    page = alloc(PAGE_HEADER_BYTES + capacity * RECORD_BYTES)
    put_u32(page, 0, 0)
    put_u32(page, PAGE_FREE, 0)
    put_u32(page, PAGE_USED, 1 if number == 0 else 0)
    put_u32(page, PAGE_CAPACITY, capacity)
    return page


def new_chunk(capacity: int, ms: int, seq: int) -> bytearray:
    """Return an empty chunk whose low ID is given."""
    chunk = alloc(CHUNK_HEADER_BYTES + 4 * capacity)
    put_u64(chunk, 0, ms)
    put_u64(chunk, SEQ, seq)
    put_u32(chunk, CHUNK_START, 0)
    put_u32(chunk, CHUNK_END, 0)
    return chunk


class Records:
    """Memory of records, in pages that are given back once nothing in them is used."""

    __slots__ = ("current", "live", "pages", "roomy", "spare")

    def __init__(self) -> None:
        self.pages: list[bytearray] = [new_page(0, SMALL_PAGE_RECORDS)]
        self.current = 0  # the page that new records come from
        self.live = 0
        self.roomy: list[int] = []  # pages that had a free record when they were listed
        self.spare: list[int] = []  # numbers of pages that were given back

    def take(self) -> int:
        """Return the handle of a record that was free; its content is undefined."""
        page = self.pages[self.current]
        free = get_u32(page, PAGE_FREE)
        if free == 0 and get_u32(page, PAGE_USED) == get_u32(page, PAGE_CAPACITY):
            self.turn_page()
            page = self.pages[self.current]
            free = get_u32(page, PAGE_FREE)
        if free != 0:
            index = free - 1
            put_u32(
                page, PAGE_FREE, get_u32(page, PAGE_HEADER_BYTES + index * RECORD_BYTES + BEHIND)
            )
        else:
            index = get_u32(page, PAGE_USED)
            put_u32(page, PAGE_USED, index + 1)
        put_u32(page, 0, get_u32(page, 0) + 1)
        self.live += 1
        return (self.current << PAGE_SHIFT) + index

    def turn_page(self) -> None:
        """Make a page with a free record the current one."""
        page = self.pages[self.current]
        capacity = get_u32(page, PAGE_CAPACITY)
        if capacity < PAGE_RECORDS:
            grown = new_page(self.current, capacity * 4)
            copy(grown, 0, page, 0, PAGE_CAPACITY)
            copy(grown, PAGE_HEADER_BYTES, page, PAGE_HEADER_BYTES, capacity * RECORD_BYTES)
            self.pages[self.current] = grown
            return
        while self.roomy:
            number = self.roomy.pop()
            page = self.pages[number]
            if len(page) != 0 and get_u32(page, PAGE_FREE) != 0:
                self.current = number
                return
        if self.spare:
            number = self.spare.pop()
            self.pages[number] = new_page(number, PAGE_RECORDS)
        else:
            number = len(self.pages)
            self.pages.append(new_page(number, PAGE_RECORDS))
        self.current = number

    def give(self, handle: int) -> None:
        """Take a record back; its page goes too if it was the last one there."""
        number = handle >> PAGE_SHIFT
        index = handle & PAGE_MASK
        page = self.pages[number]
        live = get_u32(page, 0) - 1
        self.live -= 1
        if self.live == 0:
            self.reset()
            return
        if live == 0:
            if number != self.current:
                self.pages[number] = bytearray()
                self.spare.append(number)
                return
            put_u32(page, PAGE_USED, 1 if number == 0 else 0)
            put_u32(page, PAGE_FREE, 0)
            put_u32(page, 0, 0)
            return
        free = get_u32(page, PAGE_FREE)
        if (
            free == 0
            and number != self.current
            and get_u32(page, PAGE_USED) == get_u32(page, PAGE_CAPACITY)
        ):
            self.roomy.append(number)
        put_u32(page, PAGE_HEADER_BYTES + index * RECORD_BYTES + BEHIND, free)
        put_u32(page, PAGE_FREE, index + 1)
        put_u32(page, 0, live)

    def reset(self) -> None:
        """Forget everything and keep no more than a new object has."""
        page = self.pages[0]
        self.pages.clear()
        if len(page) != PAGE_HEADER_BYTES + SMALL_PAGE_RECORDS * RECORD_BYTES:
            page = new_page(0, SMALL_PAGE_RECORDS)
        put_u32(page, 0, 0)
        put_u32(page, PAGE_FREE, 0)
        put_u32(page, PAGE_USED, 1)
        self.pages.append(page)
        self.current = 0
        self.live = 0
        self.roomy.clear()
        self.spare.clear()

    def copy(self) -> Records:
        """Return a copy in which every handle means the same."""
        twin = Records()
        twin.pages.clear()
        for page in self.pages:
            twin.pages.append(bytearray(page))
        twin.current = self.current
        twin.live = self.live
        twin.roomy.extend(self.roomy)
        twin.spare.extend(self.spare)
        return twin

    def check(self) -> None:
        """Verify that the pages' counts and lists agree; for tests."""
        total = 0
        for number, page in enumerate(self.pages):
            if not page:
                assert number in self.spare
                assert number != self.current
                continue
            assert number not in self.spare
            capacity = get_u32(page, PAGE_CAPACITY)
            assert len(page) == PAGE_HEADER_BYTES + capacity * RECORD_BYTES
            assert capacity == PAGE_RECORDS or len(self.pages) == 1
            used = get_u32(page, PAGE_USED)
            free = 0
            index = get_u32(page, PAGE_FREE)
            while index != 0:
                assert index <= used
                free += 1
                index = get_u32(page, PAGE_HEADER_BYTES + (index - 1) * RECORD_BYTES + BEHIND)
            assert get_u32(page, 0) == used - free - (1 if number == 0 else 0)
            assert number == self.current or used == capacity
            assert free == 0 or number == self.current or number in self.roomy
            total += get_u32(page, 0)
        assert total == self.live

    # --- the fields of a record ---

    def fill(self, handle: int, ms: int, seq: int, time_ms: int, count: int, owner: int) -> None:
        """Set all fields but the neighbours."""
        page = self.pages[handle >> PAGE_SHIFT]
        pos = PAGE_HEADER_BYTES + (handle & PAGE_MASK) * RECORD_BYTES
        put_u64(page, pos, ms)
        put_u64(page, pos + SEQ, seq)
        put_i64(page, pos + TIME, time_ms)
        put_u64(page, pos + COUNT, count)
        put_u32(page, pos + OWNER, owner)

    def append(self, ms: int, seq: int, time_ms: int, count: int, owner: int, before: int) -> int:
        """Take a record, set all its fields, with nothing behind it, and return its handle."""
        page = self.pages[self.current]
        index = get_u32(page, PAGE_USED)
        if get_u32(page, PAGE_FREE) == 0 and index < get_u32(page, PAGE_CAPACITY):
            put_u32(page, PAGE_USED, index + 1)
            put_u32(page, 0, get_u32(page, 0) + 1)
            self.live += 1
            handle = (self.current << PAGE_SHIFT) + index
        else:
            handle = self.take()
            page = self.pages[handle >> PAGE_SHIFT]
            index = handle & PAGE_MASK
        pos = PAGE_HEADER_BYTES + index * RECORD_BYTES
        put_u64(page, pos, ms)
        put_u64(page, pos + SEQ, seq)
        put_i64(page, pos + TIME, time_ms)
        put_u64(page, pos + COUNT, count)
        put_u32(page, pos + OWNER, owner)
        put_u32(page, pos + BEFORE, before)
        put_u32(page, pos + BEHIND, 0)
        return handle

    def ms(self, handle: int) -> int:
        page = self.pages[handle >> PAGE_SHIFT]
        return get_u64(page, PAGE_HEADER_BYTES + (handle & PAGE_MASK) * RECORD_BYTES)

    def seq(self, handle: int) -> int:
        page = self.pages[handle >> PAGE_SHIFT]
        return get_u64(page, PAGE_HEADER_BYTES + (handle & PAGE_MASK) * RECORD_BYTES + SEQ)

    def time(self, handle: int) -> int:
        page = self.pages[handle >> PAGE_SHIFT]
        return get_i64(page, PAGE_HEADER_BYTES + (handle & PAGE_MASK) * RECORD_BYTES + TIME)

    def set_time(self, handle: int, time_ms: int) -> None:
        page = self.pages[handle >> PAGE_SHIFT]
        put_i64(page, PAGE_HEADER_BYTES + (handle & PAGE_MASK) * RECORD_BYTES + TIME, time_ms)

    def count(self, handle: int) -> int:
        page = self.pages[handle >> PAGE_SHIFT]
        return get_u64(page, PAGE_HEADER_BYTES + (handle & PAGE_MASK) * RECORD_BYTES + COUNT)

    def set_count(self, handle: int, count: int) -> None:
        page = self.pages[handle >> PAGE_SHIFT]
        put_u64(page, PAGE_HEADER_BYTES + (handle & PAGE_MASK) * RECORD_BYTES + COUNT, count)

    def owner(self, handle: int) -> int:
        page = self.pages[handle >> PAGE_SHIFT]
        return get_u32(page, PAGE_HEADER_BYTES + (handle & PAGE_MASK) * RECORD_BYTES + OWNER)

    def set_owner(self, handle: int, owner: int) -> None:
        page = self.pages[handle >> PAGE_SHIFT]
        put_u32(page, PAGE_HEADER_BYTES + (handle & PAGE_MASK) * RECORD_BYTES + OWNER, owner)

    def before(self, handle: int) -> int:
        page = self.pages[handle >> PAGE_SHIFT]
        return get_u32(page, PAGE_HEADER_BYTES + (handle & PAGE_MASK) * RECORD_BYTES + BEFORE)

    def set_before(self, handle: int, other: int) -> None:
        page = self.pages[handle >> PAGE_SHIFT]
        put_u32(page, PAGE_HEADER_BYTES + (handle & PAGE_MASK) * RECORD_BYTES + BEFORE, other)

    def behind(self, handle: int) -> int:
        page = self.pages[handle >> PAGE_SHIFT]
        return get_u32(page, PAGE_HEADER_BYTES + (handle & PAGE_MASK) * RECORD_BYTES + BEHIND)

    def set_behind(self, handle: int, other: int) -> None:
        page = self.pages[handle >> PAGE_SHIFT]
        put_u32(page, PAGE_HEADER_BYTES + (handle & PAGE_MASK) * RECORD_BYTES + BEHIND, other)

    def compare(self, handle: int, ms: int, seq: int) -> int:
        """Return -1, 0 or 1: how the ID of a record compares with the one given."""
        page = self.pages[handle >> PAGE_SHIFT]
        pos = PAGE_HEADER_BYTES + (handle & PAGE_MASK) * RECORD_BYTES
        own = get_u64(page, pos)
        if own != ms:
            return -1 if own < ms else 1
        own = get_u64(page, pos + SEQ)
        if own != seq:
            return -1 if own < seq else 1
        return 0


class HandleOrder:
    """Handles in the order of their IDs, in chunks; appending is the cheapest insertion."""

    __slots__ = ("chunks", "length")

    def __init__(self) -> None:
        self.chunks: list[bytearray] = []
        self.length = 0

    def copy(self) -> HandleOrder:
        twin = HandleOrder()
        for chunk in self.chunks:
            twin.chunks.append(bytearray(chunk))
        twin.length = self.length
        return twin

    def chunk_of(self, ms: int, seq: int) -> int:
        """Return the number of the chunk where an ID is or would be; there must be one."""
        top = len(self.chunks) - 1
        if top == 0 or at_or_above_low(self.chunks[top], ms, seq):
            return top
        # What is acknowledged is mostly the oldest, in the first chunk.
        low = 0
        if not at_or_above_low(self.chunks[1], ms, seq):
            return 0
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
        if last >= 0:
            chunk = self.chunks[last]
            end = get_u32(chunk, CHUNK_END)
            pos = CHUNK_HEADER_BYTES + 4 * end
            if pos < len(chunk):
                put_u32(chunk, pos, handle)
                put_u32(chunk, CHUNK_END, end + 1)
                return
            if len(chunk) < CHUNK_HEADER_BYTES + 4 * CHUNK_HANDLES:
                self.make_room_at_end(last)
                chunk = self.chunks[last]
                end = get_u32(chunk, CHUNK_END)
                put_u32(chunk, CHUNK_HEADER_BYTES + 4 * end, handle)
                put_u32(chunk, CHUNK_END, end + 1)
                return
        chunk = new_chunk(SMALL_CHUNK_HANDLES if last < 0 else CHUNK_HANDLES, ms, seq)
        self.chunks.append(chunk)
        put_u32(chunk, CHUNK_HEADER_BYTES, handle)
        put_u32(chunk, CHUNK_END, 1)

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
            put_u64(chunk, SEQ, seq)
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
        if not self.chunks:
            return 0
        number = self.chunk_of(ms, seq)
        chunk = self.chunks[number]
        slot = self.slot_of(records, chunk, ms, seq)
        start = get_u32(chunk, CHUNK_START)
        end = get_u32(chunk, CHUNK_END)
        if slot == end:
            return 0
        pos = CHUNK_HEADER_BYTES + 4 * slot
        handle = get_u32(chunk, pos)
        if records.compare(handle, ms, seq) != 0:
            return 0
        self.length -= 1
        # The shorter side moves: removing the first or the last moves nothing.
        if slot - start < end - slot - 1:
            if slot != start:
                first = CHUNK_HEADER_BYTES + 4 * start
                move(chunk, first + 4, first, 4 * (slot - start))
            start += 1
            put_u32(chunk, CHUNK_START, start)
        else:
            end -= 1
            if slot != end:
                move(chunk, pos, pos + 4, 4 * (end - slot))
            put_u32(chunk, CHUNK_END, end)
        if start == end:
            del self.chunks[number]
        elif end - start < MERGED_HANDLES >> 1 and len(self.chunks) > 1:
            self.merge(number)
        return handle

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
        joined = new_chunk(CHUNK_HANDLES, get_u64(left, 0), get_u64(left, SEQ))
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
    return get_u64(chunk, SEQ) <= seq
