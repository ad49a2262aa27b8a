"""headwater_clock: what is due happens, in order, when a test lets time pass."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from headwater.testing import Clock, Store

START = datetime(2026, 11, 23, 9, tzinfo=UTC)
START_MS = 1_795_424_400_000


@pytest.fixture
def clock() -> Clock:
    return Clock(START)


@pytest.fixture
def store(clock: Clock) -> Iterator[Store]:
    store = Store(clock=clock)
    yield store
    store.close()


def test_it_begins_where_it_is_told_to() -> None:
    clock = Clock(START)
    assert (clock.now_ms, clock.now, clock.time()) == (START_MS, START, START_MS / 1000)
    assert Clock().now_ms % 1000 == 0


@pytest.mark.parametrize(
    ("amount", "names", "ms"),
    [
        ([1.5], {}, 1500),
        ([timedelta(hours=1, milliseconds=7)], {}, 3_600_007),
        ([], {"ms": 12}, 12),
        ([1], {"seconds": 2, "minutes": 3, "hours": 4, "days": 5}, 446_583_000),
        ([], {}, 0),
    ],
)
def test_amounts(amount: list[Any], names: dict[str, float], ms: int) -> None:
    clock = Clock(START)
    clock.advance(*amount, **names)
    assert clock.now_ms == START_MS + ms


def test_it_goes_back_only_when_it_is_set(clock: Clock, store: Store) -> None:
    with pytest.raises(ValueError, match="use set"):
        clock.advance(-1)
    with pytest.raises(ValueError, match="time zone"):
        clock.set(datetime(2026, 1, 1))
    client = store.client()
    assert client.xadd("s", {"a": 1}) == b"%d-0" % START_MS
    clock.set(START - timedelta(days=1))
    assert client.xadd("s", {"a": 1}) == b"%d-1" % START_MS
    clock.set(START.timestamp() + 1)
    assert client.xadd("s", {"a": 1}) == b"%d-0" % (START_MS + 1000)


def test_scheduled_entries_have_the_time_they_were_due(clock: Clock, store: Store) -> None:
    client = store.client()
    for seconds in (30, 10, 20):
        client.execute_command("XSCHEDULE", "ADD", "s", "IN", seconds * 1000, "n", seconds)
    clock.advance(minutes=1)
    found = [(int(i.split(b"-")[0]) - START_MS, f[b"n"]) for i, f in client.xrange("s")]
    assert found == [(10_000, b"10"), (20_000, b"20"), (30_000, b"30")]


def test_redelivery_and_dead_letters_come_about(clock: Clock, store: Store) -> None:
    client = store.client()
    client.xgroup_create("s", "g", 0, mkstream=True)
    client.execute_command(
        "XGROUP", "CFGSET", "s", "g", "ACKWAIT", 30_000, "MAXDELIVERIES", 2, "DEADLETTER", "dead"
    )
    client.xadd("s", {"a": 1})
    for _ in range(2):
        assert len(client.xreadgroup("g", "c", {"s": ">"})[0][1]) == 1
        assert client.xreadgroup("g", "c", {"s": ">"}) == []
        clock.advance(30)
    assert client.xlen("dead") == 1


def test_a_call_that_blocks_runs_out_of_time(clock: Clock, store: Store) -> None:
    client = store.client()
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(client.xread({"s": "$"}, block=60_000)))
    thread.start()
    watching = store.client()
    while watching.info("clients")["blocked_clients"] == 0:
        pass
    clock.advance(59)
    assert watching.info("clients")["blocked_clients"] == 1
    clock.advance(1)
    thread.join()
    assert answers == [[]]


def test_two_stores_on_one_clock(clock: Clock, store: Store) -> None:
    other = Store(clock=clock)
    for one in (store, other):
        one.client().set("a", "b", px=1500)
    clock.advance(1)
    assert [one.client().exists("a") for one in (store, other)] == [1, 1]
    other.close()
    clock.advance(1)
    assert store.client().exists("a") == 0


def test_something_that_stays_due_holds_nothing_up(clock: Clock, store: Store) -> None:
    client = store.client()
    client.xgroup_create("s", "g", 0, mkstream=True)
    client.execute_command("XGROUP", "CFGSET", "s", "g", "ACKWAIT", 1000)
    client.xadd("s", {"a": 1})
    client.xreadgroup("g", "c", {"s": ">"})
    clock.advance(days=365)
    assert clock.now == START + timedelta(days=365)
    assert len(client.xreadgroup("g", "d", {"s": ">"})[0][1]) == 1
