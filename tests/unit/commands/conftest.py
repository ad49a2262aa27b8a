"""Fixtures of the tests of commands."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.servers import Server
from support.wire import Connection


@pytest.fixture(scope="module")
def reference_module(redis_server: Server) -> Iterator[Connection]:
    """One connection to the redis-server, for the texts of errors; it speaks RESP2."""
    connection = redis_server.connect()
    yield connection
    connection.close()
