"""Replies from bytes, as a client reads them: the Python values that redis-py's parsers make.

RESP2 and RESP3. Bytes may come in pieces of any size: what a piece completes is kept, nothing is
read twice. Any bytes may come: what is no reply is a ReplyFormatError, a length that is announced
takes no memory before its bytes are there.

What is made of what (redis-py's `_RESP2Parser` and `_RESP3Parser`, whatever the numbers' spelling):
text and bulk strings bytes, or str where an encoding is given; integers and big numbers int;
doubles float; booleans bool; nulls None; arrays and sets list; maps dict; an error what
`make_error` makes of its text, also within an array; a push a Push. RESP2 knows only text, bulk
strings, integers, arrays and errors. Where redis-py misreads, a null of RESP2 is None in RESP3 too.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

from headwater.errors import HeadwaterError
from headwater.limits import REPLY_BUFFER_BYTES
from headwater.raw import alloc, copy, copy_bytes, cut, find_byte, move

DEPTH_MAX = 1024
"""Arrays within arrays; one that is deeper is refused. redis-py's parsers fail from about 330."""
_LENGTH_MAX = 1 << 60
_DIGITS = 18
_DEPTH_AT_REST = 8
_LIST, _MAP, _PUSH = 0, 1, 2


class ReplyFormatError(HeadwaterError):
    """The bytes are not RESP."""


