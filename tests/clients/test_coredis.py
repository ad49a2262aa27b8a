"""coredis, unmodified: its consumers, channels, scripts, libraries, locks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from support.servers import Server

pytestmark = pytest.mark.frameworks

SECONDS = 20
LIBRARY = """#!lua name=shop
redis.register_function('sell', function(keys, args)
  return redis.call('XADD', keys[1], args[1], 'item', args[2])
end)
"""


@pytest.fixture
def run(
    headwater: Server, framework: Callable[[str], None]
) -> Callable[[Callable[[Any], Awaitable[None]]], None]:
    """A function that runs a coroutine function with a connected client."""
    framework("coredis")
    import coredis

    def call(scenario: Callable[[Any], Awaitable[None]]) -> None:
        async def main() -> None:
            client = coredis.Redis(
                host="127.0.0.1",
                port=headwater.port,
                decode_responses=True,
            )
            async with client, asyncio.timeout(SECONDS):
                await scenario(client)

        asyncio.run(main())

    return call


def test_consumers(run: Callable[..., None]) -> None:
    from coredis.patterns.streams import Consumer, GroupConsumer

    async def scenario(client: Any) -> None:
        for number in range(1, 11):
            await client.xadd("s", {"n": str(number)}, identifier=f"{number}-0")
        async with Consumer(client, ["s"], buffer_size=3, s={"identifier": "0-0"}) as consumer:
            entries = [await consumer.get_entry() for _ in range(10)]
        assert [entry.field_values["n"] for _, entry in entries] == [str(n) for n in range(1, 11)]

        where: dict[str, Any] = {"group": "g", "s": {"identifier": ">"}}
        async with GroupConsumer(client, ["s"], consumer="ann", **where) as ann:
            await client.xadd("s", {"n": "new"}, identifier="11-0")
            stream, entry = await ann.get_entry()
        assert (stream, entry.identifier) == ("s", "11-0")
        assert (await client.xpending("s", "g")).pending == 1
        async with GroupConsumer(
            client, ["s"], group="g", consumer="ann", start_from_backlog=True
        ) as again:
            _, entry = await again.get_entry()
            assert entry.identifier == "11-0"
        assert await client.xack("s", "g", ["11-0"]) == 1

    run(scenario)


def test_channels(run: Callable[..., None]) -> None:
    async def scenario(client: Any) -> None:
        async with client.pubsub(
            channels=["news"], patterns=["w*"], ignore_subscribe_messages=True
        ) as pubsub:
            while await client.pubsub_numpat() < 1 or not await client.pubsub_channels():
                await asyncio.sleep(0.001)
            assert await client.publish("news", "first") == 1
            assert await client.publish("weather", "rain") == 1
            heard = []
            async for message in pubsub:
                heard.append((message["type"], message["channel"], message["data"]))
                if len(heard) == 2:
                    break
        assert heard == [("message", "news", "first"), ("pmessage", "weather", "rain")]

    run(scenario)


def test_scripts_libraries_and_locks(run: Callable[..., None]) -> None:
    async def scenario(client: Any) -> None:
        script = client.register_script("return {KEYS[1], ARGV[1], redis.call('GET', KEYS[1])}")
        await client.set("k", "v")
        assert await script(["k"], ["a"]) == ["k", "a", "v"]
        await client.script_flush()
        assert await script(["k"], ["a"]) == ["k", "a", "v"]

        await client.function_flush()
        library = await client.register_library("shop", LIBRARY)
        assert set(library.functions) == {"sell"}
        assert await client.fcall("sell", ["sales"], ["1-0", "tea"]) == "1-0"
        assert await client.function_delete("shop")

        async with client.lock("lock", timeout=100):
            held = client.lock("lock", timeout=100, blocking=False)
            assert not await held.acquire()
        assert await client.exists(["lock"]) == 0

        async with client.pipeline(transaction=True) as pipe:
            added = pipe.xadd("s", {"f": "v"}, identifier="1-0")
            pushed = pipe.rpush("l", ["a", "b"])
            popped = pipe.lpop("l")
        assert [await added, await pushed, await popped] == ["1-0", 2, "a"]

    run(scenario)


def test_blocked_pops(run: Callable[..., None]) -> None:
    async def scenario(client: Any) -> None:
        async def pop() -> Any:
            return await client.blpop(["l", "m"], timeout=SECONDS)

        popping = asyncio.create_task(pop())
        while (await client.info("clients"))["blocked_clients"] < 1:
            await asyncio.sleep(0.001)
        await client.rpush("m", ["v"])
        assert list(await popping) == ["m", "v"]

    run(scenario)
