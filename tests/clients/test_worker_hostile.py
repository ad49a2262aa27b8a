"""headwater.worker where handlers misbehave and workers leave things behind: all three servers."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from clients.applications import until
from clients.worker_servers import dead_letters, old_redis_binary
from headwater.worker import AsyncConsumer, AsyncEntry, Consumer, Entry, scripts
from headwater.worker.options import generated_name
from support import servers
from support.servers import Server

pytestmark = pytest.mark.skipif(
    os.environ.get("HEADWATER_TEST_SUBJECT", "") == "redis", reason="both servers are in here"
)
QUICK: dict[str, Any] = {"block": 0.1, "reconnect_cap": 0.1, "signals": False}


@pytest.fixture(scope="module")
def old_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = servers.start_redis(old_redis_binary(), tmp_path_factory.mktemp("old"))
    yield server
    server.stop()


@pytest.fixture(params=["headwater", "reference", "old_server"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    found.connect().ok("FLUSHALL")
    return found


@pytest.fixture
def client(server: Server) -> Iterator[Any]:
    with redis.Redis(port=server.port, decode_responses=True) as connected:
        yield connected


def url(server: Server) -> str:
    return f"redis://127.0.0.1:{server.port}"


def deliveries(client: Any) -> list[int]:
    rows = client.xpending_range("orders", "shop", "-", "+", 10)
    return [row["times_delivered"] for row in rows]


# --- names that are left behind ---


def test_names_of_killed_workers(server: Server, client: Any) -> None:
    """Only names that were made up, with nothing pending, idle for long, and not one's own."""
    client.xgroup_create("orders", "shop", mkstream=True)
    me, gone, busy, also_gone = (generated_name() for _ in range(4))
    for name in (me, gone, "pod-1", "pod-7-0123abcd", also_gone):
        client.xgroup_createconsumer("orders", "shop", name)
    client.xadd("orders", {"number": 1})
    client.xreadgroup("shop", busy, {"orders": ">"})

    def tidy(idle_ms: int) -> int:
        deleted: int = client.eval(scripts.TIDY.text, 1, "orders", "shop", me, idle_ms)
        return deleted

    assert tidy(3_600_000) == 0
    assert tidy(0) == 2
    left = {row["name"] for row in client.xinfo_consumers("orders", "shop")}
    assert left == {me, busy, "pod-1", "pod-7-0123abcd"}
    assert deliveries(client) == [1]


def test_headwater_deletes_names_by_itself(headwater: Server) -> None:
    """The group is told so when its workers have made up names, and nobody said otherwise."""
    headwater.connect().ok("FLUSHALL")
    with redis.Redis(port=headwater.port, decode_responses=True) as client:

        def ttl_after(**options: Any) -> int:
            with Consumer(url(headwater), "orders", "shop", **options, **QUICK) as consumer:
                client.xadd("orders", {"number": 1})
                next(consumer).ack()
            words = client.execute_command("XGROUP", "CFGGET", "orders", "shop")
            found = (
                words
                if isinstance(words, dict)
                else dict(zip(words[::2], words[1::2], strict=True))
            )
            return int(found["consumerttl"])

        assert ttl_after(name="pod-1") == 0
        assert ttl_after() == 3_600_000
        client.execute_command("XGROUP", "CFGSET", "orders", "shop", "CONSUMERTTL", 60_000)
        assert ttl_after() == 60_000


# --- handlers that misbehave ---


def test_what_a_handler_waits_for_is_cancelled(server: Server, client: Any) -> None:
    """That is a failure of this entry; the consumer goes on."""
    done: list[str] = []

    async def main() -> None:
        consumer = AsyncConsumer(
            url(server), "orders", "shop", max_deliveries=2, backoff=[0.5], **QUICK
        )

        async def handle(entry: AsyncEntry[dict[str, str]]) -> None:
            if entry.data["number"] == "1":
                other = asyncio.ensure_future(asyncio.sleep(3600))
                other.cancel()
                await other
            done.append(entry.data["number"])

        async with consumer.running(handle):
            while not client.exists("orders:dead-letter") or len(set(done)) < 2:
                await asyncio.sleep(0.01)

    for number in range(3):
        client.xadd("orders", {"number": number})
    asyncio.run(asyncio.wait_for(main(), 60))
    assert set(done) == {"0", "2"}
    assert [letter["number"] for letter in dead_letters(client)] == ["1"]


