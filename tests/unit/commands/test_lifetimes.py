"""CONSUMERTTL and GROUPTTL: consumers and groups that nobody uses any more go by themselves."""

from __future__ import annotations

from typing import Any

import pytest

from headwater.commands.digest import keyspace_digest
from headwater.commands.lifetimes import ENTRIES_AT_ONCE, GRACE_MS
from headwater.streams.group import Group
from headwater.streams.stream import Stream
from support.disk import SimulatedDisk
from support.durable import DurableEngine
from support.embedded import NOW_MS, Client, Embedded

TTL = 60_000


@pytest.fixture
def world() -> Embedded:
    """Stream `s` with 1-0 to 9-0 and group `g`, without settings."""
    world = Embedded(notify_keyspace_events="KA")
    for i in range(1, 10):
        run(world, f"XADD s {i}-0 f {i}")
    run(world, "XGROUP CREATE s g 0")
    return world


def run(world: Embedded, line: str) -> Any:
    return world.main.ok(*line.split())


def read(client: Client, name: str, count: int = 100, group: str = "g") -> list[str]:
    """The IDs that a consumer gets now."""
    got = client.ok(*f"XREADGROUP GROUP {group} {name} COUNT {count} STREAMS s >".split())
    return [] if got is None else [entry[0].decode() for entry in got[0][1]]


def say(client: Client, line: str) -> None:
    client.send(*line.split())


def ids(first: int, last: int) -> list[str]:
    return [f"{i}-0" for i in range(first, last + 1)]


def consumers(world: Embedded) -> list[str]:
    return [flat[1].decode() for flat in run(world, "XINFO CONSUMERS s g")]


def groups(world: Embedded) -> list[str]:
    return [flat[1].decode() for flat in run(world, "XINFO GROUPS s")]


def owners(world: Embedded) -> dict[str, tuple[str, int]]:
    """Who has each pending entry, and how often it was delivered."""
    found = run(world, "XPENDING s g - + 100")
    return {entry[0].decode(): (entry[1].decode(), entry[3]) for entry in found}


def the_group(world: Embedded) -> Group:
    stream = world.state.keyspace.databases[0].values[b"s"]
    assert isinstance(stream, Stream)
    assert stream.groups is not None
    return stream.groups[b"g"]


def listen(world: Embedded) -> Client:
    """A client that is told of what happens to `s`."""
    client = world.connect()
    client.send("SUBSCRIBE", "__keyspace@0__:s")
    client.read_all()
    return client


def events(client: Client) -> list[str]:
    return [reply[1][2][1].decode() for reply in client.read_all()]


