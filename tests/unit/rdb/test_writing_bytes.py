"""What files are made of: CRC-64, LZF, lengths, strings, IDs."""

from __future__ import annotations

import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import headwater
from headwater.rdb import lzf
from headwater.rdb.crc64 import crc64
from headwater.rdb.output import COMPRESS_MAX_BYTES, Output

MAX = 2**64 - 1


# --- CRC-64 ---


def slow_crc64(data: bytes) -> int:
    """Bit by bit, as the polynomial says."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0x95AC9329AC4BC9B5 if value & 1 else 0)
    return value


def test_the_check_value() -> None:
    assert crc64(bytearray(b"123456789"), 0, 9, 0) == 0xE9C6D914C4B8D9CA


@given(st.binary(max_size=90), st.integers(0, 90), st.integers(0, 20))
def test_a_crc_goes_on_where_another_ended(data: bytes, cut: int, before: int) -> None:
    cut = min(cut, len(data))
    buf = bytearray(b"\xff" * before + data + b"\xff")
    first = crc64(buf, before, cut, 0)
    assert first == slow_crc64(data[:cut])
    assert crc64(buf, before + cut, len(data) - cut, first) == slow_crc64(data)


# --- LZF ---

PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"orderId", b"region eu-west-1", b"\0" * 70, b"ab" * 200, b"x" * 700]),
)
TEXTS = st.lists(PIECES, max_size=40).map(b"".join)


def compressed(data: bytes, limit: int) -> bytes:
    """What compress makes, from the middle of one buffer into the middle of another."""
    src = bytearray(b"##" + data + b"##")
    dst = bytearray(b"\xee" * (limit + 7))
    n = lzf.compress(src, 2, len(data), dst, 3, limit)
    assert src == b"##" + data + b"##"
    assert n <= limit
    assert dst[:3] == b"\xee" * 3
    assert dst[3 + limit :] == b"\xee" * 4, "nothing is written above the limit"
    return bytes(dst[3 : 3 + n])


def decompressed(data: bytes, size: int) -> bytes | None:
    """What decompress makes of that, None if it does not fit."""
    src = bytearray(b"##" + data)
    dst = bytearray(b"\xee" * (size + 6))
    ok = lzf.decompress(src, 2, len(data), dst, 3, size)
    assert dst[:3] == b"\xee" * 3
    assert dst[3 + size :] == b"\xee" * 3, "nothing is written above the size"
    return bytes(dst[3 : 3 + size]) if ok else None


@given(TEXTS)
def test_what_is_compressed_is_got_back(data: bytes) -> None:
    packed = compressed(data, 2 * len(data) + 8)
    assert decompressed(packed, len(data)) == data
    if len(packed) > 1:
        assert compressed(data, len(packed)) == packed
        assert compressed(data, len(packed) - 1) == b"", "above the limit there is no result"


@given(TEXTS, st.integers(0, 2**30), st.integers(-3, 3))
def test_broken_bytes_are_refused_or_stay_in_their_place(
    data: bytes, place: int, more: int
) -> None:
    packed = bytearray(compressed(data, 2 * len(data) + 8))
    assert decompressed(bytes(packed) + b"\0", len(data)) is None
    if packed:
        packed[place % len(packed)] ^= 1 + place % 255
    decompressed(bytes(packed), len(data))
    decompressed(bytes(packed[: place % (len(packed) + 1)]), max(0, len(data) + more))


@pytest.mark.parametrize(
    ("packed", "size", "wanted"),
    [
        (b"", 0, b""),
        (b"\x02abc", 3, b"abc"),
        (b"\x02abc", 4, None),
        (b"\x02ab", 3, None),
        (b"\x00a\x20\x00", 4, b"aaaa"),  # a copy of 3 that overlaps what it makes
        (b"\x00a\xe0\x05\x00", 15, b"a" * 15),
        (b"\x00a\xe0", 15, None),
        (b"\x00a\xe0\x05", 15, None),
        (b"\x00a\x20\x01", 4, None),  # it would begin before the first byte
        (b"\x02abc\x20\x02", 6, b"abcabc"),
        (b"\x02abc\x20\x02", 5, None),
    ],
)
def test_bytes_mean_what_the_format_says(packed: bytes, size: int, wanted: bytes | None) -> None:
    assert decompressed(packed, size) == wanted


def test_copies_reach_as_far_back_as_they_can() -> None:
    rng = random.Random(1)
    word = rng.randbytes(50)
    for gap in (8191 - 50, 8192 - 50, 8193 - 50):
        data = word + rng.randbytes(gap) + word
        packed = compressed(data, len(data) + 600)
        assert decompressed(packed, len(data)) == data
    zeros = compressed(b"\0" * 5000, 5000)
    assert len(zeros) < 3 * (5000 // 264) + 12


def test_both_modes_compress_to_the_same_bytes() -> None:
    rng = random.Random(5)
    words = [rng.randbytes(rng.randrange(1, 30)) for _ in range(50)]
    digest = hashlib.sha256()
    for _ in range(60):
        data = b"".join(rng.choice(words) for _ in range(rng.randrange(200)))
        digest.update(compressed(data, len(data)))
    known = "a378686ed4e0d60bde06d6003399906ce9dac0652fd70714ed8878950cb77dc0"
    assert digest.hexdigest() == known


def test_what_earlier_calls_left_is_forgotten_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"".join(b"event-%d" % (n % 77) for n in range(300))
    first = compressed(data, len(data))
    assert compressed(data, len(data)) == first
    if headwater.mode() == "interpreted":  # compiled, it is a number of C
        monkeypatch.setattr(lzf, "_FORGET_AT", lzf._next_place + len(data))
    for _ in range(4):
        assert compressed(data, len(data)) == first


# --- lengths, times, IDs ---


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (0, "00"),
        (63, "3f"),
        (64, "4040"),
        (16383, "7fff"),
        (16384, "8000004000"),
        (2**32 - 1, "80ffffffff"),
        (2**32, "810000000100000000"),
        (MAX, "81ffffffffffffffff"),
    ],
)
def test_lengths(value: int, wanted: str) -> None:
    out = Output(False)
    out.length(value)
    assert out.take().hex() == wanted


def test_numbers_have_their_byte_order() -> None:
    out = Output(False)
    out.byte(254)
    out.u16(0x0102)
    out.u64(0x0102030405060708)
    out.time(-1)
    out.time(1_700_000_000_000)
    out.entry_id(1, MAX - 1)
    out.raw(b"raw")
    assert (
        out.take()
        == bytes.fromhex(
            "fe 0201 0807060504030201 ffffffffffffffff 0068e5cf8b010000"
            "0000000000000001 fffffffffffffffe"
        )
        + b"raw"
    )
    assert out.take() == b""


def test_an_output_grows_and_does_not_stay_big() -> None:
    out = Output(False)
    parts = [bytes([n]) * (n * 1000) for n in range(1, 120)]
    for part in parts:
        out.raw(part)
    assert len(out.buf) > 4 << 20
    assert out.take() == b"".join(parts)
    assert len(out.buf) < 1 << 20


# --- strings ---


def string(data: bytes, *, compress: bool = False) -> bytes:
    out = Output(compress)
    out.string(data)
    return out.take()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (b"", "00"),
        (b"a", "0161"),
        (b"0", "c000"),
        (b"-1", "c0ff"),
        (b"127", "c07f"),
        (b"128", "c18000"),
        (b"-128", "c080"),
        (b"-129", "c17fff"),
        (b"32767", "c1ff7f"),
        (b"32768", "c200800000"),
        (b"-32769", "c2ff7fffff"),
        (b"2147483647", "c2ffffff7f"),
        (b"-2147483648", "c200000080"),
        (b"2147483648", "0a" + b"2147483648".hex()),
        (b"-2147483649", "0b" + b"-2147483649".hex()),
        (b"007", "03" + b"007".hex()),
        (b"-0", "02" + b"-0".hex()),
        (b"+1", "02" + b"+1".hex()),
        (b"x" * 64, "4040" + "78" * 64),
    ],
)
def test_strings(text: bytes, wanted: str) -> None:
    assert string(text).hex() == wanted
    assert string(text[:20], compress=True) == string(text[:20])


def test_strings_are_compressed_where_it_pays() -> None:
    packed = string(b"z" * 100, compress=True)
    assert packed[0] == 0xC3
    assert packed[2:4] == b"\x40\x64"
    assert packed[1] == len(packed) - 4
    assert decompressed(packed[4:], 100) == b"z" * 100
    assert string(b"z" * 20, compress=True) == b"\x14" + b"z" * 20
    # 21 bytes become 4 here: one, and a copy of 20.
    assert string(b"z" * 21, compress=True).hex() == "c3 05 15 007a e00b00".replace(" ", "")
    varied = random.Random(3).randbytes(60)
    assert string(varied, compress=True) == b"\x3c" + varied
    # Two copies save 3 bytes of 26, and that is not enough.
    hardly = bytes(range(100, 117)) + bytes(range(100, 107)) + b"~~"
    assert string(hardly, compress=True) == bytes([len(hardly)]) + hardly


def test_very_long_strings_are_not_compressed() -> None:
    longest = b"q" * COMPRESS_MAX_BYTES
    assert len(string(longest, compress=True)) < COMPRESS_MAX_BYTES // 50
    assert string(longest + b"q", compress=True)[5:] == longest + b"q"


@given(st.binary(max_size=300), st.booleans())
def test_a_span_is_written_like_the_string_it_holds(data: bytes, compress: bool) -> None:
    out = Output(compress)
    out.span(bytearray(b"##" + data + b"##"), 2, len(data))
    assert out.take() == string(data, compress=compress)
