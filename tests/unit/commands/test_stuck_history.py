"""The history of a consumer some of whose entries are to be dead letters, and cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from support import wire
from support.disk import SimulatedDisk
from support.durable import DIRECTORY, DurableEngine, reopened

LETTERS = "s:dead-letter"


@pytest.fixture
def at() -> SimulatedDisk:
    return SimulatedDisk(DIRECTORY)


@pytest.fixture
def engine(at: SimulatedDisk) -> DurableEngine:
    """Entries 1-0 to 6-0 are ann's; 1-0 and 4-0 are exhausted, and their key holds a text."""
    engine = DurableEngine(at, appendonly="yes", appendfsync="always")
    engine.ok("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
    engine.ok("XGROUP", "CFGSET", "s", "g", "MAXDELIVERIES", "9")
    engine.ok("SET", LETTERS, "text")
    for ms in range(1, 7):
        engine.ok("XADD", "s", f"{ms}-0", "f", "v")
    engine.ok("XREADGROUP", "GROUP", "g", "ann", "STREAMS", "s", ">")
    for entry in ("1-0", "4-0"):
        engine.ok("XCLAIM", "s", "g", "ann", "0", entry, "RETRYCOUNT", "9")
    return engine


def told(engine: DurableEngine, *words: str) -> Any:
    return wire.plain(engine.client.call(*words))


def history(engine: DurableEngine, start: str = "0", count: int = 0) -> list[tuple[bytes, Any]]:
    words = ["XREADGROUP", "GROUP", "g", "ann", *(["COUNT", str(count)] if count else [])]
    [[_, rows]] = told(engine, *words, "STREAMS", "s", start)
    return [(entry, fields) for entry, fields in rows]


def ids(rows: list[tuple[bytes, Any]]) -> list[bytes]:
    return [entry for entry, _ in rows]


def test_what_cannot_be_buried_does_not_end_the_history(engine: DurableEngine) -> None:
    assert ids(history(engine)) == [b"2-0", b"3-0", b"5-0", b"6-0"]
    counts = {row[0]: row[3] for row in told(engine, "XPENDING", "s", "g", "-", "+", "9")}
    assert counts == {b"1-0": 9, b"2-0": 2, b"3-0": 2, b"4-0": 9, b"5-0": 2, b"6-0": 2}


def test_page_by_page_it_comes_to_its_end(engine: DurableEngine) -> None:
    found: list[bytes] = []
    start = "0"
    while rows := history(engine, start, 1):
        found += ids(rows)
        start = rows[-1][0].decode()
    assert found == [b"2-0", b"3-0", b"5-0", b"6-0"]


def test_deleted_data_is_sent_as_none_behind_what_is_stuck(engine: DurableEngine) -> None:
    engine.ok("XDEL", "s", "5-0")
    rows = history(engine)
    assert ids(rows) == [b"2-0", b"3-0", b"5-0", b"6-0"]
    assert dict(rows)[b"5-0"] is None
    assert dict(rows)[b"6-0"] == [b"f", b"v"]


def test_they_are_dead_letters_when_the_key_is_free(engine: DurableEngine) -> None:
    assert len(history(engine)) == 4
    engine.ok("DEL", LETTERS)
    engine.pass_ms(5000)
    assert ids(history(engine)) == [b"2-0", b"3-0", b"5-0", b"6-0"]
    assert engine.ok("XLEN", LETTERS) == 2
    assert told(engine, "XPENDING", "s", "g")[0] == 4


@pytest.mark.parametrize("deleted", [False, True])
def test_it_is_the_same_after_a_restart(
    at: SimulatedDisk, engine: DurableEngine, deleted: bool
) -> None:
    engine.pass_ms(10)
    if deleted:
        engine.ok("XDEL", "s", "3-0")
    assert ids(history(engine, count=3)) == [b"2-0", b"3-0", b"5-0"]
    digest = engine.digest()
    engine.settle()
    at.crash()
    assert reopened(at, engine, appendonly="yes", appendfsync="always").digest() == digest
