"""redis-py's asyncio client, unmodified, in both protocols."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis
import redis.asyncio

from clients.test_redis_py import by_stream, text
from support.servers import Server

BLOCKED_SECONDS = 20


@pytest.fixture(params=[(2, True), (3, True), (3, False)], ids=str)
def run(
    request: pytest.FixtureRequest, headwater: Server
) -> Callable[[Callable[[Any], Awaitable[None]]], None]:
    """A function that runs a coroutine function with a connected client."""
    protocol, decode = request.param

    def call(scenario: Callable[[Any], Awaitable[None]]) -> None:
        async def main() -> None:
            async with redis.asyncio.Redis(
                host="127.0.0.1",
                port=headwater.port,
                protocol=protocol,
                decode_responses=decode,
            ) as client:
                await scenario(client)

        asyncio.run(main())

    return call


async def wait_blocked(client: Any, count: int) -> None:
    async with asyncio.timeout(BLOCKED_SECONDS):
        while (await client.info("clients"))["blocked_clients"] < count:
            await asyncio.sleep(0.001)


def test_streams_and_groups(run: Callable[..., None]) -> None:
    async def scenario(client: Any) -> None:
        assert text(await client.xadd("s", {"n": 1}, id="1-0")) == "1-0"
        await client.xgroup_create("s", "g", id="0")
        read = by_stream(await client.xreadgroup("g", "ann", {"s": ">"}))
        assert read == {"s": [["1-0", {"n": "1"}]]}
        assert await client.xack("s", "g", "1-0") == 1
        assert text(await client.xrange("s")) == [["1-0", {"n": "1"}]]
        with pytest.raises(redis.ResponseError, match="NOGROUP"):
            await client.xreadgroup("none", "ann", {"s": ">"})

    run(scenario)


def test_many_blocked_consumers(run: Callable[..., None]) -> None:
    async def scenario(client: Any) -> None:
        await client.xgroup_create("s", "g", id="$", mkstream=True)

        async def consume(number: int) -> str:
            read = by_stream(
                await client.xreadgroup("g", f"c{number}", {"s": ">"}, count=1, block=20_000)
            )
            [[entry_id, _]] = read["s"]
            return str(entry_id)

        tasks = [asyncio.create_task(consume(number)) for number in range(20)]
        await wait_blocked(client, 20)
        async with client.pipeline(transaction=False) as pipe:
            for number in range(1, 21):
                pipe.xadd("s", {"n": number}, id=f"{number}-0")
            await pipe.execute()
        async with asyncio.timeout(BLOCKED_SECONDS):
            got = await asyncio.gather(*tasks)
        assert sorted(got) == sorted(f"{number}-0" for number in range(1, 21))
        pending = await client.xpending("s", "g")
        assert pending["pending"] == 20
        assert len(pending["consumers"]) == 20

    run(scenario)


def test_transaction(run: Callable[..., None]) -> None:
    async def scenario(client: Any) -> None:
        async with client.pipeline(transaction=True) as pipe:
            pipe.set("k", "v").get("k").xadd("s", {"f": "v"}, id="1-0").xlen("s")
            assert text(await pipe.execute()) == [True, "v", "1-0", 1]

    run(scenario)


def test_cancelled_reader_takes_nothing(run: Callable[..., None]) -> None:
    """A blocked reader that goes away leaves the entry to the next one."""

    async def scenario(client: Any) -> None:
        await client.xgroup_create("s", "g", id="$", mkstream=True)
        first = asyncio.create_task(client.xreadgroup("g", "ann", {"s": ">"}, block=0))
        await wait_blocked(client, 1)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        async with asyncio.timeout(BLOCKED_SECONDS):
            while (await client.info("clients"))["blocked_clients"]:
                await asyncio.sleep(0.001)
        await client.xadd("s", {"n": 1}, id="1-0")
        read = by_stream(await client.xreadgroup("g", "bob", {"s": ">"}))
        assert read == {"s": [["1-0", {"n": "1"}]]}

    run(scenario)


def test_channels(run: Callable[..., None]) -> None:
    async def scenario(client: Any) -> None:
        async with client.pubsub(ignore_subscribe_messages=True) as subscriber:
            await subscriber.subscribe("news")
            await subscriber.psubscribe("w*")
            async with asyncio.timeout(BLOCKED_SECONDS):
                while await client.pubsub_numpat() < 1:
                    await asyncio.sleep(0.001)
                for number in range(100):
                    assert await client.publish("news", number) == 1
                assert await client.publish("weather", "rain") == 1
                heard = []
                async for message in subscriber.listen():
                    heard.append((text(message["channel"]), text(message["data"])))
                    if len(heard) == 101:
                        break
        assert heard == [*(("news", str(number)) for number in range(100)), ("weather", "rain")]

    run(scenario)


def test_scripts_and_locks(run: Callable[..., None]) -> None:
    async def scenario(client: Any) -> None:
        script = client.register_script("return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}")
        assert text(await script(keys=["n"], args=["a"])) == ["n", "a", 1]
        await client.script_flush()
        assert text(await script(keys=["n"], args=["a"])) == ["n", "a", 2]
        inside = 0

        async def work(number: int) -> None:
            nonlocal inside
            async with client.lock("lock", timeout=100, sleep=0.001):
                inside += 1
                assert inside == 1
                await client.rpush("order", number)
                inside -= 1

        async with asyncio.timeout(BLOCKED_SECONDS):
            await asyncio.gather(*(work(number) for number in range(10)))
        assert sorted(text(await client.lrange("order", 0, -1))) == sorted(map(str, range(10)))
        assert await client.exists("lock") == 0

    run(scenario)


def test_workers_on_a_list(run: Callable[..., None]) -> None:
    """Blocked in turn, served in turn: each task goes to one of them."""

    async def scenario(client: Any) -> None:
        tasks = [asyncio.create_task(client.blpop(["a", "b"], 20)) for _ in range(20)]
        await wait_blocked(client, 20)
        await client.rpush("b", *range(15))
        await client.rpush("a", *range(15, 30))
        async with asyncio.timeout(BLOCKED_SECONDS):
            got = text(await asyncio.gather(*tasks))
        assert sorted(int(item) for _, item in got) == list(range(20))
        assert text(await client.lrange("a", 0, -1)) == [str(number) for number in range(20, 30)]

    run(scenario)
