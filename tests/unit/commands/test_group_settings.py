"""XGROUP CFGSET and CFGGET: what is taken, what is refused, what is shown."""

from __future__ import annotations

from typing import Any

import pytest

from headwater.streams.group import Group
from headwater.streams.stream import Stream
from support.embedded import Embedded

OFF = {
    b"ackwait": 0,
    b"backoff": [],
    b"maxdeliveries": 0,
    b"deadletter": b"s:dead-letter",
    b"maxpending": 0,
    b"groupmaxpending": 0,
    b"orderby": b"",
    b"lease": b"time",
    b"consumerttl": 0,
    b"groupttl": 0,
    b"backlog": 0,
    b"oldest-pending-ms": 0,
}


@pytest.fixture
def world() -> Embedded:
    world = Embedded()
    world.main.ok("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
    return world


def shown(world: Embedded) -> dict[bytes, Any]:
    flat = world.main.ok("XGROUP", "CFGGET", "s", "g")
    return dict(zip(flat[::2], flat[1::2], strict=True))


def group_of(world: Embedded) -> Group:
    stream = world.main.session.database.peek(b"s")
    assert isinstance(stream, Stream)
    assert stream.groups is not None
    return stream.groups[b"g"]


def test_a_group_without_settings_shows_them_off(world: Embedded) -> None:
    assert shown(world) == OFF
    assert list(shown(world)) == list(OFF)
    assert group_of(world).redelivery is None


def test_all_that_can_be_set_is_shown(world: Embedded) -> None:
    world.main.ok(
        "XGROUP", "CFGSET", "s", "g", "ackwait", "30000", "BACKOFF", "1000", "5000", "60000",
        "MAXDELIVERIES", "5", "DEADLETTER", "graves", "MAXPENDING", "100", "GROUPMAXPENDING",
        "1000", "ORDERBY", "customer", "LEASE", "Connection", "CONSUMERTTL", "7", "GROUPTTL", "8",
    )  # fmt: skip
    assert shown(world) == {
        **OFF,
        b"ackwait": 30000,
        b"backoff": [1000, 5000, 60000],
        b"maxdeliveries": 5,
        b"deadletter": b"graves",
        b"maxpending": 100,
        b"groupmaxpending": 1000,
        b"orderby": b"customer",
        b"lease": b"connection",
        b"consumerttl": 7,
        b"groupttl": 8,
    }
    world.main.ok("XGROUP", "CFGSET", "s", "g", "ACKWAIT", "1", "BACKOFF", "0", "LEASE", "time")
    now = shown(world)
    assert (now[b"ackwait"], now[b"backoff"], now[b"lease"]) == (1, [], b"time")
    assert now[b"maxpending"] == 100  # the others stay


def test_all_off_again_is_redis_again(world: Embedded) -> None:
    world.main.ok("XGROUP", "CFGSET", "s", "g", "ACKWAIT", "5", "DEADLETTER", "x")
    assert group_of(world).redelivery is not None
    world.main.ok("XGROUP", "CFGSET", "s", "g", "ACKWAIT", "0", "DEADLETTER", "")
    assert group_of(world).redelivery is None
    assert shown(world) == OFF


def test_resp3_sends_a_map() -> None:
    world = Embedded(resp=3)
    world.main.ok("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
    assert world.main.call("XGROUP", "CFGGET", "s", "g")[0] == "%"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("", "ERR At least one parameter must be specified"),
        ("ACKWAIT", "ERR option ACKWAIT needs a value"),
        ("ACKWAIT -1", "ERR ACKWAIT must be an integer from 0 (off) to 9007199254740991"),
        ("ACKWAIT x", "ERR ACKWAIT must be an integer from 0 (off) to 9007199254740991"),
        (
            "GROUPTTL 9007199254740992",
            "ERR GROUPTTL must be an integer from 0 (off) to 9007199254740991",
        ),
        ("BACKOFF 5 0", "ERR waits of BACKOFF must be above 0; BACKOFF 0 alone turns it off"),
        ("BACKOFF " + "1 " * 65, "ERR BACKOFF takes at most 64 waits, the last one repeats"),
        ("BACKOFF 1 -2", "ERR BACKOFF must be an integer from 0 (off) to 9007199254740991"),
        ("BACKOFF 1 2.5", "ERR BACKOFF must be an integer from 0 (off) to 9007199254740991"),
        ("BACKOFF 1 NONSENSE 3", "ERR unknown option 'NONSENSE'. Try XGROUP HELP."),
        ("NONSENSE", "ERR unknown option 'NONSENSE'. Try XGROUP HELP."),
        ("LEASE session", "ERR LEASE must be time or connection"),
        ("NONSENSE 1", "ERR unknown option 'NONSENSE'. Try XGROUP HELP."),
        ("DEADLETTER s", "ERR DEADLETTER must be another stream than the one the group reads"),
    ],
)
def test_what_is_refused_changes_nothing(world: Embedded, words: str, text: str) -> None:
    before = world.state.keyspace.dirty
    if words:
        words = "MAXPENDING 3 " + words
    assert world.main.error("XGROUP", "CFGSET", "s", "g", *words.split()) == text
    assert shown(world) == OFF
    assert world.state.keyspace.dirty == before


