"""What a test needs to load RDB: a sink that keeps everything, a file in memory."""

from __future__ import annotations

from headwater.rdb.loader import Loader, load_payload
from headwater.rdb.source import RdbSource
from headwater.streams.stream import Stream
from headwater.value import Value

Pairs = list[tuple[bytes, bytes]]


class Sink:
    def __init__(self) -> None:
        self.keys: dict[tuple[int, bytes], Value] = {}
        self.facts: dict[bytes, tuple[int, int, int]] = {}  # of a key: expiry, idle, freq
        self.aux_fields: list[tuple[bytes, bytes]] = []
        self.left_out: list[tuple[int, bytes, str]] = []
        self.functions: list[bytes] = []

    def key(
        self, db_index: int, key: bytes, value: Value, expire_at: int, idle_s: int, freq: int
    ) -> None:
        value.expire_at = expire_at
        self.keys[db_index, key] = value
        self.facts[key] = (expire_at, idle_s, freq)

    def aux(self, name: bytes, value: bytes) -> None:
        self.aux_fields.append((name, value))

    def skipped(self, db_index: int, key: bytes, type_name: str) -> None:
        self.left_out.append((db_index, key, type_name))

    def function(self, payload: bytes) -> None:
        self.functions.append(payload)


class MemoryFile:
    """Gives out at most `piece` bytes at a time, and no more than there are."""

    def __init__(self, data: bytes, piece: int = 1 << 20) -> None:
        self._data = data
        self._piece = piece
        self._pos = 0

    def read_into(self, buf: bytearray, pos: int, n: int) -> int:
        part = self._data[self._pos : self._pos + min(n, self._piece)]
        buf[pos : pos + len(part)] = part
        self._pos += len(part)
        return len(part)


def load(
    data: bytes, skip_unknown: bool = False, checksum: bool = True, budget_us: int = 10**9
) -> Sink:
    """Load a whole file."""
    sink = Sink()
    source = RdbSource(MemoryFile(data), len(data), checksum)
    loader = Loader(source, sink, skip_unknown, checksum)
    while not loader.step(budget_us):
        pass
    return sink


def load_stream(payload: bytes) -> Stream:
    """The stream in a payload, every part of it checked."""
    value = load_payload(payload)
    assert isinstance(value, Stream)
    check_stream(value)
    return value


def check_stream(stream: Stream) -> None:
    """Verify what must hold of any stream."""
    live = 0
    before = (0, 0)
    blocks = stream.blocks[stream.head :]
    for number, block in enumerate(blocks):
        assert block.live() > 0
        assert block.sealed == (number + 1 < len(blocks))
        live += block.live()
        for slot in range(block.first, block.slots):
            entry_id = block.entry_id(slot)
            assert entry_id > before
            before = entry_id
        assert (block.last_ms, block.last_seq) == before
    assert live == stream.length
    assert (stream.last_ms, stream.last_seq) >= before
    for group in (stream.groups or {}).values():
        group.check()
    if stream.idmp is not None:
        stream.idmp.check()


def entries_of(stream: Stream) -> list[tuple[tuple[int, int], Pairs]]:
    """All entries, read from the bytes that a reader would be sent."""
    found = []
    for block in stream.blocks[stream.head :]:
        for slot in range(block.first, block.slots):
            data = bytes(block.buf[block.offset(slot) : block.offset(slot + 1)])
            words = words_of(data)
            ms, _, seq = words[0].partition(b"-")
            found.append(((int(ms), int(seq)), list(zip(words[1::2], words[2::2], strict=True))))
    return found


def words_of(data: bytes) -> list[bytes]:
    """The bulk strings of `*2 ID *n fields`, which must be exactly that."""
    assert data.startswith(b"*2\r\n$")
    words: list[bytes] = []
    pos = 4
    expected = 1
    while len(words) < expected:
        end = data.index(b"\r\n", pos)
        assert data[pos : pos + 1] == b"$"
        size = int(data[pos + 1 : end])
        words.append(data[end + 2 : end + 2 + size])
        assert data[end + 2 + size : end + 4 + size] == b"\r\n"
        pos = end + 4 + size
        if len(words) == 1:
            end = data.index(b"\r\n", pos)
            assert data[pos : pos + 1] == b"*"
            expected = 1 + int(data[pos + 1 : end])
            pos = end + 2
    assert pos == len(data)
    return words
