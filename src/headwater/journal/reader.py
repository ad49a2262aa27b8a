"""Reading a segment: batch after batch, each verified whole before a record of it is seen.

Every byte may be hostile. Whatever stands in the file, a reader ends in one of three ways:

- END: the file ends behind a sound batch.
- TORN: this is the last segment, and what stands at `offset` is not a batch; nothing that was
  known to be on disk is lost if the file is cut there.
- DAMAGED: something was changed, lost or mixed up that should be there.

Only OSError (the disk's own) is raised. Memory is one batch and a piece of READ_BYTES; a length
that the file has no bytes for is not believed.
"""

from __future__ import annotations

from headwater.journal.disk import ReadFile
from headwater.journal.format import (
    BATCH_HEADER_BYTES,
    SEGMENT_HEADER_BYTES,
    JournalError,
    Place,
    SegmentHeader,
    batch_chain,
    batch_epoch,
    batch_index,
    batch_position,
    batch_records,
    batch_size,
    check_records,
    crc_of_id,
    is_batch_header,
    read_segment_header,
)
from headwater.journal.tail import sound_behind
from headwater.raw import alloc, copy, move

READING, END, TORN, DAMAGED = range(4)
"""States of a reader."""

READ_BYTES = 1 << 20
"""Bytes asked of the disk at once."""


def segment_header_of(file: ReadFile) -> SegmentHeader:
    """Read a segment's header without expectations; raises as `read_segment_header`."""
    buf = alloc(SEGMENT_HEADER_BYTES)
    file.seek(0)
    n = file.read_into(buf, 0, SEGMENT_HEADER_BYTES)
    return read_segment_header(buf, n, file.path)


