"""XINFO: every field in Redis's order, in RESP2 and RESP3."""

from __future__ import annotations

from typing import Any

import pytest

import headwater.commands.xinfo  # noqa: F401  binds the commands
from headwater.keyspace.strings import String
from headwater.streams.idmp import Idmp
from support.bare import Bare

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
NO_ARGUMENTS = b"ERR unknown subcommand or wrong number of arguments for '%s'. Try XINFO HELP."


def entry(ms: int, seq: int) -> list[Any]:
    return [b"%d-%d" % (ms, seq), [b"f", b"%d-%d" % (ms, seq)]]


def pairs(flat: list[Any]) -> list[tuple[Any, Any]]:
    return list(zip(flat[::2], flat[1::2], strict=True))


@pytest.fixture
def bare() -> Bare:
    return Bare(now_ms=1_000_000)


def test_a_stream(bare: Bare) -> None:
    stream = bare.stream(b"s", (1, 0), (2, 5), (3, 0))
    stream.delete(2, 5)
    bare.group(stream, b"g", 0, 0, -1)
    assert bare.plain("XINFO", "STREAM", "s") == [
        *(b"length", 2, b"radix-tree-keys", 1, b"radix-tree-nodes", 2),
        *(b"last-generated-id", b"3-0", b"max-deleted-entry-id", b"2-5", b"entries-added", 3),
        *(b"recorded-first-entry-id", b"1-0", b"idmp-duration", 100, b"idmp-maxsize", 100),
        *(b"pids-tracked", 0, b"iids-tracked", 0, b"iids-added", 0, b"iids-duplicates", 0),
        *(b"groups", 1, b"first-entry", entry(1, 0), b"last-entry", entry(3, 0)),
    ]


def test_an_empty_stream(bare: Bare) -> None:
    bare.stream(b"s")
    assert pairs(bare.plain("XINFO", "STREAM", "s"))[13:] == [
        (b"groups", 0),
        (b"first-entry", None),
        (b"last-entry", None),
    ]
    assert pairs(bare.plain("XINFO", "STREAM", "s", "FULL"))[13:] == [
        (b"entries", []),
        (b"groups", []),
    ]
    fields = dict(pairs(bare.plain("XINFO", "STREAM", "s")))
    assert fields[b"last-generated-id"] == fields[b"recorded-first-entry-id"] == b"0-0"
    assert (fields[b"radix-tree-keys"], fields[b"radix-tree-nodes"]) == (0, 1)


def test_idempotent_ids(bare: Bare) -> None:
    stream = bare.stream(b"s", (1, 0))
    stream.idmp = Idmp(2, 50)
    stream.idmp.record(b"p", b"i", 1, 0, 1_000_000)
    stream.idmp.record(b"q", b"i", 1, 0, 1_000_500)
    stream.idmp.added = 5
    stream.idmp.duplicates = 3
    bare.clock.advance(500)

    def figures() -> list[Any]:
        return [value for _, value in pairs(bare.plain("XINFO", "STREAM", "s"))[7:13]]

    assert figures() == [2, 50, 2, 2, 5, 3]
    bare.clock.advance(1500)
    assert figures() == [2, 50, 1, 1, 5, 3]
    bare.clock.advance(500)
    assert figures() == [2, 50, 0, 0, 5, 3]


def test_the_defaults_are_the_servers(bare: Bare) -> None:
    bare.stream(b"s")
    bare.state.idmp_duration_s = 7
    bare.state.idmp_maxsize = 8
    fields = dict(pairs(bare.plain("XINFO", "STREAM", "s")))
    assert (fields[b"idmp-duration"], fields[b"idmp-maxsize"]) == (7, 8)


def groups_of(bare: Bare) -> None:
    """Group `b` before group `a`; in `a` consumer `y` before `x`, and a nacked entry."""
    stream = bare.stream(b"s", *((n, 0) for n in range(1, 6)))
    bare.group(stream, b"b", 0, 0, -1)
    group = bare.group(stream, b"a", 4, 0, 4)
    y = group.create_consumer(b"y", 900_000)
    x = group.create_consumer(b"x", 990_000)
    y.active_ms = 950_000
    group.pending.add(1, 0, y.number, 950_000, 2)
    group.pending.add(2, 0, 0, 0, 3)
    group.pending.add(3, 0, x.number, 960_000, 1)
    group.pending.add(4, 0, y.number, 950_000, 1)


