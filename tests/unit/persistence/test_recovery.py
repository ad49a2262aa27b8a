"""What a start loads, and what it refuses: every case ends with a known state or a clear error."""

from __future__ import annotations

import contextlib
import errno
import logging
import random
from collections.abc import Callable

import pytest

from headwater.clock import ManualClock
from headwater.commands.digest import keyspace_digest
from headwater.journal.format import (
    BATCH_HEADER_BYTES,
    SEGMENT_HEADER_BYTES,
    FormatError,
    JournalError,
    Place,
    base_name,
    segment_header,
    segment_name,
)
from headwater.journal.manifest import Manifest
from headwater.keyspace.database import Keyspace
from headwater.persistence import recovery as recovery_module
from headwater.persistence.datadir import StartError
from headwater.persistence.recovery import Recovery
from support.disk import SimulatedDisk
from support.embedded import NOW_MS
from support.history import (
    DATA,
    DUMP,
    ID,
    JOURNAL,
    ORDERS,
    Journaled,
    Started,
    StoppedError,
    StoppingDisk,
    new_config,
)
from support.segments import append

SEGMENT = f"{JOURNAL}/{segment_name(1)}"
MANIFEST = f"{JOURNAL}/journal.manifest"
SET_FILE = b"REDIS0009" + b"\x02\x01s\x01\x01a" + b"\xff" + bytes(8)
"""An RDB file with one set, a type that Headwater does not have."""


@pytest.fixture
def disk() -> SimulatedDisk:
    return SimulatedDisk(DATA)


@pytest.fixture
def journal(disk: SimulatedDisk) -> Journaled:
    journal = Journaled(disk)
    journal.do(*ORDERS)
    return journal


def refused(disk: SimulatedDisk, **directives: str) -> JournalError:
    """The error of a start, which has changed nothing."""
    before = {path: disk.data(path) for path in disk.paths()}
    with pytest.raises(JournalError) as caught:
        Started(disk, **directives)
    assert {path: disk.data(path) for path in disk.paths()} == before
    assert "\n" not in str(caught.value)
    return caught.value


# --- what is loaded ---


def test_nothing_there(disk: SimulatedDisk) -> None:
    started = Started(disk)
    assert started.result.begin_journal
    assert started.result.manifest is None
    assert started.result.snapshot is None
    assert (started.result.keys, started.result.warnings) == (0, [])
    assert not Started(disk, appendonly="no").result.begin_journal


def test_a_journal(disk: SimulatedDisk, journal: Journaled) -> None:
    started = Started(disk)
    result = started.result
    assert started.digest() == journal.digests[-1]
    assert (result.records, result.batches) == (len(ORDERS), len(ORDERS))
    assert (result.keys, result.entries) == (3, 3)
    assert result.place == journal.writer.place
    assert result.size == journal.writer.size
    assert result.manifest == journal.manifest
    assert not result.begin_journal
    assert started.keyspace.dirty == 0
    assert result.read_bytes == started.recovery.total_bytes == started.recovery.loaded_bytes


def test_a_base_and_several_segments(disk: SimulatedDisk, journal: Journaled) -> None:
    journal.rewrite()
    journal.do(("XADD", "orders", "7-7", "item", "fig"))
    journal.rotate()
    journal.do(("XACK", "orders", "workers", "2-1"))
    started = Started(disk)
    assert started.digest() == journal.digests[-1]
    assert started.result.records == 2
    assert started.result.place == journal.writer.place
    assert started.result.size == journal.writer.size
    assert started.result.read_bytes == started.recovery.total_bytes


def test_a_snapshot_that_a_journal_will_continue(disk: SimulatedDisk, journal: Journaled) -> None:
    other = SimulatedDisk(DATA)
    journal.save(DUMP)
    other.put(DUMP, disk.data(DUMP))
    started = Started(other)
    assert started.digest() == journal.digests[-1]
    assert started.result.begin_journal
    assert started.result.snapshot == DUMP
    assert started.result.manifest is None


def test_the_journal_and_not_the_snapshot(disk: SimulatedDisk, journal: Journaled) -> None:
    disk.put(DUMP, b"whatever")
    assert Started(disk).digest() == journal.digests[-1]


def test_appendonly_no_loads_the_snapshot_and_warns(
    disk: SimulatedDisk, journal: Journaled
) -> None:
    journal.save(DUMP)
    saved = journal.digest()
    journal.do(("XADD", "orders", "8-8", "item", "fig"))
    started = Started(disk, appendonly="no")
    assert started.digest() == saved
    assert not started.result.begin_journal
    [warning] = started.result.warnings
    assert MANIFEST in warning
    assert DUMP in warning


