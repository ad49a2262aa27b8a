"""Recording what Redis does not have: settings of groups and streams, and what follows from them.

The methods are drawn in operations.py, and persistence/apply_managed.py applies what they write.
"""

from __future__ import annotations

from headwater.journal.operations import (
    CONFIGURE_GROUP,
    DEFER,
    DELETE_SCHEMA,
    DROP_PENDING,
    DROP_RUN,
    MAKES_STREAM,
    READ_GROUP,
    RETAIN,
    SEE_CONSUMER,
    SET_SCHEMA,
)
from headwater.journal.ordered import OrderedRecorder
from headwater.raw import put_i64, put_u32, put_u64
from headwater.streams.group import Consumer, Group
from headwater.streams.stream import Stream


class ManagedRecorder(OrderedRecorder):
    """Records effects on streams and groups with settings, while `recording`."""

    __slots__ = ()

    def configure_group(self, db: int, key: bytes, group: Group) -> None:
        """A group got other settings, or none any more."""
        if not self.recording:
            return
        data = b"" if group.redelivery is None else group.redelivery.settings.encode()
        pos = self._group(CONFIGURE_GROUP, db, key, group.name, 4 + len(data))
        self._ends_at(self._text(pos, data))

    def defer(self, db: int, key: bytes, group: Group, handles: list[int]) -> None:
        """These entries, which nobody owns, are due when the group's Redelivery says."""
        if not self.recording or not handles:
            return
        records = group.pending.records
        redelivery = group.redelivery
        assert redelivery is not None
        n = len(handles)
        pos = self._group(DEFER, db, key, group.name, 4 + 24 * n)
        put_u32(self.buf, pos, n)
        pos += 4
        for handle in handles:
            pos = self._id(pos, records.ms(handle), records.seq(handle))
            put_i64(self.buf, pos, redelivery.due.due_ms(handle))
            pos += 8
        self._ends_at(pos)

    def set_schema(
        self,
        db: int,
        key: bytes,
        number: int,
        compat: int,
        set_ms: int,
        text: bytes,
        makes_stream: bool,
    ) -> None:
        """A version of a stream's schema was set, and the key created with it or not."""
        if not self.recording:
            return
        pos = self._key(SET_SCHEMA, db, key, 18 + len(text))
        self.buf[pos] = MAKES_STREAM if makes_stream else 0
        put_u32(self.buf, pos + 1, number)
        self.buf[pos + 5] = compat
        put_i64(self.buf, pos + 6, set_ms)
        self._ends_at(self._text(pos + 14, text))

    def delete_schema(self, db: int, key: bytes) -> None:
        if self.recording:
            self._ends_at(self._key(DELETE_SCHEMA, db, key, 0))

    def drop_pending(self, db: int, key: bytes, group: Group) -> None:
        """Nothing is pending in a group any more."""
        if self.recording:
            self._ends_at(self._group(DROP_PENDING, db, key, group.name, 0))

    def retain(self, db: int, key: bytes, stream: Stream) -> None:
        """A stream got another retention, or none any more."""
        if not self.recording:
            return
        data = b"" if stream.retention is None else stream.retention.encode()
        self._ends_at(self._text(self._key(RETAIN, db, key, 4 + len(data)), data))

    def drop_run(self, db: int, key: bytes, ms: int, seq: int, entries: int) -> None:
        """Whole blocks of so many entries are gone, the first entries at or above an ID."""
        if not self.recording:
            return
        pos = self._id(self._key(DROP_RUN, db, key, 24), ms, seq)
        put_u64(self.buf, pos, entries)
        self._ends_at(pos + 8)

    def read_group(self, db: int, key: bytes, group: Group) -> None:
        """Somebody read from a group last at its `read_ms`."""
        if not self.recording:
            return
        pos = self._group(READ_GROUP, db, key, group.name, 8)
        put_i64(self.buf, pos, group.read_ms)
        self._ends_at(pos + 8)

    def see_consumer(
        self, db: int, key: bytes, group: Group, consumer: Consumer, time_ms: int
    ) -> None:
        """A consumer was there then."""
        if not self.recording:
            return
        pos = self._member(SEE_CONSUMER, db, key, group.name, consumer.name, 8)
        put_i64(self.buf, pos, time_ms)
        self._ends_at(pos + 8)
