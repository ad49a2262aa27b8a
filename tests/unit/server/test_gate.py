"""Replies wait for the journal: which, how long, and what they may cost meanwhile."""

from __future__ import annotations

import pytest

from headwater.limits import JOURNAL_BACKLOG_BYTES, JOURNAL_BATCH_BYTES, TRANSPORT_HIGH_BYTES
from support.connections import Client, World


class Disk:
    """A journal of which the test says how far it is. `backlog`: what `commit` says is waiting."""

    def __init__(self, world: World) -> None:
        self.recorder = world.engine.state.recorder
        self.gate = world.shared.gate
        self.recorder.start(0, 0)
        self.gate.commit = self.commit
        self.commits = 0
        self.backlog = 0

    def commit(self) -> int:
        self.commits += 1
        self.recorder.seal()
        while self.recorder.take() is not None:
            pass
        return self.backlog

    def reach(self, position: int | None = None) -> None:
        """The disk has everything up to a position, or all that was recorded."""
        self.recorder.released = self.recorder.end if position is None else position
        self.gate.let_go()


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def disk(world: World) -> Disk:
    return Disk(world)


@pytest.fixture
def client(world: World, disk: Disk) -> Client:
    return world.connect()


def test_a_reply_waits_for_what_was_written(world: World, disk: Disk, client: Client) -> None:
    client.send(("SET", "a", "b"))
    assert client.replies() == []
    world.loop.run()
    assert disk.commits == 1, "somebody had it written"
    assert client.replies() == []
    disk.reach()
    assert client.replies() == [b"OK"]


def test_reads_wait_for_what_they_have_seen(world: World, disk: Disk, client: Client) -> None:
    other = world.connect()
    client.send(("SET", "a", "b"))
    other.send(("GET", "a"))
    assert other.replies() == []
    disk.reach()
    assert other.replies() == [b"b"]
    assert other.ask("GET", "a") == b"b", "there is nothing to wait for now"


def test_each_reply_leaves_at_its_own_position(world: World, disk: Disk, client: Client) -> None:
    client.send(("SET", "a", "1"))
    first = disk.recorder.end
    client.send(("SET", "a", "2"), ("GET", "a"))
    second = disk.recorder.end
    client.send(("GET", "a"), ("SET", "a", "3"))
    disk.reach(first - 1)
    assert client.replies() == []
    disk.reach(first)
    assert client.replies() == [b"OK"]
    disk.reach(second)
    assert client.replies() == [b"OK", b"2"]
    disk.reach()
    assert client.replies() == [b"2", b"OK"]


def test_a_reader_that_was_waiting_is_served_when_the_disk_has_it(
    world: World, disk: Disk, client: Client
) -> None:
    reader = world.connect()
    reader.send(("XREAD", "BLOCK", 0, "STREAMS", "s", "$"))
    client.send(("XADD", "s", "1-1", "a", "b"))
    world.loop.run()
    assert reader.replies() == []
    disk.reach()
    assert reader.replies() == [[[b"s", [[b"1-1", [b"a", b"b"]]]]]]


def test_big_replies_stay_in_their_order(world: World, disk: Disk, client: Client) -> None:
    big = "x" * 100_000
    client.send(("SET", "big", big), ("GET", "big"), ("PING",))
    client.send(("ECHO", "last"))
    client.transport.full = True
    disk.reach()
    client.transport.drain()
    world.loop.run()
    assert client.replies() == [b"OK", big.encode(), b"PONG", b"last"]


def test_what_is_held_is_bounded(world: World, disk: Disk, client: Client) -> None:
    value = "x" * 30_000
    client.send(("SET", "a", value))
    for _ in range(40):
        client.send(("GET", "a"))
    held = client.connection.output_bytes()
    assert TRANSPORT_HIGH_BYTES < held < TRANSPORT_HIGH_BYTES + 40_000
    assert not client.transport.reading
    disk.reach()
    world.loop.run()
    assert client.transport.reading
    assert client.connection.output_bytes() == 0
    answers = client.replies()
    assert answers[0] == b"OK"
    assert set(answers[1:]) == {value.encode()}


def test_a_client_that_quits_is_closed_when_all_is_sent(
    world: World, disk: Disk, client: Client
) -> None:
    client.send(("SET", "a", "b"), ("QUIT",))
    world.loop.run()
    assert not client.transport.closing
    disk.reach()
    assert client.replies() == [b"OK", b"OK"]
    assert client.transport.closing


def test_a_client_that_is_gone_is_forgotten(world: World, disk: Disk, client: Client) -> None:
    client.send(("SET", "a", "b"))
    client.transport.close()
    world.loop.run()
    disk.reach()
    assert client.replies() == []
    assert world.gone == [client.connection.id]


