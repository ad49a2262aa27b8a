"""XREDRIVE: which dead letters go back, where to, and what stays."""

from __future__ import annotations

from typing import Any

import pytest

from headwater.commands.redrive import DEAD_LETTER_FIELDS
from headwater.keyspace.database import Keyspace
from headwater.limits import REDRIVE_AT_ONCE, REDRIVE_LOOKS
from headwater.persistence.apply import Applier
from support.disk import SimulatedDisk
from support.durable import DurableEngine, reopened
from support.embedded import NOW_MS, Client, Embedded
from support.journal import apply_batch, assert_equal_state, take_all

SYNTAX = (
    "ERR syntax error; behind the key come [TO key] and [COUNT n | IDS numids id ...], once each"
)

DEAD = "s:dead-letter"


def run(world: Embedded, line: str) -> Any:
    return world.main.ok(*line.split())


def bury(client: Client, entry_id: str, *fields: Any, of: str = "s", key: str = DEAD) -> None:
    """Add a dead letter as the server would, of an entry with these fields."""
    values = [of, "1-1", "g", "ann", "3", "max-deliveries", "1700000000000"]
    added = [word for pair in zip(DEAD_LETTER_FIELDS, values, strict=True) for word in pair]
    client.ok("XADD", key, entry_id, *(fields or ("n", entry_id)), *added)


def entries(world: Embedded, key: str) -> list[tuple[bytes, list[bytes]]]:
    return [(entry[0], entry[1]) for entry in world.main.ok("XRANGE", key, "-", "+")]


@pytest.fixture
def world() -> Embedded:
    """Dead letters 1-0 to 4-0 of the stream `s`, which has an entry."""
    world = Embedded()
    run(world, "XADD s 1-0 n 0")
    for i in range(1, 5):
        bury(world.main, f"{i}-0")
    return world


def back(*numbers: int) -> list[list[bytes]]:
    """The reply when these were moved to `s` one behind the other."""
    return [[b"%d-0" % n, b"%d-%d" % (NOW_MS, i)] for i, n in enumerate(numbers)]


# --- what goes where ---


def test_all_go_back_oldest_first(world: Embedded) -> None:
    assert run(world, f"XREDRIVE {DEAD}") == back(1, 2, 3, 4)
    assert [fields for _, fields in entries(world, "s")[1:]] == [
        [b"n", b"%d-0" % i] for i in range(1, 5)
    ]
    assert run(world, f"XLEN {DEAD}") == 0
    assert run(world, f"XREDRIVE {DEAD}") == []


def test_some_go_back(world: Embedded) -> None:
    assert run(world, f"XREDRIVE {DEAD} COUNT 1") == back(1)
    assert run(world, f"XREDRIVE {DEAD} IDS 5 4-0 9-9 3-0 4 1-0") == [
        [b"3-0", b"%d-1" % NOW_MS],
        [b"4-0", b"%d-2" % NOW_MS],
    ]
    assert [entry_id for entry_id, _ in entries(world, DEAD)] == [b"2-0"]
    assert run(world, f"XREDRIVE {DEAD} IDS 1 7-7") == []


def test_they_go_to_another_stream(world: Embedded) -> None:
    assert run(world, f"XREDRIVE {DEAD} COUNT 3 TO new") == back(1, 2, 3)
    assert run(world, "XLEN new") == 3
    assert run(world, f"XREDRIVE {DEAD} TO new IDS 1 4-0") == [[b"4-0", b"%d-3" % NOW_MS]]
    assert run(world, "XLEN s") == 1


def test_a_stream_that_is_gone_is_made_again(world: Embedded) -> None:
    run(world, "DEL s")
    assert len(run(world, f"XREDRIVE {DEAD}")) == 4
    assert run(world, "XLEN s") == 4


def test_each_to_its_own_stream(world: Embedded) -> None:
    bury(world.main, "5-0", "x", "y", of="t")
    assert len(run(world, f"XREDRIVE {DEAD}")) == 5
    assert [fields for _, fields in entries(world, "t")] == [[b"x", b"y"]]


def test_fields_come_back_as_they_were(world: Embedded) -> None:
    bury(world.main, "5-0", b"a\r\nb", b"\0\xff" * 300, b"", b"", "group", "mine", of="t")
    run(world, f"XREDRIVE {DEAD} IDS 1 5-0")
    assert entries(world, "t")[0][1] == [
        *(b"a\r\nb", b"\0\xff" * 300, b"", b""),
        *(b"group", b"mine"),
    ]


