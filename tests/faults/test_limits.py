"""Sizes and numbers at and beyond their limits: memory stays bounded, others are served."""

from __future__ import annotations

import contextlib
import resource
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from faults.wires import answers, talk
from support.servers import Server
from support.wire import Connection, encode

MEGABYTE = 1 << 20
WAIT_SECONDS = 30


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.002)


def test_a_hundred_thousand_arguments(headwater: Server) -> None:
    connection = headwater.connect()
    assert connection.ok("DEL", *(f"key:{number}" for number in range(100_000))) == 0
    assert connection.ok("EXISTS", *("none" for _ in range(100_000))) == 0
    connection.ok("XADD", "s", "1-0", "f", "v")
    assert connection.ok("XDEL", "s", *(f"{number}-7" for number in range(100_000))) == 0


def test_an_entry_of_ten_thousand_fields(headwater: Server) -> None:
    connection = headwater.connect()
    words = [word for number in range(10_000) for word in (f"field {number}", f"value {number}")]
    assert connection.ok("XADD", "s", "1-0", *words) == b"1-0"
    connection.ok("XADD", "s", "2-0", "f", "v")
    [[_, stored], [last, _]] = connection.ok("XRANGE", "s", "-", "+")
    assert stored == [word.encode() for word in words]
    assert last == b"2-0"
    assert connection.ok("XDEL", "s", "1-0") == 1
    assert connection.ok("XRANGE", "s", "-", "+") == [[b"2-0", [b"f", b"v"]]]


def test_ids_end(headwater: Server, reference: Server) -> None:
    last = 2**64 - 1
    requests = [
        ["XADD", "s", f"5-{last}", "f", "v"],
        ["XADD", "s", "5-*", "f", "v"],
        ["XADD", "s", f"{last}-{last}", "f", "v"],
        ["XADD", "s", "*", "f", "v"],
        ["XADD", "s", f"{last}-*", "f", "v"],
        ["XREAD", "STREAMS", "s", f"{last}-{last}"],
        ["XRANGE", "s", f"({last}-{last}", "+"],
        ["XRANGE", "s", "-", "+"],
        ["XREVRANGE", "s", "+", "-"],
        ["XSETID", "s", f"{last}-{last}"],
        ["XADD", "s", f"{last + 1}-0", "f", "v"],
    ]
    raw = b"".join(map(encode, requests))
    assert talk(headwater, raw) == talk(reference, raw)


def test_a_bulk_beyond_the_limit(
    start: Callable[..., Server], start_reference: Callable[..., Server]
) -> None:
    flags = ("--proto-max-bulk-len", str(MEGABYTE))
    ours, theirs = start(*flags), start_reference(*flags)
    at_limit = encode(["ECHO", "x" * MEGABYTE])
    beyond = b"*2\r\n$4\r\nECHO\r\n$%d\r\n" % (MEGABYTE + 1)
    for raw in (at_limit, beyond, at_limit + beyond):
        assert talk(ours, raw) == talk(theirs, raw)
    before = ours.resident_bytes()
    announced = [ours.connect() for _ in range(200)]
    for connection in announced:
        connection.send_raw(b"*1000000\r\n$1048576\r\nx")
    answers(ours)
    assert ours.resident_bytes() - before < 64 * MEGABYTE, "memory for what was only announced"


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_a_value_of_half_a_gigabyte(start: Callable[..., Server]) -> None:
    server = start()
    size = 512 * MEGABYTE
    block = b"0123456789abcdef" * (MEGABYTE // 16)
    connection = server.connect(timeout=200)
    connection.send_raw(b"*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$%d\r\n" % size)
    for number in range(size // MEGABYTE):
        connection.send_raw(block)
        if number % 64 == 0:
            answers(server)
    connection.send_raw(b"\r\n")
    assert connection.read() == ("+", b"OK")
    assert server.resident_bytes() < 3 * size
    reply = connection.call("GET", "big")
    assert len(reply[1]) == size
    assert reply[1][-MEGABYTE:] == block
    del reply
    connection.ok("DEL", "big")
    beyond = b"*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$%d\r\n" % (size + 1)
    assert talk(server, beyond) == b"-ERR Protocol error: invalid bulk length\r\n"
    answers(server)


def test_the_query_buffer_is_limited(
    start: Callable[..., Server], start_reference: Callable[..., Server]
) -> None:
    """A request that grows beyond client-query-buffer-limit ends its client, and only it."""
    flags = ("--client-query-buffer-limit", str(MEGABYTE))
    ours, theirs = start(*flags), start_reference(*flags)
    arguments = b"*100000\r\n" + b"$20\r\n12345678901234567890\r\n" * 90_000
    for server in (ours, theirs):
        before = server.resident_bytes()
        for _ in range(5):
            assert talk(server, arguments) == b""
        assert server.resident_bytes() - before < 40 * MEGABYTE
        answers(server)
    small = encode(["ECHO", "x" * 1000]) * 3000
    assert talk(ours, small) == talk(theirs, small)


def test_no_more_clients_than_allowed(
    start: Callable[..., Server], start_reference: Callable[..., Server]
) -> None:
    said = []
    for server in (start("--maxclients", "5"), start_reference("--maxclients", "5")):
        clients = [server.connect() for _ in range(5)]
        for client in clients:
            client.ok("PING")
        with Connection("127.0.0.1", server.port) as refused:
            said.append(refused.read_rest())
        clients[0].close()

        def accepted(port: int = server.port) -> bool:
            with Connection("127.0.0.1", port) as one, contextlib.suppress(OSError, EOFError):
                return one.call("PING") == ("+", b"PONG")
            return False

        wait_until(accepted, "a place that became free is not given away")
        assert clients[1].ok("PING") == b"PONG"
        assert b"rejected_connections:" in clients[1].ok("INFO", "stats")
    assert said[0] == said[1]


def test_idle_clients_are_closed_after_the_timeout(start: Callable[..., Server]) -> None:
    server = start("--timeout", "1")
    idle, blocked = server.connect(), server.connect()
    idle.ok("PING")
    blocked.send("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    assert idle.read_rest() == b""
    server.connect().ok("XADD", "s", "1-0", "f", "v")
    assert blocked.read()[0] == "*", "a blocked client is not idle"


@pytest.fixture
def many_files() -> Iterator[int]:
    """As many open files as the machine allows this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_ten_thousand_idle_connections(start: Callable[..., Server], many_files: int) -> None:
    count = 9_990
    if many_files < count + 200:
        pytest.skip(f"only {many_files} open files are allowed here")
    server = start("--maxclients", "10000")
    watcher = server.connect()
    before = server.resident_bytes()
    with contextlib.ExitStack() as stack:
        idle = []
        for number in range(count):
            one = stack.enter_context(socket.socket())
            one.settimeout(WAIT_SECONDS)
            one.connect(("127.0.0.1", server.port))
            idle.append(one)
            if number % 100 == 0:  # no more at once than the listening queue holds
                assert watcher.ok("PING") == b"PONG"
        wait_until(
            lambda: f"connected_clients:{count + 1}\r\n".encode() in watcher.ok("INFO", "clients"),
            "not all clients are connected",
        )
        grown = server.resident_bytes() - before
        assert grown < count * 24 * 1024, f"{grown // count} bytes an idle connection"
        watcher.pipeline([("XADD", "s", "*", "f", "v")] * 2000)
        for one in idle[:: count // 200]:
            one.sendall(b"PING\r\n")
            assert one.recv(100) == b"+PONG\r\n"
    wait_until(
        lambda: b"connected_clients:1\r\n" in watcher.ok("INFO", "clients"),
        "clients that went away are still counted",
    )
