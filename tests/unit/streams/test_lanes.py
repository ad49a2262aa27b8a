"""Lanes: what is in flight, held and ready; against lists and dicts that do the same."""

from __future__ import annotations

import random

import pytest

from headwater.streams.lanes import Lanes
from headwater.streams.pending import PendingEntries


class Model:
    """A group's entries by ID: those in flight, and those held, with their values."""

    def __init__(self) -> None:
        self.flying: dict[int, int] = {}
        self.held: dict[int, int] = {}

    def busy(self, value: int) -> bool:
        return value in self.flying.values() or value in self.held.values()

    def ready(self) -> list[int]:
        """The lowest held ID of each value that has nothing in flight, and all without value."""
        found = []
        seen = set(self.flying.values())
        for ms in sorted(self.held):
            value = self.held[ms]
            if value == 0 or value not in seen:
                found.append(ms)
                seen.add(value)
        return found


class Pair:
    """Lanes with the pending entries they go with, and the model."""

    def __init__(self) -> None:
        self.lanes = Lanes(b"f")
        self.pending = PendingEntries()
        self.owner = self.pending.new_owner()
        self.model = Model()
        self.next_ms = 1

    def pend(self, ms: int) -> int:
        return self.pending.deliver(ms, 0, self.owner, 5)

    def read(self, value: int) -> None:
        """A new entry comes, as `choose` treats it."""
        ms = self.next_ms
        self.next_ms += 1
        if value == 0:
            self.pend(ms)
            self.model.flying[ms] = 0
            return
        lane = self.lanes.start(value)
        assert (lane == 0) == self.model.busy(value)
        if lane:
            self.lanes.set_lane(self.pend(ms), lane)
            self.model.flying[ms] = value
        else:
            self.lanes.hold(ms, 0, value)
            self.model.held[ms] = value

    def take(self, flies: bool) -> None:
        """Deliver the first ready one."""
        ready = self.model.ready()
        handle = self.lanes.ready.first()
        assert (handle != 0) == bool(ready) == self.lanes.has_ready()
        if handle:
            ms = self.lanes.records.ms(handle)
            assert ms == ready[0]
            lane = self.lanes.take(handle, flies)
            value = self.model.held.pop(ms)
            assert (lane != 0) == (flies and value != 0)
            if flies:
                self.lanes.set_lane(self.pend(ms), lane)
                self.model.flying[ms] = value

    def leave(self, ms: int) -> None:
        """Acknowledge an entry in flight."""
        handle = self.pending.find(ms, 0)
        self.lanes.left(handle)
        self.pending.remove(handle)
        del self.model.flying[ms]

    def force(self, ms: int, value: int) -> None:
        """An entry becomes pending though others of its value may be, held or not."""
        handle = self.pend(ms)
        if not self.lanes.release(ms, 0, handle) and value:
            self.lanes.enter(handle, value)
        assert self.model.held.pop(ms, value) == value
        self.model.flying[ms] = value

    def check(self) -> None:
        self.lanes.check(self.pending)
        expected = [(ms, 0, value) for ms, value in sorted(self.model.held.items())]
        assert self.lanes.held_count == len(expected)
        flying = sorted(self.model.flying.items())
        expected += [(ms, 0, value) for ms, value in flying if value]
        assert self.lanes.describe(self.pending) == expected
        ready = self.lanes.ready.handles_from(self.lanes.records, 0, 0, 10**6)
        assert [self.lanes.records.ms(handle) for handle in ready] == self.model.ready()


