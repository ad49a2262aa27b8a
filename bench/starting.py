"""How long an empty server takes from its start until it answers PING, and what it then holds."""

from __future__ import annotations

from bench.figures import MB, Figure, Plan, resident, turns
from bench.servers import Launch, Server

START_LIMIT_MS = 250.0
IDLE_LIMIT_MB = 40.0


def measure(launches: tuple[Launch, ...], plan: Plan) -> list[Figure]:
    """Time and CPU time of a start without persistence; where others disturb, CPU tells more."""
    start = Figure("start of an empty server until PING", "ms", limit=START_LIMIT_MS)
    cpu = Figure("start of an empty server: CPU", "ms", detail=True)
    idle = Figure("idle server, resident", "MB", limit=IDLE_LIMIT_MB)
    for launch in turns(launches, plan.rounds):
        with Server(launch, plan.core) as server:
            start.add(launch.label, server.ready_s * 1e3)
            cpu.add(launch.label, server.cpu_ns() / 1e6)
            server.settle()
            idle.add(launch.label, resident(server.pid) / MB)
    return [start, cpu, idle]
