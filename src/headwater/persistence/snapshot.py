"""One snapshot: the keys of a cut, encoded in slices between commands, into a file.

A slice takes keys one by one. A small value is encoded at once; a big one is held (Cut.hold) and
encoded over as many slices as it takes. Nothing here waits: while the disk is behind by
QUEUE_BYTES, `step` does nothing.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from headwater.keyspace.cut import Cut
from headwater.raw import monotonic_us
from headwater.rdb.encoder import Encoder, file_version

if TYPE_CHECKING:
    from headwater.persistence.snapshot_file import DirectFile, ThreadFile

WORKING, WAITING, DONE, FAILED = 0, 1, 2, 3
"""What `step` says: go on; come back later, the disk is behind; the file is there; it is not."""
_WORKING, _WAITING, _DONE, _FAILED = WORKING, WAITING, DONE, FAILED  # the same as C numbers

PIECE_BYTES = 64 * 1024
"""The file is written in pieces of about this size."""

AT_ONCE_UNITS = 8
"""A value of at most so many `free_units` is encoded at once; that takes up to 0.3 ms."""

SLICE_BYTES = 2048
"""Of a bigger value so much, as it is in the file, is encoded between two looks at the clock."""

_ALL_US = 1 << 62
_log = logging.getLogger("headwater")


class Snapshot:
    """Writes a cut to a file; the cut is the snapshot's from now on.

    state: WORKING, DONE or FAILED. error: why it failed.
    keys_done: of the `cut.keys` that there are.
    """

    __slots__ = (
        "_at_end",
        "_checksum",
        "_cut",
        "_encoder",
        "_held",
        "_in_key",
        "_table",
        "error",
        "file",
        "keys",
        "keys_done",
        "state",
    )

    def __init__(
        self,
        cut: Cut,
        file: DirectFile | ThreadFile,
        aux: list[tuple[bytes, bytes]],
        compress: bool,
        checksum: bool,
    ) -> None:
        self._cut = cut
        self.file = file
        self._checksum = checksum
        self._encoder = Encoder(compress)
        self._encoder.begin_file(file_version(cut.has_idmp, cut.has_nacked), aux)
        for code in cut.libraries:
            self._encoder.function(code)
        self._table = -1
        self._in_key = False
        self._held = False
        self._at_end = False
        self.keys = cut.keys
        self.keys_done = 0
        self.state = _WORKING
        self.error: str | None = None

    def step(self, budget_us: int) -> int:
        """Encode for about so long; returns WORKING, WAITING, DONE or FAILED."""
        if self.state != _WORKING:
            return self.state
        try:
            return self._step(budget_us)
        except Exception as error:
            _log.exception("a snapshot failed unexpectedly")
            self.abort(f"internal error: {error!r}")
            return _FAILED

    def _step(self, budget_us: int) -> int:
        file = self.file
        if file.done:
            return self._end()
        if self._at_end or file.is_full():
            return _WAITING
        encoder, cut = self._encoder, self._cut
        out = encoder.out
        until_us = monotonic_us() + budget_us
        while True:
            if not self._in_key and not self._next_key():
                encoder.end_file(self._checksum)
                file.put(encoder.take())
                file.finish()
                cut.close()
                self._at_end = True
                return self._end() if file.done else _WAITING
            if encoder.step(SLICE_BYTES):
                self._in_key = False
                self.keys_done += 1
            if out.pos >= PIECE_BYTES:
                file.put(encoder.take())
                if file.done:
                    return self._end()
                if file.is_full() and (self._held or not self._in_key):
                    return _WAITING
            # What is not held must be finished before any command runs.
            if (self._held or not self._in_key) and monotonic_us() >= until_us:
                return _WORKING

    def _next_key(self) -> bool:
        """Begin with the next key, if there is one."""
        cut, encoder = self._cut, self._encoder
        if not cut.advance():
            return False
        table, value = cut.table, cut.value
        assert table is not None
        assert value is not None
        if table.index != self._table:
            self._table = table.index
            encoder.select(table.index, table.keys, table.expires)
        self._held = value.free_units() > AT_ONCE_UNITS
        if self._held:
            value = cut.hold()
        encoder.begin(table.key, value, cut.expire_at)
        self._in_key = True
        return True

    def _end(self) -> int:
        """The file is finished, well or not."""
        self._cut.close()
        self.error = self.file.error
        self.state = _DONE if self.error is None else _FAILED
        return self.state

    def run(self) -> bool:
        """All of it, now, with a DirectFile; tells whether it is done."""
        while self.state == _WORKING:
            self.step(_ALL_US)
        return self.state == _DONE

    def abort(self, error: str = "aborted") -> None:
        """Stop and leave no file behind."""
        if self.state == _WORKING:
            self.state = _FAILED
            self.error = error
            self.file.abort()
            self._cut.close()
