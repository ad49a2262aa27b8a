"""Entries that a stream will get later: in order of due time, then of their handles.

A handle is a number that is never used again in the stream. An entry lies there as it will be
stored (block.py), so becoming due is appending its fields. It may repeat: then it keeps its
handle and is due again a fixed time after it was due before, however late it came.

    entries   by (due ms, handle): i64 every ms (0: once) | the fields as an entry has them
    handles   by (handle, due ms): nothing more, it tells when a handle is due
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headwater.raw import (
    alloc,
    copy,
    cut,
    decimal_length,
    get_i64,
    get_u32,
    get_u64,
    put_decimal,
    put_i64,
)
from headwater.resp.parser import READY, RequestParser
from headwater.resp.reply import Reply
from headwater.resp.request import Request
from headwater.streams.sorted_pages import (
    PAGE_BYTES,
    RECORD_HEADER_BYTES,
    SIZE,
    Page,
    SortedPages,
)

NEVER_MS = 1 << 62
MAX_MS = 2**53 - 1
MIN_EVERY_MS = 10
"""The shortest time after which an entry may repeat: what a timer keeps up with easily."""

_NEVER_MS, _MAX_MS = NEVER_MS, MAX_MS  # the same as C numbers
_EVERY_BYTES = 8
_HANDLES_PAGE_BYTES = 4096
_SECOND = 8
_HANDLE, _DUE = b"$6\r\nhandle\r\n", b"$3\r\ndue\r\n"
_EVERY, _FIELDS = b"$5\r\nevery\r\n", b"$6\r\nfields\r\n"
_LONGEST_BULK_BYTES = 1 << 62  # what is here had its limits when it came


class Schedule:
    """A stream's scheduled entries. `next_handle`: of the next one that is added.

    held_ms: nothing is appended before (upkeep had to wait); not part of what is kept.
    """

    __slots__ = (
        "_parser",
        "due_ms",
        "entries",
        "every_ms",
        "fields_bytes",
        "fields_pos",
        "handle",
        "handles",
        "held_ms",
        "next_handle",
    )

    def __init__(self) -> None:
        self.next_handle = 1
        self.held_ms = 0
        self.entries = SortedPages(PAGE_BYTES)
        self.handles = SortedPages(_HANDLES_PAGE_BYTES)
        # What `first` or `fields_of` found.
        self.handle = 0
        self.due_ms = 0
        self.every_ms = 0
        self.fields_pos = 0
        self.fields_bytes = 0
        self._parser = RequestParser(Request(), _LONGEST_BULK_BYTES)

    def length(self) -> int:
        """How many entries are scheduled."""
        return self.entries.length

    def next_ms(self) -> int:
        """When something is to be appended, NEVER_MS if nothing is scheduled."""
        if self.entries.length == 0:
            return _NEVER_MS
        page = self.entries.pages[0]
        at = get_i64(page.buf, 0)
        return at if at > self.held_ms else self.held_ms

    # --- adding and cancelling ---

    def add(self, due_ms: int, every_ms: int, request: Request, arg: int, fields: int) -> int:
        """Schedule an entry of the request's arguments from `arg` on, its last; the handle."""
        if not request.wellformed:
            request.set_words(request.words())
        last = 2 * (arg + 2 * fields - 1)
        span = request.spans[2 * arg] - 3 - decimal_length(request.spans[2 * arg + 1])
        span_bytes = request.spans[last] + request.spans[last + 1] + 2 - span
        head = 3 + decimal_length(2 * fields)
        handle = self.next_handle
        pos = self._make(handle, due_ms, every_ms, head + span_bytes)
        page = self.entries.page
        assert page is not None
        buf = page.buf
        buf[pos] = 42
        put_decimal(buf, pos + 1, 2 * fields)
        buf[pos + head - 2] = 13
        buf[pos + head - 1] = 10
        copy(buf, pos + head, request.buf, span, span_bytes)
        return handle

    def put(
        self, handle: int, due_ms: int, every_ms: int, buf: bytearray, start: int, size: int
    ) -> None:
        """Schedule an entry whose fields lie there as an entry has them; for loading.

        ValueError if they do not, or the handle is in use.
        """
        if not 0 <= due_ms <= MAX_MS or not 0 < handle < NEVER_MS:
            raise ValueError(f"an entry is scheduled as {handle} for {due_ms} ms")
        if every_ms != 0 and not MIN_EVERY_MS <= every_ms <= MAX_MS:
            raise ValueError(f"a scheduled entry repeats every {every_ms} ms")
        if self.when(handle) >= 0:
            raise ValueError(f"two scheduled entries are {handle}")
        self._fields(buf, start, size)
        self._parser.release()
        pos = self._make(handle, due_ms, every_ms, size)
        page = self.entries.page
        assert page is not None
        copy(page.buf, pos, buf, start, size)

    def _make(self, handle: int, due_ms: int, every_ms: int, size: int) -> int:
        """Have room for an entry's fields; returns where, in `entries.page`."""
        pos = self.entries.insert(due_ms, handle, _EVERY_BYTES + size)
        page = self.entries.page
        assert page is not None
        put_i64(page.buf, pos, every_ms)
        self.handles.insert(handle, due_ms, 0)
        if handle >= self.next_handle:
            self.next_handle = handle + 1
        return pos + _EVERY_BYTES

    def when(self, handle: int) -> int:
        """When the entry of a handle is due, -1 if there is none."""
        if not self.handles.find_behind(handle):
            return -1
        page = self.handles.page
        assert page is not None
        pos = self.handles.pos
        if get_i64(page.buf, pos) != handle:
            return -1
        return get_i64(page.buf, pos + _SECOND)

    def cancel(self, handle: int) -> bool:
        """Forget the entry of a handle; False if there is none."""
        due_ms = self.when(handle)
        if due_ms < 0:
            return False
        self.handles.remove()
        self.entries.find(due_ms, handle)
        self.entries.remove()
        return True

    # --- when one is due ---

    def first(self) -> Request:
        """The fields of the first entry, as arguments of a request; there must be one.

        They are good until the schedule changes. Noted are its `handle`, `due_ms` and `every_ms`,
        and where in the request's `buf` the fields lie as an entry has them: `fields_bytes` from
        `fields_pos` on.
        """
        return self._found(self.entries.pages[0], 0)

    def fields_of(self, handle: int) -> Request | None:
        """As `first`, the entry of a handle; None if there is none."""
        due_ms = self.when(handle)
        if due_ms < 0:
            return None
        self.entries.find(due_ms, handle)
        page = self.entries.page
        assert page is not None
        return self._found(page, self.entries.pos)

    def _found(self, page: Page, pos: int) -> Request:
        buf = page.buf
        self.due_ms = get_i64(buf, pos)
        self.handle = get_u64(buf, pos + _SECOND)
        self.every_ms = get_i64(buf, pos + RECORD_HEADER_BYTES)
        self.fields_pos = pos + RECORD_HEADER_BYTES + _EVERY_BYTES
        self.fields_bytes = get_u32(buf, pos + SIZE) - _EVERY_BYTES
        return self._fields(buf, self.fields_pos, self.fields_bytes)

    def following_ms(self) -> int:
        """When the entry that was found is due once more, 0 if it is not."""
        if self.every_ms == 0 or self.due_ms + self.every_ms > _MAX_MS:
            return 0
        return self.due_ms + self.every_ms

    def move(self, handle: int, due_ms: int) -> None:
        """Let an entry that is there be due at another time; 0: it is done and goes."""
        old_ms = self.when(handle)
        self.handles.remove()
        self.entries.find(old_ms, handle)
        if due_ms == 0:
            self.entries.remove()
        else:
            page = self.entries.page
            assert page is not None
            size = get_u32(page.buf, self.entries.pos + SIZE)
            data = alloc(size)
            copy(data, 0, page.buf, self.entries.pos + RECORD_HEADER_BYTES, size)
            self.entries.remove()
            pos = self.entries.insert(due_ms, handle, size)
            page = self.entries.page
            assert page is not None
            copy(page.buf, pos, data, 0, size)
            self.handles.insert(handle, due_ms, 0)

    def _fields(self, buf: bytearray, pos: int, size: int) -> Request:
        """Fields and values that lie at `pos` as an entry has them; ValueError if they do not."""
        parser = self._parser
        parser.pos = pos
        end = pos + size
        if size <= 0 or buf[pos] != 42 or parser.parse(buf, end) != READY or parser.pos != end:
            parser.release()
            parser.restart()
            raise ValueError("the fields of a scheduled entry cannot be read")
        fields = parser.request
        if not fields.wellformed or fields.argc == 0 or fields.argc & 1:
            parser.release()
            raise ValueError("the fields of a scheduled entry are not fields and values")
        return fields

    def release(self) -> None:
        """Hold on to nothing of the entry that was found last."""
        self._parser.release()

    def write_first(self, reply: Reply, most: int) -> None:
        """Write so many entries, those that are due first, as an array of maps."""
        count = min(most, self.entries.length)
        reply.array(count)
        number = 0
        pos = 0
        while count > 0:
            page = self.entries.pages[number]
            buf = page.buf
            while pos < page.used and count > 0:
                size = get_u32(buf, pos + SIZE)
                reply.map(4)
                reply.raw_bytes(_HANDLE)
                handle = get_u64(buf, pos + _SECOND)
                reply.bulk(b"%d" % handle)
                reply.raw_bytes(_DUE)
                reply.integer(get_i64(buf, pos))
                reply.raw_bytes(_EVERY)
                reply.integer(get_i64(buf, pos + RECORD_HEADER_BYTES))
                reply.raw_bytes(_FIELDS)
                pos += RECORD_HEADER_BYTES
                reply.span(buf, pos + _EVERY_BYTES, size - _EVERY_BYTES)
                pos += size
                count -= 1
            number += 1
            pos = 0

    def describe(self) -> Iterator[tuple[Any, ...]]:
        """What is in here, for digests: the next handle, then (due, handle, every, fields)."""
        yield (self.next_handle,)
        for page in self.entries.pages:
            pos = 0
            while pos < page.used:
                size = get_u32(page.buf, pos + SIZE)
                start = pos + RECORD_HEADER_BYTES
                yield (
                    get_i64(page.buf, pos),
                    get_u64(page.buf, pos + _SECOND),
                    get_i64(page.buf, start),
                    bytes(page.buf[start + _EVERY_BYTES : start + size]),
                )
                pos = start + size

    # --- snapshots ---

    def page_count(self) -> int:
        return len(self.entries.pages)

    def page_bytes(self, number: int) -> bytes:
        """What a page of `entries` holds, for `load_page`."""
        page = self.entries.pages[number]
        return cut(page.buf, 0, page.used)

    def load_page(self, data: bytes) -> None:
        """Schedule what another one's page held; ValueError if it is not one."""
        buf = bytearray(data)
        pos, end = 0, len(buf)
        head = RECORD_HEADER_BYTES + _EVERY_BYTES  # a C integer, unlike the constants
        used = self.next_handle  # unsigned when compiled, as the handles that are read are
        while pos < end:
            if end - pos < head:
                raise ValueError("what is scheduled is cut short")
            size = get_u32(buf, pos + SIZE)
            if size < _EVERY_BYTES or size > end - pos - RECORD_HEADER_BYTES:
                raise ValueError("what is scheduled is cut short")
            handle = get_u64(buf, pos + _SECOND)
            if handle >= used:
                raise ValueError(f"a scheduled entry is {handle}, above all that were used")
            every_ms = get_i64(buf, pos + RECORD_HEADER_BYTES)
            self.put(handle, get_i64(buf, pos), every_ms, buf, pos + head, size - _EVERY_BYTES)
            pos += RECORD_HEADER_BYTES + size

    # --- as a part of a value ---

    def copy(self) -> Schedule:
        """A schedule of its own with the same content; it takes no time for each entry."""
        twin = Schedule()
        twin.next_handle = self.next_handle
        twin.entries = self.entries.copy()
        twin.handles = self.handles.copy()
        return twin

    def free_units(self) -> int:
        return len(self.entries.pages) + len(self.handles.pages)

    def parts(self) -> list[Any]:
        """What is to be freed in pieces."""
        return [self.entries.pages, self.handles.pages]

    def memory_usage(self) -> int:
        """Bytes of memory, objects included by fixed allowances."""
        return 400 + self.entries.memory_usage() + self.handles.memory_usage()

    def check(self) -> None:
        """Verify that both orders agree and that all fields can be read; for tests."""
        self.entries.check()
        self.handles.check()
        assert self.entries.length == self.handles.length
        rows = self.describe()
        next(rows)
        for due_ms, handle, _, data in rows:
            assert self.when(handle) == due_ms
            assert self.next_handle > handle
            self._fields(bytearray(data), 0, len(data))
        self._parser.release()
