"""A whole engine on a disk that fails, gets full, or loses what was not synced."""

from __future__ import annotations

import errno
import random

import pytest

from headwater.journal.lock import LockedError
from support.disk import SimulatedDisk
from support.durable import DIRECTORY, DurableEngine, files, fill, reopened

JOURNAL = f"{DIRECTORY}/appendonlydir"


def disk() -> SimulatedDisk:
    return SimulatedDisk(DIRECTORY)


@pytest.mark.parametrize("policy", ["always", "everysec", "no"])
def test_a_process_that_is_killed_loses_nothing(policy: str) -> None:
    at = disk()
    store = DurableEngine(at, appendfsync=policy)
    fill(store)
    store.settle()
    assert store.released
    at.kill()
    again = reopened(at, store)
    assert again.digest() == store.digest()
    fill(again, prefix="more")
    again.stop()
    assert reopened(at, again).digest() == again.digest()


def test_power_fails_under_always() -> None:
    for seed in range(20):
        at = disk()
        store = DurableEngine(at, appendfsync="always")
        fill(store)
        store.settle()
        digest = store.digest()
        store.ok("SET", "late", "x")
        at.crash(random.Random(seed))
        again = reopened(at, store)
        if again.client.ok("GET", "late") is None:
            assert again.digest() == digest
        else:
            assert again.digest() == store.digest()


def test_everysec_loses_what_came_behind_the_last_sync() -> None:
    at = disk()
    store = DurableEngine(at)
    fill(store)
    store.pass_ms(1200)
    store.settle()
    digest = store.digest()
    store.ok("SET", "late", "x")
    at.crash()
    assert reopened(at, store).digest() == digest


def test_a_rewrite_keeps_everything_that_comes_meanwhile() -> None:
    at = disk()
    store = DurableEngine(at)
    fill(store)
    assert store.ok("BGREWRITEAOF") == b"Background append only file rewriting started"
    fill(store, prefix="while")
    store.settle()
    assert [name for name in files(at) if name.endswith((".rdb", ".hwj"))] == [
        "base.000002.rdb",
        "segment.000002.hwj",
    ]
    fill(store, prefix="after")
    at.kill()
    assert reopened(at, store).digest() == store.digest()


def test_the_base_has_when_idempotent_ids_were_recorded() -> None:
    at = disk()
    store = DurableEngine(at)
    store.ok("XADD", "s", "1-1", "a", "b")
    store.ok("XIDMPRECORD", "s", "p", "i", "1-1")
    store.ok("BGREWRITEAOF")
    store.settle()
    at.kill()
    again = reopened(at, store)
    assert again.digest() == store.digest()
    assert again.ok("XADD", "s", "IDMP", "p", "i", "*", "a", "b") == b"1-1"


def test_a_rewrite_that_fails_changes_nothing() -> None:
    for operation in ("create", "write", "sync", "replace", "sync_directory"):
        for after in range(6):
            at = disk()
            store = DurableEngine(at)
            fill(store, 24)
            store.settle()
            at.fail(operation, errno.ENOSPC, after=after)
            store.call("BGREWRITEAOF")
            fill_one = store.call("SET", "meanwhile", str(after))
            assert fill_one[0] in "+-"
            store.settle()
            at.heal()
            for _ in range(3):
                store.pass_ms(11_000)
                store.settle()
            store.ok("SET", "after", "x")
            store.settle()
            assert store.released
            at.kill()
            assert reopened(at, store).digest() == store.digest(), (operation, after)


def test_it_is_rewritten_when_it_has_grown() -> None:
    at = disk()
    store = DurableEngine(at, auto_aof_rewrite_min_size="20kb")
    for _ in range(500):
        store.ok("SET", "k", "x" * 100)
    store.pass_ms(300)
    store.settle()
    assert "base.000002.rdb" in files(at)
    assert store.persistence.journal is not None
    assert store.persistence.journal.size < 20_000


def test_switched_off_and_on_again() -> None:
    at = disk()
    store = DurableEngine(at)
    fill(store)
    store.ok("CONFIG", "SET", "appendonly", "no")
    store.ok("SET", "not", "recorded")
    assert store.released
    store.ok("CONFIG", "SET", "appendonly", "yes")
    store.ok("SET", "recorded", "again")
    assert store.released
    store.settle()
    store.ok("SET", "behind", "it")
    at.kill()
    again = reopened(at, store)
    assert again.digest() == store.digest()
    assert sum(name.endswith(".hwj") for name in files(at)) == 1


def test_switched_on_and_stopped_at_once() -> None:
    at = disk()
    store = DurableEngine(at, appendonly="no")
    fill(store)
    store.ok("CONFIG", "SET", "appendonly", "yes")
    store.ok("SET", "recorded", "x")
    store.stop()
    assert reopened(at, store).digest() == store.digest()


def test_switched_on_and_off_at_once_leaves_nothing() -> None:
    at = disk()
    store = DurableEngine(at, appendonly="no")
    fill(store)
    store.ok("CONFIG", "SET", "appendonly", "yes")
    store.ok("CONFIG", "SET", "appendonly", "no")
    store.settle()
    ours = (".hwj", ".rdb", ".manifest", ".unlisted")
    assert not [name for name in files(at) if name.endswith(ours)]


