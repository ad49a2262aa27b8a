"""Consumer: a machine (machine.py) driven by threads."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, TypeVar, Unpack, overload

from headwater.worker.base import FLUSH_SECONDS, BaseConsumer, ConsumerOptions, log
from headwater.worker.clients import SyncClient
from headwater.worker.entry import Entry
from headwater.worker.errors import WorkerError
from headwater.worker.held import Held, Verdict
from headwater.worker.machine import Machine
from headwater.worker.stopping import Signals
from headwater.worker.wire import Flow, Pause

T = TypeVar("T")
Handler = Callable[[Entry[T]], Any]


class Consumer(BaseConsumer[T]):
    """Entries of one stream for one member of a consumer group.

    client: a redis.Redis (also headwater.connect's), a RedisCluster, or a URL. model: what
    `entry.data` is: dict (dict[str, str], the default), bytes (dict[bytes, bytes]), a dataclass, a
    pydantic or a msgspec model; or give `decode`, a function of the fields. What does not fit
    becomes a dead letter. Options: see ConsumerOptions.

    `consumer.run(handler)` has each entry handled, until a signal or `stop`. Or iterate:

        with consumer:
            for entry in consumer:
                with entry as data:
                    ...

    Two threads of its own read and tell the server what became of entries, so a handler may compute
    for as long as it likes. Errors that will not pass (a wrong password, no permission) are raised
    by both; while the server is away, both wait for it. A consumer may be opened again after it
    ended.
    """

    @overload
    def __init__(
        self: Consumer[dict[str, str]],
        client: Any,
        stream: str,
        group: str,
        **options: Unpack[ConsumerOptions],
    ) -> None: ...
    @overload
    def __init__(
        self: Consumer[dict[bytes, bytes]],
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
        self._changed = threading.Condition()  # its lock is the machine's
        self._lanes: list[threading.Thread] = []
        self._failure: BaseException | None = None
        self._signals: Signals | None = None
        self._hurry = False

    # --- a life ---

    def __enter__(self) -> Consumer[T]:
        self._open(self.options.signals)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self, signals: bool) -> None:
        if self._machine is not None:
            raise RuntimeError("the consumer is open already")
        self._client = SyncClient(self._given)
        machine = self._machine = self._new_machine(self._client)
        self._failure = None
        self._hurry = False
        reader, keeper = threading.Event(), threading.Event()
        machine.on_ready = self._changed.notify
        machine.wake_reader = reader.set
        machine.wake_keeper = keeper.set
        self._lanes = [
            threading.Thread(
                target=self._lane,
                args=(flow, bell),
                name=f"headwater-{name}",
                daemon=True,
            )
            for flow, bell, name in (
                (machine.reading(), reader, "reader"),
                (machine.keeping(), keeper, "keeper"),
            )
        ]
        if signals:
            self._signals = Signals(self._on_signal)
        for lane in self._lanes:
            lane.start()

    def _lane(self, flow: Flow[None], bell: threading.Event) -> None:
        def pause(wanted: Pause) -> None:
            bell.wait(wanted.seconds)
            bell.clear()

        try:
            self._client.drive(flow, pause, self._changed)
        except Exception as error:
            self._failure = error
            self.stop()

    def stop(self) -> None:
        """Read no more: iterations end, `run` lets its handlers finish. From any thread."""
        with self._changed:
            if self._machine is not None:
                self._machine.stop()
            self._changed.notify_all()

    def _on_signal(self) -> None:
        with self._changed:
            if self._machine is not None and self._machine.stopping:
                self._hurry = True  # the second one
        self.stop()

    def close(self) -> None:
        """Give back what is not settled, tell the server all the rest, and let go of the client."""
        machine = self._machine
        if machine is None:
            return
        self.stop()
        reader, keeper = self._lanes
        try:
            reader.join(self.options.block + FLUSH_SECONDS)
            with self._changed:
                machine.close()
            keeper.join(FLUSH_SECONDS)
            if self.options.name is None and machine.all_said and self._failure is None:
                with contextlib.suppress(Exception):
                    self._client.drive(machine.retire(), _no_pause)
        finally:
            with self._changed:
                self._machine = None
                machine.abandon()
            if self._signals is not None:
                self._signals.restore()
                self._signals = None
            self._client.close()

    # --- entries ---

    def __iter__(self) -> Consumer[T]:
        return self

    def __next__(self) -> Entry[T]:
        """The next entry; opens the consumer if need be, and closes it then at the end."""
        if self._machine is None:
            self._open(self.options.signals)
        entry = self._next()
        if entry is None:
            failure = self._failure
            self.close()
            if failure is not None:
                raise failure
            raise StopIteration
        return entry

    def _next(self) -> Entry[T] | None:
        """The next entry, None after a stop."""
        with self._changed:
            machine = self._open_machine()
            while True:
                found = self._take(machine)
                if found is not None:
                    held, data = found
                    return Entry(held, data, self.stream, self.group, self)
                if machine.stopping:
                    return None
                self._warn_if_stuck(machine)
                self._changed.wait(_GLANCE)

    # --- handlers ---

    def run(self, handler: Handler[T]) -> None:
        """Have entries handled, `concurrency` at a time and each in a thread, until a signal or
        `stop`.

        A handler that returns has its entry acknowledged; one that raises fails it, or with Reject
        makes it a dead letter. After a stop handlers have `stop_timeout` seconds, then what they
        have is given back (a thread cannot be ended from outside: it goes on until the program
        ends); a second signal does that at once.
        """
        self._open(self.options.signals)
        workers = [
            threading.Thread(
                target=self._work, args=(handler,), name=f"headwater-worker-{i}", daemon=True
            )
            for i in range(self.options.concurrency)
        ]
        for worker in workers:
            worker.start()
        machine = self._open_machine()
        try:
            with self._changed:
                while not machine.stopping:
                    self._changed.wait(_GLANCE)
            self._drain(workers)
        finally:
            failure = self._failure
            self.close()
        if failure is not None:
            raise failure

    def _drain(self, workers: list[threading.Thread]) -> None:
        """Let handlers finish, for as long as they may."""
        until = time.monotonic() + self.options.stop_timeout
        for worker in workers:
            while worker.is_alive() and not self._hurry and time.monotonic() < until:
                worker.join(max(0.0, min(_GLANCE, until - time.monotonic())))
        busy = sum(worker.is_alive() for worker in workers)
        if busy:
            log.warning("%s: %d handlers did not finish in time", self.stream, busy)

    def _work(self, handler: Handler[T]) -> None:
        try:
            while (entry := self._next()) is not None:
                with entry:
                    try:
                        handler(entry)
                    except asyncio.CancelledError as error:  # of a loop that the handler ran
                        raise WorkerError("what the handler waited for was cancelled") from error
        except RuntimeError:
            if self._machine is not None:
                raise
        except BaseException as error:  # SystemExit of a handler ends the consumer
            self._failure = self._failure or error
            self.stop()

    @contextlib.contextmanager
    def running(self, handler: Handler[T]) -> Iterator[Consumer[T]]:
        """`run` in a thread beside the body of a `with`; behind it the consumer stops, in good
        order. Signals are left to the program."""
        failures: list[BaseException] = []

        def run() -> None:
            try:
                self.run(handler)
            except BaseException as error:
                failures.append(error)
                log.error("a consumer ended", exc_info=error)

        thread = threading.Thread(target=run, name="headwater-consumer", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            while thread.is_alive():
                self.stop()
                thread.join(_GLANCE)
        if failures:
            raise failures[0]

    # --- for entries ---

    def _settle(self, held: Held, verdict: Verdict, wait: bool) -> None:
        if not wait:
            with self._changed:
                if self._machine is not None:
                    self._machine.settle(held, verdict)
            return
        told = threading.Event()
        errors: list[Exception] = []

        def tell(error: Exception | None) -> None:
            if error is not None:
                errors.append(error)
            told.set()

        with self._changed:
            is_first = self._open_machine().settle(held, verdict, tell)
        if is_first:
            told.wait()
        if errors:
            raise errors[0]

    def _count_deliveries(self, held: Held) -> int:
        if held.deliveries is not None:
            return held.deliveries
        machine: Machine = self._open_machine()
        return self._client.drive(machine.count_deliveries(held), _no_pause)


_GLANCE = 0.5
"""Waits of the main thread are cut in such pieces, so that signals get through everywhere."""


def _no_pause(wanted: Pause) -> None:
    raise WorkerError(f"{wanted} where there is none")
