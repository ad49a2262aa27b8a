"""The report: a table for each section, drawn by rich on a terminal, else as Markdown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bench.cases import EMBEDDED, LATENCY, MEMORY, PERSISTENCE, REQUESTS
from bench.figures import Figure, TrialOutcome
from bench.rows import NOISE, Row, case_rows, contrast_row, rows_of
from bench.run import ContrastOutcome, Outcome

BUSY_ENOUGH = 0.95  # below it the load generator, not the server, may have set the throughput
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
    contrasts: list[ContrastOutcome] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether anything could not be measured."""
        groups = (self.outcomes, self.tried, self.contrasts)
        return any(outcome.failure for group in groups for outcome in group)

    def figures(self) -> list[Row]:
        """All that was measured, as rows."""
        return rows_of(self.outcomes, self.contrasts, self.tried, self.subject, self.reference)

    def header(self) -> list[str]:
        """Column titles of the cases."""
        both = f"{self.subject} / {self.reference}"
        cpu = [f"CPU us {both}", "ratio", "spread", "goal"]
        return ["case", *cpu, f"requests/s {both}", "ratio", "goal", f"busy {both}"]

    def rows(self, section: str | None = None) -> list[list[str]]:
        """One row for each case; a failed case has its reason instead of figures."""
        return [self._row(o) for o in self.outcomes if section in (None, o.case.section)]

    def contrast_header(self) -> list[str]:
        """Column titles of the contrasts."""
        cells = [f"CPU us {self.subject}", "ratio", "spread", "goal"]
        return ["with / without", *cells, f"CPU us {self.reference}", "ratio"]

    def contrast_rows(self) -> list[list[str]]:
        """One row for each contrast."""
        return [self._contrast_row(outcome) for outcome in self.contrasts]

    def trial_header(self) -> list[str]:
        """Column titles of the trials."""
        return ["trial", f"{self.subject} / {self.reference}", "ratio", "spread", "goal"]

    def trial_rows(self, section: str | None = None) -> list[list[str]]:
        """One row for each figure of a trial; a failed trial has its reason."""
        rows = []
        for outcome in self.tried:
            if section not in (None, outcome.trial.section):
                continue
            if outcome.failure is not None:
                rows.append([outcome.trial.name, _failed(outcome.failure), "", "", ""])
            rows += [self._trial_row(figure) for figure in outcome.figures]
        return rows

    def tables(self) -> list[Table]:
        """Cases and trials by section; nothing that is empty."""
        cases, trials = self.header(), self.trial_header()
        tables = [
            Table("Requests", cases, self.rows(REQUESTS)),
            Table("Scale: one server with a burden and without", self.contrast_header(),
                  self.contrast_rows()),
            Table("Memory", trials, self.trial_rows(MEMORY)),
            Table("Latency and start", trials, self.trial_rows(LATENCY)),
            Table("Requests with the journal", cases, self.rows(PERSISTENCE)),
            Table("Persistence", trials, self.trial_rows(PERSISTENCE)),
            Table("In the program's own process", trials, self.trial_rows(EMBEDDED)),
        ]  # fmt: skip
        return [table for table in tables if table.rows]

    def markdown(self) -> str:
        """Tables and description as Markdown."""
        return "\n\n".join([*(table.markdown() for table in self.tables()), self.notes()]) + "\n"

    def notes(self) -> str:
        """How to read the tables, what they were made on, what misses its goal, what disturbed."""
        paragraphs = [
            "CPU us: microseconds (user + system) of the server for a request. Medians of the "
            f"rounds; ratios are {self.subject} to {self.reference}: lower is better for CPU and "
            "trials, higher for requests/s. spread: lowest and highest ratio of a round (of CPU in "
            "cases). goal: of the ratio; with <= and a unit: of the value. "
            f"!: misses its goal by more than the noise ({NOISE:.0%}). busy: share of its core "
            f"that the server used; ~: below {BUSY_ENOUGH:.0%}, so the load generator, or under "
            "always the disk, may have set the throughput."
        ]
        facts = [f"{name}: {value}" for name, value in self.machine.items()]
        facts += [f"{name}: {value:g}" for name, value in self.settings.items()]
        paragraphs.append("; ".join(facts))
        missed = self.missed()
        if missed:
            paragraphs.append("Short of the goal: " + "; ".join(missed))
        disturbed = [f"{title} {share:.0%}" for title, share in self._disturbed()]
        if disturbed:
            paragraphs.append(
                "Other processes took part of a core away: requests/s and busy are too low, "
                "latencies too high, for: " + ", ".join(disturbed)
            )
        return "\n\n".join(paragraphs)

    def missed(self) -> list[str]:
        """The rows that fall short, each with its figure and its goal."""
        found = []
        for row in self.figures():
            if row.goal_missed and row.ratio is not None and row.goal is not None:
                found.append(f"{row.name} ({plain(row.ratio)}, goal {row.goal:.2f})")
            if row.limit_missed and row.limit is not None:
                unit = row.unit
                found.append(f"{row.name} ({row.value:.3g} {unit}, goal {row.limit:g} {unit})")
        return found

    def print(self) -> None:
        """Draw the tables on standard output."""
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

    def _row(self, outcome: Outcome) -> list[str]:
        if outcome.failure is not None:
            blank = [""] * (len(self.header()) - 2)
            return [outcome.case.title, _failed(outcome.failure), *blank]
        cpu, rate = case_rows(outcome, self.subject, self.reference)
        labels = [label for label in (self.subject, self.reference) if label in outcome.samples]
        return [
            outcome.case.title,
            _both(cpu, "{:.2f}".format),
            _ratio(cpu),
            _spread(cpu),
            goals(cpu),
            _both(rate, short),
            _ratio(rate),
            goals(rate),
            " / ".join(_busy(outcome.median("busy", label)) for label in labels),
        ]

    def _contrast_row(self, outcome: ContrastOutcome) -> list[str]:
        if outcome.failure is not None:
            return [outcome.contrast.title, _failed(outcome.failure), "", "", "", "", ""]
        row = contrast_row(outcome, self.subject, self.reference)
        cells = [row.title, _both(row, "{:.2f}".format), _ratio(row), _spread(row), goals(row)]
        if row.beside is None:
            return [*cells, "unknown to it", ""]
        other = Row(row.kind, row.section, row.title, row.unit, *row.beside)
        return [*cells, _both(other, "{:.2f}".format), _ratio(other)]

    def _trial_row(self, figure: Figure) -> list[str]:
        row = Row(
            "", "", figure.title, figure.unit, tuple(figure.samples[self.subject]),
            tuple(figure.samples.get(self.reference, ())), figure.goal, figure.limit,
        )  # fmt: skip
        value = _both(row, digits) + f" {row.unit}" + (" !" if row.limit_missed else "")
        return [row.title, value, _ratio(row), _spread(row), goals(row)]

    def _disturbed(self) -> list[tuple[str, float]]:
        found = []
        for outcome in self.outcomes:
            if outcome.failure is None:
                share = max(outcome.median("disturbed", label) for label in outcome.samples)
                if share >= DISTURBED:
                    found.append((outcome.case.title, share))
        found += [
            (trial.trial.name, trial.disturbed)
            for trial in self.tried
            if trial.disturbed >= DISTURBED
        ]
        return found


