"""Power failures at any moment of a server's life: what was promised is there, and a whole prefix.

Producers, consumers, claimers and ackers work, snapshots and rewrites go on, syncs fail. The power
fails at any call of the disk, also within a start, and takes what was not synced, or some of it.
The next life must begin with the state behind some command: under `always` not before the last
reply that was released, under `everysec` not before the last sync that was completed.

Nothing here is a matter of time: what threads would do is done step by step.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from headwater.errors import HeadwaterError
from headwater.journal.segment import SegmentWriter
from headwater.persistence import persistence, saving
from headwater.persistence.disk_thread import Done, Job, Notify
from headwater.persistence.snapshot_file import DirectFile
from support.durable import DurableEngine
from support.embedded import NOW_MS, Client
from support.history import StoppedError, StoppingDisk
from support.wire import Word, plain

Id = tuple[int, int]
LIVES = 25
COMMANDS = 60
NEVER = 1 << 40
REFUSED = (b"MISCONF", b"EXECABORT", b"BUSYGROUP")


class Steps:
    """A DiskThread whose jobs are done when somebody says so."""

    def __init__(self, notify: Notify) -> None:
        self.jobs: deque[tuple[Job, Done]] = deque()

    def submit(self, job: Job, done: Done) -> None:
        self.jobs.append((job, done))

    def step(self) -> None:
        job, done = self.jobs.popleft()
        try:
            result = job()
        except OSError as error:
            done(None, error)
        else:
            done(result, None)

    def drain(self) -> None:
        while self.jobs:
            self.step()

    def stop(self) -> None:
        self.drain()


class SameThreadFile(DirectFile):
    """A snapshot's file that is written at once."""

    waiting = 0

    def __init__(self, disk: Any, path: str, before: Any = None) -> None:
        super().__init__(disk, path)


@pytest.fixture(autouse=True)
def _no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persistence, "DiskThread", Steps)
    monkeypatch.setattr(saving, "ThreadFile", SameThreadFile)


