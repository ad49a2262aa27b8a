"""Requests: spans into a buffer, words and numbers out of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater import errors
from headwater.errors import CommandError
from headwater.resp.parser import READY, RequestParser
from headwater.resp.request import Request, encode_words, from_words

word_lists = st.lists(st.binary(max_size=30), max_size=40)


@given(word_lists)
def test_words_become_a_request_and_are_read_back(words: list[bytes]) -> None:
    request = from_words(words)
    assert request.argc == len(words)
    assert request.wellformed
    assert request.words() == words
    assert bytes(request.buf) == b"*%d\r\n" % len(words) + b"".join(
        b"$%d\r\n%b\r\n" % (len(word), word) for word in words
    )
    for i, word in enumerate(words):
        assert request.arg(i) == word
        assert request.length(i) == len(word)
        assert bytes(request.buf[request.start(i) : request.start(i) + len(word)]) == word


@given(st.lists(st.binary(max_size=30), min_size=1))
def test_what_is_encoded_is_parsed_to_the_same(words: list[bytes]) -> None:
    parser = RequestParser(Request(), 1000)
    buf = encode_words(words)
    assert parser.parse(buf, len(buf)) == READY
    assert parser.request.words() == words
    assert parser.request.wellformed


def test_arguments_follow_the_buffer() -> None:
    buf = bytearray(b"....abcdef")
    request = Request()
    for n in range(6):
        request.push(4 + n, 1)
    del buf[:3]
    request.shift(-3)
    request.buf = buf
    assert request.words() == [b"a", b"b", b"c", b"d", b"e", b"f"]
    request.clear()
    assert (request.argc, request.words()) == (0, [])


def test_more_arguments_than_there_was_room_for() -> None:
    request = Request()
    for n in range(1000):
        request.push(n, 2 * n)
    assert [request.start(n) for n in range(1000)] == list(range(1000))
    assert [request.length(n) for n in range(1000)] == list(range(0, 2000, 2))


def test_spans_beyond_32_bits() -> None:
    request = Request()
    request.push(2**40, 2**33)
    assert (request.start(0), request.length(0)) == (2**40, 2**33)


@pytest.mark.parametrize("text", [b"MAXLEN", b"maxlen", b"MaxLen"])
def test_words_are_compared_in_any_case(text: bytes) -> None:
    request = from_words([text])
    assert request.text_equals(0, b"MAXLEN")
    assert not request.text_equals(0, b"MAXLE")
    assert not request.text_equals(0, b"MINLEN")


@given(st.binary(max_size=6), st.sampled_from([b"", b"A", b"*", b"[X]", b"{X}", b"@`"]))
def test_only_letters_have_two_cases(text: bytes, upper: bytes) -> None:
    assert from_words([text]).text_equals(0, upper) == (text.upper() == upper)


@pytest.mark.parametrize("value", [0, 1, -1, 2**63 - 1, -(2**63)])
def test_integers(value: int) -> None:
    assert from_words([b"%d" % value]).integer(0) == value


@pytest.mark.parametrize(
    "text", [b"", b"+1", b"01", b"1 ", b" 1", b"-0", b"1.0", b"9223372036854775808", b"-", b"a"]
)
def test_words_that_are_no_integers(text: bytes) -> None:
    with pytest.raises(CommandError) as raised:
        from_words([text]).integer(0)
    assert raised.value.text == errors.NOT_AN_INTEGER.text()


def test_a_request_is_used_again() -> None:
    request = from_words([b"a"] * 50)
    request.wellformed = False
    request.set_words([b"PING"])
    assert request.words() == [b"PING"]
    assert request.wellformed


names = st.binary(max_size=70) | st.sampled_from([b"order:1", b"order:2", b""])


@given(st.lists(names, min_size=1))
def test_a_name_is_what_arg_gives_whatever_was_remembered_before(words: list[bytes]) -> None:
    request = from_words(words)
    for i, word in enumerate(words):
        assert request.name(i) == word
        assert request.name(i) == request.arg(i)


def test_the_same_name_is_the_same_object_until_others_take_its_place() -> None:
    first, again = from_words([b"GET", b"orders"]), from_words([b"XADD", b"k", b"orders"])
    assert first.name(1) is again.name(2)
    for number in range(20_000):
        from_words([b"order:%d" % number]).name(0)
    assert again.name(2) == b"orders"
