"""`headwater check --repair`: the longest sound history stays, a start accepts it, nothing is lost
that was not broken."""

from __future__ import annotations

import contextlib

import pytest

from headwater.journal.format import (
    SEGMENT_HEADER_BYTES,
    FormatError,
    JournalError,
    base_name,
    segment_name,
)
from headwater.journal.manifest import SegmentEntry
from headwater.persistence.check import SOUND, check_directory
from headwater.persistence.datadir import DataDirectory
from headwater.persistence.repair import Repaired, RepairError, repair
from support.disk import SimulatedDisk
from support.history import (
    DATA,
    DUMP,
    JOURNAL,
    ORDERS,
    Journaled,
    Started,
    StoppedError,
    StoppingDisk,
)

MANIFEST = f"{JOURNAL}/journal.manifest"
FIRST, SECOND, THIRD = (f"{JOURNAL}/{segment_name(n)}" for n in (2, 3, 4))
BASE = f"{JOURNAL}/{base_name(2)}"
NOW_S = 1_700_000_000
BACKUP = f"{DATA}/appendonlydir-backup-20231114T221320Z"
MORE = tuple(("XADD", "more", f"{n}-1", "f", "v" * n) for n in range(1, 10))
PER_SEGMENT = 3


@pytest.fixture
def disk() -> SimulatedDisk:
    return SimulatedDisk(DATA)


@pytest.fixture
def journal(disk: SimulatedDisk) -> Journaled:
    return a_journal(disk)


def a_journal(disk: SimulatedDisk) -> Journaled:
    """A base, and three segments with three batches each."""
    journal = Journaled(disk)
    journal.do(*ORDERS)
    journal.rewrite()
    for begin in range(0, len(MORE), PER_SEGMENT):
        if begin:
            journal.rotate()
        journal.do(*MORE[begin : begin + PER_SEGMENT])
    return journal


def kept(disk: SimulatedDisk, journal: Journaled) -> int:
    """How many records behind the base a start has now; the state is exactly the one there."""
    started = Started(disk)
    assert started.result.warnings == []
    state = journal.digests.index(started.digest())
    assert started.result.records == max(0, state - len(ORDERS))
    return state - len(ORDERS)


def mended(disk: SimulatedDisk) -> Repaired:
    """Repair; everything is sound then, and nothing that was there is gone."""
    before = {path: disk.data(path) for path in disk.paths()}
    result = repair(disk, directory(disk), NOW_S)
    assert check_directory(disk, directory(disk)).verdict == SOUND
    after = {path: disk.data(path) for path in disk.paths()}
    for path, data in before.items():
        name = path.rpartition("/")[2]
        assert data in (after.get(path), after.get(f"{BACKUP}/{name}")), path
    assert {path: disk.durable(path) for path in disk.paths()} == after
    return result


def places(entry: SegmentEntry) -> tuple[int, int, int, int]:
    """Where a segment begins; its epoch is not in its header."""
    return entry.number, entry.place.index, entry.place.position, entry.place.chain


def directory(disk: SimulatedDisk) -> DataDirectory:
    return DataDirectory(disk, DATA, "appendonlydir", "dump.rdb")


def flip(disk: SimulatedDisk, path: str, at: int) -> None:
    data = bytearray(disk.data(path))
    data[at] ^= 1
    disk.put(path, bytes(data))


def test_nothing_to_repair(disk: SimulatedDisk, journal: Journaled) -> None:
    before = {path: disk.data(path) for path in disk.paths()}
    result = mended(disk)
    assert (result.backup, result.done, result.dropped, result.notes) == ("", [], [], [])
    assert {path: disk.data(path) for path in disk.paths()} == before


def test_a_torn_tail(disk: SimulatedDisk, journal: Journaled) -> None:
    disk.put(THIRD, disk.data(THIRD)[:-7])
    result = mended(disk)
    assert result.backup == BACKUP
    assert result.copied == ["journal.manifest", segment_name(4)]
    [dropped] = result.dropped
    assert (dropped.path, dropped.records, dropped.reached) == (THIRD, 0, None)
    assert dropped.offset == len(disk.data(THIRD))
    assert kept(disk, journal) == len(MORE) - 1


