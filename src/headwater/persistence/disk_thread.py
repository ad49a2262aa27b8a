"""The thread that waits for the disk, so that the event loop need not.

Jobs run one after the other in the order they were given; what comes of each is told in the
loop's thread, in the same order. One thread: a write never overtakes the one before it.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

Job = Callable[[], Any]
Done = Callable[[Any, "OSError | None"], None]
Notify = Callable[[Callable[[], None]], Any]


class DiskThread:
    """Runs jobs that block on the disk.

    `notify(call)` has `call` called in the loop's thread. A job may raise OSError, which its
    `done(result, error)` is given; anything else is a bug and is raised in the loop's thread.
    """

    __slots__ = ("_abandoned", "_jobs", "_notify", "_outcomes", "_thread", "_undelivered")

    def __init__(self, notify: Notify) -> None:
        self._notify = notify
        self._jobs: queue.SimpleQueue[tuple[Job, Done] | threading.Event | None] = (
            queue.SimpleQueue()
        )
        self._outcomes: deque[Callable[[], None]] = deque()
        self._undelivered = 0
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name="headwater-disk", daemon=True)
        self._thread.start()

    def submit(self, job: Job, done: Done) -> None:
        """Have `job()` run in the thread, and `done` told of it in the loop."""
        self._undelivered += 1
        self._jobs.put((job, done))

    def drain(self) -> None:
        """Block until all jobs are done and their `done` was called, here."""
        while self._undelivered:
            idle = threading.Event()
            self._jobs.put(idle)
            idle.wait()
            self._deliver()

    def stop(self) -> None:
        """Drain, and end the thread."""
        self.drain()
        self._jobs.put(None)
        self._thread.join()

    def abandon(self) -> None:
        """End the thread, behind the job at hand; what else was submitted is not done."""
        self._abandoned = True
        self._outcomes.clear()
        self._jobs.put(None)
        self._thread.join()
        self._outcomes.clear()
        self._undelivered = 0

    def _run(self) -> None:
        while True:
            task = self._jobs.get()
            if task is None or self._abandoned:
                return
            if isinstance(task, threading.Event):
                task.set()
                continue
            self._outcomes.append(_outcome(*task))
            del task
            self._notify(self._deliver)

    def _deliver(self) -> None:
        """Tell of what is done; whoever comes first, a notification or `drain`."""
        while self._outcomes:
            tell = self._outcomes.popleft()
            self._undelivered -= 1
            tell()


def _outcome(job: Job, done: Done) -> Callable[[], None]:
    """Run the job; what is returned tells the loop."""
    try:
        result = job()
    except OSError as error:
        failure = error
        return lambda: done(None, failure)
    except BaseException as error:
        bug = error

        def raise_it() -> None:
            raise bug

        return raise_it
    return lambda: done(result, None)
