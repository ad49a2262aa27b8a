"""A disk without space: changes are refused, reads go on, and nothing acknowledged is lost.

The disk is a small tmpfs of the test's own; the server's log lies elsewhere.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from support import servers
from support.servers import Server
from support.small_disk import SmallDisk
from support.wire import Connection

DISK_BYTES = 8 << 20
BALLAST_BYTES = 3 << 20
VALUE = Random(1).randbytes(20_000)  # nothing that a snapshot could compress
SECONDS = 30
ON_REDIS = os.environ.get("HEADWATER_TEST_SUBJECT", "") == "redis"
POLICIES = [
    pytest.param(
        "always", marks=pytest.mark.skipif(ON_REDIS, reason="Redis exits when always cannot write")
    ),
    "everysec",
]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    try:
        disk = SmallDisk(tmp_path / "disk", DISK_BYTES)
    except OSError as error:
        pytest.skip(f"A FULL DISK IS NOT TESTED: {error}")
    yield disk
    disk.unmount()


class Writer:
    """One client that adds entries, and what it was told of them."""

    def __init__(self) -> None:
        self.told: dict[bytes, bytes] = {}  # ID and the value that is unique
        self._number = 0

    def add(self, connection: Connection) -> str:
        """Add one entry; returns the text of the error, if it was one."""
        self.send(connection)
        return self.answer(connection)

    def send(self, connection: Connection) -> None:
        self._number += 1
        connection.send("XADD", "s", "*", "n", self._number, "v", VALUE)

    def answer(self, connection: Connection) -> str:
        kind, text = connection.read()
        if kind == "-":
            return str(text.decode())
        self.told[text] = str(self._number).encode()
        return ""

    def check(self, connection: Connection) -> None:
        """Everything acknowledged is there with its fields."""
        there = dict(connection.ok("XRANGE", "s", "-", "+"))
        for entry, number in self.told.items():
            assert entry in there, f"{entry!r} of {len(self.told)} acknowledged ones is lost"
            assert there[entry] == [b"n", number, b"v", VALUE]


def start(tmp_path: Path, disk: SmallDisk, fsync: str) -> Server:
    return servers.start_subject(
        tmp_path, "--dir", str(disk.path), "--appendonly", "yes", "--appendfsync", fsync,
        "--auto-aof-rewrite-percentage", "0", "--save", "",
    )  # fmt: skip


def fill(server: Server, writer: Writer) -> str:
    """Add entries until one is refused, and return why; the disk is full then."""
    connection = server.connect()
    watcher = server.connect()
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        writer.send(connection)
        while not connection.has_data(0.05):
            # It is not answered as long as it is not written: then others are refused.
            refusal = refused(watcher)
            assert time.monotonic() < deadline, "no answer and no refusal"
            if refusal:
                return refusal
        text = writer.answer(connection)
        if text:
            return text
    raise AssertionError("the disk does not become full")


def refused(connection: Connection) -> str:
    """The error that a change gets, or nothing."""
    kind, text = connection.call("XGROUP", "CREATECONSUMER", "s", "g", "c")
    return str(text.decode()) if kind == "-" else ""


def resumed(server: Server, writer: Writer) -> None:
    """Return once an entry could be added again."""
    deadline = time.monotonic() + SECONDS
    connection = server.connect()
    while text := writer.add(connection):
        assert text.startswith("MISCONF "), text
        assert time.monotonic() < deadline, f"still refused: {text}"
        time.sleep(0.02)


@pytest.mark.parametrize("fsync", POLICIES)
def test_a_full_disk(tmp_path: Path, disk: SmallDisk, fsync: str) -> None:
    ballast = disk.take("ballast", leave_bytes=DISK_BYTES - BALLAST_BYTES)
    server = start(tmp_path, disk, fsync)
    try:
        writer = Writer()
        server.connect().ok("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
        assert fill(server, writer).startswith("MISCONF ")
        assert writer.told

        reader = server.connect()
        assert reader.ok("XLEN", "s") >= len(writer.told)
        writer.check(reader)
        for words in (
            ("XADD", "s", "*", "f", "v"),
            ("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "s", ">"),
            ("XTRIM", "s", "MAXLEN", 1),
            ("SET", "k", "v"),
            ("DEL", "s"),
        ):
            kind, text = reader.call(*words)
            assert kind == "-", words
            assert text.startswith(b"MISCONF "), words
        assert reader.ok("XPENDING", "s", "g") == [0, None, None, None]

        ballast.unlink()
        resumed(server, writer)
        for _ in range(20):
            assert writer.add(reader) == ""
        server.kill()
        server = start(tmp_path, disk, fsync)
        writer.check(server.connect())
        assert "Traceback" not in server.log_text()
    finally:
        server.stop()


@pytest.mark.skipif(ON_REDIS, reason="Redis has acknowledged what it then could not write")
@pytest.mark.parametrize("fsync", ["always", "everysec"])
def test_killed_while_the_disk_is_full(tmp_path: Path, disk: SmallDisk, fsync: str) -> None:
    """What was acknowledged is there when it starts again with more space."""
    server = start(tmp_path, disk, fsync)
    try:
        writer = Writer()
        server.connect().ok("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
        fill(server, writer)
        server.kill()
        disk.grow(2 * DISK_BYTES)
        server = start(tmp_path, disk, fsync)
        writer.check(server.connect())
        resumed(server, writer)
        server.kill()
        server = start(tmp_path, disk, fsync)
        writer.check(server.connect())
    finally:
        server.stop()


@pytest.mark.parametrize("command", ["BGREWRITEAOF", "BGSAVE"])
def test_no_space_for_a_snapshot(tmp_path: Path, disk: SmallDisk, command: str) -> None:
    """It fails with a status, leaves nothing behind, and the journal goes on."""
    server = start(tmp_path, disk, "everysec")
    try:
        connection = server.connect()
        writer = Writer()
        while len(writer.told) * len(VALUE) < 0.6 * DISK_BYTES:
            assert writer.add(connection) == ""
        connection.ok(command)
        facts = finished(connection)
        status = "rdb_last_bgsave_status" if command == "BGSAVE" else "aof_last_bgrewrite_status"
        assert facts[status] == "err"
        assert not list(disk.path.rglob("temp-*")), "the half-written snapshot is left"
        for _ in range(10):
            assert writer.add(connection) == ""
        disk.grow(8 * DISK_BYTES)
        connection.ok(command)
        assert finished(connection)[status] == "ok"
        server.kill()
        server = start(tmp_path, disk, "everysec")
        writer.check(server.connect())
    finally:
        server.stop()


def finished(connection: Connection) -> dict[str, str]:
    """INFO persistence, once no snapshot and no rewrite is under way."""
    deadline = time.monotonic() + SECONDS
    while True:
        text = connection.ok("INFO", "persistence").decode()
        facts = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        names = ("rdb_bgsave_in_progress", "aof_rewrite_in_progress", "aof_rewrite_scheduled")
        if all(facts[name] == "0" for name in names):
            return facts
        assert time.monotonic() < deadline, "the snapshot does not end"
        time.sleep(0.01)
