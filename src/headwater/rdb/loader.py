"""Loading: an RDB file key by key, and the payload of one key as DUMP makes it.

A file is MAGIC and four digits of a version, then opcodes and keys (type, key, value), then the
end mark and eight bytes of CRC-64 over all before, 0 where the writer computed none. A payload
is a type and a value, then two bytes of version and the same CRC.
"""

from __future__ import annotations

from typing import Any

from headwater.keyspace.strings import String
from headwater.raw import get_u16, get_u64, monotonic_us
from headwater.rdb.crc64 import crc64
from headwater.rdb.idmp_times import IDMP_TIMES, unpack_times
from headwater.rdb.list_decoder import LIST_TYPES, ListDecoder
from headwater.rdb.skipping import (
    Skipper,
    read_template,
    skip_key_metadata,
    skip_module_aux,
    type_name,
)
from headwater.rdb.source import RdbError, RdbSource, payload_source
from headwater.rdb.stream_decoder import STREAM_TYPES, StreamDecoder
from headwater.rdb.stream_extras import STREAM_EXTRAS
from headwater.rdb.types import (
    HEADER_BYTES,
    MAGIC,
    OLDEST_VERSION,
    OPCODE_AUX,
    OPCODE_EXPIRETIME,
    OPCODE_EXPIRETIME_MS,
    OPCODE_FREQ,
    OPCODE_FUNCTION2,
    OPCODE_FUNCTION_PRE_GA,
    OPCODE_IDLE,
    OPCODE_KEY_META,
    OPCODE_MODULE_AUX,
    OPCODE_RESIZEDB,
    OPCODE_SELECTDB,
    OPCODE_SLOT_INFO,
    TYPE_STRING,
)
from headwater.value import Value

NEWEST_READ_VERSION = 16
"""What Redis 8.10 writes. From 15 on there are only types and opcodes that Headwater does not
write: it skips them, or stops at the first one whose layout is not known."""

CHECKSUM_VERSION = 5
"""The first version with a CRC."""

OPCODE_HASH_TEMPLATE = 242

PAYLOAD_FOOTER_BYTES = 10

IDLE_MAX_S = 2**24 - 2
"""Redis's clock of idle times has 24 bits; it gives no longer ones."""

_KEYS_A_LOOK = 64  # at the clock
_FOREVER_US = 2**63 - 1
_NAMED_KEYS = 3  # of each type that a report names

_FIRST_OPCODE = OPCODE_HASH_TEMPLATE
_NO_EXPIRY = -1
_NO_KEY = b""
_TYPE_STRING = TYPE_STRING


class PayloadFooterError(RdbError):
    """A payload's version is newer than what is known here, or its CRC is wrong."""


