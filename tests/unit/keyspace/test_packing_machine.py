"""A server that packs at any moment answers as one that never does."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from headwater.keyspace import packer as packer_module
from headwater.keyspace.database import Keyspace
from headwater.persistence.apply import Applier
from headwater.streams.packing import AGE_MS
from headwater.streams.stream import Stream
from support.embedded import Client
from support.journal import apply_batch, assert_equal_state, take_all
from support.packing import Packing
from support.random_commands import (
    DATABASES,
    NODE_LIMITS,
    Command,
    adding,
    commands,
    flushes,
    of_groups,
    of_keys,
    of_streams,
    reading,
    removing,
    with_ids,
)

pytestmark = pytest.mark.timeout(600)  # a failing example is made smaller first


@pytest.fixture(autouse=True)
def pack_everything(monkeypatch: Any) -> None:
    monkeypatch.setattr(packer_module, "WORTH", -1)  # however little there is in a block


class PackingMachine(RuleBasedStateMachine):
    """Two engines are told the same; `packing` packs now and then, and drops copies."""

    def __init__(self) -> None:
        super().__init__()
        self.before = packer_module.WORTH
        packer_module.WORTH = -1
        self.packing = self.engine(1)
        self.plain = self.engine(0)
        self.recorder = self.packing.state.recorder
        self.recorder.start(0, 0)
        self.batches: list[Any] = []

    def teardown(self) -> None:
        packer_module.WORTH = self.before
        self.compare()
        follower = Applier(Keyspace(self.packing.clock, DATABASES))
        for batch in take_all(self.recorder):
            apply_batch(follower, batch)
        assert_equal_state(self.packing.state.keyspace, follower.keyspace)
        self.nothing_is_left()
        self.packing.packer.close()

    def nothing_is_left(self) -> None:
        """What is counted does not drift: nothing is there when nothing is there."""
        packing = self.packing
        packing.main.send("RESET")
        packing.main.read_all()
        packing.main.ok("FLUSHALL")
        self.recorder.start(0, 0)  # it holds the stream of which it told last
        packing.worker.patience = packing.worker.left = 0
        packing.settle()
        while packing.state.keyspace.free_some(1000):
            pass
        codec = packing.packer.codec
        codec.clear()
        assert (codec.blocks, codec.raw_bytes, codec.packed_bytes, codec.kept_bytes) == (0, 0, 0, 0)
        assert packing.packer.registry.pending() == 0

    def engine(self, depth: int) -> Packing:
        engine = Packing(
            databases=str(DATABASES),
            stream_compress_depth=str(depth),
            enable_debug_command="yes",
        )
        engine.state.keyspace.rng = random.Random(1)
        return engine

    @initialize(limits=st.sampled_from(NODE_LIMITS), copies=st.sampled_from([1, 500, 100_000]))
    def start(self, limits: tuple[int, int], copies: int) -> None:
        self.packing.packer.codec.limit = copies
        self.say("CONFIG", "SET", "stream-node-max-entries", limits[0])
        self.say("CONFIG", "SET", "stream-node-max-bytes", limits[1])
        for key in ("s1", "s2"):
            self.say("XGROUP", "CREATE", key, "g1", "0", "MKSTREAM")
            for number in range(30):
                self.say("XADD", key, f"{number}-1", "f", f"value-{number}", "g", "x" * number)

    def say(self, *words: Any) -> None:
        replies = []
        database = self.packing.main.session.database
        words = with_ids(words, self.packing.state.keyspace, database)
        for engine in (self.packing, self.plain):
            client: Client = engine.main
            client.send(*words)
            assert not engine.state.unexpected_errors, words
            replies.append(client.read_all())
        assert replies[0] == replies[1], words

    @rule(words=commands | adding | removing | of_streams | of_keys | of_groups | reading)
    def command(self, words: Command) -> None:
        self.say(*words)

    @rule(words=flushes)
    def flush(self, words: Command) -> None:
        self.say(*words)

    @rule(words=adding, times=st.integers(2, 12))
    def add_more(self, words: Command, times: int) -> None:
        for _ in range(times):
            self.say(*words)

    @rule(key=st.sampled_from(["s1", "s2"]), reverse=st.booleans(), count=st.integers(1, 40))
    def read(self, key: str, reverse: bool, count: int) -> None:
        if reverse:
            self.say("XREVRANGE", key, "+", "-", "COUNT", count)
        else:
            self.say("XRANGE", key, "-", "+", "COUNT", count)
        self.say("DUMP", key)

    @rule(key=st.sampled_from(["s1", "s2"]), keep=st.integers(1, 12), times=st.integers(1, 6))
    def delete_the_end(self, key: str, keep: int, times: int) -> None:
        """So that a block that is sealed, full and packed becomes the last one again."""
        value = self.plain.main.session.database.values.get(key.encode())
        if not isinstance(value, Stream):
            return
        ids = [
            "{}-{}".format(*block.entry_id(slot))
            for block in value.blocks[value.head :]
            for slot in range(block.first, block.slots)
        ]
        if ids[keep:]:
            self.say("XDEL", key, *ids[keep:])
        for _ in range(times):
            self.say("XADD", key, "*", "f", "value", "g", "x" * times)

    @rule(ms=st.sampled_from([1, AGE_MS, AGE_MS, 2 * AGE_MS, 20_000]))
    def wait(self, ms: int) -> None:
        for engine in (self.packing, self.plain):
            engine.pass_ms(ms)
            engine.main.read_all()

    @rule(turns=st.integers(1, 4), patience=st.integers(0, 2))
    def work(self, turns: int, patience: int) -> None:
        self.packing.worker.patience = patience
        for _ in range(turns):
            self.packing.packer.work()

    @rule()
    def pack_all(self) -> None:
        for _ in range(3):
            self.wait(AGE_MS)
            self.packing.worker.patience = self.packing.worker.left = 0
            self.packing.work()

    @rule()
    def drop_copies(self) -> None:
        self.packing.packer.codec.clear()

    @rule(depth=st.integers(0, 3))
    def change_depth(self, depth: int) -> None:
        self.packing.main.ok("CONFIG", "SET", "stream-compress-depth", depth)

    @rule()
    def compare(self) -> None:
        digests = {engine.main.ok("DEBUG", "DIGEST") for engine in (self.packing, self.plain)}
        assert len(digests) == 1

    @invariant()
    def counts(self) -> None:
        codec = self.packing.packer.codec
        assert codec.blocks >= 0
        assert codec.kept_bytes >= 0


TestPackingMachine = PackingMachine.TestCase
TestPackingMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
