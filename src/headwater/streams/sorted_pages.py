"""Records in the order of a key of two numbers, in pages: what a schedule is kept in.

Finding, inserting and removing a record look at one page, which a binary search finds; the first
records are those of the first page. A record above all others, the usual case, is appended.

    page     records back to back, about PAGE_BYTES of them, or one bigger record
    record   20 bytes: i64 first | u64 second | u32 bytes, then so many bytes

A copy shares the pages: either side copies one when it first writes to it. `owner` tells whose a
page is; after a copy those of before are nobody's.
"""

from __future__ import annotations

from headwater.raw import alloc, copy, get_i64, get_u32, get_u64, move, put_i64, put_u32, put_u64

RECORD_HEADER_BYTES = 20
SIZE = 16
PAGE_BYTES = 16 * 1024
_HEADER_BYTES, _SECOND, _SIZE = RECORD_HEADER_BYTES, 8, SIZE  # the same as C numbers
_FIRST_BYTES = 256
_PAGE_OBJECT_BYTES = 160  # a page's objects, and its place in the list


class Page:
    """`used` bytes of records; nobody but the SortedPages whose `owner` it has writes to it."""

    __slots__ = ("buf", "owner", "used")

    def __init__(self, capacity: int, owner: object) -> None:
        self.buf = alloc(capacity)
        self.used = 0
        self.owner = owner


