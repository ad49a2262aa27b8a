"""Many clients that say anything, stop reading, and vanish: the server outlives them unharmed."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from random import Random

from support.servers import Server
from support.wire import Word, encode

WORKERS = 8
CONNECTIONS = 40
WAIT_SECONDS = 60
BIG = "b" * 50_000


def request(random: Random) -> tuple[Word, ...]:
    key, group = f"s{random.randrange(4)}", f"g{random.randrange(2)}"
    client = random.randrange(1, WORKERS * CONNECTIONS)
    claim = ("CLAIM", random.choice((0, 5, 100))) if random.random() < 0.5 else ()
    wait = random.choice((0, 1, 20))
    common: tuple[tuple[Word, ...], ...] = (
        ("XADD", key, "*", "f", "v" * random.choice((1, 100, 20_000))),
        ("XADD", key, "MAXLEN", "~", 100, "*", "f", "v"),
        ("XGROUP", "CREATE", key, group, "0", "MKSTREAM"),
        ("XREADGROUP", "GROUP", group, "c", *claim, "BLOCK", wait, "STREAMS", key, ">"),
        ("XREAD", "BLOCK", wait, "STREAMS", key, "s0", "$", "$"),
        ("XRANGE", key, "-", "+"),
        ("XAUTOCLAIM", key, group, "d", 0, 0),
        ("XPENDING", key, group),
        ("SET", "str", BIG),
        ("GET", "str"),
        ("MULTI",),
        ("EXEC",),
        ("WATCH", key),
        ("RESET",),
        ("HELLO", random.choice((2, 3))),
        ("CLIENT", "REPLY", random.choice(("ON", "OFF", "SKIP"))),
        ("CLIENT", "UNBLOCK", client, random.choice(("ERROR", "TIMEOUT"))),
        ("CLIENT", "PAUSE", random.choice((0, 5)), random.choice(("ALL", "WRITE"))),
        ("PUBLISH", "c", random.choice(("m", BIG))),
        ("SUBSCRIBE", "c", key, "__keyevent@0__:xadd"),
        ("PSUBSCRIBE", "__*", "c*"),
        ("UNSUBSCRIBE",),
        ("PUNSUBSCRIBE",),
        ("SSUBSCRIBE", "c"),
        ("SPUBLISH", "c", "m"),
        ("CONFIG", "SET", "notify-keyspace-events", random.choice(("", "KEA"))),
        ("CLIENT", "LIST"),
        ("INFO",),
        ("NOSUCH",),
    )
    rare: tuple[tuple[Word, ...], ...] = (
        ("CLIENT", "KILL", "ID", client),
        ("XGROUP", "DESTROY", key, group),
        ("MONITOR",),
        ("QUIT",),
        ("DEL", key),
        ("RENAME", key, "s0"),
        ("SWAPDB", 0, 1),
        ("SET", key, "no stream"),
        ("FLUSHALL",),
    )
    return random.choice(rare if random.random() < 0.05 else common)


def visit(port: int, random: Random) -> None:
    """One client's life."""
    with contextlib.suppress(OSError), socket.socket() as sock:
        if random.random() < 0.2:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", port))
        sock.settimeout(0.01)
        reads = random.random() < 0.8
        for _ in range(random.randrange(1, 20)):
            count = random.choice((1, 1, 3, 20))
            data = b"".join([encode(request(random)) for _ in range(count)])
            size = random.choice((70, 1000, len(data)))
            for begin in range(0, len(data), size):
                sock.sendall(data[begin : begin + size])
            with contextlib.suppress(TimeoutError):
                while reads and sock.recv(1 << 20):
                    pass
        end = random.random()
        if end < 0.3:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif end < 0.5:
            sock.shutdown(socket.SHUT_WR)


def test_a_storm_of_clients(start: Callable[..., Server]) -> None:
    server = start(
        *("--client-query-buffer-limit", "2mb", "--client-output-buffer-limit", "normal 4mb 0 0")
    )

    def work(seed: int) -> None:
        random = Random(seed)
        for _ in range(CONNECTIONS):
            visit(server.port, random)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    server.check_alive()
    main = server.connect()
    main.ok("CLIENT", "UNPAUSE")
    deadline = time.monotonic() + WAIT_SECONDS
    while b"connected_clients:1\r\n" not in (text := main.ok("INFO")):
        assert time.monotonic() < deadline, text.decode()
        time.sleep(0.01)
    assert b"blocked_clients:0\r\n" in text
    if server.kind == "headwater":
        assert b"unexpected_error_replies:0\r\n" in text
    assert "Traceback" not in server.log_text()
