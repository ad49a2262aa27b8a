"""Keyspace events: what is asked for, what it costs, and when nobody is told."""

from __future__ import annotations

import pytest

from headwater.keyspace.notifications import (
    ALL,
    EXPIRED,
    KEYEVENT,
    KEYSPACE,
    NEW,
    STREAM,
    class_letters,
    parse_classes,
)
from support.embedded import Client, Embedded


def heard(client: Client) -> list[tuple[bytes, bytes]]:
    """Channel and message of all messages by pattern."""
    return [(words[2][1], words[3][1]) for _, words in client.read_all()]


def ears(server: Embedded) -> Client:
    client = server.connect()
    client.send("PSUBSCRIBE", "__*")
    client.read_all()
    return client


@pytest.mark.parametrize(
    ("letters", "classes"),
    [
        ("", 0),
        ("KEA", KEYSPACE | KEYEVENT | ALL),
        ("tK", STREAM | KEYSPACE),
        ("AnE", ALL | NEW | KEYEVENT),
        ("xx", EXPIRED),
        ("K\0!", KEYSPACE),
        ("K!", None),
        ("Ke ", None),
    ],
)
def test_letters(letters: str, classes: int | None) -> None:
    assert parse_classes(letters) == classes
    if classes is not None:
        assert parse_classes(class_letters(classes)) == classes


def test_nothing_is_asked_for_by_default() -> None:
    server = Embedded()
    client = ears(server)
    server.main.ok("XADD", "s", "1-1", "a", "b")
    assert server.engine.keyspace.notify_classes == 0
    assert heard(client) == []


@pytest.mark.parametrize("letters", ["t", "A", "n"])
def test_without_a_kind_of_channel_there_are_no_events(letters: str) -> None:
    server = Embedded(notify_keyspace_events=letters)
    assert server.engine.keyspace.notify_classes == 0


def test_what_is_shown_less_is_still_on() -> None:
    server = Embedded()
    server.main.ok("CONFIG", "SET", "notify-keyspace-events", "AEn")
    assert server.main.ok("CONFIG", "GET", "notify-keyspace-events")[1] == b"AE"
    client = ears(server)
    server.main.ok("XADD", "s", "1-1", "a", "b")
    assert heard(client) == [(b"__keyevent@0__:new", b"s"), (b"__keyevent@0__:xadd", b"s")]


def test_keys_that_expire_by_themselves() -> None:
    server = Embedded(notify_keyspace_events="Ex")
    client = ears(server)
    server.main.ok("SELECT", 3)
    server.main.ok("SET", "k", "v")
    server.main.ok("PEXPIRE", "k", 10)
    server.pass_ms(1000)
    server.engine.channels.deliver_all()
    assert heard(client) == [(b"__keyevent@3__:expired", b"k")]


def test_keys_that_are_loaded_are_no_events() -> None:
    server = Embedded(notify_keyspace_events="KEAn")
    client = ears(server)
    server.state.loading = True
    server.engine.keyspace.databases[0].notify(NEW, b"new", b"k")
    server.state.loading = False
    server.engine.channels.deliver_all()
    assert heard(client) == []


def test_events_and_messages_keep_their_order_in_a_transaction() -> None:
    server = Embedded(notify_keyspace_events="Et")
    client = server.connect()
    client.send("SUBSCRIBE", "__keyevent@0__:xadd", "m")
    client.read_all()
    for line in ("MULTI", "PUBLISH m 1", "XADD s 1-1 a b", "PUBLISH m 2", "XADD s 2-1 a b"):
        server.main.send(*line.split())
    assert client.read_all() == []
    server.main.send("EXEC")
    assert [words[2][1] for _, words in client.read_all()] == [b"1", b"s", b"2", b"s"]
