"""The server as a process: its time, its end, and a drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater import errors
from headwater.commands.lolwut import draw, version_line
from headwater.commands.table import command

if TYPE_CHECKING:
    from headwater.commands.session import Session
    from headwater.resp.reply import Reply
    from headwater.resp.request import Request


@command("TIME")
def time(session: Session, request: Request, reply: Reply) -> None:
    """The unix time: seconds, and microseconds within the second."""
    seconds, us = divmod(session.state.clock.read_us(), 1_000_000)
    reply.array(2)
    reply.bulk(b"%d" % seconds)
    reply.bulk(b"%d" % us)


@command("LOLWUT")
def lolwut(session: Session, request: Request, reply: Reply) -> None:
    """A drawing, another one each time, and the version; `VERSION n` asks for drawing n.

    There is one drawing, number 1; another number shows the version alone (as Redis).
    """
    number = 1
    if request.argc > 2 and request.text_equals(1, b"VERSION"):
        number = request.integer(2)
    text = version_line() if number != 1 else draw(session.state.keyspace.rng) + version_line()
    reply.verbatim(text.encode())


@command("SHUTDOWN")
def shutdown(session: Session, request: Request, reply: Reply) -> None:
    """Stop the server. There is no reply: the connection ends."""
    save = nosave = abort = now = force = False
    for i in range(1, request.argc):
        if request.text_equals(i, b"SAVE"):
            save = True
        elif request.text_equals(i, b"NOSAVE"):
            nosave = True
        elif request.text_equals(i, b"ABORT"):
            abort = True
        elif request.text_equals(i, b"NOW"):
            now = True
        elif request.text_equals(i, b"FORCE"):
            force = True
        else:
            raise errors.SYNTAX.error()
    if (abort and (save or nosave or now or force)) or (save and nosave):
        raise errors.SYNTAX.error()
    if abort:
        raise errors.NO_SHUTDOWN.error()
    server = session.state.server
    if server is None:
        raise errors.SHUTDOWN_EMBEDDED.error()
    if session.state.busy is not None:
        session.state.scripting.abort()
    wanted = True if save else False if nosave else None
    if not session.state.persistence.save_before_stop(wanted) and not force:
        raise errors.SHUTDOWN_FAILED.error()
    session.close_after_reply = True
    server.request_shutdown()
