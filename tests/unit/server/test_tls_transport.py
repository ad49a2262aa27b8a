"""TLS in memory, event by event: what the shared buffers hold, who gets how many steps."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from headwater.journal.recorder import Recorder
from headwater.limits import (
    READ_BUFFER_BYTES,
    TLS_HANDSHAKE_SECONDS,
    TLS_HANDSHAKE_STEPS,
    TRANSPORT_HIGH_BYTES,
)
from headwater.server.gate import Gate
from headwater.server.poller import AVAILABLE, Poller
from headwater.server.tls import Secure, TlsTransport
from support.certificates import Certificates
from support.secure import ByHand
from unit.server.test_poller import Loop, Protocol

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="no epoll here")


class TimedLoop(Loop):
    now = 0.0

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Any, *arguments: Any) -> Any:
        super().call_later(delay, callback, *arguments)
        return self

    def cancel(self) -> None:
        self.later.clear()


class World:
    def __init__(self, certificates: Certificates) -> None:
        self.loop = TimedLoop()
        self.buffer = bytearray(READ_BUFFER_BYTES)
        self.made: list[Protocol] = []
        self.poller = Poller(self.loop, Gate(self.loop, Recorder()), self.buffer, self._make)
        self.most = 1000
        self.secure = Secure(self.loop, lambda others: others < self.most)
        self.secure.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.secure.context.load_cert_chain(
            certificates.server.certificate, certificates.server.key
        )
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.listener.setblocking(False)
        self.poller.listen(self.listener, self.secure.wrap)
        self.port = self.listener.getsockname()[1]
        self.context = certificates.context()
        self.clients: list[ByHand] = []

    def _make(self) -> Protocol:
        self.made.append(Protocol(self.buffer))
        return self.made[-1]

    def client(self) -> ByHand:
        self.clients.append(ByHand(self.port, self.context))
        return self.clients[-1]

    def turn(self) -> None:
        """A round of the loop, which leaves nothing in the buffers that all share."""
        self.loop.turn()
        assert self.secure.incoming.pending == 0
        assert self.secure.outgoing.pending == 0

    def shaken(self) -> tuple[ByHand, Protocol]:
        """A client that has come in."""
        client = self.client()
        client.sock.setblocking(False)
        count = len(self.made)
        client.sock.sendall(client.hello())
        while len(self.made) == count:
            self.turn()
            try:
                client.take()
                client.tls.do_handshake()
            except (BlockingIOError, ssl.SSLWantReadError):
                pass
            client.flush()
        return client, self.made[-1]

    def close(self) -> None:
        for client in self.clients:
            client.sock.close()
        self.secure.close()
        for protocol in self.made:
            protocol.transport.abort()
        self.poller.unlisten(self.listener)
        self.poller.close()


@pytest.fixture
def world(certificates: Certificates) -> Iterator[World]:
    made = World(certificates)
    yield made
    made.close()


def test_what_comes_in_is_one_input(world: World) -> None:
    client, protocol = world.shaken()
    client.sock.sendall(b"".join(client.seal(b"%d," % n) for n in range(500)))
    while len(protocol.received) < 1890:
        world.turn()
    assert protocol.received == b"".join(b"%d," % n for n in range(500))


def test_back_pressure_counts_what_is_not_encrypted_yet(world: World) -> None:
    client, protocol = world.shaken()
    transport = protocol.transport
    written = b""
    while "pause" not in protocol.told:
        piece = bytes([len(protocol.told)]) * 100_000
        transport.write(piece)
        written += piece
    assert transport.get_write_buffer_size() > TRANSPORT_HIGH_BYTES
    transport.write(b"end")
    client.sock.setblocking(True)
    client.sock.settimeout(0.05)
    found = b""
    while len(found) < len(written) + 3:
        world.turn()
        try:
            found += client.read(1)
            found += client.tls.read(1 << 20)
        except (TimeoutError, ssl.SSLWantReadError):
            pass
    assert found == written + b"end"
    assert protocol.told == ["pause", "resume"]
    assert transport.get_write_buffer_size() == 0


def test_steps_of_handshakes_are_shared_out(world: World) -> None:
    """However many say hello at once, few are answered in a round, and none is forgotten."""
    clients = [world.client() for _ in range(5 * TLS_HANDSHAKE_STEPS)]
    for client in clients:
        client.sock.setblocking(False)
    world.turn()  # accepts them
    for client in clients:
        client.sock.sendall(client.hello())
    answered = 0
    for _ in range(20):
        world.turn()
        now = 0
        for client in clients:
            try:
                now += len(client.sock.recv(1, socket.MSG_PEEK))
            except BlockingIOError:
                continue
        assert now - answered <= TLS_HANDSHAKE_STEPS
        answered = now
    assert answered == len(clients)


def test_who_takes_too_long_is_closed(world: World, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("headwater").propagate = True
    early = world.client()
    world.turn()
    world.loop.now = TLS_HANDSHAKE_SECONDS - 1
    late = world.client()
    world.turn()
    world.shaken()
    world.loop.now = TLS_HANDSHAKE_SECONDS
    world.secure.end_overdue()
    assert early.sock.recv(100) == b""
    late.sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        late.sock.recv(100)
    assert "not finished in time" in caplog.text
    assert "lost" not in world.made[0].told
    world.loop.now = 2 * TLS_HANDSHAKE_SECONDS
    world.secure.end_overdue()
    late.sock.setblocking(True)
    assert late.sock.recv(100) == b""


def test_no_more_than_are_allowed(world: World) -> None:
    world.most = 2
    sockets = [world.client().sock for _ in range(3)]
    world.turn()
    assert sockets[2].recv(100) == b""
    world.secure.context = None
    another = world.client().sock
    world.turn()
    assert another.recv(100) == b""


def test_the_log_is_not_filled(world: World, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("headwater").propagate = True
    for _ in range(50):
        world.secure.log_failure("127.0.0.1:1", "bad")
    assert caplog.text.count("failed: bad") == 10
    world.loop.now = 1.5
    world.secure.log_failure("127.0.0.1:1", "worse")
    assert "40 more TLS handshakes failed" in caplog.text
    assert "failed: worse" in caplog.text


def test_garbage_behind_the_handshake(world: World) -> None:
    """The client is lost; what it had sent before is executed; nobody else notices."""
    client, protocol = world.shaken()
    other, others = world.shaken()
    client.sock.sendall(client.seal(b"before") + b"\x17\x03\x03\x00\x20" + bytes(32))
    while "EPROTO" not in protocol.told:
        world.turn()
    assert protocol.received == b"before"
    other.sock.sendall(other.seal(b"fine"))
    while not others.received:
        world.turn()
    assert others.received == b"fine"


@pytest.mark.skipif(not hasattr(TlsTransport, "_put"), reason="of no use in a compiled one")
def test_answers_of_tls_that_nobody_takes_are_bounded(world: World) -> None:
    """A client may ask for new keys again and again, each time for an answer, and read none."""
    _, protocol = world.shaken()
    transport = protocol.transport
    most = 0
    while "ENOBUFS" not in protocol.told:
        transport._put(bytes(1000))
        most = max(most, transport.get_write_buffer_size())
        assert most <= TRANSPORT_HIGH_BYTES
