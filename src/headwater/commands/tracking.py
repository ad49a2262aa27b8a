"""CLIENT TRACKING and what belongs to it: client-side caching, which this server does not do.

A client that asks for it is refused in so many words, since it would trust its cache; who asks
whether it is on, or has it switched off, is answered as by a Redis where it is off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater import errors
from headwater.commands.table import command

if TYPE_CHECKING:
    from headwater.commands.session import Session
    from headwater.resp.reply import Reply
    from headwater.resp.request import Request

_NO_REDIRECTION = -1


@command("CLIENT TRACKING")
def client_tracking(session: Session, request: Request, reply: Reply) -> None:
    """OFF is fine; ON is refused, for what is wrong with its options first."""
    given = _options(session, request)
    if request.text_equals(2, b"OFF"):
        reply.ok()
        return
    if not request.text_equals(2, b"ON"):
        raise errors.SYNTAX.error()
    if "PREFIX" in given and "BCAST" not in given:
        raise errors.TRACKING_PREFIX.error()
    if given >= {"OPTIN", "OPTOUT"}:
        raise errors.TRACKING_OPTIN_OPTOUT.error()
    if "BCAST" in given and given & {"OPTIN", "OPTOUT"}:
        raise errors.TRACKING_OPTIONS_BCAST.error()
    raise errors.TRACKING_ABSENT.error()


def _options(session: Session, request: Request) -> set[str]:
    """The names of the options; raises the error of the first that is wrong."""
    given = set()
    i = 3
    while i < request.argc:
        has_value = i + 1 < request.argc
        if request.text_equals(i, b"REDIRECT") and has_value:
            if "REDIRECT" in given:
                raise errors.TRACKING_REDIRECT_TWICE.error()
            if request.integer(i + 1) not in session.state.clients:
                raise errors.TRACKING_REDIRECT_ABSENT.error()
            given.add("REDIRECT")
            i += 2
        elif request.text_equals(i, b"PREFIX") and has_value:
            given.add("PREFIX")
            i += 2
        else:
            name = request.arg(i).upper()
            if name not in (b"BCAST", b"OPTIN", b"OPTOUT", b"NOLOOP"):
                raise errors.SYNTAX.error()
            given.add(name.decode())
            i += 1
    return given


@command("CLIENT TRACKINGINFO")
def client_trackinginfo(session: Session, request: Request, reply: Reply) -> None:
    """That tracking is off."""
    reply.map(3)
    reply.bulk(b"flags")
    reply.set(1)
    reply.bulk(b"off")
    reply.bulk(b"redirect")
    reply.integer(_NO_REDIRECTION)
    reply.bulk(b"prefixes")
    reply.array(0)


@command("CLIENT GETREDIR")
def client_getredir(session: Session, request: Request, reply: Reply) -> None:
    """That notifications go nowhere."""
    reply.integer(_NO_REDIRECTION)


@command("CLIENT CACHING")
def client_caching(session: Session, request: Request, reply: Reply) -> None:
    """Without tracking there is nothing to choose."""
    raise errors.CACHING_WITHOUT_TRACKING.error()
