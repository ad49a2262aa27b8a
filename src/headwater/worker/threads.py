"""Threads for handlers that are plain functions, beside an event loop.

Not the loop's own executor: that has few threads, and a program waits for all of them before it
ends, for a handler that hangs for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import queue
import threading
from collections.abc import Callable
from typing import Any


class HandlerThread:
    """One thread, which makes one call at a time; it does not keep the program from ending."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="headwater-handler", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """End the thread once its call has returned."""
        self._calls.put(None)

    async def call(self, function: Callable[[Any], Any], argument: Any) -> Any:
        """What the function returns or raises; one that is cancelled goes on nevertheless."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        context = contextvars.copy_context()

        def tell(result: Any, error: BaseException | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(result)
            elif isinstance(error, StopIteration):  # a future cannot hold one
                future.set_exception(RuntimeError(f"the handler raised {error!r}"))
            else:
                future.set_exception(error)

        def run() -> None:
            result, error = None, None
            try:
                result = context.run(function, argument)
            except BaseException as raised:
                error = raised
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(tell, result, error)

        self._calls.put(run)
        return await future

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
