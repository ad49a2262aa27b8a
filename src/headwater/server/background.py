"""Work that the loop does in small parts between requests, while there is some."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Background:
    """`part()` does a little and says in how many seconds it wants to go on; None: it is done."""

    __slots__ = ("_loop", "_part", "_scheduled")

    def __init__(self, loop: asyncio.AbstractEventLoop, part: Callable[[], float | None]) -> None:
        self._loop = loop
        self._part = part
        self._scheduled: asyncio.Handle | None = None

    def soon(self) -> None:
        """There is something to do: begin when the clients had their turn, if nothing is set."""
        if self._scheduled is None:
            self._scheduled = self._loop.call_soon(self._run)

    def cancel(self) -> None:
        """Do not go on with what is scheduled."""
        if self._scheduled is not None:
            self._scheduled.cancel()
            self._scheduled = None

    def _run(self) -> None:
        self._scheduled = None
        delay_s = self._part()
        if delay_s is not None and self._scheduled is None:
            self._scheduled = self._loop.call_later(delay_s, self._run)
