"""The two bodies of `raw` against each other, and both against plain Python."""

from __future__ import annotations

import errno
import importlib.util
import select
import socket
import sys
import zlib
from contextlib import ExitStack
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import headwater.raw  # before any body is loaded: a compiled one would take its place

FOLDER = Path(headwater.__file__).parent
U64 = 2**64 - 1
EDGES = (0, 1, 9, 10, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1)
DECIMALS = [10**k for k in range(20)] + [10**k - 1 for k in range(1, 20)]

u64 = st.sampled_from([*EDGES, *DECIMALS]) | st.integers(0, U64)
i64 = st.sampled_from([0, -1, 1, 2**63 - 1, -(2**63)]) | st.integers(-(2**63), 2**63 - 1)


def load(path: Path) -> ModuleType:
    """A body of `raw`, beside the one that the package runs on."""
    if path.suffix == ".py":
        return module_of("headwater.raw", path, SourceFileLoader)
    # An interpreted package does not find what its compiled modules share.
    name = "headwater._shared"
    if name not in sys.modules:
        sys.modules[name] = module_of(name, next(FOLDER.glob("_shared.*")), ExtensionFileLoader)
    return module_of("headwater.raw", path, ExtensionFileLoader)


def module_of(name: str, path: Path, loader: Any) -> ModuleType:
    """What is in a file, under a name."""
    spec = importlib.util.spec_from_file_location(name, path, loader=loader(name, str(path)))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BODIES = [load(FOLDER / "raw.py")] + [
    load(FOLDER / f"raw{suffix}")
    for suffix in EXTENSION_SUFFIXES
    if (FOLDER / f"raw{suffix}").exists()
]


def call(name: str, *arguments: Any) -> Any:
    """What all bodies answer; the bytearrays among the arguments are changed as they change them.

    Fails when the bodies differ, in the answer or in what they write.
    """
    outcomes = []
    for body in BODIES:
        copies = [bytearray(a) if isinstance(a, bytearray) else a for a in arguments]
        answer = getattr(body, name)(*copies)
        outcomes.append((answer, copies))
    assert all(outcome == outcomes[0] for outcome in outcomes), (name, arguments, outcomes)
    for given_argument, changed in zip(arguments, outcomes[0][1], strict=True):
        if isinstance(given_argument, bytearray):
            given_argument[:] = changed
    return outcomes[0][0]


def test_both_bodies_are_here() -> None:
    assert len(BODIES) == 2 or headwater.mode() == "interpreted"
    names = [{name for name in dir(body) if not name.startswith("_")} for body in BODIES]
    functions = {name for name in names[0] if callable(getattr(BODIES[0], name))}
    for public in names:
        assert functions <= public


@given(st.binary(min_size=1, max_size=300), st.data())
def test_spans(content: bytes, data: st.DataObject) -> None:
    n = data.draw(st.integers(0, len(content)))
    source_pos = data.draw(st.integers(0, len(content) - n))
    target_pos = data.draw(st.integers(0, len(content) - n))
    buf = bytearray(content)
    target = bytearray(b"\xee" * len(content))

    assert call("cut", buf, source_pos, n) == content[source_pos : source_pos + n]

    call("copy", target, target_pos, buf, source_pos, n)
    expected = bytearray(b"\xee" * len(content))
    expected[target_pos : target_pos + n] = content[source_pos : source_pos + n]
    assert target == expected

    assert call("equal", target, target_pos, buf, source_pos, n)
    if n:
        target[target_pos + n - 1] ^= 1
        assert not call("equal", target, target_pos, buf, source_pos, n)

    call("move", buf, target_pos, source_pos, n)
    expected = bytearray(content)
    expected[target_pos : target_pos + n] = content[source_pos : source_pos + n]
    assert buf == expected

    piece = content[:n]
    assert call("copy_bytes", target, target_pos, piece) == target_pos + n
    assert target[target_pos : target_pos + n] == piece


