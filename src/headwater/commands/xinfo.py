"""XINFO: what there is to know about a stream, its groups and their consumers.

`radix-tree-keys` and `radix-tree-nodes` tell of Redis's inside. There is no such tree here: they
are the number of blocks, and one more.
"""

from __future__ import annotations

from headwater import errors
from headwater.commands.group_fields import (
    BACKLOG_FIELDS,
    SETTINGS_FIELDS,
    shows_more,
    write_backlog,
    write_settings,
)
from headwater.commands.help import help_of
from headwater.commands.session import Session
from headwater.commands.streams import stream_to_read
from headwater.commands.table import command
from headwater.resp.reply import Reply
from headwater.resp.request import Request
from headwater.streams.group import NEVER, UNKNOWN, Consumer, Group
from headwater.streams.ids import MAX
from headwater.streams.lag import lag_of
from headwater.streams.stream import Stream

FULL_DEFAULT_COUNT = 10
"""Entries that FULL shows of the stream, each group's pending ones and each consumer's."""

command("XINFO HELP")(help_of("XINFO"))


@command("XINFO STREAM")
def xinfo_stream(session: Session, request: Request, reply: Reply) -> None:
    stream = _stream(session, request)
    if request.argc == 3:
        reply.map(16)
        _stream_fields(session, stream, reply)
        reply.bulk(b"groups")
        reply.integer(len(stream.groups) if stream.groups is not None else 0)
        reply.bulk(b"first-entry")
        _end_entry(stream, reply, False)
        reply.bulk(b"last-entry")
        _end_entry(stream, reply, True)
        return
    count = _full_count(request)
    reply.map(15)
    _stream_fields(session, stream, reply)
    reply.bulk(b"entries")
    shown = stream.range(0, 0, MAX, MAX, count if count else -1, False)
    if shown is None:
        reply.array(0)
    else:
        reply.array(shown.count)
        shown.write(reply, False)
    groups = _groups(stream)
    reply.bulk(b"groups")
    reply.array(len(groups))
    for group in groups:
        _full_group(stream, group, count, reply)


@command("XINFO GROUPS")
def xinfo_groups(session: Session, request: Request, reply: Reply) -> None:
    stream = _stream(session, request)
    groups = _groups(stream)
    reply.array(len(groups))
    more = shows_more(session, stream)
    for group in groups:
        reply.map(6 + BACKLOG_FIELDS + SETTINGS_FIELDS if more else 6)
        reply.bulk(b"name")
        reply.bulk(group.name)
        reply.bulk(b"consumers")
        reply.integer(len(group.consumers))
        reply.bulk(b"pending")
        reply.integer(group.pending.count)
        _position_fields(stream, group, reply)
        if more:
            write_backlog(stream, group, session.state.clock.now_ms, reply)
            write_settings(request.arg(2), group, reply)


@command("XINFO CONSUMERS")
def xinfo_consumers(session: Session, request: Request, reply: Reply) -> None:
    stream = _stream(session, request)
    name = request.arg(3)
    group = stream.groups.get(name) if stream.groups is not None else None
    if group is None:
        raise errors.NO_GROUP_FOR_KEY.error(name, request.arg(2))
    now_ms = session.state.clock.now_ms
    consumers = _consumers(group)
    reply.array(len(consumers))
    for consumer in consumers:
        reply.map(4)
        reply.bulk(b"name")
        reply.bulk(consumer.name)
        reply.bulk(b"pending")
        reply.integer(group.pending_of(consumer))
        reply.bulk(b"idle")
        reply.integer(max(0, now_ms - consumer.seen_ms))
        reply.bulk(b"inactive")
        if consumer.active_ms == NEVER:
            reply.integer(-1)
        else:
            reply.integer(max(0, now_ms - consumer.active_ms))


def _stream(session: Session, request: Request) -> Stream:
    """The stream that a subcommand is about, or raises."""
    stream = stream_to_read(session.database, request.arg(2))
    if stream is None:
        raise errors.NO_SUCH_KEY.error()
    return stream


def _full_count(request: Request) -> int:
    """COUNT of FULL, 0 for all; a negative one is the default (as Redis)."""
    if not request.text_equals(3, b"FULL") or request.argc not in (4, 6):
        raise errors.SUBCOMMAND_ARGUMENTS.error(request.arg(1), "XINFO")
    if request.argc == 4:
        return FULL_DEFAULT_COUNT
    if not request.text_equals(4, b"COUNT"):
        raise errors.SUBCOMMAND_ARGUMENTS.error(request.arg(1), "XINFO")
    count = request.integer(5)
    return count if count >= 0 else FULL_DEFAULT_COUNT


