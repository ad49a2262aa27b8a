"""Conversations with a server as generators: what they ask for, and what they are told.

A flow is a generator. It yields what it wants: a Command, Commands (one round trip, an answer or an
error for each) or a Pause; it is sent the answer, or the error is raised in it. Flows know no
client, no thread and no event loop: clients.py drives them, for threads and for an event loop. So
sync and async share all that is decided.

Answers come in many shapes: of RESP2 or RESP3, raw or formed by redis-py, bytes or text. The
functions here make one of them.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import redis
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)

from headwater.worker.scripts import Script

T = TypeVar("T")
Word = str | bytes | int
Command = tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Commands:
    """Several commands in one round trip; the answer is a list of answers and errors."""

    all: Sequence[Command]


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing to do for so many seconds, or until somebody wakes the flow; None: only then."""

    seconds: float | None


Effect = Command | Commands | Pause
Flow = Generator[Effect, Any, T]

_IN_SCRIPT = re.compile(r"Error running script .*@user_script: ?\d+: -?")
"""Redis before 7: "Error running script (call to f_...): @user_script:3: @user_script: 3: -OOM"."""

REFUSALS = ("LOADING", "MISCONF", "BUSY ", "NOREPLICAS", "READONLY", "OOM ", "MASTERDOWN")


def is_passing(error: BaseException) -> bool:
    """Whether the same may work later: the server is away, starting, full, or is being replaced."""
    if isinstance(error, AuthenticationError | AuthorizationError):
        return False
    if isinstance(
        error,
        redis.ConnectionError
        | redis.TimeoutError
        | OSError
        | BusyLoadingError
        | ClusterDownError
        | MasterDownError
        | OutOfMemoryError
        | ReadOnlyError
        | TryAgainError,
    ):
        return True
    return isinstance(error, ResponseError) and _reason(error).startswith(REFUSALS)


def _reason(error: BaseException) -> str:
    """The text of an error; of one in a script the error of the command in it."""
    text = str(error)
    in_script = _IN_SCRIPT.match(text)
    return text if in_script is None else text[in_script.end() :]


def is_gone(error: BaseException) -> bool:
    """Whether the stream or its group does not exist any more."""
    return isinstance(error, ResponseError) and _reason(error).startswith(("NOGROUP", "UNBLOCKED"))


def is_full(error: BaseException) -> bool:
    """Whether the server has no memory left."""
    return isinstance(error, OutOfMemoryError) or _reason(error).startswith("OOM ")


def evaluate(script: Script, keys: Sequence[Word], arguments: Iterable[Word]) -> Flow[Any]:
    """Run a script, handing over its text where the server does not have it yet."""
    words = (len(keys), *keys, *arguments)
    try:
        return (yield ("EVALSHA", script.sha, *words))
    except NoScriptError:
        return (yield ("EVAL", script.text, *words))


# --- answers ---


def as_bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")


def as_text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def as_fields(value: Any) -> dict[bytes, bytes]:
    """The fields of one entry."""
    if isinstance(value, dict):
        return {as_bytes(name): as_bytes(item) for name, item in value.items()}
    words = iter(value)
    return {as_bytes(name): as_bytes(item) for name, item in zip(words, words, strict=True)}


def entries_read(answer: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """What XREADGROUP of one stream returned; entries whose data is deleted are left out."""
    if not answer:
        return []
    entries = next(iter(answer.values())) if isinstance(answer, dict) else answer[0][1]
    if len(entries) == 1 and isinstance(entries[0], list) and entries[0]:
        first = entries[0][0]
        if isinstance(first, list | tuple):  # redis-py's shape for RESP3: one list more
            entries = entries[0]
    return [(as_bytes(row[0]), as_fields(row[1])) for row in entries if row and row[1] is not None]


def pending_rows(answer: Any) -> list[tuple[bytes, int]]:
    """ID and delivery count of what XPENDING with a range returned."""
    rows = []
    for row in answer:
        if isinstance(row, dict):
            rows.append((as_bytes(row["message_id"]), int(row["times_delivered"])))
        else:
            rows.append((as_bytes(row[0]), int(row[3])))
    return rows


def claimed_ids(answer: Any) -> tuple[bytes, list[bytes]]:
    """Where XAUTOCLAIM ... JUSTID goes on, and what it claimed.

    Redis 6.2 answers with two items, 7.0 and later with a third one: the IDs of deleted entries,
    which are pending no more. What 6.2 claims may be deleted.
    """
    if answer and not isinstance(answer[0], list | tuple) and len(answer) >= 2:
        return as_bytes(answer[0]), [as_bytes(one) for one in answer[1] if one is not None]
    return b"0-0", [as_bytes(one) for one in answer]


def mapping(answer: Any) -> dict[str, Any]:
    """A map, or the list of names and values that RESP2 has for one."""
    if isinstance(answer, dict):
        return {as_text(name): value for name, value in answer.items()}
    words = iter(answer)
    return {as_text(name): value for name, value in zip(words, words, strict=True)}