class Loader:
    """Loads a file into a sink, in steps.

    The sink has, and is told in the order of the file:
        key(db_index, key, value, expire_at, idle_s, freq)
            expire_at: unix ms, 0: never. Keys that have expired come too. idle_s and freq: how
            long it was not used and how often it was, as far as the file tells, else -1
        aux(name, value)                    facts about the file and who wrote it
        skipped(db_index, key, type_name)   a key of a type that Headwater does not have
        function(payload)                   a library of functions
    `checksum`: whether the CRC is verified, where there is one. `skip_unknown`: without it, keys
    that were skipped are an error at the end, which names their types and counts.

    The error at the end comes when everything was handed over: a sink that must not keep parts
    of a file throws away what it has. Bytes behind the end are not looked at: `source.offset()`
    tells where it was. A step raises RdbError, and what the source's file raises (OSError).
    """

    __slots__ = (
        "_checksum",
        "_counts",
        "_db_index",
        "_expire_at",
        "_extras",
        "_freq",
        "_idle_s",
        "_idmp_times",
        "_key",
        "_list",
        "_sink",
        "_skipped",
        "_skipper",
        "_started",
        "_stream",
        "_templates",
        "done",
        "keys",
        "skip_unknown",
        "source",
        "version",
    )

    def __init__(
        self, source: RdbSource, sink: Any, skip_unknown: bool = False, checksum: bool = True
    ) -> None:
        self.source = source
        self.version = 0
        self.keys = 0  # handed over so far
        self.skip_unknown = skip_unknown
        self.done = False
        self._sink = sink
        self._checksum = checksum
        self._started = False
        self._db_index = 0
        self._expire_at = 0
        self._idmp_times: list[int] | None = None
        self._extras: list[bytes] = []  # of the stream whose key comes next
        self._idle_s = -1
        self._freq = -1
        self._key = _NO_KEY
        self._stream: StreamDecoder | None = None  # at work on the value of `_key`
        self._list: ListDecoder | None = None  # likewise
        self._skipper: Skipper | None = None
        self._skipped: dict[str, list[bytes]] = {}  # by type, a few keys
        self._counts: dict[str, int] = {}
        self._templates: dict[int, int] = {}

    def step(self, budget_us: int) -> bool:
        """Load for about so long, a little at least; True: the whole file is loaded."""
        until_us = monotonic_us() + budget_us
        if not self._started:
            self._begin()
        count = _KEYS_A_LOOK
        while not self.done:
            if self._stream is not None:
                self._go_on_with_stream(until_us)
                count = 0
            elif self._list is not None:
                self._go_on_with_list(until_us)
                count = 0
            elif self._skipper is not None:
                self._go_on_skipping(until_us)
                count = 0
            else:
                self._next(self.source.u8(), until_us)
                count -= 1
            if count <= 0:
                if monotonic_us() >= until_us:
                    break
                count = _KEYS_A_LOOK
        return self.done

    def _begin(self) -> None:
        source = self.source
        if source.left() < HEADER_BYTES:
            raise RdbError("this is too short to be an RDB file", source.offset())
        magic = b""
        for _ in range(HEADER_BYTES):
            magic += bytes((source.u8(),))
        if magic[:5] != MAGIC or not magic[5:].isdigit():
            raise RdbError("this is not an RDB file: it does not begin like one", 0)
        self.version = int(magic[5:])
        if not OLDEST_VERSION <= self.version <= NEWEST_READ_VERSION:
            raise RdbError(
                f"this RDB file has version {self.version}; "
                f"{OLDEST_VERSION} to {NEWEST_READ_VERSION} can be read",
                5,
            )
        self._started = True

    def _next(self, kind: int, until_us: int) -> None:
        """Read what begins with this byte: an opcode, or the type of a key's value."""
        if kind >= _FIRST_OPCODE:
            self._read_opcode(kind)
            return
        self._key = self.source.text()
        if kind == _TYPE_STRING:
            self._hand_over(String(self._in_value(None)))
        elif kind in STREAM_TYPES:
            self._in_value(kind)
        elif kind in LIST_TYPES:
            self._begin_list(kind, until_us)
        else:
            self._begin_skipping(kind)

    def _in_value(self, kind: int | None) -> bytes:
        """Read the string of the key; of a stream the beginning. Errors tell the key."""
        try:
            if kind is None:
                return self.source.text()
            self._stream = StreamDecoder(self.source, kind)
            self._stream.idmp_times = self._idmp_times
            self._stream.extras = self._extras
        except RdbError as error:
            raise self._with_key(error) from None
        return _NO_KEY

    def _go_on_with_stream(self, until_us: int) -> None:
        decoder = self._stream
        assert decoder is not None
        try:
            if not decoder.step(until_us):
                return
        except RdbError as error:
            raise self._with_key(error) from None
        self._stream = None
        self._hand_over(decoder.stream)

    def _begin_list(self, kind: int, until_us: int) -> None:
        try:
            self._list = ListDecoder(self.source, kind)
        except RdbError as error:
            raise self._with_key(error) from None
        self._go_on_with_list(until_us)

    def _go_on_with_list(self, until_us: int) -> None:
        """Go on with a list. An empty one is no key: files of Redis may have it by a fault."""
        decoder = self._list
        assert decoder is not None
        try:
            if not decoder.step(until_us):
                return
        except RdbError as error:
            raise self._with_key(error) from None
        self._list = None
        if decoder.list.length:
            self._hand_over(decoder.list)
        else:
            self._forget_key()

    def _begin_skipping(self, kind: int) -> None:
        source = self.source
        if type_name(kind) is None:
            raise self._with_key(RdbError(f"values of type {kind} are not known", source.offset()))
        try:
            self._skipper = Skipper(source, kind, self._templates)
        except RdbError as error:
            raise self._with_key(error) from None

    def _go_on_skipping(self, until_us: int) -> None:
        skipper = self._skipper
        assert skipper is not None
        try:
            if not skipper.step(until_us):
                return
        except RdbError as error:
            raise self._with_key(error) from None
        self._skipper = None
        name = skipper.name
        self._counts[name] = self._counts.get(name, 0) + 1
        named = self._skipped.setdefault(name, [])
        if len(named) < _NAMED_KEYS:
            named.append(self._key)
        self._sink.skipped(self._db_index, self._key, name)
        self._forget_key()

    def _with_key(self, error: RdbError) -> RdbError:
        """The same error, telling where it is."""
        name = self._key[:100].decode("utf-8", "backslashreplace")
        text = f"key {name!r} of database {self._db_index}: {error.text}"
        return RdbError(text, error.offset)

    def _hand_over(self, value: Value) -> None:
        self.keys += 1
        self._sink.key(self._db_index, self._key, value, self._expire_at, self._idle_s, self._freq)
        self._forget_key()

    def _forget_key(self) -> None:
        self._key = _NO_KEY
        self._expire_at = 0
        self._idle_s = -1
        self._freq = -1
        self._idmp_times = None
        self._extras = []

    # --- opcodes ---

    def _read_opcode(self, opcode: int) -> None:
        source = self.source
        if opcode == OPCODE_EXPIRETIME_MS:
            self._set_expiry(source.i64())
        elif opcode == OPCODE_EXPIRETIME:
            seconds = source.u32()
            # A signed number of 32 bits.
            self._set_expiry(1000 * (seconds - 2**32 if seconds >= 2**31 else seconds))
        elif opcode == OPCODE_IDLE:
            self._idle_s = min(source.number(), IDLE_MAX_S)
        elif opcode == OPCODE_FREQ:
            self._freq = source.u8()
        elif opcode == OPCODE_SELECTDB:
            index = source.number()
            if index >= 2**31:
                source.fail(f"{index} is no database")
            self._db_index = index
        elif opcode == OPCODE_RESIZEDB:
            source.number()  # keys
            source.number()  # keys that expire
        elif opcode == OPCODE_SLOT_INFO:
            source.number()  # slot
            source.number()  # its keys
            source.number()  # those that expire
        elif opcode == OPCODE_AUX:
            name = source.text()
            value = source.text()
            if name == IDMP_TIMES:
                self._idmp_times = unpack_times(value)
            elif name == STREAM_EXTRAS:
                self._extras.append(value)
            else:
                self._sink.aux(name, value)
        elif opcode == OPCODE_FUNCTION2:
            self._sink.function(source.text())
        elif opcode == OPCODE_MODULE_AUX:
            skip_module_aux(source)
        elif opcode == OPCODE_KEY_META:
            skip_key_metadata(source)
        elif opcode == OPCODE_HASH_TEMPLATE:
            read_template(source, self._templates)
        elif opcode == OPCODE_FUNCTION_PRE_GA:
            source.fail("functions as release candidates of Redis 7.0 wrote them can not be read")
        else:
            self._read_end()

    def _set_expiry(self, at_ms: int) -> None:
        """Note when the next key expires; what is before 1970 has expired as well."""
        self._expire_at = 0 if at_ms == _NO_EXPIRY else max(1, at_ms)

    def _read_end(self) -> None:
        source = self.source
        if self.version >= CHECKSUM_VERSION:
            computed = source.crc()
            place = source.offset()
            said = source.i64()
            if self._checksum and source.summed and said != 0 and said & (2**64 - 1) != computed:
                raise RdbError("the file's CRC is not that of its content", place)
        self.done = True
        if self._skipped and not self.skip_unknown:
            raise RdbError(
                "the file has keys of types that Headwater does not have: "
                + "; ".join(
                    [_counted(n, self._counts[n], keys) for n, keys in self._skipped.items()]
                ),
                source.offset(),
            )


