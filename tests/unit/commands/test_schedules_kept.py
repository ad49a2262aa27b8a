"""Scheduled entries in the journal and in snapshots: restarts, crashes, and what a record says."""

from __future__ import annotations

import struct
from random import Random
from typing import Any

import pytest

from headwater.commands import upkeep
from headwater.journal import operations as op
from headwater.journal.format import BATCH_HEADER_BYTES
from headwater.journal.recorder import Batch
from support.disk import SimulatedDisk
from support.durable import DIRECTORY, DurableEngine, reopened
from support.embedded import NOW_MS, Embedded
from support.journal import take_all
from support.scheduled import add, entries, listed, values


def catch_up(store: DurableEngine, ms: int) -> None:
    """Let time pass at once, and all happen that is due then."""
    store.clock.advance(ms)
    for _ in range(10_000):
        store.engine.run_due()
        store.persistence.commit()
        if store.engine.next_ms() > store.clock.now_ms:
            return
    raise AssertionError("what is due does not come to its end")


WORDS = (
    "XSCHEDULE ADD a IN 100 f a1",
    "XSCHEDULE ADD a IN 50 EVERY 30 f a2",
    "XSCHEDULE ADD a IN 5000 f a3 g longer",
    "XSCHEDULE CANCEL a 1",
    "XADD b * f v",
    "XSCHEDULE ADD b IN 70 f b1",
    "XSCHEDULE ADD b IN 999999 EVERY 1000 f b2",
    "COPY a c",
    "RENAME b d",
    "XSCHEDULE ADD c IN 60 f c4",
    "XSCHEDULE ADD gone IN 60 f v",
    "DEL gone",
    "XSCHEDULE ADD empty IN 60 f v",
    "XSCHEDULE CANCEL empty 1",
)


def scheduled(store: Any) -> dict[str, object]:
    """All that a client can see of schedules."""
    keys = ("a", "b", "c", "d", "empty", "gone")
    return {key: (listed(store, key), entries(store, key)) for key in keys}


@pytest.mark.parametrize("fsync", ["always", "everysec"])
@pytest.mark.parametrize("rewrite", [False, True])
def test_all_of_it_is_there_after_a_restart(fsync: str, rewrite: bool) -> None:
    disk = SimulatedDisk(DIRECTORY)
    store = DurableEngine(disk, appendonly="yes", appendfsync=fsync)
    for words in WORDS:
        store.ok(*words.split())
    catch_up(store, 200)
    if rewrite:
        store.ok("BGREWRITEAOF")
        store.settle()
    store.ok("XSCHEDULE", "ADD", "a", "IN", "10000", "f", "a4")
    store.settle()
    before, digest = scheduled(store.client), store.digest()
    assert before["a"] != before["c"]
    store.stop()
    again = reopened(disk, store, appendonly="yes", appendfsync=fsync)
    assert scheduled(again.client) == before
    assert again.digest() == digest
    assert again.ok("XSCHEDULE", "ADD", "empty", "IN", "10", "f", "v") == b"2"
    catch_up(again, 5000)
    assert values(again.client, "a").count("longer") == 1
    assert values(again.client, "empty") == ["v"]
    again.stop()


def test_all_of_it_is_in_a_snapshot() -> None:
    disk = SimulatedDisk(DIRECTORY)
    store = DurableEngine(disk, appendonly="no")
    for words in WORDS:
        store.ok(*words.split())
    for n in range(1000):
        store.ok("XSCHEDULE", "ADD", "many", "IN", 1000 + n % 7, "n", n, "pad", "x" * 100)
    catch_up(store, 200)
    store.ok("SAVE")
    store.settle()
    before, digest = scheduled(store.client), store.digest()
    rows = listed(store.client, "many COUNT 10000")
    store.stop()
    again = reopened(disk, store, appendonly="no")
    assert scheduled(again.client) == before
    assert again.digest() == digest
    assert listed(again.client, "many COUNT 10000") == rows
    catch_up(again, 2000)
    assert sorted(entry[1][1] for entry in entries(again.client, "many")) == sorted(
        str(n) for n in range(1000)
    )
    again.stop()


def test_a_snapshot_is_of_its_moment() -> None:
    disk = SimulatedDisk(DIRECTORY)
    store = DurableEngine(disk, appendonly="no")
    for n in range(500):
        store.ok("XSCHEDULE", "ADD", "s", "IN", 1000 + n, "n", n, "pad", "x" * 500)
    before, digest = listed(store.client, "s COUNT 10000"), store.digest()
    store.ok("BGSAVE")
    for n in range(0, 500, 3):
        store.ok("XSCHEDULE", "CANCEL", "s", 1 + n)
    store.ok("XSCHEDULE", "ADD", "s", "IN", "5", "f", "v")
    store.settle()
    store.stop()
    again = reopened(disk, store, appendonly="no")
    assert listed(again.client, "s COUNT 10000") == before
    assert again.digest() == digest
    again.stop()


