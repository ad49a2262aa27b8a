"""The first line of a library of functions."""

from __future__ import annotations

import pytest

from headwater.scripting.metadata import MetadataError, is_name, read_metadata


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b"#!lua name=a", b"a"),
        (b"#!LUA NAME=Abc_9", b"Abc_9"),
        (b"#!lua 'name=quoted'", b"quoted"),
        (b'#!lua name="q\\x41"', b"qA"),
        (b"#!lua name=crlf\r", b"crlf"),
        (b"#!lua   name=x  ", b"x"),
    ],
)
def test_names(line: bytes, name: bytes) -> None:
    assert read_metadata(line + b"\nbody") == (name, len(line))


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (b"", b"Missing library metadata"),
        (b"#!lua name=a", b"Invalid library metadata"),
        (b"#!lua name=a\0\nx", b"Invalid library metadata"),
        (b'#!lua "name=a\nx', b"Invalid library metadata"),
        (b"#!\nx", b"Library name was not given"),
        (b"#!py name=a\nx", b"Engine 'py' not found"),
        (
            b"#!lua name=a name=b\nx",
            b"Invalid metadata value, name argument was given multiple times",
        ),
    ],
)
def test_what_is_wrong(code: bytes, why: bytes) -> None:
    with pytest.raises(MetadataError) as raised:
        read_metadata(code)
    assert raised.value.text == why


def test_what_is_a_name() -> None:
    assert is_name(b"aZ_09")
    assert not any(map(is_name, (b"", b"a-b", b"a b", b"a\0", "ä".encode())))
