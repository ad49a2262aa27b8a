"""What entries, pending entries and small streams take: how much resident memory has grown.

Each figure is the growth from a settled server to a settled server: a server that compresses in the
background gets the time to finish (`settled_memory`). Memory hardly varies, so one round will do.
"""

from __future__ import annotations

from bench import data
from bench.figures import MB, Figure, Plan, settled_memory, turns
from bench.run import blaming
from bench.servers import Launch, Server

ORDERS_GOAL = 1.0
SMALL_STREAMS_GOAL = 1.3
PENDING_LIMIT_BYTES = 64.0

SMALL_STREAMS = 200_000


def orders(launches: tuple[Launch, ...], plan: Plan) -> list[Figure]:
    """A million order events, then the same pending for one consumer."""
    count = plan.amount(data.MILLION)
    stored = Figure(f"{count:,} five-field orders", "MB", ORDERS_GOAL)
    pending = Figure(
        f"{count:,} pending entries of one consumer, each", "bytes", limit=PENDING_LIMIT_BYTES
    )
    for launch in turns(launches, plan.rounds):
        with Server(launch, plan.core) as server:
            empty = settled_memory(server)
            with blaming(server):
                data.store_orders(server.control, count)
            full = settled_memory(server)
            stored.add(launch.label, (full - empty) / MB)
            with blaming(server):
                # What reading alone leaves behind, copies to read from say, is no pending entry.
                data.read_all(server.control, count)
            full = settled_memory(server)
            with blaming(server):
                data.one_consumer_pending(server.control, count)
            pending.add(launch.label, (settled_memory(server) - full) / count)
    return [stored, pending]


def small_streams(launches: tuple[Launch, ...], plan: Plan) -> list[Figure]:
    """Many streams of one entry, each with an expiry."""
    count = plan.amount(SMALL_STREAMS)
    figure = Figure(
        f"{count:,} expiring streams of one {data.SMALL_BYTES}-byte entry",
        "MB",
        SMALL_STREAMS_GOAL,
    )
    for launch in turns(launches, plan.rounds):
        with Server(launch, plan.core) as server:
            empty = settled_memory(server)
            with blaming(server):
                data.store_small_streams(server.control, count)
            figure.add(launch.label, (settled_memory(server) - empty) / MB)
    return [figure]
