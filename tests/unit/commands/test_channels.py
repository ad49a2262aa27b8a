"""The registry of channels: who gets what, in which order, and what that may cost."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

import pytest

from headwater.commands.channels import (
    CHANNEL,
    OWED_BYTES,
    OWED_MESSAGES,
    PATTERN,
    SHARD,
    SLICE,
    Channels,
)
from headwater.limits import REPLY_REFERENCE_BYTES
from support.embedded import Client, Embedded
from support.wire import Reply


@pytest.fixture
def server() -> Embedded:
    return Embedded()


@pytest.fixture
def channels(server: Embedded) -> Channels:
    """The registry, told to leave everything to `deliver`, as under an event loop."""
    return server.engine.channels


def listening(server: Embedded, *names: str, resp: int = 2) -> Client:
    client = server.connect()
    client.session.resp3 = resp == 3
    client.send("SUBSCRIBE", *names)
    client.read_all()
    return client


def message(channel: str, payload: str, resp: int = 2) -> Reply:
    words = [("$", word.encode()) for word in ("message", channel, payload)]
    return ("*" if resp == 2 else ">", words)


def test_one_message_in_both_protocols(server: Embedded) -> None:
    old, new = listening(server, "c"), listening(server, "c", resp=3)
    assert server.main.ok("PUBLISH", "c", "hello") == 2
    assert old.read_all() == [message("c", "hello")]
    assert new.read_all() == [message("c", "hello", 3)]


def test_nobody_is_kept_who_does_not_listen(server: Embedded, channels: Channels) -> None:
    client = listening(server, "a", "b", "a")
    for kind in (b"PSUBSCRIBE", b"SSUBSCRIBE"):
        client.send(kind, "a", "c")
    assert channels.listening == 1
    for leave in ("UNSUBSCRIBE", "PUNSUBSCRIBE"):
        client.send(leave)
        assert client.session.subscriptions is not None
    client.send("SUNSUBSCRIBE")
    assert client.session.subscriptions is None
    for kind in (CHANNEL, PATTERN, SHARD):
        assert channels.of(kind) == {}
    assert channels.listening == 0


def test_a_client_that_is_gone_is_owed_nothing(server: Embedded, channels: Channels) -> None:
    first, second = listening(server, "c"), listening(server, "c")
    channels.publish(b"c", b"m")
    subscriptions = first.session.subscriptions
    first.session.close()
    channels.deliver_all()
    assert (first.read_all(), len(second.read_all())) == ([], 1)
    assert subscriptions.owed == []
    assert subscriptions.session is None
    assert channels.publish(b"c", b"m") == 1
    assert channels.listening == 1


def test_many_receivers_are_served_in_slices(server: Embedded, channels: Channels) -> None:
    asked: list[bool] = []
    channels.on_owed = lambda: asked.append(True)
    clients = [listening(server, "c") for _ in range(2 * SLICE + 1)]
    for payload in (b"1", b"2"):
        channels.publish(b"c", payload)
    assert asked == [True]
    assert channels.deliver()
    served = [len(client.read_all()) for client in clients]
    assert served == [2] * SLICE + [0] * (SLICE + 1)
    channels.publish(b"c", b"3")  # for those who wait behind their two, for the others at the end
    while channels.deliver():
        pass
    assert [len(client.read_all()) for client in clients] == [1] * SLICE + [3] * (SLICE + 1)


def test_what_comes_together_leaves_together(server: Embedded, channels: Channels) -> None:
    client = listening(server, "c")
    sent: list[int] = []
    send = client.session.send

    def count(reply: Any) -> None:
        sent.append(reply.pos)
        send(reply)

    client.session.send = count  # type: ignore[method-assign]
    for number in range(100):
        channels.publish(b"c", b"%03d" % number)
    channels.deliver_all()
    assert len(sent) == 1
    assert [words[2][1] for _, words in client.read_all()] == [b"%03d" % n for n in range(100)]


def test_messages_are_not_copied_for_each_receiver(server: Embedded, channels: Channels) -> None:
    clients = [listening(server, "c") for _ in range(50)]
    payload = b"x" * (1 << 20)
    gc.collect()
    tracemalloc.start()
    try:
        channels.publish(b"c", payload)
        size = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert size < 50_000
    owed = [client.session.subscriptions.owed for client in clients]
    assert all(parts[1] is payload for parts in owed)
    small = [client.session.subscriptions.owed[0] for client in clients]
    assert all(head is small[0] for head in small)
    channels.deliver_all()
    for client in clients:
        ((_, words),) = client.read_all()
        assert words[2] == ("$", payload)


def test_what_is_owed_is_bounded(server: Embedded, channels: Channels) -> None:
    channels.on_owed = lambda: None
    clients = [listening(server, "c") for _ in range(200)]
    most = 0
    for _ in range(2 * OWED_MESSAGES // len(clients) + 10):
        channels.publish(b"c", b"m")
        most = max(most, sum(len(client.session.subscriptions.owed) for client in clients))
        for client in clients:
            client.session.sent.clear()
    assert OWED_MESSAGES // 2 < most <= OWED_MESSAGES + len(clients)


@pytest.mark.parametrize("size", [20_000, 1 << 20])
def test_what_is_owed_is_bounded_in_bytes(server: Embedded, channels: Channels, size: int) -> None:
    """A script can publish for as long as it runs."""
    channels.on_owed = lambda: None
    client = listening(server, "c")
    payload = bytes(size)
    most = 0
    for _ in range(3 * OWED_BYTES // size):
        channels.publish(b"c", payload)
        most = max(most, client.session.subscriptions.owed_bytes)
        client.session.sent.clear()
    assert OWED_BYTES // 2 < most <= OWED_BYTES * 1.01 + 2 * size


@pytest.mark.parametrize("size", [0, 1, REPLY_REFERENCE_BYTES - 1, REPLY_REFERENCE_BYTES, 300_000])
@pytest.mark.parametrize("resp", [2, 3])
def test_sizes(server: Embedded, channels: Channels, resp: int, size: int) -> None:
    name = "n" * min(size, 100_000)
    client = listening(server, name, resp=resp)
    payloads = ["a" * size, "b", "c" * size]
    for payload in payloads:
        channels.publish(name.encode(), payload.encode())
    channels.deliver_all()
    assert client.read_all() == [message(name, payload, resp) for payload in payloads]


def test_a_failing_receiver_does_not_harm_others(server: Embedded, channels: Channels) -> None:
    first, second = listening(server, "c"), listening(server, "c")

    def fail(reply: object) -> None:
        raise OSError("no more")

    first.session.send = fail  # type: ignore[method-assign, assignment]
    channels.publish(b"c", b"m")
    channels.deliver_all()
    assert first.session.closed
    assert second.read_all() == [message("c", "m")]


def test_confirmations_that_client_reply_does_not_silence(server: Embedded) -> None:
    server.main.session.resp3 = True
    server.main.send("CLIENT", "REPLY", "OFF")
    server.main.send("SUBSCRIBE", "a", "b")
    server.main.send("UNSUBSCRIBE")
    assert [reply[0] for reply in server.main.read_all()] == [">"] * 4


def test_a_hundred_thousand_channels(server: Embedded, channels: Channels) -> None:
    client = server.connect()
    tracemalloc.start()
    try:
        for number in range(100_000):
            channels.subscribe(client.session, CHANNEL, b"channel:%d" % number)
        size = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert size / 100_000 < 300
    assert channels.publish(b"channel:99999", b"m") == 1
    channels.forget(client.session)
    assert channels.of(CHANNEL) == {}
