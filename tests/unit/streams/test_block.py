"""Blocks: bytes and offsets, what Redis's node would take, twins and copies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.resp.request import from_words
from headwater.streams.block import Block
from headwater.streams.listpack import element_bytes, integer_bytes

MAX = 2**64 - 1
EDGES = (0, 1, 2**63 - 1, 2**63, MAX)


def add(block: Block, ms: int, seq: int, *words: bytes) -> None:
    block.append(ms, seq, from_words(list(words)), 0, len(words) // 2)


def of(*ids: tuple[int, int]) -> Block:
    """A block whose entries hold their sequence number."""
    block = Block(16)
    for ms, seq in ids:
        add(block, ms, seq, b"f", b"%d" % seq)
    return block


def ids(block: Block) -> list[tuple[int, int]]:
    return [block.entry_id(slot) for slot in range(block.first, block.slots)]


def content(block: Block) -> bytes:
    """The bytes of the live entries."""
    return bytes(block.buf[block.offset(block.first) : block.used])


def entry_bytes(ms: int, seq: int, *words: bytes) -> bytes:
    bulks = b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
    id_text = b"%d-%d" % (ms, seq)
    return b"*2\r\n$%d\r\n%b\r\n*%d\r\n%b" % (len(id_text), id_text, len(words), bulks)


@pytest.mark.parametrize("ms", EDGES)
@pytest.mark.parametrize("seq", EDGES)
def test_an_id_is_read_back_from_its_bytes(ms: int, seq: int) -> None:
    block = of((ms, seq))
    assert ids(block) == [(ms, seq)]
    assert (block.last_ms, block.last_seq) == (block.tail_ms, block.tail_seq) == (ms, seq)


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=5), st.integers(0, 3))
def test_bytes_are_those_of_resp(words: list[bytes], before: int) -> None:
    # Other arguments stand before the fields, as in a real request.
    pairs = [word for name in words for word in (name, name * 2)]
    request = from_words([b"x" * n for n in range(before)] + pairs)
    block = Block(0)
    block.append(7, 2**40, request, before, len(words))
    assert content(block) == entry_bytes(7, 2**40, *pairs)


@given(st.lists(st.tuples(st.sampled_from(EDGES), st.integers(0, 9)), unique=True, min_size=1))
def test_find_is_a_search_by_id(numbers: list[tuple[int, int]]) -> None:
    numbers.sort()
    block = of(*numbers)
    for wanted in [*numbers, (0, 0), (5, 5), (MAX, MAX)]:
        expected = next((i for i, each in enumerate(numbers) if each >= wanted), len(numbers))
        assert block.find(*wanted) == expected


def test_a_block_grows_beyond_the_room_it_was_made_with() -> None:
    block = Block(1)
    for n in range(1, 300):
        add(block, n, 0, b"field", b"x" * n)
    assert content(block) == b"".join(entry_bytes(n, 0, b"field", b"x" * n) for n in range(1, 300))
    assert block.memory_bytes() >= block.used


def test_sealing_gives_room_back_and_changes_nothing() -> None:
    block = Block(100_000)
    for n in range(50):
        add(block, n, 1, b"f", b"v")
    before, size = content(block), block.memory_bytes()
    assert not block.sealed
    block.seal()
    assert block.sealed
    assert content(block) == before
    assert ids(block) == [(n, 1) for n in range(50)]
    assert block.memory_bytes() < size


def test_dropping_the_first_entries_of_a_twin_leaves_the_other_alone() -> None:
    block = of((1, 0), (2, 0), (3, 0))
    block.seal()
    before = (content(block), ids(block))
    twin = block.twin()
    twin.drop_first(2)
    assert ids(twin) == [(3, 0)]
    assert (twin.live(), twin.dead) == (1, 2)
    assert (content(block), ids(block)) == before
    assert twin.sealed
    assert twin.buf is block.buf


@pytest.mark.parametrize("slot", [0, 1, 2])
def test_without_one_entry(slot: int) -> None:
    numbers = [(1, 0), (2, 0), (3, 0)]
    block = of((0, 5), *numbers)
    block.drop_first(1)
    other = block.without(1 + slot)
    kept = [number for i, number in enumerate(numbers) if i != slot]
    assert ids(other) == kept
    assert content(other) == b"".join(entry_bytes(ms, seq, b"f", b"0") for ms, seq in kept)
    assert (other.last_ms, other.last_seq) == kept[-1]
    assert (other.tail_ms, other.tail_seq) == (3, 0), "the last entry it ever had"
    assert other.dead == 2
    assert ids(block) == numbers


def test_an_own_copy_can_be_appended_to() -> None:
    block = of((1, 0), (2, 0))
    block.seal()
    other = block.own()
    assert not other.sealed
    add(other, 3, 0, b"f", b"0")
    assert ids(other) == [(1, 0), (2, 0), (3, 0)]
    assert ids(block) == [(1, 0), (2, 0)]


# --- what Redis's listpack would take ---


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (0, 2), (127, 2), (128, 3), (-1, 3), (-4096, 3), (4095, 3), (4096, 4), (-4097, 4),
        (32767, 4), (32768, 5), (-32769, 5), (8388607, 5), (8388608, 6), (2**31 - 1, 6),
        (2**31, 10), (-(2**31), 6), (-(2**31) - 1, 10), (2**63 - 1, 10), (-(2**63), 10),
    ],
)  # fmt: skip
def test_integers_in_a_listpack(value: int, size: int) -> None:
    assert integer_bytes(value) == size
    text = b"%d" % value
    assert element_bytes(bytearray(text), 0, len(text)) == size


@pytest.mark.parametrize(
    ("length", "size"),
    [(0, 2), (1, 3), (63, 65), (64, 67), (125, 128), (126, 130), (4095, 4099), (4096, 4103)],
)
def test_strings_in_a_listpack(length: int, size: int) -> None:
    # One byte of encoding (two from 64 bytes, five from 4096), the text, its length again.
    assert element_bytes(bytearray(b"x" * length), 0, length) == size


def test_entries_with_the_fields_of_the_first_one_take_less() -> None:
    same, other = of((1, 0)), of((1, 0))
    add(same, 1, 1, b"f", b"1")
    add(other, 1, 1, b"g", b"1")
    # The name (an encoding, one letter, a length) and the number of fields.
    assert other.listpack_bytes() - same.listpack_bytes() == 3 + 2


def test_id_differences_beyond_63_bits_are_counted() -> None:
    near, far = of((0, 1), (1, 0)), of((0, 1), (MAX, 0))
    assert near.listpack_bytes() <= far.listpack_bytes()
    assert of((0, 1), (2**63, 0)).listpack_bytes() == of((0, 1), (2**63 - 1, 0)).listpack_bytes()


@pytest.mark.parametrize(
    ("seq", "size"), [(MAX, 2), (MAX - 126, 2), (MAX - 127, 3), (2**63 + 1, 10), (2**63, 10)]
)
def test_a_difference_below_63_bits_comes_out_at_the_other_end(seq: int, size: int) -> None:
    # The sequence goes from `seq` down to 0, which in 64 signed bits is a step of 2**64 - seq.
    def taken(*ids: tuple[int, int]) -> int:
        block = Block(16)
        for ms, number in ids:
            add(block, ms, number, b"f", b"v")
        return block.listpack_bytes()

    assert taken((1, seq), (2, 0)) - taken((1, 5), (2, 5)) == size - 2


def test_a_block_that_follows_shares_the_field_names() -> None:
    first, alone = of((1, 0), (1, 1)), of((2, 0), (2, 1))
    first.seal()
    following = Block(16)
    following.follow(first)
    for seq in (0, 1):
        add(following, 2, seq, b"f", b"%d" % seq)
    assert following.listpack_bytes() == alone.listpack_bytes()
    other, named = Block(16), Block(16)
    other.follow(first)
    for block in (other, named):
        add(block, 2, 0, b"name", b"0")
        add(block, 2, 1, b"name", b"1")
    assert other.listpack_bytes() == named.listpack_bytes()
