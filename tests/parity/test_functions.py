"""FUNCTION and FCALL, and what libraries are told when they are wrong, as redis-server does it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import pytest

from headwater.rdb.crc64 import crc64
from support.pair import Pair
from support.servers import Server
from support.wire import Connection, Reply, Word

WAIT_SECONDS = 20

StartServer = Callable[..., Server]


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def pair(headwater: Server, reference: Server, request: pytest.FixtureRequest) -> Iterator[Pair]:
    both = Pair(headwater, reference, request.param)
    both.same(both.main, "FUNCTION", "FLUSH")
    yield both
    both.same(both.main, "FUNCTION", "FLUSH")
    both.close()


def load(pair: Pair, code: str, name: str = "lib") -> Reply:
    words = ("FUNCTION", "LOAD", "REPLACE", f"#!lua name={name}\n{code}")
    return pair.same(pair.main, *words)


FIRST_LINES = (
    "return 1", "", "#!lua", "#!lua\n", "#!lua name=a", "#!lua name=a\n", "#!lua name=a b=c\n",
    "#!lua name=a name=b\n", "#!js name=a\nfoo", "#!lua name=a-b\nx", "#!lua name=\nx",
    '#!LUA NAME=Abc\nredis.register_function("f",function() end)',
    "#!lua name='abc'\nredis.register_function('g',function() end)", '#!lua name="a\nx',
    "#! lua name=a\nx", "#!\nx", "#!lua name=a\0b\nfoo",
    '#!lua name=crlf\r\nredis.register_function("h",function() end)',
)  # fmt: skip


def test_first_lines(pair: Pair) -> None:
    for code in FIRST_LINES:
        pair.same(pair.main, "FUNCTION", "LOAD", code)


LIBRARIES = r"""
x x
goto x
local a = 1
foo()
local x = nil + 1
do return end
return {}
a = 1
redis = 1
redis.foo = 1
return redis.foo
return print
return KEYS
error('boom')
pcall(redis.register_function, 'a')
redis.call('set', 'a', 1)
redis.pcall('set', 'a', 1)
local x = cjson.encode({})
math.randomseed(1)
setmetatable(_G, {})
_G.x = 1
return redis.setresp
return redis.sha1hex
return redis.error_reply
return redis.REPL_ALL
return redis.acl_check_cmd
return redis.REDIS_VERSION
redis.log(redis.LOG_DEBUG, 'x')
redis.log(9, 'x')
redis.log('x')
local function f() f() end f()
redis.register_function()
redis.register_function('a')
redis.register_function('a', 'b')
redis.register_function('a', function() end, 3)
redis.register_function(1, function() end)
redis.register_function(nil, function() end)
redis.register_function({}, function() end)
redis.register_function(true)
redis.register_function('a-b', function() end)
redis.register_function('', function() end)
redis.register_function('a\0b', function() end)
redis.register_function{}
redis.register_function{function_name='a'}
redis.register_function{callback=function() end}
redis.register_function{function_name='a', callback=1}
redis.register_function{function_name=1, callback=function() end}
redis.register_function{function_name={}, callback=function() end}
redis.register_function{Function_Name='a', CALLBACK=function() end}
redis.register_function{function_name='a', callback=function() end, flags='x'}
redis.register_function{function_name='a', callback=function() end, flags={'x'}}
redis.register_function{function_name='a', callback=function() end, flags={1}}
redis.register_function{function_name='a', callback=function() end, flags={x=1}}
redis.register_function{function_name='a', callback=function() end, flags={'NO-WRITES'}}
redis.register_function{function_name='a', callback=function() end, flags={'no-writes','no-writes'}}
redis.register_function{function_name='a', callback=function() end, foo=1}
redis.register_function{function_name='a', callback=function() end, [1]=1}
redis.register_function{function_name='a', callback=function() end, description=1}
redis.register_function{function_name='a', callback=function() end, description={}}
redis.register_function('a', function() end) a = 1
redis.register_function('a', function() end) redis.register_function('a', function() end)
local r = redis redis.register_function('a', function() return r.call('ping') end)
local t = {x=1} redis.register_function('a', function() t.x = t.x + 1 return t.x end)
redis.register_function('a', function(...) return select('#', ...) end)
redis.register_function('a', function() return redis.register_function == nil end)
redis.register_function('a', function(k, a) k[1] = 'x' a[5] = 1 return k end)
redis.register_function('a', function() return _G.cjson ~= nil end)
redis.register_function('a', function() return {KEYS} end)
""".strip().splitlines()


def test_libraries(pair: Pair) -> None:
    for code in LIBRARIES:
        load(pair, code)
        for _ in range(2):
            pair.same(pair.main, "FCALL", "a", 0)
        pair.same(pair.main, "FUNCTION", "LIST", "WITHCODE")
        pair.same(pair.main, "FUNCTION", "STATS")
        pair.same(pair.main, "FUNCTION", "FLUSH")


FUNCTIONS = """
register('f', function(keys, args) return {keys, args} end)
register('ok', function() return redis.status_reply('FINE') end)
register('err', function() return redis.error_reply('MY err') end)
register('boom', function() error('boom') end)
register('boom2', function() error({err='MYE boom'}) end)
register('unknown', function() return redis.call('nope') end)
register('wrong', function(k) return redis.call('xlen', k[1]) end)
register('writes', function() x = 1 end)
register('reads', function() return y end)
register('registers', function() redis.register_function('z', function() end) end)
register('keys', function() return tostring(KEYS) end)
register('types', function() return {type(cjson), type(pcall), type(redis.call), type(bit)} end)
register('double', function() return {double=1.5} end)
register('map', function() return {map={a=1}} end)
register('resp3', function() redis.setresp(3) return redis.call('xrange', 'none', '-', '+') end)
register('nested', function() return redis.call('fcall', 'f', 0) end)
register('evals', function() return redis.call('eval', 'return 1', 0) end)
register('loads', function() return redis.call('function', 'list') end)
register('text', function() return 'x' end)
register('yes', function() return true end)
register('no', function() return false end)
register('float', function() return 3.99 end)
register('nothing', function() end)
register('json', function() return cjson.encode({1, 2}) end)
register('badjson', function() return cjson.decode('[') end)
register('tail', function(k, a) return redis.call('set', k[1], a[1]) end)
register('caught', function() return {pcall(redis.call, 'nope')} end)
"""
FLAGGED = """
redis.register_function{function_name='ro', callback=function(k) return redis.call('get', k[1]) end,
  flags={'no-writes'}, description='reads'}
