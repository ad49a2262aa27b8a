"""XREADGROUP in groups with settings: what is due again, who gets it, who waits for it."""

from __future__ import annotations

from typing import Any

import pytest

from headwater.streams.group import Group
from headwater.streams.stream import Stream
from support.embedded import Client, Embedded, configure, with_group


@pytest.fixture
def world() -> Embedded:
    return with_group()


def add(world: Embedded, *ids: int, key: str = "s") -> None:
    for ms in ids:
        world.main.ok("XADD", key, f"{ms}-0", "n", str(ms))


def read(client: Client, consumer: str, *options: str) -> list[int]:
    """Which entries XREADGROUP > gives, as the ms of their IDs."""
    return ids_of(client.ok("XREADGROUP", "GROUP", "g", consumer, *options, "STREAMS", "s", ">"))


def ids_of(reply: Any) -> list[int]:
    if reply is None:
        return []
    return [int(entry[0].split(b"-")[0]) for entry in reply[0][1]]


def block(client: Client, consumer: str, *options: str) -> None:
    client.send("XREADGROUP", "GROUP", "g", consumer, "BLOCK", "0", *options, "STREAMS", "s", ">")


def woken(client: Client) -> list[int] | None:
    """What a blocked reader got, None while it waits."""
    replies = client.read_all()
    if not replies:
        return None
    return [int(entry[1][0][1].split(b"-")[0]) for entry in replies[0][1][0][1][1][1]]


def group_of(world: Embedded) -> Group:
    stream = world.main.session.database.peek(b"s")
    assert isinstance(stream, Stream)
    assert stream.groups is not None
    group = stream.groups[b"g"]
    group.check()
    if group.redelivery is not None:
        group.redelivery.due.check()
        group.redelivery.exhausted.check()
    return group


def counts(world: Embedded) -> dict[int, tuple[bytes, int]]:
    """Owner and delivery count of each pending entry."""
    rows = world.main.ok("XPENDING", "s", "g", "-", "+", "1000")
    return {int(row[0].split(b"-")[0]): (row[1], row[3]) for row in rows}


# --- ACKWAIT ---


def test_a_lapsed_entry_goes_to_whoever_reads_next_before_new_ones(world: Embedded) -> None:
    configure(world, "ACKWAIT", "1000")
    add(world, 1, 2)
    assert read(world.main, "a") == [1, 2]
    add(world, 3)
    assert read(world.main, "b", "COUNT", "1") == [3]
    world.pass_ms(1000)
    add(world, 4)
    assert read(world.main, "b", "COUNT", "2") == [1, 2]
    assert read(world.main, "b") == [3, 4]
    assert counts(world) == {1: (b"b", 2), 2: (b"b", 2), 3: (b"b", 2), 4: (b"b", 1)}


def test_the_longest_overdue_one_comes_first(world: Embedded) -> None:
    configure(world, "ACKWAIT", "1000")
    add(world, 1, 2, 3)
    assert read(world.main, "a", "COUNT", "1") == [1]
    world.pass_ms(10)
    assert read(world.main, "a", "COUNT", "1") == [2]
    world.pass_ms(10)
    assert read(world.main, "a", "COUNT", "1") == [3]
    world.main.ok("XREADGROUP", "GROUP", "g", "a", "COUNT", "1", "STREAMS", "s", "0")  # 1 again
    world.pass_ms(5000)
    assert read(world.main, "b") == [2, 3, 1]


def test_acknowledged_entries_are_not_due(world: Embedded) -> None:
    configure(world, "ACKWAIT", "1000")
    add(world, 1, 2)
    read(world.main, "a")
    assert world.main.ok("XACK", "s", "g", "1-0") == 1
    world.pass_ms(1000)
    assert read(world.main, "b") == [2]
    world.main.ok("XACK", "s", "g", "2-0")
    world.pass_ms(100_000)
    assert read(world.main, "b") == []
    assert group_of(world).redelivery.due.length == 0  # type: ignore[union-attr]


def test_off_again_nothing_is_due(world: Embedded) -> None:
    configure(world, "ACKWAIT", "1000")
    add(world, 1)
    read(world.main, "a")
    configure(world, "ACKWAIT", "0")
    assert group_of(world).redelivery is None
    world.pass_ms(5000)
    assert read(world.main, "b") == []


def test_what_was_pending_before_the_setting_is_due_by_it(world: Embedded) -> None:
    add(world, 1)
    read(world.main, "a")
    world.pass_ms(5000)
    configure(world, "ACKWAIT", "1000")
    assert read(world.main, "b") == [1]


def test_pending_entries_whose_data_is_deleted_are_dropped(world: Embedded) -> None:
    configure(world, "ACKWAIT", "1000")
    add(world, 1, 2)
    read(world.main, "a")
    world.main.ok("XDEL", "s", "1-0")
    world.pass_ms(1000)
    assert read(world.main, "b") == [2]
    assert counts(world) == {2: (b"b", 2)}


