"""What a key holds: the base class of streams and strings, and what every value carries.

Besides the data of its type, a value carries the facts that belong to its key: when it expires,
where the expiry wheel and the scan order know it, and when it was last used. The keyspace owns
these fields; a type touches none of them.
"""

from __future__ import annotations

from typing import Any

UNIT_SHIFT = 14
"""Giving back 16 KiB of memory takes about as long as freeing a small object: one unit."""


class Value:
    """Base class of what a key can hold.

    expire_at: unix time in ms at which the key expires; 0: it does not.
    access_ms: unix time in ms of the last access.
    serial: the key's place in the scan order of its database.
    wheel, slot: the bucket of the expiry wheel that lists the key, and the place in it;
        wheel is -1 if none does.
    """

    __slots__ = ("access_ms", "expire_at", "serial", "slot", "wheel")

    def __init__(self) -> None:
        self.access_ms = 0
        self.expire_at = 0
        self.serial = 0
        self.slot = 0
        self.wheel = -1

    def type_name(self) -> bytes:
        """What TYPE answers."""
        raise NotImplementedError

    def encoding(self) -> bytes:
        """What OBJECT ENCODING answers."""
        raise NotImplementedError

    def memory_usage(self) -> int:
        """About how many bytes the value takes, its key and the tables not counted."""
        raise NotImplementedError

    def copy(self) -> Value:
        """An independent value with the same data, and with none of the facts of this key."""
        raise NotImplementedError

    def free_units(self) -> int:
        """How much work it is to free the value; 1 is a small object."""
        return 1

    def parts(self) -> list[Any]:
        """The lists, dicts and deques of a value nobody uses any more, to be emptied bit by bit."""
        return []
