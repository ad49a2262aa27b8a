"""A stream from RDB: its nodes, what it remembers of its past, its groups, its idempotent IDs.

    nodes: number, then for each its ID (a string of 16 bytes, big-endian) and the node (a string)
    length, last ID
    from LISTPACKS_2 on:  first ID, max deleted ID, entries added
    groups: number, then for each
        name, last-delivered ID, entries read (from LISTPACKS_2 on)
        pending: number, then ID (16 bytes, big-endian), delivery time (ms), delivery count
        consumers: number, then name, seen time, active time (from LISTPACKS_3 on),
                   number of its pending IDs and those (16 bytes each)
        nacked (LISTPACKS_5): number, then IDs (16 bytes each) in the order of release
    from LISTPACKS_4 on:  IDMP duration (s), maximal number of IDs for each producer,
        producers: number, then name, number of idempotent IDs, for each the ID and the entry's ID
        IDs ever added, duplicates

Numbers and IDs without a remark are in the encoding of lengths. What a file can not say without
contradicting itself is refused: an ID pending twice or for two consumers, one that nobody owns,
counts that do not agree.
"""

from __future__ import annotations

from headwater.raw import monotonic_us
from headwater.rdb.node_decoder import NodeDecoder, is_above
from headwater.rdb.source import RdbSource, big_endian
from headwater.rdb.stream_extras import apply_chunk
from headwater.rdb.types import (
    TYPE_STREAM_LISTPACKS,
    TYPE_STREAM_LISTPACKS_2,
    TYPE_STREAM_LISTPACKS_3,
    TYPE_STREAM_LISTPACKS_4,
    TYPE_STREAM_LISTPACKS_5,
)
from headwater.streams.group import UNKNOWN, Consumer, Group
from headwater.streams.idmp import (
    MAX_DURATION_S,
    MAX_MAXSIZE,
    MIN_DURATION_S,
    MIN_MAXSIZE,
    Idmp,
)
from headwater.streams.ids import MAX
from headwater.streams.lag import entries_read_at
from headwater.streams.stream import Stream

STREAM_TYPES = (
    TYPE_STREAM_LISTPACKS,
    TYPE_STREAM_LISTPACKS_2,
    TYPE_STREAM_LISTPACKS_3,
    TYPE_STREAM_LISTPACKS_4,
    TYPE_STREAM_LISTPACKS_5,
)

DEFAULT_DURATION_S = 100
DEFAULT_MAXSIZE = 100
"""Redis 8.6 writes these for a stream that never had an idempotent ID."""

LATEST_MS = 1 << 60
"""An idempotent ID whose entry has a later time counts as recorded then."""

_SIGNED_MAX = 2**63 - 1
_NODES_A_LOOK = 16  # at the clock
_IDS_A_LOOK = 4096

# What is read next.
_NODES, _PAST, _GROUP, _PENDING, _CONSUMERS, _CONSUMER, _OWNED = 0, 1, 2, 3, 4, 5, 6
_NACKED, _GROUP_END, _IDMP, _DONE = 7, 8, 9, 10


