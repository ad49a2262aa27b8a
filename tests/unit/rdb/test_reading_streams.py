"""Streams from payloads made by hand: every version, and everything that must be refused."""

from __future__ import annotations

import contextlib
import dataclasses
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.rdb import node_decoder
from headwater.rdb.loader import load_payload
from headwater.rdb.node_decoder import add_wrapping
from headwater.rdb.source import RdbError
from headwater.streams.stream import BLOCK_MAX_BYTES, Stream
from support import rdb_bytes as made
from support.rdb_bytes import MAX, ConsumerBytes, Entry, GroupBytes, StreamBytes
from support.rdb_reading import check_stream, entries_of, load, load_stream

F = [(b"f", b"v")]
VERSIONS = (1, 2, 3, 4, 5)


def numbered(n: int, pairs: list[tuple[bytes, bytes]] | None = None) -> list[Entry]:
    return [((10 + i, i), pairs or [(b"f", b"%d" % i)], False) for i in range(n)]


def read(stream: StreamBytes, version: int = 3) -> Stream:
    return load_stream(made.stream_payload(stream, version))


def read_big(stream: StreamBytes) -> Stream:
    """As `read`, without any CRC, which takes its time."""
    body = made.key(21, b"k", stream.encode(3))
    (value,) = load(made.file(body, crc=False), checksum=False).keys.values()
    assert isinstance(value, Stream)
    check_stream(value)
    return value


def refused(stream: StreamBytes, version: int = 3) -> str:
    """Why a stream is refused."""
    with pytest.raises(RdbError) as caught:
        load_payload(made.stream_payload(stream, version))
    assert 0 <= caught.value.offset <= len(made.stream_payload(stream, version))
    return caught.value.text


# --- entries ---

words = st.one_of(
    st.binary(max_size=20),
    st.sampled_from([b"x" * n for n in (63, 64, 120, 127, 128, 4095, 4096, 17000)]),
    st.integers(-(2**63), 2**63 - 1).map(lambda n: b"%d" % n),
    st.sampled_from(
        [b"%d" % (sign * 2**bits + near) for bits in (7, 12, 15, 23, 31, 62) for sign in (1, -1)
         for near in (-1, 0, 1)]
    ),
    st.sampled_from([b"-0", b"007", b"+1", b"9223372036854775808", b" 1", b"1 "]),
)  # fmt: skip
pairs = st.lists(st.tuples(words, words), min_size=1, max_size=4)


@st.composite
def entries(draw: st.DrawFn) -> list[Entry]:
    """Entries of one node, with the first one's fields or others, some of them deleted."""
    ms = draw(st.sampled_from([0, 5, 1_700_000_000_000, 2**63 - 2, MAX - 3]))
    seq = draw(st.sampled_from([1, 7, 2**63, MAX]))
    found: list[Entry] = []
    names = [name for name, _ in draw(pairs)]
    for _ in range(draw(st.integers(1, 8))):
        if draw(st.booleans()) or not found:
            values = draw(st.lists(words, min_size=len(names), max_size=len(names)))
            content = list(zip(names, values, strict=True))
        else:
            content = draw(pairs)
        found.append(((ms, seq), content, draw(st.booleans())))
        if seq == MAX or draw(st.booleans()):
            if ms == MAX:
                break
            ms, seq = ms + 1, draw(st.sampled_from([0, 3, 2**63 + 1]))
        else:
            seq += 1
    if all(deleted for _, _, deleted in found):
        found[0] = (found[0][0], found[0][1], False)
    return found


@given(entries(), st.booleans())
def test_what_is_in_a_node_is_in_the_block(node: list[Entry], with_a_count: bool) -> None:
    stream = made.stream_of(node)
    elements = made.node_elements(node)
    packed = made.listpack(elements, None if with_a_count else 65535)
    stream.nodes = [made.string(made.raw_id(node[0][0])) + made.string(packed)]
    loaded = read(stream)
    live = [(entry_id, content) for entry_id, content, deleted in node if not deleted]
    assert entries_of(loaded) == live
    assert loaded.length == len(live)
    (block,) = loaded.blocks
    assert block.dead == len(node) - len(live)
    assert (block.tail_ms, block.tail_seq) == node[len(node) - 1][0]
    assert block.listpack_bytes() == len(packed)


