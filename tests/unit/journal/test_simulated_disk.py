"""The simulated disk really loses, tears, fails and waits; else other tests prove nothing."""

from __future__ import annotations

import errno
import random
import threading

import pytest

from headwater.journal.lock import DirectoryLock, LockedError
from support.disk import SimulatedDisk


@pytest.fixture
def disk() -> SimulatedDisk:
    return SimulatedDisk("/data")


def outcomes(make: object, path: str = "/data/a", rounds: int = 300) -> set[bytes | None]:
    """The contents that a file has after power failures with different generators."""
    found: set[bytes | None] = set()
    for seed in range(rounds):
        disk = SimulatedDisk("/data")
        make(disk)  # type: ignore[operator]
        disk.crash(random.Random(seed))
        found.add(disk.data(path) if path in disk.paths() else None)
    return found


def test_content_that_was_not_synced_is_lost(disk: SimulatedDisk) -> None:
    file = disk.create("/data/a")
    disk.sync_directory("/data")
    file.write(b"synced")
    file.sync()
    file.write(b"not")
    assert disk.data("/data/a") == b"syncednot"
    assert disk.durable("/data/a") == b"synced"
    disk.crash()
    assert disk.data("/data/a") == b"synced"


def test_a_name_that_was_not_synced_is_lost(disk: SimulatedDisk) -> None:
    file = disk.create("/data/a")
    file.write(b"x")
    file.sync()
    assert disk.durable("/data/a") is None
    disk.crash()
    assert disk.paths() == []


def test_a_rename_and_a_removal_that_were_not_synced_are_undone(disk: SimulatedDisk) -> None:
    disk.put("/data/a", b"1")
    disk.put("/data/b", b"2")
    disk.replace("/data/a", "/data/b")
    disk.put("/data/c", b"3")
    disk.remove("/data/c")
    assert disk.paths() == ["/data/b"]
    disk.crash()
    assert [(path, disk.data(path)) for path in disk.paths()] == [
        ("/data/a", b"1"),
        ("/data/b", b"2"),
        ("/data/c", b"3"),
    ]


def test_a_rename_does_not_sync_the_content(disk: SimulatedDisk) -> None:
    disk.put("/data/a", b"old")
    file = disk.create("/data/new")
    file.write(b"new")
    disk.replace("/data/new", "/data/a")
    disk.sync_directory("/data")
    disk.crash()
    assert disk.data("/data/a") == b""


def test_a_truncation_that_was_not_synced_is_undone(disk: SimulatedDisk) -> None:
    disk.put("/data/a", b"0123456789")
    file = disk.open_append("/data/a")
    file.truncate(4)
    disk.crash()
    assert disk.data("/data/a") == b"0123456789"
    file = disk.open_append("/data/a")
    file.truncate(4)
    file.sync()
    disk.crash()
    assert disk.data("/data/a") == b"0123"


def test_a_new_directory_is_there_with_what_was_synced(disk: SimulatedDisk) -> None:
    disk.make_directory("/data/inside")
    disk.create("/data/inside/a")
    disk.crash()
    assert disk.list("/data") == ["inside"]
    assert disk.list("/data/inside") == []


def test_unsynced_content_is_torn_in_every_way() -> None:
    def make(disk: SimulatedDisk) -> None:
        disk.put("/data/a", b"s" * 700)
        disk.open_append("/data/a").write(b"x" * 1500)

    found = outcomes(make)
    synced, whole = b"s" * 700, b"s" * 700 + b"x" * 1500
    assert synced in found
    assert whole in found
    assert synced + bytes(1500) in found  # a length without content
    assert len({len(data or b"") for data in found}) > 20  # torn at any byte
    first_lost = synced + bytes(324) + b"x" * 1176
    assert first_lost in found  # a later sector there, an earlier one not
    for data in found:
        assert data is not None
        assert data[:700] == synced
        assert set(data[700:]) <= {0, ord("x")}


def test_unsynced_names_are_lost_or_not() -> None:
    def make(disk: SimulatedDisk) -> None:
        disk.put("/data/a", b"old")
        file = disk.create("/data/new")
        file.write(b"new")
        file.sync()
        disk.replace("/data/new", "/data/a")

    assert outcomes(make) == {b"old", b"new"}


