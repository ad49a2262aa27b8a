"""Pending entries change their owner: XCLAIM, XAUTOCLAIM."""

from __future__ import annotations

from headwater import errors
from headwater.commands.blocking import pending_changed
from headwater.commands.dead_letters import bury
from headwater.commands.groups import group_to_claim, interval_start
from headwater.commands.leases import held, hold
from headwater.commands.session import Session
from headwater.commands.settling import settled
from headwater.commands.table import command
from headwater.keyspace.notifications import STREAM
from headwater.raw import parse_int
from headwater.resp.reply import Reply
from headwater.resp.request import Request
from headwater.streams.delivery import EntryFinder, one_more
from headwater.streams.group import Consumer, Group
from headwater.streams.ids import MAX, compare, next_id, parse_span, strict_id
from headwater.streams.ordering import became_pending
from headwater.streams.stream import Stream

ATTEMPTS_PER_CLAIM = 10  # XAUTOCLAIM looks at so many pending entries for each of COUNT
DEFAULT_COUNT = 100
MAX_COUNT = 576460752303423487  # of XAUTOCLAIM: Redis's limit on a machine of 64 bits
SCAN_BATCH = 512
_NOT_GIVEN = -1


def min_idle(request: Request, i: int, name: str) -> int:
    """Argument `i` as the idle time (ms) that an entry must have; below 0 is 0."""
    ok, value = parse_int(request.buf, request.start(i), request.length(i))
    if not ok:
        raise errors.CLAIM_MIN_IDLE.error(name)
    return max(0, value)


def consumer_of(session: Session, key: bytes, group: Group, name: bytes) -> Consumer:
    """The consumer who claims, made if need be, and seen now."""
    now_ms = session.state.clock.now_ms
    consumer = group.consumer(name)
    if consumer is None:
        consumer = group.create_consumer(name, now_ms)
        session.state.recorder.create_consumer(session.database.index, key, group, consumer)
        session.database.keyspace.dirty += 1
        session.database.notify(STREAM, b"xgroup-createconsumer", key)
    consumer.seen_ms = group.read_ms = now_ms
    consumer.session = session.id
    return consumer


def write_claimed(
    group: Group, finder: EntryFinder, handles: list[int], just_id: bool, reply: Reply
) -> None:
    """Write the array of claimed entries, or of their IDs."""
    records = group.pending.records
    reply.array(len(handles))
    for handle in handles:
        if just_id:
            reply.stream_id(records.ms(handle), records.seq(handle))
        else:
            finder.find(records.ms(handle), records.seq(handle))
            finder.write(reply)


# --- XCLAIM ---


class ClaimOptions:
    """The IDs and options of XCLAIM, from argument 5 on.

    IDs end at the first argument that is none. `time_ms`: the delivery time to set.
    """

    __slots__ = ("behind", "force", "just_id", "last_ms", "last_seq", "retry_count", "time_ms")

    def __init__(self, request: Request, now_ms: int) -> None:
        self.force = False
        self.just_id = False
        self.last_ms = 0
        self.last_seq = 0
        self.retry_count = _NOT_GIVEN
        self.time_ms = now_ms
        i = 5
        while i < request.argc and is_id(request, i):
            i += 1
        self.behind = i
        while i < request.argc:
            more = i + 1 < request.argc
            if request.text_equals(i, b"FORCE"):
                self.force = True
            elif request.text_equals(i, b"JUSTID"):
                self.just_id = True
            elif more and request.text_equals(i, b"IDLE"):
                i += 1
                idle_ms = claim_argument(request, i, "IDLE")
                self.time_ms = now_ms - idle_ms if 0 <= idle_ms <= now_ms else now_ms
            elif more and request.text_equals(i, b"TIME"):
                i += 1
                time_ms = claim_argument(request, i, "TIME")
                self.time_ms = time_ms if 0 <= time_ms <= now_ms else now_ms
            elif more and request.text_equals(i, b"RETRYCOUNT"):
                i += 1
                self.retry_count = claim_argument(request, i, "RETRYCOUNT")
            elif more and request.text_equals(i, b"LASTID"):
                i += 1
                self.last_ms, self.last_seq = strict_id(request, i, 0)
            else:
                raise errors.XCLAIM_OPTION.error(request.arg(i))
            i += 1

    def count_after(self, count: int) -> int:
        """The delivery count of an entry that had `count` deliveries."""
        if self.retry_count >= 0:
            return self.retry_count
        return count if self.just_id else one_more(count)


def is_id(request: Request, i: int) -> bool:
    ok, _, _ = parse_span(request.buf, request.start(i), request.length(i), 0)
    return ok


def claim_argument(request: Request, i: int, option: str) -> int:
    ok, value = parse_int(request.buf, request.start(i), request.length(i))
    if not ok:
        raise errors.XCLAIM_ARGUMENT.error(option)
    return value


