"""XGROUP RESET: have a group read from another place of its stream."""

from __future__ import annotations

from headwater import errors
from headwater.commands.groups import group_of_xgroup, stream_of_xgroup
from headwater.commands.positions import first_id_of
from headwater.commands.session import Session
from headwater.commands.settling import settled
from headwater.commands.table import command
from headwater.keyspace.notifications import STREAM
from headwater.resp.reply import Reply
from headwater.resp.request import Request
from headwater.streams.group import Group
from headwater.streams.ids import compare, previous_id
from headwater.streams.lag import entries_read_at
from headwater.streams.ordering import forget_held
from headwater.streams.stream import Stream


class ResetOptions:
    """[PENDING KEEP|DROP] [DRYRUN], in any order, from argument `i` on."""

    __slots__ = ("drops_pending", "dry_run")

    def __init__(self, request: Request, i: int) -> None:
        self.drops_pending = False
        self.dry_run = False
        while i < request.argc:
            more = i + 1 < request.argc
            if request.text_equals(i, b"DRYRUN"):
                self.dry_run = True
                i += 1
            elif more and request.text_equals(i, b"PENDING"):
                self.drops_pending = request.text_equals(i + 1, b"DROP")
                if not self.drops_pending and not request.text_equals(i + 1, b"KEEP"):
                    raise errors.RESET_PENDING.error()
                i += 2
            else:
                raise errors.RESET_OPTION.error(request.arg(i)[:128])


@command("XGROUP RESET")
def xgroup_reset(session: Session, request: Request, reply: Reply) -> None:
    """XGROUP RESET key group position [PENDING KEEP|DROP] [DRYRUN].

    Replies the ID that will be read first (nil: none is there yet), how many entries will be read,
    and how many pending entries were dropped. DRYRUN: the same, and nothing happens.
    """
    now_ms = session.state.clock.now_ms
    i, first = first_id_of(request, 4, now_ms)
    options = ResetOptions(request, i)
    database = session.database
    key = request.arg(2)
    stream = stream_of_xgroup(session, request)
    group = group_of_xgroup(stream, request)
    ms, seq = last_delivered_before(stream, first)
    entries = stream.behind(ms, seq)
    dropped = group.pending.count if options.drops_pending else 0
    reply.array(3)
    if entries:
        reply.stream_id(*_first_behind(stream, ms, seq))
    else:
        reply.null()
    reply.integer(entries)
    reply.integer(dropped)
    if options.dry_run:
        return
    if dropped:
        _drop_pending(session, key, group)
    if forget_held(group):
        session.state.recorder.forget_held(database.index, key, group)
    group.set_position(ms, seq, entries_read(stream, ms, seq, entries))
    session.state.recorder.set_position(database.index, key, group)
    database.keyspace.dirty += 1
    database.notify(STREAM, b"xgroup-setid", key)
    if stream.retention is not None:
        stream.retention.released(stream, now_ms)
    settled(database, key, stream, group)
    database.signal_ready(key)


def _drop_pending(session: Session, key: bytes, group: Group) -> None:
    """Nothing is pending any more; freeing what many entries took is left to the graveyard."""
    keyspace = session.database.keyspace
    keyspace.graveyard.extend(group.pending.drop_all())
    session.state.recorder.drop_pending(session.database.index, key, group)


def last_delivered_before(stream: Stream, first: tuple[int, int] | None) -> tuple[int, int]:
    """The last-delivered ID of a group that is to read from an ID on; None: what comes from now on.

    It is the ID of the entry before, which people understand; but the one right below if entries
    may still come between the two, or one was deleted there: Redis's lag would not be known.
    """
    if first is None:
        return stream.last_ms, stream.last_seq
    before = _entry_before(stream, *first)
    deleted = (stream.max_deleted_ms, stream.max_deleted_seq)
    if first > (stream.last_ms, stream.last_seq) or before < deleted < first:
        _, ms, seq = previous_id(*first)
        return ms, seq
    return before


def _entry_before(stream: Stream, ms: int, seq: int) -> tuple[int, int]:
    """The ID of the last entry below an ID, 0-0 if there is none."""
    index, slot = stream.locate(ms, seq)
    blocks = stream.blocks
    if index < len(blocks) and slot > blocks[index].first:
        return blocks[index].entry_id(slot - 1)
    if index > stream.head:
        return blocks[index - 1].last_ms, blocks[index - 1].last_seq
    return 0, 0


def _first_behind(stream: Stream, ms: int, seq: int) -> tuple[int, int]:
    """The ID of the first entry above an ID; there is one."""
    index, slot = stream.locate(ms, seq)
    block = stream.blocks[index]
    found = block.entry_id(slot)
    if found != (ms, seq):
        return found
    if slot + 1 < block.slots:
        return block.entry_id(slot + 1)
    block = stream.blocks[index + 1]
    return block.entry_id(block.first)


def entries_read(stream: Stream, ms: int, seq: int, entries: int) -> int:
    """What a group that stands at an ID, so many entries behind it, has read; UNKNOWN if it is not.

    Known, if none behind that ID was deleted: Redis's lag is the number of entries then.
    """
    if compare(stream.max_deleted_ms, stream.max_deleted_seq, ms, seq) <= 0 or (
        stream.length == entries and not _has_deleted_inside(stream)
    ):
        return max(0, stream.entries_added - entries)
    return entries_read_at(stream, ms, seq)


def _has_deleted_inside(stream: Stream) -> bool:
    """Whether an entry behind the first one was deleted."""
    first_ms, first_seq = stream.first_id()
    return compare(stream.max_deleted_ms, stream.max_deleted_seq, first_ms, first_seq) >= 0
