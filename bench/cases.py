"""The cases, as data: one row of CASES is one row of the report.

To add a case: write how its n-th request looks (a function returning words), name what has to be
true before a span (a function of `bench.data`), and add a row. Nothing else knows the cases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import cycle, islice

from bench import data
from bench.data import GROUP, INCOMING, ORDERS, STORED_ORDERS
from bench.servers import IN_MEMORY, journal
from bench.wire import Control, Words, encode

CLIENTS = 50

MEMORY, PERSISTENCE = "in memory", "persistence"  # the sections of the report

Request = Callable[[int, int], Words]
Prepare = Callable[[Control], None]


def nothing(control: Control) -> None:
    """A case that needs no data."""


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of request, sent by `clients` connections in a closed loop.

    A span is one measured stretch of load. `span` is the number of requests in it, or None: as many
    as fit into the time of a round. A case that consumes its data or grows it without bound has a
    number; its spans are repeated, each after `prepare`, until the round's time is filled.
    """

    name: str  # what --case matches and the report shows
    request: Request  # (client, number) -> words; number counts all requests of a span from 0
    pipeline: int = 1  # requests a client sends before it waits for all their replies
    prepare: Prepare = nothing  # runs before every span, outside of what is measured
    span: int | None = None  # a multiple of clients * pipeline
    distinct: int = 16  # batches built for each client; after the last one it starts over
    reply_lines: int | None = None  # lines of one reply, where its size varies (a generated ID)
    goal: float | None = 1.0  # server CPU per request to reach, as a ratio to redis-server's
    rate_goal: float | None = None  # the same of requests per second: at least this ratio
    clients: int = CLIENTS
    fsync: str | None = None  # appendfsync of both servers; None: no persistence

    def __post_init__(self) -> None:
        if self.span is not None and self.span % (self.clients * self.pipeline):
            raise ValueError(
                f"{self.name}: span is no multiple of {self.clients} x {self.pipeline}"
            )

    @property
    def title(self) -> str:
        """Name, policy, number of clients and pipeline depth, where they are not the usual ones."""
        parts = [self.name]
        if self.fsync is not None:
            parts.append(self.fsync)
        if self.clients != CLIENTS:
            parts.append("1 client" if self.clients == 1 else f"{self.clients} clients")
        if self.pipeline != 1:
            parts.append(f"pipeline {self.pipeline}")
        return ", ".join(parts)

    @property
    def section(self) -> str:
        """The part of the report it stands in."""
        return MEMORY if self.fsync is None else PERSISTENCE

    @property
    def settings(self) -> tuple[str, ...]:
        """What both servers are started with."""
        return IN_MEMORY if self.fsync is None else journal(self.fsync)

    def batch(self, client: int, lap: int) -> bytes:
        """The bytes of a client's `lap`-th batch of requests."""
        first = (lap * self.clients + client) * self.pipeline
        return b"".join(encode(self.request(client, first + i)) for i in range(self.pipeline))

    def batches(self) -> list[list[bytes]]:
        """For each client the distinct batches it sends."""
        return [[self.batch(c, lap) for lap in range(self.distinct)] for c in range(self.clients)]

    def feeds(self, batches: list[list[bytes]]) -> list[Iterator[bytes]]:
        """For each client the batches of one span in order: endless when the time ends the span."""
        if self.span is None:
            return [cycle(own) for own in batches]
        laps = self.span // (self.clients * self.pipeline)
        return [islice(cycle(own), laps) for own in batches]


def ping(client: int, number: int) -> Words:
    return ("PING",)


def xadd(client: int, number: int) -> Words:
    return ("XADD", INCOMING, "*", *data.fields(number))


def xadd_trimmed(client: int, number: int) -> Words:
    return ("XADD", INCOMING, "MAXLEN", "~", 10_000, "*", *data.fields(number))


def xrange(count: int) -> Request:
    def request(client: int, number: int) -> Words:
        start = data.order_id(data.scattered(number, room=count))
        return ("XRANGE", ORDERS, start, "+", "COUNT", count)

    return request


def xrevrange(count: int) -> Request:
    def request(client: int, number: int) -> Words:
        end = data.order_id(data.scattered(number, room=count) + count)
        return ("XREVRANGE", ORDERS, end, "-", "COUNT", count)

    return request


