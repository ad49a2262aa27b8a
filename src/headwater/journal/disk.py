"""Every file operation of persistence: real files here, simulated ones in tests.

`Disk` is handed to whatever touches the data directory, so that a test can lose what was not
synced and let calls fail. All calls block and raise OSError with `filename` set.

Guarantees:
- a write either stands in the file whole, or the file ends where it ended before;
- after a failed sync, or a failed write that could not be taken back, a file refuses further
  writes and syncs: what the kernel did with its pages is not known any more.
"""

from __future__ import annotations

import abc
import contextlib
import errno
import os

from headwater.journal import system

MODE = 0o644
"""Permissions of new files, before the umask."""

NEW_SUFFIX = ".new"
"""What `write_atomically` appends to the name while the file is not complete."""

CALL_BYTES = 1 << 30
"""Bytes given to one call; Linux takes at most 2 GB."""


class UncertainError(OSError):
    """A file was replaced, but its directory could not be synced: the new one is there, and a
    power failure may bring the old one back."""


def failure(code: int, path: str, text: str = "") -> OSError:
    """Return an OSError (of the subclass that fits the code) about a file."""
    return OSError(code, text or os.strerror(code), path)


def named(error: OSError, path: str) -> OSError:
    """Return the error with the file's name in it; calls on a descriptor do not know it."""
    if error.filename is None:
        error.filename = path
    return error


class AppendFile(abc.ABC):
    """A file that grows at its end. One thread at a time writes, reserves, truncates and closes;
    another may sync meanwhile.

    path: for messages
    size: bytes in the file
    broken: why it takes nothing any more, or None
    """

    __slots__ = ("_reserved", "_reserves", "broken", "path", "size")

    def __init__(self, path: str, size: int) -> None:
        self.path = path
        self.size = size
        self.broken: str | None = None
        self._reserved = size
        self._reserves = False  # whether there may be room behind the end to give back

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append all of `data`.

        On an error (disk full, quota, I/O) what was written of it is cut off again and the
        error raised. If that fails too, the file is broken.
        """
        self._check()
        view = memoryview(data)
        done = 0
        try:
            while done < len(view):
                n = self._write_at(view[done : done + CALL_BYTES], self.size + done)
                if n <= 0:
                    raise failure(errno.EIO, self.path, "the write took nothing")
                done += n
        except OSError as error:
            self._take_back()
            raise named(error, self.path) from None
        finally:
            view.release()
        self.size += done

    def sync(self) -> None:
        """Return when everything written before the call is on disk (fdatasync).

        After an error the file is broken: the kernel may have dropped the pages it could not
        write, and a second sync would report success.
        """
        self._check()
        try:
            self._sync()
        except OSError as error:
            self.broken = f"an earlier sync failed: {error.strerror}"
            raise named(error, self.path) from None

    def reserve(self, count: int) -> int:
        """Ask for room for `count` bytes behind the end, without making the file longer.

        Returns for how many bytes there is room now: 0 where the file system cannot tell.
        Raises OSError (ENOSPC, EDQUOT) if there is no such room.
        """
        self._check()
        if self._reserved - self.size < count:
            self._reserves = True
            try:
                if not self._allocate(self.size, count):
                    return 0
            except OSError as error:
                raise named(error, self.path) from None
            self._reserved = self.size + count
        return self._reserved - self.size

    def truncate(self, size: int) -> None:
        """Cut the file to `size` bytes; what was reserved behind is given back. Not synced."""
        self._check()
        try:
            self._truncate(size)
        except OSError as error:
            raise named(error, self.path) from None
        self.size = self._reserved = size
        self._reserves = False

    def close(self) -> None:
        """Give back what was reserved and close. Does not sync. A second call does nothing."""
        if self._reserves and self.broken is None:
            with contextlib.suppress(OSError):
                self._truncate(self.size)
        self._reserved = self.size
        self.broken = self.broken or "it is closed"
        try:
            self._close()
        except OSError as error:
            raise named(error, self.path) from None

    def _check(self) -> None:
        if self.broken is not None:
            raise failure(errno.EIO, self.path, f"the file takes nothing any more: {self.broken}")

    def _take_back(self) -> None:
        """Cut off what a failed write may have left."""
        try:
            self._truncate(self.size)
        except OSError as error:
            # A file system that has become read-only refuses this too, with nothing to take back.
            with contextlib.suppress(OSError):
                if self._length() == self.size:
                    return
            self.broken = f"a write failed and could not be taken back: {error.strerror}"
            return
        self._reserved = self.size
        self._reserves = False

    @abc.abstractmethod
    def _write_at(self, view: memoryview, offset: int) -> int:
        """Write some of `view` at `offset`; return how many bytes."""

    @abc.abstractmethod
    def _sync(self) -> None: ...

    @abc.abstractmethod
    def _allocate(self, offset: int, count: int) -> bool:
        """Reserve; False if that is not possible here."""

    @abc.abstractmethod
    def _truncate(self, size: int) -> None: ...

    @abc.abstractmethod
    def _length(self) -> int:
        """Bytes in the file now."""

    @abc.abstractmethod
    def _close(self) -> None: ...


class ReadFile(abc.ABC):
    """A file that is read from front to back, or from where `seek` says.

    size: bytes in the file when it was opened
    """

    __slots__ = ("path", "size")

    def __init__(self, path: str, size: int) -> None:
        self.path = path
        self.size = size

    @abc.abstractmethod
    def read_into(self, buf: bytearray, pos: int, n: int) -> int:
        """Read up to `n` bytes into `buf` at `pos`; fewer only at the file's end."""

    @abc.abstractmethod
    def seek(self, offset: int) -> None:
        """Go on reading at `offset`."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close. A second call does nothing."""


