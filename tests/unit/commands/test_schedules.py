"""XSCHEDULE, and what is due being appended: what clients see, what is kept, what waits."""

from __future__ import annotations

import pytest

from headwater.commands.schedules import LISTED, LISTED_MOST, RETRY_MS
from headwater.streams.schedule import MAX_MS
from headwater.streams.stream import Stream
from support.embedded import NOW_MS, Embedded
from support.scheduled import add, entries, listed, values

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
ARITY = "ERR wrong number of arguments for 'xschedule|add' command"


@pytest.fixture
def world() -> Embedded:
    return Embedded()


def stream_of(world: Embedded, key: bytes = b"s") -> Stream:
    found = world.main.session.database.peek(key)
    assert isinstance(found, Stream)
    return found


# --- what clients see ---


def test_an_entry_is_appended_when_it_is_due(world: Embedded) -> None:
    assert add(world.main, "s IN 1000 order 7 state new") == b"1"
    assert world.main.ok("TYPE", "s") == b"stream"
    assert world.main.ok("XLEN", "s") == 0
    world.pass_ms(999)
    assert entries(world.main) == []
    world.pass_ms(1)
    assert entries(world.main) == [(f"{NOW_MS + 1000}-0", ["order", "7", "state", "new"])]
    assert listed(world.main) == []
    world.pass_ms(10_000)
    assert len(entries(world.main)) == 1


def test_the_id_is_of_the_moment_and_above_the_last_one(world: Embedded) -> None:
    world.main.ok("XADD", "s", f"{NOW_MS + 50}-5", "f", "first")
    add(world.main, "s IN 10 f a")
    add(world.main, "s IN 100 f b")
    world.pass_ms(20)
    world.pass_ms(200)
    ids = [id_ for id_, _ in entries(world.main)]
    assert ids == [f"{NOW_MS + 50}-5", f"{NOW_MS + 50}-6", f"{NOW_MS + 220}-0"]


def test_the_order_is_that_of_due_times_then_of_handles(world: Embedded) -> None:
    for due, name in ((30, "c"), (10, "a"), (30, "d"), (20, "b"), (0, "now")):
        add(world.main, f"s AT {NOW_MS + due} f {name}")
    assert [row[0] for row in listed(world.main)] == [5, 2, 4, 1, 3]
    world.pass_ms(30)
    assert values(world.main) == ["now", "a", "b", "c", "d"]


def test_a_time_that_has_passed_is_now(world: Embedded) -> None:
    add(world.main, "s AT 0 f a")
    add(world.main, "s IN 0 f b")
    world.pass_ms(0)
    assert values(world.main) == ["a", "b"]


def test_what_repeats_keeps_its_handle_and_its_phase(world: Embedded) -> None:
    assert add(world.main, "s IN 100 EVERY 1000 f tick") == b"1"
    world.pass_ms(150)
    assert listed(world.main) == [(1, 1100, 1000, [b"f", b"tick"])]
    world.pass_ms(1000)
    assert [id_ for id_, _ in entries(world.main)] == [f"{NOW_MS + 150}-0", f"{NOW_MS + 1150}-0"]
    assert world.main.ok("XSCHEDULE", "CANCEL", "s", "1") == 1
    world.pass_ms(5000)
    assert len(entries(world.main)) == 2


def test_occurrences_that_were_missed_are_made_up_for_in_order(world: Embedded) -> None:
    add(world.main, "s IN 10 EVERY 20 f tick")
    add(world.main, "s IN 35 f once")
    add(world.main, "s IN 50 f with-tick")
    world.pass_ms(60)
    # tick at 10, 30 and 50: there it has the lower handle.
    assert values(world.main) == ["tick", "tick", "once", "tick", "with-tick"]
    assert listed(world.main) == [(1, 70, 20, [b"f", b"tick"])]


