"""Snapshots: one moment, in a file that is there whole or not at all, without anybody waiting."""

from __future__ import annotations

import errno
import threading
import time
from random import Random

import pytest

from headwater.clock import ManualClock
from headwater.commands.digest import keyspace_digest
from headwater.keyspace.cut import Cut
from headwater.keyspace.database import Keyspace
from headwater.keyspace.strings import String
from headwater.persistence.loading import KeyspaceSink, SnapshotLoader
from headwater.persistence.snapshot import DONE, FAILED, WAITING, WORKING, Snapshot
from headwater.persistence.snapshot_file import (
    QUEUE_BYTES,
    DirectFile,
    ThreadFile,
)
from headwater.value import Value
from support.disk import SimulatedDisk
from support.embedded import Embedded

PATH = "/data/dump.rdb"
AUX = [(b"redis-ver", b"8.2.0"), (b"headwater-version", b"0")]
DATABASES = 3


def new_disk() -> SimulatedDisk:
    return SimulatedDisk("/data")


def loaded(disk: SimulatedDisk, now_ms: int, path: str = PATH) -> Keyspace:
    """What the file holds."""
    keyspace = Keyspace(ManualClock(now_ms), 16)
    loader = SnapshotLoader(disk, path, KeyspaceSink(keyspace, True), False)
    while not loader.step(100_000):
        pass
    return keyspace


def fill(keyspace: Keyspace, keys: int, size: int = 10) -> None:
    for i in range(keys):
        keyspace.databases[0].add(b"key %d" % i, String(b"%d " % i * size))


def keyspace_of(keys: int, size: int = 10) -> Keyspace:
    keyspace = Keyspace(ManualClock(1000), 16, Random(1))
    fill(keyspace, keys, size)
    return keyspace


def begin(keyspace: Keyspace, disk: SimulatedDisk, before: ThreadFile | None = None) -> Snapshot:
    return Snapshot(Cut(keyspace), ThreadFile(disk, PATH, before), AUX, True, True)


def finish(snapshot: Snapshot) -> int:
    """Go on to the end; what is left to the thread is waited for."""
    while (progress := snapshot.step(1000)) < DONE:
        if progress == WAITING:
            time.sleep(0)
    snapshot.file.join()
    return progress


def is_let_go(keyspace: Keyspace) -> bool:
    return all(db.cut is None for db in keyspace.databases)


# --- content ---