def test_limits_of_count_and_bytes_hold_for_due_and_new_entries_together(world: Embedded) -> None:
    configure(world, "ACKWAIT", "1000")
    add(world, 1, 2)
    read(world.main, "a")
    world.pass_ms(1000)
    add(world, 3, 4)
    assert read(world.main, "b", "COUNT", "3") == [1, 2, 3]
    world.pass_ms(1000)
    assert read(world.main, "b", "MAXSIZE", "1") == [1]
    assert read(world.main, "b", "MAXCOUNT", "3") == [2, 3, 4]


def test_noack_takes_new_entries_for_good_and_due_ones_as_pending(world: Embedded) -> None:
    configure(world, "ACKWAIT", "1000")
    add(world, 1)
    read(world.main, "a")
    world.pass_ms(1000)
    add(world, 2)
    assert read(world.main, "b", "NOACK") == [1, 2]
    assert counts(world) == {1: (b"b", 2)}


def test_several_streams_some_with_settings(world: Embedded) -> None:
    configure(world, "ACKWAIT", "1000")
    world.main.ok("XGROUP", "CREATE", "other", "g", "0", "MKSTREAM")
    add(world, 1)
    add(world, 2, key="other")
    words = ("XREADGROUP", "GROUP", "g", "a", "STREAMS", "other", "s", ">", ">")
    assert [name for name, _ in world.main.ok(*words)] == [b"other", b"s"]
    world.pass_ms(1000)
    ((name, entries),) = world.main.ok(*words)
    assert (name, entries[0][0]) == (b"s", b"1-0")


# --- BACKOFF ---


def test_backoff_takes_the_place_of_ackwait(world: Embedded) -> None:
    configure(world, "ACKWAIT", "1000", "BACKOFF", "2000", "5000")
    add(world, 1)
    read(world.main, "a")
    world.pass_ms(1999)
    assert read(world.main, "b") == []
    world.pass_ms(1)
    assert read(world.main, "b") == [1]
    for _ in range(2):  # the last one repeats
        world.pass_ms(4999)
        assert read(world.main, "b") == []
        world.pass_ms(1)
        assert read(world.main, "b") == [1]


def test_a_failed_entry_waits_from_its_nack_on(world: Embedded) -> None:
    configure(world, "BACKOFF", "2000")
    add(world, 1, 2)
    read(world.main, "a")
    world.pass_ms(500)
    assert world.main.ok("XNACK", "s", "g", "FAIL", "IDS", "1", "1-0") == 1
    assert world.main.ok("XNACK", "s", "g", "SILENT", "IDS", "1", "2-0") == 1
    assert read(world.main, "b") == [2]
    world.pass_ms(1999)
    assert read(world.main, "b") == []
    world.pass_ms(1)
    assert read(world.main, "b") == [1]
    assert counts(world) == {1: (b"b", 2), 2: (b"b", 1)}


def test_without_backoff_a_failed_entry_is_due_at_once(world: Embedded) -> None:
    configure(world, "ACKWAIT", "60000")
    add(world, 1)
    read(world.main, "a")
    reader = world.connect()
    block(reader, "b")
    world.main.ok("XNACK", "s", "g", "FAIL", "IDS", "1", "1-0")
    assert woken(reader) == [1]


def test_a_deferral_outlives_other_settings_and_a_copy(world: Embedded) -> None:
    configure(world, "BACKOFF", "2000")
    add(world, 1)
    read(world.main, "a")
    world.main.ok("XNACK", "s", "g", "FAIL", "IDS", "1", "1-0")
    configure(world, "MAXPENDING", "5")
    world.main.ok("COPY", "s", "t")
    for key in ("s", "t"):
        words = ("XREADGROUP", "GROUP", "g", "b", "STREAMS", key, ">")
        assert world.main.ok(*words) is None
    world.pass_ms(2000)
    for key in ("s", "t"):
        words = ("XREADGROUP", "GROUP", "g", "b", "STREAMS", key, ">")
        assert ids_of(world.main.ok(*words)) == [1]


# --- CLAIM ---


def test_claim_takes_due_ones_first_then_idle_ones_but_none_that_is_deferred(
    world: Embedded,
) -> None:
    configure(world, "ACKWAIT", "1000")
    add(world, 1)
    read(world.main, "a")
    world.pass_ms(500)
    add(world, 2)
    read(world.main, "a")
    world.pass_ms(500)  # 1 is due, 2 has been idle for 500 ms
    add(world, 3)
    reply = world.main.ok("XREADGROUP", "GROUP", "g", "b", "CLAIM", "400", "STREAMS", "s", ">")
    rows = [(entry[0], entry[2], entry[3]) for entry in reply[0][1]]
    assert rows == [(b"1-0", 1000, 1), (b"2-0", 500, 1), (b"3-0", 0, 0)]
    configure(world, "BACKOFF", "9000")
    world.pass_ms(5000)
    assert read(world.main, "c", "CLAIM", "100") == []


