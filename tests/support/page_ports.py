"""Ports that a page names, and those that stand for them while its programs run.

The programs themselves import it, through `sitecustomize`, so it needs the standard library
only. HEADWATER_DOCS_PORTS has pairs such as `6379:40123`.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any

VARIABLE = "HEADWATER_DOCS_PORTS"


def port_table() -> dict[int, int]:
    """The port that stands for each port of the page."""
    pairs = [pair.split(":") for pair in os.environ.get(VARIABLE, "").split(",") if pair]
    return {int(shown): int(real) for shown, real in pairs}


def redirect(before_connect: Callable[[int], None] | None = None) -> None:
    """From here on sockets of this process use the ports that stand for those of the page.

    `before_connect` is told the page's port first, unless this process listens on it itself.
    """
    table = port_table()
    if not table:
        return
    own: set[int] = set()

    def moved(address: Any, connecting: bool) -> Any:
        if isinstance(address, tuple) and len(address) >= 2 and address[1] in table:
            if not connecting:
                own.add(address[1])
            elif before_connect is not None and address[1] not in own:
                before_connect(address[1])
            return (address[0], table[address[1]], *address[2:])
        return address

    plain = socket.socket
    connect, connect_ex, bind = plain.connect, plain.connect_ex, plain.bind

    def new_connect(self: socket.socket, address: Any) -> None:
        return connect(self, moved(address, True))

    def new_connect_ex(self: socket.socket, address: Any) -> int:
        return connect_ex(self, moved(address, True))

    def new_bind(self: socket.socket, address: Any) -> None:
        return bind(self, moved(address, False))

    open_connection = asyncio.open_connection

    async def new_open_connection(host: Any = None, port: Any = None, **more: Any) -> Any:
        # uvloop makes its sockets itself
        return await open_connection(host, moved((host, port), True)[1], **more)

    asyncio.open_connection = new_open_connection
    plain.connect = new_connect  # type: ignore[method-assign]
    plain.connect_ex = new_connect_ex  # type: ignore[method-assign]
    plain.bind = new_bind  # type: ignore[method-assign]