def test_a_stream_that_is_its_own_dead_letter_stream(world: Embedded) -> None:
    bury(world.main, "5-0", of=DEAD)
    assert run(world, f"XREDRIVE {DEAD} IDS 1 5-0") == [[b"5-0", b"%d-0" % NOW_MS]]
    assert run(world, f"XREDRIVE {DEAD} TO {DEAD} COUNT 9") == [
        [b"%d-0" % i, b"%d-%d" % (NOW_MS, i)] for i in range(1, 5)
    ]
    assert run(world, f"XLEN {DEAD}") == 5


def test_ids_go_on_from_the_last_one(world: Embedded) -> None:
    run(world, f"XADD s {NOW_MS + 5}-7 n last")
    assert run(world, f"XREDRIVE {DEAD} COUNT 1") == [[b"1-0", b"%d-8" % (NOW_MS + 5)]]


def test_the_dead_letters_of_the_server_itself() -> None:
    world = Embedded()
    for i in range(3):
        run(world, f"XADD s {i + 1}-0 n {i}")
    run(world, "XGROUP CREATE s g 0")
    run(world, "XGROUP CFGSET s g ACKWAIT 1000 MAXDELIVERIES 1")
    run(world, "XREADGROUP GROUP g ann STREAMS s >")
    run(world, "XACK s g 2-0")
    world.pass_ms(1001)
    assert run(world, f"XLEN {DEAD}") == 2
    assert len(run(world, f"XREDRIVE {DEAD}")) == 2
    assert [fields for _, fields in entries(world, "s")[3:]] == [[b"n", b"0"], [b"n", b"2"]]
    reply = run(world, "XREADGROUP GROUP g bob STREAMS s >")
    assert [entry[1] for entry in reply[0][1]] == [[b"n", b"0"], [b"n", b"2"]]


# --- what stays ---


def test_what_is_no_dead_letter_stays(world: Embedded) -> None:
    run(world, "XADD dead 1-0 a b")
    assert world.main.error("XREDRIVE", "dead") == (
        "ERR Nothing was moved: entry 1-0 is no dead letter, its last fields are not "
        "original_stream to dead_lettered_at"
    )
    bury(world.main, "2-0", key="dead")
    world.main.ok("XADD", "dead", "3-0", *[w for f in DEAD_LETTER_FIELDS for w in (f, "s")])
    run(world, "XADD dead 4-0 original_stream s original_id 1-0 dead_lettered_at 5")
    assert run(world, "XREDRIVE dead") == back(2)
    assert run(world, "XLEN dead") == 3
    assert "entry 3-0 is no" in world.main.error("XREDRIVE", "dead", "IDS", 2, "4-0", "3-0")


def test_whose_key_holds_something_else_stays(world: Embedded) -> None:
    bury(world.main, "5-0", of="str")
    run(world, "SET str plain")
    assert len(run(world, f"XREDRIVE {DEAD}")) == 4
    assert world.main.error("XREDRIVE", DEAD) == (
        "WRONGTYPE Nothing was moved: dead letter 5-0 belongs to key 'str', which is no stream"
    )
    assert run(world, f"XREDRIVE {DEAD} TO s") == [[b"5-0", b"%d-4" % NOW_MS]]


def test_whose_stream_has_no_id_left_stays(world: Embedded) -> None:
    run(world, "XADD s 18446744073709551615-18446744073709551615 n last")
    error = world.main.error("XREDRIVE", DEAD)
    assert error.startswith("ERR Nothing was moved: dead letter 1-0 for stream 's': The stream has")
    assert run(world, f"XLEN {DEAD}") == 4


def test_what_does_not_fit_the_schema_stays(world: Embedded) -> None:
    schema = '{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}'
    world.main.ok("XSCHEMA", "SET", "s", schema)
    error = world.main.error("XREDRIVE", DEAD)
    assert error.startswith("SCHEMA Nothing was moved: dead letter 1-0: ")
    bury(world.main, "5-0", "n", 7)
    assert run(world, f"XREDRIVE {DEAD}") == [[b"5-0", b"%d-0" % NOW_MS]]
    assert run(world, f"XLEN {DEAD}") == 4


