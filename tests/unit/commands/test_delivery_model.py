"""All that a group may be told about its deliveries at once, against a model in plain Python.

Several consumers read, settle and lose entries of one stream in two groups whose settings change
in the middle, time passes, connections close, the server is killed and starts again from its
journal. Behind every step pending entries, dead letters, backlog and figures are what the model
(support/delivery_model.py) says; at the end everything that was left is obtained by reading.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from headwater.commands.blocking import end_wait
from headwater.streams.stream import Stream
from support.delivery_model import ADDED_FIELDS, FATAL, Group, Id, Model, Retain, id_of, text_of
from support.disk import SimulatedDisk
from support.durable import DIRECTORY, DurableEngine
from support.embedded import Client
from support.wire import plain

pytestmark = pytest.mark.timeout(900)  # a failing example is made smaller first

KEY = "s"
GROUPS = ["g", "h"]
DEAD = ["s:dead-letter", "graves"]
ALL = 1000
STEPS_MS = [0, 10, 100, 400, 1000, 3000, 12_000]
START_MS = 300_000  # nobody is removed so soon after a start

consumers = st.sampled_from(["ann", "bob", "eve"])
groups = st.sampled_from(["g", "g", "g", "h"])
picks = st.lists(st.integers(0, 30), min_size=1, max_size=4)
counts = st.sampled_from([1, 2, 3, 100])

OPTIONS: list[tuple[str, list[Any]]] = [
    ("ackwait", [0, 300, 1000, 1000, 5000]),
    ("backoff", [(), (200,), (500, 2000), (100, 700, 100)]),
    ("maxdeliveries", [0, 1, 2, 3, 3]),
    ("deadletter", ["", "graves"]),
    ("maxpending", [0, 0, 1, 3]),
    ("groupmaxpending", [0, 0, 2, 5]),
    ("orderby", ["", "who", "who", "what"]),
    ("lease", ["time", "time", "connection"]),
]
usual = st.fixed_dictionaries(
    {
        "ackwait": st.sampled_from([300, 1000]),
        "maxdeliveries": st.sampled_from([0, 2, 3]),
        "orderby": st.sampled_from(["", "who", "what"]),
        "lease": st.sampled_from(["time", "connection"]),
    }
)
changes = st.one_of(
    st.fixed_dictionaries({}, optional={n: st.sampled_from(v) for n, v in OPTIONS}),
    *(st.fixed_dictionaries({n: st.sampled_from(v)}) for n, v in OPTIONS),
)


RETAIN: list[tuple[str, list[Any]]] = [
    ("maxlen", [0, 2, 6, 12]),
    ("maxage", [0, 700, 5000]),
    ("maxbytes", [0, 1, 700]),
    ("acked", ["no", "yes", "yes"]),
]
RETAIN_SOON_MS = 200


def words_of(changed: dict[str, Any]) -> list[Any]:
    """Options as XGROUP CFGSET takes them."""
    words: list[Any] = []
    for name, value in changed.items():
        if name == "backoff":
            words += ["BACKOFF", *(value or (0,))]
        else:
            words += [name.upper(), value]
    return words


def fields(flat: list[Any]) -> dict[str, Any]:
    return {name.decode(): value for name, value in zip(flat[::2], flat[1::2], strict=True)}


class DeliveryMachine(RuleBasedStateMachine):
    """`clients` has the connection of each consumer, `waiting` a blocked reader of some of them."""

    def __init__(self) -> None:
        super().__init__()
        self.store = DurableEngine(SimulatedDisk(DIRECTORY), stream_node_max_entries="4")
        self.model = Model(KEY)
        self.clients: dict[str, Client] = {}
        self.waiting: dict[str, tuple[str, int, int]] = {}
        self.number = 0
        self.buried: dict[str, int] = dict.fromkeys(DEAD, 0)
        for name in GROUPS:
            self.ok("XGROUP", "CREATE", KEY, name, "0", "MKSTREAM")
            self.model.groups[name] = Group(name)

    # --- the server ---

    @property
    def now(self) -> int:
        return self.store.clock.now_ms

    def say(self, client: Client, *words: Any) -> Any:
        reply = client.ok(*words)
        assert not self.store.state.unexpected_errors, words
        self.store.persistence.commit()
        return reply

    def ok(self, *words: Any) -> Any:
        return self.say(self.store.client, *words)

    def connection(self, consumer: str) -> Client:
        """A consumer's own connection, which is not one that waits."""
        client = self.clients.get(consumer)
        if client is None:
            client = Client(self.store.engine, 10 + len(self.clients), 2)
            self.clients[consumer] = client
            self.model.open_sessions.add(client.session.id)
        return client

    def upkeep(self) -> None:
        """What the server's timer does until nothing is due."""
        for _ in range(100):
            self.store.engine.run_due()
            self.store.persistence.commit()
            self.appended_and_dropped()
            self.served()
            if self.store.state.keyspace.calendar.next_ms() > self.now:
                return
        raise AssertionError("upkeep does not come to its end")

    # --- after each step ---

    def check(self) -> None:
        """Let everything happen that is due, and compare."""
        self.appended_and_dropped()
        self.served()
        self.upkeep()
        while any(at <= self.now for at, _, _ in self.model.scheduled.values()):
            assert self.model.retain != Retain(), "due, and not appended"
            self.next_scheduled()
        self.model.lapse(self.now)
        self.dead_letters()
        for group in self.model.groups.values():
            self.compare(group)
        self.model.allowed.clear()
        self.model.optional.clear()
        self.model.ghosts.clear()
        self.compare_inside()

    def served(self) -> None:
        """Blocked readers that were woken."""
        for consumer, (name, count, _) in list(self.waiting.items()):
            client = self.clients[consumer]
            replies = client.read_all()
            if replies:
                [(kind, _)] = replies
                del self.waiting[consumer]
                assert kind != "-", replies
                group = self.model.groups[name]
                self.told(group, consumer, plain(replies[0]), count)

    def told(
        self,
        group: Group,
        consumer: str,
        reply: Any,
        count: int,
        noack: bool = False,
        claim_ms: int | None = None,
    ) -> None:
        """A reader got something, or nothing."""
        session = self.clients[consumer].session.id
        group.sessions[consumer] = session
        group.seen[consumer] = group.read = self.now
        self.model.read(group, consumer, session, reply, count, self.now, noack, claim_ms)

    def appended_and_dropped(self) -> None:
        """What came by schedules, and what retention has dropped."""
        rows = self.ok("XRANGE", KEY, "-", "+")
        there = {id_of(row[0]) for row in rows}
        new = [row for row in rows if id_of(row[0]) not in self.model.entries]
        if new:
            self.scheduled(new)
        gone = [entry for entry in self.model.entries if entry not in there]
        if gone:
            self.model.drop(gone, self.now)

    def scheduled(self, new: list[Any]) -> None:
        """These were appended: what is due, in order; with retention some went again at once."""
        for row in new:
            while self.next_scheduled() != row[1]:
                assert self.model.retain != Retain(), "scheduled"
            assert id_of(row[0])[0] == self.now, "an entry has the ID of its moment"
            self.added(id_of(row[0]), row[1])

    def next_scheduled(self) -> list[bytes]:
        """The fields of the entry that is to be appended next, which is done then."""
        scheduled = self.model.scheduled
        handle = min(scheduled, key=lambda one: (scheduled[one][0], int(one)), default=None)
        assert handle is not None, "scheduled"
        at, every, words = scheduled.pop(handle)
        assert at <= self.now, "scheduled"
        if every:
            scheduled[handle] = (at + every, every, words)
        return words

    def added(self, entry: Id, words: list[bytes]) -> None:
        self.model.entries[entry] = words
        for group in self.model.groups.values():
            group.undelivered.add(entry)

    def dead_letters(self) -> None:
        """What became a dead letter is what had to."""
        for key in DEAD:
            rows = self.ok("XRANGE", key, "-", "+")
            for _, words in rows[self.buried[key] :]:
                split = len(words) - 2 * len(ADDED_FIELDS)
                added = fields(words[split:])
                assert list(added) == ADDED_FIELDS
                found = (key, added, words[:split])
                if found not in self.model.expected + self.model.optional:
                    group = self.model.groups[added["group"].decode()]
                    entry = id_of(added["original_id"])
                    where = (found, self.model.expected)
                    assert (group.name, entry) in self.model.allowed, where
                    assert entry in group.pending, where
                    self.model.bury(group, entry, "max-deliveries", self.now)
                expected = self.model.expected
                (expected if found in expected else self.model.optional).remove(found)
            self.buried[key] = len(rows)
        assert not self.model.expected, ("not among the dead letters", self.model.expected)

    def compare(self, group: Group) -> None:
        now = self.now
        rows = self.ok("XPENDING", KEY, group.name, "-", "+", ALL)
        there = {id_of(row[0]): (row[1].decode() or None, row[2], row[3]) for row in rows}
        for entry, pending in list(group.pending.items()):
            if entry in self.model.entries or entry in there:
                continue
            # Its data is deleted: it goes when it is due, at the latest when it is to be delivered.
            assert self.model.is_due(group, pending, now) or not pending.sure, entry
            del group.pending[entry]
        known = {
            entry: (p.owner, now - p.time if p.owner is not None else -1, p.count)
            for entry, p in group.pending.items()
        }
        differ = {e: (there.get(e), known.get(e)) for e in there.keys() | known.keys()}
        differ = {e: both for e, both in differ.items() if both[0] != both[1]}
        assert not differ, (group.name, group.settings, differ)
        facts = fields(self.ok("XGROUP", "CFGGET", KEY, group.name))
        assert facts["backlog"] == len(group.undelivered)
        owned = [now - p.time for p in group.pending.values() if p.owner is not None]
        assert facts["oldest-pending-ms"] == max(owned, default=0)
        told = {f["name"].decode(): f["pending"] for f in map(fields, self.consumers_of(group))}
        for name, has in told.items():
            assert has == sum(p.owner == name for p in group.pending.values())
        self.nobody_waits_in_vain(group)

    def consumers_of(self, group: Group) -> Any:
        return self.ok("XINFO", "CONSUMERS", KEY, group.name)

    def nobody_waits_in_vain(self, group: Group) -> None:
        """A blocked reader has got what there was for it."""
        for consumer, (name, count, _) in self.waiting.items():
            # As in Redis, XGROUP SETID of a group without settings wakes nobody.
            if name == group.name and group.settings.managed:
                session = self.clients[consumer].session.id
                self.model.read(group, consumer, session, None, count, self.now)

    def compare_inside(self) -> None:
        stream = self.store.state.keyspace.databases[0].values.get(KEY.encode())
        if isinstance(stream, Stream):
            for group in (stream.groups or {}).values():
                group.check()

    # --- steps ---

    @initialize(first=usual, some=st.lists(changes, max_size=2), n=st.integers(0, 3))
    def begin(self, first: dict[str, Any], some: list[dict[str, Any]], n: int) -> None:
        for changed in (first, *some):
            self.configure("g", changed)
        for i in range(n):
            self.add("xyz"[i], "1", 2)

    @rule(
        consumer=consumers,
        count=counts,
        mode=st.sampled_from(["", "SILENT", "FAIL", "FAIL", "FAIL"]),
        ms=st.sampled_from([0, 100, 400, 1000, 3000]),
        leaves=st.booleans(),
    )
    def fail(self, consumer: str, count: int, mode: str, ms: int, leaves: bool) -> None:
        """A consumer does not get on with what it reads, or is gone."""
        self.read("g", consumer, count, False, None)
        if mode:
            group = self.model.groups["g"]
            known = sorted(group.pending)
            mine = [known.index(e) for e in known if group.pending[e].owner == consumer]
            if mine:
                self.give_back("g", mine, mode)
        if leaves:
            self.disconnect(consumer)
        self.pass_time(ms, True)

    @rule(
        who=st.sampled_from(["x", "x", "y", "z", ""]),
        what=st.sampled_from(["1", "2", ""]),
        n=st.sampled_from([1, 1, 2, 5]),
    )
    def add(self, who: str, what: str, n: int) -> None:
        for _ in range(n):
            self.number += 1
            words = ["n", self.number]
            words += ["who", who] if who else []
            words += ["what", what] if what else []
            entry = id_of(self.ok("XADD", KEY, "*", *words))
            self.added(entry, [str(word).encode() for word in words])
            self.check()

    @rule(
        name=groups,
        consumer=consumers,
        count=counts,
        noack=st.sampled_from([False, False, False, True]),
        claim_ms=st.sampled_from([None, None, None, 0, 500]),
    )
    def read(self, name: str, consumer: str, count: int, noack: bool, claim_ms: int | None) -> None:
        if consumer in self.waiting:
            return
        group = self.model.groups[name]
        words: list[Any] = ["XREADGROUP", "GROUP", name, consumer, "COUNT", count]
        words += ["NOACK"] if noack else []
        words += ["CLAIM", claim_ms] if claim_ms is not None else []
        for entry, pending in group.pending.items():
            if claim_ms is not None and self.model.exhausted(group, pending):
                self.model.allowed.add((name, entry))
        reply = self.say(self.connection(consumer), *words, "STREAMS", KEY, ">")
        self.told(group, consumer, reply, count, noack, claim_ms)
        self.check()

    @rule(name=groups, consumer=consumers, count=counts)
    def wait(self, name: str, consumer: str, count: int) -> None:
        if consumer in self.waiting:
            return
        client = self.connection(consumer)
        client.send(
            *("XREADGROUP", "GROUP", name, consumer),
            *("COUNT", count, "BLOCK", 0, "STREAMS", KEY, ">"),
        )
        self.store.persistence.commit()
        self.waiting[consumer] = (name, count, self.now)
        self.model.groups[name].sessions[consumer] = client.session.id
        self.check()

    @rule(name=groups, consumer=consumers, count=counts)
    def read_history(self, name: str, consumer: str, count: int) -> None:
        if consumer in self.waiting:
            return
        group = self.model.groups[name]
        client = self.connection(consumer)
        own = sorted(e for e, p in group.pending.items() if p.owner == consumer)
        reply = self.say(
            *(client, "XREADGROUP", "GROUP", name, consumer),
            *("COUNT", count, "STREAMS", KEY, "0"),
        )
        group.sessions[consumer] = client.session.id
        rows = reply[0][1] if reply else []
        got = [id_of(row[0]) for row in rows]
        last = got[-1] if got and len(got) == count else (1 << 64, 0)
        for entry in own:
            pending = group.pending[entry]
            if entry in got:
                row = rows[got.index(entry)]
                assert row[1] == self.model.entries.get(entry)
                if entry in self.model.entries:
                    assert not self.model.exhausted(group, pending), "delivered too often"
                    self.model.give(
                        *(group, entry, consumer, client.session.id),
                        *(self.now, pending.count + 1),
                    )
            elif self.model.exhausted(group, pending):
                if got and entry < got[-1]:
                    self.model.bury(group, entry, "max-deliveries", self.now)
                else:
                    self.model.allowed.add((name, entry))
            else:
                assert entry > last, ("left out of the history", entry)
        self.check()

    @rule(name=groups, some=picks)
    def acknowledge(self, name: str, some: list[int]) -> None:
        group = self.model.groups[name]
        chosen = self.picked(group, some)
        for entry in chosen:
            if entry not in group.pending:
                continue  # a dead letter by now
            assert self.ok("XACK", KEY, name, text_of(entry)) == 1
            del group.pending[entry]
            self.check()

    def picked(self, group: Group, some: list[int]) -> list[Id]:
        """Pending entries."""
        known = sorted(group.pending)
        return sorted({known[n % len(known)] for n in some}) if known else []

    @rule(name=groups, some=picks, mode=st.sampled_from(["SILENT", "FAIL", "FAIL", "FATAL"]))
    def give_back(self, name: str, some: list[int], mode: str) -> None:
        group = self.model.groups[name]
        for entry in self.picked(group, some):
            if entry not in group.pending:
                continue  # a woken reader's
            assert self.ok("XNACK", KEY, name, mode, "IDS", 1, text_of(entry)) == 1
            self.model.nack(group, entry, mode, self.now)
            self.check()

    @rule(
        name=groups,
        consumer=consumers,
        some=picks,
        idle=st.sampled_from([0, 0, 500]),
        justid=st.booleans(),
    )
    def claim(self, name: str, consumer: str, some: list[int], idle: int, justid: bool) -> None:
        if consumer in self.waiting:
            return
        group = self.model.groups[name]
        chosen = self.picked(group, some)
        if not chosen:
            return
        client = self.connection(consumer)
        reply = self.say(
            *(client, "XCLAIM", KEY, name, consumer, idle, *map(text_of, chosen)),
            *(["JUSTID"] if justid else []),
        )
        group.sessions[consumer] = client.session.id
        got = [id_of(row if justid else row[0]) for row in reply]
        self.claimed(group, consumer, chosen, got, idle, justid)
        self.check()

    @rule(
        name=groups,
        consumer=consumers,
        count=counts,
        idle=st.sampled_from([0, 0, 500]),
        justid=st.booleans(),
    )
    def claim_all(self, name: str, consumer: str, count: int, idle: int, justid: bool) -> None:
        if consumer in self.waiting:
            return
        group = self.model.groups[name]
        client = self.connection(consumer)
        cursor, rows, _ = self.say(
            *(client, "XAUTOCLAIM", KEY, name, consumer, idle, "0", "COUNT", count),
            *(["JUSTID"] if justid else []),
        )
        group.sessions[consumer] = client.session.id
        got = [id_of(row if justid else row[0]) for row in rows]
        end = id_of(cursor) if cursor != b"0-0" else (1 << 64, 0)
        scanned = [e for e in sorted(group.pending) if e < end]
        self.claimed(group, consumer, scanned, got, idle, justid)
        self.check()

    def claimed(
        self, group: Group, consumer: str, wanted: list[Id], got: list[Id], idle: int, justid: bool
    ) -> None:
        """Of these, which were looked at, those idle for long enough were to go to a consumer."""
        left = []
        session = self.clients[consumer].session.id
        for entry in wanted:
            pending = group.pending[entry]
            if entry not in self.model.entries:
                del group.pending[entry]
            elif pending.owner is not None and self.now - pending.time < idle:
                continue
            elif self.model.exhausted(group, pending) and not justid:
                self.model.bury(group, entry, "max-deliveries", self.now)
            else:
                left.append(entry)
                count = pending.count if justid else pending.count + 1
                self.model.give(group, entry, consumer, session, self.now, count)
        assert got == left

    @rule(some=picks)
    def delete(self, some: list[int]) -> None:
        known = sorted(self.model.entries)
        for entry in {known[n % len(known)] for n in some} if known else ():
            if entry not in self.model.entries:
                continue  # retention has dropped it meanwhile
            assert self.ok("XDEL", KEY, text_of(entry)) == 1
            self.model.delete(entry)
            self.check()

    @rule(keep=st.sampled_from([3, 8, 15]))
    def trim(self, keep: int) -> None:
        gone = sorted(self.model.entries)[:-keep]
        assert self.ok("XTRIM", KEY, "MAXLEN", keep) == len(gone)
        for entry in gone:
            self.model.delete(entry)
        self.check()

    @rule(name=groups, changed=changes)
    def configure(self, name: str, changed: dict[str, Any]) -> None:
        if not changed:
            return
        group = self.model.groups[name]
        position = id_of(self.told_of(group)["last-delivered-id"])
        self.ok("XGROUP", "CFGSET", KEY, name, *words_of(changed))
        self.model.configure(group, position, **changed)
        self.check()

    @rule(changed=st.fixed_dictionaries({}, optional={n: st.sampled_from(v) for n, v in RETAIN}))
    def retain(self, changed: dict[str, Any]) -> None:
        if changed:
            words = [word for n, value in changed.items() for word in (f"RETAIN-{n}", value)]
            self.ok("XCFGSET", KEY, *words)
            self.model.retain = replace(self.model.retain, **changed)
            self.check()

    def told_of(self, group: Group) -> dict[str, Any]:
        found = map(fields, self.ok("XINFO", "GROUPS", KEY))
        return next(f for f in found if f["name"].decode() == group.name)

    @rule(name=groups, pick=st.integers(0, 30), drop=st.sampled_from([None, False, True]))
    def position(self, name: str, pick: int, drop: bool | None) -> None:
        """XGROUP SETID, or XGROUP RESET with what is pending kept or dropped."""
        group = self.model.groups[name]
        known = sorted(self.model.entries)
        if not known:
            return
        entry = known[pick % len(known)]
        if drop is None:
            self.ok("XGROUP", "SETID", KEY, name, text_of(entry))
            self.model.position(group, entry)
        else:
            words = ("PENDING", "DROP" if drop else "KEEP")
            reply = self.ok("XGROUP", "RESET", KEY, name, text_of(entry), *words)
            dropped = len(group.pending) if drop else 0
            before = max((e for e in known if e < entry), default=(0, 0))
            self.model.position(group, before)
            assert reply == [text_of(entry).encode(), len(group.undelivered), dropped]
            if drop:
                group.pending.clear()
        self.check()

    @rule(name=groups, consumer=consumers)
    def delete_consumer(self, name: str, consumer: str) -> None:
        group = self.model.groups[name]
        if consumer in self.waiting:
            return
        gone = [e for e, p in group.pending.items() if p.owner == consumer]
        assert self.ok("XGROUP", "DELCONSUMER", KEY, name, consumer) == len(gone)
        for entry in gone:
            del group.pending[entry]
        self.check()

    @rule(ms=st.sampled_from(STEPS_MS), looked_after=st.booleans())
    def pass_time(self, ms: int, looked_after: bool) -> None:
        """Without upkeep the next command finds what it has not come to yet."""
        self.store.clock.advance(ms)
        if looked_after:
            self.check()
            if ms > RETAIN_SOON_MS:
                self.model.retained(self.now, RETAIN_SOON_MS)

    @rule(
        ms=st.sampled_from([10, 100, 1000, 2500]),
        every=st.sampled_from([0, 0, 800]),
        who=st.sampled_from(["x", "y"]),
    )
    def schedule(self, ms: int, every: int, who: str) -> None:
        self.number += 1
        words = ["n", self.number, "who", who]
        handle = self.ok(
            *("XSCHEDULE", "ADD", KEY, "IN", ms, *(["EVERY", every] if every else [])), *words
        )
        at = self.now + ms
        self.model.scheduled[handle] = (at, every, [str(word).encode() for word in words])
        self.check()

    @rule(pick=st.integers(0, 30))
    def cancel(self, pick: int) -> None:
        known = sorted(self.model.scheduled)
        if known:
            self.check()
        if known and known[pick % len(known)] in self.model.scheduled:
            handle = known[pick % len(known)]
            assert self.ok("XSCHEDULE", "CANCEL", KEY, handle) == 1
            del self.model.scheduled[handle]
            self.check()

    @rule(consumer=consumers)
    def disconnect(self, consumer: str) -> None:
        client = self.clients.pop(consumer, None)
        if client is not None:
            self.hang_up(client)
            self.waiting.pop(consumer, None)
            self.model.open_sessions.discard(client.session.id)
            self.check()

    def hang_up(self, client: Client) -> None:
        if client.session.blocked is not None:
            end_wait(client.session)
        client.session.close()

    @rule(rewritten=st.sampled_from(["no", "no", "yes"]))
    def restart(self, rewritten: str) -> None:
        """The server is killed and starts again from its journal, or from a base that it wrote."""
        store = self.store
        self.check()
        if rewritten == "yes":
            self.ok("BGREWRITEAOF")
        store.settle()
        digest = store.digest()
        store.disk.kill()
        self.store = DurableEngine(store.disk, self.now, stream_node_max_entries="4")
        assert self.store.digest() == digest
        self.clients.clear()
        self.waiting.clear()
        self.model.restart()
        self.check()

    def teardown(self) -> None:
        """Nothing is stranded: one reader gets all that is left."""
        self.check()
        self.waiting.clear()
        for client in self.clients.values():
            self.hang_up(client)
        self.clients.clear()
        self.model.open_sessions.clear()
        self.check()
        for group in self.model.groups.values():
            self.drain(group)
        self.store.stop()

    def drain(self, group: Group) -> None:
        for handle in list(self.model.scheduled):
            self.ok("XSCHEDULE", "CANCEL", KEY, handle)
        self.model.scheduled.clear()
        if not group.settings.managed or not group.settings.ackwait:
            position = id_of(self.told_of(group)["last-delivered-id"])
            self.ok("XGROUP", "CFGSET", KEY, group.name, "ACKWAIT", 1000)
            self.model.configure(group, position, ackwait=1000)
        for _ in range(60):
            self.store.clock.advance(3000)
            self.check()
            self.read(group.name, "ann", 100, False, None)
            # Somebody has to look after what was given back as fatal and had nowhere to go.
            done = [e for e, p in group.pending.items() if p.owner == "ann" or p.count == FATAL]
            for entry in done:
                self.ok("XACK", KEY, group.name, text_of(entry))
                del group.pending[entry]
            self.check()
            if not group.pending and not group.undelivered:
                return
        raise AssertionError(("stranded", group.pending, group.undelivered))


TestDelivery = DeliveryMachine.TestCase
TestDelivery.settings = settings(max_examples=40, stateful_step_count=40)
