"""XREAD and XREADGROUP: big replies made of parts, waits, and what is counted of them."""

from __future__ import annotations

from typing import Any

import pytest

from headwater.limits import REPLY_REFERENCE_BYTES
from headwater.streams.range import ATTACH_BYTES
from support.connections import Client, World

BIG = 3000
VALUE = "x" * 200


@pytest.fixture
def world() -> World:
    """Streams `a` and `c` are sent by reference, `b` is small; all have a group `g`."""
    assert BIG * len(VALUE) > 2 * ATTACH_BYTES
    made = World()
    client = made.connect()
    for key, count in (("a", BIG), ("b", 1), ("c", BIG)):
        client.send(*[("XADD", key, f"{n}-0", "f", VALUE) for n in range(1, count + 1)])
        client.send(("XGROUP", "CREATE", key, "g", "0"))
    client.replies()
    return made


def entries(count: int) -> list[Any]:
    return [[b"%d-0" % n, [b"f", VALUE.encode()]] for n in range(1, count + 1)]


ALL = [[b"a", entries(BIG)], [b"b", entries(1)], [b"c", entries(BIG)]]


def whole_replies(client: Client) -> list[Any]:
    """Big ones are sent in turns of the loop."""
    client.world.loop.run()
    return client.replies()


def ask_big(client: Client, *words: Any) -> Any:
    client.send(words)
    [answer] = whole_replies(client)
    return answer


def test_several_big_streams(world: World) -> None:
    client = world.connect()
    assert ask_big(client, "XREAD", "STREAMS", "a", "b", "c", 0, 0, 0) == ALL
    # What has nothing shortens the array whose head is sent already as a part.
    assert ask_big(client, "XREAD", "STREAMS", "none", "a", "b", "c", "a", 0, 0, "1-0", 0, "$") == [
        ALL[0],
        ALL[2],
    ]
    assert ask_big(client, "XREAD", "STREAMS", "b", "none", "b", 0, 0, "1-0") == [ALL[1]]
    keys = ["none"] * 9 + ["a"]
    assert ask_big(client, "XREAD", "STREAMS", *keys, *[0] * 10) == [ALL[0]]


@pytest.mark.parametrize("count", [1, 3])
def test_several_big_streams_of_a_group(world: World, count: int) -> None:
    client = world.connect()
    words = ("XREADGROUP", "GROUP", "g", "me", "NOACK", "STREAMS", "a", "b", "c", ">", ">", ">")
    if count == 1:
        client.ask("XGROUP", "SETID", "b", "g", "$")
        client.ask("XGROUP", "SETID", "a", "g", "$")
    assert ask_big(client, *words) == ALL[3 - count :]
    assert ask_big(client, *words) is None


def test_a_big_history_and_a_claim(world: World) -> None:
    client = world.connect()
    group = ("XREADGROUP", "GROUP", "g", "me")
    assert ask_big(client, *group, "STREAMS", "a", "b", ">", ">") == ALL[:2]
    assert ask_big(client, *group, "STREAMS", "a", "b", 0, 0) == ALL[:2]
    claimed = [[*entry, 0, 2] for entry in entries(BIG)]
    assert ask_big(client, *group, "CLAIM", 0, "STREAMS", "a", "b", ">", ">") == [
        [b"a", claimed],
        [b"b", [[*entries(1)[0], 0, 2]]],
    ]


def test_inside_of_a_transaction_with_failures(world: World) -> None:
    client = world.connect()
    client.send(
        ("ECHO", "before"),
        ("MULTI",),
        ("XREAD", "STREAMS", "a", "none", "c", 0, 0, 0),
        ("XREADGROUP", "GROUP", "no", "me", "STREAMS", "a", ">"),
        ("XRANGE", "b", "-", "+"),
        ("XREAD", "BLOCK", 0, "STREAMS", "a", "$"),
        ("XREVRANGE", "c", "+", "-"),
        ("RENAME", "none", "other"),
        ("EXEC",),
        ("ECHO", "behind"),
    )
    replies = whole_replies(client)
    assert replies[0] == b"before"
    assert replies[-1] == b"behind"
    first, no_group, small, waits, backwards, no_key = replies[-2]
    assert first == [ALL[0], ALL[2]]
    assert no_group[0] == no_key[0] == "-"
    assert small == entries(1)
    assert waits is None
    assert backwards == entries(BIG)[::-1]


def test_big_replies_that_are_not_wanted(world: World) -> None:
    client = world.connect()
    big = ("XREAD", "STREAMS", "a", "c", 0, 0)
    client.send(
        ("ECHO", "one"), ("CLIENT", "REPLY", "SKIP"), big, big, ("CLIENT", "REPLY", "OFF"), big,
        ("XRANGE", "a", "-", "+"), ("CLIENT", "REPLY", "ON"), ("ECHO", "two"),
    )  # fmt: skip
    assert whole_replies(client) == [b"one", [ALL[0], ALL[2]], b"OK", b"two"]


