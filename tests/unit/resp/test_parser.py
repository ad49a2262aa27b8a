"""The request parser: any split of any bytes gives the same requests, or the same error."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from headwater.resp.parser import FAILED, MORE, READY, RequestParser, split_words
from headwater.resp.request import Request

MAX_BULK_BYTES = 20_000


@dataclass
class Outcome:
    """What bytes were parsed into: the requests, then an error or the bytes that are left."""

    requests: list[tuple[bool, list[bytes]]] = field(default_factory=list)
    error: bytes = b""
    left: bytes = b""


def parse(pieces: list[bytes], *, compact: bool = False, authenticated: bool = True) -> Outcome:
    """Feed the pieces one by one, as a connection does.

    With `compact` the bytes of requests that are done are thrown away after every piece.
    """
    shared = Request()
    parser = RequestParser(shared, MAX_BULK_BYTES)
    parser.authenticated = authenticated
    buf = bytearray()
    outcome = Outcome()
    for piece in pieces:
        buf += piece
        while True:
            status = parser.parse(buf, len(buf))
            if status == READY:
                outcome.requests.append((parser.request.wellformed, parser.request.words()))
                continue
            break
        if status == FAILED:
            outcome.error = parser.error
            return outcome
        assert status == MORE
        if compact and parser.begin:
            begin = parser.begin
            del buf[:begin]
            parser.moved(-begin)
        # Another connection uses the shared request meanwhile.
        shared.set_words([b"SOMEBODY", b"ELSE"])
    outcome.left = bytes(buf[parser.begin :])
    return outcome


def request(words: list[bytes]) -> bytes:
    bulks = b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
    return b"*%d\r\n%b" % (len(words), bulks)


words = st.lists(st.binary(max_size=30), min_size=1, max_size=20)
fragments = st.sampled_from(
    [
        *(b"*1\r\n", b"*2\r\n", b"*3\r\n", b"*0\r\n", b"*-1\r\n", b"*", b"*11\r\n", b"*007\r\n"),
        *(b"$4\r\n", b"$1\r\n", b"$0\r\n", b"$", b"$20001\r\n", b"$-1\r\n", b"$04\r\n", b"$+1\r\n"),
        *(b"*2147483648\r\n", b"$99999999999999999999\r\n", b"$4\rx", b"*1\rx", b"$1\n"),
        *(b"\r\n", b"\n", b"\r", b"PING", b"a", b" ", b'"', b"'", b"\\x41", b"\\"),
        *(b"\x00", b"\xff"),
        *(b"PING\r\n", b"SET a 'b c'\r\n", b'ECHO "\\x00\\n"\n', b"*1\r\n$4\r\nPING\r\n"),
        *(b"*2\r\n$4\r\nECHO\r\n$1\r\nx\r\n", b"*1\r\n$4\r\nPINGxx", b"$20\r\n" + b"y" * 20),
    ]
)
streams = st.one_of(
    st.lists(fragments, max_size=12).map(b"".join),
    st.lists(words.map(request), max_size=5).map(b"".join),
    st.binary(max_size=60),
)


@settings(max_examples=600)
@given(data=st.data(), whole=streams, compact=st.booleans(), authenticated=st.booleans())
def test_any_split(data: st.DataObject, whole: bytes, compact: bool, authenticated: bool) -> None:
    expected = parse([whole], authenticated=authenticated)
    places = data.draw(st.lists(st.integers(0, len(whole)), max_size=6).map(sorted))
    edges = [0, *places, len(whole)]
    pieces = [whole[start:stop] for start, stop in pairwise(edges)]
    assert parse(pieces, compact=compact, authenticated=authenticated) == expected


@settings(max_examples=200)
@given(whole=streams, compact=st.booleans())
@example(whole=request([b"XADD", b"s", b"*", b"f" * 300, b"v"] * 5), compact=True)
def test_byte_by_byte(whole: bytes, compact: bool) -> None:
    single = [whole[n : n + 1] for n in range(len(whole))]
    assert parse(single, compact=compact) == parse([whole])


@settings(max_examples=200)
@given(st.lists(words, max_size=6))
def test_requests_come_back(requests: list[list[bytes]]) -> None:
    outcome = parse([b"".join(map(request, requests))])
    assert outcome == Outcome(requests=[(True, one) for one in requests])


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=6))
def test_inline_words_come_back(inline: list[bytes]) -> None:
    """Any word can be said in double quotes with every byte escaped."""
    line = b" ".join(b'"' + b"".join(b"\\x%02x" % c for c in word) + b'"' for word in inline)
    assert split_words(line) == inline
    outcome = parse([line + b"\r\n"])
    assert [spoken for _, spoken in outcome.requests] == [inline]


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"*2147483648\r\n", b"invalid multibulk length"),
        (b"*x\r\n", b"invalid multibulk length"),
        (b"*+1\r\n", b"invalid multibulk length"),
        (b"*1\r\n$-1\r\n", b"invalid bulk length"),
        (b"*1\r\n$20001\r\n", b"invalid bulk length"),
        (b"*1\r\n$01\r\n", b"invalid bulk length"),
        (b"*1\r\n:1\r\n", b"expected '$', got ':'"),
        (b"ECHO 'a\r\n", b"unbalanced quotes in request"),
        (b"x" * 70_000, b"too big inline request"),
        (b"*" + b"1" * 70_000, b"too big mbulk count string"),
        (b"*1\r\n$" + b"1" * 70_000, b"too big bulk count string"),
    ],
)
def test_what_is_refused(raw: bytes, error: bytes) -> None:
    assert error in parse([raw]).error
    assert error in parse([raw[n : n + 100] for n in range(0, len(raw), 100)]).error


def test_limits_before_authentication() -> None:
    assert parse([b"*10\r\n"], authenticated=False).error == b""
    assert b"unauthenticated multibulk length" in parse([b"*11\r\n"], authenticated=False).error
    parser = RequestParser(Request(), 1 << 20)
    parser.authenticated = False
    assert parser.parse(bytearray(b"*1\r\n$16384\r\n"), 12) == MORE
    parser = RequestParser(Request(), 1 << 20)
    parser.authenticated = False
    assert parser.parse(bytearray(b"*1\r\n$16385\r\n"), 12) == FAILED
    assert b"unauthenticated bulk length" in parser.error


def test_a_length_alone_allocates_nothing() -> None:
    parser = RequestParser(Request(), 1 << 40)
    raw = bytearray(b"*2147483647\r\n$1000000000000\r\n")
    tracemalloc.start()
    try:
        assert parser.parse(raw, len(raw)) == MORE
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_sloppy_line_ends_are_marked() -> None:
    outcome = parse([b"*1\r\n$4\r\nPING??*1\r\n$4\r\nPING\r\nPING\r\n"])
    assert [spoken for _, spoken in outcome.requests] == [[b"PING"]] * 3
    assert [wellformed for wellformed, _ in outcome.requests][:2] == [False, True]
