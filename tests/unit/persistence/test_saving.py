"""SAVE, BGSAVE, save points and their like: what is answered, what happens, what INFO says."""

from __future__ import annotations

import errno
import threading
import time
from typing import Any

import pytest

from headwater.clock import ManualClock
from headwater.commands.digest import keyspace_digest
from headwater.keyspace.cut import Cut
from headwater.keyspace.database import Keyspace
from headwater.persistence.apply import Applier
from headwater.persistence.loading import KeyspaceSink, SnapshotLoader
from headwater.persistence.saving import Saving
from support.disk import SimulatedDisk
from support.embedded import NOW_MS, Embedded
from support.journal import apply_batch, assert_equal_state, take_all

PATH = "/data/dump.rdb"
BASE = "/data/base.rdb"
REFUSAL = "MISCONF Redis is configured to save RDB snapshots"


class World(Embedded):
    """An engine whose snapshots go to a disk in memory, in /data."""

    def __init__(self, **directives: str) -> None:
        super().__init__(2, dir="/data", enable_debug_command="yes", **directives)
        self.disk = SimulatedDisk("/data")
        self.engine.persistence.disk = self.disk
        self.works = 0
        self.saving.on_work = self._note_work

    def _note_work(self) -> None:
        self.works += 1

    @property
    def saving(self) -> Saving:
        return self.engine.persistence.saving

    @property
    def keyspace(self) -> Keyspace:
        return self.engine.keyspace

    def work(self) -> None:
        """What the loop does while a snapshot is under way, to its end."""
        while (delay_s := self.saving.work()) is not None:
            time.sleep(min(delay_s, 0.001))

    def facts(self) -> dict[str, Any]:
        return dict([*self.saving.info(), *self.saving.rewrite_info()])

    def loaded(self, path: str = PATH) -> Keyspace:
        keyspace = Keyspace(ManualClock(self.clock.now_ms), 16)
        loader = SnapshotLoader(self.disk, path, KeyspaceSink(keyspace, True), False)
        while not loader.step(100_000):
            pass
        return keyspace

    def is_saved(self) -> bool:
        """Whether the file holds what there is now."""
        return keyspace_digest(self.loaded()) == keyspace_digest(self.keyspace)

    def fail(self, times: int | None = 1) -> None:
        self.disk.fail("write", OSError(errno.ENOSPC, "No space left on device"), times=times)


def test_save() -> None:
    world = World()
    world.main.ok("SET", "a", "1")
    world.pass_ms(5000)
    assert world.main.ok("LASTSAVE") == NOW_MS // 1000
    assert world.main.call("SAVE") == ("+", b"OK")
    assert world.is_saved()
    assert world.main.ok("LASTSAVE") == NOW_MS // 1000 + 5
    facts = world.facts()
    assert facts["rdb_changes_since_last_save"] == 0
    assert facts["rdb_saves"] == 1
    assert facts["rdb_last_bgsave_time_sec"] == -1
    assert world.works == 0


def test_save_that_fails() -> None:
    world = World(save="100 1")
    world.main.ok("SET", "a", "1")
    world.fail()
    assert world.main.error("SAVE") == "ERR"
    assert world.disk.paths() == []
    assert world.facts()["rdb_changes_since_last_save"] == 1
    assert world.facts()["rdb_last_bgsave_status"] == "ok"
    assert world.main.ok("SET", "a", "2") == b"OK"


def test_bgsave() -> None:
    world = World()
    for i in range(100):
        world.main.ok("SET", f"k{i}", "v")
    digest = keyspace_digest(world.keyspace)
    assert world.main.call("BGSAVE") == ("+", b"Background saving started")
    assert world.works == 1
    facts = world.facts()
    assert facts["rdb_bgsave_in_progress"] == 1
    assert facts["rdb_current_bgsave_time_sec"] == 0
    assert facts["current_save_keys_total"] == 100
    world.main.ok("SET", "later", "v")
    world.clock.advance(3000)
    assert world.facts()["rdb_current_bgsave_time_sec"] == 3
    for command in (["BGSAVE"], ["BGSAVE", "SCHEDULE"], ["SAVE"]):
        assert world.main.error(*command) == "ERR Background save already in progress"
    world.work()
    facts = world.facts()
    assert facts["rdb_bgsave_in_progress"] == 0
    assert facts["rdb_changes_since_last_save"] == 1, "what came behind the cut"
    assert facts["rdb_last_save_time"] == NOW_MS // 1000 + 3
    assert facts["rdb_last_bgsave_time_sec"] == 3
    assert facts["rdb_current_bgsave_time_sec"] == -1
    assert facts["rdb_last_bgsave_status"] == "ok"
    assert facts["current_save_keys_total"] == 0
    assert keyspace_digest(world.loaded()) == digest
    assert world.main.ok("LASTSAVE") == NOW_MS // 1000 + 3