def test_a_plain_handler_that_a_cancelled_error_leaves(server: Server, client: Any) -> None:
    client.xadd("orders", {"number": 1})

    def handle(entry: Entry[dict[str, str]]) -> None:
        raise asyncio.CancelledError

    consumer = Consumer(url(server), "orders", "shop", max_deliveries=1, **QUICK)
    with consumer.running(handle):
        until(lambda: len(dead_letters(client)) == 1, "the dead letter")


def test_an_exit_in_a_handler_counts(server: Server, client: Any) -> None:
    """Or one entry would end one worker after the other, for ever."""
    client.xadd("orders", {"number": 1})

    def handle(entry: Entry[dict[str, str]]) -> None:
        raise SystemExit(3)

    for count in (1, 2):
        consumer = Consumer(
            url(server),
            *("orders", "shop"),
            max_deliveries=2,
            backoff=[0.3],
            ack_wait=0.3,
            **QUICK,
        )
        with pytest.raises(SystemExit):
            consumer.run(handle)
        if count == 1:
            assert deliveries(client) == [1]
    until(lambda: len(dead_letters(client)) == 1, "the dead letter")


def test_plain_handlers_beside_an_event_loop_all_at_once(server: Server, client: Any) -> None:
    """As many as `concurrency` says, whatever the loop's own executor has."""
    count = 50
    together = threading.Barrier(count)
    for number in range(count):
        client.xadd("orders", {"number": number})

    def handle(entry: AsyncEntry[dict[str, str]]) -> None:
        together.wait(30)

    async def main() -> None:
        consumer = AsyncConsumer(url(server), "orders", "shop", concurrency=count, **QUICK)
        async with consumer.running(handle):
            while client.xinfo_groups("orders")[0]["last-delivered-id"] == "0-0" or deliveries(
                client
            ):
                await asyncio.sleep(0.01)

    client.xgroup_create("orders", "shop", "0")
    asyncio.run(asyncio.wait_for(main(), 60))
    assert not together.broken


HANGS = """
import asyncio, os, signal, sys, threading
from headwater.worker import AsyncConsumer

def handle(entry):
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait()

consumer = AsyncConsumer(sys.argv[1], "orders", "shop", block=0.1, stop_timeout=0.1)
asyncio.run(consumer.run(handle))
print("over")
"""


def test_a_plain_handler_that_hangs_does_not_keep_the_program(server: Server, client: Any) -> None:
    """Beside an event loop: the deadline passes, the entry is given back, the program ends."""
    client.xadd("orders", {"number": 1})
    ended = subprocess.run(
        [sys.executable, "-c", HANGS, url(server)], capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (0, "over\n"), ended.stderr
    assert deliveries(client) == [0]


def test_a_dead_letter_of_more_fields_than_lua_can_hand_on(server: Server, client: Any) -> None:
    """It says where the entry is, which stays in its stream; and it is nobody's any more."""
    client.xadd("orders", {f"f{n}": n for n in range(5000)})
    with Consumer(url(server), "orders", "shop", **QUICK) as consumer:
        next(consumer).reject()
    [letter] = dead_letters(client)
    [(entry_id, _)] = client.xrange("orders")
    assert (letter["original_stream"], letter["original_id"]) == ("orders", entry_id)
    assert deliveries(client) == []


def test_a_full_server_is_worked_off(server: Server, client: Any) -> None:
    """A worker that starts when there is no memory left goes on with a group that is there."""
    consumer = Consumer(url(server), "orders", "shop", name="pod-1", **QUICK)
    client.xadd("orders", {"number": 1})
    with consumer:
        next(consumer).ack()  # and the group is made, with its settings
    client.xadd("orders", {"number": 2})
    done: list[str] = []

    def handle(entry: Entry[dict[str, str]]) -> None:
        done.append(entry.data["number"])

    client.config_set("maxmemory", 1)
    try:
        with consumer.running(handle):
            until(lambda: done == ["2"] and not deliveries(client), "the work to be done")
    finally:
        client.config_set("maxmemory", 0)
