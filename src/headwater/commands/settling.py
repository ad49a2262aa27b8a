"""What follows when pending entries of a group with settings change, whatever command did it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.keyspace.calendar import NEVER
from headwater.keyspace.database import Database
from headwater.streams.group import Group
from headwater.streams.redelivery import Redelivery
from headwater.streams.stream import Stream

if TYPE_CHECKING:
    from headwater.commands.state import ServerState


def settled(database: Database, key: bytes, stream: Stream, group: Group) -> None:
    """What is pending in a group with settings has changed: have looked at it when it is time.

    Wakes the readers who can get something now.
    """
    redelivery = group.redelivery
    if redelivery is None:
        return
    if database.waiting:
        if redelivery.freed:
            unpark(database, key, group, redelivery)
        if redelivery.full and group.pending.count < redelivery.settings.group_max_pending:
            redelivery.full = False
            database.signal_ready(key)
        if redelivery.lanes is not None and redelivery.lanes.has_ready():
            database.signal_ready(key)
    plan = stream.plan
    at_ms = redelivery.moment()
    if plan is not None and at_ms < plan.at_ms:
        plan.sooner(at_ms)


def next_ms(state: ServerState, stream: Stream) -> int:
    """As a part of upkeep: never by itself; who took references away asks for a look."""
    return NEVER


def run(state: ServerState, database: Database, key: bytes, stream: Stream) -> None:
    """Wake the readers of all groups that can get something now."""
    if database.waiting and stream.groups is not None:
        for group in stream.groups.values():
            settled(database, key, stream, group)


def unpark(database: Database, key: bytes, group: Group, redelivery: Redelivery) -> None:
    """Have readers looked at whose consumers have less pending than before."""
    freed, redelivery.freed = redelivery.freed, []
    queue = database.waiting.get(key)
    if queue is not None and queue.parked is not None:
        for owner in freed:
            if queue.unpark(key, group.name, owner):
                database.signal_ready(key)
