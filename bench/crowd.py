"""Clients that are connected and idle, held by a process of their own (python -m bench.crowd).

A process may open only so many files: thousands of connections to each server are more than the
load generator has room for beside its own.
"""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.wire import encode

_SPARE_FILES = 64
_READY = b"ready\n"
_PING, _PONG = encode(("PING",)), b"+PONG\r\n"


class CrowdError(RuntimeError):
    """The connections could not all be opened."""


@contextmanager
def crowd(port: int, count: int) -> Iterator[None]:
    """Within it `count` clients are connected, have been answered once, and stay silent."""
    if not count:
        yield
        return
    root = str(Path(__file__).resolve().parents[1])
    with subprocess.Popen(
        (sys.executable, "-m", "bench.crowd", str(port), str(count)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            if process.stdout.readline() != _READY:
                raise CrowdError(f"{count} clients could not connect")
            yield
        finally:
            process.stdin.close()  # it ends with its standard input


def allow_files(count: int) -> None:
    """Raise this process's limit of open files, and so its children's, as far as it may go."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + _SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _hold(port: int, count: int) -> None:
    allow_files(count)
    with ExitStack() as stack:
        socks = []
        for _ in range(count):
            socks.append(stack.enter_context(socket.create_connection(("127.0.0.1", port))))
            socks[-1].sendall(_PING)
        if any(sock.recv(len(_PONG)) != _PONG for sock in socks):
            return
        sys.stdout.buffer.write(_READY)
        sys.stdout.buffer.flush()
        sys.stdin.buffer.read()


if __name__ == "__main__":
    _hold(int(sys.argv[1]), int(sys.argv[2]))
