"""Writing RDB: a whole file, key by key and step by step, and the payloads of DUMP.

    encoder = Encoder(compress=True)
    encoder.begin_file(version, standard_aux(...))
    encoder.select(0, keys, expires)
    encoder.begin(key, value, expire_at)
    while not encoder.step(64 * 1024): ...   # write what take() gives
    encoder.end_file(checksum=True)
    ...                                      # write what take() gives

Same state, same bytes: nothing here asks a clock or chance.
"""

from __future__ import annotations

from collections.abc import Iterator

from headwater.keyspace.strings import String
from headwater.lists.list import List
from headwater.rdb.crc64 import crc64
from headwater.rdb.idmp_times import IDMP_TIMES, pack_times
from headwater.rdb.list_encoder import ListEncoder
from headwater.rdb.output import COMPRESS_MAX_BYTES, Output
from headwater.rdb.stream_encoder import StreamEncoder, stream_type
from headwater.rdb.stream_extras import STREAM_EXTRAS, chunks
from headwater.rdb.types import (
    MAGIC,
    NEWEST_VERSION,
    OPCODE_AUX,
    OPCODE_EOF,
    OPCODE_EXPIRETIME_MS,
    OPCODE_FUNCTION2,
    OPCODE_RESIZEDB,
    OPCODE_SELECTDB,
    TYPE_LIST_QUICKLIST_2,
    TYPE_STREAM_LISTPACKS_4,
    TYPE_STREAM_LISTPACKS_5,
    TYPE_STRING,
    VERSION_IDMP,
    VERSION_LIBRARIES,
    VERSION_LISTS,
    VERSION_NACKED,
    VERSION_STREAMS,
    VERSION_STRINGS,
)
from headwater.streams.stream import Stream
from headwater.value import Value

_ALL = 2**62
_PIECE_BYTES = 4096


def standard_aux(
    redis_version: str, ctime_s: int, used_memory: int, aof_base: bool
) -> list[tuple[bytes, bytes]]:
    """The facts with which Redis begins a file.

    ctime_s: unix time. aof_base: whether the file is the base of an append-only file.
    """
    return [
        (b"redis-ver", redis_version.encode()),
        (b"redis-bits", b"64"),
        (b"ctime", b"%d" % ctime_s),
        (b"used-mem", b"%d" % used_memory),
        (b"aof-base", b"1" if aof_base else b"0"),
    ]


def file_version(has_idmp: bool, has_nacked: bool) -> int:
    """The version of a file whose streams may have IDMP windows, or nacked entries."""
    if has_nacked:
        return VERSION_NACKED
    return VERSION_IDMP if has_idmp else VERSION_STREAMS


def value_type(value: Value) -> int:
    """The oldest type of value that can carry this one."""
    if isinstance(value, Stream):
        return stream_type(value)
    if isinstance(value, List):
        return TYPE_LIST_QUICKLIST_2
    return TYPE_STRING


def needed_version(value: Value) -> int:
    """The oldest version in which a payload can carry this value."""
    return _version_of(value_type(value))


def _version_of(kind: int) -> int:
    if kind == TYPE_STRING:
        return VERSION_STRINGS
    if kind == TYPE_LIST_QUICKLIST_2:
        return VERSION_LISTS
    return file_version(kind == TYPE_STREAM_LISTPACKS_4, kind == TYPE_STREAM_LISTPACKS_5)


def dump_payload(value: Value, compress: bool) -> bytes:
    """What DUMP answers: type, value, version (u16), CRC-64 of all of that.

    The version is the oldest possible, so that as many servers as possible RESTORE it.
    """
    kind = value_type(value)
    encoder = Encoder(compress)
    out = encoder.out
    out.byte(kind)
    encoder.begin_value(value, kind)
    while not encoder.step(_ALL):
        pass
    out.u16(_version_of(kind))
    out.u64(crc64(out.buf, 0, out.pos, 0))
    return out.take()


def dump_libraries(codes: list[bytes], compress: bool) -> bytes:
    """What FUNCTION DUMP answers: all libraries, with the foot of a payload of DUMP."""
    encoder = Encoder(compress)
    for code in codes:
        encoder.function(code)
    out = encoder.out
    out.u16(VERSION_LIBRARIES)
    out.u64(crc64(out.buf, 0, out.pos, 0))
    return out.take()


