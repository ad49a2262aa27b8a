"""FastStream, unmodified: the application of programs/faststream_shop.py."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from clients.applications import (
    AnyServer,
    Application,
    abandon,
    ask,
    of_kind,
    pending_count,
    until,
    wait_acknowledged,
)
from clients.conftest import CrashingServer
from support.servers import Server

pytestmark = pytest.mark.frameworks

SHOP = "faststream_shop.py"
AWKWARD = "Größe 7 ½, 日本\n\0\r\nx"


@pytest.fixture(autouse=True)
def _installed(framework: Callable[[str], None]) -> None:
    framework("faststream")


def shop(server: AnyServer, *words: object, user: str = "") -> Application:
    """The application, subscribed."""
    program = Application(SHOP, f"redis://{user}127.0.0.1:{server.port}", *words)
    program.expect("ready")
    return program


def with_broker(server: AnyServer, use: Callable[[Any], Awaitable[Any]]) -> Any:
    """Run `use` with a connected broker, as a producer would."""
    from faststream.redis import RedisBroker

    async def main() -> Any:
        async with RedisBroker(f"redis://127.0.0.1:{server.port}", logger=None) as broker:
            return await use(broker)

    return asyncio.run(main())


def publish(server: AnyServer, *messages: Any, **where: Any) -> None:
    async def use(broker: Any) -> None:
        for message in messages:
            await broker.publish(message, **where)

    with_broker(server, use)


def order(number: int, title: str = "tea") -> dict[str, Any]:
    return {"number": number, "title": title, "price": 1.25 * number}


def test_a_consumer_group(headwater: Server) -> None:
    """Messages come validated, in order, once; what the handler returns goes on to a list."""
    with shop(headwater, "ann") as ann:
        orders = [order(1), order(2, AWKWARD), order(3, "x" * 100_000)]
        publish(headwater, *orders, stream="orders", correlation_id="c-1")
        common = {"how": "read", "deliveries": 1, "earlier": None, "correlation": "c-1"}
        assert of_kind(ann.all_told(3), "order") == [{**common, **sent} for sent in orders]
        until(lambda: ask(headwater, "LLEN", "invoices") == 3, "three invoices")
        wait_acknowledged(headwater, "orders", "shop")

    async def invoices(broker: Any) -> list[str]:
        subscriber = broker.subscriber(list="invoices", persistent=False)
        await subscriber.start()
        return [await (await subscriber.get_one()).decode() for _ in orders]

    assert with_broker(headwater, invoices) == [
        f"ann took order {sent['number']}: {sent['title']}" for sent in orders
    ]


def test_consumers_share_a_stream(headwater: Server) -> None:
    """Each message goes to one of them, in order; how many to whom is theirs to find out."""
    sent = 0
    with shop(headwater, "ann") as ann, shop(headwater, "bob") as bob:
        for stopped, other in ((ann, bob), (bob, ann)):
            stopped.pause()
            publish(headwater, *map(order, range(sent, sent + 50)), stream="orders")
            sent += 50
            assert other.told()["kind"] == "order"
            stopped.resume()
        until(lambda: ask(headwater, "LLEN", "invoices") == sent, "all invoices")
        wait_acknowledged(headwater, "orders", "shop")
        ann.end()
        bob.end()
    taken = [[line["number"] for line in one.all_of("order")] for one in (ann, bob)]
    assert sorted(taken[0] + taken[1]) == list(range(sent))
    assert all(numbers == sorted(numbers) for numbers in taken)


def test_acknowledged_by_hand(headwater: Server) -> None:
    with shop(headwater, "ann") as ann:
        publish(headwater, *range(6), stream="parcels")
        assert of_kind(ann.all_told(6), "parcel") == [{"number": n} for n in range(6)]
    assert pending_count(headwater, "parcels", "shop") == 3


def test_batches_and_plain_streams(headwater: Server) -> None:
    publish(headwater, "before", stream="plain")
    with shop(headwater, "ann") as ann:
        assert ann.told() == {"kind": "plain", "text": "before"}
        publish(headwater, AWKWARD, stream="plain", maxlen=10)
        assert ann.told() == {"kind": "plain", "text": AWKWARD}

        ann.pause()
        publish(headwater, *range(250), stream="clicks")
        ann.resume()
        numbers: list[int] = []
        sizes = []
        while len(numbers) < 250:
            batch = ann.told()["numbers"]
            sizes.append(len(batch))
            numbers += batch
        assert numbers == list(range(250))
        assert max(sizes) == 100
        wait_acknowledged(headwater, "clicks", "shop")


def test_channels(headwater: Server) -> None:
    with shop(headwater, "ann") as ann:
        publish(headwater, "one", AWKWARD, channel="news")
        assert of_kind(ann.all_told(2), "news") == [{"text": "one"}, {"text": AWKWARD}]
        publish(headwater, "boom", channel="logs.error.db")
        publish(headwater, "not for us", channel="logs.error")
        publish(headwater, "hm", channel="logs.info.web")
        assert of_kind(ann.all_told(2), "log") == [
            {"level": "error", "text": "boom"},
            {"level": "info", "text": "hm"},
        ]

        async def ask(broker: Any) -> list[int]:
            return [
                await (await broker.request(number, channel="double", timeout=20)).decode()
                for number in range(20)
            ]

        assert with_broker(headwater, ask) == [2 * number for number in range(20)]


def test_lists(headwater: Server) -> None:
    body = bytes(range(256)) * 8
    with shop(headwater, "ann") as ann:
        publish(headwater, body, list="letters")
        assert ann.told() == {"kind": "letter", "hex": body.hex()}

        ann.pause()

        async def fill(broker: Any) -> None:
            await broker.publish_batch(*range(250), list="bulk")

        with_broker(headwater, fill)
        ann.resume()
        numbers: list[int] = []
        while len(numbers) < 250:
            batch = ann.told()["numbers"]
            assert len(batch) <= 100
            numbers += batch
        assert numbers == list(range(250))
    assert ask(headwater, "EXISTS", "letters", "bulk") == 0


@pytest.mark.parametrize("way", ["--claim", "--autoclaim"])
def test_a_killed_worker(headwater: Server, way: str) -> None:
    """What a worker had when it was killed, another one is given, and nothing twice."""
    if way == "--claim" and headwater.kind == "redis":
        pytest.skip("XREADGROUP CLAIM came with Redis 8.4")
    with shop(headwater, "ann", "--stall", 2) as ann:
        publish(headwater, *map(order, range(1, 6)), stream="orders")
        assert [line["number"] for line in ann.all_told(2)] == [1, 2]
        ann.kill()
        assert abandon(headwater, "orders", "shop") >= 1
        with shop(headwater, "bob", way) as bob:
            taken = bob.all_told(4)
            assert sorted(line["number"] for line in taken) == [2, 3, 4, 5]
            [again] = [line for line in taken if line["number"] == 2]
            assert again["deliveries"] == 2
            assert again["earlier"] == ([1] if way == "--claim" else None)
            assert again["title"] == "tea"
            wait_acknowledged(headwater, "orders", "shop")
            publish(headwater, order(6), stream="orders")
            assert bob.told()["number"] == 6


def test_as_a_user_who_may_little(headwater: Server) -> None:
    """What docs/frameworks.md says a user needs is enough, and what it does not say is refused."""
    rules = ("~orders", "~invoices", "~parcels", "~clicks", "~plain", "~letters", "~bulk", "&*")
    families = ("+@stream", "+@list", "+@pubsub", "+@connection")
    ask(headwater, "ACL", "SETUSER", "shop", "reset", "on", ">secret", *rules, *families)
    ask(headwater, "ACL", "LOG", "RESET")
    try:
        with shop(headwater, "ann", user="shop:secret@") as ann:
            publish(headwater, order(1), stream="orders")
            assert ann.told()["number"] == 1
            publish(headwater, "one", channel="news")
            assert ann.told() == {"kind": "news", "text": "one"}
            publish(headwater, b"x", list="letters")
            assert ann.told() == {"kind": "letter", "hex": b"x".hex()}
            wait_acknowledged(headwater, "orders", "shop")
        assert ask(headwater, "ACL", "LOG") == []
    finally:
        ask(headwater, "ACL", "DELUSER", "shop")


def test_a_crash_of_the_server(crashing: CrashingServer) -> None:
    """Killed in the middle of the work, it comes back with every message and position."""
    with shop(crashing, "ann", "--autoclaim") as ann:
        publish(crashing, *map(order, range(50)), stream="orders")
        seen = [line["number"] for line in ann.all_told(50)]
        assert seen == list(range(50))
        ann.pause()
        publish(crashing, *map(order, range(50, 100)), stream="orders")
        publish(crashing, "still here", stream="plain")
        crashing.crash()
        abandon(crashing, "orders", "shop")
        publish(crashing, order(100), stream="orders")
        ann.resume()
        missing = {"still here", *range(50, 101)}
        while missing:
            line = ann.told()
            missing.discard(line["text" if line["kind"] == "plain" else "number"])
        wait_acknowledged(crashing, "orders", "shop")
