"""A million entries read at once: what others notice of it, and what a slow reader costs.

- Ten clients add orders to the stream while another reads its first million entries again and again
  with one XRANGE and consumes each reply as fast as it comes.
- A reader asks for the whole stream and then takes a few bytes now and then: the figure is the peak
  of resident memory meanwhile, less what was resident before.
"""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack, closing

from bench import data
from bench.figures import (
    MB,
    Figure,
    Plan,
    checked,
    forget_peak,
    resident_peak,
    settled_memory,
    turns,
)
from bench.latency import CLIENTS, P999_GOAL, P999_LIMIT_MS, Latency, Percentiles, adding
from bench.load import LoadError
from bench.run import blaming
from bench.servers import Launch, Server
from bench.wire import encode

SLOW_READER_LIMIT_MB = 8.0
_READING_ROUNDS = 4  # a measurement lasts so many times the seconds of a round
_SLOW_S = 2.0
_SLOW_STEP_S = 0.02
_SLOW_BYTES = 1 << 13  # taken each step
_SLOW_WINDOW_BYTES = 1 << 16  # what the reader's kernel may keep for it


def range_reader(launches: tuple[Launch, ...], plan: Plan) -> list[Figure]:
    """Percentiles of XADD beside the reader, and what one of its replies takes."""
    count = plan.amount(data.MILLION)
    taken = Percentiles(f"XADD {{}} beside XRANGE of {count:,}", P999_GOAL, P999_LIMIT_MS)
    reading = Figure(f"XRANGE of {count:,} meanwhile", "s", detail=True)
    words = ("XRANGE", data.ORDERS, "-", "+", "COUNT", count)  # of one size whatever is added
    with ExitStack() as stack:
        servers = _filled(stack, launches, plan, count)
        for launch in turns(launches, plan.rounds):
            server = servers[launch.label]
            with closing(Latency(server.port, CLIENTS)) as latency, blaming(server):
                size = server.control.size(*words)
                seconds = plan.seconds * _READING_ROUNDS
                nanoseconds, reply_s = latency.run_beside_reader(
                    adding(data.ORDERS), seconds, encode(words), size
                )
            taken.add(launch.label, nanoseconds)
            reading.add(launch.label, reply_s)
            checked(server, "XTRIM", data.ORDERS, "MAXLEN", count)
            server.settle()
    return [*taken.figures, reading]


def slow_reader(launches: tuple[Launch, ...], plan: Plan) -> list[Figure]:
    """Memory that a reply of a million entries takes while hardly any of it is read."""
    count = plan.amount(data.MILLION)
    grown = Figure(f"memory while a slow reader reads {count:,}", "MB", limit=SLOW_READER_LIMIT_MB)
    with ExitStack() as stack:
        servers = _filled(stack, launches, plan, count)
        for launch in turns(launches, plan.rounds):
            server = servers[launch.label]
            before = settled_memory(server)
            forget_peak(server.pid)
            with blaming(server):
                _read_slowly(server.port)
            grown.add(launch.label, max(0, resident_peak(server.pid) - before) / MB)
    return [grown]


def _filled(
    stack: ExitStack, launches: tuple[Launch, ...], plan: Plan, count: int
) -> dict[str, Server]:
    servers = {launch.label: stack.enter_context(Server(launch, plan.core)) for launch in launches}
    for server in servers.values():
        with blaming(server):
            data.store_orders(server.control, count)
        server.settle()
    return servers


def _read_slowly(port: int) -> None:
    """Ask for all entries and take _SLOW_BYTES a step for _SLOW_S, then hang up."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SLOW_WINDOW_BYTES)
        sock.connect(("127.0.0.1", port))
        sock.sendall(encode(("XRANGE", data.ORDERS, "-", "+")))
        end = time.monotonic() + _SLOW_S
        first = True
        while time.monotonic() < end:
            chunk = sock.recv(_SLOW_BYTES)
            if not chunk or (first and not chunk.startswith(b"*")):
                raise LoadError(f"the slow reader got {chunk[:60]!r}")
            first = False
            time.sleep(_SLOW_STEP_S)
