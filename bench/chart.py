"""A picture of a run for the README: a bar for each ratio to the reference, drawn by matplotlib.

Server CPU of a request and memory, as shares of the reference's: shorter is better. A short line
across a bar is the row's goal. Bars beyond the scale are cut, the
figures are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.cases import MEMORY, PERSISTENCE, REQUESTS
from bench.rows import CPU, FIGURE, Row

WIDTH_IN, ROW_IN, MARGIN_IN = 9.2, 0.265, 1.45
DPI = 170
SCALE = 1.3  # the longest bar
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)
INK, PALE, GRID = "#24292f", "#6e7781", "#d8dee4"
MET, MISSED, NEUTRAL = "#1a7f5a", "#bc6c25", "#7d8590"
HEADINGS = {REQUESTS: "in memory", PERSISTENCE: "with the journal", MEMORY: "memory"}


def bars(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """What is drawn, by section: CPU of requests, and memory that has a goal as a ratio."""
    drawn = [row for row in rows if row.ratio is not None]
    cpu = [row for row in drawn if row.kind == CPU]
    memory = [row for row in drawn if row.kind == FIGURE and row.section == MEMORY and row.goal]
    found = [
        (heading, [row for row in (*cpu, *memory) if row.section == section])
        for section, heading in HEADINGS.items()
    ]
    return [(heading, own) for heading, own in found if own]


def draw(rows: Sequence[Row], reference: str, caption: str, path: Path) -> None:
    """Write the PNG. Raises ImportError without matplotlib, which is in the group `bench`."""
    from matplotlib import rcParams
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rcParams["font.family"] = "DejaVu Sans"
    groups = bars(rows)
    lines = sum(len(own) for _, own in groups) + len(groups)
    height = MARGIN_IN + ROW_IN * lines
    figure = Figure(figsize=(WIDTH_IN, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    top, bottom = 0.85 / height, 0.5 / height
    axes = figure.add_axes((0.355, bottom, 0.575, 1 - top - bottom))
    y = 0.0
    for heading, own in groups:
        axes.text(-0.02, y, heading, ha="right", va="center", color=PALE, fontsize=9)
        y += 1
        for row in own:
            _bar(axes, row, y)
            y += 1
    _frame(axes, y)
    figure.text(
        0.012, 1 - 0.32 / height,
        f"Server CPU of a request and memory, {reference.capitalize()} = 1",
        color=INK, fontsize=13, weight="bold", va="center",
    )  # fmt: skip
    figure.text(
        0.012, 1 - 0.58 / height, "shorter is better; the black mark is the goal",
        color=PALE, fontsize=9, va="center",
    )  # fmt: skip
    figure.text(0.012, 0.16 / height, caption, color=PALE, fontsize=7.5, va="center")
    figure.savefig(path, dpi=DPI, metadata={"Software": None})


def _bar(axes: Any, row: Row, y: float) -> None:
    ratio = row.ratio
    if ratio is None:
        return
    color = NEUTRAL if row.goal is None else MISSED if row.missed else MET
    axes.barh(y, min(ratio, SCALE), height=0.66, color=color, linewidth=0)
    axes.text(-0.02, y, row.title, ha="right", va="center", color=INK, fontsize=9)
    axes.text(
        SCALE + 0.11, y, f"{ratio:.2f}", ha="right", va="center", color=color, fontsize=9.5,
        weight="bold",
    )  # fmt: skip
    if row.goal is not None and row.goal <= SCALE:
        axes.plot((row.goal, row.goal), (y - 0.42, y + 0.42), color=INK, linewidth=1.6, zorder=6)


def _frame(axes: Any, rows: float) -> None:
    axes.set_xlim(0, SCALE)
    axes.set_ylim(rows - 0.4, -0.6)
    axes.set_yticks([])
    axes.set_xticks(TICKS)
    axes.set_xticklabels([f"{tick:g}" for tick in TICKS], fontsize=8.5, color=PALE)
    axes.xaxis.tick_top()
    axes.tick_params(axis="x", length=0, pad=3)
    axes.set_axisbelow(True)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.axvline(1.0, color=PALE, linewidth=1.2, zorder=0.9)
    for side in axes.spines.values():
        side.set_visible(False)
