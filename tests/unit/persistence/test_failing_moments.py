"""A disk that fails, and a journal that begins and ends, at moments when something is under way."""

from __future__ import annotations

import errno

import pytest

from headwater.config import Config
from headwater.engine import Engine
from support.disk import SimulatedDisk
from support.durable import DIRECTORY, DurableEngine, fill, reopened
from support.embedded import Client


def disk() -> SimulatedDisk:
    return SimulatedDisk(DIRECTORY)


def test_what_could_not_be_written_at_the_end_is_not_acknowledged() -> None:
    for operation in ("write", "sync"):
        at = disk()
        store = DurableEngine(at, appendfsync="always")
        fill(store)
        store.settle()
        at.fail(operation, errno.EIO, times=None, path=".hwj")
        store.ok("SET", "late", "x")
        assert not store.persistence.save_before_stop(None)
        store.persistence.close()
        assert not store.released, operation


def test_a_stop_that_was_refused_loses_nothing() -> None:
    at = disk()
    store = DurableEngine(at, appendfsync="always")
    fill(store)
    store.settle()
    at.fail("write", errno.ENOSPC, times=None, path=".hwj")
    store.ok("SET", "late", "x")
    assert not store.persistence.save_before_stop(None)
    assert store.call("SET", "k", "v")[1].startswith(b"MISCONF")
    at.heal()
    store.pass_ms(300)
    store.ok("SET", "k", "v")
    store.settle()
    assert store.released
    at.crash()
    assert reopened(at, store).digest() == store.digest()


def test_a_sync_fails_while_the_journal_is_switched_off() -> None:
    at = disk()
    store = DurableEngine(at)
    fill(store)
    at.fail("sync", errno.EIO, path=".hwj")
    store.ok("CONFIG", "SET", "appendonly", "no")
    store.settle()
    store.ok("SET", "k", "v")
    assert store.released
    assert not store.persistence.saving.in_progress
    store.ok("CONFIG", "SET", "appendonly", "yes")
    store.settle()
    store.ok("SET", "k", "w")
    at.kill()
    assert reopened(at, store).digest() == store.digest()


@pytest.mark.parametrize("policy", ["always", "everysec"])
def test_a_sync_fails_while_a_rewrite_takes_its_place(policy: str) -> None:
    """What comes of the rewrite that was given up is not what comes of the one that follows."""
    at = disk()
    store = DurableEngine(at, appendfsync=policy)
    fill(store)
    store.settle()
    store.ok("BGREWRITEAOF")
    saving, thread = store.persistence.saving, store.persistence._thread
    assert thread is not None
    thread.drain()
    snapshot = saving._snapshot
    assert snapshot is not None
    while not snapshot.file.done:
        snapshot.step(1000)
    at.fail("sync", errno.EIO, path=".hwj")
    store.clock.advance(1100)
    store.ok("SET", "doubtful", "x")
    store.engine.tick()  # the sync is on its way, and fails
    store.persistence.work()  # and so is the new manifest
    assert saving.is_rewriting
    store.settle()
    store.pass_ms(11_000)
    store.settle()
    assert store.released
    store.ok("SET", "k", "v")
    store.settle()
    if policy == "always":
        at.crash()
    else:
        at.kill()
    assert reopened(at, store).digest() == store.digest()


def test_rewrites_that_fail_are_not_tried_all_the_time() -> None:
    at = disk()
    store = DurableEngine(at, auto_aof_rewrite_min_size="20kb")
    at.fail("create", errno.ENOSPC, times=None, path=".rdb")
    for _ in range(500):
        store.ok("SET", "k", "x" * 100)
    for _ in range(300):
        store.pass_ms(1000)
        store.settle()
    saving = store.persistence.saving
    assert 2 <= saving.rewrites < 6
    journal = store.persistence.journal
    assert journal is not None
    assert journal.manifest is not None
    assert len(journal.manifest.segments) < 7, "each leaves one"
    at.heal()
    store.pass_ms(600_000)
    store.settle()
    assert len(journal.manifest.segments) == 1


def test_a_clock_that_is_set_back_does_not_stop_what_is_tried_again() -> None:
    at = disk()
    store = DurableEngine(at, appendfsync="always")
    fill(store)
    store.settle()
    at.fail("sync", errno.EIO, times=None)
    store.ok("SET", "doubtful", "x")
    store.settle()
    at.heal()
    store.clock.advance(-1_000_000)
    store.pass_ms(300)
    store.settle()
    assert store.released
    at.crash()
    assert reopened(at, store).digest() == store.digest()


def test_waitaof_tells_what_a_start_would_find() -> None:
    at = disk()
    store = DurableEngine(at, appendonly="no", appendfsync="always")
    fill(store)
    store.ok("CONFIG", "SET", "appendonly", "yes")
    store.ok("SET", "k", "v")
    thread = store.persistence._thread
    assert thread is not None
    thread.drain()
    store.client.send("WAITAOF", "1", "0", "0")
    store.pass_ms(500)
    assert store.client.read_all() == [], "the base is not complete"
    store.settle()
    store.pass_ms(200)
    thread.drain()
    assert store.client.read_all() == [("*", [(":", 1), (":", 0)])]
    at.crash()
    assert reopened(at, store).digest() == store.digest()


