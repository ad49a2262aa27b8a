"""A block written as one of Redis's stream nodes: a listpack.

A listpack is: u32 its bytes in all, u16 its elements (65535: more than that tells), the elements,
the byte 255. docs/formats/rdb.md shows the elements of a node and how each is encoded;
`streams/listpack.py` counts what is written here.
"""

from __future__ import annotations

from headwater.lists.elements import put_element, put_integer
from headwater.raw import alloc, equal, get_u32, put_u16, put_u32
from headwater.rdb.types import ENTRY_SAME_FIELDS
from headwater.streams.block import Block
from headwater.streams.ids import MAX

_HEADER_BYTES = 6
_END = 255
_ELEMENTS_UNKNOWN = 65535
_ENTRY_BYTES = 64
"""More than an entry takes beside its strings; a string takes less than in RESP."""

_KEEP_BYTES = 4 << 20
"""A buffer that had to become bigger for one block is not kept for the next."""

_SIGNED_MAX = 2**63 - 1


class Packer:
    """Writes blocks as listpacks, one after the other into the same `buf`, up to `used`.

    ms, seq: the ID of the first entry, by which Redis knows the node.
    """

    __slots__ = ("_elements", "_fields", "_names", "buf", "ms", "seq", "used")

    def __init__(self) -> None:
        self.buf = bytearray()
        self.used = 0
        self.ms = 0
        self.seq = 0
        self._fields = 0
        self._names = bytearray()  # of the first entry, where in the block: u32 start, u32 bytes
        self._elements = 0

    def pack(self, block: Block) -> None:
        """Write a block that has entries; those that are gone are left out."""
        block = block.opened()
        size = block.used - block.offset(block.first) + _ENTRY_BYTES * (block.live() + 1)
        if size > len(self.buf) or len(self.buf) > _KEEP_BYTES:
            self.buf = alloc(size + size // 4)
        self.ms, self.seq = block.entry_id(block.first)
        pos = put_integer(self.buf, _HEADER_BYTES, block.live())
        pos = put_integer(self.buf, pos, 0)
        pos = self._put_names(block, pos)
        for slot in range(block.first, block.slots):
            pos = self._put_entry(block, slot, pos)
        out = self.buf
        out[pos] = _END
        self.used = pos + 1
        put_u32(out, 0, self.used)
        elements = self._elements
        put_u16(out, 4, elements if elements < _ELEMENTS_UNKNOWN else _ELEMENTS_UNKNOWN)

    def _put_names(self, block: Block, pos: int) -> int:
        """Write the first entry's number of fields, their names and a zero."""
        source = block.data()
        out = self.buf
        at = _behind_id(source, block.offset(block.first))
        fields = _number(source, at) // 2
        at = _behind_line(source, at)
        if len(self._names) < 8 * fields:
            self._names = alloc(8 * fields)
        self._fields = fields
        self._elements = fields + 4
        pos = put_integer(out, pos, fields)
        for i in range(fields):
            n = _number(source, at)
            start = _behind_line(source, at)
            pos = put_element(out, pos, source, start, n)
            put_u32(self._names, 8 * i, at)
            put_u32(self._names, 8 * i + 4, start + n + 2 - at)
            at = start + n + 2
            at = _behind_line(source, at) + _number(source, at) + 2
        return put_integer(out, pos, 0)

    def _put_entry(self, block: Block, slot: int, pos: int) -> int:
        """Write one entry; returns the place behind it."""
        source = block.data()
        data = source
        out = self.buf
        end = block.offset(slot + 1)
        at = block.offset(slot) + 6
        while data[at] != 10:
            at += 1
        at += 1
        ms = 0
        while data[at] != 45:
            ms = ms * 10 + (data[at] - 48)
            at += 1
        at += 1
        seq = 0
        while data[at] != 13:
            seq = seq * 10 + (data[at] - 48)
            at += 1
        at += 3
        fields = 0
        while data[at] != 13:
            fields = fields * 10 + (data[at] - 48)
            at += 1
        fields = fields // 2
        at += 2
        names = self._names
        flags_pos = pos
        pos += 2
        pos = _put_difference(out, pos, ms, self.ms)
        pos = _put_difference(out, pos, seq, self.seq)
        fields_at, fields_pos = at, pos
        same = fields == self._fields
        i = 0
        while same and i < fields:
            n = get_u32(names, 8 * i + 4)
            if at + n > end or not equal(source, at, source, get_u32(names, 8 * i), n):
                same = False
            else:
                at += n + 1
                n = 0
                while data[at] != 13:
                    n = n * 10 + (data[at] - 48)
                    at += 1
                pos = put_element(out, pos, source, at + 2, n)
                at += n + 4
                i += 1
        out[flags_pos] = ENTRY_SAME_FIELDS if same else 0
        out[flags_pos + 1] = 1
        if same:
            self._elements += fields + 4
            return put_integer(out, pos, fields + 3)
        at = fields_at
        pos = put_integer(out, fields_pos, fields)
        for _ in range(2 * fields):
            at += 1
            n = 0
            while data[at] != 13:
                n = n * 10 + (data[at] - 48)
                at += 1
            pos = put_element(out, pos, source, at + 2, n)
            at += n + 4
        self._elements += 2 * fields + 5
        return put_integer(out, pos, 2 * fields + 4)


def _behind_id(source: bytearray, at: int) -> int:
    """Where the array of fields and values of an entry begins."""
    at += 4
    return _behind_line(source, at) + _number(source, at) + 2


def _behind_line(source: bytearray, at: int) -> int:
    """The place behind the next line end."""
    while source[at] != 10:
        at += 1
    return at + 1


def _number(source: bytearray, at: int) -> int:
    """The number of a head such as `$5`."""
    at += 1
    value = 0
    while source[at] != 13:
        value = value * 10 + (source[at] - 48)
        at += 1
    return value


def _put_difference(out: bytearray, pos: int, value: int, base: int) -> int:
    """Write `value - base` as Redis does: of its 64 bits the highest is the sign."""
    difference = value - base if value >= base else MAX - (base - value) + 1
    if difference <= _SIGNED_MAX:
        return put_integer(out, pos, difference)
    return put_integer(out, pos, -1 - _as_signed(MAX - difference))


def _as_signed(value: int) -> int:
    """The same number, of C's signed type when compiled; it is at most _SIGNED_MAX."""
    return value
