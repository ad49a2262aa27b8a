"""Loading an RDB file, a slice at a time: into a keyspace, or only to see whether it is sound."""

from __future__ import annotations

from headwater.journal.disk import Disk
from headwater.journal.format import JournalError
from headwater.keyspace.database import Keyspace
from headwater.lists.list import List
from headwater.rdb.loader import Loader
from headwater.rdb.source import RdbError, RdbSource
from headwater.scripting.metadata import MetadataError, read_metadata
from headwater.streams.stream import Stream
from headwater.value import Value


class SnapshotError(JournalError):
    """An RDB file cannot be loaded; `unknown_types`: only for keys of types unknown here."""

    unknown_types = False


class Tally:
    """Counts what an RDB file holds and keeps none of it.

    keys, streams, entries, groups, lists, items: how many the file has
    databases: numbers of those that have keys
    aux_fields: the file's auxiliary fields
    skipped_types: types that Headwater does not have, and how many keys are of each
    libraries: how many libraries of functions
    """

    def __init__(self) -> None:
        self.keys = 0
        self.streams = 0
        self.lists = 0
        self.items = 0
        self.entries = 0
        self.groups = 0
        self.databases: set[int] = set()
        self.aux_fields: dict[bytes, bytes] = {}
        self.skipped_types: dict[str, int] = {}
        self.libraries = 0

    def key(
        self, db_index: int, key: bytes, value: Value, expire_at: int, idle_s: int, freq: int
    ) -> None:
        """A key of a type that Headwater has."""
        self.keys += 1
        self.databases.add(db_index)
        if isinstance(value, Stream):
            self.streams += 1
            self.entries += value.length
            self.groups += len(value.groups or ())
        elif isinstance(value, List):
            self.lists += 1
            self.items += value.length

    def aux(self, name: bytes, value: bytes) -> None:
        """An auxiliary field."""
        self.aux_fields[name] = value

    def skipped(self, db_index: int, key: bytes, type_name: str) -> None:
        """A key of another type."""
        self.skipped_types[type_name] = self.skipped_types.get(type_name, 0) + 1

    def function(self, payload: bytes) -> None:
        """A library of functions."""
        self.libraries += 1


class KeyspaceSink(Tally):
    """Puts what an RDB file holds into a keyspace.

    keep_expired: keys whose time is over are kept, as a journal that continues the file needs
        them; else they are left out and counted as `expired`
    """

    def __init__(self, keyspace: Keyspace, keep_expired: bool) -> None:
        super().__init__()
        self.expired = 0
        self._keyspace = keyspace
        self._keep_expired = keep_expired

    def key(
        self, db_index: int, key: bytes, value: Value, expire_at: int, idle_s: int, freq: int
    ) -> None:
        databases = self._keyspace.databases
        if db_index >= len(databases):
            raise _RefusedError(
                f"it has keys in database {db_index} and this server has {len(databases)} "
                f"databases; start it with --databases {db_index + 1}, or more"
            )
        db = databases[db_index]
        if key in db.values:
            raise _RefusedError(f"the key {shown(key)} is in database {db_index} twice")
        super().key(db_index, key, value, expire_at, idle_s, freq)
        now_ms = self._keyspace.clock.now_ms
        if 0 < expire_at <= now_ms and not self._keep_expired:
            self.expired += 1
            return
        value.expire_at = max(0, expire_at)
        if isinstance(value, List):
            value.settle(self._keyspace.list_fill)
        db.add(key, value)
        self._keyspace.notice(value)
        if idle_s > 0:
            value.access_ms = now_ms - 1000 * idle_s

    def function(self, payload: bytes) -> None:
        try:
            name, _ = read_metadata(payload)
        except MetadataError as error:
            raise _RefusedError(
                f"a library of functions can not be loaded: {error} ({shown(payload)})"
            ) from None
        libraries = self._keyspace.libraries
        if name in libraries.codes:
            raise _RefusedError(f"the library {shown(name)} is in it twice")
        super().function(payload)
        libraries.put(name, payload)


class _RefusedError(Exception):
    """What the file holds does not fit this server."""


class SnapshotLoader:
    """Reads one RDB file into a sink.

    size, loaded: bytes of the file, and how many of them have been read
    """

    def __init__(self, disk: Disk, path: str, sink: Tally, skip_unknown: bool) -> None:
        """Open the file; raises OSError."""
        self.path = path
        self.sink = sink
        self._file = disk.open_read(path)
        self.size = self._file.size
        self._source = RdbSource(self._file, self.size, True)
        self._loader = Loader(self._source, sink, skip_unknown)

    @property
    def version(self) -> int:
        """The file's version, once it is read."""
        return self._loader.version

    @property
    def loaded(self) -> int:
        """Bytes read so far."""
        return self._source.offset()

    def step(self, budget_us: int) -> bool:
        """Read for about so long; True when the file is complete.

        Raises SnapshotError for a file that is broken or cannot be used, OSError.
        """
        try:
            if not self._loader.step(budget_us):
                return False
        except RdbError as error:
            self.close()
            failed = SnapshotError(self.path, error.text, error.offset)
            failed.unknown_types = self._loader.done
            raise failed from None
        except _RefusedError as error:
            self.close()
            raise SnapshotError(self.path, str(error)) from None
        self.close()
        return True

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        self._file.close()


def shown(key: bytes) -> str:
    """A key as a message can have it: short, and printable."""
    text = repr(key[:64])[1:]
    return f"{text}..." if len(key) > 64 else text
