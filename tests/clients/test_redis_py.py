"""redis-py, synchronous, unmodified: both protocols, decoded and not."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import redis

from support.servers import Server

BLOCKED_SECONDS = 20


def text(value: Any) -> Any:
    """The value with all bytes decoded, so that one expectation serves all four clients."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return {text(key): text(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [text(item) for item in value]
    return value


def by_stream(reply: Any) -> dict[str, list[Any]]:
    """XREAD's reply as {stream: entries}: redis-py gives a list (RESP2) or a dict (RESP3)."""
    reply = text(reply)
    if isinstance(reply, dict):
        return {key: chunk[0] if nested(chunk) else chunk for key, chunk in reply.items()}
    return dict(reply or [])


def nested(chunk: list[Any]) -> bool:
    """Whether entries come one list deeper than [[id, fields], ...]."""
    return bool(chunk) and (not chunk[0] or isinstance(chunk[0][0], list))


def wait_blocked(client: Any, count: int = 1) -> None:
    """Return once the server counts this many blocked clients."""
    deadline = time.monotonic() + BLOCKED_SECONDS
    while client.info("clients")["blocked_clients"] < count:
        assert time.monotonic() < deadline, "the client is not blocked"
        time.sleep(0.001)


def test_a_stream(client: Any) -> None:
    assert text(client.xadd("s", {"name": "first", "n": 1}, id="1-0")) == "1-0"
    assert text(client.xadd("s", {"name": "second"}, id="2-*")) == "2-0"
    generated = text(client.xadd("s", {"name": "third"}, maxlen=100, approximate=True))
    assert generated.endswith("-0")
    assert client.xlen("s") == 3
    assert text(client.xrange("s", "-", "2")) == [
        ["1-0", {"name": "first", "n": "1"}],
        ["2-0", {"name": "second"}],
    ]
    assert text(client.xrevrange("s", "(2-0", "-", count=1)) == [
        ["1-0", {"name": "first", "n": "1"}]
    ]
    assert by_stream(client.xread({"s": "1-0"}, count=1)) == {"s": [["2-0", {"name": "second"}]]}
    assert not client.xread({"s": "$"})
    assert client.xdel("s", "1-0", "7-0") == 1
    assert client.xtrim("s", maxlen=1, approximate=False) == 1
    info = text(client.xinfo_stream("s"))
    assert info["length"] == 1
    assert info["entries-added"] == 3
    assert info["max-deleted-entry-id"] == "1-0"
    assert text(client.xinfo_stream("s", full=True))["length"] == 1


def test_binary_fields(headwater: Server) -> None:
    with redis.Redis(host="127.0.0.1", port=headwater.port) as client:
        value = bytes(range(256)) * 3
        client.xadd("s", {value: b"", b"": value}, id="1-0")
        assert client.xrange("s") == [(b"1-0", {value: b"", b"": value})]


def test_a_consumer_group(client: Any) -> None:
    assert client.xgroup_create("s", "g", id="0", mkstream=True) is True
    with pytest.raises(redis.ResponseError, match="BUSYGROUP"):
        client.xgroup_create("s", "g")
    for number in range(1, 6):
        client.xadd("s", {"n": number}, id=f"{number}-0")
    read = by_stream(client.xreadgroup("g", "ann", {"s": ">"}, count=3))
    assert read == {"s": [[f"{n}-0", {"n": str(n)}] for n in (1, 2, 3)]}
    assert client.xack("s", "g", "1-0", "9-0") == 1
    assert text(client.xpending("s", "g")) == {
        "pending": 2,
        "min": "2-0",
        "max": "3-0",
        "consumers": [{"name": "ann", "pending": 2}],
    }
    [row] = text(client.xpending_range("s", "g", "-", "+", 1, consumername="ann"))
    assert (row["message_id"], row["consumer"], row["times_delivered"]) == ("2-0", "ann", 1)
    assert text(client.xclaim("s", "g", "bob", 0, ["2-0"])) == [["2-0", {"n": "2"}]]
    claimed = text(client.xautoclaim("s", "g", "bob", 0, "0-0"))
    assert claimed[0] == "0-0"
    assert [entry[0] for entry in claimed[1]] == ["2-0", "3-0"]
    assert claimed[2] == []
    assert text(client.xautoclaim("s", "g", "bob", 0, "0-0", justid=True)) == ["2-0", "3-0"]
    [group] = text(client.xinfo_groups("s"))
    assert (group["name"], group["pending"], group["last-delivered-id"]) == ("g", 2, "3-0")
    assert (group["entries-read"], group["lag"]) == (3, 2)
    names = {row["name"]: row["pending"] for row in text(client.xinfo_consumers("s", "g"))}
    assert names == {"ann": 0, "bob": 2}
    assert client.xgroup_createconsumer("s", "g", "cyd") == 1
    assert client.xgroup_delconsumer("s", "g", "bob") == 2
    assert client.xgroup_setid("s", "g", "0") is True
    assert client.xgroup_destroy("s", "g") == 1


