"""Consumers of a group and the numbers that tie them to their pending entries."""

from __future__ import annotations

from headwater.streams.group import NEVER, UNKNOWN, Group


def group_of_two() -> Group:
    group = Group(b"workers", 5, 1, UNKNOWN)
    ann = group.create_consumer(b"ann", 1000)
    bob = group.create_consumer(b"bob", 1001)
    for seq in range(4):
        group.pending.add(5, seq, ann.number if seq % 2 else bob.number, 1002, 1)
    return group


def test_a_new_consumer_was_seen_and_never_active() -> None:
    group = Group(b"workers", 0, 0, UNKNOWN)
    assert group.consumer(b"ann") is None
    ann = group.create_consumer(b"ann", 1234)
    assert group.consumer(b"ann") is ann
    assert (ann.name, ann.seen_ms, ann.active_ms) == (b"ann", 1234, NEVER)
    assert group.pending_of(ann) == 0
    group.check()


def test_entries_know_their_consumer() -> None:
    group = group_of_two()
    assert group.owner_of(group.pending.find(5, 0)) is group.consumer(b"bob")
    assert group.owner_of(group.pending.find(5, 1)) is group.consumer(b"ann")
    handle = group.pending.find(5, 1)
    group.pending.assign(handle, 0, 0, 1)
    assert group.owner_of(handle) is None
    assert group.pending.nacked == 1
    group.check()


def test_deleting_a_consumer_drops_its_pending_entries() -> None:
    group = group_of_two()
    assert group.delete_consumer(b"ann") == 2
    assert group.delete_consumer(b"ann") == -1
    assert group.pending.count == 2
    group.check()
    # The number is free for the next one, who owns nothing yet.
    cyd = group.create_consumer(b"cyd", 2000)
    assert group.pending_of(cyd) == 0
    assert len(group.by_number) == 3
    group.check()


def test_position() -> None:
    group = group_of_two()
    group.set_position(2**64 - 1, 2**64 - 1, 77)
    assert (group.last_ms, group.last_seq, group.entries_read) == (2**64 - 1, 2**64 - 1, 77)


def test_a_copy_is_independent() -> None:
    group = group_of_two()
    ann = group.consumer(b"ann")
    assert ann is not None
    ann.active_ms = 1500
    group.delete_consumer(b"bob")
    twin = group.copy()
    twin.check()
    twin_ann = twin.consumer(b"ann")
    assert twin_ann is not None
    assert (twin_ann.seen_ms, twin_ann.active_ms) == (1000, 1500)
    assert (twin.name, twin.last_ms, twin.last_seq) == (b"workers", 5, 1)
    assert twin.pending.acknowledge(5, 1)
    assert group.pending.find(5, 1) != 0
    twin.create_consumer(b"dan", 1)
    assert group.consumer(b"dan") is None
    twin.check()
    group.check()
