"""RDB files made by hand: numbers, strings, opcodes, what is skipped, and what is refused."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.keyspace.strings import String
from headwater.rdb.loader import Loader
from headwater.rdb.skipping import module_name
from headwater.rdb.source import PIECE_BYTES, RdbError, RdbSource, bytes_source
from headwater.streams.stream import Stream
from support import rdb_bytes as made
from support.rdb_reading import MemoryFile, Sink, load

K = b"k"
END = made.key(0, b"end", made.string(b"x"))
"""A key behind the one that is looked at: it is found if that one is read exactly."""


def refused(data: bytes, skip_unknown: bool = True, checksum: bool = True) -> str:
    with pytest.raises(RdbError) as caught:
        load(data, skip_unknown, checksum)
    assert 0 <= caught.value.offset <= len(data)
    return str(caught.value)


def string_of(value: bytes) -> bytes:
    """What a string value in any encoding stands for."""
    sink = load(made.file(made.key(0, K, value) + END))
    assert list(sink.keys) == [(0, K), (0, b"end")]
    found = sink.keys[0, K]
    assert isinstance(found, String)
    return found.content()


# --- strings ---


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"\x00", b""),
        (b"\x03abc", b"abc"),
        (b"\x40\x03abc", b"abc"),
        (b"\x80\x00\x00\x00\x03abc", b"abc"),
        (b"\x81" + bytes(7) + b"\x03abc", b"abc"),
        (b"\xc0\x05", b"5"),
        (b"\xc0\x80", b"-128"),
        (b"\xc0\xff", b"-1"),
        (b"\xc1\x00\x80", b"-32768"),
        (b"\xc1\xff\x7f", b"32767"),
        (b"\xc2\x00\x00\x00\x80", b"-2147483648"),
        (b"\xc2\xff\xff\xff\x7f", b"2147483647"),
        (b"\xc3\x05\x10\x00a\xe0\x06\x00", b"a" * 16),
        (b"\xc3\x00\x00", b""),
    ],
)
def test_every_encoding_of_strings(value: bytes, expected: bytes) -> None:
    assert string_of(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        b"\x04abc",
        b"\x81" + b"\xff" * 8 + b"abc",
        b"\x80\xff\xff\xff\xffabc",
        b"\x82abc",
        b"\xbfabc",
        b"\xc4abc",
        b"\xff",
        b"\xc2\x00",
        b"\xc3\xc0\x10",
        b"\xc3\x05\x11\x00a\xe0\x06\x00",
        b"\xc3\x05\x0f\x00a\xe0\x06\x00",
        b"\xc3\x05\x10\x00a\xe0\x06\x05",
        b"\xc3\x01\x81" + b"\xff" * 8 + b"a",
        b"\xc3\x81" + b"\xff" * 8 + b"\x01a",
        b"\xc3\x01\x80\x10\x00\x00\x00a",
    ],
)
def test_strings_that_can_not_be(value: bytes) -> None:
    refused(made.file(made.key(0, K, value)))


@pytest.mark.parametrize(
    "n", [0, 1, 63, 64, 16383, 16384, PIECE_BYTES - 30, 3 * PIECE_BYTES, 6_000_000]
)
@pytest.mark.parametrize("piece", [7919, PIECE_BYTES])
def test_strings_of_any_length_from_files_that_give_little(n: int, piece: int) -> None:
    data = random.Random(n).randbytes(n)
    whole = made.file(made.key(0, K, made.string(data)) + END, crc=False)
    sink = Sink()
    loader = Loader(RdbSource(MemoryFile(whole, piece), len(whole), False), sink)
    while not loader.step(10**6):
        pass
    found = sink.keys[0, K]
    assert isinstance(found, String)
    assert found.content() == data
    assert (0, b"end") in sink.keys
    assert loader.source.offset() == len(whole)


def test_a_file_that_became_shorter() -> None:
    whole = made.file(made.key(0, K, made.string(b"x" * 3000)))
    sink = Sink()
    loader = Loader(RdbSource(MemoryFile(whole[:2000]), len(whole), True), sink)
    with pytest.raises(RdbError, match="shorter") as caught:
        loader.step(10**6)
    assert caught.value.offset == 2000


# --- what stands around keys ---


def test_databases_expiry_and_use() -> None:
    value = made.string(b"v")
    body = (
        b"\xfa" + made.string(b"redis-ver") + made.string(b"8.2.3")
        + b"\xfa" + made.string(b"ctime") + b"\xc2" + struct.pack("<i", 1_700_000_000)
        + made.select(0) + b"\xfb" + made.length(9) + made.length(1)
        + made.key(0, b"plain", value)
        + b"\xfc" + struct.pack("<q", 1_700_000_000_123) + made.key(0, b"ms", value)
        + b"\xfd" + struct.pack("<i", 1_700_000_000) + made.key(0, b"s", value)
        + made.select(70_000)
        + b"\xf8" + made.length(500) + made.key(0, b"idle", value)
        + b"\xf8" + made.length(2**64 - 1) + made.key(0, b"long idle", value)
        + b"\xf9\xff" + made.key(0, b"freq", value)
        + b"\xfc" + struct.pack("<q", -1) + made.key(0, b"never", value)
        + b"\xfd" + struct.pack("<i", -5) + made.key(0, b"long ago", value)
        + b"\xf5" + made.string(b"#!lua name=x")
        + b"\xf4\x01\x02\x03"
        + made.key(0, b"last", value)
    )  # fmt: skip
    sink = load(made.file(body))
    assert sink.aux_fields == [(b"redis-ver", b"8.2.3"), (b"ctime", b"1700000000")]
    assert sink.functions == [b"#!lua name=x"]
    assert sink.facts == {
        b"plain": (0, -1, -1),
        b"ms": (1_700_000_000_123, -1, -1),
        b"s": (1_700_000_000_000, -1, -1),
        b"idle": (0, 500, -1),
        b"long idle": (0, 2**24 - 2, -1),
        b"freq": (0, -1, 255),
        b"never": (0, -1, -1),
        b"long ago": (1, -1, -1),
        b"last": (0, -1, -1),
    }
    assert [db for db, _ in sink.keys] == [0, 0, 0, 70_000, 70_000, 70_000, 70_000, 70_000, 70_000]


def test_modules_and_their_metadata_are_passed_over() -> None:
    part = b"\x01\x05\x02\x43\xe8\x03aaaa\x04aaaaaaaa\x05\x03abc\x00"
    number = made.length((1 << 63) | 5)
    body = (
        b"\xf7" + number + b"\x02\x01" + part
        + b"\xf3\x02" + b"abcd" + part + b"efgh\x00" + made.key(0, K, made.string(b"v"))
        + made.key(7, b"m", number + part)
        + END
    )  # fmt: skip
    sink = load(made.file(body), True)
    assert list(sink.keys) == [(0, K), (0, b"end")]
    assert sink.left_out == [(0, b"m", f"module {module_name((1 << 63) | 5)}")]
    for broken in (b"\x06\x00", b"\x05\xff", b"\xc0\x00"):
        refused(made.file(made.key(7, b"m", number + broken)))


def test_the_name_of_a_module() -> None:
    """Nine letters of six bits each, then ten bits of version."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    number = 0
    for letter in "ReJSON-RL":
        number = number << 6 | letters.index(letter)
    assert module_name(number << 10 | 3) == "ReJSON-RL"


