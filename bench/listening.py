"""The load generator for publishers beside clients who listen (`Case.listeners`).

Listeners subscribe to one channel before the first span, and read whatever comes; publishers are a
closed loop as in `bench.load`. A span ends when every request is answered and every listener has
had every message, so each request costs any server the same sends.
"""

from __future__ import annotations

import gc
import select
import socket
import time
from collections.abc import Iterator, Sequence

from bench.load import DROP_BYTES, LINES_READ_BYTES, STALL_S, Load, LoadError
from bench.wire import Words, encode

_ERROR = ord("-")


class ListeningLoad:
    """Open connections to one server, as `Load`: publishers and `listeners`.

    `message`: channel and payload of every request. A listener is sent it in the bytes of an array
    of three words, as a request is.
    """

    def __init__(self, port: int, clients: int, listeners: int, message: Words) -> None:
        self._message_bytes = len(encode(("message", *message)))
        self._publishers = [Load.connect(port) for _ in range(clients)]
        self._listeners = [Load.connect(port) for _ in range(listeners)]
        self._epoll = select.epoll()
        self._buffer = bytearray(DROP_BYTES)
        for sock in (*self._publishers, *self._listeners):
            self._epoll.register(sock.fileno(), select.EPOLLIN)
        for sock in self._listeners:
            sock.setblocking(True)
            sock.sendall(encode(("SUBSCRIBE", message[0])))
            if not sock.recv(LINES_READ_BYTES).startswith(b"*3"):
                raise LoadError("a listener was refused")
            sock.setblocking(False)

    def close(self) -> None:
        self._epoll.close()
        for sock in (*self._publishers, *self._listeners):
            sock.close()

    def run(
        self, feeds: Sequence[Iterator[bytes]], size: int, *, lines: bool, seconds: float | None
    ) -> int:
        """Run one span and return the number of batches answered, as `Load.run`."""
        if not lines or seconds is None:
            raise LoadError("publishers need replies counted by lines, and a time")
        enabled = gc.isenabled()
        gc.disable()
        try:
            return self._run(feeds, size, time.monotonic() + seconds)
        except OSError as error:
            raise LoadError(str(error)) from error
        finally:
            if enabled:
                gc.enable()

    def _run(self, feeds: Sequence[Iterator[bytes]], size: int, end: float) -> int:
        poll, clock, buffer = self._epoll.poll, time.monotonic, self._buffer
        listening = {s.fileno(): s.recv_into for s in self._listeners}
        by_fd = {s.fileno(): s for s in self._publishers}
        feed = dict(zip(by_fd, feeds, strict=True))
        missing = dict.fromkeys(by_fd, size)
        batches = waiting = 0
        for fd, sock in by_fd.items():
            payload = next(feed[fd])
            if sock.send(payload) != len(payload):
                raise LoadError("the server does not read its requests")
            batches += 1
            waiting += 1
        unread = 0  # bytes of messages that answered requests have caused, and nobody has read
        each = self._message_bytes * len(listening) * size
        heard = clock()
        while waiting or unread > 0:
            ready = poll(0)
            if not ready:
                if clock() > heard + STALL_S:
                    raise LoadError(f"{waiting} requests without answer, {unread} bytes unheard")
                continue
            heard = clock()
            for fd, _ in ready:
                receive = listening.get(fd)
                if receive is not None:
                    got = receive(buffer, DROP_BYTES, socket.MSG_TRUNC)
                    if not got:
                        raise LoadError("the server closed a listener")
                    unread -= got
                    continue
                chunk = by_fd[fd].recv(LINES_READ_BYTES)
                if not chunk or chunk[0] == _ERROR:
                    raise LoadError(f"the server answered {chunk[:100]!r}")
                missing[fd] -= chunk.count(b"\n")
                if missing[fd]:
                    continue
                missing[fd] = size
                unread += each
                if heard >= end:
                    waiting -= 1
                    continue
                payload = next(feed[fd])
                batches += 1
                if by_fd[fd].send(payload) != len(payload):
                    raise LoadError("the server does not read its requests")
        return batches
