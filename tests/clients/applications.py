"""Frameworks' programs as tests see them: what they print, and what they leave on the server."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from support.programs import Program
from support.wire import Connection, Word

PROGRAMS = Path(__file__).parents[1] / "programs"
SECONDS = 30
HOUR_MS = 3_600_000


class AnyServer(Protocol):
    """A server, or one that crashes in between: what is the same is where it listens."""

    @property
    def port(self) -> int: ...


class Application(Program):
    """A program of tests/programs that prints a line of JSON for all that happens to it."""

    def __init__(
        self, name: str, *words: object, environment: dict[str, str] | None = None
    ) -> None:
        """`name` is a file of tests/programs, or -m, as for Python."""
        runner = "node" if name.endswith(".js") else sys.executable
        program = name if name == "-m" else str(PROGRAMS / name)
        super().__init__([runner, program, *map(str, words)], environment)
        self._told = 0

    def told(self) -> dict[str, Any]:
        """The next of these lines."""
        while True:
            while self._told < len(self.lines):
                line = self.lines[self._told]
                self._told += 1
                if line.startswith('{"kind"'):
                    found: dict[str, Any] = json.loads(line)
                    return found
            self.expect('{"kind"', SECONDS)

    def all_told(self, count: int) -> list[dict[str, Any]]:
        return [self.told() for _ in range(count)]

    def all_of(self, kind: str) -> list[dict[str, Any]]:
        """All that it has said so far of one kind."""
        lines = [json.loads(line) for line in self.lines if line.startswith('{"kind"')]
        return [line for line in lines if line["kind"] == kind]

    def pause(self) -> None:
        """Stop it where it is, its connections left as they are."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.killpg(self.process.pid, signal.SIGCONT)

    def end(self) -> None:
        """Ask it to end, as an operator would, and wait until it has."""
        self.process.send_signal(signal.SIGTERM)
        self.finish(SECONDS)


def until(condition: Callable[[], Any], what: str) -> Any:
    """What `condition` returns, once it is true; AssertionError when it does not become so."""
    deadline = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.005)
    return found


def ask(server: AnyServer, *words: Word, resp: int = 2) -> Any:
    """The plain value of a reply, asked for over a connection of its own."""
    with Connection("127.0.0.1", server.port, timeout=SECONDS) as connection:
        if resp != 2:
            connection.hello(resp)
        return connection.ok(*words)


def pending_count(server: AnyServer, stream: str, group: str) -> int:
    return int(ask(server, "XPENDING", stream, group)[0])


def wait_acknowledged(server: AnyServer, stream: str, group: str) -> None:
    """Return once nothing of the group is pending."""
    until(
        lambda: pending_count(server, stream, group) == 0,
        f"the acknowledgements of {group} in {stream}",
    )


def abandon(server: AnyServer, stream: str, group: str) -> int:
    """Let it be an hour ago that what is pending was delivered; returns how much that is."""
    rows = ask(server, "XPENDING", stream, group, "-", "+", 1000)
    for entry_id, consumer, _, _ in rows:
        ask(server, "XCLAIM", stream, group, consumer, 0, entry_id, "IDLE", HOUR_MS, "JUSTID")
    return len(rows)


def of_kind(told: Iterable[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Those of one kind, without the word."""
    lines = [line for line in told if line["kind"] == kind]
    return [{name: value for name, value in line.items() if name != "kind"} for line in lines]