LP = made.string(made.listpack([made.text(b"a"), made.text(b"1")]))
S = made.string(b"some")
TTL = struct.pack("<q", 1_700_000_000_000)
SKIPPED = [
    (2, "set", b"\x02" + S + b"\xc3\x05\x10\x00a\xe0\x06\x00"),
    (11, "set", S),
    (20, "set", LP),
    (3, "zset", b"\x04" + S + b"\x031.5" + S + b"\xfd" + S + b"\xfe" + S + b"\xff"),
    (5, "zset", b"\x01" + S + struct.pack("<d", 1.5)),
    (12, "zset", S),
    (17, "zset", LP),
    (4, "hash", b"\x02" + S + S + b"\xc1\x00\x05" + S),
    (9, "hash", S),
    (13, "hash", S),
    (16, "hash", LP),
    (22, "hash", b"\x02\x00" + S + S + made.length(2**41) + S + S),
    (23, "hash", LP),
    (24, "hash", TTL + b"\x02\x00" + S + S + b"\x45\x01" + S + S),
    (25, "hash", TTL + LP),
    (28, "array", b"\x03\x00\x00\x01" + TTL + b"\x01\x02" + TTL + b"\x03\x00" + S),
    (28, "array", b"\x01\x00\x02\x03" + S),
    (28, "array", b"\x00\x01\x80\x00\x00\x00\x05"),
    (30, "hash", LP),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "name", "value"), SKIPPED)
