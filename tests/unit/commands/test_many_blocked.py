"""Many clients blocked on one key: the same bytes for all, sent in slices, and pauses."""

from __future__ import annotations

from typing import Any

import pytest

from headwater.commands.blocking import SEND_AT_ONCE
from headwater.keyspace.waiters import NEVER
from support.connections import Client, Transport, World

READ = ("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
MANY = 2 * SEND_AT_ONCE + 7


@pytest.fixture
def world() -> World:
    """A world whose timer is there: it is told when somebody must be looked at earlier."""
    made = World()
    made.engine.waiters.on_earlier = lambda at_ms: None
    return made


def turn(world: World) -> None:
    """What the server does when its timer is due."""
    waiters = world.engine.waiters
    waiters.timer_ms = NEVER
    world.engine.run_due()
    waiters.timer_ms = world.engine.next_ms()
    world.loop.run()


def blocked(world: World, count: int, *words: Any) -> list[Client]:
    clients = [world.connect() for _ in range(count)]
    for client in clients:
        client.send(words)
    assert world.engine.state.blocked_clients == count
    return clients


def answered(clients: list[Client]) -> int:
    return sum(len(client.transport.data) != 0 for client in clients)


def test_a_wave_is_sent_in_slices(world: World) -> None:
    other = world.connect()
    readers = blocked(world, MANY, *READ)
    assert other.ask("XADD", "s", "1-0", "f", "v") == b"1-0"
    assert answered(readers) == SEND_AT_ONCE
    # For everybody else all have been served.
    assert world.engine.state.blocked_clients == 0
    assert world.engine.waiters.count == 0
    assert world.engine.next_ms() == 0
    # What happens in between changes nothing for those who wait for their bytes.
    assert other.ask("XADD", "s", "2-0", "f", "w") == b"2-0"
    assert other.ask("DEL", "s") == 1
    turn(world)
    assert answered(readers) == 2 * SEND_AT_ONCE
    turn(world)
    assert answered(readers) == MANY
    assert world.engine.next_ms() == NEVER
    for reader in readers:
        assert reader.replies() == [[[b"s", [[b"1-0", [b"f", b"v"]]]]]]


def test_requests_behind_a_wait_come_behind_its_reply(world: World) -> None:
    readers = blocked(world, MANY, *READ)
    for reader in readers:
        reader.send(("ECHO", "behind"))
    world.connect().ask("XADD", "s", "1-0", "f", "v")
    readers[MANY - 1].send(("ECHO", "later"))
    world.loop.run()
    assert answered(readers) == SEND_AT_ONCE
    turn(world)
    turn(world)
    expected = [[[b"s", [[b"1-0", [b"f", b"v"]]]]], b"behind"]
    assert readers[0].replies() == expected
    assert readers[MANY - 1].replies() == [*expected, b"later"]


def test_who_is_owed_a_reply_waits_no_more(world: World) -> None:
    readers = blocked(world, MANY, *READ)
    other = world.connect()
    other.ask("XADD", "s", "1-0", "f", "v")
    owed = readers[MANY - 1]
    assert other.ask("CLIENT", "UNBLOCK", owed.connection.id) == 0
    # One that is gone in the meantime is forgotten.
    readers[MANY - 2].connection.connection_lost(None)
    turn(world)
    turn(world)
    assert answered(readers) == MANY - 1
    assert owed.replies() == [[[b"s", [[b"1-0", [b"f", b"v"]]]]]]
    owed.send(READ)
    assert other.ask("CLIENT", "UNBLOCK", owed.connection.id) == 1
    assert owed.replies() == [None]


def test_each_gets_what_it_asked_for(world: World) -> None:
    """Same words, same bytes; another position, count, protocol or database is another reply."""
    other = world.connect()
    other.send(("XADD", "s", "1-0", "f", "v"), ("XADD", "s", "2-0", "f", "v"))
    other.replies()
    state = world.engine.state
    second = world.connect()
    second.ask("HELLO", 3)
    third = world.connect()
    third.ask("SELECT", 1)
    clients = {
        "dollar": world.connect(),
        "same": world.connect(),
        "earlier": world.connect(),
        "one": world.connect(),
        "two streams": world.connect(),
        "resp3": second,
        "other database": third,
        "plus": world.connect(),
    }
    clients["dollar"].send(READ)
    clients["same"].send(("XREAD", "BLOCK", 0, "STREAMS", "s", "2-0"))
    clients["earlier"].send(("XREAD", "BLOCK", 0, "STREAMS", "s", "2-5"))
    clients["one"].send(("XREAD", "COUNT", 1, "BLOCK", 0, "STREAMS", "s", "$"))
    clients["two streams"].send(("XREAD", "BLOCK", 0, "STREAMS", "none", "s", "$", "$"))
    clients["resp3"].send(READ)
    clients["other database"].send(READ)
    hits = state.keyspace.keyspace_hits
    other.send(
        ("MULTI",),
        ("XADD", "s", "2-3", "f", "a"),
        ("XADD", "s", "2-7", "f", "b"),
        ("EXEC",),
    )
    a = [b"2-3", [b"f", b"a"]]
    b = [b"2-7", [b"f", b"b"]]
    assert clients["dollar"].replies() == [[[b"s", [a, b]]]]
    assert clients["same"].replies() == [[[b"s", [a, b]]]]
    assert clients["earlier"].replies() == [[[b"s", [b]]]]
    assert clients["one"].replies() == [[[b"s", [a]]]]
    assert clients["two streams"].replies() == [[[b"s", [a, b]]]]
    assert clients["resp3"].transport.data.startswith(b"%1\r\n$1\r\ns\r\n*2\r\n")
    assert clients["other database"].replies() == []
    # Two for each of the six, as if each one had been tried on its own, and for the empty key.
    assert state.keyspace.keyspace_hits - hits == 12


def test_one_entry_wakes_the_first_of_a_group(world: World) -> None:
    other = world.connect()
    other.ask("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    readers = []
    for number in range(40):
        reader = world.connect()
        reader.send(("XREADGROUP", "GROUP", "g", f"c{number}", "BLOCK", 0, "STREAMS", "s", ">"))
        readers.append(reader)
    for number in range(100):
        other.ask("XADD", "s", f"{number + 1}-0", "f", "v")
        first = number % 40
        assert answered(readers) == 1
        assert readers[first].replies() == [[[b"s", [[b"%d-0" % (number + 1), [b"f", b"v"]]]]]]
        readers[first].send(
            ("XREADGROUP", "GROUP", "g", f"c{first}", "BLOCK", 0, "STREAMS", "s", ">")
        )


def test_a_group_that_goes_tells_all_its_readers(world: World) -> None:
    other = world.connect()
    other.ask("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    words = ("XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "s", ">")
    readers = blocked(world, MANY, *words)
    assert other.ask("XGROUP", "DESTROY", "s", "g") == 1
    turn(world)
    turn(world)
    for reader in readers:
        [reply] = reader.replies()
        assert reply[1].startswith(b"NOGROUP")


@pytest.mark.parametrize("unpause", [True, False])
def test_a_pause_holds_back_a_reader_that_claims(world: World, unpause: bool) -> None:
    main, reader = world.connect(), world.connect()
    main.ask("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
    main.ask("XADD", "s", "1-0", "f", "v")
    main.ask("XREADGROUP", "GROUP", "g", "a", "STREAMS", "s", ">")
    reader.send(("XREADGROUP", "GROUP", "g", "b", "BLOCK", 0, "CLAIM", 100, "STREAMS", "s", ">"))
    assert main.ask("CLIENT", "PAUSE", 1000, "WRITE") == b"OK"
    world.pass_ms(500)
    assert reader.replies() == []
    if unpause:
        assert main.ask("CLIENT", "UNPAUSE") == b"OK"
        world.pass_ms(0)
        idle = 500
    else:
        world.pass_ms(499)
        assert reader.replies() == []
        world.pass_ms(1)
        idle = 1000
    assert reader.replies() == [[[b"s", [[b"1-0", [b"f", b"v"], idle, 1]]]]]


def test_a_pause_does_not_hold_back_a_timeout(world: World) -> None:
    main, reader = world.connect(), world.connect()
    main.ask("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
    main.ask("XADD", "s", "1-0", "f", "v")
    main.ask("XREADGROUP", "GROUP", "g", "a", "STREAMS", "s", ">")
    reader.send(("XREADGROUP", "GROUP", "g", "b", "BLOCK", 300, "CLAIM", 100, "STREAMS", "s", ">"))
    assert main.ask("CLIENT", "PAUSE", 1000, "WRITE") == b"OK"
    world.pass_ms(200)
    assert reader.replies() == []
    world.pass_ms(100)
    assert reader.replies() == [None]


def end_pause(world: World, main: Client, unpause: bool) -> None:
    if unpause:
        assert main.ask("CLIENT", "UNPAUSE") == b"OK"
    else:
        world.pass_ms(1000)


@pytest.mark.parametrize("unpause", [True, False])
@pytest.mark.parametrize("first_leaves", [True, False])
def test_behind_a_pause_all_readers_of_the_same_are_served(
    world: World, unpause: bool, first_leaves: bool
) -> None:
    main = world.connect()
    readers = blocked(world, 4, *READ)
    main.send(
        ("MULTI",), ("XADD", "s", "1-0", "f", "v"), ("CLIENT", "PAUSE", 1000, "ALL"), ("EXEC",)
    )
    assert main.replies()[3] == [b"1-0", b"OK"]
    assert answered(readers) == 0
    if first_leaves:
        readers.pop(0).connection.connection_lost(None)
    end_pause(world, main, unpause)
    for reader in readers:
        assert reader.replies() == [[[b"s", [[b"1-0", [b"f", b"v"]]]]]]
    assert world.engine.next_ms() == NEVER


@pytest.mark.parametrize("unpause", [True, False])
@pytest.mark.parametrize("first_leaves", [True, False])
def test_behind_a_pause_a_group_is_served_in_its_order(
    world: World, unpause: bool, first_leaves: bool
) -> None:
    main = world.connect()
    main.ask("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    readers = []
    for number in range(4):
        reader = world.connect()
        group = ("GROUP", "g", f"c{number}")
        reader.send(("XREADGROUP", *group, "COUNT", 1, "BLOCK", 0, "STREAMS", "s", ">"))
        readers.append(reader)
    adding = [("XADD", "s", f"{number}-0", "f", "v") for number in (1, 2, 3)]
    main.send(("MULTI",), *adding, ("CLIENT", "PAUSE", 1000, "WRITE"), ("EXEC",))
    main.replies()
    assert answered(readers) == 0
    if first_leaves:
        readers.pop(0).connection.connection_lost(None)
    end_pause(world, main, unpause)
    for number in (1, 2, 3):
        reader = readers[number - 1]
        assert reader.replies() == [[[b"s", [[b"%d-0" % number, [b"f", b"v"]]]]]]
    assert answered(readers) == 0


def test_nothing_is_kept_of_a_request_that_waited(world: World) -> None:
    reader = world.connect()
    reader.send(("XREAD", "BLOCK", 0, "STREAMS", *(f"s{n}" for n in range(70_000)), *"$" * 70_000))
    world.connect().ask("XADD", "s7", "1-0", "f", "v")
    assert reader.replies() == [[[b"s7", [[b"1-0", [b"f", b"v"]]]]]]
    request = world.engine.waiters.request
    assert (len(request.buf), request.argc) == (0, 0)
    assert request.capacity < 70_000


class Pieces(Transport):
    """Keeps what it is given as it is given."""

    def __init__(self, world: World) -> None:
        super().__init__(world.loop)
        self.pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.pieces.append(data)


def test_a_big_reply_is_not_copied_for_each_reader(world: World) -> None:
    readers = blocked(world, MANY, *READ)
    transports = []
    for reader in readers:
        transport = Pieces(world)
        transport.protocol = reader.connection
        reader.connection.connection_made(transport)
        transports.append(transport)
    world.connect().ask("XADD", "s", "1-0", "f", "v" * 100_000)
    turn(world)
    turn(world)
    first, second = transports[0].pieces, transports[1].pieces
    assert len(b"".join(first)) > 100_000
    for transport in transports[1:]:
        assert b"".join(transport.pieces) == b"".join(first)
        assert [id(piece) for piece in transport.pieces] == [id(piece) for piece in second]
