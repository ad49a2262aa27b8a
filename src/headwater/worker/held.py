"""An entry that a consumer has, where it is on its way, and how it may end."""

from __future__ import annotations

import enum
from collections.abc import Callable


class Verdict(enum.Enum):
    """How an entry ended."""

    ACK = "ack"
    FAIL = "fail"
    REJECT = "reject"
    RETURN = "return"
    BURY = "bury"


class Place(enum.Enum):
    """Where an entry is, on its way through a consumer."""

    READY = "ready"
    OUT = "out"
    WAITING = "waiting"
    SETTLING = "settling"


class Held:
    """One entry that this consumer has.

    deliveries: this one included; None: only the server knows. touched: when others were last told
    that it is ours (seconds). retry_at: when it is tried again. lost: it is not ours any more.
    told: who wants to know when the server knows the verdict; called with an error if it does not.
    """

    __slots__ = (
        "deliveries",
        "fields",
        "id",
        "lost",
        "place",
        "retry_at",
        "told",
        "touched",
    )

    def __init__(
        self, entry_id: bytes, fields: dict[bytes, bytes], deliveries: int | None, now: float
    ) -> None:
        self.id = entry_id
        self.fields = fields
        self.deliveries = deliveries
        self.touched = now
        self.place = Place.READY
        self.retry_at = 0.0
        self.lost = False
        self.told: Callable[[Exception | None], None] | None = None
