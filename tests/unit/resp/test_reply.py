"""Replies: every RESP type in both versions, marks and rewinding, attached payload."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.limits import REPLY_BUFFER_BYTES, REPLY_REFERENCE_BYTES
from headwater.resp.reply import Reply

NUMBERS = (0, 1, 9, 10, -1, -10, 2**63 - 1, -(2**63))


def reply(version: int = 2) -> Reply:
    made = Reply()
    made.resp3 = version == 3
    return made


class Pieces:
    """A source that gives out what it holds, a byte less than it is asked for."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, max_bytes: int) -> bytes:
        n = max(1, max_bytes - 1)
        piece, self.data = self.data[:n], self.data[n:]
        return piece


def content(made: Reply) -> bytes:
    """All that goes out, sources read to their end."""
    out = b""
    for part in made.take_parts():
        if isinstance(part, bytes):
            out += part
        else:
            while piece := part.read(10):
                out += piece
    return out


@pytest.mark.parametrize(
    ("method", "arguments", "resp2", "resp3"),
    [
        ("ok", (), b"+OK\r\n", None),
        ("simple", (b"PONG",), b"+PONG\r\n", None),
        ("error", (b"ERR no",), b"-ERR no\r\n", None),
        ("integer", (-7,), b":-7\r\n", None),
        ("bulk", (b"a\r\nb",), b"$4\r\na\r\nb\r\n", None),
        ("bulk", (b"",), b"$0\r\n\r\n", None),
        ("bulk_text", ("\u00e9",), b"$2\r\n\xc3\xa9\r\n", None),
        ("null", (), b"$-1\r\n", b"_\r\n"),
        ("null_array", (), b"*-1\r\n", b"_\r\n"),
        ("array", (3,), b"*3\r\n", None),
        ("map", (3,), b"*6\r\n", b"%3\r\n"),
        ("keyed", (3,), b"*3\r\n", b"%3\r\n"),
        ("set", (3,), b"*3\r\n", b"~3\r\n"),
        ("push", (3,), b"*3\r\n", b">3\r\n"),
        ("boolean", (True,), b":1\r\n", b"#t\r\n"),
        ("boolean", (False,), b":0\r\n", b"#f\r\n"),
        ("double", (1.5,), b"$3\r\n1.5\r\n", b",1.5\r\n"),
        ("double", (-3.0,), b"$2\r\n-3\r\n", b",-3\r\n"),
        ("verbatim", (b"text",), b"$4\r\ntext\r\n", b"=8\r\ntxt:text\r\n"),
        ("stream_id", (0, 2**64 - 1), b"$22\r\n0-18446744073709551615\r\n", None),
        ("raw_bytes", (b"*0\r\n",), b"*0\r\n", None),
        ("span", (bytearray(b"xx:1\r\nxx"), 2, 4), b":1\r\n", None),
    ],
)
def test_types(method: str, arguments: tuple[Any, ...], resp2: bytes, resp3: bytes | None) -> None:
    for version, expected in ((2, resp2), (3, resp3 or resp2)):
        made = reply(version)
        assert made.empty()
        getattr(made, method)(*arguments)
        assert not made.empty()
        assert made.take() == expected
        assert made.empty()


@pytest.mark.parametrize("value", NUMBERS)
def test_integers_of_64_bits(value: int) -> None:
    made = reply()
    made.integer(value)
    assert made.take() == b":%d\r\n" % value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_doubles_read_back(value: float) -> None:
    made = reply(3)
    made.double(value)
    text = made.take()
    assert (text[:1], text[-2:]) == (b",", b"\r\n")
    assert math.isclose(float(text[1:-2]), value, rel_tol=0)


@given(st.lists(st.binary(max_size=3000), max_size=60))
def test_any_number_of_bulks(values: list[bytes]) -> None:
    made = reply()
    made.array(len(values))
    for value in values:
        made.bulk(value)
    assert content(made) == b"*%d\r\n" % len(values) + b"".join(
        b"$%d\r\n%b\r\n" % (len(value), value) for value in values
    )


def test_a_buffer_that_grew_much_is_given_back() -> None:
    made = reply()
    huge = b"x" * (REPLY_BUFFER_BYTES * 40)
    made.raw_bytes(huge)
    assert made.take() == huge
    assert len(made.buf) == REPLY_BUFFER_BYTES
    made.ok()
    assert made.take() == b"+OK\r\n"


def test_big_values_go_by_reference() -> None:
    value = b"v" * REPLY_REFERENCE_BYTES
    made = reply()
    made.integer(1)
    made.bulk(value)
    made.integer(2)
    parts = made.take_parts()
    assert parts == [b":1\r\n$%d\r\n" % len(value), value, b"\r\n:2\r\n"]
    assert parts[1] is value


def test_sources_stand_where_they_were_attached() -> None:
    made = reply()
    made.array(2)
    made.attach(Pieces(b":1\r\n" * 20))
    made.integer(2)
    made.attach(Pieces(b""))
    assert not made.empty()
    assert content(made) == b"*2\r\n" + b":1\r\n" * 20 + b":2\r\n"
    assert made.empty()


@given(st.data())
def test_rewinding_goes_back_to_the_mark(data: st.DataObject) -> None:
    made = reply()
    model = b""
    marks: list[tuple[int, int, bytes]] = []
    for step in data.draw(st.lists(st.sampled_from(["write", "attach", "mark", "rewind"]))):
        if step == "write":
            made.integer(len(model))
            model += b":%d\r\n" % len(model)
        elif step == "attach":
            made.attach_bytes(b"[%d]" % len(model))
            model += b"[%d]" % len(model)
        elif step == "mark":
            marks.append((made.part_count(), made.pos, model))
        elif marks:
            parts, pos, model = marks.pop()
            made.rewind(parts, pos)
    assert content(made) == model


@given(
    st.integers(0, 10**7),
    st.integers(0, 10**7),
    st.booleans(),
    st.booleans(),
    st.sampled_from([2, 3]),
)
def test_a_head_is_corrected(
    announced: int, n: int, before: bool, attached: bool, version: int
) -> None:
    announced, n = max(announced, n), min(announced, n)
    made = reply(version)
    if before:
        made.ok()
    parts, pos = made.part_count(), made.pos
    made.keyed(announced)
    made.integer(1)
    if attached:
        made.attach(Pieces(b":2\r\n"))
        made.integer(3)
    made.set_head(parts, pos, announced, n)
    head = b"%c%d\r\n:1\r\n" % (b"*%"[version - 2], n)
    tail = b":2\r\n:3\r\n" if attached else b""
    assert content(made) == (b"+OK\r\n" if before else b"") + head + tail
