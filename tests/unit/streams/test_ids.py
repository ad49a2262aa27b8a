"""Entry IDs: their order, their neighbours, the ways to write them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headwater import errors
from headwater.errors import CommandError
from headwater.resp.request import from_words
from headwater.streams import ids

MAX = 2**64 - 1
halves = st.sampled_from([0, 1, 2**63 - 1, 2**63, MAX - 1, MAX]) | st.integers(0, MAX)


@given(halves, halves, halves, halves)
def test_ids_compare_left_to_right(ms1: int, seq1: int, ms2: int, seq2: int) -> None:
    expected = ((ms1, seq1) > (ms2, seq2)) - ((ms1, seq1) < (ms2, seq2))
    assert ids.compare(ms1, seq1, ms2, seq2) == expected


@given(halves, halves)
def test_neighbours(ms: int, seq: int) -> None:
    number = (ms << 64) + seq
    for step, (ok, *found) in ((1, ids.next_id(ms, seq)), (-1, ids.previous_id(ms, seq))):
        expected = number + step
        if 0 <= expected < 1 << 128:
            assert (ok, *found) == (True, expected >> 64, expected & MAX)
        else:
            assert not ok
    assert ids.next_id(MAX, MAX) == (False, 0, 0)
    assert ids.previous_id(0, 0) == (False, MAX, MAX)


@given(halves, halves)
def test_text_is_read_back(ms: int, seq: int) -> None:
    request = from_words([ids.text(ms, seq), b"%d" % ms, b"(%d-%d" % (ms, seq)])
    assert ids.text(ms, seq) == b"%d-%d" % (ms, seq)
    assert ids.strict_id(request, 0, 7) == (ms, seq)
    assert ids.strict_id(request, 1, 7) == (ms, 7)
    assert ids.range_id(request, 0, 7) == (ms, seq)
    assert not ids.is_exclusive(request, 0)
    assert ids.is_exclusive(request, 2)
    assert ids.exclusive_id(request, 2, 7) == (ms, seq)


WRONG = (
    b"", b"-", b"--", b"1-", b"-1", b"1--1", b"1-1-1", b"+", b"+1", b"a", b"1-a", b" 1-1", b"1-1 ",
    b"18446744073709551616", b"18446744073709551616-0", b"0-18446744073709551616",
    b"1-000000000000000000001", b"0x1-1", b"1-1\0",
)  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_wrong_ids(text: bytes) -> None:
    request = from_words([text, b"(" + text])
    with pytest.raises(CommandError) as raised:
        ids.strict_id(request, 0, 0)
    assert raised.value.text == errors.INVALID_ID.text()
    with pytest.raises(CommandError):
        ids.exclusive_id(request, 1, 0)
    if text not in (b"-", b"+"):
        with pytest.raises(CommandError):
            ids.range_id(request, 0, 0)


@given(st.binary(max_size=45))
@example(b"00000000000000000001-0")
@example(b"18446744073709551615-18446744073709551615")
def test_any_bytes_are_an_id_or_refused(text: bytes) -> None:
    parts = text.split(b"-")
    good = len(parts) in (1, 2) and all(
        0 < len(part) <= 20 and all(48 <= c <= 57 for c in part) and int(part) <= MAX
        for part in parts
    )
    ok, ms, seq = ids.parse_span(bytearray(b"9" + text + b"9"), 1, len(text), 5)
    assert ok == good
    if good:
        assert (ms, seq) == (int(parts[0]), int(parts[1]) if len(parts) == 2 else 5)


def test_the_ends_of_a_range() -> None:
    request = from_words([b"-", b"+", b"(-", b"("])
    assert ids.range_id(request, 0, 9) == (0, 0)
    assert ids.range_id(request, 1, 9) == (MAX, MAX)
    with pytest.raises(CommandError):
        ids.exclusive_id(request, 2, 0)
    assert not ids.is_exclusive(request, 3), "a bracket alone is no ID"
