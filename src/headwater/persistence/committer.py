"""Group commit: what was recorded goes to the journal's segment, by the policy of `appendfsync`.

everysec, no   `commit` writes in the loop, and replies leave once the kernel has the bytes: a
               process that is killed loses nothing. With everysec a thread syncs once a second;
               if that takes longer than a second, replies wait for it.
always         a thread writes and syncs while the loop goes on; replies leave when that is done.
               What is recorded meanwhile is the next group.

When a write fails, nothing that depends on it is released: it is tried again until there is
space, and commands that change something are refused meanwhile. When a sync fails, nobody knows
what is on disk: `on_sync_failed` must have everything written anew to other files (invariant 1).

Space is reserved ahead of the writes where the file system can do that, so that a full disk is
noticed before a command is executed and not after.
"""

from __future__ import annotations

import contextlib
import errno
import logging
from collections.abc import Callable
from typing import Any

from headwater.journal.batches import Batch
from headwater.journal.disk import UncertainError
from headwater.journal.recorder import Recorder
from headwater.journal.segment import SegmentWriter
from headwater.limits import JOURNAL_MARGIN_BYTES, JOURNAL_RESERVE_BYTES
from headwater.persistence.disk_thread import DiskThread

NextSegment = Callable[[SegmentWriter], SegmentWriter]
Done = Callable[["OSError | None"], None]

ALWAYS, EVERYSEC, NEVER = 0, 1, 2
POLICIES = {"always": ALWAYS, "everysec": EVERYSEC, "no": NEVER}
SYNC_EVERY_MS = 1000
SYNC_LATE_MS = 1000
_ENDLESS = 1 << 62
_log = logging.getLogger("headwater")


