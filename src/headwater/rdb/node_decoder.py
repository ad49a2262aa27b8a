"""A node of a stream, as Redis writes it, into a block.

A node is a listpack: bytes in all (u32), number of elements (u16, 65535: unknown), the elements,
255. An element is its encoding, its content, and the size of both once more for the way back.
The elements of a node are

    live entries, deleted entries, fields of the first entry, the fields' names, 0
    then for each entry:  flags, ms, seq (differences to the node's ID),
                          [number of fields, names and values mixed] or [the values alone],
                          number of elements of this entry

Flag 1: the entry is deleted; flag 2: its fields are the first entry's, the values stand alone.

Guarantees: whatever the bytes are, nothing outside of the node is read, and the block has
exactly what they say, or RdbError was raised. What a small node can become is bounded.
"""

from __future__ import annotations

from headwater.raw import (
    alloc,
    copy,
    decimal_length,
    equal,
    get_i64,
    get_u16,
    get_u32,
    move,
    put_decimal,
    put_u32,
)
from headwater.rdb.source import RdbSource
from headwater.streams.block import Block
from headwater.streams.ids import MAX
from headwater.streams.listpack import integer_bytes
from headwater.streams.stream import BLOCK_MAX_BYTES, Stream

EXPANSION = 512
EXPANSION_FREE_BYTES = 256 * 1024 * 1024
"""The entries of a stream may take so many times the bytes they were read from, and these. A name
that stands once in a node stands in every entry here: a megabyte made for it would be terabytes.
What Redis writes by default grows 80 times at most."""

_HEAD_BYTES = 6
_DELETED = 1
_SAME_FIELDS = 2
_BLOCK_MAX = BLOCK_MAX_BYTES
_EXPANSION = EXPANSION
_FREE = EXPANSION_FREE_BYTES
_NO_NAMES = bytearray()


