"""The server: listeners and clients of one engine, on the clockwork that keeps it going."""

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
from headwater.commands.server_info import Sampler
from headwater.commands.session import Session
from headwater.commands.transactions import abandon
from headwater.config.kinds import NO_LIMIT
from headwater.engine import Engine
from headwater.errors import HeadwaterError
from headwater.server.clockwork import Clockwork
from headwater.server.connection import Connection
from headwater.server.garbage import settle
from headwater.server.gate import Gate
from headwater.server.listeners import Listeners
from headwater.server.liveness import Liveness, keep_alive
from headwater.server.logs import NOTICE, VERBOSE, set_level
from headwater.server.meanwhile import serve_meanwhile
from headwater.server.poller import AVAILABLE, Poller
from headwater.server.shared import Shared
from headwater.server.sockets import is_unix
from headwater.server.tls import Secure

_log = logging.getLogger("headwater")
_CLOSE_DEADLINE_S = 1.0
_KEEPALIVE_PARTS = 3


class Server:
    """Serves one engine: on TCP, TLS and unix sockets, until `request_shutdown`.

    A program that embeds the engine leaves the listeners out: `begin` instead of `start`, and it
    connects its own clients by `connect`.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.config = engine.config
        self.state = engine.state
        self.state.server = self
        self.on_ready: Callable[[], list[str]] = list
        self.maxclients = self.config.get_int("maxclients")
        self.let_others: Callable[[], None] | None = None
        """How clients without sockets get a turn in the middle of a request."""
        self.on_stopping: Callable[[], None] | None = None
        """Called when the server begins to stop: from then on no command may be executed."""
        self.spares_garbage = True
        """Whether Python's collector is looked after; an embedding program does that itself."""
        self.clockwork: Clockwork = None  # type: ignore[assignment]
        self._loop: asyncio.AbstractEventLoop = None  # type: ignore[assignment]
        self.shared: Shared = None  # type: ignore[assignment]
        self._poller: Poller | None = None
        self._secure: Secure = None  # type: ignore[assignment]
        self._listeners: Listeners | None = None
        self._stalled: set[Connection] = set()
        self._over: set[Connection] = set()  # above the soft limit of their output
        self._liveness = Liveness()
        self._stopping: asyncio.Event = None  # type: ignore[assignment]
        self._gate: Gate = None  # type: ignore[assignment]
        self._failure: Exception | None = None
        self._abandoned = False
        self._timeout_s = 0
        self._keepalive_s = 0
        self._protected = True

    @property
    def sampler(self) -> Sampler:
        """Who knows the rates and peaks that INFO shows."""
        return self.clockwork.sampler

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
        loop = asyncio.get_running_loop()
        self.begin(loop)
        self.config.on_change("loglevel", self._apply_loglevel)
        self._apply_loglevel()
        self.clockwork.open_directory()
        self._listeners = Listeners(
            self.config, loop, self._poller, self._secure, self._new_connection
        )
        try:
            await self._listeners.open()
        except OSError:
            self.engine.persistence.close()
            raise
        self._load()
        self.clockwork.start_ticking()

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Set up on a loop everything but listeners, data and the tick."""
        self._loop = loop
        self._stopping = asyncio.Event()
        loop.set_exception_handler(_log_exception)
        self.clockwork = Clockwork(self.engine, loop)
        self.clockwork.on_tick = self._on_tick
        self._gate = self.clockwork.gate
        self.shared = Shared(
            loop, self._gate, self._on_new, self._on_gone, self._on_stalled, self._on_pushed
        )
        self._apply_settings()
        if AVAILABLE:
            self._poller = Poller(loop, self._gate, self.shared.read_buffer, self._new_connection)
        self.config.on_change(_SETTINGS, self._apply_settings)
        self.config.on_change("maxclients", self._apply_maxclients)
        self._secure = Secure(loop, self._may_begin)
        self.clockwork.begin()

    def _load(self) -> None:
        """Load a little more, and let clients ask how far it is."""
        if self._stopping.is_set():
            return
        try:
            if self.clockwork.load():
                self._loop.call_soon(self._load)
                return
        except (HeadwaterError, OSError) as error:
            self._failure = error
            self.request_shutdown()
            return
        self.loaded()
        for line in self.on_ready():
            _log.log(NOTICE, "%s", line)

    def loaded(self) -> None:
        """All data is there: groups of clients may share a sync of the journal from now on."""
        if self._poller is not None:
            self.engine.persistence.on_group = self._poller.turn_soon

    def abandon(self) -> None:
        """End as if the process had been killed: nothing is written or said any more."""
        self.clockwork.cancel()
        self.engine.persistence.abandon()
        self._abandoned = True
        self.request_shutdown()

    # --- listeners of an embedding program ---

    async def listen_on(self, sock: socket.socket) -> socket.socket | asyncio.AbstractServer:
        """Accept clients from a listening socket too."""
        if self._poller is not None:
            self._poller.listen(sock)
            return sock
        server: asyncio.AbstractServer = await self._loop.create_server(
            self._new_connection, sock=sock
        )
        return server

    def unlisten(self, listener: socket.socket | asyncio.AbstractServer) -> None:
        """Accept no more from what `listen_on` returned."""
        if isinstance(listener, socket.socket):
            assert self._poller is not None
            self._poller.unlisten(listener)
        else:
            listener.close()

    def disconnect_sockets(self) -> None:
        """Disconnect all clients who came by a socket."""
        for client in list(self.state.clients.values()):
            if type(client) is Connection:
                client.close()

    # --- what the engine asks ---

    def serve_meanwhile(self, running: Session | None) -> None:
        """Let other clients have a turn in the middle of a request of `running`, if possible."""
        poller, let_others = self._poller, self.let_others

        def turn() -> None:
            if poller is not None:
                poller.serve_meanwhile(running)
            if let_others is not None:
                let_others()

        if poller is not None or let_others is not None:
            serve_meanwhile(turn, self.shared, self.state)

    def expect_answers(self, session: Session, within_ms: int) -> None:
        """A client holds entries: notice within about so long if its host is gone."""
        if isinstance(session, Connection) and not session.closed:
            sock = session.transport.get_extra_info("socket")
            if sock is not None:
                self._liveness.expect_answers(session, sock, within_ms, self._keepalive_s)

    def request_shutdown(self) -> None:
        """Stop soon: `wait_stopped` returns."""
        self._stopping.set()

    async def wait_stopped(self) -> None:
        """Serve until somebody asks to stop, then close everything.

        Raises what made it impossible to load the data.
        """
        await self._stopping.wait()
        if self.on_stopping is not None:
            self.on_stopping()
        if self._listeners is not None:
            self._listeners.close()
        self._secure.close()
        if not self._abandoned:
            self.clockwork.stop()
        for client in list(self.state.clients.values()):
            if isinstance(client, Connection):
                client.end()
            else:
                client.close()
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
        self.shared.max_bulk_bytes = config.get_int("proto-max-bulk-len")
        self.shared.max_query_bytes = config.get_int("client-query-buffer-limit")
        for client in self.state.clients.values():
            if isinstance(client, Connection):
                client.set_max_bulk(self.shared.max_bulk_bytes)
        self.shared.limits_output = config.output_limits.normal != NO_LIMIT
        self.shared.on_output = self._on_output

    def _apply_loglevel(self) -> None:
        set_level(self.config.get_text("loglevel"))

    # --- clients ---

    def _new_connection(self) -> Any:
        return Connection(self.state, self.shared)

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
        connection.is_unix = is_unix(sock)
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

    # --- ten times a second ---

    def _on_tick(self, now_ms: int) -> None:
        for connection in self._stalled | self._over:
            self._enforce_output_limit(connection, now_ms)
        for client in self._liveness.tick(now_ms):
            text = "client %d at %s closed: it holds entries and its host does not answer"
            _log.log(NOTICE, text, client.id, client.address)
            client.close()
        if self._timeout_s:
            self._close_idle(now_ms)
        if self.spares_garbage:
            settle()

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
)

_SPARE_DESCRIPTORS = 32


def descriptors_for(clients: int) -> int:
    """Raise the limit of open files for so many clients; returns how many it allows."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return clients
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
    if connection.is_unix or connection.transport.get_extra_info("embedded"):
        return True
    host = connection.address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
