"""redis-py's pub/sub, unmodified: synchronous and asyncio, both protocols."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import redis
import redis.asyncio

from support.servers import Server

WAIT_SECONDS = 20


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def client(request: pytest.FixtureRequest, headwater: Server) -> Iterator[Any]:
    with redis.Redis(
        host="127.0.0.1", port=headwater.port, protocol=request.param, decode_responses=True
    ) as connected:
        yield connected


def next_message(pubsub: Any) -> dict[str, Any]:
    message = pubsub.get_message(ignore_subscribe_messages=False, timeout=WAIT_SECONDS)
    assert message is not None
    return {key: message[key] for key in ("type", "pattern", "channel", "data")}


def test_channels_and_patterns(client: Any) -> None:
    with client.pubsub() as pubsub:
        pubsub.subscribe("orders", "bills")
        pubsub.psubscribe("ord*")
        assert [next_message(pubsub)["data"] for _ in range(3)] == [1, 2, 3]
        assert client.publish("orders", "ord-7829") == 2
        kinds = [next_message(pubsub) for _ in range(2)]
        assert [message["type"] for message in kinds] == ["message", "pmessage"]
        assert {message["data"] for message in kinds} == {"ord-7829"}
        assert sorted(client.pubsub_channels()) == ["bills", "orders"]
        assert client.pubsub_numsub("orders", "none") == [("orders", 1), ("none", 0)]
        assert client.pubsub_numpat() == 1
        pubsub.ping("are you there")
        pubsub.unsubscribe()
        pubsub.punsubscribe()
        found = [next_message(pubsub) for _ in range(4)]
        assert [message["type"] for message in found][-1] == "punsubscribe"
        assert found[-1]["data"] == 0
    assert client.publish("orders", "nobody") == 0


def test_handlers_in_a_thread(client: Any) -> None:
    got: list[str] = []
    pubsub = client.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe(orders=lambda message: got.append(message["data"]))
    thread = pubsub.run_in_thread(sleep_time=0.01)
    try:
        for number in range(100):
            while client.publish("orders", number) == 0:
                pass
        client.publish("orders", "end")
        deadline = WAIT_SECONDS * 100
        while not got or got[-1] != "end":
            thread.join(0.01)
            deadline -= 1
            assert deadline, "not all came"
    finally:
        thread.stop()
        thread.join()
        pubsub.close()
    assert got == [*map(str, range(100)), "end"]


def test_shard_channels(client: Any) -> None:
    with client.pubsub() as pubsub:
        pubsub.ssubscribe("orders")
        assert next_message(pubsub)["type"] == "ssubscribe"
        assert client.publish("orders", "no") == 0
        assert client.spublish("orders", "yes") == 1
        message = pubsub.get_sharded_message(timeout=WAIT_SECONDS)
        assert (message["type"], message["data"]) == ("smessage", "yes")


def test_keyspace_notifications(client: Any) -> None:
    client.config_set("notify-keyspace-events", "KEA")
    try:
        with client.pubsub() as pubsub:
            pubsub.psubscribe("__keyspace@0__:orders")
            next_message(pubsub)
            client.xadd("orders", {"orderId": "ord-7829"})
            client.xgroup_create("orders", "g", "0")
            client.xreadgroup("g", "c", {"orders": ">"})
            client.delete("orders")
            events = [next_message(pubsub)["data"] for _ in range(4)]
            assert events == ["xadd", "xgroup-create", "xgroup-createconsumer", "del"]
    finally:
        client.config_set("notify-keyspace-events", "")


def test_a_pipeline_that_publishes(client: Any) -> None:
    with client.pubsub() as pubsub:
        pubsub.subscribe("orders")
        next_message(pubsub)
        with client.pipeline(transaction=True) as pipe:
            pipe.publish("orders", "1").set("k", "v").publish("orders", "2")
            assert pipe.execute() == [1, True, 1]
        assert [next_message(pubsub)["data"] for _ in range(2)] == ["1", "2"]


@pytest.mark.parametrize("protocol", [2, 3])
def test_asyncio(headwater: Server, protocol: int) -> None:
    async def listen() -> list[str]:
        got = []
        async with (
            redis.asyncio.Redis(
                host="127.0.0.1", port=headwater.port, protocol=protocol, decode_responses=True
            ) as client,
            client.pubsub() as pubsub,
        ):
            await pubsub.subscribe("orders")
            await pubsub.psubscribe("b*")
            for name in ("orders", "bills", "orders"):
                while await client.publish(name, name) == 0:
                    pass
            async for message in pubsub.listen():
                if message["type"].endswith("message"):
                    got.append(message["data"])
                if len(got) == 3:
                    break
        return got

    got = asyncio.run(asyncio.wait_for(listen(), WAIT_SECONDS))
    assert got == ["orders", "bills", "orders"]
