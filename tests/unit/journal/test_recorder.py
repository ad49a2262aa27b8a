"""The recorder: the bytes of every operation, records, batches and what moves when."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from headwater.journal import operations as op
from headwater.journal.batches import BUFFER_BYTES
from headwater.journal.format import BATCH_BYTES, BATCH_HEADER_BYTES, check_records
from headwater.journal.recorder import Batch, Recorder
from headwater.keyspace.database import Keyspace
from headwater.persistence.apply import Applier
from headwater.raw import get_u32
from support.embedded import NOW_MS, Embedded
from support.journal import apply_batch, assert_equal_state, take_all

DOCUMENT = Path(__file__).parents[3] / "docs" / "formats" / "journal.md"


def recording(position: int = 0, chain: int = 0) -> Recorder:
    recorder = Recorder()
    recorder.start(position, chain)
    return recorder


def bodies(batch: Batch) -> list[bytes]:
    """The bodies of a batch's records."""
    found = []
    pos = BATCH_HEADER_BYTES
    while pos < batch.size:
        n = get_u32(batch.buf, pos)
        found.append(bytes(batch.buf[pos + 8 : pos + 8 + n]))
        pos += 8 + n
    return found


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def i64(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}q", *values)


def u64(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}Q", *values)


def text(data: bytes) -> bytes:
    return u32(len(data)) + data


def key(number: int, name: bytes, db: int = 0) -> bytes:
    return bytes([number]) + u32(db) + text(name)


S, L = b"s", b"l"

FIELDS = b"*2\r\n$1\r\nf\r\n$1\r\nv\r\n"


def added(ms: int, seq: int = 0) -> bytes:
    return key(op.ADD, S) + u64(ms, seq) + text(FIELDS)


def group(number: int) -> bytes:
    return key(number, S) + text(b"g")


def member(number: int) -> bytes:
    return group(number) + text(b"ann")


def ids(*numbers: int) -> bytes:
    return u32(len(numbers)) + b"".join(u64(number, 0) for number in numbers)


