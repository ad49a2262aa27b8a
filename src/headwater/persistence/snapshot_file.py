"""The file of a snapshot while it is made: a temporary one, that takes its name when it is whole.

Either `DirectFile` writes at once, and everything waits for it, or `ThreadFile` has a thread
that does, and the loop never waits. Errors are not raised but kept (`error`), because they happen
where nobody could catch them; whatever happens, no half of a file gets the name, and the
temporary one is removed.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import threading

from headwater.journal.disk import AppendFile, Disk

QUEUE_BYTES = 4 * 1024 * 1024
"""What may wait for the disk, beside the piece that is being written."""

SYNC_BYTES = 32 * 1024 * 1024
"""Written bytes are synced at least so often, so that the disk is not flooded in the end."""

_numbers = itertools.count(1)


class _File:
    """The temporary file and its way to its name. Every method raises OSError."""

    def __init__(self, disk: Disk, path: str) -> None:
        self._disk = disk
        self._directory = os.path.dirname(path) or "."
        self._path = path
        self._temporary = f"{self._directory}/temp-{os.getpid()}-{next(_numbers)}.rdb"
        self._file: AppendFile | None = None
        self._unsynced = 0

    def write(self, piece: bytes) -> None:
        file = self._file
        if file is None:
            with contextlib.suppress(FileNotFoundError):
                self._disk.remove(self._temporary)  # of a process of the same number
            file = self._file = self._disk.create(self._temporary)
        file.write(piece)
        self._unsynced += len(piece)
        if self._unsynced >= SYNC_BYTES:
            file.sync()
            self._unsynced = 0

    def sync(self) -> None:
        """Have all of it on disk, under its temporary name."""
        assert self._file is not None
        self._file.sync()
        self._file.close()

    def rename(self) -> None:
        self._disk.replace(self._temporary, self._path)
        self._file = None
        self._disk.sync_directory(self._directory)

    def discard(self) -> None:
        """Remove what there is; no error is worth telling."""
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()
            with contextlib.suppress(OSError):
                self._disk.remove(self._temporary)


class DirectFile:
    """Writes while everything waits (SAVE, SHUTDOWN).

    written: bytes. done: nothing more will happen. error: why it failed, or None.
    """

    def __init__(self, disk: Disk, path: str) -> None:
        self._file = _File(disk, path)
        self.written = 0
        self.done = False
        self.error: str | None = None

    def is_full(self) -> bool:
        """Whether nothing should be put at the moment."""
        return False

    def put(self, piece: bytes) -> None:
        """Write the next bytes of the file."""
        if self.done:
            return
        try:
            self._file.write(piece)
            self.written += len(piece)
        except OSError as error:
            self._fail(error)

    def finish(self) -> None:
        """All bytes are put: give the file its name."""
        if self.done:
            return
        try:
            self._file.sync()
            self._file.rename()
        except OSError as error:
            self._fail(error)
        self.done = True

    def _fail(self, error: OSError) -> None:
        self.error = reason(error)
        self._file.discard()
        self.done = True

    def abort(self) -> None:
        """Leave no file behind."""
        if not self.done:
            self._file.discard()
            self.done = True

    def join(self) -> None:
        """Return when nothing more is done to the file."""


class ThreadFile:
    """Writes in a thread; see DirectFile. No method waits, but `join`.

    `before`: the file of an earlier snapshot. This one takes its name only when nothing is done to
    that one any more, so that what was aborted cannot come out last.
    """

    def __init__(self, disk: Disk, path: str, before: ThreadFile | None = None) -> None:
        self._file = _File(disk, path)
        self._before = before
        self._pieces: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._put = 0  # bytes; only the loop changes it, and only the thread `written`
        self._aborted = False
        self.written = 0
        self.done = False
        self.error: str | None = None
        self._thread = threading.Thread(target=self._run, name="headwater-snapshot", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # the system has no more threads for us
            self.error = str(error)
            self.done = True

    def is_full(self) -> bool:
        """Whether nothing should be put at the moment."""
        return self.waiting >= QUEUE_BYTES

    @property
    def waiting(self) -> int:
        """Bytes that wait for the disk."""
        return self._put - self.written

    def put(self, piece: bytes) -> None:
        """Have the next bytes of the file written."""
        self._put += len(piece)
        self._pieces.put(piece)

    def finish(self) -> None:
        """All bytes are put: have the file given its name; `done` tells when that is over."""
        self._pieces.put(None)

    def abort(self) -> None:
        """Have nothing left behind. If it is too late, the file may have its name already."""
        self._aborted = True
        self._pieces.put(None)

    def join(self) -> None:
        """Return when nothing more is done to the file."""
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            self._write()
        except OSError as error:
            self._file.discard()
            self.error = reason(error)
        except BaseException as error:
            self._file.discard()
            self.error = repr(error)
            raise
        finally:
            self._before = None
            self.done = True

    def _write(self) -> None:
        while (piece := self._pieces.get()) is not None and not self._aborted:
            self._file.write(piece)
            self.written += len(piece)
        if not self._aborted:
            self._file.sync()
            if self._before is not None:
                self._before.join()
        if self._aborted:
            self._file.discard()
        else:
            self._file.rename()


def reason(error: OSError) -> str:
    """What went wrong, with the name of the file if it is known."""
    text = error.strerror or str(error)
    return f"{error.filename}: {text}" if error.filename else text