def test_damage_in_the_middle(disk: SimulatedDisk, journal: Journaled) -> None:
    flip(disk, FIRST, len(disk.data(FIRST)) // 2)
    result = mended(disk)
    assert kept(disk, journal) == 1
    assert result.kept_records == 1
    assert sorted(disk.list(JOURNAL)) == [base_name(2), "journal.manifest", segment_name(2)]
    first, second, third = result.dropped
    positions = [entry.place.position for entry in journal.manifest.segments[1:]]
    # The second record of the first segment is broken, the third is sound.
    assert (first.path, first.records, first.reached) == (FIRST, 1, positions[0])
    assert first.entries == {(0, b"more"): [1, "3-1", "3-1"]}
    assert (second.path, second.offset, second.records) == (SECOND, 0, 3)
    assert (second.position, second.reached) == (positions[0], positions[1])
    assert second.entries == {(0, b"more"): [3, "4-1", "6-1"]}
    assert (third.path, third.records) == (THIRD, 3)
    assert third.why == "it follows what is broken"


def test_a_damaged_header(disk: SimulatedDisk, journal: Journaled) -> None:
    flip(disk, SECOND, 20)
    result = mended(disk)
    assert kept(disk, journal) == PER_SEGMENT
    assert [dropped.path for dropped in result.dropped] == [SECOND, THIRD]
    assert "checksum" in result.dropped[0].why


def test_the_first_segment_has_a_damaged_header(disk: SimulatedDisk, journal: Journaled) -> None:
    flip(disk, FIRST, 20)
    result = mended(disk)
    assert kept(disk, journal) == 0
    assert len(disk.data(FIRST)) == SEGMENT_HEADER_BYTES
    assert [dropped.path for dropped in result.dropped] == [FIRST, SECOND, THIRD]


@pytest.mark.parametrize(("path", "left"), [(FIRST, 0), (SECOND, 3), (THIRD, 6)])
def test_a_missing_segment(disk: SimulatedDisk, journal: Journaled, path: str, left: int) -> None:
    disk.remove(path)
    result = mended(disk)
    assert kept(disk, journal) == left
    assert f"{path} is missing" in result.notes


def test_an_end_that_is_gone(disk: SimulatedDisk, journal: Journaled) -> None:
    manifest = journal.manifest.copy()
    manifest.reached = journal.writer.position + 5000
    manifest.save(disk, JOURNAL)
    result = mended(disk)
    assert kept(disk, journal) == len(MORE)
    [dropped] = result.dropped
    assert (dropped.size, dropped.reached) == (0, manifest.reached)


def test_a_damaged_base(disk: SimulatedDisk, journal: Journaled) -> None:
    flip(disk, BASE, 40)
    before = {path: disk.data(path) for path in disk.paths()}
    with pytest.raises(RepairError, match="no older one") as caught:
        repair(disk, directory(disk), NOW_S)
    assert caught.value.path == BASE
    assert {path: disk.data(path) for path in disk.paths()} == before


@pytest.mark.parametrize("lose", [False, True], ids=["damaged", "missing"])
def test_a_base_before_it_is_still_there(disk: SimulatedDisk, lose: bool) -> None:
    journal = a_journal(disk)
    old = {path: disk.data(path) for path in disk.paths() if "manifest" not in path}
    journal.rewrite()
    journal.do(("XADD", "more", "77-1", "f", "v"))
    newest = f"{JOURNAL}/{base_name(5)}"
    disk.sync_directory(JOURNAL)
    for path, data in old.items():
        disk.put(path, data)
    if lose:
        disk.remove(newest)
    else:
        flip(disk, newest, 50)
    mended(disk)
    assert kept(disk, journal) == len(MORE) + 1


def test_a_base_with_types_that_are_not_here_is_no_damage(disk: SimulatedDisk) -> None:
    journal = Journaled(disk)
    journal.rewrite()
    journal.do(*MORE)
    path = f"{JOURNAL}/{journal.manifest.base}"
    disk.put(path, b"REDIS0009\x02\x01s\x01\x01a\xff" + bytes(8))
    before = {name: disk.data(name) for name in disk.paths()}
    assert repair(disk, directory(disk), NOW_S).backup == ""
    assert {name: disk.data(name) for name in disk.paths()} == before
    segment = f"{JOURNAL}/{journal.manifest.last.name}"
    disk.put(segment, disk.data(segment)[:-1])
    assert repair(disk, directory(disk), NOW_S).kept_records == len(MORE) - 1
    assert Started(disk, skip_unknown=True).digest() == journal.digests[len(MORE) - 1]


def test_a_journal_that_began_empty(disk: SimulatedDisk) -> None:
    journal = Journaled(disk)
    journal.do(*ORDERS)
    first = f"{JOURNAL}/{segment_name(1)}"
    data = disk.data(first)
    journal.rewrite()
    journal.do(*MORE)
    disk.sync_directory(JOURNAL)
    disk.put(first, data)
    flip(disk, BASE, 40)
    assert "begun empty" in mended(disk).notes[0]
    started = Started(disk)
    assert started.digest() == journal.digests[-1]
    assert started.result.records == len(ORDERS) + len(MORE)


@pytest.mark.parametrize("lose", [False, True], ids=["damaged", "missing"])
def test_a_manifest_made_anew(disk: SimulatedDisk, journal: Journaled, lose: bool) -> None:
    expected = journal.manifest.copy()
    if lose:
        disk.remove(MANIFEST)
    else:
        flip(disk, MANIFEST, 60)
    result = mended(disk)
    assert kept(disk, journal) == len(MORE)
    assert result.dropped == []
    assert "a new one is made" in result.notes[0]
    started = Started(disk)
    assert started.result.manifest is not None
    assert [places(entry) for entry in started.result.manifest.segments] == [
        places(entry) for entry in expected.segments
    ]
    assert started.result.manifest.journal_id == expected.journal_id


def test_a_manifest_made_anew_in_front_of_damage(disk: SimulatedDisk, journal: Journaled) -> None:
    disk.remove(MANIFEST)
    flip(disk, SECOND, SEGMENT_HEADER_BYTES + 50)
    mended(disk)
    assert kept(disk, journal) == PER_SEGMENT


def test_no_manifest_can_be_made(disk: SimulatedDisk, journal: Journaled) -> None:
    disk.remove(MANIFEST)
    disk.remove(BASE)
    with pytest.raises(RepairError, match="cannot be made anew"):
        repair(disk, directory(disk), NOW_S)


def test_an_older_manifest(disk: SimulatedDisk, journal: Journaled) -> None:
    older = disk.data(MANIFEST)
    journal.rotate()
    journal.do(("XADD", "more", "99-1", "f", "v"))
    disk.put(MANIFEST, older)
    result = mended(disk)
    assert kept(disk, journal) == len(MORE)
    [dropped] = result.dropped
    assert dropped.entries == {(0, b"more"): [1, "99-1", "99-1"]}


def test_newer_versions_are_left_alone(disk: SimulatedDisk, journal: Journaled) -> None:
    disk.put(MANIFEST, disk.data(MANIFEST).replace(b"manifest 1\n", b"manifest 9\n"))
    with pytest.raises(FormatError, match="version 9"):
        repair(disk, directory(disk), NOW_S)


def test_a_damaged_snapshot(disk: SimulatedDisk, journal: Journaled) -> None:
    journal.save(DUMP)
    flip(disk, DUMP, 50)
    result = repair(disk, directory(disk), NOW_S)
    assert result.backup == ""
    [note] = result.notes
    assert DUMP in note
    assert "cannot be cut or repaired" in note
    alone = SimulatedDisk(DATA)
    alone.put(DUMP, disk.data(DUMP))
    [note] = repair(alone, directory(alone), NOW_S).notes
    assert "bring it back from a backup" in note


def test_backups_do_not_meet(disk: SimulatedDisk, journal: Journaled) -> None:
    backups = []
    for _ in range(3):
        disk.put(THIRD, disk.data(THIRD)[:-7])
        backups.append(repair(disk, directory(disk), NOW_S).backup)
    assert backups == [BACKUP, f"{BACKUP}-2", f"{BACKUP}-3"]
    assert kept(disk, journal) == len(MORE) - 3


def test_every_byte_of_every_segment(disk: SimulatedDisk, journal: Journaled) -> None:
    files = {path: disk.data(path) for path in disk.paths()}
    for number, path in enumerate((FIRST, SECOND, THIRD)):
        for at in range(0, len(files[path]), 3):
            damaged = SimulatedDisk(DATA)
            damaged.make_directory(JOURNAL)
            for name, data in files.items():
                damaged.put(name, data)
            flip(damaged, path, at)
            repair(damaged, directory(damaged), NOW_S)
            left = kept(damaged, journal)
            assert number * PER_SEGMENT <= left < (number + 1) * PER_SEGMENT


@pytest.mark.parametrize("power", [False, True], ids=["killed", "power"])
def test_an_interrupted_repair_can_be_repeated(power: bool) -> None:
    plain = SimulatedDisk(DATA)
    journal = a_journal(plain)
    flip(plain, SECOND, SEGMENT_HEADER_BYTES + 70)
    files = {path: plain.data(path) for path in plain.paths()}
    stop_at = 0
    while True:
        disk = StoppingDisk(1 << 60)
        disk.make_directory(JOURNAL)
        for name, data in files.items():
            disk.put(name, data)
        disk.left = stop_at
        finished = False
        with contextlib.suppress(StoppedError):
            repair(disk, directory(disk), NOW_S)
            finished = True
        disk.go_on()
        if power:
            disk.crash()
        else:
            disk.kill()
        with contextlib.suppress(JournalError):
            assert Started(disk).result.records == PER_SEGMENT
        repair(disk, directory(disk), NOW_S)
        assert kept(disk, journal) == PER_SEGMENT
        backups = [path for path in disk.paths() if path.startswith(BACKUP)]
        for path in (SECOND, THIRD):
            name = path.rpartition("/")[2]
            assert files[path] in [disk.data(backup) for backup in backups if backup.endswith(name)]
        if finished:
            break
        stop_at += 1
    assert stop_at > 15
