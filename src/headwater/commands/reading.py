"""XREAD and XREADGROUP: from several streams, with limits over all of them, and waiting.

Handlers are bound by a call: Cython drops a decorator from a function that the .pxd types.
"""

from __future__ import annotations

from headwater import errors
from headwater.commands.blocking import pending_changed, wait_for_keys
from headwater.commands.session import Session
from headwater.commands.streams import stream_to_read
from headwater.commands.table import command
from headwater.keyspace.waiters import NEVER
from headwater.raw import parse_int
from headwater.resp.reply import Reply
from headwater.resp.request import Request
from headwater.streams.delivery import (
    claimable_at,
    deliver,
    deliver_claiming,
    deliver_history,
)
from headwater.streams.group import Group
from headwater.streams.ids import MAX, next_id, parse_span, previous_id, text
from headwater.streams.range import Range
from headwater.streams.stream import Stream

_TIMEOUT_MAX_MS = 1 << 62


class ReadOptions:
    """The options before STREAMS, and where keys and IDs are; -1 stands for "not given"."""

    __slots__ = (
        "block_ms",
        "consumer",
        "count",
        "group",
        "keys",
        "max_bytes",
        "max_entries",
        "min_idle_ms",
        "noack",
        "streams",
    )

    def __init__(self, request: Request, is_group: bool) -> None:
        self.block_ms = -1
        self.count = -1
        self.max_entries = -1
        self.max_bytes = -1
        self.min_idle_ms = -1
        self.noack = False
        self.group: bytes | None = None
        self.consumer = b""
        self.keys = 0
        self.streams = 0
        i = 1
        while i < request.argc:
            more = request.argc - 1 - i
            if more and request.text_equals(i, b"BLOCK"):
                self.block_ms = _timeout(request, i + 1)
                i += 2
            elif more and request.text_equals(i, b"COUNT"):
                self.count = request.integer(i + 1)
                if self.count <= 0:
                    self.count = -1
                i += 2
            elif more and request.text_equals(i, b"MAXCOUNT"):
                self.max_entries = _positive(request, i + 1, "MAXCOUNT")
                i += 2
            elif more and request.text_equals(i, b"MAXSIZE"):
                self.max_bytes = _positive(request, i + 1, "MAXSIZE")
                i += 2
            elif more and request.text_equals(i, b"STREAMS"):
                self.keys = i + 1
                if (request.argc - self.keys) % 2:
                    name = request.arg(0).lower()
                    if is_group:
                        raise errors.XREADGROUP_UNBALANCED.error(name)
                    raise errors.XREAD_UNBALANCED.error(name)
                self.streams = (request.argc - self.keys) // 2
                break
            elif more >= 2 and request.text_equals(i, b"GROUP"):
                if not is_group:
                    raise errors.XREAD_WITH_GROUP.error("GROUP")
                self.group = request.arg(i + 1)
                self.consumer = request.arg(i + 2)
                i += 3
            elif request.text_equals(i, b"NOACK"):
                if not is_group:
                    raise errors.XREAD_WITH_GROUP.error("NOACK")
                self.noack = True
                i += 1
            elif more and request.text_equals(i, b"CLAIM"):
                if not is_group:
                    raise errors.XREAD_WITH_GROUP.error("CLAIM")
                self.min_idle_ms = request.integer(i + 1)
                if self.min_idle_ms < 0:
                    raise errors.CLAIM_NEGATIVE.error()
                i += 2
            else:
                raise errors.SYNTAX.error()
        if self.keys == 0:
            raise errors.SYNTAX.error()
        if is_group and self.group is None:
            raise errors.XREADGROUP_WITHOUT_GROUP.error()
        if self.max_entries >= 0 and self.count > self.max_entries:
            raise errors.READ_MAXCOUNT_BELOW_COUNT.error()


def _timeout(request: Request, i: int) -> int:
    ok, value = parse_int(request.buf, request.start(i), request.length(i))
    if not ok:
        raise errors.TIMEOUT_NOT_INTEGER.error()
    if value < 0:
        raise errors.NEGATIVE_TIMEOUT.error()
    if value > _TIMEOUT_MAX_MS:
        raise errors.TIMEOUT_OUT_OF_RANGE.error()
    return value


def _positive(request: Request, i: int, name: str) -> int:
    ok, value = parse_int(request.buf, request.start(i), request.length(i))
    if not ok or value <= 0:
        raise errors.READ_LIMIT_NOT_POSITIVE.error(name)
    return value


