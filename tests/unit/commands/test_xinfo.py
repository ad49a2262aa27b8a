"""XINFO: every field in Redis's order, in RESP2 and RESP3."""

from __future__ import annotations

from typing import Any

import pytest

from headwater.streams.group import Group
from headwater.streams.idmp import Idmp
from headwater.streams.stream import Stream
from support.embedded import NOW_MS, Embedded

STREAM_FIELDS = [
    b"length",
    b"radix-tree-keys",
    b"radix-tree-nodes",
    b"last-generated-id",
    b"max-deleted-entry-id",
    b"entries-added",
    b"recorded-first-entry-id",
    b"idmp-duration",
    b"idmp-maxsize",
    b"pids-tracked",
    b"iids-tracked",
    b"iids-added",
    b"iids-duplicates",
]
WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NO_ARGUMENTS = "ERR unknown subcommand or wrong number of arguments for '%s'. Try XINFO HELP."


def test_counters_stay_at_63_bits() -> None:
    world = Embedded(resp=3)
    world.main.ok("XADD", "s", "1-1", "f", "v")
    world.main.ok("XSETID", "s", "1-1", "ENTRIESADDED", 2**63 - 1)
    world.main.ok("XGROUP", "CREATE", "s", "g", "0", "ENTRIESREAD", 2**63 - 1)
    world.main.ok("XADD", "s", "2-1", "f", "v")
    assert world.main.ok("XINFO", "STREAM", "s")[b"entries-added"] == 2**63 - 1
    world.main.ok("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">")
    (group,) = world.main.ok("XINFO", "GROUPS", "s")
    assert (group[b"entries-read"], group[b"lag"]) == (2**63 - 1, 0)


def entry(ms: int, seq: int) -> list[Any]:
    return [b"%d-%d" % (ms, seq), [b"f", b"%d-%d" % (ms, seq)]]


def pairs(flat: list[Any]) -> list[tuple[Any, Any]]:
    return list(zip(flat[::2], flat[1::2], strict=True))


def add(world: Embedded, *ids: tuple[int, int]) -> Stream:
    """Put stream `s` there; each entry is `f` with its ID as the value."""
    for ms, seq in ids:
        world.main.ok("XADD", "s", f"{ms}-{seq}", "f", f"{ms}-{seq}")
    database = world.main.session.database
    if not ids:
        database.set(b"s", Stream())
    stream = database.peek(b"s")
    assert isinstance(stream, Stream)
    assert stream.length == len(ids)
    return stream


def create(stream: Stream, name: bytes, ms: int, seq: int, entries_read: int) -> Group:
    """A new group of a stream, in whatever state."""
    if stream.groups is None:
        stream.groups = {}
    stream.groups[name] = Group(name, ms, seq, entries_read)
    return stream.groups[name]


@pytest.fixture
def world() -> Embedded:
    return Embedded()


def test_a_stream(world: Embedded) -> None:
    stream = add(world, (1, 0), (2, 5), (3, 0))
    stream.delete(2, 5)
    create(stream, b"g", 0, 0, -1)
    assert world.main.ok("XINFO", "STREAM", "s") == [
        *(b"length", 2, b"radix-tree-keys", 1, b"radix-tree-nodes", 2),
        *(b"last-generated-id", b"3-0", b"max-deleted-entry-id", b"2-5", b"entries-added", 3),
        *(b"recorded-first-entry-id", b"1-0", b"idmp-duration", 100, b"idmp-maxsize", 100),
        *(b"pids-tracked", 0, b"iids-tracked", 0, b"iids-added", 0, b"iids-duplicates", 0),
        *(b"groups", 1, b"first-entry", entry(1, 0), b"last-entry", entry(3, 0)),
    ]


def test_an_empty_stream(world: Embedded) -> None:
    add(world)
    assert pairs(world.main.ok("XINFO", "STREAM", "s"))[13:] == [
        (b"groups", 0),
        (b"first-entry", None),
        (b"last-entry", None),
    ]
    assert pairs(world.main.ok("XINFO", "STREAM", "s", "FULL"))[13:] == [
        (b"entries", []),
        (b"groups", []),
    ]
    fields = dict(pairs(world.main.ok("XINFO", "STREAM", "s")))
    assert fields[b"last-generated-id"] == fields[b"recorded-first-entry-id"] == b"0-0"
    assert (fields[b"radix-tree-keys"], fields[b"radix-tree-nodes"]) == (0, 1)


def test_idempotent_ids(world: Embedded) -> None:
    stream = add(world, (1, 0))
    stream.idmp = Idmp(2, 50)
    stream.idmp.record(b"p", b"i", 1, 0, NOW_MS)
    stream.idmp.record(b"q", b"i", 1, 0, NOW_MS + 500)
    stream.idmp.added = 5
    stream.idmp.duplicates = 3
    world.clock.advance(500)

    def figures() -> list[Any]:
        return [value for _, value in pairs(world.main.ok("XINFO", "STREAM", "s"))[7:13]]

    assert figures() == [2, 50, 2, 2, 5, 3]
    world.clock.advance(1500)
    assert figures() == [2, 50, 1, 1, 5, 3]
    world.clock.advance(500)
    assert figures() == [2, 50, 0, 0, 5, 3]


def test_the_defaults_are_the_servers(world: Embedded) -> None:
    add(world)
    world.main.ok("CONFIG", "SET", "stream-idmp-duration", 7, "stream-idmp-maxsize", 8)
    fields = dict(pairs(world.main.ok("XINFO", "STREAM", "s")))
    assert (fields[b"idmp-duration"], fields[b"idmp-maxsize"]) == (7, 8)


def groups_of(world: Embedded) -> None:
    """Group `b` before group `a`; in `a` consumer `y` before `x`, and a nacked entry."""
    stream = add(world, *((n, 0) for n in range(1, 6)))
    create(stream, b"b", 0, 0, -1)
    group = create(stream, b"a", 4, 0, 4)
    y = group.create_consumer(b"y", NOW_MS - 100_000)
    x = group.create_consumer(b"x", NOW_MS - 10_000)
    y.active_ms = NOW_MS - 50_000
    group.pending.add(1, 0, y.number, NOW_MS - 50_000, 2)
    group.pending.add(2, 0, 0, 0, 3)
    group.pending.add(3, 0, x.number, NOW_MS - 40_000, 1)
    group.pending.add(4, 0, y.number, NOW_MS - 50_000, 1)


def test_full(world: Embedded) -> None:
    groups_of(world)
    reply = pairs(world.main.ok("XINFO", "STREAM", "s", "FULL"))
    assert [name for name, _ in reply] == [*STREAM_FIELDS, b"entries", b"groups"]
    assert reply[13][1] == [entry(n, 0) for n in range(1, 6)]
    a, b = reply[14][1]
    assert pairs(a)[:6] == [
        (b"name", b"a"),
        (b"last-delivered-id", b"4-0"),
        (b"entries-read", 4),
        (b"lag", 1),
        (b"pel-count", 4),
        (b"nacked-count", 1),
    ]
    assert pairs(a)[6] == (
        b"pending",
        [
            [b"1-0", b"y", NOW_MS - 50_000, 2],
            [b"2-0", b"", 0, 3],
            [b"3-0", b"x", NOW_MS - 40_000, 1],
            [b"4-0", b"y", NOW_MS - 50_000, 1],
        ],
    )
    assert pairs(a)[7] == (
        b"consumers",
        [
            [
                *(b"name", b"x", b"seen-time", NOW_MS - 10_000, b"active-time", -1),
                *(b"pel-count", 1, b"pending", [[b"3-0", NOW_MS - 40_000, 1]]),
            ],
            [
                *(b"name", b"y", b"seen-time", NOW_MS - 100_000),
                *(b"active-time", NOW_MS - 50_000, b"pel-count", 2),
                *(b"pending", [[b"1-0", NOW_MS - 50_000, 2], [b"4-0", NOW_MS - 50_000, 1]]),
            ],
        ],
    )
    assert pairs(b) == [
        (b"name", b"b"),
        (b"last-delivered-id", b"0-0"),
        (b"entries-read", None),
        (b"lag", 5),
        (b"pel-count", 0),
        (b"nacked-count", 0),
        (b"pending", []),
        (b"consumers", []),
    ]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["FULL"], 10),
        (["FULL", "COUNT", "0"], 12),
        (["FULL", "COUNT", "-1"], 10),
        (["full", "count", "3"], 3),
        (["FULL", "COUNT", "11"], 11),
        (["FULL", "COUNT", str(2**63 - 1)], 12),
    ],
)
def test_count_limits_entries_and_each_pending_list(
    world: Embedded, words: list[str], shown: int
) -> None:
    stream = add(world, *((n, 0) for n in range(1, 13)))
    group = create(stream, b"g", 12, 0, 12)
    consumer = group.create_consumer(b"c", 0)
    for n in range(1, 13):
        group.pending.add(n, 0, consumer.number, 0, 1)
    reply = dict(pairs(world.main.ok("XINFO", "STREAM", "s", *words)))
    assert reply[b"entries"] == [entry(n, 0) for n in range(1, shown + 1)]
    (shown_group,) = reply[b"groups"]
    fields = dict(pairs(shown_group))
    assert fields[b"pel-count"] == 12
    assert len(fields[b"pending"]) == shown
    consumer_fields = dict(pairs(fields[b"consumers"][0]))
    assert consumer_fields[b"pel-count"] == 12
    assert len(consumer_fields[b"pending"]) == shown


