"""The manifest: which files make up the journal. Replaced atomically, never edited.

    headwater journal manifest 1
    journal 8f14e45fceea167a5a36dedd4bea2543
    epoch 7
    reached 2000000
    base base.000003.rdb
    segment segment.000003.hwj epoch 5 index 2201 position 1200144 chain 5bd0c3a1
    segment segment.000004.hwj epoch 7 index 3010 position 1840302 chain 09f2be77
    crc 07d1109d

Lines stand in this order, each ends with a newline, numbers are decimal without leading zeros,
journal id, chain and crc are lower-case hexadecimal. The crc is that of all bytes before its
line. `base none`: the first segment begins with an empty keyspace. Segments are listed from the
first to the last without a gap; what a segment's line says of its beginning is also in its
header. A file of the directory that is not listed is not part of the journal.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable

from headwater.journal.disk import NEW_SUFFIX, Disk
from headwater.journal.format import (
    JOURNAL_ID_BYTES,
    JOURNAL_VERSION,
    MANIFEST_NAME,
    FormatError,
    JournalError,
    Place,
    base_name,
    file_number,
    segment_name,
    wrong_version,
)

MANIFEST_BYTES = 1 << 20
"""A larger file is no manifest: this is room for ten thousand segments."""

_NUMBER = r"(0|[1-9][0-9]{0,17})"
_VERSION = re.compile(rf"headwater journal manifest {_NUMBER}")
_JOURNAL = re.compile(rf"journal ([0-9a-f]{{{2 * JOURNAL_ID_BYTES}}})")
_EPOCH = re.compile(rf"epoch {_NUMBER}")
_REACHED = re.compile(rf"reached {_NUMBER}")
_BASE = re.compile(r"base (none|base\.[0-9]{6,18}\.rdb)")
_SEGMENT = re.compile(
    r"segment (segment\.[0-9]{6,18}\.hwj) "
    rf"epoch {_NUMBER} index {_NUMBER} position {_NUMBER} chain ([0-9a-f]{{8}})"
)
_CRC = re.compile(r"crc ([0-9a-f]{8})")


class SegmentEntry:
    """A segment of the manifest: its number, and the place of its first batch."""

    __slots__ = ("number", "place")

    def __init__(self, number: int, place: Place) -> None:
        self.number = number
        self.place = place.copy()

    @property
    def name(self) -> str:
        """The file's name."""
        return segment_name(self.number)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, SegmentEntry)
            and self.number == other.number
            and self.place == other.place
        )

    def __hash__(self) -> int:
        return hash((self.number, self.place))

    def __repr__(self) -> str:
        return f"SegmentEntry({self.number}, {self.place})"


