"""XCLAIM and XAUTOCLAIM."""

from __future__ import annotations

from typing import Any

import pytest

from support.embedded import NOW_MS, Client, Embedded

MAX_ID = "18446744073709551615-18446744073709551615"
INVALID_ID = "ERR Invalid stream ID specified as stream command argument"
NO_GROUP = "NOGROUP No such key 's' or consumer group 'nope'"
WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"


def run(world: Embedded, line: str) -> Any:
    return world.main.ok(*line.split())


def say(client: Client, line: str) -> None:
    client.send(*line.split())


@pytest.fixture
def world() -> Embedded:
    """Stream `s` with 1-0 to 6-0; of group `g`, ann has 1 to 4 pending for a second."""
    world = Embedded()
    for i in range(1, 7):
        world.main.ok("XADD", "s", f"{i}-0", "f", i)
    run(world, "XGROUP CREATE s g 0")
    run(world, "XREADGROUP GROUP g ann COUNT 4 STREAMS s >")
    run(world, "SET str plain")
    world.pass_ms(1000)
    return world


def entry(i: int) -> list[Any]:
    return [b"%d-0" % i, [b"f", b"%d" % i]]


def pending(world: Embedded) -> list[tuple[bytes, bytes, int, int]]:
    return [tuple(found) for found in run(world, "XPENDING s g - + 100")]


def consumers(world: Embedded) -> dict[bytes, tuple[int, int]]:
    """By name: idle and inactive, ms."""
    found = {}
    for flat in run(world, "XINFO CONSUMERS s g"):
        by_name = dict(zip(flat[::2], flat[1::2], strict=True))
        found[by_name[b"name"]] = (by_name[b"idle"], by_name[b"inactive"])
    return found


# --- XCLAIM ---


def test_claim_takes_over(world: Embedded) -> None:
    assert run(world, "XCLAIM s g bob 1000 2-0 4-0 5-0 9-0") == [entry(2), entry(4)]
    assert pending(world) == [
        (b"1-0", b"ann", 1000, 1),
        (b"2-0", b"bob", 0, 2),
        (b"3-0", b"ann", 1000, 1),
        (b"4-0", b"bob", 0, 2),
    ]


def test_claim_leaves_the_busy_alone(world: Embedded) -> None:
    assert run(world, "XCLAIM s g bob 1001 1-0 2-0") == []
    assert consumers(world)[b"bob"] == (0, -1)
    assert run(world, "XCLAIM s g bob -1 1-0 1-0 JUSTID") == [b"1-0", b"1-0"]
    assert consumers(world)[b"bob"] == (0, 0)


@pytest.mark.parametrize(
    ("options", "idle", "count"),
    [
        ("", 0, 2),
        ("JUSTID", 0, 1),
        ("IDLE 700", 700, 2),
        ("IDLE 700 JUSTID RETRYCOUNT 9", 700, 9),
        ("IDLE -3", 0, 2),
        ("IDLE 9223372036854775807", 0, 2),
        ("IDLE -9223372036854775808", 0, 2),
        (f"TIME {NOW_MS}", 1000, 2),
        (f"TIME {NOW_MS + 1001}", 0, 2),
        ("TIME -1", 0, 2),
        ("TIME 0", NOW_MS + 1000, 2),
        ("RETRYCOUNT 0", 0, 0),
        ("RETRYCOUNT -5", 0, 2),
        ("RETRYCOUNT 9223372036854775807", 0, 2**63 - 1),
        ("force", 0, 2),
    ],
)
def test_claim_options(world: Embedded, options: str, idle: int, count: int) -> None:
    run(world, f"XCLAIM s g bob 0 1-0 {options}")
    assert pending(world)[0] == (b"1-0", b"bob", idle, count)


def test_force_makes_pending_what_the_stream_has(world: Embedded) -> None:
    assert run(world, "XCLAIM s g bob 50000 5-0 6-0 FORCE JUSTID") == [b"5-0", b"6-0"]
    assert run(world, "XCLAIM s g bob 0 7-0 FORCE") == []
    assert pending(world)[4:] == [(b"5-0", b"bob", 0, 1), (b"6-0", b"bob", 0, 1)]
    run(world, "XACK s g 5-0")
    run(world, "XCLAIM s g bob 0 5-0 FORCE")
    assert pending(world)[4] == (b"5-0", b"bob", 0, 2)


