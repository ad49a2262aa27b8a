"""What the server does for streams with settings when its moment has come (keyspace/calendar.py).

Each part says when it has something to do next, and does a bounded amount of it; what is left is
due at once, and comes in the next turn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from headwater.keyspace.calendar import NEVER, Plan
from headwater.raw import monotonic_us
from headwater.streams.stream import Stream

if TYPE_CHECKING:
    from headwater.commands.state import ServerState
    from headwater.keyspace.database import Database

BUDGET_US = 2000
"""So long the loop may be kept before clients get their turn."""

NextMs = Callable[["ServerState", Stream], int]
"""When a part has something to do for a stream (unix ms), NEVER if it never has."""

Run = Callable[["ServerState", "Database", bytes, Stream], None]
"""Do what is due, a bounded amount: changes are recorded, events told, keys signalled."""

PARTS: tuple[tuple[NextMs, Run], ...] = ()
"""In the order in which they run."""


def run_due(state: ServerState) -> None:
    """Look after the streams whose moment has come, for a while; the others come next turn."""
    calendar = state.keyspace.calendar
    if state.loading:
        return
    until_us = monotonic_us() + BUDGET_US
    while True:
        plan = calendar.take_due(state.clock.now_ms)
        if plan is None:
            return
        _look_after(state, plan)
        state.recorder.seal()
        if monotonic_us() >= until_us:
            return


def _look_after(state: ServerState, plan: Plan) -> None:
    database = state.keyspace.calendar.place_of(plan)
    if database is None:
        return
    stream = plan.stream
    for _, run in PARTS:
        run(state, database, plan.key, stream)
    if plan.values.get(plan.key) is stream:
        plan.sooner(min((next_ms(state, stream) for next_ms, _ in PARTS), default=NEVER))
