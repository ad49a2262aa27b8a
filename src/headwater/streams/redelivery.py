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

from typing import Any

from headwater.raw import get_u32, put_u32
from headwater.streams.due import DueOrder
from headwater.streams.settings import LEASE_CONNECTION, NEVER_MS, GroupSettings

_NEVER_MS = NEVER_MS  # the same as C numbers
_LEASE_CONNECTION = LEASE_CONNECTION


class Redelivery:
    """The entries of one group by due time. Handles are those of its PendingEntries.

    holder: the connection that takes entries now. holders: u32 for each handle, the connection it
    was taken over, 0: none (only with LEASE connection). lanes: what ORDERBY needs (lanes.py), None
    without it.
    """

    __slots__ = ("due", "exhausted", "holder", "holders", "lanes", "settings")

    def __init__(self, settings: GroupSettings) -> None:
        self.settings = settings
        self.due = DueOrder()
        self.exhausted = DueOrder()
        self.holder = 0
        self.holders = bytearray()
        self.lanes: Any = None

    # --- told by PendingEntries ---

    def owned(self, handle: int, time_ms: int, count: int) -> None:
        """An entry has an owner, was delivered then for the count-th time."""
        settings = self.settings
        self._forget(handle)
        if settings.lease == _LEASE_CONNECTION:
            if self.holder != 0:
                self._hold(handle, self.holder)
            else:
                # Nobody's connection lives: it is due at once.
                self._put(handle, time_ms, count)
        else:
            wait_ms = settings.wait_ms(count)
            if wait_ms != _NEVER_MS:
                self._put(handle, time_ms + wait_ms, count)

    def released(self, handle: int, count: int, due_ms: int) -> None:
        """An entry has no owner any more; it is due then, 0: before all others."""
        self._forget(handle)
        self._put(handle, due_ms, count)

    def removed(self, handle: int) -> None:
        """An entry is pending no more."""
        self._forget(handle)

    def clear(self) -> None:
        """Nothing is pending any more."""
        self.due.clear()
        self.exhausted.clear()
        self.holders = bytearray()

    # --- asked by those who deliver ---

    def holder_of(self, handle: int) -> int:
        """The connection that an entry is leased to, 0: none."""
        return get_u32(self.holders, 4 * handle) if 4 * handle < len(self.holders) else 0

    def next_ms(self) -> int:
        """When the first entry is due or a dead letter, NEVER_MS if none will be."""
        at = _NEVER_MS
        if self.due.length != 0:
            at = self.due.first_ms()
        if self.exhausted.length != 0 and self.exhausted.first_ms() < at:
            at = self.exhausted.first_ms()
        return at

    def _put(self, handle: int, due_ms: int, count: int) -> None:
        if 0 < self.settings.max_deliveries <= count:
            self.exhausted.put(handle, due_ms)
        else:
            self.due.put(handle, due_ms)

    def _forget(self, handle: int) -> None:
        if not self.due.remove(handle) and self.exhausted.length != 0:
            self.exhausted.remove(handle)
        if 4 * handle < len(self.holders):
            put_u32(self.holders, 4 * handle, 0)

    def _hold(self, handle: int, holder: int) -> None:
        if 4 * handle >= len(self.holders):
            self.holders.extend(bytes(max(64, 8 * handle + 4 - len(self.holders))))
        put_u32(self.holders, 4 * handle, holder)

    # --- the whole ---

    def memory_usage(self) -> int:
        """Bytes of memory, objects included by fixed allowances."""
        total = 300 + self.due.memory_usage() + self.exhausted.memory_usage() + len(self.holders)
        return total
