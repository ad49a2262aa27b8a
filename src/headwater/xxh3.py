"""The hash that Redis calls a string's digest: XXH3 of 64 bits, without a seed.

The algorithm is Yann Collet's (its specification is part of the xxHash project). It has a rule
for each range of lengths; all of them mix 64-bit words of the input with words of a fixed
secret, multiply to 128 bits and fold the halves together.
"""

from __future__ import annotations

from struct import pack, unpack_from

from headwater.raw import get_u64, put_u64

_SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
    "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364"
    "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e"
    "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
)
_MASK = (1 << 64) - 1
_PRIME32_1, _PRIME32_2, _PRIME32_3 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D
_PRIME64_1, _PRIME64_2 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F
_PRIME64_3, _PRIME64_4 = 0x165667B19E3779F9, 0x85EBCA77C2B2AE63
_PRIME64_5 = 0x27D4EB2F165667C5
_PRIME_MIX_1, _PRIME_MIX_2 = 0x165667919E3779F9, 0x9FB21C651E98DF25

_STRIPE_BYTES = 64
_STRIPE_STEP = 8  # each stripe of a block takes its secret so many bytes further on
_STRIPES_PER_BLOCK = (len(_SECRET) - _STRIPE_BYTES) // _STRIPE_STEP
_BLOCK_BYTES = _STRIPE_BYTES * _STRIPES_PER_BLOCK
_LAST_KEYS = len(_SECRET) - _STRIPE_BYTES
_KEYS = bytearray(_SECRET)
_LONG_BYTES = 240


def xxh3_64(data: bytes) -> int:
    """The hash of `data`, 64 bits without sign."""
    n = len(data)
    if n <= 16:
        return _short(data, n)
    if n <= 128:
        return _medium(data, n)
    if n <= _LONG_BYTES:
        return _larger(data, n)
    return _long(data, n)


def _word(data: bytes, pos: int) -> int:
    value: int = unpack_from("<Q", data, pos)[0]
    return value


def _half(data: bytes, pos: int) -> int:
    value: int = unpack_from("<I", data, pos)[0]
    return value


def _fold(a: int, b: int) -> int:
    product = a * b
    return (product & _MASK) ^ (product >> 64)


def _avalanche(h: int) -> int:
    h ^= h >> 37
    h = h * _PRIME_MIX_1 & _MASK
    return h ^ h >> 32


def _avalanche_64(h: int) -> int:
    h = (h ^ h >> 33) * _PRIME64_2 & _MASK
    h = (h ^ h >> 29) * _PRIME64_3 & _MASK
    return h ^ h >> 32


def _mix(data: bytes, pos: int, secret: int) -> int:
    """Fold 16 bytes of the input with 16 of the secret."""
    return _fold(
        _word(data, pos) ^ _word(_SECRET, secret), _word(data, pos + 8) ^ _word(_SECRET, secret + 8)
    )


def _short(data: bytes, n: int) -> int:
    if n > 8:
        low = _word(data, 0) ^ _word(_SECRET, 24) ^ _word(_SECRET, 32)
        high = _word(data, n - 8) ^ _word(_SECRET, 40) ^ _word(_SECRET, 48)
        swapped = int.from_bytes(low.to_bytes(8, "little"), "big")
        return _avalanche((n + swapped + high + _fold(low, high)) & _MASK)
    if n > 3:
        both = _half(data, n - 4) + (_half(data, 0) << 32)
        h = both ^ _word(_SECRET, 8) ^ _word(_SECRET, 16)
        h ^= (h << 49 | h >> 15) & _MASK ^ (h << 24 | h >> 40) & _MASK
        h = h * _PRIME_MIX_2 & _MASK
        h ^= (h >> 35) + n
        h = h * _PRIME_MIX_2 & _MASK
        return h ^ h >> 28
    if n:
        combined = data[0] << 16 | data[n >> 1] << 24 | data[n - 1] | n << 8
        return _avalanche_64(combined ^ _half(_SECRET, 0) ^ _half(_SECRET, 4))
    return _avalanche_64(_word(_SECRET, 56) ^ _word(_SECRET, 64))


def _medium(data: bytes, n: int) -> int:
    total = n * _PRIME64_1
    for i in range((n - 1) // 32 + 1):
        total += _mix(data, 16 * i, 32 * i) + _mix(data, n - 16 * (i + 1), 32 * i + 16)
    return _avalanche(total & _MASK)


def _larger(data: bytes, n: int) -> int:
    total = n * _PRIME64_1
    for i in range(8):
        total += _mix(data, 16 * i, 16 * i)
    total = _avalanche(total & _MASK)
    for i in range(8, n // 16):
        total += _mix(data, 16 * i, 16 * (i - 8) + 3)
    total += _mix(data, n - 16, 136 - 17)
    return _avalanche(total & _MASK)


def _accumulate(lanes: bytearray, data: bytearray, pos: int, secret: int) -> None:
    """Take in one stripe."""
    for i in range(8):
        word = get_u64(data, pos + 8 * i)
        keyed = word ^ get_u64(_KEYS, secret + 8 * i)
        other = 8 * (i ^ 1)
        put_u64(lanes, other, get_u64(lanes, other) + word & _MASK)
        product = (keyed & 0xFFFF_FFFF) * (keyed >> 32)
        put_u64(lanes, 8 * i, get_u64(lanes, 8 * i) + product & _MASK)


def _scramble(lanes: bytearray) -> None:
    for i in range(8):
        lane = get_u64(lanes, 8 * i)
        lane = lane ^ lane >> 47 ^ get_u64(_KEYS, _LAST_KEYS + 8 * i)
        put_u64(lanes, 8 * i, lane * _PRIME32_1 & _MASK)


def _stripes(lanes: bytearray, data: bytearray, n: int) -> None:
    """Take in the stripes of a long input."""
    blocks = (n - 1) // _BLOCK_BYTES
    for block in range(blocks):
        for stripe in range(_STRIPES_PER_BLOCK):
            pos = block * _BLOCK_BYTES + stripe * _STRIPE_BYTES
            _accumulate(lanes, data, pos, stripe * _STRIPE_STEP)
        _scramble(lanes)
    start = blocks * _BLOCK_BYTES
    for stripe in range((n - 1 - start) // _STRIPE_BYTES):
        _accumulate(lanes, data, start + stripe * _STRIPE_BYTES, stripe * _STRIPE_STEP)
    _accumulate(lanes, data, n - _STRIPE_BYTES, _LAST_KEYS - 7)


def _long(data: bytes, n: int) -> int:
    begin = (
        _PRIME32_3,
        _PRIME64_1,
        _PRIME64_2,
        _PRIME64_3,
        _PRIME64_4,
        _PRIME32_2,
        _PRIME64_5,
        _PRIME32_1,
    )
    lanes = bytearray(pack("<8Q", *begin))
    _stripes(lanes, bytearray(data), n)
    total = n * _PRIME64_1
    for i in range(0, 8, 2):
        total += _fold(
            get_u64(lanes, 8 * i) ^ _word(_SECRET, 11 + 8 * i),
            get_u64(lanes, 8 * i + 8) ^ _word(_SECRET, 19 + 8 * i),
        )
    return _avalanche(total & _MASK)
