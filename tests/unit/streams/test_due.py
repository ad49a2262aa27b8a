"""DueOrder against a sorted list, and the settings and orders of a group."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headwater.streams.due import DueOrder
from headwater.streams.redelivery import Redelivery
from headwater.streams.settings import FATAL_COUNT, MAX_MS, NEVER_MS, GroupSettings, decode

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(1, 60), st.integers(0, 9)),
        st.tuples(st.just("remove"), st.integers(1, 60), st.just(0)),
        st.tuples(st.just("take"), st.just(0), st.just(0)),
    ),
    max_size=200,
)


@given(STEPS)
def test_it_is_a_sorted_list_in_which_equals_stay_in_order(
    steps: list[tuple[str, int, int]],
) -> None:
    due = DueOrder()
    model: list[tuple[int, int, int]] = []  # (due_ms, order, handle)
    for order, (what, handle, due_ms) in enumerate(steps):
        known = [row for row in model if row[2] == handle]
        if what == "put" and not known:
            due.put(handle, due_ms)
            model.append((due_ms, order, handle))
        elif what == "remove":
            assert due.remove(handle) == bool(known)
            model = [row for row in model if row[2] != handle]
        elif what == "take" and model:
            first = min(model)
            assert (due.first_ms(), due.first()) == (first[0], first[2])
            assert due.remove(first[2])
            model.remove(first)
        due.check()
        assert due.length == len(model)
        assert all(due.has(row[2]) and due.due_ms(row[2]) == row[0] for row in model)
    twin = due.copy()
    assert [take_first(twin) for _ in range(twin.length)] == [row[2] for row in sorted(model)]
    assert due.length == len(model)
    assert twin.first() == 0


def take_first(due: DueOrder) -> int:
    handle = due.first()
    assert due.remove(handle)
    return handle


def test_what_was_forgotten_is_not_there() -> None:
    due = DueOrder()
    for handle in range(1, 3000):
        due.put(handle, -handle)
    used = due.memory_usage()
    for handle in range(1, 3000):
        assert due.remove(handle)
    assert due.memory_usage() < used // 10
    assert not due.has(5)
    assert not due.remove(10**6)


NUMBERS = st.integers(0, MAX_MS)


@given(
    st.builds(
        GroupSettings,
        NUMBERS,
        st.lists(NUMBERS, max_size=64).map(tuple),
        NUMBERS,
        st.binary(max_size=20),
        NUMBERS,
        NUMBERS,
        st.binary(max_size=20),
        st.integers(0, 1),
        NUMBERS,
        NUMBERS,
    )
)
def test_settings_are_what_was_encoded(settings: GroupSettings) -> None:
    assert decode(settings.encode()).encode() == settings.encode()


def test_waits_and_last_deliveries() -> None:
    off = GroupSettings()
    assert (off.wait_ms(1), off.backoff(1), off.is_last(10**9)) == (NEVER_MS, 0, False)
    assert not off.is_last(FATAL_COUNT)
    steps = GroupSettings(ackwait_ms=10, backoff_ms=(1, 2, 3), max_deliveries=2)
    assert [steps.wait_ms(n) for n in (0, 1, 2, 3, 4)] == [1, 1, 2, 3, 3]
    assert [steps.is_last(n) for n in (1, 2, 3)] == [False, True, True]
    assert GroupSettings(dead_letter=b"x").is_last(FATAL_COUNT)
    assert not GroupSettings(dead_letter=b"x").is_last(FATAL_COUNT - 1)


def test_the_moment_at_which_something_is_to_be_done() -> None:
    redelivery = Redelivery(GroupSettings(ackwait_ms=10, max_deliveries=2))
    assert redelivery.moment() == NEVER_MS
    redelivery.owned(1, 100, 1)
    assert (redelivery.moment(), redelivery.next_ms()) == (110, 110)
    redelivery.signalled_ms = 110
    assert (redelivery.moment(), redelivery.next_ms()) == (NEVER_MS, 110)
    redelivery.owned(2, 200, 2)
    assert redelivery.moment() == 210
    redelivery.retry_ms = 500
    assert redelivery.moment() == 500
    redelivery.removed(2)
    redelivery.released(1, 1, 0)
    assert not redelivery.deferred_ms(1)
    redelivery.released(1, 1, 777)
    assert redelivery.deferred_ms(1)
    twin = redelivery.copy()
    redelivery.clear()
    assert redelivery.moment() == NEVER_MS
    assert twin.moment() == 777