class Lives:
    """One disk, life after life.

    digests: of the state at each position of the journal, from 0 on
    promised: the position that no power failure may go back behind
    facts: (position, what a client is told once that is promised)
    acked: at which position an entry was acknowledged, whether anybody was told or not
    """

    def __init__(self, policy: str, seed: int, syncs_fail: bool = False) -> None:
        self.policy = policy
        self.syncs_fail = syncs_fail
        self.random = Random(f"{policy} {seed}")
        self.disk = StoppingDisk(NEVER)
        self.now_ms = NOW_MS
        self.digests: dict[int, str] = {}
        self.promised = 0
        self.facts: list[tuple[int, str, Id]] = []
        self.told: dict[str, set[Id]] = {"added": set(), "delivered": set(), "acked": set()}
        self.acked: dict[Id, int] = {}
        self.lost = self.in_start = self.in_rewrite = self.in_save = self.sync_failures = 0
        self.numbers = 0
        self.store: DurableEngine
        self.clients: dict[str, Client]

    # --- a life ---

    def start(self) -> None:
        """Start, after as many power failures within the start as come."""
        while True:
            self.disk.left = self.random.choice((3, 10, 30, NEVER, NEVER))
            try:
                self.store = DurableEngine(
                    self.disk,
                    self.now_ms,
                    appendfsync=self.policy,
                    auto_aof_rewrite_percentage="0",
                    stream_idmp_duration="86400",
                    save="",
                )
            except StoppedError:
                self.in_start += 1
                self.power_fails()
            else:
                break
        self.disk.left = NEVER
        names = ("producer-1", "producer-2", "ann", "bob", "claimer", "acker", "admin")
        self.clients = {
            name: Client(self.store.engine, number, 2) for number, name in enumerate(names)
        }

    def power_fails(self) -> None:
        self.disk.go_on()
        self.disk.heal()
        self.disk.crash(self.random if self.random.randrange(3) else None)

    def has_seen_all(self) -> bool:
        """Whether it was no idle time: power has failed in the middle of everything."""
        moments = (self.lost, self.in_start, self.in_rewrite, self.in_save)
        return all(self.told.values()) and all(moments)

    def live(self) -> None:
        """Work until the power fails."""
        self.disk.left = self.random.randrange(150)
        saving_now = False
        try:
            for _ in range(COMMANDS):
                saving_now = self.store.persistence.saving.in_progress
                self.random.choice(self.steps())()
        except StoppedError:
            pass
        # A StoppedError within a step comes before the promise could be read.
        self.in_rewrite += self.store.persistence.saving.is_rewriting
        self.in_save += saving_now and not self.store.persistence.saving.is_rewriting
        self.power_fails()

    def steps(self) -> list[Callable[[], None]]:
        return [
            *(self.add, self.add, self.add_many, self.add_idempotent, self.read, self.read),
            *(self.claim, self.acknowledge, self.acknowledge, self.give_back, self.other),
            *([self.end_round] * 5),
            *([self.let_disk_work] * 6),
            *([self.pass_time] * 2),
            *(self.save, self.rewrite, self.let_a_sync_fail),
        ]

    # --- what clients do ---

    def say(self, client: str, *words: Word) -> Any:
        """Execute a command; the state behind it is one that may be found again."""
        recorder = self.store.state.recorder
        before = recorder.end
        reply = self.clients[client].call(*words)
        if recorder.end != before:
            self.digests[recorder.end] = self.store.digest()
        else:
            assert self.digests[before] == self.store.digest(), words
        if reply[0] == "-":
            # Refused, as long as the journal cannot be relied on.
            assert reply[1].startswith(REFUSED), (words, reply)
            return None
        return plain(reply)

    def note(self, kind: str, ids: list[Id]) -> None:
        end = self.store.state.recorder.end
        self.facts += [(end, kind, one) for one in ids]

    def fields(self) -> tuple[Word, ...]:
        self.numbers += 1
        size = 20_000 if self.random.randrange(12) == 0 else self.random.randrange(60)
        return "n", self.numbers, "v", "v" * size

    def add(self) -> None:
        added = self.say("producer-1", "XADD", "orders", "*", *self.fields())
        if added:
            self.note("added", [parse(added)])

    def add_many(self) -> None:
        """In a transaction, to two streams."""
        self.say("producer-2", "MULTI")
        for stream in ("orders", "plain", "orders"):
            self.say("producer-2", "XADD", stream, "*", *self.fields())
        added = self.say("producer-2", "EXEC")
        if added:
            self.note("added", [parse(added[0]), parse(added[2])])

    def add_idempotent(self) -> None:
        number = self.random.randrange(50)
        words = ("XADD", "orders", "IDMP", "p", f"i{number}", "*", "n", number)
        added = self.say("producer-1", *words)
        if added:
            self.note("added", [parse(added)])

    def read(self) -> None:
        name = self.random.choice(("ann", "bob"))
        self.say(name, "XGROUP", "CREATE", "orders", "g", "0", "MKSTREAM")
        found = self.say(
            name, "XREADGROUP", "GROUP", "g", name, "COUNT", 5, "STREAMS", "orders", ">"
        )
        if found:
            self.note("delivered", [parse(entry) for entry, _ in found[0][1]])

    def pending(self, count: int) -> list[Id]:
        if "orders" not in {key.decode() for key in self.keys()}:
            return []
        rows = self.say("claimer", "XPENDING", "orders", "g", "-", "+", count) or []
        return [parse(row[0]) for row in rows]

    def keys(self) -> list[bytes]:
        found: list[bytes] = self.say("admin", "KEYS", "*")
        return found

    def has_group(self) -> bool:
        stream: Any = self.store.state.keyspace.databases[0].values.get(b"orders")
        return stream is not None and stream.groups is not None

    def claim(self) -> None:
        if not self.has_group():
            return
        if self.random.randrange(2):
            self.say("claimer", "XAUTOCLAIM", "orders", "g", "eve", 0, "0", "COUNT", 3)
            return
        ids = self.pending(3)
        if ids:
            self.say("claimer", "XCLAIM", "orders", "g", "eve", 0, *map(show, ids))

    def acknowledge(self) -> None:
        if not self.has_group():
            return
        pending = self.pending(20)
        ids = self.random.sample(pending, min(len(pending), 4))
        if ids and self.say("acker", "XACK", "orders", "g", *map(show, ids)):
            self.note("acked", ids)
            for one in ids:
                self.acked[one] = self.store.state.recorder.end

    def give_back(self) -> None:
        ids = self.pending(2) if self.has_group() else []
        if ids:
            self.say("ann", "XNACK", "orders", "g", "FAIL", "IDS", len(ids), *map(show, ids))

    def other(self) -> None:
        self.say("admin", "XTRIM", "plain", "MAXLEN", 5)
        self.say("admin", "SET", f"k{self.random.randrange(5)}", "x" * self.random.randrange(99))
        self.say("admin", "DEL", f"k{self.random.randrange(5)}")

    # --- what the server does ---

    def end_round(self) -> None:
        self.store.persistence.commit()
        self.look()

    def let_disk_work(self) -> None:
        steps: Any = self.store.persistence._thread
        if steps.jobs:
            steps.step()
        self.store.persistence.work()
        self.look()

    def pass_time(self) -> None:
        ms = self.random.choice((1, 100, 1100))
        self.now_ms += ms
        self.store.clock.advance(ms)
        self.store.engine.tick()
        self.end_round()

    def save(self) -> None:
        if not self.store.persistence.saving.in_progress:
            self.say("admin", "BGSAVE")

    def rewrite(self) -> None:
        if not self.store.persistence.saving.in_progress:
            self.say("admin", "BGREWRITEAOF")

    def let_a_sync_fail(self) -> None:
        if self.syncs_fail and self.random.randrange(6) == 0:
            self.sync_failures += 1
            self.disk.fail("sync", errno.EIO)

    # --- what is promised, and found ---

    def look(self) -> None:
        """Clients are given the replies that were released."""
        if self.policy == "always":
            reached = self.store.state.recorder.released
        else:
            reached = self.store.persistence.synced()
        self.promised = max(self.promised, reached)
        waiting = []
        for fact in self.facts:
            if fact[0] <= self.promised:
                self.told[fact[1]].add(fact[2])
            else:
                waiting.append(fact)
        self.facts = waiting

    def check(self) -> None:
        """The state is the one at the position where the journal goes on."""
        end = self.store.state.recorder.end
        assert end >= self.promised
        if self.digests:
            assert self.store.digest() == self.digests[end]
        else:
            self.digests[end] = self.store.digest()
        self.lost += end != max(self.digests)
        self.digests = {at: digest for at, digest in self.digests.items() if at <= end}
        self.acked = {one: at for one, at in self.acked.items() if at <= end}
        self.facts = []
        self.promised = end  # it was read from the disk
        self.check_entries()

    def check_entries(self) -> None:
        """Every entry that was told of is there, and is to come, pending or acknowledged."""
        entries = {parse(entry) for entry, _ in self.say("admin", "XRANGE", "orders", "-", "+")}
        assert self.told["added"] <= entries
        assert self.told["delivered"] <= entries
        if not self.has_group():
            assert not self.told["delivered"]
            return
        group = self.say("admin", "XINFO", "GROUPS", "orders")[0]
        position = parse(group[group.index(b"last-delivered-id") + 1])
        pending = set(self.pending(100_000))
        assert not self.told["acked"] & pending
        for entry in entries:
            assert (entry <= position) == (entry in pending or entry in self.acked)
        assert all(entry <= position for entry in self.told["delivered"])


