"""XSCHEDULE, and what happens when a scheduled entry is due.

What is due is appended in the order of due times, then of handles, a bounded number in a turn. An
entry and what becomes of its place in the schedule are one operation of the journal, so that
neither is there without the other. While an XADD would be refused since memory is full, what is
due waits, as it does while nothing may be changed (upkeep.py), and comes in the same order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater import errors
from headwater.commands.appending import appended
from headwater.commands.help import help_of
from headwater.commands.schema_check import check_entry
from headwater.commands.session import Session
from headwater.commands.streams import stream_to_read, stream_to_write
from headwater.commands.table import command
from headwater.keyspace.notifications import STREAM
from headwater.raw import monotonic_us, parse_int
from headwater.resp.reply import Reply
from headwater.resp.request import Request
from headwater.streams.ids import next_id
from headwater.streams.schedule import MAX_MS, MIN_EVERY_MS, NEVER_MS, Schedule
from headwater.streams.stream import Stream

if TYPE_CHECKING:
    from headwater.commands.state import ServerState
    from headwater.keyspace.database import Database

LISTED, LISTED_MOST = 100, 10_000
"""Entries that XSCHEDULE LIST shows without COUNT, and at most."""

APPEND_US = 1000
"""What is due is appended for so long before the others get their turn."""

RETRY_MS = 250
"""What is due and cannot be appended now is looked at again after so long."""

_AT_A_LOOK = 16  # entries between two looks at the time
_ENTRY_MAX_BYTES = 1 << 30


def xschedule_add(session: Session, request: Request, reply: Reply) -> None:
    """XSCHEDULE ADD key AT unix-ms | IN ms [EVERY ms] field value [field value ...]."""
    state = session.state
    now_ms = state.clock.now_ms
    if request.text_equals(3, b"AT"):
        due_ms = _time(request, 4, b"AT")
    elif request.text_equals(3, b"IN"):
        due_ms = now_ms + _time(request, 4, b"IN")
        if due_ms > MAX_MS:
            raise errors.SCHEDULE_TOO_LATE.error()
    else:
        raise errors.SCHEDULE_WHEN.error()
    every_ms = 0
    first = 5
    if request.text_equals(5, b"EVERY"):
        ok, every_ms = parse_int(request.buf, request.start(6), request.length(6))
        if not ok or not MIN_EVERY_MS <= every_ms <= MAX_MS:
            raise errors.SCHEDULE_EVERY.error(MIN_EVERY_MS, MAX_MS)
        first = 7
    words = request.argc - first
    if words < 2 or words % 2 == 1:
        raise errors.WRONG_ARITY.error(b"xschedule|add")
    last = request.argc - 1
    if request.start(last) + request.length(last) - request.start(first) > _ENTRY_MAX_BYTES:
        raise errors.TOO_LARGE.error()
    if every_ms and due_ms < now_ms:
        # What would have been due before is not made up for, but the last time: that is now.
        due_ms += (now_ms - due_ms) // every_ms * every_ms
    key = request.name(2)
    database = session.database
    stream = stream_to_write(database, key)
    is_new = stream is None
    if stream is None:
        stream = Stream()
    elif stream.schema is not None:
        # Now, that somebody can be told; when it is due it is appended whatever the schema is.
        check_entry(state, key, stream, request, first, words // 2)
    schedule = stream.schedule
    if schedule is None:
        schedule = stream.schedule = Schedule()
    handle = schedule.add(due_ms, every_ms, request, first, words // 2)
    state.recorder.schedule(database.index, key, schedule, handle)
    if is_new:
        database.add(key, stream)
    elif stream.plan is None:
        database.keyspace.calendar.manage(database, key, stream)
    else:
        stream.plan.sooner(due_ms)
    database.signal_modified(key)
    database.notify(STREAM, b"xschedule-add", key)
    reply.bulk(b"%d" % handle)


command("XSCHEDULE ADD")(xschedule_add)


def _time(request: Request, i: int, name: bytes) -> int:
    ok, value = parse_int(request.buf, request.start(i), request.length(i))
    if not ok or not 0 <= value <= MAX_MS:
        raise errors.SCHEDULE_TIME.error(name)
    return value


def xschedule_cancel(session: Session, request: Request, reply: Reply) -> None:
    """XSCHEDULE CANCEL key handle: 1 if the entry was scheduled, and is no more."""
    ok, handle = parse_int(request.buf, request.start(3), request.length(3))
    if not ok or handle <= 0:
        raise errors.SCHEDULE_HANDLE.error(request.arg(3)[:64])
    key = request.name(2)
    database = session.database
    stream = stream_to_write(database, key)
    if stream is None or stream.schedule is None or not stream.schedule.cancel(handle):
        reply.integer(0)
        return
    session.state.recorder.cancel_scheduled(database.index, key, handle)
    database.signal_modified(key)
    database.notify(STREAM, b"xschedule-cancel", key)
    reply.integer(1)


command("XSCHEDULE CANCEL")(xschedule_cancel)


def xschedule_list(session: Session, request: Request, reply: Reply) -> None:
    """XSCHEDULE LIST key [COUNT n]: maps of handle, due, every (0: once), fields."""
    count = LISTED
    if request.argc > 3:
        if request.argc != 5 or not request.text_equals(3, b"COUNT"):
            raise errors.SCHEDULE_LIST_SYNTAX.error()
        ok, count = parse_int(request.buf, request.start(4), request.length(4))
        if not ok or not 1 <= count <= LISTED_MOST:
            raise errors.SCHEDULE_COUNT.error(LISTED_MOST)
    stream = stream_to_read(session.database, request.name(2))
    if stream is None or stream.schedule is None:
        reply.array(0)
        return
    stream.schedule.write_first(reply, count)


command("XSCHEDULE LIST")(xschedule_list)
command("XSCHEDULE HELP")(help_of("XSCHEDULE"))


# --- upkeep ---


def next_ms(state: ServerState, stream: Stream) -> int:
    """When something is to be appended, NEVER_MS if nothing is scheduled."""
    schedule = stream.schedule
    return NEVER_MS if schedule is None else schedule.next_ms()


def run(state: ServerState, database: Database, key: bytes, stream: Stream) -> None:
    """Append what is due, for a while."""
    schedule = stream.schedule
    now_ms = state.clock.now_ms
    if schedule is None or schedule.next_ms() > now_ms:
        return
    if not state.memory.has_room():
        schedule.held_ms = now_ms + RETRY_MS
        return
    schedule.held_ms = 0
    if database.lookup_write(key) is not stream:
        return  # it has expired
    recorder = state.recorder
    entries, size = state.node_max_entries, state.node_max_bytes
    until_us = monotonic_us() + APPEND_US
    n = 0
    while schedule.next_ms() <= now_ms:
        ms, seq = max(now_ms, 0), 0
        if ms <= stream.last_ms:
            ok, ms, seq = next_id(stream.last_ms, stream.last_seq)
            if not ok:
                schedule.held_ms = now_ms + RETRY_MS
                break
        fields = schedule.first()
        handle, following_ms = schedule.handle, schedule.following_ms()
        stream.append(ms, seq, fields, 0, fields.argc // 2, entries, size)
        recorder.run_scheduled(database.index, key, stream, handle, following_ms, entries, size)
        schedule.release()
        schedule.move(handle, following_ms)
        appended(database, key, stream)
        n += 1
        if n % _AT_A_LOOK == 0 and monotonic_us() >= until_us:
            break
    if n and database.waiting:
        database.signal_ready(key)
