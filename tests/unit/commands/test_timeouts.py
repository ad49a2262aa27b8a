"""Seconds as blocking commands of lists read them: as the C library's long double, as Redis."""

from __future__ import annotations

import pytest

from headwater.commands.timeouts import deadline_in
from headwater.errors import CommandError
from headwater.resp.request import from_words

NOW_MS = 1_700_000_000_000
MILLISECONDS = {
    b"0": 0,
    b"0.0": 0,
    b"-0": 0,
    b"0e99999999999": 0,
    b"-0.001": 0,
    b"2": 2000,
    b"0.001": 1,
    b"0.0001": 1,
    b".5": 500,
    b"1.": 1000,
    b"0x.8": 500,
    b"0x1p-16445": 1,
    # The nearest number of 64 bits is above the decimal one, and so is its product.
    b"65.331": 65332,
    b"64.62": 64621,
    b"0.509": 510,
}
NO_FLOATS = [
    b"", b"x", b".", b"1e", b"0x", b" 1", b"1 ", b"nan", b"1e4933", b"-1e4933", b"0x1p16384",
    b"0x1p-16500", b"1e-4951", b"1e99999999999", b"1" * 256,
]  # fmt: skip
TOO_LONG = [b"inf", b"1e4932", b"0x1p16383", b"9223372036854775.808", b"9223372036854775.807"]
NEGATIVE = [b"-1", b"-0.0015", b"-inf", b"-1e4932"]


@pytest.mark.parametrize("text", MILLISECONDS, ids=bytes.decode)
def test_seconds(text: bytes) -> None:
    ms = MILLISECONDS[text]
    assert deadline_in(from_words([b"BLPOP", text]), 1, NOW_MS) == (NOW_MS + ms if ms else 0)


@pytest.mark.parametrize(
    ("texts", "error"),
    [
        (NO_FLOATS, "ERR timeout is not a float or out of range"),
        (TOO_LONG, "ERR timeout is out of range"),
        (NEGATIVE, "ERR timeout is negative"),
    ],
)
def test_refused(texts: list[bytes], error: str) -> None:
    for text in texts:
        with pytest.raises(CommandError) as refused:
            deadline_in(from_words([b"BLPOP", text]), 1, NOW_MS)
        assert (text, str(refused.value)) == (text, error)