def test_appendonly_no_with_a_journal_alone(disk: SimulatedDisk, journal: Journaled) -> None:
    started = Started(disk, appendonly="no")
    assert started.result.keys == 0
    assert "an empty keyspace" in started.result.warnings[0]


@pytest.mark.parametrize("appendonly", ["yes", "no"])
def test_keys_of_a_snapshot_that_have_expired(appendonly: str) -> None:
    disk = SimulatedDisk(DATA)
    journal = Journaled(disk)
    journal.do(*ORDERS)
    journal.save(DUMP)
    disk.remove(MANIFEST)
    disk.remove(SEGMENT)
    keyspace = Keyspace(ManualClock(NOW_MS + 1_000_000), 16)
    recovery = Recovery(disk, new_config(appendonly=appendonly), keyspace)
    result = recovery.run()
    # A journal that continues the file will meet them again.
    kept = appendonly == "yes"
    assert (b"greeting" in keyspace.databases[0].values) == kept
    assert result.expired == (0 if kept else 1)
    assert result.keys == (3 if kept else 2)


def test_a_snapshot_of_other_types(disk: SimulatedDisk) -> None:
    disk.put(DUMP, SET_FILE)
    text = str(refused(disk))
    assert DUMP in text
    assert "1 set" in text
    assert "--rdb-skip-unknown-types yes" in text
    started = Started(disk, skip_unknown=True)
    assert started.result.skipped_types == {"set": 1}
    assert "1 set" in started.result.warnings[0]


def test_a_snapshot_with_more_databases(disk: SimulatedDisk, journal: Journaled) -> None:
    journal.world.main.ok("SELECT", "15")
    journal.do(("SET", "k", "v"))
    journal.save(DUMP)
    recovery = Recovery(disk, new_config(appendonly="no"), Keyspace(ManualClock(NOW_MS), 4))
    with pytest.raises(StartError, match=r"database 15 and this server has 4 .*--databases 16"):
        recovery.run()


def test_facts_while_it_goes_on(
    disk: SimulatedDisk, journal: Journaled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery_module, "PAUSE_BYTES", 1)
    now = [0]
    keyspace = Keyspace(ManualClock(NOW_MS), 16)
    recovery = Recovery(disk, new_config(), keyspace, now_us=lambda: now[0])
    seen = []
    while True:
        now[0] += 1000
        done = recovery.step(0)
        seen.append(dict(recovery.info()))
        if done:
            break
    assert len(seen) > len(ORDERS)
    loaded = [int(facts["loading_loaded_bytes"]) for facts in seen]
    assert loaded == sorted(loaded)
    assert loaded[len(loaded) - 1] == len(disk.data(SEGMENT))
    assert {facts["loading_total_bytes"] for facts in seen[1:]} == {len(disk.data(SEGMENT))}
    assert seen[len(seen) - 1]["loading_loaded_perc"] == "100.00"
    assert recovery.step(0)


def test_the_log_tells_progress_and_result(
    disk: SimulatedDisk,
    journal: Journaled,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recovery_module, "PAUSE_BYTES", 1)
    now = [0]

    def clock() -> int:
        now[0] += 500_000
        return now[0]

    recovery = Recovery(disk, new_config(), Keyspace(ManualClock(NOW_MS), 16), now_us=clock)
    with caplog.at_level(logging.INFO, "headwater"):
        recovery.run()
    lines = [record.getMessage() for record in caplog.records]
    progress = [line for line in lines if line.startswith("loading: ")]
    assert 2 <= len(progress) < len(ORDERS)
    assert "3 keys with 3 entries" in lines[len(lines) - 1]
    assert f"{len(ORDERS)} records" in lines[len(lines) - 1]


# --- torn and damaged ---


def test_truncated_at_every_byte(disk: SimulatedDisk, journal: Journaled) -> None:
    whole = disk.data(SEGMENT)
    ends = batch_ends(disk, journal)
    disk.put(MANIFEST, not_reached(journal.manifest))
    for size in range(SEGMENT_HEADER_BYTES, len(whole)):
        disk.put(SEGMENT, whole[:size])
        sound = max(n for n, end in enumerate(ends) if end <= size)
        if size == ends[sound]:
            assert Started(disk).digest() == journal.digests[sound]
            continue
        error = refused(disk, aof_load_truncated="no")
        assert (error.path, error.offset) == (SEGMENT, ends[sound])
        assert "aof-load-truncated is no" in str(error)
        started = Started(disk)
        assert started.digest() == journal.digests[sound]
        cut = started.result.cut
        assert cut is not None
        assert (cut.path, cut.offset, cut.dropped) == (SEGMENT, ends[sound], size - ends[sound])
        [warning] = started.result.warnings
        for part in (SEGMENT, f"byte {ends[sound]}", f"{size - ends[sound]} bytes"):
            assert part in warning
        assert disk.durable(SEGMENT) == whole[: ends[sound]]
        assert started.result.size == ends[sound]


