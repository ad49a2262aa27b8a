"""XGROUP RESET: where a group reads from, what is told of that, and what follows from it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.commands.positions import iso_ms
from headwater.keyspace.database import Keyspace
from headwater.persistence.apply import Applier
from headwater.streams.ids import MAX
from support.disk import SimulatedDisk
from support.durable import DurableEngine, reopened
from support.embedded import NOW_MS, Embedded
from support.journal import apply_batch, assert_equal_state, take_all

MINUTE_MS = 60_000
NOON = "2023-11-14T12:00:00Z"
NOON_MS = 1_699_963_200_000


@pytest.fixture
def world() -> Embedded:
    """Stream `s` with 1-0 to 6-0; of group `g`, ann has 1 to 3 pending, the others are new."""
    world = Embedded()
    for i in range(1, 7):
        world.main.ok("XADD", "s", f"{i}-0", "f", i)
    world.main.ok("XGROUP", "CREATE", "s", "g", "0")
    world.main.ok("XREADGROUP", "GROUP", "g", "ann", "COUNT", 3, "STREAMS", "s", ">")
    world.main.ok("SET", "str", "plain")
    return world


def run(world: Embedded, line: str) -> Any:
    return world.main.ok(*line.split())


def group(world: Embedded, key: str = "s") -> dict[bytes, Any]:
    [flat] = world.main.ok("XINFO", "GROUPS", key)
    return dict(zip(flat[::2], flat[1::2], strict=True))


def read_ids(world: Embedded, key: str = "s") -> list[bytes]:
    reply = world.main.ok("XREADGROUP", "GROUP", "g", "ann", "STREAMS", key, ">")
    return [] if reply is None else [entry[0] for entry in reply[0][1]]


# --- positions ---


@pytest.mark.parametrize(
    ("position", "first", "entries"),
    [
        ("-", b"1-0", 6),
        ("0", b"1-0", 6),
        ("0-0", b"1-0", 6),
        ("1", b"1-0", 6),
        ("3-0", b"3-0", 4),
        ("3-1", b"4-0", 3),
        ("TIME 5", b"5-0", 2),
        ("time 6", b"6-0", 1),
        ("6-0", b"6-0", 1),
        ("6-1", None, 0),
        ("$", None, 0),
        ("TIME 7", None, 0),
        (f"{MAX}-{MAX}", None, 0),
    ],
)
def test_the_group_reads_from_there(
    world: Embedded, position: str, first: bytes | None, entries: int
) -> None:
    assert run(world, f"XGROUP RESET s g {position} DRYRUN") == [first, entries, 0]
    assert group(world)[b"last-delivered-id"] == b"3-0"
    assert run(world, f"XGROUP RESET s g {position}") == [first, entries, 0]
    assert group(world)[b"lag"] == entries
    found = read_ids(world)
    assert len(found) == entries
    assert not found or found[0] == first


def test_what_comes_later_is_read_from_the_position_on(world: Embedded) -> None:
    run(world, "XGROUP RESET s g 8-0")
    run(world, "XADD s 7-5 f v")
    assert read_ids(world) == []
    run(world, "XADD s 8-0 f v")
    assert read_ids(world) == [b"8-0"]
    run(world, "XGROUP RESET s g $")
    run(world, "XADD s 8-1 f v")
    assert read_ids(world) == [b"8-1"]


@pytest.fixture
def hours() -> Embedded:
    """An entry for every hour of a day, and at noon one of a sequence more; it is evening."""
    world = Embedded()
    for hour in range(-12, 12):
        run(world, f"XADD s {NOON_MS + hour * 60 * MINUTE_MS}-0 hour {hour}")
    run(world, "XGROUP CREATE s g $")
    return world


@pytest.mark.parametrize(
    ("position", "first_ms", "entries"),
    [
        (NOON, NOON_MS, 12),
        ("2023-11-14T12:00:00", NOON_MS, 12),
        ("2023-11-14T13:00:00+01:00", NOON_MS, 12),
        ("2023-11-14t12:00z", NOON_MS, 12),
        ("20231114T120000Z", NOON_MS, 12),
        ("2023-11-14T12:00:00.0001Z", NOON_MS + 60 * MINUTE_MS, 11),
        ("2023-11-14T11:59:59.9999Z", NOON_MS, 12),
        ("2023-11-14", NOON_MS - 12 * 60 * MINUTE_MS, 24),
        ("1969-07-20", NOON_MS - 12 * 60 * MINUTE_MS, 24),
        (f"TIME {NOON_MS}", NOON_MS, 12),
        (f"TIME {NOON_MS + 1}", NOON_MS + 60 * MINUTE_MS, 11),
        (f"AGO {NOW_MS - NOON_MS}", NOON_MS, 12),
        (f"ago {NOW_MS + 5}", NOON_MS - 12 * 60 * MINUTE_MS, 24),
        ("9999-12-31T23:59:59Z", None, 0),
    ],
)
def test_times(hours: Embedded, position: str, first_ms: int | None, entries: int) -> None:
    first = None if first_ms is None else b"%d-0" % first_ms
    assert run(hours, f"XGROUP RESET s g {position}") == [first, entries, 0]
    assert read_ids(hours)[:1] == ([] if first is None else [first])


def test_a_time_with_a_blank(hours: Embedded) -> None:
    reply = hours.main.ok("XGROUP", "RESET", "s", "g", "2023-11-14 12:00")
    assert reply == [b"%d-0" % NOON_MS, 12, 0]


def test_an_instant_of_several_entries_is_read_whole(world: Embedded) -> None:
    run(world, "XADD s 7-1 f v")
    run(world, "XADD s 7-2 f v")
    assert run(world, "XGROUP RESET s g TIME 7") == [b"7-1", 2, 0]


@given(
    st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.timezones()).filter(
        lambda moment: moment.timestamp() >= 0
    )
)
def test_every_time_that_python_writes_is_read(moment: datetime) -> None:
    since = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    at_us = (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds
    offset = moment.utcoffset()
    assert offset is not None
    if offset.seconds % 60 == 0:
        assert iso_ms(moment.isoformat().encode()) == -(-at_us // 1000)


# --- what is refused ---

ACCEPTED = (
    "give an ID, -, 0, $, TIME unix-time-milliseconds, AGO milliseconds, or a time of ISO 8601 "
    "like 2026-11-22T12:00:00+01:00"
)


@pytest.mark.parametrize("word", ["yesterday", "1-2-3", "2026-13-01", "12:00", "+", "-1", "é", ""])
def test_what_is_no_position(world: Embedded, word: str) -> None:
    error = world.main.error("XGROUP", "RESET", "s", "g", word.encode())
    assert error.startswith("ERR Unknown position '")
    assert error.endswith(ACCEPTED)


@pytest.mark.parametrize("words", ["TIME", "AGO", "TIME -1", "AGO x", "TIME 9007199254740992"])
def test_what_is_no_number_of_milliseconds(world: Embedded, words: str) -> None:
    assert world.main.error("XGROUP", "RESET", "s", "g", *words.split()) == (
        f"ERR {words.split()[0]} must be followed by milliseconds, from 0 to 9007199254740991"
    )


def test_what_is_no_option(world: Embedded) -> None:
    assert world.main.error("XGROUP", "RESET", "s", "g", "0", "PENDING", "HALF") == (
        "ERR PENDING must be KEEP or DROP"
    )
    for words in (["PENDING"], ["DRY"], ["0"]):
        assert world.main.error("XGROUP", "RESET", "s", "g", "0", *words).startswith(
            f"ERR Unknown option '{words[0]}'"
        )
    assert group(world)[b"last-delivered-id"] == b"3-0"


def test_whom_it_is_about(world: Embedded) -> None:
    assert world.main.error("XGROUP", "RESET", "s", "nope", "0").startswith("NOGROUP")
    assert world.main.error("XGROUP", "RESET", "nope", "g", "0").startswith("ERR The XGROUP")
    assert world.main.error("XGROUP", "RESET", "str", "g", "0").startswith("WRONGTYPE")
    assert world.main.error("XGROUP", "RESET", "s", "g").startswith("ERR wrong number")


def test_who_may(world: Embedded) -> None:
    run(world, "ACL SETUSER ann on nopass ~s +xgroup|reset")
    run(world, "ACL SETUSER bob on nopass %R~s +@all")
    assert run(world, "ACL DRYRUN ann XGROUP RESET s g 0") == b"OK"
    assert b"no permissions" in run(world, "ACL DRYRUN ann XGROUP RESET other g 0")
    assert b"no permissions" in run(world, "ACL DRYRUN ann XGROUP SETID s g 0")
    assert b"no permissions" in run(world, "ACL DRYRUN bob XGROUP RESET s g 0")


# --- pending entries ---


def test_pending_entries_are_kept_or_dropped(world: Embedded) -> None:
    assert run(world, "XGROUP RESET s g 0 PENDING DROP DRYRUN") == [b"1-0", 6, 3]
    assert group(world)[b"pending"] == 3
    assert run(world, "XGROUP RESET s g 0 DRYRUN PENDING DROP") == [b"1-0", 6, 3]
    assert run(world, "XGROUP RESET s g $ PENDING KEEP") == [None, 0, 0]
    assert group(world)[b"pending"] == 3
    assert run(world, "XGROUP RESET s g 5 PENDING DROP") == [b"5-0", 2, 3]
    assert group(world)[b"pending"] == 0
    assert group(world)[b"consumers"] == 1
    assert run(world, "XREADGROUP GROUP g ann STREAMS s 0") == [[b"s", []]]
    assert read_ids(world) == [b"5-0", b"6-0"]
    assert run(world, "XACK s g 5-0 1-0") == 1


def test_an_entry_that_is_kept_and_read_again_is_pending_once(world: Embedded) -> None:
    run(world, "XGROUP RESET s g 2-0")
    reply = run(world, "XREADGROUP GROUP g bob COUNT 1 STREAMS s >")
    assert reply[0][1][0][0] == b"2-0"
    rows = run(world, "XPENDING s g - + 10")
    assert [(row[0], row[1], row[3]) for row in rows] == [
        (b"1-0", b"ann", 1),
        (b"2-0", b"bob", 1),
        (b"3-0", b"ann", 1),
    ]


def test_what_is_dropped_is_freed_bit_by_bit(world: Embedded) -> None:
    for first in range(0, 20_000, 100):
        for i in range(100):
            world.main.send("XADD", "big", f"{first + i + 1}-0", "f", "v")
    world.main.read_all()
    run(world, "XGROUP CREATE big g 0")
    run(world, "XREADGROUP GROUP g ann COUNT 12000 STREAMS big >")
    run(world, "XREADGROUP GROUP g bob COUNT 4000 STREAMS big >")
    assert run(world, "XGROUP RESET big g 0 PENDING DROP") == [b"1-0", 20_000, 16_000]
    keyspace = world.engine.keyspace
    assert sum(len(part) for part in keyspace.graveyard) > 20
    stream = keyspace.databases[0].values[b"big"]
    stream.groups[b"g"].check()  # type: ignore[attr-defined]
    while world.engine.tick():
        pass
    assert not keyspace.graveyard
    assert len(read_ids(world, "big")) == 20_000
    stream.groups[b"g"].check()  # type: ignore[attr-defined]


def test_dropping_in_a_managed_group_leaves_nothing_due(world: Embedded) -> None:
    run(world, "XGROUP CFGSET s g ACKWAIT 1000 MAXDELIVERIES 2")
    world.pass_ms(2000)
    assert run(world, "XGROUP RESET s g $ PENDING DROP") == [None, 0, 3]
    world.pass_ms(5000)
    assert read_ids(world) == []
    assert run(world, "EXISTS s:dead-letter") == 0


# --- counters ---


def lags(world: Embedded, position: str) -> tuple[Any, Any, Any]:
    """What RESET says is behind a position, what Redis's lag says then, and the counter."""
    entries = run(world, f"XGROUP RESET s g {position}")[1]
    found = group(world)
    return entries, found[b"lag"], found[b"entries-read"]


