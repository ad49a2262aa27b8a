"""Strings as numbers: INCR and its like, and numbers of 64 bits of precision."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.commands import long_double
from headwater.commands.strings_numbers import decimal
from headwater.keyspace.strings import parse_integer
from support.embedded import Client, Embedded

MAX = 2**63 - 1
MIN = -(2**63)
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
OVERFLOW = "ERR increment or decrement would overflow"


@pytest.fixture(params=[2, 3])
def world(request: pytest.FixtureRequest) -> Embedded:
    return Embedded(request.param)


@pytest.fixture
def client(world: Embedded) -> Client:
    return world.main


@given(st.integers(MIN, MAX))
def test_integers_are_read_as_they_are_printed(number: int) -> None:
    assert decimal(number) == b"%d" % number
    assert parse_integer(b"%d" % number) == (True, number)


@given(st.one_of(st.integers().map(lambda n: b"%d" % n), st.binary(max_size=21)))
def test_what_is_no_integer(text: bytes) -> None:
    digits = text[1:] if text[:1] == b"-" else text
    strict = digits.isdigit() and (digits[:1] != b"0" or text == b"0")
    expected = strict and MIN <= int(text) <= MAX
    assert parse_integer(text)[0] == expected


@pytest.mark.parametrize("number", [MAX, MIN, 0, -1])
def test_the_limits(client: Client, number: int) -> None:
    client.ok("SET", "a", number)
    assert client.call("INCRBY", "a", 0) == (":", number)
    for by in (MAX, MIN + 1, 1, -1):
        client.ok("SET", "a", number)
        if MIN <= number + by <= MAX:
            assert client.ok("INCRBY", "a", by) == number + by
        else:
            assert client.error("INCRBY", "a", by) == OVERFLOW
            assert client.error("DECRBY", "a", -by) == OVERFLOW
            assert client.ok("GET", "a") == b"%d" % number


def test_errors(client: Client) -> None:
    assert client.error("DECRBY", "a", MIN) == "ERR decrement would overflow"
    assert client.error("INCRBY", "a", "1.5") == NOT_AN_INTEGER
    for text in ("x", " 1", "1 ", "+1", "007", "-0", "", "1" * 20, "9" * 30):
        client.ok("SET", "a", text)
        assert client.error("INCR", "a") == NOT_AN_INTEGER
        client.ok("APPEND", "a", "")
        assert client.error("INCR", "a") == NOT_AN_INTEGER


def test_integers_stay_in_place(world: Embedded, client: Client) -> None:
    db = world.state.keyspace.databases[0]
    client.ok("SET", "a", 5, "EX", 10)
    value = db.values[b"a"]
    assert client.ok("INCR", "a") == 6
    assert client.ok("SET", "a", 7) == b"OK"
    assert db.values[b"a"] is value
    client.ok("SETRANGE", "a", 0, 9)
    assert client.ok("DECR", "a") == 8
    assert client.ok("GET", "a") == b"8"


def test_floats(client: Client) -> None:
    assert client.ok("INCRBYFLOAT", "a", "10.50") == b"10.5"
    assert client.ok("INCRBYFLOAT", "a", "0.1") == b"10.6"
    assert client.ok("INCRBYFLOAT", "a", "-5e-1") == b"10.1"
    assert client.ok("INCRBYFLOAT", "a", "5.0e3") == b"5010.10000000000000009"
    client.ok("SET", "a", "3.0")
    assert client.ok("INCRBYFLOAT", "a", "0x1p-1") == b"3.5"
    assert client.error("INCRBYFLOAT", "a", "x") == "ERR value is not a valid float"
    for number in ("inf", "-infinity"):
        text = "ERR increment would produce NaN or Infinity"
        assert client.error("INCRBYFLOAT", "a", number) == text
    assert client.ok("GET", "a") == b"3.5"


def test_the_biggest_number(client: Client) -> None:
    """It has more digits than the interpreter likes to convert."""
    largest = long_double.text(long_double.LARGEST)
    assert len(largest) == 4933
    client.ok("SET", "a", largest)
    assert client.ok("INCRBYFLOAT", "a", 0) == largest
    text = "ERR increment would produce NaN or Infinity"
    assert client.error("INCRBYFLOAT", "a", largest) == text
    for number in (b"9" * 5000, b"1e4933", b"1e-4970", b"1e9999999999", b"1" * 6000):
        assert client.error("INCRBYFLOAT", "a", number) == "ERR value is not a valid float"


@given(st.fractions(), st.integers(-16_000, 16_000))
def test_rounding(fraction: Fraction, power: int) -> None:
    """The nearest number of 64 bits, the even one of two."""
    if power >= 0:
        found = long_double.rounded(fraction.numerator << power, fraction.denominator)
    else:
        found = long_double.rounded(fraction.numerator, fraction.denominator << -power)
    assert found is not None
    mantissa, exponent = found
    assert abs(mantissa) < 1 << 64
    exact = fraction * Fraction(2) ** power
    step = Fraction(2) ** exponent
    error = abs(mantissa * step - exact)
    assert error <= step / 2
    if error == step / 2:
        assert mantissa % 2 == 0
    assert mantissa == 0 or abs(mantissa) >= 1 << 63 or error == 0 or exponent == -16445


@given(st.decimals(-(10**15), 10**15, places=4, allow_nan=False))
def test_decimals_come_back(number: Decimal) -> None:
    parsed = long_double.parse(str(number).encode())
    assert parsed is not None
    text = long_double.text(parsed)
    error = abs(Fraction(text.decode()) - Fraction(number))
    assert error <= abs(Fraction(number)) / 2**64 + Fraction(1, 10**17)
    assert long_double.parse(text) == parsed or abs(number) < 1
    assert not (b"." in text and text.endswith((b"0", b".")))


# --- INCREX; what a real server answers is documented in its own test suite ---


@pytest.mark.parametrize(
    ("before", "words", "reply", "after"),
    [
        (None, "", [1, 1], b"1"),
        (5, "BYINT 3", [8, 3], b"8"),
        (10, "BYINT 10 UBOUND 15", [10, 0], b"10"),
        (10, "BYINT 10 UBOUND 15 SATURATE", [15, 5], b"15"),
        (10, "SATURATE LBOUND 5 BYINT -10", [5, -5], b"5"),
        (50, "BYINT 5 UBOUND 30", [50, 0], b"50"),
        (50, "BYINT 5 UBOUND 30 SATURATE", [30, -20], b"30"),
        (-50, "BYINT -5 LBOUND -30 SATURATE", [-30, 20], b"-30"),
        (50, "BYINT -25 UBOUND 30", [25, -25], b"25"),
        (MAX - 7, f"BYINT {MAX - 7}", [MAX - 7, 0], b"%d" % (MAX - 7)),
        (MAX - 7, f"BYINT {MAX - 7} SATURATE", [MAX, 7], b"%d" % MAX),
        (5, f"BYINT {MAX} UBOUND 10 SATURATE", [10, 5], b"10"),
        (MIN + 8, f"BYINT {MIN + 8} SATURATE", [MIN, -8], b"%d" % MIN),
        (None, "BYINT 15 UBOUND 10", [0, 0], None),
        (None, "BYINT 15 UBOUND 10 SATURATE", [10, 10], b"10"),
    ],
)
def test_increx(
    client: Client, before: int | None, words: str, reply: list[int], after: bytes | None
) -> None:
    if before is not None:
        client.ok("SET", "a", before)
    assert client.ok("INCREX", "a", *words.split()) == reply
    assert client.ok("GET", "a") == after


@pytest.mark.parametrize(
    ("before", "words", "reply", "after"),
    [
        (None, "BYFLOAT 5.5 UBOUND 10", ["5.5", "5.5"], b"5.5"),
        (None, "BYFLOAT 15.5 UBOUND 10", ["0", "0"], None),
        ("10.0", "BYFLOAT 10.0 UBOUND 15.5", ["10", "0"], b"10.0"),
        ("10.0", "BYFLOAT 10.0 UBOUND 15.5 SATURATE", ["15.5", "5.5"], b"15.5"),
        ("10.0", "BYFLOAT -10 LBOUND 5.5 SATURATE", ["5.5", "-4.5"], b"5.5"),
        ("5", "BYFLOAT -10.0 LBOUND -5", ["-5", "-10"], b"-5"),
    ],
)
def test_increx_by_a_float(
    world: Embedded,
    client: Client,
    before: str | None,
    words: str,
    reply: list[str],
    after: bytes | None,
) -> None:
    if before is not None:
        client.ok("SET", "a", before)
    kind, parts = client.call("INCREX", "a", *words.split())
    assert kind == "*"
    assert isinstance(parts, list)
    if world.resp == 3:
        assert [part[0] for part in parts] == [",", ","]
        assert [float(part[1]) for part in parts] == [float(text) for text in reply]
    else:
        assert parts == [("$", text.encode()) for text in reply]
    assert client.ok("GET", "a") == after


def test_increx_to_the_limits_of_floats(client: Client) -> None:
    largest = long_double.text(long_double.LARGEST)
    client.ok("SET", "a", largest)
    client.ok("INCREX", "a", "BYFLOAT", largest)
    assert client.ok("GET", "a") == largest
    client.ok("INCREX", "a", "BYFLOAT", largest, "SATURATE")
    assert client.ok("GET", "a") == largest
    client.ok("SET", "a", b"-" + largest)
    client.ok("INCREX", "a", "BYFLOAT", b"-" + largest, "SATURATE")
    assert client.ok("GET", "a") == b"-" + largest


def test_when_increx_lets_a_key_expire(client: Client) -> None:
    client.ok("INCREX", "a", "EX", 100)
    assert client.ok("TTL", "a") == 100
    client.ok("INCREX", "a", "BYINT", 1)
    assert client.ok("TTL", "a") == 100
    client.ok("INCREX", "a", "EX", 10, "ENX")
    assert client.ok("TTL", "a") == 100
    assert client.ok("INCREX", "a", "EXAT", 1, "ENX") == [4, 1]
    assert client.ok("TTL", "a") == 100
    assert client.ok("INCREX", "a", "BYINT", 9, "UBOUND", 5, "PERSIST") == [4, 0]
    assert client.ok("TTL", "a") == 100
    client.ok("INCREX", "a", "PERSIST")
    assert client.ok("TTL", "a") == -1
    client.ok("INCREX", "a", "ENX", "PX", 5000)
    assert client.ok("PTTL", "a") == 5000
    assert client.ok("INCREX", "a", "EXAT", 1) == [7, 1]
    assert client.ok("EXISTS", "a") == 0


def test_what_increx_refuses(client: Client) -> None:
    syntax = [
        "NOPE",
        "BYINT",
        "BYINT 1 BYFLOAT 1.5",
        "BYINT 1 BYINT 2",
        "LBOUND 0 LBOUND 1",
        "UBOUND 0 UBOUND 1",
        "SATURATE SATURATE",
        "EX 10 PX 10",
        "EX 10 EX 10",
        "EX 10 PERSIST",
        "PERSIST ENX",
        "ENX PERSIST",
        "PERSIST PERSIST",
        "ENX ENX EX 10",
        "KEEPTTL",
    ]
    for words in syntax:
        assert client.error("INCREX", "a", *words.split()) == "ERR syntax error", words
    for words, text in {
        "ENX": "ENX flag requires an expiration",
        "BYINT 1.5": "Increment is not an integer or out of range",
        "BYFLOAT x": "Increment is not a valid float",
        "UBOUND abc": "UBOUND is not an integer or out of range",
        "LBOUND 1.5": "LBOUND is not an integer or out of range",
        "BYFLOAT 1 LBOUND abc": "LBOUND is not a valid float",
        "LBOUND 10 UBOUND 5": "LBOUND can't be greater than UBOUND",
        "BYFLOAT 1 LBOUND 10.5 UBOUND 1.5": "LBOUND can't be greater than UBOUND",
        "EX 0": "invalid expire time in 'increx' command",
        "PX -1": "invalid expire time in 'increx' command",
        "EX x": "value is not an integer or out of range",
    }.items():
        assert client.error("INCREX", "a", *words.split()) == f"ERR {text}", words
    assert client.ok("EXISTS", "a") == 0
    client.ok("SET", "a", "hello")
    assert client.error("INCREX", "a") == NOT_AN_INTEGER
    assert client.error("INCREX", "a", "BYFLOAT", 1) == "ERR value is not a valid float"
