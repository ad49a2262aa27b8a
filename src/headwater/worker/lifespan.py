"""Consumers that live as long as a web application: for FastAPI, Starlette, Litestar, ..."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from headwater.worker.aconsumer import AsyncConsumer, AsyncHandler


def lifespan(
    *workers: tuple[AsyncConsumer[Any], AsyncHandler[Any]],
    before: Callable[[Any], AbstractAsyncContextManager[Any]] | None = None,
) -> Callable[[Any], AbstractAsyncContextManager[Any]]:
    """The `lifespan` of an application that runs consumers beside it.

    workers: consumers, each with its handler. They start with the application and stop with it, in
    good order; signals are left to the application's server. before: a lifespan of the
    application's own: it begins before the consumers and ends behind them, and what it yields is
    the application's state.
    """

    @contextlib.asynccontextmanager
    async def lived(app: Any) -> AsyncIterator[Any]:
        async with contextlib.AsyncExitStack() as stack:
            state = None
            if before is not None:
                state = await stack.enter_async_context(before(app))
            for consumer, handler in workers:
                await stack.enter_async_context(consumer.running(handler))
            yield state

    return lived
