"""Engine's methods return what redis-py's methods of the same names return, sync and async."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any

import pytest
import redis

import headwater
from headwater import aio
from headwater.clock import ManualClock
from headwater.embedded import aio_basics, basics, twin

NOW_MS = 1_700_000_000_000
FIELDS = {"item": "umbrella", "quantity": 2, "price": 9.5, b"raw": b"\xff\x00"}

Step = tuple[str, tuple[Any, ...], dict[str, Any]]


def step(method: str, *args: Any, **kwargs: Any) -> Step:
    return method, args, kwargs


STEPS: list[Step] = [
    step("xadd", "s", FIELDS),
    step("xadd", b"s", {"\u00e4": "\u20ac" * 3000}, id=f"{NOW_MS}-7"),
    step("xadd", "s", {"a": 1}, maxlen=100, limit=5),
    step("xadd", "s", {"a": 2}, minid="1-0", approximate=False, ref_policy="DELREF"),
    step("xadd", "none", {"a": 2}, nomkstream=True),
    step("xadd", "i", {"a": 2}, idmp=("p", b"1")),
    step("xadd", "i", {"a": 2}, idmp=("p", b"1")),
    step("xadd", "i", {"a": 2}, idmpauto="p"),
    step("xlen", "s"),
    step("xrange", "s"),
    step("xrange", "s", min="(0-0", max="+", count=1),
    step("xrevrange", "s", count=2),
    step("xrange", "none"),
    step("xread", {"s": "0", "i": "0"}, count=1),
    step("xread", {"s": "$"}),
    step("xgroup_create", "s", "g", "0"),
    step("xgroup_create", "m", "g", mkstream=True),
    step("xgroup_create", "s", "g2", id="$", entries_read=2),
    step("xreadgroup", "g", "c", {"s": ">", "m": ">"}, count=2),
    step("xreadgroup", "g", "c", {"s": "0"}),
    step("xreadgroup", "g", "c", {"s": ">"}, claim_min_idle_time=0),
    step("xreadgroup", "g", "c", {"s": ">"}, noack=True),
    step("xpending", "s", "g"),
    step("xpending", "s", "g2"),
    step("xpending_range", "s", "g", "-", "+", 10),
    step("xpending_range", "s", "g", "-", "+", 10, consumername="c", idle=0),
    step("xinfo_stream", "s"),
    step("xinfo_stream", "s", full=True),
    step("xinfo_stream", "m"),
    step("xinfo_groups", "s"),
    step("xinfo_consumers", "s", "g"),
    step("xclaim", "s", "g", "d", 0, [f"{NOW_MS}-0"], retrycount=4),
    step("xclaim", "s", "g", "d", 0, [f"{NOW_MS}-0"], justid=True, force=True, idle=5),
    step("xautoclaim", "s", "g", "e", 0, count=1),
    step("xautoclaim", "s", "g", "e", 0, justid=True),
    step("xnack", "s", "g", "FAIL", f"{NOW_MS}-0", retrycount=1),
    step("xack", "s", "g", f"{NOW_MS}-7", "1-1"),
    step("xackdel", "s", "g", f"{NOW_MS}-0", "1-1"),
    step("xdelex", "s", f"{NOW_MS}-8", "1-1", ref_policy="ACKED"),
    step("xdel", "s", f"{NOW_MS}-8", "1-1"),
    step("xreadgroup", "g", "e", {"s": "0"}),
    step("xtrim", "s", maxlen=1, approximate=False),
    step("xtrim", "s", minid=f"{NOW_MS}-0", ref_policy="KEEPREF"),
    step("xcfgset", "i", idmp_duration=50),
    step("xgroup_setid", "s", "g", "0", entries_read=0),
    step("xgroup_createconsumer", "s", "g", "new"),
    step("xgroup_delconsumer", "s", "g", "e"),
    step("xgroup_destroy", "s", "g2"),
    step("xgroup_destroy", "s", "g2"),
    step("set", "k", "v", ex=10, nx=True),
    step("set", "k", "v", nx=True),
    step("set", "k", 5, get=True),
    step("set", "k", 5, xx=True, keepttl=True, px=None),
    step("get", "k"),
    step("get", "none"),
    step("mget", "k", "none"),
    step("incrby", "k", 3),
    step("exists", "k", "none"),
    step("type", "s"),
    step("keys", "*"),
    step("dbsize"),
    step("expire", "k", 100),
    step("pexpire", "none", 100),
    step("ttl", "k"),
    step("pttl", "k"),
    step("persist", "k"),
    step("rename", "k", "k2"),
    step("unlink", "k2", "none"),
    step("delete", "i"),
    step("lpush", "l", "a", 1, 2.5),
    step("rpush", "l", b"z"),
    step("llen", "l"),
    step("lrange", "l", 0, -1),
    step("lpop", "l"),
    step("rpop", "l", 2),
    step("lpop", "none"),
    step("publish", "c", "m"),
    step("eval", "return {KEYS[1], ARGV[1], 5}", 1, "k", "v"),
    step("config_get", "maxmemory*"),
    step("config_set", "maxmemory", "100mb"),
    step("config_get", "maxmemory"),
    step("ping"),
    step("time"),
    # Errors.
    step("xadd", "l", {"a": 1}),
    step("xadd", "s", {"a": 1}, id="1-1"),
    step("xreadgroup", "nogroup", "c", {"s": ">"}),
    step("xgroup_create", "s", "g"),
    step("eval", "return redis.error_reply('MYERR x')", 0),
    step("flushall"),
    step("dbsize"),
]


def outcome(call: Any, *args: Any, **kwargs: Any) -> Any:
    """What a call returns, or the exception's type and text."""
    try:
        return call(*args, **kwargs)
    except redis.ResponseError as error:
        return type(error), str(error)


