"""How signals end a command: in order, whatever it was doing.

SIGINT raises KeyboardInterrupt, SIGTERM and SIGHUP raise SystemExit with the status a shell has for
them: files that are half written go, streams of a measurement are deleted, the terminal is put
back. Where this is set up or taken down a signal waits. What was ignored when the program began
(by nohup, say) stays so.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class _Waiting:
    """How many blocks keep signals waiting, and the signal that came meanwhile (0: none)."""

    blocks = 0
    number = 0


def listen() -> None:
    """From here on signals end the program as this module says. Of the main thread only."""
    for number in _SIGNALS:
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            signal.signal(number, _came)


def be_done() -> None:
    """The command is over: from here on a signal ends the program at once, without a word."""
    for number in _SIGNALS:
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            signal.signal(number, signal.SIG_DFL)


def _came(number: int, frame: object) -> None:
    if _Waiting.blocks:
        _Waiting.number = number
    else:
        _end(number)


def _end(number: int) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)


@contextmanager
def held() -> Iterator[None]:
    """Signals wait until the block is over; the last that came comes then."""
    _Waiting.blocks += 1
    try:
        yield
    finally:
        _Waiting.blocks -= 1
        if not _Waiting.blocks and _Waiting.number:
            number, _Waiting.number = _Waiting.number, 0
            _end(number)


@contextmanager
def undisturbed(manager: AbstractContextManager[T]) -> Iterator[T]:
    """`with undisturbed(manager) as value:` enters and leaves `manager` undisturbed by signals.

    What came while it was entered ends the block before it begins; `manager` is left all the same.
    """

    def leave(
        kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        with held():
            return manager.__exit__(kind, error, trace)

    with ExitStack() as stack:
        with held():
            value = manager.__enter__()
            stack.push(leave)
        yield value
