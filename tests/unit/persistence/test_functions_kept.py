"""Libraries of functions are data: they are there after a restart, a crash, a reload."""

from __future__ import annotations

from random import Random

import pytest

from headwater.persistence.loading import KeyspaceSink, SnapshotError, SnapshotLoader
from headwater.rdb.encoder import Encoder
from support.disk import SimulatedDisk
from support.durable import DIRECTORY, DurableEngine, reopened
from support.embedded import Embedded

LIB = "#!lua name=lib\nredis.register_function('f', function(k, a) return {k, a} end)"
LIB2 = "#!lua name=lib\nredis.register_function('f', function() return 2 end)"
OTHER = (
    "#!lua name=other\nredis.register_function{function_name='get', flags={'no-writes'},"
    " callback=function(k) return redis.call('get', k[1]) end}"
)


def codes(store: DurableEngine) -> dict[bytes, bytes]:
    return dict(store.state.keyspace.libraries.codes)


BOTH = [("*", []), ("*", [])]  # what f of LIB returns without arguments


def load(store: DurableEngine, *texts: str) -> None:
    for text in texts:
        store.ok("FUNCTION", "LOAD", "REPLACE", text)


@pytest.mark.parametrize("rewrite", [False, True])
def test_after_a_restart_they_are_there(rewrite: bool) -> None:
    disk = SimulatedDisk(DIRECTORY)
    store = DurableEngine(disk, appendonly="yes")
    load(store, LIB, OTHER, LIB2)
    store.ok("SET", "k", "v")
    if rewrite:
        store.ok("BGREWRITEAOF")
        store.settle()
    store.stop()
    after = reopened(disk, store, appendonly="yes")
    assert codes(after) == {b"lib": LIB2.encode(), b"other": OTHER.encode()}
    assert after.ok("FCALL", "f", 0) == 2
    assert after.ok("FCALL_RO", "GET", 1, "k") == b"v"
    assert after.state.scripting.functions.count() == 2


def test_what_was_deleted_is_gone_after_a_restart() -> None:
    disk = SimulatedDisk(DIRECTORY)
    store = DurableEngine(disk, appendonly="yes")
    load(store, LIB, OTHER)
    store.ok("FUNCTION", "DELETE", "lib")
    store.stop()
    store = reopened(disk, store, appendonly="yes")
    assert list(codes(store)) == [b"other"]
    store.ok("FUNCTION", "FLUSH")
    load(store, LIB)
    store.stop()
    assert list(codes(reopened(disk, store, appendonly="yes"))) == [b"lib"]


def test_restore_is_one_record() -> None:
    disk = SimulatedDisk(DIRECTORY)
    store = DurableEngine(disk, appendonly="yes")
    load(store, LIB, OTHER)
    payload = store.ok("FUNCTION", "DUMP")
    store.ok("FUNCTION", "FLUSH")
    load(store, LIB2.replace("name=lib", "name=third").replace("'f'", "'third'"))
    for policy in ("APPEND", "FLUSH", "REPLACE"):
        if policy == "APPEND":
            store.ok("FUNCTION", "RESTORE", payload, policy)
            assert list(codes(store)) == [b"third", b"lib", b"other"]
        else:
            store.ok("FUNCTION", "RESTORE", payload, policy)
            assert list(codes(store)) == [b"lib", b"other"]
    before = codes(store)
    store.stop()
    assert codes(reopened(disk, store, appendonly="yes")) == before


def test_a_snapshot_has_them() -> None:
    disk = SimulatedDisk(DIRECTORY)
    store = DurableEngine(disk, appendonly="no")
    load(store, LIB, OTHER)
    store.ok("SAVE")
    store.stop()
    after = reopened(disk, store, appendonly="no")
    assert codes(after) == {b"lib": LIB.encode(), b"other": OTHER.encode()}
    assert after.ok("FCALL", "f", 1, "a", "b") == [("*", [("$", b"a")]), ("*", [("$", b"b")])]


