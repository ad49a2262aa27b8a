"""A journal in memory whose every state is known: commands, and the digest behind each of them."""

from __future__ import annotations

import threading

from headwater.clock import ManualClock
from headwater.commands.digest import keyspace_digest
from headwater.config import Config
from headwater.journal.disk import Disk
from headwater.journal.format import Place, base_name
from headwater.journal.manifest import Manifest
from headwater.journal.segment import SegmentWriter
from headwater.keyspace.cut import Cut
from headwater.keyspace.database import Keyspace
from headwater.persistence.recovery import Recovery
from headwater.persistence.snapshot import Snapshot
from headwater.persistence.snapshot_file import DirectFile

from .disk import SimulatedDisk
from .embedded import NOW_MS, Embedded
from .wire import Word

DATA = "/data"
JOURNAL = f"{DATA}/appendonlydir"
DUMP = f"{DATA}/dump.rdb"
ID = bytes(range(16))

ORDERS: tuple[tuple[Word, ...], ...] = (
    ("XADD", "orders", "1-1", "item", "apple"),
    ("XADD", "orders", "2-1", "item", "pear", "count", "3"),
    ("XGROUP", "CREATE", "orders", "workers", "0"),
    ("XREADGROUP", "GROUP", "workers", "ann", "COUNT", "2", "STREAMS", "orders", ">"),
    ("SET", "greeting", "hello"),
    ("XACK", "orders", "workers", "1-1"),
    ("XADD", "orders", "3-1", "item", "plum"),
    ("EXPIRE", "greeting", "100"),
    ("XDEL", "orders", "2-1"),
    ("XADD", "other", "5-5", "a", "b"),
)


class Journaled:
    """An engine whose commands a journal on `disk` takes, each command in a batch of its own.

    digests: of the empty keyspace, then behind each record
    """

    def __init__(self, disk: Disk, sync: bool = True) -> None:
        self.disk = disk
        self.sync = sync
        self.world = Embedded()
        self.recorder = self.world.state.recorder
        self.recorder.start(0, 0)
        self.digests = [self.digest()]
        self.epoch = 1
        disk.make_directory(JOURNAL)
        self.writer = SegmentWriter.create(disk, JOURNAL, ID, 1, Place())
        self.manifest = Manifest(ID, self.epoch)
        self.manifest.add(1, Place())
        self.manifest.save(disk, JOURNAL)

    def digest(self) -> bytes:
        return keyspace_digest(self.world.engine.keyspace)

    def do(self, *commands: tuple[Word, ...]) -> None:
        """Execute commands; the effects of each are a batch at the end of the journal."""
        for words in commands:
            self.world.main.ok(*words)
            batch = self.recorder.take()
            assert batch is not None, words
            self.writer.append(batch, self.epoch)
            if self.sync:
                self.writer.sync()
            self.digests.append(self.digest())

    def rotate(self) -> int:
        """Steps 1 and 2 of a rewrite: the next segment, and a manifest that lists it."""
        number = self.manifest.last.number + 1
        self.writer.sync()
        following = self.manifest.copy()
        place = self.writer.place
        begun = SegmentWriter.create(self.disk, JOURNAL, ID, number, place)
        following.add(number, place)
        following.save(self.disk, JOURNAL)
        self.writer.close()
        self.writer, self.manifest = begun, following
        return number

    def save(self, path: str) -> None:
        """Write a snapshot of this moment."""
        cut = Cut(self.world.engine.keyspace)
        snapshot = Snapshot(
            cut, DirectFile(self.disk, path), [(b"ctime", b"1700000000")], True, True
        )
        while snapshot.step(1_000_000) < 2:
            pass
        assert snapshot.error is None

    def rewrite(self) -> None:
        """A whole rewrite of the journal."""
        number = self.rotate()
        self.save(f"{JOURNAL}/{base_name(number)}")
        self.adopt(number)

    def adopt(self, number: int) -> None:
        """The last steps of a rewrite, when the base is there."""
        old, shorter = self.manifest, self.manifest.copy()
        shorter.drop_before(number)
        shorter.save(self.disk, JOURNAL)
        self.manifest = shorter
        for name in old.names():
            if name not in shorter.names():
                self.disk.remove(f"{JOURNAL}/{name}")


def new_config(**directives: str) -> Config:
    """A configuration whose data directory is DATA."""
    config = Config()
    config.assign("dir", [DATA])
    for name, value in directives.items():
        config.assign(name.replace("_", "-"), [value])
    return config


class Started:
    """A recovery that has succeeded, and what it has loaded."""

    def __init__(self, disk: Disk, skip_unknown: bool = False, **directives: str) -> None:
        self.keyspace = Keyspace(ManualClock(NOW_MS), 16)
        self.recovery = Recovery(disk, new_config(**directives), self.keyspace, skip_unknown)
        self.result = self.recovery.run()

    def digest(self) -> bytes:
        return keyspace_digest(self.keyspace)


class StoppedError(BaseException):
    """The process is gone."""


class StoppingDisk(SimulatedDisk):
    """Stops the process (every call raises StoppedError) once `left` more operations have changed
    or synced something."""

    def __init__(self, left: int) -> None:
        super().__init__(DATA)
        self.left = left

    def _call(
        self, operation: str, path: str, generation: int | None = None
    ) -> threading.Condition:
        if operation not in ("exists", "size", "list", "read", "open_read"):
            self.left -= 1
            if self.left < 0:
                raise StoppedError
        return super()._call(operation, path, generation)

    def go_on(self) -> None:
        """Another process uses the disk, and ends by itself."""
        self.left = 1 << 60
