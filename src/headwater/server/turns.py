"""Turns of the clients whose big replies are being sent: a piece each, then the others again.

A client on a fast network takes all it is offered: sent in one go, a reply of a million entries
would keep everybody else waiting. So after each piece the loop looks at the other clients first.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import Any, Protocol

_log = logging.getLogger("headwater")


class Sender(Protocol):
    """A connection, as far as it takes turns."""

    def take_turn(self) -> int:
        """Send a piece and return its bytes; whoever has more joins again."""
        ...

    def close(self) -> None:
        """Drop the client."""
        ...


class Turns:
    """Those who wait for their turn, first come first served.

    In each round of the event loop about `round_bytes` are sent, however many wait.
    """

    __slots__ = ("_loop", "_round_bytes", "_scheduled", "_waiting")

    def __init__(self, loop: Any, round_bytes: int) -> None:
        self._loop = loop
        self._round_bytes = round_bytes
        self._waiting: deque[Sender] = deque()
        self._scheduled = False

    def join(self, sender: Sender) -> None:
        """Give this one a turn behind all who wait; it must not be among them."""
        self._waiting.append(sender)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._round)

    def _round(self) -> None:
        self._scheduled = False
        budget = self._round_bytes
        # Who joins from here on gets a turn in the next round.
        for _ in range(len(self._waiting)):
            sender = self._waiting.popleft()
            try:
                budget -= sender.take_turn()
            except Exception:
                _log.exception("a client closed: sending its reply failed")
                sender.close()
            if budget <= 0:
                break
        if self._waiting and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._round)