def test_every_byte_flipped(disk: SimulatedDisk, journal: Journaled) -> None:
    whole = disk.data(SEGMENT)
    ends = batch_ends(disk, journal)
    last = ends[len(ends) - 2]
    disk.put(MANIFEST, not_reached(journal.manifest))
    for at in range(len(whole)):
        for bit in (0x01, 0x80):
            damaged = bytearray(whole)
            damaged[at] ^= bit
            disk.put(SEGMENT, bytes(damaged))
            if at < last:
                assert refused(disk).path == SEGMENT
                continue
            # Nothing sound follows: the last batch may have been torn.
            started = Started(disk)
            assert started.digest() == journal.digests[-2]
            assert started.result.cut is not None


def test_every_byte_of_the_manifest_flipped(disk: SimulatedDisk, journal: Journaled) -> None:
    whole = disk.data(MANIFEST)
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 0x11
        disk.put(MANIFEST, bytes(damaged))
        assert refused(disk).path == MANIFEST
    for size in range(len(whole)):
        disk.put(MANIFEST, whole[:size])
        assert refused(disk).path == MANIFEST


def test_every_byte_of_the_base_flipped(disk: SimulatedDisk, journal: Journaled) -> None:
    journal.rewrite()
    base = f"{JOURNAL}/{base_name(2)}"
    whole = disk.data(base)
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 0x40
        disk.put(base, bytes(damaged))
        error = refused(disk)
        assert error.path == base
        assert "headwater check --repair" in str(error)
    for size in range(len(whole)):
        disk.put(base, whole[:size])
        assert refused(disk).path == base


def test_damage_in_the_middle(disk: SimulatedDisk, journal: Journaled) -> None:
    ends = batch_ends(disk, journal)
    damaged = bytearray(disk.data(SEGMENT))
    damaged[ends[4] + BATCH_HEADER_BYTES + 12] ^= 1
    disk.put(SEGMENT, bytes(damaged))
    error = refused(disk)
    assert (error.path, error.offset) == (SEGMENT, ends[4])
    for part in ("record 1 of batch 4", f"`headwater check {DATA}`", f"--repair {DATA}"):
        assert part in str(error)


def test_a_torn_segment_that_is_not_the_last(disk: SimulatedDisk, journal: Journaled) -> None:
    journal.rotate()
    journal.do(("XACK", "orders", "workers", "2-1"))
    disk.put(SEGMENT, disk.data(SEGMENT)[:-5])
    assert "not the last segment" in str(refused(disk))


def test_a_tail_that_was_on_disk_is_not_torn(disk: SimulatedDisk, journal: Journaled) -> None:
    manifest = journal.manifest.copy()
    manifest.reached = journal.writer.position
    manifest.save(disk, JOURNAL)
    disk.put(SEGMENT, disk.data(SEGMENT)[:-5])
    assert refused(disk).path == SEGMENT


def test_a_tail_that_can_not_be_cut(disk: SimulatedDisk, journal: Journaled) -> None:
    disk.put(SEGMENT, disk.data(SEGMENT)[:-5])
    disk.fail("truncate", errno.EROFS)
    assert "cannot be cut off" in str(refused(disk))


@pytest.mark.parametrize("name", [segment_name(2), base_name(2)])
def test_a_file_that_is_missing(disk: SimulatedDisk, journal: Journaled, name: str) -> None:
    journal.rewrite()
    disk.remove(f"{JOURNAL}/{name}")
    error = refused(disk)
    assert error.path == f"{JOURNAL}/{name}"
    assert "missing" in str(error)
    assert MANIFEST in str(error)


def test_the_segment_of_another_journal(disk: SimulatedDisk, journal: Journaled) -> None:
    disk.put(SEGMENT, bytes(segment_header(bytes(16), 1, Place())))
    assert "journal " + bytes(16).hex() in str(refused(disk))


def test_segments_that_changed_places(disk: SimulatedDisk, journal: Journaled) -> None:
    journal.rotate()
    second = f"{JOURNAL}/{segment_name(2)}"
    first = disk.data(SEGMENT)
    disk.put(SEGMENT, disk.data(second))
    disk.put(second, first)
    assert "segment 2, not 1" in str(refused(disk))


