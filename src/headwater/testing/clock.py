"""Time that a test moves: everything that a store does by the clock happens when the test says.

Only the stores' time stands still, not Python's `time`: what a program computes from its own clock
is its own affair, so the clock starts at the present time, to the full second.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from headwater.clock import ManualClock

if TYPE_CHECKING:
    from headwater.embedded.engine import Engine

_STEPS = 10_000


class Clock:
    """The time of the stores that run by it. `manual` is what `headwater.open(clock=...)` takes."""

    __slots__ = ("_engines", "manual")

    def __init__(self, start: datetime | None = None) -> None:
        now_ms = int(time.time()) * 1000 if start is None else _unix_ms(start)
        self.manual = ManualClock(now_ms)
        self._engines: list[Engine] = []

    def __repr__(self) -> str:
        return f"<headwater_clock at {self.now.isoformat()}>"

    @property
    def now_ms(self) -> int:
        """The time in unix milliseconds, as it is in the IDs of entries."""
        return self.manual.now_ms

    @property
    def now(self) -> datetime:
        """The time, in UTC."""
        return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=self.now_ms)

    def time(self) -> float:
        """The time in unix seconds, to put in the place of `time.time`."""
        return self.now_ms / 1000

    def advance(
        self,
        amount: float | timedelta = 0,
        /,
        *,
        ms: float = 0,
        seconds: float = 0,
        minutes: float = 0,
        hours: float = 0,
        days: float = 0,
    ) -> None:
        """Let time pass; a plain number is seconds. Parts of a millisecond are left out.

        What is due meanwhile happens in its order, each at its own time: keys expire, scheduled
        entries appear, redeliveries and dead letters come about, and calls that block run out of
        time. When this returns it has happened; who waited in another thread or task is awake,
        but may not have run yet.

        Raises ValueError for a negative time.
        """
        whole = timedelta(milliseconds=ms, seconds=seconds, minutes=minutes, hours=hours, days=days)
        whole += amount if isinstance(amount, timedelta) else timedelta(seconds=amount)
        left = whole // timedelta(milliseconds=1)
        if left < 0:
            raise ValueError("time passes forwards; use set() to put the clock back")
        self._pass(left)

    def set(self, moment: datetime | float) -> None:
        """Put the clock to a moment: a datetime with a time zone, or unix seconds.

        Forwards it is as `advance`. Backwards it is a clock that was put back, for stores as for
        a Redis server: nothing is undone, and a stream's next IDs go on behind its last.
        """
        if isinstance(moment, datetime):
            at_ms = _unix_ms(moment)
        else:
            at_ms = int(moment * 1000)
        self._pass(at_ms - self.now_ms)

    def attach(self, engine: Engine) -> None:
        """A store that runs by this clock: have happen in it what is due when time passes."""
        self._engines.append(engine)

    def _pass(self, ms: int) -> None:
        engines = self._engines = [one for one in self._engines if one.is_open]
        until_ms = self.now_ms + ms
        self._step(engines, 0)  # what is due by now, and was left to the store's own thread
        # From one thing that is due to the next, unless something stays due.
        for _ in range(_STEPS):
            next_ms = min((_next_ms(one) for one in engines), default=until_ms)
            if not self.now_ms < next_ms < until_ms:
                break
            self._step(engines, next_ms - self.now_ms)
        self._step(engines, until_ms - self.now_ms)

    def _step(self, engines: list[Engine], ms: int) -> None:
        if not engines:
            self.manual.advance(ms)
            return
        for engine in engines:
            engine.advance(ms)
            ms = 0  # they have one clock


def _next_ms(engine: Engine) -> int:
    """When something is due next in a store."""
    store = engine.store
    store.entrance.enter()
    try:
        return store.engine.next_ms()
    finally:
        store.entrance.leave()


def _unix_ms(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone; give it one, such as tzinfo=datetime.UTC")
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)
