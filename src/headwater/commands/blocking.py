"""Commands that wait: how they begin, what tries them again, how they end.

A waiting command is tried again by running its handler anew, with the arguments it had; it
replies, or it still finds nothing and keeps its place and its timeout. So everything it
honours the first time (COUNT, NOACK, CLAIM, a missing group) it honours on waking.
"""

from __future__ import annotations

from headwater import errors
from headwater.commands.failures import answer_failure
from headwater.commands.session import REPLY_ON, Session, keep_silent
from headwater.commands.state import NOT_PAUSED, PAUSED_ALL, ServerState
from headwater.commands.table import Command
from headwater.keyspace.database import Database
from headwater.keyspace.waiters import NEVER, Blocked, KeyWaiters, Terms
from headwater.limits import REPLY_REFERENCE_BYTES
from headwater.lists.list import List
from headwater.raw import cut, monotonic_us
from headwater.resp.reply import Reply
from headwater.resp.request import Request, from_words
from headwater.streams.redelivery import Redelivery
from headwater.streams.stream import Stream
from headwater.value import Value

_NEVER = NEVER  # the same as a C number
_REPLY_ON = REPLY_ON

SEND_AT_ONCE = 64
"""One command may wake thousands: so many replies are sent in one turn of the loop, half a
millisecond of it; the others are kept, and go out in the turns behind."""

_SEND_AT_ONCE = SEND_AT_ONCE

_NOTHING, _REPLIED, _FAILED = 0, 1, 2


def waits_on(session: Session, due_ms: int) -> bool:
    """Whether the session waits already, and its command, tried again, has found nothing.

    It keeps its place then, and only `due_ms` is renewed. Called by a handler that found nothing.
    """
    blocked = session.blocked
    if blocked is None:
        return False
    state = session.state
    # It has just found nothing: now is too early for the next try, whoever miscounts.
    if due_ms <= state.clock.now_ms:
        due_ms = state.clock.now_ms + 1
    if blocked.due_ms != due_ms:
        blocked.due_ms = due_ms
        state.waiters.schedule(blocked)
    return True


def terms_of(session: Session, request: Request, keys: list[bytes], group: bytes | None) -> Terms:
    """The terms on which the session's command waits, if it has to: for these keys, each once."""
    command = session.state.table.find(session.last_command)
    assert command is not None
    return Terms(command, session.database, keys, group, False, request)


def wait(session: Session, terms: Terms, deadline_ms: int, due_ms: int) -> None:
    """Let the session's command wait until one of the keys has something for it.

    `deadline_ms` 0: no timeout. Called by a handler that found nothing and does not wait yet.
    """
    state = session.state
    if due_ms <= state.clock.now_ms:
        due_ms = state.clock.now_ms + 1
    blocked = Blocked(session, terms, deadline_ms, due_ms)
    session.blocked = blocked
    state.waiters.add(blocked)
    state.blocked_clients += 1


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
    """`waits_on`, and if it does not, `wait` on terms with these words."""
    if waits_on(session, due_ms):
        return
    terms = terms_of(session, from_words(words), list(dict.fromkeys(keys)), group)
    terms.claims = claims
    wait(session, terms, deadline_ms, due_ms)
    blocked = session.blocked
    assert blocked is not None
    blocked.timeout_reply = timeout_reply


def wait_to_pop(session: Session, request: Request, keys: list[bytes], deadline_ms: int) -> None:
    """Let the session's command wait until one of the keys is a list, or go on waiting.

    `keys` has each key once. Called by a handler that found no items.
    """
    if waits_on(session, _NEVER):
        return
    terms = terms_of(session, request, keys, None)
    terms.pops = True
    wait(session, terms, deadline_ms, _NEVER)


