"""Clients on a store under a redis-py that lacks what later versions have."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from redis.maint_notifications import MaintNotificationsConfig

from headwater.embedded.versions import spare_maintenance

WITHOUT = """
import asyncio, sys
import redis, redis.asyncio, redis._parsers.base
from redis.maint_notifications import MaintNotificationsConfig
OFF = MaintNotificationsConfig(enabled=False)  # of what this version cannot be freed
del redis._parsers.base.PushNotificationsParser
del redis._parsers.base.AsyncPushNotificationsParser
sys.modules["redis.maint_notifications"] = None
import headwater, headwater.aio
"""
"""The present redis-py made as version 5 is, as far as the clients of a store are concerned."""

PLAIN = """
for protocol in (2, 3):
    with headwater.connect(
        protocol=protocol, decode_responses=True, maint_notifications_config=OFF
    ) as client:
        heard = []
        pubsub = client.pubsub(push_handler_func=heard.append if protocol == 3 else None)
        pubsub.subscribe("news")
        client.publish("news", "one")
        while not heard or "message" not in heard[-1]:
            message = pubsub.get_message(timeout=10)
            if message is not None:
                heard.append([message["type"], message["channel"], message["data"]])
        assert heard[-1] == ["message", "news", "one"], heard
        pubsub.close()
        with client.pipeline() as pipe:
            assert pipe.xadd("s", {"a": 1}, id="1-0").xlen("s").execute() == ["1-0", 1]
        assert client.xread({"s": "$"}, block=1) in ([], {}, None)
        few = {"socket_timeout": 0.01, "retry": None}
        short = client.store.connect(maint_notifications_config=OFF, **few)
        try:
            short.xread({"s": "$"}, block=0)
        except redis.TimeoutError:
            print("timed out")
"""

ASYNC = """
async def program(protocol):
    async with headwater.aio.connect(protocol=protocol, decode_responses=True) as client:
        async with client.pubsub() as pubsub:
            await pubsub.subscribe("news")
            assert (await pubsub.get_message(timeout=10))["type"] == "subscribe"
            assert await pubsub.get_message(timeout=0.01) is None
            await client.publish("news", "one")
            assert (await pubsub.get_message(timeout=10))["data"] == "one"
        async with client.pipeline() as pipe:
            assert await pipe.xadd("s", {"a": 1}, id="1-0").xlen("s").execute() == ["1-0", 1]
        waiting = asyncio.create_task(client.blpop(["l"], 0))
        await asyncio.sleep(0)
        await client.rpush("l", "x")
        assert list(await waiting) == ["l", "x"]
        short = client.store.connect_async(socket_timeout=0.01, retry=None)
        try:
            await short.xread({"s": "$"}, block=0)
        except redis.TimeoutError:
            print("timed out")
        await short.aclose()

asyncio.run(program(2))
asyncio.run(program(3))
"""


@pytest.mark.parametrize("program", [PLAIN, ASYNC], ids=["plain", "asyncio"])
def test_clients_of_a_redis_py_without_what_came_later(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT + program], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, "timed out\ntimed out\n"), done.stderr


class Old:
    def __init__(self, db: int = 0) -> None:
        """Knows nothing of maintenance."""


class New:
    def __init__(self, maint_notifications_config: Any = None) -> None:
        """Asks a server for notices unless it is told not to."""


def test_only_who_knows_of_maintenance_is_told_to_leave_it() -> None:
    old: dict[str, Any] = {}
    spare_maintenance(old, Old)
    assert old == {}
    new: dict[str, Any] = {}
    spare_maintenance(new, New)
    assert new["maint_notifications_config"].enabled is False
    mine = MaintNotificationsConfig(enabled=True)
    asked: dict[str, Any] = {"maint_notifications_config": mine}
    spare_maintenance(asked, New)
    assert asked["maint_notifications_config"] is mine
