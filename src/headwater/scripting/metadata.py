"""The first line of a library of functions, `#!lua name=mylib`: it tells engine and name."""

from __future__ import annotations

from headwater.errors import HeadwaterError
from headwater.resp.parser import split_words

_NAME_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_QUOTED_BYTES = 128

NAME_RULE = (
    b"Library names can only contain letters, numbers, or underscores(_) and must be at least "
    b"one character long"
)


class MetadataError(HeadwaterError):
    """The first line of a library is not what it must be; `text` tells why, as Redis."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text.decode("utf-8", "replace"))
        self.text = text


def is_name(name: bytes) -> bool:
    """Whether libraries and functions can have this name."""
    return len(name) > 0 and _NAME_BYTES.issuperset(name)


def read_metadata(code: bytes) -> tuple[bytes, int]:
    """A library's name, and how long the line is that tells it. Raises MetadataError."""
    if not code.startswith(b"#!"):
        raise MetadataError(b"Missing library metadata")
    end = code.find(b"\n")
    words = split_words(code[:end]) if end >= 0 and b"\0" not in code[:end] else None
    if words is None:
        raise MetadataError(b"Invalid library metadata")
    engine = words[0][2:]
    name = None
    for word in words[1:]:
        if word[:5].lower() != b"name=":
            raise MetadataError(b"Invalid metadata value given: " + word[:_QUOTED_BYTES])
        if name is not None:
            raise MetadataError(b"Invalid metadata value, name argument was given multiple times")
        name = word[5:]
    if name is None:
        raise MetadataError(b"Library name was not given")
    if not is_name(name):
        raise MetadataError(NAME_RULE)
    if engine.lower() != b"lua":
        raise MetadataError(b"Engine '%b' not found" % engine[:_QUOTED_BYTES])
    return name, end
