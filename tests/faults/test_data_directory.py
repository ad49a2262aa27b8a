"""Data directories that a server cannot use: each is a clear error, and nothing in them changes."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import servers
from support.servers import Server, free_port, headwater_command
from support.small_disk import SmallDisk

pytestmark = pytest.mark.skipif(
    os.environ.get("HEADWATER_TEST_SUBJECT", "") == "redis", reason="about Headwater's own files"
)
SECONDS = 30
DISK_BYTES = 8 << 20


def refused(directory: Path, *flags: str) -> str:
    """Start a server that must refuse; return what it prints. The directory must not change."""
    before = contents(directory)
    done = subprocess.run(
        headwater_command(free_port(), directory, flags),
        capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    output = done.stdout + done.stderr
    assert done.returncode in (1, 2), output
    assert "Traceback" not in output, output
    assert contents(directory) == before
    return output


def contents(directory: Path) -> dict[str, bytes]:
    found = {}
    for path in directory.rglob("*"):
        if path.is_file() and path.name not in ("headwater.lock", "server.log"):
            found[str(path.relative_to(directory))] = path.read_bytes()
    return found


@pytest.fixture
def stopped(start: Callable[..., Server]) -> Path:
    """The directory of a server that has stopped, with a journal and a snapshot."""
    server = start("--appendonly", "yes")
    connection = server.connect()
    for number in range(20):
        connection.ok("XADD", "s", f"{number + 1}-1", "f", "v" * 100)
    connection.ok("SAVE")
    server.stop()
    return server.directory


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    try:
        disk = SmallDisk(tmp_path / "disk", DISK_BYTES)
    except OSError as error:
        pytest.skip(f"A READ-ONLY DISK IS NOT TESTED: {error}")
    yield disk
    disk.unmount()


def test_a_missing_directory_is_made(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "below"
    server = servers.start_headwater(tmp_path, "--dir", str(directory))
    try:
        server.connect().ok("SET", "k", "v")
    finally:
        server.stop()
    assert (directory / "appendonlydir").is_dir()


@pytest.mark.parametrize("below", ["", "inside"])
def test_a_file_where_the_directory_should_be(tmp_path: Path, below: str) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    output = refused(tmp_path, "--dir", str(file / below))
    assert str(file) in output
    assert file.read_text() == "mine"


def test_a_file_where_the_journal_s_directory_should_be(tmp_path: Path) -> None:
    (tmp_path / "appendonlydir").write_text("mine")
    assert str(tmp_path / "appendonlydir") in refused(tmp_path)


def test_a_read_only_directory(disk: SmallDisk) -> None:
    disk.make_read_only()
    output = refused(disk.path)
    assert str(disk.path) in output
    assert "Read-only file system" in output


def test_a_read_only_directory_with_data(disk: SmallDisk, tmp_path: Path) -> None:
    server = servers.start_headwater(tmp_path, "--dir", str(disk.path))
    server.connect().ok("SET", "k", "v")
    server.stop()
    disk.make_read_only()
    assert str(disk.path) in refused(disk.path)


def test_no_space_to_begin_with(disk: SmallDisk) -> None:
    disk.take("ballast", leave_bytes=0)
    output = refused(disk.path)
    assert str(disk.path) in output
    assert "No space left on device" in output


def test_no_space_to_go_on_with(disk: SmallDisk, tmp_path: Path) -> None:
    """It cannot note that the journal is in use again, and says where."""
    server = servers.start_headwater(tmp_path, "--dir", str(disk.path))
    server.connect().ok("SET", "k", "v")
    server.kill()
    disk.take("ballast", leave_bytes=0)
    output = refused(disk.path)
    assert re.search(rf"{re.escape(str(disk.path))}/.*No space left on device", output)


def test_a_second_server(start: Callable[..., Server]) -> None:
    first = start()
    connection = first.connect()
    connection.ok("SET", "k", "v")
    output = refused(first.directory)
    assert str(first.pid) in output
    assert "--dir" in output
    assert connection.ok("GET", "k") == b"v"
    connection.ok("SET", "k", "w")


def test_a_killed_server_leaves_no_lock(start: Callable[..., Server]) -> None:
    first = start()
    first.connect().ok("SET", "k", "v")
    first.kill()
    again = servers.start_headwater(first.directory)
    try:
        assert again.connect().ok("GET", "k") == b"v"
    finally:
        again.stop()


def test_a_newer_format(stopped: Path) -> None:
    manifest = stopped / "appendonlydir" / "journal.manifest"
    text = manifest.read_text()
    manifest.write_text(re.sub("manifest 1\n", "manifest 2\n", text, count=1))
    output = refused(stopped)
    assert str(manifest) in output
    assert "version 2" in output


@pytest.mark.parametrize("pattern", ["journal.manifest", "segment.*.hwj"])
def test_damage_in_the_middle(stopped: Path, pattern: str) -> None:
    """It names the file and what to do."""
    [path] = (stopped / "appendonlydir").glob(pattern)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x40
    path.write_bytes(data)
    output = refused(stopped)
    assert str(path) in output
    assert "headwater check" in output


@pytest.mark.parametrize("pattern", ["journal.manifest", "segment.*.hwj"])
def test_a_missing_file(stopped: Path, pattern: str) -> None:
    [path] = (stopped / "appendonlydir").glob(pattern)
    path.unlink()
    assert path.name in refused(stopped)


def test_a_broken_snapshot(stopped: Path) -> None:
    path = stopped / "dump.rdb"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x40
    path.write_bytes(data)
    output = refused(stopped, "--appendonly", "no")
    assert str(path) in output
    assert re.search(r"byte \d+", output)


def test_append_only_files_of_redis(tmp_path: Path) -> None:
    """Headwater does not begin beside them, but tells how to import them."""
    folder = tmp_path / "appendonlydir"
    folder.mkdir()
    manifest = folder / "appendonly.aof.manifest"
    manifest.write_text("file appendonly.aof.1.incr.aof seq 1 type i\n")
    (folder / "appendonly.aof.1.incr.aof").write_bytes(b"")
    output = refused(tmp_path)
    assert str(manifest) in output
    assert f"headwater import {tmp_path} --dir" in output
