"""The language of rules, word by word as redis-server reads and prints it."""

from __future__ import annotations

import re

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from support.pair import Pair
from support.servers import Server

from .machine import ParityMachine, run

NAMES = ("alice", "bob", "u-1", "Zoë")
COMMANDS = (
    *("get", "SET", "xadd", "xread", "xgroup", "config", "client", "debug", "select", "multi"),
    *("xgroup|create", "XGROUP|destroy", "config|get", "CLIENT|list", "memory|usage", "acl|whoami"),
    *("hget", "zadd", "cluster", "cluster|info", "sort", "nosuch", "config|nosuch", "", "get|"),
)
PARTS = ("select|0", "SELECT|1", "get|key", "debug|Object", "config|get|x", "nosuch|x", "hget|a")
CATEGORIES = ("read", "WRITE", "stream", "dangerous", "admin", "hash", "all", "nosuch", "", "fast")
PATTERNS = ("*", "x*", "x?", "[ab]c", "orders:", "a b", "", "~a", "(a", "&b", "%")
WORDS = (
    *("on", "off", "ON", "nopass", "resetpass", "allkeys", "AllKeys", "resetkeys", "allchannels"),
    *("resetchannels", "allcommands", "nocommands", "sanitize-payload", "skip-sanitize-payload"),
    *("clearselectors", "reset", "nosuch", "+", "-", "~", "&", "%", "%R", "(", ")", "()", ""),
)
HASHES = ("0" * 64, "a1" * 32, "A1" * 32, "0" * 63, "")


def key_rules() -> st.SearchStrategy[str]:
    prefixes = st.sampled_from(["~", "%R~", "%W~", "%RW~", "%wr~", "%r~", "%RR~", "%X~", "%~"])
    return st.builds(str.__add__, prefixes, st.sampled_from(PATTERNS))


def selector_words() -> st.SearchStrategy[str]:
    signs = st.sampled_from(["+", "-"])
    return st.one_of(
        st.builds(str.__add__, signs, st.sampled_from(COMMANDS)),
        st.builds(str.__add__, signs, st.sampled_from(PARTS)),
        st.builds(str.__add__, signs, st.sampled_from(CATEGORIES).map("@{}".format)),
        key_rules(),
        st.sampled_from(PATTERNS).map("&{}".format),
        st.sampled_from(WORDS),
    )


def selectors() -> st.SearchStrategy[str]:
    return st.lists(selector_words(), max_size=4).map(lambda words: f"({' '.join(words)})")


def password_words() -> st.SearchStrategy[str]:
    return st.one_of(
        st.sampled_from(["p1", "p2", "two words", ""]).map(">{}".format),
        st.sampled_from(HASHES).map("#{}".format),
    )


def set_user(pair: Pair, name: str, *words: str) -> None:
    """ACL SETUSER on both; where Redis's error shows a password, ours does not."""
    said = ("ACL", "SETUSER", name, *words)
    pair.history.append(" ".join(said))
    ours, (kind, text) = (one.call(*said) for one in (pair.main.ours, pair.main.theirs))
    if kind == "-":
        text = re.sub(rb"'([<>#!])[^']*'", rb"'\1(redacted)'", text)
    pair.agree(said, ours, (kind, text))


GOOD = st.one_of(
    st.sampled_from(["+get", "+SET", "-get", "+xgroup|create", "-xgroup", "+config", "+select|0"]),
    st.sampled_from(["+@read", "-@read", "+@stream", "+@all", "-@all", "~a", "%R~a", "%W~a", "~b"]),
    st.sampled_from(["&a", "&b", "resetkeys", "resetchannels", "on", "off", ">p1", "nopass"]),
    st.sampled_from(["(+get ~a)", "(-@all +@read allkeys)", "clearselectors", "+hget", "+debug|x"]),
    st.sampled_from(["(%R~k &c +xread)", "resetpass", "reset", "-@hash", "+cluster|info"]),
)


class Rules(ParityMachine):
    """Gives both servers' users rules, right and wrong ones, and looks at the users."""

    def prepare(self) -> None:
        self.same("ACL", "DELUSER", *NAMES)

    def look(self, name: str) -> None:
        self.same("ACL", "GETUSER", name)
        self.same("ACL", "LIST")

    @rule(name=st.sampled_from(NAMES), words=st.lists(GOOD, max_size=6))
    def right(self, name: str, words: list[str]) -> None:
        set_user(self.pair, name, *words)
        self.look(name)

    @rule(
        name=st.sampled_from(NAMES),
        words=st.lists(
            st.one_of(selector_words(), selectors(), password_words(), GOOD), max_size=4
        ),
    )
    def any(self, name: str, words: list[str]) -> None:
        set_user(self.pair, name, *words)
        self.look(name)

    @rule(
        name=st.sampled_from(NAMES), word=st.sampled_from(["<p1", "!" + HASHES[1], "!" + HASHES[0]])
    )
    def remove_password(self, name: str, word: str) -> None:
        set_user(self.pair, name, word)
        self.look(name)

    @rule(names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=3))
    def delete(self, names: list[str]) -> None:
        self.same("ACL", "DELUSER", *names)
        self.same("ACL", "USERS")

    @rule(default=st.sampled_from(["allchannels", "resetchannels"]))
    def channels_of_new_users(self, default: str) -> None:
        self.same("CONFIG", "SET", "acl-pubsub-default", default)

    def teardown(self) -> None:
        self.same("ACL", "DELUSER", *NAMES)
        self.same("CONFIG", "SET", "acl-pubsub-default", "resetchannels")
        super().teardown()


def test_rules(headwater: Server, reference: Server) -> None:
    run(Rules, headwater, reference, examples=25, steps=25)


@pytest.mark.slow
def test_many_rules(headwater: Server, reference: Server) -> None:
    run(Rules, headwater, reference, examples=300, steps=50)


@pytest.mark.parametrize("resp", [2, 3])
def test_words(headwater: Server, reference: Server, resp: int) -> None:
    """Each word by itself, and joined by what belongs to it."""
    pair = Pair(headwater, reference, resp)
    groups = [[word] for word in (*WORDS, *PATTERNS)]
    groups += [[sign + name] for sign in "+-" for name in (*COMMANDS, *PARTS)]
    groups += [[sign + "@" + name] for sign in "+-" for name in CATEGORIES]
    groups += [
        ["~*", "~a"],
        ["&*", "&a"],
        ["allkeys", "%R~a"],
        ["(", "+get", ")"],
        ["(+get", "~a)"],
    ]
    groups += [
        ["(+get", "~a"],
        ["(+get", "(x)"],
        ["((+get))"],
        ["(on)"],
        ['("+get" ~a)'],
        ['(~a "~b)'],
    ]
    groups += [["+get", "+@read", "-@read"], ["+config|get", "+config"], ["+config", "+config|get"]]
    groups += [["+SELECT|0", "+select|0", "-select"], ["+memory|usage", "-memory|usage"]]
    for words in groups:
        set_user(pair, "alice", "reset", *words)
        pair.same(pair.main, "ACL", "GETUSER", "alice")
        pair.same(pair.main, "ACL", "LIST")
        pair.same(pair.main, "ACL", "DELUSER", "alice")
    pair.close()
