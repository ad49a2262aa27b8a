"""Which keys go when memory is short, by `maxmemory-policy`.

Streams are never evicted: they are what this server is there to keep. What is evicted are strings
and lists, all of them (allkeys) or those that expire (volatile), chosen as Redis chooses: of some
taken at random the best is taken, and the next best are remembered.
"""

from __future__ import annotations

from headwater.keyspace.database import Database, Keyspace
from headwater.keyspace.notifications import EVICTED
from headwater.raw import monotonic_us
from headwater.streams.stream import Stream
from headwater.value import Value

NO_EVICTION = "noeviction"
POLICIES = (
    "volatile-lru",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-random",
    NO_EVICTION,
)
POOL = 16  # the best keys seen that were not taken yet
TRIES = 20  # samples that may find nothing to evict before keys are looked through in order
KEYS_LOOKED_THROUGH = 2000  # at once
REST_US, SEARCH_PAUSE_US = 1_000_000, 20_000
"""When there was nothing to evict, it is not looked for again for so long; the second when not all
keys have been looked through yet."""


class Evictor:
    """Evicts keys of a keyspace by `policy`, each time the best of `samples`.

    exhausted: the last time there was nothing that may be evicted.
    """

    __slots__ = (
        "_cursor",
        "_keyspace",
        "_next_database",
        "_pool",
        "_resting_until_us",
        "evicted_keys",
        "exhausted",
        "policy",
        "samples",
    )

    def __init__(self, keyspace: Keyspace) -> None:
        self._keyspace = keyspace
        self.policy = NO_EVICTION
        self.samples = 5
        self.evicted_keys = 0
        self.exhausted = False
        self._pool: list[tuple[int, int, bytes]] = []  # (rank, database, key), the best one last
        self._next_database = 0
        self._cursor = 0
        self._resting_until_us = 0

    def set_policy(self, policy: str, samples: int) -> None:
        self.policy = policy
        self.samples = samples
        self._pool.clear()
        self._resting_until_us = 0

    def free(self, wanted: int, budget_us: int) -> int:
        """Evict keys worth `wanted` bytes, for so long at most; about how many that freed.

        Everything is recorded and sealed.
        """
        now_us = monotonic_us()
        self.exhausted = now_us < self._resting_until_us
        if self.exhausted or self.policy == NO_EVICTION:
            return 0
        freed = 0
        while freed < wanted:
            found = self._victim()
            if found is None:
                if freed == 0:
                    self.exhausted = True
                    rest_us = monotonic_us() + SEARCH_PAUSE_US
                    self._resting_until_us = max(self._resting_until_us, rest_us)
                break
            db, key, value = found
            freed += db.memory_usage(key, value)
            db.delete(key)
            db.signal_watchers(key)
            db.notify(EVICTED, b"evicted", key)
            self.evicted_keys += 1
            if monotonic_us() - now_us >= budget_us:
                break
        self._keyspace.recorder.seal()
        return freed

    # --- choosing ---

    def _victim(self) -> tuple[Database, bytes, Value] | None:
        """The next key to go, if one was found."""
        for _ in range(TRIES):
            self._sample()
            while self._pool:
                rank, index, key = self._pool.pop()
                db: Database = self._keyspace.databases[index]
                value = self._evictable(db, key)
                # It may have been used since it was seen, or be another one.
                if value is not None and self._rank(value) == rank:
                    return db, key, value
        return self._look_through()

    def _sample(self) -> None:
        """See some keys of each database; of random policies one key of one database."""
        databases = self._keyspace.databases
        only_one = self.policy.endswith("random")
        seen = False
        for step in range(len(databases)):
            db: Database = databases[(self._next_database + step) % len(databases)]
            if not (db.wheel.count if self._is_volatile() else db.size()):
                continue
            for _ in range(1 if only_one else self.samples):
                key = self._random_key(db)
                value = None if key is None else self._evictable(db, key)
                if key is None or value is None:
                    continue
                seen = True
                entry = (self._rank(value), db.index, key)
                if entry not in self._pool:
                    self._pool.append(entry)
            if only_one and seen:
                self._next_database = db.index + 1
                break
        self._pool.sort()
        del self._pool[:-POOL]

    def _is_volatile(self) -> bool:
        return self.policy.startswith("volatile")

    def _random_key(self, db: Database) -> bytes | None:
        rng = self._keyspace.rng
        return db.wheel.random_key(rng) if self._is_volatile() else db.order.random_key(rng)

    def _rank(self, value: Value) -> int:
        """The higher, the better to evict."""
        if self.policy.endswith("lru"):
            return -value.access_ms
        if self.policy.endswith("ttl"):
            return -value.expire_at
        return 0

    def _evictable(self, db: Database, key: bytes) -> Value | None:
        """The key's value if the policy may evict it, and that frees something.

        What a snapshot has yet to write it would keep.
        """
        value = db.peek(key)
        if value is None or isinstance(value, Stream):
            return None
        if db.cut is not None and db.cut.keeps(value):
            return None
        return value if value.expire_at or not self._is_volatile() else None

    def _look_through(self) -> tuple[Database, bytes, Value] | None:
        """Look at keys one after the other, going on where the last time ended.

        Where streams are many and others few, chance does not find those.
        """
        databases = self._keyspace.databases
        left = KEYS_LOOKED_THROUGH
        for _ in range(len(databases) + 1):
            db: Database = databases[self._next_database % len(databases)]
            while left > 0:
                following, keys = db.order.scan(self._cursor, min(left, 100))
                left -= len(keys)
                for key in keys:
                    value = self._evictable(db, key)
                    if value is not None:
                        return db, key, value
                self._cursor = following
                if not following:
                    break
            if left <= 0:
                return None
            self._cursor = 0
            self._next_database = (self._next_database + 1) % len(databases)
        self._resting_until_us = monotonic_us() + REST_US
        return None
