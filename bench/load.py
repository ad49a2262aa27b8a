"""The load generator: CLIENTS connections in a closed loop, written to cost little itself.

Requests are bytes made beforehand. Replies are not parsed: the size of a batch's replies is known
from a probe (or its number of lines, where sizes vary), so a connection has its whole answer when
as much has come in. All but the first bytes of a reply are dropped in the kernel (MSG_TRUNC).

It never sleeps while it waits: a server that has to wake its client pays for that in its own CPU
time, 20 % of a PING, and whether it has to would be a matter of chance where both are as fast.

Guarantees: a span ends when every batch sent has been answered in full. An error reply never has
the size or the number of lines of the replies expected, so it ends in LoadError, not in a figure.
"""

from __future__ import annotations

import gc
import select
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

STALL_S = 5.0  # without one byte from the server for so long, the span has failed
FIRST_READ_BYTES = 1 << 16
DROP_BYTES = 1 << 20
LINES_READ_BYTES = 1 << 13  # replies counted by lines are short
_SEND_BUFFER_BYTES = 1 << 20  # larger than any batch, so that one send() always takes it
_ERROR = ord("-")

Send = Callable[[bytes], int]


class LoadError(Exception):
    """The server did not answer as expected: an error, a wrong size, silence, or it hung up."""


class Load:
    """Open connections to one server; `run` is one span."""

    def __init__(self, port: int, clients: int) -> None:
        self._sockets = [self.connect(port) for _ in range(clients)]
        self._epoll = select.epoll()
        for sock in self._sockets:
            self._epoll.register(sock.fileno(), select.EPOLLIN)
        self._buffer = bytearray(DROP_BYTES)

    @staticmethod
    def connect(port: int) -> socket.socket:
        """A connection that never waits and takes any batch at once."""
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        sock.setblocking(False)
        return sock

    def close(self) -> None:
        self._epoll.close()
        for sock in self._sockets:
            sock.close()

    def run(
        self, feeds: Sequence[Iterator[bytes]], size: int, *, lines: bool, seconds: float | None
    ) -> int:
        """Run one span and return the number of batches answered.

        `size` of a batch's replies: bytes, or with `lines` line ends. After `seconds` no new batch
        is sent; None: until the feeds end.
        """
        enabled = gc.isenabled()
        gc.disable()
        try:
            end = time.monotonic() + seconds if seconds is not None else None
            return self._run_lines(feeds, size, end) if lines else self._run_bytes(feeds, size, end)
        except OSError as error:
            raise LoadError(str(error)) from error
        finally:
            if enabled:
                gc.enable()

    # The two loops below differ in how they measure what came in. They are written out, not
    # shared through a call: a Python call for each reply would cost more than the difference.

    def _run_bytes(self, feeds: Sequence[Iterator[bytes]], size: int, end: float | None) -> int:
        poll, clock, buffer = self._epoll.poll, time.monotonic, self._buffer
        by_fd = {s.fileno(): s for s in self._sockets}
        receive = {fd: sock.recv_into for fd, sock in by_fd.items()}
        send = {fd: sock.send for fd, sock in by_fd.items()}
        feed = dict(zip(by_fd, feeds, strict=True))
        missing = dict.fromkeys(by_fd, size)
        batches = waiting = self._start(send, feed)
        heard = clock()
        while waiting:
            ready = poll(0)
            if not ready:
                if clock() > heard + STALL_S:
                    raise self._stalled(missing, size)
                continue
            heard = clock()
            if end is not None and heard >= end:
                feed = dict.fromkeys(by_fd, iter(()))
                end = None
            for fd, _ in ready:
                left = missing[fd]
                if left == size:
                    got = receive[fd](buffer, FIRST_READ_BYTES)
                    if buffer[0] == _ERROR:
                        raise LoadError(_first_line(buffer, got))
                else:
                    got = receive[fd](buffer, DROP_BYTES, socket.MSG_TRUNC)
                if got < left:
                    if not got:
                        raise LoadError("the server closed a connection")
                    missing[fd] = left - got
                    continue
                if got > left:
                    raise LoadError(f"replies are {got - left} bytes longer than expected")
                missing[fd] = size
                payload = next(feed[fd], None)
                if payload is None:
                    waiting -= 1
                    continue
                batches += 1
                if send[fd](payload) != len(payload):
                    raise LoadError("the server does not read its requests")
        return batches

    def _run_lines(self, feeds: Sequence[Iterator[bytes]], size: int, end: float | None) -> int:
        poll, clock = self._epoll.poll, time.monotonic
        by_fd = {s.fileno(): s for s in self._sockets}
        receive = {fd: sock.recv for fd, sock in by_fd.items()}
        send = {fd: sock.send for fd, sock in by_fd.items()}
        feed = dict(zip(by_fd, feeds, strict=True))
        missing = dict.fromkeys(by_fd, size)
        batches = waiting = self._start(send, feed)
        heard = clock()
        while waiting:
            ready = poll(0)
            if not ready:
                if clock() > heard + STALL_S:
                    raise self._stalled(missing, size)
                continue
            heard = clock()
            if end is not None and heard >= end:
                feed = dict.fromkeys(by_fd, iter(()))
                end = None
            for fd, _ in ready:
                chunk = receive[fd](LINES_READ_BYTES)
                left = missing[fd] - chunk.count(b"\n")
                if left:
                    if not chunk:
                        raise LoadError("the server closed a connection")
                    if chunk[0] == _ERROR and missing[fd] == size:
                        raise LoadError(_first_line(chunk, len(chunk)))
                    if left < 0:
                        raise LoadError(f"replies are {-left} lines longer than expected")
                    missing[fd] = left
                    continue
                missing[fd] = size
                payload = next(feed[fd], None)
                if payload is None:
                    waiting -= 1
                    continue
                batches += 1
                if send[fd](payload) != len(payload):
                    raise LoadError("the server does not read its requests")
        return batches

    @staticmethod
    def _start(send: Mapping[int, Send], feed: Mapping[int, Iterator[bytes]]) -> int:
        """Send each connection's first batch; return how many were sent."""
        started = 0
        for fd, own in feed.items():
            payload = next(own, None)
            if payload is not None:
                if send[fd](payload) != len(payload):
                    raise LoadError("the server does not read its requests")
                started += 1
        return started

    @staticmethod
    def _stalled(missing: dict[int, int], size: int) -> LoadError:
        partial = {left for left in missing.values() if left != size}
        detail = f"; still missing of {size}: {sorted(partial)[:5]}" if partial else ""
        return LoadError(f"no complete reply within {STALL_S:g} s{detail}")


def _first_line(data: bytes | bytearray, length: int) -> str:
    return bytes(data[:length]).split(b"\r\n", 1)[0].decode(errors="replace")
