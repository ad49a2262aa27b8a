"""Reading a stream's entries forward and backward, in pages that suit the size of the entries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headwater.cli.connect import Link
from headwater.cli.words import pairs_of

Entry = tuple[str, list[tuple[bytes, bytes]]]
"""An entry's ID, and its fields in their order."""

FIRST_PAGE = 50
LARGEST_PAGE = 2000
PAGE_BYTES = 512 * 1024
"""A page grows while it is smaller than half of this, and shrinks above it."""


class Pages:
    """The number of entries to ask for next, by the size of those that came."""

    def __init__(self, limit: int = LARGEST_PAGE) -> None:
        self.size = min(FIRST_PAGE, limit)
        self._limit = limit

    def came(self, rows: list[Any]) -> None:
        """Look at a page."""
        total = sum(sum(map(len, fields or ())) for _, fields in rows)
        if total > PAGE_BYTES:
            self.size = max(1, self.size // 2)
        elif total < PAGE_BYTES // 2 and len(rows) >= self.size:
            self.size = min(self._limit, self.size * 2)


def entries_of(rows: list[Any]) -> list[Entry]:
    """Entries from the rows of a raw reply."""
    return [(entry_id.decode(), pairs_of(fields)) for entry_id, fields in rows]


def forward(link: Link, key: bytes, start: str, end: str = "+") -> Iterator[list[Entry]]:
    """The entries from `start` (`(ID`: behind it) to `end`, in pages."""
    pages = Pages()
    while True:
        size = pages.size
        rows = link.call("XRANGE", key, start, end, "COUNT", size)
        if rows:
            yield entries_of(rows)
            start = "(" + rows[-1][0].decode()
        if len(rows) < size:
            return
        pages.came(rows)


def newest(link: Link, key: bytes, count: int, since: str = "-") -> list[Entry]:
    """The last `count` entries not before `since`, in their order."""
    found: list[Entry] = []
    pages = Pages()
    end = "+"
    while len(found) < count:
        size = min(pages.size, count - len(found))
        rows = link.call("XREVRANGE", key, end, since, "COUNT", size)
        found += entries_of(rows)
        if len(rows) < size:
            break
        end = "(" + rows[-1][0].decode()
        pages.came(rows)
    found.reverse()
    return found
