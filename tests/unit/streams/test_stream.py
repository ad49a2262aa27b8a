"""Streams under random commands, against a list of entries; sealed blocks stay as they are."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from headwater.resp.reply import Reply
from headwater.resp.request import from_words
from headwater.streams.block import Block
from headwater.streams.group import Group
from headwater.streams.idmp import Idmp
from headwater.streams.range import Pieces, Range
from headwater.streams.stream import Stream
from headwater.streams.trim import ACKED, DELREF, KEEPREF, MAXLEN, MINID, Trim

MAX = 2**64 - 1
LAST_OF_ALL = (MAX, MAX)
EDGES = (0, 1, 9, 10, 2**32, 2**63 - 1, 2**63, MAX - 1, MAX)


class Entry(NamedTuple):
    id: tuple[int, int]
    words: tuple[bytes, ...]


def resp(entry: Entry) -> bytes:
    """The bytes that a reader is sent, made as the protocol says."""
    text = b"%d-%d" % entry.id
    words = b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in entry.words)
    return b"*2\r\n$%d\r\n%b\r\n*%d\r\n%b" % (len(text), text, len(entry.words), words)


def append(stream: Stream, entry: Entry, node_entries: int = 100, node_bytes: int = 4096) -> None:
    request = from_words([b"XADD", b"key", b"*", *entry.words])
    stream.append(*entry.id, request, 3, len(entry.words) // 2, node_entries, node_bytes)


def filled(count: int, node_entries: int = 4, value: bytes = b"v") -> tuple[Stream, list[Entry]]:
    """A stream of entries 1-0, 2-0, ..."""
    stream, entries = Stream(), [Entry((n, 0), (b"f", value)) for n in range(1, count + 1)]
    for entry in entries:
        append(stream, entry, node_entries)
    return stream, entries


def written(run: Range | None, reverse: bool = False) -> bytes:
    """What a run puts into a reply; attached parts are read in small pieces."""
    if run is None:
        return b""
    reply = Reply()
    run.write(reply, reverse)
    return b"".join(
        part if isinstance(part, bytes) else drained(part) for part in reply.take_parts()
    )


def drained(source: Any, max_bytes: int = 100) -> bytes:
    pieces = []
    while piece := source.read(max_bytes):
        pieces.append(piece)
    return b"".join(pieces)


def everything(stream: Stream) -> bytes:
    return written(stream.range(0, 0, *LAST_OF_ALL, -1, False))


def bytes_of(block: Block) -> tuple[bytes, tuple[int, ...], int]:
    """All that a block has to keep: its bytes, where entries begin, which the first one is."""
    offsets = tuple(block.offset(slot) for slot in range(block.slots + 1))
    return bytes(block.buf[: block.used]), offsets, block.first


class Held(NamedTuple):
    """A reply that is being sent while the stream goes on changing."""

    source: Pieces
    expected: bytes
    read: list[bytes]


halves = st.sampled_from(EDGES) | st.integers(0, 40)
fields = st.lists(st.binary(max_size=12) | st.just(b"same"), min_size=1, max_size=3)


class Streams(RuleBasedStateMachine):
    """One stream; now and then it goes on as its own copy, and the original must not notice."""

    def __init__(self) -> None:
        super().__init__()
        self.stream = Stream()
        self.entries: list[Entry] = []
        self.last = (0, 0)
        self.max_deleted = (0, 0)
        self.added = 0
        self.node_entries = 100
        self.node_bytes = 4096
        self.sealed: dict[int, tuple[Block, Any]] = {}
        self.held: list[Held] = []
        self.left_behind: list[tuple[Stream, bytes]] = []

    @initialize(node_entries=st.sampled_from([0, 3, 8]), node_bytes=st.sampled_from([0, 100, 200]))
    def configure(self, node_entries: int, node_bytes: int) -> None:
        self.node_entries, self.node_bytes = node_entries, node_bytes

    # --- what clients do ---

    @rule(
        ms=halves, seq=halves, step=st.integers(1, 3), near=st.booleans(),
        names=fields, size=st.sampled_from([0, 1, 12, 90]), times=st.integers(1, 6),
    )  # fmt: skip
    def add(
        self, ms: int, seq: int, step: int, near: bool, names: list[bytes], size: int, times: int
    ) -> None:
        for _ in range(times):
            new = (ms, seq)
            if near or new <= self.last:
                new = (self.last[0], self.last[1] + step)
                if new[1] > MAX:
                    new = (self.last[0] + 1, 0)
            if new[0] > MAX:
                return
            entry = Entry(new, tuple(w for name in names for w in (name, b"x" * size)))
            append(self.stream, entry, self.node_entries, self.node_bytes)
            self.entries.append(entry)
            self.last = new
            self.added += 1

    @precondition(lambda self: self.entries)
    @rule(data=st.data(), as_trim=st.booleans())
    def delete(self, data: st.DataObject, as_trim: bool) -> None:
        place = data.draw(st.integers(0, 3) | st.integers(-3, -1) | st.integers(0, 1000))
        entry = self.entries.pop(place % len(self.entries))
        if as_trim:
            assert self.stream.take_out(*entry.id)
        else:
            assert self.stream.delete(*entry.id)
            self.max_deleted = max(self.max_deleted, entry.id)
        assert not self.stream.contains(*entry.id)
        assert not self.stream.delete(*entry.id)

    @precondition(lambda self: self.entries)
    @rule(times=st.integers(1, 4), names=fields)
    def delete_the_newest_and_go_on(self, times: int, names: list[bytes]) -> None:
        for entry in reversed(self.entries[-times:]):
            assert self.stream.delete(*entry.id)
            self.max_deleted = max(self.max_deleted, entry.id)
        del self.entries[-times:]
        self.add(0, 0, 1, True, names, 0, 1)

    @rule(keep=st.integers(0, 30))
    def trim_to_length(self, keep: int) -> None:
        trim = Trim()
        trim.by, trim.maxlen = MAXLEN, keep
        gone = max(0, len(self.entries) - keep)
        assert trim.apply(self.stream) == gone
        del self.entries[:gone]

    @precondition(lambda self: self.entries)
    @rule(data=st.data(), off=st.booleans())
    def trim_to_id(self, data: st.DataObject, off: bool) -> None:
        ms, seq = data.draw(st.sampled_from([entry.id for entry in self.entries]))
        if off and seq < MAX:
            seq += 1
        trim = Trim()
        trim.by, trim.minid_ms, trim.minid_seq = MINID, ms, seq
        kept = [entry for entry in self.entries if entry.id >= (ms, seq)]
        assert trim.apply(self.stream) == len(self.entries) - len(kept)
        self.entries = kept

    @rule(keep=st.integers(0, 30))
    def trim_about(self, keep: int) -> None:
        blocks = [block.live() for block in self.stream.blocks[self.stream.head :]]
        trim = Trim()
        trim.by, trim.maxlen, trim.approximate = MAXLEN, keep, True
        gone = 0
        for live in blocks:
            if len(self.entries) - gone - live < keep:
                break
            gone += live
        assert trim.apply(self.stream) == gone
        del self.entries[:gone]

    @rule()
    def go_on_as_a_copy(self) -> None:
        self.left_behind.append((self.stream, everything(self.stream)))
        self.stream = self.stream.copy()

    @rule()
    def go_on_as_the_original(self) -> None:
        twin = self.stream.copy()
        self.left_behind.append((twin, everything(twin)))

    # --- what readers see ---

    @rule(low=st.tuples(halves, halves), high=st.tuples(halves, halves), data=st.data())
    def read(self, low: tuple[int, int], high: tuple[int, int], data: st.DataObject) -> None:
        if self.entries and data.draw(st.booleans()):
            low = data.draw(st.sampled_from(self.entries)).id
        limit = data.draw(st.sampled_from([-1, 0, 1, 2, 7]))
        reverse = data.draw(st.booleans())
        expected = [entry for entry in self.entries if low <= entry.id <= high]
        if reverse:
            expected.reverse()
        if limit >= 0:
            del expected[limit:]
        run = self.stream.range(*low, *high, limit, reverse)
        assert (run is None) == (not expected)
        if run is not None:
            assert run.count == len(expected)
            assert run.size == sum(len(resp(entry)) for entry in expected)
            assert drained(Pieces(run, reverse), 1) == written(run, reverse)
        assert written(run, reverse) == b"".join(map(resp, expected))

    @rule(low=st.tuples(halves, halves), max_bytes=st.sampled_from([0, 1, 40, 200, 2000]))
    def read_some_bytes(self, low: tuple[int, int], max_bytes: int) -> None:
        run = self.stream.range(*low, *LAST_OF_ALL, -1, False)
        if run is None:
            return
        run.keep_bytes(max_bytes)
        expected = b""
        count = 0
        for entry in self.entries:
            if entry.id < low:
                continue
            if count and len(expected) >= max_bytes:
                break
            expected += resp(entry)
            count += 1
        assert (run.count, written(run)) == (count, expected)

    @precondition(lambda self: self.entries)
    @rule(data=st.data(), reverse=st.booleans())
    def begin_a_long_reply(self, data: st.DataObject, reverse: bool) -> None:
        first = data.draw(st.integers(0, len(self.entries) - 1))
        last = data.draw(st.integers(first, len(self.entries) - 1))
        run = self.stream.range(*self.entries[first].id, *self.entries[last].id, -1, reverse)
        assert run is not None
        expected = [resp(entry) for entry in self.entries[first : last + 1]]
        if reverse:
            expected.reverse()
        self.held.append(Held(Pieces(run, reverse), b"".join(expected), []))

    @precondition(lambda self: self.held)
    @rule(data=st.data(), max_bytes=st.sampled_from([1, 50, 300]))
    def send_some_of_it(self, data: st.DataObject, max_bytes: int) -> None:
        held = data.draw(st.sampled_from(self.held))
        held.read.append(held.source.read(max_bytes))

    def teardown(self) -> None:
        for held in self.held:
            assert b"".join(held.read) + drained(held.source) == held.expected
        for stream, content in self.left_behind:
            assert everything(stream) == content

    # --- what always holds ---

    @invariant()
    def remembers_its_past(self) -> None:
        stream = self.stream
        assert stream.length == len(self.entries)
        assert (stream.last_ms, stream.last_seq) == self.last
        assert (stream.max_deleted_ms, stream.max_deleted_seq) == self.max_deleted
        assert stream.entries_added == self.added
        assert stream.first_id() == (self.entries[0].id if self.entries else (0, 0))

    @invariant()
    def holds_what_was_added(self) -> None:
        assert everything(self.stream) == b"".join(map(resp, self.entries))
        assert self.stream.contains(0, 0) == any(e.id == (0, 0) for e in self.entries)

    @invariant()
    def blocks_agree_with_their_bytes(self) -> None:
        stream = self.stream
        ids: list[tuple[int, int]] = []
        for block in stream.blocks[stream.head :]:
            assert 0 <= block.first < block.slots, "no empty block stays"
            assert block.used <= block.capacity == len(block.buf)
            offsets = [block.offset(slot) for slot in range(block.slots + 1)]
            assert offsets == sorted(set(offsets))
            own = [block.entry_id(slot) for slot in range(block.first, block.slots)]
            assert (block.last_ms, block.last_seq) == own[-1]
            assert (block.tail_ms, block.tail_seq) >= own[-1]
            ids += own
        assert ids == [entry.id for entry in self.entries]

    @invariant()
    def sealed_blocks_stay_as_they_are(self) -> None:
        blocks = self.stream.blocks[self.stream.head :]
        for block in blocks[:-1]:
            self.sealed.setdefault(id(block), (block, bytes_of(block)))
        for block, content in self.sealed.values():
            assert bytes_of(block) == content


Streams.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestStreams = Streams.TestCase


# --- single cases ---


def test_an_empty_stream() -> None:
    stream = Stream()
    assert stream.first_id() == (0, 0)
    assert stream.range(0, 0, *LAST_OF_ALL, -1, False) is None
    assert stream.locate(0, 0) == (0, 0)
    assert not stream.contains(0, 1)
    assert not stream.delete(0, 1)
    assert (stream.type_name(), stream.encoding()) == (b"stream", b"stream")


@pytest.mark.parametrize("ms", EDGES)
@pytest.mark.parametrize("seq", EDGES)
def test_ids_of_64_bits(ms: int, seq: int) -> None:
    if (ms, seq) == (0, 0):
        return
    stream = Stream()
    entry = Entry((ms, seq), (b"f", b"v"))
    append(stream, entry)
    assert stream.first_id() == (ms, seq)
    assert everything(stream) == resp(entry)
    assert written(stream.range(ms, seq, ms, seq, -1, True)) == resp(entry)
    assert stream.range(0, 0, *((ms, seq - 1) if seq else (ms - 1, MAX)), -1, False) is None
    assert stream.delete(ms, seq)
    assert (stream.max_deleted_ms, stream.max_deleted_seq) == (ms, seq)
    assert (stream.last_ms, stream.last_seq) == (ms, seq)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_big_range_is_attached_and_shows_one_moment(reverse: bool) -> None:
    stream, entries = filled(400, node_entries=10, value=b"x" * 1000)
    run = stream.range(0, 0, *LAST_OF_ALL, -1, reverse)
    assert run is not None
    reply = Reply()
    reply.array(run.count)
    run.write(reply, reverse)
    stream.delete(*entries[200].id)
    stream.delete(*entries[-1].id)
    append(stream, Entry((1000, 0), (b"late", b"entry")))
    trim = Trim()
    trim.by, trim.maxlen = MAXLEN, 3
    trim.apply(stream)
    head, source = reply.take_parts()
    assert head == b"*400\r\n"
    expected = list(map(resp, entries))
    assert drained(source, 5000) == b"".join(reversed(expected) if reverse else expected)


def test_nothing_is_appended_to_a_block_that_was_sealed() -> None:
    # The last block goes away, and the one before it would have room for a smaller entry.
    stream = Stream()
    small = [Entry((n, 0), (b"f", b"x" * 20)) for n in range(1, 4)]
    big = Entry((4, 0), (b"f", b"x" * 200))
    for entry in (*small, big):
        append(stream, entry, 100, 200)
    assert len(stream.blocks) == 2
    sealed = stream.blocks[0]
    content = bytes_of(sealed)
    reader = stream.range(0, 0, *LAST_OF_ALL, -1, False)
    assert reader is not None
    source = Pieces(reader, False)
    twin = stream.copy()
    for each, late in ((stream, Entry((5, 0), (b"f", b"1"))), (twin, Entry((6, 0), (b"f", b"2")))):
        assert each.delete(4, 0)
        append(each, late, 100, 200)
        assert everything(each) == b"".join(map(resp, [*small, late]))
        trim = Trim()
        trim.by, trim.maxlen = MAXLEN, 2
        trim.apply(each)
        assert everything(each) == resp(small[-1]) + resp(late)
    assert bytes_of(sealed) == content
    assert drained(source) == b"".join(map(resp, [*small, big]))


def test_a_long_trimmed_stream_lets_go_of_its_blocks() -> None:
    stream, entries = filled(1000, node_entries=2)
    trim = Trim()
    trim.by = MAXLEN
    for keep in range(999, 10, -1):
        trim.maxlen = keep
        assert trim.apply(stream) == 1
    assert len(stream.blocks) < 100
    assert everything(stream) == b"".join(map(resp, entries[-11:]))


def test_freeing_in_portions() -> None:
    stream, _ = filled(100, node_entries=2)
    assert stream.free_units() == 50
    blocks = stream.blocks
    assert stream.parts() == [blocks]
    assert stream.parts()[0] is blocks
    stream.groups = {b"g": Group(b"g", 0, 0, 0)}
    stream.groups[b"g"].create_consumer(b"c", 1)
    stream.idmp = Idmp(100, 100)
    stream.idmp.record(b"p", b"i", 1, 1, 1)
    group = stream.groups[b"g"]
    assert stream.free_units() == 50 + group.free_units() + 1
    assert stream.parts() == [blocks, *group.parts(), *stream.idmp.parts()]


def test_memory_usage_grows_with_content() -> None:
    little, _ = filled(10)
    much, _ = filled(1000, value=b"x" * 100)
    assert 0 < little.memory_usage() < much.memory_usage()
    assert much.memory_usage() > 100 * 1000


def test_a_sloppy_request_is_stored_well_formed() -> None:
    stream = Stream()
    request = from_words([b"XADD", b"key", b"*", b"f", b"v"])
    request.buf[len(request.buf) - 2 :] = b"??"
    request.wellformed = False
    stream.append(1, 0, request, 3, 1, 100, 4096)
    assert everything(stream) == resp(Entry((1, 0), (b"f", b"v")))


# --- references of groups ---


def with_group(count: int) -> tuple[Stream, Group]:
    """A stream of single-digit IDs whose group has been delivered 1-0 to 3-0, 1-0 is done."""
    stream, _ = filled(count)
    group = Group(b"g", 3, 0, 3)
    consumer = group.create_consumer(b"c", 0)
    for ms in (2, 3):
        group.pending.add(ms, 0, consumer.number, 0, 1)
    stream.groups = {b"g": group}
    return stream, group


@pytest.mark.parametrize(
    ("references", "kept", "pending"),
    [(KEEPREF, [6], 2), (DELREF, [6], 0), (ACKED, [2, 3, 4, 5, 6], 2)],
)
def test_what_trimming_does_to_pending_entries(
    references: int, kept: list[int], pending: int
) -> None:
    stream, group = with_group(6)
    trim = Trim()
    trim.by, trim.maxlen, trim.references = MAXLEN, 1, references
    assert trim.apply(stream) == 6 - len(kept)
    found = [ms for ms in range(1, 7) if stream.contains(ms, 0)]
    assert found == kept
    assert group.pending.count == pending
    group.check()


@st.composite
def uneven_ids(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Rising IDs whose times stand still, creep and leap: far more blocks than are few."""
    ids, ms, seq = [], draw(st.sampled_from([0, 1, 1_700_000_000_000, MAX - 2**50])), 0
    steps = st.sampled_from([0, 0, 0, 1, 2, 50, 10_000, 2**33, 2**41])
    for step in draw(st.lists(steps, min_size=90, max_size=160)):
        ms, seq = (ms + step, 0) if step else (ms, seq + 1)
        ids.append((ms, seq))
    return ids


