"""An engine with its data directory on a simulated disk, without sockets and without a loop."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from headwater.clock import ManualClock
from headwater.commands.digest import keyspace_digest
from headwater.config import Config
from headwater.engine import Engine

from .disk import SimulatedDisk
from .embedded import NOW_MS, Client
from .wire import Reply, Word

DIRECTORY = "/data"
SETTLE_SECONDS = 30


class DurableEngine:
    """One life of a server on `disk`: from its start until `stop`, or until the disk crashes.

    Directives are as a configuration file has them, with `_` for `-` in their names.
    """

    def __init__(self, disk: SimulatedDisk, now_ms: int = NOW_MS, **directives: str) -> None:
        config = Config()
        config.assign("dir", [DIRECTORY])
        for name, value in directives.items():
            config.assign(name.replace("_", "-"), [value])
        self.disk = disk
        self.clock = ManualClock(now_ms)
        self.engine = Engine(config, self.clock, disk)
        self.state = self.engine.state
        self.state.slow_us = -1
        self.persistence = self.engine.persistence
        self.calls: deque[Callable[[], None]] = deque()
        self.persistence.open(self.calls.append)
        while self.persistence.load_step(1_000_000):
            pass
        self.persistence.attach(self._nothing, self._nothing)
        self.client = Client(self.engine, 1, 2)

    def _nothing(self) -> None:
        """Replies are looked at by `released`, and `settle` lets snapshots go on."""

    def call(self, *words: Word) -> Reply:
        """Run a command and end the round of the loop; its reply may not be released yet."""
        reply = self.client.call(*words)
        self.persistence.commit()
        return reply

    def ok(self, *words: Word) -> Any:
        """`call`, of what must not be an error."""
        reply = self.call(*words)
        assert reply[0] != "-", (words, reply)
        return reply[1]

    @property
    def released(self) -> bool:
        """Whether replies to everything so far may leave."""
        recorder = self.state.recorder
        return recorder.end == recorder.released

    def deliver(self) -> None:
        """Let the loop hear what the threads have done so far."""
        while self.calls:
            self.calls.popleft()()

    def settle(self) -> None:
        """Let everything that is under way come to its end."""
        deadline = time.monotonic() + SETTLE_SECONDS
        thread: Any = self.persistence._thread
        while True:
            thread.drain()
            self.deliver()
            delay_s = self.persistence.work()
            if delay_s is None and not self.persistence.saving.in_progress:
                thread.drain()
                return
            assert time.monotonic() < deadline, "a snapshot does not come to its end"
            if delay_s:
                time.sleep(delay_s)

    def pass_ms(self, ms: int) -> None:
        """Let time pass, and happen what is due then."""
        for _ in range(0, ms, 100):
            self.clock.advance(min(ms, 100))
            self.engine.run_due()
            self.engine.tick()
            self.persistence.commit()

    def digest(self) -> str:
        return keyspace_digest(self.state.keyspace).hex()

    def stop(self) -> None:
        self.persistence.close()


def fill(store: DurableEngine, rounds: int = 30, prefix: str = "") -> None:
    """Something of everything that a data set may have."""
    for i in range(rounds):
        key = f"{prefix}s{i % 3}"
        store.ok("XADD", key, "IDMP", f"p{i % 2}", f"i{i}", "*", "orderId", f"ord-{i}", "n", i)
        store.ok("SET", f"{prefix}k{i}", "v" * i, "PX", 1_000_000 + i)
        store.clock.advance(3)
    for name in ("g", "h"):
        store.ok("XGROUP", "CREATE", f"{prefix}s0", name, "0")
    store.ok("XREADGROUP", "GROUP", "g", "c1", "COUNT", "4", "STREAMS", f"{prefix}s0", ">")
    taken = store.ok("XREADGROUP", "GROUP", "g", "c2", "COUNT", "4", "STREAMS", f"{prefix}s0", ">")
    ids = [entry[1][0][1] for entry in taken[0][1][1][1]]
    store.ok("XACK", f"{prefix}s0", "g", ids[0])
    store.ok("XNACK", f"{prefix}s0", "g", "FAIL", "IDS", "1", ids[1])
    store.clock.advance(50)
    store.ok("XCLAIM", f"{prefix}s0", "g", "c1", "0", ids[2])
    store.ok("XTRIM", f"{prefix}s1", "MAXLEN", "3")
    store.ok("XADD", f"{prefix}explicit", "1-1", "a", "b")
    store.ok("XIDMPRECORD", f"{prefix}explicit", "p", "i", "1-1")


def files(at: SimulatedDisk) -> list[str]:
    return [path.rsplit("/", 1)[1] for path in at.paths()]


def reopened(at: SimulatedDisk, before: DurableEngine, **directives: str) -> DurableEngine:
    """The next life on the same disk, at the same moment."""
    return DurableEngine(at, before.clock.now_ms, **directives)
