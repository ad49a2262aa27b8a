"""Group commit: what is released, when, and what happens when the disk does not do its part."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from headwater.journal.format import Place
from headwater.journal.manifest import Manifest
from headwater.journal.reader import END
from headwater.journal.recorder import Recorder
from headwater.journal.segment import SegmentWriter
from headwater.limits import JOURNAL_MARGIN_BYTES
from headwater.persistence.committer import ALWAYS, EVERYSEC, NEVER, Committer
from headwater.persistence.disk_thread import DiskThread
from headwater.persistence.history import History
from support.disk import SimulatedDisk

DIRECTORY = "/data"
ID = bytes(range(16))


class SteppedThread(DiskThread):
    """Jobs run when the test says so, in the test's own thread."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[Callable[[], Any], Any]] = deque()

    def submit(self, job: Callable[[], Any], done: Any) -> None:
        self.waiting.append((job, done))

    def step(self) -> None:
        """Run the oldest job and tell what came of it."""
        job, done = self.waiting.popleft()
        try:
            result = job()
        except OSError as error:
            done(None, error)
        else:
            done(result, None)

    def drain(self) -> None:
        while self.waiting:
            self.step()

    def stop(self) -> None:
        self.drain()


class Store:
    """A committer on a simulated disk, and what it told."""

    def __init__(self, policy: int) -> None:
        self.disk = SimulatedDisk(DIRECTORY)
        self.recorder = Recorder()
        self.thread = SteppedThread()
        self.committer = Committer(self.recorder, self.thread, policy)
        self.errors: list[str | None] = []
        self.sync_failures = 0
        self.committer.on_error = self._note_error
        self.committer.on_sync_failed = self._note_sync_failure
        self.writer = SegmentWriter.create(self.disk, DIRECTORY, ID, 1, Place())
        self.manifest = Manifest(ID, 1)
        self.manifest.add(1, Place())
        self.recorder.start(0, 0)
        self.committer.begin(self.writer, 1)
        self.now_ms = 1000

    def _note_error(self) -> None:
        committer = self.committer
        self.errors.append(committer.reason() if committer.is_refusing() else None)

    def _note_sync_failure(self) -> None:
        self.sync_failures += 1

    def write(self, text: str, size: int = 0) -> int:
        """Record an effect and commit; returns the position that its reply waits for."""
        self.recorder.set(0, b"key", text.encode() + bytes(size), 0)
        self.recorder.seal()
        position = self.recorder.end
        self.committer.commit()
        return position

    def is_released(self, position: int) -> bool:
        return self.recorder.released >= position

    def tick(self, ms: int = 100) -> None:
        self.now_ms += ms
        self.committer.tick(self.now_ms, True)

    def records(self) -> int:
        """How many records a reader finds; they must be whole and without a gap."""
        history = History(self.disk, DIRECTORY, self.manifest)
        history.read_all()
        assert history.end.state == END, history.end.why
        return sum(segment.records for segment in history.segments)


@pytest.mark.parametrize("policy", [EVERYSEC, NEVER])
def test_replies_leave_when_the_kernel_has_it(policy: int) -> None:
    store = Store(policy)
    assert store.is_released(store.write("a"))
    store.disk.kill()
    assert store.records() == 1


def test_everysec_syncs_once_a_second() -> None:
    store = Store(EVERYSEC)
    first = store.write("a")
    store.tick()
    assert store.committer.synced < first
    store.thread.step()
    assert store.committer.synced == first
    second = store.write("b")
    for _ in range(9):
        store.tick()
        assert not store.thread.waiting
    store.tick()
    store.thread.step()
    assert store.committer.synced == second
    store.tick(5000)
    assert not store.thread.waiting, "there is nothing to sync"


def test_a_clock_that_is_set_back_does_not_stop_the_syncs() -> None:
    store = Store(EVERYSEC)
    store.write("a")
    store.tick()
    store.thread.drain()
    store.now_ms -= 1_000_000
    position = store.write("b")
    store.tick()
    store.thread.drain()
    assert store.committer.synced == position


def test_no_never_syncs() -> None:
    store = Store(NEVER)
    store.write("a")
    store.tick(10_000)
    assert not store.thread.waiting


def test_always_releases_what_is_on_disk_and_nothing_else() -> None:
    store = Store(ALWAYS)
    first = store.write("a")
    second = store.write("b")
    third = store.write("c")
    assert not store.is_released(first)
    store.thread.step()
    assert store.is_released(first)
    assert not store.is_released(second)
    store.thread.step()
    assert store.is_released(third), "what came meanwhile is one group"
    assert not store.thread.waiting
    store.disk.crash()
    assert store.records() == 3


def test_a_full_disk_holds_back_and_goes_on_by_itself() -> None:
    for policy in (ALWAYS, EVERYSEC):
        store = Store(policy)
        store.disk.full_at(store.disk.used())
        # Space that was reserved is there; only what goes beyond it meets the full disk.
        store.disk.fail("write", errno.ENOSPC, times=None)
        position = store.write("a")
        store.thread.drain()
        assert not store.is_released(position)
        assert store.errors[-1] == "No space left on device"
        after = store.write("b")
        store.tick()
        store.thread.drain()
        assert not store.is_released(position)
        store.disk.heal()
        store.disk.full_at(None)
        store.tick()
        store.thread.drain()
        store.tick()
        store.thread.drain()
        assert store.errors[-1] is None
        assert store.is_released(after)
        assert store.records() == 2


