"""`headwater ls`: the streams of a server, one a line."""

from __future__ import annotations

from typing import Any

import click

from headwater.cli.connect import Link
from headwater.cli.gathering import StreamFacts, gather, scan_streams, server_ms
from headwater.cli.output import Cell, Column, Output
from headwater.cli.parameters import CONTEXT, server_command, to_bytes
from headwater.cli.words import (
    duration_words,
    iso_time,
    json_name,
    number_words,
    rate_words,
    shown,
    size_words,
)

DEFAULT_LIMIT = 1000
_LONGEST_KEY = 200

COLUMNS = (
    Column("STREAM", elastic=True, style="name"),
    Column("LENGTH", right=True),
    Column("MEMORY", right=True),
    Column("RATE", right=True),
    Column("LAST", right=True),
    Column("GROUPS", right=True),
    Column("WAITING", right=True),
    Column("PENDING", right=True),
)

_ORDERS = {
    "name": lambda facts: facts.key,
    "length": lambda facts: (-facts.length, facts.key),
    "memory": lambda facts: (-(facts.memory or 0), facts.key),
    "rate": lambda facts: (-(facts.rate or 0.0), facts.key),
    "last": lambda facts: (-_last(facts), facts.key),
    "groups": lambda facts: (-len(facts.groups), facts.key),
    "waiting": lambda facts: (-(facts.waiting or 0), facts.key),
    "pending": lambda facts: (-facts.pending, facts.key),
}


def _last(facts: StreamFacts) -> int:
    return int(facts.last_entry.partition("-")[0]) if facts.last_entry else -1


@click.command("ls", context_settings=CONTEXT)
@click.argument("pattern", required=False)
@click.option(
    "--sort",
    "-s",
    type=click.Choice(tuple(_ORDERS)),
    default="name",
    help="Order of the streams; numbers go down.  [name]",
)
@click.option(
    "--limit",
    "-n",
    type=click.IntRange(min=0),
    default=DEFAULT_LIMIT,
    metavar="N",
    help=f"Stop looking after N streams, 0: never.  [{DEFAULT_LIMIT}]",
)
@server_command
def ls(link: Link, out: Output, pattern: str | None, sort: str, limit: int) -> None:
    """List streams with their length, memory, rate and groups.

    PATTERN is as KEYS takes it: 'orders:*', 'user-?', 'log:[ab]*' (quote it from the shell).

    \b
    RATE     entries a second: the newest 100 entries, up to now
    LAST     how long ago the last entry came
    WAITING  entries that the group furthest behind was not given yet
    PENDING  entries that consumers were given and have not acknowledged
    """
    now_ms = server_ms(link)
    streams: list[StreamFacts] = []
    wanted = to_bytes(pattern) if pattern else None
    for keys in scan_streams(link, wanted, limit + 1 if limit else 0):
        streams += gather(link, keys, now_ms)
    more = bool(limit) and len(streams) > limit
    streams = streams[:limit] if more else streams
    streams.sort(key=_ORDERS[sort])
    if out.json:
        out.document([stream_document(facts, now_ms) for facts in streams])
    elif streams:
        out.table(COLUMNS, [_row(facts, now_ms) for facts in streams])
    else:
        out.note(f"no streams match {shown(pattern)}" if pattern else "no streams")
    if more:
        out.note(f"there are more than {limit:,} streams: --limit 0 shows all, a PATTERN some")


def _row(facts: StreamFacts, now_ms: int) -> list[Cell]:
    return [
        shown(facts.key, _LONGEST_KEY),
        number_words(facts.length),
        size_words(facts.memory),
        rate_words(facts.rate),
        duration_words(facts.last_ms(now_ms)),
        number_words(len(facts.groups)) if facts.groups else ("0", "dim"),
        waiting_cell(facts.waiting) if facts.groups else "-",
        waiting_cell(facts.pending) if facts.groups else "-",
    ]


def waiting_cell(count: int | None) -> Cell:
    """A count that is best at zero."""
    return (number_words(count), "warn") if count else number_words(count)


def stream_document(facts: StreamFacts, now_ms: int) -> dict[str, Any]:
    """A stream's facts for programs."""
    return {
        "key": json_name(facts.key),
        "length": facts.length,
        "memory_bytes": facts.memory,
        "rate": None if facts.rate is None else round(facts.rate, 3),
        "first_id": facts.first_entry,
        "last_id": facts.last_id,
        "last_entry_id": facts.last_entry,
        "last_time": iso_time(_last(facts)) if facts.last_ms(now_ms) is not None else None,
        "entries_added": facts.added,
        "groups": [json_name(group.name) for group in facts.groups],
        "waiting": facts.waiting,
        "pending": facts.pending,
    }
