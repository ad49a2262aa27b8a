"""Taking over the data of a Redis: an RDB file, an append-only file, or a directory of these.

The commands of an append-only file run through the command table as they would for a client, on
a clock that stands at 1970, so that nothing expires on the way: what has expired is found by the
server that starts with the data. A transaction (MULTI ... EXEC) is run whole or not at all.

What Headwater lacks (keys of other types, commands) is left out and counted; whoever
imports decides whether that is acceptable.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

from headwater.clock import ManualClock
from headwater.commands.dispatch import execute
from headwater.commands.flags import WRITE
from headwater.commands.session import Session
from headwater.commands.state import ServerState
from headwater.journal.disk import Disk, ReadFile
from headwater.journal.format import MANIFEST_NAME, SEGMENT_MAGIC, JournalError
from headwater.persistence.append_only import MANIFEST_SUFFIX, CommandReader, read_aof_manifest
from headwater.persistence.loading import KeyspaceSink, SnapshotLoader, shown
from headwater.rdb.types import MAGIC
from headwater.resp.reply import Reply
from headwater.resp.request import Request, from_words
from headwater.streams.stream import Stream

STEP_US = 20_000
"""How long a snapshot is read between two reports of progress."""

STEP_COMMANDS = 2_000
"""How many commands are run between two reports of progress."""

_BEFORE_EVERYTHING_MS = 1
_MAX_MS = 2**62
_SHOWN_BYTES = 200
_COMMANDS = (b"*", b"#")  # what a file of commands begins with
_HARMLESS = (b"ping", b"select")
_MOVING = (b"copy", b"move", b"rename", b"renamenx", b"swapdb")


@dataclass(slots=True)
class Imported:
    """What has been read.

    files: paths in their order. commands: how many were run. warnings: what a person should know
    missing_types: keys left out, by type. missing_commands: commands left out, by name
    libraries: libraries of functions. depending: commands left out because they change a key that
        was left out
    """

    files: list[str] = field(default_factory=list)
    commands: int = 0
    keys: int = 0
    streams: int = 0
    entries: int = 0
    groups: int = 0
    pending: int = 0
    warnings: list[str] = field(default_factory=list)
    missing_types: dict[str, int] = field(default_factory=dict)
    missing_commands: dict[str, int] = field(default_factory=dict)
    libraries: int = 0
    depending: int = 0
    databases: int = 0

    def missing(self) -> list[str]:
        """What was left out, in words; empty if nothing was."""
        said = [
            f"{count} keys of type {name}" for name, count in sorted(self.missing_types.items())
        ]
        said += [
            f"{count} commands {name}" for name, count in sorted(self.missing_commands.items())
        ]
        if self.depending:
            said.append(f"{self.depending} commands on keys left out")
        return said


class _Sink(KeyspaceSink):
    """Remembers also which keys are left out."""

    def __init__(self, state: ServerState, left_out: set[tuple[int, bytes]]) -> None:
        super().__init__(state.keyspace, True)
        self._left_out = left_out

    def skipped(self, db_index: int, key: bytes, type_name: str) -> None:
        super().skipped(db_index, key, type_name)
        self._left_out.add((db_index, key))


class Importer:
    """Reads `source` into the keyspace of `state`, which is empty and has this clock.

    total: bytes of all files. done: how many of them have been read.
    """

    def __init__(self, disk: Disk, source: str, state: ServerState, clock: ManualClock) -> None:
        """Find out what the source is. Raises JournalError if it is nothing to import, OSError."""
        self.result = Imported(find_files(disk, source))
        self.total = sum(disk.size(path) for path in self.result.files)
        for path in _passed_over(disk, source, self.result.files):
            self._warn(f"{path}: not read, because there are append-only files")
        self.done = 0
        self._disk = disk
        self._state = state
        self._clock = clock
        self._now_ms = clock.now_ms
        self._session = Session(state)
        self._reply = Reply()
        self._left_out: set[tuple[int, bytes]] = set()
        self._group: list[tuple[int, list[bytes]]] | None = None  # an open transaction
        self._group_at = 0

    def steps(self) -> Iterator[None]:
        """Read everything, a step at a time.

        Raises JournalError with file and offset of what is wrong, OSError.
        """
        paths = self.result.files
        for path in paths:
            before = self.done
            yield from self._read(path, path == paths[len(paths) - 1])
            self.done = before + self._disk.size(path)
        self._set_clock(self._now_ms)
        self._count()

    def _read(self, path: str, last: bool) -> Iterator[None]:
        file = self._disk.open_read(path)
        try:
            beginning = _beginning(file)
            offset = 0
            if beginning.startswith(MAGIC):
                self._set_clock(self._now_ms)
                offset = yield from self._load_snapshot(path)
                file.seek(offset)
                following = _read(file, 1)
                if following not in _COMMANDS:
                    if following:
                        self._warn(f"{path}, byte {offset}: what follows the snapshot is left out")
                    return
            elif beginning and not beginning.startswith(_COMMANDS):
                raise JournalError(path, "neither a snapshot nor an append-only file of Redis", 0)
            self._set_clock(_BEFORE_EVERYTHING_MS)
            yield from self._run_commands(CommandReader(file, path, offset), last)
        finally:
            file.close()

    # --- snapshots ---

    def _load_snapshot(self, path: str) -> Generator[None, None, int]:
        """Load an RDB file, or one before commands; returns the offset behind it."""
        sink = _Sink(self._state, self._left_out)
        loader = SnapshotLoader(self._disk, path, sink, skip_unknown=True)
        before = self.done
        try:
            while not loader.step(STEP_US):
                self.done = before + loader.loaded
                yield
        finally:
            loader.close()
        self.done = before
        result = self.result
        for name, count in sink.skipped_types.items():
            result.missing_types[name] = result.missing_types.get(name, 0) + count
        return loader.loaded

    # --- commands ---

    def _run_commands(self, reader: CommandReader, last: bool) -> Iterator[None]:
        before = self.done
        self._session.database = self._state.keyspace.databases[0]
        count = 0
        while (request := reader.next()) is not None:
            self._take(reader, request)
            count += 1
            if count % STEP_COMMANDS == 0:
                self.done = before + reader.end
                yield
        end = reader.end
        what = "the end of a command is missing"
        if self._group is not None:
            end = self._group_at
            what = "the EXEC of a transaction is missing"
            self._group = None
        if end == reader.size:
            return
        if not last:
            raise JournalError(reader.path, f"{what}, and another file follows this one", end)
        self._warn(
            f"{reader.path}, byte {end}: {what}: the last {reader.size - end} bytes are left out"
        )

    def _take(self, reader: CommandReader, request: Request) -> None:
        """Run a command, or keep it until the end of its transaction."""
        name = request.arg(0).lower()
        if name == b"multi":
            if self._group is not None:
                raise JournalError(reader.path, "MULTI within a transaction", reader.offset)
            self._group = []
            self._group_at = reader.offset
        elif name == b"exec":
            group, self._group = self._group, None
            if group is None:
                raise JournalError(reader.path, "EXEC without MULTI", reader.offset)
            for offset, words in group:
                self._run(reader.path, offset, from_words(words))
        elif self._group is not None:
            words = [request.arg(i) for i in range(request.argc)]
            self._group.append((reader.offset, words))
        else:
            self._run(reader.path, reader.offset, request)

    def _run(self, path: str, offset: int, request: Request) -> None:
        session = self._session
        if self._is_missing(path, offset, request):
            return
        if self._follow_left_out(request):
            self.result.depending += 1
            return
        own_ms = self._own_time(request)
        if own_ms:
            self._set_clock(own_ms)
        execute(session, request, self._reply)
        if own_ms:
            self._set_clock(_BEFORE_EVERYTHING_MS)
        reply = b"".join(part for part in self._reply.take_parts() if isinstance(part, bytes))
        if reply[:1] == b"-":
            if self._is_about_left_out(request):
                self.result.depending += 1
                return
            error = reply[1:].partition(b"\r")[0].decode("utf-8", "backslashreplace")
            raise JournalError(path, f"{_text(request)} fails: {error}", offset)
        self.result.commands += 1

    def _is_missing(self, path: str, offset: int, request: Request) -> bool:
        """Whether Headwater lacks this command; what changes nothing does not belong here."""
        name = request.arg(0)
        table = self._state.table
        command = table.lookup(name)
        if command is not None and command.subcommands is not None and request.argc > 1:
            name += b" " + request.arg(1)
            command = command.subcommand(request.arg(1))
        if command is None:
            text = shown(name.upper()).strip("'\"")
            counts = self.result.missing_commands
            counts[text] = counts.get(text, 0) + 1
            if request.argc > 1:
                self._left_out.add((self._session.database.index, request.arg(1)))
            return True
        if not command.flags & WRITE and command.name not in _HARMLESS:
            raise JournalError(
                path, f"{_text(request)} does not belong into an append-only file", offset
            )
        return False

    def _follow_left_out(self, request: Request) -> bool:
        """Whether a command moves or copies a key that was left out: done here, in names only.

        What the key replaces is gone in Redis, so it is here.
        """
        name = request.arg(0).lower()
        if not self._left_out or request.argc < 3 or name not in _MOVING:
            return False
        databases = self._state.keyspace.databases
        index = self._session.database.index
        first, second = request.arg(1), request.arg(2)
        key, number = second, b"%d" % index
        if name == b"swapdb":
            if first.isdigit() and second.isdigit():
                swapped = {int(first): int(second), int(second): int(first)}
                self._left_out = {(swapped.get(db, db), key) for db, key in self._left_out}
            return False
        if (index, first) not in self._left_out or first in databases[index].values:
            return False
        if name == b"move":
            key, number = first, second
        for i in range(3, request.argc - 1):
            if request.arg(i).lower() == b"db":
                number = request.arg(i + 1)
        if not number.isdigit() or int(number) >= len(databases):
            return False
        if name != b"copy":
            self._left_out.discard((index, first))
        self._left_out.add((int(number), key))
        databases[int(number)].delete(key)
        return True

    def _is_about_left_out(self, request: Request) -> bool:
        if not self._left_out:
            return False
        index = self._session.database.index
        return any((index, request.arg(i)) in self._left_out for i in range(1, request.argc))

    def _own_time(self, request: Request) -> int:
        """When a command happened that depends on the time, as far as it says; else 0.

        XCLAIM, as which Redis writes deliveries, takes a time in the future for this moment.
        XIDMPRECORD is about an entry that was added a moment before.
        """
        if request.argc < 5:
            return 0
        name = request.arg(0).upper()
        text = b""
        if name == b"XIDMPRECORD":
            text = request.arg(4).partition(b"-")[0]
        elif name == b"XCLAIM":
            for i in range(6, request.argc - 1):
                if request.arg(i).upper() == b"TIME":
                    text = request.arg(i + 1)
                    break
        return min(int(text), _MAX_MS) if text.isdigit() else 0

    # --- the rest ---

    def _set_clock(self, now_ms: int) -> None:
        self._clock.advance(now_ms - self._clock.now_ms)

    def _warn(self, text: str) -> None:
        self.result.warnings.append(text)

    def _count(self) -> None:
        """Count what there is. Consumers that commands made were last seen when they run."""
        result = self.result
        result.libraries = len(self._state.keyspace.libraries.codes)
        for db in self._state.keyspace.databases:
            if db.values:
                result.databases = db.index + 1
            for value in db.values.values():
                result.keys += 1
                if not isinstance(value, Stream):
                    continue
                result.streams += 1
                result.entries += value.length
                for group in (value.groups or {}).values():
                    result.groups += 1
                    result.pending += group.pending.count
                    for consumer in group.consumers.values():
                        if consumer.seen_ms <= _BEFORE_EVERYTHING_MS:
                            consumer.seen_ms = self._now_ms


def find_files(disk: Disk, source: str) -> list[str]:
    """The files to read for a source, in order. Raises JournalError if there are none, OSError.

    A directory is Redis's data directory, or the directory of its append-only files. Where there
    is both a snapshot and an append-only file, Redis would load the latter, and so do we.
    """
    if not disk.exists(source):
        raise JournalError(source, "there is no such file or directory")
    if not os.path.isdir(source):
        return _files_of(disk, os.path.dirname(source) or ".", os.path.basename(source))
    names = disk.list(source)
    if MANIFEST_NAME in names:
        raise JournalError(source, "this is the journal of a Headwater; there is nothing to import")
    manifests = [name for name in names if name.endswith(MANIFEST_SUFFIX)]
    if len(manifests) > 1:
        raise JournalError(
            source, f"there are several manifests, {', '.join(manifests)}: name the one to import"
        )
    if manifests:
        return _files_of(disk, source, manifests[0])
    inside = [
        name
        for name in names
        if os.path.isdir(f"{source}/{name}") and _has_manifest(disk, source, name)
    ]
    if len(inside) > 1:
        raise JournalError(
            source, f"append-only files are in {', '.join(inside)}: name the one to import"
        )
    if inside:
        return find_files(disk, f"{source}/{inside[0]}")
    for ending in (".aof", ".rdb"):
        found = [name for name in names if name.endswith(ending) and not name.startswith("temp-")]
        if len(found) > 1:
            raise JournalError(source, f"there are {', '.join(found)}: name the one to import")
        if found:
            return [f"{source}/{found[0]}"]
    raise JournalError(source, "there is neither a snapshot nor an append-only file of Redis in it")


def _passed_over(disk: Disk, source: str, files: list[str]) -> list[str]:
    """Snapshots beside append-only files; a Redis that runs without the latter has them newer."""
    if not os.path.isdir(source) or any(
        name.endswith(MANIFEST_SUFFIX) for name in disk.list(source)
    ):
        return []
    paths = [f"{source}/{name}" for name in disk.list(source) if name.endswith(".rdb")]
    return [path for path in paths if path not in files and "/temp-" not in path]


def _has_manifest(disk: Disk, directory: str, name: str) -> bool:
    return any(file.endswith(MANIFEST_SUFFIX) for file in disk.list(f"{directory}/{name}"))


def _files_of(disk: Disk, directory: str, name: str) -> list[str]:
    """The files that a file stands for: those in it if it is a manifest, else itself."""
    path = f"{directory}/{name}"
    file = disk.open_read(path)
    try:
        beginning = _beginning(file)
    finally:
        file.close()
    if beginning == SEGMENT_MAGIC:
        raise JournalError(path, "this is the journal of a Headwater; there is nothing to import")
    if not name.endswith(MANIFEST_SUFFIX):
        return [path]
    paths = read_aof_manifest(disk, directory, name).paths()
    for listed in paths:
        if not disk.exists(listed):
            raise JournalError(listed, f"the file is missing; {path} lists it")
    return paths


def _beginning(file: ReadFile) -> bytes:
    file.seek(0)
    return _read(file, len(SEGMENT_MAGIC))


def _read(file: ReadFile, count: int) -> bytes:
    buf = bytearray(count)
    return bytes(buf[: file.read_into(buf, 0, count)])


def _text(request: Request) -> str:
    """A command as a message can have it."""
    words = []
    length = 0
    for i in range(request.argc):
        words.append(shown(request.arg(i)).strip("'\""))
        length += len(words[i]) + 1
        if length > _SHOWN_BYTES:
            words.append("...")
            break
    return " ".join(words)
