"""Compressed bytes of sealed blocks, and the copies of them that were unpacked last.

A packed block is the block's entries and behind them the length of each (u32, little-endian),
as one Zstandard frame with its size and a checksum. What is damaged in memory is an error when
it is read, never other bytes.

Copies that were unpacked for a reader are kept, up to `Codec.limit` bytes in all, and the newest
whatever its size: the oldest go first. They are of use to whoever comes for the same block again,
and nothing is lost with them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from headwater.limits import UNPACKED_COPIES_BYTES


class Codec:
    """Unpacks the blocks of one engine; lives in its thread.

    blocks, raw_bytes, packed_bytes: of the packed blocks that there are. unpacked: how often one
    was unpacked. kept_bytes: of the copies that are kept.
    """

    __slots__ = (
        "_kept",
        "_mark",
        "_taken",
        "blocks",
        "decompress",
        "kept_bytes",
        "limit",
        "packed_bytes",
        "raw_bytes",
        "unpacked",
    )

    def __init__(self, decompress: Callable[[bytes], bytes]) -> None:
        self.decompress = decompress
        self._kept: deque[Any] = deque()  # blocks that have a copy, the oldest first
        self._taken = 0  # copies that were ever kept, and are no more
        self._mark = 0  # those before this one are old
        self.limit = UNPACKED_COPIES_BYTES
        self.blocks = 0
        self.raw_bytes = 0
        self.packed_bytes = 0
        self.kept_bytes = 0
        self.unpacked = 0

    def unpack(self, data: bytes, size: int) -> bytes:
        """The `size` bytes that were packed; RuntimeError when they are not what comes out."""
        self.unpacked += 1
        try:
            raw = self.decompress(data)
        except Exception as error:
            raise RuntimeError(f"a packed block of a stream is damaged: {error}") from error
        if len(raw) != size:
            raise RuntimeError(
                f"a packed block of a stream is damaged: {len(raw)} bytes instead of {size}"
            )
        return raw

    def keep(self, block: Any, size: int) -> None:
        """Keep a block's copy of `size` bytes, at the cost of those that were kept before."""
        self._kept.append(block)
        self.kept_bytes += size
        while self.kept_bytes > self.limit and len(self._kept) > 1:
            self._let_go()

    def _let_go(self) -> None:
        block = self._kept.popleft()
        self._taken += 1
        self.kept_bytes -= block.drop_copy()

    def next_age(self) -> None:
        """What was kept before the last call is old now."""
        self._mark, old = self._taken + len(self._kept), self._mark
        while self._taken < old and self._kept:
            self._let_go()

    def clear(self) -> None:
        """Keep nothing."""
        while self._kept:
            self._let_go()


class Packed:
    """The bytes of a packed block, shared by those that have the same entries."""

    __slots__ = ("codec", "data", "raw_bytes")

    def __init__(self, codec: Codec, data: bytes, raw_bytes: int) -> None:
        self.codec = codec
        self.data = data
        self.raw_bytes = raw_bytes
        self.codec.blocks += 1
        self.codec.raw_bytes += raw_bytes
        self.codec.packed_bytes += len(self.data)

    def __del__(self) -> None:
        self.codec.blocks -= 1
        self.codec.raw_bytes -= self.raw_bytes
        self.codec.packed_bytes -= len(self.data)
