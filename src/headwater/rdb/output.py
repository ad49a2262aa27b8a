"""The bytes of an RDB file or payload as they are made: lengths, numbers, strings, IDs."""

from __future__ import annotations

from headwater.raw import alloc, copy, copy_bytes, cut, move, parse_int, put_i64, put_u16, put_u64
from headwater.rdb.lzf import compress
from headwater.rdb.types import (
    ENCODING_INT8,
    ENCODING_INT16,
    ENCODING_INT32,
    ENCODING_LZF,
    LENGTH_32BIT,
    LENGTH_64BIT,
    LENGTH_ENCODED,
)

COMPRESS_MAX_BYTES = 1 << 20
"""A longer string is written as it is: it would be compressed in one go, and clients would wait."""

_ENCODED = LENGTH_ENCODED << 6
_INT8 = _ENCODED | ENCODING_INT8
_INT16 = _ENCODED | ENCODING_INT16
_INT32 = _ENCODED | ENCODING_INT32
_LZF = _ENCODED | ENCODING_LZF
_LENGTH_BYTES = 9
_INTEGER_MAX_BYTES = 11
_COMPRESS_ABOVE_BYTES = 20
_MUST_SAVE_BYTES = 4
_START_BYTES = 4096
_KEEP_BYTES = 4 << 20
"""A buffer that had to become bigger for one value is not kept for the next."""


class Output:
    """A growing buffer; `pos` is how much of it is written.

    compress: whether strings of more than 20 bytes are compressed where it saves 4 bytes or more.
    """

    __slots__ = ("buf", "compress", "pos")

    def __init__(self, compress: bool) -> None:
        self.buf = alloc(_START_BYTES)
        self.pos = 0
        self.compress = compress

    def reserve(self, n: int) -> None:
        """Make room for `n` bytes behind `pos`."""
        need = self.pos + n
        if need <= len(self.buf):
            return
        bigger = alloc(need + need // 2)
        copy(bigger, 0, self.buf, 0, self.pos)
        self.buf = bigger

    def take(self) -> bytes:
        """What is written so far; from here on the output is empty."""
        data = cut(self.buf, 0, self.pos)
        self.pos = 0
        if len(self.buf) > _KEEP_BYTES:
            self.buf = alloc(_START_BYTES)
        return data

    def raw(self, data: bytes) -> None:
        """Bytes as they are."""
        self.reserve(len(data))
        self.pos = copy_bytes(self.buf, self.pos, data)

    def byte(self, value: int) -> None:
        self.reserve(1)
        self.buf[self.pos] = value
        self.pos += 1

    def u16(self, value: int) -> None:
        """Two bytes, little-endian."""
        self.reserve(2)
        put_u16(self.buf, self.pos, value)
        self.pos += 2

    def u64(self, value: int) -> None:
        """Eight bytes, little-endian."""
        self.reserve(8)
        put_u64(self.buf, self.pos, value)
        self.pos += 8

    def time(self, ms: int) -> None:
        """A unix time in ms: eight bytes, signed, little-endian."""
        self.reserve(8)
        put_i64(self.buf, self.pos, ms)
        self.pos += 8

    def length(self, value: int) -> None:
        """A length, or any other unsigned number: 1, 2, 5 or 9 bytes, the greatest first."""
        self.reserve(_LENGTH_BYTES)
        buf, pos = self.buf, self.pos
        if value < 64:
            buf[pos] = value
            self.pos = pos + 1
        elif value < 16384:
            buf[pos] = 0x40 | (value >> 8)
            buf[pos + 1] = value & 0xFF
            self.pos = pos + 2
        elif value >> 32 == 0:
            buf[pos] = LENGTH_32BIT
            for i in range(4):
                buf[pos + 1 + i] = (value >> (24 - 8 * i)) & 0xFF
            self.pos = pos + 5
        else:
            buf[pos] = LENGTH_64BIT
            self._big_endian(pos + 1, value)
            self.pos = pos + 9

    def entry_id(self, ms: int, seq: int) -> None:
        """An entry's ID: its halves, eight bytes each, big-endian, so that bytes sort as IDs."""
        self.reserve(16)
        self._big_endian(self.pos, ms)
        self._big_endian(self.pos + 8, seq)
        self.pos += 16

    def _big_endian(self, pos: int, value: int) -> None:
        buf = self.buf
        for i in range(8):
            buf[pos + i] = (value >> (56 - 8 * i)) & 0xFF

    def string(self, data: bytes) -> None:
        """A string, as an integer or compressed if it can be."""
        n = len(data)
        if n > _INTEGER_MAX_BYTES and (n <= _COMPRESS_ABOVE_BYTES or not self.compress):
            self.length(n)
            self.raw(data)
            return
        self.span(bytearray(data), 0, n)

    def span(self, buf: bytearray, start: int, n: int) -> None:
        """The string that is `n` bytes of another buffer."""
        if n <= _INTEGER_MAX_BYTES:
            ok, value = parse_int(buf, start, n)
            if ok and self._integer(value):
                return
        elif self.compress and _COMPRESS_ABOVE_BYTES < n <= COMPRESS_MAX_BYTES:
            # How long the lengths before it are is known only afterwards.
            self.reserve(n + 1 + 2 * _LENGTH_BYTES)
            begin = self.pos
            place = begin + 1 + 2 * _LENGTH_BYTES
            packed = compress(buf, start, n, self.buf, place, n - _MUST_SAVE_BYTES)
            if packed != 0:
                self.buf[begin] = _LZF
                self.pos = begin + 1
                self.length(packed)
                self.length(n)
                move(self.buf, self.pos, place, packed)
                self.pos += packed
                return
        self.length(n)
        self.reserve(n)
        copy(self.buf, self.pos, buf, start, n)
        self.pos += n

    def copied(self, buf: bytearray, start: int, n: int) -> None:
        """A part of another buffer, as it is."""
        self.reserve(n)
        copy(self.buf, self.pos, buf, start, n)
        self.pos += n

    def _integer(self, value: int) -> bool:
        """Write a number of at most 32 bits as a string; False if it has more."""
        self.reserve(5)
        buf, pos = self.buf, self.pos
        if -128 <= value <= 127:
            buf[pos] = _INT8
            size = 1
        elif -32768 <= value <= 32767:
            buf[pos] = _INT16
            size = 2
        elif -2147483648 <= value <= 2147483647:
            buf[pos] = _INT32
            size = 4
        else:
            return False
        for i in range(size):
            buf[pos + 1 + i] = (value >> (8 * i)) & 0xFF
        self.pos = pos + 1 + size
        return True