def test_what_repeats_since_long_ago_begins_with_the_last_time(world: Embedded) -> None:
    add(world.main, f"s AT {NOW_MS - 2500} EVERY 1000 f tick")
    assert listed(world.main) == [(1, -500, 1000, [b"f", b"tick"])]
    world.pass_ms(0)
    assert values(world.main) == ["tick"]
    assert listed(world.main) == [(1, 500, 1000, [b"f", b"tick"])]
    add(world.main, f"other AT {NOW_MS} EVERY 1000 f tick")
    assert listed(world.main, "other") == [(1, 0, 1000, [b"f", b"tick"])]


def test_what_repeats_ends_with_time(world: Embedded) -> None:
    add(world.main, f"s IN 0 EVERY {MAX_MS} f tick")
    world.pass_ms(0)
    assert values(world.main) == ["tick"]
    assert listed(world.main) == []


def test_cancel(world: Embedded) -> None:
    add(world.main, "s IN 10 f a")
    add(world.main, "s IN 20 f b")
    assert world.main.ok("XSCHEDULE", "CANCEL", "s", "1") == 1
    assert world.main.ok("XSCHEDULE", "CANCEL", "s", "1") == 0
    assert world.main.ok("XSCHEDULE", "CANCEL", "s", "99") == 0
    assert world.main.ok("XSCHEDULE", "CANCEL", "missing", "1") == 0
    assert add(world.main, "s IN 5 f c") == b"3"
    world.pass_ms(100)
    assert values(world.main) == ["c", "b"]
    assert world.main.ok("XSCHEDULE", "CANCEL", "s", "2") == 0


def test_list_shows_what_comes_first(world: Embedded) -> None:
    assert world.main.ok("XSCHEDULE", "LIST", "missing") == []
    for n in range(LISTED + 5):
        add(world.main, f"s IN {1000 - n} n {n}")
    rows = listed(world.main)
    assert len(rows) == LISTED
    assert [row[1] for row in rows[:3]] == [896, 897, 898]
    assert [row[0] for row in listed(world.main, "s COUNT 2")] == [105, 104]
    assert len(listed(world.main, f"s COUNT {LISTED_MOST}")) == LISTED + 5
    assert world.main.ok("XLEN", "s") == 0


def test_list_is_maps_in_resp3() -> None:
    world = Embedded(resp=3)
    add(world.main, "s IN 10 EVERY 100 f v")
    kind, rows = world.main.call("XSCHEDULE", "LIST", "s")
    assert (kind, [row[0] for row in rows]) == ("*", ["%"])


def test_help(world: Embedded) -> None:
    lines = world.main.ok("XSCHEDULE", "HELP")
    assert any(line.startswith(b"CANCEL key handle") for line in lines)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("ADD s IN 10 f", ARITY),
        ("ADD s IN 10 f v g", ARITY),
        ("ADD s IN 10 EVERY 100", ARITY),
        ("ADD s IN 10 EVERY 100 f", ARITY),
        (
            "ADD s ON 10 f v",
            "ERR When is the entry due? Give AT unix-time-milliseconds or IN milliseconds "
            "behind the key",
        ),
        ("ADD s AT x f v", "ERR AT must be a number of milliseconds from 0 to 9007199254740991"),
        ("ADD s AT -1 f v", "ERR AT must be a number of milliseconds from 0 to 9007199254740991"),
        ("ADD s IN 1.5 f v", "ERR IN must be a number of milliseconds from 0 to 9007199254740991"),
        (
            "ADD s AT 9007199254740992 f v",
            "ERR AT must be a number of milliseconds from 0 to 9007199254740991",
        ),
        (
            "ADD s IN 9007199254740991 f v",
            "ERR The entry would be due later than 9007199254740991",
        ),
        (
            "ADD s IN 10 EVERY 9 f v",
            "ERR EVERY must be a number of milliseconds from 10 to 9007199254740991",
        ),
        (
            "ADD s IN 10 EVERY often f v",
            "ERR EVERY must be a number of milliseconds from 10 to 9007199254740991",
        ),
        ("ADD str IN 10 f v", WRONG_TYPE),
        ("CANCEL str 1", WRONG_TYPE),
        ("LIST str", WRONG_TYPE),
        (
            "CANCEL s x",
            "ERR 'x' is no handle: XSCHEDULE ADD returned one, LIST shows them",
        ),
        (
            "CANCEL s 0",
            "ERR '0' is no handle: XSCHEDULE ADD returned one, LIST shows them",
        ),
        ("LIST s COUNT", "ERR syntax error; behind the key comes [COUNT n]"),
        ("LIST s LIMIT 1", "ERR syntax error; behind the key comes [COUNT n]"),
        ("LIST s COUNT 0", "ERR COUNT must be a number from 1 to 10000"),
        ("LIST s COUNT 10001", "ERR COUNT must be a number from 1 to 10000"),
        ("NEVER s", "ERR unknown subcommand 'NEVER'. Try XSCHEDULE HELP."),
    ],
)
def test_errors(world: Embedded, words: str, text: str) -> None:
    world.main.ok("SET", "str", "x")
    world.state.keyspace.dirty = 0
    assert world.main.error("XSCHEDULE", *words.split()) == text
    assert world.state.keyspace.dirty == 0
    assert world.main.ok("EXISTS", "s") == 0


