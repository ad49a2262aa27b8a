"""redis.asyncio on a store of this process, in one event loop and in several."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

import headwater
import headwater.aio
from headwater.errors import StoreClosed


def in_a_loop(program: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a coroutine function as a test, in an event loop of its own."""

    def run() -> None:
        asyncio.run(asyncio.wait_for(program(), 60))

    run.__name__ = program.__name__
    run.__doc__ = program.__doc__
    return run


async def wait_blocked(client: Any, number: int) -> None:
    while (await client.info("clients"))["blocked_clients"] < number:
        await asyncio.sleep(0)


@in_a_loop
async def test_commands_pipelines_and_transactions() -> None:
    async with headwater.aio.connect() as client:
        assert isinstance(client, redis.asyncio.Redis)
        entry_id = await client.xadd("s", {"a": 1})
        assert (await client.xrange("s"))[0][0] == entry_id
        async with client.pipeline(transaction=False) as pipe:
            for n in range(2000):
                pipe.xadd("s", {"n": n})
            assert len(await pipe.execute()) == 2000
        async with client.pipeline() as pipe:
            await pipe.watch("k")
            pipe.multi()
            pipe.set("k", "mine")
            await client.set("k", "other")
            with pytest.raises(redis.WatchError):
                await pipe.execute()


@in_a_loop
async def test_a_blocked_task_keeps_nobody_waiting() -> None:
    async with headwater.aio.connect() as client:
        readers = [asyncio.create_task(client.xread({"s": "$"}, block=0)) for _ in range(50)]
        await wait_blocked(client, 50)
        assert await client.ping()
        await client.xadd("s", {"a": 1})
        assert all(await asyncio.gather(*readers))


@in_a_loop
async def test_a_cancelled_read_leaves_no_waiter() -> None:
    async with headwater.aio.connect() as client:
        reader = asyncio.create_task(client.blpop(["l"], 0))
        await wait_blocked(client, 1)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        await client.rpush("l", "x")
        assert await client.lrange("l", 0, -1) == [b"x"]
        assert (await client.info("clients"))["blocked_clients"] == 0


@in_a_loop
async def test_pubsub() -> None:
    async with headwater.aio.connect() as client, client.pubsub() as pubsub:
        await pubsub.subscribe("news")
        assert (await pubsub.get_message(timeout=30))["type"] == "subscribe"
        assert await pubsub.get_message(timeout=0.01) is None
        await client.publish("news", "x")
        assert (await pubsub.get_message(timeout=30))["data"] == b"x"


@in_a_loop
async def test_a_closed_store_says_so() -> None:
    client = headwater.aio.connect()
    await client.ping()
    waiting = asyncio.create_task(client.xread({"s": "$"}, block=0))
    await wait_blocked(client, 1)
    client.store.crash()
    with pytest.raises(StoreClosed):
        await waiting
    with pytest.raises(StoreClosed):
        await client.ping()
    await client.aclose()


def test_closing_the_client_closes_the_store(tmp_path: Path) -> None:
    async def program() -> None:
        client = headwater.aio.connect(tmp_path / "s")
        await client.xadd("s", {"a": 1})
        await client.aclose()
        assert not client.store.is_open

    asyncio.run(program())
    with headwater.connect(tmp_path / "s") as again:
        assert again.xlen("s") == 1


def test_opened_by_another_thread(tmp_path: Path) -> None:
    async def program() -> None:
        async with await asyncio.to_thread(headwater.aio.open, tmp_path / "s") as engine:
            client = await asyncio.to_thread(headwater.aio.connect, tmp_path / "s")
            by_client = asyncio.create_task(client.xread({"s": "$"}, block=0))
            by_engine = asyncio.create_task(engine.xread({"s": "$"}, block=0))
            await wait_blocked(client, 2)
            entry_id = await engine.xadd("s", {"a": 1})
            assert (await by_engine)[0][1][0][0] == entry_id
            assert await by_client
            await client.aclose()

    asyncio.run(program())


def test_both_kinds_of_client_on_one_store() -> None:
    with headwater.open() as engine:
        plain = engine.connect()

        async def program() -> None:
            client = engine.connect_async(decode_responses=True)
            reader = asyncio.create_task(client.xread({"s": "$"}, block=0))
            await wait_blocked(client, 1)
            writer = threading.Thread(target=lambda: plain.xadd("s", {"a": 1}))
            writer.start()
            assert await reader
            writer.join()
            await client.aclose()

        asyncio.run(program())
        assert plain.xlen("s") == 1
        plain.close()


def test_three_event_loops_share_a_store(tmp_path: Path) -> None:
    """Workers of a group in three loops handle what producers in the same loops add: each once."""
    each, loops, workers = 300, 3, 4
    done: list[bytes] = []
    failed: list[BaseException] = []

    async def work(client: Any, name: str) -> None:
        while len(done) < each * loops:
            reply = await client.xreadgroup("g", name, {"jobs": ">"}, count=10, block=50)
            for _, entries in reply or ():
                for entry_id, fields in entries:
                    done.append(fields[b"n"])
                    await client.xack("jobs", "g", entry_id)

    async def program(number: int) -> None:
        client = headwater.aio.connect(tmp_path / "s", protocol=2)
        tasks = [asyncio.create_task(work(client, f"{number}-{n}")) for n in range(workers)]
        for n in range(each):
            await client.xadd("jobs", {"n": number * each + n})
            if n % 10 == 0:
                await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        await client.aclose()

    def run(number: int) -> None:
        try:
            asyncio.run(program(number))
        except BaseException as error:
            failed.append(error)
            done.extend([b""] * each * loops)

    with headwater.open(tmp_path / "s") as engine:
        engine.xgroup_create("jobs", "g", mkstream=True)
        threads = [threading.Thread(target=run, args=(number,)) for number in range(loops)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert sorted(map(int, done)) == list(range(each * loops))
        assert engine.connect().xpending("jobs", "g")["pending"] == 0
