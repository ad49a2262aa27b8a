"""Streams, files and payloads as they are written; redis-server reads them in `tests/parity`."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.keyspace.strings import String
from headwater.rdb.crc64 import crc64
from headwater.rdb.encoder import (
    Encoder,
    dump_payload,
    file_version,
    needed_version,
    standard_aux,
    value_type,
)
from headwater.rdb.listpack import Packer
from headwater.resp.request import from_words
from headwater.streams.block import Block
from headwater.streams.group import Group
from headwater.streams.idmp import Idmp
from headwater.streams.stream import Stream
from headwater.value import Value
from support.embedded import NOW_MS, Embedded

MAX = 2**64 - 1
NOW = NOW_MS.to_bytes(8, "little").hex()
NEVER = "ff" * 8


def add(stream: Stream, ms: int, seq: int, *words: bytes, entries: int = 100) -> None:
    stream.append(ms, seq, from_words(list(words)), 0, len(words) // 2, entries, 4096)


def id_hex(ms: int, seq: int) -> str:
    return f"{ms:016x}{seq:016x}"


def payload(value: Value) -> tuple[int, str, int]:
    """Type, body in hex and version of a payload whose CRC is right; nothing is compressed."""
    data = bytearray(dump_payload(value, False))
    assert int.from_bytes(data[-8:], "little") == crc64(data, 0, len(data) - 8, 0)
    return data[0], data[1:-10].hex(), int.from_bytes(data[-10:-8], "little")


def written(value: Value, max_bytes: int, *, compress: bool = True) -> tuple[bytes, int]:
    """A value written in steps, and how many those were."""
    encoder = Encoder(compress)
    encoder.begin_value(value, value_type(value))
    steps = 1
    while not encoder.step(max_bytes):
        steps += 1
    return encoder.take(), steps


# --- listpacks ---


def unpacked(listpack: bytes) -> list[int | bytes]:
    """The elements, by a reader that knows nothing of the writer; lengths are checked."""
    assert int.from_bytes(listpack[:4], "little") == len(listpack)
    assert listpack[-1] == 255
    found: list[int | bytes] = []
    pos = 6
    while pos < len(listpack) - 1:
        start, first = pos, listpack[pos]
        if first < 0x80:
            found.append(first)
            pos += 1
        elif first < 0xC0:
            found.append(listpack[pos + 1 : pos + 1 + first - 0x80])
            pos += 1 + first - 0x80
        elif first < 0xE0:
            value = (first & 31) << 8 | listpack[pos + 1]
            found.append(value - 8192 if value >= 4096 else value)
            pos += 2
        elif first < 0xF0:
            n = (first & 15) << 8 | listpack[pos + 1]
            found.append(listpack[pos + 2 : pos + 2 + n])
            pos += 2 + n
        elif first == 0xF0:
            n = int.from_bytes(listpack[pos + 1 : pos + 5], "little")
            found.append(listpack[pos + 5 : pos + 5 + n])
            pos += 5 + n
        else:
            width = {0xF1: 2, 0xF2: 3, 0xF3: 4, 0xF4: 8}[first]
            number = int.from_bytes(listpack[pos + 1 : pos + 1 + width], "little", signed=True)
            found.append(number)
            pos += 1 + width
        back = back_length(pos - start)
        assert listpack[pos : pos + len(back)] == back
        pos += len(back)
    assert min(len(found), 65535) == int.from_bytes(listpack[4:6], "little")
    return found


def back_length(size: int) -> bytes:
    """Seven bits a byte, the lowest last; all but the first have the highest bit set."""
    width = 1 if size <= 127 else next(n for n in (2, 3, 4, 5) if size < 128**n - 1)
    parts = [size >> 7 * n & 127 for n in reversed(range(width))]
    return bytes([parts[0], *(part | 128 for part in parts[1:])])


def packed(block: Block) -> bytes:
    packer = Packer()
    packer.pack(block)
    return bytes(packer.buf[: packer.used])


def text(element: int | bytes) -> bytes:
    return element if isinstance(element, bytes) else b"%d" % element


def entries_of(elements: list[int | bytes], ms: int, seq: int) -> list[tuple[bytes, ...]]:
    """(ID, words) of every entry of a node, read from the front."""
    rest = iter(elements)

    def number() -> int:
        value = next(rest)
        assert isinstance(value, int)
        return value

    count, deleted, fields = number(), number(), number()
    assert deleted == 0
    names = [text(next(rest)) for _ in range(fields)]
    assert number() == 0
    found = []
    for _ in range(count):
        flags = number()
        entry_id = b"%d-%d" % ((ms + number()) % 2**64, (seq + number()) % 2**64)
        words = []
        if flags == 2:
            for name in names:
                words += [name, text(next(rest))]
            assert number() == fields + 3
        else:
            assert flags == 0
            n = number()
            words = [text(next(rest)) for _ in range(2 * n)]
            assert number() == 2 * n + 4
        found.append((entry_id, *words))
    assert next(rest, None) is None
    return found


def stored_entries(block: Block) -> list[tuple[bytes, ...]]:
    """(ID, words) of every entry, read from the block's RESP."""
    found = []
    for slot in range(block.first, block.slots):
        lines = bytes(block.buf[block.offset(slot) : block.offset(slot + 1)])
        words, pos = [], lines.index(b"\r\n") + 2
        while pos < len(lines):
            end = lines.index(b"\r\n", pos)
            n = int(lines[pos + 1 : end])
            kind, pos = lines[pos], end + 2
            if kind == 36:
                words.append(lines[pos : pos + n])
                pos += n + 2
        found.append(tuple(words))
    return found


