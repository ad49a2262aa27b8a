"""Databases against dictionaries, and what they tell to those who wait and watch."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from headwater.clock import ManualClock
from headwater.keyspace.database import Database, Keyspace
from headwater.keyspace.expiry import NEVER
from headwater.keyspace.strings import String
from headwater.resp.request import from_words
from headwater.streams.stream import Stream
from headwater.value import Value

KEYS = st.integers(0, 12).map(lambda n: b"k%d" % n)
DBS = st.integers(0, 2)
TTLS = st.integers(1, 3000) | st.integers(1, 10**12)


class DatabaseMachine(RuleBasedStateMachine):
    """Three databases; the model is a dict of (data, expire_at) for each, expired keys kept out."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(1_000_000)
        self.keyspace = Keyspace(self.clock, 3, Random(1))
        self.model: list[dict[bytes, tuple[bytes, int]]] = [{}, {}, {}]

    def _live(self, db: int) -> dict[bytes, tuple[bytes, int]]:
        now = self.clock.now_ms
        self.model[db] = {k: v for k, v in self.model[db].items() if not 0 < v[1] <= now}
        return self.model[db]

    @rule(db=DBS, key=KEYS, data=st.binary(max_size=3), ttl=st.just(0) | TTLS)
    def store(self, db: int, key: bytes, data: bytes, ttl: int) -> None:
        value = String(data)
        value.expire_at = self.clock.now_ms + ttl if ttl else 0
        self.keyspace.databases[db].lookup_write(key)
        self.keyspace.databases[db].set(key, value)
        self.model[db][key] = (data, value.expire_at)

    @rule(db=DBS, key=KEYS)
    def delete(self, db: int, key: bytes) -> None:
        there = self._live(db).pop(key, None) is not None
        assert self.keyspace.databases[db].delete(key) == there

    @rule(db=DBS, key=KEYS, ttl=TTLS)
    def set_expiry(self, db: int, key: bytes, ttl: int) -> None:
        value = self.keyspace.databases[db].lookup_write(key)
        if value is not None:
            at_ms = self.clock.now_ms + ttl
            self.keyspace.databases[db].set_expiry(key, value, at_ms)
            self.model[db][key] = (self.model[db][key][0], at_ms)

    @rule(db=DBS, key=KEYS)
    def persist(self, db: int, key: bytes) -> None:
        value = self.keyspace.databases[db].lookup_write(key)
        if value is not None:
            self.keyspace.databases[db].persist(value)
            self.model[db][key] = (self.model[db][key][0], 0)

    @rule(db=DBS, key=KEYS, to=DBS, new_key=KEYS)
    def move(self, db: int, key: bytes, to: int, new_key: bytes) -> None:
        source = self.keyspace.databases[db]
        if (db, key) != (to, new_key) and source.lookup_write(key) is not None:
            source.move(key, self.keyspace.databases[to], new_key)
            self.model[to][new_key] = self._live(db).pop(key)

    @rule(first=DBS, second=DBS)
    def swap(self, first: int, second: int) -> None:
        self.keyspace.swap(first, second)
        model = self.model
        model[first], model[second] = model[second], model[first]

    @rule(db=DBS)
    def flush(self, db: int) -> None:
        self.keyspace.databases[db].flush()
        self.model[db].clear()

    @rule(ms=TTLS, back=st.booleans())
    def time(self, ms: int, back: bool) -> None:
        for db in range(3):
            self._live(db)
        # What has expired once may come back to life when the clock is set back: both are
        # right, so nothing expired is left to either.
        while self.keyspace.expire_due(5):
            pass
        for database in self.keyspace.databases:
            for key in list(database.values):
                database.lookup_write(key)
        self.clock.advance(-(ms % 100_000) if back else ms)

    @rule()
    def expire(self) -> None:
        while self.keyspace.expire_due(5):
            pass
        for database in self.keyspace.databases:
            for value in database.values.values():
                assert not 0 < value.expire_at <= self.clock.now_ms - 128

    @rule()
    def free(self) -> None:
        while self.keyspace.free_some(3):
            pass
        assert self.keyspace.graveyard == []

    @invariant()
    def same(self) -> None:
        for db in range(3):
            database = self.keyspace.databases[db]
            live = self._live(db)
            found = {}
            for key in database.values:
                value = database.peek(key)
                if value is not None:
                    assert isinstance(value, String)
                    found[key] = (value.content(), value.expire_at)
            assert found == live
            self._check_indexes(database)

    def _check_indexes(self, database: Database) -> None:
        _, keys = database.order.scan(0, 100)
        assert sorted(keys) == sorted(database.values)
        assert database.size() == database.order.count
        listed = [key for keys in database.wheel.buckets.values() for key in keys]
        expiring = [key for key, value in database.values.items() if value.expire_at]
        assert sorted(listed) == sorted(expiring)
        assert database.expiring() == len(expiring)
        for key in expiring:
            value = database.values[key]
            assert database.wheel.buckets[value.wheel][value.slot] == key


TestDatabaseMachine = DatabaseMachine.TestCase


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1000)


@pytest.fixture
def keyspace(clock: ManualClock) -> Keyspace:
    return Keyspace(clock, 2, Random(1))


def put(db: Database, key: bytes, expire_at: int = 0) -> Value:
    value = String(key)
    value.expire_at = expire_at
    db.set(key, value)
    return value


