"""MAXDELIVERIES and DEADLETTER: what becomes a dead letter, when, and what it looks like."""

from __future__ import annotations

from typing import Any

import pytest

from support import wire
from support.disk import SimulatedDisk
from support.durable import DIRECTORY, DurableEngine, reopened
from support.embedded import NOW_MS, Embedded, configure, with_group

LETTERS = "s:dead-letter"


@pytest.fixture
def world() -> Embedded:
    return with_group()


def read(world: Embedded, consumer: str = "a", start: str = ">", count: int = 0) -> list[bytes]:
    reply = world.main.ok(
        "XREADGROUP", "GROUP", "g", consumer, "COUNT", count, "STREAMS", "s", start
    )
    return [entry[0] for entry in reply[0][1]] if reply else []


def letters(world: Embedded, key: str = LETTERS) -> list[dict[bytes, bytes]]:
    return [
        dict(zip(fields[::2], fields[1::2], strict=True))
        for _, fields in world.main.ok("XRANGE", key, "-", "+")
    ]


def pending(world: Embedded) -> list[bytes]:
    return [row[0] for row in world.main.ok("XPENDING", "s", "g", "-", "+", "100")]


def add(world: Embedded, *ids: int) -> None:
    for ms in ids:
        world.main.ok("XADD", "s", f"{ms}-0", "f", f"v{ms}", "f", "twice")


def test_after_the_last_delivery_an_entry_is_a_dead_letter_when_it_falls_due(
    world: Embedded,
) -> None:
    configure(world, "ACKWAIT", "1000", "MAXDELIVERIES", "2")
    add(world, 1)
    assert read(world) == [b"1-0"]
    world.pass_ms(1000)
    assert read(world, "b") == [b"1-0"]
    world.pass_ms(999)
    assert world.main.ok("EXISTS", LETTERS) == 0
    world.pass_ms(1)  # nobody reads
    assert world.main.ok("XRANGE", LETTERS, "-", "+") == [
        [
            b"%d-0" % (NOW_MS + 2000),
            [
                b"f", b"v1", b"f", b"twice",
                b"original_stream", b"s", b"original_id", b"1-0", b"group", b"g",
                b"consumer", b"b", b"deliveries", b"2", b"reason", b"max-deliveries",
                b"dead_lettered_at", b"%d" % (NOW_MS + 2000),
            ],
        ]
    ]  # fmt: skip
    assert pending(world) == []
    assert world.main.ok("XLEN", "s") == 1
    world.pass_ms(100_000)
    assert len(letters(world)) == 1


def test_an_exhausted_entry_is_never_delivered(world: Embedded) -> None:
    configure(world, "ACKWAIT", "1000", "MAXDELIVERIES", "1")
    add(world, 1, 2)
    assert read(world) == [b"1-0", b"2-0"]
    world.main.ok("XACK", "s", "g", "2-0")
    world.clock.advance(5000)  # and the timer has not run yet
    assert read(world, "b") == []
    world.pass_ms(0)
    assert [letter[b"original_id"] for letter in letters(world)] == [b"1-0"]


def test_an_entry_given_back_as_fatal_is_a_dead_letter_at_once(world: Embedded) -> None:
    configure(world, "DEADLETTER", "graves")
    add(world, 1, 2)
    read(world)
    assert world.main.ok("XNACK", "s", "g", "FATAL", "IDS", "1", "2-0") == 1
    (letter,) = letters(world, "graves")
    assert letter[b"reason"] == b"fatal"
    assert (letter[b"consumer"], letter[b"deliveries"]) == (b"a", b"1")
    assert pending(world) == [b"1-0"]


def test_without_any_of_both_settings_fatal_is_as_in_redis(world: Embedded) -> None:
    configure(world, "ACKWAIT", "1000")
    add(world, 1)
    read(world)
    assert world.main.ok("XNACK", "s", "g", "FATAL", "IDS", "1", "1-0") == 1
    assert world.main.ok("XPENDING", "s", "g", "-", "+", "1")[0][3] == 2**63 - 1
    world.pass_ms(100_000)
    assert read(world, "b") == []
    configure(world, "MAXDELIVERIES", "9")  # now it has a place to go to
    assert letters(world)[0][b"reason"] == b"fatal"