BEFORE = [
    *(f"XADD s {number}-0 f v" for number in range(1, 6)),
    "XGROUP CREATE s g 0",
    "XREADGROUP GROUP g ann COUNT 3 STREAMS s >",
    "SET old value",
    "RPUSH l a b c a",
]
RECORDED: dict[str, bytes] = {
    "XADD s 7-3 f v": added(7, 3),
    f"XADD s {NOW_MS}-* f v": added(NOW_MS),
    "XADD s MAXLEN 2 9-0 f v": added(9) + key(op.TRIM, S) + b"\0" + u64(4),
    "XADD s MAXLEN 2 DELREF 9-0 f v": added(9) + key(op.TRIM, S) + b"\1" + u64(4),
    # 3-0 is pending and stays, 1-0 and 2-0 are pending too.
    "XTRIM s MAXLEN 2 DELREF": key(op.TRIM, S) + b"\1" + u64(3),
    "XTRIM s MAXLEN 9": b"",
    "XDEL s 2-0 9-9 4-0": key(op.DELETE, S) + b"\0" + ids(2, 4),
    "XDELEX s DELREF IDS 2 2-0 3-0": key(op.DELETE, S) + b"\1" + ids(2, 3),
    "XDELEX s ACKED IDS 1 2-0": b"",
    "XADD s IDMP p i * f v": added(NOW_MS)
    + (key(op.REMEMBER, S) + b"\1" + i64(100, 100) + u64(NOW_MS, 0) + i64(NOW_MS))
    + (text(b"p") + text(b"i")),
    "XIDMPRECORD s p i 2-0": key(op.REMEMBER, S)
    + (b"\0" + i64(100, 100) + u64(2, 0) + i64(NOW_MS) + text(b"p") + text(b"i")),
    "XSCHEDULE ADD s IN 5 EVERY 10 f v": key(op.SCHEDULE, S)
    + (u64(1) + i64(NOW_MS + 5, 10) + text(FIELDS)),
    "XCFGSET s IDMP-MAXSIZE 7": key(op.SET_WINDOW, S) + i64(100, 7),
    "XCFGSET s RETAIN-MAXLEN 7 RETAIN-ACKED yes": key(op.RETAIN, S) + text(i64(7, 0, 0) + b"\1"),
    "XCFGSET s RETAIN-MAXLEN 0": key(op.RETAIN, S) + text(b""),
    "XSETID s 20-1": key(op.SET_ID, S) + b"\0" + u64(20, 1) + i64(5) + u64(0, 0),
    "XSETID s 20-1 ENTRIESADDED 9 MAXDELETEDID 3-0": key(op.SET_ID, S)
    + (b"\1" + u64(20, 1) + i64(9) + u64(3, 0)),
    "XGROUP CREATE s h 2-0 ENTRIESREAD 2": key(op.CREATE_GROUP, S)
    + (text(b"h") + b"\0" + u64(2, 0) + i64(2)),
    "XGROUP CREATE t h $ MKSTREAM": key(op.CREATE_GROUP, b"t")
    + (text(b"h") + b"\1" + u64(0, 0) + i64(-1)),
    "XGROUP RESET s g 2-0 DRYRUN PENDING DROP": b"",
    "XGROUP RESET s g 2-0 PENDING DROP": group(op.DROP_PENDING)
    + (group(op.SET_POSITION) + u64(1, 0) + i64(1)),
    "XGROUP SETID s g 4-0": group(op.SET_POSITION) + u64(4, 0) + i64(-1),
    "XGROUP DESTROY s g": group(op.DESTROY_GROUP),
    "XGROUP CREATECONSUMER s g bob": group(op.CREATE_CONSUMER) + text(b"bob") + i64(NOW_MS),
    "XGROUP DELCONSUMER s g ann": member(op.DELETE_CONSUMER),
    "XREADGROUP GROUP g ann STREAMS s >": member(op.DELIVER)
    + (b"\0" + i64(NOW_MS) + u64(2) + u64(5, 0)),
    "XREADGROUP GROUP g ann NOACK COUNT 1 STREAMS s >": member(op.DELIVER)
    + (b"\1" + i64(NOW_MS) + u64(1) + u64(4, 0)),
    "XREADGROUP GROUP g bob COUNT 1 STREAMS s >": group(op.CREATE_CONSUMER)
    + (text(b"bob") + i64(NOW_MS))
    + (group(op.DELIVER) + text(b"bob") + b"\0" + i64(NOW_MS) + u64(1) + u64(4, 0)),
    "XREADGROUP GROUP g ann COUNT 2 STREAMS s 1-0": member(op.DELIVER_AGAIN)
    + (i64(NOW_MS) + u64(2) + u64(1, 0)),
    "XREADGROUP GROUP g ann STREAMS s 3-0": b"",
    "XREADGROUP GROUP g ann CLAIM 0 COUNT 4 STREAMS s >": member(op.ASSIGN)
    + (i64(NOW_MS, NOW_MS) + u32(3) + u64(1, 0, 2) + u64(2, 0, 2) + u64(3, 0, 2))
    + (member(op.DELIVER) + b"\0" + i64(NOW_MS) + u64(1) + u64(4, 0)),
    "XCLAIM s g ann 0 3-0 1-0 IDLE 1000 RETRYCOUNT 9": member(op.ASSIGN)
    + (i64(NOW_MS - 1000, NOW_MS) + u32(2) + u64(3, 0, 9) + u64(1, 0, 9)),
    "XCLAIM s g ann 0 5-0 FORCE JUSTID LASTID 4-0": group(op.SET_POSITION)
    + (u64(4, 0) + i64(3) + member(op.ASSIGN) + i64(NOW_MS, NOW_MS))
    + (u32(1) + u64(5, 0, 1)),
    "XAUTOCLAIM s g ann 0 - COUNT 1": member(op.ASSIGN)
    + (i64(NOW_MS, NOW_MS) + u32(1) + u64(1, 0, 2)),
    "XNACK s g FAIL IDS 2 1-0 3-0": group(op.NACK) + u32(2) + u64(1, 0, 1) + u64(3, 0, 1),
    "XACK s g 1-0 9-0 3-0": group(op.ACKNOWLEDGE) + ids(1, 3),
    "XACK s g 9-0": b"",
    "XACKDEL s g IDS 2 1-0 2-0": group(op.ACKNOWLEDGE_AND_DELETE) + b"\0" + ids(1, 2),
    "XACKDEL s g DELREF IDS 1 1-0": group(op.ACKNOWLEDGE_AND_DELETE) + b"\1" + ids(1),
    "SET a b": key(op.SET, b"a") + i64(0) + text(b"b"),
    "SET a b PX 5": key(op.SET, b"a") + i64(NOW_MS + 5) + text(b"b"),
    # It is there until somebody looks; only then it has expired.
    "SET old b PXAT 1": key(op.SET, b"old") + i64(1) + text(b"b"),
    "APPEND old s": key(op.APPEND, b"old") + text(b"s"),
    "APPEND a b": key(op.SET, b"a") + i64(0) + text(b"b"),
    "SETRANGE old 3 XY": key(op.WRITE, b"old") + u64(3) + text(b"XY"),
    "SETRANGE a 3 XY": key(op.WRITE, b"a") + u64(3) + text(b"XY"),
    "INCRBY a 2": key(op.SET, b"a") + i64(0) + text(b"2"),
    "GETEX old PXAT 1": key(op.DELETE_KEY, b"old"),
    "DEL old none s": key(op.DELETE_KEY, b"old") + key(op.DELETE_KEY, S),
    "EXPIRE s 1": key(op.EXPIRE, S) + i64(NOW_MS + 1000),
    "EXPIRE s -1": key(op.DELETE_KEY, S),
    "PERSIST s": b"",
    "RENAME s new": key(op.MOVE_KEY, S) + u32(0) + text(b"new"),
    "MOVE s 2": key(op.MOVE_KEY, S) + u32(2) + text(S),
    "COPY s new DB 1": key(op.COPY_KEY, S) + u32(1) + text(b"new"),
    "SWAPDB 1 2": bytes([op.SWAP]) + u32(1) + u32(2),
    "FLUSHDB": bytes([op.FLUSH]) + u32(0),
    "FLUSHALL": bytes([op.FLUSH_ALL]),
    "XADD s NOMKSTREAM 5-0 f v": b"",
    "GET old": b"",
    "LPUSH new a bc": key(op.PUSH, b"new") + b"\1" + u32(2) + text(b"a") + text(b"bc"),
    "RPUSHX l e": key(op.PUSH, L) + b"\0" + u32(1) + text(b"e"),
    "RPUSHX none e": b"",
    "LPOP l": key(op.POP, L) + b"\1" + u64(1),
    "RPOP l 2": key(op.POP, L) + b"\0" + u64(2),
    "LPOP l 9": key(op.DELETE_KEY, L),
    "LSET l -1 z": key(op.SET_ITEM, L) + u64(3) + text(b"z"),
    "LINSERT l AFTER b x": key(op.INSERT_ITEM, L) + b"\1" + u64(1) + text(b"x"),
    "LINSERT l BEFORE b x": key(op.INSERT_ITEM, L) + b"\0" + u64(1) + text(b"x"),
    "LREM l -1 a": key(op.REMOVE_ITEMS, L) + i64(-1) + text(b"a"),
    "LREM l 1 none": b"",
    "LTRIM l 1 2": key(op.CUT, L) + u64(1, 1),
    "LTRIM l 0 -1": b"",
    "LTRIM l 1 0": key(op.DELETE_KEY, L),
    "LMOVE l m LEFT RIGHT": key(op.MOVE_ITEM, L) + text(b"m") + b"\1",
    "RPOPLPUSH l l": key(op.MOVE_ITEM, L) + text(L) + b"\2",
    "CONFIG SET list-max-listpack-size 3": b"",
}
LIMIT = bytes([op.LIST_LIMIT]) + i64(7)
CODE = "#!lua name=lib\nredis.register_function('f', function() return 1 end)"
LOADED = bytes([op.LOAD_LIBRARY]) + text(b"lib") + text(CODE.encode())
LIBRARIES: dict[tuple[str, ...], bytes] = {
    ("FUNCTION", "LOAD", "REPLACE", CODE): LOADED,
    ("FUNCTION", "DELETE", "lib"): bytes([op.DELETE_LIBRARY]) + text(b"lib"),
    ("FUNCTION", "FLUSH"): bytes([op.FLUSH_LIBRARIES]),
}


