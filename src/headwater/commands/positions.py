"""Where in a stream a group shall read from: the position of XGROUP RESET.

    - | 0 | $ | ID | TIME unix-ms | AGO ms | ISO 8601

The stream is not looked at here: a position is the first ID that may be read, or the end.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from headwater import errors
from headwater.resp.request import Request
from headwater.streams.ids import parse_span
from headwater.streams.settings import MAX_MS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ONE_MS = timedelta(milliseconds=1)
_LONGEST_TEXT = 64  # bytes of a position that are worth a look, and that an error shows


def first_id_of(request: Request, i: int, now_ms: int) -> tuple[int, tuple[int, int] | None]:
    """Read a position from argument `i` on: (the argument behind it, the ID to be read first).

    The ID is None for `$`: nothing that is there is read. Raises RESET_POSITION, and RESET_TIME
    when what follows TIME or AGO is no time.
    """
    if request.text_equals(i, b"$"):
        return i + 1, None
    if request.text_equals(i, b"-"):
        return i + 1, (0, 0)
    if request.text_equals(i, b"TIME"):
        return i + 2, (_milliseconds(request, i + 1, "TIME"), 0)
    if request.text_equals(i, b"AGO"):
        return i + 2, (max(0, now_ms - _milliseconds(request, i + 1, "AGO")), 0)
    ok, ms, seq = parse_span(request.buf, request.start(i), request.length(i), 0)
    if ok:
        return i + 1, (ms, seq)
    word = request.arg(i)[:_LONGEST_TEXT]
    at_ms = iso_ms(word)
    if at_ms is None:
        raise errors.RESET_POSITION.error(word)
    return i + 1, (at_ms, 0)


def iso_ms(word: bytes) -> int | None:
    """A date or time of ISO 8601 as unix ms, what is finer rounded up; None if it is none.

    Without an offset it is UTC; what is before 1970 is 0.
    """
    try:
        moment = datetime.fromisoformat(word.decode("ascii").upper())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0, -((_EPOCH - moment) // _ONE_MS))
    except (ValueError, OverflowError):
        return None


def _milliseconds(request: Request, i: int, name: str) -> int:
    if i < request.argc and request.length(i) < _LONGEST_TEXT:
        word = request.arg(i)
        if word.isdigit() and int(word) <= MAX_MS:
            return int(word)
    raise errors.RESET_TIME.error(name)