class Lock(abc.ABC):
    """A lock on a file, held until `release` or until the process ends, however it does."""

    __slots__ = ()

    @abc.abstractmethod
    def release(self) -> None:
        """Give the lock back. The file stays. A second call does nothing."""


class Disk:
    """The file system. Paths are strings."""

    __slots__ = ()

    def create(self, path: str) -> AppendFile:
        """Make a new, empty file; FileExistsError if there is one."""
        return _OsAppendFile(path, os.O_CREAT | os.O_EXCL)

    def open_append(self, path: str) -> AppendFile:
        """Open an existing file, to write at its end."""
        return _OsAppendFile(path, 0)

    def open_read(self, path: str) -> ReadFile:
        """Open an existing file for reading."""
        return _OsReadFile(path)

    def replace(self, source: str, target: str) -> None:
        """Rename, over whatever `target` was; in one step, also for who looks after a crash."""
        os.replace(source, target)

    def remove(self, path: str) -> None:
        """Remove a file; FileNotFoundError if there is none."""
        os.unlink(path)

    def exists(self, path: str) -> bool:
        """Tell whether there is a file or a directory; an error to look it up is raised."""
        try:
            os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def size(self, path: str) -> int:
        """Bytes in a file."""
        return os.stat(path).st_size

    def list(self, directory: str) -> list[str]:
        """Sorted names of what is in a directory."""
        return sorted(os.listdir(directory))

    def make_directory(self, path: str) -> None:
        """Make a directory (its parent exists) and sync the parent; nothing if it is there."""
        try:
            os.mkdir(path)
        except FileExistsError:
            if not os.path.isdir(path):
                raise
            return
        self.sync_directory(os.path.dirname(path) or ".")

    def sync_directory(self, path: str) -> None:
        """Return when the names in a directory, as they are now, are on disk."""
        try:
            system.sync_directory(path)
        except OSError as error:
            raise named(error, path) from None

    def read_bytes(self, path: str) -> bytes:
        """All of a (small) file."""
        file = self.open_read(path)
        try:
            buf = bytearray(file.size)
            return bytes(memoryview(buf)[: file.read_into(buf, 0, file.size)])
        finally:
            file.close()

    def write_atomically(self, path: str, data: bytes) -> None:
        """Put `data` into the file `path`: after a crash at any moment it is the old or the new.

        When this returns, the new one is on disk. On OSError the old one is there and the
        temporary file is removed; except for UncertainError, which comes behind the rename.
        """
        new = path + NEW_SUFFIX
        with contextlib.suppress(FileNotFoundError):
            self.remove(new)  # of a process that died here
        file = self.create(new)
        try:
            try:
                file.write(data)
                file.sync()
            finally:
                file.close()
            self.replace(new, path)
        except OSError:
            with contextlib.suppress(OSError):
                self.remove(new)
            raise
        try:
            self.sync_directory(os.path.dirname(path) or ".")
        except OSError as error:
            raise UncertainError(error.errno, error.strerror, path) from error

    def lock(self, path: str, content: bytes) -> Lock:
        """Lock a file, made if it is missing, and put `content` into it.

        Raises BlockingIOError if another process (or another lock of this one) holds it.
        """
        return _OsLock(path, content)


class _OsAppendFile(AppendFile):
    __slots__ = ("_descriptor",)

    def __init__(self, path: str, flags: int) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | system.OPEN_FLAGS | flags, MODE)
        super().__init__(path, os.fstat(self._descriptor).st_size)

    def _write_at(self, view: memoryview, offset: int) -> int:
        return system.write_at(self._descriptor, view, offset)

    def _sync(self) -> None:
        system.sync_data(self._descriptor)

    def _allocate(self, offset: int, count: int) -> bool:
        return _allocate is not None and _allocate(self._descriptor, offset, count)

    def _truncate(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)

    def _length(self) -> int:
        return os.fstat(self._descriptor).st_size

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class _OsReadFile(ReadFile):
    __slots__ = ("_descriptor",)

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | system.OPEN_FLAGS)
        super().__init__(path, os.fstat(self._descriptor).st_size)

    def read_into(self, buf: bytearray, pos: int, n: int) -> int:
        done = 0
        with memoryview(buf) as view:
            while done < n:
                part = view[pos + done : pos + min(n, done + CALL_BYTES)]
                try:
                    got = system.read_into(self._descriptor, part)
                except OSError as error:
                    raise named(error, self.path) from None
                finally:
                    part.release()
                if got == 0:
                    break
                done += got
        return done

    def seek(self, offset: int) -> None:
        try:
            os.lseek(self._descriptor, offset, os.SEEK_SET)
        except OSError as error:
            raise named(error, self.path) from None

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class _OsLock(Lock):
    __slots__ = ("_descriptor",)

    def __init__(self, path: str, content: bytes) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | system.OPEN_FLAGS, MODE)
        try:
            system.lock(descriptor)
        except OSError as error:
            os.close(descriptor)
            raise named(error, path) from None
        with contextlib.suppress(OSError):  # on a full disk it is a lock all the same
            os.ftruncate(descriptor, 0)
            os.write(descriptor, content)
        self._descriptor = descriptor

    def release(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


_allocate = system.find_allocate()
