"""headwater.worker: what becomes of entries, on Headwater, on Redis, on an old Redis."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from clients.applications import until
from clients.worker_servers import (
    BadNetwork,
    Worker,
    dead_letters,
    noted,
    old_redis_binary,
)
from headwater.worker import (
    AsyncConsumer,
    AsyncProducer,
    ConfigurationError,
    Consumer,
    Entry,
    Producer,
    Reject,
)
from support import servers
from support.servers import Server

pytestmark = pytest.mark.skipif(
    os.environ.get("HEADWATER_TEST_SUBJECT", "") == "redis", reason="both servers are in here"
)
QUICK: dict[str, Any] = {"block": 0.1, "reconnect_cap": 0.1, "signals": False}
HOUR = {"ack_wait": 3600.0, "backoff": [3600.0]}


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


def manages(server: Server) -> bool:
    return server.kind == "headwater"


def nothing_pending(client: Any, stream: str = "orders", group: str = "shop") -> bool:
    return bool(client.xpending(stream, group)["pending"] == 0)


# --- stopping ---


@pytest.mark.parametrize("kind", ["async", "sync"])
def test_sigterm_lets_the_handler_finish_and_gives_back_the_rest(
    server: Server, client: Any, kind: str, tmp_path: Path
) -> None:
    record = tmp_path / "record"
    for number in range(6):
        client.xadd("orders", {"number": number, "do": "hang"})
    with Worker(kind, url(server), record, prefetch=5, **HOUR, block=0.2) as worker:
        worker.expect("began 0")
        until(lambda: client.xpending("orders", "shop")["pending"] == 6, "all to be read")
        worker.process.terminate()

        def given_back() -> bool:
            rows = client.xpending_range("orders", "shop", "-", "+", 10)
            return all(row["times_delivered"] == 0 for row in rows[1:])

        until(given_back, "the rest to be given back")
        assert worker.process.poll() is None
        (tmp_path / "record.go").touch()
        worker.finish()
    assert noted(record, "done") == ["0"]
    assert [name["name"] for name in client.xinfo_consumers("orders", "shop")] == (
        [] if manages(server) else [client.xinfo_consumers("orders", "shop")[0]["name"]]
    )
    with Worker(kind, url(server), record, prefetch=5, **HOUR, block=0.2) as worker:
        until(lambda: nothing_pending(client), "another to do the rest, at once")
        worker.end()
    assert sorted(noted(record, "done")) == ["0", "1", "2", "3", "4", "5"]


@pytest.mark.parametrize("kind", ["async", "sync"])
def test_the_deadline(server: Server, client: Any, kind: str, tmp_path: Path) -> None:
    """A handler that goes on for ever does not keep the program from ending well."""
    record = tmp_path / "record"
    client.xadd("orders", {"number": 0, "do": "sleep"})
    options = {**HOUR, "block": 0.2, "stop_timeout": 0.3}
    with Worker(kind, url(server), record, **options) as worker:
        worker.expect("began 0")
        worker.end()
    assert noted(record, "done") == []
    [row] = client.xpending_range("orders", "shop", "-", "+", 10)
    assert row["times_delivered"] == 0
    if not manages(server):
        assert row["time_since_delivered"] > 3_600_000


def test_a_second_signal_hurries(server: Server, client: Any, tmp_path: Path) -> None:
    client.xadd("orders", {"number": 0, "do": "sleep"})
    for kind in ("async", "sync"):
        with Worker(kind, url(server), tmp_path / kind, block=0.2, stop_timeout=600) as worker:
            worker.expect("began 0")
            worker.process.terminate()
            worker.expect("stopping")
            worker.end()


# --- leases ---


@pytest.mark.parametrize("kind", ["async", "sync"])
def test_a_long_task_stays_with_its_worker(
    server: Server, client: Any, kind: str, tmp_path: Path
) -> None:
    """Its idle time goes down again and again, so that nobody else thinks it is dead."""
    record = tmp_path / "record"
    options = {"ack_wait": 2.0, "backoff": [2.0], "block": 0.2}
    client.xadd("orders", {"number": 0, "do": "hang"})
    with Worker(kind, url(server), record, **options) as busy:
        busy.expect("began 0")
        with Worker(kind, url(server), record, **options) as waiting:
            signs, last = 0, 0
            began = time.monotonic()

            def alive() -> bool:
                nonlocal signs, last
                [row] = client.xpending_range("orders", "shop", "-", "+", 10)
                idle = row["time_since_delivered"]
                signs += idle < last
                last = idle
                return signs >= 4 and time.monotonic() - began > 2.5

            until(alive, "signs of life")
            (tmp_path / "record.go").touch()
            until(lambda: nothing_pending(client), "the end of the task")
            waiting.end()
        busy.end()
    assert noted(record, "began") == noted(record, "done") == ["0"]


@pytest.mark.parametrize("by", ["ack", "claim"])
def test_what_is_lost_is_left_alone(server: Server, client: Any, by: str) -> None:
    """An entry that was acknowledged, or taken by another, is not touched when it fails."""
    client.xadd("orders", {"number": 0})
    terms: dict[str, Any] = {"ack_wait": 0.6, "backoff": [0.6], "max_deliveries": 1}
    with Consumer(url(server), "orders", "shop", **terms, **QUICK) as consumer:
        entry = next(consumer)
        if by == "ack":
            client.xack("orders", "shop", entry.id)
        else:
            client.xclaim("orders", "shop", "thief", 0, [entry.id], idle=0, justid=True)
            client.execute_command(  # so that it does not lapse while this test looks
                *("XCLAIM", "orders", "shop", "thief", 0, entry.id, "JUSTID")
            )
        until(lambda: entry.lost, "the loss to be noticed")
        entry.fail()
    rows = client.xpending_range("orders", "shop", "-", "+", 10)
    assert [row["consumer"] for row in rows if row["consumer"]] == (
        [] if by == "ack" else [row["consumer"] for row in rows]
    )
    if by == "ack":
        assert rows == []
        assert dead_letters(client) == []


# --- failures ---


def test_retries_then_a_dead_letter(server: Server, client: Any) -> None:
    tried: list[int] = []

    def handler(entry: Entry[dict[str, str]]) -> None:
        tried.append(entry.deliveries())
        raise ValueError("no")

    original = client.xadd("orders", {"b": "1", "a": "2"})
    terms: dict[str, Any] = {"backoff": [0.05, 0.1], "ack_wait": 3600.0, "max_deliveries": 3}
    consumer = Consumer(url(server), "orders", "shop", name="me", **terms, **QUICK)
    with consumer.running(handler):
        until(lambda: client.xlen("orders:dead-letter"), "the dead letter")
    [letter] = dead_letters(client)
    assert tried == [1, 2, 3]
    at = int(letter.pop("dead_lettered_at"))
    assert abs(at - time.time() * 1000) < 60_000
    # Nobody had it last where the server took it back before it buried it.
    assert letter.pop("consumer") in ("me", "")
    assert list(letter.items()) == [
        *(("b", "1"), ("a", "2"), ("original_stream", "orders"), ("original_id", original)),
        *(("group", "shop"), ("deliveries", "3"), ("reason", "max-deliveries")),
    ]
    assert nothing_pending(client)
    assert client.xlen("orders") == 1


def test_reject(server: Server, client: Any) -> None:
    def handler(entry: Entry[dict[str, str]]) -> None:
        raise Reject("never")

    client.xadd("orders", {"n": 1})
    consumer = Consumer(
        url(server), "orders", "shop", dead_letter="failed", max_deliveries=3, **QUICK
    )
    with consumer.running(handler):
        until(lambda: client.xlen("failed"), "the dead letter")
    [letter] = dead_letters(client, "failed")
    assert (letter["reason"], letter["deliveries"]) == ("fatal", "1")
    assert nothing_pending(client)


def test_headwater_puts_dead_letters_of_any_server_back(headwater: Server) -> None:
    """Those that this library makes have the fields that XREDRIVE wants."""
    with redis.Redis(port=headwater.port, decode_responses=True) as client:
        client.xadd("orders", {"n": 1})
        client.xgroup_create("orders", "shop", "0")
        client.xreadgroup("shop", "me", {"orders": ">"})
        from headwater.worker import scripts

        [row] = client.xpending_range("orders", "shop", "-", "+", 1)
        keys = ["orders", "orders:dead-letter"]
        buried = client.eval(scripts.BURY.text, 2, *keys, "shop", "me", "fatal", row["message_id"])
        assert buried == 1
        [[_, new]] = client.execute_command("XREDRIVE", "orders:dead-letter")
        assert client.xrange("orders", new, new) == [(new, {"n": "1"})]


@dataclasses.dataclass
class Order:
    number: int
    tags: list[str]
    total: float | None = None


def test_poison_becomes_a_dead_letter(server: Server, client: Any) -> None:
    got: list[Order] = []

    def handler(entry: Entry[Order]) -> None:
        got.append(entry.data)

    with Producer(url(server), "orders") as producer:
        producer.send(Order(1, ["a", "b"], 2.5))
        producer.send({"number": "seven", "tags": "[]"})
        producer.send({"number": 3, "tags": "no json"})
        producer.send(Order(4, []))
    consumer = Consumer(url(server), "orders", "shop", model=Order, **QUICK)
    with consumer.running(handler):
        until(lambda: len(got) == 2 and nothing_pending(client), "the good ones")
    assert got == [Order(1, ["a", "b"], 2.5), Order(4, [])]
    assert [letter["number"] for letter in dead_letters(client)] == ["seven", "3"]


def test_a_group_that_vanishes_is_made_again(server: Server, client: Any) -> None:
    """What was added to the new stream before the group was there again is not missed."""
    got: list[str] = []
    consumer = Consumer(url(server), "orders", "shop", start="$", **QUICK)
    with consumer.running(lambda entry: got.append(entry.data["n"])):
        until(lambda: client.exists("orders"), "the group")
        client.xadd("orders", {"n": 1})
        until(lambda: got == ["1"], "the first")
        with client.pipeline() as pipeline:
            pipeline.delete("orders").xadd("orders", {"n": 2}).execute()
        until(lambda: got == ["1", "2"], "the second")


def test_a_deleted_entry_is_pending_no_more(server: Server, client: Any) -> None:
    """An entry that was deleted while it was with a dead consumer: Redis 6.2 keeps it pending."""
    first = client.xadd("orders", {"n": 1})
    client.xadd("orders", {"n": 2})
    client.xgroup_create("orders", "shop", "0")
    client.xreadgroup("shop", "dead", {"orders": ">"})
    client.xdel("orders", first)
    got: list[str] = []
    terms: dict[str, Any] = {"ack_wait": 0.2, "backoff": [0.2]}
    consumer = Consumer(url(server), "orders", "shop", **terms, **QUICK)
    with consumer.running(lambda entry: got.append(entry.data["n"])):
        until(lambda: got == ["2"], "the other one")
        if not manages(server):  # Headwater leaves it alone until somebody claims it
            until(lambda: nothing_pending(client), "the deleted one")


# --- a bad network ---


def test_a_lost_reply_of_a_read(server: Server, client: Any) -> None:
    """Entries whose reply got lost are worked on, and not only after ack_wait."""
    network = BadNetwork(server.port)
    got: list[str] = []
    consumer = Consumer(network.url, "orders", "shop", **HOUR, **QUICK)
    try:
        with consumer.running(lambda entry: got.append(entry.data["n"])):
            client.xadd("orders", {"n": 1})
            until(lambda: got == ["1"], "the first")
            network.cut_reply_to(b"", when=lambda reply: b"lost" in reply)
            client.xadd("orders", {"n": "lost"})
            until(lambda: got == ["1", "lost"], "the one whose reply got lost")
            assert network.cuts == 1
            until(lambda: nothing_pending(client), "the acknowledgement")
    finally:
        network.close()


def test_a_lost_reply_of_an_xadd(server: Server, client: Any) -> None:
    network = BadNetwork(server.port)
    try:
        with Producer(network.url, "orders", reconnect_cap=0.05) as producer:
            producer.send({"n": 0})
            network.cut_reply_to(b"XADD")
            producer.send({"n": 1})
            network.cut_reply_to(b"XADD")
            ids = producer.send_many([{"n": n} for n in range(2, 150)])
            assert network.cuts == 2
            assert producer.is_idempotent == manages(server)
            kept = client.xrange("orders")
            if producer.is_idempotent:
                assert [fields["n"] for _, fields in kept] == [str(n) for n in range(150)]
                assert ids == [entry_id for entry_id, _ in kept[2:]]
            else:
                assert {fields["n"] for _, fields in kept} == {str(n) for n in range(150)}
    finally:
        network.close()


def test_an_acknowledgement_is_said_again(server: Server, client: Any) -> None:
    network = BadNetwork(server.port)
    got: list[str] = []
    consumer = Consumer(network.url, "orders", "shop", **HOUR, **QUICK)
    try:
        with consumer.running(lambda entry: got.append(entry.data["n"])):
            network.cut_reply_to(b"XACK")
            client.xadd("orders", {"n": 1})
            until(lambda: network.cuts == 1 and nothing_pending(client), "the acknowledgement")
            client.xadd("orders", {"n": 2})
            until(lambda: got == ["1", "2"] and nothing_pending(client), "the second")
    finally:
        network.close()


# --- settings ---


def settings(client: Any) -> dict[str, Any]:
    words = iter(client.execute_command("XGROUP CFGGET", "orders", "shop"))
    return client_map(words)


def client_map(words: Iterator[Any]) -> dict[str, Any]:
    return dict(zip(words, words, strict=True))


def test_the_order_of_settings(headwater: Server) -> None:
    """What the consumer was given, then what the group has, then the defaults."""
    names = ("ackwait", "maxdeliveries", "backoff", "deadletter")
    with redis.Redis(port=headwater.port, protocol=2, decode_responses=True) as client:

        def after(**options: Any) -> list[Any]:
            consumer = Consumer(url(headwater), "orders", "shop", **options, **QUICK)
            client.xadd("orders", {"n": 1})
            with consumer:
                next(consumer).ack()  # settings come before the first entry
            found = settings(client)
            return [found[name] for name in names]

        defaults = [30_000, 5, [5000, 30_000, 120_000, 600_000], "orders:dead-letter"]
        assert after() == defaults
        assert after(max_deliveries=9) == [30_000, 9, defaults[2], defaults[3]]
        client.execute_command(
            *("XGROUP CFGSET", "orders", "shop", "ACKWAIT", 1234, "MAXDELIVERIES", 7)
        )
        assert after() == [1234, 7, defaults[2], defaults[3]]
        assert after(ack_wait=2.5, backoff=[0.5], dead_letter="failed") == [
            2500,
            7,
            [500],
            "failed",
        ]
        assert after() == [2500, 7, [500], "failed"]


def test_order_by(headwater: Server) -> None:
    """Of a customer's orders one at a time, with any number of handlers."""
    with Producer(url(headwater), "orders") as producer:
        producer.send_many([{"customer": f"c{n % 3}", "n": n} for n in range(60)])
    lock = threading.Lock()
    busy: set[str] = set()
    got: dict[str, list[int]] = {"c0": [], "c1": [], "c2": []}

    def handler(entry: Entry[dict[str, str]]) -> None:
        customer = entry.data["customer"]
        with lock:
            assert customer not in busy
            busy.add(customer)
        got[customer].append(int(entry.data["n"]))
        with lock:
            busy.discard(customer)

    consumer = Consumer(
        url(headwater), "orders", "shop", order_by="customer", concurrency=4, **QUICK
    )
    with consumer.running(handler):
        until(lambda: sum(map(len, got.values())) == 60, "all orders")
    for customer, numbers in got.items():
        assert numbers == [n for n in range(60) if f"c{n % 3}" == customer]


