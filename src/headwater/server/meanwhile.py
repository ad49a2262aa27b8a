"""Serving clients in the middle of another one's request: while a script runs for too long.

They are told that the server is busy, and one of them may end the script. All connections share
a read buffer, a Request and a Reply, which are in use by the request that is not done: what they
hold is put aside and back. So are the time, which must not pass for the script, and the readers
that its writes have made ready. Replies need not wait for the journal, since nothing that may run
now shows or changes data; messages that the request has caused wait for its end.
"""

from __future__ import annotations

from collections.abc import Callable

from headwater.commands.state import ServerState
from headwater.server.shared import Shared


def serve_meanwhile(turn: Callable[[], None], shared: Shared, state: ServerState) -> None:
    """Call `turn`, which serves all clients who are ready but the one whose request is executed."""
    gate, reply, request, keyspace = shared.gate, shared.reply, shared.request, state.keyspace
    input_ = bytes(shared.read_buffer)
    buf, wellformed = request.buf, request.wellformed
    spans = [(request.start(i), request.length(i)) for i in range(request.argc)]
    parts, resp3 = reply.parts, reply.resp3
    reply.parts = []
    written = reply.take()
    ready, keyspace.ready = keyspace.ready, []
    commit, gate.commit = gate.commit, None
    failing, gate.failing = gate.failing, True
    gate.meanwhile = True
    at_us, now_ms, touch = state.at_us, state.clock.now_ms, keyspace.touch
    try:
        turn()
    finally:
        shared.read_buffer[:] = input_
        request.clear()
        request.buf = buf
        for start, length in spans:
            request.push(start, length)
        request.wellformed = wellformed
        reply.clear()
        reply.parts = parts
        reply.raw_bytes(written)
        reply.resp3 = resp3
        keyspace.ready = ready
        gate.commit = commit
        gate.failing = failing
        gate.meanwhile = False
        state.at_us = at_us
        state.clock.now_ms = now_ms
        keyspace.touch = touch
