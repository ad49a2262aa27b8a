"""The layouts, byte by byte, against `struct` and `zlib`."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.journal.format import (
    BATCH_HEADER_BYTES,
    RECORD_HEADER_BYTES,
    SEGMENT_HEADER_BYTES,
    UNSYNCED_MAX,
    FormatError,
    JournalError,
    Place,
    batch_chain,
    batch_epoch,
    batch_index,
    batch_position,
    batch_records,
    batch_size,
    batch_unsynced,
    check_records,
    crc_of_id,
    is_batch_header,
    put_batch_header,
    put_record_header,
    read_segment_header,
    segment_header,
)
from support.segments import JOURNAL_ID, Batch

DOCUMENT = Path(__file__).parents[3] / "docs" / "formats" / "journal.md"

U32 = st.integers(0, 2**32 - 1)
U64 = st.integers(0, 2**64 - 1)


@given(U64, U64, U64, U32)
def test_segment_header(number: int, index: int, position: int, chain: int) -> None:
    buf = segment_header(JOURNAL_ID, number, Place(0, index, position, chain))
    expected = struct.pack(
        "<8sII16sQQQI", b"HWJOURN\n", 1, 64, JOURNAL_ID, number, position, index, chain
    )
    assert buf == expected + struct.pack("<I", zlib.crc32(expected))
    assert len(buf) == SEGMENT_HEADER_BYTES
    header = read_segment_header(buf, len(buf), "x")
    assert (header.journal_id, header.number) == (JOURNAL_ID, number)
    assert header.place(9) == Place(9, index, position, chain)


@given(U32, U32, U64, U64, U64, U32, U64)
def test_batch_header(
    size: int, records: int, epoch: int, index: int, position: int, chain: int, unsynced: int
) -> None:
    seed = crc_of_id(JOURNAL_ID)
    assert seed == zlib.crc32(JOURNAL_ID)
    buf = bytearray(3) + bytearray(b"\xff" * BATCH_HEADER_BYTES)
    head = bytearray(b"\xff" * BATCH_HEADER_BYTES)
    put_batch_header(head, seed, size, records, epoch, index, position, chain, unsynced)
    unsynced = min(unsynced, UNSYNCED_MAX)

    def packed(crc: int) -> bytes:
        return struct.pack(
            "<4sIIIQQQII",
            b"\xb7HWJ", size, records, crc, epoch, index, position, chain, unsynced,
        )  # fmt: skip

    assert head == packed(zlib.crc32(packed(0), seed))
    buf[3:] = head
    assert is_batch_header(buf, 3, seed)
    assert buf[3:] == head
    assert not is_batch_header(buf, 3, seed ^ 1)
    found = (
        batch_size(buf, 3),
        batch_records(buf, 3),
        batch_epoch(buf, 3),
        batch_index(buf, 3),
        batch_position(buf, 3),
        batch_chain(buf, 3),
        batch_unsynced(buf, 3),
    )
    assert found == (size, records, epoch, index, position, chain, unsynced)


@given(st.lists(st.binary(max_size=50), max_size=6), U32)
def test_records_are_one_chain(bodies: list[bytes], chain: int) -> None:
    buf = bytearray(5)
    crc = chain
    for body in bodies:
        pos = len(buf)
        buf += bytes(RECORD_HEADER_BYTES) + body
        crc = zlib.crc32(struct.pack("<I", len(body)) + body, crc)
        assert put_record_header(buf, pos, len(body), chain) == crc
        assert buf[pos:] == struct.pack("<II", len(body), crc) + body
        chain = crc


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=6), st.data())
def test_check_records_says_how_far(bodies: list[bytes], data: st.DataObject) -> None:
    batch = Batch(bodies, Place(0, 0, 0, 77))
    buf = batch.buf
    begin = BATCH_HEADER_BYTES
    assert check_records(buf, begin, len(buf), 77) == (len(buf), len(bodies), batch.chain_after)
    assert check_records(buf, begin, begin, 77) == (begin, 0, 77)
    ends = [begin]
    for body in bodies:
        ends.append(ends[-1] + RECORD_HEADER_BYTES + len(body))
    at = data.draw(st.integers(begin, len(buf) - 1))
    whole = sum(end <= at for end in ends[1:])
    cut = check_records(buf, begin, at, 77)
    assert cut[:2] == (ends[whole], whole)
    buf[at] ^= data.draw(st.integers(1, 255))
    assert check_records(buf, begin, len(buf), 77)[:2] == (ends[whole], whole)
    assert check_records(buf, begin, len(buf), 78)[:2] == (begin, 0)


@given(st.binary(max_size=100), U32)
def test_check_records_of_any_bytes(data: bytes, chain: int) -> None:
    reached, records, _ = check_records(bytearray(data), 0, len(data), chain)
    assert 0 <= reached <= len(data)
    assert records <= len(data) // RECORD_HEADER_BYTES


def test_another_version_of_a_segment() -> None:
    buf = segment_header(JOURNAL_ID, 1, Place())
    buf[8] = 2
    buf[60:64] = struct.pack("<I", zlib.crc32(buf[:60]))
    with pytest.raises(FormatError, match=r"x: the file has version 2 .* reads version 1; start"):
        read_segment_header(buf, 64, "x")
    buf = segment_header(JOURNAL_ID, 1, Place())
    buf[12] = 65
    buf[60:64] = struct.pack("<I", zlib.crc32(buf[:60]))
    with pytest.raises(FormatError, match="says that it has 65 bytes"):
        read_segment_header(buf, 64, "x")
    with pytest.raises(ValueError, match="not 3"):
        segment_header(b"abc", 1, Place())


def test_errors_say_where() -> None:
    error = JournalError("/data/x", "it is broken", 12)
    assert str(error) == "/data/x, byte 12: it is broken"
    assert (error.path, error.text, error.offset) == ("/data/x", "it is broken", 12)
    assert str(JournalError("/data/x", "gone")) == "/data/x: gone"


def test_places_are_compared() -> None:
    place = Place(1, 2, 3, 4)
    assert place == Place(1, 2, 3, 4)
    assert hash(place) == hash(Place(1, 2, 3, 4))
    others = {Place(0, 2, 3, 4), Place(1, 0, 3, 4), Place(1, 2, 0, 4), Place(1, 2, 3)}
    assert len(others | {place}) == 5
    assert place != 1
    assert repr(place) == "Place(epoch=1, index=2, position=3, chain=0x00000004)"