@given(uneven_ids(), st.integers(1, 3), st.integers(0, 20), st.data())
@settings(max_examples=60, deadline=None)
def test_an_id_is_located_however_unevenly_the_entries_came(
    ids: list[tuple[int, int]], node_entries: int, dropped: int, data: st.DataObject
) -> None:
    stream = Stream()
    for entry_id in ids:
        append(stream, Entry(entry_id, (b"f", b"v")), node_entries)
    for ms, seq in ids[:dropped]:
        stream.delete(ms, seq)
    ids = ids[dropped:]
    near = [(ms, seq + d) for ms, seq in ids for d in (-1, 0, 1) if seq + d >= 0]
    wanted = st.sampled_from([*near, (0, 0), LAST_OF_ALL]) | st.tuples(
        st.integers(0, MAX), st.integers(0, MAX)
    )
    for ms, seq in data.draw(st.lists(wanted, min_size=20, max_size=40)):
        index, slot = stream.locate(ms, seq)
        behind = [entry_id for entry_id in ids if entry_id >= (ms, seq)]
        if not behind:
            assert (index, slot) == (len(stream.blocks), 0)
        else:
            assert stream.blocks[index].entry_id(slot) == behind[0]
            assert stream.contains(ms, seq) == (behind[0] == (ms, seq))
