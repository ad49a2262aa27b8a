"""The databases: keys and their values, and everything that follows from a change of a key.

Guarantees:
1. A key whose time has come is not seen by any lookup, deleted or not.
2. Every key in `values` is in the scan order, and in the expiry wheel if and only if its value
   has an expiry; both under the same bytes object.
3. Whoever waits for a key is told (`Keyspace.ready`) when it is added, replaced or gone;
   whoever watches one is marked by `signal_modified`, expiry and flushes.
4. A value that is dropped is freed in pieces if it is big, see `Keyspace.bury`.
5. A cut of the keyspace (cut.py) learns of everything before it happens.

Commands change values through `add`, `replace`, `set`, `remove`, or in place: those they got
from `lookup_write`, or from another lookup and after `about_to_change`. They themselves call
`signal_modified` once for each key they changed. Commands record what they did; keys that are
deleted or expire are recorded here, where that happens.
"""

from __future__ import annotations

from random import Random
from typing import Any

from headwater.clock import Clock
from headwater.journal.recorder import Recorder
from headwater.keyspace.calendar import Calendar
from headwater.keyspace.cut import TableCut
from headwater.keyspace.expiry import NEVER, ExpiryWheel
from headwater.keyspace.functions import Libraries
from headwater.keyspace.notifications import EXPIRED, KEY_MISS, NEW
from headwater.keyspace.order import Chunk, KeyOrder
from headwater.keyspace.watch import Watch, Watcher, touch, touch_all
from headwater.lists.limits import DEFAULT_FILL
from headwater.lists.node import Node
from headwater.streams.block import Block
from headwater.streams.handles import HandleOrder
from headwater.streams.packing import Registry
from headwater.streams.stream import Stream
from headwater.value import UNIT_SHIFT, Value

BIG_VALUE_UNITS = 64  # values of more free_units() than this are freed in pieces
RANDOM_TRIES = 100  # expired keys that one RANDOMKEY deletes
KEY_BYTES = 160  # what a key costs beside its bytes and its value: tables, order, bytes object