@pytest.fixture
def store() -> Embedded:
    """A store that has recorded BEFORE, all of it taken."""
    embedded = Embedded(databases="3")
    embedded.state.recorder.start(0, 0)
    for line in BEFORE:
        embedded.main.send(*line.split())
    embedded.main.read_all()
    take_all(embedded.state.recorder)
    return embedded


def recorded(embedded: Embedded) -> list[bytes]:
    return [body for batch in take_all(embedded.state.recorder) for body in bodies(batch)]


@pytest.mark.parametrize("line", RECORDED)
def test_what_a_command_records(store: Embedded, line: str) -> None:
    store.main.send(*line.split())
    assert recorded(store) == ([RECORDED[line]] if RECORDED[line] else [])


def test_what_changes_libraries_records(store: Embedded) -> None:
    for words, body in LIBRARIES.items():
        store.main.ok("FUNCTION", "LOAD", "REPLACE", CODE)
        recorded(store)
        store.main.ok(*words)
        assert recorded(store) == [body]
    store.main.error("FUNCTION", "DELETE", "lib")
    store.main.error("FUNCTION", "LOAD", "no library")
    store.main.ok("FUNCTION", "FLUSH")
    assert recorded(store) == []
    store.main.ok("FUNCTION", "LOAD", CODE)
    assert recorded(store) == [LOADED]


