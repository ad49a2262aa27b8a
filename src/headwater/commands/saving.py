"""SAVE, BGSAVE, LASTSAVE and BGREWRITEAOF: `session.state.persistence` does the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater import errors
from headwater.commands.table import command

if TYPE_CHECKING:
    from headwater.commands.session import Session
    from headwater.resp.reply import Reply
    from headwater.resp.request import Request


@command("SAVE")
def save(session: Session, request: Request, reply: Reply) -> None:
    """Save a snapshot while everybody waits."""
    session.state.persistence.saving.save()
    reply.ok()


@command("BGSAVE")
def bgsave(session: Session, request: Request, reply: Reply) -> None:
    """BGSAVE [SCHEDULE]: save a snapshot of this moment while clients are served."""
    schedule = request.argc == 2 and request.text_equals(1, b"SCHEDULE")
    if request.argc > 1 and not schedule:
        raise errors.SYNTAX.error()
    # Where clients may not wait, a transaction runs.
    in_exec = bool(session.deny_blocking)
    reply.simple(session.state.persistence.saving.background_save(schedule, in_exec))


@command("LASTSAVE")
def lastsave(session: Session, request: Request, reply: Reply) -> None:
    """When a snapshot was last saved, as unix time in seconds."""
    reply.integer(session.state.persistence.saving.last_save_ms // 1000)


@command("BGREWRITEAOF")
def bgrewriteaof(session: Session, request: Request, reply: Reply) -> None:
    """Make the journal short again: a snapshot of this moment takes the place of what was."""
    persistence = session.state.persistence
    if persistence.saving.is_rewriting:
        raise errors.REWRITE_IN_PROGRESS.error()
    if persistence.saving.in_progress or session.deny_blocking:
        persistence.schedule_rewrite()
        reply.simple(b"Background append only file rewriting scheduled")
        return
    persistence.rewrite()
    reply.simple(b"Background append only file rewriting started")
