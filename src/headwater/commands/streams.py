"""Entries of a stream: XADD, XLEN, XRANGE, XREVRANGE, XDEL, XDELEX, XTRIM.

Handlers are bound by a call: Cython drops a decorator from a function that the .pxd types.
"""

from __future__ import annotations

from headwater import errors
from headwater.commands.retention import retain_appended
from headwater.commands.schema_check import check_entry
from headwater.commands.session import Session
from headwater.commands.stream_options import (
    StreamOptions,
    ends_with_star,
    is_star,
    star_ms,
)
from headwater.commands.table import command
from headwater.keyspace.database import Database
from headwater.keyspace.notifications import STREAM
from headwater.raw import parse_int
from headwater.resp.reply import Reply
from headwater.resp.request import Request
from headwater.streams.idmp import Idmp, content_iid
from headwater.streams.ids import (
    MAX,
    exclusive_id,
    is_exclusive,
    next_id,
    previous_id,
    range_id,
    strict_id,
)
from headwater.streams.references import drop_references, is_acknowledged
from headwater.streams.stream import Stream
from headwater.streams.trim import ACKED, DELREF, KEEPREF, Trim

_ENTRY_MAX_BYTES = 1 << 30
NOT_FOUND, DELETED, STILL_REFERENCED = -1, 1, 2
"""What XDELEX and XACKDEL say of each ID."""


def stream_to_read(database: Database, key: bytes) -> Stream | None:
    """The stream of a key for reading, or None; raises WRONG_TYPE."""
    value = database.lookup_read(key)
    if value is None:
        return None
    if not isinstance(value, Stream):
        raise errors.WRONG_TYPE.error()
    return value


def stream_to_write(database: Database, key: bytes) -> Stream | None:
    """The stream of a key for writing, or None; raises WRONG_TYPE."""
    value = database.lookup_write(key)
    if value is None:
        return None
    if not isinstance(value, Stream):
        raise errors.WRONG_TYPE.error()
    return value


def xadd(session: Session, request: Request, reply: Reply) -> None:
    """XADD key [options] *|id field value [field value ...], as Redis 8.10."""
    state = session.state
    options: StreamOptions | None = None
    id_arg = 2
    automatic = is_star(request, 2)
    if not automatic:
        options = state.stream_options
        options.parse(request, True, state.node_max_entries)
        id_arg = options.id_arg
        automatic = id_arg < request.argc and is_star(request, id_arg)
    first = id_arg + 1
    pairs = (request.argc - first) // 2
    if request.argc - first < 2 or (request.argc - first) % 2 == 1:
        raise errors.WRONG_ARITY.error(b"xadd")
    ms = seq = 0
    given_seq = False
    if not automatic:
        if ends_with_star(request, id_arg):
            ms = star_ms(request, id_arg)
        else:
            ms, seq = strict_id(request, id_arg, 0)
            given_seq = True
            if ms == 0 and seq == 0:
                raise errors.XADD_ID_ZERO.error()
    key = request.name(1)
    database = session.database
    stream = stream_to_write(database, key)
    is_new = stream is None
    if stream is None:
        if options is not None and not options.make_stream:
            reply.null()
            return
        stream = Stream()
    if stream.schema is not None:
        check_entry(state, key, stream, request, first, pairs)
    now_ms = state.clock.now_ms
    pid = iid = b""
    if options is not None and options.producer:
        pid = request.arg(options.producer)
        if options.iid:
            iid = request.arg(options.iid)
        else:
            iid = content_iid(request, first, pairs)
        if stream.idmp is not None:
            found, old_ms, old_seq = stream.idmp.lookup(pid, iid, now_ms)
            if found:
                stream.idmp.duplicates += 1
                reply.stream_id(old_ms, old_seq)
                return
    if stream.last_ms == MAX and stream.last_seq == MAX:
        raise errors.XADD_EXHAUSTED.error()
    if automatic:
        ms = max(now_ms, 0)
        if ms <= stream.last_ms:
            _, ms, seq = next_id(stream.last_ms, stream.last_seq)
    elif not given_seq:
        if ms == stream.last_ms:
            if stream.last_seq == MAX:
                raise errors.XADD_ID_TOO_SMALL.error()
            seq = stream.last_seq + 1
        elif ms < stream.last_ms:
            raise errors.XADD_ID_TOO_SMALL.error()
    if ms < stream.last_ms or (ms == stream.last_ms and seq <= stream.last_seq):
        raise errors.XADD_ID_TOO_SMALL.error()
    _check_size(request, first)
    stream.append(ms, seq, request, first, pairs, state.node_max_entries, state.node_max_bytes)
    stream.write_last_id(reply)
    recorder = state.recorder
    if recorder.recording:
        recorder.add_entry(
            database.index, key, stream, state.node_max_entries, state.node_max_bytes
        )
    if pid:
        idmp = stream.idmp
        if idmp is None:
            idmp = stream.idmp = Idmp(state.idmp_duration_s, state.idmp_maxsize)
            state.keyspace.has_idmp = True
        idmp.record(pid, iid, ms, seq, now_ms)
        idmp.added += 1
        recorder.remember(database.index, key, idmp, pid, iid, ms, seq, True)
    trimmed = 0
    if options is not None and options.trim is not None:
        trimmed = trim_stream(database, key, stream, options.trim)
    if stream.retention is not None:
        trimmed += retain_appended(database, key, stream)
    if is_new:
        database.add(key, stream)
    database.signal_modified(key)
    database.notify(STREAM, b"xadd", key)
    if trimmed:
        database.notify(STREAM, b"xtrim", key)
    if database.waiting:
        database.signal_ready(key)