SEQUENCES = [
    *([line] for line in RECORDED),
    ["XREADGROUP GROUP g ann STREAMS s >", "XTRIM s MAXLEN 1", "XSETID s 20-1 ENTRIESADDED 2"],
    ["XREADGROUP GROUP g ann NOACK STREAMS s >", "XADD s 9-0 f v"],
    ["XGROUP CREATE s h 0", "XREADGROUP GROUP h bob STREAMS s >", "XTRIM s MINID 3 DELREF"],
    ["XGROUP CREATE s h 0", "XREADGROUP GROUP h bob STREAMS s >", "XACKDEL s g DELREF IDS 1 2-0"],
    ["XACK s g 1-0 3-0", "XTRIM s MAXLEN 0 ACKED", "XADD s 9-0 f v"],
    ["XNACK s g FATAL IDS 2 3-0 1-0", "XREADGROUP GROUP g bob CLAIM 0 COUNT 1 STREAMS s >"],
    ["XDEL s 2-0", "XREADGROUP GROUP g ann STREAMS s 0", "XAUTOCLAIM s g bob 0 -"],
    ["XDEL s 2-0 5-0", "XCLAIM s g bob 0 2-0 1-0 4-0 FORCE IDLE 99", "XINFO STREAM s"],
    ["XADD s IDMP p a * f v", "XADD s IDMP p a * f v", "XCFGSET s IDMP-DURATION 9"],
    ["XGROUP DELCONSUMER s g ann", "XREADGROUP GROUP g ann STREAMS s >", "XGROUP SETID s g 0"],
    ["XGROUP SETID s g 0", "XREADGROUP GROUP g bob STREAMS s >"],
    ["XNACK s g FAIL IDS 1 2-0", "COPY s t", "FLUSHDB", "XADD s * f v"],
    ["CONFIG SET list-max-listpack-size 2", "RPUSH l 1 2 3", "LTRIM l 1 -2", "LSET l 0 x"],
    ["CONFIG SET list-max-listpack-size 3", "LINSERT l AFTER b x", "LREM l 0 a", "COPY l k"],
    # A list that turns stays in the form it has, though it would be smaller for a moment.
    [
        "CONFIG SET list-max-listpack-size 4",
        "RPUSH q 1 2 3 4 5",
        "RPOP q 2",
        "LMOVE q q LEFT RIGHT",
    ],
    ["CONFIG SET list-max-listpack-size 4", "RPUSH q 1 2 3 4 5", "LMOVE q l RIGHT LEFT"],
    ["RPUSH q 1", "LMOVE q q LEFT LEFT", "RPOPLPUSH q l", "RPOPLPUSH l new"],
    ["CONFIG SET stream-node-max-entries 2", "XADD s 8-0 f v", "XTRIM s MAXLEN ~ 2", "COPY s t"],
]