def test_several_nodes_are_several_blocks_the_last_one_open() -> None:
    parts = [numbered(30)[i : i + 7] for i in range(0, 30, 7)]
    stream = StreamBytes([made.node(part) for part in parts], 30, (100, 0), (10, 0), (9, 0), 44)
    loaded = read(stream)
    assert [block.live() for block in loaded.blocks] == [7, 7, 7, 7, 2]
    assert entries_of(loaded) == [(entry_id, content) for entry_id, content, _ in numbered(30)]
    assert (loaded.last_ms, loaded.last_seq) == (100, 0)
    assert (loaded.max_deleted_ms, loaded.max_deleted_seq) == (9, 0)
    assert loaded.entries_added == 44


def test_the_id_of_a_node_may_be_below_its_first_entry() -> None:
    stream = made.stream_of(numbered(3))
    stream.nodes = [made.node(numbered(3), (4, 5))]
    assert entries_of(read(stream))[0][0] == (10, 0)


def test_a_node_of_nothing_but_deleted_entries_is_no_block() -> None:
    gone = [((i, 0), F, True) for i in (1, 2)]
    stream = StreamBytes([made.node(gone), made.node(numbered(2))], 2, (20, 0), added=4)
    assert len(read(stream).blocks) == 1


def test_an_empty_stream() -> None:
    loaded = read(StreamBytes(last=(7, 7), max_deleted=(7, 7), added=3))
    assert (loaded.length, loaded.last_ms, loaded.last_seq, loaded.entries_added) == (0, 7, 7, 3)
    assert loaded.blocks == []


def test_a_node_beyond_the_limit_of_a_block_is_several() -> None:
    content = [(b"field", b"v" * 700_000)]
    loaded = read_big(made.stream_of(numbered(20, content)))
    assert [block.live() for block in loaded.blocks] == [5, 5, 5, 5]
    assert all(block.used <= BLOCK_MAX_BYTES for block in loaded.blocks)
    assert entries_of(loaded) == [(entry_id, content) for entry_id, _, _ in numbered(20)]


def test_one_entry_beyond_the_limit_of_a_block_is_alone() -> None:
    content = [(b"f", b"x" * (BLOCK_MAX_BYTES + 5))]
    node: list[Entry] = [
        ((1, 0), F, False), ((2, 0), F, True), ((3, 0), content, False), ((4, 0), F, False),
    ]  # fmt: skip
    loaded = read_big(made.stream_of(node))
    assert [block.live() for block in loaded.blocks] == [1, 1, 1]
    assert [block.dead for block in loaded.blocks] == [1, 0, 0]
    assert entries_of(loaded)[1] == ((3, 0), content)


def test_a_small_node_does_not_become_terabytes() -> None:
    """A name of a megabyte, once in the node and once in each of its entries."""
    names = [(b"n" * 1_000_000, b"1")]
    stream = made.stream_of(numbered(1, names) + [((50 + i, 0), names, False) for i in range(900)])
    limit = node_decoder.EXPANSION_FREE_BYTES + node_decoder.EXPANSION * len(stream.nodes[0])
    assert limit < 901 * 1_000_000
    with pytest.raises(RdbError, match="too big"):
        read_big(stream)


@given(st.integers(0, MAX), st.integers(-(2**63), 2**63 - 1))
def test_differences_wrap_around(base: int, difference: int) -> None:
    assert add_wrapping(base, difference) == (base + difference) % 2**64


# --- nodes that contradict themselves ---


def with_node(packed: bytes, n: int = 2, master: tuple[int, int] = (10, 0)) -> StreamBytes:
    stream = made.stream_of(numbered(n))
    stream.nodes = [made.string(made.raw_id(master)) + made.string(packed)]
    return stream


def replaced(index: int, content: bytes) -> StreamBytes:
    """A node of two entries with another element in one place."""
    elements = made.node_elements(numbered(2))
    elements[index] = content
    return with_node(made.listpack(elements))


