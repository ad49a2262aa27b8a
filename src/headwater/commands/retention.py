"""Carrying out what XCFGSET RETAIN-* says with each entry that is appended; the rest is upkeep's.

Upkeep's part is in retaining.py.
"""

from __future__ import annotations

from headwater.keyspace.database import Database
from headwater.streams.retention import Retention
from headwater.streams.stream import Stream


def retain_appended(database: Database, key: bytes, stream: Stream) -> int:
    """Drop what is too much of a stream with retention after an entry was appended and recorded.

    Only whole blocks, and in the same time however many entries there are; the rest goes soon.
    What went is recorded; returns how many entries, for which the caller tells of `xtrim`. Whoever
    appends entries to a stream whose `retention` is not None calls this.
    """
    retention: Retention = stream.retention
    if not retention.appended(stream, database.clock.now_ms):
        return 0
    database.keyspace.recorder.trim(database.index, key, retention.from_head, False)
    return retention.from_head
