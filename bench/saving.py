"""What other clients notice while a million orders are saved by BGSAVE, and what memory it takes.

Ten clients add orders to the very stream that is saved. Redis's child is bound to the same core as
its parent: both servers have one core for everything.

Memory is the peak of resident memory of the process from the save's beginning on, plus what a child
copied (`rdb_last_cow_size`), relative to what was resident before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import cycle
from pathlib import Path

from bench import data
from bench.latency import Latency, percentile
from bench.run import CaseError, blaming
from bench.servers import Launch, Server, journal
from bench.trials import Figure, Trial, checked, info, turns
from bench.wire import encode

ORDERS = 1_000_000
CLIENTS = 10
P999_GOAL = 2.0
_NOT_SAVING = b"rdb_bgsave_in_progress:0\r\n"
_BGSAVE = encode(("BGSAVE",))
_DISTINCT = 512
_LINES = 2  # of a reply to XADD
_SHARES = {0.5: "p50", 0.99: "p99", 0.999: "p99.9"}
_RESET_PEAK = "5"  # to clear_refs: the peak of resident memory begins anew


def measure(
    launches: tuple[Launch, ...], core: int, rounds: int, seconds: float, orders: int = ORDERS
) -> list[Figure]:
    """Latencies without and with a save, the length of a save, the peak of memory."""
    quiet = {share: Figure(f"XADD {name}, no save", "ms") for share, name in _SHARES.items()}
    saving = {
        share: Figure(f"XADD {name} during BGSAVE", "ms", P999_GOAL if share == 0.999 else None)
        for share, name in _SHARES.items()
    }
    longest = Figure("XADD slowest during BGSAVE", "ms")
    lasted = Figure(f"BGSAVE of {orders:,} orders", "s")
    peak = Figure("memory peak of BGSAVE / before", "x")
    with ExitStack() as stack:
        servers = {
            launch.label: stack.enter_context(Server(launch, core, journal("everysec")))
            for launch in launches
        }
        for server in servers.values():
            with blaming(server):
                data.store_orders(server.control, orders)
            server.settle()
        for launch in turns(launches, rounds):
            server = servers[launch.label]
            with closing(Latency(server.port, CLIENTS)) as latency, blaming(server):
                taken = sorted(latency.run(_requests(), _LINES, seconds))
                for share, figure in quiet.items():
                    figure.add(server.label, percentile(taken, share) / 1e6)
                before = _resident(server.pid, "VmRSS")
                Path(f"/proc/{server.pid}/clear_refs").write_text(_RESET_PEAK)
                taken, save_s = latency.run_during(_requests(), _LINES, _BGSAVE, _NOT_SAVING)
                taken.sort()
                facts = info(server.control, "persistence")
            if facts["rdb_last_bgsave_status"] != "ok":
                raise CaseError(f"{server.label}: BGSAVE failed")
            for share, figure in saving.items():
                figure.add(server.label, percentile(taken, share) / 1e6)
            longest.add(server.label, taken[-1] / 1e6)
            lasted.add(server.label, save_s)
            copied = int(facts.get("rdb_last_cow_size", 0))
            peak.add(server.label, (_resident(server.pid, "VmHWM") + copied) / before)
            checked(server, "XTRIM", data.ORDERS, "MAXLEN", orders)
            server.settle()
    return [*quiet.values(), *saving.values(), longest, lasted, peak]


def _requests() -> Iterator[bytes]:
    return cycle([encode(("XADD", data.ORDERS, "*", *data.fields(n))) for n in range(_DISTINCT)])


def _resident(pid: int, name: str) -> int:
    """Bytes resident in memory: VmRSS now, VmHWM at most."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    if found is None:
        raise CaseError(f"no {name} in /proc")
    return int(found[1]) * 1024


TRIAL = Trial("BGSAVE", measure)
