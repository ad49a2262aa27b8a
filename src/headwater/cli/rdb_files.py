"""RDB files of a server's data: as its replica gets them, or put together from payloads of DUMP."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

import redis

from headwater._version import REDIS_VERSION
from headwater.cli.connect import Link
from headwater.cli.failure import Failure
from headwater.cli.gathering import server_ms
from headwater.cli.reading import Databases, connection_of, keys_of
from headwater.rdb.crc64 import crc64
from headwater.rdb.encoder import standard_aux
from headwater.rdb.loader import PAYLOAD_FOOTER_BYTES, load_libraries
from headwater.rdb.output import Output
from headwater.rdb.types import (
    MAGIC,
    OPCODE_AUX,
    OPCODE_EOF,
    OPCODE_EXPIRETIME_MS,
    OPCODE_FUNCTION2,
    OPCODE_SELECTDB,
    VERSION_STREAMS,
)

PIECE_BYTES = 1 << 18
LINE_BYTES = 1024
END_MARK_BYTES = 40

SMALL_BYTES, LARGE_BYTES = 1 << 20, 1 << 23
"""Payloads are asked for in turns of about this size: more keys below it, fewer above."""

KEYS_AT_ONCE = 500

_DATABASE = re.compile(rb"^db(\d+):keys=(\d+)", re.MULTILINE)


@dataclass(slots=True)
class Written:
    """What is in a file. keys: None where nobody counted."""

    keys: int | None = None
    size: int = 0


# --- as a replica ---


class NoSync(Exception):  # noqa: N818 - another way is taken then
    """The server sends no snapshot to this client; the text says why."""


def copy_as_replica(
    link: Link, file: IO[bytes], tell: Callable[[int, int | None], None]
) -> Written:
    """Have the server send a snapshot as it does to a replica, and write it to a file.

    It is one moment of all databases. `tell` is told the bytes that came, and how many there will
    be as far as that is known. Raises NoSync before anything is written, Failure, redis.RedisError.
    """
    connection: Any = connection_of(link.client.connection_pool)
    try:
        connection.send_command("SYNC")
        return _copy(_Stream(connection._sock), file, tell)
    except OSError as error:
        raise Failure(f"the connection broke while the snapshot came: {error}") from None
    finally:
        # What follows on this connection is the server's stream of writes.
        connection.disconnect()
        link.client.connection_pool.release(connection)


class _Stream:
    """Bytes of a socket."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._buffer = b""
        socket.settimeout(None)

    def line(self) -> bytes:
        while b"\n" not in self._buffer:
            if len(self._buffer) > LINE_BYTES:
                raise Failure("the server did not answer SYNC as a Redis does")
            self._buffer += self._more()
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.rstrip(b"\r")

    def piece(self, most: int) -> bytes:
        data, self._buffer = self._buffer[:most], self._buffer[most:]
        return data or self._more(min(most, PIECE_BYTES))

    def _more(self, most: int = PIECE_BYTES) -> bytes:
        data: bytes = self._socket.recv(most)
        if not data:
            raise Failure(
                "the server ended the connection before the snapshot was complete",
                "Its log says why.",
            )
        return data


def _copy(stream: _Stream, file: IO[bytes], tell: Callable[[int, int | None], None]) -> Written:
    line = b""
    while not line or line[:1] == b"+":
        line = stream.line()  # a server that is at work sends empty lines
    if line[:1] == b"-":
        raise NoSync(line[1:].decode("utf-8", "replace"))
    if line[:1] != b"$":
        raise NoSync("it did not answer SYNC as a Redis does")
    if line.startswith(b"$EOF:"):
        return _copy_to_mark(stream, line[5 : 5 + END_MARK_BYTES], file, tell)
    total = int(line[1:])
    done = 0
    while done < total:
        piece = stream.piece(total - done)
        file.write(piece)
        done += len(piece)
        tell(done, total)
    return Written(None, total)


def _copy_to_mark(
    stream: _Stream, mark: bytes, file: IO[bytes], tell: Callable[[int, int | None], None]
) -> Written:
    """A snapshot whose end is a mark that was announced."""
    tail = b""
    done = 0
    while True:
        data = tail + stream.piece(PIECE_BYTES)
        if data.endswith(mark):
            data = data[: -len(mark)]
            file.write(data)
            return Written(None, done + len(data))
        keep = min(len(data), len(mark))
        file.write(data[: len(data) - keep])
        done += len(data) - keep
        tail = data[len(data) - keep :]
        tell(done, None)


# --- from payloads ---


