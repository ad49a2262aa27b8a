"""Consumer groups: XGROUP, and what becomes of pending entries: XACK, XACKDEL, XPENDING."""

from __future__ import annotations

from headwater import errors
from headwater.commands.help import help_of
from headwater.commands.session import Session
from headwater.commands.settling import settled
from headwater.commands.streams import (
    DELETED,
    NOT_FOUND,
    STILL_REFERENCED,
    IdList,
    stream_to_read,
    stream_to_write,
)
from headwater.commands.table import command
from headwater.keyspace.database import Database
from headwater.keyspace.notifications import STREAM
from headwater.raw import alloc, get_u64, put_u64
from headwater.resp.reply import Reply
from headwater.resp.request import Request
from headwater.streams.group import UNKNOWN, Consumer, Group
from headwater.streams.ids import (
    MAX,
    compare,
    exclusive_id,
    is_exclusive,
    next_id,
    previous_id,
    range_id,
    strict_id,
)
from headwater.streams.ordering import forget_held
from headwater.streams.references import drop_references, is_acknowledged
from headwater.streams.stream import Stream
from headwater.streams.trim import ACKED, DELREF

FEW_IDLE = 1000
"""Up to so many idle entries are sorted by XPENDING IDLE; with more, all pending are looked at."""

SCAN_BATCH = 512
_U64 = 2**64 - 1
NOBODY_IDLE_MS = -1  # what XPENDING shows of a nacked entry

command("XGROUP HELP")(help_of("XGROUP"))


def group_of(stream: Stream | None, name: bytes) -> Group | None:
    """A stream's group of this name, or None, also without a stream."""
    if stream is None or stream.groups is None:
        return None
    return stream.groups.get(name)


def stream_to_claim(database: Database, key: bytes) -> Stream | None:
    """The stream of a key whose pending entries will change: for Redis that is a read."""
    stream = stream_to_read(database, key)
    if stream is not None and database.cut is not None:
        database.about_to_change(key)
    return stream


def group_to_claim(session: Session, request: Request) -> tuple[Stream, Group]:
    """As `group_to_write`, looked up as `stream_to_claim` does."""
    stream = stream_to_claim(session.database, request.name(1))
    group = group_of(stream, request.name(2))
    if stream is None or group is None:
        raise errors.NO_KEY_OR_GROUP.error(request.arg(1), request.arg(2))
    return stream, group


def group_to_write(session: Session, request: Request) -> tuple[Stream, Group]:
    """The stream of argument 1 and its group of argument 2, or raises NO_KEY_OR_GROUP."""
    stream = stream_to_write(session.database, request.name(1))
    group = group_of(stream, request.name(2))
    if stream is None or group is None:
        raise errors.NO_KEY_OR_GROUP.error(request.arg(1), request.arg(2))
    return stream, group


# --- XGROUP ---


class GroupOptions:
    """[MKSTREAM] [ENTRIESREAD n], behind the ID of XGROUP CREATE and XGROUP SETID."""

    __slots__ = ("entries_read", "make_stream")

    def __init__(self, request: Request, with_make_stream: bool) -> None:
        self.make_stream = False
        self.entries_read = UNKNOWN
        i = 5
        while i < request.argc:
            if with_make_stream and request.text_equals(i, b"MKSTREAM"):
                self.make_stream = True
                i += 1
            elif i + 1 < request.argc and request.text_equals(i, b"ENTRIESREAD"):
                self.entries_read = request.integer(i + 1)
                if self.entries_read < 0 and self.entries_read != UNKNOWN:
                    raise errors.ENTRIESREAD_NEGATIVE.error()
                i += 2
            else:
                raise arguments_error(request)

    def known_to(self, stream: Stream) -> int:
        """The counter to set: no more than the stream ever had."""
        if self.entries_read == UNKNOWN:
            return UNKNOWN
        return min(self.entries_read, stream.entries_added)


