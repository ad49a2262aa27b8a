"""A run of consecutive entries of one stream, as it was at one moment.

It is written as a copy when it is small. When it is big, the reply holds the blocks and
copies piece by piece while the socket drains; blocks never change below `used`, so the piece
read last shows the same moment as the first (invariant 5).
"""

from __future__ import annotations

from typing import Any

from headwater.raw import alloc, copy
from headwater.resp.reply import Reply
from headwater.streams.block import Block

_NO_DATA = bytearray()
_GONE = Block(0)

ATTACH_BYTES = 256 * 1024
"""A run of more than this is sent from its blocks instead of being copied at once."""


class Range:
    """Entries from (index1, slot1) up to, not including, (index2, slot2); at least one.

    `count` and `size` (bytes) are known after `keep`. Valid until the stream changes, but for
    what `write` attached.
    """

    __slots__ = ("blocks", "count", "index1", "index2", "size", "slot1", "slot2")

    def __init__(
        self, blocks: list[Block], index1: int, slot1: int, index2: int, slot2: int
    ) -> None:
        self.blocks = blocks
        self.index1 = index1
        self.slot1 = slot1
        self.index2 = index2
        self.slot2 = slot2
        self.count = 0
        self.size = 0

    def _begin(self, index: int) -> int:
        if index == self.index1:
            return self.slot1
        block = self.blocks[index]
        return block.first

    def _end(self, index: int) -> int:
        if index == self.index2:
            return self.slot2
        block = self.blocks[index]
        return block.slots

    def keep(self, limit: int, reverse: bool) -> None:
        """Cut the run to `limit` entries (-1: all), at its high end or, in reverse, its low end."""
        self.count = 0
        self.size = 0
        step = -1 if reverse else 1
        index = self.index2 if reverse else self.index1
        stop = self.index1 - 1 if reverse else self.index2 + 1
        while index != stop:
            begin, end = self._begin(index), self._end(index)
            if limit >= 0 and self.count + end - begin >= limit:
                left = limit - self.count
                if reverse:
                    begin = end - left
                    self.index1, self.slot1 = index, begin
                else:
                    end = begin + left
                    self.index2, self.slot2 = index, end
                stop = index + step
            block = self.blocks[index]
            self.count += end - begin
            self.size += block.offset(end) - block.offset(begin)
            index += step

    def keep_bytes(self, max_bytes: int) -> None:
        """Cut the run behind the entry with which it reaches `max_bytes`; one always stays."""
        kept = 0
        size = 0
        for index in range(self.index1, self.index2 + 1):
            block = self.blocks[index]
            for slot in range(self._begin(index), self._end(index)):
                if kept and size >= max_bytes:
                    self.keep(kept, False)
                    return
                size += block.offset(slot + 1) - block.offset(slot)
                kept += 1

    def write(self, reply: Reply, reverse: bool) -> None:
        """Write the entries one behind the other, without an array head."""
        if self.size > ATTACH_BYTES:
            reply.attach(Pieces(self, reverse))
            return
        reply.reserve(self.size)
        buf, pos = reply.buf, reply.pos
        if reverse:
            index = self.index2
            while index >= self.index1:
                block = self.blocks[index]
                slot, begin = self._end(index), self._begin(index)
                end = block.offset(slot)
                while slot > begin:
                    slot -= 1
                    start = block.offset(slot)
                    copy(buf, pos, block.data(), start, end - start)
                    pos += end - start
                    end = start
                index -= 1
        else:
            for index in range(self.index1, self.index2 + 1):
                block = self.blocks[index]
                start = block.offset(self._begin(index))
                end = block.offset(self._end(index))
                copy(buf, pos, block.data(), start, end - start)
                pos += end - start
        reply.pos = pos


class Pieces:
    """The bytes of a big run, read in pieces of any size (a reply's source).

    A span is what is copied in one go: all of the run that is in a block, or in reverse one entry.
    A packed block is unpacked for as long as it is being read, so a big run costs no memory.
    A block is let go of when it is read: should nobody else have it, it is freed.
    """

    __slots__ = (
        "_block",
        "_blocks",
        "_data",
        "_end",
        "_first",
        "_index",
        "_last_first",
        "_last_slot",
        "_left",
        "_pos",
        "_reverse",
        "_slot",
    )

    def __init__(self, run: Range, reverse: bool) -> None:
        self._blocks = run.blocks[run.index1 : run.index2 + 1]
        self._reverse = reverse
        self._left = run.size
        self._first = run.slot1
        self._last_slot = run.slot2
        last = self._blocks[len(self._blocks) - 1]
        # The last block may be open: where it begins now is not in the block for good.
        self._last_first = run.slot1 if len(self._blocks) == 1 else last.first
        self._index = len(self._blocks) - 1 if reverse else -1
        self._slot = run.slot2  # the slot behind the next entry, in reverse
        self._block = last  # the one that is being read, opened
        self._data = _NO_DATA
        if reverse:
            self._open()
        self._pos = 0  # what is left of the span
        self._end = 0

    def _begin_slot(self, index: int) -> int:
        if index == 0:
            return self._first
        if index == len(self._blocks) - 1:
            return self._last_first
        block = self._blocks[index]
        return block.first

    def _end_slot(self, index: int) -> int:
        if index == len(self._blocks) - 1:
            return self._last_slot
        block = self._blocks[index]
        return block.slots

    def _open(self) -> None:
        block = self._blocks[self._index]
        self._block = block.opened()
        self._data = self._block.data()

    def _next_span(self) -> None:
        if not self._reverse:
            if self._index >= 0:
                self._blocks[self._index] = _GONE
            self._index += 1
            self._open()
            block = self._block
            self._pos = block.offset(self._begin_slot(self._index))
            self._end = block.offset(self._end_slot(self._index))
            return
        while self._slot <= self._begin_slot(self._index):
            self._slot = self._end_slot(self._index - 1)
            self._blocks[self._index] = _GONE
            self._index -= 1
            self._open()
        self._slot -= 1
        block = self._block
        self._pos = block.offset(self._slot)
        self._end = block.offset(self._slot + 1)

    def left(self) -> int:
        """Bytes still to be read."""
        return self._left

    def read(self, max_bytes: int) -> bytes:
        """The next `max_bytes`, fewer only at the end; b"" behind it."""
        size = min(max_bytes, self._left)
        piece = alloc(size)
        filled = 0
        while filled < size:
            while self._pos == self._end:
                self._next_span()
            n = min(size - filled, self._end - self._pos)
            copy(piece, filled, self._data, self._pos, n)
            self._pos += n
            filled += n
        self._left -= size
        return bytes(piece)

    def parts(self) -> list[Any]:
        """Give up what is left, and return what is big about it."""
        self._left = 0
        return [self._blocks]
