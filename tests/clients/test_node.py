"""ioredis and node-redis, unmodified."""

from __future__ import annotations

import pytest

from clients.applications import Application
from support.servers import Server


def run(script: str, server: Server, environment: dict[str, str], *words: str) -> None:
    with Application(script, server.port, *words, environment=environment) as program:
        assert program.finish().endswith("done")


@pytest.mark.parametrize("part", ["scenario", "families"])
def test_ioredis(headwater: Server, node_environment: dict[str, str], part: str) -> None:
    run(f"ioredis_{part}.js", headwater, node_environment)


@pytest.mark.parametrize("resp", ["2", "3"])
@pytest.mark.parametrize("part", ["scenario", "families"])
def test_node_redis(
    headwater: Server, node_environment: dict[str, str], part: str, resp: str
) -> None:
    run(f"node_redis_{part}.js", headwater, node_environment, resp)
