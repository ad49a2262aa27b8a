"""Entry IDs: `<ms>-<seq>`, two unsigned 64-bit halves, compared left to right.

Everywhere an ID is two integers. 0-0 is no entry's ID.
"""

from __future__ import annotations

from headwater import errors
from headwater.raw import find_byte, parse_u64
from headwater.resp.request import Request

MAX = 2**64 - 1


def compare(ms1: int, seq1: int, ms2: int, seq2: int) -> int:
    """Return -1, 0 or 1 as the first ID is below, equal to or above the second."""
    if ms1 != ms2:
        return 1 if ms1 > ms2 else -1
    if seq1 != seq2:
        return 1 if seq1 > seq2 else -1
    return 0


def next_id(ms: int, seq: int) -> tuple[bool, int, int]:
    """Return (True, the ID right above), or (False, 0, 0) above the greatest one."""
    if seq != MAX:
        return True, ms, seq + 1
    if ms != MAX:
        return True, ms + 1, 0
    return False, 0, 0


def previous_id(ms: int, seq: int) -> tuple[bool, int, int]:
    """Return (True, the ID right below), or (False, MAX, MAX) below 0-0."""
    if seq != 0:
        return True, ms, seq - 1
    if ms != 0:
        return True, ms - 1, MAX
    return False, MAX, MAX


def parse_span(buf: bytearray, pos: int, n: int, missing_seq: int) -> tuple[bool, int, int]:
    """Read `ms-seq`, or `ms` alone with `missing_seq` as the sequence: (ok, ms, seq)."""
    dash = find_byte(buf, 45, pos, pos + n)
    if dash < 0:
        ok, ms = parse_u64(buf, pos, n)
        return ok, ms, missing_seq
    ok, ms = parse_u64(buf, pos, dash - pos)
    ok2, seq = parse_u64(buf, dash + 1, pos + n - dash - 1)
    return ok and ok2, ms, seq


def strict_id(request: Request, i: int, missing_seq: int) -> tuple[int, int]:
    """Argument `i` as a complete or incomplete ID, or raises INVALID_ID."""
    ok, ms, seq = parse_span(request.buf, request.start(i), request.length(i), missing_seq)
    if not ok:
        raise errors.INVALID_ID.error()
    return ms, seq


def range_id(request: Request, i: int, missing_seq: int) -> tuple[int, int]:
    """Argument `i` as the end of a range: an ID, `-` or `+`, or raises INVALID_ID."""
    if request.length(i) == 1:
        c = request.buf[request.start(i)]
        if c == 45:
            return 0, 0
        if c == 43:
            return MAX, MAX
    return strict_id(request, i, missing_seq)


def is_exclusive(request: Request, i: int) -> bool:
    """Tell whether argument `i` begins with `(`."""
    return request.length(i) > 1 and request.buf[request.start(i)] == 40


def exclusive_id(request: Request, i: int, missing_seq: int) -> tuple[int, int]:
    """Argument `i`, which `is_exclusive`, without its bracket, or raises INVALID_ID."""
    start, n = request.start(i) + 1, request.length(i) - 1
    ok, ms, seq = parse_span(request.buf, start, n, missing_seq)
    if not ok:
        raise errors.INVALID_ID.error()
    return ms, seq


def text(ms: int, seq: int) -> bytes:
    """The ID as it is written."""
    return b"%d-%d" % (ms, seq)
