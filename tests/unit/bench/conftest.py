"""Makes the repository's `bench` package importable, and opens a connection to a redis-server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from bench import servers
from bench.wire import Control


@pytest.fixture(scope="session")
def control(redis_binary: str) -> Iterator[Control]:
    """A control connection to a redis-server of these tests' own; cases prepare what they need.

    It is shared, as storing the orders takes longer than most of the tests.
    """
    with servers.Server(servers.redis(redis_binary), core=None) as server:
        yield server.control