def test_lookups_count_hits_misses_and_note_the_access(
    keyspace: Keyspace, clock: ManualClock
) -> None:
    db = keyspace.databases[0]
    value = put(db, b"k")
    clock.advance(5000)
    assert db.inspect(b"k") is value
    assert db.peek(b"k") is value
    assert value.access_ms == 1000
    keyspace.touch = False
    assert db.lookup_read(b"k") is value
    assert value.access_ms == 1000
    keyspace.touch = True
    assert db.lookup_read(b"k") is value
    assert value.access_ms == 6000
    assert db.lookup_read(b"none") is None
    assert db.lookup_write(b"none") is None
    assert (keyspace.keyspace_hits, keyspace.keyspace_misses) == (3, 1)


def test_an_expired_key_is_a_miss_and_is_deleted(keyspace: Keyspace, clock: ManualClock) -> None:
    db = keyspace.databases[0]
    put(db, b"k", 1500)
    clock.advance(499)
    assert db.peek(b"k") is not None
    clock.advance(1)
    assert db.peek(b"k") is None
    assert db.has_expired(b"k")
    assert db.size() == 1
    assert db.lookup_read(b"k") is None
    assert db.size() == 0
    assert (keyspace.keyspace_misses, keyspace.expired_keys) == (1, 1)


def test_active_expiry_can_be_turned_off(keyspace: Keyspace, clock: ManualClock) -> None:
    put(keyspace.databases[1], b"k", 1500)
    clock.advance(2000)
    keyspace.active_expiry = False
    assert keyspace.next_due_ms() == NEVER
    assert not keyspace.expire_due(10)
    assert keyspace.expired_keys == 0
    keyspace.active_expiry = True
    assert keyspace.next_due_ms() <= clock.now_ms
    assert not keyspace.expire_due(10)
    assert keyspace.expired_keys == 1


def test_active_expiry_goes_in_parts_through_all_databases(
    keyspace: Keyspace, clock: ManualClock
) -> None:
    for db in keyspace.databases:
        for i in range(100):
            put(db, b"%d" % i, 1500)
    clock.advance(2000)
    rounds = 1
    while keyspace.expire_due(20):
        assert keyspace.expired_keys == 20 * rounds
        rounds += 1
    assert rounds == 10
    assert keyspace.expired_keys == 200


def test_those_who_wait_hear_of_what_comes_and_goes(keyspace: Keyspace, clock: ManualClock) -> None:
    first, second = keyspace.databases
    for db in keyspace.databases:
        db.waiting[b"k"] = object()

    def heard() -> list[tuple[int, bytes]]:
        told = [(db.index, key) for db, key in keyspace.ready]
        keyspace.ready.clear()
        return told

    put(first, b"other")
    assert heard() == []
    put(first, b"k")
    assert heard() == [(0, b"k")]
    put(first, b"k")
    assert heard() == [(0, b"k")]
    first.move(b"other", first, b"k")
    assert heard() == [(0, b"k")]
    first.move(b"k", second, b"k")
    assert heard() == [(0, b"k"), (1, b"k")]
    keyspace.swap(0, 1)
    assert heard() == [(0, b"k"), (1, b"k")]
    first.flush()
    second.flush()
    assert heard() == [(0, b"k")]
    put(first, b"k", 2000)
    clock.advance(5000)
    keyspace.expire_due(10)
    assert heard() == [(0, b"k"), (0, b"k")]
    put(first, b"k")
    first.delete(b"k")
    assert heard() == [(0, b"k"), (0, b"k")]


class Big(String):
    """A value of many units."""

    __slots__ = ("content",)

    def __init__(self, units: int) -> None:
        super().__init__(b"")
        self.content = list(range(units))

    def free_units(self) -> int:
        return len(self.content)

    def parts(self) -> list[list[int]]:
        return [self.content]


def test_big_values_are_freed_in_parts(keyspace: Keyspace) -> None:
    db = keyspace.databases[0]
    values = [Big(1000) for _ in range(4)]
    for i, value in enumerate(values):
        db.add(b"%d" % i, value)
    put(db, b"small")
    db.delete(b"small")
    assert keyspace.graveyard == []
    db.delete(b"0")
    db.replace(b"1", String(b""))
    db.add(b"from", String(b""))
    db.move(b"from", db, b"2")
    assert len(keyspace.graveyard) == 3
    db.flush()
    rounds = 1
    while keyspace.free_some(100):
        rounds += 1
        assert rounds < 100
    assert rounds >= 40
    assert [value.content for value in values] == [[], [], [], []]


def test_a_random_key_among_thousands_that_have_expired(
    keyspace: Keyspace, clock: ManualClock
) -> None:
    db = keyspace.databases[0]
    for i in range(3000):
        put(db, b"%d" % i, 10)
    clock.advance(100_000)
    assert db.random_key() is None
    assert 2000 < db.size() < 3000, "deleting them all is left to expire_due"
    put(db, b"alive")
    assert db.random_key() == b"alive"


def test_big_content_counts_for_more(keyspace: Keyspace) -> None:
    db = keyspace.databases[0]
    request = from_words([b"f", b"x" * 100_000])
    for key in range(100):
        stream = Stream()
        stream.append(1, 1, request, 0, 1, 100, 4096)
        assert stream.free_units() == 1 + 6
        db.add(b"%d" % key, stream)
        db.add(b"s%d" % key, String(b"x" * 100_000))
    long = Stream()
    for ms in range(100):
        long.append(ms, 1, request, 0, 1, 100, 4096)
    db.add(b"long", long)
    assert long.free_units() == 100
    db.flush()
    rounds = 1
    while keyspace.free_some(8):
        rounds += 1
    assert rounds > 200
