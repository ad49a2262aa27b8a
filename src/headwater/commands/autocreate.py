"""`group-autocreate`: groups that a reader misses are created, with their streams."""

from __future__ import annotations

from headwater import errors
from headwater.commands.groups import create_group, group_of
from headwater.commands.session import Session
from headwater.commands.streams import stream_to_write
from headwater.keyspace.database import Database
from headwater.resp.request import Request, from_words

OFF, AT_END = "no", "$"


def creates_groups(session: Session) -> bool:
    """Whether a group that the client's XREADGROUP misses is to be created.

    Not for a command that waits already: who waits for a group that is destroyed is told so.
    """
    return session.blocked is None and session.state.config.get_text("group-autocreate") != OFF


def create_missing_groups(
    session: Session, request: Request, name: bytes, first: int, n: int
) -> None:
    """Create the group in those streams that have none of this name; in all of them, or in none.

    The keys are the request's words from `first` on. A group begins where `group-autocreate` says.
    Raises what XGROUP CREATE would be refused with, and WRONG_TYPE.
    """
    at_end = session.state.config.get_text("group-autocreate") == AT_END
    database = session.database
    missing: list[bytes] = []
    for i in range(first, first + n):
        key = request.arg(i)
        if group_of(stream_to_write(database, key), name) is None and key not in missing:
            missing.append(key)
    for key in missing:
        _check(session, key, name)
    for key in missing:
        _create(database, key, name, at_end)


def _create(database: Database, key: bytes, name: bytes, at_end: bool) -> None:
    stream = stream_to_write(database, key)
    ms = seq = 0
    if at_end and stream is not None:
        ms, seq = stream.last_ms, stream.last_seq
    create_group(database, key, stream, name, ms, seq, None)


def _check(session: Session, key: bytes, name: bytes) -> None:
    """Raise what the client's XGROUP CREATE would be refused with."""
    state = session.state
    if state.over_memory:
        raise errors.OUT_OF_MEMORY.error()
    if session.permissions is None:
        return
    found = state.table.find(b"xgroup|create")
    asked = from_words([b"XGROUP", b"CREATE", key, name, b"$", b"MKSTREAM"])
    if session.permissions.refusal(session, found, asked) is not None:
        raise errors.AUTOCREATE_DENIED.error(name, key)
