"""One server at a time in a data directory.

The lock is the kernel's (flock), so it ends with the process, however that ends. The file is
never removed: between its removal and a new one two servers could each hold one.
"""

from __future__ import annotations

import errno
import os

from headwater.journal.disk import Disk, Lock
from headwater.journal.format import LOCK_NAME, JournalError

PID_BYTES = 64
"""Of the lock file's content no more is looked at."""


class LockedError(JournalError):
    """Another process uses the directory; `pid` is its number, if it could be read."""

    def __init__(self, path: str, text: str, pid: int | None) -> None:
        super().__init__(path, text)
        self.pid = pid


class DirectoryLock:
    """Holds a data directory from `acquire` to `release`."""

    __slots__ = ("_disk", "_lock", "directory", "path")

    def __init__(self, disk: Disk, directory: str) -> None:
        self.directory = directory
        self.path = f"{directory}/{LOCK_NAME}"
        self._disk = disk
        self._lock: Lock | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._lock is not None

    def acquire(self) -> None:
        """Take the lock; nothing if it is held by this object already.

        Raises LockedError if another process has it, JournalError if the file system lets
        nobody lock (or write) there.
        """
        if self._lock is not None:
            return
        try:
            self._lock = self._disk.lock(self.path, f"{os.getpid()}\n".encode())
        except BlockingIOError:
            pid = self._holder()
            who = "another process" if pid is None else f"process {pid}"
            raise LockedError(
                self.path,
                f"{who} is using the data directory {self.directory}; stop it, or give this "
                "server a directory of its own with --dir",
                pid,
            ) from None
        except OSError as error:
            raise JournalError(
                self.path,
                f"the data directory {self.directory} cannot be locked: {error.strerror}; "
                f"{_advice(error.errno)}",
            ) from error

    def release(self) -> None:
        """Give the directory back; nothing if it is not held."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()

    def __enter__(self) -> DirectoryLock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _holder(self) -> int | None:
        """The number that the holder wrote into the file, if it is one."""
        try:
            if self._disk.size(self.path) > PID_BYTES:
                return None
            text = self._disk.read_bytes(self.path).strip()
        except OSError:
            return None
        return int(text) if text.isdigit() else None


def _advice(code: int | None) -> str:
    if code in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "make it writable for the user who runs the server, or choose another with --dir"
    if code in (errno.ENOENT, errno.ENOTDIR):
        return "make the directory first, or choose another with --dir"
    if code in (errno.ENOSPC, errno.EDQUOT):
        return "make space on the disk"
    if code in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
        return "its file system has no file locks; choose a directory on a local disk"
    return "choose another with --dir"
