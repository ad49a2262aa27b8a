"""Importing: which files a source stands for, commands run as Redis meant them, the new journal."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from headwater.clock import ManualClock
from headwater.config import Config
from headwater.engine import Engine
from headwater.journal.disk import AppendFile, Disk, failure
from headwater.journal.format import JournalError
from headwater.journal.lock import DirectoryLock
from headwater.journal.manifest import Manifest
from headwater.persistence.creating import NewJournal
from headwater.persistence.datadir import DataDirectory
from headwater.persistence.importing import Importer, find_files
from headwater.persistence.recovery import Recovery
from support.embedded import Client, Embedded
from support.wire import Word, encode

NOW_MS = 1_700_000_000_000
EMPTY_RDB = b"REDIS0011\xff" + bytes(8)


def aof(*lines: str) -> bytes:
    return b"".join(encode(line.split(" ")) for line in lines)


class Reading:
    """An import of these files, and a client to look at what came of it."""

    def __init__(self, tmp_path: Path, *contents: bytes) -> None:
        names = [f"a.{number}.incr.aof" for number in range(1, len(contents) + 1)]
        for name, content in zip(names, contents, strict=True):
            (tmp_path / name).write_bytes(content)
        (tmp_path / "a.manifest").write_text(
            "".join(f"file {name} seq {name[2]} type i\n" for name in names)
        )
        self.world = Embedded()
        self.files = [str(tmp_path / name) for name in names]
        self.importer = Importer(Disk(), str(tmp_path), self.world.engine.state, self.world.clock)
        self.result = self.importer.result

    def run(self) -> Client:
        for _ in self.importer.steps():
            assert self.importer.done <= self.importer.total
        assert self.importer.done == self.importer.total
        return self.world.connect()

    def fails(self, text: str, offset: int, file: int = 0) -> None:
        with pytest.raises(JournalError, match=text) as caught:
            self.run()
        assert (caught.value.path, caught.value.offset) == (self.files[file], offset)


# --- commands ---


def test_commands_are_run(tmp_path: Path) -> None:
    reading = Reading(
        tmp_path,
        aof("SELECT 0", "XADD s 5-1 a b", "XGROUP CREATE s g 0", "SELECT 3", "SET k v"),
        aof("SELECT 0", "XADD s 6-1 a b", "XCLAIM s g ann 0 5-1 TIME 1600000000000 FORCE JUSTID"),
    )
    client = reading.run()
    assert client.ok("XLEN", "s") == 2
    assert client.ok("XPENDING", "s", "g") == [1, b"5-1", b"5-1", [[b"ann", b"1"]]]
    client.ok("SELECT", 3)
    assert client.ok("GET", "k") == b"v"
    result = reading.result
    assert (result.keys, result.streams, result.entries, result.groups) == (2, 1, 2, 1)
    assert (result.pending, result.commands, result.missing()) == (1, 8, [])


def test_nothing_expires_on_the_way(tmp_path: Path) -> None:
    """Not even what has expired long ago: that is found when a server has started."""
    reading = Reading(
        tmp_path,
        aof(
            "SET old v PXAT 1000000000000", "PEXPIREAT old 1000000000001", "SET later v",
            f"PEXPIREAT later {NOW_MS + 50}", "XADD s 1-1 a b", "PEXPIREAT s 1000000000002",
            "XADD s 2-1 a b",
        ),
    )  # fmt: skip
    client = reading.run()
    values = reading.world.engine.keyspace.databases[0].values
    assert {key: value.expire_at for key, value in values.items()} == {
        b"old": 1000000000001,
        b"later": NOW_MS + 50,
        b"s": 1000000000002,
    }
    assert client.ok("GET", "later") == b"v"
    assert client.ok("GET", "old") is None


def test_deliveries_keep_their_time(tmp_path: Path) -> None:
    reading = Reading(
        tmp_path,
        aof(
            "XADD s 1-1 a b", "XADD s 2-1 a b", "XGROUP CREATE s g 0",
            "XCLAIM s g ann 0 1-1 TIME 1600000000000 RETRYCOUNT 4 FORCE JUSTID LASTID 1-1",
            f"xclaim s g ann 0 2-1 time {NOW_MS + 90_000} retrycount 1 force justid lastid 2-1",
        ),
    )  # fmt: skip
    client = reading.run()
    facts = client.ok("XINFO", "STREAM", "s", "FULL")
    [group] = facts[facts.index(b"groups") + 1]
    assert group[group.index(b"pending") + 1] == [
        [b"1-1", b"ann", 1600000000000, 4],
        [b"2-1", b"ann", NOW_MS + 90_000, 1],
    ]


def test_idempotent_ids_are_remembered_from_their_entries_time_on(tmp_path: Path) -> None:
    reading = Reading(
        tmp_path,
        aof(
            f"XADD s {NOW_MS - 500_000}-0 a b", f"XIDMPRECORD s p old {NOW_MS - 500_000}-0",
            f"XADD s {NOW_MS - 5_000}-0 a b", f"XIDMPRECORD s p new {NOW_MS - 5_000}-0",
        ),
    )  # fmt: skip
    client = reading.run()
    assert client.ok("XADD", "s", "IDMP", "p", "new", "*", "a", "b") == b"%d-0" % (NOW_MS - 5_000)
    assert client.ok("XADD", "s", "IDMP", "p", "old", "*", "a", "b") == b"%d-0" % NOW_MS


def test_consumers_that_nothing_is_known_of_were_seen_now(tmp_path: Path) -> None:
    client = Reading(
        tmp_path, aof("XGROUP CREATE s g 0 MKSTREAM", "XGROUP CREATECONSUMER s g ann")
    ).run()
    [ann] = client.ok("XINFO", "CONSUMERS", "s", "g")
    assert ann[ann.index(b"idle") + 1] == 0


def test_a_transaction_is_run_whole(tmp_path: Path) -> None:
    reading = Reading(tmp_path, aof("MULTI", "SET a 1", "SET b 2", "EXEC", "SET c 3"))
    assert reading.run().ok("DBSIZE") == 3


@pytest.mark.parametrize("missing", ["EXEC", "of EXEC", "of a command"])
def test_a_transaction_without_its_end_is_not_run(tmp_path: Path, missing: str) -> None:
    before, rest = aof("SET a 1"), aof("MULTI", "SET a 2", "SET b 2")
    if missing == "of EXEC":
        rest += aof("EXEC")[:-1]
    elif missing == "of a command":
        rest = rest[:-1]
    reading = Reading(tmp_path, before + rest)
    client = reading.run()
    assert client.ok("GET", "a") == b"1"
    assert client.ok("DBSIZE") == 1
    [warning] = reading.result.warnings
    assert warning == (
        f"{reading.files[0]}, byte {len(before)}: the EXEC of a transaction is missing: "
        f"the last {len(rest)} bytes are left out"
    )


def test_a_torn_end_is_left_out_of_the_last_file_only(tmp_path: Path) -> None:
    whole, torn = aof("SET a 1"), aof("SET a 2")[:-1]
    reading = Reading(tmp_path, whole, whole + torn)
    assert reading.run().ok("GET", "a") == b"1"
    assert reading.result.warnings == [
        f"{reading.files[1]}, byte {len(whole)}: the end of a command is missing: "
        f"the last {len(torn)} bytes are left out"
    ]
    (tmp_path / "b").mkdir()
    Reading(tmp_path / "b", whole + torn, whole).fails("another file follows", len(whole))


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("XADD s 1-1 a b", "XADD s 1-1 a b fails: ERR The ID specified"),
        ("SELECT 99999", "fails: ERR DB index is out of range"),
        ("XADD s", "XADD s fails: ERR wrong number of arguments"),
        ("SHUTDOWN NOSAVE", "SHUTDOWN NOSAVE does not belong"),
        ("CONFIG SET dir /", "does not belong"),
        ("GET k", "GET k does not belong"),
        ("EXEC", "EXEC without MULTI"),
    ],
)
def test_what_fails_is_told_with_file_and_offset(tmp_path: Path, line: str, text: str) -> None:
    good = aof("XADD s 1-1 a b")
    Reading(tmp_path, good + aof(line) + good).fails(text, len(good))


def test_what_fails_in_a_transaction_is_told_with_its_own_offset(tmp_path: Path) -> None:
    begin = aof("MULTI", "SET a 1")
    Reading(tmp_path, begin + aof("XADD s 0-0 a b", "EXEC")).fails("0-0", len(begin))
    (tmp_path / "b").mkdir()
    Reading(tmp_path / "b", begin + aof("MULTI")).fails("within a transaction", len(begin))


def test_what_headwater_lacks_is_counted(tmp_path: Path) -> None:
    reading = Reading(
        tmp_path,
        aof(
            "HSET h a 1", "hset h b 2", "SADD l 1", "XGROUP NOSUCH s", "RENAME h other",
            "DEL h", "EXPIRE l 100", "SET k v", "PFADD p x",
        ),
    )  # fmt: skip
    assert reading.run().ok("DBSIZE") == 1
    assert reading.result.missing() == [
        "2 commands HSET",
        "1 commands PFADD",
        "1 commands SADD",
        "1 commands XGROUP NOSUCH",
        "1 commands on keys left out",
    ]


def test_a_rename_of_a_key_that_nobody_has_left_out_fails(tmp_path: Path) -> None:
    begin = aof("HSET h a 1")
    for line, text in (
        ("RENAME other x", "no such key"),
        ("SWAPDB 0 x", "second DB index"),
        ("COPY s t DB x", "not an integer"),
        ("MOVE s 4000", "out of range"),
    ):
        Reading(tmp_path, begin + aof(line)).fails(text, len(begin))


def test_keys_left_out_are_followed_where_they_go(tmp_path: Path) -> None:
    """What they replace is gone, as it was in Redis; what they were called before is free."""
    reading = Reading(
        tmp_path,
        aof(
            "SADD l 1", "XADD s 1-1 a b", "RENAME l l2", "RENAME l2 s", "RENAME s l3",
            "COPY l3 copied", "RENAME copied again", "MOVE l3 1", "COPY again elsewhere DB 2",
            "SWAPDB 1 3", "SELECT 3", "RENAME l3 l4", "SELECT 2", "RENAME elsewhere l", "SELECT 0",
            "XADD l 1-1 a b", "RENAME l kept",
        ),
    )  # fmt: skip
    client = reading.run()
    assert client.ok("KEYS", "*") == [b"kept"]
    assert reading.result.missing() == ["1 commands SADD", "9 commands on keys left out"]


@pytest.mark.parametrize("inside", ["", "appendonlydir/"])
def test_a_snapshot_that_is_passed_over_is_told(tmp_path: Path, inside: str) -> None:
    """It may be newer: whoever runs Redis without append-only files keeps the old ones around."""
    (tmp_path / "dump.rdb").write_bytes(EMPTY_RDB)
    (tmp_path / "temp-1.rdb").write_bytes(EMPTY_RDB)
    (tmp_path / inside).mkdir(exist_ok=True)
    (tmp_path / f"{inside}a.aof").write_bytes(aof("SET k v"))
    if inside:
        (tmp_path / f"{inside}b.rdb").write_bytes(EMPTY_RDB)
        manifest = "file b.rdb seq 1 type b\nfile a.aof seq 1 type i\n"
        (tmp_path / f"{inside}a.manifest").write_text(manifest)
    world = Embedded()
    for source, told in ((tmp_path, 1), (tmp_path / inside, 0 if inside else 1)):
        warnings = Importer(Disk(), str(source), world.engine.state, world.clock).result.warnings
        assert len(warnings) == told
        assert all(text.startswith(f"{tmp_path}/dump.rdb: not read") for text in warnings)


def test_a_snapshot_before_commands(tmp_path: Path) -> None:
    reading = Reading(tmp_path, EMPTY_RDB + aof("SET a 1"))
    assert reading.run().ok("DBSIZE") == 1
    assert reading.result.warnings == []


def test_other_bytes_behind_a_snapshot_are_left_out(tmp_path: Path) -> None:
    reading = Reading(tmp_path, EMPTY_RDB + b"\0\0\0")
    reading.run()
    assert reading.result.warnings == [
        f"{reading.files[0]}, byte {len(EMPTY_RDB)}: what follows the snapshot is left out"
    ]


@pytest.mark.parametrize("content", [b"hello", b"\0", b"REDIS0011\xff", b"REDISxxxx\xff"])
def test_files_that_are_neither(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(JournalError):
        Reading(tmp_path, content).run()


def test_an_empty_file_has_no_commands(tmp_path: Path) -> None:
    assert Reading(tmp_path, b"").run().ok("DBSIZE") == 0


# --- what a source stands for ---


def tree(root: Path, **files: bytes) -> None:
    for name, content in files.items():
        path = root / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


MANIFEST = b"file a.base.rdb seq 1 type b\nfile a.incr.aof seq 1 type i\n"


@pytest.mark.parametrize("inside", ["", "appendonlydir"])
def test_the_files_of_a_directory(tmp_path: Path, inside: str) -> None:
    folder = tmp_path / inside
    tree(tmp_path, dump_rdb=EMPTY_RDB)
    tree(folder, a_manifest=MANIFEST, a_base_rdb=EMPTY_RDB, a_incr_aof=b"", a_old_aof=b"")
    wanted = [f"{folder}/a.base.rdb", f"{folder}/a.incr.aof"]
    for source in (tmp_path, folder, folder / "a.manifest"):
        assert find_files(Disk(), str(source)) == wanted
    assert find_files(Disk(), str(tmp_path / "dump.rdb")) == [str(tmp_path / "dump.rdb")]


def test_single_files_of_a_directory(tmp_path: Path) -> None:
    tree(tmp_path, dump_rdb=EMPTY_RDB)
    assert find_files(Disk(), str(tmp_path)) == [str(tmp_path / "dump.rdb")]
    tree(tmp_path, appendonly_aof=b"")
    assert find_files(Disk(), str(tmp_path)) == [str(tmp_path / "appendonly.aof")]


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({}, "neither a snapshot nor an append-only file"),
        ({"a_manifest": MANIFEST, "b_manifest": MANIFEST}, "several manifests"),
        ({"x__a_manifest": MANIFEST, "y__a_manifest": MANIFEST}, "are in x, y"),
        ({"a_rdb": EMPTY_RDB, "b_rdb": EMPTY_RDB}, "a.rdb, b.rdb: name the one"),
        ({"a_manifest": MANIFEST, "a_base_rdb": b""}, "a.incr.aof: the file is missing"),
        ({"journal_manifest": b""}, "the journal of a Headwater"),
        ({"x__journal_manifest": b""}, "the journal of a Headwater"),
    ],
)
def test_directories_without_a_clear_source(
    tmp_path: Path, files: dict[str, bytes], text: str
) -> None:
    tree(tmp_path, **files)
    with pytest.raises(JournalError, match=text):
        find_files(Disk(), str(tmp_path))


def test_sources_that_are_not_there_or_not_of_redis(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no such file"):
        find_files(Disk(), str(tmp_path / "nothing"))
    tree(tmp_path, a_hwj=b"HWJOURN\n and so on")
    with pytest.raises(JournalError, match="the journal of a Headwater"):
        find_files(Disk(), str(tmp_path / "a.hwj"))


# --- the new journal ---


def filled() -> Embedded:
    world = Embedded()
    for number in range(300):
        world.main.ok("XADD", "s", f"{number + 1}-1", "f", "v" * 100)
    world.main.ok("SET", "k", "v", "PX", 1000)
    return world


def make(directory: Path, world: Embedded, disk: Disk | None = None, replace: bool = False) -> None:
    disk = disk or Disk()
    place = DataDirectory(disk, str(directory), "appendonlydir", "dump.rdb")
    journal = NewJournal(disk, place, replace)
    journal.check()
    for _ in journal.steps(world.engine.keyspace):
        pass
    assert journal.keys_written == 2


def loaded(directory: Path) -> Client:
    """A client of an engine that has recovered from the directory."""
    world = Embedded()
    config = Config()
    config.assign("dir", [str(directory)])
    Recovery(Disk(), config, world.engine.keyspace).run()
    return world.main


@pytest.mark.parametrize("path", ["new", "new/and/below", "."])
def test_a_new_journal_is_loaded(tmp_path: Path, path: str) -> None:
    make(tmp_path / path, filled())
    client = loaded(tmp_path / path)
    assert client.ok("XLEN", "s") == 300
    assert client.ok("PTTL", "k") == 1000


def test_one_that_is_given_up_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headwater.persistence.creating.STEP_US", 1)
    world, disk = filled(), Disk()
    taken = 0
    while True:
        target = tmp_path / "new"
        place = DataDirectory(disk, str(target), "appendonlydir", "dump.rdb")
        with closing(NewJournal(disk, place, False).steps(world.engine.keyspace)) as steps:
            done = sum(1 for _ in islice(steps, taken))
        if done < taken:
            break
        assert not target.exists(), f"given up after {taken} steps"
        taken += 1
    assert taken > 1
    assert loaded(target).ok("XLEN", "s") == 300


def listing(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else b""
        for path in root.rglob("*")
        if path.name != "headwater.lock"
    }


@pytest.mark.parametrize(
    "files",
    [
        {"dump_rdb": EMPTY_RDB},
        {"appendonlydir__appendonly_aof_manifest": MANIFEST},
        {"appendonly_aof": b""},
        {"appendonlydir__segment_000001_hwj": b""},
    ],
)
def test_data_that_is_there_is_kept(tmp_path: Path, files: dict[str, bytes]) -> None:
    tree(tmp_path, **files)
    before = listing(tmp_path)
    with pytest.raises(JournalError, match=r"has data already.*--force"):
        make(tmp_path, filled())
    assert listing(tmp_path) == before


def test_data_is_replaced_by_force(tmp_path: Path) -> None:
    other = Embedded()
    other.main.ok("SET", "a", 1)
    other.main.ok("SET", "b", 1)
    make(tmp_path, other)
    old = Manifest.load(Disk(), str(tmp_path / "appendonlydir"))
    make(tmp_path, filled(), replace=True)
    new = Manifest.load(Disk(), str(tmp_path / "appendonlydir"))
    assert old is not None
    assert new is not None
    assert old.journal_id != new.journal_id
    assert sorted(path.name for path in (tmp_path / "appendonlydir").iterdir()) == sorted(
        new.names()
    )
    assert loaded(tmp_path).ok("KEYS", "*") == [b"s", b"k"]


def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    with DirectoryLock(Disk(), str(tmp_path)):
        before = listing(tmp_path)
        for replace in (False, True):
            with pytest.raises(JournalError, match="is using the data directory"):
                make(tmp_path, filled(), replace=replace)
        assert listing(tmp_path) == before


class FailingDisk(Disk):
    """Refuses one kind of call from some call on."""

    def __init__(self, fails: Callable[[str, str], bool]) -> None:
        self._fails = fails

    def _check(self, what: str, path: str) -> None:
        if self._fails(what, path):
            raise failure(28, path)

    def create(self, path: str) -> AppendFile:
        self._check("create", path)
        return super().create(path)

    def replace(self, source: str, target: str) -> None:
        self._check("replace", target)
        super().replace(source, target)

    def write_atomically(self, path: str, data: bytes) -> None:
        self._check("write", path)
        super().write_atomically(path, data)

    def make_directory(self, path: str) -> None:
        self._check("make", path)
        super().make_directory(path)


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("make", "appendonlydir"),
        ("create", ".rdb"),
        ("replace", ".rdb"),
        ("create", ".hwj"),
        ("write", "journal.manifest"),
    ],
)
@pytest.mark.parametrize("there", ["nothing", "the directory", "a journal"])
def test_when_writing_fails_everything_is_as_before(
    tmp_path: Path, what: str, name: str, there: str
) -> None:
    target = tmp_path / "target"
    if there != "nothing":
        target.mkdir()
    if there == "a journal":
        make(target, filled())
    if there == "a journal" and what == "make":
        return  # there is nothing to make
    before = listing(tmp_path)
    disk = FailingDisk(lambda call, path: call == what and path.endswith(name))
    with pytest.raises((JournalError, OSError), match="No space left on device"):
        make(target, filled(), disk, replace=True)
    assert listing(tmp_path) == before
    if there == "a journal":
        assert loaded(target).ok("XLEN", "s") == 300


def test_importing_needs_no_more_than_an_engine(tmp_path: Path) -> None:
    """The clock is the importer's during the import, and shows the time again behind it."""
    clock = ManualClock(NOW_MS)
    engine = Engine(Config(), clock)
    (tmp_path / "a.aof").write_bytes(aof("SET k v"))
    words: list[Word] = []
    for _ in Importer(Disk(), str(tmp_path / "a.aof"), engine.state, clock).steps():
        words.append("a step")
    assert clock.now_ms == NOW_MS


def test_libraries_of_functions_come_along(tmp_path: Path) -> None:
    library = "#!lua name={}\nredis.register_function('{}', function() return 7 end)"
    commands = [
        ("FUNCTION", "LOAD", library.format("l", "f")),
        ("FUNCTION", "LOAD", library.format("gone", "g")),
        ("FUNCTION", "DELETE", "gone"),
    ]
    reading = Reading(tmp_path, b"".join(map(encode, commands)))
    client = reading.run()
    assert reading.result.libraries == 1
    assert reading.result.missing() == []
    assert client.ok("FCALL", "f", 0) == 7
