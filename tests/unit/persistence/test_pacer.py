"""How a snapshot shares the loop's time; time is only what the test says."""

from __future__ import annotations

from headwater.keyspace.traffic import QUIET_US
from headwater.persistence.pacer import SLICE_US, Pacer


def test_when_nobody_asks_slices_follow_each_other() -> None:
    pacer = Pacer()
    now = 1_000_000
    pacer.start(now, 7)
    for _ in range(100):
        assert pacer.budget_us(now, 7) == SLICE_US
        pacer.worked(SLICE_US, now, now + SLICE_US)
        now += SLICE_US


def test_while_requests_come_a_quarter_of_the_time_is_the_snapshots() -> None:
    for gap_us in (50, 700, 3000):
        pacer = Pacer()
        now = requests = worked = slices = 0
        pacer.start(now, requests)
        while now < 1_000_000:
            now += gap_us  # others are served
            requests += 1
            budget = pacer.budget_us(now, requests)
            assert budget <= SLICE_US
            if budget:
                pacer.worked(budget, now, now + budget)
                now += budget
                worked += budget
                slices += 1
        assert worked <= 0.26 * now
        assert slices
        if gap_us <= 1000:
            assert worked >= 0.2 * now


def test_the_delay_ends_when_there_is_a_budget() -> None:
    pacer = Pacer()
    pacer.start(0, 0)
    pacer.worked(100, 0, 100)
    assert pacer.budget_us(200, 1) == 0
    delay = pacer.delay_us(200)
    assert delay > 0
    assert pacer.budget_us(200 + delay - 1, 2) == 0
    assert pacer.budget_us(200 + delay, 3) > 0
    assert pacer.delay_us(10_000) == 0


def test_a_slice_that_took_too_long_is_made_up_for() -> None:
    pacer = Pacer()
    pacer.start(0, 0)
    pacer.worked(300, 0, 10_300)
    assert pacer.budget_us(20_000, 1) == 0
    assert pacer.budget_us(10_300 + 30_000, 2) == 0
    assert pacer.budget_us(10_300 + 30_900, 3) == 300


def test_after_a_request_it_takes_a_while_until_nobody_is_in_a_hurry() -> None:
    pacer = Pacer()
    pacer.start(0, 0)
    pacer.worked(SLICE_US, 0, SLICE_US)
    assert pacer.budget_us(SLICE_US, 1) == 0
    assert pacer.budget_us(SLICE_US + 10, 1) == 0
    pacer.worked(SLICE_US, QUIET_US, QUIET_US + 100)
    assert pacer.budget_us(QUIET_US + SLICE_US - 1, 1) == 0
    assert pacer.budget_us(QUIET_US + SLICE_US, 1) == SLICE_US
