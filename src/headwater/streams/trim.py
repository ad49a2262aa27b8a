"""Trimming: from the low end down to a length, or up to an ID; what happens to references.

As Redis 8.2: KEEPREF leaves the groups' pending entries alone, DELREF removes them with the
entries, ACKED trims only entries that every group has delivered and acknowledged.
"""

from __future__ import annotations

from headwater.streams.block import Block
from headwater.streams.references import drop_references, is_acknowledged
from headwater.streams.stream import Stream

KEEPREF, DELREF, ACKED = 0, 1, 2
NONE, MAXLEN, MINID = 0, 1, 2
_FEW_BLOCKS = 64
_KEEPREF, _ACKED, _NONE, _MAXLEN, _MINID = KEEPREF, ACKED, NONE, MAXLEN, MINID  # as C numbers


class Trim:
    """How to trim: by `MAXLEN` down to `maxlen` entries, or by `MINID` all IDs below one.

    `approximate`: whole blocks only. `limit`: entries to look at, 0 for no limit.
    After `apply`, `from_head` is how many entries went from the stream's head on, and `others`
    are the IDs of those that went from behind one that stayed, in the order in which they went.
    `dropped`: blocks that went, if they are many, so that they need not be freed all at once.
    """

    __slots__ = (
        "approximate",
        "by",
        "dropped",
        "from_head",
        "limit",
        "maxlen",
        "minid_ms",
        "minid_seq",
        "others",
        "references",
    )

    def __init__(self) -> None:
        self.by = _NONE
        self.approximate = False
        self.limit = 0
        self.maxlen = 0
        self.minid_ms = 0
        self.minid_seq = 0
        self.references = _KEEPREF
        self.from_head = 0
        self.others: list[tuple[int, int]] = []
        self.dropped: list[Block] = []

    def apply(self, stream: Stream) -> int:
        """Trim and return how many entries went."""
        self.from_head = 0
        self.forget()
        if self.by == _NONE or self._is_done(stream):
            return 0
        trimmed = 0
        blocks = 0
        index = stream.head
        careful = self.references != _KEEPREF and bool(stream.groups)
        while index < len(stream.blocks) and not self._is_done(stream):
            block = stream.blocks[index]
            live = block.live()
            if self.limit and trimmed + live > self.limit:
                break
            if self.by == _MAXLEN:
                whole = stream.length - live >= self.maxlen
            else:
                # As Redis, by the last entry that the block ever had.
                whole = block.tail_ms < self.minid_ms or (
                    block.tail_ms == self.minid_ms and block.tail_seq < self.minid_seq
                )
            if not whole and self.approximate:
                break
            if careful:
                at_head = index == stream.head
                kept, n = self._trim_each(stream, index, at_head)
                trimmed += n
                if kept:
                    index += 1
                elif at_head:
                    index = stream.head
                if self.by == _MINID and not whole:
                    break
            elif whole:
                blocks += 1
                if blocks > _FEW_BLOCKS:
                    self.dropped.append(block)
                stream.drop_block(index)
                trimmed += live
                index = stream.head
            else:
                if self.by == _MAXLEN:
                    n = stream.length - self.maxlen
                else:
                    n = block.find(self.minid_ms, self.minid_seq) - block.first
                if n == live:
                    # The entry that kept the block from being whole has been deleted.
                    stream.drop_block(index)
                elif n > 0:
                    stream.drop_entries(index, n)
                trimmed += n
                break
        self.from_head = trimmed - len(self.others)
        return trimmed

    def forget(self) -> None:
        """Hold on to nothing of what the last `apply` told."""
        if self.others:
            self.others = []
        if self.dropped:
            self.dropped = []

    def _is_done(self, stream: Stream) -> bool:
        if self.by == _MAXLEN:
            return stream.length <= self.maxlen
        return stream.length == 0

    def _trim_each(self, stream: Stream, index: int, at_head: bool) -> tuple[bool, int]:
        """Trim a block entry by entry: (is the block still there, entries that went).

        `at_head`: nothing before this block stays.
        """
        block = stream.blocks[index]
        ids = [block.entry_id(slot) for slot in range(block.first, block.slots)]
        left = len(ids)
        trimmed = 0
        for ms, seq in ids:
            if self._is_done(stream):
                break
            if self.by == _MINID and (
                ms > self.minid_ms or (ms == self.minid_ms and seq >= self.minid_seq)
            ):
                break
            if self.references == _ACKED:
                if not is_acknowledged(stream, ms, seq):
                    at_head = False
                    continue
            else:
                drop_references(stream, ms, seq)
            stream.take_out(ms, seq)
            if not at_head:
                self.others.append((ms, seq))
            trimmed += 1
            left -= 1
        return left > 0, trimmed
