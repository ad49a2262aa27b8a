"""MONITOR: a connection that is shown every command the server runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater import errors
from headwater.commands.redaction import shown_words
from headwater.commands.table import command

if TYPE_CHECKING:
    from headwater.commands.session import Session
    from headwater.resp.reply import Reply
    from headwater.resp.request import Request


def _escapes() -> list[bytes]:
    """How each byte is shown between double quotes."""
    table = []
    short = {7: b"\\a", 8: b"\\b", 9: b"\\t", 10: b"\\n", 13: b"\\r", 34: b'\\"', 92: b"\\\\"}
    for byte in range(256):
        if byte in short:
            table.append(short[byte])
        elif 32 <= byte < 127:
            table.append(bytes((byte,)))
        else:
            table.append(b"\\x%02x" % byte)
    return table


_ESCAPES = _escapes()


def quoted(word: bytes) -> bytes:
    """A word in double quotes, with C's escapes for what is not printable ASCII."""
    return b'"' + b"".join([_ESCAPES[byte] for byte in word]) + b'"'


def monitor_line(session: Session, request: Request) -> bytes:
    """One command as monitors see it: `1700000000.123456 [0 127.0.0.1:5000] "GET" "key"`."""
    seconds, us = divmod(session.state.clock.read_us(), 1_000_000)
    if session.is_unix:
        address = b"unix:" + session.state.config.get_bytes("unixsocket")
    else:
        address = session.address.encode("utf-8", "surrogateescape")
    words = b" ".join([quoted(word) for word in shown_words(request)])
    return b"%d.%06d [%d %b] %b" % (seconds, us, session.database.index, address, words)


def feed(session: Session, request: Request, reply: Reply | None = None) -> None:
    """Show all monitors a command that `session` has run.

    A monitor sees its own commands behind their replies, in `reply`; when that is not given,
    it does not see them. The command's own monitor is left out inside of EXEC, where the line
    would stand in the middle of an array. What a monitor does not read is held back and
    limited as any other output of a client.
    """
    state = session.state
    line = b"+%b\r\n" % monitor_line(session, request)
    for monitor in list(state.monitors):
        if monitor is not session:
            monitor.push(line)
        elif reply is not None and not session.deny_blocking:
            reply.raw_bytes(line)


def leave(session: Session) -> None:
    """Show the session no more commands (RESET, and the end of a connection)."""
    if session.is_monitor:
        session.is_monitor = False
        session.state.monitors.remove(session)


@command("MONITOR")
def monitor(session: Session, request: Request, reply: Reply) -> None:
    """Show this connection every command from now on."""
    if session.deny_blocking:
        raise errors.MONITOR_DENIED.error()
    if session.is_monitor:
        return  # without a reply, as in Redis
    session.is_monitor = True
    session.state.monitors.append(session)
    reply.ok()
