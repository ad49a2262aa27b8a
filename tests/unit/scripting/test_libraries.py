"""The libraries of scripts, without a server: settings, hostile input, what stays inside."""

from __future__ import annotations

from typing import Any

import pytest
from lupa.lua51 import LuaRuntime

from headwater.scripting import libraries

MEGABYTE = 1 << 20


@pytest.fixture
def lua() -> Any:
    runtime = LuaRuntime(encoding=None, unpack_returned_tuples=True, max_memory=0)
    for name, library in libraries.load(runtime).items():
        runtime.globals()[name] = library
    return runtime


def test_what_there_is(lua: Any) -> None:
    names = {
        b"cjson": "encode decode new null encode_keep_buffer encode_max_depth decode_max_depth "
        "encode_number_precision encode_sparse_array encode_invalid_numbers _NAME _VERSION "
        "decode_invalid_numbers decode_array_with_array_mt",
        b"cmsgpack": "pack unpack unpack_one unpack_limit _NAME _VERSION _DESCRIPTION _COPYRIGHT",
        b"struct": "pack unpack size",
        b"bit": "tobit bnot band bor bxor lshift rshift arshift rol ror bswap tohex",
    }
    for library, members in names.items():
        assert set(lua.globals()[library].keys()) == {name.encode() for name in members.split()}


def test_nothing_of_python_is_in_them(lua: Any) -> None:
    kinds = lua.execute(
        b"local seen = {} "
        b"for _, library in pairs({cjson, cmsgpack, struct, bit}) do "
        b"  assert(getmetatable(library) == nil) "
        b"  for _, member in pairs(library) do seen[type(member)] = true "
        b"    if type(member) == 'function' then assert(debug.getinfo(member).what == 'Lua') end "
        b"  end end "
        b"assert(debug.getmetatable(cjson.null) == nil) "
        b"local names = {} for kind in pairs(seen) do names[#names + 1] = kind end "
        b"table.sort(names) return table.concat(names, ' ')"
    )
    assert kinds == b"function string userdata"


def test_empty_arrays_that_stay_arrays(lua: Any) -> None:
    run = lua.execute
    assert run(b"return cjson.encode(cjson.decode('{\"a\":[]}'))") == b'{"a":{}}'
    assert run(b"return cjson.decode_array_with_array_mt(true)") is True
    assert run(b"return cjson.decode_array_with_array_mt()") is True
    assert run(b"return cjson.encode(cjson.decode('{\"a\":[]}'))") == b'{"a":[]}'
    assert run(b"return cjson.encode(cjson.decode('[{}]'))") == b"[{}]"
    assert run(b"local t = cjson.decode('[]') t[1] = 7 return cjson.encode(t)") == b"[7]"
    assert (
        run(
            b"local a, b = cjson.decode('[]'), cjson.decode('[]') "
            b"getmetatable(a).__is_cjson_array = nil return cjson.encode({a, b})"
        )
        == b"[{},[]]"
    )
    assert run(b"return cjson.new().decode_array_with_array_mt()") is False
    run(b"cjson.decode_array_with_array_mt(false)")
    assert run(b"return cjson.encode(cjson.decode('[]'))") == b"{}"


def test_a_library_of_its_own_has_its_own_settings(lua: Any) -> None:
    lua.execute(b"mine = cjson.new() mine.encode_number_precision(3)")
    assert lua.execute(b"return mine.encode(1/3), cjson.encode(1/3)") == (
        b"0.333",
        b"0.33333333333333",
    )


def test_metatables_of_scripts_are_not_asked(lua: Any) -> None:
    script = (
        b"local t = setmetatable({1, nil, 3}, {__index = function() error('asked') end}) "
        b"return cjson.encode(t), #cmsgpack.pack(t)"
    )
    assert lua.execute(script) == (b"[1,null,3]", 5)


def test_changing_the_tables_of_lua_does_not_change_the_libraries(lua: Any) -> None:
    lua.execute(
        b"for name in pairs(string) do string[name] = nil end "
        b"for name in pairs(math) do math[name] = nil end table.concat = nil"
    )
    assert lua.execute(b"return cjson.encode({1.5, 'a\"'})") == b'[1.5,"a\\""]'
    assert lua.execute(b"return struct.unpack('>h', struct.pack('>h', -2))") == (-2, 3)


HOSTILE = [
    b"cmsgpack.unpack('\\221\\255\\255\\255\\255')",
    b"cmsgpack.unpack('\\223\\255\\255\\255\\255\\1')",
    b"cmsgpack.unpack('\\219\\255\\255\\255\\255')",
    b"cmsgpack.unpack(string.rep('\\221\\255\\255\\255\\255', 1000))",
    b"struct.pack('c2147483647', 'a')",
    b"struct.unpack('c2147483647', 'a')",
    b"struct.pack('!1073741824', 1) .. nil",
    b"struct.pack('i4294967296', 1)",
    b"cjson.decode(string.rep('[', 100000))",
    b"cjson.decode(string.rep('{\"a\":', 100000))",
    b"cjson.decode('\"' .. string.rep('\\\\\\\\u00', 1000))",
    b"cjson.encode({[1] = 1, [1e9] = 2})",
    b"cjson.encode_sparse_array(false, 0) + cjson.encode({[2^31 - 1] = true, n = print})",
]


@pytest.mark.parametrize("call", HOSTILE)
def test_hostile_input_is_an_error_and_costs_little(lua: Any, call: bytes) -> None:
    before = lua.get_memory_used()
    ok = lua.execute(b"return (pcall(function() return " + call + b" end))")
    assert ok is False
    assert lua.get_memory_used() - before < 12 * MEGABYTE


def test_a_table_that_contains_itself(lua: Any) -> None:
    lua.execute(b"loop = {} loop[1] = loop map = {} map.a = map")
    for call in (b"cjson.encode(loop)", b"cjson.encode(map)"):
        message = lua.execute(b"return select(2, pcall(function() return " + call + b" end))")
        assert b"Cannot serialise, excessive nesting (1001)" in message
    assert lua.execute(b"return #cmsgpack.pack(loop), #cmsgpack.pack(map)") == (17, 49)


def test_what_interrupts_a_script_interrupts_them(lua: Any) -> None:
    message = lua.execute(
        b"local count = 0 "
        b"debug.sethook(function() count = count + 1 if count > 3 then error('late') end end, "
        b"  '', 1000) "
        b"local ok, why = pcall(cmsgpack.unpack, string.rep('\\1', 7000)) "
        b"debug.sethook() return tostring(why)"
    )
    assert b"late" in message
