"""What was measured, in one shape: a row for each figure that has a goal or could have one.

The baseline, the chart and the documents are made of rows; the tables of a run show more (see
`bench.report`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from bench.figures import TrialOutcome
from bench.run import ContrastOutcome, Outcome

NOISE = 0.03  # what misses its goal by no more of it is not told from what meets it

CPU, RATE, BURDEN, FIGURE = "cpu", "rate", "burden", "figure"  # what a row is about


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of all rounds. `theirs` is what it is compared with, where there is something:
    the reference's figure, or (BURDEN) the same server's without the burden."""

    kind: str
    section: str
    title: str
    unit: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...] = ()
    goal: float | None = None  # of the ratio
    limit: float | None = None  # of the value
    beside: tuple[tuple[float, ...], tuple[float, ...]] | None = None  # BURDEN: the reference's
    detail: bool = False  # not in the README

    @property
    def name(self) -> str:
        """Title and kind: no other row of a run has it."""
        return f"{self.title}: requests/s" if self.kind == RATE else self.title

    @property
    def higher_is_better(self) -> bool:
        return self.kind == RATE

    @property
    def value(self) -> float:
        return median(self.ours)

    @property
    def reference(self) -> float | None:
        """The median of what it is compared with; None without one that is above zero."""
        return (median(self.theirs) or None) if self.theirs else None

    @property
    def ratio(self) -> float | None:
        return None if self.reference is None else self.value / self.reference

    @property
    def spread(self) -> tuple[float, float]:
        """The lowest and the highest ratio of a round; values where there is no ratio."""
        pairs = tuple(zip(self.ours, self.theirs, strict=False))
        if self.reference is not None and all(other for _, other in pairs):
            single = [mine / other for mine, other in pairs]
        else:
            single = list(self.ours)
        return min(single), max(single)

    @property
    def goal_missed(self) -> bool:
        """Whether the ratio misses its goal by more than the noise."""
        if self.goal is None or self.ratio is None:
            return False
        if self.higher_is_better:
            return self.ratio < self.goal * (1 - NOISE)
        return self.ratio > self.goal * (1 + NOISE)

    @property
    def limit_missed(self) -> bool:
        """The same of the value."""
        return self.limit is not None and self.value > self.limit * (1 + NOISE)

    @property
    def missed(self) -> bool:
        return self.goal_missed or self.limit_missed


def rows_of(
    outcomes: Iterable[Outcome],
    contrasts: Iterable[ContrastOutcome],
    tried: Iterable[TrialOutcome],
    subject: str,
    reference: str,
) -> list[Row]:
    """All rows of a run; what failed has none."""
    rows: list[Row] = []
    for outcome in outcomes:
        if outcome.failure is None and subject in outcome.samples:
            rows += case_rows(outcome, subject, reference)
    for contrast in contrasts:
        if contrast.failure is None and subject in contrast.plain.samples:
            rows.append(contrast_row(contrast, subject, reference))
    for trial in tried:
        rows += [
            Row(
                FIGURE, trial.trial.section, figure.title, figure.unit,
                tuple(figure.samples[subject]), tuple(figure.samples.get(reference, ())),
                figure.goal, figure.limit, detail=figure.detail,
            )
            for figure in trial.figures
        ]  # fmt: skip
    return rows


def case_rows(outcome: Outcome, subject: str, reference: str) -> tuple[Row, Row]:
    """CPU per request, and requests per second."""
    case = outcome.case

    def both(figure: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
        ours, theirs = (
            tuple(getattr(sample, figure) for sample in outcome.samples.get(label, ()))
            for label in (subject, reference)
        )
        return ours, theirs

    return (
        Row(CPU, case.section, case.title, "us", *both("cpu_us"), case.goal),
        Row(RATE, case.section, case.title, "/s", *both("rate"), case.rate_goal),
    )


def contrast_row(outcome: ContrastOutcome, subject: str, reference: str) -> Row:
    """CPU per request with the burden, compared with that of the same server without it."""

    def of(label: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
        burdened, plain = (
            tuple(sample.cpu_us for sample in half.samples.get(label, ()))
            for half in (outcome.burdened, outcome.plain)
        )
        return burdened, plain

    contrast = outcome.contrast
    beside = of(reference) if outcome.plain.samples.get(reference) else None
    return Row(
        BURDEN, contrast.section, contrast.title, "us", *of(subject), contrast.goal, beside=beside
    )
