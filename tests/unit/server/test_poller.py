"""Client sockets in one epoll: what they are told, in what order, and how they end."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from headwater.commands.session import Session
from headwater.journal.recorder import Recorder
from headwater.limits import READ_BUFFER_BYTES, TRANSPORT_HIGH_BYTES
from headwater.server.gate import Gate
from headwater.server.poller import AVAILABLE, Poller, SocketTransport

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="no epoll here")


class Loop:
    """Remembers what it is to watch; `turn` calls back for what is ready."""

    def __init__(self) -> None:
        self.readers: dict[int, tuple[Callable[..., Any], tuple[Any, ...]]] = {}
        self.later: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []

    def add_reader(self, descriptor: int, callback: Callable[..., Any], *arguments: Any) -> None:
        self.readers[descriptor] = (callback, arguments)

    def remove_reader(self, descriptor: int) -> bool:
        return self.readers.pop(descriptor, None) is not None

    def call_later(self, delay: float, callback: Callable[..., Any], *arguments: Any) -> None:
        self.later.append((callback, arguments))

    def call_soon(self, callback: Callable[..., Any], *arguments: Any) -> None:
        self.later.append((callback, arguments))

    def turn(self) -> None:
        for callback, arguments in list(self.readers.values()):
            callback(*arguments)


class Protocol(Session):
    """Writes down what it is told; `on_input` and `on_lost` are called, if given."""

    def __init__(self, buffer: bytearray) -> None:
        self.buffer = buffer
        self.transport: Any = None
        self.told: list[str] = []
        self.received = bytearray()
        self.on_input: Callable[[], None] | None = None
        self.on_lost: Callable[[], None] | None = None

    def connection_made(self, transport: SocketTransport) -> None:
        self.transport = transport

    def input_received(self, n: int) -> None:
        self.received += self.buffer[:n]
        if self.on_input is not None:
            self.on_input()

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def connection_lost(self, error: OSError | None) -> None:
        self.told.append("lost" if error is None else errno.errorcode[error.errno or 0])
        if self.on_lost is not None:
            self.on_lost()


class World:
    def __init__(self) -> None:
        self.loop = Loop()
        self.buffer = bytearray(READ_BUFFER_BYTES)
        self.made: list[Protocol] = []
        self.poller = Poller(self.loop, Gate(self.loop, Recorder()), self.buffer, self._make)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.listener.setblocking(False)
        self.poller.listen(self.listener)
        self.sockets: list[socket.socket] = []

    def _make(self) -> Protocol:
        self.made.append(Protocol(self.buffer))
        return self.made[-1]

    def connect(self) -> tuple[socket.socket, Protocol]:
        sock = socket.create_connection(self.listener.getsockname())
        sock.settimeout(20)
        self.sockets.append(sock)
        count = len(self.made)
        while len(self.made) == count:
            self.loop.turn()
        return sock, self.made[-1]

    def turn_until(self, condition: Callable[[], bool]) -> None:
        """Let the loop turn; a test that never comes to its end is stopped by its time limit."""
        while not condition():
            self.loop.turn()

    def close(self) -> None:
        for sock in self.sockets:
            sock.close()
        for protocol in self.made:
            protocol.transport.abort()
        self.poller.unlisten(self.listener)
        self.poller.close()


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def reset(sock: socket.socket) -> None:
    """Close so that the other side sees a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()


def fill(protocol: Protocol) -> bytes:
    """Write until the transport has had enough; returns all of it."""
    written = b""
    piece = os.urandom(100_000)
    while "pause" not in protocol.told:
        protocol.transport.write(piece)
        written += piece
    assert protocol.transport.get_write_buffer_size() > TRANSPORT_HIGH_BYTES
    return written


def drained(world: World, sock: socket.socket) -> bytes:
    """All that comes up to the end of the connection."""
    sock.setblocking(False)
    parts = []
    while True:
        try:
            part = sock.recv(1 << 20)
        except BlockingIOError:
            world.loop.turn()
            continue
        if not part:
            return b"".join(parts)
        parts.append(part)


def test_input_and_the_end_of_it(world: World) -> None:
    sock, protocol = world.connect()
    sock.sendall(b"hello")
    world.turn_until(lambda: protocol.received == b"hello")
    sock.close()
    world.turn_until(lambda: bool(protocol.told))
    assert protocol.told == ["lost"]


def test_what_is_queued_is_sent_before_a_close(world: World) -> None:
    sock, protocol = world.connect()
    written = fill(protocol)
    protocol.transport.close()
    protocol.transport.write(b"not any more")
    assert drained(world, sock) == written
    assert protocol.told[0] == "pause"
    assert protocol.told[-1] == "lost"
    assert protocol.told.count("lost") == 1


def test_a_reset_while_output_waits_and_reading_is_paused(world: World) -> None:
    sock, protocol = world.connect()
    fill(protocol)
    protocol.transport.pause_reading()
    reset(sock)
    world.turn_until(lambda: len(protocol.told) > 1)
    assert len(protocol.told) == 2
    world.loop.turn()
    assert len(protocol.told) == 2, "connection_lost comes once"
    protocol.transport.write(b"x")
    protocol.transport.resume_reading()
    protocol.transport.close()
    protocol.transport.abort()
    assert len(protocol.told) == 2


