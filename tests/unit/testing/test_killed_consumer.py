"""Store.kill: a consumer whose connections are gone, whatever it was doing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis
import redis.asyncio

from headwater.testing import Store


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store()
    client = store.client()
    client.xgroup_create("s", "g", 0, mkstream=True)
    client.execute_command("XGROUP", "CFGSET", "s", "g", "LEASE", "connection")
    yield store
    store.close()


def blocked(store: Store, count: int) -> None:
    """Return when so many clients wait."""
    client = store.client()
    while client.info("clients")["blocked_clients"] != count:
        pass


@pytest.mark.parametrize("by_socket", [False, True])
def test_what_it_held_is_delivered_again(store: Store, by_socket: bool) -> None:
    worker = redis.Redis.from_url(store.serve()) if by_socket else store.client()
    store.client().xadd("s", {"a": 1})
    assert len(worker.xreadgroup("g", "worker", {"s": ">"})[0][1]) == 1
    assert store.client().xreadgroup("g", "other", {"s": ">"}) == []
    assert store.kill(worker) == 1
    assert len(store.client().xreadgroup("g", "other", {"s": ">"})[0][1]) == 1
    with pytest.raises(redis.ConnectionError, match="killed by the test"):
        worker.ping()
    with pytest.raises(LookupError):
        store.kill(worker)


@pytest.mark.parametrize("by_socket", [False, True])
def test_one_that_waits_is_woken_by_the_end(store: Store, by_socket: bool) -> None:
    worker = redis.Redis.from_url(store.serve()) if by_socket else store.client()
    errors: list[Exception] = []

    def work() -> None:
        try:
            worker.xreadgroup("g", "worker", {"s": ">"}, block=0)
        except redis.ConnectionError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    blocked(store, 1)
    assert store.kill(worker) == 1
    thread.join()
    assert len(errors) == 1
    blocked(store, 0)


@pytest.mark.parametrize("by_socket", [False, True])
def test_an_asyncio_client(store: Store, by_socket: bool) -> None:
    async def main() -> None:
        worker: Any
        worker = redis.asyncio.Redis.from_url(store.serve()) if by_socket else store.async_client()
        waiting = asyncio.create_task(worker.xreadgroup("g", "worker", {"s": ">"}, block=0))
        await asyncio.to_thread(blocked, store, 1)
        assert store.kill(worker) == 1
        with pytest.raises(redis.ConnectionError):
            await waiting
        with pytest.raises(redis.ConnectionError, match="killed by the test"):
            await worker.ping()

    asyncio.run(main())


def test_by_the_name_of_the_consumer(store: Store) -> None:
    worker, other = store.client(), store.client()
    store.client().xadd("s", {"a": 1})
    worker.xreadgroup("g", "worker", {"s": ">"})
    other.xreadgroup("g", "other", {"s": ">"})
    with pytest.raises(LookupError, match="nobody"):
        store.kill("nobody")
    with pytest.raises(LookupError):
        store.kill("worker", stream="another")
    with pytest.raises(LookupError):
        store.kill("worker", group="another")
    assert store.kill("worker", stream="s", group=b"g") == 1
    assert len(other.xreadgroup("g", "other", {"s": ">"})[0][1]) == 1
    assert worker.ping(), "its client has connected again"