def test_a_deferral_outlives_that_the_entry_is_exhausted(world: Embedded) -> None:
    configure(world, "BACKOFF", "2000")
    add(world, 1)
    read(world)
    world.main.ok("XNACK", "s", "g", "FAIL", "IDS", "1", "1-0")
    configure(world, "MAXDELIVERIES", "1")
    configure(world, "MAXPENDING", "5")
    world.pass_ms(1999)
    assert letters(world) == []
    world.pass_ms(1)
    assert len(letters(world)) == 1


def test_the_last_failure_is_a_dead_letter_at_once(world: Embedded) -> None:
    configure(world, "MAXDELIVERIES", "2", "BACKOFF", "500")
    add(world, 1)
    read(world)
    world.main.ok("XNACK", "s", "g", "FAIL", "IDS", "1", "1-0")
    assert world.main.ok("EXISTS", LETTERS) == 0
    world.pass_ms(500)
    assert read(world, "b") == [b"1-0"]
    world.main.ok("XNACK", "s", "g", "FAIL", "IDS", "1", "1-0")
    (letter,) = letters(world)
    assert (letter[b"consumer"], letter[b"deliveries"]) == (b"b", b"2")
    assert letter[b"reason"] == b"max-deliveries"
    assert pending(world) == []


def test_silent_takes_no_delivery(world: Embedded) -> None:
    configure(world, "MAXDELIVERIES", "1")
    add(world, 1)
    for _ in range(3):
        assert read(world) == [b"1-0"]
        assert world.main.ok("XNACK", "s", "g", "SILENT", "IDS", "1", "1-0") == 1
    assert world.main.ok("EXISTS", LETTERS) == 0


@pytest.mark.parametrize("mode", ["FAIL", "FATAL"])
def test_what_was_not_pending_can_be_a_dead_letter(world: Embedded, mode: str) -> None:
    configure(world, "MAXDELIVERIES", "1")
    add(world, 1)
    words = ("XNACK", "s", "g", mode, "IDS", "1", "1-0", "RETRYCOUNT", "1", "FORCE")
    assert world.main.ok(*words) == 1
    (letter,) = letters(world)
    assert letter[b"consumer"] == b""
    assert pending(world) == []


@pytest.mark.parametrize(
    "words",
    [
        ("XREADGROUP", "GROUP", "g", "a", "STREAMS", "s", "0"),
        ("XREADGROUP", "GROUP", "g", "b", "CLAIM", "0", "STREAMS", "s", ">"),
        ("XCLAIM", "s", "g", "b", "0", "1-0"),
        ("XAUTOCLAIM", "s", "g", "b", "0", "0"),
    ],
)
def test_every_way_to_be_delivered_once_more_ends_there(world: Embedded, words: Any) -> None:
    configure(world, "MAXDELIVERIES", "1")
    add(world, 1)
    read(world)
    reply = world.main.ok(*words)
    assert b"1-0" not in str(reply).encode()
    assert pending(world) == []
    assert [letter[b"original_id"] for letter in letters(world)] == [b"1-0"]


@pytest.mark.parametrize(
    "words",
    [
        ("XCLAIM", "s", "g", "b", "0", "1-0", "JUSTID"),
        ("XCLAIM", "s", "g", "b", "0", "1-0", "RETRYCOUNT", "0"),
        ("XAUTOCLAIM", "s", "g", "b", "0", "0", "JUSTID"),
    ],
)
def test_what_is_no_delivery_ends_nothing(world: Embedded, words: Any) -> None:
    configure(world, "MAXDELIVERIES", "1")
    add(world, 1)
    read(world)
    world.main.ok(*words)
    assert pending(world) == [b"1-0"]
    assert world.main.ok("EXISTS", LETTERS) == 0


def test_history_gives_what_is_left(world: Embedded) -> None:
    configure(world, "MAXDELIVERIES", "2")
    add(world, 1, 2, 3, 4)
    read(world)
    assert read(world, start="2-0") == [b"3-0", b"4-0"]
    assert read(world, start="0") == [b"1-0", b"2-0"]
    assert [letter[b"original_id"] for letter in letters(world)] == [b"3-0", b"4-0"]