@given(st.text(max_size=40), st.integers(0, 5))
def test_text(text: str, pos: int) -> None:
    encoded = text.encode()
    assert call("text_bytes", text) == len(encoded)
    buf = bytearray(b"\xee" * (pos + len(encoded)))
    assert call("copy_text", buf, pos, text) == len(buf)
    assert buf == b"\xee" * pos + encoded


@pytest.mark.parametrize("body", BODIES)
def test_text_that_has_no_bytes(body: ModuleType) -> None:
    with pytest.raises(UnicodeEncodeError):
        body.text_bytes("a\ud800")
    with pytest.raises(UnicodeEncodeError):
        body.copy_text(bytearray(9), 0, "a\ud800")


@given(
    st.binary(min_size=1, max_size=64), st.integers(0, 255), st.integers(0, 64), st.integers(0, 64)
)
def test_find_byte(content: bytes, byte: int, start: int, end: int) -> None:
    start, end = min(start, len(content)), min(end, len(content))
    assert call("find_byte", bytearray(content), byte, start, end) == content.find(
        bytes([byte]), start, end
    )


@pytest.mark.parametrize("n", [0, 1, 15, 16, 4096, 1 << 20])
def test_alloc(n: int) -> None:
    for body in BODIES:
        found = body.alloc(n)
        assert type(found) is bytearray
        assert len(found) == n
        found[:] = bytes(n)


@given(u64, st.integers(0, 5))
def test_unsigned_integers_are_little_endian(value: int, pos: int) -> None:
    for name, size in (("u16", 2), ("u32", 4), ("u64", 8)):
        buf = bytearray(b"\xaa" * 16)
        part = value & ((1 << 8 * size) - 1)
        call(f"put_{name}", buf, pos, part)
        assert buf[pos : pos + size] == part.to_bytes(size, "little")
        assert buf[:pos] + buf[pos + size :] == b"\xaa" * (16 - size)
        assert call(f"get_{name}", buf, pos) == part


@given(i64, st.integers(0, 5))
def test_signed_integers(value: int, pos: int) -> None:
    buf = bytearray(16)
    call("put_i64", buf, pos, value)
    assert buf[pos : pos + 8] == value.to_bytes(8, "little", signed=True)
    assert call("get_i64", buf, pos) == value


@given(u64)
def test_decimals_are_written_as_python_writes_them(value: int) -> None:
    text = str(value).encode()
    assert call("decimal_length", value) == len(text)
    buf = bytearray(b"\xaa" * 24)
    assert call("put_decimal", buf, 2, value) == 2 + len(text)
    assert buf == b"\xaa\xaa" + text + b"\xaa" * (22 - len(text))


@given(st.binary(max_size=300), st.integers(0, 2**32 - 1), st.data())
def test_crc32_is_that_of_zlib_and_can_be_chained(
    content: bytes, start: int, data: st.DataObject
) -> None:
    buf = bytearray(content)
    assert call("crc32", buf, 0, len(buf), start) == zlib.crc32(content, start)
    middle = data.draw(st.integers(0, len(buf)))
    first = call("crc32", buf, 0, middle, start)
    assert call("crc32", buf, middle, len(buf) - middle, first) == zlib.crc32(content, start)


near_numbers = st.from_regex(rb"[-+ 0]{0,2}[0-9]{0,22}[ x]?", fullmatch=True)


@given(near_numbers | st.binary(max_size=24) | i64.map(lambda n: b"%d" % n))
@example(b"9223372036854775807")
@example(b"9223372036854775808")
@example(b"-9223372036854775808")
@example(b"-9223372036854775809")
@example(b"-0")
@example(b"-")
@example(b"+1")
@example(b"01")
@example(b"00")
@example(b"18446744073709551616")
@example(b"99999999999999999999")
@example(b"")
def test_signed_decimals_have_one_spelling(text: bytes) -> None:
    try:
        value = int(text)
    except ValueError:
        value = 2**63
    accepted = -(2**63) <= value < 2**63 and b"%d" % value == text
    found = call("parse_int", bytearray(b"7" + text + b"7"), 1, len(text))
    assert found == ((True, value) if accepted else (False, 0))