class Manifest:
    """What makes up a journal.

    journal_id: 16 random bytes, the same in every segment
    epoch: of the server that opened the journal for writing last
    reached: position that was on disk when this was written
    segments: from the first to the last; never empty once it is saved
    based: whether the first segment continues a snapshot, the file `base`
    """

    __slots__ = ("based", "epoch", "journal_id", "reached", "segments")

    def __init__(
        self,
        journal_id: bytes,
        epoch: int = 0,
        reached: int = 0,
        based: bool = False,
        segments: Iterable[SegmentEntry] = (),
    ) -> None:
        self.journal_id = journal_id
        self.epoch = epoch
        self.reached = reached
        self.based = based
        self.segments = list(segments)

    @property
    def base(self) -> str | None:
        """Name of the snapshot that the first segment continues, or None: it began empty."""
        return base_name(self.segments[0].number) if self.based else None

    @property
    def last(self) -> SegmentEntry:
        """The segment that is written."""
        return self.segments[len(self.segments) - 1]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Manifest) and all(
            getattr(self, name) == getattr(other, name) for name in self.__slots__
        )

    __hash__ = None  # type: ignore[assignment]

    def copy(self) -> Manifest:
        """A manifest to change and save, while this one still is what the disk has."""
        return Manifest(self.journal_id, self.epoch, self.reached, self.based, self.segments)

    def add(self, number: int, place: Place) -> None:
        """List a new last segment."""
        self.segments.append(SegmentEntry(number, place))
        self.reached = max(self.reached, place.position)

    def drop_before(self, number: int) -> None:
        """Let the journal begin with the snapshot and the segment of this number."""
        self.segments = [entry for entry in self.segments if entry.number >= number]
        self.based = True

    def names(self) -> list[str]:
        """The files of the journal, the manifest itself included."""
        base = [] if self.base is None else [self.base]
        return [MANIFEST_NAME, *base, *(entry.name for entry in self.segments)]

    def strays(self, names: Iterable[str]) -> list[str]:
        """Those of a directory's names that a journal leaves behind when it is interrupted."""
        ours = set(self.names())
        return [
            name
            for name in names
            if name not in ours
            and (file_number(name) is not None or name == MANIFEST_NAME + NEW_SUFFIX)
        ]

    @classmethod
    def load(cls, disk: Disk, directory: str) -> Manifest | None:
        """Read the manifest of a directory; None if it has none.

        Raises FormatError for one of another version, JournalError for one that is not as
        Headwater writes them, OSError.
        """
        path = f"{directory}/{MANIFEST_NAME}"
        if not disk.exists(path):
            return None
        size = disk.size(path)
        if size > MANIFEST_BYTES:
            raise FormatError(path, f"a file of {size} bytes is not a manifest")
        return cls.parse(disk.read_bytes(path), path)

    def save(self, disk: Disk, directory: str) -> None:
        """Put this manifest in place of the directory's; on disk when it returns.

        The files it lists are complete and synced by then. On OSError the old one is still
        valid; on UncertainError this one is there, and either may be after a power failure.
        """
        disk.write_atomically(f"{directory}/{MANIFEST_NAME}", self.render())

    def render(self) -> bytes:
        """The file's content; ValueError if this is not a complete manifest."""
        wrong = self._wrong()
        if wrong is not None:
            raise ValueError(f"the manifest is not complete: {wrong}")
        lines = [
            f"headwater journal manifest {JOURNAL_VERSION}",
            f"journal {self.journal_id.hex()}",
            f"epoch {self.epoch}",
            f"reached {self.reached}",
            f"base {self.base or 'none'}",
        ]
        for entry in self.segments:
            place = entry.place
            lines.append(
                f"segment {entry.name} epoch {place.epoch} index {place.index} "
                f"position {place.position} chain {place.chain:08x}"
            )
        text = "".join(f"{line}\n" for line in lines).encode()
        return text + b"crc %08x\n" % zlib.crc32(text)

    @classmethod
    def parse(cls, data: bytes, path: str) -> Manifest:
        """Read a manifest's content; raises as `load`. `path` is for messages."""
        lines = data.decode("ascii", "replace").split("\n")
        reader = _Lines(path, lines)
        version = int(reader.match(_VERSION, "the name and the version of the format")[1])
        if version != JOURNAL_VERSION:
            raise FormatError(path, wrong_version(version))
        _check_crc(path, data)
        manifest = cls(
            bytes.fromhex(reader.match(_JOURNAL, "'journal' and 32 hexadecimal digits")[1]),
            int(reader.match(_EPOCH, "'epoch' and a number")[1]),
            int(reader.match(_REACHED, "'reached' and a position")[1]),
        )
        base = reader.match(_BASE, "'base' and the name of a snapshot or 'none'")[1]
        manifest.based = base != "none"
        while not reader.at(_CRC):
            name, *numbers, chain = reader.match(_SEGMENT, "a segment or the crc").groups()
            number = file_number(name)
            if number is None or name != segment_name(number):
                raise reader.error(f"{name} is not the name of a segment")
            epoch, index, position = map(int, numbers)
            place = Place(epoch, index, position, int(chain, 16))
            manifest.segments.append(SegmentEntry(number, place))
            wrong = manifest._wrong_at(len(manifest.segments) - 1)
            if wrong is not None:
                raise reader.error(wrong)
        reader.match(_CRC, "the crc")
        if not manifest.segments:
            raise reader.error("no segment is listed")
        first = manifest.segments[0]
        if manifest.base != (None if base == "none" else base):
            raise JournalError(path, f"line 5: {base} is not the snapshot before {first.name}")
        if manifest.render() != data:
            raise reader.error("the file does not end behind this line")
        return manifest

    def _wrong(self) -> str | None:
        """What does not fit together, if anything."""
        if len(self.journal_id) != JOURNAL_ID_BYTES:
            return f"the journal id has {len(self.journal_id)} bytes"
        if not self.segments:
            return "no segment is listed"
        for i in range(len(self.segments)):
            wrong = self._wrong_at(i)
            if wrong is not None:
                return wrong
        return None

    def _wrong_at(self, i: int) -> str | None:
        """What does not fit about the segment that is listed as number `i`, if anything."""
        entry = self.segments[i]
        place = entry.place
        if place.epoch > self.epoch:
            return f"segment {entry.number} is of epoch {place.epoch}, the journal of {self.epoch}"
        if place.position > self.reached:
            return f"segment {entry.number} begins behind what was reached, {self.reached}"
        if i > 0:
            before = self.segments[i - 1]
            if entry.number != before.number + 1:
                return f"segment {entry.number} follows segment {before.number}"
            if (
                place.epoch < before.place.epoch
                or place.index < before.place.index
                or place.position < before.place.position
            ):
                return f"segment {entry.number} begins before segment {before.number}"
        return None


class _Lines:
    """The lines of a manifest, taken one after the other."""

    __slots__ = ("_lines", "_next", "_path")

    def __init__(self, path: str, lines: list[str]) -> None:
        self._path = path
        self._lines = lines
        self._next = 0

    def at(self, pattern: re.Pattern[str]) -> bool:
        """Whether the next line is of this kind."""
        return self._next < len(self._lines) and bool(pattern.fullmatch(self._lines[self._next]))

    def match(self, pattern: re.Pattern[str], expected: str) -> re.Match[str]:
        """Take the next line, which is of this kind, or raise JournalError."""
        if self._next >= len(self._lines):
            raise JournalError(self._path, f"the file ends where {expected} should stand")
        match = pattern.fullmatch(self._lines[self._next])
        self._next += 1
        if match is None:
            line = self._lines[self._next - 1]
            raise self.error(f"{expected} should stand here, not {line[:80]!r}")
        return match

    def error(self, text: str) -> JournalError:
        """An error about the line taken last."""
        return JournalError(self._path, f"line {self._next}: {text}")


def _check_crc(path: str, data: bytes) -> None:
    """Raise JournalError unless the last line is the crc of those before."""
    begin = data.rfind(b"\n", 0, len(data) - 1) + 1
    match = _CRC.fullmatch(data[begin:].decode("ascii", "replace").removesuffix("\n"))
    line = data.count(b"\n", 0, begin) + 1
    if match is None:
        raise JournalError(path, f"line {line}: the crc of the lines before should stand here")
    crc = zlib.crc32(data[:begin])
    if int(match[1], 16) != crc:
        raise JournalError(
            path,
            f"line {line}: the crc is {match[1]}, that of the lines before is {crc:08x}; "
            "the file was changed or is damaged",
        )
