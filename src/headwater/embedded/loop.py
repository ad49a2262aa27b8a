"""The event loop of a store's own thread: whatever it runs holds the store's lock.

Only while it sleeps in select is the lock free for the program's threads. They may schedule calls
as the loop's own thread does, because they hold the lock; when the loop sleeps, that wakes it.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
import time
from collections.abc import Callable, Mapping
from contextvars import Context
from typing import Any

from headwater.embedded.session import ASIDE_S, Entrance


class _Selector(selectors.BaseSelector):
    """The platform's selector, with the lock released while it waits."""

    def __init__(self, entrance: Entrance) -> None:
        self._inner = selectors.DefaultSelector()
        self._entrance = entrance

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        entrance = self._entrance
        entrance.inside = False
        entrance.sleeping = timeout is None or timeout > 0
        entrance.lock.release()
        try:
            return self._inner.select(timeout)
        finally:
            entrance.lock.acquire()
            while entrance.aside:
                entrance.lock.release()
                time.sleep(ASIDE_S)
                entrance.lock.acquire()
            entrance.sleeping = False
            entrance.inside = True

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.modify(fileobj, events, data)

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.get_key(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._inner.get_map()

    def close(self) -> None:
        self._inner.close()


class StoreLoop(asyncio.SelectorEventLoop):
    """See the module's text. `run_until_complete` is called with the lock held."""

    def __init__(self, entrance: Entrance) -> None:
        super().__init__(_Selector(entrance))
        self.set_debug(False)  # which would forbid other threads to schedule calls
        self._entrance = entrance

    def call_soon(  # type: ignore[override]  # wider than what typeshed knows
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = super().call_soon(callback, *args, context=context)
        if self._entrance.sleeping:
            self._wake()
        return handle

    def call_at(  # type: ignore[override]  # any callable
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = super().call_at(when, callback, *args, context=context)
        if self._entrance.sleeping:
            self._wake()
        return handle

    def _wake(self) -> None:
        # Once is enough: whoever comes next before the thread runs has nothing to add.
        self._entrance.sleeping = False
        self.call_soon_threadsafe(_nothing)


def new_lock() -> Any:
    """The lock of a store. A thread may take it again, so that one can tell who has it."""
    return threading.RLock()


def _nothing() -> None:
    """Only to have the loop look around."""
