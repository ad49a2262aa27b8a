"""Items as they lie in memory: one behind the other, encoded as the elements of Redis's listpack.

What reads as an integer is stored as one; everything else is its bytes behind their number. The
size of an element stands behind it once more, so that a run is walked from either end. A text
has one encoding: two items are the same if and only if their bytes are.

    0xxxxxxx                      an integer of 7 bits
    10nnnnnn text                 up to 63 bytes
    110xxxxx x                    a signed integer of 13 bits, the high ones first
    1110nnnn n text               up to 4095 bytes, the high bits first
    11110000 nnnn text            u32 bytes
    11110001 to 11110100          a signed integer of 2, 3, 4 or 8 bytes, the low one first

Positions are the caller's responsibility: nothing here checks a bound.
"""

from __future__ import annotations

from headwater.raw import alloc, copy, cut, decimal_length, equal, get_u32, parse_int, put_u32

MOST_OVERHEAD = 10
"""Bytes that an element has beside its text, at most."""

_INTEGER_MAX_BYTES = 20
_NUMBER = -1  # what `_text_start` answers for an integer


def reply_bytes(n: int) -> int:
    """What a text of so many bytes takes as a bulk string of RESP."""
    return decimal_length(n) + n + 5


def back_bytes(size: int) -> int:
    """How many bytes it takes to say an element's size behind it."""
    if size <= 127:
        return 1
    if size < 16383:
        return 2
    if size < 2097151:
        return 3
    if size < 268435455:
        return 4
    return 5


def _integer_bytes(value: int) -> int:
    """The size of an integer, what stands behind it not counted."""
    if 0 <= value <= 127:
        return 1
    if -4096 <= value <= 4095:
        return 2
    if -32768 <= value <= 32767:
        return 3
    if -8388608 <= value <= 8388607:
        return 4
    if -2147483648 <= value <= 2147483647:
        return 5
    return 9


def element_bytes(source: bytearray, start: int, n: int) -> int:
    """The size of the element that a text becomes."""
    if 0 < n <= _INTEGER_MAX_BYTES and source[start] <= 57:
        ok, value = parse_int(source, start, n)
        if ok:
            return _integer_bytes(value) + 1
    size = n + 1 if n < 64 else n + 2 if n < 4096 else n + 5
    return size + back_bytes(size)


def put_element(out: bytearray, pos: int, source: bytearray, start: int, n: int) -> int:
    """Write a text as an element; returns the place behind it.

    There is room for `n` + MOST_OVERHEAD bytes, or for what `element_bytes` says.
    """
    to = out
    if 0 < n <= _INTEGER_MAX_BYTES and source[start] <= 57:
        ok, value = parse_int(source, start, n)
        if ok:
            return put_integer(out, pos, value)
    if n < 64:
        to[pos] = 0x80 | n
        size = n + 1
    elif n < 4096:
        to[pos] = 0xE0 | (n >> 8)
        to[pos + 1] = n & 0xFF
        size = n + 2
    else:
        to[pos] = 0xF0
        put_u32(out, pos + 1, n)
        size = n + 5
    copy(out, pos + size - n, source, start, n)
    pos += size
    if size <= 127:
        to[pos] = size
        return pos + 1
    width = back_bytes(size)
    for i in range(width):
        part = (size >> (7 * (width - 1 - i))) & 0x7F
        to[pos + i] = part if i == 0 else part | 0x80
    return pos + width


def put_integer(out: bytearray, pos: int, value: int) -> int:
    """Write an integer as an element; returns the place behind it. There is room for 10 bytes."""
    to = out
    size = _integer_bytes(value)
    if size == 1:
        to[pos] = value
    elif size == 2:
        to[pos] = 0xC0 | ((value >> 8) & 0x1F)
        to[pos + 1] = value & 0xFF
    else:
        to[pos] = 0xEE + size if size < 9 else 0xF4
        for i in range(size - 1):
            to[pos + 1 + i] = (value >> (8 * i)) & 0xFF
    to[pos + size] = size
    return pos + size + 1


