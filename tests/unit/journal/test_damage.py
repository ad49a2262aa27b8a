"""Segments with something wrong: a prefix of what was written, or DAMAGED; never anything else.

What power failures leave is cut as a torn tail. What was on disk already and is not there any
more, or is not where it was, is damage.
"""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.journal.disk import ReadFile
from headwater.journal.format import (
    BATCH_HEADER_BYTES,
    BATCH_MAGIC_BYTES,
    SEGMENT_HEADER_BYTES,
    Place,
    crc_of_id,
    put_batch_header,
    segment_header,
)
from headwater.journal.reader import DAMAGED, END, READ_BYTES, TORN, SegmentReader
from headwater.journal.segment import SegmentWriter
from support.disk import SimulatedDisk
from support.segments import (
    DIRECTORY,
    JOURNAL_ID,
    OTHER_ID,
    Batch,
    append,
    read_all,
    reader,
    write,
)

PATH = f"{DIRECTORY}/segment.000001.hwj"
SMALL = [[b"first"], [b"", b"second\0\0"], [b"third"], [b"the fourth", b"4"]]


def written(*batches: list[bytes], sync: bool = True) -> tuple[SimulatedDisk, list[int]]:
    """A disk with segment 1, and where in it each batch begins; then its size."""
    disk = SimulatedDisk(DIRECTORY)
    writer = SegmentWriter.create(disk, DIRECTORY, JOURNAL_ID, 1, Place())
    begins = [writer.size]
    for bodies in batches:
        append(writer, bodies, sync=sync)
        begins.append(writer.size)
    writer.close()
    return disk, begins


def read_file(disk: SimulatedDisk, data: bytes, **more: bool | int) -> SegmentReader:
    disk.put(PATH, data)
    return reader(disk, **more)  # type: ignore[arg-type]


# --- every truncation, every flip ---


@pytest.mark.parametrize("last", [True, False])
def test_truncated_at_every_byte(last: bool) -> None:
    disk, begins = written(*SMALL)
    data = disk.data(PATH)
    for size in range(len(data)):
        found = read_file(disk, data[:size], last=last)
        whole = sum(end <= size for end in begins[1:])
        assert read_all(found) == SMALL[:whole]
        assert found.place().index == whole
        if size in begins:
            assert (found.state, found.offset) == (END, size)
        elif size < SEGMENT_HEADER_BYTES:
            assert (found.state, found.offset) == (DAMAGED, 0)
        else:
            assert found.state == (TORN if last else DAMAGED)
            assert found.offset == begins[whole]
            assert found.why


@pytest.mark.parametrize("sync", [True, False])
@pytest.mark.parametrize("last", [True, False])
def test_every_byte_flipped(last: bool, sync: bool) -> None:
    disk, begins = written(*SMALL, sync=sync)
    data = disk.data(PATH)
    for at in range(len(data)):
        for mask in (1, 0x80, 0xFF):
            changed = bytearray(data)
            changed[at] ^= mask
            found = read_file(disk, bytes(changed), last=last)
            whole = sum(end <= at for end in begins[1:])
            assert read_all(found) == (SMALL[:whole] if at >= begins[0] else [])
            if last and at >= begins[-2]:
                assert found.state == TORN  # the end of the journal: a torn write looks the same
            else:
                assert found.state == DAMAGED
            assert found.offset == (begins[whole] if at >= begins[0] else 0)


def test_every_byte_of_the_last_record_flipped_when_it_was_on_disk() -> None:
    disk, begins = written(*SMALL)
    found = reader(disk)
    read_all(found)
    durable = found.place().position
    data = disk.data(PATH)
    for at in range(begins[-2], len(data)):
        changed = bytearray(data)
        changed[at] ^= 0x10
        found = read_file(disk, bytes(changed), durable=durable)
        assert read_all(found) == SMALL[:-1]
        assert found.state == DAMAGED
        assert f"position {durable} was on disk" in found.why