def test_a_field_may_be_named_every_if_it_is_not_the_first(world: Embedded) -> None:
    add(world.main, "s IN 0 f v EVERY x")
    world.pass_ms(0)
    assert entries(world.main)[0][1] == ["f", "v", "EVERY", "x"]


def test_values_are_bytes(world: Embedded) -> None:
    value = bytes(range(256)) + b"\r\n*2\r\n"
    world.main.ok("XSCHEDULE", "ADD", "s", "IN", "0", "", value)
    world.pass_ms(0)
    assert world.main.ok("XRANGE", "s", "-", "+")[0][1] == [b"", value]


def test_in_a_transaction_and_in_a_script(world: Embedded) -> None:
    world.main.ok("MULTI")
    world.main.ok("XSCHEDULE", "ADD", "s", "IN", "10", "f", "a")
    world.main.ok("XSCHEDULE", "CANCEL", "s", "1")
    world.main.ok("XSCHEDULE", "ADD", "s", "IN", "10", "f", "b")
    assert world.main.ok("EXEC") == [b"1", 1, b"2"]
    script = "return redis.call('XSCHEDULE', 'ADD', KEYS[1], 'IN', 5, 'f', 'c\\r\\n')"
    assert world.main.ok("EVAL", script, "1", "s") == b"3"
    world.pass_ms(10)
    assert values(world.main) == ["c\r\n", "b"]


# --- what follows ---