def test_many_entries_come_whole(world: Embedded) -> None:
    ids = [(n, 0) for n in range(1, 20_001)]
    add(world, *ids)
    reply = dict(pairs(world.main.ok("XINFO", "STREAM", "s", "FULL", "COUNT", "0")))
    assert reply[b"entries"] == [entry(*i) for i in ids]
    assert reply[b"groups"] == []
    assert reply[b"radix-tree-keys"] == 200


def test_groups(world: Embedded) -> None:
    groups_of(world)
    assert world.main.ok("XINFO", "GROUPS", "s") == [
        [
            *(b"name", b"a", b"consumers", 2, b"pending", 4),
            *(b"last-delivered-id", b"4-0", b"entries-read", 4, b"lag", 1),
        ],
        [
            *(b"name", b"b", b"consumers", 0, b"pending", 0),
            *(b"last-delivered-id", b"0-0", b"entries-read", None, b"lag", 5),
        ],
    ]


def test_a_lag_that_nobody_knows_is_null(world: Embedded) -> None:
    stream = add(world, *((n, 0) for n in range(1, 6)))
    create(stream, b"g", 2, 0, -1)
    stream.delete(3, 0)
    (group,) = world.main.ok("XINFO", "GROUPS", "s")
    assert pairs(group)[4:] == [(b"entries-read", None), (b"lag", None)]


