"""Dead letters: entries that were delivered as often as they may go to a stream of their own.

A dead letter is an entry with the fields of the one it was and those of DEAD_LETTER_FIELDS
behind them. It is appended in the same record that takes the entry from the group, so it is never
in both, nor in none, and never made twice.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from headwater.commands.appending import append_entry
from headwater.errors import CommandError
from headwater.keyspace.calendar import NEVER
from headwater.keyspace.database import Database
from headwater.raw import monotonic_us
from headwater.resp.parser import RequestParser
from headwater.resp.request import Request
from headwater.streams.delivery import EntryFinder
from headwater.streams.group import Group
from headwater.streams.ids import text
from headwater.streams.settings import FATAL_COUNT
from headwater.streams.stream import Stream

if TYPE_CHECKING:
    from headwater.commands.state import ServerState

_log = logging.getLogger("headwater")

MAX_DELIVERIES, FATAL = b"max-deliveries", b"fatal"
SUFFIX = b":dead-letter"
DEAD_LETTER_FIELDS = (
    b"original_stream",
    b"original_id",
    b"group",
    b"consumer",
    b"deliveries",
    b"reason",
    b"dead_lettered_at",
)
"""What stands behind the own fields of an entry that has become a dead letter."""

RETRY_MS = 5000
"""Where dead letters cannot be made, since their key holds something else, it is tried again."""

COMPLAINT_MS = 60_000
"""The log says so at most so often for each group."""

BUDGET_US = 1000
BURIED_AT_ONCE = 50
RECHECK_MS = 1000

_LONGEST_BULK_BYTES = 1 << 62  # what was stored had its limits when it came
_parser = RequestParser(Request(), _LONGEST_BULK_BYTES)


def dead_letter_key(key: bytes, group: Group) -> bytes:
    """Where the dead letters of a group of this stream go."""
    assert group.redelivery is not None
    return group.redelivery.settings.dead_letter or key + SUFFIX


def bury(
    state: ServerState,
    database: Database,
    key: bytes,
    stream: Stream,
    group: Group,
    handle: int,
    deliveries: int = -1,
    reason: bytes = b"",
) -> bool:
    """Make a pending entry a dead letter; it is pending no more.

    One whose data is deleted is pending no more, that is all. `deliveries` and `reason` are those
    of the entry if not given. False: it could not be made, so everything is as it was; it is tried
    again later.
    """
    pending = group.pending
    records = pending.records
    redelivery = group.redelivery
    assert redelivery is not None
    ms, seq = records.ms(handle), records.seq(handle)
    finder = EntryFinder(stream)
    database.about_to_change(key)
    if finder.find(ms, seq):
        count = records.count(handle)
        owner = group.owner_of(handle)
        words = _words(finder)
        values = (
            key,
            text(ms, seq),
            group.name,
            b"" if owner is None else owner.name,
            b"%d" % (count if deliveries < 0 else deliveries),
            reason or (FATAL if count >= FATAL_COUNT else MAX_DELIVERIES),
            b"%d" % state.clock.now_ms,
        )
        for pair in zip(DEAD_LETTER_FIELDS, values, strict=True):
            words += pair
        target = dead_letter_key(key, group)
        if target == key:
            _complain(state, group, target, "the group reads that very stream")
            return False
        try:
            append_entry(state, database, target, words)
        except CommandError as error:
            why = error.text.partition(b" ")[2].decode("utf-8", "replace")
            _complain(state, group, target, why)
            return False
    pending.acknowledge(ms, seq)
    state.recorder.acknowledge(database.index, key, group, ms, seq)
    database.keyspace.dirty += 1
    if stream.retention is not None:
        stream.retention.released(stream, state.clock.now_ms)
    return True


def _words(finder: EntryFinder) -> list[bytes]:
    """The fields and values of the entry that was found."""
    data = finder.block.data()
    # *2 CRLF $ the length of the ID in one or two digits, CRLF, the ID, CRLF; then the fields.
    start = finder.start
    line_end = data.index(b"\r", start + 5)
    _parser.pos = line_end + 4 + int(data[start + 5 : line_end])
    _parser.parse(data, finder.start + finder.size)
    words = _parser.request.words()
    _parser.release()
    return words


def _complain(state: ServerState, group: Group, target: bytes, why: str) -> None:
    """Dead letters of a group cannot be made now: try later, and tell it, not too often."""
    redelivery = group.redelivery
    assert redelivery is not None
    now_ms = state.clock.now_ms
    if now_ms >= redelivery.complained_ms + COMPLAINT_MS:
        redelivery.complained_ms = now_ms
        _log.warning(
            "group %r cannot put dead letters into %r: %s. They stay pending; "
            "XGROUP CFGSET ... DEADLETTER names another key.",
            group.name.decode("utf-8", "replace"),
            target.decode("utf-8", "replace"),
            why,
        )
    redelivery.retry_ms = now_ms + RETRY_MS


# --- upkeep ---


def next_ms(state: ServerState, stream: Stream) -> int:
    """When an entry falls due, or a dead letter is to be made."""
    at_ms = NEVER
    for group in (stream.groups or {}).values():
        redelivery = group.redelivery
        if redelivery is None:
            continue
        at_ms = min(at_ms, redelivery.moment())
        if redelivery.due.length > 1 and redelivery.due.first_ms() <= redelivery.signalled_ms:
            # What is due goes by other ways, too; then others come first.
            at_ms = min(at_ms, state.clock.now_ms + RECHECK_MS)
    return at_ms


def run(state: ServerState, database: Database, key: bytes, stream: Stream) -> None:
    """Make dead letters, for a while, and tell readers of what is due."""
    if database.peek(key) is not stream:
        return  # its time is over, too
    now_ms = state.clock.now_ms
    until_us = monotonic_us() + BUDGET_US
    for group in list((stream.groups or {}).values()):
        redelivery = group.redelivery
        if redelivery is None:
            continue
        exhausted = redelivery.exhausted
        n = 0
        while (
            exhausted.length
            and exhausted.first_ms() <= now_ms
            and redelivery.retry_ms <= now_ms
            and bury(state, database, key, stream, group, exhausted.first())
        ):
            n += 1
            if n % BURIED_AT_ONCE == 0 and monotonic_us() >= until_us:
                break
        if redelivery.due.length and redelivery.due.first_ms() <= now_ms:
            redelivery.signalled_ms = now_ms
            if database.waiting:
                database.signal_ready(key)
        if n and redelivery.freed and database.waiting:
            database.signal_ready(key)
