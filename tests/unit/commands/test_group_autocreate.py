"""`group-autocreate`, and that neither streams nor groups are ever evicted."""

from __future__ import annotations

from typing import Any

import pytest

from headwater.commands.eviction import POLICIES
from headwater.keyspace.database import Keyspace
from headwater.persistence.apply import Applier
from support.disk import SimulatedDisk
from support.durable import DurableEngine, reopened
from support.embedded import Client, Embedded
from support.journal import apply_batch, assert_equal_state, take_all

READ = "XREADGROUP GROUP g ann STREAMS s >"
NO_GROUP = "NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option"


def run(world: Embedded, line: str) -> Any:
    return world.main.ok(*line.split())


def fail(world: Embedded, line: str) -> str:
    return world.main.error(*line.split())


@pytest.fixture
def world() -> Embedded:
    """Groups begin at the first entry; stream `s` has two, and no group."""
    return begin("0")


def begin(at: str) -> Embedded:
    world = Embedded(group_autocreate=at)
    run(world, "XADD s 1-0 n 1")
    run(world, "XADD s 2-0 n 2")
    return world


def ids(reply: Any) -> list[bytes]:
    return [] if reply is None else [entry[0] for _, found in reply for entry in found]


# --- the setting ---


def test_without_it_a_missing_group_is_an_error() -> None:
    world = Embedded()
    assert run(world, "CONFIG GET group-autocreate") == [b"group-autocreate", b"no"]
    run(world, "XADD s 1-0 n 1")
    assert fail(world, READ) == NO_GROUP
    assert run(world, "XINFO GROUPS s") == []


@pytest.mark.parametrize(("at", "expected"), [("0", [b"1-0", b"2-0"]), ("$", [])])
def test_where_the_group_begins(at: str, expected: list[bytes]) -> None:
    world = begin("no")
    run(world, f"CONFIG SET group-autocreate {at}")
    assert ids(run(world, READ)) == expected
    run(world, "XADD s 3-0 n 3")
    assert ids(run(world, READ)) == [b"3-0"]
    run(world, "CONFIG SET group-autocreate no")
    run(world, "XGROUP DESTROY s g")
    assert fail(world, READ) == NO_GROUP


def test_what_it_cannot_be() -> None:
    world = Embedded()
    error = fail(world, "CONFIG SET group-autocreate yes")
    assert "must be one of the following: no, 0, $" in error


# --- what is created ---


def test_a_missing_stream_is_created_too(world: Embedded) -> None:
    assert run(world, "XREADGROUP GROUP g ann STREAMS new >") is None
    assert run(world, "TYPE new") == b"stream"
    run(world, "XADD new 1-0 n 1")
    assert ids(run(world, "XREADGROUP GROUP g ann STREAMS new >")) == [b"1-0"]


def test_a_history_of_a_new_group_is_empty(world: Embedded) -> None:
    assert run(world, "XREADGROUP GROUP g ann STREAMS s 0") == [[b"s", []]]
    assert len(run(world, "XINFO CONSUMERS s g")) == 1


def test_of_several_streams_those_that_lack_it(world: Embedded) -> None:
    run(world, "XGROUP CREATE s g 1-0")
    reply = run(world, "XREADGROUP GROUP g ann STREAMS s new s other > > > 0")
    assert ids(reply) == [b"2-0"]
    for key in ("new", "other"):
        assert run(world, f"XINFO GROUPS {key}")[0][1] == b"g"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("XREADGROUP GROUP g ann STREAMS s new str > > >", "WRONGTYPE"),
        ("XREADGROUP GROUP g ann STREAMS str new > >", "WRONGTYPE"),
        ("XREADGROUP GROUP g ann STREAMS s new > $", "ERR The $ ID is meaningless"),
        ("XREADGROUP GROUP g ann STREAMS s new > x", "ERR Invalid stream ID"),
        ("XREADGROUP GROUP g ann COUNT x STREAMS new >", "ERR value is not an integer"),
    ],
)
def test_all_or_none(world: Embedded, line: str, error: str) -> None:
    run(world, "SET str plain")
    assert fail(world, line).startswith(error)
    assert run(world, "EXISTS new") == 0
    assert run(world, "XINFO GROUPS s") == []


def test_only_xreadgroup_creates(world: Embedded) -> None:
    assert fail(world, "XPENDING s g").startswith("NOGROUP")
    assert fail(world, "XGROUP SETID s g 0").startswith("NOGROUP")
    assert fail(world, "XAUTOCLAIM s g ann 0 0").startswith("NOGROUP")


def test_in_transactions_and_scripts(world: Embedded) -> None:
    script = "return redis.call('XREADGROUP','GROUP','g','ann','STREAMS',KEYS[1],'>')"
    assert ids(world.main.ok("EVAL", script, 1, "s")) == [b"1-0", b"2-0"]
    run(world, "MULTI")
    run(world, "XREADGROUP GROUP h ann STREAMS s >")
    assert ids(run(world, "EXEC")[0]) == [b"1-0", b"2-0"]


# --- who waits ---


def test_a_reader_waits_for_the_first_entry(world: Embedded) -> None:
    other = world.connect()
    other.send("XREADGROUP", "GROUP", "g", "bob", "BLOCK", 0, "STREAMS", "new", ">")
    assert other.read_all() == []
    run(world, "XADD new 5-0 n 1")
    assert len(other.read_all()) == 1


