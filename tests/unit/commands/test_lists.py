"""List commands on an engine: who is served when, what is recorded, cuts, copies, big replies."""

from __future__ import annotations

import random

import pytest

import headwater
from headwater.keyspace.cut import Cut
from headwater.keyspace.database import Keyspace
from headwater.keyspace.strings import GrownString
from headwater.lists.list import List
from headwater.lists.run import Pieces
from headwater.persistence.apply import Applier
from headwater.persistence.operands import ApplyError
from support.disk import SimulatedDisk
from support.durable import DurableEngine, reopened
from support.embedded import Client, Embedded
from support.journal import apply_batch, assert_equal_state, take_all
from support.wire import Word, plain

KEYS = ("a", "b", "c")


@pytest.fixture
def store() -> Embedded:
    return Embedded()


def answers(client: Client) -> list[object]:
    return [plain(reply) for reply in client.read_all()]


def test_first_come_first_served_after_the_whole_command(store: Embedded) -> None:
    clients = [store.connect() for _ in range(4)]
    clients[0].send("BLPOP", "a", 0)
    clients[1].send("BLMPOP", 0, 2, "b", "a", "RIGHT", "COUNT", 2)
    clients[2].send("BLMOVE", "a", "b", "LEFT", "LEFT", 0)
    clients[3].send("BRPOP", "b", "a", 0)
    assert store.state.blocked_clients == 4
    assert store.main.ok("RPUSH", "a", 1, 2, 3, 4) == 4
    assert answers(clients[0]) == [[b"a", b"1"]]
    assert answers(clients[1]) == [[b"a", [b"4", b"3"]]]
    assert answers(clients[2]) == [b"2"]
    assert answers(clients[3]) == [[b"b", b"2"]]
    assert store.state.blocked_clients == 0
    assert store.main.ok("EXISTS", "a", "b") == 0


def test_who_waits_is_passed_over_by_other_types(store: Embedded) -> None:
    other = store.connect()
    other.send("BLPOP", "a", 0)
    store.main.ok("SET", "a", "x")
    store.main.ok("DEL", "a")
    store.main.ok("XADD", "a", "1-1", "f", "v")
    assert answers(other) == []
    store.main.ok("RPUSH", "b", "it")
    store.main.ok("RENAME", "b", "a")
    assert answers(other) == [[b"a", b"it"]]


def test_a_target_of_another_type_fails_when_there_is_an_item(store: Embedded) -> None:
    other = store.connect()
    store.main.ok("SET", "s", "x")
    other.send("BLMOVE", "a", "s", "LEFT", "LEFT", 0)
    assert store.main.ok("RPUSH", "a", "it") == 1
    ((kind, text),) = other.read_all()
    assert kind == "-"
    assert bytes(str(text), "ascii").find(b"WRONGTYPE") >= 0
    assert store.main.ok("LRANGE", "a", 0, -1) == [b"it"]


def test_timeouts_and_clients_that_go(store: Embedded) -> None:
    one, other = store.connect(), store.connect()
    one.send("BLPOP", "a", "0.05")
    other.send("BLPOP", "a", 0)
    store.pass_ms(49)
    assert one.read_all() == []
    store.pass_ms(1)
    assert one.read_all() == [("nil", "*")]
    assert store.state.blocked_clients == 1
    assert store.main.ok("CLIENT", "UNBLOCK", other.session.id) == 1
    assert other.read_all() == [("nil", "*")]
    assert store.main.ok("RPUSH", "a", "it") == 1
    assert store.main.ok("LLEN", "a") == 1


def test_a_paused_popper_keeps_its_place(store: Embedded) -> None:
    one, other = store.connect(), store.connect()
    one.send("BLPOP", "a", 0)
    other.send("BLPOP", "a", 0)
    store.main.ok("MULTI")
    store.main.ok("RPUSH", "a", 1, 2)
    store.main.ok("CLIENT", "PAUSE", 100, "WRITE")
    store.main.ok("EXEC")
    assert one.read_all() == []
    store.pass_ms(100)
    assert answers(one) == [[b"a", b"1"]]
    assert answers(other) == [[b"a", b"2"]]


def random_command(rng: random.Random) -> list[Word]:
    key, other = rng.choice(KEYS), rng.choice(KEYS)
    text = rng.choice((b"x", b"12", b"-5", b"y" * 300, b"z" * 9000, b"%d" % rng.randrange(99)))
    number = rng.choice((0, 1, 2, -1, -2, 30))
    commands: tuple[list[Word], ...] = (
        ["RPUSH", key, *[b"%d" % i * (i % 5) for i in range(rng.choice((1, 3, 80)))]],
        ["LPUSH", key, text, text],
        ["LPUSH", key, text],
        ["RPUSH", key, text],
        ["LPOP", key, abs(number)],
        ["RPOP", key],
        ["LSET", key, number, text],
        ["LINSERT", key, rng.choice(("BEFORE", "AFTER")), b"12", text],
        ["LREM", key, number, rng.choice((b"12", b"x", b"5555"))],
        ["LTRIM", key, rng.choice((0, 1, -50)), rng.choice((-1, -2, 60))],
        ["LMOVE", key, other, rng.choice(("LEFT", "RIGHT")), rng.choice(("LEFT", "RIGHT"))],
        ["LMPOP", 2, key, other, "RIGHT", "COUNT", 3],
        ["COPY", key, other, "REPLACE"],
        ["RENAME", key, other],
        ["CONFIG", "SET", "list-max-listpack-size", rng.choice((-2, -1, 3, 50))],
    )
    return rng.choice(commands)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_recorded_gives_the_same_state(seed: int) -> None:
    rng = random.Random(seed)
    embedded = Embedded()
    embedded.state.recorder.start(0, 0)
    for _ in range(250):
        embedded.main.send(*random_command(rng))
    embedded.main.read_all()
    applier = Applier(Keyspace(embedded.clock, 16))
    for batch in take_all(embedded.state.recorder):
        apply_batch(applier, batch)
    assert_equal_state(embedded.state.keyspace, applier.keyspace)