# --- bounds and syntax ---


def test_one_call_moves_a_bounded_number(world: Embedded) -> None:
    for i in range(REDRIVE_AT_ONCE):
        bury(world.main, f"{i + 10}-0", "n", i)
    assert len(run(world, f"XREDRIVE {DEAD}")) == REDRIVE_AT_ONCE
    assert run(world, f"XLEN {DEAD}") == 4
    assert len(run(world, f"XREDRIVE {DEAD} COUNT 1000000000")) == 4


def test_it_looks_at_a_bounded_number() -> None:
    world = Embedded()
    for i in range(1, REDRIVE_LOOKS + 10):
        world.main.send("XADD", "log", f"{i}-0", "f", "v")
    world.main.read_all()
    bury(world.main, f"{REDRIVE_LOOKS + 10}-0", key="log")
    assert "entry 1-0 is no" in world.main.error("XREDRIVE", "log", "COUNT", 1)
    assert len(run(world, f"XREDRIVE log IDS 1 {REDRIVE_LOOKS + 10}-0")) == 1


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("COUNT 0", "ERR COUNT must be a number from 1 on"),
        ("COUNT x", "ERR COUNT must be a number from 1 on"),
        ("COUNT 1 IDS 1 1-0", "ERR COUNT and IDS cannot be given together"),
        ("IDS 0 1-0", "ERR Number of IDs must be a positive integer"),
        ("IDS 2 1-0", "ERR The `numids` parameter must match the number of arguments"),
        ("IDS 1 x", "ERR Invalid stream ID specified as stream command argument"),
        ("IDS 1 1-0 2-0", SYNTAX),
        ("TO", SYNTAX),
        ("TO a TO b", SYNTAX),
        ("COUNT 1 COUNT 1", SYNTAX),
        ("ALL", SYNTAX),
    ],
)
def test_what_is_refused(world: Embedded, words: str, error: str) -> None:
    assert world.main.error("XREDRIVE", DEAD, *words.split()) == error
    assert run(world, f"XLEN {DEAD}") == 4


def test_keys_of_other_types(world: Embedded) -> None:
    run(world, "SET str plain")
    assert world.main.error("XREDRIVE", "str").startswith("WRONGTYPE")
    assert world.main.error("XREDRIVE", DEAD, "TO", "str").startswith("WRONGTYPE Nothing")
    assert run(world, "XREDRIVE nope") == []
    assert run(world, "XREDRIVE nope TO str") == []


def test_where_its_keys_are(world: Embedded) -> None:
    assert run(world, "COMMAND GETKEYS XREDRIVE a") == [b"a"]
    assert run(world, "COMMAND GETKEYS XREDRIVE a COUNT 3 TO b") == [b"a", b"b"]
    assert run(world, "COMMAND GETKEYS XREDRIVE a TO to IDS 1 1-0") == [b"a", b"to"]


# --- who may ---


def log_in(world: Embedded, rules: str) -> Client:
    run(world, f"ACL SETUSER ann on nopass {rules}")
    client = world.connect()
    client.ok("AUTH", "ann", "")
    return client


def test_nobody_writes_where_he_may_not_by_planting_a_dead_letter(world: Embedded) -> None:
    client = log_in(world, f"~{DEAD} %R~s ~mine +@all")
    assert client.error("XREDRIVE", DEAD) == (
        "NOPERM Nothing was moved: dead letter 1-0 belongs to key 's', which this user may not "
        "write to"
    )
    assert client.error("XREDRIVE", DEAD, "TO", "s") == "NOPERM No permissions to access a key"
    assert run(world, "XLEN s") == 1
    [entry] = run(world, "ACL LOG 1")
    assert dict(zip(entry[::2], entry[1::2], strict=True))[b"object"] == b"s"
    bury(world.main, "5-0", of="mine")
    assert len(client.ok("XREDRIVE", DEAD)) == 1
    assert run(world, f"XLEN {DEAD}") == 4
    assert len(client.ok("XREDRIVE", DEAD, "TO", "mine")) == 4


