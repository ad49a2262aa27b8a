"""redis-py, unmodified: scripts, functions, locks, lists, strings, transactions."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from redis.commands.core import Script

from clients.applications import until
from clients.test_redis_py import text, wait_blocked
from support.servers import Server

SECONDS = 20
BINARY = bytes(range(256))


def test_binary_messages_and_handlers(headwater: Server) -> None:
    found: list[Any] = []
    with redis.Redis(host="127.0.0.1", port=headwater.port) as client, client.pubsub() as listener:
        listener.subscribe(raw=found.append)
        assert listener.get_message(timeout=SECONDS)["type"] == "subscribe"
        worker = listener.run_in_thread(sleep_time=0.001)
        client.publish("raw", BINARY)
        until(lambda: found, "the message")
        worker.stop()
        worker.join(SECONDS)
    assert [message["data"] for message in found] == [BINARY]


MOVE = """
local found = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[1])
for _, entry in ipairs(found) do
  redis.call('XADD', KEYS[2], entry[1], unpack(entry[2]))
  redis.call('XDEL', KEYS[1], entry[1])
end
return {#found, redis.call('XLEN', KEYS[1])}
"""


def test_scripts(client: Any) -> None:
    for number in range(1, 6):
        client.xadd("from", {"n": number}, id=f"{number}-0")
    move = client.register_script(MOVE)
    assert isinstance(move, Script)
    assert move(keys=["from", "to"], args=[2]) == [2, 3]
    client.script_flush()
    assert client.script_exists(move.sha) == [False]
    assert move(keys=["from", "to"], args=[2]) == [2, 1]
    assert client.script_exists(move.sha) == [True]
    pipe = client.pipeline()
    move(keys=["from", "to"], args=[9], client=pipe)
    pipe.xlen("to")
    assert pipe.execute() == [[1, 0], 5]
    assert [entry[0] for entry in text(client.xrange("to"))] == [f"{n}-0" for n in range(1, 6)]

    assert text(client.eval("return {KEYS[1], ARGV[1], 1.9, false, 'x'}", 1, "k", "a")) == [
        *("k", "a", 1, None, "x")
    ]
    assert text(client.eval("return cjson.encode({1, 'two', cjson.decode('{\"a\":[3]}')})", 0)) == (
        '[1,"two",{"a":[3]}]'
    )
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        client.eval("return redis.call('LPUSH', KEYS[1], 'x')", 1, "to")
    with pytest.raises(redis.exceptions.NoScriptError):
        client.evalsha("0" * 40, 0)
    with pytest.raises(redis.ResponseError, match="Write commands are not allowed"):
        client.eval_ro("return redis.call('SET', KEYS[1], 'x')", 1, "k")


def test_locks(client: Any) -> None:
    """redis-py's own lock: three scripts."""
    lock = client.lock("lock", timeout=100)
    assert lock.acquire(blocking=False) is True
    other = client.lock("lock", timeout=100)
    assert other.acquire(blocking=False) is False
    assert lock.owned()
    assert not other.owned()
    assert lock.extend(50) is True
    assert 100_000 < client.pttl("lock") <= 150_000
    assert lock.reacquire() is True
    lock.release()
    with pytest.raises(redis.exceptions.LockError):
        lock.release()
    with client.lock("lock", timeout=100, blocking_timeout=SECONDS) as held:
        assert held.owned()
        client.set("lock", "stolen")
        with pytest.raises(redis.exceptions.LockNotOwnedError):
            held.extend(10)
        client.set("lock", held.local.token)
    assert client.exists("lock") == 0


LIBRARY = """#!lua name=shop
redis.register_function('sell', function(keys, args)
  return redis.call('XADD', keys[1], args[1], 'item', args[2])
end)
redis.register_function{
  function_name='sold', callback=function(keys) return redis.call('XLEN', keys[1]) end,
  flags={'no-writes'}
}
"""


def test_functions(client: Any) -> None:
    client.function_flush()
    assert text(client.function_load(LIBRARY)) == "shop"
    with pytest.raises(redis.ResponseError, match="already exists"):
        client.function_load(LIBRARY)
    assert text(client.function_load(LIBRARY, replace=True)) == "shop"
    assert text(client.fcall("sell", 1, "sales", "1-0", "tea")) == "1-0"
    assert int(client.fcall_ro("sold", 1, "sales")) == 1
    with pytest.raises(redis.ResponseError, match="write"):
        client.fcall_ro("sell", 1, "sales", "2-0", "tea")
    assert len(client.function_list("sh*", withcode=True)) == 1
    with redis.Redis(connection_pool=client.connection_pool) as same:
        dumped = same.execute_command("FUNCTION DUMP", **{redis.client.NEVER_DECODE: []})
    assert client.function_delete("shop")
    with pytest.raises(redis.ResponseError, match="Function not found"):
        client.fcall("sold", 1, "sales")
    assert client.function_restore(dumped)
    assert int(client.fcall("sold", 1, "sales")) == 1
    assert client.function_flush()


def test_lists(client: Any) -> None:
    assert client.rpush("l", *"abcde") == 5
    assert client.lpush("l", "z") == 6
    assert text(client.lrange("l", 0, -1)) == list("zabcde")
    assert client.linsert("l", "BEFORE", "c", "-") == 7
    assert client.lpos("l", "c") == 4
    assert client.lset("l", 0, "Z") is True
    assert client.ltrim("l", 0, 4) is True
    assert text(client.lindex("l", -1)) == "c"
    assert client.lrem("l", 0, "-") == 1
    assert text(client.lpop("l", 2)) == ["Z", "a"]
    assert text(client.rpop("l")) == "c"
    assert text(client.lmove("l", "m", "LEFT", "RIGHT")) == "b"
    assert client.exists("l") == 0
    assert client.rpush("m", "x", "y") == 3
    assert text(client.lmpop(2, "l", "m", direction="RIGHT", count=2)) == ["m", ["y", "x"]]
    assert client.lpushx("none", "a") == 0
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        client.xadd("m", {"f": "v"})


def test_blocking_lists(client: Any, headwater: Server) -> None:
    with redis.Redis(host="127.0.0.1", port=headwater.port, decode_responses=True) as other:
        calls: list[tuple[Callable[[], Any], Any]] = [
            (lambda: other.blpop(["l", "m"], SECONDS), ["l", "v"]),
            (lambda: other.brpop(["l", "m"], SECONDS), ["l", "v"]),
            (lambda: other.blmove("l", "to", SECONDS), "v"),
            (lambda: other.blmpop(SECONDS, 2, "m", "l", direction="LEFT"), ["l", ["v"]]),
        ]
        for call, expected in calls:
            with ThreadPoolExecutor(1) as pool:
                reply = pool.submit(call)
                wait_blocked(client)
                client.rpush("l", "v")
                assert text(reply.result(SECONDS)) == expected
    assert client.blpop(["l", "m"], timeout=0.001) is None


def test_optimistic_transactions(client: Any, headwater: Server) -> None:
    """WATCH, until nobody was in between: the first try is spoilt by another client."""
    client.set("counter", 5)
    tries = []
    with redis.Redis(host="127.0.0.1", port=headwater.port) as other:

        def raise_it(pipe: Any) -> None:
            value = int(pipe.get("counter"))
            if not tries:
                other.incr("counter")
            tries.append(value)
            pipe.multi()
            pipe.set("counter", value * 10)
            pipe.lpush("log", value)

        assert client.transaction(raise_it, "counter") == [True, 1]
    assert tries == [5, 6]
    assert text(client.get("counter")) == "60"
    pipe = client.pipeline()
    pipe.set("counter", "word").incr("counter").lpush("counter", 1).get("counter")
    results = pipe.execute(raise_on_error=False)
    assert results[0] is True
    assert isinstance(results[1], redis.ResponseError)
    assert isinstance(results[2], redis.ResponseError)
    assert text(results[3]) == "word"


def test_strings(client: Any) -> None:
    assert client.mset({"a": 1, "b": "two"}) is True
    assert text(client.mget("a", "b", "none")) == ["1", "two", None]
    assert client.incrby("a", 41) == 42
    assert client.incrbyfloat("a", 0.5) == 42.5
    assert client.append("b", "!") == 4
    assert text(client.getrange("b", 1, -1)) == "wo!"
    assert client.setrange("b", 6, "x") == 7
    assert text(client.getdel("b")) == "two!\0\0x"
    assert text(client.getex("a", ex=100)) == "42.5"
    assert 0 < client.ttl("a") <= 100
    assert text(client.set("a", "new", get=True, keepttl=True)) == "42.5"
    assert client.set("a", "x", nx=True) is None
    assert client.msetnx({"a": 1, "c": 2}) is False
    assert text(client.lcs("a", "a")) == "new"
