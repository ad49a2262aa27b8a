"""The latency of single requests: a few clients in a closed loop, each request timed.

Like `bench.load` it polls without sleeping. One more connection may do something else meanwhile:
ask INFO from time to time until what the measurement waits for is over, or read big replies.
"""

from __future__ import annotations

import gc
import select
import socket
import time
from collections.abc import Callable, Iterator
from itertools import cycle

from bench import data
from bench.figures import Figure
from bench.load import DROP_BYTES, STALL_S, LoadError
from bench.wire import encode

CLIENTS = 10  # who add orders while something else goes on
P999_GOAL = 1.0
P999_LIMIT_MS = 20.0

_READ_BYTES = 1 << 16
_ASK_EVERY_NS = 20_000_000
STALL_NS = int(STALL_S * 1e9)
_ERROR = ord("-")
_ORDERS = 512  # different requests
_LINES = 2  # of a reply to XADD


def adding(stream: bytes) -> Iterator[bytes]:
    """Requests that add orders to a stream, without end."""
    return cycle([encode(("XADD", stream, "*", *data.fields(n))) for n in range(_ORDERS)])


class Latency:
    """Open connections to one server; `run` is one measurement."""

    def __init__(self, port: int, clients: int) -> None:
        self._sockets = [self._connect(port) for _ in range(clients)]
        self._other = self._connect(port)
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
        for sock in (*self._sockets, self._other):
            sock.close()

    def run(self, requests: Iterator[bytes], seconds: float, lines: int = _LINES) -> list[int]:
        """Send `requests` for so many seconds; return the nanoseconds that each of them took.

        A request has taken until its reply of so many lines was there.
        """
        end = time.monotonic_ns() + int(seconds * 1e9)
        return self._timed(requests, lines, lambda now: now >= end)

    def run_during(
        self,
        requests: Iterator[bytes],
        start: bytes,
        section: str,
        until: bytes,
        lines: int = _LINES,
    ) -> tuple[list[int], float]:
        """The same from the request `start` on until that section of INFO holds `until`.

        Returns also how long that was, in seconds.
        """
        asker = _Asker(self._other, start, encode(("INFO", section)), until)
        began = time.monotonic_ns()
        taken = self._timed(requests, lines, asker.over)
        return taken, (asker.ended_ns - began) / 1e9

    def run_beside_reader(
        self,
        requests: Iterator[bytes],
        seconds: float,
        read: bytes,
        size: int,
        lines: int = _LINES,
    ) -> tuple[list[int], float]:
        """The same for so many seconds, while another sends `read` again and again and consumes
        its reply of `size` bytes; at least until one reply is complete.

        Returns also the seconds that one such reply took on average.
        """
        reader = _Reader(self._other, read, size, time.monotonic_ns() + int(seconds * 1e9))
        began = time.monotonic_ns()
        taken = self._timed(requests, lines, reader.over)
        return taken, (reader.completed_ns - began) / reader.completed / 1e9

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

    def __init__(self, sock: socket.socket, start: bytes, ask: bytes, until: bytes) -> None:
        self._socket = sock
        self._ask = ask
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
                self._socket.send(self._ask)
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


class _Reader:
    """Sends one request again and again; its replies of `size` bytes are dropped as they come."""

    def __init__(self, sock: socket.socket, request: bytes, size: int, end_ns: int) -> None:
        self._socket = sock
        self._request = request
        self._size = self._missing = size
        self._end_ns = end_ns
        self._buffer = bytearray(DROP_BYTES)
        self.completed = 0
        self.completed_ns = 0  # when the last complete reply was
        sock.send(request)

    def over(self, now_ns: int) -> bool:
        """Take what has come in; whether the time is over. Never waits."""
        if now_ns >= self._end_ns and self.completed:
            return True
        fresh = self._missing == self._size
        try:
            if fresh:
                got = self._socket.recv_into(self._buffer, _READ_BYTES)
            else:
                got = self._socket.recv_into(self._buffer, DROP_BYTES, socket.MSG_TRUNC)
        except BlockingIOError:
            return False
        if not got:
            raise LoadError("the server closed the connection of the reader")
        if fresh and self._buffer[0] == _ERROR:
            raise LoadError(bytes(self._buffer[:got]).split(b"\r\n", 1)[0].decode())
        self._missing -= got
        if self._missing < 0:
            raise LoadError(f"a reply is {-self._missing} bytes longer than expected")
        if not self._missing:
            self.completed += 1
            self.completed_ns = now_ns
            self._missing = self._size
            self._socket.send(self._request)
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


_SHARES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "slowest": 1.0}


class Percentiles:
    """Four figures of the same requests: p50, p99, p99.9 and the slowest, in milliseconds."""

    def __init__(self, title: str, goal: float | None = None, limit: float | None = None) -> None:
        self.figures = [
            Figure(title.format(name), "ms", goal, limit)
            if name == "p99.9"
            else Figure(title.format(name), "ms", detail=True)
            for name in _SHARES
        ]

    def add(self, label: str, taken_ns: list[int]) -> None:
        """Add what the requests of one round took."""
        taken = sorted(taken_ns)
        for figure, share in zip(self.figures, _SHARES.values(), strict=True):
            figure.add(label, percentile(taken, share) / 1e6)