class SegmentReader:
    """Reads one segment from its beginning.

    file, last: what is read, and whether it is the journal's last segment
    size: bytes in the file when it was opened
    state: READING, END, TORN or DAMAGED
    why: what is wrong, for TORN and DAMAGED
    offset: byte in the file where the current batch begins; at the end, the byte behind the
        last sound batch, which is where a torn file is cut

    Of the current batch, while `next_batch` returns True:
    buf, begin, end: its records are buf[begin:end], until the next call; the buffer may be
        another one then
    records, epoch, index, position: as its header says
    chain: crc of its last record
    """

    __slots__ = (
        "_at",
        "_durable",
        "_filled",
        "_id_crc",
        "_journal_id",
        "_next",
        "_next_position",
        "_number",
        "_start",
        "begin",
        "buf",
        "chain",
        "end",
        "epoch",
        "file",
        "index",
        "last",
        "offset",
        "position",
        "records",
        "size",
        "state",
        "why",
    )

    def __init__(
        self,
        file: ReadFile,
        journal_id: bytes,
        number: int,
        place: Place,
        last: bool,
        durable: int = 0,
    ) -> None:
        """Expect segment `number` of a journal, its first batch at `place`.

        durable: position that is known to have been on disk (`Manifest.reached`); a last
            segment that ends before it is damaged, however torn it looks
        """
        self.file = file
        self.last = last
        self.size = file.size
        self.state = READING
        self.why = ""
        self.offset = 0
        self.buf = alloc(max(min(self.size, READ_BYTES), SEGMENT_HEADER_BYTES))
        self.begin = 0
        self.end = 0
        self.records = 0
        self.epoch = place.epoch
        self.index = 0
        self.position = place.position
        self.chain = place.chain
        self._journal_id = journal_id
        self._number = number
        self._id_crc = crc_of_id(journal_id)
        self._durable = durable
        self._next = place.index  # index and position of the next batch
        self._next_position = place.position
        self._at = 0  # byte in the file where it begins; 0: the file's header is still to be read
        self._start = 0  # byte in the file of buf[0]
        self._filled = 0  # bytes in buf

    def next_batch(self) -> bool:
        """Go to the next batch; False at the end, whichever it is (`state`)."""
        if self.state != READING:
            return False
        self.begin = self.end = self.records = 0
        if self._at == 0 and not self._read_header():
            return False
        head = BATCH_HEADER_BYTES
        offset = self.offset = self._at
        left = self.size - offset - head
        if left == -head:
            return self._at_end()
        if left < 0 or not self._load(offset, head):
            return self._broken(f"the file ends in the header of batch {self._next}")
        pos = offset - self._start
        if not is_batch_header(self.buf, pos, self._id_crc):
            return self._broken(f"the header of batch {self._next} is broken")
        if not self._follows(pos):
            return False
        size = batch_size(self.buf, pos)
        if size > left or not self._load(offset, head + size):
            return self._broken(f"batch {self._next} has {size} bytes, of which {left} are there")
        pos = offset - self._start
        begin = pos + head
        end = begin + size
        announced = batch_records(self.buf, pos)
        reached, records, chain = check_records(self.buf, begin, end, self.chain)
        if reached != end:
            return self._broken(
                f"record {records + 1} of batch {self._next}, at byte "
                f"{offset + reached - pos}, is broken"
            )
        if records == 0 or records != announced:
            return self._broken(f"batch {self._next} has {records} records, not {announced}")
        self.begin = begin
        self.end = end
        self.records = records
        self.epoch = batch_epoch(self.buf, pos)
        self.index = self._next
        self.position = self._next_position
        self.chain = chain
        self._next += 1
        self._next_position += size
        self._at = offset + head + size
        return True

    def place(self) -> Place:
        """The place behind the batches read so far, the current one included."""
        return Place(self.epoch, self._next, self._next_position, self.chain)

    def error(self) -> JournalError:
        """What to raise when this segment was expected to be sound and is not."""
        return JournalError(self.file.path, self.why, self.offset)

    def _read_header(self) -> bool:
        """Verify the file's header and that it is the expected one."""
        head = SEGMENT_HEADER_BYTES
        self._load(0, head)
        try:
            found = read_segment_header(self.buf, self._filled, self.file.path)
        except JournalError as error:
            return self._damaged(error.text)
        if found.journal_id != self._journal_id:
            return self._damaged(
                f"the segment is one of journal {found.journal_id.hex()}, the manifest's is "
                f"{self._journal_id.hex()}"
            )
        if found.number != self._number:
            return self._damaged(f"this is segment {found.number}, not {self._number}")
        here = self.place()
        if found.place(here.epoch) != here:
            return self._damaged(
                f"the segment begins at batch {found.index}, position {found.position}; what is "
                f"before it ends at batch {here.index}, position {here.position}"
            )
        self._at = head
        return True

    def _follows(self, pos: int) -> bool:
        """Tell whether the sound header at `pos` is the expected batch's; else it is damage."""
        index = batch_index(self.buf, pos)
        if index != self._next:
            return self._damaged(f"batch {index} stands where batch {self._next} should")
        position = batch_position(self.buf, pos)
        if position != self._next_position:
            return self._damaged(
                f"batch {index} has position {position} instead of {self._next_position}"
            )
        if batch_chain(self.buf, pos) != self.chain:
            return self._damaged(f"batch {index} does not continue the batch before it")
        epoch = batch_epoch(self.buf, pos)
        if epoch < self.epoch:
            return self._damaged(
                f"batch {index} is of epoch {epoch}, the one before it of {self.epoch}"
            )
        return True

    def _load(self, offset: int, n: int) -> bool:
        """Have `n` bytes from `offset` on in the buffer, in one piece; False if the file has fewer.

        `offset` is neither before buf[0] nor behind what has been read. The buffer at most
        doubles at a time, and only when it is full.
        """
        pos = offset - self._start
        if self._filled - pos >= n:
            return True
        if pos > 0:
            move(self.buf, 0, pos, self._filled - pos)
            self._start = offset
            self._filled -= pos
        while self._filled < n:
            room = len(self.buf) - self._filled
            if room == 0:
                room = min(n - self._filled, self._filled)
                buf = alloc(self._filled + room)
                copy(buf, 0, self.buf, 0, self._filled)
                self.buf = buf
            got = self.file.read_into(self.buf, self._filled, min(room, READ_BYTES))
            if got <= 0:
                return False
            self._filled += got
        return True

    def _at_end(self) -> bool:
        """The file ends behind a sound batch, or behind its header."""
        if self.last and self._next_position < self._durable:
            return self._damaged(
                f"the journal ends at position {self._next_position}; {self._durable} was on disk "
                "already (an older copy of the file?)"
            )
        self.state = END
        return False

    def _damaged(self, why: str) -> bool:
        self.state = DAMAGED
        self.why = why
        return False

    def _broken(self, why: str) -> bool:
        """There is no sound batch at `offset`: decide whether this is a torn tail or damage."""
        if not self.last:
            return self._damaged(f"{why}, and this is not the last segment")
        if self._next_position < self._durable:
            return self._damaged(f"{why}, and position {self._durable} was on disk already")
        found = sound_behind(self.file, self.offset, self.place(), self._id_crc)
        if found:
            return self._damaged(f"{why}, and {found}")
        self.state = TORN
        self.why = why
        return False
