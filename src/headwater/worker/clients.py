"""redis-py's clients, sync and async, as something that carries out the effects of flows.

A client that is handed over is used as it is and stays open; one made of a URL is closed with its
user. Answers are wanted raw: redis-py forms them only for command names that are text, and decodes
them only where it is not told otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.client import NEVER_DECODE
from redis.retry import Retry

from headwater.worker.errors import ConfigurationError
from headwater.worker.wire import Command, Commands, Effect, Flow, Pause

T = TypeVar("T")

SOCKET_TIMEOUT = 15.0
"""Of a client made of a URL: longer than any read of ours waits on the server."""

FORMED = ("XAUTOCLAIM", "XPENDING", "XGROUP CFGGET")
"""Commands whose answers a cluster's client forms; there they are asked for in a script."""

_ASK = "return redis.call(unpack(ARGV))"


def block_limit(client: Any) -> float | None:
    """How long a read may wait on the server, so that the client does not take it for dead."""
    pool = getattr(client, "connection_pool", None)
    arguments = getattr(pool, "connection_kwargs", None) or getattr(client, "connection_kwargs", {})
    timeout = arguments.get("socket_timeout")
    return None if timeout is None else max(0.05, float(timeout) * 0.6)


def is_cluster(client: Any) -> bool:
    return isinstance(client, redis.RedisCluster | redis.asyncio.RedisCluster)


def _for_cluster(command: Command) -> Command:
    name = command[0]
    if name not in FORMED:
        return command
    words = (*str(name).split(), *command[1:])
    key = command[1]
    return ("EVAL", _ASK, 1, key, *words)


class SyncClient:
    """For flows that are driven by threads."""

    def __init__(self, client: Any) -> None:
        self._owned = isinstance(client, str)
        if self._owned:
            client = redis.Redis.from_url(
                client, socket_timeout=SOCKET_TIMEOUT, retry=Retry(NoBackoff(), 0)
            )
        elif isinstance(client, redis.asyncio.Redis | redis.asyncio.RedisCluster):
            raise ConfigurationError("an async client: take AsyncConsumer or AsyncProducer")
        self.client: Any = client
        self.in_cluster = is_cluster(client)
        self.block_limit = block_limit(client)

    def ask(self, effect: Effect) -> Any:
        if isinstance(effect, Commands):
            pipeline = self.client.pipeline(transaction=False)
            for command in effect.all:
                pipeline.execute_command(*self._words(command))
            return pipeline.execute(raise_on_error=False)
        assert not isinstance(effect, Pause)
        options: dict[str, Any] = {NEVER_DECODE: True}
        if self.in_cluster and effect[0] == "COMMAND INFO":
            options["target_nodes"] = self.client.get_random_node()  # any one knows
        return self.client.execute_command(*self._words(effect), **options)

    def _words(self, command: Command) -> Command:
        if self.in_cluster:
            return _for_cluster(command)
        return (str(command[0]).encode(), *command[1:])

    def drive(
        self,
        flow: Flow[T],
        pause: Callable[[Pause], None],
        lock: AbstractContextManager[Any] | None = None,
    ) -> T:
        """Drive a flow to its end; `lock` is held during its steps, not during its effects."""
        guard = nullcontext() if lock is None else lock
        try:
            with guard:
                effect = next(flow)
            while True:
                if isinstance(effect, Pause):
                    pause(effect)
                    with guard:
                        effect = next(flow)
                    continue
                try:
                    answer = self.ask(effect)
                except (redis.RedisError, OSError) as error:
                    with guard:
                        effect = flow.throw(error)
                else:
                    with guard:
                        effect = flow.send(answer)
        except StopIteration as stop:
            value: T = stop.value
            return value

    def close(self) -> None:
        if self._owned:
            self.client.close()


class AsyncClient:
    """For flows that are driven by an event loop."""

    def __init__(self, client: Any) -> None:
        self._owned = isinstance(client, str)
        if self._owned:
            client = redis.asyncio.Redis.from_url(
                client, socket_timeout=SOCKET_TIMEOUT, retry=AsyncRetry(NoBackoff(), 0)
            )
        elif isinstance(client, redis.Redis | redis.RedisCluster):
            raise ConfigurationError("a client that blocks: take Consumer or Producer")
        self.client: Any = client
        self.in_cluster = is_cluster(client)
        self.block_limit = block_limit(client)

    async def ask(self, effect: Effect) -> Any:
        if isinstance(effect, Commands):
            pipeline = self.client.pipeline(transaction=False)
            for command in effect.all:
                pipeline.execute_command(*self._words(command))
            return await pipeline.execute(raise_on_error=False)
        assert not isinstance(effect, Pause)
        options: dict[str, Any] = {NEVER_DECODE: True}
        if self.in_cluster and effect[0] == "COMMAND INFO":
            await self.client.initialize()
            options["target_nodes"] = self.client.get_random_node()  # any one knows
        return await self.client.execute_command(*self._words(effect), **options)

    def _words(self, command: Command) -> Command:
        if self.in_cluster:
            return _for_cluster(command)
        return (str(command[0]).encode(), *command[1:])

    async def drive(self, flow: Flow[T], pause: Callable[[Pause], Any]) -> T:
        """Drive a flow to its end."""
        try:
            effect = next(flow)
            while True:
                if isinstance(effect, Pause):
                    await pause(effect)
                    effect = next(flow)
                    continue
                try:
                    answer = await self.ask(effect)
                except (redis.RedisError, OSError) as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(answer)
        except StopIteration as stop:
            value: T = stop.value
            return value

    async def close(self) -> None:
        if self._owned:
            await self.client.aclose()
