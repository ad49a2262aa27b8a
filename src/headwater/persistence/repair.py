"""Making a damaged journal one that a start accepts, with the longest history that is sound.

What is kept is a base and the records behind it up to the first that is broken: later ones may
depend on those that are lost, so they are dropped, and said to be. Before anything is changed,
every file that will be, and the manifest, is copied to a directory of its own.

Guarantees: a repair that is interrupted leaves either the files as they were, or such that the
next repair comes to the same end; what is not in the journal afterwards is in the backup.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field

from headwater.journal.disk import Disk, ReadFile
from headwater.journal.format import (
    BATCH_HEADER_BYTES,
    BATCH_MAGIC_BYTES,
    MANIFEST_NAME,
    RECORD_HEADER_BYTES,
    SEGMENT_HEADER_BYTES,
    FormatError,
    JournalError,
    SegmentHeader,
    base_name,
    batch_chain,
    batch_position,
    batch_records,
    batch_size,
    check_records,
    crc_of_id,
    file_number,
    is_batch_header,
    segment_header,
    segment_name,
)
from headwater.journal.manifest import Manifest, SegmentEntry
from headwater.journal.operations import ADD, LIMITS
from headwater.journal.reader import END, SegmentReader, segment_header_of
from headwater.persistence.check import DAMAGED, SNAPSHOT, check_snapshot
from headwater.persistence.datadir import DataDirectory
from headwater.persistence.history import History, SegmentEnd
from headwater.raw import get_u32, get_u64

_PIECE_BYTES = 1 << 20
_LIMITS_BYTES = 17


class RepairError(JournalError):
    """What is there cannot be repaired; says what is still possible."""


@dataclass(slots=True)
class Dropped:
    """Bytes of one file that are not part of the journal any more.

    path, offset, size: where they were. position: of the first record that is gone.
    reached: position behind the last of them that can be read; None if none can
    records: how many of them can be read; entries: those that XADD added, as
    (database, key): [count, first ID, last ID]
    why: what is wrong at their beginning
    """

    path: str
    offset: int
    size: int
    position: int
    why: str
    reached: int | None = None
    records: int = 0
    entries: dict[tuple[int, bytes], list[str | int]] = field(default_factory=dict)


@dataclass(slots=True)
class Repaired:
    """What a repair has done; nothing if there is no `backup`.

    kept_records, kept_position: what the journal still has behind its base, and up to where
    """

    backup: str = ""
    copied: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    kept_records: int = 0
    kept_position: int = 0


class _Plan:
    """What is to be done: the manifest that will be there, and to which files what happens."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self.truncate: tuple[str, int] | None = None
        self.begin: SegmentEntry | None = None  # this segment is made anew, without records
        self.remove: list[str] = []
        self.dropped: list[Dropped] = []
        self.save = False
        self.kept_records = 0
        self.kept_position = 0
        self.notes: list[str] = []

    def is_empty(self) -> bool:
        return not (self.save or self.truncate or self.begin or self.remove)


def repair(disk: Disk, directory: DataDirectory, now_s: float | None = None) -> Repaired:
    """Repair the journal of a data directory that no server uses.

    Raises RepairError when nothing can be done, FormatError for files of a newer version,
    OSError. `now_s`: unix time for the name of the backup.
    """
    result = Repaired()
    manifest = _find_manifest(disk, directory, result)
    if manifest is None:
        _look_at_snapshot(disk, directory, result)
        return result
    plan = _plan(disk, directory, manifest)
    if plan.save and not plan.manifest.based and (manifest.based or result.notes):
        result.notes.append("there is no base: the journal is taken to have begun empty")
    plan.save = plan.save or bool(result.notes)
    result.notes += plan.notes
    if plan.is_empty():
        _look_at_snapshot(disk, directory, result)
        return result
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() if now_s is None else now_s))
    result.backup = _free_name(disk, f"{directory.journal}-backup-{stamp}")
    _back_up(disk, directory, plan, result)
    _carry_out(disk, directory, plan, result)
    result.dropped = plan.dropped
    result.kept_records = plan.kept_records
    result.kept_position = plan.kept_position
    _look_at_snapshot(disk, directory, result)
    return result


# --- which files belong together ---


