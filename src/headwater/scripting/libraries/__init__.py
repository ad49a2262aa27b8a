"""The libraries that scripts find: cjson, cmsgpack, struct, bit. As Redis's, in Lua.

They are Lua and not Python because everything a script can reach is then as caged as the script
itself: what interrupts a script interrupts them, what bounds its memory bounds theirs, and no
Python object stands behind a function.

Each chunk runs once for an interpreter, while it still has all globals, and is given what the
chunks share: `support.lua` (errors and arguments), `binary.lua` (numbers as bytes).
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

LIBRARIES = {
    b"cjson": (b"support",),
    b"cmsgpack": (b"support", b"binary"),
    b"struct": (b"support", b"binary"),
    b"bit": (b"support",),
}
"""The libraries, and the chunks that each is given."""


@cache
def source(name: str) -> bytes:
    """The text of a chunk."""
    return resources.files(__name__).joinpath(f"{name}.lua").read_bytes()


def load(runtime: Any) -> dict[bytes, Any]:
    """Make the libraries in a fresh `lupa.lua51.LuaRuntime(encoding=None)`; Lua tables by name.

    To be called before globals are taken away. Scripts may be given the tables as they are; a
    table that is changed changes for all.
    """
    compiled = runtime.eval(b"function(text, name) return assert(loadstring(text, name)) end")

    def chunk(name: bytes) -> Any:
        return compiled(source(name.decode()), b"=" + name)

    shared = {name: chunk(name)() for name in (b"support", b"binary")}
    return {
        name: chunk(name)(*[shared[part] for part in parts]) for name, parts in LIBRARIES.items()
    }
