"""A run of consecutive items of a list, as it was at one moment, on its way into a reply.

It is written as a copy when it is small. When it is big, the reply holds the nodes and writes
piece by piece while the socket drains; the list has sealed them, so the piece read last shows the
same moment as the first.
"""

from __future__ import annotations

from typing import Any

from headwater.lists.elements import (
    put_digits,
    put_replies,
    put_replies_back,
    put_reply,
    reply_bytes,
    size_at,
    start_before,
    text_length,
    text_span,
)
from headwater.lists.node import Node
from headwater.raw import alloc, copy, cut
from headwater.resp.reply import Reply

ATTACH_BYTES = 256 * 1024
"""A run of more than this is sent from its nodes instead of being copied at once."""

_ATTACH_BYTES = ATTACH_BYTES  # the same as a C number
_PIECE_MIN_BYTES = 64  # room for the head of any item
_GONE = Node(0, 0)


class Run:
    """`count` items from the one of index `offset` of the first node on; `size`: as RESP.

    Valid until the list changes, unless it is big: then the list has sealed its nodes.
    """

    __slots__ = ("count", "nodes", "offset", "size")

    def __init__(self, nodes: list[Node], offset: int, count: int) -> None:
        self.nodes = nodes
        self.offset = offset
        self.count = count
        size = 0
        left = count
        for node in nodes:
            n = node.count - offset
            if n > left:
                n = left
            size += node.replies_of(offset, n)
            left -= n
            offset = 0
        self.size = size

    def is_big(self) -> bool:
        """Whether `write` attaches it."""
        return self.size > _ATTACH_BYTES

    def behind(self) -> int:
        """How many items of the last node are behind the run."""
        items = -self.offset - self.count
        for node in self.nodes:
            items += node.count
        return items

    def write(self, reply: Reply, reverse: bool) -> None:
        """Write the items as bulk strings, without an array head; in reverse the last one first."""
        if self.size > _ATTACH_BYTES:
            reply.attach(Pieces(self, reverse))
            return
        reply.reserve(self.size)
        out = reply.buf
        at = reply.pos
        left = self.count
        passed = self.behind() if reverse else self.offset
        i = len(self.nodes) - 1 if reverse else 0
        while left > 0:
            node = self.nodes[i]
            n = node.count - passed
            if n > left:
                n = left
            if reverse:
                at = put_replies_back(out, at, node.buf, node.position(node.count - passed), n)
                i -= 1
            else:
                at = put_replies(out, at, node.buf, node.position(passed), n)
                i += 1
            left -= n
            passed = 0
        reply.pos = at


class Pieces:
    """The bytes of a big run, read in pieces of any size (a reply's source).

    A node is let go of when it is read: should nobody else have it, it is freed. An item that is
    larger than a piece is read in parts: `_text` is where the next part of it begins, in `_node`.
    """

    __slots__ = (
        "_at",
        "_index",
        "_items",
        "_left",
        "_node",
        "_nodes",
        "_passed",
        "_rest",
        "_reverse",
        "_text",
        "_text_end",
    )

    def __init__(self, run: Run, reverse: bool) -> None:
        self._nodes = list(run.nodes)
        self._reverse = reverse
        self._left = run.size
        self._rest = run.count  # items that are still to be read
        self._items = 0  # of them, those in `_node`
        self._index = len(run.nodes) if reverse else -1  # of `_node`
        self._passed = run.behind() if reverse else run.offset  # items of the next one left out
        self._node = _GONE
        self._at = 0  # where the next item of the node begins; in reverse, where it ends
        self._text = 0
        self._text_end = 0

    def left(self) -> int:
        """Bytes still to be read."""
        return self._left

    def _open_next(self) -> None:
        """Go on to the next node."""
        if 0 <= self._index < len(self._nodes):
            self._nodes[self._index] = _GONE
        self._index += -1 if self._reverse else 1
        node = self._nodes[self._index]
        self._node = node
        self._items = node.count - self._passed
        if self._reverse:
            self._at = node.position(self._items)
        else:
            self._at = node.position(self._passed)
        if self._items > self._rest:
            self._items = self._rest
        self._passed = 0

    def read(self, max_bytes: int) -> bytes:
        """About `max_bytes` more, a little more if those are few; b"" at the end."""
        size = max_bytes if max_bytes > _PIECE_MIN_BYTES else _PIECE_MIN_BYTES
        if size > self._left:
            size = self._left
        piece = alloc(size)
        filled = 0
        while filled < size:
            if self._text:
                filled = self._go_on(piece, filled, size)
                if self._text:
                    break
                continue
            if self._items == 0:
                self._open_next()
            buf = self._node.buf
            pos = start_before(buf, self._at) if self._reverse else self._at
            n = text_length(buf, pos)
            if reply_bytes(n) <= size - filled:
                filled = put_reply(piece, filled, buf, pos)
            elif filled:
                break
            else:
                piece[0] = 36
                filled = put_digits(piece, 1, n)
                piece[filled] = 13
                piece[filled + 1] = 10
                filled += 2
                self._text = text_span(buf, pos)
                self._text_end = self._text + n
            self._at = pos if self._reverse else pos + size_at(buf, pos)
            self._items -= 1
            self._rest -= 1
        self._left -= filled
        return cut(piece, 0, filled)

    def _go_on(self, piece: bytearray, filled: int, size: int) -> int:
        """Read on in the item that is read in parts; returns how full the piece is."""
        n = self._text_end - self._text
        if n > size - filled:
            n = size - filled
        copy(piece, filled, self._node.buf, self._text, n)
        filled += n
        self._text += n
        if self._text == self._text_end and size - filled >= 2:
            piece[filled] = 13
            piece[filled + 1] = 10
            self._text = 0
            return filled + 2
        return filled

    def parts(self) -> list[Any]:
        """Give up what is left, and return what is big about it."""
        self._left = 0
        return [self._nodes]
