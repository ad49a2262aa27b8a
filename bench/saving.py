"""What other clients notice while a million orders are saved by BGSAVE, and what memory it takes.

Ten clients add orders to the very stream that is saved. Redis's child is bound to the same core as
its parent: both servers have one core for everything.

Memory is the peak of resident memory of the process from the save's beginning on, plus what a child
copied (`rdb_last_cow_size`), relative to what was resident before.
"""

from __future__ import annotations

from contextlib import ExitStack, closing

from bench import data
from bench.figures import (
    Figure,
    Plan,
    checked,
    forget_peak,
    resident,
    resident_peak,
    turns,
)
from bench.latency import CLIENTS, P999_GOAL, P999_LIMIT_MS, Latency, Percentiles, adding
from bench.run import CaseError, blaming
from bench.servers import Launch, Server, journal
from bench.wire import encode, info

_NOT_SAVING = b"rdb_bgsave_in_progress:0\r\n"
_BGSAVE = encode(("BGSAVE",))


def measure(launches: tuple[Launch, ...], plan: Plan) -> list[Figure]:
    """Latencies without and with a save, the length of a save, the peak of memory."""
    orders = plan.amount(data.MILLION)
    quiet = Percentiles("XADD {}, no save")
    saving = Percentiles("XADD {} during BGSAVE", P999_GOAL, P999_LIMIT_MS)
    lasted = Figure(f"BGSAVE of {orders:,} orders", "s")
    peak = Figure("memory peak of BGSAVE / before", "x")
    with ExitStack() as stack:
        servers = {
            launch.label: stack.enter_context(Server(launch, plan.core, journal("everysec")))
            for launch in launches
        }
        for server in servers.values():
            with blaming(server):
                data.store_orders(server.control, orders)
            server.settle()
        for launch in turns(launches, plan.rounds):
            server = servers[launch.label]
            with closing(Latency(server.port, CLIENTS)) as latency, blaming(server):
                quiet.add(server.label, latency.run(adding(data.ORDERS), plan.seconds))
                before = resident(server.pid)
                forget_peak(server.pid)
                taken, save_s = latency.run_during(
                    adding(data.ORDERS), _BGSAVE, "persistence", _NOT_SAVING
                )
                facts = info(server.control, "persistence")
            if facts["rdb_last_bgsave_status"] != "ok":
                raise CaseError(f"{server.label}: BGSAVE failed")
            saving.add(server.label, taken)
            lasted.add(server.label, save_s)
            copied = int(facts.get("rdb_last_cow_size", 0))
            peak.add(server.label, (resident_peak(server.pid) + copied) / before)
            checked(server, "XTRIM", data.ORDERS, "MAXLEN", orders)
            server.settle()
    return [*quiet.figures, *saving.figures, lasted, peak]
