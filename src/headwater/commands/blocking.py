"""Commands that wait: how they begin, what tries them again, how they end.

A waiting command is tried again by running its handler anew, with the arguments it had; it
replies, or it still finds nothing and keeps its place and its timeout. So everything it
honours the first time (COUNT, NOACK, CLAIM, a missing group) it honours on waking.
"""

from __future__ import annotations

import logging

from headwater import errors
from headwater.commands.session import Session, keep_silent
from headwater.commands.state import ServerState
from headwater.keyspace.database import Database
from headwater.keyspace.waiters import NEVER, Blocked, KeyWaiters
from headwater.raw import monotonic_us
from headwater.resp.reply import Reply
from headwater.resp.request import Request, from_words
from headwater.streams.stream import Stream
from headwater.value import Value

_log = logging.getLogger("headwater")


def wait_for_keys(
    session: Session,
    words: list[bytes],
    keys: list[bytes],
    group: bytes | None,
    deadline_ms: int,
    claims: bool,
    due_ms: int,
    timeout_reply: bytes | None = None,
) -> None:
    """Let the session's command wait until one of the keys has something for it.

    `words` is the request to try again. `deadline_ms` 0: no timeout. Called by a handler that
    found nothing; when it was tried again it keeps its place, and only `due_ms` is renewed.
    """
    state = session.state
    # It has just found nothing: now is too early for the next try, whoever miscounts.
    due_ms = max(due_ms, state.clock.now_ms + 1)
    blocked = session.blocked
    if blocked is not None:
        if blocked.due_ms != due_ms:
            blocked.due_ms = due_ms
            state.waiters.schedule(blocked)
        return
    command = state.table.find(session.last_command)
    assert command is not None
    blocked = Blocked(
        session,
        command,
        from_words(words),
        session.database,
        list(dict.fromkeys(keys)),
        group,
        deadline_ms,
        claims,
        due_ms,
        timeout_reply,
    )
    session.blocked = blocked
    state.waiters.add(blocked)
    state.blocked_clients += 1


def end_wait(session: Session) -> None:
    """The session waits no longer; the caller replies."""
    state = session.state
    blocked = session.blocked
    if blocked is not None:
        session.blocked = None
        state.waiters.remove(blocked)
        state.blocked_clients -= 1


def pending_changed(database: Database, key: bytes) -> None:
    """A group's pending entries changed: readers that claim idle ones must look again."""
    queue = database.waiting.get(key)
    if queue is not None and queue.claiming:
        database.signal_ready(key)


def serve_ready(state: ServerState) -> None:
    """Try the readers of all keys that have something new, first come first served."""
    keyspace = state.keyspace
    while keyspace.ready:
        ready = keyspace.ready
        keyspace.ready = []
        for database, key in dict.fromkeys(ready):
            queue = database.waiting.get(key)
            if queue is not None:
                _serve_key(state, queue, database.peek(key))


def _serve_key(state: ServerState, queue: KeyWaiters, value: Value | None) -> None:
    # Readers of XREAD wait on when their key becomes something else, as in Redis; members of a
    # group are told that it is gone.
    if isinstance(value, Stream):
        for blocked in list(queue.readers):
            _try_again(state, blocked)
    for name in list(queue.groups):
        members = queue.groups.get(name)
        if members is None:
            continue
        nothing_new = False
        for blocked in list(members):
            if nothing_new and not blocked.claims:
                continue
            if not _try_again(state, blocked):
                nothing_new = True
                if not queue.claiming:
                    break


def _try_again(state: ServerState, blocked: Blocked) -> bool:
    """Run a waiting command again; True when it has replied."""
    session: Session = blocked.session
    if session.blocked is not blocked:
        return False
    reply = state.wake_reply
    reply.resp3 = session.resp3
    database = session.database
    session.database = blocked.database
    request: Request = blocked.request
    start = monotonic_us()
    try:
        blocked.command.handler(session, request, reply)
    except errors.CommandError as error:
        reply.clear()
        reply.error(error.text)
        state.count_error(error.text)
        blocked.command.failed_calls += 1
    except Exception:
        # Its own fault, not that of the command that woke it.
        name: bytes = blocked.command.name
        _log.exception("the command '%s' failed unexpectedly on waking", name.decode())
        state.unexpected_errors += 1
        reply.clear()
        text = errors.INTERNAL.text(name)
        reply.error(text)
        state.count_error(text)
        blocked.command.failed_calls += 1
    finally:
        session.database = database
    state.recorder.seal()
    if reply.empty():
        return False
    _finish(session, reply, monotonic_us() - start)
    return True


def try_again(session: Session) -> None:
    """Run the session's waiting command again, if one waits: something has happened for it."""
    blocked = session.blocked
    if blocked is not None:
        _try_again(session.state, blocked)


def _finish(session: Session, reply: Reply, took_us: int) -> None:
    """The wait is over, and the command done: it took so long this last time."""
    blocked = session.blocked
    assert blocked is not None
    end_wait(session)
    blocked.command.observe(took_us)
    session.state.commands_processed += 1
    keep_silent(session, reply, 0, 0)
    session.send(reply)
    session.resume()


def _write_timeout(blocked: Blocked, reply: Reply) -> None:
    """What a wait ends with when nothing came."""
    if blocked.timeout_reply is None:
        reply.null_array()
    else:
        reply.raw_bytes(blocked.timeout_reply)


def serve_due(state: ServerState) -> None:
    """End the waits whose time is over, and try the readers whose pending entry is due."""
    now_ms = state.clock.now_ms
    while True:
        blocked = state.waiters.pop_due(now_ms)
        if blocked is None:
            break
        session: Session = blocked.session
        if blocked.due_ms <= now_ms:
            blocked.due_ms = NEVER
            if _try_again(state, blocked):
                continue
        if blocked.deadline_ms and blocked.deadline_ms <= now_ms:
            reply = state.wake_reply
            reply.resp3 = session.resp3
            _write_timeout(blocked, reply)
            _finish(session, reply, 0)
        else:
            state.waiters.schedule(blocked)
    if state.keyspace.ready:
        serve_ready(state)


def unblock(session: Session, with_error: bool) -> bool:
    """CLIENT UNBLOCK: end a wait as its timeout would, or with an error. False: none to end."""
    blocked = session.blocked
    if blocked is None:
        return False
    reply = session.state.wake_reply
    reply.resp3 = session.resp3
    if with_error:
        text = errors.UNBLOCKED.text()
        reply.error(text)
        session.state.count_error(text)
    else:
        _write_timeout(blocked, reply)
    _finish(session, reply, 0)
    return True
