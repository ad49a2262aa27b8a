"""`serve()`: doors for other processes to a store that this process has open."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from concurrent.futures import Future
from typing import Any
from urllib.parse import quote

from headwater.server.listeners import open_sockets, open_unix_socket
from headwater.server.server import Server

_BACKLOG = 511


class Serving:
    """The listeners of one embedded store; everything here is done in the loop's thread."""

    def __init__(self, server: Server, loop: Any) -> None:
        self._server = server
        self._loop = loop
        self._listeners: list[socket.socket | asyncio.AbstractServer] = []
        self._paths: list[str] = []

    def serve(self, host: str, port: int, unixsocket: str | None) -> Future[str]:
        """Listen as well on this address, or on a unix socket; the result is the URL.

        Port 0: one that is free. The future fails with OSError.
        """
        return asyncio.run_coroutine_threadsafe(self._serve(host, port, unixsocket), self._loop)

    def stop(self) -> Future[None]:
        """Listen no more, and disconnect everybody who came by a socket."""
        return asyncio.run_coroutine_threadsafe(self._stop(), self._loop)

    async def _serve(self, host: str, port: int, unixsocket: str | None) -> str:
        if unixsocket is not None:
            path = os.path.abspath(unixsocket)
            sock = open_unix_socket(path, 0, _BACKLOG)
            self._listeners.append(await self._server.listen_on(sock))
            self._paths.append(path)
            return f"unix://{quote(path)}"
        if port == 0:
            port = _free_port(host)
        for sock in open_sockets((host,), port, _BACKLOG):
            self._listeners.append(await self._server.listen_on(sock))
        if host in ("*", "0.0.0.0", "::", "::*"):
            host = "127.0.0.1" if ":" not in host else "::1"
        return f"redis://[{host}]:{port}" if ":" in host else f"redis://{host}:{port}"

    async def _stop(self) -> None:
        self.close()
        self._server.disconnect_sockets()

    def close(self) -> None:
        """Listen no more."""
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            self._server.unlisten(listener)
        paths, self._paths = self._paths, []
        for path in paths:
            with contextlib.suppress(OSError):
                os.unlink(path)


def _free_port(host: str) -> int:
    """A port that nobody listens on; it is opened right behind this."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind(({"*": "0.0.0.0", "::*": "::"}.get(host, host), 0))
        return int(probe.getsockname()[1])
