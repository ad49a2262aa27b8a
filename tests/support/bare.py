"""Commands run on a session without sockets, on a clock that stands still."""

from __future__ import annotations

import io
from typing import Any

from headwater.clock import ManualClock
from headwater.commands.session import Session
from headwater.commands.state import ServerState
from headwater.commands.table import CommandTable
from headwater.errors import CommandError
from headwater.keyspace.database import Keyspace
from headwater.resp.reply import Reply
from headwater.resp.request import from_words
from headwater.streams.group import Group
from headwater.streams.stream import Stream

from . import wire


class _Recorded(wire.Connection):
    """Reads replies from bytes instead of a socket."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)


class Bare:
    """One session of a server that has the commands whose modules are imported."""

    def __init__(self, now_ms: int = 1_000_000, resp: int = 2) -> None:
        self.clock = ManualClock(now_ms)
        self.keyspace = Keyspace(self.clock)
        nothing: Any = None
        self.state = ServerState(
            self.clock, self.keyspace, CommandTable(), nothing, nothing, nothing, nothing
        )
        self.session = Session(self.state)
        self.database = self.session.database
        self.reply = Reply()
        self.reply.resp3 = self.session.resp3 = resp == 3

    def call(self, *words: wire.Word) -> wire.Reply:
        request = from_words([wire.to_bytes(word) for word in words])
        command = self.state.table.lookup(request.arg(0))
        if command is not None and command.subcommands is not None:
            command = command.subcommand(request.arg(1))
        assert command is not None
        assert command.accepts(request.argc)
        assert command.handler is not None
        try:
            command.handler(self.session, request, self.reply)
        except CommandError as error:
            self.reply.rewind(0, 0)
            self.reply.error(error.text)
        parts = self.reply.take_parts()
        data = b"".join(part if isinstance(part, bytes) else _drain(part) for part in parts)
        reader = _Recorded(data)
        answer = reader.read()
        assert reader.read_rest() == b"", "one reply, not more"
        return answer

    def plain(self, *words: wire.Word) -> Any:
        return wire.plain(self.call(*words))

    def stream(self, key: bytes, *ids: tuple[int, int]) -> Stream:
        """A new stream under `key`; each entry is `f` with its ID as the value."""
        stream = Stream()
        self.database.set(key, stream)
        for ms, seq in ids:
            self.append(stream, ms, seq)
        return stream

    def append(self, stream: Stream, ms: int, seq: int) -> None:
        words = [b"f", b"%d-%d" % (ms, seq)]
        stream.append(ms, seq, from_words(words), 0, 1, 100, 4096)

    def group(self, stream: Stream, name: bytes, ms: int, seq: int, entries_read: int) -> Group:
        """A new group of a stream."""
        if stream.groups is None:
            stream.groups = {}
        group = Group(name, ms, seq, entries_read)
        stream.groups[name] = group
        return group


def _drain(source: Any) -> bytes:
    pieces = []
    while piece := source.read(4096):
        pieces.append(piece)
    return b"".join(pieces)
