"""What commands did, as records in memory, until somebody writes them.

Commands call one method for each effect, right after they had it. `seal` closes what one command
recorded (or one EXEC) as a record of the journal; `take` gives out the records gathered, as
batches with room for their header. The layout of each effect is drawn in operations.py.

Guarantees:
1. `end` is ahead of what was taken as soon as an effect is recorded: a reply that leaves later
   can wait for it.
2. What is taken are whole records, in order, their checksums chained (format.py).
3. Nothing is recorded while not `recording`.
"""

from __future__ import annotations

from headwater.journal.batches import Batch
from headwater.journal.managed import ManagedRecorder
from headwater.journal.operations import (
    ACKNOWLEDGE,
    ACKNOWLEDGE_AND_DELETE,
    ADD,
    AFTER,
    APPEND,
    ASSIGN,
    AT_FRONT,
    COPY_KEY,
    COUNTS_AS_ADDED,
    CREATE_CONSUMER,
    CREATE_GROUP,
    CUT,
    DELETE,
    DELETE_CONSUMER,
    DELETE_KEY,
    DELETE_LIBRARY,
    DELIVER,
    DELIVER_AGAIN,
    DESTROY_GROUP,
    DROPS_REFERENCES,
    EXPIRE,
    FLUSH,
    FLUSH_ALL,
    FLUSH_LIBRARIES,
    INSERT_ITEM,
    LIMITS_GROUPS,
    LIST_LIMIT,
    LOAD_LIBRARY,
    MAKES_STREAM,
    MOVE_ITEM,
    MOVE_KEY,
    NACK,
    NO_ACK,
    POP,
    PUSH,
    REMEMBER,
    REMOVE_ITEMS,
    RESTORE,
    SET,
    SET_ID,
    SET_ITEM,
    SET_POSITION,
    SET_WINDOW,
    SWAP,
    TO_FRONT,
    TRIM,
    TRIMMED,
    WRITE,
)
from headwater.raw import copy, put_i64, put_u32, put_u64
from headwater.resp.request import Request
from headwater.streams.group import Consumer, Group
from headwater.streams.idmp import Idmp
from headwater.streams.stream import Stream

__all__ = ["Batch", "Recorder"]


