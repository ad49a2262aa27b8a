"""The drawing of LOLWUT: a stream from its headwaters to the sea, never the same twice."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from headwater import __version__
from headwater._version import REDIS_VERSION

WIDTH = 64
SPRINGS = 5
COURSE = 12
"""Rows from the springs to where all are one river."""


def draw(rng: Random) -> str:
    """Springs that wander, meet, and go on as one river that widens to the sea."""
    columns = sorted(rng.sample(range(6, WIDTH - 6), SPRINGS))
    sea = rng.randrange(WIDTH // 4, 3 * WIDTH // 4)
    rows = []
    for left in range(COURSE, 0, -1):
        rows.append(_row(columns, 1))
        moved = sorted(column + (sea - column) // left + _bend(rng, left) for column in columns)
        # Streams that touch are one from here on.
        columns = [moved[0]]
        columns += [b for a, b in pairwise(moved) if b - a > 1]
    column = columns[0]
    for width in range(2, 8):
        rows.append(_row([column], width))
        column = min(max(column + rng.choice((-1, 0, 1)), 8), WIDTH - 8)
    rows.extend("".join(rng.choice("~~~~-") for _ in range(WIDTH)) for _ in range(2))
    return "\n".join(rows) + "\n\n"


def _bend(rng: Random, left: int) -> int:
    """How far a stream strays to a side; none does where all meet."""
    return rng.choice((-1, 0, 1)) if left > 1 else 0


def _row(columns: list[int], width: int) -> str:
    cells = [" "] * WIDTH
    for column in columns:
        for i in range(width):
            cells[min(max(column + i - width // 2, 0), WIDTH - 1)] = "~" if width > 1 else "|"
    return "".join(cells).rstrip()


def version_line() -> str:
    return f"Headwater {__version__}, as Redis ver. {REDIS_VERSION}\n"
