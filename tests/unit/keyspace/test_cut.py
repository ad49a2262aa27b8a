"""Cuts: however commands and the walk take turns, what is walked is the moment of the cut."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from headwater.clock import ManualClock
from headwater.commands.digest import value_digest
from headwater.keyspace.cut import Cut
from headwater.keyspace.database import Keyspace
from headwater.keyspace.order import KeyOrder
from headwater.keyspace.strings import String
from headwater.streams.stream import Stream
from headwater.value import Value
from support.embedded import Embedded

KEYS = ("k0", "k1", "k2")
KEY = st.sampled_from(KEYS)
DBS = st.integers(0, 2)
MEMBER = st.sampled_from(["alice", "bob"])
ID = st.integers(1, 6).map(lambda ms: f"{ms}-0")


def words(*parts: str | st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    """The words of a command, each as it is or drawn."""
    return st.tuples(*(st.just(p) if isinstance(p, str) else p for p in parts)).map(list)


def read_group(*options: str, what: str = ">") -> st.SearchStrategy[list[str]]:
    return words("XREADGROUP", "GROUP", "g", MEMBER, *options, "STREAMS", KEY, what)


COMMANDS = st.one_of(
    words("SET", KEY, st.sampled_from(["a", "b"])),
    words("APPEND", KEY, st.sampled_from(["a", "b"])),
    words("SETRANGE", KEY, st.sampled_from(["0", "3"]), st.sampled_from(["a", "b"])),
    words("INCR", KEY),
    words("XADD", KEY, "*", "f", "v"),
    words("XADD", KEY, "IDMP", "p", st.sampled_from(["a", "b"]), "*", "f", "v"),
    words("XDEL", KEY, ID),
    words("XTRIM", KEY, "MAXLEN", st.integers(0, 5).map(str)),
    words("XSETID", KEY, "9999999999999-0"),
    words("XGROUP", "CREATE", KEY, "g", st.sampled_from(["0", "$"]), "MKSTREAM"),
    words("XGROUP", "DESTROY", KEY, "g"),
    words("XGROUP", "SETID", KEY, "g", ID),
    words("XGROUP", "DELCONSUMER", KEY, "g", MEMBER),
    read_group("COUNT", "2"),
    read_group("COUNT", "2", "NOACK"),
    read_group("COUNT", "1", "CLAIM", "10"),
    read_group(what="0"),
    words("XACK", KEY, "g", ID),
    words("XCLAIM", KEY, "g", MEMBER, "0", ID, "FORCE"),
    words("XAUTOCLAIM", KEY, "g", MEMBER, "0", "0", "COUNT", "1"),
    words("XNACK", KEY, "g", "SILENT", "IDS", "1", ID),
    words("DEL", KEY),
    words("RENAME", KEY, KEY),
    words("MOVE", KEY, DBS.map(str)),
    words("COPY", KEY, KEY, "DB", DBS.map(str), "REPLACE"),
    words("PEXPIRE", KEY, st.sampled_from(["-5", "20", "100000"])),
    words("PERSIST", KEY),
    words("GET", KEY),
    words("RANDOMKEY"),
    words("SWAPDB", DBS.map(str), DBS.map(str)),
    words("FLUSHDB"),
    words("FLUSHALL"),
)

Content = dict[tuple[int, bytes], tuple[bytes, int]]


class CutMachine(RuleBasedStateMachine):
    """Commands on three databases, some of them between the steps of a walk."""

    def __init__(self) -> None:
        super().__init__()
        self.embedded = Embedded(stream_node_max_entries="3")
        self.keyspace = self.embedded.engine.keyspace
        self.clients = []
        for db in range(3):
            client = self.embedded.connect()
            client.ok("SELECT", db)
            self.clients.append(client)
        self.cut: Cut | None = None
        self.cut_ms = 0
        self.expected: Content = {}
        self.walked: Content = {}
        self.held: list[tuple[Value, bytes]] = []

    # --- the walk ---

    @precondition(lambda self: self.cut is None)
    @rule()
    def begin(self) -> None:
        self.cut_ms = self.embedded.clock.now_ms
        self.expected = {}
        self.walked = {}
        for db in self.keyspace.databases:
            for key, value in db.values.items():
                digest = value_digest(value, self.cut_ms)
                self.expected[db.index, key] = (digest, value.expire_at)
        self.cut = Cut(self.keyspace)
        assert self.cut.keys == len(self.expected)

    @precondition(lambda self: self.cut is not None)
    @rule(steps=st.integers(1, 4), hold=st.booleans())
    def walk(self, steps: int, hold: bool) -> None:
        cut = self.cut
        assert cut is not None
        self._check_held()
        for _ in range(steps):
            if not cut.advance():
                self._finish(cut)
                return
            self._note(cut)
        if hold:
            value = cut.hold()
            self.held = [(value, value_digest(value, self.cut_ms))]

    def _note(self, cut: Cut) -> None:
        table, value = cut.table, cut.value
        assert table is not None
        assert value is not None
        self.held = []
        name = (table.index, table.key)
        assert name not in self.walked, "each key once"
        self.walked[name] = (value_digest(value, self.cut_ms), cut.expire_at)

    def _check_held(self) -> None:
        for value, digest in self.held:
            assert value_digest(value, self.cut_ms) == digest, "what is held does not change"

    def _finish(self, cut: Cut) -> None:
        assert self.walked == self.expected
        assert cut.table is None
        assert cut.value is None
        assert all(db.cut is None for db in self.keyspace.databases)
        self.cut = None
        self.held = []

    @precondition(lambda self: self.cut is not None)
    @rule()
    def give_up(self) -> None:
        assert self.cut is not None
        self.cut.close()
        assert all(db.cut is None for db in self.keyspace.databases)
        self.cut = None
        self.held = []

    @rule()
    def free(self) -> None:
        self.keyspace.free_some(3)

    def teardown(self) -> None:
        self._check_held()
        if self.cut is not None:
            while self.cut.advance():
                self._note(self.cut)
            self._finish(self.cut)
        while self.keyspace.free_some(1000):
            pass
        for db in self.keyspace.databases:
            assert db.order.count == len(db.values)
            for value in db.values.values():
                if isinstance(value, Stream):
                    for group in (value.groups or {}).values():
                        group.check()

    # --- commands ---

    @initialize()
    def some_keys(self) -> None:
        for client in self.clients[:2]:
            for key in KEYS:
                for ms in range(1, 5):
                    client.ok("XADD", key, f"{ms}-0", "f", "v")
                client.ok("XGROUP", "CREATE", key, "g", "0")
                client.ok("XREADGROUP", "GROUP", "g", "alice", "COUNT", 2, "STREAMS", key, ">")

    @rule(db=DBS, words=COMMANDS)
    def command(self, db: int, words: list[str]) -> None:
        self.clients[db].call(*words)

    @rule(db=DBS, words=COMMANDS)
    def another_command(self, db: int, words: list[str]) -> None:
        """Of two commands, one may be what only prepares for the other."""
        self.clients[db].call(*words)

    @rule(db=DBS, key=KEY, who=MEMBER)
    def wait_and_be_served(self, db: int, key: str, who: str) -> None:
        """A reader that waits changes the group when another client's XADD wakes it."""
        waiting = self.embedded.connect()
        waiting.ok("SELECT", db)
        waiting.send("XREADGROUP", "GROUP", "g", who, "BLOCK", "0", "STREAMS", key, ">")
        self.clients[db].call("XADD", key, "*", "f", "v")
        if waiting.session.blocked is not None:
            self.clients[db].call("CLIENT", "UNBLOCK", waiting.session.id)

    @rule(ms=st.integers(1, 40))
    def time_passes(self, ms: int) -> None:
        self.embedded.clock.advance(ms)

    @rule()
    def expire_actively(self) -> None:
        self.embedded.clock.advance(200)
        while self.keyspace.expire_due(2):
            pass


