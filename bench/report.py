"""The report: a table for each section, drawn by rich on a terminal, else as Markdown; and JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from bench.cases import MEMORY, PERSISTENCE
from bench.chart import draw
from bench.run import Outcome
from bench.trials import Figure, TrialOutcome

BUSY_ENOUGH = 0.95  # below it the load generator, not the server, may have set the throughput
NOISE = 0.03  # a ratio that misses its goal by no more is not told from one that meets it
DISTURBED = 0.05  # share of a core lost to other processes from which on the report warns


@dataclass(frozen=True, slots=True)
class Table:
    """What is drawn: the first column to the left, the others to the right."""

    title: str
    header: list[str]
    rows: list[list[str]]

    def markdown(self) -> str:
        """The table as Markdown, under its title."""
        marks = ["---", *("---:" for _ in self.header[1:])]
        lines = (self.header, marks, *self.rows)
        table = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
        return f"**{self.title}**\n\n{table}"


@dataclass(frozen=True, slots=True)
class Report:
    """Outcomes of one run; `subject` is compared with `reference`."""

    subject: str
    reference: str
    machine: dict[str, str]
    settings: dict[str, float]
    outcomes: list[Outcome]
    tried: list[TrialOutcome] = field(default_factory=list)

    def header(self) -> list[str]:
        """Column titles of the cases."""
        both = f"{self.subject} / {self.reference}"
        cpu = [f"CPU us {both}", "ratio", "spread", "goal"]
        return ["case", *cpu, f"requests/s {both}", "ratio", "goal", f"busy {both}"]

    def rows(self, section: str | None = None) -> list[list[str]]:
        """One row for each case; a failed case has its reason instead of figures."""
        return [self._row(o) for o in self.outcomes if section in (None, o.case.section)]

    def trial_header(self) -> list[str]:
        """Column titles of the trials."""
        return ["trial", f"{self.subject} / {self.reference}", "ratio", "spread", "goal"]

    def trial_rows(self) -> list[list[str]]:
        """One row for each figure of a trial; a failed trial has its reason."""
        rows = []
        for outcome in self.tried:
            if outcome.failure is not None:
                rows.append([outcome.trial.name, _failed(outcome.failure), "", "", ""])
            rows += [self._trial_row(figure) for figure in outcome.figures]
        return rows

    def tables(self) -> list[Table]:
        """Cases by section, then the trials; nothing that is empty."""
        tables = [
            Table(f"Cases, {section}", self.header(), self.rows(section))
            for section in (MEMORY, PERSISTENCE)
        ]
        tables.append(Table("Trials, persistence", self.trial_header(), self.trial_rows()))
        return [table for table in tables if table.rows]

    def markdown(self) -> str:
        """Tables and description as Markdown."""
        return "\n\n".join([*(table.markdown() for table in self.tables()), self.notes()]) + "\n"

    def notes(self) -> str:
        """How to read the table, what it was made on, and what disturbed it."""
        paragraphs = [
            "CPU us: microseconds (user + system) of the server for a request. Medians of the "
            f"rounds; ratios are {self.subject} to {self.reference}: lower is better for CPU, "
            "higher for requests/s. spread: lowest and highest ratio of a round (of CPU in cases). "
            f"!: misses its goal by more than the noise ({NOISE:g}). busy: share of its core that "
            f"the server used; ~: below {BUSY_ENOUGH:.0%}, so the load generator, or under always "
            "the disk, may have set the throughput."
        ]
        facts = [f"{name}: {value}" for name, value in self.machine.items()]
        facts += [f"{name}: {value:g}" for name, value in self.settings.items()]
        paragraphs.append("; ".join(facts))
        disturbed = [f"{title} {share:.0%}" for title, share in self._disturbed()]
        if disturbed:
            paragraphs.append(
                "Other processes took part of a core away, so requests/s and busy are too low for: "
                + ", ".join(disturbed)
            )
        return "\n\n".join(paragraphs)

    def write_json(self, path: Path) -> None:
        """Everything measured, every round of it, for a later comparison."""
        document = {
            "subject": self.subject,
            "reference": self.reference,
            "machine": self.machine,
            "settings": self.settings,
            "cases": [self._entry(outcome) for outcome in self.outcomes],
            "trials": [_trial_entry(outcome) for outcome in self.tried],
        }
        path.write_text(json.dumps(document, indent=1) + "\n")

    def chart(self) -> str:
        """The CPU ratios as an SVG."""
        caption = "; ".join(self.machine[name] for name in ("cpu", "headwater", "redis"))
        return draw(self.outcomes, self.subject, self.reference, caption)

    def print(self) -> None:
        """Draw the table on standard output."""
        try:
            from rich import box
            from rich.console import Console
            from rich.table import Table as RichTable
        except ImportError:
            print(self.markdown())
            return
        console = Console()
        if not console.is_terminal:
            print(self.markdown())
            return
        for table in self.tables():
            drawn = RichTable(title=table.title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
            for number, title in enumerate(table.header):
                drawn.add_column(title, justify="right" if number else "left", overflow="fold")
            for row in table.rows:
                drawn.add_row(*row)
            console.print(drawn)
        console.print(self.notes(), markup=False, highlight=False)

    def _entry(self, outcome: Outcome) -> dict[str, object]:
        entry: dict[str, object] = {
            "case": outcome.case.title,
            "goal": outcome.case.goal,
            "rate_goal": outcome.case.rate_goal,
            "failure": outcome.failure,
        }
        if outcome.failure is not None:
            return entry
        for label, samples in outcome.samples.items():
            entry[label] = {
                "cpu_us": outcome.median("cpu_us", label),
                "rate": outcome.median("rate", label),
                "busy": outcome.median("busy", label),
                "rounds": [
                    {
                        "requests": sample.requests,
                        "cpu_ns": sample.cpu_ns,
                        "wall_ns": sample.wall_ns,
                        "waited_ns": sample.waited_ns,
                        "load_waited_ns": sample.load_waited_ns,
                    }
                    for sample in samples
                ],
            }
        return entry

    def _row(self, outcome: Outcome) -> list[str]:
        if outcome.failure is not None:
            blank = [""] * (len(self.header()) - 2)
            return [outcome.case.title, _failed(outcome.failure), *blank]
        ours, theirs = self.subject, self.reference
        cpu, cpu_reference = (outcome.median("cpu_us", label) for label in (ours, theirs))
        rate, rate_reference = (outcome.median("rate", label) for label in (ours, theirs))
        spread = outcome.cpu_ratios(ours, theirs)
        goal, rate_goal = outcome.case.goal, outcome.case.rate_goal
        missed = goal is not None and cpu / cpu_reference > goal + NOISE
        rate_missed = rate_goal is not None and rate / rate_reference < rate_goal - NOISE
        return [
            outcome.case.title,
            f"{cpu:.2f} / {cpu_reference:.2f}",
            f"{cpu / cpu_reference:.2f}" + (" !" if missed else ""),
            f"{min(spread):.2f}-{max(spread):.2f}",
            _goal(goal),
            f"{_short(rate)} / {_short(rate_reference)}",
            f"{rate / rate_reference:.2f}" + (" !" if rate_missed else ""),
            _goal(rate_goal),
            " / ".join(_busy(outcome.median("busy", label)) for label in (ours, theirs)),
        ]

    def _trial_row(self, figure: Figure) -> list[str]:
        ours, theirs = figure.median(self.subject), figure.median(self.reference)
        spread = figure.ratios(self.subject, self.reference)
        missed = figure.goal is not None and ours / theirs > figure.goal + NOISE
        return [
            figure.title,
            f"{ours:.3g} / {theirs:.3g} {figure.unit}",
            f"{ours / theirs:.2f}" + (" !" if missed else ""),
            f"{min(spread):.2f}-{max(spread):.2f}",
            _goal(figure.goal),
        ]

    def _disturbed(self) -> list[tuple[str, float]]:
        found = []
        for outcome in self.outcomes:
            if outcome.failure is None:
                share = max(outcome.median("disturbed", label) for label in outcome.samples)
                if share >= DISTURBED:
                    found.append((outcome.case.title, share))
        return found


def _trial_entry(outcome: TrialOutcome) -> dict[str, object]:
    figures = [
        {
            "figure": figure.title,
            "unit": figure.unit,
            "goal": figure.goal,
            **{
                label: {"median": figure.median(label), "rounds": figure.samples[label]}
                for label in figure.samples
            },
        }
        for figure in outcome.figures
    ]
    return {"trial": outcome.trial.name, "failure": outcome.failure, "figures": figures}


def _failed(failure: str) -> str:
    """The first line of a failure, fit for a cell."""
    return "FAILED: " + failure.splitlines()[0].rstrip(":").replace("|", "/")


def _goal(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"


def _short(rate: float) -> str:
    """Three digits or more, with the unit's letter: 9.40k, 925k, 1.12M."""
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if rate >= unit:
            value = rate / unit
            digits = 2 if value < 10 else 1 if value < 100 else 0
            return f"{value:.{digits}f}{letter}"
    return f"{rate:.0f}"


def _busy(share: float) -> str:
    return f"{share:.0%}" + (" ~" if share < BUSY_ENOUGH else "")
