"""A picture of a run: a bar for each case, drawn as SVG without any library.

The bar is the server CPU of a request, as a share of the reference's; shorter is better.
"""

from __future__ import annotations

from html import escape

from bench.run import Outcome

WIDTH = 760
LABEL_WIDTH = 250
BAR_HEIGHT = 16
ROW_HEIGHT = 24
TOP = 58
BOTTOM = 34
MIN_SCALE = 1.25
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
INK, PALE, BETTER, WORSE = "#24292f", "#8c959f", "#1a7f5a", "#bc6c25"


def draw(outcomes: list[Outcome], subject: str, reference: str, caption: str) -> str:
    """Return the SVG text; failed cases are left out."""
    ratios = [
        (
            outcome.case.title,
            outcome.median("cpu_us", subject) / outcome.median("cpu_us", reference),
        )
        for outcome in outcomes
        if outcome.failure is None
    ]
    scale = max([MIN_SCALE, *(1.1 * ratio for _, ratio in ratios)])
    height = TOP + ROW_HEIGHT * len(ratios) + BOTTOM

    def x(value: float) -> float:
        return LABEL_WIDTH + value / scale * (WIDTH - LABEL_WIDTH - 16)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        _text(16, 22, f"Server CPU of a request, {reference} = 1", INK, 15),
        _text(16, 40, "shorter is better", PALE, 12),
    ]
    for tick in TICKS:
        dash = "" if tick == 1.0 else ' stroke-dasharray="2 3"'
        parts.append(
            f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{TOP - 8}" '
            f'y2="{height - BOTTOM}" stroke="{INK if tick == 1.0 else PALE}"{dash}/>'
        )
        parts.append(_text(x(tick), TOP - 12, f"{tick:g}", PALE, 11, "middle"))
    for row, (title, ratio) in enumerate(ratios):
        y = TOP + ROW_HEIGHT * row
        color = BETTER if ratio <= 1.0 else WORSE
        parts.append(_text(LABEL_WIDTH - 10, y + 12, title, INK, 12, "end"))
        parts.append(
            f'<rect x="{x(0):.1f}" y="{y}" width="{x(ratio) - x(0):.1f}" '
            f'height="{BAR_HEIGHT}" fill="{color}"/>'
        )
        parts.append(_text(x(ratio) + 5, y + 12, f"{ratio:.2f}", INK, 12))
    parts.append(_text(16, height - 12, caption, PALE, 10))
    parts.append("</svg>\n")
    return "\n".join(parts)


def _text(x: float, y: float, text: str, color: str, size: int, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{color}" font-size="{size}" '
        f'text-anchor="{anchor}">{escape(text)}</text>'
    )