# The elements: 2 live, 0 dead, 1 field, f, 0 | flags, ms, seq, value, 4 | flags ...
@pytest.mark.parametrize(
    ("index", "content"),
    [
        (0, made.integer(3)),
        (0, made.integer(-2)),
        (0, made.plain(b"2")),
        (1, made.integer(1)),
        (2, made.integer(0)),
        (2, made.integer(-1)),
        (2, made.integer(2)),
        (2, made.integer(2**63 - 1)),
        (4, made.integer(1)),
        (5, made.integer(4)),
        (5, made.integer(0)),
        (5, made.integer(3)),
        (5, made.integer(-1)),
        (6, made.integer(-1)),
        (6, made.integer(9)),
        (9, made.integer(5)),
        (9, made.plain(b"4")),
        (14, made.integer(3)),
        (8, b"\x81x"),  # no size behind
        (8, b"\x81x\x03"),
        (8, b"\xf5\x01"),
        (8, b"\xfe\x01"),
        (8, b"\xff\x01"),
        (8, b"\xf0\xff\xff\xff\xffx"),
        (8, b"\xef\xffx"),
        (8, b"\xbfx"),
        (8, made.plain(b"x" * 200)[:-1]),
        (8, made.plain(b"x" * 200)[:-2] + b"\xca\x01"),
    ],
)
def test_broken_nodes_are_refused(index: int, content: bytes) -> None:
    refused(replaced(index, content))


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"\xff",
        made.listpack([]),
        made.listpack(made.node_elements(numbered(2)), 14),
        made.listpack(made.node_elements(numbered(2)))[:-1] + b"\x00",
        made.listpack(made.node_elements(numbered(2))) + b"\xff",
        struct.pack("<IH", 0, 0) + b"\xff",
        made.listpack(made.node_elements(numbered(2))[:-1]),
        made.listpack(made.node_elements(numbered(2))[:4]),
    ],
)
def test_broken_listpacks_are_refused(packed: bytes) -> None:
    refused(with_node(packed))


def test_ids_must_grow() -> None:
    assert "order" in refused(made.stream_of([((5, 0), F, False), ((5, 0), F, False)]))
    assert "order" in refused(made.stream_of([((5, 1), F, False), ((5, 0), F, False)]))
    assert "order" in refused(made.stream_of([((0, 0), F, False)]))
    nodes = [made.node(numbered(2)), made.node(numbered(2))]
    assert "order" in refused(StreamBytes(nodes, 4, (90, 0), added=4))
    below = made.stream_of(numbered(3))
    below.nodes = [made.node(numbered(3), (11, 0))]
    assert "order" in refused(below)


def test_a_deleted_entry_may_have_any_id() -> None:
    """XSETID can go back below entries that are deleted; their IDs are used again."""
    node: list[Entry] = [((5, 0), F, False), ((9, 0), F, True), ((7, 0), F, False)]
    stream = made.stream_of(node)
    loaded = read(stream)
    assert [entry_id for entry_id, _ in entries_of(loaded)] == [(5, 0), (7, 0)]


@pytest.mark.parametrize("n", [0, 15, 17])
def test_a_node_has_an_id_of_16_bytes(n: int) -> None:
    stream = made.stream_of(numbered(1))
    node = made.listpack(made.node_elements(numbered(1)))
    stream.nodes = [made.string(b"\x00" * n) + made.string(node)]
    assert "16" in refused(stream)


@pytest.mark.parametrize(
    "changes",
    [{"length": 4}, {"length": 2}, {"last": (11, 1)}, {"last": (12, 1)}, {"added": 2},
     {"added": 2**63}],
)  # fmt: skip
def test_what_a_stream_says_of_itself_must_agree(changes: dict[str, object]) -> None:
    refused(dataclasses.replace(made.stream_of(numbered(3)), **changes))


# --- groups ---


def grouped() -> StreamBytes:
    stream = made.stream_of(numbered(6))
    stream.groups = [
        GroupBytes(
            b"g",
            (14, 4),
            5,
            [((10, 0), 300, 1), ((11, 1), 100, 7), ((12, 2), 200, 2), ((99, 9), 200, 2**63 - 1)],
            [
                ConsumerBytes(b"alice", [(10, 0), (12, 2)], 1234, -1),
                ConsumerBytes(b"bob", [(11, 1), (99, 9)]),
                ConsumerBytes(b"idle", [], 5, 4),
            ],
        ),
        GroupBytes(b"", (0, 0)),
    ]
    return stream


