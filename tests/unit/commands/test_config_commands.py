"""CONFIG as clients use it; what the directives are is in tests/unit/test_config.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from headwater.config import load_file
from support.embedded import Embedded, refused_alike
from support.servers import Server
from support.wire import pairs, plain


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def world(request: pytest.FixtureRequest) -> Embedded:
    return Embedded(request.param)


def test_get_is_a_map_of_what_matches(world: Embedded) -> None:
    reply = world.main.call("CONFIG", "GET", "maxmemory*", "databases", "nosuch")
    assert reply[0] == ("%" if world.resp == 3 else "*")
    found = {name: plain(value) for name, value in pairs(reply).items()}
    assert found == {
        b"maxmemory": b"0",
        b"maxmemory-policy": b"noeviction",
        b"maxmemory-samples": b"5",
        b"databases": b"16",
    }
    assert pairs(world.main.call("CONFIG", "GET", "nosuch")) == {}


def test_set_takes_effect(world: Embedded) -> None:
    client = world.main
    assert client.call("CONFIG", "SET", "timeout", "5", "SLOWLOG-MAX-LEN", "7") == ("+", b"OK")
    found = pairs(client.call("CONFIG", "GET", "timeout", "slowlog-max-len"))
    assert found == {b"timeout": ("$", b"5"), b"slowlog-max-len": ("$", b"7")}
    assert world.state.slowlog.max_length == 7


def test_set_is_all_or_nothing(world: Embedded) -> None:
    client = world.main
    client.error("CONFIG", "SET", "timeout", "5", "maxclients", "none")
    assert pairs(client.call("CONFIG", "GET", "timeout"))[b"timeout"] == ("$", b"0")


def test_a_new_password_is_for_new_connections(world: Embedded) -> None:
    world.main.ok("CONFIG", "SET", "requirepass", "word")
    assert world.main.ok("PING") == b"PONG"
    other = world.connect()
    assert other.error("PING") == "NOAUTH Authentication required."
    assert other.ok("AUTH", "word") == b"OK"


def test_rewrite(tmp_path: Path) -> None:
    path = tmp_path / "headwater.conf"
    path.write_text("# kept\ntimeout 1\n")
    world = Embedded()
    load_file(world.engine.config, str(path))
    world.main.ok("CONFIG", "SET", "timeout", "77")
    assert world.main.call("CONFIG", "REWRITE") == ("+", b"OK")
    assert path.read_text().startswith("# kept\ntimeout 77\n")


REFUSED = [
    "CONFIG",
    "CONFIG GET",
    "CONFIG SET nosuch x",
    "CONFIG SET timeout",
    "CONFIG SET timeout 1 x",
    "CONFIG SET timeout abc",
    "CONFIG SET timeout 0 timeout 0",
    "CONFIG SET daemonize yes",
    "CONFIG SET enable-debug-command no",
    "CONFIG RESETSTAT x",
    "CONFIG REWRITE",
    "CONFIG NOSUCH",
]


@pytest.mark.parametrize("line", REFUSED)
def test_refused_as_redis_does(world: Embedded, redis_server: Server, line: str) -> None:
    refused_alike(world.main, redis_server.port, line)
