"""Who listens and does not read, who listens for long, and ten thousand who listen."""

from __future__ import annotations

import os
import resource
import selectors
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from support.servers import Server
from support.wire import Connection, encode

MEGABYTE = 1 << 20
WAIT_SECONDS = 30
SPARE_DESCRIPTORS = 200


def listener(server: Server, resp: int = 2, small: bool = False) -> Connection:
    connection = server.connect(resp)
    if small:
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    connection.ok("SUBSCRIBE", "c")
    return connection


def listeners_left(publisher: Connection) -> int:
    count: int = publisher.ok("PUBSUB", "NUMSUB", "c")[1]
    return count


@pytest.mark.parametrize(
    ("limit", "size"),
    [("pubsub 1mb 0 0", 100), ("pubsub 0 256kb 1", 100_000), ("pubsub 32mb 8mb 60", 100_000)],
)
def test_a_listener_who_does_not_read_is_cut(
    start: Callable[..., Server], limit: str, size: int
) -> None:
    server = start("--client-output-buffer-limit", limit)
    publisher, silent, reader = server.connect(), listener(server, small=True), listener(server)
    before = server.resident_bytes()
    batch = max(1, 50_000 // size)
    deadline = time.monotonic() + WAIT_SECONDS
    while listeners_left(publisher) > 1:
        assert time.monotonic() < deadline, "it is still there"
        publisher.pipeline([("PUBLISH", "c", "x" * size)] * batch)
        for _ in range(batch):
            assert len(reader.read()[1]) == 3
    assert server.resident_bytes() - before < 120 * MEGABYTE
    silent.read_rest()
    assert publisher.ok("PUBLISH", "c", "end") == 1
    assert reader.read()[1][2] == ("$", b"end")
    if server.kind == "headwater":
        assert "does not read" in server.log_text()


def test_the_limit_of_others_is_not_for_listeners(start: Callable[..., Server]) -> None:
    server = start("--client-output-buffer-limit", "normal 300kb 0 0 pubsub 0 0 0")
    publisher, silent = server.connect(), listener(server, small=True)
    for _ in range(100):
        assert publisher.ok("PUBLISH", "c", "x" * 100_000) == 1
    for _ in range(100):
        assert len(silent.read()[1][2][1]) == 100_000


def test_small_messages_that_waited_come_whole_and_in_order(headwater: Server) -> None:
    publisher, late = headwater.connect(), listener(headwater, small=True)
    payloads = [b"%04d" % number + b"x" * 2000 for number in range(3000)]
    for payload in payloads:
        assert publisher.ok("PUBLISH", "c", payload) == 1
    assert [late.read()[1][2][1] for _ in payloads] == payloads


def test_a_listener_is_not_idle(start: Callable[..., Server]) -> None:
    server = start("--timeout", "1")
    publisher, idle = server.connect(), server.connect()
    listeners = [listener(server), listener(server, 3), server.connect()]
    listeners[2].ok("SSUBSCRIBE", "s")
    while not idle.has_data():
        publisher.ok("PING")
        time.sleep(0.01)
    assert idle.read_rest() == b""
    assert publisher.ok("PUBLISH", "c", "m") == 2
    assert publisher.ok("SPUBLISH", "s", "m") == 1
    for client in listeners:
        assert client.read()[1][2] == ("$", b"m")


def test_a_listener_who_ends_in_any_way_is_forgotten(headwater: Server) -> None:
    publisher = headwater.connect()
    for way in ("close", "QUIT", "kill", "half"):
        client = listener(headwater, 3)
        client.ok("PSUBSCRIBE", "c*")
        if way == "close":
            client.close()
        elif way == "QUIT":
            client.send("QUIT")
        elif way == "kill":
            publisher.ok("CLIENT", "KILL", "ID", client.id)
        else:
            client.sock.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + WAIT_SECONDS
        while publisher.ok("PUBLISH", "c", "m"):
            assert time.monotonic() < deadline, way
        assert publisher.ok("PUBSUB", "NUMPAT") == 0
        assert publisher.ok("PUBSUB", "CHANNELS") == []


class Crowd:
    """So many sockets that listen to one channel."""

    def __init__(self, server: Server, size: int) -> None:
        self.sockets = []
        self._selector = selectors.DefaultSelector()
        self._received: dict[socket.socket, bytearray] = {}
        greeting = b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"
        for _ in range(size):
            sock = socket.create_connection(("127.0.0.1", server.port))
            sock.sendall(encode(("SUBSCRIBE", "c")))
            self.sockets.append(sock)
        for sock in self.sockets:
            assert sock.recv(1000) == greeting
            sock.setblocking(False)
            self._selector.register(sock, selectors.EVENT_READ)

    def read_all(self, size: int, wanted: bytes) -> None:
        """Read until every socket has got `size` bytes: `wanted`, whose last part it is."""
        left = dict.fromkeys(self.sockets, size)
        tails = dict.fromkeys(self.sockets, b"")
        waiting = len(left)
        while waiting:
            events = self._selector.select(WAIT_SECONDS)
            assert events, f"{waiting} still wait"
            for key, _ in events:
                sock = key.fileobj
                assert isinstance(sock, socket.socket)
                data = sock.recv(MEGABYTE)
                assert data, "closed"
                left[sock] -= len(data)
                tails[sock] = (tails[sock] + data)[-len(wanted) :]
                if left[sock] == 0:
                    waiting -= 1
        assert set(tails.values()) == {wanted}

    def close(self) -> None:
        for sock in self.sockets:
            sock.close()


@pytest.fixture
def descriptors() -> Iterator[int]:
    """How many sockets this process may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard - SPARE_DESCRIPTORS
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def message(payload: str) -> bytes:
    return b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$%d\r\n%b\r\n" % (len(payload), payload.encode())


@pytest.mark.slow
def test_ten_thousand_listeners(start: Callable[..., Server], descriptors: int) -> None:
    """All get all messages in order, and another client is served all the time."""
    size = 10_000
    if descriptors < size:
        pytest.skip("too few descriptors")
    server = start("--maxclients", str(size + 100))
    crowd = Crowd(server, size)
    try:
        publisher, other = server.connect(), server.connect()
        before = server.resident_bytes()
        payloads = [f"{number:04d}" for number in range(50)]
        publisher.send_raw(b"".join(encode(("PUBLISH", "c", payload)) for payload in payloads))
        for _ in payloads:
            assert publisher.read() == (":", size)
            assert other.ok("PING") == b"PONG"
        wanted = b"".join(map(message, payloads))
        crowd.read_all(len(wanted), wanted)
        assert server.resident_bytes() - before < 50 * MEGABYTE
    finally:
        crowd.close()
    deadline = time.monotonic() + WAIT_SECONDS
    while publisher.ok("PUBSUB", "CHANNELS"):
        assert time.monotonic() < deadline, "they are still there"


@pytest.mark.skipif(
    os.environ.get("HEADWATER_TEST_SUBJECT", "") == "redis", reason="Redis copies it for each"
)
@pytest.mark.slow
def test_a_big_message_is_there_once(start: Callable[..., Server], descriptors: int) -> None:
    size = 1_000
    if descriptors < size:
        pytest.skip("too few descriptors")
    server = start("--client-output-buffer-limit", "pubsub 32mb 0 0")
    crowd = Crowd(server, size)
    try:
        publisher = server.connect()
        before = server.resident_bytes()
        payload = "x" * (2 * MEGABYTE)
        assert publisher.ok("PUBLISH", "c", payload) == size
        assert publisher.ok("PUBLISH", "c", payload + "y") == size
        publisher.ok("PING")
        assert server.resident_bytes() - before < 100 * MEGABYTE
        end = message(payload + "y")
        crowd.read_all(len(message(payload)) + len(end), end[-100:])
    finally:
        crowd.close()