@given(near_numbers | st.binary(max_size=24) | u64.map(lambda n: b"%d" % n))
@example(b"18446744073709551615")
@example(b"18446744073709551616")
@example(b"99999999999999999999")
@example(b"00000000000000000001")
@example(b"000000000000000000001")
@example(b"-1")
@example(b"")
def test_unsigned_decimals(text: bytes) -> None:
    digits = bool(text) and all(48 <= c <= 57 for c in text)
    accepted = digits and len(text) <= 20 and int(text) <= U64
    found = call("parse_u64", bytearray(b"7" + text + b"7"), 1, len(text))
    assert found == ((True, int(text)) if accepted else (False, 0))


@pytest.mark.parametrize("body", BODIES, ids=["interpreted", "compiled"][: len(BODIES)])
def test_sockets(body: Any) -> None:
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        descriptor, buf = near.fileno(), bytearray(b"....")
        assert body.receive(descriptor, buf, 4) == -errno.EAGAIN
        far.sendall(b"abcdef")
        assert body.receive(descriptor, buf, 3) == 3
        assert buf == b"abc."
        assert body.receive(descriptor, buf, 4) == 3
        assert buf == b"def."
        assert body.transmit(descriptor, buf, 2) == 2
        assert body.transmit_bytes(descriptor, b"12345", 3, 9) == 2
        assert body.transmit_bytes(descriptor, b"12345", 1, 3) == 3
        assert body.transmit_bytes(descriptor, b"12345", 5, 9) == 0
        assert far.recv(100) == b"de45234"
        while (sent := body.transmit(descriptor, bytearray(1 << 20), 1 << 20)) > 0:
            assert sent <= 1 << 20
        assert sent == -errno.EAGAIN
        far.close()
        near.setblocking(True)
        while (n := body.receive(descriptor, buf, 4)) > 0:
            pass
        assert n in (0, -errno.ECONNRESET)
        assert body.transmit_bytes(descriptor, b"late", 0, 4) == -errno.EPIPE
    assert body.receive(descriptor, buf, 4) == -errno.EBADF


def test_the_clock_does_not_go_back() -> None:
    for body in BODIES:
        readings = [body.monotonic_us() for _ in range(100)]
        assert readings == sorted(readings)
        assert readings[0] > 0
    first, last = (body.monotonic_us() for body in (BODIES[0], BODIES[-1]))
    assert first <= last
    unix = [body.unix_us() for body in (*BODIES, *BODIES)]
    assert min(unix) > 1_600_000_000_000_000


@given(st.binary(max_size=40), st.binary(max_size=40), st.binary(max_size=12))
def test_equal_bytes(before: bytes, after: bytes, other: bytes) -> None:
    buf = bytearray(before + other + after)
    assert call("equal_bytes", buf, len(before), other) is True
    same = len(other)
    assert call("equal_bytes", buf, 0, other) == (bytes(buf[:same]) == other)


@pytest.mark.parametrize("body", BODIES, ids=["interpreted", "compiled"][: len(BODIES)])
def test_poll_events_tells_who_is_ready(body: Any) -> None:
    pairs = [socket.socketpair() for _ in range(3)]
    with select.epoll() as epoll, ExitStack() as stack:
        for pair in pairs:
            for end in pair:
                stack.enter_context(end)
            epoll.register(pair[0].fileno(), select.EPOLLIN)
        events = bytearray(8 * 16)

        def told(most: int) -> dict[int, int]:
            n = body.poll_events(epoll, epoll.fileno(), events, most)
            return {body.get_u32(events, 8 * i): body.get_u32(events, 8 * i + 4) for i in range(n)}

        assert told(16) == {}
        pairs[0][1].send(b"x")
        pairs[2][1].close()
        hung_up = select.EPOLLIN | select.EPOLLHUP
        assert told(16) == {pairs[0][0].fileno(): select.EPOLLIN, pairs[2][0].fileno(): hung_up}
        assert len(told(1)) == 1
    with pytest.raises(OSError if body.__file__.endswith("so") else ValueError):
        body.poll_events(epoll, -1, events, 1)