def test_a_reset_is_met_in_a_write(world: World) -> None:
    sock, protocol = world.connect()
    sock.sendall(b"x")

    def answer() -> None:
        reset(sock)
        while not protocol.told:
            protocol.transport.write(b"answer")
        protocol.transport.write_span(bytearray(b"more"), 4)
        protocol.transport.close()

    protocol.on_input = answer
    world.turn_until(lambda: bool(protocol.told))
    assert protocol.told[0] in ("EPIPE", "ECONNRESET")
    assert len(protocol.told) == 1


def test_an_abort_inside_of_input(world: World) -> None:
    sock, protocol = world.connect()
    protocol.on_input = lambda: protocol.transport.abort()
    sock.sendall(b"x")
    world.turn_until(lambda: bool(protocol.told))
    assert protocol.told == ["lost"]
    assert sock.recv(1) == b""


def test_one_client_ends_another_that_is_ready_too(world: World) -> None:
    """Both have events in one batch; the descriptor of the one that is closed is in use again."""
    pairs = [world.connect() for _ in range(2)]
    reused: list[socket.socket] = []

    def end_other(other: Protocol) -> None:
        number = other.transport.descriptor
        if other.told:
            return
        other.transport.abort()
        sock = socket.socket()
        reused.append(sock)
        assert sock.fileno() == number

    (one, first), (two, second) = pairs
    first.on_input = lambda: end_other(second)
    second.on_input = lambda: end_other(first)
    one.sendall(b"x")
    two.sendall(b"x")
    world.turn_until(lambda: bool(first.told or second.told))
    world.loop.turn()
    assert sorted([first.told, second.told]) == [[], ["lost"]]
    assert len(reused) == 1
    reused[0].close()


def test_a_turn_that_was_asked_for_before_the_end_does_nothing(world: World) -> None:
    """Another file may have the epoll's descriptor by then."""
    poller = Poller(world.loop, Gate(world.loop, Recorder()), world.buffer, world._make)
    poller.turn_soon()
    poller.close()
    [(callback, arguments)] = world.loop.later
    callback(*arguments)
    world.loop.later.clear()


def test_whoever_is_gone_is_told_before_the_next_event(world: World) -> None:
    """So that a reader that is gone takes no entry that another client of the batch adds."""
    order: list[str] = []
    (one, first), (two, second) = world.connect(), world.connect()
    first.on_lost = lambda: order.append("lost")
    second.on_input = lambda: order.append("input")
    one.close()
    two.sendall(b"x")
    world.turn_until(lambda: "input" in order and "lost" in order)
    while first.told != ["lost"]:
        world.loop.turn()
    assert not world.loop.later, "nothing is put off"


def test_output_goes_on_when_the_client_reads(world: World) -> None:
    sock, protocol = world.connect()
    written = fill(protocol)
    sock.setblocking(False)
    received = bytearray()
    while len(received) < len(written):
        world.loop.turn()
        try:
            received += sock.recv(1 << 20)
        except BlockingIOError:
            continue
    assert bytes(received) == written
    world.turn_until(lambda: "resume" in protocol.told)
    assert protocol.told == ["pause", "resume"]
    assert protocol.transport.get_write_buffer_size() == 0


class NoDescriptors:
    """A listening socket of a process that may open no more files."""

    family = socket.AF_INET

    def __init__(self, number: int) -> None:
        self.number = number
        self.calls = 0

    def fileno(self) -> int:
        return 1_000_000

    def accept(self) -> Any:
        self.calls += 1
        raise OSError(self.number, os.strerror(self.number))

    def close(self) -> None:
        pass


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.EPROTO, errno.EPERM])
def test_a_listener_that_fails_pauses(world: World, number: int) -> None:
    listener: Any = NoDescriptors(number)
    world.poller.listen(listener)
    world.loop.turn()
    world.loop.turn()
    assert listener.calls == 1
    [(callback, arguments)] = world.loop.later
    callback(*arguments)
    world.loop.turn()
    assert listener.calls == 2
    world.poller.unlisten(listener)
    callback, arguments = world.loop.later[-1]
    callback(*arguments)
    world.loop.turn()
    assert listener.calls == 2, "it was taken away in the meantime"


def test_a_failure_costs_the_one_client(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """What was read of it is lost, so it cannot go on; the others of the round have their turn."""
    pairs = [world.connect() for _ in range(3)]

    def fail() -> None:
        raise MemoryError

    for sock, protocol in pairs:
        sock.sendall(b"x")
        if protocol is pairs[1][1]:
            protocol.on_input = fail
    world.turn_until(lambda: all(protocol.received for _, protocol in pairs))
    assert [protocol.told for _, protocol in pairs] == [[], ["lost"], []]
    assert "MemoryError" in caplog.text
