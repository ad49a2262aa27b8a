"""Reading Redis's append-only files: manifests, commands, torn ends, damage."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from headwater.journal.disk import Disk
from headwater.journal.format import JournalError
from headwater.persistence import append_only
from headwater.persistence.append_only import CommandReader, read_aof_manifest
from support.wire import encode

GOOD = b"""# a comment
file appendonly.aof.2.base.rdb seq 2 type b
file appendonly.aof.1.incr.aof seq 1 type h
file "two words.incr.aof" seq 3 type i startoffset 17

FILE appendonly.aof.4.incr.aof SEQ 4 TYPE i endoffset 900
"""


def test_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(GOOD)
    found = read_aof_manifest(Disk(), str(tmp_path), "m")
    assert [path.removeprefix(f"{tmp_path}/") for path in found.paths()] == [
        "appendonly.aof.2.base.rdb",
        "two words.incr.aof",
        "appendonly.aof.4.incr.aof",
    ]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (b"", "no file is listed"),
        (b"file a seq 1 type h\n", "no file is listed"),
        (b"file a seq 1 type b\nfile b seq 2 type b\n", "line 2: a second base"),
        (b"file a seq 2 type i\nfile b seq 2 type i\n", "line 2: b stands behind a later file"),
        (b"file a seq 1\n", "line 1: not a line"),
        (b"file a seq 1 type\n", "line 1: not a line"),
        (b"file a seq x type b\n", "line 1: not a line"),
        (b"file a seq 1 type z\n", "line 1: not a line"),
        (b"file ../a seq 1 type b\n", "line 1: not a line"),
        (b'file "a seq 1 type b\n', "line 1: not a line"),
        (b"\xff\xfe\n", "line 1: not a line"),
    ],
)
def test_a_wrong_manifest_is_told_with_its_line(tmp_path: Path, text: bytes, wrong: str) -> None:
    (tmp_path / "m").write_bytes(text)
    with pytest.raises(JournalError, match=wrong) as caught:
        read_aof_manifest(Disk(), str(tmp_path), "m")
    assert caught.value.path == f"{tmp_path}/m"


COMMANDS = [
    [b"SELECT", b"0"],
    [b"XADD", b"s", b"1-1", b"f", b""],
    [b"SET", b"k", b"x" * 5000],
    [b"MULTI"],
    [b"SET", b"#TS:1\r\n", b"*1\r\n$4\r\nEXEC\r\n"],
    [b"EXEC"],
]


def written() -> tuple[bytes, list[int]]:
    """A file of COMMANDS with annotations, and where each ends."""
    data, ends = b"#TS:1628217470\r\n", []
    for number, words in enumerate(COMMANDS):
        data += encode(words)
        ends.append(len(data))
        if number % 2:
            data += b"#TS:1628217471\r\n#another\n"
    return data, ends


def read(path: Path, offset: int = 0) -> tuple[list[list[bytes]], CommandReader]:
    file = Disk().open_read(str(path))
    try:
        reader = CommandReader(file, str(path), offset)
        found = []
        while (request := reader.next()) is not None:
            assert reader.offset >= offset
            offset = reader.end
            found.append([request.arg(i) for i in range(request.argc)])
        return found, reader
    finally:
        file.close()


@pytest.mark.parametrize("piece", [1, 2, 7, 64, 5000, 1 << 20])
def test_commands_are_found_however_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(append_only, "PIECE_BYTES", piece)
    path = tmp_path / "a.aof"
    data, _ = written()
    path.write_bytes(data)
    found, reader = read(path)
    assert found == COMMANDS
    assert reader.end == reader.size


def test_commands_behind_something_else(tmp_path: Path) -> None:
    path = tmp_path / "a.aof"
    data, _ = written()
    path.write_bytes(b"REDIS0011 and so on" + data)
    assert read(path, 19)[0] == COMMANDS


def test_a_file_cut_anywhere_gives_the_commands_before(tmp_path: Path) -> None:
    path = tmp_path / "a.aof"
    data, ends = written()
    inside = range(ends[1] + 60, ends[2] - 60)  # of the long value
    for size in range(len(data)):
        if size in inside:
            continue
        path.write_bytes(data[:size])
        found, reader = read(path)
        complete = sum(end <= size for end in ends)
        assert found == COMMANDS[:complete]
        assert reader.end <= size
        assert (reader.end == size) == (data[:size][-1:] in b"\n" and is_boundary(data, size))


def is_boundary(data: bytes, size: int) -> bool:
    """Whether a command or an annotation begins at this byte, or the file does."""
    if size == 0:
        return True
    _, ends = written()
    place = 0
    while place < size:
        if data[place : place + 1] == b"#":
            place = data.index(b"\n", place) + 1
        else:
            place = min(end for end in ends if end > place)
    return place == size


def test_a_changed_byte_is_damage_or_another_command_but_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "a.aof"
    data, _ = written()
    random = Random(4)
    refused: list[JournalError] = []
    for place in range(len(data)):
        if 300 < place < len(data) - 300:
            continue
        changed = bytearray(data)
        changed[place] ^= 1 << random.randrange(8)
        path.write_bytes(changed)
        try:
            read(path)
        except JournalError as error:
            refused.append(error)
    assert len(refused) > 100
    for error in refused:
        assert error.path == str(path)
        assert error.offset is not None
        assert 0 <= error.offset < len(data)


@pytest.mark.parametrize(
    "data", [b"SET k v\r\n", b"\0" * 100, b"*1\n$4\nPING\n", b"*x\r\n", b"#" * 2000, b"*1\r\nPING"]
)
def test_what_is_no_command_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.aof"
    path.write_bytes(encode(["SET", "k", "v"]) + data + encode(["SET", "k", "w"]))
    with pytest.raises(JournalError, match="here should stand a command") as caught:
        read(path)
    assert caught.value.offset == len(encode(["SET", "k", "v"]))


def test_an_announced_length_is_not_believed(tmp_path: Path) -> None:
    """It takes no memory for what is not there."""
    path = tmp_path / "a.aof"
    path.write_bytes(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$90000000000\r\nabc")
    found, reader = read(path)
    assert found == []
    assert reader.end == 0
