"""The journal's bytes: names, layouts, the chain of checksums. No I/O.

All integers are little-endian. A segment file is a header and batches back to back:

    +----------------+---------+---------+--
    | segment header | batch   | batch   | ...
    +----------------+---------+---------+--

    segment header, 64 bytes             batch header, 48 bytes
     0  8  magic b"HWJOURN\\n"             0  4  magic B7 "HWJ"
     8  4  version (1)                     4  4  bytes of records behind this header
    12  4  bytes of this header (64)       8  4  records
    16 16  journal id                     12  4  crc of these 48 bytes, this field being 0,
    32  8  number                                beginning with the crc of the journal id
    40  8  position of its first batch    16  8  epoch
    48  8  index of its first batch       24  8  index
    56  4  chain before its first batch   32  8  position
    60  4  crc of the 60 bytes before     40  4  chain before
                                          44  4  unsynced

    batch = header, records               record = length u32 | crc u32 | body

**Position** counts bytes of records (8 and the body each) since the journal began; headers do
not count. **Index** counts batches. **Epoch** grows by one whenever a server opens the journal
for writing. **Chain** is the crc of the last record: each record's crc is that of its length
field and its body, beginning with the crc of the record before, so the checksums of a journal
are one chain. The first begins with 0. What stands behind a batch follows from it: its index
plus one, its position plus its bytes, the crc of its last record.

**Unsynced** says how many positions before this batch were not known to be on disk when it was
written (2**32 - 1: that many or more). Thereby a reader knows of a broken batch in front of
sound ones whether it had been durable (then it is damage) or was lost by a power failure.

The journal id in the crc of a batch ties it to its journal: a client may well store bytes that
look like a batch, even a whole segment of another journal.

`docs/formats/journal.md` has an example and the rules of recovery; a record's body is the
subject of `journal/operations.py`.
"""

from __future__ import annotations

import re

from headwater.errors import HeadwaterError
from headwater.raw import alloc, copy_bytes, crc32, cut, get_u32, get_u64, put_u32, put_u64

JOURNAL_VERSION = 1
"""Version of the segment format and of the manifest; a newer one is refused, not guessed at."""

SEGMENT_MAGIC = b"HWJOURN\n"
BATCH_MAGIC = 0x4A5748B7
BATCH_MAGIC_BYTES = b"\xb7HWJ"

SEGMENT_HEADER_BYTES = 64
BATCH_HEADER_BYTES = 48
RECORD_HEADER_BYTES = 8
JOURNAL_ID_BYTES = 16

BATCH_BYTES = 512 * 1024
"""A batch is sealed before it gets larger than this, unless one record alone is."""

UNSYNCED_MAX = 0xFFFFFFFF
"""`unsynced` of a batch that knows nothing before it to be on disk."""

BODY_MAX = 0xFFFFFFFF - RECORD_HEADER_BYTES
"""Largest body of a record: one record must fit in a batch's count of bytes."""

MANIFEST_NAME = "journal.manifest"
LOCK_NAME = "headwater.lock"


class JournalError(HeadwaterError):
    """A file of the journal cannot be used; says which, where in it and why."""

    def __init__(self, path: str, text: str, offset: int | None = None) -> None:
        where = path if offset is None else f"{path}, byte {offset}"
        super().__init__(f"{where}: {text}")
        self.path = path
        self.text = text
        self.offset = offset


class FormatError(JournalError):
    """A file is not what its name says, or of a version that this Headwater does not read."""


class Place:
    """A point between two batches of a journal: where reading or writing goes on.

    epoch: of the batch before; the next has this one or a greater one
    index: of the next batch
    position: of the next batch
    chain: crc of the record before
    """

    __slots__ = ("chain", "epoch", "index", "position")

    def __init__(self, epoch: int = 0, index: int = 0, position: int = 0, chain: int = 0) -> None:
        self.epoch = epoch
        self.index = index
        self.position = position
        self.chain = chain

    def copy(self) -> Place:
        """The same place in an object of its own: a writer moves the one it has."""
        return Place(self.epoch, self.index, self.position, self.chain)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return (
            f"Place(epoch={self.epoch}, index={self.index}, "
            f"position={self.position}, chain={self.chain:#010x})"
        )

    def _key(self) -> tuple[int, int, int, int]:
        return self.epoch, self.index, self.position, self.chain


