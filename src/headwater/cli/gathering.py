"""What there is to know of streams and their groups, asked of a server in few round trips.

Redis 6.2, Valkey and Headwater have different facts: what one does not have is None.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import redis

from headwater.cli.connect import Link
from headwater.cli.entries import forward
from headwater.cli.words import facts_of, id_ms

SCAN_COUNT = 1000
BATCH = 200
"""Streams asked about in one pipeline."""

RATE_ENTRIES = 100
RATE_BYTES = 32 * 1024
"""The newest entries that a rate is taken from: so many at most, of so many bytes together."""

COUNTED = 5000
"""Entries that are read at most to count them."""

EARLIEST_MS = 946_684_800_000
"""IDs before the year 2000 are not times."""


@dataclass
class GroupFacts:
    """One consumer group. `waiting`: entries that it was not given yet, None if not known.

    `waiting_at_least`: what was counted, where there are too many to count all.
    """

    name: bytes
    consumers: int
    pending: int
    last_delivered: str
    entries_read: int | None
    waiting: int | None
    oldest_pending_ms: int | None
    settings: dict[str, Any] = field(default_factory=dict)
    waiting_at_least: int = 0


@dataclass
class StreamFacts:
    """One stream; `memory` in bytes, `rate` in entries a second up to now."""

    key: bytes
    length: int
    last_id: str
    first_entry: str | None
    last_entry: str | None
    added: int | None
    max_deleted: str | None
    groups: list[GroupFacts]
    memory: int | None = None
    rate: float | None = None
    idmp: dict[str, int] = field(default_factory=dict)

    @property
    def pending(self) -> int:
        """Pending entries of all groups."""
        return sum(group.pending for group in self.groups)

    @property
    def waiting(self) -> int | None:
        """What the group that is furthest behind has not been given; None if one is not known."""
        counts = [group.waiting for group in self.groups]
        known = [count for count in counts if count is not None]
        return max(known) if known and len(known) == len(counts) else None

    def last_ms(self, now_ms: int) -> int | None:
        """How long ago the last entry came, None if there is none or IDs are not times."""
        return age_of(self.last_entry, now_ms)


def age_of(entry_id: str | None, now_ms: int) -> int | None:
    """Milliseconds since an entry was added; None if its ID is not a time."""
    if entry_id is None:
        return None
    ms = id_ms(entry_id)
    if ms < EARLIEST_MS or ms > now_ms + 60_000:
        return None
    return max(0, now_ms - ms)


def server_ms(link: Link) -> int:
    """The server's time in Unix milliseconds; this machine's for a user who may not ask."""
    try:
        seconds, micros = link.call("TIME")
    except redis.exceptions.NoPermissionError:
        return int(time.time() * 1000)
    return int(seconds) * 1000 + int(micros) // 1000


def scan_streams(link: Link, pattern: bytes | None, limit: int) -> Iterator[list[bytes]]:
    """The keys of streams, in pages, each key once; 0: all, else it ends behind `limit` of them."""
    seen: set[bytes] = set()
    cursor: bytes | int = 0
    words: list[bytes | str | int] = ["COUNT", SCAN_COUNT, "TYPE", "stream"]
    if pattern:
        words += ["MATCH", pattern]
    while True:
        cursor, keys = link.call("SCAN", cursor, *words)
        page = [key for key in dict.fromkeys(keys) if key not in seen]
        if limit:
            page = page[: limit - len(seen)]
        seen.update(page)
        if page:
            yield page
        if cursor == b"0" or (limit and len(seen) >= limit):
            return


def gather(
    link: Link, keys: list[bytes], now_ms: int, *, memory: bool = True, rate: bool = True
) -> list[StreamFacts]:
    """Facts about streams; keys that went away or turned into something else are left out."""
    found: list[StreamFacts] = []
    for begin in range(0, len(keys), BATCH):
        page = keys[begin : begin + BATCH]
        commands: list[tuple[bytes | str | int, ...]] = []
        for key in page:
            commands += [("XINFO", "STREAM", key), ("XINFO", "GROUPS", key)]
            if memory:
                commands.append(("MEMORY", "USAGE", key))
        replies = link.calls(commands)
        step = 3 if memory else 2
        some = []
        for i, key in enumerate(page):
            stream, groups = replies[i * step], replies[i * step + 1]
            if isinstance(stream, Exception) or isinstance(groups, Exception):
                _pass_over(stream if isinstance(stream, Exception) else groups)
                continue
            facts = stream_facts(key, facts_of(stream), [facts_of(row) for row in groups])
            used = replies[i * step + 2] if memory else None
            facts.memory = used if isinstance(used, int) else None
            some.append(facts)
        if rate:
            take_rates(link, some, now_ms)
        found += some
    return found


def _pass_over(error: Exception) -> None:
    """Raise an error that is about more than the one key."""
    text = str(error)
    gone = "no such key" in text or text.startswith(("WRONGTYPE", "NOPERM", "No permissions"))
    if not (gone or "Operation against a key" in text or "permissions" in text):
        raise error


def stream_facts(key: bytes, facts: dict[str, Any], groups: list[dict[str, Any]]) -> StreamFacts:
    """A stream's facts from XINFO STREAM and XINFO GROUPS."""
    first, last = facts.get("first-entry"), facts.get("last-entry")
    deleted = facts.get("max-deleted-entry-id")
    return StreamFacts(
        key=key,
        length=facts["length"],
        last_id=facts["last-generated-id"].decode(),
        first_entry=first[0].decode() if first else None,
        last_entry=last[0].decode() if last else None,
        added=facts.get("entries-added"),
        max_deleted=None if deleted in (None, b"0-0") else deleted.decode(),
        groups=[group_facts(row, facts) for row in groups],
        idmp={name: value for name, value in facts.items() if name[:4] in ("idmp", "pids", "iids")},
    )


