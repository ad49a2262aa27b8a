"""`headwater check`: every file is judged, nothing is changed."""

from __future__ import annotations

import pytest

from headwater.journal.disk import ReadFile
from headwater.journal.format import (
    SEGMENT_HEADER_BYTES,
    Place,
    base_name,
    segment_header,
    segment_name,
)
from headwater.persistence.check import (
    DAMAGED,
    SOUND,
    WARNING,
    FileReport,
    Report,
    check_directory,
    check_file,
)
from headwater.persistence.datadir import DataDirectory
from support.disk import SimulatedDisk
from support.history import DATA, DUMP, JOURNAL, ORDERS, Journaled, Started
from support.segments import append

MANIFEST = f"{JOURNAL}/journal.manifest"
FIRST, SECOND, THIRD = (f"{JOURNAL}/{segment_name(n)}" for n in (2, 3, 4))
BASE = f"{JOURNAL}/{base_name(2)}"
MORE = tuple(("XADD", "more", f"{n}-1", "f", "v" * n) for n in range(1, 10))


@pytest.fixture
def disk() -> SimulatedDisk:
    return SimulatedDisk(DATA)


@pytest.fixture
def journal(disk: SimulatedDisk) -> Journaled:
    """A base, three segments with three batches each, and a snapshot."""
    journal = Journaled(disk)
    journal.do(*ORDERS)
    journal.rewrite()
    for begin in (0, 3, 6):
        journal.do(*MORE[begin : begin + 3])
        if begin < 6:
            journal.rotate()
    journal.save(DUMP)
    return journal


def check(disk: SimulatedDisk, deep: bool = False, live: int | None = None) -> Report:
    """A report, made without changing anything."""
    before = {path: disk.data(path) for path in disk.paths()}
    report = check_directory(disk, whole(disk), deep, live)
    assert {path: disk.data(path) for path in disk.paths()} == before
    assert report.verdict == max((file.verdict() for file in report.files), default=SOUND)
    return report


def whole(disk: SimulatedDisk) -> DataDirectory:
    return DataDirectory(disk, DATA, "appendonlydir", "dump.rdb")


def of(report: Report, path: str) -> FileReport:
    [file] = [file for file in report.files if file.path == path]
    return file


def statuses(report: Report) -> dict[str, str]:
    return {file.path: file.status for file in report.files}


def flip(disk: SimulatedDisk, path: str, at: int) -> None:
    data = bytearray(disk.data(path))
    data[at] ^= 1
    disk.put(path, bytes(data))


def test_all_is_well(disk: SimulatedDisk, journal: Journaled) -> None:
    report = check(disk)
    assert report.verdict == SOUND
    assert statuses(report) == dict.fromkeys((MANIFEST, BASE, FIRST, SECOND, THIRD, DUMP), "ok")
    assert [file.kind for file in report.files] == [
        "manifest",
        "base",
        *("segment",) * 3,
        "snapshot",
    ]
    assert of(report, MANIFEST).facts["segments"] == 3
    facts = of(report, SECOND).facts
    begin, end = (entry.place.position for entry in journal.manifest.segments[1:])
    assert facts == {"batches": 3, "records": 3, "positions": f"{begin}..{end}", "epoch": "1"}
    facts = of(report, DUMP).facts
    assert (facts["keys"], facts["streams"], facts["entries"]) == (4, 3, 12)
    assert facts["created"] == "2023-11-14 22:13:20 UTC"
    assert of(report, BASE).facts["position"] == journal.manifest.segments[0].place.position
    assert all(file.size == len(disk.data(file.path)) for file in report.files)


def test_deep_tells_what_a_start_would_hold(disk: SimulatedDisk, journal: Journaled) -> None:
    assert check(disk, deep=True).contents == {
        "databases": 1,
        "keys": 4,
        "expiring": 1,
        "strings": 1,
        "streams": 3,
        "entries": 12,
        "groups": 1,
        "consumers": 1,
        "pending": 1,
        "nacked": 0,
        "idempotent_ids": 0,
    }
    assert check(disk).contents == {}


def test_a_snapshot_alone(disk: SimulatedDisk, journal: Journaled) -> None:
    other = SimulatedDisk(DATA)
    other.put(DUMP, disk.data(DUMP))
    report = check(other, deep=True)
    assert statuses(report) == {DUMP: "ok"}
    assert report.contents["entries"] == 12


def test_nothing_there(disk: SimulatedDisk) -> None:
    report = check(disk)
    assert (report.verdict, report.files) == (SOUND, [])
    assert "begins empty" in report.notes[0]