class SegmentHeader:
    """What the header of a segment says."""

    __slots__ = ("chain", "index", "journal_id", "number", "position")

    def __init__(self, journal_id: bytes, number: int, index: int, position: int, chain: int):
        self.journal_id = journal_id
        self.number = number
        self.index = index
        self.position = position
        self.chain = chain

    def place(self, epoch: int = 0) -> Place:
        """The place of its first batch, whose epoch is at least this one."""
        return Place(epoch, self.index, self.position, self.chain)


def segment_name(number: int) -> str:
    """Name of a segment file in the journal's directory."""
    return f"segment.{number:06d}.hwj"


def base_name(number: int) -> str:
    """Name of the snapshot that the segments from `number` on continue."""
    return f"base.{number:06d}.rdb"


def file_number(name: str) -> int | None:
    """The number in the name of a segment or of a base; None for any other name."""
    match = re.fullmatch(r"(?:segment\.(\d{6,})\.hwj|base\.(\d{6,})\.rdb)", name, re.ASCII)
    return None if match is None else int(match[1] or match[2])


def free_number(names: list[str], based: bool) -> int:
    """A number that no file among these has, for a new segment.

    `based`: it continues a snapshot. Such a segment is never number 1: so a repair that finds
    number 1 knows that it began with an empty keyspace.
    """
    used = [file_number(name) or 0 for name in names]
    return 1 + max(1 if based else 0, *used, 0)


def crc_of_id(journal_id: bytes) -> int:
    """The checksum with which those of this journal's batch headers begin."""
    return crc32(bytearray(journal_id), 0, len(journal_id), 0)


def segment_header(journal_id: bytes, number: int, place: Place) -> bytearray:
    """The header of the segment whose first batch is the one at `place`."""
    if len(journal_id) != JOURNAL_ID_BYTES:
        raise ValueError(f"a journal id has {JOURNAL_ID_BYTES} bytes, not {len(journal_id)}")
    buf = alloc(SEGMENT_HEADER_BYTES)
    copy_bytes(buf, 0, SEGMENT_MAGIC)
    put_u32(buf, 8, JOURNAL_VERSION)
    put_u32(buf, 12, SEGMENT_HEADER_BYTES)
    copy_bytes(buf, 16, journal_id)
    put_u64(buf, 32, number)
    put_u64(buf, 40, place.position)
    put_u64(buf, 48, place.index)
    put_u32(buf, 56, place.chain)
    put_u32(buf, 60, crc32(buf, 0, 60, 0))
    return buf


def read_segment_header(buf: bytearray, n: int, path: str) -> SegmentHeader:
    """Read the header in the first `n` bytes of `buf`, which are those of the file `path`.

    Raises FormatError if it is no journal segment or of another version, JournalError if it is
    cut short or its checksum is wrong.
    """
    if n < SEGMENT_HEADER_BYTES:
        raise JournalError(path, f"the segment header has {n} of {SEGMENT_HEADER_BYTES} bytes", 0)
    sound = crc32(buf, 0, 60, 0) == get_u32(buf, 60)
    if cut(buf, 0, 8) != SEGMENT_MAGIC:
        raise FormatError(path, "this is not a journal segment of Headwater", 0)
    if not sound:
        raise JournalError(path, "the segment header is damaged: its checksum is wrong", 0)
    version = get_u32(buf, 8)
    if version != JOURNAL_VERSION:
        raise FormatError(path, wrong_version(version))
    if get_u32(buf, 12) != SEGMENT_HEADER_BYTES:
        raise FormatError(path, f"the segment header says that it has {get_u32(buf, 12)} bytes", 12)
    return SegmentHeader(
        journal_id=cut(buf, 16, JOURNAL_ID_BYTES),
        number=get_u64(buf, 32),
        index=get_u64(buf, 48),
        position=get_u64(buf, 40),
        chain=get_u32(buf, 56),
    )


