"""The gate that replies leave by: closed until the journal has what a reply depends on.

Invariant 1. A connection asks `is_open` before it hands a reply to its transport; when it is
not, the gate keeps the reply with the journal position it depends on, and lets it out when that
position is released. Reads are held back as writes are: nobody sees what a crash could undo.

The gate is closed while `recorder.end` is ahead of `recorder.released`. At the end of a round of
the event loop `end_round` has the journal written (or handed to the thread that writes and
syncs), and lets go what may go.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from headwater.commands.channels import Channels
from headwater.commands.session import Session
from headwater.journal.recorder import Recorder
from headwater.limits import JOURNAL_BACKLOG_BYTES, JOURNAL_BATCH_BYTES


class Gate:
    """What the connections of one server and its journal have to do with each other.

    `commit()` has the journal take what was recorded; None while there is no journal.
    `channels`: whose messages leave at the end of a round, behind the journal's write.
    `failing`: the journal cannot be written. Commands that change something are refused then;
    others are answered although what they show may not be on disk yet.
    `in_round`: somebody calls `end_round` before the loop sleeps. `meanwhile`: others are served
    in the middle of a request, whose messages must not leave yet.
    """

    __slots__ = (
        "_backlog",
        "_choked",
        "_held",
        "_loop",
        "_scheduled",
        "channels",
        "commit",
        "failing",
        "in_round",
        "meanwhile",
        "recorder",
    )

    def __init__(self, loop: Any, recorder: Recorder) -> None:
        self._loop = loop
        self.recorder = recorder
        self.commit: Any = None
        self.channels: Channels | None = None
        self.failing = False
        self.in_round = False
        self.meanwhile = False
        self._scheduled = False
        self._backlog = 0  # bytes that waited for the disk when it was last told to write
        self._held: deque[tuple[int, Session, Any, int]] = deque()
        self._choked: list[Any] = []

    def is_open(self) -> bool:
        """Whether everything recorded so far is as durable as configured."""
        return self.recorder.end == self.recorder.released

    def hold(self, session: Session, part: Any, size: int) -> None:
        """Keep a part of a reply until the journal has everything recorded so far."""
        self._held.append((self.recorder.end, session, part, size))
        if not self.in_round:
            self.schedule()

    def schedule(self) -> None:
        """Have `end_round` called soon: something was recorded outside of a round."""
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._end_scheduled)

    def _end_scheduled(self) -> None:
        self._scheduled = False
        self.end_round()

    def is_choked(self) -> bool:
        """Whether so much waits for the disk that no more may be executed.

        Has what was gathered written when it is enough for a batch.
        """
        recorder = self.recorder
        if recorder.gathered() >= JOURNAL_BATCH_BYTES or self._backlog > JOURNAL_BACKLOG_BYTES:
            self._commit()
        return self._backlog > JOURNAL_BACKLOG_BYTES

    def write(self) -> None:
        """Have written what was recorded, before the end of the round, if that is possible now."""
        self._commit()

    def _commit(self) -> None:
        """Have written what was gathered, as far as that is possible now."""
        self._backlog = 0 if self.commit is None else self.commit()

    def choke(self, connection: Any) -> None:
        """Resume the connection when the disk has caught up."""
        self._choked.append(connection)

    def end_round(self) -> None:
        """Write the journal, let go the replies that need wait no longer, send messages."""
        recorder = self.recorder
        if recorder.end != recorder.released:
            self._commit()
        if self._held:
            self.let_go()
        channels = self.channels
        if channels is not None and channels.owing and channels.deliver():
            self.schedule()

    def schedule_messages(self) -> None:
        """Somebody is owed a message: have `end_round` called soon."""
        if not self.in_round:
            self.schedule()

    def let_go(self) -> None:
        """Let out what need not wait longer; called when the journal has come further."""
        held = self._held
        released = self.recorder.released
        while held:
            position, session, part, size = held[0]
            if position > released:
                break
            held.popleft()
            session.let_out(part, size)
        if self._choked:
            self._commit()
            if self._backlog > JOURNAL_BACKLOG_BYTES:
                return
            choked = self._choked
            self._choked = []
            for connection in choked:
                connection.unchoke()
