"""How an operation begins: what it is, and the key, group or consumer that it is about."""

from __future__ import annotations

from headwater.journal.batches import RecordWriter
from headwater.raw import copy_bytes, put_u32, put_u64


class OperandWriter(RecordWriter):
    """Writes the beginnings of operations; who writes the rest calls `_ends_at`."""

    __slots__ = ()

    def _key(self, op: int, db: int, key: bytes, more: int) -> int:
        """Begin an operation about a key; `more` bytes will follow the key, from what it returns.

        Whoever wrote them calls `_ends_at`.
        """
        n = len(key)
        pos = self._room(9 + n + more)
        buf = self.buf
        buf[pos] = op
        put_u32(buf, pos + 1, db)
        put_u32(buf, pos + 5, n)
        return copy_bytes(buf, pos + 9, key)

    def _group(self, op: int, db: int, key: bytes, group: bytes, more: int) -> int:
        """Begin an operation about a group, as `_key`."""
        pos = self._key(op, db, key, 4 + len(group) + more)
        return self._text(pos, group)

    def _member(
        self, op: int, db: int, key: bytes, group: bytes, consumer: bytes, more: int
    ) -> int:
        """Begin an operation about a consumer, as `_key`."""
        pos = self._group(op, db, key, group, 4 + len(consumer) + more)
        return self._text(pos, consumer)

    def _text(self, pos: int, text: bytes) -> int:
        put_u32(self.buf, pos, len(text))
        return copy_bytes(self.buf, pos + 4, text)

    def _id(self, pos: int, ms: int, seq: int) -> int:
        put_u64(self.buf, pos, ms)
        put_u64(self.buf, pos + 8, seq)
        return pos + 16
