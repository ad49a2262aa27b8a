"""What all sessions of one server share, beside the keyspace.

The engine makes it; commands find everything through `session.state`.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from headwater.clock import Clock
from headwater.commands.memory_limit import MemoryLimit
from headwater.commands.queue import Transaction
from headwater.commands.stream_options import StreamOptions
from headwater.commands.table import CommandTable
from headwater.keyspace.database import Keyspace
from headwater.resp.reply import Reply

if TYPE_CHECKING:
    from headwater.commands.latency import LatencyMonitor
    from headwater.commands.session import Session
    from headwater.commands.slowlog import Slowlog
    from headwater.config import Config
    from headwater.keyspace.waiters import Waiters

NOT_PAUSED, PAUSED_WRITES, PAUSED_ALL = 0, 1, 2


class ServerState:
    """The shared state. Settings that hot code reads are kept here as numbers.

    `at_us`: while requests of one client run, when the last one ended (`raw.monotonic_us`), so
    that each costs one reading of the clock; 0 otherwise.
    `loading`: the data set is not complete yet; `ready_ms`: when it was. `write_refusal`: the error
    that commands which change something get while the disk does not take it, else b"".
    `memory` knows how much is used. `over_memory`: more than `maxmemory` allows, and nothing could
    be evicted, when the last request came.
    `access` knows the users, `channels` who subscribed to what, `scripting` scripts and functions.
    `busy`: a script that runs for too long; None unless one does.
    `leases`: which session holds entries of groups with LEASE connection.
    `packer` compresses blocks of streams. `persistence` saves and loads; `recorder` takes what
    commands did, for the journal.
    `server` is the object that owns sockets and the process (None when embedded); commands ask
    it to stop and what it listens on.
    """

    __slots__ = (
        "access",
        "at_us",
        "blocked_clients",
        "busy",
        "channels",
        "clients",
        "clock",
        "commands_processed",
        "config",
        "connections_received",
        "error_replies",
        "error_statistics",
        "idmp_duration_s",
        "idmp_maxsize",
        "keyspace",
        "last_client_id",
        "latency",
        "latency_threshold_ms",
        "leases",
        "loading",
        "memory",
        "monitors",
        "node_max_bytes",
        "node_max_entries",
        "over_memory",
        "packer",
        "paused",
        "paused_until_ms",
        "persistence",
        "postponed",
        "read_bytes",
        "ready_ms",
        "recorder",
        "rejected_connections",
        "run_id",
        "scripting",
        "server",
        "slow_us",
        "slowlog",
        "spare_transaction",
        "started_ms",
        "stream_options",
        "table",
        "unexpected_errors",
        "waiters",
        "wake_reply",
        "write_refusal",
        "written_bytes",
    )

    def __init__(
        self,
        clock: Clock,
        keyspace: Keyspace,
        table: CommandTable,
        config: Config,
        waiters: Waiters,
        slowlog: Slowlog,
        latency: LatencyMonitor,
    ) -> None:
        self.clock = clock
        self.keyspace = keyspace
        self.recorder = keyspace.recorder
        self.table = table
        self.config = config
        self.waiters = waiters
        self.slowlog = slowlog
        self.latency = latency
        self.server: Any = None
        self.persistence: Any = None
        self.packer: Any = None
        self.access: Any = None
        self.channels: Any = None
        self.scripting: Any = None
        self.leases: Any = None
        self.busy: Any = None
        self.memory = MemoryLimit(keyspace)
        self.over_memory = False
        self.spare_transaction: Transaction | None = None  # made already, for the next MULTI
        self.loading = False
        self.write_refusal = b""
        self.at_us = 0
        self.clients: dict[int, Session] = {}
        self.last_client_id = 0
        self.monitors: list[Session] = []
        self.paused = NOT_PAUSED
        self.paused_until_ms = 0
        self.postponed: list[Session] = []
        self.wake_reply = Reply()
        self.stream_options = StreamOptions()
        self.run_id = secrets.token_hex(20)
        self.started_ms = clock.now_ms
        self.ready_ms = clock.now_ms
        self.node_max_entries = 100
        self.node_max_bytes = 4096
        self.idmp_duration_s = 100
        self.idmp_maxsize = 100
        self.slow_us = 10000
        self.latency_threshold_ms = 0
        self.blocked_clients = 0
        self.reset_statistics()

    def reset_statistics(self) -> None:
        """Start counting anew (CONFIG RESETSTAT)."""
        self.commands_processed = 0
        self.connections_received = 0
        self.rejected_connections = 0
        self.read_bytes = 0
        self.written_bytes = 0
        self.error_replies = 0
        self.memory.evictor.evicted_keys = 0
        self.unexpected_errors = 0
        self.error_statistics: dict[bytes, int] = {}

    def next_client_id(self) -> int:
        self.last_client_id += 1
        return self.last_client_id

    def count_error(self, text: bytes) -> None:
        """Count an error reply under its code (INFO errorstats)."""
        self.error_replies += 1
        code = text.split(b" ", 1)[0]
        counted = self.error_statistics.get(code)
        if counted is None and len(self.error_statistics) >= MAX_ERROR_CODES:
            code = b"OTHER"
            counted = self.error_statistics.get(code)
        self.error_statistics[code] = (counted or 0) + 1


MAX_ERROR_CODES = 128
"""Codes that are counted one by one; scripts can make up codes without end."""
