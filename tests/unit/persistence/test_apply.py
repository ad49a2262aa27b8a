"""Applying records: what does not fit is refused with words, whatever the bytes are."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.clock import ManualClock
from headwater.journal import operations as op
from headwater.journal.format import BATCH_HEADER_BYTES
from headwater.journal.recorder import Batch
from headwater.keyspace.database import Keyspace
from headwater.keyspace.strings import String
from headwater.persistence.apply import Applier
from headwater.persistence.operands import ApplyError
from headwater.streams.stream import Stream
from support.embedded import NOW_MS, Embedded
from support.journal import apply_batch, assert_equal_state, take_all

S = b"s"
FIELDS = b"*2\r\n$1\r\nf\r\n$1\r\nv\r\n"
DATABASES = 3


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def i64(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}q", *values)


def u64(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}Q", *values)


def text(data: bytes) -> bytes:
    return u32(len(data)) + data


def key(number: int, name: bytes = S, db: int = 0) -> bytes:
    return bytes([number]) + u32(db) + text(name)


def group(number: int, name: bytes = b"g") -> bytes:
    return key(number) + text(name)


def member(number: int, name: bytes = b"ann") -> bytes:
    return group(number) + text(name)


def added(ms: int, fields: bytes = FIELDS) -> bytes:
    return key(op.ADD) + u64(ms, 0) + text(fields)


BEFORE = [
    *(f"XADD s {number}-0 f v" for number in range(1, 6)),
    "XGROUP CREATE s g 0",
    "XREADGROUP GROUP g ann COUNT 3 STREAMS s >",
    "SET string value",
]


def record(body: bytes) -> bytes:
    return u32(len(body)) + u32(0) + body


def apply(applier: Applier, *bodies: bytes) -> None:
    buf = bytearray(b"before" + b"".join(map(record, bodies)) + b"behind")
    applier.apply(buf, 6, len(buf) - 6)


def history(lines: list[str], databases: int = DATABASES) -> list[Batch]:
    embedded = Embedded(databases=str(databases))
    embedded.state.recorder.start(0, 0)
    for line in lines:
        embedded.main.send(*line.split())
    embedded.main.read_all()
    return take_all(embedded.state.recorder)


BATCHES = history(BEFORE)


@pytest.fixture
def applier() -> Applier:
    """Has applied BEFORE."""
    return prepared()


def prepared() -> Applier:
    applier = Applier(Keyspace(ManualClock(NOW_MS), DATABASES))
    for batch in BATCHES:
        apply_batch(applier, batch)
    return applier


def stream_of(applier: Applier, name: bytes = S) -> Stream:
    value = applier.keyspace.databases[0].values[name]
    assert isinstance(value, Stream)
    return value


REFUSED = {
    "ADD of key b's' in database 0: ID 5-0 is not above the last one, 5-0": added(5),
    "ADD of key b'string' in database 0: the key is no stream": key(op.ADD, b"string")
    + (u64(9, 0) + text(FIELDS)),
    "ADD of key b's' in database 0: the entry's fields cannot be read": added(9, FIELDS[:-1]),
    "ADD of key b's' in database 0: the entry's fields are not fields": added(
        9, b"*1\r\n$1\r\nf\r\n"
    ),
    "ADD: there is no database 3: `databases` is 3": key(op.ADD, S, 3) + u64(9, 0) + text(FIELDS),
    "TRIM of key b's' in database 0: 6 entries of 5": key(op.TRIM) + b"\0" + u64(6),
    "TRIM of key b'none' in database 0: there is no such key": key(op.TRIM, b"none")
    + (b"\0" + u64(6)),
    "DELETE of key b's' in database 0: there is no entry 9-1": key(op.DELETE)
    + (b"\0" + u32(1) + u64(9, 1)),
    "DELETE of key b's' in database 0: the record is too short": key(op.DELETE)
    + (b"\0" + u32(2) + u64(1, 0)),
    "SET_ID of key b's' in database 0: ID 4-9 is below": key(op.SET_ID)
    + (b"\0" + u64(4, 9) + i64(9) + u64(0, 0)),
    "SET_ID of key b's' in database 0: -1 entries ever added": key(op.SET_ID)
    + (b"\0" + u64(9, 9) + i64(-1) + u64(0, 0)),
    "REMEMBER of key b's' in database 0: a window of 0 s and 9 IDs": key(op.REMEMBER)
    + (b"\0" + i64(0, 9) + u64(1, 0) + i64(1) + text(b"p") + text(b"i")),
    "SET_WINDOW of key b's' in database 0: a window of 9 s and 10001": key(op.SET_WINDOW)
    + i64(9, 10001),
    "CREATE_GROUP of key b's' in database 0: group b'g' is there already": group(op.CREATE_GROUP)
    + (b"\0" + u64(0, 0) + i64(-1)),
    "CREATE_GROUP of key b's' in database 0: the key is there already": group(op.CREATE_GROUP)
    + (b"\1" + u64(0, 0) + i64(-1)),
    "CREATE_GROUP of key b'x' in database 0: there is no stream": key(op.CREATE_GROUP, b"x")
    + (text(b"g") + b"\0" + u64(0, 0) + i64(-1)),
    "SET_POSITION of key b's' in database 0: there is no group b'h'": group(op.SET_POSITION, b"h")
    + (u64(0, 0) + i64(-1)),
    "SET_POSITION of key b's' in database 0: -2 entries read": group(op.SET_POSITION)
    + (u64(0, 0) + i64(-2)),
    "DESTROY_GROUP of key b'string' in database 0: the key is no stream": key(
        op.DESTROY_GROUP, b"string"
    )
    + text(b"g"),
    "CREATE_CONSUMER of key b's' in database 0: consumer b'ann' is there": member(
        op.CREATE_CONSUMER
    )
    + i64(1),
    "DELETE_CONSUMER of key b's' in database 0: group b'g' has no consumer b'bob'": member(
        op.DELETE_CONSUMER, b"bob"
    ),
    "DELIVER of key b's' in database 0: there are less than 3 entries": member(op.DELIVER)
    + (b"\0" + i64(1) + u64(3) + u64(5, 0)),
    "DELIVER of key b's' in database 0: 6 entries of 5": member(op.DELIVER)
    + (b"\0" + i64(1) + u64(6) + u64(5, 0)),
    "DELIVER of key b's' in database 0: the last of 2 entries is 5-0 and not 4-0": member(
        op.DELIVER
    )
    + (b"\0" + i64(1) + u64(2) + u64(4, 0)),
    "DELIVER_AGAIN of key b's' in database 0: 4 entries of 3": member(op.DELIVER_AGAIN)
    + (i64(1) + u64(4) + u64(0, 0)),
    "DELIVER_AGAIN of key b's' in database 0: 3 entries of 2": member(op.DELIVER_AGAIN)
    + (i64(1) + u64(3) + u64(1, 0)),
    "ACKNOWLEDGE of key b's' in database 0: entry 4-0 is not pending in group b'g'": group(
        op.ACKNOWLEDGE
    )
    + (u32(1) + u64(4, 0)),
    "ACKNOWLEDGE_AND_DELETE of key b's' in database 0: entry 4-0 is not pending": group(
        op.ACKNOWLEDGE_AND_DELETE
    )
    + (b"\0" + u32(1) + u64(4, 0)),
    "SET of key b'a' in database 0: an expiry of -1": key(op.SET, b"a") + i64(-1) + text(b""),
    "APPEND of key b'none' in database 0: there is no such key": key(op.APPEND, b"none")
    + text(b"x"),
    "APPEND of key b's' in database 0: the key is no string": key(op.APPEND) + text(b"x"),
    "WRITE of key b's' in database 0: the key is no string": key(op.WRITE) + u64(0) + text(b"x"),
    "WRITE of key b'string' in database 0: an offset of": key(op.WRITE, b"string")
    + u64(1 << 40)
    + text(b"x"),
    "RESTORE of key b'a'": key(op.RESTORE, b"a") + i64(0) + text(b"no payload"),
    "DELETE_KEY of key b'none' in database 2: there is no such key": key(op.DELETE_KEY, b"none", 2),
    "EXPIRE of key b'none' in database 0: there is no such key": key(op.EXPIRE, b"none") + i64(5),
    "MOVE_KEY of key b's' in database 0: the other key is the same": key(op.MOVE_KEY)
    + (u32(0) + text(S)),
    "COPY_KEY of key b's' in database 0: there is no database 7": key(op.COPY_KEY)
    + (u32(7) + text(S)),
    "SWAP: there is no database 3": bytes([op.SWAP]) + u32(0) + u32(3),
    "FLUSH: the record is too short": bytes([op.FLUSH]) + b"\0\0\0",
    "LIMITS: -1 entries": bytes([op.LIMITS]) + i64(-1, 0),
    "record: there is no operation 0": b"\0",
    "record: there is no operation 200": added(9) + b"\xc8",
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_does_not_fit_is_refused_with_its_reason(applier: Applier, why: str) -> None:
    first = key(op.SET, b"first") + i64(0) + text(b"x")
    with pytest.raises(ApplyError) as raised:
        apply(applier, first, REFUSED[why])
    assert str(raised.value).startswith(why)
    assert raised.value.offset == 6 + len(record(first))
    assert b"first" in applier.keyspace.databases[0].values


@pytest.mark.parametrize("why", [why for why in REFUSED if not why.startswith("record")])
def test_a_record_that_ends_early_is_refused(why: str) -> None:
    body = REFUSED[why]
    for n in range(1, len(body)):
        with pytest.raises(ApplyError, match=why.split(":")[0].split()[0]):
            apply(prepared(), body[:n])


@pytest.mark.parametrize("n", [1, 7])
def test_half_a_record_is_refused(applier: Applier, n: int) -> None:
    whole = record(bytes([op.FLUSH_ALL]))
    with pytest.raises(ApplyError, match="half a record") as raised:
        applier.apply(bytearray(whole + whole[:n]), 0, len(whole) + n)
    assert raised.value.offset == len(whole)
    with pytest.raises(ApplyError, match="half a record"):
        applier.apply(bytearray(whole), 0, len(whole) - 1)


def test_an_expired_key_is_there_until_a_record_deletes_it() -> None:
    clock = ManualClock(NOW_MS)
    applier = Applier(Keyspace(clock, 1))
    apply(applier, added(1), key(op.EXPIRE) + i64(NOW_MS + 5))
    clock.advance(10_000)
    apply(applier, added(2), key(op.EXPIRE) + i64(0), added(3))
    assert stream_of(applier).length == 3
    apply(
        applier,
        key(op.SET, b"a") + i64(5) + text(b"x"),
        key(op.COPY_KEY, b"a") + u32(0) + text(b"b"),
    )
    values = applier.keyspace.databases[0].values
    assert set(values) == {S, b"a", b"b"}
    apply(applier, key(op.DELETE_KEY, b"a"))
    assert set(values) == {S, b"b"}
    assert applier.keyspace.expired_keys == 0


def test_the_same_key_may_become_another_thing_within_a_record(applier: Applier) -> None:
    apply(
        applier,
        (added(9) + key(op.SET) + i64(0) + text(b"x"))
        + (key(op.DELETE_KEY) + added(1) + added(2))
        + (key(op.MOVE_KEY) + u32(0) + text(b"t"))
        + (added(1) + bytes([op.SWAP]) + u32(0) + u32(1) + added(1)),
    )
    first, second = applier.keyspace.databases[:2]
    assert {name: type(value) for name, value in second.values.items()} == {
        b"string": String,
        b"t": Stream,
        S: Stream,
    }
    assert list(first.values) == [S]
    assert stream_of(applier).length == 1


def test_what_is_dropped_is_freed(applier: Applier) -> None:
    bodies = [added(number) for number in range(10, 2000)]
    apply(applier, bytes([op.LIMITS]) + i64(1, 0), *bodies, key(op.DELETE_KEY))
    assert applier.keyspace.graveyard == []


def test_nothing_is_counted_and_nobody_is_woken(applier: Applier) -> None:
    keyspace = applier.keyspace
    assert (keyspace.dirty, keyspace.keyspace_hits, keyspace.keyspace_misses) == (0, 0, 0)
    assert keyspace.ready == []
    assert not keyspace.recorder.recording


def test_what_a_snapshots_version_depends_on_is_noted(applier: Applier) -> None:
    keyspace = applier.keyspace
    assert (keyspace.has_idmp, keyspace.has_nacked) == (False, False)
    apply(applier, key(op.SET_WINDOW) + i64(9, 9))
    assert (keyspace.has_idmp, keyspace.has_nacked) == (True, False)
    apply(applier, group(op.NACK) + u32(1) + u64(1, 0, 1))
    assert (keyspace.has_idmp, keyspace.has_nacked) == (True, True)
    apply(applier, key(op.DELETE_KEY), bytes([op.FLUSH]) + u32(0))
    assert (keyspace.has_idmp, keyspace.has_nacked) == (True, True)
    apply(applier, bytes([op.FLUSH_ALL]))
    assert (keyspace.has_idmp, keyspace.has_nacked) == (False, False)


def test_a_payload_is_restored() -> None:
    embedded = Embedded()
    main = embedded.main
    for line in (*BEFORE, "XADD s IDMP p i * f v", "XNACK s g FAIL IDS 1 2-0"):
        main.ok(*line.split())
    payload = main.ok("DUMP", "s")
    embedded.state.recorder.start(0, 0)
    main.ok("RESTORE", "s", NOW_MS + 99, payload, "REPLACE", "ABSTTL")
    main.ok("FLUSHALL")
    main.ok("SELECT", 2)
    main.ok("RESTORE", "t", 0, payload)
    applier = Applier(Keyspace(embedded.clock, 16))
    for batch in take_all(embedded.state.recorder):
        apply_batch(applier, batch)
    assert_equal_state(embedded.state.keyspace, applier.keyspace)
    assert applier.keyspace.has_idmp
    assert applier.keyspace.has_nacked
    assert list(applier.keyspace.databases[2].values) == [b"t"]


# --- any bytes ---

LIVELY = [
    *BEFORE,
    *("XADD s MAXLEN 4 DELREF 9-0 f v g 17", "XTRIM s MINID 3", "XDEL s 4-0", "XSETID s 20-0"),
    *("XADD s IDMP p i * f v", "XCFGSET s IDMP-MAXSIZE 7", "XGROUP CREATE s h $ ENTRIESREAD 1"),
    *("XGROUP SETID s h 0", "XREADGROUP GROUP h bob COUNT 1 STREAMS s >"),
    *("XREADGROUP GROUP g bob NOACK COUNT 1 STREAMS s >", "XREADGROUP GROUP h bob STREAMS s 0"),
    *("XCLAIM s h ann 0 5-0 FORCE", "XNACK s h FAIL IDS 1 5-0", "XACK s h 5-0"),
    *("XREADGROUP GROUP h bob STREAMS s >", "XACKDEL s h DELREF IDS 1 9-0"),
    *("XGROUP DELCONSUMER s h ann", "XGROUP DESTROY s h", "EXPIRE s 100", "PERSIST s"),
    *("COPY s t DB 1", "RENAME s u", "MOVE u 2", "SWAPDB 0 2", "SET a b PX 9", "DEL a", "FLUSHDB"),
    *("XADD s 1-0 f v", "FLUSHALL", "XADD s 1-0 f v"),
]


def body_bytes() -> bytes:
    (batch,) = history(LIVELY)
    return bytes(batch.buf[BATCH_HEADER_BYTES : batch.size])


WHOLE = body_bytes()


def test_the_whole_can_be_applied() -> None:
    applier = Applier(Keyspace(ManualClock(NOW_MS), DATABASES))
    applier.apply(bytearray(WHOLE), 0, len(WHOLE))
    assert applier.applied > len(LIVELY)


def check_any(data: bytes) -> None:
    """These bytes are applied, or refused; the state stays sound up to where they were."""
    applier = Applier(Keyspace(ManualClock(NOW_MS), DATABASES))
    refusal = None
    try:
        applier.apply(bytearray(data), 0, len(data))
    except ApplyError as error:
        refusal = error
    if refusal is not None:
        assert 0 <= refusal.offset < len(data)
        assert refusal.text
    for database in applier.keyspace.databases:
        for value in database.values.values():
            if isinstance(value, Stream):
                value.copy()
                for group_ in (value.groups or {}).values():
                    group_.check()
                if value.idmp is not None:
                    value.idmp.check()


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
@settings(max_examples=600, deadline=None)
def test_one_other_byte(at: int, value: int) -> None:
    data = bytearray(WHOLE)
    data[at] = value
    check_any(bytes(data))


@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 9), st.integers(0, 2**64 - 1)), max_size=3))
@settings(max_examples=300, deadline=None)
def test_other_numbers(changes: list[tuple[int, int]]) -> None:
    data = bytearray(WHOLE)
    for at, value in changes:
        data[at : at + 8] = u64(value)
    check_any(bytes(data))


@given(st.binary(max_size=80))
@settings(max_examples=300, deadline=None)
def test_any_body(body: bytes) -> None:
    check_any(record(body))


def test_it_may_end_anywhere() -> None:
    for n in range(len(WHOLE)):
        check_any(WHOLE[:n])
