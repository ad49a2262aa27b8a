"""Rates per second, for INFO: how much was done in the last moments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.raw import monotonic_us

if TYPE_CHECKING:
    from headwater.commands.state import ServerState

WINDOW = 16
"""Samples that a rate is the mean of (as Redis): 1.6 s of ten samples a second."""


class Rate:
    """How fast a counter grows."""

    __slots__ = ("_last", "_next", "_rates")

    def __init__(self, count: int) -> None:
        self._last = count
        self._rates = [0.0] * WINDOW
        self._next = 0

    def sample(self, count: int, elapsed_us: int) -> None:
        """Note the counter, so many microseconds after the sample before."""
        if elapsed_us > 0:
            # A counter that went down was reset.
            grown = max(count - self._last, 0)
            self._rates[self._next] = grown * 1_000_000 / elapsed_us
            self._next = (self._next + 1) % WINDOW
        self._last = count

    def per_second(self) -> float:
        return sum(self._rates) / WINDOW


class Sampler:
    """Samples the state's counters; the server calls `sample` about ten times a second.

    `peak_bytes`: the most memory seen, at `peak_ms`. `startup_bytes`: memory at the start.
    """

    __slots__ = (
        "_last_us",
        "_state",
        "commands",
        "input_bytes",
        "output_bytes",
        "peak_bytes",
        "peak_ms",
        "startup_bytes",
    )

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._last_us = monotonic_us()
        self.commands = Rate(state.commands_processed)
        self.input_bytes = Rate(state.read_bytes)
        self.output_bytes = Rate(state.written_bytes)
        self.startup_bytes = self.peak_bytes = state.memory.report()
        self.peak_ms = state.clock.now_ms

    def sample(self, now_ms: int) -> None:
        state = self._state
        now_us = monotonic_us()
        elapsed_us = now_us - self._last_us
        self._last_us = now_us
        self.commands.sample(state.commands_processed, elapsed_us)
        self.input_bytes.sample(state.read_bytes, elapsed_us)
        self.output_bytes.sample(state.written_bytes, elapsed_us)
        self.note_memory(state.memory.estimate(), now_ms)

    def note_memory(self, used_bytes: int, now_ms: int) -> None:
        if used_bytes > self.peak_bytes:
            self.peak_bytes = used_bytes
            self.peak_ms = now_ms
