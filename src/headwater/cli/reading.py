"""Where `export` reads from: a server, or the files of a data directory, which no server need run.

Guarantee: the files of a directory are read only; a server may be using them meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import redis

from headwater.cli.connect import Link
from headwater.cli.failure import Failure
from headwater.cli.words import shown
from headwater.clock import Clock
from headwater.commands.dispatch import execute
from headwater.commands.session import Session
from headwater.config import Config
from headwater.engine import Engine
from headwater.journal.disk import Disk, ReadFile
from headwater.journal.format import JournalError
from headwater.persistence.check import DAMAGED, Report, check_journal, check_snapshot
from headwater.persistence.datadir import DataDirectory
from headwater.resp.decoder import INCOMPLETE, ReplyDecoder, ReplyError
from headwater.resp.reply import Reply
from headwater.resp.request import from_words

DATABASES = "1024"
_PART_BYTES = 1 << 18
ATTEMPTS = 5
"""A server that rewrites its journal takes files away while they are read: then again."""


class _WatchedFile(ReadFile):
    """A file that tells how much of it is read."""

    __slots__ = ("_file", "_tell")

    def __init__(self, file: ReadFile, tell: Callable[[int], None]) -> None:
        super().__init__(file.path, file.size)
        self._file = file
        self._tell = tell

    def read_into(self, buf: bytearray, pos: int, n: int) -> int:
        count = self._file.read_into(buf, pos, n)
        self._tell(count)
        return count

    def seek(self, offset: int) -> None:
        self._file.seek(offset)

    def close(self) -> None:
        self._file.close()


class WatchedDisk(Disk):
    """The real disk; `tell` is called with the number of bytes of each read."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        super().__init__()
        self._tell = tell

    def open_read(self, path: str) -> ReadFile:
        return _WatchedFile(super().open_read(path), self._tell)


def bytes_of(directory: DataDirectory) -> int:
    """Bytes of the files of a data directory that are read: journal and snapshot."""
    paths = [f"{directory.journal}/{name}" for name in directory.names()]
    if directory.has_snapshot():
        paths.append(directory.snapshot)
    return sum(os.path.getsize(path) for path in paths if os.path.isfile(path))


def load_directory(
    path: str, appenddirname: str, dbfilename: str, tell: Callable[[int], None]
) -> Engine:
    """An engine with what a start in this directory would have; nothing on disk is changed.

    Raises Failure for files that are damaged or not there, OSError.
    """
    config = Config()
    config.assign("databases", [DATABASES])
    directory = DataDirectory(WatchedDisk(tell), path, appenddirname, dbfilename)
    if not directory.has_manifest() and not directory.has_snapshot():
        raise Failure(
            f"{shown(path)} has neither a journal nor a snapshot of Headwater",
            "A data directory is what `headwater serve` was given as --dir. The files of a Redis "
            "are taken over by `headwater import`.",
        )
    for attempt in range(ATTEMPTS):
        engine = Engine(config, Clock())
        try:
            report = _read(directory, engine)
        except FileNotFoundError:
            if attempt == ATTEMPTS - 1:
                raise
            continue
        except JournalError as error:
            raise Failure(str(error)) from None
        if report.verdict != DAMAGED or attempt == ATTEMPTS - 1:
            break
    for file in report.files:
        if file.verdict() == DAMAGED:
            where = "" if file.offset is None else f", byte {file.offset}"
            raise Failure(
                f"{shown(file.path)}{where}: {shown(file.text)}",
                f"`headwater check {shown(path)}` looks at all files, and can repair a journal.",
            )
    return engine


def _read(directory: DataDirectory, engine: Engine) -> Report:
    report = Report(directory.path)
    if directory.has_manifest():
        check_journal(directory.disk, directory, report, engine.keyspace)
    else:
        report.add(check_snapshot(directory.disk, directory.snapshot, "snapshot", engine.keyspace))
    return report


