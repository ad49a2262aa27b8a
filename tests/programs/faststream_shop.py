"""A FastStream application: a shop that takes orders from streams, channels and lists.

    faststream_shop.py URL NAME [--claim | --autoclaim] [--stall ORDER]

It prints a line of JSON for each message that a handler was given, and `ready` once it subscribes.
--claim makes the orders' subscriber take over with each read what others have left pending
(XREADGROUP CLAIM), --autoclaim adds a subscriber that does nothing else (XAUTOCLAIM). With --stall
the handler never returns from this order.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Annotated, Any

from faststream import AckPolicy, FastStream, Path
from faststream.redis import ListSub, PubSub, RedisBroker, RedisStreamMessage, StreamSub
from pydantic import BaseModel

LEFT_BEHIND_MS = 60_000


class Order(BaseModel):
    """What the producer sends; FastStream validates it."""

    number: int
    title: str
    price: float


arguments = argparse.ArgumentParser()
arguments.add_argument("url")
arguments.add_argument("name")
arguments.add_argument("--claim", action="store_true")
arguments.add_argument("--autoclaim", action="store_true")
arguments.add_argument("--stall", type=int)
options = arguments.parse_args()

broker = RedisBroker(options.url, logger=None)
app = FastStream(broker, logger=None)


def show(kind: str, **fields: Any) -> None:
    print(json.dumps({"kind": kind, **fields}), flush=True)


async def take(order: Order, message: RedisStreamMessage, how: str) -> str:
    show(
        "order",
        how=how,
        deliveries=await message.get_delivery_count(),
        earlier=message.raw_message.get("delivery_counts"),
        correlation=message.correlation_id,
        **order.model_dump(),
    )
    if order.number == options.stall:
        await asyncio.Event().wait()
    return f"{options.name} took order {order.number}: {order.title}"


# Acknowledged when the handler has returned; what it returns goes to a list.
@broker.subscriber(
    stream=StreamSub(
        "orders",
        group="shop",
        consumer=options.name,
        claim_min_idle_time=LEFT_BEHIND_MS if options.claim else None,
    )
)
@broker.publisher(list="invoices")
async def handle_order(order: Order, message: RedisStreamMessage) -> str:
    return await take(order, message, "read")


if options.autoclaim:

    @broker.subscriber(
        stream=StreamSub(
            "orders", group="shop", consumer=f"{options.name}-2", min_idle_time=LEFT_BEHIND_MS
        )
    )
    @broker.publisher(list="invoices")
    async def handle_left_behind(order: Order, message: RedisStreamMessage) -> str:
        return await take(order, message, "claimed")


# A handler that says itself what becomes of a message: the odd ones stay pending.
@broker.subscriber(
    stream=StreamSub("parcels", group="shop", consumer=options.name),
    ack_policy=AckPolicy.MANUAL,
)
async def handle_parcel(number: int, message: RedisStreamMessage) -> None:
    if number % 2 == 0:
        await message.ack()
    else:
        await message.nack()
    show("parcel", number=number)


@broker.subscriber(
    stream=StreamSub("clicks", group="shop", consumer=options.name, batch=True, max_records=100)
)
async def handle_clicks(clicks: list[int]) -> None:
    show("clicks", numbers=clicks)


@broker.subscriber(stream=StreamSub("plain", last_id="0"))
async def handle_plain(text: str) -> None:
    show("plain", text=text)


@broker.subscriber("news")
async def handle_news(text: str) -> None:
    show("news", text=text)


@broker.subscriber(channel=PubSub("logs.{level}.*", pattern=True))
async def handle_log(text: str, level: Annotated[str, Path()]) -> None:
    show("log", level=level, text=text)


@broker.subscriber("double")
async def double(number: int) -> int:
    return 2 * number


@broker.subscriber(list="letters")
async def handle_letter(body: bytes) -> None:
    show("letter", hex=body.hex())


@broker.subscriber(list=ListSub("bulk", batch=True, max_records=100))
async def handle_bulk(numbers: list[int]) -> None:
    show("bulk", numbers=numbers)


@app.after_startup
async def say_ready() -> None:
    print("ready", flush=True)


asyncio.run(app.run())
