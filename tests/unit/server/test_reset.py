"""A connection on a real socket whose other end is reset while it is being written to."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest

from headwater.server.connection import Connection
from headwater.server.poller import AVAILABLE, Poller
from support.connections import Loop, World
from support.wire import encode

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="no epoll here")


class Socketed(World):
    """Clients of the engine on sockets; `turn` lets the loop turn once."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[Connection] = []
        loop = Turning()
        self.turning = loop
        self.poller = Poller(loop, self.shared.gate, self.shared.read_buffer, self._make)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.poller.listen(self.listener)

    def _make(self) -> Connection:
        connection = Connection(self.engine.state, self.shared)
        self.engine.state.clients[connection.id] = connection
        self.made.append(connection)
        return connection

    def dial(self) -> tuple[socket.socket, Connection]:
        count = len(self.made)
        sock = socket.create_connection(self.listener.getsockname())
        while len(self.made) == count:
            self.turning.turn()
        return sock, self.made[-1]

    def close(self) -> None:
        for connection in self.made:
            connection.close()
        self.poller.unlisten(self.listener)
        self.poller.close()


class Turning(Loop):
    def __init__(self) -> None:
        super().__init__()
        self.readers: dict = {}

    def add_reader(self, descriptor: int, callback: object, *arguments: object) -> None:
        self.readers[descriptor] = (callback, arguments)

    def remove_reader(self, descriptor: int) -> None:
        self.readers.pop(descriptor, None)

    def turn(self) -> None:
        for callback, arguments in list(self.readers.values()):
            callback(*arguments)
        self.run()


@pytest.fixture
def world() -> Iterator[Socketed]:
    made = Socketed()
    yield made
    made.close()


@pytest.mark.parametrize("value", ["v", "v" * 1_000_000], ids=["small", "big"])
def test_a_reset_is_met_when_a_reader_is_served(world: Socketed, value: str) -> None:
    other = world.connect()
    for _ in range(20):
        sock, connection = world.dial()
        sock.sendall(encode(["XREAD", "BLOCK", 0, "STREAMS", "s", "$"]) + encode(["PING"]) * 10)
        while connection.blocked is None:
            world.turning.turn()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        assert isinstance(other.ask("XADD", "s", "*", "f", value), bytes)
        while not connection.closed:
            world.turning.turn()
        world.turning.turn()
        assert world.gone.count(connection.id) == 1
        assert connection.input_bytes() == 0
    assert world.engine.state.blocked_clients == 0