class Budget:
    """What is left of COUNT for the next stream under MAXCOUNT, and of MAXSIZE."""

    __slots__ = ("bytes", "count", "entries")

    def __init__(self, options: ReadOptions) -> None:
        self.count = options.count
        self.entries = options.max_entries
        self.bytes = options.max_bytes

    def is_spent(self) -> bool:
        return self.entries == 0 or self.bytes == 0

    def next_count(self) -> int:
        """Entries that the next stream may give; -1 for no limit."""
        if self.entries >= 0 and (self.count < 0 or self.entries < self.count):
            return self.entries
        return self.count

    def spend(self, entries: int, size: int) -> None:
        if self.entries >= 0:
            self.entries -= entries
        if self.bytes >= 0:
            self.bytes = max(0, self.bytes - size)


def xread(session: Session, request: Request, reply: Reply) -> None:
    """XREAD [COUNT n] [MAXCOUNT n] [MAXSIZE bytes] [BLOCK ms] STREAMS key ... id ..."""
    options = ReadOptions(request, False)
    n = options.streams
    database = session.database
    streams: list[Stream | None] = []
    ids: list[tuple[int, int]] = []
    for i in range(options.keys, options.keys + n):
        stream = stream_to_read(database, request.arg(i))
        streams.append(stream)
        ids.append(_id_to_read_behind(stream, request, i + n))
    budget = Budget(options)
    parts, pos = reply.part_count(), reply.pos
    reply.keyed(n)
    served = 0
    for k in range(n):
        if budget.is_spent():
            break
        stream = streams[k]
        # Redis looks every key up a second time here, and counts that.
        if stream is None:
            database.keyspace.keyspace_misses += 1
            continue
        database.keyspace.keyspace_hits += 1
        ms, seq = ids[k]
        run = _entries_behind(stream, ms, seq, budget)
        if run is None:
            continue
        _begin_stream(reply, request.arg(options.keys + k))
        reply.array(run.count)
        run.write(reply, False)
        budget.spend(run.count, run.size)
        served += 1
    if served:
        reply.set_head(parts, pos, n, served)
        return
    reply.rewind(parts, pos)
    if options.block_ms < 0 or session.deny_blocking:
        reply.null_array()
        return
    words = request.words()
    for k in range(n):
        # `$` means the last ID of now; `+` stays, it is the last entry of whenever one comes.
        if words[options.keys + n + k] != b"+":
            ms, seq = ids[k]
            words[options.keys + n + k] = text(ms, seq)
    keys = words[options.keys : options.keys + n]
    wait_for_keys(session, words, keys, None, _deadline(session, options), False, NEVER)


command("XREAD")(xread)


def _id_to_read_behind(stream: Stream | None, request: Request, i: int) -> tuple[int, int]:
    """The ID behind which XREAD reads: as given, `$` the last one, `+` before the last entry."""
    if request.length(i) == 1:
        c = request.buf[request.start(i)]
        if c == 36 or c == 43:
            if stream is None:
                return 0, 0
            if c == 36 or stream.length == 0:
                return stream.last_ms, stream.last_seq
            block = stream.blocks[len(stream.blocks) - 1]
            _, ms, seq = previous_id(block.last_ms, block.last_seq)
            return ms, seq
        if c == 62:
            raise errors.XREAD_NEW.error()
    return _read_id(request, i)


def _read_id(request: Request, i: int) -> tuple[int, int]:
    ok, ms, seq = parse_span(request.buf, request.start(i), request.length(i), 0)
    if not ok:
        raise errors.INVALID_ID.error()
    return ms, seq


def _entries_behind(stream: Stream, ms: int, seq: int, budget: Budget) -> Range | None:
    if stream.last_ms < ms or (stream.last_ms == ms and stream.last_seq <= seq):
        return None
    ok, ms, seq = next_id(ms, seq)
    if not ok:
        return None
    run = stream.range(ms, seq, MAX, MAX, budget.next_count(), False)
    if run is not None and 0 <= budget.bytes < run.size:
        run.keep_bytes(budget.bytes)
    return run


def _begin_stream(reply: Reply, key: bytes) -> None:
    if not reply.resp3:
        reply.array(2)
    reply.bulk(key)