class Keyspace:
    """All databases of one server.

    dirty: changes since the last save. touch: lookups note the time of access (not so for
    clients with NO-TOUCH). active_expiry: whether expire_due does anything. waiters: who waits
    for which key, for the module that knows. ready: (database, key) for keys somebody waits for
    and that something happened to, until that module takes them. graveyard: lists, dicts and
    deques to be emptied. recorder: takes what commands do, for the journal. notify_classes:
    the classes of events (notifications.py) that `notifier(class, event, key, database index)` is
    told of; 0: none. libraries: the code of functions, which belongs to no database. list_fill:
    `list-max-listpack-size`. packing: learns which streams have blocks that may be compressed.
    calendar: when streams with settings must be looked at.
    has_idmp, has_nacked: since all databases were empty a stream had a window of idempotent IDs, a
    group an entry that was given back (a snapshot's version depends on that).
    """

    __slots__ = (
        "_next_expiring",
        "active_expiry",
        "calendar",
        "clock",
        "databases",
        "dirty",
        "expired_keys",
        "graveyard",
        "has_idmp",
        "has_nacked",
        "keyspace_hits",
        "keyspace_misses",
        "libraries",
        "list_fill",
        "notifier",
        "notify_classes",
        "packing",
        "ready",
        "recorder",
        "rng",
        "touch",
        "waiters",
    )

    def __init__(self, clock: Clock, databases: int = 16, rng: Random | None = None) -> None:
        self.clock = clock
        self.rng = rng or Random()
        self.dirty = 0
        self.expired_keys = 0
        self.keyspace_hits = 0
        self.keyspace_misses = 0
        self.active_expiry = True
        self.touch = True
        self.waiters: Any = None
        self.ready: list[tuple[Database, bytes]] = []
        self.graveyard: list[Any] = []
        self.recorder = Recorder()
        self.libraries = Libraries()
        self.packing = Registry()
        self.calendar = Calendar(self)
        self.has_idmp = False
        self.has_nacked = False
        self.notify_classes = 0
        self.list_fill = DEFAULT_FILL
        self.notifier: Any = None
        self.databases: list[Database] = []
        for index in range(databases):
            self.databases.append(Database(self, index))
        self._next_expiring = 0

    # --- expiry ---

    def next_due_ms(self) -> int:
        """When expire_due has work to do, as unix time in ms; expiry.NEVER if no key expires."""
        due = NEVER
        if self.active_expiry:
            for db in self.databases:
                due = min(due, db.wheel.next_due_ms())
        return due

    def expire_due(self, max_keys: int) -> bool:
        """Delete keys that have expired; look at about `max_keys` keys at most.

        Return whether there is more to do at once. `expired_keys` counts what was deleted.
        """
        if not self.active_expiry:
            return False
        now_ms = self.clock.now_ms
        share = max(1, max_keys // 4)
        for step in range(len(self.databases)):
            # Those behind a database that took all of the last turn come first in this one.
            db = self.databases[(self._next_expiring + step) % len(self.databases)]
            while max_keys > 0 and db.wheel.next_due_ms() <= now_ms:
                max_keys -= share
                for key in db.wheel.take_due(now_ms, share):
                    db.expire(key)
        self._next_expiring = (self._next_expiring + 1) % len(self.databases)
        return self.next_due_ms() <= now_ms

    # --- lazy frees ---

    def bury(self, value: Value) -> int:
        """Let go of a value that no key holds any more; `free_some` frees a big one.

        Returns how many units were freed at once.
        """
        if isinstance(value, Stream):
            self.packing.dropped(value)
        units = value.free_units()
        if units > BIG_VALUE_UNITS:
            parts = value.parts()
            if parts:
                self.graveyard.extend(parts)
                return 1
        return units

    def free_some(self, budget: int) -> bool:
        """Free about `budget` units of what was dropped; return whether anything is left."""
        while self.graveyard and budget > 0:
            dropped = self.graveyard[len(self.graveyard) - 1]
            if not dropped:
                self.graveyard.pop()
                continue
            budget -= 1
            part = dropped.popitem()[1] if isinstance(dropped, dict) else dropped.pop()
            if isinstance(part, Value):
                budget -= self.bury(part)
            elif isinstance(part, Block):
                budget -= part.capacity >> UNIT_SHIFT
            elif isinstance(part, Node):
                budget -= len(part.buf) >> UNIT_SHIFT
            elif isinstance(part, Chunk):
                self.graveyard.append(part.keys)
            elif isinstance(part, HandleOrder):
                self.graveyard.append(part.chunks)
            elif isinstance(part, list):
                self.graveyard.append(part)
        return bool(self.graveyard)

    # --- several databases ---

    def flush_all(self) -> int:
        """Empty all databases and return how many keys they had."""
        self.has_idmp = False
        self.has_nacked = False
        return sum(db.flush() for db in self.databases)

    def has_cut(self) -> bool:
        """Whether a snapshot is being written of some database."""
        for db in self.databases:  # noqa: SIM110 (no generator: compiled)
            if db.cut is not None:
                return True
        return False

    def notice(self, value: Value) -> None:
        """Learn from a value that was loaded whether there are windows and nacked entries."""
        if not isinstance(value, Stream):
            return
        if value.idmp is not None:
            self.has_idmp = True
        if value.groups is not None:
            for group in value.groups.values():
                if group.pending.nacked:
                    self.has_nacked = True

    def swap(self, first: int, second: int) -> None:
        """Exchange the keys of two databases; those who wait and watch stay where they are."""
        if first == second:
            return
        a = self.databases[first]
        b = self.databases[second]
        touch_all(a, b)
        touch_all(b, a)
        for db, other in ((a, b), (b, a)):
            for key in db.waiting:
                if key in db.values or key in other.values:
                    self.ready.append((db, key))
        a.values, b.values = b.values, a.values
        a.order, b.order = b.order, a.order
        a.wheel, b.wheel = b.wheel, a.wheel
        a.cut, b.cut = b.cut, a.cut


class Database:
    """One database of a keyspace. Keys must be `bytes` of their own, never part of a buffer.

    waiting: keys that somebody waits for, with what `Keyspace.waiters` knows of them.
    watched: keys that transactions depend on. cut: the keys' part of a cut, if there is one.
    """

    __slots__ = (
        "clock",
        "cut",
        "index",
        "keyspace",
        "order",
        "values",
        "waiting",
        "watched",
        "wheel",
    )

    def __init__(self, keyspace: Keyspace, index: int) -> None:
        self.keyspace = keyspace
        self.clock = keyspace.clock
        self.index = index
        self.values: dict[bytes, Value] = {}
        self.order = KeyOrder()
        self.wheel = ExpiryWheel(self.values)
        self.cut: TableCut | None = None
        self.waiting: dict[bytes, Any] = {}
        self.watched: dict[bytes, dict[Watcher, Watch]] = {}

    # --- lookups ---

    def lookup_read(self, key: bytes) -> Value | None:
        """The key's value for a command that reads it: counts as an access, a hit or a miss."""
        value = self.values.get(key)
        if value is not None and value.expire_at and value.expire_at <= self.clock.now_ms:
            self.expire(key)
            value = None
        if value is None:
            self.keyspace.keyspace_misses += 1
            self.notify(KEY_MISS, b"keymiss", key)
            return None
        self.keyspace.keyspace_hits += 1
        if self.keyspace.touch:
            value.access_ms = self.clock.now_ms
        return value

    def lookup_write(self, key: bytes) -> Value | None:
        """The key's value for a command that changes it: counts as an access."""
        value = self.values.get(key)
        if value is None:
            return None
        if value.expire_at and value.expire_at <= self.clock.now_ms:
            self.expire(key)
            return None
        if self.cut is not None:
            self.cut.about_to_change(value)
        if self.keyspace.touch:
            value.access_ms = self.clock.now_ms
        return value

    def about_to_change(self, key: bytes) -> None:
        """The key's value will change in place, though it was not looked up for that."""
        if self.cut is not None:
            value = self.values.get(key)
            if value is not None:
                self.cut.about_to_change(value)

    def inspect(self, key: bytes) -> Value | None:
        """The key's value for a command about the key (TTL, TYPE): a hit or miss, no access."""
        value = self.inspect_quietly(key)
        if value is None:
            self.notify(KEY_MISS, b"keymiss", key)
        return value

    def inspect_quietly(self, key: bytes) -> Value | None:
        """`inspect`, but a miss is no event (OBJECT)."""
        value = self.values.get(key)
        if value is not None and value.expire_at and value.expire_at <= self.clock.now_ms:
            self.expire(key)
            value = None
        if value is None:
            self.keyspace.keyspace_misses += 1
        else:
            self.keyspace.keyspace_hits += 1
        return value

    def peek(self, key: bytes) -> Value | None:
        """The key's value; nothing is counted, noted or deleted."""
        value = self.values.get(key)
        if value is not None and value.expire_at and value.expire_at <= self.clock.now_ms:
            return None
        return value

    def has_expired(self, key: bytes) -> bool:
        """Whether the key is expired and not deleted yet."""
        value = self.values.get(key)
        return value is not None and 0 < value.expire_at <= self.clock.now_ms

    def size(self) -> int:
        """The number of keys, expired ones that are not deleted yet included."""
        return len(self.values)

    def expiring(self) -> int:
        """The number of keys that have an expiry."""
        return self.wheel.count

    def memory_usage(self, key: bytes, value: Value) -> int:
        """About how many bytes a key and its value take."""
        return KEY_BYTES + len(key) + value.memory_usage()

    def random_key(self) -> bytes | None:
        """A key chosen at random; expired ones that are met on the way are deleted.

        When nearly all have expired it is the first one that has not: deleting is for expire_due.
        """
        for _ in range(RANDOM_TRIES):
            key = self.order.random_key(self.keyspace.rng)
            if key is None or not self.has_expired(key):
                return key
            self.expire(key)
        for key in self.values:
            if not self.has_expired(key):
                return key
        return None

    # --- keys come and go ---

    def add(self, key: bytes, value: Value) -> None:
        """Add a key that does not exist; its expiry is the value's `expire_at`."""
        value.serial = self.order.append(key)
        value.access_ms = self.clock.now_ms
        self.values[key] = value
        if isinstance(value, Stream):
            self.keyspace.packing.added(value)
            self.keyspace.calendar.added(self, key, value)
        if value.expire_at:
            self.wheel.schedule(key, value, self.clock.now_ms)
        if self.waiting:
            self.signal_ready(key)
        self.notify(NEW, b"new", key)

    def replace(self, key: bytes, value: Value) -> None:
        """Give an existing key another value, and its expiry: the value's `expire_at`."""
        old = self.values[key]
        kept = self.cut is not None and self.cut.about_to_replace(old)
        value.serial = old.serial
        value.wheel = old.wheel
        value.slot = old.slot
        value.access_ms = self.clock.now_ms
        self.values[key] = value
        if isinstance(value, Stream):
            self.keyspace.packing.added(value)
            self.keyspace.calendar.added(self, key, value)
        if value.expire_at:
            self.wheel.schedule(key, value, self.clock.now_ms)
        elif value.wheel >= 0:
            self.wheel.cancel(value)
        old.wheel = -1
        if not kept:
            self.keyspace.bury(old)
        if self.waiting:
            self.signal_ready(key)

    def set(self, key: bytes, value: Value) -> None:
        """Add the key or replace its value."""
        if key in self.values:
            self.replace(key, value)
        else:
            self.add(key, value)

    def remove(self, key: bytes) -> Value | None:
        """Take a key out and return its value, None if there was none.

        Whoever drops the value for good hands it to `Keyspace.bury`.
        """
        value = self.values.get(key)
        if value is None:
            return None
        if self.cut is not None:
            self.cut.about_to_remove(key, value)
        self._take_out(key, value)
        return value

    def _take_out(self, key: bytes, value: Value) -> None:
        if value.wheel >= 0:
            self.wheel.cancel(value)
        del self.values[key]
        self.order.remove(value.serial)
        if self.waiting:
            self.signal_ready(key)

    def _drop(self, key: bytes, value: Value) -> None:
        """Take a key out and free its value."""
        kept = self.cut is not None and self.cut.about_to_drop(key, value)
        self._take_out(key, value)
        self.keyspace.recorder.delete_key(self.index, key)
        if not kept:
            self.keyspace.bury(value)

    def delete(self, key: bytes) -> bool:
        """Take a key out and free its value; tell whether it was there, and not expired."""
        value = self.values.get(key)
        if value is None:
            return False
        if value.expire_at and value.expire_at <= self.clock.now_ms:
            self.expire(key)
            return False
        self._drop(key, value)
        return True

    def expire(self, key: bytes) -> None:
        """Delete a key whose time has come."""
        value = self.values.get(key)
        if value is None:
            return
        self._drop(key, value)
        self.keyspace.expired_keys += 1
        if self.watched:
            touch(self, key)
        self.notify(EXPIRED, b"expired", key)

    def move(self, key: bytes, target: Database, new_key: bytes) -> None:
        """Let an existing key's value, with its expiry, be that of `new_key` in `target`.

        What `new_key` held is dropped. The two must not be the same key.
        """
        value = self.remove(key)
        if value is not None:
            accessed_ms = value.access_ms
            target.set(new_key, value)
            value.access_ms = accessed_ms

    def flush(self) -> int:
        """Drop all keys and return how many there were."""
        count = len(self.values)
        if self.watched:
            touch_all(self, None)
        for key in self.waiting:
            if key in self.values:
                self.keyspace.ready.append((self, key))
        dropped = [self.order.chunks, self.wheel.buckets, self.values]
        if self.cut is not None:
            self.cut.about_to_flush(dropped)
            self.cut = None
        else:
            self.keyspace.graveyard.extend(dropped)
        self.values = {}
        self.order = KeyOrder()
        self.wheel = ExpiryWheel(self.values)
        return count

    # --- expiry ---

    def set_expiry(self, key: bytes, value: Value, at_ms: int) -> None:
        """Let an existing key expire at a unix time in ms, at least 1."""
        if self.cut is not None:
            self.cut.about_to_change(value)
        value.expire_at = at_ms
        self.wheel.schedule(key, value, self.clock.now_ms)

    def persist(self, value: Value) -> None:
        """Let an existing key not expire."""
        if self.cut is not None:
            self.cut.about_to_change(value)
        value.expire_at = 0
        self.wheel.cancel(value)

    # --- signals ---

    def signal_modified(self, key: bytes) -> None:
        """Note one change of a key that a command has made."""
        self.keyspace.dirty += 1
        if self.watched:
            touch(self, key)

    def notify(self, event_class: int, event: bytes, key: bytes) -> None:
        """Tell subscribers of an event that a command has caused, if they want those of the class.

        Called right after `signal_modified`, once for each event, in Redis's order.
        """
        keyspace = self.keyspace
        if keyspace.notify_classes & event_class:
            keyspace.notifier(event_class, event, key, self.index)

    def signal_watchers(self, key: bytes) -> None:
        """Tell those who watch a key that it has changed, where one command changes several."""
        if self.watched:
            touch(self, key)

    def signal_ready(self, key: bytes) -> None:
        """Note that something happened to a key that somebody may wait for."""
        if self.waiting and key in self.waiting:
            self.keyspace.ready.append((self, key))
