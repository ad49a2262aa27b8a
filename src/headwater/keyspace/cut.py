"""One moment of the keyspace that stays readable while commands go on: no copy, no fork.

A cut is taken in the time it takes to look at each database once. Then it is walked, in portions
and with commands in between, key by key in the order of their serials. What a command is about
to do to a key that the walk has not reached is announced by the database first:

- a value that will change is copied (a copy of a stream shares its sealed blocks);
- one that will be dropped is kept by the cut, and freed when the walk is done with it;
- a table that is flushed belongs to the cut from then on.

Keys added behind the cut have higher serials and are not in it. SWAPDB moves a table's part of
the cut with the table. So the walk gives each key of that moment exactly once, with its name,
database, value and expiry of that moment, whether it has expired meanwhile or not.

While there is no cut, all this costs a database one look at an attribute (`Database.cut`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater.keyspace.order import KeyOrder
from headwater.value import Value

if TYPE_CHECKING:
    from headwater.keyspace.database import Keyspace


class TableCut:
    """The keys that one database had at the moment of the cut.

    index, keys, expires: the database's number, its keys and how many of them expire.
    position: the serial of the key that the walk stands on; what is at or below it is done with.
    limit: keys with this serial or a higher one came later.
    captured: copies of values by serial, for keys that are in the table still.
    removed, removed_keys: values that the table holds no more, and what they were called.
    flushed: the table belongs to the cut alone; `dropped` is what it consists of.
    """

    __slots__ = (
        "captured",
        "dropped",
        "expires",
        "flushed",
        "index",
        "key",
        "keys",
        "limit",
        "order",
        "owned",
        "position",
        "removed",
        "removed_keys",
        "value",
        "values",
    )

    def __init__(
        self, index: int, values: dict[bytes, Value], order: KeyOrder, expires: int
    ) -> None:
        self.index = index
        self.values = values
        self.order = order
        self.keys = len(values)
        self.expires = expires
        self.position = 0
        self.limit = order.next_serial
        self.captured: dict[int, Value] = {}
        self.removed: list[Value] = []
        self.removed_keys: list[bytes] = []
        self.flushed = False
        self.dropped: list[Any] = []
        # Where the walk stands; `owned`: nobody but the cut has this value.
        self.key = b""
        self.value: Value | None = None
        self.owned = False

    # --- what a database announces ---

    def about_to_change(self, value: Value) -> None:
        """The value of a key of this table, or its expiry, will change in place."""
        serial = value.serial
        if self.position < serial < self.limit and serial not in self.captured:
            self.captured[serial] = _copy(value)

    def keeps(self, value: Value) -> bool:
        """Whether a value of this table would be kept if its key were dropped now."""
        return self.position < value.serial < self.limit

    def about_to_remove(self, key: bytes, value: Value) -> None:
        """The key will be taken out of the table, and its value will live on elsewhere."""
        serial = value.serial
        if self.position < serial < self.limit:
            copied = self.captured.pop(serial, None)
            self.removed.append(_copy(value) if copied is None else copied)
            self.removed_keys.append(key)

    def about_to_drop(self, key: bytes, value: Value) -> bool:
        """The key will be taken out of the table and its value freed, unless this is True.

        Then the value is the cut's.
        """
        serial = value.serial
        if not self.position < serial < self.limit:
            return False
        copied = self.captured.pop(serial, None)
        self.removed.append(value if copied is None else copied)
        self.removed_keys.append(key)
        return copied is None

    def about_to_replace(self, value: Value) -> bool:
        """The key will get another value and this one be freed, unless this is True, as above."""
        serial = value.serial
        if self.position < serial < self.limit and serial not in self.captured:
            self.captured[serial] = value
            return True
        return False

    def about_to_flush(self, dropped: list[Any]) -> None:
        """The database will have another table; `dropped` is what there is to free of this."""
        self.flushed = True
        self.dropped = dropped

    # --- the walk ---

    def advance(self) -> bool:
        """Stand on the next key; False behind the last one."""
        if self.removed:
            self.value = self.removed.pop()
            self.key = self.removed_keys.pop()
            self.owned = True
            return True
        self.value = None
        key = self.order.after(self.position)
        if key is None:
            return False
        value = self.values[key]
        serial = value.serial
        if serial >= self.limit:
            return False
        self.position = serial
        copied = self.captured.pop(serial, None) if self.captured else None
        self.key = key
        self.value = value if copied is None else copied
        self.owned = copied is not None
        return True


class Cut:
    """The keyspace at one moment. There is at most one cut of a keyspace at a time.

    A `still` cut is told of nothing: no command may run before its walk is over. So it may be
    taken beside another one.

    tables: those of the databases that had keys. table: the one that the walk is in, None before
    the first key and behind the last. keys: how many there are in all. has_idmp, has_nacked: as
    the keyspace's.

    The key that the walk stands on is described by `table.key`, `value`, `expire_at`; the value
    must be read before any command runs, or be held first (`hold`).
    """

    __slots__ = (
        "_at",
        "_still",
        "expire_at",
        "has_idmp",
        "has_nacked",
        "keys",
        "keyspace",
        "libraries",
        "table",
        "tables",
        "value",
    )

    def __init__(self, keyspace: Keyspace, still: bool = False) -> None:
        self.keyspace = keyspace
        self.has_idmp = keyspace.has_idmp
        self.has_nacked = keyspace.has_nacked
        self.libraries: list[bytes] = list(keyspace.libraries.codes.values())
        self._still = still
        self.tables: list[TableCut] = []
        self.keys = 0
        for db in keyspace.databases:
            if db.cut is not None and not still:
                raise RuntimeError("there is a cut of this keyspace already")
        for db in keyspace.databases:
            if db.values:
                table = TableCut(db.index, db.values, db.order, db.wheel.count)
                if not still:
                    db.cut = table
                self.tables.append(table)
                self.keys += table.keys
        self._at = 0
        self.table: TableCut | None = None
        self.value: Value | None = None
        self.expire_at = 0

    def advance(self) -> bool:
        """Go to the next key; False behind the last one. The value before is done with."""
        self._release()
        while self._at < len(self.tables):
            table = self.tables[self._at]
            if table.advance():
                value = table.value
                assert value is not None
                self.table = table
                self.value = value
                self.expire_at = value.expire_at
                return True
            self._leave(table)
            self._at += 1
        self.table = None
        return False

    def hold(self) -> Value:
        """The value that the walk stands on, which stays as it is until the walk goes on."""
        table, value = self.table, self.value
        assert table is not None
        assert value is not None
        if not table.owned and not table.flushed and not self._still:
            value = _copy(value)
            table.value = value
            table.owned = True
            self.value = value
        return value

    def close(self) -> None:
        """Let go of everything, wherever the walk stands. A second call does nothing."""
        self._release()
        while self._at < len(self.tables):
            self._leave(self.tables[self._at])
            self._at += 1
        self.table = None

    def _release(self) -> None:
        """Free the value that the walk stands on if it is the cut's own."""
        table, value = self.table, self.value
        if table is not None and value is not None:
            self.value = None
            table.value = None
            if table.owned:
                self.keyspace.bury(value)

    def _leave(self, table: TableCut) -> None:
        """Detach a table from its database and free what is the cut's own."""
        for db in self.keyspace.databases:
            if db.cut is table:
                db.cut = None
        graveyard = self.keyspace.graveyard
        if table.captured:
            graveyard.append(table.captured)
        if table.removed:
            graveyard.append(table.removed)
        graveyard.extend(table.dropped)


def _copy(value: Value) -> Value:
    copied = value.copy()
    copied.expire_at = value.expire_at
    return copied
