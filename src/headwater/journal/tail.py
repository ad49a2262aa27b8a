"""A broken batch in the last segment: the torn end of a write, or damage?

A power failure may lose everything that was not synced, in any order: the end of the file, or
pages in the middle while later ones are there. What it can not do is lose what was durable. So
a broken batch is a torn tail unless sound batches of this journal follow that prove otherwise.
"""

from __future__ import annotations

from headwater.journal.disk import ReadFile
from headwater.journal.format import (
    BATCH_HEADER_BYTES,
    BATCH_MAGIC_BYTES,
    UNSYNCED_MAX,
    Place,
    batch_chain,
    batch_index,
    batch_position,
    batch_records,
    batch_size,
    batch_unsynced,
    check_records,
    is_batch_header,
)

PIECE_BYTES = 1 << 20
"""Bytes searched at once."""

SECTOR_BYTES = 512
"""What a disk writes whole or not at all; one that was never written reads as zeros."""

ZEROS = bytes(SECTOR_BYTES)


def sound_behind(file: ReadFile, offset: int, place: Place, id_crc: int) -> str:
    """Say what stands behind the broken batch at byte `offset` that makes it damage.

    place: of the broken batch
    id_crc: `crc_of_id` of the journal

    Returns an empty text for a torn tail: there is no sound batch behind it, or only such as
    were written before this one was known to be on disk, behind sectors that were lost.
    """
    lost = None  # whether sectors in front of the first sound batch were lost; None: none yet
    begin = offset + 1
    while True:
        found = _next_sound(file, begin, place.index, id_crc)
        if found is None:
            return ""
        begin, head, end = found
        index = batch_index(head, 0)
        position = batch_position(head, 0)
        unsynced = batch_unsynced(head, 0)
        where = f"batch {index} at byte {begin} is sound"
        if unsynced < UNSYNCED_MAX and position - unsynced > place.position:
            return f"{where} and was written when this one was on disk"
        between = begin - offset - BATCH_HEADER_BYTES * (index - place.index)
        if position != place.position + between:
            return f"{where} and is not where it was written"
        if lost is None:
            lost = _lost_sector(file, offset, begin)
        if not lost:
            return where
        begin = end


def _next_sound(
    file: ReadFile, begin: int, index: int, id_crc: int
) -> tuple[int, bytearray, int] | None:
    """Find the next sound batch from byte `begin` on whose index is `index` or greater.

    Returns the bytes where it begins, its header, and the byte behind it.
    """
    piece = bytearray(PIECE_BYTES)
    while file.size - begin >= BATCH_HEADER_BYTES:
        file.seek(begin)
        n = file.read_into(piece, 0, PIECE_BYTES)
        pos = piece.find(BATCH_MAGIC_BYTES, 0, n)
        while 0 <= pos <= n - BATCH_HEADER_BYTES:
            if is_batch_header(piece, pos, id_crc) and batch_index(piece, pos) >= index:
                head = piece[pos : pos + BATCH_HEADER_BYTES]
                end = _sound_until(file, begin + pos, head)
                if end:
                    return begin + pos, head, end
            pos = piece.find(BATCH_MAGIC_BYTES, pos + 1, n)
        if n < BATCH_HEADER_BYTES:
            return None
        begin += n - BATCH_HEADER_BYTES + 1
    return None


def _sound_until(file: ReadFile, begin: int, head: bytearray) -> int:
    """The byte behind the batch at `begin`, whose header is `head`; 0 if its records are broken."""
    size = batch_size(head, 0)
    if size > file.size - begin - BATCH_HEADER_BYTES:
        return 0
    records = bytearray(size)
    file.seek(begin + BATCH_HEADER_BYTES)
    if file.read_into(records, 0, size) < size:
        return 0
    reached, count, _ = check_records(records, 0, size, batch_chain(head, 0))
    if reached != size or count == 0 or count != batch_records(head, 0):
        return 0
    return begin + BATCH_HEADER_BYTES + size


def _lost_sector(file: ReadFile, begin: int, end: int) -> bool:
    """Tell whether a sector in [begin, end) of the file is zero: to its end, from `begin` on."""
    first = -begin % SECTOR_BYTES  # bytes to the next sector
    if first and first <= end - begin:
        buf = bytearray(first)
        file.seek(begin)
        if file.read_into(buf, 0, first) == first and buf == ZEROS[:first]:
            return True
    begin += first
    piece = bytearray(PIECE_BYTES)
    while end - begin >= SECTOR_BYTES:
        file.seek(begin)
        n = file.read_into(piece, 0, min(PIECE_BYTES, end - begin))
        n -= n % SECTOR_BYTES
        if n == 0:
            return False
        if any(piece[pos : pos + SECTOR_BYTES] == ZEROS for pos in range(0, n, SECTOR_BYTES)):
            return True
        begin += n
    return False
