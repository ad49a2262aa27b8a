"""What a stream keeps: at most so many entries or bytes, for so long, until all groups are done.

The settings are those of XCFGSET; times are ms, 0 is off. Entries go from the head on: whole blocks
when one is appended, if there is one to go, and the rest soon after, by upkeep
(commands/retention.py). With `acked`, what every group has acknowledged goes as well: first from
the head up to the first entry that is still needed, then from behind it, in **rounds**. A round
goes once through the blocks that were delivered when it began, from a cursor, some of them in each
turn. Blocks in which nothing is needed go whole. Single entries go only from blocks that a round
has met before: most blocks with something pending will be done as a whole a moment later.

What a method dropped stands in `from_head` (entries from the head on), `runs` (whole blocks from
the middle, each run as the ID at or above which it begins and its number of entries) and `others`
(IDs), in this order; `dropped` has the blocks, to be freed in pieces. No clock is asked here.

    encoded: i64 maxlen | i64 maxage | i64 maxbytes | u8 acked     (little-endian)
"""

from __future__ import annotations

import struct

from headwater.streams.block import Block
from headwater.streams.group import Group
from headwater.streams.ids import MAX, next_id
from headwater.streams.stream import Stream

MAX_NUMBER = 2**53 - 1
"""No setting is higher; so a time and a setting add up without overflow."""

NEVER_MS = 1 << 62
SOON_MS = 100
"""So long what is too much may stay, and so long acknowledgements gather."""

ROUND_MS = 1000
"""Between two rounds there is at least so much time, and more if a round is long."""

PAUSE_MS = 5
"""Between two turns of a round."""

AT_APPEND = 2
"""Blocks that go when an entry is appended, at most: more than come."""

UNITS_PER_MS = 50
"""A round of so many units (blocks and entries looked at) delays the next by a millisecond."""

RECHECK_MS = 60_000
"""Groups that nothing is known of are looked at so often, more often behind a change."""

_PAUSE_MS, _RECHECK_MS = PAUSE_MS, RECHECK_MS  # the same as C numbers
_SOON_MS, _ROUND_MS, _UNITS_PER_MS, _NEVER_MS = SOON_MS, ROUND_MS, UNITS_PER_MS, NEVER_MS
_AT_APPEND = AT_APPEND
_NEEDED_UNITS = 4  # a block in which something is needed takes longer than one that goes
_MOVED_SHIFT = 11  # so many blocks behind a run that goes cost as much as one that is looked at
_GROUPS_SHIFT = 1  # so many groups that are asked what they need cost as much as a block that goes
_TEXT = struct.Struct("<qqqB")


