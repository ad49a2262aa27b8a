"""What an engine records, applied to another keyspace, and the two compared."""

from __future__ import annotations

from headwater.commands.digest import keyspace_digest
from headwater.journal.format import BATCH_HEADER_BYTES, check_records
from headwater.journal.recorder import Batch, Recorder
from headwater.keyspace.database import Keyspace
from headwater.lists.list import List
from headwater.persistence.apply import Applier
from headwater.streams.group import Group
from headwater.streams.stream import Stream


def take_all(recorder: Recorder) -> list[Batch]:
    """Everything that was recorded, the open record included."""
    recorder.seal()
    batches = []
    while (batch := recorder.take()) is not None:
        batches.append(batch)
    return batches


def apply_batch(applier: Applier, batch: Batch) -> None:
    """Check a batch's records as a reader would, and apply them."""
    end, records, chain = check_records(
        batch.buf, BATCH_HEADER_BYTES, batch.size, batch.chain_before
    )
    assert (end, records, chain) == (batch.size, batch.records, batch.chain_after)
    applier.apply(batch.buf, BATCH_HEADER_BYTES, batch.size)


def block_shapes(stream: Stream) -> list[tuple[object, ...]]:
    """All that decides where the stream's blocks end, now and later."""
    return [
        (
            *(block.used, block.slots, block.first, block.dead, block.sealed),
            *(block.last_ms, block.last_seq, block.tail_ms, block.tail_seq),
            *(block.entries_bytes, block.listpack_bytes()),
        )
        for block in stream.blocks[stream.head :]
    ]


def node_shapes(value: List) -> list[tuple[object, ...]]:
    """All that decides where the list's nodes end, now and later."""
    nodes = [value.node(i) for i in range(value.node_count())]
    return [
        (value.length, value.quick, value.fill),
        *((node.count, node.size(), node.plain) for node in nodes),
    ]


def delivery_order(group: Group) -> list[tuple[int, int, int, int]]:
    """The pending entries in the order in which they would be claimed."""
    found = []
    records = group.pending.records
    handle = group.pending.oldest
    while handle:
        found.append(
            (records.ms(handle), records.seq(handle), records.time(handle), records.count(handle))
        )
        handle = records.behind(handle)
    return found


def assert_equal_state(one: Keyspace, other: Keyspace) -> None:
    """The two hold the same, in what clients see and in where blocks end."""
    assert (one.has_idmp, one.has_nacked) == (other.has_idmp, other.has_nacked)
    for ours, theirs in zip(one.databases, other.databases, strict=True):
        assert list(ours.values) == list(theirs.values)
        for key, value in ours.values.items():
            twin = theirs.values[key]
            assert type(value) is type(twin)
            assert value.expire_at == twin.expire_at
            if isinstance(value, Stream) and isinstance(twin, Stream):
                assert_equal_streams(value, twin)
            if isinstance(value, List) and isinstance(twin, List):
                assert node_shapes(value) == node_shapes(twin)
    assert keyspace_digest(one) == keyspace_digest(other)


def assert_equal_streams(one: Stream, other: Stream) -> None:
    assert block_shapes(one) == block_shapes(other)
    names = sorted(one.groups or ())
    assert names == sorted(other.groups or ())
    for name in names:
        assert one.groups is not None
        assert other.groups is not None
        group, twin = one.groups[name], other.groups[name]
        twin.check()
        assert sorted(group.consumers) == sorted(twin.consumers)
        assert delivery_order(group) == delivery_order(twin)
    assert (one.idmp is None) == (other.idmp is None)
    if other.idmp is not None:
        other.idmp.check()
