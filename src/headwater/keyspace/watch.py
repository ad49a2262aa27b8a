"""Watched keys: whether what a transaction depends on has changed since WATCH.

A Watcher belongs to one client. Each key it watches is a Watch in `Database.watched`, by key and
watcher, so that thousands may watch one key; a change of the key, wherever it comes from, marks
the watcher. A key that has expired has changed, even if it is still to be deleted; one that had
expired before WATCH is as good as absent, so that its deletion is no change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headwater.keyspace.database import Database


class Watch:
    """One key watched by one client. `expired`: it was there, but expired already."""

    __slots__ = ("db", "expired", "key", "watcher")

    def __init__(self, watcher: Watcher, db: Database, key: bytes, expired: bool) -> None:
        self.watcher = watcher
        self.db = db
        self.key = key
        self.expired = expired


class Watcher:
    """The keys that one client watches. `dirty_cas`: one of them has changed."""

    __slots__ = ("dirty_cas", "watches")

    def __init__(self) -> None:
        self.dirty_cas = False
        self.watches: list[Watch] = []

    def watch(self, db: Database, key: bytes) -> None:
        """Watch a key; nothing happens if it is watched already."""
        entry = db.watched.setdefault(key, {})
        if self not in entry:
            watch = Watch(self, db, key, db.has_expired(key))
            entry[self] = watch
            self.watches.append(watch)

    def clear(self) -> None:
        """Watch nothing any more and forget what has changed (UNWATCH, EXEC, a closed client)."""
        for watch in self.watches:
            entry = watch.db.watched[watch.key]
            del entry[self]
            if not entry:
                del watch.db.watched[watch.key]
        self.watches.clear()
        self.dirty_cas = False

    def has_changed(self) -> bool:
        """Whether a watched key has changed or expired."""
        return self.dirty_cas or any(
            not watch.expired and watch.db.has_expired(watch.key) for watch in self.watches
        )


def touch(db: Database, key: bytes) -> None:
    """Mark those who watch `key` in `db`, after its value has changed or gone."""
    entry = db.watched.get(key)
    if entry is None:
        return
    for watch in entry.values():
        if watch.expired and key not in db.values:
            watch.expired = False
        else:
            watch.watcher.dirty_cas = True


def touch_all(db: Database, replacement: Database | None) -> None:
    """Mark those who watch any key of `db`, before its keys go.

    `replacement`: the database whose keys `db` will hold then (SWAPDB); None: it will be empty.
    """
    for key, entry in db.watched.items():
        here = key in db.values
        there = replacement is not None and key in replacement.values
        if not here and not there:
            continue
        expired_there = replacement is not None and there and replacement.has_expired(key)
        for watch in entry.values():
            if watch.expired and not there:
                watch.expired = False
            elif watch.expired and expired_there:
                continue
            elif not watch.expired and not here and expired_there:
                watch.expired = True
            else:
                watch.watcher.dirty_cas = True
