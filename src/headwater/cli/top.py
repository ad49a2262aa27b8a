"""`headwater top`: streams, groups and clients of a server, again and again."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import click
import redis

from headwater.cli.connect import Link
from headwater.cli.ls import stream_document, waiting_cell
from headwater.cli.output import Cell, Column, Output
from headwater.cli.parameters import CONTEXT, server_command, to_bytes
from headwater.cli.sampling import ClientRow, Frame, GroupRow, Sampler
from headwater.cli.words import (
    counted,
    duration_words,
    iso_time,
    json_name,
    number_words,
    rate_words,
    shown,
    size_words,
    time_words,
)

DEFAULT_LIMIT = 200
ROWS_IN_PIPE = 20
LONGEST_WAIT_S = 5.0
_NAME = 80

_STREAMS = (
    Column("STREAM", elastic=True, style="name"),
    Column("LENGTH", right=True),
    Column("MEMORY", right=True),
    Column("IN", right=True),
    Column("LAST", right=True),
    Column("GROUPS", right=True),
    Column("WAITING", right=True),
    Column("PENDING", right=True),
)
_GROUPS = (
    Column("STREAM", elastic=True, style="name"),
    Column("GROUP", elastic=True, style="name"),
    Column("CONSUMERS", right=True),
    Column("WAITING", right=True),
    Column("PENDING", right=True),
    Column("OUT", right=True),
    Column("DONE", right=True),
    Column("OLDEST", right=True),
)
_CLIENTS = (
    Column("CLIENT", style="name"),
    Column("NAME", elastic=True),
    Column("AGE", right=True),
    Column("IDLE", right=True),
    Column("COMMANDS", right=True),
    Column("LAST", elastic=True),
    Column("LIBRARY", elastic=True),
)

_ORDERS: dict[str, Callable[[Any], Any]] = {
    "rate": lambda facts: (-(facts.rate or 0.0), -facts.length, facts.key),
    "length": lambda facts: (-facts.length, facts.key),
    "memory": lambda facts: (-(facts.memory or 0), facts.key),
    "waiting": lambda facts: (-(facts.waiting or 0), facts.key),
    "pending": lambda facts: (-facts.pending, facts.key),
    "name": lambda facts: facts.key,
}

Section = tuple[str, tuple[Column, ...], list[list[Cell]]]
"""A part of a frame: its title, and a table."""


@click.command("top", context_settings=CONTEXT)
@click.argument("pattern", required=False)
@click.option("--once", is_flag=True, help="Show one moment, with the rates of one interval.")
@click.option(
    "--interval",
    "-i",
    type=click.FloatRange(min=0.1),
    default=2.0,
    metavar="SECONDS",
    help="Time between two looks.  [2; 1 with --once]",
)
@click.option(
    "--sort", "-s", type=click.Choice(tuple(_ORDERS)), default="rate", help="Order.  [rate]"
)
@click.option(
    "--limit",
    "-n",
    type=click.IntRange(min=1),
    default=DEFAULT_LIMIT,
    metavar="N",
    help=f"Look at N streams at most.  [{DEFAULT_LIMIT}]",
)
@click.pass_context
@server_command
def top(
    context: click.Context,
    link: Link,
    out: Output,
    pattern: str | None,
    once: bool,
    interval: float,
    sort: str,
    limit: int,
) -> None:
    """Watch streams, groups and clients: rates, backlogs, who does what.

    PATTERN picks streams, as in `headwater ls`. Keys: q ends, s changes the order, space looks now.

    \b
    IN    entries added a second
    OUT   entries delivered to the group a second; DONE: acknowledged
    """
    sampler = Sampler(link, to_bytes(pattern) if pattern else None, limit)
    frame = sampler.take()
    if once:
        given = context.get_parameter_source("interval")
        default = given is click.core.ParameterSource.DEFAULT
        time.sleep(1.0 if default else interval)
        _show(out, sampler.take(), sort, link.url)
        return
    try:
        if out.rich:
            from headwater.cli.screen import watch

            watch(sampler, frame, interval, sort, tuple(_ORDERS), link.url)
        else:
            _go_on(out, sampler, frame, interval, sort, link.url)
    except KeyboardInterrupt:
        if out.terminal:
            sys.stderr.write("\n")


def _go_on(
    out: Output, sampler: Sampler, frame: Frame | None, interval: float, sort: str, url: str
) -> None:
    """Print frame below frame, through restarts of the server."""
    lost = False
    while True:
        if frame is not None:
            _show(out, frame, sort, url)
            out.flush()
        time.sleep(interval)
        try:
            frame = sampler.take()
        except (redis.ConnectionError, redis.TimeoutError, OSError):
            if not lost:
                out.note(f"the connection to {url} was lost; trying again")
            sampler.forget()
            frame, lost = None, True
        else:
            lost = False


def _show(out: Output, frame: Frame, sort: str, url: str) -> None:
    if out.json:
        out.record(_document(frame, sort))
        return
    for line in head_lines(frame, url):
        out.pieces(line)
    for title, columns, rows in sections(frame, sort):
        out.line()
        cut = rows[:ROWS_IN_PIPE]
        out.line(title, "heading")
        out.table(columns, cut)
        if len(rows) > len(cut):
            out.line(f"and {len(rows) - len(cut):,} more", "dim")
    out.line()


def _uptime(info: dict[str, str]) -> str:
    """Since when the server runs; nothing for a user who may not ask."""
    seconds = info.get("uptime_in_seconds")
    return "" if seconds is None else f"up {duration_words(int(seconds) * 1000)}  "


def head_lines(frame: Frame, url: str) -> list[list[Cell]]:
    """The lines above the tables: what server this is, and how it does."""
    info = frame.info
    memory = size_words(int(info.get("used_memory", 0)))
    most = int(info.get("maxmemory", 0))
    if most:
        memory += f" of {size_words(most)}"
    lines: list[list[Cell]] = [
        [
            (frame.server, "strong"),
            f"  {url}  {_uptime(info)}",
            (time_words(frame.now_ms)[:19], "dim"),
        ],
    ]
    if info:
        parts = [
            f"clients {info.get('connected_clients', '?')}",
            f"commands {rate_words(frame.rates.get('commands'))}",
            f"in {_flow(frame.rates.get('in'))}",
            f"out {_flow(frame.rates.get('out'))}",
            f"memory {memory}",
        ]
        lines.append(["  ".join(parts)])
    for name, words in _ALARMS.items():
        if info.get(name, "ok") != "ok":
            lines.append([(words, "bad")])
    return lines


_ALARMS = {
    "rdb_last_bgsave_status": "the last snapshot failed",
    "aof_last_write_status": "writing the append-only file failed",
    "aof_last_bgrewrite_status": "the last rewrite of the append-only file failed",
}


def _flow(rate: float | None) -> str:
    return "-" if rate is None else f"{size_words(rate)}/s"


def sections(frame: Frame, sort: str) -> list[Section]:
    """The tables of a frame, all of their rows."""
    streams = sorted(frame.streams, key=_ORDERS[sort])
    place = {facts.key: i for i, facts in enumerate(streams)}
    groups = sorted(
        frame.groups, key=lambda row: (-(row.facts.waiting or 0) - row.facts.pending, row.key)
    )
    if sort in ("name", "rate"):
        groups.sort(key=lambda row: (place[row.key], row.facts.name))
    clients = sorted(
        frame.clients, key=lambda row: (-(row.commands or 0.0), int(row.facts.get("idle", 0)))
    )
    more = " and more: pick some with a PATTERN, or more with --limit" if frame.more_streams else ""
    blocked = int(frame.info.get("blocked_clients", 0))
    waiting = f", {blocked:,} of them waiting" if blocked else ""
    return [
        (
            f"{counted(len(streams), 'stream')}{more}, by {sort}",
            _STREAMS,
            [
                [
                    shown(facts.key, _NAME),
                    number_words(facts.length),
                    size_words(facts.memory),
                    rate_words(facts.rate),
                    duration_words(facts.last_ms(frame.now_ms)),
                    number_words(len(facts.groups)),
                    waiting_cell(facts.waiting) if facts.groups else "-",
                    waiting_cell(facts.pending) if facts.groups else "-",
                ]
                for facts in streams
            ],
        ),
        (counted(len(groups), "group"), _GROUPS, [_group_row(row) for row in groups]),
        (
            counted(len(clients), "client") + waiting,
            _CLIENTS,
            [_client_row(row) for row in clients],
        ),
    ]


def _group_row(row: GroupRow) -> list[Cell]:
    facts = row.facts
    return [
        shown(row.key, _NAME),
        shown(facts.name, _NAME),
        number_words(facts.consumers),
        waiting_cell(facts.waiting),
        waiting_cell(facts.pending),
        rate_words(row.delivered),
        rate_words(row.acknowledged),
        duration_words(facts.oldest_pending_ms),
    ]


def _client_row(row: ClientRow) -> list[Cell]:
    facts = row.facts
    library = f"{facts.get('lib-name', '')} {facts.get('lib-ver', '')}".strip()
    blocked = "b" in facts.get("flags", "")
    command = shown(facts.get("cmd", ""), 40).replace("|", " ")
    return [
        shown(facts.get("addr", ""), 60) or "-",
        shown(facts.get("name", ""), 40) or "-",
        duration_words(int(facts.get("age", 0)) * 1000),
        duration_words(int(facts.get("idle", 0)) * 1000),
        rate_words(row.commands),
        (f"{command} (waiting)", "dim") if blocked else command,
        shown(library, 40) or "-",
    ]


def _document(frame: Frame, sort: str) -> dict[str, Any]:
    rates = {f"{name}_rate": round(rate, 3) for name, rate in frame.rates.items()}
    return {
        "time": iso_time(frame.now_ms),
        "server": frame.server,
        "clients_connected": int(frame.info.get("connected_clients", 0)),
        "used_memory": int(frame.info.get("used_memory", 0)),
        **rates,
        "streams": [
            stream_document(facts, frame.now_ms)
            for facts in sorted(frame.streams, key=_ORDERS[sort])
        ],
        "groups": [
            {
                "key": json_name(row.key),
                "name": json_name(row.facts.name),
                "consumers": row.facts.consumers,
                "waiting": row.facts.waiting,
                "pending": row.facts.pending,
                "delivered_rate": row.delivered,
                "acknowledged_rate": row.acknowledged,
                "oldest_pending_ms": row.facts.oldest_pending_ms,
            }
            for row in frame.groups
        ],
        "clients": [{**row.facts, "commands_rate": row.commands} for row in frame.clients],
    }