def test_the_lag_is_right_where_it_can_be_known(world: Embedded) -> None:
    assert lags(world, "4-0") == (3, 3, 3)
    run(world, "XTRIM s MAXLEN 4")
    assert lags(world, "0") == (4, 4, 2)
    assert lags(world, "4-0") == (3, 3, 3)
    run(world, "XDEL s 4-0")
    assert lags(world, "5-0") == (2, 2, 4)
    assert lags(world, "4-0") == (2, None, None)
    assert lags(world, "3-0") == (3, None, None)
    assert lags(world, "$") == (0, 0, 6)
    run(world, "XADD s * f v")
    assert group(world)[b"lag"] == 1


def test_an_empty_stream(world: Embedded) -> None:
    run(world, "XTRIM s MAXLEN 0")
    for position in ("-", "$", "3", "AGO 5", "9-9"):
        assert run(world, f"XGROUP RESET s g {position} DRYRUN") == [None, 0, 0]
    run(world, "XGROUP RESET s g 0")
    run(world, "XADD s 7-0 f v")
    assert read_ids(world) == [b"7-0"]
    assert group(world)[b"lag"] == 0


@given(
    st.lists(st.integers(1, 60), min_size=1, unique=True).map(sorted),
    st.lists(st.integers(1, 60)),
    st.integers(0, 20),
    st.integers(0, 62),
)
def test_it_counts_what_a_reader_gets(
    ids: list[int], deleted: list[int], trimmed: int, position: int
) -> None:
    world = Embedded(stream_node_max_entries="4")
    for i in ids:
        world.main.ok("XADD", "s", f"{i}-0", "f", i)
    world.main.ok("XGROUP", "CREATE", "s", "g", "$")
    world.main.ok("XTRIM", "s", "MAXLEN", max(0, len(ids) - trimmed))
    for i in deleted:
        world.main.ok("XDEL", "s", f"{i}-0")
    left = [entry[0] for entry in run(world, "XRANGE s - +")]
    expected = [i for i in left if int(i.split(b"-")[0]) >= position]
    first, entries, _ = run(world, f"XGROUP RESET s g {position}-0")
    lag = group(world)[b"lag"]
    assert (entries, first) == (len(expected), expected[0] if expected else None)
    assert lag in (None, len(expected))
    assert read_ids(world) == expected