def test_a_long_key_that_has_nothing(world: World) -> None:
    """Its name is sent by reference and taken back."""
    client = world.connect()
    key = "k" * REPLY_REFERENCE_BYTES
    client.ask("XADD", key, "1-0", "f", "v")
    client.ask("XGROUP", "CREATE", key, "g", "$")
    group = ("XREADGROUP", "GROUP", "g", "me", "STREAMS")
    assert client.ask(*group, key, "b", key, ">", ">", ">") == [ALL[1]]
    assert client.ask(*group, key, ">") is None
    client.ask("XADD", key, "2-0", "f", "v")
    assert client.ask(*group, key, ">") == [[key.encode(), [[b"2-0", [b"f", b"v"]]]]]


def test_a_wait_is_counted_when_it_ends(world: World) -> None:
    client, other = world.connect(), world.connect()
    state = world.engine.state
    command = state.table.find(b"xread")
    before = state.commands_processed
    client.send(("XREAD", "BLOCK", 10, "STREAMS", "b", "$"))
    assert (command.calls, state.commands_processed - before) == (0, 0)
    world.pass_ms(10)
    assert client.replies() == [None]
    assert (command.calls, state.commands_processed - before) == (1, 1)
    client.send(("XREAD", "BLOCK", 10, "STREAMS", "b", "$"))
    other.ask("XADD", "b", "2-0", "f", "v")
    assert command.calls == 2
    client.replies()
    client.send(("XREAD", "BLOCK", 10, "STREAMS", "b", "$"))
    other.ask("CLIENT", "UNBLOCK", client.connection.id)
    assert command.calls == 3


def test_hits_and_misses(world: World) -> None:
    """Each key counts twice, as in Redis."""
    client = world.connect()
    keyspace = world.engine.keyspace

    def counted(*words: Any) -> tuple[int, int]:
        before = keyspace.keyspace_hits, keyspace.keyspace_misses
        client.ask(*words)
        return keyspace.keyspace_hits - before[0], keyspace.keyspace_misses - before[1]

    assert counted("XREAD", "STREAMS", "b", "none", 0, 0) == (2, 2)
    assert counted("XREADGROUP", "GROUP", "g", "me", "STREAMS", "b", ">") == (2, 0)
    assert counted("XREADGROUP", "GROUP", "g", "me", "STREAMS", "none", ">") == (0, 1)


def test_the_time_of_a_wait(world: World) -> None:
    client = world.connect()
    client.send(("XREAD", "BLOCK", 1000, "STREAMS", "b", "$"))
    world.pass_ms(999)
    assert client.replies() == []
    world.pass_ms(1)
    assert client.replies() == [None]


def test_the_clock_goes_back_while_somebody_waits(world: World) -> None:
    client, other = world.connect(), world.connect()
    client.send(("XREAD", "BLOCK", 1000, "STREAMS", "b", "$"))
    world.pass_ms(-3_600_000)
    assert client.replies() == []
    other.ask("XADD", "b", "*", "f", "v")
    assert len(client.replies()) == 1


@pytest.mark.parametrize("timeout", [2**62 - 1, 2**62])
def test_the_longest_waits(world: World, timeout: int) -> None:
    client, other = world.connect(), world.connect()
    client.send(("XREAD", "BLOCK", timeout, "STREAMS", "b", "$"))
    world.pass_ms(10**15)
    assert client.replies() == []
    other.ask("XADD", "b", "*", "f", "v")
    assert len(client.replies()) == 1
    kind, text = client.ask("XREAD", "BLOCK", 2**63 - 1, "STREAMS", "b", "$")
    assert (kind, text) == ("-", b"ERR timeout is out of range")


@pytest.mark.parametrize("min_idle", [1, 1000, 2**62, 2**63 - 1])
def test_a_claim_waits_until_an_entry_is_idle_enough(world: World, min_idle: int) -> None:
    client, other = world.connect(), world.connect()
    other.ask("XREADGROUP", "GROUP", "g", "other", "STREAMS", "b", ">")
    client.send(
        ("XREADGROUP", "GROUP", "g", "me", "CLAIM", min_idle, "BLOCK", 0, "STREAMS", "b", ">")
    )
    world.pass_ms(min(min_idle, 10_000) - 1)
    assert client.replies() == []
    world.pass_ms(1)
    if min_idle <= 1000:
        [[[_, [[entry_id, _, idle, count]]]]] = client.replies()
        assert (entry_id, idle, count) == (b"1-0", min_idle, 1)
    else:
        assert client.replies() == []