def _find_manifest(disk: Disk, directory: DataDirectory, result: Repaired) -> Manifest | None:
    """The manifest, or one made from the files if it is missing or damaged; None: no journal."""
    try:
        manifest = Manifest.load(disk, directory.journal)
        if manifest is not None:
            return manifest
        why = "the manifest is missing"
        if all(
            file_number(name) is None or directory.is_leftover(name) for name in directory.names()
        ):
            return None
    except FormatError:
        raise
    except JournalError as error:
        why = str(error)
    found = _rebuild(disk, directory)
    if found is None:
        raise RepairError(
            directory.manifest_path(),
            f"{why}, and it cannot be made anew: there is no segment that continues a sound "
            "base, or an empty keyspace. Bring back a backup of the whole directory; or move "
            f"{directory.journal} away to start with {directory.snapshot or 'nothing'}",
        )
    result.notes.append(f"{why}: a new one is made from the files that are there")
    return found


def _headers(disk: Disk, directory: DataDirectory) -> dict[int, SegmentHeader]:
    """The segments of the directory whose header is sound and fits the name."""
    found: dict[int, SegmentHeader] = {}
    for name in directory.names():
        number = file_number(name)
        if number is None or name != segment_name(number):
            continue
        file = disk.open_read(f"{directory.journal}/{name}")
        try:
            header = segment_header_of(file)
        except JournalError:
            continue
        finally:
            file.close()
        if header.number == number:
            found[number] = header
    return found


def _rebuild(disk: Disk, directory: DataDirectory, wanted: bytes | None = None) -> Manifest | None:
    """A manifest of the newest run of segments that continues something sound.

    wanted: only of this journal
    """
    headers = _headers(disk, directory)
    names = set(directory.names())
    last = max(headers, default=0)
    while last > 0:
        journal_id = headers[last].journal_id if last in headers else b""
        if last not in headers or (wanted is not None and journal_id != wanted):
            last -= 1
            continue
        first = last
        while True:
            base = base_name(first)
            based = base in names and _is_sound(disk, f"{directory.journal}/{base}")
            # A journal whose first segment is at position 0 and that has no base began empty.
            empty = base not in names and _begins_empty(headers[first])
            if based or empty:
                return _listing(disk, directory, headers, first, last, based)
            before = headers.get(first - 1)
            if before is None or before.journal_id != journal_id:
                break
            first -= 1
        last = first - 1
    return None


def _begins_empty(header: SegmentHeader) -> bool:
    return header.position == 0 and header.index == 0 and header.number == 1


def _listing(
    disk: Disk,
    directory: DataDirectory,
    headers: dict[int, SegmentHeader],
    first: int,
    last: int,
    based: bool,
) -> Manifest:
    """A manifest of these segments; its epoch is at least that of every batch in them."""
    manifest = Manifest(headers[first].journal_id, 0, 0, based)
    epoch = 0
    for number in range(first, last + 1):
        entry = SegmentEntry(number, headers[number].place(epoch))
        manifest.segments.append(entry)
        reader_file = disk.open_read(f"{directory.journal}/{entry.name}")
        try:
            reader = SegmentReader(
                reader_file, manifest.journal_id, number, entry.place, number == last
            )
            while reader.next_batch():
                epoch = max(epoch, reader.epoch)
        finally:
            reader_file.close()
    manifest.epoch = epoch
    manifest.reached = manifest.last.place.position
    return manifest


def _is_sound(disk: Disk, path: str) -> bool:
    return check_snapshot(disk, path, SNAPSHOT, None, True).verdict() != DAMAGED


# --- what is to be done ---


