"""redis-py's clients on a store: `connect()` and the pool behind it."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from headwater.embedded.connection import LocalConnection
from headwater.embedded.versions import spare_maintenance
from headwater.errors import StoreError

if TYPE_CHECKING:
    from headwater.embedded.handle import Handle

OF_SOCKETS = frozenset(
    (
        "host",
        "port",
        "unix_socket_path",
        "path",
        "socket_keepalive",
        "socket_keepalive_options",
        "connection_pool",
        "connection_class",
        "retry_on_timeout",
    )
)
"""Arguments of redis-py's clients that mean nothing where there is no socket."""

# Of the client itself; all others are the connections'.
OF_CLIENTS = ("single_connection_client", "event_dispatcher")
RETRIES = 3


def check_arguments(kwargs: dict[str, Any], client: Any) -> None:
    """Raise StoreError for what cannot be had without a socket, TypeError for what nobody knows."""
    known = inspect.signature(client.__init__).parameters
    for name in kwargs:
        if name in OF_SOCKETS or name.startswith("ssl"):
            raise StoreError(f"{name!r} is for connections by a socket; an embedded store has none")
        if name not in known:
            raise TypeError(f"connect() got an unexpected keyword argument {name!r}")


class Redis(redis.Redis):
    """A redis.Redis on a store in the process. `store` is the Engine it has its share of."""

    store: Handle
    _owns = False

    def close(self) -> None:
        """Disconnect, and let go of the store if `headwater.connect` opened it."""
        super().close()
        if self._owns:
            self.connection_pool.disconnect()
            self.store.close()

    def __del__(self) -> None:
        # A pipeline or a pubsub may live on: the store is let go when the pool is.
        try:
            super().close()
        except Exception:  # the interpreter is going down
            return


def make_client(engine: Handle, kwargs: dict[str, Any]) -> Redis:
    """A client whose connections are sessions of the engine's store."""
    kwargs = dict(kwargs)
    check_arguments(kwargs, redis.Redis)
    mine = {name: kwargs.pop(name) for name in OF_CLIENTS if name in kwargs}
    kwargs.setdefault("retry", Retry(NoBackoff(), RETRIES))
    kwargs.setdefault("socket_timeout", None)
    spare_maintenance(kwargs, redis.Redis)
    pool = redis.ConnectionPool(connection_class=LocalConnection, store=engine.store, **kwargs)
    client = Redis(connection_pool=pool, **mine)
    client.store = engine
    return client


def own(client: Any) -> None:
    """Have the store closed with the client, which is the only one to have been told of it.

    Its pool keeps the engine: pipelines and pubsubs may outlive the client, not the pool.
    """
    client._owns = True
    client.connection_pool.headwater_engine = client.store
