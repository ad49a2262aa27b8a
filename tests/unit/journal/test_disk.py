"""What every disk promises: the real one, and the simulated one that other tests rely on."""

from __future__ import annotations

import errno
import os
import random
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from headwater.journal import disk as disk_module
from headwater.journal.disk import NEW_SUFFIX, AppendFile, Disk, UncertainError
from support.disk import SimulatedDisk

World = tuple[Disk, str]


@pytest.fixture(params=["real", "simulated"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    """A disk, and a directory on it."""
    if request.param == "real":
        return Disk(), str(tmp_path)
    return SimulatedDisk("/data"), "/data"


def test_files(world: World) -> None:
    disk, directory = world
    path = f"{directory}/a"
    assert not disk.exists(path)
    file = disk.create(path)
    assert (file.path, file.size) == (path, 0)
    file.write(b"hello ")
    file.write(bytearray(b"wor"))
    with memoryview(b"xxldxx") as view:
        file.write(view[2:4])
    file.write(b"")
    assert file.size == disk.size(path) == 11
    file.sync()
    assert disk.read_bytes(path) == b"hello world"
    with pytest.raises(FileExistsError) as caught:
        disk.create(path)
    assert caught.value.filename == path
    file.truncate(5)
    file.write(b"!")
    file.close()
    file.close()
    assert disk.read_bytes(path) == b"hello!"
    file = disk.open_append(path)
    assert file.size == 6
    file.write(b"?")
    file.close()
    assert disk.read_bytes(path) == b"hello!?"
    disk.replace(path, f"{directory}/b")
    assert disk.list(directory) == ["b"]
    disk.create(f"{directory}/a").close()
    disk.replace(f"{directory}/b", path)
    assert disk.list(directory) == ["a"]
    assert disk.exists(path)
    disk.sync_directory(directory)
    disk.remove(path)
    assert disk.list(directory) == []


def test_what_is_missing(world: World) -> None:
    disk, directory = world
    path = f"{directory}/missing"
    calls: list[Callable[[], object]] = [
        lambda: disk.open_append(path),
        lambda: disk.open_read(path),
        lambda: disk.read_bytes(path),
        lambda: disk.size(path),
        lambda: disk.remove(path),
        lambda: disk.replace(path, f"{directory}/b"),
        lambda: disk.list(path),
        lambda: disk.sync_directory(path),
    ]
    for call in calls:
        with pytest.raises(FileNotFoundError):
            call()
    for call in (
        lambda: disk.create(f"{path}/a"),
        lambda: disk.lock(f"{path}/a", b""),
        lambda: disk.write_atomically(f"{path}/a", b""),
        lambda: disk.make_directory(f"{path}/a"),
    ):
        with pytest.raises(FileNotFoundError):
            call()
    assert not disk.exists(f"{path}/a")


def test_reading(world: World) -> None:
    disk, directory = world
    path = f"{directory}/a"
    disk.write_atomically(path, bytes(range(100)))
    file = disk.open_read(path)
    buf = bytearray(b"." * 60)
    assert (file.path, file.size) == (path, 100)
    assert file.read_into(buf, 10, 40) == 40
    assert buf == b"." * 10 + bytes(range(40)) + b"." * 10
    assert file.read_into(buf, 0, 60) == 60
    assert buf == bytes(range(40, 100))
    assert file.read_into(buf, 0, 60) == 0
    file.seek(98)
    assert file.read_into(buf, 0, 60) == 2
    assert buf[:2] == b"\x62\x63"
    file.close()
    file.close()
    buf.append(1)  # nothing holds it


def test_directories(world: World) -> None:
    disk, directory = world
    path = f"{directory}/inside"
    disk.make_directory(path)
    disk.make_directory(path)
    disk.create(f"{path}/a").close()
    assert disk.list(directory) == ["inside"]
    assert disk.list(path) == ["a"]
    with pytest.raises(FileExistsError):
        disk.make_directory(f"{path}/a")


def test_write_atomically(world: World) -> None:
    disk, directory = world
    path = f"{directory}/a"
    disk.write_atomically(path, b"old")
    disk.create(path + NEW_SUFFIX).close()  # left by a process that died
    disk.write_atomically(path, b"new")
    assert disk.read_bytes(path) == b"new"
    assert disk.list(directory) == ["a"]


def test_reserve_keeps_the_size(world: World) -> None:
    disk, directory = world
    path = f"{directory}/a"
    file = disk.create(path)
    file.write(b"abc")
    room = file.reserve(1 << 20)
    assert room in (0, 1 << 20)
    assert file.size == disk.size(path) == 3
    file.write(b"def")
    assert file.reserve(100) in (0, room - 3)
    assert disk.size(path) == 6
    file.close()
    assert disk.size(path) == 6
    assert disk.read_bytes(path) == b"abcdef"


def test_a_closed_file_takes_nothing(world: World) -> None:
    disk, directory = world
    file = disk.create(f"{directory}/a")
    file.close()
    for call in (lambda: file.write(b"x"), file.sync, lambda: file.truncate(0)):
        with pytest.raises(OSError, match="it is closed") as caught:
            call()
        assert caught.value.filename == file.path


def test_locks(world: World) -> None:
    disk, directory = world
    path = f"{directory}/lock"
    first = disk.lock(path, b"first\n")
    with pytest.raises(BlockingIOError) as caught:
        disk.lock(path, b"second")
    assert caught.value.filename == path
    assert disk.read_bytes(path) == b"first\n"
    first.release()
    second = disk.lock(path, b"2")
    first.release()
    with pytest.raises(BlockingIOError):
        disk.lock(path, b"third")
    assert disk.read_bytes(path) == b"2"
    second.release()
    assert disk.exists(path)


# --- the real one alone ---


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    program = (
        "import sys; from headwater.journal.disk import Disk; lock = Disk().lock(sys.argv[1], b'x')"
        "; print('held', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(BlockingIOError):
            Disk().lock(path, b"y")
    finally:
        child.kill()
        child.communicate()
    Disk().lock(path, b"y").release()


@pytest.mark.skipif(sys.platform != "linux", reason="fallocate is Linux's")
def test_reserved_room_is_given_back(tmp_path: Path) -> None:
    path = str(tmp_path / "a")
    file = Disk().create(path)
    file.write(b"abc")
    if file.reserve(1 << 20) == 0:
        pytest.skip("this file system reserves nothing")
    assert os.stat(path).st_blocks * 512 >= 1 << 20
    file.close()
    assert os.stat(path).st_blocks * 512 < 1 << 20
    file = Disk().open_append(path)
    file.reserve(1 << 20)
    file.truncate(1)
    assert os.stat(path).st_blocks * 512 < 1 << 20
    file.write(b"xy")
    file.close()
    assert Disk().read_bytes(path) == b"axy"


def test_a_real_write_that_stops_in_the_middle(tmp_path: Path) -> None:
    # The process may write no file beyond 100 KB: one call takes a part, the next one fails.
    file = Disk().create(str(tmp_path / "a"))
    file.write(b"before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OSError, match="a") as caught:
            file.write(bytes(300_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG
    assert caught.value.filename == file.path
    assert (file.size, Disk().size(file.path)) == (6, 6)
    file.write(b" after")
    file.close()
    assert Disk().read_bytes(file.path) == b"before after"


def test_where_nothing_can_be_reserved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_module, "_allocate", None)
    file = Disk().create(str(tmp_path / "a"))
    assert file.reserve(1000) == 0
    file.write(b"x")
    file.close()


def test_directories_and_devices_are_no_files(tmp_path: Path) -> None:
    disk = Disk()
    with pytest.raises(IsADirectoryError) as caught:
        disk.open_append(str(tmp_path))
    assert caught.value.filename == str(tmp_path)
    if os.path.exists("/dev/full"):
        file = disk.open_append("/dev/full")
        with pytest.raises(OSError, match="No space left") as full:
            file.write(b"x" * 10)
        assert full.value.filename == "/dev/full"
        assert file.size == 0


# --- writes and syncs that fail; the logic is the same for both kinds of files ---


@pytest.fixture
def disk() -> SimulatedDisk:
    return SimulatedDisk("/data")


@pytest.fixture
def file(disk: SimulatedDisk) -> AppendFile:
    file = disk.create("/data/a")
    file.write(b"before")
    return file


def test_short_writes_are_continued(disk: SimulatedDisk, file: AppendFile) -> None:
    disk.short_writes = 3
    file.write(bytes(range(100)))
    assert disk.data("/data/a") == b"before" + bytes(range(100))
    assert disk.count("write") == 1 + 34


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("after", [0, 1, 5])
def test_a_failed_write_leaves_nothing(
    disk: SimulatedDisk, file: AppendFile, code: int, after: int
) -> None:
    disk.short_writes = 4
    disk.fail("write", code, after=after)
    with pytest.raises(OSError, match="a") as caught:
        file.write(b"x" * 100)
    assert caught.value.errno == code
    assert caught.value.filename == "/data/a"
    assert disk.data("/data/a") == b"before"
    assert (file.size, file.broken) == (6, None)
    file.write(b" after")
    assert disk.data("/data/a") == b"before after"


def test_a_failed_write_that_cannot_be_taken_back(disk: SimulatedDisk, file: AppendFile) -> None:
    disk.full_at(10)
    disk.fail("truncate", errno.EIO)
    with pytest.raises(OSError, match="No space left"):
        file.write(b"x" * 100)
    assert disk.data("/data/a") == b"beforexxxx"
    assert file.broken is not None
    disk.full_at(None)
    for call in (lambda: file.write(b"y"), file.sync, lambda: file.reserve(1)):
        with pytest.raises(OSError, match="could not be taken back") as caught:
            call()
        assert caught.value.errno == errno.EIO
    file.close()
    assert disk.data("/data/a") == b"beforexxxx"


def test_a_file_system_that_has_become_read_only(disk: SimulatedDisk, file: AppendFile) -> None:
    file.reserve(1000)
    disk.read_only = True
    for _ in range(2):
        with pytest.raises(OSError, match="Read-only"):
            file.write(b"x" * 10)
    assert file.broken is None  # there was nothing to take back
    disk.heal()
    file.write(b" after")
    assert disk.data("/data/a") == b"before after"


def test_after_a_failed_sync(disk: SimulatedDisk, file: AppendFile) -> None:
    disk.fail("sync", errno.EIO)
    with pytest.raises(OSError, match="Input/output") as caught:
        file.sync()
    assert caught.value.filename == "/data/a"
    with pytest.raises(OSError, match="an earlier sync failed"):
        file.sync()
    with pytest.raises(OSError, match="an earlier sync failed"):
        file.write(b"x")


def test_no_room_to_reserve(disk: SimulatedDisk, file: AppendFile) -> None:
    disk.full_at(1000)
    assert file.reserve(500) == 500
    with pytest.raises(OSError, match="No space left") as caught:
        file.reserve(2000)
    assert caught.value.filename == "/data/a"
    other = disk.create("/data/b")
    with pytest.raises(OSError, match="No space left"):
        other.write(b"x" * 600)  # the room is taken
    file.write(b"y" * 500)
    assert file.reserve(400) == 400
    assert disk.used() == 906
    file.close()
    assert disk.used() == 506


@pytest.mark.parametrize("operation", ["create", "write", "sync", "replace"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_an_atomic_write_that_fails(disk: SimulatedDisk, operation: str, code: int) -> None:
    disk.write_atomically("/data/a", b"old")
    disk.fail(operation, code)
    with pytest.raises(OSError, match="/data/a") as caught:
        disk.write_atomically("/data/a", b"new")
    assert not isinstance(caught.value, UncertainError)
    assert disk.paths() == ["/data/a"]
    disk.crash()
    assert disk.data("/data/a") == b"old"


def test_an_atomic_write_whose_directory_cannot_be_synced(disk: SimulatedDisk) -> None:
    disk.write_atomically("/data/a", b"old")
    disk.fail("sync_directory", errno.EIO)
    with pytest.raises(UncertainError, match="/data/a") as caught:
        disk.write_atomically("/data/a", b"new")
    assert caught.value.errno == errno.EIO
    assert disk.data("/data/a") == b"new"
    disk.crash()
    assert disk.data("/data/a") == b"old"


@pytest.mark.parametrize("seed", range(30))
def test_an_atomic_write_is_old_or_new_after_a_crash(disk: SimulatedDisk, seed: int) -> None:
    rng = random.Random(seed)
    disk.write_atomically("/data/a", b"old")
    operation = rng.choice(["create", "write", "sync", "replace", "sync_directory"])
    disk.fail(operation, errno.EIO)
    disk.fail("remove", errno.EIO)  # nothing is tidied up either
    with pytest.raises(OSError, match="/data"):
        disk.write_atomically("/data/a", b"new" * 1000)
    disk.crash(rng)
    assert disk.data("/data/a") in (b"old", b"new" * 1000)
    disk.heal()
    disk.write_atomically("/data/a", b"newer")
    disk.crash()
    assert disk.data("/data/a") == b"newer"