def test_a_disk_that_gets_full_refuses_before_it_is() -> None:
    store = Store(EVERYSEC)
    store.disk.full_at(store.disk.used())
    count = 0
    while not store.committer.is_refusing():
        assert store.is_released(store.write("x", 100_000))
        count += 1
    assert count * 100_000 > JOURNAL_MARGIN_BYTES
    assert store.is_released(store.write("what was under way has room", 100_000))
    store.disk.full_at(None)
    store.tick()
    assert not store.committer.is_refusing()
    assert store.records() == count + 1


@pytest.mark.parametrize("policy", [ALWAYS, EVERYSEC])
def test_nothing_is_released_after_a_sync_that_failed(policy: int) -> None:
    store = Store(policy)
    store.disk.fail("sync", errno.EIO)
    position = store.write("a")
    store.tick()
    store.thread.drain()
    assert store.sync_failures == 1
    assert store.committer.is_refusing()
    before = store.recorder.released
    assert policy == EVERYSEC or before < position
    later = store.write("b")
    for _ in range(30):
        store.tick()
        store.thread.drain()
    assert store.recorder.released == before
    # Everything was written anew; a segment begins behind it.
    place = Place(1, 0, store.recorder.end, store.recorder.chain)
    writer = SegmentWriter.create(store.disk, DIRECTORY, ID, 2, place)
    store.committer.recovered(writer, 1)
    assert store.is_released(later)
    assert not store.committer.is_refusing()
    store.manifest.segments = []
    store.manifest.add(2, place)
    last = store.write("c")
    store.thread.drain()
    assert store.is_released(last)
    assert store.records() == 1


@pytest.mark.parametrize("policy", [ALWAYS, EVERYSEC])
def test_rotating_loses_nothing_and_keeps_the_order(policy: int) -> None:
    store = Store(policy)
    for i in range(5):
        store.write(f"before {i}")
    outcome: list[OSError | None] = []
    place: list[Place] = []

    def begin_next(writer: SegmentWriter) -> SegmentWriter:
        place.append(writer.place)
        return SegmentWriter.create(store.disk, DIRECTORY, ID, 2, writer.place)

    cut_at = store.recorder.end
    store.committer.rotate(begin_next, outcome.append)
    positions = [store.write(f"while {i}") for i in range(3)]
    assert not store.is_released(positions[0])
    store.thread.drain()
    assert outcome == [None]
    assert store.is_released(positions[2])
    assert place[0].position == cut_at
    store.manifest.add(2, Place(1, place[0].index, cut_at, place[0].chain))
    store.write("after")
    store.thread.drain()
    assert store.records() == 9


def test_rotating_fails_and_the_segment_stays_in_use() -> None:
    store = Store(EVERYSEC)
    store.write("a")
    outcome: list[OSError | None] = []

    def begin_next(_: SegmentWriter) -> SegmentWriter:
        raise OSError(errno.ENOSPC, "No space left on device")

    store.committer.rotate(begin_next, outcome.append)
    store.write("b")
    store.thread.drain()
    assert outcome[0] is not None
    assert store.is_released(store.write("c"))
    assert store.records() == 3


def test_from_everysec_to_always_replies_wait_for_the_disk() -> None:
    store = Store(EVERYSEC)
    position = store.write("a")
    store.committer.set_policy(ALWAYS)
    assert not store.is_released(position)
    store.thread.drain()
    assert store.is_released(position)
    store.disk.crash()
    assert store.records() == 1


def test_from_always_to_everysec_while_a_group_is_under_way() -> None:
    store = Store(ALWAYS)
    first = store.write("a")
    second = store.write("b")
    store.committer.set_policy(EVERYSEC)
    assert not store.is_released(first), "the thread has not written it"
    store.thread.drain()
    assert store.is_released(second)
    assert store.records() == 2


def test_the_end_has_everything_on_disk() -> None:
    for policy in (ALWAYS, EVERYSEC, NEVER):
        store = Store(policy)
        for i in range(4):
            store.write(str(i))
        store.committer.flush()
        store.disk.crash()
        assert store.records() == 4


