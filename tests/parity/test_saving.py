"""What SAVE, BGSAVE and their like answer, as redis-server answers it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from support.pair import Pair
from support.servers import Server
from support.wire import Connection

WAIT_SECONDS = 20


@pytest.fixture
def pair(headwater: Server, reference: Server) -> Iterator[Pair]:
    both = Pair(headwater, reference, 2)
    yield both
    both.close()


def facts(connection: Connection) -> dict[bytes, bytes]:
    _, text = connection.call("INFO", "persistence")
    assert isinstance(text, bytes)
    return dict(line.split(b":", 1) for line in text.splitlines() if b":" in line)


def rest(pair: Pair) -> None:
    """Return when neither server saves or rewrites anything, or has anything scheduled."""
    peers = pair.connect()
    for connection in (peers.ours, peers.theirs):
        deadline = time.monotonic() + WAIT_SECONDS
        names = (b"rdb_bgsave_in_progress", b"aof_rewrite_in_progress", b"aof_rewrite_scheduled")
        while any(facts(connection)[name] != b"0" for name in names):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def save(connection: Connection) -> None:
    """SAVE, when nothing that was scheduled is under way any more."""
    deadline = time.monotonic() + WAIT_SECONDS
    while connection.call("SAVE") != ("+", b"OK"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_answers(pair: Pair) -> None:
    one = pair.connect()
    lines = (
        "SET a 1",
        "SAVE",
        "SAVE now",
        "BGSAVE now",
        "BGSAVE SCHEDULE now",
        "LASTSAVE now",
        "BGREWRITEAOF now",
        "BGSAVE schedule",
    )
    for line in lines:
        pair.same(one, *line.split())
    rest(pair)
    pair.same(one, "BGSAVE")
    rest(pair)
    pair.same(one, "BGREWRITEAOF")
    rest(pair)


def test_in_a_transaction(pair: Pair) -> None:
    one = pair.connect()
    for line in (
        "MULTI",
        "SAVE",
        "EXEC",
        "MULTI",
        "BGREWRITEAOF",
        "BGSAVE",
        "LASTSAVE now",
        "EXEC",
    ):
        pair.same(one, *line.split())
    connections = (one.ours, one.theirs)
    saves = [facts(connection)[b"rdb_saves"] for connection in connections]
    for line in ("MULTI", "SET a 1", "BGREWRITEAOF", "BGSAVE", "SET b 2", "EXEC"):
        pair.same(one, *line.split())
    for connection, before in zip(connections, saves, strict=True):
        deadline = time.monotonic() + WAIT_SECONDS
        while facts(connection)[b"rdb_saves"] == before:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    rest(pair)


def test_the_facts_of_a_save(pair: Pair) -> None:
    one = pair.connect()
    pair.same(one, "SET", "a", "1")
    for connection in (one.ours, one.theirs):
        began = int(time.time())
        save(connection)
        assert facts(connection)[b"rdb_changes_since_last_save"] == b"0"
        assert facts(connection)[b"rdb_last_bgsave_status"] == b"ok"
        kind, seconds = connection.call("LASTSAVE")
        assert kind == ":"
        assert isinstance(seconds, int)
        assert began <= seconds <= time.time()
    pair.same(one, "SET", "a", "1")
    for connection in (one.ours, one.theirs):
        assert facts(connection)[b"rdb_changes_since_last_save"] == b"1"
    ours = facts(one.ours)
    for name in facts(one.theirs):
        if name.startswith((b"rdb_", b"current_")):
            assert name in ours


def test_reload(pair: Pair) -> None:
    one = pair.connect()
    lines = (
        "SET a 1 PX 1000000",
        "XADD s 1-1 f v",
        "XADD s 2-1 f v",
        "XGROUP CREATE s g 0",
        "XREADGROUP GROUP g ann COUNT 1 STREAMS s >",
        "DEBUG RELOAD",
        "GET a",
        "EXPIRETIME s",
        "XRANGE s - +",
        "XREADGROUP GROUP g ann STREAMS s 0",
        "XREADGROUP GROUP g bob STREAMS s >",
        "WATCH a",
        "DEBUG RELOAD",
        "MULTI",
        "EXEC",
        "DEBUG RELOAD nosave NOFLUSH merge",
        "DEBUG RELOAD nothing",
    )
    for line in lines:
        pair.same(one, *line.split())


@pytest.mark.parametrize("name", ["save", "bgsave", "lastsave", "bgrewriteaof"])
def test_what_command_info_says(pair: Pair, name: str) -> None:
    pair.same(pair.connect(), "COMMAND", "INFO", name)
