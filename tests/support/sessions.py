"""Clients of one server without sockets: requests go through the dispatcher, time stands still."""

from __future__ import annotations

import io
from typing import Any

# Tables hold the commands whose modules are imported.
import headwater.commands.expire
import headwater.commands.keys
import headwater.commands.strings
import headwater.commands.transactions  # noqa: F401
from headwater.clock import ManualClock
from headwater.commands.dispatch import execute
from headwater.commands.session import Session
from headwater.commands.state import ServerState
from headwater.commands.table import CommandTable
from headwater.keyspace.database import Keyspace
from headwater.resp.reply import Reply
from headwater.resp.request import from_words

from . import wire

NOW_MS = 1_700_000_000_000


class _Recorded(wire.Connection):
    """Reads replies from bytes instead of a socket."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)  # type: ignore[assignment]


class Client:
    """One client; `call` and `ok` are those of wire.Connection."""

    def __init__(self, state: ServerState, resp: int = 2) -> None:
        self.session = Session(state)
        self.reply = Reply()
        self.reply.resp3 = self.session.resp3 = resp == 3

    def call(self, *words: wire.Word) -> wire.Reply:
        execute(self.session, from_words([wire.to_bytes(word) for word in words]), self.reply)
        parts: list[Any] = self.reply.take_parts()
        data = b"".join(part if isinstance(part, bytes) else part.read(1 << 30) for part in parts)
        reader = _Recorded(data)
        answer = reader.read()
        assert reader.read_rest() == b"", "one reply, not more"
        return answer

    def ok(self, *words: wire.Word) -> Any:
        """The plain value of a reply that must not be an error."""
        reply = self.call(*words)
        assert reply[0] != "-", f"{words!r} failed: {reply[1]!r}"
        return wire.plain(reply)

    def error(self, *words: wire.Word) -> str:
        """The text of a reply that must be an error."""
        kind, text = self.call(*words)
        assert kind == "-", f"{words!r} answered {kind}{text!r}"
        assert isinstance(text, bytes)
        return text.decode()


class World:
    """A server's state, and the clients that a test connects to it; `main` is the first."""

    def __init__(self, resp: int = 2, now_ms: int = NOW_MS) -> None:
        self.clock = ManualClock(now_ms)
        self.keyspace = Keyspace(self.clock)
        nothing: Any = None
        self.state = ServerState(
            self.clock, self.keyspace, CommandTable(), nothing, nothing, nothing, nothing
        )
        self.state.slow_us = -1
        self.resp = resp
        self.main = self.connect()

    def connect(self) -> Client:
        return Client(self.state, self.resp)