@given(st.data())
@settings(max_examples=300)
def test_any_change_gives_a_prefix(data: st.DataObject) -> None:
    batches = data.draw(
        st.lists(st.lists(st.binary(max_size=80), min_size=1, max_size=4), min_size=1, max_size=6)
    )
    disk, _ = written(*batches, sync=data.draw(st.booleans()))
    content = bytearray(disk.data(PATH))
    for _ in range(data.draw(st.integers(1, 4))):
        kind = data.draw(st.sampled_from(["set", "cut", "insert", "remove", "zero", "copy"]))
        begin = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(begin, min(len(content), begin + 100)))
        if kind == "set" and begin < len(content):
            content[begin] = data.draw(st.integers(0, 255))
        elif kind == "cut":
            del content[begin:]
        elif kind == "insert":
            content[begin:begin] = data.draw(st.binary(max_size=50))
        elif kind == "remove":
            del content[begin:end]
        elif kind == "zero":
            content[begin:end] = bytes(end - begin)
        elif kind == "copy":
            content += content[begin:end]
    found = read_file(disk, bytes(content), last=data.draw(st.booleans()))
    result = read_all(found)
    assert result == batches[: len(result)]
    assert found.state in (END, TORN, DAMAGED)
    assert bool(found.why) == (found.state != END)
    assert 0 <= found.offset <= len(content)


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes(data: bytes, last: bool) -> None:
    disk = SimulatedDisk(DIRECTORY)
    assert read_all(read_file(disk, data, last=last)) == []
    found = read_file(disk, bytes(segment_header(JOURNAL_ID, 1, Place())) + data, last=last)
    assert read_all(found) == []
    if data:
        assert found.state == (TORN if last else DAMAGED)


# --- lengths that lie ---


