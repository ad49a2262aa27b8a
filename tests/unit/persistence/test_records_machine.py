"""Whatever commands do, their records applied to an empty keyspace give the same state."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from headwater.keyspace.database import Keyspace
from headwater.persistence.apply import Applier
from support.embedded import Client, Embedded
from support.journal import apply_batch, assert_equal_state, take_all
from support.random_commands import (
    DATABASES,
    NODE_LIMITS,
    Command,
    adding,
    commands,
    flushes,
    keys,
    of_groups,
    of_keys,
    of_streams,
    pending,
    reading,
    removing,
    with_ids,
)
from support.wire import Word

pytestmark = pytest.mark.timeout(600)  # a failing example is made smaller first


class RecordsMachine(RuleBasedStateMachine):
    """`follower` is kept up to date by `compare`; at the end all is applied to an empty one."""

    def __init__(self) -> None:
        super().__init__()
        self.embedded = Embedded(databases=str(DATABASES))
        self.state = self.embedded.state
        self.recorder = self.state.recorder
        self.waiting: list[Client] = []
        self.recorder.start(0, 0)
        self.batches: list[Any] = []
        self.follower = self.empty()

    def empty(self) -> Applier:
        return Applier(Keyspace(self.embedded.clock, DATABASES))

    @initialize(limits=st.sampled_from(NODE_LIMITS))
    def start(self, limits: tuple[int, int]) -> None:
        self.set_limits(limits)
        for key in ("s1", "s2"):
            self.say("XGROUP", "CREATE", key, "g1", "0", "MKSTREAM")

    def picked(self, words: Command) -> Command:
        return with_ids(words, self.state.keyspace, self.embedded.main.session.database)

    def say(self, *words: Word) -> None:
        client = self.embedded.main
        client.send(*self.picked(words))
        assert not self.state.unexpected_errors
        for one in (client, *self.waiting):
            one.read_all()

    @rule(words=adding)
    def add(self, words: Command) -> None:
        self.say(*words)

    @rule(words=removing)
    def remove(self, words: Command) -> None:
        self.say(*words)

    @rule(words=of_groups)
    def change_groups(self, words: Command) -> None:
        self.say(*words)

    @rule(some=st.lists(reading, min_size=1, max_size=3))
    def read(self, some: list[Command]) -> None:
        for words in some:
            self.say(*words)

    @rule(some=st.lists(pending, min_size=1, max_size=4))
    def settle(self, some: list[Command]) -> None:
        for words in some:
            self.say(*words)

    @rule(words=of_streams)
    def change_streams(self, words: Command) -> None:
        self.say(*words)

    @rule(words=of_keys)
    def change_keys(self, words: Command) -> None:
        self.say(*words)

    @rule(key=st.sampled_from(["s1", "s2"]), n=st.integers(2, 12), take=st.integers(0, 9))
    def fill(self, key: str, n: int, take: int) -> None:
        """Entries, groups that have some of them pending."""
        self.say("SELECT", 0)
        for number in range(n):
            self.say("XADD", key, "*", "f", "value", "g", number)
        for group, consumer in (("g1", "ann"), ("g2", "bob")):
            self.say("XGROUP", "CREATE", key, group, "0", "MKSTREAM")
            self.say("XREADGROUP", "GROUP", group, consumer, "COUNT", take + 1, "STREAMS", key, ">")

    @rule(some=st.lists(st.one_of(commands, flushes), min_size=1, max_size=5))
    def transact(self, some: list[Command]) -> None:
        self.compare()
        before = len(self.batches)
        self.say("MULTI")
        for words in some:
            self.say(*words)
        self.say("EXEC")
        self.compare()
        if not self.waiting:
            assert sum(batch.records for batch in self.batches[before:]) <= 1

    @rule(key=keys, other=keys, ttl=st.sampled_from([0, 0, 500]))
    def restore(self, key: str, other: str, ttl: int) -> None:
        self.embedded.main.send("DUMP", key)
        ((_, payload),) = self.embedded.main.read_all()
        if isinstance(payload, bytes):
            self.say("RESTORE", other, ttl, payload, "REPLACE")

    @rule(words=flushes, really=st.integers(0, 9))
    def flush(self, words: Command, really: int) -> None:
        if really == 0:
            self.say(*words)

    @rule(words=reading)
    def wait(self, words: Command) -> None:
        client = self.embedded.connect()
        self.waiting.append(client)
        words = self.picked(words)
        client.send(*words[:4], "BLOCK", 0, *words[4:])
        client.read_all()

    @rule(ms=st.sampled_from([0, 1, 400, 1100, 3000]))
    def pass_time(self, ms: int) -> None:
        self.embedded.pass_ms(ms)
        for client in self.waiting:
            client.read_all()

    @rule(limits=st.sampled_from(NODE_LIMITS))
    def set_limits(self, limits: tuple[int, int]) -> None:
        for name, value in zip(("entries", "bytes"), limits, strict=True):
            self.say("CONFIG", "SET", f"stream-node-max-{name}", value)

    @rule(size=st.integers(1, 3), duration=st.integers(1, 3))
    def set_windows(self, size: int, duration: int) -> None:
        self.say("CONFIG", "SET", "stream-idmp-maxsize", size, "stream-idmp-duration", duration)

    @rule()
    def begin_again(self) -> None:
        """A segment ends: the recorder goes on behind it."""
        self.compare()
        self.recorder.start(self.recorder.end, self.recorder.chain)

    @rule()
    def compare(self) -> None:
        batches = take_all(self.recorder)
        for batch in batches:
            assert not self.batches or batch.position == self.batches[-1].end
            self.batches.append(batch)
            apply_batch(self.follower, batch)
        assert self.recorder.end == (self.batches[-1].end if self.batches else 0)
        assert_equal_state(self.state.keyspace, self.follower.keyspace)

    def teardown(self) -> None:
        self.compare()
        applier = self.empty()
        for batch in self.batches:
            apply_batch(applier, batch)
        assert_equal_state(self.state.keyspace, applier.keyspace)
        super().teardown()


TestRecords = RecordsMachine.TestCase
TestRecords.settings = settings(max_examples=100, stateful_step_count=50)
