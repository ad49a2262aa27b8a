"""MULTI, EXEC, DISCARD, WATCH, UNWATCH.

The dispatcher asks the session's Transaction what runs at once, hands it everything else, and
tells it of requests that were refused; EXEC gives the queue back to the dispatcher.
"""

from __future__ import annotations

from headwater import errors
from headwater.commands.dispatch import call
from headwater.commands.session import Session
from headwater.commands.table import Command, command
from headwater.keyspace.watch import Watcher
from headwater.resp.reply import Reply
from headwater.resp.request import Request, from_words

_REQUEST_BYTES = 600  # what a queued request takes beside its arguments
_RUN_AT_ONCE = frozenset((b"exec", b"discard", b"multi", b"watch", b"quit", b"reset"))


class Transaction:
    """What a client has queued since MULTI. `queued_bytes` is about what that takes."""

    __slots__ = ("_failed", "_flags", "_queue", "queued_bytes")

    def __init__(self) -> None:
        self._queue: list[tuple[Command, Request]] = []
        self._failed = False
        self._flags = 0
        self.queued_bytes = 0

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def failed(self) -> bool:
        """Whether a request was refused, so that EXEC will be too."""
        return self._failed

    def runs_now(self, command: Command) -> bool:
        """Whether the command is not queued but run at once."""
        return command.name in _RUN_AT_ONCE

    def queue(self, command: Command, request: Request) -> None:
        """Keep a copy of the request until EXEC."""
        if self._failed:
            return
        words = request.words()
        self._queue.append((command, from_words(words)))
        self._flags |= command.flags
        self.queued_bytes += sum(map(len, words), _REQUEST_BYTES + 16 * len(words))

    def fail(self) -> None:
        """A request was refused: EXEC will run nothing, and what is queued is of no use."""
        self._failed = True
        self._queue.clear()
        self.queued_bytes = 0

    def has(self, flags: int) -> bool:
        """Whether any queued command has one of these flags (commands/flags.py)."""
        return self._flags & flags != 0

    def take(self) -> list[tuple[Command, Request]]:
        queue = self._queue
        self._queue = []
        return queue


def abandon(session: Session) -> None:
    """Leave MULTI and forget watched keys (DISCARD, RESET, a client that is gone)."""
    session.transaction = None
    if session.watching is not None:
        session.watching.clear()
        session.watching = None


@command("MULTI")
def multi(session: Session, request: Request, reply: Reply) -> None:
    if session.transaction is not None:
        raise errors.NESTED_MULTI.error()
    session.transaction = Transaction()
    reply.ok()


@command("DISCARD")
def discard(session: Session, request: Request, reply: Reply) -> None:
    if session.transaction is None:
        raise errors.DISCARD_WITHOUT_MULTI.error()
    abandon(session)
    reply.ok()


@command("EXEC")
def exec_(session: Session, request: Request, reply: Reply) -> None:
    transaction: Transaction | None = session.transaction
    if transaction is None:
        raise errors.EXEC_WITHOUT_MULTI.error()
    changed = session.watching is not None and session.watching.has_changed()
    # Nothing is watched any more while the queue runs: what it changes itself does not count.
    abandon(session)
    if transaction.failed:
        raise errors.EXEC_ABORTED.error()
    if changed:
        reply.null_array()
        return
    queue = transaction.take()
    keyspace = session.state.keyspace
    reply.array(len(queue))
    could_not_block = session.deny_blocking
    session.deny_blocking = True
    recorder = session.state.recorder
    recorder.unit += 1
    try:
        for queued, queued_request in queue:
            keyspace.touch = not session.no_touch
            if session.permissions is not None:
                # They may be others than when it was queued.
                refused = session.permissions.refusal(session, queued, queued_request)
                if refused is not None:
                    reply.error(refused)
                    session.state.count_error(refused)
                    queued.rejected_calls += 1
                    continue
            call(session, queued, queued_request, reply)
    finally:
        recorder.unit -= 1
        session.deny_blocking = could_not_block


@command("WATCH")
def watch(session: Session, request: Request, reply: Reply) -> None:
    if session.transaction is not None:
        raise errors.WATCH_INSIDE_MULTI.error()
    watcher: Watcher | None = session.watching
    if watcher is None:
        watcher = session.watching = Watcher()
    if not watcher.dirty_cas:
        for i in range(1, request.argc):
            watcher.watch(session.database, request.arg(i))
    reply.ok()


@command("UNWATCH")
def unwatch(session: Session, request: Request, reply: Reply) -> None:
    if session.watching is not None:
        session.watching.clear()
        session.watching = None
    reply.ok()
