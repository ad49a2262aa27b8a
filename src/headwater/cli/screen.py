"""The live view of `headwater top` on a terminal, with rich."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from collections.abc import Iterator

import redis
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from headwater.cli.ending import undisturbed
from headwater.cli.sampling import Frame, Sampler
from headwater.cli.styled import STYLES, table_text, text_cell
from headwater.cli.top import head_lines, sections

_LINES_OF_A_SECTION = 3
"""A blank line, a title and headings."""


class Screen:
    """A frame as a page of the terminal."""

    def __init__(self, console: Console, url: str) -> None:
        self._console = console
        self._url = url

    def page(self, frame: Frame, sort: str, remark: str) -> Group:
        """The frame, cut to the terminal's size; `remark`: what is wrong just now."""
        width, height = self._console.size
        lines = []
        for pieces in head_lines(frame, self._url):
            line = Text(no_wrap=True, end="")
            for piece in pieces:
                line.append_text(text_cell(piece))
            lines.append(line)
        if remark:
            lines.append(Text(remark, STYLES["bad"], end=""))
        parts = sections(frame, sort)
        room = height - len(lines) - 1 - _LINES_OF_A_SECTION * len(parts)
        for (title, columns, rows), count in zip(
            parts, shares([len(rows) for _, _, rows in parts], room), strict=True
        ):
            hidden = len(rows) - count
            title += f" ({hidden:,} more below)" if hidden else ""
            lines += [Text(""), Text(title, STYLES["strong"])]
            lines += table_text(columns, rows[:count], width)
        lines = lines[: height - 1]
        lines += [Text("")] * (height - 1 - len(lines))
        lines.append(Text("q ends  s order  space looks now", STYLES["dim"]))
        for line in lines:
            line.truncate(width, overflow="ellipsis")
            line.end = ""
        return Group(Text("\n", end="").join(lines))


def shares(wanted: list[int], room: int) -> list[int]:
    """Divide the lines of a screen among tables: each gets what it wants, or a fair part."""
    given = [0] * len(wanted)
    open_ones = [i for i, count in enumerate(wanted) if count]
    room = max(room, 0)
    while open_ones and room >= len(open_ones):
        part = room // len(open_ones)
        for i in open_ones:
            more = min(part, wanted[i] - given[i])
            given[i] += more
            room -= more
        open_ones = [i for i in open_ones if given[i] < wanted[i]]
    return given


def watch(
    sampler: Sampler,
    frame: Frame,
    interval: float,
    sort: str,
    orders: tuple[str, ...],
    url: str,
) -> None:
    """Show frame after frame until q or Ctrl-C; through restarts of the server."""
    console = Console(highlight=False, emoji=False)
    screen = Screen(console, url)
    remark = ""
    with (
        undisturbed(_keys()) as keys,
        undisturbed(
            Live(screen.page(frame, sort, remark), console=console, screen=True, auto_refresh=False)
        ) as live,
    ):
        due = time.monotonic() + min(interval, 1.0)  # soon, as the first frame has no rates
        while True:
            key = keys.wait(max(0.0, due - time.monotonic()))
            if key in ("q", "Q", "\x03", "\x1b"):
                return
            if key == "s":
                sort = orders[(orders.index(sort) + 1) % len(orders)]
            if key in ("", " "):
                due = time.monotonic() + interval
                try:
                    frame = sampler.take()
                    remark = ""
                except (redis.ConnectionError, redis.TimeoutError, OSError):
                    sampler.forget()
                    remark = f"the connection to {url} was lost; trying again"
            live.update(screen.page(frame, sort, remark), refresh=True)


class _Keyboard:
    """Keys as they are pressed, if there is a keyboard."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def wait(self, seconds: float) -> str:
        """The next key, or "" after so many seconds."""
        if self._descriptor is None:
            time.sleep(seconds)
            return ""
        ready, _, _ = select.select([self._descriptor], [], [], seconds)
        if not ready:
            return ""
        data = os.read(self._descriptor, 16)
        if not data:  # the keyboard is gone
            self._descriptor = None
            return ""
        return data.decode("latin-1") if len(data) == 1 else "other"


@contextlib.contextmanager
def _keys() -> Iterator[_Keyboard]:
    """A keyboard that needs no Enter and shows no letters, until the end."""
    try:
        import termios
        import tty

        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
    except (ImportError, OSError, ValueError, termios.error):
        yield _Keyboard(None)
        return
    tty.setcbreak(descriptor, termios.TCSANOW)  # keeps what was typed already
    try:
        yield _Keyboard(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
