"""The direct path for asyncio: commands are executed by the event loop's thread, waits awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from headwater.embedded.caller import DONE, LATER, Call, Starter

T = TypeVar("T")


class AsyncCaller(Starter):
    """Gives a store commands from any event loop."""

    __slots__ = ()

    def _later(self, call: Call) -> None:
        loop = asyncio.get_running_loop()
        call.future = loop.create_future()
        call.when_done(loop, partial(_done, call.future))

    async def _run(self, call: Call, shape: int) -> Any:
        """Execute a call's request, await its reply if need be, and return its value."""
        value = self._now(call, shape)
        return await self._answer(call, shape) if value is LATER else value

    async def _answer(self, call: Call, shape: int) -> Any:
        """The value of a call that was started, once its reply is there."""
        while True:
            try:
                await call.future
            except BaseException:
                self._abandon(call)
                raise
            if not call.must_run_again() or self._start(call) == DONE:
                return self._finish(call, shape)

    async def _call(self, words: Any, shape: int, parse: Callable[[Any], T]) -> T:
        """Execute words; `parse` makes what is returned of the reply's value, or is AS_IS."""
        value: T = await self._run(self._written(words), shape)
        return value if parse is None else parse(value)


def _done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
