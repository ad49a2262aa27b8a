"""LZF, the compression of strings in RDB files.

Compressed bytes are a row of pieces, each beginning with a control byte c:

    c < 32       c + 1 bytes follow that stand for themselves
    32 <= c      a copy of what came before: (c >> 5) + 2 bytes, or, if c >> 5 is 7, 9 + the next
                 byte; then a byte d: the copy begins ((c & 31) << 8) + d + 1 bytes back

A copy may overlap what it makes.
"""

from __future__ import annotations

from headwater.raw import copy, move

_HASH_SIZE = 16384
_HASH_SHIFT = 18
_MULTIPLIER = 0x9E3779B1
_MAX_BACK = 8192
_MAX_COPY = 264
_MAX_LITERALS = 32
_SKIP_SHIFT = 6
_MAX_SKIP = 15
"""After 2**6 bytes without a match only every second one is tried, after as many again every
third: what can not be compressed is soon passed over."""
_FORGET_AT = 1 << 31

_seen = [0] * 16384
"""By a hash of three bytes: where they were seen last. Places are numbered through all calls, so
what an earlier call left is recognised as old and nothing has to be cleared."""

_next_place = 1


def compress(src: bytearray, pos: int, n: int, dst: bytearray, dst_pos: int, limit: int) -> int:
    """Compress `n` bytes of `src` into another buffer; the same bytes in both modes.

    Returns the compressed length, or 0 when that would be above `limit`, for which `dst` has
    room. `n` is below 2**30.
    """
    global _next_place
    if _next_place + n > _FORGET_AT:
        for i in range(_HASH_SIZE):
            _seen[i] = 0
        _next_place = 1
    data = src
    out = dst
    begin = literal = pos  # from `literal` on, bytes are not written yet
    end = pos + n
    shift = _next_place - begin  # a place is a position plus this
    _next_place += n
    at = dst_pos
    stop = dst_pos + limit
    while pos + 2 < end:
        word = (data[pos] << 16) | (data[pos + 1] << 8) | data[pos + 2]
        spot = ((word * _MULTIPLIER) >> _HASH_SHIFT) & 16383
        found = _seen[spot] - shift
        _seen[spot] = pos + shift
        if (
            found < begin
            or pos - found > _MAX_BACK
            or data[found] != data[pos]
            or data[found + 1] != data[pos + 1]
            or data[found + 2] != data[pos + 2]
        ):
            skip = (pos - literal) >> _SKIP_SHIFT
            pos += 1 + (skip if skip < _MAX_SKIP else _MAX_SKIP)
            continue
        most = end - pos
        if most > _MAX_COPY:
            most = _MAX_COPY
        length = 3
        while length < most and data[found + length] == data[pos + length]:
            length += 1
        code = 2 if length < 9 else 3
        at = _put_literals(src, literal, pos - literal, dst, at, stop - code)
        if at == 0:
            return 0
        back = pos - found - 1
        if length < 9:
            out[at] = ((length - 2) << 5) | (back >> 8)
            out[at + 1] = back & 255
            at += 2
        else:
            out[at] = 0xE0 | (back >> 8)
            out[at + 1] = length - 9
            out[at + 2] = back & 255
            at += 3
        pos += length
        literal = pos
        if pos + 1 < end:
            # Repeats tend to begin right behind others: remember the last place inside.
            word = (data[pos - 1] << 16) | (data[pos] << 8) | data[pos + 1]
            spot = ((word * _MULTIPLIER) >> _HASH_SHIFT) & 16383
            _seen[spot] = pos - 1 + shift
    at = _put_literals(src, literal, end - literal, dst, at, stop)
    return at - dst_pos if at else 0


def _put_literals(src: bytearray, pos: int, n: int, dst: bytearray, at: int, stop: int) -> int:
    """Write bytes that stand for themselves; returns the place behind them, 0 if above `stop`."""
    if at + n + (n + _MAX_LITERALS - 1) // _MAX_LITERALS > stop:
        return 0
    while n > 0:
        run = n if n < _MAX_LITERALS else _MAX_LITERALS
        dst[at] = run - 1
        copy(dst, at + 1, src, pos, run)
        at += run + 1
        pos += run
        n -= run
    return at


def decompress(src: bytearray, pos: int, n: int, dst: bytearray, dst_pos: int, size: int) -> bool:
    """Decompress `n` bytes of `src` into another buffer.

    Tells whether they were what makes exactly `size` bytes; nothing else in `dst` is touched,
    whatever the bytes are.
    """
    data = src
    out = dst
    end = pos + n
    at = dst_pos
    stop = dst_pos + size
    while pos < end:
        control = data[pos]
        pos += 1
        if control < 32:
            length = control + 1
            if pos + length > end or at + length > stop:
                return False
            copy(dst, at, src, pos, length)
            pos += length
            at += length
            continue
        length = control >> 5
        if length == 7:
            if pos >= end:
                return False
            length = 7 + data[pos]
            pos += 1
        length += 2
        if pos >= end:
            return False
        found = at - (((control & 31) << 8) | data[pos]) - 1
        pos += 1
        if found < dst_pos or at + length > stop:
            return False
        if found + length <= at:
            move(dst, at, found, length)
            at += length
        else:
            while length > 0:
                out[at] = out[found]
                at += 1
                found += 1
                length -= 1
    return at == stop