def xclaim(session: Session, request: Request, reply: Reply) -> None:
    """XCLAIM key group consumer min-idle-time id [id ...] [options], as Redis 8.10."""
    stream, group = group_to_claim(session, request)
    min_idle_ms = min_idle(request, 4, "XCLAIM")
    now_ms = session.state.clock.now_ms
    options = ClaimOptions(request, now_ms)
    key = request.arg(1)
    db = session.database.index
    recorder = session.state.recorder
    if compare(options.last_ms, options.last_seq, group.last_ms, group.last_seq) > 0:
        group.set_position(options.last_ms, options.last_seq, group.entries_read)
        recorder.set_position(db, key, group)
        session.database.keyspace.dirty += 1
    consumer = consumer_of(session, key, group, request.arg(3))
    pending = group.pending
    finder = EntryFinder(stream)
    claimed: list[int] = []
    hold(session, group)
    for i in range(5, options.behind):
        ms, seq = strict_id(request, i, 0)
        handle = pending.find(ms, seq)
        if not finder.find(ms, seq):
            if handle != 0:
                pending.remove(handle)
                recorder.acknowledge(db, key, group, ms, seq)
                session.database.keyspace.dirty += 1
            continue
        if handle == 0:
            if not options.force:
                continue
            handle = pending.add(ms, seq, consumer.number, options.time_ms, 1)
            if group.redelivery is not None:
                became_pending(stream, group, handle)
        elif (
            pending.records.owner(handle) != 0
            and min_idle_ms > 0
            and now_ms - pending.records.time(handle) < min_idle_ms
        ):
            continue
        elif group.redelivery is not None and is_delivery_too_many(group, handle, options):
            if handle not in claimed:
                bury(session.state, session.database, key, stream, group, handle)
            continue
        pending.assign(
            handle,
            consumer.number,
            options.time_ms,
            options.count_after(pending.records.count(handle)),
        )
        claimed.append(handle)
    if claimed:
        consumer.active_ms = now_ms
        # One that was claimed twice stands where it came last, with the count of the last time.
        recorder.assign(db, key, group, consumer, claimed, options.time_ms, now_ms)
        session.database.keyspace.dirty += len(claimed)
        if options.time_ms < now_ms:
            pending_changed(session.database, key)
    held(session, stream, group)
    settled(session.database, key, stream, group)
    write_claimed(group, finder, claimed, options.just_id, reply)


command("XCLAIM")(xclaim)


def is_delivery_too_many(group: Group, handle: int, options: ClaimOptions) -> bool:
    """Whether the entry has been delivered as often as it may, and this is a delivery."""
    redelivery = group.redelivery
    assert redelivery is not None
    if options.just_id or options.retry_count >= 0:
        return False
    return redelivery.settings.is_last(group.pending.records.count(handle))


# --- XAUTOCLAIM ---


def xautoclaim(session: Session, request: Request, reply: Reply) -> None:
    """XAUTOCLAIM key group consumer min-idle-time start [COUNT n] [JUSTID].

    Replies with where to go on (0-0: everything was looked at), what was claimed, and the IDs
    whose data is deleted, which are pending no more.
    """
    min_idle_ms = min_idle(request, 4, "XAUTOCLAIM")
    ms, seq = interval_start(request, 5)
    count = DEFAULT_COUNT
    just_id = False
    i = 6
    while i < request.argc:
        if i + 1 < request.argc and request.text_equals(i, b"COUNT"):
            ok, count = parse_int(request.buf, request.start(i + 1), request.length(i + 1))
            if not ok or count < 1 or count > MAX_COUNT:
                raise errors.XAUTOCLAIM_COUNT.error()
            i += 2
        elif request.text_equals(i, b"JUSTID"):
            just_id = True
            i += 1
        else:
            raise errors.SYNTAX.error()
    stream, group = group_to_claim(session, request)
    key = request.arg(1)
    db = session.database.index
    recorder = session.state.recorder
    now_ms = session.state.clock.now_ms
    consumer = consumer_of(session, key, group, request.arg(3))
    scan = Scan(stream, group, ms, seq)
    scan.is_for(session, key)
    hold(session, group)
    scan.run(consumer, now_ms, min_idle_ms, count, just_id)
    held(session, stream, group)
    for deleted_ms, deleted_seq in scan.deleted:
        recorder.acknowledge(db, key, group, deleted_ms, deleted_seq)
    recorder.assign(db, key, group, consumer, scan.claimed, now_ms, now_ms)
    settled(session.database, key, stream, group)
    session.database.keyspace.dirty += len(scan.claimed) + len(scan.deleted)
    reply.array(3)
    reply.stream_id(scan.ms, scan.seq)
    write_claimed(group, scan.finder, scan.claimed, just_id, reply)
    reply.array(len(scan.deleted))
    for deleted_ms, deleted_seq in scan.deleted:
        reply.stream_id(deleted_ms, deleted_seq)


command("XAUTOCLAIM")(xautoclaim)


