"""Clients that do not read what they asked for: they cost little, and nobody waits for them."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable

import pytest

from support.servers import Server
from support.wire import Connection

MEGABYTE = 1 << 20
ENTRIES = 1000
ENTRY_BYTES = 10_000
REQUESTS = 100
WAIT_SECONDS = 30

only_headwater = pytest.mark.skipif(
    os.environ.get("HEADWATER_TEST_SUBJECT", "") == "redis",
    reason="Redis keeps all replies in memory here",
)


def fill(server: Server) -> None:
    """A stream of ten megabytes."""
    server.connect().pipeline(
        [
            ("XADD", "s", f"{n}-0", "n", str(n), "f", "x" * ENTRY_BYTES)
            for n in range(1, ENTRIES + 1)
        ]
    )


def small_receiver(server: Server) -> Connection:
    """A connection whose receive buffer is small, so that the server has to keep the rest."""
    connection = server.connect(timeout=60)
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 128 * 1024)
    return connection


@only_headwater
def test_replies_that_nobody_reads_stay_out_of_memory(start: Callable[..., Server]) -> None:
    server = start()
    fill(server)
    before = server.resident_bytes()
    silent = [small_receiver(server) for _ in range(4)]
    for connection in silent:
        for _ in range(REQUESTS):
            connection.send("XRANGE", "s", "-", "+")
    other = server.connect()
    for number in range(500):
        assert other.ok("XADD", "other", f"{number + 1}-0", "f", "v")
        assert other.ok("PING") == b"PONG"
    grown = server.resident_bytes() - before
    asked = len(silent) * REQUESTS * ENTRIES * ENTRY_BYTES
    assert grown < 100 * MEGABYTE, (
        f"{grown // MEGABYTE} MB kept of {asked // MEGABYTE} MB asked for"
    )
    for connection in silent[:1]:
        for _ in range(REQUESTS):
            reply = connection.read()
            assert [entry[1][0][1] for entry in reply[1]] == [
                f"{n}-0".encode() for n in range(1, ENTRIES + 1)
            ]


def test_a_big_reply_shows_one_point_in_time(start: Callable[..., Server]) -> None:
    """What is deleted, trimmed or added while a reply is under way does not change it."""
    server = start()
    fill(server)
    reader, writer = small_receiver(server), server.connect()
    reader.send("XRANGE", "s", "-", "+")
    wait_for_output(writer, reader)
    writer.ok("XDEL", "s", *(f"{n}-0" for n in range(1, ENTRIES, 3)))
    writer.ok("XADD", "s", "5000-0", "f", "v")
    writer.ok("XTRIM", "s", "MAXLEN", 10)
    writer.ok("DEL", "s")
    writer.ok("FLUSHALL")
    fill(server)
    kind, entries = reader.read()
    assert kind == "*"
    assert len(entries) == ENTRIES
    for number, (_, (entry_id, (_, fields))) in enumerate(entries, start=1):
        assert entry_id == ("$", b"%d-0" % number)
        assert fields[1] == ("$", b"%d" % number)
        assert len(fields[3][1]) == ENTRY_BYTES


def wait_for_output(watcher: Connection, reader: Connection) -> None:
    """Return once the reader's reply has begun to arrive."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not reader.has_data():
        assert time.monotonic() < deadline, "no reply"
        watcher.ok("PING")


def test_the_output_limit_ends_the_client(start: Callable[..., Server]) -> None:
    server = start("--client-output-buffer-limit", "normal 1mb 0 0")
    fill(server)
    before = server.resident_bytes()
    silent = small_receiver(server)
    with contextlib.suppress(OSError):  # it may be cut while it asks
        for _ in range(50):
            silent.send("XRANGE", "s", "-", "+")
    other = server.connect()
    other.ok("CLIENT", "SETNAME", "other")
    deadline = time.monotonic() + WAIT_SECONDS
    while other.ok("CLIENT", "LIST").count(b"\n") > 2:
        assert time.monotonic() < deadline, "the client is still there"
        assert other.ok("XADD", "other", "*", "f", "v")
    assert server.resident_bytes() - before < 100 * MEGABYTE
    assert other.ok("XLEN", "s") == ENTRIES


@only_headwater
def test_a_soft_output_limit_ends_the_client(start: Callable[..., Server]) -> None:
    server = start("--client-output-buffer-limit", "normal 0 1mb 1")
    fill(server)
    silent = small_receiver(server)
    silent.send("XRANGE", "s", "-", "+")
    other = server.connect()
    deadline = time.monotonic() + WAIT_SECONDS
    while other.ok("CLIENT", "LIST").count(b"\n") > 2:
        assert time.monotonic() < deadline, "the client is still there"
        time.sleep(0.01)
