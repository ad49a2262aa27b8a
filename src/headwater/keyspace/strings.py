"""Strings: the plainest values.

A `String` is one bytes object, which replies, copies and snapshots share. What APPEND or SETRANGE
has changed is a `GrownString`: a buffer with room behind its end, so that adding to a value of 100
MB costs what is added and not the value.

A grown string is shared too. Whoever holds its buffer (a reply that is being sent, a copy, a
snapshot) holds the bytes below a length: adding behind them is not seen, and before one of them
changes, the string takes a buffer of its own. So a reader must look bytes up in the buffer object
each time, never keep an address.
"""

from __future__ import annotations

from typing import Any

from headwater.raw import alloc, copy, copy_bytes, cut
from headwater.value import UNIT_SHIFT, Value

EMBEDDED_MAX_BYTES = 44  # Redis keeps a string up to this size in one piece with its object
INTEGER_MAX_BYTES = 20
OBJECT_BYTES = 112  # the objects behind a string: this one, and the head of its bytes

_EMBEDDED_MAX_BYTES = EMBEDDED_MAX_BYTES  # the same as C numbers
_OBJECT_BYTES = OBJECT_BYTES
_INTEGER_MAX_BYTES = INTEGER_MAX_BYTES
_BUFFER_OBJECT_BYTES = 64
_INT64_MAX = 0x7FFF_FFFF_FFFF_FFFF


class String(Value):
    """A string of any bytes.

    is_text: OBJECT ENCODING does not call it `int` though it is one (INCRBYFLOAT makes such).
    """

    __slots__ = ("_data", "is_text")

    def __init__(self, data: bytes) -> None:
        Value.__init__(self)
        self._data = data
        self.is_text = False

    def type_name(self) -> bytes:
        return b"string"

    def encoding(self) -> bytes:
        """How Redis would hold it: `int`, `embstr` or `raw`."""
        if not self.is_text and is_integer(self._data):
            return b"int"
        return b"embstr" if len(self._data) <= _EMBEDDED_MAX_BYTES else b"raw"

    def memory_usage(self) -> int:
        return _OBJECT_BYTES + len(self._data)

    def free_units(self) -> int:
        return 1 + (len(self._data) >> UNIT_SHIFT)

    def copy(self) -> Value:
        twin = String(self._data)
        twin.is_text = self.is_text
        return twin

    # --- what it holds ---

    def length(self) -> int:
        """How many bytes the string has."""
        return len(self._data)

    def content(self) -> bytes:
        """All its bytes; a copy only of a grown string."""
        return self._data

    def part(self, start: int, n: int) -> bytes:
        """`n` bytes from `start` on, which must be there."""
        return self._data[start : start + n]

    def assign(self, data: bytes) -> None:
        """Hold other bytes. Not for a grown string: its key gets another value."""
        self._data = data
        self.is_text = False


class GrownString(String):
    """A string that bytes are added to and changed in.

    buf, used: its bytes are the first `used` of the buffer.
    lent: somebody may hold the first so many bytes.
    owned: nobody else writes to the buffer; False for a copy.
    """

    __slots__ = ("buf", "lent", "owned", "used")

    def __init__(self, data: bytes) -> None:
        String.__init__(self, b"")
        self.buf = bytearray(data)
        self.used = len(data)
        self.lent = 0
        self.owned = True

    def encoding(self) -> bytes:
        return b"raw"

    def memory_usage(self) -> int:
        return _OBJECT_BYTES + _BUFFER_OBJECT_BYTES + len(self.buf)

    def free_units(self) -> int:
        return 1 + (len(self.buf) >> UNIT_SHIFT)

    def copy(self) -> Value:
        twin = GrownString(b"")
        twin.buf = self.lend()
        twin.used = self.used
        twin.lent = self.used
        twin.owned = False
        return twin

    def length(self) -> int:
        return self.used

    def content(self) -> bytes:
        return cut(self.buf, 0, self.used)

    def part(self, start: int, n: int) -> bytes:
        return cut(self.buf, start, n)

    def lend(self) -> bytearray:
        """The buffer, for somebody who holds the bytes that are used now."""
        self.lent = max(self.lent, self.used)
        return self.buf

    def append(self, data: bytes) -> None:
        """Add bytes at the end."""
        if not self.owned:
            self._own()
        self.buf += data
        self.used += len(data)

    def write(self, offset: int, data: bytes) -> None:
        """Put bytes at an offset; zeros fill what lies between the end and them."""
        if not self.owned or offset < self.lent:
            self._own()
        end = offset + len(data)
        if end > self.used:
            self.buf += bytes(end - self.used)
            self.used = end
        copy_bytes(self.buf, offset, data)

    def _own(self) -> None:
        """Take a buffer that nobody else knows."""
        mine = alloc(self.used)
        copy(mine, 0, self.buf, 0, self.used)
        self.buf = mine
        self.lent = 0
        self.owned = True


class Pieces:
    """A grown string as the source of a reply: its bytes of this moment."""

    __slots__ = ("_buf", "_end", "_pos")

    def __init__(self, string: GrownString, start: int, n: int) -> None:
        self._buf = string.lend()
        self._pos = start
        self._end = start + n

    def left(self) -> int:
        return self._end - self._pos

    def read(self, max_bytes: int) -> bytes:
        n = min(max_bytes, self._end - self._pos)
        piece = cut(self._buf, self._pos, n)
        self._pos += n
        return piece

    def parts(self) -> list[Any]:
        self._pos = self._end
        return []


def is_integer(data: bytes) -> bool:
    """Whether this is just how a signed 64-bit integer is printed."""
    known, _ = parse_integer(data)
    return known


def parse_integer(data: bytes) -> tuple[bool, int]:
    """Read what printing a signed 64-bit integer gives: (True, value), or (False, 0)."""
    n = len(data)
    if n == 0 or n > _INTEGER_MAX_BYTES:
        return False, 0
    negative = data[0] == 45
    i = 1 if negative else 0
    # Of 20 digits there is no signed number; -0 and 007 are not how one is printed.
    if n - i > 19 or i == n or (data[i] == 48 and n > 1):
        return False, 0
    magnitude = 0
    for k in range(i, n):
        digit = data[k]
        if digit < 48 or digit > 57:
            return False, 0
        magnitude = magnitude * 10 + digit - 48
    if magnitude <= _INT64_MAX:
        value = magnitude
        return True, -value if negative else value
    if negative and magnitude - 1 == _INT64_MAX:
        # The lowest value has no positive twin in 64 signed bits.
        value = _INT64_MAX
        return True, -value - 1
    return False, 0
