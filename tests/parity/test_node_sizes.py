"""Where nodes end: approximate trimming cuts exactly where redis-server cuts.

Entries of every shape are added under ever other node sizes, some are deleted, and what an
approximate trim takes away shows whether both servers put the ends of nodes in the same places.
"""

from __future__ import annotations

import random

import pytest

from support.pair import Pair
from support.servers import Server
from support.wire import Word

NODE_BYTES = (0, 1, 64, 200, 500, 1000, 4096, 4096, 20_000)
NODE_ENTRIES = (1, 2, 3, 7, 50, 100, 100)
INTEGER_EDGES = (0, 127, 128, 4095, 4096, 32767, 32768, 8388607, 8388608, 2**31 - 1, 2**31)
NAMES = ("f", "temperature", "user-id", "", "7", "-1", "x" * 70, "y" * 200)
MAX = 2**64 - 1


class Entries:
    """Random entries whose IDs grow; every now and then in great leaps."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.ms = 1
        self.seq = 0
        self.names = self.some_names()

    def some_names(self) -> list[str]:
        return [self.rng.choice(NAMES) for _ in range(self.rng.choice((1, 1, 2, 5, 130)))]

    def value(self) -> Word:
        rng = self.rng
        kind = rng.randrange(8)
        if kind < 2:
            edge = rng.choice(INTEGER_EDGES) + rng.randrange(-1, 2)
            return str(rng.choice((1, -1)) * edge)
        if kind == 2:
            return str(rng.randrange(-(2**63) - 10, 2**63 + 10))
        if kind == 3:
            return rng.choice(("-0", "00", "+1", " 1", "1 ", "-", "9223372036854775808", "1.5"))
        if kind == 4:
            return "v" * rng.choice((0, 1, 61, 62, 63, 64, 65, 124, 125, 126, 127, 128))
        if kind == 5 and rng.randrange(20) == 0:
            return "v" * rng.choice((4089, 4095, 4096, 5000, 16376, 16383, 16384, 70_000))
        return "w" * rng.randrange(40)

    def next_id(self) -> str:
        rng = self.rng
        step = rng.randrange(40)
        if step == 0:
            self.ms += rng.choice((1, 127, 128, 5000, 2**16, 2**24, 2**33))
            self.seq = rng.choice((0, 0, 5, 2**40, MAX - 50_000))
        elif step < 10:
            self.ms += rng.randrange(1, 300)
            self.seq = 0
        else:
            self.seq += rng.randrange(1, 3)
        return f"{self.ms}-{self.seq}"

    def fields(self) -> list[Word]:
        if self.rng.randrange(12) == 0:
            self.names = self.some_names()
        names = self.names
        if self.rng.randrange(8) == 0:
            names = self.some_names()
        return [word for name in names for word in (name, self.value())]


class Session:
    """A script of random requests about the stream `s`."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.entries = Entries(self.rng)
        self.ids: list[str] = []

    def configure(self) -> list[tuple[Word, ...]]:
        rng = self.rng
        return [
            ("CONFIG", "SET", "stream-node-max-bytes", rng.choice(NODE_BYTES)),
            ("CONFIG", "SET", "stream-node-max-entries", rng.choice(NODE_ENTRIES)),
        ]

    def trim(self) -> tuple[Word, ...]:
        rng = self.rng
        limit: tuple[Word, ...] = ("LIMIT", rng.choice((0, 1, 10, 150))) if rng.randrange(2) else ()
        if rng.randrange(4) == 0:
            # Not MINID: redis-server 8.2 leaves an empty node if the one it ends in has only
            # deleted entries above, and crashes later.
            return ("MAXLEN", "=", rng.randrange(300))
        if rng.randrange(2) and self.ids:
            return ("MINID", "~", rng.choice(self.ids[-300:]), *limit)
        return ("MAXLEN", "~", rng.randrange(300), *limit)

    def add(self, trimmed: bool) -> tuple[Word, ...]:
        options = self.trim() if trimmed else ()
        entry_id = self.entries.next_id()
        self.ids.append(entry_id)
        return ("XADD", "s", *options, entry_id, *self.entries.fields())

    def delete(self) -> tuple[Word, ...]:
        rng = self.rng
        recent = self.ids[-rng.choice((1, 5, 300)) :]
        if rng.randrange(3) == 0:
            return ("XDEL", "s", *recent)
        return ("XDEL", "s", *rng.sample(recent, rng.randrange(1, len(recent) + 1)))

    def script(self, rounds: int) -> list[tuple[Word, ...]]:
        said: list[tuple[Word, ...]] = []
        for _ in range(rounds):
            step = self.rng.randrange(100)
            if step < 2:
                said += self.configure()
            elif step < 4 and self.ids:
                said += [self.delete(), ("XLEN", "s")]
            elif step < 8:
                said += [("XTRIM", "s", *self.trim()), ("XLEN", "s")]
            elif step < 14:
                said += [self.add(trimmed=True), ("XLEN", "s")]
            elif step == 14:
                said.append(("XINFO", "STREAM", "s"))
            elif step == 15:
                said += [("COPY", "s", "copy", "REPLACE"), ("RENAME", "copy", "s")]
            else:
                said += [self.add(trimmed=False) for _ in range(self.rng.randrange(12))]
        return [words for words in said if self.ids or words[0] == "XADD"]


@pytest.mark.parametrize("seed", range(8))
def test_approximate_trimming_cuts_where_redis_cuts(
    headwater: Server, reference: Server, seed: int
) -> None:
    pair = Pair(headwater, reference)
    session = Session(seed)
    said = [session.add(trimmed=False), *session.script(400), ("XRANGE", "s", "-", "+")]
    try:
        pair.same_all(pair.main, said)
    finally:
        for name, usual in (("stream-node-max-bytes", 4096), ("stream-node-max-entries", 100)):
            pair.same(pair.main, "CONFIG", "SET", name, usual)


def test_a_node_that_is_the_last_one_again_goes_on_where_it_was(
    headwater: Server, reference: Server
) -> None:
    """Deleting the last node makes the one before it the last: its fields count as before."""
    pair = Pair(headwater, reference)
    name = "a-field-name-of-some-length" * 4
    said: list[tuple[Word, ...]] = [("XADD", "s", f"1-{n}", name, "v") for n in range(1, 21)]
    said.append(("XADD", "s", "2-0", name, "v" * 4090))
    said.append(("XDEL", "s", "2-0"))
    said += [("XADD", "s", f"3-{n}", name, "v") for n in range(300)]
    for n in range(300, 0, -10):
        said += [("XTRIM", "s", "MAXLEN", "~", n), ("XLEN", "s")]
    pair.same_all(pair.main, said)
