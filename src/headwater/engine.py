"""The engine: keyspace, commands, settings and persistence put together, without sockets.

Whoever drives it (the server, an embedding program) gives it sessions, calls `run_due` when
`next_ms` says so, and `tick` ten times a second; while that has more to do, `clean` in between.
What was published leaves when it calls `channels.deliver`. The engine lives in memory until
`persistence` is opened.
"""

from __future__ import annotations

from collections.abc import Callable

from headwater.clock import Clock
from headwater.commands import load_all
from headwater.commands.access import Access
from headwater.commands.blocking import serve_due, serve_ready
from headwater.commands.channels import Channels
from headwater.commands.latency import LatencyMonitor
from headwater.commands.leases import Leases
from headwater.commands.scripts import Scripting
from headwater.commands.slowlog import Slowlog
from headwater.commands.state import ServerState
from headwater.commands.table import CommandTable
from headwater.commands.upkeep import run_due
from headwater.config import Config
from headwater.journal.disk import Disk
from headwater.keyspace.database import Keyspace
from headwater.keyspace.notifications import KEYEVENT, KEYSPACE
from headwater.keyspace.packer import Packer
from headwater.keyspace.traffic import QUIET_US, Traffic
from headwater.keyspace.waiters import Waiters
from headwater.persistence.persistence import Persistence
from headwater.raw import monotonic_us

EXPIRE_AT_ONCE, EXPIRE_AT_ONCE_BUSY = 1000, 200
"""Keys expired before other work gets its turn; the second while clients send requests."""

FREE_AT_ONCE = 32
FREE_US, FREE_BUSY_US = 1000, 100
"""What was dropped is freed in portions of so many units for so long, before other work gets its
turn; the second while clients send requests, so it is what each of them may wait longer. A
portion takes 10 to 100 us: that depends on how dear it is to give memory back."""

CLEAN_SHARE = 3
CLEAN_LONGEST_US = 10_000
"""Where the others take long between two turns, expiring and freeing may each take longer too:
one part in so many of their time, but no longer than this. So what clients do with many requests
in a pipeline, be it keys that expire soon, cannot outrun it."""


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
        self.keyspace.calendar.on_earlier = self.waiters.look_at
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
        self.state.access = Access(self.state)
        self.state.leases = Leases(self.state)
        self.persistence = Persistence(self.state, config, disk)
        self.state.persistence = self.persistence
        self.packer = Packer(self.keyspace, lambda: self.state.commands_processed)
        self.state.packer = self.packer
        self.channels = Channels(self.state)
        self.state.channels = self.channels
        self.state.scripting = Scripting(self.state)
        self.keyspace.notifier = self.channels.announce
        self._traffic = Traffic()
        self._cleaned_us = 0  # when cleaning stopped although there was more to do; 0: it did not
        self._apply_settings()
        config.on_change(_SETTINGS, self._apply_settings)

    def _apply_settings(self) -> None:
        """Copy the directives that hot code reads to where it finds them."""
        config, state = self.config, self.state
        state.memory.configure(
            config.get_int("maxmemory"),
            config.get_text("maxmemory-policy"),
            config.get_int("maxmemory-samples"),
        )
        state.over_memory = state.memory.over
        state.node_max_entries = config.get_int("stream-node-max-entries")
        state.node_max_bytes = config.get_int("stream-node-max-bytes")
        self.keyspace.list_fill = config.get_int("list-max-listpack-size")
        state.idmp_duration_s = config.get_int("stream-idmp-duration")
        state.idmp_maxsize = config.get_int("stream-idmp-maxsize")
        state.slow_us = config.get_int("slowlog-log-slower-than")
        state.latency_threshold_ms = config.get_int("latency-monitor-threshold")
        self.packer.set_depth(config.get_int("stream-compress-depth"))
        self.slowlog.max_length = config.get_int("slowlog-max-len")
        state.scripting.set_limit(config.get_int("busy-reply-threshold"))
        classes = config.get_int("notify-keyspace-events")
        self.channels.classes = classes
        # Without a kind of channel to publish to, nothing is worth a look.
        self.keyspace.notify_classes = classes if classes & (KEYSPACE | KEYEVENT) else 0

    def next_ms(self) -> int:
        """Unix time in ms at which `run_due` has something to do; far away when nothing has."""
        at_ms = self.waiters.next_ms()
        return at_ms if self.state.loading else min(at_ms, self.keyspace.calendar.next_ms())

    def run_due(self) -> None:
        """Look after what is due: streams with settings, waits whose time is over, readers."""
        self.clock.refresh()
        run_due(self.state)
        serve_due(self.state)
        self.state.recorder.seal()

    def tick(self) -> bool:
        """Expire keys and free what was dropped, a bounded amount; True when there is more.

        While data is loaded nothing expires: keys that did are deleted by the journal's records.
        """
        more = self.clean()
        if not self.state.loading:
            self.state.memory.tick()
            self.state.over_memory = self.state.memory.over
            self.persistence.tick()
            self.packer.tick()
            # The timer sleeps for so long as it seemed; a clock that was set since then, or that
            # went on while the machine slept, has made it late.
            at_ms = self.next_ms()
            self.waiters.look_at(0 if at_ms <= self.clock.now_ms else at_ms)
        return more

    def clean(self) -> bool:
        """What `tick` does of expiring and freeing, alone; to be called again while it is True."""
        self.clock.refresh()
        if self.state.loading:
            return False
        keyspace = self.keyspace
        now_us = monotonic_us()
        busy = self._traffic.quiet_us(now_us, self.state.commands_processed) < QUIET_US
        earned_us = 0
        if self._cleaned_us:
            earned_us = min((now_us - self._cleaned_us) // CLEAN_SHARE, CLEAN_LONGEST_US)
        more = False
        if keyspace.active_expiry:
            at_once = EXPIRE_AT_ONCE_BUSY if busy else EXPIRE_AT_ONCE
            more = _go_on(keyspace.expire_due, at_once, earned_us)
            self.state.recorder.seal()
        if keyspace.graveyard:
            budget_us = max(FREE_BUSY_US if busy else FREE_US, earned_us)
            more = _go_on(keyspace.free_some, FREE_AT_ONCE, budget_us) or more
        if keyspace.ready:
            serve_ready(self.state)
        self._cleaned_us = monotonic_us() if more else 0
        return more


def _go_on(step: Callable[[int], bool], at_once: int, budget_us: int) -> bool:
    """Call `step(at_once)` while it says that there is more, for so long; True when there is."""
    until_us = monotonic_us() + budget_us
    while step(at_once):
        if monotonic_us() >= until_us:
            return True
    return False


_SETTINGS = (
    "maxmemory",
    "maxmemory-policy",
    "maxmemory-samples",
    "list-max-listpack-size",
    "stream-node-max-entries",
    "stream-node-max-bytes",
    "stream-compress-depth",
    "stream-idmp-duration",
    "stream-idmp-maxsize",
    "slowlog-log-slower-than",
    "slowlog-max-len",
    "busy-reply-threshold",
    "lua-time-limit",
    "latency-monitor-threshold",
    "notify-keyspace-events",
)
