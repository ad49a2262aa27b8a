"""Whole journals, with rotations, bases and restarts, through power failures at any call.

The order of steps here is the one that `docs/formats/journal.md` prescribes.
"""

from __future__ import annotations

import contextlib
import errno
import random
from collections.abc import Iterator

import pytest

from headwater.journal.disk import UncertainError
from headwater.journal.format import Place, base_name
from headwater.journal.manifest import Manifest
from headwater.journal.reader import END, TORN, SegmentReader
from headwater.journal.segment import SegmentWriter
from support.disk import SimulatedDisk
from support.segments import DIRECTORY, JOURNAL_ID, append, read_all


class PowerLostError(Exception):
    """The moment of the crash."""


class FailingDisk(SimulatedDisk):
    """A disk that has only so many calls left (None: any number)."""

    calls_left: int | None = None

    @contextlib.contextmanager
    def _call(self, operation: str, path: str, generation: int | None = None) -> Iterator[None]:
        if self.calls_left is not None:
            if self.calls_left == 0:
                raise PowerLostError
            self.calls_left -= 1
        with super()._call(operation, path, generation):
            yield

    def crash(self, rng: random.Random | None = None) -> None:
        self.calls_left = None
        super().crash(rng)


class Model:
    """A server whose state is the list of all batches: the base holds how many there are in it.

    history: what was appended, in this and in earlier lives
    durable: how many of it a sync has promised
    """

    def __init__(self, disk: FailingDisk, rng: random.Random) -> None:
        self.disk = disk
        self.rng = rng
        self.history: list[list[bytes]] = []
        self.durable = 0
        self.manifest: Manifest | None = None
        self.writer: SegmentWriter | None = None

    def path(self, name: str) -> str:
        return f"{DIRECTORY}/{name}"

    def start(self) -> None:
        """Read everything that is there, and go on behind it."""
        disk = self.disk
        manifest = Manifest.load(disk, DIRECTORY)
        if manifest is None:
            assert self.durable == 0
            for name in disk.list(DIRECTORY):
                disk.remove(self.path(name))
            self.history = []
            manifest = Manifest(JOURNAL_ID, epoch=1)
            writer = SegmentWriter.create(disk, DIRECTORY, JOURNAL_ID, 1, Place())
            manifest.add(1, writer.place)
            manifest.save(disk, DIRECTORY)
            self.manifest, self.writer = manifest, writer
            return
        found: list[list[bytes]] = []
        if manifest.base is not None:
            found = self.history[: int(disk.read_bytes(self.path(manifest.base)))]
        place = manifest.segments[0].place
        for entry in manifest.segments:
            last = entry is manifest.last
            reader = SegmentReader(
                disk.open_read(self.path(entry.name)),
                JOURNAL_ID,
                entry.number,
                place,
                last,
                manifest.reached if last else 0,
            )
            found += read_all(reader)
            assert reader.state in ((END, TORN) if last else (END,)), reader.error()
            place = reader.place()
            if not last:
                reader.file.close()
        assert found == self.history[: len(found)]
        assert self.durable <= len(found)
        self.history = found
        self.writer = SegmentWriter.open(
            disk, self.path(entry.name), JOURNAL_ID, entry.number, place, reader.offset
        )
        self.manifest = manifest.copy()
        self.manifest.epoch += 1
        self.manifest.reached = max(manifest.reached, place.position)
        self.manifest.save(disk, DIRECTORY)
        self.durable = len(found)
        for name in self.manifest.strays(disk.list(DIRECTORY)):
            disk.remove(self.path(name))

    def append(self) -> None:
        assert self.writer is not None
        assert self.manifest is not None
        sizes = [self.rng.choice((0, 10, 300, 2000)) for _ in range(self.rng.randint(1, 3))]
        batch = [self.rng.randbytes(size) for size in sizes]
        self.history.append(batch)
        append(self.writer, batch, epoch=self.manifest.epoch, sync=False)

    def sync(self) -> None:
        assert self.writer is not None
        written = len(self.history)
        self.writer.sync()
        self.durable = written

    def rewrite(self) -> None:
        """A new segment, a base of what was before it, and the old files removed."""
        assert self.writer is not None
        assert self.manifest is not None
        disk, number, place = self.disk, self.manifest.last.number + 1, self.writer.place
        count = len(self.history)
        self.sync()
        writer = SegmentWriter.create(disk, DIRECTORY, JOURNAL_ID, number, place)
        longer = self.manifest.copy()
        longer.add(number, place)
        longer.save(disk, DIRECTORY)
        self.writer.close()
        self.writer, self.manifest = writer, longer
        for _ in range(self.rng.randrange(4)):
            self.append()
        disk.write_atomically(self.path(base_name(number)), b"%d" % count)
        shorter = longer.copy()
        shorter.drop_before(number)
        shorter.save(disk, DIRECTORY)
        self.manifest = shorter
        for name in shorter.strays(disk.list(DIRECTORY)):
            disk.remove(self.path(name))

    def work(self) -> None:
        """Start, and go on until the power fails."""
        self.start()
        while True:
            self.rng.choice([self.append] * 6 + [self.sync] * 3 + [self.rewrite])()

    def live(self, calls: int) -> None:
        """Work until the disk has had so many calls, then lose the power."""
        self.disk.calls_left = calls
        with pytest.raises(PowerLostError):
            self.work()
        self.disk.crash(self.rng)


@pytest.mark.parametrize("seed", range(60))
def test_any_number_of_power_failures(seed: int) -> None:
    rng = random.Random(seed)
    model = Model(FailingDisk(DIRECTORY), rng)
    for _ in range(12):
        model.live(rng.choice((1, 5, 20, 60, 150)))
    model.start()


@pytest.mark.parametrize("calls", range(80))
def test_a_power_failure_at_every_call_of_two_rewrites(calls: int) -> None:
    rng = random.Random(calls)
    ended = []
    for lost in (None, rng):
        disk = FailingDisk(DIRECTORY)
        model = Model(disk, rng)
        model.start()
        for _ in range(5):
            model.append()
        disk.calls_left = calls
        try:
            model.rewrite()
            model.rewrite()
        except PowerLostError:
            ended.append(disk)
        disk.crash(lost)
        model.start()
    assert len(ended) == 2 or calls > 40  # most of these are really in the middle


def test_a_manifest_whose_fate_is_unknown_says_so() -> None:
    disk = FailingDisk(DIRECTORY)
    model = Model(disk, random.Random(1))
    model.start()
    model.append()
    disk.fail("sync_directory", errno.EIO, after=1)
    with pytest.raises(UncertainError):
        model.rewrite()
    # The segment that the new manifest lists must stay: that manifest may be the one that is left.
    disk.kill()
    model.start()
    assert len(model.history) == 1
