"""Trials: what is measured otherwise than as a closed loop of equal requests.

A trial yields figures: seconds, milliseconds, megabytes of both servers, once a round. The report
shows medians and their ratio.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from bench.run import CaseError, blaming
from bench.servers import Launch, Server, ServerError
from bench.wire import Control, ReplyError, Word


@dataclass(slots=True)
class Figure:
    """One line of the report: a value for each round and server; lower is better."""

    title: str
    unit: str
    goal: float | None = None  # ratio to redis-server's to reach
    samples: dict[str, list[float]] = field(default_factory=dict)

    def add(self, label: str, value: float) -> None:
        self.samples.setdefault(label, []).append(value)

    def median(self, label: str) -> float:
        return median(self.samples[label])

    def ratios(self, label: str, reference: str) -> list[float]:
        """Round by round relative to the reference: their spread is the noise."""
        pairs = zip(self.samples[label], self.samples[reference], strict=True)
        return [mine / other for mine, other in pairs]


Measure = Callable[[tuple[Launch, ...], int, int, float], list[Figure]]


@dataclass(frozen=True, slots=True)
class Trial:
    """`measure` takes the servers, their core, rounds and the seconds of a round."""

    name: str  # what --case matches
    measure: Measure


@dataclass(slots=True)
class TrialOutcome:
    """The figures of one trial; or the reason why there are none."""

    trial: Trial
    figures: list[Figure] = field(default_factory=list)
    failure: str | None = None


def run_trial(
    trial: Trial, launches: tuple[Launch, ...], core: int, rounds: int, seconds: float
) -> TrialOutcome:
    """Measure; what goes wrong is told in the outcome."""
    outcome = TrialOutcome(trial)
    try:
        outcome.figures = trial.measure(launches, core, rounds, seconds)
    except (CaseError, ServerError, ReplyError, OSError) as error:
        outcome.failure = str(error)
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


def info(control: Control, section: str) -> dict[str, str]:
    """The fields of a section of INFO."""
    text = control.call("INFO", section)
    if not isinstance(text, bytes):
        raise ReplyError(f"INFO {section} answered {text!r}")
    pairs = (line.partition(":") for line in text.decode().splitlines())
    return {name: value for name, separator, value in pairs if separator}