class Announced(ReadFile):
    """A file that says it is large, and notes what it is asked for."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__("announced", size)
        self._data = data
        self._offset = 0
        self.largest = 0

    def read_into(self, buf: bytearray, pos: int, n: int) -> int:
        self.largest = max(self.largest, len(buf))
        part = self._data[self._offset : self._offset + n]
        buf[pos : pos + len(part)] = part
        self._offset += len(part)
        return len(part)

    def seek(self, offset: int) -> None:
        self._offset = offset

    def close(self) -> None:
        pass


@pytest.mark.parametrize("claimed", [1 << 20, 1 << 40])
def test_an_announced_length_is_not_believed(claimed: int) -> None:
    data = segment_header(JOURNAL_ID, 1, Place())
    head = bytearray(BATCH_HEADER_BYTES)
    put_batch_header(head, crc_of_id(JOURNAL_ID), 0xFFFFFFFF, 1, 1, 0, 0, 0, 0)
    file = Announced(bytes(data + head) + b"little", claimed)
    found = SegmentReader(file, JOURNAL_ID, 1, Place(), False)
    assert read_all(found) == []
    assert found.state == DAMAGED
    assert file.largest <= 2 * READ_BYTES


def batch_of(records: bytes, count: int) -> bytes:
    """A first batch whose header is sound, whatever the records are."""
    head = bytearray(BATCH_HEADER_BYTES)
    put_batch_header(head, crc_of_id(JOURNAL_ID), len(records), count, 1, 0, 0, 0, 0)
    return bytes(head) + records


def test_records_that_do_not_fill_their_batch() -> None:
    disk = SimulatedDisk(DIRECTORY)
    start = bytes(segment_header(JOURNAL_ID, 1, Place()))
    good = bytes(Batch([b"abc", b"de"], Place()).buf[BATCH_HEADER_BYTES:])
    assert read_all(read_file(disk, start + batch_of(good, 2))) == [[b"abc", b"de"]]
    for records, count in (
        (b"", 0),
        (good, 1),
        (good, 3),
        (good + b"\0", 2),
        (good + bytes(7), 2),
        (good + bytes(8), 3),
        (good[:-1], 2),
        (b"\xff\xff\xff\xff" + good[4:], 2),
        (b"\xff\xff\xff\x7f" + good[4:], 2),
    ):
        found = read_file(disk, start + batch_of(records, count))
        assert read_all(found) == []
        assert found.state == TORN
        assert "batch 0" in found.why


# --- what is not where it should be ---


def three_segments() -> tuple[SimulatedDisk, list[Place]]:
    """Segments 1 to 3, and where each begins; then the end."""
    disk = SimulatedDisk(DIRECTORY)
    places = [Place()]
    for number in (1, 2, 3):
        writer = write(
            disk, [b"%d a" % number], [b"%d b" % number], number=number, place=places[-1]
        )
        places.append(writer.place)
    return disk, places


def path_of(number: int) -> str:
    return f"{DIRECTORY}/segment.{number:06d}.hwj"


def test_two_segments_swapped() -> None:
    disk, places = three_segments()
    one, two = disk.data(path_of(1)), disk.data(path_of(2))
    disk.put(path_of(1), two)
    disk.put(path_of(2), one)
    for number in (1, 2):
        found = reader(disk, number, places[number - 1], last=False)
        assert read_all(found) == []
        assert (found.state, found.offset) == (DAMAGED, 0)
        assert f"this is segment {3 - number}, not {number}" in found.why


def test_a_segment_of_another_journal() -> None:
    disk, places = three_segments()
    other = SimulatedDisk(DIRECTORY)
    write(other, [b"2 a"], [b"2 b"], number=2, place=places[1], journal_id=OTHER_ID)
    disk.put(path_of(2), other.data(path_of(2)))
    found = reader(disk, 2, places[1], last=False)
    assert read_all(found) == []
    assert found.state == DAMAGED
    # The batches alone, behind the right header:
    mixed = bytes(segment_header(JOURNAL_ID, 2, places[1])) + other.data(path_of(2))[64:]
    disk.put(path_of(2), mixed)
    found = reader(disk, 2, places[1], last=False)
    assert read_all(found) == []
    assert found.state == DAMAGED


def test_a_segment_is_missing() -> None:
    disk, places = three_segments()
    found = reader(disk, 3, places[1])  # as if 2 had been left out
    assert read_all(found) == []
    assert found.state == DAMAGED
    assert "what is before it ends at batch 2" in found.why


def test_an_older_copy_of_a_segment_in_the_middle() -> None:
    disk, places = three_segments()
    older = SimulatedDisk(DIRECTORY)
    write(older, [b"2 a"], number=2, place=places[1])
    disk.put(path_of(2), older.data(path_of(2)))
    found = reader(disk, 2, places[1], last=False)
    assert read_all(found) == [[b"2 a"]]
    assert found.state == END  # by itself it is whole
    found = reader(disk, 3, found.place())
    assert read_all(found) == []
    assert found.state == DAMAGED


def test_an_older_copy_of_the_last_segment() -> None:
    disk, begins = written(*SMALL)
    data = disk.data(PATH)
    whole = reader(disk)
    read_all(whole)
    durable = whole.place().position
    for size in range(begins[0], len(data)):
        found = read_file(disk, data[:size], durable=durable)
        assert read_all(found) == SMALL[: sum(end <= size for end in begins[1:])]
        assert found.state == DAMAGED
        assert str(durable) in found.why


@pytest.mark.parametrize("first", [0, 1, 2])
def test_batches_missing_repeated_or_in_another_order(first: int) -> None:
    disk, begins = written(*SMALL)
    data = disk.data(PATH)
    pieces = [data[a:b] for a, b in pairwise(begins)]
    for changed in (
        pieces[:first] + pieces[first + 1 :],
        pieces[: first + 1] + pieces[first:],
        [*pieces[:first], pieces[first + 1], pieces[first], *pieces[first + 2 :]],
    ):
        found = read_file(disk, data[: begins[0]] + b"".join(changed))
        result = read_all(found)
        assert result == SMALL[: len(result)]
        assert len(result) in (first, first + 1)
        assert found.state == DAMAGED


def test_an_epoch_goes_back() -> None:
    disk = SimulatedDisk(DIRECTORY)
    writer = SegmentWriter.create(disk, DIRECTORY, JOURNAL_ID, 1, Place())
    append(writer, [b"a"], epoch=4)
    size = writer.size
    data = disk.data(PATH)
    older = SimulatedDisk(DIRECTORY)
    other = SegmentWriter.create(older, DIRECTORY, JOURNAL_ID, 1, Place())
    append(other, [b"a"], [b"b"], epoch=3)
    found = read_file(disk, data + older.data(PATH)[size:])
    assert read_all(found) == [[b"a"]]
    assert found.state == DAMAGED
    assert "epoch 3" in found.why
    # A server that opened the journal later wrote its manifest: the first epoch counts too.
    found = reader(older, place=Place(epoch=4))
    assert read_all(found) == []
    assert found.state == DAMAGED


def test_another_history_with_the_same_lengths() -> None:
    disk, begins = written([b"aaaa"], [b"bbbb"], [b"cccc"])
    other, _ = written([b"AAAA"], [b"BBBB"], [b"CCCC"])
    data = disk.data(PATH)[: begins[2]] + other.data(PATH)[begins[2] :]
    found = read_file(disk, data)
    assert read_all(found) == [[b"aaaa"], [b"bbbb"]]
    assert found.state == DAMAGED
    assert "does not continue" in found.why


# --- torn tails ---


def test_zeros_behind_the_last_batch_are_torn() -> None:
    disk, begins = written(*SMALL)
    data = disk.data(PATH)
    for zeros in (1, 47, 48, 49, 4096, 3 * READ_BYTES):
        found = read_file(disk, data + bytes(zeros))
        assert read_all(found) == SMALL
        assert (found.state, found.offset) == (TORN, begins[-1])
        found = read_file(disk, data + bytes(zeros), last=False)
        assert read_all(found) == SMALL
        assert found.state == DAMAGED


def test_bytes_of_clients_do_not_count_as_batches() -> None:
    # A client stores a segment of another journal, an old part of this one, and magics.
    older, _ = written(*SMALL)
    foreign = SimulatedDisk(DIRECTORY)
    write(foreign, *SMALL, [b"x"], [b"y"], journal_id=OTHER_ID)
    body = older.data(PATH) + foreign.data(PATH) + BATCH_MAGIC_BYTES * 20
    disk, begins = written(*SMALL, [body, b"z"])
    data = disk.data(PATH)
    for size in (len(data) - 1, len(data) - 10, begins[-2] + 300):
        found = read_file(disk, data[:size])
        assert read_all(found) == SMALL
        assert (found.state, found.offset) == (TORN, begins[-2])


@pytest.mark.parametrize("distance", [0, 100, READ_BYTES - 30, 3 * READ_BYTES - 48])
def test_a_sound_batch_far_behind_is_found(distance: int) -> None:
    disk, begins = written([b"a"], [b"b" * (200 + distance)], [b"c"])
    data = bytearray(disk.data(PATH))
    data[begins[1] + 60] ^= 1
    found = read_file(disk, bytes(data))
    assert read_all(found) == [[b"a"]]
    assert (found.state, found.offset) == (DAMAGED, begins[1])
    assert f"batch 2 at byte {begins[2]} is sound" in found.why
    # The same with a broken length: the next batch is found all the same.
    data = bytearray(disk.data(PATH))
    data[begins[1] + 6] ^= 0x40
    found = read_file(disk, bytes(data))
    assert read_all(found) == [[b"a"]]
    assert found.state == DAMAGED


def lose(data: bytes, begin: int, end: int) -> bytes:
    """Zero the sectors that lie in [begin, end)."""
    return data[:begin] + bytes(end - begin) + data[end:]


def test_sectors_lost_before_they_were_synced_are_torn() -> None:
    disk, begins = written([b"a" * 1000], [b"b" * 5000], [b"c" * 3000], [b"d"], sync=False)
    data = disk.data(PATH)
    found = read_file(disk, lose(data, 2048, 4096))
    assert read_all(found) == [[b"a" * 1000]]
    assert (found.state, found.offset) == (TORN, begins[1])
    # Lost from the end of what was synced to the end of that sector.
    sector = begins[1] + 512 - begins[1] % 512
    found = read_file(disk, lose(data, begins[1], sector))
    assert read_all(found) == [[b"a" * 1000]]
    assert found.state == TORN
    # No whole sector is gone: that is no power failure.
    found = read_file(disk, lose(data, 2049, 2560))
    assert found.next_batch()
    assert read_all(found) == []
    assert found.state == DAMAGED


def test_sectors_lost_after_they_were_synced_are_damage() -> None:
    disk, begins = written([b"a" * 1000], [b"b" * 5000], [b"c" * 3000], [b"d"])
    data = disk.data(PATH)
    found = read_file(disk, lose(data, 2048, 4096))
    assert read_all(found) == [[b"a" * 1000]]
    assert (found.state, found.offset) == (DAMAGED, begins[1])
    assert "was written when this one was on disk" in found.why


def test_a_lost_part_of_another_length_is_damage() -> None:
    disk, begins = written([b"a" * 1000], [b"b" * 5000], [b"c" * 3000], [b"d"], sync=False)
    data = disk.data(PATH)
    found = read_file(disk, data[: begins[1]] + bytes(2048) + data[begins[2] :])
    assert read_all(found) == [[b"a" * 1000]]
    assert found.state == DAMAGED
    assert "not where it was written" in found.why


def test_a_batch_that_knows_of_nothing_on_disk() -> None:
    # More than 4 GB unsynced is said with the largest value: it proves nothing.
    disk = SimulatedDisk(DIRECTORY)
    writer = SegmentWriter.create(disk, DIRECTORY, JOURNAL_ID, 1, Place(0, 0, 1 << 40, 0))
    writer.synced = 0
    append(writer, [b"a" * 1000], [b"b" * 5000], [b"c" * 3000], sync=False)
    data = disk.data(PATH)
    disk.put(PATH, lose(data, 2048, 4096))
    found = reader(disk, place=Place(0, 0, 1 << 40, 0))
    assert read_all(found) == [[b"a" * 1000]]
    assert found.state == TORN


@pytest.mark.parametrize("seed", range(60))
def test_power_failures(seed: int) -> None:
    """After a power failure: at least what was synced, at most what was written, never damage."""
    rng = random.Random(seed)
    disk = SimulatedDisk(DIRECTORY)
    writer = SegmentWriter.create(disk, DIRECTORY, JOURNAL_ID, 1, Place())
    history: list[list[bytes]] = []
    for epoch in range(1, 6):
        synced = len(history)
        for _ in range(rng.randrange(40)):
            sizes = [rng.choice((0, 3, 50, 700, 3000)) for _ in range(rng.randint(1, 4))]
            batch = [rng.randbytes(size) for size in sizes]
            append(writer, batch, epoch=epoch, sync=False)
            history.append(batch)
            if rng.random() < 0.2:
                writer.sync()
                synced = len(history)
        disk.crash(rng)
        found = reader(disk, durable=writer.synced)
        result = read_all(found)
        assert found.state in (END, TORN), (found.why, found.offset)
        assert synced <= len(result) <= len(history)
        assert result == history[: len(result)]
        history = result
        writer = SegmentWriter.open(disk, PATH, JOURNAL_ID, 1, found.place(), found.offset)
