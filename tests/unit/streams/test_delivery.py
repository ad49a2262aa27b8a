"""What a consumer is sent: new entries, its history, what it claims, and the limits on them."""

from __future__ import annotations

import random
from typing import Any

import pytest

from headwater.resp.reply import Reply
from headwater.resp.request import from_words
from headwater.streams.delivery import (
    MAX_COUNT,
    EntryFinder,
    claimable_at,
    deliver,
    deliver_claiming,
    deliver_history,
    one_more,
)
from headwater.streams.group import NEVER, UNKNOWN, Consumer, Group
from headwater.streams.range import ATTACH_BYTES
from headwater.streams.stream import Stream
from support.embedded import replies_of
from support.wire import plain

NOW = 1_000_000
ENTRY_BYTES = len(b"*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n")
NEW_CLAIM_BYTES = len(b":0\r\n:0\r\n")


def append(stream: Stream, ms: int, seq: int, value: bytes = b"v") -> None:
    stream.append(ms, seq, from_words([b"XADD", b"s", b"*", b"f", value]), 3, 1, 100, 4096)


def stream_of(n: int) -> Stream:
    """A stream of 1-0 to n-0."""
    stream = Stream()
    for i in range(1, n + 1):
        append(stream, i, 0)
    return stream


class Reading:
    """A stream, a group at its beginning, a consumer, and what was read last."""

    def __init__(self, n: int) -> None:
        self.stream = stream_of(n)
        self.group = Group(b"g", 0, 0, 0)
        self.ann = self.group.create_consumer(b"ann", 1)
        self.bob = self.group.create_consumer(b"bob", 1)
        self.count = 0
        self.bytes = 0

    def read(
        self,
        consumer: Consumer,
        now_ms: int = NOW,
        count: int = -1,
        max_bytes: int = -1,
        min_idle_ms: int | None = None,
        noack: bool = False,
    ) -> list[Any]:
        reply = Reply()
        if min_idle_ms is None:
            self.count, self.bytes = deliver(
                self.stream, self.group, consumer, now_ms, count, max_bytes, noack, reply
            )
        else:
            self.count, self.bytes = deliver_claiming(
                self.stream,
                self.group,
                consumer,
                now_ms,
                count,
                max_bytes,
                min_idle_ms,
                noack,
                reply,
                [],
            )
        return self.entries(reply)

    def history(
        self, consumer: Consumer, ms: int, now_ms: int = NOW, count: int = -1, max_bytes: int = -1
    ) -> list[Any]:
        reply = Reply()
        self.count, self.bytes = deliver_history(
            self.stream, self.group, consumer, ms, 0, now_ms, count, max_bytes, reply
        )
        return self.entries(reply)

    def entries(self, reply: Reply) -> list[Any]:
        data = b"".join(
            part if isinstance(part, bytes) else part.read(1 << 30) for part in reply.take_parts()
        )
        if not data:
            assert (self.count, self.bytes) == (0, 0)
            return []
        (entries,) = [plain(found) for found in replies_of(data)]
        assert len(entries) == self.count
        self.group.check()
        return entries

    def pending(self) -> list[tuple[int, bytes | None, int, int]]:
        """ms of the ID, consumer, time, count of each pending entry."""
        records = self.group.pending.records
        found = []
        for handle in self.group.pending.handles_from(0, 0, 10**6):
            owner = self.group.owner_of(handle)
            found.append(
                (
                    records.ms(handle),
                    owner.name if owner else None,
                    records.time(handle),
                    records.count(handle),
                )
            )
        return found


def ms_of(entries: list[Any]) -> list[int]:
    return [int(entry[0].split(b"-")[0]) for entry in entries]


# --- new entries ---


def test_new_entries_become_pending() -> None:
    reading = Reading(3)
    assert reading.read(reading.ann, count=2) == [
        [b"1-0", [b"f", b"v"]],
        [b"2-0", [b"f", b"v"]],
    ]
    assert reading.bytes == 2 * ENTRY_BYTES
    assert reading.pending() == [(1, b"ann", NOW, 1), (2, b"ann", NOW, 1)]
    assert (reading.group.last_ms, reading.group.entries_read) == (2, 2)
    assert reading.ann.active_ms == NOW
    assert reading.bob.active_ms == NEVER
    assert ms_of(reading.read(reading.bob)) == [3]
    assert reading.read(reading.bob) == []


def test_noack_leaves_nothing_pending() -> None:
    reading = Reading(3)
    assert ms_of(reading.read(reading.ann, noack=True)) == [1, 2, 3]
    assert reading.pending() == []
    assert (reading.group.last_ms, reading.group.entries_read) == (3, 3)
    assert reading.ann.active_ms == NEVER


