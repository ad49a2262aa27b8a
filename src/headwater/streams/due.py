"""Pending entries in the order in which they fall due.

A heap, four below each, that knows the place of every entry (by its handle, records.py), so that
any of them can be taken out: everything but `first` takes O(log n). Entries due at the same moment
come in the order in which they were put. An entry whose time is above all others, the usual case,
is put in O(1).

    slot     20 bytes: i64 due_ms | u64 order | u32 handle
    places   u32 for each handle: its slot + 1, 0: it is not here
"""

from __future__ import annotations

from headwater.raw import copy, get_i64, get_u32, get_u64, put_i64, put_u32, put_u64

SLOT_BYTES = 20
ORDER, HANDLE = 8, 16
_FIRST_SLOTS = 16
_SMALL_BYTES = 4096  # of places that are kept though nothing is due


class DueOrder:
    """Handles with the time at which each is due (unix ms). `length`: how many there are."""

    __slots__ = ("length", "order", "places", "slots")

    def __init__(self) -> None:
        self.length = 0
        self.order = 0  # of the next one that is put
        self.slots = bytearray()
        self.places = bytearray()

    def first(self) -> int:
        """The handle that is due first, 0 if there is none."""
        return get_u32(self.slots, HANDLE) if self.length else 0

    def first_ms(self) -> int:
        """When the first one is due; there must be one."""
        return get_i64(self.slots, 0)

    def has(self, handle: int) -> bool:
        return 4 * handle < len(self.places) and get_u32(self.places, 4 * handle) != 0

    def due_ms(self, handle: int) -> int:
        """When a handle is due; it must be here."""
        assert self.has(handle)
        return get_i64(self.slots, SLOT_BYTES * (get_u32(self.places, 4 * handle) - 1))

    def put(self, handle: int, due_ms: int) -> None:
        """Add a handle that is not here."""
        if 4 * handle >= len(self.places):
            self.places.extend(bytes(max(4 * _FIRST_SLOTS, 8 * handle + 4 - len(self.places))))
        place = self.length
        if SLOT_BYTES * place == len(self.slots):
            self.slots.extend(bytes(max(SLOT_BYTES * _FIRST_SLOTS, len(self.slots))))
        self.length += 1
        self.order += 1
        self._rise(place, due_ms, self.order, handle)

    def remove(self, handle: int) -> bool:
        """Take a handle out; False if it is not here."""
        if 4 * handle >= len(self.places):
            return False
        place = get_u32(self.places, 4 * handle)
        if place == 0:
            return False
        put_u32(self.places, 4 * handle, 0)
        place -= 1
        self.length -= 1
        last = SLOT_BYTES * self.length
        if place != self.length:
            due_ms = get_i64(self.slots, last)
            order = get_u64(self.slots, last + ORDER)
            moved = get_u32(self.slots, last + HANDLE)
            if not self._rise(place, due_ms, order, moved):
                self._sink(place, due_ms, order, moved)
        if self.length == 0 and len(self.places) > _SMALL_BYTES:
            self.clear()
        return True

    def _rise(self, place: int, due_ms: int, order: int, handle: int) -> bool:
        """Put a handle into an empty slot or above it; True if above."""
        slots = self.slots
        start = place
        while place > 0:
            above = (place - 1) >> 2
            pos = SLOT_BYTES * above
            other = get_i64(slots, pos)
            if other < due_ms or (other == due_ms and get_u64(slots, pos + ORDER) < order):
                break
            self._move(pos, place)
            place = above
        self._fill(place, due_ms, order, handle)
        return place != start

    def _sink(self, place: int, due_ms: int, order: int, handle: int) -> None:
        """Put a handle into an empty slot or below it."""
        slots = self.slots
        while True:
            below = 4 * place + 1
            if below >= self.length:
                break
            pos = SLOT_BYTES * below
            other = get_i64(slots, pos)
            right = pos + SLOT_BYTES
            end = SLOT_BYTES * (below + 4 if below + 4 < self.length else self.length)
            while right < end:
                rival = get_i64(slots, right)
                if rival < other or (
                    rival == other and get_u64(slots, right + ORDER) < get_u64(slots, pos + ORDER)
                ):
                    pos = right
                    other = rival
                right += SLOT_BYTES
            if due_ms < other or (due_ms == other and order < get_u64(slots, pos + ORDER)):
                break
            self._move(pos, place)
            place = pos // SLOT_BYTES
        self._fill(place, due_ms, order, handle)

    def _move(self, pos: int, place: int) -> None:
        """Copy the slot at `pos` to another place."""
        copy(self.slots, SLOT_BYTES * place, self.slots, pos, SLOT_BYTES)
        put_u32(self.places, 4 * get_u32(self.slots, pos + HANDLE), place + 1)

    def _fill(self, place: int, due_ms: int, order: int, handle: int) -> None:
        pos = SLOT_BYTES * place
        put_i64(self.slots, pos, due_ms)
        put_u64(self.slots, pos + ORDER, order)
        put_u32(self.slots, pos + HANDLE, handle)
        put_u32(self.places, 4 * handle, place + 1)

    def clear(self) -> None:
        """Forget all."""
        self.length = 0
        self.slots = bytearray()
        self.places = bytearray()

    def copy(self) -> DueOrder:
        """A copy in which handles mean the same."""
        twin = DueOrder()
        twin.length = self.length
        twin.order = self.order
        twin.slots = bytearray(self.slots)
        twin.places = bytearray(self.places)
        return twin

    def memory_usage(self) -> int:
        """Bytes of memory, objects included by fixed allowances."""
        return 160 + len(self.slots) + len(self.places)

    def check(self) -> None:
        """Verify that it is a heap and that places are right; for tests."""
        known = sum(get_u32(self.places, pos) != 0 for pos in range(0, len(self.places), 4))
        assert known == self.length
        keys = []
        for place in range(self.length):
            pos = SLOT_BYTES * place
            keys.append((get_i64(self.slots, pos), get_u64(self.slots, pos + ORDER)))
            assert get_u32(self.places, 4 * get_u32(self.slots, pos + HANDLE)) == place + 1
            assert place == 0 or keys[(place - 1) >> 2] < keys[place]
