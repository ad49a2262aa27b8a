"""Connections of a whole engine without sockets or an event loop; time stands still."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from headwater.clock import ManualClock
from headwater.config import Config
from headwater.engine import Engine
from headwater.server.connection import Connection
from headwater.server.gate import Gate
from headwater.server.shared import Shared

from . import wire
from .disk import SimulatedDisk

NOW_MS = 1_700_000_000_000


class Loop:
    """What a connection asks of the event loop; `run` does what was put off."""

    def __init__(self) -> None:
        self.later: list[tuple[Callable[..., None], tuple[Any, ...]]] = []

    def call_soon(self, callback: Callable[..., None], *arguments: Any) -> None:
        self.later.append((callback, arguments))

    def run_once(self) -> None:
        later, self.later = self.later, []
        for callback, arguments in later:
            callback(*arguments)

    def run(self) -> None:
        while self.later:
            self.run_once()


class Transport:
    """Takes everything into `data`, or, while `full`, into a buffer that `drain` empties."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.protocol: Any = None
        self.data = bytearray()
        self.held = bytearray()
        self.full = False
        self.reading = True
        self.closing = False

    def set_write_buffer_limits(self, high: int, low: int) -> None:
        pass

    def write(self, data: bytes) -> None:
        if self.closing:
            return
        if not self.full:
            self.data += data
            return
        first = not self.held
        self.held += data
        if first:
            self.protocol.pause_writing()

    def drain(self) -> None:
        self.data += self.held
        self.held.clear()
        self.full = False
        self.protocol.resume_writing()

    def get_write_buffer_size(self) -> int:
        return len(self.held)

    def get_extra_info(self, name: str) -> Any:
        return None

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            self.loop.call_soon(self.protocol.connection_lost, None)

    abort = close


class Recorded(wire.Connection):
    """Reads replies from bytes instead of a socket."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)  # type: ignore[assignment]


class Client:
    """One connection and its transport."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.transport = Transport(world.loop)
        self.connection = Connection(world.engine.state, world.shared)
        self.transport.protocol = self.connection
        self.connection.connection_made(self.transport)
        world.engine.state.clients[self.connection.id] = self.connection

    def send(self, *requests: tuple[wire.Word, ...]) -> None:
        """Send requests at once, as one piece of input."""
        self.send_raw(b"".join(map(wire.encode, requests)))

    def send_raw(self, data: bytes) -> None:
        if self.transport.reading and not self.transport.closing:
            self.connection.data_received(data)

    def replies(self) -> list[Any]:
        """The plain values of all that was received since the last time."""
        data = bytes(self.transport.data)
        self.transport.data.clear()
        reader = Recorded(data)
        found = []
        while True:
            try:
                found.append(wire.plain(reader.read()))
            except EOFError:
                return found

    def ask(self, *words: wire.Word) -> Any:
        self.send(words)
        [answer] = self.replies()
        return answer


class World:
    """An engine and what its connections share."""

    def __init__(self, **directives: str) -> None:
        config = Config()
        for name, value in directives.items():
            config.assign(name.replace("_", "-"), [value])
        self.clock = ManualClock(NOW_MS)
        self.engine = Engine(config, self.clock, SimulatedDisk(config.get_text("dir")))
        self.engine.state.slow_us = -1
        self.loop = Loop()
        self.gone: list[int] = []
        self.stalled: list[tuple[int, bool]] = []
        self.pushed: list[int] = []
        gate = Gate(self.loop, self.engine.state.recorder)
        gate.channels = self.engine.channels
        self.engine.channels.on_owed = gate.schedule_messages
        self.shared = Shared(
            self.loop,
            gate,
            lambda connection: None,
            self._on_gone,
            lambda connection, stalled: self.stalled.append((connection.id, stalled)),
            lambda connection: self.pushed.append(connection.id),
        )

    def _on_gone(self, connection: Connection) -> None:
        self.gone.append(connection.id)
        self.engine.channels.forget(connection)
        self.engine.state.clients.pop(connection.id, None)

    def connect(self) -> Client:
        return Client(self)

    def pass_ms(self, ms: int) -> None:
        """Let time pass, and happen what is due then."""
        self.clock.advance(ms)
        self.engine.run_due()
        self.engine.tick()
        self.loop.run()
