"""Requests out of bytes, sans-I/O: the RESP array form and the inline form.

Guarantees:
- Any split of the bytes gives the same requests, or the same error, as the whole.
- Work is linear in the bytes: a request that arrives in pieces is not parsed again.
- Nothing is allocated by a length that a client merely announces.
- What Redis refuses is refused with its error, what it lets pass (a line end that is not
  CRLF) is parsed and marked as not `wellformed`.

The caller owns the buffer. It keeps all bytes from `begin` on, and after moving them calls
`moved`.
"""

from __future__ import annotations

from headwater import errors
from headwater.limits import (
    INLINE_MAX_BYTES,
    MULTIBULK_MAX_ARGS,
    UNAUTHENTICATED_MAX_ARGS,
    UNAUTHENTICATED_MAX_BULK_BYTES,
)
from headwater.raw import cut, find_byte, parse_int
from headwater.resp.request import Request

MORE, READY, FAILED = 0, 1, -1
_MORE, _READY, _FAILED = MORE, READY, FAILED  # the same as C numbers


class RequestParser:
    """Parses the requests of one connection.

    `shared` is the Request of requests that arrive whole; all parsers of a thread may share
    it. A request that arrives in pieces gets one of its own until it is complete.
    `max_bulk_bytes` is not below UNAUTHENTICATED_MAX_BULK_BYTES.
    """

    __slots__ = (
        "authenticated",
        "begin",
        "bulk_length",
        "error",
        "max_bulk_bytes",
        "pos",
        "remaining",
        "request",
        "shared",
    )

    def __init__(self, shared: Request, max_bulk_bytes: int) -> None:
        self.shared = shared
        self.request = shared
        self.max_bulk_bytes = max_bulk_bytes
        self.authenticated = True
        self.error = b""
        self.begin = 0
        self.pos = 0
        self.remaining = -1
        self.bulk_length = -1

    def parse(self, buf: bytearray, end: int) -> int:
        """Parse the next request of `buf`, from `pos` on.

        Returns READY (it is in `request`, `pos` is behind it), MORE (all bytes up to `end` are
        used up) or FAILED (`error` holds the reply; the connection must be closed).
        """
        while True:
            if self.remaining < 0:
                self.begin = self.pos
                self.request = self.shared
                if self.pos >= end:
                    return _MORE
                request = self.request
                request.argc = 0
                request.wellformed = True
                if buf[self.pos] != 42:
                    status = self._inline(buf, end)
                    if status == _READY and self.request.argc == 0:
                        continue
                    return status
                status = self._header(buf, end)
                if status != _READY:
                    return status
                if self.remaining <= 0:
                    self.remaining = -1
                    continue
            status = self._arguments(buf, end)
            if status == _READY:
                self.remaining = -1
                self.request.buf = buf
            elif status == _MORE:
                self._hold()
            return status

    def moved(self, offset: int) -> None:
        """The caller moved the bytes from `begin` on by `offset` (usually to 0: negative)."""
        self.begin += offset
        self.pos += offset
        if self.remaining >= 0:
            self.request.shift(offset)

    def restart(self) -> None:
        """Go back to the beginning of the request at hand: it will be parsed again."""
        self.pos = self.begin
        self.remaining = -1
        self.bulk_length = -1

    def release(self) -> None:
        """Between requests: hold on to nothing of the last one, nor to its buffer."""
        self.request = self.shared
        self.shared.release()

    def wanted(self) -> int:
        """How many bytes behind `begin` complete the argument at hand, as far as is known."""
        if self.bulk_length < 0:
            return 0
        return self.pos - self.begin + self.bulk_length + 2

    def _hold(self) -> None:
        if self.request is not self.shared:
            return
        private = Request()
        shared = self.shared
        for i in range(shared.argc):
            private.push(shared.start(i), shared.length(i))
        private.wellformed = shared.wellformed
        self.request = private

    def _fail(self, text: bytes) -> int:
        self.error = text
        return _FAILED

    def _header(self, buf: bytearray, end: int) -> int:
        """Read `*<count>` and set `remaining`."""
        newline = find_byte(buf, 13, self.pos, end)
        if newline < 0:
            if end - self.pos > INLINE_MAX_BYTES:
                return self._fail(errors.PROTOCOL_BIG_COUNT.text())
            return _MORE
        if newline + 1 >= end:
            return _MORE
        ok, count = parse_int(buf, self.pos + 1, newline - self.pos - 1)
        if not ok or count > MULTIBULK_MAX_ARGS:
            return self._fail(errors.PROTOCOL_MULTIBULK_LENGTH.text())
        if not self.authenticated and count > UNAUTHENTICATED_MAX_ARGS:
            return self._fail(errors.PROTOCOL_UNAUTHENTICATED_MULTIBULK.text())
        if buf[newline + 1] != 10:
            self.request.wellformed = False
        self.pos = newline + 2
        self.remaining = count if count > 0 else 0
        return _READY

    def _arguments(self, buf: bytearray, end: int) -> int:
        """Read `$<length>` and the bytes of each argument that is still missing."""
        request = self.request
        pos = self.pos
        remaining = self.remaining
        length = self.bulk_length
        argc = request.argc
        status = _READY
        while remaining > 0:
            if length < 0:
                if pos >= end:
                    status = _MORE
                    break
                if buf[pos] != 36:
                    self.pos = pos
                    status = self._not_a_bulk(buf, end)
                    break
                # The common spelling: up to six digits, then CRLF, all of it here.
                length = 0
                p = pos + 1
                if end - pos > 9 and buf[p] != 48:
                    while p < pos + 7 and 48 <= buf[p] <= 57:
                        length = length * 10 + buf[p] - 48
                        p += 1
                if p > pos + 1 and buf[p] == 13 and buf[p + 1] == 10 and length <= 16384:
                    pos = p + 2
                else:
                    self.pos = pos
                    length = -1
                    status = self._bulk_header(buf, end)
                    if status != _READY:
                        break
                    length = self.bulk_length
                    pos = self.pos
            if end - pos < length + 2:
                status = _MORE
                break
            if argc == request.capacity:
                request.argc = argc
                request.grow()
            request.spans[2 * argc] = pos
            request.spans[2 * argc + 1] = length
            argc += 1
            pos += length
            if buf[pos] != 13 or buf[pos + 1] != 10:
                request.wellformed = False
            pos += 2
            length = -1
            remaining -= 1
        request.argc = argc
        self.pos = pos
        self.bulk_length = length
        self.remaining = remaining
        return status

    def _not_a_bulk(self, buf: bytearray, end: int) -> int:
        """Something else than `$<length>`: an error as soon as its line is complete."""
        if find_byte(buf, 13, self.pos, end) < 0:
            if end - self.pos > INLINE_MAX_BYTES:
                return self._fail(errors.PROTOCOL_BIG_BULK_COUNT.text())
            return _MORE
        return self._fail(errors.PROTOCOL_EXPECTED_BULK.text(cut(buf, self.pos, 1)))

    def _bulk_header(self, buf: bytearray, end: int) -> int:
        """Read `$<length>` with all checks and set `bulk_length`."""
        newline = find_byte(buf, 13, self.pos, end)
        if newline < 0:
            if end - self.pos > INLINE_MAX_BYTES:
                return self._fail(errors.PROTOCOL_BIG_BULK_COUNT.text())
            return _MORE
        if newline + 1 >= end:
            return _MORE
        ok, length = parse_int(buf, self.pos + 1, newline - self.pos - 1)
        if not ok or length < 0 or length > self.max_bulk_bytes:
            return self._fail(errors.PROTOCOL_BULK_LENGTH.text())
        if not self.authenticated and length > UNAUTHENTICATED_MAX_BULK_BYTES:
            return self._fail(errors.PROTOCOL_UNAUTHENTICATED_BULK.text())
        if buf[newline + 1] != 10:
            self.request.wellformed = False
        self.pos = newline + 2
        self.bulk_length = length
        return _READY

    def _inline(self, buf: bytearray, end: int) -> int:
        """Read one line of words; an empty line gives a request without arguments."""
        newline = find_byte(buf, 10, self.pos, end)
        if newline < 0:
            if end - self.pos > INLINE_MAX_BYTES:
                return self._fail(errors.PROTOCOL_BIG_INLINE.text())
            return _MORE
        stop = newline
        if stop > self.pos and buf[stop - 1] == 13:
            stop -= 1
        words = split_words(cut(buf, self.pos, stop - self.pos))
        if words is None:
            return self._fail(errors.PROTOCOL_QUOTES.text())
        self.pos = newline + 1
        self.request.set_words(words)
        return _READY


