"""Entries printed as they come, their fields as columns.

Fields that many of the entries have are columns, as far as there is room; the others stand behind
the columns as `name=value`. On a terminal no line is wider than the terminal; in a pipe nothing is
cut. The headings come again when the columns change, and once a screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from headwater.cli.entries import Entry
from headwater.cli.gathering import EARLIEST_MS
from headwater.cli.output import GAP, Cell, Output, padded
from headwater.cli.words import fitted, id_ms, shown, time_words, width_of

WIDEST, WIDEST_IN_PIPE = 120, 40
"""Columns of text that a field gets at most."""

NARROWEST = 8
"""Columns that a field with long values keeps when there is little room."""

REST = 24
"""Columns for what stands behind the columns, if there is anything."""

MOST_COLUMNS = 24
SHARE = 0.3
"""A field is a column if this part of the entries has it."""

WINDOW = 400
"""Older entries count half once there are so many."""

_NAME = 40
_VALUE = 4000
_FIXED = ("TIME", "ID", "STATE")
_STYLES = {"TIME": "dim", "ID": "name"}
STATE_STYLES = {"done": "good", "waiting": "dim"}


class EntryTable:
    """Prints pages of entries; `with_state`: a column for what is the state in a group."""

    def __init__(self, out: Output, with_state: bool) -> None:
        self._out = out
        self._fixed = _FIXED if with_state else _FIXED[:2]
        self._fixed_widths = [len(name) for name in self._fixed]
        self._columns: dict[bytes, int] = {}
        self._entries = 0
        self._counts: dict[bytes, int] = {}
        self._wanted: dict[bytes, int] = {}
        self._terminal_width = 0
        self._since_heading = 0
        self._changed = True

    def print(self, entries: Sequence[Entry], states: Sequence[str]) -> None:
        """Print a page; `states` are beside the entries, empty if there is no such column."""
        rows = [
            [_clock(entry_id), entry_id, *states[i : i + 1]]
            for i, (entry_id, _) in enumerate(entries)
        ]
        stale = self._count(entries)
        for i in range(len(self._fixed)):
            widest = max(width_of(row[i]) for row in rows)
            if widest > self._fixed_widths[i]:
                self._fixed_widths[i] = widest
                stale = True
        if stale or self._terminal_width != self._out.width:
            self._plan()
        for row, (_, fields) in zip(rows, entries, strict=True):
            height = self._out.height
            if self._changed or (height and self._since_heading >= height - 2):
                self._print_heading()
            self._print_row(row, fields)

    def _count(self, entries: Sequence[Entry]) -> bool:
        """Note which fields there are and how wide; whether the columns may not fit them now."""
        widest = WIDEST if self._out.terminal else WIDEST_IN_PIPE
        stale = False
        for _, fields in entries:
            for name in dict.fromkeys(name for name, _ in fields):
                if name not in self._counts:
                    self._wanted[name] = min(width_of(shown(name, _NAME)), widest)
                    stale = True
                self._counts[name] = self._counts.get(name, 0) + 1
            for name, value in fields:
                wanted = self._wanted[name]
                if wanted < widest:
                    width = min(widest, width_of(shown(value, widest)))
                    if width > wanted:
                        self._wanted[name] = width
                        stale = stale or self._out.terminal
        self._entries += len(entries)
        if self._entries >= WINDOW:
            self._entries //= 2
            self._counts = {name: n // 2 for name, n in self._counts.items() if n > 1}
            stale = True
        return stale

    def _plan(self) -> None:
        """Choose the columns and their widths anew."""
        names = [name for name, n in self._counts.items() if n >= SHARE * self._entries]
        names = names[:MOST_COLUMNS]
        self._terminal_width = self._out.width
        while True:
            widths = [self._wanted[name] for name in names]
            if not self._out.terminal:
                for i, name in enumerate(names):
                    widths[i] = self._columns.get(name, widths[i])
                break
            room = self._terminal_width - sum(self._fixed_widths) - len(GAP) * len(self._fixed)
            if len(names) < len(self._counts):
                room -= REST
            if _narrow(widths, room) or not names:
                break
            names.pop()
        columns = dict(zip(names, widths, strict=True))
        if columns != self._columns:
            self._columns = columns
            self._changed = True

    def _print_heading(self) -> None:
        texts = [*self._fixed, *(shown(name, _NAME) for name in self._columns)]
        widths = [*self._fixed_widths, *self._columns.values()]
        cells = [
            padded(fitted(text, width), width) for text, width in zip(texts, widths, strict=True)
        ]
        self._out.pieces([(GAP.join(cells).rstrip(), "heading")])
        self._changed = False
        self._since_heading = 0

    def _print_row(self, fixed: list[str], fields: list[tuple[bytes, bytes]]) -> None:
        cut = self._out.terminal
        pieces: list[Cell] = []
        for heading, text, width in zip(self._fixed, fixed, self._fixed_widths, strict=True):
            style = STATE_STYLES.get(text, "warn") if heading == "STATE" else _STYLES[heading]
            pieces.append((padded(text, width) + GAP, style))
        values: dict[bytes, bytes] = {}
        rest = []
        for name, value in fields:
            if name in self._columns and name not in values:
                values[name] = value
            else:
                rest.append((name, value))
        for name, width in self._columns.items():
            text = shown(values[name], width if cut else 0) if name in values else ""
            pieces.append(padded(fitted(text, width) if cut else text, width) + GAP)
        if rest:
            extra = GAP.join(
                f"{shown(name, _NAME if cut else 0)}={shown(value, _VALUE if cut else 0)}"
                for name, value in rest
            )
            if cut:
                widths = [*self._fixed_widths, *self._columns.values()]
                used = sum(widths) + len(GAP) * len(widths)
                extra = fitted(extra, max(0, self._out.width - used))
            pieces.append((extra, "dim"))
        self._out.pieces(pieces)
        self._since_heading += 1


def _narrow(widths: list[int], room: int) -> bool:
    """Take from the widest until all fit side by side, gaps included; whether they do."""
    over = sum(widths) + len(GAP) * (len(widths) - 1) - room
    while over > 0 and widths:
        widest = max(widths)
        if widest <= NARROWEST:
            return False
        below = max((width for width in widths if width < widest), default=NARROWEST)
        at = widths.index(widest)
        less = min(over, max(1, widest - max(below, NARROWEST)))
        widths[at] -= less
        over -= less
    return True


def print_expanded(out: Output, entries: Sequence[Entry], states: Sequence[str]) -> None:
    """Print entries with a line for each field, nothing cut."""
    for i, (entry_id, fields) in enumerate(entries):
        pieces: list[Cell] = [(entry_id, "name"), GAP + _moment(entry_id)]
        if states:
            pieces.append((GAP + states[i], STATE_STYLES.get(states[i], "warn")))
        out.pieces(pieces)
        names = [shown(name) for name, _ in fields]
        width = min(WIDEST_IN_PIPE, max(map(width_of, names), default=0))
        for name, (_, value) in zip(names, fields, strict=True):
            out.pieces([(GAP + padded(name, width) + GAP, "dim"), shown(value)])


def _moment(entry_id: str) -> str:
    ms = id_ms(entry_id)
    return time_words(ms) if ms >= EARLIEST_MS else ""


def _clock(entry_id: str) -> str:
    """The time of day of an entry, with its date if that is not today's."""
    text = _moment(entry_id)
    if not text.startswith(datetime.now().strftime("%Y-")):
        return text[:19] or "-"
    return text[11:] if text.startswith(datetime.now().strftime("%Y-%m-%d")) else text[5:19]
