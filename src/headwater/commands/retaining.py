"""Carrying out what XCFGSET RETAIN-* says when nobody appends: a part of upkeep."""

from __future__ import annotations

from headwater.commands.lifetimes import group_is_idle
from headwater.commands.state import ServerState
from headwater.keyspace.calendar import NEVER
from headwater.keyspace.database import Database
from headwater.keyspace.notifications import STREAM
from headwater.streams.retention import Retention
from headwater.streams.stream import Stream

MOST = 1000
"""Blocks of a stream that one turn drops, at most: about a millisecond's work."""


def next_ms(state: ServerState, stream: Stream) -> int:
    """When upkeep has something to do."""
    return NEVER if stream.retention is None else stream.retention.wake_ms


def run(state: ServerState, database: Database, key: bytes, stream: Stream) -> None:
    """Drop what is too much, too old or done with, as much as a turn has time for."""
    retention: Retention = stream.retention
    now_ms = state.clock.now_ms
    if retention is None or now_ms < retention.wake_ms:
        return
    database.about_to_change(key)
    groups = []
    if retention.acked and stream.groups is not None:
        for group in stream.groups.values():
            if not group_is_idle(state, database, key, group):
                groups.append(group)
    if not retention.apply(stream, now_ms, groups, MOST):
        return
    recorder = state.recorder
    recorder.trim(database.index, key, retention.from_head, False)
    for ms, seq, entries in retention.runs:
        recorder.drop_run(database.index, key, ms, seq, entries)
    for ms, seq in retention.others:
        recorder.delete(database.index, key, stream, ms, seq, True, False)
    if retention.dropped:
        database.keyspace.graveyard.append(retention.dropped)
    database.signal_modified(key)
    database.notify(STREAM, b"xtrim", key)
