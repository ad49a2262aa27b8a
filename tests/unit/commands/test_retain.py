"""XCFGSET RETAIN-*, XCFGGET: what a stream retains, carried out by the server."""

from __future__ import annotations

from typing import Any

import pytest

from headwater.commands.digest import value_digest
from headwater.commands.retaining import next_ms, run
from headwater.streams.stream import Stream
from support.embedded import NOW_MS, Embedded

DAY_MS = 86_400_000
BY_TWO = {"stream_node_max_entries": "2", "enable_debug_command": "yes"}  # entries of a block


@pytest.fixture
def world() -> Embedded:
    return Embedded(**BY_TWO)


def stream_of(world: Embedded, key: bytes = b"s") -> Stream:
    found = world.main.session.database.peek(key)
    assert isinstance(found, Stream)
    return found


def add(world: Embedded, n: int, key: str = "s", first_ms: int = 1) -> None:
    for ms in range(first_ms, first_ms + n):
        world.main.ok("XADD", key, f"{ms}-0", "f", f"v{ms}")


def ids(world: Embedded, key: str = "s") -> list[int]:
    return [int(row[0].split(b"-")[0]) for row in world.main.ok("XRANGE", key, "-", "+")]


def config(world: Embedded, key: str = "s") -> dict[bytes, Any]:
    flat = world.main.ok("XCFGGET", key)
    return dict(zip(flat[::2], flat[1::2], strict=True))


def soon(world: Embedded, ms: int = 100) -> None:
    """Let the server do what is due within this time."""
    world.pass_ms(ms)


# --- the words ---


def test_what_is_set_is_told(world: Embedded) -> None:
    add(world, 2, first_ms=NOW_MS - 50)
    stored = stream_of(world).entry_bytes
    assert list(config(world).items()) == [
        (b"idmp-duration", 100),
        (b"idmp-maxsize", 100),
        (b"retain-maxlen", 0),
        (b"retain-maxage", 0),
        (b"retain-maxbytes", 0),
        (b"retain-acked", b"no"),
        (b"bytes", stored),
        (b"first-entry-age", 50),
    ]
    words = "RETAIN-MAXLEN", 9, "retain-maxage", 8, "RETAIN-MAXBYTES", 777, "IDMP-DURATION", 6
    assert world.main.call("XCFGSET", "s", *words, "Retain-Acked", "YES") == ("+", b"OK")
    assert list(config(world).values())[:6] == [6, 100, 9, 8, 777, b"yes"]
    world.main.ok("XCFGSET", "s", "RETAIN-MAXAGE", 0, "RETAIN-ACKED", "no")
    assert list(config(world).values())[2:6] == [9, 0, 777, b"no"]
    world.main.ok("XCFGSET", "s", "RETAIN-MAXLEN", 0, "RETAIN-MAXBYTES", 0)
    assert stream_of(world).retention is None
    world.main.ok("XTRIM", "s", "MAXLEN", 0)
    assert (config(world)[b"bytes"], config(world)[b"first-entry-age"]) == (0, None)


def test_xcfgget_is_a_map_in_resp3() -> None:
    world = Embedded(resp=3)
    add(world, 1)
    assert world.main.ok("XCFGGET", "s")[b"retain-maxlen"] == 0


def test_retention_alone_makes_no_window_of_idempotent_ids(world: Embedded) -> None:
    add(world, 1)
    world.main.ok("XCFGSET", "s", "RETAIN-MAXLEN", 9)
    assert stream_of(world).idmp is None


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["RETAIN-MAXLEN"], "ERR option RETAIN-MAXLEN needs a value"),
        (["RETAIN-MAXSIZE", "1"], "ERR syntax error"),
        (
            ["RETAIN-MAXLEN", "-1"],
            "ERR RETAIN-MAXLEN must be a whole number from 0 (no limit) to 9007199254740991, "
            "not '-1'",
        ),
        (
            ["RETAIN-MAXLEN", "5", "retain-maxage", "1h"],
            "ERR RETAIN-MAXAGE must be a whole number from 0 (no limit) to 9007199254740991, "
            "not '1h'",
        ),
        (
            ["RETAIN-MAXBYTES", str(2**53)],
            "ERR RETAIN-MAXBYTES must be a whole number from 0 (no limit) to 9007199254740991, "
            "not '9007199254740992'",
        ),
        (["RETAIN-ACKED", "1"], "ERR RETAIN-ACKED must be yes or no, not '1'"),
        (["RETAIN-MAXLEN", "5", "IDMP-DURATION", "0"], "ERR IDMP-DURATION must be between 1 and"),
    ],
)
def test_errors_change_nothing(world: Embedded, words: list[str], text: str) -> None:
    add(world, 1)
    assert world.main.error("XCFGSET", "s", *words).startswith(text)
    assert stream_of(world).retention is None
    assert stream_of(world).idmp is None


