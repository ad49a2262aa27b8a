"""socket.io with its Redis adapters, unmodified: programs/socketio_*.js.

What docs/frameworks.md shows is what socketio_server.js does.
"""

from __future__ import annotations

import pytest

from clients.applications import Application
from clients.conftest import CrashingServer
from support.servers import Server

pytestmark = pytest.mark.frameworks

SCENARIO = "socketio_scenario.js"


@pytest.mark.parametrize("adapter", ["streams", "pubsub", "sharded"])
@pytest.mark.parametrize("library", ["redis", "ioredis"])
def test_two_servers(
    headwater: Server, node_environment: dict[str, str], library: str, adapter: str
) -> None:
    words = (SCENARIO, headwater.port, library, adapter)
    with Application(*words, environment=node_environment) as program:
        assert program.finish().endswith("done")


@pytest.mark.parametrize("library", ["redis", "ioredis"])
def test_a_crash_of_the_server(
    crashing: CrashingServer, node_environment: dict[str, str], library: str
) -> None:
    words = (SCENARIO, crashing.port, library, "streams", "crash")
    with Application(*words, environment=node_environment) as program:
        program.expect("crash me")
        crashing.crash()
        assert program.finish().endswith("done")
