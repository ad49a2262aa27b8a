"""XSCHEMA, and entries refused: what clients see, what is kept, what goes with a key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from headwater.commands.digest import keyspace_digest
from headwater.schemas.limits import VERSIONS_KEPT
from headwater.streams.stream import Stream
from support.disk import SimulatedDisk
from support.durable import DIRECTORY, DurableEngine, reopened
from support.embedded import NOW_MS, Client, Embedded

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
SET_SYNTAX = "ERR syntax error; behind the schema comes [COMPAT none|backward|forward|full]"
GET_SYNTAX = "ERR syntax error; behind the key comes [VERSION n]"
LIBRARY = "needs a package that the server lacks: pip install 'headwater[schema]'"


def text(**more: Any) -> str:
    """A schema: totalAmount is required, note may be there."""
    schema = {
        "type": "object",
        "properties": {"totalAmount": {"type": "number"}, "note": {"type": "string"}},
        "required": ["totalAmount"],
        "additionalProperties": False,
        **more,
    }
    return json.dumps(schema)


V1 = text()
WIDER = text(required=[])
NARROWER = text(required=["totalAmount", "note"])


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Embedded:
    pytest.importorskip("jsonschema_rs")
    return Embedded()


@pytest.fixture
def orders(world: Embedded) -> Client:
    assert world.main.ok("XSCHEMA", "SET", "orders", V1) == 1
    return world.main


def listed(client: Any, key: str = "orders") -> list[tuple[int, bytes, int]]:
    """(number, compat, set after the start) of the versions"""
    rows = []
    for row in client.ok("XSCHEMA", "LIST", key):
        assert row[::2] == [b"version", b"compat", b"set-at"]
        rows.append((row[1], row[3], row[5] - NOW_MS))
    return rows


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """An `import jsonschema_rs` from now on fails."""
    monkeypatch.setitem(sys.modules, "jsonschema_rs", None)


# --- entries ---


def test_an_entry_that_does_not_fit_is_refused(orders: Client) -> None:
    refusal = "SCHEMA orders v1: totalAmount: 'abc' is not a number"
    assert orders.error("XADD", "orders", "*", "totalAmount", "abc") == refusal
    assert orders.error("XADD", "orders", "5-1", "totalAmount", "abc") == refusal
    assert orders.error("XADD", "orders", "MAXLEN", "0", "*", "totalAmount", "abc") == refusal
    assert orders.ok("XLEN", "orders") == 0
    orders.ok("XADD", "orders", "*", "totalAmount", "12.50")
    orders.ok(
        "XADD", "orders", "NOMKSTREAM", "MAXLEN", "~", "9", "*", "note", "x", "totalAmount", "1"
    )
    assert orders.ok("XLEN", "orders") == 2


def test_several_faults_are_told_in_one_line(orders: Client) -> None:
    words = [word for i in range(9) for word in (f"x{i}\r\n", "1")]
    found = orders.error("XADD", "orders", "*", *words, "note", b"\xff", "totalAmount", "x" * 9999)
    assert found == (
        "SCHEMA orders v1: 'x0\\r\\n': is no field of the schema; 'x1\\r\\n': is no field of the "
        "schema; 'x2\\r\\n': is no field of the schema; and 8 more"
    )
    found = orders.error("XADD", "orders", "*", "totalAmount", "x" * 9999)
    assert found == (
        f"SCHEMA orders v1: totalAmount: '{'x' * 40}...' is too long for a number: 9999 bytes"
    )
    twice = orders.error("XADD", "orders", "*", "totalAmount", "1", "totalAmount", "2")
    assert twice == "SCHEMA orders v1: a field is there twice"


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ("a b\r\n", "'a b\\r\\n'"),
        (b"\xff", "\\xff"),
        ("größe".encode(), "größe"),
        ("k" * 500, "'" + "k" * 97 + "...'"),
    ],
)
def test_keys_are_quoted(world: Embedded, key: str | bytes, named: str) -> None:
    world.main.ok("XSCHEMA", "SET", key, V1)
    found = world.main.error("XADD", key, "*", "note", "x")
    assert found == f"SCHEMA {named} v1: totalAmount: is missing"


def test_the_newest_version_counts(orders: Client) -> None:
    orders.ok("XADD", "orders", "1-0", "totalAmount", "1")
    assert orders.ok("XSCHEMA", "SET", "orders", NARROWER) == 2
    found = orders.error("XADD", "orders", "*", "totalAmount", "1")
    assert found == "SCHEMA orders v2: note: is missing"
    assert orders.ok("XSCHEMA", "SET", "orders", V1) == 3
    orders.ok("XADD", "orders", "*", "totalAmount", "1")


def test_the_check_comes_before_the_window_of_idempotent_ids(orders: Client) -> None:
    words = ("XADD", "orders", "IDMP", "p", "1", "*")
    first = orders.ok(*words, "totalAmount", "1")
    assert orders.ok(*words, "totalAmount", "1") == first
    assert orders.error(*words, "totalAmount", "x").startswith("SCHEMA orders v1: ")


def test_a_transaction_goes_by_the_schema_at_exec(orders: Client, world: Embedded) -> None:
    orders.ok("MULTI")
    assert orders.ok("XADD", "orders", "*", "totalAmount", "1") == b"QUEUED"
    assert orders.ok("XADD", "orders", "*", "totalAmount", "x") == b"QUEUED"
    world.connect().ok("XSCHEMA", "SET", "orders", NARROWER)
    kind, replies = orders.call("EXEC")
    assert kind == "*"
    assert isinstance(replies, list)
    assert [reply[0] for reply in replies] == ["-", "-"]
    assert replies[0][1] == b"SCHEMA orders v2: note: is missing"


def test_scripts_get_the_error(orders: Client) -> None:
    script = "return redis.pcall('XADD', KEYS[1], '*', 'totalAmount', ARGV[1])"
    assert orders.error("EVAL", script, "1", "orders", "abc").startswith("SCHEMA orders v1: total")
    assert orders.ok("EVAL", script, "1", "orders", "5").endswith(b"-0")


# --- versions ---


def test_the_same_text_is_the_same_version(orders: Client, world: Embedded) -> None:
    changes = world.state.keyspace.dirty
    assert orders.ok("XSCHEMA", "SET", "orders", V1) == 1
    assert orders.ok("XSCHEMA", "SET", "orders", V1, "compat", "NONE") == 1
    assert world.state.keyspace.dirty == changes
    world.pass_ms(5)
    assert orders.ok("XSCHEMA", "SET", "orders", V1, "COMPAT", "backward") == 1
    assert listed(orders) == [(1, b"backward", 5)]
    assert world.state.keyspace.dirty == changes + 1


def test_compat_stays_until_it_is_given(orders: Client, world: Embedded) -> None:
    assert orders.ok("XSCHEMA", "SET", "orders", NARROWER, "COMPAT", "forward") == 2
    world.pass_ms(7)
    refusal = "SCHEMA orders v3: forward: note: v2 requires it, v3 does not"
    assert orders.error("XSCHEMA", "SET", "orders", V1) == refusal
    assert orders.error("XSCHEMA", "SET", "orders", V1, "COMPAT", "full") == refusal
    assert orders.ok("XSCHEMA", "SET", "orders", V1, "COMPAT", "backward") == 3
    assert orders.ok("XSCHEMA", "SET", "orders", WIDER) == 4
    assert orders.error("XSCHEMA", "SET", "orders", NARROWER) == (
        "SCHEMA orders v5: backward: totalAmount: v5 requires it, v4 does not; "
        "backward: note: v5 requires it, v4 does not"
    )
    assert orders.ok("XSCHEMA", "SET", "orders", NARROWER, "COMPAT", "none") == 5
    assert listed(orders) == [
        (1, b"none", 0),
        (2, b"forward", 0),
        (3, b"backward", 7),
        (4, b"backward", 7),
        (5, b"none", 7),
    ]
    assert orders.ok("XSCHEMA", "GET", "orders", "VERSION", "4") == WIDER.encode()
    assert orders.ok("XSCHEMA", "GET", "orders") == NARROWER.encode()


def test_versions_that_are_not_there(orders: Client) -> None:
    for number in ("0", "2", "-1", "9223372036854775807"):
        assert orders.ok("XSCHEMA", "GET", "orders", "VERSION", number) is None
    for number in range(VERSIONS_KEPT):
        orders.ok("XSCHEMA", "SET", "orders", text(title=str(number)))
    assert orders.ok("XSCHEMA", "GET", "orders", "VERSION", "1") is None
    assert [row[0] for row in listed(orders)] == list(range(2, VERSIONS_KEPT + 2))


def test_keys_without_a_schema(world: Embedded) -> None:
    client = world.main
    client.ok("XADD", "s", "1-0", "f", "v")
    for key in ("s", "missing"):
        assert client.ok("XSCHEMA", "GET", key) is None
        assert client.ok("XSCHEMA", "LIST", key) == []
        assert client.ok("XSCHEMA", "DEL", key) == 0
        assert client.ok("XSCHEMA", "CHECK", key, V1) == []
    assert client.ok("EXISTS", "missing") == 0
    assert client.ok("XSCHEMA", "SET", "s", V1) == 1
    assert client.ok("XLEN", "s") == 1


def test_del(orders: Client, world: Embedded) -> None:
    orders.ok("XSCHEMA", "SET", "orders", WIDER)
    assert orders.ok("XSCHEMA", "DEL", "orders") == 1
    assert orders.ok("XSCHEMA", "DEL", "orders") == 0
    orders.ok("XADD", "orders", "*", "anything", b"\xff")
    assert orders.ok("XSCHEMA", "SET", "orders", V1) == 1


def test_check_says_what_set_would(orders: Client, world: Embedded) -> None:
    orders.ok("XSCHEMA", "SET", "orders", V1, "COMPAT", "full")
    changes = world.state.keyspace.dirty
    assert orders.ok("XSCHEMA", "CHECK", "orders", V1) == []
    assert orders.ok("XSCHEMA", "CHECK", "orders", NARROWER) == [
        b"backward: note: v2 requires it, v1 does not"
    ]
    assert orders.ok("XSCHEMA", "CHECK", "orders", "{") == [
        b"it is not JSON: Expecting property name enclosed in double quotes: "
        b"line 1 column 2 (char 1)"
    ]
    [reason] = orders.ok("XSCHEMA", "CHECK", "orders", '{"properties": {"a": {"type": 5}}}')
    assert reason.startswith(b"properties.a.type: 5 is not")
    assert world.state.keyspace.dirty == changes


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("SET s", "ERR wrong number of arguments for 'xschema|set' command"),
        ("SET s {} COMPAT", SET_SYNTAX),
        ("SET s {} KEEP none", SET_SYNTAX),
        ("SET s {} COMPAT some", "ERR COMPAT must be none, backward, forward or full"),
        ("SET str {}", WRONG_TYPE),
        ("SET s []", "SCHEMA s: this can not be used as a schema: it is not a JSON object"),
        ("GET str", WRONG_TYPE),
        ("GET s VERSION", GET_SYNTAX),
        ("GET s VERSION x", "ERR value is not an integer or out of range"),
        ("LIST str", WRONG_TYPE),
        ("DEL str", WRONG_TYPE),
        ("CHECK str {}", WRONG_TYPE),
        ("NEVER s", "ERR unknown subcommand 'NEVER'. Try XSCHEMA HELP."),
    ],
)
def test_errors(world: Embedded, words: str, error: str) -> None:
    world.main.ok("SET", "str", "x")
    assert world.main.error("XSCHEMA", *words.split()) == error
    assert world.main.ok("EXISTS", "s") == 0


def test_help_and_permissions(world: Embedded) -> None:
    lines = world.main.ok("XSCHEMA", "HELP")
    assert b"GET key [VERSION version]" in lines
    world.main.ok("ACL", "SETUSER", "u", "on", "nopass", "+xschema|check", "%R~o*")
    guest = world.connect()
    guest.ok("AUTH", "u", "x")
    assert guest.ok("XSCHEMA", "CHECK", "orders", V1) == []
    assert guest.error("XSCHEMA", "CHECK", "stock", V1).startswith("NOPERM")
    assert guest.error("XSCHEMA", "SET", "orders", V1).startswith("NOPERM")


def test_maps_in_resp3() -> None:
    pytest.importorskip("jsonschema_rs")
    client = Embedded(resp=3).main
    client.ok("XSCHEMA", "SET", "s", "{}")
    assert client.ok("XSCHEMA", "LIST", "s") == [
        {b"version": 1, b"compat": b"none", b"set-at": NOW_MS}
    ]


def test_watchers_and_listeners_are_told(world: Embedded) -> None:
    world.main.ok("CONFIG", "SET", "notify-keyspace-events", "Et")
    listener = world.connect()
    for event in ("set", "del"):
        listener.call("SUBSCRIBE", f"__keyevent@0__:xschema-{event}")
    watcher = world.connect()
    watcher.ok("XADD", "s", "1-0", "f", "v")
    watcher.ok("WATCH", "s")
    world.main.ok("XSCHEMA", "SET", "s", "{}")
    watcher.ok("MULTI")
    assert watcher.ok("EXEC") is None
    world.main.ok("XSCHEMA", "DEL", "s")
    heard = [reply[1][1][1] for reply in listener.read_all() if isinstance(reply[1], list)]
    assert heard == [b"__keyevent@0__:xschema-set", b"__keyevent@0__:xschema-del"]


# --- without the library ---


def test_set_needs_the_library(world: Embedded, no_library: None) -> None:
    assert world.main.error("XSCHEMA", "SET", "s", V1) == f"ERR XSCHEMA SET {LIBRARY}"
    assert world.main.error("XSCHEMA", "CHECK", "s", V1) == f"ERR XSCHEMA CHECK {LIBRARY}"
    assert world.main.ok("EXISTS", "s") == 0


def test_nothing_is_accepted_unchecked(
    orders: Client, world: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = world.main.session.database.peek(b"orders")
    assert isinstance(stream, Stream)
    stream.schema.checker = None  # as after a start
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "jsonschema_rs", None)
        assert orders.error("XADD", "orders", "*", "totalAmount", "1") == (
            "SCHEMA orders v1: entries can not be checked, since the server lacks a package: "
            "pip install 'headwater[schema]'"
        )
        assert orders.ok("XLEN", "orders") == 0
        assert orders.ok("XSCHEMA", "GET", "orders") == V1.encode()
        assert [row[0] for row in listed(orders)] == [1]
        orders.ok("XADD", "other", "*", "f", "v")
    orders.ok("XADD", "orders", "*", "totalAmount", "1")
    stream.schema.checker = None
    stream.schema.versions[-1].text = b'{"properties": {"a": {"pattern": "("}}}'
    for _ in range(2):
        found = orders.error("XADD", "orders", "*", "totalAmount", "1")
        assert found.startswith("SCHEMA orders v1: the schema can not be used: properties.a: pat")


# --- what goes with a key, and what is kept ---


@pytest.mark.parametrize("words", [("RENAME", "orders", "o2"), ("COPY", "orders", "o2")])
def test_the_schema_goes_with_the_stream(orders: Client, words: tuple[str, ...]) -> None:
    orders.ok("XSCHEMA", "SET", "orders", NARROWER, "COMPAT", "forward")
    orders.ok(*words)
    assert [row[:2] for row in listed(orders, "o2")] == [(1, b"none"), (2, b"forward")]
    assert orders.error("XADD", "o2", "*", "x", "1").startswith("SCHEMA o2 v2: x: is no field")
    orders.ok("XSCHEMA", "SET", "o2", V1, "COMPAT", "none")
    if words[0] == "COPY":
        assert [row[0] for row in listed(orders)] == [1, 2]


def some_of_everything(store: DurableEngine) -> None:
    """Streams with schemas, in the ways they come about."""
    store.ok("XSCHEMA", "SET", "new", V1)
    store.ok("XADD", "old", "1-0", "f", "v")
    store.ok("XSCHEMA", "SET", "old", WIDER, "COMPAT", "backward")
    store.clock.advance(5)
    store.ok("XSCHEMA", "SET", "old", text(required=[], title="x"))
    store.ok("XSCHEMA", "SET", "old", text(required=[], title="x"), "COMPAT", "full")
    store.ok("XADD", "old", "*", "totalAmount", "5")
    store.ok("COPY", "old", "copied")
    store.ok("XSCHEMA", "SET", "copied", V1, "COMPAT", "none")
    store.ok("XSCHEMA", "SET", "gone", V1)
    store.ok("XSCHEMA", "DEL", "gone")
    store.ok("RENAME", "new", "renamed")
    for number in range(VERSIONS_KEPT + 3):
        store.ok("XSCHEMA", "SET", "many", text(title=str(number)))


@pytest.mark.parametrize("kept", ["journal", "rewritten", "snapshot"])
def test_schemas_survive_a_restart(kept: str) -> None:
    pytest.importorskip("jsonschema_rs")
    disk = SimulatedDisk(DIRECTORY)
    appendonly = "no" if kept == "snapshot" else "yes"
    store = DurableEngine(disk, appendonly=appendonly)
    some_of_everything(store)
    if kept == "rewritten":
        store.ok("BGREWRITEAOF")
        store.settle()
        store.ok("XSCHEMA", "SET", "renamed", WIDER)
    if kept == "snapshot":
        store.ok("SAVE")
    store.settle()
    before = keyspace_digest(store.state.keyspace)
    store.stop()
    again = reopened(disk, store, appendonly=appendonly)
    assert keyspace_digest(again.state.keyspace) == before
    refusal = "SCHEMA old v2: totalAmount: 'x' is not a number"
    assert again.call("XADD", "old", "*", "totalAmount", "x") == ("-", refusal.encode())
    again.stop()


def test_memory_counts(orders: Client) -> None:
    small = orders.ok("MEMORY", "USAGE", "orders")
    orders.ok("XSCHEMA", "SET", "orders", text(title="x" * 50_000))
    assert orders.ok("MEMORY", "USAGE", "orders") > small + 50_000


def test_the_library_is_imported_when_it_is_needed() -> None:
    code = (
        "import sys\n"
        "from support.embedded import Embedded\n"
        "main = Embedded().main\n"
        "main.ok('XADD', 's', '*', 'f', 'v')\n"
        "main.ok('XSCHEMA', 'GET', 's')\n"
        "assert 'jsonschema_rs' not in sys.modules\n"
        "main.ok('XSCHEMA', 'SET', 's', '{}')\n"
        "assert 'jsonschema_rs' in sys.modules\n"
    )
    pytest.importorskip("jsonschema_rs")
    search = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    environment = {**os.environ, "PYTHONPATH": search}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
