"""The latency of single requests: a few clients in a closed loop, each request timed.

Like `bench.load` it polls without sleeping. One more connection asks INFO from time to time until
it says that what the measurement waits for is over.
"""

from __future__ import annotations

import gc
import select
import socket
import time
from collections.abc import Callable, Iterator

from bench.load import STALL_S, LoadError
from bench.wire import encode

_READ_BYTES = 1 << 16
_ASK_EVERY_NS = 20_000_000
STALL_NS = int(STALL_S * 1e9)
_ERROR = ord("-")
_INFO = encode(("INFO", "persistence"))


class Latency:
    """Open connections to one server; `run` is one measurement."""

    def __init__(self, port: int, clients: int) -> None:
        self._sockets = [self._connect(port) for _ in range(clients)]
        self._asker = self._connect(port)
        self._epoll = select.epoll()
        for sock in self._sockets:
            self._epoll.register(sock.fileno(), select.EPOLLIN)

    @staticmethod
    def _connect(port: int) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        return sock

    def close(self) -> None:
        self._epoll.close()
        for sock in (*self._sockets, self._asker):
            sock.close()

    def run(self, requests: Iterator[bytes], lines: int, seconds: float) -> list[int]:
        """Send `requests` for so many seconds; return the nanoseconds that each of them took.

        A request has taken until its reply of so many lines was there.
        """
        end = time.monotonic_ns() + int(seconds * 1e9)
        return self._timed(requests, lines, lambda now: now >= end)

    def run_during(
        self, requests: Iterator[bytes], lines: int, start: bytes, until: bytes
    ) -> tuple[list[int], float]:
        """The same from the request `start` on until INFO persistence holds `until`.

        Returns also how long that was, in seconds.
        """
        asker = _Asker(self._asker, start, until)
        began = time.monotonic_ns()
        taken = self._timed(requests, lines, asker.over)
        return taken, (asker.ended_ns - began) / 1e9

    def _timed(
        self, requests: Iterator[bytes], lines: int, over: Callable[[int], bool]
    ) -> list[int]:
        enabled = gc.isenabled()
        gc.disable()
        try:
            return self._loop(requests, lines, over)
        except OSError as error:
            raise LoadError(str(error)) from error
        finally:
            if enabled:
                gc.enable()

    def _loop(
        self, requests: Iterator[bytes], lines: int, over: Callable[[int], bool]
    ) -> list[int]:
        clock, poll = time.monotonic_ns, self._epoll.poll
        by_fd = {sock.fileno(): sock for sock in self._sockets}
        missing = dict.fromkeys(by_fd, lines)
        sent: dict[int, int] = {}
        taken: list[int] = []
        for fd, sock in by_fd.items():
            sent[fd] = clock()
            sock.send(next(requests))
        heard = clock()
        ending = False
        while sent:
            now = clock()
            ending = ending or over(now)
            ready = poll(0)
            if not ready:
                if now > heard + STALL_NS:
                    raise LoadError(f"no reply within {STALL_NS / 1e9:g} s")
                continue
            heard = now
            for fd, _ in ready:
                chunk = _received(by_fd[fd])
                if chunk[0] == _ERROR:
                    raise LoadError(chunk.split(b"\r\n", 1)[0].decode(errors="replace"))
                missing[fd] -= chunk.count(b"\n")
                if missing[fd] > 0:
                    continue
                now = clock()
                taken.append(now - sent[fd])
                if ending:
                    del sent[fd]
                    continue
                missing[fd] = lines
                sent[fd] = now
                by_fd[fd].send(next(requests))
        return taken


class _Asker:
    """Begins something with one request, then asks INFO now and then whether it is over."""

    def __init__(self, sock: socket.socket, start: bytes, until: bytes) -> None:
        self._socket = sock
        self._until = until
        self._answer = b""
        self._began = False
        self._ask_at_ns = 0
        self._asked = True
        self.ended_ns = 0
        sock.send(start)

    def over(self, now_ns: int) -> bool:
        """Whether it is; never waits. LoadError when a request is refused."""
        if not self._asked:
            if now_ns >= self._ask_at_ns:
                self._asked = True
                self._socket.send(_INFO)
            return False
        try:
            self._answer += _received(self._socket)
        except BlockingIOError:
            return False
        if self._answer[0] == _ERROR:
            raise LoadError(self._answer.split(b"\r\n", 1)[0].decode(errors="replace"))
        whole = _whole(self._answer) if self._began else self._answer.endswith(b"\r\n")
        if not whole:
            return False
        if self._began and self._until in self._answer:
            self.ended_ns = now_ns
            return True
        self._began, self._asked, self._answer = True, False, b""
        self._ask_at_ns = now_ns + _ASK_EVERY_NS
        return False


def _received(sock: socket.socket) -> bytes:
    chunk = sock.recv(_READ_BYTES)
    if not chunk:
        raise LoadError("the server closed a connection")
    return chunk


def _whole(answer: bytes) -> bool:
    """Whether a bulk string is there in full."""
    head, separator, rest = answer.partition(b"\r\n")
    return bool(separator) and len(rest) == int(head[1:]) + 2


def percentile(values: list[int], share: float) -> float:
    """The value that `share` of the sorted values do not exceed."""
    return float(values[min(len(values) - 1, int(len(values) * share))])
