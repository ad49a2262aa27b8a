"""The heap of times at which somebody who waits must be looked at."""

from __future__ import annotations

from random import Random
from typing import Any

from headwater.clock import ManualClock
from headwater.keyspace.database import Keyspace
from headwater.keyspace.waiters import NEVER, Blocked, Terms, Waiters
from headwater.resp.request import from_words


def blocked(keyspace: Keyspace, deadline_ms: int, due_ms: int) -> Blocked:
    nobody: Any = None
    request = from_words([b"XREADGROUP"])
    database = keyspace.databases[0]
    terms = Terms(nobody, database, [b"k"], b"g", True, request)
    return Blocked(nobody, terms, deadline_ms, due_ms)


def test_times_that_change_over_and_over() -> None:
    """Whatever was scheduled before, everybody comes up once, at the time that was set last."""
    random = Random(5)
    keyspace = Keyspace(ManualClock(0))
    waiters = Waiters()
    everybody = [blocked(keyspace, random.choice([0, 500]), NEVER) for _ in range(50)]
    for one in everybody:
        waiters.add(one)
    for _ in range(5000):
        one = random.choice(everybody)
        one.due_ms = random.choice([NEVER, random.randrange(1, 1000)])
        waiters.schedule(one)
    gone = everybody[::7]
    for one in gone:
        waiters.remove(one)
    expected = {}
    for one in everybody:
        at = min(one.due_ms, one.deadline_ms or NEVER)
        if one not in gone and at != NEVER:
            expected[one] = at
    found = {}
    for now_ms in range(1001):
        assert waiters.next_ms() >= now_ms
        while (one := waiters.pop_due(now_ms)) is not None:
            assert one not in found
            found[one] = now_ms
    assert found == expected
    assert waiters.next_ms() == NEVER
    for one in everybody:
        if one not in gone:
            waiters.remove(one)
    assert waiters.count == 0
    assert keyspace.databases[0].waiting == {}


def test_the_timer_is_told_of_earlier_times_only() -> None:
    keyspace = Keyspace(ManualClock(0))
    waiters = Waiters()
    told: list[int] = []
    waiters.on_earlier = told.append
    for at in (500, 700, 300, 300, 0, 200):
        waiters.add(blocked(keyspace, at, NEVER))
    assert told == [500, 300, 200]