def test_errors_of_the_key(world: Embedded) -> None:
    world.main.ok("SET", "str", "x")
    assert world.main.error("XCFGGET", "none") == "ERR no such key"
    assert world.main.error("XCFGSET", "none", "RETAIN-MAXLEN", 1) == "ERR no such key"
    assert world.main.error("XCFGGET", "str").startswith("WRONGTYPE")
    assert world.main.error("XCFGGET").startswith("ERR wrong number of arguments")


# --- MAXLEN ---


def test_xadd_drops_whole_blocks_and_the_server_the_rest(world: Embedded) -> None:
    add(world, 4)
    world.main.ok("XCFGSET", "s", "RETAIN-MAXLEN", 3)
    soon(world, 0)
    assert ids(world) == [2, 3, 4]
    add(world, 1, first_ms=5)
    assert ids(world) == [3, 4, 5]
    add(world, 1, first_ms=6)
    assert ids(world) == [3, 4, 5, 6]
    soon(world, 99)
    assert ids(world) == [3, 4, 5, 6]
    soon(world, 1)
    assert ids(world) == [4, 5, 6]
    add(world, 2, first_ms=7)
    assert ids(world) == [5, 6, 7, 8]


def test_a_lower_limit_works_at_once_and_in_pieces(world: Embedded) -> None:
    add(world, 5000)
    world.main.ok("XCFGSET", "s", "RETAIN-MAXLEN", 10)
    stream = stream_of(world)
    run(world.state, world.main.session.database, b"s", stream)
    assert stream.length == 3000, "one turn does a bounded amount"
    assert next_ms(world.state, stream) == NOW_MS
    add(world, 1, first_ms=5001)
    assert stream.length == 2997, "two blocks at most"
    for _ in range(3):
        soon(world, 0)
    assert ids(world) == list(range(4992, 5002))


def test_maxlen_one_keeps_the_last(world: Embedded) -> None:
    add(world, 7)
    world.main.ok("XCFGSET", "s", "RETAIN-MAXLEN", 1)
    soon(world)
    assert ids(world) == [7]


# --- MAXBYTES ---


def test_maxbytes_counts_what_readers_are_sent(world: Embedded) -> None:
    add(world, 9)
    each = stream_of(world).entry_bytes // 9
    world.main.ok("XCFGSET", "s", "RETAIN-MAXBYTES", 4 * each + 1)
    soon(world)
    assert ids(world) == [6, 7, 8, 9]
    world.main.ok("XCFGSET", "s", "RETAIN-MAXBYTES", 3 * each)
    soon(world)
    assert ids(world) == [7, 8, 9]
    assert config(world)[b"bytes"] == 3 * each
    world.main.ok("XCFGSET", "s", "RETAIN-MAXBYTES", 1)
    soon(world)
    assert ids(world) == [9], "the last entry stays, however big it is"
    add(world, 1, first_ms=50)
    soon(world)
    assert ids(world) == [50]


# --- MAXAGE ---


def test_entries_go_when_they_are_too_old_also_when_nobody_adds(world: Embedded) -> None:
    for _ in range(5):
        world.main.ok("XADD", "s", "*", "f", "v")
        world.pass_ms(1000)
    world.main.ok("XCFGSET", "s", "RETAIN-MAXAGE", 5000)
    soon(world, 0)
    assert ids(world) == [NOW_MS + 1000 * n for n in range(5)]
    soon(world, 1)
    assert ids(world) == [NOW_MS + 1000 * n for n in range(1, 5)]
    soon(world, 999)
    assert stream_of(world).length == 4
    soon(world, 1)
    assert stream_of(world).length == 3, "not a tenth of a second behind the one before"
    soon(world, 3000)
    assert ids(world) == []
    assert world.main.ok("EXISTS", "s") == 1
    world.main.ok("XADD", "s", "*", "f", "v")
    soon(world, 5000)
    assert stream_of(world).length == 1
    soon(world, 1)
    assert stream_of(world).length == 0


def test_many_entries_are_not_a_turn_each(world: Embedded) -> None:
    world.main.ok("XADD", "s", NOW_MS, "f", "v")
    world.main.ok("XCFGSET", "s", "RETAIN-MAXAGE", 1000)
    add(world, 200, first_ms=NOW_MS + 1)
    soon(world, 0)
    soon(world, 1001)
    assert stream_of(world).length == 200
    world.pass_ms(50)
    assert stream_of(world).length == 200
    world.pass_ms(50)
    assert stream_of(world).length == 100


