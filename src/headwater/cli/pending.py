"""`headwater pending`: who holds which entries of a group, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click

from headwater.cli.connect import Link
from headwater.cli.failure import MISUSED, Failure
from headwater.cli.gathering import age_of, server_ms
from headwater.cli.moments import SPAN
from headwater.cli.output import Cell, Column, Output
from headwater.cli.parameters import CONSUMER, CONTEXT, GROUP, KEY, server_command
from headwater.cli.words import (
    duration_words,
    json_fields,
    json_name,
    number_words,
    pairs_of,
    shown,
)

DEFAULT_COUNT = 100
PAGE = 1000
_LONGEST_NAME = 100
_LONGEST_FIELDS = 2000
_OFTEN = 3
"""Deliveries from which on an entry is suspicious."""


@dataclass
class Pending:
    """One pending entry; consumer b"": nobody's, it was given back."""

    entry_id: str
    consumer: bytes
    idle_ms: int
    deliveries: int


def pending_entries(
    link: Link,
    key: bytes,
    group: bytes,
    *,
    count: int,
    consumer: bytes | None = None,
    idle_ms: int = 0,
    first: str = "-",
    last: str = "+",
) -> Iterator[Pending]:
    """Pending entries from ID `first` to `last` in order, `count` at most, 0: all."""
    start, left = first, count
    while True:
        size = min(PAGE, left) if count else PAGE
        words: list[bytes | str | int] = ["XPENDING", key, group]
        if idle_ms:
            words += ["IDLE", idle_ms]
        words += [start, last, size]
        if consumer is not None:
            words.append(consumer)
        rows = link.call(*words)
        for entry_id, owner, idle, deliveries in rows:
            yield Pending(entry_id.decode(), owner, int(idle), int(deliveries))
        left -= len(rows)
        if len(rows) < size or (count and left <= 0):
            return
        start = "(" + rows[-1][0].decode()


@click.command("pending", context_settings=CONTEXT)
@click.argument("key", type=KEY)
@click.argument("group", type=GROUP, required=False)
@click.option("--consumer", "-c", type=CONSUMER, metavar="NAME", help="Only what NAME has.")
@click.option(
    "--idle", "-i", type=SPAN, default=0, metavar="SPAN", help="Only what has been out this long."
)
@click.option(
    "--count",
    "-n",
    type=click.IntRange(min=0),
    default=DEFAULT_COUNT,
    metavar="N",
    help=f"At most N entries, those with the lowest IDs; 0: all.  [{DEFAULT_COUNT}]",
)
@click.option("--entries", "-e", "with_entries", is_flag=True, help="Show the entries' fields too.")
@server_command
def pending(
    link: Link,
    out: Output,
    key: bytes,
    group: bytes | None,
    consumer: bytes | None,
    idle: int,
    count: int,
    with_entries: bool,
) -> None:
    """Show the pending entries of a group: delivered, and not acknowledged yet.

    \b
    AGE         how long ago the entry was added
    OUT FOR     how long ago it was last delivered
    DELIVERIES  how often it was
    """
    if group is None:
        raise _which_group(link, key)
    facts = link.group_info(key, group)
    if consumer is not None:
        _require_consumer(link, key, group, consumer)
    now_ms = server_ms(link)
    found = list(pending_entries(link, key, group, count=count, consumer=consumer, idle_ms=idle))
    bodies = _bodies(link, key, found) if with_entries else None
    if out.json:
        out.document([_document(entry, bodies) for entry in found])
    elif found:
        columns = [
            Column("ENTRY", style="name"),
            Column("AGE", right=True),
            Column("CONSUMER", elastic=True),
            Column("OUT FOR", right=True),
            Column("DELIVERIES", right=True),
        ]
        if bodies is not None:
            columns.append(Column("FIELDS", elastic=True))
        out.table(columns, [_row(entry, now_ms, bodies) for entry in found])
    else:
        out.note(_nothing(key, group, facts["pending"]))
    if count and len(found) == count < facts["pending"]:
        out.note(
            f"{count:,} shown, {facts['pending']:,} are pending in the group: --count 0 shows all"
        )


def _which_group(link: Link, key: bytes) -> Failure:
    link.require_stream(key)
    names = [shown(facts["name"]) for facts in link.groups(key)]
    if not names:
        return Failure(f"{shown(key)} has no groups: nothing is pending")
    known = ", ".join(names[:10]) + (", ..." if names[10:] else "")
    return Failure(f"which group of {shown(key)}?", f"Its groups: {known}", MISUSED)


def _require_consumer(link: Link, key: bytes, group: bytes, consumer: bytes) -> None:
    rows = link.call("XINFO", "CONSUMERS", key, group)
    names = [dict(pairs_of(row))[b"name"] for row in rows]
    if consumer not in names:
        known = ", ".join(shown(name) for name in names[:10]) + (", ..." if names[10:] else "")
        raise Failure(
            f"group {shown(group)} has no consumer {shown(consumer)}",
            f"Its consumers: {known}" if names else "It has no consumers at all.",
        )


def _nothing(key: bytes, group: bytes, count: int) -> str:
    name = f"group {shown(group)} of {shown(key)}"
    if count:
        return f"none of the {count:,} pending entries of {name} is so"
    return f"nothing is pending in {name}"


def _bodies(link: Link, key: bytes, found: list[Pending]) -> dict[str, Any]:
    """The fields of pending entries by ID, None for one that was deleted meanwhile."""
    bodies: dict[str, Any] = {}
    for begin in range(0, len(found), PAGE):
        page = found[begin : begin + PAGE]
        replies = link.calls([("XRANGE", key, e.entry_id, e.entry_id) for e in page])
        for entry, reply in zip(page, replies, strict=True):
            bodies[entry.entry_id] = pairs_of(reply[0][1]) if reply else None
    return bodies


def _row(entry: Pending, now_ms: int, bodies: dict[str, Any] | None) -> list[Cell]:
    often = number_words(entry.deliveries)
    row: list[Cell] = [
        entry.entry_id,
        duration_words(age_of(entry.entry_id, now_ms)),
        shown(entry.consumer, _LONGEST_NAME) if entry.consumer else ("(nobody)", "dim"),
        duration_words(entry.idle_ms),
        (often, "warn") if entry.deliveries >= _OFTEN else often,
    ]
    if bodies is not None:
        body = bodies[entry.entry_id]
        row.append(("(deleted)", "bad") if body is None else fields_words(body))
    return row


def fields_words(pairs: list[tuple[bytes, bytes]]) -> str:
    """An entry's fields on one line."""
    return "  ".join(f"{shown(name, 60)}={shown(value, _LONGEST_FIELDS)}" for name, value in pairs)


def _document(entry: Pending, bodies: dict[str, Any] | None) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": entry.entry_id,
        "consumer": json_name(entry.consumer) if entry.consumer else None,
        "idle_ms": entry.idle_ms,
        "deliveries": entry.deliveries,
    }
    if bodies is not None:
        body = bodies[entry.entry_id]
        document["fields"] = None if body is None else json_fields(body)
    return document
