"""What a server listens on: TCP, TLS, a unix socket; and how that follows the configuration."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import stat
from collections.abc import Callable
from typing import Any

from headwater.config import Config
from headwater.server.certificates import DIRECTIVES, TlsError, make_context
from headwater.server.logs import VERBOSE
from headwater.server.poller import Poller
from headwater.server.sockets import AF_UNIX, own_port
from headwater.server.tls import Secure

Listener = asyncio.AbstractServer | socket.socket
_log = logging.getLogger("headwater")
_CANNOT_LISTEN = "Unable to listen on this port. Check server logs."
_CANNOT_SECURE = "Unable to update TLS configuration. Check server logs."


class _Door:
    """The listeners on one port of all addresses of `bind`."""

    __slots__ = ("is_tls", "listeners", "port", "setting", "words")

    def __init__(self, setting: str, is_tls: bool) -> None:
        self.setting = setting
        self.is_tls = is_tls
        self.port = 0
        self.words: tuple[str, ...] = ()
        self.listeners: list[Listener] = []


class Listeners:
    """The listeners of one server.

    `poller` is None where there is no epoll; asyncio then serves what `make()` gives. `secure`
    holds the certificates in force.
    """

    def __init__(
        self, config: Config, loop: Any, poller: Poller | None, secure: Secure, make: Any
    ) -> None:
        self.unix_path = ""
        self._config = config
        self._loop = loop
        self._poller = poller
        self._secure = secure
        self._make = make
        self._tcp = _Door("port", False)
        self._tls = _Door("tls-port", True)
        self._unix: Listener | None = None
        self._adopting: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The TCP port; 0 for none."""
        return self._tcp.port

    @property
    def tls_port(self) -> int:
        """The port for TLS; 0 for none."""
        return self._tls.port

    async def open(self) -> None:
        """Listen as configured, from now on as CONFIG SET says.

        Raises OSError with a text that says which listener or which file is at fault.
        """
        config = self._config
        path = config.get_path("unixsocket")
        if not config.get_int("port") and not config.get_int("tls-port") and not path:
            raise OSError(
                "nothing to listen on: 'port' and 'tls-port' are 0 and there is no 'unixsocket'"
            )
        if config.get_int("tls-port"):
            try:
                self._secure.context = make_context(config)
            except TlsError as error:
                raise OSError(str(error)) from error
        try:
            for door in (self._tcp, self._tls):
                words, port = config.get_words("bind"), config.get_int(door.setting)
                await self._adopt(door, open_sockets(words, port, self._backlog()), words, port)
            if path:
                permissions = config.get_int("unixsocketperm")
                sock = open_unix_socket(path, permissions, self._backlog())
                self._unix = await self._serve_on(sock, False)
                self.unix_path = path
        except OSError:
            self.close()
            raise
        # In this order: reopening ports can be undone for certain, reading files cannot.
        config.on_change(("port", "tls-port", "bind"), self._follow_addresses)
        config.on_change(DIRECTIVES, self._follow_certificates)

    def close(self) -> None:
        """Listen no more."""
        for door in (self._tcp, self._tls):
            self._shut(door)
        if self._unix is not None:
            self._stop(self._unix)
            self._unix = None
        if self.unix_path:
            with contextlib.suppress(OSError):
                os.unlink(self.unix_path)

    # --- following CONFIG SET ---

    def _follow_addresses(self) -> str | None:
        """Move to the ports and addresses in the configuration; clients that are connected stay."""
        config = self._config
        words = config.get_words("bind")
        moved = [
            (door, config.get_int(door.setting))
            for door in (self._tcp, self._tls)
            if (door.port, door.words) != (config.get_int(door.setting), words)
        ]
        if config.get_int("tls-port") and self._secure.context is None:
            try:
                self._secure.context = make_context(config)
            except TlsError as error:
                _log.warning("%s", error)
                return _CANNOT_SECURE
        # An address that stays must be free before it can be opened again.
        for door, _ in moved:
            self._shut(door)
        opened: list[list[socket.socket]] = []
        refused: str | None = None
        try:
            for _, port in moved:
                opened.append(open_sockets(words, port, self._backlog()))
        except OSError as error:
            _log.warning("%s", error.strerror or error)
            for sock in (sock for sockets in opened for sock in sockets):
                sock.close()
            for door, _ in moved:
                sockets = open_sockets(door.words, door.port, self._backlog())
                self._adopt_soon(door, sockets, door.words, door.port)
            refused = _CANNOT_LISTEN
        else:
            for (door, port), sockets in zip(moved, opened, strict=True):
                self._adopt_soon(door, sockets, words, port)
        if not self._tls.port:
            self._secure.context = None
        return refused

    def _follow_certificates(self) -> str | None:
        """Load what the configuration names, for connections from now on; or leave all as it is."""
        if not self._config.get_int("tls-port"):
            return None
        try:
            self._secure.context = make_context(self._config)
        except TlsError as error:
            _log.warning("the certificates stay as they were: %s", error)
            return _CANNOT_SECURE
        if self._poller is None:
            door = self._tls
            self._shut(door)
            sockets = open_sockets(door.words, door.port, self._backlog())
            self._adopt_soon(door, sockets, door.words, door.port)
        return None

    # --- listeners ---

    def _backlog(self) -> int:
        return self._config.get_int("tcp-backlog")

    def _adopt_soon(
        self, door: _Door, sockets: list[socket.socket], words: tuple[str, ...], port: int
    ) -> None:
        """Serve on sockets that are listening already."""
        door.port, door.words = port, words
        if self._poller is not None:
            for sock in sockets:
                door.listeners.append(self._watch(self._poller, sock, door.is_tls))
            return
        task = self._loop.create_task(self._adopt(door, sockets, words, port))
        self._adopting.add(task)
        task.add_done_callback(self._adopting.discard)

    async def _adopt(
        self, door: _Door, sockets: list[socket.socket], words: tuple[str, ...], port: int
    ) -> None:
        for sock in sockets:
            door.listeners.append(await self._serve_on(sock, door.is_tls))
        door.port, door.words = port, words

    async def _serve_on(self, sock: socket.socket, is_tls: bool) -> Listener:
        """Accept clients from a listening socket."""
        if self._poller is not None:
            return self._watch(self._poller, sock, is_tls)
        context = self._secure.context if is_tls else None
        server: asyncio.AbstractServer = await self._loop.create_server(
            self._make, sock=sock, ssl=context
        )
        return server

    def _watch(self, poller: Poller, sock: socket.socket, is_tls: bool) -> Listener:
        wrap: Callable[..., Any] | None = self._secure.wrap if is_tls else None
        poller.listen(sock, wrap)
        return sock

    def _shut(self, door: _Door) -> None:
        for listener in door.listeners:
            self._stop(listener)
        door.listeners.clear()

    def _stop(self, listener: Listener) -> None:
        if isinstance(listener, socket.socket):
            assert self._poller is not None
            self._poller.unlisten(listener)
        else:
            listener.close()


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
            own_port(sock)
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
    if AF_UNIX is None:
        raise OSError(f"cannot listen on unix socket {path}: this system has none; use 'port'")
    sock = socket.socket(AF_UNIX, socket.SOCK_STREAM)
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
