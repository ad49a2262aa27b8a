"""XGROUP, XACK, XACKDEL, XNACK, XPENDING."""

from __future__ import annotations

from typing import Any

import pytest

from support.embedded import NOW_MS, Client, Embedded

MAX_ID = "18446744073709551615-18446744073709551615"
NEEDS_KEY = (
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to "
    "use the MKSTREAM option to create an empty stream automatically."
)
CREATE_SYNTAX = "ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP."
WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
INVALID_ID = "ERR Invalid stream ID specified as stream command argument"
NO_GROUP = "NOGROUP No such key 's' or consumer group 'nope'"


@pytest.fixture
def world() -> Embedded:
    return Embedded()


@pytest.fixture
def busy(world: Embedded) -> Embedded:
    """Stream `s` with 1-0 to 6-0; of group `g`, ann has 1 to 3 pending, bob 4 to 5."""
    for i in range(1, 7):
        world.main.ok("XADD", "s", f"{i}-0", "f", i)
    world.main.ok("XGROUP", "CREATE", "s", "g", "0")
    world.main.ok("XREADGROUP", "GROUP", "g", "ann", "COUNT", 3, "STREAMS", "s", ">")
    world.pass_ms(1000)
    world.main.ok("XREADGROUP", "GROUP", "g", "bob", "COUNT", 2, "STREAMS", "s", ">")
    world.main.ok("SET", "str", "plain")
    return world


def run(world: Embedded, line: str) -> Any:
    return world.main.ok(*line.split())


def say(client: Client, line: str) -> None:
    client.send(*line.split())


def fields(flat: list[Any]) -> dict[bytes, Any]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def group(world: Embedded, key: str = "s", name: bytes = b"g") -> dict[bytes, Any]:
    groups = [fields(flat) for flat in world.main.ok("XINFO", "GROUPS", key)]
    return next(found for found in groups if found[b"name"] == name)


def pending_ids(world: Embedded, name: str = "g") -> list[bytes]:
    return [entry[0] for entry in world.main.ok("XPENDING", "s", name, "-", "+", 100)]


# --- XGROUP ---


def test_create_makes_the_stream_when_told_to(world: Embedded) -> None:
    assert world.main.error("XGROUP", "CREATE", "s", "g", "$") == NEEDS_KEY
    assert run(world, "XGROUP CREATE s g $ mkstream") == b"OK"
    assert run(world, "TYPE s") == b"stream"
    assert group(world)[b"last-delivered-id"] == b"0-0"
    assert world.main.error("XGROUP", "CREATE", "s", "g", "0") == (
        "BUSYGROUP Consumer Group name already exists"
    )


def test_a_bad_id_makes_no_stream(world: Embedded) -> None:
    assert world.main.error("XGROUP", "CREATE", "s", "g", "x", "MKSTREAM") == INVALID_ID
    assert run(world, "EXISTS s") == 0


def test_where_a_group_begins(busy: Embedded) -> None:
    run(busy, "XGROUP CREATE s last $")
    run(busy, "XGROUP CREATE s third 3")
    assert group(busy, name=b"last")[b"last-delivered-id"] == b"6-0"
    third = group(busy, name=b"third")
    assert third[b"last-delivered-id"] == b"3-0"
    assert third[b"entries-read"] is None


