"""LEASE connection: entries are not due while the connection lives that they were taken over."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from headwater.commands.leases import ENTRIES_AT_ONCE
from headwater.streams.group import Group
from headwater.streams.stream import Stream
from support.embedded import Client, Embedded


@pytest.fixture
def world() -> Embedded:
    """Stream `s` with 1-0 to 9-0; group `g` leases by connection."""
    world = Embedded()
    for i in range(1, 10):
        run(world.main, f"XADD s {i}-0 f {i}")
    run(world.main, "XGROUP CREATE s g 0")
    run(world.main, "XGROUP CFGSET s g LEASE connection")
    return world


def run(client: Client, line: str) -> Any:
    return client.ok(*line.split())


def read(
    client: Client, name: str, count: int = 100, key: str = "s", group: str = "g"
) -> list[str]:
    """The IDs that a consumer gets now."""
    got = run(client, f"XREADGROUP GROUP {group} {name} COUNT {count} STREAMS {key} >")
    return ids_of(got)


def say(client: Client, line: str) -> None:
    client.send(*line.split())


def ids_of(got: Any) -> list[str]:
    return [] if got is None else [entry[0].decode() for entry in got[0][1]]


def ids(first: int, last: int) -> list[str]:
    return [f"{i}-0" for i in range(first, last + 1)]


def the_group(world: Embedded, key: bytes = b"s", name: bytes = b"g") -> Group:
    stream = world.state.keyspace.databases[0].values[key]
    assert isinstance(stream, Stream)
    assert stream.groups is not None
    return stream.groups[name]


def held_count(world: Embedded) -> int:
    redelivery = the_group(world).redelivery
    assert redelivery is not None
    redelivery.held.check()
    return redelivery.held.length


def owners(world: Embedded) -> dict[str, tuple[str, int]]:
    """Who has each pending entry, and how often it was delivered."""
    found = run(world.main, "XPENDING s g - + 100")
    return {entry[0].decode(): (entry[1].decode(), entry[3]) for entry in found}


def test_not_due_while_its_connection_lives(world: Embedded) -> None:
    run(world.main, "XGROUP CFGSET s g ACKWAIT 1000")
    ann, bob = world.connect(), world.connect()
    assert read(ann, "ann", 3) == ids(1, 3)
    world.pass_ms(10_000_000)
    assert read(bob, "bob", 2) == ids(4, 5)
    assert read(bob, "bob") == ids(6, 9)
    assert read(bob, "bob") == []
    assert held_count(world) == 9


def test_due_at_once_when_the_connection_closes(world: Embedded) -> None:
    ann, bob = world.connect(), world.connect()
    read(ann, "ann", 3)
    ann.session.close()
    assert read(bob, "bob", 4) == ids(1, 4)
    assert owners(world)["1-0"] == ("bob", 2)
    assert owners(world)["4-0"] == ("bob", 1)
    bob.session.close()
    assert read(world.main, "carl") == ids(1, 9)


def test_a_blocked_reader_wakes(world: Embedded) -> None:
    ann, bob = world.connect(), world.connect()
    read(ann, "ann")
    say(bob, "XREADGROUP GROUP g bob BLOCK 0 STREAMS s >")
    world.pass_ms(1000)
    assert bob.read_all() == []
    ann.session.close()
    world.pass_ms(0)
    (reply,) = bob.read_all()
    assert len(reply[1][0][1][1][1]) == 9
    assert world.state.blocked_clients == 0


def test_what_is_acknowledged_or_taken_by_another_is_not_due(world: Embedded) -> None:
    ann, bob = world.connect(), world.connect()
    read(ann, "ann", 5)
    run(ann, "XACK s g 1-0")
    run(bob, "XCLAIM s g bob 0 2-0")
    assert run(bob, "XAUTOCLAIM s g bob 0 3-0 COUNT 1")[1][0][0] == b"3-0"
    run(ann, "XNACK s g SILENT IDS 1 4-0")
    assert read(world.main, "carl", 1) == ids(4, 4)
    ann.session.close()
    assert read(world.main, "carl", 1) == ids(5, 5)
    assert read(world.main, "carl", 1) == ids(6, 6)
    bob.session.close()
    assert read(world.main, "carl", 3) == ids(2, 3) + ids(7, 7)


def test_claim_of_xreadgroup_takes_it_as_redis_does(world: Embedded) -> None:
    ann, bob = world.connect(), world.connect()
    read(ann, "ann", 2)
    world.pass_ms(5000)
    got = run(bob, "XREADGROUP GROUP g bob COUNT 1 CLAIM 5000 STREAMS s >")
    assert ids_of(got) == ids(1, 1)
    ann.session.close()
    assert read(world.main, "carl", 2) == ids(2, 3)
    bob.session.close()
    assert read(world.main, "carl", 1) == ids(1, 1)


def test_history_over_another_connection_takes_the_lease_along(world: Embedded) -> None:
    """A worker that comes back under its name while its old connection still seems to live."""
    old, new = world.connect(), world.connect()
    read(old, "ann", 2)
    assert ids_of(run(new, "XREADGROUP GROUP g ann STREAMS s 0")) == ids(1, 2)
    old.session.close()
    assert read(world.main, "bob", 1) == ids(3, 3)
    new.session.close()
    assert read(world.main, "bob", 2) == ids(1, 2)


def test_a_script_takes_them_for_its_caller(world: Embedded) -> None:
    ann = world.connect()
    script = "return redis.call('XREADGROUP','GROUP','g','ann','COUNT','2','STREAMS','s','>')"
    ann.ok("EVAL", script, 0)
    assert read(world.main, "bob", 1) == ids(3, 3)
    ann.session.close()
    assert read(world.main, "bob", 2) == ids(1, 2)


def test_in_a_transaction(world: Embedded) -> None:
    ann = world.connect()
    for line in ("MULTI", "XREADGROUP GROUP g ann COUNT 2 STREAMS s >", "EXEC"):
        run(ann, line)
    ann.session.close()
    assert read(world.main, "bob", 2) == ids(1, 2)


def test_several_streams_and_groups(world: Embedded) -> None:
    run(world.main, "XADD t 1-0 f 1")
    run(world.main, "XGROUP CREATE t g 0")
    run(world.main, "XGROUP CFGSET t g LEASE connection")
    run(world.main, "XGROUP CREATE s h 0")
    ann = world.connect()
    run(ann, "XREADGROUP GROUP g ann COUNT 1 STREAMS s t > >")
    read(ann, "ann", 1, group="h")
    ann.session.close()
    assert read(world.main, "bob", 1) == ids(1, 1)
    assert read(world.main, "bob", 1, key="t") == ids(1, 1)
    assert read(world.main, "bob", 1, group="h") == ids(2, 2), "h has no settings"


@pytest.mark.parametrize(
    "line",
    [
        "DEL s",
        "XGROUP DESTROY s g",
        "FLUSHALL",
        "SET s text",
        "RENAME t s",
        "XGROUP DELCONSUMER s g ann",
    ],
)
def test_what_is_gone_meanwhile_is_no_matter(world: Embedded, line: str) -> None:
    run(world.main, "XADD t 1-0 f v")
    ann = world.connect()
    read(ann, "ann", 3)
    run(world.main, line)
    ann.session.close()
    world.pass_ms(0)
    assert len(world.state.leases) == 0


@pytest.mark.parametrize("line", ["RENAME s r", "MOVE s 1", "SWAPDB 0 1", "COPY s r"])
def test_a_stream_that_has_moved_is_found(world: Embedded, line: str) -> None:
    ann, bob = world.connect(), world.connect()
    read(ann, "ann", 2)
    run(world.main, line)
    key = "r" if " r" in line else "s"
    if key == "s":
        run(bob, "SELECT 1")
    first = read(bob, "bob", 1, key)
    if line.startswith("COPY"):
        # Of the copy nobody took anything, so all is due there; the original is ann's.
        assert first == ids(1, 1)
        assert read(bob, "bob", 1) == ids(3, 3)
    else:
        assert first == ids(3, 3)
        ann.session.close()
        assert read(bob, "bob", 2, key) == ids(1, 2)


def test_a_group_made_anew_under_the_same_name_is_another_one(world: Embedded) -> None:
    ann, bob = world.connect(), world.connect()
    read(ann, "ann", 3)
    run(world.main, "XGROUP DESTROY s g")
    run(world.main, "XGROUP CREATE s g 0")
    run(world.main, "XGROUP CFGSET s g LEASE connection")
    assert read(bob, "bob", 3) == ids(1, 3)
    ann.session.close()
    assert read(world.main, "carl", 1) == ids(4, 4)


def test_very_much_takes_several_turns_and_all_of_it_comes() -> None:
    world = Embedded()
    n = 10 * ENTRIES_AT_ONCE
    for i in range(1, n + 1):
        run(world.main, f"XADD s {i}-0 f v")
    run(world.main, "XGROUP CREATE s g 0")
    run(world.main, "XGROUP CFGSET s g LEASE connection")
    ann, bob = world.connect(), world.connect()
    assert len(read(ann, "ann", n)) == n
    ann.session.close()
    assert held_count(world) == n - ENTRIES_AT_ONCE
    assert len(world.state.leases) == 1
    assert read(bob, "bob", 2) == ids(1, 2), "the first are due already"
    turns = 0
    while world.state.leases.ending:
        world.pass_ms(0)
        turns += 1
    assert held_count(world) == 2
    assert turns < 10
    assert len(world.state.leases) == 1, "bob's"
    assert read(world.main, "carl", n) == ids(3, n)


def test_an_entry_acknowledged_while_the_rest_is_still_being_released() -> None:
    world = Embedded()
    n = 3 * ENTRIES_AT_ONCE
    for i in range(1, n + 1):
        run(world.main, f"XADD s {i}-0 f v")
    run(world.main, "XGROUP CREATE s g 0")
    run(world.main, "XGROUP CFGSET s g LEASE connection")
    ann = world.connect()
    read(ann, "ann", n)
    ann.session.close()
    run(world.main, f"XACK s g {n}-0")
    while world.state.leases.ending:
        world.pass_ms(0)
    assert held_count(world) == 0
    assert len(read(world.main, "bob", n)) == n - 1


def test_numbers_are_used_again_only_when_nothing_is_left_of_them(world: Embedded) -> None:
    leases = world.state.leases
    leases._last = 2**32 - 2
    ann, bob, carl = world.connect(), world.connect(), world.connect()
    read(ann, "ann", 1)
    read(bob, "bob", 1)
    assert (ann.session.lease.number, bob.session.lease.number) == (2**32 - 1, 1)
    leases._last = 2**32 - 2
    read(carl, "carl", 1)
    assert carl.session.lease.number == 2, "the others are in use"
    carl.session.close()
    assert read(world.main, "dora", 1) == ids(3, 3)
    bob.session.close()
    assert read(world.main, "dora", 1) == ids(2, 2)


def test_nothing_stays_behind(world: Embedded) -> None:
    for _ in range(50):
        ann = world.connect()
        read(ann, "ann")
        ann.session.close()
        world.pass_ms(0)
    assert len(world.state.leases) == 0
    read(world.main, "bob")
    run(world.main, "XACK s g " + " ".join(ids(1, 9)))
    assert held_count(world) == 0
    redelivery = the_group(world).redelivery
    assert redelivery is not None
    assert redelivery.held.firsts == {}


def test_a_session_that_lives_long_forgets_the_groups_that_are_gone(world: Embedded) -> None:
    for i in range(200):
        run(world.main, f"XGROUP CREATE s temporary-{i} 0")
        run(world.main, f"XGROUP CFGSET s temporary-{i} LEASE connection")
        read(world.main, "ann", 1, group=f"temporary-{i}")
        run(world.main, f"XGROUP DESTROY s temporary-{i}")
    assert len(world.main.session.lease.groups) <= 17
    read(world.main, "ann", 1)
    world.main.session.close()
    assert read(world.connect(), "bob", 1) == ids(1, 1)


def test_a_session_that_has_ended_holds_nothing_more(world: Embedded) -> None:
    """A client whose script still runs when it is gone."""
    ann, bob = world.connect(), world.connect()
    read(ann, "ann", 1)
    ann.session.close()
    read(ann, "ann", 2)
    assert len(world.state.leases) == 0
    assert read(bob, "bob", 3) == ids(1, 3)


def test_reset_leaves_a_connection_its_entries(world: Embedded) -> None:
    ann, bob = world.connect(), world.connect()
    read(ann, "ann", 2)
    ann.send("RESET")
    ann.read_all()
    assert read(bob, "bob", 1) == ids(3, 3)
    ann.session.close()
    assert read(bob, "bob", 2) == ids(1, 2)


def test_turned_off_while_entries_are_held(world: Embedded) -> None:
    ann, bob = world.connect(), world.connect()
    read(ann, "ann", 2)
    world.pass_ms(500)
    run(world.main, "XGROUP CFGSET s g LEASE time ACKWAIT 1000")
    assert read(bob, "bob", 1) == ids(3, 3)
    ann.session.close()
    assert read(bob, "bob", 1) == ids(4, 4), "ACKWAIT alone counts now"
    world.pass_ms(500)
    assert read(bob, "bob", 2) == ids(1, 2), "from the delivery on"


def test_turned_on_while_consumers_work(world: Embedded) -> None:
    run(world.main, "XGROUP CFGSET s g LEASE time ACKWAIT 1000")
    ann, bob, gone = world.connect(), world.connect(), world.connect()
    read(ann, "ann", 2)
    read(gone, "gone", 1)
    gone.session.close()
    run(world.main, "XGROUP CFGSET s g LEASE connection")
    world.pass_ms(2000)
    assert read(bob, "bob", 2) == ids(3, 4), "ann is there, the other one is not"
    ann.session.close()
    assert read(bob, "bob", 2) == ids(1, 2)


def test_turned_on_for_a_group_that_had_no_settings(world: Embedded) -> None:
    run(world.main, "XGROUP CFGSET s g LEASE time")
    ann, bob = world.connect(), world.connect()
    read(ann, "ann", 2)
    run(world.main, "XGROUP CFGSET s g LEASE connection")
    assert read(bob, "bob", 1) == ids(3, 3)
    ann.session.close()
    assert read(bob, "bob", 2) == ids(1, 2)


def test_other_settings_leave_the_leases_alone(world: Embedded) -> None:
    ann, bob = world.connect(), world.connect()
    read(ann, "ann", 2)
    run(world.main, "XGROUP CFGSET s g ACKWAIT 1000 MAXDELIVERIES 7 CONSUMERTTL 100000")
    world.pass_ms(2000)
    assert read(bob, "bob", 1) == ids(3, 3)
    ann.session.close()
    assert read(bob, "bob", 2) == ids(1, 2)


def test_entries_delivered_as_often_as_they_may_become_dead_letters_then(world: Embedded) -> None:
    run(world.main, "XGROUP CFGSET s g MAXDELIVERIES 1")
    ann = world.connect()
    read(ann, "ann", 2)
    world.pass_ms(1000)
    assert run(world.main, "EXISTS s:dead-letter") == 0
    ann.session.close()
    world.pass_ms(0)
    assert run(world.main, "XLEN s:dead-letter") == 2


def test_after_a_restart_nobody_holds_anything() -> None:
    world = Embedded(enable_debug_command="yes")
    run(world.main, "XADD s 1-0 f v")
    run(world.main, "XGROUP CREATE s g 0")
    run(world.main, "XGROUP CFGSET s g LEASE connection")
    read(world.main, "ann")
    run(world.main, "DEBUG RELOAD")
    assert read(world.connect(), "bob") == ids(1, 1)


def test_without_leases_a_session_costs_nothing(world: Embedded) -> None:
    run(world.main, "XGROUP CREATE s plain 0")
    ann = world.connect()
    read(ann, "ann", 2, group="plain")
    assert ann.session.lease is None
    ann.session.close()
    assert len(world.state.leases) == 0


def check_everything(world: Embedded, clients: list[Client]) -> None:
    """Each pending entry is held over a connection that lives, or due, and not both."""
    group = the_group(world)
    redelivery = group.redelivery
    group.check()
    if redelivery is None:
        return
    redelivery.held.check()
    redelivery.due.check()
    records = group.pending.records
    living = {client.session.lease.number for client in clients if client.session.lease}
    living |= {lease.number for lease in world.state.leases.ending}
    handle = group.pending.oldest
    while handle:
        holder = redelivery.holder_of(handle)
        assert (holder != 0) + redelivery.due.has(handle) + redelivery.exhausted.has(handle) == 1
        assert holder == 0 or (holder in living and records.owner(handle) != 0)
        handle = records.behind(handle)
    assert redelivery.holder == 0
    assert len(world.state.leases) == len(living)


@pytest.mark.parametrize("seed", range(8))
def test_whatever_clients_do(world: Embedded, seed: int) -> None:
    rng = Random(seed)
    clients = [world.connect() for _ in range(3)]
    world.state.leases._last = 2**32 - 6
    lines = (
        "XREADGROUP GROUP g {c} COUNT {n} STREAMS s >",
        "XREADGROUP GROUP g {c} COUNT {n} STREAMS s 0",
        "XREADGROUP GROUP g {c} COUNT {n} CLAIM 0 STREAMS s >",
        "XACK s g {i}-0",
        "XCLAIM s g {c} 0 {i}-0 {n}-0",
        "XCLAIM s g {c} 0 {i}-0 JUSTID FORCE",
        "XAUTOCLAIM s g {c} 0 0 COUNT {n}",
        "XNACK s g FAIL IDS 1 {i}-0",
        "XDEL s {i}-0",
        "XADD s * f v",
        "XGROUP DELCONSUMER s g {c}",
        "XGROUP CFGSET s g ACKWAIT {n}000 LEASE connection",
        "COPY s t REPLACE",
        "RENAME s s",
    )
    for _ in range(300):
        client = rng.choice(clients)
        if rng.random() < 0.06:
            client.session.close()
            clients[clients.index(client)] = world.connect()
        else:
            line = rng.choice(lines)
            words = {"c": f"c{rng.randrange(4)}", "i": rng.randint(1, 9), "n": rng.randint(1, 5)}
            say(client, line.format(**words))
            client.read_all()
        if rng.random() < 0.2:
            world.pass_ms(rng.randrange(3000))
        check_everything(world, clients)
    pending = run(world.main, "XPENDING s g")[0]
    for client in clients:
        client.session.close()
    world.pass_ms(0)
    redelivery = the_group(world).redelivery
    assert redelivery is not None
    assert redelivery.due.length == pending
    assert len(world.state.leases) == 0
