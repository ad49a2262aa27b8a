"""The pending entries list of a consumer group: what was delivered and not acknowledged yet.

One PendingEntries holds a group's pending entries in three orders, each without a Python
object per entry (52 bytes an entry):

- by ID, for the whole group;
- by ID, for each consumer (called an owner here, a number: consumer names are group.py's);
- by delivery time: first the nacked entries, which nobody owns, in the order they were
  released, then the owned ones, the longest idle first.

An entry is named by its handle (records.py), which stays valid until the entry is removed; 0 is
no entry. Nothing here knows the stream: an entry may be pending whose data is deleted.
"""

from __future__ import annotations

from typing import Any

from headwater.streams.handles import HandleOrder
from headwater.streams.records import Records
from headwater.streams.redelivery import Redelivery

_LOW_HALF = 0xFFFFFFFF


class PendingEntries:
    """A group's pending entries, found by ID, by owner and by idle time.

    Guarantees: every entry has one owner, or none while nacked (owner 0, delivery time 0), and
    the counts agree with the entries (invariant 4); nacked entries come before all others in the
    order by time. Handles given to methods are of entries that are pending.
    """

    __slots__ = (
        "by_id",
        "count",
        "free_owners",
        "hint",
        "nacked",
        "newest",
        "newest_nacked",
        "oldest",
        "owned",
        "passed",
        "records",
        "redelivery",
        "top_ms",
        "top_seq",
    )

    def __init__(self) -> None:
        self.records = Records()
        self.by_id = HandleOrder()
        self.count = 0  # how many entries are pending
        # The order of each owner by its number, None where a number is free; 0 is nobody.
        self.owned: list[HandleOrder | None] = [None]
        self.free_owners: list[int] = []
        self.nacked = 0  # how many entries nobody owns
        self.oldest = 0  # both ends of the order by time
        self.newest = 0
        self.newest_nacked = 0  # the last nacked entry in the order by time
        self.top_ms = 0  # no pending ID is above this one
        self.top_seq = 0
        # The last entry put between others in the order by time: the next one of a batch is next.
        self.hint = 0
        # The last one of those in the order by time, from its beginning, whose data is known to
        # be deleted (delivery.py); 0: none.
        self.passed = 0
        # Told of every change, while the group has settings.
        self.redelivery: Redelivery | None = None

    def count_of(self, owner: int) -> int:
        """Return how many entries an owner has pending."""
        return self.order_of(owner).length

    def order_of(self, owner: int) -> HandleOrder:
        """Return the order of an owner's entries; the owner must exist."""
        order = self.owned[owner]
        assert order is not None
        return order

    # --- owners ---

    def new_owner(self) -> int:
        """Return the number of a new owner; numbers of dropped owners are used again."""
        if self.free_owners:
            number = self.free_owners.pop()
            self.owned[number] = HandleOrder()
        else:
            number = len(self.owned)
            self.owned.append(HandleOrder())
        return number

    def drop_owner(self, owner: int) -> int:
        """Remove an owner with all its entries; return how many those were.

        Many entries are removed together, in one pass over the group's: one by one would take
        ten times as long.
        """
        order = self.order_of(owner)
        removed = order.length
        if removed == self.count:
            self.clear()
        elif removed > self.count >> 4 and self.redelivery is None:
            self.by_id.leave_out(self.records, owner)
            self.unlink_all(order)
            self.give_all(order)
            self.count -= removed
        else:
            while order.length != 0:
                self.remove(order.first())
        self.owned[owner] = None
        self.free_owners.append(owner)
        return removed

    # --- one entry ---

    def find(self, ms: int, seq: int) -> int:
        """Return the handle of a pending ID, or 0."""
        return self.by_id.find(self.records, ms, seq)

    def add(self, ms: int, seq: int, owner: int, time_ms: int, count: int) -> int:
        """Add an ID that is not pending and return its handle.

        Without an owner (0) the entry is nacked and `time_ms` must be 0.
        """
        handle = self.records.take()
        self.count += 1
        self.records.fill(handle, ms, seq, time_ms, count, owner)
        if ms > self.top_ms or (ms == self.top_ms and seq > self.top_seq):
            self.top_ms = ms
            self.top_seq = seq
        self.by_id.insert(self.records, handle, ms, seq)
        if owner != 0:
            self.order_of(owner).insert(self.records, handle, ms, seq)
        self.link(handle, owner, time_ms)
        if self.redelivery is not None:
            self._tell(handle, owner, time_ms, count)
        return handle

    def deliver(self, ms: int, seq: int, owner: int, time_ms: int) -> int:
        """Make an ID pending as delivered once, also if it is pending already; its handle.

        The cheapest way in: new entries have ever higher IDs and times.
        """
        if ms > self.top_ms or (ms == self.top_ms and seq > self.top_seq):
            before = self.newest
            if before == self.newest_nacked or self.records.time(before) <= time_ms:
                handle = self.records.append(ms, seq, time_ms, 1, owner, before)
                if before == 0:
                    self.oldest = handle
                self.newest = handle
                self.by_id.append(handle, ms, seq)
                self.order_of(owner).append(handle, ms, seq)
                self.count += 1
                self.top_ms = ms
                self.top_seq = seq
                if self.redelivery is not None:
                    self.redelivery.owned(handle, time_ms, 1)
                return handle
        else:
            handle = self.by_id.find(self.records, ms, seq)
            if handle != 0:
                self.assign(handle, owner, time_ms, 1)
                return handle
        return self.add(ms, seq, owner, time_ms, 1)

    def assign(self, handle: int, owner: int, time_ms: int, count: int) -> None:
        """Give an entry an owner (0: nacked, then `time_ms` must be 0), a time and a count.

        The entry becomes the last one of its delivery time, even if nothing else changes.
        """
        before = self.records.owner(handle)
        self.unlink(handle, before)
        if before != owner:
            ms = self.records.ms(handle)
            seq = self.records.seq(handle)
            if before != 0:
                self.order_of(before).take_out(self.records, handle, ms, seq)
            if owner != 0:
                self.order_of(owner).insert(self.records, handle, ms, seq)
            self.records.set_owner(handle, owner)
            if self.redelivery is not None and self.redelivery.parked is not None:
                self.redelivery.left_owner(before)
        self.records.set_time(handle, time_ms)
        self.records.set_count(handle, count)
        self.link(handle, owner, time_ms)
        if self.redelivery is not None:
            self._tell(handle, owner, time_ms, count)

    def remove(self, handle: int) -> None:
        """Remove an entry."""
        self.acknowledge(self.records.ms(handle), self.records.seq(handle))

    def acknowledge(self, ms: int, seq: int) -> bool:
        """Remove an ID; False if it was not pending."""
        records = self.records
        handle = self.by_id.remove(records, ms, seq)
        if handle == 0:
            return False
        owner = records.owner(handle)
        if owner != 0:
            self.order_of(owner).take_out(records, handle, ms, seq)
        self.unlink(handle, owner)
        if self.redelivery is not None:
            self.redelivery.removed(handle)
            if self.redelivery.parked is not None:
                self.redelivery.left_owner(owner)
        records.give(handle)
        self.count -= 1
        return True

    def clear(self) -> None:
        """Remove all entries; the owners stay."""
        self.records.reset()
        self.by_id = HandleOrder()
        self.count = 0
        self.owned = [None if order is None else HandleOrder() for order in self.owned]
        self.nacked = 0
        self.oldest = self.newest = self.newest_nacked = 0
        self.hint = self.passed = 0
        self.top_ms = self.top_seq = 0
        if self.redelivery is not None:
            self.redelivery.clear()

    def drop_all(self) -> list[Any]:
        """`clear`, and what held the entries, to be freed bit by bit, as `parts`."""
        dropped = self.parts()
        self.records = Records()
        self.clear()
        return dropped

    # --- the order by due time (redelivery.py) ---

    def set_redelivery(self, redelivery: Redelivery | None) -> None:
        """From now on tell this one, which is new and learns of all that is pending; or nobody."""
        before = self.redelivery
        self.redelivery = redelivery
        records = self.records
        handle = self.oldest if redelivery is not None else 0
        while handle != 0:
            assert redelivery is not None
            if before is not None:
                redelivery.holder = before.held.holder_of(handle)
            owner = records.owner(handle)
            self._tell(handle, owner, records.time(handle), records.count(handle))
            due_ms = before.deferred_ms(handle) if before is not None and owner == 0 else 0
            if due_ms != 0:
                redelivery.released(handle, records.count(handle), due_ms)
            handle = records.behind(handle)
        if redelivery is not None:
            redelivery.holder = 0

    def _tell(self, handle: int, owner: int, time_ms: int, count: int) -> None:
        redelivery = self.redelivery
        assert redelivery is not None
        if owner != 0:
            redelivery.owned(handle, time_ms, count)
        else:
            redelivery.released(handle, count, 0)

    # --- the order by time ---

    def link(self, handle: int, owner: int, time_ms: int) -> None:
        """Put an entry in its place in the order by time."""
        if owner == 0:
            before = self.newest_nacked
            if self.passed != 0 and self.records.owner(self.passed) != 0:
                self.passed = before  # the new one stands before it
            self.newest_nacked = handle
            self.nacked += 1
        else:
            before = self.newest
            if before != self.newest_nacked and self.records.time(before) > time_ms:
                before = self.place_of(time_ms)
                self.hint = handle
                if self.passed != 0 and self.records.time(self.passed) > time_ms:
                    self.passed = before
        if before != 0:
            behind = self.records.behind(before)
            self.records.set_behind(before, handle)
        else:
            behind = self.oldest
            self.oldest = handle
        if behind != 0:
            self.records.set_before(behind, handle)
        else:
            self.newest = handle
        self.records.set_before(handle, before)
        self.records.set_behind(handle, behind)

    def place_of(self, time_ms: int) -> int:
        """Return the entry behind which one that is older than the newest must go, or 0.

        The walk goes on from both sides at once, so it is as long as the way from the nearest
        of three places: the oldest owned entry, the newest, the last one placed like this.
        """
        if self.newest_nacked != 0:
            low = self.records.behind(self.newest_nacked)
        else:
            low = self.oldest
        if self.records.time(low) > time_ms:
            return self.newest_nacked
        high = self.newest
        if self.hint != 0:
            if self.records.time(self.hint) <= time_ms:
                low = self.hint
            else:
                high = self.hint
        while True:
            step = self.records.behind(low)
            if self.records.time(step) > time_ms:
                return low
            low = step
            step = self.records.before(high)
            if self.records.time(step) <= time_ms:
                return step
            high = step

    def unlink(self, handle: int, owner: int) -> None:
        """Take an entry of this owner out of the order by time."""
        both = self.records.detach(handle)
        before = both >> 32
        if before == 0:
            self.oldest = both & _LOW_HALF
        if both & _LOW_HALF == 0:
            self.newest = before
        if handle == self.passed:
            self.passed = before
        if owner == 0:
            self.nacked -= 1
            if handle == self.newest_nacked:
                self.newest_nacked = before
        elif handle == self.hint:
            # The next one of this time goes behind the one before.
            self.hint = 0 if before == self.newest_nacked else before

    def join(self, before: int, behind: int) -> None:
        """Make two entries neighbours in the order by time; 0 stands for its ends."""
        if before != 0:
            self.records.set_behind(before, behind)
        else:
            self.oldest = behind
        if behind != 0:
            self.records.set_before(behind, before)
        else:
            self.newest = before

    def unlink_all(self, order: HandleOrder) -> None:
        """Take an owner's entries out of the order by time, whole runs of neighbours at once."""
        records = self.records
        self.passed = 0
        first = last = before = behind = 0  # a run, and its neighbours
        for number in range(len(order.chunks)):
            for slot in range(order.start(number), order.end(number)):
                handle = order.handle(number, slot)
                left = records.before(handle)
                right = records.behind(handle)
                if handle == self.hint:
                    self.hint = 0
                if last != 0 and left == last:
                    last = handle
                    behind = right
                elif last != 0 and right == first:
                    first = handle
                    before = left
                else:
                    if last != 0:
                        self.join(before, behind)
                        # What was just joined may be a neighbour of this one.
                        left = records.before(handle)
                        right = records.behind(handle)
                    first = last = handle
                    before = left
                    behind = right
        if last != 0:
            self.join(before, behind)

    def give_all(self, order: HandleOrder) -> None:
        """Take back the records of an owner's entries; mostly their handles follow each other."""
        first = n = 0
        for number in range(len(order.chunks)):
            for slot in range(order.start(number), order.end(number)):
                handle = order.handle(number, slot)
                if handle != first + n:
                    self.records.give_run(first, n)
                    first = handle
                    n = 0
                n += 1
        self.records.give_run(first, n)

    # --- ranges ---

    def handles_from(self, ms: int, seq: int, limit: int) -> list[int]:
        """Return at most `limit` handles in order of ID, from an ID (inclusive) upwards."""
        return self.by_id.handles_from(self.records, ms, seq, limit)

    def owned_from(self, owner: int, ms: int, seq: int, limit: int) -> list[int]:
        """Return at most `limit` handles of one owner in order of ID, from an ID upwards."""
        return self.order_of(owner).handles_from(self.records, ms, seq, limit)

    def delivered_until(self, time_ms: int, limit: int) -> list[int]:
        """Return at most `limit` handles whose delivery time is at or before `time_ms`.

        Nacked entries first, then the longest idle ones.
        """
        found: list[int] = []
        handle = self.oldest
        while handle != 0 and len(found) < limit and self.records.time(handle) <= time_ms:
            found.append(handle)
            handle = self.records.behind(handle)
        return found

    # --- loading ---

    def load(self, ms: int, seq: int, time_ms: int, count: int) -> bool:
        """Add an ID with neither an owner nor a place in the order by time, for loading.

        False, and nothing happens, if it is pending already. Best done in the order of IDs; each
        then needs `load_owner` or `load_nacked`, and all of them `load_order`.
        """
        if ms > self.top_ms or (ms == self.top_ms and seq > self.top_seq):
            self.top_ms = ms
            self.top_seq = seq
            handle = self.records.append(ms, seq, time_ms, count, 0, 0)
            self.by_id.append(handle, ms, seq)
        else:
            if self.by_id.find(self.records, ms, seq) != 0:
                return False
            handle = self.records.append(ms, seq, time_ms, count, 0, 0)
            self.by_id.insert(self.records, handle, ms, seq)
        self.count += 1
        return True

    def load_owner(self, ms: int, seq: int, owner: int) -> bool:
        """Give a loaded ID its owner; False if it is not pending or has one."""
        handle = self.by_id.find(self.records, ms, seq)
        if handle == 0 or self.records.owner(handle) != 0:
            return False
        self.records.set_owner(handle, owner)
        order = self.order_of(owner)
        last = order.last()
        if last == 0 or self.records.compare(last, ms, seq) < 0:
            order.append(handle, ms, seq)
        else:
            order.insert(self.records, handle, ms, seq)
        return True

    def load_nacked(self, ms: int, seq: int) -> bool:
        """Make a loaded ID the last of the nacked; False if it can not be one more of them."""
        handle = self.by_id.find(self.records, ms, seq)
        if (
            handle == 0
            or handle == self.oldest
            or self.records.before(handle) != 0
            or self.records.owner(handle) != 0
        ):
            return False
        self.records.set_time(handle, 0)
        self.link(handle, 0, 0)
        return True

    def load_order(self) -> bool:
        """Make the order by time of what was loaded; equal times stay in the order of IDs.

        False if an ID has no owner and is not nacked. Sorting takes n log n steps, where linking
        one by one would take as many as there are entries for each of them.
        """
        if not self._link_by_id():
            times = []
            handles = []
            # Small numbers are sorted twice as fast.
            lowest = self._lowest_time()
            for number in range(len(self.by_id.chunks)):
                for slot in range(self.by_id.start(number), self.by_id.end(number)):
                    handle = self.by_id.handle(number, slot)
                    if self.records.owner(handle) != 0:
                        times.append(self.records.time(handle) - lowest)
                        handles.append(handle)
            before = self.newest_nacked
            for i in sorted(range(len(times)), key=times.__getitem__):
                handle = handles[i]
                self.join(before, handle)
                before = handle
            self.records.set_behind(before, 0)
            self.newest = before
        owned = 0
        for order in self.owned:
            if order is not None:
                owned += order.length
        return owned + self.nacked == self.count

    def _lowest_time(self) -> int:
        """The earliest time of an entry that has an owner; there is one."""
        lowest = 2**63 - 1
        for number in range(len(self.by_id.chunks)):
            for slot in range(self.by_id.start(number), self.by_id.end(number)):
                handle = self.by_id.handle(number, slot)
                if self.records.owner(handle) != 0 and self.records.time(handle) < lowest:
                    lowest = self.records.time(handle)
        return lowest

    def _link_by_id(self) -> bool:
        """Link all that have an owner in the order of IDs; False if their times are not so."""
        before = self.newest_nacked
        time_ms = 0
        for number in range(len(self.by_id.chunks)):
            for slot in range(self.by_id.start(number), self.by_id.end(number)):
                handle = self.by_id.handle(number, slot)
                if self.records.owner(handle) != 0:
                    if self.records.time(handle) < time_ms:
                        return False
                    time_ms = self.records.time(handle)
                    self.records.set_behind(handle, 0)
                    self.join(before, handle)
                    before = handle
        self.newest = before
        return True

    # --- the whole ---

    def copy(self) -> PendingEntries:
        """Return a copy in which handles and owners mean the same."""
        twin = PendingEntries()
        twin.records = self.records.copy()
        twin.by_id = self.by_id.copy()
        twin.count = self.count
        twin.owned.clear()
        for order in self.owned:
            twin.owned.append(None if order is None else order.copy())
        twin.free_owners.extend(self.free_owners)
        twin.nacked = self.nacked
        twin.oldest = self.oldest
        twin.newest = self.newest
        twin.newest_nacked = self.newest_nacked
        twin.hint, twin.passed = self.hint, self.passed
        twin.top_ms, twin.top_seq = self.top_ms, self.top_seq
        return twin

    def parts(self) -> list[Any]:
        """The lists behind it, to be emptied bit by bit when nobody uses it any more."""
        return [self.records.pages, self.by_id.chunks, self.owned]

    def memory_usage(self) -> int:
        """Bytes of memory, objects included by fixed allowances."""
        total = 0
        for page in self.records.pages:
            total += len(page) + 64
        for chunk in self.by_id.chunks:
            total += len(chunk) + 64
        for order in self.owned:
            if order is not None:
                total += 128
                for chunk in order.chunks:
                    total += len(chunk) + 64
        if self.redelivery is not None:
            total += self.redelivery.memory_usage()
        return total

    def check(self) -> None:
        """Verify every invariant; for tests. Raises AssertionError."""
        records = self.records
        by_id = self.by_id.check(records)
        assert records.live == self.count == len(by_id)
        records.check()
        owned = 0
        for number, order in enumerate(self.owned):
            if order is None:
                assert number == 0 or number in self.free_owners
                continue
            for handle in order.check(records):
                assert records.owner(handle) == number
                assert self.find(records.ms(handle), records.seq(handle)) == handle
                owned += 1
        assert owned + self.nacked == len(by_id)
        assert len(self.owned) - 1 == len(set(self.free_owners)) + sum(
            order is not None for order in self.owned
        )
        before = 0
        last_nacked = 0
        handle = self.oldest
        seen = set()
        while handle != 0:
            assert handle not in seen
            seen.add(handle)
            assert records.before(handle) == before
            if records.owner(handle) == 0:
                assert before == last_nacked, "nacked entries come first"
                assert records.time(handle) == 0
                last_nacked = handle
            elif before != last_nacked:
                assert records.time(before) <= records.time(handle)
            before = handle
            handle = records.behind(handle)
        assert self.newest == before
        assert self.newest_nacked == last_nacked
        assert seen == set(by_id)
        assert not by_id or records.compare(by_id[len(by_id) - 1], self.top_ms, self.top_seq) <= 0
        assert self.passed == 0 or self.passed in seen
        assert self.hint == 0 or (self.hint in seen and records.owner(self.hint) != 0)
