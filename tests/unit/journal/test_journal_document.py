"""The examples of docs/formats/journal.md are what the code writes."""

from __future__ import annotations

import re
from pathlib import Path

from headwater.journal.format import (
    BATCH_HEADER_BYTES,
    RECORD_HEADER_BYTES,
    SEGMENT_HEADER_BYTES,
    Place,
)
from headwater.journal.manifest import Manifest
from headwater.journal.segment import SegmentWriter
from support.disk import SimulatedDisk
from support.segments import DIRECTORY, append

DOCUMENT = (Path(__file__).parents[3] / "docs" / "formats" / "journal.md").read_text()
JOURNAL_ID = bytes.fromhex("8f14e45fceea167a5a36dedd4bea2543")


def block_behind(mark: str) -> str:
    """The code block behind a comment that begins so."""
    _, _, rest = DOCUMENT.partition(f"<!-- {mark}")
    return rest.partition("```\n")[2].partition("```")[0]


def test_the_example_of_a_segment() -> None:
    disk = SimulatedDisk(DIRECTORY)
    writer = SegmentWriter.create(disk, DIRECTORY, JOURNAL_ID, 1, Place())
    append(writer, [b"first", b"second"], [b"third"])
    written = disk.data(writer.path)
    lines = block_behind("example").splitlines()
    drawn = bytearray()
    for line in lines:
        assert int(line[:4], 16) == len(drawn)
        drawn += bytes.fromhex(line[6:53])
    assert drawn == written
    assert f"chain {int.from_bytes(written[0xB3:0xB7], 'little'):08x}" in lines[11]
    assert f"crc {writer.place.chain:08x}" in lines[12]


def test_the_example_of_a_manifest() -> None:
    text = block_behind("manifest").encode()
    manifest = Manifest.parse(text, "example")
    assert manifest.render() == text
    assert manifest.journal_id == JOURNAL_ID


def test_the_tables_have_the_sizes_of_the_code() -> None:
    for name, size in (
        ("segment header", SEGMENT_HEADER_BYTES),
        ("batch header", BATCH_HEADER_BYTES),
        ("record", RECORD_HEADER_BYTES),
    ):
        table = DOCUMENT.partition(f"| {name} | bytes |")[2].partition("\n\n")[0]
        end = 0
        for offset, length in re.findall(r"^\| (\d+) \| (\d*) ?\|", table, re.M):
            assert int(offset) == end
            end += int(length or 0)
        assert end == size