def test_blocking(client: Any, headwater: Server) -> None:
    client.xgroup_create("s", "g", id="$", mkstream=True)
    found: list[Any] = []
    with redis.Redis(host="127.0.0.1", port=headwater.port, decode_responses=True) as other:
        reader = threading.Thread(
            target=lambda: found.append(other.xreadgroup("g", "ann", {"s": ">"}, block=20_000))
        )
        reader.start()
        wait_blocked(client)
        client.xadd("s", {"n": 1}, id="1-0")
        reader.join(BLOCKED_SECONDS)
    assert by_stream(found[0]) == {"s": [["1-0", {"n": "1"}]]}
    assert not client.xread({"s": "$"}, block=1)


def test_pipeline_and_transaction(client: Any) -> None:
    pipe = client.pipeline(transaction=False)
    for number in range(1, 1001):
        pipe.xadd("s", {"n": number}, id=f"{number}-0")
    assert text(pipe.execute())[-1] == "1000-0"
    pipe = client.pipeline(transaction=True)
    pipe.set("counter", "1").xlen("s").get("counter").delete("counter")
    assert text(pipe.execute()) == [True, 1000, "1", 1]
    with client.pipeline() as pipe:
        pipe.watch("counter")
        client.set("counter", "2")
        pipe.multi()
        pipe.get("counter")
        with pytest.raises(redis.WatchError):
            pipe.execute()
    with client.pipeline() as pipe:
        pipe.watch("counter")
        pipe.multi()
        pipe.get("counter")
        assert text(pipe.execute()) == ["2"]


def test_keys(client: Any) -> None:
    for number in range(50):
        client.set(f"key:{number}", number)
    client.xadd("stream", {"f": "v"})
    assert sorted(text(list(client.scan_iter(match="key:*", count=7)))) == sorted(
        f"key:{number}" for number in range(50)
    )
    assert text(list(client.scan_iter(_type="stream"))) == ["stream"]
    assert client.dbsize() == 51
    assert client.expire("stream", 1000) is True
    assert 990 < client.ttl("stream") <= 1000
    assert client.persist("stream") is True
    assert client.rename("stream", "renamed") is True
    assert text(client.type("renamed")) == "stream"
    assert client.copy("renamed", "copied") is True
    assert client.delete("renamed", "copied") == 2
    assert client.flushdb() is True


def test_the_connection(client: Any) -> None:
    assert client.ping() is True
    assert text(client.echo("hello")) == "hello"
    assert text(client.client_getname()) == "tests"
    assert client.client_id() > 0
    [me] = [row for row in client.client_list() if row["id"] == str(client.client_id())]
    assert me["lib-name"].startswith("redis-py")
    info = client.info()
    assert info["redis_version"]
    assert info["tcp_port"]
    assert client.config_get("stream-node-max-entries") == {"stream-node-max-entries": "100"}
    assert text(client.time())[0] > 0
    assert client.command_count() > 50
    assert client.role()


def test_an_unknown_subcommand_is_a_clean_error(client: Any) -> None:
    with pytest.raises(redis.ResponseError, match="unknown subcommand"):
        client.execute_command("CLIENT", "NO-SUCH-THING")
    assert client.ping() is True


def test_databases(headwater: Server) -> None:
    with (
        redis.Redis(host="127.0.0.1", port=headwater.port, db=0) as zero,
        redis.Redis(host="127.0.0.1", port=headwater.port, db=5) as five,
    ):
        five.set("k", "five")
        assert zero.get("k") is None
        zero.swapdb(0, 5)
        assert zero.get("k") == b"five"
        assert zero.move("k", 5) is True
        assert five.get("k") == b"five"