def test_values_of_other_types_are_skipped_exactly(kind: int, name: str, value: bytes) -> None:
    key = made.key(kind, K, value)
    data = made.file(made.select(3) + b"\xfc" + TTL + key + END)
    sink = load(data, True)
    assert sink.left_out == [(3, K, name)]
    assert sink.facts == {b"end": (0, -1, -1)}
    for n in range(len(key)):
        refused(made.file(key[:n], crc=False)[:-9], checksum=False)
    assert f"1 {name} (k)" in refused(data, skip_unknown=False)


def test_hashes_that_follow_a_template() -> None:
    templates = b"\xf2\x07\x02" + S + S + b"\xf2\x50\x00\x03" + S + S + S
    keys = made.key(32, b"two", b"\x07" + S + S) + made.key(32, b"three", b"\x50\x00" + S + S + S)
    sink = load(made.file(templates + keys + END, 16), True)
    assert [key for _, key, _ in sink.left_out] == [b"two", b"three"]
    assert "template, 7," in refused(made.file(keys, 16))
    assert "twice" in refused(made.file(templates + templates, 16))
    refused(made.file(b"\xf2\x07\x81" + b"\xff" * 8 + S, 16))


@pytest.mark.parametrize("kind", [6, 8, 29, 31, 33, 34, 99, 200, 241])
def test_a_value_whose_layout_is_not_known_ends_the_load(kind: int) -> None:
    data = made.file(made.select(2) + made.key(kind, b"odd", b"\x01\x01") + END)
    text = refused(data)
    assert f"type {kind}" in text
    assert "'odd'" in text
    assert "database 2" in text


def test_functions_of_release_candidates_are_refused() -> None:
    assert "release candidates" in refused(made.file(b"\xf6" + S))


def test_keys_that_can_not_be_kept_are_told_at_the_end() -> None:
    sets = b"".join(made.key(2, b"set%d" % i, b"\x00") for i in range(5))
    data = made.file(sets + made.key(4, b"h\xff", b"\x00") + END)
    sink = Sink()
    loader = Loader(bytes_source(data), sink)
    with pytest.raises(RdbError) as caught:
        loader.step(10**9)
    assert loader.done
    assert "5 set (set0, set1, set2, ...); 1 hash (h\\xff)" in caught.value.text
    assert (0, b"end") in sink.keys
    assert len(sink.left_out) == 6


def test_the_key_is_named_when_its_value_is_broken() -> None:
    stream = made.stream_of([((1, 1), [(b"f", b"v")], False)])
    stream.length = 2
    data = made.file(made.select(4) + made.key(21, b"orders\n", stream.encode(3)))
    assert "'orders\\n' of database 4" in refused(data)
    assert "'odd'" in refused(made.file(made.key(0, b"odd", b"\xc4")))
    assert "'odd'" in refused(made.file(made.key(1, b"odd", b"\x01\xc4")))
    assert "'odd'" in refused(made.file(made.key(18, b"odd", b"\xc4")))


# --- the file as a whole ---


@pytest.mark.parametrize("version", [1, 2, 5, 9, 12, 14, 16])
def test_versions(version: int) -> None:
    sink = load(made.file(END, version))
    assert list(sink.keys) == [(0, b"end")]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"REDIS001",
        b"REDIS0000\xff" + bytes(8),
        b"REDIS0017\xff" + bytes(8),
        b"REDIS-001\xff" + bytes(8),
        b"REDIS00\xb2\xb2\xff" + bytes(8),
        b"VALKEY080\xff" + bytes(8),
        b"*1\r\n$4\r\nPING\r\n",
    ],
)
def test_what_is_no_rdb_file(data: bytes) -> None:
    refused(data)


