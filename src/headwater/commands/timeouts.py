"""Timeouts in seconds, with a fraction: what blocking commands of lists are given."""

from __future__ import annotations

from headwater import errors
from headwater.commands import long_double
from headwater.raw import parse_int
from headwater.resp.request import Request

_INT64_MAX = (1 << 63) - 1
_INTEGER_MAX = _INT64_MAX // 1000
_TEXT_MAX_BYTES = 255


def deadline_in(request: Request, i: int, now_ms: int) -> int:
    """When a wait ends that begins now, the seconds being argument `i`; 0: never.

    Raises TIMEOUT_NOT_FLOAT, NEGATIVE_TIMEOUT, TIMEOUT_OUT_OF_RANGE.
    """
    ok, seconds = parse_int(request.buf, request.start(i), request.length(i))
    if ok and 0 <= seconds <= _INTEGER_MAX:
        ms = 1000 * seconds
    else:
        ms = _milliseconds(request.arg(i))
    if ms == 0:
        return 0
    if ms > _INT64_MAX - now_ms:
        raise errors.TIMEOUT_OUT_OF_RANGE.error()
    return now_ms + ms


def _milliseconds(text: bytes) -> int:
    """A number of seconds as milliseconds, rounded up."""
    if len(text) > _TEXT_MAX_BYTES:
        raise errors.TIMEOUT_NOT_FLOAT.error()
    try:
        seconds = long_double.parse(text)
    except long_double.NotANumberError:
        raise errors.TIMEOUT_NOT_FLOAT.error() from None
    ms = None if seconds is None else long_double.times(seconds, 1000)
    if text.startswith(b"-") and ms is None:
        raise errors.NEGATIVE_TIMEOUT.error()
    if ms is None:
        raise errors.TIMEOUT_OUT_OF_RANGE.error()
    whole = long_double.ceiling(ms)
    if whole > _INT64_MAX:
        raise errors.TIMEOUT_OUT_OF_RANGE.error()
    if whole < 0:
        raise errors.NEGATIVE_TIMEOUT.error()
    return whole
