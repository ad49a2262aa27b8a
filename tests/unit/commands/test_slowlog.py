"""SLOWLOG and what is kept of a slow command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from headwater.commands.redaction import SECRET_DIRECTIVES
from headwater.config import OPTIONS
from headwater.resp.request import from_words
from support.embedded import NOW_MS, Embedded, refused_alike
from support.servers import Server
from support.wire import to_bytes

HIDDEN = b"(redacted)"


@pytest.fixture
def world() -> Embedded:
    return Embedded()


def record(world: Embedded, *words: str | bytes, took_us: int = 20_000) -> None:
    request = from_words([to_bytes(word) for word in words])
    world.state.slowlog.record(world.main.session, request, took_us, world.clock.now_ms)


def logged(world: Embedded, count: int = -1) -> list[Any]:
    found = world.main.ok("SLOWLOG", "GET", count)
    assert isinstance(found, list)
    return found


def test_an_entry(world: Embedded) -> None:
    world.main.ok("CLIENT", "SETNAME", "me")
    record(world, "GET", "key", took_us=12_345)
    words = [b"GET", b"key"]
    assert logged(world) == [[0, NOW_MS // 1000, 12_345, words, b"127.0.0.1:5000", b"me"]]
    assert world.main.ok("SLOWLOG", "LEN") == 1


def test_the_newest_comes_first(world: Embedded) -> None:
    for number in range(12):
        record(world, "GET", str(number))
    assert [entry[0] for entry in world.main.ok("SLOWLOG", "GET")] == list(range(11, 1, -1))
    assert [entry[0] for entry in logged(world, 2)] == [11, 10]
    assert [entry[0] for entry in logged(world)] == list(range(11, -1, -1))
    assert logged(world, 0) == []


def test_the_oldest_go(world: Embedded) -> None:
    world.main.ok("CONFIG", "SET", "slowlog-max-len", 3)
    for number in range(5):
        record(world, "GET", str(number))
    assert [entry[0] for entry in logged(world)] == [4, 3, 2]
    world.main.ok("CONFIG", "SET", "slowlog-max-len", 1)
    assert [entry[0] for entry in logged(world)] == [4]
    world.main.ok("CONFIG", "SET", "slowlog-max-len", 0)
    record(world, "GET", "5")
    assert logged(world) == []


def test_reset_goes_on_counting(world: Embedded) -> None:
    record(world, "GET", "a")
    assert world.main.call("SLOWLOG", "RESET") == ("+", b"OK")
    assert world.main.ok("SLOWLOG", "LEN") == 0
    record(world, "GET", "a")
    assert logged(world)[0][0] == 1


@pytest.mark.parametrize("length", [127, 128, 129, 1000])
def test_long_words_are_cut(world: Embedded, length: int) -> None:
    record(world, "ECHO", "x" * length)
    word = logged(world)[0][3][1]
    if length <= 128:
        assert word == b"x" * length
    else:
        assert word == b"x" * 128 + b"... (%d more bytes)" % (length - 128)


@pytest.mark.parametrize("count", [31, 32, 33, 100])
def test_many_words_are_cut(world: Embedded, count: int) -> None:
    words = ["DEL", *map(str, range(count - 1))]
    record(world, *words)
    kept = logged(world)[0][3]
    if count <= 32:
        assert kept == [word.encode() for word in words]
    else:
        assert kept[:31] == [word.encode() for word in words[:31]]
        assert kept[31:] == [b"... (%d more arguments)" % (count - 31)]


SECRETS: list[tuple[Sequence[str], list[bytes]]] = [
    (("auth", "word"), [b"auth", HIDDEN]),
    (("AUTH", "user", "word"), [b"AUTH", HIDDEN, HIDDEN]),
    (("AUTH", "a", "b", "c"), [b"AUTH", HIDDEN, HIDDEN, HIDDEN]),
    (("HELLO", "3", "auth", "u", "p"), [b"HELLO", b"3", b"auth", HIDDEN, HIDDEN]),
    (("HELLO", "3", "AUTH", "u"), [b"HELLO", b"3", b"AUTH", HIDDEN]),
    (
        ("HELLO", "3", "SETNAME", "n", "AUTH", "u", "p", "x"),
        [b"HELLO", b"3", b"SETNAME", b"n", b"AUTH", HIDDEN, HIDDEN, b"x"],
    ),
    (
        ("HELLO", "3", "AUTH", "u", "p", "AUTH", "v", "q"),
        [b"HELLO", b"3", b"AUTH", HIDDEN, HIDDEN, b"AUTH", HIDDEN, HIDDEN],
    ),
    (
        ("HELLO", "3", "SETNAME", "AUTH", "AUTH", "u", "p"),
        [b"HELLO", b"3", b"SETNAME", b"AUTH", HIDDEN, HIDDEN, HIDDEN],
    ),
    (
        ("CONFIG", "set", "maxclients", "1", "RequirePass", "word"),
        [b"CONFIG", b"set", b"maxclients", b"1", b"RequirePass", HIDDEN],
    ),
    (("CONFIG", "GET", "requirepass", "x"), [b"CONFIG", b"GET", b"requirepass", b"x"]),
]


@pytest.mark.parametrize(("words", "kept"), SECRETS)
def test_no_secrets_are_kept(world: Embedded, words: Sequence[str], kept: list[bytes]) -> None:
    record(world, *words)
    assert logged(world)[0][3] == kept


def test_a_request_that_is_tried_out_many_times_over(world: Embedded) -> None:
    """However deep a command is wrapped: its secrets are found, in one pass."""
    tried = ("ACL", "DRYRUN", "default")
    record(world, *tried * 5, "AUTH", "bob", "secret")
    record(world, *tried * 5000, "AUTH", "bob", "secret")
    [_, [*_, words, _, _]] = logged(world)
    assert words == [*map(str.encode, tried * 5), b"AUTH", HIDDEN, HIDDEN]


def test_every_secret_directive_is_known() -> None:
    assert {option.name.encode() for option in OPTIONS if option.secret} <= SECRET_DIRECTIVES


def test_the_dispatcher_logs_what_is_slow(world: Embedded) -> None:
    world.main.ok("CONFIG", "SET", "slowlog-log-slower-than", 0)
    world.main.ok("PING")
    world.main.ok("CONFIG", "SET", "slowlog-log-slower-than", -1)
    world.main.ok("ECHO", "unseen")
    assert [entry[3][0] for entry in logged(world)] == [b"PING", b"CONFIG"]


def test_what_waits_is_logged_when_it_is_served(world: Embedded) -> None:
    reader = world.connect()
    world.main.ok("CONFIG", "SET", "slowlog-log-slower-than", 0)
    reader.send("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    world.main.ok("XADD", "s", "1-1", "f", "v")
    world.main.ok("CONFIG", "SET", "slowlog-log-slower-than", -1)
    assert [entry[3][0] for entry in logged(world)] == [b"XREAD", b"XADD", b"CONFIG"]


REFUSED = [
    "SLOWLOG",
    "SLOWLOG GET x",
    "SLOWLOG GET -2",
    "SLOWLOG GET 99999999999999999999",
    "SLOWLOG GET 1 2",
    "SLOWLOG LEN x",
    "SLOWLOG NOSUCH",
]


@pytest.mark.parametrize("line", REFUSED)
def test_refused_as_redis_does(world: Embedded, redis_server: Server, line: str) -> None:
    refused_alike(world.main, redis_server.port, line)
