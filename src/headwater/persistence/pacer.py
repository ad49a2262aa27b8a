"""How much of the event loop's time a snapshot gets.

While requests come, a slice is as long as a third of the time since the last one: so a quarter
of the time is the snapshot's, and no request waits longer than a slice for it. When none has come
for a while, slices follow each other at once.

All times are readings of `raw.monotonic_us`, given by the caller.
"""

from __future__ import annotations

from headwater.keyspace.traffic import QUIET_US, Traffic

SLICE_US = 500
"""The longest slice: what it adds to the latency of a request."""

SHARE = 3
"""The others' part of the time, in the snapshot's."""

WORTH_US = 250
"""Slices shorter than this are not worth the turn."""


class Pacer:
    """Tells a snapshot when to work, and for how long."""

    __slots__ = ("_ended_us", "_traffic")

    def __init__(self) -> None:
        self._traffic = Traffic(-1)
        self._ended_us = 0

    def start(self, now_us: int, requests: int) -> None:
        """A snapshot begins. `requests` counts those that were executed, as in `budget_us`."""
        self._traffic = Traffic(requests, now_us - QUIET_US)
        self._ended_us = now_us

    def budget_us(self, now_us: int, requests: int) -> int:
        """How long to work now; 0: not yet."""
        if self._traffic.quiet_us(now_us, requests) >= QUIET_US:
            return SLICE_US
        earned = (now_us - self._ended_us) // SHARE
        return 0 if earned < WORTH_US else min(earned, SLICE_US)

    def delay_us(self, now_us: int) -> int:
        """How long to wait after a budget of 0."""
        return max(0, self._ended_us + SHARE * WORTH_US - now_us)

    def worked(self, budget_us: int, began_us: int, ended_us: int) -> None:
        """A slice is over; one that took too long is followed by a longer pause."""
        self._ended_us = ended_us + SHARE * max(0, ended_us - began_us - budget_us)