def busy_world() -> Embedded:
    """Streams of many blocks and of one, groups with much and little pending, texts, expiries."""
    world = Embedded(stream_node_max_entries="5")
    client = world.main
    for db in range(DATABASES):
        client.ok("SELECT", db)
        for key, entries in (("big", 400), ("small", 8), ("middle", 40)):
            for i in range(entries):
                client.ok("XADD", key, f"{i + 1}-{db}", "field", f"value {i * i}")
            client.ok("XGROUP", "CREATE", key, "readers", "0")
            words = ["COUNT", str(entries // 2), "STREAMS", key, ">"]
            client.ok("XREADGROUP", "GROUP", "readers", "ann", *words)
        client.ok("XADD", "small", "IDMP", "p", "i", "*", "a", "b")
        client.ok("XNACK", "small", "readers", "SILENT", "IDS", "1", f"2-{db}")
        for i in range(30):
            client.ok("SET", f"text {i}", "x" * (i * i))
        client.ok("SET", "huge", "y" * 300_000)
        client.ok("PEXPIRE", "text 7", "60")
        client.ok("PEXPIRE", "middle", "50000")
    client.ok("SELECT", 0)
    return world


def test_a_file_made_at_once_holds_everything() -> None:
    world = busy_world()
    keyspace = world.engine.keyspace
    disk = new_disk()
    snapshot = Snapshot(Cut(keyspace, True), DirectFile(disk, PATH), AUX, True, True)
    assert snapshot.run()
    assert snapshot.keys_done == snapshot.keys == sum(len(db.values) for db in keyspace.databases)
    assert snapshot.file.written == disk.size(PATH)
    assert disk.durable(PATH) is not None
    assert disk.paths() == [PATH]
    found = loaded(disk, world.clock.now_ms)
    assert keyspace_digest(found) == keyspace_digest(keyspace)
    assert found.databases[1].order.scan(0, 9)[1] == keyspace.databases[1].order.scan(0, 9)[1], (
        "SCAN goes on in the same order"
    )


def command_of(random: Random) -> list[str]:
    key = random.choice(("big", "small", "middle", "text 7", "huge", "new"))
    entry = f"{random.randint(1, 60)}-0"
    return random.choice(
        (
            ["XADD", key, "*", "f", "v" * random.randint(0, 50)],
            ["XADD", key, "MAXLEN", "~", "100", "*", "f", "v"],
            ["XADD", key, "IDMP", "p", str(random.randint(0, 3)), "*", "f", "v"],
            ["XDEL", key, entry],
            ["XTRIM", key, "MAXLEN", str(random.randint(0, 100))],
            ["XREADGROUP", "GROUP", "readers", "bob", "COUNT", "9", "STREAMS", key, ">"],
            ["XREADGROUP", "GROUP", "readers", "ann", "COUNT", "9", "STREAMS", key, "0"],
            ["XACK", key, "readers", entry],
            ["XAUTOCLAIM", key, "readers", "bob", "0", "0", "COUNT", "5"],
            ["XNACK", key, "readers", "SILENT", "IDS", "1", entry],
            ["XGROUP", "DELCONSUMER", key, "readers", "ann"],
            ["XGROUP", "DESTROY", key, "readers"],
            ["SET", key, "z" * random.randint(0, 100)],
            ["DEL", key],
            ["RENAME", key, f"renamed {random.randint(0, 3)}"],
            ["MOVE", key, str(random.randint(0, 2))],
            ["COPY", key, "new", "REPLACE"],
            ["PEXPIRE", key, str(random.randint(-5, 100))],
            ["PERSIST", key],
            ["SELECT", str(random.randint(0, 2))],
            ["SWAPDB", str(random.randint(0, 2)), str(random.randint(0, 2))],
            ["FLUSHDB"] if random.random() < 0.1 else ["RANDOMKEY"],
            ["FLUSHALL"] if random.random() < 0.05 else ["RANDOMKEY"],
        )
    )


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_meanwhile_the_file_holds_the_moment_of_the_cut(seed: int) -> None:
    random = Random(seed)
    world = busy_world()
    disk = new_disk()
    for _ in range(2):
        keyspace = world.engine.keyspace
        at_ms, digest = world.clock.now_ms, keyspace_digest(keyspace)
        snapshot = begin(keyspace, disk)
        progress = WORKING
        while progress < DONE:
            # Without time to spare, it is one key or one slice of a big one at a time.
            progress = snapshot.step(0)
            if progress == WAITING:
                time.sleep(0)
            for _ in range(random.randint(0, 3)):
                world.main.call(*command_of(random))
                world.main.session.blocked = None
            if random.random() < 0.1:
                world.pass_ms(random.randint(1, 20))
        assert progress == DONE
        assert is_let_go(keyspace)
        assert keyspace_digest(loaded(disk, at_ms)) == digest
    while keyspace.free_some(1000):
        pass


def test_keys_that_expire_meanwhile_are_in_the_file() -> None:
    world = Embedded()
    for i in range(20):
        world.main.ok("SET", f"k{i}", "v", "PX", "50")
    disk = new_disk()
    snapshot = begin(world.engine.keyspace, disk)
    assert snapshot.step(0) == WORKING
    world.pass_ms(1000)
    assert world.main.ok("DBSIZE") == 0
    assert finish(snapshot) == DONE
    assert loaded(disk, 0).databases[0].size() == 20


def test_a_slice_of_no_time_is_one_key_or_a_piece_of_a_big_one() -> None:
    keyspace = keyspace_of(3)
    keyspace.databases[0].add(b"big", String(b"b" * 3_000_000))
    snapshot = begin(keyspace, new_disk())
    for done in (1, 2, 3):
        assert snapshot.step(0) == WORKING
        assert snapshot.keys_done == done
    steps = 0
    while snapshot.keys_done == 3:
        assert snapshot.step(0) == WORKING
        steps += 1
    assert steps >= 2
    assert finish(snapshot) == DONE


# --- the disk ---


def test_while_the_disk_is_behind_nothing_is_done_and_nothing_waits() -> None:
    keyspace = keyspace_of(0)
    random = Random(1)
    for i in range(60):
        keyspace.databases[0].add(b"key %d" % i, String(random.randbytes(200_000)))
    disk = new_disk()
    disk.pause("write")
    snapshot = begin(keyspace, disk)
    while snapshot.step(1000) == WORKING:
        pass
    disk.wait_paused("write")
    assert isinstance(snapshot.file, ThreadFile)
    done = snapshot.keys_done
    assert done < 60
    assert QUEUE_BYTES <= snapshot.file.waiting < QUEUE_BYTES + 600_000
    for _ in range(10):
        assert snapshot.step(1_000_000) == WAITING
    assert snapshot.keys_done == done
    keyspace.databases[0].delete(b"key 59")
    disk.resume("write")
    assert finish(snapshot) == DONE
    assert loaded(disk, 0).databases[0].size() == 60


@pytest.mark.parametrize("operation", ["create", "write", "sync", "replace", "sync_directory"])
@pytest.mark.parametrize("direct", [True, False])
def test_what_fails_leaves_the_old_file_and_says_why(operation: str, direct: bool) -> None:
    keyspace = keyspace_of(100)
    disk = new_disk()
    disk.put(PATH, b"the old one")
    disk.fail(operation, OSError(errno.ENOSPC, "No space left on device"))
    file = DirectFile(disk, PATH) if direct else ThreadFile(disk, PATH)
    snapshot = Snapshot(Cut(keyspace), file, AUX, True, True)
    assert finish(snapshot) == FAILED
    assert snapshot.step(1000) == FAILED
    assert snapshot.error is not None
    assert snapshot.error.endswith("No space left on device")
    assert disk.paths() == [PATH]
    assert disk.durable(PATH) == b"the old one"
    if operation != "sync_directory":
        assert disk.data(PATH) == b"the old one"
    assert is_let_go(keyspace)


def test_without_a_thread_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    keyspace = keyspace_of(5)
    disk = new_disk()
    snapshot = begin(keyspace, disk)
    assert finish(snapshot) == FAILED
    assert snapshot.error == "can't start new thread"
    assert disk.paths() == []
    assert is_let_go(keyspace)


def test_a_bug_of_the_encoder_is_an_error_of_the_snapshot() -> None:
    keyspace = keyspace_of(5)
    keyspace.databases[0].add(b"strange", Value())
    disk = new_disk()
    snapshot = begin(keyspace, disk)
    assert finish(snapshot) == FAILED
    assert "internal error" in (snapshot.error or "")
    assert disk.paths() == []
    assert is_let_go(keyspace)


@pytest.mark.parametrize("at", ["begin", "middle", "end"])
def test_an_aborted_snapshot_leaves_nothing(at: str) -> None:
    keyspace = keyspace_of(1000)
    disk = new_disk()
    disk.pause("sync")
    snapshot = begin(keyspace, disk)
    if at != "begin":
        assert snapshot.step(0) == WORKING
    if at == "end":
        while snapshot.step(1000) == WORKING:
            pass
        disk.wait_paused("sync")
    snapshot.abort()
    assert snapshot.step(1000) == FAILED
    assert snapshot.error == "aborted"
    assert is_let_go(keyspace)
    disk.resume("sync")
    snapshot.file.join()
    assert disk.paths() == []
    assert finish(begin(keyspace, disk)) == DONE


def test_what_was_aborted_too_late_does_not_come_out_last() -> None:
    keyspace = keyspace_of(10)
    disk = new_disk()
    disk.pause("replace")
    first = begin(keyspace, disk)
    while first.step(1000) == WORKING:
        pass
    disk.wait_paused("replace")
    first.abort()
    assert isinstance(first.file, ThreadFile)
    keyspace.flush_all()
    second = begin(keyspace, disk, first.file)
    while second.step(1000) == WORKING:
        pass
    disk.resume("replace")
    assert finish(second) == DONE
    assert loaded(disk, 0).databases[0].size() == 0
    assert disk.paths() == [PATH]


@pytest.mark.parametrize("seed", range(8))
def test_after_a_power_failure_the_file_is_the_old_or_the_new_one(seed: int) -> None:
    random = Random(seed)
    keyspace = keyspace_of(50)
    disk = new_disk()
    assert finish(begin(keyspace, disk)) == DONE
    fill(keyspace, 0)
    keyspace.databases[0].add(b"one more", String(b"value"))
    operation = random.choice(["write", "sync", "replace", "sync_directory"])
    disk.pause(operation)
    snapshot = begin(keyspace, disk)
    while snapshot.step(1000) == WORKING:
        pass
    disk.wait_paused(operation)
    disk.crash(random)
    disk.resume(operation)
    snapshot.file.join()
    assert loaded(disk, 0).databases[0].size() in (50, 51)
    left = [path for path in disk.paths() if not path.startswith("/data/temp-")]
    assert left == [PATH]


def test_a_snapshot_that_was_reported_survives_a_power_failure() -> None:
    disk = new_disk()
    assert finish(begin(keyspace_of(50), disk)) == DONE
    disk.crash()
    assert loaded(disk, 0).databases[0].size() == 50
