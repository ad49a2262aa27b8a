"""Where a command's results go: styled on a terminal, plain text elsewhere, JSON if asked for.

Colours and rules come from rich, if it is installed (the extra `cli`) and the standard output is a
terminal; NO_COLOR takes the colours away, TERM=dumb all of it. Without rich, and in pipes, the
same columns are aligned text without any escape sequence, in a pipe never cut.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TextIO

import click

from headwater.cli.ending import undisturbed
from headwater.cli.failure import tell
from headwater.cli.words import fitted, width_of

GAP = "  "
_EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")

Cell = str | tuple[str, str]
"""What stands in a table: a text, or a text and its style (`good`, `warn`, `bad`, `dim`, ...)."""


@dataclass(frozen=True)
class Column:
    """A column of a table. `elastic`: cut first where the terminal is too narrow."""

    name: str
    right: bool = False
    elastic: bool = False
    style: str = ""


class Output:
    """The results of one command, on standard output; remarks go to standard error."""

    def __init__(self, as_json: bool = False, stream: TextIO | None = None) -> None:
        self.json = as_json
        if sys.stdout is None:  # closed by who started this
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - as long as the program
        self._stream = stream
        for each in (self.stream, sys.stderr):
            if isinstance(each, io.TextIOWrapper):
                each.reconfigure(errors="backslashreplace")  # whatever the locale's encoding
        self.terminal = _is_terminal(self.stream) and not as_json
        self.rich = self.terminal and os.environ.get("TERM") != "dumb" and has_rich()

    @property
    def stream(self) -> TextIO:
        """Where results go: the standard output of this moment."""
        return self._stream or sys.stdout

    @property
    def width(self) -> int:
        """Columns of the terminal; 0 in a pipe: as many as there need be."""
        return shutil.get_terminal_size((80, 24)).columns if self.terminal else 0

    @property
    def height(self) -> int:
        """Lines of the terminal; 0 in a pipe."""
        return shutil.get_terminal_size((80, 24)).lines if self.terminal else 0

    def line(self, text: str = "", style: str = "") -> None:
        """One line of text (which has passed `words.shown` where it came from the server)."""
        if self.rich and style:
            from headwater.cli.styled import print_line

            print_line(self.stream, text, style)
        else:
            self.stream.write(text + "\n")

    def pieces(self, pieces: Sequence[Cell]) -> None:
        """One line of texts, each with its own style, side by side."""
        if self.rich:
            from headwater.cli.styled import print_pieces

            print_pieces(self.stream, pieces)
        else:
            self.stream.write("".join(map(text_of, pieces)).rstrip() + "\n")

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> None:
        """Rows under headings, aligned. On a terminal, cells are cut so that lines fit."""
        if self.rich:
            from headwater.cli.styled import print_table

            print_table(self.stream, columns, rows)
            return
        for text in plain_table(columns, rows, self.width):
            self.stream.write(text + "\n")

    def facts(self, facts: Iterable[tuple[str, Cell]]) -> None:
        """Names and values, one pair a line."""
        if self.rich:
            from headwater.cli.styled import print_facts

            print_facts(self.stream, facts)
            return
        rows = list(facts)
        column = max((width_of(name) for name, _ in rows), default=0)
        for name, cell in rows:
            self.stream.write(f"{padded(name, column)}{GAP}{text_of(cell)}".rstrip() + "\n")

    def bar(self, part: float, width: int) -> str:
        """A bar of `part` (0 to 1) of `width`; whatever is more than nothing can be seen."""
        if not (getattr(self.stream, "encoding", None) or "").lower().startswith("utf"):
            return "#" * (max(1, round(part * width)) if part > 0 else 0)
        eighths = max(1, round(part * width * 8)) if part > 0 else 0
        return "█" * (eighths // 8) + _EIGHTHS[eighths % 8]

    def heading(self, text: str) -> None:
        """A line above a part of the output."""
        self.line(text, "heading")

    def document(self, value: Any) -> None:
        """A command's whole result in JSON."""
        indent = 2 if _is_terminal(self.stream) else None
        self.stream.write(json.dumps(value, indent=indent, ensure_ascii=False) + "\n")

    def record(self, value: Any) -> None:
        """One of many results in JSON, on a line of its own, sent at once."""
        self.stream.write(
            json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("\x7f", "\\u007f")
            + "\n"
        )
        self.stream.flush()

    def flush(self) -> None:
        """Send what was written: somebody watches."""
        self.stream.flush()

    def note(self, text: str) -> None:
        """A remark beside the results, on standard error."""
        tell(text)

    @contextmanager
    def progress(
        self, label: str, total: int | None = None, shown: bool = True
    ) -> Iterator[Progress]:
        """Progress of long work, on standard error if that is a terminal, else nowhere.

        `total` None: not known. The bar goes when the work ends. Where results are printed on the
        same terminal meanwhile, it is not `shown`.
        """
        if not shown or not _is_terminal(sys.stderr):
            yield Progress()
        elif os.environ.get("TERM") != "dumb" and has_rich():
            from headwater.cli.styled import rich_progress

            with undisturbed(rich_progress(label, total)) as bar:
                yield bar
        else:
            drawn = click.progressbar(length=total or 0, label=label, file=sys.stderr)
            with undisturbed(drawn) as click_bar:
                yield _ClickProgress(click_bar)


class Progress:
    """How far some work has come; this one shows nothing."""

    def advance(self, count: int = 1) -> None:
        """So much more is done."""

    def update(self, done: int, total: int | None = None) -> None:
        """So much is done altogether, and perhaps another total is known by now."""


class _ClickProgress(Progress):
    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def advance(self, count: int = 1) -> None:
        self._bar.update(count)

    def update(self, done: int, total: int | None = None) -> None:
        if total is not None:
            self._bar.length = total
        self._bar.update(done - self._bar.pos)


def has_rich() -> bool:
    """Whether rich is installed; HEADWATER_RICH=0 in the environment says no."""
    if os.environ.get("HEADWATER_RICH", "") == "0":
        return False
    return "rich" in sys.modules or importlib.util.find_spec("rich") is not None


def text_of(cell: Cell) -> str:
    """A cell without its style."""
    return cell if isinstance(cell, str) else cell[0]


def plain_table(
    columns: Sequence[Column], rows: Iterable[Sequence[Cell]], width: int = 0
) -> Iterator[str]:
    """The lines of a table in plain text; `width` 0: as wide as it must be."""
    texts = [[text_of(cell) for cell in row] for row in rows]
    names = [column.name for column in columns]
    widths = [max(map(width_of, cells)) for cells in zip(names, *texts, strict=True)]
    if width:
        narrow(columns, widths, width)
    for row in [names, *texts]:
        cells = [
            padded(fitted(text, size), size, column.right)
            for text, size, column in zip(row, widths, columns, strict=True)
        ]
        yield GAP.join(cells).rstrip()


def narrow(columns: Sequence[Column], widths: list[int], width: int) -> None:
    """Take from the elastic columns, the widest first, until a line fits into `width`."""
    over = sum(widths) + len(GAP) * (len(widths) - 1) - width
    elastic = [i for i, column in enumerate(columns) if column.elastic]
    while over > 0 and elastic:
        widest = max(elastic, key=lambda i: widths[i])
        least = max(4, width_of(columns[widest].name))
        if widths[widest] <= least:
            elastic.remove(widest)
            continue
        widths[widest] -= 1
        over -= 1


def padded(text: str, width: int, right: bool = False) -> str:
    """The text with blanks behind it, or before it, up to `width` columns."""
    blanks = " " * (width - width_of(text))
    return blanks + text if right else text + blanks


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False
