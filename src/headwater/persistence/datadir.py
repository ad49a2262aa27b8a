"""What lies in a data directory, by its names: a journal, a snapshot, leftovers, Redis's own files.

Leftovers are what a process that ended in the middle of something has left behind. They are
recognised strictly: what may hold data that nothing else has is never removed.
"""

from __future__ import annotations

import contextlib
import re

from headwater.journal.disk import Disk
from headwater.journal.format import (
    MANIFEST_NAME,
    SEGMENT_HEADER_BYTES,
    FormatError,
    JournalError,
    file_number,
)
from headwater.journal.manifest import Manifest
from headwater.journal.reader import segment_header_of

UNLISTED_SUFFIX = ".unlisted"
"""Appended to the name of a segment that has records but that no manifest lists, or not yet."""

_PIECE_BYTES = 1 << 20
_REDIS_FILE = re.compile(r".+\.aof(\.manifest)?")
_TEMPORARY = re.compile(r"temp-[0-9]+-[0-9]+\.rdb")


class StartError(JournalError):
    """The server cannot start with these files."""


class DataDirectory:
    """Names and paths in a data directory.

    path: the directory (`dir`)
    journal: the journal's directory in it (`appenddirname`)
    snapshot: path of the snapshot (`dbfilename`); "" if that is empty
    """

    def __init__(self, disk: Disk, path: str, appenddirname: str, dbfilename: str) -> None:
        self.disk = disk
        self.path = path
        self.journal = f"{path}/{appenddirname}"
        self.snapshot = f"{path}/{dbfilename}" if dbfilename else ""

    # --- what is there ---

    def manifest_path(self) -> str:
        """Where the manifest is, if there is one."""
        return f"{self.journal}/{MANIFEST_NAME}"

    def has_manifest(self) -> bool:
        """Whether there is a journal."""
        return self.disk.exists(self.manifest_path())

    def has_snapshot(self) -> bool:
        """Whether there is a snapshot."""
        return bool(self.snapshot) and self.disk.exists(self.snapshot)

    def names(self) -> list[str]:
        """What is in the journal's directory; nothing if there is no such directory."""
        try:
            return self.disk.list(self.journal)
        except FileNotFoundError:
            return []

    def redis_file(self) -> str | None:
        """Path of an append-only file or manifest of Redis, None if there is none."""
        found = [f"{self.journal}/{name}" for name in self.names() if _REDIS_FILE.fullmatch(name)]
        with contextlib.suppress(FileNotFoundError):
            found += [
                f"{self.path}/{name}"
                for name in self.disk.list(self.path)
                if _REDIS_FILE.fullmatch(name)
            ]
        manifests = [path for path in found if path.endswith(".manifest")]
        for path in (*manifests, *found):
            return path
        return None

    def has_records(self, name: str) -> bool:
        """Whether a segment has more than its header (and so may have records)."""
        return self.disk.size(f"{self.journal}/{name}") > SEGMENT_HEADER_BYTES

    def is_leftover(self, name: str) -> bool:
        """Whether a base or segment for which there is no manifest holds nothing of its own.

        It was to be the first of a journal when the process ended.
        """
        if name.endswith(".rdb"):
            return self._same_as_snapshot(f"{self.journal}/{name}")
        return not self.has_records(name)

    # --- before a start ---

    def refuse_without_manifest(self) -> None:
        """Raise StartError if there is no manifest, but data that a start would leave out."""
        redis = self.redis_file()
        if redis is not None:
            raise StartError(
                redis,
                "this is an append-only file of Redis, which Headwater imports but does not "
                f"write. Import it with `headwater import {self.path} --dir NEW-DIRECTORY` and "
                "start in that directory; or start with --appendonly no to load only the "
                "snapshot; or move the file away",
            )
        for name in self.names():
            if file_number(name) is None or self.is_leftover(name):
                continue
            path = f"{self.journal}/{name}"
            raise StartError(
                path,
                f"this is part of a journal, but its manifest, {self.manifest_path()}, is "
                f"missing. Bring it back, or run `headwater check --repair {self.path}`, which "
                "makes a new one from the files that are there; or move the file away if its "
                "data is not wanted",
            )

    def check_files(self, manifest: Manifest) -> None:
        """Raise StartError for a file that is missing, or that should not be there."""
        for name in manifest.names():
            path = f"{self.journal}/{name}"
            if not self.disk.exists(path):
                raise StartError(
                    path,
                    f"the file is missing; {self.manifest_path()} lists it. Bring it back from a "
                    f"backup of the whole directory. {self.advice()}",
                )
        last = manifest.last.number
        for name in manifest.strays(self.names()):
            number = file_number(name)
            if number is None or number <= last or not name.endswith(".hwj"):
                continue
            if self.has_records(name) and self.journal_of(name) == manifest.journal_id:
                raise StartError(
                    f"{self.journal}/{name}",
                    f"the file continues this journal, but {self.manifest_path()} does not list "
                    "it: the manifest is older than the file. Bring back the manifest that "
                    "belongs to it, or move this file away if its data is not wanted",
                )

    def unused_journal(self) -> str:
        """A warning about data that a start with `appendonly no` leaves out; "" if none."""
        path = self.redis_file()
        if self.has_manifest():
            path = self.manifest_path()
        if path is None:
            return ""
        what = self.snapshot if self.has_snapshot() else "an empty keyspace"
        return (
            f"appendonly is no, so the journal of {path} is not loaded: the server starts with "
            f"{what}, which may be older"
        )

    def advice(self) -> str:
        """What to do about files that are damaged."""
        return (
            f"Nothing was changed. `headwater check {self.path}` looks at all files; "
            f"`headwater check --repair {self.path}` keeps what is sound, after a backup"
        )

    # --- after a start ---

    def remove_leftovers(self, manifest: Manifest | None) -> tuple[list[str], list[str]]:
        """Remove what interrupted writes have left behind.

        manifest: what has been loaded, or begun, in this directory; None if there is no journal

        Returns the paths of what was removed and of what was renamed to `.unlisted`, because it
        holds records that nobody can use. A file that cannot be removed is left.
        """
        removed: list[str] = []
        renamed: list[str] = []
        names = self.names()
        with contextlib.suppress(OSError):
            for name in self.disk.list(self.path):
                path = f"{self.path}/{name}"
                if _TEMPORARY.fullmatch(name) and path != self.snapshot:
                    self._remove(path, removed)
        if manifest is None:
            return removed, renamed
        for name in names:
            if _TEMPORARY.fullmatch(name):
                self._remove(f"{self.journal}/{name}", removed)
        first, last = manifest.segments[0].number, manifest.last.number
        for name in manifest.strays(names):
            path = f"{self.journal}/{name}"
            number = file_number(name)
            with contextlib.suppress(OSError):
                if number is not None and number > last and name.endswith(".hwj"):
                    if self.has_records(name):
                        self.disk.replace(path, path + UNLISTED_SUFFIX)
                        renamed.append(path + UNLISTED_SUFFIX)
                        continue
                elif number is not None and first <= number and not _is_interrupted(name, first):
                    continue
                self._remove(path, removed)
        return removed, renamed

    def _remove(self, path: str, removed: list[str]) -> None:
        with contextlib.suppress(OSError):
            self.disk.remove(path)
            removed.append(path)

    def journal_of(self, name: str) -> bytes | None:
        """ID of the journal that a segment says it belongs to."""
        file = self.disk.open_read(f"{self.journal}/{name}")
        try:
            return segment_header_of(file).journal_id
        except (JournalError, FormatError):
            return None
        finally:
            file.close()

    def _same_as_snapshot(self, path: str) -> bool:
        """Whether a file is a copy of the snapshot, or the beginning of one."""
        if not self.has_snapshot() or self.disk.size(path) > self.disk.size(self.snapshot):
            return False
        mine = self.disk.open_read(path)
        other = self.disk.open_read(self.snapshot)
        try:
            a, b = bytearray(_PIECE_BYTES), bytearray(_PIECE_BYTES)
            while n := mine.read_into(a, 0, _PIECE_BYTES):
                if other.read_into(b, 0, n) != n or a[:n] != b[:n]:
                    return False
        finally:
            mine.close()
            other.close()
        return True


def _is_interrupted(name: str, first: int) -> bool:
    """Whether a stray numbered `first` or more is the base of a rewrite that did not end."""
    number = file_number(name)
    return number is not None and number > first and name.endswith(".rdb")