def items(value: List) -> bytes:
    pieces = Pieces(value.run(0, value.length), False)
    return b"".join(iter(lambda: pieces.read(1 << 20), b""))


def test_a_cut_shows_its_moment_whatever_commands_do() -> None:
    rng = random.Random(1)
    store = Embedded()
    for key in KEYS:
        store.main.ok("RPUSH", key, *[b"%d" % i * 9 for i in range(700)])
    before = {}
    for key in KEYS:
        value = store.state.keyspace.databases[0].values[key.encode()]
        assert isinstance(value, List)
        before[key] = items(value)
    cut = Cut(store.state.keyspace)
    for _ in range(200):
        store.main.send(*random_command(rng))
    store.main.read_all()
    found = {}
    while cut.advance():
        value = cut.hold()
        assert isinstance(value, List)
        table = cut.table
        assert table is not None
        found[table.key.decode()] = items(value)
    assert found == before


def test_lists_survive_a_crash_and_a_rewrite() -> None:
    rng = random.Random(2)
    disk = SimulatedDisk("/data")
    store = DurableEngine(disk)
    for turn in range(3):
        for _ in range(60):
            store.call(*random_command(rng))
        if turn == 1:
            store.ok("BGREWRITEAOF")
        store.settle()
        held = store.digest()
        disk.kill()
        store = reopened(disk, store)
        assert store.digest() == held


def test_a_pop_that_served_a_waiting_client_is_recorded() -> None:
    embedded = Embedded()
    embedded.state.recorder.start(0, 0)
    other = embedded.connect()
    other.send("BLMOVE", "a", "b", "LEFT", "RIGHT", 0)
    embedded.main.ok("RPUSH", "a", 1, 2)
    applier = Applier(Keyspace(embedded.clock, 16))
    for batch in take_all(embedded.state.recorder):
        apply_batch(applier, batch)
    assert_equal_state(embedded.state.keyspace, applier.keyspace)


def test_records_that_do_not_fit_are_refused() -> None:
    """Any byte of a record changed: it fits still, or ApplyError."""
    rng = random.Random(3)
    embedded = Embedded()
    embedded.state.recorder.start(0, 0)
    for line in (
        "RPUSH a x y z x",
        "LSET a 1 q",
        "LINSERT a AFTER q r",
        "LREM a -1 x",
        "LTRIM a 1 -2",
        "LMOVE a b LEFT LEFT",
    ):
        embedded.main.ok(*line.split())
    (batch,) = take_all(embedded.state.recorder)
    refused = 0
    for at in range(48, batch.size):
        buf = bytearray(batch.buf)
        buf[at] ^= 1 << rng.randrange(8)
        applier = Applier(Keyspace(embedded.clock, 16))
        try:
            applier.apply(buf, 48, batch.size)
        except ApplyError:
            refused += 1
    assert refused > 50


def test_a_million_items_are_freed_in_portions(store: Embedded) -> None:
    for _ in range(20):
        store.main.ok("RPUSH", "big", *[b"%020d" % i for i in range(5000)])
    assert store.main.ok("LTRIM", "big", 0, 49_999) == b"OK"
    keyspace = store.state.keyspace
    assert keyspace.graveyard
    assert keyspace.free_some(10)
    while keyspace.free_some(1000):
        pass
    assert store.main.ok("LPOP", "big", 40_000)[-1] == b"%020d" % 4999
    store.main.ok("DEL", "big")
    assert keyspace.graveyard
    while keyspace.free_some(1000):
        pass


@pytest.mark.skipif(headwater.mode() != "interpreted", reason="compiled types stay as they are")
def test_without_memory_there_is_no_key_without_items(
    store: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list or string that could not be made is not there, and nothing is recorded of it."""
    store.state.recorder.start(0, 0)
    store.main.ok("RPUSH", "source", "a", "b")
    take_all(store.state.recorder)

    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(List, "expect", fail)
    monkeypatch.setattr(GrownString, "write", fail)
    for words in (("RPUSH", "l", "a"), ("LMOVE", "source", "l", "LEFT", "LEFT")):
        assert "internal" in store.main.error(*words)
    assert "internal" in store.main.error("SETRANGE", "l", 5, "x")
    assert store.main.ok("EXISTS", "l") == 0
    assert take_all(store.state.recorder) == []