def test_claim_drops_what_is_deleted(world: Embedded) -> None:
    run(world, "XDEL s 2-0")
    assert run(world, "XCLAIM s g bob 50000 2-0 3-0") == []
    assert [found[0] for found in pending(world)] == [b"1-0", b"3-0", b"4-0"]


def test_nacked_entries_need_not_be_idle(world: Embedded) -> None:
    run(world, "XNACK s g SILENT IDS 1 1-0")
    assert run(world, "XCLAIM s g bob 9223372036854775807 1-0 2-0") == [entry(1)]
    assert pending(world)[0] == (b"1-0", b"bob", 0, 1)


def test_lastid_moves_the_group_forward_only(world: Embedded) -> None:
    run(world, "XCLAIM s g bob 0 1-0 LASTID 2")
    assert run(world, "XINFO GROUPS s")[0][7] == b"4-0"
    run(world, "XCLAIM s g bob 0 1-0 LASTID 6-0")
    assert run(world, "XINFO GROUPS s")[0][7] == b"6-0"
    assert run(world, "XREADGROUP GROUP g bob STREAMS s >") is None


def test_ids_may_be_missing(world: Embedded) -> None:
    assert run(world, "XCLAIM s g bob 0 FORCE") == []


def test_an_entry_that_becomes_idle_enough_wakes_who_waits(world: Embedded) -> None:
    run(world, "XREADGROUP GROUP g ann STREAMS s >")
    reader = world.connect()
    say(reader, "XREADGROUP GROUP g cyd COUNT 1 BLOCK 0 CLAIM 50000 STREAMS s >")
    assert reader.read_all() == []
    run(world, "XCLAIM s g ann 0 3-0 IDLE 50000")
    ((_, replies),) = reader.read_all()
    assert replies[0][1][1][1][0][1][0] == ("$", b"3-0")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("s nope bob x 1-0", NO_GROUP),
        ("str g bob x 1-0", WRONG_TYPE),
        ("s g bob x 1-0 BOGUS", "ERR Invalid min-idle-time argument for XCLAIM"),
        ("s g bob 0 1-0 BOGUS", "ERR Unrecognized XCLAIM option 'BOGUS'"),
        ("s g bob 0 1-0 1- 2-0", "ERR Unrecognized XCLAIM option '1-'"),
        ("s g bob 0 -", "ERR Unrecognized XCLAIM option '-'"),
        ("s g bob 0 1-0 IDLE", "ERR Unrecognized XCLAIM option 'IDLE'"),
        ("s g bob 0 1-0 IDLE x", "ERR Invalid IDLE option argument for XCLAIM"),
        ("s g bob 0 1-0 TIME x", "ERR Invalid TIME option argument for XCLAIM"),
        ("s g bob 0 1-0 RETRYCOUNT x", "ERR Invalid RETRYCOUNT option argument for XCLAIM"),
        ("s g bob 0 1-0 LASTID x", INVALID_ID),
        ("s g bob 0 1-0 LASTID -", INVALID_ID),
    ],
)
def test_xclaim_errors(world: Embedded, line: str, text: str) -> None:
    assert world.main.error("XCLAIM", *line.split()) == text
    assert b"bob" not in consumers(world)


# --- XAUTOCLAIM ---


def test_autoclaim_goes_on_where_it_stopped(world: Embedded) -> None:
    assert run(world, "XAUTOCLAIM s g bob 1000 - COUNT 3") == [
        b"4-0",
        [entry(1), entry(2), entry(3)],
        [],
    ]
    assert run(world, "XAUTOCLAIM s g bob 1000 4-0 COUNT 3 JUSTID") == [b"0-0", [b"4-0"], []]
    assert [(found[1], found[3]) for found in pending(world)] == [(b"bob", 2)] * 3 + [(b"bob", 1)]
    assert consumers(world)[b"bob"] == (0, 0)


def test_autoclaim_of_nothing(world: Embedded) -> None:
    assert run(world, "XAUTOCLAIM s g bob 1001 0") == [b"0-0", [], []]
    assert run(world, "XAUTOCLAIM s g bob 0 (4-0") == [b"0-0", [], []]
    assert run(world, "XAUTOCLAIM s g bob 0 +") == [b"0-0", [], []]
    assert consumers(world)[b"bob"] == (0, -1)


