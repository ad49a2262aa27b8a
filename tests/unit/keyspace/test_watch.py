"""Watched keys: what marks a watcher and what does not."""

from __future__ import annotations

import pytest

from headwater.clock import ManualClock
from headwater.keyspace.database import Database, Keyspace
from headwater.keyspace.strings import String
from headwater.keyspace.watch import Watcher


class World:
    def __init__(self) -> None:
        self.clock = ManualClock(1000)
        self.keyspace = Keyspace(self.clock, 2)
        self.here, self.there = self.keyspace.databases
        self.watcher = Watcher()

    def put(self, db: Database, expire_at: int = 0) -> None:
        value = String(b"")
        value.expire_at = expire_at
        db.lookup_write(b"k")
        db.set(b"k", value)
        db.signal_modified(b"k")


@pytest.fixture
def world() -> World:
    return World()


def test_a_change_of_the_key_is_seen_and_only_of_this_one(world: World) -> None:
    world.watcher.watch(world.here, b"k")
    world.put(world.there)
    world.here.signal_modified(b"other")
    assert not world.watcher.has_changed()
    world.put(world.here)
    assert world.watcher.has_changed()
    world.watcher.clear()
    assert not world.watcher.has_changed()
    assert world.here.watched == {}


def test_a_key_is_watched_once_by_each(world: World) -> None:
    other = Watcher()
    for watcher in (world.watcher, world.watcher, other):
        watcher.watch(world.here, b"k")
    assert len(world.here.watched[b"k"]) == 2
    world.watcher.clear()
    world.put(world.here)
    assert not world.watcher.has_changed()
    assert other.has_changed()


def test_expiry_is_a_change_deleted_or_not(world: World) -> None:
    world.put(world.here, 2000)
    world.watcher.watch(world.here, b"k")
    assert not world.watcher.has_changed()
    world.clock.advance(1000)
    assert world.watcher.has_changed()
    assert not world.watcher.dirty_cas
    world.here.lookup_read(b"k")
    assert world.watcher.dirty_cas


def test_a_key_that_was_expired_before_is_as_good_as_absent(world: World) -> None:
    world.put(world.here, 2000)
    world.clock.advance(1000)
    world.watcher.watch(world.here, b"k")
    assert not world.watcher.has_changed()
    world.here.lookup_read(b"k")
    assert not world.watcher.has_changed()
    world.put(world.here)
    assert world.watcher.has_changed()


def test_a_flush_changes_what_is_there(world: World) -> None:
    world.watcher.watch(world.here, b"k")
    world.here.flush()
    assert not world.watcher.has_changed()
    world.put(world.here)
    world.watcher.clear()
    world.watcher.watch(world.here, b"k")
    world.here.flush()
    assert world.watcher.has_changed()


def test_a_flush_of_an_expired_key_changes_nothing(world: World) -> None:
    world.put(world.here, 2000)
    world.clock.advance(1000)
    world.watcher.watch(world.here, b"k")
    world.here.flush()
    assert not world.watcher.has_changed()
    world.put(world.here)
    assert world.watcher.has_changed()


@pytest.mark.parametrize("present", ["here", "there", "both"])
def test_a_swap_changes_keys_of_either_side(world: World, present: str) -> None:
    if present in ("here", "both"):
        world.put(world.here)
    if present in ("there", "both"):
        world.put(world.there)
    world.watcher.watch(world.here, b"k")
    world.watcher.watch(world.here, b"absent")
    world.keyspace.swap(0, 1)
    assert world.watcher.has_changed()


def test_a_swap_of_absent_or_expired_keys_changes_nothing(world: World) -> None:
    world.watcher.watch(world.here, b"absent")
    world.put(world.there, 2000)
    world.clock.advance(1000)
    world.watcher.watch(world.here, b"k")
    world.keyspace.swap(0, 1)
    assert not world.watcher.has_changed()
    world.keyspace.swap(0, 1)
    assert not world.watcher.has_changed()


def test_a_swap_with_one_database_is_nothing(world: World) -> None:
    world.put(world.here)
    world.watcher.watch(world.here, b"k")
    world.keyspace.swap(0, 0)
    assert not world.watcher.has_changed()
