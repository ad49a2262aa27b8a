"""The store of a test: its clients, its server, and what can be done to it.

Clients and the server's URL outlive a crash: after `reopen` they are those of the store that was
opened again, as clients are that reconnect to a server which was restarted.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import redis
import redis.asyncio

import headwater
from headwater.embedded.engine import Engine
from headwater.errors import StoreError
from headwater.testing.clock import Clock
from headwater.testing.killing import connections_of, kill_client, kill_consumer

Name = str | bytes


class Store:
    """A store in this process, in memory or (durable) in a directory.

    engine: the headwater.Engine it is now; `crash` and `reopen` replace it.
    path: the directory; None: it is in memory.
    clock: the time it runs by; None: the machine's.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        config: Mapping[str, str | int | bool] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.path = None if path is None else os.fspath(path)
        self.clock = clock
        self._config = config
        self._clients: list[Any] = []
        self._url = ""
        self.engine = self._open()

    def __repr__(self) -> str:
        return f"<headwater.testing.Store {self.path or 'in memory'}>"

    def _open(self) -> Engine:
        manual = None if self.clock is None else self.clock.manual
        engine = headwater.open(self.path, config=self._config, clock=manual)
        if self.clock is not None:
            self.clock.attach(engine)
        return engine

    # --- ways in ---

    def client(self, **redis_kwargs: Any) -> redis.Redis:
        """A redis.Redis on the store, with redis-py's arguments. Closed when the test ends."""
        client = self.engine.connect(**redis_kwargs)
        self._clients.append(client)
        return client

    def async_client(self, **redis_kwargs: Any) -> redis.asyncio.Redis:
        """A redis.asyncio.Redis on the store, for the event loop that uses it first."""
        client = self.engine.connect_async(**redis_kwargs)
        self._clients.append(client)
        return client

    def serve(self) -> str:
        """Serve the store on a free port of 127.0.0.1, as any server is; returns the URL.

        A second call returns the same. After a crash nobody is served until `reopen`.
        """
        if not self._url:
            self._url = self.engine.serve()
        return self._url

    # --- what can be done to it ---

    def kill(
        self,
        consumer: Name | redis.Redis | redis.asyncio.Redis,
        *,
        stream: Name | None = None,
        group: Name | None = None,
    ) -> int:
        """Kill a consumer as kill -9 does: its connections end, and it acknowledges nothing more.

        consumer: a client, which makes no connection any more; or the name of a consumer, whose
        last connection ends, in all streams and groups or the ones that are named. Whatever runs
        under that name is told by a ConnectionError, and its client may connect again.

        Returns how many connections ended. Raises LookupError if there was none.
        """
        store = self.engine.store
        if isinstance(consumer, (str, bytes)):
            ended = kill_consumer(store, _bytes(consumer), _maybe(stream), _maybe(group))
        else:
            ended = kill_client(store, consumer)
        if ended == 0:
            raise LookupError(f"{consumer!r} has no connection to this store that could be killed")
        return ended

    def crash(self) -> None:
        """Drop the store as if its process had been killed: nothing more is written to disk.

        Only a durable store can be crashed, for one in memory would be empty afterwards.
        """
        if self.path is None:
            raise StoreError(
                "a store in memory loses everything when it crashes; mark the test with "
                "@pytest.mark.headwater(durable=True), or give Store() a path"
            )
        self.engine.crash()

    def reopen(self) -> None:
        """Open the store again, after `crash` or instead of a restart: what is on disk is there.

        Clients go on with new connections, and the server listens on the same port.
        """
        if self.engine.is_open:
            if self.path is None:
                raise StoreError("a store in memory is gone when it is closed; see crash()")
            self.engine.close()
        self.engine = self._open()
        for client in self._clients:
            _disconnect(client)
            pool = client.connection_pool
            pool.connection_kwargs["store"] = self.engine.store
            pool.reset()
            client.store = self.engine
        if self._url:
            parts = urlsplit(self._url)
            self.engine.serve(parts.hostname or "127.0.0.1", parts.port or 0)

    def close(self) -> None:
        """Close the clients and the store. A second call does nothing."""
        for client in self._clients:
            _disconnect(client)
        self.engine.close()


def _disconnect(client: Any) -> None:
    """End the connections of a client, also of one whose event loop is not there any more."""
    for connection in connections_of(client):
        for name in ("_sock", "_reader", "_writer"):
            line = getattr(connection, name, None)
            if line is not None:
                line.close()
                setattr(connection, name, None)


def _bytes(name: Name) -> bytes:
    return name.encode() if isinstance(name, str) else name


def _maybe(name: Name | None) -> bytes | None:
    return None if name is None else _bytes(name)