@pytest.mark.parametrize("option", [{"order_by": "customer"}, {"lease": "connection"}])
def test_what_a_server_cannot_do_is_said(reference: Server, option: dict[str, Any]) -> None:
    with (
        pytest.raises(ConfigurationError, match="needs a server with XGROUP CFGSET"),
        Consumer(url(reference), "orders", "shop", **option, **QUICK) as consumer,
    ):
        next(consumer)


def test_a_wrong_password_is_raised_at_once(server: Server) -> None:
    wrong = f"redis://nobody:wrong@127.0.0.1:{server.port}"
    consumer = Consumer(wrong, "orders", "shop", **QUICK)
    with pytest.raises(redis.AuthenticationError):
        consumer.run(print)
    with pytest.raises(redis.AuthenticationError):
        asyncio.run(AsyncConsumer(wrong, "orders", "shop", **QUICK).run(print))


# --- clients ---


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("decode", [True, False])
def test_clients_of_any_shape(server: Server, protocol: int, decode: bool) -> None:
    """A client that is handed over may decode or not; it stays open."""
    got: list[Any] = []
    with redis.Redis(port=server.port, protocol=protocol, decode_responses=decode) as client:
        producer = Producer(client, "orders")
        producer.send({"raw": b"\xff\x00"})
        producer.send_many([{"raw": "a"}, {"raw": "b"}])
        consumer = Consumer(client, "orders", "shop", model=bytes, name="one", **QUICK)
        with consumer:
            for entry in consumer:
                with entry as data:
                    got.append(data[b"raw"])
                    if len(got) == 2:
                        raise ValueError("try again")
                if len(got) == 3:
                    break
        assert got == [b"\xff\x00", b"a", b"b"]
        assert client.ping()