_REDIS_FIELDS = (
    *("name", "consumers", "pending", "last-delivered-id", "entries-read", "lag"),
    *("backlog", "oldest-pending-ms", "nacked-count"),
)


def group_facts(row: dict[str, Any], stream: dict[str, Any]) -> GroupFacts:
    """A group's facts from its row of XINFO GROUPS."""
    delivered = row["last-delivered-id"].decode()
    waiting = row.get("backlog", row.get("lag"))
    if waiting is None and delivered == stream["last-generated-id"].decode():
        waiting = 0
    if waiting is None and delivered == "0-0":
        waiting = stream["length"]
    oldest = row.get("oldest-pending-ms")
    return GroupFacts(
        name=row["name"],
        consumers=row["consumers"],
        pending=row["pending"],
        last_delivered=delivered,
        entries_read=row.get("entries-read"),
        waiting=waiting,
        oldest_pending_ms=oldest if row["pending"] else None,
        settings={name: value for name, value in row.items() if name not in _REDIS_FIELDS},
    )


def count_waiting(link: Link, key: bytes, group: GroupFacts) -> None:
    """Count what a group was not given, up to COUNTED entries, where the server does not know."""
    counted = 0
    for page in forward(link, key, "(" + group.last_delivered):
        counted += len(page)
        if counted >= COUNTED:
            group.waiting_at_least = counted
            return
    group.waiting = counted


def take_rates(link: Link, streams: list[StreamFacts], now_ms: int) -> None:
    """The rate of each stream: its newest entries, by the time from the oldest of them till now."""
    asked = []
    for facts in streams:
        if facts.length == 0:
            facts.rate = 0.0
        elif age_of(facts.last_entry, now_ms) is not None:
            mean = (facts.memory or RATE_BYTES) / facts.length
            asked.append((facts, min(RATE_ENTRIES, max(2, int(RATE_BYTES / max(1.0, mean))))))
    replies = link.calls([("XREVRANGE", f.key, "+", "-", "COUNT", n) for f, n in asked])
    for (facts, _), entries in zip(asked, replies, strict=True):
        if isinstance(entries, redis.RedisError) or not entries:
            continue
        age = age_of(entries[-1][0].decode(), now_ms)
        if age is not None:
            facts.rate = (len(entries) - 1) / max(age, 1) * 1000
