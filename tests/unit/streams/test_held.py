"""Which connection holds which entries: streams/held.py, beside a dict of lists."""

from __future__ import annotations

from random import Random

import pytest

from headwater.streams.held import Held


def test_what_a_holder_took_comes_in_that_order() -> None:
    held = Held()
    for handle in (5, 1, 9):
        held.take(handle, 7)
    held.take(2, 8)
    assert [held.holder_of(h) for h in (5, 1, 9, 2, 3)] == [7, 7, 7, 8, 0]
    order = []
    while handle := held.first(7):
        order.append(handle)
        assert held.drop(handle)
    assert order == [5, 1, 9]
    assert held.first(8) == 2
    assert not held.drop(9)
    assert held.length == 1


def test_nothing_is_kept_when_nobody_holds_anything() -> None:
    held = Held()
    for handle in range(1, 3000):
        held.take(handle, 1 + handle % 3)
    for handle in range(1, 3000):
        held.drop(handle)
    assert held.memory_usage() < 1000
    assert held.firsts == {}


def test_who_begins_to_hold_is_told() -> None:
    held = Held()
    held.take(1, 7)
    assert held.is_new
    held.is_new = False
    held.take(2, 7)
    assert not held.is_new
    held.drop(1)
    held.drop(2)
    held.take(2, 7)
    assert held.is_new


@pytest.mark.parametrize("seed", range(5))
def test_as_a_dict_of_lists(seed: int) -> None:
    rng = Random(seed)
    held = Held()
    model: dict[int, list[int]] = {}
    for step in range(2000):
        handle = rng.randrange(1, 60)
        owner = next((number for number, got in model.items() if handle in got), 0)
        assert held.holder_of(handle) == owner
        if owner == 0 and rng.random() < 0.6:
            number = rng.choice((1, 2, 2**32 - 1))
            held.take(handle, number)
            model.setdefault(number, []).append(handle)
        elif owner:
            assert held.drop(handle)
            model[owner].remove(handle)
        if step % 700 == 699:
            held.clear()
            model.clear()
        for number in (1, 2, 2**32 - 1):
            assert held.first(number) == (model.get(number) or [0])[0]
        held.check()
