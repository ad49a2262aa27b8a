"""Copies of pending entries share memory with what they are copies of, and nobody can tell."""

from __future__ import annotations

from random import Random

import pytest

from headwater.streams.pending import PendingEntries

OWNERS = 3
Dump = list[tuple[int, int, int, int]]


def dump(pending: PendingEntries) -> Dump:
    records = pending.records
    return [
        (records.ms(handle), records.owner(handle), records.time(handle), records.count(handle))
        for handle in pending.handles_from(0, 0, 1 << 40)
    ]


def change(pending: PendingEntries, random: Random) -> None:
    """Do one of the things that groups do."""
    ms = random.randint(1, 6000)
    handle = pending.find(ms, 0)
    owner = random.randint(1, OWNERS)
    kind = random.randint(0, 9)
    if kind == 0 and handle == 0:
        pending.add(ms, 0, owner, random.randint(1, 50), 1)
    elif kind == 1 and handle != 0:
        pending.assign(handle, owner, random.randint(1, 50), 2)
    elif kind == 2 and handle != 0:
        pending.assign(handle, 0, 0, 3)
    elif kind <= 5:
        for behind in range(ms, ms + 40):
            pending.acknowledge(behind, 0)
    elif kind <= 8:
        for _ in range(60):
            pending.deliver(pending.top_ms + 1, 0, owner, 60)
    elif random.random() < 0.3:
        pending.drop_owner(owner)
        assert pending.new_owner() == owner


@pytest.mark.parametrize("seed", range(6))
def test_whichever_side_changes_the_others_stay_as_they_are(seed: int) -> None:
    random = Random(seed)
    first = PendingEntries()
    for _ in range(OWNERS):
        first.new_owner()
    for ms in range(1, 4000):
        first.deliver(ms, 0, 1 + ms % OWNERS, 10)
    sides = [first]
    dumps = [dump(first)]
    for step in range(150):
        if step % 25 == 0:
            source = random.randrange(len(sides))
            sides.append(sides[source].copy())
            dumps.append(dumps[source])
        changed = random.randrange(len(sides))
        for _ in range(3):
            change(sides[changed], random)
        dumps[changed] = dump(sides[changed])
        if step % 10 == 0:
            assert [dump(side) for side in sides] == dumps
    for side in sides:
        side.check()


def test_a_copy_may_be_cleared_and_filled_again() -> None:
    first = PendingEntries()
    owner = first.new_owner()
    first.deliver(1, 0, owner, 5)
    copied = first.copy()
    copied.clear()
    copied.deliver(7, 0, owner, 9)
    assert dump(first) == [(1, owner, 5, 1)]
    assert dump(copied) == [(7, owner, 9, 1)]
    for side in (first, copied):
        side.check()
