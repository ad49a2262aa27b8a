"""Digests of what keys hold: 40 hex digits that change with any change of the content.

A digest depends on the content alone, not on how or in which order it came to be: two servers,
or one before and after a restart, have equal content when their digests are equal. That
includes what belongs to a stream besides its entries: IDs it remembers, groups, consumers,
pending entries, idempotent IDs; settings of the stream and its groups, and what they have led to:
when pending entries are due, which entries are held back, what is scheduled. When a key was last
read, or a group or a consumer last asked for entries, is not content, nor are the counts that only
INFO and XINFO show, nor is over which connection entries were taken: that ends with the server.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from headwater.keyspace.strings import String
from headwater.lists.list import List
from headwater.lists.run import Pieces as ListPieces
from headwater.streams.range import Pieces
from headwater.streams.settings import LEASE_TIME
from headwater.streams.stream import Stream

if TYPE_CHECKING:
    from headwater.keyspace.database import Keyspace
    from headwater.streams.group import Group
    from headwater.streams.idmp import Idmp
    from headwater.streams.redelivery import Redelivery
    from headwater.value import Value

DIGEST_BYTES = 20
NOTHING = bytes(DIGEST_BYTES)
_PIECE_BYTES = 256 * 1024
_AT_ONCE = 1000
_MAX = (1 << 64) - 1  # of either half of an ID


class _Hash:
    """A running SHA-1 over fields that cannot run into each other."""

    def __init__(self, kind: bytes) -> None:
        self._hash = hashlib.sha1(usedforsecurity=False)
        self.field(kind)

    def field(self, data: bytes) -> None:
        self._hash.update(b"%d:" % len(data))
        self._hash.update(data)

    def numbers(self, *values: int) -> None:
        self._hash.update(b",".join([b"%d" % value for value in values]) + b";")

    def facts(self, some: Iterable[Any]) -> None:
        """Numbers, texts, None, and lists of such."""
        for fact in some:
            if isinstance(fact, int):
                self.numbers(fact)
            elif isinstance(fact, bytes):
                self.field(fact)
            elif fact is None:
                self._hash.update(b"-")
            else:
                self._hash.update(b"(")
                self.facts(fact)
                self._hash.update(b")")

    def piece(self, data: bytes) -> None:
        """Bytes that are a field of their own together with the pieces around them."""
        self._hash.update(data)

    def digest(self) -> bytes:
        return self._hash.digest()


def value_digest(value: Value, now_ms: int) -> bytes:
    """The digest of a value, without its key and its expiry; what is over by `now_ms` is not in."""
    if isinstance(value, Stream):
        return _stream_digest(value, now_ms)
    if isinstance(value, List):
        return _list_digest(value)
    assert isinstance(value, String)
    running = _Hash(b"string")
    running.field(value.content())
    return running.digest()


def keyspace_digest(keyspace: Keyspace) -> bytes:
    """The digest of all databases; NOTHING if they are empty.

    Digests of keys are combined by XOR, so the order of keys does not matter. Keys that have
    expired do not count, deleted or not.
    """
    combined = 0
    for database in keyspace.databases:
        for key in list(database.values):
            value = database.peek(key)
            if value is None:
                continue
            running = _Hash(b"key")
            running.numbers(database.index, value.expire_at)
            running.field(key)
            running.field(value_digest(value, keyspace.clock.now_ms))
            combined ^= int.from_bytes(running.digest(), "big")
    return combined.to_bytes(DIGEST_BYTES, "big")


def _stream_digest(stream: Stream, now_ms: int) -> bytes:
    running = _Hash(b"stream")
    running.numbers(stream.last_ms, stream.last_seq)
    running.numbers(stream.max_deleted_ms, stream.max_deleted_seq)
    running.numbers(stream.entries_added, stream.length)
    run = stream.range(0, 0, _MAX, _MAX, -1, False)
    if run is not None:
        pieces = Pieces(run, False)
        while piece := pieces.read(_PIECE_BYTES):
            running.piece(piece)
    groups = stream.groups or {}
    running.numbers(len(groups))
    for name in sorted(groups):
        _add_group(running, groups[name])
    if stream.idmp is not None:
        _add_idmp(running, stream.idmp, now_ms)
    _add_settings(running, stream)
    return running.digest()


def _list_digest(value: List) -> bytes:
    running = _Hash(b"list")
    running.numbers(value.length)
    if value.length:
        pieces = ListPieces(value.run(0, value.length), False)
        while piece := pieces.read(_PIECE_BYTES):
            running.piece(piece)
    return running.digest()


def _add_group(running: _Hash, group: Group) -> None:
    running.field(group.name)
    running.numbers(group.last_ms, group.last_seq, group.entries_read, len(group.consumers))
    for name in sorted(group.consumers):
        consumer = group.consumers[name]
        running.field(name)
        running.numbers(consumer.active_ms)
    pending = group.pending
    redelivery = _redelivery_of(group)
    if redelivery is not None:
        running.field(redelivery.settings.encode())
        if redelivery.lanes is not None:
            running.facts(redelivery.lanes.describe(pending))
    records = pending.records
    running.numbers(pending.count)
    ms, seq = 0, 0
    while True:
        handles = pending.handles_from(ms, seq, _AT_ONCE)
        for handle in handles:
            ms, seq = records.ms(handle), records.seq(handle)
            owner = group.owner_of(handle)
            running.numbers(ms, seq, records.time(handle), records.count(handle))
            running.field(b"" if owner is None else owner.name)
            # An owner may have no name; a nacked entry has no owner.
            running.numbers(0 if owner is None else 1)
            if redelivery is not None:
                _add_due(running, redelivery, handle, owner is None)
        if len(handles) < _AT_ONCE or (ms, seq) == (_MAX, _MAX):
            return
        ms, seq = (ms, seq + 1) if seq < _MAX else (ms + 1, 0)


def _redelivery_of(group: Group) -> Redelivery | None:
    """What the group's settings have made; None if all is off and nothing is held back any more."""
    found = group.redelivery
    if found is not None and found.settings.is_off():
        lanes = found.lanes
        if lanes is None or lanes.held_count == 0:
            return None
    return found


def _add_due(running: _Hash, redelivery: Redelivery, handle: int, released: bool) -> None:
    """When a pending entry is due, and as what; while a connection holds it that is not content."""
    if not released and redelivery.settings.lease != LEASE_TIME:
        return
    for order in (redelivery.due, redelivery.exhausted):
        running.facts((order.due_ms(handle) if order.has(handle) else None,))


def _add_settings(running: _Hash, stream: Stream) -> None:
    """Retention, schedule and schema, each by its name if the stream has it."""
    if stream.retention is not None:
        running.field(b"retention")
        running.field(stream.retention.encode())
    if stream.schedule is not None:
        running.field(b"schedule")
        running.facts(stream.schedule.describe())
    if stream.schema is not None:
        running.field(b"schema")
        for version in stream.schema.versions:
            running.facts((version.number, version.compat, version.set_ms, version.text))


def _add_idmp(running: _Hash, idmp: Idmp, now_ms: int) -> None:
    running.numbers(idmp.duration_s, idmp.maxsize, idmp.added)
    over_ms = now_ms - 1000 * idmp.duration_s
    found = [entry for entry in idmp.remembered() if entry.time_ms > over_ms]
    found.sort(key=lambda entry: (entry.time_ms, entry.pid, entry.iid))
    for entry in found:
        running.field(entry.pid)
        running.field(entry.iid)
        running.numbers(entry.ms, entry.seq, entry.time_ms)
