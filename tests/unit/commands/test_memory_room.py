"""When memory is measured: before more than the room that was left may have been added."""

from __future__ import annotations

import pytest

from headwater.commands.memory_limit import CHANGE_BYTES, MemoryLimit
from headwater.resp.request import from_words
from support.embedded import Embedded

MIB = 1024 * 1024


class World:
    """A limit of 16 MiB, and a server whose use of memory the test says; its pages never grow."""

    def __init__(self) -> None:
        self.embedded = Embedded()
        self.used = 0
        self.limit = MemoryLimit(
            self.embedded.engine.keyspace, lambda: self.used, lambda: 100 * MIB
        )
        self.limit.configure(16 * MIB, "noeviction", 5)
        command = self.embedded.state.table.find(b"incr")
        assert command is not None
        self.command = command
        self.request = from_words([b"INCR", b"n"])

    def change(self, count: int) -> bool:
        """So many requests that change something; whether the last one was over the limit."""
        over = False
        for _ in range(count):
            over = self.limit.about_to_run(self.command, self.request)
            self.embedded.engine.keyspace.dirty += 1
            self.used += CHANGE_BYTES
        return over


@pytest.fixture
def world() -> World:
    return World()


def test_many_small_changes_are_noticed(world: World) -> None:
    assert world.change(40_000)
    assert world.used < 24 * MIB


@pytest.mark.parametrize("kept", [0, 100])
def test_a_snapshot_in_between_hides_none(world: World, kept: int) -> None:
    """Which sets the number of changes since the last one back, to those while it was written."""
    world.change(20_000)
    world.embedded.engine.keyspace.dirty = kept
    assert world.change(20_000)


def test_while_data_is_loaded_it_is_too_early_to_say() -> None:
    embedded = Embedded(maxmemory="1mb")
    assert embedded.main.error("SET", "k", 1).startswith("OOM")
    embedded.state.loading = True
    assert embedded.main.error("SET", "k", 1).startswith("LOADING")