def test_changes_are_never_fewer_than_none() -> None:
    """Save points would come late after a snapshot that ends when they were counted anew."""
    world = World()
    world.main.ok("SET", "a", "1")
    world.main.ok("BGSAVE")
    world.keyspace.dirty = 0  # as after DEBUG LOADAOF
    world.work()
    assert world.facts()["rdb_changes_since_last_save"] == 0


def test_words_behind_bgsave() -> None:
    world = World()
    assert world.main.error("BGSAVE", "NOW") == "ERR syntax error"
    assert world.main.error("BGSAVE", "SCHEDULE", "x") == "ERR syntax error"
    assert world.main.call("BGSAVE", "schedule") == ("+", b"Background saving started")
    world.work()


def test_a_transaction_is_not_cut_in_two() -> None:
    world = World()
    main = world.main
    assert main.ok("MULTI") == b"OK"
    for command in (["SET", "a", "1"], ["BGSAVE"], ["SET", "b", "2"]):
        assert main.ok(*command) == b"QUEUED"
    assert main.ok("EXEC") == [b"OK", b"Background saving scheduled", b"OK"]
    assert not world.saving.in_progress
    world.pass_ms(100)
    world.work()
    assert world.is_saved()
    assert not world.saving.save_scheduled
    main.ok("MULTI")
    assert main.error("SAVE") == "ERR Command not allowed inside a transaction"


def test_bgsave_that_fails_refuses_changes_until_one_succeeds() -> None:
    world = World(save="3600 1000")
    main = world.main
    main.ok("SET", "a", "1")
    world.disk.put(PATH, b"old")
    world.fail()
    main.ok("BGSAVE")
    world.work()
    facts = world.facts()
    assert facts["rdb_last_bgsave_status"] == "err"
    assert facts["rdb_changes_since_last_save"] == 1
    assert facts["rdb_last_save_time"] == NOW_MS // 1000
    assert world.disk.data(PATH) == b"old"
    assert world.disk.paths() == [PATH]
    assert main.error("SET", "a", "2").startswith(REFUSAL)
    assert main.error("PING").startswith(REFUSAL)
    assert main.ok("GET", "a") == b"1"
    world.fail()
    main.ok("BGSAVE")
    world.work()
    assert main.error("SET", "a", "2").startswith(REFUSAL)
    main.ok("BGSAVE")
    world.work()
    assert main.ok("SET", "a", "2") == b"OK"
    assert world.facts()["rdb_last_bgsave_status"] == "ok"


@pytest.mark.parametrize(
    "change", [["save", ""], ["stop-writes-on-bgsave-error", "no"]], ids=["save", "stop-writes"]
)
def test_changes_are_refused_only_as_configured(change: list[str]) -> None:
    world = World(save="3600 1000")
    world.fail()
    world.main.ok("BGSAVE")
    world.work()
    assert world.main.error("SET", "a", "2").startswith(REFUSAL)
    world.main.ok("CONFIG", "SET", *change)
    assert world.main.ok("SET", "a", "2") == b"OK"


def test_save_points() -> None:
    world = World(save="60 3 10 5")
    main = world.main
    for _ in range(3):
        main.ok("SET", "a", "1")
    world.pass_ms(60_000)
    assert not world.saving.in_progress
    world.pass_ms(1)
    assert world.saving.in_progress
    world.work()
    assert world.is_saved()
    world.pass_ms(60_001)
    assert not world.saving.in_progress, "nothing has changed"
    for _ in range(5):
        main.ok("SET", "a", "2")
    world.pass_ms(0)
    assert world.saving.in_progress
    world.work()
    main.ok("CONFIG", "SET", "save", "")
    for _ in range(5):
        main.ok("SET", "a", "3")
    world.pass_ms(100_000)
    assert not world.saving.in_progress


