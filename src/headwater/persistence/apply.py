"""The journal's records applied to a keyspace: what was recorded happens again.

The operations are drawn in `journal/operations.py`; the method that applies one has the name of
the recorder's method that wrote it. Nothing here looks at a clock, lets a key expire, wakes a
reader or counts anything: a key is there until a record deletes it.

Guarantees: an operation that does not fit the state, or that is no operation, raises ApplyError
and nothing else, whatever the bytes are; a key or group that is named must be there, an ID that
is added must be above the last one, and so on. The state is then of no use.
"""

from __future__ import annotations

from headwater.journal.operations import (
    ACKNOWLEDGE,
    ACKNOWLEDGE_AND_DELETE,
    ADD,
    APPEND,
    ASSIGN,
    COPY_KEY,
    COUNTS_AS_ADDED,
    CREATE_CONSUMER,
    CREATE_GROUP,
    DELETE,
    DELETE_CONSUMER,
    DELETE_KEY,
    DELIVER,
    DELIVER_AGAIN,
    DESTROY_GROUP,
    DROPS_REFERENCES,
    EXPIRE,
    FLUSH,
    FLUSH_ALL,
    LIMITS,
    LIMITS_GROUPS,
    MAKES_STREAM,
    MOVE_KEY,
    NACK,
    NO_ACK,
    REMEMBER,
    RESTORE,
    SET,
    SET_ID,
    SET_POSITION,
    SET_WINDOW,
    SWAP,
    TRIM,
    TRIMMED,
    WRITE,
)
from headwater.keyspace.database import Database, Keyspace
from headwater.keyspace.strings import GrownString, String
from headwater.lists.list import List
from headwater.persistence.apply_managed import ManagedApplier
from headwater.persistence.operands import QUOTED_BYTES, ApplyError
from headwater.raw import get_u32
from headwater.streams.delivery import EntryFinder, hand_over, one_more, run_behind
from headwater.streams.group import UNKNOWN, Group
from headwater.streams.idmp import (
    MAX_DURATION_S,
    MAX_MAXSIZE,
    MIN_DURATION_S,
    MIN_MAXSIZE,
    Idmp,
)
from headwater.streams.ids import compare, next_id, text
from headwater.streams.lag import set_entries_added
from headwater.streams.ordering import became_pending
from headwater.streams.references import drop_references
from headwater.streams.stream import Stream
from headwater.value import Value

RECORD_HEADER_BYTES = 8
LONGEST_STRING_BYTES = 0xFFFF_FFFF
FREE_ALL = 1 << 40


