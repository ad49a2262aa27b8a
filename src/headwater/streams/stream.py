"""The stream: entries in blocks, what it remembers of its past, its groups.

No clock and no sockets: every time and every ID is an argument. IDs only grow (invariant 3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater.resp.reply import Reply
from headwater.resp.request import Request
from headwater.streams.block import Block
from headwater.streams.counts import BlockCounts
from headwater.streams.ids import next_id
from headwater.streams.range import Range
from headwater.value import UNIT_SHIFT, Value

if TYPE_CHECKING:
    from headwater.streams.group import Group
    from headwater.streams.idmp import Idmp
    from headwater.streams.schedule import Schedule

BLOCK_MAX_BYTES = 4 * 1024 * 1024
"""A block of several entries ends here at the latest, whatever the configuration says: deleting
from the middle copies a block, and an offset in it has 32 bits."""

_BLOCK_MAX_BYTES = BLOCK_MAX_BYTES  # the same as a C number
_ADDED_MAX = 2**63 - 1  # entries_added stays at this: journal and snapshots hold no more
_LISTPACK_MAX_BYTES = 1 << 30
_COMPACT_AT = 64
_FEW_BLOCKS = 64
_EVEN_MAX_MS = 2**40  # so that no product with a number of blocks needs more than 64 bits
_GONE = Block(0)


class Stream(Value):
    """A stream. `blocks[:head]` is emptied by trimming and waits for a cheap moment to go.

    packing: who is told of sealed blocks (see packing.py), None while no database has the stream.
    """

    __slots__ = (
        "blocks",
        "counts",
        "entries_added",
        "entry_bytes",
        "groups",
        "head",
        "holes",
        "idmp",
        "last_ms",
        "last_seq",
        "length",
        "max_deleted_ms",
        "max_deleted_seq",
        "ordered",
        "packing",
        "plan",
        "retention",
        "schedule",
        "schema",
    )

    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[Block] = []
        self.head = 0
        self.holes = 0  # how often an entry was taken out from behind others
        self.length = 0
        self.last_ms = 0
        self.last_seq = 0
        self.max_deleted_ms = 0
        self.max_deleted_seq = 0
        self.entries_added = 0
        self.groups: dict[bytes, Group] | None = None
        self.idmp: Idmp | None = None
        self.packing: Any = None
        self.ordered = False  # whether a group may have lanes (lanes.py)
        self.plan: Any = None  # keyspace/calendar.py
        self.entry_bytes = 0  # of all entries, as they are stored
        self.counts: BlockCounts | None = None  # once somebody asked what is behind an ID
        self.retention: Any = None  # retention.py
        self.schedule: Schedule | None = None  # schedule.py
        self.schema: Any = None  # schemas/versions.py

    def has_settings(self) -> bool:
        """Whether something is to be kept up for it by the server, or beside Redis's format."""
        if self.retention is not None or self.schedule is not None or self.schema is not None:
            return True
        if self.groups is not None:
            for group in self.groups.values():
                if group.redelivery is not None:
                    return True
        return False

    # --- Value ---

    def type_name(self) -> bytes:
        return b"stream"

    def encoding(self) -> bytes:
        return b"stream"

    def memory_usage(self) -> int:
        """Bytes of memory, objects included by fixed allowances."""
        total = 200 + 8 * len(self.blocks)
        for i in range(self.head, len(self.blocks)):
            block = self.blocks[i]
            total += block.memory_bytes()
        if self.groups is not None:
            for group in self.groups.values():
                total += group.memory_usage()
        if self.idmp is not None:
            total += self.idmp.memory_usage()
        if self.schedule is not None:
            total += self.schedule.memory_usage()
        if self.schema is not None:
            total += self.schema.memory_usage()
        if self.counts is not None:
            total += self.counts.memory_usage()
        return total

    def free_units(self) -> int:
        units = len(self.blocks) - self.head
        if units <= _FEW_BLOCKS:
            for i in range(self.head, len(self.blocks)):
                block = self.blocks[i]
                units += block.capacity >> UNIT_SHIFT
        if self.groups is not None:
            for group in self.groups.values():
                units += group.free_units()
        if self.idmp is not None:
            units += self.idmp.count
        if self.schedule is not None:
            units += self.schedule.free_units()
        if self.schema is not None:
            units += self.schema.memory_usage() >> UNIT_SHIFT
        return units

    def parts(self) -> list[Any]:
        found: list[Any] = [self.blocks]
        if self.groups is not None:
            for group in self.groups.values():
                found.extend(group.parts())
        if self.idmp is not None:
            found.extend(self.idmp.parts())
        if self.schedule is not None:
            found.extend(self.schedule.parts())
        if self.schema is not None:
            found.append(self.schema.versions)
        return found

    def copy(self) -> Stream:
        """A stream of its own with the same content; sealed blocks are shared."""
        other = Stream()
        n = len(self.blocks)
        for i in range(self.head, n):
            block = self.blocks[i]
            other.blocks.append(block.own() if i == n - 1 else block)
        other.length = self.length
        other.last_ms = self.last_ms
        other.last_seq = self.last_seq
        other.max_deleted_ms = self.max_deleted_ms
        other.max_deleted_seq = self.max_deleted_seq
        other.entries_added = self.entries_added
        other.entry_bytes = self.entry_bytes
        other.ordered = self.ordered
        if self.retention is not None:
            other.retention = self.retention.copy()
        if self.groups is not None:
            other.groups = {name: group.copy() for name, group in self.groups.items()}
        if self.idmp is not None:
            other.idmp = self.idmp.copy()
        if self.schedule is not None:
            other.schedule = self.schedule.copy()
        if self.schema is not None:
            other.schema = self.schema.copy()
        return other

    # --- entries ---

    def first_id(self) -> tuple[int, int]:
        """The lowest ID, or 0-0 of an empty stream."""
        if self.length == 0:
            return 0, 0
        block = self.blocks[self.head]
        return block.entry_id(block.first)

    def append(
        self,
        ms: int,
        seq: int,
        request: Request,
        arg: int,
        fields: int,
        node_max_entries: int,
        node_max_bytes: int,
    ) -> None:
        """Append an entry whose fields and values are the arguments from `arg` on.

        The ID must be above the last one. The limits are `stream-node-max-entries` and
        `stream-node-max-bytes`; 0 is none.
        """
        if not request.wellformed:
            request.set_words(request.words())
        payload = 0
        for i in range(arg, arg + 2 * fields):
            payload += request.length(i)
        n = len(self.blocks)
        block = last = None
        capacity = payload + 14 * fields + 56
        if n > self.head:
            last = self.blocks[n - 1]
            if node_max_bytes == 0 or node_max_bytes > _LISTPACK_MAX_BYTES:
                node_max_bytes = _LISTPACK_MAX_BYTES
            held = last.slots - last.first + last.dead
            if (
                last.listpack_bytes() + payload >= node_max_bytes
                or (node_max_entries > 0 and held >= node_max_entries)
                or last.used + capacity > _BLOCK_MAX_BYTES
            ):
                last.seal()
                if self.packing is not None:
                    self.packing.sealed(self)
                capacity += min(last.used, _BLOCK_MAX_BYTES)
            else:
                if last.sealed:
                    # The blocks behind it are gone, but a reply or a copy may hold this one.
                    last = last.own()
                    self.blocks[n - 1] = last
                block = last
        if block is None:
            block = Block(capacity)
            if last is not None:
                block.follow(last)
                if self.counts is not None:
                    self.counts.add(last.live())
            self.blocks.append(block)
        used = block.used
        block.append(ms, seq, request, arg, fields)
        self.entry_bytes += block.used - used
        self.length += 1
        if self.entries_added < _ADDED_MAX:
            self.entries_added += 1
        self.last_ms = ms
        self.last_seq = seq

    def write_last_id(self, reply: Reply) -> None:
        """Write the last ID, of an entry that is there, as a bulk string."""
        block = self.blocks[len(self.blocks) - 1]
        block.write_id(block.slots - 1, reply)

    def set_last_id(self, ms: int, seq: int) -> None:
        """Set the last-generated ID, not below the last entry's.

        When it goes back, new entries get IDs that are pending without data, or come before
        such: what groups know of which pending entries have data is void then.
        """
        if (ms < self.last_ms or (ms == self.last_ms and seq < self.last_seq)) and self.groups:
            self.holes += 1
            for group in self.groups.values():
                group.pending.passed = 0
        self.last_ms = ms
        self.last_seq = seq

    def add_block(self, block: Block) -> None:
        """Append a whole block, for loading: at least one entry, all IDs above the last one."""
        n = len(self.blocks)
        if n > self.head:
            last = self.blocks[n - 1]
            last.seal()
            if self.packing is not None:
                self.packing.sealed(self)
            if self.counts is not None:
                self.counts.add(last.live())
        self.blocks.append(block)
        self.length += block.live()
        self.entry_bytes += block.live_bytes()
        self.last_ms = block.last_ms
        self.last_seq = block.last_seq

    def locate(self, ms: int, seq: int) -> tuple[int, int]:
        """Where the first entry at or above an ID is: (index in `blocks`, slot).

        Behind the last entry it is (len(blocks), 0).
        """
        low, high = self.head, len(self.blocks)
        if high - low > _FEW_BLOCKS:
            # Mostly entries come evenly: look where this one should be, then around it in ever
            # longer steps. Each block that is looked at costs a miss of the cache.
            guess = self._guess(ms)
            step = 1
            if self._ends_before(guess, ms, seq):
                low = guess + 1
                while guess + step < high and self._ends_before(guess + step, ms, seq):
                    low = guess + step + 1
                    step *= 2
                if guess + step < high:
                    high = guess + step
            else:
                high = guess
                while guess - step >= low and not self._ends_before(guess - step, ms, seq):
                    high = guess - step
                    step *= 2
                if guess - step >= low:
                    low = guess - step + 1
        while low < high:
            middle = (low + high) // 2
            if self._ends_before(middle, ms, seq):
                low = middle + 1
            else:
                high = middle
        if low == len(self.blocks):
            return low, 0
        block = self.blocks[low]
        return low, block.find(ms, seq)

    def _ends_before(self, index: int, ms: int, seq: int) -> bool:
        """Whether all IDs of a block are below this one."""
        block = self.blocks[index]
        return block.last_ms < ms or (block.last_ms == ms and block.last_seq < seq)

    def _guess(self, ms: int) -> int:
        """The index of the block where an ID of this time is if time passes evenly over blocks."""
        n = len(self.blocks) - self.head
        block = self.blocks[self.head]
        first_ms = block.last_ms
        if ms <= first_ms:
            return self.head
        if ms >= self.last_ms:
            return self.head + n - 1
        span = self.last_ms - first_ms
        if span >= _EVEN_MAX_MS:
            return self.head + n // 2
        return self.head + (ms - first_ms) * (n - 1) // span

    def contains(self, ms: int, seq: int) -> bool:
        """Tell whether there is an entry of this ID."""
        index, slot = self.locate(ms, seq)
        if index == len(self.blocks):
            return False
        block = self.blocks[index]
        m, s = block.entry_id(slot)
        return m == ms and s == seq

    def behind(self, ms: int, seq: int) -> int:
        """How many entries have an ID above this one.

        In O(log n); the first time it may take a step for each block.
        """
        if self.length == 0 or (ms > self.last_ms or (ms == self.last_ms and seq >= self.last_seq)):
            return 0
        _, ms, seq = next_id(ms, seq)
        index, slot = self.locate(ms, seq)
        if index == len(self.blocks):
            return 0
        block = self.blocks[index]
        return self.length - self._before(index) - (slot - block.first)

    def _before(self, index: int) -> int:
        """How many entries are in the blocks before this one."""
        last = len(self.blocks) - 1
        if self.counts is None:
            if last - self.head > _FEW_BLOCKS:
                self.counts = BlockCounts()
                for i in range(self.head, last):
                    block = self.blocks[i]
                    self.counts.add(block.live())
            else:
                entries = 0
                for i in range(self.head, index):
                    block = self.blocks[i]
                    entries += block.live()
                return entries
        return self.counts.before(index - self.head)

    def range(
        self, ms1: int, seq1: int, ms2: int, seq2: int, limit: int, reverse: bool
    ) -> Range | None:
        """The entries from the first ID to the second, both included; None when there are none.

        `limit` (-1: none) counts from the low end, or from the high end when `reverse`.
        """
        n = len(self.blocks)
        if self.length == 0 or limit == 0 or ms1 > ms2 or (ms1 == ms2 and seq1 > seq2):
            return None
        index1, slot1 = self.locate(ms1, seq1)
        if index1 == n:
            return None
        if ms2 > self.last_ms or (ms2 == self.last_ms and seq2 >= self.last_seq):
            index2 = n - 1
            block = self.blocks[index2]
            slot2 = block.slots
        else:
            index2, slot2 = self.locate(ms2, seq2)
            if index2 == n:
                index2 = n - 1
                block = self.blocks[index2]
                slot2 = block.slots
            else:
                block = self.blocks[index2]
                m, s = block.entry_id(slot2)
                if m == ms2 and s == seq2:
                    slot2 += 1
        if index1 == index2:
            if slot1 >= slot2:
                return None
        elif index1 > index2:
            return None
        found = Range(self.blocks, index1, slot1, index2, slot2)
        found.keep(limit, reverse)
        return found

    def delete(self, ms: int, seq: int) -> bool:
        """Delete the entry of this ID; False when there is none. Groups are left alone."""
        if not self.take_out(ms, seq):
            return False
        if ms > self.max_deleted_ms or (ms == self.max_deleted_ms and seq > self.max_deleted_seq):
            self.max_deleted_ms = ms
            self.max_deleted_seq = seq
        return True

    def take_out(self, ms: int, seq: int) -> bool:
        """Delete the entry of this ID as trimming does: the max deleted ID stays as it is."""
        index, slot = self.locate(ms, seq)
        if index == len(self.blocks):
            return False
        block = self.blocks[index]
        m, s = block.entry_id(slot)
        if m != ms or s != seq:
            return False
        if self.ordered:
            self._hold_no_more(ms, seq, ms, seq)
        if index != self.head or slot != block.first:
            self.holes += 1
        if block.live() == 1:
            self.drop_block(index)
            return True
        if slot == block.first:
            self._drop_first(index, 1)
        else:
            self.entry_bytes -= block.offset(slot + 1) - block.offset(slot)
            block = block.without(slot)
            self.blocks[index] = block
            if self.packing is not None and block.sealed:
                self.packing.rewritten(self, block.last_ms, block.last_seq)
            self._count_less(index, 1)
        self.length -= 1
        return True

    def drop_block(self, index: int) -> None:
        """Take a whole block out."""
        if self.ordered:
            self._lose_blocks(index, 1)
        block = self.blocks[index]
        live = block.live()
        self.length -= live
        self.entry_bytes -= block.live_bytes()
        if self.counts is not None:
            last = len(self.blocks) - 1
            if index < last:
                self.counts.remove(index - self.head, live)
            elif index > self.head:
                # The block before is the last one now.
                block = self.blocks[index - 1]
                self.counts.remove(index - 1 - self.head, block.live())
        if index == self.head:
            self.blocks[index] = _GONE
            self.head += 1
            if self.head == len(self.blocks):
                self.blocks.clear()
                self.head = 0
            elif self.head >= _COMPACT_AT and 2 * self.head >= len(self.blocks):
                del self.blocks[: self.head]
                self.head = 0
        else:
            self.holes += 1
            del self.blocks[index]

    def drop_run(self, index: int, n: int) -> None:
        """Take `n` whole blocks out, one behind the other."""
        if index == self.head:
            for _ in range(n):
                self.drop_block(self.head)
            return
        if self.ordered:
            self._lose_blocks(index, n)
        last = len(self.blocks) - 1
        for i in range(index, index + n):
            block = self.blocks[i]
            self.length -= block.live()
            self.entry_bytes -= block.live_bytes()
        if self.counts is not None:
            for i in range(min(index + n, last) - 1, index - 1, -1):
                block = self.blocks[i]
                self.counts.remove(i - self.head, block.live())
            if index + n > last:
                block = self.blocks[index - 1]
                self.counts.remove(index - 1 - self.head, block.live())
        self.holes += 1
        del self.blocks[index : index + n]

    def drop_entries(self, index: int, n: int) -> None:
        """Take the first `n` entries out of a block that has more."""
        if self.ordered:
            block = self.blocks[index]
            ms1, seq1 = block.entry_id(block.first)
            ms2, seq2 = block.entry_id(block.first + n - 1)
            self._hold_no_more(ms1, seq1, ms2, seq2)
        self._drop_first(index, n)
        self.length -= n

    def _drop_first(self, index: int, n: int) -> None:
        block = self.blocks[index]
        if block.sealed:
            # It may be held by a reply or a snapshot. It does not stay for long: one that is packed
            # is unpacked once, and not again for each entry that goes.
            block = block.opened() if block.buf is None else block.twin()
            self.blocks[index] = block
        before = block.live_bytes()
        block.drop_first(n)
        self.entry_bytes -= before - block.live_bytes()
        self._count_less(index, n)

    def _lose_blocks(self, index: int, n: int) -> None:
        """The groups hold nothing any more of `n` blocks."""
        ms = seq = 0
        if index > self.head:
            block = self.blocks[index - 1]
            _, ms, seq = next_id(block.last_ms, block.last_seq)
        block = self.blocks[index + n - 1]
        self._hold_no_more(ms, seq, block.last_ms, block.last_seq)

    def _hold_no_more(self, ms1: int, seq1: int, ms2: int, seq2: int) -> None:
        """The entries from the first ID to the second are about to go: no group holds them."""
        if self.groups is not None:
            for group in self.groups.values():
                redelivery = group.redelivery
                if redelivery is not None and redelivery.lanes is not None:
                    redelivery.lanes.drop_range(ms1, seq1, ms2, seq2)

    def _count_less(self, index: int, n: int) -> None:
        """A block has `n` entries less."""
        if self.counts is not None and index < len(self.blocks) - 1:
            self.counts.change(index - self.head, -n)
