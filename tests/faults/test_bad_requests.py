"""Requests that are wrong as bytes: each gets Redis's answer, and nobody else notices."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faults.wires import answers, talk
from support.servers import Server
from support.wire import encode

PING = encode(["PING"])

RAW = {
    "empty lines": b"\r\n\n\r\n",
    "spaces": b"   \t \r\n",
    "inline": b"PING\r\n",
    "inline without carriage return": b"PING\nPING\n",
    "inline in quotes": b'ECHO "a\\x41\\n\\t\\"b"\r\nECHO \'a\\\'b\\n\'\r\nECHO ""\r\n',
    "inline with unbalanced quotes": b'ECHO "abc\r\n',
    "inline with text behind a quote": b"ECHO 'a'b\r\n",
    "inline with a quote inside a word": b'ECHO a"b c"\r\n',
    "inline of high bytes": b"\xff\xfe\xfd a\r\n",
    "inline with a bare carriage return": b"ECHO a\rb\r\n",
    "no requests": b"*0\r\n*-1\r\n*-10\r\n",
    "multibulk length that is too big": b"*2147483648\r\n",
    "multibulk length beyond 64 bits": b"*99999999999999999999\r\n",
    "multibulk length that is no number": b"*abc\r\n",
    "multibulk length with a plus": b"*+1\r\n$4\r\nPING\r\n",
    "multibulk length with a zero before": b"*01\r\n$4\r\nPING\r\n",
    "multibulk length with a space before": b"* 1\r\n$4\r\nPING\r\n",
    "multibulk length with a space behind": b"*1 \r\n$4\r\nPING\r\n",
    "multibulk length missing": b"*\r\n$4\r\nPING\r\n",
    "multibulk length with a bare newline": b"*1\n$4\r\nPING\r\n",
    "multibulk length minus zero": b"*-0\r\n",
    "multibulk count that never ends": b"*" + b"1" * 70_000,
    "bulk length minus one": b"*1\r\n$-1\r\n",
    "bulk length below zero": b"*1\r\n$-5\r\n",
    "bulk length too big": b"*1\r\n$536870913\r\n",
    "bulk length beyond 64 bits": b"*1\r\n$99999999999999999999\r\n",
    "bulk length that is no number": b"*1\r\n$abc\r\n",
    "bulk length with a plus": b"*1\r\n$+4\r\nPING\r\n",
    "bulk length with a zero before": b"*1\r\n$04\r\nPING\r\n",
    "bulk length with many digits": b"*1\r\n$0000000004\r\nPING\r\n",
    "bulk length with a space before": b"*1\r\n$ 4\r\nPING\r\n",
    "bulk length missing": b"*1\r\n$\r\nPING\r\n",
    "bulk length that never ends": b"*1\r\n$" + b"1" * 70_000,
    "bulk with another type": b"*1\r\n:4\r\nPING\r\n",
    "bulk with a high byte as type": b"*1\r\n\xff4\r\n",
    "bulk with a line end as type": b"*1\r\n\r\n",
    "bulk without a header": b"*1\r\nPING\r\n",
    "bulk without its line end": b"*1\r\n$4\r\nPINGxx",
    "bulk longer than said": b"*2\r\n$4\r\nECHO\r\n$1\r\nabcdef\r\n",
    "empty words": b"*1\r\n$0\r\n\r\n",
    "empty arguments": b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n",
    "nested arrays": b"*1\r\n*1\r\n$4\r\nPING\r\n",
    "a line of 64 KB without an end": b"x" * 70_000,
    "a megabyte without an end": b"x" * (1 << 20),
    "a reply as a request": b"+OK\r\n-ERR no\r\n:5\r\n",
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "http post": b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "tls": bytes([22, 3, 1, 2]) + bytes(range(1, 256)) + b"\r\n",
    "unfinished multibulk": b"*2\r\n$4\r\nECHO\r\n$3\r\nab",
    "unfinished line": b"PIN",
}


@pytest.mark.parametrize("name", RAW)
def test_bytes_get_the_answer_of_redis(headwater: Server, reference: Server, name: str) -> None:
    raw = RAW[name]
    assert talk(headwater, raw) == talk(reference, raw)
    if "end" not in name and "unfinished" not in name:
        assert talk(headwater, raw + PING) == talk(reference, raw + PING)
    answers(headwater)


FRAGMENTS = [
    *(b"*1\r\n", b"*2\r\n", b"*0\r\n", b"*-1\r\n", b"*", b"$4\r\n", b"$1\r\n", b"$0\r\n", b"$"),
    *(b"\r\n", b"\n", b"\r", b"PING", b"ECHO", b"a", b" ", b'"', b"'", b"\\x41", b"\xff"),
    *(encode(["ECHO", "x"]), encode(["XLEN", "s"]), b"ECHO y\r\n", b"3", b"-", b"+", b"07", b":1"),
]


def test_random_bytes_get_the_answer_of_redis(headwater: Server, reference: Server) -> None:
    @settings(max_examples=400)
    @given(st.lists(st.sampled_from(FRAGMENTS), max_size=14).map(b"".join))
    def check(raw: bytes) -> None:
        assert talk(headwater, raw) == talk(reference, raw)

    check()
    answers(headwater)


def test_pure_noise_ends_no_server(headwater: Server) -> None:
    @settings(max_examples=200)
    @given(st.binary(max_size=300))
    def check(raw: bytes) -> None:
        talk(headwater, raw)

    check()
    answers(headwater)


def test_sloppy_line_ends_are_not_stored(headwater: Server, reference: Server) -> None:
    """What is stored is well-formed even where the request was not."""
    sloppy = b"*5\r\n$4\r\nXADD??$1\r\ns??$3\r\n1-0??$5\r\nfield??$5\r\nvalue??"
    inline = b'XADD s 2-0 "f\\r\\n" "$5"\r\n'
    read = encode(["XRANGE", "s", "-", "+"])
    expected = talk(reference, sloppy + inline + read)
    assert talk(headwater, sloppy + inline + read) == expected
    entries = headwater.connect().ok("XRANGE", "s", "-", "+")
    assert entries == [[b"1-0", [b"field", b"value"]], [b"2-0", [b"f\r\n", b"$5"]]]


def test_a_request_that_never_ends_is_not_carried_out(headwater: Server) -> None:
    request = encode(["XADD", "s", "1-0", "f", "value"])
    for length in range(1, len(request)):
        assert talk(headwater, request[:length]) == b""
    assert headwater.connect().ok("EXISTS", "s") == 0


def test_a_pipeline_split_at_every_byte(headwater: Server, reference: Server) -> None:
    requests = b"".join(
        [
            encode(["XADD", "s", "1-0", "field", "some value"]),
            b"XADD s 2-0 'in line' \"\\x41\"\r\n",
            encode(["XADD", "s", "2-0", "f", "v"]),
            b"*0\r\n",
            encode(["XRANGE", "s", "-", "+"]),
            encode(["MULTI"]),
            encode(["XLEN", "s"]),
            encode(["EXEC"]),
            encode(["DEL", "s"]),
        ]
    )
    whole = talk(reference, requests)
    assert talk(headwater, requests) == whole
    for place in range(1, len(requests)):
        split = talk(headwater, requests[:place], requests[place:], barrier=True)
        assert split == whole, f"split at {place}"
    single = (requests[n : n + 1] for n in range(len(requests)))
    assert talk(headwater, *single, barrier=True) == whole


def test_before_authentication_less_is_allowed(
    start: Callable[..., Server], start_reference: Callable[..., Server]
) -> None:
    ours, theirs = start("--requirepass", "secret"), start_reference("--requirepass", "secret")
    auth = encode(["AUTH", "secret"])
    cases = [
        b"*10\r\n",
        b"*11\r\n",
        b"*2\r\n$4\r\nECHO\r\n$16384\r\n" + b"x" * 16384 + b"\r\n",
        b"*2\r\n$4\r\nECHO\r\n$16385\r\n",
        encode(["XADD", "s", "*", "f", "v"]),
        encode(["MULTI"]) + encode(["XLEN", "s"]) + encode(["EXEC"]),
        encode(["NOSUCH"]) + encode(["GET"]) + encode(["CLIENT", "ID"]),
        encode(["HELLO", "3"]),
        encode(["HELLO", "2", "AUTH", "default", "wrong"]),
        encode(["AUTH", "wrong"]) + encode(["PING"]),
        encode(["AUTH", "default", "wrong"]),
        b"x" * 70_000,
        encode(["RESET"]) + encode(["PING"]),
        encode(["QUIT"]) + encode(["PING"]),
    ]
    for raw in cases:
        assert talk(ours, raw) == talk(theirs, raw), raw[:80]
    words = encode(["DEL", *("k" for _ in range(20))])
    big = encode(["ECHO", "x" * 20_000])
    for raw in (words, big, encode(["RESET"]) + words):
        assert talk(ours, auth + raw) == talk(theirs, auth + raw)
