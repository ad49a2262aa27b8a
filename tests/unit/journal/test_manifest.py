"""The manifest: written and read, every change of it seen, replaced atomically."""

from __future__ import annotations

import errno
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.journal.format import (
    MANIFEST_NAME,
    FormatError,
    JournalError,
    Place,
    base_name,
    file_number,
    segment_name,
)
from headwater.journal.manifest import MANIFEST_BYTES, Manifest, SegmentEntry
from support.disk import SimulatedDisk
from support.segments import DIRECTORY, JOURNAL_ID

PATH = f"{DIRECTORY}/{MANIFEST_NAME}"


def example() -> Manifest:
    manifest = Manifest(JOURNAL_ID, epoch=7, reached=2_000_000, based=True)
    manifest.add(3, Place(5, 2201, 1200144, 0x5BD0C3A1))
    manifest.add(4, Place(7, 3010, 1840302, 0x09F2BE77))
    return manifest


TEXT = b"""headwater journal manifest 1
journal 000102030405060708090a0b0c0d0e0f
epoch 7
reached 2000000
base base.000003.rdb
segment segment.000003.hwj epoch 5 index 2201 position 1200144 chain 5bd0c3a1
segment segment.000004.hwj epoch 7 index 3010 position 1840302 chain 09f2be77
"""


def with_crc(text: bytes) -> bytes:
    return text + b"crc %08x\n" % zlib.crc32(text)


@pytest.fixture
def disk() -> SimulatedDisk:
    return SimulatedDisk(DIRECTORY)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    numbers = st.integers(0, 10**12)
    place = Place()
    number = draw(st.integers(0, 10**9))
    entries = []
    for _ in range(draw(st.integers(1, 5))):
        place = Place(
            place.epoch + draw(st.integers(0, 3)),
            place.index + draw(numbers),
            place.position + draw(numbers),
            draw(st.integers(0, 0xFFFFFFFF)),
        )
        entries.append(SegmentEntry(number, place))
        number += 1
    return Manifest(
        draw(st.binary(min_size=16, max_size=16)),
        place.epoch + draw(st.integers(0, 3)),
        place.position + draw(numbers),
        draw(st.booleans()),
        entries,
    )


@given(manifests())
def test_what_is_saved_is_loaded(manifest: Manifest) -> None:
    disk = SimulatedDisk(DIRECTORY)
    manifest.save(disk, DIRECTORY)
    disk.crash()
    assert Manifest.load(disk, DIRECTORY) == manifest


def test_the_text() -> None:
    assert example().render() == with_crc(TEXT)
    assert Manifest.parse(with_crc(TEXT), PATH) == example()


def test_what_it_tells() -> None:
    manifest = example()
    assert manifest.base == "base.000003.rdb"
    assert manifest.last.name == "segment.000004.hwj"
    assert manifest.names() == [
        MANIFEST_NAME,
        "base.000003.rdb",
        "segment.000003.hwj",
        "segment.000004.hwj",
    ]
    other = manifest.copy()
    other.drop_before(4)
    assert other.names() == [MANIFEST_NAME, "base.000004.rdb", "segment.000004.hwj"]
    assert manifest == example()
    assert other != manifest
    assert Manifest.parse(other.render(), PATH) == other
    names = ["x", "base.000003.rdb", "segment.000003.hwj", "segment.000004.hwj", "dump.rdb"]
    assert other.strays([*names, MANIFEST_NAME, MANIFEST_NAME + ".new", "base.000004.rdb"]) == [
        "base.000003.rdb",
        "segment.000003.hwj",
        MANIFEST_NAME + ".new",
    ]


def test_a_place_that_moves_on_does_not_move_the_segment() -> None:
    place = Place(1, 0, 0, 0)
    manifest = Manifest(JOURNAL_ID, epoch=1)
    manifest.add(1, place)
    place.index, place.position, place.chain = 5, 500, 5
    assert manifest.last.place == Place(1, 0, 0, 0)


def test_names_of_files() -> None:
    assert (segment_name(3), base_name(12)) == ("segment.000003.hwj", "base.000012.rdb")
    for number in (0, 3, 999999, 1000000, 10**12):
        assert file_number(segment_name(number)) == file_number(base_name(number)) == number
    for name in ("segment.3.hwj", "segment.000003.hwj.new", "base.000003.hwj", "x", "", "dump.rdb"):
        assert file_number(name) is None


def test_none_is_there(disk: SimulatedDisk) -> None:
    assert Manifest.load(disk, DIRECTORY) is None