def arguments_error(request: Request) -> errors.CommandError:
    return errors.SUBCOMMAND_ARGUMENTS.error(request.arg(1)[:128], "XGROUP")


def stream_of_xgroup(session: Session, request: Request) -> Stream:
    stream = stream_to_write(session.database, request.arg(2))
    if stream is None:
        raise errors.XGROUP_NEEDS_KEY.error()
    return stream


def group_of_xgroup(stream: Stream, request: Request) -> Group:
    group = group_of(stream, request.arg(3))
    if group is None:
        raise errors.NO_GROUP_FOR_KEY.error(request.arg(3), request.arg(2))
    return group


def position(stream: Stream | None, request: Request) -> tuple[int, int]:
    """Argument 4 as a last-delivered ID: an ID, or `$` for the stream's last one.

    As Redis, SETID also takes `-` and `+`, and CREATE does not.
    """
    if request.text_equals(4, b"$"):
        return (0, 0) if stream is None else (stream.last_ms, stream.last_seq)
    if request.text_equals(1, b"SETID"):
        return range_id(request, 4, 0)
    return strict_id(request, 4, 0)


@command("XGROUP CREATE")
def xgroup_create(session: Session, request: Request, reply: Reply) -> None:
    """XGROUP CREATE key group id|$ [MKSTREAM] [ENTRIESREAD n]."""
    options = GroupOptions(request, True)
    database = session.database
    key = request.arg(2)
    stream = stream_to_write(database, key)
    if stream is None and not options.make_stream:
        raise errors.XGROUP_NEEDS_KEY.error()
    if request.argc > 8:
        raise arguments_error(request)
    ms, seq = position(stream, request)
    name = request.arg(3)
    if group_of(stream, name) is not None:
        raise errors.GROUP_EXISTS.error()
    create_group(database, key, stream, name, ms, seq, options)
    reply.ok()


def create_group(
    database: Database,
    key: bytes,
    stream: Stream | None,
    name: bytes,
    ms: int,
    seq: int,
    options: GroupOptions | None,
) -> None:
    """Create a group that is not there at an ID, and the stream if that is None."""
    makes_stream = stream is None
    if stream is None:
        stream = Stream()
        database.add(key, stream)
        database.signal_modified(key)
    else:
        database.keyspace.dirty += 1
    if stream.groups is None:
        stream.groups = {}
    entries_read = UNKNOWN if options is None else options.known_to(stream)
    group = stream.groups[name] = Group(name, ms, seq, entries_read)
    group.note_intact(stream.holes, 0, 0, MAX, MAX)
    database.keyspace.recorder.create_group(database.index, key, group, makes_stream)
    database.notify(STREAM, b"xgroup-create", key)


@command("XGROUP SETID")
def xgroup_setid(session: Session, request: Request, reply: Reply) -> None:
    """XGROUP SETID key group id|$ [ENTRIESREAD n]."""
    options = GroupOptions(request, False)
    stream = stream_of_xgroup(session, request)
    group = group_of_xgroup(stream, request)
    if request.argc > 7:
        raise arguments_error(request)
    ms, seq = position(stream, request)
    group.set_position(ms, seq, options.known_to(stream))
    if stream.retention is not None:
        stream.retention.released(stream, session.state.clock.now_ms)
    session.state.recorder.set_position(session.database.index, request.arg(2), group)
    if forget_held(group):
        session.state.recorder.forget_held(session.database.index, request.arg(2), group)
    session.database.keyspace.dirty += 1
    session.database.notify(STREAM, b"xgroup-setid", request.arg(2))
    reply.ok()


@command("XGROUP DESTROY")
def xgroup_destroy(session: Session, request: Request, reply: Reply) -> None:
    """XGROUP DESTROY key group: 1, or 0 if there was no such group; wakes who waits for it."""
    stream = stream_of_xgroup(session, request)
    group = group_of(stream, request.arg(3))
    if group is None or stream.groups is None:
        reply.integer(0)
        return
    del stream.groups[group.name]
    if stream.retention is not None:
        stream.retention.released(stream, session.state.clock.now_ms)
    session.state.recorder.destroy_group(session.database.index, request.arg(2), group.name)
    session.database.keyspace.graveyard.extend(group.parts())
    session.database.keyspace.dirty += 1
    session.database.notify(STREAM, b"xgroup-destroy", request.arg(2))
    session.database.signal_ready(request.arg(2))
    reply.integer(1)


