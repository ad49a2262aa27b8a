"""A pattern of keys or channels, prepared so that most of them are decided by one comparison."""

from __future__ import annotations

from headwater.glob import matches
from headwater.raw import cut, equal_bytes

READ, WRITE = 1, 2
READ_WRITE = READ | WRITE

_GLOB, _EXACT, _PREFIX = 0, 1, 2
_SPECIAL = b"*?[\\"


class Pattern:
    """A glob of keys with what it grants, READ and WRITE; of a channel, whose grants are not
    looked at."""

    __slots__ = ("_kind", "_start", "grants", "text")

    def __init__(self, text: bytes, grants: int) -> None:
        self.text = text
        self.grants = grants
        self._start = text
        self._kind = _GLOB
        if not _is_special(text):
            self._kind = _EXACT
        elif text.endswith(b"*") and not _is_special(text[: len(text) - 1]):
            self._kind = _PREFIX
            self._start = text[: len(text) - 1]

    def matches(self, buf: bytearray, pos: int, n: int) -> bool:
        """Whether the `n` bytes at `pos` match."""
        if self._kind == _GLOB:
            return matches(self.text, cut(buf, pos, n))
        if n < len(self._start) or (self._kind == _EXACT and n != len(self._start)):
            return False
        return equal_bytes(buf, pos, self._start)

    def is_text(self, buf: bytearray, pos: int, n: int) -> bool:
        """Whether the `n` bytes at `pos` are the pattern itself."""
        return n == len(self.text) and equal_bytes(buf, pos, self.text)

    def shown(self) -> bytes:
        """As a rule for keys: `~text`, `%R~text` or `%W~text`."""
        if self.grants == READ_WRITE:
            return b"~" + self.text
        return (b"%R~" if self.grants == READ else b"%W~") + self.text


def _is_special(text: bytes) -> bool:
    return any(byte in _SPECIAL for byte in text)