# --- who is told ---


def test_a_blocked_reader_wakes(world: Embedded) -> None:
    read_ids(world)
    other = world.connect()
    other.send("XREADGROUP", "GROUP", "g", "bob", "BLOCK", 0, "STREAMS", "s", ">")
    assert run(world, "XGROUP RESET s g 6-0 DRYRUN") == [b"6-0", 1, 0]
    assert other.read_all() == []
    run(world, "XGROUP RESET s g 6-0")
    [(_, [(_, [_, (_, [(_, [(_, first), _])])])])] = other.read_all()
    assert first == b"6-0"


def test_a_reader_whose_consumer_had_too_much_pending_wakes(world: Embedded) -> None:
    run(world, "XGROUP CFGSET s g MAXPENDING 3")
    other = world.connect()
    other.send("XREADGROUP", "GROUP", "g", "ann", "BLOCK", 0, "STREAMS", "s", ">")
    assert other.read_all() == []
    run(world, "XGROUP RESET s g 6-0 PENDING DROP")
    assert len(other.read_all()) == 1


def test_events(world: Embedded) -> None:
    run(world, "CONFIG SET notify-keyspace-events KEt")
    listener = world.connect()
    listener.send("SUBSCRIBE", "__keyspace@0__:s")
    listener.read_all()
    run(world, "XGROUP RESET s g 0 DRYRUN")
    run(world, "XGROUP RESET s g 0 PENDING DROP")
    assert [reply[1][2][1] for reply in listener.read_all()] == [b"xgroup-setid"]