class Committer:
    """Takes batches from the recorder and gets them to disk.

    `written` and `synced` are journal positions: what the kernel has, and what the disk has.
    `syncs`: how many there were; `delayed`: how many under everysec took so long that replies
    had to wait. `error`: why the journal cannot be written at the moment, or None.
    `on_progress()` is called in the loop when replies may be released, `on_error()` when `error`
    has changed; `on_group()` when a group is on disk and `commit` may begin the next: clients that
    were just replied to can be given the chance to be in it.
    """

    __slots__ = (
        "_busy",
        "_doubtful",
        "_held_back",
        "_late",
        "_low",
        "_queue",
        "_queued_bytes",
        "_room",
        "_sync_began_ms",
        "_sync_due_ms",
        "_thread",
        "delayed",
        "epoch",
        "error",
        "on_error",
        "on_group",
        "on_progress",
        "on_sync_failed",
        "policy",
        "recorder",
        "sync_in_progress",
        "synced",
        "syncs",
        "writer",
        "written",
    )

    def __init__(self, recorder: Recorder, thread: DiskThread, policy: int) -> None:
        self.recorder = recorder
        self.policy = policy
        self.writer: SegmentWriter | None = None
        self.epoch = 0
        self.written = 0
        self.synced = 0
        self.syncs = 0
        self.delayed = 0
        self.error: OSError | None = None
        self.sync_in_progress = False
        self.on_progress: Callable[[], None] = _nothing
        self.on_group: Callable[[], Any] = self.commit
        self.on_error: Callable[[], None] = _nothing
        self.on_sync_failed: Callable[[], None] = _nothing
        self._thread = thread
        self._queue: list[Batch] = []
        self._queued_bytes = 0
        self._busy = False
        self._held_back = False  # while the next segment is begun
        self._doubtful = False  # since a sync has failed, until everything is written anew
        self._sync_due_ms = 0
        self._sync_began_ms = 0  # when one was first seen under way; 0: none was
        self._late = False
        self._room = -1
        self._low = False

    # --- beginning, changing and ending a segment ---

    def begin(self, writer: SegmentWriter, epoch: int) -> None:
        """Write to this segment from now on. The recorder was started where it ends."""
        self.writer = writer
        self.epoch = epoch
        self.written = self.synced = writer.position
        self.recorder.released = writer.position
        self._room = 0
        self._make_room()

    def end(self) -> SegmentWriter | None:
        """Write no more: there is no journal from now on. Everything must be flushed."""
        writer = self.writer
        self.writer = None
        self.error = None
        self._low = False
        return writer

    def rotate(self, begin_next: NextSegment, done: Done) -> None:
        """Go on in another segment, from exactly here.

        In the thread, what was recorded until now is written to the present segment and synced,
        then `begin_next(writer)` makes the next one. `done(error)` is called in the loop, with
        None or why the present segment stays the one in use. What is recorded meanwhile waits.
        """
        writer = self.writer
        assert writer is not None
        self._gather()
        self.recorder.repeat_limits()  # a start may begin with the next segment
        batches = self._queue
        self._queue = []
        self._held_back = True
        epoch = self.epoch
        begin = batches[0].position if batches else self.recorder.end

        def rotate() -> tuple[int, bool, SegmentWriter | None, OSError | None]:
            written = 0
            try:
                if writer.position != begin:
                    # The group before has failed, and the loop has not heard of it yet.
                    raise OSError(errno.EIO, "what was recorded before could not be written")
                for batch in batches:
                    writer.append(batch, epoch)
                    written += 1
            except OSError as error:
                return written, False, None, error
            writer.sync()
            try:
                writer.give_back()  # what comes next needs it
                return written, True, begin_next(writer), None
            except UncertainError:
                raise  # as bad as a sync that failed: which segment is the last one?
            except OSError as error:
                return written, True, None, error

        def rotated(result: Any, error: OSError | None) -> None:
            if result is None:
                assert error is not None
                done(error)
                self._sync_failed(error)
                return
            written, complete, following, error = result
            self._account(batches[:written])
            self._put_back(batches[written:])
            self._held_back = False
            if not complete:
                assert error is not None
                done(error)
                self._write_failed(error)
                return
            self.synced = self.written
            self.recorder.released = self.written
            self._room = 0
            if following is not None:
                self._go_to(following)
            else:
                self._make_room()
            self.commit()
            done(error)
            self.on_progress()

        self._thread.submit(rotate, rotated)

    def _go_to(self, writer: SegmentWriter) -> None:
        old = self.writer
        self.writer = writer
        if old is not None:
            with contextlib.suppress(OSError):  # what matters of it is on disk, or written anew
                old.close()
        self._room = 0
        self._make_room()

    # --- committing ---

    def commit(self) -> int:
        """Get what was recorded on its way; returns the bytes that wait for the disk."""
        self._gather()
        if not self._queue or self._is_waiting() or self.error is not None:
            return self._queued_bytes
        if self.policy == ALWAYS:
            self._write_in_thread()
        elif self._write_here() and not self._late:
            self.recorder.released = self.written
        return self._queued_bytes

    def _is_waiting(self) -> bool:
        """Whether nothing may be written or synced now, because of what is under way."""
        return self._busy or self._held_back or self._doubtful

    def _gather(self) -> None:
        self.recorder.seal()
        while True:
            batch = self.recorder.take()
            if batch is None:
                return
            self._queue.append(batch)
            self._queued_bytes += batch.size

    def _account(self, batches: list[Batch]) -> None:
        """Note that these were written."""
        for batch in batches:
            self._queued_bytes -= batch.size
            self._room -= batch.size
            self.written = max(self.written, batch.end)

    def _put_back(self, batches: list[Batch]) -> None:
        """Queue what could not be written; a job behind the one that failed fails too."""
        self._queue = sorted(batches + self._queue, key=_position)

    def _write_here(self) -> bool:
        """Write what is queued; False when that failed."""
        writer = self.writer
        assert writer is not None
        batches = self._queue
        failure = None
        written = 0
        try:
            for batch in batches:
                writer.append(batch, self.epoch)
                written += 1
        except OSError as error:
            failure = error
        self._account(batches[:written])
        del batches[:written]
        if failure is not None:
            self._write_failed(failure)
            return False
        self._make_room()
        return True

    def _write_in_thread(self) -> None:
        writer = self.writer
        assert writer is not None
        self._busy = True
        batches = self._queue
        self._queue = []
        epoch = self.epoch
        needs_room = self._room < JOURNAL_RESERVE_BYTES // 2

        def write() -> tuple[int, int, OSError | None]:
            written = room = 0
            try:
                for batch in batches:
                    writer.append(batch, epoch)
                    written += 1
            except OSError as error:
                return written, room, error
            writer.sync()
            if needs_room:
                room = _reserve(writer)
            return written, room, None

        def group_done(result: Any, error: OSError | None) -> None:
            self._busy = False
            if self.writer is not writer:
                return
            if result is None:
                assert error is not None
                self._sync_failed(error)
                return
            written, room, error = result
            self._account(batches[:written])
            if needs_room and error is None:
                self._note_room(room)
            if error is not None:
                # What was written is not synced: the next group's sync covers it.
                self._put_back(batches[written:])
                self._write_failed(error)
                return
            self.syncs += 1
            self.synced = max(self.synced, batches[len(batches) - 1].end)
            self.recorder.released = self.synced
            self.on_progress()
            self.on_group()

        self._thread.submit(write, group_done)

    # --- syncing ---

    def tick(self, now_ms: int, may_sync: bool) -> None:
        """Called about ten times a second: sync when it is time, try again what failed."""
        if self.writer is None:
            return
        if self.error is not None or self._low:
            self._try_again()
        elif self.policy == EVERYSEC and self.written != self.synced and may_sync:
            early = self._sync_due_ms - now_ms
            if not 0 < early <= SYNC_EVERY_MS:  # a clock that was set back makes it due too
                self._sync_due_ms = now_ms + SYNC_EVERY_MS
                self.sync_soon()
        self._look_whether_late(now_ms)

    def _look_whether_late(self, now_ms: int) -> None:
        """Release nothing while a sync takes so long that more than promised could be lost."""
        if not self.sync_in_progress:
            self._sync_began_ms = 0
        elif self._sync_began_ms == 0:
            self._sync_began_ms = now_ms
        elif (
            self.policy == EVERYSEC
            and not self._late
            and not 0 <= now_ms - self._sync_began_ms < SYNC_LATE_MS
        ):
            self._late = True
            self.delayed += 1

    def sync_soon(self) -> None:
        """Have the disk get all that was written; `synced` tells when it has."""
        writer = self.writer
        if writer is None or self.sync_in_progress or self._is_waiting():
            return
        if self.written == self.synced:
            return
        self.sync_in_progress = True
        position = self.written

        def done(_: Any, error: OSError | None) -> None:
            self.sync_in_progress = False
            self._sync_began_ms = 0
            late, self._late = self._late, False
            if self.writer is not writer:
                return  # the segment was synced when the next one began
            if error is not None:
                self._sync_failed(error)
                return
            self.syncs += 1
            self.synced = max(self.synced, position)
            if self.policy == ALWAYS and self.error is None:
                self.recorder.released = self.synced
                self.sync_soon()  # of what was written meanwhile, by another policy
            elif late and self.error is None:
                self.recorder.released = self.written
            self.on_progress()

        self._thread.submit(writer.sync, done)

    def set_policy(self, policy: int) -> None:
        """Follow `appendfsync`. From anything to always, replies wait for what is not synced."""
        if policy == self.policy:
            return
        self.policy = policy
        if self.writer is None:
            return
        if policy == ALWAYS:
            self.recorder.released = self.synced
            self.sync_soon()
        elif self.error is None:
            self._late = False
            self.recorder.released = self.written
        self.commit()
        self.on_progress()

    # --- failures ---

    def is_refusing(self) -> bool:
        """Whether commands that change something must be refused."""
        return self.error is not None or self._low

    def reason(self) -> str:
        """Why they are."""
        if self.error is not None:
            return self.error.strerror or str(self.error)
        return "No space left on device"

    def _write_failed(self, error: OSError) -> None:
        if self.writer is not None and self.writer.file.broken is not None:
            self._sync_failed(error)  # there is no trying again
            return
        if self.error is None:
            _log.error(
                "the journal cannot be written: %s; commands that change something are refused"
                " until it can",
                error,
            )
        self.error = error
        self.on_error()

    def _sync_failed(self, error: OSError) -> None:
        if self._doubtful:
            return
        _log.error(
            "the journal could not be forced to disk: %s; commands that change something are"
            " refused until everything is written anew",
            error,
        )
        self.error = error
        self._doubtful = True
        self.on_error()
        self.on_sync_failed()

    def recovered(self, writer: SegmentWriter, epoch: int) -> None:
        """All that was recorded before the segment's position stands in a snapshot; go on there.

        epoch: of the journal that begins so. What is queued from before the segment is dropped.
        """
        self._gather()
        self.epoch = epoch
        position = writer.position
        self._queue = [batch for batch in self._queue if batch.end > position]
        self._queued_bytes = sum(batch.size for batch in self._queue)
        self.error = None
        self.written = self.synced = position
        self.recorder.released = position
        self._held_back = self._doubtful = False
        self._go_to(writer)
        self.commit()
        self.on_error()
        self.on_progress()

    def _try_again(self) -> None:
        if self._is_waiting():
            return
        if self.error is None:
            self._room = 0
            self._make_room()
            return
        if not self._write_here():
            return
        self.error = None
        _log.warning("the journal can be written again")
        if self.policy == ALWAYS:
            self.sync_soon()
        elif not self._late:
            self.recorder.released = self.written
        self.on_error()
        self.on_progress()

    # --- space ahead ---

    def _make_room(self) -> None:
        """Have space reserved behind the segment's end; called where nothing is being written."""
        if self._room < JOURNAL_RESERVE_BYTES // 2 and self.writer is not None:
            self._note_room(_reserve(self.writer))

    def _note_room(self, room: int) -> None:
        was_low = self._low
        self._room = room
        self._low = room < JOURNAL_MARGIN_BYTES
        if self._low == was_low:
            return
        if self._low:
            _log.error(
                "the disk is full: commands that change something are refused until there is space"
            )
        else:
            _log.warning("there is space for the journal again")
        self.on_error()

    # --- the end ---

    def flush(self) -> None:
        """Write and sync everything, now; for a stop.

        Raises OSError; then what was not written is still queued, as after any other failure.
        """
        self._thread.drain()
        writer = self.writer
        if writer is None:
            return
        self._gather()
        if self._doubtful or not self._write_here():
            assert self.error is not None
            raise self.error
        try:
            writer.sync()
        except OSError as error:
            self._sync_failed(error)
            raise
        self.synced = self.written
        self.recorder.released = self.written
        if self.error is not None:
            self.error = None
            self.on_error()

    def silence(self) -> None:
        """Tell nobody of anything any more: the journal ends."""
        self.on_progress = self.on_error = self.on_sync_failed = _nothing


def _reserve(writer: SegmentWriter) -> int:
    """Reserve space, as much as there is; returns how many bytes the segment can grow by.

    Where the file system cannot reserve, that is as good as endless: a write will tell.
    """
    wanted = JOURNAL_RESERVE_BYTES
    while wanted >= JOURNAL_MARGIN_BYTES // 4:
        try:
            return writer.reserve(wanted) or _ENDLESS
        except OSError:
            wanted //= 2
    return 0


def _position(batch: Batch) -> int:
    return batch.position


def _nothing() -> None:
    """Nobody wants to know."""
