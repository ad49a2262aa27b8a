"""Who does not answer any more, as far as the kernel tells: sockets whose other end drops all."""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from headwater.server.liveness import LONGEST_MS, SHORTEST_MS, Liveness

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")
Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A server's and a client's end of a connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    with ours, theirs:
        yield ours, theirs


def vanish(sock: socket.socket) -> Any:
    """From now on its kernel drops whatever comes; returns what must be kept as long."""
    program = ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 0))
    filter_all = struct.pack("@HxxxxxxP", 1, ctypes.addressof(program))
    sock.setsockopt(socket.SOL_SOCKET, 26, filter_all)  # SO_ATTACH_FILTER
    return program


def keepalive(sock: socket.socket) -> tuple[int, int, int]:
    tcp = socket.IPPROTO_TCP
    options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    idle, interval, count = (sock.getsockopt(tcp, option) for option in options)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    return idle, interval, count


@pytest.mark.parametrize(
    ("within_ms", "times"),
    [(1, (2, 1, 3)), (SHORTEST_MS, (2, 1, 3)), (30_000, (15, 5, 3)), (LONGEST_MS * 9, (30, 10, 3))],
)
def test_how_often_it_is_asked(pair: Pair, within_ms: int, times: tuple[int, int, int]) -> None:
    liveness, session = Liveness(), object()
    liveness.expect_answers(session, pair[0], within_ms, 300)  # type: ignore[arg-type]
    assert keepalive(pair[0]) == times
    liveness.expect_answers(session, pair[0], 10**9, 300)  # type: ignore[arg-type]
    assert keepalive(pair[0]) == times, "never longer than it was"


def test_a_unix_socket_needs_no_questions() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        liveness = Liveness()
        liveness.expect_answers(object(), ours, 5000, 300)  # type: ignore[arg-type]
        assert liveness.tick(10**9) == []


def until_sent_again(sock: socket.socket) -> None:
    deadline = time.monotonic() + 20
    while not sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[2]:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_was_sent_and_not_answered(pair: Pair) -> None:
    ours, theirs = pair
    liveness, session = Liveness(), object()
    liveness.expect_answers(session, ours, SHORTEST_MS, 300)  # type: ignore[arg-type]
    assert liveness.tick(1000) == []
    kept = vanish(theirs)
    ours.sendall(b"an entry")
    until_sent_again(ours)
    assert liveness.tick(1000) == [], "from here on it counts"
    assert liveness.tick(1100) == []
    # Time that passes for the server and not for the kernel: something came back since.
    assert liveness.tick(1000 + SHORTEST_MS) == []
    assert kept is not None


def test_who_is_gone_is_forgotten(pair: Pair) -> None:
    liveness, session = Liveness(), object()
    liveness.expect_answers(session, pair[0], 5000, 0)  # type: ignore[arg-type]
    liveness.forget(session)  # type: ignore[arg-type]
    assert liveness.tick(0) == []
    assert not liveness._turns