def end_wait(session: Session) -> None:
    """The session waits no longer; the caller replies."""
    blocked = session.blocked
    if blocked is not None:
        session.blocked = None
        if blocked.owed is None:
            state = session.state
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
    state.waiters.sent = 0
    while keyspace.ready:
        ready = keyspace.ready
        keyspace.ready = []
        if len(ready) > 1:
            ready = list(dict.fromkeys(ready))
        for database, key in ready:
            queue = database.waiting.get(key)
            if queue is not None:
                _serve_key(state, key, queue, database.peek(key))
                if queue.poppers:
                    _serve_poppers(state, database, key, queue)


def _serve_key(state: ServerState, key: bytes, queue: KeyWaiters, value: Value | None) -> None:
    # Readers of XREAD wait on when their key becomes something else, as in Redis; members of a
    # group are told that it is gone.
    if queue.readers and isinstance(value, Stream):
        _serve_readers(state, list(queue.readers))
    if queue.parked:
        _unpark(key, queue, value)
    if not queue.groups:
        return
    for name in list(queue.groups):
        if queue.claiming:
            _serve_claiming(state, queue, name)
        else:
            members = queue.groups.get(name)
            while members:
                blocked = next(iter(members))
                if not _try_again(state, blocked) and not _is_limited(state, key, queue, blocked):
                    break


def _is_limited(state: ServerState, key: bytes, queue: KeyWaiters, blocked: Blocked) -> bool:
    """Whether a member got nothing because its consumer is at its limit; then it is put aside.

    What there is may be for those behind it.
    """
    for at, owner, redelivery in state.waiters.limited:
        if at == key and blocked.session.blocked is blocked:
            _park(key, queue, blocked, owner, redelivery)
            return True
    return False


def stand_aside(session: Session) -> None:
    """A client that begins to wait does so aside where its consumer is at its limit."""
    waiters = session.state.waiters
    limited, waiters.limited = waiters.limited, []
    blocked = session.blocked
    if blocked is not None:
        for key, owner, redelivery in limited:
            queue = blocked.terms.database.waiting[key]
            if blocked.parked is None or key not in blocked.parked:
                _park(key, queue, blocked, owner, redelivery)


def _park(
    key: bytes, queue: KeyWaiters, blocked: Blocked, owner: int, redelivery: Redelivery
) -> None:
    if redelivery.parked is None:
        redelivery.parked = {}
    redelivery.parked[owner] = 1
    queue.park(key, blocked, owner, redelivery)


def _unpark(key: bytes, queue: KeyWaiters, value: Value | None) -> None:
    """Let members look again who were put aside for a limit that they are not at any more.

    Be it that they have less, or that the group is gone, or has other settings.
    """
    groups = value.groups if isinstance(value, Stream) else None
    for name, parked in list((queue.parked or {}).items()):
        group = None if groups is None else groups.get(name)
        if group is None or group.redelivery is not parked.redelivery:
            queue.unpark_all(key, name)
        else:
            freed = group.redelivery.freed
            group.redelivery.freed = []
            for owner in freed:
                queue.unpark(key, name, owner)


def _serve_poppers(state: ServerState, database: Database, key: bytes, queue: KeyWaiters) -> None:
    """Try those who wait for items, in the order in which they came, while there are any.

    Whatever else the key holds, they wait on.
    """
    while queue.poppers and isinstance(database.peek(key), List):
        blocked = next(iter(queue.poppers))
        if not _try_again(state, blocked):
            break


