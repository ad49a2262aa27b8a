"""Clients that block are woken alike by Headwater and by redis-server: who, when and with what."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from parity import machine
from parity.machine import ParityMachine
from support.pair import Peers
from support.servers import Server
from support.wire import Word

pytestmark = pytest.mark.timeout(900)  # a failing example is made smaller first

CLIENTS = 5
numbers = st.integers(0, CLIENTS - 1)
keys = st.sampled_from(["s1", "s1", "s2", "s3"])
key_lists = st.lists(keys, min_size=1, max_size=3, unique=True)
groups = st.sampled_from(["g1", "g1", "g2"])
counts = st.sampled_from([None, None, 1, 2, 5])


def count_option(count: int | None) -> list[Word]:
    return [] if count is None else ["COUNT", count]


class BlockingMachine(ParityMachine):
    """Clients block without a time limit; what they are told is compared after every command."""

    clients: list[Peers]

    def prepare(self) -> None:
        self.next_id = 1
        self.clients = [self.connect() for _ in range(CLIENTS)]
        for key in ("s1", "s2"):
            for group in ("g1", "g2"):
                self.same("XGROUP", "CREATE", key, group, "$", "MKSTREAM")

    def same(self, *words: Word) -> None:
        super().same(*words)
        self.pair.settle(getattr(self, "clients", []))

    def block(self, number: int, *words: Word) -> None:
        peers = self.clients[number]
        if not peers.blocked:
            self.pair.send(peers, *words)
            # A reader of pending or existing entries may be answered, and that wakes nobody else.

    @rule(
        number=numbers,
        some=key_lists,
        count=counts,
        at=st.sampled_from(["$", "$", "0", "3-0", "+"]),
    )
    def read(self, number: int, some: list[str], count: int | None, at: str) -> None:
        self.block(
            number,
            *("XREAD", *count_option(count), "BLOCK", 0, "STREAMS", *some, *(at for _ in some)),
        )

    @rule(
        number=numbers,
        some=key_lists,
        group=groups,
        count=counts,
        noack=st.sampled_from([[], [], ["NOACK"]]),
        at=st.sampled_from([">", ">", ">", "0"]),
    )
    def read_group(
        self,
        number: int,
        some: list[str],
        group: str,
        count: int | None,
        noack: list[str],
        at: str,
    ) -> None:
        self.block(
            number,
            *("XREADGROUP", "GROUP", group, f"c{number % 3}", *count_option(count), "BLOCK", 0),
            *(*noack, "STREAMS", *some, *(at for _ in some)),
        )

    @rule(key=keys, count=st.sampled_from([1, 1, 1, 2, 3]), multi=st.booleans())
    def add(self, key: str, count: int, multi: bool) -> None:
        commands = []
        for _ in range(count):
            commands.append(("XADD", key, f"{self.next_id}-0", "f", "v"))
            self.next_id += 1
        self.run(commands, multi)

    @rule(key=keys, multi=st.booleans())
    def add_and_delete(self, key: str, multi: bool) -> None:
        entry_id = f"{self.next_id}-0"
        self.next_id += 1
        self.run([("XADD", key, entry_id, "f", "v"), ("XDEL", key, entry_id)], multi)

    @rule(key=keys, multi=st.booleans(), trim=st.booleans())
    def add_and_empty(self, key: str, multi: bool, trim: bool) -> None:
        entry_id = f"{self.next_id}-0"
        self.next_id += 1
        drop = ("XTRIM", key, "MAXLEN", 0) if trim else ("DEL", key)
        self.run([("XADD", key, entry_id, "f", "v"), drop], multi)

    def run(self, commands: list[tuple[Word, ...]], multi: bool) -> None:
        if not multi:
            for words in commands:
                self.same(*words)
            return
        self.same("MULTI")
        for words in commands:
            self.same(*words)
        self.same("EXEC")

    @rule(
        key=keys,
        other=keys,
        name=st.sampled_from(
            ["DEL", "UNLINK", "RENAME", "RENAMENX", "COPY", "SET", "EXPIRE", "MOVE"]
        ),
    )
    def change_key(self, key: str, other: str, name: str) -> None:
        if name in ("RENAME", "RENAMENX"):
            self.same(name, key, other)
        elif name == "COPY":
            self.same(name, key, other, "REPLACE")
        elif name == "SET":
            self.same(name, key, "a string")
        elif name == "EXPIRE":
            self.same(name, key, -1)
        elif name == "MOVE":
            self.same(name, key, 1)
        else:
            self.same(name, key)

    @rule(key=keys, group=groups)
    def create_group(self, key: str, group: str) -> None:
        self.same("XGROUP", "CREATE", key, group, "$", "MKSTREAM")

    @rule(key=keys, group=groups, name=st.sampled_from(["DESTROY", "SETID"]))
    def change_group(self, key: str, group: str, name: str) -> None:
        self.same("XGROUP", name, key, group, *(["0"] if name == "SETID" else []))

    @rule(key=keys, group=groups, number=numbers)
    def delete_consumer(self, key: str, group: str, number: int) -> None:
        self.same("XGROUP", "DELCONSUMER", key, group, f"c{number % 3}")

    @rule(number=numbers, how=st.sampled_from([[], ["TIMEOUT"], ["ERROR"], ["NOPE"]]))
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

    @rule(
        name=st.sampled_from([("FLUSHDB",), ("FLUSHALL",), ("SWAPDB", "0", "1")]),
        chance=st.integers(0, 3),
    )
    def flush(self, name: tuple[str, ...], chance: int) -> None:
        if chance == 0:
            self.same(*name)

    @rule(key=st.sampled_from(["s1", "s2"]))
    def look(self, key: str) -> None:
        self.same("XINFO", "STREAM", key, "FULL")
        self.same("TYPE", key)

    def teardown(self) -> None:
        for number, peers in enumerate(self.clients if hasattr(self, "clients") else []):
            if peers.blocked and not self.pair.failed:
                self.unblock(number, [])
        super().teardown()


def test_blocking(headwater: Server, reference: Server) -> None:
    machine.run(BlockingMachine, headwater, reference, examples=100, steps=40)


@pytest.mark.slow
def test_blocking_at_length(headwater: Server, reference: Server) -> None:
    machine.run(BlockingMachine, headwater, reference, examples=800, steps=60)
