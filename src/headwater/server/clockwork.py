"""What keeps an engine going on an event loop: the gate, timers, the tick, work in between.

Nothing here knows a socket. The server puts listeners and clients beside it; a store that is
embedded in a program has it run on the loop of a thread of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from headwater.commands.clients import end_pause_if_over
from headwater.commands.server_info import Sampler
from headwater.engine import Engine
from headwater.keyspace.waiters import NEVER
from headwater.server.background import Background
from headwater.server.gate import Gate

TICK_S = 0.1
LOAD_SLICE_US = 20_000


class Clockwork:
    """Drives one engine on one loop, from `begin` to `stop`.

    `on_tick(now_ms)` is called about ten times a second, behind what the engine does then.
    """

    def __init__(self, engine: Engine, loop: asyncio.AbstractEventLoop) -> None:
        self.engine = engine
        self.gate = Gate(loop, engine.state.recorder)
        self.sampler = Sampler(engine.state)
        self.on_tick: Callable[[int], None] | None = None
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._tick_timer: asyncio.TimerHandle | None = None
        self._saving = Background(loop, engine.persistence.work)
        self._packing = Background(loop, engine.packer.work)
        self._cleaning = Background(loop, self._clean)
        self._stopped = False

    def begin(self) -> None:
        """Take what the engine has to say, from now on."""
        engine = self.engine
        self.gate.channels = engine.channels
        engine.channels.on_owed = self.gate.schedule_messages
        engine.state.waiters.on_earlier = self._set_timer
        engine.packer.on_work = self._packing.soon

    def start_ticking(self) -> None:
        """Have the first tick in a tenth of a second."""
        self._tick_timer = self._loop.call_later(TICK_S, self._tick)

    # --- the data directory ---

    def open_directory(self) -> None:
        """Lock the data directory and get ready to load.

        Raises HeadwaterError if another process uses it or it cannot be used.
        """
        self.engine.persistence.open(self._loop.call_soon_threadsafe)

    def load(self) -> bool:
        """Load a little more; True while there is more to load.

        Raises HeadwaterError or OSError with what is wrong with the files.
        """
        persistence = self.engine.persistence
        if persistence.load_step(LOAD_SLICE_US):
            return True
        self.gate.commit = persistence.commit
        persistence.attach(self._on_journal, self._saving.soon)
        return False

    def _on_journal(self) -> None:
        """The journal has come further, or begins or ends to fail."""
        self.gate.failing = self.engine.persistence.is_failing()
        self.gate.let_go()

    # --- the end ---

    def stop(self) -> None:
        """Let out what may go, close the data directory, and stop the clockwork."""
        self._stopped = True
        self.gate.end_round()
        self.engine.channels.deliver_all()
        self.engine.persistence.close()
        self.gate.let_go()
        self.cancel()

    def cancel(self) -> None:
        """Stop the clockwork, and nothing else."""
        self._stopped = True
        self.engine.packer.close()
        self.engine.state.waiters.on_earlier = None  # what clients leave is for the next start
        for timer in (self._timer, self._tick_timer):
            if timer is not None:
                timer.cancel()
        for work in (self._saving, self._packing, self._cleaning):
            work.cancel()

    # --- time ---

    def _set_timer(self, at_ms: int) -> None:
        """Have `run_due` called at `at_ms`; called when that is earlier than was known."""
        if self._timer is not None:
            self._timer.cancel()
        delay_s = max(0, at_ms - self.engine.clock.now_ms) / 1000
        self._timer = self._loop.call_later(delay_s, self.run_due)

    def run_due(self) -> None:
        """Have the engine look after what is due, and set the timer for what is due next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiters = self.engine.state.waiters
        waiters.timer_ms = NEVER
        try:
            self.engine.run_due()
            self.gate.end_round()
        finally:
            at_ms = self.engine.next_ms()
            if at_ms < waiters.timer_ms:
                waiters.timer_ms = at_ms
                self._set_timer(at_ms)

    def tick(self) -> None:
        """What happens ten times a second, once."""
        engine = self.engine
        if engine.tick():
            self._cleaning.soon()
        self.gate.end_round()
        now_ms = engine.clock.now_ms
        self.sampler.sample(now_ms)
        end_pause_if_over(engine.state)
        if self.on_tick is not None:
            self.on_tick(now_ms)

    def _tick(self) -> None:
        try:
            self.tick()
        finally:
            if not self._stopped:
                self._tick_timer = self._loop.call_later(TICK_S, self._tick)

    def _clean(self) -> float | None:
        more = self.engine.clean()
        self.gate.end_round()
        return 0 if more else None
