"""What a group may be told about its deliveries: XGROUP CFGSET.

All off is as Redis; a group has a GroupSettings only while something is on. Times are ms.

    encoded: i64 ackwait | u32 n | n times i64 backoff | i64 max deliveries | text dead-letter key |
             i64 max pending | i64 group max pending | text field | u8 lease | i64 consumer TTL |
             i64 group TTL                     (text: u32 bytes | bytes; numbers little-endian)
"""

from __future__ import annotations

import struct

LEASE_TIME, LEASE_CONNECTION = 0, 1
NEVER_MS = 2**63 - 1
MAX_MS = 2**53 - 1
"""No setting is longer; so a time and a setting add up without overflow."""

FATAL_COUNT = 2**63 - 1
"""The delivery count that XNACK FATAL sets, as in Redis: never to be delivered again."""

MAX_BACKOFF_STEPS = 64
_NEVER_MS = NEVER_MS  # the same as C numbers
_FATAL = FATAL_COUNT


class GroupSettings:
    """The settings of one group; never changed, only replaced. 0, b"" and () stand for off."""

    __slots__ = (
        "ackwait_ms",
        "backoff_ms",
        "consumer_ttl_ms",
        "dead_letter",
        "group_max_pending",
        "group_ttl_ms",
        "lease",
        "max_deliveries",
        "max_pending",
        "order_by",
    )

    def __init__(
        self,
        ackwait_ms: int = 0,
        backoff_ms: tuple[int, ...] = (),
        max_deliveries: int = 0,
        dead_letter: bytes = b"",
        max_pending: int = 0,
        group_max_pending: int = 0,
        order_by: bytes = b"",
        lease: int = LEASE_TIME,
        consumer_ttl_ms: int = 0,
        group_ttl_ms: int = 0,
    ) -> None:
        self.ackwait_ms = ackwait_ms
        self.backoff_ms = backoff_ms
        self.max_deliveries = max_deliveries
        self.dead_letter = dead_letter
        self.max_pending = max_pending
        self.group_max_pending = group_max_pending
        self.order_by = order_by
        self.lease = lease
        self.consumer_ttl_ms = consumer_ttl_ms
        self.group_ttl_ms = group_ttl_ms

    def is_off(self) -> bool:
        """Whether everything is off: the group behaves as Redis's."""
        return self.encode() == _ALL_OFF

    def wait_ms(self, count: int) -> int:
        """How long after its count-th delivery an entry that lapses is due; NEVER_MS: it is not."""
        if self.ackwait_ms == 0:
            return _NEVER_MS
        if not self.backoff_ms:
            return self.ackwait_ms
        return self.backoff(count)

    def backoff(self, count: int) -> int:
        """The wait before the delivery behind the count-th; 0 without BACKOFF."""
        steps = len(self.backoff_ms)
        if steps == 0:
            return 0
        step = min(max(count, 1), steps) - 1
        wait: int = self.backoff_ms[step]
        return wait

    def is_last(self, count: int) -> bool:
        """Whether an entry that was delivered so often is not delivered again, but dead."""
        if count >= _FATAL:
            return self.max_deliveries != 0 or self.dead_letter != b""
        return 0 < self.max_deliveries <= count

    def encode(self) -> bytes:
        """The settings as bytes, for the journal and for snapshots."""
        n = len(self.backoff_ms)
        return b"".join(
            (
                struct.pack(f"<qI{n}q", self.ackwait_ms, n, *self.backoff_ms),
                struct.pack("<qI", self.max_deliveries, len(self.dead_letter)),
                self.dead_letter,
                struct.pack("<qq", self.max_pending, self.group_max_pending),
                struct.pack("<I", len(self.order_by)),
                self.order_by,
                struct.pack("<Bqq", self.lease, self.consumer_ttl_ms, self.group_ttl_ms),
            )
        )


_ALL_OFF = GroupSettings().encode()


def decode(data: bytes) -> GroupSettings:
    """Settings from what `encode` gave; ValueError if it can not be that."""
    try:
        ackwait_ms, n = struct.unpack_from("<qI", data)
        if n > MAX_BACKOFF_STEPS:
            raise ValueError(f"{n} steps of backoff")
        backoff_ms = struct.unpack_from(f"<{n}q", data, 12)
        pos = 12 + 8 * n
        max_deliveries, size = struct.unpack_from("<qI", data, pos)
        pos += 12 + size
        dead_letter = data[pos - size : pos]
        max_pending, group_max_pending, size = struct.unpack_from("<qqI", data, pos)
        pos += 20 + size
        order_by = data[pos - size : pos]
        lease, consumer_ttl_ms, group_ttl_ms = struct.unpack_from("<Bqq", data, pos)
    except struct.error as error:
        raise ValueError("the settings of a group are cut short") from error
    numbers = (ackwait_ms, max_deliveries, max_pending, group_max_pending)
    if (
        pos + 17 != len(data)
        or lease > LEASE_CONNECTION
        or not all(0 <= number <= MAX_MS for number in numbers)
        or not all(0 <= number <= MAX_MS for number in (consumer_ttl_ms, group_ttl_ms))
        or not all(0 <= number <= MAX_MS for number in backoff_ms)
    ):
        raise ValueError("the settings of a group can not be")
    return GroupSettings(
        ackwait_ms,
        backoff_ms,
        max_deliveries,
        dead_letter,
        max_pending,
        group_max_pending,
        order_by,
        lease,
        consumer_ttl_ms,
        group_ttl_ms,
    )
