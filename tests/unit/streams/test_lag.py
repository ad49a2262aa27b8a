"""How far a group is: whenever a lag is told, it is the number of entries it has still to read."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.resp.reply import Reply
from headwater.resp.request import from_words
from headwater.streams.delivery import deliver
from headwater.streams.group import UNKNOWN, Group
from headwater.streams.lag import entries_read_at, lag_of
from headwater.streams.stream import Stream

ENTRY = from_words([b"XADD", b"s", b"*", b"f", b"v"])


def stream_of(n: int) -> Stream:
    stream = Stream()
    for i in range(1, n + 1):
        stream.append(i, 0, ENTRY, 3, 1, 100, 4096)
    return stream


def ids_of(stream: Stream) -> list[int]:
    return [ms for ms in range(1, stream.last_ms + 1) if stream.contains(ms, 0)]


def trim(stream: Stream, n: int) -> None:
    for ms in ids_of(stream)[:n]:
        stream.take_out(ms, 0)


def read(stream: Stream, group: Group, n: int) -> None:
    deliver(stream, group, group.consumers[b"c"], 1, n, -1, False, Reply())


def group_at(ms: int, entries_read: int = UNKNOWN) -> Group:
    group = Group(b"g", ms, 0, entries_read)
    group.create_consumer(b"c", 1)
    return group


def test_of_an_untouched_stream() -> None:
    stream = stream_of(10)
    assert lag_of(stream, group_at(0)) == 10
    assert lag_of(stream, group_at(10)) == 0
    assert lag_of(stream, group_at(4)) == UNKNOWN
    assert lag_of(stream, group_at(4, 4)) == 6
    assert lag_of(Stream(), group_at(0)) == 0
    assert [entries_read_at(stream, ms, 0) for ms in (0, 1, 2, 10, 11)] == [
        *(0, 1, UNKNOWN, 10, UNKNOWN)
    ]


def test_reading_counts() -> None:
    stream = stream_of(10)
    group = group_at(0)
    read(stream, group, 3)
    assert (group.entries_read, lag_of(stream, group)) == (3, 7)
    trim(stream, 5)
    assert lag_of(stream, group) == 5
    read(stream, group, 1)
    assert (group.last_ms, group.entries_read, lag_of(stream, group)) == (6, 6, 4)


def test_a_hole_ahead_makes_it_unknown_until_it_is_passed() -> None:
    stream = stream_of(10)
    group = group_at(0)
    read(stream, group, 3)
    stream.delete(7, 0)
    assert lag_of(stream, group) == UNKNOWN
    read(stream, group, 4)
    assert (group.last_ms, lag_of(stream, group)) == (8, UNKNOWN)
    read(stream, group, 100)
    assert (group.entries_read, lag_of(stream, group)) == (10, 0)


def test_a_hole_behind_does_not_matter() -> None:
    stream = stream_of(10)
    group = group_at(0)
    read(stream, group, 5)
    stream.delete(2, 0)
    assert lag_of(stream, group) == 5


def test_an_emptied_stream_has_no_lag() -> None:
    stream = stream_of(3)
    group = group_at(0)
    trim(stream, 3)
    assert lag_of(stream, group) == 0
    assert entries_read_at(stream, 2, 0) == 3


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 4)),
        st.tuples(st.just("read"), st.integers(1, 4)),
        st.tuples(st.just("delete"), st.integers(1, 30)),
        st.tuples(st.just("trim"), st.integers(1, 4)),
    ),
    max_size=40,
)


@settings(max_examples=200)
@given(STEPS)
def test_a_lag_that_is_told_is_true(steps: list[tuple[str, int]]) -> None:
    stream = Stream()
    group = group_at(0)
    for what, n in steps:
        if what == "add":
            for _ in range(n):
                stream.append(stream.last_ms + 1, 0, ENTRY, 3, 1, 100, 4096)
        elif what == "read":
            read(stream, group, n)
        elif what == "delete":
            stream.delete(n, 0)
        else:
            trim(stream, n)
        left = sum(ms > group.last_ms for ms in ids_of(stream))
        assert lag_of(stream, group) in (left, UNKNOWN)
