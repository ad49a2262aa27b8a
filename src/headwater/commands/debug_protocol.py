"""An example of each type of reply, for those who write clients (DEBUG PROTOCOL)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from headwater import errors

if TYPE_CHECKING:
    from headwater.resp.reply import Reply

_BIG_NUMBER = b"1234567999999999999999999999999999999"


def _numbers(reply: Reply) -> None:
    for i in range(3):
        reply.integer(i)


def _array(reply: Reply) -> None:
    reply.array(3)
    _numbers(reply)


def _set(reply: Reply) -> None:
    reply.set(3)
    _numbers(reply)


def _map(reply: Reply) -> None:
    reply.map(3)
    for i in range(3):
        reply.integer(i)
        reply.boolean(i == 1)


def _attribute(reply: Reply) -> None:
    if reply.resp3:
        reply.raw_bytes(b"|1\r\n")
        reply.bulk(b"key-popularity")
        reply.array(2)
        reply.bulk(b"key:123")
        reply.integer(90)
    reply.bulk(b"Some real reply following the attribute")


def _push(reply: Reply) -> None:
    if not reply.resp3:
        raise errors.RESP2_UNSUPPORTED.error()
    reply.bulk(b"Some real reply following the push reply")
    reply.push(2)
    reply.bulk(b"server-cpu-usage")
    reply.integer(42)


def _big_number(reply: Reply) -> None:
    if reply.resp3:
        reply.raw_bytes(b"(" + _BIG_NUMBER + b"\r\n")
    else:
        reply.bulk(_BIG_NUMBER)


_EXAMPLES: dict[bytes, Callable[[Reply], None]] = {
    b"string": lambda reply: reply.bulk(b"Hello World"),
    b"integer": lambda reply: reply.integer(12345),
    b"double": lambda reply: reply.double(3.141),
    b"bignum": _big_number,
    b"null": lambda reply: reply.null(),
    b"array": _array,
    b"set": _set,
    b"map": _map,
    b"attrib": _attribute,
    b"push": _push,
    b"verbatim": lambda reply: reply.verbatim(b"This is a verbatim\nstring"),
    b"true": lambda reply: reply.boolean(True),
    b"false": lambda reply: reply.boolean(False),
}


def write_example(name: bytes, reply: Reply) -> None:
    """Write a reply of the type called `name`, in lower case; the values are Redis's."""
    example = _EXAMPLES.get(name)
    if example is None:
        raise errors.DEBUG_PROTOCOL_TYPE.error()
    example(reply)
