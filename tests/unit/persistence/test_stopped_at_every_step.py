"""The power fails behind every single operation of the disk, and a start finds what was promised.

A scenario with rewrites, a journal that is switched off and on, a sync that fails and restarts is
run again and again on a disk that stops behind its first operation, its second, and so on. What
is recovered must be the state behind some command: none before the last one whose reply could
leave (under `always`; under `everysec` the last one that was synced), none that never was.
"""

from __future__ import annotations

import contextlib
import errno
import random
from collections.abc import Iterator

import pytest

from headwater.errors import HeadwaterError
from headwater.journal.disk import failure
from support.disk import SimulatedDisk
from support.durable import DIRECTORY, DurableEngine
from support.embedded import NOW_MS


class StoppingDisk(SimulatedDisk):
    """Does so many operations that change something, and then nothing any more."""

    def __init__(self, count: int) -> None:
        super().__init__(DIRECTORY)
        self.left = count

    @contextlib.contextmanager
    def _call(self, operation: str, path: str, generation: int | None = None) -> Iterator[None]:
        with super()._call(operation, path, generation):
            if operation not in ("exists", "size", "list", "open_read", "read", "lock"):
                if self.left <= 0:
                    raise failure(errno.EIO, path, "the power has failed")
                self.left -= 1
            yield


class Lives:
    """Servers on one disk, one after the other, and what they have promised."""

    def __init__(self, at: StoppingDisk, policy: str) -> None:
        self.at = at
        self.policy = policy
        self.now_ms = NOW_MS
        self.states = [self._empty()]
        self.promised = 0
        self._ends: list[tuple[int, int]] = []  # journal position, state behind it
        self.store: DurableEngine | None = None

    def _empty(self) -> str:
        return DurableEngine(SimulatedDisk(DIRECTORY), self.now_ms).digest()

    def start(self) -> None:
        self._ends = []
        self.store = DurableEngine(self.at, self.now_ms, appendfsync=self.policy)
        assert self.store.digest() == self.states[-1], "it has only been stopped"

    def do(self, *words: str) -> None:
        store = self.store
        assert store is not None
        store.call(*words)
        self.now_ms = store.clock.advance(3) or store.clock.now_ms
        digest = store.digest()
        if digest != self.states[-1]:
            self.states.append(digest)
        if words[0] == "CONFIG":
            self._ends = []
        if store.persistence.has_journal():
            self._ends.append((store.state.recorder.end, len(self.states) - 1))
        self.look()

    def look(self) -> None:
        """Note what can be relied on by now."""
        store = self.store
        assert store is not None
        store.deliver()
        journal = store.persistence.journal
        if journal is None or journal.manifest is None:
            return
        reached = journal.committer.synced
        if self.policy == "always":
            reached = store.state.recorder.released
        for end, state in self._ends:
            if end <= reached:
                self.promised = max(self.promised, state)

    def settle(self) -> None:
        assert self.store is not None
        self.store.settle()
        self.look()

    def pass_ms(self, ms: int) -> None:
        assert self.store is not None
        self.store.pass_ms(ms)
        self.now_ms = self.store.clock.now_ms
        self.look()

    def stop(self) -> None:
        assert self.store is not None
        self.store.stop()
        if self.at.left > 0:
            self.promised = len(self.states) - 1
        self.store = None


def write(lives: Lives, name: str) -> None:
    lives.do("XADD", "s", "IDMP", "p", name, "*", "name", name)
    lives.do("XGROUP", "CREATE", "s", name, "0")
    lives.do("XREADGROUP", "GROUP", name, "c", "COUNT", "2", "STREAMS", "s", ">")
    lives.do("MULTI")
    lives.do("SET", name, "x" * 700)
    lives.do("XADD", "t", "*", "name", name)
    lives.do("EXEC")


def scenario(lives: Lives) -> None:
    lives.start()
    write(lives, "first")
    lives.do("BGREWRITEAOF")
    write(lives, "while")
    lives.settle()
    write(lives, "behind")
    lives.do("CONFIG", "SET", "appendonly", "no")
    write(lives, "unrecorded")
    lives.do("CONFIG", "SET", "appendonly", "yes")
    write(lives, "recorded")
    lives.settle()
    lives.pass_ms(1100)
    write(lives, "relied on")
    lives.at.fail("sync", errno.EIO, path=".hwj")
    lives.do("SET", "doubtful", "x")
    lives.pass_ms(1100)
    lives.settle()
    lives.at.heal()
    lives.pass_ms(11_000)
    lives.settle()
    write(lives, "anew")
    lives.settle()
    lives.stop()
    lives.start()
    write(lives, "second life")
    lives.do("BGREWRITEAOF")
    lives.settle()
    lives.do("CONFIG", "SET", "appendfsync", "everysec" if lives.policy == "always" else "always")
    lives.do("CONFIG", "SET", "appendfsync", lives.policy)
    write(lives, "last")
    lives.settle()
    lives.stop()


def operations(policy: str) -> int:
    at = StoppingDisk(1 << 30)
    lives = Lives(at, policy)
    scenario(lives)
    return (1 << 30) - at.left


@pytest.mark.parametrize("policy", ["always", "everysec"])
def test_the_power_fails_behind_every_operation(policy: str) -> None:
    for count in range(operations(policy)):
        seed = count if (count % 2 == 0) == (policy == "always") else None
        at = StoppingDisk(count)
        lives = Lives(at, policy)
        with contextlib.suppress(HeadwaterError, OSError):
            scenario(lives)
        if lives.store is not None:
            lives.store.stop()  # nothing of it comes to the disk
        at.crash(None if seed is None else random.Random(seed))
        at.heal()
        at.left = 1 << 30
        store = DurableEngine(at, lives.now_ms)
        found = store.digest()
        store.stop()
        assert found in lives.states, (count, seed)
        last = len(lives.states) - 1 - lives.states[::-1].index(found)
        assert last >= lives.promised, (count, seed, last, lives.promised)
