"""`headwater reset`: have a group read from another place of its stream."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import click

from headwater.cli.connect import Link
from headwater.cli.gathering import server_ms
from headwater.cli.moments import MOMENT, since_id
from headwater.cli.output import Output
from headwater.cli.parameters import CONTEXT, GROUP, KEY, server_command
from headwater.cli.words import json_name, number_words, shown

COUNTED = 10_000
"""How far entries are counted on a server that cannot tell their number."""

ACKED_AT_ONCE = 1000
_WORDS = {"start": "0-0", "begin": "0-0", "-": "0-0", "0": "0-0", "end": "$", "now": "$", "$": "$"}


class _Position(click.ParamType):  # type: ignore[type-arg]
    """`start`, `end`, or what MOMENT takes."""

    name = "position"

    def convert(
        self, value: object, param: click.Parameter | None, context: click.Context | None
    ) -> str:
        return _WORDS.get(str(value)) or MOMENT.convert(value, param, context)


@dataclass
class _Plan:
    """What a reset does. entries: to be read then, None: more than COUNTED."""

    first: str | None
    entries: int | None
    dropped: int


@click.command("reset", context_settings=CONTEXT)
@click.argument("key", type=KEY)
@click.argument("group", type=GROUP)
@click.argument("position", type=_Position())
@click.option(
    "--pending",
    type=click.Choice(("keep", "drop")),
    default="keep",
    help="What consumers have and did not acknowledge: stays theirs, or is forgotten.  [keep]",
)
@click.option("--dry-run", is_flag=True, help="Only tell what would happen.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@server_command
def reset(
    link: Link,
    out: Output,
    key: bytes,
    group: bytes,
    position: str,
    pending: str,
    dry_run: bool,
    yes: bool,
) -> None:
    """Have GROUP read the stream KEY from another POSITION on.

    \b
    headwater reset orders billing 10m --dry-run      what came in the last ten minutes
    headwater reset orders billing start --pending drop
    headwater reset orders billing 2026-03-01T12:00

    POSITION is start, end, a time ago (10m, 2h), a time (local, unless it has a zone), or the ID of
    the entry that shall be read first.
    """
    facts = link.group_info(key, group)
    first = position if position == "$" else since_id(position, server_ms(link))
    drops = pending == "drop"
    work = _Native(link, key, group, first, drops) if link.is_headwater else None
    other = None if work else _Computed(link, key, group, first, drops, facts)
    plan = work.run(True) if work else other.plan()  # type: ignore[union-attr]
    if not dry_run:
        if not yes and not out.json and out.terminal and sys.stdin.isatty():
            click.confirm(f"{_told(plan, key, group, 'will')}. Go on?", abort=True, err=True)
        if work:
            plan = work.run(False)
        else:
            assert other is not None
            other.run()
    if out.json:
        out.document(
            {
                "key": json_name(key),
                "group": json_name(group),
                "first": plan.first,
                "entries": plan.entries,
                "pending_dropped": plan.dropped,
                "dry_run": dry_run,
            }
        )
    else:
        out.line(_told(plan, key, group, "would" if dry_run else "will"))


def _told(plan: _Plan, key: bytes, group: bytes, verb: str) -> str:
    what = f"{shown(group)} {verb} read "
    if plan.first is None:
        what += f"what comes to {shown(key)} from now on"
    else:
        many = f"more than {COUNTED:,}" if plan.entries is None else number_words(plan.entries)
        one = "entry" if plan.entries == 1 else "entries"
        what += f"{many} {one} of {shown(key)}, from {plan.first} on"
    if plan.dropped:
        one = "entry" if plan.dropped == 1 else "entries"
        what += f"; {number_words(plan.dropped)} pending {one} "
        what += "would be forgotten" if verb == "would" else "forgotten"
    return what


class _Native:
    """By XGROUP RESET: one step, and exact numbers."""

    def __init__(self, link: Link, key: bytes, group: bytes, first: str, drops: bool) -> None:
        self._link = link
        self._words: list[Any] = ["XGROUP", "RESET", key, group, first]
        self._words += ["PENDING", "DROP" if drops else "KEEP"]

    def run(self, dry: bool) -> _Plan:
        first, entries, dropped = self._link.call(*self._words, *(["DRYRUN"] if dry else []))
        return _Plan(None if first is None else first.decode(), entries, dropped)


class _Computed:
    """By XGROUP SETID with the ID of the entry before, and XACK of what is pending."""

    def __init__(
        self, link: Link, key: bytes, group: bytes, first: str, drops: bool, facts: dict[str, Any]
    ) -> None:
        self._link = link
        self._key = key
        self._group = group
        self._first = first
        self._drops = drops
        self._pending: int = facts["pending"] if drops else 0

    def plan(self) -> _Plan:
        if self._first == "$":
            return _Plan(None, 0, self._pending)
        call, key = self._link.call, self._key
        oldest = call("XRANGE", key, self._first, "+", "COUNT", 1)
        if not oldest:
            return _Plan(None, 0, self._pending)
        entries: int | None = None
        if not self._entry_before():
            entries = call("XLEN", key)
        else:
            found = len(call("XRANGE", key, self._first, "+", "COUNT", COUNTED + 1))
            entries = found if found <= COUNTED else None
        return _Plan(oldest[0][0].decode(), entries, self._pending)

    def run(self) -> None:
        """Set the position, and then forget what was pending: two steps, while others may read."""
        self._link.call("XGROUP", "SETID", self._key, self._group, self._before())
        if not self._drops:
            return
        last = b"-"
        left = self._pending
        while left > 0:
            rows = self._link.call(
                "XPENDING", self._key, self._group, last, "+", min(left, ACKED_AT_ONCE)
            )
            if not rows:
                return
            self._link.call("XACK", self._key, self._group, *[row[0] for row in rows])
            left -= len(rows)
            last = b"(" + rows[-1][0]

    def _entry_before(self) -> list[Any]:
        if self._first == "0-0":
            return []
        found: list[Any] = self._link.call(
            "XREVRANGE", self._key, f"({self._first}", "-", "COUNT", 1
        )
        return found

    def _before(self) -> str:
        """The last-delivered ID with which the first entry is read next."""
        if self._first == "$":
            return "$"
        before = self._entry_before()
        if not before:
            return "0-0"
        if self._link.call("XRANGE", self._key, self._first, "+", "COUNT", 1):
            return str(before[0][0].decode())
        # Nothing is there yet from that place on: what comes before it is not to be read.
        return _previous(self._first)


def _previous(entry_id: str) -> str:
    ms, _, seq = entry_id.partition("-")
    if int(seq):
        return f"{ms}-{int(seq) - 1}"
    if not int(ms):
        return "0-0"
    return f"{int(ms) - 1}-{2**64 - 1}"
