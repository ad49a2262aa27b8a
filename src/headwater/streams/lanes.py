"""ORDERBY: which entries of a group must wait until another one with the same value is done.

A *lane* stands for one value of the field, by its digest (digests.py): how many of its entries are
in flight, that is pending in the group, and the row of those that are *held*: the group's
last-delivered ID has passed them, but one of the value was in flight. A lane that has neither is
forgotten. The first held entry of a lane that has nothing in flight is *ready*: it comes before
new entries.

    lanes      12 bytes for each number of the table: u32 in flight | u32 first held | u32 last held
    lane_of    u32 for each handle of PendingEntries: its lane, 0: it is in none

Held entries are records (records.py; `owner` is the lane, `before` and `behind` its row) in the
order of their IDs. One without a lane (owner 0) is ready at once: that is so when the field was
changed, or taken away, while entries were held.

Guarantees: what is held exists in the stream, at or below the group's last-delivered ID
(Stream tells of what it loses); in-flight counts agree with `lane_of`, apart from entries that
are just being delivered. Nothing here knows the stream; who chooses entries is ordering.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.raw import get_u32, put_u32
from headwater.streams.digests import DigestTable
from headwater.streams.handles import HandleOrder
from headwater.streams.records import Records

if TYPE_CHECKING:
    from headwater.streams.pending import PendingEntries

LANE_BYTES = 12
FIRST, LAST = 4, 8
_FIRST_LANES = 16
_SMALL_BYTES = 4096
_DROPPED_AT_ONCE = 128
_LOW_HALF = 0xFFFFFFFF


class Lanes:
    """What one group with ORDERBY `field` has in flight and holds.

    field b"": ORDERBY was turned off, and what was held is still to be delivered. `held_count`:
    how many entries are held.
    """

    __slots__ = (
        "_lane_of",
        "_lanes",
        "_table",
        "field",
        "held",
        "held_count",
        "ready",
        "records",
    )

    def __init__(self, field: bytes) -> None:
        self.field = field
        self.held_count = 0
        self._table = DigestTable()
        self._lanes = bytearray(LANE_BYTES * _FIRST_LANES)
        self._lane_of = bytearray()
        self.records = Records()  # of held entries
        self.held = HandleOrder()  # all of them
        self.ready = HandleOrder()

    # --- in flight ---

    def start(self, key: int) -> int:
        """The lane of a value that a new entry is in now, in flight; 0: it has to be held."""
        table = self._table
        live = table.live
        lane = table.find_or_add(key)
        if table.live == live:
            return 0
        pos = self._room_for(lane)
        put_u32(self._lanes, pos, 1)
        put_u32(self._lanes, pos + FIRST, 0)
        put_u32(self._lanes, pos + LAST, 0)
        return lane

    def is_busy(self, key: int) -> bool:
        """Whether an entry with this value would have to be held."""
        return self._table.find(key) != 0

    def set_lane(self, handle: int, lane: int) -> None:
        """A pending entry is the one that `start` or `take` counted; 0: it is in no lane."""
        if lane != 0:
            if 4 * handle >= len(self._lane_of):
                self._lane_of.extend(bytes(max(64, 8 * handle + 4 - len(self._lane_of))))
            other = get_u32(self._lane_of, 4 * handle)
            put_u32(self._lane_of, 4 * handle, lane)
            if other != 0:
                self._end_flight(other)

    def enter(self, handle: int, key: int) -> None:
        """An entry with this value is pending, though others may be."""
        lane = self._lane_for(key)
        self._begin_flight(lane)
        self.set_lane(handle, lane)

    def lane_of(self, handle: int) -> int:
        """The lane of a pending entry, 0: none."""
        return get_u32(self._lane_of, 4 * handle) if 4 * handle < len(self._lane_of) else 0

    def value_of(self, handle: int) -> int:
        """The digest of a pending entry's value, 0: it has none."""
        lane = self.lane_of(handle)
        return self._table.key(lane) if lane != 0 else 0

    def left(self, handle: int) -> None:
        """A pending entry is pending no more: the next one of its value is ready."""
        if 4 * handle < len(self._lane_of):
            lane = get_u32(self._lane_of, 4 * handle)
            if lane != 0:
                put_u32(self._lane_of, 4 * handle, 0)
                self._end_flight(lane)

    def all_left(self) -> None:
        """Nothing is pending any more."""
        self._lane_of = bytearray()
        if self.held_count == 0:
            self._table = DigestTable()
            self._lanes = bytearray(LANE_BYTES * _FIRST_LANES)
            return
        for number in range(len(self.held.chunks)):
            for slot in range(self.held.start(number), self.held.end(number)):
                lane = self.records.owner(self.held.handle(number, slot))
                if lane != 0 and get_u32(self._lanes, LANE_BYTES * lane) != 0:
                    put_u32(self._lanes, LANE_BYTES * lane, 0)
                    self._put_ready(get_u32(self._lanes, LANE_BYTES * lane + FIRST))
        # What is still marked as in flight has no held entry.
        for lane in range(1, self._table.used):
            if get_u32(self._lanes, LANE_BYTES * lane) != 0:
                put_u32(self._lanes, LANE_BYTES * lane, 0)
                self._table.remove(lane)

    def _lane_for(self, key: int) -> int:
        """The lane of a value; with nothing in flight and nothing held, if it is new."""
        table = self._table
        live = table.live
        lane = table.find_or_add(key)
        pos = self._room_for(lane)
        if table.live != live:
            put_u32(self._lanes, pos, 0)
            put_u32(self._lanes, pos + FIRST, 0)
            put_u32(self._lanes, pos + LAST, 0)
        return lane

    def _room_for(self, lane: int) -> int:
        """Where a lane's numbers are."""
        pos = LANE_BYTES * lane
        if pos + LANE_BYTES > len(self._lanes):
            self._lanes.extend(bytes(len(self._lanes)))
        return pos

    def _begin_flight(self, lane: int) -> None:
        pos = LANE_BYTES * lane
        n = get_u32(self._lanes, pos)
        if n == 0:
            first = get_u32(self._lanes, pos + FIRST)
            if first != 0:
                self._take_ready(first)
        put_u32(self._lanes, pos, n + 1)

    def _end_flight(self, lane: int) -> None:
        pos = LANE_BYTES * lane
        n = get_u32(self._lanes, pos) - 1
        put_u32(self._lanes, pos, n)
        if n == 0:
            first = get_u32(self._lanes, pos + FIRST)
            if first != 0:
                self._put_ready(first)
            else:
                self._forget_lane(lane)

    def _forget_lane(self, lane: int) -> None:
        self._table.remove(lane)
        if self._table.live == 0 and len(self._lanes) > _SMALL_BYTES:
            self._lanes = bytearray(LANE_BYTES * _FIRST_LANES)

    def _put_ready(self, handle: int) -> None:
        records = self.records
        self.ready.insert(records, handle, records.ms(handle), records.seq(handle))

    def _take_ready(self, handle: int) -> None:
        records = self.records
        self.ready.remove(records, records.ms(handle), records.seq(handle))

    # --- held ---

    def hold(self, ms: int, seq: int, key: int) -> None:
        """Remember an entry; key 0: it is ready whatever is in flight.

        Only one that is above all others is cheap; one that is held already stays as it is.
        """
        records = self.records
        last = self.held.last()
        above = last == 0 or records.compare(last, ms, seq) < 0
        if not above and self.held.find(records, ms, seq) != 0:
            return
        lane = before = 0
        pos = 0
        is_first = True
        if key != 0:
            lane = self._lane_for(key)
            pos = LANE_BYTES * lane
            before = get_u32(self._lanes, pos + LAST)
            is_first = before == 0
        handle = records.append(ms, seq, 0, 0, lane, before)
        if lane != 0:
            put_u32(self._lanes, pos + LAST, handle)
            if is_first:
                put_u32(self._lanes, pos + FIRST, handle)
                is_first = get_u32(self._lanes, pos) == 0
        if above:
            self.held.append(handle, ms, seq)
        else:
            self.held.insert(records, handle, ms, seq)
        self.held_count += 1
        if is_first:
            self._put_ready(handle)

    def has_ready(self) -> bool:
        """Whether a held entry may be delivered now."""
        return self.ready.length != 0

    def take(self, handle: int, flies: bool) -> int:
        """Deliver a ready entry: hold it no more. Its lane if it is in flight now, else 0."""
        records = self.records
        lane = records.owner(handle)
        if lane == 0 or not flies:
            self._remove(handle)
            return 0
        # In flight before it goes, so that the next one is not ready.
        pos = LANE_BYTES * lane
        self._take_ready(handle)
        put_u32(self._lanes, pos, get_u32(self._lanes, pos) + 1)
        self._remove(handle)
        return lane

    def release(self, ms: int, seq: int, handle: int) -> bool:
        """A held entry has become pending otherwise: its handle there. False: it is not held."""
        held = self.held.find(self.records, ms, seq) if self.held_count != 0 else 0
        if held == 0:
            return False
        lane = self.records.owner(held)
        if lane != 0:
            self._begin_flight(lane)
            self.set_lane(handle, lane)
        self._remove(held)
        return True

    def drop(self, ms: int, seq: int) -> None:
        """The stream has lost this entry."""
        if self.held_count != 0:
            handle = self.held.find(self.records, ms, seq)
            if handle != 0:
                self._remove(handle)

    def drop_range(self, ms1: int, seq1: int, ms2: int, seq2: int) -> None:
        """The stream has lost all entries from the first ID to the second."""
        records = self.records
        while self.held_count != 0:
            behind = self.held.handles_from(records, ms1, seq1, _DROPPED_AT_ONCE)
            for handle in behind:
                if records.compare(handle, ms2, seq2) > 0:
                    return
                self._remove(handle)
            if len(behind) < _DROPPED_AT_ONCE:
                return

    def forget_held(self) -> None:
        """Hold nothing any more."""
        if self.held_count == 0:
            return
        lanes = self._lanes
        for lane in range(1, self._table.used):
            pos = LANE_BYTES * lane
            if get_u32(lanes, pos + FIRST) != 0:
                put_u32(lanes, pos + FIRST, 0)
                put_u32(lanes, pos + LAST, 0)
                if get_u32(lanes, pos) == 0:
                    self._table.remove(lane)
        self.records = Records()
        self.held = HandleOrder()
        self.ready = HandleOrder()
        self.held_count = 0

    def _remove(self, handle: int) -> None:
        """Take a held entry out of its lane and of the orders."""
        records = self.records
        ms = records.ms(handle)
        seq = records.seq(handle)
        lane = records.owner(handle)
        if lane == 0:
            self.ready.remove(records, ms, seq)
        else:
            pos = LANE_BYTES * lane
            both = records.detach(handle)
            before = both >> 32
            behind = both & _LOW_HALF
            free = get_u32(self._lanes, pos) == 0
            if behind == 0:
                put_u32(self._lanes, pos + LAST, before)
            if before == 0:
                put_u32(self._lanes, pos + FIRST, behind)
                if free:
                    self.ready.remove(records, ms, seq)
                    if behind != 0:
                        self._put_ready(behind)
                    else:
                        self._forget_lane(lane)
        self.held.take_out(records, handle, ms, seq)
        records.give(handle)
        self.held_count -= 1

    def is_held(self, ms: int, seq: int) -> bool:
        return self.held_count != 0 and self.held.find(self.records, ms, seq) != 0

    def first_held(self, ms: int, seq: int) -> tuple[bool, int, int]:
        """(True, the lowest held ID at or above this one), or (False, 0, 0)."""
        if self.held_count != 0:
            for handle in self.held.handles_from(self.records, ms, seq, 1):
                return True, self.records.ms(handle), self.records.seq(handle)
        return False, 0, 0

    def held_from(self, ms: int, seq: int, limit: int) -> list[tuple[int, int, int]]:
        """At most `limit` held entries from an ID on: (ms, seq, digest of the value or 0)."""
        found: list[tuple[int, int, int]] = []
        for handle in self.held.handles_from(self.records, ms, seq, limit):
            lane = self.records.owner(handle)
            key = self._table.key(lane) if lane != 0 else 0
            found.append((self.records.ms(handle), self.records.seq(handle), key))
        return found

    # --- the whole ---

    def copy(self) -> Lanes:
        """A copy, for a group in whose pending entries handles mean the same."""
        twin = Lanes(self.field)
        twin.held_count = self.held_count
        twin._table = self._table.copy()
        twin._lanes = bytearray(self._lanes)
        twin._lane_of = bytearray(self._lane_of)
        twin.records = self.records.copy()
        twin.held = self.held.copy()
        twin.ready = self.ready.copy()
        return twin

    def free_units(self) -> int:
        """How much work it is to free this, as Value.free_units."""
        return self.held_count // 100

    def parts(self) -> list[object]:
        """What is big about lanes that nobody uses any more, as Value.parts."""
        return [self.records.pages, self.held.chunks, self.ready.chunks]

    def memory_usage(self) -> int:
        """Bytes of memory, objects included by fixed allowances."""
        total = 700 + self._table.memory_usage() + len(self._lanes) + len(self._lane_of)
        for page in self.records.pages:
            total += 64 + len(page)
        for order in (self.held, self.ready):
            for chunk in order.chunks:
                total += 64 + len(chunk)
        return total

    def describe(self, pending: PendingEntries) -> list[tuple[int, int, int]]:
        """What is held, then what is in flight: (ms, seq, digest of the value), by ID.

        Two groups that are in the same state have the same.
        """
        found = self.held_from(0, 0, self.held_count)
        for handle in pending.handles_from(0, 0, pending.count):
            if self.lane_of(handle) != 0:
                records = pending.records
                found.append((records.ms(handle), records.seq(handle), self.value_of(handle)))
        return found

    def check(self, pending: PendingEntries) -> None:
        """Verify every invariant; for tests. Raises AssertionError."""
        self._table.check()
        self.records.check()
        flying: dict[int, int] = {}
        for handle in pending.handles_from(0, 0, pending.count):
            lane = self.lane_of(handle)
            if lane:
                flying[lane] = flying.get(lane, 0) + 1
        assert sum(flying.values()) == sum(
            get_u32(self._lane_of, pos) != 0 for pos in range(0, len(self._lane_of), 4)
        )
        rows: dict[int, list[int]] = {}
        ready = []
        handles = self.held.handles_from(self.records, 0, 0, self.held_count + 1)
        assert len(handles) == self.held_count == self.records.live == self.held.length
        ids = [(self.records.ms(handle), self.records.seq(handle)) for handle in handles]
        assert ids == sorted(set(ids))
        for handle in handles:
            lane = self.records.owner(handle)
            if lane:
                rows.setdefault(lane, []).append(handle)
            else:
                ready.append(handle)
        assert len(set(flying) | set(rows)) == self._table.live
        for lane in set(flying) | set(rows):
            pos = LANE_BYTES * lane
            assert get_u32(self._lanes, pos) == flying.get(lane, 0)
            row = rows.get(lane, [0])
            assert get_u32(self._lanes, pos + FIRST) == row[0]
            assert get_u32(self._lanes, pos + LAST) == row[len(row) - 1]
            for i, handle in enumerate(row):
                if handle:
                    assert self.records.before(handle) == (row[i - 1] if i else 0)
                    assert self.records.behind(handle) == (row[i + 1] if i + 1 < len(row) else 0)
            if lane in rows and lane not in flying:
                ready.append(row[0])
        found = self.ready.handles_from(self.records, 0, 0, self.held_count + 1)
        assert found == sorted(ready, key=handles.index)
