"""How long a server takes from its start until it answers, with a million orders to load.

Twice: with all of them in the journal as the commands or records they came as, and after a rewrite
has made a snapshot of them (the base of the journal, an RDB file for both servers). The files are
in the page cache each time. The server is killed, not stopped, so that it saves nothing at its end.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

from bench import data
from bench.disk import temporary_folder
from bench.figures import Figure, Plan, checked, turns
from bench.run import CaseError, blaming
from bench.servers import Launch, Server, journal
from bench.wire import info

GOAL = 1 / 3
REWRITE_TIMEOUT_S = 60.0
_STEP_S = 0.02
_SETTINGS = journal("everysec")


def measure(launches: tuple[Launch, ...], plan: Plan) -> list[Figure]:
    """The figures of both kinds; the length of a round does not matter here."""
    core, orders = plan.core, plan.amount(data.MILLION)
    journaled = _figures(f"start with {orders:,} orders in the journal", GOAL)
    rewritten = _figures(f"start with {orders:,} orders, after a rewrite", None)
    with ExitStack() as stack:
        folders = {
            launch.label: Path(stack.enter_context(temporary_folder())) for launch in launches
        }
        for launch in launches:
            _fill(launch, core, folders[launch.label], orders)
        for figures in (journaled, rewritten):
            if figures is rewritten:
                for launch in launches:
                    _rewrite(launch, core, folders[launch.label])
            for launch in turns(launches, plan.rounds):
                taken = _start(launch, core, folders[launch.label], orders)
                for figure, seconds in zip(figures, taken, strict=True):
                    figure.add(launch.label, seconds)
    return journaled + rewritten


def _figures(title: str, goal: float | None) -> list[Figure]:
    """Time, and CPU time: where other processes disturb, the latter tells more."""
    return [Figure(title, "s", goal), Figure(f"{title}: CPU", "s", detail=True)]


def _fill(launch: Launch, core: int, folder: Path, orders: int) -> None:
    with Server(launch, core, _SETTINGS, folder) as server:
        with blaming(server):
            data.store_orders(server.control, orders)
        server.settle()
        server.kill()


def _rewrite(launch: Launch, core: int, folder: Path) -> None:
    with Server(launch, core, _SETTINGS, folder) as server:
        checked(server, "BGREWRITEAOF")
        end = time.monotonic() + REWRITE_TIMEOUT_S
        while True:
            with blaming(server):
                facts = info(server.control, "persistence")
            if facts["aof_rewrite_in_progress"] == "0" and facts["aof_rewrite_scheduled"] == "0":
                break
            if time.monotonic() > end:
                raise CaseError(f"{server.label}: BGREWRITEAOF does not end")
            time.sleep(_STEP_S)
        if facts["aof_last_bgrewrite_status"] != "ok":
            raise CaseError(f"{server.label}: BGREWRITEAOF failed")
        server.kill()


def _start(launch: Launch, core: int, folder: Path, orders: int) -> tuple[float, float]:
    """Seconds until a server with all the orders answered PING, and those of its CPU."""
    with Server(launch, core, _SETTINGS, folder) as server:
        cpu_s = server.cpu_ns() / 1e9
        with blaming(server):
            found = server.control.call("XLEN", data.ORDERS)
        if found != orders:
            raise CaseError(f"{server.label}: {found!r} orders after a start instead of {orders}")
        server.kill()
        return server.ready_s, cpu_s
