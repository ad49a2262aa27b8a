"""Replies of a known shape, read in one go: entries become (id, fields) without lists in between.

RESP2, whole replies only. What does not have the shape is a ReplyFormatError.
"""

from __future__ import annotations

from typing import Any

from headwater.raw import cut, equal_bytes, find_byte, parse_int
from headwater.resp.decoder import ReplyFormatError

_NULL = -1
_NAMES = 256  # a power of two
_NAME_MAX_BYTES = 64
_names: list[bytes | None] = [None] * _NAMES


class EntryReader:
    """Reads `buf[pos:end]`; each method reads what it is named after and moves `pos` behind it."""

    __slots__ = ("buf", "end", "pos")

    def __init__(self) -> None:
        self.buf = bytearray()
        self.pos = self.end = 0

    def begin(self, buf: bytearray, n: int) -> None:
        """Read the first `n` bytes of a buffer, which must have them."""
        self.buf = buf
        self.pos = 0
        self.end = n

    def head(self, kind: int) -> int:
        """The number of a line of this kind (42: array, 36: bulk string, 58: integer)."""
        buf = self.buf
        pos = self.pos
        end = self.end
        if pos >= end or buf[pos] != kind:
            raise self.unexpected()
        number = 0
        p = pos + 1
        stop = min(end - 1, p + 18)
        while p < stop and 48 <= buf[p] <= 57:
            number = number * 10 + buf[p] - 48
            p += 1
        if p == pos + 1 or p >= end - 1 or buf[p] != 13 or buf[p + 1] != 10:
            return self._signed()
        self.pos = p + 2
        return number

    def _signed(self) -> int:
        """The number of the line at `pos` in any spelling that this server uses."""
        line_end = find_byte(self.buf, 13, self.pos, self.end)
        if line_end < 0 or line_end + 1 >= self.end:
            raise self.unexpected()
        ok, number = parse_int(self.buf, self.pos + 1, line_end - self.pos - 1)
        if not ok:
            raise self.unexpected()
        self.pos = line_end + 2
        return number

    def bulk(self) -> bytes | None:
        """A bulk string, or the null of one."""
        return self._string(self.head(36))

    def _string(self, n: int) -> bytes | None:
        """The bytes of a string whose head was read."""
        if n == _NULL:
            return None
        if n < 0 or n > self.end - self.pos - 2:
            raise self.unexpected()
        data = cut(self.buf, self.pos, n)
        self.pos += n + 2
        return data

    def name(self) -> bytes | None:
        """As `bulk`, where the same is likely to come again: a field's name, a key.

        Mostly the very object that it was the last time, whose hash is known.
        """
        n = self.head(36)
        if n < 1 or n > _NAME_MAX_BYTES or n > self.end - self.pos - 2:
            return self._string(n)
        buf = self.buf
        pos = self.pos
        slot = (31 * n + buf[pos] + 7 * buf[pos + n - 1]) & (_NAMES - 1)
        known = _names[slot]
        if known is None or len(known) != n or not equal_bytes(buf, pos, known):
            known = cut(buf, pos, n)
            _names[slot] = known
        self.pos = pos + n + 2
        return known

    def integer(self) -> int:
        return self.head(58)

    def is_null(self) -> bool:
        """Whether a null is next, of an array or of a string; it is read if so."""
        if self.end - self.pos < 5 or self.buf[self.pos + 1] != 45:
            return False
        if self.head(self.buf[self.pos]) != _NULL:
            raise self.unexpected()
        return True

    def fields(self) -> dict[bytes | None, bytes | None]:
        """An entry's names and values; of a name that comes twice, the last value."""
        found: dict[bytes | None, bytes | None] = {}
        if self.is_null():
            return found
        n = self.head(42)
        while n > 1:
            name = self.name()
            found[name] = self.bulk()
            n -= 2
        return found

    def entries(self, claimed: bool) -> list[Any]:
        """Entries as (id, fields); `claimed`: as (id, fields, idle ms, deliveries) where told.

        An entry that is gone is (None, None), as in redis-py.
        """
        found: list[Any] = []
        n = self.head(42)
        while n > 0:
            n -= 1
            if self.is_null():
                found.append((None, None))
                continue
            parts = self.head(42)
            if parts == 2:
                entry_id = self.bulk()
                found.append((entry_id, self.fields()))
            elif parts == 4:
                entry_id = self.bulk()
                fields = self.fields()
                idle_ms = self.integer()
                deliveries = self.integer()
                if claimed:
                    found.append((entry_id, fields, idle_ms, deliveries))
                else:
                    found.append((entry_id, fields))
            else:
                raise self.unexpected()
        return found

    def streams(self, claimed: bool) -> list[Any]:
        """[key, entries] of each stream; a null is an empty list."""
        found: list[Any] = []
        if self.is_null():
            return found
        n = self.head(42)
        while n > 0:
            n -= 1
            if self.head(42) != 2:
                raise self.unexpected()
            key = self.name()
            found.append([key, self.entries(claimed)])
        return found

    def unexpected(self) -> ReplyFormatError:
        """What to raise for bytes that do not have the shape."""
        line = cut(self.buf, self.pos, min(max(self.end - self.pos, 0), 64))
        return ReplyFormatError(f"this is not what the command replies: {line!r}")