def test_the_same_generator_loses_the_same() -> None:
    def left(seed: int) -> bytes:
        disk = SimulatedDisk("/data")
        disk.put("/data/a", b"")
        disk.open_append("/data/a").write(random.Random(1).randbytes(5000))
        disk.crash(random.Random(seed))
        return disk.data("/data/a")

    assert [left(seed) for seed in range(20)] == [left(seed) for seed in range(20)]
    assert len({left(seed) for seed in range(20)}) > 5


def test_a_killed_process_loses_files_and_locks_but_no_content(disk: SimulatedDisk) -> None:
    lock = DirectoryLock(disk, "/data")
    lock.acquire()
    with pytest.raises(LockedError):
        DirectoryLock(disk, "/data").acquire()
    file = disk.create("/data/a")
    file.write(b"x")
    file.reserve(1000)
    reader = disk.open_read("/data/a")
    disk.kill()
    assert disk.data("/data/a") == b"x"
    assert disk.size("/data/a") == 1
    for call in (lambda: file.write(b"y"), file.sync, lambda: reader.read_into(bytearray(1), 0, 1)):
        with pytest.raises(OSError, match="has ended"):
            call()
    DirectoryLock(disk, "/data").acquire()


def test_faults_hit_the_call_they_are_meant_for(disk: SimulatedDisk) -> None:
    a, b = disk.create("/data/a"), disk.create("/data/b")
    disk.fail("write", errno.EIO, after=1, times=2, path="a")
    b.write(b"1")
    a.write(b"1")
    b.write(b"2")
    for _ in range(2):
        with pytest.raises(OSError, match="Input/output"):
            a.write(b"2")
    a.write(b"3")
    assert (disk.data("/data/a"), disk.data("/data/b")) == (b"13", b"12")
    disk.fail("write", OSError(errno.EDQUOT, ""), times=None)
    for _ in range(5):
        with pytest.raises(OSError, match="/data/b"):
            b.write(b"x")
    disk.heal()
    b.write(b"3")
    assert disk.data("/data/b") == b"123"
    assert disk.count("write", "/b") == 8


def test_a_full_disk_and_space_again(disk: SimulatedDisk) -> None:
    disk.put("/data/big", bytes(50))
    file = disk.create("/data/a")
    disk.full_at(60)
    file.write(bytes(8))
    with pytest.raises(OSError, match="No space left"):
        file.write(bytes(3))
    assert disk.used() == 58
    file.write(bytes(2))
    disk.remove("/data/big")
    file.write(bytes(50))
    with pytest.raises(OSError, match="No space left"):
        file.write(bytes(1))
    disk.full_at(None)
    file.write(bytes(1000))


def test_read_only(disk: SimulatedDisk) -> None:
    disk.put("/data/a", b"x")
    disk.read_only = True
    assert disk.read_bytes("/data/a") == b"x"
    for call in (
        lambda: disk.create("/data/b"),
        lambda: disk.open_append("/data/a"),
        lambda: disk.replace("/data/a", "/data/b"),
        lambda: disk.remove("/data/a"),
        lambda: disk.write_atomically("/data/b", b""),
    ):
        with pytest.raises(OSError, match="Read-only"):
            call()
    disk.heal()
    disk.write_atomically("/data/b", b"")


def test_a_paused_sync_promises_only_what_was_written_before(disk: SimulatedDisk) -> None:
    disk.put("/data/a", b"")
    file = disk.open_append("/data/a")
    file.write(b"before")
    disk.pause("sync")
    thread = threading.Thread(target=file.sync)
    thread.start()
    disk.wait_paused("sync")
    file.write(b" meanwhile")
    assert disk.durable("/data/a") == b""
    disk.resume("sync")
    thread.join()
    assert disk.durable("/data/a") == b"before"
    file.sync()
    assert disk.durable("/data/a") == b"before meanwhile"


def test_a_crash_ends_those_who_wait(disk: SimulatedDisk) -> None:
    disk.put("/data/a", b"")
    file = disk.open_append("/data/a")
    file.write(b"x")
    disk.pause("sync")
    errors: list[OSError] = []

    def sync() -> None:
        try:
            file.sync()
        except OSError as error:
            errors.append(error)

    thread = threading.Thread(target=sync)
    thread.start()
    disk.wait_paused("sync")
    disk.crash()
    thread.join()
    assert [error.errno for error in errors] == [errno.EIO]
    assert disk.data("/data/a") == b""
