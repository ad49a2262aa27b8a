"""What of files differs between operating systems: one function each, the same everywhere.

Linux and macOS have all of it in the kernel. Windows has no positioned reads and writes, no
directories to sync and locks of its own; what stands in for them here keeps the promises that
disk.py makes. Nothing else in the package asks which system it runs on to use a file.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from typing import Any

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]
try:
    import msvcrt
except ImportError:
    msvcrt = None  # type: ignore[assignment]

OPEN_FLAGS: int = (
    getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOINHERIT", 0) | getattr(os, "O_BINARY", 0)
)
"""For every os.open: children do not inherit the file, and bytes are bytes."""

_DIRECTORY: int = getattr(os, "O_DIRECTORY", 0)
_LOCKED_BYTE = 1 << 30
"""What Windows locks: it keeps others from reading what is locked, and they read the start."""
_TAKEN = (errno.EACCES, errno.EAGAIN, getattr(errno, "EDEADLOCK", errno.EDEADLK))


def _write_at(descriptor: int, view: memoryview, offset: int) -> int:
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.write(descriptor, view)


def _read_into(descriptor: int, view: memoryview) -> int:
    data = os.read(descriptor, len(view))
    view[: len(data)] = data
    return len(data)


def _readv_into(descriptor: int, view: memoryview) -> int:
    return os.readv(descriptor, [view])


write_at: Callable[[int, memoryview, int], int] = getattr(os, "pwrite", _write_at)
"""Write some of a view at an offset; returns how many bytes. One thread at a time."""

read_into: Callable[[int, memoryview], int] = _readv_into if hasattr(os, "readv") else _read_into
"""Fill some of a view from where the file stands; returns how many bytes, 0 at the end."""


def sync_data(descriptor: int) -> None:
    """Return when what was written is on disk, and as much of the file's state as that needs."""
    full: int | None = getattr(fcntl, "F_FULLFSYNC", None)
    if sys.platform == "darwin" and full is not None:  # fsync leaves data in the drive's own cache
        fcntl.fcntl(descriptor, full)
    elif hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)


def sync_directory(path: str) -> None:
    """Return when the names in a directory are on disk; where they always are, at once.

    Raises OSError, also if there is no such directory.
    """
    if not _DIRECTORY:
        os.stat(path)  # NTFS keeps names in its own journal, and opens no directory
        return
    descriptor = os.open(path, os.O_RDONLY | _DIRECTORY | OPEN_FLAGS)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that needs (or has) no such call
            raise
    finally:
        os.close(descriptor)


def lock(descriptor: int) -> None:
    """Lock an open file until it is closed, however that comes about.

    Raises BlockingIOError if somebody holds it.
    """
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    else:
        _lock_byte(descriptor, "LK_NBLCK")


def is_locked(descriptor: int) -> bool:
    """Whether somebody holds the lock of a file; it is not kept from them meanwhile.

    Raises OSError if the file system cannot tell.
    """
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        else:
            _lock_byte(descriptor, "LK_NBLCK")
            _lock_byte(descriptor, "LK_UNLCK")
    except BlockingIOError:
        return True
    return False


def _lock_byte(descriptor: int, how: str) -> None:
    if msvcrt is None:
        raise OSError(errno.ENOLCK, "this system has no file locks")
    there: Any = msvcrt
    os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
    try:
        there.locking(descriptor, getattr(there, how), 1)
    except OSError as error:
        if error.errno in _TAKEN:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from None
        raise
    finally:
        os.lseek(descriptor, 0, os.SEEK_SET)


def find_allocate() -> Callable[[int, int, int], bool] | None:
    """Linux's fallocate, that keeps a file's size if told to; os.posix_fallocate never does.

    `allocate(descriptor, offset, count)` tells whether the file system could do it, and raises
    OSError if there is no such room. None: this system has no such call.
    """
    if sys.platform != "linux":
        return None
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    call = getattr(library, "fallocate64", None) or getattr(library, "fallocate", None)
    if call is None:
        return None
    call.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    call.restype = ctypes.c_int
    keep_size = 1

    def allocate(descriptor: int, offset: int, count: int) -> bool:
        while call(descriptor, keep_size, offset, count) != 0:
            code = ctypes.get_errno()
            if code in (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
                return False
            if code != errno.EINTR:
                raise OSError(code, os.strerror(code))
        return True

    return allocate
