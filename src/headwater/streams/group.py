"""A consumer group: its consumers, its position in the stream, its pending entries.

What depends on the stream's entries too (how far behind a group is, what is delivered) is in
lag.py and delivery.py.
"""

from __future__ import annotations

from typing import Any

from headwater.streams.pending import PendingEntries
from headwater.streams.redelivery import Redelivery
from headwater.streams.settings import GroupSettings

UNKNOWN = -1  # entries_read: the number of entries up to the last-delivered ID is not known
NEVER = -1  # active_ms: no entry was ever delivered to the consumer


class Consumer:
    """A member of a group; `number` is the owner of its pending entries there."""

    __slots__ = ("active_ms", "name", "number", "seen_ms")

    def __init__(self, name: bytes, number: int, seen_ms: int) -> None:
        self.name = name
        self.number = number
        self.seen_ms = seen_ms  # when it last asked for anything
        self.active_ms = NEVER  # when it last got an entry


class Group:
    """A consumer group of one stream.

    Guarantees: each consumer is the owner in `pending` that has its number; the sizes of their
    pending entries and the nacked ones add up to all pending entries.
    """

    __slots__ = (
        "by_number",
        "consumers",
        "entries_read",
        "intact_end_ms",
        "intact_end_seq",
        "intact_holes",
        "intact_ms",
        "intact_seq",
        "last_ms",
        "last_seq",
        "name",
        "next_index",
        "next_slot",
        "pending",
        "read_ms",
        "redelivery",
    )

    def __init__(self, name: bytes, last_ms: int, last_seq: int, entries_read: int) -> None:
        self.name = name
        self.last_ms = last_ms  # the last-delivered ID
        self.last_seq = last_seq
        self.entries_read = entries_read
        # Where in the stream's blocks the entry behind the last-delivered one was expected.
        self.next_index = 0
        self.next_slot = 0
        # All pending IDs from the first to below the end had data when there were so many holes.
        self.intact_holes = -1
        self.intact_ms = 0
        self.intact_seq = 0
        self.intact_end_ms = 0
        self.intact_end_seq = 0
        self.pending = PendingEntries()
        self.consumers: dict[bytes, Consumer] = {}
        self.by_number: list[Consumer | None] = [None]
        self.redelivery: Redelivery | None = None  # while the group has settings
        self.read_ms = 0  # when somebody last read from it, as far as is known

    def configure(self, settings: GroupSettings | None) -> None:
        """Give the group these settings, None: all off. Takes a step for each pending entry."""
        self.redelivery = None if settings is None else Redelivery(settings)
        self.pending.set_redelivery(self.redelivery)

    def consumer(self, name: bytes) -> Consumer | None:
        return self.consumers.get(name)

    def create_consumer(self, name: bytes, now_ms: int) -> Consumer:
        """Add a consumer that does not exist yet."""
        number = self.pending.new_owner()
        created = Consumer(name, number, now_ms)
        self.consumers[name] = created
        if number == len(self.by_number):
            self.by_number.append(created)
        else:
            self.by_number[number] = created
        return created

    def delete_consumer(self, name: bytes) -> int:
        """Delete a consumer with its pending entries; return how many those were, or -1.

        -1 tells that there is no such consumer.
        """
        gone = self.consumers.pop(name, None)
        if gone is None:
            return -1
        self.by_number[gone.number] = None
        return self.pending.drop_owner(gone.number)

    def owner_of(self, handle: int) -> Consumer | None:
        """Return who owns a pending entry, None while it is nacked."""
        return self.by_number[self.pending.records.owner(handle)]

    def pending_of(self, consumer: Consumer) -> int:
        """Return how many entries a consumer has pending."""
        return self.pending.count_of(consumer.number)

    def set_position(self, ms: int, seq: int, entries_read: int) -> None:
        """Set the last-delivered ID and the number of entries up to it (or UNKNOWN)."""
        self.last_ms = ms
        self.last_seq = seq
        self.entries_read = entries_read

    def note_intact(self, holes: int, ms: int, seq: int, end_ms: int, end_seq: int) -> None:
        """Note that every pending ID from one to below another has its data.

        That holds while the stream has no more holes (`Stream.holes`), but for what goes at its
        head: what becomes pending later always has its data.
        """
        self.intact_holes = holes
        self.intact_ms = ms
        self.intact_seq = seq
        self.intact_end_ms = end_ms
        self.intact_end_seq = end_seq

    def copy(self) -> Group:
        """Return an independent copy with the same pending entries."""
        twin = Group(self.name, self.last_ms, self.last_seq, self.entries_read)
        twin.pending = self.pending.copy()
        twin.by_number = [None] * len(self.by_number)
        for name, consumer in self.consumers.items():
            copied = Consumer(name, consumer.number, consumer.seen_ms)
            copied.active_ms = consumer.active_ms
            twin.consumers[name] = copied
            twin.by_number[consumer.number] = copied
        twin.read_ms = self.read_ms
        if self.redelivery is not None:
            twin.configure(self.redelivery.settings)
        return twin

    def free_units(self) -> int:
        """How much work it is to free the group, as Value.free_units."""
        return 1 + len(self.consumers) + self.pending.count // 100

    def parts(self) -> list[Any]:
        """What is big about a group that nobody uses any more, as Value.parts."""
        return [*self.pending.parts(), self.by_number, self.consumers]

    def memory_usage(self) -> int:
        """Bytes of memory, objects included by fixed allowances."""
        return 400 + 250 * len(self.consumers) + self.pending.memory_usage()

    def check(self) -> None:
        """Verify every invariant; for tests. Raises AssertionError."""
        self.pending.check()
        assert len(self.by_number) == len(self.pending.owned)
        for number, consumer in enumerate(self.by_number):
            if consumer is None:
                assert self.pending.owned[number] is None
            else:
                assert consumer.number == number
                assert self.consumers[consumer.name] is consumer
        total = self.pending.nacked
        for name, member in self.consumers.items():
            assert member.name == name
            assert self.by_number[member.number] is member
            total += self.pending_of(member)
        assert total == self.pending.count