def test_history_with_count_goes_on_behind_what_it_buried(world: Embedded) -> None:
    configure(world, "MAXDELIVERIES", "2")
    add(world, 1, 2, 3, 4, 5)
    read(world)
    assert read(world, start="0", count=3) == [b"1-0", b"2-0", b"3-0"]
    assert read(world, start="0", count=1) == [b"4-0"]
    assert read(world, start="0", count=2) == [b"5-0"]
    assert read(world, start="0", count=2) == []
    assert [letter[b"original_id"] for letter in letters(world)] == [
        b"1-0", b"2-0", b"3-0", b"4-0", b"5-0"
    ]  # fmt: skip


def test_deleted_data_makes_no_dead_letter(world: Embedded) -> None:
    configure(world, "ACKWAIT", "1000", "MAXDELIVERIES", "1")
    add(world, 1)
    read(world)
    world.main.ok("XDEL", "s", "1-0")
    world.pass_ms(1000)
    assert pending(world) == []
    assert world.main.ok("EXISTS", LETTERS) == 0


def test_a_key_of_another_type_keeps_the_entry_pending(
    world: Embedded, caplog: pytest.LogCaptureFixture
) -> None:
    configure(world, "ACKWAIT", "1000", "MAXDELIVERIES", "1")
    world.main.ok("SET", LETTERS, "text")
    add(world, 1, 2)
    read(world)
    world.pass_ms(1000)
    assert pending(world) == [b"1-0", b"2-0"]
    assert world.main.ok("XNACK", "s", "g", "FATAL", "IDS", "1", "2-0") == 1
    for _ in range(20):
        world.pass_ms(1000)
    assert pending(world) == [b"1-0", b"2-0"]
    assert len([r for r in caplog.records if "dead letters" in r.message]) == 1
    assert world.engine.next_ms() >= world.clock.now_ms + 1000  # nothing spins
    world.main.ok("DEL", LETTERS)
    world.pass_ms(5000)
    assert pending(world) == []
    assert [letter[b"reason"] for letter in letters(world)] in (
        [b"max-deliveries", b"fatal"],
        [b"fatal", b"max-deliveries"],
    )


def test_a_renamed_stream_does_not_take_its_own_dead_letters(world: Embedded) -> None:
    configure(world, "ACKWAIT", "1000", "MAXDELIVERIES", "1", "DEADLETTER", "t")
    add(world, 1)
    read(world)
    world.main.ok("RENAME", "s", "t")
    world.pass_ms(1000)
    assert world.main.ok("XLEN", "t") == 1
    assert world.main.ok("XPENDING", "t", "g")[0] == 1


def test_who_reads_dead_letters_is_woken(world: Embedded) -> None:
    configure(world, "ACKWAIT", "1000", "MAXDELIVERIES", "1")
    add(world, 1)
    read(world)
    reader = world.connect()
    reader.send("XREAD", "BLOCK", "0", "STREAMS", LETTERS, "$")
    world.pass_ms(1000)
    assert len(reader.read_all()) == 1


def test_many_dead_letters_do_not_keep_the_others_waiting(world: Embedded) -> None:
    configure(world, "ACKWAIT", "1000", "MAXDELIVERIES", "1")
    add(world, *range(1, 2001))
    read(world)
    world.pass_ms(1000)
    made = world.main.ok("XLEN", LETTERS)
    assert world.main.ok("XPENDING", "s", "g")[0] == 2000 - made
    turns = 1
    while world.main.ok("XLEN", LETTERS) < 2000:
        world.pass_ms(0)
        turns += 1
        assert turns < 2000
    assert pending(world) == []
    ids = [letter[b"original_id"] for letter in letters(world)]
    assert ids == [b"%d-0" % ms for ms in range(1, 2001)]


def test_a_transaction_that_gives_back_makes_its_dead_letter_itself(world: Embedded) -> None:
    configure(world, "MAXDELIVERIES", "1")
    add(world, 1)
    read(world)
    world.main.ok("MULTI")
    world.main.ok("XNACK", "s", "g", "FAIL", "IDS", "1", "1-0")
    world.main.ok("XLEN", LETTERS)
    assert world.main.ok("EXEC") == [1, 1]