def _groups(stream: Stream) -> list[Group]:
    """The groups in the order of their names."""
    if stream.groups is None:
        return []
    return [stream.groups[name] for name in sorted(stream.groups)]


def _consumers(group: Group) -> list[Consumer]:
    """The consumers in the order of their names."""
    return [group.consumers[name] for name in sorted(group.consumers)]


def _stream_fields(session: Session, stream: Stream, reply: Reply) -> None:
    """The 13 fields that both forms begin with."""
    blocks = len(stream.blocks) - stream.head
    first_ms, first_seq = stream.first_id()
    reply.bulk(b"length")
    reply.integer(stream.length)
    reply.bulk(b"radix-tree-keys")
    reply.integer(blocks)
    reply.bulk(b"radix-tree-nodes")
    reply.integer(blocks + 1)
    reply.bulk(b"last-generated-id")
    reply.stream_id(stream.last_ms, stream.last_seq)
    reply.bulk(b"max-deleted-entry-id")
    reply.stream_id(stream.max_deleted_ms, stream.max_deleted_seq)
    reply.bulk(b"entries-added")
    reply.integer(stream.entries_added)
    reply.bulk(b"recorded-first-entry-id")
    reply.stream_id(first_ms, first_seq)
    idmp = stream.idmp
    now_ms = session.state.clock.now_ms
    reply.bulk(b"idmp-duration")
    reply.integer(session.state.idmp_duration_s if idmp is None else idmp.duration_s)
    reply.bulk(b"idmp-maxsize")
    reply.integer(session.state.idmp_maxsize if idmp is None else idmp.maxsize)
    reply.bulk(b"pids-tracked")
    reply.integer(0 if idmp is None else idmp.producer_count(now_ms))
    reply.bulk(b"iids-tracked")
    reply.integer(0 if idmp is None else idmp.tracked(now_ms))
    reply.bulk(b"iids-added")
    reply.integer(0 if idmp is None else idmp.added)
    reply.bulk(b"iids-duplicates")
    reply.integer(0 if idmp is None else idmp.duplicates)


def _end_entry(stream: Stream, reply: Reply, last: bool) -> None:
    """The first or the last entry, null in an empty stream."""
    found = stream.range(0, 0, MAX, MAX, 1, last)
    if found is None:
        reply.null()
    else:
        found.write(reply, last)


def _position_fields(stream: Stream, group: Group, reply: Reply) -> None:
    """Three fields: where the group is in its stream."""
    reply.bulk(b"last-delivered-id")
    reply.stream_id(group.last_ms, group.last_seq)
    reply.bulk(b"entries-read")
    _number(group.entries_read, reply)
    reply.bulk(b"lag")
    _number(lag_of(stream, group), reply)


def _number(value: int, reply: Reply) -> None:
    if value == UNKNOWN:
        reply.null()
    else:
        reply.integer(value)


def _full_group(stream: Stream, group: Group, count: int, reply: Reply) -> None:
    """A group with at most `count` pending entries (0: all) of it and of each consumer."""
    pending = group.pending
    records = pending.records
    reply.map(8)
    reply.bulk(b"name")
    reply.bulk(group.name)
    _position_fields(stream, group, reply)
    reply.bulk(b"pel-count")
    reply.integer(pending.count)
    reply.bulk(b"nacked-count")
    reply.integer(pending.nacked)
    handles = pending.handles_from(0, 0, count if count else pending.count)
    reply.bulk(b"pending")
    reply.array(len(handles))
    for handle in handles:
        owner = group.owner_of(handle)
        reply.array(4)
        reply.stream_id(records.ms(handle), records.seq(handle))
        reply.bulk(b"" if owner is None else owner.name)
        reply.integer(records.time(handle))
        reply.integer(records.count(handle))
    consumers = _consumers(group)
    reply.bulk(b"consumers")
    reply.array(len(consumers))
    for consumer in consumers:
        size = group.pending_of(consumer)
        reply.map(5)
        reply.bulk(b"name")
        reply.bulk(consumer.name)
        reply.bulk(b"seen-time")
        reply.integer(consumer.seen_ms)
        reply.bulk(b"active-time")
        reply.integer(consumer.active_ms)
        reply.bulk(b"pel-count")
        reply.integer(size)
        handles = pending.owned_from(consumer.number, 0, 0, count if count else size)
        reply.bulk(b"pending")
        reply.array(len(handles))
        for handle in handles:
            reply.array(3)
            reply.stream_id(records.ms(handle), records.seq(handle))
            reply.integer(records.time(handle))
            reply.integer(records.count(handle))
