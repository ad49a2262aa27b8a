"""TIME, LOLWUT, SHUTDOWN, ROLE, WAIT."""

from __future__ import annotations

from random import Random

import pytest

from headwater import __version__
from headwater.commands.lolwut import COURSE, WIDTH, draw
from support.embedded import NOW_MS, Embedded, refused_alike
from support.servers import Server


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def world(request: pytest.FixtureRequest) -> Embedded:
    return Embedded(request.param)


def test_time(world: Embedded) -> None:
    world.pass_ms(1_234)
    expected = ("*", [("$", b"%d" % (NOW_MS // 1000 + 1)), ("$", b"234000")])
    assert world.main.call("TIME") == expected


def test_lolwut_draws_and_tells_the_version(world: Embedded) -> None:
    version = f"Headwater {__version__}, as Redis ver. 8.10.0\n".encode()
    client = world.main
    drawings = {client.ok("LOLWUT"), client.ok("LOLWUT", "VERSION", 1), client.ok("LOLWUT", "x")}
    assert len(drawings) == 3
    assert all(text.endswith(b"\n\n" + version) for text in drawings)
    assert client.ok("LOLWUT", "version", 5).removeprefix(b"txt:") == version


def test_every_drawing_fits_its_width() -> None:
    for seed in range(200):
        lines = draw(Random(seed)).rstrip("\n").split("\n")
        assert len(lines) == COURSE + 8
        assert max(map(len, lines)) == WIDTH


def test_role(world: Embedded) -> None:
    assert world.main.call("ROLE") == ("*", [("$", b"master"), (":", 0), ("*", [])])


def test_wait_waits_for_replicas_that_never_come(world: Embedded) -> None:
    client = world.main
    assert client.call("WAIT", 0, 0) == (":", 0)
    assert client.call("WAIT", -1, 100) == (":", 0)
    client.send("WAIT", 1, 500)
    world.pass_ms(499)
    assert client.read_all() == []
    world.pass_ms(1)
    assert client.read_all() == [(":", 0)]
    assert world.state.blocked_clients == 0


def test_wait_without_a_timeout_ends_by_unblock(world: Embedded) -> None:
    waiting = world.connect()
    waiting.send("WAIT", 1, 0)
    world.pass_ms(10_000_000)
    assert waiting.read_all() == []
    assert world.main.ok("CLIENT", "UNBLOCK", waiting.session.id) == 1
    assert waiting.read_all() == [(":", 0)]
    waiting.send("WAIT", 1, 0)
    assert world.main.ok("CLIENT", "UNBLOCK", waiting.session.id, "ERROR") == 1
    assert waiting.read_all() == [("-", b"UNBLOCKED client unblocked via CLIENT UNBLOCK")]


def test_wait_in_a_transaction_does_not_wait(world: Embedded) -> None:
    world.main.ok("MULTI")
    world.main.ok("WAIT", 1, 0)
    assert world.main.call("EXEC") == ("*", [(":", 0)])


class FakeServer:
    """What SHUTDOWN needs of the server."""

    def __init__(self) -> None:
        self.stopping = False

    def request_shutdown(self) -> None:
        self.stopping = True


@pytest.mark.parametrize("options", ["", "SAVE", "nosave", "NOW FORCE", "NOSAVE NOW"])
def test_shutdown_is_not_answered(world: Embedded, options: str) -> None:
    server = world.state.server = FakeServer()
    world.main.send("SHUTDOWN", *options.split())
    assert world.main.read_all() == []
    assert server.stopping


def test_shutdown_of_an_embedded_engine(world: Embedded) -> None:
    assert world.main.error("SHUTDOWN") == "ERR there is no server to shut down"


REFUSED = [
    "TIME x",
    "ROLE x",
    "WAIT 1",
    "WAIT x 10",
    "WAIT 1 x",
    "WAIT 1 -1",
    "WAIT 1 9223372036854775807",
    "LOLWUT VERSION x",
    "SHUTDOWN FOO",
    "SHUTDOWN ABORT",
    "SHUTDOWN ABORT NOW",
    "SHUTDOWN SAVE NOSAVE",
]


@pytest.mark.parametrize("line", REFUSED)
def test_refused_as_redis_does(world: Embedded, redis_server: Server, line: str) -> None:
    refused_alike(world.main, redis_server.port, line)
