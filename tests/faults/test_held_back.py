"""Clients that are held back, or gone, while others go on."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable

from support.servers import Server
from support.wire import encode

WAIT_SECONDS = 30


def test_a_client_that_a_pause_holds_back_is_not_idle(start: Callable[..., Server]) -> None:
    server = start("--timeout", "1")
    main, held, idle = server.connect(), server.connect(), server.connect()
    main.ok("CLIENT", "PAUSE", 100_000, "WRITE")
    held.send("SET", "a", "1")
    while not idle.has_data():
        main.ok("PING")
        time.sleep(0.01)
    assert idle.read_rest() == b""
    main.ok("CLIENT", "UNPAUSE")
    assert held.read() == ("+", b"OK")


def test_a_reader_that_is_gone_takes_no_entry(headwater: Server) -> None:
    """It ends in every way a connection can, just before an entry comes."""
    main = headwater.connect()
    for number in range(100):
        main.ok("DEL", "s")
        main.ok("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
        reader = headwater.connect()
        reader.send("XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "s", ">")
        while b"blocked_clients:1\r\n" not in main.ok("INFO", "clients"):
            headwater.check_alive()
        if number % 3 == 1:
            reader.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if number % 3 == 2:
            reader.sock.shutdown(socket.SHUT_WR)
        else:
            reader.close()
        # What is sent on a connection of its own is read behind the end of the other one.
        while b"blocked_clients:0\r\n" not in main.ok("INFO", "clients"):
            headwater.check_alive()
        main.ok("XADD", "s", "1-0", "f", "v")
        assert main.ok("XPENDING", "s", "g")[0] == 0
        reader.close()


def test_a_pipeline_behind_a_wait_beyond_the_query_limit(start: Callable[..., Server]) -> None:
    server = start("--client-query-buffer-limit", str(1 << 20))
    main, reader = server.connect(), server.connect()
    reader.send("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    reader.send_raw(encode(["ECHO", "x" * 1000]) * 500)
    while b"blocked_clients:1\r\n" not in main.ok("INFO", "clients"):
        server.check_alive()
    main.ok("XADD", "s", "1-0", "f", "v")
    assert reader.read()[0] == "*"
    for _ in range(500):
        assert reader.read() == ("$", b"x" * 1000)
    reader.send("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    with contextlib.suppress(OSError):  # it may be closed in the midst of it
        reader.send_raw(encode(["ECHO", "x" * 1000]) * 4000)
    deadline = time.monotonic() + WAIT_SECONDS
    while b"blocked_clients:0\r\n" not in main.ok("INFO", "clients"):
        assert time.monotonic() < deadline
    assert reader.read_rest() == b""
    if server.kind == "headwater":
        assert "client-query-buffer-limit" in server.log_text()


def test_the_queue_of_multi_counts_for_the_query_limit(start: Callable[..., Server]) -> None:
    server = start("--client-query-buffer-limit", str(1 << 20))
    main, client = server.connect(), server.connect()
    client.ok("MULTI")
    before = server.resident_bytes()
    with contextlib.suppress(OSError):
        for _ in range(10_000):
            client.send("SET", "a", "x" * 1000)
    deadline = time.monotonic() + WAIT_SECONDS
    while b"connected_clients:1\r\n" not in main.ok("INFO", "clients"):
        assert time.monotonic() < deadline, "it goes on queueing"
    assert server.resident_bytes() - before < 20 << 20
    assert main.ok("EXISTS", "a") == 0
