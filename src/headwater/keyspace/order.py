"""The order of a database's keys in which SCAN visits them.

Every key gets a serial when it is added; serials only grow. The keys stand in chunks, sorted by
serial, and SCAN goes from the newest to the oldest, its cursor being the serial it has reached:
a key that is there from the first call to the last is visited, whatever comes and goes
meanwhile, keys added behind the start are not, and so a scan ends. A call costs what it returns.

About 16 bytes a key: its serial, and a reference to the bytes that the database holds too.
"""

from __future__ import annotations

from random import Random

from headwater.raw import alloc, get_u64, move, put_u64

CHUNK_KEYS = 512  # 4 KiB of serials; to take a key out moves half of that at most on average
MERGE_KEYS = 256  # neighbours that fit in half a chunk become one, so chunks stay well filled
SAMPLE_TRIES = 64


class Chunk:
    """Up to CHUNK_KEYS keys in the order of their serials; none below `low`."""

    __slots__ = ("keys", "low", "serials")

    def __init__(self, low: int) -> None:
        self.low = low
        self.keys: list[bytes] = []
        self.serials = alloc(8 * CHUNK_KEYS)

    def below(self, serial: int) -> int:
        """How many of the keys have a serial smaller than `serial`."""
        start = 0
        end = len(self.keys)
        while start < end:
            middle = (start + end) >> 1
            if get_u64(self.serials, 8 * middle) < serial:
                start = middle + 1
            else:
                end = middle
        return start


class KeyOrder:
    """The keys of one database by serial."""

    __slots__ = ("chunks", "count", "next_serial")

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.count = 0
        self.next_serial = 1

    def append(self, key: bytes) -> int:
        """Add a key as the newest one and return its serial, at least 1."""
        serial = self.next_serial
        self.next_serial = serial + 1
        chunk = None
        if self.chunks:
            chunk = self.chunks[len(self.chunks) - 1]
            if len(chunk.keys) == CHUNK_KEYS:
                chunk = None
        if chunk is None:
            chunk = Chunk(serial)
            self.chunks.append(chunk)
        put_u64(chunk.serials, 8 * len(chunk.keys), serial)
        chunk.keys.append(key)
        self.count += 1
        return serial

    def remove(self, serial: int) -> None:
        """Take out the key with this serial, which must be there."""
        index = self._find(serial)
        chunk = self.chunks[index]
        at = chunk.below(serial)
        n = len(chunk.keys)
        move(chunk.serials, 8 * at, 8 * (at + 1), 8 * (n - at - 1))
        del chunk.keys[at]
        self.count -= 1
        if n == 1:
            del self.chunks[index]
        elif n <= MERGE_KEYS:
            if index + 1 < len(self.chunks) and self._merge(index):
                return
            if index > 0:
                self._merge(index - 1)

    def _find(self, serial: int) -> int:
        """The index of the last chunk that may hold a key with this serial or a smaller one."""
        start = 0
        end = len(self.chunks)
        while start < end:
            middle = (start + end) >> 1
            chunk = self.chunks[middle]
            if chunk.low <= serial:
                start = middle + 1
            else:
                end = middle
        return start - 1

    def _merge(self, index: int) -> bool:
        """Move the keys of the chunk behind `index` into this one if they are few."""
        chunk = self.chunks[index]
        other = self.chunks[index + 1]
        n = len(chunk.keys)
        m = len(other.keys)
        if n + m > MERGE_KEYS:
            return False
        for i in range(m):
            put_u64(chunk.serials, 8 * (n + i), get_u64(other.serials, 8 * i))
        chunk.keys.extend(other.keys)
        del self.chunks[index + 1]
        return True

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """Return the next cursor and up to `count` keys; `count` is at least 1.

        A cursor of 0 starts with the newest key, and 0 as the next cursor says that the
        oldest has been visited.
        """
        found: list[bytes] = []
        at = -1
        if cursor:
            index = self._find(cursor)
            if index >= 0:
                chunk = self.chunks[index]
                at = chunk.below(cursor)
        else:
            index = len(self.chunks) - 1
        visited = 0
        serial = 0
        while index >= 0:
            chunk = self.chunks[index]
            if at < 0:
                at = len(chunk.keys)
            while at > 0:
                if visited == count:
                    return serial, found
                at -= 1
                visited += 1
                serial = get_u64(chunk.serials, 8 * at)
                found.append(chunk.keys[at])
            index -= 1
            at = -1
        return 0, found

    def after(self, serial: int) -> bytes | None:
        """The key with the lowest serial above this one; None if there is none."""
        index = self._find(serial)
        if index < 0:
            index = 0
        while index < len(self.chunks):
            chunk = self.chunks[index]
            at = chunk.below(serial + 1)
            if at < len(chunk.keys):
                return chunk.keys[at]
            index += 1
        return None

    def random_key(self, rng: Random) -> bytes | None:
        """A key chosen at random, each as likely as any other; None if there is none."""
        chunks = len(self.chunks)
        if not chunks:
            return None
        chunk = self.chunks[0]
        room = len(chunk.keys) if chunks == 1 else CHUNK_KEYS
        for _ in range(SAMPLE_TRIES):
            place = rng.randrange(chunks * room)
            chunk = self.chunks[place // room]
            if place % room < len(chunk.keys):
                return chunk.keys[place % room]
        # So unlucky in nearly empty chunks that an uneven choice does not matter.
        return chunk.keys[rng.randrange(len(chunk.keys))]
