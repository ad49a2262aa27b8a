"""From a request to its reply: find the command, check, call, count, wake whom it served.

`execute` is the one entrance for a client's request; `call` runs a command whose checks are
done, which EXEC does for what was queued.
"""

from __future__ import annotations

import logging

from headwater import errors
from headwater.commands.blocking import serve_ready
from headwater.commands.failures import answer_failure
from headwater.commands.flags import (
    ADMIN,
    DENYOOM,
    FAST,
    IMMEDIATE,
    LOADING,
    MAY_WRITE,
    NO_AUTH,
    NO_MULTI,
    PROTECTED,
    READONLY,
    SKIP_MONITOR,
    SKIP_SLOWLOG,
    WRITE,
)
from headwater.commands.session import REPLY_ON, Session, keep_silent
from headwater.commands.state import NOT_PAUSED, PAUSED_ALL, ServerState
from headwater.commands.table import Command
from headwater.raw import monotonic_us
from headwater.resp.reply import Reply
from headwater.resp.request import Request

DONE, WAITS, POSTPONED = 0, 1, 2
"""The reply is written; the command waits and `session.blocked` says for what; CLIENT PAUSE
holds the request back, and it must be given again after `resume`."""
_DONE, _WAITS, _POSTPONED = DONE, WAITS, POSTPONED  # the same as C numbers

_QUOTED_ARGUMENTS_BYTES = 128
_CLOCK_US = 1000
_OF_A_BROWSER = (b"post", b"host:")
_WHILE_SUBSCRIBED = frozenset(
    (
        b"subscribe",
        b"psubscribe",
        b"ssubscribe",
        b"unsubscribe",
        b"punsubscribe",
        b"sunsubscribe",
        b"ping",
        b"quit",
        b"reset",
    )
)
_log = logging.getLogger("headwater")


def execute(session: Session, request: Request, reply: Reply) -> int:
    """Run one request of a client and write its reply; returns DONE, WAITS or POSTPONED."""
    state = session.state
    parts, pos = reply.part_count(), reply.pos
    command = state.table.of_request(request)
    container = None
    if command is not None and command.subcommands is not None and request.argc > 1:
        container = command
        command = container.subcommand(request.arg(1))
    refusal = _refusal(session, request, command, container)
    if command is None or refusal is not None:
        _refuse(session, request.arg(0), command, reply, refusal or b"")
    elif state.paused != NOT_PAUSED and _held_back(session, state, command, request):
        if not session.postponed:
            session.postponed = True
            state.postponed.append(session)
        return _POSTPONED
    elif session.transaction is not None and not command.flags & IMMEDIATE:
        session.transaction.queue(command, request)
        reply.raw_bytes(b"+QUEUED\r\n")
    else:
        session.last_command = command.name
        state.keyspace.touch = not session.no_touch
        call(session, command, request, reply)
        if state.recorder.recording:
            state.recorder.seal()
        if state.keyspace.ready:
            serve_ready(state)
            state.at_us = 0  # what that took is not the next command's
    session.commands_processed += 1
    if session.blocked is not None:
        return _WAITS
    if session.reply_mode != REPLY_ON:
        keep_silent(session, reply, parts, pos)
    return _DONE