@pytest.mark.parametrize("lines", SEQUENCES, ids=" ; ".join)
def test_what_is_recorded_gives_the_same_state(lines: list[str]) -> None:
    embedded = Embedded(databases="3")
    embedded.state.recorder.start(0, 0)
    for line in (*BEFORE, *lines):
        embedded.main.send(*line.split())
        assert embedded.main.read_all()[0][0] != "-" or line.startswith("XADD s NOMK")
    applier = Applier(Keyspace(embedded.clock, 3))
    for batch in take_all(embedded.state.recorder):
        apply_batch(applier, batch)
    assert_equal_state(embedded.state.keyspace, applier.keyspace)


def test_every_operation_is_among_the_examples() -> None:
    # What becomes of scheduled entries: tests/unit/commands/test_schedules_kept.py.
    elsewhere = {op.LIMITS, op.RESTORE, op.CANCEL_SCHEDULED, op.RUN_SCHEDULED}
    # When a group was read and a consumer seen: tests/unit/commands/test_lifetimes.py.
    elsewhere |= {op.READ_GROUP, op.SEE_CONSUMER}
    # What ORDERBY delivers and holds: tests/unit/commands/test_order_by.py.
    elsewhere |= {op.DELIVER_ORDERED, op.FORGET_HELD}
    # Settings, and when entries are due: tests/unit/commands/test_dead_letters.py.
    elsewhere |= {op.CONFIGURE_GROUP, op.DEFER}
    # Schemas: tests/unit/commands/test_schemas.py.
    elsewhere |= {op.SET_SCHEMA, op.DELETE_SCHEMA}
    # Blocks that retention drops from the middle: tests/unit/streams/test_retention.py.
    elsewhere |= {op.DROP_RUN}
    examples = [body for body in RECORDED.values() if body] + [LIMIT, *LIBRARIES.values()]
    assert {body[0] for body in examples} | elsewhere == set(op.NAMES)
    assert len(set(op.NAMES.values())) == len(op.NAMES)


def test_the_limit_of_lists_is_recorded_when_it_is_another(store: Embedded) -> None:
    store.main.ok("CONFIG", "SET", "list-max-listpack-size", 7)
    store.main.ok("RPUSHX", "l", "e")
    assert recorded(store) == [LIMIT + RECORDED["RPUSHX l e"]]
    store.main.ok("RPUSHX", "l", "e")
    assert recorded(store) == [RECORDED["RPUSHX l e"]]


def test_the_document_has_every_operation_by_its_number() -> None:
    rows = re.findall(r"^\| (\d+) \| ([A-Z_]+) \|", DOCUMENT.read_text(), re.M)
    assert {int(number): name for number, name in rows} == op.NAMES


def test_the_documents_record_is_what_is_recorded() -> None:
    found = re.search(r"<!-- record -->\n```\n(.*?)```", DOCUMENT.read_text(), re.S)
    assert found is not None
    lines = [re.match(r" *((?:[0-9a-f]{2} )+)", line) for line in found[1].splitlines()]
    written = bytes.fromhex("".join(line[1] for line in lines if line is not None))
    embedded = Embedded()
    embedded.state.recorder.start(0, 0)
    embedded.main.ok("XADD", "orders", "*", "id", 17)
    assert recorded(embedded) == [written]


