"""The server: listeners, its clients, and the clockwork that keeps the engine going."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import socket
import stat
from collections.abc import Callable
from typing import Any

from headwater import errors
from headwater.commands.clients import end_pause_if_over
from headwater.commands.server_info import Sampler
from headwater.commands.transactions import abandon
from headwater.engine import Engine
from headwater.errors import HeadwaterError
from headwater.keyspace.waiters import NEVER
from headwater.server.background import Background
from headwater.server.connection import Connection, Shared
from headwater.server.garbage import settle
from headwater.server.gate import Gate
from headwater.server.logs import NOTICE, VERBOSE, set_level
from headwater.server.poller import AVAILABLE, Poller

Listener = asyncio.AbstractServer | socket.socket
_log = logging.getLogger("headwater")
_TICK_S = 0.1
_LOAD_SLICE_US = 20_000
_CLOSE_DEADLINE_S = 1.0
_KEEPALIVE_PROBES = 3


class Server:
    """Serves one engine on TCP and unix sockets until `request_shutdown`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.config = engine.config
        self.state = engine.state
        self.state.server = self
        self.on_ready: Callable[[], list[str]] = list
        self.sampler = Sampler(self.state)
        self.port = 0
        self.unix_path = ""
        self._bound: tuple[str, ...] = ()
        self.maxclients = self.config.get_int("maxclients")
        self._loop: asyncio.AbstractEventLoop = None  # type: ignore[assignment]
        self._shared: Shared = None  # type: ignore[assignment]
        self._poller: Poller | None = None
        self._tcp_listeners: list[Listener] = []
        self._unix_listener: Listener | None = None
        self._adopting: asyncio.Task[None] | None = None
        self._stalled: set[Connection] = set()
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

    # --- start and stop ---

    async def start(self) -> None:
        """Open the listeners and begin to load what is in the data directory.

        Raises OSError with a text that says which listener failed, HeadwaterError if the data
        directory cannot be used.
        """
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._loop.set_exception_handler(_log_exception)
        self._gate = Gate(self._loop, self.state.recorder)
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
        self.config.on_change(("port", "bind"), self._apply_address)
        path = self.config.get_path("unixsocket")
        if self.config.get_int("port") == 0 and not path:
            raise OSError("nothing to listen on: 'port' is 0 and there is no 'unixsocket'")
        persistence = self.engine.persistence
        persistence.open(self._loop.call_soon_threadsafe)
        try:
            await self._listen_tcp()
            if path:
                await self._listen_unix(path)
        except OSError:
            persistence.close()
            raise
        self._load()
        self._tick_timer = self._loop.call_later(_TICK_S, self._tick)

    async def _listen_tcp(self) -> None:
        port = self.config.get_int("port")
        words = self.config.get_words("bind")
        await self._adopt(open_sockets(words, port, self._backlog()), words, port)

    def _backlog(self) -> int:
        return self.config.get_int("tcp-backlog")

    async def _adopt(self, sockets: list[socket.socket], words: tuple[str, ...], port: int) -> None:
        """Serve on the sockets that were opened for `bind` and `port`."""
        for sock in sockets:
            self._tcp_listeners.append(await self._serve_on(sock))
        self.port = port
        self._bound = words

    def _apply_address(self) -> str | None:
        """Follow CONFIG SET of `port` and `bind`; clients that are connected stay."""
        port, words = self.config.get_int("port"), self.config.get_words("bind")
        # An address that stays must be free before it can be opened again.
        for listener in self._tcp_listeners:
            self._stop_listening(listener)
        self._tcp_listeners.clear()
        refused = None
        try:
            sockets = open_sockets(words, port, self._backlog())
        except OSError as error:
            _log.warning("%s", error.strerror or error)
            refused = "Unable to listen on this port. Check server logs."
            port, words = self.port, self._bound
            sockets = open_sockets(words, port, self._backlog())
        self._adopting = self._loop.create_task(self._adopt(sockets, words, port))
        return refused

    async def _listen_unix(self, path: str) -> None:
        permissions = self.config.get_int("unixsocketperm")
        self._unix_listener = await self._serve_on(
            open_unix_socket(path, permissions, self._backlog())
        )
        self.unix_path = path

    async def _serve_on(self, sock: socket.socket) -> Listener:
        """Accept clients from a listening socket."""
        if self._poller is None:
            return await self._loop.create_server(self._new_connection, sock=sock)
        self._poller.listen(sock)
        return sock

    def _stop_listening(self, listener: Listener) -> None:
        if isinstance(listener, socket.socket):
            assert self._poller is not None
            self._poller.unlisten(listener)
        else:
            listener.close()

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

    def request_shutdown(self) -> None:
        """Stop soon: `wait_stopped` returns."""
        self._stopping.set()

    async def wait_stopped(self) -> None:
        """Serve until somebody asks to stop, then close everything.

        Raises what made it impossible to load the data.
        """
        await self._stopping.wait()
        self._close_listeners()
        self._gate.end_round()
        self.engine.persistence.close()
        self._gate.let_go()
        self.engine.packer.close()
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

    def _close_listeners(self) -> None:
        for listener in self._tcp_listeners:
            self._stop_listening(listener)
        self._tcp_listeners.clear()
        if self._unix_listener is not None:
            self._stop_listening(self._unix_listener)
            self._unix_listener = None
        if self.unix_path:
            with contextlib.suppress(OSError):
                os.unlink(self.unix_path)

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
        set_level(config.get_text("loglevel"))

    # --- clients ---

    def _new_connection(self) -> Any:
        return Connection(self.state, self._shared)

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
        if self._protected and not state.password and not connection.is_local:
            state.rejected_connections += 1
            connection.refuse(errors.PROTECTED_MODE.text())
            return
        if self._keepalive_s and not connection.is_unix and sock is not None:
            _keep_alive(sock, self._keepalive_s)
        state.clients[connection.id] = connection
        _log.log(VERBOSE, "client %d connected from %s", connection.id, connection.address)

    def _on_gone(self, connection: Connection) -> None:
        state = self.state
        self._stalled.discard(connection)
        if state.clients.pop(connection.id, None) is None:
            return
        abandon(connection)
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
            for connection in list(self._stalled):
                self._enforce_output_limit(connection, now_ms)
            if self._timeout_s:
                self._close_idle(now_ms)
            settle()
        finally:
            self._tick_timer = self._loop.call_later(_TICK_S, self._tick)

    def _clean(self) -> float | None:
        more = self.engine.clean()
        self._gate.end_round()
        return 0 if more else None

    def _enforce_output_limit(self, connection: Connection, now_ms: int) -> None:
        limits = self.config.output_limits
        limit = limits.replica if connection.is_monitor else limits.normal
        size = connection.output_bytes()
        if limit.hard_bytes and size > limit.hard_bytes:
            over = True
        elif limit.soft_bytes and size > limit.soft_bytes:
            if not connection.output_over_since_ms:
                connection.output_over_since_ms = now_ms
            over = now_ms - connection.output_over_since_ms > 1000 * limit.soft_seconds
        else:
            connection.output_over_since_ms = 0
            over = False
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
    "loglevel",
)