def test_async_from_beginning_to_end(server: Server) -> None:
    async def main() -> list[int]:
        got: list[int] = []
        async with AsyncProducer(url(server), "orders") as producer:
            await asyncio.gather(*(producer.send({"n": n}) for n in range(250)))
        async with AsyncConsumer(url(server), "orders", "shop", prefetch=40, **QUICK) as consumer:
            async for entry in consumer:
                async with entry as data:
                    got.append(int(data["n"]))
                if len(got) == 250:
                    break
        return got

    assert sorted(asyncio.run(main())) == list(range(250))


def test_concurrency_of_the_async_consumer(server: Server) -> None:
    """So many handlers as was said work at a time, and no more."""

    async def main() -> int:
        most = now = done = 0
        all_there = asyncio.Event()

        async def handler(entry: Any) -> None:
            nonlocal most, now, done
            now += 1
            most = max(most, now)
            if now == 5:
                all_there.set()
            await all_there.wait()
            await asyncio.sleep(0)
            now -= 1
            done += 1
            if done == 50:
                consumer.stop()

        async with AsyncProducer(url(server), "orders") as producer:
            await producer.send_many([{"n": n} for n in range(50)])
        consumer = AsyncConsumer(url(server), "orders", "shop", concurrency=5, **QUICK)
        await asyncio.wait_for(consumer.run(handler), 30)
        return most

    assert asyncio.run(main()) == 5


