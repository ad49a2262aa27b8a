"""What a group with settings may and must do, in plain Python: the words of the guides as code.

The model does not foretell replies: where the server may choose, it checks that what came was
allowed and that nothing was left out that had to come, and goes on from there. Each check that
fails is an AssertionError that says which promise was broken. IDs are pairs, times unix ms.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

Id = tuple[int, int]

FATAL = 2**63 - 1
"""The delivery count behind XNACK FATAL."""

ADDED_FIELDS = [
    *("original_stream", "original_id", "group", "consumer"),
    *("deliveries", "reason", "dead_lettered_at"),
]


def id_of(text: bytes) -> Id:
    ms, seq = text.split(b"-")
    return int(ms), int(seq)


def text_of(entry: Id) -> str:
    return f"{entry[0]}-{entry[1]}"


@dataclass(frozen=True)
class Settings:
    """As XGROUP CFGSET has them; 0, () and "" are off."""

    ackwait: int = 0
    backoff: tuple[int, ...] = ()
    maxdeliveries: int = 0
    deadletter: str = ""
    maxpending: int = 0
    groupmaxpending: int = 0
    orderby: str = ""
    lease: str = "time"
    consumerttl: int = 0
    groupttl: int = 0

    @property
    def managed(self) -> bool:
        return self != Settings()

    def wait(self, count: int) -> int:
        """How long after its count-th delivery an owned entry is due."""
        return self.nack_wait(count) if self.backoff else self.ackwait

    def nack_wait(self, count: int) -> int:
        if not self.backoff:
            return 0
        return self.backoff[min(max(count, 1), len(self.backoff)) - 1]


@dataclass(frozen=True)
class Retain:
    """As XCFGSET RETAIN-* has them; 0 and "no" are off."""

    maxlen: int = 0
    maxage: int = 0
    maxbytes: int = 0
    acked: str = "no"


Letter = tuple[str, dict[str, bytes], list[bytes]]
"""A dead letter: the key of its stream, the added fields, the entry's own."""


@dataclass
class Pending:
    """A pending entry. `owner` None: nobody's, due at `due`; `session`: it was taken over that."""

    owner: str | None
    time: int
    count: int
    value: bytes | None
    due: int = 0
    session: int = 0
    sure: bool = True  # whether it is certain when it is due


@dataclass
class Group:
    name: str
    settings: Settings = field(default_factory=Settings)
    pending: dict[Id, Pending] = field(default_factory=dict)
    undelivered: set[Id] = field(default_factory=set)
    free: set[Id] = field(default_factory=set)  # ORDERBY does not hold these back any more
    seen: dict[str, int] = field(default_factory=dict)  # consumers, when each asked last
    sessions: dict[str, int] = field(default_factory=dict)  # over what connection
    read: int = 0


