"""headwater.worker on the embedded store: producers and consumers in one program, no socket."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import headwater
from clients.applications import until
from headwater import aio
from headwater.worker import AsyncConsumer, AsyncProducer, Consumer, Entry, Producer, Reject

QUICK: dict[str, Any] = {"block": 0.1, "signals": False}


def test_threads(tmp_path: Path) -> None:
    """A durable store: what was not done when it closed is done when it opens again."""
    got: list[int] = []

    def handler(entry: Entry[dict[str, str]]) -> None:
        got.append(int(entry.data["n"]))
        if got[-1] == 7:
            raise Reject("seven")

    with headwater.connect(tmp_path / "events") as client:
        with Producer(client, "orders") as producer:
            producer.send_many([{"n": n} for n in range(10)])
            assert producer.is_idempotent
        with Consumer(client, "orders", "shop", prefetch=0, **QUICK) as consumer:
            for entry in consumer:
                with entry:
                    handler(entry)
                if len(got) == 5:
                    break
    with headwater.connect(tmp_path / "events") as client:
        consumer = Consumer(client, "orders", "shop", concurrency=2, **QUICK)
        with consumer.running(handler):
            until(lambda: len(got) == 10, "the rest")
        assert client.xpending("orders", "shop")["pending"] == 0
        assert client.xlen("orders:dead-letter") == 1
    assert sorted(got) == list(range(10))


def test_an_event_loop() -> None:
    async def main() -> tuple[list[int], int]:
        got: list[int] = []
        tries: list[int] = []

        async def handler(entry: Any) -> None:
            number = int(entry.data["n"])
            if number == 3:
                tries.append(await entry.deliveries())
                raise ValueError("three")
            got.append(number)

        client = aio.connect()
        try:
            consumer = AsyncConsumer(
                client, "orders", "shop", backoff=[0.1], max_deliveries=3, **QUICK
            )
            async with consumer.running(handler), AsyncProducer(client, "orders") as producer:
                await producer.send_many([{"n": n} for n in range(20)])
                while not await client.xlen("orders:dead-letter") or len(set(got)) < 19:
                    await asyncio.sleep(0.005)
            pending = (await client.xpending("orders", "shop"))["pending"]
            # A back-off this short lapses while a handler works, on a machine that is busy: what a
            # delivery sees then is another one's count, or that the entry is gone.
            assert set(tries) <= {1, 2, 3}
            [(_, letter)] = await client.xrange("orders:dead-letter")
            assert letter[b"deliveries"] == b"3"
            return got, pending
        finally:
            await client.aclose()

    got, pending = asyncio.run(asyncio.wait_for(main(), 30))
    assert sorted(set(got)) == [n for n in range(20) if n != 3]
    assert pending == 0
