"""The scan order against a plain list of (serial, key)."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from headwater.keyspace.order import CHUNK_KEYS, KeyOrder


def test_a_scan_of_nothing_ends_at_once() -> None:
    assert KeyOrder().scan(0, 10) == (0, [])
    assert KeyOrder().scan(2**64 - 1, 10) == (0, [])
    assert KeyOrder().random_key(Random(1)) is None


def test_a_scan_goes_from_the_newest_to_the_oldest_and_ends_exactly() -> None:
    order = KeyOrder()
    for i in range(4):
        order.append(b"%d" % i)
    cursor, keys = order.scan(0, 2)
    assert (cursor, keys) == (3, [b"3", b"2"])
    assert order.scan(cursor, 2) == (0, [b"1", b"0"])
    assert order.scan(0, 4) == (0, [b"3", b"2", b"1", b"0"])
    assert order.scan(1, 4) == (0, [])
    assert order.scan(2**64 - 1, 1) == (4, [b"3"])


def _check(order: KeyOrder, model: dict[int, bytes]) -> None:
    assert order.count == len(model)
    assert order.scan(0, len(model) + 1) == (0, [model[s] for s in sorted(model, reverse=True)])
    assert all(0 < len(chunk.keys) <= CHUNK_KEYS for chunk in order.chunks)
    assert len(order.chunks) <= 1 + len(model) // 100


@given(seed=st.integers(0, 2**32), removals=st.lists(st.integers(0, 3000), max_size=12))
def test_order_is_that_of_a_list(seed: int, removals: list[int]) -> None:
    """Many keys come, runs of them go at random places, more come."""
    rng = Random(seed)
    order = KeyOrder()
    model: dict[int, bytes] = {}
    for run in removals:
        for _ in range(rng.randrange(1500)):
            key = b"k%d" % order.next_serial
            model[order.append(key)] = key
        serials = sorted(model)
        start = rng.randrange(len(serials) + 1)
        for serial in serials[start : start + run]:
            if rng.random() < 0.9:
                order.remove(serial)
                del model[serial]
    _check(order, model)


@given(seed=st.integers(0, 2**32), count=st.integers(1, 400))
def test_a_key_that_stays_is_visited_and_the_scan_ends(seed: int, count: int) -> None:
    rng = Random(seed)
    order = KeyOrder()
    live = {order.append(b"%d" % i) for i in range(rng.randrange(3000))}
    staying = {serial for serial in live if rng.random() < 0.3}
    names = {serial: b"%d" % (serial - 1) for serial in staying}
    seen: Counter[bytes] = Counter()
    cursor = 0
    calls = 0
    while True:
        cursor, keys = order.scan(cursor, count)
        seen.update(keys)
        calls += 1
        if not cursor:
            break
        for _ in range(rng.randrange(100)):
            live.add(order.append(b"new"))
        for serial in [s for s in live - staying if rng.random() < 0.2]:
            order.remove(serial)
            live.discard(serial)
    assert all(seen[name] == 1 for name in names.values())
    assert b"new" not in seen
    assert calls <= 3000 // count + 2


def test_random_keys_are_spread_evenly() -> None:
    order = KeyOrder()
    serials = [order.append(b"%d" % i) for i in range(2000)]
    for serial in serials:
        if serial % 100:
            order.remove(serial)
    rng = Random(7)
    counts = Counter(order.random_key(rng) for _ in range(4000))
    assert len(counts) == 20
    assert min(counts.values()) > 120
