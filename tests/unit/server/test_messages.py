"""Messages on a connection: their order among replies, the journal they wait for, their limits."""

from __future__ import annotations

import pytest

from headwater.commands.channels import SLICE
from headwater.limits import TRANSPORT_HIGH_BYTES
from support.connections import Client, World


@pytest.fixture
def world() -> World:
    return World(notify_keyspace_events="Et")


def listener(world: World, *names: str, resp: int = 3) -> Client:
    client = world.connect()
    client.send(("HELLO", resp), ("SUBSCRIBE", *names))
    client.replies()
    return client


def test_messages_leave_at_the_end_of_a_round(world: World) -> None:
    client, other = listener(world, "c"), world.connect()
    other.send(("PUBLISH", "c", "1"), ("PUBLISH", "c", "2"))
    assert (client.replies(), other.replies()) == ([], [1, 1])
    world.loop.run()
    assert [message[2] for message in client.replies()] == [b"1", b"2"]


def test_own_commands_are_answered_behind_what_was_published_before(world: World) -> None:
    client, other = listener(world, "c"), world.connect()
    other.ask("PUBLISH", "c", "1")
    client.send(("PING",), ("PUBLISH", "c", "2"), ("PING", "end"))
    answers = [x[2] if isinstance(x, list) else x for x in client.replies()]
    assert answers == [b"1", b"PONG", 1, b"2", b"end"]


def test_a_wake_up_comes_behind_what_was_published_before(world: World) -> None:
    client, other = listener(world, "c", "__keyevent@0__:xadd"), world.connect()
    client.send(("XREAD", "BLOCK", 0, "STREAMS", "s", "$"))
    other.send(("PUBLISH", "c", "1"), ("XADD", "s", "1-1", "a", "b"))
    world.loop.run()
    first, second, third = client.replies()
    assert (first[2], second[2]) == (b"1", b"s")
    assert third == {b"s": [[b"1-1", [b"a", b"b"]]]}


@pytest.mark.parametrize("size", [1, 100_000])
def test_a_message_waits_for_what_it_follows_from(world: World, size: int) -> None:
    recorder = world.engine.state.recorder
    recorder.start(0, 0)
    written = []

    def commit() -> int:
        recorder.seal()
        while recorder.take() is not None:
            written.append(True)
        return 0

    world.shared.gate.commit = commit
    client, other = listener(world, "c", "__keyevent@0__:xadd"), world.connect()
    other.send(("XADD", "s", "1-1", "a", "b"), ("PUBLISH", "c", "x" * size))
    world.loop.run()
    assert written
    assert client.replies() == []
    assert client.connection.output_bytes() > size
    recorder.released = recorder.end
    world.shared.gate.let_go()
    world.loop.run()
    assert [message[2] for message in client.replies()] == [b"s", b"x" * size]
    assert client.connection.output_bytes() == 0


def test_others_are_served_between_the_slices(world: World) -> None:
    clients = [listener(world, "c") for _ in range(3 * SLICE)]
    other = world.connect()
    other.ask("PUBLISH", "c", "1")
    assert not any(client.replies() for client in clients)
    world.loop.run_once()
    served = sum(bool(client.transport.data) for client in clients)
    assert served == SLICE
    assert other.ask("PING") == b"PONG"
    world.loop.run()
    assert [len(client.replies()) for client in clients] == [1] * len(clients)


def test_what_a_listener_does_not_take_is_told_at_once(world: World) -> None:
    client, other = listener(world, "c"), world.connect()
    client.transport.full = True
    sent = 0
    while sent <= TRANSPORT_HIGH_BYTES:
        other.ask("PUBLISH", "c", "x" * 10_000)
        sent += 10_000
        world.loop.run()
    assert client.connection.id in world.pushed
    assert client.connection.output_bytes() > TRANSPORT_HIGH_BYTES
    client.connection.close()
    world.loop.run()
    assert other.ask("PUBLISH", "c", "more") == 0


def test_what_is_owed_counts_as_output(world: World) -> None:
    client, other = listener(world, "c"), world.connect()
    other.ask("PUBLISH", "c", "x" * 50_000)
    assert client.connection.output_bytes() > 50_000
    world.loop.run()
    assert client.connection.output_bytes() == 0


def test_a_listener_that_ends_with_messages_owed(world: World) -> None:
    client, other = listener(world, "c"), world.connect()
    other.ask("PUBLISH", "c", "1")
    client.connection.close()
    world.loop.run()
    assert world.engine.channels.listening == 0
    assert other.ask("PUBSUB", "NUMSUB", "c") == [b"c", 0]


def test_the_last_messages_come_before_the_next_reply(world: World) -> None:
    """What EXEC has published, and what CLIENT REPLY does not silence, when it listens no more."""
    client = listener(world, "c")
    client.send(("MULTI",), ("PUBLISH", "c", "1"), ("UNSUBSCRIBE",), ("EXEC",), ("PING",))
    *_, message, pong = client.replies()
    assert (message, pong) == ([b"message", b"c", b"1"], b"PONG")
    client.send(("SUBSCRIBE", "c"), ("CLIENT", "REPLY", "OFF"), ("UNSUBSCRIBE", "c", "d"))
    client.send(("CLIENT", "REPLY", "ON"))
    world.loop.run()
    assert [x[0] if isinstance(x, list) else x for x in client.replies()] == [
        b"subscribe",
        b"unsubscribe",
        b"unsubscribe",
        b"OK",
    ]


def test_own_events_of_a_woken_command_come_behind_its_reply() -> None:
    world = World(notify_keyspace_events="El")
    client, other = listener(world, "__keyevent@0__:lpop", "__keyevent@0__:rpush"), world.connect()
    client.send(("BLPOP", "l", 0))
    other.send(("RPUSH", "l", "x"), ("RPUSH", "l", "y"))
    world.loop.run()
    first, reply, own, second = client.replies()
    assert (first[1], second[1]) == (b"__keyevent@0__:rpush", b"__keyevent@0__:rpush")
    assert (reply, own[1]) == ([b"l", b"x"], b"__keyevent@0__:lpop")


def test_no_message_comes_behind_the_last_reply(world: World) -> None:
    recorder = world.engine.state.recorder
    recorder.start(0, 0)
    client, other = listener(world, "c"), world.connect()
    other.send(("XADD", "s", "1-1", "a", "b"))
    client.send(("QUIT",))
    other.send(("PUBLISH", "c", "1"))
    world.loop.run()
    assert client.replies() == []
    recorder.released = recorder.end
    world.shared.gate.let_go()
    world.loop.run()
    assert client.replies() == [b"OK"]
    assert client.transport.closing


def test_messages_go_on_while_the_journal_cannot_be_written(world: World) -> None:
    recorder = world.engine.state.recorder
    recorder.start(0, 0)
    client, other = listener(world, "c"), world.connect()
    other.send(("XADD", "s", "1-1", "a", "b"))
    world.loop.run()
    world.shared.gate.failing = True
    reader = world.connect()
    assert reader.ask("PUBLISH", "c", "1") == 1
    world.loop.run()
    assert client.replies() == [[b"message", b"c", b"1"]]