INTEGERS = st.sampled_from([0, 127, 128, 4095, 4096, 32767, 32768, 2**23, 2**31, 2**32, 2**63])
WORDS = st.one_of(
    st.binary(max_size=70),
    st.tuples(INTEGERS, st.integers(-1, 1), st.sampled_from([1, -1])).map(
        lambda parts: b"%d" % (parts[2] * parts[0] + parts[1])
    ),
    st.sampled_from(
        [b"", b"007", b"-0", b"+1", b"v" * 126, b"v" * 4095, b"v" * 4096, b"w" * 20000]
    ),
)
ENTRIES = st.lists(
    st.tuples(st.sampled_from([0, 0, 1, 2, 3]), st.lists(WORDS, min_size=5, max_size=5)), min_size=1
)
SHAPES = ((b"a", b"bb", b"ccc"), (b"a",), (b"a", b"bb", b"ccd"), (b"7", b"x" * 100))


@given(ENTRIES, st.sampled_from([(0, 1), (5, 5), (2**63, MAX - 3), (MAX - 9, 2**63)]))
def test_a_listpack_holds_the_entries_of_the_block(
    shapes: list[tuple[int, list[bytes]]], start: tuple[int, int]
) -> None:
    ms, seq = start
    block = Block(0)
    for number, (shape, values) in enumerate(shapes):
        names = SHAPES[shape % len(SHAPES)]
        words = [word for name, value in zip(names, values, strict=False) for word in (name, value)]
        block.append(ms, seq, from_words(words), 0, len(names))
        # The second half goes up, and in a later millisecond down again.
        ms, seq = (ms + 1, number) if shape == 3 and ms < MAX else (ms, (seq + 1) & MAX)
        if (ms, seq) == (MAX, 0):
            break
        if seq == 0:
            ms += 1
    listpack = packed(block)
    assert len(listpack) == block.listpack_bytes()
    assert entries_of(unpacked(listpack), *start) == stored_entries(block)


def test_entries_that_are_gone_are_left_out() -> None:
    block = Block(0)
    for n in range(1, 8):
        block.append(n, 0, from_words([b"f%d" % (n % 2), b"%d" % n]), 0, 1)
    block.drop_first(2)
    block = block.without(4)
    packer = Packer()
    packer.pack(block)
    assert (packer.ms, packer.seq) == (3, 0)
    elements = unpacked(bytes(packer.buf[: packer.used]))
    assert elements[:5] == [4, 0, 1, b"f1", 0]
    assert entries_of(elements, 3, 0) == stored_entries(block)


def test_a_listpack_of_more_elements_than_its_head_can_tell() -> None:
    block = Block(0)
    words = [b"%d" % (n % 100) for n in range(2 * 40_000)]
    block.append(1, 1, from_words(words), 0, 40_000)
    listpack = packed(block)
    assert listpack[4:6] == b"\xff\xff"
    assert entries_of(unpacked(listpack), 1, 1) == [(b"1-1", *words)]


def test_one_packer_does_many_blocks() -> None:
    packer = Packer()
    for size in (1, 5_000_000, 70, 3):
        block = Block(0)
        block.append(1, size, from_words([b"f", b"x" * size]), 0, 1)
        packer.pack(block)
        assert entries_of(unpacked(bytes(packer.buf[: packer.used])), 1, size) == [
            (b"1-%d" % size, b"f", b"x" * size)
        ]
    assert len(packer.buf) < 1_000_000, "what one big block needed is given back"


