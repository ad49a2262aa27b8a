"""Trimming: which entries go, where `~` and LIMIT stop, deletions inside of blocks."""

from __future__ import annotations

import pytest

from headwater.resp.request import from_words
from headwater.streams.group import Group
from headwater.streams.stream import Stream
from headwater.streams.trim import ACKED, DELREF, KEEPREF, MAXLEN, MINID, Trim
from support.embedded import Embedded

NODE = 10


def stream_of(count: int) -> Stream:
    """Entries 1-0 to count-0 in blocks of ten."""
    stream = Stream()
    for ms in range(1, count + 1):
        stream.append(ms, 0, from_words([b"f", b"v"]), 0, 1, NODE, 4096)
    return stream


def trim(
    by: int, value: int, *, about: bool = False, limit: int = 0, references: int = KEEPREF
) -> Trim:
    wanted = Trim()
    wanted.by = by
    if by == MAXLEN:
        wanted.maxlen = value
    else:
        wanted.minid_ms = value
    wanted.approximate = about
    wanted.limit = limit
    wanted.references = references
    return wanted


def kept(stream: Stream) -> list[int]:
    found = []
    for block in stream.blocks[stream.head :]:
        found += [block.entry_id(slot)[0] for slot in range(block.first, block.slots)]
    assert stream.length == len(found)
    return found


@pytest.mark.parametrize(
    ("maxlen", "gone"), [(0, 35), (1, 34), (10, 25), (34, 1), (35, 0), (99, 0)]
)
def test_to_an_exact_length(maxlen: int, gone: int) -> None:
    stream = stream_of(35)
    assert trim(MAXLEN, maxlen).apply(stream) == gone
    assert kept(stream) == list(range(gone + 1, 36))


@pytest.mark.parametrize(
    ("maxlen", "gone"), [(0, 35), (1, 30), (5, 30), (6, 20), (25, 10), (26, 0)]
)
def test_to_about_a_length_takes_whole_blocks_only(maxlen: int, gone: int) -> None:
    stream = stream_of(35)
    assert trim(MAXLEN, maxlen, about=True).apply(stream) == gone
    assert kept(stream) == list(range(gone + 1, 36))


@pytest.mark.parametrize(("minid", "gone"), [(0, 0), (1, 0), (11, 10), (15, 14), (36, 35)])
def test_to_an_id(minid: int, gone: int) -> None:
    stream = stream_of(35)
    assert trim(MINID, minid).apply(stream) == gone
    assert kept(stream) == list(range(gone + 1, 36))


@pytest.mark.parametrize(("minid", "gone"), [(10, 0), (11, 10), (20, 10), (21, 20), (99, 35)])
def test_to_about_an_id(minid: int, gone: int) -> None:
    stream = stream_of(35)
    assert trim(MINID, minid, about=True).apply(stream) == gone


@pytest.mark.parametrize(
    ("limit", "gone"), [(0, 30), (9, 0), (10, 10), (19, 10), (20, 20), (99, 30)]
)
def test_a_limit_counts_whole_blocks(limit: int, gone: int) -> None:
    stream = stream_of(35)
    assert trim(MAXLEN, 2, about=True, limit=limit).apply(stream) == gone


def test_an_id_with_its_sequence() -> None:
    stream = Stream()
    for seq in range(1, 5):
        stream.append(7, seq, from_words([b"f", b"v"]), 0, 1, NODE, 4096)
    wanted = trim(MINID, 7)
    wanted.minid_seq = 3
    assert wanted.apply(stream) == 2
    assert stream.first_id() == (7, 3)


def test_trimming_leaves_no_trace_as_deleting_does() -> None:
    stream = stream_of(15)
    trim(MAXLEN, 2).apply(stream)
    assert (stream.max_deleted_ms, stream.max_deleted_seq) == (0, 0)
    assert (stream.last_ms, stream.entries_added) == (15, 15)


def test_a_block_goes_whole_though_its_last_entry_was_deleted_before() -> None:
    # By the entry it once had, the block reaches up to the ID; of what is left, nothing does.
    stream = stream_of(20)
    stream.delete(10, 0)
    assert trim(MINID, 10).apply(stream) == 9
    assert kept(stream) == list(range(11, 21))
    assert stream.first_id() == (11, 0)


def test_deleted_entries_do_not_count() -> None:
    stream = stream_of(30)
    for ms in (1, 5, 15, 16):
        stream.delete(ms, 0)
    assert trim(MAXLEN, 18, about=True).apply(stream) == 8
    assert kept(stream)[0] == 11
    assert trim(MAXLEN, 17).apply(stream) == 1


def two_groups(stream: Stream) -> tuple[Group, Group]:
    """Group a was delivered all and has 2-0 and 12-0 pending; group b stands at 14-0."""
    first, second = Group(b"a", 99, 0, 0), Group(b"b", 14, 0, 0)
    consumer = first.create_consumer(b"c", 0)
    for ms in (2, 12):
        first.pending.add(ms, 0, consumer.number, 0, 1)
    stream.groups = {b"a": first, b"b": second}
    return first, second


def test_acked_leaves_what_a_group_needs() -> None:
    stream = stream_of(20)
    group, _ = two_groups(stream)
    assert trim(MAXLEN, 0, references=ACKED).apply(stream) == 12
    assert kept(stream) == [2, 12, *range(15, 21)]
    assert group.pending.count == 2


def test_acked_stops_at_the_length() -> None:
    stream = stream_of(20)
    two_groups(stream)
    assert trim(MAXLEN, 15, references=ACKED).apply(stream) == 5
    assert kept(stream) == [2, *range(7, 21)]


def test_delref_takes_pending_entries_along() -> None:
    stream = stream_of(20)
    group, _ = two_groups(stream)
    assert trim(MINID, 12, references=DELREF).apply(stream) == 11
    assert kept(stream) == list(range(12, 21))
    assert group.pending.find(2, 0) == 0
    assert group.pending.find(12, 0) != 0
    group.check()


def test_nothing_asked_for() -> None:
    stream = stream_of(3)
    assert Trim().apply(stream) == 0
    assert kept(stream) == [1, 2, 3]


def test_the_options_of_a_command_hold_on_to_nothing_that_went() -> None:
    world = Embedded()
    world.main.ok("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
    for ms in (1, 2, 3):
        world.main.ok("XADD", "s", f"{ms}-0", "f", "v")
    world.main.ok("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "s", ">")
    world.main.ok("XGROUP", "SETID", "s", "g", "$")
    # The first one is pending: what goes from behind it is told one by one.
    assert world.main.ok("XTRIM", "s", "MAXLEN", 0, "ACKED") == 2
    used = world.main.session.state.stream_options.trim
    assert used is not None
    assert (used.others, used.dropped) == ([], [])
