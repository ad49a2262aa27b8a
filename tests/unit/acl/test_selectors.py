"""Verdicts: commands, keys and channels that selectors grant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater import glob
from headwater.acl.patterns import READ, READ_WRITE, WRITE, Pattern
from headwater.acl.plans import ALL_CHANNELS, ALL_PATTERNS, ONE_CHANNEL, Plan
from headwater.acl.selectors import (
    ALLOWED,
    NO_CHANNEL,
    NO_COMMAND,
    NO_KEY,
    Selector,
    judge,
    place_of,
    reason_of,
)
from headwater.resp.request import from_words


def selector(
    *commands: int, keys: tuple[tuple[bytes, int], ...] = (), channels: tuple[bytes, ...] = ()
) -> Selector:
    made = Selector(8)
    for number in commands:
        made.allowed[number] = 1
    made.keys = [Pattern(text, grants) for text, grants in keys]
    made.channels = [Pattern(text, READ_WRITE) for text in channels]
    return made


def verdict(plan: Plan, line: str, *selectors: Selector) -> tuple[int, int]:
    found = judge(list(selectors), plan, from_words(line.encode().split()))
    return reason_of(found), place_of(found)


@given(
    st.text("ab*?[\\", max_size=5).map(str.encode), st.text("ab*?[]\\", max_size=6).map(str.encode)
)
def test_a_prepared_pattern_matches_what_the_glob_does(pattern: bytes, text: bytes) -> None:
    buf = bytearray(b"xx" + text + b"yy")
    assert Pattern(pattern, READ).matches(buf, 2, len(text)) == glob.matches(pattern, text)


def test_a_command_is_allowed_by_number() -> None:
    assert verdict(Plan(1), "get", selector(1)) == (ALLOWED, 0)
    assert verdict(Plan(2), "get", selector(1)) == (NO_COMMAND, 0)
    assert verdict(Plan(2, always=True), "auth", selector(1)) == (ALLOWED, 0)


def test_first_words() -> None:
    one = selector()
    one.first_words[3] = [b"0"]
    assert verdict(Plan(3), "select 0", one) == (ALLOWED, 0)
    assert verdict(Plan(3), "select 00", one) == (NO_COMMAND, 0)
    assert verdict(Plan(3), "select", one) == (NO_COMMAND, 0)
    assert verdict(Plan(4), "other 0", one) == (NO_COMMAND, 0)


@pytest.mark.parametrize(
    ("line", "want"),
    [
        ("copy r1 w1", (ALLOWED, 0)),
        ("copy w1 r1", (NO_KEY, 1)),
        ("copy r1 r1", (NO_KEY, 2)),
        ("copy b b", (ALLOWED, 0)),
        ("copy b x", (NO_KEY, 2)),
    ],
)
def test_keys_are_read_or_written(line: str, want: tuple[int, int]) -> None:
    plan = Plan(1, ranges=((1, 1, 1, READ), (2, 2, 1, WRITE)))
    keys = ((b"r*", READ), (b"w*", WRITE), (b"b", READ_WRITE))
    assert verdict(plan, line, selector(1, keys=keys)) == want


def test_no_pattern_grants_both_halves_of_what_takes_both() -> None:
    """As in Redis: %R~k %W~k of one text become one pattern, of two texts they stay two."""
    plan = Plan(1, ranges=((1, 1, 1, READ_WRITE),))
    assert verdict(plan, "x key", selector(1, keys=((b"k*", READ), (b"ke*", WRITE)))) == (NO_KEY, 1)


def test_a_key_that_is_only_named_takes_any_pattern() -> None:
    plan = Plan(1, ranges=((1, -1, 1, 0),))
    assert (
        verdict(plan, "exists r w", selector(1, keys=((b"r", READ), (b"w", WRITE))))[0] == ALLOWED
    )
    assert verdict(plan, "exists r x", selector(1, keys=((b"r", READ),))) == (NO_KEY, 2)


def test_ranges_with_a_step_and_from_the_end() -> None:
    plan = Plan(1, ranges=((1, -1, 2, WRITE),))
    one = selector(1, keys=((b"k", WRITE),))
    assert verdict(plan, "mset k v k v k v", one) == (ALLOWED, 0)
    assert verdict(plan, "mset k v k v x v", one) == (NO_KEY, 5)
    assert verdict(Plan(1, ranges=((2, -2, 1, READ),)), "m x k k x", one) == (NO_KEY, 2)


def test_keys_that_must_be_looked_for() -> None:
    plan = Plan(1, find=lambda words: [(len(words) - 1, READ)])
    one = selector(1, keys=((b"k", READ),))
    assert verdict(plan, "a x k", one) == (ALLOWED, 0)
    assert verdict(plan, "a k x", one) == (NO_KEY, 2)


def test_channels() -> None:
    one = selector(1, channels=(b"c*", b"d"))
    assert verdict(Plan(1, channels=ONE_CHANNEL), "publish c1 x", one) == (ALLOWED, 0)
    assert verdict(Plan(1, channels=ONE_CHANNEL), "publish x c1", one) == (NO_CHANNEL, 1)
    assert verdict(Plan(1, channels=ALL_CHANNELS), "subscribe c1 d x", one) == (NO_CHANNEL, 3)
    assert verdict(Plan(1, channels=ALL_PATTERNS), "psubscribe c* d", one) == (ALLOWED, 0)
    assert verdict(Plan(1, channels=ALL_PATTERNS), "psubscribe c1", one) == (NO_CHANNEL, 1)


def test_one_selector_must_grant_all_of_it() -> None:
    plan = Plan(1, ranges=((1, 1, 1, READ),))
    only_command, only_key = selector(1), selector(keys=((b"k", READ),))
    assert verdict(plan, "get k", only_command, only_key) == (NO_KEY, 1)
    assert verdict(plan, "get k", only_key, only_command) == (NO_KEY, 1)
    assert verdict(plan, "get k", only_key, selector(1, keys=((b"k", READ),))) == (ALLOWED, 0)


def test_the_refusal_that_came_furthest_counts() -> None:
    plan = Plan(1, ranges=((1, -1, 1, READ),))
    near, far = selector(1, keys=((b"x", READ),)), selector(1, keys=((b"k", READ),))
    assert verdict(plan, "mget k x", near, far) == (NO_KEY, 2)
    assert verdict(plan, "mget k x", far, near) == (NO_KEY, 2)


def test_a_copy_is_independent() -> None:
    one = selector(1, keys=((b"k", READ),))
    one.first_words[2] = [b"a"]
    other = one.copy()
    other.allowed[1] = 0
    other.first_words[2].append(b"b")
    other.keys.clear()
    assert one.allowed[1] == 1
    assert one.first_words == {2: [b"a"]}
    assert len(one.keys) == 1
