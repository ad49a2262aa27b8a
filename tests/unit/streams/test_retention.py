"""What a stream retains: never less than its groups need, and soon no more than it should."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.keyspace.database import Keyspace
from headwater.persistence.apply import Applier
from headwater.persistence.operands import ApplyError
from headwater.resp.request import from_words
from headwater.streams.group import Group
from headwater.streams.retention import MAX_NUMBER, NEVER_MS, Retention, decode
from headwater.streams.stream import Stream
from support.embedded import Embedded
from support.journal import apply_batch, assert_equal_state, take_all


def test_encoded_and_back() -> None:
    retention = Retention(1, 2, MAX_NUMBER, True)
    again = decode(retention.encode())
    assert again is not None
    assert again.encode() == retention.encode() == retention.copy().encode()
    assert (again.maxlen, again.maxage_ms, again.maxbytes, again.acked) == (1, 2, MAX_NUMBER, True)
    assert decode(Retention(0, 0, 0, False).encode()) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(24),
        bytes(26),
        bytes(24) + b"\x02",
        b"\xff" * 8 + bytes(17),
        (2**53).to_bytes(8, "little") + bytes(17),
    ],
)
def test_what_can_not_be_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="retention"):
        decode(data)


def stream_of(n: int, entries: int = 10) -> Stream:
    stream = Stream()
    for ms in range(1, n + 1):
        stream.append(ms, 0, from_words([b"f", b"v"]), 0, 1, entries, 4096)
    return stream


def test_nothing_to_do_is_never() -> None:
    stream = stream_of(30)
    retention = Retention(30, 0, 10**6, False)
    assert not retention.apply(stream, 100, [], 1000)
    assert retention.wake_ms == NEVER_MS


def test_a_turn_is_bounded() -> None:
    stream = stream_of(10_000)
    retention = Retention(5, 0, 0, False)
    assert retention.apply(stream, 100, [], 300)
    assert stream.length == 7000
    assert (retention.from_head, len(retention.dropped), retention.wake_ms) == (3000, 300, 100)
    while retention.wake_ms == 100:
        retention.apply(stream, 100, [], 300)
    assert stream.length == 5


def ids_of(stream: Stream) -> set[int]:
    found = set()
    for block in stream.blocks[stream.head :]:
        found |= {block.entry_id(slot)[0] for slot in range(block.first, block.slots)}
    return found


class World:
    """A server whose stream `s` is retained; what it records, applied to another keyspace."""

    def __init__(self, block_entries: int) -> None:
        self.embedded = Embedded(stream_node_max_entries=str(block_entries))
        self.embedded.state.recorder.start(0, 0)
        self.say = self.embedded.main.send
        self.last = 0

    def stream(self) -> Stream:
        found = self.embedded.main.session.database.peek(b"s")
        assert isinstance(found, Stream)
        return found

    def add(self, n: int) -> None:
        for _ in range(n):
            self.last += 1
            self.say("XADD", "s", f"{self.last}-0", "f", "v" * (self.last % 9))

    def pending(self, group: str) -> set[int]:
        found = (self.stream().groups or {}).get(group.encode())
        if found is None:
            return set()
        records = found.pending.records
        return {records.ms(h) for h in found.pending.handles_from(0, 0, 10**6)}

    def needed(self) -> set[int]:
        """The IDs that a group has pending or not delivered yet."""
        stream = self.stream()
        found: set[int] = set()
        for name, group in (stream.groups or {}).items():
            found |= self.pending(name.decode())
            found |= {ms for ms in ids_of(stream) if ms > group.last_ms}
        return found

    def rest(self) -> None:
        """Let upkeep do all it wants to for two minutes."""
        for _ in range(1200):
            stream = self.stream()
            if stream.retention is None or stream.retention.wake_ms == NEVER_MS:
                break
            before = self.embedded.clock.now_ms
            self.embedded.pass_ms(max(0, min(stream.retention.wake_ms - before, 120_000)))
        self.embedded.main.read_all()

    def check_replay(self) -> None:
        follower = Applier(Keyspace(self.embedded.clock, 16))
        for batch in take_all(self.embedded.state.recorder):
            apply_batch(follower, batch)
        assert_equal_state(self.embedded.state.keyspace, follower.keyspace)


STEP = st.tuples(
    st.sampled_from(["add", "read", "ack", "ack", "pass", "delete", "setid", "group", "destroy"]),
    st.integers(0, 2**16),
)


@settings(max_examples=30)
@given(st.lists(STEP, min_size=5, max_size=40), st.integers(1, 4), st.booleans())
def test_acked_against_what_groups_need(
    steps: list[tuple[str, int]], block_entries: int, asked: bool
) -> None:
    world = World(block_entries)
    world.add(40)
    world.say("XCFGSET", "s", "RETAIN-ACKED", "yes")
    world.say("XGROUP", "CREATE", "s", "a", "0")
    world.say("XGROUP", "CREATE", "s", "b", "0")
    if asked:
        world.stream().behind(0, 0)
    for what, number in steps:
        rng = random.Random(number)
        group = "ab"[number & 1]
        deleted: set[int] = set()
        if what == "add":
            world.add(number % 20)
        elif what == "read":
            words = "GROUP", group, "c", "COUNT", 1 + number % 30, "STREAMS", "s", ">"
            world.say("XREADGROUP", *words)
        elif what == "ack":
            pending = sorted(world.pending(group))
            done = rng.sample(pending, len(pending) * rng.choice((1, 2, 4)) // 4)
            if done:
                world.say("XACK", "s", group, *done)
        elif what == "delete":
            there = sorted(ids_of(world.stream()))
            deleted = set(rng.sample(there, min(2, len(there))))
            if deleted:
                world.say("XDEL", "s", *deleted)
        elif what == "setid" and number % 4 == 0:
            world.say("XGROUP", "SETID", "s", group, number % (world.last + 1))
        elif what == "destroy" and number % 4 == 0:
            world.say("XGROUP", "DESTROY", "s", group)
        elif what == "group":
            world.say("XGROUP", "CREATE", "s", group, rng.choice(("0", "$")))
        before = ids_of(world.stream()) - deleted
        needed = world.needed()
        world.embedded.pass_ms(rng.choice((0, 50, 100, 1000)) if what == "pass" else 0)
        gone = before - ids_of(world.stream())
        assert not gone & needed
        assert not gone or world.stream().groups
    world.rest()
    stream = world.stream()
    left, needed = ids_of(stream), world.needed()
    assert stream.length == len(left)
    assert stream.behind(0, 0) == len(left)
    if stream.groups:
        # What is not needed may stay only in the block that is not delivered as a whole yet.
        top = min(group.last_ms for group in stream.groups.values())
        for block in stream.blocks[stream.head :]:
            ids = {block.entry_id(slot)[0] for slot in range(block.first, block.slots)}
            assert ids <= needed or (block.last_ms > top and ids & needed)
    world.check_replay()


def stored_bytes(ms: int) -> int:
    text, value = f"{ms}-0", "v" * (ms % 9)
    head = f"*2\r\n${len(text)}\r\n{text}\r\n*2\r\n$1\r\nf\r\n"
    return len(f"{head}${len(value)}\r\n{value}\r\n")


LIMITS = st.tuples(
    st.sampled_from([0, 1, 7, 60]), st.sampled_from([0, 1, 300, 2000]), st.booleans()
)


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 30), LIMITS), min_size=1, max_size=12), st.integers(1, 9))
def test_lengths_and_bytes(steps: list[tuple[int, Any]], block_entries: int) -> None:
    """Soon a stream holds the newest entries that its limits allow, and no fewer."""
    world = World(block_entries)
    world.add(1)
    model = [1]
    sizes = {1: stored_bytes(1)}
    for n, (maxlen, maxbytes, waits) in steps:
        world.say("XCFGSET", "s", "RETAIN-MAXLEN", maxlen, "RETAIN-MAXBYTES", maxbytes)
        before = world.last
        world.add(n)
        model += range(before + 1, world.last + 1)
        stream = world.stream()
        sizes |= {ms: stored_bytes(ms) for ms in range(before + 1, world.last + 1)}
        if waits:
            world.rest()
            while maxlen and len(model) > maxlen:
                model.pop(0)
            while maxbytes and len(model) > 1 and sum(sizes[ms] for ms in model) > maxbytes:
                model.pop(0)
            assert sorted(ids_of(stream)) == model
        else:
            kept = sorted(ids_of(stream))
            assert kept == model[len(model) - len(kept) :]
            model = kept
    assert stream.entry_bytes == sum(sizes[ms] for ms in ids_of(stream))
    world.check_replay()


def test_a_round_goes_on_from_where_it_was() -> None:
    """With an entry stuck at the head a million acknowledged ones behind it go in pieces."""
    world = World(5)
    world.add(3000)
    world.say("XCFGSET", "s", "RETAIN-ACKED", "yes")
    world.say("XGROUP", "CREATE", "s", "g", "0")
    world.say("XREADGROUP", "GROUP", "g", "c", "COUNT", 3000, "STREAMS", "s", ">")
    stuck = {1, 1500}
    world.say("XACK", "s", "g", *[n for n in range(1, 3001) if n not in stuck])
    embedded, stream = world.embedded, world.stream()
    assert stream.retention is not None
    embedded.clock.advance(100)
    lengths = [stream.length]
    for _ in range(40):
        groups = list((stream.groups or {}).values())
        stream.retention.apply(stream, embedded.clock.now_ms, groups, 100)
        embedded.clock.advance(5)
        lengths.append(stream.length)
        if lengths[-1] == 10:
            break
    assert all(before - after <= 505 for before, after in pairwise(lengths))
    assert len(lengths) > 5
    assert ids_of(stream) == {1, 2, 3, 4, 5, 1496, 1497, 1498, 1499, 1500}
    world.embedded.pass_ms(0)
    for _ in range(20):
        world.embedded.pass_ms(100)
    assert ids_of(stream) == stuck
    assert stream.retention.wake_ms > embedded.clock.now_ms + 100, "and then it rests"


def test_a_turn_is_shorter_with_many_groups() -> None:
    """Each is asked what it needs of each block: with hundreds of them a turn has fewer blocks."""
    stream = stream_of(2000)
    groups = []
    for number in range(400):
        group = Group(b"g%d" % number, 2000, 0, 2000)
        groups.append(group)
    consumer = groups[0].create_consumer(b"c", 0)
    for ms in range(1, 2001, 20):
        groups[0].pending.deliver(ms, 0, consumer.number, 0)
    retention = Retention(0, 0, 0, True)
    now_ms, lengths = 100, [stream.length]
    while not retention.round_ms:
        retention.apply(stream, now_ms, groups, 1000)
        now_ms += 5
        lengths.append(stream.length)
    assert all(before - after <= 100 for before, after in pairwise(lengths)), lengths
    assert stream.length == 1000, "blocks with something pending are left"


def test_rounds_are_rare_while_all_is_pending() -> None:
    world = World(2)
    world.add(2000)
    world.say("XCFGSET", "s", "RETAIN-ACKED", "yes")
    world.say("XGROUP", "CREATE", "s", "g", "0")
    world.say("XREADGROUP", "GROUP", "g", "c", "COUNT", 2000, "STREAMS", "s", ">")
    stream = world.stream()
    rounds = 0
    for _ in range(600):
        before = stream.retention.round_ms
        world.embedded.pass_ms(100)
        rounds += stream.retention.round_ms != before
    assert stream.length == 2000
    assert 2 < rounds < 12


@pytest.mark.parametrize(
    ("ms", "entries"), [(1, 4), (2, 5), (6, 4), (6, 6), (2000, 5), (1, 0), (1, 10**6)]
)
def test_a_run_that_is_not_whole_blocks_is_refused(ms: int, entries: int) -> None:
    world = World(5)
    world.add(20)
    recorder = world.embedded.state.recorder
    recorder.drop_run(0, b"s", ms, 0, entries)
    follower = Applier(Keyspace(world.embedded.clock, 16))
    (batch,) = take_all(recorder)
    with pytest.raises(ApplyError, match="DROP_RUN"):
        apply_batch(follower, batch)
