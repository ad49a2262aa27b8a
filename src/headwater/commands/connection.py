"""A connection's own commands: protocol, authentication, back to the beginning, the end."""

from __future__ import annotations

from headwater import errors
from headwater._version import REDIS_VERSION
from headwater.commands.authentication import authenticate
from headwater.commands.clients import check_client_name
from headwater.commands.monitor import leave
from headwater.commands.session import REPLY_ON, Session
from headwater.commands.table import command
from headwater.commands.transactions import abandon
from headwater.resp.reply import Reply
from headwater.resp.request import Request


@command("HELLO")
def hello(session: Session, request: Request, reply: Reply) -> None:
    """Choose the protocol, authenticate, set the name; all of it or nothing, but for AUTH."""
    version = _protocol_version(request) if request.argc > 1 else 0
    credentials: tuple[bytes, bytes] | None = None
    name: bytes | None = None
    i = 2
    while i < request.argc:
        left = request.argc - i - 1
        if left >= 2 and request.text_equals(i, b"AUTH"):
            credentials = request.arg(i + 1), request.arg(i + 2)
            i += 3
        elif left >= 1 and request.text_equals(i, b"SETNAME"):
            name = request.arg(i + 1)
            check_client_name(name)
            i += 2
        else:
            raise errors.HELLO_OPTION.error(request.arg(i))
    if credentials is not None:
        authenticate(session, *credentials, request.arg(0))
    if not session.authenticated:
        raise errors.HELLO_NO_AUTH.error()
    if name is not None:
        session.name = name
    if version:
        session.resp3 = reply.resp3 = version == 3
    _describe_server(session, reply)


def _protocol_version(request: Request) -> int:
    try:
        version = request.integer(1)
    except errors.CommandError:
        raise errors.PROTOCOL_NOT_INTEGER.error() from None
    if version not in (2, 3):
        raise errors.NO_PROTOCOL.error()
    return version


def _describe_server(session: Session, reply: Reply) -> None:
    reply.map(7)
    reply.bulk(b"server")
    reply.bulk(b"redis")  # clients take any other name for a server they do not know
    reply.bulk(b"version")
    reply.bulk_text(REDIS_VERSION)
    reply.bulk(b"proto")
    reply.integer(3 if session.resp3 else 2)
    reply.bulk(b"id")
    reply.integer(session.id)
    reply.bulk(b"mode")
    reply.bulk(b"standalone")
    reply.bulk(b"role")
    reply.bulk(b"master")
    reply.bulk(b"modules")
    reply.array(0)


@command("RESET")
def reset(session: Session, request: Request, reply: Reply) -> None:
    """Be as a new connection; only what is known of the client's library stays (as Redis)."""
    abandon(session)
    leave(session)
    session.state.channels.leave(session)
    session.database = session.state.keyspace.databases[0]
    session.resp3 = reply.resp3 = False
    session.name = b""
    session.reply_mode = REPLY_ON
    session.no_evict = False
    session.no_touch = False
    session.state.access.admit(session)
    reply.simple(b"RESET")


@command("QUIT")
def quit_(session: Session, request: Request, reply: Reply) -> None:
    """Close the connection behind this reply."""
    session.close_after_reply = True
    reply.ok()


def ping(session: Session, request: Request, reply: Reply) -> None:
    """PONG, or the argument."""
    if request.argc > 2:
        raise errors.WRONG_ARITY.error(b"ping")
    if session.subscriptions is not None and not session.resp3:
        # Where only messages are expected, it answers as one.
        reply.array(2)
        reply.bulk(b"pong")
        reply.bulk(request.arg(1) if request.argc == 2 else b"")
    elif request.argc == 2:
        reply.bulk(request.arg(1))
    else:
        reply.simple(b"PONG")


# A call, because Cython drops a decorator from a function that the .pxd types.
command("PING")(ping)


@command("ECHO")
def echo(session: Session, request: Request, reply: Reply) -> None:
    """The argument."""
    reply.bulk(request.arg(1))