def test_newer_formats(disk: SimulatedDisk, journal: Journaled) -> None:
    text = disk.data(MANIFEST)
    disk.put(MANIFEST, text.replace(b"manifest 1\n", b"manifest 2\n"))
    error = refused(disk)
    assert isinstance(error, FormatError)
    assert "version 2" in str(error)
    assert "reads version 1" in str(error)
    disk.put(MANIFEST, text)
    disk.put(DUMP, b"REDIS0099" + bytes(20))
    assert "version 99" in str(refused(disk, appendonly="no"))


def test_a_record_that_does_not_fit(disk: SimulatedDisk, journal: Journaled) -> None:
    append(journal.writer, [b"\x0b\0\0\0\0\x01\0\0\0x\x01\0\0\0g"])
    error = refused(disk)
    assert error.path == SEGMENT
    assert error.offset == len(disk.data(SEGMENT)) - 23
    assert f"record {len(ORDERS) + 1} of this file" in str(error)


def test_a_file_that_can_not_be_read(disk: SimulatedDisk, journal: Journaled) -> None:
    disk.fail("read", errno.EACCES, path=segment_name(1))
    error = refused(disk)
    assert error.path == SEGMENT
    assert "Permission denied" in str(error)


# --- without a manifest ---


@pytest.mark.parametrize(
    "path",
    [
        f"{DATA}/appendonly.aof",
        f"{JOURNAL}/appendonly.aof.manifest",
        f"{JOURNAL}/appendonly.aof.1.incr.aof",
    ],
)
def test_append_only_files_of_redis(disk: SimulatedDisk, path: str) -> None:
    disk.make_directory(JOURNAL)
    disk.put(path, b"file appendonly.aof.1.base.rdb seq 1 type b\n")
    error = refused(disk)
    assert error.path == path
    assert "headwater import" in str(error)
    assert path in Started(disk, appendonly="no").result.warnings[0]


def test_a_journal_whose_manifest_is_lost(disk: SimulatedDisk, journal: Journaled) -> None:
    disk.remove(MANIFEST)
    error = refused(disk)
    assert error.path == SEGMENT
    assert "is missing" in str(error)
    assert "headwater check --repair" in str(error)


def test_a_base_whose_manifest_is_lost(disk: SimulatedDisk, journal: Journaled) -> None:
    journal.rewrite()
    disk.remove(MANIFEST)
    assert refused(disk).path == f"{JOURNAL}/{base_name(2)}"
    disk.put(DUMP, b"an older snapshot, and a longer one" * 100)
    assert refused(disk).path == f"{JOURNAL}/{base_name(2)}"


