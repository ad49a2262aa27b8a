"""XCFGSET, XIDMPRECORD and XSETID: checks in Redis's order, and what they change."""

from __future__ import annotations

from typing import Any

import pytest

from headwater.streams.stream import Stream
from support.embedded import Embedded

SYNTAX = "ERR syntax error"
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NO_KEY = "ERR no such key"
INVALID_ID = "ERR Invalid stream ID specified as stream command argument"
DURATION = "ERR IDMP-DURATION must be between 1 and 86400 seconds"
MAXSIZE = "ERR IDMP-MAXSIZE must be between 1 and 10000 entries"
GIVEN_DELETED = "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id"
DELETED = "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"
TOP = "ERR The ID specified in XSETID is smaller than the target stream top item"
ADDED = "ERR The entries_added specified in XSETID is smaller than the target stream length"


@pytest.fixture
def world() -> Embedded:
    return Embedded()


@pytest.fixture
def stream(world: Embedded) -> Stream:
    """Stream `s` with 1-0 to 3-0, beside string `str`; changes count from here."""
    world.main.ok("SET", "str", "x")
    for ms in (1, 2, 3):
        world.main.ok("XADD", "s", f"{ms}-0", "f", "v")
    world.state.keyspace.dirty = 0
    found = world.main.session.database.peek(b"s")
    assert isinstance(found, Stream)
    return found


def changes(world: Embedded) -> int:
    return world.state.keyspace.dirty


# --- XCFGSET ---


def test_xcfgset_sets_what_is_given(world: Embedded, stream: Stream) -> None:
    assert world.main.call("XCFGSET", "s", "IDMP-DURATION", "5") == ("+", b"OK")
    assert stream.idmp is not None
    assert (stream.idmp.duration_s, stream.idmp.maxsize) == (5, 100)
    assert world.main.call("XCFGSET", "s", "idmp-maxsize", "10000") == ("+", b"OK")
    assert (stream.idmp.duration_s, stream.idmp.maxsize) == (5, 10000)
    reply = world.main.call("XCFGSET", "s", "IDMP-MAXSIZE", "1", "IDMP-DURATION", "86400")
    assert reply == ("+", b"OK")
    assert (stream.idmp.duration_s, stream.idmp.maxsize) == (86400, 1)
    assert changes(world) == 3


def test_xcfgset_forgets_only_when_something_changes(world: Embedded, stream: Stream) -> None:
    world.main.ok("XIDMPRECORD", "s", "p", "i", "1-0")
    assert stream.idmp is not None
    world.main.ok("XCFGSET", "s", "IDMP-DURATION", "100", "IDMP-MAXSIZE", "100")
    assert stream.idmp.tracked(world.clock.now_ms) == 1
    world.main.ok("XCFGSET", "s", "IDMP-DURATION", "101", "IDMP-MAXSIZE", "100")
    assert stream.idmp.tracked(world.clock.now_ms) == 0


def test_the_window_starts_with_the_servers_defaults(world: Embedded, stream: Stream) -> None:
    world.main.ok("CONFIG", "SET", "stream-idmp-duration", 7, "stream-idmp-maxsize", 8)
    world.main.ok("XCFGSET", "s", "IDMP-DURATION", "5")
    assert stream.idmp is not None
    assert (stream.idmp.duration_s, stream.idmp.maxsize) == (5, 8)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["none"], NO_KEY),
        (["none", "FOO"], NO_KEY),
        (["str", "IDMP-DURATION", "0"], WRONG_TYPE),
        (["s"], "ERR At least one parameter must be specified"),
        (["s", "FOO"], SYNTAX),
        (["s", "FOO", "1"], SYNTAX),
        (["s", "IDMP-DURATION"], SYNTAX),
        (["s", "IDMP-DURATION", "1", "IDMP-MAXSIZE"], SYNTAX),
        (["s", "IDMP-DURATION", "x", "IDMP-MAXSIZE"], NOT_AN_INTEGER),
        (["s", "IDMP-MAXSIZE", "007"], NOT_AN_INTEGER),
        (["s", "IDMP-DURATION", "0", "IDMP-MAXSIZE", "0"], DURATION),
        (["s", "IDMP-DURATION", "86401"], DURATION),
        (["s", "IDMP-DURATION", "-1"], DURATION),
        (["s", "IDMP-MAXSIZE", "0", "IDMP-DURATION", "0"], MAXSIZE),
        (["s", "IDMP-DURATION", "5", "IDMP-MAXSIZE", "10001"], MAXSIZE),
    ],
)
def test_xcfgset_errors(world: Embedded, stream: Stream, words: list[str], text: str) -> None:
    assert world.main.error("XCFGSET", *words) == text
    assert stream.idmp is None
    assert changes(world) == 0


# --- XIDMPRECORD ---


def test_xidmprecord_is_idempotent(world: Embedded, stream: Stream) -> None:
    assert world.main.call("XIDMPRECORD", "s", "p", "i", "2-0") == ("+", b"OK")
    assert world.main.call("XIDMPRECORD", "s", "p", "i", "2") == ("+", b"OK")
    assert stream.idmp is not None
    assert stream.idmp.lookup(b"p", b"i", world.clock.now_ms) == (True, 2, 0)
    assert changes(world) == 1
    stream.delete(2, 0)
    assert stream.idmp.lookup(b"p", b"i", world.clock.now_ms) == (True, 2, 0)