@pytest.mark.parametrize("version", VERSIONS)
def test_groups_of_every_version(version: int) -> None:
    loaded = read(grouped(), version)
    assert loaded.groups is not None
    assert list(loaded.groups) == [b"g", b""]
    group = loaded.groups[b"g"]
    assert (group.last_ms, group.last_seq) == (14, 4)
    # In version 1 it is estimated, and there is an entry behind.
    assert group.entries_read == (5 if version > 1 else -1)
    assert list(group.consumers) == [b"alice", b"bob", b"idle"]
    alice, bob, idle = group.consumers.values()
    assert (alice.seen_ms, alice.active_ms) == (1234, -1 if version > 2 else 1234)
    assert (bob.seen_ms, bob.active_ms) == (1000, 2000 if version > 2 else 1000)
    assert [group.pending_of(consumer) for consumer in (alice, bob, idle)] == [2, 2, 0]
    pending = group.pending
    assert [
        (pending.records.ms(h), pending.records.time(h), pending.records.count(h))
        for h in pending.handles_from(0, 0, 9)
    ] == [(10, 300, 1), (11, 100, 7), (12, 200, 2), (99, 200, 2**63 - 1)]
    by_time = [pending.records.ms(h) for h in pending.delivered_until(2**62, 9)]
    assert by_time == [11, 12, 99, 10]
    other = loaded.groups[b""]
    assert other.entries_read == (0 if version == 1 else -1)


@pytest.mark.parametrize("added", [6, 9])
def test_the_first_version_counts_what_it_can(added: int) -> None:
    """Entries added are the entries there are; entries read are estimated as Redis does."""
    stream = dataclasses.replace(made.stream_of(numbered(6)), added=added)
    stream.groups = [GroupBytes(b"end", (15, 5)), GroupBytes(b"middle", (12, 2))]
    loaded = read(stream, 1)
    assert loaded.groups is not None
    assert loaded.entries_added == 6
    assert loaded.groups[b"end"].entries_read == 6
    assert loaded.groups[b"middle"].entries_read == -1


def test_nacked_entries_come_first_in_their_own_order() -> None:
    stream = grouped()
    group = stream.groups[0]
    group.pending += [((100, 0), 0, 3), ((101, 0), 0, 4), ((102, 0), 77, 5)]
    group.nacked = [(102, 0), (100, 0), (101, 0)]
    loaded = read(stream, 5)
    assert loaded.groups is not None
    pending = loaded.groups[b"g"].pending
    assert pending.nacked == 3
    order = [pending.records.ms(h) for h in pending.delivered_until(2**62, 9)]
    assert order == [102, 100, 101, 11, 12, 99, 10]
    assert "nobody owns" in refused(dataclasses.replace(stream), 3)


def test_pending_ids_need_no_order() -> None:
    stream = grouped()
    stream.groups[0].pending.reverse()
    for consumer in stream.groups[0].consumers:
        consumer.owned.reverse()
    loaded = read(stream)
    assert loaded.groups is not None
    pending = loaded.groups[b"g"].pending
    assert [pending.records.ms(h) for h in pending.delivered_until(2**62, 9)] == [11, 12, 99, 10]


def change_pending(group: GroupBytes) -> None:
    group.pending.append(group.pending[0])


def change_time(group: GroupBytes) -> None:
    group.pending[0] = ((10, 0), -1, 1)


def change_count(group: GroupBytes) -> None:
    group.pending[0] = ((10, 0), 1, 2**63)


def change_owner(group: GroupBytes) -> None:
    group.consumers[1].owned.append((10, 0))


def change_owned_twice(group: GroupBytes) -> None:
    group.consumers[0].owned.append((10, 0))


def change_unknown(group: GroupBytes) -> None:
    group.consumers[0].owned.append((10, 1))


def change_nobody(group: GroupBytes) -> None:
    group.consumers[0].owned.pop()


def change_name(group: GroupBytes) -> None:
    group.consumers[2].name = b"bob"


def change_seen(group: GroupBytes) -> None:
    group.consumers[2].seen_ms = -1


def change_active(group: GroupBytes) -> None:
    group.consumers[2].active_ms = -2


def change_read(group: GroupBytes) -> None:
    group.read = 2**63


def change_nacked_unknown(group: GroupBytes) -> None:
    group.nacked = [(77, 7)]


def change_nacked_owned(group: GroupBytes) -> None:
    group.nacked = [(10, 0)]


def change_nacked_twice(group: GroupBytes) -> None:
    group.pending += [((100, 0), 0, 3), ((101, 0), 0, 3)]
    group.nacked = [(100, 0), (101, 0), (100, 0)]


@pytest.mark.parametrize(
    "change",
    [
        change_pending, change_time, change_count, change_owner, change_owned_twice,
        change_unknown, change_nobody, change_name, change_seen, change_active, change_read,
        change_nacked_unknown, change_nacked_owned, change_nacked_twice,
    ],
)  # fmt: skip
def test_groups_that_contradict_themselves_are_refused(change: object) -> None:
    stream = grouped()
    assert callable(change)
    change(stream.groups[0])
    refused(stream, 5)


