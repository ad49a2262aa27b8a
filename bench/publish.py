"""Puts the figures of a run into the documents: tables between two marks, and the chart.

README.md gets the columns that matter most, docs/performance.md all of them. What stands outside of
the marks is written by hand and stays.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bench.cases import EMBEDDED, LATENCY, MEMORY, PERSISTENCE, REQUESTS, SCALE
from bench.report import Report, Table, digits, goals, plain, short
from bench.rows import BURDEN, CPU, FIGURE, RATE, Row

ROOT = Path(__file__).resolve().parents[1]
README, PERFORMANCE, CHART = "README.md", "docs/performance.md", "docs/figures.png"
BEGIN, END = "<!-- figures -->", "<!-- /figures -->"
_ALT = "Server CPU of a request and memory, as shares of redis-server's"


def publish(report: Report, root: Path = ROOT) -> None:
    """Rewrite both documents and the chart. ValueError when a mark is missing."""
    draw(report, root / CHART)
    _rewrite(root / README, f"![{_ALT}]({CHART})\n\n{readme(report)}")
    chart = Path(CHART).name
    _rewrite(root / PERFORMANCE, f"![{_ALT}]({chart})\n\n{report.markdown()}")


def draw(report: Report, path: Path) -> None:
    """The chart of a run."""
    from bench import chart

    caption = "; ".join(
        report.machine[name]
        for name in ("cpu", report.subject, report.reference)
        if name in report.machine
    )
    chart.draw(report.figures(), report.reference, caption, path)


def readme(report: Report) -> str:
    """Tables with figures, ratios and goals, and what falls short of them."""
    rows = report.figures()
    tables = [
        Table("Requests, 50 clients, five-field order events", _CASES, _cases(rows, REQUESTS)),
        Table("The same server with a burden and without", _CONTRASTS, _contrasts(rows)),
        Table("Memory", _FIGURES, _figures(rows, MEMORY)),
        Table("Latency and start", _FIGURES, _figures(rows, LATENCY)),
        Table("With the journal on, both", _CASES, _cases(rows, PERSISTENCE)),
        Table("Recovery", _FIGURES, _figures(rows, PERSISTENCE)),
        Table("In the program's own process", _FIGURES, _figures(rows, EMBEDDED)),
    ]
    parts = [table.markdown() for table in tables if table.rows]
    missed = report.missed()
    if missed:
        parts.append("Short of the goal: " + "; ".join(missed) + ".")
    facts = "; ".join(f"{name} {text}" for name, text in report.machine.items())
    rounds = report.settings.get("rounds", 0)
    parts.append(
        "CPU is the server's, user and system, for a request: lower is better. Medians of "
        f"{rounds:g} rounds in turns with redis-server (of trials up to 3, of memory one). Bold: "
        f"the goal is met. Made on: {facts}."
    )
    return "\n\n".join(parts) + "\n"


_CASES = ["case", "CPU µs, Headwater / Redis", "ratio", "goal", "requests/s", "ratio"]
_CONTRASTS = ["with / without", "CPU µs, Headwater", "ratio", "goal", "CPU µs, Redis", "ratio"]
_FIGURES = ["figure", "Headwater / Redis", "ratio", "goal"]


def _cases(rows: list[Row], section: str) -> list[list[str]]:
    rates = {row.title: row for row in rows if row.kind == RATE}
    cells = []
    for row in rows:
        if row.kind == CPU and row.section == section:
            rate = rates[row.title]
            wanted = goals(row) or (f"requests/s {goals(rate)}" if rate.goal is not None else "")
            cpu = _pair(f"{row.value:.2f}", row.reference, "{:.2f}".format)
            speed = _pair(short(rate.value), rate.reference, short)
            cells.append([row.title, cpu, _ratio(row), wanted, speed, _ratio(rate)])
    return cells


def _contrasts(rows: list[Row]) -> list[list[str]]:
    cells = []
    for row in rows:
        if row.kind != BURDEN or row.section != SCALE:
            continue
        form = "{:.2f}".format
        ours = _pair(form(row.value), row.reference, form)
        theirs, ratio = "unknown to it", ""
        if row.beside is not None:
            other = Row(row.kind, row.section, row.title, row.unit, *row.beside)
            theirs, ratio = _pair(form(other.value), other.reference, form), _ratio(other)
        cells.append([row.title, ours, _ratio(row), goals(row), theirs, ratio])
    return cells


def _figures(rows: list[Row], section: str) -> list[list[str]]:
    """All figures but the details."""
    cells = []
    for row in rows:
        if row.kind != FIGURE or row.section != section or row.detail:
            continue
        value = _pair(digits(row.value), row.reference, digits) + f" {row.unit}"
        if row.limit is not None and not row.limit_missed:
            value = f"**{value}**"
        cells.append([row.title, value, _ratio(row), goals(row)])
    return cells


def _pair(ours: str, theirs: float | None, form: Callable[[float], str]) -> str:
    return ours if theirs is None else f"{ours} / {form(theirs)}"


def _ratio(row: Row) -> str:
    """Bold where there is a goal and it is met."""
    if row.ratio is None:
        return ""
    text = plain(row.ratio)
    return text if row.goal is None or row.goal_missed else f"**{text}**"


def _rewrite(path: Path, text: str) -> None:
    before, begin, rest = path.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} has no {BEGIN} and {END}")
    path.write_text(f"{before}{BEGIN}\n{text.rstrip()}\n{END}{after}")