def test_consumers(world: Embedded) -> None:
    groups_of(world)
    assert world.main.ok("XINFO", "CONSUMERS", "s", "a") == [
        [b"name", b"x", b"pending", 1, b"idle", 10_000, b"inactive", -1],
        [b"name", b"y", b"pending", 2, b"idle", 100_000, b"inactive", 50_000],
    ]
    assert world.main.ok("XINFO", "CONSUMERS", "s", "b") == []


def test_times_do_not_lie_in_the_future(world: Embedded) -> None:
    stream = add(world)
    consumer = create(stream, b"g", 0, 0, -1).create_consumer(b"c", NOW_MS + 1)
    consumer.active_ms = NOW_MS + 1
    (reply,) = world.main.ok("XINFO", "CONSUMERS", "s", "g")
    assert pairs(reply)[2:] == [(b"idle", 0), (b"inactive", 0)]


def test_resp3_has_maps_and_its_own_null() -> None:
    world = Embedded(resp=3)
    stream = add(world, (1, 0))
    create(stream, b"g", 0, 0, -1).create_consumer(b"c", 0)
    kind, items = world.main.call("XINFO", "STREAM", "s")
    assert kind == "%"
    assert [name for (_, name), _ in items] == [
        *STREAM_FIELDS,
        *(b"groups", b"first-entry", b"last-entry"),
    ]
    kind, items = world.main.call("XINFO", "STREAM", "s", "FULL")
    assert kind == "%"
    kind, ((group_kind, group),) = items[14][1]
    assert (kind, group_kind) == ("*", "%")
    assert group[2] == (("$", b"entries-read"), ("nil", "_"))
    assert group[7][1][1][0][0] == "%"
    assert [item[0] for item in world.main.call("XINFO", "GROUPS", "s")[1]] == ["%"]
    assert [item[0] for item in world.main.call("XINFO", "CONSUMERS", "s", "g")[1]] == ["%"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["STREAM", "none"], "ERR no such key"),
        (["STREAM", "none", "FOO"], "ERR no such key"),
        (["STREAM", "str", "FULL", "COUNT", "x"], WRONG_TYPE),
        (["STREAM", "s", "FOO"], NO_ARGUMENTS % "STREAM"),
        (["stream", "s", "FOO"], NO_ARGUMENTS % "stream"),
        (["STREAM", "s", "FULL", "COUNT"], NO_ARGUMENTS % "STREAM"),
        (["STREAM", "s", "FULL", "FOO", "1"], NO_ARGUMENTS % "STREAM"),
        (["STREAM", "s", "FULL", "COUNT", "1", "2"], NO_ARGUMENTS % "STREAM"),
        (["STREAM", "s", "FULL", "COUNT", "x"], "ERR value is not an integer or out of range"),
        (["GROUPS", "none"], "ERR no such key"),
        (["GROUPS", "str"], WRONG_TYPE),
        (["CONSUMERS", "none", "g"], "ERR no such key"),
        (["CONSUMERS", "str", "g"], WRONG_TYPE),
        (["CONSUMERS", "s", "g"], "NOGROUP No such consumer group 'g' for key name 's'"),
    ],
)
def test_errors(world: Embedded, words: list[str], text: str) -> None:
    add(world, (1, 0))
    world.main.ok("SET", "str", "x")
    assert world.main.error("XINFO", *words) == text


