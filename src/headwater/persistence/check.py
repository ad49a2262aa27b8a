"""Looking at the files of a data directory without changing any: what is sound, what a start does.

Every file is read to its end, also behind the first that is damaged: each segment tells in its
header where it begins, so it can be judged alone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from headwater.clock import Clock
from headwater.config import Config
from headwater.journal.disk import Disk
from headwater.journal.format import (
    MANIFEST_NAME,
    SEGMENT_MAGIC,
    FormatError,
    JournalError,
    file_number,
)
from headwater.journal.manifest import Manifest, SegmentEntry
from headwater.journal.reader import END, TORN, SegmentReader, segment_header_of
from headwater.keyspace.database import Keyspace
from headwater.keyspace.strings import String
from headwater.persistence.apply import Applier
from headwater.persistence.datadir import DataDirectory
from headwater.persistence.history import History, SegmentEnd
from headwater.persistence.loading import KeyspaceSink, SnapshotError, SnapshotLoader, Tally
from headwater.persistence.operands import ApplyError
from headwater.rdb.types import MAGIC
from headwater.streams.stream import Stream

SOUND, WARNING, DAMAGED = 0, 1, 2
"""Verdicts, and the exit statuses of `headwater check`."""

MANIFEST, BASE, SEGMENT, SNAPSHOT, STRAY, REDIS = (
    "manifest",
    "base",
    "segment",
    "snapshot",
    "stray",
    "redis",
)
"""Kinds of files."""

OTHER_VERSION = "a file of another version is not repaired"

SCRATCH_DATABASES = 1024
"""What a journal is applied to has so many databases, whatever the server is configured to."""

_STEP_US = 100_000
_ATTEMPTS = 5


@dataclass(slots=True)
class FileReport:
    """One file.

    kind: one of the kinds above. status: a key of the table of verdicts below
    offset: the byte where what is wrong begins. text: what is wrong, or what it is
    facts: what the file holds, in the order in which it is shown
    """

    path: str
    kind: str
    size: int = 0
    status: str = "ok"
    offset: int | None = None
    text: str = ""
    facts: dict[str, int | str] = field(default_factory=dict)

    def verdict(self) -> int:
        """SOUND, WARNING or DAMAGED."""
        return _VERDICTS[self.status]


_VERDICTS = {
    "ok": SOUND,
    "growing": SOUND,
    "leftover": SOUND,
    "torn": WARNING,
    "trailing": WARNING,
    "foreign": WARNING,
    "refused": WARNING,
    "damaged": DAMAGED,
    "missing": DAMAGED,
}


@dataclass(slots=True)
class Report:
    """All files that were looked at.

    path: the directory or file. live: process that uses the directory, if any.
    verdict: SOUND: all is well. WARNING: a start cuts off a torn tail, leaves something out, or
    needs to be told something. DAMAGED: a file is broken or missing.
    contents: with `deep`, what a start would have in memory. notes: what else there is to say
    """

    path: str
    live: int | None = None
    files: list[FileReport] = field(default_factory=list)
    contents: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    verdict: int = SOUND

    def add(self, file: FileReport) -> FileReport:
        """Take in a file's report."""
        self.files.append(file)
        self.verdict = max(self.verdict, file.verdict())
        return file


# --- whole directories ---


def check_directory(
    disk: Disk, directory: DataDirectory, deep: bool = False, live: int | None = None
) -> Report:
    """Look at the journal and the snapshot of a data directory. Raises OSError.

    live: the process that is using it; then files may come, go and grow meanwhile
    """
    attempts = _ATTEMPTS if live is not None else 1
    while True:
        attempts -= 1
        before = _manifest_bytes(disk, directory)
        try:
            report = _check_directory(disk, directory, deep, live)
        except FileNotFoundError:
            if attempts <= 0:
                raise
            continue
        # While a server was replacing the manifest the files of two moments were seen.
        if attempts <= 0 or before == _manifest_bytes(disk, directory):
            return report


