"""The reply decoder: the same values as redis-py's own parsers, from bytes in any pieces."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis._parsers import Encoder, _RESP2Parser, _RESP3Parser
from redis.exceptions import InvalidResponse

from headwater.resp.decoder import (
    DEPTH_MAX,
    INCOMPLETE,
    Push,
    ReplyDecoder,
    ReplyError,
    ReplyFormatError,
)


class DryError(Exception):
    """There are no more bytes."""


class Recorded:
    """A socket that gives these bytes and then fails."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def recv(self, n: int) -> bytes:
        data = self._data.read(n)
        if not data:
            raise DryError
        return data

    def settimeout(self, timeout: float) -> None:
        """As of a socket."""


class Parser2(_RESP2Parser):
    @classmethod
    def parse_error(cls, response: str) -> Any:
        return ReplyError(response)


class Parser3(_RESP3Parser):
    @classmethod
    def parse_error(cls, response: str) -> Any:
        return ReplyError(response)


FAILED = object()


def by_redis_py(data: bytes, resp3: bool, text: bool, raw: bool) -> list[Any]:
    """What redis-py reads from these bytes, with INCOMPLETE or FAILED at the end."""
    parser = (Parser3 if resp3 else Parser2)(65536)
    encoder = Encoder("utf-8", "strict", text)
    sock = Recorded(data)
    parser.on_connect(SimpleNamespace(_sock=sock, socket_timeout=None, encoder=encoder))
    found: list[Any] = []
    while True:
        try:
            if resp3:
                found.append(parser.read_response(disable_decoding=raw, push_request=True))
            else:
                found.append(parser.read_response(disable_decoding=raw))
        except DryError:
            return [*found, INCOMPLETE]
        except Exception:  # any of them: what it makes of bytes that are no reply
            return [*found, FAILED]


def by_headwater(
    data: bytes, resp3: bool, text: bool, raw: bool, pieces: list[int] | None = None
) -> list[Any]:
    decoder = ReplyDecoder(resp3, "utf-8" if text else None)
    found: list[Any] = []
    for n in [*(pieces or []), len(data)]:
        decoder.feed(data[:n])
        data = data[n:]
        while True:
            try:
                value = decoder.decode(raw)
            except (ReplyFormatError, UnicodeDecodeError, TypeError):
                return [*found, FAILED]
            if value is INCOMPLETE:
                break
            found.append(value)
    return [*found, INCOMPLETE]


