"""The wire as a benchmark needs it: requests as bytes, and a control connection that reads replies.

The control connection prepares data and probes replies, always outside the measured spans; the load
itself is `bench.load`, which never parses a reply.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable

Word = bytes | str | int
Words = tuple[Word, ...]
Value = bytes | int | list["Value"] | None

REPLY_TIMEOUT_S = 30.0
_CHUNK_BYTES = 1 << 16
_END = b"bench: end of the replies"
_END_REPLY = b"$%d\r\n%s\r\n" % (len(_END), _END)


class ReplyError(Exception):
    """The server answered with an error reply; the text is the server's."""


def encode(words: Words) -> bytes:
    """One request as a RESP array of bulk strings."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        raw = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(raw), raw))
    return b"".join(parts)


class Control:
    """A blocking RESP2 connection; every failure is an exception (ReplyError, OSError)."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=REPLY_TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")
        self._seen: list[bytes] = []

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def call(self, *words: Word) -> Value:
        """Send one request and return its reply as a Python value."""
        self._socket.sendall(encode(words))
        self._seen.clear()
        return self._read()

    def probe(self, payload: bytes, count: int) -> bytes:
        """Send `count` pipelined requests; return their replies as they came, none an error."""
        self._socket.sendall(payload)
        self._seen.clear()
        for _ in range(count):
            self._read()
        return b"".join(self._seen)

    def size(self, *words: Word) -> int:
        """Send one request and return the bytes of its reply, which is not parsed."""
        self._socket.sendall(encode(words) + encode((b"ECHO", _END)))
        size, tail = 0, b""
        while not tail.endswith(_END_REPLY):
            chunk = self._file.read1(_CHUNK_BYTES)
            if not chunk:
                raise ConnectionError("the server closed the connection")
            if not size and chunk.startswith(b"-"):
                raise ReplyError(chunk[1:].split(b"\r\n", 1)[0].decode(errors="replace"))
            size += len(chunk)
            tail = (tail + chunk)[-len(_END_REPLY) :]
        return size - len(_END_REPLY)

    def stream(self, payloads: Iterable[bytes]) -> None:
        """Send payloads one by one and throw their replies away.

        Errors go unseen, so the caller checks the outcome. An ECHO after each payload tells where
        its replies end, so that neither side has to hold more than one payload's replies.
        """
        echo = encode((b"ECHO", _END))
        for payload in payloads:
            self._socket.sendall(payload + echo)
            tail = b""
            while not tail.endswith(_END_REPLY):
                chunk = self._file.read1(_CHUNK_BYTES)
                if not chunk:
                    raise ConnectionError("the server closed the connection")
                tail = (tail + chunk)[-len(_END_REPLY) :]

    def _read(self) -> Value:
        line: bytes = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        self._seen.append(line)
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"-":
            raise ReplyError(rest.decode(errors="replace"))
        length = int(rest)
        if length < 0:
            return None
        if kind == b"$":
            body: bytes = self._file.read(length + 2)
            self._seen.append(body)
            return body[:-2]
        if kind == b"*":
            return [self._read() for _ in range(length)]
        raise ConnectionError(f"not a RESP2 reply: {line[:40]!r}")


def info(control: Control, section: str) -> dict[str, str]:
    """The fields of a section of INFO."""
    text = control.call("INFO", section)
    if not isinstance(text, bytes):
        raise ReplyError(f"INFO {section} answered {text!r}")
    pairs = (line.partition(":") for line in text.decode().splitlines())
    return {name: value for name, separator, value in pairs if separator}
