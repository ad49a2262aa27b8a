"""Commands are packed as redis-py's own packer packs them."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from redis._parsers import Encoder
from redis.connection import PythonRespSerializer

from headwater.embedded.packing import Packer

COMMANDS: list[tuple[Any, ...]] = [
    ("PING",),
    ("XADD", "s", "*", "field", "value"),
    ("XINFO STREAM", "s"),
    (b"XINFO STREAM", "s"),
    ("CLIENT", "SETNAME", "grün 中 \U0001f600"),
    ("SET", b"\x00\xff", bytearray(b"x"), memoryview(b"view"), b""),
    ("SET", 0, -1, 2**63, 1.5, -0.0, 1e300, float("inf")),
    ("SET", "k", "v" * 5000, b"w" * 100_000),
    ("ZADD", *range(300)),
]


@pytest.mark.parametrize("args", COMMANDS, ids=lambda args: str(args[0]))
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_as_redis_py_does(args: tuple[Any, ...], encoding: str) -> None:
    encoder = Encoder(encoding, "strict", False)
    theirs = PythonRespSerializer(6000, encoder.encode)
    packer = Packer(encoder)
    try:
        want = b"".join(theirs.pack(*args))
    except UnicodeEncodeError:
        with pytest.raises(UnicodeEncodeError):
            packer.pack(*args)
        return
    assert b"".join(packer.pack(*args)) == want
    assert packer.pack_all([args, ["PING"], args]) == [want + b"*1\r\n$4\r\nPING\r\n" + want]


@pytest.mark.parametrize("value", [None, True, [], {}])
def test_what_is_no_word_is_refused(value: object) -> None:
    packer = Packer(Encoder("utf-8", "strict", False))
    with pytest.raises(redis.DataError):
        packer.pack("SET", "k", value)
    assert packer.pack("PING") == [b"*1\r\n$4\r\nPING\r\n"]


def test_half_a_surrogate_is_refused() -> None:
    packer = Packer(Encoder("utf-8", "strict", False))
    with pytest.raises(UnicodeEncodeError):
        packer.pack("SET", "\ud800")
