"""Numbers of 64 significant bits: what Redis on x86 adds in INCRBYFLOAT and INCREX BYFLOAT,
and what it reads timeouts of lists as.

Python's floats have 53 bits and would give other digits. A number here is an exact fraction of
integers, rounded to 64 bits (half to even) where the processor would round; it is printed with 17
digits behind the point, without zeros at the end, as Redis prints it.
"""

from __future__ import annotations

import re

MANTISSA_BITS = 64
MAX_EXPONENT = 16383  # of the highest bit
MIN_EXPONENT = -16445  # of the lowest bit of the smallest number above 0
DIGITS = 17
MAX_CHARACTERS = 5 * 1024  # a longer text is no number, as in Redis

_DECIMAL = re.compile(rb"([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?\Z")
_HEXADECIMAL = re.compile(rb"([+-]?)0[xX]([0-9a-fA-F]*)(?:\.([0-9a-fA-F]*))?(?:[pP]([+-]?\d+))?\Z")
_INFINITE = re.compile(rb"([+-]?)inf(inity)?\Z", re.IGNORECASE)
_EXPONENT_DIGITS = 9
_BITS_PER_DIGIT = 3.3219280948873626
_MAX_BITS = 16_500  # what has more, before or behind the point, is too big or 0
_DIGITS_AT_ONCE = 4000  # the interpreter refuses to convert more than 4300

Number = tuple[int, int]
"""mantissa, exponent: mantissa * 2**exponent, where the mantissa has 64 bits at most."""

ZERO: Number = (0, 0)
LARGEST: Number = ((1 << MANTISSA_BITS) - 1, MAX_EXPONENT - MANTISSA_BITS + 1)
SMALLEST: Number = (-LARGEST[0], LARGEST[1])


class NotANumberError(ValueError):
    """The text is no number."""


def parse(text: bytes) -> Number | None:
    """The number that a text is, None for an infinite one. Raises NotANumberError.

    What the C library reads is a number, except with space before it, or what is so big or so
    small that it is infinite or 0.
    """
    if not 0 < len(text) < MAX_CHARACTERS:
        raise NotANumberError
    found = _DECIMAL.match(text)
    base, power_of = 10, 10
    if found is None or not (found[2] or found[3]):
        found = _HEXADECIMAL.match(text)
        base, power_of = 16, 2
        if found is None or not (found[2] or found[3]):
            if _INFINITE.match(text):
                return None
            raise NotANumberError
    sign, whole, behind, power = found.groups()
    digits = _from_digits(whole + (behind or b""), base)
    if digits == 0:
        return ZERO
    if len(power or b"") > _EXPONENT_DIGITS:
        raise NotANumberError
    shift = int(power or 0) - len(behind or b"") * (4 if base == 16 else 1)
    bits = digits.bit_length() + (shift if base == 16 else int(shift * _BITS_PER_DIGIT))
    if abs(bits) > _MAX_BITS:
        raise NotANumberError
    if shift >= 0:
        number = rounded(digits * power_of**shift, 1)
    else:
        number = rounded(digits, power_of**-shift)
    if number is None or number[0] == 0:
        raise NotANumberError
    return (-number[0], number[1]) if sign == b"-" else number


def _from_digits(digits: bytes, base: int) -> int:
    if base == 16 or len(digits) <= _DIGITS_AT_ONCE:
        return int(digits, base)
    head = int(digits[:_DIGITS_AT_ONCE])
    power: int = 10 ** (len(digits) - _DIGITS_AT_ONCE)
    return head * power + int(digits[_DIGITS_AT_ONCE:])


def _to_digits(number: int) -> bytes:
    high, low = divmod(number, 10**_DIGITS_AT_ONCE)
    return b"%d%0*d" % (high, _DIGITS_AT_ONCE, low) if high else b"%d" % low


def rounded(numerator: int, denominator: int) -> Number | None:
    """The nearest number to a fraction; None if that is infinite."""
    negative = numerator < 0
    numerator = abs(numerator)
    if numerator == 0:
        return ZERO
    # Such that the quotient has 64 or 65 bits, fewer near 0.
    exponent = numerator.bit_length() - denominator.bit_length() - MANTISSA_BITS
    exponent = max(exponent, MIN_EXPONENT)
    while True:
        if exponent >= 0:
            mantissa, rest = divmod(numerator, denominator << exponent)
            unit = denominator << exponent
        else:
            mantissa, rest = divmod(numerator << -exponent, denominator)
            unit = denominator
        if mantissa.bit_length() <= MANTISSA_BITS:
            break
        exponent += 1
    if 2 * rest > unit or (2 * rest == unit and mantissa & 1):
        mantissa += 1
    if mantissa >> MANTISSA_BITS:
        mantissa >>= 1
        exponent += 1
    if mantissa.bit_length() - 1 + exponent > MAX_EXPONENT:
        return None
    return (-mantissa if negative else mantissa), exponent


def add(a: Number, b: Number) -> Number | None:
    """The sum; None if it is infinite."""
    low = min(a[1], b[1])
    return _nearest((a[0] << (a[1] - low)) + (b[0] << (b[1] - low)), low)


def times(a: Number, factor: int) -> Number | None:
    """The product; None if it is infinite."""
    return _nearest(a[0] * factor, a[1])


def _nearest(mantissa: int, exponent: int) -> Number | None:
    if exponent >= 0:
        return rounded(mantissa << exponent, 1)
    return rounded(mantissa, 1 << -exponent)


def ceiling(a: Number) -> int:
    """The lowest integer that is not below."""
    mantissa, exponent = a
    return mantissa << exponent if exponent >= 0 else -(-mantissa >> -exponent)


def negated(a: Number) -> Number:
    return -a[0], a[1]


def less(a: Number, b: Number) -> bool:
    """Whether a < b."""
    low = min(a[1], b[1])
    return a[0] << (a[1] - low) < b[0] << (b[1] - low)


def text(number: Number) -> bytes:
    """The number as people write it: 17 digits behind the point at most, none that says nothing."""
    mantissa, exponent = number
    negative = mantissa < 0
    mantissa = abs(mantissa)
    if exponent >= 0:
        digits = _to_digits(mantissa << exponent)
    else:
        scaled, rest = divmod(mantissa * 10**DIGITS, 1 << -exponent)
        half = 1 << (-exponent - 1)
        if rest > half or (rest == half and scaled & 1):
            scaled += 1
        whole, behind = divmod(scaled, 10**DIGITS)
        digits = b"%b.%017d" % (_to_digits(whole), behind)
        digits = digits.rstrip(b"0").removesuffix(b".")
    return b"-" + digits if negative and digits != b"0" else digits