@command("XGROUP CREATECONSUMER")
def xgroup_createconsumer(session: Session, request: Request, reply: Reply) -> None:
    """XGROUP CREATECONSUMER key group consumer: 1, or 0 if there was such a consumer."""
    group = group_of_xgroup(stream_of_xgroup(session, request), request)
    name = request.arg(4)
    if group.consumer(name) is not None:
        reply.integer(0)
        return
    consumer = group.create_consumer(name, session.state.clock.now_ms)
    session.state.recorder.create_consumer(session.database.index, request.arg(2), group, consumer)
    session.database.keyspace.dirty += 1
    session.database.notify(STREAM, b"xgroup-createconsumer", request.arg(2))
    reply.integer(1)


@command("XGROUP DELCONSUMER")
def xgroup_delconsumer(session: Session, request: Request, reply: Reply) -> None:
    """XGROUP DELCONSUMER key group consumer: how many pending entries went with it."""
    stream = stream_of_xgroup(session, request)
    group = group_of_xgroup(stream, request)
    name = request.arg(4)
    dropped = group.delete_consumer(name)
    if dropped < 0:
        reply.integer(0)
        return
    if stream.retention is not None:
        stream.retention.released(stream, session.state.clock.now_ms)
    session.state.recorder.delete_consumer(session.database.index, request.arg(2), group, name)
    settled(session.database, request.arg(2), stream, group)
    session.database.keyspace.dirty += 1
    session.database.notify(STREAM, b"xgroup-delconsumer", request.arg(2))
    reply.integer(dropped)


# --- XACK, XACKDEL ---


def ids_of(request: Request, first: int) -> bytearray:
    """The arguments from `first` on as IDs, u64 and u64 each, or raises INVALID_ID."""
    n = request.argc - first
    ids = alloc(16 * n)
    buf = request.buf
    for i in range(n):
        pos = request.spans[2 * (first + i)]
        end = pos + request.spans[2 * (first + i) + 1]
        # As they are mostly written: up to 19 digits, so that there is no overflow.
        ms = 0
        begin = pos
        while pos < end and 48 <= buf[pos] <= 57:
            ms = (ms * 10 + (buf[pos] - 48)) & _U64
            pos += 1
        ok = 0 < pos - begin < 20 and pos < end and buf[pos] == 45
        pos += 1
        seq = 0
        begin = pos
        while pos < end and 48 <= buf[pos] <= 57:
            seq = (seq * 10 + (buf[pos] - 48)) & _U64
            pos += 1
        if not ok or pos != end or not 0 < pos - begin < 20:
            ms, seq = strict_id(request, first + i, 0)
        put_u64(ids, 16 * i, ms)
        put_u64(ids, 16 * i + 8, seq)
    return ids


def xack(session: Session, request: Request, reply: Reply) -> None:
    """XACK key group id [id ...]: how many of them were pending."""
    database = session.database
    recorder = session.state.recorder
    key = request.name(1)
    stream = stream_to_claim(database, key)
    group = group_of(stream, request.name(2))
    if stream is None or group is None:
        reply.integer(0)
        return
    pending = group.pending
    acknowledged = 0
    if request.argc == 4:
        ms, seq = strict_id(request, 3, 0)
        if pending.acknowledge(ms, seq):
            recorder.acknowledge(database.index, key, group, ms, seq)
            acknowledged = 1
    else:
        # Nothing is acknowledged when one of the IDs is bad.
        ids = ids_of(request, 3)
        recording = recorder.recording
        for i in range(request.argc - 3):
            ms = get_u64(ids, 16 * i)
            seq = get_u64(ids, 16 * i + 8)
            if pending.acknowledge(ms, seq):
                if recording:
                    recorder.acknowledge(database.index, key, group, ms, seq)
                acknowledged += 1
    database.keyspace.dirty += acknowledged
    if group.redelivery is not None:
        settled(database, key, stream, group)
    if stream.retention is not None:
        stream.retention.released(stream, session.state.clock.now_ms)
    reply.integer(acknowledged)


