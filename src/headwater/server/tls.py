"""TLS clients: a transport that encrypts in memory, between the socket and the connection.

OpenSSL never touches the socket. What a read brought is decrypted whole, at once, into the
server's read buffer; what is sent leaves OpenSSL before anything else is encrypted. So all
clients share one buffer for what goes into OpenSSL and one for what comes out, both empty between
calls; nothing decrypted is ever left where no event of the socket would tell of it; and of a big
reply a piece is encrypted when its turn comes.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import ssl
from typing import Any

from headwater.limits import (
    READ_BUFFER_BYTES,
    SEND_PIECE_BYTES,
    TLS_HANDSHAKE_SECONDS,
    TLS_HANDSHAKE_STEPS,
    TLS_READ_BYTES,
    TRANSPORT_HIGH_BYTES,
)
from headwater.raw import alloc, receive, transmit_bytes
from headwater.server.certificates import reason_of
from headwater.server.logs import VERBOSE
from headwater.server.poller import Poller, SocketTransport

_log = logging.getLogger("headwater")
_LOGGED_A_SECOND = 10
_NOT_TLS = frozenset(
    ("HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL")
)


class Secure:
    """What the TLS clients of one server share.

    `context` has the certificates for clients from now on, None while there are none.
    `may_begin(n)` is asked whether a client may begin its handshake beside n others.
    """

    __slots__ = (
        "_handshakes",
        "_logged",
        "_logged_at",
        "_loop",
        "_may_begin",
        "_plain",
        "_plain_of",
        "_round",
        "_steps",
        "_timer",
        "_view",
        "cipher",
        "context",
        "incoming",
        "outgoing",
    )

    def __init__(self, loop: Any, may_begin: Any) -> None:
        self.context: ssl.SSLContext | None = None
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.cipher = alloc(TLS_READ_BYTES)
        self._view = memoryview(self.cipher)
        self._loop = loop
        self._may_begin = may_begin
        self._plain = memoryview(b"")
        self._plain_of: Any = None
        # In the order in which they began, with the loop's time at which their time is over.
        self._handshakes: dict[TlsTransport, float] = {}
        self._timer: Any = None
        self._steps = 0
        self._round = 0
        self._logged = 0
        self._logged_at = 0.0

    def wrap(self, poller: Poller, sock: socket.socket) -> TlsTransport | None:
        """The transport of a socket that was accepted; None if there are too many clients."""
        context = self.context
        if context is None or not self._may_begin(len(self._handshakes)):
            sock.close()  # nothing can be said before the handshake
            return None
        return TlsTransport(poller, sock, self, context)

    def close(self) -> None:
        """Drop the handshakes that are under way."""
        for transport in list(self._handshakes):
            transport.abort()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def plain_view(self, buf: bytearray) -> memoryview:
        """All of the read buffer, for OpenSSL to write into."""
        if self._plain_of is not buf:
            self._plain_of = buf
            self._plain = memoryview(buf)
        return self._plain

    def feed(self, n: int) -> None:
        """Give the first `n` bytes of `cipher` to OpenSSL."""
        self.incoming.write(self._view[:n])

    def discard(self) -> None:
        """Forget what a client that failed has left behind."""
        self.incoming.read()
        self.outgoing.read()

    # --- handshakes ---

    def began(self, transport: TlsTransport) -> None:
        """A handshake begins; it is ended when it takes too long."""
        self._handshakes[transport] = self._loop.time() + TLS_HANDSHAKE_SECONDS
        if self._timer is None:
            self._timer = self._loop.call_later(TLS_HANDSHAKE_SECONDS, self.end_overdue)

    def ended(self, transport: TlsTransport) -> None:
        """A handshake is done, or failed."""
        self._handshakes.pop(transport, None)

    def end_overdue(self) -> None:
        """Close clients that take too long, and look again when the next one's time is over."""
        self._timer = None
        now = self._loop.time()
        for transport, deadline in list(self._handshakes.items()):
            if deadline > now:
                self._timer = self._loop.call_later(deadline - now, self.end_overdue)
                break
            transport.fail("it was not finished in time")

    def take_step(self, rounds: int) -> bool:
        """Whether another step of a handshake may be made in this one of the poller's rounds."""
        if rounds != self._round:
            self._round = rounds
            self._steps = TLS_HANDSHAKE_STEPS
        if self._steps == 0:
            return False
        self._steps -= 1
        return True

    def log_failure(self, address: str, text: str) -> None:
        """Say why a client was not let in, a few times a second at most."""
        now = self._loop.time()
        if now - self._logged_at >= 1:
            if self._logged > _LOGGED_A_SECOND:
                more = self._logged - _LOGGED_A_SECOND
                _log.warning("%d more TLS handshakes failed in that second", more)
            self._logged_at = now
            self._logged = 0
        self._logged += 1
        if self._logged <= _LOGGED_A_SECOND:
            _log.warning("TLS handshake with %s failed: %s", address, text)


