"""The bytes of an RDB file or a DUMP payload, read from front to back: numbers, lengths, strings.

Guarantees: nothing is read behind the end; no length that the bytes announce is believed before
as many bytes are there, so memory grows with what was read and not with what was promised; the
CRC of all that was read is known at any place. What is broken raises RdbError.
"""

from __future__ import annotations

from typing import Any, NoReturn

from headwater.errors import HeadwaterError
from headwater.raw import alloc, copy, cut, get_i64, get_u32, move, put_decimal
from headwater.rdb.crc64 import crc64
from headwater.rdb.lzf import decompress
from headwater.rdb.types import (
    ENCODING_INT8,
    ENCODING_INT16,
    ENCODING_INT32,
    ENCODING_LZF,
    LENGTH_32BIT,
    LENGTH_64BIT,
)

PIECE_BYTES = 1024 * 1024
"""How much is read from a file at a time."""

LZF_MAX_RATIO = 88
"""Three compressed bytes become 264 at most: a length that promises more is a lie."""

_KEPT_BYTES = 4 * PIECE_BYTES
"""A buffer that a long string made bigger than this is given up behind it."""
_PIECE = PIECE_BYTES
_RATIO = LZF_MAX_RATIO
_INT8 = ENCODING_INT8
_INT16 = ENCODING_INT16
_INT32 = ENCODING_INT32
_LZF = ENCODING_LZF
_32BIT = LENGTH_32BIT
_64BIT = LENGTH_64BIT


class RdbError(HeadwaterError):
    """An RDB file or payload is broken, or holds what this version does not know.

    text: what is wrong, without the place. offset: the byte in the file or payload.
    """

    def __init__(self, text: str, offset: int) -> None:
        super().__init__(f"{text} (byte {offset})")
        self.text = text
        self.offset = offset