def test_while_the_disk_fails_reads_go_on(world: World, disk: Disk, client: Client) -> None:
    client.send(("SET", "a", "b"))
    disk.gate.failing = True
    reader = world.connect()
    assert reader.ask("GET", "a") == b"b"
    client.send(("GET", "a"))
    assert client.replies() == [], "it must not overtake the reply that is held"
    writer = world.connect()
    writer.send(("SET", "a", "c"))
    assert writer.replies() == [], "nothing is acknowledged that is not on disk"
    disk.gate.failing = False
    disk.reach()
    assert client.replies() == [b"OK", b"b"]
    assert writer.replies() == [b"OK"]


def test_a_slow_disk_stops_those_who_write(world: World, disk: Disk, client: Client) -> None:
    disk.backlog = JOURNAL_BACKLOG_BYTES + 1
    client.send(("SET", "a", "x" * JOURNAL_BATCH_BYTES), ("SET", "b", "y"))
    assert disk.commits == 1
    other = world.connect()
    other.send(("EXISTS", "b"))
    assert not client.transport.reading
    disk.backlog = 0
    disk.reach()
    assert other.replies() == [0], "the second request has not been executed"
    world.loop.run()
    disk.reach()
    assert client.replies() == [b"OK", b"OK"]
    assert client.transport.reading


def test_without_a_journal_nothing_waits(world: World) -> None:
    assert world.connect().ask("SET", "a", "b") == b"OK"
    assert world.loop.later == []


def test_a_slow_disk_stops_those_too_who_wait_for_no_reply(
    world: World, disk: Disk, client: Client
) -> None:
    """Each round's input is less than a batch, and still it must come to an end."""
    client.send(("CLIENT", "REPLY", "OFF"))
    disk.backlog = JOURNAL_BACKLOG_BYTES + 1
    rounds = 0
    while client.transport.reading and rounds < 5:
        client.send(("SET", "a", "x" * 1000))
        world.loop.run_once()
        rounds += 1
    assert not client.transport.reading
    disk.backlog = 0
    disk.reach()
    world.loop.run()
    assert client.transport.reading


def test_who_was_stopped_goes_on_when_the_disk_has_caught_up_and_not_before(
    world: World, disk: Disk, client: Client
) -> None:
    other = world.connect()
    disk.backlog = JOURNAL_BACKLOG_BYTES + 1
    client.send(("SET", "a", "x" * JOURNAL_BATCH_BYTES))
    assert not client.transport.reading or client.connection.input_bytes() == 0
    client.send(("SET", "b", "y"))
    other.send(("EXISTS", "b"))
    for _ in range(5):
        disk.reach()  # something was written, and more came
        world.loop.run_once()
    assert other.replies() == [0]
    disk.backlog = 0
    disk.reach()
    world.loop.run()
    disk.reach()
    assert client.replies() == [b"OK", b"OK"]


def test_a_journal_that_comes_further_in_the_middle_of_a_pipeline_cuts_no_reply_off(
    world: World, disk: Disk, client: Client
) -> None:
    commit = disk.commit

    def commit_and_tell() -> int:
        backlog = commit()
        disk.recorder.released = disk.recorder.end  # as when the journal begins or ends to fail
        return backlog

    disk.gate.commit = commit_and_tell
    client.send(("SET", "a", "x" * JOURNAL_BATCH_BYTES), ("SET", "b", "c"), ("QUIT",))
    world.loop.run()
    assert client.replies() == [b"OK", b"OK", b"OK"]


def test_who_quits_while_the_journal_comes_further_is_told_so(world: World, disk: Disk) -> None:
    client, other = world.connect(), world.connect()
    client.send(("SET", "a", "b"))
    disk.backlog = JOURNAL_BACKLOG_BYTES + 1
    other.send(("SET", "b", "x" * JOURNAL_BATCH_BYTES))
    commit = disk.commit

    def commit_and_tell() -> int:
        disk.recorder.released = disk.recorder.end
        disk.gate.commit = commit
        disk.gate.let_go()
        return commit()

    disk.gate.commit = commit_and_tell
    client.send(("QUIT",))
    assert client.replies() == [b"OK", b"OK"]
    assert client.transport.closing


def test_a_monitor_whose_output_is_held_is_limited(
    world: World, disk: Disk, client: Client
) -> None:
    monitor = world.connect()
    monitor.ask("MONITOR")
    client.send(("SET", "a", "b"))
    disk.gate.failing = True
    for _ in range(3):
        client.send(("GET", "a"))
    assert monitor.connection.output_bytes() > 0
    assert monitor.connection.id in world.pushed


def test_a_client_that_says_no_more_still_gets_what_is_held(
    world: World, disk: Disk, client: Client
) -> None:
    client.send(("SET", "a", "b"), ("GET", "a"))
    assert client.connection.eof_received(), "not closed yet"
    disk.reach()
    assert client.replies() == [b"OK", b"b"]
    assert client.transport.closing
    assert not world.connect().connection.eof_received()