class TlsTransport(SocketTransport):
    """One TLS client's socket.

    The queue of its base holds what is not encrypted yet. `_sealed[_sealed_sent:]` is encrypted
    and not sent; while there is such, the queue is there, be it empty. The connection is made
    when the handshake is done.
    """

    __slots__ = ("_sealed", "_sealed_sent", "_secure", "_shaken", "_ssl")

    def __init__(
        self, poller: Poller, sock: socket.socket, secure: Secure, context: ssl.SSLContext
    ) -> None:
        super().__init__(poller, sock)
        self._secure = secure
        self._ssl: Any = context.wrap_bio(secure.incoming, secure.outgoing, server_side=True)
        self._shaken = False
        self._sealed = b""
        self._sealed_sent = 0

    def begin(self) -> None:
        self._secure.began(self)

    def get_extra_info(self, name: str) -> Any:
        """As a SocketTransport; `ssl_object` too."""
        return self._ssl if name == "ssl_object" else super().get_extra_info(name)

    # --- input ---

    def _receive(self) -> None:
        secure = self._secure
        # If not, epoll tells of this socket again in the next round.
        if not self._shaken and not secure.take_step(self._poller.rounds):
            return
        n = receive(self.descriptor, secure.cipher, TLS_READ_BYTES)
        if n < 0:
            self._failed(-n)
            return
        if n == 0:
            self._end_of_input()
            return
        secure.feed(n)
        if not self._shaken and not self._shake():
            return
        self._open()

    def _shake(self) -> bool:
        """Go on with the handshake; True if it is done and the client is served."""
        secure = self._secure
        try:
            self._ssl.do_handshake()
        except ssl.SSLWantReadError:
            self._put(secure.outgoing.read())
            return False
        except (ssl.SSLError, OSError) as error:
            self._put(secure.outgoing.read())  # the alert
            secure.discard()
            self.fail(_explain(error))
            return False
        self._shaken = True
        secure.ended(self)
        # The connection may write at once, into the same buffer.
        rest = secure.incoming.read()
        self._put(secure.outgoing.read())
        if self._closed:
            return False
        SocketTransport.begin(self)  # super() is not known to a C method
        if self._closing:
            return False
        secure.incoming.write(rest)
        return True

    def _open(self) -> None:
        """Decrypt all that was fed, and give it to the connection."""
        secure = self._secure
        incoming = secure.incoming
        view = secure.plain_view(self._poller.read_buffer)
        filled = 0
        ended = False
        failure: Exception | None = None
        while incoming.pending or self._ssl.pending():
            try:
                n = self._ssl.read(READ_BUFFER_BYTES - filled, view[filled:] if filled else view)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                n = 0
            except (ssl.SSLError, OSError) as error:
                failure = error
                break
            if n == 0:
                ended = True
                break
            filled += n
        if ended or failure is not None:
            incoming.read()
        if secure.outgoing.pending:
            self._put(secure.outgoing.read())
        if filled and not self._closed:
            # A reference of its own: meanwhile the client may lose this transport.
            client = self.protocol
            client.input_received(filled)
        if self._closed:
            return
        if failure is not None:
            self._lose(OSError(errno.EPROTO, reason_of(failure)))
        elif ended:
            self._end_of_input()

    def _end_of_input(self) -> None:
        if not self._shaken:
            # No warning: who checks that a port is open does this all the time.
            _log.log(VERBOSE, "a client went away before its TLS handshake was done")
            self._lose(None)
        elif self.protocol.eof_received():
            self.pause_reading()
        else:
            self._lose(None)

    def fail(self, text: str) -> None:
        """End the handshake."""
        name = self.get_extra_info("peername")
        address = f"{name[0]}:{name[1]}" if name else "?"
        self._secure.log_failure(address, text)
        self._lose(None)

    # --- output ---

    def write(self, data: bytes) -> None:
        if self._closing:
            return
        taken = 0
        size = len(data)
        if self._queue is None and size:
            taken = min(size, SEND_PIECE_BYTES)
            self._put(self._seal(data if taken == size else data[:taken]))
        if taken < size:
            self._keep(data, taken)

    def write_span(self, buf: bytearray, n: int) -> None:
        if self._closing:
            return
        with memoryview(buf) as view:
            if self._queue is None:
                with view[:n] as span:
                    self._put(self._seal(span))
            else:
                self._keep(bytes(view[:n]), 0)

    def _seal(self, data: Any) -> bytes:
        """Encrypt; b"" if that cannot be, and the client is lost."""
        try:
            self._ssl.write(data)
            sealed: bytes = self._secure.outgoing.read()
        except (ssl.SSLError, OSError) as error:
            self._secure.discard()
            self._lose(OSError(errno.EPROTO, reason_of(error)))
            return b""
        return sealed

    def _put(self, sealed: bytes) -> None:
        """Send what is encrypted, and keep what the socket does not take."""
        size = len(sealed)
        if self._closed or size == 0:
            return
        if self._sealed_sent < len(self._sealed):
            if len(self._sealed) - self._sealed_sent + size > TRANSPORT_HIGH_BYTES:
                # Answers to the protocol's own messages, of which it sends more and takes none.
                self._lose(OSError(errno.ENOBUFS, "it does not take what TLS answers"))
                return
            self._sealed = self._sealed[self._sealed_sent :] + sealed
            self._sealed_sent = 0
            self._has_queued(size)
            return
        sent = transmit_bytes(self.descriptor, sealed, 0, size)
        if sent == size:
            return
        if sent < 0:
            self._failed(-sent)
            sent = 0
            if self._closed:
                return
        self._sealed = sealed
        self._sealed_sent = sent
        self._open_queue()
        self._has_queued(size - sent)

    def _next_piece(self, limit: int) -> bytes:
        """Take what is to be encrypted next off the queue, `limit` bytes at most."""
        queue = self._queue
        parts: list[bytes] = []
        while queue and limit > 0:
            data = queue[0]
            end = min(self._sent + limit, len(data))
            part = data if end - self._sent == len(data) else data[self._sent : end]
            parts.append(part)
            limit -= len(part)
            self._queued_bytes -= len(part)
            if end == len(data):
                queue.popleft()
                self._sent = 0
            else:
                self._sent = end
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _send_queue(self) -> None:
        left = SEND_PIECE_BYTES
        while not self._closed:
            if self._sealed_sent < len(self._sealed):
                size = len(self._sealed) - self._sealed_sent
                sent = transmit_bytes(self.descriptor, self._sealed, self._sealed_sent, size)
                if sent < 0:
                    self._failed(-sent)
                    break
                self._sealed_sent += sent
                self._queued_bytes -= sent
                if sent < size:
                    break
                self._sealed = b""
                self._sealed_sent = 0
            if left <= 0 or not self._queue:
                break
            piece = self._next_piece(left)
            left -= len(piece)
            self._sealed = self._seal(piece)
            self._queued_bytes += len(self._sealed)
        self._sent_some(not self._queue and not self._sealed)

    def _lose(self, error: OSError | None) -> None:
        if self._closed:
            return
        self._secure.ended(self)
        self._secure.discard()  # whatever went wrong, the next one finds nothing of it
        if self._shaken and self._queue is None and error is None:
            self._say_goodbye()
        self._sealed = b""
        self._sealed_sent = 0
        SocketTransport._lose(self, error)

    def _say_goodbye(self) -> None:
        """Tell the client that this is the end, and no attacker's; as far as that can be told."""
        outgoing = self._secure.outgoing
        # An error: it has not said the same yet.
        with contextlib.suppress(ssl.SSLError, OSError):
            self._ssl.unwrap()
        sealed = outgoing.read()
        if sealed:
            transmit_bytes(self.descriptor, sealed, 0, len(sealed))


def _explain(error: Exception) -> str:
    """Why a handshake failed, in words for who reads the log."""
    reason = getattr(error, "reason", None)
    if reason in _NOT_TLS:
        return "what it sent is not TLS; does it connect to the wrong port, or without TLS?"
    return reason_of(error)
