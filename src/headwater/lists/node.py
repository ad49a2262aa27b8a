"""A node: a run of a list's items in one buffer, with room to grow at both ends.

Guarantees:
1. A node whose `stamp` is not its list's is shared and never changes: lists, replies, snapshots
   hold it by reference. The list makes a copy of its own first (`clone`).
2. `count` and `replies` (what all items take as bulk strings of RESP) are always right.

Adding and taking away at either end is O(1) amortized; elsewhere it moves the smaller part.
"""

from __future__ import annotations

from headwater.lists.elements import (
    element_bytes,
    put_element,
    replies_bytes,
    reply_bytes,
    size_at,
    skip,
    skip_back,
    start_before,
    text_length,
)
from headwater.raw import alloc, copy, move

HEAD_BYTES = 7
"""What Redis's listpack has beside its elements; its limits count that."""

NODE_BYTES = 8192
"""A buffer grows by half, up to this; one that needs more by an eighth, but no more than this."""

FIT_BYTES = 256
"""A buffer of more than this that is nearly empty is given back for a smaller one."""

NODE_OBJECT_BYTES = 144
_HEAD_BYTES = HEAD_BYTES  # the same as C numbers
_NODE_BYTES = NODE_BYTES
_FIT_BYTES = FIT_BYTES
_SPARE_BYTES = 64  # that a copy has behind its items

_last_stamp = 0


def new_stamp() -> int:
    """A number that no list has had: its nodes so far are shared from now on."""
    global _last_stamp
    _last_stamp += 1
    return _last_stamp


class Node:
    """Items in `buf` from `start` up to `end`, encoded as elements.py says.

    plain: it holds one item too large to share a node, and is never given another one.
    """

    __slots__ = ("buf", "count", "end", "plain", "replies", "stamp", "start")

    def __init__(self, stamp: int, capacity: int) -> None:
        self.buf = alloc(capacity)
        self.start = 0
        self.end = 0
        self.count = 0
        self.replies = 0
        self.plain = False
        self.stamp = stamp

    def size(self) -> int:
        """Its size as Redis counts it."""
        return self.end - self.start + _HEAD_BYTES

    def clone(self, stamp: int) -> Node:
        """A node with the same items, for the list of that stamp to change."""
        n = self.end - self.start
        twin = Node(stamp, n + _SPARE_BYTES)
        copy(twin.buf, 0, self.buf, self.start, n)
        twin.end = n
        twin.count = self.count
        twin.replies = self.replies
        twin.plain = self.plain
        return twin

    # --- room ---

    def _make_room(self, before: int, behind: int) -> None:
        """Have so many bytes free before the items, or behind them; one of both is 0."""
        live = self.end - self.start
        need = live + before + behind
        slack = len(self.buf) - need
        # Moving what is there pays off while that is less than what becomes free.
        if slack < live:
            slack = max(16, need // 2)
            if need + slack > _NODE_BYTES:
                slack = max(min(need >> 3, _NODE_BYTES), _NODE_BYTES - need)
            if live == 0:
                slack = 0
            bigger = alloc(need + slack)
            at = before + slack if before else 0
            copy(bigger, at, self.buf, self.start, live)
            self.buf = bigger
        else:
            at = before + slack if before else 0
            move(self.buf, at, self.start, live)
        self.start = at
        self.end = at + live

    def _fit(self) -> None:
        """Take a smaller buffer, items in its middle, if less than a quarter of this is used."""
        live = self.end - self.start
        if len(self.buf) > _FIT_BYTES and 4 * live < len(self.buf):
            smaller = alloc(2 * live)
            at = live // 2
            copy(smaller, at, self.buf, self.start, live)
            self.buf = smaller
            self.start = at
            self.end = at + live

    # --- change ---

    def push(self, source: bytearray, start: int, n: int, front: bool) -> None:
        """Add a text at one end."""
        size = element_bytes(source, start, n)
        if front:
            if self.start < size:
                self._make_room(size, 0)
            self.start -= size
            put_element(self.buf, self.start, source, start, n)
        else:
            if len(self.buf) - self.end < size:
                self._make_room(0, size)
            put_element(self.buf, self.end, source, start, n)
            self.end += size
        self.count += 1
        self.replies += reply_bytes(n)

    def insert(self, pos: int, source: bytearray, start: int, n: int) -> None:
        """Add a text before the element at a place, or behind the last one."""
        if pos == self.end or pos == self.start:
            self.push(source, start, n, pos != self.end)
            return
        size = element_bytes(source, start, n)
        before = pos - self.start
        behind = self.end - pos
        if before < behind:
            if self.start < size:
                self._make_room(size, 0)
            move(self.buf, self.start - size, self.start, before)
            self.start -= size
        else:
            if len(self.buf) - self.end < size:
                self._make_room(0, size)
            pos = self.start + before
            move(self.buf, pos + size, pos, behind)
            self.end += size
        put_element(self.buf, self.start + before, source, start, n)
        self.count += 1
        self.replies += reply_bytes(n)

    def replace(self, pos: int, source: bytearray, start: int, n: int) -> None:
        """Give the element at a place another text."""
        before = pos - self.start
        self._take_out(pos)
        self.insert(self.start + before, source, start, n)
        self._fit()

    def delete(self, pos: int) -> None:
        """Take the element at a place away; where all others are may change with it."""
        self._take_out(pos)
        self._fit()

    def _take_out(self, pos: int) -> None:
        size = size_at(self.buf, pos)
        self.replies -= reply_bytes(text_length(self.buf, pos))
        self.count -= 1
        before = pos - self.start
        behind = self.end - pos - size
        if before < behind:
            if before:
                move(self.buf, self.start + size, self.start, before)
            self.start += size
        else:
            if behind:
                move(self.buf, pos, pos + size, behind)
            self.end -= size

    def drop(self, count: int, front: bool) -> None:
        """Take so many items away at one end."""
        if 2 * count <= self.count:
            if front:
                pos = skip(self.buf, self.start, count)
                self.replies -= replies_bytes(self.buf, self.start, count)
                self.start = pos
            else:
                pos = skip_back(self.buf, self.end, count)
                self.replies -= replies_bytes(self.buf, pos, count)
                self.end = pos
            self.count -= count
        else:
            count = self.count - count
            if front:
                self.start = skip_back(self.buf, self.end, count)
            else:
                self.end = skip(self.buf, self.start, count)
            self.replies = replies_bytes(self.buf, self.start, count)
            self.count = count
        self._fit()

    def take_in(self, other: Node) -> None:
        """Append the items of another node."""
        n = other.end - other.start
        if len(self.buf) - self.end < n:
            self._make_room(0, n)
        copy(self.buf, self.end, other.buf, other.start, n)
        self.end += n
        self.count += other.count
        self.replies += other.replies

    # --- look ---

    def position(self, index: int) -> int:
        """Where the item of this index begins; `count` is behind the last one."""
        if 2 * index <= self.count:
            return skip(self.buf, self.start, index)
        return skip_back(self.buf, self.end, self.count - index)

    def last(self) -> int:
        """Where the last item begins."""
        return start_before(self.buf, self.end)

    def replies_of(self, first: int, count: int) -> int:
        """What so many items from an index on take as bulk strings."""
        if count == self.count:
            return self.replies
        return replies_bytes(self.buf, self.position(first), count)

    def memory_usage(self) -> int:
        """About how many bytes it takes."""
        return NODE_OBJECT_BYTES + len(self.buf)