def test_keys_tell_entries_apart(headwater: Server) -> None:
    """A program that starts again and sends the same order sends it once."""
    with redis.Redis(port=headwater.port) as client:
        ids = []
        for _ in range(2):
            with Producer(url(headwater), "orders", producer_id="shop-1") as producer:
                ids.append(producer.send({"n": 1}, key="order-1"))
                ids.append(producer.send({"n": 2}, key="order-2"))
        assert ids[:2] == ids[2:]
        assert client.xlen("orders") == 2
        with pytest.raises(ConfigurationError, match="producer_id"):
            Producer(client, "orders").send({"n": 1}, key="order-1")


def test_maxlen(server: Server, client: Any) -> None:
    with Producer(url(server), "orders", maxlen=10, exact=True) as producer:
        producer.send_many([{"n": n} for n in range(50)])
    assert [fields["n"] for _, fields in client.xrange("orders")] == [str(n) for n in range(40, 50)]


def test_a_lifespan(server: Server) -> None:
    """Consumers begin and end with an application."""
    from headwater.worker import lifespan

    async def main() -> tuple[list[str], Any]:
        got: list[str] = []
        there = asyncio.Event()

        async def handler(entry: Any) -> None:
            got.append(entry.data["n"])
            there.set()

        consumer = AsyncConsumer(url(server), "orders", "shop", **QUICK)
        async with AsyncProducer(url(server), "orders") as producer:
            async with lifespan((consumer, handler))(object()) as state:
                await producer.send({"n": 1})
                await asyncio.wait_for(there.wait(), 30)
            await producer.send({"n": 2})
        return got, state

    assert asyncio.run(main()) == (["1"], None)


