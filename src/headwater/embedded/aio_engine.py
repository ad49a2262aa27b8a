"""`headwater.aio.Engine`: the engine as an asyncio program embeds it."""

from __future__ import annotations

import asyncio

from headwater.embedded.aio_basics import Commands
from headwater.embedded.handle import CLOSED, Handle
from headwater.embedded.opening import Share
from headwater.errors import StoreClosed


class Engine(Handle, Commands):
    """A share of a store, with typed coroutines for its commands; made by `headwater.aio.open`.

    Its methods are those of `headwater.Engine`. Commands are executed by the thread of the event
    loop, which a command holds up for microseconds; blocking reads and, under `appendfsync`
    always, the wait for the disk are awaited. Tasks of several event loops may use it at once. A
    task that is cancelled while it waits takes no entry with it.
    """

    def __init__(self, share: Share) -> None:
        Handle.__init__(self, share)
        Commands.__init__(self, share.store)

    async def aclose(self) -> None:
        """Let go of the store. The last who does flushes and closes it: then all is on disk."""
        self._shut(_closed)
        # Closing waits for the disk, which is no reason for the event loop to wait.
        await asyncio.get_running_loop().run_in_executor(None, Handle.close, self)

    def close(self) -> None:
        """As `aclose`, for where nothing can be awaited: the event loop waits for the disk."""
        self._shut(_closed)
        super().close()

    async def __aenter__(self) -> Engine:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()


def _closed() -> StoreClosed:
    return StoreClosed(CLOSED)
