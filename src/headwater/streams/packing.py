"""Which sealed blocks are to be packed, and when.

A stream tells when one of its blocks is full (`Stream.packing`), so nobody has to look for
blocks. It is then listed, and comes up when what it had at that moment is AGE_MS old: so data
that is trimmed or deleted soon is never packed. What has been looked at is remembered as an ID,
since places in `Stream.blocks` move.

Time is told (`Registry.now_ms`), as everywhere in streams; nothing is compressed here.
"""

from __future__ import annotations

from collections import deque

from headwater.streams.block import RAW, REFUSED, WAITING, Block
from headwater.streams.stream import Stream

AGE_MS = 5000
"""Entries that are younger are not packed."""

LOOK = 256
"""Blocks that one visit looks at, at most: most of them are packed already."""

BLOCK_MAX_BYTES = 1024 * 1024
"""A larger block stays as it is: copying it for the thread, and unpacking it for a reader who wants
one entry, would each take the loop about a millisecond for each megabyte."""

_RAW = RAW  # the same as C numbers
_WAITING = WAITING
_REFUSED = REFUSED
_BLOCK_MAX_BYTES = BLOCK_MAX_BYTES
_AGE_MS = AGE_MS


class Listing:
    """One stream's place in the work. Lives as long as the stream, once that had enough blocks.

    Up to `done` all is packed, or not to be; `mark` is the last ID when the stream was listed.
    `stream` is None while the stream is not listed.
    """

    __slots__ = ("done_ms", "done_seq", "due_ms", "mark_ms", "mark_seq", "registry", "stream")

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.stream: Stream | None = None
        self.done_ms = 0
        self.done_seq = 0
        self.mark_ms = 0
        self.mark_seq = 0
        self.due_ms = 0

    def sealed(self, stream: Stream) -> None:
        """A block of the stream is full."""
        if self.stream is None and self.registry.depth > 0:
            self.stream = stream
            self.registry.list_it(self)

    def rewritten(self, stream: Stream, ms: int, seq: int) -> None:
        """A sealed block was replaced by a new one whose last ID is this."""
        if ms < self.done_ms or (ms == self.done_ms and seq <= self.done_seq):
            # Just before it: what is between is looked at once more.
            self.done_seq = 0
            self.done_ms = ms
            if seq > 0:
                self.done_seq = seq - 1
            elif ms > 0:
                self.done_ms = ms - 1
            self.sealed(stream)

    def forget(self) -> None:
        """The stream is dropped."""
        self.stream = None


class Registry:
    """The streams with something to pack. `depth` is the directive's number, 0: nothing is packed.

    A listing is in one of two queues: `aging` until its time comes, `ready` while there is
    more to take than one visit took.
    """

    __slots__ = ("aging", "depth", "now_ms", "ready")

    def __init__(self) -> None:
        self.depth = 0
        self.now_ms = 0
        self.aging: deque[Listing] = deque()
        self.ready: deque[Listing] = deque()

    def sealed(self, stream: Stream) -> None:
        """A stream that has no listing yet has a full block, or was added with several."""
        if 0 < self.depth < len(stream.blocks) - stream.head:
            listing = Listing(self)
            stream.packing = listing
            listing.sealed(stream)

    def rewritten(self, stream: Stream, ms: int, seq: int) -> None:
        """As `Listing.rewritten`: nothing of this stream is packed."""

    def added(self, stream: Stream) -> None:
        """A database got this stream."""
        if stream.packing is None:
            stream.packing = self
        stream.packing.sealed(stream)

    def dropped(self, stream: Stream) -> None:
        """No database has this stream any more."""
        listing = stream.packing
        if listing is not None and listing is not self:
            listing.forget()

    def pending(self) -> int:
        """Streams that have something to pack, now or later."""
        return len(self.aging) + len(self.ready)

    def list_it(self, listing: Listing) -> None:
        """Let a listing come up when what its stream has now is old enough."""
        stream = listing.stream
        assert stream is not None
        listing.mark_ms = stream.last_ms
        listing.mark_seq = stream.last_seq
        listing.due_ms = self.now_ms + _AGE_MS
        self.aging.append(listing)

    def has_work(self) -> bool:
        """Whether `take` would find something to look at."""
        return len(self.ready) > 0 or self._is_due()

    def _is_due(self) -> bool:
        if not self.aging:
            return False
        first = self.aging[0]
        # If there is longer to go than it was at first, the clock was set back.
        return not 0 < first.due_ms - self.now_ms <= _AGE_MS

    def take(self, most: int, max_bytes: int) -> list[Block]:
        """Blocks to be packed, up to about so many and so large; they are WAITING then.

        Looks at one stream, which may give none.
        """
        found: list[Block] = []
        if not self.has_work():
            return found
        # Those that are due now were not looked at yet.
        listing = self.aging.popleft() if self._is_due() else self.ready.popleft()
        stream = listing.stream
        if stream is None:
            return found
        blocks = stream.blocks
        stop = len(blocks) - self.depth if self.depth > 0 else 0
        low, high = stream.head, max(stop, stream.head)
        while low < high:
            middle = (low + high) // 2
            block = blocks[middle]
            if block.last_ms < listing.done_ms or (
                block.last_ms == listing.done_ms and block.last_seq <= listing.done_seq
            ):
                low = middle + 1
            else:
                high = middle
        left = LOOK
        size = 0
        while low < stop:
            block = blocks[low]
            if block.last_ms > listing.mark_ms or (
                block.last_ms == listing.mark_ms and block.last_seq > listing.mark_seq
            ):
                # The rest is younger.
                self.list_it(listing)
                return found
            if left == 0 or len(found) == most or size >= max_bytes:
                self.ready.append(listing)
                return found
            left -= 1
            low += 1
            if block.form == _RAW and block.used > _BLOCK_MAX_BYTES:
                block.form = _REFUSED
            elif block.form == _RAW and block.sealed:
                block.form = _WAITING
                found.append(block)
                size += block.used
            listing.done_ms = block.last_ms
            listing.done_seq = block.last_seq
        listing.stream = None
        return found
