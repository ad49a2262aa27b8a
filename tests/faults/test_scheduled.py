"""A server that is killed while entries fall due: none is there twice, lost, or out of order.

Every round starts a server on the directory of the one before, schedules entries that fall due at
once, soon, or while no server runs, and kills it in the midst of appending them. In the end
everything that a client was told is scheduled is in the stream exactly once, in the order of due
times, except what was cancelled.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from support import servers
from support.servers import Server
from support.wire import Connection

SEED = os.environ.get("HEADWATER_CRASH_SEED", "headwater")
ALWAYS = ("--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0")
ROUNDS = 8
ENTRIES = 1000  # of a round
SPREAD_MS = 400  # over which they fall due
UNTIL_SECONDS = 60

pytestmark = pytest.mark.skipif(
    os.environ.get("HEADWATER_TEST_SUBJECT", "") == "redis", reason="Redis has no schedules"
)


class Scheduled:
    """What clients were told: handle -> (due ms, number of the entry); and what may be there."""

    def __init__(self) -> None:
        self.told: dict[int, tuple[int, int]] = {}
        self.unsure: set[int] = set()  # numbers whose ADD was not answered
        self.cancelled: set[int] = set()  # handles
        self.next_number = 0

    def add(self, connection: Connection, random: Random, now_ms: int) -> None:
        """Schedule a round's entries; some are cancelled again."""
        numbers = range(self.next_number, self.next_number + ENTRIES)
        self.next_number += ENTRIES
        dues = [now_ms + random.randint(-50, SPREAD_MS) for _ in numbers]
        self.unsure.update(numbers)
        replies = connection.pipeline(
            ["XSCHEDULE", "ADD", "s", "AT", due, "number", number, "due", due]
            for number, due in zip(numbers, dues, strict=True)
        )
        for number, due, (kind, handle) in zip(numbers, dues, replies, strict=True):
            assert kind == "$", handle
            assert int(handle) not in self.told, "a handle was used twice"
            self.told[int(handle)] = (due, number)
            self.unsure.discard(number)

    def cancel(self, connection: Connection, random: Random) -> None:
        for handle in random.sample(sorted(self.told), 20):
            if connection.ok("XSCHEDULE", "CANCEL", "s", handle) == 1:
                assert handle not in self.cancelled, "cancelled twice"
                self.cancelled.add(handle)

    def check(self, entries: list[Any]) -> None:
        """All of these entries of the stream, and nothing is scheduled any more."""
        numbers = [int(fields[1]) for _, fields in entries]
        assert len(set(numbers)) == len(numbers), "an entry is there twice"
        wanted = {n for handle, (_, n) in self.told.items() if handle not in self.cancelled}
        assert wanted <= set(numbers), "an entry was lost"
        assert set(numbers) <= wanted | self.unsure, "an entry was cancelled and is there"


def in_order(entries: list[Any], begin: int) -> bool:
    """Whether the entries of one round, which were all scheduled before one was due, are sorted."""
    dues = [int(fields[3]) for _, fields in entries[begin:]]
    return dues == sorted(dues)


def all_entries(connection: Connection) -> list[Any]:
    found: list[Any] = connection.ok("XRANGE", "s", "-", "+")
    return found


def wait_done(connection: Connection) -> None:
    """Until nothing is scheduled any more."""
    deadline = time.monotonic() + UNTIL_SECONDS
    while connection.ok("XSCHEDULE", "LIST", "s", "COUNT", "1"):
        assert time.monotonic() < deadline, "what is due does not come"
        time.sleep(0.01)