# --- streams ---

NODE = (
    "26 26000000 0f00 0201 0001 0101 816602 0001"
    "0201 0001 0001 0701 0401 0201 0101 0101 0801 0401 ff"
)


def two_entries() -> Stream:
    stream = Stream()
    add(stream, 5, 1, b"f", b"7")
    add(stream, 6, 2, b"f", b"8")
    return stream


BLOCKS = "01 10" + id_hex(5, 1) + NODE
FACTS = "02 06 02 05 01 00 00 02"
"""Length, last ID, first ID, max deleted ID, entries added."""


def squeezed(*parts: str) -> str:
    return "".join(parts).replace(" ", "")


def test_a_stream() -> None:
    assert payload(two_entries()) == (21, squeezed(BLOCKS, FACTS, "00"), 11)


def test_an_empty_stream_remembers_its_past() -> None:
    stream = two_entries()
    stream.delete(5, 1)
    stream.delete(6, 2)
    assert payload(stream) == (21, "00" + "00 06 02 00 00 06 02 02 00".replace(" ", ""), 11)


def test_numbers_of_any_size() -> None:
    stream = Stream()
    stream.last_ms = MAX
    stream.last_seq = 2**32
    stream.max_deleted_ms = 16384
    stream.max_deleted_seq = 64
    stream.entries_added = 2**63
    long = "81ffffffffffffffff 810000000100000000 00 00 8000004000 4040 818000000000000000"
    assert payload(stream) == (21, squeezed("00 00", long, "00"), 11)


def with_group(stream: Stream) -> Group:
    """A group with two consumers: one has 5-1 pending, the other nothing."""
    group = Group(b"g", 5, 1, -1)
    busy = group.create_consumer(b"busy", NOW_MS)
    busy.active_ms = NOW_MS - 1
    group.create_consumer(b"idle", NOW_MS)
    group.pending.add(5, 1, busy.number, NOW_MS, 300)
    stream.groups = {b"g": group}
    return group


BEFORE = f"{(NOW_MS - 1).to_bytes(8, 'little').hex()}"
GROUP = "0167 05 01 81ffffffffffffffff"


def test_groups() -> None:
    stream = two_entries()
    with_group(stream)
    pending = "01" + id_hex(5, 1) + NOW + "412c"
    consumers = (
        f"02 04{b'busy'.hex()} {NOW} {BEFORE} 01 {id_hex(5, 1)} 04{b'idle'.hex()} {NOW} {NEVER} 00"
    )
    assert payload(stream) == (21, squeezed(BLOCKS, FACTS, "01", GROUP, pending, consumers), 11)


def test_nacked_entries_stand_behind_the_consumers_in_the_order_of_their_release() -> None:
    stream = two_entries()
    group = with_group(stream)
    for ms in (9, 7, 8):
        group.pending.add(ms, MAX, 0, 0, 2)
    lists = [id_hex(ms, MAX) for ms in (7, 8, 9)]
    pending = f"04 {id_hex(5, 1)} {NOW} 412c" + "".join(f"{each} {'00' * 8} 02" for each in lists)
    consumers = (
        f"02 04{b'busy'.hex()} {NOW} {BEFORE} 01 {id_hex(5, 1)} 04{b'idle'.hex()} {NOW} {NEVER} 00"
    )
    nacked = "03" + "".join(id_hex(ms, MAX) for ms in (9, 7, 8))
    no_window = "4064 4064 00 00 00"
    wanted = squeezed(BLOCKS, FACTS, "01", GROUP, pending, consumers, nacked, no_window)
    assert payload(stream) == (27, wanted, 14)


def with_window(stream: Stream) -> None:
    """Two producers, of whom one has sent two entries."""
    idmp = Idmp(86400, 2)
    for pid, iid, ms in ((b"q", b"first", 5), (b"p", b"17", 6), (b"q", b"second", 6)):
        idmp.record(pid, iid, ms, 2**40, NOW_MS)
    idmp.added = 3
    idmp.duplicates = 70
    stream.idmp = idmp


WINDOW = squeezed(
    "8000015180 02 02",
    f"0171 02 05{b'first'.hex()} 05 810000010000000000 06{b'second'.hex()} 06 810000010000000000",
    "0170 01 c011 06 810000010000000000",
    "03 4046",
)


def test_windows_of_idempotent_ids() -> None:
    stream = two_entries()
    with_window(stream)
    assert payload(stream) == (26, squeezed(BLOCKS, FACTS, "00") + WINDOW, 13)