def test_entries_read_is_no_more_than_was_added(busy: Embedded) -> None:
    run(busy, "XGROUP CREATE s h 2 ENTRIESREAD 100")
    assert group(busy, name=b"h")[b"entries-read"] == 6
    run(busy, "XGROUP SETID s h 2 ENTRIESREAD 2")
    assert group(busy, name=b"h")[b"entries-read"] == 2
    assert group(busy, name=b"h")[b"lag"] == 4
    run(busy, "XGROUP SETID s h $")
    assert group(busy, name=b"h")[b"entries-read"] is None
    assert group(busy, name=b"h")[b"lag"] == 0


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("CREATE s h x ENTRIESREAD x", "ERR value is not an integer or out of range"),
        ("CREATE s h 0 ENTRIESREAD -2", "ERR value for ENTRIESREAD must be positive or -1"),
        ("CREATE s h 0 ENTRIESREAD", CREATE_SYNTAX),
        ("CREATE nokey h x BOGUS", CREATE_SYNTAX),
        ("CREATE s h 0 MKSTREAM ENTRIESREAD 1 MKSTREAM", CREATE_SYNTAX),
        ("CREATE s g x", INVALID_ID),
        ("CREATE str g $ MKSTREAM", WRONG_TYPE),
        ("SETID s nope x", "NOGROUP No such consumer group 'nope' for key name 's'"),
        ("SETID nokey nope x", NEEDS_KEY),
        ("SETID s g 5-", INVALID_ID),
        (
            "SETID s g 1 MKSTREAM",
            "ERR unknown subcommand or wrong number of arguments for 'SETID'. Try XGROUP HELP.",
        ),
        ("DESTROY nokey g", NEEDS_KEY),
        ("CREATECONSUMER s nope c", "NOGROUP No such consumer group 'nope' for key name 's'"),
        ("DELCONSUMER s nope c", "NOGROUP No such consumer group 'nope' for key name 's'"),
        ("DELCONSUMER str g c", WRONG_TYPE),
        ("CREATECONSUMER s g", "ERR wrong number of arguments for 'xgroup|createconsumer' command"),
    ],
)
def test_xgroup_errors(busy: Embedded, line: str, text: str) -> None:
    assert busy.main.error("XGROUP", *line.split()) == text


def test_destroy(busy: Embedded) -> None:
    assert run(busy, "XGROUP DESTROY s nope") == 0
    assert run(busy, "XGROUP DESTROY s g") == 1
    assert run(busy, "XINFO GROUPS s") == []


def test_destroy_wakes_who_waits_for_the_group(busy: Embedded) -> None:
    reader = busy.connect()
    run(busy, "XREADGROUP GROUP g ann STREAMS s >")
    reader.send("XREADGROUP", "GROUP", "g", "cyd", "BLOCK", 0, "STREAMS", "s", ">")
    assert reader.read_all() == []
    run(busy, "XGROUP DESTROY s g")
    ((kind, text),) = reader.read_all()
    assert kind == "-"
    assert text.startswith(b"NOGROUP ")


def test_consumers_come_and_go(busy: Embedded) -> None:
    assert run(busy, "XGROUP CREATECONSUMER s g cyd") == 1
    assert run(busy, "XGROUP CREATECONSUMER s g cyd") == 0
    assert run(busy, "XGROUP DELCONSUMER s g nobody") == 0
    assert run(busy, "XGROUP DELCONSUMER s g ann") == 3
    assert pending_ids(busy) == [b"4-0", b"5-0"]
    names = [fields(flat)[b"name"] for flat in run(busy, "XINFO CONSUMERS s g")]
    assert names == [b"bob", b"cyd"]


# --- XACK ---


def test_ack_counts_what_was_pending(busy: Embedded) -> None:
    assert run(busy, "XACK s g 1-0 1-0 9-0 4-0 6-0") == 2
    assert pending_ids(busy) == [b"2-0", b"3-0", b"5-0"]
    assert run(busy, "XACK nokey g x") == 0
    assert run(busy, "XACK s nope x") == 0


def test_a_bad_id_acknowledges_nothing(busy: Embedded) -> None:
    assert busy.main.error("XACK", "s", "g", "1-0", "x") == INVALID_ID
    assert busy.main.error("XACK", "str", "g", "x") == WRONG_TYPE
    assert len(pending_ids(busy)) == 5


# --- XACKDEL ---


def test_ackdel_deletes_by_default(busy: Embedded) -> None:
    assert run(busy, "XACKDEL s g IDS 3 1-0 1-0 6-0") == [1, -1, -1]
    assert run(busy, "XLEN s") == 5
    assert run(busy, "XACKDEL nokey g IDS 2 1-0 x") == [-1, -1]
    assert run(busy, "XACKDEL s nope IDS 1 x") == [-1]


