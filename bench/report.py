"""The report: one table, drawn by rich on a terminal and as Markdown elsewhere, and a JSON file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from bench.chart import draw
from bench.run import Outcome

BUSY_ENOUGH = 0.95  # below it the load generator, not the server, may have set the throughput
NOISE = 0.03  # a ratio that misses its goal by no more is not told from one that meets it
DISTURBED = 0.05  # share of a core lost to other processes from which on the report warns


@dataclass(frozen=True, slots=True)
class Report:
    """Outcomes of one run; `subject` is compared with `reference`."""

    subject: str
    reference: str
    machine: dict[str, str]
    settings: dict[str, float]
    outcomes: list[Outcome]

    def header(self) -> list[str]:
        """Column titles."""
        both = f"{self.subject} / {self.reference}"
        cpu = [f"CPU us {both}", "ratio", "spread", "goal"]
        return ["case", *cpu, f"requests/s {both}", "ratio", f"busy {both}"]

    def rows(self) -> list[list[str]]:
        """One row for each case; a failed case has its reason instead of figures."""
        return [self._row(outcome) for outcome in self.outcomes]

    def markdown(self) -> str:
        """Table and description as Markdown."""
        header = self.header()
        marks = ["---", *("---:" for _ in header[1:])]
        lines = [header, marks, *self.rows()]
        table = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
        return f"{table}\n\n{self.notes()}\n"

    def notes(self) -> str:
        """How to read the table, what it was made on, and what disturbed it."""
        paragraphs = [
            "CPU us: microseconds (user + system) of the server for a request. Medians of the "
            f"rounds; ratios are {self.subject} to {self.reference}: lower is better for CPU, "
            "higher for requests/s. spread: lowest and highest CPU ratio of a round. "
            f"!: misses its goal by more than the noise ({NOISE:g}). busy: share of its core that "
            f"the server used; ~: below {BUSY_ENOUGH:.0%}, so the load generator may have set "
            "the throughput."
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
            from rich.table import Table
        except ImportError:
            print(self.markdown())
            return
        console = Console()
        if not console.is_terminal:
            print(self.markdown())
            return
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for number, title in enumerate(self.header()):
            table.add_column(title, justify="right" if number else "left", overflow="fold")
        for row in self.rows():
            table.add_row(*row)
        console.print(table)
        console.print(self.notes(), markup=False, highlight=False)

    def _entry(self, outcome: Outcome) -> dict[str, object]:
        entry: dict[str, object] = {
            "case": outcome.case.title,
            "goal": outcome.case.goal,
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
            reason = outcome.failure.splitlines()[0].rstrip(":").replace("|", "/")
            blank = [""] * (len(self.header()) - 2)
            return [outcome.case.title, f"FAILED: {reason}", *blank]
        ours, theirs = self.subject, self.reference
        cpu, cpu_reference = (outcome.median("cpu_us", label) for label in (ours, theirs))
        rate, rate_reference = (outcome.median("rate", label) for label in (ours, theirs))
        spread = outcome.cpu_ratios(ours, theirs)
        missed = cpu / cpu_reference > outcome.case.goal + NOISE
        return [
            outcome.case.title,
            f"{cpu:.2f} / {cpu_reference:.2f}",
            f"{cpu / cpu_reference:.2f}" + (" !" if missed else ""),
            f"{min(spread):.2f}-{max(spread):.2f}",
            f"{outcome.case.goal:.2f}",
            f"{_short(rate)} / {_short(rate_reference)}",
            f"{rate / rate_reference:.2f}",
            " / ".join(_busy(outcome.median("busy", label)) for label in (ours, theirs)),
        ]

    def _disturbed(self) -> list[tuple[str, float]]:
        found = []
        for outcome in self.outcomes:
            if outcome.failure is None:
                share = max(outcome.median("disturbed", label) for label in outcome.samples)
                if share >= DISTURBED:
                    found.append((outcome.case.title, share))
        return found


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