def test_a_blocked_claimer_is_served_when_an_entry_is_idle_enough(world: Embedded) -> None:
    configure(world, "ACKWAIT", "60000")
    add(world, 1)
    read(world.main, "a")
    reader = world.connect()
    block(reader, "b", "CLAIM", "700")
    world.pass_ms(699)
    assert woken(reader) is None
    world.pass_ms(1)
    replies = reader.read_all()
    assert len(replies) == 1


# --- MAXPENDING, GROUPMAXPENDING ---


def test_a_consumer_at_its_limit_gets_no_new_entries(world: Embedded) -> None:
    configure(world, "MAXPENDING", "2")
    add(world, 1, 2, 3)
    assert read(world.main, "a") == [1, 2]
    assert read(world.main, "a") == []
    assert read(world.main, "b") == [3]
    world.main.ok("XACK", "s", "g", "1-0")
    add(world, 4)
    assert read(world.main, "a") == [4]


def test_a_consumer_at_its_limit_gets_its_own_due_entries(world: Embedded) -> None:
    configure(world, "MAXPENDING", "2", "ACKWAIT", "1000")
    add(world, 1, 2, 3, 4)
    assert read(world.main, "b") == [1, 2]
    world.pass_ms(10)
    assert read(world.main, "a") == [3, 4]
    world.pass_ms(1000)
    assert read(world.main, "a") == [3, 4]  # not b's, which have been due for longer
    assert counts(world)[1] == (b"b", 1)
    assert read(world.main, "c") == [1, 2]


def test_a_group_at_its_limit_gives_only_what_is_due(world: Embedded) -> None:
    configure(world, "GROUPMAXPENDING", "2", "ACKWAIT", "1000")
    add(world, 1, 2, 3)
    assert read(world.main, "a") == [1, 2]
    assert read(world.main, "b") == []
    reader = world.connect()
    block(reader, "b")
    world.main.ok("XACK", "s", "g", "2-0")
    assert woken(reader) == [3]
    world.pass_ms(1000)
    assert read(world.main, "b") == [1, 3]


def test_readers_at_their_limit_do_not_stand_in_the_way(world: Embedded) -> None:
    configure(world, "MAXPENDING", "1")
    add(world, 1, 2)
    assert read(world.main, "a") == [1]
    assert read(world.main, "b") == [2]
    first, second, third = world.connect(), world.connect(), world.connect()
    block(first, "a")
    block(second, "b")
    block(third, "c")
    add(world, 3)
    assert (woken(first), woken(second), woken(third)) == (None, None, [3])
    add(world, 4)
    world.main.ok("XACK", "s", "g", "2-0")
    assert (woken(first), woken(second)) == (None, [4])
    world.main.ok("XGROUP", "CFGSET", "s", "g", "MAXPENDING", "2")
    add(world, 5)
    assert woken(first) == [5]


def test_who_waits_at_the_limit_gets_its_own_entry_when_it_is_due(world: Embedded) -> None:
    configure(world, "MAXPENDING", "1", "ACKWAIT", "1000")
    add(world, 1, 2)
    assert read(world.main, "a") == [1]
    reader = world.connect()
    block(reader, "a")
    add(world, 3)  # is not for it
    world.pass_ms(999)
    assert woken(reader) is None
    world.pass_ms(1)
    assert woken(reader) == [1]


def test_who_waits_at_the_limit_is_told_when_the_stream_goes(world: Embedded) -> None:
    configure(world, "MAXPENDING", "1")
    add(world, 1)
    read(world.main, "a")
    reader = world.connect()
    block(reader, "a")
    add(world, 2)
    world.main.ok("DEL", "s")
    ((kind, text),) = reader.read_all()
    assert kind == "-"
    assert text.startswith(b"NOGROUP")
    assert world.state.waiters.count == 0
    assert not world.main.session.database.waiting


def test_a_wait_at_the_limit_can_time_out(world: Embedded) -> None:
    configure(world, "MAXPENDING", "1")
    add(world, 1)
    read(world.main, "a")
    reader = world.connect()
    reader.send("XREADGROUP", "GROUP", "g", "a", "BLOCK", "100", "STREAMS", "s", ">")
    add(world, 2)
    world.pass_ms(100)
    assert len(reader.read_all()) == 1
    assert not world.main.session.database.waiting


# --- blocked readers ---


def test_a_blocked_reader_wakes_when_an_entry_falls_due(world: Embedded) -> None:
    configure(world, "ACKWAIT", "1000")
    add(world, 1)
    read(world.main, "a")
    reader = world.connect()
    block(reader, "b")
    world.pass_ms(999)
    assert woken(reader) is None
    world.pass_ms(1)
    assert woken(reader) == [1]


