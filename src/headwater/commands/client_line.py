"""A client described in one line of fields, as CLIENT LIST and CLIENT INFO show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headwater.commands.session import Session

NO_TRANSACTION = -1
NO_REDIRECTION = -1


def client_flags(session: Session) -> str:
    """One letter for each thing that is special about a client, `N` for nothing (as Redis)."""
    transaction = session.transaction
    watching = session.watching
    letters = (
        ("O", session.is_monitor),
        ("P", session.subscriptions is not None),
        ("x", transaction is not None),
        ("b", session.blocked is not None or session.postponed),
        ("d", watching is not None and watching.dirty_cas),
        ("c", session.close_after_reply),
        ("U", session.is_unix),
        ("e", session.no_evict),
        ("T", session.no_touch),
    )
    return "".join([letter for letter, holds in letters if holds]) or "N"


def client_line(session: Session) -> str:
    """The line, without its end. Fields of what does not exist in this server are 0.

    qbuf is what was received and not executed, omem what was answered and not sent, multi-mem
    what MULTI has queued, in bytes; tot-mem is their sum.
    """
    now_ms = session.state.clock.now_ms
    transaction = session.transaction
    queued = NO_TRANSACTION if transaction is None else len(transaction)
    queued_bytes = 0 if transaction is None else transaction.queued_bytes
    listens = session.subscriptions
    watched = 0 if session.watching is None else len(session.watching.watches)
    input_bytes, output_bytes = session.input_bytes(), session.output_bytes()
    fields = (
        ("id", session.id),
        ("addr", session.address),
        ("laddr", session.local_address),
        ("fd", session.descriptor()),
        ("name", session.name.decode("latin-1")),
        ("age", max(now_ms - session.connected_ms, 0) // 1000),
        ("idle", max(now_ms - session.last_ms, 0) // 1000),
        ("flags", client_flags(session)),
        ("db", session.database.index),
        ("sub", 0 if listens is None else len(listens.channels)),
        ("psub", 0 if listens is None else len(listens.patterns)),
        ("ssub", 0 if listens is None else len(listens.shards)),
        ("multi", queued),
        ("watch", watched),
        ("qbuf", input_bytes),
        ("qbuf-free", 0),
        ("argv-mem", 0),
        ("multi-mem", queued_bytes),
        ("rbs", 0),
        ("rbp", 0),
        ("obl", 0),
        ("oll", 0),
        ("omem", output_bytes),
        ("tot-mem", input_bytes + output_bytes + queued_bytes),
        ("events", "rw" if output_bytes else "r"),
        ("cmd", session.last_command.decode() or "NULL"),
        ("user", session.user.decode("latin-1")),
        ("redir", NO_REDIRECTION),
        ("resp", 3 if session.resp3 else 2),
        ("lib-name", session.library_name.decode("latin-1")),
        ("lib-ver", session.library_version.decode("latin-1")),
        ("io-thread", 0),
        ("tot-net-in", session.read_bytes),
        ("tot-net-out", session.written_bytes),
        ("tot-cmds", session.commands_processed),
    )
    return " ".join([f"{name}={value}" for name, value in fields])