def test_a_stream_of_the_newest_type_has_everything() -> None:
    stream = two_entries()
    with_window(stream)
    group = Group(b"g", 0, 0, 0)
    group.pending.add(5, 1, 0, 0, 1)
    stream.groups = {b"g": group}
    lists = f"01 0167 00 00 00 01 {id_hex(5, 1)} {'00' * 8} 01 00 01 {id_hex(5, 1)}"
    assert payload(stream) == (27, squeezed(BLOCKS, FACTS, lists) + WINDOW, 14)


def test_a_window_that_saw_nothing_is_what_redis_writes_for_every_stream() -> None:
    # Byte for byte what DUMP of Redis 8.6 answers after XADD with the ID 1-0, field k, value v.
    stream = Stream()
    add(stream, 1, 0, b"k", b"v")
    stream.idmp = Idmp(100, 100)
    node = "1d1d0000000a000101000101 01816b020001020100010001817602 0401ff"
    wanted = squeezed("0110", id_hex(1, 0), node, "01 0100 0100 0000 01 00 4064 4064 00 00 00")
    assert payload(stream) == (26, wanted, 13)


def big_stream() -> Stream:
    """Hundreds of blocks, thousands of pending entries and remembered IDs."""
    rng = random.Random(7)
    stream = Stream()
    for n in range(1, 1501):
        add(stream, n, 0, b"f", b"%d" % n, b"text", rng.randbytes(9).hex().encode(), entries=5)
    group = Group(b"g", 1500, 0, 1500)
    consumers = [group.create_consumer(b"c%d" % n, NOW_MS) for n in range(9)]
    for n in range(1, 1501):
        if n % 3:
            group.pending.add(n, 0, rng.choice(consumers).number, NOW_MS + n, n)
        else:
            group.pending.add(n, 0, 0, 0, 1)
    other = Group(b"other", 0, 0, 0)
    for n in range(40):
        other.create_consumer(b"consumer-%d" % n, NOW_MS)
    stream.groups = {b"g": group, b"other": other, b"third": Group(b"third", 1, 1, 1)}
    stream.idmp = Idmp(100, 10_000)
    for n in range(1500):
        stream.idmp.record(b"pid-%d" % (n * n % 3), b"iid-%d" % n, n, 0, NOW_MS)
    return stream


