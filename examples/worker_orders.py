"""Orders with headwater.worker: a typed model, retries, dead letters, a graceful stop.

What examples/orders.py does with plain commands, for any server: Headwater, Redis 6.2 or later,
Valkey. Any number of workers may run, be killed and be replaced.

    python worker_orders.py publish ord-1 149.99 us-east-1
    python worker_orders.py work
"""

import asyncio
import logging
import os
import sys
from dataclasses import dataclass

from headwater.worker import AsyncConsumer, AsyncEntry, AsyncProducer, Reject

URL = os.environ.get("REDIS_URL", "redis://localhost:6379")


@dataclass
class Order:
    order_id: str
    total: float
    region: str


async def publish(order: Order) -> None:
    async with AsyncProducer(URL, "orders", producer_id="shop", maxlen=1_000_000) as producer:
        # With the key it is added once, also when this program is run again.
        print(await producer.send(order, key=order.order_id))


async def process(entry: AsyncEntry[Order]) -> None:
    """Your business logic. An order may come twice (its worker died before it said that it was
    done), so do it in a way that a second time does no harm."""
    order = entry.data
    if order.total < 0:
        raise Reject(f"order {order.order_id} has a negative total")  # a dead letter at once
    print(f"Processing order {order.order_id}: ${order.total} in {order.region}", flush=True)


async def work() -> None:
    consumer = AsyncConsumer(
        URL,
        "orders",
        "order-processors",
        model=Order,
        concurrency=10,
        backoff=[2, 10, 60],  # seconds from a failure to the next try
        max_deliveries=5,  # and then it goes to orders:dead-letter
    )
    await consumer.run(process)  # until SIGTERM or SIGINT; what has been begun is finished


def main(what: str, *words: str) -> None:
    logging.basicConfig(level=logging.INFO)
    if what == "publish":
        order_id, total, region = words
        asyncio.run(publish(Order(order_id, float(total), region)))
    elif what == "work":
        asyncio.run(work())


if __name__ == "__main__":
    main(*sys.argv[1:])
