"""Scripts that run for too long: who is told so, how they end, and what is kept of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.servers import Server
from support.wire import Connection, Reply, encode

StartServer = Callable[..., Server]
BUSY = b"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
SECONDS = 60

ENDLESS = {
    "a loop": "while true do end",
    "a loop that catches errors": "while true do pcall(function() while true do end end) end",
    "a loop in a handler of errors": "while true do xpcall(error, function() while true do "
    "end end) end",
    "a handler that goes on": "xpcall(function() while true do end end, function() while true do "
    "end end)",
    "a loop in a coroutine": "coroutine.wrap(function() while true do end end)()",
    "coroutines without end": "while true do coroutine.resume(coroutine.create(function() "
    "while true do end end)) end",
    "a coroutine that catches errors": "coroutine.wrap(function() while true do "
    "pcall(function() while true do end end) end end)()",
    "commands without end": "while true do redis.call('get', 'k') end",
    "commands that fail": "while true do redis.pcall('nope') end",
    "a metamethod": "local t = setmetatable({}, {__index = function() while true do end end}) "
    "return t.x",
    "a comparison in a sort": "local t = {} for i = 1, 100 do t[i] = i end "
    "table.sort(t, function() while true do end end)",
    "a replacement": "string.gsub('x', 'x', function() while true do end end)",
    "a loaded chunk": "loadstring('while true do end')()",
    "tail calls": "local function f() return f() end return f()",
    "a library": "while true do pcall(cjson.encode, {1, 2, 3}) end",
    "goto by recursion": "local f f = function(n) if n > 10000 then return f(0) end "
    "return f(n + 1) end return f(0)",
}


def until_busy(client: Connection) -> None:
    deadline = time.monotonic() + SECONDS
    while client.call("PING") != ("-", BUSY):
        assert time.monotonic() < deadline, "the script is not noticed"


@pytest.mark.parametrize("name", ENDLESS)
def test_every_endless_script_can_be_ended(name: str, headwater: Server) -> None:
    caller, other = headwater.connect(timeout=SECONDS), headwater.connect(timeout=SECONDS)
    other.ok("CONFIG", "SET", "busy-reply-threshold", 20)
    try:
        caller.send("EVAL", ENDLESS[name], 0)
        until_busy(other)
        assert other.call("GET", "k") == ("-", BUSY)
        assert other.ok("SCRIPT", "KILL") == b"OK"
        kind, text = caller.read()
        assert kind == "-"
        assert text.startswith(b"ERR Script killed by user with SCRIPT KILL...")
        # The caller goes on, and so does everybody.
        assert caller.ok("EVAL", "return redis.call('incr', 'n')", 0) == 1
        assert other.ok("GET", "n") == b"1"
        assert other.call("SCRIPT", "KILL")[1].startswith(b"NOTBUSY")
    finally:
        other.call("CONFIG", "SET", "busy-reply-threshold", 5000)


def test_others_are_served_beside_requests_that_are_under_way(headwater: Server) -> None:
    """What the connections share is in use: half requests, pipelines, replies before and behind."""
    caller, half, other = (headwater.connect(timeout=SECONDS) for _ in range(3))
    other.ok("CONFIG", "SET", "lua-time-limit", 20)
    try:
        half.ok("PING")
        half.send_raw(b"*2\r\n$4\r\nECHO\r\n$5\r\nhe")
        behind = ("ECHO", "x" * 20000)
        caller.pipeline([("SET", "k", "v")])
        requests: list[tuple[str | int, ...]] = [
            ("ECHO", "before"),
            ("EVAL", "while true do redis.call('get', KEYS[1]) end", 1, "k"),
            behind,
            ("GET", "k"),
        ]
        caller.send_raw(b"".join(encode(request) for request in requests))
        until_busy(other)
        half.send_raw(b"llo\r\n")
        assert half.read() == ("-", BUSY)
        late = headwater.connect(timeout=SECONDS)
        assert late.call("ECHO", "y" * 70000) == ("-", BUSY)
        assert late.ok("MULTI") == b"OK"
        assert late.call("GET", "k") == ("-", BUSY)
        assert late.call("EXEC")[1].startswith(b"EXECABORT Transaction discarded because of: BUSY")
        pipelined = late.pipeline([("PING",), ("HELLO", 3), ("GET", "k"), ("RESET",)])
        assert [reply[0] for reply in pipelined] == ["-", "%", "-", "+"]
        gone = headwater.connect()
        gone.send("PING")
        gone.close()
        assert other.ok("SCRIPT", "KILL") == b"OK"
        replies: list[Reply] = [caller.read() for _ in requests]
        assert replies[0] == ("$", b"before")
        assert replies[1][1].startswith(b"ERR Script killed by user")
        assert replies[2] == ("$", b"x" * 20000)
        assert replies[3] == ("$", b"v")
        assert late.ok("PING") == b"PONG"
    finally:
        other.call("CONFIG", "SET", "busy-reply-threshold", 5000)


def test_a_script_that_has_written_is_not_killed_and_shutdown_leaves_nothing_of_it(
    start: StartServer, tmp_path: Path
) -> None:
    flags = ("--appendonly", "yes", "--lua-time-limit", "20", "--dir", str(tmp_path))
    server = start(*flags)
    caller, other, waiting = (server.connect(timeout=SECONDS) for _ in range(3))
    other.ok("SET", "before", "1")
    waiting.send("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    script = "redis.call('xadd', 's', '*', 'f', 'v') redis.call('set', 'k', 'v') "
    caller.send("EVAL", script + "while true do end", 0)
    until_busy(other)
    assert other.call("SCRIPT", "KILL")[1].startswith(b"UNKILLABLE")
    assert other.call("SHUTDOWN") == ("-", BUSY)
    assert other.call("SHUTDOWN", "SAVE") == ("-", BUSY)
    assert not waiting.has_data(), "readers see a script's work when it is over"
    other.send("SHUTDOWN", "NOSAVE")
    assert server.wait_ended() == 0
    client = start(*flags).connect()
    assert client.ok("GET", "before") == b"1"
    assert client.ok("GET", "k") is None
    assert client.ok("EXISTS", "s") == 0


def test_a_long_script_that_ends_by_itself(headwater: Server) -> None:
    caller, other = headwater.connect(timeout=SECONDS), headwater.connect(timeout=SECONDS)
    other.ok("CONFIG", "SET", "busy-reply-threshold", 20)
    try:
        script = "local from = os.clock() while os.clock() < from + 0.5 do end "
        caller.send("EVAL", script + "redis.call('set', 'end', 1) return 'over'", 0)
        until_busy(other)
        assert caller.read() == ("$", b"over")
        assert other.ok("EXISTS", "end") == 1
    finally:
        other.call("CONFIG", "SET", "busy-reply-threshold", 5000)


def test_messages_of_a_script_that_has_not_ended(start: StartServer) -> None:
    """What it has changed is not in the journal yet: nobody hears of it, and nobody ever does."""
    server = start(
        "--appendonly", "yes", "--busy-reply-threshold", "20", "--notify-keyspace-events", "Et"
    )
    caller, other = (server.connect(3, timeout=SECONDS) for _ in range(2))
    other.send("SUBSCRIBE", "__keyevent@0__:xadd")
    other.read()
    caller.send("EVAL", "redis.call('xadd', 's', '*', 'a', 'b') while true do end", 0)
    until_busy(other)
    assert other.call("PING") == ("-", BUSY)
    other.send("SHUTDOWN", "NOSAVE")
    assert other.read_rest() == b""


def test_what_is_compiled_long_after_a_script_is_no_script_that_runs(headwater: Server) -> None:
    client = headwater.connect(timeout=SECONDS)
    client.ok("CONFIG", "SET", "busy-reply-threshold", 1)
    try:
        client.ok("EVAL", "return 1", 0)
        time.sleep(0.01)
        # Compiling counts for the hook too, which asks for the time every 100,000 instructions.
        loads = [encode(["SCRIPT", "LOAD", f"return {i}"]) for i in range(4000)]
        client.send_raw(b"".join(loads))
        assert {client.read()[0] for _ in loads} == {"$"}
        assert client.ok("PING") == b"PONG"
    finally:
        client.call("CONFIG", "SET", "busy-reply-threshold", 5000)
        client.call("SCRIPT", "FLUSH")


def test_a_script_that_is_ended_before_it_begins_leaves_nothing_behind(headwater: Server) -> None:
    caller, other = headwater.connect(timeout=SECONDS), headwater.connect(timeout=SECONDS)
    other.ok("CONFIG", "SET", "busy-reply-threshold", 1)
    kill = encode(["SCRIPT", "KILL"])
    try:
        # Giving the machine so many words takes longer than a script may run undisturbed.
        caller.send("EVAL", "while true do end", 0, *range(200_000))
        killed = False
        while not killed:
            other.send_raw(kill * 100)
            killed = ("+", b"OK") in [other.read() for _ in range(100)]
        assert caller.read()[1].startswith(b"ERR Script killed by user")
        assert caller.ok("EVAL", "return #KEYS + #ARGV", 1, "k") == 1
        assert caller.ok("EVAL", "return #KEYS + #ARGV", 0) == 0
        assert len(caller.ok("SCRIPT", "LOAD", "return 5")) == 40
    finally:
        other.call("CONFIG", "SET", "busy-reply-threshold", 5000)