def test_ids_that_are_no_times(world: Embedded) -> None:
    add(world, 3)
    world.main.ok("XCFGSET", "s", "RETAIN-MAXAGE", DAY_MS)
    soon(world)
    assert ids(world) == [], "such IDs are of 1970"
    world.main.ok("XADD", "s", f"{NOW_MS + DAY_MS}-0", "f", "v")
    world.main.ok("XADD", "s", "*", "f", "v")
    soon(world, 2 * DAY_MS - 100)
    assert stream_of(world).length == 2, "ahead of the clock: it is as old as its ID says"
    soon(world, 1)
    assert stream_of(world).length == 0
    world.main.ok("XADD", "s", f"{2**64 - 1}-0", "f", "v")
    soon(world, DAY_MS)
    assert stream_of(world).length == 1


# --- ACKED ---


def group(world: Embedded, name: str = "g", read: int = 0) -> None:
    world.main.ok("XGROUP", "CREATE", "s", name, "0")
    if read:
        words = "GROUP", name, "c", "COUNT", read, "STREAMS", "s", ">"
        world.main.ok("XREADGROUP", *words)


def test_what_all_groups_have_acknowledged_goes(world: Embedded) -> None:
    add(world, 10)
    world.main.ok("XCFGSET", "s", "RETAIN-ACKED", "yes")
    soon(world, 5000)
    assert len(ids(world)) == 10, "without a group nothing is acknowledged"
    group(world, "a", 6)
    group(world, "b", 9)
    soon(world, 5000)
    assert len(ids(world)) == 10
    world.main.ok("XACK", "s", "a", 1, 2, 3, 4, 5)
    soon(world)
    assert len(ids(world)) == 10
    world.main.ok("XACK", "s", "b", 1, 2, 3)
    soon(world, 99)
    assert len(ids(world)) == 10
    soon(world, 1)
    assert ids(world) == [4, 5, 6, 7, 8, 9, 10]
    world.main.ok("XACK", "s", "a", 6)
    world.main.ok("XACK", "s", "b", 4, 5, 6, 7, 8, 9)
    soon(world)
    assert ids(world) == [7, 8, 9, 10]
    world.main.ok("XGROUP", "DESTROY", "s", "a")
    soon(world)
    assert ids(world) == [10]
    world.main.ok("XREADGROUP", "GROUP", "b", "c", "NOACK", "STREAMS", "s", ">")
    soon(world)
    assert ids(world) == []


