"""Idempotent production: which entry each (producer, idempotent ID) of a stream stands for.

A producer that sends an entry again gets the ID of the first one instead of a second entry. An
idempotent ID is remembered for `duration_s` seconds, and the latest `maxsize` ones of each
producer are, whichever ends first; it is remembered too when its entry is deleted (as Redis 8.10).

Times are unix ms, and arguments. An ID is forgotten that long after it was recorded; Redis
counts from the time in the entry's ID, and so never forgets one that lies ahead of the clock.

Guarantees: no ID is found once its time is over, whether its memory is freed yet or not; what
is over is freed bit by bit by each `record`, at once by `tracked` and `producer_count`.
"""

from __future__ import annotations

from collections import deque
from hashlib import blake2b
from typing import Any

from headwater.resp.request import Request

MIN_DURATION_S = 1
MAX_DURATION_S = 86400
MIN_MAXSIZE = 1
MAX_MAXSIZE = 10000

_REMEMBERED_BYTES = 150
"""One remembered ID with its places in a dict and two queues, its bytes not counted."""
_PRODUCER_BYTES = 200
_COMPACT_AT = 64
MAX_COUNT = 2**63 - 1
_FORGET_AT_ONCE = 64
"""A window of a million IDs may run out all at once; no single XADD pays for that."""


def content_iid(request: Request, arg: int, fields: int) -> bytes:
    """The idempotent ID of an entry's content (IDMPAUTO): 16 bytes.

    The fields and values are the arguments from `arg` on. Pairs in another order are the same
    content (as Redis); a pair more often is not.
    """
    pairs = []
    for i in range(arg, arg + 2 * fields, 2):
        field, value = request.arg(i), request.arg(i + 1)
        pairs.append(b"%d %d " % (len(field), len(value)) + field + value)
    pairs.sort()
    return blake2b(b"".join(pairs), digest_size=16).digest()


class Remembered:
    """One idempotent ID, the entry's ID, and when it was recorded."""

    __slots__ = ("forgotten", "iid", "ms", "pid", "seq", "time_ms")

    def __init__(self, pid: bytes, iid: bytes, ms: int, seq: int, time_ms: int) -> None:
        self.pid = pid
        self.iid = iid
        self.ms = ms
        self.seq = seq
        self.time_ms = time_ms
        self.forgotten = False


class Producer:
    """What one producer sent, by idempotent ID, in order of recording.

    `order` is made when the oldest must be found for the first time (a dict would look for it
    among all it ever held); it may hold forgotten ones, `by_iid` never does.
    """

    __slots__ = ("by_iid", "order")

    def __init__(self) -> None:
        self.by_iid: dict[bytes, Remembered] = {}
        self.order: deque[Remembered] | None = None

    def oldest(self) -> Remembered:
        """Take the oldest out of `order`; there is one."""
        if self.order is None:
            self.order = deque(self.by_iid.values())
        while True:
            entry = self.order.popleft()
            if not entry.forgotten:
                return entry


