"""How many bytes Redis's listpack would take, so that blocks end where Redis's nodes end.

Approximate trimming drops whole nodes, so a client sees where a node ends. Headwater stores
RESP, not listpacks, and only counts as if it did: an element is one byte of encoding or
more, its content, and its length once more for the way back.
"""

from __future__ import annotations

from headwater.raw import parse_int

HEAD_BYTES = 7
"""Total length (4), number of elements (2) and the end mark (1)."""


def integer_bytes(value: int) -> int:
    """Size of an integer element."""
    if 0 <= value <= 127:
        return 2
    if -4096 <= value <= 4095:
        return 3
    if -32768 <= value <= 32767:
        return 4
    if -8388608 <= value <= 8388607:
        return 5
    if -2147483648 <= value <= 2147483647:
        return 6
    return 10


def element_bytes(buf: bytearray, pos: int, n: int) -> int:
    """Size of the element that a string becomes; one that reads as an integer is stored so."""
    if 0 < n <= 20 and buf[pos] <= 57:
        ok, value = parse_int(buf, pos, n)
        if ok:
            return integer_bytes(value)
    if n < 64:
        size = n + 1
    elif n < 4096:
        size = n + 2
    else:
        size = n + 5
    if size <= 127:
        return size + 1
    if size < 16383:
        return size + 2
    if size < 2097151:
        return size + 3
    if size < 268435455:
        return size + 4
    return size + 5
