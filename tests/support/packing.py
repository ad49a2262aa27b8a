"""Packing blocks of streams without a thread, at the moment a test chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import zstandard

from headwater.keyspace.packer import Packer
from headwater.streams.block import PACKED, Block
from headwater.streams.codec import Codec, Packed
from headwater.streams.packing import AGE_MS
from headwater.streams.stream import Stream

from .embedded import Embedded


def codec() -> Codec:
    return Codec(zstandard.ZstdDecompressor().decompress)


def pack(block: Block, by: Codec) -> None:
    """Pack a sealed block here and now."""
    text = bytes(block.to_pack())
    block.pack(Packed(by, zstandard.ZstdCompressor(write_checksum=True).compress(text), len(text)))


class Inline:
    """A worker whose jobs are done when their outcome is asked for, or right away."""

    def __init__(self, patience: int = 0) -> None:
        self.patience = patience
        self.left = 0
        self.jobs: list[Callable[[], Any]] = []
        self.done = 0
        self.closed = False

    def submit(self, job: Callable[[], Any]) -> None:
        assert not self.jobs, "one job at a time"
        self.jobs.append(job)
        self.left = self.patience

    def outcome(self) -> tuple[Any, BaseException | None] | None:
        if not self.jobs or self.left > 0:
            self.left -= 1
            return None
        job = self.jobs.pop()
        self.done += 1
        try:
            return job(), None
        except BaseException as error:
            return None, error

    def close(self) -> None:
        self.closed = True


class Packing(Embedded):
    """An engine that packs when it is told to, even what is not worth it."""

    def __init__(self, resp: int = 2, **directives: str) -> None:
        super().__init__(resp, **directives)
        self.worker = Inline()
        self.packer: Packer = self.engine.packer
        self.packer.worker.close()
        self.packer.worker = self.worker
        self.packer.on_work = lambda: None

    def pass_ms(self, ms: int) -> None:
        super().pass_ms(ms)

    def work(self) -> None:
        """Do all that is due."""
        while self.packer.work() is not None:
            pass

    def settle(self) -> None:
        """Let the blocks of now become old enough, and pack them."""
        for _ in range(2):
            self.pass_ms(AGE_MS + 100)
            self.work()

    def stream(self, key: str, db: int = 0) -> Stream:
        value = self.state.keyspace.databases[db].values[key.encode()]
        assert isinstance(value, Stream)
        return value


def live_blocks(stream: Stream) -> Iterator[Block]:
    yield from stream.blocks[stream.head :]


def forms(stream: Stream) -> str:
    """A letter for each block: P packed, r raw."""
    return "".join("P" if block.form == PACKED else "r" for block in live_blocks(stream))
