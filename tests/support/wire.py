"""A connection that speaks RESP and hides nothing: replies keep the type they had on the wire.

A reply is a pair of the type's first byte and its value:
("+", bytes) simple, ("-", bytes) error, (":", int), ("$", bytes) bulk, ("=", bytes) verbatim,
(",", bytes) double as written, ("#", bool), ("(", int) big number, ("*" | "~" | ">", list of
replies), ("%", list of pairs), ("nil", "$" | "*" | "_") the three ways to say nothing.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Iterable
from typing import Any

Reply = tuple[str, Any]
Word = bytes | str | int


class NotRespError(AssertionError):
    """The server sent bytes that are not RESP."""


def to_bytes(word: Word) -> bytes:
    if isinstance(word, bytes):
        return word
    return str(word).encode("latin-1")


def encode(words: Iterable[Word]) -> bytes:
    """One request as clients send it: an array of bulk strings."""
    parts = [b""]
    for word in words:
        data = to_bytes(word)
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    parts[0] = b"*%d\r\n" % (len(parts) - 1)
    return b"".join(parts)


def plain(reply: Reply) -> Any:
    """The value as Python has it: None, int, bytes, list, dict; an error as ("-", text)."""
    kind, value = reply
    if kind == "nil":
        return None
    if kind == "-":
        return reply
    if kind in "*~>":
        return [plain(item) for item in value]
    if kind == "%":
        return {plain(key): plain(item) for key, item in value}
    return value


def pairs(reply: Reply) -> dict[bytes, Reply]:
    """A reply of names and values, flat as in RESP2 or a map as in RESP3, by name."""
    kind, value = reply
    if kind == "%":
        return {plain(key): item for key, item in value}
    if kind != "*" or len(value) % 2:
        raise AssertionError(f"not a map: {reply!r}")
    return {plain(value[i]): value[i + 1] for i in range(0, len(value), 2)}


class Connection:
    """One blocking connection; every read has the time limit given at the start, in seconds."""

    def __init__(self, host: str, port: int, timeout: float = 20) -> None:
        self.sock = socket.create_connection((host, port), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self.sock.makefile("rb", buffering=65536)
        self.id = 0

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self.sock.close()

    def hello(self, resp: int) -> None:
        """Switch to `resp` and learn this client's ID."""
        reply = self.call("HELLO", resp)
        if reply[0] == "-":
            raise AssertionError(f"HELLO {resp} was refused: {reply[1]!r}")
        self.id = pairs(reply)[b"id"][1]

    def call(self, *words: Word) -> Reply:
        self.send(*words)
        return self.read()

    def ok(self, *words: Word) -> Any:
        """The plain value of a reply that must not be an error."""
        reply = self.call(*words)
        if reply[0] == "-":
            raise AssertionError(f"{words!r} failed: {reply[1].decode('latin-1')}")
        return plain(reply)

    def pipeline(self, requests: Iterable[Iterable[Word]]) -> list[Reply]:
        """Send all requests at once, then read one reply for each."""
        encoded = [encode(words) for words in requests]
        self.sock.sendall(b"".join(encoded))
        return [self.read() for _ in encoded]

    def send(self, *words: Word) -> None:
        self.sock.sendall(encode(words))

    def send_raw(self, data: bytes) -> None:
        self.sock.sendall(data)

    def has_data(self, seconds: float = 0) -> bool:
        """Whether a reply, or the end of the connection, can be read within `seconds`."""
        if select.select([self.sock], [], [], 0)[0]:
            return True
        return bool(seconds) and bool(select.select([self.sock], [], [], seconds)[0])

    def read_rest(self) -> bytes:
        """Everything up to the end that the server puts to the connection."""
        parts = []
        while True:
            try:
                part = self._file.read1(65536)
            except ConnectionResetError:
                break
            if not part:
                break
            parts.append(part)
        return b"".join(parts)

    def read(self) -> Reply:
        """The next reply; EOFError when the server has closed the connection."""
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError(f"the server closed the connection after {line!r}")
        kind, rest = chr(line[0]), line[1:-2]
        if kind in "+-,":
            return kind, rest
        if kind in ":(":
            return kind, int(rest)
        if kind == "_":
            return "nil", "_"
        if kind == "#":
            return kind, rest == b"t"
        if kind not in "$=*~>%":
            raise NotRespError(f"not RESP: {line[:200]!r}")
        size = int(rest)
        if size < 0:
            return "nil", "$" if kind in "$=" else "*"
        if kind in "$=":
            data = self._file.read(size + 2)
            if len(data) != size + 2:
                raise EOFError(f"the server closed the connection inside a bulk of {size} bytes")
            if not data.endswith(b"\r\n"):
                raise NotRespError(f"a bulk of {size} bytes does not end in CRLF")
            return kind, data[:-2]
        if kind == "%":
            return kind, [(self.read(), self.read()) for _ in range(size)]
        return kind, [self.read() for _ in range(size)]
