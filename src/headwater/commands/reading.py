"""XREAD and XREADGROUP: from several streams, with limits over all of them, and waiting.

Handlers are bound by a call: Cython drops a decorator from a function that the .pxd types.
"""

from __future__ import annotations

from headwater import errors
from headwater.commands.autocreate import create_missing_groups, creates_groups
from headwater.commands.blocking import pending_changed, stand_aside, terms_of, wait, waits_on
from headwater.commands.redelivering import deliver_managed, history_managed
from headwater.commands.session import Session
from headwater.commands.streams import stream_to_read
from headwater.commands.table import command
from headwater.keyspace.notifications import KEY_MISS, STREAM
from headwater.keyspace.waiters import NEVER, Terms
from headwater.raw import alloc, equal, get_u64, parse_int, put_u64
from headwater.resp.reply import Reply
from headwater.resp.request import Request, from_words
from headwater.streams.delivery import (
    claimable_at,
    deliver,
    deliver_claiming,
    deliver_history,
)
from headwater.streams.ids import MAX, next_id, parse_span, previous_id, text
from headwater.streams.range import Range
from headwater.streams.stream import Stream

_TIMEOUT_MAX_MS = 1 << 62
_NEVER = NEVER  # the same as a C number


class ReadOptions:
    """The options before STREAMS, and where keys and IDs are; -1 stands for "not given".

    `spend` takes what was read from MAXCOUNT and MAXSIZE: what is left is for the next stream.
    """

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

    def __init__(self) -> None:
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

    def parse(self, request: Request, is_group: bool) -> None:
        """Read them, or raise what is wrong with them."""
        argc = request.argc
        i = 1
        while i < argc:
            more = argc - 1 - i
            c = request.buf[request.spans[2 * i]] & 0xDF if request.spans[2 * i + 1] else 0
            if c == 83 and more and request.text_equals(i, b"STREAMS"):
                self.keys = i + 1
                if (argc - self.keys) & 1:
                    name = request.arg(0).lower()
                    if is_group:
                        raise errors.XREADGROUP_UNBALANCED.error(name)
                    raise errors.XREAD_UNBALANCED.error(name)
                self.streams = (argc - self.keys) >> 1
                break
            if c == 67 and more and request.text_equals(i, b"COUNT"):
                self.count = request.integer(i + 1)
                if self.count <= 0:
                    self.count = -1
                i += 2
            elif c == 71 and more >= 2 and request.text_equals(i, b"GROUP"):
                if not is_group:
                    raise errors.XREAD_WITH_GROUP.error("GROUP")
                self.group = request.name(i + 1)
                self.consumer = request.name(i + 2)
                i += 3
            elif c == 66 and more and request.text_equals(i, b"BLOCK"):
                self.block_ms = _timeout(request, i + 1)
                i += 2
            elif c == 77 and more and request.text_equals(i, b"MAXCOUNT"):
                self.max_entries = _positive(request, i + 1, "MAXCOUNT")
                i += 2
            elif c == 77 and more and request.text_equals(i, b"MAXSIZE"):
                self.max_bytes = _positive(request, i + 1, "MAXSIZE")
                i += 2
            elif c == 78 and request.text_equals(i, b"NOACK"):
                if not is_group:
                    raise errors.XREAD_WITH_GROUP.error("NOACK")
                self.noack = True
                i += 1
            elif c == 67 and more and request.text_equals(i, b"CLAIM"):
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

    def is_spent(self) -> bool:
        return self.max_entries == 0 or self.max_bytes == 0

    def next_count(self) -> int:
        """Entries that the next stream may give; -1 for no limit."""
        if self.max_entries >= 0 and (self.count < 0 or self.max_entries < self.count):
            return self.max_entries
        return self.count

    def spend(self, entries: int, size: int) -> None:
        if self.max_entries >= 0:
            self.max_entries -= entries
        if self.max_bytes >= 0:
            self.max_bytes = self.max_bytes - size if size < self.max_bytes else 0


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