def test_what_was_pending_is_delivered_anew_after_the_group_went_back() -> None:
    reading = Reading(4)
    reading.read(reading.ann)
    reading.history(reading.ann, 0)
    reading.group.set_position(1, 0, UNKNOWN)
    assert ms_of(reading.read(reading.bob, NOW + 5, count=2)) == [2, 3]
    assert reading.pending() == [
        (1, b"ann", NOW, 2),
        (2, b"bob", NOW + 5, 1),
        (3, b"bob", NOW + 5, 1),
        (4, b"ann", NOW, 2),
    ]


def test_a_group_ahead_of_its_stream_gets_nothing() -> None:
    reading = Reading(3)
    reading.group.set_position(2**64 - 1, 2**64 - 1, UNKNOWN)
    assert reading.read(reading.ann) == []
    assert Reading(0).read(reading.ann) == []


@pytest.mark.parametrize(
    ("max_bytes", "read"),
    [
        (0, 1),
        (1, 1),
        (ENTRY_BYTES, 1),
        (ENTRY_BYTES + 1, 2),
        (3 * ENTRY_BYTES, 3),
        (3 * ENTRY_BYTES + 1, 4),
        (10**6, 9),
    ],
)
def test_the_limit_of_bytes(max_bytes: int, read: int) -> None:
    reading = Reading(9)
    assert len(reading.read(reading.ann, max_bytes=max_bytes)) == read
    assert reading.group.pending.count == read
    reading.group.set_position(0, 0, 0)
    assert len(reading.read(reading.ann, count=2, max_bytes=max_bytes)) == min(read, 2)
    assert reading.group.last_ms == min(read, 2)