def test_a_torn_tail(disk: SimulatedDisk, journal: Journaled) -> None:
    disk.put(THIRD, disk.data(THIRD)[:-7])
    report = check(disk)
    assert report.verdict == WARNING
    file = of(report, THIRD)
    assert (file.status, file.facts["records"]) == ("torn", 2)
    started = Started(disk)
    assert started.result.cut is not None
    assert file.offset == started.result.cut.offset
    assert str(started.result.cut.dropped) in file.text


def test_what_a_server_is_writing_is_not_torn(disk: SimulatedDisk, journal: Journaled) -> None:
    disk.put(THIRD, disk.data(THIRD)[:-7])
    report = check(disk, live=77)
    assert (report.verdict, report.live) == (SOUND, 77)
    assert of(report, THIRD).status == "growing"


def test_every_file_is_looked_at_behind_damage(disk: SimulatedDisk, journal: Journaled) -> None:
    flip(disk, FIRST, SEGMENT_HEADER_BYTES + 60)
    disk.put(THIRD, disk.data(THIRD)[:-7])
    flip(disk, DUMP, 40)
    report = check(disk, deep=True)
    assert report.verdict == DAMAGED
    assert statuses(report) == {
        MANIFEST: "ok",
        BASE: "ok",
        FIRST: "damaged",
        SECOND: "ok",
        THIRD: "torn",
        DUMP: "damaged",
    }
    assert of(report, FIRST).offset == SEGMENT_HEADER_BYTES
    assert of(report, SECOND).facts["records"] == 3
    assert report.contents == {}


@pytest.mark.parametrize("path", [BASE, FIRST, SECOND, THIRD])
def test_a_file_that_is_missing(disk: SimulatedDisk, journal: Journaled, path: str) -> None:
    disk.remove(path)
    report = check(disk)
    assert report.verdict == DAMAGED
    expected = dict.fromkeys((MANIFEST, BASE, FIRST, SECOND, THIRD, DUMP), "ok")
    assert statuses(report) == expected | {path: "missing"}


def test_a_damaged_base(disk: SimulatedDisk, journal: Journaled) -> None:
    flip(disk, BASE, 40)
    report = check(disk)
    assert of(report, BASE).status == "damaged"
    assert of(report, FIRST).status == "ok"


def test_a_damaged_manifest(disk: SimulatedDisk, journal: Journaled) -> None:
    flip(disk, MANIFEST, 40)
    report = check(disk)
    assert report.verdict == DAMAGED
    assert of(report, MANIFEST).status == "damaged"
    assert {of(report, path).status for path in (BASE, FIRST, SECOND, THIRD)} == {"ok"}


def test_a_manifest_of_a_newer_version(disk: SimulatedDisk, journal: Journaled) -> None:
    disk.put(MANIFEST, disk.data(MANIFEST).replace(b"manifest 1\n", b"manifest 9\n"))
    report = check(disk)
    assert report.verdict == DAMAGED
    assert "version 9" in of(report, MANIFEST).text


def test_without_a_manifest(disk: SimulatedDisk, journal: Journaled) -> None:
    disk.remove(MANIFEST)
    report = check_directory(disk, whole(disk))
    assert report.verdict == DAMAGED
    assert statuses(report) == dict.fromkeys((BASE, FIRST, SECOND, THIRD, DUMP), "ok")
    assert "is missing" in report.notes[0]


def test_leftovers_and_files_of_others(disk: SimulatedDisk, journal: Journaled) -> None:
    old = f"{JOURNAL}/{segment_name(1)}"
    disk.put(old, b"old")
    foreign = f"{JOURNAL}/{segment_name(5)}"
    disk.put(foreign, bytes(segment_header(bytes(16), 5, Place())) + b"records")
    redis = f"{DATA}/appendonly.aof"
    disk.put(redis, b"*1")
    disk.put(f"{JOURNAL}/notes.txt", b"mine")
    report = check(disk)
    assert report.verdict == SOUND
    assert statuses(report) == {
        **dict.fromkeys((MANIFEST, BASE, FIRST, SECOND, THIRD, DUMP), "ok"),
        **dict.fromkeys((old, foreign, redis), "leftover"),
    }


def test_records_that_the_manifest_does_not_list(disk: SimulatedDisk, journal: Journaled) -> None:
    older = disk.data(MANIFEST)
    journal.rotate()
    journal.do(("XADD", "more", "99-1", "f", "v"))
    disk.put(MANIFEST, older)
    report = check(disk)
    assert of(report, f"{JOURNAL}/{segment_name(5)}").status == "damaged"