def test_blocked_readers_wake(world: Embedded) -> None:
    world.main.ok("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    add(world.main, "s IN 100 f v")
    readers = [world.connect() for _ in range(3)]
    readers[0].send("XREAD", "BLOCK", "0", "STREAMS", "s", "$")
    readers[1].send("XREADGROUP", "GROUP", "g", "c1", "BLOCK", "0", "STREAMS", "s", ">")
    readers[2].send("XREADGROUP", "GROUP", "g", "c2", "BLOCK", "0", "STREAMS", "s", ">")
    world.pass_ms(99)
    assert [reader.read_all() for reader in readers] == [[], [], []]
    world.pass_ms(1)
    assert [len(reader.read_all()) for reader in readers] == [1, 1, 0]


def test_events_watch_and_changes(world: Embedded) -> None:
    world.main.ok("CONFIG", "SET", "notify-keyspace-events", "Kt")
    listener = world.connect()
    listener.send("SUBSCRIBE", "__keyspace@0__:s")
    listener.read_all()
    add(world.main, "s IN 10 f v")
    add(world.main, "s IN 20 f v")
    world.main.ok("XSCHEDULE", "CANCEL", "s", "2")
    world.main.ok("WATCH", "s")
    world.state.keyspace.dirty = 0
    world.pass_ms(10)
    world.state.channels.deliver_all()
    assert world.state.keyspace.dirty == 1
    events = [reply[1][2][1] for reply in listener.read_all()]
    assert events == [b"xschedule-add", b"xschedule-add", b"xschedule-cancel", b"xadd"]
    world.main.ok("MULTI")
    world.main.ok("PING")
    assert world.main.ok("EXEC") is None


def test_the_schedule_goes_with_the_key(world: Embedded) -> None:
    add(world.main, "a IN 100 f v")
    world.main.ok("RENAME", "a", "b")
    world.main.ok("MOVE", "b", "1")
    world.main.ok("SELECT", "1")
    world.main.ok("COPY", "b", "c")
    world.main.ok("SWAPDB", "0", "1")
    world.main.ok("SELECT", "0")
    world.pass_ms(100)
    assert values(world.main, "b") == ["v"]
    assert values(world.main, "c") == ["v"]
    assert world.main.ok("EXISTS", "a") == 0


@pytest.mark.parametrize("how", ["DEL s", "FLUSHALL", "PEXPIRE s 50", "RENAME other s"])
def test_a_schedule_that_is_gone_does_nothing(world: Embedded, how: str) -> None:
    world.main.ok("XADD", "other", "*", "f", "other")
    add(world.main, "s IN 100 f v")
    world.main.ok(*how.split())
    world.clock.advance(100)
    world.engine.run_due()
    if how.startswith("RENAME"):
        assert values(world.main) == ["other"]
    else:
        assert world.main.ok("EXISTS", "s") == 0


def test_a_copy_is_another_schedule(world: Embedded) -> None:
    add(world.main, "s IN 100 f v")
    world.main.ok("COPY", "s", "t")
    world.main.ok("XSCHEDULE", "CANCEL", "s", "1")
    assert add(world.main, "t IN 50 f w") == b"2"
    world.pass_ms(100)
    assert values(world.main) == []
    assert values(world.main, "t") == ["w", "v"]


def test_retention_sees_what_was_due(world: Embedded) -> None:
    world.main.ok("XADD", "s", "*", "n", "first")
    world.main.ok("XCFGSET", "s", "RETAIN-MAXLEN", "2")
    for n in range(5):
        add(world.main, f"s IN 10 n {n}")
    world.pass_ms(10)
    world.pass_ms(1000)
    assert values(world.main) == ["3", "4"]


def test_the_schema_of_now_decides_and_not_that_of_then(world: Embedded) -> None:
    pytest.importorskip("jsonschema_rs")
    schema = '{"type": "object", "properties": {"n": {"type": "integer"}}}'
    add(world.main, "s IN 10 n before-there-was-a-schema")
    world.main.ok("XSCHEMA", "SET", "s", schema)
    world.state.keyspace.dirty = 0
    assert world.main.error("XSCHEDULE", "ADD", "s", "IN", "20", "n", "x").startswith("SCHEMA ")
    assert world.state.keyspace.dirty == 0
    assert add(world.main, "s IN 20 n 17") == b"2"
    world.pass_ms(20)
    assert values(world.main) == ["before-there-was-a-schema", "17"]


def test_memory_usage_counts_what_is_scheduled(world: Embedded) -> None:
    world.main.ok("XADD", "s", "*", "f", "v")
    before = world.main.ok("MEMORY", "USAGE", "s")
    for _ in range(50):
        world.main.ok("XSCHEDULE", "ADD", "s", "IN", "100", "f", "x" * 1000)
    assert world.main.ok("MEMORY", "USAGE", "s") > before + 50_000
    stream = stream_of(world)
    assert stream.free_units() > 3
    world.main.ok("DEL", "s")
    while world.state.keyspace.free_some(10):
        pass
    assert stream.schedule is not None
    assert not stream.schedule.entries.pages or stream.free_units() < 64


def test_nothing_runs_while_nothing_is_due(world: Embedded) -> None:
    add(world.main, "s IN 5000 f v")
    world.pass_ms(0)
    assert world.engine.next_ms() == NOW_MS + 5000
    world.main.ok("XSCHEDULE", "CANCEL", "s", "1")
    world.pass_ms(5000)
    assert world.engine.next_ms() > NOW_MS + 10**12


def test_a_clock_that_goes_back(world: Embedded) -> None:
    add(world.main, "s IN 10 EVERY 1000 f v")
    world.pass_ms(10)
    world.clock.advance(-5000)
    add(world.main, "s IN 100 f w")
    world.pass_ms(0)
    assert values(world.main) == ["v"]
    world.pass_ms(100)
    assert [id_ for id_, _ in entries(world.main)] == [f"{NOW_MS + 10}-0", f"{NOW_MS + 10}-1"]
    assert values(world.main) == ["v", "w"]
    world.pass_ms(5910)
    assert values(world.main) == ["v", "w", "v"]


# --- what waits ---


def test_due_entries_wait_while_writes_are_paused(world: Embedded) -> None:
    add(world.main, "s IN 100 f a")
    add(world.main, "s IN 150 f b")
    world.main.ok("CLIENT", "PAUSE", "1000", "WRITE")
    world.pass_ms(500)
    assert values(world.main) == []
    assert world.engine.next_ms() > world.clock.now_ms
    world.main.ok("CLIENT", "UNPAUSE")
    world.pass_ms(RETRY_MS)
    assert values(world.main) == ["a", "b"]
    add(world.main, "s IN 10 f c")
    world.main.ok("CLIENT", "PAUSE", "300", "ALL")
    world.pass_ms(299)
    world.pass_ms(RETRY_MS)
    assert values(world.main) == ["a", "b", "c"]


def test_due_entries_wait_while_the_disk_takes_nothing(world: Embedded) -> None:
    add(world.main, "s IN 100 f a")
    world.state.write_refusal = b"MISCONF no room"
    world.pass_ms(100)
    assert values(world.main) == []
    assert world.engine.next_ms() > world.clock.now_ms
    world.state.write_refusal = b""
    world.pass_ms(RETRY_MS)
    assert values(world.main) == ["a"]


def test_due_entries_wait_while_memory_is_full(world: Embedded) -> None:
    add(world.main, "s IN 100 f a")
    world.main.ok("CONFIG", "SET", "maxmemory", "1")
    assert world.main.error("XSCHEDULE", "ADD", "s", "IN", "10", "f", "b").startswith("OOM ")
    world.pass_ms(100)
    assert values(world.main) == []
    world.main.ok("CONFIG", "SET", "maxmemory", "0")
    world.pass_ms(RETRY_MS)
    assert values(world.main) == ["a"]


def test_due_entries_wait_while_the_stream_has_no_id_left(world: Embedded) -> None:
    last = f"{2**64 - 1}-{2**64 - 1}"
    world.main.ok("XADD", "s", "1-1", "f", "v")
    world.main.ok("XSETID", "s", last)
    add(world.main, "s IN 100 f a")
    world.pass_ms(100)
    assert world.engine.next_ms() > world.clock.now_ms
    world.main.ok("XSETID", "s", "1-1")
    world.pass_ms(RETRY_MS)
    assert values(world.main) == ["v", "a"]


def test_many_that_are_due_do_not_stop_the_loop(world: Embedded) -> None:
    n = 20_000
    for i in range(n):
        world.main.ok("XSCHEDULE", "ADD", "s", "IN", "100", "n", i)
    world.clock.advance(100)
    turns = 0
    while world.main.ok("XLEN", "s") < n:
        world.engine.run_due()
        turns += 1
        assert turns < n
    assert turns > 2
    assert values(world.main) == [str(i) for i in range(n)]
