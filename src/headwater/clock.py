"""The time that commands see: unix milliseconds, the same for all of one command.

Everything below the server takes its time from a Clock, so that a test can put one of its
own in: nothing in a stream, a group or an expiry asks the machine.
"""

from __future__ import annotations

import time

from headwater.raw import monotonic_us, unix_us


class Clock:
    """`now_ms` is the unix time in milliseconds when `refresh` or `follow` was last called."""

    __slots__ = ("_offset_us", "now_ms")

    def __init__(self) -> None:
        self.now_ms = 0
        self._offset_us = 0
        self.refresh()

    def refresh(self) -> None:
        """Read the machine's clock. A clock set back makes `now_ms` go back too, as in Redis."""
        unix = unix_us()
        self._offset_us = unix - monotonic_us()
        self.now_ms = unix // 1000

    def follow(self, at_us: int) -> None:
        """Set `now_ms` by a reading of `raw.monotonic_us` that the caller needs anyway.

        A clock that was set meanwhile shows from the next `refresh` on; the server's tick calls
        that ten times a second.
        """
        self.now_ms = (self._offset_us + at_us) // 1000

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

    def follow(self, at_us: int) -> None:
        self.now_ms = self._manual_ms

    def read_us(self) -> int:
        return self._manual_ms * 1000

    def advance(self, ms: int) -> None:
        """Let `ms` milliseconds pass."""
        self._manual_ms += ms
        self.now_ms = self._manual_ms
