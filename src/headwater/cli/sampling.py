"""What `headwater top` shows: facts taken now and then, and the rates between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import redis

from headwater.cli.connect import Link
from headwater.cli.gathering import (
    GroupFacts,
    StreamFacts,
    gather,
    scan_streams,
    server_ms,
    take_rates,
)

RESCAN_S = 10.0
"""How often streams are looked for, and their memory is measured."""


@dataclass
class GroupRow:
    """A group with its rates, entries a second; None: not known (yet)."""

    key: bytes
    facts: GroupFacts
    delivered: float | None = None
    acknowledged: float | None = None


@dataclass
class ClientRow:
    """A client with its commands a second."""

    facts: dict[str, str]
    commands: float | None = None


@dataclass
class Frame:
    """One moment of a server."""

    now_ms: int
    server: str
    info: dict[str, str]
    streams: list[StreamFacts]
    groups: list[GroupRow]
    clients: list[ClientRow]
    more_streams: bool = False
    rates: dict[str, float] = field(default_factory=dict)


_TOTALS = {
    "commands": "total_commands_processed",
    "in": "total_net_input_bytes",
    "out": "total_net_output_bytes",
}


class Sampler:
    """Takes frames; the first has no rates. `limit`: streams looked at, of those that match."""

    def __init__(self, link: Link, pattern: bytes | None, limit: int) -> None:
        self._link = link
        self._pattern = pattern
        self._limit = limit
        self._keys: list[bytes] = []
        self._more = False
        self._memory: dict[bytes, int | None] = {}
        self._scanned_ms: int | None = None
        self._before: Frame | None = None

    def take(self) -> Frame:
        """A frame of this moment. Raises what redis-py raises."""
        now_ms = server_ms(self._link)
        scan = self._scanned_ms is None or now_ms - self._scanned_ms >= RESCAN_S * 1000
        if scan:
            self._scan()
        streams = gather(self._link, self._keys, now_ms, memory=scan, rate=False)
        for facts in streams:
            if scan:
                self._memory[facts.key] = facts.memory
            facts.memory = self._memory.get(facts.key)
        if scan:
            self._scanned_ms = now_ms
        info = self._info()
        frame = Frame(
            now_ms=now_ms,
            server=self._link.server,
            info=info,
            streams=streams,
            groups=[GroupRow(facts.key, group) for facts in streams for group in facts.groups],
            clients=self._clients(),
            more_streams=self._more,
        )
        unknown = [facts for facts in streams if facts.added is None]  # Redis before 7.0
        if unknown:
            take_rates(self._link, unknown, now_ms)
        if self._before is not None:
            _take_rates(self._before, frame)
        self._before = frame
        return frame

    def forget(self) -> None:
        """The next frame has no rates: the server was away."""
        self._before = None
        self._scanned_ms = None

    def _scan(self) -> None:
        keys: list[bytes] = []
        for page in scan_streams(self._link, self._pattern, self._limit + 1):
            keys += page
        self._more = len(keys) > self._limit
        self._keys = keys[: self._limit]
        self._memory = {}

    def _info(self) -> dict[str, str]:
        try:
            text = self._link.call("INFO")
        except redis.ResponseError:
            return {}
        lines = text.decode("utf-8", "replace").splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def _clients(self) -> list[ClientRow]:
        try:
            text = self._link.call("CLIENT", "LIST")
        except redis.ResponseError:
            return []
        lines = text.decode("utf-8", "backslashreplace").splitlines()
        rows = [
            dict(part.partition("=")[::2] for part in line.split(" ") if "=" in part)
            for line in lines
        ]
        return [ClientRow(row) for row in rows if row.get("id")]


def _take_rates(before: Frame, frame: Frame) -> None:
    """Fill in the rates of a frame from the one before it."""
    seconds = max(1, frame.now_ms - before.now_ms) / 1000
    for name, total in _TOTALS.items():
        if total in frame.info and total in before.info:
            frame.rates[name] = max(0, int(frame.info[total]) - int(before.info[total])) / seconds
    old = {facts.key: facts for facts in before.streams}
    for facts in frame.streams:
        earlier = old.get(facts.key)
        if earlier is not None and facts.added is not None:
            facts.rate = _difference(earlier.added, facts.added, seconds)
    old_groups = {(row.key, row.facts.name): row.facts for row in before.groups}
    for row in frame.groups:
        was = old_groups.get((row.key, row.facts.name))
        if was is None:
            continue
        row.delivered = _difference(was.entries_read, row.facts.entries_read, seconds)
        if row.delivered is not None:
            done = row.delivered - (row.facts.pending - was.pending) / seconds
            row.acknowledged = max(0.0, done)
    clients = {row.facts["id"]: row.facts for row in before.clients}
    for client in frame.clients:
        facts_before = clients.get(client.facts["id"], {})
        client.commands = _difference(
            _number(facts_before.get("tot-cmds")), _number(client.facts.get("tot-cmds")), seconds
        )


def _difference(before: int | None, now: int | None, seconds: float) -> float | None:
    if before is None or now is None:
        return None
    return max(0, now - before) / seconds


def _number(text: Any) -> int | None:
    return int(text) if isinstance(text, str) and text.isdigit() else None
