"""What a client is told when the handler of its command has raised something."""

from __future__ import annotations

import logging

from headwater import errors
from headwater.commands.state import ServerState
from headwater.commands.table import Command
from headwater.resp.reply import Reply

_log = logging.getLogger("headwater")


def answer_failure(state: ServerState, command: Command, error: Exception, reply: Reply) -> None:
    """Reply with the error, and count it; what the handler had written is taken back already.

    Anything but a CommandError is a fault of ours: the log has its traceback.
    """
    counted = False
    if isinstance(error, errors.CommandError):
        text = error.text
        counted = error.counted
    else:
        name = command.name.decode()
        _log.error("the command '%s' failed unexpectedly", name, exc_info=error)
        state.unexpected_errors += 1
        text = errors.INTERNAL.text(command.name)
    reply.error(text)
    if not counted:
        state.count_error(text)
    command.failed_calls += 1