class Encoder:
    """Writes one file: begin_file, then select, begin and step as often as needed, end_file.

    compress: `rdbcompression`. What is written lies in memory until it is taken with `take`;
    a value must stay as it is from `begin` until `step` has returned True.
    """

    __slots__ = (
        "_crc",
        "_extras",
        "_is_list",
        "_is_stream",
        "_list",
        "_stream",
        "_string",
        "_string_pos",
        "_summed",
        "_version",
        "_waiting",
        "out",
    )

    def __init__(self, compress: bool) -> None:
        self.out = Output(compress)
        self._stream = StreamEncoder(self.out)
        self._is_stream = False
        self._list = ListEncoder(self.out)
        self._is_list = False
        self._string: String | None = None  # a big one, and how far it is written
        self._string_pos = 0
        self._crc = 0  # of what was taken, and of the output up to here
        self._summed = 0
        self._version = NEWEST_VERSION
        # What stands before a stream, and its key with what follows, until that is written.
        self._extras: Iterator[bytes] | None = None
        self._waiting: tuple[bytes, Value, int] | None = None

    def begin_file(self, version: int, aux: list[tuple[bytes, bytes]]) -> None:
        """Write the head of a file: its version (see file_version), and facts about it."""
        self._version = version
        self._crc = 0
        self._summed = 0
        out = self.out
        out.raw(MAGIC + b"%04d" % version)
        for name, value in aux:
            out.byte(OPCODE_AUX)
            out.string(name)
            out.string(value)

    def function(self, code: bytes) -> None:
        """A library of functions; they stand before the first key."""
        self.out.byte(OPCODE_FUNCTION2)
        self.out.string(code)

    def select(self, database: int, keys: int, expires: int) -> None:
        """The keys that follow are of this database, that has so many, and so many that expire."""
        out = self.out
        out.byte(OPCODE_SELECTDB)
        out.length(database)
        out.byte(OPCODE_RESIZEDB)
        out.length(keys)
        out.length(expires)

    def begin(self, key: bytes, value: Value, expire_at: int) -> None:
        """Start with a key; `expire_at` is unix time in ms, 0 if it does not expire.

        ValueError: the version of the file is too old for this value.
        """
        kind = value_type(value)
        if _version_of(kind) > self._version:
            raise ValueError(f"a file of version {self._version} can not carry {key!r}")
        out = self.out
        if isinstance(value, Stream) and value.idmp is not None:
            out.byte(OPCODE_AUX)
            out.string(IDMP_TIMES)
            out.string(pack_times(value.idmp))
        if isinstance(value, Stream) and value.has_settings():
            self._extras = chunks(value)
            self._waiting = (key, value, expire_at)
        else:
            self._begin_key(key, value, expire_at, kind)

    def _begin_key(self, key: bytes, value: Value, expire_at: int, kind: int) -> None:
        out = self.out
        if expire_at != 0:
            out.byte(OPCODE_EXPIRETIME_MS)
            out.time(expire_at)
        out.byte(kind)
        out.string(key)
        self.begin_value(value, kind)

    def begin_value(self, value: Value, kind: int) -> None:
        """Start with a value alone; `kind` is its value_type."""
        self._is_list = kind == TYPE_LIST_QUICKLIST_2
        self._is_stream = kind != TYPE_STRING and not self._is_list
        if isinstance(value, Stream):
            self._stream.begin(value, kind)
        elif isinstance(value, List):
            self._list.begin(value)
        elif isinstance(value, String):
            n = value.length()
            if n <= COMPRESS_MAX_BYTES:
                self.out.string(value.content())
            else:
                self.out.length(n)
                self._string = value
                self._string_pos = 0
        else:
            raise TypeError(f"no RDB type for {type(value).__name__}")

    def step(self, max_bytes: int) -> bool:
        """Go on with the key for at least one part, and up to about `max_bytes`.

        Returns True when it is complete.
        """
        if self._extras is not None:
            self._write_extras(max_bytes)
            return False
        if self._is_stream:
            return self._stream.step(max_bytes)
        if self._is_list:
            return self._list.step(max_bytes)
        string = self._string
        if string is None:
            return True
        left = string.length() - self._string_pos
        if left == 0:
            self._string = None
            return True
        piece = min(left, max(max_bytes, _PIECE_BYTES))
        self.out.raw(string.part(self._string_pos, piece))
        self._string_pos += piece
        return False

    def _write_extras(self, max_bytes: int) -> None:
        assert self._extras is not None
        assert self._waiting is not None
        begin = self.out.pos
        for chunk in self._extras:
            self.out.byte(OPCODE_AUX)
            self.out.string(STREAM_EXTRAS)
            self.out.string(chunk)
            if self.out.pos - begin >= max_bytes:
                return
        key, value, expire_at = self._waiting
        self._extras = None
        self._waiting = None
        self._begin_key(key, value, expire_at, value_type(value))

    def end_file(self, checksum: bool) -> None:
        """Write the end of the file; without `checksum`, zeros stand for the CRC."""
        out = self.out
        out.byte(OPCODE_EOF)
        self._sum()
        out.u64(self._crc if checksum else 0)

    def take(self) -> bytes:
        """The bytes written since the last time."""
        self._sum()
        self._summed = 0
        return self.out.take()

    def _sum(self) -> None:
        out = self.out
        self._crc = crc64(out.buf, self._summed, out.pos - self._summed, self._crc)
        self._summed = out.pos
