"""Random values for scripts, written in Lua, and a way to see exactly what a script got."""

from __future__ import annotations

import math
import struct
from random import Random
from typing import Any

SHOW = b"""
local function dump(value, depth)
  local kind = type(value)
  if kind == 'number' then
    if value ~= value then return string.format('%f', value) end
    if value == 0 then return 1 / value < 0 and '-0' or '0' end
    return string.format('%.17g', value)
  elseif kind == 'string' then
    return '"' .. string.gsub(value, '[^%w ]', function(c)
      return string.format('\\\\%03d', string.byte(c)) end) .. '"'
  elseif kind == 'table' then
    if depth > 40 then return '...' end
    local items = {}
    for key, item in pairs(value) do
      items[#items + 1] = dump(key, depth + 1) .. '=' .. dump(item, depth + 1)
    end
    table.sort(items)
    return '{' .. table.concat(items, ',') .. '}'
  elseif kind == 'userdata' or kind == 'function' then
    return kind
  end
  return tostring(value)
end
local function show(...)
  local shown = {}
  for i = 1, select('#', ...) do shown[i] = dump((select(i, ...)), 0) end
  return table.concat(shown, ' ')
end
""".replace(b"\n", b" ")
"""`show(...)` tells every bit of its arguments, whatever the order of tables; on one line."""


def literal(text: bytes) -> str:
    """A string as Lua source has it."""
    return '"' + "".join(f"\\{byte:03d}" for byte in text) + '"'


def number(value: float) -> str:
    """A number as Lua source has it."""
    value = float(value)
    if math.isnan(value):
        return "(0/0)" if math.copysign(1, value) > 0 else "(-(0/0))"
    if math.isinf(value):
        return "(1/0)" if value > 0 else "(-1/0)"
    if value == 0 and math.copysign(1, value) < 0:
        return "(0/-1)"
    return f"({value:.17g})"


class Maker:
    """Makes values from chance alone, thousands in a second: hypothesis gives the seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def figure(self) -> float:
        """A number, among them those at which formats change."""
        random = self.random
        kind = random.randrange(8)
        if kind == 0:
            return random.randrange(-300, 300)
        if kind == 1:
            return random.uniform(-1, 1)
        if kind == 2:
            return float(random.randrange(-(2**64), 2**64))
        if kind == 3:
            return float(struct.unpack("d", random.randbytes(8))[0])
        if kind == 4:
            return float(struct.unpack("f", random.randbytes(4))[0])
        if kind == 5:
            return random.choice((math.inf, -math.inf, math.nan, 0.0, -0.0, 0.5, 1.5, 2.5))
        if kind == 6:
            return random.randrange(10 ** random.randrange(1, 18)) / 10 ** random.randrange(6)
        return random.choice((1, -1)) * 2.0 ** random.randrange(70) + random.choice((-1, 0, 1, 0.5))

    def text(self, long: bool = True) -> bytes:
        random = self.random
        kind = random.randrange(5)
        if kind == 0:
            return random.randbytes(random.choice((0, 1, 5, 15, *((31, 32, 255, 256) * long))))
        if kind == 1:
            return bytes(random.choices(b'ab"\\/\0\x1f\x7f\x80\xff\n\t', k=random.randrange(12)))
        return bytes(random.choices(b"abcdefgh", k=random.randrange(10)))

    def key(self) -> str:
        """A key; as text not above 32 bytes, for Redis orders longer ones by another hash."""
        kind = self.random.randrange(6)
        if kind == 0:
            return number(self.random.randrange(-1, 30))
        if kind == 1:
            return self.random.choice(("0.5", "true", "'t'", "1", "2", "3"))
        return literal(self.text(long=False))

    def value(self, depth: int = 0) -> str:
        """Any value, in Lua."""
        random = self.random
        kind = random.randrange(10)
        if kind < 3:
            return number(self.figure())
        if kind < 5:
            return literal(self.text())
        if kind == 5 or depth > 4:
            return random.choice(("true", "false", "nil", "cjson.null", "'x'", "{}"))
        if kind < 8:
            items = [self.value(depth + 1) for _ in range(random.choice((0, 1, 3, 18)))]
        else:
            items = [f"[{self.key()}]={self.value(depth + 1)}" for _ in range(random.randrange(7))]
        return "{" + ",".join(items) + "}"

    def data(self, depth: int = 0) -> Any:
        """What JSON can hold."""
        random = self.random
        kind = random.randrange(8)
        if kind == 0 or depth > 4:
            return random.choice((None, True, False))
        if kind < 3:
            return self.figure()
        if kind < 5:
            return self.text(long=False).decode("latin-1")
        if kind < 7:
            return [self.data(depth + 1) for _ in range(random.randrange(5))]
        return {
            self.text(long=False).decode("latin-1"): self.data(depth + 1)
            for _ in range(random.randrange(5))
        }

    def spoiled(self, text: bytes) -> bytes:
        """The same with a few bytes taken out, put in, changed, or the end cut off."""
        random = self.random
        data = bytearray(text)
        for _ in range(random.choice((0, 1, 1, 2, 3))):
            if not data:
                break
            at, kind = random.randrange(len(data)), random.randrange(4)
            what = random.choice(b'[]{}",:\\ut0123456789eE+-.xinfa \n\0\xff')
            if kind == 0:
                del data[at]
            elif kind == 1:
                data[at] = what
            elif kind == 2:
                data.insert(at, what)
            else:
                del data[at:]
        return bytes(data)

    def packed(self) -> bytes:
        """Bytes that begin like MessagePack and go on like it for a while."""
        parts = (b"\x01", b"\x81", b"\x92", b"\xa1a", b"\xcd", b"\xde\x00\x01", b"\xc0")
        return b"".join(
            self.random.randbytes(self.random.randrange(9))
            if self.random.random() < 0.3
            else self.random.choice(parts)
            for _ in range(self.random.randrange(12))
        )

    def format(self) -> str:
        """A format of struct."""
        random = self.random
        parts = []
        for _ in range(random.randrange(1, 8)):
            option = random.choice("bBhHlLTfdscxiI<>! ")
            if option in "iIc" and random.random() < 0.7:
                option += str(random.randrange(random.choice((5, 10, 34))))
            elif option == "!" and random.random() < 0.7:
                option += random.choice(("1", "2", "4", "8", "16", "3"))
            parts.append(option)
        return "".join(parts) + "z" * (random.random() < 0.02)
