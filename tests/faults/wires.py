"""Raw bytes to a server, and all that comes back until it has nothing more to say."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable

from support.pair import NO_ARGUMENTS
from support.servers import Server
from support.wire import Connection

Pieces = Iterable[bytes]


def talk(server: Server, *pieces: bytes, setup: Pieces = (), barrier: bool = False) -> bytes:
    """Send `pieces`, close the sending side, and return every byte of the answer.

    With `barrier` the server has read a piece before the next is sent. `setup` requests come
    first, their answers are not returned.
    """
    with Connection("127.0.0.1", server.port) as connection:
        for request in setup:
            connection.send_raw(request)
            connection.read()
        with contextlib.suppress(OSError):
            for number, piece in enumerate(pieces):
                if barrier and number:
                    answers(server)
                connection.send_raw(piece)
            connection.sock.shutdown(socket.SHUT_WR)
        answer = connection.read_rest()
    if server.kind == "redis":
        # Redis 8.10 says less about an unknown command without arguments than the reference.
        answer = answer.replace(NO_ARGUMENTS + b"\r\n", b"\r\n")
    return answer


def answers(server: Server) -> None:
    """The server is alive and serves another client."""
    server.check_alive()
    with Connection("127.0.0.1", server.port) as bystander:
        reply = bystander.call("PING")
        assert reply[0] in "+-", reply