def test_what_was_missed_while_the_server_was_down_comes_in_order() -> None:
    disk = SimulatedDisk(DIRECTORY)
    store = DurableEngine(disk, appendonly="yes", appendfsync="always")
    store.ok("XSCHEDULE", "ADD", "s", "IN", "100", "f", "a")
    store.ok("XSCHEDULE", "ADD", "s", "IN", "50", "EVERY", "100", "f", "tick")
    store.ok("XSCHEDULE", "ADD", "s", "IN", "5000", "f", "later")
    store.settle()
    store.stop()
    again = DurableEngine(disk, NOW_MS + 300, appendonly="yes", appendfsync="always")
    catch_up(again, 100)
    found = entries(again.client)
    assert [words[1] for _, words in found] == ["tick", "a", "tick", "tick", "tick"]
    assert all(int(id_.split("-")[0]) >= NOW_MS + 300 for id_, _ in found)
    again.stop()


@pytest.mark.parametrize("seed", range(6))
def test_power_failures_neither_lose_nor_repeat(seed: int) -> None:
    """The machine stops again and again; each entry is there once, in order, or still scheduled."""
    rng = Random(seed)
    disk = SimulatedDisk(DIRECTORY)
    now_ms, n = NOW_MS, 0
    for life in range(8):
        store = DurableEngine(disk, now_ms, appendonly="yes", appendfsync="always")
        for _ in range(rng.randint(1, 30)):
            store.ok("XSCHEDULE", "ADD", "s", "IN", rng.randint(0, 300), "n", n)
            n += 1
        store.settle()
        assert store.released
        if life % 3 == 1:
            store.ok("BGREWRITEAOF")
        catch_up(store, rng.choice([0, 100, 200]))
        now_ms = store.clock.now_ms
        disk.crash(rng)
    store = DurableEngine(disk, now_ms + 1000, appendonly="yes", appendfsync="always")
    catch_up(store, 100)
    found = [int(value) for value in values(store.client)]
    assert sorted(found) == list(range(n))
    assert listed(store.client) == []
    store.stop()


def test_the_journal_says_what_happened() -> None:
    world = Embedded()
    add(world.main, "s IN 1000 f v")
    add(world.main, "s IN 10 EVERY 100 f v")
    recorder = world.state.recorder
    recorder.start(0, 0)
    add(world.main, "s IN 5 EVERY 10 f v")
    world.main.ok("XSCHEDULE", "CANCEL", "s", "1")
    world.main.ok("XSCHEDULE", "CANCEL", "s", "3")
    world.pass_ms(20)
    (batch,) = take_all(recorder)
    key = struct.pack("<II", 0, 1) + b"s"
    fields = b"*2\r\n$1\r\nf\r\n$1\r\nv\r\n"
    scheduled = b"\x31" + key + struct.pack("<Qqq", 3, NOW_MS + 5, 10)
    assert bodies(batch) == [
        scheduled + struct.pack("<I", len(fields)) + fields,
        b"\x32" + key + struct.pack("<Q", 1),
        b"\x32" + key + struct.pack("<Q", 3),
        struct.pack("<Bqq", op.LIMITS, 100, 4096)
        + (b"\x33" + key + struct.pack("<QqQQ", 2, NOW_MS + 110, NOW_MS + 20, 0)),
    ]


def bodies(batch: Batch) -> list[bytes]:
    """The bodies of a batch's records."""
    found = []
    pos = BATCH_HEADER_BYTES
    while pos < batch.size:
        (n,) = struct.unpack_from("<I", batch.buf, pos)
        found.append(bytes(batch.buf[pos + 8 : pos + 8 + n]))
        pos += 8 + n
    return found


def test_the_journal_says_it_once() -> None:
    """What is due costs the journal no second copy of the entry."""
    store = DurableEngine(SimulatedDisk(DIRECTORY), appendonly="yes", appendfsync="everysec")
    store.ok("XSCHEDULE", "ADD", "s", "IN", "100", "f", "x" * 10_000)
    end = store.state.recorder.end
    assert end > 10_000
    catch_up(store, 100)
    assert values(store.client) == ["x" * 10_000]
    assert store.state.recorder.end < end + 200
    store.stop()


def test_due_entries_wait_for_a_slow_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "JOURNAL_BACKLOG_BYTES", 10)
    store = DurableEngine(SimulatedDisk(DIRECTORY), appendonly="yes", appendfsync="always")
    store.ok("XSCHEDULE", "ADD", "s", "IN", "100", "f", "v")
    store.settle()
    recorder = store.state.recorder
    released, recorder.released = recorder.released, recorder.end - 11
    store.clock.advance(100)
    store.engine.run_due()
    recorder.released = released
    assert values(store.client) == []
    catch_up(store, 500)
    assert values(store.client) == ["v"]
    store.stop()