def test_holes_that_a_trim_leaves_are_named(store: Embedded) -> None:
    store.main.ok("XACK", "s", "g", "1-0", "3-0")
    recorded(store)
    store.main.ok("XTRIM", "s", "MAXLEN", 0, "ACKED")
    assert recorded(store) == [
        key(op.TRIM, S) + b"\0" + u64(1) + key(op.DELETE, S) + b"\2" + ids(3)
    ]


def test_restore_is_recorded_as_its_payload() -> None:
    recorder = recording()
    recorder.restore(1, b"k", 99, b"payload")
    (batch,) = take_all(recorder)
    assert bodies(batch) == [key(op.RESTORE, b"k", 1) + i64(99) + text(b"payload")]


def test_node_limits_are_recorded_when_they_are_others(store: Embedded) -> None:
    recorder = store.state.recorder
    store.main.ok("XADD", "s", "7-0", "f", "v")
    assert recorded(store) == [added(7)]
    store.main.ok("CONFIG", "SET", "stream-node-max-entries", 5)
    assert recorded(store) == []
    store.main.ok("XADD", "s", "8-0", "f", "v")
    assert recorded(store) == [bytes([op.LIMITS]) + i64(5, 4096) + added(8)]
    store.main.ok("XADD", "s", "9-0", "f", "v")
    assert recorded(store) == [added(9)]
    recorder.start(recorder.end, recorder.chain)
    store.main.ok("XADD", "s", "10-0", "f", "v")
    assert recorded(store) == [bytes([op.LIMITS]) + i64(5, 4096) + added(10)]
    recorder.repeat_limits()
    store.main.ok("XADD", "s", "11-0", "f", "v")
    assert recorded(store) == [bytes([op.LIMITS]) + i64(5, 4096) + added(11)]


def test_an_entry_with_any_length_of_id(store: Embedded) -> None:
    for number in ("70-0", "123456-7", f"{1 << 63}-{(1 << 64) - 1}"):
        store.main.ok("XADD", "s", number, "f", "v")
        ms, seq = map(int, number.split("-"))
        assert recorded(store) == [added(ms, seq)]


def test_a_delivery_is_small_however_many_entries_it_is(store: Embedded) -> None:
    for _ in range(1000):
        store.main.send("XADD", "s", "*", "f", "v")
    store.main.read_all()
    recorded(store)
    store.main.ok("XREADGROUP", "GROUP", "g", "ann", "STREAMS", "s", ">")
    (body,) = recorded(store)
    assert len(body) == 13 + 1 + 4 + 1 + 4 + 3 + 33 - 4


def test_an_expired_key_is_a_deleted_one(store: Embedded) -> None:
    store.main.ok("SET", "a", "b", "PX", 5)
    store.main.ok("SET", "c", "d", "PX", 5)
    recorded(store)
    store.clock.advance(10)
    assert store.main.ok("GET", "a") is None
    assert recorded(store) == [key(op.DELETE_KEY, b"a")]
    store.clock.advance(1000)
    store.engine.tick()
    assert recorded(store) == [key(op.DELETE_KEY, b"c")]


def test_exec_is_one_record(store: Embedded) -> None:
    for line in ("MULTI", "SET a b", "XADD s 7-0 f v", "GET a", "SWAPDB 1 2"):
        store.main.ok(*line.split())
    assert recorded(store) == []
    store.main.ok("EXEC")
    (body,) = recorded(store)
    assert body == RECORDED["SET a b"] + added(7) + RECORDED["SWAPDB 1 2"]


def test_who_is_woken_records_for_itself(store: Embedded) -> None:
    other = store.connect()
    store.main.ok("XREADGROUP", "GROUP", "g", "ann", "STREAMS", "s", ">")
    other.send("XREADGROUP", "GROUP", "g", "ann", "BLOCK", 0, "STREAMS", "s", ">")
    recorded(store)
    store.main.ok("XADD", "s", "7-0", "f", "v")
    assert len(other.read_all()) == 1
    assert recorded(store) == [
        added(7),
        member(op.DELIVER) + b"\0" + i64(NOW_MS) + u64(1) + u64(7, 0),
    ]


