"""A whole engine without sockets: its clients record what they are sent, time stands still."""

from __future__ import annotations

import io
from typing import Any

from headwater.clock import ManualClock
from headwater.commands import leases
from headwater.commands.dispatch import POSTPONED, execute
from headwater.commands.session import Session
from headwater.config import Config
from headwater.engine import Engine
from headwater.resp.reply import Reply
from headwater.resp.request import from_words

from . import wire
from .disk import SimulatedDisk

NOW_MS = 1_700_000_000_000

PIECE_BYTES = 4096
"""How much of an attached payload is read at once: little, so that what is big comes in pieces."""


class _Recorded(wire.Connection):
    """Reads replies from bytes instead of a socket."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)
        self._size = len(data)

    def at_end(self) -> bool:
        return self._file.tell() == self._size


def replies_of(data: bytes) -> list[wire.Reply]:
    """All replies in the bytes; EOFError when the last is not whole."""
    reader = _Recorded(data)
    found = []
    while not reader.at_end():
        found.append(reader.read())
    return found


class Recorder(Session):
    """A session whose output is kept in `sent`; `held` is the request that a pause holds back."""

    def __init__(self, engine: Engine, number: int) -> None:
        super().__init__(engine.state)
        self.address = f"127.0.0.1:{5000 + number}"
        self.local_address = "127.0.0.1:6379"
        self.sent = bytearray()
        self.held: list[bytes] | None = None
        self.closed = False
        engine.state.clients[self.id] = self

    def send(self, reply: Reply) -> None:
        for part in reply.take_parts():
            if isinstance(part, bytes):
                self.sent += part
                continue
            while piece := part.read(PIECE_BYTES):
                self.sent += piece

    def resume(self) -> None:
        words, self.held = self.held, None
        if words is not None:
            self.run(words)

    def close(self) -> None:
        self.closed = True
        self.state.channels.forget(self)
        del self.state.clients[self.id]
        leases.end(self)

    def run(self, words: list[bytes]) -> None:
        """Execute a request; its reply, if there is one already, is sent."""
        reply = Reply()
        reply.resp3 = self.resp3
        if execute(self, from_words(words), reply) == POSTPONED:
            self.held = words
        self.send(reply)
        self.state.channels.deliver_all()


class Client:
    """One client; `call` and `ok` are those of wire.Connection."""

    def __init__(self, engine: Engine, number: int, resp: int) -> None:
        self.session = Recorder(engine, number)
        self.session.resp3 = resp == 3

    def send(self, *words: wire.Word) -> None:
        """Say something; the answer is for `read_all`."""
        self.session.run([wire.to_bytes(word) for word in words])

    def read_all(self) -> list[wire.Reply]:
        """Everything that was sent since the last time."""
        data = bytes(self.session.sent)
        self.session.sent.clear()
        return replies_of(data)

    def call(self, *words: wire.Word) -> wire.Reply:
        assert self.read_all() == [], "nothing else was to be read"
        self.send(*words)
        replies = self.read_all()
        assert len(replies) == 1, f"{words!r}: one reply, not {replies!r}"
        return replies[0]

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


class Embedded:
    """An engine on a clock that only `pass_ms` moves, and its clients; `main` is the first.

    Directives are as a configuration file has them, with `_` for `-` in their names.
    """

    def __init__(self, resp: int = 2, **directives: str) -> None:
        config = Config()
        for name, value in directives.items():
            config.assign(name.replace("_", "-"), [value])
        self.clock = ManualClock(NOW_MS)
        self.engine = Engine(config, self.clock, SimulatedDisk(config.get_text("dir")))
        self.state = self.engine.state
        self.state.slow_us = -1  # how long commands take is no matter of chance
        self.resp = resp
        self.main = self.connect()

    def connect(self) -> Client:
        return Client(self.engine, self.state.last_client_id, self.resp)

    def pass_ms(self, ms: int) -> None:
        """Let time pass, and happen what is due then."""
        self.clock.advance(ms)
        self.engine.run_due()
        self.engine.tick()


def with_group() -> Embedded:
    """One with an empty stream `s` that has a group `g`."""
    world = Embedded()
    world.main.ok("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
    return world


def configure(world: Embedded, *settings: str) -> None:
    """Give the group `g` of the stream `s` settings, and have done what is due for them."""
    world.main.ok("XGROUP", "CFGSET", "s", "g", *settings)
    world.pass_ms(0)


def refused_alike(client: Client, port: int, line: str) -> None:
    """Both we and the redis-server on `port` answer these words with the same error."""
    ours = client.call(*line.split(" "))
    assert ours[0] == "-"
    with wire.Connection("127.0.0.1", port) as theirs:
        assert ours == theirs.call(*line.split(" "))