class Scan:
    """XAUTOCLAIM's way through the pending entries in order of ID, from `ms`-`seq` on.

    After `run`, `ms`-`seq` is the next pending ID that was not looked at, or 0-0.
    """

    __slots__ = ("_key", "_session", "claimed", "deleted", "finder", "group", "ms", "seq")

    def __init__(self, stream: Stream, group: Group, ms: int, seq: int) -> None:
        self._session: Session | None = None
        self._key = b""
        self.finder = EntryFinder(stream)
        self.group = group
        self.ms = ms
        self.seq = seq
        self.claimed: list[int] = []
        self.deleted: list[tuple[int, int]] = []

    def run(
        self, consumer: Consumer, now_ms: int, min_idle_ms: int, count: int, just_id: bool
    ) -> None:
        """Claim at most `count` entries; deleted ones that are found count too."""
        group = self.group
        pending = group.pending
        attempts = ATTEMPTS_PER_CLAIM * count
        until_ms = now_ms - min_idle_ms
        more = True
        known = self._is_known()
        if known and min_idle_ms > 0 and pending.count != 0:
            attempts -= self._skip(attempts, until_ms)
        from_ms, from_seq = self.ms, self.seq
        while more and attempts > 0 and count > 0:
            batch = pending.handles_from(self.ms, self.seq, min(attempts, count + 16, SCAN_BATCH))
            if not batch:
                break
            for handle in batch:
                if count == 0:
                    break
                attempts -= 1
                ms = pending.records.ms(handle)
                seq = pending.records.seq(handle)
                more, self.ms, self.seq = next_id(ms, seq)
                if not self.finder.find(ms, seq):
                    pending.remove(handle)
                    self.deleted.append((ms, seq))
                    count -= 1
                elif min_idle_ms != 0 and pending.records.time(handle) > until_ms:
                    pass
                elif not just_id and group.redelivery is not None and self._bury(handle):
                    count -= 1
                else:
                    # Without a minimum also what was delivered before the clock was set back.
                    delivered = pending.records.count(handle)
                    pending.assign(
                        handle,
                        consumer.number,
                        now_ms,
                        delivered if just_id else one_more(delivered),
                    )
                    self.claimed.append(handle)
                    consumer.active_ms = now_ms
                    count -= 1
        self._point_at_next(more)
        self._note_intact(known, from_ms, from_seq)

    def is_for(self, session: Session, key: bytes) -> None:
        """Whose scan it is, of the stream of this key: that is where dead letters come from."""
        self._session = session
        self._key = key

    def _bury(self, handle: int) -> bool:
        """Make a dead letter of an entry that was delivered as often as it may, if it was.

        Where that cannot be done it stays as it is.
        """
        group = self.group
        redelivery = group.redelivery
        assert redelivery is not None
        if not redelivery.settings.is_last(group.pending.records.count(handle)):
            return False
        session = self._session
        assert session is not None
        bury(session.state, session.database, self._key, self.finder.stream, group, handle)
        return True

    def _is_known(self) -> bool:
        """Whether this is inside of, or right behind, what is known to have its data."""
        group = self.group
        return (
            group.intact_holes == self.finder.stream.holes
            and compare(self.ms, self.seq, group.intact_ms, group.intact_seq) >= 0
            and compare(self.ms, self.seq, group.intact_end_ms, group.intact_end_seq) <= 0
        )

    def _skip(self, attempts: int, until_ms: int) -> int:
        """Pass over pending entries without looking at each; return how many.

        None is idle enough, since the longest idle one is not, and all are known to have their
        data, unless it went at the stream's head.
        """
        group = self.group
        pending = group.pending
        records = pending.records
        stream = self.finder.stream
        if records.time(pending.oldest) <= until_ms or stream.length == 0:
            return 0
        first_ms, first_seq = stream.first_id()
        handle = pending.by_id.first()
        if (
            compare(self.ms, self.seq, first_ms, first_seq) < 0
            and compare(records.ms(handle), records.seq(handle), first_ms, first_seq) < 0
        ):
            return 0
        passed, handle = pending.by_id.skip(
            records, self.ms, self.seq, attempts, group.intact_end_ms, group.intact_end_seq
        )
        if handle != 0:
            self.ms = records.ms(handle)
            self.seq = records.seq(handle)
        else:
            self.ms = MAX
            self.seq = MAX
        return passed

    def _note_intact(self, known: bool, from_ms: int, from_seq: int) -> None:
        """All that is pending from where the scan began to where it ended has its data.

        `known`: it went on from what was known before. What becomes pending behind the last
        one has its data, too.
        """
        group = self.group
        end_ms, end_seq = self.ms, self.seq
        if end_ms == 0 and end_seq == 0:
            end_ms = end_seq = MAX
        if known:
            from_ms, from_seq = group.intact_ms, group.intact_seq
            if compare(group.intact_end_ms, group.intact_end_seq, end_ms, end_seq) > 0:
                end_ms, end_seq = group.intact_end_ms, group.intact_end_seq
        group.note_intact(self.finder.stream.holes, from_ms, from_seq, end_ms, end_seq)

    def _point_at_next(self, more: bool) -> None:
        batch = self.group.pending.handles_from(self.ms, self.seq, 1) if more else []
        if batch:
            self.ms = self.group.pending.records.ms(batch[0])
            self.seq = self.group.pending.records.seq(batch[0])
        else:
            self.ms = 0
            self.seq = 0
