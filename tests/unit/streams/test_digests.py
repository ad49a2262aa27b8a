"""Digests of values, and the table that numbers them."""

from __future__ import annotations

import random

import pytest

from headwater.resp.request import from_words
from headwater.streams.digests import DigestTable, digest_of, digest_of_field
from headwater.streams.stream import Stream


def murmur(data: bytes) -> int:
    """The same function, written once more and differently."""
    m = 0xC6A4A7935BD1E995
    h = len(data) * m % 2**64
    for start in range(0, len(data) - 7, 8):
        k = int.from_bytes(data[start : start + 8], "little") * m % 2**64
        k = (k ^ k >> 47) * m % 2**64
        h = (h ^ k) * m % 2**64
    rest = data[len(data) // 8 * 8 :]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m % 2**64
    h = (h ^ h >> 47) * m % 2**64
    return (h ^ h >> 47) or 1


@pytest.mark.parametrize("size", [*range(26), 1000, 65537])
def test_a_digest_follows_from_the_bytes(size: int) -> None:
    data = random.Random(size).randbytes(size)
    assert digest_of(bytearray(b"xx" + data + b"yy"), 2, size) == murmur(data)


def test_no_value_has_the_digest_of_none() -> None:
    assert digest_of(bytearray(b"x"), 0, 0) == 1


def entry(*words: str | bytes) -> tuple[bytearray, int]:
    stream = Stream()
    request = from_words([word.encode() if isinstance(word, str) else word for word in words])
    stream.append(1, 1, from_words([b"first", b"entry"]), 0, 1, 100, 4096)
    stream.append(2**63, 2**64 - 1, request, 0, len(words) // 2, 100, 4096)
    block = stream.blocks[-1]
    return block.data(), block.offset(block.slots - 1)


def value(data: bytes) -> int:
    return digest_of(bytearray(data), 0, len(data))


def test_the_value_of_a_field() -> None:
    data, pos = entry("customer", "anna", "order", "7")
    assert digest_of_field(data, pos, b"customer") == value(b"anna")
    assert digest_of_field(data, pos, b"order") == value(b"7")
    assert digest_of_field(data, pos, b"anna") == 0
    assert digest_of_field(data, pos, b"Customer") == 0
    assert digest_of_field(data, pos, b"custom") == 0
    assert digest_of_field(data, pos, b"") == 0


def test_the_first_of_several_pairs_counts() -> None:
    data, pos = entry("b", "0", "a", "1", "a", "2", "", "3")
    assert digest_of_field(data, pos, b"a") == value(b"1")
    assert digest_of_field(data, pos, b"") == value(b"3")


def test_values_of_any_bytes() -> None:
    odd = bytes(range(256)) * 40 + b"\r\n$4\r\n"
    data, pos = entry(b"\r\n", odd, "empty", "")
    assert digest_of_field(data, pos, b"\r\n") == value(odd)
    assert digest_of_field(data, pos, b"empty") == value(b"") != 0


def test_a_table_agrees_with_a_dict() -> None:
    rng = random.Random(7)
    table = DigestTable()
    known: dict[int, int] = {}
    # Halves that come again, so that many are alike in one of them.
    keys = [rng.choice((1, 2, 7, 2**31)) << 32 | rng.randrange(1, 400) for _ in range(3000)]
    for step in range(12_000):
        key = rng.choice(keys)
        if rng.random() < (0.7 if step < 6000 else 0.35):
            number = table.find_or_add(key)
            assert known.setdefault(key, number) == number
        elif key in known:
            table.remove(known.pop(key))
        assert table.live == len(known)
        assert table.find(key) == known.get(key, 0)
        if step % 1000 == 0:
            table.check()
    assert len(set(known.values())) == len(known)
    assert all(table.find(key) == number for key, number in known.items())
    twin = table.copy()
    for key in list(known):
        table.remove(known.pop(key))
        if len(known) % 50 == 0:
            table.check()
    assert table.live == 0
    assert table.find_or_add(5) == 1
    twin.check()


def test_a_table_that_is_empty_again_is_small() -> None:
    table = DigestTable()
    small = table.memory_usage()
    numbers = [table.find_or_add(key) for key in range(1, 5001)]
    assert table.memory_usage() > 5000 * 16
    for number in numbers:
        table.remove(number)
    assert table.memory_usage() == small
