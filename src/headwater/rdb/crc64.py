"""The CRC-64 of RDB files and DUMP payloads: Jones's polynomial, reflected, from 0.

Eight tables fold in eight bytes at a time.
"""

from __future__ import annotations

from headwater.raw import get_u64

POLYNOMIAL = 0x95AC9329AC4BC9B5
"""0xAD93D23594C935A9 with its bits in reverse order."""

_TABLE = [0] * 2048
"""Table k, at 256 * k: what a byte does to the CRC when k more bytes follow it."""


def _fill_tables() -> None:
    for i in range(256):
        value = i
        for _ in range(8):
            if value & 1:
                value = (value >> 1) ^ POLYNOMIAL
            else:
                value = value >> 1
        _TABLE[i] = value
    for i in range(256, 2048):
        value = _TABLE[i - 256]
        _TABLE[i] = (value >> 8) ^ _TABLE[value & 0xFF]


_fill_tables()


def crc64(buf: bytearray, pos: int, n: int, start: int) -> int:
    """The CRC of a span; `start` is the CRC of what is before it, 0 at the beginning."""
    value = start
    end = pos + n
    while pos + 8 <= end:
        value ^= get_u64(buf, pos)
        value = (
            _TABLE[0x700 + (value & 0xFF)]
            ^ _TABLE[0x600 + ((value >> 8) & 0xFF)]
            ^ _TABLE[0x500 + ((value >> 16) & 0xFF)]
            ^ _TABLE[0x400 + ((value >> 24) & 0xFF)]
            ^ _TABLE[0x300 + ((value >> 32) & 0xFF)]
            ^ _TABLE[0x200 + ((value >> 40) & 0xFF)]
            ^ _TABLE[0x100 + ((value >> 48) & 0xFF)]
            ^ _TABLE[value >> 56]
        )
        pos += 8
    while pos < end:
        value = (value >> 8) ^ _TABLE[(value ^ buf[pos]) & 0xFF]
        pos += 1
    return value