def test_ackdel_and_other_groups(busy: Embedded) -> None:
    run(busy, "XGROUP CREATE s h 0")
    run(busy, "XREADGROUP GROUP h eve STREAMS s >")
    assert run(busy, "XACKDEL s g ACKED IDS 1 1-0") == [2]
    assert run(busy, "XACKDEL s g KEEPREF IDS 1 2-0") == [1]
    assert run(busy, "XACKDEL s g DELREF IDS 1 3-0") == [1]
    assert pending_ids(busy, "h") == [b"1-0", b"2-0", b"4-0", b"5-0", b"6-0"]
    assert run(busy, "XACKDEL s h ACKED IDS 2 1-0 2-0") == [1, 1]
    assert [entry[0] for entry in run(busy, "XRANGE s - +")] == [b"4-0", b"5-0", b"6-0"]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("s g BOGUS IDS 1 1-0", "ERR syntax error"),
        ("s g IDS 1 1-0 BOGUS", "ERR syntax error"),
        ("s g IDS x 1-0", "ERR Number of IDs must be a positive integer"),
        ("s g IDS 0 1-0", "ERR Number of IDs must be a positive integer"),
        ("s g IDS 2 1-0", "ERR The `numids` parameter must match the number of arguments"),
        ("s g IDS 1 x", INVALID_ID),
        ("str g IDS 1 1-0", WRONG_TYPE),
    ],
)
def test_ackdel_errors(busy: Embedded, line: str, text: str) -> None:
    assert busy.main.error("XACKDEL", *line.split()) == text


# --- XNACK ---


def test_nacked_entries_are_nobodys(busy: Embedded) -> None:
    assert run(busy, "XNACK s g FAIL IDS 3 2-0 2-0 9-0") == 2
    assert run(busy, "XPENDING s g - + 3") == [
        [b"1-0", b"ann", 1000, 1],
        [b"2-0", b"", -1, 1],
        [b"3-0", b"ann", 1000, 1],
    ]
    assert run(busy, "XPENDING s g") == [5, b"1-0", b"5-0", [[b"ann", b"2"], [b"bob", b"2"]]]
    full = fields(run(busy, "XINFO STREAM s FULL"))
    assert fields(full[b"groups"][0])[b"nacked-count"] == 1


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ("SILENT IDS 1 1-0", 2),
        ("fail IDS 1 1-0", 3),
        ("FATAL IDS 1 1-0", 2**63 - 1),
        ("FATAL IDS 1 1-0 RETRYCOUNT 7", 7),
        ("SILENT IDS 1 1-0 FORCE RETRYCOUNT 0", 0),
        ("SILENT IDS 4 1-0 1-0 1-0 1-0", 0),
    ],
)
def test_what_nack_does_to_the_count(busy: Embedded, options: str, count: int) -> None:
    run(busy, "XCLAIM s g ann 0 1-0 RETRYCOUNT 3")
    run(busy, f"XNACK s g {options}")
    assert run(busy, "XPENDING s g - + 1") == [[b"1-0", b"", -1, count]]


def test_force_makes_pending_what_the_stream_has(busy: Embedded) -> None:
    assert run(busy, "XNACK s g SILENT IDS 2 6-0 7-0") == 0
    assert run(busy, "XNACK s g SILENT IDS 2 6-0 7-0 FORCE") == 1
    assert run(busy, "XPENDING s g 6 + 9") == [[b"6-0", b"", -1, 0]]
    assert run(busy, "XNACK s g FATAL IDS 1 6-0 FORCE") == 1
    assert run(busy, "XPENDING s g 6 + 9") == [[b"6-0", b"", -1, 2**63 - 1]]