_SPARE_DESCRIPTORS = 32


def open_sockets(words: tuple[str, ...], port: int, backlog: int) -> list[socket.socket]:
    """Listen on every address of `bind`; those with a `-` in front may fail. Port 0: none.

    Raises OSError with a text that names the address.
    """
    opened: list[socket.socket] = []
    if port == 0:
        return opened
    for word in words:
        optional = word.startswith("-")
        host = word[1:] if optional else word
        host = {"*": "0.0.0.0", "::*": "::"}.get(host, host)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((host, port))
            sock.listen(backlog)
            sock.setblocking(False)
        except OSError as error:
            sock.close()
            reason = error.strerror or str(error)
            if optional:
                _log.log(VERBOSE, "not listening on %s:%d: %s", host, port, reason)
                continue
            for other in opened:
                other.close()
            text = f"cannot listen on {host} port {port}: {reason}"
            raise OSError(error.errno, text) from error
        opened.append(sock)
    if not opened:
        raise OSError(f"cannot listen on any address of 'bind' at port {port}")
    return opened


def open_unix_socket(path: str, permissions: int, backlog: int) -> socket.socket:
    """Listen on a unix socket, in place of one that a server left behind.

    Raises OSError with a text that names the path.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISSOCK(os.stat(path).st_mode):
                os.unlink(path)
        sock.bind(path)
        if permissions:
            os.chmod(path, permissions)
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        reason = error.strerror or str(error)
        raise OSError(error.errno, f"cannot listen on unix socket {path}: {reason}") from error
    return sock


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


def _keep_alive(sock: Any, seconds: int) -> None:
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, seconds)
        interval = max(1, seconds // _KEEPALIVE_PROBES)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _KEEPALIVE_PROBES)
