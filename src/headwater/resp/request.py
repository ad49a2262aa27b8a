"""One command as it came: spans into the buffer it was received in.

Handlers make `bytes` only of what they keep. A Request is reused for the next command, and
its buffer is overwritten by the next read: nothing may hold on to either.
"""

from __future__ import annotations

from array import array

from headwater import errors
from headwater.raw import (
    alloc,
    copy_bytes,
    cut,
    decimal_length,
    equal_bytes,
    parse_int,
    put_decimal,
)

_EMPTY = bytearray()
_NAMES = 1024  # a power of two
_NAME_MAX_BYTES = 64
_names: list[bytes | None] = [None] * _NAMES
_SPANS_AT_REST = 16
_SPANS_KEPT = 65536


class Request:
    """The arguments of one command; argument 0 is the command's name.

    `wellformed`: the bytes around the arguments are exactly RESP, so that a run of them can
    be stored as it is (invariant 6). False after an inline request or a sloppy line end.
    """

    __slots__ = ("argc", "buf", "capacity", "spans", "wellformed")

    def __init__(self) -> None:
        self.buf = _EMPTY
        self.argc = 0
        self.wellformed = True
        self.capacity = _SPANS_AT_REST
        self.spans = array("q", bytes(16 * _SPANS_AT_REST))

    def clear(self) -> None:
        """Forget the arguments."""
        self.argc = 0
        self.wellformed = True

    def release(self) -> None:
        """Forget the arguments, their buffer, and the room that very many of them took."""
        self.clear()
        self.buf = _EMPTY
        if self.capacity > _SPANS_KEPT:
            self.capacity = _SPANS_AT_REST
            self.spans = array("q", bytes(16 * _SPANS_AT_REST))

    def push(self, start: int, length: int) -> None:
        """Append the argument that lies at `start` of the buffer."""
        if self.argc == self.capacity:
            self.grow()
        self.spans[2 * self.argc] = start
        self.spans[2 * self.argc + 1] = length
        self.argc += 1

    def grow(self) -> None:
        """Have room for twice as many arguments."""
        bigger = array("q", bytes(16 * 2 * self.capacity))
        for i in range(2 * self.argc):
            bigger[i] = self.spans[i]
        self.spans = bigger
        self.capacity *= 2

    def shift(self, offset: int) -> None:
        """Follow the buffer's content after it moved by `offset` bytes."""
        for i in range(self.argc):
            self.spans[2 * i] += offset

    def start(self, i: int) -> int:
        """Position of argument `i` in the buffer."""
        return self.spans[2 * i]

    def length(self, i: int) -> int:
        """Length of argument `i` in bytes."""
        return self.spans[2 * i + 1]

    def arg(self, i: int) -> bytes:
        """A copy of argument `i`."""
        return cut(self.buf, self.spans[2 * i], self.spans[2 * i + 1])

    def name(self, i: int) -> bytes:
        """Argument `i` as `arg`, where the same one is likely to come again: keys, groups.

        Mostly the very object that it was the last time, so that nothing is allocated and a
        dict need not hash and compare it.
        """
        pos = self.spans[2 * i]
        n = self.spans[2 * i + 1]
        buf = self.buf
        if n == 0 or n > _NAME_MAX_BYTES:
            return cut(buf, pos, n)
        # Names differ at their end (order:1, order:2) or by their beginning.
        slot = 31 * n + buf[pos] + 7 * buf[pos + n - 1]
        if n > 3:
            slot += 61 * buf[pos + n - 2] + 401 * buf[pos + n - 3]
        slot &= _NAMES - 1
        known = _names[slot]
        if known is not None and len(known) == n and equal_bytes(buf, pos, known):
            return known
        known = cut(buf, pos, n)
        _names[slot] = known
        return known

    def text_equals(self, i: int, upper: bytes) -> bool:
        """Tell whether argument `i` is this word; `upper` is upper-case ASCII."""
        n = self.spans[2 * i + 1]
        if n != len(upper):
            return False
        pos = self.spans[2 * i]
        buf = self.buf
        for j in range(n):
            c = buf[pos + j]
            if 97 <= c <= 122:
                c -= 32
            if c != upper[j]:
                return False
        return True

    def integer(self, i: int) -> int:
        """Argument `i` as a signed 64-bit integer, or raises NOT_AN_INTEGER."""
        ok, value = parse_int(self.buf, self.spans[2 * i], self.spans[2 * i + 1])
        if not ok:
            raise errors.NOT_AN_INTEGER.error()
        return value

    def words(self) -> list[bytes]:
        """Copies of all arguments."""
        return [self.arg(i) for i in range(self.argc)]

    def set_words(self, words: list[bytes]) -> None:
        """Become the request that a client would send for these words."""
        self.clear()
        self.buf = encode_words(words)
        pos = 3 + decimal_length(len(words))
        for word in words:
            pos += 3 + decimal_length(len(word))
            self.push(pos, len(word))
            pos += len(word) + 2


def encode_words(words: list[bytes]) -> bytearray:
    """Encode words as a RESP array of bulk strings."""
    size = 3 + decimal_length(len(words))
    for word in words:
        size += len(word) + 5 + decimal_length(len(word))
    buf = alloc(size)
    buf[0] = 42
    pos = put_decimal(buf, 1, len(words))
    buf[pos] = 13
    buf[pos + 1] = 10
    pos += 2
    for word in words:
        buf[pos] = 36
        pos = put_decimal(buf, pos + 1, len(word))
        buf[pos] = 13
        buf[pos + 1] = 10
        pos = copy_bytes(buf, pos + 2, word)
        buf[pos] = 13
        buf[pos + 1] = 10
        pos += 2
    return buf


def from_words(words: list[bytes]) -> Request:
    """Return a new request of these words."""
    request = Request()
    request.set_words(words)
    return request
