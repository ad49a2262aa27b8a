"""A Lua virtual machine that scripts run in, and what a script may use of memory.

`sandbox.lua` makes the world inside. Python objects get into it as a few functions only, which
no script can reach; what a script is given are Lua's own values.

Lua's allocator has a limit, so that a script that asks for too much fails and not the server.
But what Python pushes must never meet that limit, because Lua would jump out of the middle of it:
whoever is about to push asks `room_for` first.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from lupa.lua51 import LuaError, LuaRuntime  # type: ignore[import-untyped]

from headwater.errors import HeadwaterError
from headwater.limits import SCRIPT_MEMORY_BYTES
from headwater.scripting.numbers import number_text
from headwater.scripting.tailcalls import without_tail_calls

RAW, ERROR, RETURNED_ERROR = b"R", b"E", b"F"
"""The first item of a result that is a tuple; see `VM.run`."""

_SANDBOX = Path(__file__).with_name("sandbox.lua").read_bytes()
_HOOK_EVERY = 100_000
_PATTERN_MAX_BYTES = 4096
_PACK_FROM = 24
_DEPTH_MAX = 1000
_PUSHED_AT_ONCE = 4000
_SPARE_BYTES = 8 * 1024 * 1024
_KEPT_BYTES = 16 * 1024 * 1024


class ScriptError(HeadwaterError):
    """A script that Lua does not understand; `text` is what Lua says."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text.decode("utf-8", "replace"))
        self.text = text


class Host(Protocol):
    """What the functions of `redis` lead to. None of them raises. `kill`: the script is to end."""

    kill: bool

    def call(self, *words: Any) -> Any: ...
    def packed(self, words: bytes, lengths: bytes) -> Any: ...
    def more(self) -> Any: ...
    def tick(self) -> bool: ...
    def log(self, level: int, text: bytes) -> None: ...
    def sha1(self, text: bytes) -> bytes: ...
    def acl(self, *words: bytes) -> bool | None: ...
    def protocol(self, resp3: bool) -> None: ...
    def reason(self) -> bytes: ...


