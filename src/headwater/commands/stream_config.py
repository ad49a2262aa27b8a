"""What is set on a stream as a whole: XCFGSET, XCFGGET, XIDMPRECORD, XSETID."""

from __future__ import annotations

from headwater import errors
from headwater.commands.session import Session
from headwater.commands.streams import stream_to_read, stream_to_write
from headwater.commands.table import command
from headwater.keyspace.notifications import STREAM
from headwater.raw import parse_int
from headwater.resp.reply import Reply
from headwater.resp.request import Request
from headwater.streams.idmp import (
    MAX_DURATION_S,
    MAX_MAXSIZE,
    MIN_DURATION_S,
    MIN_MAXSIZE,
    Idmp,
)
from headwater.streams.ids import compare, strict_id
from headwater.streams.lag import set_entries_added
from headwater.streams.retention import MAX_NUMBER, Retention
from headwater.streams.stream import Stream


@command("XCFGSET")
def xcfgset(session: Session, request: Request, reply: Reply) -> None:
    key = request.arg(1)
    stream = _stream(session, key)
    if request.argc == 2:
        raise errors.XCFGSET_NOTHING.error()
    duration_s = maxsize = 0
    retain: dict[bytes, int] = {}
    i = 2
    while i < request.argc:
        if i + 1 == request.argc:
            option = request.arg(i).upper()
            if option in _RETAIN:
                raise errors.CFGSET_NO_VALUE.error(option)
            raise errors.SYNTAX.error()
        if request.text_equals(i, b"IDMP-DURATION"):
            duration_s = request.integer(i + 1)
            if not MIN_DURATION_S <= duration_s <= MAX_DURATION_S:
                raise errors.XCFGSET_DURATION.error(MIN_DURATION_S, MAX_DURATION_S)
        elif request.text_equals(i, b"IDMP-MAXSIZE"):
            maxsize = request.integer(i + 1)
            if not MIN_MAXSIZE <= maxsize <= MAX_MAXSIZE:
                raise errors.XCFGSET_MAXSIZE.error(MIN_MAXSIZE, MAX_MAXSIZE)
        elif (name := request.arg(i).upper()) in _RETAIN:
            retain[name] = _retained(request, i + 1, name)
        else:
            raise errors.SYNTAX.error()
        i += 2
    if duration_s or maxsize:
        idmp = _idmp(session, stream)
        forgotten = idmp.configure(duration_s or idmp.duration_s, maxsize or idmp.maxsize)
        session.database.keyspace.graveyard.extend(forgotten)
        session.state.recorder.set_window(session.database.index, key, idmp)
    if retain:
        _retain(session, key, stream, retain)
    session.database.signal_modified(key)
    reply.ok()


_MAXLEN, _MAXAGE, _MAXBYTES = b"RETAIN-MAXLEN", b"RETAIN-MAXAGE", b"RETAIN-MAXBYTES"
_ACKED = b"RETAIN-ACKED"
_RETAIN = (_MAXLEN, _MAXAGE, _MAXBYTES, _ACKED)


def _retained(request: Request, i: int, name: bytes) -> int:
    """The value of a RETAIN option, or raises."""
    value = request.arg(i)
    if name == _ACKED:
        if value.lower() not in (b"yes", b"no"):
            raise errors.XCFGSET_ACKED.error(value)
        return int(value.lower() == b"yes")
    ok, number = parse_int(request.buf, request.start(i), request.length(i))
    if not ok or not 0 <= number <= MAX_NUMBER:
        raise errors.XCFGSET_RETAIN.error(name[len(b"RETAIN-") :], value)
    return number


def _retain(session: Session, key: bytes, stream: Stream, given: dict[bytes, int]) -> None:
    """Let a stream retain its entries as this says; options that are not given stay."""
    old = stream.retention or Retention(0, 0, 0, False)
    maxlen = given.get(_MAXLEN, old.maxlen)
    maxage_ms = given.get(_MAXAGE, old.maxage_ms)
    maxbytes = given.get(_MAXBYTES, old.maxbytes)
    acked = bool(given.get(_ACKED, old.acked))
    if maxlen or maxage_ms or maxbytes or acked:
        stream.retention = Retention(maxlen, maxage_ms, maxbytes, acked)
    else:
        stream.retention = None
    session.state.recorder.retain(session.database.index, key, stream)
    session.database.keyspace.calendar.manage(session.database, key, stream)