def goals(row: Row) -> str:
    """The goals of a row: "0.60", "<= 20 ms", or both."""
    parts = [] if row.goal is None else [f"{row.goal:.2f}"]
    if row.limit is not None:
        parts.append(f"<= {row.limit:g} {row.unit}")
    return ", ".join(parts)


def digits(value: float) -> str:
    """Three digits, without an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def plain(ratio: float) -> str:
    """Two decimals, as far as they say something: 0.004, 0.05, 1.20, 163."""
    decimals = 0 if ratio >= 100 else 2 if ratio >= 0.01 else 3
    return f"{ratio:.{decimals}f}"


def short(rate: float) -> str:
    """Three digits or more, with the unit's letter: 9.40k, 925k, 1.12M."""
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if rate >= unit:
            value = rate / unit
            decimals = 2 if value < 10 else 1 if value < 100 else 0
            return f"{value:.{decimals}f}{letter}"
    return f"{rate:.0f}"


def _both(row: Row, form: Callable[[float], str]) -> str:
    values = [row.value] if row.reference is None else [row.value, row.reference]
    return " / ".join(map(form, values))


def _ratio(row: Row) -> str:
    if row.ratio is None:
        return ""
    return plain(row.ratio) + (" !" if row.goal_missed else "")


def _spread(row: Row) -> str:
    if row.ratio is None:
        return ""
    low, high = row.spread
    return f"{plain(low)}-{plain(high)}"


def _failed(failure: str) -> str:
    """The first line of a failure, fit for a cell."""
    return "FAILED: " + failure.splitlines()[0].rstrip(":").replace("|", "/")


def _busy(share: float) -> str:
    return f"{share:.0%}" + (" ~" if share < BUSY_ENOUGH else "")
