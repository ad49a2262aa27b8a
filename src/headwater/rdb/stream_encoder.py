"""A stream as an RDB value, written step by step: entries, groups, idempotent IDs.

Order and widths of everything are in docs/formats/rdb.md.
"""

from __future__ import annotations

from headwater.rdb.listpack import Packer
from headwater.rdb.output import Output
from headwater.rdb.types import (
    TYPE_STREAM_LISTPACKS_3,
    TYPE_STREAM_LISTPACKS_4,
    TYPE_STREAM_LISTPACKS_5,
)
from headwater.streams.group import Consumer, Group
from headwater.streams.handles import HandleOrder
from headwater.streams.idmp import Producer, Remembered
from headwater.streams.ids import MAX
from headwater.streams.stream import Stream

DEFAULT_IDMP_DURATION_S = 100
DEFAULT_IDMP_MAXSIZE = 100
"""What stands for a stream that has no window of idempotent IDs, as Redis has it by default."""

_RUN = 256
"""Pending entries, or idempotent IDs, written between two looks at how much there is already."""

# What comes next.
_BLOCKS = 0
_GROUP = 1
_PENDING = 2
_CONSUMER = 3
_OWNED = 4
_NACKED = 5
_PRODUCER = 6
_REMEMBERED = 7
_DONE = 8

_NO_STREAM = Stream()


def stream_type(stream: Stream) -> int:
    """The oldest type of value that carries everything this stream has."""
    if stream.groups is not None:
        for group in stream.groups.values():
            if group.pending.nacked != 0:
                return TYPE_STREAM_LISTPACKS_5
    return TYPE_STREAM_LISTPACKS_3 if stream.idmp is None else TYPE_STREAM_LISTPACKS_4