class StreamDecoder:
    """Decodes one stream, in steps that end when their time is over.

    `stream` is complete when `step` has told so.
    """

    __slots__ = (
        "_consumer",
        "_group",
        "_groups_left",
        "_left",
        "_nodes",
        "_source",
        "_stage",
        "_to_come",
        "_version",
        "extras",
        "idmp_times",
        "stream",
    )

    def __init__(self, source: RdbSource, kind: int) -> None:
        self._source = source
        self._version = 1 + STREAM_TYPES.index(kind)
        self._nodes = NodeDecoder(source)
        self._stage = _NODES
        self._left = source.number()  # of what the stage is about
        self._groups_left = 0
        self._group: Group | None = None
        self._consumer: Consumer | None = None
        self._to_come = 0  # consumers of the group
        self.idmp_times: list[int] | None = None  # when the IDs were recorded, if it is told
        self.extras: list[bytes] = []  # what stood before the key (stream_extras.py)
        self.stream = Stream()

    def step(self, until_us: int) -> bool:
        """Decode until the monotonic clock is there, a little at least; True: all is there."""
        while self._stage != _DONE:
            if self._stage == _NODES:
                self._read_nodes()
            elif self._stage == _PAST:
                self._read_past()
            elif self._stage == _GROUP:
                self._read_group()
            elif self._stage == _PENDING:
                self._read_pending()
            elif self._stage == _CONSUMERS:
                self._to_come = self._source.number()
                self._stage = _CONSUMER
            elif self._stage == _CONSUMER:
                self._read_consumer()
            elif self._stage == _OWNED:
                self._read_owned()
            elif self._stage == _NACKED:
                self._read_nacked()
            elif self._stage == _GROUP_END:
                self._end_group()
            else:
                self._read_idmp()
                self._stage = _DONE
            if monotonic_us() >= until_us:
                break
        if self._stage != _DONE:
            return False
        while self.extras:
            try:
                apply_chunk(self.stream, self.extras.pop(0))
            except ValueError as error:
                self._source.fail(str(error))
            if monotonic_us() >= until_us:
                break
        return not self.extras

    # --- entries ---

    def _read_nodes(self) -> None:
        source = self._source
        count = _NODES_A_LOOK
        while self._left > 0 and count > 0:
            begin = source.offset()
            source.string()
            if source.length != 16:
                source.fail("the ID of a stream's node is not 16 bytes long")
            ms = big_endian(source.data, source.start, 8)
            seq = big_endian(source.data, source.start + 8, 8)
            source.string()
            self._nodes.bytes_read += source.offset() - begin
            self._nodes.decode(self.stream, source.data, source.start, source.length, ms, seq)
            self._left -= 1
            count -= 1
        if self._left == 0:
            self._stage = _PAST

    def _read_past(self) -> None:
        """Read what the stream remembers, and how many groups it has."""
        source = self._source
        stream = self.stream
        length = stream.length
        said = source.number()
        if said != length:
            source.fail("a stream has another length than it says")
        ms = source.number()
        seq = source.number()
        if length != 0 and is_above(stream.last_ms, stream.last_seq, ms, seq):
            source.fail("the last ID of a stream is below its last entry's")
        stream.last_ms = ms
        stream.last_seq = seq
        stream.entries_added = length
        if self._version >= 2:
            # The first ID is that of the first entry.
            source.number()
            source.number()
            stream.max_deleted_ms = source.number()
            stream.max_deleted_seq = source.number()
            added = source.number()
            if added < length or added > _SIGNED_MAX:
                source.fail("a stream has more entries than were ever added, or than can be")
            stream.entries_added = added
        self._groups_left = source.number()
        self._stage = _GROUP

    # --- groups ---

    def _read_group(self) -> None:
        """Read the beginning of a group, or find that there is none any more."""
        if self._groups_left == 0:
            self._stage = _IDMP if self._version >= 4 else _DONE
            return
        self._groups_left -= 1
        source = self._source
        stream = self.stream
        name = source.text()
        ms = source.number()
        seq = source.number()
        if self._version >= 2:
            read = self._entries_read(source.number())
        else:
            read = entries_read_at(stream, ms, seq)
        if stream.groups is None:
            stream.groups = {}
        if name in stream.groups:
            source.fail("a stream has two groups of one name")
        self._group = Group(name, ms, seq, read)
        stream.groups[name] = self._group
        self._left = source.number()
        self._stage = _PENDING

    def _entries_read(self, read: int) -> int:
        """Entries read, where the greatest number is UNKNOWN."""
        if read == MAX:
            return UNKNOWN
        if read > _SIGNED_MAX:
            self._source.fail("a group has read more entries than there can be")
        return read

    def _read_pending(self) -> None:
        source = self._source
        group = self._group
        assert group is not None
        pending = group.pending
        count = _IDS_A_LOOK
        while self._left > 0 and count > 0:
            ms = source.id_half()
            seq = source.id_half()
            time_ms = source.i64()
            deliveries = source.number()
            if time_ms < 0 or deliveries > _SIGNED_MAX:
                source.fail("a pending entry has a time or a count that can not be")
            if not pending.load(ms, seq, time_ms, deliveries):
                source.fail("an ID is pending twice in one group")
            self._left -= 1
            count -= 1
        if self._left == 0:
            self._stage = _CONSUMERS

    def _read_consumer(self) -> None:
        """Read the beginning of a consumer, or find that there is none any more."""
        source = self._source
        if self._to_come == 0:
            if self._version >= 5:
                self._left = source.number()
                self._stage = _NACKED
            else:
                self._stage = _GROUP_END
            return
        self._to_come -= 1
        group = self._group
        assert group is not None
        name = source.text()
        seen_ms = source.i64()
        active_ms = seen_ms if self._version < 3 else source.i64()
        if seen_ms < 0 or active_ms < -1:
            source.fail("a consumer was seen at a time that can not be")
        if name in group.consumers:
            source.fail("a group has two consumers of one name")
        self._consumer = group.create_consumer(name, seen_ms)
        self._consumer.active_ms = active_ms
        self._left = source.number()
        self._stage = _OWNED

    def _read_owned(self) -> None:
        source = self._source
        group = self._group
        consumer = self._consumer
        assert group is not None
        assert consumer is not None
        pending = group.pending
        count = _IDS_A_LOOK
        while self._left > 0 and count > 0:
            ms = source.id_half()
            seq = source.id_half()
            if not pending.load_owner(ms, seq, consumer.number):
                source.fail("a consumer owns an ID that is not pending or another one's")
            self._left -= 1
            count -= 1
        if self._left == 0:
            self._stage = _CONSUMER

    def _read_nacked(self) -> None:
        source = self._source
        group = self._group
        assert group is not None
        pending = group.pending
        count = _IDS_A_LOOK
        while self._left > 0 and count > 0:
            ms = source.id_half()
            seq = source.id_half()
            if not pending.load_nacked(ms, seq):
                source.fail("an ID is nacked that is not pending, or owned, or nacked twice")
            self._left -= 1
            count -= 1
        if self._left == 0:
            self._stage = _GROUP_END

    def _end_group(self) -> None:
        group = self._group
        assert group is not None
        if not group.pending.load_order():
            self._source.fail("an ID is pending that nobody owns")
        self._stage = _GROUP

    # --- idempotent IDs ---

    def _read_idmp(self) -> None:
        source = self._source
        duration_s = source.number()
        maxsize = source.number()
        if (
            duration_s < MIN_DURATION_S
            or duration_s > MAX_DURATION_S
            or maxsize < MIN_MAXSIZE
            or maxsize > MAX_MAXSIZE
        ):
            source.fail("a stream has a window of idempotent IDs that can not be")
        producers = source.number()
        found: list[tuple[int, int, bytes, bytes, int, int]] = []
        names = set()
        for _ in range(source.bounded(producers)):
            pid = source.text()
            if pid in names:
                source.fail("a stream has two producers of one name")
            names.add(pid)
            iids_of_one = source.number()
            if iids_of_one > maxsize:
                source.fail("a producer has more idempotent IDs than its stream allows")
            iids = set()
            for _ in range(iids_of_one):
                iid = source.text()
                if iid in iids:
                    source.fail("a producer has one idempotent ID twice")
                iids.add(iid)
                ms = source.number()
                seq = source.number()
                at_ms = min(ms, LATEST_MS)
                if self.idmp_times is not None and len(found) < len(self.idmp_times):
                    at_ms = min(max(self.idmp_times[len(found)], 0), LATEST_MS)
                found.append((at_ms, len(found), pid, iid, ms, seq))
        added = source.number()
        duplicates = source.number()
        if (
            producers == 0
            and added == 0
            and duplicates == 0
            and duration_s == DEFAULT_DURATION_S
            and maxsize == DEFAULT_MAXSIZE
            and self.idmp_times is None
        ):
            return
        idmp = Idmp(duration_s, maxsize)
        # Redis tells no time of recording; the entry's is about that.
        found.sort()
        for time_ms, _, pid, iid, ms, seq in found:
            idmp.record(pid, iid, ms, seq, time_ms)
        idmp.added = added
        idmp.duplicates = duplicates
        self.stream.idmp = idmp
