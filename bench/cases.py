"""The cases, as data: one row of CASES or CONTRASTS is one row of the report.

To add a case: write how its n-th request looks (a function returning words), name what has to be
true before a span (a function of `bench.data`), and add a row. Nothing else knows the cases.

A contrast is two cases of the same server, of which one has more to carry (a long list, idle
clients): the row says what the burden costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import cycle, islice

from bench import data
from bench.data import GROUP, IDLE_GROUP, INCOMING, ORDERS, STORED_ORDERS
from bench.servers import HEADWATER, IN_MEMORY, REDIS, journal
from bench.wire import Control, Words, encode

CLIENTS = 50
CROWD = 10_000
AN_HOUR_MS = 3_600_000
MESSAGE = ("news", "x" * 100)  # channel and payload
_OTHER_CLIENTS = 100  # that a server has room for beside a crowd
_STORED, _PENDING, _VALUES = "stored orders", "a million pending", "values"  # what cases share

# The sections of the report; --case takes their names.
REQUESTS, SCALE, MEMORY, LATENCY, PERSISTENCE, EMBEDDED = (
    "requests", "scale", "memory", "latency", "persistence", "embedded"
)  # fmt: skip

Request = Callable[[int, int], Words]
Prepare = Callable[[Control], None]


def nothing(control: Control) -> None:
    """A case that needs no data."""


@dataclass(frozen=True, slots=True)
class Readers:
    """Connections that are blocked on what the clients of a case add.

    A reader that is served asks again at once, so that all are blocked all the time. What they
    cause (their replies, their next requests) is part of what is measured.
    """

    count: int
    request: Callable[[int, str], Words]  # (reader, last ID it has seen or "$") -> words
    reply_lines: int  # of a reply with one entry
    everyone: bool  # an entry goes to all of them; else to one


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
    readers: Readers | None = None  # who waits for what is added
    listeners: int = 0  # who hear the message that is published
    crowd: int = 0  # more clients that are connected and idle
    shares: str | None = None  # cases of one name that stand together use the same servers
    kinds: tuple[str, ...] = (HEADWATER, REDIS)  # the servers that have the command

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
        if self.clients != CLIENTS and self.readers is None:
            parts.append("1 client" if self.clients == 1 else f"{self.clients} clients")
        if self.pipeline != 1:
            parts.append(f"pipeline {self.pipeline}")
        return ", ".join(parts)

    @property
    def section(self) -> str:
        """The part of the report it stands in."""
        return REQUESTS if self.fsync is None else PERSISTENCE

    @property
    def settings(self) -> tuple[str, ...]:
        """What both servers are started with."""
        persistence = IN_MEMORY if self.fsync is None else journal(self.fsync)
        room = ("--maxclients", str(self.crowd + _OTHER_CLIENTS)) if self.crowd else ()
        return persistence + room

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


@dataclass(frozen=True, slots=True)
class Contrast:
    """What a burden costs: the same server with it (`burdened`) and without it (`plain`).

    Both cases run on one server of each kind, in alternation. Servers that lack the command are
    left out.
    """

    name: str
    burdened: Case
    plain: Case
    goal: float | None = 1.0  # CPU per request of the burdened case, as a ratio to the plain one
    section: str = SCALE

    @property
    def title(self) -> str:
        return self.name


def ping(client: int, number: int) -> Words:
    return ("PING",)


def set_value(client: int, number: int) -> Words:
    return ("SET", data.value_key(number), data.VALUE)


def get_value(client: int, number: int) -> Words:
    return ("GET", data.value_key(number))


def queue(client: int, number: int) -> Words:
    """Each client adds to a list of its own and takes away, in turns."""
    key = f"queue:{client}"
    return ("LPOP", key) if number % 2 else ("RPUSH", key, data.ITEM)


def lrange(client: int, number: int) -> Words:
    first = number * 97 % (data.STORED_ITEMS - 100)
    return ("LRANGE", data.LIST, str(first), str(first + 99))


def run_script(client: int, number: int) -> Words:
    return ("EVALSHA", data.SCRIPT_SHA, 1, data.value_key(number), data.VALUE)


def publish(client: int, number: int) -> Words:
    return ("PUBLISH", *MESSAGE)


def xadd(client: int, number: int) -> Words:
    return ("XADD", INCOMING, "*", *data.fields(number))


def xadd_trimmed(client: int, number: int) -> Words:
    return ("XADD", INCOMING, "MAXLEN", "~", 10_000, "*", *data.fields(number))


def xrange(count: int) -> Request:
    def request(client: int, number: int) -> Words:
        start = data.order_id(data.scattered(number, room=count))
        return ("XRANGE", ORDERS, start, "+", "COUNT", count)

    return request


def xrange_cold(count: int) -> Request:
    """Reads of blocks that nobody has read for long: each goes elsewhere in a long stream."""

    def request(client: int, number: int) -> Words:
        start = data.order_id(data.scattered(number, count, data.COLD_ORDERS))
        return ("XRANGE", ORDERS, start, "+", "COUNT", count)

    return request


def transaction(client: int, number: int) -> Words:
    """Two XADD in a transaction: four requests."""
    return (("MULTI",), xadd(client, number), xadd(client, number), ("EXEC",))[number % 4]


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


def history(client: int, number: int) -> Words:
    """The pending entries of a consumer that has few."""
    consumer, count = data.SMALL_CONSUMER, 100
    return ("XREADGROUP", "GROUP", GROUP, consumer, "COUNT", count, "STREAMS", ORDERS, "0")


def claim_idle(group: bytes) -> Request:
    """Nothing is as idle as that."""

    def request(client: int, number: int) -> Words:
        return ("XAUTOCLAIM", ORDERS, group, data.client_name(client), AN_HOUR_MS, "0-0")

    return request


def read_claiming(group: bytes) -> Request:
    def request(client: int, number: int) -> Words:
        consumer, stream = data.client_name(client), ("STREAMS", ORDERS, ">")
        return ("XREADGROUP", "GROUP", group, consumer, "COUNT", 10, "CLAIM", AN_HOUR_MS, *stream)

    return request


def list_idle(group: bytes) -> Request:
    def request(client: int, number: int) -> Words:
        return ("XPENDING", ORDERS, group, "IDLE", AN_HOUR_MS, "-", "+", 10)

    return request


def wait_for_next(reader: int, last_id: str) -> Words:
    return ("XREAD", "BLOCK", 0, "STREAMS", INCOMING, last_id)


def wait_in_group(reader: int, last_id: str) -> Words:
    consumer = f"reader-{reader:04d}"
    return (
        "XREADGROUP", "GROUP", GROUP, consumer, "COUNT", 1, "BLOCK", 0, "STREAMS", INCOMING, ">"
    )  # fmt: skip


def _consuming(
    name: str,
    request: Request,
    count: int,
    pipeline: int,
    prepare: Prepare,
    goal: float,
    *,
    repeat: bool,
) -> Case:
    """A case whose span works through all stored orders, `count` a request.

    `repeat`: each request of a client is the same one; otherwise each is sent once.
    """
    requests = STORED_ORDERS // count
    distinct = 1 if repeat else requests // (CLIENTS * pipeline)
    return Case(
        name, request, pipeline, prepare, span=requests, distinct=distinct, goal=goal,
        shares=_STORED,
    )  # fmt: skip


def _publish(listeners: int) -> Case:
    name = "1 listener" if listeners == 1 else f"{listeners} listeners"
    return Case(f"PUBLISH, {name}", publish, reply_lines=1, listeners=listeners)


def _xadd(pipeline: int, span: int, goal: float) -> Case:
    return Case("XADD", xadd, pipeline, data.clear_incoming, span=span, reply_lines=2, goal=goal)


def _xadd_to_blocked(name: str, clients: int, readers: Readers) -> Case:
    prepare = data.waiting_group
    return Case(
        f"XADD, {name}", xadd, 1, prepare, reply_lines=2, goal=0.8, clients=clients,
        readers=readers,
    )  # fmt: skip


def _reading(name: str, request: Request, goal: float | None, pipeline: int = 1) -> Case:
    return Case(name, request, pipeline, data.store_orders, goal=goal, shares=_STORED)


def _claiming(name: str, request: Callable[[bytes], Request], *kinds: str) -> Contrast:
    """A million pending, none idle enough, beside a group with none pending on the same stream."""
    burdened, plain = (
        Case(
            name, request(group), 1, data.million_pending, clients=10, shares=_PENDING,
            kinds=kinds or (HEADWATER, REDIS),
        )
        for group in (GROUP, IDLE_GROUP)
    )  # fmt: skip
    return Contrast(f"{name}, 1,000,000 pending, none idle enough / none", burdened, plain, 2.0)


def _managed(name: str, request: Request, prepare: Prepare, plain: Prepare) -> Contrast:
    """A group with ACKWAIT, MAXDELIVERIES and ORDERBY, beside one without settings."""
    kinds = (HEADWATER,)
    repeat = prepare is data.managed_group
    with_settings, without = (
        replace(_consuming(name, request, 100, 1, how, 0.0, repeat=repeat), kinds=kinds, goal=None)
        for how in (prepare, plain)
    )
    title = f"{name}, ACKWAIT, MAXDELIVERIES, ORDERBY / no settings"
    return Contrast(title, with_settings, without, 2.0)


def _crowded(name: str, case: Case) -> Contrast:
    """One client, while CROWD others are connected and idle and when it is alone."""
    plain = replace(case, clients=1, shares=name)
    return Contrast(
        f"{name}, 1 client, {CROWD:,} idle beside it / alone", replace(plain, crowd=CROWD), plain
    )


def _xadd_durable(
    fsync: str, pipeline: int = 1, clients: int = CLIENTS, rate_goal: float | None = None
) -> Case:
    """XADD with the journal on: as many as the disk lets through in the time of a round."""
    return Case(
        "XADD", xadd, pipeline, data.clear_incoming, reply_lines=2,
        goal=None, rate_goal=rate_goal, clients=clients, fsync=fsync,
    )  # fmt: skip


def _xadd_trimmed(pipeline: int, goal: float | None) -> Case:
    name = "XADD MAXLEN ~"
    return Case(name, xadd_trimmed, pipeline, data.clear_incoming, reply_lines=2, goal=goal)


CASES: tuple[Case, ...] = (
    Case("PING", ping),
    _xadd(pipeline=1, span=100_000, goal=1.0),
    _xadd(pipeline=16, span=320_000, goal=0.6),
    _xadd(pipeline=64, span=320_000, goal=0.5),
    _xadd_trimmed(pipeline=1, goal=1.0),
    _xadd_trimmed(pipeline=16, goal=0.6),
    _xadd_trimmed(pipeline=64, goal=None),
    Case(
        "MULTI, 2 XADD, EXEC",
        transaction,
        4,
        data.clear_incoming,
        span=100_000,
        reply_lines=2,
    ),
    *(
        case
        for pipeline in (1, 16)
        for case in (
            Case("SET", set_value, pipeline, data.store_values, goal=1.0, shares=_VALUES),
            Case(
                "GET",
                get_value,
                pipeline,
                data.store_values,
                goal=1.0,
                shares=_VALUES,
                reply_lines=2,
            ),
            Case("EVALSHA", run_script, pipeline, data.load_script, goal=1.0),
        )
    ),
    Case("RPUSH, LPOP", queue, 16, data.clear_queues),
    Case("LRANGE 100", lrange, 4, data.store_items),
    _publish(1),
    _publish(100),
    _reading("XRANGE COUNT 1", xrange(1), 0.8, pipeline=16),
    _reading("XRANGE COUNT 100", xrange(100), 0.3),
    _reading("XRANGE COUNT 1000", xrange(1000), 0.2),
    _reading("XREVRANGE COUNT 100", xrevrange(100), 0.3),
    _reading("XREAD COUNT 100", xread(100), 0.3),
    _reading("XREAD COUNT 1000", xread(1000), None),
    Case(
        "XRANGE COUNT 100, cold",
        xrange_cold(100),
        prepare=data.store_cold,
        goal=None,
        distinct=200,
    ),
    _consuming("XREADGROUP COUNT 1", xreadgroup_new(1), 1, 16, data.fresh_group, 0.3, repeat=True),
    _consuming(
        "XREADGROUP COUNT 100", xreadgroup_new(100), 100, 1, data.fresh_group, 0.25, repeat=True
    ),
    _consuming("XACK of 1", xack(1), 1, 16, data.delivered_group, 0.7, repeat=False),
    _consuming("XACK of 100", xack(100), 100, 1, data.delivered_group, 0.4, repeat=False),
    Case(
        "XREADGROUP history of 10, others 1,000,000",
        history,
        prepare=data.million_pending,
        shares=_PENDING,
    ),
    _xadd_to_blocked("1,000 blocked in XREAD", 1, Readers(1_000, wait_for_next, 29, everyone=True)),
    _xadd_to_blocked(
        "1,000 blocked in XREADGROUP", CLIENTS, Readers(1_000, wait_in_group, 29, everyone=False)
    ),
    _xadd_durable("always", clients=1),
    _xadd_durable("always", rate_goal=1.2),
    _xadd_durable("always", pipeline=16, rate_goal=1.5),
    _xadd_durable("everysec", pipeline=16, rate_goal=1.3),
    replace(
        _consuming(
            "XREADGROUP COUNT 100", xreadgroup_new(100), 100, 1, data.fresh_group, 0.15, repeat=True
        ),
        fsync="everysec",
        shares=None,
    ),
)

CONTRASTS: tuple[Contrast, ...] = (
    _claiming("XAUTOCLAIM", claim_idle),
    _claiming("XREADGROUP CLAIM", read_claiming, HEADWATER),
    _claiming("XPENDING IDLE", list_idle),
    _managed("XREADGROUP COUNT 100", xreadgroup_new(100), data.managed_group, data.fresh_group),
    _managed("XACK of 100", xack(100), data.managed_delivered_group, data.delivered_group),
    _crowded("PING", Case("PING", ping)),
    _crowded("XADD", Case("XADD", xadd, prepare=data.clear_incoming, reply_lines=2)),
)


def select(patterns: tuple[str, ...]) -> tuple[Case, ...]:
    """The cases whose title contains one of the patterns (any case); all for no pattern.

    The name of a section stands for all its cases.
    """
    return tuple(case for case in CASES if matches(case.title, case.section, patterns))


def select_contrasts(patterns: tuple[str, ...]) -> tuple[Contrast, ...]:
    """The same of the contrasts."""
    return tuple(row for row in CONTRASTS if matches(row.title, row.section, patterns))


def matches(title: str, section: str, patterns: tuple[str, ...]) -> bool:
    """Whether the patterns of a command line ask for this row."""
    lowered = [pattern.lower() for pattern in patterns]
    return not lowered or any(p in title.lower() or p == section for p in lowered)