def _plan(disk: Disk, directory: DataDirectory, manifest: Manifest) -> _Plan:
    plan = _Plan(manifest.copy())
    manifest = plan.manifest
    base = manifest.base
    if base is not None:
        path = f"{directory.journal}/{base}"
        if not disk.exists(path) or not _is_sound(disk, path):
            manifest = plan.manifest = _other_base(disk, directory, manifest)
            plan.save = True
    listed = [f"{directory.journal}/{entry.name}" for entry in manifest.segments]
    present = 0
    while present < len(listed) and disk.exists(listed[present]):
        present += 1
    reached = manifest.reached
    if present < len(listed):
        plan.notes.append(f"{listed[present]} is missing")
        reached = 0
    cut_short = Manifest(
        manifest.journal_id, manifest.epoch, reached, True, manifest.segments[:present]
    )
    if present == 0:
        plan.begin = manifest.segments[0]
        end = SegmentEnd(manifest.segments[0], listed[0], manifest.segments[0].place)
        end.why = "the file is missing"
        kept = 1
    else:
        history = History(disk, directory.journal, cut_short)
        try:
            history.read_all()
        finally:
            history.close()
        plan.kept_records = sum(segment.records for segment in history.segments)
        end = history.end
        kept = len(history.segments)
        if end.state != END:
            if end.offset == end.size:
                plan.save = True
                lost = Dropped(end.path, end.offset, 0, end.end.position, end.why)
                lost.reached = manifest.reached
                plan.dropped.append(lost)
            elif end.offset >= SEGMENT_HEADER_BYTES:
                plan.truncate = (end.path, end.offset)
            elif kept > 1:
                kept -= 1
                end = history.segments[kept - 1]
                end.why = history.segments[kept].why
            else:
                plan.begin = manifest.segments[0]
    plan.kept_position = end.end.position
    if plan.truncate is not None or plan.begin is not None:
        size = end.size - end.offset
        if end.size:
            plan.dropped.append(
                _describe(disk, manifest, end.path, end.offset, size, plan.kept_position, end.why)
            )
    names = set(directory.names())
    for entry in plan.manifest.segments[kept:]:
        if entry.name in names:
            path = f"{directory.journal}/{entry.name}"
            first = entry is manifest.segments[kept] and plan.truncate is None
            why = end.why if first and end.why else "it follows what is broken"
            plan.dropped.append(
                _describe(disk, manifest, path, 0, disk.size(path), entry.place.position, why)
            )
            plan.remove.append(entry.name)
    # Records of this journal that the manifest does not list would keep a start from going on.
    for name in plan.manifest.strays(names):
        number = file_number(name)
        if number is None or number <= manifest.last.number or not name.endswith(".hwj"):
            continue
        if directory.has_records(name) and directory.journal_of(name) == manifest.journal_id:
            path = f"{directory.journal}/{name}"
            plan.dropped.append(
                _describe(
                    disk,
                    manifest,
                    path,
                    0,
                    disk.size(path),
                    plan.kept_position,
                    "the manifest does not list it",
                )
            )
            plan.remove.append(name)
    if kept < len(manifest.segments):
        manifest.segments = manifest.segments[:kept]
        plan.save = True
    if plan.truncate is not None or plan.begin is not None:
        plan.save = True
    manifest.reached = min(manifest.reached, plan.kept_position)
    return plan


def _other_base(disk: Disk, directory: DataDirectory, manifest: Manifest) -> Manifest:
    """The same journal from an older base that is still there; RepairError if none is."""
    found = _rebuild(disk, directory, manifest.journal_id)
    if found is not None and found.last.number >= manifest.segments[0].number:
        found.epoch = max(found.epoch, manifest.epoch)
        return found
    path = f"{directory.journal}/{manifest.base}"
    snapshot = (
        f"start with the older snapshot {directory.snapshot} alone: move {directory.journal} away"
        if directory.has_snapshot()
        else f"start empty: move {directory.journal} away"
    )
    raise RepairError(
        path,
        "the base is damaged or missing, and no older one with all segments behind it is left: "
        "without it the segments are of no use. Nothing was changed. Bring back a backup of "
        f"{directory.journal}; or {snapshot}",
    )


def _describe(
    disk: Disk, manifest: Manifest, path: str, offset: int, size: int, position: int, why: str
) -> Dropped:
    """Look what can still be read of bytes that will not be part of the journal."""
    dropped = Dropped(path, offset, size, position, why)
    id_crc = crc_of_id(manifest.journal_id)
    file = disk.open_read(path)
    piece = bytearray(_PIECE_BYTES)
    begin = offset
    try:
        while file.size - begin >= BATCH_HEADER_BYTES:
            file.seek(begin)
            n = file.read_into(piece, 0, _PIECE_BYTES)
            if n < BATCH_HEADER_BYTES:
                break
            pos = piece.find(BATCH_MAGIC_BYTES, 0, n)
            following = begin + n - BATCH_HEADER_BYTES + 1
            while 0 <= pos <= n - BATCH_HEADER_BYTES:
                end = 0
                if is_batch_header(piece, pos, id_crc):
                    end = _read_batch(
                        file, piece[pos : pos + BATCH_HEADER_BYTES], begin + pos, dropped
                    )
                if end:
                    following = end
                    break
                pos = piece.find(BATCH_MAGIC_BYTES, pos + 1, n)
            begin = following
    finally:
        file.close()
    return dropped


