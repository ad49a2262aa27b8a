"""Big replies take turns: a piece each, and everybody else in between."""

from __future__ import annotations

import pytest

from headwater.limits import SEND_PIECE_BYTES
from headwater.resp.reply import Reply
from headwater.server.turns import Turns
from support.connections import Client, Loop, World

ENTRIES = 600
ENTRY_BYTES = 4000
"""Together many pieces."""


class Sender:
    """Has `left` bytes to send, ten in a turn."""

    def __init__(self, name: str, left: int, turns: Turns, log: list[str]) -> None:
        self.name = name
        self.left = left
        self.turns = turns
        self.log = log
        self.closed = False

    def take_turn(self) -> int:
        self.log.append(self.name)
        self.left -= 10
        if self.left < 0:
            raise ValueError("nothing is left")
        if self.left:
            self.turns.join(self)
        return 10

    def close(self) -> None:
        self.closed = True


def test_who_has_more_to_send_goes_behind_the_others() -> None:
    loop = Loop()
    log: list[str] = []
    turns = Turns(loop, 1000)
    for name, left in (("a", 30), ("b", 10), ("c", 20)):
        turns.join(Sender(name, left, turns, log))
    rounds = []
    while loop.later:
        assert len(loop.later) == 1, "one call of the loop serves all"
        log.clear()
        loop.run_once()
        rounds.append("".join(log))
    assert rounds == ["abc", "ac", "a"]


def test_a_round_ends_when_enough_was_sent() -> None:
    loop = Loop()
    log: list[str] = []
    turns = Turns(loop, 20)
    for name in "abc":
        turns.join(Sender(name, 20, turns, log))
    rounds = []
    while loop.later:
        log.clear()
        loop.run_once()
        rounds.append("".join(log))
    assert rounds == ["ab", "ca", "bc"]


def test_a_client_whose_reply_fails_is_closed_and_the_others_go_on() -> None:
    loop = Loop()
    log: list[str] = []
    turns = Turns(loop, 1000)
    broken, sound = Sender("x", 5, turns, log), Sender("y", 20, turns, log)
    turns.join(broken)
    turns.join(sound)
    loop.run()
    assert (broken.closed, sound.closed) == (True, False)
    assert log == ["x", "y", "y"]


@pytest.fixture
def world() -> World:
    """With a stream of a few megabytes."""
    world = World()
    client = world.connect()
    for n in range(1, ENTRIES + 1):
        client.send(("XADD", "s", f"{n}-0", "f", "x" * ENTRY_BYTES))
    return world


def received(client: Client) -> int:
    return len(client.transport.data)


def test_others_are_served_between_the_pieces_of_a_reply(world: World) -> None:
    reader, other = world.connect(), world.connect()
    reader.send(("XRANGE", "s", "-", "+"), ("PING",))
    turns = 0
    while world.loop.later:
        before = received(reader)
        assert other.ask("PING") == b"PONG"
        world.loop.run_once()
        assert received(reader) - before <= 2 * SEND_PIECE_BYTES
        turns += 1
    assert turns >= ENTRIES * ENTRY_BYTES // SEND_PIECE_BYTES
    entries, pong = reader.replies()
    assert [entry[0] for entry in entries] == [b"%d-0" % n for n in range(1, ENTRIES + 1)]
    assert pong == b"PONG"


def test_several_readers_advance_together(world: World) -> None:
    readers = [world.connect() for _ in range(5)]
    for reader in readers:
        reader.send(("XREVRANGE", "s", "+", "-"))
    while world.loop.later:
        world.loop.run_once()
        assert max(map(received, readers)) - min(map(received, readers)) <= 2 * SEND_PIECE_BYTES
    [first], *rest = [reader.replies() for reader in readers]
    assert len(first) == ENTRIES
    assert rest == [[first]] * 4


def test_a_reader_that_goes_leaves_little_to_do_at_once(world: World) -> None:
    reader, other = world.connect(), world.connect()
    reader.send(("XRANGE", "s", "-", "+"))
    world.loop.run_once()
    # From here on nobody but the reader has the stream's blocks.
    assert other.ask("DEL", "s") == 1
    keyspace = world.engine.keyspace
    while keyspace.free_some(1000):
        pass
    reader.connection.close()
    world.loop.run()
    assert sum(map(len, keyspace.graveyard)) > ENTRIES // 2, "freed in pieces, as what is deleted"
    while world.engine.clean():
        pass
    assert not keyspace.graveyard


