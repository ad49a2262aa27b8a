"""Packed blocks read as they did before; which blocks are taken, and when."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from headwater.resp.request import from_words
from headwater.streams.block import PACKED, RAW, REFUSED, WAITING, Block
from headwater.streams.codec import Codec, Packed
from headwater.streams.packing import AGE_MS, BLOCK_MAX_BYTES, Registry
from headwater.streams.stream import Stream
from headwater.streams.trim import MAXLEN, Trim
from support.packing import codec, forms, live_blocks, pack

MAX = 2**64 - 1


def filled(count: int, per_block: int = 10, value: bytes = b"v", first: int = 1) -> Stream:
    stream = Stream()
    more(stream, count, per_block, value, first)
    return stream


def more(
    stream: Stream, count: int, per_block: int = 10, value: bytes = b"v", first: int = 1
) -> None:
    for number in range(first, first + count):
        words = [b"XADD", b"k", b"*", b"field", value + b"%d" % number, b"n", b"%d" % number]
        stream.append(number, number % 3, from_words(words), 3, 2, per_block, 0)


def content(block: Block) -> list[object]:
    """Everything that a reader can see of a block."""
    return [
        bytes(block.data()[: block.used]),
        [block.offset(slot) for slot in range(block.slots + 1)],
        [block.entry_id(slot) for slot in range(block.slots)],
        [block.find(n, 0) for n in range(0, 120, 7)],
        block.live(),
        block.listpack_bytes(),
    ]


def first_block() -> Block:
    block = filled(30).blocks[0]
    assert isinstance(block, Block)
    return block


def test_a_packed_block_reads_as_before() -> None:
    block, by = first_block(), codec()
    before = content(block)
    pack(block, by)
    assert block.form == PACKED
    assert by.kept_bytes == 0
    assert content(block) == before
    assert by.unpacked == 1, "the copy is kept"
    by.clear()
    assert by.kept_bytes == 0
    assert content(block) == before
    assert by.unpacked == 2


@pytest.mark.parametrize(
    "read",
    [
        lambda block: block.data()[:5],
        lambda block: block.offset(3),
        lambda block: block.entry_id(4),
        lambda block: block.find(5, 0),
    ],
)
def test_whatever_comes_first_unpacks(read: Callable[[Block], object]) -> None:
    block, by = first_block(), codec()
    before = read(block)
    pack(block, by)
    assert read(block) == before
    assert by.unpacked == 1


def test_the_ends_are_known_without_unpacking() -> None:
    block, by = first_block(), codec()
    pack(block, by)
    assert block.offset(0) == 0
    assert block.offset(block.slots) == block.used
    assert by.unpacked == 0


def test_what_is_opened_is_not_kept() -> None:
    block, by = first_block(), codec()
    before = content(block)
    pack(block, by)
    opened = block.opened()
    assert content(opened) == before
    assert by.kept_bytes == 0
    assert block.opened() is not opened
    block.entry_id(0)
    assert block.opened() is block, "a kept copy is used"


def test_bytes_stay_with_who_holds_them() -> None:
    block, by = first_block(), codec()
    pack(block, by)
    held = block.data()
    text = bytes(held)
    by.clear()
    assert block.data() is not held
    assert bytes(held) == text


def test_twins_and_copies_of_packed_blocks() -> None:
    block, by = first_block(), codec()
    plain = first_block()
    pack(block, by)
    for copy_of in (
        lambda one: one.twin(),
        lambda one: one.own(),
        lambda one: one.without(0),
        lambda one: one.without(9),
        lambda one: one.without(4),
    ):
        mine, other = copy_of(block), copy_of(plain)
        assert content(mine) == content(other)
        assert (mine.last_ms, mine.last_seq) == (other.last_ms, other.last_seq)
        assert mine.dead == other.dead
    assert block.twin().form == PACKED
    assert block.without(4).form == RAW
    twin = block.twin()
    twin.drop_first(3)
    plain.drop_first(3)
    assert content(twin.without(5)) == content(plain.without(5))
    assert content(twin.own()) == content(plain.own())


def test_the_counts_are_of_what_there_is() -> None:
    stream, by = filled(100), codec()
    for block in stream.blocks[:9]:
        pack(block, by)
    assert by.blocks == 9
    assert by.packed_bytes == sum(len(block.packed.data) for block in stream.blocks[:9])
    twin = stream.blocks[0].twin()
    assert by.blocks == 9, "a twin shares the bytes"
    block = None
    del stream
    assert by.blocks == 1
    del twin
    assert (by.blocks, by.raw_bytes, by.packed_bytes) == (0, 0, 0)


def test_memory_usage_counts_what_is_there() -> None:
    stream, by = filled(300, 100, b"x" * 100), codec()
    before = stream.memory_usage()
    for block in stream.blocks[:2]:
        pack(block, by)
    after = stream.memory_usage()
    saved = sum(block.used - len(block.packed.data) for block in stream.blocks[:2])
    assert saved > 10_000
    assert before - after >= saved
    stream.blocks[0].data()
    assert stream.memory_usage() == after


# --- the cache ---


def test_copies_are_kept_up_to_the_limit() -> None:
    stream, by = filled(500, 50, b"y" * 50), codec()
    sealed = stream.blocks[:9]
    for block in sealed:
        pack(block, by)
    size = 0
    sealed[0].data()
    size = by.kept_bytes
    by.limit = 3 * size + 10 * 50
    for block in sealed:
        block.data()
        assert by.kept_bytes <= by.limit
    assert by.unpacked == 9
    sealed[8].data()
    sealed[7].data()
    assert by.unpacked == 9
    sealed[0].data()
    assert by.unpacked == 10


def test_one_copy_is_kept_whatever_its_size() -> None:
    block, by = first_block(), codec()
    by.limit = 1
    pack(block, by)
    block.data()
    block.entry_id(3)
    assert by.unpacked == 1


def test_copies_grow_old() -> None:
    stream, by = filled(100), codec()
    for block in stream.blocks[:5]:
        pack(block, by)
    stream.blocks[0].data()
    by.next_age()
    stream.blocks[1].data()
    assert by.unpacked == 2
    by.next_age()
    stream.blocks[1].data()
    assert by.unpacked == 2, "it is not old yet"
    stream.blocks[0].data()
    assert by.unpacked == 3, "it was"
    by.next_age()
    by.next_age()
    assert by.kept_bytes == 0


def test_entries_that_go_one_by_one_are_unpacked_once() -> None:
    stream, plain, by = filled(100), filled(100), codec()
    for block in stream.blocks[:9]:
        pack(block, by)
    for number in range(1, 26):
        assert stream.delete(number, number % 3)
        assert plain.delete(number, number % 3)
    assert forms(stream) == "P" * 7 + "r"
    assert by.unpacked == 3
    for packed, other in zip(live_blocks(stream), live_blocks(plain), strict=True):
        assert content(packed) == content(other)
    by.clear()
    assert by.kept_bytes == 0
    assert content(stream.blocks[stream.head]) == content(plain.blocks[plain.head])


def test_a_twin_takes_its_copy_with_it_and_loses_it_alone() -> None:
    block, by = first_block(), codec()
    pack(block, by)
    block.data()
    one = by.kept_bytes
    twin = block.twin()
    assert by.kept_bytes == 2 * one
    by.limit = one
    block.twin()  # makes the others go
    assert by.kept_bytes == one
    assert content(twin) == content(block) == content(first_block())
    assert by.unpacked == 3
    by.clear()
    assert by.kept_bytes == 0


# --- damage ---


def damaged(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]


def test_damage_is_an_error() -> None:
    original, by = first_block(), codec()
    pack(original, by)
    data = original.packed.data
    before = content(original)
    for at in range(len(data)):
        block = first_block()
        block.pack(Packed(by, damaged(data, at), original.used + 4 * original.slots))
        by.clear()
        try:
            found = content(block)
        except RuntimeError as error:
            found = [str(error)[:38]]
        # There may be a bit in the frame's header that says nothing about the content.
        assert found in (["a packed block of a stream is damaged:"], before)


@pytest.mark.parametrize("length", [0, 1, 10])
def test_bytes_of_another_block_are_an_error(length: int) -> None:
    block, other, by = first_block(), filled(90, 30, b"z" * length).blocks[0], codec()
    pack(other, by)
    block.pack(other.packed)
    for read in (block.data, lambda: block.entry_id(0), lambda: block.offset(2), block.opened):
        with pytest.raises(RuntimeError, match="damaged"):
            read()


def test_lengths_that_do_not_fit_are_an_error() -> None:
    import zstandard

    block, by = first_block(), codec()
    text = bytearray(block.to_pack())
    text[block.used] += 1
    block.pack(Packed(by, zstandard.ZstdCompressor().compress(bytes(text)), len(text)))
    with pytest.raises(RuntimeError, match="do not fit"):
        block.data()


# --- which blocks, and when ---


class Taking:
    """A registry with a codec; `take` packs what comes up."""

    def __init__(self, depth: int = 2) -> None:
        self.registry = Registry()
        self.registry.depth = depth
        self.codec: Codec = codec()

    def wait(self, ms: int = AGE_MS) -> None:
        self.registry.now_ms += ms

    def take(self, most: int = 1000, max_bytes: int = 1 << 30) -> int:
        taken = 0
        while self.registry.has_work():
            blocks = self.registry.take(most, max_bytes)
            assert len(blocks) <= most
            taken += len(blocks)
            for block in blocks:
                assert block.form == WAITING
                pack(block, self.codec)
        return taken


def test_only_old_blocks_are_taken() -> None:
    taking, stream = Taking(), filled(100)
    taking.registry.added(stream)
    assert taking.take() == 0
    taking.wait(AGE_MS - 1)
    assert taking.take() == 0
    taking.wait(1)
    assert taking.take() == 8
    assert forms(stream) == "PPPPPPPPrr"
    assert taking.registry.pending() == 0


def test_what_came_later_is_taken_later() -> None:
    taking, stream = Taking(), filled(100)
    taking.registry.added(stream)
    taking.wait(AGE_MS // 2)
    more(stream, 50, first=101)
    taking.wait(AGE_MS // 2)
    assert taking.take() == 10, "up to the last ID of the first moment"
    assert taking.registry.pending() == 1
    taking.wait()
    assert taking.take() == 3
    assert forms(stream) == "P" * 13 + "rr"


@pytest.mark.parametrize(
    ("depth", "expected"), [(1, "PPPPr"), (3, "PPrrr"), (5, "rrrrr"), (0, "rrrrr")]
)
def test_the_newest_blocks_are_left_alone(depth: int, expected: str) -> None:
    taking, stream = Taking(depth), filled(50)
    taking.registry.added(stream)
    taking.wait()
    taking.take()
    assert forms(stream) == expected
    assert taking.registry.pending() == 0


def test_a_stream_is_listed_when_a_block_is_full() -> None:
    taking, stream = Taking(1), filled(1)
    taking.registry.added(stream)
    assert taking.registry.pending() == 0
    more(stream, 9, first=2)
    assert taking.registry.pending() == 0, "the block is full, which shows with the next entry"
    more(stream, 11, first=11)
    assert taking.registry.pending() == 1
    more(stream, 100, first=22)
    assert taking.registry.pending() == 1
    taking.wait()
    taking.take()
    taking.wait()
    taking.take()
    assert taking.registry.pending() == 0
    assert forms(stream) == "P" * 12 + "r"
    more(stream, 20, first=122)
    assert taking.registry.pending() == 1


def test_batches_are_bounded() -> None:
    taking, stream = Taking(1), filled(1000)
    taking.registry.added(stream)
    taking.wait()
    assert taking.registry.has_work()
    first = taking.registry.take(3, 1 << 30)
    assert [block.last_ms for block in first] == [10, 20, 30]
    second = taking.registry.take(50, 2 * first[0].used)
    assert [block.last_ms for block in second] == [40, 50]
    for block in first + second:
        pack(block, taking.codec)
    assert taking.take() == 94


def test_streams_take_turns() -> None:
    taking, one, two = Taking(1), filled(100), filled(100)
    taking.registry.added(one)
    taking.registry.added(two)
    taking.wait()
    turns = [taking.registry.take(2, 1 << 30)[0] for _ in range(4) if taking.registry.has_work()]
    assert [block in one.blocks for block in turns] == [True, False, True, False]


def test_a_stream_that_is_dropped_is_not_kept() -> None:
    taking, stream = Taking(1), filled(100)
    taking.registry.added(stream)
    taking.registry.dropped(stream)
    taking.wait()
    assert taking.take() == 0
    assert taking.registry.pending() == 0
    assert forms(stream) == "r" * 10


def test_trimming_moves_places_and_nothing_is_missed() -> None:
    taking, stream = Taking(1), filled(2000)
    taking.registry.added(stream)
    taking.wait()
    taking.registry.has_work()
    for block in taking.registry.take(50, 1 << 30):
        pack(block, taking.codec)
    trim = Trim()
    trim.by, trim.maxlen = MAXLEN, 805
    trim.apply(stream)
    assert len(stream.blocks) < 200, "places have moved"
    taking.take()
    assert forms(stream) == "P" * 80 + "r"


def test_a_block_that_was_rewritten_is_packed_again() -> None:
    taking, stream = Taking(1), filled(100)
    taking.registry.added(stream)
    taking.wait()
    taking.take()
    for number in (25, 50, 31):
        assert stream.delete(number, number % 3)
    assert forms(stream) == "PPrPrPPPPr", "the first of a block is dropped without unpacking"
    assert taking.registry.pending() == 1
    taking.wait()
    assert taking.take() == 2
    assert forms(stream) == "P" * 9 + "r"
    assert [block.live() for block in live_blocks(stream)][:5] == [10, 10, 9, 9, 9]


def test_a_rewritten_block_whose_last_id_is_low() -> None:
    taking, stream = Taking(1), Stream()
    for seq in range(1, 60):
        stream.append(0, seq, from_words([b"XADD", b"k", b"*", b"f", b"v"]), 3, 1, 4, 0)
    taking.registry.added(stream)
    taking.wait()
    taking.take()
    assert stream.delete(0, 4)
    assert stream.delete(0, 2)
    assert forms(stream)[0] == "r"
    taking.wait()
    taking.take()
    assert forms(stream)[0] == "P"


def test_a_clock_that_is_set_back_does_not_stop_it() -> None:
    taking, stream = Taking(1), filled(100)
    taking.registry.now_ms = 10**12
    taking.registry.added(stream)
    taking.registry.now_ms = 1000
    assert taking.take() == 9


def test_copies_share_packed_blocks() -> None:
    taking, stream = Taking(1), filled(100)
    copied = stream.copy()
    taking.registry.added(stream)
    taking.registry.added(copied)
    taking.wait()
    assert taking.take() == 9
    assert forms(stream) == forms(copied) == "P" * 9 + "r"
    before = content(stream.blocks[3])
    copied.delete(35, 35 % 3)
    assert content(stream.blocks[3]) == before


def test_a_last_block_that_is_packed_is_copied_for_appending() -> None:
    taking, stream = Taking(1), filled(30, 10)
    taking.registry.added(stream)
    taking.wait()
    taking.take()
    for number in range(21, 31):
        stream.delete(number, number % 3)
    assert forms(stream) == "PP"
    stream.delete(15, 0)
    assert forms(stream) == "Pr"
    more(stream, 1, first=31)
    assert stream.contains(31, 1)
    assert stream.length == 20


def test_a_full_block_that_is_packed_and_the_last_one_again() -> None:
    taking, stream = Taking(1), filled(30, 10)
    taking.registry.added(stream)
    taking.wait()
    taking.take()
    for number in range(11, 31):
        stream.delete(number, number % 3)
    assert forms(stream) == "P"
    before = content(first_block())
    more(stream, 1, first=31)
    assert forms(stream) == "Pr"
    assert content(stream.blocks[0]) == before
    assert stream.contains(31, 1)
    assert stream.length == 11


def test_large_blocks_stay_as_they_are() -> None:
    taking, stream = Taking(1), Stream()
    for number, size in enumerate((100, BLOCK_MAX_BYTES // 2, BLOCK_MAX_BYTES + 1, 100, 100), 1):
        words = [b"XADD", b"k", b"*", b"field", b"x" * size]
        stream.append(number, 0, from_words(words), 3, 1, 1, 0)
    taking.registry.added(stream)
    taking.wait()
    assert taking.take() == 3
    assert [block.form for block in stream.blocks] == [PACKED, PACKED, REFUSED, PACKED, RAW]


def test_one_look_at_many_streams_that_are_due_is_short() -> None:
    taking = Taking(1)
    streams = [filled(20) for _ in range(100)]
    for stream in streams:
        taking.registry.added(stream)
    taking.wait()
    assert taking.registry.has_work()
    assert len(taking.registry.aging) == 100
    assert len(taking.registry.take(1000, 1 << 30)) == 1
    assert len(taking.registry.aging) == 99
    assert taking.registry.pending() == 99
