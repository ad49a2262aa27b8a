"""Whether a client's host still answers: TCP keepalive, and short for those who hold entries.

A process that ends, in whatever way, has its sockets closed by its kernel. A host that has
vanished, or a network that is cut, says nothing; so somebody has to ask. While a connection is
silent the kernel asks, by keepalive. While something was sent that is not acknowledged it does
not ask, it sends again, for a quarter of an hour: then `Liveness` looks how long nothing has come
back. (TCP_USER_TIMEOUT would bound that too, but it also ends a connection whose host answers and
whose program just does not read for so long: such a worker lives.)

A unix socket needs none of it.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections import deque
from typing import Any

from headwater.commands.session import Session
from headwater.server import sockets

SHORTEST_MS, LONGEST_MS = 5_000, 60_000
"""Who holds entries is asked so often that its end is noticed within this."""

_PROBES = 3
_LOOKS = 4
"""How often each connection is looked at in the time within which its end is to be noticed."""

_TICKS_PER_S = 10
_TCP_INFO = getattr(socket, "TCP_INFO", None) if sys.platform == "linux" else None
_TCP_INFO_BYTES = 104
_RETRANSMITS, _PROBES_OUT = 2, 3  # u8 each: how often it was sent again, or asked
_UNANSWERED = 24  # u32: segments that are not acknowledged
_LAST_ANSWER = 56  # u32: ms since something was acknowledged
_UNANSWERED_PROBES = 2  # one may be counted that was answered, on the loopback device


def keep_alive(sock: Any, idle_s: int, interval_s: int) -> None:
    """Have the kernel ask after `idle_s` of silence, and give up after three questions."""
    sockets.keep_alive(sock, idle_s, interval_s, _PROBES)


class Watched:
    """A connection whose end is to be noticed within `within_ms`.

    since_ms: since when something has been without an answer, 0: nothing is.
    """

    __slots__ = ("session", "since_ms", "sock", "within_ms")

    def __init__(self, session: Session, sock: Any, within_ms: int) -> None:
        self.session = session
        self.sock = sock
        self.within_ms = within_ms
        self.since_ms = 0

    def is_silent(self, now_ms: int) -> bool:
        """Whether nothing has come back for too long; to be asked from time to time."""
        if _TCP_INFO is None:
            return False
        try:
            info = self.sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _TCP_INFO_BYTES)
        except OSError:
            return False  # it is closed: whoever reads from it finds out
        if len(info) < _LAST_ANSWER + 4:
            return False
        (unanswered,) = struct.unpack_from("=I", info, _UNANSWERED)
        (silent_ms,) = struct.unpack_from("=I", info, _LAST_ANSWER)
        sent_again = unanswered != 0 and info[_RETRANSMITS] != 0
        if not sent_again and info[_PROBES_OUT] < _UNANSWERED_PROBES:
            self.since_ms = 0
            return False
        if self.since_ms == 0 or silent_ms < now_ms - self.since_ms:
            self.since_ms = now_ms
        return now_ms - self.since_ms >= self.within_ms - self.within_ms // _LOOKS


class Liveness:
    """The connections that hold entries, asked by keepalive and looked at in turn."""

    def __init__(self) -> None:
        self._watched: dict[Session, Watched] = {}
        self._turns: deque[Watched] = deque()
        self._shortest_ms = LONGEST_MS

    def expect_answers(self, session: Session, sock: Any, within_ms: int, idle_s: int) -> None:
        """Notice within about `within_ms` if its host is gone, though not before SHORTEST_MS.

        It stays so until the connection ends. `idle_s`: the connection's keepalive until now, 0:
        none; it is never made longer.
        """
        if sock is None or sockets.is_unix(sock):
            return
        within_ms = min(max(within_ms, SHORTEST_MS), LONGEST_MS)
        watched = self._watched.get(session)
        if watched is None:
            watched = self._watched[session] = Watched(session, sock, within_ms)
            self._turns.append(watched)
        elif watched.within_ms <= within_ms:
            return
        watched.within_ms = within_ms
        self._shortest_ms = min(self._shortest_ms, within_ms)
        # Half of the time it is silent, in the other half it is asked three times.
        half_s = within_ms // 2000
        keep_alive(sock, min(half_s, idle_s or half_s), half_s // _PROBES)

    def forget(self, session: Session) -> None:
        """The connection is gone."""
        self._watched.pop(session, None)

    def tick(self, now_ms: int) -> list[Session]:
        """Look at some of them, ten times a second; returns those that do not answer."""
        silent: list[Session] = []
        period_s = max(1, self._shortest_ms // (1000 * _LOOKS))
        for _ in range(-(-len(self._turns) // (_TICKS_PER_S * period_s))):
            watched = self._turns.popleft()
            if self._watched.get(watched.session) is not watched:
                continue
            self._turns.append(watched)
            if watched.is_silent(now_ms):
                silent.append(watched.session)
        return silent
