"""Rules read into users and printed again."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.acl.passwords import hash_password
from headwater.acl.rules import (
    BAD_HASH,
    FIRST_WORD_OF_SUBCOMMAND,
    NO_SUCH_PASSWORD,
    SYNTAX,
    UNKNOWN_NAME,
    OpenSelectorError,
    RuleError,
    Rules,
    join_selectors,
    user_line,
    user_rules,
)
from headwater.acl.users import User
from support.access import catalog


def user_of(*words: bytes | str) -> User:
    rules = Rules(catalog())
    user = rules.new_user(b"u")
    rules.apply(user, [word.encode() if isinstance(word, str) else word for word in words])
    return user


@pytest.mark.parametrize("word", ["+get|a b", "+get|a\tb", '(+get|"a b")'])
def test_spaces_in_a_first_argument(word: str) -> None:
    """They would make two words of one where the user is read from a file again."""
    with pytest.raises(RuleError) as caught:
        user_of(word)
    assert caught.value.reason == SYNTAX


@pytest.mark.parametrize("word", ["(~a) +get)", "(~b ~a) +get)", "(+get ~a) &b) %R~c))"])
def test_selectors_with_parentheses_in_their_words(word: str) -> None:
    """What is printed makes the same user, and no rules of the root out of a selector's."""
    rules = Rules(catalog())
    user = user_of(word)
    line = user_line(user)
    again = rules.new_user(b"u")
    rules.apply(again, line.split(b" ")[2:])
    assert user_line(again) == line
    assert not again.selectors[0].keys
    assert len(again.selectors) == 2


def commands(*words: str) -> str:
    """The printed commands, and those that are allowed."""
    root = user_of(*words).selectors[0]
    line = user_line(user_of(*words)).decode()
    return f"{line.partition('resetchannels ')[2]} = {root.allowed.hex()[1::2]}"


@pytest.mark.parametrize(
    ("words", "want"),
    [
        ("", "-@all = 000000"),
        ("+get", "-@all +get = 100000"),
        ("+GET +set -get", "-@all +set -get = 010000"),
        ("+@all", "+@all = 111111"),
        ("+@all -del", "+@all -del = 110111"),
        ("+@all -del +del", "+@all +del = 111111"),
        ("+get nocommands +set", "-@all +set = 010000"),
        ("+config", "-@all +config = 000111"),
        ("+config|get", "-@all +config|get = 000010"),
        ("+config -config|set", "-@all +config -config|set = 000110"),
        ("+config|get +config", "-@all +config = 000111"),
        ("+@read", "-@all +@read = 100010"),
        ("+@write +@read -@write", "-@all +@read -@write = 100010"),
        ("+@READ +@read", "-@all +@read = 100010"),
        ("+hget -cluster +cluster|info", "-@all +hget -cluster +cluster|info = 000000"),
        ("+get|x +GET|Y", "-@all +get|x +get|y = 000000"),
        ("+get|x +get", "-@all +get = 100000"),
    ],
)
def test_commands(words: str, want: str) -> None:
    assert commands(*words.split()) == want


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("+nosuch", UNKNOWN_NAME),
        ("-nosuch", UNKNOWN_NAME),
        ("+@nosuch", UNKNOWN_NAME),
        ("+config|nosuch", UNKNOWN_NAME),
        ("+cluster|nosuch", UNKNOWN_NAME),
        ("-get|x", UNKNOWN_NAME),
        ("+get\0", UNKNOWN_NAME),
        ("+config|get|x", FIRST_WORD_OF_SUBCOMMAND),
        ("+get|", SYNTAX),
        ("~a b", SYNTAX),
        ("~a\0", SYNTAX),
        ("&a\tb", SYNTAX),
        ("%Q~a", SYNTAX),
        ("nosuch", SYNTAX),
        ("(on)", SYNTAX),
        ("#abc", BAD_HASH),
        ("#" + "A" * 64, BAD_HASH),
        ("<none", NO_SUCH_PASSWORD),
    ],
)
def test_wrong_words(word: str, reason: str) -> None:
    with pytest.raises(RuleError) as caught:
        user_of(word)
    assert caught.value.reason == reason