@pytest.mark.parametrize("words", [("CFGGET",), ("CFGSET", "ACKWAIT", "1")])
def test_keys_and_groups_that_are_not_there(world: Embedded, words: tuple[str, ...]) -> None:
    what, *rest = words
    assert world.main.error("XGROUP", what, "none", "g", *rest).startswith("ERR The XGROUP sub")
    assert world.main.error("XGROUP", what, "s", "none", *rest).startswith("NOGROUP")
    world.main.ok("SET", "text", "x")
    assert world.main.error("XGROUP", what, "text", "g", *rest).startswith("WRONGTYPE")


def test_the_dead_letter_stream_is_no_value_of_another_type(world: Embedded) -> None:
    world.main.ok("SET", "text", "x")
    refused = world.main.error("XGROUP", "CFGSET", "s", "g", "DEADLETTER", "text")
    assert refused.startswith("WRONGTYPE")
    assert shown(world) == OFF


def test_the_same_again_is_no_change(world: Embedded) -> None:
    world.main.ok("XGROUP", "CFGSET", "s", "g", "ACKWAIT", "5")
    before = world.state.keyspace.dirty
    world.main.ok("XGROUP", "CFGSET", "s", "g", "ACKWAIT", "5")
    assert world.state.keyspace.dirty == before


def test_only_who_may_write_there_can_name_the_dead_letter_stream(world: Embedded) -> None:
    world.main.ok("ACL", "SETUSER", "bob", "on", "nopass", "~s*", "+@all")
    bob = world.connect()
    bob.ok("AUTH", "bob", "x")
    bob.ok("XGROUP", "CFGSET", "s", "g", "DEADLETTER", "s-dead", "ORDERBY", "DEADLETTER")
    words = ("XGROUP", "CFGSET", "s", "g", "ORDERBY", "DEADLETTER", "DEADLETTER", "other")
    assert bob.error(*words).startswith("NOPERM")
    assert bob.error("XGROUP", "CFGSET", "s", "g", "DEADLETTER", "other").startswith("NOPERM")
    assert world.main.ok("COMMAND", "GETKEYS", *words) == [b"s", b"other"]


def test_settings_follow_the_stream(world: Embedded) -> None:
    world.main.ok("XGROUP", "CFGSET", "s", "g", "ACKWAIT", "5", "ORDERBY", "f")
    world.main.ok("COPY", "s", "t")
    world.main.ok("RENAME", "s", "u")
    for key in ("t", "u"):
        flat = world.main.ok("XGROUP", "CFGGET", key, "g")
        assert (flat[1], flat[7]) == (5, key.encode() + b":dead-letter")
