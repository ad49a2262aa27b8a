"""examples/orders.py, and the same with ioredis: what a consumer needs no code for."""

from __future__ import annotations

import ast
import os
import random
import sys
from collections import defaultdict
from pathlib import Path

from clients.applications import Application, ask, until
from clients.conftest import CrashingServer
from support.programs import Program
from support.servers import Server

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "orders.py"
DRIVER = ROOT / "tests" / "programs" / "orders.py"
DEAD = "orders:dead-letter"
GROUP = "order-processors"


def example(port: int, *words: str) -> Program:
    """The example as it stands."""
    return Program([sys.executable, "-B", str(EXAMPLE), *words], at(port))


def worker(port: int, record: Path, name: str) -> Program:
    """The example's consumer with a business logic that writes down what it did."""
    command = [sys.executable, "-B", str(DRIVER), str(record), "consume", GROUP, name]
    program = Program(command, at(port))
    program.expect("started")
    return program


def at(port: int) -> dict[str, str]:
    return {**os.environ, "REDIS_URL": f"redis://127.0.0.1:{port}"}


def order(number: int, customer: str, total: str) -> tuple[str, ...]:
    fields = ("orderId", f"ord-{number}", "customer", customer, "totalAmount", total)
    return ("XADD", "orders", "*", *fields, "region", "us-east-1")


def test_it_is_short() -> None:
    """Setting up and consuming, as the reader counts: without the lines between."""
    tree = ast.parse(EXAMPLE.read_text())
    wanted = {"setup_consumer_group", "consume_orders"}
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name in wanted]
    assert len(functions) == len(wanted)
    lines = sum(node.end_lineno - node.body[0].end_lineno + 1 for node in functions)  # type: ignore[operator]
    assert lines < 30


def test_as_it_stands(headwater: Server) -> None:
    with example(headwater.port, "consume", GROUP, "worker-1") as consumer:
        with example(headwater.port, "publish", "ord-1", "ann", "149.99", "us-east-1") as producer:
            entry_id = producer.finish()
        consumer.expect("Processing order ord-1: $149.99 in us-east-1")
        # An order that lacks what the business logic wants fails, and is tried again.
        ask(headwater, "XADD", "orders", "*", "orderId", "ord-2", "customer", "bob", "region", "x")
        consumer.expect("Order ord-2 failed: 'totalAmount'")
        consumer.expect("Order ord-2 failed: 'totalAmount'")
        ask(headwater, *order(3, "ann", "5"))
        consumer.expect("Processing order ord-3")
        consumer.process.terminate()
        consumer.finish()
    [[stored_id, _], *_] = ask(headwater, "XRANGE", "orders", "-", "+")
    assert stored_id.decode() == entry_id
    [row] = ask(headwater, "XPENDING", "orders", GROUP, "-", "+", 10)
    assert row[3] == 2


def test_redriving(headwater: Server) -> None:
    names = ("original_stream", "original_id", "group", "consumer", "deliveries", "reason")
    added = [word for name in (*names, "dead_lettered_at") for word in (name, "orders")]
    ask(headwater, "XADD", DEAD, "*", "orderId", "ord-7", *added)
    with example(headwater.port, "redrive") as program:
        assert "is order entry" in program.finish()
    [[_, fields]] = ask(headwater, "XRANGE", "orders", "-", "+")
    assert fields == [b"orderId", b"ord-7"]
    assert ask(headwater, "XLEN", DEAD) == 0


def test_workers_and_the_server_are_killed(crashing: CrashingServer, tmp_path: Path) -> None:
    """Nothing is lost, no customer's orders are mixed up, poison ends in the dead letters."""
    rng = random.Random(20)
    record = tmp_path / "record"
    customers = [f"c{i}" for i in range(12)]
    poison = {40, 41, 170, 330}
    orders: dict[str, list[str]] = defaultdict(list)
    workers = [worker(crashing.port, record, f"worker-{i}") for i in range(3)]

    def publish_some(first: int, last: int) -> None:
        with crashing.server.connect() as connection:
            for number in range(first, last):
                customer = rng.choice(customers)
                connection.ok(*order(number, customer, "none" if number in poison else "9.99"))
                if number not in poison:
                    orders[customer].append(f"ord-{number}")

    def processed() -> list[str]:
        return record.read_text().split("\n")[:-1] if record.exists() else []

    try:
        for turn, victim in enumerate((0, 2, 1)):
            enough = len(processed()) + 10
            publish_some(100 * turn, 100 * turn + 100)
            until(lambda enough=enough: len(processed()) >= enough, "orders to be processed")
            if turn < 2:
                workers[victim].kill()
                workers[victim] = worker(crashing.port, record, f"worker-{3 + turn}")
            else:
                crashing.crash()
        publish_some(300, 400)
        wanted = {name for names in orders.values() for name in names}
        until(lambda: {line.split()[1] for line in processed()} >= wanted, "all orders")
        until(lambda: ask(crashing, "XLEN", DEAD) == len(poison), "the poison")
        until(lambda: ask(crashing, "XPENDING", "orders", GROUP)[0] == 0, "nothing to be pending")
        for each in workers:
            each.process.terminate()
            each.finish()
    finally:
        for each in workers:
            with each:
                pass

    seen: dict[str, list[str]] = defaultdict(list)
    for line in processed():
        customer, number = line.split()
        if number not in seen[customer]:
            seen[customer].append(number)
    assert dict(seen) == dict(orders)
    dead = [
        dict(zip(fields[::2], fields[1::2], strict=True))
        for _, fields in ask(crashing, "XRANGE", DEAD, "-", "+")
    ]
    assert {int(letter[b"orderId"].split(b"-")[1]) for letter in dead} == poison
    assert {letter[b"reason"] for letter in dead} == {b"max-deliveries"}
    assert {letter[b"group"] for letter in dead} == {GROUP.encode()}


def test_ioredis(headwater: Server, node_environment: dict[str, str]) -> None:
    """Retry with back-off, dead letters and XREDRIVE, with ioredis and plain commands."""
    with Application("orders.js", headwater.port, environment=node_environment) as program:
        lines = program.finish().split("\n")
    assert lines == [
        *("ord-1 done", "ord-2 failed", "ord-3 done", "ord-2 failed", "ord-2 failed"),
        *("dead ord-2 after 3, max-deliveries", "ord-2 done", "done"),
    ]
