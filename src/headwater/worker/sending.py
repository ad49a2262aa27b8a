"""What a producer decides: the words of an XADD, when to try again, and how much may be under way.

With IDMP the server remembers the last idempotent IDs of each producer; a second XADD with the same
one is answered with the ID of the first, and adds nothing. It remembers a limited number of them,
so an XADD may be tried again only while fewer others have begun after it: `Window`.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from headwater.worker import features
from headwater.worker.errors import ConfigurationError, SendError
from headwater.worker.machine import RECONNECT_BASE, log
from headwater.worker.wire import Command, Commands, Flow, Pause, Word, as_text, is_passing


class Window:
    """Numbers for sends, each given out only while the oldest unfinished is near."""

    __slots__ = ("_next", "_open", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self._next = 0
        self._open: set[int] = set()

    def begin(self, count: int) -> int | None:
        """The first of `count` numbers, None while there is no room for them."""
        if self._open and self._next + count - min(self._open) > self.size:
            return None
        first = self._next
        self._next += count
        self._open.update(range(first, self._next))
        return first

    def end(self, first: int, count: int) -> None:
        self._open.difference_update(range(first, first + count))


@dataclass(frozen=True, slots=True)
class Sending:
    """A producer's options; see Producer."""

    stream: str
    maxlen: int | None
    exact: bool
    retry_for: float
    window: int
    reconnect_cap: float

    def __post_init__(self) -> None:
        if self.maxlen is not None and self.maxlen < 0:
            raise ConfigurationError("maxlen must not be below 0")
        if self.window < 1:
            raise ConfigurationError("window must be 1 or more")
        if self.retry_for < 0 or self.reconnect_cap <= 0:
            raise ConfigurationError("retry_for and reconnect_cap are seconds")


class Sender:
    """XADD with retries, for one producer."""

    def __init__(
        self,
        options: Sending,
        producer_id: str | None,
        clock: Callable[[], float],
        rng: random.Random | None = None,
    ) -> None:
        self.options = options
        self.run_id = uuid.uuid4().hex
        self.producer_id = producer_id or self.run_id
        self.has_stable_id = producer_id is not None
        self.window = Window(options.window)
        self.is_idempotent: bool | None = None
        self._clock = clock
        self._rng = rng or random.Random()

    def check_keys(self, keys: Sequence[str | None], count: int) -> None:
        if len(keys) != count:
            raise ConfigurationError(f"{count} entries, but {len(keys)} keys")
        if not self.has_stable_id and any(key is not None for key in keys):
            raise ConfigurationError(
                "a key tells entries of one producer apart: give the Producer a producer_id that "
                "is the same after a restart"
            )

    def sending(
        self, bodies: Sequence[list[bytes]], keys: Sequence[str | None], first: int
    ) -> Flow[list[str | Exception | None]]:
        """Add entries; the IDs of those that were added, and the errors of the others.

        What fails for the time being is tried again for `retry_for` seconds, with the same
        idempotent ID; the entries of a batch that are left then have their error in the result.
        """
        until = self._clock() + self.options.retry_for
        results: list[str | Exception | None] = [None] * len(bodies)
        left = list(range(len(bodies)))
        failures = 0
        while left:
            try:
                if self.is_idempotent is None:
                    self.is_idempotent = (yield from features.ask()).idempotent
                commands = [self._xadd(bodies[i], keys[i], first + i) for i in left]
                answers = yield from _ask(commands)
            except Exception as error:
                if not is_passing(error):
                    raise
                answers = [error] * len(left)
            again = []
            for i, answer in zip(left, answers, strict=True):
                if not isinstance(answer, Exception):
                    results[i] = as_text(answer)
                    continue
                results[i] = answer
                if is_passing(answer):
                    again.append(i)
            left = again
            if left:
                now = self._clock()
                if now >= until:
                    break
                most = min(self.options.reconnect_cap, RECONNECT_BASE * 2.0 ** min(failures, 30))
                failures += 1
                wait = min(most * self._rng.uniform(0.5, 1.0), until - now)
                log.warning(
                    "%s: %s; next try in %.2f s", self.options.stream, results[left[0]], wait
                )
                yield Pause(wait)
        return results

    def _xadd(self, body: list[bytes], key: str | None, number: int) -> Command:
        words: list[Word] = ["XADD", self.options.stream]
        if self.is_idempotent:
            words += ["IDMP", self.producer_id, key or f"{self.run_id}-{number}"]
        if self.options.maxlen is not None:
            words += ["MAXLEN", "=" if self.options.exact else "~", self.options.maxlen]
        return (*words, "*", *body)


def _ask(commands: list[Command]) -> Flow[list[Any]]:
    if len(commands) > 1:
        answers: list[Any] = yield Commands(commands)
        return answers
    try:
        return [(yield commands[0])]
    except Exception as error:
        return [error]


def only(results: list[str | Exception | None]) -> str:
    """The ID of a single send; raises its error."""
    result = results[0]
    if isinstance(result, Exception):
        raise result
    assert result is not None
    return result


def all_of(results: list[str | Exception | None]) -> list[str]:
    """The IDs of a batch; SendError if there is anything else."""
    ids = [result for result in results if isinstance(result, str)]
    if len(ids) < len(results):
        raise SendError(results)
    return ids