def spelled(result: Any) -> Any:
    """With the types of all that is in it."""
    if isinstance(result, dict):
        return type(result), [(spelled(k), spelled(v)) for k, v in result.items()]
    if isinstance(result, list | tuple):
        return type(result), [spelled(item) for item in result]
    return type(result), result


@pytest.fixture
def expected() -> Iterator[list[Any]]:
    with_redis_py = headwater.connect(clock=ManualClock(NOW_MS), protocol=2)
    found = []
    for method, args, kwargs in STEPS:
        found.append(outcome(getattr(with_redis_py, method), *args, **kwargs))
    yield found
    with_redis_py.close()


def compare(found: list[Any], expected: list[Any]) -> None:
    for (method, args, _), mine, theirs in zip(STEPS, found, expected, strict=True):
        if method == "xcfgset":
            theirs = theirs == b"OK"  # which redis-py leaves as it is
        assert spelled(mine) == spelled(theirs), (method, args)


class TestLikeRedisPy:
    def test_every_method(self, expected: list[Any]) -> None:
        with headwater.open(clock=ManualClock(NOW_MS)) as engine:
            found = [outcome(getattr(engine, m), *args, **kwargs) for m, args, kwargs in STEPS]
        compare(found, expected)

    def test_every_coroutine(self, expected: list[Any]) -> None:
        async def run() -> list[Any]:
            found: list[Any] = []
            async with aio.open(clock=ManualClock(NOW_MS)) as engine:
                for method, args, kwargs in STEPS:
                    try:
                        found.append(await getattr(engine, method)(*args, **kwargs))
                    except redis.ResponseError as error:
                        found.append((type(error), str(error)))
            return found

        compare(asyncio.run(run()), expected)

    def test_methods_are_named_and_take_what_redis_py_takes(self) -> None:
        only_here = {"execute", "xcfgget", "xgroup_cfgget", "xgroup_cfgset", "xgroup_reset"}
        for name, method in inspect.getmembers(basics.Commands, callable):
            if name.startswith(("_", "xsch", "xredrive", "xsetid")) or name in only_here:
                continue
            theirs = getattr(redis.Redis, name)
            if name in ("mget", "blpop", "brpop", "config_get", "config_set", "xclaim"):
                continue  # keys as a list, and the like
            wanted = [p for p in inspect.signature(theirs).parameters if p != "kwargs"]
            mine = list(inspect.signature(method).parameters)
            common = [p for p in mine if p in wanted]
            assert common == [p for p in wanted if p in mine], name


class TestTwin:
    @pytest.mark.parametrize("name", twin.TWINS)
    def test_the_asyncio_files_are_made_from_the_others(self, name: str) -> None:
        made = twin.FOLDER / twin.TWINS[name]
        assert made.read_text() == twin.twin(name), "python -m headwater.embedded.twin"

    def test_every_public_method_is_a_coroutine(self) -> None:
        for name, method in inspect.getmembers(aio_basics.Commands, inspect.isfunction):
            if not name.startswith("_"):
                assert inspect.iscoroutinefunction(method), name