def _check_directory(disk: Disk, directory: DataDirectory, deep: bool, live: int | None) -> Report:
    report = Report(directory.path, live)
    keyspace = Keyspace(Clock(), SCRATCH_DATABASES) if deep else None
    if directory.has_manifest():
        check_journal(disk, directory, report, keyspace)
    else:
        _check_parts(disk, directory, report)
    if directory.has_snapshot():
        alone = None if directory.has_manifest() else keyspace
        report.add(check_snapshot(disk, directory.snapshot, SNAPSHOT, alone))
    redis = directory.redis_file()
    if redis is not None:
        file = FileReport(redis, REDIS, disk.size(redis), "foreign")
        file.text = "an append-only file of Redis; `headwater import` reads it"
        if directory.has_manifest():
            file.status = "leftover"
            file.text += "; a start does not look at it"
        report.add(file)
    if not report.files:
        report.notes.append("there is neither a journal nor a snapshot: a start begins empty")
    if keyspace is not None and report.verdict != DAMAGED:
        report.contents = contents(keyspace)
    return report


def check_journal(
    disk: Disk, directory: DataDirectory, report: Report, keyspace: Keyspace | None
) -> Manifest | None:
    """Look at the manifest and all files of the journal; apply them to the keyspace, if given."""
    path = directory.manifest_path()
    file = report.add(FileReport(path, MANIFEST, disk.size(path)))
    try:
        manifest = Manifest.load(disk, directory.journal)
        assert manifest is not None
    except JournalError as error:
        _fail(report, file, error)
        _check_parts(disk, directory, report)
        return None
    file.facts = {
        "journal": manifest.journal_id.hex(),
        "epoch": manifest.epoch,
        "segments": len(manifest.segments),
        "reached": manifest.reached,
    }
    if manifest.base is not None:
        base = f"{directory.journal}/{manifest.base}"
        if disk.exists(base):
            found = report.add(check_snapshot(disk, base, BASE, keyspace, keep_expired=True))
            found.facts["position"] = manifest.segments[0].place.position
        else:
            report.add(_missing(base, BASE))
    _check_segments(disk, directory, manifest, report, keyspace)
    for name in manifest.strays(directory.names()):
        stray = f"{directory.journal}/{name}"
        file = report.add(FileReport(stray, STRAY, disk.size(stray), "leftover"))
        file.text = "not part of the journal; a start removes it"
        number = file_number(name)
        newer = number is not None and number > manifest.last.number and name.endswith(".hwj")
        if newer and directory.has_records(name):
            file.text = "not part of the journal; a start renames it"
            if directory.journal_of(name) == manifest.journal_id:
                file.status = "damaged"
                file.text = "continues this journal, but the manifest does not list it"
                report.verdict = DAMAGED
    return manifest


def _check_segments(
    disk: Disk,
    directory: DataDirectory,
    manifest: Manifest,
    report: Report,
    keyspace: Keyspace | None,
) -> None:
    applier = None if keyspace is None or report.verdict == DAMAGED else Applier(keyspace)
    missing = [
        entry.number
        for entry in manifest.segments
        if not disk.exists(f"{directory.journal}/{entry.name}")
    ]
    history = History(disk, directory.journal, manifest)
    refused: FileReport | None = None
    try:
        if not missing and applier is None:
            history.read_all()
        elif applier is not None and not missing:
            refused = _apply_all(history, applier)
    finally:
        history.close()
    if missing:
        history.segments.clear()
    for segment in history.segments:
        report.add(_segment_report(segment, report.live is not None))
    if refused is not None:
        report.add(refused)
    # Behind a segment that is damaged or missing each is judged alone.
    for entry in manifest.segments[len(history.segments) :]:
        path = f"{directory.journal}/{entry.name}"
        if entry.number in missing:
            report.add(_missing(path, SEGMENT))
        else:
            report.add(_check_alone(disk, path, manifest.journal_id, entry, manifest.last is entry))


