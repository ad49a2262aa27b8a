"""What groups remember so as not to search: where they stand, and which entries have no data."""

from __future__ import annotations

import random

from headwater.commands.claims import Scan
from headwater.resp.reply import Reply
from headwater.resp.request import from_words
from headwater.streams.delivery import EntryFinder, claimable_at, deliver, first_with_data
from headwater.streams.group import Group
from headwater.streams.ids import MAX
from headwater.streams.pending import PendingEntries
from headwater.streams.stream import Stream
from headwater.streams.trim import ACKED, DELREF, KEEPREF, MAXLEN, Trim

ENTRY = from_words([b"XADD", b"s", b"*", b"f", b"v"])


class Life:
    """A stream with one group, changed at random; what is there is known to a plain model."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.stream = Stream()
        self.group = Group(b"g", 0, 0, 0)
        self.group.note_intact(0, 0, 0, MAX, MAX)
        self.stream.groups = {b"g": self.group}
        self.consumers = [self.group.create_consumer(name, 1) for name in (b"ann", b"bob")]
        self.entries: list[int] = []  # the ms of each
        self.next_ms = 1
        self.now_ms = 1000

    def add(self) -> None:
        for _ in range(self.random.randrange(1, 40)):
            self.stream.append(self.next_ms, 0, ENTRY, 3, 1, 7, 4096)
            self.entries.append(self.next_ms)
            self.next_ms += self.random.randrange(1, 3)

    def delete(self) -> None:
        for _ in range(self.random.randrange(1, 6)):
            if self.entries:
                ms = self.random.choice(self.entries)
                assert self.stream.delete(ms, 0)
                self.entries.remove(ms)

    def trim(self) -> None:
        if not self.entries:
            return
        trim = Trim()
        trim.by = MAXLEN
        trim.maxlen = len(self.entries) - self.random.randrange(0, 1 + len(self.entries) // 3)
        trim.references = self.random.choice([KEEPREF, KEEPREF, DELREF, ACKED])
        trim.apply(self.stream)
        self.entries = [ms for ms in self.entries if self.stream.contains(ms, 0)]

    def go_back(self) -> None:
        """XSETID of a stream that was emptied: IDs come again, some of them still pending."""
        if self.random.random() < 0.3:
            trim = Trim()
            trim.by = MAXLEN
            trim.apply(self.stream)
            self.entries = []
            ms = self.random.randrange(0, self.next_ms)
            self.stream.set_last_id(ms, 0)
            self.next_ms = ms + 1

    def set_position(self) -> None:
        ms = self.random.randrange(0, self.next_ms + 2)
        self.group.set_position(ms, self.random.choice([0, 0, 5]), -1)

    def read(self) -> None:
        self.now_ms += self.random.randrange(0, 3)
        group = self.group
        consumer = self.random.choice(self.consumers)
        count = self.random.choice([-1, 1, 1, 2, 3, 8, 50])
        noack = self.random.random() < 0.2
        last = (group.last_ms, group.last_seq)
        behind = [ms for ms in self.entries if (ms, 0) > last]
        expected = behind if count < 0 else behind[:count]
        reply = Reply()
        got, size = deliver(self.stream, group, consumer, self.now_ms, count, -1, noack, reply)
        assert got == len(expected)
        if expected:
            data = reply.take()
            assert data.startswith(b"*%d\r\n" % len(expected))
            assert size == len(data) - len(b"*%d\r\n" % len(expected))
            at = 0
            for ms in expected:
                at = data.index(b"\r\n%d-0\r\n" % ms, at) + 1
            assert (group.last_ms, group.last_seq) == (expected[len(expected) - 1], 0)

    def acknowledge(self) -> None:
        pending = self.group.pending
        handles = pending.handles_from(0, 0, 1000)
        self.random.shuffle(handles)
        for handle in handles[: self.random.randrange(0, 1 + len(handles) // 2)]:
            assert pending.acknowledge(pending.records.ms(handle), 0)

    def move(self) -> None:
        """A claim with a time of its own, or a nack."""
        pending = self.group.pending
        handles = pending.handles_from(0, 0, 1000)
        for _ in range(self.random.randrange(0, 4)):
            if handles:
                handle = self.random.choice(handles)
                if self.random.random() < 0.3:
                    pending.assign(handle, 0, 0, 1)
                else:
                    owner = self.random.choice(self.consumers).number
                    pending.assign(handle, owner, self.now_ms - self.random.randrange(0, 20), 2)

    def check_orphans(self) -> None:
        """What is passed over has no data, and the first that has some is found."""
        pending = self.group.pending
        records = pending.records
        with_data = set(self.entries)
        handle = pending.oldest
        while handle != 0 and records.ms(handle) not in with_data:
            handle = records.behind(handle)
        assert first_with_data(pending, EntryFinder(self.stream)) == handle
        at = claimable_at(self.stream, self.group, 10)
        assert at == (-1 if handle == 0 else records.time(handle) + 10)
        pending.check()

    def check_scan(self) -> None:
        """XAUTOCLAIM finds the same whether it knows what has data or looks at each."""
        start = self.random.choice([0, 0, self.random.randrange(0, self.next_ms)])
        count = self.random.choice([1, 2, 5, 100])
        min_idle_ms = self.random.choice([0, 1, 5, 1000, 1000, 1000])
        now_ms = self.now_ms + self.random.randrange(0, 8)
        plain = self.group.copy()
        assert plain.intact_holes == -1
        found = []
        for group in (self.group, plain):
            scan = Scan(self.stream, group, start, 0)
            consumer = group.consumers[b"ann"]
            scan.run(consumer, now_ms, min_idle_ms, count, False)
            claimed = [group.pending.records.ms(handle) for handle in scan.claimed]
            found.append((scan.ms, scan.seq, claimed, scan.deleted))
        assert found[0] == found[1]


def test_lives() -> None:
    for seed in range(80):
        life = Life(seed)
        steps = [
            life.add, life.add, life.delete, life.trim, life.set_position, life.read, life.read,
            life.read, life.acknowledge, life.move, life.check_orphans, life.check_scan,
            life.check_scan,
        ]  # fmt: skip
        if seed % 4 == 1:
            steps.append(life.go_back)
        if seed % 3 == 0:
            steps.remove(life.delete)
        if seed % 2 == 0:
            steps.remove(life.set_position)
        for _ in range(120):
            life.random.choice(steps)()


def test_nothing_is_looked_at_twice() -> None:
    """A scan that finds nothing idle enough goes on from what it knows; a hole ends that."""
    stream = Stream()
    for ms in range(1, 3001):
        stream.append(ms, 0, ENTRY, 3, 1, 100, 4096)
    group = Group(b"g", 0, 0, 0)
    stream.groups = {b"g": group}
    ann = group.create_consumer(b"ann", 1)
    deliver(stream, group, ann, 1000, -1, -1, False, Reply())

    def scan(ms: int) -> tuple[int, int]:
        one = Scan(stream, group, ms, 0)
        one.run(ann, 1001, 500, 100, False)
        assert not one.claimed
        assert not one.deleted
        return one.ms, one.finder.index

    # The finder stands nowhere when nothing was looked up.
    assert scan(0) == (1001, 10 - 1)
    assert scan(0) == (1001, -1)
    assert scan(1001) == (2001, 20 - 1)
    assert scan(500) == (1500, -1)
    assert scan(2001) == (0, 30 - 1)
    assert scan(2001) == (0, -1)
    assert scan(0) == (1001, -1)
    assert stream.delete(3000, 0)
    assert scan(0) == (1001, 10 - 1)


def test_handles_are_passed_over_in_order() -> None:
    pending = PendingEntries()
    owner = pending.new_owner()
    rng = random.Random(3)
    ids = sorted(rng.sample(range(1, 100_000), 5 * 512))
    for ms in ids:
        pending.deliver(ms, 0, owner, 1)
    for ms in rng.sample(ids, len(ids) // 2):
        assert pending.acknowledge(ms, 0)
        ids.remove(ms)
    pending.check()
    for _ in range(2000):
        start = rng.randrange(0, 100_100)
        end = rng.choice([start, rng.randrange(0, 100_100), MAX])
        limit = rng.choice([1, 2, 10, 1000, 10_000])
        inside = [ms for ms in ids if start <= ms < end][:limit]
        behind = [ms for ms in ids if ms >= start][len(inside) :]
        passed, handle = pending.by_id.skip(pending.records, start, 0, limit, end, 0)
        assert passed == len(inside)
        assert (pending.records.ms(handle) if handle else None) == (behind[0] if behind else None)
    assert PendingEntries().by_id.skip(pending.records, 0, 0, 5, MAX, MAX) == (0, 0)