def test_nacked_entries_are_claimed_first_in_the_order_of_release(busy: Embedded) -> None:
    run(busy, "XNACK s g FAIL IDS 2 5-0 3-0")
    ((_, entries),) = run(busy, "XREADGROUP GROUP g cyd COUNT 3 CLAIM 1000 STREAMS s >")
    assert [(entry[0], entry[3]) for entry in entries] == [(b"5-0", 1), (b"3-0", 1), (b"1-0", 1)]


def test_the_count_stops_at_its_highest(busy: Embedded) -> None:
    run(busy, "XNACK s g FATAL IDS 1 1-0")
    run(busy, "XCLAIM s g bob 0 1-0")
    assert run(busy, "XPENDING s g - + 1")[0][3] == 2**63 - 1


def test_nack_wakes_who_claims(busy: Embedded) -> None:
    run(busy, "XREADGROUP GROUP g bob STREAMS s >")
    reader = busy.connect()
    say(reader, "XREADGROUP GROUP g cyd COUNT 1 BLOCK 0 CLAIM 60000 STREAMS s >")
    assert reader.read_all() == []
    run(busy, "XNACK s g SILENT IDS 1 4-0")
    ((_, replies),) = reader.read_all()
    entry = replies[0][1][1][1][0]
    assert entry[1][0] == ("$", b"4-0")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("s nope BOGUS IDS x 1-0", NO_GROUP),
        ("str g BOGUS IDS x 1-0", WRONG_TYPE),
        ("s g BOGUS IDS x 1-0", "ERR mode must be SILENT, FAIL, or FATAL"),
        ("s g FAIL NUMS 1 1-0", "ERR syntax error"),
        ("s g FAIL IDS x 1-0", "ERR numids must be a positive integer"),
        ("s g FAIL IDS 0 x RETRYCOUNT -1", "ERR numids must be a positive integer"),
        ("s g FAIL IDS 2 1-0", "ERR number of IDs doesn't match numids"),
        ("s g FAIL IDS 1 x RETRYCOUNT -1", "ERR Invalid RETRYCOUNT value, must be >= 0"),
        ("s g FAIL IDS 1 x RETRYCOUNT x", "ERR Invalid RETRYCOUNT value, must be >= 0"),
        ("s g FAIL IDS 1 1-0 BOGUS", "ERR syntax error"),
        ("s g FAIL IDS 2 1-0 x", INVALID_ID),
    ],
)
def test_nack_errors(busy: Embedded, line: str, text: str) -> None:
    assert busy.main.error("XNACK", *line.split()) == text
    assert group(busy)[b"pending"] == 5


# --- XPENDING ---


def test_summary(busy: Embedded) -> None:
    assert run(busy, "XPENDING s g") == [5, b"1-0", b"5-0", [[b"ann", b"3"], [b"bob", b"2"]]]
    run(busy, "XGROUP CREATE s h $")
    assert run(busy, "XPENDING s h") == [0, None, None, None]
    assert busy.main.call("XPENDING", "s", "h")[1][3] == ("nil", "*")


def test_range(busy: Embedded) -> None:
    assert run(busy, "XPENDING s g - + 10") == [
        [b"1-0", b"ann", 1000, 1],
        [b"2-0", b"ann", 1000, 1],
        [b"3-0", b"ann", 1000, 1],
        [b"4-0", b"bob", 0, 1],
        [b"5-0", b"bob", 0, 1],
    ]
    for line, ids in (
        ("(1-0 (4-0 10", [b"2-0", b"3-0"]),
        ("2 4 2", [b"2-0", b"3-0"]),
        ("- + 10 bob", [b"4-0", b"5-0"]),
        ("- (5-0 10 bob", [b"4-0"]),
        ("- + 10 nobody", []),
        ("- + 0", []),
        ("- + -5", []),
        ("+ - 10", []),
        ("4 2 10", []),
    ):
        assert [entry[0] for entry in run(busy, f"XPENDING s g {line}")] == ids


