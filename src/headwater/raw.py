"""Byte primitives: spans copied between buffers, little-endian integers, decimals.

This module alone has two bodies: this one, and `raw.pyx` that does the same with memcpy.
`tests/unit/test_raw.py` runs both against each other. Positions and lengths are the
caller's responsibility (the compiled body does not check them); integers are in range.
"""

from __future__ import annotations

import errno
import os
import select
import time
import zlib


def alloc(n: int) -> bytearray:
    """Return a bytearray of `n` bytes whose content is undefined."""
    return bytearray(n)


def copy(dst: bytearray, dst_pos: int, src: bytearray, src_pos: int, n: int) -> None:
    """Copy `n` bytes between two different buffers."""
    dst[dst_pos : dst_pos + n] = src[src_pos : src_pos + n]


def copy_bytes(dst: bytearray, dst_pos: int, src: bytes) -> int:
    """Copy all of `src` and return the position behind it."""
    end = dst_pos + len(src)
    dst[dst_pos:end] = src
    return end


def text_bytes(text: str) -> int:
    """Return how many bytes `text` takes in UTF-8; UnicodeEncodeError for half a surrogate."""
    return len(text.encode())


def copy_text(dst: bytearray, dst_pos: int, text: str) -> int:
    """Copy `text` into `dst` as UTF-8, and return the position behind it."""
    return copy_bytes(dst, dst_pos, text.encode())


def move(buf: bytearray, dst_pos: int, src_pos: int, n: int) -> None:
    """Copy `n` bytes inside one buffer; the spans may overlap."""
    buf[dst_pos : dst_pos + n] = buf[src_pos : src_pos + n]


def equal(a: bytearray, a_pos: int, b: bytearray, b_pos: int, n: int) -> bool:
    """Tell whether two spans of `n` bytes hold the same bytes."""
    return a[a_pos : a_pos + n] == b[b_pos : b_pos + n]


def equal_bytes(a: bytearray, a_pos: int, b: bytes) -> bool:
    """Tell whether the bytes from `a_pos` on begin with `b`; there are at least as many."""
    return a[a_pos : a_pos + len(b)] == b


def cut(buf: bytearray, pos: int, n: int) -> bytes:
    """Return a copy of a span."""
    return bytes(buf[pos : pos + n])


def get_u16(buf: bytearray, pos: int) -> int:
    return int.from_bytes(buf[pos : pos + 2], "little")


def get_u32(buf: bytearray, pos: int) -> int:
    return int.from_bytes(buf[pos : pos + 4], "little")


def get_u64(buf: bytearray, pos: int) -> int:
    return int.from_bytes(buf[pos : pos + 8], "little")


def get_i64(buf: bytearray, pos: int) -> int:
    return int.from_bytes(buf[pos : pos + 8], "little", signed=True)


def put_u16(buf: bytearray, pos: int, value: int) -> None:
    buf[pos : pos + 2] = value.to_bytes(2, "little")


def put_u32(buf: bytearray, pos: int, value: int) -> None:
    buf[pos : pos + 4] = value.to_bytes(4, "little")


def put_u64(buf: bytearray, pos: int, value: int) -> None:
    buf[pos : pos + 8] = value.to_bytes(8, "little")


def put_i64(buf: bytearray, pos: int, value: int) -> None:
    buf[pos : pos + 8] = value.to_bytes(8, "little", signed=True)


def find_byte(buf: bytearray, byte: int, start: int, end: int) -> int:
    """Return the first position of `byte` in [start, end), or -1."""
    return buf.find(byte, start, end)


def decimal_length(value: int) -> int:
    """Return how many digits an unsigned value has."""
    return len(str(value))


def put_decimal(buf: bytearray, pos: int, value: int) -> int:
    """Write an unsigned value in decimal and return the position behind it."""
    return copy_bytes(buf, pos, b"%d" % value)


def parse_int(buf: bytearray, pos: int, n: int) -> tuple[bool, int]:
    """Read a signed 64-bit decimal: (True, value), or (False, 0).

    Only the one spelling that printing the value gives is accepted: no plus sign, no
    leading zero, no space, no minus zero.
    """
    text = bytes(buf[pos : pos + n])
    digits = text[1:] if text[:1] == b"-" else text
    if not 0 < len(digits) < 20 or not digits.isdigit():
        return False, 0
    if digits[0] == 48 and text != b"0":
        return False, 0
    value = int(text)
    if not -(1 << 63) <= value < 1 << 63:
        return False, 0
    return True, value


def parse_u64(buf: bytearray, pos: int, n: int) -> tuple[bool, int]:
    """Read up to 20 digits as an unsigned 64-bit value: (True, value), or (False, 0)."""
    text = bytes(buf[pos : pos + n])
    if not 0 < n <= 20 or not text.isdigit():
        return False, 0
    value = int(text)
    if value >> 64:
        return False, 0
    return True, value


def crc32(buf: bytearray, pos: int, n: int, start: int) -> int:
    """The CRC-32 (of IEEE 802.3, as in zlib) of a span; `start` is the CRC of what is before it."""
    return zlib.crc32(memoryview(buf)[pos : pos + n], start)


def monotonic_us() -> int:
    """Microseconds of a clock that never goes back; only differences mean something."""
    return time.monotonic_ns() // 1000


def unix_us() -> int:
    """Microseconds since 1970 by the machine's clock."""
    return time.time_ns() // 1000


def poll_events(epoll: select.epoll, descriptor: int, events: bytearray, max_events: int) -> int:
    """Write what an epoll has to tell at once: for each event u32 descriptor, u32 kind; how many.

    `descriptor` is the epoll's own. An interrupted call tells of none.
    """
    found = epoll.poll(0, max_events)
    for i, (ready, event) in enumerate(found):
        put_u32(events, 8 * i, ready)
        put_u32(events, 8 * i + 4, event)
    return len(found)


def receive(descriptor: int, buf: bytearray, size: int) -> int:
    """Read what a non-blocking socket has into the first `size` bytes of `buf`.

    Returns the number of bytes, 0 at the end, or an error number with a minus in front.
    """
    try:
        return os.readv(descriptor, [memoryview(buf)[:size]])
    except OSError as error:
        return -(error.errno or errno.EIO)


def transmit(descriptor: int, buf: bytearray, n: int) -> int:
    """Give the first `n` bytes of `buf` to a non-blocking socket.

    Returns how many it took, or an error number with a minus in front.
    """
    return _write(descriptor, memoryview(buf)[:n])


def transmit_bytes(descriptor: int, data: bytes, pos: int, n: int) -> int:
    """Give up to `n` bytes of `data` from `pos` on to a non-blocking socket; as `transmit`."""
    return _write(descriptor, memoryview(data)[pos : pos + n])


def _write(descriptor: int, data: memoryview) -> int:
    try:
        return os.write(descriptor, data)
    except OSError as error:
        return -(error.errno or errno.EIO)