def size_at(buf: bytearray, pos: int) -> int:
    """The size of the element that begins here, with what stands behind it."""
    data = buf
    b = data[pos]
    if b < 0x80:
        return 2
    if b < 0xC0:
        size = (b & 0x3F) + 1
        return size + 1
    if b < 0xE0:
        return 3
    if b < 0xF0:
        size = ((b & 0x0F) << 8 | data[pos + 1]) + 2
    elif b == 0xF0:
        size = get_u32(buf, pos + 1) + 5
    else:
        return b - 0xEE + 1 if b < 0xF4 else 10
    return size + back_bytes(size)


def start_before(buf: bytearray, end: int) -> int:
    """Where the element begins that ends here."""
    data = buf
    at = end - 1
    size = data[at] & 0x7F
    shift = 7
    while data[at] & 0x80:
        at -= 1
        size |= (data[at] & 0x7F) << shift
        shift += 7
    return at - size


def skip(buf: bytearray, pos: int, count: int) -> int:
    """The place behind so many elements."""
    while count > 0:
        pos += size_at(buf, pos)
        count -= 1
    return pos


def skip_back(buf: bytearray, end: int, count: int) -> int:
    """The place where the last so many elements before `end` begin."""
    while count > 0:
        end = start_before(buf, end)
        count -= 1
    return end


def _text_start(buf: bytearray, pos: int) -> int:
    """How many bytes stand before the text of an element; _NUMBER: it is an integer."""
    data = buf
    b = data[pos]
    if b < 0x80:
        return _NUMBER
    if b < 0xC0:
        return 1
    if b < 0xE0:
        return _NUMBER
    if b < 0xF0:
        return 2
    return 5 if b == 0xF0 else _NUMBER


def _text_bytes(buf: bytearray, pos: int) -> int:
    """The length of the text of an element that is no integer."""
    data = buf
    b = data[pos]
    if b < 0xC0:
        return b & 0x3F
    if b < 0xF0:
        return (b & 0x0F) << 8 | data[pos + 1]
    return get_u32(buf, pos + 1)


def _integer(buf: bytearray, pos: int) -> int:
    """The value of an element that is an integer."""
    data = buf
    b = data[pos]
    if b < 0x80:
        return b
    if b < 0xE0:
        value = (b & 0x1F) << 8 | data[pos + 1]
        return value - 8192 if value >= 4096 else value
    size = b - 0xEF if b < 0xF4 else 8
    high = data[pos + size]
    value = high - 256 if high >= 128 else high
    for i in range(size - 1, 0, -1):
        value = value * 256 + data[pos + i]
    return value


def _printed(buf: bytearray, pos: int) -> int:
    """How many digits and signs an integer has."""
    value = _integer(buf, pos)
    if value >= 0:
        return decimal_length(value)
    magnitude = -(value + 1)
    return decimal_length(_next(magnitude)) + 1


def _next(value: int) -> int:
    """One more; in C a number without sign, so that 2**63 is one."""
    return value + 1


def text_length(buf: bytearray, pos: int) -> int:
    """The length of an element's text."""
    if _text_start(buf, pos) == _NUMBER:
        return _printed(buf, pos)
    return _text_bytes(buf, pos)


def text_at(buf: bytearray, pos: int) -> bytes:
    """An element's text."""
    start = _text_start(buf, pos)
    if start == _NUMBER:
        return b"%d" % _integer(buf, pos)
    return cut(buf, pos + start, _text_bytes(buf, pos))


def text_span(buf: bytearray, pos: int) -> int:
    """Where the text of an element begins, which is no integer (any of more than 20 bytes)."""
    return pos + _text_start(buf, pos)