def test_after_a_failure_a_save_point_waits_before_it_tries_again() -> None:
    world = World(save="1 1")
    world.main.ok("SET", "a", "1")
    world.fail(times=2)
    world.pass_ms(1001)
    world.work()
    assert world.facts()["rdb_saves"] == 1
    world.pass_ms(5000)
    assert not world.saving.in_progress
    world.pass_ms(1)
    world.work()
    assert world.facts()["rdb_saves"] == 2
    assert world.facts()["rdb_last_bgsave_status"] == "err"
    world.pass_ms(5001)
    world.work()
    assert world.facts()["rdb_last_bgsave_status"] == "ok"
    assert world.is_saved()


def test_without_a_name_it_fails_as_in_redis() -> None:
    world = World(dbfilename="")
    assert world.main.error("SAVE") == "ERR"
    world.main.ok("BGSAVE")
    world.work()
    assert world.facts()["rdb_last_bgsave_status"] == "err"
    assert world.disk.paths() == []


def test_flushall_gives_up_what_is_being_saved() -> None:
    world = World()
    world.main.ok("SET", "a", "1")
    world.main.ok("BGSAVE")
    world.main.ok("FLUSHALL")
    facts = world.facts()
    assert facts["rdb_bgsave_in_progress"] == 0
    assert facts["rdb_last_bgsave_status"] == "ok"
    assert world.saving.work() is None
    world.saving.close()
    assert world.disk.paths() == []


def test_flushall_with_save_points_saves_the_empty_state() -> None:
    world = World(save="3600 1")
    world.main.ok("SET", "a", "1")
    world.main.ok("SAVE")
    world.main.ok("SET", "b", "1")
    world.main.ok("BGSAVE")
    world.main.ok("FLUSHALL")
    world.pass_ms(100)
    world.work()
    assert world.loaded().databases[0].size() == 0
    assert world.facts()["rdb_changes_since_last_save"] == 0


# --- rewrites of the journal ---


class Rewrite:
    """What the journal's side does of a rewrite."""

    def __init__(self, world: World) -> None:
        self.results: list[str | None] = []
        self._saving = world.saving
        self._cut = Cut(world.keyspace)
        self._saving.rewrite_begins(self._cut)

    def begin(self) -> None:
        aux = [(b"position", b"7")]
        self._saving.begin_rewrite(self._cut, BASE, self.results.append, aux)


def test_a_rewrite() -> None:
    world = World()
    world.main.ok("SET", "a", "1")
    digest = keyspace_digest(world.keyspace)
    rewrite = Rewrite(world)
    assert world.saving.in_progress
    assert world.saving.work() is None
    world.main.ok("SET", "a", "2")
    rewrite.begin()
    assert world.main.error("BGSAVE").startswith("ERR Another child process is active (AOF?)")
    assert world.main.call("BGSAVE", "SCHEDULE") == ("+", b"Background saving scheduled")
    assert world.main.error("BGREWRITEAOF") == (
        "ERR Background append only file rewriting already in progress"
    )
    assert world.main.call("SAVE") == ("+", b"OK")
    assert world.is_saved()
    world.clock.advance(2000)
    world.work()
    assert rewrite.results == [None]
    assert keyspace_digest(world.loaded(BASE)) == digest
    assert world.facts()["aof_rewrite_in_progress"] == 1
    assert world.facts()["aof_current_rewrite_time_sec"] == 2
    world.saving.rewrite_done(None)
    facts = world.facts()
    assert facts["aof_rewrite_in_progress"] == 0
    assert facts["aof_last_rewrite_time_sec"] == 2
    assert facts["aof_current_rewrite_time_sec"] == -1
    assert facts["aof_last_bgrewrite_status"] == "ok"
    assert facts["aof_rewrites"] == 1
    assert facts["rdb_saves"] == 1
    world.main.ok("SET", "a", "3")
    world.pass_ms(100)
    world.work()
    assert world.is_saved(), "what was scheduled"