@pytest.mark.parametrize("line", ["XGROUP DESTROY new g", "DEL new", "SET new plain", "FLUSHALL"])
def test_who_waits_for_a_group_that_goes_is_told(world: Embedded, line: str) -> None:
    plain = Embedded()
    plain.main.ok("XGROUP", "CREATE", "new", "g", "$", "MKSTREAM")
    told = []
    for each in (world, plain):
        other = each.connect()
        other.send("XREADGROUP", "GROUP", "g", "bob", "BLOCK", 0, "STREAMS", "new", ">")
        assert other.read_all() == []
        run(each, line)
        told.append(other.read_all())
    assert told[0] == told[1]
    assert told[0][0][0] == "-"
    if line != "SET new plain":
        assert told[0][0][1].startswith(b"NOGROUP")  # type: ignore[union-attr]


# --- refused as XGROUP CREATE is ---


def log_in(world: Embedded, rules: str) -> Client:
    run(world, f"ACL SETUSER ann on nopass {rules}")
    client = world.connect()
    client.ok("AUTH", "ann", "")
    return client


@pytest.mark.parametrize("rules", ["~* +xreadgroup", "%R~* +@all", "%R~* ~t +@all"])
def test_who_may_not_create_groups(world: Embedded, rules: str) -> None:
    client = log_in(world, rules)
    assert client.error(*READ.split()) == (
        "NOPERM No such consumer group 'g' for key 's', and this user may not create it"
    )
    assert client.error(*f"{READ} >".replace(" s", " t s").split()).startswith("NOPERM")
    assert run(world, "EXISTS t") == 0
    run(world, "XGROUP CREATE s g 0")
    assert ids(client.ok(*READ.split())) == [b"1-0", b"2-0"]


def test_who_may(world: Embedded) -> None:
    client = log_in(world, "~s +xreadgroup +xgroup|create")
    assert ids(client.ok(*READ.split())) == [b"1-0", b"2-0"]


def test_not_beyond_the_limit_of_memory(world: Embedded) -> None:
    run(world, "XGROUP CREATE s g 0")
    run(world, "CONFIG SET maxmemory 1")
    assert fail(world, "XREADGROUP GROUP g ann STREAMS new >").startswith("OOM")
    assert ids(run(world, READ)) == [b"1-0", b"2-0"]
    assert run(world, "EXISTS new") == 0


# --- what is told and kept ---


def test_events(world: Embedded) -> None:
    run(world, "CONFIG SET notify-keyspace-events EAn")
    listener = world.connect()
    listener.send("PSUBSCRIBE", "__keyevent@0__:*")
    listener.read_all()
    run(world, "XREADGROUP GROUP g ann STREAMS new s > >")
    told = [(reply[1][2][1].split(b":")[1], reply[1][3][1]) for reply in listener.read_all()]
    assert told == [
        *((b"new", b"new"), (b"xgroup-create", b"new"), (b"xgroup-create", b"s")),
        *((b"xgroup-createconsumer", b"new"), (b"xgroup-createconsumer", b"s")),
    ]


def test_what_is_recorded_gives_the_same_state(world: Embedded) -> None:
    fresh = Embedded(group_autocreate="$")
    fresh.state.recorder.start(0, 0)
    for line in ("XADD s 1-0 n 1", READ, "XADD s 2-0 n 2", READ):
        run(fresh, line)
    run(fresh, "XREADGROUP GROUP h bob STREAMS s new > >")
    applier = Applier(Keyspace(fresh.clock, 16))
    for batch in take_all(fresh.state.recorder):
        apply_batch(applier, batch)
    assert_equal_state(fresh.state.keyspace, applier.keyspace)


def test_it_survives() -> None:
    disk = SimulatedDisk("/data")
    store = DurableEngine(disk, appendfsync="always", group_autocreate="0")
    store.ok("XADD", "s", "1-0", "n", 1)
    store.ok("XREADGROUP", "GROUP", "g", "ann", "STREAMS", "s", "new", ">", ">")
    store.settle()
    held = store.digest()
    disk.kill()
    again = reopened(disk, store, appendfsync="always")
    assert again.digest() == held
    assert again.ok("XPENDING", "s", "g")[0][1] == 1
    assert again.ok("EXISTS", "new") == 1
    again.stop()


# --- streams and groups are never evicted ---


@pytest.mark.parametrize("policy", [*POLICIES])
def test_streams_and_groups_are_never_evicted(policy: str) -> None:
    world = Embedded(maxmemory_policy=policy)
    for i in range(20):
        run(world, f"XADD s{i} 1-0 n 1")
        run(world, f"XGROUP CREATE s{i} g 0")
        run(world, f"XREADGROUP GROUP g ann STREAMS s{i} >")
        run(world, f"EXPIRE s{i} 1000")
        run(world, f"SET k{i} {'v' * 1000} EX 1000")
    run(world, "XGROUP CREATE empty g $ MKSTREAM")
    run(world, "CONFIG SET maxmemory 1")
    # Evicting takes its time by the machine's clock: some more may be let in before all is gone.
    refused = 0
    for _ in range(200):
        world.pass_ms(100)
        reply = world.main.call("SET", "more", "v")
        refused += reply[0] == "-" and reply[1].startswith(b"OOM")
        if refused == 20:
            break
    assert refused == 20
    run(world, "DEL more")
    kept = 20 if policy == "noeviction" else 0
    assert run(world, "DBSIZE") == 21 + kept
    for i in range(20):
        assert run(world, f"XPENDING s{i} g - + 9")[0][:2] == [b"1-0", b"ann"]
    assert run(world, "XINFO GROUPS empty")[0][1] == b"g"
