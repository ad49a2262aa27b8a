"""Reading Redis's append-only files: the manifest of a directory, and the commands of a file.

A manifest names the files of one data set, a line each:

    file appendonly.aof.2.base.rdb seq 2 type b
    file appendonly.aof.5.incr.aof seq 5 type i

`b` is the base (an RDB file, or commands), `i` one of the files that continue it, in this order,
`h` one that is only there to be removed. A file of commands holds requests as clients send them,
arrays of bulk strings back to back, and lines of annotations, which begin with `#`.

Nothing here runs anything; importing.py does.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from headwater.journal.disk import Disk, ReadFile
from headwater.journal.format import JournalError
from headwater.resp.parser import FAILED, READY, RequestParser, split_words
from headwater.resp.request import Request

MANIFEST_SUFFIX = ".manifest"
MANIFEST_MAX_BYTES = 1 << 20
"""A longer file is no manifest."""

PIECE_BYTES = 1 << 20
_BULK_MAX_BYTES = 1 << 40
_ARRAY, _ANNOTATION, _NEWLINE = ord("*"), ord("#"), ord("\n")
_ANNOTATION_MAX_BYTES = 1024  # Redis reads no longer ones


@dataclass(slots=True)
class AofManifest:
    """base: path of the file it begins with, or None. increments: of those that continue it."""

    base: str | None = None
    increments: list[str] = field(default_factory=list)

    def paths(self) -> list[str]:
        """The files in the order in which they are to be read."""
        return [*([] if self.base is None else [self.base]), *self.increments]


def read_aof_manifest(disk: Disk, directory: str, name: str) -> AofManifest:
    """Read a manifest of Redis. Raises JournalError that names file and line, OSError."""
    path = f"{directory}/{name}"
    if disk.size(path) > MANIFEST_MAX_BYTES:
        raise JournalError(path, "this is too long to be a manifest")
    manifest = AofManifest()
    last_number = 0
    for number, line in enumerate(disk.read_bytes(path).split(b"\n"), 1):
        if not line.strip() or line.startswith(b"#"):
            continue
        facts = _facts(line)
        if facts is None:
            raise JournalError(
                path, f"line {number}: not a line of an append-only file's manifest: {line[:80]!r}"
            )
        file, sequence, kind = facts
        if kind == "b":
            if manifest.base is not None:
                raise JournalError(path, f"line {number}: a second base")
            manifest.base = f"{directory}/{file}"
        elif kind == "i":
            if sequence <= last_number:
                raise JournalError(path, f"line {number}: {file} stands behind a later file")
            last_number = sequence
            manifest.increments.append(f"{directory}/{file}")
    if not manifest.paths():
        raise JournalError(path, "no file is listed")
    return manifest


def _facts(line: bytes) -> tuple[str, int, str] | None:
    """Name, number and type in a line; None if it is not well-formed. Other facts are left out."""
    words = split_words(line)
    if words is None or len(words) % 2:
        return None
    facts = {words[i].lower(): words[i + 1] for i in range(0, len(words), 2)}
    name = facts.get(b"file", b"").decode("utf-8", "surrogateescape")
    number, kind = facts.get(b"seq", b""), facts.get(b"type", b"")
    if not name or "/" in name or not number.isdigit() or kind not in (b"b", b"h", b"i"):
        return None
    return name, int(number), kind.decode()


class CommandReader:
    """The commands of one file, from byte `offset` on.

    offset: where the command read last begins. end: where it ends.
    """

    def __init__(self, file: ReadFile, path: str, offset: int = 0) -> None:
        self.path = path
        self.size = file.size
        self.offset = self.end = offset
        self._file = file
        self._base = offset  # the byte of the file that the buffer begins with
        self._buf = bytearray(PIECE_BYTES)
        self._filled = 0
        self._parser = RequestParser(Request(), _BULK_MAX_BYTES)
        file.seek(offset)

    def next(self) -> Request | None:
        """The next command, valid until the next call; None at the end.

        At the end `end` is less than `size` if the file stops within a command or an annotation.
        Raises JournalError for what is no command, OSError.
        """
        parser = self._parser
        while True:
            if parser.remaining < 0:
                self.end = self._base + parser.pos
                if self._pass_annotation():
                    continue
            if parser.pos < self._filled and not self._at_annotation():
                status = parser.parse(self._buf, self._filled)
                if status == READY and parser.request.wellformed:
                    self.offset = self._base + parser.begin
                    self.end = self._base + parser.pos
                    return parser.request
                if status in (FAILED, READY):
                    raise self._damaged()
            if not self._read_more():
                return None

    def _at_annotation(self) -> bool:
        parser = self._parser
        return parser.remaining < 0 and self._buf[parser.pos] == _ANNOTATION

    def _pass_annotation(self) -> bool:
        """Pass over the annotation that comes next; False if none does, or not all of it."""
        parser = self._parser
        if parser.pos >= self._filled:
            return False
        first = self._buf[parser.pos]
        if first == _ARRAY:
            return False
        newline = -1
        if first == _ANNOTATION:
            end = min(self._filled, parser.pos + _ANNOTATION_MAX_BYTES)
            newline = self._buf.find(_NEWLINE, parser.pos, end)
        if newline < 0 and (
            first != _ANNOTATION or self._filled - parser.pos >= _ANNOTATION_MAX_BYTES
        ):
            raise self._damaged()
        if newline >= 0:
            parser.pos = newline + 1
        return newline >= 0

    def _damaged(self) -> JournalError:
        return JournalError(
            self.path,
            "here should stand a command. The file is damaged, or not an append-only file of "
            "Redis; `redis-check-aof --fix` cuts it off here",
            self.end,
        )

    def _read_more(self) -> bool:
        """Read on behind what has not been used up; False at the end of the file."""
        parser = self._parser
        kept = parser.begin if parser.remaining >= 0 else parser.pos
        left = self.size - self._base - self._filled
        if left <= 0:
            return False
        unused = self._filled - kept
        # What is announced is believed only as far as the file goes.
        needed = min(max(PIECE_BYTES, parser.wanted(), unused + 1), unused + left)
        buf = self._buf
        if needed > len(buf) or len(buf) > 4 * max(needed, PIECE_BYTES):
            buf = bytearray(max(needed, min(2 * unused, unused + left)))
        buf[:unused] = self._buf[kept : self._filled]
        self._buf = buf
        self._base += kept
        self._filled = unused
        parser.moved(-kept)
        count = self._file.read_into(buf, unused, len(buf) - unused)
        self._filled += count
        return count > 0