def test_xidmprecord_does_not_move_an_id(world: Embedded, stream: Stream) -> None:
    world.main.ok("XIDMPRECORD", "s", "p", "i", "2-0")
    assert world.main.error("XIDMPRECORD", "s", "p", "i", "3-0") == (
        "ERR The specified IDMP producer-id/idempotent-id pair maps to a different stream ID"
    )
    world.clock.advance(100_000)
    assert world.main.call("XIDMPRECORD", "s", "p", "i", "3-0") == ("+", b"OK")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["none", "p", "i", "1-0"], NO_KEY),
        (["str", "p", "i", "1-0"], WRONG_TYPE),
        (["s", "p", "i", "x"], INVALID_ID),
        (["s", "p", "i", "1-1"], "ERR The specified stream ID was deleted or doesn't exist"),
        (["s", "", "i", "1-0"], "ERR producer-id and idempotent-id must not be empty"),
        (["s", "p", "", "1-0"], "ERR producer-id and idempotent-id must not be empty"),
    ],
)
def test_xidmprecord_errors(world: Embedded, stream: Stream, words: list[str], code: str) -> None:
    assert world.main.error("XIDMPRECORD", *words) == code
    assert stream.idmp is None


# --- XSETID ---


def state(stream: Stream) -> tuple[Any, ...]:
    return (
        (stream.last_ms, stream.last_seq),
        (stream.max_deleted_ms, stream.max_deleted_seq),
        stream.entries_added,
    )


@pytest.mark.parametrize(
    ("words", "after"),
    [
        (["3"], ((3, 0), (0, 0), 3)),
        (["9-9"], ((9, 9), (0, 0), 3)),
        (["9-9", "entriesadded", "7"], ((9, 9), (0, 0), 7)),
        (["9", "MAXDELETEDID", "9", "ENTRIESADDED", "3"], ((9, 0), (9, 0), 3)),
        (["9", "MAXDELETEDID", "0-0"], ((9, 0), (0, 0), 3)),
        (["9", "ENTRIESADDED", "5", "ENTRIESADDED", "6"], ((9, 0), (0, 0), 6)),
        (
            ["18446744073709551615-18446744073709551615"],
            ((2**64 - 1, 2**64 - 1), (0, 0), 3),
        ),
    ],
)
def test_xsetid(world: Embedded, stream: Stream, words: list[str], after: tuple[Any, ...]) -> None:
    assert world.main.call("XSETID", "s", *words) == ("+", b"OK")
    assert state(stream) == after
    assert changes(world) == 1


def test_xsetid_may_lower_the_max_deleted_id_but_not_to_zero(
    world: Embedded, stream: Stream
) -> None:
    stream.delete(2, 0)
    world.main.ok("XSETID", "s", "9", "MAXDELETEDID", "1-0")
    assert state(stream) == ((9, 0), (1, 0), 3)
    world.main.ok("XSETID", "s", "9", "MAXDELETEDID", "0-0")
    assert state(stream) == ((9, 0), (1, 0), 3)


def test_xsetid_of_an_empty_stream_may_go_back(world: Embedded) -> None:
    stream = Stream()
    world.main.session.database.set(b"s", stream)
    world.main.ok("XSETID", "s", "9", "ENTRIESADDED", "9")
    assert world.main.call("XSETID", "s", "1", "ENTRIESADDED", "0") == ("+", b"OK")
    assert state(stream) == ((1, 0), (0, 0), 0)


def test_xsetid_leaves_no_group_ahead_of_the_stream(world: Embedded, stream: Stream) -> None:
    stream.entries_added = 10
    world.main.ok("XGROUP", "CREATE", "s", "ahead", "3-0", "ENTRIESREAD", 9)
    world.main.ok("XGROUP", "CREATE", "s", "behind", "1-0", "ENTRIESREAD", 2)
    world.main.ok("XGROUP", "CREATE", "s", "unknown", "1-0")
    groups = stream.groups
    assert groups is not None

    def entries_read() -> list[int]:
        return [groups[name].entries_read for name in (b"ahead", b"behind", b"unknown")]

    assert entries_read() == [9, 2, -1]
    world.main.ok("XSETID", "s", "3", "ENTRIESADDED", "4")
    assert entries_read() == [4, 2, -1]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["none", "x"], INVALID_ID),
        (["none", "9", "FOO"], SYNTAX),
        (["none", "9"], NO_KEY),
        (["str", "9"], WRONG_TYPE),
        (["s", "-"], INVALID_ID),
        (["s", "+"], INVALID_ID),
        (["s", "$"], INVALID_ID),
        (["s", "9-*"], INVALID_ID),
        (["s", "9", "ENTRIESADDED"], SYNTAX),
        (["s", "9", "ENTRIESADDED", "x"], NOT_AN_INTEGER),
        (["s", "9", "ENTRIESADDED", "-1", "FOO"], "ERR entries_added must be positive"),
        (["s", "9", "MAXDELETEDID", "x", "ENTRIESADDED", "-1"], INVALID_ID),
        (["none", "9", "MAXDELETEDID", "10", "FOO"], GIVEN_DELETED),
        (["s", "1", "ENTRIESADDED", "1"], DELETED),
        (["s", "2-9", "ENTRIESADDED", "1"], TOP),
        (["s", "3", "ENTRIESADDED", "1"], ADDED),
    ],
)
def test_xsetid_errors(world: Embedded, stream: Stream, words: list[str], text: str) -> None:
    stream.delete(2, 0)
    before = state(stream)
    assert world.main.error("XSETID", *words) == text
    assert state(stream) == before
    assert changes(world) == 0
