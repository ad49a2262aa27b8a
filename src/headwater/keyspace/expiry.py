"""When keys expire: a wheel of buckets, so that active expiry finds what is due and nothing else.

Each key with an expiry is listed in one bucket of its database's wheel. Buckets of level 0 cover
128 ms, those of each further level 256 times as much; a key goes to the finest level on which
its bucket is less than 256 buckets away. A bucket of level 0 is due when it has passed: its keys
are expired. One of a higher level is due when it begins: its keys move to finer ones. So there
are a few hundred buckets however many keys there are, a key costs one reference, and it is moved
a few times in its life at most.

A key whose time to live is extended stays where it is until that bucket is due: extending it
again and again costs nothing. The value knows its bucket and its place there, so that any other
change takes it out at once: nothing is left behind by keys that never live to expire.

The wheel compares times only with the `now_ms` it is given; a clock that is set back or forward
delays or hastens, and loses nothing.
"""

from __future__ import annotations

from heapq import heappop, heappush
from random import Random

from headwater.value import Value

FINEST_BITS = 7
LEVEL_BITS = 8
LAST_LEVEL = 6  # at 2**55 ms a bucket, everything is less than 256 away
NEVER = (1 << 63) - 1


def bucket_code(at_ms: int, now_ms: int) -> int:
    """The bucket for a key that expires at `at_ms`: its number and, in 3 bits, its level."""
    level = 0
    shift = FINEST_BITS
    while level < LAST_LEVEL and (at_ms >> shift) - (now_ms >> shift) >= 1 << LEVEL_BITS:
        level += 1
        shift += LEVEL_BITS
    return (at_ms >> shift) << 3 | level


def bucket_due(code: int) -> int:
    """The unix time in ms from which a bucket is to be worked on."""
    level = code & 7
    number = code >> 3
    if level == 0:
        return (number << FINEST_BITS) + (1 << FINEST_BITS) - 1
    return number << (FINEST_BITS + level * LEVEL_BITS)


class ExpiryWheel:
    """The keys of one database that have an expiry. `count` is how many these are."""

    __slots__ = ("_heap", "_next_due", "buckets", "count", "values")

    def __init__(self, values: dict[bytes, Value]) -> None:
        self.values = values
        self.buckets: dict[int, list[bytes]] = {}
        self.count = 0
        self._heap: list[tuple[int, int]] = []  # (due, code) of each bucket
        self._next_due = NEVER

    def next_due_ms(self) -> int:
        """When there is work to do; NEVER if nothing expires."""
        return self._next_due

    def schedule(self, key: bytes, value: Value, now_ms: int) -> None:
        """List the key under its value's `expire_at`, which is not 0, however it was before."""
        code = bucket_code(value.expire_at, now_ms)
        if value.wheel >= 0:
            if bucket_due(value.wheel) <= bucket_due(code):
                return
            self.cancel(value)
        keys = self.buckets.get(code)
        if keys is None:
            keys = []
            self.buckets[code] = keys
            due = bucket_due(code)
            heappush(self._heap, (due, code))
            if due < self._next_due:
                self._next_due = due
        value.wheel = code
        value.slot = len(keys)
        keys.append(key)
        self.count += 1

    def cancel(self, value: Value) -> None:
        """List the value's key no more. The last key of its bucket takes its place."""
        if value.wheel < 0:
            return
        keys = self.buckets[value.wheel]
        last = keys.pop()
        if value.slot < len(keys):
            keys[value.slot] = last
            other = self.values[last]
            other.slot = value.slot
        value.wheel = -1
        self.count -= 1

    def random_key(self, rng: Random) -> bytes | None:
        """A key chosen at random, each as likely as any other; None if there is none."""
        if self.count == 0:
            return None
        place = rng.randrange(self.count)
        for keys in self.buckets.values():
            if place < len(keys):
                return keys[place]
            place -= len(keys)
        return None

    def take_due(self, now_ms: int, limit: int) -> list[bytes]:
        """Take up to `limit` keys out of due buckets and return those that are expired.

        The others are listed again where they belong. There is more to do while
        `next_due_ms() <= now_ms`.
        """
        expired: list[bytes] = []
        while self._next_due <= now_ms and limit > 0:
            _, code = self._heap[0]
            keys = self.buckets[code]
            while keys and limit > 0:
                limit -= 1
                key = keys.pop()
                value = self.values[key]
                value.wheel = -1
                self.count -= 1
                if value.expire_at <= now_ms:
                    expired.append(key)
                else:
                    self.schedule(key, value, now_ms)
            if not keys:
                heappop(self._heap)
                del self.buckets[code]
                self._set_next_due()
        return expired

    def _set_next_due(self) -> None:
        self._next_due = NEVER
        if self._heap:
            due, _ = self._heap[0]
            self._next_due = due