class Caller:
    """Runs commands on an engine of this process; replies are as `Link.call` gives them."""

    def __init__(self, engine: Engine, database: int) -> None:
        self._session = Session(engine.state)
        self._session.database = engine.keyspace.databases[database]
        self._reply = Reply()
        self._decoder = ReplyDecoder()

    def call(self, *words: bytes | str | int) -> Any:
        """The reply to one command. Raises Failure for an error."""
        request = from_words(
            [word if isinstance(word, bytes) else str(word).encode() for word in words]
        )
        execute(self._session, request, self._reply)
        for part in self._reply.take_parts():
            if isinstance(part, bytes):
                self._decoder.feed(part)
                continue
            while data := part.read(_PART_BYTES):
                self._decoder.feed(data)
        reply = self._decoder.decode()
        assert reply is not INCOMPLETE
        if isinstance(reply, ReplyError):
            raise Failure(reply.text)
        return reply


def connection_of(pool: Any) -> Any:
    """A connection of a pool; older redis-py wants to be told for which command."""
    try:
        return pool.get_connection()
    except TypeError:
        return pool.get_connection("PING")


class FastCaller:
    """Runs commands on one connection of a server, replies read by this package's own decoder.

    It is what a long export reads pages with: several times faster than redis-py's parser. A
    connection without a socket (a store in this process) is read as redis-py reads it.
    """

    def __init__(self, link: Link) -> None:
        self._pool: Any = link.client.connection_pool
        self._connection: Any = connection_of(self._pool)
        self._socket: Any = getattr(self._connection, "_sock", None)
        self._decoder = ReplyDecoder(False, None, "strict", redis.ResponseError)

    def call(self, *words: bytes | str | int) -> Any:
        """The raw reply to one command. Raises redis.RedisError."""
        connection, socket = self._connection, self._socket
        connection.send_command(*words)
        if not hasattr(socket, "recv"):
            return connection.read_response()
        while (reply := self._decoder.decode()) is INCOMPLETE:
            try:
                data = socket.recv(_PART_BYTES)
            except OSError as error:
                raise redis.ConnectionError(str(error)) from None
            if not data:
                raise redis.ConnectionError("Connection closed by server.")
            self._decoder.feed(data)
        if isinstance(reply, redis.RedisError):
            raise reply
        return reply

    def close(self) -> None:
        """Give the connection back."""
        self._connection.disconnect()
        self._pool.release(self._connection)


def keys_of(call: Callable[..., Any], kind: str | None = None) -> Iterator[list[bytes]]:
    """All keys of a database in pages, each key once."""
    seen: set[bytes] = set()
    cursor: Any = 0
    words: list[Any] = ["COUNT", 1000]
    if kind is not None:
        words += ["TYPE", kind]
    while True:
        cursor, keys = call("SCAN", cursor, *words)
        page = [key for key in dict.fromkeys(keys) if key not in seen]
        seen.update(page)
        if page:
            yield page
        if cursor == b"0":
            return


class Databases:
    """Commands in any database of a server, whatever database the link's URL names.

    own: that database. Every connection is left in it.
    """

    def __init__(self, link: Link) -> None:
        self.own = int(link.client.connection_pool.connection_kwargs.get("db") or 0)
        self._link = link
        self._known = {self.own}

    def calls(self, database: int, commands: list[tuple[Any, ...]]) -> list[Any]:
        """The raw replies to many commands; errors are among them. Raises Failure: no database."""
        if database == self.own:
            return self._link.calls(commands)
        there, back = ("SELECT", database), ("SELECT", self.own)
        if database not in self._known:
            # Not together with the commands, which would run elsewhere if this fails.
            refused = self._link.calls([there, back])[0]
            if isinstance(refused, Exception):
                raise Failure(
                    f"{self._link.url} has no database {database}: {refused}",
                    "The server's directive `databases` says how many there are.",
                )
            self._known.add(database)
        return self._link.calls([there, *commands, back])[1:-1]

    def caller(self, database: int) -> Callable[..., Any]:
        """A function that runs one command in a database and raises its error."""

        def call(*words: Any) -> Any:
            reply = self.calls(database, [words])[0]
            if isinstance(reply, Exception):
                raise reply
            return reply

        return call
