"""Streams in random states, made by commands: what a snapshot or a copy has to keep."""

from __future__ import annotations

import random

from parity.test_node_sizes import Entries
from support.embedded import NOW_MS, Client
from support.wire import Word

FAR_MS = 4_102_444_800_000
"""The year 2100: a real server goes by its own clock."""


def fill(client: Client, key: str, seed: int) -> None:
    """A stream of random entries, with deletions, trimming and groups."""
    rng = random.Random(seed)
    entries = Entries(rng)
    limit = rng.choice((1, 3, 10, 100, 100))
    client.ok("CONFIG", "SET", "stream-node-max-entries", limit)
    client.ok("CONFIG", "SET", "stream-node-max-bytes", rng.choice((0, 200, 4096, 4096)))
    ids = []
    for _ in range(rng.choice((1, 5, 40, 150))):
        ids.append(entries.next_id())
        client.ok("XADD", key, ids[-1], *entries.fields())
    if rng.randrange(2):
        client.ok("XDEL", key, *rng.sample(ids, rng.randrange(1, len(ids) + 1)))
    for number in range(rng.randrange(4)):
        add_group(client, key, f"group-{number}" if number else str(seed), ids, rng)
    if rng.randrange(3) == 0:
        client.ok("XTRIM", key, "MAXLEN", rng.randrange(len(ids)))
    if rng.randrange(4) == 0:
        client.ok(
            "XSETID", key, f"{entries.ms + 5}-7", "ENTRIESADDED", 10**6, "MAXDELETEDID", ids[-1]
        )
    if rng.randrange(4) == 0:
        client.ok("PEXPIREAT", key, FAR_MS + seed)


def add_group(client: Client, key: str, group: str, ids: list[str], rng: random.Random) -> None:
    """A group somewhere in the stream, with consumers that have something pending, or nothing."""
    behind = rng.randrange(len(ids) + 1)  # entries before the group's place
    start = ids[behind - 1] if behind else "0"
    known: tuple[Word, ...] = rng.choice(((), ("ENTRIESREAD", behind), ("ENTRIESREAD", 0)))
    client.ok("XGROUP", "CREATE", key, group, start, *known)
    for number in range(rng.randrange(4)):
        consumer = f"consumer-{number}" if number else "7"
        client.ok("XGROUP", "CREATECONSUMER", key, group, consumer)
        for _ in range(rng.randrange(3)):
            client.ok(
                "XREADGROUP", "GROUP", group, consumer,
                "COUNT", rng.choice((1, 3, 300)), "STREAMS", key, ">",
            )  # fmt: skip
    pending = [row[0] for row in client.ok("XPENDING", key, group, "-", "+", 1000)]
    for pending_id in pending:
        if rng.randrange(4) == 0:
            client.ok("XACK", key, group, pending_id)
        elif rng.randrange(4) == 0:
            client.ok(
                "XCLAIM", key, group, "claimer", 0, pending_id,
                "TIME", NOW_MS - rng.randrange(10**6), "RETRYCOUNT", rng.choice((0, 1, 70, 10**10)),
            )  # fmt: skip


def add_newer(client: Client, key: str, seed: int) -> None:
    """Idempotent IDs and nacked entries, in one stream of three each."""
    rng = random.Random(seed)
    if seed % 3 == 0 and rng.randrange(2):
        client.ok(
            "XCFGSET", key, "IDMP-DURATION", 1 + seed, "IDMP-MAXSIZE", rng.choice((1, 3, 100))
        )
    if seed % 3 == 0:
        for _ in range(rng.randrange(12)):
            pid, iid = f"producer-{rng.randrange(3)}", str(rng.randrange(8))
            client.ok("XADD", key, "IDMP", pid, iid, "*", "f", "v")
    if seed % 4 == 0:
        client.ok("XGROUP", "CREATE", key, "nacking", "0")
        client.ok("XREADGROUP", "GROUP", "nacking", "c", "COUNT", 9, "STREAMS", key, ">")
        for row in client.ok("XPENDING", key, "nacking", "-", "+", 10)[::-2]:
            word = rng.choice(("SILENT", "FAIL", "FATAL"))
            client.ok("XNACK", key, "nacking", word, "IDS", 1, row[0])
