"""What a group with settings knows of its pending entries beside Redis's: when each is due again.

PendingEntries (pending.py) calls `owned`, `released` and `removed` whenever an entry's owner, time
or count changes, whatever command did it; so the orders here always agree with it. An entry is in
one of two orders, or in none while it is not due by itself:

    due         it will be delivered again at its time
    exhausted   it has been delivered as often as it may: at its time it is a dead letter

Nothing here knows the stream, a clock or a connection: `holder` is the number of the connection
that the command comes from, 0 while nobody's (in recovery).
"""

from __future__ import annotations

from headwater.streams.due import DueOrder
from headwater.streams.held import Held
from headwater.streams.lanes import Lanes
from headwater.streams.settings import FATAL_COUNT, LEASE_CONNECTION, NEVER_MS, GroupSettings

_NEVER_MS = NEVER_MS  # the same as C numbers
_LEASE_CONNECTION = LEASE_CONNECTION
_FATAL = FATAL_COUNT


class Redelivery:
    """The entries of one group by due time. Handles are those of its PendingEntries.

    holder: the connection that takes entries now. held: which connection each entry was taken over
    that is not due while it lives (only with LEASE connection). lanes: what ORDERBY needs
    (lanes.py), None without it.

    The others are the business of commands, gone with a restart. signalled_ms: readers know of
    what was due until then. retry_ms: no dead letter is made before, since it could not be made at
    complained_ms. full: GROUPMAXPENDING kept entries from a reader. parked: owners at their limit
    whose readers wait aside (keyspace/waiters.py), or None; freed: those of them that have less
    pending now.
    """

    __slots__ = (
        "complained_ms",
        "due",
        "exhausted",
        "freed",
        "full",
        "held",
        "holder",
        "lanes",
        "parked",
        "retry_ms",
        "settings",
        "signalled_ms",
    )

    def __init__(self, settings: GroupSettings) -> None:
        self.settings = settings
        self.due = DueOrder()
        self.exhausted = DueOrder()
        self.holder = 0
        self.held = Held()
        self.lanes: Lanes | None = None
        self.signalled_ms = -1
        self.retry_ms = 0
        self.complained_ms = 0
        self.full = False
        self.parked: dict[int, int] | None = None
        self.freed: list[int] = []

    # --- told by PendingEntries ---

    def owned(self, handle: int, time_ms: int, count: int) -> None:
        """An entry has an owner, was delivered then for the count-th time."""
        settings = self.settings
        self._forget(handle)
        if settings.lease == _LEASE_CONNECTION:
            if self.holder != 0:
                self.held.take(handle, self.holder)
            else:
                # Nobody's connection lives: it is due at once.
                self._put(handle, time_ms, count)
        else:
            wait_ms = settings.wait_ms(count)
            if wait_ms != _NEVER_MS:
                due_ms = time_ms + wait_ms
                if due_ms <= self.signalled_ms:
                    self.signalled_ms = due_ms - 1  # claimed with an earlier time
                self._put(handle, due_ms, count)

    def released(self, handle: int, count: int, due_ms: int) -> None:
        """An entry has no owner any more; it is due then, 0: before all others."""
        self._forget(handle)
        self._put(handle, due_ms, count)

    def lapse(self, handle: int, time_ms: int, count: int) -> None:
        """The connection that an entry was taken over has ended: it is due since its delivery."""
        self._forget(handle)
        self._put(handle, time_ms, count)
        self.signalled_ms = -1  # it is due earlier than what readers know of

    def removed(self, handle: int) -> None:
        """An entry is pending no more."""
        self._forget(handle)
        if self.lanes is not None:
            self.lanes.left(handle)

    def left_owner(self, owner: int) -> None:
        """An owner has an entry less."""
        if self.parked is not None and owner in self.parked:
            del self.parked[owner]
            self.freed.append(owner)

    def clear(self) -> None:
        """Nothing is pending any more."""
        if self.parked is not None:
            self.freed.extend(self.parked)
            self.parked = None
        self.due.clear()
        self.exhausted.clear()
        self.held.clear()
        if self.lanes is not None:
            self.lanes.all_left()

    # --- asked by those who deliver ---

    def holder_of(self, handle: int) -> int:
        """The connection that an entry is leased to, 0: none."""
        return self.held.holder_of(handle)

    def next_ms(self) -> int:
        """When the first entry is due or a dead letter, NEVER_MS if none will be."""
        at = _NEVER_MS
        if self.due.length != 0:
            at = self.due.first_ms()
        if self.exhausted.length != 0 and self.exhausted.first_ms() < at:
            at = self.exhausted.first_ms()
        return at

    def moment(self) -> int:
        """When there is something to be done next: dead letters, or readers to be told."""
        at = _NEVER_MS
        if self.due.length != 0:
            at = self.due.first_ms()
            if at <= self.signalled_ms:
                at = _NEVER_MS
        if self.exhausted.length != 0:
            dead_ms = self.exhausted.first_ms()
            if dead_ms < self.retry_ms:
                dead_ms = self.retry_ms
            if dead_ms < at:
                at = dead_ms
        return at

    def deferred_ms(self, handle: int) -> int:
        """The time that XNACK has set for an entry that nobody owns, 0: none."""
        if self.due.has(handle):
            return self.due.due_ms(handle)
        if self.exhausted.length != 0 and self.exhausted.has(handle):
            return self.exhausted.due_ms(handle)
        return 0

    def _put(self, handle: int, due_ms: int, count: int) -> None:
        if self.settings.is_last(count):
            self.exhausted.put(handle, due_ms)
        elif count >= _FATAL:
            pass  # as Redis keeps it: for whoever claims it
        else:
            self.due.put(handle, due_ms)

    def _forget(self, handle: int) -> None:
        if not self.due.remove(handle) and self.exhausted.length != 0:
            self.exhausted.remove(handle)
        if self.held.length != 0:
            self.held.drop(handle)

    # --- the whole ---

    def copy(self) -> Redelivery:
        """The same orders for a copy of the pending entries; what is held is in none of them."""
        twin = Redelivery(self.settings)
        twin.due = self.due.copy()
        twin.exhausted = self.exhausted.copy()
        return twin

    def memory_usage(self) -> int:
        """Bytes of memory, objects included by fixed allowances."""
        total = 300 + self.due.memory_usage() + self.exhausted.memory_usage()
        if self.lanes is not None:
            total += self.lanes.memory_usage()
        return total + self.held.memory_usage()
