"""Who waits for what: readers blocked on keys, in the order in which they came.

A key knows its readers: those of XREAD, which all get every entry, and for each group those
of XREADGROUP, of which an entry wakes one. Timeouts, and the moment at which a pending entry
becomes idle enough for a reader with CLAIM, are one heap of times. Nothing here costs anything
while nothing happens.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headwater.commands.session import Session
    from headwater.commands.table import Command
    from headwater.keyspace.database import Database
    from headwater.resp.request import Request

NEVER = 1 << 62


class Blocked:
    """A command that waits, with all that is needed to try it again.

    `keys` are in one database. `group` is None for XREAD. `claims`: it also takes pending
    entries that have been idle long enough; `due_ms` is when the next one will be.
    `timeout_reply` is what the command answers when its time is over, as RESP; None: a null array.
    """

    __slots__ = (
        "claims",
        "command",
        "database",
        "deadline_ms",
        "due_ms",
        "group",
        "keys",
        "order",
        "request",
        "scheduled_ms",
        "session",
        "timeout_reply",
    )

    def __init__(
        self,
        session: Session,
        command: Command,
        request: Request,
        database: Database,
        keys: list[bytes],
        group: bytes | None,
        deadline_ms: int,
        claims: bool,
        due_ms: int,
        timeout_reply: bytes | None = None,
    ) -> None:
        self.session: Any = session
        self.command: Any = command
        self.request = request
        self.database = database
        self.keys = keys
        self.group = group
        self.deadline_ms = deadline_ms
        self.claims = claims
        self.due_ms = due_ms
        self.timeout_reply = timeout_reply
        self.order = 0
        self.scheduled_ms = NEVER


class KeyWaiters:
    """The readers of one key. Dicts serve as queues: in order, and quick to leave."""

    __slots__ = ("claiming", "groups", "readers")

    def __init__(self) -> None:
        self.readers: dict[Blocked, None] = {}
        self.groups: dict[bytes, dict[Blocked, None]] = {}
        self.claiming = 0

    def is_empty(self) -> bool:
        return not self.readers and not self.groups


class Waiters:
    """All blocked readers of one server.

    `on_earlier(at_ms)` is called when somebody must be looked at before `timer_ms`, which is
    when whoever owns the timer has it set to.
    """

    __slots__ = ("_heap", "_next_order", "_stale", "count", "on_earlier", "timer_ms")

    def __init__(self) -> None:
        self.count = 0
        self._next_order = 0
        self._heap: list[tuple[int, int, Blocked]] = []
        self._stale = 0
        self.timer_ms = NEVER
        self.on_earlier: Callable[[int], None] | None = None

    def add(self, blocked: Blocked) -> None:
        """Queue a reader behind all others of its keys."""
        self._next_order += 1
        blocked.order = self._next_order
        self.count += 1
        waiting = blocked.database.waiting
        for key in blocked.keys:
            queue = waiting.get(key)
            if queue is None:
                queue = waiting[key] = KeyWaiters()
            if blocked.group is None:
                queue.readers[blocked] = None
            else:
                members = queue.groups.get(blocked.group)
                if members is None:
                    members = queue.groups[blocked.group] = {}
                members[blocked] = None
                if blocked.claims:
                    queue.claiming += 1
        self.schedule(blocked)

    def remove(self, blocked: Blocked) -> None:
        """Take a reader out of all queues."""
        self.count -= 1
        waiting = blocked.database.waiting
        for key in blocked.keys:
            queue = waiting[key]
            if blocked.group is None:
                del queue.readers[blocked]
            else:
                members = queue.groups[blocked.group]
                del members[blocked]
                if not members:
                    del queue.groups[blocked.group]
                if blocked.claims:
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
            if at < self.timer_ms and self.on_earlier is not None:
                self.timer_ms = at
                self.on_earlier(at)

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
        """When somebody must be looked at, or NEVER."""
        while self._heap:
            at, _, blocked = self._heap[0]
            if blocked.scheduled_ms == at:
                return at
            heapq.heappop(self._heap)
            self._stale -= 1
        return NEVER

    def pop_due(self, now_ms: int) -> Blocked | None:
        """Take the next reader whose time has come off the heap; it stays in the queues."""
        if self.next_ms() > now_ms:
            return None
        _, _, blocked = heapq.heappop(self._heap)
        blocked.scheduled_ms = NEVER
        return blocked
