"""Opening stores: who opens a path that this process has open already shares the store.

A store is closed when the last of those who opened it lets go of it, or is dropped without
having done so; and when the interpreter ends.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading

from headwater.clock import Clock
from headwater.embedded.settings import Settings, directives, make_config
from headwater.embedded.store import Store, open_stores
from headwater.errors import StoreClosed, StoreError

Path = str | os.PathLike[str]

_CLOSE_TEXT = "this store is closed; open it again with headwater.open() or headwater.connect()"


class Share:
    """One opener's share of a store, given back once."""

    __slots__ = ("__weakref__", "_released", "store")

    def __init__(self, store: Store) -> None:
        self.store = store
        self._released = False

    @property
    def released(self) -> bool:
        """Whether it was given back."""
        return self._released

    def release(self) -> None:
        """Give it back; the last one closes the store and returns when it is closed."""
        if self._give_back():
            self.store.close()

    def release_soon(self) -> None:
        """As `release`, but nobody waits: for destructors."""
        if self._give_back():
            self.store.close_soon()

    def _give_back(self) -> bool:
        """True for the last one."""
        if self._released:
            return False
        self._released = True
        store = self.store
        with _lock_of_shares:
            store.shares -= 1
            return store.shares == 0


class _Slot:
    """A path: its store while it is open, and who may open or close it now."""

    def __init__(self) -> None:
        self.store: Store | None = None
        self.lock = threading.Lock()


_lock_of_shares = threading.RLock()  # a destructor may come in between
_slots: dict[str, _Slot] = {}


def open_store(path: Path | None, settings: Settings | None, clock: Clock | None) -> Share:
    """A share of the store at a path, which is opened if it is not; None: a new one in memory.

    Raises StoreInUse if another process has it, StoreError if it is open with other settings or
    the system refuses a file, HeadwaterError.
    """
    given = directives(settings)
    if path is None:
        store = Store(make_config(None, given), None, given, clock)
        store.shares = 1
        return Share(store)
    text = os.fspath(path)
    if not isinstance(text, str):
        raise StoreError(f"the path of a store is a str or os.PathLike, not {path!r}")
    if not text:
        raise StoreError("the path of a store is empty; without a path it is kept in memory")
    full = os.path.realpath(text)
    with _lock_of_shares:
        slot = _slots.setdefault(full, _Slot())
    with slot.lock:
        store_there = slot.store
        if store_there is not None and store_there.is_open:
            share = _share_of(store_there, settings, given, clock)
            if share is not None:
                return share
        if store_there is not None:
            store_there.wait_closed()
        try:
            os.makedirs(full, exist_ok=True)
            store = Store(make_config(full, given), full, given, clock)
        except FileExistsError:
            raise StoreError(f"{full} is no directory, and a store is one") from None
        except OSError as error:
            raise StoreError(f"the store {full} cannot be opened: {error}") from error
        store.shares = 1
        slot.store = store
        return Share(store)


def _share_of(
    store: Store, settings: Settings | None, given: dict[str, str], clock: Clock | None
) -> Share | None:
    """A share of an open store; None if it is being closed."""
    if settings is not None and given != store.given:
        raise StoreError(
            f"the store {store.path} is open with another configuration in this process; leave "
            "config out to share it, or give the same"
        )
    if clock is not None and clock is not store.clock:
        raise StoreError(f"the store {store.path} is open with another clock in this process")
    with _lock_of_shares:
        if store.shares == 0:
            return None
        store.shares += 1
    return Share(store)


@atexit.register
def _close_all() -> None:
    for store in open_stores():
        with contextlib.suppress(StoreClosed, StoreError):
            store.close_at_exit()


def _after_fork() -> None:
    """A child process has none of its parent's stores, nor a lock that a thread had then."""
    global _lock_of_shares
    _lock_of_shares = threading.RLock()
    _slots.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