def test_help_names_every_subcommand(world: Embedded) -> None:
    lines = world.main.ok("XINFO", "HELP")
    for name in (b"STREAM", b"GROUPS", b"CONSUMERS", b"HELP"):
        assert any(line.startswith(name) for line in lines)


# --- what XINFO GROUPS has beside Redis's fields ---

REDIS_FIELDS = [b"name", b"consumers", b"pending", b"last-delivered-id", b"entries-read", b"lag"]
OUR_FIELDS = [
    *(b"backlog", b"oldest-pending-ms", b"ackwait", b"backoff", b"maxdeliveries", b"deadletter"),
    *(b"maxpending", b"groupmaxpending", b"orderby", b"lease", b"consumerttl", b"groupttl"),
]


def groups_as_told(world: Embedded, *library: str, key: str = "s") -> list[dict[bytes, Any]]:
    """XINFO GROUPS for a new client that uses this library, or does not tell."""
    client = world.connect()
    if library:
        client.ok("CLIENT", "SETINFO", "LIB-NAME", *library)
    return [dict(pairs(group)) for group in client.ok("XINFO", "GROUPS", key)]


def test_who_sees_more_than_redis_has() -> None:
    world = Embedded()
    add(world, (1, 0), (2, 0))
    world.main.ok("XGROUP", "CREATE", "s", "g", "0")
    (told_nothing,) = groups_as_told(world)
    assert list(told_nothing) == REDIS_FIELDS
    (of_redis_py,) = groups_as_told(world, "redis-py")
    assert list(of_redis_py) == REDIS_FIELDS + OUR_FIELDS
    for name in ("go-redis", "go-redis(keda,go1.22.1)"):
        assert list(groups_as_told(world, name)[0]) == REDIS_FIELDS
    world.main.ok("XGROUP", "CFGSET", "s", "g", "ACKWAIT", 5000)
    assert list(groups_as_told(world)[0]) == REDIS_FIELDS + OUR_FIELDS
    assert list(groups_as_told(world, "go-redis(,go1.22)")[0]) == REDIS_FIELDS


