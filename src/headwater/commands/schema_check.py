"""Entries checked before they are appended to a stream with a schema.

Whoever takes entries from clients asks here: XADD, XSCHEDULE ADD, XREDRIVE. What the server moves
by itself (dead letters, scheduled entries that are due) was checked, or must not be lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater import errors
from headwater.schemas.entries import Checker, Entry, make_checker
from headwater.schemas.faults import named, summary
from headwater.schemas.library import LibraryMissingError, SchemaError
from headwater.schemas.versions import Schemas

if TYPE_CHECKING:
    from headwater.commands.state import ServerState
    from headwater.resp.request import Request
    from headwater.streams.stream import Stream


def check_entry(
    state: ServerState, key: bytes, stream: Stream, request: Request, arg: int, fields: int
) -> None:
    """Raise SCHEMA_MISFIT if an entry does not fit the schema that the stream has.

    The entry is so many pairs of field and value, the words of the request from `arg` on.
    """
    entry = {request.arg(i): request.arg(i + 1) for i in range(arg, arg + 2 * fields, 2)}
    _check(key, stream.schema, entry, fields)


def check_words(state: ServerState, key: bytes, stream: Stream, words: list[bytes]) -> None:
    """As `check_entry`, of fields and values one behind the other."""
    _check(key, stream.schema, dict(zip(words[::2], words[1::2], strict=True)), len(words) // 2)


def _check(key: bytes, schemas: Schemas, entry: Entry, fields: int) -> None:
    checker: Checker = schemas.checker or _prepare(key, schemas)
    faults = checker.faults(entry)
    if len(entry) < fields:
        faults.insert(0, "a field is there twice")
    if faults:
        raise errors.SCHEMA_MISFIT.error(printed(named(key)), schemas.current.number, told(faults))


def _prepare(key: bytes, schemas: Schemas) -> Checker:
    """What checks entries against the current version; raises if it can not be made."""
    number = schemas.current.number
    try:
        if not schemas.refusal:
            checker = make_checker(schemas.current.text)
            schemas.checker = checker
            return checker
    except LibraryMissingError:
        raise errors.SCHEMA_UNCHECKED.error(printed(named(key)), number) from None
    except SchemaError as error:
        schemas.refusal = told([str(error)])
    raise errors.SCHEMA_MISFIT.error(
        printed(named(key)), number, b"the schema can not be used: " + schemas.refusal
    )


def printed(text: str) -> bytes:
    """Text for an error reply."""
    return text.encode("utf-8", "backslashreplace")


def told(faults: list[str]) -> bytes:
    """The first few faults, for an error reply."""
    return printed(summary(faults))