def test_a_journal_that_was_being_begun(disk: SimulatedDisk, journal: Journaled) -> None:
    journal.save(DUMP)
    dump = disk.data(DUMP)
    disk.put(SEGMENT, disk.data(SEGMENT)[:SEGMENT_HEADER_BYTES])
    disk.remove(MANIFEST)
    disk.put(f"{JOURNAL}/{base_name(1)}", dump[: len(dump) // 2])
    started = Started(disk)
    assert started.digest() == journal.digests[-1]
    assert started.result.begin_journal


# --- leftovers ---


def test_leftovers_are_removed_and_nothing_else(disk: SimulatedDisk, journal: Journaled) -> None:
    journal.rotate()
    journal.rewrite()
    first = [segment_name(1), segment_name(2), base_name(1)]
    interrupted = [base_name(4), segment_name(4), "journal.manifest.new", "temp-77-1.rdb"]
    others = ["notes.txt", "segment.0000003.hwj", "segment.3.hwj", "base.000009.rdb.bak"]
    header = bytes(segment_header(ID, 4, journal.writer.place))
    for name in (*first, *interrupted, *others):
        disk.put(f"{JOURNAL}/{name}", header)
    disk.put(f"{DATA}/temp-1-2.rdb", b"x")
    disk.put(f"{DATA}/temp-1.rdb", b"one of Redis")
    listed = {MANIFEST, f"{JOURNAL}/{base_name(3)}", f"{JOURNAL}/{segment_name(3)}"}
    started = Started(disk)
    assert f"{JOURNAL}/{segment_name(1)}" in disk.paths()
    started.recovery.finish()
    kept = {f"{JOURNAL}/{name}" for name in others}
    assert set(disk.paths()) == listed | kept | {f"{DATA}/temp-1.rdb"}
    assert started.digest() == journal.digests[-1]


def test_records_that_no_manifest_lists_are_kept(disk: SimulatedDisk, journal: Journaled) -> None:
    stray = f"{JOURNAL}/{segment_name(2)}"
    content = bytes(segment_header(bytes(16), 2, Place())) + b"something"
    disk.put(stray, content)
    Started(disk).recovery.finish()
    assert disk.data(f"{stray}.unlisted") == content
    assert stray not in disk.paths()


def test_records_of_this_journal_that_the_manifest_does_not_list(
    disk: SimulatedDisk, journal: Journaled
) -> None:
    older = disk.data(MANIFEST)
    journal.rotate()
    journal.do(("XACK", "orders", "workers", "2-1"))
    disk.put(MANIFEST, older)
    error = refused(disk)
    assert error.path == f"{JOURNAL}/{segment_name(2)}"
    assert "older" in str(error)


def test_leftovers_that_can_not_be_removed_are_left(
    disk: SimulatedDisk, journal: Journaled, caplog: pytest.LogCaptureFixture
) -> None:
    disk.put(f"{JOURNAL}/{base_name(4)}", b"x")
    started = Started(disk)
    disk.fail("remove", errno.EACCES)
    started.recovery.finish()
    assert f"{JOURNAL}/{base_name(4)}" in disk.paths()
    disk.fail("list", errno.EIO)
    started.recovery.finish()
    assert "cannot look for leftovers" in caplog.text


def test_a_start_without_journal_leaves_its_files(disk: SimulatedDisk, journal: Journaled) -> None:
    disk.put(f"{JOURNAL}/{segment_name(7)}", b"")
    before = disk.paths()
    Started(disk, appendonly="no").recovery.finish()
    assert disk.paths() == before


# --- crashes ---


def a_life(disk: SimulatedDisk, sync: bool, done: list[int]) -> list[bytes]:
    """Begin a journal, fill it, rewrite it while commands come; `done`: commands answered."""
    journal = Journaled(disk, sync)

    def do(*commands: tuple[str, ...]) -> None:
        for words in commands:
            journal.do(words)
            done[0] += 1

    do(*ORDERS[:5])
    number = journal.rotate()
    base = f"{JOURNAL}/{base_name(number)}"
    journal.save(base)
    do(*ORDERS[5:7])
    journal.adopt(number)
    do(*ORDERS[7:])
    journal.rewrite()
    do(("XADD", "orders", "9-9", "item", "fig"))
    return journal.digests


def operations() -> int:
    disk = StoppingDisk(1 << 60)
    a_life(disk, True, [0])
    return (1 << 60) - disk.left


CRASHES: dict[str, Callable[[SimulatedDisk, int], None]] = {
    "killed": lambda disk, n: disk.kill(),
    "power": lambda disk, n: disk.crash(),
    "power, parts kept": lambda disk, n: disk.crash(random.Random(n)),
}


@pytest.mark.parametrize("crash", CRASHES)
@pytest.mark.parametrize("sync", [True, False], ids=["always", "everysec"])
def test_a_crash_between_any_two_steps(crash: str, sync: bool) -> None:
    digests = a_life(SimulatedDisk(DATA), sync, [0])
    total = operations()
    assert total > 60
    for stop_at in range(total + 1):
        disk = StoppingDisk(stop_at)
        done = [0]
        with contextlib.suppress(StoppedError):
            a_life(disk, sync, done)
        disk.go_on()
        CRASHES[crash](disk, stop_at)
        started = Started(disk)
        state = digests.index(started.digest())
        assert state <= done[0] + 1, stop_at
        if sync or crash == "killed":
            assert state >= done[0], stop_at
        started.recovery.finish()
        again = Started(disk)
        assert keyspace_digest(again.keyspace) == digests[state]
        assert again.result.warnings == []


# --- helpers ---


def batch_ends(disk: SimulatedDisk, journal: Journaled) -> list[int]:
    """Bytes of the first segment at which its batches end, its header first."""
    data = disk.data(SEGMENT)
    ends = [SEGMENT_HEADER_BYTES]
    while ends[len(ends) - 1] < len(data):
        at = ends[len(ends) - 1]
        ends.append(at + BATCH_HEADER_BYTES + int.from_bytes(data[at + 4 : at + 8], "little"))
    assert len(ends) == len(journal.digests)
    return ends


def not_reached(manifest: Manifest) -> bytes:
    """A manifest that does not tell that anything was on disk."""
    copied = manifest.copy()
    copied.reached = manifest.last.place.position
    return copied.render()
