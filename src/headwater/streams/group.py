"""A consumer group: its consumers, its position in the stream, its pending entries.

What depends on the stream's entries too (how far behind a group is, what is delivered) is in
lag.py and delivery.py.
"""

from __future__ import annotations

from typing import Any

from headwater.streams.due import DueOrder
from headwater.streams.pending import PendingEntries
from headwater.streams.redelivery import Redelivery
from headwater.streams.settings import MAX_MS, GroupSettings

UNKNOWN = -1  # entries_read: the number of entries up to the last-delivered ID is not known
NEVER = -1  # active_ms: no entry was ever delivered to the consumer
_MAX_MS = MAX_MS  # the same as a C number


class Consumer:
    """A member of a group; `number` is the owner of its pending entries there."""

    __slots__ = ("active_ms", "name", "number", "seen_ms", "session", "there_ms")

    def __init__(self, name: bytes, number: int, seen_ms: int) -> None:
        self.name = name
        self.number = number
        self.seen_ms = seen_ms  # when it last asked for anything
        self.active_ms = NEVER  # when it last got an entry
        self.there_ms = 0  # when it was known to be there last though it did not ask
        self.session = 0  # the ID of the session it last asked over, 0: none since the start


class Group:
    """A consumer group of one stream.

    Guarantees: each consumer is the owner in `pending` that has its number; the sizes of their
    pending entries and the nacked ones add up to all pending entries.
    """

    __slots__ = (
        "by_number",
        "consumers",
        "entries_read",
        "idle",
        "intact_end_ms",
        "intact_end_seq",
        "intact_holes",
        "intact_ms",
        "intact_seq",
        "last_ms",
        "last_seq",
        "look_ms",
        "looked",
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
        # When it is to be looked at whether consumers, by number, and the group itself still are
        # in use (commands/lifetimes.py); how far a look at one's pending entries has come.
        self.idle: DueOrder | None = None
        self.look_ms = 0
        self.looked: tuple[int, int, int, int] | None = None

    def configure(self, settings: GroupSettings | None) -> None:
        """Give the group these settings, None: all off. Takes a step for each pending entry."""
        self.redelivery = None if settings is None else Redelivery(settings)
        self.pending.set_redelivery(self.redelivery)
        self._look_at_all()

    def lapse(self, holder: int, limit: int) -> int:
        """Have at most `limit` entries be due that were taken over a connection which has ended.

        Returns how many those are.
        """
        redelivery = self.redelivery
        records = self.pending.records
        done = 0
        while done < limit and redelivery is not None:
            handle = redelivery.held.first(holder)
            if handle == 0:
                break
            redelivery.lapse(handle, records.time(handle), records.count(handle))
            done += 1
        return done

    def lease_all(self, consumer: Consumer) -> None:
        """All that a consumer has pending is the holder's who takes entries now."""
        redelivery = self.redelivery
        records = self.pending.records
        if redelivery is not None:
            n = self.pending_of(consumer)
            for handle in self.pending.owned_from(consumer.number, 0, 0, n):
                redelivery.owned(handle, records.time(handle), records.count(handle))

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
        if self.idle is not None:
            self._look_later(number, now_ms)
        return created

    def _look_at_all(self) -> None:
        """The settings are new: the group and its consumers are to be looked at accordingly."""
        self.idle = None
        self.look_ms = 0
        if self.redelivery is not None and self.redelivery.settings.consumer_ttl_ms != 0:
            self.idle = DueOrder()
            for consumer in self.consumers.values():
                self._look_later(consumer.number, consumer.seen_ms)

    def _look_later(self, number: int, seen_ms: int) -> None:
        """A consumer that was seen then is looked at when it may have been idle for too long."""
        assert self.idle is not None
        assert self.redelivery is not None
        if seen_ms > _MAX_MS:
            seen_ms = _MAX_MS
        self.idle.put(number, seen_ms + self.redelivery.settings.consumer_ttl_ms)

    def delete_consumer(self, name: bytes) -> int:
        """Delete a consumer with its pending entries; return how many those were, or -1.

        -1 tells that there is no such consumer.
        """
        gone = self.consumers.pop(name, None)
        if gone is None:
            return -1
        self.by_number[gone.number] = None
        if self.idle is not None:
            self.idle.remove(gone.number)
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
            twin.redelivery = self._copied_redelivery()
            twin.pending.redelivery = twin.redelivery
            twin._look_at_all()
        return twin

    def _copied_redelivery(self) -> Redelivery:
        """What is held over connections is due in a copy: nobody holds it there."""
        redelivery = self.redelivery
        assert redelivery is not None
        copied = redelivery.copy()
        if redelivery.lanes is not None:
            copied.lanes = redelivery.lanes.copy()
        if redelivery.held.length != 0:
            pending = self.pending
            records = pending.records
            handle = pending.newest_nacked
            handle = pending.oldest if handle == 0 else records.behind(handle)
            while handle != 0:
                if redelivery.holder_of(handle) != 0:
                    copied.lapse(handle, records.time(handle), records.count(handle))
                handle = records.behind(handle)
        return copied

    def free_units(self) -> int:
        """How much work it is to free the group, as Value.free_units."""
        units = 1 + len(self.consumers) + self.pending.count // 100
        if self.redelivery is not None and self.redelivery.lanes is not None:
            units += self.redelivery.lanes.free_units()
        return units

    def parts(self) -> list[Any]:
        """What is big about a group that nobody uses any more, as Value.parts."""
        found = [*self.pending.parts(), self.by_number, self.consumers]
        if self.redelivery is not None and self.redelivery.lanes is not None:
            found.extend(self.redelivery.lanes.parts())
        return found

    def memory_usage(self) -> int:
        """Bytes of memory, objects included by fixed allowances."""
        total = 400 + 250 * len(self.consumers) + self.pending.memory_usage()
        if self.idle is not None:
            total += self.idle.memory_usage()
        if self.redelivery is not None:
            total += self.redelivery.memory_usage()
        return total

    def check(self) -> None:
        """Verify every invariant; for tests. Raises AssertionError."""
        self.pending.check()
        if self.redelivery is not None and self.redelivery.lanes is not None:
            self.redelivery.lanes.check(self.pending)
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
