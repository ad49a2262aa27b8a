"""The time that commands see: unix milliseconds, the same for all of one command.

Everything below the server takes its time from a Clock, so that a test can put one of its
own in: nothing in a stream, a group or an expiry asks the machine.
"""

from __future__ import annotations

import time

from headwater.raw import unix_ms


class Clock:
    """`now_ms` is the unix time in milliseconds when `refresh` was last called."""

    __slots__ = ("now_ms",)

    def __init__(self) -> None:
        self.now_ms = 0
        self.refresh()

    def refresh(self) -> None:
        """Read the machine's clock. A clock set back makes `now_ms` go back too, as in Redis."""
        self.now_ms = unix_ms()

    def read_us(self) -> int:
        """The unix time in microseconds at this very moment; for people, and for TIME."""
        return time.time_ns() // 1000


class ManualClock(Clock):
    """A clock that moves only when it is told to."""

    __slots__ = ("_manual_ms",)

    def __init__(self, now_ms: int) -> None:
        self._manual_ms = now_ms
        self.now_ms = now_ms

    def refresh(self) -> None:
        self.now_ms = self._manual_ms

    def read_us(self) -> int:
        return self._manual_ms * 1000

    def advance(self, ms: int) -> None:
        """Let `ms` milliseconds pass."""
        self._manual_ms += ms
        self.now_ms = self._manual_ms