def test_a_cluster(redis_binary: str, tmp_path: Path) -> None:
    """Stream and dead letters are in one slot by their names."""
    bus = str(servers.free_port())  # by itself it would be 10,000 higher, and too high
    flags = ("--cluster-enabled", "yes", "--cluster-port", bus)
    server = servers.start_redis(redis_binary, tmp_path, *flags)
    try:
        server.connect().ok("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        until(lambda: b"cluster_state:ok" in server.connect().ok("CLUSTER", "INFO"), "the cluster")
        with redis.RedisCluster(host="127.0.0.1", port=server.port) as client:
            with Producer(client, "orders") as producer:
                producer.send_many([{"n": n} for n in range(20)])
            client.xgroup_create("orders", "shop", "0")
            client.xreadgroup("shop", "dead", {"orders": ">"}, count=5)
            got: list[str] = []

            def handler(entry: Entry[dict[str, str]]) -> None:
                got.append(entry.data["n"])
                if entry.data["n"] == "7":
                    raise Reject("seven")

            terms: dict[str, Any] = {"ack_wait": 0.2, "backoff": [0.2]}
            with Consumer(client, "orders", "shop", **terms, **QUICK).running(handler):
                until(lambda: len(got) == 20 and nothing_pending(client), "all of them")
            assert client.xlen("{orders}:dead-letter") == 1
    finally:
        server.stop()
