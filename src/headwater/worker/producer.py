"""Producer and AsyncProducer: entries are added, and again until the server has said so."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any

from headwater.worker import models
from headwater.worker.clients import AsyncClient, SyncClient
from headwater.worker.sending import Sender, Sending, all_of, only
from headwater.worker.wire import Pause

Results = list[str | Exception | None]


class Producer:
    """Adds entries to one stream; threads may share it.

    client: a redis.Redis (also headwater.connect's), a RedisCluster, or a URL. maxlen: the stream
    is trimmed to about so many entries; with `exact` to just so many. producer_id: a name of this
    producer that is the same after a restart, for sends with a `key`. retry_for: so many seconds
    an entry is tried again while the server is away or refuses for the time being (default 30).
    window: no more entries than this are under way at once; not above the stream's IDMP-MAXSIZE
    (default 100).

    Where the server has XADD IDMP (Headwater, Redis 8.6 and later), an entry that is tried again is
    added once. Elsewhere it may be there twice, if it was the reply that was lost.
    """

    def __init__(
        self,
        client: Any,
        stream: str,
        *,
        maxlen: int | None = None,
        exact: bool = False,
        producer_id: str | None = None,
        retry_for: float = 30.0,
        window: int = 100,
        reconnect_cap: float = 2.0,
    ) -> None:
        options = Sending(stream, maxlen, exact, retry_for, window, reconnect_cap)
        self._sender = Sender(options, producer_id, time.monotonic)
        self._client = SyncClient(client)
        self._room = threading.Condition()

    @property
    def stream(self) -> str:
        return self._sender.options.stream

    @property
    def is_idempotent(self) -> bool | None:
        """Whether the server knows what it was sent already; None before the first send."""
        return self._sender.is_idempotent

    def send(self, data: Any, *, key: str | None = None) -> str:
        """Add one entry, and return its ID.

        data: a mapping, a dataclass, a pydantic or a msgspec model. key: what makes the entry this
        one, an order's number for example: with the same producer_id it is added once, however
        often the program sends it (as long as the server remembers: IDMP-DURATION).
        """
        return only(self._add([models.encode(data)], [key]))

    def send_many(
        self, items: Iterable[Any], *, keys: Sequence[str | None] | None = None
    ) -> list[str]:
        """Add entries in their order, many in each round trip, and return their IDs.

        SendError says which were added and which were not.
        """
        bodies = [models.encode(item) for item in items]
        names = [None] * len(bodies) if keys is None else list(keys)
        return all_of(self._add(bodies, names))

    def _add(self, bodies: list[list[bytes]], keys: Sequence[str | None]) -> Results:
        sender = self._sender
        sender.check_keys(keys, len(bodies))
        results: Results = []
        for begin in range(0, len(bodies), sender.window.size):
            part = bodies[begin : begin + sender.window.size]
            with self._room:
                while (first := sender.window.begin(len(part))) is None:
                    self._room.wait()
            try:
                flow = sender.sending(part, keys[begin : begin + len(part)], first)
                results += self._client.drive(flow, _sleep)
            finally:
                with self._room:
                    sender.window.end(first, len(part))
                    self._room.notify_all()
            if any(isinstance(result, Exception) for result in results):
                return results + [None] * (len(bodies) - len(results))
        return results

    def close(self) -> None:
        """Close the client, if it was made of a URL."""
        self._client.close()

    def __enter__(self) -> Producer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _sleep(wanted: Pause) -> None:
    time.sleep(wanted.seconds or 0.0)


class AsyncProducer:
    """Adds entries to one stream; tasks of one event loop may share it. See Producer."""

    def __init__(
        self,
        client: Any,
        stream: str,
        *,
        maxlen: int | None = None,
        exact: bool = False,
        producer_id: str | None = None,
        retry_for: float = 30.0,
        window: int = 100,
        reconnect_cap: float = 2.0,
    ) -> None:
        options = Sending(stream, maxlen, exact, retry_for, window, reconnect_cap)
        self._sender = Sender(options, producer_id, time.monotonic)
        self._client = AsyncClient(client)
        self._room = asyncio.Condition()

    @property
    def stream(self) -> str:
        return self._sender.options.stream

    @property
    def is_idempotent(self) -> bool | None:
        """Whether the server knows what it was sent already; None before the first send."""
        return self._sender.is_idempotent

    async def send(self, data: Any, *, key: str | None = None) -> str:
        """Add one entry, and return its ID; see Producer.send."""
        return only(await self._add([models.encode(data)], [key]))

    async def send_many(
        self, items: Iterable[Any], *, keys: Sequence[str | None] | None = None
    ) -> list[str]:
        """Add entries in their order, many in each round trip, and return their IDs.

        SendError says which were added and which were not.
        """
        bodies = [models.encode(item) for item in items]
        names = [None] * len(bodies) if keys is None else list(keys)
        return all_of(await self._add(bodies, names))

    async def _add(self, bodies: list[list[bytes]], keys: Sequence[str | None]) -> Results:
        sender = self._sender
        sender.check_keys(keys, len(bodies))
        results: Results = []
        for begin in range(0, len(bodies), sender.window.size):
            part = bodies[begin : begin + sender.window.size]
            first = sender.window.begin(len(part))
            while first is None:
                async with self._room:
                    first = sender.window.begin(len(part))
                    if first is None:
                        await self._room.wait()
            try:
                flow = sender.sending(part, keys[begin : begin + len(part)], first)
                results += await self._client.drive(flow, _sleep_async)
            finally:
                sender.window.end(first, len(part))
                async with self._room:
                    self._room.notify_all()
            if any(isinstance(result, Exception) for result in results):
                return results + [None] * (len(bodies) - len(results))
        return results

    async def close(self) -> None:
        """Close the client, if it was made of a URL."""
        await self._client.close()

    async def __aenter__(self) -> AsyncProducer:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


async def _sleep_async(wanted: Pause) -> None:
    await asyncio.sleep(wanted.seconds or 0.0)
