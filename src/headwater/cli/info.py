"""`headwater info`: one stream, its groups, who of them has what, and for how long."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import click
import redis

from headwater.cli.connect import Link
from headwater.cli.failure import no_such_group
from headwater.cli.gathering import (
    GroupFacts,
    StreamFacts,
    age_of,
    count_waiting,
    gather,
    server_ms,
)
from headwater.cli.ls import stream_document, waiting_cell
from headwater.cli.output import Cell, Column, Output
from headwater.cli.parameters import CONTEXT, GROUP, KEY, server_command
from headwater.cli.pending import pending_entries
from headwater.cli.words import (
    counted,
    duration_words,
    facts_of,
    json_name,
    number_words,
    rate_words,
    shown,
    size_words,
    span_words,
    time_words,
)

GROUPS_IN_DETAIL = 8
CONSUMERS_SHOWN = 20
SAMPLE = 10_000
"""Pending entries of a group that are looked at one by one, those with the lowest IDs."""

STEPS = (
    (1000, "< 1s"),
    (10_000, "1s - 10s"),
    (60_000, "10s - 1m"),
    (600_000, "1m - 10m"),
    (3_600_000, "10m - 1h"),
    (86_400_000, "1h - 1d"),
    (2**63, "> 1d"),
)
_BAR = 30
_NAME = 100


@dataclass
class Sample:
    """What the pending entries of a group tell that were looked at."""

    count: int
    idle: Counter[int]
    deliveries: Counter[int]
    oldest: dict[bytes, int]

    @property
    def oldest_ms(self) -> int | None:
        """How long the entry has been out that has been out longest."""
        return max(self.oldest.values(), default=None)


@click.command("info", context_settings=CONTEXT)
@click.argument("key", type=KEY)
@click.argument("group", type=GROUP, required=False)
@server_command
def info(link: Link, out: Output, key: bytes, group: bytes | None) -> None:
    """Describe a stream: size, ages, settings; its groups and their consumers.

    \b
    WAITING   entries that the group was not given yet (its lag)
    PENDING   entries that consumers were given and have not acknowledged
    OLDEST    how long the entry has been out that was delivered longest ago
    IDLE      how long ago the consumer asked for anything
    INACTIVE  how long ago it was given, or claimed, anything
    """
    link.require_stream(key)
    now_ms = server_ms(link)
    [facts] = gather(link, [key], now_ms)
    groups = facts.groups
    if group is not None:
        groups = [one for one in groups if one.name == group]
        if not groups:
            raise no_such_group(shown(key), shown(group), [shown(g.name) for g in facts.groups])
    settings = _stream_settings(link, key)
    detailed = groups if len(groups) <= GROUPS_IN_DETAIL or out.json else []
    samples = {one.name: sample(link, key, one) for one in detailed}
    for one in groups if len(groups) <= GROUPS_IN_DETAIL else []:
        if one.waiting is None:
            count_waiting(link, key, one)
    for one in detailed:
        if one.oldest_pending_ms is None:
            one.oldest_pending_ms = samples[one.name].oldest_ms
    consumers = {one.name: _consumers(link, key, one.name) for one in detailed}
    if out.json:
        document = stream_document(facts, now_ms)
        document["settings"] = settings
        document["groups"] = [
            _group_document(one, samples[one.name], consumers[one.name]) for one in groups
        ]
        out.document(document)
        return
    if group is None:
        _show_stream(link, out, facts, settings, now_ms)
        out.line()
    _show_groups(out, groups)
    for one in detailed:
        _show_group(out, one, samples[one.name], consumers[one.name], now_ms)
    if groups and not detailed:
        out.note(f"\n`headwater info {shown(key)} GROUP` shows the consumers of a group")


def sample(link: Link, key: bytes, group: GroupFacts) -> Sample:
    """Look at the pending entries of a group."""
    found = Sample(0, Counter(), Counter(), {})
    if group.pending:
        for entry in pending_entries(link, key, group.name, count=SAMPLE):
            found.count += 1
            found.deliveries[entry.deliveries] += 1
            step = next(i for i, (below, _) in enumerate(STEPS) if entry.idle_ms < below)
            found.idle[step] += 1
            if entry.consumer:
                longest = found.oldest.get(entry.consumer, 0)
                found.oldest[entry.consumer] = max(longest, entry.idle_ms)
    return found


def _consumers(link: Link, key: bytes, group: bytes) -> list[dict[str, Any]]:
    """Consumers, who has most pending first."""
    rows = [facts_of(row) for row in link.call("XINFO", "CONSUMERS", key, group)]
    return sorted(rows, key=lambda row: (-row["pending"], row["idle"], row["name"]))


def _stream_settings(link: Link, key: bytes) -> dict[str, Any]:
    """Time to live, and what only some servers have: retention, idempotence, schema, schedule."""
    ttl, config, schema, schedule = link.calls(
        [
            ("PTTL", key),
            ("XCFGGET", key),
            ("XSCHEMA", "GET", key),
            ("XSCHEDULE", "LIST", key, "COUNT", 1),
        ]
    )
    settings: dict[str, Any] = {}
    if isinstance(ttl, int) and ttl >= 0:
        settings["ttl_ms"] = ttl
    if not isinstance(config, redis.RedisError):
        for name, value in facts_of(config).items():
            settings[name] = value.decode() if isinstance(value, bytes) else value
    if isinstance(schema, list) and schema and not isinstance(schema, redis.RedisError):
        settings["schema"] = _schema_version(schema)
    if isinstance(schedule, list) and schedule:
        settings["next-scheduled"] = int(schedule[0][1])
    return settings


def _schema_version(reply: list[Any]) -> int | None:
    version = facts_of(reply).get("version") if len(reply) % 2 == 0 else None
    return version if isinstance(version, int) else None


def _show_stream(
    link: Link, out: Output, facts: StreamFacts, settings: dict[str, Any], now_ms: int
) -> None:
    size = size_words(facts.memory)
    if facts.memory is not None and facts.length:
        size += f", {size_words(facts.memory / facts.length)} each"
    rows: list[tuple[str, Cell]] = [
        ("stream", (shown(facts.key), "name")),
        ("server", f"{link.server} at {link.url}"),
        ("length", f"{counted(facts.length, 'entry', 'entries')}, {size}"),
        ("first entry", _entry_words(facts.first_entry, now_ms)),
        ("last entry", _entry_words(facts.last_entry, now_ms)),
    ]
    if facts.last_id != facts.last_entry:
        rows.append(("last ID given", facts.last_id))
    if facts.added is not None:
        gone = facts.added - facts.length
        rows.append(
            (
                "added ever",
                number_words(facts.added)
                + (f", {number_words(gone)} of them deleted or trimmed" if gone > 0 else ""),
            )
        )
    if facts.rate is not None and facts.length:
        rows.append(("rate", f"{rate_words(facts.rate)} of late"))
    out.facts(rows + _settings_rows(settings, now_ms))


def _entry_words(entry_id: str | None, now_ms: int) -> str:
    if entry_id is None:
        return "-"
    age = age_of(entry_id, now_ms)
    if age is None:
        return entry_id
    return f"{entry_id}, {duration_words(age)} ago ({time_words(now_ms - age)[:19]})"


def _settings_rows(settings: dict[str, Any], now_ms: int) -> list[tuple[str, Cell]]:
    rows: list[tuple[str, Cell]] = []
    if "ttl_ms" in settings:
        rows.append(("expires", f"in {duration_words(settings['ttl_ms'])}"))
    kept = []
    if settings.get("retain-maxlen"):
        kept.append(f"{settings['retain-maxlen']:,} entries")
    if settings.get("retain-maxage"):
        kept.append(span_words(settings["retain-maxage"]))
    if settings.get("retain-maxbytes"):
        kept.append(size_words(settings["retain-maxbytes"]))
    if kept:
        whose = ", what is acknowledged only" if settings.get("retain-acked") == "yes" else ""
        rows.append(("retention", f"at most {' and '.join(kept)}{whose}"))
    if settings.get("schema") is not None:
        rows.append(("schema", f"version {settings['schema']}"))
    if "next-scheduled" in settings:
        due = duration_words(max(0, settings["next-scheduled"] - now_ms))
        rows.append(("scheduled", f"the next entry in {due}"))
    return rows


def _show_groups(out: Output, groups: list[GroupFacts]) -> None:
    if not groups:
        out.line("no groups", "dim")
        return
    columns = (
        Column("GROUP", elastic=True, style="name"),
        Column("CONSUMERS", right=True),
        Column("WAITING", right=True),
        Column("PENDING", right=True),
        Column("OLDEST", right=True),
        Column("LAST DELIVERED", elastic=True),
    )
    rows: list[list[Cell]] = [
        [
            shown(group.name, _NAME),
            number_words(group.consumers),
            waiting_cell(group.waiting)
            if not group.waiting_at_least
            else (f"> {number_words(group.waiting_at_least)}", "warn"),
            waiting_cell(group.pending),
            duration_words(group.oldest_pending_ms),
            group.last_delivered,
        ]
        for group in groups
    ]
    out.table(columns, rows)


def _show_group(
    out: Output, group: GroupFacts, found: Sample, consumers: list[dict[str, Any]], now_ms: int
) -> None:
    words = settings_words(group.settings)
    if not consumers and not words:
        return
    out.line()
    out.heading(f"group {shown(group.name, _NAME)}")
    if words:
        out.line(f"settings: {words}")
    if consumers:
        _show_consumers(out, consumers, found)
    if found.count:
        out.line()
        _show_histogram(out, group, found)


def _show_consumers(out: Output, consumers: list[dict[str, Any]], found: Sample) -> None:
    columns = (
        Column("CONSUMER", elastic=True, style="name"),
        Column("PENDING", right=True),
        Column("OLDEST", right=True),
        Column("IDLE", right=True),
        Column("INACTIVE", right=True),
    )
    rows: list[list[Cell]] = [
        [
            shown(row["name"], _NAME),
            waiting_cell(row["pending"]),
            duration_words(found.oldest.get(row["name"])),
            duration_words(row["idle"]),
            duration_words(row.get("inactive")),
        ]
        for row in consumers[:CONSUMERS_SHOWN]
    ]
    out.table(columns, rows)
    if len(consumers) > CONSUMERS_SHOWN:
        out.line(f"and {len(consumers) - CONSUMERS_SHOWN:,} more consumers", "dim")


def _show_histogram(out: Output, group: GroupFacts, found: Sample) -> None:
    part = "" if found.count >= group.pending else f" (the first {found.count:,})"
    out.heading(f"pending entries by the time they have been out{part}")
    steps = range(min(found.idle), max(found.idle) + 1)
    most = max(found.idle.values())
    for step in steps:
        count = found.idle[step]
        bar = out.bar(count / most, _BAR)
        out.line(f"{STEPS[step][1]:>9}  {bar:{_BAR}}  {number_words(count)}")
    again = {times: count for times, count in found.deliveries.items() if times > 1}
    if again:
        out.line(
            f"delivered more than once: {sum(again.values()):,}, the worst of them "
            f"{max(again):,} times",
            "warn",
        )


_SPANS = ("ackwait", "consumerttl", "groupttl")


def settings_words(settings: dict[str, Any]) -> str:
    """The settings of a group that are not off, "" if all are (as on any other server)."""
    parts = []
    for name, value in settings.items():
        if name == "deadletter":
            continue
        if name == "lease":
            if value != b"time":
                parts.append(f"lease {shown(value)}")
        elif not value:
            continue
        elif name in _SPANS:
            parts.append(f"{name} {span_words(value)}")
        elif name == "backoff":
            parts.append(f"{name} " + " ".join(span_words(ms) for ms in value))
        else:
            parts.append(f"{name} {shown(value) if isinstance(value, bytes) else value}")
    if settings.get("maxdeliveries"):
        parts.append(f"dead letters to {shown(settings['deadletter'])}")
    return ", ".join(parts)


def _group_document(
    group: GroupFacts, found: Sample, consumers: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "name": json_name(group.name),
        "last_delivered_id": group.last_delivered,
        "entries_read": group.entries_read,
        "waiting": group.waiting,
        "waiting_at_least": group.waiting_at_least or group.waiting,
        "pending": group.pending,
        "oldest_pending_ms": group.oldest_pending_ms,
        "pending_looked_at": found.count,
        "pending_by_age": {STEPS[step][1]: found.idle[step] for step in sorted(found.idle)},
        "deliveries": {str(times): count for times, count in sorted(found.deliveries.items())},
        "consumers": [
            {
                "name": json_name(row["name"]),
                "pending": row["pending"],
                "idle_ms": row["idle"],
                "inactive_ms": row.get("inactive"),
                "oldest_pending_ms": found.oldest.get(row["name"]),
            }
            for row in consumers
        ],
        "settings": {
            name: json_name(value) if isinstance(value, bytes) else value
            for name, value in group.settings.items()
        },
    }
