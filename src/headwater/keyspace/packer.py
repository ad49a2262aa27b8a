"""Compressing sealed blocks in the background: what the loop does of it, what a thread does.

    loop    takes blocks that are due (`streams/packing.py`) and copies what is to be compressed
    thread  compresses the batch, without the interpreter's lock
    loop    puts the results in the blocks' places, a batch at a time

A batch is small and there is one at a time. While requests come there is a pause between two;
in quiet times there is none. The memory that becomes free is given back to the system by
the loop, bit by bit.

No event loop is needed: `work` looks whether the thread is done.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from headwater.keyspace.database import Keyspace
from headwater.keyspace.traffic import QUIET_US, Traffic
from headwater.raw import monotonic_us
from headwater.streams.block import RAW, REFUSED, Block
from headwater.streams.codec import Codec, Packed
from headwater.streams.stream import Stream

LEVEL = 1
"""Of Zstandard's levels the one with the best ratio among the fast ones, for entries of streams."""

WORTH = 8
"""A block stays as it is if packing it saves less than this part of it."""

BUSY_BLOCKS, BUSY_BYTES = 16, 256 * 1024
QUIET_BLOCKS, QUIET_BYTES = 64, 1024 * 1024
"""The size of a batch while requests come, and in quiet times."""

BUSY_S = 0.004
POLL_S = 0.001
"""The pause behind a batch while requests come, and between two looks at the thread."""

TRIM_BYTES = 4 * 1024 * 1024
"""What became free is given back in portions of this, which takes about a millisecond. Saved up
for a quiet moment it would be a long one; in small ones the allocator's walk would cost most."""

TRIM_SHORT_US, TRIM_US_PER_MB = 1000, 500
TRIM_QUIET, TRIM_QUIET_US = 10, 500_000
TRIM_SHARE, TRIM_PAUSE_US = 50, 10_000_000
"""The walk goes through all that is free, and may take 100 ms where that is much for reasons of
others. If the last one took longer than what it gave back accounts for, there is a pause, so many
times as long, and then no request must have come for so many times as long. Neither is longer
than its second number."""

KEEP_MS = 10_000
"""An unpacked copy is kept for as long as this, or twice as long."""

VISITS = 16
"""Streams that are looked at for one batch, at most: some have nothing to give."""

AFTER_ERROR_S = 1.0
"""The pause when a batch could not be compressed: no memory, no thread."""

WALK_KEYS = 64
"""Keys that one turn looks at after the directive was switched on."""

IDLE_S = 2.0
NICENESS = 10
"""The thread ends after so long without work. It has a low priority, where threads have one."""

_log = logging.getLogger("headwater")
Job = Callable[[], Any]


class Worker(Protocol):
    """Does one job at a time."""

    def submit(self, job: Job) -> None:
        """Begin a job; the one before has been taken back."""

    def outcome(self) -> tuple[Any, BaseException | None] | None:
        """What came of the job, once; None while it is not done."""

    def close(self) -> None:
        """Do what is begun, and end."""


