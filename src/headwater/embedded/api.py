"""The public interface: `headwater.open()` and `headwater.connect()`."""

from __future__ import annotations

from typing import Any

import redis

from headwater.clock import Clock
from headwater.embedded.clients import make_client, own
from headwater.embedded.engine import Engine
from headwater.embedded.opening import Path, open_store
from headwater.embedded.settings import Settings

__all__ = ["connect", "open"]


def open(  # noqa: A001 - it is read as headwater.open
    path: Path | None = None, *, config: Settings | None = None, clock: Clock | None = None
) -> Engine:
    """An Engine on a store in this process: in memory, or in the directory `path`.

    In memory each call makes a new store. A directory is made if it is missing; what is written
    is in its journal, by `appendfsync` everysec unless `config` says otherwise. A path that this
    process has open already is shared; it is closed by the last who lets go.

    `config` has directives of the configuration file, with `-` or `_` in their names. `clock` is
    for tests: a headwater.clock.ManualClock.

    Raises StoreInUse if another process has the store open, StoreError if this one has it open
    with another configuration, HeadwaterError with what is wrong with the files or directives.
    """
    return Engine(open_store(path, config, clock))


def connect(
    path: Path | None = None,
    *,
    config: Settings | None = None,
    clock: Clock | None = None,
    **redis_kwargs: Any,
) -> redis.Redis:
    """A redis.Redis on a store in this process; `path`, `config` and `clock` as for `open`.

    All else are redis-py's own arguments, but those of sockets. `close()` lets go of the store,
    which is there as `client.store`, an Engine.
    """
    engine = Engine(open_store(path, config, clock))
    try:
        client = make_client(engine, redis_kwargs)
    except BaseException:
        engine.close()
        raise
    own(client)
    return client
