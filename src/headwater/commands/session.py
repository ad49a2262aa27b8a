"""One client's state, without a socket.

The server's connection and the embedded API are both sessions: they differ in how a reply
leaves (`send`) and how the rest of a pipeline goes on after a wait (`resume`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater.commands.queue import Transaction
from headwater.keyspace.database import Database
from headwater.resp.reply import Reply

if TYPE_CHECKING:
    from headwater.commands.state import ServerState
    from headwater.keyspace.waiters import Blocked

REPLY_ON, REPLY_OFF, REPLY_SKIP, REPLY_SKIP_NEXT = 0, 1, 2, 3


class Session:
    """A client, from when it connects until it is gone.

    `transaction` is the queue of a MULTI, `watching` the watch of a WATCH; both belong to
    commands/transactions.py. `blocked` is set while a command waits. Times are unix ms.
    `permissions`: what the user may do, None: everything. `subscriptions`: the channels that the
    client listens to, None while it listens to none. `lease`: what it holds of groups with LEASE
    connection (leases.py), None while it never held anything.
    """

    __slots__ = (
        "address",
        "authenticated",
        "blocked",
        "close_after_reply",
        "commands_processed",
        "connected_ms",
        "database",
        "deny_blocking",
        "id",
        "is_local",
        "is_monitor",
        "is_unix",
        "last_command",
        "last_ms",
        "lease",
        "library_name",
        "library_version",
        "local_address",
        "name",
        "no_evict",
        "no_touch",
        "permissions",
        "postponed",
        "read_bytes",
        "reply_mode",
        "resp3",
        "state",
        "subscriptions",
        "transaction",
        "user",
        "watching",
        "written_bytes",
    )

    def __init__(self, state: ServerState) -> None:
        self.state = state
        self.id = state.next_client_id()
        self.database: Database = state.keyspace.databases[0]
        self.resp3 = False
        self.authenticated = False
        self.user = b""
        self.permissions: Any = None
        self.subscriptions: Any = None
        self.lease: Any = None
        self.name = b""
        self.library_name = b""
        self.library_version = b""
        self.address = ""
        self.local_address = ""
        self.is_unix = False
        self.is_local = True
        self.connected_ms = state.clock.now_ms
        self.last_ms = state.clock.now_ms
        self.last_command = b""
        self.commands_processed = 0
        self.read_bytes = 0
        self.written_bytes = 0
        self.transaction: Transaction | None = None
        self.watching: Any = None
        self.blocked: Blocked | None = None
        self.deny_blocking = False
        self.reply_mode = REPLY_ON
        self.is_monitor = False
        self.no_evict = False
        self.no_touch = False
        self.postponed = False
        self.close_after_reply = False
        state.access.admit(self)

    def eof_received(self) -> bool:
        """There will be no more input; True if the session must not end yet, and will itself."""
        return False

    def input_received(self, n: int) -> None:
        """The first `n` bytes of the server's read buffer are this client's next input."""
        raise NotImplementedError

    def send(self, reply: Reply) -> None:
        """Take everything out of `reply` and let it go to the client, now or when it can."""
        raise NotImplementedError

    def push(self, data: bytes) -> None:
        """Send bytes that are no reply: RESP, or a piece of it that is followed by the rest."""
        reply = Reply()
        reply.raw_bytes(data)
        self.send(reply)

    def resume(self) -> None:
        """Go on with the requests that came behind one that waited."""
        raise NotImplementedError

    def close(self) -> None:
        """End the session at once; what was not sent is not sent."""
        raise NotImplementedError

    def let_out(self, part: Any, size: int) -> None:
        """Send a part of a reply that was held back until the journal had what it depends on."""
        raise NotImplementedError

    def input_bytes(self) -> int:
        """Bytes received and not yet executed."""
        return 0

    def output_bytes(self) -> int:
        """Bytes of replies not yet taken by the socket."""
        return 0

    def descriptor(self) -> int:
        """The socket's file descriptor, or -1."""
        return -1


def keep_silent(session: Session, reply: Reply, parts: int, pos: int) -> None:
    """Drop the reply written since the mark, if CLIENT REPLY wants it so.

    A command that waits is not replied to yet: it is silenced when it is.
    """
    mode = session.reply_mode
    if mode == REPLY_ON:
        return
    if mode == REPLY_SKIP_NEXT:
        session.reply_mode = REPLY_SKIP
    elif mode == REPLY_SKIP:
        session.reply_mode = REPLY_ON
    reply.rewind(parts, pos)
