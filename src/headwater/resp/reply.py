"""Replies into bytes: a growing buffer that knows RESP2 and RESP3.

Small replies are copied into the buffer. A big payload is attached by reference, either as
bytes or as a source that is read piece by piece while the socket drains, so that a reply of
a million entries costs a few references (invariants 5 and 8).
"""

from __future__ import annotations

from typing import Any, Protocol

from headwater.limits import REPLY_BUFFER_BYTES, REPLY_REFERENCE_BYTES
from headwater.raw import alloc, copy, copy_bytes, cut, decimal_length, move, put_decimal


class Source(Protocol):
    """A payload that is read in pieces, and shows the same moment however long that takes."""

    def left(self) -> int:
        """Return how many bytes are still to be read."""
        ...

    def read(self, max_bytes: int) -> bytes:
        """Return about `max_bytes` more bytes, at least one until the end, then b""."""
        ...

    def parts(self) -> list[Any]:
        """Give up what is left and return what is big about it, as Value.parts."""
        ...


class Reply:
    """The output of one or more commands, in order."""

    __slots__ = ("_capacity", "buf", "parts", "pos", "resp3")

    def __init__(self) -> None:
        self.buf = alloc(REPLY_BUFFER_BYTES)
        self._capacity = REPLY_BUFFER_BYTES
        self.pos = 0
        self.parts: list[bytes | Source] = []
        self.resp3 = False

    # --- room and hand-over ---

    def reserve(self, n: int) -> None:
        """Make room for `n` more bytes."""
        if self.pos + n > self._capacity:
            self._grow(n)

    def _grow(self, n: int) -> None:
        capacity = max(2 * self._capacity, self.pos + n)
        bigger = alloc(capacity)
        copy(bigger, 0, self.buf, 0, self.pos)
        self.buf = bigger
        self._capacity = capacity

    def empty(self) -> bool:
        return self.pos == 0 and not self.parts

    def part_count(self) -> int:
        """Together with `pos`, the mark that `rewind` goes back to."""
        return len(self.parts)

    def rewind(self, part_count: int, pos: int) -> None:
        """Drop what was written since `part_count()` and `pos` were these.

        What has been taken out in the meantime stays out.
        """
        if len(self.parts) < part_count or (len(self.parts) == part_count and self.pos < pos):
            return
        if len(self.parts) > part_count:
            head = self.parts[part_count]
            del self.parts[part_count:]
            assert isinstance(head, bytes)
            self.pos = 0
            self.reserve(len(head))
            copy_bytes(self.buf, 0, head)
        self.pos = pos

    def clear(self) -> None:
        """Drop everything."""
        self.parts = []
        self.reset()

    def take(self) -> bytes:
        """Return the buffered bytes and start anew; for replies without attached parts."""
        data = cut(self.buf, 0, self.pos)
        self.reset()
        return data

    def reset(self) -> None:
        """Forget the buffered bytes, and a buffer that has grown far."""
        self.pos = 0
        if self._capacity > REPLY_BUFFER_BYTES * 16:
            self.buf = alloc(REPLY_BUFFER_BYTES)
            self._capacity = REPLY_BUFFER_BYTES

    def take_parts(self) -> list[bytes | Source]:
        """Return everything in order, attached parts included, and start anew."""
        parts = self.parts
        self.parts = []
        if self.pos:
            parts.append(self.take())
        return parts

    def set_head(self, part_count: int, pos: int, announced: int, n: int) -> None:
        """Correct the array or map head that was written at a mark, to `n` elements.

        `announced` is what was written there when the number was not known; n <= announced.
        """
        if n == announced:
            return
        shrink = decimal_length(announced) - decimal_length(n)
        if len(self.parts) > part_count:
            head = self.parts[part_count]
            assert isinstance(head, bytes)
            fixed = bytearray(head)
            put_decimal(fixed, pos + 1 + shrink, n)
            fixed[pos + shrink] = fixed[pos]
            del fixed[pos : pos + shrink]
            self.parts[part_count] = bytes(fixed)
            return
        put_decimal(self.buf, pos + 1, n)
        if shrink:
            start = pos + 1 + decimal_length(announced)
            move(self.buf, start - shrink, start, self.pos - start)
            self.pos -= shrink

    # --- attached payload ---

    def attach(self, source: Source) -> None:
        """Put a source here; what it reads must be whole RESP together with what is around."""
        self.parts.append(self.take())
        self.parts.append(source)

    def attach_bytes(self, data: bytes) -> None:
        """Put bytes here by reference."""
        self.parts.append(self.take())
        self.parts.append(data)

    # --- RESP ---

    def _head(self, kind: int, n: int) -> None:
        self.reserve(24)
        self.buf[self.pos] = kind
        if n < 0:
            self.buf[self.pos + 1] = 45
            # The lowest value has no positive twin in 64 signed bits.
            magnitude = -(n + 1)
            pos = put_decimal(self.buf, self.pos + 2, magnitude + 1)
        else:
            pos = put_decimal(self.buf, self.pos + 1, n)
        self.buf[pos] = 13
        self.buf[pos + 1] = 10
        self.pos = pos + 2

    def _line(self, kind: int, text: bytes) -> None:
        self.reserve(len(text) + 3)
        self.buf[self.pos] = kind
        pos = copy_bytes(self.buf, self.pos + 1, text)
        self.buf[pos] = 13
        self.buf[pos + 1] = 10
        self.pos = pos + 2

    def ok(self) -> None:
        self._line(43, b"OK")

    def simple(self, text: bytes) -> None:
        """A simple string; `text` has no line end."""
        self._line(43, text)

    def error(self, text: bytes) -> None:
        """An error with its code, such as b"ERR syntax error"."""
        self._line(45, text)

    def integer(self, value: int) -> None:
        self._head(58, value)

    def bulk(self, data: bytes) -> None:
        n = len(data)
        self._head(36, n)
        if n >= REPLY_REFERENCE_BYTES:
            self.attach_bytes(data)
            self.raw_bytes(b"\r\n")
            return
        self.reserve(n + 2)
        pos = copy_bytes(self.buf, self.pos, data)
        self.buf[pos] = 13
        self.buf[pos + 1] = 10
        self.pos = pos + 2

    def bulk_text(self, text: str) -> None:
        self.bulk(text.encode("utf-8", "surrogateescape"))

    def null(self) -> None:
        self.raw_bytes(b"_\r\n" if self.resp3 else b"$-1\r\n")

    def null_array(self) -> None:
        self.raw_bytes(b"_\r\n" if self.resp3 else b"*-1\r\n")

    def array(self, n: int) -> None:
        self._head(42, n)

    def map(self, n: int) -> None:
        """The head of `n` pairs; a flat array in RESP2."""
        if self.resp3:
            self._head(37, n)
        else:
            self._head(42, 2 * n)

    def keyed(self, n: int) -> None:
        """The head of `n` streams with their entries: a map, in RESP2 an array of pairs."""
        self._head(37 if self.resp3 else 42, n)

    def set(self, n: int) -> None:
        self._head(126 if self.resp3 else 42, n)

    def push(self, n: int) -> None:
        self._head(62 if self.resp3 else 42, n)

    def boolean(self, value: bool) -> None:
        if self.resp3:
            self.raw_bytes(b"#t\r\n" if value else b"#f\r\n")
        else:
            self._head(58, 1 if value else 0)

    def double(self, value: float) -> None:
        """The shortest decimal that reads back as `value`."""
        text = b"%d" % value if value == int(value) and abs(value) < 1e17 else repr(value).encode()
        if self.resp3:
            self._line(44, text)
        else:
            self.bulk(text)

    def verbatim(self, text: bytes) -> None:
        """Text for people: RESP3 marks it as `txt`."""
        if self.resp3:
            self._head(61, len(text) + 4)
            self.raw_bytes(b"txt:")
            self.raw_bytes(text)
            self.raw_bytes(b"\r\n")
        else:
            self.bulk(text)

    def stream_id(self, ms: int, seq: int) -> None:
        """An entry's ID as a bulk string."""
        n = decimal_length(ms) + decimal_length(seq) + 1
        self._head(36, n)
        self.reserve(n + 2)
        pos = put_decimal(self.buf, self.pos, ms)
        self.buf[pos] = 45
        pos = put_decimal(self.buf, pos + 1, seq)
        self.buf[pos] = 13
        self.buf[pos + 1] = 10
        self.pos = pos + 2

    def raw_bytes(self, data: bytes) -> None:
        """Bytes that are RESP already."""
        self.reserve(len(data))
        self.pos = copy_bytes(self.buf, self.pos, data)

    def span(self, buf: bytearray, pos: int, n: int) -> None:
        """A copy of stored RESP."""
        self.reserve(n)
        copy(self.buf, self.pos, buf, pos, n)
        self.pos += n