def crash(directory: Path, seed: str, flags: tuple[str, ...] = ALWAYS) -> Scheduled:
    random = Random(seed)
    scheduled = Scheduled()
    server: Server | None = None
    try:
        for number in range(ROUNDS):
            server = servers.start_subject(directory, *flags)
            with server.connect() as connection:
                seconds, micros = connection.ok("TIME")
                now_ms = int(seconds) * 1000 + int(micros) // 1000
                scheduled.add(connection, random, now_ms)
                if number % 3 == 0:
                    scheduled.cancel(connection, random)
                if number % 4 == 1:
                    connection.ok("BGREWRITEAOF")
                length = connection.ok("XLEN", "s")
                wanted = length + random.randint(0, ENTRIES // 2)
                deadline = time.monotonic() + SPREAD_MS / 1000
                while connection.ok("XLEN", "s") < wanted and time.monotonic() < deadline:
                    pass
            server.kill()
            server.stop()
        server = servers.start_subject(directory, *flags)
        with server.connect() as connection:
            wait_done(connection)
            scheduled.check(all_entries(connection))
    finally:
        if server is not None:
            server.stop()
    return scheduled


def test_nothing_is_lost_or_there_twice_under_always(tmp_path: Path) -> None:
    scheduled = crash(tmp_path, SEED)
    assert len(scheduled.told) == ROUNDS * ENTRIES
    assert scheduled.cancelled


def test_the_process_alone_loses_nothing_under_everysec(tmp_path: Path) -> None:
    flags = ("--appendonly", "yes", "--appendfsync", "everysec")
    assert len(crash(tmp_path, SEED, flags).told) == ROUNDS * ENTRIES


def test_a_late_server_catches_up_in_order_and_is_killed_doing_so(tmp_path: Path) -> None:
    """Thousands are due at once when it starts; it is killed again and again meanwhile."""
    n = 6000
    random = Random(SEED)
    server = servers.start_subject(tmp_path, *ALWAYS)
    try:
        with server.connect() as connection:
            seconds, _ = connection.ok("TIME")
            base_ms = int(seconds) * 1000 + 2500
            dues = [base_ms + random.randint(0, 300) for _ in range(n)]
            replies = connection.pipeline(
                ["XSCHEDULE", "ADD", "s", "AT", due, "number", i, "due", due]
                for i, due in enumerate(dues)
            )
            assert all(kind == "$" for kind, _ in replies)
            assert connection.ok("XLEN", "s") == 0
        server.kill()
        server.stop()
        while time.time() * 1000 < base_ms + 300:
            time.sleep(0.01)
        seen = 0
        kills = 0
        while seen < n and kills < 8:
            server = servers.start_subject(tmp_path, *ALWAYS)
            with server.connect() as connection:
                entries = all_entries(connection)
                assert len(entries) >= seen, "what a client has seen is gone"
                assert in_order(entries, 0)
                seen = len(entries)
            server.kill()
            server.stop()
            kills += 1
        server = servers.start_subject(tmp_path, *ALWAYS)
        with server.connect() as connection:
            wait_done(connection)
            entries = all_entries(connection)
        assert sorted(int(fields[1]) for _, fields in entries) == list(range(n))
        assert in_order(entries, 0)
        ids = [tuple(map(int, id_.split(b"-"))) for id_, _ in entries]
        assert ids == sorted(set(ids))
    finally:
        server.stop()


def test_what_repeats_misses_no_time_and_has_none_twice(tmp_path: Path) -> None:
    """Every 20 ms, through kills and the time without a server."""
    server = servers.start_subject(tmp_path, *ALWAYS)
    try:
        with server.connect() as connection:
            seconds, micros = connection.ok("TIME")
            begin_ms = int(seconds) * 1000 + int(micros) // 1000 + 100
            connection.ok("XSCHEDULE", "ADD", "s", "AT", begin_ms, "EVERY", 20, "f", "tick")
        for _ in range(6):
            time.sleep(0.1)  # ticks come meanwhile
            server.kill()
            server.stop()
            server = servers.start_subject(tmp_path, *ALWAYS)
        with server.connect() as connection:
            deadline = time.monotonic() + UNTIL_SECONDS
            length = 0
            while length <= 20:
                assert time.monotonic() < deadline, "ticks do not come"
                connection.ok("MULTI")
                connection.ok("XLEN", "s")
                connection.ok("XSCHEDULE", "LIST", "s")
                length, (row,) = connection.ok("EXEC")
                assert row[3] == begin_ms + 20 * length
    finally:
        server.stop()