class StreamEncoder:
    """Writes streams, one after the other, without their type and key.

    A stream must stay as it is from `begin` until `step` has returned True.
    """

    __slots__ = (
        "_consumers",
        "_group",
        "_groups",
        "_handle",
        "_index",
        "_next",
        "_number",
        "_order",
        "_out",
        "_packer",
        "_producers",
        "_remembered",
        "_slot",
        "_stream",
        "_type",
    )

    def __init__(self, out: Output) -> None:
        self._out = out
        self._packer = Packer()
        self._stream = _NO_STREAM
        self._type = 0
        self._next = _DONE
        self._index = 0  # of the next block, consumer, producer or remembered ID
        self._groups: list[Group] = []  # still to be written, the next one last
        self._group: Group | None = None
        self._order: HandleOrder | None = None  # what is being written, and how far it is
        self._number = 0
        self._slot = 0
        self._consumers: list[Consumer] = []
        self._handle = 0
        self._producers: list[tuple[bytes, Producer]] = []
        self._remembered: list[Remembered] = []

    def begin(self, stream: Stream, stream_type: int) -> None:
        """Start with a stream; the type must be `stream_type(stream)` or above."""
        self._stream = stream
        self._type = stream_type
        self._next = _BLOCKS
        self._index = stream.head
        self._out.length(len(stream.blocks) - stream.head)

    def step(self, max_bytes: int) -> bool:
        """Write at least one part, and then more up to about `max_bytes`; True at the end."""
        out = self._out
        limit = out.pos + max_bytes
        while self._next != _DONE:
            if self._next == _BLOCKS:
                self._put_block()
            elif self._next == _GROUP:
                self._begin_group()
            elif self._next == _PENDING:
                self._put_pending()
            elif self._next == _CONSUMER:
                self._begin_consumer()
            elif self._next == _OWNED:
                self._put_owned()
            elif self._next == _NACKED:
                self._put_nacked()
            elif self._next == _PRODUCER:
                self._begin_producer()
            else:
                self._put_remembered()
            if out.pos >= limit:
                break
        return self._next == _DONE

    # --- entries ---

    def _put_block(self) -> None:
        stream = self._stream
        out = self._out
        packer = self._packer
        if self._index < len(stream.blocks):
            packer.pack(stream.blocks[self._index])
            out.length(16)
            out.entry_id(packer.ms, packer.seq)
            out.span(packer.buf, 0, packer.used)
            self._index += 1
            return
        first_ms, first_seq = stream.first_id()
        out.length(stream.length)
        out.length(stream.last_ms)
        out.length(stream.last_seq)
        out.length(first_ms)
        out.length(first_seq)
        out.length(stream.max_deleted_ms)
        out.length(stream.max_deleted_seq)
        out.length(stream.entries_added)
        if stream.groups is not None:
            self._groups.extend(stream.groups.values())
            self._groups.reverse()
        out.length(len(self._groups))
        self._next = _GROUP

    # --- groups ---

    def _begin_group(self) -> None:
        if not self._groups:
            self._group = None
            self._begin_idmp()
            return
        out = self._out
        group = self._groups.pop()
        self._group = group
        pending = group.pending
        out.string(group.name)
        out.length(group.last_ms)
        out.length(group.last_seq)
        # Unknown is -1, and numbers have no sign here.
        out.length(group.entries_read if group.entries_read >= 0 else MAX)
        out.length(pending.count)
        self._begin_order(pending.by_id)
        self._next = _PENDING

    def _begin_order(self, order: HandleOrder) -> None:
        self._order = order
        self._number = 0
        self._slot = order.start(0) if order.chunks else 0

    def _put_pending(self) -> None:
        """Write some of a group's pending entries; behind the last, the number of consumers."""
        out = self._out
        group = self._group
        order = self._order
        assert group is not None
        assert order is not None
        records = group.pending.records
        left = _RUN
        while self._number < len(order.chunks):
            end = order.end(self._number)
            while self._slot < end and left > 0:
                handle = order.handle(self._number, self._slot)
                out.entry_id(records.ms(handle), records.seq(handle))
                out.time(records.time(handle))
                out.length(records.count(handle))
                self._slot += 1
                left -= 1
            if self._slot < end:
                return
            self._next_chunk(order)
        out.length(len(group.consumers))
        self._consumers.extend(group.consumers.values())
        self._consumers.reverse()
        self._next = _CONSUMER

    def _next_chunk(self, order: HandleOrder) -> None:
        self._number += 1
        if self._number < len(order.chunks):
            self._slot = order.start(self._number)

    def _begin_consumer(self) -> None:
        out = self._out
        group = self._group
        assert group is not None
        if not self._consumers:
            if self._type < TYPE_STREAM_LISTPACKS_5:
                self._next = _GROUP
                return
            out.length(group.pending.nacked)
            self._handle = group.pending.oldest if group.pending.nacked != 0 else 0
            self._next = _NACKED
            return
        consumer = self._consumers.pop()
        order = group.pending.order_of(consumer.number)
        out.string(consumer.name)
        out.time(consumer.seen_ms)
        out.time(consumer.active_ms)
        out.length(order.length)
        self._begin_order(order)
        self._next = _OWNED

    def _put_owned(self) -> None:
        """Write the IDs of some of a consumer's pending entries."""
        out = self._out
        group = self._group
        order = self._order
        assert group is not None
        assert order is not None
        records = group.pending.records
        left = _RUN
        while self._number < len(order.chunks):
            end = order.end(self._number)
            while self._slot < end and left > 0:
                handle = order.handle(self._number, self._slot)
                out.entry_id(records.ms(handle), records.seq(handle))
                self._slot += 1
                left -= 1
            if self._slot < end:
                return
            self._next_chunk(order)
        self._next = _CONSUMER

    def _put_nacked(self) -> None:
        """Write the IDs of some nacked entries, in the order in which they were released."""
        out = self._out
        group = self._group
        assert group is not None
        pending = group.pending
        records = pending.records
        left = _RUN
        while self._handle != 0 and left > 0:
            handle = self._handle
            out.entry_id(records.ms(handle), records.seq(handle))
            self._handle = 0 if handle == pending.newest_nacked else records.behind(handle)
            left -= 1
        if self._handle == 0:
            self._next = _GROUP

    # --- idempotent IDs ---

    def _begin_idmp(self) -> None:
        if self._type < TYPE_STREAM_LISTPACKS_4:
            self._end()
            return
        out = self._out
        idmp = self._stream.idmp
        if idmp is None:
            out.length(DEFAULT_IDMP_DURATION_S)
            out.length(DEFAULT_IDMP_MAXSIZE)
        else:
            out.length(idmp.duration_s)
            out.length(idmp.maxsize)
            self._producers.extend(idmp.producers.items())
            self._producers.reverse()
        out.length(len(self._producers))
        self._next = _PRODUCER

    def _begin_producer(self) -> None:
        out = self._out
        if not self._producers:
            idmp = self._stream.idmp
            out.length(0 if idmp is None else idmp.added)
            out.length(0 if idmp is None else idmp.duplicates)
            self._end()
            return
        pid, producer = self._producers.pop()
        out.string(pid)
        self._remembered.extend(producer.by_iid.values())
        self._index = 0
        out.length(len(self._remembered))
        self._next = _REMEMBERED

    def _put_remembered(self) -> None:
        """Write some of a producer's IDs, in the order in which they were recorded."""
        out = self._out
        until = min(len(self._remembered), self._index + _RUN)
        while self._index < until:
            entry = self._remembered[self._index]
            out.string(entry.iid)
            out.length(entry.ms)
            out.length(entry.seq)
            self._index += 1
        if until == len(self._remembered):
            self._remembered.clear()
            self._next = _PRODUCER

    def _end(self) -> None:
        self._stream = _NO_STREAM
        self._order = None
        self._next = _DONE