def _deadline(session: Session, options: ReadOptions) -> int:
    if options.block_ms == 0:
        return 0
    return session.state.clock.now_ms + options.block_ms


def xreadgroup(session: Session, request: Request, reply: Reply) -> None:
    """XREADGROUP GROUP group consumer [options] STREAMS key ... id ..., as Redis 8.10."""
    options = ReadOptions(request, True)
    n = options.streams
    database = session.database
    name = options.group or b""
    streams: list[Stream] = []
    groups: list[Group] = []
    for i in range(options.keys, options.keys + n):
        key = request.arg(i)
        stream = stream_to_read(database, key)
        group = None
        if stream is not None and stream.groups is not None:
            group = stream.groups.get(name)
        if stream is None or group is None:
            raise errors.XREADGROUP_NO_GROUP.error(key, name)
        _check_group_id(request, i + n)
        streams.append(stream)
        groups.append(group)
    now_ms = session.state.clock.now_ms
    budget = Budget(options)
    parts, pos = reply.part_count(), reply.pos
    reply.keyed(n)
    served = 0
    due_ms = NEVER
    min_idle_ms = options.min_idle_ms
    recorder = session.state.recorder
    for k in range(n):
        stream, group = streams[k], groups[k]
        key = request.arg(options.keys + k)
        database.keyspace.keyspace_hits += 1  # as for XREAD
        database.about_to_change(key)
        consumer = group.consumers.get(options.consumer)
        if consumer is None:
            consumer = group.create_consumer(options.consumer, now_ms)
            recorder.create_consumer(database.index, key, group, consumer)
            database.keyspace.dirty += 1
        consumer.seen_ms = now_ms
        if budget.is_spent():
            continue
        stream_parts, stream_pos = reply.part_count(), reply.pos
        _begin_stream(reply, key)
        id_arg = options.keys + n + k
        ms, seq = MAX, MAX  # what `>` is short for
        if request.length(id_arg) != 1 or request.buf[request.start(id_arg)] != 62:
            ms, seq = _read_id(request, id_arg)
        if ms != MAX or seq != MAX:
            # As Redis 8.10: a history ends CLAIM for the streams named behind it, too.
            min_idle_ms = -1
            entries, size = deliver_history(
                stream, group, consumer, ms, seq, now_ms, budget.next_count(), budget.bytes, reply
            )
            recorder.deliver_again(database.index, key, group, consumer, now_ms, entries, ms, seq)
            served += 1
            budget.spend(entries, size)
            database.keyspace.dirty += entries
            continue
        new = 0
        if min_idle_ms >= 0:
            claimed: list[int] = []
            entries, size = deliver_claiming(
                stream,
                group,
                consumer,
                now_ms,
                budget.next_count(),
                budget.bytes,
                min_idle_ms,
                options.noack,
                reply,
                claimed,
            )
            # An entry that was claimed may have been delivered as a new one, too.
            recorder.assign(database.index, key, group, consumer, claimed, now_ms, now_ms)
            new = entries - len(claimed)
        else:
            entries, size = deliver(
                stream,
                group,
                consumer,
                now_ms,
                budget.next_count(),
                budget.bytes,
                options.noack,
                reply,
            )
            new = entries
        recorder.deliver(database.index, key, group, consumer, now_ms, new, options.noack)
        if entries == 0:
            reply.rewind(stream_parts, stream_pos)
            if min_idle_ms >= 0:
                at = claimable_at(stream, group, min_idle_ms)
                if 0 <= at < due_ms:
                    due_ms = at
            continue
        served += 1
        budget.spend(entries, size)
        database.keyspace.dirty += 1
        if database.waiting:
            pending_changed(database, key)
    if served:
        reply.set_head(parts, pos, n, served)
        return
    reply.rewind(parts, pos)
    if options.block_ms < 0 or session.deny_blocking:
        reply.null_array()
        return
    words = request.words()
    keys = words[options.keys : options.keys + n]
    claims = options.min_idle_ms >= 0
    wait_for_keys(session, words, keys, name, _deadline(session, options), claims, due_ms)


command("XREADGROUP")(xreadgroup)


def _check_group_id(request: Request, i: int) -> None:
    if request.length(i) == 1:
        c = request.buf[request.start(i)]
        if c == 62:
            return
        if c == 36:
            raise errors.XREADGROUP_LAST.error()
        if c == 43:
            raise errors.XREADGROUP_PLUS.error()
    _read_id(request, i)
