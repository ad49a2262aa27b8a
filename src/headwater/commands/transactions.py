"""MULTI, EXEC, DISCARD, WATCH, UNWATCH.

The dispatcher queues in the session's Transaction what does not run at once, and tells it of
requests that were refused; EXEC gives the queue back to the dispatcher.
"""

from __future__ import annotations

from headwater import errors
from headwater.commands.dispatch import call
from headwater.commands.queue import Transaction
from headwater.commands.session import Session
from headwater.commands.table import Command, command
from headwater.keyspace.watch import Watcher
from headwater.resp.reply import Reply
from headwater.resp.request import Request


def abandon(session: Session) -> None:
    """Leave MULTI and forget watched keys (DISCARD, RESET, a client that is gone)."""
    transaction = session.transaction
    if transaction is not None:
        session.transaction = None
        give_back(session, transaction)
    unwatch_all(session)


def give_back(session: Session, transaction: Transaction) -> None:
    """Keep an ended transaction for the next client that begins one."""
    transaction.reset()
    session.state.spare_transaction = transaction


def unwatch_all(session: Session) -> None:
    """Forget the watched keys."""
    if session.watching is not None:
        session.watching.clear()
        session.watching = None


@command("MULTI")
def multi(session: Session, request: Request, reply: Reply) -> None:
    if session.transaction is not None:
        raise errors.NESTED_MULTI.error()
    state = session.state
    spare = state.spare_transaction
    if spare is None:
        spare = Transaction()
    else:
        state.spare_transaction = None
    session.transaction = spare
    reply.ok()


@command("DISCARD")
def discard(session: Session, request: Request, reply: Reply) -> None:
    if session.transaction is None:
        raise errors.DISCARD_WITHOUT_MULTI.error()
    abandon(session)
    reply.ok()


@command("EXEC")
def exec_(session: Session, request: Request, reply: Reply) -> None:
    transaction = session.transaction
    if transaction is None:
        raise errors.EXEC_WITHOUT_MULTI.error()
    changed = session.watching is not None and session.watching.has_changed()
    # Nothing is watched any more while the queue runs: what it changes itself does not count.
    session.transaction = None
    unwatch_all(session)
    failed = transaction.failed
    if not failed and not changed:
        _run(session, transaction, reply)
    give_back(session, transaction)
    if failed:
        raise errors.EXEC_ABORTED.error()
    if changed:
        reply.null_array()


def _run(session: Session, transaction: Transaction, reply: Reply) -> None:
    """Run what was queued, as one unit of the journal."""
    state = session.state
    keyspace = state.keyspace
    queue = transaction.take()
    could_not_block = session.deny_blocking
    session.deny_blocking = True
    recorder = state.recorder
    recorder.unit += 1
    at = 0
    reply.array(len(queue))
    try:
        for queued in queue:
            at = transaction.fill(at)
            if session.permissions is not None and _is_refused(session, queued, transaction, reply):
                continue
            keyspace.touch = not session.no_touch
            call(session, queued, transaction.request, reply)
    finally:
        recorder.unit -= 1
        session.deny_blocking = could_not_block


def _is_refused(session: Session, queued: Command, transaction: Transaction, reply: Reply) -> bool:
    """Whether the user may not do it: permissions may be others than when it was queued."""
    refused: bytes | None = session.permissions.refusal(session, queued, transaction.request)
    if refused is None:
        return False
    reply.error(refused)
    session.state.count_error(refused)
    queued.rejected_calls += 1
    return True


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
    unwatch_all(session)
    reply.ok()