def _serve_readers(state: ServerState, readers: list[Blocked]) -> None:
    """Try readers of XREAD. Those who wait on the same terms get the same bytes."""
    keyspace = state.keyspace
    reply = state.wake_reply
    terms: Terms | None = None
    resp3 = False
    data: bytes | None = None
    hits = misses = 0
    for blocked in readers:
        session: Session = blocked.session
        if session.blocked is not blocked or blocked.owed is not None:
            continue
        if (
            terms is not None
            and blocked.terms is terms
            and session.resp3 == resp3
            and session.permissions is None
        ):
            if data is not None and not _is_held(state, blocked):
                keyspace.keyspace_hits += hits
                keyspace.keyspace_misses += misses
                _finish(session, reply, data, 0)
            continue
        hits = keyspace.keyspace_hits
        misses = keyspace.keyspace_misses
        start = monotonic_us()
        result = _run(state, blocked, reply)
        if result == _NOTHING:
            terms = blocked.terms
            resp3 = session.resp3
            data = None
            continue
        terms = None
        data = None
        if result == _REPLIED and not reply.parts and len(readers) > 1:
            terms = blocked.terms
            resp3 = session.resp3
            data = cut(reply.buf, 0, reply.pos)
            hits = keyspace.keyspace_hits - hits
            misses = keyspace.keyspace_misses - misses
        _finish(session, reply, None, monotonic_us() - start)


def _serve_claiming(state: ServerState, queue: KeyWaiters, name: bytes) -> None:
    """Try the members of a group, some of whom claim: those look although nothing is new."""
    nothing_new = False
    for blocked in list(queue.groups.get(name, ())):
        if nothing_new and not blocked.terms.claims:
            continue
        if not _try_again(state, blocked) and not state.waiters.limited:
            nothing_new = True
            if not queue.claiming:
                break


def _is_held(state: ServerState, blocked: Blocked) -> bool:
    """Whether CLIENT PAUSE holds the waiting command back; it is tried when the pause ends."""
    if state.paused == NOT_PAUSED or state.clock.now_ms >= state.paused_until_ms:
        return False
    terms = blocked.terms
    if state.paused != PAUSED_ALL and terms.group is None and not terms.pops:
        return False
    for key in terms.keys:
        state.waiters.held[terms.database, key] = None
    if blocked.due_ms != state.paused_until_ms:
        blocked.due_ms = state.paused_until_ms
        state.waiters.schedule(blocked)
    return True


def end_hold(state: ServerState) -> None:
    """The pause is over: have all looked at who wait for the keys of those who were held back.

    Only the first one of a queue was held; those behind it were not even tried.
    """
    held = state.waiters.held
    if held:
        state.waiters.held = {}
        for database, key in held:
            database.signal_ready(key)


def _check_permission(session: Session, command: Command, request: Request) -> None:
    """Raise an error if the user may not do any more what he waits for (as Redis)."""
    refused: bytes | None = session.permissions.refusal(session, command, request)
    if refused is not None:
        raise errors.CommandError(refused)


def _run(state: ServerState, blocked: Blocked, reply: Reply) -> int:
    """Run a waiting command again: whether it has written a reply, or failed and that is it."""
    if _is_held(state, blocked):
        return _NOTHING
    session: Session = blocked.session
    reply.resp3 = session.resp3
    database = session.database
    terms = blocked.terms
    session.database = terms.database
    request = state.waiters.request
    terms.fill(request)
    result = _REPLIED
    listening = session.subscriptions
    if listening is not None:
        listening.begin_own()
    try:
        if session.permissions is not None:
            _check_permission(session, terms.command, request)
        terms.command.handler(session, request, reply)
    except Exception as error:
        # Its own fault, not that of the command that woke it.
        reply.clear()
        answer_failure(state, terms.command, error, reply)
        result = _FAILED
    finally:
        session.database = database
        request.release()
    if state.recorder.recording:
        state.recorder.seal()
    if reply.empty():
        if listening is not None:
            listening.end_own()
        return _NOTHING
    return result


def _try_again(state: ServerState, blocked: Blocked) -> bool:
    """Run a waiting command again; True when it has replied."""
    session: Session = blocked.session
    if session.blocked is not blocked or blocked.owed is not None:
        return False
    start = monotonic_us()
    reply = state.wake_reply
    state.waiters.limited = []
    if _run(state, blocked, reply) == _NOTHING:
        return False
    _finish(session, reply, None, monotonic_us() - start)
    return True


