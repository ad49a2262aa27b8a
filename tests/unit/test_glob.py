"""Glob patterns, as KEYS of a redis-server reads them."""

from __future__ import annotations

import random

import pytest

from headwater.glob import matches
from support.servers import Server


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("", "", True),
        ("", "a", False),
        ("*", "", True),
        ("a*c", "abbc", True),
        ("a*b*c", "aXbYbc", True),
        ("a*b*c", "aXbYb", False),
        ("h?llo", "hello", True),
        ("h?llo", "hllo", False),
        ("h[ae]llo", "hallo", True),
        ("h[^e]llo", "hello", False),
        ("h[a-c]llo", "hbllo", True),
        ("h[c-a]llo", "hbllo", True),
        (r"h\*llo", "h*llo", True),
        (r"h\*llo", "hxllo", False),
        (r"[\]]", "]", True),
        ("[a", "a", True),
    ],
)
def test_matches(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern.encode(), text.encode()) is expected


def test_letters_of_either_case() -> None:
    assert matches(b"XA*[a-c]", b"xAB", True)
    assert not matches(b"XA*", b"xadd")


def test_many_stars_do_not_take_forever() -> None:
    assert not matches(b"a*" * 50 + b"b", b"a" * 2000)


def test_random_patterns_as_redis(reference: Server) -> None:
    draw = random.Random(8)
    connection = reference.connect()
    texts = {"".join(draw.choices(r"abAB-]^\[", k=draw.randint(1, 5))) for _ in range(150)}
    for text in texts:
        connection.ok("SET", text, 1)
    for _ in range(600):
        pattern = "".join(draw.choices(r"ab*?[]^\-AB", k=draw.randint(1, 7)))
        theirs = {key.decode() for key in connection.ok("KEYS", pattern)}
        assert {t for t in texts if matches(pattern.encode(), t.encode())} == theirs, pattern
