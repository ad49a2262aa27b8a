"""Memory of pending entries: records of fixed width.

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

from headwater.raw import alloc, copy, get_i64, get_u32, get_u64, put_i64, put_u32, put_u64

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


def new_page(number: int, capacity: int) -> bytearray:
    """Return an empty page; the first record of page 0 is never used, as its handle is 0."""
    page = alloc(PAGE_HEADER_BYTES + capacity * RECORD_BYTES)
    put_u32(page, 0, 0)
    put_u32(page, PAGE_FREE, 0)
    put_u32(page, PAGE_USED, 1 if number == 0 else 0)
    put_u32(page, PAGE_CAPACITY, capacity)
    return page


class Records:
    """Memory of records, in pages that are given back once nothing in them is used.

    A copy shares the pages: either side copies one when it first writes to it. `shared` tells
    which pages are, with a byte for each; `sharing` whether any may be.
    """

    __slots__ = ("current", "live", "pages", "roomy", "shared", "sharing", "spare")

    def __init__(self) -> None:
        self.pages: list[bytearray] = [new_page(0, SMALL_PAGE_RECORDS)]
        self.current = 0  # the page that new records come from
        self.live = 0
        self.roomy: list[int] = []  # pages that had a free record when they were listed
        self.spare: list[int] = []  # numbers of pages that were given back
        self.sharing = False
        self.shared = bytearray()

    def page_to_write(self, number: int) -> bytearray:
        """A page that nobody else has."""
        page = self.pages[number]
        if self.sharing and number < len(self.shared) and self.shared[number] != 0:
            page = bytearray(page)
            self.pages[number] = page
            self.shared[number] = 0
        return page

    def take(self) -> int:
        """Return the handle of a record that was free; its content is undefined."""
        page = self.page_to_write(self.current)
        free = get_u32(page, PAGE_FREE)
        if free == 0 and get_u32(page, PAGE_USED) == get_u32(page, PAGE_CAPACITY):
            self.turn_page()
            page = self.page_to_write(self.current)
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
        elif live != 0:
            page = self.page_to_write(number)
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
        elif number != self.current:
            self.pages[number] = bytearray()
            self.spare.append(number)
        else:
            page = self.page_to_write(number)
            put_u32(page, PAGE_USED, 1 if number == 0 else 0)
            put_u32(page, PAGE_FREE, 0)
            put_u32(page, 0, 0)

    def give_run(self, first: int, n: int) -> None:
        """Take back `n` records whose handles follow each other; there must be others."""
        while n > 0:
            index = first & PAGE_MASK
            here = min(n, PAGE_RECORDS - index)
            # The first and the last one in a page see to the page itself.
            self.give(first)
            if here > 2:
                page = self.page_to_write(first >> PAGE_SHIFT)
                free = get_u32(page, PAGE_FREE)
                for between in range(index + 1, index + here - 1):
                    put_u32(page, PAGE_HEADER_BYTES + between * RECORD_BYTES + BEHIND, free)
                    free = between + 1
                put_u32(page, PAGE_FREE, free)
                put_u32(page, 0, get_u32(page, 0) - (here - 2))
                self.live -= here - 2
            if here > 1:
                self.give(first + here - 1)
            first += here
            n -= here

    def reset(self) -> None:
        """Forget everything and keep no more than a new object has."""
        page = self.pages[0]
        self.pages.clear()
        if self.sharing or len(page) != PAGE_HEADER_BYTES + SMALL_PAGE_RECORDS * RECORD_BYTES:
            page = new_page(0, SMALL_PAGE_RECORDS)
        self.sharing = False
        self.shared = bytearray()
        put_u32(page, 0, 0)
        put_u32(page, PAGE_FREE, 0)
        put_u32(page, PAGE_USED, 1)
        self.pages.append(page)
        self.current = 0
        self.live = 0
        self.roomy.clear()
        self.spare.clear()

    def copy(self) -> Records:
        """Return a copy in which every handle means the same.

        It takes no time for each record: the pages are shared until one side writes to them.
        """
        twin = Records()
        twin.pages = self.pages[:]
        for records in (self, twin):
            records.shared = bytearray(b"\1") * len(self.pages)
            records.sharing = True
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
        page = self.page_to_write(handle >> PAGE_SHIFT)
        pos = PAGE_HEADER_BYTES + (handle & PAGE_MASK) * RECORD_BYTES
        put_u64(page, pos, ms)
        put_u64(page, pos + SEQ, seq)
        put_i64(page, pos + TIME, time_ms)
        put_u64(page, pos + COUNT, count)
        put_u32(page, pos + OWNER, owner)

    def append(self, ms: int, seq: int, time_ms: int, count: int, owner: int, before: int) -> int:
        """Take a record, set all its fields, and return its handle.

        It is the last one in the order by time, behind `before` (0: there is none).
        """
        page = self.page_to_write(self.current)
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
        if before != 0:
            page = self.page_to_write(before >> PAGE_SHIFT)
            pos = PAGE_HEADER_BYTES + (before & PAGE_MASK) * RECORD_BYTES
            put_u32(page, pos + BEHIND, handle)
        return handle

    def detach(self, handle: int) -> int:
        """Make the neighbours of a record each other's; return the one before << 32 | behind."""
        page = self.pages[handle >> PAGE_SHIFT]
        pos = PAGE_HEADER_BYTES + (handle & PAGE_MASK) * RECORD_BYTES
        before = get_u32(page, pos + BEFORE)
        behind = get_u32(page, pos + BEHIND)
        if before != 0:
            page = self.page_to_write(before >> PAGE_SHIFT)
            pos = PAGE_HEADER_BYTES + (before & PAGE_MASK) * RECORD_BYTES
            put_u32(page, pos + BEHIND, behind)
        if behind != 0:
            page = self.page_to_write(behind >> PAGE_SHIFT)
            pos = PAGE_HEADER_BYTES + (behind & PAGE_MASK) * RECORD_BYTES
            put_u32(page, pos + BEFORE, before)
        return (before << 32) | behind

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
        page = self.page_to_write(handle >> PAGE_SHIFT)
        put_i64(page, PAGE_HEADER_BYTES + (handle & PAGE_MASK) * RECORD_BYTES + TIME, time_ms)

    def count(self, handle: int) -> int:
        page = self.pages[handle >> PAGE_SHIFT]
        return get_u64(page, PAGE_HEADER_BYTES + (handle & PAGE_MASK) * RECORD_BYTES + COUNT)

    def set_count(self, handle: int, count: int) -> None:
        page = self.page_to_write(handle >> PAGE_SHIFT)
        put_u64(page, PAGE_HEADER_BYTES + (handle & PAGE_MASK) * RECORD_BYTES + COUNT, count)

    def owner(self, handle: int) -> int:
        page = self.pages[handle >> PAGE_SHIFT]
        return get_u32(page, PAGE_HEADER_BYTES + (handle & PAGE_MASK) * RECORD_BYTES + OWNER)

    def set_owner(self, handle: int, owner: int) -> None:
        page = self.page_to_write(handle >> PAGE_SHIFT)
        put_u32(page, PAGE_HEADER_BYTES + (handle & PAGE_MASK) * RECORD_BYTES + OWNER, owner)

    def before(self, handle: int) -> int:
        page = self.pages[handle >> PAGE_SHIFT]
        return get_u32(page, PAGE_HEADER_BYTES + (handle & PAGE_MASK) * RECORD_BYTES + BEFORE)

    def set_before(self, handle: int, other: int) -> None:
        page = self.page_to_write(handle >> PAGE_SHIFT)
        put_u32(page, PAGE_HEADER_BYTES + (handle & PAGE_MASK) * RECORD_BYTES + BEFORE, other)

    def behind(self, handle: int) -> int:
        page = self.pages[handle >> PAGE_SHIFT]
        return get_u32(page, PAGE_HEADER_BYTES + (handle & PAGE_MASK) * RECORD_BYTES + BEHIND)

    def set_behind(self, handle: int, other: int) -> None:
        page = self.page_to_write(handle >> PAGE_SHIFT)
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
