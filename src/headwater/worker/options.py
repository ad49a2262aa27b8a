"""What a consumer may be told, with defaults and checks; and what a group has been told.

Times are seconds here, as in Python; the server's are milliseconds.

    given to the consumer  >  set for the group on the server  >  the default
"""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from headwater.worker.errors import ConfigurationError
from headwater.worker.wire import Word, as_text

ACK_WAIT = 30.0
MAX_DELIVERIES = 5
BACKOFF = (5.0, 30.0, 120.0, 600.0)
CONSUMER_TTL = 3600.0
"""A name that was made up is deleted when it was not used for so long: its worker was killed."""


def generated_name() -> str:
    """A name that no other consumer has: machine, process, and something random.

    scripts.TIDY knows such names by their end.
    """
    return f"{socket.gethostname()}-{os.getpid()}-hw{random.getrandbits(32):08x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Everything about a consumer but its client, its model and its handler."""

    stream: str
    group: str
    name: str | None = None
    concurrency: int = 1
    prefetch: int = 10
    start: str = "0"
    ack_wait: float | None = None
    max_deliveries: int | None = None
    backoff: Sequence[float] | None = None
    dead_letter: str | None = None
    lease: Literal["time", "connection"] | None = None
    order_by: str | None = None
    block: float = 1.0
    claim_every: float | None = None
    stop_timeout: float = 25.0
    reconnect_cap: float = 2.0
    signals: bool = True

    def __post_init__(self) -> None:
        for name in ("concurrency", "max_deliveries"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigurationError(f"{name} must be 1 or more, not {value}")
        for name in ("ack_wait", "block", "claim_every", "reconnect_cap"):
            value = getattr(self, name)
            if value is not None and value < 0.001:
                raise ConfigurationError(f"{name} must be a number of seconds above 0")
        if self.prefetch < 0 or self.stop_timeout < 0:
            raise ConfigurationError("prefetch and stop_timeout must not be below 0")
        if self.backoff is not None and (
            not self.backoff or min(self.backoff) < 0.001 or len(self.backoff) > 64
        ):
            raise ConfigurationError("backoff takes 1 to 64 waits in seconds, each above 0")
        if self.dead_letter == self.stream:
            raise ConfigurationError("dead_letter must be another stream than the one that is read")
        if self.lease not in (None, "time", "connection"):
            raise ConfigurationError("lease must be 'time' or 'connection'")

    def to_set(self, current: Mapping[str, Any]) -> list[Word]:
        """The words of XGROUP CFGSET that make the group's settings what they shall be."""
        wanted: list[Word] = []
        leased = self.lease or as_text(current["lease"])
        ack_wait = self.ack_wait
        if ack_wait is None and leased == "time" and not current["ackwait"]:
            ack_wait = ACK_WAIT
        if ack_wait is not None and ms(ack_wait) != current["ackwait"]:
            wanted += ["ACKWAIT", ms(ack_wait)]
        most = self.max_deliveries or current["maxdeliveries"] or MAX_DELIVERIES
        if most != current["maxdeliveries"]:
            wanted += ["MAXDELIVERIES", most]
        waits = [ms(wait) for wait in self.backoff or ()] or current["backoff"]
        waits = waits or [ms(wait) for wait in BACKOFF]
        if waits != list(current["backoff"] or ()):
            wanted += ["BACKOFF", *waits]
        for word, name, value in (
            ("DEADLETTER", "deadletter", self.dead_letter),
            ("ORDERBY", "orderby", self.order_by),
            ("LEASE", "lease", self.lease),
        ):
            if value is not None and value != as_text(current[name]):
                wanted += [word, value]
        if self.name is None and current.get("consumerttl") == 0:
            wanted += ["CONSUMERTTL", ms(CONSUMER_TTL)]
        return wanted


def ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))


@dataclass(slots=True)
class Terms:
    """What holds for a group's deliveries, wherever it was said.

    managed: the server looks after redelivery, back-off and dead letters. waits: seconds until an
    entry that lapses is somebody else's, by delivery count, the last one repeats; empty: it does
    not lapse while the connection lives.
    """

    managed: bool = False
    max_deliveries: int = MAX_DELIVERIES
    backoff: Sequence[float] = BACKOFF
    dead_letter: str = ""
    waits: Sequence[float] = field(default=(ACK_WAIT,))

    @property
    def beat(self) -> float | None:
        """Seconds between two signs of life for an entry: three of them fit into its time."""
        return min(self.waits) / 3 if self.waits else None

    def wait_after(self, deliveries: int) -> float:
        """Seconds from a failure to the next try."""
        return self.backoff[min(max(deliveries, 1), len(self.backoff)) - 1]


def own_terms(options: Options, in_cluster: bool) -> Terms:
    """The terms of a server that looks after nothing."""
    for name in ("order_by", "lease"):
        value = getattr(options, name)
        if value is not None and value != "time":
            raise ConfigurationError(f"{name}={value!r} needs a server with XGROUP CFGSET")
    name = f"{options.stream}:dead-letter"
    if in_cluster and "{" not in options.stream:
        name = f"{{{options.stream}}}:dead-letter"  # in the same slot as the stream
    return Terms(
        managed=False,
        max_deliveries=options.max_deliveries or MAX_DELIVERIES,
        backoff=tuple(options.backoff or BACKOFF),
        dead_letter=options.dead_letter or name,
        waits=(options.ack_wait or ACK_WAIT,),
    )


def managed_terms(options: Options, settings: Mapping[str, Any]) -> Terms:
    """The terms that XGROUP CFGGET tells of."""
    backoff = tuple(wait / 1000 for wait in settings["backoff"] or ())
    waits: tuple[float, ...] = ()
    if as_text(settings["lease"]) == "time" and settings["ackwait"]:
        waits = backoff or (settings["ackwait"] / 1000,)
    return Terms(
        managed=True,
        max_deliveries=settings["maxdeliveries"],
        backoff=backoff or (0.0,),
        dead_letter=as_text(settings["deadletter"]) or f"{options.stream}:dead-letter",
        waits=waits,
    )
