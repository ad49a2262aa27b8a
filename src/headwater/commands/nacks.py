"""XNACK: pending entries are given back, to be delivered again or never again."""

from __future__ import annotations

from headwater import errors
from headwater.commands.blocking import pending_changed
from headwater.commands.dead_letters import FATAL, MAX_DELIVERIES, bury
from headwater.commands.groups import group_to_write
from headwater.commands.session import Session
from headwater.commands.settling import settled
from headwater.commands.table import command
from headwater.raw import parse_int
from headwater.resp.reply import Reply
from headwater.resp.request import Request
from headwater.streams.delivery import MAX_COUNT
from headwater.streams.group import Group
from headwater.streams.ids import strict_id
from headwater.streams.ordering import became_pending
from headwater.streams.stream import Stream

_SILENT, _FAIL, _FATAL = 0, 1, 2
_AS_MODE = -1  # no RETRYCOUNT


class NackOptions:
    """SILENT | FAIL | FATAL, IDS numids id [id ...], [RETRYCOUNT n] [FORCE]."""

    __slots__ = ("behind", "first", "force", "mode", "retry_count")

    def __init__(self, request: Request) -> None:
        self.retry_count = _AS_MODE
        self.force = False
        if request.text_equals(3, b"SILENT"):
            self.mode = _SILENT
        elif request.text_equals(3, b"FAIL"):
            self.mode = _FAIL
        elif request.text_equals(3, b"FATAL"):
            self.mode = _FATAL
        else:
            raise errors.XNACK_MODE.error()
        if not request.text_equals(4, b"IDS"):
            raise errors.SYNTAX.error()
        ok, count = parse_int(request.buf, request.start(5), request.length(5))
        if not ok or count <= 0:
            raise errors.XNACK_NUMIDS.error()
        if count > request.argc - 6:
            raise errors.XNACK_NUMIDS_MISMATCH.error()
        self.first = 6
        self.behind = 6 + count
        i = self.behind
        while i < request.argc:
            if request.text_equals(i, b"FORCE"):
                self.force = True
                i += 1
            elif i + 1 < request.argc and request.text_equals(i, b"RETRYCOUNT"):
                ok, self.retry_count = parse_int(
                    request.buf, request.start(i + 1), request.length(i + 1)
                )
                if not ok or self.retry_count < 0:
                    raise errors.XNACK_RETRYCOUNT.error()
                i += 2
            else:
                raise errors.SYNTAX.error()

    def count_after(self, count: int) -> int:
        """The delivery count of an entry that had `count` deliveries."""
        if self.retry_count != _AS_MODE:
            return self.retry_count
        if self.mode == _FATAL:
            return MAX_COUNT
        if self.mode == _SILENT and count > 0:
            return count - 1
        return count


def xnack(session: Session, request: Request, reply: Reply) -> None:
    """XNACK key group mode IDS numids id [id ...] [options]: how many were given back."""
    stream, group = group_to_write(session, request)
    options = NackOptions(request)
    key = request.arg(1)
    recorder = session.state.recorder
    for i in range(options.first, options.behind):
        strict_id(request, i, 0)
    if group.redelivery is not None:
        reply.integer(_give_back(session, request, options, key, stream, group))
        return
    pending = group.pending
    released = 0
    for i in range(options.first, options.behind):
        ms, seq = strict_id(request, i, 0)
        handle = pending.find(ms, seq)
        if handle != 0:
            count = options.count_after(pending.records.count(handle))
            pending.assign(handle, 0, 0, count)
        elif options.force and stream.contains(ms, seq):
            count = options.count_after(0)
            pending.add(ms, seq, 0, 0, count)
        else:
            continue
        recorder.nack(session.database.index, key, group, ms, seq, count)
        released += 1
    if released:
        session.database.keyspace.has_nacked = True
        session.database.keyspace.dirty += released
        pending_changed(session.database, key)
    reply.integer(released)


command("XNACK")(xnack)


def _give_back(
    session: Session,
    request: Request,
    options: NackOptions,
    key: bytes,
    stream: Stream,
    group: Group,
) -> int:
    """XNACK in a group with settings: entries are due at once or later, or dead letters."""
    database = session.database
    recorder = session.state.recorder
    pending = group.pending
    records = pending.records
    redelivery = group.redelivery
    assert redelivery is not None
    settings = redelivery.settings
    now_ms = session.state.clock.now_ms
    deferred: list[int] = []
    released = 0
    for i in range(options.first, options.behind):
        ms, seq = strict_id(request, i, 0)
        handle = pending.find(ms, seq)
        if handle == 0:
            if not options.force or not stream.contains(ms, seq):
                continue
            handle = pending.add(ms, seq, 0, 0, 0)
            became_pending(stream, group, handle)
            recorder.nack(database.index, key, group, ms, seq, 0)
        released += 1
        before = records.count(handle)
        count = options.count_after(before)
        reason = MAX_DELIVERIES
        if options.mode == _FATAL and settings.is_last(MAX_COUNT):
            # Were it not dead now, it would be whatever RETRYCOUNT says.
            count = MAX_COUNT
            reason = FATAL
        if settings.is_last(count):
            deliveries = before if options.mode == _FATAL else count
            if bury(session.state, database, key, stream, group, handle, deliveries, reason):
                continue
        pending.assign(handle, 0, 0, count)
        recorder.nack(database.index, key, group, ms, seq, count)
        # A count that is the most there is, from an earlier FATAL, is never due.
        if options.mode == _FAIL and count < MAX_COUNT and not settings.is_last(count):
            wait_ms = settings.backoff(count)
            if wait_ms != 0:
                redelivery.released(handle, count, now_ms + wait_ms)
                deferred.append(handle)
    if released:
        recorder.defer(database.index, key, group, deferred)
        database.keyspace.has_nacked = True
        database.keyspace.dirty += released
        if database.waiting:
            database.signal_ready(key)
        settled(database, key, stream, group)
    return released