def test_every_truncation_and_flip_is_refused() -> None:
    data = with_crc(TEXT)
    for size in range(len(data)):
        with pytest.raises(JournalError) as caught:
            Manifest.parse(data[:size], PATH)
        assert caught.value.path == PATH
    for at in range(len(data)):
        for mask in (1, 0x20, 0x80):
            changed = bytearray(data)
            changed[at] ^= mask
            with pytest.raises(JournalError) as caught:
                Manifest.parse(bytes(changed), PATH)
            assert str(caught.value).startswith(PATH)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    for content in (data, data + TEXT, TEXT + data, with_crc(TEXT) + (data or b"\n")):
        with pytest.raises(JournalError):
            Manifest.parse(content, PATH)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (b"epoch 7\n", b"epoch 07\n", "line 3: 'epoch' and a number should stand here"),
        (b"epoch 7\n", b"epoch  7\n", "line 3"),
        (b"epoch 7\n", b"", "line 3"),
        (b"epoch 7\n", b"epoch 6\n", "line 7: segment 4 is of epoch 7, the journal of 6"),
        (b"reached 2000000", b"reached 1500000", "line 7: segment 4 begins behind what was"),
        (b"base.000003", b"base.000004", "line 5: base.000004.rdb is not the snapshot before"),
        (b"base base.000003.rdb", b"base", "line 5: 'base' and the name of a snapshot"),
        (b"segment.000004", b"segment.000005", "line 7: segment 5 follows segment 3"),
        (b"segment.000004", b"segment.0000004", "line 7: segment.0000004.hwj is not the name"),
        (b"index 3010", b"index 2200", "line 7: segment 4 begins before segment 3"),
        (b"chain 5bd0c3a1", b"chain 5BD0c3a1", "line 6: a segment or the crc"),
        (b"position 1840302", b"position 99999999999999999999", "line 7"),
        (b"manifest 1\n", b"manifest 1\nextra\n", "line 2: 'journal' and 32 hexadecimal"),
        (b"headwater", b"redis", "line 1"),
        (TEXT[TEXT.index(b"segment") :], b"", "line 6: no segment is listed"),
        (b"09f2be77\n", b"09f2be77\n\n", "line 8"),
        (b"09f2be77\n", b"09f2be77 \n", "line 7"),
        (b"09f2be77\n", b"09f2be77\r\n", "line 7"),
    ],
)
def test_errors_name_file_and_line(disk: SimulatedDisk, old: bytes, new: bytes, text: str) -> None:
    assert TEXT.count(old) == 1
    disk.put(PATH, with_crc(TEXT.replace(old, new)))
    with pytest.raises(JournalError) as caught:
        Manifest.load(disk, DIRECTORY)
    assert str(caught.value).startswith(f"{PATH}: {text}")


def test_more_behind_the_crc(disk: SimulatedDisk) -> None:
    for data in (
        with_crc(TEXT) + with_crc(TEXT),
        with_crc(TEXT) + b"\n",
        with_crc(with_crc(TEXT)),
        with_crc(TEXT)[:-1],
    ):
        disk.put(PATH, data)
        with pytest.raises(JournalError, match=r"journal\.manifest: line \d+: "):
            Manifest.load(disk, DIRECTORY)


@pytest.mark.parametrize("version", [0, 2, 17])
def test_another_version_is_refused(disk: SimulatedDisk, version: int) -> None:
    # Whatever else such a file looks like.
    first = b"headwater journal manifest %d\n" % version
    for data in (first, first + b"something else\n", with_crc(first + TEXT)):
        disk.put(PATH, data)
        with pytest.raises(FormatError) as caught:
            Manifest.load(disk, DIRECTORY)
        assert str(caught.value) == (
            f"{PATH}: the file has version {version} of the journal's format, this Headwater "
            "reads version 1; start the Headwater that wrote it, or a newer one"
        )


def test_a_huge_file_is_not_read(disk: SimulatedDisk) -> None:
    disk.put(PATH, bytes(MANIFEST_BYTES + 1))
    with pytest.raises(FormatError, match="is not a manifest"):
        Manifest.load(disk, DIRECTORY)
    assert disk.count("read") == 0


def test_many_segments() -> None:
    manifest = Manifest(JOURNAL_ID, 1, 0, False, [SegmentEntry(n, Place()) for n in range(9000)])
    assert Manifest.parse(manifest.render(), PATH) == manifest


def test_what_is_not_complete_is_not_saved(disk: SimulatedDisk) -> None:
    example().save(disk, DIRECTORY)
    short = Manifest(b"short")
    short.add(1, Place())
    late = example()
    late.epoch = 3
    gap = example()
    gap.add(9, Place(7, 4000, 2_000_000, 0))
    for manifest in (Manifest(JOURNAL_ID), short, late, gap):
        with pytest.raises(ValueError, match="not complete"):
            manifest.save(disk, DIRECTORY)
    assert Manifest.load(disk, DIRECTORY) == example()


@pytest.mark.parametrize("seed", range(40))
def test_a_crash_while_it_is_replaced_leaves_the_old_or_the_new(seed: int) -> None:
    rng = random.Random(seed)
    disk = SimulatedDisk(DIRECTORY)
    old, new = example(), example()
    new.drop_before(4)
    old.save(disk, DIRECTORY)
    operation = rng.choice(["create", "write", "sync", "replace", "sync_directory"])
    disk.fail(operation, errno.EIO)
    with pytest.raises(OSError, match="/data"):
        new.save(disk, DIRECTORY)
    disk.crash(rng)
    assert Manifest.load(disk, DIRECTORY) in (old, new)
