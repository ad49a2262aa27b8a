"""What a start loads: which files, in which order, and when it refuses.

- `appendonly yes` and a manifest: its base and its segments.
- `appendonly yes`, no manifest, but a snapshot (`dbfilename`): the snapshot; the caller begins a
  journal that continues it. Redis would come up empty there.
- `appendonly no`: the snapshot alone.
- nothing of these: an empty keyspace.

Nothing is changed on disk before everything has been read and applied; then a torn tail is cut
off and, by `finish`, what interrupted writes have left behind is removed. Whatever the files
hold, a start ends with the state behind some record of the history, or with an error that names
the file, the place in it and what to do.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from headwater.config import Config
from headwater.journal.disk import Disk
from headwater.journal.format import FormatError, JournalError, Place
from headwater.journal.manifest import Manifest
from headwater.journal.reader import END, TORN
from headwater.keyspace.database import Keyspace
from headwater.persistence.apply import Applier
from headwater.persistence.datadir import DataDirectory, StartError
from headwater.persistence.history import History, SegmentEnd, torn_bytes
from headwater.persistence.loading import KeyspaceSink, SnapshotError, SnapshotLoader
from headwater.persistence.operands import ApplyError
from headwater.raw import monotonic_us
from headwater.streams.stream import Stream

NOTICE = 25
PROGRESS_EVERY_US = 2_000_000
PAUSE_BYTES = 128 * 1024
"""After so much of a segment the clock is looked at: applying it takes less than a millisecond."""

_SLICE_US = 1000
_KEYS_AT_ONCE = 10_000
_log = logging.getLogger("headwater")


@dataclass(slots=True)
class CutTail:
    """A torn tail that was cut off: `dropped` bytes from byte `offset` of the file on."""

    path: str
    offset: int
    dropped: int


@dataclass(slots=True)
class Recovered:
    """What was loaded, and where the journal goes on.

    manifest, place, size: of the journal that was loaded: the place behind its last record, and
        the bytes of its last segment; manifest is None if none was loaded
    snapshot: the RDB file that was loaded alone; a new journal continues it
    begin_journal: `appendonly` is yes and there is no journal yet
    keys, entries: in the keyspace now
    expired: keys of the snapshot whose time was over
    batches, records: applied from the journal
    read_bytes, seconds: read from files, and in what time
    skipped_types: types that Headwater does not have, and how many keys were left out of each
    """

    manifest: Manifest | None = None
    place: Place = field(default_factory=Place)
    size: int = 0
    snapshot: str | None = None
    begin_journal: bool = False
    keys: int = 0
    entries: int = 0
    expired: int = 0
    batches: int = 0
    records: int = 0
    read_bytes: int = 0
    seconds: float = 0.0
    skipped_types: dict[str, int] = field(default_factory=dict)
    aux_fields: dict[bytes, bytes] = field(default_factory=dict)
    cut: CutTail | None = None
    warnings: list[str] = field(default_factory=list)


class Recovery:
    """Fills an empty keyspace from the files of a data directory.

    `step` until it returns True; then `result` is complete. While it goes on, `info` tells how
    far it is. After an error the keyspace is not to be used.

    skip_unknown: leave out keys of types that Headwater does not have, instead of refusing
    """

    def __init__(
        self,
        disk: Disk,
        config: Config,
        keyspace: Keyspace,
        skip_unknown: bool = False,
        now_us: Callable[[], int] = monotonic_us,
    ) -> None:
        self.directory = DataDirectory(
            disk,
            config.get_text("dir"),
            config.get_text("appenddirname"),
            config.get_text("dbfilename"),
        )
        self.result = Recovered()
        self.done = False
        self.started_s = int(time.time())
        self.total_bytes = 0
        self._disk = disk
        self._keyspace = keyspace
        self._appendonly = config.get_bool("appendonly")
        self._load_truncated = config.get_bool("aof-load-truncated")
        self._skip_unknown = skip_unknown
        self._now_us = now_us
        self._begun_us = now_us()
        self._told_us = self._begun_us
        self._until_us = 0
        self._snapshot: SnapshotLoader | None = None
        self._history: History | None = None
        self._loaded = 0  # bytes of files that are done
        self._work = self._run()

    # --- for the server ---

    def step(self, budget_us: int) -> bool:
        """Go on for about `budget_us`; True when everything is loaded.

        Raises JournalError (StartError, FormatError, SnapshotError), whose text is for the
        person who starts the server.
        """
        if self.done:
            return True
        self._until_us = self._now_us() + budget_us
        try:
            for _ in self._work:
                now_us = self._now_us()
                if now_us - self._told_us >= PROGRESS_EVERY_US:
                    self._told_us = now_us
                    self._tell_progress(now_us)
                if now_us >= self._until_us:
                    return False
        except OSError as error:
            self.close()
            path = str(error.filename or self.directory.path)
            raise StartError(path, f"it cannot be read: {error.strerror or error}") from error
        except BaseException:
            self.close()
            raise
        self.done = True
        return True

    def finish(self) -> None:
        """Remove what interrupted writes have left behind; the journal is open by now."""
        directory = self.directory
        manifest = None
        try:
            if self._appendonly:
                manifest = Manifest.load(self._disk, directory.journal)
            removed, renamed = directory.remove_leftovers(manifest)
        except OSError as error:
            _log.warning("cannot look for leftovers in %s: %s", directory.path, error)
            return
        for path in removed:
            _log.log(NOTICE, "removed %s, which an interrupted write had left behind", path)
        for path in renamed:
            _log.warning(
                "%s: renamed; a journal that was never complete has left it behind. Its records "
                "are of no use without the snapshot before them: remove it",
                path,
            )

    def run(self) -> Recovered:
        """Load everything at once."""
        while not self.step(1_000_000):
            pass
        return self.result

    def close(self) -> None:
        """Close what is open; for a start that is broken off."""
        if self._snapshot is not None:
            self._snapshot.close()
        if self._history is not None:
            self._history.close()

    @property
    def loaded_bytes(self) -> int:
        """Bytes read of those in `total_bytes`."""
        loaded = self._loaded
        if self._snapshot is not None:
            loaded += self._snapshot.loaded
        if self._history is not None:
            loaded += self._history.bytes_read()
        return loaded

    def info(self) -> Iterator[tuple[str, int | str]]:
        """Names and values for INFO while it goes on."""
        loaded, total = self.loaded_bytes, self.total_bytes
        elapsed_s = (self._now_us() - self._begun_us) / 1e6
        eta_s = int(elapsed_s * (total - loaded) / loaded) if loaded else 1
        yield "loading_start_time", self.started_s
        yield "loading_total_bytes", total
        yield "loading_loaded_bytes", loaded
        yield "loading_loaded_perc", f"{100 * loaded / total if total else 0:.2f}"
        yield "loading_eta_seconds", eta_s

    # --- what is loaded ---

    def _run(self) -> Iterator[None]:
        directory, result = self.directory, self.result
        if not self._appendonly:
            yield from self._load_alone()
        elif directory.has_manifest():
            yield from self._load_journal()
        else:
            directory.refuse_without_manifest()
            result.begin_journal = True
            yield from self._load_alone()
        yield from self._count()
        self._keyspace.dirty = 0
        self._tell_result()

    def _load_alone(self) -> Iterator[None]:
        """Load the snapshot, if there is one, without a journal."""
        directory, result = self.directory, self.result
        if not self._appendonly:
            unused = directory.unused_journal()
            if unused:
                self._warn(unused)
        if not directory.has_snapshot():
            return
        path = directory.snapshot
        # A journal that continues this file meets the keys that have expired in it again.
        yield from self._load_snapshot(path, keep_expired=self._appendonly)
        result.snapshot = path

    def _load_journal(self) -> Iterator[None]:
        directory, result = self.directory, self.result
        manifest = self._manifest()
        directory.check_files(manifest)
        paths = [f"{directory.journal}/{name}" for name in manifest.names()[1:]]
        self.total_bytes = sum(self._disk.size(path) for path in paths)
        if manifest.base is not None:
            path = f"{directory.journal}/{manifest.base}"
            yield from self._load_snapshot(path, keep_expired=True)
        yield from self._apply_segments(manifest)
        result.manifest = manifest

    def _manifest(self) -> Manifest:
        directory = self.directory
        try:
            manifest = Manifest.load(self._disk, directory.journal)
        except FormatError:
            raise  # says itself what to do
        except JournalError as error:
            raise StartError(
                error.path, f"{error.text}. {directory.advice()}", error.offset
            ) from None
        assert manifest is not None
        return manifest

    def _load_snapshot(self, path: str, keep_expired: bool) -> Iterator[None]:
        result = self.result
        sink = KeyspaceSink(self._keyspace, keep_expired)
        try:
            loader = self._snapshot = SnapshotLoader(self._disk, path, sink, self._skip_unknown)
            self.total_bytes = max(self.total_bytes, loader.size)
            _log.log(NOTICE, "loading %s, %s", path, size_text(loader.size))
            yield
            while not loader.step(max(_SLICE_US, self._until_us - self._now_us())):
                yield
        except SnapshotError as error:
            raise self._refused(error) from None
        self._snapshot = None
        self._loaded += loader.size
        result.read_bytes += loader.size
        result.expired = sink.expired
        result.skipped_types = sink.skipped_types
        result.aux_fields = sink.aux_fields
        if sink.skipped_types:
            self._warn(f"{path}: left out {types_text(sink.skipped_types)}: not supported here")

    def _apply_segments(self, manifest: Manifest) -> Iterator[None]:
        result = self.result
        history = self._history = History(self._disk, self.directory.journal, manifest)
        applier = Applier(self._keyspace)
        while (reader := history.next_segment()) is not None:
            batches = records = 0
            pause_at = 0
            while reader.next_batch():
                batches += 1
                records += reader.records
                try:
                    applier.apply(reader.buf, reader.begin, reader.end)
                except ApplyError as error:
                    raise self._not_applied(error, history, records) from None
                if reader.offset >= pause_at:
                    pause_at = reader.offset + PAUSE_BYTES
                    yield
            history.segment_read(batches, records)
        for segment in history.segments:
            result.batches += segment.batches
            result.records += segment.records
            result.read_bytes += segment.size
        end = history.end
        if end.state == TORN:
            self._cut(end)
        elif end.state != END:
            raise StartError(end.path, f"{end.why}. {self.directory.advice()}", end.offset)
        result.place = end.end
        result.size = end.offset
        self._loaded += history.bytes_read()
        self._history = None

    def _cut(self, end: SegmentEnd) -> None:
        """Take the torn tail off the last segment, if that is permitted."""
        dropped = torn_bytes(end)
        if not self._load_truncated:
            raise StartError(
                end.path,
                f"{end.why}: the file ends in a write that was interrupted, {dropped} bytes, and "
                "aof-load-truncated is no. Start with --aof-load-truncated yes, or run "
                f"`headwater check --repair {self.directory.path}`: both cut off these bytes "
                "and keep everything before them",
                end.offset,
            )
        file = self._disk.open_append(end.path)
        try:
            file.truncate(end.offset)
            file.sync()
        except OSError as error:
            raise StartError(
                end.path,
                f"{end.why}: the file ends in a write that was interrupted, and these {dropped} "
                f"bytes cannot be cut off: {error.strerror}",
                end.offset,
            ) from error
        finally:
            file.close()
        self.result.cut = CutTail(end.path, end.offset, dropped)
        self._warn(
            f"{end.path}, byte {end.offset}: cut off {dropped} bytes of a write that was "
            f"interrupted ({end.why}); everything before them is loaded"
        )

    def _refused(self, error: SnapshotError) -> StartError:
        """The snapshot's error with what to do about it."""
        directory = self.directory
        if error.unknown_types:
            advice = (
                "To load everything else, start with --rdb-skip-unknown-types yes: these keys "
                "are then left out, and not in what is saved from then on"
            )
        elif error.path != directory.snapshot:
            advice = directory.advice()
        else:
            advice = (
                "Nothing was changed. Bring the file back from a backup; or move it away to start "
                f"without its data. `headwater check {error.path}` looks at all of it"
            )
        return StartError(error.path, f"{error.text}. {advice}", error.offset)

    def _not_applied(self, error: ApplyError, history: History, records: int) -> StartError:
        number, offset = history.locate(records, error.offset)
        return StartError(
            history.end.path,
            f"record {number} of this file is sound but does not fit what is before it: {error}. "
            "Either files of two journals were mixed, or this is a fault of Headwater: please "
            f"report it. {self.directory.advice()}",
            offset,
        )

    def _count(self) -> Iterator[None]:
        result = self.result
        seen = 0
        for db in self._keyspace.databases:
            for value in db.values.values():
                seen += 1
                if isinstance(value, Stream):
                    result.entries += value.length
                if seen % _KEYS_AT_ONCE == 0:
                    yield
        result.keys = seen

    # --- what is said ---

    def _warn(self, text: str) -> None:
        self.result.warnings.append(text)
        _log.warning("%s", text)

    def _tell_progress(self, now_us: int) -> None:
        loaded, total = self.loaded_bytes, self.total_bytes
        seconds = (now_us - self._begun_us) / 1e6
        _log.log(
            NOTICE,
            "loading: %d %% of %s in %.1f s, %s a second",
            100 * loaded // total if total else 0,
            size_text(total),
            seconds,
            size_text(int(loaded / seconds)),
        )

    def _tell_result(self) -> None:
        result = self.result
        result.seconds = (self._now_us() - self._begun_us) / 1e6
        if result.read_bytes == 0:
            _log.log(NOTICE, "there is nothing to load in %s", self.directory.path)
            return
        parts = [f"{result.keys} keys with {result.entries} entries"]
        if result.records:
            parts.append(f"{result.records} records of the journal")
        if result.expired and not self._appendonly:
            parts.append(f"{result.expired} keys had expired")
        rate = max(result.records, result.entries) / max(result.seconds, 1e-6)
        _log.log(
            NOTICE,
            "loaded %s in %.3f s: %s (%d a second)",
            size_text(result.read_bytes),
            result.seconds,
            ", ".join(parts),
            int(rate),
        )


def size_text(size: int) -> str:
    """A number of bytes for people."""
    value = float(size)
    for unit in ("bytes", "KB", "MB", "GB"):
        if value < 1024 or unit == "GB":
            return f"{size} bytes" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError


def types_text(types: dict[str, int]) -> str:
    """Types and numbers of keys, as `3 list, 1 zset`."""
    return ", ".join(f"{count} {name}" for name, count in sorted(types.items()))
