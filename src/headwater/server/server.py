"""The server: listeners, its clients, and the clockwork that keeps the engine going."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
from collections.abc import Callable
from typing import Any

from headwater import errors
from headwater.commands import leases
from headwater.commands.clients import end_pause_if_over
from headwater.commands.server_info import Sampler
from headwater.commands.session import Session
from headwater.commands.transactions import abandon
from headwater.config.kinds import NO_LIMIT
from headwater.engine import Engine
from headwater.errors import HeadwaterError
from headwater.keyspace.waiters import NEVER
from headwater.server.background import Background
from headwater.server.connection import Connection
from headwater.server.garbage import settle
from headwater.server.gate import Gate
from headwater.server.listeners import Listeners
from headwater.server.liveness import Liveness, keep_alive
from headwater.server.logs import NOTICE, VERBOSE, set_level
from headwater.server.meanwhile import serve_meanwhile
from headwater.server.poller import AVAILABLE, Poller
from headwater.server.shared import Shared
from headwater.server.tls import Secure

_log = logging.getLogger("headwater")
_TICK_S = 0.1
_LOAD_SLICE_US = 20_000
_CLOSE_DEADLINE_S = 1.0
_KEEPALIVE_PARTS = 3


class Server:
    """Serves one engine on TCP, TLS and unix sockets until `request_shutdown`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.config = engine.config
        self.state = engine.state
        self.state.server = self
        self.on_ready: Callable[[], list[str]] = list
        self.sampler = Sampler(self.state)
        self.maxclients = self.config.get_int("maxclients")
        self._loop: asyncio.AbstractEventLoop = None  # type: ignore[assignment]
        self._shared: Shared = None  # type: ignore[assignment]
        self._poller: Poller | None = None
        self._secure: Secure = None  # type: ignore[assignment]
        self._listeners: Listeners = None  # type: ignore[assignment]
        self._stalled: set[Connection] = set()
        self._over: set[Connection] = set()  # above the soft limit of their output
        self._liveness = Liveness()
        self._timer: asyncio.TimerHandle | None = None
        self._tick_timer: asyncio.TimerHandle | None = None
        self._stopping: asyncio.Event = None  # type: ignore[assignment]
        self._gate: Gate = None  # type: ignore[assignment]
        self._saving: Background = None  # type: ignore[assignment]
        self._packing: Background = None  # type: ignore[assignment]
        self._cleaning: Background = None  # type: ignore[assignment]
        self._failure: Exception | None = None
        self._timeout_s = 0
        self._keepalive_s = 0
        self._protected = True

    @property
    def port(self) -> int:
        """The TCP port; 0 for none."""
        return 0 if self._listeners is None else self._listeners.port

    @property
    def tls_port(self) -> int:
        """The port for TLS; 0 for none."""
        return 0 if self._listeners is None else self._listeners.tls_port

    @property
    def unix_path(self) -> str:
        """Path of the unix socket; "" for none."""
        return "" if self._listeners is None else self._listeners.unix_path

    # --- start and stop ---

    async def start(self) -> None:
        """Open the listeners and begin to load what is in the data directory.

        Raises OSError with a text that says which listener or certificate is at fault,
        HeadwaterError if the data directory cannot be used.
        """
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._loop.set_exception_handler(_log_exception)
        self._gate = Gate(self._loop, self.state.recorder)
        self._gate.channels = self.engine.channels
        self.engine.channels.on_owed = self._gate.schedule_messages
        self._saving = Background(self._loop, self.engine.persistence.work)
        self._packing = Background(self._loop, self.engine.packer.work)
        self._cleaning = Background(self._loop, self._clean)
        self._shared = Shared(
            self._loop, self._gate, self._on_new, self._on_gone, self._on_stalled, self._on_pushed
        )
        self._apply_settings()
        if AVAILABLE:
            self._poller = Poller(
                self._loop, self._gate, self._shared.read_buffer, self._new_connection
            )
        self.config.on_change(_SETTINGS, self._apply_settings)
        self.config.on_change("maxclients", self._apply_maxclients)
        self.state.waiters.on_earlier = self._set_timer
        self.engine.packer.on_work = self._packing.soon
        persistence = self.engine.persistence
        persistence.open(self._loop.call_soon_threadsafe)
        self._secure = Secure(self._loop, self._may_begin)
        self._listeners = Listeners(
            self.config, self._loop, self._poller, self._secure, self._new_connection
        )
        try:
            await self._listeners.open()
        except OSError:
            persistence.close()
            raise
        self._load()
        self._tick_timer = self._loop.call_later(_TICK_S, self._tick)

    def _load(self) -> None:
        """Load a little more, and let clients ask how far it is."""
        persistence = self.engine.persistence
        if self._stopping.is_set():
            return
        try:
            if persistence.load_step(_LOAD_SLICE_US):
                self._loop.call_soon(self._load)
                return
        except (HeadwaterError, OSError) as error:
            self._failure = error
            self.request_shutdown()
            return
        self._gate.commit = persistence.commit
        persistence.attach(self._on_journal, self._saving.soon)
        if self._poller is not None:
            persistence.on_group = self._poller.turn_soon
        for line in self.on_ready():
            _log.log(NOTICE, "%s", line)

    def _on_journal(self) -> None:
        """The journal has come further, or begins or ends to fail."""
        self._gate.failing = self.engine.persistence.is_failing()
        self._gate.let_go()

    def serve_meanwhile(self, running: Session | None) -> None:
        """Let other clients have a turn in the middle of a request of `running`, if possible."""
        if self._poller is not None:
            serve_meanwhile(self._poller, self._shared, self.state, running)

    def expect_answers(self, session: Session, within_ms: int) -> None:
        """A client holds entries: notice within about so long if its host is gone."""
        if isinstance(session, Connection) and not session.closed:
            sock = session.transport.get_extra_info("socket")
            self._liveness.expect_answers(session, sock, within_ms, self._keepalive_s)

    def request_shutdown(self) -> None:
        """Stop soon: `wait_stopped` returns."""
        self._stopping.set()

    async def wait_stopped(self) -> None:
        """Serve until somebody asks to stop, then close everything.

        Raises what made it impossible to load the data.
        """
        await self._stopping.wait()
        self._listeners.close()
        self._secure.close()
        self._gate.end_round()
        self.engine.channels.deliver_all()
        self.engine.persistence.close()
        self._gate.let_go()
        self.engine.packer.close()
        self.state.waiters.on_earlier = None  # what clients leave behind is for the next start
        for timer in (self._timer, self._tick_timer):
            if timer is not None:
                timer.cancel()
        for work in (self._saving, self._packing, self._cleaning):
            work.cancel()
        for connection in list(self.state.clients.values()):
            assert isinstance(connection, Connection)
            connection.end()
        deadline = self._loop.time() + _CLOSE_DEADLINE_S
        while self.state.clients and self._loop.time() < deadline:
            await asyncio.sleep(0.005)
        for connection in list(self.state.clients.values()):
            connection.close()
        await asyncio.sleep(0)
        if self._poller is not None:
            self._poller.close()
        if self._failure is not None:
            raise self._failure

    def _apply_maxclients(self) -> str | None:
        maxclients = self.config.get_int("maxclients")
        if maxclients > self.maxclients:
            possible = descriptors_for(maxclients)
            if possible < maxclients:
                return (
                    "The operating system is not able to handle the specified number of clients, "
                    f"try with {possible}"
                )
        self.maxclients = maxclients
        return None

    def _apply_settings(self) -> None:
        config = self.config
        self._timeout_s = config.get_int("timeout")
        self._keepalive_s = config.get_int("tcp-keepalive")
        self._protected = config.get_bool("protected-mode")
        self._shared.max_bulk_bytes = config.get_int("proto-max-bulk-len")
        self._shared.max_query_bytes = config.get_int("client-query-buffer-limit")
        for connection in self.state.clients.values():
            assert isinstance(connection, Connection)
            connection.set_max_bulk(self._shared.max_bulk_bytes)
        self._shared.limits_output = config.output_limits.normal != NO_LIMIT
        self._shared.on_output = self._on_output
        set_level(config.get_text("loglevel"))

    # --- clients ---

    def _new_connection(self) -> Any:
        return Connection(self.state, self._shared)

    def _may_begin(self, handshakes: int) -> bool:
        """Whether one more TLS client may begin, beside so many that have not finished it."""
        if len(self.state.clients) + handshakes < self.maxclients:
            return True
        self.state.rejected_connections += 1
        return False

    def _on_new(self, connection: Connection) -> None:
        state = self.state
        state.connections_received += 1
        transport = connection.transport
        sock = transport.get_extra_info("socket")
        connection.is_unix = sock is not None and sock.family == socket.AF_UNIX
        if connection.is_unix:
            connection.address = f"{self.unix_path}:0"
            connection.local_address = f"{self.unix_path}:0"
        else:
            connection.address = _address(transport.get_extra_info("peername"))
            connection.local_address = _address(transport.get_extra_info("sockname"))
        connection.is_local = _is_local(connection)
        if len(state.clients) >= self.maxclients:
            state.rejected_connections += 1
            connection.refuse(errors.MAX_CLIENTS.text())
            return
        if self._protected and state.access.has_no_password and not connection.is_local:
            state.rejected_connections += 1
            connection.refuse(errors.PROTECTED_MODE.text())
            return
        if self._keepalive_s and not connection.is_unix and sock is not None:
            keep_alive(sock, self._keepalive_s, self._keepalive_s // _KEEPALIVE_PARTS)
        state.clients[connection.id] = connection
        _log.log(VERBOSE, "client %d connected from %s", connection.id, connection.address)

    def _on_gone(self, connection: Connection) -> None:
        state = self.state
        self._stalled.discard(connection)
        self._over.discard(connection)
        if state.clients.pop(connection.id, None) is None:
            return
        abandon(connection)
        leases.end(connection)
        self._liveness.forget(connection)
        self.engine.channels.forget(connection)
        if connection.is_monitor:
            state.monitors.remove(connection)
        if connection.postponed and connection in state.postponed:
            state.postponed.remove(connection)
        _log.log(VERBOSE, "client %d is gone", connection.id)

    def _on_stalled(self, connection: Connection, stalled: bool) -> None:
        if stalled:
            self._stalled.add(connection)
        else:
            self._stalled.discard(connection)

    def _on_pushed(self, connection: Connection) -> None:
        """Something was sent to a client that does not read, on another one's behalf."""
        self._enforce_output_limit(connection, self.engine.clock.now_ms)

    def _on_output(self, connection: Connection, more: int) -> None:
        """So many bytes more are about to wait for a client, or to be sent to it."""
        self._enforce_output_limit(connection, self.engine.clock.now_ms, more)

    # --- clockwork ---

    def _set_timer(self, at_ms: int) -> None:
        """Have `run_due` called at `at_ms`; called when that is earlier than was known."""
        if self._timer is not None:
            self._timer.cancel()
        delay_s = max(0, at_ms - self.engine.clock.now_ms) / 1000
        self._timer = self._loop.call_later(delay_s, self._run_due)

    def _run_due(self) -> None:
        self._timer = None
        waiters = self.state.waiters
        waiters.timer_ms = NEVER
        try:
            self.engine.run_due()
            self._gate.end_round()
        finally:
            at_ms = self.engine.next_ms()
            if at_ms < waiters.timer_ms:
                waiters.timer_ms = at_ms
                self._set_timer(at_ms)

    def _tick(self) -> None:
        try:
            if self.engine.tick():
                self._cleaning.soon()
            self._gate.end_round()
            now_ms = self.engine.clock.now_ms
            self.sampler.sample(now_ms)
            end_pause_if_over(self.state)
            for connection in self._stalled | self._over:
                self._enforce_output_limit(connection, now_ms)
            for client in self._liveness.tick(now_ms):
                text = "client %d at %s closed: it holds entries and its host does not answer"
                _log.log(NOTICE, text, client.id, client.address)
                client.close()
            if self._timeout_s:
                self._close_idle(now_ms)
            settle()
        finally:
            self._tick_timer = self._loop.call_later(_TICK_S, self._tick)

    def _clean(self) -> float | None:
        more = self.engine.clean()
        self._gate.end_round()
        return 0 if more else None

    def _enforce_output_limit(self, connection: Connection, now_ms: int, more: int = 0) -> None:
        """Close a client for whom too much waits, or has waited for too long."""
        limits = self.config.output_limits
        if connection.subscriptions is not None:
            limit = limits.pubsub
        elif connection.is_monitor and limits.normal == NO_LIMIT:
            # Nobody slows down what it is shown, so it never goes without a limit.
            limit = limits.replica
        else:
            limit = limits.normal
        size = connection.output_bytes() + more
        over = bool(limit.hard_bytes) and size > limit.hard_bytes
        if limit.soft_bytes and size > limit.soft_bytes:
            if not connection.output_over_since_ms:
                connection.output_over_since_ms = now_ms
                self._over.add(connection)
            over = over or now_ms - connection.output_over_since_ms > 1000 * limit.soft_seconds
        elif connection.output_over_since_ms:
            connection.output_over_since_ms = 0
            self._over.discard(connection)
        if over:
            _log.warning(
                "client %d at %s closed: it does not read its replies (%d bytes waited)",
                connection.id,
                connection.address,
                size,
            )
            connection.close()

    def _close_idle(self, now_ms: int) -> None:
        oldest = now_ms - 1000 * self._timeout_s
        for connection in list(self.state.clients.values()):
            if connection.last_ms < oldest:
                if connection.is_monitor or connection.postponed or connection.blocked is not None:
                    continue
                if connection.subscriptions is not None:
                    continue
                _log.log(VERBOSE, "client %d closed: idle for too long", connection.id)
                connection.close()


def _log_exception(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A failure that nobody caught goes to the server's log, with what Python knows of it."""
    _log.error("%s", context.get("message"), exc_info=context.get("exception"))


_SETTINGS = (
    "timeout",
    "tcp-keepalive",
    "protected-mode",
    "proto-max-bulk-len",
    "client-query-buffer-limit",
    "client-output-buffer-limit",
    "loglevel",
)

_SPARE_DESCRIPTORS = 32


def descriptors_for(clients: int) -> int:
    """Raise the limit of open files for so many clients; returns how many it allows."""
    import resource

    wanted = clients + _SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return clients
    for limit in ((wanted, max(hard, wanted)), (min(wanted, hard), hard)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, limit)
            break
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(clients, max(1, soft - _SPARE_DESCRIPTORS))


def _address(name: Any) -> str:
    if not name:
        return "?:0"
    host, port = name[0], name[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_local(connection: Connection) -> bool:
    if connection.is_unix:
        return True
    host = connection.address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
