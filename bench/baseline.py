"""A recorded run that a later one is compared with.

The file keeps for each row the medians, the ratio and the spread of the rounds, with the machine
and the versions. A row has changed when the spreads of both runs do not touch and the ratio (the
value, where there is none) has moved by more than NOISE; with only one round in either run, by more
than ONE_ROUND_NOISE.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from bench.rows import NOISE, Row

DEFAULT = Path(__file__).with_name("baseline.json")
ONE_ROUND_NOISE = 0.1
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Change:
    """A row that differs from the baseline by more than the noise of both."""

    name: str
    before: float
    after: float
    unit: str  # "" for a ratio
    worse: bool

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.name} {self.before:.3g} -> {self.after:.3g}{unit}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a run says beside a baseline; only rows of both are compared."""

    machine: dict[str, str]  # of the baseline
    compared: int
    changes: list[Change]
    new: list[str]  # rows that the baseline lacks

    @property
    def worse(self) -> list[Change]:
        return [change for change in self.changes if change.worse]

    def text(self, machine: dict[str, str]) -> str:
        """What changed, by name; what makes the comparison doubtful."""
        better = [str(change) for change in self.changes if not change.worse]
        lines = []
        for title, found in (("worse", [str(change) for change in self.worse]), ("better", better)):
            lines += [f"{title} than the baseline: {item}" for item in found]
        if not self.changes:
            lines.append("no row differs from the baseline by more than the noise")
        lines.append(
            f"({self.compared} rows compared; baseline: "
            + "; ".join(f"{name} {text}" for name, text in self.machine.items())
            + ")"
        )
        if self.new:
            lines.append("not in the baseline: " + ", ".join(self.new))
        if self.machine.get("cpu") != machine.get("cpu"):
            lines.append("the baseline is of another machine: values without a ratio say nothing")
        return "\n".join(lines)


def save(path: Path, rows: list[Row], machine: dict[str, str], settings: dict[str, float]) -> None:
    """Write the baseline: one line a row, so that a diff of two can be read."""
    lines = [f"  {json.dumps(row.name)}: {json.dumps(_entry(row))}" for row in rows]
    head = json.dumps({"machine": machine, "settings": settings}, indent=1)[:-2]
    path.write_text(head + ',\n "rows": {\n' + ",\n".join(lines) + "\n }\n}\n")


def compare(path: Path, rows: list[Row]) -> Comparison:
    """Compare rows with those of a file. Raises OSError, ValueError."""
    document = json.loads(path.read_text())
    known = document["rows"]
    changes = [
        change
        for row in rows
        if row.name in known and (change := _change(row, known[row.name])) is not None
    ]
    new = [row.name for row in rows if row.name not in known]
    return Comparison(document["machine"], len(rows) - len(new), changes, new)


def _entry(row: Row) -> dict[str, object]:
    return {
        "section": row.section,
        "unit": row.unit,
        "ours": _rounded(row.value),
        "theirs": _rounded(row.reference),
        "ratio": _rounded(row.ratio),
        "spread": [_rounded(value) for value in row.spread],
        "rounds": len(row.ours),
        "goal": row.goal,
        "limit": row.limit,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_DIGITS}g}")


def _change(row: Row, entry: dict[str, object]) -> Change | None:
    known, spread, rounds = entry["ratio"], entry["spread"], entry["rounds"]
    by_ratio = row.ratio is not None and isinstance(known, (int, float))
    before = known if by_ratio else entry["ours"]
    after = row.ratio if by_ratio else row.value
    if not isinstance(before, (int, float)) or not isinstance(spread, list) or after is None:
        raise ValueError(f"the baseline's row {row.name!r} is not one")
    # The ratio of medians need not lie within the ratios of the rounds: it widens the spread.
    before_all, after_all = (*spread, before), (*row.spread, after)
    apart = max(after_all) < min(before_all) or min(after_all) > max(before_all)
    noise = ONE_ROUND_NOISE if 1 in (rounds, len(row.ours)) else NOISE
    if not apart or abs(after - before) <= noise * abs(before):
        return None
    unit = "" if by_ratio else row.unit
    return Change(row.name, before, after, unit, (after > before) != row.higher_is_better)