class RdbWriter:
    """Puts payloads of DUMP together to a file, which must be one to seek in.

    The version of the file is the newest that a payload has; it is known in the end only, and so
    is the CRC, which covers it.
    """

    def __init__(self, file: IO[bytes], ctime_s: int) -> None:
        self.keys = 0
        self._file = file
        self._out = Output(True)
        self._version = VERSION_STREAMS
        self._database: int | None = None
        out = self._out
        out.raw(MAGIC + b"%04d" % self._version)
        for name, value in standard_aux(REDIS_VERSION, ctime_s, 0, False):
            out.byte(OPCODE_AUX)
            out.string(name)
            out.string(value)

    def library(self, code: bytes) -> None:
        """A library of functions; they stand before the first key."""
        self._out.byte(OPCODE_FUNCTION2)
        self._out.string(code)

    def add(self, database: int, key: bytes, payload: bytes, expire_at_ms: int) -> None:
        """A key; 0: it does not expire."""
        foot = len(payload) - PAYLOAD_FOOTER_BYTES
        if foot < 1:
            raise Failure("the server's answer to DUMP is too short")
        self._version = max(self._version, int.from_bytes(payload[foot : foot + 2], "little"))
        out = self._out
        if database != self._database:
            self._database = database
            out.byte(OPCODE_SELECTDB)
            out.length(database)
        if expire_at_ms:
            out.byte(OPCODE_EXPIRETIME_MS)
            out.time(expire_at_ms)
        out.raw(payload[:1])
        out.string(key)
        out.raw(payload[1:foot])
        self.keys += 1
        if out.pos >= PIECE_BYTES:
            self._file.write(out.take())

    def finish(self) -> Written:
        """Write the end, the version and the CRC."""
        self._out.byte(OPCODE_EOF)
        file = self._file
        file.write(self._out.take())
        file.seek(len(MAGIC))
        file.write(b"%04d" % self._version)
        file.seek(0)
        crc = size = 0
        while piece := file.read(PIECE_BYTES):
            crc = crc64(bytearray(piece), 0, len(piece), crc)
            size += len(piece)
        file.write(crc.to_bytes(8, "little"))
        return Written(self.keys, size + 8)


def databases_of(link: Link) -> dict[int, int]:
    """The databases that have keys, and how many; by INFO."""
    text: bytes = link.call("INFO", "keyspace")
    return {int(number): int(keys) for number, keys in _DATABASE.findall(text)}


class Dumper:
    """Payloads of a server's keys, in turns of about the same size."""

    def __init__(self, link: Link) -> None:
        self.databases = Databases(link)
        self._link = link
        version = link.server_facts().get("redis_version", "0").split(".")
        self._has_expiretime = version[0].isdigit() and int(version[0]) >= 7
        self._size = 8

    def libraries(self) -> list[bytes]:
        """The code of the server's libraries of functions; none where there are no functions."""
        try:
            return load_libraries(self._link.call("FUNCTION", "DUMP"))
        except redis.ResponseError:
            return []

    def payloads(self, database: int, keys: list[bytes]) -> Iterator[tuple[bytes, bytes, int]]:
        """Key, payload and expiry (Unix ms, 0: none) of those keys that are still there."""
        begin = 0
        while begin < len(keys):
            page = keys[begin : begin + self._size]
            begin += len(page)
            time_command = "PEXPIRETIME" if self._has_expiretime else "PTTL"
            commands: list[tuple[Any, ...]] = []
            for key in page:
                commands += [("DUMP", key), (time_command, key)]
            now_ms = 0 if self._has_expiretime else server_ms(self._link)
            replies = self.databases.calls(database, commands)
            for reply in replies:
                if isinstance(reply, Exception):
                    raise reply
            total = 0
            for key, payload, ttl in zip(page, replies[::2], replies[1::2], strict=True):
                if payload is None:
                    continue
                total += len(payload)
                yield key, payload, now_ms + ttl if ttl >= 0 else 0
            if total < SMALL_BYTES:
                self._size = min(KEYS_AT_ONCE, self._size * 2)
            elif total > LARGE_BYTES:
                self._size = max(1, self._size // 4)


def dump_everything(link: Link, file: IO[bytes], tell: Callable[[int, int], None]) -> Written:
    """Write all databases and functions, key by key: each is as it was when its turn came."""
    dumper = Dumper(link)
    writer = _writer(link, file)
    counts = databases_of(link)
    total = sum(counts.values())
    for code in dumper.libraries():
        writer.library(code)
    for database in sorted(counts):
        for page in keys_of(dumper.databases.caller(database)):
            for key, payload, expire_at_ms in dumper.payloads(database, page):
                writer.add(database, key, payload, expire_at_ms)
            tell(writer.keys, max(total, writer.keys))
    return writer.finish()


def dump_keys(link: Link, keys: list[bytes], file: IO[bytes]) -> Written:
    """Write some keys of the URL's database."""
    dumper = Dumper(link)
    writer = _writer(link, file)
    database = dumper.databases.own
    for key, payload, expire_at_ms in dumper.payloads(database, keys):
        writer.add(database, key, payload, expire_at_ms)
    return writer.finish()


def _writer(link: Link, file: IO[bytes]) -> RdbWriter:
    return RdbWriter(file, server_ms(link) // 1000)
