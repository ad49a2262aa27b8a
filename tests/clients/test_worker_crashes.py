"""headwater.worker while workers and servers are killed: Headwater, Redis, an old Redis."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clients.applications import until
from clients.worker_servers import KINDS, Ground, Worker, dead_letters, noted
from headwater.worker import Producer

pytestmark = pytest.mark.skipif(
    os.environ.get("HEADWATER_TEST_SUBJECT", "") == "redis", reason="both servers are in here"
)
QUICK: dict[str, Any] = {
    "concurrency": 2,
    "prefetch": 5,
    "ack_wait": 1.5,
    "backoff": [1.0],
    "max_deliveries": 3,
    "block": 0.2,
    "reconnect_cap": 0.2,
}
SECONDS = 60


@pytest.fixture(params=KINDS)
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    running = Ground(request.param, tmp_path / "data")
    yield running
    running.stop()


@pytest.mark.parametrize("kind", ["async", "sync"])
def test_nothing_is_lost(ground: Ground, kind: str, tmp_path: Path) -> None:
    """Workers and the server are killed while orders come in; poison is a dead letter once."""
    record = tmp_path / "record"
    poison = {40: "fail", 41: "reject", 110: "fail", 230: "reject"}
    sent: list[int] = []

    def publish(first: int, last: int) -> None:
        with Producer(ground.url, "orders", reconnect_cap=0.2, retry_for=SECONDS) as producer:
            for number in range(first, last):
                producer.send({"number": number, "do": poison.get(number, "ok")})
                sent.append(number)

    def done() -> int:
        return len(set(noted(record, "done")))

    workers = [Worker(kind, ground.url, record, **QUICK) for _ in range(3)]
    try:
        publish(0, 100)
        until(lambda: done() >= 10, "orders to be done")
        workers[1].kill()
        workers[1] = Worker(kind, ground.url, record, **QUICK)
        producing = threading.Thread(target=publish, args=(100, 300))
        producing.start()
        until(lambda: len(sent) >= 140, "the producer to be in the middle")
        ground.crash()
        workers[0].kill()
        workers[0] = Worker(kind, ground.url, record, **QUICK)
        ground.come_back()
        until(lambda: done() >= 150, "work to go on")
        workers[2].kill()
        producing.join(SECONDS)
        assert len(sent) == 300
        ground.wait_settled("orders", "shop")
        for index in (0, 1):
            workers[index].end()
    finally:
        for worker in workers:
            with worker:
                pass

    assert set(noted(record, "done")) == {str(n) for n in range(300) if n not in poison}
    with ground.client() as client:
        letters = dead_letters(client)
        orders = [fields["number"] for _, fields in client.xrange("orders")]
    ids = Counter(letter["original_id"] for letter in letters)
    assert set(ids.values()) == {1}
    assert {int(letter["number"]) for letter in letters} == set(poison)
    for letter in letters:
        assert [*letter][-7:] == [
            *("original_stream", "original_id", "group", "consumer"),
            *("deliveries", "reason", "dead_lettered_at"),
        ]
        wanted = "fatal" if poison[int(letter["number"])] == "reject" else "max-deliveries"
        assert (letter["original_stream"], letter["group"]) == ("orders", "shop")
        assert letter["reason"] == wanted
        assert wanted == "fatal" or letter["deliveries"] == "3"
    assert set(orders) == {str(n) for n in range(300)}
    if ground.manages:
        assert len(orders) == 300  # tried again, and added once


def test_an_entry_that_kills_is_a_dead_letter_once(ground: Ground, tmp_path: Path) -> None:
    """Whoever touches it dies; after max_deliveries nobody has to any more."""
    record = tmp_path / "record"
    with Producer(ground.url, "orders") as producer:
        producer.send({"number": 1, "do": "exit"})
        producer.send({"number": 2})
    options = {**QUICK, "concurrency": 1, "prefetch": 0, "max_deliveries": 2}
    for _ in range(2):
        with Worker("sync", ground.url, record, **options) as worker:
            until(lambda worker=worker: worker.process.poll() is not None, "the worker's death")
    assert noted(record, "began").count("1") == 2
    with Worker("async", ground.url, record, **options) as worker:
        ground.wait_settled("orders", "shop")
        worker.end()
    with ground.client() as client:
        [letter] = dead_letters(client)
    assert (letter["number"], letter["deliveries"]) == ("1", "2")
    assert letter["reason"] == "max-deliveries"
    assert noted(record, "began").count("1") == 2
    assert noted(record, "done") == ["2"]


@pytest.mark.parametrize("kind", ["async", "sync"])
def test_its_own_entries_after_a_restart(ground: Ground, kind: str, tmp_path: Path) -> None:
    """A worker that comes back under its name goes on where it was, whatever ack_wait says."""
    record = tmp_path / "record"
    options = {**QUICK, "ack_wait": 3600.0, "backoff": [3600.0], "name": "pod-1"}
    with Producer(ground.url, "orders") as producer:
        producer.send_many([{"number": n, "do": "sleep" if n == 0 else "ok"} for n in range(4)])
    with Worker(kind, ground.url, record, **options) as worker:
        worker.expect("began 0")
        worker.kill()
    (tmp_path / "record.go").touch()
    with ground.client() as client:
        [held] = [row for row in client.xinfo_consumers("orders", "shop") if row["pending"]]
    assert held["name"] == "pod-1"
    with Worker(kind, ground.url, record, **options) as worker:
        worker.expect("began 0")
        until(lambda: set(noted(record, "done")) == {"1", "2", "3"}, "the others")
        worker.kill()


@pytest.mark.parametrize("kind", ["async", "sync"])
def test_a_connection_lease(tmp_path: Path, kind: str) -> None:
    """With lease="connection" a killed worker's entries are another's at once."""
    ground = Ground("headwater", tmp_path / "data")
    record = tmp_path / "record"
    options = {**QUICK, "ack_wait": 3600.0, "backoff": [3600.0], "lease": "connection"}
    try:
        with Producer(ground.url, "orders") as producer:
            producer.send({"number": 0, "do": "hang"})
            with Worker(kind, ground.url, record, **options) as victim:
                victim.expect("began 0")
                victim.kill()
        (tmp_path / "record.go").touch()
        with Worker(kind, ground.url, record, **options) as heir:
            heir.expect("done 0")
            heir.end()
        ground.wait_settled("orders", "shop")
    finally:
        ground.stop()