def test_waitaof_ends_when_the_journal_does() -> None:
    at = disk()
    store = DurableEngine(at)
    at.fail("sync", errno.EIO, times=None)
    store.ok("SET", "k", "v")
    store.client.send("WAITAOF", "1", "0", "0")
    store.settle()
    assert store.client.read_all() == []
    other = Client(store.engine, 1, 2)
    assert other.ok("CONFIG", "SET", "appendonly", "no") == b"OK"
    [(kind, text)] = store.client.read_all()
    assert kind == "-"
    assert b"appendonly is disabled" in text


def test_a_journal_is_not_begun_in_the_middle_of_a_transaction() -> None:
    at = disk()
    store = DurableEngine(at, appendonly="no")
    for words in (
        ("MULTI",),
        ("SET", "a", "1"),
        ("CONFIG", "SET", "appendonly", "yes"),
        ("SET", "b", "2"),
        ("CONFIG", "SET", "appendonly", "no"),
        ("CONFIG", "SET", "appendonly", "yes"),
        ("SET", "c", "3"),
        ("EXEC",),
    ):
        store.ok(*words)
    assert store.released
    store.pass_ms(200)
    store.settle()
    at.kill()
    assert reopened(at, store).digest() == store.digest()


def test_a_transaction_in_which_the_journal_ends() -> None:
    at = disk()
    store = DurableEngine(at, appendfsync="always")
    store.ok("MULTI")
    store.ok("SET", "a", "1")
    store.ok("CONFIG", "SET", "appendonly", "no")
    store.ok("SET", "b", "2")
    store.ok("EXEC")
    store.settle()
    assert store.released


def test_a_rewrite_stays_where_the_journal_is() -> None:
    at = SimulatedDisk(DIRECTORY, "/other")
    store = DurableEngine(at)
    fill(store)
    store.engine.config.assign("dir", ["/other"])
    store.ok("BGREWRITEAOF")
    store.settle()
    at.kill()
    assert reopened(at, store).digest() == store.digest()


def test_killed_before_the_base_of_a_new_journal_is_complete() -> None:
    at = disk()
    store = DurableEngine(at, appendonly="no")
    fill(store)
    store.ok("SAVE")
    digest = store.digest()
    store.ok("CONFIG", "SET", "appendonly", "yes")
    store.ok("SET", "k", "v")
    at.kill()
    store.persistence.saving.abort()
    again = reopened(at, store)
    assert again.digest() == digest
    again.ok("SET", "k", "w")
    at.kill()
    assert reopened(at, again).digest() == again.digest()


def test_a_journal_that_cannot_be_begun_is_refused() -> None:
    at = disk()
    store = DurableEngine(at, appendonly="no")
    fill(store)
    at.fail("create", errno.EACCES, times=None, path=".hwj")
    at.fail("create", errno.EACCES, times=None, path=".hwj.unlisted")
    reply = store.call("CONFIG", "SET", "appendonly", "yes")
    assert reply[0] == "-"
    assert reply[1].endswith(b"Unable to turn on AOF. Check server logs.")
    assert store.ok("CONFIG", "GET", "appendonly") == [("$", b"appendonly"), ("$", b"no")]
    store.ok("SET", "k", "v")
    assert store.released, "there is no journal to wait for"
    at.heal()
    store.ok("CONFIG", "SET", "appendonly", "yes")
    store.settle()
    at.kill()
    assert reopened(at, store).digest() == store.digest()


def test_switched_off_at_the_moment_it_was_complete() -> None:
    at = disk()
    store = DurableEngine(at, appendonly="no")
    fill(store)
    store.ok("CONFIG", "SET", "appendonly", "yes")
    snapshot = store.persistence.saving._snapshot
    assert snapshot is not None
    while not snapshot.file.done:
        snapshot.step(1000)
    store.persistence.work()  # the thread puts the manifest in place
    store.ok("CONFIG", "SET", "appendonly", "no")
    at.kill()
    assert reopened(at, store).digest() == store.digest()


def test_a_journal_that_was_given_up_stops_no_start() -> None:
    for operation in ("sync_directory", "replace", "create", "sync"):
        for after in range(8):
            for switched_on in (True, False):
                at = disk()
                store = DurableEngine(at, appendonly="no" if switched_on else "yes")
                fill(store, 24)
                store.settle()
                states = [DurableEngine(disk(), store.clock.now_ms).digest(), store.digest()]
                if switched_on:
                    at.fail(operation, errno.EIO, after=after)
                    store.call("CONFIG", "SET", "appendonly", "yes")
                else:
                    at.fail("sync", errno.EIO, path=".hwj")
                    at.fail(operation, errno.EIO, after=after)
                    store.clock.advance(2000)
                    store.engine.tick()
                store.settle()
                at.kill()
                at.heal()
                found = reopened(at, store).digest()
                assert found in states[not switched_on :], (operation, after, switched_on)


def test_stopped_while_data_is_loaded() -> None:
    at = disk()
    store = DurableEngine(at)
    fill(store)
    at.kill()
    config = Config()
    config.assign("dir", [DIRECTORY])
    persistence = Engine(config, store.clock, at).persistence
    persistence.open(lambda call: None)
    assert persistence.load_step(0)
    persistence.close()
    assert not persistence.load_step(1_000_000), "a call that was on its way"
    assert not persistence.has_journal()
    assert reopened(at, store).digest() == store.digest()
