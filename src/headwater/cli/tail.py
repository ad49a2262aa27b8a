"""`headwater tail`: a stream's newest entries, and those that come."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import click
import redis

from headwater.cli.columns import EntryTable, print_expanded
from headwater.cli.connect import Link
from headwater.cli.entries import Entry, Pages, entries_of, forward, newest
from headwater.cli.failure import Failure, no_such_key, not_a_stream
from headwater.cli.gathering import EARLIEST_MS, server_ms
from headwater.cli.moments import MOMENT, since_id
from headwater.cli.output import Output
from headwater.cli.parameters import CONTEXT, GROUP, KEY, server_command
from headwater.cli.pending import pending_entries
from headwater.cli.words import duration_words, id_ms, iso_time, json_fields, shown

DEFAULT_COUNT = 10
BLOCK_MS = 5000
FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 5.0
_LONGEST_CONSUMER = 24

_GONE = (redis.ConnectionError, redis.TimeoutError, OSError)
_REFUSED = (redis.AuthenticationError, redis.exceptions.AuthorizationError)


@click.command("tail", context_settings=CONTEXT)
@click.argument("key", type=KEY)
@click.option(
    "--group", "-g", type=GROUP, metavar="GROUP", help="Show how far GROUP is with each entry."
)
@click.option(
    "--since",
    "-s",
    type=MOMENT,
    metavar="WHEN",
    help="Begin there: 10m, 2h (ago), 2026-03-01T12:00 (local time, or ...Z), or an entry ID.",
)
@click.option(
    "--count",
    "-n",
    type=click.IntRange(min=0),
    metavar="N",
    help=f"Begin with the last N entries.  [{DEFAULT_COUNT}; with --since or --group, all]",
)
@click.option(
    "--follow/--no-follow", "-f/-F", default=True, help="Go on as entries come.  [--follow]"
)
@click.option("--expanded", "-x", is_flag=True, help="A line for each field, nothing cut.")
@server_command
def tail(
    link: Link,
    out: Output,
    key: bytes,
    group: bytes | None,
    since: str | None,
    count: int | None,
    follow: bool,
    expanded: bool,
) -> None:
    """Print the newest entries of a stream, then each as it comes, until Ctrl-C.

    Nothing is consumed: groups stay where they are. With --group, the entries are shown that the
    group was not given yet, or from --since on, and each says if it is waiting, done, or with whom
    it has been for how long.

    With --json, each entry is a line: {"id": ..., "time": ..., "fields": {...}}.
    """
    follow = follow and not link.embedded  # nobody else can write to a directory that is open here
    _look(link, key, follow, out)
    printer = _Printer(link, out, key, group, expanded)
    try:
        last = printer.history(since, count)
        if follow:
            for page in followed(link, key, last, out):
                printer.print(page)
    except KeyboardInterrupt:
        if out.terminal:
            sys.stderr.write("\n")


def _look(link: Link, key: bytes, follow: bool, out: Output) -> None:
    """Raise Failure for what can not be tailed; who follows may wait for the key."""
    kind = link.call("TYPE", key).decode()
    if kind == "none" and not follow:
        raise no_such_key(shown(key))
    if kind == "none":
        out.note(f"{shown(key)} is not there yet; waiting for it (Ctrl-C ends this)")
    elif kind != "stream":
        raise not_a_stream(shown(key), kind)


class _Printer:
    """Prints pages of entries as the options say."""

    def __init__(
        self, link: Link, out: Output, key: bytes, group: bytes | None, expanded: bool
    ) -> None:
        self._link = link
        self._out = out
        self._key = key
        self._group = group
        self._expanded = expanded
        self._table = EntryTable(out, group is not None)

    def history(self, since: str | None, count: int | None) -> str:
        """Print what is there already; returns the ID behind which to go on."""
        first = "-"
        if since is not None:
            first = since_id(since, server_ms(self._link))
        elif self._group is not None and count is None:
            first = (
                "(" + self._link.group_info(self._key, self._group)["last-delivered-id"].decode()
            )
        elif self._group is not None:
            self._link.group_info(self._key, self._group)  # that there is one
        last = self._last_id()
        if count is None and first == "-":
            count = DEFAULT_COUNT
        if count is None:
            for page in forward(self._link, self._key, first):
                self.print(page)
                last = page[-1][0]
        elif count:
            page = newest(self._link, self._key, count, first)
            if page:
                self.print(page)
                last = page[-1][0]
        return last

    def _last_id(self) -> str:
        """The last ID of the stream, 0-0 if it is not there."""
        rows = self._link.call("XREVRANGE", self._key, "+", "-", "COUNT", 1)
        return rows[0][0].decode() if rows else "0-0"

    def print(self, page: list[Entry]) -> None:
        """Print a page."""
        try:
            states = self._states(page) if self._group is not None else []
        except redis.ConnectionError:
            states = [""] * len(page)  # what follows the entries sees to the connection
        if self._out.json:
            for i, (entry_id, fields) in enumerate(page):
                self._out.record(_document(entry_id, fields, states[i : i + 1]))
        elif self._expanded:
            print_expanded(self._out, page, states)
        else:
            self._table.print(page, states)
        self._out.flush()

    def _states(self, page: list[Entry]) -> list[str]:
        """What the group has to do with each entry of a page."""
        assert self._group is not None
        facts = self._link.group_info(self._key, self._group)
        delivered = _parts(facts["last-delivered-id"].decode())
        held = {}
        if facts["pending"]:
            for one in pending_entries(
                self._link, self._key, self._group, count=0, first=page[0][0], last=page[-1][0]
            ):
                name = shown(one.consumer, _LONGEST_CONSUMER) if one.consumer else "nobody"
                held[one.entry_id] = f"{name} {duration_words(one.idle_ms)}"
        return [
            held.get(entry_id, "done" if _parts(entry_id) <= delivered else "waiting")
            for entry_id, _ in page
        ]


def _parts(entry_id: str) -> tuple[int, int]:
    ms, _, seq = entry_id.partition("-")
    return int(ms), int(seq)


def _document(entry_id: str, fields: list[tuple[bytes, bytes]], state: list[str]) -> dict[str, Any]:
    ms = id_ms(entry_id)
    document: dict[str, Any] = {
        "id": entry_id,
        "time": iso_time(ms) if ms >= EARLIEST_MS else None,
        "fields": json_fields(fields),
    }
    if state:
        document["state"] = state[0]
    return document


def followed(link: Link, key: bytes, last: str, out: Output) -> Iterator[list[Entry]]:
    """Pages of the entries behind `last` as they come, through restarts of the server."""
    pages = Pages()
    lost_wait = 0.0
    while True:
        try:
            if lost_wait:
                time.sleep(lost_wait)
                last = _still_behind(link, key, last, out)
                out.note(f"connected to {link.url} again")
                lost_wait = 0.0
            reply = link.call("XREAD", "COUNT", pages.size, "BLOCK", BLOCK_MS, "STREAMS", key, last)
            if not reply:
                last = _still_behind(link, key, last, out)
                continue
        except _REFUSED:
            raise
        except _GONE:
            if not lost_wait:
                out.note(f"the connection to {link.url} was lost; trying again")
            lost_wait = min(LONGEST_WAIT_S, lost_wait * 2 or FIRST_WAIT_S)
            continue
        rows = reply[0][1]
        pages.came(rows)
        last = rows[-1][0].decode()
        yield entries_of(rows)


def _still_behind(link: Link, key: bytes, last: str, out: Output) -> str:
    """`last`, or 0-0 if the stream was made anew since and its IDs are lower now."""
    rows = link.call("XREVRANGE", key, "+", "-", "COUNT", 1)
    if rows and _parts(rows[0][0].decode()) < _parts(last):
        kind = link.call("TYPE", key)
        if kind != b"stream":
            raise Failure(f"{shown(key)} is no stream any more")
        info = link.stream_info(key)
        if _parts(info["last-generated-id"].decode()) < _parts(last):
            out.note(f"{shown(key)} begins anew")
            return "0-0"
    return last
