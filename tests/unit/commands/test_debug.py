"""DEBUG and the digests."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from support.embedded import Embedded, refused_alike
from support.servers import Server
from support.wire import Connection

NOTHING = b"0" * 40


@pytest.fixture
def world() -> Embedded:
    return Embedded(enable_debug_command="yes")


def digest(world: Embedded) -> bytes:
    found = world.main.ok("DEBUG", "DIGEST")
    assert isinstance(found, bytes)
    assert re.fullmatch(b"[0-9a-f]{40}", found)
    return found


def say(world: Embedded, *lines: str) -> None:
    for line in lines:
        world.main.ok(*line.split())


def test_it_must_be_allowed() -> None:
    world = Embedded()
    assert world.main.error("DEBUG", "DIGEST").startswith("ERR DEBUG command not allowed. If the")
    assert Embedded(enable_debug_command="local").main.ok("DEBUG", "DIGEST") == NOTHING


def test_nothing_has_a_digest_of_zeros(world: Embedded) -> None:
    assert digest(world) == NOTHING
    say(world, "SET k v", "DEL k")
    assert digest(world) == NOTHING


def test_the_order_of_keys_does_not_matter(world: Embedded) -> None:
    say(world, "SET a 1", "SET b 2", "XADD s 1-1 f v", "SELECT 3", "SET a 1")
    first = digest(world)
    say(world, "FLUSHALL", "SET a 1", "SELECT 0", "XADD s 1-1 f v", "SET b 2", "SET a 1")
    assert digest(world) == first


STATES: list[Sequence[str]] = [
    ("SET a 1",),
    ("SET a 2",),
    ("SET b 1",),
    ("SET a 1", "EXPIRE a 100"),
    ("SET a 1", "EXPIRE a 101"),
    ("SELECT 1", "SET a 1"),
    ("SET a 1", "SET b 1"),
    ("SET a 1", "SET b 2"),
    ("XADD a 1-1 f v",),
    ("XADD a 1-1 f w",),
    ("XADD a 1-1 fv x",),
    ("XADD a 1-1 f vx",),
    ("XADD a 1-2 f v",),
    ("XADD a 1-1 f v", "XADD a 1-2 f v"),
    ("XADD a 1-1 f v", "XSETID a 5-5"),
    ("XADD a 1-1 f v", "XSETID a 5-5 ENTRIESADDED 7 MAXDELETEDID 3-3"),
    ("XADD a 1-1 f v", "XADD a 1-2 f v", "XDEL a 1-2"),
    ("XADD a 1-1 f v", "XGROUP CREATE a g 0"),
    ("XADD a 1-1 f v", "XGROUP CREATE a h 0"),
    ("XADD a 1-1 f v", "XGROUP CREATE a g $"),
    ("XADD a 1-1 f v", "XGROUP CREATE a g 0 ENTRIESREAD 0"),
    ("XADD a 1-1 f v", "XGROUP CREATE a g 0", "XGROUP CREATECONSUMER a g c"),
    ("XADD a 1-1 f v", "XGROUP CREATE a g 0", "XGROUP CREATECONSUMER a g d"),
    ("XADD a 1-1 f v", "XGROUP CREATE a g 0", "XREADGROUP GROUP g c STREAMS a >"),
    ("XADD a 1-1 f v", "XGROUP CREATE a g 0", "XREADGROUP GROUP g d STREAMS a >"),
    (
        "XADD a 1-1 f v",
        "XGROUP CREATE a g 0",
        "XREADGROUP GROUP g c STREAMS a >",
        "XACK a g 1-1",
    ),
    (
        "XADD a 1-1 f v",
        "XGROUP CREATE a g 0",
        "XREADGROUP GROUP g c STREAMS a >",
        "XCLAIM a g c 0 1-1 RETRYCOUNT 5",
    ),
    (
        "XADD a 1-1 f v",
        "XGROUP CREATE a g 0",
        "XREADGROUP GROUP g c STREAMS a >",
        "XCLAIM a g c 0 1-1 IDLE 60 RETRYCOUNT 1",
    ),
]


def test_any_difference_of_content_shows(world: Embedded) -> None:
    seen: dict[bytes, Sequence[str]] = {}
    for lines in STATES:
        say(world, "SELECT 0", "FLUSHALL", *lines)
        found = digest(world)
        assert found not in seen, f"{lines} as {seen[found]}"
        seen[found] = lines
    say(world, "SELECT 0", "FLUSHALL", *STATES[0])
    assert seen[digest(world)] == STATES[0]


def test_reading_changes_nothing(world: Embedded) -> None:
    say(world, "SET a 1", "XADD s 1-1 f v", "XGROUP CREATE s g 0")
    before = digest(world)
    world.pass_ms(5000)
    say(world, "GET a", "TOUCH a", "XRANGE s - +", "XREAD STREAMS s 0", "XINFO GROUPS s")
    assert digest(world) == before


def test_a_read_that_finds_nothing_changes_nothing(world: Embedded) -> None:
    say(world, "XADD s 1-1 f v", "XGROUP CREATE s g $", "XGROUP CREATECONSUMER s g c")
    before = digest(world)
    world.pass_ms(1000)
    say(world, "XREADGROUP GROUP g c STREAMS s >")
    assert digest(world) == before


def test_idempotent_ids_count_until_they_are_over(world: Embedded) -> None:
    say(world, "XADD s IDMP p one * f v", "XADD s * f v")
    first = digest(world)
    say(world, "FLUSHALL", "XADD s IDMP p two * f v", "XADD s * f v")
    assert digest(world) != first
    before = digest(world)
    world.pass_ms(99_999)
    assert digest(world) == before
    world.pass_ms(1)
    after = digest(world)
    assert after != before
    say(world, "XINFO STREAM s")
    assert digest(world) == after


def test_expired_keys_do_not_count(world: Embedded) -> None:
    say(world, "DEBUG SET-ACTIVE-EXPIRE 0", "SET a 1")
    before = digest(world)
    say(world, "SET b 1 PX 100")
    assert digest(world) != before
    world.pass_ms(100)
    assert digest(world) == before
    assert world.main.ok("DBSIZE") == 2


def test_a_copy_has_the_digest_of_the_value(world: Embedded) -> None:
    say(world, *STATES[-1], "COPY a b", "SET c 1", "EXPIRE c 50", "SET d 1")
    found = world.main.ok("DEBUG", "DIGEST-VALUE", "a", "b", "none", "c", "d")
    assert found[0] == found[1] != NOTHING
    assert found[2] == NOTHING
    assert found[3] == found[4] != found[0]
    assert world.main.ok("DEBUG", "DIGEST-VALUE") == []


def test_many_pending_entries(world: Embedded) -> None:
    """More than are looked at in one go."""
    for number in range(2500):
        world.main.ok("XADD", "s", f"1-{number + 1}", "f", "v")
    say(world, "XGROUP CREATE s g 0", "XREADGROUP GROUP g c STREAMS s >")
    before = digest(world)
    assert digest(world) == before
    say(world, "XCLAIM s g c 0 1-2500 RETRYCOUNT 9 JUSTID")
    assert digest(world) != before


def test_object(world: Embedded) -> None:
    say(world, "SET number 12", "XADD s 1-1 f v")
    world.pass_ms(3500)
    pattern = (
        rb"Value at:0x[0-9a-f]+ refcount:1 encoding:%s serializedlength:\d+ "
        rb"lru:\d+ lru_seconds_idle:3"
    )
    for key, encoding in ((b"number", b"int"), (b"s", b"stream")):
        kind, text = world.main.call("DEBUG", "OBJECT", key)
        assert kind == "+"
        assert re.fullmatch(pattern % encoding, text)
    assert world.main.error("DEBUG", "OBJECT", "none") == "ERR no such key"


def test_active_expiry_can_be_switched_off(world: Embedded) -> None:
    say(world, "DEBUG SET-ACTIVE-EXPIRE 0", "SET a 1 PX 100")
    world.pass_ms(10_000)
    assert world.main.ok("DBSIZE") == 1
    say(world, "DEBUG SET-ACTIVE-EXPIRE 1")
    world.pass_ms(10_000)
    assert world.main.ok("DBSIZE") == 0


@pytest.mark.parametrize(
    ("length", "pattern", "matched"),
    [(0, "*", 1), (0, "?", 0), (3, "a?a", 1), (3, "a?b", 0), (50_000, "*a*a*a", 1)],
)
def test_stringmatch_len(world: Embedded, length: int, pattern: str, matched: int) -> None:
    assert world.main.ok("DEBUG", "STRINGMATCH-LEN", length, pattern) == matched


def test_help_names_every_subcommand(world: Embedded) -> None:
    text = b"\n".join(world.main.ok("DEBUG", "HELP"))
    for name in (b"DIGEST", b"DIGEST-VALUE", b"OBJECT", b"PROTOCOL", b"SET-ACTIVE-EXPIRE",
                 b"SLEEP", b"STRINGMATCH-LEN", b"HELP"):  # fmt: skip
        assert b"\n" + name in text


TYPES = (
    "string",
    "integer",
    "double",
    "bignum",
    "null",
    "array",
    "set",
    "map",
    "attrib",
    "verbatim",
    "true",
    "false",
    "foo",
)


def raw_reply(connection: Connection, kind: str) -> bytes:
    """The bytes of the example, which may be of types that `read` does not know."""
    connection.send("DEBUG", "PROTOCOL", kind)
    connection.send("ECHO", "the end")
    data = b""
    while not data.endswith(b"$7\r\nthe end\r\n"):
        data += connection.sock.recv(4096)
    return data


@pytest.mark.parametrize("resp", [2, 3])
@pytest.mark.parametrize("kind", [*TYPES, "push", "MAP"])
def test_protocol_as_redis(headwater: Server, reference: Server, resp: int, kind: str) -> None:
    ours, theirs = (raw_reply(server.connect(resp), kind) for server in (headwater, reference))
    assert ours == theirs


REFUSED = [
    "DEBUG",
    "DEBUG NOSUCH",
    "DEBUG NOSUCH a b",
    "DEBUG DIGEST x",
    "DEBUG SLEEP",
    "DEBUG OBJECT",
    "DEBUG PROTOCOL",
    "DEBUG SET-ACTIVE-EXPIRE",
    "DEBUG STRINGMATCH-LEN x",
]


@pytest.mark.parametrize("line", REFUSED)
def test_refused_as_redis_does(world: Embedded, redis_server: Server, line: str) -> None:
    refused_alike(world.main, redis_server.port, line)
