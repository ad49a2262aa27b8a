"""The time that commands see."""

from __future__ import annotations

import time

from headwater.clock import Clock, ManualClock
from headwater.raw import monotonic_us


def test_a_refreshed_clock_shows_the_machines_time():
    before = time.time_ns() // 1_000_000
    clock = Clock()
    clock.refresh()
    assert before <= clock.now_ms <= time.time_ns() // 1_000_000


def test_a_clock_follows_readings_of_the_monotonic_clock():
    clock = Clock()
    at_us = monotonic_us()
    clock.follow(at_us)
    at_ms = clock.now_ms
    assert abs(at_ms - time.time_ns() // 1_000_000) < 1000
    clock.follow(at_us + 2_500_000)
    assert clock.now_ms - at_ms in (2500, 2501)
    clock.follow(at_us)
    assert clock.now_ms == at_ms


def test_a_manual_clock_moves_only_when_told():
    clock = ManualClock(1000)
    clock.refresh()
    clock.follow(monotonic_us())
    assert (clock.now_ms, clock.read_us()) == (1000, 1_000_000)
    clock.advance(5)
    assert (clock.now_ms, clock.read_us()) == (1005, 1_005_000)
