"""The engine: keyspace, commands, settings and persistence put together, without sockets.

Whoever drives it (the server, an embedding program) gives it sessions, calls `run_due` when
`next_ms` says so, and `tick` ten times a second. It lives in memory until `persistence` is
opened.
"""

from __future__ import annotations

from headwater.clock import Clock
from headwater.commands import load_all
from headwater.commands.blocking import serve_due, serve_ready
from headwater.commands.latency import LatencyMonitor
from headwater.commands.slowlog import Slowlog
from headwater.commands.state import ServerState
from headwater.commands.table import CommandTable
from headwater.config import Config
from headwater.journal.disk import Disk
from headwater.keyspace.database import Keyspace
from headwater.keyspace.waiters import Waiters
from headwater.persistence.persistence import Persistence
from headwater.raw import monotonic_us

EXPIRE_AT_ONCE = 1000
"""Keys expired before other work gets its turn."""

FREE_AT_ONCE = 64
FREE_US = 1000
"""What was dropped is freed in portions of so many units for so long, before other work gets its
turn. A portion takes 10 to 500 us: that depends on how dear it is to give memory back."""


class Engine:
    """One store. `state` is what its sessions share; `config` may change while it runs."""

    def __init__(
        self, config: Config, clock: Clock | None = None, disk: Disk | None = None
    ) -> None:
        load_all()
        self.config = config
        self.clock = clock or Clock()
        self.keyspace = Keyspace(self.clock, config.get_int("databases"))
        self.waiters = Waiters()
        self.keyspace.waiters = self.waiters
        self.slowlog = Slowlog()
        self.latency = LatencyMonitor()
        self.state = ServerState(
            self.clock,
            self.keyspace,
            CommandTable(),
            config,
            self.waiters,
            self.slowlog,
            self.latency,
        )
        self.persistence = Persistence(self.state, config, disk)
        self.state.persistence = self.persistence
        self._apply_settings()
        config.on_change(_SETTINGS, self._apply_settings)

    def _apply_settings(self) -> None:
        """Copy the directives that hot code reads to where it finds them."""
        config, state = self.config, self.state
        state.password = config.get_bytes("requirepass")
        state.node_max_entries = config.get_int("stream-node-max-entries")
        state.node_max_bytes = config.get_int("stream-node-max-bytes")
        state.idmp_duration_s = config.get_int("stream-idmp-duration")
        state.idmp_maxsize = config.get_int("stream-idmp-maxsize")
        state.slow_us = config.get_int("slowlog-log-slower-than")
        state.latency_threshold_ms = config.get_int("latency-monitor-threshold")
        self.slowlog.max_length = config.get_int("slowlog-max-len")

    def next_ms(self) -> int:
        """Unix time in ms at which `run_due` has something to do; far away when nothing has."""
        return self.waiters.next_ms()

    def run_due(self) -> None:
        """End the waits whose time is over and serve the readers whose pending entry is due."""
        self.clock.refresh()
        serve_due(self.state)
        self.state.recorder.seal()

    def tick(self) -> bool:
        """Expire keys and free what was dropped, a bounded amount; True when there is more.

        While data is loaded nothing expires: keys that did are deleted by the journal's records.
        """
        self.clock.refresh()
        keyspace = self.keyspace
        more = False
        if self.state.loading:
            return False
        if keyspace.active_expiry:
            more = keyspace.expire_due(EXPIRE_AT_ONCE)
            self.state.recorder.seal()
        if keyspace.graveyard:
            more = self._free() or more
        if keyspace.ready:
            serve_ready(self.state)
        self.persistence.tick()
        return more

    def _free(self) -> bool:
        until_us = monotonic_us() + FREE_US
        while self.keyspace.free_some(FREE_AT_ONCE):
            if monotonic_us() >= until_us:
                return True
        return False


_SETTINGS = (
    "requirepass",
    "stream-node-max-entries",
    "stream-node-max-bytes",
    "stream-idmp-duration",
    "stream-idmp-maxsize",
    "slowlog-log-slower-than",
    "slowlog-max-len",
    "latency-monitor-threshold",
)
