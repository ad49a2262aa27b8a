"""What was dropped or has expired goes in slices, with the clients' requests in between."""

from __future__ import annotations

import pytest

from headwater.engine import CLEAN_LONGEST_US, EXPIRE_AT_ONCE_BUSY
from support.connections import Client, World

BLOCKS = 300


@pytest.fixture
def world() -> World:
    return World(stream_node_max_entries="1")


@pytest.fixture
def client(world: World) -> Client:
    """With a stream `s` of many blocks."""
    client = world.connect()
    client.send(*[("XADD", "s", f"{n}-0", "f", "v") for n in range(1, BLOCKS + 1)])
    assert len(client.replies()) == BLOCKS
    return client


def waiting(world: World) -> int:
    """Blocks that were dropped and are not freed yet."""
    return sum(map(len, world.engine.keyspace.graveyard))


def clean(world: World) -> None:
    while world.engine.clean():
        pass
    assert not world.engine.keyspace.graveyard


@pytest.mark.parametrize(
    "words",
    [
        ("XTRIM", "s", "MAXLEN", 10),
        ("XTRIM", "s", "MINID", BLOCKS - 9),
        ("XTRIM", "s", "MAXLEN", "~", 10, "LIMIT", 0),
    ],
)
def test_blocks_of_a_long_trim_are_freed_later(
    world: World, client: Client, words: tuple[str | int, ...]
) -> None:
    assert client.ask(*words) == BLOCKS - 10
    assert BLOCKS - 100 <= waiting(world) < BLOCKS - 10, "the first ones at once, the others later"
    assert [entry[0] for entry in client.ask("XRANGE", "s", "-", "+", "COUNT", 2)] == [
        b"%d-0" % n for n in (BLOCKS - 9, BLOCKS - 8)
    ]
    clean(world)
    assert client.ask("XLEN", "s") == 10


def test_a_trim_by_xadd_frees_later_too(world: World, client: Client) -> None:
    client.ask("XADD", "s", "MAXLEN", 10, f"{BLOCKS + 1}-0", "f", "v")
    assert waiting(world) >= BLOCKS - 100
    clean(world)


def test_a_short_trim_leaves_nothing_to_do(world: World, client: Client) -> None:
    assert client.ask("XTRIM", "s", "MAXLEN", BLOCKS - 20) == 20
    assert waiting(world) == 0


def test_a_second_trim_frees_its_own_blocks_only(world: World, client: Client) -> None:
    client.ask("XTRIM", "s", "MAXLEN", 200)
    first = waiting(world)
    client.ask("XTRIM", "s", "MAXLEN", 100)
    assert first < waiting(world) < BLOCKS
    client.ask("XTRIM", "s", "MAXLEN", 99)
    clean(world)
    assert len(client.ask("XRANGE", "s", "-", "+")) == 99


def test_keys_expire_in_slices_while_requests_come(world: World) -> None:
    client = world.connect()
    keys = 10 * EXPIRE_AT_ONCE_BUSY
    client.send(*[("SET", f"k{n}", "v", "PX", 1) for n in range(keys)])
    assert client.replies() == [b"OK"] * keys
    world.clock.advance(1000)
    assert client.ask("PING") == b"PONG"
    keyspace = world.engine.keyspace
    assert world.engine.tick(), "there is more to do"
    assert 0 < keyspace.expired_keys <= 2 * EXPIRE_AT_ONCE_BUSY
    clean(world)
    assert keyspace.expired_keys == keys
    assert client.ask("DBSIZE") == 0


@pytest.mark.parametrize("between_us", [0, 600_000_000])
def test_cleaning_keeps_up_with_clients_that_take_long(
    world: World, monkeypatch: pytest.MonkeyPatch, between_us: int
) -> None:
    now_us = 1_000_000

    def passing() -> int:
        nonlocal now_us
        now_us += 100
        return now_us

    monkeypatch.setattr("headwater.engine.monotonic_us", passing)
    client = world.connect()
    keys = 100 * EXPIRE_AT_ONCE_BUSY
    client.send(*[("SET", f"k{n}", "v", "PX", 1) for n in range(keys)])
    world.clock.advance(1000)
    keyspace = world.engine.keyspace
    assert world.engine.tick(), "there is more to do"
    first = keyspace.expired_keys
    assert first <= 2 * EXPIRE_AT_ONCE_BUSY
    client.send(("PING",))
    now_us += 9_000
    assert world.engine.clean()
    second = keyspace.expired_keys - first
    assert 10 * EXPIRE_AT_ONCE_BUSY < second < keys // 2, "longer, as the client's turn was long"
    # What has nothing to do with clients, a machine that was asleep say, earns only so much.
    client.send(("PING",))
    now_us += between_us
    began_us = now_us
    world.engine.clean()
    assert now_us - began_us <= 2 * CLEAN_LONGEST_US


def test_nothing_is_cleaned_while_data_is_loaded(world: World, client: Client) -> None:
    client.ask("XTRIM", "s", "MAXLEN", 1)
    before = waiting(world)
    world.engine.state.loading = True
    assert not world.engine.clean()
    assert waiting(world) == before
    world.engine.state.loading = False
    clean(world)