command("XACK")(xack)


def xackdel(session: Session, request: Request, reply: Reply) -> None:
    """XACKDEL key group [KEEPREF | DELREF | ACKED] IDS numids id [id ...].

    For each ID: NOT_FOUND if it was not pending, STILL_REFERENCED if ACKED left the entry, else
    DELETED.
    """
    database = session.database
    key = request.arg(1)
    ids = IdList(request, 3)
    stream = stream_to_claim(database, key)
    group = group_of(stream, request.arg(2))
    reply.array(ids.count)
    if stream is None or group is None:
        for _ in range(ids.count):
            reply.integer(NOT_FOUND)
        return
    for i in range(ids.first, ids.first + ids.count):
        strict_id(request, i, 0)
    recorder = session.state.recorder
    drops_references = ids.references == DELREF
    deleted = 0
    for i in range(ids.first, ids.first + ids.count):
        ms, seq = strict_id(request, i, 0)
        if not group.pending.acknowledge(ms, seq):
            reply.integer(NOT_FOUND)
            continue
        database.keyspace.dirty += 1
        if ids.references == ACKED and not is_acknowledged(stream, ms, seq):
            recorder.acknowledge(database.index, key, group, ms, seq)
            reply.integer(STILL_REFERENCED)
            continue
        recorder.acknowledge_and_delete(database.index, key, group, ms, seq, drops_references)
        if drops_references:
            drop_references(stream, ms, seq)
        if stream.delete(ms, seq):
            deleted += 1
        reply.integer(DELETED)
    if stream.retention is not None:
        stream.retention.released(stream, session.state.clock.now_ms)
    if group.redelivery is not None:
        settled(database, key, stream, group)
    if deleted:
        database.signal_modified(key)
        database.notify(STREAM, b"xdel", key)


command("XACKDEL")(xackdel)


# --- XPENDING ---


def xpending(session: Session, request: Request, reply: Reply) -> None:
    """XPENDING key group [[IDLE min-idle-time] start end count [consumer]]."""
    if request.argc == 3:
        pending_summary(group_to_read(session, request), reply)
        return
    if request.argc < 6 or request.argc > 9:
        raise errors.SYNTAX.error()
    first = 3
    min_idle_ms = 0
    if request.text_equals(3, b"IDLE"):
        min_idle_ms = request.integer(4)
        if request.argc < 8:
            raise errors.SYNTAX.error()
        first = 5
    count = request.integer(first + 2)
    ms1, seq1 = interval_start(request, first)
    ms2, seq2 = interval_end(request, first + 1)
    group = group_to_read(session, request)
    owner = 0
    if first + 3 < request.argc:
        consumer = group.consumer(request.arg(first + 3))
        if consumer is None:
            reply.array(0)
            return
        owner = consumer.number
    now_ms = session.state.clock.now_ms
    found = pending_range(group, owner, ms1, seq1, ms2, seq2, count, now_ms, min_idle_ms)
    records = group.pending.records
    reply.array(len(found))
    for handle in found:
        reply.array(4)
        reply.stream_id(records.ms(handle), records.seq(handle))
        owned_by = group.owner_of(handle)
        if owned_by is None:
            reply.bulk(b"")
            reply.integer(NOBODY_IDLE_MS)
        else:
            reply.bulk(owned_by.name)
            reply.integer(max(0, now_ms - records.time(handle)))
        reply.integer(records.count(handle))


command("XPENDING")(xpending)


