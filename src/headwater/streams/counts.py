"""How many entries the blocks of a stream hold before a place, in O(log n).

A Fenwick tree over the stream's closed blocks: all but the last, which is the only one that
entries are appended to. So the tree need not be told of a new entry; it is told of a new block, and
of entries and blocks that go. Blocks have positions, which are never used again: one that is
dropped leaves an empty position behind, so that its neighbours need not move. The k-th block that
is there is found by the second number of each node. Positions are numbered anew when half of them
are empty.

    node of position p   16 bytes: i64 blocks that are there | i64 entries
                         of the positions (p - lowest bit of p, p]; node 0 is not used
"""

from __future__ import annotations

from headwater.raw import get_i64, put_i64

NODE_BYTES = 16
_FIRST_NODES = 64


class BlockCounts:
    """Entries of blocks that are numbered from 0 in their order. `blocks`: how many there are."""

    __slots__ = ("blocks", "size", "tree")

    def __init__(self) -> None:
        self.blocks = 0
        self.size = 0  # positions that are in use, or were
        self.tree = bytearray(NODE_BYTES * _FIRST_NODES)

    def add(self, entries: int) -> None:
        """There is one block more, behind the others."""
        self.size += 1
        self.blocks += 1
        if NODE_BYTES * self.size == len(self.tree):
            self.tree.extend(bytes(len(self.tree)))
        tree = self.tree
        at = self.size
        there = 1
        lowest = at & -at
        step = 1
        while step < lowest:
            there += get_i64(tree, NODE_BYTES * (at - step))
            entries += get_i64(tree, NODE_BYTES * (at - step) + 8)
            step <<= 1
        put_i64(tree, NODE_BYTES * at, there)
        put_i64(tree, NODE_BYTES * at + 8, entries)

    def change(self, number: int, more: int) -> None:
        """A block has so many entries more (less: negative)."""
        self._update(self._position(number), 0, more)

    def remove(self, number: int, entries: int) -> None:
        """A block, which had so many entries, is gone; those behind it are numbered anew."""
        self._update(self._position(number), -1, -entries)
        self.blocks -= 1
        if self.blocks == 0:
            self.size = 0
            self.tree = bytearray(NODE_BYTES * _FIRST_NODES)
        elif self.size >= _FIRST_NODES and 2 * self.blocks < self.size:
            self._renumber()

    def before(self, number: int) -> int:
        """How many entries the blocks before this number hold; it may be `blocks`."""
        tree = self.tree
        at = 0
        left = number
        entries = 0
        step = self._highest_step()
        while step != 0:
            if at + step <= self.size:
                there = get_i64(tree, NODE_BYTES * (at + step))
                if there <= left:
                    at += step
                    left -= there
                    entries += get_i64(tree, NODE_BYTES * at + 8)
            step >>= 1
        return entries

    def memory_usage(self) -> int:
        """Bytes of memory, objects included by fixed allowances."""
        return 120 + len(self.tree)

    def _position(self, number: int) -> int:
        """The position of a block."""
        tree = self.tree
        at = 0
        left = number
        step = self._highest_step()
        while step != 0:
            if at + step <= self.size:
                there = get_i64(tree, NODE_BYTES * (at + step))
                if there <= left:
                    at += step
                    left -= there
            step >>= 1
        return at + 1

    def _highest_step(self) -> int:
        step = 1
        while 2 * step <= self.size:
            step <<= 1
        return step

    def _update(self, at: int, there: int, entries: int) -> None:
        tree = self.tree
        while at <= self.size:
            pos = NODE_BYTES * at
            put_i64(tree, pos, get_i64(tree, pos) + there)
            put_i64(tree, pos + 8, get_i64(tree, pos + 8) + entries)
            at += at & -at

    def _renumber(self) -> None:
        """Give the blocks that are there the lowest positions."""
        old = self.tree
        size = self.size
        self.tree = bytearray(NODE_BYTES * max(_FIRST_NODES, 2 * self.blocks))
        self.size = 0
        self.blocks = 0
        for at in range(1, size + 1):
            there = get_i64(old, NODE_BYTES * at)
            entries = get_i64(old, NODE_BYTES * at + 8)
            lowest = at & -at
            step = 1
            while step < lowest:
                there -= get_i64(old, NODE_BYTES * (at - step))
                entries -= get_i64(old, NODE_BYTES * (at - step) + 8)
                step <<= 1
            if there != 0:
                self.add(entries)
