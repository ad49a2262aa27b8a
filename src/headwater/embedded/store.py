"""A store in the process: an engine, its clockwork on a thread, and the programs' ways in.

The thread sleeps unless a timer, the disk or a socket of `serve` has something for it: ten times
a second at most when nothing happens. What clients ask is executed by the threads they ask in.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import weakref
from typing import Any

from headwater.clock import Clock, ManualClock
from headwater.commands.session import Session
from headwater.config import Config
from headwater.embedded.loop import StoreLoop, new_lock
from headwater.embedded.memory import refuse_saving
from headwater.embedded.serving import Serving
from headwater.embedded.session import Entrance, LocalSession
from headwater.engine import Engine
from headwater.errors import StoreClosed, StoreError, StoreInUse
from headwater.journal.lock import LockedError
from headwater.resp.decoder import ReplyDecoder
from headwater.server.server import Server

_log = logging.getLogger("headwater")
_CLOSED = "this store is closed; open it again with headwater.open() or headwater.connect()"
_CRASHED = "this store has crashed, as crash() asked; open it again"
_FORKED = (
    "this store was opened by the process that this one was forked from, and is still there: open "
    "it here after that one has closed it, or have that one serve() it and connect to the URL"
)
_FAILED = "this store's thread has failed and the store is closed; the log has the reason"


class Store:
    """One open store. `entrance` leads into it; `engine`, `server` only with its lock held.

    `path`: its data directory, None for memory. `given`: the directives it was opened with.
    """

    def __init__(
        self, config: Config, path: str | None, given: dict[str, str], clock: Clock | None
    ) -> None:
        """Open it, and load what is in the directory.

        Raises StoreInUse, HeadwaterError with what is wrong with the files, OSError.
        """
        self.path = path
        self.given = given
        self.clock = clock
        self._foreign = False  # it is the parent process's
        self._exiting = False  # the interpreter ends
        self.entrance = Entrance(new_lock())
        self.lock: Any = self.entrance.lock
        self.engine = Engine(config, clock)
        if path is None:
            refuse_saving(self.engine)
        self.state = self.engine.state
        self.server = Server(self.engine)
        self.server.spares_garbage = False
        self.server.let_others = self.entrance.step_aside
        self.server.on_stopping = self._refuse
        self.loop = StoreLoop(self.entrance)
        self.entrance.loop = self.loop
        self.shares = 0
        """How many have opened it and not let go; opening.py counts."""
        try:
            self.server.begin(self.loop)
            self.gate = self.server.clockwork.gate
            self.entrance.gate = self.gate
            self.serving = Serving(self.server, self.loop)
            if path is not None:
                self._load(path)
        except BaseException:
            self.entrance.refusal = lambda: StoreClosed(_CLOSED)
            self.server.abandon()
            self.loop.close()
            raise
        self.server.clockwork.start_ticking()
        self._thread = threading.Thread(target=self._run, name="headwater-store", daemon=True)
        _open_stores.add(self)
        self._thread.start()

    def _load(self, path: str) -> None:
        clockwork = self.server.clockwork
        try:
            clockwork.open_directory()
        except LockedError as error:
            who = "another process" if error.pid is None else f"process {error.pid}"
            raise StoreInUse(
                f"{who} has the store {path} open; have it serve() the store and connect to that "
                "URL with redis.Redis.from_url(), or wait until it has closed it",
                error.pid,
            ) from None
        try:
            while clockwork.load():
                pass
            self.server.loaded()
        except BaseException:
            self.engine.persistence.close()
            raise

    # --- the thread ---

    def _run(self) -> None:
        entrance = self.entrance
        entrance.lock.acquire()
        entrance.inside = True
        try:
            self.loop.run_until_complete(self.server.wait_stopped())
        except Exception:
            entrance.refusal = lambda: StoreClosed(_FAILED)
            _log.exception("the thread of the store %s has failed", self.path or "in memory")
        finally:
            entrance.inside = False
            self._refuse()
            self.serving.close()
            self._hang_up_all()
            entrance.lock.release()
            self.loop.close()
            _open_stores.discard(self)

    def _refuse(self) -> None:
        """Nobody may come in any more: what is executed from now on would not be kept."""
        if self.entrance.refusal is None:
            self.entrance.refusal = _at_exit if self._exiting else lambda: StoreClosed(_CLOSED)

    def _hang_up_all(self) -> None:
        """Have all who still wait for a reply read the end."""
        for client in list(self.state.clients.values()):
            if isinstance(client, LocalSession):
                client.connection_lost(None)
            else:
                client.close()

    # --- ways in ---

    def check(self) -> None:
        """Raise StoreClosed if the store cannot be used any more."""
        self.entrance.check()

    def admit(self, session: Session) -> None:
        """Count in a client that is no connection; called inside the store."""
        session.address = session.local_address = f"embedded:{os.getpid()}"
        self.state.connections_received += 1
        self.state.clients[session.id] = session

    def session(self, decoder: ReplyDecoder) -> LocalSession:
        """A new client, whose replies `decoder` decodes; not connected yet."""
        self.entrance.check()
        return LocalSession(self.state, self.server.shared, self.entrance, decoder)

    def advance(self, ms: int) -> None:
        """Let time pass on a ManualClock, and happen what is due then.

        Raises StoreError if the store runs by another clock.
        """
        clock = self.clock
        if not isinstance(clock, ManualClock):
            raise StoreError("only a store opened with clock=headwater.clock.ManualClock(...) can")
        self.entrance.enter()
        try:
            clock.advance(ms)
            self.server.clockwork.run_due()
            self.server.clockwork.tick()
        finally:
            self.entrance.leave()

    # --- the end ---

    @property
    def is_open(self) -> bool:
        """Whether it can be used."""
        return self.entrance.refusal is None

    def close_soon(self) -> None:
        """Have the store closed by its own thread; callable from anywhere, destructors too."""
        if self.entrance.refusal is None:
            with contextlib.suppress(RuntimeError):  # it was closed meanwhile
                self.loop.call_soon_threadsafe(self.server.request_shutdown)

    def close(self) -> None:
        """Write and sync everything and give the directory back; returns when that is done."""
        if self._thread is threading.current_thread():
            self.server.request_shutdown()
            return
        if self.lock._is_owned():
            raise StoreError("a store cannot be closed from the middle of one of its commands")
        with self.lock:
            if self.entrance.refusal is None:
                self._end_script()
                self.server.request_shutdown()
        self.wait_closed()

    def close_at_exit(self) -> None:
        """As `close`, when the interpreter ends: threads that are still at it end in silence."""
        self._exiting = True
        self.close()

    def crash(self) -> None:
        """End as a process that is killed: nothing is written any more, the directory is free."""
        if self._thread is threading.current_thread() or self.lock._is_owned():
            raise StoreError("a store cannot be crashed from the middle of one of its commands")
        with self.lock:
            if self.entrance.refusal is None:
                self._end_script()
                self.entrance.refusal = lambda: StoreClosed(_CRASHED)
                self.server.abandon()
        self.wait_closed()

    def _end_script(self) -> None:
        """A script that runs for too long is not waited for, and nothing of it is kept."""
        if self.state.busy is not None:
            self.state.scripting.abort()

    def wait_closed(self) -> None:
        """Return when the thread of a store that is being closed has ended."""
        if not self._foreign and self._thread is not threading.current_thread():
            self._thread.join()

    def _forked(self) -> None:
        """This is a child process: the store stays the parent's."""
        self._foreign = True
        self.entrance.lock = self.lock = new_lock()
        self.entrance.inside = False
        self.entrance.refusal = lambda: StoreClosed(_FORKED)
        self.engine.persistence.disown()


def _at_exit() -> BaseException:
    """What a thread gets that uses a store when the interpreter has closed it.

    A daemon thread would be gone a moment later without a word: it ends, and prints nothing.
    """
    return SystemExit() if threading.current_thread().daemon else StoreClosed(_CLOSED)


_open_stores: weakref.WeakSet[Store] = weakref.WeakSet()


def open_stores() -> list[Store]:
    """All stores of this process that are open."""
    return list(_open_stores)


def _after_fork() -> None:
    for store in open_stores():
        store._forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