def test_a_reader_that_stalls_goes_on_when_its_socket_is_empty(world: World) -> None:
    reader = world.connect()
    reader.send(("XRANGE", "s", "-", "+"), ("ECHO", "behind"))
    world.loop.run_once()
    reader.transport.full = True
    world.loop.run()
    assert reader.transport.held
    reader.transport.drain()
    world.loop.run()
    entries, echo = reader.replies()
    assert len(entries) == ENTRIES
    assert echo == b"behind"


@pytest.mark.parametrize("stalls", [False, True])
def test_a_reader_that_says_no_more_gets_its_whole_reply(world: World, stalls: bool) -> None:
    reader = world.connect()
    reader.send(("XRANGE", "s", "-", "+"))
    world.loop.run_once()
    reader.transport.full = stalls
    assert reader.connection.eof_received() is True
    world.loop.run()
    if stalls:
        assert not reader.transport.closing
        reader.transport.drain()
        world.loop.run()
    [entries] = reader.replies()
    assert len(entries) == ENTRIES
    assert world.gone == [reader.connection.id]


def test_what_the_socket_has_not_taken_is_sent_before_the_end(world: World) -> None:
    reader = world.connect()
    reader.transport.full = True
    reader.send(("PING",))
    assert reader.connection.eof_received() is True
    assert reader.transport.closing, "which for a transport means: when all is sent"
    other = world.connect()
    assert other.connection.eof_received() is False, "nothing is left to send"


def test_a_reader_that_never_stalls_is_not_idle(world: World) -> None:
    reader = world.connect()
    reader.send(("XRANGE", "s", "-", "+"))
    while world.loop.later:
        world.clock.advance(60_000)
        world.loop.run_once()
    idle_ms = world.engine.clock.now_ms - reader.connection.last_ms
    assert idle_ms <= 60_000, "it has just been sent something"
    [entries] = reader.replies()
    assert len(entries) == ENTRIES


def test_pushes_behind_a_big_reply_are_reported(world: World) -> None:
    monitor, other = world.connect(), world.connect()
    monitor.ask("MONITOR")
    reply = Reply()
    reply.attach(Source(4))
    monitor.connection.send(reply)
    world.pushed.clear()
    other.ask("PING")
    assert world.pushed == [monitor.connection.id], "what gathers there is limited"
    world.loop.run()
    assert monitor.transport.data.endswith(b'"PING"\r\n')
    world.pushed.clear()
    other.ask("PING")
    assert world.pushed == []


class Source:
    """So many pieces of a reply, and then it fails instead of ending."""

    def __init__(self, pieces: int, fails: bool = False) -> None:
        self.pieces = pieces
        self.fails = fails

    def left(self) -> int:
        return self.pieces * SEND_PIECE_BYTES

    def read(self, max_bytes: int) -> bytes:
        if self.pieces == 0 and self.fails:
            raise ValueError("it cannot be unpacked")
        if self.pieces == 0:
            return b""
        self.pieces -= 1
        return b"x" * SEND_PIECE_BYTES

    def parts(self) -> list[object]:
        return []


@pytest.mark.parametrize("stalls", [True, False])
def test_a_client_whose_reply_fails_on_the_way_is_closed(world: World, stalls: bool) -> None:
    reader = world.connect()
    reader.transport.full = stalls
    reply = Reply()
    reply.attach(Source(1, fails=True))
    reader.connection.send(reply)
    if stalls:
        reader.transport.drain()
    world.loop.run()
    assert reader.transport.closing
    assert world.gone == [reader.connection.id]


def test_many_that_can_go_on_at_once_wait_for_their_turns(world: World) -> None:
    readers = [world.connect() for _ in range(20)]
    for reader in readers:
        reader.transport.full = True
        reader.send(("XRANGE", "s", "-", "+"))
    before = sum(map(received, readers)) + sum(len(reader.transport.held) for reader in readers)
    for reader in readers:
        reader.transport.drain()
    assert sum(map(received, readers)) == before
    world.loop.run_once()
    assert sum(map(received, readers)) - before <= 2 * SEND_PIECE_BYTES
    world.loop.run()
    assert [len(reader.replies()[0]) for reader in readers] == [ENTRIES] * 20