def test_a_rewrite_that_fails() -> None:
    world = World()
    rewrite = Rewrite(world)
    world.fail()
    rewrite.begin()
    world.work()
    assert len(rewrite.results) == 1
    assert "No space left" in (rewrite.results[0] or "")
    facts = world.facts()
    assert facts["aof_rewrite_in_progress"] == 0
    assert facts["aof_last_bgrewrite_status"] == "err"
    assert facts["aof_rewrites_consecutive_failures"] == 1
    assert facts["rdb_last_bgsave_status"] == "ok"
    assert world.disk.paths() == []
    Rewrite(world)
    world.saving.rewrite_failed("no segment")
    assert world.facts()["aof_rewrites_consecutive_failures"] == 2
    rewrite = Rewrite(world)
    rewrite.begin()
    world.work()
    world.saving.rewrite_done(None)
    assert world.facts()["aof_rewrites_consecutive_failures"] == 0


@pytest.mark.parametrize("begun", [True, False])
def test_a_rewrite_that_is_given_up(begun: bool) -> None:
    world = World()
    world.main.ok("SET", "a", "1")
    rewrite = Rewrite(world)
    if begun:
        rewrite.begin()
    world.saving.abort_rewrite()
    assert not world.saving.in_progress
    assert all(db.cut is None for db in world.keyspace.databases)
    rewrite.begin()
    assert world.saving.work() is None
    world.saving.close()
    assert rewrite.results == []
    assert world.disk.paths() == []
    assert world.main.ok("BGSAVE") == b"Background saving started"
    world.saving.abort_rewrite()
    assert world.saving.is_saving
    world.work()


def test_flushall_leaves_a_rewrite_alone() -> None:
    world = World(save="3600 1")
    world.main.ok("SET", "a", "1")
    rewrite = Rewrite(world)
    rewrite.begin()
    world.main.ok("FLUSHALL")
    world.work()
    assert rewrite.results == [None]
    assert world.loaded(BASE).databases[0].size() == 1
    world.saving.rewrite_done(None)
    world.pass_ms(100)
    world.work()
    assert world.loaded().databases[0].size() == 0


# --- the end ---


def test_the_last_save_replaces_what_is_under_way() -> None:
    world = World()
    world.main.ok("SET", "a", "1")
    world.main.ok("BGSAVE")
    world.main.ok("SET", "a", "2")
    assert world.saving.save_now()
    assert world.is_saved()
    world.saving.close()
    assert world.is_saved()
    world.fail()
    assert not world.saving.save_now()


def test_what_is_given_up_does_not_come_out_behind_the_next_save() -> None:
    """Its thread is about to rename the file when it is given up."""
    world = World()
    world.main.ok("SET", "a", "1")
    replace = world.disk.replace
    about_to, saved = threading.Event(), threading.Event()

    def rename(source: str, target: str) -> None:
        if about_to.is_set():
            replace(source, target)
            saved.set()
        else:
            about_to.set()
            saved.wait(0.2)  # the save must not happen before this one is over
            replace(source, target)

    world.disk.replace = rename  # type: ignore[method-assign]
    world.main.ok("BGSAVE")
    while not about_to.is_set():
        world.saving.work()
    world.main.ok("FLUSHALL")
    world.main.ok("SET", "a", "2")
    assert world.main.call("SAVE") == ("+", b"OK")
    world.saving.close()
    assert world.is_saved()


# --- DEBUG RELOAD ---


def some_keys(world: World) -> None:
    world.main.ok("SET", "a", "1", "PX", "50")
    world.main.ok("XADD", "s", "1-1", "f", "v")
    world.main.ok("XGROUP", "CREATE", "s", "g", "$")
    world.main.ok("XADD", "s", "IDMP", "p", "i", "*", "f", "v")


def test_reload_changes_nothing() -> None:
    world = World()
    some_keys(world)
    world.clock.advance(60)
    world.state.recorder.start(0, 0)
    digest = keyspace_digest(world.keyspace)
    reader, member = world.connect(), world.connect()
    reader.send("XREAD", "BLOCK", "0", "STREAMS", "s", "$")
    member.send("XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", "s", ">")
    assert member.read_all() != []
    member.send("XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", "s", ">")
    before = keyspace_digest(world.keyspace)
    assert before != digest
    end = world.state.recorder.end
    assert world.main.call("DEBUG", "RELOAD") == ("+", b"OK")
    assert keyspace_digest(world.keyspace) == before
    assert world.keyspace.databases[0].size() == 2, "the expired key is deleted when it is its turn"
    assert world.state.recorder.end == end, "nothing is recorded"
    assert world.keyspace.has_idmp
    world.main.ok("XADD", "s", "9999999999999-1", "f", "w")
    assert len(reader.read_all()) == 1
    assert len(member.read_all()) == 1
    assert world.facts()["rdb_changes_since_last_save"] > 0


