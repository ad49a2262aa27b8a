"""`maxmemory`: how near the server is to it, and what is done about that.

What is in use is measured (used_memory.py), which is dear, so between two measurements a bound is
kept of what was added: twice the bytes of the requests and CHANGE_BYTES for each change. While that
is less than the room that was left, nothing is asked. So close to the limit it is measured more
often, but not before SLACK_SHARE of the limit may have been added: the limit is passed by no more
than that. Where a request of a few bytes can make much (SETRANGE far behind the end, scripts), the
pages of the process are looked at before it; so they are 10 times a second.

Without `maxmemory` all of this is one look at `limit` for each request.
"""

from __future__ import annotations

from collections.abc import Callable

from headwater.commands.eviction import NO_EVICTION, Evictor
from headwater.commands.flags import DENYOOM
from headwater.commands.table import Command
from headwater.commands.used_memory import allocated_bytes, page_bytes
from headwater.keyspace.database import Keyspace
from headwater.raw import monotonic_us
from headwater.resp.request import Request

CHANGE_BYTES = 512
_CHANGE_BYTES = CHANGE_BYTES  # the same as a C number
SLACK_SHARE = 64
SLACK_BYTES = 64 * 1024  # at least

SNAPSHOT_SHARE = 8
"""While a snapshot is written and nothing can be evicted, so much more of the limit may be used."""

EVICT_US = 500
"""Evicting takes no longer before a request, as Redis's with its usual settings."""

_ASK_EVERY = 64  # requests
_SHORTEST_US = 10_000  # between measurements while the limit is passed
_CLEAN_US = 2000
_CLEAN_UNITS = 32
_SHARE = 10  # measuring takes one part in so many of the time, at most
_IDLE_SHARE = 100
_IDLE_US = 1_000_000
_MULTIPLY = frozenset(
    (b"setrange", b"copy", b"restore", b"exec", b"eval", b"evalsha", b"fcall", b"function|restore")
)  # commands that make much of few bytes


class MemoryLimit:
    """Keeps the memory in use below `limit` bytes (0: there is no limit).

    used: bytes in use, when that was measured last. over: the limit is passed, and nothing more
    can be evicted.
    """

    __slots__ = (
        "_asked",
        "_bytes",
        "_changes",
        "_cost_us",
        "_dirty",
        "_measure",
        "_measured_us",
        "_pages",
        "_resident",
        "_room",
        "_to_free",
        "evictor",
        "keyspace",
        "limit",
        "over",
        "used",
    )

    def __init__(
        self,
        keyspace: Keyspace,
        measure: Callable[[], int] = allocated_bytes,
        pages: Callable[[], int] = page_bytes,
    ) -> None:
        self.keyspace = keyspace
        self.evictor = Evictor(keyspace)
        self.limit = 0
        self.over = False
        self.used = 0
        self._measure = measure
        self._pages = pages
        self._resident = 0
        self._room = 0
        self._to_free = 0
        self._bytes = 0
        self._changes = 0
        self._dirty = 0
        self._asked = 0
        self._cost_us = 0
        self._measured_us = 0

    def configure(self, limit: int, policy: str, samples: int) -> None:
        """Take over settings, which count at once."""
        was_limited = self.limit != 0
        self.limit = limit
        self.evictor.set_policy(policy, samples)
        if limit or was_limited:
            self.measure()

    def about_to_run(self, command: Command, request: Request) -> bool:
        """A request is next; whether the limit is passed. Evicts what must go."""
        multiplies = False
        if command.flags & DENYOOM:
            if request.argc:
                last = request.argc - 1
                self._bytes += request.start(last) + request.length(last) - request.start(0)
            multiplies = command.name in _MULTIPLY
        elif command.name in _MULTIPLY:
            multiplies = True
        else:
            return self.over
        if self._to_free > 0:
            self._evict()
        self._asked += 1
        if multiplies or self._added() > self._room or self._asked % _ASK_EVERY == 0:
            self._look()
        return self.over

    def has_room(self) -> bool:
        """Whether the server may add something by itself; evicts what must go."""
        if self.limit == 0:
            return True
        if self._to_free > 0:
            self._evict()
        self._look()
        return not self.over

    def tick(self) -> None:
        """What is to be done ten times a second."""
        if self.limit == 0:
            return
        passed_us = monotonic_us() - self._measured_us
        if self.over or self._to_free > 0:
            if passed_us >= _SHARE * self._cost_us:
                self.measure()
        elif passed_us >= max(_IDLE_US, _IDLE_SHARE * self._cost_us) and self._added() > 0:
            self.measure()
        else:
            self._look()

    def estimate(self) -> int:
        """About how much is in use now, at next to no cost."""
        return self.used + max(0, self._pages() - self._resident)

    def report(self) -> int:
        """How much is in use, measured if that was not just now."""
        if monotonic_us() - self._measured_us >= max(_SHORTEST_US, 2 * _SHARE * self._cost_us):
            self.measure()
        return self.used

    def measure(self) -> None:
        """Measure what is in use, and evict if that is too much."""
        start_us = monotonic_us()
        if self.limit and self.keyspace.graveyard:
            while self.keyspace.free_some(_CLEAN_UNITS):
                if monotonic_us() - start_us >= _CLEAN_US:
                    break
            start_us = monotonic_us()
        self.used = self._measure()
        self._measured_us = monotonic_us()
        self._cost_us = self._measured_us - start_us
        self._resident = self._pages()
        self._bytes = 0
        self._changes = self._dirty = self.keyspace.dirty
        self._to_free = 0
        slack = self._slack()
        excess = self.used - self.limit
        self._room = max(-excess, slack)
        if self.limit == 0 or excess <= 0:
            self.over = False
        elif self.evictor.policy == NO_EVICTION:
            self.over = True
        else:
            self._to_free = excess + slack
            self._evict()

    def _slack(self) -> int:
        return max(self.limit // SLACK_SHARE, SLACK_BYTES)

    def _added(self) -> int:
        """No less than what was added since the last measurement, in most cases."""
        dirty = self.keyspace.dirty
        if dirty < self._dirty:  # set back by a snapshot
            self._changes -= self._dirty - dirty
        self._dirty = dirty
        return 2 * self._bytes + _CHANGE_BYTES * (dirty - self._changes)

    def _look(self) -> None:
        """Measure if the limit may be passed, or may no longer be."""
        if self.over and monotonic_us() - self._measured_us < max(
            _SHORTEST_US, _SHARE * self._cost_us
        ):
            return
        if self.over or self._added() > self._room or self.estimate() > self.limit + self._slack():
            self.measure()

    def _evict(self) -> None:
        freed = self.evictor.free(self._to_free, EVICT_US)
        self._to_free -= freed
        self.used -= freed
        limit = self.limit
        if self.keyspace.has_cut():
            # What is changed meanwhile is there twice, and soon no more.
            limit += limit // SNAPSHOT_SHARE
        self.over = self.evictor.exhausted and self.used > limit
        if self.evictor.exhausted:
            self._to_free = 0
