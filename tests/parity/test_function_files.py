"""Libraries of functions in files: each server finds what the other has saved."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support import servers
from support.servers import Server

pytestmark = pytest.mark.skipif(
    os.environ.get("HEADWATER_TEST_SUBJECT", "") == "redis", reason="files go both ways"
)
SECONDS = 60
LIBRARIES = (
    "#!lua name=small\nredis.register_function('f', function(keys) return keys end)",
    "#!lua name=big\n-- " + "compressible " * 200 + "\n"
    "redis.register_function{function_name='g', flags={'no-writes'}, description='gets',\n"
    "  callback=function(keys) return redis.call('get', keys[1]) end}",
)

StartServer = Callable[..., Server]


def fill(server: Server) -> None:
    connection = server.connect()
    for text in LIBRARIES:
        connection.ok("FUNCTION", "LOAD", text)
    connection.ok("SET", "k", "v")


def check(server: Server) -> None:
    """Everything of `fill` is there."""
    connection = server.connect()
    found = connection.ok("FUNCTION", "LIST", "WITHCODE")
    assert sorted(library[-1] for library in found) == sorted(map(str.encode, LIBRARIES))
    assert connection.ok("FCALL", "f", 1, "a") == [b"a"]
    assert connection.ok("FCALL_RO", "g", 1, "k") == b"v"


def test_a_snapshot_of_redis(redis_binary: str, start: StartServer, tmp_path: Path) -> None:
    theirs = servers.start_redis(redis_binary, tmp_path)
    fill(theirs)
    theirs.connect().ok("SAVE")
    theirs.stop()
    directory = tmp_path / "ours"
    directory.mkdir()
    shutil.copy(tmp_path / "dump.rdb", directory)
    check(start("--dir", str(directory), "--appendonly", "no"))


@pytest.mark.slow
@pytest.mark.parametrize("as_commands", [False, True])
def test_an_import(
    redis_binary: str, start: StartServer, tmp_path: Path, as_commands: bool
) -> None:
    preamble = "no" if as_commands else "yes"
    flags = ("--appendonly", "yes", "--appendfsync", "always", "--aof-use-rdb-preamble", preamble)
    theirs = servers.start_redis(redis_binary, tmp_path, *flags)
    fill(theirs)
    theirs.stop()
    target = tmp_path / "ours"
    command = [sys.executable, "-m", "headwater", "import", str(tmp_path / "appendonlydir")]
    done = subprocess.run(
        [*command, "--dir", str(target)], capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr
    assert "2 libraries of functions" in done.stdout
    check(start("--dir", str(target)))


def test_a_snapshot_of_ours(redis_binary: str, start: StartServer, tmp_path: Path) -> None:
    directory = tmp_path / "both"
    directory.mkdir()
    ours = start("--dir", str(directory), "--appendonly", "no")
    fill(ours)
    ours.connect().ok("SAVE")
    theirs = servers.start_redis(redis_binary, directory)
    try:
        check(theirs)
    finally:
        theirs.stop()


def test_killed_and_started_again(start: StartServer, tmp_path: Path) -> None:
    directory = tmp_path / "ours"
    directory.mkdir()
    ours = start("--dir", str(directory), "--appendonly", "yes", "--appendfsync", "always")
    fill(ours)
    ours.kill()
    check(start("--dir", str(directory), "--appendonly", "yes"))
