"""What groups hold of an entry."""

from __future__ import annotations

from headwater.streams.group import UNKNOWN, Group
from headwater.streams.references import drop_references, is_acknowledged
from headwater.streams.stream import Stream


def group_at(ms: int, *pending: int) -> Group:
    group = Group(b"g", ms, 5, UNKNOWN)
    owner = group.create_consumer(b"c", 1).number
    for pending_ms in pending:
        group.pending.add(pending_ms, 5, owner, 1, 1)
    return group


def stream_with(*groups: Group) -> Stream:
    stream = Stream()
    stream.groups = {b"%d" % i: group for i, group in enumerate(groups)}
    return stream


def test_without_groups_everything_is_acknowledged() -> None:
    assert is_acknowledged(Stream(), 1, 0)
    assert is_acknowledged(stream_with(), 1, 0)
    assert drop_references(Stream(), 1, 0) == 0


def test_every_group_must_have_been_there() -> None:
    stream = stream_with(group_at(9), group_at(7))
    assert is_acknowledged(stream, 7, 5)
    assert not is_acknowledged(stream, 7, 6)
    assert not is_acknowledged(stream, 8, 0)


def test_pending_in_one_is_enough_to_hold() -> None:
    stream = stream_with(group_at(9), group_at(9, 3), group_at(9, 3, 4))
    assert not is_acknowledged(stream, 3, 5)
    assert is_acknowledged(stream, 3, 4)
    assert drop_references(stream, 3, 5) == 2
    assert is_acknowledged(stream, 3, 5)
    assert not is_acknowledged(stream, 4, 5)
    assert drop_references(stream, 3, 5) == 0