def test_range_of_the_idle(busy: Embedded) -> None:
    for line, ids in (
        ("IDLE 1000 - + 10", [b"1-0", b"2-0", b"3-0"]),
        ("IDLE 1001 - + 10", []),
        ("IDLE 1000 (1-0 + 1", [b"2-0"]),
        ("IDLE 1000 - + 10 bob", []),
        ("IDLE 0 - + 10 bob", [b"4-0", b"5-0"]),
        ("IDLE -7 4 + 10", [b"4-0", b"5-0"]),
        ("IDLE 9223372036854775807 - + 10", []),
    ):
        assert [entry[0] for entry in run(busy, f"XPENDING s g {line}")] == ids


def test_range_of_the_idle_with_thousands(world: Embedded) -> None:
    run(world, "XGROUP CREATE s g 0 MKSTREAM")
    for i in range(1, 3001):
        world.main.ok("XADD", "s", f"{i}-0", "f", "v")
    run(world, "XREADGROUP GROUP g ann COUNT 2000 STREAMS s >")
    world.pass_ms(10)
    run(world, "XREADGROUP GROUP g bob STREAMS s >")
    run(world, "XCLAIM s g bob 0 5-0 IDLE 500")
    world.pass_ms(10)
    idle = run(world, "XPENDING s g IDLE 15 2-0 + 4000")
    assert [entry[0] for entry in idle] == [b"%d-0" % i for i in range(2, 2001)]
    bobs = run(world, "XPENDING s g IDLE 10 - + 4000 bob")
    assert [entry[0] for entry in bobs] == [b"5-0", *(b"%d-0" % i for i in range(2001, 3001))]
    assert len(run(world, "XPENDING s g - + 4000 ann")) == 1999


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("s g -", "ERR syntax error"),
        ("s g - +", "ERR syntax error"),
        ("s g IDLE 0 - +", "ERR syntax error"),
        ("s g IDLE 0 - + 10 c d", "ERR syntax error"),
        ("s g IDLE x - + x", "ERR value is not an integer or out of range"),
        ("s g x + x", "ERR value is not an integer or out of range"),
        ("s g x + 10", INVALID_ID),
        ("s g (- + 10", INVALID_ID),
        (f"s nope ({MAX_ID} + 10", "ERR invalid start ID for the interval"),
        ("s nope - (0-0 10", "ERR invalid end ID for the interval"),
        ("s nope - + 10", NO_GROUP),
        ("s nope", NO_GROUP),
        ("str g", WRONG_TYPE),
    ],
)
def test_xpending_errors(busy: Embedded, line: str, text: str) -> None:
    assert busy.main.error("XPENDING", *line.split()) == text


def test_the_clock_may_go_back(busy: Embedded) -> None:
    busy.clock.advance(-5000)
    assert run(busy, "XPENDING s g - + 1") == [[b"1-0", b"ann", 0, 1]]
    assert busy.clock.now_ms < NOW_MS


def test_a_destroyed_group_is_freed_later() -> None:
    world = Embedded()
    keyspace = world.state.keyspace
    for i in range(1, 3001):
        world.main.ok("XADD", "s", f"{i}-0", "f", "v")
    world.main.ok("XGROUP", "CREATE", "s", "g", "0")
    world.main.ok("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">")
    group = world.state.keyspace.databases[0].values[b"s"].groups[b"g"]
    pages = group.pending.records.pages
    world.main.ok("XGROUP", "DESTROY", "s", "g")
    assert any(part is pages for part in keyspace.graveyard)
    assert len(pages) == 3
    world.main.ok("XGROUP", "CREATE", "s", "g", "0")
    rounds = 1
    while keyspace.free_some(2):
        rounds += 1
    assert rounds > 5
    assert pages == []
    entries = world.main.ok("XREADGROUP", "GROUP", "g", "c", "COUNT", "2", "STREAMS", "s", ">")
    assert [entry[0] for entry in entries[0][1]] == [b"1-0", b"2-0"]