class Recorder(ManagedRecorder):
    """Records effects while `recording`."""

    __slots__ = ()

    # --- entries ---

    def add_entry(
        self,
        db: int,
        key: bytes,
        stream: Stream,
        node_max_entries: int,
        node_max_bytes: int,
    ) -> None:
        """The last entry of the stream was appended, under these limits of a node."""
        if not self.recording:
            return
        if node_max_entries != self._node_max_entries or node_max_bytes != self._node_max_bytes:
            self._limits(node_max_entries, node_max_bytes)
        block = stream.blocks[len(stream.blocks) - 1]
        entry = block.buf
        start = block.offset(block.slots - 1)
        # Behind *2 CRLF $ the length of the ID in one or two digits, CRLF, the ID, CRLF.
        if entry[start + 6] == 13:
            start += 10 + entry[start + 5] - 48
        else:
            start += 11 + 10 * (entry[start + 5] - 48) + entry[start + 6] - 48
        n = block.used - start
        pos = self._key(ADD, db, key, 20 + n)
        buf = self.buf
        put_u64(buf, pos, stream.last_ms)
        put_u64(buf, pos + 8, stream.last_seq)
        put_u32(buf, pos + 16, n)
        copy(buf, pos + 20, entry, start, n)
        self._ends_at(pos + 20 + n)

    def trim(self, db: int, key: bytes, entries: int, drops_references: bool) -> None:
        """So many entries at the stream's head are gone; references too or not."""
        if not self.recording or entries == 0:
            return
        pos = self._key(TRIM, db, key, 9)
        self.buf[pos] = DROPS_REFERENCES if drops_references else 0
        put_u64(self.buf, pos + 1, entries)
        self._ends_at(pos + 9)

    def delete(
        self,
        db: int,
        key: bytes,
        stream: Stream,
        ms: int,
        seq: int,
        trimmed: bool,
        drops_references: bool,
    ) -> None:
        """An entry is deleted; `trimmed`: the max deleted ID stays."""
        if not self.recording:
            return
        flags = (TRIMMED if trimmed else 0) | (DROPS_REFERENCES if drops_references else 0)
        kind = DELETE | flags << 8
        if self._continues(kind, stream, 16):
            pos = self._pos
        else:
            pos = self._key(DELETE, db, key, 21)
            self.buf[pos] = flags
            pos = self._begin_list(pos + 1, kind, stream)
        self._ends_at(self._id(pos, ms, seq))

    def set_id(self, db: int, key: bytes, stream: Stream, limits_groups: bool) -> None:
        """The stream's last ID, its counter or its max deleted ID was set."""
        if not self.recording:
            return
        pos = self._key(SET_ID, db, key, 41)
        self.buf[pos] = LIMITS_GROUPS if limits_groups else 0
        pos = self._id(pos + 1, stream.last_ms, stream.last_seq)
        put_i64(self.buf, pos, stream.entries_added)
        self._ends_at(self._id(pos + 8, stream.max_deleted_ms, stream.max_deleted_seq))

    # --- idempotent IDs ---

    def remember(
        self,
        db: int,
        key: bytes,
        idmp: Idmp,
        pid: bytes,
        iid: bytes,
        ms: int,
        seq: int,
        counts_as_added: bool,
    ) -> None:
        """An idempotent ID was recorded just now in the stream's window."""
        if not self.recording:
            return
        pos = self._key(REMEMBER, db, key, 49 + len(pid) + len(iid))
        buf = self.buf
        buf[pos] = COUNTS_AS_ADDED if counts_as_added else 0
        put_i64(buf, pos + 1, idmp.duration_s)
        put_i64(buf, pos + 9, idmp.maxsize)
        pos = self._id(pos + 17, ms, seq)
        put_i64(buf, pos, idmp.newest_ms)
        self._ends_at(self._text(self._text(pos + 8, pid), iid))

    def set_window(self, db: int, key: bytes, idmp: Idmp) -> None:
        """The stream's window was configured."""
        if not self.recording:
            return
        pos = self._key(SET_WINDOW, db, key, 16)
        put_i64(self.buf, pos, idmp.duration_s)
        put_i64(self.buf, pos + 8, idmp.maxsize)
        self._ends_at(pos + 16)

    # --- groups and consumers ---

    def create_group(self, db: int, key: bytes, group: Group, makes_stream: bool) -> None:
        """A group was created, and the key with it or not."""
        if not self.recording:
            return
        pos = self._group(CREATE_GROUP, db, key, group.name, 25)
        self.buf[pos] = MAKES_STREAM if makes_stream else 0
        pos = self._id(pos + 1, group.last_ms, group.last_seq)
        put_i64(self.buf, pos, group.entries_read)
        self._ends_at(pos + 8)

    def set_position(self, db: int, key: bytes, group: Group) -> None:
        """A group's last-delivered ID was set."""
        if not self.recording:
            return
        pos = self._group(SET_POSITION, db, key, group.name, 24)
        pos = self._id(pos, group.last_ms, group.last_seq)
        put_i64(self.buf, pos, group.entries_read)
        self._ends_at(pos + 8)

    def destroy_group(self, db: int, key: bytes, name: bytes) -> None:
        if self.recording:
            self._ends_at(self._group(DESTROY_GROUP, db, key, name, 0))

    def create_consumer(self, db: int, key: bytes, group: Group, consumer: Consumer) -> None:
        if not self.recording:
            return
        pos = self._member(CREATE_CONSUMER, db, key, group.name, consumer.name, 8)
        put_i64(self.buf, pos, consumer.seen_ms)
        self._ends_at(pos + 8)

    def delete_consumer(self, db: int, key: bytes, group: Group, name: bytes) -> None:
        if self.recording:
            self._ends_at(self._member(DELETE_CONSUMER, db, key, group.name, name, 0))

    # --- deliveries ---

    def deliver(
        self,
        db: int,
        key: bytes,
        group: Group,
        consumer: Consumer,
        time_ms: int,
        entries: int,
        no_ack: bool,
    ) -> None:
        """So many new entries were delivered; the group stands at the last of them."""
        if not self.recording or entries == 0:
            return
        pos = self._member(DELIVER, db, key, group.name, consumer.name, 33)
        buf = self.buf
        buf[pos] = NO_ACK if no_ack else 0
        put_i64(buf, pos + 1, time_ms)
        put_u64(buf, pos + 9, entries)
        self._ends_at(self._id(pos + 17, group.last_ms, group.last_seq))

    def deliver_again(
        self,
        db: int,
        key: bytes,
        group: Group,
        consumer: Consumer,
        time_ms: int,
        entries: int,
        ms: int,
        seq: int,
    ) -> None:
        """So many of the consumer's pending entries behind an ID were delivered again."""
        if not self.recording or entries == 0:
            return
        pos = self._member(DELIVER_AGAIN, db, key, group.name, consumer.name, 32)
        put_i64(self.buf, pos, time_ms)
        put_u64(self.buf, pos + 8, entries)
        self._ends_at(self._id(pos + 16, ms, seq))

    def assign(
        self,
        db: int,
        key: bytes,
        group: Group,
        consumer: Consumer,
        handles: list[int],
        delivery_ms: int,
        active_ms: int,
    ) -> None:
        """These pending entries were given to the consumer, in this order, and are still its."""
        n = len(handles)
        if not self.recording or n == 0:
            return
        records = group.pending.records
        pos = self._member(ASSIGN, db, key, group.name, consumer.name, 20 + 24 * n)
        buf = self.buf
        put_i64(buf, pos, delivery_ms)
        put_i64(buf, pos + 8, active_ms)
        put_u32(buf, pos + 16, n)
        pos += 20
        for i in range(n):
            handle = handles[i]
            put_u64(buf, pos, records.ms(handle))
            put_u64(buf, pos + 8, records.seq(handle))
            put_u64(buf, pos + 16, records.count(handle))
            pos += 24
        self._ends_at(pos)

    def nack(self, db: int, key: bytes, group: Group, ms: int, seq: int, count: int) -> None:
        """An entry is pending and nobody's, with this delivery count."""
        if not self.recording:
            return
        if self._continues(NACK, group, 24):
            pos = self._pos
        else:
            pos = self._group(NACK, db, key, group.name, 28)
            pos = self._begin_list(pos, NACK, group)
        pos = self._id(pos, ms, seq)
        put_u64(self.buf, pos, count)
        self._ends_at(pos + 8)

    def acknowledge(self, db: int, key: bytes, group: Group, ms: int, seq: int) -> None:
        """An entry is pending no more."""
        if not self.recording:
            return
        if self._continues(ACKNOWLEDGE, group, 16):
            pos = self._pos
        else:
            pos = self._group(ACKNOWLEDGE, db, key, group.name, 20)
            pos = self._begin_list(pos, ACKNOWLEDGE, group)
        self._ends_at(self._id(pos, ms, seq))

    def acknowledge_and_delete(
        self, db: int, key: bytes, group: Group, ms: int, seq: int, drops_references: bool
    ) -> None:
        """An entry is pending no more, and deleted if it was there."""
        if not self.recording:
            return
        flags = DROPS_REFERENCES if drops_references else 0
        kind = ACKNOWLEDGE_AND_DELETE | flags << 8
        if self._continues(kind, group, 16):
            pos = self._pos
        else:
            pos = self._group(ACKNOWLEDGE_AND_DELETE, db, key, group.name, 21)
            self.buf[pos] = flags
            pos = self._begin_list(pos + 1, kind, group)
        self._ends_at(self._id(pos, ms, seq))

    # --- lists; `fill` is what `list-max-listpack-size` is ---

    def list_limit(self, fill: int) -> None:
        """Lists that are made or changed follow this limit."""
        if not self.recording or fill == self._list_fill:
            return
        pos = self._room(9)
        self.buf[pos] = LIST_LIMIT
        put_i64(self.buf, pos + 1, fill)
        self._ends_at(pos + 9)
        self._list_fill = fill

    def push(
        self, db: int, key: bytes, fill: int, request: Request, first: int, front: bool
    ) -> None:
        """The words of a request from this one on were added to a list, in their order."""
        if not self.recording:
            return
        self.list_limit(fill)
        n = request.argc - first
        size = 5
        for i in range(first, request.argc):
            size += 4 + request.spans[2 * i + 1]
        pos = self._key(PUSH, db, key, size)
        self.buf[pos] = AT_FRONT if front else 0
        put_u32(self.buf, pos + 1, n)
        pos += 5
        for i in range(first, request.argc):
            pos = self._span(pos, request.buf, request.spans[2 * i], request.spans[2 * i + 1])
        self._ends_at(pos)

    def pop(self, db: int, key: bytes, fill: int, items: int, front: bool) -> None:
        """So many items were taken away at one end of a list."""
        if not self.recording:
            return
        self.list_limit(fill)
        pos = self._key(POP, db, key, 9)
        self.buf[pos] = AT_FRONT if front else 0
        put_u64(self.buf, pos + 1, items)
        self._ends_at(pos + 9)

    def set_item(
        self, db: int, key: bytes, fill: int, index: int, request: Request, word: int
    ) -> None:
        """An item got another text, this word of the request."""
        if not self.recording:
            return
        self.list_limit(fill)
        n = request.spans[2 * word + 1]
        pos = self._key(SET_ITEM, db, key, 12 + n)
        put_u64(self.buf, pos, index)
        self._ends_at(self._span(pos + 8, request.buf, request.spans[2 * word], n))

    def insert_item(
        self, db: int, key: bytes, fill: int, index: int, after: bool, request: Request, word: int
    ) -> None:
        """This word of the request was added before or behind the item of an index."""
        if not self.recording:
            return
        self.list_limit(fill)
        n = request.spans[2 * word + 1]
        pos = self._key(INSERT_ITEM, db, key, 13 + n)
        self.buf[pos] = AFTER if after else 0
        put_u64(self.buf, pos + 1, index)
        self._ends_at(self._span(pos + 9, request.buf, request.spans[2 * word], n))

    def remove_items(
        self, db: int, key: bytes, fill: int, count: int, request: Request, word: int
    ) -> None:
        """Items with this word of the request as text were deleted."""
        if not self.recording:
            return
        self.list_limit(fill)
        n = request.spans[2 * word + 1]
        pos = self._key(REMOVE_ITEMS, db, key, 12 + n)
        put_i64(self.buf, pos, count)
        self._ends_at(self._span(pos + 8, request.buf, request.spans[2 * word], n))

    def cut_list(self, db: int, key: bytes, fill: int, front: int, back: int) -> None:
        """So many items were taken away at the beginning and at the end of a list."""
        if not self.recording:
            return
        self.list_limit(fill)
        pos = self._key(CUT, db, key, 16)
        put_u64(self.buf, pos, front)
        put_u64(self.buf, pos + 8, back)
        self._ends_at(pos + 16)

    def move_item(
        self, db: int, key: bytes, fill: int, target: bytes, from_front: bool, to_front: bool
    ) -> None:
        """The item at one end of a list went to an end of another key's list, or of the same."""
        if not self.recording:
            return
        self.list_limit(fill)
        pos = self._text(self._key(MOVE_ITEM, db, key, 5 + len(target)), target)
        self.buf[pos] = (AT_FRONT if from_front else 0) | (TO_FRONT if to_front else 0)
        self._ends_at(pos + 1)

    def _span(self, pos: int, buf: bytearray, start: int, n: int) -> int:
        put_u32(self.buf, pos, n)
        copy(self.buf, pos + 4, buf, start, n)
        return pos + 4 + n

    # --- keys ---

    def set(self, db: int, key: bytes, data: bytes, expire_at: int) -> None:
        """The key holds this string."""
        if not self.recording:
            return
        pos = self._key(SET, db, key, 12 + len(data))
        put_i64(self.buf, pos, expire_at)
        self._ends_at(self._text(pos + 8, data))

    def append(self, db: int, key: bytes, data: bytes) -> None:
        """Bytes were added at the end of the key's string."""
        if self.recording:
            self._ends_at(self._text(self._key(APPEND, db, key, 4 + len(data)), data))

    def write(self, db: int, key: bytes, offset: int, data: bytes) -> None:
        """Bytes were written at an offset of the key's string, which was made if need be."""
        if not self.recording:
            return
        pos = self._key(WRITE, db, key, 12 + len(data))
        put_u64(self.buf, pos, offset)
        self._ends_at(self._text(pos + 8, data))

    def restore(self, db: int, key: bytes, expire_at: int, payload: bytes) -> None:
        """The key holds what DUMP made this payload of."""
        if not self.recording:
            return
        pos = self._key(RESTORE, db, key, 12 + len(payload))
        put_i64(self.buf, pos, expire_at)
        self._ends_at(self._text(pos + 8, payload))

    def delete_key(self, db: int, key: bytes) -> None:
        """The key is deleted, or has expired."""
        if self.recording:
            self._ends_at(self._key(DELETE_KEY, db, key, 0))

    def expire(self, db: int, key: bytes, at_ms: int) -> None:
        """The key's expiry was set; 0: taken away."""
        if not self.recording:
            return
        pos = self._key(EXPIRE, db, key, 8)
        put_i64(self.buf, pos, at_ms)
        self._ends_at(pos + 8)

    def move_key(self, db: int, key: bytes, target: int, new_key: bytes) -> None:
        """The key's value, with its expiry, became that of another key."""
        if self.recording:
            self._two_keys(MOVE_KEY, db, key, target, new_key)

    def copy_key(self, db: int, key: bytes, target: int, new_key: bytes) -> None:
        """Another key got a copy of the key's value, with its expiry."""
        if self.recording:
            self._two_keys(COPY_KEY, db, key, target, new_key)

    def _two_keys(self, op: int, db: int, key: bytes, target: int, new_key: bytes) -> None:
        pos = self._key(op, db, key, 8 + len(new_key))
        put_u32(self.buf, pos, target)
        self._ends_at(self._text(pos + 4, new_key))

    # --- databases ---

    def swap(self, first: int, second: int) -> None:
        """Two databases exchanged their keys."""
        if not self.recording:
            return
        pos = self._room(9)
        self.buf[pos] = SWAP
        put_u32(self.buf, pos + 1, first)
        put_u32(self.buf, pos + 5, second)
        self._ends_at(pos + 9)

    def flush(self, db: int) -> None:
        """A database was emptied."""
        if not self.recording:
            return
        pos = self._room(5)
        self.buf[pos] = FLUSH
        put_u32(self.buf, pos + 1, db)
        self._ends_at(pos + 5)

    def flush_all(self) -> None:
        """All databases were emptied."""
        if not self.recording:
            return
        pos = self._room(1)
        self.buf[pos] = FLUSH_ALL
        self._ends_at(pos + 1)

    # --- libraries of functions ---

    def load_library(self, name: bytes, code: bytes) -> None:
        """A library has this code now."""
        if not self.recording:
            return
        pos = self._room(9 + len(name) + len(code))
        self.buf[pos] = LOAD_LIBRARY
        self._ends_at(self._text(self._text(pos + 1, name), code))

    def delete_library(self, name: bytes) -> None:
        if not self.recording:
            return
        pos = self._room(5 + len(name))
        self.buf[pos] = DELETE_LIBRARY
        self._ends_at(self._text(pos + 1, name))

    def flush_libraries(self) -> None:
        """All libraries are deleted."""
        if not self.recording:
            return
        pos = self._room(1)
        self.buf[pos] = FLUSH_LIBRARIES
        self._ends_at(pos + 1)
