"""What clients were told, kept outside of the server, and whether a server still stands to it.

Every client notes a request before it sends it (`begin`) and what it was told (`told_...`). What
has no answer when the server dies may or may not have happened; all else has to be there. `check`
compares, raises BrokenWordError when the server has broken its word, and takes over how it turned
out for the requests that had no answer, so that the next check builds on it.

Guarantees: one client at most is in the middle of claiming, so the order of what was told about an
entry is known: its first delivery, then the claims one by one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from support.wire import Connection

ORDERS = "orders"  # has the group; nothing is deleted from it
PLAIN = "plain"  # has no group; entries are deleted, also the last one
GROUP = "workers"
STREAMS = (ORDERS, PLAIN)
CLOCK_SLACK_MS = 1000  # a server's clock may be that much behind or ahead of ours


class BrokenWordError(AssertionError):
    """The server lost or changed something that a client had been told."""


Id = tuple[int, int]


def parse_id(text: bytes | str) -> Id:
    ms, _, number = (text.decode() if isinstance(text, bytes) else text).partition("-")
    return int(ms), int(number)


def show(entry: Id) -> str:
    return f"{entry[0]}-{entry[1]}"


@dataclass(frozen=True, slots=True)
class Add:
    """An entry somebody adds; `number` is in its fields and makes it unique."""

    stream: str
    number: int
    value: str

    def fields(self) -> list[bytes]:
        return [b"n", str(self.number).encode(), b"v", self.value.encode()]


@dataclass(slots=True)
class Request:
    """A request, or a pipeline, that has no answer yet."""

    began_ms: int
    adds: list[Add] = field(default_factory=list)  # in their order
    atomic: bool = False  # the adds happen together or not at all
    deletes: Collection[Id] = ()
    reads_for: str = ""  # consumer that may be given new entries
    claims_for: str = ""  # consumer that may be given pending entries: ...
    claims: Collection[Id] | None = ()  # ... these, or None: any
    acks: Collection[Id] = ()


@dataclass(slots=True)
class Delivery:
    """What is known of a pending entry."""

    owner: str
    count: int
    earliest_ms: int  # its last delivery took place between these two
    latest_ms: int


@dataclass(slots=True)
class Found:
    """A stream as the server has it."""

    entries: list[tuple[Id, list[bytes]]]
    last_id: Id
    added: int
    delivered_up_to: Id = (0, 0)
    entries_read: int = 0
    pending: dict[Id, tuple[str, int, int]] = field(default_factory=dict)  # owner, time, count
    consumers: dict[str, int] = field(default_factory=dict)  # how many are pending


class Ledger:
    """What all clients were told. For many threads: each note is one step under a lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.open: dict[str, Request] = {}
        self.added: dict[str, dict[Id, Add]] = {stream: {} for stream in STREAMS}
        self.deleted: set[Id] = set()  # of PLAIN
        self.delivered: dict[Id, Delivery] = {}
        self.acked: set[Id] = set()
        self._outstanding: dict[Id, None] = {}  # delivered and not acknowledged, oldest first
        self._alive: dict[Id, None] = {}  # in PLAIN and not deleted, newest last
        self.seen: set[Id] = set()  # of ORDERS, by somebody who only reads
        self.told = 0  # answers so far
        self._numbers = 0

    def copy(self) -> Ledger:
        """The same in a ledger of its own; nobody has a request without an answer."""
        other = Ledger()
        for name, value in vars(self).items():
            if name != "_lock":
                setattr(other, name, deepcopy(value))
        return other

    def new_add(self, stream: str, value: str) -> Add:
        with self._lock:
            self._numbers += 1
            return Add(stream, self._numbers, value)

    def begin(self, client: str, **what: Any) -> None:
        """`client` is about to send a request that may have these effects."""
        with self._lock:
            self.open[client] = Request(now_ms(), **what)

    def told_added(self, client: str, ids: list[Id]) -> None:
        with self._lock:
            for add, entry in zip(self._answered(client).adds, ids, strict=True):
                self.added[add.stream][entry] = add
                if add.stream == PLAIN:
                    self._alive[entry] = None

    def told_deleted(self, client: str) -> None:
        with self._lock:
            for entry in self._answered(client).deletes:
                self.deleted.add(entry)
                del self._alive[entry]

    def told_read(self, client: str, ids: list[Id]) -> None:
        with self._lock:
            request = self._answered(client)
            for entry in ids:
                # Somebody may have claimed it before we came to write this down.
                if entry not in self.delivered:
                    self.delivered[entry] = Delivery(
                        request.reads_for, 1, request.began_ms, now_ms()
                    )
                    self._outstanding[entry] = None

    def told_claimed(self, client: str, ids: list[Id]) -> None:
        with self._lock:
            request = self._answered(client)
            for entry in ids:
                before = self.delivered.get(entry)
                count = before.count if before else 1
                if before is None:
                    self._outstanding[entry] = None
                self.delivered[entry] = Delivery(
                    request.claims_for, count + 1, request.began_ms, now_ms()
                )

    def told_acked(self, client: str) -> None:
        with self._lock:
            for entry in self._answered(client).acks:
                self.acked.add(entry)
                del self._outstanding[entry]

    def told_seen(self, client: str, ids: list[Id]) -> None:
        with self._lock:
            self._answered(client)
            self.seen.update(ids)

    def outstanding(self, at_most: int) -> list[Id]:
        """Some entries that were delivered and are not acknowledged, those of longest standing."""
        with self._lock:
            return list(islice(self._outstanding, at_most))

    def newest_plain(self, at_most: int) -> list[Id]:
        """The newest entries that are told to be in PLAIN."""
        with self._lock:
            return sorted(islice(reversed(self._alive), at_most))

    def _answered(self, client: str) -> Request:
        self.told += 1
        return self.open.pop(client)

    # --- the comparison ---

    def check(self, connection: Connection) -> None:
        """Raise BrokenWordError if the server does not stand to what it told. Nobody else is on."""
        found = {stream: read_stream(connection, stream) for stream in STREAMS}
        with self._lock:
            requests = list(self.open.values())
            self.open.clear()
            for stream in STREAMS:
                self._check_entries(stream, found[stream], requests)
            self._check_whole_requests(requests)
            self._check_group(found[ORDERS], requests)
            self._outstanding = dict.fromkeys(sorted(self.delivered.keys() - self.acked))
            self._alive = dict.fromkeys(sorted(self.added[PLAIN].keys() - self.deleted))

    def _check_entries(self, stream: str, found: Found, requests: list[Request]) -> None:
        known = self.added[stream]
        ids = [entry for entry, _ in found.entries]
        present = set(ids)
        _true(ids == sorted(present), f"{stream}: IDs are not in growing order")
        maybe = {
            add.number: add for request in requests for add in request.adds if add.stream == stream
        }
        deleted = self.deleted if stream == PLAIN else set()
        maybe_deleted = {entry for request in requests for entry in request.deletes}
        last_told = max(known, default=(0, 0))
        for entry, fields in found.entries:
            add = known.get(entry)
            if add is None:
                add = maybe.pop(int(fields[1]), None)
                _true(add is not None, f"{stream}: nobody added {show(entry)} {fields!r:.100}")
                assert add is not None
                known[entry] = add
            _true(fields == add.fields(), f"{stream}: {show(entry)} has other fields than added")
            _true(entry not in deleted, f"{stream}: {show(entry)} is there again after XDEL")
        for entry in known.keys() - present:
            _true(
                entry in deleted or (stream == PLAIN and entry in maybe_deleted),
                f"{stream}: {show(entry)}, acknowledged, is lost",
            )
            deleted.add(entry)
        if stream == ORDERS:
            for entry in self.seen - present:
                raise BrokenWordError(f"{stream}: {show(entry)}, seen by a reader, is lost")
        _true(found.last_id >= last_told, f"{stream}: the last ID went back to {found.last_id}")
        _same(found.added, len(known), f"{stream}: entries-added")

    def _check_whole_requests(self, requests: list[Request]) -> None:
        there = {add for entries in self.added.values() for add in entries.values()}
        for request in requests:
            happened = [add in there for add in request.adds]
            _true(
                happened == sorted(happened, reverse=True),
                f"a pipeline is there with a hole: {happened}",
            )
            if request.atomic:
                _true(len(set(happened)) == 1, f"half of a transaction is there: {happened}")

    def _check_group(self, found: Found, requests: list[Request]) -> None:
        maybe_acked = {entry for request in requests for entry in request.acks}
        ids = [entry for entry, _ in found.entries]
        for entry in ids:
            told = self.delivered.get(entry)
            pending = found.pending.get(entry)
            name = f"{ORDERS}: {show(entry)}"
            if entry > found.delivered_up_to:
                _true(told is None, f"{name} was delivered and is to be delivered again")
                _true(pending is None, f"{name} is pending before its delivery")
            elif entry in self.acked:
                _true(pending is None, f"{name} is pending again after its XACK")
            elif pending is None:
                _true(
                    entry in maybe_acked,
                    f"{name} is neither undelivered nor pending nor acknowledged "
                    f"(told: {told or 'nothing'})",
                )
                self.acked.add(entry)
                self.delivered.setdefault(entry, Delivery("", 1, 0, 0))
            else:
                self._check_pending(name, entry, pending, requests)
        strangers = found.pending.keys() - set(ids)
        _true(not strangers, f"{ORDERS}: pending without an entry: {sorted(strangers)[:5]}")
        delivered = sum(entry <= found.delivered_up_to for entry in ids)
        _same(found.entries_read, delivered, f"{ORDERS}: entries-read")
        by_owner: dict[str, int] = {}
        for owner, _, _ in found.pending.values():
            by_owner[owner] = by_owner.get(owner, 0) + 1
        _same(
            {name: count for name, count in found.consumers.items() if count},
            by_owner,
            f"{ORDERS}: pending entries of the consumers",
        )

    def _check_pending(
        self, name: str, entry: Id, pending: tuple[str, int, int], requests: list[Request]
    ) -> None:
        """The entry stands as was told, or as one of the requests without an answer left it."""
        owner, time_ms, count = pending
        told = self.delivered.get(entry)
        now = now_ms()
        possible = [told] if told else []
        if told is None:
            possible += [
                Delivery(request.reads_for, 1, request.began_ms, now)
                for request in requests
                if request.reads_for
            ]
        for request in requests:
            if request.claims_for and (request.claims is None or entry in request.claims):
                possible += [
                    Delivery(request.claims_for, before.count + 1, request.began_ms, now)
                    for before in list(possible)
                ]
        for delivery in possible:
            if (
                (owner, count) == (delivery.owner, delivery.count)
                and delivery.earliest_ms - CLOCK_SLACK_MS <= time_ms
                and time_ms <= delivery.latest_ms + CLOCK_SLACK_MS
            ):
                self.delivered[entry] = delivery
                return
        raise BrokenWordError(
            f"{name} is pending for {owner}, delivered {count} times, last at {time_ms}; "
            f"possible were: {possible}"
        )


