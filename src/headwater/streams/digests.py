"""Values of a field as 64-bit digests, and a table that gives each digest in use a number.

The digest is MurmurHash64A with seed 0; 0 stands for no value (a digest of 0 becomes 1). Snapshots
contain digests, so the function must stay as it is. Two values that share a digest are one value
to whoever uses it; nothing here keeps the values themselves.

The table is open addressing, linear probing, and holds no Python object for a digest:

    slots    8 bytes: u32 tag | u32 number, 0: empty. A slot's place follows from its tag.
    keys     u64 for each number: its digest, or the next free number
"""

from __future__ import annotations

import os

from headwater.raw import equal_bytes, get_u32, get_u64, put_u32, put_u64

_MASK = 2**64 - 1
_MULTIPLIER = 0xC6A4A7935BD1E995
_SHIFT = 47

# Tags mix digests with numbers of this process only: nobody can choose values whose tags agree.
_LOW_MULTIPLIER = int.from_bytes(os.urandom(8), "little") | 1
_HIGH_MULTIPLIER = int.from_bytes(os.urandom(8), "little") | 1
_LOW_HALF = 0xFFFFFFFF
_FIRST_SLOTS = 16


def digest_of(buf: bytearray, pos: int, n: int) -> int:
    """The digest of the `n` bytes at `pos`; never 0."""
    h = (n * _MULTIPLIER) & _MASK
    end = pos + n - (n & 7)
    while pos < end:
        word = (get_u64(buf, pos) * _MULTIPLIER) & _MASK
        word = ((word ^ (word >> _SHIFT)) * _MULTIPLIER) & _MASK
        h = ((h ^ word) * _MULTIPLIER) & _MASK
        pos += 8
    left = n & 7
    if left != 0:
        word = 0
        while left > 0:
            left -= 1
            word = (word << 8) | buf[end + left]
        h = ((h ^ word) * _MULTIPLIER) & _MASK
    h = ((h ^ (h >> _SHIFT)) * _MULTIPLIER) & _MASK
    h ^= h >> _SHIFT
    return h if h != 0 else 1


def digest_of_field(buf: bytearray, pos: int, field: bytes) -> int:
    """The digest of a field's value in the entry stored at `pos` (block.py), 0: it has none.

    Of several pairs with that name the first one counts.
    """
    pos += 5
    n = 0
    c = buf[pos]
    while c != 13:
        n = 10 * n + c - 48
        pos += 1
        c = buf[pos]
    pos += n + 5
    elements = 0
    c = buf[pos]
    while c != 13:
        elements = 10 * elements + c - 48
        pos += 1
        c = buf[pos]
    pos += 2
    size = len(field)
    found = False
    is_name = True
    while elements > 0:
        n = 0
        pos += 1
        c = buf[pos]
        while c != 13:
            n = 10 * n + c - 48
            pos += 1
            c = buf[pos]
        pos += 2
        if is_name:
            found = n == size and equal_bytes(buf, pos, field)
        elif found:
            return digest_of(buf, pos, n)
        pos += n + 2
        is_name = not is_name
        elements -= 1
    return 0


