"""What Consumer and AsyncConsumer have in common: their options, and making data of fields."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, Literal, TypedDict, TypeVar

from headwater.worker import models
from headwater.worker.errors import PoisonError
from headwater.worker.held import Held, Verdict
from headwater.worker.machine import Machine
from headwater.worker.options import Options, generated_name

T = TypeVar("T")
log = logging.getLogger("headwater.worker")

FLUSH_SECONDS = 2.0
"""So long a consumer that ends tries to tell the server what became of its entries."""


class ConsumerOptions(TypedDict, total=False):
    """Options of a consumer. Times are in seconds.

    name: the consumer's name in the group; one that stays the same (a pod's) finds its own pending
        entries again after a restart. Default: a new one each time, deleted at the end.
    concurrency: handlers that `run` has work at a time.
    prefetch: entries read ahead of those that are worked on.
    start: where a new group begins: "0" (all that is there), "$" (what comes), or an ID.
    ack_wait: an entry of a consumer that died goes to another one after so long. Default 30.
    max_deliveries: after so many an entry is a dead letter. Default 5.
    backoff: waits from a failure to the next try; the last one repeats. Default 5, 30, 120, 600.
    dead_letter: stream for dead letters. Default: the stream's name with `:dead-letter`.
    lease: "connection": an entry goes to another consumer when this one's connection closes, not
        after a time (servers with XGROUP CFGSET).
    order_by: field; entries with the same value in it are worked on one after the other, in their
        order (servers with XGROUP CFGSET).
    block: longest time that one read waits on the server, and so for a stop. Default 1.
    claim_every: how often others' lapsed entries are looked for, where the server does not do it.
        Default: half of ack_wait.
    stop_timeout: so long handlers may go on after a stop; then they are cancelled, and what they
        had is given back. Default 25.
    reconnect_cap: longest wait between two tries to reach the server. Default 2.
    signals: stop on SIGTERM and SIGINT. Default True.
    """

    name: str | None
    concurrency: int
    prefetch: int
    start: str
    ack_wait: float | None
    max_deliveries: int | None
    backoff: Sequence[float] | None
    dead_letter: str | None
    lease: Literal["time", "connection"] | None
    order_by: str | None
    block: float
    claim_every: float | None
    stop_timeout: float
    reconnect_cap: float
    signals: bool


class BaseConsumer(Generic[T]):
    """See Consumer and AsyncConsumer."""

    def __init__(
        self,
        stream: str,
        group: str,
        model: Any,
        decode: Callable[[dict[bytes, bytes]], T] | None,
        options: ConsumerOptions,
    ) -> None:
        self.options = Options(stream=stream, group=group, **options)
        self.name = self.options.name or generated_name()
        self._decode = decode or models.decoder(model)
        self._machine: Machine | None = None
        self._warned = False

    @property
    def stream(self) -> str:
        return self.options.stream

    @property
    def group(self) -> str:
        return self.options.group

    def _new_machine(self, client: Any) -> Machine:
        """A machine for one life of this consumer; `client` is a SyncClient or an AsyncClient."""
        return Machine(
            self.options,
            self.name,
            clock=time.monotonic,
            block_limit=client.block_limit,
            in_cluster=client.in_cluster,
        )

    def _open_machine(self) -> Machine:
        if self._machine is None:
            raise RuntimeError(f"{type(self).__name__} is not open: use it in a `with` statement")
        return self._machine

    def _data_of(self, held: Held) -> tuple[bool, Any]:
        """Whether an entry fits the model, and what it is then."""
        try:
            return True, self._decode(held.fields)
        except Exception as error:  # of a `decode` of the user's, anything
            what = "does not fit" if isinstance(error, PoisonError) else "cannot be decoded"
            log.error(
                "entry %s of %s %s, it becomes a dead letter: %s",
                *(held.id.decode(), self.stream, what, error),
            )
            return False, None

    def _take(self, machine: Machine) -> tuple[Held, Any] | None:
        """The next entry that fits the model; others become dead letters."""
        while (held := machine.take()) is not None:
            fits, data = self._data_of(held)
            if fits:
                return held, data
            machine.settle(held, Verdict.REJECT)
        return None

    def _warn_if_stuck(self, machine: Machine) -> None:
        if machine.is_full and not self._warned:
            self._warned = True
            log.warning(
                "%s: %d entries were handed out and none of them is settled, so no more are read; "
                "use `with entry:`, or entry.ack()",
                *(self.stream, machine.out),
            )
