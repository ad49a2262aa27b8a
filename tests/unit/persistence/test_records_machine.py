"""Whatever commands do, their records applied to an empty keyspace give the same state."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from headwater.keyspace.database import Keyspace
from headwater.persistence.apply import Applier
from headwater.streams.stream import Stream
from support.embedded import Client, Embedded
from support.journal import apply_batch, assert_equal_state, delivery_order, take_all
from support.wire import Word

pytestmark = pytest.mark.timeout(600)  # a failing example is made smaller first

DATABASES = 3
NODE_LIMITS = [(100, 4096), (10, 4096), (3, 4096), (100, 200), (1, 0), (0, 300), (7, 90), (0, 0)]
LONG_MS = 1000

Command = tuple[Word, ...]

keys = st.sampled_from(["s1", "s1", "s1", "s1", "s1", "s2", "s2", "t"])
groups = st.sampled_from(["g1", "g1", "g2"])
consumers = st.sampled_from(["ann", "bob", ""])
numbers = st.integers(1, 30)
# `@n` becomes the ID of some entry that is there or pending.
picked_ids = st.builds("@{}".format, st.integers(0, 40))
explicit_ids = st.one_of(
    *(picked_ids, picked_ids, picked_ids),
    st.builds("{}-0".format, numbers),
    st.builds("{}-{}".format, numbers, st.integers(0, 3)),
    st.sampled_from(["0-0", "7"]),
)
id_lists = st.lists(explicit_ids, min_size=1, max_size=8)
references = st.sampled_from([(), (), ("KEEPREF",), ("DELREF",), ("DELREF",), ("ACKED",)])
texts = st.sampled_from(["", "v", "17", "-5", "w" * 70, "x" * 300, "\r\n$1\r\n"])
times = st.sampled_from([-1, 0, 1, 50, LONG_MS, 10 * LONG_MS])
trims = st.one_of(
    st.tuples(st.sampled_from(["MAXLEN"]), st.sampled_from(["=", "~"]), st.integers(0, 12)),
    st.tuples(st.sampled_from(["MINID"]), st.sampled_from(["=", "~"]), explicit_ids),
    st.tuples(st.just("MAXLEN"), st.just("~"), st.integers(0, 5), st.just("LIMIT"), st.just(4)),
)
pairs = st.lists(
    st.tuples(st.sampled_from(["f", "g", "long-name-of-a-field"]), texts), min_size=1, max_size=3
)


def options(*some: Command) -> st.SearchStrategy[Command]:
    return st.lists(st.sampled_from(some), max_size=2).map(lambda found: sum(found, ()))


def flat(*parts: Any) -> Command:
    words: list[Word] = []
    for part in parts:
        if isinstance(part, (tuple, list)):
            words.extend(flat(*part))
        else:
            words.append(part)
    return tuple(words)


def build(*parts: Any) -> st.SearchStrategy[Command]:
    """A command of words and of strategies for words, tuples and lists of words."""
    made = [part if isinstance(part, st.SearchStrategy) else st.just(part) for part in parts]
    return st.builds(flat, *made)


def counted(some: st.SearchStrategy[list[str]]) -> st.SearchStrategy[Command]:
    return some.map(lambda found: ("IDS", len(found), *found))


adding = st.one_of(
    build("XADD", keys, "*", pairs),
    build("XADD", keys, numbers.map("{}-1".format), pairs),
    build("XADD", keys, numbers.map("{}-*".format), pairs),
    build("XADD", keys, trims, "*", pairs),
    build("XADD", keys, references, trims, numbers.map("{}-*".format), pairs),
    build("XADD", keys, "IDMP", st.sampled_from("pq"), st.sampled_from("abcde"), "*", pairs),
    build("XADD", keys, "IDMPAUTO", "p", trims, "*", pairs),
)
removing = st.one_of(
    build("XDEL", keys, id_lists),
    build("XDELEX", keys, references, counted(id_lists)),
    build("XTRIM", keys, trims),
    build("XTRIM", keys, trims, references),
)
of_groups = st.one_of(
    build("XGROUP", "CREATE", keys, groups, explicit_ids, options(("MKSTREAM",))),
    build("XGROUP", "CREATE", keys, groups, "$", "ENTRIESREAD", st.integers(-1, 9)),
    build("XGROUP", "CREATE", keys, groups, "0", "MKSTREAM"),
    build("XGROUP", "SETID", keys, groups, explicit_ids, options(("ENTRIESREAD", 3))),
    build("XGROUP", "DESTROY", keys, groups),
    build("XGROUP", "CREATECONSUMER", keys, groups, consumers),
    build("XGROUP", "DELCONSUMER", keys, groups, consumers),
)
counts = options(("COUNT", 1), ("COUNT", 3), ("COUNT", 100))
reading = st.one_of(
    build("XREADGROUP", "GROUP", groups, consumers, counts, "STREAMS", keys, ">"),
    build("XREADGROUP", "GROUP", groups, consumers, "NOACK", counts, "STREAMS", keys, ">"),
    build("XREADGROUP", "GROUP", groups, consumers, counts, "STREAMS", keys, explicit_ids),
    build("XREADGROUP", "GROUP", groups, consumers, counts, "STREAMS", "s1", "s2", ">", ">"),
    build("XREADGROUP", "GROUP", groups, consumers, counts, "STREAMS", "s1", "s2", "0", ">"),
    build(
        *("XREADGROUP", "GROUP", groups, consumers, "CLAIM", times, counts),
        *(options(("NOACK",), ("MAXSIZE", 90), ("MAXCOUNT", 4)), "STREAMS", keys, ">"),
    ),
)
pending = st.one_of(
    build("XACK", keys, groups, id_lists),
    build("XACKDEL", keys, groups, references, counted(id_lists)),
    build(
        *("XNACK", keys, groups, st.sampled_from(["SILENT", "FAIL", "FATAL"])),
        *(counted(id_lists), options(("FORCE",), ("RETRYCOUNT", 5))),
    ),
    build(
        *("XCLAIM", keys, groups, consumers, times, id_lists),
        options(
            *(("FORCE",), ("JUSTID",), ("IDLE", 700), ("IDLE", 0), ("TIME", 1_000)),
            *(("RETRYCOUNT", 4), ("LASTID", "9-0")),
        ),
    ),
    build("XAUTOCLAIM", keys, groups, consumers, times, explicit_ids, counts, options(("JUSTID",))),
)
of_streams = st.one_of(
    build("XSETID", keys, explicit_ids, options(("ENTRIESADDED", 40), ("MAXDELETEDID", "2-1"))),
    build(
        "XSETID",
        keys,
        "9999999999999-0",
        options(
            ("ENTRIESADDED", 4),
        ),
    ),
    build("XCFGSET", keys, "IDMP-DURATION", st.integers(1, 3)),
    build("XCFGSET", keys, "IDMP-MAXSIZE", st.integers(1, 3)),
    build("XIDMPRECORD", keys, st.sampled_from("pq"), st.sampled_from("abcde"), explicit_ids),
    build("XINFO", "STREAM", keys),
)
of_keys = st.one_of(
    build("SET", keys, texts, options(("PX", 500), ("KEEPTTL",), ("PXAT", 1))),
    build("DEL", keys, keys),
    build("GET", keys),
    build(st.sampled_from(["EXPIRE", "PEXPIRE"]), keys, st.sampled_from([-1, 1, 2, 500])),
    build("PERSIST", keys),
    build("RENAME", keys, keys),
    build("RENAMENX", keys, keys),
    build("COPY", keys, keys, options(("REPLACE",), ("DB", 1))),
    build("MOVE", keys, st.integers(0, DATABASES - 1)),
    build("SWAPDB", st.integers(0, 1), st.integers(0, DATABASES - 1)),
    build("SELECT", st.sampled_from([0, 0, 0, 1])),
    build("RANDOMKEY"),
)
flushes = st.one_of(build("FLUSHDB"), build("FLUSHALL"))
commands = st.one_of(
    *(adding, adding, removing, of_groups, reading, reading, pending, pending, pending),
    *(of_streams, of_keys),
)


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

    def known_ids(self) -> list[str]:
        """Of entries that are there or pending in the streams of the first database."""
        found = []
        for key in (b"s1", b"s2", b"t"):
            stream = self.state.keyspace.databases[0].values.get(key)
            if not isinstance(stream, Stream):
                continue
            for block in stream.blocks[stream.head :]:
                found += [block.entry_id(slot) for slot in range(block.first, block.slots)][:9]
            for group in (stream.groups or {}).values():
                found += [(ms, seq) for ms, seq, _, _ in delivery_order(group)]
        return [f"{ms}-{seq}" for ms, seq in found] or ["1-1"]

    def pending_ids(self, words: Command) -> list[str]:
        """Of what is pending in the group that a command is about."""
        if words[0] not in ("XACK", "XACKDEL", "XNACK", "XCLAIM", "XAUTOCLAIM"):
            return []
        stream = self.embedded.main.session.database.values.get(str(words[1]).encode())
        group = None
        if isinstance(stream, Stream):
            group = (stream.groups or {}).get(str(words[2]).encode())
        if group is None:
            return []
        return [f"{ms}-{seq}" for ms, seq, _, _ in delivery_order(group)]

    def picked(self, words: Command) -> Command:
        """The same with IDs for `@n`."""
        if not any(isinstance(word, str) and word.startswith("@") for word in words):
            return words
        known = self.pending_ids(words) or self.known_ids()
        return tuple(
            known[int(word[1:]) % len(known)] if isinstance(word, str) and word[:1] == "@" else word
            for word in words
        )

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
