"""AsyncConsumer: a machine (machine.py) driven by an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any, TypeVar, Unpack, overload

from headwater.worker.base import FLUSH_SECONDS, BaseConsumer, ConsumerOptions, log
from headwater.worker.clients import AsyncClient
from headwater.worker.entry import AsyncEntry
from headwater.worker.errors import WorkerError
from headwater.worker.held import Held, Verdict
from headwater.worker.machine import Machine
from headwater.worker.stopping import Signals
from headwater.worker.threads import HandlerThread
from headwater.worker.wire import Flow, Pause

T = TypeVar("T")
AsyncHandler = Callable[[AsyncEntry[T]], Awaitable[Any]] | Callable[[AsyncEntry[T]], Any]


class AsyncConsumer(BaseConsumer[T]):
    """Entries of one stream for one member of a consumer group.

    client: a redis.asyncio client (a cluster's too), or a URL. model: what `entry.data` is: dict
    (dict[str, str], the default), bytes (dict[bytes, bytes]), a dataclass, a pydantic or a msgspec
    model; or give `decode`, a function of the fields. What does not fit becomes a dead letter.
    Options: see ConsumerOptions.

    `await consumer.run(handler)` has each entry handled, until a signal or `stop`. Or iterate:

        async with consumer:
            async for entry in consumer:
                async with entry as data:
                    ...

    Errors that will not pass (a wrong password, no permission) are raised by both; while the
    server is away, both wait for it. A consumer may be opened again after it ended.
    """

    @overload
    def __init__(
        self: AsyncConsumer[dict[str, str]],
        client: Any,
        stream: str,
        group: str,
        **options: Unpack[ConsumerOptions],
    ) -> None: ...
    @overload
    def __init__(
        self: AsyncConsumer[dict[bytes, bytes]],
        client: Any,
        stream: str,
        group: str,
        *,
        model: type[bytes],
        **options: Unpack[ConsumerOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        client: Any,
        stream: str,
        group: str,
        *,
        model: type[T],
        **options: Unpack[ConsumerOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        client: Any,
        stream: str,
        group: str,
        *,
        decode: Callable[[dict[bytes, bytes]], T],
        **options: Unpack[ConsumerOptions],
    ) -> None: ...
    def __init__(
        self,
        client: Any,
        stream: str,
        group: str,
        *,
        model: Any = dict,
        decode: Callable[[dict[bytes, bytes]], T] | None = None,
        **options: Unpack[ConsumerOptions],
    ) -> None:
        super().__init__(stream, group, model, decode, options)
        self._given = client
        self._lanes: list[asyncio.Task[None]] = []
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._failure: BaseException | None = None
        self._signals: Signals | None = None

    # --- a life ---

    async def __aenter__(self) -> AsyncConsumer[T]:
        await self._open(self.options.signals)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _open(self, signals: bool) -> None:
        if self._machine is not None:
            raise RuntimeError("the consumer is open already")
        self._client = AsyncClient(self._given)
        machine = self._machine = self._new_machine(self._client)
        self._failure = None
        self._hurry = asyncio.Event()
        self._stopped = asyncio.Event()
        reader, keeper = asyncio.Event(), asyncio.Event()
        machine.on_ready = self._wake_one
        machine.wake_reader = reader.set
        machine.wake_keeper = keeper.set
        self._lanes = [
            asyncio.create_task(self._lane(machine.reading(), reader), name="headwater-reader"),
            asyncio.create_task(self._lane(machine.keeping(), keeper), name="headwater-keeper"),
        ]
        if signals:
            self._signals = Signals(self._on_signal, asyncio.get_running_loop())

    async def _lane(self, flow: Flow[None], bell: asyncio.Event) -> None:
        try:
            await self._client.drive(flow, _pauses(bell))
        except Exception as error:
            self._failure = error
            self.stop()

    def stop(self) -> None:
        """Read no more: iterations end, `run` lets its handlers finish. From the loop's thread."""
        machine = self._machine
        if machine is None:
            return
        machine.stop()
        self._stopped.set()
        while self._waiters:
            self._wake_one()

    def _on_signal(self) -> None:
        if self._open_machine().stopping:
            self._hurry.set()  # the second one
        self.stop()

    async def close(self) -> None:
        """Give back what is not settled, tell the server all the rest, and let go of the client."""
        machine = self._machine
        if machine is None:
            return
        self.stop()
        reader, keeper = self._lanes
        try:
            await _ended(reader, self.options.block + FLUSH_SECONDS)
            machine.close()
            await _ended(keeper, FLUSH_SECONDS)
            if self.options.name is None and machine.all_said and self._failure is None:
                with contextlib.suppress(Exception):
                    await self._client.drive(machine.retire(), _no_pause)
        finally:
            self._machine = None
            for task in self._lanes:
                task.cancel()
            machine.abandon()
            if self._signals is not None:
                self._signals.restore()
                self._signals = None
            await self._client.close()

    # --- entries ---

    def __aiter__(self) -> AsyncConsumer[T]:
        return self

    async def __anext__(self) -> AsyncEntry[T]:
        """The next entry; opens the consumer if need be, and closes it then at the end."""
        if self._machine is None:
            await self._open(self.options.signals)
        entry = await self._next()
        if entry is None:
            failure = self._failure
            await self.close()
            if failure is not None:
                raise failure
            raise StopAsyncIteration
        return entry

    async def _next(self) -> AsyncEntry[T] | None:
        """The next entry, None after a stop."""
        machine = self._open_machine()
        while True:
            found = self._take(machine)
            if found is not None:
                held, data = found
                return AsyncEntry(held, data, self.stream, self.group, self)
            if machine.stopping:
                return None
            self._warn_if_stuck(machine)
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            finally:
                if not waiter.done() or waiter.cancelled():
                    with contextlib.suppress(ValueError):
                        self._waiters.remove(waiter)
                elif _is_cancelled():
                    self._wake_one()  # it was woken, and cannot come

    def _wake_one(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    # --- handlers ---

    async def run(self, handler: AsyncHandler[T]) -> None:
        """Have entries handled, `concurrency` at a time, until a signal or `stop`.

        A handler that returns has its entry acknowledged; one that raises fails it, or with Reject
        makes it a dead letter. One that is no coroutine function runs in a thread. After a stop
        handlers have `stop_timeout` seconds, then they are cancelled; a second signal does that at
        once.
        """
        await self._run(handler, self.options.signals)

    async def _run(self, handler: AsyncHandler[T], signals: bool) -> None:
        await self._open(signals)
        count = self.options.concurrency
        workers = [asyncio.create_task(self._work(handler)) for _ in range(count)]
        try:
            await self._until_stopped(workers)
            await self._drained(workers)
        finally:
            self.stop()
            for worker in workers:
                worker.cancel()
            await asyncio.wait(workers, timeout=FLUSH_SECONDS)
            failure = self._failure
            await self.close()
        if failure is not None:
            raise failure

    async def _until_stopped(self, workers: list[asyncio.Task[None]]) -> None:
        """Wait for a stop; a worker that ends by itself is one."""
        stopped = asyncio.create_task(self._stopped.wait())
        try:
            await asyncio.wait([stopped, *workers], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
        for worker in workers:
            if worker.done() and not worker.cancelled() and worker.exception() is not None:
                self._failure = self._failure or worker.exception()
        self.stop()

    async def _drained(self, workers: list[asyncio.Task[None]]) -> None:
        """Let handlers finish, for as long as they may."""
        hurry = asyncio.create_task(self._hurry.wait())
        finished = asyncio.create_task(_all_done(workers))
        timeout = self.options.stop_timeout
        try:
            await asyncio.wait(
                [hurry, finished], timeout=timeout, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            hurry.cancel()
            finished.cancel()
        busy = sum(not worker.done() for worker in workers)
        if busy:
            log.warning("%s: %d handlers did not finish in time", self.stream, busy)

    async def _work(self, handler: AsyncHandler[T]) -> None:
        # An object may be called like a coroutine function, too.
        is_async = any(map(inspect.iscoroutinefunction, (handler, type(handler).__call__)))
        thread = None if is_async else HandlerThread()
        try:
            while (entry := await self._next()) is not None:
                async with entry:
                    await self._handle(handler, entry, thread)
        finally:
            if thread is not None:
                thread.end()

    async def _handle(
        self, handler: AsyncHandler[T], entry: AsyncEntry[T], thread: HandlerThread | None
    ) -> None:
        try:
            result = handler(entry) if thread is None else await thread.call(handler, entry)
            if inspect.isawaitable(result):
                await result
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            # It was something else that was cancelled: the handler failed.
            raise WorkerError("something that the handler waited for was cancelled") from error

    @contextlib.asynccontextmanager
    async def running(self, handler: AsyncHandler[T]) -> AsyncIterator[AsyncConsumer[T]]:
        """`run` beside the body of an `async with`, for programs that look after signals
        themselves; behind the body the consumer stops, in good order."""
        task = asyncio.create_task(self._run(handler, signals=False))
        task.add_done_callback(_log_failure)
        try:
            yield self
        finally:
            await asyncio.sleep(0)  # so that it is open, if it was only just started
            self.stop()
            await task

    # --- for entries ---

    def _settle_soon(self, held: Held, verdict: Verdict) -> None:
        if self._machine is not None:
            self._machine.settle(held, verdict)

    async def _settle(self, held: Held, verdict: Verdict) -> None:
        machine = self._open_machine()
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def tell(error: Exception | None) -> None:
            if told.done():
                return
            if error is None:
                told.set_result(None)
            else:
                told.set_exception(error)

        if machine.settle(held, verdict, tell):
            await told

    async def _count_deliveries(self, held: Held) -> int:
        if held.deliveries is not None:
            return held.deliveries
        machine: Machine = self._open_machine()
        return await self._client.drive(machine.count_deliveries(held), _no_pause)


def _is_cancelled() -> bool:
    """Whether somebody wants the task to end that this is called in."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _pauses(bell: asyncio.Event) -> Callable[[Pause], Awaitable[None]]:
    """Pauses that end when the bell rings."""

    async def pause(wanted: Pause) -> None:
        if not bell.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wanted.seconds):
                    await bell.wait()
        bell.clear()

    return pause


async def _no_pause(wanted: Pause) -> None:
    raise WorkerError(f"{wanted} where there is none")


async def _all_done(tasks: list[asyncio.Task[None]]) -> None:
    await asyncio.wait(tasks)


async def _ended(task: asyncio.Task[None], seconds: float) -> None:
    """Wait for a task's end, and end it then."""
    _, left = await asyncio.wait([task], timeout=seconds)
    for one in left:
        one.cancel()


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("a consumer ended", exc_info=task.exception())