def test_files_of_redis_alone(disk: SimulatedDisk) -> None:
    disk.put(f"{DATA}/appendonly.aof", b"*1")
    report = check(disk)
    assert report.verdict == WARNING
    assert "headwater import" in report.files[0].text


def test_types_that_are_not_here(disk: SimulatedDisk) -> None:
    disk.put(DUMP, b"REDIS0009\x02\x01s\x01\x01a\xff" + bytes(8))
    report = check(disk)
    assert (report.verdict, of(report, DUMP).status) == (WARNING, "refused")
    assert "1 set" in of(report, DUMP).text


@pytest.mark.parametrize("flag", ["yes", "no"])
def test_types_that_are_not_here_in_a_base(disk: SimulatedDisk, flag: str) -> None:
    """A journal begun from a file of Redis has a copy of it: nothing of it is damaged."""
    journal = Journaled(disk)
    journal.rewrite()
    journal.do(("SET", "k", "v"))
    disk.put(f"{JOURNAL}/{journal.manifest.base}", b"REDIS0009\x02\x01s\x01\x01a\xff" + bytes(8))
    report = check(disk, deep=flag == "yes")
    assert (report.verdict, report.files[1].status) == (WARNING, "refused")
    assert "--rdb-skip-unknown-types yes" in report.files[1].text
    assert Started(disk, skip_unknown=True).digest() == journal.digest()
    if flag == "yes":
        assert report.contents["keys"] == 1


def test_more_databases_than_a_server_has(disk: SimulatedDisk) -> None:
    for index, text in ((15, ""), (20, "a start needs --databases 21, or more")):
        disk.put(DUMP, b"REDIS0009\xfe%c\x00\x01k\x01v\xff" % index + bytes(8))
        report = check(disk)
        assert (report.verdict, of(report, DUMP).text) == (SOUND, text)


def test_bytes_behind_the_end(disk: SimulatedDisk, journal: Journaled) -> None:
    size = len(disk.data(DUMP))
    disk.put(DUMP, disk.data(DUMP) + b"more")
    file = of(check(disk), DUMP)
    assert (file.status, file.offset) == ("trailing", size)


def test_deep_finds_records_that_do_not_fit(disk: SimulatedDisk, journal: Journaled) -> None:
    append(journal.writer, [b"\x0b\0\0\0\0\x01\0\0\0x\x01\0\0\0g"])
    assert check(disk).verdict == SOUND
    report = check(disk, deep=True)
    assert report.verdict == DAMAGED
    [file] = [file for file in report.files if file.status == "damaged"]
    assert file.offset == len(disk.data(THIRD)) - 23
    assert "record 4" in file.text


class Replacing(SimulatedDisk):
    """A server rewrites its journal while the first segment is being opened."""

    def __init__(self) -> None:
        super().__init__(DATA)
        self.journal: Journaled | None = None

    def open_read(self, path: str) -> ReadFile:
        journal, self.journal = self.journal, None
        if journal is not None and path.endswith(".hwj"):
            journal.rewrite()
        elif journal is not None:
            self.journal = journal
        return super().open_read(path)


def test_a_rewrite_meanwhile() -> None:
    disk = Replacing()
    journal = Journaled(disk)
    journal.do(*ORDERS)
    journal.rewrite()
    disk.journal = journal
    report = check_directory(disk, whole(disk), live=77)
    assert disk.journal is None
    assert report.verdict == SOUND
    assert f"{JOURNAL}/{base_name(3)}" in statuses(report)


def test_single_files(disk: SimulatedDisk, journal: Journaled) -> None:
    for path, kind in ((MANIFEST, "manifest"), (SECOND, "segment"), (DUMP, "snapshot")):
        report = check_file(disk, path)
        assert report.verdict == SOUND
        assert [(file.path, file.kind) for file in report.files] == [(path, kind)]
        flip(disk, path, len(disk.data(path)) - 3)
        assert check_file(disk, path).verdict != SOUND
    assert check_file(disk, BASE, deep=True).contents["entries"] == 3
    disk.put(f"{DATA}/other", b"something")
    assert check_file(disk, f"{DATA}/other").verdict == WARNING


def test_no_bytes_make_it_stumble(disk: SimulatedDisk, journal: Journaled) -> None:
    for path in (MANIFEST, BASE, FIRST, THIRD):
        sound = disk.data(path)
        for at in range(len(sound)):
            damaged = bytearray(sound)
            damaged[at] ^= 0x21
            disk.put(path, bytes(damaged))
            report = check_directory(disk, whole(disk))
            assert report.verdict != SOUND, (path, at)
        disk.put(path, sound)
    assert check(disk).verdict == SOUND