def call(session: Session, command: Command, request: Request, reply: Reply) -> None:
    """Run a command whose checks are done; an error it raises becomes the reply."""
    state = session.state
    parts, pos = reply.part_count(), reply.pos
    start = state.at_us or monotonic_us()
    handler = command.handler
    assert handler is not None
    try:
        handler(session, request, reply)
    except Exception as error:
        reply.rewind(parts, pos)
        answer_failure(state, command, error, reply)
    end = monotonic_us()
    took = end - start
    if state.at_us:
        state.at_us = end
    waits = session.blocked is not None
    if not waits:  # one that waits is counted when it ends, as in Redis
        command.observe(took)
        state.commands_processed += 1
    if took >= _CLOCK_US and state.recorder.unit == 0:  # all of an EXEC happens at one time
        state.clock.refresh()
    if state.monitors and not command.flags & (SKIP_MONITOR | ADMIN):
        _feed_monitors(session, request, reply)
    if took >= state.slow_us >= 0 and not waits and not command.flags & SKIP_SLOWLOG:
        state.slowlog.record(session, request, took, state.clock.now_ms)
    if state.latency_threshold_ms and took >= 1000 * state.latency_threshold_ms:
        event = b"fast-command" if command.flags & FAST else b"command"
        state.latency.record(event, state.clock.now_ms, took // 1000)


def _refusal(
    session: Session, request: Request, command: Command | None, container: Command | None
) -> bytes | None:
    """The error reply that the request gets without being run, or None."""
    if command is None:
        if container is not None:
            return errors.UNKNOWN_SUBCOMMAND.text(
                request.arg(1)[:_QUOTED_ARGUMENTS_BYTES], container.name.upper()
            )
        return _unknown_command(request)
    if not command.accepts(request.argc) or command.handler is None:
        return errors.WRONG_ARITY.text(command.name)
    if not session.authenticated and not command.flags & NO_AUTH:
        return errors.NO_AUTH.text()
    if command.flags & PROTECTED and not session.state.config.allows(
        "enable-debug-command", session.is_local
    ):
        return errors.DEBUG_DISABLED.text()
    if command.flags & NO_MULTI and session.transaction is not None:
        return errors.NOT_IN_TRANSACTION.text()
    if session.is_monitor and command.flags & (READONLY | WRITE | MAY_WRITE):
        return errors.MONITOR_KEYSPACE.text()
    if session.permissions is not None:
        refused: bytes | None = session.permissions.refusal(session, command, request)
        if refused is not None:
            return refused
    state = session.state
    # Nothing is evicted in the midst of a script.
    if state.memory.limit and state.busy is None and not state.loading:
        state.over_memory = state.memory.about_to_run(command, request)
        if state.over_memory and _needs_memory(session, command):
            return errors.OUT_OF_MEMORY.text()
    if state.write_refusal and _needs_disk(session, command):
        return state.write_refusal
    if (
        session.subscriptions is not None
        and not session.resp3
        and command.name not in _WHILE_SUBSCRIBED
    ):
        return errors.SUBSCRIBED.text(command.name)
    if state.loading and not command.flags & LOADING:
        return errors.LOADING.text()
    if state.busy is not None:
        busy: bytes | None = state.busy.refusal(session, command, request)
        return busy
    return None


def _needs_memory(session: Session, command: Command) -> bool:
    """Whether the command is refused over `maxmemory`. EXEC is when it would run one that is."""
    if command.name == b"exec" and session.transaction is not None:
        return session.transaction.has(DENYOOM)
    return bool(command.flags & DENYOOM)


def _needs_disk(session: Session, command: Command) -> bool:
    """Whether the command is refused while the disk takes nothing (PING too, as in Redis)."""
    if command.name == b"exec" and session.transaction is not None:
        return session.transaction.has(WRITE)
    return bool(command.flags & WRITE) or command.name == b"ping"


def _unknown_command(request: Request) -> bytes:
    if request.argc == 1:
        return errors.UNKNOWN_COMMAND_ALONE.text(request.arg(0)[:_QUOTED_ARGUMENTS_BYTES])
    quoted = ""
    for i in range(1, request.argc):
        if len(quoted) >= _QUOTED_ARGUMENTS_BYTES:
            break
        left = _QUOTED_ARGUMENTS_BYTES - len(quoted)
        word = request.arg(i)[:left].partition(b"\0")[0]
        quoted += f"'{word.decode('latin-1')}' "
    return errors.UNKNOWN_COMMAND.text(request.arg(0)[:_QUOTED_ARGUMENTS_BYTES], quoted)


def _refuse(
    session: Session, name: bytes, command: Command | None, reply: Reply, text: bytes
) -> None:
    if command is None and name.lower() in _OF_A_BROWSER:
        _log.warning(
            "client %d at %s closed: it speaks HTTP, as a web page attacking this server would",
            session.id,
            session.address,
        )
        session.close()
        return
    if command is not None and command.name == b"exec":
        # An EXEC that is refused ends the transaction too, or the client would be stuck in it.
        from headwater.commands.transactions import abandon

        abandon(session)
        text = errors.EXEC_REFUSED.text(text.removeprefix(b"ERR "))
    reply.error(text)
    session.state.count_error(text)
    if command is not None:
        command.rejected_calls += 1
    if session.transaction is not None:
        session.transaction.fail()


def _held_back(session: Session, state: ServerState, command: Command, request: Request) -> bool:
    """Tell whether CLIENT PAUSE holds this command back."""
    if state.clock.now_ms >= state.paused_until_ms:
        return False
    if command.name == b"client|unpause" or command.name == b"client|pause":
        return False
    if state.paused == PAUSED_ALL:
        return True
    if command.flags & MAY_WRITE:
        return not state.scripting.only_reads(command, request)
    if command.flags & (WRITE | DENYOOM):
        return True
    if command.name == b"exec" and session.transaction is not None:
        return session.transaction.has(WRITE | DENYOOM | MAY_WRITE)
    return False


def _feed_monitors(session: Session, request: Request, reply: Reply) -> None:
    from headwater.commands.monitor import feed

    feed(session, request, reply)
