"""XXH3 against values of the reference implementation: each rule of lengths, at its ends."""

from __future__ import annotations

import pytest

from headwater.xxh3 import xxh3_64

DATA = bytes((i * 131 + 7) & 255 for i in range(5000))
KNOWN = {
    0: 0x2D06800538D394C2,
    1: 0x4C5CCA45D0F4811F,
    3: 0x6E3E2670E61106AC,
    4: 0x5C4C63133443D03F,
    8: 0xF9FD4DD0B04D78F5,
    9: 0x7C20DF9712C26EDF,
    16: 0x86ABF6BACCEA0858,
    17: 0xB58BF5DC5022D071,
    32: 0xE3712ED84C04A66E,
    64: 0x1291D2D4042330DD,
    128: 0x10D17F72C0CCBA41,
    129: 0x1648BDC3DB49D1A2,
    240: 0xB6CFAF343FAB81E6,
    241: 0x956CAE592C67279E,
    1024: 0x70BD377D9574F4BB,
    1025: 0x66C4487C41E127A7,
    5000: 0xE4007929540F095C,
}


@pytest.mark.parametrize("length", KNOWN)
def test_known_values(length: int) -> None:
    assert xxh3_64(DATA[:length]) == KNOWN[length]
