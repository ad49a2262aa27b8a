"""Files that a crash, a disk or a person has damaged: what the real program says and does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import servers
from support.servers import Server, free_port, headwater_command

pytestmark = pytest.mark.skipif(
    os.environ.get("HEADWATER_TEST_SUBJECT", "") == "redis", reason="about Headwater's own files"
)
SECONDS = 60
ENTRIES = 50
BATCH_HEADER_BYTES = 48
SEGMENT_HEADER_BYTES = 64

Start = Callable[..., Server]


@pytest.fixture(scope="module")
def left_behind(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that a server was killed on, with ENTRIES entries in `s`, a group, a key."""
    directory = tmp_path_factory.mktemp("left-behind")
    server = servers.start_headwater(directory, "--appendfsync", "always")
    client = server.connect()
    for n in range(1, ENTRIES + 1):
        client.ok("XADD", "s", f"{n}-1", "number", n)
    client.ok("XGROUP", "CREATE", "s", "g", "0")
    client.ok("XREADGROUP", "GROUP", "g", "ann", "COUNT", "10", "STREAMS", "s", ">")
    client.ok("SET", "k", "v")
    server.kill()
    return directory


@pytest.fixture
def data(left_behind: Path, tmp_path: Path) -> Path:
    """A copy of that directory."""
    return Path(shutil.copytree(left_behind, tmp_path / "data"))


@pytest.fixture
def start(data: Path) -> Iterator[Start]:
    """Start a server in the data directory."""
    started: list[Server] = []

    def run(*flags: str) -> Server:
        server = servers.start_headwater(data, *flags)
        started.append(server)
        return server

    yield run
    for server in started:
        server.stop()


def refused(directory: Path, *flags: str) -> str:
    """What a server says that must not start; it changes nothing."""
    before = contents(directory)
    command = headwater_command(free_port(), directory, flags)
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL
    )
    output = done.stdout + done.stderr
    assert done.returncode == 1, output
    assert "Traceback" not in output, output
    assert contents(directory) == before
    return output


