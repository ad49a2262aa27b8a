"""JSON lines: what is written is what is read, and what is no entry is told."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.cli.failure import Failure
from headwater.cli.json_lines import LineError, entry_line, key_text, read_line, read_lines

words = st.one_of(st.binary(max_size=20), st.text(max_size=20).map(lambda text: text.encode()))


@given(words, st.lists(st.tuples(words, words), min_size=1, max_size=5))
def test_what_is_written_is_read(key: bytes, pairs: list[tuple[bytes, bytes]]) -> None:
    flat = [word for pair in pairs for word in pair]
    text = entry_line(key_text(key), b"5-7", flat)
    assert text.endswith("\n")
    assert text.count("\n") == 1
    line = read_line(text.encode().strip())
    assert (line.key, line.entry_id, line.fields) == (key, b"5-7", flat)
    json.loads(text)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ('{"a": "1"}', [b"a", b"1"]),
        ('{"b": 1, "a": 2.50}', [b"b", b"1", b"a", b"2.50"]),
        ('{"n": 123456789012345678901234567890, "e": 1e400}',
         [b"n", b"123456789012345678901234567890", b"e", b"1e400"]),
        ('{"t": true, "f": false}', [b"t", b"true", b"f", b"false"]),
        ('{"o": {"x": [1, 2.50, "\\u00e9", null, true]}}',
         [b"o", '{"x":[1,2.50,"é",null,true]}'.encode()]),
        ('{"l": []}', [b"l", b"[]"]),
        ('{"b": {"base64": "/w=="}}', [b"b", b"\xff"]),
        ('{"base64": "/w=="}', [b"base64", b"/w=="]),
        ('{"fields": {"a": "1"}}', [b"a", b"1"]),
        ('{"fields": [["a", "1"], ["a", 2]]}', [b"a", b"1", b"a", b"2"]),
        ('{"fields": "text"}', [b"fields", b"text"]),
        ('{"fields": {"a": 1}, "more": 2}', [b"fields", b'{"a":1}', b"more", b"2"]),
        ('{"": ""}', [b"", b""]),
    ],
)  # fmt: skip
def test_what_a_line_may_be(text: str, fields: list[bytes]) -> None:
    assert read_line(text.encode()).fields == fields


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"{", "no JSON"),
        (b"\xff{}", "not UTF-8"),
        (b"[1]", "not an object"),
        (b"7", "not an object"),
        (b"{}", "no fields"),
        (b'{"fields": {}}', "no fields"),
        (b'{"a": null}', "null"),
        (b'{"a": NaN}', "NaN is no JSON"),
        (b'{"a": 1, "a": 2}', "stands twice"),
        (b'{"fields": [["a"]]}', "pairs"),
        (b'{"fields": [1]}', "pairs"),
        (b'{"fields": [[1, 2]]}', "neither text nor"),
        (b'{"a": {"base64": "?"}}', "not in base64"),
        ('{"a": {"base64": "é"}}'.encode(), "not in base64"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"id": "x", "fields": {"a": "1"}}', "no entry ID"),
        (b'{"id": "1-99999999999999999999", "fields": {"a": "1"}}', "no entry ID"),
        (b'{"a": ' + b"[" * 100_000, "too deep"),
    ],
)
def test_what_is_no_entry(text: bytes, why: str) -> None:
    with pytest.raises(LineError, match=why):
        read_line(text)


@given(st.binary(max_size=60))
def test_any_bytes_are_an_entry_or_told(data: bytes) -> None:
    try:
        line = read_line(data)
    except LineError:
        return
    assert line.fields
    assert len(line.fields) % 2 == 0


def test_the_line_s_number_is_told() -> None:
    file = io.BytesIO(b'{"a":1}\n\n  \n{"b":2}\nnonsense\n')
    lines = read_lines(file, "orders.jsonl")
    first, second = next(lines), next(lines)
    assert (first.number, first.end) == (1, 8)
    assert (second.number, second.fields) == (4, [b"b", b"2"])
    with pytest.raises(Failure, match=r"orders.jsonl, line 5: no JSON"):
        next(lines)
