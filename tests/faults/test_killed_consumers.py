"""LEASE connection and CONSUMERTTL on a real server: workers that are killed, stopped, cut off."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.certificates import Certificates
from support.programs import Program
from support.secure import SecureConnection
from support.servers import Server, free_port, start_headwater
from support.wire import Connection

pytestmark = pytest.mark.skipif(
    os.environ.get("HEADWATER_TEST_SUBJECT", "") == "redis", reason="Redis knows no leases"
)
WORKER = Path(__file__).parents[1] / "programs" / "worker_that_dies.py"
SECONDS = 30
Start = Callable[..., Server]


def set_up(server: Server, *settings: str | int, entries: int = 3) -> Connection:
    """Stream `s` with 1-0, 2-0, ... and a group `g` with these settings."""
    main = server.connect()
    for i in range(1, entries + 1):
        main.ok("XADD", "s", f"{i}-0", "f", i)
    main.ok("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
    main.ok("XGROUP", "CFGSET", "s", "g", *settings)
    return main


def worker(server: Server, name: str, *flags: str) -> Program:
    return Program([sys.executable, str(WORKER), str(server.port), "s", "g", name, *flags])


def ids_of(got: Any) -> list[str]:
    return [] if got is None else [entry[0].decode() for entry in got[0][1]]


def read(client: Connection, name: str, count: int = 100, stream: str = "s") -> list[str]:
    """The IDs that a consumer gets now."""
    words = ("XREADGROUP", "GROUP", "g", name, "COUNT", count, "STREAMS", stream, ">")
    return ids_of(client.ok(*words))


def wait_for(client: Connection, name: str, block_ms: int = 20_000, stream: str = "s") -> list[str]:
    """The IDs that a consumer gets when it waits; none when its time is over."""
    words = ("XREADGROUP", "GROUP", "g", name, "BLOCK", block_ms, "STREAMS", stream, ">")
    return ids_of(client.ok(*words))


def vanish(sock: socket.socket) -> Any:
    """From now on the kernel drops whatever comes for this socket: its host is not there.

    Returns what must be kept as long.
    """
    program = ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 0))  # return 0: drop all
    filter_all = struct.pack("@HxxxxxxP", 1, ctypes.addressof(program))
    sock.setsockopt(socket.SOL_SOCKET, 26, filter_all)  # SO_ATTACH_FILTER
    return program


def begin_waiting(server: Server, client: Connection, name: str) -> None:
    """Have a consumer wait for entries; when this returns it does."""
    words = ("XREADGROUP", "GROUP", "g", name, "BLOCK", 20_000, "STREAMS", "s", ">")
    client.send(*words)
    main = server.connect()
    deadline = time.monotonic() + SECONDS
    while b"blocked_clients:1\r" not in main.ok("INFO", "clients"):
        assert time.monotonic() < deadline, "it should wait"
        time.sleep(0.01)


def what_came(client: Connection) -> list[str]:
    """The IDs that a consumer got who waited."""
    kind, value = client.read()
    assert kind == "*"
    if value is None:
        return []
    return [entry[1][0][1].decode() for entry in value[0][1][1][1]]


def test_a_worker_that_is_killed(start: Start) -> None:
    """Who waits gets what it worked on, at once: long before ACKWAIT."""
    server = start()
    main = set_up(server, "LEASE", "connection", "ACKWAIT", 3_600_000)
    with worker(server, "ann") as ann:
        ann.expect("took 3-0")
        with worker(server, "bob", "--acknowledge") as bob:
            bob.expect("ready")
            assert main.ok("XPENDING", "s", "g")[3] == [[b"ann", b"3"]]
            ann.kill()
            bob.expect("done 3-0")
    assert main.ok("XPENDING", "s", "g")[0] == 0


def test_a_worker_that_is_stopped_is_not_robbed(start: Start) -> None:
    """It may be in a debugger, or its machine swaps: it lives, and goes on."""
    server = start()
    main = set_up(server, "LEASE", "connection", "ACKWAIT", 1000)
    with worker(server, "ann") as ann:
        ann.expect("took 3-0")
        os.kill(ann.process.pid, signal.SIGSTOP)
        assert wait_for(main, "bob", 8000) == []
        os.kill(ann.process.pid, signal.SIGCONT)
        assert main.ok("XPENDING", "s", "g")[3] == [[b"ann", b"3"]]
        os.kill(ann.process.pid, signal.SIGKILL)
        assert wait_for(main, "bob") == ["1-0", "2-0", "3-0"]


def say_quit(client: Connection, server: Server) -> None:
    client.ok("QUIT")


def close(client: Connection, server: Server) -> None:
    client.close()


def reset_connection(client: Connection, server: Server) -> None:
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def say_nothing_more(client: Connection, server: Server) -> None:
    client.sock.shutdown(socket.SHUT_WR)


def be_killed(client: Connection, server: Server) -> None:
    assert server.connect().ok("CLIENT", "KILL", "ID", client.id) == 1


def break_the_protocol(client: Connection, server: Server) -> None:
    client.send_raw(b"*1\r\n+\r\n")


def exceed_the_output_limit(client: Connection, server: Server) -> None:
    main = server.connect()
    main.ok("SET", "big", "x" * 200_000)
    main.ok("CONFIG", "SET", "client-output-buffer-limit", "normal 100kb 0 0")
    client.send("GET", "big")


ENDS = (
    say_quit,
    close,
    reset_connection,
    say_nothing_more,
    be_killed,
    break_the_protocol,
    exceed_the_output_limit,
)


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_however_a_connection_ends(start: Start, end: Callable[..., None]) -> None:
    server = start()
    set_up(server, "LEASE", "connection")
    ann, bob = server.connect(), server.connect()
    ann.id = ann.ok("CLIENT", "ID")
    assert read(ann, "ann", 2) == ["1-0", "2-0"]
    assert read(bob, "bob") == ["3-0"]
    begin_waiting(server, bob, "bob")
    end(ann, server)
    assert what_came(bob) == ["1-0", "2-0"]


def test_idle_for_too_long(start: Start) -> None:
    server = start("--timeout", "1")
    set_up(server, "LEASE", "connection")
    ann, bob = server.connect(), server.connect()
    assert read(ann, "ann") == ["1-0", "2-0", "3-0"]
    assert wait_for(bob, "bob") == ["1-0", "2-0", "3-0"]


def test_over_tls_and_a_unix_socket(
    start: Start, certificates: Certificates, tmp_path: Path
) -> None:
    port, path = free_port(), str(tmp_path / "socket")
    server = start(*certificates.flags(port), "--unixsocket", path)
    main = set_up(server, "LEASE", "connection")
    secure = SecureConnection(port, certificates.context(certificates.client))
    assert read(secure, "ann", 2) == ["1-0", "2-0"]
    with socket.socket(socket.AF_UNIX) as local:
        local.connect(path)
        local.sendall(b"XREADGROUP GROUP g carl STREAMS s >\r\n")
        assert b"3-0" in local.recv(1000)
        assert wait_for(main, "bob", 200) == []
    assert wait_for(main, "bob") == ["3-0"]
    secure.close()
    assert wait_for(main, "bob") == ["1-0", "2-0"]


def test_a_host_that_vanishes(start: Start) -> None:
    """Nothing says that it is gone. One worker was silent, to the other an entry was sent."""
    server = start()
    main = set_up(server, "LEASE", "connection", "ACKWAIT", 1000, entries=1)
    silent, unanswered = server.connect(), server.connect()
    assert read(silent, "silent") == ["1-0"]
    begin_waiting(server, unanswered, "unanswered")
    kept = [vanish(client.sock) for client in (silent, unanswered)]
    main.ok("XADD", "s", "2-0", "f", "v")
    got: list[str] = []
    deadline = time.monotonic() + SECONDS
    while len(got) < 2 and time.monotonic() < deadline:
        got += wait_for(main, "bob")
    assert sorted(got) == ["1-0", "2-0"]
    assert len(kept) == 2
    assert "its host does not answer" in server.log_text()


def test_a_worker_that_does_not_read_lives(start: Start) -> None:
    """What it was sent fills its buffers, and it works: its kernel answers all the same."""
    server = start()
    main = set_up(server, "LEASE", "connection", "ACKWAIT", 1000)
    main.ok("SET", "big", "x" * 1_000_000)
    ann = server.connect()
    assert read(ann, "ann") == ["1-0", "2-0", "3-0"]
    for _ in range(30):
        ann.send("GET", "big")
    assert wait_for(main, "bob", 8000) == []
    for _ in range(30):
        assert len(ann.read()[1]) == 1_000_000
    assert ann.ok("XACK", "s", "g", "1-0", "2-0", "3-0") == 3


@pytest.mark.parametrize("fsync", ["always", "everysec"])
def test_the_server_is_killed_too(start: Start, fsync: str) -> None:
    """What workers held is due after its start, once, and nothing is lost."""
    port = free_port()
    flags = ("--appendonly", "yes", "--appendfsync", fsync)
    server = start(*flags, port=port)
    set_up(server, "LEASE", "connection", "ACKWAIT", 3_600_000)
    with worker(server, "ann") as ann:
        ann.expect("took 3-0")
        server.kill()
        ann.kill()
    again = start_headwater(server.directory, *flags, port=port)
    try:
        first, second = again.connect(), again.connect()
        assert read(first, "bob", 2) == ["1-0", "2-0"]
        assert read(second, "carl") == ["3-0"]
        assert read(second, "carl") == []
        first.close()
        assert wait_for(second, "carl") == ["1-0", "2-0"]
        counts = [entry[3] for entry in second.ok("XPENDING", "s", "g", "-", "+", 10)]
        assert counts == [3, 3, 2]
    finally:
        again.stop()


def test_very_many_entries_of_a_worker_that_is_killed(start: Start) -> None:
    """They come to others while all clients are served."""
    server = start()
    n = 20_000
    main = set_up(server, "LEASE", "connection", entries=0)
    for _ in range(n // 1000):
        main.pipeline([("XADD", "s", "*", "f", "v")] * 1000)
    ann = server.connect()
    assert len(read(ann, "ann", n)) == n
    ann.close()
    got: set[str] = set()
    while len(got) < n:
        new = wait_for(main, "bob")
        assert new
        assert got.isdisjoint(new)
        got.update(new)
    assert main.ok("XPENDING", "s", "g")[3] == [[b"bob", str(n).encode()]]


def names(client: Connection) -> list[str]:
    return [fields[1].decode() for fields in client.ok("XINFO", "CONSUMERS", "s", "g")]


def wait_until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_names_that_nobody_uses_any_more(start: Start) -> None:
    """Every start of a worker has a new name; those of the killed ones go, and their entries."""
    server = start()
    main = set_up(server, "CONSUMERTTL", 1500, entries=4)
    with worker(server, "pod-1") as first:
        first.expect("took 4-0")
    with worker(server, "pod-2", "--acknowledge") as second:
        second.expect("done 4-0")
        wait_until(lambda: names(main) == ["pod-2"])
        main.ok("XADD", "s", "*", "f", "v")
        second.expect("done")
        assert names(main) == ["pod-2"]
    wait_until(lambda: names(main) == [])
    assert main.ok("XPENDING", "s", "g")[0] == 0


def test_groups_that_nobody_reads_any_more(start: Start) -> None:
    port = free_port()
    flags = ("--appendonly", "yes", "--appendfsync", "always")
    server = start(*flags, port=port)
    main = set_up(server, "GROUPTTL", 300)
    main.ok("XGROUP", "CREATE", "s", "kept", "0")
    read(main, "ann")
    wait_until(lambda: len(main.ok("XINFO", "GROUPS", "s")) == 1)
    server.kill()
    again = start_headwater(server.directory, *flags, port=port)
    try:
        (left,) = again.connect().ok("XINFO", "GROUPS", "s")
        assert left[1] == b"kept"
    finally:
        again.stop()