def check(directory: Path, *flags: str) -> tuple[int, str]:
    """Exit status and output of `headwater check`."""
    done = subprocess.run(
        [sys.executable, "-m", "headwater", "check", *flags, str(directory)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name not in ("headwater.lock", "server.log")
    }


def segment(data: Path) -> Path:
    [path] = (data / "appendonlydir").glob("segment.*.hwj")
    return path


def batches(path: Path) -> list[int]:
    """Where the batches of a segment begin."""
    content, begins, at = path.read_bytes(), [], SEGMENT_HEADER_BYTES
    while at < len(content):
        begins.append(at)
        at += BATCH_HEADER_BYTES + int.from_bytes(content[at + 4 : at + 8], "little")
    assert at == len(content)
    return begins


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0x10
    path.write_bytes(bytes(content))


def test_all_is_well(data: Path, start: Start) -> None:
    status, output = check(data, "--deep")
    assert status == 0, output
    assert f"{ENTRIES} entries" in output
    client = start().connect()
    assert client.ok("XLEN", "s") == ENTRIES
    assert client.ok("XPENDING", "s", "g")[0] == 10
    assert client.ok("GET", "k") == b"v"


def test_a_torn_tail_is_cut_with_a_warning(data: Path, start: Start) -> None:
    path = segment(data)
    begins = batches(path)
    last = begins[len(begins) - 1]
    size = path.stat().st_size
    os.truncate(path, size - 5)
    status, output = check(data)
    assert status == 1
    assert f"byte {last}: " in output
    server = start()
    log = server.log_text()
    assert f"{path}, byte {last}: cut off {size - 5 - last} bytes" in log
    assert "WARNING" in log
    client = server.connect()
    assert client.ok("GET", "k") is None  # the last command is gone, and no other
    assert client.ok("XPENDING", "s", "g")[0] == 10
    client.ok("XADD", "s", f"{ENTRIES + 1}-1", "number", "next")
    server.kill()
    again = start()
    assert again.connect().ok("XLEN", "s") == ENTRIES + 1
    assert "cut off" not in again.log_text().rpartition("starts")[2]


def test_a_torn_tail_is_refused_if_told_so(data: Path, start: Start) -> None:
    path = segment(data)
    os.truncate(path, path.stat().st_size - 5)
    output = refused(data, "--aof-load-truncated", "no")
    assert str(path) in output
    assert "--aof-load-truncated yes" in output
    assert check(data, "--repair")[0] == 0
    assert start("--aof-load-truncated", "no").connect().ok("XLEN", "s") == ENTRIES


def test_damage_in_the_middle(data: Path, start: Start) -> None:
    path = segment(data)
    begins = batches(path)
    damaged = begins[20]
    flip(path, damaged + BATCH_HEADER_BYTES + 20)
    output = refused(data)
    assert f"{path}, byte {damaged}: " in output
    assert f"`headwater check {data}`" in output
    assert f"`headwater check --repair {data}`" in output
    assert check(data)[0] == 2
    status, output = check(data, "--repair")
    assert status == 0, output
    assert "dropped from the journal" in output
    assert f"in database 0: 22-1..{ENTRIES}-1" in output
    [backup] = data.glob("appendonlydir-backup-*")
    assert len(list(backup.iterdir())) == 2
    server = start()
    client = server.connect()
    assert client.ok("XLEN", "s") == 20
    assert client.ok("XADD", "s", "21-1", "number", "again") == b"21-1"
    server.kill()
    assert start().connect().ok("XLEN", "s") == 21


def test_a_missing_segment(data: Path) -> None:
    path = segment(data)
    path.unlink()
    output = refused(data)
    assert f"{path}: the file is missing" in output


def test_a_lost_manifest(data: Path, start: Start) -> None:
    (data / "appendonlydir" / "journal.manifest").unlink()
    assert "its manifest" in refused(data)
    assert check(data)[0] == 2
    assert check(data, "--repair")[0] == 0
    assert start().connect().ok("XLEN", "s") == ENTRIES


def test_a_newer_format(data: Path) -> None:
    path = data / "appendonlydir" / "journal.manifest"
    path.write_bytes(path.read_bytes().replace(b"manifest 1\n", b"manifest 2\n"))
    output = refused(data)
    assert str(path) in output
    assert "version 2" in output
    status, output = check(data, "--repair")
    assert status == 3
    assert "version 2" in output


def test_a_damaged_snapshot(data: Path, start: Start) -> None:
    shutil.rmtree(data / "appendonlydir")
    server = start()
    client = server.connect()
    client.ok("SET", "k", "v" * 100)
    client.ok("SAVE")
    server.stop()
    shutil.rmtree(data / "appendonlydir")
    path = data / "dump.rdb"
    flip(path, path.stat().st_size - 30)
    for appendonly in ("yes", "no"):
        output = refused(data, "--appendonly", appendonly)
        assert str(path) in output
        assert "Bring the file back" in output


def test_a_snapshot_becomes_the_base_of_a_journal(data: Path, start: Start) -> None:
    server = start("--appendonly", "no")
    assert "is not loaded" in server.log_text()
    client = server.connect()
    assert client.ok("DBSIZE") == 0
    client.ok("SET", "k", "from the snapshot")
    client.ok("SAVE")
    server.stop()
    shutil.rmtree(data / "appendonlydir")
    server = start()
    server.connect().ok("SET", "k2", "from the journal")
    server.kill()
    client = start().connect()
    assert client.ok("GET", "k") == b"from the snapshot"
    assert client.ok("GET", "k2") == b"from the journal"


def test_the_files_of_a_redis(tmp_path: Path) -> None:
    journal = tmp_path / "appendonlydir"
    journal.mkdir()
    path = journal / "appendonly.aof.manifest"
    path.write_bytes(b"file appendonly.aof.1.incr.aof seq 1 type i\n")
    output = refused(tmp_path)
    assert str(path) in output
    assert "headwater import" in output


def test_a_second_server_in_the_same_directory(data: Path, start: Start) -> None:
    server = start()
    output = refused_beside(data)
    assert f"process {server.pid} is using the data directory {data}" in output
    assert server.connect().ok("XLEN", "s") == ENTRIES
    status, output = check(data)
    assert status == 0
    assert f"process {server.pid} is using this directory" in output
    status, output = check(data, "--repair")
    assert status == 3
    assert f"process {server.pid}" in output


def refused_beside(directory: Path) -> str:
    done = subprocess.run(
        headwater_command(free_port(), directory),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 1, output
    assert "Traceback" not in output, output
    return output


def test_a_directory_that_can_not_be_written(data: Path) -> None:
    path = segment(data)
    path.rename(path.with_suffix(".aside"))
    path.mkdir()  # whoever may write everything cannot write this
    output = refused(data)
    assert str(path) in output