redis.register_function{function_name='rw', callback=function(k, a)
  return redis.call('set', k[1], a[1]) end, flags={'no-writes'}}
redis.register_function{function_name='all', callback=function() return 1 end,
  flags={'no-writes','allow-oom','allow-stale','no-cluster','allow-cross-slot-keys'}}
"""


def test_calls(pair: Pair) -> None:
    load(pair, "local register = redis.register_function\n" + FUNCTIONS)
    load(pair, FLAGGED, "flagged")
    requests: list[tuple[Word, ...]] = [
        ("FCALL",), ("FCALL", "f"), ("FCALL", "f", "x"), ("FCALL", "f", -1), ("FCALL", "f", 2, "a"),
        ("FCALL", "missing", 0), ("FCALL", "missing", "x"), ("FCALL", "F", 0),
        ("FCALL", "f", 1, "a", "b", "c"), ("FCALL", "f", "99999999999999999999"),
        ("FCALL_RO", "f", 0), ("FCALL_RO", "all", 0), ("FCALL", "all", 0), ("FCALL", "ro", 1, "k"),
        ("FCALL", "tail", 1, "k", "v"), ("FCALL_RO", "tail", 1, "k", "v"),
        ("FCALL", "rw", 1, "k", "v"), ("FCALL_RO", "rw", 1, "k", "v"), ("FCALL_RO", "ro", 1, "k"),
        ("FCALL", "wrong", 1, "k"),
    ]  # fmt: skip
    names = [line.split("'")[1] for line in FUNCTIONS.strip().splitlines()]
    requests += [("FCALL", name, 0) for name in names if name != "wrong"]
    for words in requests:
        pair.same(pair.main, *words)


OPTIONS: tuple[tuple[Word, ...], ...] = (
    ("FUNCTION",), ("FUNCTION", "NOPE"), ("FUNCTION", "LOAD"), ("FUNCTION", "LOAD", "a", "b", "c"),
    ("FUNCTION", "LOAD", "a", "b"), ("FUNCTION", "LIST", "LIBRARYNAME", "LI*"),
    ("FUNCTION", "LIST", "WITHCODE", "LIBRARYNAME", "li*"), ("FUNCTION", "LIST", "LIBRARYNAME"),
    ("FUNCTION", "LIST", "LIBRARYNAME", "a", "LIBRARYNAME", "b"), ("FUNCTION", "LIST", "x"),
    ("FUNCTION", "LIST", "WITHCODE", "WITHCODE"), ("FUNCTION", "LIST", "LIBRARYNAME", "none"),
    ("FUNCTION", "STATS"), ("FUNCTION", "STATS", "x"), ("FUNCTION", "KILL"), ("SCRIPT", "KILL"),
    ("FUNCTION", "DELETE"), ("FUNCTION", "DELETE", "none"), ("FUNCTION", "DELETE", "LIB"),
    ("FUNCTION", "DELETE", "a", "b"), ("FUNCTION", "DUMP", "x"), ("FUNCTION", "RESTORE"),
    ("FUNCTION", "RESTORE", "abc"), ("FUNCTION", "RESTORE", ""),
    ("FUNCTION", "RESTORE", "abc", "x"),
    ("FUNCTION", "RESTORE", "abc", "APPEND", "REPLACE"), ("FUNCTION", "FLUSH", "x"),
    ("FUNCTION", "FLUSH", "ASYNC", "x"), ("COMMAND", "GETKEYS", "FCALL", "f", 1, "a", "b"),
    ("COMMAND", "GETKEYS", "FCALL_RO", "f", 2, "a", "b"), ("FUNCTION", "FLUSH", "sync"),
    ("FUNCTION", "LIST"),
)  # fmt: skip


def test_options(pair: Pair) -> None:
    load(pair, "redis.register_function('f', function() return 1 end)")
    for words in OPTIONS:
        pair.same(pair.main, *words)


def test_names_that_are_taken(pair: Pair) -> None:
    one = "redis.register_function('{}', function() return 1 end)"
    load(pair, one.format("a"), "l1")
    load(pair, one.format("b"), "l2")
    load(pair, one.format("a") + one.format("b"), "l1")  # b is l2's, and l1 stays as it was
    load(pair, one.format("B"), "l3")
    pair.same(pair.main, "FUNCTION", "LOAD", "#!lua name=l1\n" + one.format("c"))
    pair.same(pair.main, "FUNCTION", "LOAD", "REPLACE", "REPLACE", "#!lua name=l1\nx x")
    for name in ("a", "b", "c", "A", "B"):
        pair.same(pair.main, "FCALL", name, 0)
    pair.same(pair.main, "FUNCTION", "STATS")
    pair.same(pair.main, "FUNCTION", "DELETE", "l1")
    for name in ("a", "b"):
        pair.same(pair.main, "FCALL", name, 0)


def test_in_a_transaction(pair: Pair) -> None:
    for words in (
        ("MULTI",),
        ("FUNCTION", "LOAD", "#!lua name=m\nredis.register_function('m', function() return 3 end)"),
        ("FCALL", "m", 0),
        ("FCALL", "none", 0),
        ("FUNCTION", "LOAD", "#!lua name=m\nx x"),
        ("FUNCTION", "DELETE", "m"),
        ("FCALL", "m", 0),
        ("EXEC",),
    ):
        pair.same(pair.main, *words)


# --- payloads ---


def payload(body: bytes, version: int = 12) -> bytes:
    body += version.to_bytes(2, "little")
    return body + crc64(bytearray(body), 0, len(body), 0).to_bytes(8, "little")


def library(code: str, name: str = "l1") -> bytes:
    text = f"#!lua name={name}\n{code}".encode()
    return b"\xf5" + bytes([0x40 | len(text) >> 8, len(text) & 255]) + text


F = 'redis.register_function("f", function() return 1 end)'
PAYLOADS = (
    payload(b""),
    payload(b"\x00\x03abc"),
    payload(b"\xf5\x03foo"),
    payload(b"\xf5"),
    payload(b"\xf5\x40\xfffoo"),
    payload(b"\xf6" + library(F)[1:]),
    payload(library("foo")),
    payload(library(F) + library(F)),
    payload(library(F) + b"\xff"),
    payload(library(F) + library(F, "l2")),
    payload(library(F) + library('redis.register_function("F", function() end)', "l2")),
    payload(library('redis.register_function("q", function() x() end) x()')),
    payload(library(F), 11),
    payload(library(F), 99),
    payload(library(F))[:-1] + b"\0",
)


def test_restore(pair: Pair) -> None:
    for data in PAYLOADS:
        for policy in ("append", "REPLACE", "FLUSH"):
            load(pair, "redis.register_function('k', function() return 1 end)", "kept")
            pair.same(pair.main, "FUNCTION", "RESTORE", data, policy)
            pair.same(pair.main, "FUNCTION", "RESTORE", data)
            for name in ("f", "k"):
                pair.same(pair.main, "FCALL", name, 0)
            pair.same(pair.main, "FUNCTION", "STATS")
            pair.same(pair.main, "FUNCTION", "FLUSH")


def test_dumps_are_taken_by_the_other(pair: Pair) -> None:
    long_one = "-- " + "abcdefgh" * 400 + "\nredis.register_function('g', function() return 2 end)"
    load(pair, "redis.register_function('f', function() return 1 end)", "l1")
    for connection, other in (
        (pair.main.ours, pair.main.theirs),
        (pair.main.theirs, pair.main.ours),
    ):
        other.ok("FUNCTION", "LOAD", "REPLACE", f"#!lua name=big\n{long_one}")
        connection.ok("FUNCTION", "LOAD", "REPLACE", f"#!lua name=big\n{long_one}")
        data = connection.ok("FUNCTION", "DUMP")
        assert len(data) < 400  # compressed
        other.ok("FUNCTION", "RESTORE", data, "FLUSH")
        assert other.ok("FCALL", "f", 0) == 1
        assert other.ok("FCALL", "g", 0) == 2
        codes = [code_of(one, "big") for one in (connection, other)]
        assert codes[0] == codes[1]


def code_of(connection: Connection, name: str) -> bytes:
    found = connection.ok("FUNCTION", "LIST", "LIBRARYNAME", name, "WITHCODE")[0]
    code: bytes = found[b"library_code"] if isinstance(found, dict) else found[-1]
    return code


def test_bytes_of_a_dump_but_for_the_version(pair: Pair) -> None:
    load(pair, "redis.register_function('f', function() return 1 end)")
    ours, theirs = (one.ok("FUNCTION", "DUMP") for one in (pair.main.ours, pair.main.theirs))
    assert ours[:-10] == theirs[:-10]


# --- long ones ---


@pytest.mark.skipif(
    os.environ.get("HEADWATER_TEST_SUBJECT", "") == "embedded",
    reason="who sends a request there executes it, and this test has one thread",
)
def test_a_function_that_runs_too_long(start: StartServer, start_reference: StartServer) -> None:
    servers = (start("--lua-time-limit", "50"), start_reference("--lua-time-limit", "50"))
    said = []
    for server in servers:
        runner, other = server.connect(), server.connect()
        runner.ok(
            "FUNCTION", "LOAD",
            "#!lua name=l\nredis.register_function('loop', function() while true do end end)"
            "\nredis.register_function('f', function() return 1 end)",
        )  # fmt: skip
        runner.send("FCALL", "loop", 1, "k", "a")
        deadline = time.monotonic() + WAIT_SECONDS
        while (answer := other.call("PING"))[0] != "-":
            assert time.monotonic() < deadline
        assert answer[1].startswith(b"BUSY Redis is busy running a script.")
        assert other.call("FCALL", "f", 0)[0] == "-"
        running = other.ok("FUNCTION", "STATS")[1]
        assert running[:4] == [b"name", b"loop", b"command", [b"FCALL", b"loop", b"1", b"k", b"a"]]
        assert running[5] >= 50
        said.append(other.call("SCRIPT", "KILL"))
        other.ok("FUNCTION", "KILL")
        said.append(runner.read())
        assert other.ok("FCALL", "f", 0) == 1
    assert said[:2] == said[2:]


@pytest.mark.slow
def test_a_library_that_never_ends_its_load(pair: Pair) -> None:
    load(pair, "while true do end")
    load(pair, "local function f() return f() end f()")


def test_registering_is_only_for_loading(pair: Pair) -> None:
    load(pair, "local r = redis.register_function r('f', function() r('g', function() end) end)")
    pair.same(pair.main, "FCALL", "f", 0)