class ReplyError:
    """An error reply: `text` with its code in front, such as "ERR syntax error"."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"ReplyError({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ReplyError) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


class Push(list[Any]):
    """A push of RESP3: the first element says of what kind it is."""

    __slots__ = ()


class _Incomplete:
    __slots__ = ()

    def __repr__(self) -> str:
        return "INCOMPLETE"


INCOMPLETE = _Incomplete()
"""What `decode` returns while the next reply is not all there."""


class ReplyDecoder:
    """The replies of one connection, in order: `feed` bytes, then `decode` until INCOMPLETE.

    `_buf[_pos:_end]` is not read yet; `_begin` is where the reply at hand begins. Of the arrays
    that are open at `_depth`, `_open` holds what they contain so far, `_left` how many elements are
    to come (keys and values of a map counted), `_kinds` what they become, `_keys` a map's last key.
    """

    __slots__ = (
        "_begin",
        "_buf",
        "_capacity",
        "_depth",
        "_encoding",
        "_end",
        "_errors",
        "_keys",
        "_kinds",
        "_left",
        "_make_error",
        "_newline",
        "_open",
        "_pos",
        "_room",
        "resp3",
    )

    def __init__(
        self,
        resp3: bool = False,
        encoding: str | None = None,
        errors: str = "strict",
        make_error: Callable[[str], Any] = ReplyError,
    ) -> None:
        self.resp3 = resp3
        self._encoding = encoding
        self._errors = errors
        self._make_error = make_error
        self._buf = alloc(REPLY_BUFFER_BYTES)
        self._capacity = REPLY_BUFFER_BYTES
        self._begin = self._pos = self._end = 0
        self._newline = 0  # searched up to here for the end of the line at _pos
        self._depth = 0
        self._room = _DEPTH_AT_REST
        self._open: list[Any] = [None] * _DEPTH_AT_REST
        self._keys: list[Any] = [None] * _DEPTH_AT_REST
        self._left = array("q", bytes(8 * _DEPTH_AT_REST))
        self._kinds = array("q", bytes(8 * _DEPTH_AT_REST))

    def waiting(self) -> int:
        """Bytes that were fed and do not belong to a reply that `decode` has returned."""
        return self._end - self._begin

    def clear(self) -> None:
        """Forget all bytes, and a buffer that has grown far."""
        self._begin = self._pos = self._end = 0
        self._newline = 0
        self._close_all()
        if self._capacity > REPLY_BUFFER_BYTES * 16:
            self._buf = alloc(REPLY_BUFFER_BYTES)
            self._capacity = REPLY_BUFFER_BYTES

    def feed(self, data: bytes) -> None:
        """Append bytes."""
        self._reserve(len(data))
        self._end = copy_bytes(self._buf, self._end, data)

    def feed_span(self, buf: bytearray, pos: int, n: int) -> None:
        """Append a copy of `buf[pos : pos + n]`, which must lie within it."""
        self._reserve(n)
        copy(self._buf, self._end, buf, pos, n)
        self._end += n

    def borrow(self, buf: bytearray, n: int) -> None:
        """Have nothing but the first `n` bytes of a buffer, which must not change until decoded."""
        self._close_all()
        self._buf = buf
        self._capacity = 0  # what is fed later goes into a buffer of our own
        self._begin = self._pos = self._newline = 0
        self._end = n

    def _reserve(self, n: int) -> None:
        """Have room for `n` bytes behind those that are there."""
        if self._end + n > self._capacity:
            begin = self._begin
            left = self._end - begin
            if left + n <= self._capacity and begin >= left:
                move(self._buf, 0, begin, left)
            else:
                self._capacity = max(2 * self._capacity, left + n)
                bigger = alloc(self._capacity)
                copy(bigger, 0, self._buf, begin, left)
                self._buf = bigger
            self._begin = 0
            self._pos -= begin
            self._newline -= begin
            self._end = left

    def decode(self, raw: bool = False) -> Any:
        """Return the next reply, or INCOMPLETE; `raw`: bytes remain bytes whatever the encoding.

        Raises ReplyFormatError, UnicodeDecodeError for text that is not in the encoding, TypeError
        for a map whose key is a list or a map, and what `make_error` raises; the reply stays then,
        and would raise again.
        """
        encoding = None if raw else self._encoding
        try:
            value = self._read(encoding)
        except BaseException:
            self._pos = self._newline = self._begin
            self._close_all()
            raise
        if value is not INCOMPLETE:
            if self._pos == self._end:
                self.clear()
            else:
                self._begin = self._pos
        return value

    def take_bytes(self) -> bytes:
        """Return all bytes that are not decoded, and forget them."""
        data = cut(self._buf, self._begin, self._end - self._begin)
        self._close_all()
        self.clear()
        return data

    def _close_all(self) -> None:
        for i in range(self._depth):
            self._open[i] = self._keys[i] = None
        self._depth = 0

    def _read(self, encoding: str | None) -> Any:
        """Read on from `_pos` to the end of the reply; INCOMPLETE if that is not there."""
        buf = self._buf
        end = self._end
        value: Any
        while True:
            pos = self._pos
            if pos >= end:
                return INCOMPLETE
            kind = buf[pos]
            # The common spelling of a number: some digits, then CRLF, all of it here.
            number = 0
            p = pos + 1
            stop = min(end - 1, p + _DIGITS)
            while p < stop and 48 <= buf[p] <= 57:
                number = number * 10 + buf[p] - 48
                p += 1
            plain = p > pos + 1 and p < end - 1 and buf[p] == 13 and buf[p + 1] == 10
            if not plain:
                p = self._line_end(buf, end)
                if p < 0:
                    return INCOMPLETE
                if p == pos:
                    raise self._malformed(buf, p)
            after = p + 2
            if kind == 36:  # $
                if not plain:
                    number = self._number(buf, p)
                if number >= 0:
                    if end - after < number + 2:
                        return INCOMPLETE
                    value = cut(buf, after, number)
                    after += number + 2
                    if encoding is not None:
                        value = value.decode(encoding, self._errors)
                elif number == -1:
                    value = None
                else:
                    raise self._malformed(buf, p)
            elif kind == 58:  # :
                value = number if plain else self._integer(buf, p)
            elif kind == 42:  # *
                if not plain:
                    number = self._number(buf, p)
                if number == -1 and not self.resp3:
                    value = None
                elif number <= 0:
                    value = []
                else:
                    self._enter(_LIST, number)
                    self._pos = self._newline = after
                    continue
            elif kind == 43:  # +
                value = cut(buf, pos + 1, p - pos - 1)
                if encoding is not None:
                    value = value.decode(encoding, self._errors)
            elif kind == 45:  # -
                value = self._error(cut(buf, pos + 1, p - pos - 1))
            elif self.resp3:
                if kind == 37 or kind == 62 or kind == 126:  # % > ~
                    if not plain:
                        number = self._number(buf, p)
                    if number > 0:
                        if kind == 37:
                            self._enter(_MAP, 2 * number)
                        else:
                            self._enter(_PUSH if kind == 62 else _LIST, number)
                        self._pos = self._newline = after
                        continue
                    if kind == 37:
                        value = {}
                    else:
                        value = Push() if kind == 62 else []
                elif kind == 33 or kind == 61:  # ! =
                    if not plain:
                        number = self._number(buf, p)
                    if number < 0:
                        raise self._malformed(buf, p)
                    if end - after < number + 2:
                        return INCOMPLETE
                    value = cut(buf, after, number)
                    after += number + 2
                    if kind == 33:
                        value = self._error(value)
                    else:
                        value = value[4:]
                        if encoding is not None:
                            value = value.decode(encoding, self._errors)
                else:
                    value = self._scalar(buf, kind, p)
            else:
                raise self._malformed(buf, p)
            self._pos = self._newline = after
            if self._depth == 0:
                return value
            value = self._add(value)
            if value is not INCOMPLETE:
                return value

    def _add(self, value: Any) -> Any:
        """Put a value where it belongs; returns the reply when that completes it."""
        top = self._depth - 1
        while True:
            left = self._left[top] - 1
            self._left[top] = left
            if self._kinds[top] == _MAP:
                if left & 1:
                    self._keys[top] = value
                else:
                    self._open[top][self._keys[top]] = value
            else:
                self._open[top].append(value)
            if left > 0:
                return INCOMPLETE
            value = self._open[top]
            self._open[top] = self._keys[top] = None
            self._depth = top
            if top == 0:
                return value
            top -= 1

    def _enter(self, kind: int, n: int) -> None:
        """Open an array of `n` elements."""
        depth = self._depth
        if depth == self._room:
            self._deepen()
        items: Any
        if kind == _LIST:
            items = []
        else:
            items = {} if kind == _MAP else Push()
        self._open[depth] = items
        self._left[depth] = n
        self._kinds[depth] = kind
        self._depth = depth + 1

    def _deepen(self) -> None:
        """Have room for twice as many open arrays."""
        room = self._room
        if room >= DEPTH_MAX:
            raise ReplyFormatError(f"a reply has arrays nested deeper than {DEPTH_MAX}")
        left, kinds = array("q", bytes(16 * room)), array("q", bytes(16 * room))
        for i in range(room):
            left[i] = self._left[i]
            kinds[i] = self._kinds[i]
        self._left, self._kinds = left, kinds
        self._open.extend([None] * room)
        self._keys.extend([None] * room)
        self._room = 2 * room

    # --- what is rare ---

    def _line_end(self, buf: bytearray, end: int) -> int:
        """Position of the CRLF of the line at `_pos`, or -1 while it is not there."""
        at = max(self._newline, self._pos)
        while True:
            at = find_byte(buf, 13, at, end)
            if at < 0:
                self._newline = end
                return -1
            if at + 1 >= end:
                self._newline = at
                return -1
            if buf[at + 1] == 10:
                return at
            at += 1

    def _integer(self, buf: bytearray, end: int) -> Any:
        """The number of the line at `_pos`, as Python reads numbers; not limited in size."""
        text = cut(buf, self._pos + 1, end - self._pos - 1)
        try:
            return int(text)
        except ValueError:
            raise self._malformed(buf, end) from None

    def _number(self, buf: bytearray, end: int) -> int:
        """The length that the line at `_pos` announces; -2 for any that is lower than -1."""
        value = self._integer(buf, end)
        if value > _LENGTH_MAX:
            raise self._malformed(buf, end)
        return -2 if value < -1 else int(value)

    def _scalar(self, buf: bytearray, kind: int, end: int) -> Any:
        """The value of a line of one of the kinds that only RESP3 has."""
        text = cut(buf, self._pos + 1, end - self._pos - 1)
        if kind == 95:  # _
            return None
        if kind == 35:  # #
            return text == b"t"
        if kind == 40:  # (
            return self._integer(buf, end)
        if kind == 44:  # ,
            try:
                return float(text)
            except ValueError:
                raise self._malformed(buf, end) from None
        raise self._malformed(buf, end)

    def _error(self, text: bytes) -> Any:
        return self._make_error(text.decode("utf-8", "replace"))

    def _malformed(self, buf: bytearray, end: int) -> ReplyFormatError:
        line = cut(buf, self._pos, min(end - self._pos, 128))
        return ReplyFormatError(f"this is no reply of the protocol: {line!r}")
