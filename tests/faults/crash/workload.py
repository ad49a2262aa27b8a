"""Clients that work until the server dies: they add, delete, read, claim, acknowledge and watch.

They are redis-py clients, a thread each, that never ask twice. What they do is drawn from a seed;
how they interleave is a matter of the machine.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from random import Random
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from .ledger import GROUP, ORDERS, PLAIN, Add, Ledger, parse_id, show

ANSWER_SECONDS = 30
READERS = ("reader-1", "reader-2")
CLAIMERS = (*READERS, "spare")
LONG_VALUE = 20_000
KEPT_PENDING = 40  # of the oldest pending entries the acknowledging client leaves about so many


class StuckError(AssertionError):
    """The clients were not told as much as expected in time."""


def client_of(port: int) -> redis.Redis:
    """A client that sends every request once."""
    return redis.Redis(
        port=port, socket_timeout=ANSWER_SECONDS, retry=Retry(NoBackoff(), 0), decode_responses=True
    )


def prepare(port: int, random: Random) -> None:
    """The streams' group and consumers, and something that makes snapshots take their time."""
    with client_of(port) as client:
        client.xgroup_create(ORDERS, GROUP, "0", mkstream=True)
        for consumer in CLAIMERS:
            client.xgroup_createconsumer(ORDERS, GROUP, consumer)
        client.xgroup_create(PLAIN, GROUP, "0", mkstream=True)
        client.xgroup_destroy(PLAIN, GROUP)
        for _ in range(20):
            pipeline = client.pipeline(transaction=False)
            for number in range(500):
                pipeline.xadd("ballast", {"number": number, "value": "b" * random.randrange(200)})
            pipeline.execute()


class Workload:
    """The clients of one server process; use as a context manager, which waits for all to end."""

    def __init__(self, port: int, ledger: Ledger, seed: str) -> None:
        self._port = port
        self._ledger = ledger
        self._stop = threading.Event()
        self._failures: list[BaseException] = []
        steps: dict[str, Callable[[str, redis.Redis, Random], None]] = {
            "producer-1": self._add_one,
            "producer-2": self._add_many,
            "plain": self._add_and_delete,
            "transaction": self._add_to_both,
            "claimer": self._claim,
            "acker": self._ack,
            "watcher": self._watch,
            **dict.fromkeys(READERS, self._read),
        }
        self._watched = "0-0"
        self._threads = [
            threading.Thread(target=self._run, args=(name, step, Random(f"{seed} {name}")))
            for name, step in steps.items()
        ]

    def __enter__(self) -> Workload:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        """Wait for the clients, whose server is dead, or who end after their requests."""
        self._stop.set()
        for thread in self._threads:
            thread.join(ANSWER_SECONDS)
        if self._failures:
            raise self._failures[0]

    def wait_told(self, answers: int) -> None:
        """Return once the clients have been given so many answers more; StuckError if not."""
        goal = self._ledger.told + answers
        deadline = time.monotonic() + ANSWER_SECONDS
        while self._ledger.told < goal:
            if self._failures:
                raise self._failures[0]
            if time.monotonic() > deadline:
                raise StuckError(f"{goal - self._ledger.told} answers of {answers} are missing")
            time.sleep(0.001)

    def _run(
        self, name: str, step: Callable[[str, redis.Redis, Random], None], random: Random
    ) -> None:
        try:
            with client_of(self._port) as client:
                while not self._stop.is_set():
                    step(name, client, random)
        except redis.ConnectionError:
            pass
        except BaseException as error:
            self._failures.append(error)

    def _new(self, stream: str, random: Random) -> Add:
        size = LONG_VALUE if random.random() < 0.01 else random.randrange(120)
        return self._ledger.new_add(stream, "v" * size)

    def _add_one(self, name: str, client: redis.Redis, random: Random) -> None:
        self._adding(name, client, [self._new(ORDERS, random)], atomic=False)

    def _add_many(self, name: str, client: redis.Redis, random: Random) -> None:
        adds = [self._new(ORDERS, random) for _ in range(random.randint(2, 30))]
        self._adding(name, client, adds, atomic=False)

    def _add_to_both(self, name: str, client: redis.Redis, random: Random) -> None:
        adds = [self._new(stream, random) for stream in (ORDERS, PLAIN, ORDERS)]
        self._adding(name, client, adds, atomic=True)

    def _adding(self, name: str, client: redis.Redis, adds: list[Add], *, atomic: bool) -> None:
        self._ledger.begin(name, adds=adds, atomic=atomic)
        pipeline = client.pipeline(transaction=atomic)
        for add in adds:
            pipeline.xadd(add.stream, {"n": add.number, "v": add.value})
        self._ledger.told_added(name, [parse_id(entry) for entry in pipeline.execute()])

    def _add_and_delete(self, name: str, client: redis.Redis, random: Random) -> None:
        self._adding(name, client, [self._new(PLAIN, random)], atomic=False)
        newest = self._ledger.newest_plain(5)
        if newest and random.random() < 0.5:
            doomed = {random.choice(newest), newest[-1]}
            self._ledger.begin(name, deletes=doomed)
            deleted = client.xdel(PLAIN, *map(show, doomed))
            assert deleted == len(doomed), f"{deleted} of {doomed} were there to delete"
            self._ledger.told_deleted(name)

    def _read(self, name: str, client: redis.Redis, random: Random) -> None:
        self._ledger.begin(name, reads_for=name)
        count = random.randint(1, 20)
        reply: Any = client.xreadgroup(GROUP, name, {ORDERS: ">"}, count=count, block=20)
        self._ledger.told_read(name, ids_of(reply))

    def _claim(self, name: str, client: redis.Redis, random: Random) -> None:
        consumer = random.choice(CLAIMERS)
        if random.random() < 0.3:
            self._ledger.begin(name, claims_for=consumer, claims=None)
            reply: Any = client.xautoclaim(ORDERS, GROUP, consumer, 0, "0-0", count=5)
            claimed = reply[1]
        else:
            asked = self._ledger.outstanding(8)
            if not asked:
                return
            self._ledger.begin(name, claims_for=consumer, claims=asked)
            claimed = client.xclaim(ORDERS, GROUP, consumer, 0, [show(entry) for entry in asked])
        self._ledger.told_claimed(name, [parse_id(entry) for entry, _ in claimed])

    def _ack(self, name: str, client: redis.Redis, random: Random) -> None:
        doomed = self._ledger.outstanding(KEPT_PENDING + 20)[KEPT_PENDING:]
        if not doomed:
            return
        self._ledger.begin(name, acks=doomed)
        acked = client.xack(ORDERS, GROUP, *map(show, doomed))
        assert acked == len(doomed), f"{acked} of {doomed} were pending"
        self._ledger.told_acked(name)

    def _watch(self, name: str, client: redis.Redis, random: Random) -> None:
        self._ledger.begin(name)
        reply: Any = client.xread({ORDERS: self._watched}, count=500, block=20)
        ids = ids_of(reply)
        self._ledger.told_seen(name, ids)
        if ids:
            self._watched = show(ids[-1])


def ids_of(reply: Any) -> list[tuple[int, int]]:
    """The IDs in an answer of XREAD or XREADGROUP on one stream."""
    if not reply:
        return []
    [entries] = reply.values() if isinstance(reply, dict) else [item[1] for item in reply]
    if entries and isinstance(entries[0], list) and entries[0] and isinstance(entries[0][0], tuple):
        [entries] = entries
    return [parse_id(entry) for entry, _ in entries]
