"""Everything an engine does with its data directory: load, journal, snapshots, stop.

The order of events:

    open       lock the directory, look at what is there
    load_step  again and again until everything is loaded; then the journal is open
    attach     the event loop is told when replies may leave
    commit     at the end of each round of the loop
    tick       about ten times a second
    work       while `has_work`: a snapshot's share of the loop
    close      write, sync, unlock

An engine that is never opened lives in memory; it can still save a snapshot.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from headwater import errors
from headwater.commands.blocking import try_again
from headwater.journal.disk import Disk, UncertainError
from headwater.journal.format import JOURNAL_ID_BYTES, Place, base_name
from headwater.journal.lock import DirectoryLock
from headwater.journal.manifest import Manifest
from headwater.journal.segment import SegmentWriter
from headwater.keyspace.cut import Cut
from headwater.keyspace.database import Keyspace
from headwater.persistence.committer import POLICIES, Committer
from headwater.persistence.datadir import UNLISTED_SUFFIX
from headwater.persistence.disk_thread import DiskThread, Notify
from headwater.persistence.journal import Journal
from headwater.persistence.recovery import NOTICE, Recovered, Recovery
from headwater.persistence.retry import Retry
from headwater.persistence.saving import Saving

if TYPE_CHECKING:
    from headwater.commands.session import Session
    from headwater.commands.state import ServerState
    from headwater.config import Config

START_OVER_EVERY_MS = 10_000
"""How long after a failure it is tried again to write everything anew."""

REWRITE_AGAIN_MS = 60_000
REWRITE_AGAIN_MAX_MS = 3_600_000
"""How long after a rewrite that failed the next one is begun without being asked for: at first,
and at most; it doubles each time."""

_log = logging.getLogger("headwater")


class Persistence:
    """See the module's text. Lives in the thread of the event loop; `state.persistence`."""

    def __init__(self, state: ServerState, config: Config, disk: Disk | None = None) -> None:
        self.state = state
        self.config = config
        self.disk = disk or Disk()
        self.recorder = state.recorder
        self.saving = Saving(self)
        self.journal: Journal | None = None
        self._lock: DirectoryLock | None = None
        self._thread: DiskThread | None = None
        self._recovery: Recovery | None = None
        self._on_progress: Callable[[], None] = _nothing
        self.on_group: Callable[[], None] | None = None
        """Called instead of `commit` when a group is on disk; whoever sets it commits soon."""
        self._waiting_for_sync: dict[Session, None] = {}
        self._start_over = Retry()
        self._begin_failed = False
        self._rewrite_again = Retry()
        self._rewrite_delay_ms = REWRITE_AGAIN_MS
        self._rewrite_due = False
        self._attempt = object()  # the rewrite that is under way; callbacks of others are late
        self._unlisted: SegmentWriter | None = None  # of a journal whose base is not complete
        config.on_change("appendonly", self._apply_appendonly)
        config.on_change("appendfsync", self._apply_appendfsync)

    # --- directories ---

    @property
    def directory(self) -> str:
        """The data directory."""
        return self.config.get_text("dir")

    @property
    def journal_directory(self) -> str:
        """Where the journal's files are."""
        return os.path.join(self.directory, self.config.get_text("appenddirname"))

    @property
    def snapshot_path(self) -> str:
        """Where a snapshot is saved; "" if `dbfilename` is empty."""
        return self.config.get_path("dbfilename")

    # --- start ---

    def open(self, notify: Notify) -> None:
        """Lock the data directory and get ready to load; `notify` as for DiskThread.

        Raises JournalError if another process uses the directory or it cannot be used.
        """
        lock = DirectoryLock(self.disk, self.directory)
        lock.acquire()
        self._lock = lock
        self._thread = DiskThread(notify)
        self._recovery = self._new_recovery(self.state.keyspace)
        self.state.loading = True

    def _new_recovery(self, keyspace: Keyspace) -> Recovery:
        skip_unknown = self.config.get_bool("rdb-skip-unknown-types")
        return Recovery(self.disk, self.config, keyspace, skip_unknown)

    def load_step(self, budget_us: int) -> bool:
        """Load for about so long; True while there is more; False too once it is closed.

        Raises HeadwaterError with what is wrong with the files and what to do, OSError.
        """
        recovery = self._recovery
        if recovery is None:
            return False  # closed meanwhile
        if not recovery.step(budget_us):
            return True
        result = recovery.result
        if result.manifest is not None or result.begin_journal:
            self._begin_journal(result)
        recovery.finish()
        self.state.loading = False
        self.state.ready_ms = self.state.clock.now_ms
        self.saving.loaded(result.keys, result.expired)
        if result.skipped_types:
            self.schedule_rewrite()  # the base is a copy of a file that still has them
        if self.config.get_bool("appendonly") != self.has_journal():
            self._follow_appendonly()  # CONFIG SET while data was loaded
        return False

    def _begin_journal(self, found: Recovered) -> None:
        journal = self._new_journal()
        if found.manifest is not None:
            journal.resume(found.manifest, found.place, found.size)
        else:
            journal.create(found.snapshot)
        self.journal = journal

    def _new_journal(self) -> Journal:
        assert self._thread is not None
        committer = Committer(
            self.recorder, self._thread, POLICIES[self.config.get_text("appendfsync")]
        )
        committer.on_progress = self._progress
        committer.on_error = self._error_changed
        committer.on_sync_failed = self._sync_failed
        committer.on_group = self._group_is_on_disk
        return Journal(self.disk, self.journal_directory, committer, self._thread)

    def attach(self, on_progress: Callable[[], None], on_work: Callable[[], None]) -> None:
        """Have `on_progress` called when replies may leave or the journal begins or ends to
        fail, and `on_work` when there is something for `work`."""
        self._on_progress = on_progress
        self.saving.on_work = on_work

    def _group_is_on_disk(self) -> None:
        if self.on_group is None:
            self.commit()
        else:
            self.on_group()

    # --- every round ---

    def commit(self) -> int:
        """Get what was recorded on its way to disk; returns the bytes that wait for it."""
        journal = self.journal
        return 0 if journal is None else journal.committer.commit()

    def _progress(self) -> None:
        self._on_progress()
        if self._waiting_for_sync:
            waiting = self._waiting_for_sync
            self._waiting_for_sync = {}
            for session in waiting:
                try_again(session)
            if self._waiting_for_sync and self.journal is not None:
                self.journal.committer.sync_soon()

    def tick(self) -> None:
        """Sync, save and rewrite when it is time; try again what failed."""
        journal = self.journal
        now_ms = self.state.clock.now_ms
        if journal is not None:
            busy = self.saving.in_progress and self.config.get_bool("no-appendfsync-on-rewrite")
            journal.committer.tick(now_ms, not busy)
            if self._waiting_for_sync:
                journal.committer.sync_soon()
        if self._start_over.is_due(now_ms):
            self._begin_anew()
        elif journal is not None and self._has_grown(journal, now_ms):
            self._rewrite_due = True
        if self._rewrite_due and not self.saving.in_progress:
            self._rewrite_due = False
            self.rewrite()
        self.saving.tick()

    def work(self) -> float | None:
        """Let a snapshot have its share of the loop; returns in how many seconds to call again.

        None: when `on_work` is called.
        """
        return self.saving.work()

    def _has_grown(self, journal: Journal, now_ms: int) -> bool:
        percentage = self.config.get_int("auto-aof-rewrite-percentage")
        if not percentage or self._rewrite_due or self.saving.in_progress:
            return False
        if self._rewrite_again.is_set and not self._rewrite_again.is_due(now_ms):
            return False
        size = journal.size
        if size < self.config.get_int("auto-aof-rewrite-min-size"):
            return False
        return (size - journal.bytes_at_rewrite) * 100 >= percentage * max(
            journal.bytes_at_rewrite, 1
        )

    # --- rewriting the journal ---

    def schedule_rewrite(self) -> None:
        """Rewrite the journal when nothing else is being saved."""
        self._rewrite_due = True

    def rewrite(self) -> None:
        """Make the journal short again (BGREWRITEAOF); nothing else is being saved."""
        journal = self.journal
        if journal is None or journal.manifest is None:
            _log.log(NOTICE, "there is no journal to rewrite")
            return
        cut = Cut(self.state.keyspace)
        attempt = self._attempt = object()

        def begun(error: OSError | None) -> None:
            if attempt is not self._attempt or error is not None:
                cut.close()
            if attempt is not self._attempt:
                return
            if error is not None:
                self._rewrite_failed()
                self.saving.rewrite_failed(str(error))
                return
            # Whoever gave the rewrite up meanwhile has left two segments instead of one.
            path = f"{journal.directory}/{base_name(number)}"
            self.saving.begin_rewrite(cut, path, written)

        def written(failure: str | None) -> None:
            if failure is None:
                journal.adopt_base(number, adopted)
            else:
                self._rewrite_failed()

        def adopted(error: OSError | None) -> None:
            if attempt is not self._attempt:
                return
            if error is None:
                self._rewrite_again.clear()
                self._rewrite_delay_ms = REWRITE_AGAIN_MS
            else:
                self._rewrite_failed()
            self.saving.rewrite_done(None if error is None else str(error))

        self.saving.rewrite_begins(cut)
        number = journal.begin_segment(begun)

    def _rewrite_failed(self) -> None:
        """Have the journal's size begin no other one for a while: each leaves a segment."""
        self._rewrite_again.set(self.state.clock.now_ms, self._rewrite_delay_ms)
        self._rewrite_delay_ms = min(2 * self._rewrite_delay_ms, REWRITE_AGAIN_MAX_MS)

    # --- switching the journal on and off ---

    def _apply_appendonly(self) -> str | None:
        """Follow CONFIG SET appendonly."""
        if self._thread is None or self.state.loading:
            return None
        self._follow_appendonly()
        if self._begin_failed and self.journal is None and self.config.get_bool("appendonly"):
            self._start_over.clear()
            return "Unable to turn on AOF. Check server logs."
        return None

    def _follow_appendonly(self) -> None:
        if not self.config.get_bool("appendonly"):
            self._switch_off()
        elif self.journal is None:
            self._begin_anew()

    def _switch_off(self) -> None:
        journal = self.journal
        self._start_over.clear()
        if journal is None:
            return
        self.saving.abort_rewrite()
        self._attempt = object()
        try:
            journal.end()
        except OSError as error:
            _log.error("the end of the journal could not be written: %s", error)
            self.recorder.released = self.recorder.end  # nobody is promised anything any more
        self.journal = None
        self._drop_unlisted()
        _log.warning("the journal is switched off; what changes from now on is not in it")
        self._error_changed()
        self._progress()

    def _sync_failed(self) -> None:
        """Nobody knows what the disk has of the last segment: write everything anew."""
        self.saving.abort()
        self._attempt = object()
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Begin a new journal whose base is the state of this moment.

        With a journal that failed, nothing is released until the new one is complete. Without
        one (it was switched on) commands are recorded and synced at once, but a start would not
        find them before the base is complete.
        """
        if self.saving.in_progress or self.recorder.unit:
            # Half a transaction is no moment for a base either.
            self._start_over.set(self.state.clock.now_ms, 1)
            return
        self._start_over.clear()
        self._begin_failed = False
        self._drop_unlisted()
        old = self.journal
        try:
            journal = self._new_journal() if old is None else old
            self.disk.make_directory(journal.directory)
            number = journal.next_number(True)
            journal_id = os.urandom(JOURNAL_ID_BYTES)
            place, suffix = Place(), UNLISTED_SUFFIX  # its records are of no use without a base
            if old is not None:
                self.recorder.seal()
                self.recorder.repeat_limits()
                place, suffix = Place(0, 0, self.recorder.end, self.recorder.chain), ""
            writer = SegmentWriter.create(
                self.disk, journal.directory, journal_id, number, place, suffix
            )
        except OSError as error:
            self._begin_anew_failed(str(error))
            return
        self._unlisted = writer
        cut = Cut(self.state.keyspace)
        attempt = self._attempt = object()
        manifest = Manifest(journal_id, 1, place.position, True)
        if old is None:
            self.recorder.start(place.position, place.chain)
            journal.committer.begin(writer, manifest.epoch)
            self.journal = journal

        base = f"{journal.directory}/{base_name(number)}"

        def written(failure: str | None) -> None:
            if failure is not None:
                self._remove(base)
                self._give_up_new(journal, old is None)
                self._begin_anew_failed(failure)
                return
            journal.replace(manifest, writer, place, adopted)

        def adopted(error: OSError | None) -> None:
            if error is not None and not isinstance(error, UncertainError):
                self._remove(base)
            elif self._unlisted is writer:
                self._unlisted = None  # the manifest lists it, or may do so
            if attempt is not self._attempt:
                return
            self.saving.rewrite_done(None if error is None else str(error))
            if error is not None:
                self._give_up_new(journal, old is None)
                self._begin_anew_failed(str(error))
                return
            if old is not None:
                journal.committer.recovered(writer, manifest.epoch)
                _log.warning("everything was written anew; the journal can be relied on again")
            self._progress()

        self.saving.rewrite_begins(cut)
        self.saving.begin_rewrite(cut, base, written)

    def _give_up_new(self, journal: Journal, switched_on: bool) -> None:
        """A journal that was begun does not come to be."""
        if switched_on:
            self.recorder.stop()
            journal.committer.end()
            self.journal = None
            self._error_changed()
        self._drop_unlisted()

    def _drop_unlisted(self) -> None:
        """Remove a segment that no manifest came to list."""
        writer, self._unlisted = self._unlisted, None
        if writer is None:
            return
        with contextlib.suppress(OSError):
            writer.close()
        self._remove(writer.path)

    def _remove(self, path: str) -> None:
        """Remove a file that no manifest lists, if it is there."""
        try:
            self.disk.remove(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            _log.warning("cannot remove %s: %s", path, error.strerror)

    def _finish_new(self) -> None:
        """Complete a journal that was just switched on, while everything waits."""
        thread = self._thread
        while (
            thread is not None
            and self.journal is not None
            and self.journal.manifest is None
            and self.saving.is_rewriting
        ):
            delay_s = self.saving.work()
            thread.drain()
            if delay_s:
                time.sleep(delay_s)

    def _begin_anew_failed(self, text: str) -> None:
        _log.error("a new journal could not be begun: %s", text)
        self._begin_failed = True
        self._start_over.set(self.state.clock.now_ms, START_OVER_EVERY_MS)

    def _apply_appendfsync(self) -> None:
        """Follow CONFIG SET appendfsync."""
        if self.journal is not None:
            self.journal.committer.set_policy(POLICIES[self.config.get_text("appendfsync")])

    def reload_journal(self) -> bool:
        """DEBUG LOADAOF: drop all keys and load the journal, while everybody waits.

        False if there is no journal, or it cannot be loaded.
        """
        journal = self.journal
        if journal is None or journal.manifest is None:
            return False
        keyspace = self.state.keyspace
        try:
            journal.committer.flush()
            # First aside: nothing is dropped that cannot be loaded again.
            self._new_recovery(Keyspace(self.state.clock, len(keyspace.databases))).run()
            self.recorder.recording = False
            keyspace.flush_all()
            self._new_recovery(keyspace).run()
        except (errors.HeadwaterError, OSError) as error:
            _log.error("the journal could not be loaded: %s", error)
            return False
        finally:
            self.recorder.recording = True
        return True

    # --- refusing changes ---

    def is_failing(self) -> bool:
        """Whether the journal cannot be written at the moment."""
        return self.journal is not None and self.journal.committer.error is not None

    def _error_changed(self) -> None:
        self.update_refusal()
        self._on_progress()

    def update_refusal(self) -> None:
        """Set what commands that change something are answered while the disk takes nothing."""
        journal = self.journal
        if journal is not None and journal.committer.is_refusing():
            self.state.write_refusal = errors.JOURNAL_FAILS.text(journal.committer.reason())
        else:
            self.state.write_refusal = self.saving.refusal()

    # --- what commands ask ---

    def has_journal(self) -> bool:
        """Whether changes are written to a journal."""
        return self.journal is not None

    def synced(self) -> int:
        """The journal position before which a start would find everything; -1: it finds nothing."""
        journal = self.journal
        if journal is None:
            return self.recorder.end
        # What was just switched on has no complete base yet.
        return -1 if journal.manifest is None else journal.committer.synced

    def sync_soon(self, session: Session) -> None:
        """Force the journal to disk without waiting for its time, and try the session again."""
        self._waiting_for_sync[session] = None
        if self.journal is not None:
            self.journal.committer.commit()
            self.journal.committer.sync_soon()

    def info(self) -> Iterator[tuple[str, Any]]:
        """Names and values of INFO persistence."""
        journal = self.journal
        recovery = self._recovery
        yield "loading", int(self.state.loading)
        yield "async_loading", 0
        yield from self.saving.info()
        yield "aof_enabled", int(journal is not None)
        yield from self.saving.rewrite_info()
        yield "aof_rewrite_scheduled", int(self._rewrite_due)
        failing = journal is not None and journal.committer.is_refusing()
        yield "aof_last_write_status", "err" if failing else "ok"
        if journal is not None:
            committer = journal.committer
            yield "aof_current_size", journal.size
            yield "aof_base_size", journal.bytes_at_rewrite
            yield "aof_pending_rewrite", 0
            yield "aof_buffer_length", self.recorder.gathered()
            yield "aof_pending_bio_fsync", int(committer.sync_in_progress)
            yield "aof_delayed_fsync", committer.delayed
            yield "headwater_journal_position", self.recorder.end
            yield "headwater_journal_written", committer.written
            yield "headwater_journal_synced", committer.synced
            yield "headwater_journal_syncs", committer.syncs
        if self.state.loading and recovery is not None:
            yield from recovery.info()

    # --- the end ---

    def save_before_stop(self, wanted: bool | None) -> bool:
        """Save a snapshot if it is wanted, or (None) if there are save points; True: all is well.

        Also writes and syncs the journal.
        """
        if self.state.loading:
            return True
        self._finish_new()
        journal = self.journal
        if journal is not None:
            try:
                journal.committer.flush()
            except OSError as error:
                _log.error("the end of the journal could not be written: %s", error)
                return False
        if wanted is None:
            wanted = bool(self.config.save_points) and self._thread is not None
        return not wanted or self.saving.save_now()

    def close(self) -> None:
        """Write what is left, sync, and give the directory back. A second call does nothing."""
        if self.state.loading and self._recovery is not None:
            self._recovery.close()
            self._recovery = None
        self._finish_new()
        self.saving.close()
        journal, self.journal = self.journal, None
        if journal is not None:
            try:
                journal.end()
            except OSError as error:
                _log.error("the end of the journal could not be written: %s", error)
        if self._thread is not None:
            self._thread.stop()
            self._thread = None
        self._drop_unlisted()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def abandon(self) -> None:
        """End as if the process had been killed: nothing is written or synced any more."""
        self.recorder.stop()
        journal, self.journal = self.journal, None
        if self._thread is not None:
            self._thread.abandon()
            self._thread = None
        self.saving.close()
        if journal is not None:
            journal.committer.silence()
            writer = journal.committer.end()
            if writer is not None:
                writer.file.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def disown(self) -> None:
        """In a process that was forked: the directory stays the parent's."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()  # of this process's copy of the descriptor, no more


def _nothing() -> None:
    """Nobody wants to know."""
