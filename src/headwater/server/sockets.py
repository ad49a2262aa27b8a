"""What of sockets differs between operating systems: unix sockets, keepalive, taken ports."""

from __future__ import annotations

import contextlib
import socket
import sys
from typing import Any

AF_UNIX: int | None = getattr(socket, "AF_UNIX", None)
"""None where Python knows no unix sockets (Windows)."""

_IDLE: int | None = getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", None))
_INTERVAL: int | None = getattr(socket, "TCP_KEEPINTVL", None)
_COUNT: int | None = getattr(socket, "TCP_KEEPCNT", None)


def is_unix(sock: Any) -> bool:
    """Whether this is a unix socket; None, no socket at all, is none."""
    return sock is not None and AF_UNIX is not None and sock.family == AF_UNIX


def keep_alive(sock: Any, idle_s: int, interval_s: int, probes: int) -> None:
    """Have the kernel ask after `idle_s` of silence, and give up after so many questions.

    What the system lets nobody choose stays as it is there.
    """
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (
            (_IDLE, max(1, idle_s)),
            (_INTERVAL, max(1, interval_s)),
            (_COUNT, probes),
        ):
            if option is not None:
                sock.setsockopt(socket.IPPROTO_TCP, option, value)


def own_port(sock: socket.socket) -> None:
    """Before `bind`: a port is free as soon as who listened on it ended, and not before."""
    if sys.platform == "win32":  # where SO_REUSEADDR lets two programs listen on one port
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    else:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
