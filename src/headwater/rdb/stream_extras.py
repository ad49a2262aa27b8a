"""What Redis's format has no place for: settings of a stream and its groups, and what they keep.

AUX fields named `headwater-stream`, which Redis passes over, stand before the key: chunks of at
most about CHUNK_BYTES, each beginning with a byte that says of what. They are applied in this
order when the stream itself is complete.

    GROUP     text name | i64 last read | settings as streams/settings.py has them

text: u32 bytes | bytes; numbers are little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from headwater.streams.group import Group
from headwater.streams.settings import decode
from headwater.streams.stream import Stream

STREAM_EXTRAS = b"headwater-stream"
CHUNK_BYTES = 16 * 1024

GROUP = 1


def chunks(stream: Stream) -> Iterator[bytes]:
    """What is beside Redis's format in a stream, in pieces; it must stay as it is meanwhile."""
    for group in (stream.groups or {}).values():
        if group.redelivery is not None:
            yield (
                _head(GROUP, group.name)
                + struct.pack("<q", group.read_ms)
                + group.redelivery.settings.encode()
            )


def apply_chunk(stream: Stream, chunk: bytes) -> None:
    """Give a stream what a chunk says; ValueError if that can not be."""
    try:
        if chunk[:1] == bytes((GROUP,)):
            group, pos = _group(stream, chunk)
            group.read_ms = struct.unpack_from("<q", chunk, pos)[0]
            group.configure(decode(chunk[pos + 8 :]))
        else:
            raise ValueError(f"a stream has something of kind {chunk[:1]!r} beside it")
    except struct.error as error:
        raise ValueError("what is beside a stream is cut short") from error


def _head(kind: int, name: bytes) -> bytes:
    return struct.pack("<BI", kind, len(name)) + name


def _text(chunk: bytes, pos: int) -> tuple[bytes, int]:
    """The text at `pos`, and what is behind it."""
    (size,) = struct.unpack_from("<I", chunk, pos)
    if size > len(chunk) - pos - 4:
        raise ValueError("what is beside a stream is cut short")
    return chunk[pos + 4 : pos + 4 + size], pos + 4 + size


def _group(stream: Stream, chunk: bytes) -> tuple[Group, int]:
    """The group that a chunk is about, and where the rest of the chunk begins."""
    name, pos = _text(chunk, 1)
    group = (stream.groups or {}).get(name)
    if group is None:
        raise ValueError(f"there is no group {name[:64]!r}")
    return group, pos