def test_the_directive_decides_for_all() -> None:
    world = Embedded()
    add(world, (1, 0))
    world.main.ok("XGROUP", "CREATE", "s", "g", "0")
    world.main.ok("CONFIG", "SET", "xinfo-groups-fields", "all")
    assert list(groups_as_told(world)[0]) == REDIS_FIELDS + OUR_FIELDS
    assert list(groups_as_told(world, "go-redis(,go1.22)")[0]) == REDIS_FIELDS + OUR_FIELDS
    world.main.ok("CONFIG", "SET", "xinfo-groups-fields", "redis")
    assert list(groups_as_told(world, "redis-py")[0]) == REDIS_FIELDS


def test_what_the_fields_say() -> None:
    world = Embedded(xinfo_groups_fields="all", stream_node_max_entries="2")
    add(world, *[(ms, 0) for ms in range(1, 301)])
    world.main.ok("XGROUP", "CREATE", "s", "g", "0")
    (group,) = groups_as_told(world)
    assert (group[b"backlog"], group[b"oldest-pending-ms"]) == (300, 0)
    world.main.ok("XREADGROUP", "GROUP", "g", "c", "COUNT", 10, "STREAMS", "s", ">")
    world.clock.advance(70)
    world.main.ok("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "s", ">")
    world.clock.advance(5)
    world.main.ok("XDEL", "s", 5, 50, 51, 52, 200, 299)
    (group,) = groups_as_told(world)
    assert (group[b"backlog"], group[b"oldest-pending-ms"]) == (284, 75)
    assert group[b"lag"] is None, "Redis does not know it after deletions"
    world.main.ok("XACK", "s", "g", *range(2, 11))
    world.main.ok("XNACK", "s", "g", "SILENT", "IDS", 1, 1)
    (group,) = groups_as_told(world)
    assert group[b"oldest-pending-ms"] == 5
    world.main.ok("XGROUP", "SETID", "s", "g", "$")
    world.main.ok("XTRIM", "s", "MAXLEN", 7)
    (group,) = groups_as_told(world)
    assert group[b"backlog"] == 0
    world.main.ok("XGROUP", "SETID", "s", "g", 297)
    assert groups_as_told(world)[0][b"backlog"] == 2
    world.main.ok(
        *("XGROUP", "CFGSET", "s", "g", "ACKWAIT", 5, "BACKOFF", 6, 7, "MAXDELIVERIES", 8),
        *("MAXPENDING", 9, "GROUPMAXPENDING", 10, "LEASE", "connection"),
        *("CONSUMERTTL", 11, "GROUPTTL", 12),
    )
    (group,) = groups_as_told(world)
    assert [group[name] for name in OUR_FIELDS[2:]] == [
        *(5, [6, 7], 8, b"s:dead-letter", 9, 10, b"", b"connection", 11, 12)
    ]
    world.main.ok("XGROUP", "CFGSET", "s", "g", "DEADLETTER", "other")
    assert groups_as_told(world)[0][b"deadletter"] == b"other"


def test_the_fields_are_the_same_as_those_of_cfgget() -> None:
    world = Embedded(resp=3, xinfo_groups_fields="all")
    add(world, (1, 0))
    world.main.ok("XGROUP", "CREATE", "s", "g", "0")
    (group,) = world.main.ok("XINFO", "GROUPS", "s")
    told = world.main.ok("XGROUP", "CFGGET", "s", "g")
    assert sorted(told) == sorted(OUR_FIELDS)
    assert {name: group[name] for name in OUR_FIELDS} == told
