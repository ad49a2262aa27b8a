"""Scripts in their surroundings: the journal, who waits, transactions, time, and who looks on."""

from __future__ import annotations

import pytest

from headwater.clock import Clock
from headwater.config import Config
from headwater.engine import Engine
from support.disk import SimulatedDisk
from support.durable import DIRECTORY, DurableEngine, reopened
from support.embedded import Client, Embedded

MOVE = """
local entries = redis.call('xrange', KEYS[1], '-', '+', 'count', ARGV[1])
for _, entry in ipairs(entries) do
  redis.call('xadd', KEYS[2], '*', unpack(entry[2]))
  redis.call('xdel', KEYS[1], entry[1])
end
return #entries
"""
"""From one stream to another in one step, as brokers outside of the server can not."""


@pytest.fixture
def store() -> Embedded:
    return Embedded()


def test_a_script_moves_entries_between_streams(store: Embedded) -> None:
    for i in range(10):
        store.main.ok("XADD", "from", f"{i + 1}-1", "n", i, "of", 10)
    sha = store.main.ok("SCRIPT", "LOAD", MOVE)
    assert store.main.ok("EVALSHA", sha, 2, "from", "to", 4) == 4
    assert store.main.ok("XLEN", "from") == 6
    assert [entry[1] for entry in store.main.ok("XRANGE", "to", "-", "+")] == [
        [b"n", b"%d" % i, b"of", b"10"] for i in range(4)
    ]


def test_a_script_is_one_record_of_the_journal() -> None:
    disk = SimulatedDisk(DIRECTORY)
    store = DurableEngine(disk, appendonly="yes", appendfsync="always")
    for i in range(10):
        store.ok("XADD", "from", f"{i + 1}-1", "n", i)
    store.settle()
    recorder = store.state.recorder
    store.client.ok("EVAL", MOVE, 2, "from", "to", 4)
    batch = recorder.take()
    assert batch is not None
    assert batch.records == 1
    assert recorder.take() is None


@pytest.mark.parametrize("ending", ["return 1", "error('in the middle')", "redis.call('nope')"])
def test_what_a_script_wrote_survives_however_it_ended(ending: str) -> None:
    disk = SimulatedDisk(DIRECTORY)
    store = DurableEngine(disk, appendonly="yes", appendfsync="always")
    store.call(
        "EVAL", "redis.call('set', KEYS[1], 'v') redis.call('incr', KEYS[2]) " + ending, 2, "a", "b"
    )
    store.settle()
    digest = store.digest()
    disk.crash()
    again = reopened(disk, store, appendonly="yes")
    assert again.digest() == digest
    assert again.ok("GET", "a") == b"v"
    assert again.ok("SCRIPT", "EXISTS", "0" * 40)[0][1] == 0
    again.stop()


def test_scripts_do_not_survive_a_restart() -> None:
    disk = SimulatedDisk(DIRECTORY)
    store = DurableEngine(disk, appendonly="yes", appendfsync="always")
    sha = store.ok("SCRIPT", "LOAD", "return redis.call('incr', 'n')")
    store.ok("EVALSHA", sha, 0)
    store.settle()
    store.stop()
    again = reopened(disk, store, appendonly="yes")
    assert again.call("EVALSHA", sha, 0)[0] == "-"
    assert again.ok("GET", "n") == b"1"
    again.stop()