TestCut = CutMachine.TestCase
TestCut.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)


def some_keyspace(n: int) -> Keyspace:
    keyspace = Keyspace(ManualClock(1000), 2, Random(1))
    for i in range(n):
        keyspace.databases[0].add(b"%d" % i, String(b"v%d" % i))
    return keyspace


def walk(cut: Cut) -> list[tuple[int, bytes, bytes]]:
    found = []
    while cut.advance():
        table, value = cut.table, cut.value
        assert table is not None
        assert isinstance(value, String)
        found.append((table.index, table.key, value.content()))
    return found


def test_a_walk_of_many_keys_with_most_of_them_changed_meanwhile() -> None:
    keyspace = some_keyspace(5000)
    db = keyspace.databases[0]
    random = Random(7)
    expected = {(0, key, value.content()) for key, value in db.values.items()}  # type: ignore[attr-defined]
    cut = Cut(keyspace)
    found = []
    while cut.advance():
        table, value = cut.table, cut.value
        assert table is not None
        assert isinstance(value, String)
        found.append((table.index, table.key, value.content()))
        for _ in range(3):
            key = b"%d" % random.randrange(6000)
            db.lookup_write(key)
            db.set(key, String(b"changed"))
            db.delete(b"%d" % random.randrange(6000))
    assert len(found) == 5000
    assert set(found) == expected