def parse(text: bytes) -> Id:
    ms, _, number = text.decode().partition("-")
    return int(ms), int(number)


def show(entry: Id) -> str:
    return f"{entry[0]}-{entry[1]}"


def go_through(lives: Lives) -> None:
    """All lives, and the start behind the last."""
    for _ in range(LIVES):
        lives.start()
        lives.check()
        lives.live()
    lives.start()
    lives.check()


@pytest.mark.parametrize("policy", ["always", "everysec"])
@pytest.mark.parametrize("seed", range(3))
def test_nothing_promised_is_lost(policy: str, seed: int) -> None:
    lives = Lives(policy, seed)
    for _ in range(5):  # how far the disk's thread is when the power fails is up to the machine
        go_through(lives)
        if lives.has_seen_all():
            break
        lives.live()
    assert lives.has_seen_all()


@pytest.mark.parametrize("policy", ["always", "everysec"])
@pytest.mark.parametrize("seed", range(2))
def test_nothing_promised_is_lost_where_syncs_fail(policy: str, seed: int) -> None:
    lives = Lives(policy, seed, syncs_fail=True)
    go_through(lives)
    assert lives.sync_failures


def test_a_server_that_releases_too_early_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if each write were a sync."""
    monkeypatch.setattr(SegmentWriter, "sync", lambda writer: None)
    lives = Lives("always", 0)
    with pytest.raises((AssertionError, HeadwaterError)):
        go_through(lives)
