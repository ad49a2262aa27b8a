"""Timeouts in seconds, with a fraction: what blocking commands of lists are given."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal, localcontext
from fractions import Fraction
from math import ceil

from headwater import errors
from headwater.raw import parse_int
from headwater.resp.request import Request

_INT64_MAX = (1 << 63) - 1
_INTEGER_MAX = _INT64_MAX // 1000
_TEXT_MAX_BYTES = 255
_SIZES = 4951  # powers of ten, either way, that Redis's floats have
_DECIMAL = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?")
_HEXADECIMAL = re.compile(rb"([+-]?)0[xX]([0-9a-fA-F]*)\.?([0-9a-fA-F]*)(?:[pP]([+-]?[0-9]{1,5}))?")
_INFINITE = re.compile(rb"([+-]?)inf(?:inity)?", re.IGNORECASE)


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
    infinite = _INFINITE.fullmatch(text)
    if infinite:
        negative = infinite[1] == b"-"
        raise (errors.NEGATIVE_TIMEOUT if negative else errors.TIMEOUT_OUT_OF_RANGE).error()
    if _DECIMAL.fullmatch(text):
        ms = _of_decimal(text)
    else:
        hexadecimal = _HEXADECIMAL.fullmatch(text)
        if hexadecimal is None or not hexadecimal[2] + hexadecimal[3]:
            raise errors.TIMEOUT_NOT_FLOAT.error()
        digits, fraction = hexadecimal[2], hexadecimal[3]
        value = Fraction(int(digits + fraction, 16), 16 ** len(fraction))
        ms = ceil(1000 * value * Fraction(2) ** int(hexadecimal[4] or b"0"))
        if hexadecimal[1] == b"-":
            ms = -ms
    if ms > _INT64_MAX:
        raise errors.TIMEOUT_OUT_OF_RANGE.error()
    if ms < 0:
        raise errors.NEGATIVE_TIMEOUT.error()
    return ms


def _of_decimal(text: bytes) -> int:
    with localcontext() as context:
        context.prec = 300
        value = Decimal(text.decode())
        size = value.adjusted()
        if value and not -_SIZES < size < _SIZES:
            raise errors.TIMEOUT_NOT_FLOAT.error()
        if size > 20:
            return -1 if value < 0 else _INT64_MAX + 1
        return int((1000 * value).to_integral_value(ROUND_CEILING))
