"""Replication as clients see it: this server is a master, and nothing follows it."""

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


@command("WAIT")
def wait(session: Session, request: Request, reply: Reply) -> None:
    """How many replicas have this connection's writes: none; asked for one, it waits for it.

    The timeout is in ms, 0 is none.
    """
    replicas = request.integer(1)
    now_ms = session.state.clock.now_ms
    try:
        timeout_ms = request.integer(2)
    except errors.CommandError:
        raise errors.TIMEOUT_NOT_INTEGER.error() from None
    if timeout_ms < 0:
        raise errors.NEGATIVE_TIMEOUT.error()
    if timeout_ms > _MAX_MS - now_ms:
        raise errors.TIMEOUT_OUT_OF_RANGE.error()
    if replicas <= 0 or session.deny_blocking:
        reply.integer(0)
        return
    deadline_ms = now_ms + timeout_ms if timeout_ms else 0
    wait_for_keys(session, request.words(), [], None, deadline_ms, False, NEVER, _NO_REPLICAS)