def test_a_cut_has_them_as_they_were() -> None:
    disk = SimulatedDisk(DIRECTORY)
    store = DurableEngine(disk, appendonly="no")
    load(store, LIB)
    store.ok("SET", "k", "v")
    store.ok("BGSAVE")
    load(store, LIB2, OTHER)
    store.ok("FUNCTION", "DELETE", "lib")
    store.settle()
    store.stop()
    assert codes(reopened(disk, store, appendonly="no")) == {b"lib": LIB.encode()}


@pytest.mark.parametrize("words", [("FLUSHALL",), ("FLUSHDB",), ("DEBUG", "RELOAD")])
def test_what_keeps_them(words: tuple[str, ...]) -> None:
    disk = SimulatedDisk(DIRECTORY)
    store = DurableEngine(disk, appendonly="yes", enable_debug_command="yes")
    load(store, LIB, OTHER)
    store.ok(*words)
    assert len(codes(store)) == 2
    assert store.ok("FCALL", "f", 0) == BOTH
    store.stop()
    assert len(codes(reopened(disk, store, appendonly="yes"))) == 2


def test_reload_of_an_older_file_brings_older_libraries() -> None:
    disk = SimulatedDisk(DIRECTORY)
    store = DurableEngine(disk, appendonly="yes", enable_debug_command="yes")
    load(store, LIB)
    store.ok("SAVE")
    load(store, LIB2, OTHER)
    store.ok("DEBUG", "RELOAD", "NOSAVE")
    assert codes(store) == {b"lib": LIB.encode()}
    assert store.ok("FCALL", "f", 0) == BOTH
    assert store.call("FCALL", "get", 1, "k")[0] == "-"
    store.stop()
    assert codes(reopened(disk, store, appendonly="yes")) == {b"lib": LIB.encode()}


def test_a_transaction_with_them_is_there_or_not() -> None:
    """Wherever the power fails: both libraries and the key, or none of them."""
    outcomes = set()
    for seed in range(16):
        disk = SimulatedDisk(DIRECTORY)
        store = DurableEngine(disk, appendonly="yes", appendfsync="everysec")
        store.settle()
        store.ok("MULTI")
        for words in (("FUNCTION", "LOAD", LIB), ("SET", "k", "v"), ("FUNCTION", "LOAD", OTHER)):
            store.ok(*words)
        store.ok("EXEC")
        disk.crash(Random(seed))
        after = reopened(disk, store, appendonly="yes")
        outcomes.add((len(codes(after)), after.ok("EXISTS", "k")))
        after.stop()
    assert outcomes == {(0, 0), (2, 1)}


def test_libraries_that_this_server_can_not_run_are_kept() -> None:
    disk = SimulatedDisk(DIRECTORY)
    store = DurableEngine(disk, appendonly="yes")
    newer = b"#!lua name=newer\nredis.register_something_new()"
    store.state.keyspace.libraries.put(b"newer", newer)
    store.state.recorder.load_library(b"newer", newer)
    store.state.recorder.seal()
    load(store, LIB)
    store.stop()
    after = reopened(disk, store, appendonly="yes")
    assert after.ok("FCALL", "f", 0) == BOTH
    assert codes(after)[b"newer"] == newer
    assert after.ok("FUNCTION", "DELETE", "newer") == b"OK"


def snapshot_with(*texts: bytes) -> bytes:
    encoder = Encoder(True)
    encoder.begin_file(11, [])
    for text in texts:
        encoder.function(text)
    encoder.end_file(True)
    return encoder.take()


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        ((b"return 1",), "Missing library metadata"),
        ((b"#!js name=x\n",), "Engine 'js' not found"),
        ((LIB.encode(), LIB2.encode()), "twice"),
    ],
)
def test_files_with_libraries_that_are_none(texts: tuple[bytes, ...], why: str) -> None:
    disk = SimulatedDisk(DIRECTORY)
    path = f"{DIRECTORY}/dump.rdb"
    disk.put(path, snapshot_with(*texts))
    sink = KeyspaceSink(Embedded().state.keyspace, True)
    loader = SnapshotLoader(disk, path, sink, False)
    with pytest.raises(SnapshotError, match=why):
        loader.step(1_000_000)
