"""What was denied: the entries of ACL LOG, and how often each reason occurred."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice

COMMAND, KEY, CHANNEL, AUTH = "command", "key", "channel", "auth"
REASONS = (AUTH, COMMAND, KEY, CHANNEL)
TOPLEVEL, MULTI, LUA = "toplevel", "multi", "lua"

MERGE_MS = 60_000
"""What is denied again within this time is counted in the entry that is there."""
LOOK_BACK = 10
"""Entries among which an equal one is looked for."""
OBJECT_MAX_BYTES = 1024
"""A key may be half a gigabyte long, and be denied a hundred times: no more of it is kept."""
CLIENT_MAX = 4096
"""Characters kept of a client's line, for its name may be as long."""


@dataclass(slots=True)
class Denial:
    """One entry. `object`: the command, key or channel; times in unix ms."""

    id: int
    reason: str
    context: str
    object: bytes
    username: bytes
    client: str
    created_ms: int
    updated_ms: int
    count: int = 1

    def same(self, other: Denial) -> bool:
        """Whether the other one is this again."""
        return (
            self.reason == other.reason
            and self.context == other.context
            and abs(other.updated_ms - self.updated_ms) <= MERGE_MS
            and self.object == other.object
            and self.username == other.username
        )


class DenialLog:
    """The newest entries, newest first; `max_length` is acllog-max-len."""

    __slots__ = ("_entries", "_next_id", "counts", "max_length")

    def __init__(self) -> None:
        self.max_length = 128
        self.counts = dict.fromkeys(REASONS, 0)
        self._entries: deque[Denial] = deque()
        self._next_id = 0

    def __len__(self) -> int:
        return len(self._entries)

    def note(
        self, reason: str, context: str, word: bytes, username: bytes, client: str, now_ms: int
    ) -> None:
        """Count a denial and keep an entry of it. `client`: its line of CLIENT LIST."""
        self.counts[reason] += 1
        client = client[:CLIENT_MAX]
        entry = Denial(
            self._next_id, reason, context, _cut(word), _cut(username), client, now_ms, now_ms
        )
        for at, known in enumerate(islice(self._entries, LOOK_BACK)):
            if known.same(entry):
                del self._entries[at]
                known.client, known.updated_ms = client, now_ms
                known.count += 1
                entry = known
                break
        else:
            self._next_id += 1
        self._entries.appendleft(entry)
        while len(self._entries) > self.max_length:
            self._entries.pop()

    def newest(self, count: int) -> list[Denial]:
        return list(islice(self._entries, max(count, 0)))

    def clear(self) -> None:
        self._entries.clear()


def _cut(word: bytes) -> bytes:
    more = len(word) - OBJECT_MAX_BYTES
    return word if more <= 0 else word[:OBJECT_MAX_BYTES] + b"... (%d more bytes)" % more
