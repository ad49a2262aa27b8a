"""redis-py's asyncio clients on a store."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from headwater.embedded.aio_connection import AsyncLocalConnection
from headwater.embedded.clients import OF_CLIENTS, RETRIES, check_arguments
from headwater.embedded.versions import spare_maintenance

if TYPE_CHECKING:
    from headwater.embedded.handle import Handle


class AsyncRedis(redis.asyncio.Redis):
    """A redis.asyncio.Redis on a store in the process. `store` is the engine it came from."""

    store: Handle
    _owns = False

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Disconnect, and let go of the store if `headwater.aio.connect` opened it."""
        await super().aclose(close_connection_pool)
        if self._owns and close_connection_pool is not False:
            # Closing waits for the disk, which is no reason for the event loop to wait.
            await asyncio.get_running_loop().run_in_executor(None, self.store.close)


def make_async_client(engine: Handle, kwargs: dict[str, Any]) -> AsyncRedis:
    """A client whose connections are sessions of the engine's store."""
    kwargs = dict(kwargs)
    check_arguments(kwargs, redis.asyncio.Redis)
    mine = {name: kwargs.pop(name) for name in OF_CLIENTS if name in kwargs}
    kwargs.setdefault("retry", Retry(NoBackoff(), RETRIES))
    kwargs.setdefault("socket_timeout", None)
    spare_maintenance(kwargs, redis.asyncio.Redis)
    pool = redis.asyncio.ConnectionPool(
        connection_class=AsyncLocalConnection, store=engine.store, **kwargs
    )
    client = AsyncRedis(connection_pool=pool, **mine)
    client.auto_close_connection_pool = True
    client.store = engine
    return client
