"""A connection's bytes in and out: waits, stalls, limits, and requests that fail."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from headwater.commands.clients import end_pause
from headwater.keyspace.waiters import NEVER, Blocked, Terms
from headwater.limits import PENDING_MIN_BYTES, READ_BUFFER_BYTES
from headwater.resp.request import from_words
from support.connections import World
from support.wire import encode

BLOCK = ("XREAD", "BLOCK", 0, "STREAMS", "s", "$")


@pytest.fixture
def world() -> World:
    return World()


def test_a_client_that_does_not_read_is_not_read_either(world: World) -> None:
    client = world.connect()
    client.transport.full = True
    client.send(("PING",))
    assert client.transport.reading, "all of its input is used up"
    client.send(("SET", "a", "x" * 1000))
    assert not client.transport.reading
    assert world.connect().ask("EXISTS", "a") == 0
    client.transport.drain()
    world.loop.run()
    assert client.transport.reading
    assert client.replies() == [b"PONG", b"OK"]


@pytest.mark.parametrize("end", ["entry", "timeout", "unblock"])
def test_the_skipped_reply_of_a_command_that_waited(world: World, end: str) -> None:
    client, other = world.connect(), world.connect()
    client.send(
        ("CLIENT", "REPLY", "SKIP"), ("XREAD", "BLOCK", 50, "STREAMS", "s", "$"), ("ECHO", "next")
    )
    if end == "entry":
        other.ask("XADD", "s", "1-0", "f", "v")
    elif end == "timeout":
        world.pass_ms(50)
    else:
        assert other.ask("CLIENT", "UNBLOCK", client.connection.id) == 1
    world.loop.run()
    assert client.replies() == [b"next"]


def test_no_reply_to_a_command_that_waited_with_replies_off(world: World) -> None:
    client, other = world.connect(), world.connect()
    client.send(("CLIENT", "REPLY", "OFF"), BLOCK, ("CLIENT", "REPLY", "ON"))
    other.ask("XADD", "s", "1-0", "f", "v")
    world.loop.run()
    assert client.replies() == [b"OK"]


def test_what_multi_queues_is_limited(world: World) -> None:
    world.shared.max_query_bytes = 100_000
    client = world.connect()
    client.send(("MULTI",), *[("SET", "a", "x" * 1000)] * 50)
    assert client.replies() == [b"OK"] + [b"QUEUED"] * 50
    client.send(*[("SET", "a", "x" * 1000)] * 50)
    assert client.connection.closed
    assert world.connect().ask("EXISTS", "a") == 0


def test_small_requests_in_multi_count_for_what_they_take(world: World) -> None:
    world.shared.max_query_bytes = 1_000_000
    client = world.connect()
    client.send(("MULTI",), *[("PING",)] * 10_000)
    assert client.connection.closed


def test_many_requests_that_wait_behind_each_other(world: World) -> None:
    """Each is answered in its turn, and what is left is all there at any time."""
    client, other = world.connect(), world.connect()
    requests = []
    for number in range(200):
        requests += [BLOCK, ("ECHO", f"{number} " + "x" * 500)]
    client.send(*requests)
    for number in range(200):
        assert client.replies() == []
        other.ask("XADD", "s", f"{number + 1}-0", "f", "v")
        world.loop.run()
        [[[key, entries]], echo] = client.replies()
        assert key == b"s"
        assert [entry_id for entry_id, _ in entries] == [b"%d-0" % (number + 1)]
        assert echo == f"{number} ".encode() + b"x" * 500
        left = len(b"".join(map(encode, requests[2 * number + 3 :])))
        assert client.connection.input_bytes() == left
    client.send(("PING",))
    assert client.replies() == [b"PONG"]


def test_others_get_their_turn_within_a_long_pipeline(world: World) -> None:
    client, other = world.connect(), world.connect()
    client.send(BLOCK)
    request = ("SET", "last", "x" * 1000)
    count = 4 * READ_BUFFER_BYTES // 1000
    for _ in range(count):
        client.send(request)
    other.ask("XADD", "s", "1-0", "f", "v")
    world.loop.run_once()
    assert world.loop.later, "it goes on later"
    assert client.connection.input_bytes() > 2 * READ_BUFFER_BYTES
    assert other.ask("EXISTS", "last") == 1
    client.send(("ECHO", "end"))
    world.loop.run()
    answers = client.replies()
    assert len(answers) == count + 2
    assert answers[-1] == b"end"
    assert client.connection.input_bytes() == 0


def test_a_served_client_is_not_idle(world: World) -> None:
    client, other = world.connect(), world.connect()
    client.send(BLOCK)
    world.pass_ms(60_000)
    other.ask("XADD", "s", "1-0", "f", "v")
    assert client.connection.last_ms == world.clock.now_ms


def test_a_client_that_reads_slowly_is_not_idle(world: World) -> None:
    client = world.connect()
    client.transport.full = True
    client.send(("PING",))
    world.pass_ms(60_000)
    client.transport.drain()
    assert client.connection.last_ms == world.clock.now_ms


class Failing:
    """A command that goes wrong when it is tried again."""

    name = b"xread"
    failed_calls = 0

    def observe(self, took_us: int) -> None:
        pass

    def handler(self, *arguments: Any) -> None:
        raise RuntimeError("on purpose")


def test_a_reader_that_fails_on_waking_harms_nobody_else(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    failing, waiting, other = world.connect(), world.connect(), world.connect()
    session: Any = failing.connection
    state = world.engine.state
    command: Any = Failing()
    terms = Terms(command, session.database, [b"s"], None, False, from_words([b"XREAD"]))
    blocked = Blocked(session, terms, 0, NEVER)
    session.blocked = blocked
    state.waiters.add(blocked)
    state.blocked_clients += 1
    waiting.send(BLOCK)
    logging.getLogger("headwater").propagate = True
    assert other.ask("XADD", "s", "1-0", "f", "v") == b"1-0"
    assert [kind for kind, _ in failing.replies()] == ["-"]
    assert len(waiting.replies()) == 1
    assert state.blocked_clients == 0
    assert "on purpose" in caplog.text


def test_half_a_reply_never_reaches_the_next_client(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = world.connect(), world.connect()
    state = world.engine.state
    state.slow_us = 0
    slowlog = state.slowlog
    state.slowlog = None  # recording the slow command fails behind its reply
    logging.getLogger("headwater").propagate = True
    first.send(("ECHO", "secret"))
    state.slowlog = slowlog
    world.loop.run()
    assert first.connection.closed
    assert world.gone == [first.connection.id]
    assert second.ask("PING") == b"PONG"
    assert "its request failed" in caplog.text


def test_what_follows_quit_is_dropped(world: World) -> None:
    client = world.connect()
    client.transport.full = True
    client.send(("PING",), ("QUIT",), ("SET", "a", 1))
    client.transport.drain()
    client.connection.data_received(b"x" * 100_000)
    assert client.connection.input_bytes() == 0
    world.loop.run()
    assert client.replies() == [b"PONG", b"OK"]
    assert world.connect().ask("EXISTS", "a") == 0


def test_the_end_of_the_server_executes_nothing_more(world: World) -> None:
    client = world.connect()
    client.transport.full = True
    client.send(("ECHO", "x" * 100_000), ("SET", "a", 1))
    client.connection.end()
    client.transport.drain()
    world.loop.run()
    assert client.replies() == [b"x" * 100_000]
    assert client.transport.closing
    assert world.connect().ask("EXISTS", "a") == 0


def test_a_pause_holds_a_pipeline_back(world: World) -> None:
    client, other = world.connect(), world.connect()
    other.ask("CLIENT", "PAUSE", 10_000, "WRITE")
    client.send(("PING",), ("SET", "a", 1), ("GET", "a"))
    client.send(("ECHO", "behind"))
    assert client.replies() == [b"PONG"]
    assert client.connection.postponed
    end_pause(world.engine.state)
    world.loop.run()
    assert client.replies() == [b"OK", b"1", b"behind"]


def test_a_reader_at_its_end_takes_no_entry(world: World) -> None:
    client, other = world.connect(), world.connect()
    other.ask("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    client.send(("XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "s", ">"))
    assert client.connection.eof_received() is False
    other.ask("XADD", "s", "1-0", "f", "v")
    assert other.ask("XPENDING", "s", "g")[0] == 0


def test_pushes_to_a_stalled_client_are_reported(world: World) -> None:
    monitor, other = world.connect(), world.connect()
    monitor.ask("MONITOR")
    other.ask("PING")
    assert world.pushed == []
    monitor.transport.full = True
    other.ask("PING")
    other.ask("ECHO", "x" * 1000)
    assert world.pushed == [monitor.connection.id] * 2
    assert monitor.connection.output_bytes() > 1000
    monitor.transport.drain()
    assert monitor.connection.output_bytes() == 0


def test_the_buffer_of_a_big_request_is_let_go(world: World) -> None:
    client = world.connect()
    words = ["DEL", *(f"k{number}" for number in range(200_000))]
    data = encode(words)
    for begin in range(0, len(data), 100_000):
        client.send_raw(data[begin : begin + 100_000])
    assert client.replies() == [0]
    assert len(world.shared.request.buf) <= PENDING_MIN_BYTES
    assert client.connection.input_bytes() == 0
    assert client.ask("PING") == b"PONG"


def test_the_bulk_limit_follows_for_those_who_are_connected(world: World) -> None:
    client = world.connect()
    client.connection.set_max_bulk(20_000)
    assert client.ask("ECHO", "x" * 20_000) == b"x" * 20_000
    client.send(("ECHO", "x" * 20_001))
    assert client.replies() == [("-", b"ERR Protocol error: invalid bulk length")]