class Retention:
    """The settings of one stream, and how far they are carried out.

    wake_ms: when the stream is to be looked at next; whoever finds an earlier moment calls `ask`.
    """

    __slots__ = (
        "_again",
        "_changed",
        "_cursor_ms",
        "_cursor_seq",
        "_in_round",
        "_met_ms",
        "_met_seq",
        "_top_ms",
        "_top_seq",
        "_units",
        "acked",
        "dropped",
        "from_head",
        "idle_ms",
        "maxage_ms",
        "maxbytes",
        "maxlen",
        "others",
        "recheck_ms",
        "round_ms",
        "runs",
        "wake_ms",
    )

    def __init__(self, maxlen: int, maxage_ms: int, maxbytes: int, acked: bool) -> None:
        self.maxlen = maxlen
        self.maxage_ms = maxage_ms
        self.maxbytes = maxbytes
        self.acked = acked
        self.wake_ms = 0
        self.idle_ms = 0  # how long nothing happened before it was looked at again (`acked`)
        self.recheck_ms = 0  # when that is to be
        self.round_ms = 0  # when the next round may begin
        self._in_round = False
        self._changed = True  # something was acknowledged since the round began
        self._again = False  # the round passed blocks that it had not met before
        self._cursor_ms = 0
        self._cursor_seq = 0
        self._top_ms = 0  # the round's end
        self._top_seq = 0
        self._met_ms = 0  # the end of the round before
        self._met_seq = 0
        self._units = 0  # of the round
        self.from_head = 0
        self.runs: list[tuple[int, int, int]] = []
        self.others: list[tuple[int, int]] = []
        self.dropped: list[Block] = []

    def encode(self) -> bytes:
        """The settings as bytes, for the journal and for snapshots."""
        return _TEXT.pack(self.maxlen, self.maxage_ms, self.maxbytes, self.acked)

    def copy(self) -> Retention:
        """The same settings for another stream."""
        return Retention(self.maxlen, self.maxage_ms, self.maxbytes, self.acked)

    # --- when to look ---

    def ask(self, stream: Stream, at_ms: int) -> None:
        """Have the stream looked at then, if that is not to be before anyway."""
        if at_ms < self.wake_ms:
            self.wake_ms = at_ms
            if stream.plan is not None:
                stream.plan.sooner(at_ms)

    def released(self, stream: Stream, now_ms: int) -> None:
        """A group needs something less than before: an acknowledgement, a new position."""
        if self.acked:
            self._changed = True
            self.idle_ms = 0
            self.ask(stream, now_ms + _SOON_MS)

    def _too_much(self, stream: Stream) -> bool:
        return (0 < self.maxlen < stream.length) or (
            0 < self.maxbytes < stream.entry_bytes and stream.length > 1
        )

    def _age_due_ms(self, stream: Stream) -> int:
        """When the first entry is too old."""
        if self.maxage_ms == 0 or stream.length == 0:
            return _NEVER_MS
        ms, _ = stream.first_id()
        latest = _NEVER_MS - self.maxage_ms - 1
        if ms > latest:
            return _NEVER_MS
        return ms + self.maxage_ms + 1

    def _old_ms(self, now_ms: int) -> int:
        """Entries with an earlier ID are too old."""
        if self.maxage_ms != 0 and now_ms > self.maxage_ms:
            return now_ms - self.maxage_ms
        return 0

    # --- what goes ---

    def appended(self, stream: Stream, now_ms: int) -> bool:
        """After an entry was appended: True if blocks went. Takes the same time, however many
        entries there are."""
        self._forget()
        self._drop_blocks(stream, now_ms, _AT_APPEND, False, 0, 0)
        if self.wake_ms > now_ms:
            if self._too_much(stream):
                self.ask(stream, now_ms + _SOON_MS)
            elif self.wake_ms == _NEVER_MS or stream.length == 1:
                if self.maxage_ms != 0:
                    self.ask(stream, self._age_due_ms(stream))
                if self.acked:
                    self.ask(stream, now_ms + _ROUND_MS)
        return self.from_head != 0

    def apply(self, stream: Stream, now_ms: int, groups: list[Group], most: int) -> bool:
        """Do what is due, for about `most` blocks; True if something went.

        `groups`: those that count for `acked`. `wake_ms` is set to the next moment.
        """
        self._forget()
        ms = seq = 0
        acked = self.acked and len(groups) != 0
        if acked:
            ms, seq = self._needed(stream, groups)
        looked = self._drop_blocks(stream, now_ms, most, True, ms, seq)
        if looked >= most:
            self.wake_ms = now_ms
            return True
        self._drop_entries(stream, now_ms, ms, seq)
        self.wake_ms = _NEVER_MS
        if self.maxage_ms != 0:
            self.wake_ms = self._age_due_ms(stream)
            if self.from_head != 0:
                self.wake_ms = max(self.wake_ms, now_ms + _SOON_MS)
        if acked:
            if now_ms >= self.recheck_ms:
                self._changed = True
            if not self._in_round and self._changed and now_ms >= self.round_ms:
                self._begin_round(groups, ms, seq)
            if self._in_round:
                self._go_on(stream, groups, most - looked)
                if self._in_round:
                    self.wake_ms = min(self.wake_ms, now_ms + _PAUSE_MS)
                else:
                    self.round_ms = now_ms + max(_ROUND_MS, self._units // _UNITS_PER_MS)
            if not self._in_round and self._changed and self.round_ms < self.wake_ms:
                self.wake_ms = self.round_ms
        went = self.from_head != 0 or len(self.runs) != 0 or len(self.others) != 0
        if self.acked and stream.length != 0:
            # Something may have been released though nobody said so: groups grow idle.
            if went:
                self.idle_ms = 0
            if went or now_ms >= self.recheck_ms:
                self.idle_ms = min(max(_ROUND_MS, 2 * self.idle_ms), _RECHECK_MS)
                self.recheck_ms = now_ms + self.idle_ms
            self.wake_ms = min(self.wake_ms, self.recheck_ms)
        return went

    def _forget(self) -> None:
        """Hold on to nothing of what was told last."""
        self.from_head = 0
        if self.runs:
            self.runs = []
        if self.others:
            self.others = []
        if self.dropped:
            self.dropped = []

    def _drop_blocks(
        self, stream: Stream, now_ms: int, most: int, last_too: bool, ms: int, seq: int
    ) -> int:
        """Drop whole blocks at the head, at most so many; returns how many.

        Those below an ID go, too (0-0: none). The last one goes only if `last_too`.
        """
        blocks = 0
        old_ms = self._old_ms(now_ms)
        while blocks < most and stream.length != 0:
            if not last_too and len(stream.blocks) - stream.head == 1:
                break
            block = stream.blocks[stream.head]
            live = block.live()
            if not (
                (self.maxlen != 0 and stream.length - live >= self.maxlen)
                or block.last_ms < old_ms
                or (block.last_ms < ms or (block.last_ms == ms and block.last_seq < seq))
                or (
                    self.maxbytes != 0
                    and stream.length != live
                    and stream.entry_bytes - block.live_bytes() >= self.maxbytes
                )
            ):
                break
            blocks += 1
            self.from_head += live
            self.dropped.append(block)
            stream.drop_block(stream.head)
        return blocks

    def _drop_entries(self, stream: Stream, now_ms: int, ms: int, seq: int) -> None:
        """Drop what is too much of the first block, when no whole one is."""
        if stream.length == 0:
            return
        block = stream.blocks[stream.head]
        live = block.live()
        n = 0
        if self.maxlen != 0 and stream.length > self.maxlen:
            n = stream.length - self.maxlen
        old_ms = self._old_ms(now_ms)
        if old_ms != 0:
            n = max(n, block.find(old_ms, 0) - block.first)
        if ms != 0 or seq != 0:
            n = max(n, block.find(ms, seq) - block.first)
        if self.maxbytes != 0 and stream.entry_bytes > self.maxbytes:
            # The last entry stays, however big it is.
            most = live - 1 if live == stream.length else live
            start = block.offset(block.first)
            while n < most and (
                stream.entry_bytes - (block.offset(block.first + n) - start) > self.maxbytes
            ):
                n += 1
        if n == 0:
            return
        self.from_head += n
        if n == live:
            stream.drop_block(stream.head)
        else:
            stream.drop_entries(stream.head, n)

    # --- what every group has acknowledged ---

    def _needed(self, stream: Stream, groups: list[Group]) -> tuple[int, int]:
        """The lowest ID that one of the groups has not acknowledged, if it still has data."""
        ms = seq = MAX
        for group in groups:
            ok, m, s = next_id(group.last_ms, group.last_seq)
            if not ok:
                m = s = MAX
            if m < ms or (m == ms and s < seq):
                ms = m
                seq = s
        first_ms, first_seq = stream.first_id()
        return self._needed_from(groups, first_ms, first_seq, ms, seq)

    def _needed_from(
        self, groups: list[Group], from_ms: int, from_seq: int, ms: int, seq: int
    ) -> tuple[int, int]:
        """The lowest ID from one on that is pending or held in a group; else the second ID."""
        for group in groups:
            pending = group.pending
            if pending.count != 0:
                for handle in pending.handles_from(from_ms, from_seq, 1):
                    m = pending.records.ms(handle)
                    s = pending.records.seq(handle)
                    if m < ms or (m == ms and s < seq):
                        ms = m
                        seq = s
            if group.redelivery is not None and group.redelivery.lanes is not None:
                found, m, s = group.redelivery.lanes.first_held(from_ms, from_seq)
                if found and (m < ms or (m == ms and s < seq)):
                    ms = m
                    seq = s
        return ms, seq

    def _begin_round(self, groups: list[Group], ms: int, seq: int) -> None:
        """Go through what is behind the lowest ID that is needed, up to what all were given."""
        self._changed = False
        self._again = False
        self._in_round = True
        self._cursor_ms = ms
        self._cursor_seq = seq
        self._met_ms = self._top_ms
        self._met_seq = self._top_seq
        self._units = 0
        self._top_ms = self._top_seq = MAX

    def _go_on(self, stream: Stream, groups: list[Group], most: int) -> None:
        """A part of the round: about `most` units of work."""
        units = 0
        for group in groups:
            # Not only when it begins: a group may be new, or set back.
            if not self._is_below_top(group.last_ms, group.last_seq):
                continue
            self._top_ms = group.last_ms
            self._top_seq = group.last_seq
        while units < most:
            index, slot = stream.locate(self._cursor_ms, self._cursor_seq)
            end = len(stream.blocks)
            if index == end:
                break
            block = stream.blocks[index]
            if not self._is_below_top(block.last_ms, block.last_seq):
                break
            if slot != block.first:
                # It has grown since it was passed.
                self._cursor_ms, self._cursor_seq = block.entry_id(block.first)
            ms, seq = self._needed_from(
                groups, self._cursor_ms, self._cursor_seq, self._top_ms, MAX
            )
            n = entries = 0
            while n < most - units and (
                (block.last_ms < ms or (block.last_ms == ms and block.last_seq < seq))
                and self._is_below_top(block.last_ms, block.last_seq)
            ):
                n += 1
                entries += block.live()
                self.dropped.append(block)
                if index + n == end:
                    break
                block = stream.blocks[index + n]
            if n != 0:
                self.runs.append((self._cursor_ms, self._cursor_seq, entries))
                units += n + ((end - index) >> _MOVED_SHIFT) + (len(groups) >> _GROUPS_SHIFT)
                stream.drop_run(index, n)
                continue
            units += _NEEDED_UNITS + (len(groups) >> _GROUPS_SHIFT)
            if block.last_ms < self._met_ms or (
                block.last_ms == self._met_ms and block.last_seq <= self._met_seq
            ):
                units += self._thin(stream, groups, block)
            else:
                self._again = True
            ok, ms, seq = next_id(block.last_ms, block.last_seq)
            if not ok:
                break
            self._cursor_ms = ms
            self._cursor_seq = seq
        else:
            self._units += units
            return
        # All that was delivered whole is done; what was not is left to a later round.
        self._units += units
        self._in_round = False
        if self._again:
            self._changed = True

    def _is_below_top(self, ms: int, seq: int) -> bool:
        """Whether the round goes up to an ID, or farther."""
        return ms < self._top_ms or (ms == self._top_ms and seq <= self._top_seq)

    def _thin(self, stream: Stream, groups: list[Group], block: Block) -> int:
        """Take the entries that nobody needs out of a block; returns the work that was."""
        found: list[tuple[int, int]] = []
        asked = 1  # how often all groups were
        ms, seq = block.entry_id(block.first)
        needed_ms, needed_seq = self._needed_from(groups, ms, seq, MAX, MAX)
        for slot in range(block.first, block.slots):
            ms, seq = block.entry_id(slot)
            if needed_ms < ms or (needed_ms == ms and needed_seq < seq):
                needed_ms, needed_seq = self._needed_from(groups, ms, seq, MAX, MAX)
                asked += 1
            if ms != needed_ms or seq != needed_seq:
                found.append((ms, seq))
        for ms, seq in found:
            stream.take_out(ms, seq)
        self.others.extend(found)
        return block.live() + 8 * len(found) + asked * (len(groups) >> _GROUPS_SHIFT)


def decode(data: bytes) -> Retention | None:
    """A retention from what `encode` gave, None if all is off; ValueError if it can not be that."""
    if len(data) != _TEXT.size:
        raise ValueError("the retention of a stream is cut short")
    maxlen, maxage_ms, maxbytes, acked = _TEXT.unpack(data)
    if acked > 1 or not all(0 <= n <= MAX_NUMBER for n in (maxlen, maxage_ms, maxbytes)):
        raise ValueError("the retention of a stream can not be")
    if maxlen == maxage_ms == maxbytes == acked == 0:
        return None
    return Retention(maxlen, maxage_ms, maxbytes, bool(acked))
