"""Python's collector of cycles has nothing to do, and keeps away from the data."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from headwater.server.garbage import settle, spare_the_data
from support.connections import World
from support.wire import encode


@pytest.fixture
def collector() -> Iterator[None]:
    """The collector at rest; as it was, afterwards."""
    threshold = gc.get_threshold()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.set_debug(0)
        gc.set_threshold(*threshold)
        gc.garbage.clear()
        gc.unfreeze()
        gc.enable()


def left_behind() -> list[object]:
    """What only the collector would find, of this package's types."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    return [found for found in gc.garbage if type(found).__module__.startswith("headwater")]


def test_clients_leave_no_cycles_behind(collector: None) -> None:
    world = World()
    keeper = world.connect()
    for end in ("close", "quit", "wait"):
        client, other = world.connect(), world.connect()
        client.send(("XADD", "s", "*", "f", "v"), ("XADD", "s", "1"), ("MULTI",), ("PING",))
        other.send(("WATCH", "s"), ("SUBSCRIBE",), ("CLIENT", "TRACKING", "ON"))
        other.send_raw(encode(("ECHO", "x" * 1000))[:500])
        if end == "quit":
            client.send(("EXEC",), ("QUIT",))
        elif end == "wait":
            client.send(("DISCARD",), ("XREAD", "BLOCK", 0, "STREAMS", "s", "$"))
        for gone in (client, other):
            gone.connection.close()
            world.loop.run()
            gone.transport.protocol = None  # as the poller's transport
    del client, other, gone
    assert keeper.ask("XLEN", "s") == 3
    assert left_behind() == []


def test_keys_leave_no_cycles_behind(collector: None) -> None:
    world = World()
    client = world.connect()
    for n in range(300):
        client.ask("XADD", "s", "*", "f", "v" * 100)
        client.ask("XADD", f"small:{n}", "*", "f", "v")
        client.ask("EXPIRE", f"small:{n}", 100)
    client.ask("XGROUP", "CREATE", "s", "g", "0")
    client.ask("XREADGROUP", "GROUP", "g", "c", "COUNT", 200, "STREAMS", "s", ">")
    client.ask("COPY", "s", "t")
    client.ask("XTRIM", "s", "MAXLEN", 10)
    client.ask("XGROUP", "DESTROY", "s", "g")
    client.ask("DEL", "s")
    client.ask("FLUSHALL")
    while world.engine.clean():
        pass
    assert left_behind() == []


def test_the_data_is_not_looked_through(collector: None) -> None:
    kept = [[n] for n in range(1000)]
    spare_the_data()
    assert gc.get_freeze_count() >= len(kept)
    young, middle, oldest = gc.get_threshold()
    assert 0 < young * middle < 1_000_000 < oldest, "only the young generations come due"


def test_what_settles_is_looked_at_once(collector: None) -> None:
    spare_the_data()
    kept = [[n] for n in range(100)]
    assert any(found is kept for found in gc.get_objects(generation=0))
    settle()
    assert not any(found is kept for young in (0, 1) for found in gc.get_objects(generation=young))
    assert any(found is kept for found in gc.get_objects(generation=2))
    cycle: list[object] = []
    cycle.append(cycle)
    identity = id(cycle)
    del cycle
    settle()
    assert not any(id(found) == identity for found in gc.get_objects())