class DigestTable:
    """Numbers, from 1 on, for digests; a number that was given back is used again.

    `live`: how many are in use; all numbers are below `used`.
    """

    __slots__ = ("_free", "_mask", "keys", "live", "slots", "used")

    def __init__(self) -> None:
        self.live = 0
        self.used = 1
        self._free = 0  # the first number that was given back
        self._mask = _FIRST_SLOTS - 1
        self.slots = bytearray(8 * _FIRST_SLOTS)
        self.keys = bytearray(8 * _FIRST_SLOTS)

    def find(self, key: int) -> int:
        """The number of a digest, 0: it has none."""
        return get_u32(self.slots, 8 * self._place_of(key, self._tag(key)) + 4)

    def find_or_add(self, key: int) -> int:
        """The number of a digest, a new one if it had none (`live` has grown then)."""
        tag = self._tag(key)
        place = self._place_of(key, tag)
        number = get_u32(self.slots, 8 * place + 4)
        if number != 0:
            return number
        if 2 * self.live >= self._mask:  # most searches find nothing: room keeps them short
            self._grow()
            place = self._empty_place(tag)
        number = self._free
        if number != 0:
            self._free = get_u64(self.keys, 8 * number)
        else:
            number = self.used
            self.used += 1
            if 8 * number >= len(self.keys):
                self.keys.extend(bytes(len(self.keys)))
        put_u64(self.keys, 8 * number, key)
        put_u32(self.slots, 8 * place, tag)
        put_u32(self.slots, 8 * place + 4, number)
        self.live += 1
        return number

    def key(self, number: int) -> int:
        """The digest of a number in use."""
        return get_u64(self.keys, 8 * number)

    def remove(self, number: int) -> None:
        """Give a number in use back."""
        slots = self.slots
        mask = self._mask
        place = self._tag(get_u64(self.keys, 8 * number)) & mask
        while get_u32(slots, 8 * place + 4) != number:
            place = (place + 1) & mask
        self.live -= 1
        if self.live == 0:
            self._clear(place)
        else:
            put_u64(self.keys, 8 * number, self._free)
            self._free = number
            self._close_gap(place)

    def _close_gap(self, place: int) -> None:
        """Empty a slot; those behind it move up, so that no search ends before it finds them."""
        slots = self.slots
        mask = self._mask
        behind = place
        while True:
            behind = (behind + 1) & mask
            number = get_u32(slots, 8 * behind + 4)
            if number == 0:
                break
            tag = get_u32(slots, 8 * behind)
            if ((behind - tag) & mask) >= ((behind - place) & mask):
                put_u32(slots, 8 * place, tag)
                put_u32(slots, 8 * place + 4, number)
                place = behind
        put_u32(slots, 8 * place + 4, 0)

    def _tag(self, key: int) -> int:
        mixed = ((key & _LOW_HALF) * _LOW_MULTIPLIER + (key >> 32) * _HIGH_MULTIPLIER) & _MASK
        return mixed >> 32

    def _place_of(self, key: int, tag: int) -> int:
        """The slot of a digest, or the empty one that it would have."""
        slots = self.slots
        place = tag & self._mask
        number = get_u32(slots, 8 * place + 4)
        while number != 0:
            if get_u32(slots, 8 * place) == tag and get_u64(self.keys, 8 * number) == key:
                break
            place = (place + 1) & self._mask
            number = get_u32(slots, 8 * place + 4)
        return place

    def _empty_place(self, tag: int) -> int:
        place = tag & self._mask
        while get_u32(self.slots, 8 * place + 4) != 0:
            place = (place + 1) & self._mask
        return place

    def _grow(self) -> None:
        old = self.slots
        n = self._mask + 1
        self.slots = bytearray(16 * n)
        self._mask = 2 * n - 1
        for pos in range(0, 8 * n, 8):
            number = get_u32(old, pos + 4)
            if number != 0:
                tag = get_u32(old, pos)
                place = self._empty_place(tag)
                put_u32(self.slots, 8 * place, tag)
                put_u32(self.slots, 8 * place + 4, number)

    def _clear(self, last: int) -> None:
        """Nothing is in use any more but what is in this slot: begin anew, small."""
        put_u32(self.slots, 8 * last + 4, 0)
        self.used = 1
        self._free = 0
        if self._mask >= 64 * _FIRST_SLOTS:
            self._mask = _FIRST_SLOTS - 1
            self.slots = bytearray(8 * _FIRST_SLOTS)
            self.keys = bytearray(8 * _FIRST_SLOTS)

    def copy(self) -> DigestTable:
        """A copy in which numbers mean the same."""
        twin = DigestTable()
        twin.live = self.live
        twin.used = self.used
        twin._free = self._free
        twin._mask = self._mask
        twin.slots = bytearray(self.slots)
        twin.keys = bytearray(self.keys)
        return twin

    def memory_usage(self) -> int:
        """Bytes of memory, objects included by fixed allowances."""
        return 200 + len(self.slots) + len(self.keys)

    def check(self) -> None:
        """Verify that every number in use is found; for tests."""
        numbers = [get_u32(self.slots, pos + 4) for pos in range(0, len(self.slots), 8)]
        in_use = [number for number in numbers if number]
        assert len(in_use) == len(set(in_use)) == self.live
        for number in in_use:
            assert 0 < number < self.used
            assert self.find(self.key(number)) == number
        free = 0
        number = self._free
        while number:
            assert number not in in_use
            free += 1
            number = get_u64(self.keys, 8 * number)
        assert self.live + free == self.used - 1