def test_it_is_described(world: Embedded) -> None:
    lines = run(world, "XGROUP HELP")
    at = next(i for i, line in enumerate(lines) if line.startswith(b"RESET key group <"))
    assert lines[at].endswith(b"[PENDING <KEEP | DROP>] [DRYRUN]")
    assert run(world, "COMMAND GETKEYS XGROUP RESET s g 0") == [b"s"]


def test_in_a_transaction_it_sees_what_came_before(world: Embedded) -> None:
    for line in ("MULTI", "XADD s 7-0 f v", "XGROUP RESET s g 7 PENDING DROP"):
        run(world, line)
    assert run(world, "EXEC") == [b"7-0", [b"7-0", 1, 3]]


# --- what survives ---

DONE = [
    *(f"XADD s {i}-0 f v" for i in range(1, 40)),
    "XGROUP CREATE s g 0",
    "XGROUP CREATE s other 0",
    "XREADGROUP GROUP g ann COUNT 7 STREAMS s >",
    "XREADGROUP GROUP other ann COUNT 7 STREAMS s >",
    "XGROUP RESET s g 20-0 DRYRUN",
    "XGROUP RESET s g 20-0 PENDING DROP",
    "XREADGROUP GROUP g bob COUNT 5 STREAMS s >",
    "XDEL s 23-0",
    "XGROUP RESET s g 3-0",
    "XREADGROUP GROUP g bob COUNT 5 STREAMS s >",
    "XGROUP CFGSET s other ACKWAIT 100",
    "XGROUP RESET s other AGO 5 PENDING DROP",
]