def wrong_version(version: int) -> str:
    """What to say about a file of a version that is not ours."""
    return (
        f"the file has version {version} of the journal's format, this Headwater reads version "
        f"{JOURNAL_VERSION}; start the Headwater that wrote it, or a newer one"
    )


def put_batch_header(
    buf: bytearray,
    id_crc: int,
    size: int,
    records: int,
    epoch: int,
    index: int,
    position: int,
    chain: int,
    unsynced: int,
) -> None:
    """Fill the header at the beginning of `buf`.

    id_crc: `crc_of_id` of the journal
    size: bytes of the records behind the header
    chain: crc of the record before the batch
    unsynced: positions before it not known to be on disk; more than UNSYNCED_MAX count as that
    """
    put_u32(buf, 0, BATCH_MAGIC)
    put_u32(buf, 4, size)
    put_u32(buf, 8, records)
    put_u32(buf, 12, 0)
    put_u64(buf, 16, epoch)
    put_u64(buf, 24, index)
    put_u64(buf, 32, position)
    put_u32(buf, 40, chain)
    if unsynced > UNSYNCED_MAX:
        unsynced = UNSYNCED_MAX
    put_u32(buf, 44, unsynced)
    put_u32(buf, 12, crc32(buf, 0, BATCH_HEADER_BYTES, id_crc))


def is_batch_header(buf: bytearray, pos: int, id_crc: int) -> bool:
    """Tell whether a sound header of a batch of this journal stands at `pos` (48 bytes are there).

    Leaves the buffer as it was.
    """
    if get_u32(buf, pos) != BATCH_MAGIC:
        return False
    crc = get_u32(buf, pos + 12)
    put_u32(buf, pos + 12, 0)
    found = crc32(buf, pos, BATCH_HEADER_BYTES, id_crc)
    put_u32(buf, pos + 12, crc)
    return found == crc


def put_record_header(buf: bytearray, pos: int, body: int, chain: int) -> int:
    """Fill the header at `pos` of the record whose body of `body` bytes follows it.

    chain: crc of the record before. Returns the record's crc, which is the chain behind it.
    """
    head = RECORD_HEADER_BYTES
    put_u32(buf, pos, body)
    crc = crc32(buf, pos, 4, chain)
    crc = crc32(buf, pos + head, body, crc)
    put_u32(buf, pos + 4, crc)
    return crc


def check_records(buf: bytearray, begin: int, end: int, chain: int) -> tuple[int, int, int]:
    """Verify records that fill [begin, end) and follow a record whose crc is `chain`.

    Returns how far they are sound, how many these are, and the chain behind them. All is well
    if the first value is `end`.
    """
    head = RECORD_HEADER_BYTES  # here and above: a C integer, unlike the constant
    records = 0
    pos = begin
    while end - pos >= head:
        body = get_u32(buf, pos)
        if body > end - pos - head:
            break
        crc = crc32(buf, pos, 4, chain)
        crc = crc32(buf, pos + head, body, crc)
        if crc != get_u32(buf, pos + 4):
            break
        chain = crc
        pos += head + body
        records += 1
    return pos, records, chain


def batch_size(buf: bytearray, pos: int) -> int:
    """Bytes of records that the batch header at `pos` announces."""
    return get_u32(buf, pos + 4)


def batch_records(buf: bytearray, pos: int) -> int:
    """Number of records that the batch header at `pos` announces."""
    return get_u32(buf, pos + 8)


def batch_epoch(buf: bytearray, pos: int) -> int:
    """Epoch of the batch whose header is at `pos`."""
    return get_u64(buf, pos + 16)


def batch_index(buf: bytearray, pos: int) -> int:
    """Index of the batch whose header is at `pos`."""
    return get_u64(buf, pos + 24)


def batch_position(buf: bytearray, pos: int) -> int:
    """Position of the batch whose header is at `pos`."""
    return get_u64(buf, pos + 32)


def batch_chain(buf: bytearray, pos: int) -> int:
    """Crc of the record before the batch whose header is at `pos`."""
    return get_u32(buf, pos + 40)


def batch_unsynced(buf: bytearray, pos: int) -> int:
    """How many positions before the batch at `pos` were not known to be on disk."""
    return get_u32(buf, pos + 44)