command("XADD")(xadd)


def trim_stream(database: Database, key: bytes, stream: Stream, trim: Trim) -> int:
    """Trim and record what went; returns how many entries that was."""
    trimmed = trim.apply(stream)
    if trimmed:
        recorder = database.keyspace.recorder
        drops_references = trim.references == DELREF
        recorder.trim(database.index, key, trim.from_head, drops_references)
        for ms, seq in trim.others:
            recorder.delete(database.index, key, stream, ms, seq, True, drops_references)
        if trim.dropped:
            database.keyspace.graveyard.append(trim.dropped)
        trim.forget()
    return trimmed


def _check_size(request: Request, first: int) -> None:
    last = request.argc - 1
    total = request.spans[2 * last] + request.spans[2 * last + 1] - request.spans[2 * first]
    if total > _ENTRY_MAX_BYTES:
        total = 0  # what is between the arguments does not count
        for i in range(first, request.argc):
            total += request.length(i)
        if total > _ENTRY_MAX_BYTES:
            raise errors.TOO_LARGE.error()


def xlen(session: Session, request: Request, reply: Reply) -> None:
    stream = stream_to_read(session.database, request.arg(1))
    reply.integer(0 if stream is None else stream.length)


command("XLEN")(xlen)


def xrange_(session: Session, request: Request, reply: Reply) -> None:
    """XRANGE key start end [COUNT n]."""
    _range(session, request, reply, False)


command("XRANGE")(xrange_)


def xrevrange(session: Session, request: Request, reply: Reply) -> None:
    """XREVRANGE key end start [COUNT n]."""
    _range(session, request, reply, True)


command("XREVRANGE")(xrevrange)


def _range(session: Session, request: Request, reply: Reply, reverse: bool) -> None:
    start_arg = 3 if reverse else 2
    end_arg = 2 if reverse else 3
    if is_exclusive(request, start_arg):
        ms1, seq1 = exclusive_id(request, start_arg, 0)
        ok, ms1, seq1 = next_id(ms1, seq1)
        if not ok:
            raise errors.RANGE_START.error()
    else:
        ms1, seq1 = range_id(request, start_arg, 0)
    if is_exclusive(request, end_arg):
        ms2, seq2 = exclusive_id(request, end_arg, MAX)
        ok, ms2, seq2 = previous_id(ms2, seq2)
        if not ok:
            raise errors.RANGE_END.error()
    else:
        ms2, seq2 = range_id(request, end_arg, MAX)
    count = -1
    i = 4
    while i < request.argc:
        if not request.text_equals(i, b"COUNT") or i + 1 >= request.argc:
            raise errors.SYNTAX.error()
        count = max(0, request.integer(i + 1))
        i += 2
    stream = stream_to_read(session.database, request.name(1))
    if stream is None:
        reply.array(0)
        return
    if count == 0:
        reply.null_array()
        return
    run = stream.range(ms1, seq1, ms2, seq2, count, reverse)
    if run is None:
        reply.array(0)
        return
    reply.array(run.count)
    run.write(reply, reverse)