def xread(session: Session, request: Request, reply: Reply) -> None:
    """XREAD [COUNT n] [MAXCOUNT n] [MAXSIZE bytes] [BLOCK ms] STREAMS key ... id ..."""
    options = ReadOptions()
    options.parse(request, False)
    n = options.streams
    keys = options.keys
    database = session.database
    streams: list[Stream | None] = []
    ids = alloc(16 * n)
    for k in range(n):
        stream = stream_to_read(database, request.name(keys + k))
        streams.append(stream)
        ms, seq = _id_to_read_behind(stream, request, keys + n + k)
        put_u64(ids, 16 * k, ms)
        put_u64(ids, 16 * k + 8, seq)
    parts, pos = reply.part_count(), reply.pos
    served = 0
    for k in range(n):
        if options.is_spent():
            break
        stream = streams[k]
        # Redis looks every key up a second time here, and counts that.
        if stream is None:
            database.keyspace.keyspace_misses += 1
            database.notify(KEY_MISS, b"keymiss", request.name(keys + k))
            continue
        database.keyspace.keyspace_hits += 1
        run = _entries_behind(stream, get_u64(ids, 16 * k), get_u64(ids, 16 * k + 8), options)
        if run is None:
            continue
        if served == 0:
            reply.keyed(n)
        _begin_stream(reply, request.name(keys + k))
        reply.array(run.count)
        run.write(reply, False)
        options.spend(run.count, run.size)
        served += 1
    if served:
        reply.set_head(parts, pos, n, served)
        return
    _found_nothing(session, request, reply, options, ids, False, NEVER)


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


def _entries_behind(stream: Stream, ms: int, seq: int, options: ReadOptions) -> Range | None:
    if stream.last_ms < ms or (stream.last_ms == ms and stream.last_seq <= seq):
        return None
    ok, ms, seq = next_id(ms, seq)
    if not ok:
        return None
    run = stream.range(ms, seq, MAX, MAX, options.next_count(), False)
    if run is not None and 0 <= options.max_bytes < run.size:
        run.keep_bytes(options.max_bytes)
    return run


def _found_nothing(
    session: Session,
    request: Request,
    reply: Reply,
    options: ReadOptions,
    ids: bytearray | None,
    claims: bool,
    due_ms: int,
) -> None:
    """Wait on, begin to wait, or reply that there is nothing."""
    if waits_on(session, due_ms):
        return
    if options.block_ms < 0 or session.deny_blocking:
        reply.null_array()
        return
    terms = session.state.waiters.recent
    if terms is None or not _same_terms(terms, session, request, options, ids):
        terms = _new_terms(session, request, options, ids)
        terms.claims = claims
    wait(session, terms, _deadline(session, options), due_ms)


def _same_terms(
    terms: Terms, session: Session, request: Request, options: ReadOptions, ids: bytearray | None
) -> bool:
    """Whether a request waits for what somebody else already does, with the same words.

    `$` is the same as the ID that it means now.
    """
    if (
        terms.database is not session.database
        or terms.argc != request.argc
        or terms.command.name != session.last_command
    ):
        return False
    first_id = options.keys + options.streams
    for i in range(1, request.argc):
        pos = request.spans[2 * i]
        size = request.spans[2 * i + 1]
        start = terms.start(i)
        length = terms.length(i)
        if ids is not None and i >= first_id and size == 1 and request.buf[pos] == 36:
            k = 16 * (i - first_id)
            ok, ms, seq = parse_span(terms.buf, start, length, 0)
            if not ok or ms != get_u64(ids, k) or seq != get_u64(ids, k + 8):
                return False
        elif length != size or not equal(terms.buf, start, request.buf, pos, size):
            return False
    return True


def _new_terms(
    session: Session, request: Request, options: ReadOptions, ids: bytearray | None
) -> Terms:
    """What the request waits for, to be tried again. `$` means the last ID of now.

    `+` stays: it is the last entry of whenever one comes.
    """
    words = None
    if ids is not None:
        for k in range(options.streams):
            i = options.keys + options.streams + k
            if request.spans[2 * i + 1] == 1 and request.buf[request.spans[2 * i]] == 36:
                if words is None:
                    words = request.words()
                words[i] = text(get_u64(ids, 16 * k), get_u64(ids, 16 * k + 8))
    if words is not None:
        request = from_words(words)
    if options.streams == 1:
        keys = [request.name(options.keys)]
    else:
        keys = list(dict.fromkeys(request.words()[options.keys : options.keys + options.streams]))
    terms = terms_of(session, request, keys, options.group)
    terms.consumer = options.consumer
    return terms


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
    options = ReadOptions()
    options.parse(request, True)
    n = options.streams
    database = session.database
    name = options.group or b""
    first: Stream | None = None
    others: list[Stream] | None = None  # behind the first one
    for i in range(options.keys, options.keys + n):
        key = request.name(i)
        stream = stream_to_read(database, key)
        if stream is None or stream.groups is None or name not in stream.groups:
            if not creates_groups(session):
                raise errors.XREADGROUP_NO_GROUP.error(key, name)
            _check_group_ids(request, options.keys + n, n)
            create_missing_groups(session, request, name, options.keys, n)
            stream = stream_to_read(database, key)
            assert stream is not None
        if not _is_new(request, i + n):
            _check_group_id(request, i + n)
        if first is None:
            first = stream
        else:
            if others is None:
                others = []
            others.append(stream)
    waiters = session.state.waiters
    if waiters.limited and session.blocked is None:
        waiters.limited = []
    parts, pos = reply.part_count(), reply.pos
    reply.keyed(n)
    served = 0
    due_ms = _NEVER
    claims = options.min_idle_ms >= 0
    for k in range(n):
        stream = first if k == 0 or others is None else others[k - 1]
        assert stream is not None
        got, at = _read_group(session, request, options, k, stream, reply)
        if got:
            served += 1
        elif 0 <= at < due_ms:
            due_ms = at
    if served:
        reply.set_head(parts, pos, n, served)
        return
    reply.rewind(parts, pos)
    begins = session.blocked is None
    _found_nothing(session, request, reply, options, None, claims, due_ms)
    if begins and waiters.limited:
        stand_aside(session)


