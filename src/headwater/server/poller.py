"""Client sockets in one epoll, which the event loop watches as a single descriptor.

asyncio calls back once for every socket that is ready, and on the way to a protocol and back
spends as long as the kernel does on a small request. Here the loop calls once for all that are
ready, reads go straight into the server's buffer, and a reply goes out at once. A
SocketTransport has the part of asyncio's transport interface that a Connection uses, and tls.py
has one for TLS; where there is no epoll, the connection sits on asyncio's own.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import select
import socket
from collections import deque
from typing import Any

from headwater.limits import (
    READ_BUFFER_BYTES,
    SEND_PIECE_BYTES,
    TRANSPORT_HIGH_BYTES,
    TRANSPORT_LOW_BYTES,
)
from headwater.raw import (
    alloc,
    cut,
    get_u32,
    poll_events,
    receive,
    transmit,
    transmit_bytes,
)
from headwater.server.gate import Gate
from headwater.server.sockets import is_unix

AVAILABLE = hasattr(select, "epoll")

_IN = 0x001
_OUT = 0x004
_ERR = 0x008
_HUP = 0x010
_MAX_EVENTS = 1024
_SHARING = 64
"""Clients that had their turn in a round, before those whose replies wait are thought of."""
_ACCEPTS_AT_ONCE = 256
_SMALL_BYTES = 4096  # what is smaller is sent together with what is behind it
_ACCEPT_PAUSE_S = 0.5
_log = logging.getLogger("headwater")


class Poller:
    """The sockets of one server.

    `read_buffer` is what every read fills; `make()` gives a new socket its connection; `gate` is
    told when all that were ready had their turn; `rounds` counts these turns.
    """

    __slots__ = (
        "_descriptor",
        "_epoll",
        "_events",
        "_gate",
        "_listeners",
        "_make",
        "_transports",
        "loop",
        "read_buffer",
        "rounds",
    )

    def __init__(self, loop: Any, gate: Gate, read_buffer: bytearray, make: Any) -> None:
        self.loop = loop
        self._gate = gate
        self.read_buffer = read_buffer
        self._make = make
        self.rounds = 0
        self._epoll = select.epoll()
        self._descriptor: int = self._epoll.fileno()
        self._events = alloc(8 * _MAX_EVENTS)
        self._transports: list[SocketTransport | None] = []
        self._listeners: dict[int, tuple[socket.socket, Any]] = {}
        loop.add_reader(self._epoll.fileno(), self._on_ready)

    def close(self) -> None:
        """Stop watching; the transports must be closed by then."""
        self.loop.remove_reader(self._epoll.fileno())
        self._epoll.close()
        self._descriptor = -1

    # --- listeners ---

    def listen(self, listener: socket.socket, wrap: Any = None) -> None:
        """Accept from a listening, non-blocking socket.

        `wrap(poller, sock)` makes the transport of an accepted socket, or closes it and returns
        None; by default it is a SocketTransport.
        """
        self._listeners[listener.fileno()] = (listener, wrap)
        self.loop.add_reader(listener.fileno(), self._accept, listener, wrap)

    def unlisten(self, listener: socket.socket) -> None:
        """Accept no more, and close the listening socket."""
        if self._listeners.pop(listener.fileno(), None) is not None:
            self.loop.remove_reader(listener.fileno())
            listener.close()

    def _accept(self, listener: socket.socket, wrap: Any) -> None:
        for _ in range(_ACCEPTS_AT_ONCE):
            try:
                sock, _ = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # Most likely there are no descriptors left; trying on would be a busy loop.
                _log.warning("cannot accept a client: %s", error.strerror)
                self.loop.remove_reader(listener.fileno())
                self.loop.call_later(_ACCEPT_PAUSE_S, self._accept_again, listener, wrap)
                return
            sock.setblocking(False)
            if not is_unix(sock):
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            transport = SocketTransport(self, sock) if wrap is None else wrap(self, sock)
            if transport is None:
                continue
            missing = transport.descriptor + 1 - len(self._transports)
            if missing > 0:
                self._transports.extend([None] * (missing + len(self._transports) // 2))
            self._transports[transport.descriptor] = transport
            self._epoll.register(transport.descriptor, _IN)
            try:
                transport.begin()
            except Exception:
                _log.exception("a client closed: it could not be given a connection")
                transport.abort()

    def _accept_again(self, listener: socket.socket, wrap: Any) -> None:
        if listener.fileno() in self._listeners:
            self.loop.add_reader(listener.fileno(), self._accept, listener, wrap)

    def make(self) -> Any:
        """A connection for a transport that is ready for one."""
        return self._make()

    # --- clients ---

    def turn_soon(self) -> None:
        """Let all that are ready have their turn soon, and end the round behind them."""
        self.loop.call_soon(self._on_ready)

    def _on_ready(self) -> None:
        if self._descriptor < 0:
            return  # a turn that was asked for before `close`
        gate = self._gate
        events = self._events
        transports = self._transports
        gate.in_round = True
        self.rounds += 1
        try:
            handled = 0
            while True:
                n = poll_events(self._epoll, self._descriptor, events, _MAX_EVENTS)
                for i in range(n):
                    transport = transports[get_u32(events, 8 * i)]
                    # None: somebody in this round had it closed.
                    if transport is not None:
                        transport.on_event(get_u32(events, 8 * i + 4))
                handled += n
                # Where replies wait for the journal anyway, others that are ready by now share
                # its write.
                if n == 0 or handled >= _SHARING or gate.is_open():
                    break
        finally:
            gate.in_round = False
            gate.end_round()

    def serve_meanwhile(self, running: Any) -> None:
        """A turn for all who are ready but one, in the middle of a request of `running`."""
        for listener, wrap in list(self._listeners.values()):
            self._accept(listener, wrap)
        self.rounds += 1
        events = alloc(8 * _MAX_EVENTS)  # the other is being gone through
        transports = self._transports
        n = poll_events(self._epoll, self._descriptor, events, _MAX_EVENTS)
        for i in range(n):
            transport = transports[get_u32(events, 8 * i)]
            if transport is not None and transport.protocol is not running:
                transport.on_event(get_u32(events, 8 * i + 4))

    def watch(self, transport: SocketTransport, events: int) -> None:
        """Change what is waited for; hang-ups are always told."""
        self._epoll.modify(transport.descriptor, events)

    def forget(self, transport: SocketTransport) -> None:
        """The transport closes its socket now."""
        if self._transports[transport.descriptor] is transport:
            self._transports[transport.descriptor] = None
            with contextlib.suppress(OSError):
                self._epoll.unregister(transport.descriptor)


class SocketTransport:
    """One client's socket, with what could not be sent yet.

    `protocol` is told as asyncio tells it, but for two things: `input_received(n)` says that the
    first `n` bytes of the poller's buffer are this client's; and `connection_lost` is called at
    once, even inside of its own `write` or `close`.
    """

    __slots__ = (
        "_closed",
        "_closing",
        "_poller",
        "_queue",
        "_queued_bytes",
        "_reading",
        "_sent",
        "_sock",
        "_stalled",
        "descriptor",
        "protocol",
    )

    def __init__(self, poller: Poller, sock: socket.socket) -> None:
        self._poller = poller
        self._sock = sock
        self.descriptor = sock.fileno()
        self.protocol: Any = None
        self._queue: deque[bytes] | None = None
        self._sent = 0
        self._queued_bytes = 0
        self._reading = True
        self._stalled = False
        self._closing = False
        self._closed = False

    def begin(self) -> None:
        """The socket has been accepted: give it its connection."""
        self.protocol = self._poller.make()
        self.protocol.connection_made(self)

    def on_event(self, event: int) -> None:
        """Read, write, or find the socket gone."""
        try:
            if event & _OUT:
                self._send_queue()
            if event & (_IN | _ERR | _HUP) and not self._closed:
                if self._reading:
                    self._receive()
                elif event & (_ERR | _HUP):
                    self._lose(None)
        except Exception:
            # What was read is lost, so it cannot go on; the others of the round can.
            _log.exception("a client closed: its input or output failed")
            self.abort()

    def _receive(self) -> None:
        n = receive(self.descriptor, self._poller.read_buffer, READ_BUFFER_BYTES)
        if n > 0:
            # A reference of its own: meanwhile the client may lose this transport.
            client = self.protocol
            client.input_received(n)
        elif n == 0:
            if self.protocol.eof_received():
                self.pause_reading()
            else:
                self._lose(None)
        else:
            self._failed(-n)

    def _failed(self, number: int) -> None:
        """A read or a write gave an error number: wait if it only could not go on, or close."""
        if number not in (errno.EAGAIN, errno.EINTR):
            self._lose(OSError(number, os.strerror(number)))

    # --- what a connection asks of its transport ---

    def write(self, data: bytes) -> None:
        """Send at once what the socket takes, of big data a piece, and keep the rest."""
        if self._closing:
            return
        sent = 0
        if self._queue is None:
            sent = transmit_bytes(self.descriptor, data, 0, SEND_PIECE_BYTES)
            if sent == len(data):
                return
            if sent < 0:
                self._failed(-sent)
                sent = 0
        self._keep(data, sent)

    def write_span(self, buf: bytearray, n: int) -> None:
        """`write` the first `n` bytes of a buffer that is used again at once."""
        if self._closing:
            return
        sent = 0
        if self._queue is None:
            sent = transmit(self.descriptor, buf, n)
            if sent == n:
                return
            if sent < 0:
                self._failed(-sent)
                sent = 0
        self._keep(cut(buf, sent, n - sent), 0)

    def _keep(self, data: bytes, sent: int) -> None:
        if self._closed:
            return
        queue = self._open_queue()
        if not queue:
            self._sent = sent
        queue.append(data)
        self._has_queued(len(data) - sent)

    def _open_queue(self) -> deque[bytes]:
        """Wait until the socket takes more; returns what waits."""
        queue = self._queue
        if queue is None:
            queue = self._queue = deque()
            self._watch()
        return queue

    def _has_queued(self, n: int) -> None:
        """So many bytes more wait for the socket."""
        self._queued_bytes += n
        if self._queued_bytes > TRANSPORT_HIGH_BYTES and not self._stalled:
            self._stalled = True
            self.protocol.pause_writing()

    def _join(self, queue: deque[bytes]) -> bytes:
        """Make one piece of the small ones at the head: messages wait as they came, thousands."""
        parts = []
        size = 0
        while queue and size < SEND_PIECE_BYTES and len(queue[0]) < _SMALL_BYTES:
            part = queue.popleft()
            size += len(part)
            parts.append(part)
        joined = b"".join(parts)
        queue.appendleft(joined)
        return joined

    def _send_queue(self) -> None:
        # A piece at most: a socket may be emptied as fast as it is filled, and others wait.
        queue = self._queue
        left = SEND_PIECE_BYTES
        while queue and left > 0:
            data = queue[0]
            if self._sent == 0 and len(data) < _SMALL_BYTES and len(queue) > 1:
                data = self._join(queue)
            sent = transmit_bytes(self.descriptor, data, self._sent, left)
            if sent < 0:
                self._failed(-sent)
                break
            left -= sent
            self._queued_bytes -= sent
            self._sent += sent
            if self._sent < len(data):
                break
            queue.popleft()
            self._sent = 0
        self._sent_some(not queue)

    def _sent_some(self, everything: bool) -> None:
        """Part of the queue was sent, or all of it."""
        if self._closed:
            return
        if everything and self._queue is not None:
            self._queue = None
            if self._closing:
                self._lose(None)
                return
            self._watch()
        if self._stalled and self._queued_bytes <= TRANSPORT_LOW_BYTES:
            self._stalled = False
            self.protocol.resume_writing()

    def _watch(self) -> None:
        events = _IN if self._reading else 0
        if self._queue is not None:
            events |= _OUT
        self._poller.watch(self, events)

    def pause_reading(self) -> None:
        """Leave input in the kernel until `resume_reading`."""
        if self._reading and not self._closing:
            self._reading = False
            self._watch()

    def resume_reading(self) -> None:
        if not self._reading and not self._closing:
            self._reading = True
            self._watch()

    def get_write_buffer_size(self) -> int:
        """Bytes that the socket has not taken yet."""
        return self._queued_bytes

    def get_extra_info(self, name: str) -> Any:
        """`socket`, `peername`, `sockname`; None for anything else."""
        if name == "socket":
            return self._sock
        try:
            if name == "peername":
                return self._sock.getpeername()
            if name == "sockname":
                return self._sock.getsockname()
        except OSError:
            return None
        return None

    def close(self) -> None:
        """Send what is queued, then close."""
        if self._closing:
            return
        self._closing = True
        if self._queue is None:
            self._lose(None)
        else:
            self._reading = False
            self._watch()

    def abort(self) -> None:
        """Close at once."""
        self._lose(None)

    def _lose(self, error: OSError | None) -> None:
        if self._closed:
            return
        self._closed = True
        self._closing = True
        self._queue = None
        self._queued_bytes = 0
        self._poller.forget(self)
        self._sock.close()
        # At once: a reader that is gone must not be served an entry in the meantime.
        protocol = self.protocol
        if protocol is not None:
            self.protocol = None
            protocol.connection_lost(error)