def test_the_crc_is_verified_where_there_is_one() -> None:
    data = made.file(END)
    broken = data[:-1] + bytes([data[len(data) - 1] ^ 1])
    assert "CRC" in refused(broken)
    assert load(broken, checksum=False).keys
    assert load(made.file(END, crc=False)).keys
    refused(data[:-1])
    # What stands behind belongs to somebody else.
    assert load(data + b"more").keys


def big_file() -> bytes:
    """Two big streams, one with much pending, a big list and a module's value."""
    entries = [((1 + i, 0), [(b"f", b"%d" % i)], False) for i in range(2000)]
    stream = made.StreamBytes(
        [made.node(entries[i : i + 20]) for i in range(0, 2000, 20)], 2000, (2000, 0), added=2000
    )
    pending = [(entry_id, 5000 - entry_id[0], 1) for entry_id, _, _ in entries]
    owned = [entry_id for entry_id, _, _ in entries]
    half = made.ConsumerBytes(b"a", owned[::2]), made.ConsumerBytes(b"b", owned[1::2])
    stream.groups = [
        made.GroupBytes(b"g%d" % i, (2000, 0), 2000, pending, list(half)) for i in (1, 2)
    ]
    module = made.length(1) + b"\x01\x05" * 9000 + b"\x00"
    body = made.key(21, b"s1", stream.encode(3)) + made.key(21, b"s2", stream.encode(3))
    body += made.key(1, b"l", made.length(20_000) + made.string(b"item") * 20_000)
    body += made.key(7, b"m", module)
    body += made.key(28, b"a", made.length(9000) + b"\x00" + (b"\x05\x03" + S) * 9000)
    body += b"".join(made.key(0, b"k%d" % i, made.string(b"v")) for i in range(2000))
    return made.file(body)


def test_a_load_can_be_done_in_any_number_of_steps() -> None:
    data = big_file()
    at_once = load(data, True)
    sink = Sink()
    loader = Loader(bytes_source(data), sink, True)
    steps = 1
    while not loader.step(0):
        steps += 1
        assert loader.keys == len(sink.keys)
    assert steps > 40
    assert sink.facts == at_once.facts
    assert sink.left_out == at_once.left_out
    stream = sink.keys[0, b"s2"]
    assert isinstance(stream, Stream)
    assert stream.length == 2000
    assert stream.groups is not None
    stream.groups[b"g2"].check()
    assert [stream.groups[b"g1"].pending.count_of(owner) for owner in (1, 2)] == [1000, 1000]
    loader.step(0)
    assert loader.done


entries = [((i, 1), [(b"f", b"%d" % i)], i == 3) for i in range(1, 9)]
small = made.file(
    b"\xfa" + S + S + made.select(1) + b"\xfc" + TTL
    + made.key(21, b"s", made.stream_of(entries).encode(3))
    + made.key(0, K, b"\xc3\x05\x10\x00a\xe0\x06\x00")
    + made.key(24, b"h", TTL + b"\x02\x00" + S + S + b"\x45\x01" + S + S)
    + b"\xf2\x07\x01" + S + made.key(32, b"t", b"\x07" + S)
    + made.key(28, b"a", b"\x01\x00\x00\x03" + S) + made.key(7, b"m", b"\x01\x05\x01a\x00"),
    16,
)  # fmt: skip


def test_every_prefix_of_a_file_is_refused() -> None:
    assert len(load(small, True).keys) == 2
    for n in range(len(small)):
        refused(small[:n])


def test_every_flipped_bit_is_refused() -> None:
    for place in range(len(small)):
        for bit in range(8):
            data = bytearray(small)
            data[place] ^= 1 << bit
            with pytest.raises(RdbError):
                load(bytes(data), True)


@given(
    st.binary(max_size=200), st.integers(0, len(small)), st.integers(0, len(small)), st.booleans()
)
def test_anything_else_is_refused_or_loaded(
    noise: bytes, begin: int, end: int, checksum: bool
) -> None:
    data = small[:begin] + noise + small[max(begin, end) :]
    place = len(data)
    try:
        load(data, True, checksum)
    except RdbError as error:
        place = error.offset
    assert 0 <= place <= len(data)
