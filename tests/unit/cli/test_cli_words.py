"""How the command line shows bytes, numbers, sizes, times; what --json makes of them."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.cli import words
from headwater.cli.moments import is_entry_id, since_id, span_ms, time_ms


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"orders", "orders"),
        ("päth 日本".encode(), "päth 日本"),
        (b"a\nb\r\tc\\", "a\\nb\\r\\tc\\\\"),
        (b"\x00\x1b[31mred\x7f", "\\x00\\x1b[31mred\\x7f"),
        (b"\xff\xfeok", "\\xff\\xfeok"),
        ("x\x9by".encode(), "x\\x9by"),
        ("right‮left".encode(), "right\\u202eleft"),
        (" two\u2029".encode(), " two\\u2029"),
        (b"", ""),
    ],
)
def test_shown(data: bytes, text: str) -> None:
    assert words.shown(data) == text


@given(st.binary(), st.sampled_from((0, 8, 20)))
def test_what_is_shown_never_steers_a_terminal(data: bytes, limit: int) -> None:
    text = words.shown(data, limit)
    assert not any(
        unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") for letter in text
    )
    if limit:
        assert len(text) <= max(limit, len("…") + len(words.size_words(len(data))) + 4)


@given(st.binary())
def test_different_bytes_are_shown_differently(data: bytes) -> None:
    text = words.shown(data)
    back = text.encode().decode("unicode_escape", "replace") if text.isascii() else None
    if back is not None:
        assert back.encode("latin-1", "replace") == data or b"\\u" in text.encode()


def test_long_values_are_cut_and_say_so() -> None:
    assert words.shown(b"x" * 3000, 20) == "x" * 10 + "… (2.9 KB)"
    assert words.shown(b"x" * 20, 20) == "x" * 20
    assert words.shown(b"\xff" * 10, 20) == "\\xff\\xff\\xff… (10 B)"[:20]


@pytest.mark.parametrize(
    ("text", "width"), [("abc", 3), ("日本", 4), ("e\u0301", 1), ("", 0), ("ｆ", 2)]
)
def test_width(text: str, width: int) -> None:
    assert words.width_of(text) == width


@given(st.text(), st.integers(0, 20))
def test_fitted_fits(text: str, width: int) -> None:
    assert words.width_of(words.fitted(text, width)) <= width


def test_numbers() -> None:
    assert words.number_words(1234567) == "1,234,567"
    assert words.number_words(None) == "-"
    assert words.counted(1, "entry", "entries") == "1 entry"
    assert words.counted(2000, "entry", "entries") == "2,000 entries"
    assert words.counted(0, "group") == "0 groups"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KB"),
        (1024 * 1024 - 1, "1.0 MB"),
        (5 * 2**40, "5.0 TB"),
        (None, "-"),
    ],
)
def test_sizes(size: int | None, text: str) -> None:
    assert words.size_words(size) == text


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0s"),
        (850, "850ms"),
        (4200, "4.2s"),
        (59_990, "0m59s"),
        (192_000, "3m12s"),
        (7_500_000, "2h05m"),
        (277_200_000, "3d05h"),
        (None, "-"),
        (-1, "-"),
    ],
)
def test_durations(ms: int | None, text: str) -> None:
    assert words.duration_words(ms) == text


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0ms"),
        (500, "500ms"),
        (30_000, "30s"),
        (5_400_000, "1h30m"),
        (90_061_001, "1d1h1m1s1ms"),
    ],
)
def test_spans_both_ways(ms: int, text: str) -> None:
    assert words.span_words(ms) == text
    assert span_ms(text) == ms


def test_rates_and_times() -> None:
    assert [words.rate_words(rate) for rate in (None, 0, 0.01, 0.5, 1234.5)] == [
        *("-", "0.0/s", "<0.1/s", "0.5/s", "1,234/s"),
    ]
    assert words.iso_time(1_700_000_000_123) == "2023-11-14T22:13:20.123Z"
    assert words.iso_time(2**63) is None
    assert words.time_words(2**63) == str(2**63)


def test_json() -> None:
    assert words.json_bytes("é".encode()) == "é"
    assert words.json_bytes(b"\xff") == {"base64": "/w=="}
    assert words.json_name(b"\xffa") == "\\xffa"
    assert words.json_fields([(b"a", b"1"), (b"b", b"\xff")]) == {"a": "1", "b": {"base64": "/w=="}}
    assert words.json_fields([(b"a", b"1"), (b"a", b"2")]) == [["a", "1"], ["a", "2"]]
    assert words.json_fields([(b"\xff", b"1")]) == [[{"base64": "/w=="}, "1"]]
    assert words.json_fields([]) == {}
    json.dumps(words.json_fields([(b"\xed\xa0\x80", b"")]), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("10m", 600_000),
        ("1h30m", 5_400_000),
        ("500ms", 500),
        ("1.5s", 1500),
        ("2d", 172_800_000),
        ("1 w", 604_800_000),
        ("10", None),
        ("m", None),
        ("10x", None),
        ("", None),
    ],
)
def test_spans(text: str, ms: int | None) -> None:
    assert span_ms(text) == ms


def test_moments() -> None:
    now = 1_700_000_600_000
    assert since_id("10m", now) == "1700000000000-0"
    assert since_id("100000w", now) == "0-0"
    assert since_id("1700000000000-5", now) == "1700000000000-5"
    assert since_id("1700000000000", now) == "1700000000000-0"
    assert since_id("5", now) == "5-0"
    assert since_id("2023-11-14T22:13:20Z", now) == "1700000000000-0"
    assert since_id("2023-11-14T23:13:20+01:00", now) == "1700000000000-0"
    assert since_id("20231114", now) == since_id("2023-11-14", now)
    assert time_ms("noon") is None
    assert is_entry_id("18446744073709551615-18446744073709551615")
    assert not is_entry_id("18446744073709551616-0")
    assert not is_entry_id("1-2-3")
