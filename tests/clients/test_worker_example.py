"""examples/worker_orders.py as it stands."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from clients.applications import ask, pending_count, until
from support.programs import Program
from support.servers import Server

EXAMPLE = Path(__file__).parents[2] / "examples" / "worker_orders.py"


def example(server: Server, *words: str) -> Program:
    environment = {**os.environ, "REDIS_URL": f"redis://127.0.0.1:{server.port}"}
    return Program([sys.executable, "-B", str(EXAMPLE), *words], environment)


@pytest.mark.parametrize("kind", ["headwater", "reference"])
def test_as_it_stands(request: pytest.FixtureRequest, kind: str) -> None:
    server: Server = request.getfixturevalue(kind)
    with example(server, "work") as worker:
        for order, total in (("ord-1", "149.99"), ("ord-2", "-1")):
            with example(server, "publish", order, total, "us-east-1") as producer:
                producer.finish()
        worker.expect("Processing order ord-1: $149.99 in us-east-1")
        until(lambda: ask(server, "XLEN", "orders:dead-letter") == 1, "the dead letter")
        worker.process.terminate()
        worker.finish()
    assert pending_count(server, "orders", "order-processors") == 0
    if server.kind == "headwater":
        with example(server, "publish", "ord-1", "149.99", "us-east-1") as producer:
            producer.finish()
        assert ask(server, "XLEN", "orders") == 2
