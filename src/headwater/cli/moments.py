"""Points in a stream as people name them: a time ago, a date, an entry ID."""

from __future__ import annotations

import re
from datetime import datetime

import click

_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_SPAN = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
_ID = re.compile(r"\d{1,20}(?:-\d{1,20})?")
_MAX = 2**64 - 1


def span_ms(text: str) -> int | None:
    """Milliseconds of a time span such as `90s`, `10m`, `1h30m`, `500ms`; None if it is none."""
    compact = text.strip().lower().replace(" ", "")
    if not _SPAN.fullmatch(compact):
        return None
    return round(sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(compact)))


def time_ms(text: str) -> int | None:
    """Unix milliseconds of an ISO date or time; None if it is none. Without a zone: local time."""
    try:
        return round(datetime.fromisoformat(text.strip()).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        return None


def is_entry_id(text: str) -> bool:
    """Whether a text is an entry ID: `1700000000000-0`, or its milliseconds alone."""
    return bool(_ID.fullmatch(text)) and all(int(part) <= _MAX for part in text.split("-"))


class Span(click.ParamType):  # type: ignore[type-arg]
    """A time span; its value is in milliseconds."""

    name = "span"

    def convert(
        self, value: object, param: click.Parameter | None, context: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        ms = span_ms(str(value))
        if ms is None:
            self.fail(f"{value!r} is no time span: write 500ms, 30s, 10m, 1h30m or 2d.")
        return ms


class Moment(click.ParamType):  # type: ignore[type-arg]
    """A point in a stream; its value is the text, of which `since_id` makes an ID."""

    name = "moment"

    def convert(
        self, value: object, param: click.Parameter | None, context: click.Context | None
    ) -> str:
        text = str(value)
        if span_ms(text) is None and not is_entry_id(text) and time_ms(text) is None:
            self.fail(
                f"{text!r} is no point in a stream: write a time ago (10m, 2h, 1d), a time "
                "(2026-03-01, 2026-03-01T12:00, ...Z), or an entry ID (1700000000000-0)."
            )
        return text


SPAN = Span()
MOMENT = Moment()


def since_id(moment: str, now_ms: int) -> str:
    """The smallest entry ID at a moment, as `Moment` accepts it; `now_ms` is the server's time.

    Eight digits are a date (20260301), fewer and more are an entry ID.
    """
    span = span_ms(moment)
    if span is not None:
        return f"{max(0, now_ms - span)}-0"
    if is_entry_id(moment) and len(moment) != 8:
        return moment if "-" in moment else f"{moment}-0"
    at_ms = time_ms(moment)
    if at_ms is not None:
        return f"{max(0, at_ms)}-0"
    return moment if "-" in moment else f"{moment}-0"
