"""Writing a segment: the header once, then batch after batch at its end.

What stands in the batches is sealed by `recorder`; this module fills in the batch's header and
hands the bytes to the disk in one write. Reading is in `reader`.
"""

from __future__ import annotations

import contextlib
import os
from typing import Protocol

from headwater.journal.disk import AppendFile, Disk
from headwater.journal.format import (
    BATCH_HEADER_BYTES,
    SEGMENT_HEADER_BYTES,
    Place,
    crc_of_id,
    put_batch_header,
    segment_header,
    segment_name,
)


class SealedBatch(Protocol):
    """What the writer needs of a batch (`recorder.Batch` is one)."""

    buf: bytearray  # room for the header, then the records
    size: int  # bytes used in buf, the header's included
    records: int
    position: int  # of the first record
    end: int  # behind the last
    chain_before: int
    chain_after: int


class SegmentWriter:
    """The segment at whose end the journal grows.

    Batches are appended by one thread at a time; `sync` may run in another meanwhile.

    path, number, journal_id: of this segment
    place: behind the last batch appended, in an object that moves on with each one
    synced: position before which everything is known to be on disk
    file: where to see `size` and `broken`
    """

    __slots__ = ("_id_crc", "file", "journal_id", "number", "path", "place", "synced")

    def __init__(self, file: AppendFile, journal_id: bytes, number: int, place: Place) -> None:
        """Use `create` or `open`. Everything before `place` is on disk."""
        self.file = file
        self.path = file.path
        self.journal_id = journal_id
        self.number = number
        self.place = place.copy()
        self.synced = place.position
        self._id_crc = crc_of_id(journal_id)

    @classmethod
    def create(
        cls,
        disk: Disk,
        directory: str,
        journal_id: bytes,
        number: int,
        place: Place,
        suffix: str = "",
    ) -> SegmentWriter:
        """Begin a new segment at `place`. File and name are on disk when this returns.

        suffix: of the file's name, until `rename` gives it the one that a manifest can list

        The segment before is complete and synced by then: only the last segment of a journal
        may end torn. FileExistsError if there is a file of this name; on another error none
        is left.
        """
        path = f"{directory}/{segment_name(number)}{suffix}"
        file = disk.create(path)
        try:
            file.write(segment_header(journal_id, number, place))
            file.sync()
            disk.sync_directory(directory)
        except OSError:
            _discard(disk, file)
            raise
        return cls(file, journal_id, number, place)

    @classmethod
    def open(
        cls, disk: Disk, path: str, journal_id: bytes, number: int, place: Place, size: int
    ) -> SegmentWriter:
        """Go on with a segment whose batches have been read up to `place`, at byte `size`.

        Cuts off what stands behind (a torn tail) and syncs: before anything is appended the
        cut must be on disk, or a power failure could mix old and new.
        """
        file = disk.open_append(path)
        try:
            if size < SEGMENT_HEADER_BYTES or size > file.size:
                raise ValueError(f"{path} has {file.size} bytes and cannot be cut to {size}")
            if size < file.size:
                file.truncate(size)
            file.sync()
        except BaseException:
            file.close()
            raise
        return cls(file, journal_id, number, place)

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return self.file.size

    @property
    def position(self) -> int:
        """Position behind the last batch."""
        return self.place.position

    def append(self, batch: SealedBatch, epoch: int) -> None:
        """Fill in the batch's header and write it; `sync` makes it durable.

        On OSError nothing of it is in the file and the place is as before, so the same batch
        may be tried again, unless `file.broken`. ValueError if the batch is not the next one.
        """
        place = self.place
        if batch.position != place.position or batch.chain_before != place.chain:
            raise ValueError(
                f"{self.path}: a batch of position {batch.position} and chain "
                f"{batch.chain_before:#010x} does not follow {place}"
            )
        if epoch < place.epoch:
            raise ValueError(f"{self.path}: epoch {epoch} is before {place}")
        size = batch.size - BATCH_HEADER_BYTES
        if size <= 0 or batch.end - batch.position != size:
            raise ValueError(f"{self.path}: a batch of {size} bytes ends at {batch.end}")
        put_batch_header(
            batch.buf,
            self._id_crc,
            size,
            batch.records,
            epoch,
            place.index,
            place.position,
            place.chain,
            place.position - self.synced,
        )
        with memoryview(batch.buf) as view:
            self.file.write(view[: batch.size])
        place.epoch = epoch
        place.index += 1
        place.chain = batch.chain_after
        place.position = batch.end

    def sync(self) -> int:
        """Make durable what was appended before the call; return the position it reaches.

        After an OSError nothing may be acknowledged that was not synced before, and the file
        takes nothing any more (`AppendFile.sync`).
        """
        position = self.place.position
        self.file.sync()
        if position > self.synced:
            self.synced = position
        return position

    def rename(self, disk: Disk) -> None:
        """Give the file the name that a manifest can list; on disk when this returns."""
        directory = os.path.dirname(self.path)
        path = f"{directory}/{segment_name(self.number)}"
        if path != self.path:
            disk.replace(self.path, path)
            self.path = path
            disk.sync_directory(directory)

    def reserve(self, count: int) -> int:
        """Room ahead for `count` bytes, as `AppendFile.reserve`."""
        return self.file.reserve(count)

    def give_back(self) -> None:
        """Give back the room ahead."""
        self.file.truncate(self.file.size)

    def close(self) -> None:
        """Close the file without a sync."""
        self.file.close()


def _discard(disk: Disk, file: AppendFile) -> None:
    """Drop a file that could not be begun."""
    with contextlib.suppress(OSError):
        file.close()
    with contextlib.suppress(OSError):
        disk.remove(file.path)