def test_two_groups_of_one_name_are_refused() -> None:
    stream = grouped()
    stream.groups[1].name = b"g"
    assert "two groups" in refused(stream)


# --- idempotent IDs ---


def with_idmp() -> StreamBytes:
    stream = made.stream_of([((1_700_000_000_000 + i, 0), F, False) for i in range(4)])
    stream.duration_s = 60
    stream.maxsize = 3
    stream.producers = [
        (b"p2", [(b"x", (1_700_000_000_003, 0))]),
        (b"p1", [(b"b", (1_700_000_000_001, 0)), (b"a", (1_700_000_000_002, 0))]),
    ]
    stream.iids_added = 11
    stream.iids_duplicates = 2
    return stream


@pytest.mark.parametrize("version", [4, 5])
def test_idempotent_ids(version: int) -> None:
    idmp = read(with_idmp(), version).idmp
    assert idmp is not None
    assert (idmp.duration_s, idmp.maxsize, idmp.added, idmp.duplicates) == (60, 3, 11, 2)
    assert [(one.pid, one.iid, one.ms) for one in idmp.remembered()] == [
        (b"p1", b"b", 1_700_000_000_001),
        (b"p1", b"a", 1_700_000_000_002),
        (b"p2", b"x", 1_700_000_000_003),
    ]
    assert idmp.lookup(b"p1", b"b", 1_700_000_000_100) == (True, 1_700_000_000_001, 0)
    assert idmp.lookup(b"p1", b"b", 1_700_000_060_001)[0] is False


def test_what_redis_writes_without_idempotent_ids_makes_no_window() -> None:
    stream = made.stream_of(numbered(1))
    assert read(stream, 4).idmp is None
    configured = read(dataclasses.replace(stream, maxsize=99), 4).idmp
    assert configured is not None
    assert configured.maxsize == 99
    assert read(with_idmp(), 3).idmp is None


def test_entries_of_a_far_future_are_remembered_without_overflow() -> None:
    stream = with_idmp()
    stream.producers = [(b"p", [(b"i", (MAX, 5))])]
    idmp = read(stream, 4).idmp
    assert idmp is not None
    assert idmp.lookup(b"p", b"i", 2**62) == (False, 0, 0)
    assert idmp.lookup(b"p", b"i", 1_700_000_000_000) == (True, MAX, 5)


@pytest.mark.parametrize(
    "changes",
    [
        {"duration_s": 0},
        {"duration_s": 86401},
        {"maxsize": 0},
        {"maxsize": 10001},
        {"maxsize": 1},
        {"producers": [(b"p", []), (b"p", [])]},
        {"producers": [(b"p", [(b"i", (1, 1)), (b"i", (2, 2))])]},
    ],
)
def test_windows_that_can_not_be_are_refused(changes: dict[str, object]) -> None:
    refused(dataclasses.replace(with_idmp(), **changes), 4)


# --- whatever the bytes are ---


def everything() -> StreamBytes:
    stream = grouped()
    extra = [((50, i), [(b"a", b"x" * 90), (b"12", b"-70000")], i % 2 == 0) for i in range(7)]
    stream.nodes.append(made.node([((50, 0), F, False), *extra[1:]]))
    stream.length += 4
    stream.last = (50, 6)
    stream.added = 20
    stream.groups[0].pending += [((100, 0), 0, 3)]
    stream.groups[0].nacked = [(100, 0)]
    idmp = with_idmp()
    stream.producers, stream.maxsize = idmp.producers, idmp.maxsize
    return stream


def test_it_is_read_in_the_first_place() -> None:
    assert read(everything(), 5).length == 10


@pytest.mark.parametrize("version", VERSIONS)
def test_every_prefix_is_refused(version: int) -> None:
    stream = everything()
    if version < 5:
        stream.groups[0].pending.pop()
    value = stream.encode(version)
    kind = made.STREAM_TYPES[version - 1]
    read(stream, version)
    for n in range(len(value)):
        with pytest.raises(RdbError):
            load_payload(made.payload(kind, value[:n]))


def test_any_change_is_refused_or_gives_a_sound_stream() -> None:
    """Without what the CRC tells: it is made to agree."""
    rng = random.Random(5)
    value = everything().encode(5)
    sound = 0
    for _ in range(1500):
        data = bytearray(value)
        for _ in range(rng.choice((1, 1, 2, 5))):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        with contextlib.suppress(RdbError):
            entries_of(load_stream(made.payload(27, bytes(data))))
            sound += 1
    assert 0 < sound < 1500