def try_again(session: Session) -> None:
    """Run the session's waiting command again, if one waits: something has happened for it."""
    blocked = session.blocked
    if blocked is not None:
        _try_again(session.state, blocked)


def _finish(session: Session, reply: Reply, data: bytes | None, took_us: int) -> None:
    """The wait is over, and the command done: it took so long this last time.

    The reply is `data`, or None: what is in `reply`. It leaves now, or a little later when many
    are woken at once.
    """
    blocked = session.blocked
    assert blocked is not None
    end_wait(session)
    state = session.state
    waiters = state.waiters
    blocked.terms.command.observe(took_us)
    state.commands_processed += 1
    if took_us >= state.slow_us >= 0:
        request = waiters.request
        blocked.terms.fill(request)
        state.slowlog.record(session, request, took_us, state.clock.now_ms)
        request.release()
    waiters.sent += 1
    if (
        waiters.sent > _SEND_AT_ONCE
        and session.reply_mode == _REPLY_ON
        and not reply.parts
        and waiters.on_earlier is not None
    ):
        session.blocked = blocked
        if session.subscriptions is not None:
            session.subscriptions.end_own()
        waiters.owe(blocked, reply.take() if data is None else data)
        return
    if data is not None:
        _write_shared(data, reply)
    keep_silent(session, reply, 0, 0)
    session.send(reply)
    session.resume()


def _write_shared(data: bytes, reply: Reply) -> None:
    """Write a reply that others get, too: a big one is not copied for each of them."""
    if len(data) >= REPLY_REFERENCE_BYTES:
        reply.attach_bytes(data)
    else:
        reply.raw_bytes(data)


def _send_owed(state: ServerState) -> None:
    """Send some of the replies that were kept."""
    waiters = state.waiters
    reply = state.wake_reply
    n = 0
    while waiters.owing and n < _SEND_AT_ONCE:
        blocked: Blocked = waiters.owing.popleft()
        session: Session = blocked.session
        if session.blocked is blocked and blocked.owed is not None:
            session.blocked = None
            _write_shared(blocked.owed, reply)
            session.send(reply)
            session.resume()
            n += 1


def _write_timeout(blocked: Blocked, reply: Reply) -> None:
    """What a wait ends with when nothing came."""
    if blocked.timeout_reply is None:
        reply.null_array()
    else:
        reply.raw_bytes(blocked.timeout_reply)


def serve_due(state: ServerState) -> None:
    """End the waits whose time is over, and try the readers whose pending entry is due."""
    now_ms = state.clock.now_ms
    state.waiters.sent = 0
    if state.waiters.owing:
        _send_owed(state)
    if now_ms >= state.paused_until_ms:
        end_hold(state)
    if state.keyspace.ready:
        serve_ready(state)
    while True:
        blocked = state.waiters.pop_due(now_ms)
        if blocked is None:
            break
        session: Session = blocked.session
        if blocked.due_ms <= now_ms:
            blocked.due_ms = _NEVER
            if _try_again(state, blocked):
                continue
        if blocked.deadline_ms and blocked.deadline_ms <= now_ms:
            reply = state.wake_reply
            reply.resp3 = session.resp3
            _write_timeout(blocked, reply)
            _finish(session, reply, None, 0)
        else:
            state.waiters.schedule(blocked)
    if state.keyspace.ready:
        serve_ready(state)


def unblock(session: Session, with_error: bool) -> bool:
    """CLIENT UNBLOCK: end a wait as its timeout would, or with an error. False: none to end."""
    blocked = session.blocked
    if blocked is None or blocked.owed is not None:
        return False
    reply = session.state.wake_reply
    reply.resp3 = session.resp3
    if with_error:
        text = errors.UNBLOCKED.text()
        reply.error(text)
        session.state.count_error(text)
    else:
        _write_timeout(blocked, reply)
    session.state.waiters.sent = 0
    _finish(session, reply, None, 0)
    return True
