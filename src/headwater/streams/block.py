"""A run of consecutive entries, stored as the bytes a reader is sent.

    *2 CRLF  $<n> CRLF <ms>-<seq> CRLF  *<2k> CRLF  then k times  $<n> CRLF <field> CRLF
    $<n> CRLF <value> CRLF

`buf` holds entries back to back; `offsets` holds where each begins (u32 each, little-endian).
Entries are numbered by slot; the live ones are the slots from `first` up to `slots`.

Guarantees (invariant 5): the bytes below `used` never change. Only the stream's last block can
be open: entries are appended to it, and its first entries can be dropped by raising `first`. A
sealed block never changes at all; dropping an entry gives a new block, and so does appending,
should it have become the last one again. So a reply or a snapshot may hold a block for as long
as it likes.

A block ends where a node of Redis would (see listpack.py), so it also counts entries that are
gone (`dead`), remembers the field names of the first entry it ever had (`master`) and the ID of
the last one (`tail`), which may be gone too.
"""

from __future__ import annotations

from headwater.raw import (
    alloc,
    copy,
    decimal_length,
    equal,
    get_u32,
    put_decimal,
    put_u32,
)
from headwater.resp.request import Request
from headwater.streams.ids import MAX
from headwater.streams.listpack import HEAD_BYTES, element_bytes, integer_bytes

_SLOTS_AT_START = 4
_SIGNED_MAX = 2**63 - 1
_EMPTY = bytearray()


