"""Entries that the server appends by itself, as XADD * would: moved ones, due ones.

All that follows from an entry follows here, too: the record, retention, events, readers that wake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater import errors
from headwater.commands.retention import retain_appended
from headwater.commands.streams import stream_to_write
from headwater.keyspace.notifications import STREAM
from headwater.resp.request import Request, from_words
from headwater.streams.ids import next_id
from headwater.streams.stream import Stream

if TYPE_CHECKING:
    from headwater.commands.state import ServerState
    from headwater.keyspace.database import Database


def append_entry(
    state: ServerState, database: Database, key: bytes, words: list[bytes]
) -> tuple[int, int]:
    """`append_fields` of these fields and values, one behind the other."""
    return append_fields(state, database, key, from_words(words), 0, len(words) // 2)


def append_fields(
    state: ServerState, database: Database, key: bytes, request: Request, first: int, pairs: int
) -> tuple[int, int]:
    """Append an entry: so many fields and values, the words of a request from `first` on.

    Returns its ID. A key that is missing becomes a stream. Raises WRONG_TYPE, and XADD_EXHAUSTED
    when the stream has no higher ID left; nothing has happened then. The caller seals the record.
    """
    stream = stream_to_write(database, key)
    is_new = stream is None
    if stream is None:
        stream = Stream()
    ms, seq = max(state.clock.now_ms, 0), 0
    if ms <= stream.last_ms:
        ok, ms, seq = next_id(stream.last_ms, stream.last_seq)
        if not ok:
            raise errors.XADD_EXHAUSTED.error()
    node_entries, node_bytes = state.node_max_entries, state.node_max_bytes
    stream.append(ms, seq, request, first, pairs, node_entries, node_bytes)
    state.recorder.add_entry(database.index, key, stream, node_entries, node_bytes)
    if is_new:
        database.add(key, stream)
    appended(database, key, stream)
    if database.waiting:
        database.signal_ready(key)
    return ms, seq


def appended(database: Database, key: bytes, stream: Stream) -> None:
    """An entry was appended and recorded: retention, who watches the key, events."""
    trimmed = 0
    if stream.retention is not None:
        trimmed = retain_appended(database, key, stream)
    database.signal_modified(key)
    database.notify(STREAM, b"xadd", key)
    if trimmed:
        database.notify(STREAM, b"xtrim", key)
