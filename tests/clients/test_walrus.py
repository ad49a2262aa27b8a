"""walrus, unmodified: streams as containers, lists, its locks, cache and limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from support.servers import Server

pytestmark = pytest.mark.frameworks


@pytest.fixture
def db(headwater: Server, framework: Callable[[str], None]) -> Iterator[Any]:
    framework("walrus")
    from walrus import Database

    database = Database(host="127.0.0.1", port=headwater.port)
    yield database
    database.close()


def test_a_stream(db: Any) -> None:
    stream = db.Stream("s")
    ids = [stream.add({"n": number}) for number in range(10)]
    assert len(stream) == 10
    assert stream[ids[3]] == (ids[3], {b"n": b"3"})
    assert [entry[0] for entry in stream[ids[2] : ids[4]]] == ids[2:5]
    del stream[ids[0]]
    assert stream.range(stop=ids[1]) == [(ids[1], {b"n": b"1"})]
    assert stream.trim(5, approximate=False) == 4
    assert [entry[1][b"n"] for entry in stream] == [b"5", b"6", b"7", b"8", b"9"]
    assert stream.info()["length"] == 5


def test_a_consumer_group(db: Any) -> None:
    one, two = db.Stream("one"), db.Stream("two")
    group = db.consumer_group("g", ["one", "two"], consumer="ann")
    assert group.create(mkstream=True) == {"one": True, "two": True}
    ids = [one.add({"n": 1}), two.add({"n": 2})]
    read = dict(group.read(block=1))
    assert read == {b"one": [(ids[0], {b"n": b"1"})], b"two": [(ids[1], {b"n": b"2"})]}
    assert not group.read()
    [row] = group.one.pending()
    assert (row["message_id"], row["consumer"], row["times_delivered"]) == (ids[0], b"ann", 1)
    bob = group.consumer("bob")
    assert bob.one.claim(ids[0]) == [(ids[0], {b"n": b"1"})]
    assert bob.one.ack(ids[0]) == 1
    assert bob.two.autoclaim("bob", 0)[1] == [(ids[1], {b"n": b"2"})]
    group.set_id("0")
    assert len(dict(group.read())) == 2
    group.destroy()


def test_a_time_series(db: Any) -> None:
    series = db.time_series("g", ["ann", "bob"], consumer="c")
    series.create(mkstream=True)
    days = [datetime(2026, 1, day) for day in range(1, 6)]
    for number, day in enumerate(days):
        (series.ann, series.bob)[number % 2].add({"n": number}, id=day)
    read = series.read()
    assert [message.timestamp for message in read] == days
    assert [message.data for message in read] == [{"n": str(number)} for number in range(5)]
    assert [message.timestamp for message in series.ann[days[1] : days[3]]] == [days[2]]


@pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")
def test_lists_locks_and_limits(db: Any) -> None:
    items = db.List("l")
    items.extend(["a", "b", "c"])
    items.prepend("z")
    assert [*items] == [b"z", b"a", b"b", b"c"]
    assert items[1:3] == [b"a", b"b"]
    assert (items.popleft(), items.pop(), len(items)) == (b"z", b"c", 2)

    lock, other = db.lock("l", ttl=10_000), db.lock("l", ttl=10_000)
    assert lock.acquire() is True
    assert other.acquire(block=False) is False
    assert other.release() is False
    assert lock.release() is True
    with other:
        assert lock.acquire(block=False) is False

    limit = db.rate_limit("r", limit=3, per=1000)
    assert [limit.limit("ann") for _ in range(5)] == [False, False, False, True, True]
    script = db.rate_limit_lua("r2", limit=3, per=1000)
    assert [script.limit("ann") for _ in range(5)] == [False, False, False, True, True]

    cache = db.cache()
    cache.set("k", {"deep": [1, None]}, timeout=100)
    assert cache.get("k") == {"deep": [1, None]}
    cache.delete("k")
    assert cache.get("k", "gone") == "gone"
    assert db.cas("c", "old", "new") == 0
    db["c"] = "old"
    assert db.cas("c", "old", "new") == 1
    assert db["c"] == b"new"