class Applier(ManagedApplier):
    """Applies records to `keyspace`. `applied` counts operations."""

    __slots__ = ("applied",)

    def __init__(self, keyspace: Keyspace) -> None:
        super().__init__(keyspace)
        self.applied = 0

    def apply(self, buf: bytearray, begin: int, end: int) -> None:
        """Apply the records that fill [begin, end); headers are there, and checked by others."""
        head = RECORD_HEADER_BYTES  # a C integer, unlike the constant
        self._buf = buf
        self._forget()
        pos = begin
        while pos < end:
            self._record = pos
            self._op = 0
            if end - pos < head:
                raise ApplyError("half a record", pos)
            n = get_u32(buf, pos)
            pos += head
            if n > end - pos:
                raise ApplyError("half a record", pos - head)
            self._pos = pos
            pos += n
            self._end = pos
            while self._pos < pos:
                self._apply()
        if self.keyspace.graveyard:
            self.keyspace.free_some(FREE_ALL)

    def _apply(self) -> None:
        """Apply the next operation."""
        op = self._buf[self._pos]
        self._op = op
        self._pos += 1
        self.applied += 1
        if op == ADD:
            self.add_entry()
        elif op == ACKNOWLEDGE:
            self.acknowledge()
        elif op == DELIVER:
            self.deliver()
        elif op == TRIM:
            self.trim()
        elif op == SET:
            self.set()
        elif op == APPEND:
            self.append()
        elif op == DELETE_KEY:
            self.delete_key()
        elif op == EXPIRE:
            self.expire()
        elif op == REMEMBER:
            self.remember()
        elif op == ASSIGN:
            self.assign()
        elif op == NACK:
            self.nack()
        elif op == DELIVER_AGAIN:
            self.deliver_again()
        elif op == ACKNOWLEDGE_AND_DELETE:
            self.acknowledge_and_delete()
        elif op == DELETE:
            self.delete()
        elif op == CREATE_CONSUMER:
            self.create_consumer()
        elif op == DELETE_CONSUMER:
            self.delete_consumer()
        elif op == CREATE_GROUP:
            self.create_group()
        elif op == SET_POSITION:
            self.set_position()
        elif op == DESTROY_GROUP:
            self.destroy_group()
        elif op == SET_ID:
            self.set_id()
        elif op == SET_WINDOW:
            self.set_window()
        elif op == WRITE:
            self.write()
        elif op == RESTORE:
            self.restore()
        elif op == MOVE_KEY:
            self.move_key()
        elif op == COPY_KEY:
            self.copy_key()
        elif op == LIMITS:
            self.limits()
        elif op == SWAP:
            self.swap()
        elif op == FLUSH:
            self.flush()
        elif op == FLUSH_ALL:
            self.flush_all()
        elif not (
            self.apply_to_schedules(op)
            or self.apply_managed(op)
            or self.apply_to_list(op)
            or self.apply_to_libraries(op)
        ):
            self._forget()
            self._fail(f"there is no operation {op}")

    # --- entries ---

    def add_entry(self) -> None:
        self._any_key()
        ms = self._u64()
        seq = self._u64()
        fields = self._entry_fields()
        self._append(self._stream_or_new(), ms, seq, fields)

    def trim(self) -> None:
        stream = self._a_stream()
        flags = self._flags()
        left = self._number(stream.length)
        while left != 0:
            block = stream.blocks[stream.head]
            n = min(block.live(), left)
            if flags & DROPS_REFERENCES:
                for slot in range(block.first, block.first + n):
                    ms, seq = block.entry_id(slot)
                    drop_references(stream, ms, seq)
            if n == block.live():
                stream.drop_block(stream.head)
            else:
                stream.drop_entries(stream.head, n)
            left -= n

    def delete(self) -> None:
        stream = self._a_stream()
        flags = self._flags()
        for _ in range(self._count(16)):
            ms = self._u64()
            seq = self._u64()
            if flags & TRIMMED:
                found = stream.take_out(ms, seq)
            else:
                found = stream.delete(ms, seq)
            if not found:
                self._no_entry(ms, seq)
            if flags & DROPS_REFERENCES:
                drop_references(stream, ms, seq)

    def _no_entry(self, ms: int, seq: int) -> None:
        self._fail(f"there is no entry {text(ms, seq).decode()}")

    def set_id(self) -> None:
        stream = self._a_stream()
        flags = self._flags()
        ms = self._u64()
        seq = self._u64()
        added = self._i64()
        if added < 0:
            self._fail(f"{added} entries ever added")
        if stream.length != 0:
            block = stream.blocks[len(stream.blocks) - 1]
            if compare(ms, seq, block.last_ms, block.last_seq) < 0:
                self._fail(f"ID {text(ms, seq).decode()} is below that of the last entry")
        stream.set_last_id(ms, seq)
        stream.max_deleted_ms = self._u64()
        stream.max_deleted_seq = self._u64()
        if flags & LIMITS_GROUPS:
            set_entries_added(stream, added)
        else:
            stream.entries_added = added

    # --- idempotent IDs ---

    def remember(self) -> None:
        stream = self._a_stream()
        flags = self._flags()
        duration_s = self._i64()
        maxsize = self._i64()
        self._check_window(duration_s, maxsize)
        ms = self._u64()
        seq = self._u64()
        time_ms = self._i64()
        pid = self._text()
        iid = self._text()
        idmp = stream.idmp
        if idmp is None:
            idmp = stream.idmp = Idmp(duration_s, maxsize)
            self.keyspace.has_idmp = True
        idmp.record(pid, iid, ms, seq, time_ms)
        if flags & COUNTS_AS_ADDED:
            idmp.added += 1

    def _check_window(self, duration_s: int, maxsize: int) -> None:
        if not (
            MIN_DURATION_S <= duration_s <= MAX_DURATION_S and MIN_MAXSIZE <= maxsize <= MAX_MAXSIZE
        ):
            self._fail(f"a window of {duration_s} s and {maxsize} IDs")

    def set_window(self) -> None:
        stream = self._a_stream()
        duration_s = self._i64()
        maxsize = self._i64()
        self._check_window(duration_s, maxsize)
        if stream.idmp is None:
            stream.idmp = Idmp(duration_s, maxsize)
            self.keyspace.has_idmp = True
        else:
            self.keyspace.graveyard.extend(stream.idmp.configure(duration_s, maxsize))

    # --- groups and consumers ---

    def create_group(self) -> None:
        self._any_key()
        name = self._text()
        makes_stream = self._flags() & MAKES_STREAM
        ms = self._u64()
        seq = self._u64()
        entries_read = self._entries_read()
        stream = self._stream
        if makes_stream:
            if self._value is not None:
                self._fail("the key is there already")
            stream = Stream()
            self._database.add(self._key, stream)
            self._value = stream
            self._stream = stream
        if stream is None:
            self._fail("there is no stream")
            return
        if stream.groups is None:
            stream.groups = {}
        if name in stream.groups:
            self._fail(f"group {name[:QUOTED_BYTES]!r} is there already")
        stream.groups[name] = Group(name, ms, seq, entries_read)

    def set_position(self) -> None:
        self._a_group()
        group = self._the_group()
        ms = self._u64()
        seq = self._u64()
        group.set_position(ms, seq, self._entries_read())

    def _entries_read(self) -> int:
        entries_read = self._i64()
        if entries_read < UNKNOWN:
            self._fail(f"{entries_read} entries read")
        return entries_read

    def destroy_group(self) -> None:
        stream = self._a_group()
        group = self._the_group()
        assert stream.groups is not None
        del stream.groups[group.name]
        self.keyspace.graveyard.extend(group.parts())

    def create_consumer(self) -> None:
        self._a_group()
        group = self._the_group()
        name = self._text()
        seen_ms = self._i64()
        if name in group.consumers:
            self._fail(f"consumer {name[:QUOTED_BYTES]!r} is there already")
        group.create_consumer(name, seen_ms)

    def delete_consumer(self) -> None:
        self._a_group()
        group = self._the_group()
        consumer = self._a_consumer(group)
        group.delete_consumer(consumer.name)

    # --- deliveries ---

    def deliver(self) -> None:
        stream = self._a_group()
        group = self._the_group()
        consumer = self._a_consumer(group)
        flags = self._flags()
        time_ms = self._i64()
        entries = self._number(stream.length)
        ms = self._u64()
        seq = self._u64()
        index1, slot1, index2, slot2, count, _ = run_behind(stream, group, entries, -1, 0)
        if count == 0 or count != entries:
            self._fail(f"there are less than {entries} entries to deliver")
            return
        block = stream.blocks[index2]
        last_ms, last_seq = block.entry_id(slot2 - 1)
        if last_ms != ms or last_seq != seq:
            self._fail(
                f"the last of {entries} entries is {text(last_ms, last_seq).decode()} "
                f"and not {text(ms, seq).decode()}"
            )
        consumer.seen_ms = group.read_ms = time_ms
        no_ack = flags & NO_ACK != 0
        hand_over(stream, group, consumer, time_ms, no_ack, index1, slot1, index2, slot2, count)

    def deliver_again(self) -> None:
        stream = self._a_group()
        group = self._the_group()
        consumer = self._a_consumer(group)
        time_ms = self._i64()
        pending = group.pending
        entries = self._number(pending.count_of(consumer.number))
        ms = self._u64()
        seq = self._u64()
        ok, ms, seq = next_id(ms, seq)
        handles = pending.owned_from(consumer.number, ms, seq, entries) if ok else []
        if len(handles) != entries:
            self._fail(f"{entries} entries of {len(handles)}")
        finder = EntryFinder(stream)
        for handle in handles:
            if finder.find(pending.records.ms(handle), pending.records.seq(handle)):
                count = one_more(pending.records.count(handle))
                pending.assign(handle, consumer.number, time_ms, count)
        consumer.seen_ms = group.read_ms = time_ms

    def assign(self) -> None:
        stream = self._a_group()
        group = self._the_group()
        consumer = self._a_consumer(group)
        delivery_ms = self._i64()
        time_ms = self._i64()
        pending = group.pending
        for _ in range(self._count(24)):
            ms = self._u64()
            seq = self._u64()
            count = self._u64()
            handle = pending.find(ms, seq)
            if handle != 0:
                pending.assign(handle, consumer.number, delivery_ms, count)
            else:
                handle = pending.add(ms, seq, consumer.number, delivery_ms, count)
                if group.redelivery is not None:
                    became_pending(stream, group, handle)
        consumer.seen_ms = group.read_ms = time_ms
        consumer.active_ms = time_ms

    def nack(self) -> None:
        stream = self._a_group()
        group = self._the_group()
        pending = group.pending
        for _ in range(self._count(24)):
            ms = self._u64()
            seq = self._u64()
            count = self._u64()
            handle = pending.find(ms, seq)
            if handle != 0:
                pending.assign(handle, 0, 0, count)
            else:
                handle = pending.add(ms, seq, 0, 0, count)
                if group.redelivery is not None:
                    became_pending(stream, group, handle)
        self.keyspace.has_nacked = True

    def acknowledge(self) -> None:
        self._a_group()
        pending = self._the_group().pending
        for _ in range(self._count(16)):
            ms = self._u64()
            seq = self._u64()
            if not pending.acknowledge(ms, seq):
                self._not_pending(ms, seq)

    def acknowledge_and_delete(self) -> None:
        stream = self._a_group()
        pending = self._the_group().pending
        flags = self._flags()
        for _ in range(self._count(16)):
            ms = self._u64()
            seq = self._u64()
            if not pending.acknowledge(ms, seq):
                self._not_pending(ms, seq)
            if flags & DROPS_REFERENCES:
                drop_references(stream, ms, seq)
            stream.delete(ms, seq)

    def _not_pending(self, ms: int, seq: int) -> None:
        name = self._the_group().name[:QUOTED_BYTES]
        self._fail(f"entry {text(ms, seq).decode()} is not pending in group {name!r}")

    # --- keys ---

    def _expiry(self) -> int:
        at_ms = self._i64()
        if at_ms < 0:
            self._fail(f"an expiry of {at_ms}")
        return at_ms

    def set(self) -> None:
        self._any_key()
        expire_at = self._expiry()
        self._hold(String(self._text()), expire_at)

    def append(self) -> None:
        self._any_key()
        data = self._text()
        self._grown_string().append(data)

    def write(self) -> None:
        self._any_key()
        offset = self._u64()
        data = self._text()
        if offset > LONGEST_STRING_BYTES:
            self._fail(f"an offset of {offset}")
        if self._value is None:
            self._value = GrownString(b"")
            self._database.add(self._key, self._value)
        self._grown_string().write(offset, data)

    def restore(self) -> None:
        from headwater.rdb.loader import load_payload
        from headwater.rdb.source import RdbError

        self._any_key()
        expire_at = self._expiry()
        payload = self._text()
        try:
            value = load_payload(payload)
        except RdbError as error:
            raise ApplyError(f"RESTORE of key {self._key!r}: {error}", self._record) from error
        if isinstance(value, List):
            value.settle(self._list_fill)
        self._hold(value, expire_at)
        self.keyspace.notice(value)

    def _hold(self, value: Value, expire_at: int) -> None:
        """Let the key hold a value."""
        value.expire_at = expire_at
        self._database.set(self._key, value)
        self._forget()

    def delete_key(self) -> None:
        value = self._a_value()
        self._database.remove(self._key)
        self.keyspace.bury(value)
        self._forget()

    def expire(self) -> None:
        value = self._a_value()
        at_ms = self._expiry()
        if at_ms:
            self._database.set_expiry(self._key, value, at_ms)
        else:
            self._database.persist(value)

    def move_key(self) -> None:
        self._a_value()
        target = self._one_database()
        new_key = self._text()
        self._check_other(target, new_key)
        self._database.move(self._key, target, new_key)
        self._forget()

    def copy_key(self) -> None:
        value = self._a_value()
        target = self._one_database()
        new_key = self._text()
        self._check_other(target, new_key)
        twin = value.copy()
        twin.expire_at = value.expire_at
        target.set(new_key, twin)
        self._forget()

    def _check_other(self, target: Database, key: bytes) -> None:
        if target is self._database and key == self._key:
            self._fail("the other key is the same")

    # --- databases ---

    def swap(self) -> None:
        self._forget()
        first = self._one_database()
        second = self._one_database()
        self.keyspace.swap(first.index, second.index)

    def flush(self) -> None:
        self._forget()
        self._one_database().flush()

    def flush_all(self) -> None:
        self._forget()
        self.keyspace.flush_all()
