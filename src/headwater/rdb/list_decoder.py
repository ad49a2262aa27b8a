"""Lists read from RDB, in all forms that Redis has written them.

    LIST              a number of items, each a string
    LIST_ZIPLIST      a string that is a ziplist
    LIST_QUICKLIST    a number of nodes, each a string that is a ziplist
    LIST_QUICKLIST_2  a number of nodes, each its kind (1: one item, 2: a listpack) and a string

Everything is checked: a listpack or ziplist must be whole, its parts must lie one behind the
other and fill it, and say the right size before and behind. What is broken raises RdbError.
"""

from __future__ import annotations

from headwater.lists.elements import back_bytes, size_at, text_at, text_length, text_span
from headwater.lists.limits import DEFAULT_FILL
from headwater.lists.list import List
from headwater.lists.node import HEAD_BYTES, Node
from headwater.raw import get_i64, get_u16, get_u32, monotonic_us
from headwater.rdb.source import RdbSource, big_endian
from headwater.rdb.types import (
    LIST_NODE_PACKED,
    LIST_NODE_PLAIN,
    TYPE_LIST,
    TYPE_LIST_QUICKLIST,
    TYPE_LIST_QUICKLIST_2,
    TYPE_LIST_ZIPLIST,
)

LIST_TYPES = (TYPE_LIST, TYPE_LIST_ZIPLIST, TYPE_LIST_QUICKLIST, TYPE_LIST_QUICKLIST_2)

_ITEMS_A_LOOK = 1024  # at the clock
_ITEM_MAX_BYTES = (1 << 32) - 1024  # as commands take them; places in a node have 32 bits
_NODE_MAX_BYTES = 1 << 31  # Redis 7.0 has single items of up to a gigabyte in listpacks
_HEAD_BYTES = HEAD_BYTES  # the same as C numbers
_PACKED, _PLAIN = LIST_NODE_PACKED, LIST_NODE_PLAIN
_ITEMS, _ZIPLIST, _QUICKLIST_2 = TYPE_LIST, TYPE_LIST_ZIPLIST, TYPE_LIST_QUICKLIST_2
_END = 255
_UNKNOWN = 65535
_HEADER_BYTES = 6
_ZIPLIST_HEADER_BYTES = 10
_LONG_BEFORE = 254
_SMALL_BYTES = 64  # an item that is not longer needs no node of its own, whatever the file says