def same(a: Any, b: Any) -> bool:
    """Equal, of the same types, and a NaN is one."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return same(list(a), list(b)) and same(list(a.values()), list(b.values()))
    if isinstance(a, float) and a != a:
        return isinstance(b, float) and b != b
    return type(a) is type(b) and bool(a == b)


def bulk(kind: bytes, data: bytes) -> bytes:
    return b"%b%d\r\n%b\r\n" % (kind, len(data), data)


LINES = st.text("abc -1äö\t", max_size=20).map(str.encode)
DATA = st.one_of(st.binary(max_size=40), st.text(max_size=10).map(str.encode))
NUMBERS = st.one_of(
    st.integers(-(10**30), 10**30).map(lambda n: b"%d" % n),
    st.sampled_from([b"0", b"-0", b"007", b"+5", b" 7 ", b"1_000", b"-9223372036854775808"]),
)
DOUBLES = st.one_of(
    st.floats().map(lambda x: repr(x).encode()), st.sampled_from([b"inf", b"-inf", b"nan", b"10"])
)
LEAVES2 = st.one_of(
    LINES.map(lambda x: b"+" + x + b"\r\n"),
    LINES.map(lambda x: b"-ERR " + x + b"\r\n"),
    NUMBERS.map(lambda x: b":" + x + b"\r\n"),
    DATA.map(lambda x: bulk(b"$", x)),
)
NULLS = st.sampled_from([b"$-1\r\n", b"*-1\r\n", b"*0\r\n"])
LEAVES3 = st.one_of(
    LEAVES2,
    st.sampled_from([b"_\r\n", b"#t\r\n", b"#f\r\n", b"*-1\r\n", b"%0\r\n", b"~0\r\n"]),
    DOUBLES.map(lambda x: b"," + x + b"\r\n"),
    NUMBERS.map(lambda x: b"(" + x + b"\r\n"),
    DATA.map(lambda x: bulk(b"=", b"txt:" + x)),
    LINES.map(lambda x: bulk(b"!", b"ERR " + x)),
)


def nested(kinds: bytes) -> Any:
    def extend(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
        def head(kind: int, items: list[bytes]) -> bytes:
            count = len(items)
            if kind == ord("%"):
                count //= 2
                items = items[: 2 * count]
            return b"%c%d\r\n" % (kind, count) + b"".join(items)

        return st.builds(head, st.sampled_from(kinds), st.lists(inner, max_size=6))

    return extend


REPLIES2 = st.recursive(st.one_of(LEAVES2, NULLS), nested(b"*"), max_leaves=20)
REPLIES3 = st.recursive(LEAVES3, nested(b"*~%"), max_leaves=20)
PUSHES = st.lists(LEAVES3, min_size=1, max_size=4).map(
    lambda items: b">%d\r\n" % (len(items) + 1) + bulk(b"$", b"message") + b"".join(items)
)


class TestOfRedisPy:
    @given(
        st.lists(REPLIES2, max_size=5).map(b"".join), st.booleans(), st.booleans(), st.integers(0)
    )
    def test_replies_of_resp2(self, data: bytes, text: bool, raw: bool, cut: int) -> None:
        data = data[: len(data) - cut % 3 if cut % 7 == 0 else len(data)]
        assert same(by_headwater(data, False, text, raw), by_redis_py(data, False, text, raw))

    @given(
        st.lists(st.one_of(REPLIES3, PUSHES), max_size=5).map(b"".join),
        st.booleans(),
        st.booleans(),
        st.integers(0),
    )
    def test_replies_of_resp3(self, data: bytes, text: bool, raw: bool, cut: int) -> None:
        data = data[: len(data) - cut % 3 if cut % 7 == 0 else len(data)]
        found = by_headwater(data, True, text, raw)
        found = [list(x) if isinstance(x, Push) else x for x in found]
        assert same(found, by_redis_py(data, True, text, raw))

    @given(
        st.lists(st.one_of(REPLIES3, PUSHES), max_size=5).map(b"".join),
        st.lists(st.integers(0, 30), max_size=30),
        st.booleans(),
    )
    def test_pieces_change_nothing(self, data: bytes, pieces: list[int], text: bool) -> None:
        whole = by_headwater(data, True, text, False)
        assert same(by_headwater(data, True, text, False, pieces), whole)
        assert same(by_headwater(data, True, text, False, [1] * len(data)), whole)

    @given(
        st.lists(st.one_of(REPLIES3, LEAVES2, NULLS), min_size=1, max_size=4).map(b"".join),
        st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), min_size=1, max_size=4),
        st.booleans(),
        st.booleans(),
    )
    def test_damaged_replies(
        self, data: bytes, damage: list[tuple[int, int]], resp3: bool, text: bool
    ) -> None:
        broken = bytearray(data)
        for at, byte in damage:
            broken[at % len(broken)] = byte
        self.compare_any(bytes(broken), resp3, text)

    @given(st.binary(max_size=60), st.sampled_from(b"$*%~>+-:,#!=(_"), st.booleans(), st.booleans())
    def test_any_bytes(self, data: bytes, kind: int, resp3: bool, text: bool) -> None:
        self.compare_any(bytes([kind]) + data, resp3, text)

    def compare_any(self, data: bytes, resp3: bool, text: bool) -> None:
        """What redis-py can read, we read as it does; where it fails or waits, we do."""
        found = by_headwater(data, resp3, text, False)
        expected = by_redis_py(data, resp3, text, False)
        for ours, theirs in zip(found, expected, strict=False):
            if ours is FAILED or theirs is FAILED:
                return  # lengths below zero and beyond memory: redis-py goes astray, we refuse
            if b">" in data:
                return  # a push in the middle of a reply: redis-py leaves it out
            if theirs is INCOMPLETE or (resp3 and b"$-" in data):
                return  # a line end within a line has redis-py wait for what is there
            assert same(ours, theirs)


class TestDecoder:
    def test_an_error_is_light_and_one_in_an_array_is_made_the_same_way(self) -> None:
        decoder = ReplyDecoder()
        decoder.feed(b"-ERR no\r\n*2\r\n:1\r\n-WRONGTYPE x\r\n")
        assert decoder.decode() == ReplyError("ERR no")
        assert decoder.decode() == [1, ReplyError("WRONGTYPE x")]
        decoder = ReplyDecoder(make_error=InvalidResponse)
        decoder.feed(b"*1\r\n-ERR no\r\n")
        (error,) = decoder.decode()
        assert isinstance(error, InvalidResponse)
        assert str(error) == "ERR no"

    def test_what_raises_stays_and_raises_again(self) -> None:
        decoder = ReplyDecoder(encoding="utf-8")
        decoder.feed(b"*2\r\n:1\r\n$1\r\n\xff\r\n:7\r\n")
        for _ in range(2):
            with pytest.raises(UnicodeDecodeError):
                decoder.decode()
        assert decoder.decode(raw=True) == [1, b"\xff"]
        assert decoder.decode() == 7

    def test_pushes_are_recognisable(self) -> None:
        decoder = ReplyDecoder(resp3=True)
        decoder.feed(b">2\r\n$7\r\nmessage\r\n:1\r\n*1\r\n:1\r\n")
        push, reply = decoder.decode(), decoder.decode()
        assert type(push) is Push
        assert push == [b"message", 1]
        assert type(reply) is list

    def test_a_null_of_resp2_is_one_in_resp3(self) -> None:
        decoder = ReplyDecoder(resp3=True)
        decoder.feed(b"$-1\r\n:1\r\n")
        assert decoder.decode() is None
        assert decoder.decode() == 1

    @pytest.mark.parametrize(
        "data", [b"\r\n", b"?\r\n", b"$x\r\n", b"$-2\r\n", b":\r\n", b":1.5\r\n", b",x\r\n"]
    )
    def test_what_is_no_reply_is_refused(self, data: bytes) -> None:
        for resp3 in (False, True):
            decoder = ReplyDecoder(resp3)
            decoder.feed(data)
            with pytest.raises(ReplyFormatError):
                decoder.decode()

    def test_an_announced_length_takes_no_memory(self) -> None:
        for head in (b"$", b"*", b"=", b"%"):
            decoder = ReplyDecoder(resp3=True)
            decoder.feed(head + b"999999999999999999\r\n")
            assert decoder.decode() is INCOMPLETE
            decoder = ReplyDecoder(resp3=True)
            decoder.feed(head + b"9999999999999999999999\r\n")
            with pytest.raises(ReplyFormatError):
                decoder.decode()

    def test_depth(self) -> None:
        decoder = ReplyDecoder()
        decoder.feed(b"*1\r\n" * (DEPTH_MAX - 1) + b"*0\r\n" + b":5\r\n")
        value = decoder.decode()
        for _ in range(DEPTH_MAX - 1):
            (value,) = value
        assert value == []
        assert decoder.decode() == 5
        decoder.feed(b"*1\r\n" * (DEPTH_MAX + 1))
        with pytest.raises(ReplyFormatError):
            decoder.decode()

    def test_waiting_counts_what_belongs_to_no_returned_reply(self) -> None:
        decoder = ReplyDecoder()
        decoder.feed(b":1\r\n$5\r\nhel")
        assert decoder.decode() == 1
        assert decoder.waiting() == 7
        assert decoder.decode() is INCOMPLETE
        assert decoder.waiting() == 7
        decoder.feed_span(bytearray(b"__lo\r\n__"), 2, 4)
        assert decoder.decode() == b"hello"
        assert decoder.waiting() == 0
        decoder.feed(b"$5\r\nhel")
        decoder.clear()
        decoder.feed(b":2\r\n")
        assert decoder.decode() == 2

    def test_big_replies_through_a_moving_buffer(self) -> None:
        decoder = ReplyDecoder()
        big = b"x" * 3_000_000
        data = bulk(b"$", big) + b":1\r\n" + b"*2\r\n" + bulk(b"$", big) * 2
        found = []
        for at in range(0, len(data), 70_001):
            decoder.feed(data[at : at + 70_001])
            while (value := decoder.decode()) is not INCOMPLETE:
                found.append(value)
        assert found == [big, 1, [big, big]]