def test_a_group_that_fails_in_front_of_a_rotation() -> None:
    """The next segment must not begin in front of what the cut has already."""
    for queued in (False, True):
        store = Store(ALWAYS)
        store.disk.fail("write", errno.ENOSPC)
        store.write("fails in the thread")
        if queued:
            store.write("waits behind it")
        cut_at = store.recorder.end
        outcome: list[OSError | None] = []
        begun: list[int] = []

        def begin_next(
            writer: SegmentWriter, disk: SimulatedDisk = store.disk, begun: list[int] = begun
        ) -> SegmentWriter:
            begun.append(writer.position)
            return SegmentWriter.create(disk, DIRECTORY, ID, 2, writer.place)

        store.committer.rotate(begin_next, outcome.append)
        # The thread is faster than the loop: both jobs are done before anybody hears of it.
        jobs = list(store.thread.waiting)
        store.thread.waiting.clear()
        results: list[tuple[Any, OSError | None]] = []
        for job, _ in jobs:
            try:
                results.append((job(), None))
            except OSError as error:
                results.append((None, error))
        for (_, done), result in zip(jobs, results, strict=True):
            done(*result)
        assert begun in ([], [cut_at])
        assert len(outcome) == 1
        last = store.write("after")
        for _ in range(3):
            store.tick()
            store.thread.drain()
        assert store.is_released(last)
        if begun:
            store.manifest.add(2, Place(1, store.writer.place.index, cut_at, 0))
        else:
            assert outcome[0] is not None
            assert store.records() == 2 + queued


@pytest.mark.parametrize("policy", [ALWAYS, EVERYSEC])
def test_a_stop_that_fails_takes_nothing_away(policy: int) -> None:
    """SHUTDOWN is refused when the journal cannot be written; the server goes on."""
    for operation in ("write", "sync"):
        store = Store(policy)
        store.disk.fail("write", errno.ENOSPC)
        position = store.write("a")
        store.thread.drain()
        store.disk.heal()
        store.disk.fail(operation, errno.ENOSPC)
        with pytest.raises(OSError, match="No space"):
            store.committer.flush()
        assert not store.is_released(position)
        assert store.committer.is_refusing()
        if operation == "sync":
            assert store.sync_failures == 1
            continue
        last = store.write("b")
        for _ in range(3):
            store.tick()
            store.thread.drain()
        assert store.is_released(last)
        assert store.records() == 2


def test_to_always_while_an_earlier_sync_is_under_way() -> None:
    store = Store(EVERYSEC)
    store.write("a")
    store.tick()
    assert store.committer.sync_in_progress
    position = store.write("b")
    store.committer.set_policy(ALWAYS)
    store.thread.drain()
    assert store.is_released(position), "nobody else would have it synced"
    store.disk.crash()
    assert store.records() == 2


def test_a_sync_of_less_than_was_written_is_followed_by_another() -> None:
    store = Store(ALWAYS)
    store.disk.fail("write", errno.ENOSPC, after=1)
    store.committer.set_policy(EVERYSEC)
    store.write("a")
    store.write("b")
    store.committer.set_policy(ALWAYS)
    last = store.recorder.end
    for _ in range(3):
        store.tick()
    store.thread.drain()
    assert store.is_released(last)
    store.disk.crash()
    assert store.records() == 2


@pytest.mark.parametrize("policy", [ALWAYS, EVERYSEC])
def test_a_write_that_cannot_be_taken_back_is_as_bad_as_a_sync_that_failed(policy: int) -> None:
    store = Store(policy)
    store.disk.short_writes = 10
    store.disk.fail("write", errno.EIO, after=1)
    store.disk.fail("truncate", errno.EIO)
    position = store.write("a")
    store.thread.drain()
    assert store.sync_failures == 1, "this file takes nothing any more"
    assert not store.is_released(position)


def test_a_broken_file_that_cannot_even_be_closed() -> None:
    store = Store(ALWAYS)
    store.disk.fail("sync", errno.EIO)
    position = store.write("a")
    store.thread.drain()
    place = Place(1, 0, store.recorder.end, store.recorder.chain)
    writer = SegmentWriter.create(store.disk, DIRECTORY, ID, 2, place)

    class Unclosable:
        def __getattr__(self, name: str) -> Any:
            return getattr(store.writer, name)

        def close(self) -> None:
            raise OSError(errno.EIO, "Input/output error")

    broken: Any = Unclosable()
    store.committer.writer = broken
    store.committer.recovered(writer, 1)
    assert store.is_released(position)
    last = store.write("b")
    store.thread.drain()
    assert store.is_released(last)


def test_everysec_holds_replies_while_a_sync_takes_too_long() -> None:
    """Or an endless amount of what was acknowledged could be lost."""
    store = Store(EVERYSEC)
    store.write("a")
    store.tick()
    assert store.committer.sync_in_progress
    store.tick(900)
    assert store.is_released(store.write("in time"))
    store.tick(200)
    position = store.write("late")
    assert not store.is_released(position)
    assert store.committer.delayed == 1
    store.thread.step()
    assert store.is_released(position)
    assert store.is_released(store.write("on"))
    assert store.records() == 4


def test_a_late_sync_fails() -> None:
    store = Store(EVERYSEC)
    store.disk.fail("sync", errno.EIO)
    store.write("a")
    store.tick()
    store.tick(1100)
    position = store.write("late")
    store.thread.step()
    assert not store.is_released(position)
    assert store.sync_failures == 1
    place = Place(1, 0, store.recorder.end, store.recorder.chain)
    store.committer.recovered(SegmentWriter.create(store.disk, DIRECTORY, ID, 2, place), 1)
    assert store.is_released(position)
    assert store.is_released(store.write("on"))
