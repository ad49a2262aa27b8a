"""Rounds: every case on both servers in turn (A B, B A, A B, ...), and what was measured.

The order within a round alternates, so that a machine that grows slower over the run burdens both.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from statistics import median

from bench.blocked import BlockedLoad
from bench.cases import MESSAGE, Case, Contrast
from bench.crowd import crowd
from bench.listening import ListeningLoad
from bench.load import Load, LoadError
from bench.servers import Launch, Server, ServerError, waited_ns_of
from bench.wire import ReplyError

WARM_UP_S = 0.1
MAX_PREPARATION = 3.0  # a round ends early when its wall time is so many times what was asked for


class CaseError(Exception):
    """The case could not be measured; the text says on which server and why."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One server's part of a round: all its spans added up."""

    requests: int
    cpu_ns: int  # of the server, user and system
    wall_ns: int
    waited_ns: int  # the server was ready to run, but another process had its core
    load_waited_ns: int  # the same of the load generator

    @property
    def cpu_us(self) -> float:
        """Server CPU microseconds per request."""
        return self.cpu_ns / self.requests / 1e3

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.wall_ns * 1e9

    @property
    def busy(self) -> float:
        """Share of the time it could have that the server used: near 1.0 the load was enough."""
        return min(1.0, self.cpu_ns / max(1, self.wall_ns - self.waited_ns))

    @property
    def disturbed(self) -> float:
        """Share of the time that other processes took from the server or the load generator."""
        return max(self.waited_ns, self.load_waited_ns) / self.wall_ns


@dataclass(slots=True)
class Outcome:
    """All samples of one case, by server label; or the reason why there are none."""

    case: Case
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    failure: str | None = None

    def median(self, figure: str, label: str) -> float:
        """Median over the rounds of a figure of Sample, by the property's name."""
        values: list[float] = [getattr(sample, figure) for sample in self.samples[label]]
        return median(values)

    def cpu_ratios(self, label: str, reference: str) -> list[float]:
        """CPU per request relative to the reference, round by round: their spread is the noise."""
        pairs = zip(self.samples[label], self.samples[reference], strict=True)
        return [mine.cpu_us / other.cpu_us for mine, other in pairs]


@dataclass(slots=True)
class ContrastOutcome:
    """Two outcomes, of the same servers, round by round."""

    contrast: Contrast
    burdened: Outcome
    plain: Outcome
    failure: str | None = None

    def ratios(self, label: str) -> list[float]:
        """CPU per request of the burdened case relative to the plain one, round by round."""
        pairs = zip(self.burdened.samples[label], self.plain.samples[label], strict=True)
        return [loaded.cpu_us / plain.cpu_us for loaded, plain in pairs]


class Pool:
    """The servers of a case, kept for the next if that shares them. Use as a context manager."""

    def __init__(self, launches: tuple[Launch, ...], core: int | None) -> None:
        self._launches = launches
        self._core = core
        self._stack = ExitStack()
        self._key: tuple[object, ...] | None = None
        self._servers: tuple[Server, ...] = ()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.drop()

    def servers(self, case: Case) -> tuple[Server, ...]:
        """One server of each kind that knows the case's command; fresh unless it shares them."""
        key = (case.shares, case.settings)
        if case.shares is None or key != self._key:
            self.drop()
            self._servers = tuple(
                self._stack.enter_context(Server(launch, self._core, case.settings))
                for launch in self._launches
            )
            self._key = key
        return tuple(server for server in self._servers if server.launch.kind in case.kinds)

    def drop(self) -> None:
        """End the servers: after a failure nobody knows what state they are in."""
        self._key, self._servers = None, ()
        self._stack.close()


def run_case(
    case: Case,
    launches: tuple[Launch, ...],
    core: int,
    rounds: int,
    seconds: float,
    pool: Pool | None = None,
) -> Outcome:
    """Measure one case on servers of the pool; what goes wrong is told in the outcome."""
    outcome = Outcome(case, {launch.label: [] for launch in launches if launch.kind in case.kinds})
    with ExitStack() as stack:
        pool = pool or stack.enter_context(Pool(launches, core))
        try:
            _rounds((case,), pool.servers(case), rounds, seconds, (outcome.samples,))
        except (CaseError, ServerError) as error:
            outcome.failure = str(error)
            pool.drop()
    return outcome


def run_contrast(
    contrast: Contrast,
    launches: tuple[Launch, ...],
    core: int,
    rounds: int,
    seconds: float,
    pool: Pool | None = None,
) -> ContrastOutcome:
    """Measure both cases of a contrast in alternation on the same servers."""
    cases = (contrast.plain, contrast.burdened)
    plain, burdened = (
        Outcome(case, {launch.label: [] for launch in launches if launch.kind in case.kinds})
        for case in cases
    )
    outcome = ContrastOutcome(contrast, burdened, plain)
    with ExitStack() as stack:
        pool = pool or stack.enter_context(Pool(launches, core))
        try:
            servers = pool.servers(contrast.burdened)  # with room for what it burdens them with
            _rounds(cases, servers, rounds, seconds, (plain.samples, burdened.samples))
        except (CaseError, ServerError) as error:
            outcome.failure = str(error)
            pool.drop()
    return outcome