def test_without_changes_the_walk_goes_in_order_of_age_and_holds_nothing() -> None:
    keyspace = some_keyspace(1500)
    assert [key for _, key, _ in walk(Cut(keyspace))] == [b"%d" % i for i in range(1500)]
    assert keyspace.graveyard == []


def test_there_is_one_cut_at_a_time() -> None:
    keyspace = some_keyspace(3)
    cut = Cut(keyspace)
    with pytest.raises(RuntimeError):
        Cut(keyspace)
    cut.close()
    assert len(walk(Cut(keyspace))) == 3


def test_a_cut_of_nothing_is_over_at_once() -> None:
    keyspace = some_keyspace(0)
    cut = Cut(keyspace)
    assert (cut.keys, cut.tables, cut.advance()) == (0, [], False)


def test_a_table_that_is_flushed_is_freed_in_portions_when_the_walk_is_done() -> None:
    keyspace = some_keyspace(2000)
    cut = Cut(keyspace)
    assert cut.advance()
    assert keyspace.flush_all() == 2000
    assert not keyspace.free_some(1), "nothing that the walk needs is freed"
    assert len(walk(cut)) == 1999
    assert keyspace.graveyard
    portions = 0
    while keyspace.free_some(100):
        portions += 1
    assert portions > 20


def test_a_table_is_freed_when_the_walk_is_given_up_too() -> None:
    keyspace = some_keyspace(10)
    cut = Cut(keyspace)
    assert cut.advance()
    keyspace.databases[0].lookup_write(b"7")
    keyspace.databases[0].delete(b"8")
    keyspace.flush_all()
    cut.close()
    cut.close()
    assert sum(len(part) for part in keyspace.graveyard) >= 1 + 1 + 9
    assert not cut.advance()


def test_a_stream_that_is_dropped_is_freed_after_it_was_walked() -> None:
    keyspace = some_keyspace(1)
    stream = Stream()
    stream.groups = {}
    db = keyspace.databases[0]
    db.add(b"s", stream)
    cut = Cut(keyspace)
    assert db.delete(b"s")
    assert cut.advance()
    assert cut.value is stream, "no copy is made of what nobody else needs"
    assert cut.hold() is stream


def test_what_is_held_stays_as_it_is_and_what_is_not_may_change() -> None:
    keyspace = some_keyspace(0)
    db = keyspace.databases[0]
    for key in (b"a", b"b"):
        db.add(key, Stream())
    cut = Cut(keyspace)
    for key, held in ((b"a", True), (b"b", False)):
        assert cut.advance()
        value = cut.hold() if held else cut.value
        stream = db.lookup_write(key)
        assert isinstance(value, Stream)
        assert isinstance(stream, Stream)
        stream.last_ms = 5
        assert value.last_ms == (0 if held else 5)


def test_a_still_cut_may_be_taken_beside_another_one() -> None:
    keyspace = some_keyspace(3)
    cut = Cut(keyspace)
    assert cut.advance()
    keyspace.databases[0].lookup_write(b"2")
    still = Cut(keyspace, True)
    assert len(walk(still)) == 3
    assert len(walk(cut)) == 2


def test_what_was_replaced_is_not_copied() -> None:
    keyspace = some_keyspace(1)
    db = keyspace.databases[0]
    old = db.values[b"0"]
    cut = Cut(keyspace)
    db.set(b"0", String(b"new"))
    assert cut.advance()
    assert cut.value is old


def test_keys_behind_a_serial() -> None:
    order = KeyOrder()
    assert order.after(0) is None
    for i in range(1300):
        assert order.append(b"%d" % (i + 1)) == i + 1
    for serial in range(1, 1301):
        if serial % 3:
            order.remove(serial)
    for serial in range(1300):
        assert order.after(serial) == (b"%d" % (serial // 3 * 3 + 3) if serial < 1299 else None)
