"""`headwater check`: look at the files of a data directory, and repair a damaged journal."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict
from typing import Any

import click

from headwater.cli.output import Output
from headwater.cli.reading import WatchedDisk, bytes_of
from headwater.errors import HeadwaterError
from headwater.journal import system
from headwater.journal.disk import Disk
from headwater.journal.format import LOCK_NAME, MANIFEST_NAME
from headwater.journal.lock import DirectoryLock
from headwater.persistence.check import (
    DAMAGED,
    OTHER_VERSION,
    SOUND,
    WARNING,
    FileReport,
    Report,
    check_directory,
    check_file,
)
from headwater.persistence.datadir import DataDirectory
from headwater.persistence.repair import Dropped, Repaired, repair

UNABLE = 3
"""Exit status when nothing could be looked at, or repaired."""

_VERDICTS = {SOUND: "sound", WARNING: "warning", DAMAGED: "damaged"}
_COLUMN = 10

_COUNTED = {
    "batches": "batch",
    "consumers": "consumer",
    "databases": "database",
    "entries": "entry",
    "groups": "group",
    "idempotent_ids": "idempotent_id",
    "keys": "key",
    "libraries": "library",
    "records": "record",
    "segments": "segment",
    "streams": "stream",
    "strings": "string",
    "expiring": "expiring",
    "nacked": "nacked",
    "pending": "pending",
}
"""Facts that are counts, and what one of them is called."""


def run_check(
    path: str, appenddirname: str, dbfilename: str, deep: bool, mend: bool, as_json: bool
) -> int:
    """Check, and repair if asked to; print what is found. Returns the exit status."""
    out = Output(as_json)
    try:
        directory = _directory(path, appenddirname, dbfilename)
        if directory is None and mend:
            click.echo("headwater: only a data directory can be repaired", err=True)
            return UNABLE
        total = os.path.getsize(path) if directory is None else bytes_of(directory)
        with out.progress("reading, bytes", total) as bar:
            disk = WatchedDisk(bar.advance)
            if directory is not None:
                directory.disk = disk
            report, repaired = _look(disk, path, directory, deep, mend)
    except HeadwaterError as error:
        click.echo(f"headwater: {error}", err=True)
        return UNABLE
    except OSError as error:
        click.echo(f"headwater: {error.filename or path}: {error.strerror}", err=True)
        return UNABLE
    if as_json:
        click.echo(json.dumps(_plain(report, repaired), indent=2))
    else:
        for line, style in _lines(report, repaired):
            out.line(line, style)
    return report.verdict


def _look(
    disk: Disk, path: str, directory: DataDirectory | None, deep: bool, mend: bool
) -> tuple[Report, Repaired | None]:
    """Check, after a repair if asked to. Raises HeadwaterError, OSError."""
    if directory is None:
        return check_file(disk, path, deep), None
    if not mend:
        return check_directory(disk, directory, deep, _user_of(directory.path)), None
    with DirectoryLock(disk, directory.path):
        repaired = repair(disk, directory)
        return check_directory(disk, directory, deep), repaired


def _directory(path: str, appenddirname: str, dbfilename: str) -> DataDirectory | None:
    """The data directory that is meant, None for a single file. Raises OSError."""
    os.stat(path)  # the plainest error for a path that is not there
    if not os.path.isdir(path):
        return None
    path = os.path.normpath(path)
    if os.path.exists(os.path.join(path, MANIFEST_NAME)):
        # The journal's own directory: look at that alone.
        whole = os.path.abspath(path)
        return DataDirectory(Disk(), os.path.dirname(whole), os.path.basename(whole), "")
    return DataDirectory(Disk(), path, appenddirname, dbfilename)


def _user_of(directory: str) -> int | None:
    """The process that holds the directory's lock, 0 if it is not known which; None: nobody."""
    try:
        descriptor = os.open(os.path.join(directory, LOCK_NAME), os.O_RDONLY | system.OPEN_FLAGS)
    except OSError:
        return None
    try:
        if not system.is_locked(descriptor):
            return None
        with contextlib.suppress(ValueError):
            return int(os.read(descriptor, 20))
        return 0
    except OSError:
        return None
    finally:
        os.close(descriptor)


# --- for people ---


_STYLES = ("good", "warn", "bad")
"""By verdict."""