def test_one_due_entry_wakes_one_reader_the_first(world: Embedded) -> None:
    configure(world, "ACKWAIT", "1000")
    add(world, 1)
    read(world.main, "a")
    readers = [world.connect() for _ in range(3)]
    for i, reader in enumerate(readers):
        block(reader, f"c{i}")
    world.pass_ms(1000)
    assert [woken(reader) for reader in readers] == [[1], None, None]
    world.pass_ms(1000)
    assert [woken(reader) for reader in readers] == [None, [1], None]
    world.main.ok("XACK", "s", "g", "1-0")
    world.pass_ms(10_000)
    assert woken(readers[2]) is None


def test_nobody_has_a_timer_of_his_own(world: Embedded) -> None:
    configure(world, "ACKWAIT", "1000")
    add(world, 1)
    read(world.main, "a")
    for i in range(100):
        block(world.connect(), f"c{i}")
    assert world.state.waiters.next_ms() > world.clock.now_ms + 10**9
    assert world.engine.next_ms() == world.clock.now_ms + 1000


def test_the_timer_rests_while_what_is_due_waits_for_a_reader(world: Embedded) -> None:
    configure(world, "ACKWAIT", "1000")
    add(world, 1)
    read(world.main, "a")
    world.pass_ms(1000)
    assert world.engine.next_ms() > world.clock.now_ms + 10**9
    assert read(world.main, "b") == [1]
    assert world.engine.next_ms() == world.clock.now_ms + 1000


def test_an_entry_behind_one_that_was_due_is_not_forgotten(world: Embedded) -> None:
    configure(world, "ACKWAIT", "1000")
    add(world, 1, 2)
    read(world.main, "a", "COUNT", "1")
    world.pass_ms(500)
    read(world.main, "a", "COUNT", "1")
    world.pass_ms(600)  # 1 is due, nobody reads
    world.main.ok("XACK", "s", "g", "1-0")
    reader = world.connect()
    block(reader, "b")
    world.pass_ms(400)
    assert woken(reader) == [2]


def test_what_is_in_exec_and_in_scripts_is_managed_too(world: Embedded) -> None:
    configure(world, "ACKWAIT", "1000")
    add(world, 1)
    read(world.main, "a")
    world.pass_ms(1000)
    world.main.ok("MULTI")
    world.main.ok("XREADGROUP", "GROUP", "g", "b", "STREAMS", "s", ">")
    world.main.ok("XACK", "s", "g", "1-0")
    replies = world.main.ok("EXEC")
    assert (ids_of(replies[0]), replies[1]) == ([1], 1)
    add(world, 2)
    script = "return redis.call('XREADGROUP','GROUP','g','x','STREAMS',KEYS[1],'>')"
    assert ids_of(world.main.ok("EVAL", script, "1", "s")) == [2]
    world.pass_ms(1000)
    assert ids_of(world.main.ok("EVAL", script, "1", "s")) == [2]


@pytest.mark.parametrize("how", ["DEL", "RENAME", "SWAPDB", "FLUSHALL"])
def test_a_stream_may_go_while_entries_are_due(world: Embedded, how: str) -> None:
    configure(world, "ACKWAIT", "1000")
    add(world, 1)
    read(world.main, "a")
    if how == "DEL":
        world.main.ok("DEL", "s")
    elif how == "RENAME":
        world.main.ok("RENAME", "s", "t")
    elif how == "SWAPDB":
        world.main.ok("SWAPDB", "0", "1")
    else:
        world.main.ok("FLUSHALL")
    reader = world.connect()
    if how == "SWAPDB":
        reader.ok("SELECT", "1")
    key = "t" if how == "RENAME" else "s"
    if how in ("RENAME", "SWAPDB"):
        reader.send("XREADGROUP", "GROUP", "g", "b", "BLOCK", "0", "STREAMS", key, ">")
    world.pass_ms(1000)
    if how in ("RENAME", "SWAPDB"):
        assert woken(reader) == [1]
    else:
        assert world.main.ok("EXISTS", "s") == 0


def test_an_entry_claimed_with_an_earlier_time_wakes_a_reader(world: Embedded) -> None:
    configure(world, "ACKWAIT", "1000")
    add(world, 1)
    assert read(world.main, "a") == [1]
    reader = world.connect()
    block(reader, "b")
    world.pass_ms(1000)
    assert woken(reader) == [1]
    block(reader, "b")
    # Due earlier than what readers were told of last.
    world.main.ok("XCLAIM", "s", "g", "c", "0", "1-0", "IDLE", "100000", "JUSTID")
    world.pass_ms(1)
    assert woken(reader) == [1]
