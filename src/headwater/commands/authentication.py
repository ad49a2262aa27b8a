"""Logging in: AUTH, and the part of HELLO that does the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater import errors
from headwater.acl.users import DEFAULT as DEFAULT_USER
from headwater.commands.table import command

if TYPE_CHECKING:
    from headwater.commands.session import Session
    from headwater.resp.reply import Reply
    from headwater.resp.request import Request

__all__ = ["DEFAULT_USER", "auth", "authenticate"]


def authenticate(session: Session, user: bytes, password: bytes, asked: bytes) -> None:
    """Let the session act as `user`, or raise WRONG_PASSWORD.

    `asked` is the command that wants it, as the client wrote it: ACL LOG shows that.
    """
    session.state.access.authenticate(session, user, password, asked)


@command("AUTH")
def auth(session: Session, request: Request, reply: Reply) -> None:
    """Authenticate with a password, or with a user's name and password."""
    if request.argc > 3:
        raise errors.SYNTAX.error()
    if request.argc == 2:
        if session.state.access.users.default.no_password:
            raise errors.AUTH_WITHOUT_PASSWORD.error()
        authenticate(session, DEFAULT_USER, request.arg(1), request.arg(0))
    else:
        authenticate(session, request.arg(1), request.arg(2), request.arg(0))
    reply.ok()
