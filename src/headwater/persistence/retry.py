"""When something that failed is tried again."""

from __future__ import annotations


class Retry:
    """A moment at which something is tried again, whatever becomes of the clock meanwhile."""

    def __init__(self) -> None:
        self._at_ms = 0
        self._delay_ms = 0
        self.is_set = False

    def set(self, now_ms: int, delay_ms: int) -> None:
        self._at_ms = now_ms + delay_ms
        self._delay_ms = delay_ms
        self.is_set = True

    def clear(self) -> None:
        self.is_set = False

    def is_due(self, now_ms: int) -> bool:
        # If there is longer to go than it was at first, the clock was set back.
        return self.is_set and not 0 < self._at_ms - now_ms <= self._delay_ms
