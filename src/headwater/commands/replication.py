"""Waiting for copies, on replicas and on disk; this server is a master, and nothing follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater import errors
from headwater.commands.blocking import wait_for_keys
from headwater.commands.table import command
from headwater.keyspace.waiters import NEVER

if TYPE_CHECKING:
    from headwater.commands.session import Session
    from headwater.resp.reply import Reply
    from headwater.resp.request import Request

_MAX_MS = (1 << 63) - 1
_NO_REPLICAS = b":0\r\n"


@command("ROLE")
def role(session: Session, request: Request, reply: Reply) -> None:
    """master, the replication offset, the replicas."""
    reply.array(3)
    reply.bulk(b"master")
    reply.integer(0)
    reply.array(0)


def _timeout_ms(session: Session, request: Request, i: int) -> int:
    """Argument `i`, in ms; 0 is none."""
    try:
        timeout_ms = request.integer(i)
    except errors.CommandError:
        raise errors.TIMEOUT_NOT_INTEGER.error() from None
    if timeout_ms < 0:
        raise errors.NEGATIVE_TIMEOUT.error()
    if timeout_ms > _MAX_MS - session.state.clock.now_ms:
        raise errors.TIMEOUT_OUT_OF_RANGE.error()
    return timeout_ms


def _deadline_ms(session: Session, timeout_ms: int) -> int:
    return session.state.clock.now_ms + timeout_ms if timeout_ms else 0


@command("WAIT")
def wait(session: Session, request: Request, reply: Reply) -> None:
    """How many replicas have this connection's writes: none; asked for one, it waits for it.

    The timeout is in ms, 0 is none.
    """
    replicas = request.integer(1)
    timeout_ms = _timeout_ms(session, request, 2)
    if replicas <= 0 or session.deny_blocking:
        reply.integer(0)
        return
    deadline_ms = _deadline_ms(session, timeout_ms)
    wait_for_keys(session, request.words(), [], None, deadline_ms, False, NEVER, _NO_REPLICAS)


@command("WAITAOF")
def waitaof(session: Session, request: Request, reply: Reply) -> None:
    """Whether this server's disk (1 or 0) and how many replicas (none) have what was written.

    What is waited for is all that was written when the command came, by whomever. The timeout
    is in ms, 0 is none. As Redis 8.4, but it does not wait for the next second to sync.
    """
    local = request.integer(1)
    replicas = request.integer(2)
    if not 0 <= local <= 1:
        raise errors.INT_OUT_OF_RANGE.error(0, 1)
    if replicas < 0:
        raise errors.NOT_POSITIVE.error()
    timeout_ms = _timeout_ms(session, request, 3)
    persistence = session.state.persistence
    if local and not persistence.has_journal():
        raise errors.WAITAOF_WITHOUT_JOURNAL.error()
    # What is awaited stands behind the client's own words when this is tried again.
    position = session.state.recorder.end if request.argc == 4 else request.integer(4)
    synced = persistence.synced() >= position
    if ((synced or not local) and replicas == 0) or session.deny_blocking:
        _write_copies(reply, synced)
        return
    persistence.sync_soon(session)
    words = [*request.words()[:4], b"%d" % position]
    wait_for_keys(session, words, [], None, _deadline_ms(session, timeout_ms), False, NEVER)
    blocked = session.blocked
    assert blocked is not None
    blocked.timeout_reply = b"*2\r\n:%d\r\n:0\r\n" % synced


def _write_copies(reply: Reply, synced: bool) -> None:
    reply.array(2)
    reply.integer(1 if synced else 0)
    reply.integer(0)
