"""The worker of docs/guides/in-order-per-customer.md, while a worker and the server are killed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import redis

from support.pages import ROOT
from support.programs import Program
from support.servers import free_port, start_headwater

pytestmark = pytest.mark.skipif(
    os.environ.get("HEADWATER_TEST_SUBJECT", "") == "redis", reason="Redis knows no ORDERBY"
)
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")

TAKES_AND_HANGS = """
import sys, time, redis
client = redis.Redis(decode_responses=True, port=int(sys.argv[1]))
got = client.xreadgroup("workers", "victim", {"orders": ">"}, count=10, block=5000)
print("took", *[fields["event"] for _, fields in got[0][1]], flush=True)
time.sleep(600)
"""


def worker(directory: Path) -> Path:
    """The program that the guide shows."""
    text = (ROOT / "docs" / "guides" / "in-order-per-customer.md").read_text()
    program = directory / "worker.py"
    program.write_text(text.split("```python\n")[1].split("```")[0])
    return program


def test_each_customer_in_order_though_a_worker_and_the_server_are_killed(tmp_path: Path) -> None:
    program = worker(tmp_path)
    port = free_port()
    server = start_headwater(tmp_path, *DURABLE, port=port)
    try:
        with redis.Redis(port=port) as client:
            client.xgroup_create("orders", "workers", "0", mkstream=True)
            client.execute_command(
                *("XGROUP", "CFGSET", "orders", "workers"),
                *("ORDERBY", "customer", "ACKWAIT", 700),
            )
            for event in range(6):
                for customer in ("anna", "bert", "cleo"):
                    client.xadd("orders", {"customer": customer, "event": f"{customer}-{event}"})
        with Program([sys.executable, "-c", TAKES_AND_HANGS, str(port)]) as victim:
            victim.expect("took anna-0 bert-0 cleo-0")
            victim.kill()
        server.kill()
        server = start_headwater(tmp_path, *DURABLE, port=port)
        command = [sys.executable, str(program), str(port)]
        with Program([*command, "one"]) as one, Program([*command, "two"]) as two:
            with redis.Redis(port=port, protocol=3, decode_responses=True) as client:
                client.xadd("orders", {"customer": "dora", "event": "dora-0"})
                for customer in ("anna", "bert", "cleo", "dora"):
                    client.xadd("orders", {"customer": customer, "event": f"{customer}-last"})
                for _ in range(300):
                    facts = client.execute_command("XGROUP", "CFGGET", "orders", "workers")
                    left = client.xpending("orders", "workers")["pending"]
                    if facts["backlog"] == 0 and left == 0:
                        break
                    client.blpop(["nothing"], timeout=0.1)
                assert (facts["backlog"], left) == (0, 0)
            for program_run in (one, two):
                program_run.kill()
                list(program_run._lines(1))
            done = [line.split() for line in [*one.lines, *two.lines]]
        expected = {name: [f"{name}-{i}" for i in range(6)] for name in ("anna", "bert", "cleo")}
        expected["dora"] = ["dora-0"]
        for customer, events in expected.items():
            # Each worker alone did them in order, and both together all of them, each once.
            mine = [
                [e for c, e in map(str.split, run.lines) if c == customer] for run in (one, two)
            ]
            order = [*events, f"{customer}-last"]
            assert sorted(mine[0] + mine[1]) == sorted(order)
            for part in mine:
                assert part == [event for event in order if event in part]
        assert len(done) == sum(len(events) + 1 for events in expected.values())
    finally:
        server.kill()