def _apply_all(history: History, applier: Applier) -> FileReport | None:
    """Read everything and apply it as far as it fits; a report about what does not."""
    refused: FileReport | None = None
    while (reader := history.next_segment()) is not None:
        batches = records = 0
        while reader.next_batch():
            if batches == 0:
                history.end.first_epoch = reader.epoch
            batches += 1
            records += reader.records
            if refused is not None:
                continue
            try:
                applier.apply(reader.buf, reader.begin, reader.end)
            except ApplyError as error:
                number, offset = history.locate(records, error.offset)
                refused = FileReport(history.end.path, SEGMENT, reader.size, "damaged", offset)
                refused.text = f"record {number} does not fit what is before it: {error}"
        history.segment_read(batches, records)
    return refused


def _check_parts(disk: Disk, directory: DataDirectory, report: Report) -> None:
    """Look at the parts of a journal whose manifest is missing or damaged."""
    for name in directory.names():
        if file_number(name) is None:
            continue
        path = f"{directory.journal}/{name}"
        if name.endswith(".rdb"):
            file = check_snapshot(disk, path, BASE, None, keep_expired=True)
        else:
            file = check_segment(disk, path)
        report.add(file)
        if not directory.is_leftover(name):
            report.verdict = DAMAGED
    if report.verdict == DAMAGED and not directory.has_manifest():
        report.notes.append(
            f"the manifest, {directory.manifest_path()}, is missing: a start refuses"
        )


# --- one file ---


def check_file(disk: Disk, path: str, deep: bool = False) -> Report:
    """Look at one file, which is recognised by its beginning. Raises OSError."""
    report = Report(path)
    keyspace = Keyspace(Clock(), SCRATCH_DATABASES) if deep else None
    file = disk.open_read(path)
    try:
        head = bytearray(64)
        n = file.read_into(head, 0, len(head))
    finally:
        file.close()
    beginning = bytes(head[:n])
    if beginning.startswith(SEGMENT_MAGIC):
        report.add(check_segment(disk, path))
    elif path.endswith(MANIFEST_NAME) or beginning.startswith(b"headwater journal manifest"):
        found = report.add(FileReport(path, MANIFEST, disk.size(path)))
        try:
            manifest = Manifest.parse(disk.read_bytes(path), path)
            found.facts = {"segments": len(manifest.segments), "epoch": manifest.epoch}
        except JournalError as error:
            _fail(report, found, error)
    elif beginning.startswith(MAGIC) or path.endswith(".rdb"):
        report.add(check_snapshot(disk, path, SNAPSHOT, keyspace))
        if keyspace is not None and report.verdict != DAMAGED:
            report.contents = contents(keyspace)
    else:
        found = report.add(FileReport(path, STRAY, disk.size(path), "foreign"))
        found.text = "this is neither a snapshot nor part of a journal"
    return report


def check_snapshot(
    disk: Disk,
    path: str,
    kind: str,
    keyspace: Keyspace | None = None,
    keep_expired: bool = False,
) -> FileReport:
    """Read an RDB file with everything in it; its keys go into the keyspace, if given."""
    report = FileReport(path, kind)
    sink = Tally() if keyspace is None else KeyspaceSink(keyspace, keep_expired)
    loader = SnapshotLoader(disk, path, sink, True)
    report.size = loader.size
    try:
        while not loader.step(_STEP_US):
            pass
        if loader.loaded < loader.size:
            report.status = "trailing"
            report.offset = loader.loaded
            report.text = f"{loader.size - loader.loaded} bytes stand behind the file's end"
    except SnapshotError as error:
        report.status = "damaged"
        report.offset = error.offset
        report.text = error.text
    facts = report.facts
    facts["RDB version"] = loader.version
    created = sink.aux_fields.get(b"ctime", b"")
    if created.isdigit() and len(created) < 12:
        facts["created"] = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(int(created)))
    facts["keys"] = sink.keys
    facts["streams"] = sink.streams
    facts["entries"] = sink.entries
    if sink.groups:
        facts["groups"] = sink.groups
    if sink.libraries:
        facts["libraries"] = sink.libraries
    needed = 1 + max(sink.databases, default=0)
    if report.status == "ok" and needed > Config().get_int("databases"):
        report.text = f"a start needs --databases {needed}, or more"
    if report.status == "ok" and sink.skipped_types:
        report.status = "refused"
        kinds = ", ".join(f"{n} {name}" for name, n in sorted(sink.skipped_types.items()))
        report.text = (
            f"it has keys of types that Headwater does not have ({kinds}): a start refuses, "
            "unless --rdb-skip-unknown-types yes tells it to leave them out"
        )
    return report


