"""client-output-buffer-limit: whoever lets too much wait is cut, whatever the size of the limit."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable

import pytest

from support.servers import Server
from support.wire import Connection

KILOBYTE = 1024
Start = Callable[..., Server]


@pytest.fixture(params=["ours", "redis"])
def run(
    request: pytest.FixtureRequest, start: Start, start_reference: Start
) -> Callable[..., Server]:
    """Both must do the same."""
    return start if request.param == "ours" else start_reference


def lazy(server: Server) -> Connection:
    """A client whose socket holds little."""
    connection = Connection("127.0.0.1", server.port, timeout=30)
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    return connection


def clients(server: Connection) -> int:
    return int(server.ok("INFO", "clients").split(b"connected_clients:")[1].split(b"\r")[0])


def wait_for_clients(server: Connection, count: int) -> None:
    deadline = time.monotonic() + 20
    while clients(server) != count:
        assert time.monotonic() < deadline, server.ok("CLIENT", "LIST").decode()
        time.sleep(0.01)


def test_a_reply_above_the_hard_limit(run: Start) -> None:
    """It is not sent, not even to a client that reads; smaller ones are."""
    server = run("--client-output-buffer-limit", "normal 50kb 0 0")
    connection = server.connect()
    connection.ok("SET", "big", "x" * 120 * KILOBYTE)
    connection.ok("SET", "small", "x" * 10 * KILOBYTE)
    assert len(connection.ok("GET", "small")) == 10 * KILOBYTE
    reader = server.connect()
    reader.send("GET", "big")
    assert reader.read_rest() == b""
    assert connection.ok("CONFIG", "SET", "client-output-buffer-limit", "normal 0 0 0") == b"OK"
    assert len(connection.ok("GET", "big")) == 120 * KILOBYTE


def test_many_replies_that_nobody_reads(run: Start) -> None:
    server = run("--client-output-buffer-limit", "normal 100kb 0 0")
    watcher = server.connect()
    watcher.ok("SET", "k", "x" * 20 * KILOBYTE)
    with lazy(server) as sleeper:
        sleeper.sock.settimeout(20)
        with contextlib.suppress(ConnectionError):
            while True:  # a server that takes them all would stop this by the time limit
                sleeper.send("GET", "k")
        wait_for_clients(watcher, 1)


def test_the_soft_limit_gives_time(run: Start) -> None:
    """Above it for longer than its seconds: cut. Back below it in time: not."""
    server = run("--client-output-buffer-limit", "pubsub 0 64kb 1", "--timeout", "0")
    watcher = server.connect()
    with lazy(server) as sleeper, server.connect() as reader:
        for one in (sleeper, reader):
            one.ok("SUBSCRIBE", "c")
        message = "x" * 10 * KILOBYTE
        begin = time.monotonic()
        while clients(watcher) == 3:
            assert watcher.ok("PUBLISH", "c", message) >= 1
            assert reader.read()[0] in "*>"
            assert time.monotonic() - begin < 20
        assert time.monotonic() - begin >= 1


def test_a_small_hard_limit_of_subscribers(run: Start) -> None:
    server = run("--client-output-buffer-limit", "pubsub 64kb 0 0")
    watcher = server.connect()
    with lazy(server) as sleeper, server.connect() as reader:
        for one in (sleeper, reader):
            one.ok("SUBSCRIBE", "c")
        sent = 0
        while watcher.ok("PUBLISH", "c", "x" * 20 * KILOBYTE) == 2:
            reader.read()
            sent += 1
            assert sent < 10_000
        wait_for_clients(watcher, 2)


@pytest.mark.skipif(
    os.environ.get("HEADWATER_TEST_SUBJECT", "") == "redis", reason="Redis has no limit there"
)
def test_a_monitor_without_a_limit_has_that_of_replicas(start: Start) -> None:
    server = start("--client-output-buffer-limit", "replica 64kb 0 0")
    watcher = server.connect()
    with lazy(server) as monitor:
        monitor.ok("MONITOR")
        sent = 0
        while clients(watcher) == 2:
            watcher.pipeline([("ECHO", "x" * KILOBYTE)] * 100)
            sent += 1
            assert sent < 1000
    assert watcher.ok("PING") == b"PONG"
    assert "does not read its replies" in server.log_text()