class RdbSource:
    """Reads `size` bytes of a file (anything with `read_into`), or a payload that is all there.

    The last string read is `length` bytes of `data` from `start` on, until something else is
    read. `summed`: whether the CRC is computed.
    """

    __slots__ = (
        "_base",
        "_buf",
        "_crc",
        "_end",
        "_file",
        "_left",
        "_pos",
        "_scratch",
        "_summed_to",
        "data",
        "length",
        "start",
        "summed",
    )

    def __init__(self, file: Any, size: int, summed: bool) -> None:
        self._file = file
        self._left = size  # bytes of the file that are not in the buffer yet
        self._buf = bytearray()
        self._base = 0  # where the buffer begins in the file
        self._pos = 0
        self._end = 0
        self._scratch = bytearray()
        self._crc = 0
        self._summed_to = 0  # a place in the buffer
        self.summed = summed
        self.data = self._buf
        self.start = 0
        self.length = 0

    def hold(self, buf: bytearray, begin: int, end: int) -> None:
        """Read this part of a buffer and nothing else; nobody changes it meanwhile."""
        self._buf = buf
        self._pos = begin
        self._end = end
        self._summed_to = begin

    # --- where it stands ---

    def offset(self) -> int:
        """The place in the file of the byte that is read next."""
        return self._base + self._pos

    def left(self) -> int:
        """How many bytes are not read yet."""
        return self._end - self._pos + self._left

    def crc(self) -> int:
        """The CRC of all bytes that were read; 0 unless `summed`."""
        self._sum()
        return self._crc

    def fail(self, text: str) -> NoReturn:
        """Raise RdbError for what was just read."""
        raise RdbError(text, self.offset())

    def _sum(self) -> None:
        if self.summed:
            n = self._pos - self._summed_to
            self._crc = crc64(self._buf, self._summed_to, n, self._crc)
        self._summed_to = self._pos

    def _fill(self, n: int) -> None:
        """Have `n` bytes in the buffer behind the place, or raise."""
        have = self._end - self._pos
        if n - have > self._left:
            raise RdbError("the data ends in the middle of a value", self.offset() + self.left())
        self._sum()
        capacity = len(self._buf)
        if n > capacity or capacity > _KEPT_BYTES:
            bigger = alloc(max(n, min(_PIECE, have + self._left)))
            copy(bigger, 0, self._buf, self._pos, have)
            self._buf = bigger
            capacity = len(bigger)
        elif self._pos != 0:
            move(self._buf, 0, self._pos, have)
        self._base += self._pos
        self._pos = 0
        self._summed_to = 0
        self._end = have
        while self._end < n:
            wanted = min(capacity - self._end, self._left)
            got: int = self._file.read_into(self._buf, self._end, wanted)
            if got <= 0 or got > wanted:
                self._left = 0
                raise RdbError("the file is shorter than it was", self._base + self._end)
            self._end += got
            self._left -= got

    # --- numbers ---

    def u8(self) -> int:
        """One byte."""
        if self._pos == self._end:
            self._fill(1)
        value = self._buf[self._pos]
        self._pos += 1
        return value

    def u32(self) -> int:
        """Four bytes, little-endian."""
        if self._end - self._pos < 4:
            self._fill(4)
        value = get_u32(self._buf, self._pos)
        self._pos += 4
        return value

    def i64(self) -> int:
        """Eight bytes, little-endian, signed."""
        if self._end - self._pos < 8:
            self._fill(8)
        value = get_i64(self._buf, self._pos)
        self._pos += 8
        return value

    def id_half(self) -> int:
        """Half of an entry's ID: eight bytes, big-endian."""
        if self._end - self._pos < 8:
            self._fill(8)
        value = big_endian(self._buf, self._pos, 8)
        self._pos += 8
        return value

    def number(self) -> int:
        """A number in the encoding of lengths, up to 64 bits."""
        first = self.u8()
        kind = first >> 6
        if kind == 0:
            return first
        if kind == 3:
            raise RdbError("a string stands where a number must be", self.offset() - 1)
        return self._long_number(first)

    def _long_number(self, first: int) -> int:
        if first >> 6 == 1:
            return ((first & 63) << 8) | self.u8()
        if first == _32BIT:
            n = 4
        elif first == _64BIT:
            n = 8
        else:
            raise RdbError(f"{first:#x} begins no length", self.offset() - 1)
        if self._end - self._pos < n:
            self._fill(n)
        value = big_endian(self._buf, self._pos, n)
        self._pos += n
        return value

    # --- strings ---

    def string(self) -> None:
        """Read a string in any encoding; see `data`."""
        first = self.u8()
        kind = first >> 6
        if kind == 3:
            self._encoded(first & 63)
            return
        n = self.bounded(first if kind == 0 else self._long_number(first))
        if self._end - self._pos < n:
            self._fill(n)
        self.data = self._buf
        self.start = self._pos
        self.length = n
        self._pos += n

    def text(self) -> bytes:
        """Read a string as bytes of its own."""
        self.string()
        return cut(self.data, self.start, self.length)

    def bounded(self, n: int) -> int:
        """A length that was read, unless there are not so many bytes: that raises RdbError."""
        left = self.left()
        if n > left:
            self.fail(f"a length of {n} where {left} bytes are left")
        return n

    def _encoded(self, encoding: int) -> None:
        if encoding == _LZF:
            packed = self.bounded(self.number())
            said = self.number()
            if said > _RATIO * packed:
                self.fail(f"{packed} compressed bytes can not become {said}")
            size = said
            if self._end - self._pos < packed:
                self._fill(packed)
            capacity = len(self._scratch)
            if size > capacity or capacity > _KEPT_BYTES:
                self._scratch = alloc(max(size, 65536))
            if not decompress(self._buf, self._pos, packed, self._scratch, 0, size):
                self.fail("a compressed string is broken")
            self._pos += packed
            self.length = size
        else:
            self._integer(encoding)
        self.data = self._scratch
        self.start = 0

    def _integer(self, encoding: int) -> None:
        """Read an integer and make the string that it stands for."""
        if encoding == _INT8:
            n = 1
        elif encoding == _INT16:
            n = 2
        elif encoding == _INT32:
            n = 4
        else:
            raise RdbError(f"{encoding} is no encoding of strings", self.offset() - 1)
        if self._end - self._pos < n:
            self._fill(n)
        value = 0
        for i in range(n - 1, -1, -1):
            value = (value << 8) | self._buf[self._pos + i]
        self._pos += n
        bound = 1
        bound <<= 8 * n
        if len(self._scratch) < 64:
            self._scratch = alloc(65536)
        if 2 * value >= bound:
            self._scratch[0] = 45
            self.length = put_decimal(self._scratch, 1, bound - value)
        else:
            self.length = put_decimal(self._scratch, 0, value)

    # --- what nobody wants ---

    def skip(self, n: int) -> None:
        """Go on behind `n` bytes."""
        while True:
            have = self._end - self._pos
            if n <= have:
                self._pos += n
                return
            self._pos = self._end
            n -= have
            self._fill(1)

    def skip_string(self) -> None:
        """Go on behind a string in any encoding, which is not looked at."""
        first = self.u8()
        if first >> 6 != 3:
            self.skip(self.bounded(first if first < 64 else self._long_number(first)))
        elif first & 63 == _LZF:
            packed = self.bounded(self.number())
            self.number()
            self.skip(packed)
        else:
            self._integer(first & 63)


def payload_source(payload: bytearray, begin: int, end: int) -> RdbSource:
    """A source of a part of a payload; offsets count from the payload's beginning."""
    source = RdbSource(None, 0, False)
    source.hold(payload, begin, end)
    return source


def bytes_source(data: bytes) -> RdbSource:
    """A source of a file's content that is all there, with its CRC."""
    source = RdbSource(None, 0, True)
    source.hold(bytearray(data), 0, len(data))
    return source


def big_endian(buf: bytearray, pos: int, n: int) -> int:
    """A number of `n` bytes, the high one first."""
    value = 0
    for i in range(pos, pos + n):
        value = (value << 8) | buf[i]
    return value
