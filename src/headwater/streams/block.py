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

A sealed block may be packed: `packed` has its entries compressed, and `buf` and `offsets` are None
until somebody reads it, and again some time later. So everybody else reads through `data`,
`offset`, `entry_id`, `find`, or goes through a whole block with `opened`.

A block ends where a node of Redis would (see listpack.py), so it also counts entries that are
gone (`dead`), remembers the field names of the first entry it ever had (`master`) and the ID of
the last one (`tail`), which may be gone too.
"""

from __future__ import annotations

from typing import Any

from headwater.raw import (
    alloc,
    copy,
    copy_bytes,
    decimal_length,
    equal,
    get_u32,
    put_decimal,
    put_u32,
)
from headwater.resp.reply import Reply
from headwater.resp.request import Request
from headwater.streams.codec import Packed
from headwater.streams.ids import MAX
from headwater.streams.listpack import HEAD_BYTES, element_bytes, integer_bytes

_SLOTS_AT_START = 4
_SIGNED_MAX = 2**63 - 1
_EMPTY = bytearray()
_UNPACK_FIRST: Any = None  # what stands for the bytes of a packed block

RAW, WAITING, PACKED, REFUSED = 0, 1, 2, 3
"""Whether a sealed block is packed: no; it is about to be; yes; no, since that would not pay."""

_PACKED = PACKED  # the same as a C number


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
        "form",
        "last_ms",
        "last_seq",
        "offsets",
        "packed",
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
        self.form = 0
        self.packed: Packed | None = None
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

    def live_bytes(self) -> int:
        """Bytes of the entries, as they are stored."""
        return self.used - self.offset(self.first)

    def offset(self, slot: int) -> int:
        """Where the entry of a slot begins; `slots` gives where the last one ends."""
        if slot == self.slots:
            return self.used
        if slot == 0:
            return 0
        if self.offsets is None:
            self._unpack()
        return get_u32(self.offsets, 4 * slot)

    def data(self) -> bytearray:
        """The bytes of the entries, up to `used`; whoever holds them may rely on them."""
        if self.buf is None:
            self._unpack()
        return self.buf

    def entry_id(self, slot: int) -> tuple[int, int]:
        """The ID of a slot's entry, read from its bytes."""
        if self.buf is None:
            self._unpack()
        return self._id_at(slot)

    def _id_at(self, slot: int) -> tuple[int, int]:
        return id_at(self.buf, get_u32(self.offsets, 4 * slot))

    def write_id(self, slot: int, reply: Reply) -> None:
        """Write the ID of a slot's entry as a bulk string: it lies in the entry as one."""
        buf = self.data()
        pos = get_u32(self.offsets, 4 * slot) + 4
        # Behind $ the length of the ID in one or two digits, CRLF, the ID, CRLF.
        n = buf[pos + 1] - 48
        if buf[pos + 2] == 13:
            n += 6
        else:
            n = 10 * n + buf[pos + 2] - 48 + 7
        reply.span(buf, pos, n)

    def find(self, ms: int, seq: int) -> int:
        """The first live slot whose ID is at or above this one; `slots` when all are below."""
        if self.buf is None:
            self._unpack()
        low, high = self.first, self.slots
        while low < high:
            middle = (low + high) // 2
            m, s = self._id_at(middle)
            if m < ms or (m == ms and s < seq):
                low = middle + 1
            else:
                high = middle
        return low

    def listpack_bytes(self) -> int:
        """What Redis's node of the same history would take."""
        counts = 4
        if self.slots - self.first > 127 or self.dead > 127:
            counts = integer_bytes(self.slots - self.first) + integer_bytes(self.dead)
        return HEAD_BYTES + counts + self._master_bytes + self.entries_bytes

    # --- appending, while open ---

    def follow(self, other: Block) -> None:
        """Expect as many entries as the block before had, and share its field names.

        They are mostly this one's too.
        """
        if other.slots > _SLOTS_AT_START:
            self.offsets = alloc(4 * other.slots)
        self._master = other._master
        self._master_bytes = other._master_bytes
        self._master_fields = other._master_fields

    def append(self, ms: int, seq: int, request: Request, arg: int, fields: int) -> None:
        """Append an entry whose fields and values are the request's arguments from `arg` on.

        The request is wellformed, and its argument 2 * fields from `arg` is the last one used.
        """
        last = 2 * (arg + 2 * fields - 1)
        span = request.spans[2 * arg] - 3 - decimal_length(request.spans[2 * arg + 1])
        span_bytes = request.spans[last] + request.spans[last + 1] + 2 - span
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
        names, at = self._master, 0
        same = fields == self._master_fields
        elements = fields + 3
        size = 2
        for i in range(2 * arg, 2 * (arg + 2 * fields), 4):
            if same:
                n = request.spans[i + 1]
                same = get_u32(names, at) == n and equal(names, at + 4, buf, request.spans[i], n)
                at += n + 4
            pos = request.spans[i + 2]
            n = request.spans[i + 3]
            if 0 < n < 64 and buf[pos] > 57:
                size += n + 2  # a short string, certainly no integer
            else:
                size += element_bytes(buf, pos, n)
        if self.slots == 0:
            self._master_ms = ms
            self._master_seq = seq
            if not same:
                self._become_master(request, arg, fields)
                same = True
        if not same:
            elements += fields + 1
            size += integer_bytes(fields)
            for i in range(arg, arg + 2 * fields, 2):
                size += element_bytes(buf, request.start(i), request.length(i))
        size += _difference_bytes(ms, self._master_ms) + _difference_bytes(seq, self._master_seq)
        self.entries_bytes += size + (2 if elements <= 127 else integer_bytes(elements))

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

    def seal(self) -> None:
        """Give back the room that appending would need; nothing is appended any more.

        A block that is sealed already stays as it is: it may be packed, or held by others.
        """
        if self.sealed:
            return
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

    # --- packing ---

    def to_pack(self) -> bytearray:
        """What is to be compressed: the entries, and the length of each; of a sealed block."""
        raw = alloc(self.used + 4 * self.slots)
        copy(raw, 0, self.buf, 0, self.used)
        end = self.used
        slot = self.slots
        while slot > 0:
            slot -= 1
            start = self.offset(slot)
            put_u32(raw, self.used + 4 * slot, end - start)
            end = start
        return raw

    def pack(self, packed: Packed) -> None:
        """Give up the bytes for what `to_pack` gave, compressed."""
        self.packed = packed
        self.form = _PACKED
        self.capacity = len(packed.data)
        self.buf = _UNPACK_FIRST
        self.offsets = _UNPACK_FIRST

    def opened(self) -> Block:
        """A block with the same entries that lie there unpacked, for reading it once.

        What had to be unpacked for it is not kept.
        """
        if self.buf is not None:
            return self
        other = Block(0)
        other.sealed = True
        other.used = other.capacity = self.used
        other.slots = self.slots
        other.first = self.first
        other._take_history(self)
        other._unpack_from(self)
        return other

    def drop_copy(self) -> int:
        """Forget what was unpacked; returns how many bytes it was kept as."""
        if self.packed is not None:
            self.buf = _UNPACK_FIRST
            self.offsets = _UNPACK_FIRST
        return self.used + 8 * self.slots

    def _unpack(self) -> None:
        """Unpack and keep the copy for a while."""
        self._unpack_from(self)
        packed = self.packed
        assert packed is not None
        packed.codec.keep(self, self.used + 8 * self.slots)

    def _unpack_from(self, other: Block) -> None:
        packed = other.packed
        assert packed is not None
        used = self.used
        codec = packed.codec
        raw = codec.unpack(packed.data, used + 4 * self.slots)
        buf = alloc(used + 4 * self.slots)
        copy_bytes(buf, 0, raw)
        offsets = alloc(4 * self.slots)
        at = 0
        for slot in range(self.slots):
            put_u32(offsets, 4 * slot, at)
            at += get_u32(buf, used + 4 * slot)
        if at != used:
            raise RuntimeError("a packed block of a stream is damaged: its entries do not fit")
        self.buf = buf
        self.offsets = offsets

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
        """A block of the same entries that shares their bytes, of a sealed one; sealed too.

        So is an unpacked copy: who takes one entry after the other away need not unpack each time.
        """
        other = Block(0)
        other.sealed = True
        packed = self.packed
        if packed is not None:
            other.pack(packed)
            other.buf = self.buf
            other.offsets = self.offsets
        else:
            other.buf = self.buf
            other.offsets = self.offsets
            other.capacity = self.capacity
        other.used = self.used
        other.slots = self.slots
        other.first = self.first
        other._take_history(self)
        if packed is not None and other.buf is not None:
            # Counted like one of its own: this block's goes at another time.
            codec = packed.codec
            codec.keep(other, other.used + 8 * other.slots)
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
        other = Block((self.capacity if self.packed is None else self.used) - start)
        buf = self.data()
        copy(other.buf, 0, buf, start, cut_start - start)
        copy(other.buf, cut_start - start, buf, cut_end, self.used - cut_end)
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
        """Bytes allocated, with a fixed allowance for the objects themselves.

        An unpacked copy of a packed block is not counted: it goes by itself.
        """
        if self.packed is not None:
            return 320 + self.capacity + len(self._master)
        return 320 + self.capacity + len(self.offsets) + len(self._master)


def id_at(buf: bytearray, pos: int) -> tuple[int, int]:
    """The ID of the entry that is stored at `pos`."""
    # Behind *2 CRLF $ the length of the ID in one or two digits, CRLF.
    pos += 8
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


def _difference_bytes(value: int, base: int) -> int:
    """Size of the element that holds `value - base`; Redis keeps it in 64 signed bits."""
    if base <= value <= base + 127:
        return 2
    difference = value - base if value >= base else MAX - (base - value) + 1
    if difference <= _SIGNED_MAX:
        return integer_bytes(difference)
    return integer_bytes(-1 - _as_signed(MAX - difference))


def _as_signed(value: int) -> int:
    """The same number, of C's signed type when compiled; it is at most _SIGNED_MAX."""
    return value
