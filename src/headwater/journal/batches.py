"""Records in memory, and the batches they are gathered in until somebody writes them.

What a record says is recorder.py's business; here are its frame, its checksum, room for it.
"""

from __future__ import annotations

from headwater.journal.format import (
    BATCH_BYTES,
    BATCH_HEADER_BYTES,
    RECORD_HEADER_BYTES,
    put_record_header,
)
from headwater.raw import alloc, copy, get_u32, put_u32

BUFFER_BYTES = 64 * 1024
"""A batch begins with so much; it grows by doubling."""

_BUFFER_BYTES = BUFFER_BYTES  # the same as a C number

RECORD_BREAK_BYTES = 1 << 30
"""A record that has become so long is closed at the next chance, in the middle of an EXEC too:
its length has 32 bits. Only an EXEC that queued a gigabyte can come there."""


_UNKNOWN_LIMIT = -1
_UNKNOWN_FILL = 1 << 40  # what `list-max-listpack-size` can not be


class Batch:
    """Sealed records that are written together.

    buf: the first BATCH_HEADER_BYTES are free for the header, then come the records
    size: bytes used of `buf`, header included
    records: how many they are
    position, end: the journal's position before and behind them
    chain_before, chain_after: crc of the record before the first, and of the last
    """

    __slots__ = (
        "buf",
        "chain_after",
        "chain_before",
        "end",
        "position",
        "records",
        "size",
    )

    def __init__(
        self,
        buf: bytearray,
        size: int,
        records: int,
        position: int,
        chain_before: int,
        chain_after: int,
    ) -> None:
        self.buf = buf
        self.size = size
        self.records = records
        self.position = position
        self.end = position + size - BATCH_HEADER_BYTES
        self.chain_before = chain_before
        self.chain_after = chain_after