def test_what_is_recorded_gives_the_same_state() -> None:
    world = Embedded()
    world.state.recorder.start(0, 0)
    for line in DONE:
        run(world, line)
    applier = Applier(Keyspace(world.clock, 16))
    for batch in take_all(world.state.recorder):
        apply_batch(applier, batch)
    assert_equal_state(world.state.keyspace, applier.keyspace)


@pytest.mark.parametrize("rewritten", [False, True])
def test_it_survives(rewritten: bool) -> None:
    disk = SimulatedDisk("/data")
    store = DurableEngine(disk, appendfsync="always")
    for line in DONE:
        store.ok(*line.split())
    if rewritten:
        store.ok("BGREWRITEAOF")
    store.settle()
    held = store.digest()
    disk.kill()
    again = reopened(disk, store, appendfsync="always")
    assert again.digest() == held
    assert again.ok("XPENDING", "s", "g")[0][1] == 5 + 5
    again.stop()


# --- ORDERBY ---


@pytest.fixture
def ordered() -> Embedded:
    """Entries 1-0 to 6-0 of two customers in turn; ann has 1-0 and 2-0, the others are held."""
    world = Embedded()
    for i in range(1, 7):
        run(world, f"XADD s {i}-0 customer {i % 2}")
    run(world, "XGROUP CREATE s g 0")
    run(world, "XGROUP CFGSET s g ORDERBY customer")
    assert read_ids(world) == [b"1-0", b"2-0"]
    return world


@pytest.mark.parametrize("options", ["", "PENDING DROP"])
def test_held_entries_are_read_from_the_position_on(ordered: Embedded, options: str) -> None:
    expected = 2 if options else 0
    assert run(ordered, f"XGROUP RESET s g 4-0 {options}") == [b"4-0", 3, expected]
    if not options:
        assert read_ids(ordered) == []
        run(ordered, "XACK s g 1-0 2-0")
    assert read_ids(ordered) == [b"4-0", b"5-0"]
    run(ordered, "XACK s g 4-0")
    assert read_ids(ordered) == [b"6-0"]
    run(ordered, "XACK s g 5-0 6-0")
    assert read_ids(ordered) == []


def test_that_nothing_is_held_any_more_survives() -> None:
    disk = SimulatedDisk("/data")
    store = DurableEngine(disk, appendfsync="always")
    for i in range(1, 7):
        store.ok("XADD", "s", f"{i}-0", "customer", i % 2)
    store.ok("XGROUP", "CREATE", "s", "g", "0")
    store.ok("XGROUP", "CFGSET", "s", "g", "ORDERBY", "customer")
    store.ok("XREADGROUP", "GROUP", "g", "ann", "STREAMS", "s", ">")
    store.ok("XGROUP", "RESET", "s", "g", "5-0", "PENDING", "DROP")
    store.settle()
    held = store.digest()
    disk.kill()
    again = reopened(disk, store, appendfsync="always")
    assert again.digest() == held
    again.stop()