def _read_group(
    session: Session,
    request: Request,
    options: ReadOptions,
    k: int,
    stream: Stream,
    reply: Reply,
) -> tuple[bool, int]:
    """Read the k-th stream: whether it is in the reply; if not, when an entry may be claimed.

    A history ends CLAIM for the streams named behind it, too, as in Redis 8.10.
    """
    now_ms = session.state.clock.now_ms
    recorder = session.state.recorder
    recording = recorder.recording
    database = session.database
    keyspace = database.keyspace
    key = request.name(options.keys + k)
    keyspace.keyspace_hits += 1  # as for XREAD
    if database.cut is not None:
        database.about_to_change(key)
    assert stream.groups is not None
    assert options.group is not None
    group = stream.groups[options.group]
    consumer = group.consumers.get(options.consumer)
    if consumer is None:
        consumer = group.create_consumer(options.consumer, now_ms)
        recorder.create_consumer(database.index, key, group, consumer)
        keyspace.dirty += 1
        database.notify(STREAM, b"xgroup-createconsumer", key)
    consumer.seen_ms = group.read_ms = now_ms
    consumer.session = session.id
    if options.is_spent():
        return False, -1
    parts, pos = reply.part_count(), reply.pos
    _begin_stream(reply, key)
    id_arg = options.keys + options.streams + k
    if not _is_new(request, id_arg):
        ms, seq = _read_id(request, id_arg)
        # The highest ID is what `>` is short for.
        if ms != MAX or seq != MAX:
            options.min_idle_ms = -1
            count = options.next_count()
            max_bytes = options.max_bytes
            if group.redelivery is None:
                entries, size = deliver_history(
                    stream, group, consumer, ms, seq, now_ms, count, max_bytes, reply
                )
                db = database.index
                recorder.deliver_again(db, key, group, consumer, now_ms, entries, ms, seq)
            else:
                entries, size = history_managed(
                    session, key, stream, group, consumer, ms, seq, count, max_bytes, reply
                )
            options.spend(entries, size)
            keyspace.dirty += entries
            return True, -1
    at = -1
    new = 0
    if group.redelivery is not None:
        entries, size, at = deliver_managed(
            session,
            key,
            stream,
            group,
            consumer,
            options.next_count(),
            options.max_bytes,
            options.min_idle_ms,
            options.noack,
            options.block_ms >= 0,
            reply,
        )
    elif options.min_idle_ms >= 0:
        claimed: list[int] = []
        entries, size = deliver_claiming(
            stream,
            group,
            consumer,
            now_ms,
            options.next_count(),
            options.max_bytes,
            options.min_idle_ms,
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
            options.next_count(),
            options.max_bytes,
            options.noack,
            reply,
        )
        new = entries
    if entries == 0:
        reply.rewind(parts, pos)
        if options.min_idle_ms >= 0 and group.redelivery is None:
            return False, claimable_at(stream, group, options.min_idle_ms)
        return False, at
    if recording and new != 0:
        recorder.deliver(database.index, key, group, consumer, now_ms, new, options.noack)
    options.spend(entries, size)
    keyspace.dirty += 1
    if options.noack and stream.retention is not None:
        stream.retention.released(stream, now_ms)
    if database.waiting:
        pending_changed(database, key)
    return True, -1


command("XREADGROUP")(xreadgroup)


def _is_new(request: Request, i: int) -> bool:
    """Whether argument `i` is `>`."""
    return request.spans[2 * i + 1] == 1 and request.buf[request.spans[2 * i]] == 62


def _check_group_ids(request: Request, first: int, n: int) -> None:
    for i in range(first, first + n):
        _check_group_id(request, i)


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
