"""When snapshots are taken, and what came of them: SAVE, BGSAVE, save points, journal rewrites.

One snapshot at a time is made in the background, a saved one or the base of a rewritten journal.
SAVE makes one at once, and everything waits; it may do so during a rewrite.

What a thread does is looked at by `work`, which is called again and again while a snapshot is
under way, and tells in how long it wants to be called next.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from headwater import errors
from headwater._version import REDIS_VERSION, __version__
from headwater.commands.process_usage import resident_bytes
from headwater.keyspace.cut import Cut
from headwater.persistence.pacer import Pacer
from headwater.persistence.recovery import NOTICE
from headwater.persistence.reloading import reload
from headwater.persistence.snapshot import DONE, WAITING, WORKING, Snapshot
from headwater.persistence.snapshot_file import DirectFile, ThreadFile
from headwater.raw import monotonic_us
from headwater.rdb.encoder import standard_aux

if TYPE_CHECKING:
    from headwater.persistence.persistence import Persistence

RETRY_MS = 5000
"""How long after a snapshot that failed the next one is begun without being asked for."""

DISK_S = 0.002
"""How soon to look again while the disk is behind."""

_SAVE, _REWRITE = "save", "rewrite"
_log = logging.getLogger("headwater")

Done = Callable[[str | None], None]


class Saving:
    """Snapshots of one server.

    in_progress: a snapshot is made in the background, or a rewrite is under way around it.
    save_scheduled: BGSAVE will begin when nothing is in progress.
    last_save_ms: unix time of the last snapshot that succeeded, or of the start.
    last_ok: whether the last one in the background did. saves: how many were begun.
    loaded_keys, expired_keys: what the start loaded, and left out because it had expired.
    on_work: called when `work` should be.
    """

    def __init__(self, persistence: Persistence) -> None:
        state = persistence.state
        self._persistence = persistence
        self._config = persistence.config
        self._state = state
        self._keyspace = state.keyspace
        self._clock = state.clock
        self._pacer = Pacer()
        self._kind: str | None = None
        self._snapshot: Snapshot | None = None
        self._cut: Cut | None = None  # of a rewrite whose snapshot has not begun
        self._last_file: ThreadFile | None = None
        self._done: Done | None = None
        self._began_ms = 0
        self._dirty_at_cut = 0
        self._tried_ms = 0
        self._took_s = -1
        self.save_scheduled = False
        self.last_save_ms = self._clock.now_ms
        self.last_ok = True
        self.saves = 0
        self.loaded_keys = 0
        self.expired_keys = 0
        self.rewrites = 0
        self._rewrite_ok = True
        self._rewrite_took_s = -1
        self._rewrite_failures = 0
        self.on_work: Callable[[], None] = _nothing
        self._config.on_change(("save", "stop-writes-on-bgsave-error"), self._apply_settings)

    def _apply_settings(self) -> None:
        self._persistence.update_refusal()

    def loaded(self, keys: int = 0, expired: int = 0) -> None:
        """The data set is complete: nothing has changed since the last save."""
        self._keyspace.dirty = 0
        self.last_save_ms = self._clock.now_ms
        self.loaded_keys = keys
        self.expired_keys = expired

    @property
    def in_progress(self) -> bool:
        return self._kind is not None

    @property
    def is_saving(self) -> bool:
        """Whether BGSAVE, or a save point, is under way."""
        return self._kind == _SAVE

    @property
    def is_rewriting(self) -> bool:
        """Whether a journal rewrite is."""
        return self._kind == _REWRITE

    # --- commands ---

    def save(self) -> None:
        """SAVE. Raises CommandError."""
        if self.is_saving:
            raise errors.SAVE_IN_PROGRESS.error()
        self.saves += 1
        if not self._save_here():
            raise errors.CommandError(b"ERR")

    def background_save(self, schedule: bool, in_exec: bool) -> bytes:
        """BGSAVE; returns the reply. Raises CommandError.

        Within EXEC it begins afterwards: half a transaction is no moment to save.
        """
        if self.is_saving:
            raise errors.SAVE_IN_PROGRESS.error()
        if self.in_progress or in_exec:
            if not schedule and not in_exec:
                raise errors.SAVE_WHILE_REWRITING.error()
            self.save_scheduled = True
            return b"Background saving scheduled"
        self._begin_save()
        return b"Background saving started"

    def save_now(self) -> bool:
        """Save instead of whatever is under way, and return whether that worked (SHUTDOWN)."""
        self.abort()
        return self._save_here()

    def reload(self, save: bool, flush: bool, merge: bool) -> None:
        """DEBUG RELOAD: save, drop all keys, and load the file. Raises CommandError.

        A BGSAVE that is under way is given up: its moment must not replace the file afterwards.
        """
        if self.is_saving:
            self._abort_snapshot()
        if save and not self._save_here():
            raise errors.CommandError(b"ERR")
        reload(self._keyspace, self._persistence.disk, self._path(), flush, merge, save)
        self._keyspace.dirty = 0

    def _save_here(self) -> bool:
        """Save while everything waits."""
        path = self._path()
        if self._snapshot is None and self._last_file is not None:
            self._last_file.join()  # what was given up may be about to take the same name
        cut = Cut(self._keyspace, True)
        snapshot = self._make(cut, DirectFile(self._persistence.disk, path), False)
        if not snapshot.run():
            _log.warning("the snapshot could not be saved: %s", snapshot.error)
            return False
        _log.log(NOTICE, "saved a snapshot: %d keys in %s", snapshot.keys, path)
        self._keyspace.dirty = 0
        self._saved(self._clock.now_ms)
        return True

    def flushed(self) -> None:
        """FLUSHALL: what is being saved is not wanted any more, and nothing will be found.

        With save points the file is replaced at once, as in Redis, but nobody waits for the disk:
        the next tick begins (FLUSHALL may be part of a transaction).
        """
        if self.is_saving:
            self._abort_snapshot()
        if self._config.save_points:
            self.save_scheduled = True

    # --- the background ---

    def tick(self) -> None:
        """Begin a snapshot if it is time; called about ten times a second."""
        if self.in_progress or self._state.loading:
            return
        now_ms = self._clock.now_ms
        if not self.last_ok and 0 <= now_ms - self._tried_ms <= RETRY_MS:
            return
        if self.save_scheduled:
            self._begin_save()
            return
        for point in self._config.save_points:
            if (
                self._keyspace.dirty >= point.changes
                and now_ms - self.last_save_ms > 1000 * point.seconds
            ):
                _log.log(
                    NOTICE,
                    "%d changes in %d seconds: saving a snapshot",
                    self._keyspace.dirty,
                    (now_ms - self.last_save_ms) // 1000,
                )
                self._begin_save()
                return

    def work(self) -> float | None:
        """Let the snapshot have its share of the loop.

        Returns in how many seconds to call again; None when there is nothing to do, and `on_work`
        will tell.
        """
        snapshot = self._snapshot
        if snapshot is None:
            return None
        pacer = self._pacer
        now_us = monotonic_us()
        budget_us = pacer.budget_us(now_us, self._state.commands_processed)
        if budget_us == 0:
            return pacer.delay_us(now_us) / 1e6
        progress = snapshot.step(budget_us)
        pacer.worked(budget_us, now_us, monotonic_us())
        if progress == WORKING:
            return 0.0
        if progress == WAITING:
            return DISK_S
        self._ended(snapshot)
        return None if self._snapshot is None else 0.0

    def _begin_save(self) -> None:
        self.save_scheduled = False
        self.saves += 1
        self._dirty_at_cut = self._keyspace.dirty
        self._tried_ms = self._clock.now_ms
        self._kind = _SAVE
        self._began_ms = self._clock.now_ms
        self._begin(Cut(self._keyspace), self._path(), [], False)
        _log.log(NOTICE, "saving a snapshot in the background")

    def _begin(
        self, cut: Cut, path: str, aux: list[tuple[bytes, bytes]], journal_base: bool
    ) -> None:
        file = ThreadFile(self._persistence.disk, path, self._last_file)
        self._last_file = file
        self._snapshot = self._make(cut, file, journal_base, aux)
        self._pacer.start(monotonic_us(), self._state.commands_processed)
        self.on_work()

    def _make(
        self,
        cut: Cut,
        file: DirectFile | ThreadFile,
        journal_base: bool,
        more: list[tuple[bytes, bytes]] | None = None,
    ) -> Snapshot:
        now_s = self._clock.now_ms // 1000
        aux = standard_aux(REDIS_VERSION, now_s, resident_bytes(), journal_base)
        aux.append((b"headwater-version", __version__.encode()))
        aux.extend(more or [])
        config = self._config
        return Snapshot(
            cut, file, aux, config.get_bool("rdbcompression"), config.get_bool("rdbchecksum")
        )

    def _path(self) -> str:
        # Without a name it fails where the file would get it, as in Redis.
        return self._persistence.snapshot_path or f"{self._persistence.directory}/"

    def _ended(self, snapshot: Snapshot) -> None:
        """A snapshot in the background is over, well or not."""
        self._snapshot = None
        if self.is_rewriting:
            self._rewrite_written(snapshot)
            return
        self._kind = None
        now_ms = self._clock.now_ms
        self._took_s = (now_ms - self._began_ms) // 1000
        if snapshot.state == DONE:
            _log.log(
                NOTICE,
                "saved a snapshot: %d keys, %d bytes in %d ms",
                snapshot.keys,
                snapshot.file.written,
                now_ms - self._began_ms,
            )
            # DEBUG LOADAOF may have set it to 0 meanwhile.
            self._keyspace.dirty = max(0, self._keyspace.dirty - self._dirty_at_cut)
            self._saved(now_ms)
        else:
            _log.warning("the snapshot could not be saved: %s", snapshot.error)
            self.last_ok = False
            self._persistence.update_refusal()

    def _saved(self, now_ms: int) -> None:
        self.last_save_ms = now_ms
        self.last_ok = True
        self._persistence.update_refusal()

    # --- rewrites of the journal ---

    def rewrite_begins(self, cut: Cut | None = None) -> None:
        """A rewrite is under way; its snapshot is to follow, or `rewrite_failed`.

        A cut that is given is closed if the rewrite is aborted before that.
        """
        assert not self.in_progress
        self._kind = _REWRITE
        self._cut = cut
        self.rewrites += 1
        self._began_ms = self._clock.now_ms

    def begin_rewrite(
        self, cut: Cut, path: str, done: Done, aux: list[tuple[bytes, bytes]] | None = None
    ) -> None:
        """Write the base of a rewritten journal; `done(None)` or `done(why it failed)` follows.

        After done(None) the rewrite goes on until `rewrite_done`. After `abort` nothing is called.
        """
        if not self.is_rewriting:
            cut.close()  # aborted
            return
        self._cut = None
        self._done = done
        self._begin(cut, path, aux or [], True)

    def _rewrite_written(self, snapshot: Snapshot) -> None:
        done, self._done = self._done, None
        assert done is not None
        if snapshot.state != DONE:
            assert snapshot.error is not None
            self.rewrite_failed(snapshot.error)
            done(snapshot.error)
        else:
            done(None)

    def rewrite_failed(self, why: str) -> None:
        """The rewrite is over: it failed before or after its snapshot."""
        self.rewrite_done(why)

    def rewrite_done(self, why: str | None) -> None:
        """The rewrite is over, with None well."""
        if not self.is_rewriting:
            return
        self._kind = None
        self._cut = None
        took_ms = self._clock.now_ms - self._began_ms
        self._rewrite_took_s = took_ms // 1000
        self._rewrite_ok = why is None
        if why is None:
            self._rewrite_failures = 0
            _log.log(NOTICE, "rewrote the journal in %d ms", took_ms)
        else:
            self._rewrite_failures += 1
            _log.warning("the journal could not be rewritten: %s", why)

    # --- aborting ---

    def abort(self) -> None:
        """Give up whatever is under way; nobody is called back."""
        self.save_scheduled = False
        self._abort_snapshot()

    def abort_rewrite(self) -> None:
        """Give up a rewrite, if one is under way; nobody is called back."""
        if self.is_rewriting:
            self._abort_snapshot()

    def _abort_snapshot(self) -> None:
        snapshot, self._snapshot = self._snapshot, None
        cut, self._cut = self._cut, None
        if snapshot is not None:
            snapshot.abort()
            _log.log(NOTICE, "the snapshot that was under way is given up")
        if cut is not None:
            cut.close()
        self._done = None
        self._kind = None

    def close(self) -> None:
        """Give up what is under way, and wait until no file is written any more."""
        self.abort()
        if self._last_file is not None:
            self._last_file.join()
            self._last_file = None

    # --- what others ask ---

    def refusal(self) -> bytes:
        """The error that changes get after a snapshot that failed; b"" when they are allowed."""
        if (
            self.last_ok
            or not self._config.save_points
            or not self._config.get_bool("stop-writes-on-bgsave-error")
        ):
            return b""
        return errors.SNAPSHOT_FAILS.text()

    def info(self) -> Iterator[tuple[str, Any]]:
        """The facts about snapshots that INFO has."""
        snapshot = self._snapshot
        done = total = 0
        if snapshot is not None:
            done, total = snapshot.keys_done, snapshot.keys
        yield "current_cow_peak", 0
        yield "current_cow_size", 0
        yield "current_cow_size_age", 0
        yield "current_fork_perc", f"{100 * done / total if total else 0:.2f}"
        yield "current_save_keys_processed", done
        yield "current_save_keys_total", total
        yield "rdb_changes_since_last_save", self._keyspace.dirty
        yield "rdb_bgsave_in_progress", int(self.is_saving)
        yield "rdb_last_save_time", self.last_save_ms // 1000
        yield "rdb_last_bgsave_status", "ok" if self.last_ok else "err"
        yield "rdb_last_bgsave_time_sec", self._took_s
        yield "rdb_current_bgsave_time_sec", self._since_begin_s(self.is_saving)
        yield "rdb_saves", self.saves
        yield "rdb_last_cow_size", 0
        yield "rdb_last_load_keys_expired", self.expired_keys
        yield "rdb_last_load_keys_loaded", self.loaded_keys

    def rewrite_info(self) -> Iterator[tuple[str, Any]]:
        """The facts about rewrites of the journal that INFO has."""
        yield "aof_rewrite_in_progress", int(self.is_rewriting)
        yield "aof_last_rewrite_time_sec", self._rewrite_took_s
        yield "aof_current_rewrite_time_sec", self._since_begin_s(self.is_rewriting)
        yield "aof_last_bgrewrite_status", "ok" if self._rewrite_ok else "err"
        yield "aof_rewrites", self.rewrites
        yield "aof_rewrites_consecutive_failures", self._rewrite_failures
        yield "aof_last_cow_size", 0

    def _since_begin_s(self, under_way: bool) -> int:
        return (self._clock.now_ms - self._began_ms) // 1000 if under_way else -1


def _nothing() -> None:
    """Nobody wants to know."""