def test_a_snapshot_without_a_journal_is_its_beginning() -> None:
    at = disk()
    store = DurableEngine(at, appendonly="no")
    fill(store)
    store.ok("SAVE")
    store.stop()
    again = reopened(at, store)
    assert again.digest() == store.digest()
    again.ok("SET", "new", "x")
    at.kill()
    at.remove(f"{DIRECTORY}/dump.rdb")
    assert reopened(at, again).digest() == again.digest()


def test_a_second_server_on_the_directory() -> None:
    at = disk()
    DurableEngine(at)
    with pytest.raises(LockedError, match="is using the data directory"):
        DurableEngine(at)


def test_reload_and_loadaof() -> None:
    at = disk()
    store = DurableEngine(at, enable_debug_command="yes")
    fill(store)
    digest = store.digest()
    store.ok("DEBUG", "RELOAD")
    assert store.digest() == digest
    store.ok("DEBUG", "LOADAOF")
    assert store.digest() == digest
    fill(store, prefix="more")
    at.kill()
    assert reopened(at, store).digest() == store.digest()


def test_a_disk_that_is_full() -> None:
    at = disk()
    store = DurableEngine(at, appendfsync="always")
    fill(store)
    store.settle()
    at.full_at(at.used())
    reply = store.call("SET", "k", "x" * 100_000)
    while reply[0] != "-":
        store.settle()
        reply = store.call("SET", "k", "x" * 100_000)
    assert reply == ("-", b"MISCONF Errors writing to the AOF file: No space left on device")
    assert store.call("PING") == reply
    assert store.ok("XLEN", "s0") == 10
    store.ok("MULTI")
    assert store.call("SET", "k", "y") == reply
    assert store.call("EXEC")[1].startswith(b"EXECABORT")
    assert store.released, "everything that was executed had its place"
    at.full_at(None)
    store.pass_ms(200)
    store.ok("SET", "k", "z")
    store.settle()
    at.crash()
    assert reopened(at, store).digest() == store.digest()


@pytest.mark.parametrize("policy", ["always", "everysec"])
def test_a_sync_that_fails_has_everything_written_anew(policy: str) -> None:
    at = disk()
    store = DurableEngine(at, appendfsync=policy)
    fill(store)
    store.settle()
    at.fail("sync", errno.EIO, path=".hwj")
    store.ok("SET", "doubtful", "x")
    store.pass_ms(1100)
    thread = store.persistence._thread
    assert thread is not None
    thread.drain()
    if policy == "always":
        assert not store.released
    assert store.call("SET", "k", "v")[1].startswith(b"MISCONF")
    assert store.ok("GET", "doubtful") == b"x"
    store.settle()
    assert store.released
    store.ok("SET", "k", "v")
    store.settle()
    at.crash()
    again = reopened(at, store)
    if policy == "always":
        assert again.digest() == store.digest()
    assert again.ok("GET", "doubtful") == b"x"


def test_written_anew_by_a_server_that_is_not_the_first_one() -> None:
    at = disk()
    store = DurableEngine(at)
    fill(store)
    for _ in range(2):
        store.stop()
        store = reopened(at, store, appendfsync="always")
    at.fail("sync", errno.EIO, path=".hwj")
    store.ok("SET", "doubtful", "x")
    store.settle()
    store.ok("SET", "anew", "x")
    store.settle()
    assert store.released
    store.ok("BGREWRITEAOF")
    store.settle()
    store.ok("SET", "behind", "x")
    store.settle()
    assert store.released
    at.crash()
    again = reopened(at, store)
    assert again.digest() == store.digest()
    again.ok("SET", "next", "x")
    again.stop()


def test_a_disk_that_fails_for_long_is_tried_again() -> None:
    at = disk()
    store = DurableEngine(at, appendfsync="always")
    fill(store)
    store.settle()
    at.fail("sync", errno.EIO, times=None)
    store.ok("SET", "doubtful", "x")
    store.settle()
    for _ in range(4):
        store.pass_ms(11_000)
        store.settle()
        assert not store.released
    at.heal()
    store.pass_ms(11_000)
    store.settle()
    assert store.released
    at.crash()
    assert reopened(at, store).digest() == store.digest()


def test_waitaof_asks_for_the_sync() -> None:
    at = disk()
    store = DurableEngine(at, appendfsync="no")
    store.ok("SET", "k", "v")
    store.client.send("WAITAOF", "1", "0", "0")
    assert store.client.read_all() == []
    thread = store.persistence._thread
    assert thread is not None
    thread.drain()
    assert store.client.read_all() == [("*", [(":", 1), (":", 0)])]
    store.ok("SET", "k", "w")
    at.pause("sync")
    store.client.send("WAITAOF", "1", "0", "500")
    store.pass_ms(600)
    assert store.client.read_all() == [("*", [(":", 0), (":", 0)])]
    at.resume("sync")
    store.settle()
    store.client.send("WAITAOF", "1", "1", "500")
    store.pass_ms(600)
    assert store.client.read_all() == [("*", [(":", 1), (":", 0)])]


def test_what_expires_is_deleted_in_the_journal_too() -> None:
    at = disk()
    store = DurableEngine(at)
    store.ok("SET", "short", "x", "PX", "100")
    store.ok("SET", "longer", "x", "PX", "300")
    store.pass_ms(200)
    assert store.ok("EXISTS", "short") == 0
    store.ok("PERSIST", "longer")
    at.kill()
    again = DurableEngine(at, store.clock.now_ms + 1000)
    assert again.ok("EXISTS", "short") == 0
    assert again.ok("EXISTS", "longer") == 1
