"""Segments for tests: batches of records with any bodies, written and read back."""

from __future__ import annotations

from collections.abc import Sequence

from headwater.journal.disk import Disk
from headwater.journal.format import (
    BATCH_HEADER_BYTES,
    RECORD_HEADER_BYTES,
    Place,
    put_record_header,
    segment_name,
)
from headwater.journal.reader import SegmentReader
from headwater.journal.segment import SegmentWriter

JOURNAL_ID = bytes(range(16))
OTHER_ID = bytes(range(100, 116))
DIRECTORY = "/data"

Bodies = Sequence[bytes]


class Batch:
    """A sealed batch, as the recorder makes them."""

    def __init__(self, bodies: Bodies, place: Place) -> None:
        self.buf = bytearray(BATCH_HEADER_BYTES)
        chain = place.chain
        for body in bodies:
            pos = len(self.buf)
            self.buf += bytes(RECORD_HEADER_BYTES) + body
            chain = put_record_header(self.buf, pos, len(body), chain)
        self.size = len(self.buf)
        self.records = len(bodies)
        self.position = place.position
        self.end = place.position + self.size - BATCH_HEADER_BYTES
        self.chain_before = place.chain
        self.chain_after = chain


def append(writer: SegmentWriter, *batches: Bodies, epoch: int = 1, sync: bool = True) -> None:
    """Write batches of these bodies, each synced unless told otherwise."""
    for bodies in batches:
        writer.append(Batch(bodies, writer.place), epoch)
        if sync:
            writer.sync()


def write(
    disk: Disk,
    *batches: Bodies,
    number: int = 1,
    place: Place | None = None,
    journal_id: bytes = JOURNAL_ID,
    epoch: int = 1,
    sync: bool = True,
    directory: str = DIRECTORY,
) -> SegmentWriter:
    """Write a whole segment; returns its writer, closed."""
    writer = SegmentWriter.create(disk, directory, journal_id, number, place or Place())
    append(writer, *batches, epoch=epoch, sync=sync)
    writer.close()
    return writer


def reader(
    disk: Disk,
    number: int = 1,
    place: Place | None = None,
    last: bool = True,
    durable: int = 0,
    journal_id: bytes = JOURNAL_ID,
    directory: str = DIRECTORY,
) -> SegmentReader:
    """A reader of a segment that `write` wrote."""
    file = disk.open_read(f"{directory}/{segment_name(number)}")
    return SegmentReader(file, journal_id, number, place or Place(), last, durable)


def bodies_of(found: SegmentReader) -> list[bytes]:
    """The bodies of the reader's current batch."""
    bodies = []
    pos = found.begin
    while pos < found.end:
        size = int.from_bytes(found.buf[pos : pos + 4], "little")
        pos += RECORD_HEADER_BYTES
        bodies.append(bytes(found.buf[pos : pos + size]))
        pos += size
    assert pos == found.end
    assert len(bodies) == found.records
    return bodies


def read_all(found: SegmentReader) -> list[list[bytes]]:
    """The bodies of all batches up to the reader's end."""
    batches = []
    while found.next_batch():
        batches.append(bodies_of(found))
    assert found.records == 0
    assert not found.next_batch()
    return batches