def read_stream(connection: Connection, stream: str) -> Found:
    """A stream with its group, as XINFO STREAM FULL has it."""
    if not connection.ok("EXISTS", stream):
        raise BrokenWordError(f"{stream} is lost with all its entries")
    facts = _pairs(connection.ok("XINFO", "STREAM", stream, "FULL", "COUNT", 0))
    found = Found(
        [(parse_id(entry), fields) for entry, fields in facts["entries"]],
        parse_id(facts["last-generated-id"]),
        facts["entries-added"],
    )
    for group in map(_pairs, facts["groups"]):
        _same(group["name"], GROUP.encode(), f"{stream}: group")
        found.delivered_up_to = parse_id(group["last-delivered-id"])
        found.entries_read = group["entries-read"] or 0
        found.pending = {
            parse_id(entry): (owner.decode(), time_ms, count)
            for entry, owner, time_ms, count in group["pending"]
        }
        _same(group["pel-count"], len(found.pending), f"{stream}: pel-count")
        found.consumers = {
            consumer["name"].decode(): consumer["pel-count"]
            for consumer in map(_pairs, group["consumers"])
        }
    return found


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def _pairs(flat: list[Any]) -> dict[str, Any]:
    return {flat[i].decode(): flat[i + 1] for i in range(0, len(flat), 2)}


def _true(condition: bool, text: str) -> None:
    if not condition:
        raise BrokenWordError(text)


def _same(found: object, wanted: object, what: str) -> None:
    if found != wanted:
        raise BrokenWordError(f"{what}: {found!r} instead of {wanted!r}")
