"""The segments of a journal in their order, read as one sequence of batches.

Recovery applies what comes out, a check counts it, a repair looks where it ends.
"""

from __future__ import annotations

from headwater.journal.disk import Disk, ReadFile
from headwater.journal.format import BATCH_HEADER_BYTES, RECORD_HEADER_BYTES, Place
from headwater.journal.manifest import Manifest, SegmentEntry
from headwater.journal.reader import END, TORN, SegmentReader
from headwater.raw import get_u32


class SegmentEnd:
    """How reading a segment ended.

    entry, path: which one
    state: END, TORN or DAMAGED of journal.reader; `why` and `offset` as there
    size: bytes in the file
    batches, records: how many were sound
    begin, end: the places in front of and behind them
    first_epoch: that of the first batch (of the place before, if there is none)
    """

    __slots__ = (
        "batches",
        "begin",
        "end",
        "entry",
        "first_epoch",
        "offset",
        "path",
        "records",
        "size",
        "state",
        "why",
    )

    def __init__(self, entry: SegmentEntry, path: str, begin: Place) -> None:
        self.entry = entry
        self.path = path
        self.begin = begin
        self.end = begin
        self.first_epoch = begin.epoch
        self.state = END
        self.why = ""
        self.offset = 0
        self.size = 0
        self.batches = 0
        self.records = 0


class History:
    """Reads all segments that a manifest lists, until one of them does not end as it should.

    segments: the segments read so far; the last one is that of the current batch
    done: bytes of segments that were read to their ends
    """

    __slots__ = ("_directory", "_disk", "_file", "_manifest", "_next", "done", "reader", "segments")

    def __init__(self, disk: Disk, directory: str, manifest: Manifest) -> None:
        self._disk = disk
        self._directory = directory
        self._manifest = manifest
        self._next = 0
        self._file: ReadFile | None = None
        self.reader: SegmentReader | None = None
        self.segments: list[SegmentEnd] = []
        self.done = 0

    @property
    def place(self) -> Place:
        """The place behind all that was read."""
        if not self.segments:
            return self._manifest.segments[0].place
        return self.segments[len(self.segments) - 1].end

    @property
    def end(self) -> SegmentEnd:
        """The segment read last, or being read."""
        return self.segments[len(self.segments) - 1]

    def bytes_read(self) -> int:
        """Bytes of segments that have been verified."""
        return self.done + (self.reader.offset if self.reader is not None else 0)

    def next_segment(self) -> SegmentReader | None:
        """The reader of the next segment; None behind the last, or behind one that ends badly:
        `end.state` tells which.

        Whoever has read it to its end says so by `segment_read`. Raises OSError;
        FileNotFoundError for a segment that is missing.
        """
        if self._next == len(self._manifest.segments):
            return None
        return self._open(self._manifest.segments[self._next])

    def segment_read(self, batches: int, records: int) -> None:
        """The reader has come to its end, and has given so many batches and records."""
        reader, end = self.reader, self.end
        assert reader is not None
        end.batches = batches
        end.records = records
        end.state = reader.state
        end.why = reader.why
        end.offset = reader.offset
        end.end = reader.place()
        if reader.state == END:
            self.done += reader.size
        else:
            self.done += reader.offset
            self._next = len(self._manifest.segments)
        self.close()

    def read_all(self) -> None:
        """Read everything, only to see whether it is sound."""
        while (reader := self.next_segment()) is not None:
            batches = records = 0
            while reader.next_batch():
                if batches == 0:
                    self.end.first_epoch = reader.epoch
                batches += 1
                records += reader.records
            self.segment_read(batches, records)

    def locate(self, records: int, pos: int) -> tuple[int, int]:
        """Which record of its file, counted from 1, begins at `pos` of the reader's buffer, and
        at which byte of the file.

        records: how many the file has up to the end of the reader's batch
        """
        reader = self.reader
        assert reader is not None
        number = records - reader.records + 1
        at = reader.begin
        while at < pos:
            at += RECORD_HEADER_BYTES + get_u32(reader.buf, at)
            number += 1
        return number, reader.offset + BATCH_HEADER_BYTES + pos - reader.begin

    def close(self) -> None:
        """Close what is open. A second call does nothing."""
        file, self._file = self._file, None
        self.reader = None
        if file is not None:
            file.close()

    def _open(self, entry: SegmentEntry) -> SegmentReader:
        path = f"{self._directory}/{entry.name}"
        begin = entry.place if not self.segments else self.place
        last = entry is self._manifest.last
        self._next += 1
        file = self._disk.open_read(path)
        self.segments.append(SegmentEnd(entry, path, begin))
        self._file = file
        self.reader = SegmentReader(
            file,
            self._manifest.journal_id,
            entry.number,
            begin,
            last,
            self._manifest.reached if last else 0,
        )
        self.end.size = file.size
        return self.reader


def torn_bytes(end: SegmentEnd) -> int:
    """How many bytes stand behind the last sound batch of a torn segment; 0 for another one."""
    return end.size - end.offset if end.state == TORN else 0
