"""The chapter's two programs run as they stand."""

from __future__ import annotations

import shutil
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.programs import Program
from support.servers import Server

ROOT = Path(__file__).parents[2]
PYTHON_DRIVER = ROOT / "tests" / "programs" / "chapter.py"
NODE_DRIVER = ROOT / "tests" / "programs" / "chapter.js"
EXAMPLES = ROOT / "examples" / "chapter"
AGED_MS = 60_000


def python(server: Server, *words: str) -> Program:
    return Program([sys.executable, str(PYTHON_DRIVER), str(server.port), *words])


def node(server: Server, call: str, environment: dict[str, str]) -> Program:
    return Program(["node", str(NODE_DRIVER), str(server.port), call], environment)


def publish(server: Server, order: str) -> str:
    """One order, by the program's own producer."""
    with python(server, "publish_order_event", order, "149.99", "us-east-1") as producer:
        line = producer.expect(f"Published order {order} as ")
        producer.finish()
    return line.rsplit(" ", 1)[1]


def pending(server: Server, group: str) -> list[list[object]]:
    found: list[list[object]] = server.connect().ok("XPENDING", "orders", group, "-", "+", 100)
    return found


def test_producer_and_setup(headwater: Server) -> None:
    with python(headwater, "setup_consumer_group", "orders", "shop") as setup:
        assert "Created consumer group 'shop' on stream 'orders'" in setup.finish()
    with python(headwater, "setup_consumer_group", "orders", "shop") as setup:
        assert "Consumer group 'shop' already exists" in setup.finish()
    entry_id = publish(headwater, "ord-1")
    [[stored_id, fields]] = headwater.connect().ok("XRANGE", "orders", "-", "+")
    assert stored_id.decode() == entry_id
    assert fields[:8] == [
        *(b"orderId", b"ord-1", b"totalAmount", b"149.99"),
        *(b"region", b"us-east-1", b"eventType", b"OrderPlaced"),
    ]


def test_consumers_share_the_orders(headwater: Server) -> None:
    with python(headwater, "setup_consumer_group", "orders", "shop") as setup:
        setup.finish()
    with (
        python(headwater, "consume_orders", "shop", "worker-1") as first,
        python(headwater, "consume_orders", "shop", "worker-2") as second,
    ):
        first.expect("already exists")
        second.expect("already exists")
        orders = [f"ord-{number}" for number in range(6)]
        for order in orders:
            publish(headwater, order)
        stop(headwater, first, second)
        done = [
            line.split()[2].rstrip(":")
            for line in first.lines + second.lines
            if line.startswith("Processing order ord-")
        ]
    assert sorted(done) == orders
    assert pending(headwater, "shop") == []


def stop(server: Server, *consumers: Program) -> None:
    """SIGTERM; each consumer ends once its read returns, so it gets something to read."""
    for consumer in consumers:
        consumer.process.send_signal(signal.SIGTERM)
    for number, consumer in enumerate(consumers):
        while consumer.process.poll() is None:
            server.connect().ok("XADD", "orders", "*", "orderId", f"last-{number}")
            try:
                consumer.expect("Consumer shut down gracefully", seconds=0.2)
                break
            except AssertionError:
                continue
        consumer.finish()


def test_killed_consumer_is_recovered(headwater: Server) -> None:
    with python(headwater, "setup_consumer_group", "orders", "shop") as setup:
        setup.finish()
    first_id, second_id = publish(headwater, "ord-1"), publish(headwater, "ord-2")
    with python(headwater, "--stall", "ord-1", "consume_orders", "shop", "worker-1") as consumer:
        consumer.expect("stalled in ord-1")
        consumer.process.send_signal(signal.SIGKILL)
        consumer.process.wait()
    left = pending(headwater, "shop")
    assert [(row[0].decode(), row[1], row[3]) for row in left] == [  # type: ignore[attr-defined]
        (first_id, b"worker-1", 1),
        (second_id, b"worker-1", 1),
    ]
    age(headwater, first_id, second_id)
    with python(headwater, "consume_orders", "shop", "worker-2") as consumer:
        consumer.expect("Processing order ord-1: $149.99 in us-east-1")
        consumer.expect(f"Recovered and processed pending entry {first_id}")
        consumer.expect(f"Recovered and processed pending entry {second_id}")
        stop(headwater, consumer)
    assert pending(headwater, "shop") == []


def age(server: Server, *ids: str, count: int = 1) -> None:
    """Make pending entries look as if they had waited for long, still worker-1's."""
    server.connect().ok(
        *("XCLAIM", "orders", "shop", "worker-1", 0, *ids),
        *("IDLE", AGED_MS, "RETRYCOUNT", count, "JUSTID"),
    )