def wait_long(world: Embedded, ms: int, step_ms: int = 1000) -> None:
    """Let time pass as it does for a server: step by step."""
    for _ in range(ms // step_ms):
        world.pass_ms(step_ms)
    world.pass_ms(ms % step_ms)


# --- CONSUMERTTL ---


def test_an_idle_consumer_goes(world: Embedded) -> None:
    run(world, f"XGROUP CFGSET s g CONSUMERTTL {TTL}")
    run(world, "XGROUP CREATECONSUMER s g ann")
    run(world, "XGROUP CREATECONSUMER s g bob")
    listener = listen(world)
    world.pass_ms(TTL - 1)
    read(world.main, "bob", 1)
    run(world, "XACK s g 1-0")
    assert consumers(world) == ["ann", "bob"]
    events(listener)
    world.pass_ms(1)
    world.state.channels.deliver_all()
    assert consumers(world) == ["bob"]
    assert events(listener) == ["xgroup-delconsumer"]
    world.pass_ms(TTL - 2)
    assert consumers(world) == ["bob"]
    world.pass_ms(1)
    assert consumers(world) == []


def test_what_it_had_pending_is_due_and_nobodys(world: Embedded) -> None:
    run(world, f"XGROUP CFGSET s g CONSUMERTTL {TTL}")
    read(world.main, "ann", 3)
    world.pass_ms(TTL)
    assert consumers(world) == []
    assert owners(world) == dict.fromkeys(ids(1, 3), ("", 1))
    assert read(world.main, "bob", 4) == ids(1, 4)
    assert owners(world)["1-0"] == ("bob", 2)
    the_group(world).check()


def test_a_consumer_that_comes_when_there_was_none(world: Embedded) -> None:
    run(world, f"XGROUP CFGSET s g CONSUMERTTL {TTL}")
    wait_long(world, 3 * TTL + 17)
    read(world.main, "ann", 3)
    wait_long(world, TTL)
    assert consumers(world) == []


def test_those_who_wait_get_what_it_had(world: Embedded) -> None:
    run(world, f"XGROUP CFGSET s g CONSUMERTTL {TTL}")
    read(world.main, "ann")
    bob = world.connect()
    say(bob, "XREADGROUP GROUP g bob BLOCK 0 STREAMS s >")
    wait_long(world, TTL)
    (reply,) = bob.read_all()
    assert len(reply[1][0][1][1][1]) == 9
    assert consumers(world) == ["bob"]


def test_a_consumer_that_waits_is_not_idle(world: Embedded) -> None:
    run(world, f"XGROUP CFGSET s g CONSUMERTTL {TTL}")
    read(world.main, "ann")
    run(world, "XACK s g " + " ".join(ids(1, 8)))
    ann = world.connect()
    say(ann, "XREADGROUP GROUP g ann BLOCK 0 STREAMS s >")
    wait_long(world, 5 * TTL)
    assert consumers(world) == ["ann"]
    assert owners(world) == {"9-0": ("ann", 1)}
    run(world, f"CLIENT UNBLOCK {ann.session.id}")
    wait_long(world, 2 * TTL)
    assert consumers(world) == []


def test_a_consumer_that_waits_for_something_else_is_idle(world: Embedded) -> None:
    """It waits in another group, under another name, for another stream."""
    run(world, f"XGROUP CFGSET s g CONSUMERTTL {TTL}")
    run(world, "XGROUP CREATE s h $")
    run(world, "XGROUP CREATE t g $ MKSTREAM")
    for name in ("ann", "bob", "carl"):
        run(world, f"XGROUP CREATECONSUMER s g {name}")
    read(world.main, "dora")
    for line in ("h ann BLOCK 0 STREAMS s", "g bob BLOCK 0 STREAMS t", "g dora BLOCK 0 STREAMS s"):
        world.connect().send(*f"XREADGROUP GROUP {line} >".split())
    wait_long(world, 3 * TTL)
    assert consumers(world) == ["dora"]


def test_a_consumer_that_holds_an_entry_over_a_live_connection_is_not_idle(
    world: Embedded,
) -> None:
    run(world, f"XGROUP CFGSET s g CONSUMERTTL {TTL} LEASE connection")
    ann = world.connect()
    read(ann, "ann")
    wait_long(world, 5 * TTL)
    assert consumers(world) == ["ann"]
    assert owners(world)["1-0"] == ("ann", 1)
    ann.session.close()
    wait_long(world, 2 * TTL)
    assert consumers(world) == []


def test_one_held_entry_among_very_many_that_are_due() -> None:
    world = Embedded()
    n = 5 * ENTRIES_AT_ONCE
    for i in range(1, n + 1):
        run(world, f"XADD s {i}-0 f v")
    run(world, "XGROUP CREATE s g 0")
    run(world, f"XGROUP CFGSET s g CONSUMERTTL {TTL} LEASE connection")
    first, second = world.connect(), world.connect()
    read(first, "ann", n - 1)
    read(second, "ann", 1)
    first.session.close()
    wait_long(world, 3 * TTL)
    assert consumers(world) == ["ann"]
    assert len(run(world, f"XPENDING s g - + {n} ann")) == n
    second.session.close()
    wait_long(world, 2 * TTL)
    assert consumers(world) == []
    assert len(read(world.main, "bob", n)) == n


def test_very_much_is_released_in_several_turns() -> None:
    world = Embedded()
    n = 20 * ENTRIES_AT_ONCE
    for i in range(1, n + 1):
        run(world, f"XADD s {i}-0 f v")
    run(world, "XGROUP CREATE s g 0")
    run(world, f"XGROUP CFGSET s g CONSUMERTTL {TTL}")
    read(world.main, "ann", n)
    world.pass_ms(TTL - 1)
    world.clock.advance(1)
    world.engine.run_due()
    for _ in range(n // ENTRIES_AT_ONCE + 1):
        world.engine.run_due()
    assert consumers(world) == []
    assert read(world.main, "bob", n) == ids(1, n)


def test_a_consumer_that_comes_back_meanwhile_keeps_the_rest(world: Embedded) -> None:
    run(world, f"XGROUP CFGSET s g CONSUMERTTL {TTL}")
    read(world.main, "ann", 3)
    world.pass_ms(TTL - 1)
    run(world, "XREADGROUP GROUP g ann STREAMS s 9-0")
    world.pass_ms(2)
    assert consumers(world) == ["ann"]
    assert owners(world)["1-0"] == ("ann", 1)


def test_in_a_group_without_the_setting_nobody_goes(world: Embedded) -> None:
    read(world.main, "ann", 3)
    wait_long(world, 3 * TTL)
    run(world, "XGROUP CFGSET s g ACKWAIT 100000000")
    wait_long(world, 3 * TTL)
    assert consumers(world) == ["ann"]


def test_the_setting_counts_from_when_a_consumer_was_seen(world: Embedded) -> None:
    read(world.main, "ann", 3)
    world.pass_ms(TTL)
    run(world, f"XGROUP CFGSET s g CONSUMERTTL {TTL}")
    world.pass_ms(0)
    assert consumers(world) == []


def test_a_longer_or_shorter_time_and_none_any_more(world: Embedded) -> None:
    run(world, f"XGROUP CFGSET s g CONSUMERTTL {TTL}")
    run(world, "XGROUP CREATECONSUMER s g ann")
    run(world, f"XGROUP CFGSET s g CONSUMERTTL {2 * TTL}")
    world.pass_ms(TTL)
    assert consumers(world) == ["ann"]
    run(world, "XGROUP CFGSET s g CONSUMERTTL 0")
    wait_long(world, 5 * TTL)
    assert consumers(world) == ["ann"]
    run(world, "XGROUP CFGSET s g CONSUMERTTL 1")
    world.pass_ms(1)
    assert consumers(world) == []


def test_numbers_of_consumers_that_went_are_used_again(world: Embedded) -> None:
    run(world, f"XGROUP CFGSET s g CONSUMERTTL {TTL}")
    for i in range(50):
        run(world, f"XGROUP CREATECONSUMER s g c{i}")
        world.pass_ms(TTL // 10)
    assert 9 <= len(consumers(world)) <= 11
    the_group(world).check()
    idle = the_group(world).idle
    assert idle is not None
    idle.check()
    assert idle.length == len(consumers(world))
    run(world, "XGROUP DELCONSUMER s g c49")
    assert idle.length == len(consumers(world))


# --- GROUPTTL ---


def test_a_group_that_nobody_reads_goes(world: Embedded) -> None:
    run(world, "XGROUP CREATE s other 0")
    read(world.main, "ann", 3)
    world.pass_ms(TTL)
    listener = listen(world)
    run(world, f"XGROUP CFGSET s g GROUPTTL {TTL}")
    world.pass_ms(TTL - 1)
    world.state.channels.deliver_all()
    events(listener)
    assert groups(world) == ["g", "other"], "setting it counts as the first time"
    world.pass_ms(1)
    world.state.channels.deliver_all()
    assert groups(world) == ["other"]
    assert events(listener) == ["xgroup-destroy"]
    say(world.main, "XREADGROUP GROUP g ann STREAMS s >")
    ((kind, text),) = world.main.read_all()
    assert (kind, text[:7]) == ("-", b"NOGROUP")


@pytest.mark.parametrize(
    "line",
    [
        "XREADGROUP GROUP g ann STREAMS s >",
        "XREADGROUP GROUP g ann STREAMS s 0",
        "XCLAIM s g ann 0 1-0",
        "XAUTOCLAIM s g ann 0 0",
    ],
)
def test_whoever_reads_or_claims_keeps_it(world: Embedded, line: str) -> None:
    run(world, f"XGROUP CFGSET s g GROUPTTL {TTL}")
    for _ in range(5):
        world.pass_ms(TTL - 1)
        run(world, line)
    assert groups(world) == ["g"]
    world.pass_ms(TTL)
    assert groups(world) == []


def test_a_reader_that_waits_keeps_it(world: Embedded) -> None:
    run(world, f"XGROUP CFGSET s g GROUPTTL {TTL}")
    read(world.main, "ann")
    ann = world.connect()
    say(ann, "XREADGROUP GROUP g ann BLOCK 0 STREAMS s >")
    wait_long(world, 5 * TTL)
    assert groups(world) == ["g"]
    run(world, f"CLIENT UNBLOCK {ann.session.id}")
    wait_long(world, 2 * TTL)
    assert groups(world) == []


def test_an_entry_that_is_held_keeps_it(world: Embedded) -> None:
    run(world, f"XGROUP CFGSET s g GROUPTTL {TTL} LEASE connection")
    ann = world.connect()
    read(ann, "ann")
    wait_long(world, 5 * TTL)
    assert groups(world) == ["g"]
    ann.session.close()
    wait_long(world, 2 * TTL)
    assert groups(world) == []


def test_a_big_group_is_freed_in_pieces(world: Embedded) -> None:
    run(world, f"XGROUP CFGSET s g GROUPTTL {TTL}")
    read(world.main, "ann")
    world.clock.advance(TTL)
    world.engine.run_due()
    assert groups(world) == []
    assert world.state.keyspace.graveyard


def test_a_stream_that_expires_or_goes_meanwhile(world: Embedded) -> None:
    run(world, f"XGROUP CFGSET s g GROUPTTL {TTL} CONSUMERTTL {TTL}")
    run(world, "XGROUP CREATECONSUMER s g ann")
    run(world, f"PEXPIRE s {TTL}")
    world.pass_ms(TTL)
    assert run(world, "EXISTS s") == 0
    world.pass_ms(TTL)


@pytest.mark.parametrize("line", ["RENAME s r", "COPY s r", "MOVE s 1", "SWAPDB 0 1"])
def test_wherever_the_stream_is(world: Embedded, line: str) -> None:
    run(world, f"XGROUP CFGSET s g GROUPTTL {TTL} CONSUMERTTL {TTL // 2}")
    run(world, "XGROUP CREATECONSUMER s g ann")
    run(world, line)
    key = "r" if " r" in line else "s"
    if key == "s":
        run(world, "SELECT 1")
    world.pass_ms(TTL // 2)
    assert run(world, f"XINFO CONSUMERS {key} g") == []
    world.pass_ms(TTL // 2)
    assert run(world, f"XINFO GROUPS {key}") == []


# --- starts, the journal ---


def test_after_a_start_they_have_time_to_come_back() -> None:
    ttl_ms = 10 * GRACE_MS
    world = Embedded()
    run(world, "XGROUP CREATE s g 0 MKSTREAM")
    run(world, f"XGROUP CFGSET s g GROUPTTL {ttl_ms} CONSUMERTTL {ttl_ms}")
    run(world, "XGROUP CREATECONSUMER s g ann")
    wait_long(world, ttl_ms - 1000, GRACE_MS)
    world.state.ready_ms = world.clock.now_ms  # as after a start
    wait_long(world, GRACE_MS - 1000)
    assert (groups(world), consumers(world)) == (["g"], ["ann"])
    wait_long(world, 1000)
    assert groups(world) == []


def test_a_short_time_to_live_is_the_grace_itself() -> None:
    world = Embedded()
    run(world, "XGROUP CREATE s g 0 MKSTREAM")
    run(world, f"XGROUP CFGSET s g CONSUMERTTL {TTL}")
    run(world, "XGROUP CREATECONSUMER s g ann")
    world.clock.advance(TTL)
    world.state.ready_ms = world.clock.now_ms
    world.pass_ms(TTL - 1)
    assert consumers(world) == ["ann"]
    world.pass_ms(1)
    assert consumers(world) == []


def test_while_data_is_loaded_nothing_goes(world: Embedded) -> None:
    run(world, f"XGROUP CFGSET s g GROUPTTL {TTL}")
    world.state.loading = True
    world.clock.advance(2 * TTL)
    world.engine.run_due()
    world.state.loading = False
    assert groups(world) == ["g"]


def test_nothing_is_looked_at_more_often_than_need_be(world: Embedded) -> None:
    """However many readings there are: the moment is one time to live away."""
    run(world, f"XGROUP CFGSET s g GROUPTTL {TTL} CONSUMERTTL {TTL}")
    read(world.main, "ann", 1)
    run(world, "XACK s g 1-0")
    world.pass_ms(0)
    start_ms = world.clock.now_ms
    for _ in range(10):
        world.pass_ms(100)
        run(world, "XREADGROUP GROUP g ann STREAMS s 0")
    assert world.engine.keyspace.calendar.next_ms() == start_ms + TTL


def durable(disk: SimulatedDisk, now_ms: int) -> DurableEngine:
    return DurableEngine(disk, now_ms, appendonly="yes", appendfsync="always")


def do(engine: DurableEngine, line: str) -> Any:
    return engine.ok(*line.split())


def pass_time(engine: DurableEngine, ms: int, step_ms: int) -> None:
    for _ in range(ms // step_ms):
        engine.clock.advance(step_ms)
        engine.engine.run_due()


def test_what_went_is_gone_after_a_start() -> None:
    disk = SimulatedDisk("/data")
    first = durable(disk, NOW_MS)
    for i in range(1, 4):
        do(first, f"XADD s {i}-0 f v")
    for name in ("g", "gone"):
        do(first, f"XGROUP CREATE s {name} 0")
    do(first, f"XGROUP CFGSET s g CONSUMERTTL {TTL}")
    do(first, f"XGROUP CFGSET s gone GROUPTTL {TTL}")
    do(first, "XREADGROUP GROUP g ann COUNT 2 STREAMS s >")
    pass_time(first, TTL, TTL)
    digest = keyspace_digest(first.engine.keyspace)
    pending = do(first, "XPENDING s g - + 10")
    assert [entry[1][1] for entry in pending] == [("$", b""), ("$", b"")]
    first.stop()
    second = durable(disk, first.clock.now_ms)
    assert keyspace_digest(second.engine.keyspace) == digest
    assert do(second, "XPENDING s g - + 10") == pending
    assert do(second, "XINFO CONSUMERS s g") == []
    assert len(do(second, "XINFO GROUPS s")) == 1
    second.stop()


@pytest.mark.parametrize("saves", [False, True])
def test_visits_that_found_nothing_are_known_after_a_start(saves: bool) -> None:
    """Somebody polls for months, and nothing comes; then the server starts anew."""
    ttl_ms = 100 * GRACE_MS
    disk = SimulatedDisk("/data")
    first = durable(disk, NOW_MS)
    do(first, "XADD s 1-0 f v")
    do(first, "XGROUP CREATE s g 0")
    do(first, f"XGROUP CFGSET s g GROUPTTL {ttl_ms} CONSUMERTTL {ttl_ms}")
    do(first, "XREADGROUP GROUP g ann STREAMS s >")
    for _ in range(40):
        pass_time(first, ttl_ms // 10, GRACE_MS)
        assert do(first, "XREADGROUP GROUP g ann STREAMS s >") == "*", "which is nil"
    if saves:
        do(first, "BGREWRITEAOF")
        first.settle()
    first.stop()
    second = durable(disk, first.clock.now_ms)
    pass_time(second, ttl_ms - ttl_ms // 8, GRACE_MS)
    assert len(do(second, "XINFO CONSUMERS s g")) == 1
    assert len(do(second, "XPENDING s g - + 10 ann")) == 1
    pass_time(second, ttl_ms // 4, GRACE_MS)
    assert do(second, "XINFO GROUPS s") == []
    second.stop()