class ListDecoder:
    """Reads one list, in steps; then `list` has it, and its owner must tell it the limit of nodes
    (`List.settle`). It is empty if the file has an empty one, which Redis passes over."""

    __slots__ = ("_kind", "_left", "_source", "list")

    def __init__(self, source: RdbSource, kind: int) -> None:
        self._source = source
        self._kind = kind
        self._left = 1 if kind == _ZIPLIST else source.bounded(source.number())
        self.list = List()
        self.list.settle(DEFAULT_FILL)

    def step(self, until_us: int) -> bool:
        """Read until the monotonic clock is there, a little at least; True: that was all."""
        source = self._source
        items = _ITEMS_A_LOOK
        while self._left > 0:
            self._left -= 1
            if self._kind == _ITEMS:
                source.string()
                self._check_length(_ITEM_MAX_BYTES)
                self.list.push(source.data, source.start, source.length, False)
                items -= 1
            else:
                items -= self._read_node()
            if items <= 0:
                if monotonic_us() >= until_us:
                    return self._left == 0
                items = _ITEMS_A_LOOK
        return True

    def _read_node(self) -> int:
        """Read a node; returns how many items it has, 1 at least."""
        source = self._source
        container = _PACKED
        if self._kind == _QUICKLIST_2:
            container = source.number()
            if container != _PACKED and container != _PLAIN:
                source.fail(f"{container} is no kind of a list's node")
        source.string()
        n = source.length
        self._check_length(_ITEM_MAX_BYTES if container == _PLAIN else _NODE_MAX_BYTES)
        if container == _PLAIN:
            node = Node(0, n + 10)
            node.push(source.data, source.start, n, False)
            node.plain = n > _SMALL_BYTES
        else:
            node = Node(0, n)
            if self._kind == _QUICKLIST_2:
                self._read_listpack(node, source.data, source.start, n)
            else:
                self._read_ziplist(node, source.data, source.start, n)
        if node.count:
            self.list.load_node(node)
        return node.count + 1

    def _check_length(self, most: int) -> None:
        """The string that was read has at most so many bytes."""
        if self._source.length > most:
            self._source.fail(f"a part of a list has {self._source.length} bytes")

    def _read_listpack(self, node: Node, buf: bytearray, start: int, n: int) -> None:
        source = self._source
        said = get_u32(buf, start) if n >= _HEAD_BYTES else -1
        if said != n or buf[start + n - 1] != _END:
            source.fail("a listpack is not as long as it says")
        announced = get_u16(buf, start + 4)
        pos = start + _HEADER_BYTES
        end = start + n - 1
        while pos < end:
            b = buf[pos]
            if b > 0xF4:
                source.fail(f"{b:#x} begins no element of a listpack")
            # Nothing is read behind the end of the buffer to learn how long the element is.
            head = 5 if b == 0xF0 else 2 if 0xE0 <= b < 0xF0 else 1
            if head > end - pos or size_at(buf, pos) > end - pos:
                source.fail("an element of a listpack goes beyond its end")
            size = size_at(buf, pos)
            self._check_size_behind(buf, pos, size)
            if b < 0x80 or 0xC0 <= b < 0xE0 or b > 0xF0:
                text = bytearray(text_at(buf, pos))
                node.push(text, 0, len(text), False)
            else:
                node.push(buf, text_span(buf, pos), text_length(buf, pos), False)
            pos += size
        count = node.count
        if announced != _UNKNOWN and announced != count:
            source.fail(f"a listpack has {count} elements and says {announced}")

    def _check_size_behind(self, buf: bytearray, pos: int, size: int) -> None:
        """The bytes behind an element must say its size, in the shortest way."""
        width = 1
        while back_bytes(size - width) != width:
            width += 1
        said = size - width
        for i in range(width):
            part = (said >> (7 * (width - 1 - i))) & 0x7F
            if i:
                part |= 0x80
            if buf[pos + said + i] != part:
                self._source.fail("an element of a listpack says a wrong size behind it")

    def _read_ziplist(self, node: Node, buf: bytearray, start: int, n: int) -> None:
        source = self._source
        said = get_u32(buf, start) if n > _ZIPLIST_HEADER_BYTES else -1
        if said != n or buf[start + n - 1] != _END:
            source.fail("a ziplist is not as long as it says")
        announced = get_u16(buf, start + 8)
        pos = start + _ZIPLIST_HEADER_BYTES
        end = start + n - 1
        before = 0
        last = pos
        while pos < end:
            begin = last = pos
            said = buf[pos]
            pos += 1
            if said == _LONG_BEFORE:
                if end - pos < 4:
                    source.fail("an entry of a ziplist goes beyond its end")
                said = get_u32(buf, pos)
                pos += 4
            if said != before or pos >= end:
                source.fail("an entry of a ziplist says a wrong size before it")
            pos = self._read_entry(node, buf, pos, end)
            before = pos - begin
        said = get_u32(buf, start + 4)
        if said != last - start:
            source.fail("a ziplist says a wrong place of its last entry")
        count = node.count
        if announced != _UNKNOWN and announced != count:
            source.fail(f"a ziplist has {count} entries and says {announced}")

    def _read_entry(self, node: Node, buf: bytearray, pos: int, end: int) -> int:
        """Read what stands behind the size before; returns the place behind the entry."""
        b = buf[pos]
        head, n, number = _entry_form(b)
        if head == 0:
            self._source.fail(f"{b:#x} begins no entry of a ziplist")
        if head > end - pos:
            self._source.fail("an entry of a ziplist goes beyond its end")
        if head == 2:
            n = (b & 0x3F) << 8 | buf[pos + 1]
        elif head == 5:
            n = big_endian(buf, pos + 1, 4)
        pos += head
        if n > end - pos:
            self._source.fail("an entry of a ziplist goes beyond its end")
        if not number:
            node.push(buf, pos, n, False)
        else:
            text = bytearray(b"%d" % _ziplist_integer(buf, pos, n, b))
            node.push(text, 0, len(text), False)
        return pos + n


def _entry_form(b: int) -> tuple[int, int, bool]:
    """Bytes before the content of a ziplist's entry (0: it is none), bytes of content, whether
    that is a number. A string's length is partly elsewhere if its head has more than a byte."""
    if b < 0x40:
        return 1, b, False
    if b < 0x80:
        return 2, 0, False
    if b == 0x80:
        return 5, 0, False
    if b == 0xC0:
        return 1, 2, True
    if b == 0xD0:
        return 1, 4, True
    if b == 0xE0:
        return 1, 8, True
    if b == 0xF0:
        return 1, 3, True
    if b == 0xFE:
        return 1, 1, True
    if 0xF1 <= b <= 0xFD:
        return 1, 0, True
    return 0, 0, False


def _ziplist_integer(buf: bytearray, pos: int, n: int, b: int) -> int:
    """The number of an entry; one from 0 to 12 is in the byte before."""
    if n == 0:
        return (b & 0x0F) - 1
    if n == 8:
        return get_i64(buf, pos)
    high = buf[pos + n - 1]
    value = high - 256 if high >= 128 else high
    for i in range(n - 2, -1, -1):
        value = value * 256 + buf[pos + i]
    return value
