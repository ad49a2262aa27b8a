"""The journal's operations on streams and groups with settings, applied; apply.py calls these."""

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
from headwater.persistence.apply_ordered import OrderedApplier
from headwater.schemas.versions import SchemaVersion, with_version
from headwater.streams.ordering import configure
from headwater.streams.retention import decode as decode_retention
from headwater.streams.settings import decode
from headwater.streams.stream import Stream


class ManagedApplier(OrderedApplier):
    """Applies what `journal/managed.py` recorded."""

    __slots__ = ()

    def apply_managed(self, op: int) -> bool:
        """Apply the operation, whose number is read; False: it is none of these."""
        if op == CONFIGURE_GROUP:
            self.configure_group()
        elif op == DEFER:
            self.defer()
        elif op == SET_SCHEMA:
            self.set_schema()
        elif op == DELETE_SCHEMA:
            self.delete_schema()
        elif op == DROP_PENDING:
            self.drop_pending()
        elif op == RETAIN:
            self.retain()
        elif op == DROP_RUN:
            self.drop_run()
        elif op == READ_GROUP:
            self.read_group()
        elif op == SEE_CONSUMER:
            self.see_consumer()
        else:
            return self.apply_to_lanes(op)
        return True

    def configure_group(self) -> None:
        stream = self._a_group()
        data = self._text()
        settings = None
        if data:
            try:
                settings = decode(data)
            except ValueError as error:
                self._fail(str(error))
        configure(stream, self._the_group(), settings)
        self.keyspace.calendar.manage(self._database, self._key, stream)

    def set_schema(self) -> None:
        self._any_key()
        makes_stream = self._flags() & MAKES_STREAM
        number = self._u32()
        compat = self._flags()
        set_ms = self._i64()
        text = self._text()
        stream = self._stream
        if makes_stream:
            if self._value is not None:
                self._fail("the key exists")
            stream = Stream()
            self._database.add(self._key, stream)
            self._value = self._stream = stream
        if stream is None:
            self._fail("the key is no stream")
            return
        try:
            stream.schema = with_version(stream.schema, SchemaVersion(number, compat, set_ms, text))
        except ValueError as error:
            self._fail(str(error))

    def delete_schema(self) -> None:
        stream = self._a_stream()
        if stream.schema is None:
            self._fail("the stream has no schema")
        stream.schema = None

    def defer(self) -> None:
        self._a_group()
        pending = self._the_group().pending
        redelivery = self._the_group().redelivery
        if redelivery is None:
            self._fail("the group has no settings")
            return
        for _ in range(self._count(24)):
            ms = self._u64()
            seq = self._u64()
            due_ms = self._i64()
            handle = pending.find(ms, seq)
            if handle == 0:
                self._fail("an entry that is to be due later is not pending")
            redelivery.released(handle, pending.records.count(handle), due_ms)

    def drop_pending(self) -> None:
        self._a_group()
        self.keyspace.graveyard.extend(self._the_group().pending.drop_all())

    def retain(self) -> None:
        stream = self._a_stream()
        data = self._text()
        retention = None
        if data:
            try:
                retention = decode_retention(data)
            except ValueError as error:
                self._fail(str(error))
        stream.retention = retention
        self.keyspace.calendar.manage(self._database, self._key, stream)

    def drop_run(self) -> None:
        stream = self._a_stream()
        ms = self._u64()
        seq = self._u64()
        left = self._number(stream.length)
        index, slot = stream.locate(ms, seq)
        blocks = 0
        while left > 0 and index + blocks < len(stream.blocks):
            block = stream.blocks[index + blocks]
            if blocks == 0 and slot != block.first:
                break
            left -= block.live()
            blocks += 1
        if left != 0 or blocks == 0:
            self._fail("the entries are not whole blocks")
        stream.drop_run(index, blocks)

    def read_group(self) -> None:
        self._a_group()
        self._the_group().read_ms = self._i64()

    def see_consumer(self) -> None:
        self._a_group()
        consumer = self._a_consumer(self._the_group())
        consumer.seen_ms = self._i64()