class RecordWriter:
    """Writes records behind each other; `Recorder` fills them.

    recording: whether there is anything to write for
    end: position behind everything recorded, an open record included
    released: up to where replies may leave; whoever writes the journal sets it
    chain: crc of the last sealed record
    unit: while above 0, `seal` does nothing (EXEC); who raises it lowers it again
    """

    __slots__ = (
        "_base",
        "_batch_chain",
        "_full",
        "_full_bytes",
        "_list_at",
        "_list_fill",
        "_list_kind",
        "_list_of",
        "_node_max_bytes",
        "_node_max_entries",
        "_pos",
        "_record",
        "_records",
        "buf",
        "chain",
        "end",
        "recording",
        "released",
        "unit",
    )

    def __init__(self) -> None:
        self.recording = False
        self.end = 0
        self.released = 0
        self.chain = 0
        self.unit = 0
        self.buf = alloc(0)
        self._pos = BATCH_HEADER_BYTES  # behind everything in `buf`
        self._base = -BATCH_HEADER_BYTES  # the journal's position of the buffer's byte 0
        self._record = 0  # where the open record begins; 0: none is open
        self._records = 0  # sealed ones in `buf`
        self._batch_chain = 0  # chain before `buf`
        self._full: list[Batch] = []  # batches before `buf`
        self._full_bytes = 0
        # A list of IDs at the end of the open record that can be continued: the operation with
        # its flags (0: there is none), whose IDs they are, where their number stands.
        self._list_kind = 0
        self._list_of: object = None
        self._list_at = 0
        # The limits of a stream's node that were recorded last, and that of a list's.
        self._node_max_entries = _UNKNOWN_LIMIT
        self._node_max_bytes = _UNKNOWN_LIMIT
        self._list_fill = _UNKNOWN_FILL

    # --- batches ---

    def start(self, position: int, chain: int) -> None:
        """Begin to record; the next record stands at this position, behind one with this crc.

        What was gathered before is forgotten, and so is which limits of a node were recorded.
        """
        self._full = []
        self._full_bytes = 0
        self._list_kind = 0
        self._list_of = None
        self.repeat_limits()
        self.chain = chain
        self._record = 0
        self._begin_batch(position)
        self.end = position
        self.released = position
        self.recording = True

    def repeat_limits(self) -> None:
        """Record the limits of a node again with the next entry: a segment begins here."""
        self._node_max_entries = _UNKNOWN_LIMIT
        self._node_max_bytes = _UNKNOWN_LIMIT
        self._list_fill = _UNKNOWN_FILL

    def stop(self) -> None:
        """Record nothing any more; what was gathered and not taken is forgotten."""
        self.recording = False
        self._full = []
        self._full_bytes = 0
        self._list_kind = 0
        self._list_of = None
        self._record = 0
        self.buf = alloc(0)
        self._pos = BATCH_HEADER_BYTES
        self._records = 0
        position = self.end  # signed when compiled: the buffer may begin before 0
        self._base = position - BATCH_HEADER_BYTES
        self.released = position

    def _begin_batch(self, position: int) -> None:
        self.buf = alloc(_BUFFER_BYTES)
        self._pos = BATCH_HEADER_BYTES
        self._base = position - BATCH_HEADER_BYTES
        self._records = 0
        self._batch_chain = self.chain

    def seal(self) -> None:
        """Close the open record, if there is one and no unit is open."""
        if self._record != 0 and self.unit == 0:
            self._close()

    def drop(self) -> None:
        """Forget the open record: what it tells of will not have happened."""
        if self._record != 0:
            self._pos = self._record
            self._record = 0
            self._list_kind = 0
            self.end = self._base + self._pos

    def _close(self) -> None:
        begin = self._record
        chain = put_record_header(
            self.buf, begin, self._pos - begin - RECORD_HEADER_BYTES, self.chain
        )
        if self._records != 0 and self._pos - BATCH_HEADER_BYTES > BATCH_BYTES:
            self._close_batch()
        self.chain = chain
        self._records += 1
        self._record = 0
        self._list_kind = 0

    def _close_batch(self) -> None:
        """Make a batch of the sealed records; the open one goes to another buffer."""
        old = self.buf
        end = self._record if self._record != 0 else self._pos
        left = self._pos - end
        position = self._base + end
        self._full.append(
            Batch(
                old,
                end,
                self._records,
                self._base + BATCH_HEADER_BYTES,
                self._batch_chain,
                self.chain,
            )
        )
        self._full_bytes += end - BATCH_HEADER_BYTES
        self._begin_batch(position)
        if left != 0:
            if BATCH_HEADER_BYTES + left > _BUFFER_BYTES:
                self.buf = alloc(BATCH_HEADER_BYTES + left)
            copy(self.buf, BATCH_HEADER_BYTES, old, end, left)
            self._record = BATCH_HEADER_BYTES
            self._list_kind = 0
            self._pos = BATCH_HEADER_BYTES + left

    def gathered(self) -> int:
        """How many bytes of sealed records wait to be taken."""
        end = self._record if self._record != 0 else self._pos
        return self._full_bytes + end - BATCH_HEADER_BYTES

    def take(self) -> Batch | None:
        """The oldest batch of sealed records, None when all are taken."""
        if not self._full:
            if self._records == 0:
                return None
            self._close_batch()
        batch = self._full.pop(0)
        self._full_bytes -= batch.size - BATCH_HEADER_BYTES
        return batch

    # --- operations, written piece by piece ---

    def _room(self, n: int) -> int:
        """Have room for `n` bytes in the open record; returns where.

        Without an open record that is where one begins with the next operation that is complete.
        """
        self._list_kind = 0
        if self._pos + n + RECORD_HEADER_BYTES > len(self.buf):
            self._grow(n + RECORD_HEADER_BYTES)
        pos = self._pos
        if self._record == 0:
            pos += RECORD_HEADER_BYTES
        return pos

    def _grow(self, n: int) -> None:
        if self._record != 0 and self._pos - self._record > RECORD_BREAK_BYTES:
            self._close()
        capacity = len(self.buf)
        while capacity < self._pos + n:
            capacity = max(2 * capacity, _BUFFER_BYTES)
        bigger = alloc(capacity)
        copy(bigger, 0, self.buf, 0, self._pos)
        self.buf = bigger

    def _ends_at(self, pos: int) -> None:
        """The operation at hand is complete."""
        if self._record == 0:
            self._record = self._pos
        self._pos = pos
        self.end = self._base + pos

    # --- lists of IDs, written one by one ---

    def _continues(self, kind: int, of: object, n: int) -> bool:
        """Whether a list of this kind can take one more ID of `n` bytes; counts it if so."""
        if kind != self._list_kind or of is not self._list_of or self._pos + n > len(self.buf):
            return False
        put_u32(self.buf, self._list_at, get_u32(self.buf, self._list_at) + 1)
        return True

    def _begin_list(self, pos: int, kind: int, of: object) -> int:
        """Begin a list that will have one ID at once."""
        put_u32(self.buf, pos, 1)
        self._list_kind = kind
        self._list_of = of
        self._list_at = pos
        return pos + 4