def test_a_failed_command_records_nothing(store: Embedded) -> None:
    for line in ("XADD s 1-0 f v", "XADD old * f v", "XACK s g x", "EXPIRE s x", "XACK s"):
        store.main.error(*line.split())
    assert recorded(store) == []


# --- records and batches ---


def test_nothing_is_recorded_unless_asked_for() -> None:
    recorder = Recorder()
    recorder.set(0, b"k", b"v", 0)
    recorder.delete_key(0, b"k")
    recorder.flush_all()
    recorder.seal()
    assert (recorder.end, recorder.gathered(), recorder.take()) == (0, 0, None)
    assert not recorder.recording


def test_the_end_moves_with_every_effect() -> None:
    recorder = recording(1000, 77)
    assert (recorder.end, recorder.released, recorder.gathered()) == (1000, 1000, 0)
    recorder.flush_all()
    assert recorder.end == 1000 + 8 + 1
    recorder.flush_all()
    assert recorder.end == 1000 + 8 + 2
    assert (recorder.released, recorder.gathered()) == (1000, 0)
    recorder.seal()
    assert (recorder.end, recorder.gathered()) == (1010, 10)
    recorder.seal()
    assert (recorder.end, recorder.gathered()) == (1010, 10)


def test_a_batch_says_where_it_stands() -> None:
    recorder = recording(1000, 77)
    for data in (b"one", b"two"):
        recorder.set(0, b"k", data, 0)
        recorder.seal()
    batch = recorder.take()
    assert batch is not None
    assert recorder.take() is None
    assert (batch.position, batch.end, batch.records) == (1000, recorder.end, 2)
    assert batch.end - batch.position == batch.size - BATCH_HEADER_BYTES
    assert (batch.chain_before, batch.chain_after) == (77, recorder.chain)
    sound = check_records(batch.buf, BATCH_HEADER_BYTES, batch.size, 77)
    assert sound == (batch.size, 2, recorder.chain)
    recorder.set(0, b"k", b"three", 0)
    recorder.seal()
    following = recorder.take()
    assert following is not None
    assert (following.position, following.chain_before) == (batch.end, batch.chain_after)
    assert following.buf is not batch.buf


def test_an_open_record_is_not_taken() -> None:
    recorder = recording()
    recorder.set(0, b"k", b"one", 0)
    assert recorder.take() is None
    recorder.seal()
    recorder.set(0, b"k", b"two" * 40_000, 0)
    first = recorder.take()
    assert first is not None
    assert first.records == 1
    recorder.set(0, b"k", b"three", 0)
    (second,) = take_all(recorder)
    assert len(bodies(second)) == 1
    assert second.end == recorder.end
    assert second.position == first.end
    assert check_records(second.buf, BATCH_HEADER_BYTES, second.size, first.chain_after) == (
        second.size,
        1,
        recorder.chain,
    )


def test_within_a_unit_nothing_is_sealed() -> None:
    recorder = recording()
    recorder.unit += 1
    recorder.flush_all()
    recorder.seal()
    recorder.flush(3)
    recorder.seal()
    assert recorder.gathered() == 0
    recorder.unit -= 1
    recorder.seal()
    (batch,) = take_all(recorder)
    assert bodies(batch) == [bytes([op.FLUSH_ALL, op.FLUSH]) + u32(3)]


def test_batches_are_not_larger_than_they_may_be() -> None:
    recorder = recording()
    data = b"x" * 50_000
    for _ in range(40):
        recorder.set(0, b"k", data, 0)
        recorder.seal()
    total = recorder.gathered()
    batches = take_all(recorder)
    assert sum(batch.records for batch in batches) == 40
    assert sum(batch.size - BATCH_HEADER_BYTES for batch in batches) == total == recorder.end
    chain = 0
    for batch in batches:
        assert 0 < batch.size - BATCH_HEADER_BYTES <= BATCH_BYTES
        assert batch.chain_before == chain
        end, records, chain = check_records(batch.buf, BATCH_HEADER_BYTES, batch.size, chain)
        assert (end, records, chain) == (batch.size, batch.records, batch.chain_after)
    assert recorder.gathered() == 0


