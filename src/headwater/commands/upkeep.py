"""What the server does for streams with settings when its moment has come (keyspace/calendar.py).

Each part says when it has something to do next, and does a bounded amount of it; what is left is
due at once, and comes in the next turn. While the server may not change anything, because writes
are paused or the disk takes nothing, what is due waits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from headwater.commands import dead_letters, lifetimes, retaining, schedules, settling
from headwater.commands.state import NOT_PAUSED
from headwater.keyspace.calendar import NEVER, Plan
from headwater.limits import JOURNAL_BACKLOG_BYTES
from headwater.raw import monotonic_us
from headwater.streams.stream import Stream

if TYPE_CHECKING:
    from headwater.commands.state import ServerState
    from headwater.keyspace.database import Database

BUDGET_US = 2000
"""So long the loop may be kept before clients get their turn."""

RETRY_MS = 250
"""What is due and has to wait is looked at again after so long."""

NextMs = Callable[["ServerState", Stream], int]
"""When a part has something to do for a stream (unix ms), NEVER if it never has."""

Run = Callable[["ServerState", "Database", bytes, Stream], None]
"""Do what is due, a bounded amount: changes are recorded, events told, keys signalled."""

PARTS: tuple[tuple[NextMs, Run], ...] = (
    (dead_letters.next_ms, dead_letters.run),
    (schedules.next_ms, schedules.run),
    (retaining.next_ms, retaining.run),
    (lifetimes.next_ms, lifetimes.run),
    (settling.next_ms, settling.run),
)
"""In the order in which they run."""


def run_due(state: ServerState) -> None:
    """Look after the streams whose moment has come, for a while; the others come next turn."""
    calendar = state.keyspace.calendar
    if state.loading:
        return
    if state.leases.ending:
        state.leases.work()
    must_wait = _must_wait(state)
    until_us = monotonic_us() + BUDGET_US
    while True:
        plan = calendar.take_due(state.clock.now_ms)
        if plan is None:
            return
        if must_wait:
            plan.sooner(state.clock.now_ms + RETRY_MS)
        else:
            _look_after(state, plan)
            state.recorder.seal()
            must_wait = _must_wait(state)
        if monotonic_us() >= until_us:
            return


def _must_wait(state: ServerState) -> bool:
    """Whether a command that changes something would be refused or held back now."""
    if state.paused != NOT_PAUSED and state.clock.now_ms < state.paused_until_ms:
        return True
    recorder = state.recorder
    return bool(state.write_refusal or recorder.end - recorder.released > JOURNAL_BACKLOG_BYTES)


def _look_after(state: ServerState, plan: Plan) -> None:
    calendar = state.keyspace.calendar
    database = calendar.place_of(plan)
    stream = calendar.stream_of(plan)
    if database is None or stream is None:
        return
    try:
        for _, run in PARTS:
            run(state, database, plan.key, stream)
    except BaseException:
        plan.sooner(state.clock.now_ms + RETRY_MS)  # the fault of one part strands no other
        raise
    if calendar.stream_of(plan) is stream:
        plan.sooner(min((next_ms(state, stream) for next_ms, _ in PARTS), default=NEVER))