def _read_batch(file: ReadFile, head: bytearray, begin: int, dropped: Dropped) -> int:
    """Count the records of the batch at `begin`; the byte behind it, 0 if it is not sound."""
    size = batch_size(head, 0)
    if size > file.size - begin - BATCH_HEADER_BYTES:
        return 0
    data = bytearray(size)
    file.seek(begin + BATCH_HEADER_BYTES)
    if file.read_into(data, 0, size) < size:
        return 0
    sound, records, _ = check_records(data, 0, size, batch_chain(head, 0))
    if sound != size or records == 0 or records != batch_records(head, 0):
        return 0
    dropped.records += records
    dropped.reached = max(dropped.reached or 0, batch_position(head, 0) + size)
    _count_entries(data, 0, size, dropped)
    return begin + BATCH_HEADER_BYTES + size


def _count_entries(data: bytearray, begin: int, end: int, dropped: Dropped) -> None:
    """Note the entries that the sound records in [begin, end) have added: XADD's, one each."""
    while begin < end:
        size = get_u32(data, begin)
        pos = begin + RECORD_HEADER_BYTES
        begin = pos + size
        if size > _LIMITS_BYTES and data[pos] == LIMITS:
            pos += _LIMITS_BYTES
        if begin - pos < 9 or data[pos] != ADD:
            continue
        db, length = get_u32(data, pos + 1), get_u32(data, pos + 5)
        pos += 9
        if begin - pos < length + 16:
            continue
        key = bytes(data[pos : pos + length])
        entry_id = f"{get_u64(data, pos + length)}-{get_u64(data, pos + length + 8)}"
        found = dropped.entries.setdefault((db, key), [0, entry_id, entry_id])
        found[0] = int(found[0]) + 1
        found[2] = entry_id


# --- doing it ---


def _free_name(disk: Disk, path: str) -> str:
    name, number = path, 1
    while disk.exists(name):
        number += 1
        name = f"{path}-{number}"
    return name


def _back_up(disk: Disk, directory: DataDirectory, plan: _Plan, result: Repaired) -> None:
    """Copy what will change, and the manifest; on disk when it returns."""
    names = [MANIFEST_NAME]
    if plan.truncate is not None:
        names.append(os.path.basename(plan.truncate[0]))
    if plan.begin is not None:
        names.append(plan.begin.name)
    names += plan.remove
    disk.make_directory(result.backup)
    there = set(directory.names())
    for name in names:
        if name in there:
            _copy(disk, f"{directory.journal}/{name}", f"{result.backup}/{name}")
            result.copied.append(name)
    disk.sync_directory(result.backup)


def _carry_out(disk: Disk, directory: DataDirectory, plan: _Plan, result: Repaired) -> None:
    manifest = plan.manifest
    if plan.truncate is not None:
        path, size = plan.truncate
        file = disk.open_append(path)
        try:
            file.truncate(size)
            file.sync()
        finally:
            file.close()
        result.done.append(f"{path}: cut to {size} bytes")
    if plan.begin is not None:
        path = f"{directory.journal}/{plan.begin.name}"
        header = segment_header(manifest.journal_id, plan.begin.number, plan.begin.place)
        disk.write_atomically(path, bytes(header))
        result.done.append(f"{path}: made anew, without records")
    if plan.save:
        manifest.save(disk, directory.journal)
        result.done.append(
            f"{directory.manifest_path()}: now lists {manifest.base or 'no base'} and "
            f"{len(manifest.segments)} segments"
        )
    for name in plan.remove:
        disk.remove(f"{directory.journal}/{name}")
        result.done.append(f"{directory.journal}/{name}: moved to the backup")
    if plan.remove:
        disk.sync_directory(directory.journal)


def _copy(disk: Disk, source: str, target: str) -> None:
    reading = disk.open_read(source)
    try:
        writing = disk.create(target)
        try:
            buf = bytearray(_PIECE_BYTES)
            while n := reading.read_into(buf, 0, _PIECE_BYTES):
                with memoryview(buf) as view:
                    writing.write(view[:n])
            writing.sync()
        finally:
            writing.close()
    finally:
        reading.close()


def _look_at_snapshot(disk: Disk, directory: DataDirectory, result: Repaired) -> None:
    """A snapshot cannot be repaired: say what to do."""
    if not directory.has_snapshot():
        return
    found = check_snapshot(disk, directory.snapshot, SNAPSHOT)
    if found.verdict() != DAMAGED:
        return
    where = "" if found.offset is None else f", byte {found.offset}"
    advice = (
        "a start with a journal does not need it; the next snapshot (BGSAVE) replaces it"
        if directory.has_manifest()
        else "bring it back from a backup, or move it away to start without its data"
    )
    result.notes.append(
        f"{directory.snapshot}{where}: {found.text}. A snapshot cannot be cut or repaired: {advice}"
    )