class Model:
    """One stream with its groups. `expected` are dead letters that have to come, `optional` such
    as may; `allowed` are entries, by group, that may become some. `ghosts` are entries that went a
    moment ago: whether before or after something else of that moment is not told."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.entries: dict[Id, list[bytes]] = {}
        self.groups: dict[str, Group] = {}
        self.open_sessions: set[int] = set()
        self.scheduled: dict[bytes, tuple[int, int, list[bytes]]] = {}
        self.allowed: set[tuple[str, Id]] = set()
        self.expected: list[Letter] = []
        self.optional: list[Letter] = []
        self.retain = Retain()
        self.ghosts: dict[Id, list[bytes]] = {}

    # --- when things are due ---

    def due(self, group: Group, pending: Pending) -> int | None:
        """When a pending entry is due; None: not by itself."""
        settings = group.settings
        if not settings.managed or (pending.count == FATAL and not self.exhausted(group, pending)):
            return None
        if pending.owner is None:
            return pending.due
        if settings.lease == "connection":
            return None if pending.session in self.open_sessions else pending.time
        return pending.time + settings.wait(pending.count) if settings.ackwait else None

    def is_due(self, group: Group, pending: Pending, now: int) -> bool:
        due = self.due(group, pending)
        return due is not None and due <= now

    def exhausted(self, group: Group, pending: Pending) -> bool:
        settings = group.settings
        if pending.count == FATAL:
            return bool(settings.maxdeliveries or settings.deadletter)
        return 0 < settings.maxdeliveries <= pending.count

    def value(self, group: Group, entry: Id) -> bytes | None:
        """The entry's value of the field that the group is ordered by."""
        fields = self.entries.get(entry)
        if not group.settings.orderby or fields is None:
            return None
        name = group.settings.orderby.encode()
        return dict(zip(fields[::2], fields[1::2], strict=True)).get(name)

    # --- reading ---

    def vanishing(self, group: Group, now: int, claim_ms: int | None) -> set[Id]:
        """Pending entries that are dropped or buried when a reader comes upon them."""
        found = set()
        for entry, pending in group.pending.items():
            comes_up = not pending.sure or self.is_due(group, pending, now) or claim_ms is not None
            if comes_up and (entry not in self.entries or self.exhausted(group, pending)):
                found.add(entry)
        return found

    def available(self, group: Group, without: set[Id]) -> list[Id]:
        """Undelivered entries that need not be held back, some pending ones being left out."""
        busy = {p.value for e, p in group.pending.items() if e not in without}
        busy.discard(None)
        found = []
        for entry in sorted(group.undelivered):
            value = None if entry in group.free else self.value(group, entry)
            if value is None or value not in busy:
                found.append(entry)
            if value is not None:
                busy.add(value)
        return found

    def read(
        self,
        group: Group,
        consumer: str,
        session: int,
        reply: Any,
        count: int,
        now: int,
        noack: bool = False,
        claim_ms: int | None = None,
    ) -> None:
        """XREADGROUP > replied this (None: nothing)."""
        settings = group.settings
        said = [] if not reply else reply[0][1]
        rows = [(id_of(row[0]), row[1], *row[2:]) for row in said]
        where = (group.name, consumer, [text_of(row[0]) for row in rows])
        assert len(rows) <= count, where
        gone = self.vanishing(group, now, claim_ms)
        own = sum(p.owner == consumer for e, p in group.pending.items() if e not in gone)
        total = len(group.pending) - len(gone)
        phase, last_due, last_new, twice = 0, -1, (-1, -1), 0
        taken: set[Id] = set()
        for row in rows:
            entry, fields = row[0], row[1]
            assert fields == self.entries.get(entry), (where, "fields", entry)
            pending = group.pending.get(entry)
            again = pending is not None and entry not in taken and phase < 2
            if again:
                assert pending is not None
                mine = pending.owner == consumer
                due = self.due(group, pending)
                if phase == 0 and not (due is not None and due <= now) and pending.sure:
                    phase = 1
                if phase == 0:
                    if due is not None and pending.sure:
                        assert due >= last_due, (where, "longest overdue first", entry)
                        last_due = due
                elif not self.claimable(group, pending, claim_ms, now):
                    again = False
                if again and self.exhausted(group, pending) and entry in group.undelivered:
                    # It is buried, and comes as a new one, since the group was set back.
                    self.bury(group, entry, "max-deliveries", now)
                    again = False
                if again:
                    assert not self.exhausted(group, pending), (where, "delivered too often", entry)
                    if len(row) > 2 and claim_ms is not None:
                        assert row[3] == pending.count, (where, "count", entry)
                    if settings.maxpending and not mine:
                        assert own < settings.maxpending, (where, "MAXPENDING", entry)
                    own += not mine
                    taken.add(entry)
                    # Also with NOACK, as what CLAIM takes in Redis.
                    self.give(group, entry, consumer, session, now, pending.count + 1)
                    continue
            phase = 2
            if not settings.orderby:
                assert entry > last_new, (where, "new ones in order", entry)
            last_new = entry
            if entry in group.pending:
                twice += 1
            else:
                assert entry in self.available(group, gone), (where, "not available", entry)
                own += not noack
                total += not noack
            assert entry in group.undelivered, (where, "not new", entry)
            if settings.maxpending and not noack:
                assert own <= settings.maxpending, (where, "MAXPENDING", entry)
            if settings.groupmaxpending and not noack:
                assert total <= settings.groupmaxpending, (where, "GROUPMAXPENDING", entry)
            group.undelivered.discard(entry)
            group.free.discard(entry)
            if not noack:
                self.give(group, entry, consumer, session, now, 1)
        gone &= group.pending.keys()
        own += sum(group.pending[entry].owner == consumer for entry in gone)
        # What is given once more, since the group was set back, takes a place in the count.
        own += twice
        total += len(gone) + twice
        self._complete(group, consumer, where, len(rows) < count, phase, last_due, own, total, now)

    def claimable(self, group: Group, pending: Pending, claim_ms: int | None, now: int) -> bool:
        """Whether CLAIM may take an entry that is not due."""
        if claim_ms is None:
            return False
        if pending.owner is None:
            return not group.settings.managed or pending.count == FATAL
        return now - pending.time >= claim_ms

    def _complete(
        self,
        group: Group,
        consumer: str,
        where: Any,
        room: bool,
        phase: int,
        last_due: int,
        own: int,
        total: int,
        now: int,
    ) -> None:
        """Nothing was left out that had to come before, or for which there was room."""
        settings = group.settings
        full = bool(settings.maxpending) and own >= settings.maxpending
        for entry, pending in group.pending.items():
            due = self.due(group, pending)
            if due is None or due > now or not pending.sure or entry not in self.entries:
                continue
            if self.exhausted(group, pending) or (full and pending.owner != consumer):
                continue
            if settings.lease == "time" and settings.wait(pending.count) == 0:
                continue
            if pending.time == now and pending.owner == consumer:
                continue
            assert not room, (where, "due and left out", entry)
            assert phase == 0, (where, "due before others", entry)
            assert due >= last_due, (where, "longer overdue and left out", entry)
        full |= bool(settings.groupmaxpending) and total >= settings.groupmaxpending
        if room and not full:
            left = [entry for entry in self.available(group, set()) if entry not in group.pending]
            assert not left, (where, "new and left out", left, group)

    def give(
        self, group: Group, entry: Id, consumer: str, session: int, now: int, count: int
    ) -> None:
        """An entry is delivered to a consumer."""
        before = group.pending.get(entry)
        value = before.value if before is not None else self.value(group, entry)
        group.pending[entry] = Pending(consumer, now, min(count, FATAL), value, session=session)

    # --- dead letters ---

    def bury(self, group: Group, entry: Id, reason: str, now: int) -> None:
        """A pending entry becomes a dead letter."""
        pending = group.pending.pop(entry)
        if pending.count == FATAL:
            reason = "fatal"
        fields = self.entries.get(entry)
        letters = self.expected
        if fields is None:
            letters = self.optional
            fields = self.ghosts.get(entry)
        if fields is None:
            return
        added = {
            "original_stream": self.key.encode(),
            "original_id": text_of(entry).encode(),
            "group": group.name.encode(),
            "consumer": (pending.owner or "").encode(),
            "deliveries": b"%d" % pending.count,
            "reason": reason.encode(),
            "dead_lettered_at": b"%d" % now,
        }
        key = group.settings.deadletter or f"{self.key}:dead-letter"
        letters.append((key, added, fields))

    def lapse(self, now: int) -> None:
        """What becomes a dead letter by itself."""
        for group in self.groups.values():
            for entry, pending in list(group.pending.items()):
                if not self.exhausted(group, pending):
                    continue
                if pending.owner is None:
                    # Put off, and then MAXDELIVERIES became lower: it need not wait any more.
                    self.allowed.add((group.name, entry))
                if self.is_due(group, pending, now):
                    if pending.sure:
                        self.bury(group, entry, "max-deliveries", now)
                    else:
                        self.allowed.add((group.name, entry))

    # --- other commands ---

    def configure(self, group: Group, position: Id, **changes: Any) -> None:
        """XGROUP CFGSET."""
        before = group.settings
        group.settings = replace(before, **changes)
        if group.settings.orderby != before.orderby:
            # What was held back follows the new field, or nothing any more.
            passed = {entry for entry in group.undelivered if entry <= position}
            group.free = set() if group.settings.orderby else passed
            for entry, pending in group.pending.items():
                pending.value = self.value(group, entry)
        if group.settings.lease != before.lease:
            for pending in group.pending.values():
                if pending.owner is None:
                    continue
                sessions = {pending.session, group.sessions.get(pending.owner, 0)}
                pending.sure = len(sessions) == 1 and pending.session in self.open_sessions
        if not group.settings.managed or (group.settings.orderby != before.orderby):
            for pending in group.pending.values():
                # Nobody remembers until when it was put off, and whether it was.
                pending.sure &= pending.owner is not None or pending.due == 0

    def delete(self, entry: Id) -> None:
        self.entries.pop(entry, None)
        for group in self.groups.values():
            group.undelivered.discard(entry)
            group.free.discard(entry)

    # --- retention ---

    def drop(self, gone: list[Id], now: int) -> None:
        """The server has dropped entries; it had to have a reason for each."""
        kept = sorted(self.entries.keys() - set(gone))
        oldest = kept[0] if kept else (1 << 64, 0)
        newer = len(self.entries)
        for entry in sorted(self.entries):
            newer -= 1
            if entry not in gone:
                continue
            retain = self.retain
            too_many = bool(retain.maxlen) and newer >= retain.maxlen
            too_old = bool(retain.maxage) and entry[0] + retain.maxage < now
            too_big = bool(retain.maxbytes) and entry < oldest
            done = retain.acked == "yes" and self.is_done(entry)
            assert too_many or too_old or too_big or done, (entry, "is lost", retain)
        for entry in gone:
            self.ghosts[entry] = self.entries[entry]
            self.delete(entry)

    def is_done(self, entry: Id) -> bool:
        """Whether every group has got an entry and settled it."""
        return all(
            entry not in group.undelivered and entry not in group.pending
            for group in self.groups.values()
        )

    def retained(self, now: int, soon_ms: int) -> None:
        """What has to be gone since `soon_ms` is gone."""
        retain = self.retain
        old = [entry for entry in self.entries if entry[0] + soon_ms < now]
        if retain.maxlen:
            assert len(old) <= retain.maxlen, ("RETAIN-MAXLEN", len(self.entries))
        if retain.maxage:
            late = [entry for entry in old if entry[0] + retain.maxage + soon_ms < now]
            assert not late, ("RETAIN-MAXAGE", late)

    def position(self, group: Group, behind: Id) -> None:
        """XGROUP SETID: the entries behind this ID are to be read."""
        group.undelivered = {entry for entry in self.entries if entry > behind}
        group.free = set()

    def nack(self, group: Group, entry: Id, mode: str, now: int) -> None:
        pending = group.pending.get(entry)
        if pending is None:
            return
        settings = group.settings
        if mode == "FATAL":
            if settings.maxdeliveries or settings.deadletter:
                self.bury(group, entry, "fatal", now)
                return
            pending.count = FATAL
        elif mode == "SILENT":
            pending.count = max(0, pending.count - 1)
            if self.exhausted(group, pending):
                self.bury(group, entry, "max-deliveries", now)
                return
        elif self.exhausted(group, pending):
            self.bury(group, entry, "max-deliveries", now)
            return
        pending.owner, pending.time, pending.sure = None, 0, True
        pending.due = 0
        if mode == "FAIL" and settings.backoff and pending.count != FATAL:
            pending.due = now + settings.nack_wait(pending.count)

    def restart(self) -> None:
        """All connections are gone; new ones may have the same numbers."""
        self.open_sessions.clear()
        for group in self.groups.values():
            group.sessions.clear()
            for pending in group.pending.values():
                pending.session = 0
                pending.sure |= group.settings.lease == "connection"
