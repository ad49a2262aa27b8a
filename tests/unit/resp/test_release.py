"""What a request or a reply has taken is let go of."""

from __future__ import annotations

from headwater.resp.parser import READY, RequestParser
from headwater.resp.reply import Reply
from headwater.resp.request import Request
from support.wire import encode


def test_a_request_of_many_arguments() -> None:
    request = Request()
    for number in range(100_000):
        request.push(number, 1)
    assert request.capacity >= 100_000
    request.release()
    assert (request.argc, len(request.buf)) == (0, 0)
    assert request.capacity < 100
    request.set_words([b"%d" % number for number in range(100)])
    assert request.arg(99) == b"99"


def test_a_parser_between_requests() -> None:
    shared = Request()
    parser = RequestParser(shared, 1 << 20)
    whole = encode(["ECHO", "x" * 1000])
    buffer = bytearray(whole)
    parser.parse(buffer, 500)
    assert parser.parse(buffer, len(buffer)) == READY
    assert parser.request is not shared, "it came in pieces"
    parser.release()
    assert parser.request is shared
    parser.pos = 0
    assert parser.parse(buffer, len(buffer)) == READY
    assert parser.request.arg(1) == b"x" * 1000


def test_a_reply_that_is_dropped() -> None:
    reply = Reply()
    reply.bulk(b"x" * 100_000)
    reply.integer(1)
    reply.reserve(10_000_000)
    reply.clear()
    assert reply.empty()
    assert len(reply.buf) < 10_000_000
    reply.ok()
    assert reply.take_parts() == [b"+OK\r\n"]