def test_behind_an_entry_that_stays_whole_blocks_go_then_single_ones(world: Embedded) -> None:
    add(world, 30)
    world.main.ok("XCFGSET", "s", "RETAIN-ACKED", "yes")
    group(world, "g", 29)
    world.main.ok("XACK", "s", "g", *[n for n in range(1, 30) if n not in (4, 13)])
    soon(world)
    assert ids(world) == [4, 13, 14, 29, 30]
    soon(world, 1000)
    assert ids(world) == [4, 13, 29, 30], "the block of 29 is not all delivered"
    assert world.main.ok("XPENDING", "s", "g")[0] == 2
    world.main.ok("XACK", "s", "g", 4)
    soon(world)
    assert ids(world) == [13, 29, 30]
    world.main.ok("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">")
    world.main.ok("XACK", "s", "g", 13, 30)
    soon(world)
    assert ids(world) == []


def test_pending_entries_without_data_hold_nothing(world: Embedded) -> None:
    add(world, 20)
    world.main.ok("XCFGSET", "s", "RETAIN-ACKED", "yes")
    group(world, "g", 20)
    world.main.ok("XDEL", "s", 1, 2, 3, 12)
    world.main.ok("XACK", "s", "g", *[n for n in range(4, 21) if n != 12])
    for _ in range(4):
        soon(world, 1000)
    assert ids(world) == []
    assert world.main.ok("XPENDING", "s", "g")[0] == 4


def test_a_group_that_is_set_back_gets_what_is_still_there(world: Embedded) -> None:
    add(world, 12)
    world.main.ok("XCFGSET", "s", "RETAIN-ACKED", "yes")
    group(world, "g", 12)
    world.main.ok("XACK", "s", "g", *[n for n in range(1, 13) if n != 3])
    world.main.ok("XGROUP", "SETID", "s", "g", 5)
    soon(world)
    assert ids(world) == [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    soon(world, 5000)
    assert ids(world) == [3, 5, 6, 7, 8, 9, 10, 11, 12]


def test_groups_that_are_idle_for_too_long_do_not_count(world: Embedded) -> None:
    add(world, 4)
    world.main.ok("XCFGSET", "s", "RETAIN-ACKED", "yes")
    group(world, "lives", 4)
    group(world, "dead")
    world.main.ok("XGROUP", "CFGSET", "s", "dead", "GROUPTTL", 1000)
    world.main.ok("XACK", "s", "lives", 1, 2)
    soon(world, 900)
    assert ids(world) == [1, 2, 3, 4]
    for _ in range(4):
        soon(world, 1000)
    assert ids(world) == [3, 4]


# --- what else happens ---


def test_events_pending_entries_and_counters(world: Embedded) -> None:
    world.main.ok("CONFIG", "SET", "notify-keyspace-events", "KEA")
    listener = world.connect()
    listener.send("PSUBSCRIBE", "__keyspace@0__:s")
    add(world, 5)
    group(world, "g", 3)
    world.main.ok("XCFGSET", "s", "RETAIN-MAXLEN", 4)
    listener.read_all()
    dirty = world.state.keyspace.dirty
    soon(world)
    world.state.channels.deliver_all()
    assert [reply[1][3][1] for reply in listener.read_all()] == [b"xtrim"]
    assert world.state.keyspace.dirty == dirty + 1
    assert world.main.ok("XPENDING", "s", "g")[0] == 3
    soon(world, 10_000)
    assert listener.read_all() == []
    add(world, 1, first_ms=7)
    add(world, 1, first_ms=8)
    told = [reply[1][3][1] for reply in listener.read_all()]
    assert told == [b"xadd", b"xtrim", b"xadd"]


def test_scripts_and_transactions(world: Embedded) -> None:
    add(world, 2)
    world.main.ok("XCFGSET", "s", "RETAIN-MAXLEN", 2)
    soon(world, 0)
    script = "for i = 3, 8 do redis.call('XADD', KEYS[1], i .. '-0', 'f', 'v') end"
    world.main.ok("EVAL", script, 1, "s")
    assert ids(world) == [7, 8]
    world.main.ok("MULTI")
    add(world, 4, first_ms=9)
    world.main.ok("EXEC")
    assert ids(world) == [11, 12]


def test_copies_and_renamed_keys_keep_it(world: Embedded) -> None:
    add(world, 6)
    world.main.ok("XCFGSET", "s", "RETAIN-MAXLEN", 5)
    world.main.ok("COPY", "s", "t")
    world.main.ok("RENAME", "s", "r")
    soon(world)
    assert ids(world, "t") == ids(world, "r") == [2, 3, 4, 5, 6]
    world.main.ok("XCFGSET", "t", "RETAIN-MAXLEN", 3)
    world.main.ok("MOVE", "r", 1)
    soon(world)
    assert ids(world, "t") == [4, 5, 6]
    world.main.ok("SELECT", 1)
    assert config(world, "r")[b"retain-maxlen"] == 5
    world.main.ok("XCFGSET", "r", "RETAIN-MAXLEN", 1)
    soon(world)
    assert ids(world, "r") == [6]


def test_a_stream_that_is_gone_is_left_alone(world: Embedded) -> None:
    add(world, 6)
    world.main.ok("XCFGSET", "s", "RETAIN-MAXLEN", 5)
    world.main.ok("SET", "s", "x")
    soon(world)
    world.main.ok("DEL", "s")
    add(world, 6)
    soon(world)
    assert len(ids(world)) == 6


def test_a_snapshot_and_a_copy_see_their_moment(world: Embedded) -> None:
    add(world, 40)
    before = stream_of(world).copy()
    world.main.ok("XCFGSET", "s", "RETAIN-MAXLEN", 3)
    soon(world)
    assert before.length == 40
    assert ids(world) == [38, 39, 40]


def test_a_reload_brings_settings_and_work_back(world: Embedded) -> None:
    add(world, 9)
    world.main.ok(
        "XCFGSET", "s", "RETAIN-MAXLEN", 8, "RETAIN-MAXAGE", 10**15, "RETAIN-ACKED", "yes"
    )
    soon(world)
    before = value_digest(stream_of(world), NOW_MS)
    world.main.ok("DEBUG", "RELOAD")
    assert value_digest(stream_of(world), NOW_MS) == before
    assert list(config(world).values())[2:6] == [8, 10**15, 0, b"yes"]
    assert stream_of(world).entry_bytes == config(world)[b"bytes"] > 0
    group(world, "g", 8)
    world.main.ok("XACK", "s", "g", *range(2, 10))
    soon(world)
    assert ids(world) == []