class Idmp:
    """The window of one stream.

    added: entries ever added with an idempotent ID. duplicates: how often one was sent again.
    """

    __slots__ = (
        "added",
        "count",
        "duplicates",
        "duration_s",
        "maxsize",
        "newest_ms",
        "order",
        "producers",
    )

    def __init__(self, duration_s: int, maxsize: int) -> None:
        self.duration_s = duration_s
        self.maxsize = maxsize
        self.added = 0
        self.duplicates = 0
        self.count = 0  # IDs that are not forgotten
        self.newest_ms = 0  # time of the last one recorded
        self.producers: dict[bytes, Producer] = {}
        self.order: deque[Remembered] = deque()  # of all producers, forgotten ones included

    def lookup(self, pid: bytes, iid: bytes, now_ms: int) -> tuple[bool, int, int]:
        """The ID of the entry that a producer's idempotent ID stands for: (found, ms, seq).

        Changes nothing: the caller counts a duplicate in `duplicates`.
        """
        producer = self.producers.get(pid)
        if producer is None:
            return False, 0, 0
        found = producer.by_iid.get(iid)
        if found is None or found.time_ms + 1000 * self.duration_s <= now_ms:
            return False, 0, 0
        return True, found.ms, found.seq

    def record(self, pid: bytes, iid: bytes, ms: int, seq: int, time_ms: int) -> None:
        """Remember that an idempotent ID stands for an entry, instead of any other so far.

        Calls come in order of time; one that is before the last one's counts as that one's.
        `pid` and `iid` are kept: they must not be parts of a buffer.
        """
        if time_ms < self.newest_ms:
            time_ms = self.newest_ms
        self.newest_ms = time_ms
        self.forget_expired(time_ms, _FORGET_AT_ONCE)
        producer = self.producers.get(pid)
        if producer is None:
            producer = Producer()
            self.producers[pid] = producer
        else:
            old = producer.by_iid.get(iid)
            if old is not None:
                self._forget(producer, old)
            elif len(producer.by_iid) >= self.maxsize:
                self._forget(producer, producer.oldest())
        entry = Remembered(pid, iid, ms, seq, time_ms)
        producer.by_iid[iid] = entry
        if producer.order is not None:
            producer.order.append(entry)
        self.order.append(entry)
        self.count += 1
        if len(self.order) > _COMPACT_AT and len(self.order) > 2 * self.count:
            self._compact()

    def _forget(self, producer: Producer, entry: Remembered) -> None:
        """Take an ID out; the queues drop it later."""
        del producer.by_iid[entry.iid]
        entry.forgotten = True
        self.count -= 1

    def forget_expired(self, now_ms: int, limit: int = MAX_COUNT) -> None:
        """Free the IDs whose time is over, at most `limit` of them."""
        until_ms = now_ms - 1000 * self.duration_s
        order = self.order
        while order and limit > 0:
            limit -= 1
            entry = order[0]
            if not entry.forgotten and entry.time_ms > until_ms:
                return
            order.popleft()
            producer = self.producers.get(entry.pid)
            if producer is None:
                continue
            if not entry.forgotten:
                self._forget(producer, entry)
                if not producer.by_iid:
                    del self.producers[entry.pid]
                    continue
            if producer.order is not None:
                while producer.order[0].forgotten:
                    producer.order.popleft()

    def _compact(self) -> None:
        """Drop the forgotten IDs from the queues."""
        self.order = deque(_living(self.order))
        for producer in self.producers.values():
            if producer.order is not None:
                producer.order = deque(_living(producer.order))

    def configure(self, duration_s: int, maxsize: int) -> list[Any]:
        """Set the window; a change of either forgets all IDs, not the statistics (as Redis).

        Returns the parts of what was forgotten.
        """
        if duration_s == self.duration_s and maxsize == self.maxsize:
            return []
        forgotten = self.parts()
        self.duration_s = duration_s
        self.maxsize = maxsize
        self.producers = {}
        self.order = deque()
        self.count = 0
        self.newest_ms = 0
        return forgotten

    def parts(self) -> list[Any]:
        """What is big about a window that nobody uses any more, as Value.parts."""
        return [self.order, self.producers]

    def tracked(self, now_ms: int) -> int:
        """How many idempotent IDs are remembered."""
        self.forget_expired(now_ms)
        return self.count

    def producer_count(self, now_ms: int) -> int:
        """How many producers have remembered IDs."""
        self.forget_expired(now_ms)
        return len(self.producers)

    def remembered(self) -> list[Remembered]:
        """What is not forgotten, in order of recording: `record` of each rebuilds the window."""
        return _living(self.order)

    def copy(self) -> Idmp:
        """An independent window with the same IDs and statistics."""
        other = Idmp(self.duration_s, self.maxsize)
        for entry in _living(self.order):
            other.record(entry.pid, entry.iid, entry.ms, entry.seq, entry.time_ms)
        other.added = self.added
        other.duplicates = self.duplicates
        return other

    def memory_usage(self) -> int:
        """About how many bytes of memory the window takes."""
        total = 200
        for pid, producer in self.producers.items():
            total += _PRODUCER_BYTES + len(pid)
            for iid in producer.by_iid:
                total += _REMEMBERED_BYTES + len(iid)
        return total

    def check(self) -> None:
        """Verify every invariant; for tests. Raises AssertionError."""
        living = _living(self.order)
        assert len(living) == self.count == sum(len(p.by_iid) for p in self.producers.values())
        assert len(self.order) <= max(_COMPACT_AT, 2 * self.count) + 1
        times = [entry.time_ms for entry in self.order]
        assert times == sorted(times)
        for pid, producer in self.producers.items():
            assert 0 < len(producer.by_iid) <= self.maxsize
            mine = [entry for entry in living if entry.pid == pid]
            assert list(producer.by_iid.values()) == mine
            if producer.order is not None:
                assert _living(producer.order) == mine
            for entry in mine:
                assert producer.by_iid[entry.iid] is entry


def _living(order: deque[Remembered]) -> list[Remembered]:
    """What a queue holds and is not forgotten."""
    return [entry for entry in order if not entry.forgotten]
