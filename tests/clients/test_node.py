"""ioredis and node-redis, unmodified."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.programs import Program
from support.servers import Server

PROGRAMS = Path(__file__).parents[1] / "programs"


def run(script: str, server: Server, environment: dict[str, str], *words: str) -> None:
    command = ["node", str(PROGRAMS / script), str(server.port), *words]
    with Program(command, environment) as program:
        assert program.finish().endswith("done")


def test_ioredis(headwater: Server, node_environment: dict[str, str]) -> None:
    run("ioredis_scenario.js", headwater, node_environment)


@pytest.mark.parametrize("resp", ["2", "3"])
def test_node_redis(headwater: Server, node_environment: dict[str, str], resp: str) -> None:
    run("node_redis_scenario.js", headwater, node_environment, resp)