class SortedPages:
    """Records by their key (first, second), which no two have in common.

    `find` and `insert` leave behind where they came to: `page`, and `pos` in its `buf`; that is
    good until the next change. Records are written to where `insert` made room, and only there.
    """

    __slots__ = (
        "_number",
        "_owner",
        "_page_bytes",
        "_top_first",
        "_top_second",
        "length",
        "page",
        "pages",
        "pos",
    )

    def __init__(self, page_bytes: int) -> None:
        self.pages: list[Page] = []
        self.length = 0
        self.page: Page | None = None
        self.pos = 0
        self._number = 0  # of `page`
        self._page_bytes = page_bytes
        self._owner = object()
        # No record is above this key, which may have gone.
        self._top_first = 0
        self._top_second = 0

    def find(self, first: int, second: int) -> bool:
        """Go to the record of this key; False if there is none, but it would be there."""
        pages = self.pages
        low, high = 0, len(pages)
        while low < high:
            middle = (low + high) >> 1
            page = pages[middle]
            own = get_i64(page.buf, 0)
            if own > first or (own == first and get_u64(page.buf, _SECOND) > second):
                high = middle
            else:
                low = middle + 1
        self.page = None
        self._number = low - 1 if low > 0 else 0
        self.pos = 0
        if not pages:
            return False
        page = pages[self._number]
        self.page = page
        buf, used = page.buf, page.used
        pos = 0
        found = False
        while pos < used:
            own = get_i64(buf, pos)
            if own >= first:
                other = get_u64(buf, pos + _SECOND)
                if own > first or other >= second:
                    found = own == first and other == second
                    break
            pos += _HEADER_BYTES + get_u32(buf, pos + _SIZE)
        self.pos = pos
        return found

    def find_behind(self, first: int) -> bool:
        """Go to the first record whose key begins with this number or more, if there is one."""
        self.find(first, 0)
        page = self.page
        if page is not None and self.pos == page.used:
            self._number += 1
            self.pos = 0
            page = self.pages[self._number] if self._number < len(self.pages) else None
            self.page = page
        return page is not None

    def insert(self, first: int, second: int, size: int) -> int:
        """Make a record of so many bytes; returns where in `page.buf` these are to be written.

        The key is not in here.
        """
        need = _HEADER_BYTES + size
        if not self.pages:
            self.pages.append(Page(max(need, _FIRST_BYTES), self._owner))
            self._number = 0
            self.pos = 0
        elif first > self._top_first or (first == self._top_first and second > self._top_second):
            self._number = len(self.pages) - 1
            page = self.pages[self._number]
            self.pos = page.used
        else:
            self.find(first, second)
        if self.length == 0 or (
            first > self._top_first or (first == self._top_first and second > self._top_second)
        ):
            self._top_first = first
            self._top_second = second
        page = self.pages[self._number]
        if page.used != 0 and page.used + need > self._page_bytes:
            self._make_room(need)
        page = self._page_to_write(self._number)
        self.page = page
        if page.used + need > len(page.buf):
            self._grow(page, need)
        buf, pos = page.buf, self.pos
        if pos != page.used:
            move(buf, pos + need, pos, page.used - pos)
        page.used += need
        put_i64(buf, pos, first)
        put_u64(buf, pos + _SECOND, second)
        put_u32(buf, pos + _SIZE, size)
        self.length += 1
        return pos + _HEADER_BYTES

    def _grow(self, page: Page, need: int) -> None:
        """Give a page room for so many bytes more, and for some that may follow."""
        needed = page.used + need
        capacity = min(needed + needed // 2, self._page_bytes)
        bigger = alloc(max(capacity, needed))
        copy(bigger, 0, page.buf, 0, page.used)
        page.buf = bigger

    def _make_room(self, need: int) -> None:
        """Find or make a page for a record that the page at hand has no room for."""
        number, pos = self._number, self.pos
        page = self.pages[number]
        if pos == page.used:
            # Behind all of this page: the next one's beginning, or a page of its own at the end.
            self.pos = 0
            self._number = number + 1
            if number + 1 == len(self.pages):
                self.pages.append(Page(max(need, self._page_bytes), self._owner))
                return
            page = self.pages[number + 1]
            if page.used + need <= self._page_bytes:
                return
            number += 1
            pos = 0
        half = page.used // 2
        cut = 0
        while cut < half:
            cut += _HEADER_BYTES + get_u32(page.buf, cut + _SIZE)
        if need > self._page_bytes // 2 or cut == page.used or cut == 0:
            cut = pos
        # The page ends at `cut`, which is the beginning or the end of a record.
        if cut != 0 and cut != page.used:
            page = self._page_to_write(number)
            behind = Page(page.used - cut, self._owner)
            behind.used = page.used - cut
            copy(behind.buf, 0, page.buf, cut, behind.used)
            page.used = cut
            self.pages.insert(number + 1, behind)
        if pos == cut and (need > self._page_bytes // 2 or cut == 0):
            if cut != 0:
                number += 1
            self.pages.insert(number, Page(need, self._owner))
            pos = 0
        elif pos > cut:
            number += 1
            pos -= cut
        self._number = number
        self.pos = pos

    def _page_to_write(self, number: int) -> Page:
        """A page that nobody else has."""
        page = self.pages[number]
        if page.owner is not self._owner:
            mine = Page(len(page.buf), self._owner)
            mine.used = page.used
            copy(mine.buf, 0, page.buf, 0, page.used)
            self.pages[number] = mine
            page = mine
        return page

    def remove(self) -> None:
        """Take out the record that was found."""
        number, pos = self._number, self.pos
        page = self.pages[number]
        size = _HEADER_BYTES + get_u32(page.buf, pos + _SIZE)
        self.page = None
        self.length -= 1
        if page.used == size:
            del self.pages[number]
            return
        page = self._page_to_write(number)
        move(page.buf, pos, pos + size, page.used - pos - size)
        page.used -= size
        if page.used <= self._page_bytes // 4 and len(self.pages) > 1:
            if number + 1 == len(self.pages):
                number -= 1
            self._merge(number)

    def _merge(self, number: int) -> None:
        """Let a page and the next one be one if they fill no more than half of it."""
        page = self.pages[number]
        behind = self.pages[number + 1]
        used = page.used + behind.used
        if used > self._page_bytes // 2:
            return
        merged = Page(used, self._owner)
        merged.used = used
        copy(merged.buf, 0, page.buf, 0, page.used)
        copy(merged.buf, page.used, behind.buf, 0, behind.used)
        self.pages[number] = merged
        del self.pages[number + 1]

    def copy(self) -> SortedPages:
        """A copy; it takes no time for each record."""
        twin = SortedPages(self._page_bytes)
        twin.pages = self.pages[:]
        twin.length = self.length
        twin._top_first = self._top_first
        twin._top_second = self._top_second
        self._owner = object()
        return twin

    def memory_usage(self) -> int:
        """Bytes of memory, objects included by fixed allowances."""
        total = 200
        for page in self.pages:
            total += _PAGE_OBJECT_BYTES + len(page.buf)
        return total

    def check(self) -> None:
        """Verify order, bounds and counts; for tests."""
        length = 0
        before: tuple[int, int] | None = None
        for page in self.pages:
            assert 0 < page.used <= len(page.buf)
            pos = 0
            while pos < page.used:
                key = (get_i64(page.buf, pos), get_u64(page.buf, pos + _SECOND))
                assert before is None or before < key
                before = key
                pos += _HEADER_BYTES + get_u32(page.buf, pos + _SIZE)
                length += 1
            assert pos == page.used
        assert length == self.length
        assert before is None or before <= (self._top_first, self._top_second)
