"""The list against a Python list: every change, every look, copies and replies that live on."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.lists import run as runs
from headwater.lists.elements import (
    back_bytes,
    element_bytes,
    put_element,
    put_reply,
    size_at,
    start_before,
    text_at,
    text_length,
)
from headwater.lists.list import List
from headwater.resp.reply import Reply

TEXTS = (
    b"",
    b"a",
    b"0",
    b"-1",
    b"127",
    b"128",
    b"-4096",
    b"4095",
    b"4096",
    b"-32768",
    b"32768",
    b"8388607",
    b"-8388609",
    b"2147483647",
    b"-2147483649",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"01",
    b"+1",
    b"-0",
    b"x" * 63,
    b"x" * 64,
    b"y" * 125,
    b"y" * 126,
    b"y" * 4095,
    b"z" * 4096,
    b"z" * 9000,
)


def bulk(text: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(text), text)


def all_bytes(reply: Reply) -> bytes:
    found = b""
    for part in reply.take_parts():
        if isinstance(part, bytes):
            found += part
        else:
            while piece := part.read(1000):
                found += piece
            assert part.left() == 0
    return found


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: f"{text[:20]!r}-{len(text)}")
def test_an_element_is_read_back_from_either_end(text: bytes) -> None:
    source = bytearray(b"#" + text + b"#")
    size = element_bytes(source, 1, len(text))
    buf = bytearray(size + 2)
    assert put_element(buf, 1, source, 1, len(text)) == size + 1
    assert size_at(buf, 1) == size
    assert start_before(buf, size + 1) == 1
    assert text_length(buf, 1) == len(text)
    assert text_at(buf, 1) == text
    out = bytearray(len(text) + 40)
    end = put_reply(out, 3, buf, 1)
    assert bytes(out[3:end]) == bulk(text)


def test_the_size_behind_an_element_has_the_widths_of_redis() -> None:
    sizes = (127, 128, 16382, 16383, 2097150, 2097151, 268435454, 268435455)
    assert [back_bytes(size) for size in sizes] == [1, 2, 2, 3, 3, 4, 4, 5]


class Pair:
    """A list and what it should hold."""

    def __init__(self, fill: int) -> None:
        self.fill = fill
        self.list = List()
        self.model: list[bytes] = []

    def push(self, texts: list[bytes], front: bool) -> None:
        self.list.expect(self.fill, sum(map(len, texts)), len(texts))
        for text in texts:
            self.list.push(bytearray(text), 0, len(text), front)
            self.model.insert(0 if front else len(self.model), text)

    def check(self) -> None:
        value = self.list
        assert value.length == len(self.model)
        count = value.node_count()
        assert sum(value.node(i).count for i in range(count)) == len(self.model)
        for i in range(count):
            node = value.node(i)
            assert node.count > 0
            assert node.replies == node.replies_of(0, node.count)
            assert not node.plain or node.count == 1
        if not value.quick:
            assert count <= 1
        if self.model:
            reply = Reply()
            value.run(0, value.length).write(reply, False)
            assert all_bytes(reply) == b"".join(map(bulk, self.model))
            value.run(0, value.length).write(reply, True)
            assert all_bytes(reply) == b"".join(map(bulk, reversed(self.model)))


def texts_of(rng: random.Random) -> bytes:
    kind = rng.randrange(12)
    if kind == 0:
        return rng.choice(TEXTS)
    if kind < 4:
        return b"%d" % rng.choice((rng.randrange(5), rng.randrange(-(10**6), 10**12)))
    return bytes(rng.choice(b"abc") for _ in range(rng.choice((1, 1, 3, 20, 200))))


def step(rng: random.Random, pair: Pair) -> None:
    value, model = pair.list, pair.model
    what = rng.randrange(9)
    if what < 3 or not model:
        texts = [texts_of(rng) for _ in range(rng.choice((1, 1, 2, 30)))]
        pair.push(texts, rng.random() < 0.5)
    elif what == 3:
        count = min(len(model), rng.choice((1, 1, 2, 40)))
        front = rng.random() < 0.5
        reply = Reply()
        value.write_end(reply, front)
        assert all_bytes(reply) == bulk(model[0 if front else -1])
        value.drop(count, front)
        if front:
            del model[:count]
        else:
            del model[len(model) - count :]
    elif what == 4:
        i, text = rng.randrange(len(model)), texts_of(rng)
        value.expect(pair.fill, len(text), 1)
        value.set_item(i, bytearray(text), 0, len(text))
        model[i] = text
    elif what == 5:
        i, text, after = rng.randrange(len(model)), texts_of(rng), rng.random() < 0.5
        value.expect(pair.fill, len(text), 1)
        value.insert(i, after, bytearray(text), 0, len(text))
        model.insert(i + after, text)
    elif what == 6:
        text = rng.choice(model) if rng.random() < 0.8 else b"absent"
        count = rng.choice((0, 1, -1, 2, -3))
        places = [i for i, item in enumerate(model) if item == text]
        places = places[:count] if count > 0 else places[count:] if count < 0 else places
        assert value.remove(bytearray(text), 0, len(text), count) == len(places)
        for i in reversed(places):
            del model[i]
    elif what == 7:
        text = rng.choice(model)
        rank, count, most = rng.choice((1, 1, 2)), rng.choice((0, 1, 2)), rng.choice((0, 0, 5))
        back = rng.random() < 0.5
        order = range(len(model) - 1, -1, -1) if back else range(len(model))
        places = [i for i in list(order)[: most or None] if model[i] == text]
        places = places[rank - 1 :][: count or None]
        assert value.find_all(bytearray(text), 0, len(text), rank, count, most, back) == places
    else:
        i = rng.randrange(len(model))
        count = rng.randrange(1, len(model) - i + 1)
        reply = Reply()
        value.write_item(i, reply)
        assert all_bytes(reply) == bulk(model[i])
        value.run(i, count).write(reply, False)
        assert all_bytes(reply) == b"".join(map(bulk, model[i : i + count]))
    if rng.random() < 0.3 and model:
        value.shrink(pair.fill, True)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from((-2, -1, -2, 1, 3, 128, 0)))
def test_a_list_does_what_a_list_does(seed: int, fill: int) -> None:
    rng = random.Random(seed)
    pair = Pair(fill)
    kept: list[Pair] = []
    for _ in range(40):
        step(rng, pair)
        if rng.random() < 0.1:
            other = Pair(fill)
            twin = pair.list.copy()
            assert isinstance(twin, List)
            other.list, other.model = twin, list(pair.model)
            kept.append(other)
        if kept and rng.random() < 0.2:
            step(rng, rng.choice(kept))
    for each in (pair, *kept):
        each.check()


def test_a_big_reply_shows_the_moment_it_was_made_in() -> None:
    pair = Pair(-2)
    pair.push([b"%d" % i + b"x" * (i % 50) for i in range(20000)], False)
    assert pair.list.run(0, 20000).is_big()
    for reverse in (False, True):
        reply = Reply()
        expected = pair.model[17:19500]
        pair.list.run(17, len(expected)).write(reply, reverse)
        pair.list.drop(18000, False)
        pair.list.remove(bytearray(b"5xxxxx"), 0, 6, 0)
        pair.list.set_item(3, bytearray(b"changed"), 0, 7)
        if reverse:
            expected.reverse()
        assert all_bytes(reply) == b"".join(map(bulk, expected))
        pair = Pair(-2)
        pair.push([b"%d" % i + b"x" * (i % 50) for i in range(20000)], True)


def test_an_item_larger_than_a_piece_is_read_in_parts() -> None:
    pair = Pair(-2)
    texts = [b"a" * 10, b"b" * 700_000, b"c" * 300, b"d" * 70_000]
    pair.push(texts, False)
    run = pair.list.run(0, 4)
    for size in (1, 3, 64, 65, 1000, 69_999, 1_000_000):
        pieces = runs.Pieces(run, False)
        found = b""
        while piece := pieces.read(size):
            assert len(piece) <= max(size, 64)
            found += piece
            assert pieces.left() == run.size - len(found)
        assert found == b"".join(map(bulk, texts))


def test_pushing_at_the_front_of_a_long_list_moves_few_references() -> None:
    pair = Pair(1)
    for i in range(2000):
        pair.push([b"%d" % i], i % 3 == 0)
    for _ in range(1500):
        pair.list.drop(1, True)
        del pair.model[0]
    pair.check()
    assert pair.list.nodes is not None
    assert len(pair.list.nodes) <= 2 * pair.list.node_count() + 8


def test_what_is_dropped_in_one_go_is_handed_out_to_be_freed() -> None:
    pair = Pair(-2)
    pair.push([b"x" * 100 for _ in range(5000)], False)
    dropped = pair.list.drop(4000, False)
    assert dropped is not None
    assert len(dropped) > 40
    assert pair.list.free_units() > 10
    (nodes,) = pair.list.parts()
    assert len(nodes) >= pair.list.node_count()


@pytest.mark.parametrize("fill", [-5, -3, -2])
def test_a_growing_node_gets_few_buffers(fill: int) -> None:
    value = List()
    text = bytearray(b"a text that no number is")
    buffers = 0
    last: bytearray | None = None
    for _ in range(2500):
        value.expect(fill, len(text), 1)
        value.push(text, 0, len(text), False)
        node = value.node(value.node_count() - 1)
        if node.buf is not last:
            buffers += 1
            last = node.buf
    assert buffers < 150


@pytest.mark.parametrize("way", ["front", "back", "many", "by text"])
def test_a_list_that_was_big_is_small_again(way: str) -> None:
    value = List()
    text = bytearray(b"some text or other")
    value.expect(-2, 400 * len(text), 400)
    for _ in range(400):
        value.push(text, 0, len(text), False)
    assert value.memory_usage() > 7000
    if way == "by text":
        assert value.remove(text, 0, len(text), 398) == 398
    elif way == "many":
        value.drop(398, True)
    else:
        for _ in range(398):
            value.drop(1, way == "front")
    assert value.memory_usage() < 900
    for front in (True, False):
        value.expect(-2, len(text), 1)
        value.push(text, 0, len(text), front)
    reply = Reply()
    value.run(0, value.length).write(reply, False)
    assert bytes(reply.buf[: reply.pos]) == 4 * bulk(bytes(text))
