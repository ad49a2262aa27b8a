"""Streams, blocks and pending entries that are made as a whole: as good as those that grew."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from headwater.raw import put_u32
from headwater.rdb.encoder import dump_payload
from headwater.resp.request import from_words
from headwater.streams.block import Block
from headwater.streams.pending import PendingEntries
from headwater.streams.stream import Stream
from support.rdb_reading import entries_of, load_stream

MAX = 2**64 - 1


def append(stream: Stream, ms: int, words: list[bytes], limits: tuple[int, int]) -> None:
    stream.append(ms, 0, from_words(words), 0, len(words) // 2, *limits)


def shape(stream: Stream) -> list[tuple[int, int, int]]:
    return [
        (block.live(), block.dead, block.listpack_bytes()) for block in stream.blocks[stream.head :]
    ]


words = st.lists(
    st.sampled_from([b"a", b"name", b"12", b"-5000", b"x" * 70, b"", b"900000", b"y" * 300]),
    min_size=2,
    max_size=6,
).map(lambda found: found[: len(found) // 2 * 2])
limits = st.tuples(st.sampled_from([0, 1, 3, 10]), st.sampled_from([0, 100, 500]))


@given(
    st.lists(words, min_size=1, max_size=25),
    st.lists(words, max_size=15),
    limits,
    st.integers(0, 24),
)
def test_a_loaded_stream_grows_as_the_one_it_was_made_of(
    before: list[list[bytes]], after: list[list[bytes]], node: tuple[int, int], trimmed: int
) -> None:
    stream = Stream()
    for ms, entry in enumerate(before, 1):
        append(stream, ms, entry, node)
    for ms in range(1, min(trimmed, len(before) - 1) + 1):
        if stream.blocks[stream.head].live() != 1:
            break
        stream.delete(ms, 0)
    loaded = load_stream(dump_payload(stream, True))
    assert entries_of(loaded) == entries_of(stream)
    assert shape(loaded) == shape(stream)
    for ms, entry in enumerate(after, 1000):
        append(stream, ms, entry, node)
        append(loaded, ms, entry, node)
    assert entries_of(loaded) == entries_of(stream)
    assert shape(loaded) == shape(stream)
    stream.delete(len(before), 0)
    loaded.delete(len(before), 0)
    assert shape(loaded) == shape(stream)


def test_a_block_that_was_loaded_has_bytes_of_its_own() -> None:
    entry = b"*2\r\n$3\r\n7-9\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n"
    buf = bytearray(entry + b"rest")
    offsets = bytearray(8)
    put_u32(offsets, 0, 0)
    block = Block(0)
    block.load(buf, len(entry), offsets, 1)
    buf[:] = bytes(len(buf))
    assert (block.live(), block.used, block.last_ms, block.last_seq) == (1, len(entry), 7, 9)
    assert bytes(block.buf) == entry
    block.load_history(3, 100, 8, 0)
    assert (block.dead, block.tail_ms, block.tail_seq) == (3, 8, 0)
    stream = Stream()
    stream.add_block(block)
    assert (stream.length, stream.last_ms, stream.last_seq) == (1, 7, 9)
    assert not block.sealed
    append(stream, 10, [b"f", b"w"], (100, 4096))
    assert entries_of(stream) == [((7, 9), [(b"f", b"v")]), ((10, 0), [(b"f", b"w")])]


# --- pending entries ---

ids = st.tuples(st.sampled_from([0, 1, 2, MAX]), st.integers(0, 6))


@given(
    st.lists(st.tuples(ids, st.integers(0, 5), st.integers(0, 9)), max_size=25),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_loaded_entries_are_like_added_ones(
    found: list[tuple[tuple[int, int], int, int]], in_order: bool, rng: random.Random
) -> None:
    if in_order:
        found.sort()
    loaded = PendingEntries()
    owners = [loaded.new_owner() for _ in range(5)]
    kept: dict[tuple[int, int], tuple[int, int]] = {}
    for entry_id, owner, time_ms in found:
        assert loaded.load(*entry_id, time_ms, 3) == (entry_id not in kept)
        kept.setdefault(entry_id, (owner, time_ms))
    nacked = [entry_id for entry_id, (owner, _) in kept.items() if owner == 0]
    rng.shuffle(nacked)
    for entry_id, (owner, _) in sorted(kept.items()):
        if owner:
            assert loaded.load_owner(*entry_id, owner)
            assert not loaded.load_owner(*entry_id, owner)
            assert not loaded.load_nacked(*entry_id)
    assert not loaded.load_owner(7, 7, owners[0])
    assert not loaded.load_nacked(7, 7)
    for entry_id in nacked:
        assert loaded.load_nacked(*entry_id)
        assert not loaded.load_nacked(*entry_id)
    assert loaded.load_order()
    loaded.check()
    order = [
        (loaded.records.ms(handle), loaded.records.seq(handle))
        for handle in loaded.delivered_until(2**62, 99)
    ]
    owned = [entry_id for entry_id, (owner, _) in kept.items() if owner]
    assert order == nacked + sorted(owned, key=lambda one: (kept[one][1], one))
    # It goes on as any other.
    loaded.deliver(MAX, 9, owners[1], 4)
    for entry_id in kept:
        assert loaded.acknowledge(*entry_id)
    loaded.check()
    assert loaded.count == 1


def test_an_entry_that_nobody_owns_is_told() -> None:
    pending = PendingEntries()
    owner = pending.new_owner()
    for ms in (1, 2, 3):
        assert pending.load(ms, 0, 10 - ms, 1)
    for ms in (1, 3):
        assert pending.load_owner(ms, 0, owner)
    assert not pending.load_order()


def test_many_entries_of_random_times_are_not_linked_one_by_one() -> None:
    """One by one each looks for its place among all others: this would never end."""
    rng = random.Random(3)
    n = 60_000
    pending = PendingEntries()
    owners = [pending.new_owner() for _ in range(3)]
    for ms in range(1, n + 1):
        pending.load(ms, 0, rng.randrange(10**12), 1)
        pending.load_owner(ms, 0, rng.choice(owners))
    assert pending.load_order()
    times = [pending.records.time(handle) for handle in pending.delivered_until(2**62, n)]
    assert times == sorted(times)
    assert len(times) == n
