"""A connection of `support.wire` over TLS, and a client whose TLS is made by hand."""

from __future__ import annotations

import socket
import ssl

from support.wire import Connection


class SecureConnection(Connection):
    """One blocking connection over TLS; the handshake is done when it is there."""

    def __init__(
        self, port: int, context: ssl.SSLContext, timeout: float = 20, receive_bytes: int = 0
    ) -> None:
        raw = socket.socket()
        raw.settimeout(timeout)
        if receive_bytes:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        raw.connect(("127.0.0.1", port))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock: ssl.SSLSocket = context.wrap_socket(raw, server_hostname="127.0.0.1")
        self._file = self.sock.makefile("rb", buffering=65536)
        self.id = 0


class ByHand:
    """A client of TLS that decides which bytes of it are sent, and when."""

    def __init__(self, port: int, context: ssl.SSLContext, timeout: float = 20) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="127.0.0.1")

    def __enter__(self) -> ByHand:
        return self

    def __exit__(self, *exc: object) -> None:
        self.sock.close()

    def hello(self) -> bytes:
        """The ClientHello, not sent."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return self._outgoing.read()
        raise AssertionError("a handshake without an answer")

    def shake(self) -> None:
        """Go through the handshake; what it ends with is left in `sealed`."""
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.flush()
                self.take()
            else:
                return

    def seal(self, data: bytes) -> bytes:
        """The record of some data, not sent, with whatever waited before it."""
        self.tls.write(data)
        return self._outgoing.read()

    def flush(self) -> None:
        """Send what waits."""
        self.sock.sendall(self._outgoing.read())

    def take(self) -> None:
        """Receive something and give it to OpenSSL."""
        data = self.sock.recv(65536)
        if not data:
            raise EOFError("the server closed the connection")
        self._incoming.write(data)

    def read(self, size: int) -> bytes:
        """So many bytes of what the server says; fewer if it says goodbye."""
        found = b""
        while len(found) < size:
            try:
                part = self.tls.read(size - len(found))
            except ssl.SSLWantReadError:
                self.take()
                continue
            except ssl.SSLZeroReturnError:
                break
            if not part:
                break
            found += part
        return found
