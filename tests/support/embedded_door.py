"""The embedded store in place of a server: tests that speak RESP speak it to a session.

`EmbeddedServer` has what tests use of `servers.Server`; `Line` what they use of `wire.Connection`.
Who needs more than that, a port or another process, is served by `serve()`.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import headwater
from headwater.resp.decoder import ReplyDecoder

from .wire import Connection, Word, encode


class Line(Connection):
    """One client of a store, seen as bytes. Its reads have a time limit in seconds."""

    def __init__(self, store: Any, timeout: float = 20) -> None:
        self._session = store.session(ReplyDecoder())
        self._session.begin()
        self._timeout = timeout
        self._stream = _Stream(self)
        self._file = io.BufferedReader(self._stream, 65536)
        self.id = 0

    def close(self) -> None:
        self._session.hang_up()

    def pipeline(self, requests: Any) -> list[Any]:
        encoded = [encode(words) for words in requests]
        self._session.feed(b"".join(encoded))
        return [self.read() for _ in encoded]

    def send(self, *words: Word) -> None:
        self._session.feed(encode(words))

    def send_raw(self, data: bytes) -> None:
        self._session.feed(data)

    def has_data(self, seconds: float = 0) -> bool:
        if self._stream.waiting:
            return True
        return bool(self._session.wait(seconds))

    def more(self) -> bytes:
        """Some of what the store has sent; b"" at the end, TimeoutError when nothing comes."""
        try:
            if not self._session.wait(self._timeout):
                raise TimeoutError(f"no reply in {self._timeout} s")
            data: bytes = self._session.take_bytes()
        except EOFError:
            return b""
        return data


class _Stream(io.RawIOBase):
    """What a Line reads, as a file."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.waiting = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.waiting or self._line.more()
        n = min(len(data), len(buffer))
        buffer[:n] = data[:n]
        self.waiting = data[n:]
        return n


class EmbeddedServer:
    """A store of this process. `directory` is where it keeps its data, if it does:
    that of the flags, or a new one in the one given."""

    kind = "headwater"

    def __init__(self, directory: Path, flags: Sequence[str] = ()) -> None:
        self.config = _config(flags)
        self.directory = Path(self.config.pop("dir", directory / "store"))
        self.engine = headwater.open(self.directory, config=self.config)
        self._lines: list[Connection] = []
        self._port = 0

    @property
    def pid(self) -> int:
        return os.getpid()

    @property
    def port(self) -> int:
        """A port at which the store is served, from now on."""
        if not self._port:
            self._port = int(self.engine.serve().rpartition(":")[2])
        return self._port

    def check_alive(self) -> None:
        self.engine.store.check()

    def connect(self, resp: int = 2, timeout: float = 20, password: str = "") -> Line:
        """A new client, disconnected with the store at the latest."""
        line = Line(self.engine.store, timeout)
        self._lines.append(line)
        if password:
            line.call("AUTH", password)
        if resp != 2:
            line.hello(resp)
        return line

    def close_connections(self) -> None:
        for line in self._lines:
            line.close()
        self._lines.clear()

    def log_text(self) -> str:
        return ""

    def stop(self) -> None:
        self.close_connections()
        self.engine.close()

    def kill(self) -> None:
        """As a crash of the process would."""
        self.close_connections()
        self.engine.crash()


def _config(flags: Sequence[str]) -> dict[str, str]:
    """Flags of the command line as directives: `--save 60 1 --appendonly yes`."""
    found: dict[str, list[str]] = {}
    name = ""
    for word in flags:
        if word.startswith("--"):
            name = word[2:]
            found[name] = []
        else:
            found[name].append(word)
    return {"save": "", "appendonly": "no", **{key: " ".join(v) for key, v in found.items()}}
