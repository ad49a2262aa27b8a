"""An entry as a program sees it, and how it says what became of it."""

from __future__ import annotations

import asyncio
import logging
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from headwater.worker.errors import Reject
from headwater.worker.held import Held, Verdict

T = TypeVar("T")
log = logging.getLogger("headwater.worker")


class _Settles(Protocol):
    """What an Entry needs of its consumer."""

    def _settle(self, held: Held, verdict: Verdict, wait: bool) -> None: ...
    def _count_deliveries(self, held: Held) -> int: ...


class _SettlesAsync(Protocol):
    """What an AsyncEntry needs of its consumer."""

    def _settle_soon(self, held: Held, verdict: Verdict) -> None: ...
    async def _settle(self, held: Held, verdict: Verdict) -> None: ...
    async def _count_deliveries(self, held: Held) -> int: ...


class BaseEntry(Generic[T]):
    """What is known of an entry. `data`: the model made of its fields."""

    __slots__ = ("_held", "data", "group", "stream")

    def __init__(self, held: Held, data: T, stream: str, group: str) -> None:
        self._held = held
        self.data = data
        self.stream = stream
        self.group = group

    @property
    def id(self) -> str:
        """The entry's ID, such as 1795258800000-0."""
        return self._held.id.decode()

    @property
    def fields(self) -> dict[bytes, bytes]:
        """The fields as they are in the stream; of a name that is there twice, the last value."""
        return self._held.fields

    @property
    def lost(self) -> bool:
        """Whether it was acknowledged, or taken by another consumer, while it was worked on."""
        return self._held.lost

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.stream} {self.id} {self.data!r}>"


def verdict_on(entry: BaseEntry[Any], error: BaseException | None) -> tuple[Verdict, bool]:
    """What the end of a `with` block says of its entry, and whether the error ends there."""
    if error is None:
        return Verdict.ACK, False
    if isinstance(error, Reject):
        log.warning("entry %s of %s is rejected: %s", entry.id, entry.stream, error)
        return Verdict.REJECT, True
    if isinstance(error, Exception):
        log.error("entry %s of %s failed", entry.id, entry.stream, exc_info=error)
        return Verdict.FAIL, True
    if isinstance(error, KeyboardInterrupt | GeneratorExit | asyncio.CancelledError):
        return Verdict.RETURN, False
    return Verdict.FAIL, False  # it would end one worker after the other


class Entry(BaseEntry[T]):
    """An entry of a Consumer.

    `with entry as data:` acknowledges it behind the block. An exception fails it instead (it is
    logged, and does not leave the block), Reject makes it a dead letter. SystemExit fails it, too,
    and leaves the block; what Ctrl-C interrupts is given back.
    """

    __slots__ = ("_consumer",)

    def __init__(self, held: Held, data: T, stream: str, group: str, consumer: _Settles) -> None:
        super().__init__(held, data, stream, group)
        self._consumer = consumer

    def ack(self) -> None:
        """It is done. Returns when the server knows."""
        self._consumer._settle(self._held, Verdict.ACK, wait=True)

    def fail(self) -> None:
        """It went wrong: try again after the back-off, or make it a dead letter if that was the
        last time."""
        self._consumer._settle(self._held, Verdict.FAIL, wait=True)

    def reject(self) -> None:
        """It will never work: make it a dead letter."""
        self._consumer._settle(self._held, Verdict.REJECT, wait=True)

    def give_back(self) -> None:
        """It was not worked on: others may have it at once, and the delivery does not count."""
        self._consumer._settle(self._held, Verdict.RETURN, wait=True)

    def deliveries(self) -> int:
        """How often it was delivered, this time included; may ask the server."""
        return self._consumer._count_deliveries(self._held)

    def __enter__(self) -> T:
        return self.data

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        verdict, ends = verdict_on(self, error)
        self._consumer._settle(self._held, verdict, wait=False)
        return ends


class AsyncEntry(BaseEntry[T]):
    """An entry of an AsyncConsumer.

    `async with entry as data:` acknowledges it behind the block. An exception fails it instead (it
    is logged, and does not leave the block), Reject makes it a dead letter, and what is cancelled
    is given back.
    """

    __slots__ = ("_consumer",)

    def __init__(
        self, held: Held, data: T, stream: str, group: str, consumer: _SettlesAsync
    ) -> None:
        super().__init__(held, data, stream, group)
        self._consumer = consumer

    async def ack(self) -> None:
        """It is done. Returns when the server knows."""
        await self._consumer._settle(self._held, Verdict.ACK)

    async def fail(self) -> None:
        """It went wrong: try again after the back-off, or make it a dead letter if that was the
        last time."""
        await self._consumer._settle(self._held, Verdict.FAIL)

    async def reject(self) -> None:
        """It will never work: make it a dead letter."""
        await self._consumer._settle(self._held, Verdict.REJECT)

    async def give_back(self) -> None:
        """It was not worked on: others may have it at once, and the delivery does not count."""
        await self._consumer._settle(self._held, Verdict.RETURN)

    async def deliveries(self) -> int:
        """How often it was delivered, this time included; may ask the server."""
        return await self._consumer._count_deliveries(self._held)

    async def __aenter__(self) -> T:
        return self.data

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        verdict, ends = verdict_on(self, error)
        self._consumer._settle_soon(self._held, verdict)
        return ends
