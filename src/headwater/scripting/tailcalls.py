"""Compiled Lua chunks without the tail calls that would hide where an error is.

`return cjson.decode(text)` is a tail call: Lua has dropped the script's frame when the function
runs. In Redis the function is C, whose tail calls keep the caller, and so an error tells its
line; ours is Lua. Therefore such calls are made ordinary ones in what `string.dump` gives, which is
one number in an instruction. Only calls by a name that is given: a script may rely on its own
functions' tail calls for recursion without end.
"""

from __future__ import annotations

import struct

HEADER = b"\x1bLuaQ\x00\x01\x04\x08\x04\x08\x00"
"""What dumps begin with where a chunk's numbers are as read here: Lua 5.1, little-endian, int of 4
bytes, size_t of 8, instructions of 4, double."""

_GET_GLOBAL, _GET_TABLE, _SELF, _CALL, _TAIL_CALL = 5, 6, 11, 28, 29
_SETS_REGISTER = frozenset((0, 1, 2, 3, 4, 10, *range(12, 22), 27, _CALL, 36, 37))
"""Other instructions that put something into their first register."""

_CONSTANT = 256  # from here on an operand names a constant
_NIL, _BOOLEAN, _NUMBER, _STRING = 0, 1, 3, 4


def without_tail_calls(dumped: bytes, names: frozenset[bytes]) -> bytes:
    """The same chunk, in which functions found by one of these names are not tail called.

    `dumped` must come from string.dump: nothing is checked. A chunk of another platform's layout
    is returned as it is.
    """
    if not dumped.startswith(HEADER):
        return dumped
    code = bytearray(dumped)
    _patch(code, len(HEADER), names)
    return bytes(code)


def _patch(code: bytearray, pos: int, names: frozenset[bytes]) -> int:
    """Patch the function that begins at `pos`; returns where it ends."""
    pos = _text(code, pos)[1] + 12  # the source; lines, counts
    count = _u32(code, pos)
    instructions = pos + 4
    constants: list[bytes | None] = []
    pos = instructions + 4 * count + 4
    for _ in range(_u32(code, pos - 4)):
        kind = code[pos]
        text = None
        if kind == _STRING:
            text, pos = _text(code, pos + 1)
        else:
            pos += {_NIL: 1, _BOOLEAN: 2, _NUMBER: 9}[kind]
        constants.append(text)
    _patch_calls(code, instructions, count, constants, names)
    functions = _u32(code, pos)
    pos += 4
    for _ in range(functions):
        pos = _patch(code, pos, names)
    pos += 4 + 4 * _u32(code, pos)  # lines of instructions
    locals_ = _u32(code, pos)
    pos += 4
    for _ in range(locals_):
        pos = _text(code, pos)[1] + 8
    upvalues = _u32(code, pos)
    pos += 4
    for _ in range(upvalues):
        pos = _text(code, pos)[1]
    return pos


def _patch_calls(
    code: bytearray,
    start: int,
    count: int,
    constants: list[bytes | None],
    names: frozenset[bytes],
) -> None:
    view = struct.unpack_from(f"<{count}I", code, start)
    loaded: dict[int, bytes | None] = {}  # by register, the name that it was last found by
    for index, instruction in enumerate(view):
        operation = instruction & 0x3F
        register = instruction >> 6 & 0xFF
        if operation == _GET_GLOBAL:
            loaded[register] = constants[instruction >> 14]
        elif operation in (_GET_TABLE, _SELF):
            operand = instruction >> 14 & 0x1FF
            loaded[register] = constants[operand - _CONSTANT] if operand >= _CONSTANT else None
        elif operation in _SETS_REGISTER:
            loaded[register] = None
        elif operation == _TAIL_CALL and loaded.get(register) in names:
            struct.pack_into("<I", code, start + 4 * index, instruction & ~0x3F | _CALL)


def _u32(code: bytearray, pos: int) -> int:
    return int.from_bytes(code[pos : pos + 4], "little")


def _text(code: bytearray, pos: int) -> tuple[bytes, int]:
    """A string, without the zero at its end, and where it ends."""
    n = int.from_bytes(code[pos : pos + 8], "little")
    pos += 8
    return bytes(code[pos : pos + max(0, n - 1)]), pos + n