def test_readers_are_served_when_the_script_is_over(store: Embedded) -> None:
    waiting = store.connect()
    waiting.send("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    assert waiting.read_all() == []
    script = "for i = 1, 3 do redis.call('xadd', 's', i .. '-1', 'f', i) end return 'done'"
    assert store.main.ok("EVAL", script, 0) == b"done"
    (reply,) = waiting.read_all()
    assert len(reply[1][0][1][1][1]) == 3, "it sees all that the script did, and not its first step"


def test_a_reader_sees_nothing_of_an_entry_that_the_script_took_back(store: Embedded) -> None:
    waiting = store.connect()
    waiting.send("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    store.main.ok("EVAL", "redis.call('xadd', 's', '1-1', 'f', 'v') redis.call('del', 's')", 0)
    assert waiting.read_all() == []
    assert waiting.session.blocked is not None


def test_commands_that_wait_do_not_in_a_script(store: Embedded) -> None:
    script = "return redis.call('xread', 'block', 0, 'streams', 's', '$') == false"
    assert store.main.ok("EVAL", script, 0) == 1
    assert store.main.session.blocked is None


def test_a_script_s_writes_break_a_watch(store: Embedded) -> None:
    other = store.connect()
    other.ok("WATCH", "k")
    store.main.ok("EVAL", "return redis.call('set', KEYS[1], 1)", 1, "k")
    other.ok("MULTI")
    other.ok("PING")
    assert other.ok("EXEC") is None


def test_time_stands_still_in_a_script() -> None:
    engine = Engine(Config(), Clock(), SimulatedDisk(DIRECTORY))
    client = Client(engine, 1, 2)
    script = """
        redis.call('set', KEYS[1], 'v', 'px', 20)
        local from = os.clock()
        while os.clock() < from + 0.04 do redis.call('ping') end
        return redis.call('get', KEYS[1])
    """
    assert client.ok("EVAL", script, 1, "k") == b"v"
    engine.clock.refresh()
    assert client.ok("GET", "k") is None


def test_the_caller_keeps_its_database_and_protocol(store: Embedded) -> None:
    store.main.ok("EVAL", "redis.call('select', 5) redis.call('set', 'x', 1) redis.setresp(3)", 0)
    assert store.main.ok("GET", "x") is None
    assert store.main.session.database.index == 0
    assert not store.main.session.resp3


def test_a_pause_of_writes_holds_scripts_that_may_write(store: Embedded) -> None:
    store.main.ok("CLIENT", "PAUSE", 10_000, "WRITE")
    reading, writing = store.connect(), store.connect()
    assert reading.ok("EVAL_RO", "return 1", 0) == 1
    assert reading.ok("EVAL", "#!lua flags=no-writes\nreturn 1", 0) == 1
    writing.send("EVAL", "return 2", 0)
    assert writing.read_all() == []
    store.main.ok("CLIENT", "UNPAUSE")
    assert writing.read_all() == [(":", 2)]


def test_monitors_see_what_scripts_call(store: Embedded) -> None:
    monitor = store.connect()
    monitor.ok("MONITOR")
    store.main.ok(
        "EVAL", "redis.call('set', KEYS[1], 'v') return redis.call('get', KEYS[1])", 1, "k"
    )
    lines = [
        text.split(b"] ")[0].split(b"[")[1] + b" " + text.split(b"] ")[1]
        for _, text in monitor.read_all()
    ]
    assert lines == [b'0 lua "set" "k" "v"', b'0 lua "get" "k"']


def test_the_slow_log_has_the_script_and_not_its_calls(store: Embedded) -> None:
    store.state.slow_us = 0
    store.main.ok("EVAL", "return redis.call('set', KEYS[1], 'v')", 1, "k")
    store.state.slow_us = -1
    entries = store.main.ok("SLOWLOG", "GET")
    assert [entry[3][0].upper() for entry in entries] == [b"EVAL"]


def test_a_script_without_a_server_runs_as_long_as_it_likes() -> None:
    store = Embedded(busy_reply_threshold="1")
    script = "local n = 0 for i = 1, 3000000 do n = n + 1 end return n"
    assert store.main.ok("EVAL", script, 0) == 3_000_000
    assert store.state.busy is None


def test_the_two_names_of_the_time_limit_are_one_setting(store: Embedded) -> None:
    store.main.ok("CONFIG", "SET", "lua-time-limit", 77)
    assert store.main.ok("CONFIG", "GET", "busy-reply-threshold") == [
        b"busy-reply-threshold",
        b"77",
    ]
    store.main.ok("CONFIG", "SET", "busy-reply-threshold", 78)
    assert store.main.ok("CONFIG", "GET", "lua-time-limit") == [b"lua-time-limit", b"78"]
    assert store.state.scripting.host.limit_us == 78_000


def test_memory_of_scripts_is_told(store: Embedded) -> None:
    for i in range(3):
        store.main.ok("EVAL", f"return {i}", 0)
    info = store.main.ok("INFO", "memory").decode()
    assert "number_of_cached_scripts:3\r\n" in info
    assert f"used_memory_scripts_eval:{store.state.scripting.bytes}\r\n" in info
    assert store.state.scripting.vm_bytes() > 10_000
    store.main.ok("SCRIPT", "FLUSH")
    assert store.state.scripting.bytes == 0
    assert "number_of_cached_scripts:0\r\n" in store.main.ok("INFO", "memory").decode()


def test_a_command_that_fails_unexpectedly_is_an_error_of_the_script(
    store: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    from headwater.commands.spec import SPECS
    from headwater.commands.table import Command

    state = store.state
    found = Command(SPECS["GET"], broken, False)
    state.table.commands[b"get"] = found
    store.main.ok("EVAL", "redis.call('set', 'k', 'v')", 0)
    text = store.main.error("EVAL", "return redis.call('gEt', 'k')", 0)
    assert "ZeroDivisionError" not in text
    assert store.main.ok("EVAL", "return type(redis.pcall('gEt', 'k').err)", 0) == b"string"
    assert state.unexpected_errors == 2