def test_full(bare: Bare) -> None:
    groups_of(bare)
    reply = pairs(bare.plain("XINFO", "STREAM", "s", "FULL"))
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
            [b"1-0", b"y", 950_000, 2],
            [b"2-0", b"", 0, 3],
            [b"3-0", b"x", 960_000, 1],
            [b"4-0", b"y", 950_000, 1],
        ],
    )
    assert pairs(a)[7] == (
        b"consumers",
        [
            [
                *(b"name", b"x", b"seen-time", 990_000, b"active-time", -1),
                *(b"pel-count", 1, b"pending", [[b"3-0", 960_000, 1]]),
            ],
            [
                *(b"name", b"y", b"seen-time", 900_000, b"active-time", 950_000, b"pel-count", 2),
                *(b"pending", [[b"1-0", 950_000, 2], [b"4-0", 950_000, 1]]),
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
    bare: Bare, words: list[str], shown: int
) -> None:
    stream = bare.stream(b"s", *((n, 0) for n in range(1, 13)))
    group = bare.group(stream, b"g", 12, 0, 12)
    consumer = group.create_consumer(b"c", 0)
    for n in range(1, 13):
        group.pending.add(n, 0, consumer.number, 0, 1)
    reply = dict(pairs(bare.plain("XINFO", "STREAM", "s", *words)))
    assert reply[b"entries"] == [entry(n, 0) for n in range(1, shown + 1)]
    (shown_group,) = reply[b"groups"]
    fields = dict(pairs(shown_group))
    assert fields[b"pel-count"] == 12
    assert len(fields[b"pending"]) == shown
    consumer_fields = dict(pairs(fields[b"consumers"][0]))
    assert consumer_fields[b"pel-count"] == 12
    assert len(consumer_fields[b"pending"]) == shown


def test_many_entries_come_whole(bare: Bare) -> None:
    ids = [(n, 0) for n in range(1, 20_001)]
    bare.stream(b"s", *ids)
    reply = dict(pairs(bare.plain("XINFO", "STREAM", "s", "FULL", "COUNT", "0")))
    assert reply[b"entries"] == [entry(*i) for i in ids]
    assert reply[b"groups"] == []
    assert reply[b"radix-tree-keys"] == 200


def test_groups(bare: Bare) -> None:
    groups_of(bare)
    assert bare.plain("XINFO", "GROUPS", "s") == [
        [
            *(b"name", b"a", b"consumers", 2, b"pending", 4),
            *(b"last-delivered-id", b"4-0", b"entries-read", 4, b"lag", 1),
        ],
        [
            *(b"name", b"b", b"consumers", 0, b"pending", 0),
            *(b"last-delivered-id", b"0-0", b"entries-read", None, b"lag", 5),
        ],
    ]


def test_a_lag_that_nobody_knows_is_null(bare: Bare) -> None:
    stream = bare.stream(b"s", *((n, 0) for n in range(1, 6)))
    bare.group(stream, b"g", 2, 0, -1)
    stream.delete(3, 0)
    (group,) = bare.plain("XINFO", "GROUPS", "s")
    assert pairs(group)[4:] == [(b"entries-read", None), (b"lag", None)]


def test_consumers(bare: Bare) -> None:
    groups_of(bare)
    assert bare.plain("XINFO", "CONSUMERS", "s", "a") == [
        [b"name", b"x", b"pending", 1, b"idle", 10_000, b"inactive", -1],
        [b"name", b"y", b"pending", 2, b"idle", 100_000, b"inactive", 50_000],
    ]
    assert bare.plain("XINFO", "CONSUMERS", "s", "b") == []


def test_times_do_not_lie_in_the_future(bare: Bare) -> None:
    stream = bare.stream(b"s")
    consumer = bare.group(stream, b"g", 0, 0, -1).create_consumer(b"c", 1_000_001)
    consumer.active_ms = 1_000_001
    (reply,) = bare.plain("XINFO", "CONSUMERS", "s", "g")
    assert pairs(reply)[2:] == [(b"idle", 0), (b"inactive", 0)]


def test_resp3_has_maps_and_its_own_null() -> None:
    bare = Bare(resp=3)
    stream = bare.stream(b"s", (1, 0))
    bare.group(stream, b"g", 0, 0, -1).create_consumer(b"c", 0)
    kind, items = bare.call("XINFO", "STREAM", "s")
    assert kind == "%"
    assert [name for (_, name), _ in items] == [
        *STREAM_FIELDS,
        *(b"groups", b"first-entry", b"last-entry"),
    ]
    kind, items = bare.call("XINFO", "STREAM", "s", "FULL")
    assert kind == "%"
    kind, ((group_kind, group),) = items[14][1]
    assert (kind, group_kind) == ("*", "%")
    assert group[2] == (("$", b"entries-read"), ("nil", "_"))
    assert group[7][1][1][0][0] == "%"
    assert [item[0] for item in bare.call("XINFO", "GROUPS", "s")[1]] == ["%"]
    assert [item[0] for item in bare.call("XINFO", "CONSUMERS", "s", "g")[1]] == ["%"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["STREAM", "none"], b"ERR no such key"),
        (["STREAM", "none", "FOO"], b"ERR no such key"),
        (["STREAM", "str", "FULL", "COUNT", "x"], b"WRONGTYPE"),
        (["STREAM", "s", "FOO"], NO_ARGUMENTS % b"STREAM"),
        (["stream", "s", "FOO"], NO_ARGUMENTS % b"stream"),
        (["STREAM", "s", "FULL", "COUNT"], NO_ARGUMENTS % b"STREAM"),
        (["STREAM", "s", "FULL", "FOO", "1"], NO_ARGUMENTS % b"STREAM"),
        (["STREAM", "s", "FULL", "COUNT", "1", "2"], NO_ARGUMENTS % b"STREAM"),
        (["STREAM", "s", "FULL", "COUNT", "x"], b"ERR value is not an integer or out of range"),
        (["GROUPS", "none"], b"ERR no such key"),
        (["GROUPS", "str"], b"WRONGTYPE"),
        (["CONSUMERS", "none", "g"], b"ERR no such key"),
        (["CONSUMERS", "str", "g"], b"WRONGTYPE"),
        (["CONSUMERS", "s", "g"], b"NOGROUP No such consumer group 'g' for key name 's'"),
    ],
)
def test_errors(bare: Bare, words: list[str], text: bytes) -> None:
    bare.stream(b"s", (1, 0))
    bare.database.set(b"str", String(b"x"))
    kind, answer = bare.call("XINFO", *words)
    assert kind == "-"
    assert answer.startswith(text) if text == b"WRONGTYPE" else answer == text


def test_help_names_every_subcommand(bare: Bare) -> None:
    lines = bare.plain("XINFO", "HELP")
    for name in (b"STREAM", b"GROUPS", b"CONSUMERS", b"HELP"):
        assert any(line.startswith(name) for line in lines)