class Block:
    """Up to `stream-node-max-entries` entries; see the module's text."""

    __slots__ = (
        "_master",
        "_master_bytes",
        "_master_fields",
        "_master_ms",
        "_master_seq",
        "buf",
        "capacity",
        "dead",
        "entries_bytes",
        "first",
        "last_ms",
        "last_seq",
        "offsets",
        "sealed",
        "slots",
        "tail_ms",
        "tail_seq",
        "used",
    )

    def __init__(self, capacity: int) -> None:
        self.buf = alloc(capacity)
        self.capacity = capacity
        self.used = 0
        self.offsets = alloc(4 * _SLOTS_AT_START)
        self.slots = 0
        self.first = 0
        self.dead = 0
        self.sealed = False
        self.last_ms = 0
        self.last_seq = 0
        self.tail_ms = 0
        self.tail_seq = 0
        self.entries_bytes = 0
        self._master = _EMPTY
        self._master_bytes = 0
        self._master_fields = 0
        self._master_ms = 0
        self._master_seq = 0

    # --- reading ---

    def live(self) -> int:
        """Number of entries."""
        return self.slots - self.first

    def offset(self, slot: int) -> int:
        """Where the entry of a slot begins; `slots` gives where the last one ends."""
        if slot == self.slots:
            return self.used
        return get_u32(self.offsets, 4 * slot)

    def entry_id(self, slot: int) -> tuple[int, int]:
        """The ID of a slot's entry, read from its bytes."""
        buf = self.buf
        pos = get_u32(self.offsets, 4 * slot) + 8
        if buf[pos - 2] != 13:
            pos += 1
        ms = 0
        c = buf[pos]
        while c != 45:
            ms = ms * 10 + (c - 48)
            pos += 1
            c = buf[pos]
        seq = 0
        pos += 1
        c = buf[pos]
        while c != 13:
            seq = seq * 10 + (c - 48)
            pos += 1
            c = buf[pos]
        return ms, seq

    def find(self, ms: int, seq: int) -> int:
        """The first live slot whose ID is at or above this one; `slots` when all are below."""
        low, high = self.first, self.slots
        while low < high:
            middle = (low + high) // 2
            m, s = self.entry_id(middle)
            if m < ms or (m == ms and s < seq):
                low = middle + 1
            else:
                high = middle
        return low

    def listpack_bytes(self) -> int:
        """What Redis's node of the same history would take."""
        counts = integer_bytes(self.slots - self.first) + integer_bytes(self.dead)
        return HEAD_BYTES + counts + self._master_bytes + self.entries_bytes

    # --- appending, while open ---

    def follow(self, other: Block) -> None:
        """Share the field names of the block before, which are mostly this one's too."""
        self._master = other._master
        self._master_bytes = other._master_bytes
        self._master_fields = other._master_fields

    def append(self, ms: int, seq: int, request: Request, arg: int, fields: int) -> None:
        """Append an entry whose fields and values are the request's arguments from `arg` on.

        The request is wellformed, and its argument 2 * fields from `arg` is the last one used.
        """
        last = arg + 2 * fields - 1
        span = request.start(arg) - 3 - decimal_length(request.length(arg))
        span_bytes = request.start(last) + request.length(last) + 2 - span
        id_bytes = decimal_length(ms) + 1 + decimal_length(seq)
        size = 12 + decimal_length(id_bytes) + id_bytes + decimal_length(2 * fields) + span_bytes
        if self.used + size > self.capacity:
            self._grow(size)
        if 4 * self.slots + 4 > len(self.offsets):
            self._grow_offsets()
        self._count_as_listpack(ms, seq, request, arg, fields)
        put_u32(self.offsets, 4 * self.slots, self.used)
        buf, pos = self.buf, self.used
        buf[pos] = 42
        buf[pos + 1] = 50
        buf[pos + 2] = 13
        buf[pos + 3] = 10
        buf[pos + 4] = 36
        pos = put_decimal(buf, pos + 5, id_bytes)
        buf[pos] = 13
        buf[pos + 1] = 10
        pos = put_decimal(buf, pos + 2, ms)
        buf[pos] = 45
        pos = put_decimal(buf, pos + 1, seq)
        buf[pos] = 13
        buf[pos + 1] = 10
        buf[pos + 2] = 42
        pos = put_decimal(buf, pos + 3, 2 * fields)
        buf[pos] = 13
        buf[pos + 1] = 10
        copy(buf, pos + 2, request.buf, span, span_bytes)
        self.used += size
        self.slots += 1
        self.last_ms = self.tail_ms = ms
        self.last_seq = self.tail_seq = seq

    def _grow(self, size: int) -> None:
        capacity = self.used + size + self.used // 2
        bigger = alloc(capacity)
        copy(bigger, 0, self.buf, 0, self.used)
        self.buf = bigger
        self.capacity = capacity

    def _grow_offsets(self) -> None:
        n = 4 * self.slots
        bigger = alloc(n + n // 2 + 16)
        copy(bigger, 0, self.offsets, 0, n)
        self.offsets = bigger

    def _count_as_listpack(
        self, ms: int, seq: int, request: Request, arg: int, fields: int
    ) -> None:
        """Add to `entries_bytes` what the entry takes in Redis's node.

        There an entry is: flags, ID as differences to the node's first, the number of fields
        and their names unless they are the first entry's, the values, the number of elements.
        """
        buf = request.buf
        same = fields == self._master_fields and self._same_fields(request, arg, fields)
        if self.slots == 0:
            self._master_ms = ms
            self._master_seq = seq
            if not same:
                self._become_master(request, arg, fields)
                same = True
        elements = fields + 3
        size = 2 + _difference_bytes(ms, self._master_ms) + _difference_bytes(seq, self._master_seq)
        for i in range(arg, arg + 2 * fields, 2):
            if not same:
                size += element_bytes(buf, request.start(i), request.length(i))
            size += element_bytes(buf, request.start(i + 1), request.length(i + 1))
        if not same:
            elements += fields + 1
            size += integer_bytes(fields)
        self.entries_bytes += size + integer_bytes(elements)

    def _become_master(self, request: Request, arg: int, fields: int) -> None:
        """Keep the field names, with which those of later entries are compared."""
        size = 0
        for i in range(arg, arg + 2 * fields, 2):
            size += request.length(i) + 4
        names = alloc(size)
        bytes_in_listpack = integer_bytes(fields) + 2
        pos = 0
        for i in range(arg, arg + 2 * fields, 2):
            n = request.length(i)
            put_u32(names, pos, n)
            copy(names, pos + 4, request.buf, request.start(i), n)
            bytes_in_listpack += element_bytes(names, pos + 4, n)
            pos += n + 4
        self._master = names
        self._master_bytes = bytes_in_listpack
        self._master_fields = fields

    def _same_fields(self, request: Request, arg: int, fields: int) -> bool:
        names, pos = self._master, 0
        for i in range(arg, arg + 2 * fields, 2):
            n = request.length(i)
            if get_u32(names, pos) != n:
                return False
            if not equal(names, pos + 4, request.buf, request.start(i), n):
                return False
            pos += n + 4
        return True

    def seal(self) -> None:
        """Give back the room that appending would need; nothing is appended any more."""
        self.sealed = True
        if self.capacity - self.used > self.capacity // 8:
            exact = alloc(self.used)
            copy(exact, 0, self.buf, 0, self.used)
            self.buf = exact
            self.capacity = self.used
        if len(self.offsets) > 4 * self.slots + 32:
            tight = alloc(4 * self.slots)
            copy(tight, 0, self.offsets, 0, 4 * self.slots)
            self.offsets = tight

    # --- loading ---

    def load(self, entries: bytearray, n: int, offsets: bytearray, slots: int) -> None:
        """Take over `slots` entries, `n` bytes as a block stores them, of a new block.

        `offsets` tells where each begins. Both are copied; there is no room for more yet.
        """
        self.buf = alloc(n)
        self.capacity = n
        copy(self.buf, 0, entries, 0, n)
        self.used = n
        self.offsets = alloc(4 * slots)
        copy(self.offsets, 0, offsets, 0, 4 * slots)
        self.slots = slots
        if slots > 0:
            self.last_ms, self.last_seq = self.entry_id(slots - 1)
            self.tail_ms = self.last_ms
            self.tail_seq = self.last_seq

    def load_history(self, dead: int, entries_bytes: int, tail_ms: int, tail_seq: int) -> None:
        """Take over what a loaded block remembers of entries that are gone.

        `entries_bytes` is what all its entries took in Redis's node, the gone ones too; the tail
        is the last one of them all.
        """
        self.dead = dead
        self.entries_bytes = entries_bytes
        self.tail_ms = tail_ms
        self.tail_seq = tail_seq

    def load_master(
        self, names: bytearray, names_bytes: int, fields: int, ms: int, seq: int
    ) -> None:
        """Take over the first entry's field names and ID; `names` is shared, never changed.

        `names_bytes` is what they take in Redis's node, with their number and the end mark.
        """
        self._master = names
        self._master_bytes = names_bytes
        self._master_fields = fields
        self._master_ms = ms
        self._master_seq = seq

    # --- dropping entries ---

    def twin(self) -> Block:
        """A block of the same entries that shares their bytes, of a sealed one; sealed too."""
        other = Block(0)
        other.sealed = True
        other.buf = self.buf
        other.capacity = self.capacity
        other.used = self.used
        other.offsets = self.offsets
        other.slots = self.slots
        other.first = self.first
        other._take_history(self)
        return other

    def own(self) -> Block:
        """A block of the same entries with bytes of its own, which may be appended to."""
        return self._without(self.slots)

    def without(self, slot: int) -> Block:
        """A block of all live entries but this slot's; there must be another one.

        Sealed if this one is.
        """
        other = self._without(slot)
        other.sealed = self.sealed
        other.dead += 1
        if slot == self.slots - 1:
            other.last_ms, other.last_seq = self.entry_id(slot - 1)
        return other

    def _without(self, slot: int) -> Block:
        start = self.offset(self.first)
        cut_start = self.offset(slot)
        cut_end = self.offset(slot + 1) if slot < self.slots else cut_start
        other = Block(self.capacity - start)
        copy(other.buf, 0, self.buf, start, cut_start - start)
        copy(other.buf, cut_start - start, self.buf, cut_end, self.used - cut_end)
        other.used = self.used - start - (cut_end - cut_start)
        live = self.slots - self.first
        other.offsets = alloc(4 * live + 16)
        for i in range(self.first, self.slots):
            if i < slot:
                put_u32(other.offsets, 4 * other.slots, self.offset(i) - start)
                other.slots += 1
            elif i > slot:
                moved = self.offset(i) - start - (cut_end - cut_start)
                put_u32(other.offsets, 4 * other.slots, moved)
                other.slots += 1
        other._take_history(self)
        return other

    def _take_history(self, other: Block) -> None:
        self.dead = other.dead
        self.last_ms = other.last_ms
        self.last_seq = other.last_seq
        self.tail_ms = other.tail_ms
        self.tail_seq = other.tail_seq
        self.entries_bytes = other.entries_bytes
        self._master = other._master
        self._master_bytes = other._master_bytes
        self._master_fields = other._master_fields
        self._master_ms = other._master_ms
        self._master_seq = other._master_seq

    def drop_first(self, n: int) -> None:
        """Drop the first `n` live entries; only of an open block or one nobody else has seen."""
        self.first += n
        self.dead += n

    def memory_bytes(self) -> int:
        """Bytes allocated, with a fixed allowance for the objects themselves."""
        return 320 + self.capacity + len(self.offsets) + len(self._master)


def _difference_bytes(value: int, base: int) -> int:
    """Size of the element that holds `value - base`; Redis keeps it in 64 signed bits."""
    difference = value - base if value >= base else MAX - (base - value) + 1
    if difference <= _SIGNED_MAX:
        return integer_bytes(difference)
    return integer_bytes(-1 - _as_signed(MAX - difference))


def _as_signed(value: int) -> int:
    """The same number, of C's signed type when compiled; it is at most _SIGNED_MAX."""
    return value
