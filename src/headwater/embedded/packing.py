"""Commands of redis-py's clients into RESP: what their packers give, in one piece of bytes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from headwater.raw import alloc, copy, copy_bytes, copy_text, cut, put_decimal, text_bytes

_BUFFER_BYTES = 4096
_BUFFER_KEPT_BYTES = 1 << 20
_NAMES_KEPT = 1000
_HEAD_BYTES = 26  # of a word or an array, with both line ends


class Packer:
    """Packs for one connection; `encode` is what its Encoder does with anything unusual.

    `utf8`: text is encoded as strict UTF-8, which is done here.
    """

    __slots__ = ("_buf", "_capacity", "_encode", "_names", "_pos", "_utf8")

    def __init__(self, encoder: Any) -> None:
        self._encode: Any = encoder.encode
        self._utf8: bool = (
            encoder.encoding.lower() in ("utf-8", "utf8") and encoder.encoding_errors == "strict"
        )
        self._buf = alloc(_BUFFER_BYTES)
        self._capacity = _BUFFER_BYTES
        self._pos = 0
        self._names: dict[Any, tuple[bytes, ...]] = {}

    def pack(self, *args: Any) -> list[bytes]:
        """One command; its name may be of two words. Raises DataError, UnicodeEncodeError."""
        self._pos = 0
        self._add(args)
        return [self._take()]

    def pack_all(self, commands: Iterable[Any]) -> list[bytes]:
        """As `pack`, for many commands."""
        self._pos = 0
        for args in commands:
            self._add(args if isinstance(args, tuple) else tuple(args))
        return [self._take()]

    def _take(self) -> bytes:
        data = cut(self._buf, 0, self._pos)
        self._pos = 0
        if self._capacity > _BUFFER_KEPT_BYTES:
            self._buf = alloc(_BUFFER_BYTES)
            self._capacity = _BUFFER_BYTES
        return data

    def _add(self, args: tuple[Any, ...]) -> None:
        name = args[0]
        words = self._names.get(name)
        if words is None:
            words = self._split(name)
        self._head(42, len(words) + len(args) - 1)
        for word in words:
            self._word(word)
        for i in range(1, len(args)):
            value = args[i]
            if type(value) is bytes:
                self._word(value)
            elif type(value) is str and self._utf8:
                self._text(value)
            elif type(value) is int:
                self._word(b"%d" % value)
            else:
                encoded = self._encode(value)
                self._word(encoded if isinstance(encoded, bytes) else bytes(encoded))

    def _split(self, name: Any) -> tuple[bytes, ...]:
        """The words of a name such as "XINFO STREAM"."""
        data = name if isinstance(name, bytes) else str(name).encode()
        words = tuple(data.split()) if b" " in data else (data,)
        if len(self._names) < _NAMES_KEPT:
            self._names[name] = words
        return words

    def _head(self, kind: int, n: int) -> None:
        if self._pos + _HEAD_BYTES > self._capacity:
            self._grow(_HEAD_BYTES)
        self._buf[self._pos] = kind
        pos = put_decimal(self._buf, self._pos + 1, n)
        self._buf[pos] = 13
        self._buf[pos + 1] = 10
        self._pos = pos + 2

    def _word(self, data: bytes) -> None:
        n = len(data)
        if self._pos + n + _HEAD_BYTES > self._capacity:
            self._grow(n + _HEAD_BYTES)
        self._head(36, n)
        self._end(copy_bytes(self._buf, self._pos, data))

    def _text(self, text: str) -> None:
        n = text_bytes(text)
        if self._pos + n + _HEAD_BYTES > self._capacity:
            self._grow(n + _HEAD_BYTES)
        self._head(36, n)
        self._end(copy_text(self._buf, self._pos, text))

    def _end(self, pos: int) -> None:
        self._buf[pos] = 13
        self._buf[pos + 1] = 10
        self._pos = pos + 2

    def _grow(self, n: int) -> None:
        capacity = max(2 * self._capacity, self._pos + n)
        bigger = alloc(capacity)
        copy(bigger, 0, self._buf, 0, self._pos)
        self._buf = bigger
        self._capacity = capacity