# --- durable ---


def durable() -> tuple[SimulatedDisk, DurableEngine]:
    at = SimulatedDisk(DIRECTORY)
    return at, DurableEngine(at, appendonly="yes", appendfsync="always")


def restarted(at: SimulatedDisk, engine: DurableEngine) -> DurableEngine:
    """The next life, of what was synced."""
    engine.settle()
    at.crash()
    return reopened(at, engine, appendonly="yes", appendfsync="always")


def rewrite(engine: DurableEngine) -> None:
    engine.ok("BGREWRITEAOF")
    engine.settle()


def test_who_failed_for_good_and_then_fails_again_is_due_at_no_time() -> None:
    at, engine = durable()
    engine.ok("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
    engine.ok("XGROUP", "CFGSET", "s", "g", "ACKWAIT", "1000", "BACKOFF", "700")
    engine.ok("XADD", "s", "1-0", "f", "v")
    engine.ok("XREADGROUP", "GROUP", "g", "a", "STREAMS", "s", ">")
    assert engine.ok("XNACK", "s", "g", "FATAL", "IDS", "1", "1-0") == 1
    assert engine.ok("XNACK", "s", "g", "FAIL", "IDS", "1", "1-0") == 1
    engine.pass_ms(5000)
    engine.ok("XREADGROUP", "GROUP", "g", "b", "STREAMS", "s", ">")
    assert engine.ok("XPENDING", "s", "g", "-", "+", "9", "b") == []
    digest = engine.digest()
    assert restarted(at, engine).digest() == digest


def test_what_is_recorded_gives_the_same_state() -> None:
    at, engine = durable()
    engine.ok("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
    engine.ok("XGROUP", "CFGSET", "s", "g", "ACKWAIT", "1000", "BACKOFF", "700")
    engine.ok("XGROUP", "CFGSET", "s", "g", "MAXDELIVERIES", "3")
    for ms in range(1, 40):
        engine.ok("XADD", "s", f"{ms}-0", "f", "v")
    for i in range(12):
        engine.ok("XREADGROUP", "GROUP", "g", f"c{i % 3}", "COUNT", "7", "STREAMS", "s", ">")
        engine.ok("XNACK", "s", "g", "FAIL", "IDS", "2", f"{3 * i + 1}-0", f"{i + 1}-0")
        engine.ok("XNACK", "s", "g", "FATAL", "IDS", "1", f"{3 * i + 2}-0")
        engine.ok("XACK", "s", "g", f"{2 * i + 5}-0")
        engine.ok("XREADGROUP", "GROUP", "g", "c1", "COUNT", "2", "STREAMS", "s", "0")
        engine.pass_ms(300)
    made = engine.ok("XLEN", LETTERS)
    assert made > 5
    digest = engine.digest()
    engine = restarted(at, engine)
    assert engine.digest() == digest
    rewrite(engine)
    engine = restarted(at, engine)
    assert engine.digest() == digest
    for _ in range(40):
        engine.pass_ms(1000)
        engine.ok("XREADGROUP", "GROUP", "g", "last", "STREAMS", "s", ">")
    assert engine.ok("XPENDING", "s", "g")[0][1] == 0
    letters = wire.plain(engine.client.call("XRANGE", LETTERS, "-", "+"))
    ids = [fields[fields.index(b"original_id") + 1] for _, fields in letters]
    assert len(ids) == len(set(ids)) > made


def test_a_deferral_outlives_a_crash_and_a_snapshot() -> None:
    at, engine = durable()
    engine.ok("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
    engine.ok("XGROUP", "CFGSET", "s", "g", "BACKOFF", "5000")
    engine.ok("XADD", "s", "1-0", "f", "v")
    words = ("XREADGROUP", "GROUP", "g", "a", "STREAMS", "s", ">")
    engine.ok(*words)
    engine.ok("XNACK", "s", "g", "FAIL", "IDS", "1", "1-0")
    engine.clock.advance(4000)
    for _ in range(2):
        engine = restarted(at, engine)
        assert wire.plain(engine.call(*words)) is None
        rewrite(engine)
    engine.clock.advance(1000)
    assert wire.plain(engine.call(*words)) is not None