def _lines(report: Report, repaired: Repaired | None) -> list[tuple[str, str]]:
    """The lines of a report, each with its style."""
    lines: list[tuple[str, str]] = []
    if repaired is not None:
        lines += [(line, "") for line in _repair_lines(repaired)]
    if report.live is not None:
        who = f"process {report.live}" if report.live else "a server"
        told = f"{who} is using this directory: what it writes now may not be seen here"
        lines += [(told, "warn"), ("", "")]
    root = report.path if os.path.isdir(report.path) else ""
    for file in report.files:
        verdict = file.verdict()
        style = "" if verdict == SOUND else _STYLES[verdict]
        first, *more = _file_lines(file, root)
        lines += [(first, style), *((line, style or "dim") for line in more)]
    if report.contents:
        held = ", ".join(_fact(name, n) for name, n in report.contents.items())
        lines += [("", ""), (f"in memory: {held}", "")]
    if report.files:
        lines.append(("", ""))
    lines += [(note, "warn") for note in report.notes]
    lines.append((_verdict_line(report, repaired is not None), _STYLES[report.verdict]))
    return lines


def _file_lines(file: FileReport, root: str) -> list[str]:
    path = os.path.relpath(file.path, root) if root else file.path
    lines = [f"{file.status:{_COLUMN}}{path}, {_size(file.size)}"]
    indent = " " * _COLUMN
    if file.facts:
        lines.append(indent + ", ".join(_fact(name, value) for name, value in file.facts.items()))
    if file.text:
        where = "" if file.offset is None else f"byte {file.offset}: "
        lines.append(f"{indent}{where}{file.text}")
    return lines


def _fact(name: str, value: int | str) -> str:
    one = _COUNTED.get(name)
    if one is None:
        return f"{name.replace('_', ' ')} {value}"
    return f"{value} {one if value == 1 else name}".replace("_", " ")


def _verdict_line(report: Report, repaired: bool) -> str:
    if report.verdict == SOUND:
        return "sound"
    if report.verdict == WARNING:
        return "no damage, but see above"
    if repaired:
        return "still damaged: this cannot be repaired, see above"
    if not os.path.isdir(report.path) or OTHER_VERSION in report.notes:
        return "damaged"
    return f"damaged: `headwater check --repair {report.path}` keeps what is sound, after a backup"


def _repair_lines(repaired: Repaired) -> list[str]:
    if not repaired.backup:
        return [*repaired.notes, "there is nothing to repair in the journal", ""]
    lines = [*repaired.notes, f"backup: {repaired.backup}"]
    lines += [f"          {name}" for name in repaired.copied]
    lines.append("repaired:")
    lines += [f"          {line}" for line in repaired.done]
    if repaired.dropped:
        lines.append("dropped from the journal (the backup has it):")
    for dropped in repaired.dropped:
        lines += _dropped_lines(dropped)
    lines += [
        f"kept: {repaired.kept_records} records, up to position {repaired.kept_position}",
        "",
    ]
    return lines


def _dropped_lines(dropped: Dropped) -> list[str]:
    where = f"{dropped.size} bytes from byte {dropped.offset} on"
    lines = [f"          {dropped.path}: {where} ({dropped.why})"]
    indent = " " * 12
    if dropped.reached is None:
        lines.append(f"{indent}from position {dropped.position} on; no record of it can be read")
    else:
        lines.append(
            f"{indent}positions {dropped.position}..{dropped.reached}; {dropped.records} records "
            "of it can still be read"
        )
    for (db, key), (count, first, last) in dropped.entries.items():
        what = _fact("entries", count)
        lines.append(f"{indent}{what} of {_key(key)} in database {db}: {first}..{last}")
    return lines


def _key(key: bytes) -> str:
    return repr(key)[1:]


def _size(size: int) -> str:
    value = float(size)
    for unit in ("bytes", "KB", "MB"):
        if value < 1024:
            return f"{size} bytes" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GB"


# --- for programs ---


def _plain(report: Report, repaired: Repaired | None) -> dict[str, Any]:
    found = asdict(report)
    found["verdict"] = _VERDICTS[report.verdict]
    if repaired is not None:
        done = asdict(repaired)
        for dropped in done["dropped"]:
            dropped["entries"] = [
                {
                    "database": db,
                    "key": key.decode("utf-8", "backslashreplace"),
                    "count": count,
                    "first": first,
                    "last": last,
                }
                for (db, key), (count, first, last) in dropped["entries"].items()
            ]
        found["repair"] = done
    return found
