"""Which connection holds which pending entries of a group: LEASE connection.

A holder is a number (commands/leases.py). Its entries are a ring, in the order in which they were
taken; so all but `clear` takes O(1), whatever others hold.

    link     12 bytes for each handle: u32 holder, 0: nobody | u32 before | u32 behind
"""

from __future__ import annotations

from headwater.raw import get_u32, put_u32

LINK_BYTES = 12
BEFORE, BEHIND = 4, 8
_FIRST_LINKS = 16
_SMALL_BYTES = 4096  # of links that are kept though nobody holds anything


class Held:
    """Handles of entries by holder. `length`: how many are held.

    is_new: somebody who held nothing took something; whoever looks sets it to False.
    """

    __slots__ = ("firsts", "is_new", "length", "links")

    def __init__(self) -> None:
        self.length = 0
        self.is_new = False
        self.firsts: dict[int, int] = {}  # by holder, what it took first
        self.links = bytearray()

    def holder_of(self, handle: int) -> int:
        """Who holds an entry, 0: nobody."""
        pos = LINK_BYTES * handle
        return get_u32(self.links, pos) if pos < len(self.links) else 0

    def first(self, holder: int) -> int:
        """What a holder took first, 0: it holds nothing."""
        return self.firsts.get(holder, 0)

    def take(self, handle: int, holder: int) -> None:
        """An entry that nobody holds has this holder."""
        pos = LINK_BYTES * handle
        if pos >= len(self.links):
            size = max(LINK_BYTES * _FIRST_LINKS, 2 * pos + LINK_BYTES)
            self.links.extend(bytes(size - len(self.links)))
        links = self.links
        self.length += 1
        first = self.firsts.get(holder, 0)
        if first == 0:
            self.firsts[holder] = handle
            self.is_new = True
            before = first = handle
        else:
            before = get_u32(links, LINK_BYTES * first + BEFORE)
            put_u32(links, LINK_BYTES * before + BEHIND, handle)
            put_u32(links, LINK_BYTES * first + BEFORE, handle)
        put_u32(links, pos, holder)
        put_u32(links, pos + BEFORE, before)
        put_u32(links, pos + BEHIND, first)

    def drop(self, handle: int) -> bool:
        """Nobody holds the entry any more; False if nobody did."""
        holder = self.holder_of(handle)
        if holder == 0:
            return False
        links = self.links
        pos = LINK_BYTES * handle
        before = get_u32(links, pos + BEFORE)
        behind = get_u32(links, pos + BEHIND)
        put_u32(links, pos, 0)
        if behind == handle:
            del self.firsts[holder]
        else:
            put_u32(links, LINK_BYTES * before + BEHIND, behind)
            put_u32(links, LINK_BYTES * behind + BEFORE, before)
            if self.firsts[holder] == handle:
                self.firsts[holder] = behind
        self.length -= 1
        if self.length == 0 and len(links) > _SMALL_BYTES:
            self.clear()
        return True

    def clear(self) -> None:
        """Nobody holds anything."""
        self.length = 0
        self.firsts = {}
        self.links = bytearray()

    def memory_usage(self) -> int:
        """Bytes of memory, objects included by fixed allowances."""
        return 250 + 100 * len(self.firsts) + len(self.links)

    def check(self) -> None:
        """Verify that every ring is one; for tests."""
        found = 0
        for holder, first in self.firsts.items():
            handle = first
            while True:
                behind = get_u32(self.links, LINK_BYTES * handle + BEHIND)
                assert self.holder_of(handle) == holder
                assert get_u32(self.links, LINK_BYTES * behind + BEFORE) == handle
                found += 1
                handle = behind
                if handle == first:
                    break
        assert found == self.length
        links = len(self.links) // LINK_BYTES
        assert found == sum(self.holder_of(handle) != 0 for handle in range(links))
