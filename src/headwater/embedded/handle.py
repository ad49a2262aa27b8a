"""What every Engine of the public interface has beside its commands: the store it stands for."""

from __future__ import annotations

import os
import weakref
from typing import Any

import redis
import redis.asyncio

from headwater.embedded.clients import make_client
from headwater.embedded.opening import Share
from headwater.embedded.store import Store
from headwater.errors import StoreClosed

CLOSED = "this engine is closed; open the store again with headwater.open()"


class Handle:
    """A share of a store, from opening to `close`."""

    def __init__(self, share: Share) -> None:
        self._share = share
        self.store: Store = share.store
        self._finalizer = weakref.finalize(self, share.release_soon)
        self._finalizer.atexit = False

    def __repr__(self) -> str:
        state = "" if self.is_open else ", closed"
        return f"<headwater.{type(self).__name__} of {self.store.path or 'memory'}{state}>"

    @property
    def path(self) -> str | None:
        """The data directory; None for a store in memory."""
        return self.store.path

    @property
    def is_open(self) -> bool:
        """Whether it can be used."""
        return not self._share.released and self.store.is_open

    def _check(self) -> None:
        if self._share.released:
            raise StoreClosed(CLOSED)
        self.store.check()

    # --- clients ---

    def connect(self, **redis_kwargs: Any) -> redis.Redis:
        """A redis.Redis on this store, with redis-py's arguments but those of sockets.

        It works until the store is closed, and does not keep it open.
        """
        self._check()
        return make_client(self, redis_kwargs)

    def connect_async(self, **redis_kwargs: Any) -> redis.asyncio.Redis:
        """As `connect`, for asyncio: usable from one event loop, like any redis.asyncio.Redis."""
        from headwater.embedded.aio_clients import make_async_client

        self._check()
        return make_async_client(self, redis_kwargs)

    # --- other processes ---

    def serve(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        unixsocket: str | os.PathLike[str] | None = None,
    ) -> str:
        """Let other processes use the store while this one runs; returns the URL for clients.

        Port 0: one that is free. With `unixsocket`, only there. May be called more than once.
        Without a password only this machine is served (protected-mode), as by a Redis server.
        Raises OSError if it cannot listen there.
        """
        self._check()
        path = None if unixsocket is None else os.fspath(unixsocket)
        return self.store.serving.serve(host, port, path).result()

    def stop_serving(self) -> None:
        """Close what `serve` opened, and disconnect who came by it."""
        self._check()
        self.store.serving.stop().result()

    # --- time ---

    def advance(self, ms: int) -> None:
        """Let `ms` milliseconds pass on a ManualClock; returns when what is due then has happened.

        Raises StoreError if the store was not opened with such a clock.
        """
        self._check()
        self.store.advance(ms)

    # --- the end ---

    def close(self) -> None:
        """Let go of the store. The last who does flushes and closes it: then all is on disk.

        A second call does nothing.
        """
        self._finalizer.detach()
        self._share.release()

    def crash(self) -> None:
        """For tests: drop the store as if the process had been killed, for all who share it.

        Nothing more is written. What was acknowledged under the store's `appendfsync` is found
        when the path is opened again.
        """
        self._finalizer.detach()
        self.store.crash()
        self._share.release()
