"""The load generator for adders and readers that block (`Case.readers`).

Readers are connected once and blocked before the first span. A reader that has its reply asks again
at once. Where every entry goes to all readers (XREAD), the next entry is added when all have had
the last one, so that each entry costs any server the same: so many replies, so many requests. A
reader then names the last ID it has seen, so that it misses nothing even if it asks late. Where an
entry goes to one reader (a group), the adders are a closed loop as in `bench.load`.

A span ends when every request of the adders is answered and every entry has been read.
"""

from __future__ import annotations

import gc
import select
import time
from collections.abc import Callable, Iterator, Sequence

from bench.cases import Readers
from bench.load import LINES_READ_BYTES, STALL_S, Load, LoadError
from bench.wire import Control, encode, info

_ERROR = ord("-")
_BLOCKING_TIMEOUT_S = 10.0
_BLOCKING_STEP_S = 0.01
_ID_LINE = 7  # of a reply of XREAD with one entry, from 0


class BlockedLoad:
    """Open connections to one server, as `Load`: `clients` adders and the readers."""

    def __init__(self, port: int, clients: int, readers: Readers) -> None:
        self._port = port
        self._readers = readers
        self._adders = [Load.connect(port) for _ in range(clients)]
        self._waiting = [Load.connect(port) for _ in range(readers.count)]
        self._requests: list[bytes] = []  # of each reader, the last one it sent
        self._epoll = select.epoll()
        for sock in (*self._adders, *self._waiting):
            self._epoll.register(sock.fileno(), select.EPOLLIN)

    def close(self) -> None:
        self._epoll.close()
        for sock in (*self._adders, *self._waiting):
            sock.close()

    def run(
        self, feeds: Sequence[Iterator[bytes]], size: int, *, lines: bool, seconds: float | None
    ) -> int:
        """Run one span and return the number of entries added, as `Load.run`."""
        if not lines or seconds is None:
            raise LoadError("blocked readers need replies counted by lines, and a time")
        enabled = gc.isenabled()
        gc.disable()
        try:
            if not self._requests:
                self._block()
            return self._run(feeds, size, time.monotonic() + seconds)
        except OSError as error:
            raise LoadError(str(error)) from error
        finally:
            if enabled:
                gc.enable()

    def _block(self) -> None:
        """Let all readers send their first request; return when the server says they wait."""
        for number, sock in enumerate(self._waiting):
            self._requests.append(encode(self._readers.request(number, "$")))
            sock.send(self._requests[number])
        control = Control(self._port)
        end = time.monotonic() + _BLOCKING_TIMEOUT_S
        while info(control, "clients")["blocked_clients"] != str(self._readers.count):
            if time.monotonic() > end:
                raise LoadError("the readers do not block")
            time.sleep(_BLOCKING_STEP_S)
        control.close()

    def _run(self, feeds: Sequence[Iterator[bytes]], size: int, end: float) -> int:
        readers, requests = self._readers, self._requests
        poll, clock = self._epoll.poll, time.monotonic
        everyone, reply_lines = readers.everyone, readers.reply_lines
        feed = {sock.fileno(): own for sock, own in zip(self._adders, feeds, strict=True)}
        missing = {sock.fileno(): size for sock in self._adders}
        missing |= {sock.fileno(): reply_lines for sock in self._waiting}
        number_of = {sock.fileno(): number for number, sock in enumerate(self._waiting)}
        by_fd = {sock.fileno(): sock for sock in (*self._adders, *self._waiting)}
        receive: dict[int, Callable[[int], bytes]] = {fd: s.recv for fd, s in by_fd.items()}
        partial: dict[int, bytes] = {}
        added = 0
        unread = 0  # replies to readers that are still to come
        idle: list[int] = list(feed)  # adders that have been answered
        heard = clock()
        last_reply, next_request = b"", b""
        while True:
            if idle and (not everyone or not unread) and clock() < end:
                for fd in idle:
                    by_fd[fd].send(next(feed[fd]))
                added += len(idle)
                unread += readers.count * len(idle) if everyone else len(idle)
                idle = []
            elif len(idle) == len(feed) and not unread:
                return added
            ready = poll(0)
            if not ready:
                if clock() > heard + STALL_S:
                    raise LoadError(f"no complete reply within {STALL_S:g} s, {unread} missing")
                continue
            heard = clock()
            for fd, _ in ready:
                chunk = receive[fd](LINES_READ_BYTES)
                if not chunk:
                    raise LoadError("the server closed a connection")
                if chunk[0] == _ERROR and fd not in partial:
                    raise LoadError(chunk.split(b"\r\n", 1)[0].decode(errors="replace"))
                left = missing[fd] - chunk.count(b"\n")
                if left:
                    if left < 0:
                        raise LoadError(f"replies are {-left} lines longer than expected")
                    missing[fd] = left
                    partial[fd] = partial.get(fd, b"") + chunk
                    continue
                number = number_of.get(fd)
                if number is None:
                    missing[fd] = size
                    idle.append(fd)
                    continue
                missing[fd] = reply_lines
                unread -= 1
                reply = partial.pop(fd, b"") + chunk if partial else chunk
                if everyone:
                    if reply != last_reply:  # the first of many equal ones
                        last_reply = reply
                        last_id = reply.split(b"\r\n", _ID_LINE + 1)[_ID_LINE].decode()
                        next_request = encode(readers.request(number, last_id))
                    requests[number] = next_request
                by_fd[fd].send(requests[number])
