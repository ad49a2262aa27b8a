"""The same tables, facts and bars as rich shows them; loaded only where a terminal is."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichBar
from rich.style import Style
from rich.table import Table
from rich.text import Text

from headwater.cli.output import GAP, Cell, Column, Progress, narrow, text_of
from headwater.cli.words import fitted, width_of

STYLES = {
    "": Style(),
    "heading": Style(bold=True),
    "name": Style(color="cyan"),
    "dim": Style(dim=True),
    "good": Style(color="green"),
    "warn": Style(color="yellow"),
    "bad": Style(color="red", bold=True),
    "strong": Style(bold=True),
}


@functools.lru_cache(maxsize=1)
def console_of(stream: TextIO) -> Console:
    """A console that only styles: no markup, no highlighting, no wrapping of its own."""
    return Console(
        file=stream, markup=False, highlight=False, emoji=False, soft_wrap=True, force_terminal=True
    )


def text_cell(cell: Cell, style: str = "") -> Text:
    """A cell as rich has it; its own style wins over its column's."""
    own = style if isinstance(cell, str) else cell[1]
    return Text(text_of(cell), STYLES[own], end="")


def print_line(stream: TextIO, text: str, style: str) -> None:
    """One styled line."""
    console_of(stream).print(Text(text, STYLES[style]))


def print_pieces(stream: TextIO, pieces: Sequence[Cell]) -> None:
    """Styled texts side by side."""
    line = Text(no_wrap=True)
    for piece in pieces:
        line.append_text(text_cell(piece))
    line.rstrip()
    console_of(stream).print(line)


def table_text(columns: Sequence[Column], rows: Iterable[Sequence[Cell]], width: int) -> list[Text]:
    """The lines of a table, its heading first, none wider than `width` if that can be."""
    cells = [list(row) for row in rows]
    names: list[Cell] = [(column.name, "heading") for column in columns]
    widths = [
        max(width_of(text_of(cell)) for cell in column)
        for column in zip(names, *cells, strict=True)
    ]
    narrow(columns, widths, width)
    lines = []
    for row in [names, *cells]:
        line = Text(no_wrap=True, end="")
        for i, cell in enumerate(row):
            text = fitted(text_of(cell), widths[i])
            blanks = " " * (widths[i] - width_of(text))
            style = columns[i].style if isinstance(cell, str) else cell[1]
            if columns[i].right:
                line.append(blanks)
            line.append(text, STYLES[style])
            if i < len(row) - 1:
                line.append(GAP if columns[i].right else blanks + GAP)
        line.truncate(width, overflow="ellipsis")
        lines.append(line)
    return lines


def print_table(stream: TextIO, columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> None:
    """A table as wide as the terminal at most."""
    console = console_of(stream)
    for line in table_text(columns, rows, console.width):
        console.print(line, end="\n")


def print_facts(stream: TextIO, facts: Iterable[tuple[str, Cell]]) -> None:
    """Names and values, one pair a line; long values go on below themselves."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style=STYLES["dim"], no_wrap=True)
    table.add_column(overflow="fold")
    for name, cell in facts:
        table.add_row(Text(name), text_cell(cell))
    console_of(stream).print(table, soft_wrap=False)


class _Bar(Progress):
    def __init__(self, bar: RichBar, task: TaskID) -> None:
        self._bar = bar
        self._task = task

    def advance(self, count: int = 1) -> None:
        self._bar.advance(self._task, count)

    def update(self, done: int, total: int | None = None) -> None:
        if total is None:
            self._bar.update(self._task, completed=done)
        else:
            self._bar.update(self._task, completed=done, total=total)


@contextmanager
def rich_progress(label: str, total: int | None) -> Iterator[Progress]:
    """A bar on standard error that goes away when the work ends."""
    bar = RichBar(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(file=sys.stderr),
        transient=True,
        redirect_stdout=False,  # results may go elsewhere than the bar
        redirect_stderr=False,
    )
    with bar:
        yield _Bar(bar, bar.add_task(label, total=total))
