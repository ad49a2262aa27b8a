"""The calendar of streams with settings: the first moment first, moved plans, streams that move."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headwater.clock import Clock
from headwater.keyspace.calendar import NEVER, Plan
from headwater.keyspace.database import Keyspace
from headwater.streams.group import Group
from headwater.streams.settings import GroupSettings
from headwater.streams.stream import Stream
from support.embedded import Embedded


def managed_stream() -> Stream:
    stream = Stream()
    group = Group(b"g", 0, 0, 0)
    group.configure(GroupSettings(ackwait_ms=1000))
    stream.groups = {b"g": group}
    return stream


def keyspace_with(*keys: bytes) -> tuple[Keyspace, list[Plan]]:
    keyspace = Keyspace(Clock(), 3)
    plans = []
    for key in keys:
        stream = managed_stream()
        keyspace.databases[0].add(key, stream)
        assert stream.plan is not None
        plans.append(stream.plan)
    return keyspace, plans


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 50) | st.just(NEVER)), max_size=300))
def test_plans_come_up_in_the_order_of_their_moments(moves: list[tuple[int, int]]) -> None:
    keyspace, plans = keyspace_with(*(b"%d" % i for i in range(10)))
    calendar = keyspace.calendar
    for i, at_ms in moves:
        calendar.move(plans[i], at_ms)
    wanted = sorted((plan.at_ms, plan.order) for plan in plans if plan.at_ms != NEVER)
    assert calendar.next_ms() == (wanted[0][0] if wanted else NEVER)
    came = []
    while (at_ms := calendar.next_ms()) != NEVER:
        plan = calendar.take_due(at_ms)
        assert plan is not None
        came.append((at_ms, plan.order))
    assert came == wanted


def test_what_is_sooner_wins_and_rings() -> None:
    keyspace, [plan] = keyspace_with(b"s")
    calendar = keyspace.calendar
    assert calendar.take_due(0) is plan
    rung: list[int] = []
    calendar.on_earlier = rung.append
    plan.sooner(500)
    plan.sooner(700)
    plan.sooner(300)
    assert rung == [500, 300]
    assert calendar.take_due(299) is None
    assert calendar.take_due(300) is plan
    assert calendar.next_ms() == NEVER


def test_a_plain_stream_has_no_plan() -> None:
    keyspace = Keyspace(Clock(), 1)
    stream = Stream()
    keyspace.databases[0].add(b"s", stream)
    assert stream.plan is None
    assert keyspace.calendar.next_ms() == NEVER


def test_a_plan_knows_where_its_stream_is() -> None:
    keyspace, [plan] = keyspace_with(b"s")
    first, second = keyspace.databases[0], keyspace.databases[1]
    place = keyspace.calendar.place_of
    assert place(plan) is first
    keyspace.swap(0, 1)
    assert place(plan) is second
    keyspace.swap(1, 2)
    keyspace.swap(0, 2)
    assert place(plan) is first
    moved = first.remove(b"s")
    assert isinstance(moved, Stream)
    assert moved.plan is plan
    assert place(plan) is None
    second.add(b"t", moved)
    assert place(plan) is second
    assert plan.key == b"t"
    second.replace(b"t", Stream())
    assert place(plan) is None


def test_flushed_streams_have_no_place() -> None:
    keyspace, [plan] = keyspace_with(b"s")
    keyspace.flush_all()
    assert keyspace.calendar.place_of(plan) is None
    keyspace.databases[0].add(b"s", managed_stream())
    assert keyspace.calendar.place_of(plan) is None


def test_streams_that_are_gone_are_not_remembered() -> None:
    world = Embedded()
    for _ in range(5000):
        world.main.ok("XSCHEDULE", "ADD", "s", "IN", "1000000000", "f", "v")
        world.main.ok("DEL", "s")
    calendar = world.state.keyspace.calendar
    assert len(calendar._heap) < 1000
    world.main.ok("XSCHEDULE", "ADD", "s", "IN", "1000", "f", "v")
    world.pass_ms(0)
    assert calendar.next_ms() == world.clock.now_ms + 1000