def xdel(session: Session, request: Request, reply: Reply) -> None:
    """XDEL key id [id ...]: how many entries there were and are gone."""
    key = request.arg(1)
    stream = stream_to_write(session.database, key)
    if stream is None:
        reply.integer(0)
        return
    for i in range(2, request.argc):
        strict_id(request, i, 0)
    recorder = session.state.recorder
    db = session.database.index
    deleted = 0
    for i in range(2, request.argc):
        ms, seq = strict_id(request, i, 0)
        if stream.delete(ms, seq):
            recorder.delete(db, key, stream, ms, seq, False, False)
            deleted += 1
    if deleted:
        session.database.signal_modified(key)
        session.database.notify(STREAM, b"xdel", key)
    reply.integer(deleted)


command("XDEL")(xdel)


class IdList:
    """[KEEPREF | DELREF | ACKED] IDS numids id [id ...], as XDELEX and XACKDEL have it."""

    __slots__ = ("count", "first", "references")

    def __init__(self, request: Request, i: int) -> None:
        self.references = KEEPREF
        self.first = 0
        self.count = 0
        references_given = False
        while i < request.argc:
            if request.text_equals(i, b"IDS"):
                if i + 1 >= request.argc:
                    raise errors.SYNTAX.error()
                ok, count = parse_int(request.buf, request.start(i + 1), request.length(i + 1))
                if not ok or count <= 0:
                    raise errors.NUMIDS_NOT_POSITIVE.error()
                if count > request.argc - i - 2:
                    raise errors.NUMIDS_MISMATCH.error()
                self.first = i + 2
                self.count = count
                i += 2 + count
                continue
            if references_given:
                raise errors.SYNTAX.error()
            references_given = True
            if request.text_equals(i, b"KEEPREF"):
                self.references = KEEPREF
            elif request.text_equals(i, b"DELREF"):
                self.references = DELREF
            elif request.text_equals(i, b"ACKED"):
                self.references = ACKED
            else:
                raise errors.SYNTAX.error()
            i += 1
        if self.first == 0:
            raise errors.SYNTAX.error()


def delete_entry(stream: Stream, ms: int, seq: int, references: int) -> int:
    """Delete an entry and see to what groups hold of it; returns what XDELEX says."""
    if references == ACKED and not is_acknowledged(stream, ms, seq):
        return STILL_REFERENCED
    if not stream.delete(ms, seq):
        return NOT_FOUND
    if references == DELREF:
        drop_references(stream, ms, seq)
    return DELETED


def xdelex(session: Session, request: Request, reply: Reply) -> None:
    """XDELEX key [KEEPREF | DELREF | ACKED] IDS numids id [id ...]."""
    key = request.arg(1)
    stream = stream_to_write(session.database, key)
    ids = IdList(request, 2)
    if stream is None:
        reply.array(ids.count)
        for _ in range(ids.count):
            reply.integer(NOT_FOUND)
        return
    for i in range(ids.first, ids.first + ids.count):
        strict_id(request, i, 0)
    recorder = session.state.recorder
    drops_references = ids.references == DELREF
    deleted = 0
    reply.array(ids.count)
    for i in range(ids.first, ids.first + ids.count):
        ms, seq = strict_id(request, i, 0)
        result = delete_entry(stream, ms, seq, ids.references)
        reply.integer(result)
        if result == DELETED:
            recorder.delete(session.database.index, key, stream, ms, seq, False, drops_references)
            deleted += 1
    if deleted:
        session.database.signal_modified(key)
        session.database.notify(STREAM, b"xdel", key)


command("XDELEX")(xdelex)


def xtrim(session: Session, request: Request, reply: Reply) -> None:
    """XTRIM key MAXLEN|MINID [=|~] threshold [LIMIT n] [KEEPREF | DELREF | ACKED]."""
    options = session.state.stream_options
    options.parse(request, False, session.state.node_max_entries)
    key = request.arg(1)
    stream = stream_to_write(session.database, key)
    if stream is None or options.trim is None:
        reply.integer(0)
        return
    trimmed = trim_stream(session.database, key, stream, options.trim)
    if trimmed:
        session.database.signal_modified(key)
        session.database.notify(STREAM, b"xtrim", key)
    reply.integer(trimmed)


command("XTRIM")(xtrim)
