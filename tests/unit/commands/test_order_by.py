"""ORDERBY: at most one entry in flight for each value of a field, in order, also across retries."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from headwater.streams import ordering
from support.disk import SimulatedDisk
from support.durable import DIRECTORY, DurableEngine
from support.embedded import Client, Embedded

pytestmark = pytest.mark.timeout(600)  # a failing example is made smaller first


@pytest.fixture
def world() -> Embedded:
    return Embedded()


def add(world: Embedded, values: str) -> None:
    """An entry for each letter, `-`: one without the field; IDs go on from 1-0."""
    last = world.main.ok("XINFO", "STREAM", "s") if world.main.ok("EXISTS", "s") else None
    first = int(last[last.index(b"last-generated-id") + 1].split(b"-")[0]) + 1 if last else 1
    for ms, value in enumerate(values, first):
        name = "other" if value == "-" else "c"
        world.main.ok("XADD", "s", f"{ms}-0", name, value, "n", ms)


def ordered(values: str, *options: Any) -> Embedded:
    """Stream `s` with these entries, whose group `g` has ORDERBY c and what else is said."""
    world = Embedded()
    add(world, values)
    world.main.ok("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
    world.main.ok("XGROUP", "CFGSET", "s", "g", "ORDERBY", "c", *options)
    return world


def entries_of(reply: Any) -> list[int]:
    if not isinstance(reply, list):
        return []
    assert len(reply) == 1
    return [int(entry[0].split(b"-")[0]) for entry in reply[0][1]]


def read(world: Embedded, consumer: str = "ann", count: int = 100, *options: Any) -> list[int]:
    """The IDs that a reader gets."""
    words = ("XREADGROUP", "GROUP", "g", consumer, "COUNT", count, *options, "STREAMS", "s", ">")
    return entries_of(world.main.ok(*words))


def ack(world: Embedded, *ids: int, group: str = "g") -> None:
    assert world.main.ok("XACK", "s", group, *(f"{ms}-0" for ms in ids)) == len(ids)


def pending(world: Embedded, group: str = "g") -> list[int]:
    rows = world.main.ok("XPENDING", "s", group, "-", "+", 1000)
    return [int(row[0].split(b"-")[0]) for row in rows]


def backlog(world: Embedded) -> int:
    flat = world.main.ok("XGROUP", "CFGGET", "s", "g")
    found = flat[flat.index(b"backlog") + 1]
    assert isinstance(found, int)
    return found


def check(world: Embedded, key: bytes = b"s") -> None:
    """Every invariant of the groups."""
    stream = world.state.keyspace.databases[0].values[key]
    for group in stream.groups.values():
        group.check()


# --- reading ---


def test_one_of_each_value_and_the_next_when_it_is_acknowledged() -> None:
    world = ordered("aabbcab")
    assert read(world) == [1, 3, 5]
    assert read(world, "bob") == []
    assert backlog(world) == 4
    ack(world, 3)
    assert read(world, "bob") == [4]
    ack(world, 1)
    assert read(world, "bob") == [2]
    ack(world, 2, 4, 5)
    assert read(world) == [6, 7]
    assert backlog(world) == 0
    check(world)


def test_entries_without_the_field_are_not_ordered() -> None:
    world = ordered("a--a-")
    assert read(world) == [1, 2, 3, 5]
    assert backlog(world) == 1


def test_held_entries_come_before_new_ones() -> None:
    world = ordered("aabbcd")
    assert read(world, count=2) == [1, 3]
    ack(world, 1, 3)
    add(world, "ab")
    assert read(world, count=9) == [2, 4, 5, 6]
    ack(world, 2, 4)
    add(world, "e")
    assert read(world, count=2) == [7, 8]
    assert read(world) == [9]


def test_count_and_limits_of_size() -> None:
    world = ordered("abcdea")
    assert read(world, count=3) == [1, 2, 3]
    assert read(world, "ann", 2, "MAXCOUNT", 2) == [4, 5]
    world = ordered("abca")
    assert read(world, "ann", 9, "MAXSIZE", 1) == [1]
    assert read(world, "ann", 9, "MAXSIZE", 80) == [2, 3]


def test_without_count_everything_is_read() -> None:
    world = ordered("")
    for ms in range(1, 501):
        world.main.ok("XADD", "s", f"{ms}-0", "c", ms)
    reply = world.main.ok("XREADGROUP", "GROUP", "g", "ann", "STREAMS", "s", ">")
    assert entries_of(reply) == list(range(1, 501))


def test_what_is_delivered_is_what_is_stored() -> None:
    world = ordered("abacb")
    expected = world.main.ok("XRANGE", "s", "-", "+")
    words = ("XREADGROUP", "GROUP", "g", "ann", "STREAMS", "s", ">")
    assert world.main.ok(*words)[0][1] == [expected[0], expected[1], expected[3]]
    ack(world, 1)
    assert world.main.ok(*words)[0][1] == [expected[2]]


def test_claim_gives_new_and_held_ones_two_zeros() -> None:
    world = ordered("abab")
    words = ("XREADGROUP", "GROUP", "g", "ann", "CLAIM", 1000, "STREAMS", "s", ">")
    assert [entry[2:] for entry in world.main.ok(*words)[0][1]] == [[0, 0], [0, 0]]
    ack(world, 1)
    [third] = world.main.ok(*words)[0][1]
    assert (third[0], third[2:]) == (b"3-0", [0, 0])
    world.pass_ms(1500)
    claimed = world.main.ok(*words)[0][1]
    assert [(entry[0], entry[2:]) for entry in claimed] == [
        (b"2-0", [1500, 1]),
        (b"3-0", [1500, 1]),
    ]


def test_noack_delivers_in_order_and_nothing_is_in_flight() -> None:
    world = ordered("aabba")
    assert read(world, "ann", 100, "NOACK") == [1, 2, 3, 4, 5]
    assert pending(world) == []
    add(world, "abab")
    assert read(world, "ann", 1) == [6]
    # What is in flight of others is waited for.
    assert read(world, "bob", 100, "NOACK") == [7, 9]
    ack(world, 6)
    assert read(world, "bob", 100, "NOACK") == [8]
    add(world, "aaa")
    assert read(world, count=1) == [10]
    assert read(world, "bob", 100, "NOACK") == []
    ack(world, 10)
    assert read(world, "bob", 100, "NOACK") == [11, 12]
    check(world)


def test_several_streams_and_groups_are_apart() -> None:
    world = ordered("aab")
    main = world.main
    main.ok("XGROUP", "CREATE", "s", "plain", "0")
    main.ok("XADD", "t", "1-0", "c", "a")
    main.ok("XGROUP", "CREATE", "t", "g", "0")
    reply = main.ok("XREADGROUP", "GROUP", "g", "ann", "STREAMS", "s", "t", ">", ">")
    assert [(name, len(entries)) for name, entries in reply] == [(b"s", 2), (b"t", 1)]
    reply = main.ok("XREADGROUP", "GROUP", "plain", "ann", "STREAMS", "s", ">")
    assert entries_of(reply) == [1, 2, 3]


def test_redis_lag_counts_what_the_last_delivered_id_has_passed() -> None:
    world = ordered("aaab")
    assert read(world, count=1) == [1]
    flat = world.main.ok("XINFO", "GROUPS", "s")[0]
    facts = dict(zip(flat[::2], flat[1::2], strict=True))
    assert (facts[b"entries-read"], facts[b"lag"]) == (1, 3)
    assert read(world) == [4]
    flat = world.main.ok("XINFO", "GROUPS", "s")[0]
    facts = dict(zip(flat[::2], flat[1::2], strict=True))
    assert (facts[b"entries-read"], facts[b"lag"], facts[b"backlog"]) == (4, 0, 2)


# --- retries ---


def test_a_retry_keeps_its_place() -> None:
    world = ordered("aab", "ACKWAIT", 1000)
    assert read(world) == [1, 3]
    world.main.ok("XNACK", "s", "g", "FAIL", "IDS", 1, "1-0")
    assert read(world, "bob") == [1]
    world.pass_ms(1000)
    assert sorted(read(world, "eve")) == [1, 3]
    ack(world, 1)
    assert read(world, "bob") == [2]


def test_backoff_keeps_the_value_waiting() -> None:
    world = ordered("aa", "ACKWAIT", 1000, "BACKOFF", 5000)
    assert read(world) == [1]
    world.main.ok("XNACK", "s", "g", "FAIL", "IDS", 1, "1-0")
    assert read(world) == []
    world.pass_ms(5000)
    assert read(world) == [1]
    ack(world, 1)
    assert read(world) == [2]


def test_a_dead_letter_lets_the_next_one_go() -> None:
    world = ordered("aab", "ACKWAIT", 1000, "MAXDELIVERIES", 2)
    assert read(world) == [1, 3]
    world.main.ok("XNACK", "s", "g", "FATAL", "IDS", 1, "1-0")
    assert read(world) == [2]
    world.pass_ms(1000)
    assert sorted(read(world, "bob")) == [2, 3]
    world.pass_ms(1000)
    assert pending(world) == []
    assert world.main.ok("XLEN", "s:dead-letter") == 3
    add(world, "a")
    assert read(world) == [4]


@pytest.mark.parametrize(
    "words",
    [
        ("XACKDEL", "s", "g", "IDS", 1, "1-0"),
        ("XDEL", "s", "1-0"),
        ("XDELEX", "s", "DELREF", "IDS", 1, "1-0"),
        ("XTRIM", "s", "MINID", "2-0", "DELREF"),
        ("XGROUP", "DELCONSUMER", "s", "g", "ann"),
    ],
)
def test_whatever_takes_an_entry_from_the_group_frees_its_value(words: tuple[Any, ...]) -> None:
    world = ordered("aabb")
    assert read(world) == [1, 3]
    world.main.ok(*words)
    if words[0] == "XDEL":
        # It is pending still, as in Redis, until somebody claims it.
        assert read(world) == []
        world.main.ok("XCLAIM", "s", "g", "bob", 0, "1-0")
    assert read(world, "bob") == ([2, 4] if words[0] == "XGROUP" else [2])
    check(world)


def test_claims_keep_one_in_flight() -> None:
    world = ordered("aab")
    assert read(world) == [1, 3]
    world.main.ok("XAUTOCLAIM", "s", "g", "bob", 0, "0")
    assert read(world, "eve") == []
    world.main.ok("XCLAIM", "s", "g", "eve", 0, "1-0")
    assert read(world, "eve") == []
    ack(world, 1)
    assert read(world, "eve") == [2]


def test_history_does_not_let_the_next_one_go() -> None:
    world = ordered("aa")
    assert read(world) == [1]
    reply = world.main.ok("XREADGROUP", "GROUP", "g", "ann", "STREAMS", "s", 0)
    assert entries_of(reply) == [1]
    assert read(world) == []


def test_a_held_entry_that_is_forced_is_not_delivered_again() -> None:
    world = ordered("aaa")
    assert read(world) == [1]
    world.main.ok("XCLAIM", "s", "g", "bob", 0, "2-0", "FORCE")
    assert backlog(world) == 1
    ack(world, 1)
    assert read(world) == []
    ack(world, 2)
    assert read(world) == [3]
    add(world, "bb")
    assert read(world, count=1) == [4]
    assert read(world) == []
    world.main.ok("XNACK", "s", "g", "SILENT", "IDS", 1, "5-0", "FORCE")
    ack(world, 4)
    assert read(world, "bob") == [5]
    check(world)


def test_an_entry_ahead_that_is_forced_is_in_flight() -> None:
    world = ordered("aab")
    world.main.ok("XCLAIM", "s", "g", "bob", 0, "2-0", "FORCE")
    assert read(world) == [3]
    ack(world, 2)
    assert read(world) == [1]
    ack(world, 1)
    assert read(world) == [2]  # it was claimed before it was read, as in Redis it is read, too


# --- what becomes of held entries ---


def test_a_held_entry_that_is_deleted_is_held_no_more() -> None:
    world = ordered("aaaaba")
    assert read(world) == [1, 5]
    assert backlog(world) == 4
    world.main.ok("XDEL", "s", "3-0")
    assert backlog(world) == 3
    world.main.ok("XTRIM", "s", "MINID", "3-0")
    assert backlog(world) == 2
    ack(world, 1)
    assert read(world) == [4]
    world.main.ok("DEL", "s")
    check_empty = world.main.ok("EXISTS", "s")
    assert check_empty == 0


@pytest.mark.parametrize("keep", [0, 1, 7, 100, 150, 399])
def test_trimming_takes_held_entries_along(keep: int) -> None:
    world = ordered("a" * 400)
    assert read(world) == [1]
    world.main.ok("XTRIM", "s", "MAXLEN", keep)
    assert backlog(world) == min(keep, 399)
    check(world)
    ack(world, 1)
    assert read(world) == ([401 - keep] if keep else [])
    check(world)


def test_acknowledged_is_not_what_is_held() -> None:
    world = ordered("aa")
    assert read(world) == [1]
    ack(world, 1)
    assert world.main.ok("XDELEX", "s", "ACKED", "IDS", 2, "1-0", "2-0") == [1, 2]
    assert read(world) == [2]


@pytest.mark.parametrize("command", ["SETID", "RESET"])
def test_a_group_that_is_set_elsewhere_reads_from_there(command: str) -> None:
    world = ordered("aaabb")
    assert read(world) == [1, 4]
    world.main.ok("XGROUP", command, "s", "g", "$")
    assert backlog(world) == 0
    ack(world, 1, 4)
    assert read(world) == []
    world.main.ok("XGROUP", command, "s", "g", "0")
    assert backlog(world) == 5
    assert read(world) == [1, 4]
    world.main.ok("XGROUP", command, "s", "g", "0")
    assert read(world) == []  # both values are in flight still
    ack(world, 1)
    assert read(world) == [1]
    check(world)


def test_a_group_that_is_destroyed_takes_all_along() -> None:
    world = ordered("aaab")
    assert read(world) == [1, 4]
    assert world.main.ok("XGROUP", "DESTROY", "s", "g") == 1
    world.main.ok("XTRIM", "s", "MAXLEN", 1)
    world.main.ok("XGROUP", "CREATE", "s", "g", "0")
    assert read(world) == [4]


def test_a_copy_has_its_own_lanes() -> None:
    world = ordered("aab")
    assert read(world) == [1, 3]
    world.main.ok("COPY", "s", "t")
    ack(world, 1)
    assert read(world) == [2]
    words = ("XREADGROUP", "GROUP", "g", "bob", "STREAMS", "t", ">")
    assert entries_of(world.main.ok(*words)) == []
    world.main.ok("XACK", "t", "g", "1-0")
    assert entries_of(world.main.ok(*words)) == [2]
    check(world)
    check(world, b"t")


# --- settings that change ---


def test_pending_entries_count_when_it_is_turned_on(world: Embedded) -> None:
    add(world, "aabb")
    world.main.ok("XGROUP", "CREATE", "s", "g", "0")
    assert read(world, count=3) == [1, 2, 3]
    world.main.ok("XGROUP", "CFGSET", "s", "g", "ORDERBY", "c")
    add(world, "ac")
    assert read(world) == [6]
    ack(world, 1)
    assert read(world) == []
    ack(world, 2)
    assert read(world) == [5]
    check(world)


@pytest.mark.parametrize("options", [(), ("ACKWAIT", 1000)])
def test_what_is_held_is_delivered_when_it_is_turned_off(options: tuple[Any, ...]) -> None:
    world = ordered("aaab", *options)
    assert read(world) == [1, 4]
    world.main.ok("XGROUP", "CFGSET", "s", "g", "ORDERBY", "")
    assert backlog(world) == 2
    add(world, "aa")
    assert read(world, count=1) == [2]
    check(world)
    assert read(world, count=2) == [3, 5]
    assert read(world) == [6]
    stream = world.state.keyspace.databases[0].values[b"s"]
    assert (stream.groups[b"g"].redelivery is None) == (not options)


def test_other_settings_leave_the_order_alone() -> None:
    world = ordered("aaab")
    assert read(world) == [1, 4]
    world.main.ok("XGROUP", "CFGSET", "s", "g", "ACKWAIT", 500)
    assert read(world) == []
    ack(world, 1)
    assert read(world) == [2]
    check(world)


def test_another_field_orders_what_is_held_by_it(world: Embedded) -> None:
    main = world.main
    for ms, (a, b) in enumerate(["xk", "xk", "xl", "xm", "yk"], 1):
        main.ok("XADD", "s", f"{ms}-0", "a", a, "b", b)
    main.ok("XADD", "s", "6-0", "a", "x")
    main.ok("XGROUP", "CREATE", "s", "g", "0")
    main.ok("XGROUP", "CFGSET", "s", "g", "ORDERBY", "a")
    assert read(world) == [1, 5]
    main.ok("XGROUP", "CFGSET", "s", "g", "ORDERBY", "b")
    assert read(world) == [3, 4, 6]  # 1 and 5 are in flight, both have k
    ack(world, 1)
    assert read(world) == []
    ack(world, 5)
    assert read(world) == [2]
    check(world)


def test_long_and_odd_values(world: Embedded) -> None:
    main = world.main
    values = [b"", b"x" * 100_000, b"x" * 99_999 + b"y", b"\r\n", b"", b"x" * 100_000, b"\r\n"]
    main.ok("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
    main.ok("XGROUP", "CFGSET", "s", "g", "ORDERBY", "\r\nc\xff")
    for ms, value in enumerate(values, 1):
        main.ok("XADD", "s", f"{ms}-0", "\r\nc\xff", value)
    assert read(world) == [1, 2, 3, 4]
    ack(world, 2, 4)
    assert read(world) == [6, 7]


# --- waiting ---


def wait(world: Embedded, consumer: str, *options: Any) -> Client:
    client = world.connect()
    words = ("XREADGROUP", "GROUP", "g", consumer, "BLOCK", 0, *options, "STREAMS", "s", ">")
    client.send(*words)
    return client


def got(client: Client) -> list[int]:
    replies = client.read_all()
    assert len(replies) <= 1
    if not replies:
        return []
    return [int(entry[1][0][1].split(b"-")[0]) for entry in replies[0][1][0][1][1][1]]


@pytest.mark.parametrize(
    "words",
    [
        ("XACK", "s", "g", "1-0"),
        ("XACKDEL", "s", "g", "IDS", 1, "1-0"),
        ("XDELEX", "s", "DELREF", "IDS", 1, "1-0"),
        ("XTRIM", "s", "MINID", "2-0", "DELREF"),
        ("XGROUP", "DELCONSUMER", "s", "g", "ann"),
    ],
)
def test_a_reader_that_waits_gets_what_was_held(words: tuple[Any, ...]) -> None:
    world = ordered("aa")
    assert read(world) == [1]
    client = wait(world, "bob")
    assert got(client) == []
    world.main.ok(*words)
    world.pass_ms(1)
    assert got(client) == [2]


def test_each_reader_that_waits_gets_an_entry() -> None:
    world = ordered("aabb")
    assert read(world) == [1, 3]
    clients = [wait(world, f"c{i}", "COUNT", 1) for i in range(3)]
    ack(world, 1, 3)
    assert [got(client) for client in clients] == [[2], [4], []]
    world.main.ok("XADD", "s", "5-0", "c", "a")
    assert got(clients[2]) == []
    world.main.ok("XADD", "s", "6-0", "c", "z")
    assert got(clients[2]) == [6]
    check(world)


def test_a_reader_without_room_does_not_keep_the_loop() -> None:
    world = ordered("aabb", "MAXPENDING", 1, "GROUPMAXPENDING", 2)
    assert read(world, "ann") == [1]
    assert read(world, "bob") == [3]
    clients = [wait(world, "ann"), wait(world, "bob"), wait(world, "eve")]
    world.main.ok("XGROUP", "CFGSET", "s", "g", "GROUPMAXPENDING", 1)
    ack(world, 1)
    assert [got(client) for client in clients] == [[], [], []]
    ack(world, 3)
    assert sorted(got(clients[0]) + got(clients[1]) + got(clients[2])) == [2]
    check(world)


def test_many_entries_of_a_busy_value_do_not_keep_the_loop() -> None:
    n = 3 * ordering.HELD_AT_ONCE + 7
    world = ordered("a")
    assert read(world) == [1]
    stream = world.main
    for ms in range(2, n + 2):
        stream.send("XADD", "s", f"{ms}-0", "c", "a")
    stream.read_all()
    stream.ok("XADD", "s", f"{n + 2}-0", "c", "z")
    client = wait(world, "bob")
    looks = 0
    while not (found := got(client)):
        looks += 1
        assert looks < 10
        world.pass_ms(1)
    assert found == [n + 2]
    assert looks == 3
    assert backlog(world) == n


def test_nothing_is_looked_at_twice() -> None:
    world = ordered("a" * 300)
    assert read(world) == [1]
    stream = world.state.keyspace.databases[0].values[b"s"]
    group = stream.groups[b"g"]
    assert (group.last_ms, group.redelivery.lanes.held_count) == (300, 299)
    assert read(world) == []
    ack(world, 1)
    assert read(world) == [2]
    assert group.redelivery.lanes.held_count == 298


# --- any order of events, over restarts ---

VALUES = ["a", "b", "c"]
CONSUMERS = ["ann", "bob", "eve"]
ACKWAIT_MS = 1000
MOST_DELIVERIES = 3
DIRECTIVES = {
    "stream_node_max_entries": "4",
    "appendonly": "yes",
    "enable_debug_command": "yes",
}


class OrderMachine(RuleBasedStateMachine):
    """Checks what must hold whatever happens, from what readers get and from XPENDING alone.

    values: of the entries that exist, None without the field. flying: when each pending one was
    delivered last, 0: it may be delivered again at once. given: those that were delivered.
    """

    def __init__(self) -> None:
        super().__init__()
        self.disk = SimulatedDisk(DIRECTORY)
        self.store = DurableEngine(self.disk, **DIRECTIVES)
        self.values: dict[int, str | None] = {}
        self.flying: dict[int, int] = {}
        self.counts: dict[int, int] = {}
        self.given: set[int] = set()
        self.value_of: dict[int, str | None] = {}
        self.last = 0
        self.resets = 0  # what was delivered may be delivered anew so often
        self.ok("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
        self.ok(
            "XGROUP", "CFGSET", "s", "g", "ORDERBY", "c",
            "ACKWAIT", ACKWAIT_MS, "MAXDELIVERIES", MOST_DELIVERIES,
        )  # fmt: skip

    def ok(self, *words: Any) -> Any:
        reply = self.store.client.ok(*words)
        self.store.persistence.commit()
        return reply

    @property
    def now(self) -> int:
        return self.store.clock.now_ms

    @rule(value=st.sampled_from([*VALUES, "a", "a", None]), n=st.integers(1, 6))
    def add(self, value: str | None, n: int) -> None:
        for _ in range(n):
            self.last += 1
            self.ok("XADD", "s", f"{self.last}-0", "x" if value is None else "c", value or "-")
            self.values[self.last] = self.value_of[self.last] = value

    @rule(consumer=st.sampled_from(CONSUMERS), count=st.sampled_from([1, 2, 5, 100]))
    def read(self, consumer: str, count: int) -> None:
        words = ("XREADGROUP", "GROUP", "g", consumer, "COUNT", count, "STREAMS", "s", ">")
        self.delivered(entries_of(self.ok(*words)), False)

    @rule(count=st.sampled_from([1, 3, 100]))
    def read_without_acknowledging(self, count: int) -> None:
        words = ("XREADGROUP", "GROUP", "g", "ann", "COUNT", count, "NOACK", "STREAMS", "s", ">")
        self.delivered(entries_of(self.ok(*words)), True)

    def delivered(self, ids: list[int], noack: bool) -> None:
        assert len(ids) == len(set(ids))
        self.forget(self.pending())  # a pending one without data goes when it is due
        for ms in ids:
            assert ms in self.values
            if ms in self.flying:
                assert self.now - self.flying[ms] >= ACKWAIT_MS, "again, though it is not due"
                assert self.counts[ms] < MOST_DELIVERIES
                self.counts[ms] += 1
                self.flying[ms] = self.now
                continue
            assert ms not in self.given, "twice without being pending"
            value = self.values[ms]
            if value is not None:
                busy = [other for other in self.flying if self.value_of[other] == value]
                assert busy == [], "two of a value in flight"
                before = [
                    other
                    for other, same in self.values.items()
                    if other < ms and same == value and other not in self.given
                ]
                assert before == [], "one before it was not delivered yet"
            self.given.add(ms)
            if not noack:
                self.flying[ms] = self.now
                self.counts[ms] = 1

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        ms = data.draw(st.sampled_from(sorted(self.flying)))
        assert self.ok("XACK", "s", "g", f"{ms}-0") == 1
        del self.flying[ms]

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), mode=st.sampled_from(["FAIL", "SILENT", "FATAL"]))
    def give_back(self, data: st.DataObject, mode: str) -> None:
        ms = data.draw(st.sampled_from(sorted(self.flying)))
        assert self.ok("XNACK", "s", "g", mode, "IDS", 1, f"{ms}-0") == 1
        self.flying[ms] = 0
        if mode == "SILENT":
            self.counts[ms] -= 1
        self.look()

    @rule(ms=st.sampled_from([1, 400, 1000, 2500]))
    def pass_time(self, ms: int) -> None:
        self.store.pass_ms(ms)
        self.look()

    def look(self) -> None:
        """What is not pending any more must be a dead letter, or gone from the stream."""
        there = self.pending()
        assert there <= set(self.flying)
        self.forget(there)

    def pending(self) -> set[int]:
        rows = self.ok("XPENDING", "s", "g", "-", "+", 1000)
        return {int(row[0].split(b"-")[0]) for row in rows}

    def forget(self, there: set[int]) -> None:
        for ms in set(self.flying) - there:
            if ms in self.values:
                letters = self.ok("XRANGE", "s:dead-letter", "-", "+")
                buried = sum(b"%d-0" % ms in letter[1] for letter in letters)
                assert 1 <= buried <= 1 + self.resets
            del self.flying[ms]

    @precondition(lambda self: self.values)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        ms = data.draw(st.sampled_from(sorted(self.values)))
        assert self.ok("XDEL", "s", f"{ms}-0") == 1
        del self.values[ms]

    @rule(keep=st.sampled_from([0, 3, 10, 30]), mode=st.sampled_from(["KEEPREF", "DELREF"]))
    def trim(self, keep: int, mode: str) -> None:
        self.ok("XTRIM", "s", "MAXLEN", "=", keep, mode)
        gone = sorted(self.values)[: max(0, len(self.values) - keep)]
        for ms in gone:
            del self.values[ms]
        self.look()

    @rule(consumer=st.sampled_from(CONSUMERS))
    def delete_consumer(self, consumer: str) -> None:
        rows = self.ok("XPENDING", "s", "g", "-", "+", 1000, consumer)
        assert self.ok("XGROUP", "DELCONSUMER", "s", "g", consumer) == len(rows)
        for row in rows:
            del self.flying[int(row[0].split(b"-")[0])]

    @rule(consumer=st.sampled_from(CONSUMERS))
    def claim_idle_ones(self, consumer: str) -> None:
        _, claimed, _ = self.ok("XAUTOCLAIM", "s", "g", consumer, 0, "0", "COUNT", 2, "JUSTID")
        for taken in claimed:
            self.flying[int(taken.split(b"-")[0])] = self.now
        self.look()

    @rule(data=st.data(), command=st.sampled_from(["XCLAIM", "XNACK"]))
    def force(self, data: st.DataObject, command: str) -> None:
        waiting = [ms for ms in self.values if ms not in self.given and ms not in self.flying]
        group = self.store.state.keyspace.databases[0].values[b"s"].groups[b"g"]
        waiting = [ms for ms in waiting if ms <= group.last_ms]
        if not waiting:
            return
        ms = data.draw(st.sampled_from(waiting))
        if command == "XCLAIM":
            self.ok("XCLAIM", "s", "g", "bob", 0, f"{ms}-0", "FORCE", "JUSTID")
            self.flying[ms], self.counts[ms] = self.now, 1
        else:
            self.ok("XNACK", "s", "g", "SILENT", "IDS", 1, f"{ms}-0", "FORCE")
            self.flying[ms], self.counts[ms] = 0, 0
        self.given.add(ms)

    @rule(field=st.sampled_from(["", "x", "c"]), off=st.booleans())
    def turn_off_and_on(self, field: str, off: bool) -> None:
        """What was held meanwhile is ordered again as it was."""
        self.ok("XGROUP", "CFGSET", "s", "g", "ORDERBY", field)
        if off:
            self.ok("XGROUP", "CFGSET", "s", "g", "ACKWAIT", 0, "MAXDELIVERIES", 0)
        self.ok(
            "XGROUP", "CFGSET", "s", "g", "ORDERBY", "c",
            "ACKWAIT", ACKWAIT_MS, "MAXDELIVERIES", MOST_DELIVERIES,
        )  # fmt: skip

    @rule(data=st.data(), command=st.sampled_from(["SETID", "RESET"]))
    def read_from_elsewhere(self, data: st.DataObject, command: str) -> None:
        start = data.draw(st.integers(0, self.last))
        if any(self.value_of[ms] is None for ms in self.flying if ms > start):
            return  # such a one would be delivered again at once, as in Redis
        if command == "SETID":
            self.ok("XGROUP", "SETID", "s", "g", f"{start}-0")
        else:
            self.ok("XGROUP", "RESET", "s", "g", f"{start}-1")
        self.resets += 1
        self.given = {ms for ms in self.value_of if ms <= start}

    @rule(how=st.sampled_from(["journal", "rewrite", "copy", "reload"]))
    def begin_anew(self, how: str) -> None:
        before = self.store.digest()
        if how == "copy":
            self.ok("COPY", "s", "t")
            self.ok("RENAME", "t", "s")
        elif how == "reload":
            self.ok("DEBUG", "RELOAD")
        else:
            if how == "rewrite":
                self.ok("BGREWRITEAOF")
            self.store.settle()
            self.store.stop()
            self.store = DurableEngine(self.disk, self.now, **DIRECTIVES)
        assert self.store.digest() == before
        self.look()

    @invariant()
    def all_is_sound(self) -> None:
        stream = self.store.state.keyspace.databases[0].values[b"s"]
        group = stream.groups[b"g"]
        group.check()
        undelivered = [ms for ms in self.values if ms not in self.given]
        flat = self.ok("XGROUP", "CFGGET", "s", "g")
        assert flat[flat.index(b"backlog") + 1] == len(undelivered)
        assert not self.store.state.unexpected_errors

    def teardown(self) -> None:
        """Everything that is left comes, in order."""
        for _ in range(300):
            words = ("XREADGROUP", "GROUP", "g", "end", "STREAMS", "s", ">")
            ids = entries_of(self.ok(*words))
            self.delivered(ids, False)
            for ms in ids:
                self.ok("XACK", "s", "g", f"{ms}-0")
                del self.flying[ms]
            if not ids and not self.flying:
                break
            self.store.pass_ms(ACKWAIT_MS)
            self.look()
        assert set(self.values) <= self.given
        assert self.flying == {}
        self.store.stop()


TestOrder = OrderMachine.TestCase
TestOrder.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)


def test_without_the_field_nothing_new_is_held_for_a_nameless_field() -> None:
    world = ordered("aab")
    assert read(world) == [1, 3]
    world.main.ok("XGROUP", "CFGSET", "s", "g", "ORDERBY", "")
    for ms in (4, 5, 6):
        world.main.ok("XADD", "s", f"{ms}-0", "", "same")
    assert read(world) == [2, 4, 5, 6]
