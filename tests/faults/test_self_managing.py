"""Consumers that only read, process and acknowledge, while they and the server are killed.

The group has ACKWAIT, BACKOFF, MAXDELIVERIES and ORDERBY, entries are added and scheduled. At the
end every entry was processed, or is a dead letter exactly once; those of one customer were
processed in order, one behind a dead letter only when that was one; what was scheduled was
appended once. The seed is in the message of a failure; HEADWATER_CRASH_SEED gives another one.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import redis

from support import servers
from support.programs import Program
from support.servers import Server

SEED = os.environ.get("HEADWATER_CRASH_SEED", "headwater")
ALWAYS = ("--appendonly", "yes", "--appendfsync", "always")
WORKER = Path(__file__).parents[1] / "programs" / "self_managing.py"
DEAD = "orders:dead-letter"
MAX_DELIVERIES = 8
CUSTOMERS = 4
POISON_EACH = 25  # one of so many entries can not be processed
POISON_EACH_LONG = 400  # each keeps its customer for 1.5 s: with more, the work would never end
EVERY_MS = 300
END_SECONDS = 60


class Shop:
    """A server on a directory of its own, consumers, producers, and whoever kills them."""

    def __init__(self, directory: Path, seed: str, lease: str, poison_each: int) -> None:
        self.directory = directory
        self.poison_each = poison_each
        self.random = Random(seed)
        self.log = directory / "processed"
        self.log.touch()
        self.port = servers.free_port()
        self.server = self.start()
        self.consumers: list[Program] = []
        self.names = 0
        self.added: dict[str, list[tuple[int, bool]]] = {}
        self.failed: list[BaseException] = []
        self.stopping = threading.Event()
        with self.client() as client:
            client.xgroup_create("orders", "workers", "0", mkstream=True)
            client.execute_command(
                *("XGROUP", "CFGSET", "orders", "workers"),
                *("ACKWAIT", 600, "BACKOFF", 400, 100, 200, "MAXDELIVERIES", MAX_DELIVERIES),
                *("ORDERBY", "customer", "LEASE", lease),
            )

    def start(self) -> Server:
        return servers.start_subject(self.directory, *ALWAYS, port=self.port)

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, decode_responses=True)

    def hire(self) -> None:
        """One more consumer; its name may be one that somebody had who was killed."""
        self.names += 1
        name = f"worker-{self.names % 5}"
        command = [sys.executable, str(WORKER), str(self.port), name, str(self.log)]
        self.consumers.append(Program(command))

    def kill_consumer(self) -> None:
        victim = self.consumers.pop(self.random.randrange(len(self.consumers)))
        with victim:
            victim.kill()
        self.hire()

    def kill_server(self) -> None:
        self.server.kill()
        self.server = self.start()

    # --- producers ---

    def schedule(self, count: int, within_ms: int) -> int:
        """So many entries for later, each of a customer of its own, and one that repeats; when
        that is due first."""
        with self.client() as client:
            for number in range(count):
                in_ms = self.random.randrange(within_ms)
                client.execute_command(
                    *("XSCHEDULE", "ADD", "orders", "IN", in_ms),
                    *("customer", f"later-{number}", "n", 0),
                )
            client.execute_command(
                *("XSCHEDULE", "ADD", "orders", "IN", EVERY_MS, "EVERY", EVERY_MS),
                *("customer", "again", "n", 0),
            )
            return self.repeating(client)

    def repeating(self, client: redis.Redis) -> int:
        """When the entry that repeats is due next."""
        for row in client.execute_command("XSCHEDULE", "LIST", "orders"):
            facts = row if isinstance(row, dict) else dict(zip(row[::2], row[1::2], strict=True))
            if int(facts["every"]):
                return int(facts["due"])
        raise AssertionError("nothing repeats")

    def produce(self, customer: str) -> None:
        """Add entries until told to stop; each is added once, whatever happens to the server."""
        random = Random(customer + SEED)
        numbers = self.added[customer] = []
        client = self.client()
        try:
            while not self.stopping.is_set():
                number = len(numbers)
                poison = random.randrange(self.poison_each) == 0
                words = ["customer", customer, "n", number, *(["poison", 1] if poison else [])]
                while True:
                    with contextlib.suppress(redis.ConnectionError, redis.TimeoutError):
                        client.execute_command(
                            "XADD", "orders", "IDMP", customer, number, "*", *words
                        )
                        break
                    time.sleep(0.02)  # the server is away
                numbers.append((number, poison))
                time.sleep(0.01)  # the pace of orders
        except BaseException as error:
            self.failed.append(error)
        finally:
            client.close()

    # --- the whole ---

    def run(self, seconds: float, server_kills: int) -> None:
        customers = [f"customer-{number}" for number in range(CUSTOMERS)]
        producers = [threading.Thread(target=self.produce, args=(name,)) for name in customers]
        for _ in range(4):
            self.hire()
        for consumer in self.consumers:
            consumer.expect("ready")
        for producer in producers:
            producer.start()
        try:
            begun = time.monotonic()
            kills = 0
            while (spent := time.monotonic() - begun) < seconds:
                time.sleep(0.1 + 0.4 * self.random.random())  # the moments of the kills
                self.kill_consumer()
                if spent * server_kills > kills * seconds:
                    kills += 1
                    self.kill_server()
        finally:
            self.stopping.set()
            for producer in producers:
                producer.join()
        assert not self.failed

    def wait_done(self, client: redis.Redis) -> None:
        """Until everything was delivered and is acknowledged, or is dead.

        There may be much; but it must become less all the time.
        """
        deadline = time.monotonic() + END_SECONDS
        least = -1
        while True:
            facts = client.execute_command("XGROUP", "CFGGET", "orders", "workers")
            if not isinstance(facts, dict):
                facts = dict(zip(facts[::2], facts[1::2], strict=True))
            left = client.xpending_range("orders", "workers", "-", "+", 1000)
            if facts["backlog"] == 0 and not left:
                return
            if least < 0 or facts["backlog"] + len(left) < least:
                least = facts["backlog"] + len(left)
                deadline = time.monotonic() + END_SECONDS
            assert time.monotonic() < deadline, ("stranded", facts, left)
            time.sleep(0.05)

    def check(self, first_due: int) -> None:
        with self.client() as client:
            client.ping()
            left = client.execute_command("XSCHEDULE", "LIST", "orders")
            next_due = self.repeating(client)
            for row in left:
                facts = (
                    row if isinstance(row, dict) else dict(zip(row[::2], row[1::2], strict=True))
                )
                client.execute_command("XSCHEDULE", "CANCEL", "orders", facts["handle"])
            assert len(left) == 1, left
            self.wait_done(client)
            stream = client.xrange("orders")
            dead = [fields for _, fields in client.xrange(DEAD)]
        entries = dict(stream)
        appended = Counter(fields["customer"] for fields in entries.values())
        # The one that repeats may be appended once more between the two questions.
        assert appended.pop("again") - (next_due - first_due) // EVERY_MS in (0, 1)
        for customer, numbers in self.added.items():
            assert appended.pop(customer) == len(numbers)
        assert appended
        assert set(appended.values()) == {1}, "scheduled, and appended once each"
        self.check_processing(entries, dead)

    def check_processing(self, entries: dict[str, Any], dead: list[dict[str, str]]) -> None:
        lines = [line.split() for line in self.log.read_text().splitlines()]
        first: dict[str, int] = {}
        order: dict[str, list[int]] = {}
        for customer, number, entry_id, at_ms in lines:
            if entry_id not in first:
                first[entry_id] = int(at_ms)
                order.setdefault(customer, []).append(int(number))
        buried = Counter(fields["original_id"] for fields in dead)
        assert set(buried.values()) <= {1}, "dead-lettered twice"
        assert set(first) | set(buried) == set(entries), "lost"
        for fields in dead:
            assert fields["deliveries"] == str(MAX_DELIVERIES)
            assert fields["reason"] == "max-deliveries"
        poison = {entry_id for entry_id, fields in entries.items() if "poison" in fields}
        assert poison
        assert poison <= set(buried)
        for customer, numbers in order.items():
            if customer != "again":
                assert numbers == sorted(set(numbers)), f"{customer} out of order"
        self.check_behind_dead(entries, dead, first)

    def check_behind_dead(
        self, entries: dict[str, Any], dead: list[dict[str, str]], first: dict[str, int]
    ) -> None:
        """What comes behind a dead letter of the same customer was processed after that."""
        gone = {fields["original_id"]: int(fields["dead_lettered_at"]) for fields in dead}
        last: dict[str, int] = {}
        for entry_id, fields in entries.items():
            at_ms = last.get(fields["customer"], 0)
            if entry_id in first:
                assert first[entry_id] >= at_ms, (entry_id, fields, "out of order")
            if "poison" in fields:
                last[fields["customer"]] = gone[entry_id]

    def close(self) -> None:
        self.stopping.set()
        for consumer in self.consumers:
            with consumer:
                consumer.kill()
        self.server.stop()


@contextlib.contextmanager
def shop(directory: Path, seed: str, lease: str, poison_each: int) -> Iterator[Shop]:
    opened = Shop(directory, seed, lease, poison_each)
    try:
        yield opened
    except BaseException as error:
        error.add_note(f"HEADWATER_CRASH_SEED={seed!r}, LEASE {lease} in {directory}")
        raise
    finally:
        opened.close()


def work(
    directory: Path,
    seed: str,
    lease: str,
    seconds: float,
    server_kills: int,
    poison_each: int = POISON_EACH,
) -> None:
    with shop(directory, seed, lease, poison_each) as opened:
        first_due = opened.schedule(40, int(1000 * seconds))
        opened.run(seconds, server_kills)
        opened.check(first_due)


@pytest.mark.parametrize("lease", ["time", "connection"])
def test_everything_is_processed_once_and_in_order(tmp_path: Path, lease: str) -> None:
    work(tmp_path, SEED, lease, seconds=3, server_kills=2)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("lease", ["time", "connection"])
def test_for_a_longer_time(tmp_path: Path, lease: str) -> None:
    seed = f"{SEED} {os.urandom(4).hex()}"
    work(tmp_path, seed, lease, seconds=90, server_kills=25, poison_each=POISON_EACH_LONG)
