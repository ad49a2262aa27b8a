"""Eight threads on one store: every command is whole, nothing is lost, nothing waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

import headwater

THREADS = 8
ROUNDS = 150


def in_threads(work: Callable[[int], None]) -> None:
    """Run `work(number)` in eight threads; the first failure is raised here."""
    failed: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in failed:
        raise error


@pytest.mark.parametrize("policy", ["memory", "everysec", "always"])
def test_mixed_commands_of_eight_threads(tmp_path: Path, policy: str) -> None:
    path = None if policy == "memory" else tmp_path / "s"
    config = None if policy == "memory" else {"appendfsync": policy}
    with headwater.connect(path, config=config, protocol=2) as client:
        engine = client.store
        added: list[set[bytes]] = [set() for _ in range(THREADS)]

        def add(pipe: Any) -> None:
            value = int(pipe.get("watched") or 0)
            pipe.multi()
            pipe.set("watched", value + 1)

        def work(number: int) -> None:
            for n in range(ROUNDS):
                added[number].add(client.xadd("s", {"thread": number, "n": n}))
                added[number].add(engine.xadd("s", {"thread": number, "n": n}))
                client.incr("counter")
                pipe = client.pipeline(transaction=n % 2 == 0)
                pipe.incr("counter").rpush(f"own:{number}", n).llen(f"own:{number}")
                assert pipe.execute()[2] == n + 1
                if n % 10 == 0:
                    client.transaction(add, "watched")
                    client.publish("news", n)
                if n % 50 == 0:
                    assert len(client.xrange("s", count=20)) <= 20

        in_threads(work)
        ids = set().union(*added)
        assert len(ids) == THREADS * ROUNDS * 2, "every ID was given once"
        assert {entry_id for entry_id, _ in client.xrange("s")} == ids
        assert int(client.get("counter")) == THREADS * ROUNDS * 2
        assert int(client.get("watched")) == THREADS * ROUNDS // 10
        engine.crash()
    if path is not None:
        with headwater.connect(path, protocol=2) as again:
            assert {entry_id for entry_id, _ in again.xrange("s")} == ids
            assert int(again.get("counter")) == THREADS * ROUNDS * 2


def test_workers_that_wait_and_producers_that_come_late() -> None:
    with headwater.connect(protocol=2) as client:
        client.xgroup_create("jobs", "g", mkstream=True)
        done: list[int] = []

        def work(number: int) -> None:
            if number < THREADS // 2:
                for n in range(ROUNDS):
                    client.xadd("jobs", {"n": number * ROUNDS + n})
                return
            while True:
                reply = client.xreadgroup("g", str(number), {"jobs": ">"}, count=3, block=0)
                for entry_id, fields in reply[0][1]:
                    client.xack("jobs", "g", entry_id)
                    if b"stop" in fields:
                        return
                    done.append(int(fields[b"n"]))
                    if len(done) == ROUNDS * THREADS // 2:
                        for _ in range(THREADS * 3):  # one may get three
                            client.xadd("jobs", {"stop": 1})

        in_threads(work)
        assert sorted(done) == list(range(ROUNDS * THREADS // 2))


def test_threads_that_come_and_go_with_stores_that_open_and_close(tmp_path: Path) -> None:
    def work(number: int) -> None:
        for n in range(10):
            with headwater.connect(tmp_path / "shared") as client:
                client.xadd("s", {"thread": number, "n": n})

    in_threads(work)
    with headwater.connect(tmp_path / "shared") as client:
        assert client.xlen("s") == THREADS * 10


def test_connections_that_are_killed_while_others_work() -> None:
    with headwater.connect() as client:
        finished = threading.Event()

        def work(number: int) -> None:
            if number == 0:
                while not finished.is_set():
                    for one in client.client_list():
                        client.client_kill_filter(_id=one["id"], skipme=True)
                return
            try:
                for _ in range(50):
                    own = client.store.connect()
                    try:
                        own.incr("n")
                    except redis.ConnectionError:
                        own.ping()
                    own.close()
            finally:
                if number == 1:
                    finished.set()

        in_threads(work)
        assert client.ping()
