"""INFO, and the sampling behind its rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.commands.info_sections import render, wanted_sections
from headwater.commands.sampler import Sampler
from headwater.commands.table import command

if TYPE_CHECKING:
    from headwater.commands.session import Session
    from headwater.resp.reply import Reply
    from headwater.resp.request import Request

__all__ = ["Sampler", "info"]


@command("INFO")
def info(session: Session, request: Request, reply: Reply) -> None:
    """Facts about the server, in sections: the usual ones, or those that are named."""
    words = [request.arg(i).decode("latin-1") for i in range(1, request.argc)]
    text = render(session.state, wanted_sections(words))
    reply.verbatim(text.encode("utf-8", "surrogateescape"))
