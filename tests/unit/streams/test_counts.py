"""What is behind an ID, and how many bytes the entries take, against counting them one by one."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.resp.request import from_words
from headwater.streams.counts import BlockCounts
from headwater.streams.ids import MAX
from headwater.streams.range import Pieces
from headwater.streams.stream import Stream
from headwater.streams.trim import MAXLEN, Trim


def ids_of(stream: Stream) -> list[tuple[int, int]]:
    found = []
    for block in stream.blocks[stream.head :]:
        found += [block.entry_id(slot) for slot in range(block.first, block.slots)]
    return found


def stored_bytes(stream: Stream) -> int:
    run = stream.range(0, 0, MAX, MAX, -1, False)
    if run is None:
        return 0
    pieces = Pieces(run, False)
    total = 0
    while piece := pieces.read(100_000):
        total += len(piece)
    return total


def add(stream: Stream, ms: int, value: bytes = b"v", entries: int = 2) -> None:
    stream.append(ms, 0, from_words([b"f", value]), 0, 1, entries, 4096)


def check(stream: Stream, rng: random.Random) -> None:
    ids = ids_of(stream)
    assert stream.length == len(ids)
    assert stream.entry_bytes == stored_bytes(stream)
    asked = [(0, 0), (MAX, MAX), (stream.last_ms, stream.last_seq)]
    for ms, _ in rng.sample(ids, min(4, len(ids))):
        asked += [(ms, 0), (ms, 1), (ms - 1, MAX)]
    for ms, seq in asked:
        assert stream.behind(ms, seq) == sum(found > (ms, seq) for found in ids), (ms, seq)


# --- the tree alone ---


@given(st.lists(st.tuples(st.sampled_from("aaacr"), st.integers(0, 10**6)), max_size=400))
def test_the_tree_agrees_with_a_list(steps: list[tuple[str, int]]) -> None:
    counts = BlockCounts()
    model: list[int] = []
    for what, number in steps:
        if what == "a":
            counts.add(number)
            model.append(number)
        elif model and what == "c":
            at = number % len(model)
            counts.change(at, 7 - model[at])
            model[at] = 7
        elif model:
            at = number % len(model)
            counts.remove(at, model.pop(at))
        assert counts.blocks == len(model)
        for at in {0, len(model) // 3, len(model)}:
            assert counts.before(at) == sum(model[:at])


@pytest.mark.parametrize("from_front", [True, False])
def test_positions_are_used_again(from_front: bool) -> None:
    counts = BlockCounts()
    for number in range(1000):
        counts.add(number)
    left = list(range(1000))
    while len(left) > 3:
        counts.remove(0 if from_front else len(left) - 1, left.pop(0 if from_front else -1))
    assert counts.size < 64
    assert [counts.before(n) for n in range(4)] == [sum(left[:n]) for n in range(4)]
    assert counts.memory_usage() < 20_000


# --- the stream ---


STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "delete", "head", "run", "copy", "reset"]), st.integers(0)),
    min_size=1,
    max_size=25,
)


@given(STEPS, st.integers(0, 200), st.integers(0, 2**32))
def test_against_counting(steps: list[tuple[str, int]], asked_after: int, seed: int) -> None:
    """Whatever happens to a stream of many blocks, before and after somebody asked first."""
    rng = random.Random(seed)
    stream = Stream()
    for ms in range(1, 260):
        add(stream, 10 * ms, b"v" * (ms % 30))
        if ms == asked_after:
            check(stream, rng)
    for what, number in steps:
        ids = ids_of(stream)
        if what == "add":
            for n in range(number % 9):
                add(stream, stream.last_ms + 10, b"x" * n, 1 + number % 3)
        elif what == "delete" and ids:
            for ms, seq in rng.sample(ids, min(len(ids), 1 + number % 7)):
                assert stream.delete(ms, seq)
        elif what == "head":
            trim = Trim()
            trim.by = MAXLEN
            trim.maxlen = max(0, stream.length - number % 40)
            trim.apply(stream)
        elif what == "run" and ids:
            # A run that ends whole blocks, somewhere in the middle or at the end.
            start = number % len(ids)
            for ms, seq in ids[start : start + 9]:
                assert stream.take_out(ms, seq)
        elif what == "copy":
            stream = stream.copy()
        elif what == "reset" and not ids:
            stream.set_last_id(5, 0)
        check(stream, rng)


def test_blocks_that_are_loaded_count() -> None:
    stream = Stream()
    for ms in range(1, 400):
        add(stream, ms)
    loaded = Stream()
    loaded.add_block(stream.blocks[0])
    assert loaded.behind(1, 0) == 1
    for block in stream.blocks[1:-1]:
        loaded.add_block(block)
    check(loaded, random.Random(1))
    loaded.add_block(stream.blocks[-1])
    check(loaded, random.Random(2))
    assert loaded.entry_bytes == stream.entry_bytes


def test_nothing_is_kept_while_nobody_asks_or_the_stream_is_short() -> None:
    stream = Stream()
    for ms in range(1, 100):
        add(stream, ms)
    assert stream.behind(50, 0) == 49
    assert stream.counts is None
    for ms in range(100, 400):
        add(stream, ms)
    before = stream.memory_usage()
    assert stream.behind(50, 0) == 349
    assert stream.counts is not None
    assert stream.counts.blocks == 199
    assert stream.memory_usage() == before + stream.counts.memory_usage()
    assert stream.copy().counts is None


def test_the_last_block_may_go_and_come_back() -> None:
    stream = Stream()
    for ms in range(1, 401):
        add(stream, ms)
    assert stream.behind(0, 0) == 400
    for ms in range(400, 300, -1):
        assert stream.delete(ms, 0)
        assert stream.behind(10, 0) == ms - 11
    for ms in range(500, 520):
        add(stream, ms)
        assert stream.behind(299, 0) == 1 + ms - 499
    while stream.length:
        stream.drop_block(len(stream.blocks) - 1)
    assert stream.behind(0, 0) == stream.entry_bytes == 0
    add(stream, 600)
    assert stream.behind(0, 0) == 1
