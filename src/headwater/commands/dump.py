"""DUMP."""

from __future__ import annotations

from headwater.commands.session import Session
from headwater.commands.table import command
from headwater.rdb.encoder import dump_payload
from headwater.resp.reply import Reply
from headwater.resp.request import Request


@command("DUMP")
def dump(session: Session, request: Request, reply: Reply) -> None:
    value = session.database.lookup_read(request.arg(1))
    if value is None:
        reply.null()
    else:
        reply.bulk(dump_payload(value, session.state.config.get_bool("rdbcompression")))
