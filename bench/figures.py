"""Figures and trials: what is measured otherwise than as a closed loop of equal requests.

A trial yields figures: seconds, milliseconds, megabytes of both servers, once a round. The report
shows medians and their ratio. Lower is better in all of them.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench import data
from bench.cases import PERSISTENCE
from bench.run import CaseError, blaming
from bench.servers import Launch, Server, ServerError, waited_ns_of
from bench.wire import ReplyError, Word

MB = 1e6
_STILL_S = 1.0  # so long nothing may move before memory counts as settled
_STILL_SHARE = 0.005  # of resident memory
_STILL_BUSY = 0.02  # of a core
_STILL_STEP_S = 0.1
_STILL_TIMEOUT_S = 30.0
_RESET_PEAK = "5"  # to clear_refs: the peak of resident memory begins anew


@dataclass(slots=True)
class Figure:
    """One line of the report: a value for each round and server; lower is better.

    `goal` is a ratio to redis-server's value, `limit` a value: one, both or neither to reach.
    """

    title: str
    unit: str
    goal: float | None = None
    limit: float | None = None
    samples: dict[str, list[float]] = field(default_factory=dict)
    detail: bool = False  # shown beside others in the full tables, not in the README

    def add(self, label: str, value: float) -> None:
        self.samples.setdefault(label, []).append(value)

    def median(self, label: str) -> float:
        return median(self.samples[label])

    def ratios(self, label: str, reference: str) -> list[float]:
        """Round by round relative to the reference: their spread is the noise."""
        pairs = zip(self.samples[label], self.samples[reference], strict=True)
        return [mine / other if other else float("inf") for mine, other in pairs]


@dataclass(frozen=True, slots=True)
class Plan:
    """How long a trial may take, and with how much data."""

    core: int  # of the servers
    rounds: int
    seconds: float  # of a round
    scale: float = 1.0  # of the amounts of data; titles name the amounts really used

    def amount(self, full: int) -> int:
        """So many of what a full run takes `full` of."""
        return max(1, int(full * self.scale))


Measure = Callable[[tuple[Launch, ...], Plan], list[Figure]]


@dataclass(frozen=True, slots=True)
class Trial:
    """One row of `bench.trials.TRIALS`."""

    name: str  # what --case matches
    measure: Measure
    section: str = PERSISTENCE  # where its figures stand in the report
    rounds: int | None = None  # at most so many: what it prepares takes long, or it hardly varies


@dataclass(slots=True)
class TrialOutcome:
    """The figures of one trial; or the reason why there are none."""

    trial: Trial
    figures: list[Figure] = field(default_factory=list)
    failure: str | None = None
    disturbed: float = 0.0  # share of the time that other processes took from the load generator


def run_trial(trial: Trial, launches: tuple[Launch, ...], plan: Plan) -> TrialOutcome:
    """Measure; what goes wrong is told in the outcome."""
    outcome = TrialOutcome(trial)
    if trial.rounds is not None and trial.rounds < plan.rounds:
        plan = Plan(plan.core, trial.rounds, plan.seconds, plan.scale)
    waited, began = waited_ns_of(os.getpid()), time.monotonic_ns()
    try:
        outcome.figures = trial.measure(launches, plan)
    except (CaseError, ServerError, ReplyError, OSError) as error:
        outcome.failure = str(error)
    lost = waited_ns_of(os.getpid()) - waited
    outcome.disturbed = lost / (time.monotonic_ns() - began)
    return outcome


def turns(launches: tuple[Launch, ...], rounds: int) -> list[Launch]:
    """The servers of all rounds one after the other: A B, B A, A B, ..."""
    return [
        launch
        for number in range(rounds)
        for launch in (launches if number % 2 == 0 else reversed(launches))
    ]


def checked(server: Server, *words: Word) -> None:
    """Send a request that must not fail."""
    with blaming(server):
        server.control.call(*words)


def resident(pid: int) -> int:
    """Bytes resident in memory now."""
    return _status(pid, "VmRSS")


def resident_peak(pid: int) -> int:
    """Bytes resident in memory at most, since the start or the last `forget_peak`."""
    return _status(pid, "VmHWM")


def forget_peak(pid: int) -> None:
    """Let the peak of resident memory begin anew."""
    Path(f"/proc/{pid}/clear_refs").write_text(_RESET_PEAK)


def settled_memory(server: Server) -> int:
    """Bytes resident once work in the background, compression included, is done.

    A server that names the blocks still to be packed is asked; of any server memory and CPU have to
    keep still for _STILL_S. Waits _STILL_TIMEOUT_S at most.
    """
    end = time.monotonic() + _STILL_TIMEOUT_S
    since, memory, cpu = time.monotonic(), resident(server.pid), server.cpu_ns()
    while (now := time.monotonic()) < end:
        if now - since >= _STILL_S and data.packed(server.control):
            break
        time.sleep(_STILL_STEP_S)
        found, used = resident(server.pid), server.cpu_ns()
        moved = abs(found - memory) > memory * _STILL_SHARE
        if moved or used - cpu > (time.monotonic() - now) * _STILL_BUSY * 1e9:
            since, memory = time.monotonic(), found
        cpu = used
    return resident(server.pid)


def _status(pid: int, name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    if found is None:
        raise CaseError(f"no {name} in /proc")
    return int(found[1]) * 1024
