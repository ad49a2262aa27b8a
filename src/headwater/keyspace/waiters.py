"""Who waits for what: readers blocked on keys, in the order in which they came.

A key knows its readers: those of XREAD, which all get every entry, and for each group those
of XREADGROUP, of which an entry wakes one; and those who wait for a list's items, first come
first served. Timeouts, and the moment at which a pending entry becomes idle enough for a reader
with CLAIM, are one heap of times. Nothing here costs anything while nothing happens.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from headwater.raw import alloc, copy, get_u64, put_u64
from headwater.resp.request import Request

if TYPE_CHECKING:
    from headwater.commands.session import Session
    from headwater.commands.table import Command
    from headwater.keyspace.database import Database

NEVER = 1 << 62


class Terms:
    """What a command waits for and how it is tried again; the same for all who said the same.

    `keys` are in one database. `group` is None for XREAD; `consumer`: its member who waits.
    `claims`: it also takes pending entries that have been idle long enough. `pops`: it takes items
    of lists. The words are a copy of the request's bytes: `buf` and where each one is in it.
    """

    __slots__ = (
        "argc",
        "buf",
        "claims",
        "command",
        "consumer",
        "database",
        "group",
        "keys",
        "pops",
        "spans",
    )

    def __init__(
        self,
        command: Command,
        database: Database,
        keys: list[bytes],
        group: bytes | None,
        claims: bool,
        request: Request,
    ) -> None:
        self.command: Any = command
        self.database = database
        self.keys = keys
        self.group = group
        self.consumer = b""
        self.claims = claims
        self.pops = False
        self.copy_words(request)

    def copy_words(self, request: Request) -> None:
        """Keep the words of a request, in one piece: they follow each other in its buffer."""
        argc = request.argc
        first = request.spans[0]
        n = request.spans[2 * argc - 2] + request.spans[2 * argc - 1] - first
        self.argc = argc
        self.buf = alloc(n)
        copy(self.buf, 0, request.buf, first, n)
        self.spans = alloc(16 * argc)
        for i in range(argc):
            put_u64(self.spans, 16 * i, request.spans[2 * i] - first)
            put_u64(self.spans, 16 * i + 8, request.spans[2 * i + 1])

    def start(self, i: int) -> int:
        """Position of word `i` in `buf`."""
        return get_u64(self.spans, 16 * i)

    def length(self, i: int) -> int:
        """Length of word `i` in bytes."""
        return get_u64(self.spans, 16 * i + 8)

    def fill(self, request: Request) -> None:
        """Let a request be the one that waits."""
        request.clear()
        request.buf = self.buf
        for i in range(self.argc):
            request.push(self.start(i), self.length(i))
        # The words are as they came, but what stood before the first one is not there.
        request.wellformed = False


class Blocked:
    """A client whose command waits.

    `due_ms` is when the next pending entry will be idle enough for it. `timeout_reply` is what
    the command answers when its time is over, as RESP; None: a null array. `owed` is a reply
    that is still to be sent: the wait is over, and the client in no queue any more.
    """

    __slots__ = (
        "deadline_ms",
        "due_ms",
        "order",
        "owed",
        "parked",
        "scheduled_ms",
        "session",
        "terms",
        "timeout_reply",
    )

    def __init__(
        self,
        session: Session,
        terms: Terms,
        deadline_ms: int,
        due_ms: int,
        timeout_reply: bytes | None = None,
    ) -> None:
        self.session: Any = session
        self.terms = terms
        self.deadline_ms = deadline_ms
        self.due_ms = due_ms
        self.timeout_reply = timeout_reply
        self.order = 0
        self.scheduled_ms = NEVER
        self.owed: bytes | None = None
        self.parked: dict[bytes, int] | None = None


class Parked:
    """Members of a group whose consumers are at their limit, by their owner numbers.

    `redelivery`: of the group that it is about; when the group has another one, all look again.
    """

    __slots__ = ("owners", "redelivery")

    def __init__(self, redelivery: Any) -> None:
        self.redelivery = redelivery
        self.owners: dict[int, OrderedDict[Blocked, None]] = {}


class KeyWaiters:
    """The readers of one key. Dicts serve as queues: in order, and quick to leave.

    poppers: those who wait for items of a list, of whom an item serves the first one. Theirs and
    those of groups are ordered dicts: the first one of a plain dict is far to find once many before
    it have left.

    parked: by group, members who wait for their own consumer to acknowledge something: what comes
    is not for them, so they are not tried, however many they are.
    """

    __slots__ = ("claiming", "groups", "parked", "poppers", "readers")

    def __init__(self) -> None:
        self.readers: dict[Blocked, None] = {}
        self.poppers: OrderedDict[Blocked, None] | None = None
        self.groups: dict[bytes, OrderedDict[Blocked, None]] = {}
        self.claiming = 0
        self.parked: dict[bytes, Parked] | None = None

    def is_empty(self) -> bool:
        return not (self.readers or self.groups or self.poppers or self.parked)

    def members_of(self, group: bytes) -> list[Blocked]:
        """All who wait for entries of a group."""
        members = list(self.groups.get(group, ()))
        if self.parked is not None and group in self.parked:
            for others in self.parked[group].owners.values():
                members.extend(others)
        return members

    def park(self, key: bytes, blocked: Blocked, owner: int, redelivery: Any) -> None:
        """Put a member aside: its consumer, this owner, is at its limit."""
        group = blocked.terms.group
        assert group is not None
        self.leave(key, blocked)
        if self.parked is None:
            self.parked = {}
        parked = self.parked.get(group)
        if parked is None:
            parked = self.parked[group] = Parked(redelivery)
        others = parked.owners.get(owner)
        if others is None:
            others = parked.owners[owner] = OrderedDict()
        others[blocked] = None
        if blocked.parked is None:
            blocked.parked = {}
        blocked.parked[key] = owner

    def unpark(self, key: bytes, group: bytes, owner: int) -> bool:
        """Have the parked members of an owner be the first ones again; False: there are none."""
        if self.parked is None or group not in self.parked:
            return False
        parked = self.parked[group]
        others = parked.owners.pop(owner, None)
        if others is None:
            return False
        if not parked.owners:
            del self.parked[group]
        members = self.groups.get(group)
        if members is None:
            members = self.groups[group] = OrderedDict()
        for blocked in reversed(others):
            assert blocked.parked is not None
            del blocked.parked[key]
            members[blocked] = None
            members.move_to_end(blocked, False)
        return True

    def unpark_all(self, key: bytes, group: bytes) -> None:
        """The same for all owners."""
        if self.parked is not None and group in self.parked:
            for owner in list(self.parked[group].owners):
                self.unpark(key, group, owner)

    def leave(self, key: bytes, blocked: Blocked) -> None:
        """A member of a group waits here no longer."""
        group = blocked.terms.group
        assert group is not None
        if blocked.parked is not None and key in blocked.parked:
            assert self.parked is not None
            parked = self.parked[group]
            owner = blocked.parked.pop(key)
            others = parked.owners[owner]
            del others[blocked]
            if not others:
                del parked.owners[owner]
                if not parked.owners:
                    del self.parked[group]
        else:
            members = self.groups[group]
            del members[blocked]
            if not members:
                del self.groups[group]


class Waiters:
    """All blocked readers of one server.

    `on_earlier(at_ms)` is called when somebody must be looked at before `timer_ms`, which is
    when whoever owns the timer has it set to.
    `recent`: the terms on which somebody waited last; others often wait on the same.
    `owing`: who is owed a reply; while there is anybody the timer is due.
    `limited`: key, owner and Redelivery of those groups in which the reader that was tried last is
    at its limit.
    `held`: database and key of those that CLIENT PAUSE held back when it was their turn.
    """

    __slots__ = (
        "_heap",
        "_next_order",
        "_stale",
        "count",
        "held",
        "limited",
        "on_earlier",
        "owing",
        "recent",
        "request",
        "sent",
        "timer_ms",
    )

    def __init__(self) -> None:
        self.count = 0
        self._next_order = 0
        self._heap: list[tuple[int, int, Blocked]] = []
        self._stale = 0
        self.timer_ms = NEVER
        self.on_earlier: Callable[[int], None] | None = None
        self.recent: Terms | None = None
        self.request = Request()  # the one that is tried again
        self.owing: deque[Blocked] = deque()
        self.sent = 0  # replies that were sent since the loop had its last turn
        self.held: dict[tuple[Database, bytes], None] = {}
        self.limited: list[tuple[bytes, int, Any]] = []

    def owe(self, blocked: Blocked, data: bytes) -> None:
        """Have a reply sent a little later, by `on_earlier`; the client is in no queue."""
        blocked.owed = data
        self.owing.append(blocked)
        self.look_at(0)

    def add(self, blocked: Blocked) -> None:
        """Queue a reader behind all others of its keys."""
        self._next_order += 1
        blocked.order = self._next_order
        self.count += 1
        terms = blocked.terms
        self.recent = terms
        waiting = terms.database.waiting
        for key in terms.keys:
            queue = waiting.get(key)
            if queue is None:
                queue = waiting[key] = KeyWaiters()
            if terms.pops:
                if queue.poppers is None:
                    queue.poppers = OrderedDict()
                queue.poppers[blocked] = None
            elif terms.group is None:
                queue.readers[blocked] = None
            else:
                members = queue.groups.get(terms.group)
                if members is None:
                    members = queue.groups[terms.group] = OrderedDict()
                members[blocked] = None
                if terms.claims:
                    queue.claiming += 1
        self.schedule(blocked)

    def remove(self, blocked: Blocked) -> None:
        """Take a reader out of all queues."""
        self.count -= 1
        terms = blocked.terms
        if self.count == 0:
            self.recent = None
        waiting = terms.database.waiting
        for key in terms.keys:
            queue = waiting[key]
            if terms.pops:
                poppers = queue.poppers
                assert poppers is not None
                del poppers[blocked]
            elif terms.group is None:
                del queue.readers[blocked]
            else:
                queue.leave(key, blocked)
                if terms.claims:
                    queue.claiming -= 1
            if queue.is_empty():
                del waiting[key]
        if blocked.scheduled_ms != NEVER:
            blocked.scheduled_ms = NEVER
            self._forget_one()

    def schedule(self, blocked: Blocked) -> None:
        """Note when the reader must be looked at next: at its timeout, or when one is due."""
        at = blocked.deadline_ms or NEVER
        if blocked.due_ms < at:
            at = blocked.due_ms
        if at == blocked.scheduled_ms:
            return
        if blocked.scheduled_ms != NEVER:
            blocked.scheduled_ms = NEVER
            self._forget_one()
        blocked.scheduled_ms = at
        if at != NEVER:
            heapq.heappush(self._heap, (at, blocked.order, blocked))
            self.look_at(at)

    def look_at(self, at_ms: int) -> None:
        """Something is to be done then, for a reader or by upkeep: the timer must not be later."""
        if at_ms < self.timer_ms and self.on_earlier is not None:
            self.timer_ms = at_ms
            self.on_earlier(at_ms)

    def _forget_one(self) -> None:
        """One heap entry became void; when most are, rebuild the heap without them."""
        self._stale += 1
        if self._stale > 64 and 2 * self._stale > len(self._heap):
            live = {}
            for at, order, blocked in self._heap:
                if blocked.scheduled_ms == at:
                    live[order] = (at, order, blocked)
            self._heap = list(live.values())
            heapq.heapify(self._heap)
            self._stale = 0

    def next_ms(self) -> int:
        """When somebody must be looked at, or NEVER; 0 while a reply is owed."""
        if self.owing:
            return 0
        return self._next_at()

    def _next_at(self) -> int:
        while self._heap:
            at, _, blocked = self._heap[0]
            if blocked.scheduled_ms == at:
                return at
            heapq.heappop(self._heap)
            self._stale -= 1
        return NEVER

    def pop_due(self, now_ms: int) -> Blocked | None:
        """Take the next reader whose time has come off the heap; it stays in the queues."""
        if self._next_at() > now_ms:
            return None
        _, _, blocked = heapq.heappop(self._heap)
        blocked.scheduled_ms = NEVER
        return blocked
