"""Making a journal of a keyspace that no server runs on: what an import ends with.

The new base and its segment are written under numbers that no file has; the manifest that lists
them is put in place last and in one step, and only then is removed what it does not list.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator

from headwater._version import REDIS_VERSION
from headwater.journal.disk import Disk, UncertainError
from headwater.journal.format import (
    JOURNAL_ID_BYTES,
    JournalError,
    Place,
    base_name,
    file_number,
    free_number,
)
from headwater.journal.lock import DirectoryLock
from headwater.journal.manifest import Manifest
from headwater.journal.segment import SegmentWriter
from headwater.keyspace.cut import Cut
from headwater.keyspace.database import Keyspace
from headwater.persistence.datadir import DataDirectory
from headwater.persistence.snapshot import WORKING, Snapshot
from headwater.persistence.snapshot_file import DirectFile
from headwater.rdb.encoder import standard_aux

STEP_US = 20_000


class NewJournal:
    """A journal to be made in a data directory.

    replace: whether data that is there already may be replaced
    """

    def __init__(self, disk: Disk, directory: DataDirectory, replace: bool) -> None:
        self._disk = disk
        self._directory = directory
        self._replace = replace
        self.complete = False
        """Whether `steps` has come to its end: everything is in place."""
        self._snapshot: Snapshot | None = None
        self._made: list[str] = []  # files, to be removed if something fails
        self._made_directories: list[str] = []

    @property
    def keys_written(self) -> int:
        """How many keys the new base has so far."""
        return 0 if self._snapshot is None else self._snapshot.keys_done

    def check(self) -> None:
        """Raise JournalError if a server uses the directory, or there is data not to be replaced.

        Changes nothing.
        """
        lock = DirectoryLock(self._disk, self._directory.path)
        if self._disk.exists(lock.path):
            with lock:
                pass
        self._check_empty()

    def _check_empty(self) -> None:
        directory = self._directory
        if self._replace:
            return
        found = [f"{directory.journal}/{name}" for name in directory.names() if file_number(name)]
        if directory.has_manifest():
            found.insert(0, directory.manifest_path())
        if directory.has_snapshot():
            found.append(directory.snapshot)
        redis = directory.redis_file()
        if redis is not None:
            found.append(redis)
        if found:
            raise JournalError(
                found[0],
                f"the directory {directory.path} has data already; import into another directory, "
                "or with --force to replace it",
            )

    def steps(self, keyspace: Keyspace) -> Generator[None, None, None]:
        """Write everything, a step at a time; it is on disk behind the last one.

        Raises JournalError, OSError; then the directory is as it was, but for its lock file.
        """
        try:
            self._make_directories()
            with DirectoryLock(self._disk, self._directory.path):
                self._check_empty()
                yield from self._write(keyspace)
        except UncertainError:
            raise  # the manifest may be in place
        except BaseException:
            self._take_back()
            raise
        self.complete = True

    def _make_directories(self) -> None:
        missing = []
        path = os.path.abspath(self._directory.path)
        while not self._disk.exists(path):
            missing.append(path)
            path = os.path.dirname(path)
        for path in reversed(missing):
            self._disk.make_directory(path)
            self._made_directories.append(path)
        if not os.path.isdir(path):
            raise JournalError(path, "this is not a directory")

    def _write(self, keyspace: Keyspace) -> Iterator[None]:
        disk, directory = self._disk, self._directory.journal
        if not disk.exists(directory):
            disk.make_directory(directory)
            self._made_directories.append(directory)
        number = free_number(disk.list(directory), True)
        base = f"{directory}/{base_name(number)}"
        self._made.append(base)
        aux = standard_aux(REDIS_VERSION, keyspace.clock.now_ms // 1000, 0, True)
        snapshot = self._snapshot = Snapshot(
            Cut(keyspace, True), DirectFile(disk, base), aux, compress=True, checksum=True
        )
        try:
            while snapshot.state == WORKING:
                snapshot.step(STEP_US)
                yield
        finally:
            snapshot.abort()
        if snapshot.error is not None:
            raise JournalError(base, f"the snapshot could not be written: {snapshot.error}")
        journal_id = os.urandom(JOURNAL_ID_BYTES)
        writer = SegmentWriter.create(disk, directory, journal_id, number, Place())
        writer.close()
        self._made.append(writer.path)
        manifest = Manifest(journal_id, 1, 0, True)
        manifest.add(number, writer.place)
        manifest.save(disk, directory)
        self._made.clear()
        for name in manifest.strays(disk.list(directory)):
            with contextlib.suppress(OSError):
                disk.remove(f"{directory}/{name}")

    def _take_back(self) -> None:
        """Remove what was made before something failed."""
        for path in self._made:
            with contextlib.suppress(OSError):
                self._disk.remove(path)
        with contextlib.suppress(OSError):
            for path in reversed(self._made_directories):
                for name in self._disk.list(path):
                    if name == os.path.basename(DirectoryLock(self._disk, path).path):
                        self._disk.remove(f"{path}/{name}")
                os.rmdir(path)
