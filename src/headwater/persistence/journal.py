"""The journal's files while a server runs: begun, continued, rewritten, ended.

A rewrite (BGREWRITEAOF) makes a journal short again without stopping anybody:

1. at one instant a cut of the keyspace is taken, and everything recorded so far is the last of
   the present segment;
2. that is written and synced, the next segment is made, and a manifest that lists both; from
   here on commands are recorded there;
3. the cut is written beside it as a snapshot, the new base;
4. a manifest that begins with the new base replaces the old one, and what it does not list any
   more is removed.

A crash between any two steps leaves a manifest whose files are whole.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable

from headwater.journal.disk import Disk, UncertainError
from headwater.journal.format import JOURNAL_ID_BYTES, Place, base_name, free_number
from headwater.journal.manifest import Manifest
from headwater.journal.segment import SegmentWriter
from headwater.persistence.committer import Committer
from headwater.persistence.datadir import UNLISTED_SUFFIX
from headwater.persistence.disk_thread import DiskThread

COPY_BYTES = 1 << 20
Done = Callable[["OSError | None"], None]
_log = logging.getLogger("headwater")


class Journal:
    """The files of one journal, and the committer that writes the last of them.

    `manifest` is what the disk has; None while there is no journal. `base_bytes`: size of the
    snapshot it begins with. `bytes_at_rewrite`: size of all files when that was made.
    """

    __slots__ = (
        "_disk",
        "_sealed_bytes",
        "_thread",
        "base_bytes",
        "bytes_at_rewrite",
        "committer",
        "directory",
        "manifest",
    )

    def __init__(
        self, disk: Disk, directory: str, committer: Committer, thread: DiskThread
    ) -> None:
        self._disk = disk
        self._thread = thread
        self.directory = directory
        self.committer = committer
        self.manifest: Manifest | None = None
        self.base_bytes = 0
        self.bytes_at_rewrite = 0
        self._sealed_bytes = 0

    @property
    def size(self) -> int:
        """Bytes in all files."""
        writer = self.committer.writer
        return self.base_bytes + self._sealed_bytes + (0 if writer is None else writer.size)

    # --- begin, continue, end ---

    def create(self, snapshot: str | None) -> None:
        """Begin a new journal that continues the snapshot in this file, or an empty keyspace.

        The snapshot is copied. Raises OSError.
        """
        disk, directory = self._disk, self.directory
        disk.make_directory(directory)
        number = self.next_number(snapshot is not None)
        journal_id = os.urandom(JOURNAL_ID_BYTES)
        if snapshot is not None:
            copy_file(disk, snapshot, f"{directory}/{base_name(number)}")
        writer = SegmentWriter.create(disk, directory, journal_id, number, Place())
        self.establish(Manifest(journal_id, 1, 0, snapshot is not None), writer)

    def establish(self, manifest: Manifest, writer: SegmentWriter) -> None:
        """Let the manifest list this segment alone, and write to it from now on."""
        manifest.segments = []
        manifest.add(writer.number, writer.place)
        manifest.save(self._disk, self.directory)
        self.manifest = manifest
        self._measure()
        self.bytes_at_rewrite = self.size
        self.committer.recorder.start(writer.place.position, writer.place.chain)
        self.committer.begin(writer, manifest.epoch)

    def resume(self, manifest: Manifest, place: Place, size: int) -> None:
        """Continue behind the last sound batch: at `place`, byte `size` of the last segment.

        Raises OSError.
        """
        last = manifest.last
        manifest = manifest.copy()
        manifest.epoch += 1
        manifest.reached = max(manifest.reached, place.position)
        writer = SegmentWriter.open(
            self._disk,
            f"{self.directory}/{last.name}",
            manifest.journal_id,
            last.number,
            place,
            size,
        )
        manifest.save(self._disk, self.directory)
        self.manifest = manifest
        self._measure()
        self.bytes_at_rewrite = self.base_bytes
        self.committer.recorder.start(place.position, place.chain)
        self.committer.begin(writer, manifest.epoch)

    def end(self) -> None:
        """Write what is left, sync, and close: there is no journal from now on.

        Raises OSError; then nothing is released that could not be written.
        """
        committer = self.committer
        recorder = committer.recorder
        committer.silence()  # a new journal in place of this one is not wanted
        released = -1
        try:
            committer.flush()
        except OSError:
            released = recorder.released
            raise
        finally:
            recorder.stop()
            if released >= 0:
                recorder.released = released
            writer = committer.end()
            if writer is not None:
                writer.close()
            self.manifest = None

    def next_number(self, based: bool) -> int:
        """A number for a new segment, that continues a snapshot if `based`."""
        names = [name.removesuffix(UNLISTED_SUFFIX) for name in self._disk.list(self.directory)]
        return free_number(names, based)

    def _measure(self) -> None:
        """Look up how big the files are that are not written any more."""
        manifest = self.manifest
        assert manifest is not None
        base = manifest.base
        self.base_bytes = 0 if base is None else self._size_of(base)
        self._sealed_bytes = sum(self._size_of(entry.name) for entry in manifest.segments[:-1])

    def _size_of(self, name: str) -> int:
        """Bytes of a file; 0 if it cannot be looked up, which is no reason for anything to fail."""
        try:
            return self._disk.size(f"{self.directory}/{name}")
        except OSError:
            return 0

    # --- a rewrite ---

    def begin_segment(self, done: Done) -> int:
        """Steps 1 and 2, called at the instant of the cut. Returns the next segment's number."""
        manifest = self.manifest
        assert manifest is not None
        number = manifest.last.number + 1
        following = manifest.copy()
        disk, directory = self._disk, self.directory

        def begin_next(writer: SegmentWriter) -> SegmentWriter:
            place = writer.place
            begun = SegmentWriter.create(disk, directory, writer.journal_id, number, place)
            following.add(number, place)
            try:
                following.save(disk, directory)
            except UncertainError:
                begun.close()  # the manifest may list it already
                raise
            except OSError:
                begun.close()
                with contextlib.suppress(OSError):
                    disk.remove(begun.path)
                raise
            return begun

        def rotated(error: OSError | None) -> None:
            if error is None:
                self.manifest = following
                self._measure()
            done(error)

        self.committer.rotate(begin_next, rotated)
        return number

    def adopt_base(self, number: int, done: Done) -> None:
        """Step 4: the snapshot before segment `number` is complete and on disk."""
        manifest = self.manifest
        assert manifest is not None
        old = manifest
        shorter = manifest.copy()
        shorter.drop_before(number)
        disk, directory = self._disk, self.directory

        def save() -> None:
            shorter.save(disk, directory)
            kept = shorter.names()
            for name in old.names():
                if name not in kept:
                    with contextlib.suppress(OSError):
                        disk.remove(f"{directory}/{name}")

        def saved(_: object, error: OSError | None) -> None:
            if error is None:
                self.manifest = shorter
                self._measure()
                self.bytes_at_rewrite = self.size
            done(error)

        self._thread.submit(save, saved)

    # --- everything anew ---

    def replace(self, manifest: Manifest, writer: SegmentWriter, begin: Place, done: Done) -> None:
        """Let another journal take this one's place: its base is complete, `writer` its segment.

        `begin` is where that segment begins. What belonged to the old journal is removed.
        """
        disk, directory = self._disk, self.directory
        manifest.add(writer.number, begin)
        old = self.manifest

        def save() -> None:
            writer.rename(disk)
            manifest.save(disk, directory)
            kept = manifest.names()
            for name in old.names() if old is not None else []:
                if name not in kept:
                    with contextlib.suppress(OSError):
                        disk.remove(f"{directory}/{name}")

        def saved(_: object, error: OSError | None) -> None:
            if error is None:
                self.manifest = manifest
                self._measure()
                self.bytes_at_rewrite = self.size
            done(error)

        self._thread.submit(save, saved)


def copy_file(disk: Disk, source: str, target: str) -> None:
    """Copy a file; the copy is on disk when this returns, and gone when it raises OSError."""
    reading = disk.open_read(source)
    try:
        writing = disk.create(target)
        try:
            buf = bytearray(COPY_BYTES)
            while n := reading.read_into(buf, 0, COPY_BYTES):
                with memoryview(buf) as view:
                    writing.write(view[:n])
            writing.sync()
        except OSError:
            with contextlib.suppress(OSError):
                disk.remove(target)
            raise
        finally:
            writing.close()
    finally:
        reading.close()
    disk.sync_directory(os.path.dirname(target) or ".")
