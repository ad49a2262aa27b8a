"""The cases, as data: one row of CASES is one row of the report.

To add a case: write how its n-th request looks (a function returning words), name what has to be
true before a span (a function of `bench.data`), and add a row. Nothing else knows the cases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice

from bench import data
from bench.data import GROUP, INCOMING, ORDERS, STORED_ORDERS
from bench.wire import Control, Words, encode

CLIENTS = 50

Request = Callable[[int, int], Words]
Prepare = Callable[[Control], None]


def nothing(control: Control) -> None:
    """A case that needs no data."""


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of request, sent by CLIENTS connections in a closed loop.

    A span is one measured stretch of load. `span` is the number of requests in it, or None: as many
    as fit into the time of a round. A case that consumes its data or grows it without bound has a
    number; its spans are repeated, each after `prepare`, until the round's time is filled.
    """

    name: str  # what --case matches and the report shows
    request: Request  # (client, number) -> words; number counts all requests of a span from 0
    pipeline: int = 1  # requests a client sends before it waits for all their replies
    prepare: Prepare = nothing  # runs before every span, outside of what is measured
    span: int | None = None  # a multiple of CLIENTS * pipeline
    distinct: int = 16  # batches built for each client; after the last one it starts over
    reply_lines: int | None = None  # lines of one reply, where its size varies (a generated ID)
    goal: float = 1.0  # server CPU per request to reach, as a ratio to redis-server's

    def __post_init__(self) -> None:
        if self.span is not None and self.span % (CLIENTS * self.pipeline):
            raise ValueError(f"{self.name}: span is no multiple of {CLIENTS} x {self.pipeline}")

    @property
    def title(self) -> str:
        """Name and pipeline depth."""
        return self.name if self.pipeline == 1 else f"{self.name}, pipeline {self.pipeline}"

    def batch(self, client: int, lap: int) -> bytes:
        """The bytes of a client's `lap`-th batch of requests."""
        first = (lap * CLIENTS + client) * self.pipeline
        return b"".join(encode(self.request(client, first + i)) for i in range(self.pipeline))

    def batches(self) -> list[list[bytes]]:
        """For each client the distinct batches it sends."""
        return [[self.batch(c, lap) for lap in range(self.distinct)] for c in range(CLIENTS)]

    def feeds(self, batches: list[list[bytes]]) -> list[Iterator[bytes]]:
        """For each client the batches of one span in order: endless when the time ends the span."""
        if self.span is None:
            return [cycle(own) for own in batches]
        laps = self.span // (CLIENTS * self.pipeline)
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
)


def select(patterns: tuple[str, ...]) -> tuple[Case, ...]:
    """The cases whose title contains one of the patterns (any case); all for no pattern."""
    if not patterns:
        return CASES
    lowered = [pattern.lower() for pattern in patterns]
    return tuple(case for case in CASES if any(p in case.title.lower() for p in lowered))
