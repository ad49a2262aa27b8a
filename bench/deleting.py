"""What other clients notice while a stream of ten million entries is deleted.

Ten clients add orders to another stream, from DEL on until INFO says that nothing is left to free
in the background. Where DEL frees at once, that is as long as DEL takes: then few requests are in
the figure, those that had to wait.
"""

from __future__ import annotations

from contextlib import ExitStack, closing

from bench import data
from bench.figures import Figure, Plan, checked, turns
from bench.latency import CLIENTS, P999_GOAL, P999_LIMIT_MS, Latency, Percentiles, adding
from bench.run import blaming
from bench.servers import Launch, Server
from bench.wire import encode

ENTRIES = 10_000_000
_DEL = encode(("DEL", data.ARCHIVE))
_NOTHING_LEFT = b"lazyfree_pending_objects:0\r\n"


def measure(launches: tuple[Launch, ...], plan: Plan) -> list[Figure]:
    """Percentiles of XADD meanwhile, and how long it takes until all is freed."""
    count = plan.amount(ENTRIES)
    taken = Percentiles(f"XADD {{}} while {count:,} are deleted", P999_GOAL, P999_LIMIT_MS)
    lasted = Figure(f"DEL of {count:,} entries, until freed", "s")
    with ExitStack() as stack:
        servers = {
            launch.label: stack.enter_context(Server(launch, plan.core)) for launch in launches
        }
        for launch in turns(launches, plan.rounds):
            server = servers[launch.label]
            with closing(Latency(server.port, CLIENTS)) as latency, blaming(server):
                data.store_archive(server.control, count)
                server.settle()
                latency.run(adding(data.INCOMING), plan.seconds / 4)
                nanoseconds, seconds = latency.run_during(
                    adding(data.INCOMING), _DEL, "memory", _NOTHING_LEFT
                )
            taken.add(launch.label, nanoseconds)
            lasted.add(launch.label, seconds)
            checked(server, "DEL", data.INCOMING)
            server.settle()
    return [*taken.figures, lasted]
