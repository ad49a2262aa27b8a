"""Fixtures of every test: the server under test, the redis-server beside it, private ones."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from support import servers
from support.certificates import Certificates
from support.servers import Server

_COMMON = {
    "deadline": None,
    "database": None,
    "suppress_health_check": list(HealthCheck),
    "print_blob": False,
}
settings.register_profile("default", settings(derandomize=True, **_COMMON))
settings.register_profile("explore", settings(derandomize=False, **_COMMON))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_report_header(config: pytest.Config) -> list[str]:
    import headwater

    binary = servers.redis_binary()
    reference = "none found: comparisons are skipped"
    if binary:
        reference = ".".join(map(str, servers.redis_version(binary)))
    header = [f"headwater {headwater.__version__}, {headwater.mode()}; redis-server {reference}"]
    if os.environ.get("HEADWATER_TEST_SUBJECT", "") == "redis":
        header.append("the subject of the tests is the redis-server itself")
    return header


StartServer = Callable[..., Server]

DEBUG_FLAGS = ("--enable-debug-command", "yes")


@pytest.fixture(scope="session")
def headwater_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = servers.start_subject(tmp_path_factory.mktemp("headwater"), *DEBUG_FLAGS)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """An authority with a server's and a client's certificate."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def redis_binary() -> str:
    binary = servers.redis_binary()
    if binary is None:
        pytest.skip("no redis-server on this machine to compare with")
    return binary


@pytest.fixture(scope="session")
def redis_server(redis_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = servers.start_redis(redis_binary, tmp_path_factory.mktemp("redis"), *DEBUG_FLAGS)
    yield server
    server.stop()


@pytest.fixture
def headwater(headwater_server: Server) -> Iterator[Server]:
    """The shared Headwater server, emptied; connections made through it end with the test."""
    yield from _emptied(headwater_server)


@pytest.fixture
def reference(redis_server: Server) -> Iterator[Server]:
    """The shared redis-server, emptied."""
    yield from _emptied(redis_server)


def _emptied(server: Server) -> Iterator[Server]:
    server.check_alive()
    server.connect().ok("FLUSHALL")
    yield server
    server.close_connections()
    server.check_alive()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartServer]:
    """A function that starts a private Headwater with the given flags for this test alone."""
    started: list[Server] = []

    def run(*flags: str, port: int = 0) -> Server:
        directory = tmp_path / f"headwater-{len(started)}"
        directory.mkdir()
        server = servers.start_subject(directory, *flags, port=port)
        started.append(server)
        return server

    yield run
    for server in started:
        server.stop()


@pytest.fixture
def start_reference(redis_binary: str, tmp_path: Path) -> Iterator[StartServer]:
    """A function that starts a private redis-server with the given flags for this test alone."""
    started: list[Server] = []

    def run(*flags: str, port: int = 0) -> Server:
        directory = tmp_path / f"redis-{len(started)}"
        directory.mkdir()
        server = servers.start_redis(redis_binary, directory, *flags, port=port)
        started.append(server)
        return server

    yield run
    for server in started:
        server.stop()
