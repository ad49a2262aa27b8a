"""A server that is killed while clients work: what they were told is there when it is back.

Every round starts a server on the directory of the one before, checks all that clients have ever
been told (crash/ledger.py), lets clients work (crash/workload.py), and kills the server after as
many answers as the seed says: in the middle of its work, often during BGREWRITEAOF or BGSAVE.

The seed is in the message of a failure; HEADWATER_CRASH_SEED gives another one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from support import servers
from support.servers import Server

from .crash.ledger import ORDERS, PLAIN, Add, BrokenWordError, Ledger, Request
from .crash.workload import Workload, prepare

SEED = os.environ.get("HEADWATER_CRASH_SEED", "headwater")
ALWAYS = ("--appendonly", "yes", "--appendfsync", "always")
EVERYSEC = ("--appendonly", "yes", "--appendfsync", "everysec")
NOTHING = ("--appendonly", "no", "--save", "")
MANUAL_REWRITES = ("--auto-aof-rewrite-percentage", "0")
ANSWERS = 600  # at most so many before the kill
BACKGROUND = ("BGREWRITEAOF", "BGSAVE", None)


class Crashes:
    """One directory, server after server; `server` is the one that runs now."""

    def __init__(self, directory: Path, flags: tuple[str, ...], seed: str) -> None:
        self.directory = directory
        self.flags = (*flags, *MANUAL_REWRITES)
        self.seed = seed
        self.random = Random(seed)
        self.ledger = Ledger()
        self.server: Server | None = None
        self.rounds = 0
        self.killed_during = dict.fromkeys(BACKGROUND, 0)

    def start(self) -> Server:
        self.server = servers.start_subject(self.directory, *self.flags)
        if self.rounds == 0:
            prepare(self.server.port, self.random)
        return self.server

    def round(self) -> None:
        """Start, check, work, kill."""
        server = self.start()
        try:
            if self.rounds:
                self.check(server)
            self.work_and_kill(server)
        finally:
            self.rounds += 1
            self.stop()

    def check(self, server: Server) -> None:
        with server.connect() as connection:
            self.ledger.check(connection)

    def work_and_kill(self, server: Server) -> None:
        with Workload(server.port, self.ledger, f"{self.seed} {self.rounds}") as workload:
            workload.wait_told(self.random.randint(20, ANSWERS))
            background = BACKGROUND[self.rounds % len(BACKGROUND)]
            if background is not None:
                with server.connect() as connection:
                    connection.ok(background)
                time.sleep(self.random.random() * 0.03)  # the moment of the kill, not a wait
            server.kill()
        self.killed_during[background] += 1

    def stop(self) -> None:
        if self.server is not None:
            self.server.stop()
            self.server = None


def crash(directory: Path, flags: tuple[str, ...], seed: str, rounds: int) -> Crashes:
    """Kill a server so many times and check it each time, the last time too."""
    crashes = Crashes(directory, flags, seed)
    try:
        for _ in range(rounds):
            crashes.round()
        crashes.check(crashes.start())
    except BaseException as error:
        error.add_note(f"HEADWATER_CRASH_SEED={seed!r}, round {crashes.rounds} in {directory}")
        raise
    finally:
        crashes.stop()
    return crashes


def test_nothing_acknowledged_is_lost_under_always(tmp_path: Path) -> None:
    crashes = crash(tmp_path, ALWAYS, SEED, rounds=21)
    assert all(count == 7 for count in crashes.killed_during.values())
    told = crashes.ledger
    assert told.acked
    assert told.deleted
    assert told.seen
    assert any(delivery.count > 1 for delivery in told.delivered.values())


@pytest.mark.skipif(
    os.environ.get("HEADWATER_TEST_SUBJECT", "") == "redis",
    reason="Redis answers before it has written while a background fsync goes on: it does lose",
)
def test_nothing_acknowledged_is_lost_under_everysec(tmp_path: Path) -> None:
    """The process is killed, not the machine: the kernel has everything that was written."""
    assert crash(tmp_path, EVERYSEC, SEED, rounds=9).ledger.acked


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("flags", [ALWAYS, EVERYSEC], ids=["always", "everysec"])
def test_many_crashes(tmp_path: Path, flags: tuple[str, ...]) -> None:
    seed = f"{SEED} {os.urandom(4).hex()}"
    for part in range(4):
        directory = tmp_path / str(part)
        directory.mkdir()
        crash(directory, flags, f"{seed} {part}", rounds=45)


# --- does the test notice? ---


def test_a_server_without_a_journal_is_found_out(tmp_path: Path) -> None:
    with pytest.raises(BrokenWordError, match="is lost"):
        crash(tmp_path, NOTHING, SEED, rounds=1)


# What is wrong between server and clients is made on the clients' side: it is the same difference.


def lost(told: Ledger) -> None:
    told.added[ORDERS][1, 1] = Add(ORDERS, -1, "")


def lost_that_was_seen(told: Ledger) -> None:
    told.seen.add((1, 1))


def added_by_nobody(told: Ledger) -> None:
    del told.added[ORDERS][max(told.added[ORDERS])]


def with_another_value(told: Ledger) -> None:
    entry = max(told.added[ORDERS])
    add = told.added[ORDERS][entry]
    told.added[ORDERS][entry] = Add(ORDERS, add.number, add.value + "!")


def deleted_but_there(told: Ledger) -> None:
    told.deleted.add(max(told.added[PLAIN].keys() - told.deleted))


def counted_wrong(told: Ledger) -> None:
    told.added[PLAIN][0, 1] = Add(PLAIN, -1, "")
    told.deleted.add((0, 1))


def last_id_went_back(told: Ledger) -> None:
    told.added[PLAIN][max(told.added[PLAIN])[0] + 1, 0] = Add(PLAIN, -1, "")
    told.deleted.add((max(told.added[PLAIN])[0], 0))


def a_hole_in_a_pipeline(told: Ledger) -> None:
    there = next(iter(told.added[ORDERS].values()))
    told.open["producer"] = Request(0, [Add(ORDERS, -1, ""), there])


def half_a_transaction(told: Ledger) -> None:
    there = next(iter(told.added[ORDERS].values()))
    told.open["producer"] = Request(0, [there, Add(ORDERS, -1, "")], atomic=True)


def acked_but_pending(told: Ledger) -> None:
    told.acked.add(pending(told))


def neither_pending_nor_acked(told: Ledger) -> None:
    told.acked.remove(next(iter(told.acked)))


def with_another_owner(told: Ledger) -> None:
    told.delivered[pending(told)].owner = "somebody"


def delivered_once_more(told: Ledger) -> None:
    told.delivered[pending(told)].count += 1


def delivered_at_another_time(told: Ledger) -> None:
    delivery = told.delivered[pending(told)]
    delivery.earliest_ms += 5000
    delivery.latest_ms += 5000


def delivered_to_nobody(told: Ledger) -> None:
    del told.delivered[pending(told)]


def pending(told: Ledger) -> tuple[int, int]:
    [entry] = told.outstanding(1)
    return entry


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Ledger]]:
    """A server that clients have worked with, and what they were told."""
    crashes = Crashes(tmp_path_factory.mktemp("worked"), NOTHING, SEED)
    server = crashes.start()
    try:
        with Workload(server.port, crashes.ledger, SEED) as workload:
            workload.wait_told(ANSWERS)
        crashes.check(server)
        yield server, crashes.ledger
    finally:
        crashes.stop()


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lost, "acknowledged, is lost"),
        (lost_that_was_seen, "seen by a reader, is lost"),
        (added_by_nobody, "nobody added"),
        (with_another_value, "other fields"),
        (deleted_but_there, "there again after XDEL"),
        (counted_wrong, "entries-added"),
        (last_id_went_back, "last ID went back"),
        (a_hole_in_a_pipeline, "with a hole"),
        (half_a_transaction, "half of a transaction"),
        (acked_but_pending, "pending again after its XACK"),
        (neither_pending_nor_acked, "neither undelivered nor pending nor acknowledged"),
        (with_another_owner, "possible were"),
        (delivered_once_more, "possible were"),
        (delivered_at_another_time, "possible were"),
        (delivered_to_nobody, "possible were: \\[\\]"),
    ],
)
def test_every_difference_is_found(
    worked: tuple[Server, Ledger], spoil: Callable[[Ledger], None], text: str
) -> None:
    server, told = worked
    spoiled = told.copy()
    spoil(spoiled)
    with server.connect() as connection, pytest.raises(BrokenWordError, match=text):
        spoiled.check(connection)
