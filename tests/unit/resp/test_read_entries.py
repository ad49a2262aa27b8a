"""The reader of entries: what the general decoder and redis-py make of the same replies."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis._parsers.helpers import parse_stream_list, parse_xread

from headwater.resp.decoder import ReplyDecoder, ReplyFormatError
from headwater.resp.entries import EntryReader


def bulk(data: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(data), data)


def array(items: list[bytes]) -> bytes:
    return b"*%d\r\n" % len(items) + b"".join(items)


NAMES = st.one_of(st.sampled_from([b"a", b"b", b"name", b"mane", b"x" * 64, b"y" * 65, b""]))
STRINGS = st.one_of(st.binary(max_size=80), NAMES).map(bulk)
FIELDS = st.one_of(
    st.lists(st.tuples(NAMES.map(bulk), STRINGS), max_size=4).map(
        lambda pairs: array([word for pair in pairs for word in pair])
    ),
    st.sampled_from([b"*-1\r\n", b"$-1\r\n"]),
)
PLAIN = st.tuples(STRINGS, FIELDS).map(lambda pair: array(list(pair)))
NUMBERS = st.integers(-(2**63), 2**63 - 1).map(lambda n: b":%d\r\n" % n)
CLAIMED = st.tuples(STRINGS, FIELDS, NUMBERS, NUMBERS).map(lambda parts: array(list(parts)))
ENTRIES = st.lists(st.one_of(PLAIN, CLAIMED, st.just(b"*-1\r\n")), max_size=5).map(array)
STREAMS = st.one_of(
    st.lists(st.tuples(STRINGS, ENTRIES).map(lambda p: array(list(p))), max_size=3).map(array),
    st.just(b"*-1\r\n"),
)


def reader_of(data: bytes) -> EntryReader:
    reader = EntryReader()
    reader.begin(bytearray(data), len(data))
    return reader


def decoded(data: bytes) -> Any:
    decoder = ReplyDecoder()
    decoder.feed(data)
    return decoder.decode()


@given(ENTRIES)
def test_entries(data: bytes) -> None:
    assert reader_of(data).entries(False) == parse_stream_list(decoded(data))


@given(STREAMS)
def test_streams(data: bytes) -> None:
    assert reader_of(data).streams(False) == parse_xread(decoded(data))
    claimed = parse_xread(decoded(data), claim_min_idle_time=1)
    assert reader_of(data).streams(True) == claimed


@given(STREAMS, st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=3))
def test_any_bytes(data: bytes, damage: list[tuple[int, int]]) -> None:
    broken = bytearray(data)
    for at, byte in damage:
        broken[at % len(broken)] = byte
    for n in range(0, len(broken), max(1, len(broken) // 7)):
        reader = EntryReader()
        reader.begin(broken[:n], n)
        try:
            reader.streams(True)
        except ReplyFormatError:
            continue
        assert reader.pos <= n


@pytest.mark.parametrize("data", [b"", b"*", b"*1\r\n", b"$1\r\na\r\n", b"*1\r\n*3\r\n", b"*x\r\n"])
def test_another_shape_is_refused(data: bytes) -> None:
    with pytest.raises(ReplyFormatError):
        reader_of(data).streams(False)


def test_a_name_is_the_same_object_again() -> None:
    first = reader_of(bulk(b"quantity")).name()
    assert reader_of(bulk(b"quantity")).name() is first
    assert reader_of(bulk(b"quantitY")).name() == b"quantitY"