def test_young_entries_are_left_alone(headwater: Server) -> None:
    with python(headwater, "setup_consumer_group", "orders", "shop") as setup:
        setup.finish()
    publish(headwater, "ord-1")
    headwater.connect().ok(
        *("XREADGROUP", "GROUP", "shop", "worker-1", "STREAMS", "orders", ">"),
    )
    with python(headwater, "recover_pending", "orders", "shop", "worker-2") as recovery:
        assert "Recovered" not in recovery.finish()
    [row] = pending(headwater, "shop")
    assert row[1] == b"worker-1"


def test_poison_is_dead_lettered(headwater: Server) -> None:
    with python(headwater, "setup_consumer_group", "orders", "shop") as setup:
        setup.finish()
    entry_id = publish(headwater, "ord-9")
    headwater.connect().ok("XREADGROUP", "GROUP", "shop", "worker-1", "STREAMS", "orders", ">")
    age(headwater, entry_id, count=4)
    failing = ("--fail", "ord-9", "recover_pending", "orders", "shop", "worker-2")
    with python(headwater, *failing) as recovery:
        output = recovery.finish()
    assert f"Failed to recover {entry_id}: order ord-9 is poison" in output
    assert "Dead-lettered" not in output
    assert pending(headwater, "shop")[0][3] == 5
    age(headwater, entry_id, count=5)
    with python(headwater, *failing) as recovery:
        recovery.expect(f"Dead-lettered {entry_id}")
        recovery.finish()
    assert pending(headwater, "shop") == []
    [[_, fields]] = headwater.connect().ok("XRANGE", "orders:dead-letter", "-", "+")
    entry = dict(zip(fields[::2], fields[1::2], strict=True))
    assert entry[b"orderId"] == b"ord-9"
    assert entry[b"original_stream"] == b"orders"
    assert entry[b"original_id"].decode() == entry_id
    assert b"dead_lettered_at" in entry


def test_health_helper(headwater: Server) -> None:
    with python(headwater, "setup_consumer_group", "orders", "shop") as setup:
        setup.finish()
    publish(headwater, "ord-1")
    last = publish(headwater, "ord-2")
    headwater.connect().ok("XREADGROUP", "GROUP", "shop", "worker-1", "STREAMS", "orders", ">")
    with python(headwater, "stream_health", "orders", "shop") as health:
        output = health.finish()
    assert "Stream 'orders': 2 entries" in output
    assert f" Group 'shop': 2 pending, 1 consumers, last-delivered: {last}" in output
    assert " Consumer 'worker-1': 2 pending, idle " in output


def test_node_producer_and_consumer(headwater: Server, node_environment: dict[str, str]) -> None:
    headwater.connect().ok("XGROUP", "CREATE", "orders", "shop", "$", "MKSTREAM")
    with node(headwater, "consume('shop', 'worker-1')", node_environment) as consumer:
        consumer.expect("Consumer worker-1 starting in group shop")
        call = "publishOrderEvent('ord-7829', 149.99, 'us-east-1').then(() => redis.quit())"
        with node(headwater, call, node_environment) as producer:
            producer.expect("Published order ord-7829 as ")
            producer.finish()
        consumer.expect("Processing order ord-7829: $149.99")
        # And what the Python producer writes, too.
        publish(headwater, "ord-2")
        consumer.expect("Processing order ord-2: $149.99")
        headwater.connect().ok("XGROUP", "DESTROY", "orders", "shop")
        consumer.expect("Consumer group does not exist")


def test_on_the_port_they_name(
    start: Callable[..., Server], node_environment: dict[str, str]
) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", 6379))
        except OSError:
            pytest.skip("port 6379 is taken on this machine; other ports are tested")
    server = start(port=6379)
    code = (
        "import orders; orders.setup_consumer_group('orders', 'shop'); "
        "orders.publish_order_event('ord-7829', 149.99, 'us-east-1'); "
        "orders.stream_health('orders', 'shop')"
    )
    with Program([sys.executable, "-B", "-c", code], cwd=str(EXAMPLES)) as program:
        output = program.finish()
    assert "Published order ord-7829 as " in output
    assert "Stream 'orders': 1 entries" in output
    uncommented = server.directory / "orders.js"
    shutil.copy(EXAMPLES / "orders.js", uncommented)
    with uncommented.open("a") as text:
        text.write("publishOrderEvent('ord-7830', 149.99, 'us-east-1').then(() => redis.quit());\n")
    with Program(["node", str(uncommented)], node_environment) as program:
        assert "Published order ord-7830 as " in program.finish()
    assert server.connect().ok("XLEN", "orders") == 2
