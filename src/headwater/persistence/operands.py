"""The operands of the journal's operations: read with every length checked, keys looked up.

What they are is drawn in `journal/operations.py`. `apply.py` says what each operation does.
"""

from __future__ import annotations

from headwater.errors import HeadwaterError
from headwater.journal.operations import NAMES
from headwater.keyspace.database import Database, Keyspace
from headwater.keyspace.strings import GrownString, String
from headwater.raw import cut, equal, get_i64, get_u32, get_u64
from headwater.streams.group import Consumer, Group
from headwater.streams.stream import Stream
from headwater.value import Value

QUOTED_BYTES = 128


class ApplyError(HeadwaterError):
    """A record does not fit the state. `offset`: where it begins in the buffer."""

    def __init__(self, text: str, offset: int) -> None:
        super().__init__(text)
        self.text = text
        self.offset = offset


class Operands:
    """The operation at hand: what of it is still to be read, and the key that it is about."""

    __slots__ = (
        "_buf",
        "_cached",
        "_database",
        "_db",
        "_end",
        "_group",
        "_key",
        "_op",
        "_pos",
        "_record",
        "_stream",
        "_value",
        "keyspace",
    )

    def __init__(self, keyspace: Keyspace) -> None:
        self.keyspace = keyspace
        self._buf = bytearray()
        self._pos = 0  # the next byte of the record
        self._end = 0  # and where it ends
        self._record = 0  # and where it begins
        self._op = 0
        # The key of the last operation and what it holds; most records are about the same key.
        self._db = -1  # -1: nothing is known
        self._cached = bytearray()  # the key once more, to compare with
        self._key = b""
        self._database: Database = keyspace.databases[0]
        self._value: Value | None = None
        self._stream: Stream | None = None
        self._group: Group | None = None

    def _fail(self, why: str) -> None:
        """Raise ApplyError with what is wrong with the operation at hand."""
        what = NAMES.get(self._op, "record")
        if self._db >= 0:
            what += f" of key {self._key[:QUOTED_BYTES]!r} in database {self._db}"
        raise ApplyError(f"{what}: {why}", self._record)

    def _need(self, n: int) -> None:
        """The operation has `n` bytes more, or it is broken."""
        if n > self._end - self._pos:
            self._fail("the record is too short")

    def _flags(self) -> int:
        self._need(1)
        flags = self._buf[self._pos]
        self._pos += 1
        return flags

    def _u32(self) -> int:
        self._need(4)
        self._pos += 4
        return get_u32(self._buf, self._pos - 4)

    def _u64(self) -> int:
        self._need(8)
        self._pos += 8
        return get_u64(self._buf, self._pos - 8)

    def _number(self, most: int) -> int:
        """A number of entries (u64), of which there are `most`."""
        n = self._u64()
        if n > most:
            self._fail(f"{n} entries of {most}")
        return n

    def _i64(self) -> int:
        self._need(8)
        self._pos += 8
        return get_i64(self._buf, self._pos - 8)

    def _text(self) -> bytes:
        n = self._u32()
        self._need(n)
        self._pos += n
        return cut(self._buf, self._pos - n, n)

    def _count(self, size: int) -> int:
        """The number of things of `size` bytes each in the list that follows; they are there."""
        n = self._u32()
        if n > (self._end - self._pos) // size:
            self._fail("the record is too short")
        return n

    def _one_database(self) -> Database:
        db = self._u32()
        databases = self.keyspace.databases
        if db >= len(databases):
            self._fail(f"there is no database {db}: `databases` is {len(databases)}")
        database: Database = databases[db]
        return database

    def _forget(self) -> None:
        """Keys may hold something else than before."""
        self._db = -1
        self._stream = None
        self._value = None

    def _any_key(self) -> None:
        """Read a key; `_value` is what it holds."""
        self._need(8)
        buf = self._buf
        pos = self._pos + 8
        db = get_u32(buf, pos - 8)
        n = get_u32(buf, pos - 4)
        if n > self._end - pos:
            self._forget()
            self._fail("the record is too short")
        if db != self._db or n != len(self._cached) or not equal(buf, pos, self._cached, 0, n):
            self._forget()
            self._database = self._one_database()
            self._key = cut(buf, pos, n)
            self._cached = bytearray(self._key)
            self._db = db
            value = self._database.values.get(self._key)
            self._value = value
            self._stream = value if isinstance(value, Stream) else None
        self._pos = pos + n

    def _a_value(self) -> Value:
        """Read a key that holds something."""
        self._any_key()
        if self._value is None:
            self._fail("there is no such key")
        value = self._value
        assert value is not None
        return value

    def _grown_string(self) -> GrownString:
        """The string of the key that was read, in the form that can be changed in place."""
        value = self._value
        if isinstance(value, GrownString):
            return value
        if not isinstance(value, String):
            self._fail("there is no such key" if value is None else "the key is no string")
        assert isinstance(value, String)
        string = value
        bigger = GrownString(string.content())
        bigger.expire_at = string.expire_at
        self._database.replace(self._key, bigger)
        self._value = bigger
        return bigger

    def _a_stream(self) -> Stream:
        """Read a key that holds a stream."""
        self._any_key()
        if self._stream is None:
            self._fail("there is no such key" if self._value is None else "the key is no stream")
        stream = self._stream
        assert stream is not None
        return stream

    def _a_group(self) -> Stream:
        """Read a key and a group, which is put into `_group`."""
        stream = self._a_stream()
        name = self._text()
        group = None
        if stream.groups is not None:
            group = stream.groups.get(name)
        if group is None:
            self._fail(f"there is no group {name[:QUOTED_BYTES]!r}")
        self._group = group
        return stream

    def _a_consumer(self, group: Group) -> Consumer:
        name = self._text()
        consumer = group.consumers.get(name)
        if consumer is None:
            self._fail(
                f"group {group.name[:QUOTED_BYTES]!r} has no consumer {name[:QUOTED_BYTES]!r}"
            )
        assert consumer is not None
        return consumer

    def _the_group(self) -> Group:
        group = self._group
        assert group is not None
        return group
