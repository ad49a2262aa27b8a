"""One server in a directory; what the second one is told."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from headwater.journal.disk import Disk
from headwater.journal.format import LOCK_NAME, JournalError
from headwater.journal.lock import DirectoryLock, LockedError
from support.disk import SimulatedDisk


def test_the_second_is_told_who_holds_it(tmp_path: Path) -> None:
    disk = Disk()
    first = DirectoryLock(disk, str(tmp_path))
    assert not first.held
    first.acquire()
    first.acquire()
    assert first.held
    with pytest.raises(LockedError) as caught:
        DirectoryLock(disk, str(tmp_path)).acquire()
    assert caught.value.pid == os.getpid()
    assert str(caught.value) == (
        f"{tmp_path}/{LOCK_NAME}: process {os.getpid()} is using the data directory {tmp_path}; "
        "stop it, or give this server a directory of its own with --dir"
    )
    first.release()
    first.release()
    assert not first.held
    with DirectoryLock(disk, str(tmp_path)) as second:
        assert second.held
    assert (tmp_path / LOCK_NAME).exists()


@pytest.mark.parametrize("content", [b"", b"not a number\n", b"9" * 1000, "\u0661".encode()])
def test_a_holder_that_cannot_be_read(content: bytes) -> None:
    disk = SimulatedDisk("/data")
    with DirectoryLock(disk, "/data"):
        file = disk.open_append(f"/data/{LOCK_NAME}")
        file.truncate(0)
        file.write(content)
        with pytest.raises(LockedError, match="another process is using") as caught:
            DirectoryLock(disk, "/data").acquire()
        assert caught.value.pid is None


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (errno.EACCES, "make it writable"),
        (errno.EROFS, "make it writable"),
        (errno.ENOENT, "make the directory first"),
        (errno.ENOSPC, "make space on the disk"),
        (errno.ENOLCK, "no file locks"),
        (errno.EIO, "choose another with --dir"),
    ],
)
def test_a_directory_that_cannot_be_locked(code: int, advice: str) -> None:
    disk = SimulatedDisk("/data")
    disk.fail("lock", code)
    lock = DirectoryLock(disk, "/data")
    with pytest.raises(JournalError, match=advice) as caught:
        lock.acquire()
    assert not isinstance(caught.value, LockedError)
    assert "/data" in str(caught.value)
    assert os.strerror(code) in str(caught.value)
    assert not lock.held
    lock.acquire()


def test_a_missing_directory(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="make the directory first"):
        DirectoryLock(Disk(), str(tmp_path / "missing")).acquire()
