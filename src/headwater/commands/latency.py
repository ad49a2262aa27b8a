"""What took long: a short history of latency for each event, and LATENCY, which shows it.

Events are recorded when they take `latency-monitor-threshold` ms or more; the dispatcher and
the server do that. The distribution of all calls of a command is in `Command.durations`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from headwater import errors
from headwater.commands.help import help_of
from headwater.commands.latency_report import doctor, graph
from headwater.commands.table import command

if TYPE_CHECKING:
    from headwater.commands.session import Session
    from headwater.commands.table import Command
    from headwater.resp.reply import Reply
    from headwater.resp.request import Request

MAX_SAMPLES = 160
"""Samples kept of an event, one a second at most (as Redis)."""


class LatencyEvent:
    """The latest samples of one event, as (unix time in s, ms), and its worst ever."""

    __slots__ = ("max_ms", "samples")

    def __init__(self) -> None:
        self.samples: deque[tuple[int, int]] = deque(maxlen=MAX_SAMPLES)
        self.max_ms = 0

    def add(self, time_s: int, took_ms: int) -> None:
        """Add a sample; of those in one second the longest is kept."""
        self.max_ms = max(self.max_ms, took_ms)
        if self.samples and self.samples[-1][0] == time_s:
            if took_ms > self.samples[-1][1]:
                self.samples[-1] = (time_s, took_ms)
        else:
            self.samples.append((time_s, took_ms))


class LatencyMonitor:
    """The events that took long, by name."""

    __slots__ = ("events",)

    def __init__(self) -> None:
        self.events: dict[bytes, LatencyEvent] = {}

    def record(self, event: bytes, now_ms: int, took_ms: int) -> None:
        """Note that something took `took_ms` and ended at the unix time `now_ms`.

        The names of events are the server's own, so there are only a few.
        """
        found = self.events.get(event)
        if found is None:
            found = self.events[event] = LatencyEvent()
        found.add(now_ms // 1000, took_ms)

    def reset(self, names: list[bytes]) -> int:
        """Forget these events, or all if none is named; return how many were known."""
        if not names:
            count = len(self.events)
            self.events.clear()
            return count
        return sum(self.events.pop(name, None) is not None for name in names)


@command("LATENCY LATEST")
def latency_latest(session: Session, request: Request, reply: Reply) -> None:
    """Of each event: name, when it was last recorded, that latency and the worst ever, in ms."""
    events = session.state.latency.events
    reply.array(len(events))
    for name, event in events.items():
        time_s, took_ms = event.samples[-1]
        reply.array(4)
        reply.bulk(name)
        reply.integer(time_s)
        reply.integer(took_ms)
        reply.integer(event.max_ms)


@command("LATENCY HISTORY")
def latency_history(session: Session, request: Request, reply: Reply) -> None:
    """The samples of an event, oldest first: unix time and ms. Nothing for an unknown event."""
    event = session.state.latency.events.get(request.arg(2))
    if event is None:
        reply.array(0)
        return
    reply.array(len(event.samples))
    for time_s, took_ms in event.samples:
        reply.array(2)
        reply.integer(time_s)
        reply.integer(took_ms)


@command("LATENCY RESET")
def latency_reset(session: Session, request: Request, reply: Reply) -> None:
    """Forget the named events, or all of them; the reply is how many."""
    names = [request.arg(i) for i in range(2, request.argc)]
    reply.integer(session.state.latency.reset(names))


@command("LATENCY GRAPH")
def latency_graph(session: Session, request: Request, reply: Reply) -> None:
    """Draw the samples of an event."""
    name = request.arg(2)
    event = session.state.latency.events.get(name)
    if event is None:
        raise errors.NO_LATENCY_SAMPLES.error(name)
    now_s = session.state.clock.now_ms // 1000
    reply.verbatim(graph(name.decode(), list(event.samples), event.max_ms, now_s).encode())


@command("LATENCY DOCTOR")
def latency_doctor(session: Session, request: Request, reply: Reply) -> None:
    """Describe the recorded events in words."""
    state = session.state
    events = {
        name.decode(): (list(event.samples), event.max_ms)
        for name, event in state.latency.events.items()
    }
    reply.verbatim(doctor(events, state.latency_threshold_ms).encode())


@command("LATENCY HISTOGRAM")
def latency_histogram(session: Session, request: Request, reply: Reply) -> None:
    """Of each named command that was called, or of all: calls, and how they are distributed.

    The distribution tells, for powers of two in microseconds, how many calls took no longer;
    a power at which no call was added is left out. A container stands for its subcommands.
    """
    table = session.state.table
    found: dict[bytes, Command] = {}
    if request.argc == 2:
        found = dict(table.everything)
    for i in range(2, request.argc):
        one = table.find(request.arg(i))
        if one is None:
            continue
        found[one.name] = one
        for subcommand in (one.subcommands or {}).values():
            found[subcommand.name] = subcommand
    called = [one for one in found.values() if one.calls]
    reply.map(len(called))
    for one in called:
        counts = one.duration_counts()
        reply.bulk(one.name)
        reply.map(2)
        reply.bulk(b"calls")
        reply.integer(one.calls)
        reply.bulk(b"histogram_usec")
        reply.map(len(counts))
        total = 0
        for limit_us, count in counts:
            total += count
            reply.integer(limit_us)
            reply.integer(total)


command("LATENCY HELP")(help_of("LATENCY"))
