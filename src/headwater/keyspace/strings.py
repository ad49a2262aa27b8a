"""Strings: the plainest values."""

from __future__ import annotations

from headwater.value import UNIT_SHIFT, Value

EMBEDDED_MAX_BYTES = 44  # Redis keeps a string up to this size in one piece with its object
INTEGER_MAX_BYTES = 20
OBJECT_BYTES = 96  # the objects behind a string: this one, and the head of its bytes


class String(Value):
    """A string of any bytes."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        Value.__init__(self)
        self.data = data

    def type_name(self) -> bytes:
        return b"string"

    def encoding(self) -> bytes:
        """How Redis would hold it: `int`, `embstr` or `raw`."""
        n = len(self.data)
        if n <= INTEGER_MAX_BYTES and is_integer(self.data):
            return b"int"
        return b"embstr" if n <= EMBEDDED_MAX_BYTES else b"raw"

    def memory_usage(self) -> int:
        return OBJECT_BYTES + len(self.data)

    def free_units(self) -> int:
        return 1 + (len(self.data) >> UNIT_SHIFT)

    def copy(self) -> Value:
        return String(self.data)


def is_integer(data: bytes) -> bool:
    """Whether this is just how a signed 64-bit integer is printed."""
    digits = data[1:] if data[:1] == b"-" else data
    if not digits.isdigit() or (digits[:1] == b"0" and data != b"0"):
        return False
    return -(1 << 63) <= int(data) < 1 << 63