_SPACE = b" \t\n\v\f\r"
_ESCAPES = {110: 10, 114: 13, 116: 9, 98: 8, 97: 7}
_HEX = b"0123456789abcdefABCDEF"


def split_words(line: bytes) -> list[bytes] | None:
    """Split a line into words as redis-cli does, or return None for unbalanced quotes.

    "..." knows the escapes \\n \\r \\t \\b \\a \\xHH and \\<any>; '...' only \\'. A closing
    quote must be followed by a space or the end. A zero byte ends the line.
    """
    line = line.split(b"\0", 1)[0]
    words: list[bytes] = []
    i, n = 0, len(line)
    while True:
        while i < n and line[i] in _SPACE:
            i += 1
        if i >= n:
            return words
        word = bytearray()
        while i < n and line[i] not in _SPACE:
            quote = line[i]
            if quote not in b"\"'":
                word.append(quote)
                i += 1
                continue
            i += 1
            while True:
                if i >= n:
                    return None
                c = line[i]
                if quote == 34 and c == 92 and line[i + 1 : i + 2] == b"x" and _is_hex(line, i + 2):
                    word.append(int(line[i + 2 : i + 4], 16))
                    i += 4
                elif quote == 34 and c == 92 and i + 1 < n:
                    word.append(_ESCAPES.get(line[i + 1], line[i + 1]))
                    i += 2
                elif quote == 39 and c == 92 and line[i + 1 : i + 2] == b"'":
                    word.append(39)
                    i += 2
                elif c == quote:
                    i += 1
                    if i < n and line[i] not in _SPACE:
                        return None
                    break
                else:
                    word.append(c)
                    i += 1
        words.append(bytes(word))


def _is_hex(line: bytes, i: int) -> bool:
    return len(line) >= i + 2 and line[i] in _HEX and line[i + 1] in _HEX