def test_how_far_a_step_goes_makes_no_difference() -> None:
    stream = big_stream()
    whole, steps = written(stream, 2**40)
    assert steps == 1
    for max_bytes in (1, 100, 1000, 65536):
        assert written(stream, max_bytes)[0] == whole
    # One part each: a block, 256 pending entries or idempotent IDs, a consumer, a group.
    assert written(stream, 0)[1] > 300 + 2 * (1500 // 256) + 49
    assert written(stream, 10_000)[1] < len(whole) // 5000


def test_no_step_writes_much_more_than_it_was_asked_for() -> None:
    encoder = Encoder(False)
    encoder.begin_value(big_stream(), 27)
    encoder.take()
    done = False
    while not done:
        done = encoder.step(1000)
        assert len(encoder.take()) < 1000 + 256 * 33


def test_an_encoder_is_as_good_as_new_after_each_value() -> None:
    encoder = Encoder(True)
    streams = [big_stream(), two_entries(), big_stream(), Stream()]
    for stream in streams:
        encoder.begin_value(stream, value_type(stream))
        while not encoder.step(5000):
            pass
        assert encoder.take() == written(stream, 2**40)[0]


# --- strings ---


@given(st.binary(max_size=100))
def test_a_string_is_written_at_once(data: bytes) -> None:
    assert payload(String(data))[::2] == (0, 6)
    assert written(String(data), 1)[1] == 1


def test_a_very_long_string_is_written_in_pieces() -> None:
    data = random.Random(2).randbytes(3_000_000)
    got, steps = written(String(data), 100_000)
    assert got == b"\x80" + (3_000_000).to_bytes(4, "big") + data
    assert steps == 31
    assert written(String(data), 0)[0] == got


def test_other_values_have_no_type() -> None:
    with pytest.raises(TypeError):
        dump_payload(Value(), True)


# --- files ---


def test_a_file() -> None:
    encoder = Encoder(True)
    encoder.begin_file(11, [*standard_aux("8.10.0", 1_700_000_000, 5_000_000, True), (b"a", b"b")])
    encoder.select(0, 2, 1)
    encoder.begin(b"key", String(b"value"), 0)
    assert encoder.step(100)
    encoder.begin(b"12", String(b"x"), NOW_MS)
    assert encoder.step(100)
    encoder.select(300, 1, 0)
    encoder.begin(b"s", two_entries(), 0)
    assert encoder.step(100_000)
    encoder.end_file(checksum=True)
    data = bytearray(encoder.take())
    wanted = (
        b"REDIS0011"
        b"\xfa\x09redis-ver\x068.10.0" + b"\xfa\x0aredis-bits\xc0\x40"
        b"\xfa\x05ctime\xc2\x00\xf1\x53\x65" + b"\xfa\x08used-mem\xc2\x40\x4b\x4c\x00"
        b"\xfa\x08aof-base\xc0\x01" + b"\xfa\x01a\x01b"
        b"\xfe\x00\xfb\x02\x01"
        b"\x00\x03key\x05value"
        b"\xfc" + bytes.fromhex(NOW) + b"\x00\xc0\x0c\x01x"
        b"\xfe\x41\x2c\xfb\x01\x00"
        b"\x15\x01s" + bytes.fromhex(squeezed(BLOCKS, FACTS, "00")) + b"\xff"
    )
    assert data[:-8] == wanted
    assert data[-8:] == crc64(bytearray(wanted), 0, len(wanted), 0).to_bytes(8, "little")


def test_the_checksum_is_of_the_whole_file_however_it_is_taken() -> None:
    def file(max_bytes: int, *, checksum: bool) -> bytes:
        data = b""
        encoder = Encoder(True)
        encoder.begin_file(14, [])
        for number, value in enumerate([String(b"x" * 2_000_000), big_stream(), String(b"")]):
            encoder.begin(b"key-%d" % number, value, 0)
            while not encoder.step(max_bytes):
                data += encoder.take()
        encoder.end_file(checksum)
        return data + encoder.take()

    whole = bytearray(file(2**40, checksum=True))
    assert whole[-8:] == crc64(whole, 0, len(whole) - 8, 0).to_bytes(8, "little")
    assert file(100_000, checksum=True) == whole
    assert file(100_000, checksum=False) == whole[:-8] + bytes(8)


def test_one_encoder_writes_one_file_after_the_other() -> None:
    encoder = Encoder(True)
    files = []
    for _ in range(2):
        encoder.begin_file(11, [(b"a", b"1")])
        encoder.end_file(checksum=True)
        files.append(encoder.take())
    assert files[0] == files[1]


def test_a_file_does_not_carry_what_is_newer_than_its_version() -> None:
    nacked, window, plain = two_entries(), two_entries(), two_entries()
    group = with_group(nacked)
    group.pending.add(6, 2, 0, 0, 1)
    with_window(window)
    with_group(plain)
    versions = [(nacked, 14), (window, 13), (plain, 11), (String(b""), 6)]
    for value, needed in versions:
        assert needed_version(value) == needed
        for version in (6, 11, 12, 13, 14):
            encoder = Encoder(True)
            encoder.begin_file(version, [])
            head = encoder.take()
            if version >= needed:
                encoder.begin(b"k", value, 0)
                assert encoder.step(2**40)
            else:
                with pytest.raises(ValueError, match=f"version {version} can not carry b'k'"):
                    encoder.begin(b"k", value, 0)
                assert encoder.take() == b""
            assert head == b"REDIS%04d" % version
    assert [file_version(*flags) for flags in ((False, False), (True, False), (True, True))] == [
        11, 13, 14,
    ]  # fmt: skip


# --- DUMP ---


def test_dump_answers_with_the_payload_of_the_value() -> None:
    embedded = Embedded()
    ours = embedded.main
    ours.ok("SET", "k", "a" * 100, "PX", 50_000)
    ours.ok("XADD", "s", "1-1", "f", "v")
    for key in (b"k", b"s"):
        value = embedded.state.keyspace.databases[0].values[key]
        assert ours.ok("DUMP", key) == dump_payload(value, True)
    assert len(ours.ok("DUMP", "k")) < 30
    ours.ok("CONFIG", "SET", "rdbcompression", "no")
    assert b"a" * 100 in ours.ok("DUMP", "k")


@pytest.mark.parametrize("resp", [2, 3])
def test_dump_of_nothing_is_null(resp: int) -> None:
    embedded = Embedded(resp=resp)
    ours = embedded.main
    ours.ok("SET", "k", "v", "PX", 10)
    embedded.pass_ms(11)
    for key in ("k", "missing"):
        assert ours.call("DUMP", key) == ("nil", "_" if resp == 3 else "$")
    assert embedded.state.keyspace.keyspace_misses == 2
    assert "wrong number of arguments" in ours.error("DUMP")