def xread(count: int) -> Request:
    def request(client: int, number: int) -> Words:
        after = data.order_id(data.scattered(number, room=count + 1))
        return ("XREAD", "COUNT", count, "STREAMS", ORDERS, after)

    return request


def xreadgroup_new(count: int) -> Request:
    def request(client: int, number: int) -> Words:
        return data.read_new(data.client_name(client), count)

    return request


def xack(count: int) -> Request:
    def request(client: int, number: int) -> Words:
        first = number * count
        return ("XACK", ORDERS, GROUP, *map(data.order_id, range(first, first + count)))

    return request


def _consuming(
    name: str, request: Request, count: int, pipeline: int, prepare: Prepare, *, repeat: bool
) -> Case:
    """A case whose span works through all stored orders, `count` a request.

    `repeat`: each request of a client is the same one; otherwise each is sent once.
    """
    requests = STORED_ORDERS // count
    distinct = 1 if repeat else requests // (CLIENTS * pipeline)
    return Case(name, request, pipeline, prepare, span=requests, distinct=distinct)


def _xadd(pipeline: int, span: int) -> Case:
    return Case("XADD", xadd, pipeline, data.clear_incoming, span=span, reply_lines=2)


def _xadd_durable(
    fsync: str, pipeline: int = 1, clients: int = CLIENTS, rate_goal: float | None = None
) -> Case:
    """XADD with the journal on: as many as the disk lets through in the time of a round."""
    return Case(
        "XADD", xadd, pipeline, data.clear_incoming, reply_lines=2,
        goal=None, rate_goal=rate_goal, clients=clients, fsync=fsync,
    )  # fmt: skip


def _xadd_trimmed(pipeline: int) -> Case:
    name = "XADD MAXLEN ~"
    return Case(name, xadd_trimmed, pipeline, data.clear_incoming, reply_lines=2)


CASES: tuple[Case, ...] = (
    Case("PING", ping),
    _xadd(pipeline=1, span=100_000),
    _xadd(pipeline=16, span=320_000),
    _xadd(pipeline=64, span=320_000),
    _xadd_trimmed(pipeline=1),
    _xadd_trimmed(pipeline=16),
    _xadd_trimmed(pipeline=64),
    Case("XRANGE COUNT 1", xrange(1), pipeline=16, prepare=data.store_orders),
    Case("XRANGE COUNT 100", xrange(100), prepare=data.store_orders),
    Case("XRANGE COUNT 1000", xrange(1000), prepare=data.store_orders),
    Case("XREVRANGE COUNT 100", xrevrange(100), prepare=data.store_orders),
    Case("XREAD COUNT 100", xread(100), prepare=data.store_orders),
    Case("XREAD COUNT 1000", xread(1000), prepare=data.store_orders),
    _consuming("XREADGROUP COUNT 1", xreadgroup_new(1), 1, 16, data.fresh_group, repeat=True),
    _consuming("XREADGROUP COUNT 100", xreadgroup_new(100), 100, 1, data.fresh_group, repeat=True),
    _consuming("XACK of 1", xack(1), 1, 16, data.delivered_group, repeat=False),
    _consuming("XACK of 100", xack(100), 100, 1, data.delivered_group, repeat=False),
    _xadd_durable("always", clients=1),
    _xadd_durable("always", rate_goal=1.2),
    _xadd_durable("always", pipeline=16, rate_goal=1.5),
    _xadd_durable("everysec", pipeline=16, rate_goal=1.3),
    replace(
        _consuming(
            "XREADGROUP COUNT 100", xreadgroup_new(100), 100, 1, data.fresh_group, repeat=True
        ),
        goal=0.15,
        fsync="everysec",
    ),
)


def select(patterns: tuple[str, ...]) -> tuple[Case, ...]:
    """The cases whose title contains one of the patterns (any case); all for no pattern.

    The name of a section stands for all its cases.
    """
    return tuple(case for case in CASES if matches(case.title, case.section, patterns))


def matches(title: str, section: str, patterns: tuple[str, ...]) -> bool:
    """Whether the patterns of a command line ask for this row."""
    lowered = [pattern.lower() for pattern in patterns]
    return not lowered or any(p in title.lower() or p == section for p in lowered)