def group_to_read(session: Session, request: Request) -> Group:
    group = group_of(stream_to_read(session.database, request.arg(1)), request.arg(2))
    if group is None:
        raise errors.NO_KEY_OR_GROUP.error(request.arg(1), request.arg(2))
    return group


def interval_start(request: Request, i: int) -> tuple[int, int]:
    """Argument `i` as the lower end of an interval, `(` before it leaves the ID itself out."""
    if not is_exclusive(request, i):
        return range_id(request, i, 0)
    ms, seq = exclusive_id(request, i, 0)
    ok, ms, seq = next_id(ms, seq)
    if not ok:
        raise errors.RANGE_START.error()
    return ms, seq


def interval_end(request: Request, i: int) -> tuple[int, int]:
    """Argument `i` as the upper end of an interval, `(` before it leaves the ID itself out."""
    if not is_exclusive(request, i):
        return range_id(request, i, MAX)
    ms, seq = exclusive_id(request, i, MAX)
    ok, ms, seq = previous_id(ms, seq)
    if not ok:
        raise errors.RANGE_END.error()
    return ms, seq


def pending_summary(group: Group, reply: Reply) -> None:
    """How many are pending, the lowest and highest ID, and each consumer's number of them."""
    pending = group.pending
    reply.array(4)
    reply.integer(pending.count)
    if pending.count == 0:
        reply.null()
        reply.null()
        reply.null_array()
        return
    handle = pending.by_id.first()
    reply.stream_id(pending.records.ms(handle), pending.records.seq(handle))
    handle = pending.by_id.last()
    reply.stream_id(pending.records.ms(handle), pending.records.seq(handle))
    busy: list[Consumer] = []
    for name in sorted(group.consumers):
        member = group.consumers[name]
        if group.pending_of(member):
            busy.append(member)
    reply.array(len(busy))
    for consumer in busy:
        reply.array(2)
        reply.bulk(consumer.name)
        reply.bulk(b"%d" % group.pending_of(consumer))


def pending_range(
    group: Group,
    owner: int,
    ms1: int,
    seq1: int,
    ms2: int,
    seq2: int,
    count: int,
    now_ms: int,
    min_idle_ms: int,
) -> list[int]:
    """Handles of at most `count` pending entries between two IDs, in order.

    owner 0: of all consumers and nobody. With few entries that are idle enough only those are
    looked at, otherwise all from the first ID on.
    """
    pending = group.pending
    records = pending.records
    found: list[int] = []
    if count <= 0 or compare(ms1, seq1, ms2, seq2) > 0:
        return found
    if min_idle_ms > 0:
        until_ms = now_ms - min_idle_ms
        idle = pending.delivered_until(until_ms, FEW_IDLE + 1)
        if len(idle) <= FEW_IDLE:
            keyed: list[tuple[int, int, int]] = []
            for handle in idle:
                ms, seq = records.ms(handle), records.seq(handle)
                if (
                    (owner == 0 or records.owner(handle) == owner)
                    and compare(ms, seq, ms1, seq1) >= 0
                    and compare(ms, seq, ms2, seq2) <= 0
                ):
                    keyed.append((ms, seq, handle))
            keyed.sort()
            return [key[2] for key in keyed[:count]]
    else:
        until_ms = now_ms
    ms, seq = ms1, seq1
    while True:
        batch_size = min(count, SCAN_BATCH)
        if owner == 0:
            batch = pending.handles_from(ms1, seq1, batch_size)
        else:
            batch = pending.owned_from(owner, ms1, seq1, batch_size)
        for handle in batch:
            ms, seq = records.ms(handle), records.seq(handle)
            if compare(ms, seq, ms2, seq2) > 0:
                return found
            if min_idle_ms <= 0 or records.time(handle) <= until_ms:
                found.append(handle)
                count -= 1
                if count == 0:
                    return found
        if len(batch) < batch_size:
            return found
        ok, ms1, seq1 = next_id(ms, seq)
        if not ok:
            return found
