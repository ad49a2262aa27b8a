"""MONITOR: who sees which lines, and what is in them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from headwater.commands.monitor import quoted
from support.embedded import Embedded
from support.servers import Server
from support.wire import Reply

BEGIN = "1700000000.000000 [0 127.0.0.1:5000] "


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def world(request: pytest.FixtureRequest) -> Embedded:
    return Embedded(request.param)


def lines(replies: list[Reply]) -> list[str]:
    assert all(kind == "+" for kind, _ in replies)
    return [text.decode() for _, text in replies]


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        (b"", b'""'),
        (b"plain ~", b'"plain ~"'),
        (b'a"b\\c', b'"a\\"b\\\\c"'),
        (b"\n\r\t\a\b", b'"\\n\\r\\t\\a\\b"'),
        (b"\x00\x1f\x7f\xff", b'"\\x00\\x1f\\x7f\\xff"'),
    ],
)
def test_words_are_quoted(word: bytes, shown: bytes) -> None:
    assert quoted(word) == shown


def test_all_monitors_see_what_others_run(world: Embedded) -> None:
    monitors = [world.connect() for _ in range(2)]
    for monitor in monitors:
        assert monitor.call("MONITOR") == ("+", b"OK")
    world.main.ok("set", "k", b"\xff")
    for monitor in monitors:
        assert lines(monitor.read_all()) == [BEGIN + r'"set" "k" "\xff"']


def test_the_database_and_the_address(world: Embedded) -> None:
    monitor = world.connect()
    monitor.ok("MONITOR")
    world.main.ok("SELECT", 9)
    world.main.ok("PING")
    begin = "1700000000.000000 [9 127.0.0.1:5000] "
    assert lines(monitor.read_all()) == [begin + '"SELECT" "9"', begin + '"PING"']


def test_a_client_of_the_unix_socket() -> None:
    world = Embedded(unixsocket="/run/headwater.sock")
    monitor = world.connect()
    monitor.ok("MONITOR")
    world.main.session.is_unix = True
    world.main.ok("PING")
    assert lines(monitor.read_all()) == ['1700000000.000000 [0 unix:/run/headwater.sock] "PING"']


def test_what_is_not_shown(world: Embedded) -> None:
    monitor = world.connect()
    monitor.ok("MONITOR")
    world.main.error("NOSUCH")
    world.main.error("GET")
    world.main.ok("CONFIG", "GET", "port")
    world.main.ok("SLOWLOG", "LEN")
    assert monitor.read_all() == []


def test_passwords_are_not_shown() -> None:
    world = Embedded(requirepass="word")
    monitor = world.connect()
    monitor.ok("AUTH", "word")
    monitor.ok("MONITOR")
    world.main.error("AUTH", "guess")
    world.main.ok("HELLO", 2, "AUTH", "default", "word")
    assert lines(monitor.read_all()) == [
        BEGIN + '"AUTH" "(redacted)"',
        BEGIN + '"HELLO" "2" "AUTH" "(redacted)" "(redacted)"',
    ]


def test_a_transaction_is_shown_as_it_runs(world: Embedded) -> None:
    monitor = world.connect()
    monitor.ok("MONITOR")
    for words in (("MULTI",), ("SET", "k", "v"), ("GET", "k"), ("EXEC",)):
        world.main.ok(*words)
    assert [line.removeprefix(BEGIN) for line in lines(monitor.read_all())] == [
        '"MULTI"',
        '"SET" "k" "v"',
        '"GET" "k"',
        '"EXEC"',
    ]


def test_a_monitor_sees_its_own_commands_behind_their_replies(world: Embedded) -> None:
    monitor = world.main
    monitor.ok("MONITOR")
    monitor.send("PING")
    assert lines(monitor.read_all()) == ["PONG", BEGIN + '"PING"']


def test_monitor_twice_is_not_answered(world: Embedded) -> None:
    world.main.ok("MONITOR")
    world.main.send("MONITOR")
    assert world.main.read_all() == []
    assert world.state.monitors == [world.main.session]


def test_monitor_is_refused_inside_a_transaction(world: Embedded) -> None:
    client = world.main
    client.ok("MULTI")
    client.ok("MONITOR")
    reply = client.call("EXEC")
    assert reply == ("*", [("-", b"ERR MONITOR isn't allowed for DENY BLOCKING client")])
    assert world.state.monitors == []


def test_reset_ends_it(world: Embedded) -> None:
    monitor = world.connect()
    monitor.ok("MONITOR")
    monitor.send("RESET")
    assert lines(monitor.read_all()) == ["RESET"]
    world.main.ok("PING")
    assert monitor.read_all() == []


def test_a_monitor_that_does_not_read_is_closed(start: Callable[..., Server]) -> None:
    """What waits for it is limited, and nobody else notices (invariant 8)."""
    server = start("--client-output-buffer-limit", "replica 1mb 512kb 1")
    monitor, client = server.connect(), server.connect()
    monitor.ok("MONITOR")
    before = server.resident_bytes()
    for _ in range(1000):
        assert client.pipeline([("ECHO", "x" * 10_000)] * 20)[19] == ("$", b"x" * 10_000)
        if client.ok("CLIENT", "LIST").count(b"\n") == 1:
            break
    else:
        raise AssertionError("the monitor is still there")
    assert server.resident_bytes() - before < 64 << 20
    assert len(monitor.read_rest()) > 0


@pytest.mark.parametrize(
    "line", ["GET k", "SET k v", "PUBLISH c m", "SPUBLISH c m", "EVAL return 0", "EVAL_RO return 0"]
)
def test_what_a_monitor_may_not_run(headwater: Server, reference: Server, line: str) -> None:
    """Nothing that shows or changes data, or that could: a script, a message."""
    answers = []
    for server in (headwater, reference):
        monitor = server.connect()
        monitor.ok("MONITOR")
        answers.append(monitor.call(*line.split()))
    assert answers[0] == answers[1]
    assert answers[0][0] == "-"
