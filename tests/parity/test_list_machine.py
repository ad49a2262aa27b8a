"""Lists behave alike in Headwater and in redis-server: replies, encodings, and who is served."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from parity import machine
from parity.machine import ParityMachine
from support.pair import Peers
from support.servers import Server
from support.wire import Word

pytestmark = pytest.mark.timeout(900)  # a failing example is made smaller first

CLIENTS = 4
numbers = st.integers(0, CLIENTS - 1)
keys = st.sampled_from(["l1", "l1", "l1", "l2", "l3"])
key_lists = st.lists(keys, min_size=1, max_size=3)
ends = st.sampled_from(["LEFT", "RIGHT"])
small = st.sampled_from([b"a", b"b", b"c", b"1", b"-7", b"300", b"70000", b"", b"a longer text"])
items = st.one_of(small, small, st.sampled_from([b"x" * 300, b"y" * 5000, b"z" * 9000]))
several = st.one_of(
    st.lists(items, min_size=1, max_size=4),
    st.lists(small, min_size=20, max_size=60),
)
indexes = st.sampled_from([0, 1, 2, 5, 30, -1, -2, -6, 1000, -1000, "x", ""])
counts = st.sampled_from([0, 1, 2, 3, 40, -1, -2, 1 << 40, "x"])
limits = st.sampled_from([-2, -2, -1, 4, 1, 0, 16, -5, 32])


class ListMachine(ParityMachine):
    """Clients block without a time limit; what they are told is compared after every command."""

    clients: list[Peers]

    @initialize(limit=limits)
    def limit(self, limit: int) -> None:
        self.same("CONFIG", "SET", "list-max-listpack-size", limit)

    def prepare(self) -> None:
        self.clients = [self.connect() for _ in range(CLIENTS)]

    def same(self, *words: Word) -> None:
        super().same(*words)
        self.pair.settle(getattr(self, "clients", []))

    def on(self, key: str, *words: Word) -> None:
        self.same(*words)
        self.same("OBJECT", "ENCODING", key)

    # --- changes and looks ---

    @rule(
        key=keys,
        texts=several,
        name=st.sampled_from(["LPUSH", "RPUSH", "RPUSH", "LPUSHX", "RPUSHX"]),
    )
    def push(self, key: str, texts: list[bytes], name: str) -> None:
        self.on(key, name, key, *texts)

    @rule(key=keys, name=st.sampled_from(["LPOP", "RPOP"]), count=st.one_of(st.none(), counts))
    def pop(self, key: str, name: str, count: Word | None) -> None:
        self.on(key, name, key, *([] if count is None else [count]))

    @rule(key=keys, index=indexes, text=items)
    def set_item(self, key: str, index: Word, text: bytes) -> None:
        # Redis makes room before it finds that there is no such item, and OBJECT ENCODING tells.
        if self.main.ours.call("LINDEX", key, index)[0] in "$:":
            self.on(key, "LSET", key, index, text)

    @rule(key=keys, where=st.sampled_from(["BEFORE", "AFTER", "ON"]), pivot=small, text=items)
    def insert(self, key: str, where: str, pivot: bytes, text: bytes) -> None:
        if self.main.ours.call("LPOS", key, pivot)[0] in "$:":
            self.same("LINSERT", key, where, pivot, text)

    @rule(key=keys, count=counts, text=items)
    def remove(self, key: str, count: Word, text: bytes) -> None:
        self.on(key, "LREM", key, count, text)

    @rule(key=keys, start=indexes, stop=indexes, chance=st.integers(0, 2))
    def trim(self, key: str, start: Word, stop: Word, chance: int) -> None:
        if chance == 0:
            self.on(key, "LTRIM", key, start, stop)

    @rule(key=keys, start=indexes, stop=indexes)
    def look(self, key: str, start: Word, stop: Word) -> None:
        self.same("LRANGE", key, start, stop)
        self.same("LINDEX", key, start)
        self.same("LLEN", key)
        self.same("TYPE", key)

    @rule(
        key=keys,
        text=items,
        rank=st.sampled_from([None, None, 1, 2, -1, -2, 0]),
        count=st.one_of(st.none(), counts),
        most=st.one_of(st.none(), counts),
    )
    def find(
        self, key: str, text: bytes, rank: int | None, count: Word | None, most: Word | None
    ) -> None:
        options = (("RANK", rank), ("COUNT", count), ("MAXLEN", most))
        words = [word for name, value in options if value is not None for word in (name, value)]
        self.same("LPOS", key, text, *words)

    @rule(source=keys, to=keys, one=ends, other=ends)
    def move(self, source: str, to: str, one: str, other: str) -> None:
        self.on(to, "LMOVE", source, to, one, other)

    @rule(source=keys, to=keys)
    def rotate(self, source: str, to: str) -> None:
        self.on(to, "RPOPLPUSH", source, to)

    @rule(some=key_lists, end=ends, count=st.one_of(st.none(), counts))
    def pop_several(self, some: list[str], end: str, count: Word | None) -> None:
        more = [] if count is None else ["COUNT", count]
        self.same("LMPOP", len(some), *some, end, *more)

    @rule(
        key=keys,
        other=keys,
        name=st.sampled_from(["DEL", "RENAME", "COPY", "SET", "XADD", "EXPIRE", "MOVE", "SWAPDB"]),
    )
    def change_key(self, key: str, other: str, name: str) -> None:
        more: dict[str, tuple[Word, ...]] = {
            "RENAME": (key, other),
            "COPY": (key, other, "REPLACE"),
            "SET": (key, "a string"),
            "XADD": (key, "1-1", "f", "v"),
            "EXPIRE": (key, -1),
            "MOVE": (key, 1),
            "SWAPDB": (0, 1),
        }
        self.same(name, *more.get(name, (key,)))

    @rule(
        key=keys,
        other=keys,
        texts=st.lists(small, min_size=1, max_size=4),
        then=st.sampled_from(["", "LPOP", "DEL", "LPUSH", "RENAME"]),
    )
    def together(self, key: str, other: str, texts: list[bytes], then: str) -> None:
        """Nobody is served before all of a transaction is done."""
        self.same("MULTI")
        self.same("RPUSH", key, *texts)
        if then == "LPUSH":
            self.same("LPUSH", other, *texts)
        elif then == "RENAME":
            self.same("RENAME", key, other)
        elif then:
            self.same(then, key)
        self.same("BLPOP", other, 0)
        self.same("BLMOVE", other, key, "LEFT", "LEFT", 0)
        self.same("EXEC")

    @rule(key=keys)
    def watched(self, key: str) -> None:
        self.same("WATCH", key)
        self.same("RPOPLPUSH", key, key)
        self.same("MULTI")
        self.same("LLEN", key)
        self.same("EXEC")

    # --- clients that wait ---

    def block(self, number: int, *words: Word) -> None:
        peers = self.clients[number]
        if not peers.blocked:
            self.pair.send(peers, *words)
            self.pair.settle(self.clients)

    @rule(number=numbers, some=key_lists, name=st.sampled_from(["BLPOP", "BRPOP"]))
    def wait_for_one(self, number: int, some: list[str], name: str) -> None:
        self.block(number, name, *some, 0)

    @rule(number=numbers, some=key_lists, end=ends, count=st.sampled_from([1, 2, 9]))
    def wait_for_several(self, number: int, some: list[str], end: str, count: int) -> None:
        self.block(number, "BLMPOP", 0, len(some), *some, end, "COUNT", count)

    @rule(number=numbers, source=keys, to=keys, one=ends, other=ends)
    def wait_to_move(self, number: int, source: str, to: str, one: str, other: str) -> None:
        self.block(number, "BLMOVE", source, to, one, other, 0)

    @rule(number=numbers, source=keys, to=keys)
    def wait_to_rotate(self, number: int, source: str, to: str) -> None:
        self.block(number, "BRPOPLPUSH", source, to, 0)

    @rule(number=numbers, how=st.sampled_from([[], ["TIMEOUT"], ["ERROR"]]))
    def unblock(self, number: int, how: list[str]) -> None:
        """The IDs of the client differ between the servers, so each is asked with its own."""
        peers = self.clients[number]
        words = ("CLIENT", "UNBLOCK", f"client {number}", *how)
        self.pair.history.append(" ".join(words))
        ours = self.main.ours.call("CLIENT", "UNBLOCK", peers.ours.id, *how)
        theirs = self.main.theirs.call("CLIENT", "UNBLOCK", peers.theirs.id, *how)
        self.pair.agree(words, ours, theirs)
        self.pair.settle(self.clients)

    @rule(number=numbers)
    def disconnect(self, number: int) -> None:
        """A blocked client that goes away takes nothing with it."""
        peers = self.clients[number]
        self.pair.history.append(f"client {number} disconnects")
        peers.close()
        self.pair.wait_gone(peers)
        self.clients[number] = self.connect()

    def teardown(self) -> None:
        for number, peers in enumerate(self.clients if hasattr(self, "clients") else []):
            if peers.blocked and not self.pair.failed:
                self.unblock(number, [])
        super().teardown()


def test_lists(headwater: Server, reference: Server) -> None:
    machine.run(ListMachine, headwater, reference, examples=40, steps=40)


@pytest.mark.slow
def test_lists_at_length(headwater: Server, reference: Server) -> None:
    machine.run(ListMachine, headwater, reference, examples=800, steps=60)