def check_segment(disk: Disk, path: str) -> FileReport:
    """Read a segment alone: it is taken at its word where it begins."""
    return _check_alone(disk, path, None, None, True)


def _check_alone(
    disk: Disk, path: str, journal_id: bytes | None, entry: SegmentEntry | None, last: bool
) -> FileReport:
    report = FileReport(path, SEGMENT, disk.size(path))
    file = disk.open_read(path)
    try:
        try:
            header = segment_header_of(file)
        except JournalError as error:
            report.status = "damaged"
            report.offset = error.offset
            report.text = error.text
            return report
        file.seek(0)
        entry = entry or SegmentEntry(header.number, header.place())
        begin = header.place()
        end = SegmentEnd(entry, path, begin)
        end.size = file.size
        reader = SegmentReader(file, journal_id or header.journal_id, entry.number, begin, last)
        while reader.next_batch():
            if end.batches == 0:
                end.first_epoch = reader.epoch
            end.batches += 1
            end.records += reader.records
        end.state, end.why, end.offset = reader.state, reader.why, reader.offset
        end.end = reader.place()
    finally:
        file.close()
    return _segment_report(end, False)


def _segment_report(segment: SegmentEnd, growing: bool) -> FileReport:
    report = FileReport(segment.path, SEGMENT, segment.size)
    begin, end = segment.begin, segment.end
    report.facts = {
        "batches": segment.batches,
        "records": segment.records,
        "positions": f"{begin.position}..{end.position}",
    }
    if segment.batches:
        epochs = sorted({segment.first_epoch, end.epoch})
        report.facts["epoch"] = "..".join(map(str, epochs))
    if segment.state == END:
        return report
    report.offset = segment.offset
    report.text = segment.why
    if segment.state == TORN:
        rest = segment.size - segment.offset
        if growing:
            report.status = "growing"
            report.text = f"{rest} bytes are being written"
        else:
            report.status = "torn"
            report.text = f"{segment.why}: a start cuts off {rest} bytes, all before is sound"
    else:
        report.status = "damaged"
    return report


def _missing(path: str, kind: str) -> FileReport:
    return FileReport(path, kind, 0, "missing", None, "the manifest lists it")


def _fail(report: Report, file: FileReport, error: JournalError) -> None:
    file.status = "damaged"
    file.text = error.text
    file.offset = error.offset
    if isinstance(error, FormatError):
        report.notes.append(OTHER_VERSION)
    report.verdict = DAMAGED


def _manifest_bytes(disk: Disk, directory: DataDirectory) -> bytes | None:
    try:
        return disk.read_bytes(directory.manifest_path())
    except FileNotFoundError:
        return None


# --- what there would be in memory ---


def contents(keyspace: Keyspace) -> dict[str, int]:
    """Count what a keyspace holds."""
    found = dict.fromkeys(
        ("databases", "keys", "expiring", "strings", "streams", "entries", "groups"), 0
    )
    found |= {"consumers": 0, "pending": 0, "nacked": 0, "idempotent_ids": 0}
    for db in keyspace.databases:
        if not db.values:
            continue
        found["databases"] += 1
        found["keys"] += len(db.values)
        found["expiring"] += db.expiring()
        for value in db.values.values():
            if isinstance(value, String):
                found["strings"] += 1
            if not isinstance(value, Stream):
                continue
            found["streams"] += 1
            found["entries"] += value.length
            for group in (value.groups or {}).values():
                found["groups"] += 1
                found["consumers"] += len(group.consumers)
                found["pending"] += group.pending.count
                found["nacked"] += group.pending.nacked
            if value.idmp is not None:
                found["idempotent_ids"] += sum(1 for _ in value.idmp.remembered())
    return found