class NodeDecoder:
    """Decodes the nodes of one stream after the other; made anew for each stream.

    bytes_read: what the stream's nodes took in the file, to be counted by the caller.
    """

    __slots__ = (
        "_at",
        "_data",
        "_dead",
        "_end",
        "_entries_bytes",
        "_fields",
        "_integer",
        "_is_integer",
        "_length",
        "_master_ms",
        "_master_seq",
        "_names",
        "_names_bytes",
        "_offsets",
        "_out",
        "_pos",
        "_region",
        "_rendered",
        "_slots",
        "_source",
        "_start",
        "_tail_ms",
        "_tail_seq",
        "_written",
        "bytes_read",
    )

    def __init__(self, source: RdbSource) -> None:
        self._source = source
        self.bytes_read = 0
        self._written = 0  # bytes of entries of all nodes so far
        self._data = _NO_NAMES
        self._pos = 0
        self._end = 0  # where the 255 stands
        # the element that was read last
        self._is_integer = False
        self._integer = 0
        self._start = 0
        self._length = 0
        # the first entry's fields: as blocks keep them, as replies have them, as they were read
        self._names = _NO_NAMES
        self._names_bytes = 0
        self._rendered = _NO_NAMES
        self._region = _NO_NAMES
        self._fields = 0
        # the block that is being made
        self._out = alloc(65536)
        self._at = 0
        self._offsets = alloc(1024)
        self._slots = 0
        self._dead = 0
        self._entries_bytes = 0
        self._master_ms = 0
        self._master_seq = 0
        self._tail_ms = 0
        self._tail_seq = 0

    def decode(
        self, stream: Stream, data: bytearray, start: int, length: int, ms: int, seq: int
    ) -> None:
        """Append the entries of a node, whose ID is given, as a block.

        A node of more than BLOCK_MAX_BYTES becomes several blocks, so approximate trimming
        stops at more places there than in Redis.
        """
        if length < _HEAD_BYTES + 1 or get_u32(data, start) != length:
            self._source.fail("a stream's node has another length than it says")
        self._data = data
        self._pos = start + _HEAD_BYTES
        self._end = start + length - 1
        if data[self._end] != 255:
            self._source.fail("a stream's node has no end")
        if stream.length != 0 and not is_above(ms, seq, stream.last_ms, stream.last_seq):
            self._source.fail("the nodes of a stream are not in the order of their IDs")
        live = self._number()
        dead = self._number()
        fields = self._number()
        if fields < 1 or fields > length:
            self._source.fail("a stream's node has no fields")
        elements = 4 + fields
        self._read_names(fields)
        self._master_ms = ms
        self._master_seq = seq
        self._at = 0
        self._slots = 0
        self._dead = 0
        self._entries_bytes = 0
        self._tail_ms = ms
        self._tail_seq = seq
        last_ms = ms
        last_seq = seq
        found_live = 0
        found_dead = 0
        while self._pos < self._end:
            entry_start = self._pos
            flags = self._number()
            if flags < 0 or flags > _DELETED + _SAME_FIELDS:
                self._source.fail("an entry of a stream has flags that nobody knows")
            entry_ms = add_wrapping(ms, self._number())
            entry_seq = add_wrapping(seq, self._number())
            fields = self._fields
            parts = fields + 3
            if not flags & _SAME_FIELDS:
                fields = self._number()
                if fields < 1 or fields > length:
                    self._source.fail("an entry of a stream has no fields")
                parts = 2 * fields + 4
            if flags & _DELETED:
                found_dead += 1
                self._dead += 1
                self._skip(parts - 3 if flags & _SAME_FIELDS else parts - 4)
            else:
                if (
                    not is_above(entry_ms, entry_seq, last_ms, last_seq)
                    and (found_live != 0 or entry_ms != ms or entry_seq != seq)
                ) or (entry_ms == 0 and entry_seq == 0):
                    self._source.fail("the entries of a stream are not in the order of their IDs")
                found_live += 1
                last_ms = entry_ms
                last_seq = entry_seq
                before = self._at
                self._write_head(entry_ms, entry_seq, 2 * fields)
                if flags & _SAME_FIELDS:
                    self._write_values(fields)
                else:
                    self._write_pairs(fields)
                self._close_entry(stream, before, entry_ms, entry_seq)
            if self._number() != parts:
                self._source.fail("an entry of a stream has another size than it says")
            elements += parts + 1
            self._entries_bytes += self._pos - entry_start
            self._tail_ms = entry_ms
            self._tail_seq = entry_seq
        if found_live != live or found_dead != dead:
            self._source.fail("a stream's node has another number of entries than it says")
        said = get_u16(data, start + 4)
        if said != 65535 and said != elements:
            self._source.fail("a stream's node has another number of elements than it says")
        if self._slots != 0:
            self._add_block(stream, self._at)

    # --- elements ---

    def _element(self) -> None:
        """Read the next element: an integer, or `_length` bytes of `_data` from `_start` on."""
        data = self._data
        pos = self._pos
        left = self._end - pos
        if left < 2:
            self._source.fail("a stream's node ends in the middle of an entry")
        first = data[pos]
        if first < 0x80:
            self._is_integer = True
            self._integer = first
            size = 1
        elif first < 0xC0:
            self._is_integer = False
            self._start = pos + 1
            self._length = first & 0x3F
            size = 1 + self._length
        elif first < 0xE0:
            self._is_integer = True
            value = ((first & 0x1F) << 8) | data[pos + 1]
            self._integer = value - 8192 if value >= 4096 else value
            size = 2
        elif first < 0xF0:
            self._is_integer = False
            self._start = pos + 2
            self._length = ((first & 0x0F) << 8) | data[pos + 1]
            size = 2 + self._length
        elif left < 6:
            # The last element of a node is short: the number of elements of an entry.
            size = self._short_integer(first)
        elif first == 0xF0:
            self._is_integer = False
            self._start = pos + 5
            self._length = get_u32(data, pos + 1)
            size = 5 + self._length
        elif first == 0xF4:
            if left < 10:
                self._source.fail("a stream's node ends in the middle of an entry")
            self._is_integer = True
            self._integer = get_i64(data, pos + 1)
            size = 9
        else:
            size = self._short_integer(first)
        if size >= left:
            self._source.fail("a stream's node ends in the middle of an entry")
        pos += size
        if size <= 127:
            if data[pos] != size:
                self._source.fail("an element of a stream's node has two sizes")
            self._pos = pos + 1
        else:
            self._pos = self._behind_size(pos, size)

    def _short_integer(self, first: int) -> int:
        """Read an integer of 2, 3 or 4 bytes; the size with its first byte."""
        n = 0
        if first == 0xF1:
            n = 2
        elif first == 0xF2:
            n = 3
        elif first == 0xF3:
            n = 4
        if n == 0:
            self._source.fail("an element of a stream's node has no known encoding")
        if self._end - self._pos < n + 2:
            self._source.fail("a stream's node ends in the middle of an entry")
        data = self._data
        value = 0
        for i in range(n, 0, -1):
            value = (value << 8) | data[self._pos + i]
        bound = (1 << 31) >> (8 * (4 - n))
        self._is_integer = True
        self._integer = value - 2 * bound if value >= bound else value
        return n + 1

    def _behind_size(self, pos: int, size: int) -> int:
        """Check the size behind an element of more than 127 bytes; the place behind it."""
        if size < 16383:
            n = 2
        elif size < 2097151:
            n = 3
        elif size < 268435455:
            n = 4
        else:
            n = 5
        if n > self._end - pos:
            self._source.fail("a stream's node ends in the middle of an entry")
        data = self._data
        value = data[pos]
        ok = value < 128
        for i in range(pos + 1, pos + n):
            ok = ok and data[i] >= 128
            value = (value << 7) | (data[i] & 127)
        if not ok or value != size:
            self._source.fail("an element of a stream's node has two sizes")
        return pos + n

    def _number(self) -> int:
        """Read an element that must be an integer."""
        self._element()
        if not self._is_integer:
            self._source.fail("a string stands where a stream's node has a number")
        return self._integer

    def _skip(self, n: int) -> None:
        for _ in range(n):
            self._element()

    # --- names of fields ---

    def _read_names(self, fields: int) -> None:
        """Read the first entry's names and the mark behind; mostly the last node's again."""
        start = self._pos
        n = len(self._region)
        if (
            fields == self._fields
            and n <= self._end - start
            and equal(self._region, 0, self._data, start, n)
        ):
            self._pos = start + n
        else:
            self._at = 0
            for _ in range(fields):
                self._element()
                self._write_element()
            n = self._pos - start
            self._region = alloc(n)
            copy(self._region, 0, self._data, start, n)
            self._keep_names(fields)
            # As long as its smallest encoding, which is what Redis chooses.
            self._names_bytes = n + 2 + integer_bytes(fields)
        if self._number() != 0:
            self._source.fail("a stream's node has no mark behind the names of its fields")

    def _keep_names(self, fields: int) -> None:
        """Keep the names just written to `_out` in both forms.

        `_names` is what Block compares with: u32 length and name, for each. `_rendered` has a u32
        before each name as it is written, its length there.
        """
        out = self._out
        names = alloc(self._at)
        rendered = alloc(self._at + 4 * fields)
        pos = used = used_rendered = 0
        for _ in range(fields):
            begin = pos
            n = 0
            pos += 1
            while out[pos] != 13:
                n = 10 * n + (out[pos] - 48)
                pos += 1
            pos += 2
            put_u32(names, used, n)
            copy(names, used + 4, out, pos, n)
            used += n + 4
            pos += n + 2
            put_u32(rendered, used_rendered, pos - begin)
            copy(rendered, used_rendered + 4, out, begin, pos - begin)
            used_rendered += 4 + pos - begin
        self._names = alloc(used)
        copy(self._names, 0, names, 0, used)
        self._rendered = rendered
        self._fields = fields

    # --- entries ---

    def _write_head(self, ms: int, seq: int, values: int) -> None:
        """Write what an entry begins with: its ID and how many fields and values follow."""
        self._make_room(80)
        out = self._out
        pos = self._at
        if 4 * self._slots + 4 > len(self._offsets):
            bigger = alloc(2 * len(self._offsets))
            copy(bigger, 0, self._offsets, 0, 4 * self._slots)
            self._offsets = bigger
        put_u32(self._offsets, 4 * self._slots, pos)
        out[pos] = 42
        out[pos + 1] = 50
        out[pos + 2] = 13
        out[pos + 3] = 10
        out[pos + 4] = 36
        pos = put_decimal(out, pos + 5, decimal_length(ms) + 1 + decimal_length(seq))
        out[pos] = 13
        out[pos + 1] = 10
        pos = put_decimal(out, pos + 2, ms)
        out[pos] = 45
        pos = put_decimal(out, pos + 1, seq)
        out[pos] = 13
        out[pos + 1] = 10
        out[pos + 2] = 42
        pos = put_decimal(out, pos + 3, values)
        out[pos] = 13
        out[pos + 1] = 10
        self._at = pos + 2

    def _write_values(self, fields: int) -> None:
        """Write the first entry's names, each with a value that is read."""
        rendered = self._rendered
        pos = 0
        for _ in range(fields):
            n = get_u32(rendered, pos)
            self._make_room(n)
            copy(self._out, self._at, rendered, pos + 4, n)
            self._at += n
            pos += n + 4
            self._element()
            self._write_element()

    def _write_pairs(self, fields: int) -> None:
        """Write names and values that are read."""
        for _ in range(2 * fields):
            self._element()
            self._write_element()

    def _write_element(self) -> None:
        """Write the element just read as a bulk string."""
        if not self._is_integer:
            n = self._length
            self._make_room(n + 32)
            out = self._out
            out[self._at] = 36
            pos = put_decimal(out, self._at + 1, n)
            out[pos] = 13
            out[pos + 1] = 10
            copy(out, pos + 2, self._data, self._start, n)
            pos += n + 2
        else:
            self._make_room(32)
            out = self._out
            out[self._at] = 36
            if self._integer >= 0:
                value = as_unsigned(self._integer)
                pos = put_decimal(out, self._at + 1, decimal_length(value))
                out[pos] = 13
                out[pos + 1] = 10
                pos = put_decimal(out, pos + 2, value)
            else:
                value = as_unsigned(-1 - self._integer) + 1
                pos = put_decimal(out, self._at + 1, decimal_length(value) + 1)
                out[pos] = 13
                out[pos + 1] = 10
                out[pos + 2] = 45
                pos = put_decimal(out, pos + 3, value)
        out[pos] = 13
        out[pos + 1] = 10
        self._at = pos + 2

    def _make_room(self, n: int) -> None:
        if self._at + n > len(self._out):
            if self._written + self._at + n > _FREE + _EXPANSION * self.bytes_read:
                self._source.fail("the entries of a stream become too big for what they came from")
            bigger = alloc(2 * len(self._out) + n)
            copy(bigger, 0, self._out, 0, self._at)
            self._out = bigger

    def _close_entry(self, stream: Stream, before: int, ms: int, seq: int) -> None:
        """Count the entry that begins at `before`; in a block of its own if it is too much."""
        if self._at > _BLOCK_MAX and self._slots > 0:
            size = self._at - before
            self._add_block(stream, before)
            move(self._out, 0, before, size)
            self._at = size
            self._slots = 0
            put_u32(self._offsets, 0, 0)
            self._dead = 0
            self._entries_bytes = 0
            self._master_ms = ms
            self._master_seq = seq
        self._slots += 1

    def _add_block(self, stream: Stream, size: int) -> None:
        """Append the block of the entries that were counted, the first `size` bytes."""
        self._written += size
        if self._written > _FREE + _EXPANSION * self.bytes_read:
            self._source.fail("the entries of a stream become too big for what they came from")
        block = Block(0)
        block.load(self._out, size, self._offsets, self._slots)
        block.load_history(self._dead, self._entries_bytes, self._tail_ms, self._tail_seq)
        block.load_master(
            self._names, self._names_bytes, self._fields, self._master_ms, self._master_seq
        )
        stream.add_block(block)


def is_above(ms1: int, seq1: int, ms2: int, seq2: int) -> bool:
    """Tell whether the first ID is above the second."""
    return ms1 > ms2 or (ms1 == ms2 and seq1 > seq2)


def add_wrapping(base: int, difference: int) -> int:
    """An unsigned number and a signed difference, in 64 bits as Redis adds them."""
    if difference >= 0:
        up = as_unsigned(difference)
        return base + up if base <= MAX - up else base - (MAX - up) - 1
    down = as_unsigned(-1 - difference)
    return base - down - 1 if base > down else base + (MAX - down)


def as_unsigned(value: int) -> int:
    """The same number, which is not negative, of C's unsigned type when compiled."""
    return value
