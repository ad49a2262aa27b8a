"""Lua's numbers as text, the way Redis writes them: the shortest digits that read back the same."""

from __future__ import annotations

import math

_PLAIN_ZEROS = 7
"""Zeros that are written out rather than giving an exponent."""


def number_text(value: float) -> bytes:
    """A number of a script as an argument of a command, or as a double of a reply."""
    if value == math.floor(value) and abs(value) <= 1 << 62 if math.isfinite(value) else False:
        return b"%d" % value
    if math.isnan(value):
        return b"-nan" if math.copysign(1, value) < 0 else b"nan"
    if math.isinf(value):
        return b"inf" if value > 0 else b"-inf"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    if fraction == "0":
        fraction = ""
    digits = (whole + fraction).lstrip("0")
    scale = int(exponent or 0) - len(fraction)
    stripped = digits.rstrip("0")
    scale += len(digits) - len(stripped)
    digits = stripped
    n = len(digits)
    magnitude = abs(scale + n - 1)
    if scale >= 0 and magnitude < n + _PLAIN_ZEROS:
        text = digits + "0" * scale
    elif scale < 0 and (scale > -_PLAIN_ZEROS or magnitude < 4):
        point = n + scale
        if point <= 0:
            text = "0." + "0" * -point + digits
        else:
            text = digits[:point] + "." + digits[point:]
    else:
        text = digits[0] + ("." + digits[1:] if n > 1 else "")
        text += f"e{'-' if scale + n - 1 < 0 else '+'}{magnitude}"
    return (sign + text).encode()
