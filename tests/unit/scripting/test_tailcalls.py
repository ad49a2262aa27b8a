"""Tail calls are taken out of compiled chunks by the name of what is called, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from lupa.lua51 import LuaRuntime

from headwater.scripting.tailcalls import without_tail_calls

NAMES = frozenset((b"call", b"decode"))


@pytest.fixture
def lua() -> Any:
    return LuaRuntime(encoding=None, unpack_returned_tuples=True)


def run(lua: Any, text: bytes, names: frozenset[bytes] = NAMES) -> Any:
    dumped = lua.eval(b"function(text) return string.dump(assert(loadstring(text, '@here'))) end")(
        text
    )
    return lua.eval(b"function(code) return loadstring(code)() end")(
        without_tail_calls(dumped, names)
    )


LIB = (
    b"local lib = {call = function(...) return debug.getinfo(2).short_src, ... end, "
    b"other = function() return debug.getinfo(2).what end} "
)


def test_the_caller_stays(lua: Any) -> None:
    text = LIB + b"local function f(...) return lib.call(...) end return f(1, nil, 3)"
    assert run(lua, text) == (
        b"here", 1, None, 3,
    )  # fmt: skip
    assert (
        run(lua, b"decode = function() return debug.getinfo(2).what end return decode()") == b"main"
    )
    assert run(lua, LIB + b"local function f() return lib:call() end return (f())") == b"here"


def test_other_names_are_tail_called(lua: Any) -> None:
    assert run(lua, LIB + b"local function f() return lib.other() end return (f())") == b"tail"
    assert run(lua, LIB + b"local g = lib.call local function f() return g() end return (f())") == (
        b"(tail call)"
    )


def test_recursion_without_end_of_a_script_s_own(lua: Any) -> None:
    text = (
        b"local function f(n) if n == 0 then return 'done' end return f(n - 1) end return f(300000)"
    )
    assert run(lua, text) == b"done"
    assert (
        run(lua, b"function g(n) if n == 0 then return 1 end return g(n - 1) end return g(99999)")
        == 1
    )


def test_every_kind_of_constant_and_nesting(lua: Any) -> None:
    text = (
        b"local lib = {call = function(...) return ... end} local up = 7 "
        b"local function outer(a, ...) local t = {nil, true, 1.5, 'text', '', x = false} "
        b"  local function inner() return lib.call(up, t[4], t.x, ...) end return inner() end "
        b"return outer(1)"
    ).replace(b"t.x, ...)", b"t.x)")  # fmt: skip
    assert run(lua, text) == (7, b"text", False)


def test_what_is_no_dump_of_this_platform_stays_as_it_is() -> None:
    for text in (b"", b"\x1bLua", b"\x1bLuaQ\x00\x00\x04\x08\x04\x08\x00 and more"):
        assert without_tail_calls(text, NAMES) == text