def test_autoclaim_tells_and_drops_what_is_deleted(world: Embedded) -> None:
    run(world, "XDEL s 1-0 3-0")
    assert run(world, "XAUTOCLAIM s g bob 50000 0 COUNT 1") == [b"2-0", [], [b"1-0"]]
    assert run(world, "XAUTOCLAIM s g bob 0 0 COUNT 2") == [b"4-0", [entry(2)], [b"3-0"]]
    assert [found[0] for found in pending(world)] == [b"2-0", b"4-0"]


def test_autoclaim_drops_what_is_deleted_where_ids_went_back(world: Embedded) -> None:
    """All goes at the head; then lower IDs come: the old ones have no data although above."""
    run(world, "XGROUP CREATE other group $ MKSTREAM")
    for i in (5, 6):
        run(world, f"XADD other {i}-0 f v")
    run(world, "XREADGROUP GROUP group ann STREAMS other >")
    run(world, "XTRIM other MAXLEN 0")
    run(world, "XSETID other 1-0")
    run(world, "XADD other 2-0 f v")
    assert run(world, "XAUTOCLAIM other group bob 50000 0") == [b"0-0", [], [b"5-0", b"6-0"]]


def test_a_reader_claims_what_has_data_again(world: Embedded) -> None:
    run(world, "XTRIM s MAXLEN 0")
    run(world, "XREADGROUP GROUP g bob CLAIM 500 STREAMS s >")
    run(world, "XSETID s 0-1")
    run(world, "XADD s 2-0 f new")
    [[_, found]] = run(world, "XREADGROUP GROUP g bob CLAIM 500 STREAMS s >")
    assert found == [[b"2-0", [b"f", b"new"], 1000, 1]]


def test_autoclaim_looks_at_ten_for_each_of_count(world: Embedded) -> None:
    for i in range(7, 40):
        world.main.ok("XADD", "s", f"{i}-0", "f", i)
    run(world, "XREADGROUP GROUP g ann STREAMS s >")
    run(world, "XCLAIM s g ann 0 " + " ".join(f"{i}-0" for i in range(1, 5)))
    assert run(world, "XAUTOCLAIM s g bob 1 0 COUNT 2") == [b"21-0", [], []]
    assert run(world, "XAUTOCLAIM s g bob 1 21-0 COUNT 2") == [b"0-0", [], []]


def test_autoclaim_up_to_the_last_id_there_is(world: Embedded) -> None:
    world.main.ok("XADD", "s", MAX_ID, "f", "v")
    run(world, "XREADGROUP GROUP g ann STREAMS s >")
    assert run(world, "XAUTOCLAIM s g bob 0 6-0 JUSTID") == [
        b"0-0",
        [b"6-0", MAX_ID.encode()],
        [],
    ]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("s nope bob x 0", "ERR Invalid min-idle-time argument for XAUTOCLAIM"),
        ("s nope bob 0 x", INVALID_ID),
        (f"s nope bob 0 ({MAX_ID}", "ERR invalid start ID for the interval"),
        ("s nope bob 0 0 COUNT", "ERR syntax error"),
        ("s nope bob 0 0 BOGUS", "ERR syntax error"),
        ("s nope bob 0 0 COUNT x", "ERR COUNT must be > 0"),
        ("s nope bob 0 0 COUNT 0", "ERR COUNT must be > 0"),
        ("s nope bob 0 0 COUNT 576460752303423488", "ERR COUNT must be > 0"),
        ("s nope bob 0 0", NO_GROUP),
        ("str g bob 0 0", WRONG_TYPE),
    ],
)
def test_xautoclaim_errors(world: Embedded, line: str, text: str) -> None:
    assert world.main.error("XAUTOCLAIM", *line.split()) == text
    assert b"bob" not in consumers(world)


def test_autoclaim_without_a_minimum_takes_what_was_delivered_later_than_now(
    world: Embedded,
) -> None:
    """The clock was set back after the delivery."""
    world.pass_ms(-5000)
    assert run(world, "XCLAIM s g bob 0 1-0 JUSTID") == [b"1-0"]
    assert run(world, "XAUTOCLAIM s g bob 1 0 JUSTID") == [b"0-0", [], []]
    found = run(world, "XAUTOCLAIM s g bob 0 0 JUSTID")
    assert found == [b"0-0", [b"1-0", b"2-0", b"3-0", b"4-0"], []]
