"""Random commands on strings get the same answers from both servers, and leave the same behind."""

from __future__ import annotations

import time

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from parity import machine
from parity.machine import ParityMachine
from support.servers import Server
from support.wire import Word

pytestmark = pytest.mark.timeout(900)  # a failing example is made smaller first

INT64 = 2**63
NOW = int(time.time())

keys = st.sampled_from(["a", "b", "c", "stream"])
# Not between 24 and 44 bytes: where Redis keeps a string in one piece depends on its key there.
texts = st.sampled_from(
    ["", "plain", "ohmytext", "mynewtext", "x" * 60, "\x00\xff\r\n", "y" * 5000]
)
integers = st.sampled_from(
    [0, 1, -1, 7, 10**18, INT64 - 1, -INT64, INT64, -INT64 - 1, 10**19, "-0", "007", "+1", " 1"]
)
floats = st.one_of(
    st.sampled_from(
        [
            "0.1",
            "-0.1",
            "1e400",
            "3.",
            ".5",
            "1e-20",
            "1e5000",
            "inf",
            "-inf",
            "nan",
            "",
            " 1",
            "1 ",
            "0x1p-3",
            "-0",
            "1e18446744073709551616",
            "18446744073709551615.5",
            "x",
        ]
    ),
    st.decimals(-(10**20), 10**20, places=19, allow_nan=False).map(str),
    st.floats(allow_nan=False).map(str),
)
values = st.one_of(texts, integers, floats)
positions = st.sampled_from([0, 1, -1, 3, -3, 7, 100, -100, 40_000, 2**31, INT64 - 1, -INT64, "x"])
# Either in the past or so far ahead that no test lives to see them.
expiries = st.sampled_from(
    [
        ("EX", 1000),
        ("ex", 0),
        ("EX", -1),
        ("EX", INT64 // 1000),
        ("EX", INT64 - 1),
        ("PX", 900_000),
        ("PX", INT64 - 1),
        ("PX", "x"),
        ("EXAT", NOW + 9000),
        ("EXAT", 1),
        ("PXAT", (NOW + 9000) * 1000),
        ("PXAT", 1),
        ("PXAT", INT64),
        ("PERSIST",),
        ("KEEPTTL",),
        ("EX",),
        ("NOPE",),
    ]
)


class StringMachine(ParityMachine):
    @rule(
        key=keys,
        value=values,
        options=st.lists(
            st.one_of(expiries, st.sampled_from([("NX",), ("XX",), ("GET",), ("nx",)])), max_size=3
        ),
    )
    def set(self, key: str, value: Word, options: list[tuple[Word, ...]]) -> None:
        self.same("SET", key, value, *(word for option in options for word in option))

    @rule(key=keys, options=st.lists(expiries, max_size=2))
    def getex(self, key: str, options: list[tuple[Word, ...]]) -> None:
        self.same("GETEX", key, *(word for option in options for word in option))

    @rule(key=keys, value=values, name=st.sampled_from(["SETNX", "GETSET", "APPEND"]))
    def with_a_value(self, key: str, value: Word, name: str) -> None:
        self.same(name, key, value)

    @rule(key=keys, time=st.sampled_from([1000, 0, -1, INT64 - 1, INT64 // 1000, "x"]), value=texts)
    def set_with_an_expiry(self, key: str, time: Word, value: str) -> None:
        self.same("SETEX", key, time, value)
        self.same("PSETEX", key, time * 1000 if isinstance(time, int) and time < 2000 else 0, value)

    @rule(
        pairs=st.lists(st.tuples(keys, values), min_size=1, max_size=3),
        name=st.sampled_from(["MSET", "MSETNX"]),
        odd=st.booleans(),
    )
    def set_several(self, pairs: list[tuple[str, Word]], name: str, odd: bool) -> None:
        words = [word for pair in pairs for word in pair]
        self.same(name, *words[: len(words) - odd])

    @rule(key=keys, name=st.sampled_from(["GET", "STRLEN", "GETDEL", "INCR", "DECR"]))
    def about_a_key(self, key: str, name: str) -> None:
        self.same(name, key)

    @rule(some=st.lists(keys, min_size=1, max_size=3))
    def mget(self, some: list[str]) -> None:
        self.same("MGET", *some)

    @rule(key=keys, start=positions, end=positions, name=st.sampled_from(["GETRANGE", "SUBSTR"]))
    def getrange(self, key: str, start: Word, end: Word, name: str) -> None:
        self.same(name, key, start, end)

    @rule(key=keys, offset=positions, value=texts)
    def setrange(self, key: str, offset: Word, value: str) -> None:
        self.same("SETRANGE", key, offset, value)

    @rule(key=keys, by=integers, name=st.sampled_from(["INCRBY", "DECRBY"]))
    def add(self, key: str, by: Word, name: str) -> None:
        self.same(name, key, by)

    @rule(key=keys, by=st.one_of(floats, integers))
    def add_float(self, key: str, by: Word) -> None:
        self.same("INCRBYFLOAT", key, by)

    @rule(
        key=keys,
        other=keys,
        options=st.lists(
            st.sampled_from(
                [
                    ("LEN",),
                    ("IDX",),
                    ("idx",),
                    ("WITHMATCHLEN",),
                    ("MINMATCHLEN", 2),
                    ("MINMATCHLEN", -1),
                    ("MINMATCHLEN", "x"),
                    ("MINMATCHLEN",),
                ]
            ),
            max_size=3,
        ),
    )
    def lcs(self, key: str, other: str, options: list[tuple[Word, ...]]) -> None:
        for one in (key, other):
            self.same("SETRANGE", one, 0, "")  # only its length: not too long to be compared here
            if self.main.ours.call("STRLEN", one)[1] not in range(5001):
                return
        self.same("LCS", key, other, *(word for option in options for word in option))

    @rule(key=keys)
    def make_a_stream(self, key: str) -> None:
        self.same("DEL", key)
        self.same("XADD", key, "1-1", "f", "v")

    @rule(key=keys, other=keys, name=st.sampled_from(["RENAME", "COPY"]))
    def elsewhere(self, key: str, other: str, name: str) -> None:
        self.same(name, key, other)

    @rule(key=keys)
    def look(self, key: str) -> None:
        for name in ("TYPE", "TTL", "PEXPIRETIME"):
            self.same(name, key)
        self.same("OBJECT", "ENCODING", key)

    def teardown(self) -> None:
        for key in ("a", "b", "c", "stream"):
            self.same("TYPE", key)
            self.same("GET", key)
            self.same("OBJECT", "ENCODING", key)
        super().teardown()


def test_strings(headwater: Server, reference: Server) -> None:
    machine.run(StringMachine, headwater, reference, examples=60, steps=40)