def test_one_record_may_be_larger_and_is_alone() -> None:
    recorder = recording()
    for data in (b"small", b"y" * (BATCH_BYTES + 1), b"small", b"z" * (3 * BATCH_BYTES)):
        recorder.set(0, b"k", data, 0)
        recorder.seal()
    assert [batch.records for batch in take_all(recorder)] == [1, 1, 1, 1]
    recorder.flush_all()
    recorder.seal()
    batch = recorder.take()
    assert batch is not None
    assert len(batch.buf) == BUFFER_BYTES, "after a huge batch it is a small one again"


def test_lists_go_on_across_a_full_buffer() -> None:
    embedded = Embedded()
    embedded.state.recorder.start(0, 0)
    main = embedded.main
    n = 2 * BUFFER_BYTES // 16
    for _ in range(n):
        main.send("XADD", "s", "*", "f", "v")
    main.read_all()
    main.ok("XGROUP", "CREATE", "s", "g", "0")
    main.ok("XREADGROUP", "GROUP", "g", "ann", "STREAMS", "s", ">")
    recorded(embedded)
    assert main.ok("XACK", "s", "g", *(f"{NOW_MS}-{seq}" for seq in range(n))) == n
    (body,) = recorded(embedded)
    heads = body.count(group(op.ACKNOWLEDGE))
    assert 1 < heads < 5
    assert len(body) == 16 * n + heads * (len(group(op.ACKNOWLEDGE)) + 4)


def test_lists_of_different_things_are_different_lists(store: Embedded) -> None:
    main = store.main
    for line in (
        *("XGROUP CREATE s h 0", "XREADGROUP GROUP h ann STREAMS s >", "MULTI"),
        *("XACK s g 1-0", "XACK s g 2-0", "XACK s h 1-0", "XACK s g 3-0", "XDEL s 1-0"),
        *("XDEL s 2-0", "XDELEX s DELREF IDS 1 3-0"),
    ):
        main.ok(*line.split())
    recorded(store)
    main.ok("EXEC")
    (body,) = recorded(store)
    assert body == (
        (group(op.ACKNOWLEDGE) + ids(1, 2))
        + (key(op.ACKNOWLEDGE, S) + text(b"h") + ids(1))
        + (group(op.ACKNOWLEDGE) + ids(3))
        + (key(op.DELETE, S) + b"\0" + ids(1, 2))
        + (key(op.DELETE, S) + b"\1" + ids(3))
    )


@pytest.mark.parametrize("begin", [lambda r: r.stop(), lambda r: r.start(500, 7)])
def test_what_was_not_taken_is_forgotten(begin: Callable[[Recorder], object]) -> None:
    recorder = recording()
    recorder.flush_all()
    recorder.seal()
    recorder.flush_all()
    begin(recorder)
    assert recorder.released == recorder.end
    assert (recorder.gathered(), recorder.take()) == (0, None)
    recorder.start(500, 7)
    recorder.flush(1)
    recorder.seal()
    batch = recorder.take()
    assert batch is not None
    assert (batch.position, batch.chain_before) == (500, 7)
    assert bodies(batch) == [bytes([op.FLUSH]) + u32(1)]


def test_an_operation_that_fails_leaves_no_trace() -> None:
    """A number that 64 bits do not hold is refused: the record goes on without it."""
    recorder = recording()
    with pytest.raises(OverflowError):
        recorder.expire(0, b"k", 1 << 70)
    recorder.seal()
    assert recorder.take() is None
    recorder.delete_key(0, b"a")
    with pytest.raises(OverflowError):
        recorder.expire(0, b"k", 1 << 70)
    recorder.delete_key(0, b"b")
    [batch] = take_all(recorder)
    assert bodies(batch) == [key(op.DELETE_KEY, b"a") + key(op.DELETE_KEY, b"b")]
    assert recorder.end == batch.end
