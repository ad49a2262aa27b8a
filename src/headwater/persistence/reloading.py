"""DEBUG RELOAD: the snapshot's file, read again into a running server.

Everything is read before anything is changed, so a file that is broken changes nothing. Clients
that wait for keys go on waiting: when they are looked at again, the keys are there. Those who
watch keys find them changed (as Redis).

A file that was just saved holds what the keyspace holds, and nothing is recorded for the journal.
Any other file changes something, and that is recorded key by key.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from headwater import errors
from headwater.keyspace.database import Keyspace
from headwater.lists.list import List
from headwater.persistence.loading import SnapshotError, SnapshotLoader, Tally, shown
from headwater.rdb.encoder import dump_payload
from headwater.rdb.source import RdbError
from headwater.scripting.metadata import MetadataError, read_metadata
from headwater.value import Value

if TYPE_CHECKING:
    from headwater.journal.disk import Disk

_AT_ONCE_US = 1_000_000
_log = logging.getLogger("headwater")


class _Keys(Tally):
    """Collects keys. Those whose time is over are among them: the journal knows them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[tuple[int, bytes], Value] = {}
        self.codes: dict[bytes, bytes] = {}

    def key(
        self, db_index: int, key: bytes, value: Value, expire_at: int, idle_s: int, freq: int
    ) -> None:
        super().key(db_index, key, value, expire_at, idle_s, freq)
        value.expire_at = max(0, expire_at)
        self.found[db_index, key] = value

    def function(self, payload: bytes) -> None:
        super().function(payload)
        try:
            name, _ = read_metadata(payload)
        except MetadataError as error:
            raise RdbError(f"a library of functions: {error}", 0) from None
        self.codes[name] = payload


def reload(
    keyspace: Keyspace, disk: Disk, path: str, flush: bool, merge: bool, saved: bool
) -> None:
    """Load the file at `path` while everybody waits. Raises CommandError.

    flush: drop all keys first. merge: a key of the file takes the place of one that is there,
    which is an error otherwise. saved: the file holds what the keyspace holds.
    """
    sink = _read(disk, path)
    found = sink.found
    databases = keyspace.databases
    for index, key in found:
        if index >= len(databases):
            _log.warning("%s has keys in database %d, which this server has not", path, index)
            raise errors.RELOAD_FAILED.error()
        if not flush and not merge and key in databases[index].values:
            _log.warning("%s has the key %s, which database %d has too", path, shown(key), index)
            raise errors.RELOAD_FAILED.error()
    recorder = keyspace.recorder
    same = saved and flush
    if flush:
        keyspace.flush_all()
        if not same:
            recorder.flush_all()
            _drop_libraries(keyspace)
    if not same:
        for name, code in sink.codes.items():
            keyspace.libraries.put(name, code)
            recorder.load_library(name, code)
    classes = keyspace.notify_classes
    keyspace.notify_classes = 0  # no key is new (as Redis)
    try:
        _put(keyspace, found, same)
    finally:
        keyspace.notify_classes = classes


def _put(keyspace: Keyspace, found: dict[tuple[int, bytes], Value], same: bool) -> None:
    recorder = keyspace.recorder
    for (index, key), value in found.items():
        db = keyspace.databases[index]
        if isinstance(value, List):
            value.settle(keyspace.list_fill)
        db.set(key, value)
        keyspace.notice(value)
        if not same:
            db.signal_watchers(key)
            if recorder.recording:
                recorder.list_limit(keyspace.list_fill)
                recorder.restore(index, key, value.expire_at, dump_payload(value, False))


def _drop_libraries(keyspace: Keyspace) -> None:
    if keyspace.libraries.codes:
        keyspace.libraries.clear()
        keyspace.recorder.flush_libraries()


def _read(disk: Disk, path: str) -> _Keys:
    sink = _Keys()
    try:
        loader = SnapshotLoader(disk, path, sink, False)
        while not loader.step(_AT_ONCE_US):
            pass
    except (SnapshotError, OSError) as error:
        _log.warning("the snapshot could not be loaded: %s", error)
        raise errors.RELOAD_FAILED.error() from None
    return sink