def put_reply(out: bytearray, at: int, buf: bytearray, pos: int) -> int:
    """Write an element's text as a bulk string; returns the place behind it."""
    start = _text_start(buf, pos)
    to = out
    if start == _NUMBER:
        return _put_number(out, at, _integer(buf, pos), _printed(buf, pos))
    n = _text_bytes(buf, pos)
    to[at] = 36
    if n < 10:
        to[at + 1] = 48 + n
        at += 2
    elif n < 100:
        to[at + 1] = 48 + n // 10
        to[at + 2] = 48 + n % 10
        at += 3
    else:
        at = put_digits(out, at + 1, n)
    to[at] = 13
    to[at + 1] = 10
    at += 2
    copy(out, at, buf, pos + start, n)
    at += n
    to[at] = 13
    to[at + 1] = 10
    return at + 2


def put_digits(out: bytearray, at: int, value: int) -> int:
    """Write a length in decimal; returns the place behind it."""
    digits = decimal_length(value)
    to = out
    for i in range(digits - 1, -1, -1):
        to[at + i] = 48 + value % 10
        value //= 10
    return at + digits


def _put_number(out: bytearray, at: int, value: int, n: int) -> int:
    """Write an integer, `n` digits and signs of it, as a bulk string."""
    to = out
    to[at] = 36
    at = put_digits(out, at + 1, n)
    to[at] = 13
    to[at + 1] = 10
    at += 2
    if value < 0:
        to[at] = 45
    # Digit by digit from the end; in C -7 % 10 is -7 and in Python 3, so there is no minus.
    rest = _next(-(value + 1)) if value < 0 else value
    for i in range(n - 1, 0 if value < 0 else -1, -1):
        to[at + i] = 48 + rest % 10
        rest //= 10
    at += n
    to[at] = 13
    to[at + 1] = 10
    return at + 2


def put_replies(out: bytearray, at: int, buf: bytearray, pos: int, count: int) -> int:
    """Write so many elements from `pos` on, as `put_reply`; returns the place behind them."""
    while count > 0:
        at = put_reply(out, at, buf, pos)
        pos += size_at(buf, pos)
        count -= 1
    return at


def put_replies_back(out: bytearray, at: int, buf: bytearray, end: int, count: int) -> int:
    """Write so many elements before `end`, the last one first; returns the place behind them."""
    while count > 0:
        end = start_before(buf, end)
        at = put_reply(out, at, buf, end)
        count -= 1
    return at


def replies_bytes(buf: bytearray, pos: int, count: int) -> int:
    """What so many elements from `pos` on take as bulk strings."""
    size = 0
    while count > 0:
        size += reply_bytes(text_length(buf, pos))
        pos += size_at(buf, pos)
        count -= 1
    return size


def find(buf: bytearray, pos: int, count: int, wanted: bytearray, size: int) -> tuple[int, int]:
    """How many elements are before the first one that is `wanted`, and where that one is.

    Looks at `count` elements from `pos` on; (-1, _) if it is none of them.
    """
    data = buf
    match = wanted
    first = match[0]
    for i in range(count):
        b = data[pos]
        if b == first and size_at(buf, pos) == size and equal(buf, pos, wanted, 0, size):
            return i, pos
        pos += size_at(buf, pos)
    return -1, pos


def find_back(
    buf: bytearray, end: int, count: int, wanted: bytearray, size: int
) -> tuple[int, int]:
    """How many elements are behind the last one that is `wanted`, and where that one is.

    Looks at `count` elements before `end`; (-1, _) if it is none of them.
    """
    data = buf
    match = wanted
    first = match[0]
    for i in range(count):
        end = start_before(buf, end)
        b = data[end]
        if b == first and size_at(buf, end) == size and equal(buf, end, wanted, 0, size):
            return i, end
    return -1, end


def element_of(text: bytes) -> bytearray:
    """A text as an element."""
    source = bytearray(text)
    n = len(source)
    wanted = alloc(element_bytes(source, 0, n))
    put_element(wanted, 0, source, 0, n)
    return wanted
