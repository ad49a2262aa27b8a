"""CONFIG: the configuration, read and changed while the server runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater import errors
from headwater.commands.help import help_of
from headwater.commands.table import command

if TYPE_CHECKING:
    from headwater.commands.session import Session
    from headwater.resp.reply import Reply
    from headwater.resp.request import Request


@command("CONFIG GET")
def config_get(session: Session, request: Request, reply: Reply) -> None:
    """The directives whose names match a pattern, with their values."""
    found = session.state.config.get([request.arg(i) for i in range(2, request.argc)])
    reply.map(len(found))
    for name, value in found:
        reply.bulk(name)
        reply.bulk(value)


@command("CONFIG SET")
def config_set(session: Session, request: Request, reply: Reply) -> None:
    """Change directives: all that are given, or none."""
    if request.argc % 2:
        raise errors.SYNTAX.error()
    pairs = [(request.arg(i), request.arg(i + 1)) for i in range(2, request.argc, 2)]
    session.state.config.set_many(pairs, local_client=session.is_local)
    reply.ok()


@command("CONFIG RESETSTAT")
def config_resetstat(session: Session, request: Request, reply: Reply) -> None:
    """Set all counters that INFO shows to zero."""
    state = session.state
    state.reset_statistics()
    state.table.reset_statistics()
    keyspace = state.keyspace
    keyspace.expired_keys = 0
    keyspace.keyspace_hits = 0
    keyspace.keyspace_misses = 0
    reply.ok()


@command("CONFIG REWRITE")
def config_rewrite(session: Session, request: Request, reply: Reply) -> None:
    """Write the configuration in force to the file it was read from."""
    session.state.config.rewrite()
    reply.ok()


command("CONFIG HELP")(help_of("CONFIG"))