class VM:
    """One virtual machine; `label` names its scripts in errors ("user_script")."""

    __slots__ = (
        "_apply",
        "_collect",
        "_compile",
        "_full",
        "_limited",
        "_names",
        "_run",
        "_set_limit",
        "_stage",
        "_unstage",
        "_used",
        "host",
        "label",
        "lua",
        "tools",
    )

    def __init__(
        self,
        host: Host,
        label: bytes,
        version: bytes,
        libraries: Callable[[Any], dict[bytes, Any]] | None = None,
    ) -> None:
        self.host = host
        self.label = label
        self.lua: Any = LuaRuntime(
            encoding=None,
            register_eval=False,
            register_builtins=False,
            unpack_returned_tuples=True,
            attribute_handlers=(_refuse, _refuse),
            max_memory=0,
        )
        self._used = self.lua.get_memory_used
        self._set_limit = self.lua.set_max_memory
        self._collect = self.lua.gccollect
        self._limited = False
        self._full = False
        loaded = {} if libraries is None else libraries(self.lua)
        self._names = _NAMES | _names_in(loaded)
        major, minor, patch_level = (int(part) for part in version.split(b"."))
        given = {
            b"call": host.call,
            b"packed": host.packed,
            b"more": host.more,
            b"tick": host.tick,
            b"log": host.log,
            b"sha1": host.sha1,
            b"acl": host.acl,
            b"protocol": host.protocol,
            b"reason": host.reason,
            b"number": self._number,
            b"version": version,
            b"version_number": major << 16 | minor << 8 | patch_level,
            b"hook_every": _HOOK_EVERY,
            b"pattern_max": _PATTERN_MAX_BYTES,
            b"pack_from": _PACK_FROM,
            b"depth_max": _DEPTH_MAX,
            b"patch": self._patched,
        }
        self.tools: Any = self.lua.execute(
            _SANDBOX,
            self.lua.table_from(given),
            self.lua.table_from(loaded),
            label,
            name=b"=headwater",
        )
        self._run = self.tools[b"run"]
        self._apply = self.tools[b"apply"]
        self._stage = self.tools[b"stage"]
        self._unstage = self.tools[b"unstage"]
        self._compile = self.tools[b"compile"]
        strip = self.lua.execute(_STRIP, name=b"=headwater")
        strip()
        self._set_limit(SCRIPT_MEMORY_BYTES)

    def compile(self, name: bytes, text: bytes) -> None:
        """Keep the script under a name; raises ScriptError."""
        self.make_room(len(text))
        try:
            message = self._compile(name, text)
        except LuaError as error:
            message = (str(error) or "not enough memory").encode("latin-1", "replace")
        if message is not None:
            raise ScriptError(message)

    def forget(self, name: bytes) -> None:
        """Let go of what is kept under a name."""
        self.make_room(len(name))
        self.tools[b"forget"](name)
        if self._full:
            self._tidy()

    def clear(self) -> None:
        """Let go of everything."""
        self.tools[b"clear"]()
        self._collect()

    def load_library(
        self,
        text: bytes,
        register: Callable[[bytes, bytes | None, int], Any],
        late: Callable[[], bool],
    ) -> None:
        """Run a library of functions; raises ScriptError.

        `register` gets name, description and flags (1: no-writes, 2: allow-oom, 4: allow-stale,
        8: no-cluster, 16: allow-cross-slot-keys) of each function, and returns the name under
        which `apply` will find it, or None and what is wrong. `late`: whether it takes too long.
        """
        self.make_room(len(text))
        try:
            problem = self.tools[b"load_library"](text, register, late)
        except LuaError as error:
            why = str(error) or "not enough memory"
            problem = (b"registering functions", b"ERR " + why.encode("latin-1", "replace"))
        self._tidy()
        if problem is not None:
            raise ScriptError(b"Error %b: %b" % problem)

    def run(self, name: bytes, resp3: bool, keys: int, words: list[bytes]) -> Any:
        """Run what is kept under `name`; the first `keys` words are KEYS, the rest ARGV.

        Whoever has big words calls `make_room` first. Returns None, a bool, a number, bytes; or a
        tuple: (RAW, RESP), (RETURNED_ERROR, text, counted) or (ERROR, text, source, line, counted).
        RESP is of the protocol that `resp3` says; an error that is `counted` came from a command
        that failed, and is in the statistics.
        """
        return self._enter(self._run, name, resp3, keys, words)

    def apply(self, name: bytes, resp3: bool, keys: int, words: list[bytes]) -> Any:
        """Run it as a function of two tables, keys and arguments."""
        return self._enter(self._apply, name, resp3, keys, words)

    def _enter(self, function: Any, name: bytes, resp3: bool, keys: int, words: list[bytes]) -> Any:
        if self._full:
            return ERROR, b"ERR not enough memory", b"", -1, False
        try:
            if len(words) <= _PUSHED_AT_ONCE:
                result = function(name, resp3, keys, *words)
            else:
                for i in range(0, len(words), _PUSHED_AT_ONCE):
                    self._stage(*words[i : i + _PUSHED_AT_ONCE])
                result = function(name, resp3, keys)
        except LuaError as error:
            # Outside of the script itself: memory, or it was ended there.
            text = (str(error) or "not enough memory").encode("latin-1", "replace")
            if self.host.kill:
                text = self.host.reason()
            result = (ERROR, b"ERR " + text, b"", -1, False)
            self.make_room(0)
            self._unstage()  # or the next script would be given these words
        self._tidy()
        return result

    def _tidy(self) -> None:
        """A script is over: what it used is free, the limit holds again.

        But for what a library of functions keeps: when that is nearly all, nothing runs until the
        library is deleted, for pushing as much as its words would meet the limit.
        """
        self._full = False
        if self._used() > _KEPT_BYTES:
            self.make_room(0)
            self._unstage()
            self._collect()
            self._full = self._used() + _SPARE_BYTES >= SCRIPT_MEMORY_BYTES
            if self._limited:
                self._limited = False
                self._set_limit(SCRIPT_MEMORY_BYTES)

    def room_for(self, size: int) -> bool:
        """Have room for pushing `size` bytes; False when the script has used up all it may."""
        wanted = size + _SPARE_BYTES
        if self._used() + wanted < SCRIPT_MEMORY_BYTES:
            return True
        self._collect()
        used = self._used()
        if used + wanted < SCRIPT_MEMORY_BYTES:
            return True
        self._limited = True
        self._set_limit(used + _SPARE_BYTES)
        return False

    def make_room(self, size: int) -> None:
        """Have room for pushing `size` bytes, whatever the script has used."""
        wanted = size + _SPARE_BYTES
        if self._used() + wanted >= SCRIPT_MEMORY_BYTES:
            self._limited = True
            self._set_limit(self._used() + wanted + _SPARE_BYTES)

    def _number(self, value: float) -> bytes:
        self.make_room(0)
        return number_text(value)

    def _patched(self, dumped: bytes) -> bytes:
        code = without_tail_calls(dumped, self._names)
        self.make_room(len(code))
        return code

    def close(self) -> None:
        """Give the machine back; it would take Python's collector of cycles otherwise."""
        self.lua = self.tools = None
        self._run = self._apply = self._stage = self._unstage = self._compile = None
        self._used = self._set_limit = self._collect = None

    def memory(self) -> int:
        """Bytes that the machine takes."""
        return int(self._used(True))


# Functions that are Lua's here and C in Redis: calls of them keep the caller's frame.
_NAMES = frozenset(
    b"acl_check_cmd call collectgarbage create debug error_reply find foreach getmetatable gmatch "
    b"gfind gsub insert load loadstring log match next pairs pcall random randomseed rawget rawset "
    b"register_function remove resume set_repl setmetatable setn setresp sha1hex sort "
    b"status_reply unpack wrap xpcall".split()
)


def _names_in(libraries: dict[bytes, Any]) -> frozenset[bytes]:
    return frozenset(name for library in libraries.values() for name in library)


_STRIP = b"""
local names = {}
for name in pairs(_G) do names[#names + 1] = name end
local loaded = package.loaded
for name in pairs(loaded) do loaded[name] = nil end
local globals = _G
return function() for i = 1, #names do globals[names[i]] = nil end end
"""


def _refuse(*_: Any) -> Any:
    raise AttributeError("not for scripts")
