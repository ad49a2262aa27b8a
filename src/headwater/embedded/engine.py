"""`headwater.Engine`: the engine as a program embeds it."""

from __future__ import annotations

from headwater.embedded.basics import Commands
from headwater.embedded.handle import CLOSED, Handle
from headwater.embedded.opening import Share
from headwater.errors import StoreClosed


class Engine(Handle, Commands):
    """A share of a store, with typed methods for its commands; made by `headwater.open`.

    Its methods have redis-py's names and return what redis-py returns with `protocol=2`; errors
    are redis-py's. They may be called by any thread, several at once: whoever calls executes the
    command. Blocking reads sleep. What a method has returned is as durable as the store's
    `appendfsync` says. Passwords and ACL rules are for clients (`connect`, `serve`), not for the
    program that has the store open; there is one database, number 0.
    """

    def __init__(self, share: Share) -> None:
        Handle.__init__(self, share)
        Commands.__init__(self, share.store)

    def close(self) -> None:
        """Let go of the store. The last who does flushes and closes it: then all is on disk.

        A second call does nothing.
        """
        self._shut(_closed)
        super().close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _closed() -> StoreClosed:
    return StoreClosed(CLOSED)
