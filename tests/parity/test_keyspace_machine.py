"""Random key, expiry and database commands get the same answers from both servers."""

from __future__ import annotations

import time

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from parity import machine
from parity.machine import ParityMachine
from support.pair import MismatchError
from support.servers import Server
from support.wire import Connection, Word, plain

pytestmark = pytest.mark.timeout(900)  # a failing example is made smaller first

keys = st.sampled_from(["a", "b", "c", "key:1", "key:2", "*", "k\xff\x00"])
values = st.sampled_from(["", "plain", "12", "x" * 60, "\x00\xff\r\n"])
databases = st.sampled_from([0, 0, 0, 1, 2, 15, 16, -1])
conditions = st.lists(st.sampled_from(["NX", "XX", "GT", "LT", "nx", "NOPE"]), max_size=2)
# Seconds: either in the past or so far ahead that no test lives to see them.
seconds = st.sampled_from([-1, 0, 300, 1000, 5000, 10**10, 2**63 - 1, 2**63, "x", ""])
NOW = int(time.time())


class KeyspaceMachine(ParityMachine):
    @rule(
        key=keys,
        value=values,
        options=st.lists(
            st.sampled_from(
                [
                    ("NX",),
                    ("XX",),
                    ("GET",),
                    ("KEEPTTL",),
                    ("EX", 1000),
                    ("PX", 900_000),
                    ("EXAT", NOW + 9000),
                    ("PXAT", (NOW + 9000) * 1000),
                    ("EX", 0),
                    ("PX", -1),
                    ("EX", "x"),
                    ("NOPE",),
                ]
            ),
            max_size=2,
        ),
    )
    def set(self, key: str, value: str, options: list[tuple[Word, ...]]) -> None:
        self.same("SET", key, value, *(word for option in options for word in option))

    @rule(key=keys)
    def get(self, key: str) -> None:
        self.same("GET", key)

    @rule(key=keys, number=st.integers(1, 9))
    def add(self, key: str, number: int) -> None:
        self.same("XADD", key, f"{number}-*", "f", "v")

    @rule(key=keys)
    def create_group(self, key: str) -> None:
        self.same("XGROUP", "CREATE", key, "g", "0", "MKSTREAM")

    @rule(
        some=st.lists(keys, min_size=1, max_size=3),
        name=st.sampled_from(["DEL", "UNLINK", "EXISTS", "TOUCH"]),
    )
    def count_some(self, some: list[str], name: str) -> None:
        self.same(name, *some)

    @rule(key=keys)
    def look(self, key: str) -> None:
        for name in ("TYPE", "TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"):
            self.same(name, key)
        self.same("OBJECT", "REFCOUNT", key)
        self.same("OBJECT", "IDLETIME", key)
        self.same("OBJECT", "ENCODING", key)
        self.same("OBJECT", "FREQ", key)
        self.same("MEMORY", "USAGE", key)

    @rule(key=keys, name=st.sampled_from(["EXPIRE", "PEXPIRE"]), time=seconds, flags=conditions)
    def expire(self, key: str, name: str, time: int | str, flags: list[str]) -> None:
        if name == "PEXPIRE" and isinstance(time, int):
            time *= 1000
        self.same(name, key, time, *flags)
        self.same("PTTL", key)

    @rule(key=keys, name=st.sampled_from(["EXPIREAT", "PEXPIREAT"]), time=seconds, flags=conditions)
    def expire_at(self, key: str, name: str, time: int | str, flags: list[str]) -> None:
        if isinstance(time, int) and time > 0:
            time = (NOW + time) * (1000 if name == "PEXPIREAT" else 1)
        self.same(name, key, time, *flags)
        self.same("EXPIRETIME", key)

    @rule(key=keys)
    def persist(self, key: str) -> None:
        self.same("PERSIST", key)

    @rule(key=keys, other=keys, name=st.sampled_from(["RENAME", "RENAMENX"]))
    def rename(self, key: str, other: str, name: str) -> None:
        self.same(name, key, other)

    @rule(key=keys, other=keys, database=st.one_of(st.none(), databases), replace=st.booleans())
    def copy(self, key: str, other: str, database: int | None, replace: bool) -> None:
        target: list[Word] = [] if database is None else ["DB", database]
        self.same("COPY", key, other, *target, *(["REPLACE"] if replace else []))

    @rule(key=keys, database=databases)
    def move(self, key: str, database: int) -> None:
        self.same("MOVE", key, database)

    @rule(first=databases, second=databases)
    def swap(self, first: int, second: int) -> None:
        self.same("SWAPDB", first, second)

    @rule(database=databases)
    def select(self, database: int) -> None:
        self.same("SELECT", database)

    @rule(
        pattern=st.sampled_from(
            [
                "*",
                "a",
                "key:*",
                "key:?",
                "[ab]",
                "[^a]",
                "[a-b]",
                "\\*",
                "",
                "k*",
                "*\xff*",
                "[",
                "[a",
                "key:[!1]",
                "[b-a]",
            ]
        )
    )
    def keys_of(self, pattern: str) -> None:
        self.same("KEYS", pattern)
        self.scan("MATCH", pattern)

    @rule(
        kind=st.sampled_from(["string", "stream", "STREAM", "list", "nosuch"]),
        count=st.sampled_from([1, 3, 1000]),
    )
    def scan_all(self, kind: str, count: int) -> None:
        self.scan("TYPE", kind, "COUNT", count)

    def scan(self, *options: Word) -> None:
        ours, theirs = scanned(self.main.ours, *options), scanned(self.main.theirs, *options)
        if ours != theirs:
            raise MismatchError(
                f"SCAN {options}: want {theirs}, got {ours}\n{self.pair.history[-40:]}"
            )

    @rule()
    def sizes(self) -> None:
        self.same("DBSIZE")
        self.same("RANDOMKEY")
        self.same("KEYS", "*")

    @rule(
        name=st.sampled_from(["FLUSHDB", "FLUSHALL"]),
        chance=st.integers(0, 9),
        option=st.sampled_from([[], ["ASYNC"], ["SYNC"], ["NOPE"]]),
    )
    def flush(self, name: str, chance: int, option: list[str]) -> None:
        if chance == 0:
            self.same(name, *option)


def scanned(connection: Connection, *options: Word) -> list[bytes] | tuple[str, bytes]:
    """All keys of a full SCAN, sorted, or its error."""
    cursor, found = b"0", set()
    while True:
        reply = plain(connection.call("SCAN", cursor, *options))
        if isinstance(reply, tuple):
            return reply
        cursor = reply[0]
        found.update(reply[1])
        if cursor == b"0":
            return sorted(found)


def test_keyspace(headwater: Server, reference: Server) -> None:
    machine.run(KeyspaceMachine, headwater, reference, examples=150, steps=50)


@pytest.mark.slow
def test_keyspace_at_length(headwater: Server, reference: Server) -> None:
    machine.run(KeyspaceMachine, headwater, reference, examples=1000, steps=80)
