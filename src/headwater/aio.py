"""The asyncio side of the public interface: `aio.open()`, `aio.connect()` and `aio.Engine`."""

from __future__ import annotations

from typing import Any

import redis.asyncio

from headwater.clock import Clock
from headwater.embedded.aio_clients import make_async_client
from headwater.embedded.aio_engine import Engine
from headwater.embedded.clients import own
from headwater.embedded.handle import Handle
from headwater.embedded.opening import Path, open_store
from headwater.embedded.settings import Settings

__all__ = ["Engine", "connect", "open"]


def connect(
    path: Path | None = None,
    *,
    config: Settings | None = None,
    clock: Clock | None = None,
    **redis_kwargs: Any,
) -> redis.asyncio.Redis:
    """A redis.asyncio.Redis on a store in this process, as `headwater.connect` is a redis.Redis.

    `await client.aclose()` closes its share of the store. Several event loops share a store by
    a client each. It loads the store before it returns, as `open` does.
    """
    share = open_store(path, config, clock)
    try:
        client = make_async_client(Handle(share), redis_kwargs)
    except BaseException:
        share.release()
        raise
    own(client)
    return client


def open(  # noqa: A001 - it is read as aio.open
    path: Path | None = None, *, config: Settings | None = None, clock: Clock | None = None
) -> Engine:
    """An Engine on a store in this process whose commands are coroutines.

    The arguments and errors are those of `headwater.open`. It is open when this returns: loading
    a big store holds up the event loop, so do it before the loop has something to do, or in a
    thread: `await asyncio.to_thread(headwater.aio.open, path)`. `async with` closes it, or
    `await engine.aclose()`.
    """
    return Engine(open_store(path, config, clock))