def test_a_big_delivery_is_sent_from_the_blocks() -> None:
    reading = Reading(0)
    for i in range(1, 301):
        append(reading.stream, i, 0, b"x" * (ATTACH_BYTES // 100))
    entries = reading.read(reading.ann)
    assert ms_of(entries) == list(range(1, 301))
    assert reading.group.pending.count == 300


# --- history ---


def test_history_is_the_consumers_own() -> None:
    reading = Reading(6)
    reading.read(reading.ann, count=2)
    reading.read(reading.bob, count=2)
    reading.read(reading.ann)
    assert ms_of(reading.history(reading.ann, 1, NOW + 9, count=2)) == [2, 5]
    assert reading.bytes == 2 * ENTRY_BYTES
    assert [entry for entry in reading.pending() if entry[1] == b"ann"] == [
        (1, b"ann", NOW, 1),
        (2, b"ann", NOW + 9, 2),
        (5, b"ann", NOW + 9, 2),
        (6, b"ann", NOW, 1),
    ]
    assert reading.history(reading.bob, 4) == []
    assert reading.history(reading.bob, 0, count=0) == []


def test_history_shows_the_deleted_as_null_and_lets_them_be() -> None:
    reading = Reading(3)
    reading.read(reading.ann)
    reading.stream.delete(2, 0)
    assert reading.history(reading.ann, 0, NOW + 9) == [
        [b"1-0", [b"f", b"v"]],
        [b"2-0", None],
        [b"3-0", [b"f", b"v"]],
    ]
    assert reading.pending()[1] == (2, b"ann", NOW, 1)


def test_the_limit_of_bytes_in_history() -> None:
    reading = Reading(5)
    reading.read(reading.ann)
    reading.stream.delete(1, 0)
    assert ms_of(reading.history(reading.ann, 0, max_bytes=0)) == [1]
    assert ms_of(reading.history(reading.ann, 1, max_bytes=ENTRY_BYTES)) == [2]
    assert ms_of(reading.history(reading.ann, 1, NOW + 1, max_bytes=ENTRY_BYTES + 1)) == [2, 3]
    assert [entry[3] for entry in reading.pending()] == [1, 3, 2, 1, 1]


def test_history_behind_the_last_id_there_is() -> None:
    reading = Reading(2)
    reply = Reply()
    top = 2**64 - 1
    assert deliver_history(
        reading.stream, reading.group, reading.ann, top, top, NOW, -1, -1, reply
    ) == (0, 0)
    assert reply.take() == b"*0\r\n"


# --- CLAIM ---


def test_claim_takes_the_longest_idle_first_then_new_ones() -> None:
    reading = Reading(6)
    reading.read(reading.ann, NOW, count=2)
    reading.read(reading.ann, NOW - 500, count=1)
    reading.read(reading.ann, NOW + 900, count=1)
    entries = reading.read(reading.bob, NOW + 1000, min_idle_ms=500)
    assert entries == [
        [b"3-0", [b"f", b"v"], 1500, 1],
        [b"1-0", [b"f", b"v"], 1000, 1],
        [b"2-0", [b"f", b"v"], 1000, 1],
        [b"5-0", [b"f", b"v"], 0, 0],
        [b"6-0", [b"f", b"v"], 0, 0],
    ]
    assert reading.pending() == [
        (1, b"bob", NOW + 1000, 2),
        (2, b"bob", NOW + 1000, 2),
        (3, b"bob", NOW + 1000, 2),
        (4, b"ann", NOW + 900, 1),
        (5, b"bob", NOW + 1000, 1),
        (6, b"bob", NOW + 1000, 1),
    ]


@pytest.mark.parametrize(("count", "read"), [(1, [1]), (3, [1, 2, 3]), (4, [1, 2, 3, 4])])
def test_count_is_for_claimed_and_new_together(count: int, read: list[int]) -> None:
    reading = Reading(6)
    reading.read(reading.ann, count=3)
    assert ms_of(reading.read(reading.bob, NOW + 1, count=count, min_idle_ms=1)) == read
    assert reading.group.last_ms == max(3, len(read))


def test_claim_of_what_is_the_consumers_own_ends() -> None:
    reading = Reading(3)
    reading.read(reading.ann)
    for count in (1, 2, 3):
        entries = reading.read(reading.ann, NOW, min_idle_ms=0)
        assert [entry[2:] for entry in entries] == [[0, count]] * 3


def test_noack_is_for_new_entries_only() -> None:
    reading = Reading(3)
    reading.read(reading.ann, count=1)
    assert ms_of(reading.read(reading.bob, NOW, min_idle_ms=0, noack=True)) == [1, 2, 3]
    assert reading.pending() == [(1, b"bob", NOW, 2)]


def test_claim_passes_over_the_deleted() -> None:
    reading = Reading(4)
    reading.read(reading.ann)
    reading.stream.delete(1, 0)
    reading.stream.delete(3, 0)
    assert ms_of(reading.read(reading.bob, NOW + 1, count=2, min_idle_ms=1)) == [2, 4]
    assert [entry[:2] for entry in reading.pending()] == [
        (1, b"ann"),
        (2, b"bob"),
        (3, b"ann"),
        (4, b"bob"),
    ]


def test_nothing_to_claim_and_nothing_new() -> None:
    reading = Reading(2)
    assert Reading(0).read(reading.ann, min_idle_ms=0) == []
    reading.read(reading.ann)
    assert reading.read(reading.bob, NOW + 9, min_idle_ms=10) == []
    assert reading.read(reading.bob, NOW + 9, min_idle_ms=2**63 - 1) == []
    assert reading.bob.active_ms == NEVER


def test_the_limit_of_bytes_with_claim() -> None:
    reading = Reading(4)
    one = ENTRY_BYTES + NEW_CLAIM_BYTES
    assert ms_of(reading.read(reading.ann, max_bytes=one + 1, min_idle_ms=0)) == [1, 2]
    # Idle for 1 ms: the two numbers are as long as those of a new entry.
    assert ms_of(reading.read(reading.bob, NOW + 1, max_bytes=0, min_idle_ms=0)) == [1]
    assert ms_of(reading.read(reading.bob, NOW + 1, max_bytes=2 * one, min_idle_ms=0)) == [2, 1]
    entries = reading.read(reading.bob, NOW + 1, max_bytes=2 * one + 1, min_idle_ms=0)
    assert ms_of(entries) == [2, 1, 3]
    assert reading.bytes == 3 * one


def test_when_there_will_be_something_to_claim() -> None:
    reading = Reading(3)
    assert claimable_at(reading.stream, reading.group, 50) == -1
    reading.read(reading.ann, NOW, count=2)
    reading.read(reading.ann, NOW + 7)
    assert claimable_at(reading.stream, reading.group, 50) == NOW + 50
    assert claimable_at(reading.stream, reading.group, 2**63 - 1) == 2**63 - 1
    reading.stream.delete(1, 0)
    reading.stream.delete(2, 0)
    assert claimable_at(reading.stream, reading.group, 50) == NOW + 57
    reading.stream.delete(3, 0)
    assert claimable_at(reading.stream, reading.group, 50) == -1


def test_a_count_stays_at_its_highest() -> None:
    assert one_more(0) == 1
    assert one_more(MAX_COUNT - 1) == MAX_COUNT
    assert one_more(MAX_COUNT) == MAX_COUNT


# --- finding ---


def test_entries_are_found_in_any_order() -> None:
    stream = Stream()
    ids = [(ms, seq) for ms in range(1, 120) for seq in range(3)]
    for ms, seq in ids:
        append(stream, ms, seq, b"%d" % (ms * seq))
    rng = random.Random(3)
    for ms, seq in rng.sample(ids, 100):
        stream.delete(ms, seq)
        ids.remove((ms, seq))
    finder = EntryFinder(stream)
    order = ids + rng.sample(ids, len(ids)) + ids[::-1]
    for ms, seq in order:
        assert finder.find(ms, seq)
        reply = Reply()
        finder.write(reply)
        assert replies_of(reply.take()) == [
            (
                "*",
                [
                    ("$", b"%d-%d" % (ms, seq)),
                    ("*", [("$", b"f"), ("$", b"%d" % (ms * seq))]),
                ],
            )
        ]
        assert not finder.find(ms, seq + 3)
    assert not finder.find(2**64 - 1, 0)
    assert not EntryFinder(Stream()).find(1, 0)