def _rounds(
    cases: tuple[Case, ...],
    servers: tuple[Server, ...],
    rounds: int,
    seconds: float,
    samples: tuple[dict[str, list[Sample]], ...],
) -> None:
    """Measure all cases in each round, on one server after the other."""
    with ExitStack() as stack:
        runs: dict[tuple[str, int], _Run] = {}
        for number, case in enumerate(cases):
            batches = case.batches()
            sizes = _probe(case, servers, batches[0][0])
            for server in servers:
                run = _Run(case, server, batches, sizes[server.label])
                runs[server.label, number] = stack.enter_context(run)
        for run in runs.values():
            run.round(WARM_UP_S)
        for turn in range(rounds):
            for server in servers if turn % 2 == 0 else reversed(servers):
                for number in range(len(cases)):
                    sample = runs[server.label, number].round(seconds)
                    samples[number][server.label].append(sample)


def _load_of(case: Case, port: int) -> Load | BlockedLoad | ListeningLoad:
    if case.readers is not None:
        return BlockedLoad(port, case.clients, case.readers)
    if case.listeners:
        return ListeningLoad(port, case.clients, case.listeners, MESSAGE)
    return Load(port, case.clients)


class _Run:
    """One case on one server: its connections and what they send."""

    def __init__(self, case: Case, server: Server, batches: list[list[bytes]], size: int) -> None:
        self._case = case
        self._server = server
        self._batches = batches
        self._size = size
        with blaming(server):
            self._load = _load_of(case, server.port)

    def __enter__(self) -> _Run:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._load.close()

    def round(self, seconds: float) -> Sample:
        """Measure spans for so many seconds, among the case's crowd."""
        with blaming(self._server), crowd(self._server.port, self._case.crowd):
            return _round(self._case, self._server, self._load, self._batches, self._size, seconds)


def _round(
    case: Case,
    server: Server,
    load: Load | BlockedLoad | ListeningLoad,
    batches: list[list[bytes]],
    size: int,
    seconds: float,
) -> Sample:
    requests = cpu_ns = wall_ns = waited_ns = load_waited_ns = 0
    started = time.monotonic()
    while not requests or (
        case.span is not None
        and wall_ns < seconds * 1e9
        and time.monotonic() - started < seconds * MAX_PREPARATION
    ):
        case.prepare(server.control)
        server.settle()
        feeds = case.feeds(batches)
        waited, load_waited = server.waited_ns(), waited_ns_of(os.getpid())
        cpu, wall = server.cpu_ns(), time.monotonic_ns()
        answered = load.run(
            feeds,
            size,
            lines=case.reply_lines is not None,
            seconds=seconds if case.span is None else None,
        )
        wall_ns += time.monotonic_ns() - wall
        if case.readers is not None:
            server.settle()  # the last requests by which readers block again are part of it
        cpu_ns += server.cpu_ns() - cpu
        waited_ns += server.waited_ns() - waited
        load_waited_ns += waited_ns_of(os.getpid()) - load_waited
        requests += answered * case.pipeline
    return Sample(requests, cpu_ns, wall_ns, waited_ns, load_waited_ns)


def _probe(case: Case, servers: tuple[Server, ...], batch: bytes) -> dict[str, int]:
    """Ask each server the first batch once; return what its replies measure (see Load.run).

    Replies that do not carry a generated ID have to be the same bytes from every server.
    """
    replies: dict[str, bytes] = {}
    for server in servers:
        with blaming(server):
            case.prepare(server.control)
            replies[server.label] = server.control.probe(batch, case.pipeline)
    if case.reply_lines is not None:
        expected = case.reply_lines * case.pipeline
        for label, reply in replies.items():
            if reply.count(b"\n") != expected:
                raise CaseError(f"{label}: {reply.count(10)} lines of reply, expected {expected}")
        return dict.fromkeys(replies, expected)
    if len(set(replies.values())) > 1:
        raise CaseError(f"the servers differ: {_difference(replies)}")
    return {label: len(reply) for label, reply in replies.items()}


def _difference(replies: dict[str, bytes]) -> str:
    first, second = list(replies.values())[:2]
    shared = min(len(first), len(second))
    at = next((i for i in range(shared) if first[i] != second[i]), shared)
    start = max(0, at - 20)
    shown = (f"{label} {raw[start : at + 30]!r}" for label, raw in replies.items())
    return f"from byte {at} on: {', '.join(shown)}"


@contextmanager
def blaming(server: Server) -> Iterator[None]:
    """Turn a failure of a request into a CaseError that names the server."""
    try:
        yield
    except (ReplyError, LoadError, OSError, RuntimeError) as error:
        server.check_alive()
        raise CaseError(f"{server.label}: {error}") from error
