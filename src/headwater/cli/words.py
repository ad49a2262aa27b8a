"""Bytes, numbers, sizes and times as people and JSON readers get them.

Guarantees: no text that leaves here holds a control character, so that no stored value can move
the cursor, colour the terminal or break a line.
"""

from __future__ import annotations

import base64
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}
_HIDDEN = ("C", "Zl", "Zp")
"""Categories of what does not show as itself: controls, formats, surrogates, separators."""


def shown(data: bytes | str, limit: int = 0) -> str:
    """Bytes as one line of text: UTF-8 as it is, all else escaped as Python does (`\\x00`).

    Longer than `limit` characters (0: no limit), it is cut and says how many bytes there are.
    """
    size = len(data)
    cut = data if limit <= 0 or size <= 4 * limit else data[: 4 * limit]
    text = cut.decode("utf-8", "surrogateescape") if isinstance(cut, bytes) else cut
    if text.isascii() and text.isprintable() and "\\" not in text:
        escaped = text
    else:
        escaped = "".join(map(_escaped, text))
    if limit > 0 and (len(escaped) > limit or len(cut) < size):
        told = f"… ({size_words(size)})"
        return escaped[: max(1, limit - len(told))] + told
    return escaped


def _escaped(letter: str) -> str:
    short = _SHORT.get(letter)
    if short is not None:
        return short
    if letter.isprintable():
        return letter
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if not unicodedata.category(letter).startswith(_HIDDEN):
        return letter
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def width_of(text: str) -> int:
    """Columns that a text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(map(_letter_width, text))


def _letter_width(letter: str) -> int:
    if unicodedata.combining(letter) or unicodedata.category(letter) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def fitted(text: str, width: int) -> str:
    """The text in at most `width` columns, with an ellipsis where it was cut."""
    if width_of(text) <= width:
        return text
    if width <= 0:
        return ""
    taken, columns = [], 0
    for letter in text:
        columns += _letter_width(letter)
        if columns > width - 1:
            break
        taken.append(letter)
    return "".join(taken) + "…"


def number_words(number: int | None) -> str:
    """A count with its thousands apart; `-` for what is not known."""
    return "-" if number is None else f"{number:,}"


def counted(number: int, one: str, more: str = "") -> str:
    """A count with what it counts: `1 group`, `2,000 entries`."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"


def size_words(size: float | None) -> str:
    """Bytes in the unit that fits: `512 B`, `1.5 KB` (1024 bytes each)."""
    if size is None:
        return "-"
    if size < 1024:
        return f"{size:.0f} B"
    for unit in ("KB", "MB", "GB"):
        size /= 1024
        if size < 999.95:
            return f"{size:.1f} {unit}"
    return f"{size / 1024:.1f} TB"


def duration_words(ms: float | None) -> str:
    """A time span by its two largest units: `850ms`, `4.2s`, `3m12s`, `2h05m`, `3d04h`."""
    if ms is None or ms < 0:
        return "-"
    if ms < 1000:
        return f"{ms:.0f}ms" if ms else "0s"
    seconds = ms / 1000
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    whole = int(seconds)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if minutes < 60:
        return f"{minutes}m{whole % 60:02d}s"
    if hours < 48:
        return f"{hours}h{minutes % 60:02d}m"
    return f"{days}d{hours % 24:02d}h"


def span_words(ms: int) -> str:
    """A time span to the millisecond, as `--idle` and its like take it: `1h30m`, `500ms`."""
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if ms >= size:
            parts.append(f"{ms // size}{unit}")
            ms %= size
    return "".join(parts) + (f"{ms}ms" if ms or not parts else "")


def rate_words(rate: float | None) -> str:
    """Something a second: `1,234/s`, `0.5/s`, `-` for none."""
    if rate is None:
        return "-"
    if rate >= 10:
        return f"{rate:,.0f}/s"
    return f"{rate:.1f}/s" if rate >= 0.05 or rate == 0 else "<0.1/s"


def time_words(unix_ms: int) -> str:
    """A moment in local time, to the millisecond; the number itself where no calendar has it."""
    try:
        moment = datetime.fromtimestamp(unix_ms / 1000).astimezone()
    except (OverflowError, ValueError, OSError):
        return str(unix_ms)
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{unix_ms % 1000:03d}"


def iso_time(unix_ms: int) -> str | None:
    """A moment in UTC for programs, None where no calendar has it."""
    try:
        moment = datetime.fromtimestamp(unix_ms // 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{unix_ms % 1000:03d}Z"


def id_ms(entry_id: bytes | str) -> int:
    """The milliseconds of an entry ID."""
    text = entry_id.decode() if isinstance(entry_id, bytes) else entry_id
    return int(text.partition("-")[0])


# --- for programs ---


def json_bytes(data: bytes) -> str | dict[str, str]:
    """Bytes in JSON: a string if they are UTF-8, else {"base64": "..."}."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def json_name(data: bytes) -> str:
    """A key or a name in JSON, always a string: what is not UTF-8 is escaped as `\\xff`."""
    return data.decode("utf-8", "backslashreplace")


def json_fields(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, Any] | list[list[Any]]:
    """Fields of an entry in JSON: an object; a list of pairs if names repeat or are not UTF-8."""
    pairs = list(pairs)
    names = [json_bytes(name) for name, _ in pairs]
    texts = [name for name in names if isinstance(name, str)]
    if len(texts) == len(pairs) == len(set(texts)):
        return dict(zip(texts, [json_bytes(value) for _, value in pairs], strict=True))
    return [[name, json_bytes(pair[1])] for name, pair in zip(names, pairs, strict=True)]


def pairs_of(flat: list[Any] | Mapping[Any, Any] | None) -> list[tuple[Any, Any]]:
    """A flat list of names and values, or a map, as pairs in their order."""
    if not flat:
        return []
    if isinstance(flat, Mapping):
        return list(flat.items())
    return list(zip(flat[::2], flat[1::2], strict=True))


def facts_of(flat: list[Any] | Mapping[Any, Any]) -> dict[str, Any]:
    """A reply of names and values by name."""
    return {
        (name.decode() if isinstance(name, bytes) else name): value
        for name, value in pairs_of(flat)
    }