@pytest.mark.parametrize("seed", range(12))
def test_any_order_of_events(seed: int) -> None:
    rng = random.Random(seed)
    values = rng.choice((1, 3, 20, 300))
    pair = Pair()
    model = pair.model
    for step in range(1500):
        what = rng.random()
        if what < 0.45:
            pair.read(rng.randrange(values + 1))
        elif what < 0.6:
            pair.take(rng.random() < 0.8)
        elif what < 0.8 and model.flying:
            pair.leave(rng.choice(sorted(model.flying)))
        elif what < 0.84 and model.held:
            ms = rng.choice(sorted(model.held))
            pair.force(ms, model.held[ms])
        elif what < 0.86:
            pair.next_ms += 1
            pair.force(pair.next_ms - 1, rng.randrange(values + 1))
        elif what < 0.9:
            low = rng.randrange(pair.next_ms)
            high = low + rng.choice((0, 3, 400))
            pair.lanes.drop_range(low, 0, high, 0)
            for ms in [ms for ms in model.held if low <= ms <= high]:
                del model.held[ms]
        elif what < 0.905:
            pair.lanes.forget_held()
            model.held.clear()
        elif what < 0.91:
            pair.lanes.all_left()
            pair.pending.clear()
            model.flying.clear()
        elif what < 0.915:
            pair.lanes = pair.lanes.copy()
        if step % 10 == 0:
            pair.check()
    pair.check()
    while model.flying:
        pair.leave(min(model.flying))
    while model.held:
        pair.take(False)
    pair.check()
    assert pair.lanes.ready.length == 0


def test_the_next_one_is_ready_when_the_one_before_has_left() -> None:
    pair = Pair()
    for value in (8, 8, 9, 8, 9):
        pair.read(value)
    assert sorted(pair.model.flying) == [1, 3]
    assert not pair.lanes.has_ready()
    pair.leave(1)
    pair.take(True)
    assert sorted(pair.model.flying) == [2, 3]
    assert not pair.lanes.has_ready()
    pair.leave(3)
    pair.take(True)
    assert sorted(pair.model.flying) == [2, 5]
    pair.check()


def test_two_of_a_value_in_flight_are_waited_for() -> None:
    pair = Pair()
    pair.read(8)
    pair.force(50, 8)
    pair.next_ms = 60
    pair.read(8)
    pair.leave(1)
    assert not pair.lanes.has_ready()
    pair.leave(50)
    assert pair.lanes.has_ready()
    pair.check()


def test_questions_about_what_is_held() -> None:
    pair = Pair()
    for _ in range(4):
        pair.read(8)
    lanes = pair.lanes
    assert [lanes.is_held(ms, 0) for ms in range(6)] == [False, False, True, True, True, False]
    assert lanes.first_held(0, 0) == (True, 2, 0)
    assert lanes.first_held(2, 1) == (True, 3, 0)
    assert lanes.first_held(4, 1) == (False, 0, 0)
    assert lanes.held_from(3, 0, 1) == [(3, 0, 8)]
    lanes.hold(3, 0, 8)  # it is held already
    assert lanes.held_count == 3
    assert lanes.is_busy(8)
    assert not lanes.is_busy(9)


def test_a_copy_is_independent() -> None:
    pair = Pair()
    for value in (8, 8, 9, 8):
        pair.read(value)
    before = pair.lanes.describe(pair.pending)
    twin, pending = pair.lanes.copy(), pair.pending.copy()
    pair.leave(1)
    pair.take(True)
    pair.read(10)
    pair.check()
    assert twin.describe(pending) == before
    twin.check(pending)
    twin.drop_range(2, 0, 2, 0)
    twin.check(pending)
    pair.check()


def test_memory_is_counted_and_given_back() -> None:
    pair = Pair()
    small = pair.lanes.memory_usage()
    for _ in range(3000):
        pair.read(8)
    each = (pair.lanes.memory_usage() - small) / 2999
    assert 44 < each < 60
    pair.lanes.forget_held()
    pair.model.held.clear()
    assert pair.lanes.memory_usage() < small + 1000
    for value in range(100, 4100):
        pair.read(value)
    assert pair.lanes.memory_usage() > small + 4000 * 24
    for ms in sorted(pair.model.flying):
        pair.leave(ms)
    pair.check()
    assert pair.lanes.memory_usage() < small + 40_000
