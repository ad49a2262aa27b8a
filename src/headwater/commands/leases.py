"""LEASE connection: entries are not due while the connection lives that they were taken over.

A session that takes an entry of such a group has a Lease: a number, which the group notes with each
entry (streams/held.py), and the groups in which it may hold something. Reading and claiming
commands call `hold` before they take entries and `held` behind; whoever ends a session calls
`end`. What the session held is due then: a part of it at once, and what is left of very much in
upkeep's next turns (`Leases.work`).

Guarantees: the number of a lease is given to no other one before everything it held is due; a
session that holds nothing ends in O(1); a lease knows groups by name, so it keeps none of them
alive, nor their streams.

Whether a connection lives is for the server to find out: it is told to expect answers of a
client that holds something (`Server.expect_answers`).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from headwater.raw import monotonic_us
from headwater.streams.settings import LEASE_CONNECTION

if TYPE_CHECKING:
    from headwater.commands.session import Session
    from headwater.commands.state import ServerState
    from headwater.keyspace.calendar import Plan
    from headwater.streams.group import Group
    from headwater.streams.stream import Stream

ANSWER_MS = 30_000
"""A host that has vanished is noticed after about so long where ACKWAIT says nothing else."""

ENTRIES_AT_ONCE = 200
"""So many entries are made due before it is looked whether others want their turn."""

BUDGET_US = 1000
"""So long upkeep goes on with it in one turn."""

_MAX_NUMBER = 2**32 - 1
_FEW_GROUPS = 16


class Lease:
    """What one session holds; `number` 0 stands for a session that has ended and holds nothing.

    groups: where it may hold something: the plan of a stream, and the name of a group.
    """

    __slots__ = ("groups", "number", "sweep_at")

    def __init__(self, number: int) -> None:
        self.number = number
        self.groups: dict[tuple[Plan, bytes], None] = {}
        self.sweep_at = _FEW_GROUPS


ENDED = Lease(0)
"""The lease of every session that has ended: what it takes yet is due at once."""


class Leases:
    """The leases of one server. `ending`: those whose session is gone and whose entries are not
    all due yet."""

    __slots__ = ("_last", "_numbers", "_state", "ending")

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._last = 0
        self._numbers: dict[int, Lease] = {}
        self.ending: deque[Lease] = deque()

    def __len__(self) -> int:
        """How many sessions have taken something over a lease, ending ones included."""
        return len(self._numbers)

    def of(self, session: Session) -> Lease:
        """The lease of a session, made if need be."""
        lease: Lease | None = session.lease
        if lease is None:
            number = self._last
            while True:
                number = number + 1 if number < _MAX_NUMBER else 1
                if number not in self._numbers:
                    break
            self._last = number
            lease = session.lease = self._numbers[number] = Lease(number)
        return lease

    def note(self, session: Session, stream: Stream, group: Group) -> None:
        """The session begins to hold entries of a group."""
        redelivery = group.redelivery
        plan: Plan | None = stream.plan
        assert redelivery is not None
        assert plan is not None, "a stream with settings has a plan"
        lease = self.of(session)
        lease.groups[plan, group.name] = None
        if len(lease.groups) > lease.sweep_at:
            self._sweep(lease)
        server = self._state.server
        if server is not None:
            server.expect_answers(session, redelivery.settings.ackwait_ms or ANSWER_MS)

    def _sweep(self, lease: Lease) -> None:
        """Forget the groups in which nothing is held any more, each time they have doubled."""
        for plan, name in list(lease.groups):
            group = self._group(plan, name)
            redelivery = None if group is None else group.redelivery
            if redelivery is None or redelivery.held.first(lease.number) == 0:
                del lease.groups[plan, name]
        lease.sweep_at = max(_FEW_GROUPS, 2 * len(lease.groups))

    def _group(self, plan: Plan, name: bytes) -> Group | None:
        stream = self._state.keyspace.calendar.stream_of(plan)
        if stream is None or stream.groups is None:
            return None
        return stream.groups.get(name)

    # --- the end ---

    def end(self, lease: Lease) -> None:
        """The session is gone: what it held is due."""
        if self._step(lease, ENTRIES_AT_ONCE) < ENTRIES_AT_ONCE:
            del self._numbers[lease.number]
        else:
            self.ending.append(lease)
        # There may be readers to wake, for whom nobody looks otherwise.
        self._state.waiters.look_at(0)

    def work(self) -> None:
        """Go on with leases that are ending, for a while; the timer comes again for the rest."""
        until_us = monotonic_us() + BUDGET_US
        while self.ending:
            lease = self.ending.popleft()
            if self._step(lease, ENTRIES_AT_ONCE) < ENTRIES_AT_ONCE:
                del self._numbers[lease.number]
            else:
                self.ending.append(lease)
            if monotonic_us() >= until_us:
                break
        if self.ending:
            self._state.waiters.look_at(0)

    def _step(self, lease: Lease, limit: int) -> int:
        """Make at most about `limit` entries due; below `limit`: there are no more."""
        calendar = self._state.keyspace.calendar
        now_ms = self._state.clock.now_ms
        done = 0
        while lease.groups and done < limit:
            plan, name = next(iter(lease.groups))
            group = self._group(plan, name)
            database = calendar.place_of(plan)
            n = 0
            if group is not None and database is not None:
                n = group.lapse(lease.number, limit - done)
                if n != 0:
                    plan.sooner(now_ms)
                    queue = database.waiting.get(plan.key)
                    if queue is not None:
                        queue.unpark_all(plan.key, name)
                        database.signal_ready(plan.key)
            if n < limit - done:
                del lease.groups[plan, name]
            done += max(n, 1)
        return done if lease.groups else min(done, limit - 1)


def _taker(session: Session) -> Session:
    """Who takes entries: for a command of a script, the client whose script it is."""
    host = session.state.scripting.host
    if session is host.session and host.caller is not None:
        caller: Session = host.caller
        return caller
    return session


def hold(session: Session, group: Group) -> None:
    """The session's command is about to take entries of the group; `held` follows."""
    redelivery = group.redelivery
    if redelivery is not None and redelivery.settings.lease == LEASE_CONNECTION:
        redelivery.holder = session.state.leases.of(_taker(session)).number


def held(session: Session, stream: Stream, group: Group) -> None:
    """The command has taken what it takes."""
    redelivery = group.redelivery
    if redelivery is not None and redelivery.holder != 0:
        redelivery.holder = 0
        if redelivery.held.is_new:
            redelivery.held.is_new = False
            session.state.leases.note(_taker(session), stream, group)


def adopt(state: ServerState, stream: Stream, group: Group) -> None:
    """LEASE connection was set just now: what consumers have is theirs while they are there.

    Over which connection an entry was taken was not noted before; so it counts as taken over the
    one that its consumer was last seen on. Takes a step for each pending entry.
    """
    redelivery = group.redelivery
    if redelivery is None or redelivery.settings.lease != LEASE_CONNECTION:
        return
    for consumer in group.consumers.values():
        session = state.clients.get(consumer.session)
        if session is None or group.pending_of(consumer) == 0:
            continue
        lease = state.leases.of(session)
        redelivery.holder = lease.number
        group.lease_all(consumer)
        redelivery.holder = 0
        if lease.number != 0:
            state.leases.note(session, stream, group)
    redelivery.held.is_new = False


def end(session: Session) -> None:
    """The session is gone. Everything it held is due, now or within moments."""
    lease: Lease | None = session.lease
    session.lease = ENDED
    if lease is not None and lease.number != 0:
        session.state.leases.end(lease)