@command("XCFGGET")
def xcfgget(session: Session, request: Request, reply: Reply) -> None:
    """XCFGGET key: what XCFGSET sets, the bytes of the entries, the age of the first one (ms)."""
    stream = stream_to_read(session.database, request.arg(1))
    if stream is None:
        raise errors.NO_SUCH_KEY.error()
    state = session.state
    idmp = stream.idmp
    retention = stream.retention or Retention(0, 0, 0, False)
    reply.map(8)
    reply.bulk(b"idmp-duration")
    reply.integer(state.idmp_duration_s if idmp is None else idmp.duration_s)
    reply.bulk(b"idmp-maxsize")
    reply.integer(state.idmp_maxsize if idmp is None else idmp.maxsize)
    reply.bulk(b"retain-maxlen")
    reply.integer(retention.maxlen)
    reply.bulk(b"retain-maxage")
    reply.integer(retention.maxage_ms)
    reply.bulk(b"retain-maxbytes")
    reply.integer(retention.maxbytes)
    reply.bulk(b"retain-acked")
    reply.bulk(b"yes" if retention.acked else b"no")
    reply.bulk(b"bytes")
    reply.integer(stream.entry_bytes)
    reply.bulk(b"first-entry-age")
    if stream.length == 0:
        reply.null()
    else:
        reply.integer(max(0, state.clock.now_ms - stream.first_id()[0]))


@command("XIDMPRECORD")
def xidmprecord(session: Session, request: Request, reply: Reply) -> None:
    key, pid, iid = request.arg(1), request.arg(2), request.arg(3)
    if not pid or not iid:
        raise errors.XIDMPRECORD_EMPTY.error()
    ms, seq = strict_id(request, 4, 0)
    stream = _stream(session, key)
    if not stream.contains(ms, seq):
        raise errors.XIDMPRECORD_NO_ENTRY.error()
    now_ms = session.state.clock.now_ms
    idmp = _idmp(session, stream)
    found, found_ms, found_seq = idmp.lookup(pid, iid, now_ms)
    if not found:
        idmp.record(pid, iid, ms, seq, now_ms)
        session.state.recorder.remember(session.database.index, key, idmp, pid, iid, ms, seq, False)
        session.database.signal_modified(key)
    elif compare(found_ms, found_seq, ms, seq) != 0:
        raise errors.XIDMPRECORD_OTHER_ENTRY.error()
    reply.ok()


@command("XSETID")
def xsetid(session: Session, request: Request, reply: Reply) -> None:
    key = request.arg(1)
    ms, seq = strict_id(request, 2, 0)
    entries_added = -1
    deleted_ms = deleted_seq = 0
    i = 3
    while i < request.argc:
        if request.text_equals(i, b"ENTRIESADDED") and i + 1 < request.argc:
            entries_added = request.integer(i + 1)
            if entries_added < 0:
                raise errors.XSETID_ENTRIES_ADDED_NEGATIVE.error()
        elif request.text_equals(i, b"MAXDELETEDID") and i + 1 < request.argc:
            deleted_ms, deleted_seq = strict_id(request, i + 1, 0)
            if compare(ms, seq, deleted_ms, deleted_seq) < 0:
                raise errors.XSETID_BELOW_GIVEN_DELETED.error()
        else:
            raise errors.SYNTAX.error()
        i += 2
    stream = _stream(session, key)
    if compare(ms, seq, stream.max_deleted_ms, stream.max_deleted_seq) < 0:
        raise errors.XSETID_BELOW_DELETED.error()
    if stream.length > 0:
        block = stream.blocks[-1]
        if compare(ms, seq, block.last_ms, block.last_seq) < 0:
            raise errors.XSETID_BELOW_LAST_ENTRY.error()
        if -1 < entries_added < stream.length:
            raise errors.XSETID_ENTRIES_ADDED_LOW.error()
    stream.set_last_id(ms, seq)
    if entries_added != -1:
        set_entries_added(stream, entries_added)
    if deleted_ms != 0 or deleted_seq != 0:
        stream.max_deleted_ms, stream.max_deleted_seq = deleted_ms, deleted_seq
    session.state.recorder.set_id(session.database.index, key, stream, entries_added != -1)
    session.database.keyspace.dirty += 1  # who watches the key is not told, as in Redis
    session.database.notify(STREAM, b"xsetid", key)
    reply.ok()


def _stream(session: Session, key: bytes) -> Stream:
    """The stream to change, or raises."""
    stream = stream_to_write(session.database, key)
    if stream is None:
        raise errors.NO_SUCH_KEY.error()
    return stream


def _idmp(session: Session, stream: Stream) -> Idmp:
    """The stream's window of idempotent IDs, from now on its own."""
    if stream.idmp is None:
        stream.idmp = Idmp(session.state.idmp_duration_s, session.state.idmp_maxsize)
        session.state.keyspace.has_idmp = True
    return stream.idmp
