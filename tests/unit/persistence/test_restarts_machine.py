"""Whatever commands do, a start from base and segments gives a server that answers alike.

The journal is rewritten at any time, also while commands go on. Again and again a second engine
starts on a copy of the disk, as if the process had been killed: it must hold the same, and give
the same answers to the same commands from then on, as far as these are no matter of chance.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from headwater.streams.stream import Stream
from support.disk import SimulatedDisk
from support.durable import DIRECTORY, DurableEngine
from support.journal import block_shapes
from support.random_commands import (
    DATABASES,
    NODE_LIMITS,
    Command,
    commands,
    flushes,
    keys,
    with_ids,
)
from support.wire import Reply, Word

pytestmark = pytest.mark.timeout(600)  # a failing example is made smaller first

JOURNAL = f"{DIRECTORY}/appendonlydir"
UNRECORDED = [("$", b"seen-time"), ("$", b"idle"), ("$", b"iids-duplicates")]
"""What XINFO tells and the journal does not keep."""


def without_unrecorded(reply: Any) -> Any:
    """A reply without the facts in UNRECORDED."""
    if isinstance(reply, list):
        kept = []
        for i, part in enumerate(reply):
            if i and reply[i - 1] in UNRECORDED:
                continue
            kept.append(without_unrecorded(part))
        return kept
    if isinstance(reply, tuple):
        return tuple(without_unrecorded(part) for part in reply)
    return reply


class RestartsMachine(RuleBasedStateMachine):
    """`store` is the engine at hand; `twins` start on copies of its disk."""

    def __init__(self) -> None:
        super().__init__()
        self.disk = SimulatedDisk(DIRECTORY)
        self.limits = NODE_LIMITS[0]
        self.store = DurableEngine(self.disk, databases=str(DATABASES), enable_debug_command="yes")

    @initialize(limits=st.sampled_from(NODE_LIMITS))
    def start(self, limits: tuple[int, int]) -> None:
        self.set_limits(limits)
        for key in ("s1", "s2"):
            self.say("XGROUP", "CREATE", key, "g1", "0", "MKSTREAM")

    def picked(self, words: Command) -> Command:
        return with_ids(words, self.store.state.keyspace, self.store.client.session.database)

    def say(self, *words: Word) -> Reply:
        reply = self.store.call(*self.picked(words))
        assert not self.store.state.unexpected_errors
        return reply

    @rule(some=st.lists(commands, min_size=1, max_size=8))
    def work(self, some: list[Command]) -> None:
        for words in some:
            self.say(*words)

    @rule(some=st.lists(st.one_of(commands, flushes), min_size=1, max_size=5))
    def transact(self, some: list[Command]) -> None:
        self.say("MULTI")
        for words in some:
            self.say(*words)
        self.say("EXEC")

    @rule(key=st.sampled_from(["s1", "s2"]), n=st.integers(2, 12), take=st.integers(0, 9))
    def fill(self, key: str, n: int, take: int) -> None:
        """Entries, groups that have some of them pending."""
        for number in range(n):
            self.say("XADD", key, "*", "f", "value", "g", number)
        for group, consumer in (("g1", "ann"), ("g2", "bob")):
            self.say("XGROUP", "CREATE", key, group, "0", "MKSTREAM")
            self.say("XREADGROUP", "GROUP", group, consumer, "COUNT", take + 1, "STREAMS", key, ">")

    @rule(key=keys, other=keys, ttl=st.sampled_from([0, 0, 500]))
    def restore(self, key: str, other: str, ttl: int) -> None:
        _, payload = self.say("DUMP", key)
        if isinstance(payload, bytes):
            self.say("RESTORE", other, ttl, payload, "REPLACE")

    @rule(ms=st.sampled_from([1, 400, 1100, 3000]))
    def pass_time(self, ms: int) -> None:
        self.store.pass_ms(ms)

    @rule(limits=st.sampled_from(NODE_LIMITS))
    def set_limits(self, limits: tuple[int, int]) -> None:
        self.limits = limits
        for name, value in zip(("entries", "bytes"), limits, strict=True):
            self.say("CONFIG", "SET", f"stream-node-max-{name}", value)

    @rule()
    def begin_rewrite(self) -> None:
        """It goes on while other commands are executed."""
        self.say("BGREWRITEAOF")

    @rule()
    def rewrite(self) -> None:
        self.say("BGREWRITEAOF")
        self.store.settle()

    @rule()
    def work_on_snapshots(self) -> None:
        self.store.deliver()
        self.store.persistence.work()

    @rule()
    def reload(self) -> None:
        assert self.say("DEBUG", "RELOAD") == ("+", b"OK")

    @rule(some=st.lists(commands, max_size=12), goes_on=st.booleans())
    def restart(self, some: list[Command], goes_on: bool) -> None:
        """Start a twin; it does as the store does. One of the two goes on."""
        twin = self.twin()
        self.compare(twin)
        for words in some:
            if words[0] == "RANDOMKEY":
                continue
            words = self.picked(words)
            ours, theirs = self.say(*words), twin.call(*words)
            assert without_unrecorded(ours) == without_unrecorded(theirs), words
        self.compare(twin)
        if goes_on:
            self.store, twin = twin, self.store
            self.disk = self.store.disk
        twin.stop()

    def twin(self) -> DurableEngine:
        """An engine that starts on what the disk has after a kill at this moment."""
        store = self.store
        thread: Any = store.persistence._thread
        while not store.released:
            thread.drain()
            store.deliver()
        disk = SimulatedDisk(DIRECTORY, JOURNAL)
        with self.disk._changed:
            for path in self.disk.paths():
                disk.put(path, self.disk.data(path))
        twin = DurableEngine(
            disk,
            store.clock.now_ms,
            databases=str(DATABASES),
            enable_debug_command="yes",
            stream_node_max_entries=str(self.limits[0]),
            stream_node_max_bytes=str(self.limits[1]),
        )
        twin.call("SELECT", store.client.session.database.index)
        return twin

    def compare(self, twin: DurableEngine) -> None:
        """Both hold the same, in what clients see and in where blocks end."""
        for key in (b"s1", b"s2", b"t"):
            words = ("XINFO", "STREAM", key, "FULL", "COUNT", 0)
            told, retold = self.store.call(*words), twin.call(*words)
            assert without_unrecorded(told) == without_unrecorded(retold)
        assert self.store.digest() == twin.digest()
        ours, theirs = self.store.state.keyspace, twin.state.keyspace
        for one, other in zip(ours.databases, theirs.databases, strict=True):
            assert list(one.values) == list(other.values)
            for key, value in one.values.items():
                copy = other.values[key]
                assert value.expire_at == copy.expire_at
                if isinstance(value, Stream):
                    assert isinstance(copy, Stream)
                    assert len(block_shapes(value)) == len(block_shapes(copy))
                    assert theirs.has_idmp or copy.idmp is None
                    for group in (copy.groups or {}).values():
                        group.check()
                        assert theirs.has_nacked or not group.pending.nacked

    def teardown(self) -> None:
        self.restart([], False)
        self.store.stop()


TestRestarts = RestartsMachine.TestCase
TestRestarts.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