def test_reload_of_another_file_is_recorded() -> None:
    world = World()
    some_keys(world)
    saved = keyspace_digest(world.keyspace)
    world.main.ok("SAVE")
    world.main.ok("SET", "b", "2")
    world.main.ok("DEL", "s")
    world.state.recorder.start(0, 0)
    end = world.state.recorder.end
    assert world.main.call("DEBUG", "RELOAD", "NOSAVE") == ("+", b"OK")
    assert keyspace_digest(world.keyspace) == saved
    assert world.state.recorder.end > end


@pytest.mark.parametrize("options", [(), ("NOSAVE",)])
def test_reload_keeps_the_form_of_lists(options: tuple[str, ...]) -> None:
    world = World()
    world.main.ok("RPUSH", "small", "a")
    world.main.ok("RPUSH", "big", *("x" * 100 for _ in range(100)))
    world.main.ok("SAVE")
    world.state.recorder.start(0, 0)
    world.main.ok("DEBUG", "RELOAD", *options)
    for key, encoding in (("small", b"listpack"), ("big", b"quicklist")):
        assert world.main.ok("OBJECT", "ENCODING", key) == encoding
    world.main.ok("RPUSH", "small", "b")
    if options:
        applier = Applier(Keyspace(world.clock, 16))
        for batch in take_all(world.state.recorder):
            apply_batch(applier, batch)
        assert_equal_state(world.keyspace, applier.keyspace)


def test_reload_without_flush() -> None:
    world = World()
    world.main.ok("SET", "a", "1")
    world.main.ok("SAVE")
    world.main.ok("SET", "a", "2")
    world.main.ok("SET", "b", "2")
    assert "RDB dump" in world.main.error("DEBUG", "RELOAD", "NOFLUSH", "NOSAVE")
    assert world.main.ok("GET", "a") == b"2"
    world.main.ok("DEBUG", "RELOAD", "MERGE", "NOFLUSH", "NOSAVE")
    assert world.main.ok("GET", "a") == b"1"
    assert world.main.ok("GET", "b") == b"2"
    assert "only supports" in world.main.error("DEBUG", "RELOAD", "MERGE", "NOW")


def test_reload_of_a_broken_file_changes_nothing() -> None:
    world = World()
    world.main.ok("SET", "a", "1")
    assert "RDB dump" in world.main.error("DEBUG", "RELOAD", "NOSAVE")
    world.disk.put(PATH, b"REDIS0011 and then nothing of the kind")
    assert "RDB dump" in world.main.error("DEBUG", "RELOAD", "NOSAVE")
    world.fail()
    assert world.main.error("DEBUG", "RELOAD") == "ERR"
    assert world.main.ok("GET", "a") == b"1"


def test_reload_while_a_snapshot_is_under_way() -> None:
    world = World()
    some_keys(world)
    digest = keyspace_digest(world.keyspace)
    rewrite = Rewrite(world)
    rewrite.begin()
    world.main.ok("DEBUG", "RELOAD")
    world.main.ok("SET", "b", "2")
    world.work()
    assert rewrite.results == [None]
    assert keyspace_digest(world.loaded(BASE)) == digest


@pytest.mark.parametrize("options", [(), ("NOSAVE",)])
def test_reload_while_bgsave_is_under_way(options: tuple[str, ...]) -> None:
    """What it saves replaces the older moment; no change is counted twice."""
    world = World()
    world.main.ok("SET", "a", "1")
    world.main.ok("SAVE")
    world.main.ok("SET", "b", "1")
    world.main.ok("BGSAVE")
    world.main.ok("SET", "a", "2")
    world.main.ok("DEBUG", "RELOAD", *options)
    world.work()
    world.saving.close()
    assert world.facts()["rdb_changes_since_last_save"] == 0
    assert world.saving.last_ok
    if not options:
        assert world.is_saved()