def test_nor_through_a_script_or_a_transaction(world: Embedded) -> None:
    client = log_in(world, f"~{DEAD} ~mine +@all")
    error = client.error("EVAL", f"return redis.call('XREDRIVE', '{DEAD}')", 0)
    assert error.startswith("NOPERM Nothing was moved: dead letter 1-0 belongs to key 's'")
    client.ok("MULTI")
    client.ok("XREDRIVE", DEAD)
    client.send("EXEC")
    [(_, [(kind, text)])] = client.read_all()
    assert (kind, text[:6]) == ("-", b"NOPERM")
    assert run(world, "XLEN s") == 1


def test_who_may_write_there_moves_them(world: Embedded) -> None:
    client = log_in(world, f"~{DEAD} %W~s +xredrive")
    assert len(client.ok("XREDRIVE", DEAD)) == 4


# --- what follows ---


def test_readers_wake(world: Embedded) -> None:
    run(world, "XGROUP CREATE s g $")
    other = world.connect()
    other.send("XREADGROUP", "GROUP", "g", "bob", "BLOCK", 0, "STREAMS", "s", ">")
    run(world, f"XREDRIVE {DEAD} COUNT 1")
    [(_, [(_, [_, (_, [(_, [_, (_, fields)])])])])] = other.read_all()
    assert fields == [("$", b"n"), ("$", b"1-0")]


def test_events(world: Embedded) -> None:
    run(world, "CONFIG SET notify-keyspace-events EA")
    listener = world.connect()
    listener.send("PSUBSCRIBE", "__keyevent@0__:*")
    listener.read_all()
    run(world, f"XREDRIVE {DEAD} COUNT 2")
    told = [(reply[1][2][1].split(b":")[1], reply[1][3][1]) for reply in listener.read_all()]
    assert told == [(b"xadd", b"s"), (b"xadd", b"s"), (b"xdel", DEAD.encode())]


def test_the_stream_it_goes_to_keeps_its_bounds(world: Embedded) -> None:
    run(world, "XCFGSET s RETAIN-MAXLEN 2")
    assert len(run(world, f"XREDRIVE {DEAD}")) == 4
    world.pass_ms(1000)
    assert [fields for _, fields in entries(world, "s")] == [[b"n", b"3-0"], [b"n", b"4-0"]]


def test_watchers_see_it(world: Embedded) -> None:
    other = world.connect()
    other.ok("WATCH", DEAD)
    run(world, f"XREDRIVE {DEAD} COUNT 1")
    other.ok("MULTI")
    other.ok("PING")
    assert other.ok("EXEC") is None


def test_both_halves_are_one_record(world: Embedded) -> None:
    world.state.recorder.start(0, 0)
    run(world, f"XREDRIVE {DEAD}")
    [batch] = take_all(world.state.recorder)
    assert batch.records == 1


# --- what survives ---


def test_what_is_recorded_gives_the_same_state() -> None:
    world = Embedded(stream_node_max_entries="3")
    world.state.recorder.start(0, 0)
    for i in range(1, 30):
        bury(world.main, f"{i}-0", *(("n", i) if i % 3 else ("m", i, "k", "v")), of=f"s{i % 4}")
    run(world, f"XDEL {DEAD} 7-0")
    run(world, f"XREDRIVE {DEAD} COUNT 5")
    run(world, f"XREDRIVE {DEAD} IDS 3 20-0 9-0 15-0 TO t")
    run(world, f"XREDRIVE {DEAD} TO {DEAD} COUNT 2")
    run(world, f"XREDRIVE {DEAD} COUNT 9")
    applier = Applier(Keyspace(world.clock, 16))
    for batch in take_all(world.state.recorder):
        apply_batch(applier, batch)
    assert_equal_state(world.state.keyspace, applier.keyspace)


@pytest.mark.parametrize("rewritten", [False, True])
def test_it_survives(rewritten: bool) -> None:
    disk = SimulatedDisk("/data")
    store = DurableEngine(disk, appendfsync="always")
    for i in range(1, 30):
        bury(store.client, f"{i}-0", "n", i)
    store.ok("XREDRIVE", DEAD, "COUNT", 7)
    if rewritten:
        store.ok("BGREWRITEAOF")
        store.settle()
    store.ok("XREDRIVE", DEAD, "IDS", 2, "20-0", "9-0")
    store.settle()
    held = store.digest()
    disk.kill()
    again = reopened(disk, store, appendfsync="always")
    assert again.digest() == held
    assert again.ok("XLEN", "s") == 9
    assert again.ok("XLEN", DEAD) == 20
    again.stop()
