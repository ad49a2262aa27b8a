"""When each stream with settings has to be looked at next: due entries, schedules, retention.

A stream that has any of these has a Plan, which knows where it is and when its next moment is.
All plans with a moment are one heap, so nothing here costs anything until something is due;
what is to be done then is upkeep's business (commands/upkeep.py). A moment may be early (what it
was for is acknowledged by now), never late: whoever makes something due sooner says so.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TYPE_CHECKING

from headwater.streams.stream import Stream

if TYPE_CHECKING:
    from headwater.keyspace.database import Database, Keyspace
    from headwater.value import Value

NEVER = 1 << 62

_FEW = 256


class Plan:
    """One stream's place in the calendar; `Stream.plan`.

    `values` is the table of keys that the stream is in, whichever database has that (SWAPDB). The
    stream refers to its plan and not the other way round: so it is freed when its key goes.
    """

    __slots__ = ("_calendar", "at_ms", "key", "order", "values")

    def __init__(self, calendar: Calendar, order: int) -> None:
        self._calendar = calendar
        self.order = order
        self.values: dict[bytes, Value] = {}
        self.key = b""
        self.at_ms = NEVER

    def sooner(self, at_ms: int) -> None:
        """Have the stream looked at then, if that is not to be before anyway."""
        if at_ms < self.at_ms:
            self._calendar.move(self, at_ms)


class Calendar:
    """The plans of a keyspace. `on_earlier(at_ms)` is called when the first moment comes sooner."""

    def __init__(self, keyspace: Keyspace) -> None:
        self._keyspace = keyspace
        self._heap: list[tuple[int, int, Plan]] = []
        self._next_order = 0
        self._stale = 0
        self._sweep_at = _FEW
        self.on_earlier: Callable[[int], None] | None = None

    def manage(self, database: Database, key: bytes, stream: Stream) -> None:
        """The stream of a key has settings, new ones perhaps: look at it at once."""
        plan: Plan | None = stream.plan
        if plan is None:
            self._next_order += 1
            plan = stream.plan = Plan(self, self._next_order)
        plan.values = database.values
        plan.key = key
        self.move(plan, 0)

    def added(self, database: Database, key: bytes, stream: Stream) -> None:
        """A database got this stream under this key."""
        if stream.plan is not None or stream.has_settings():
            self.manage(database, key, stream)

    def stream_of(self, plan: Plan) -> Stream | None:
        """The plan's stream, if it is still where the plan knows it."""
        value = plan.values.get(plan.key)
        return value if isinstance(value, Stream) and value.plan is plan else None

    def place_of(self, plan: Plan) -> Database | None:
        """The database that has the plan's stream, under the plan's key; None if none has."""
        if self.stream_of(plan) is not None:
            for database in self._keyspace.databases:
                if database.values is plan.values:
                    return database
        return None

    def move(self, plan: Plan, at_ms: int) -> None:
        """Set a plan's moment, NEVER for none."""
        if at_ms == plan.at_ms:
            return
        if plan.at_ms != NEVER:
            self._stale += 1
        plan.at_ms = at_ms
        if self._stale > 64 and 2 * self._stale > len(self._heap):
            live = {p.order: (at, order, p) for at, order, p in self._heap if p.at_ms == at}
            live.pop(plan.order, None)
            self._heap = list(live.values())
            heapq.heapify(self._heap)
            self._stale = 0
        if at_ms != NEVER:
            earlier = not self._heap or at_ms < self._heap[0][0]
            heapq.heappush(self._heap, (at_ms, plan.order, plan))
            if len(self._heap) > self._sweep_at:
                self._sweep()
            if earlier and self.on_earlier is not None:
                self.on_earlier(at_ms)

    def _sweep(self) -> None:
        """Forget the moments of streams that are gone, each time that there are twice as many."""
        live = {}
        for at, order, plan in self._heap:
            if plan.at_ms != at:
                continue
            if self.stream_of(plan) is None:
                plan.at_ms = NEVER
            else:
                live[order] = (at, order, plan)
        self._heap = list(live.values())
        heapq.heapify(self._heap)
        self._stale = 0
        self._sweep_at = max(_FEW, 2 * len(self._heap))

    def next_ms(self) -> int:
        """The first moment, NEVER if there is none."""
        while self._heap:
            at, _, plan = self._heap[0]
            if plan.at_ms == at:
                return at
            heapq.heappop(self._heap)
            self._stale -= 1
        return NEVER

    def take_due(self, now_ms: int) -> Plan | None:
        """Take the first plan whose moment has come; it has none then, until it is moved."""
        if self.next_ms() > now_ms:
            return None
        _, _, plan = heapq.heappop(self._heap)
        plan.at_ms = NEVER
        return plan