@pytest.mark.parametrize("word", [b"<hunter2", b"#hunter2", b"!hunter2"])
def test_no_error_shows_a_password(word: bytes) -> None:
    with pytest.raises(RuleError) as caught:
        user_of(word)
    assert b"hunter2" not in caught.value.rule
    assert "hunter2" not in str(caught.value)


def test_passwords_are_kept_as_hashes() -> None:
    user = user_of(">one", ">two", ">one")
    assert user.passwords == [hash_password(b"one"), hash_password(b"two")]
    assert b"one" not in user_line(user)
    user = user_of(">one", "nopass")
    assert user.no_password
    assert user.passwords == []
    user = user_of("nopass", ">one")
    assert not user.no_password


def test_key_patterns_of_the_same_text_are_one() -> None:
    line = user_line(user_of("%R~a", "~b", "%W~a", "%r~c"))
    assert b" ~a ~b %R~c " in line


@pytest.mark.parametrize(
    ("words", "joined"),
    [
        ("on (+get ~a) off", "on|(+get ~a)|off"),
        ("( +get )", "( +get )"),
        ("(a) (b c) d", "(a)|(b c)|d"),
        ("a ) b", "a|)|b"),
    ],
)
def test_selectors_are_joined(words: str, joined: str) -> None:
    assert b"|".join(join_selectors(words.encode().split())) == joined.encode()


def test_an_open_selector_is_named() -> None:
    with pytest.raises(OpenSelectorError) as caught:
        join_selectors([b"on", b"(+get", b"~a"])
    assert caught.value.word == b"(+get"


WORDS = st.sampled_from(
    (
        "on off nopass >p >q #{} ~* ~a %R~a %W~b allkeys resetkeys & &* &a resetchannels +get -get "
        "+config -config|get +@read -@write +@all -@all +get|x (+get) (~a,+@read) (%R~k,&c) "
        '("~a\'b") (~"a\\"b") skip-sanitize-payload reset clearselectors +hget'
    )
    .format("1f" * 32)
    .split()
)


@given(st.lists(WORDS, max_size=12))
def test_what_is_printed_makes_the_same_user(words: list[str]) -> None:
    rules = Rules(catalog())
    user = rules.new_user(b"u")
    for word in words:
        try:
            rules.apply_word(user, word.replace(",", " ").encode())
        except RuleError:
            continue
    again = rules.new_user(b"u")
    rules.apply(again, [word for rule in user_rules(user) for word in rule.split(b" ")])
    assert user_line(again) == user_line(user)
    for one, other in zip(user.selectors, again.selectors, strict=True):
        assert one.allowed == other.allowed
        assert one.first_words == other.first_words
        assert one.grants_all() == other.grants_all()


@given(st.binary(max_size=12), st.booleans())
def test_any_bytes_are_taken_or_refused(word: bytes, in_selector: bool) -> None:
    rules = Rules(catalog())
    user = rules.new_user(b"u")
    before = user_line(user)
    try:
        rules.apply_word(user, b"(" + word + b")" if in_selector else word)
    except RuleError:
        assert user_line(user) == before
    assert b"\n" not in user_line(user)
    assert b"\0" not in user_line(user)


def test_words_of_noise() -> None:
    rng = random.Random(5)
    rules = Rules(catalog())
    for _ in range(3000):
        user = rules.new_user(b"u")
        size = rng.randint(1, 4)
        text = "".join(rng.choices("+-@~%&()<>#!|* getRWon", k=size * 3))
        try:
            rules.apply(user, text.encode().split(b" "))
        except (RuleError, OpenSelectorError):
            continue
        again = rules.new_user(b"u")
        rules.apply(again, b" ".join(user_rules(user)).split(b" "))
        assert user_line(again) == user_line(user)
