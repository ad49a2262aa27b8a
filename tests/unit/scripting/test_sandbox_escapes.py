"""What scripts try to get out of their sandbox, and what comes of it."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from headwater.scripting import vm as machines
from support.embedded import Embedded


@pytest.fixture
def store() -> Embedded:
    return Embedded()


MISSING = (
    "io os.execute os.exit os.getenv os.remove os.rename os.tmpname os.time os.date os.setlocale "
    "os.difftime loadfile dofile require module package debug newproxy print getfenv setfenv "
    "string.dump python lupa _PYTHON __builtins__ jit ffi bit32 utf8 table.unpack "
    "coroutine.isyieldable math.type redis.register_function host libraries tools"
)


@pytest.mark.parametrize("name", MISSING.split())
def test_there_is_no(name: str, store: Embedded) -> None:
    library, _, field = name.rpartition(".")
    if library:
        assert store.main.ok("EVAL", f"return {library}.{field} == nil", 0) == 1
    else:
        assert "nonexistent global variable" in store.main.error("EVAL", f"return {name}", 0)
        assert store.main.ok("EVAL", f"return rawget(_G, '{name}') == nil", 0) == 1


# Everything that can be reached from a value: through fields, metatables, upvalues that are
# called, environments. Nothing of it may be Python's.
CRAWL = """
local seen, found, queue, queued = {}, {}, {}, 0
local function add(value, path)
  local kind = type(value)
  if kind == 'userdata' and value ~= cjson.null then found[#found + 1] = path end
  if (kind == 'table' or kind == 'function' or kind == 'userdata') and not seen[value] then
    seen[value] = true
    queued = queued + 1
    queue[queued] = {value, path}
  end
end
add(_G, '_G') add(KEYS, 'KEYS') add(getmetatable(_G), 'meta') add(getmetatable(''), 'string meta')
add(coroutine.running(), 'running')
local i = 1
while i <= queued do
  local value, path = queue[i][1], queue[i][2]
  i = i + 1
  if type(value) == 'table' then
    for k, v in pairs(value) do add(k, path) add(v, path .. '.' .. tostring(k)) end
  end
  add(getmetatable(value), path .. '<')
  if type(value) == 'function' and not path:find('error$') and not path:find('yield$') then
    for _, argument in ipairs({false, {}, 'x', 1, _G}) do
      local results = {pcall(value, argument)}
      for k, v in pairs(results) do add(v, path .. '(' .. tostring(argument) .. ')') end
    end
  end
end
return {queued, found}
"""


def test_a_crawl_through_all_that_can_be_reached_finds_nothing_of_python(store: Embedded) -> None:
    many, found = store.main.ok("EVAL", CRAWL, 1, "k")
    assert many > 150
    assert found == []


ESCAPES = {
    "bytecode by loadstring": "return loadstring('\\27Lua' .. string.rep('\\0', 50)) == nil",
    "bytecode by load": "local done return load(function() if not done then done = true "
    "return '\\27Lua' .. string.rep('\\0', 50) end end) == nil",
    "bytecode in pieces": "local t, i = {'\\27', 'Lua'}, 0 "
    "return load(function() i = i + 1 return t[i] end) == nil",
    "a method of the string metatable": "return getmetatable('').__index.dump == nil",
    "a loaded chunk's globals": "return not pcall(loadstring('return io'))",
    "a loaded chunk sets a global": "return not pcall(loadstring('x = 1'))",
    "a loaded chunk in a coroutine": "return not coroutine.resume(coroutine.create("
    "loadstring('x = 1')))",
    "globals by rawset": "return not pcall(rawset, _G, 'x', 1)",
    "a library by rawset": "return not pcall(rawset, string, 'format', 1)",
    "a library by table.insert": "return not pcall(table.insert, redis, 1)",
    "a library by table.setn": "return not pcall(table.setn, redis, 1)",
    "the metatable of a proxy": "return getmetatable(string) == nil and not pcall(setmetatable, "
    "string, {})",
    "the table behind a proxy by pairs": "local f, t = pairs(string) return t == string and "
    "not pcall(function() t.x = 1 end)",
    "the table behind a proxy by next": "local k = next(string) return type(k) == 'string'",
    "the table behind a proxy by foreach": "local t = {} table.foreach(redis, function(k, v) "
    "t[k] = v end) return t.call == redis.call",
    "the metatable of strings": "return not pcall(function() getmetatable('').__index = nil end)",
    "the metatable of globals": "return not pcall(function() getmetatable(_G).__index = nil end)",
    "an error that is an object": "local ok, e = pcall(redis.call, {}) return type(e) == 'string'",
    "an error in an error handler": "local ok, e = xpcall(function() redis.call({}) end, "
    "function(e) error(e) end) return not ok and type(e) ~= 'userdata'",
    "an error in a coroutine": "local ok, e = coroutine.resume(coroutine.create(redis.call), {}) "
    "return type(e) == 'table' and type(e.err) == 'string'",
    "strange arguments": "for _, f in pairs(redis) do if type(f) == 'function' then "
    "pcall(f, coroutine.create(f), f, _G, cjson.null, '\\0', 1/0, nil) end end return true",
    "arguments with metamethods": "local t = setmetatable({}, {__tostring = function() "
    "return 'ping' "
    "end, __concat = function() return 'ping' end, __index = function() return 'ping' end}) "
    "return not pcall(redis.call, t)",
    "a metamethod of what is returned": "return #{setmetatable({}, {__index = function() "
    "error('called') end})} == 1",
    "the collector is everybody's": "return collectgarbage('stop') == 0 and "
    "collectgarbage('setpause', 1000000) == 200",
    "closing the state": "return not pcall(collectgarbage, 'close')",
    "a finalizer": "return setmetatable({}, {__gc = function() error('x') end}) ~= nil",
    "deep recursion": "local function f() return 1 + f() end return not pcall(f)",
    "deep recursion in C": "local s = string.rep('x', 10) local function f() return "
    "(s:gsub('x', f)) end return not pcall(f)",
    "deep recursion of metamethods": "local t = {} setmetatable(t, {__index = function(t, k) "
    "return t[k + 1] end}) return not pcall(function() return t[1] end)",
    "a chain of metatables that ends nowhere": "local a, b = {}, {} setmetatable(a, {__index = b}) "
    "setmetatable(b, {__index = a}) return not pcall(function() return a.x end)",
    "deep nesting of a chunk": "return loadstring('return ' .. string.rep('(', 1000) .. '1' .. "
    "string.rep(')', 1000)) == nil",
    "a pattern that takes the machine's stack": "return not pcall(string.find, "
    "string.rep('a', 300000), string.rep('a?', 300000))",
    "the same by a method": "return not pcall(function() return string.rep('a', 300000):match("
    "string.rep('a?', 300000)) end)",
    "the same by gsub": "return not pcall(string.gsub, string.rep('a', 300000), "
    "string.rep('a?', 300000), '')",
    "the same by gmatch": "return not pcall(function() for _ in string.gmatch(string.rep('a', "
    "300000), string.rep('a?', 300000)) do end end)",
    "a plain search may be long": "return string.find(string.rep('a', 6000) .. 'b', "
    "string.rep('a', 5000) .. 'b', 1, true) == 1001",
    "more values than a stack has": "return not pcall(unpack, {}, 1, 1e8)",
    "a string too long for any machine": "return not pcall(string.rep, 'x', -1) == false",
    "a wide format": "return not pcall(string.format, '%99999d', 1)",
    "a table that is its own key": "local t = {} t[t] = t return next(t) == t",
    "sorting with a broken order": "pcall(table.sort, {3, 1, 2, 5, 4, 9, 8, 7}, function() return "
    "true end) return true",
    "changing a table while it is walked": "local t = {1, 2, 3} pcall(function() for k in pairs(t) "
    "do t[k .. 'x'] = 1 end end) return true",
    "yielding out of the script": "return not pcall(coroutine.yield)",
    "yielding through redis.call": "local co = coroutine.wrap(function() return "
    "redis.call('echo', 'x') end) return co() == 'x'",
    "a coroutine that resumes itself": "local co co = coroutine.create(function() return "
    "coroutine.resume(co) end) return select(2, coroutine.resume(co)) == false",
}


@pytest.mark.parametrize("attempt", ESCAPES)
def test_no_way_out(attempt: str, store: Embedded) -> None:
    assert store.main.ok("EVAL", ESCAPES[attempt], 0) == 1
    # And the next script finds everything as it was.
    assert store.main.ok("EVAL", "return string.format('%s', redis.call('echo', 'fine'))", 0) == (
        b"fine"
    )
    assert store.state.unexpected_errors == 0


def test_what_a_script_leaves_behind_is_not_there_for_the_next(store: Embedded) -> None:
    store.main.ok("EVAL", "KEYS.x = 'left' ARGV.y = 'left' return 1", 1, "k", "a")
    assert store.main.ok("EVAL", "return {tostring(KEYS.x), tostring(ARGV.y), KEYS[1]}", 0) == [
        b"nil",
        b"nil",
    ]
    store.main.ok("EVAL", "redis.setresp(3)", 0)
    assert store.main.ok("EVAL", "return redis.call('get', 'k') == false", 0) == 1


BOMBS = {
    "a string doubled": "local s = 'x' while true do s = s .. s end",
    "string.rep": "return #string.rep('x', 2^30)",
    "a growing table": "local t = {} while true do t[#t + 1] = {} end",
    "table.concat": "local t = {} for i = 1, 200 do t[i] = string.rep('x', 100000) end "
    "return #table.concat(t)",
    "replies that are kept": "local t = {} while true do t[#t + 1] = redis.call('echo', "
    "string.rep('x', 100000)) .. #t end",
    "caught again and again": "local t = {} while true do pcall(function() while true do "
    "t[#t + 1] = string.rep('x', 100000) .. #t end end) end",
    "caught by xpcall": "local t = {} while true do xpcall(function() while true do "
    "t[#t + 1] = string.rep('x', 100000) .. #t end end, tostring) end",
    "in coroutines": "local t = {} while true do coroutine.resume(coroutine.create(function() "
    "while true do t[#t + 1] = string.rep('x', 100000) .. #t end end)) end",
    "numbers given to redis.call": "local t = {} pcall(function() while true do t[#t + 1] = {#t} "
    "end end) return redis.call('echo', 1.5)",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_memory_is_bounded(bomb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "SCRIPT_MEMORY_BYTES", 24 * 1024 * 1024)
    store = Embedded()
    text = store.main.error("EVAL", BOMBS[bomb], 0)
    assert "memory" in text
    assert store.state.scripting.vm_bytes() < 20 * 1024 * 1024
    assert store.main.ok("EVAL", "return redis.call('echo', 'fine')", 0) == b"fine"


def test_big_arguments_and_replies_have_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "SCRIPT_MEMORY_BYTES", 16 * 1024 * 1024)
    store = Embedded()
    big: Any = "x" * (40 * 1024 * 1024)
    assert store.main.ok("EVAL", "return #ARGV[1]", 0, big) == len(big)
    store.main.ok("SET", "big", big)
    assert "memory" in store.main.error("EVAL", "return #redis.call('get', 'big')", 0)
    assert "memory" in store.main.error("EVAL", "return redis.pcall('get', 'big')", 0)
    assert store.main.ok("EVAL", "return 5", 0) == 5


def machines_alive() -> int:
    return sum(type(one).__name__ == "LuaRuntime" for one in gc.get_objects())


def test_the_machine_is_gone_when_scripts_are_flushed(store: Embedded) -> None:
    store.main.ok("EVAL", "return redis.call('echo', 'x')", 0)
    gc.collect()
    gc.disable()  # it is freed because nobody refers to it
    try:
        alive = machines_alive()
        store.main.ok("SCRIPT", "FLUSH")
        assert machines_alive() == alive - 1
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "bounds", ["-2^31, 2^31 - 1", "-2^31 + 1, 2^31 - 1", "2^31, 2^31 - 1", "1, 2^53", "-2^31"]
)
def test_what_overflows_an_int_is_not_unpacked(bounds: str, store: Embedded) -> None:
    error = store.main.error("EVAL", f"return unpack({{}}, {bounds})", 0)
    assert "too many results to unpack" in error
    assert store.main.ok("EVAL", "return {unpack({1, 2, 3}, 2)}", 0) == [2, 3]
    assert store.main.ok("EVAL", "return {unpack({1, 2, 3}, '1', 2)}", 0) == [1, 2]


def test_a_library_that_keeps_all_memory_can_still_be_deleted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machines, "SCRIPT_MEMORY_BYTES", 24 * 1024 * 1024)
    store = Embedded()
    hoard = (
        "local kept = {} redis.register_function('hoard', function(keys, args) "
        "while true do kept[#kept + 1] = {#kept} end end)"
    )
    store.main.ok("FUNCTION", "LOAD", f"#!lua name=greedy\n{hoard}")
    other = "redis.register_function('other', function() return redis.call('echo', 'fine') end)"
    store.main.ok("FUNCTION", "LOAD", f"#!lua name=modest\n{other}")
    for i in range(5):
        assert "not enough memory" in store.main.error("FCALL", "hoard", 1, f"k{i}", "a" * 1000)
    assert "not enough memory" in store.main.error("FCALL", "other", 0)
    store.main.ok("FUNCTION", "DELETE", "greedy")
    assert store.main.ok("FCALL", "other", 0) == b"fine"
