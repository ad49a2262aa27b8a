"""A list as Redis 7.0 and later write it: its nodes, each a listpack or one large item."""

from __future__ import annotations

from headwater.lists.elements import text_length, text_span
from headwater.lists.list import List
from headwater.lists.node import HEAD_BYTES, Node
from headwater.raw import alloc, copy, put_u16, put_u32
from headwater.rdb.output import COMPRESS_MAX_BYTES, Output
from headwater.rdb.types import LIST_NODE_PACKED, LIST_NODE_PLAIN

_START_BYTES = 16384
_KEEP_BYTES = 1 << 20
_HEADER_BYTES = 6  # of a listpack: its bytes, its elements
_HEAD_BYTES = HEAD_BYTES  # the same as C numbers
_END = 255
_ELEMENTS_UNKNOWN = 65535
_PIECE_BYTES = 4096
_PACKED, _PLAIN = LIST_NODE_PACKED, LIST_NODE_PLAIN


class ListEncoder:
    """Writes lists, one after the other, each in steps; a list stays as it is meanwhile."""

    __slots__ = ("_buf", "_end", "_list", "_next", "_out", "_pos")

    def __init__(self, out: Output) -> None:
        self._out = out
        self._list: List | None = None
        self._next = 0  # the node that is written next
        self._buf = bytearray()  # a listpack; or the node of a large item, from `_pos` to `_end`
        self._pos = 0
        self._end = 0

    def begin(self, value: List) -> None:
        self._list = value
        self._next = 0
        self._pos = 0
        self._end = 0
        self._out.length(value.node_count())

    def step(self, max_bytes: int) -> bool:
        """Write for up to about so many bytes, a little at least; True: the list is complete."""
        value = self._list
        assert value is not None
        out = self._out
        most = out.pos + max_bytes
        while True:
            if self._pos < self._end:
                piece = most - out.pos
                if piece < _PIECE_BYTES:
                    piece = _PIECE_BYTES
                if piece > self._end - self._pos:
                    piece = self._end - self._pos
                out.copied(self._buf, self._pos, piece)
                self._pos += piece
                if self._pos == self._end:
                    self._buf = bytearray()
                    self._pos = 0
                    self._end = 0
            elif self._next == value.node_count():
                self._list = None
                return True
            else:
                self._put_node(value.node(self._next))
                self._next += 1
            if out.pos >= most:
                return False

    def _put_node(self, node: Node) -> None:
        out = self._out
        if node.plain:
            n = text_length(node.buf, node.start)
            pos = text_span(node.buf, node.start)
            out.length(_PLAIN)
            if n <= COMPRESS_MAX_BYTES:
                out.span(node.buf, pos, n)
            else:
                out.length(n)
                self._buf = node.buf
                self._pos = pos
                self._end = pos + n
            return
        size = node.end - node.start
        if size + _HEAD_BYTES > len(self._buf) or len(self._buf) > _KEEP_BYTES:
            self._buf = alloc(max(size + _HEAD_BYTES, _START_BYTES))
        buf = self._buf
        put_u32(buf, 0, size + _HEAD_BYTES)
        put_u16(buf, 4, node.count if node.count < _ELEMENTS_UNKNOWN else _ELEMENTS_UNKNOWN)
        copy(buf, _HEADER_BYTES, node.buf, node.start, size)
        buf[_HEADER_BYTES + size] = _END
        out.length(_PACKED)
        out.span(buf, 0, size + _HEAD_BYTES)
