"""SIGTERM and SIGINT for as long as a consumer is open; what was there before comes back."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """Calls a function on the signals that end a program; only the main thread can do that.

    With `loop` the function is called in that event loop, without one in a thread of its own, so
    that it may take locks.
    """

    def __init__(
        self, stop: Callable[[], None], loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        self._before: dict[signal.Signals, Any] = {}
        self._loop = loop
        if threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            self._before[number] = signal.getsignal(number)
            if loop is None:
                signal.signal(number, lambda *_: threading.Thread(target=stop).start())
                continue
            try:
                loop.add_signal_handler(number, stop)
            except NotImplementedError:  # Windows
                signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop))

    def restore(self) -> None:
        for number, handler in self._before.items():
            if self._loop is not None:
                with contextlib.suppress(NotImplementedError):
                    self._loop.remove_signal_handler(number)
            if handler is not None:
                signal.signal(number, handler)
        self._before.clear()