class PackThread:
    """A worker that is a thread, there only while there is something to do."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._outcomes: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def submit(self, job: Job) -> None:
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="headwater-packing", daemon=True)
                thread.start()
                self._thread = thread
            self._jobs.put(job)

    def outcome(self) -> tuple[Any, BaseException | None] | None:
        try:
            return self._outcomes.get_nowait()
        except queue.Empty:
            return None

    def close(self) -> None:
        with self._lock:
            thread = self._thread
            self._jobs.put(None)
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        _be_nice()
        while True:
            try:
                job = self._jobs.get(timeout=IDLE_S)
            except queue.Empty:
                with self._lock:
                    if self._jobs.empty():
                        self._thread = None
                        return
                continue
            if job is None:
                return
            try:
                self._outcomes.put((job(), None))
            except BaseException as error:
                self._outcomes.put((None, error))
            del job


class Packer:
    """Packs the blocks of a keyspace's streams; lives in the thread of the keyspace.

    `tick` about ten times a second, `work` when `on_work` was called and then as it says, `close`
    at the end. `requests` tells how many were executed. Without `on_work` every tick does a
    portion.
    """

    def __init__(
        self, keyspace: Keyspace, requests: Callable[[], int], worker: Worker | None = None
    ) -> None:
        self.keyspace = keyspace
        self.registry = keyspace.packing
        self.registry.now_ms = keyspace.clock.now_ms
        self.worker: Worker = worker or PackThread()
        self.codec = Codec(_not_yet)
        self.on_work: Callable[[], None] | None = None
        self._requests = requests
        self._compress: Callable[..., Any] | None = None
        self._traffic = Traffic()
        self._batch: list[Block] = []
        self._freed = 0  # bytes, since memory was given back
        self._next_trim_us = 0  # when it may be again, and how quiet it must be then
        self._trim_quiet_us = 0
        self._next_age_ms = 0
        self._walk_at: tuple[int, int] | None = None  # database, serial: where to look for streams
        self._closed = False

    # --- settings ---

    def set_depth(self, depth: int) -> None:
        """Follow `stream-compress-depth`. What is packed stays so."""
        registry = self.registry
        before, registry.depth = registry.depth, depth
        more = depth > 0 and (before == 0 or depth < before)
        if more and any(db.values for db in self.keyspace.databases):
            self._walk_at = (0, 0)

    # --- every now and then ---

    def has_work(self) -> bool:
        """Whether there is something to do at once."""
        return (
            bool(self._batch)
            or self._walk_at is not None
            or self.registry.has_work()
            or self._trim_is_due()
        )

    def pending(self) -> int:
        """What is still to be done, now or later: streams with blocks, the batch, a walk."""
        waiting = self.registry.pending() + len(self._batch) + (self._walk_at is not None)
        return waiting + (self._freed >= TRIM_BYTES)

    def tick(self) -> None:
        """Let time pass; has `work` called if there is something to do."""
        if self._closed:
            return
        now_ms = self.keyspace.clock.now_ms
        self.registry.now_ms = now_ms
        if not 0 < self._next_age_ms - now_ms <= KEEP_MS:
            self._next_age_ms = now_ms + KEEP_MS
            kept = self.codec.kept_bytes
            self.codec.next_age()
            self._freed += kept - self.codec.kept_bytes
        if self.has_work():
            if self.on_work is None:
                self.work()
            else:
                self.on_work()

    def work(self) -> float | None:
        """Do a small part; returns in how many seconds to call again.

        None: when `on_work` is called.
        """
        if self._closed:
            return None
        if self._batch:
            outcome = self.worker.outcome()
            if outcome is None:
                return POLL_S
            if not self._take_back(*outcome):
                return AFTER_ERROR_S
        if self._walk_at is not None:
            self._walk_on(self._walk_at)
            return 0.0
        quiet = self._is_quiet()
        if self._trim_is_due():
            self._trim()
            return 0.0 if quiet else BUSY_S
        self._fill_batch(quiet)
        if not self._batch:
            if self.registry.has_work():
                return 0.0 if quiet else BUSY_S
            return None
        try:
            compress = self._compress or self._load()
            texts = [block.to_pack() for block in self._batch]
            self.worker.submit(lambda: pack_all(compress, texts))
        except Exception as error:
            self._take_back(None, error)
            return AFTER_ERROR_S
        return POLL_S if quiet else BUSY_S

    def _fill_batch(self, quiet: bool) -> None:
        """Take blocks from one stream after the other, until it is enough for one turn."""
        most, left = (QUIET_BLOCKS, QUIET_BYTES) if quiet else (BUSY_BLOCKS, BUSY_BYTES)
        batch: list[Block] = []
        for _ in range(VISITS):
            if len(batch) >= most or left <= 0 or not self.registry.has_work():
                break
            found = self.registry.take(most - len(batch), left)
            left -= sum(block.used for block in found)
            batch += found
        self._batch = batch

    def _load(self) -> Callable[..., Any]:
        """Make what compresses and unpacks; a server that has nothing to pack need not have it."""
        try:
            import zstandard
        except ImportError as error:
            self.registry.depth = 0
            raise RuntimeError(f"{error}; it is off until stream-compress-depth is set") from None
        self.codec.decompress = zstandard.ZstdDecompressor().decompress
        compressor = zstandard.ZstdCompressor(
            level=LEVEL, write_checksum=True, write_content_size=True
        )
        self._compress = compressor.multi_compress_to_buffer
        return self._compress

    def _is_quiet(self, for_us: int = QUIET_US) -> bool:
        """Whether no request came for so long."""
        return self._traffic.quiet_us(monotonic_us(), self._requests()) >= for_us

    def _trim_is_due(self) -> bool:
        if self._freed < TRIM_BYTES or monotonic_us() < self._next_trim_us:
            return False
        return self._is_quiet(self._trim_quiet_us)

    def _trim(self) -> None:
        """Give memory back. In the loop: the thread would hold the allocator's lock for long."""
        freed, self._freed = self._freed, 0
        begin_us = cpu_us()
        give_memory_back()
        took_us = cpu_us() - begin_us
        self._next_trim_us = self._trim_quiet_us = 0
        if took_us > TRIM_SHORT_US + TRIM_US_PER_MB * freed // (1024 * 1024):
            self._next_trim_us = monotonic_us() + min(TRIM_SHARE * took_us, TRIM_PAUSE_US)
            self._trim_quiet_us = min(TRIM_QUIET * took_us, TRIM_QUIET_US)

    def _take_back(self, result: list[bytes] | None, error: BaseException | None) -> bool:
        """Put what came of the batch into its blocks; False if nothing came of it."""
        batch, self._batch = self._batch, []
        if error is not None or result is None:
            _log.error("blocks of streams could not be compressed: %s", error)
            for block in batch:
                block.form = RAW
            return False
        for block, data in zip(batch, result, strict=True):
            size = block.used + 4 * block.slots
            if len(data) > size - size // WORTH:
                block.form = REFUSED
            else:
                block.pack(Packed(self.codec, data, size))
                self._freed += size
        return True

    def _walk_on(self, at: tuple[int, int]) -> None:
        """Look at a few more keys for streams that were full before packing was switched on."""
        index, serial = at
        databases = self.keyspace.databases
        left = WALK_KEYS
        while index < len(databases):
            db = databases[index]
            while left > 0:
                key = db.order.after(serial)
                if key is None:
                    break
                value = db.values[key]
                serial = value.serial
                left -= 1
                if isinstance(value, Stream):
                    self.registry.added(value)
            if left == 0:
                self._walk_at = (index, serial)
                return
            index, serial = index + 1, 0
        self._walk_at = None

    # --- the end ---

    def close(self) -> None:
        """End the thread and drop copies. Packed blocks can still be read.

        A second call does nothing.
        """
        if self._closed:
            return
        self._closed = True
        self.worker.close()
        for block in self._batch:
            block.form = RAW
        self._batch = []
        # The collector of cycles does not look into blocks, so no copy may be kept from now on
        # but the one that is being read.
        self.codec.clear()
        self.codec.limit = 0

    def info(self) -> list[tuple[str, int]]:
        """Names and values for INFO memory."""
        codec = self.codec
        return [
            ("stream_packed_blocks", codec.blocks),
            ("stream_packed_raw_bytes", codec.raw_bytes),
            ("stream_packed_bytes", codec.packed_bytes),
            ("stream_packing_pending", self.pending()),
            ("stream_unpacked_blocks", codec.unpacked),
            ("stream_unpacked_kept_bytes", codec.kept_bytes),
        ]


def _not_yet(data: bytes) -> bytes:
    raise RuntimeError("nothing was packed yet")


def pack_all(compress: Callable[..., Any], texts: list[bytearray]) -> list[bytes]:
    """Compress each of these on its own; the interpreter's lock is given up for all of them."""
    return [segment.tobytes() for segment in compress(texts)]


def cpu_us() -> int:
    """CPU time of this thread: other programs do not make it longer."""
    return time.thread_time_ns() // 1000


def give_memory_back() -> None:
    """Have the allocator give whole free pages to the system, where it does not do so by itself."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


def _be_nice() -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