def _counted(name: str, count: int, keys: list[bytes]) -> str:
    """How a type of keys and their number are reported, with a few of their names."""
    names = [key[:100].decode("utf-8", "backslashreplace") for key in keys]
    if len(names) < count:
        names.append("...")
    return f"{count} {name} ({', '.join(names)})"


def load_libraries(payload: bytes) -> list[bytes]:
    """The code of the libraries in a payload of FUNCTION DUMP; errors as of load_payload."""
    buf, end = _checked(payload, 0)
    source = payload_source(buf, 0, end)
    codes = []
    while source.left():
        kind = source.u8()
        if kind == OPCODE_FUNCTION_PRE_GA:
            source.fail("Pre-GA function format not supported")
        if kind != OPCODE_FUNCTION2:
            source.fail("given type is not a function")
        try:
            codes.append(source.text())
        except RdbError as error:
            raise RdbError("Failed loading library payload", error.offset) from None
    return codes


def _checked(payload: bytes, least: int) -> tuple[bytearray, int]:
    """A payload and where its foot begins; raises PayloadFooterError for one that is not right."""
    end = len(payload) - PAYLOAD_FOOTER_BYTES
    if end < least:
        raise PayloadFooterError("this is too short to be a payload", 0)
    buf = bytearray(payload)
    if get_u16(buf, end) > NEWEST_READ_VERSION:
        raise PayloadFooterError("the payload has a version that is not known", end)
    if get_u64(buf, end + 2) != crc64(buf, 0, end + 2, 0):
        raise PayloadFooterError("the payload's CRC is not that of its content", end + 2)
    return buf, end


def load_payload(payload: bytes) -> Value:
    """The value in a payload of DUMP, Redis's or Headwater's.

    Raises PayloadFooterError when its version is too new or its CRC wrong, RdbError when the
    value is broken or of a type that Headwater does not have.
    """
    buf, end = _checked(payload, 1)
    source = payload_source(buf, 0, end)
    kind = source.u8()
    if kind == OPCODE_KEY_META:
        skip_key_metadata(source)
        kind = source.u8()
    value: Value
    if kind == TYPE_STRING:
        value = String(source.text())
    elif kind in STREAM_TYPES:
        decoder = StreamDecoder(source, kind)
        while not decoder.step(_FOREVER_US):
            pass
        value = decoder.stream
    elif kind in LIST_TYPES:
        reader = ListDecoder(source, kind)
        while not reader.step(_FOREVER_US):
            pass
        if reader.list.length == 0:
            source.fail("an empty list")
        value = reader.list
    else:
        source.fail(f"a value of type {kind} ({type_name(kind) or 'not known'})")
    if source.left() != 0:
        source.fail("there is something behind the value")
    return value
