"""Writing segments and reading them back, as long as nothing is wrong with them."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.journal.format import (
    BATCH_HEADER_BYTES,
    RECORD_HEADER_BYTES,
    SEGMENT_HEADER_BYTES,
    FormatError,
    JournalError,
    Place,
)
from headwater.journal.reader import END, READ_BYTES, TORN, segment_header_of
from headwater.journal.segment import SegmentWriter
from support.disk import SimulatedDisk
from support.segments import (
    DIRECTORY,
    JOURNAL_ID,
    OTHER_ID,
    Batch,
    append,
    bodies_of,
    read_all,
    reader,
    write,
)

PATH = f"{DIRECTORY}/segment.000001.hwj"

BATCHES = st.lists(st.lists(st.binary(max_size=60), min_size=1, max_size=5), max_size=8)


@pytest.fixture
def disk() -> SimulatedDisk:
    return SimulatedDisk(DIRECTORY)


@given(BATCHES)
def test_what_is_written_is_read(batches: list[list[bytes]]) -> None:
    disk = SimulatedDisk(DIRECTORY)
    writer = write(disk, *batches)
    found = reader(disk)
    assert read_all(found) == batches
    assert found.state == END
    assert found.place() == writer.place
    assert found.offset == writer.size == disk.size(PATH)


@given(BATCHES, st.integers(0, 8))
def test_segments_continue_one_another(batches: list[list[bytes]], cut: int) -> None:
    disk = SimulatedDisk(DIRECTORY)
    first = write(disk, *batches[:cut])
    second = write(disk, *batches[cut:], number=2, place=first.place)
    found = reader(disk, last=False)
    assert read_all(found) == batches[:cut]
    found = reader(disk, number=2, place=found.place())
    assert read_all(found) == batches[cut:]
    assert found.state == END
    assert found.place() == second.place
    assert second.place.position == sum(RECORD_HEADER_BYTES + len(b) for a in batches for b in a)


def test_a_batch_tells_what_its_header_says(disk: SimulatedDisk) -> None:
    start = Place(3, 17, 1000, 0xDEADBEEF)
    writer = SegmentWriter.create(disk, DIRECTORY, JOURNAL_ID, 9, start)
    append(writer, [b"one", b""], epoch=3)
    append(writer, [b"two"], epoch=7)
    found = reader(disk, 9, start)
    assert found.next_batch()
    assert (found.epoch, found.index, found.position, found.records) == (3, 17, 1000, 2)
    assert found.offset == SEGMENT_HEADER_BYTES
    assert found.begin == SEGMENT_HEADER_BYTES + BATCH_HEADER_BYTES
    assert bodies_of(found) == [b"one", b""]
    assert found.place() == Place(3, 18, 1000 + 2 * RECORD_HEADER_BYTES + 3, found.chain)
    assert found.next_batch()
    assert (found.epoch, found.index, found.position) == (7, 18, 1000 + 2 * 8 + 3)
    assert not found.next_batch()
    assert found.state == END
    assert found.why == ""
    assert found.place() == writer.place


def test_batches_larger_than_a_read(disk: SimulatedDisk) -> None:
    big = bytes(range(256)) * (READ_BYTES // 100)
    batches = [[b"small"], [big, b"x"], [b"y"] * 1000, [b"", big[:READ_BYTES]], [b"z"]]
    write(disk, *batches)
    found = reader(disk)
    assert read_all(found) == batches
    assert found.state == END


def test_many_batches_at_every_place_of_a_read(disk: SimulatedDisk) -> None:
    # Sizes that put the border of READ_BYTES at many places of a batch.
    batches = [[bytes([i % 251]) * (70000 + 37 * i)] for i in range(60)]
    write(disk, *batches)
    found = reader(disk)
    assert read_all(found) == batches


def test_an_empty_segment(disk: SimulatedDisk) -> None:
    write(disk)
    found = reader(disk)
    assert read_all(found) == []
    assert (found.state, found.offset) == (END, SEGMENT_HEADER_BYTES)


def test_a_new_segment_is_on_disk_when_create_returns(disk: SimulatedDisk) -> None:
    SegmentWriter.create(disk, DIRECTORY, JOURNAL_ID, 1, Place())
    disk.crash()
    assert read_all(reader(disk)) == []


@pytest.mark.parametrize("operation", ["write", "sync", "sync_directory"])
def test_a_segment_that_cannot_be_begun_leaves_no_file(disk: SimulatedDisk, operation: str) -> None:
    disk.fail(operation, errno.ENOSPC)
    with pytest.raises(OSError, match="No space left") as caught:
        SegmentWriter.create(disk, DIRECTORY, JOURNAL_ID, 1, Place())
    assert caught.value.filename in (PATH, DIRECTORY)
    assert disk.paths() == []
    write(disk, [b"x"])


def test_a_segment_is_never_overwritten(disk: SimulatedDisk) -> None:
    write(disk, [b"x"])
    with pytest.raises(FileExistsError):
        SegmentWriter.create(disk, DIRECTORY, JOURNAL_ID, 1, Place())
    assert read_all(reader(disk)) == [[b"x"]]


def test_going_on_after_a_restart(disk: SimulatedDisk) -> None:
    write(disk, [b"a"], [b"b"])
    found = reader(disk)
    read_all(found)
    writer = SegmentWriter.open(disk, PATH, JOURNAL_ID, 1, found.place(), found.offset)
    assert writer.synced == writer.position == found.place().position
    append(writer, [b"c"], epoch=2)
    found = reader(disk)
    assert read_all(found) == [[b"a"], [b"b"], [b"c"]]
    assert found.epoch == 2


def test_going_on_behind_a_torn_tail(disk: SimulatedDisk) -> None:
    write(disk, [b"a"], [b"b" * 100])
    disk.put(PATH, disk.data(PATH)[:-5])
    found = reader(disk)
    assert read_all(found) == [[b"a"]]
    assert found.state == TORN
    writer = SegmentWriter.open(disk, PATH, JOURNAL_ID, 1, found.place(), found.offset)
    assert disk.durable(PATH) == disk.data(PATH)
    assert disk.size(PATH) == found.offset
    append(writer, [b"c"], epoch=2)
    assert read_all(reader(disk)) == [[b"a"], [b"c"]]


def test_open_refuses_a_place_outside_the_file(disk: SimulatedDisk) -> None:
    write(disk, [b"a"])
    for size in (SEGMENT_HEADER_BYTES - 1, disk.size(PATH) + 1):
        with pytest.raises(ValueError, match="cannot be cut"):
            SegmentWriter.open(disk, PATH, JOURNAL_ID, 1, Place(), size)
    assert read_all(reader(disk)) == [[b"a"]]


def test_a_failed_append_can_be_tried_again(disk: SimulatedDisk) -> None:
    writer = SegmentWriter.create(disk, DIRECTORY, JOURNAL_ID, 1, Place())
    append(writer, [b"a"])
    before = (writer.size, writer.place.index, writer.place.position, writer.place.chain)
    disk.full_at(disk.used() + 20)
    batch = Batch([b"b" * 100], writer.place)
    with pytest.raises(OSError, match="No space left") as caught:
        writer.append(batch, 1)
    assert caught.value.filename == PATH
    assert (writer.size, writer.place.index, writer.place.position, writer.place.chain) == before
    assert len(disk.data(PATH)) == writer.size
    disk.full_at(None)
    writer.append(batch, 1)
    append(writer, [b"c"])
    assert read_all(reader(disk)) == [[b"a"], [b"b" * 100], [b"c"]]


def test_a_batch_out_of_place_is_refused(disk: SimulatedDisk) -> None:
    writer = SegmentWriter.create(disk, DIRECTORY, JOURNAL_ID, 1, Place())
    append(writer, [b"a"], epoch=5)
    place = writer.place
    wrong = [
        Place(5, place.index, place.position + 1, place.chain),
        Place(5, place.index, place.position, place.chain ^ 1),
    ]
    for other in wrong:
        with pytest.raises(ValueError, match="does not follow"):
            writer.append(Batch([b"x"], other), 5)
    with pytest.raises(ValueError, match="epoch 4"):
        writer.append(Batch([b"x"], place), 4)
    with pytest.raises(ValueError, match="0 bytes"):
        writer.append(Batch([], place), 5)
    append(writer, [b"b"], epoch=5)
    assert read_all(reader(disk)) == [[b"a"], [b"b"]]


def test_sync_tells_what_it_reached(disk: SimulatedDisk) -> None:
    writer = SegmentWriter.create(disk, DIRECTORY, JOURNAL_ID, 1, Place())
    append(writer, [b"a"], [b"b"], sync=False)
    assert writer.synced == 0
    reached = writer.position
    append(writer, [b"c"], sync=False)
    assert writer.sync() == writer.synced == writer.position > reached
    disk.crash()
    assert read_all(reader(disk)) == [[b"a"], [b"b"], [b"c"]]


def test_after_a_failed_sync_nothing_is_taken(disk: SimulatedDisk) -> None:
    writer = SegmentWriter.create(disk, DIRECTORY, JOURNAL_ID, 1, Place())
    append(writer, [b"a"])
    synced = writer.synced
    append(writer, [b"b"], sync=False)
    disk.fail("sync", errno.EIO)
    with pytest.raises(OSError, match="Input/output"):
        writer.sync()
    assert writer.synced == synced
    assert writer.file.broken is not None
    for call in (writer.sync, lambda: append(writer, [b"c"]), lambda: writer.reserve(10)):
        with pytest.raises(OSError, match="an earlier sync failed"):
            call()
    assert writer.synced == synced
    writer.close()


def test_the_header_without_expectations(disk: SimulatedDisk) -> None:
    write(disk, place=Place(4, 11, 222, 333), number=5)
    path = f"{DIRECTORY}/segment.000005.hwj"
    header = segment_header_of(disk.open_read(path))
    assert (header.journal_id, header.number) == (JOURNAL_ID, 5)
    assert header.place(4) == Place(4, 11, 222, 333)
    data = disk.data(path)
    disk.put(path, data[:63])
    with pytest.raises(JournalError, match=r"000005\.hwj, byte 0: .*63 of 64 bytes"):
        segment_header_of(disk.open_read(path))
    disk.put(path, b"REDIS0012" + bytes(100))
    with pytest.raises(FormatError, match="not a journal segment"):
        segment_header_of(disk.open_read(path))
    disk.put(path, data[:20] + b"\xff" + data[21:])
    with pytest.raises(JournalError, match="checksum"):
        segment_header_of(disk.open_read(path))


def test_reader_passes_on_what_the_disk_says(disk: SimulatedDisk) -> None:
    write(disk, [b"a"])
    found = reader(disk)
    disk.fail("read", errno.EIO)
    with pytest.raises(OSError, match="Input/output"):
        found.next_batch()


def test_a_file_that_became_shorter_while_it_is_read(disk: SimulatedDisk) -> None:
    batches = [[b"x" * 600_000], [b"y" * 600_000], [b"z"]]
    write(disk, *batches)
    found = reader(disk, last=False)
    assert found.next_batch()
    disk.open_append(PATH).truncate(700_000)
    assert not found.next_batch()
    assert "batch 1" in found.why


def test_other_journals_are_told_apart(disk: SimulatedDisk) -> None:
    write(disk, [b"a"], journal_id=OTHER_ID)
    found = reader(disk)
    assert read_all(found) == []
    assert OTHER_ID.hex() in found.why
    assert JOURNAL_ID.hex() in found.why
