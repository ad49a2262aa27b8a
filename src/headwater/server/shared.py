"""What the connections of one server share, which is all that a connection need not have itself."""

from __future__ import annotations

from typing import Any

from headwater.limits import READ_BUFFER_BYTES, SEND_PIECE_BYTES
from headwater.raw import alloc
from headwater.resp.reply import Reply
from headwater.resp.request import Request
from headwater.server.gate import Gate
from headwater.server.turns import Turns


class Shared:
    """What the connections of one server share: buffers, limits, and the loop's hooks.

    While `limits_output` is set, `on_output(connection, more)` is asked before so many bytes are
    added to the output of a connection; it may close it.
    """

    __slots__ = (
        "gate",
        "limits_output",
        "loop",
        "max_bulk_bytes",
        "max_query_bytes",
        "on_gone",
        "on_new",
        "on_output",
        "on_pushed",
        "on_stalled",
        "read_buffer",
        "reply",
        "request",
        "turns",
    )

    def __init__(
        self, loop: Any, gate: Gate, on_new: Any, on_gone: Any, on_stalled: Any, on_pushed: Any
    ) -> None:
        self.limits_output = False
        self.on_output: Any = None
        self.loop = loop
        self.gate = gate
        self.turns = Turns(loop, SEND_PIECE_BYTES)
        self.read_buffer = alloc(READ_BUFFER_BYTES)
        self.reply = Reply()
        self.request = Request()
        self.max_bulk_bytes = 512 * 1024 * 1024
        self.max_query_bytes = 1024 * 1024 * 1024
        self.on_new = on_new
        self.on_gone = on_gone
        self.on_stalled = on_stalled
        self.on_pushed = on_pushed
