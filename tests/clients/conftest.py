"""What client tests need: packages of Python and Node, and a server that crashes."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from support import servers
from support.servers import Server

HERE = Path(__file__).parent
CACHE = HERE.parent.parent / ".cache"
INSTALL_SECONDS = 240


def _installed(folder: Path) -> dict[str, str]:
    """Environment in which Node finds what `folder`'s lock file says; installed once for each."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("NODE CLIENTS ARE NOT TESTED: node and npm are not on this machine")
    lock = folder / "package-lock.json"
    target = CACHE / f"{folder.name}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "node.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not (target / "complete").exists():
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir()
            for name in ("package.json", "package-lock.json"):
                shutil.copy(folder / name, target / name)
            subprocess.run(
                ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
                cwd=target,
                check=True,
                timeout=INSTALL_SECONDS,
            )
            (target / "complete").touch()
    return {**os.environ, "NODE_PATH": str(target / "node_modules")}


@pytest.fixture(scope="session")
def node_environment() -> dict[str, str]:
    """Environment in which Node finds the pinned clients and socket.io's packages."""
    return _installed(HERE / "node")


@pytest.fixture(scope="session")
def moleculer_environment() -> dict[str, str]:
    """The same for moleculer, which wants an older ioredis and so has packages of its own."""
    return _installed(HERE / "node-moleculer")


@pytest.fixture(scope="session")
def framework() -> Callable[[str], None]:
    """A function that skips, audibly, unless the Python framework with this module is installed."""

    def require(module: str) -> None:
        if importlib.util.find_spec(module) is None:
            pytest.skip(
                f"{module.upper()} IS NOT TESTED: `make .venv/group-frameworks` installs it"
            )

    return require


@pytest.fixture(params=[(2, False), (2, True), (3, False), (3, True)], ids=str)
def client(request: pytest.FixtureRequest, headwater: Server) -> Iterator[Any]:
    """redis-py's client in both protocols, decoding and not."""
    protocol, decode = request.param
    with redis.Redis(
        host="127.0.0.1",
        port=headwater.port,
        protocol=protocol,
        decode_responses=decode,
        client_name="tests",
    ) as connected:
        yield connected


class CrashingServer:
    """A server of one test that crashes and comes back where it was, with its data."""

    FLAGS = ("--appendonly", "yes")

    def __init__(self, directory: Path) -> None:
        self.server = servers.start_subject(directory, *self.FLAGS)
        self.port = self.server.port

    def crash(self) -> None:
        """kill -9, and a new process on the same port that has loaded what the old one wrote."""
        self.server.kill()
        self.server.stop()
        self.server = servers.start_subject(self.server.directory, *self.FLAGS, port=self.port)


@pytest.fixture
def crashing(tmp_path: Path) -> Iterator[CrashingServer]:
    directory = tmp_path / "crashing"
    directory.mkdir()
    running = CrashingServer(directory)
    yield running
    running.server.stop()
