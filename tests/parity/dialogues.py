"""Recorded dialogues: what clients said to a real Redis and what it answered, played again.

A file holds one dialogue a line (JSON, xz-compressed): `name`, `resp` (2 or 3) and `steps`:

    {"cmd": words, "reply": R}             say it on connection "a" (or `conn`) and compare
    {"conn": "b", "send": words}           say it without reading an answer
    {"conn": "b", "waits": true}           the connection is blocked: no answer is there
    {"conn": "b", "read": R}               the answer to what was sent before
    {"sleep": ms}

R is one pair of RESP type and value as in `support.wire` (text as Latin-1); {"any": kinds} accepts
any value of these types. "{{idN}}" stands for an ID that the server chose: bound when first seen.
"""

from __future__ import annotations

import json
import lzma
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.pair import is_blocked
from support.servers import Server
from support.wire import Connection, Reply

FOLDER = Path(__file__).parent.parent / "data" / "dialogues"
BLOCKED_SECONDS = 10


@dataclass(frozen=True)
class Dialogue:
    name: str
    resp: int
    steps: list[dict[str, Any]]

    def commands(self) -> set[str]:
        """Names of all commands that are said in it."""
        words = (step.get("cmd") or step.get("send") for step in self.steps)
        return {line[0].upper() for line in words if line}

    def until(self, known: Callable[[str], bool]) -> Dialogue:
        """The dialogue up to the first command that `known` refuses."""
        for number, step in enumerate(self.steps):
            words = step.get("cmd") or step.get("send")
            if words and not known(words[0].upper()):
                return Dialogue(self.name, self.resp, self.steps[:number])
        return self


def load(name: str) -> list[Dialogue]:
    with lzma.open(FOLDER / f"{name}.jsonl.xz", "rt", encoding="utf-8") as lines:
        return [Dialogue(**json.loads(line)) for line in lines]


class DifferenceError(AssertionError):
    """The first step of a dialogue whose answer is another one."""

    def __init__(
        self, dialogue: Dialogue, number: int, said: list[str], want: object, got: object
    ) -> None:
        super().__init__(
            f"dialogue {dialogue.name} (RESP{dialogue.resp}), step {number}\n"
            f"  said: {said}\n  want: {want}\n  got:  {got}"
        )


def play(dialogue: Dialogue, server: Server) -> None:
    """Empty the server, say the dialogue, raise DifferenceError at the first other answer."""
    _Player(dialogue, server).play()


class _Player:
    def __init__(self, dialogue: Dialogue, server: Server) -> None:
        self.dialogue = dialogue
        self.server = server
        self.connections: dict[str, Connection] = {}
        self.said: dict[str, list[str]] = {}
        self.ids: dict[str, bytes] = {}
        self.watcher = server.connect()
        self.watcher.ok("FLUSHALL")

    def play(self) -> None:
        for number, step in enumerate(self.dialogue.steps):
            if "sleep" in step:
                time.sleep(step["sleep"] / 1000)
                continue
            name = step.get("conn", "a")
            try:
                want, got = self._step(name, step)
            except (OSError, EOFError) as error:
                self.server.check_alive()
                raise self._difference(number, name, step, repr(error)) from error
            if not self._same(want, got):
                raise self._difference(number, name, want, got)

    def _difference(self, number: int, name: str, want: object, got: object) -> DifferenceError:
        return DifferenceError(self.dialogue, number, self.said.get(name, []), want, got)

    def _step(self, name: str, step: dict[str, Any]) -> tuple[Any, Any]:
        """What is wanted and what came; a pair of equals where nothing is to be compared."""
        connection = self._connection(name)
        if step.get("waits"):
            return {"any": ["waits"]}, self._waits(connection)
        words = step.get("cmd") or step.get("send")
        if words:
            self.said[name] = [self._fill(word) for word in words]
            connection.send(*self.said[name])
        if "send" in step:
            return {"any": ["sent"]}, ("sent", None)
        return step.get("reply") or step["read"], connection.read()

    def _connection(self, name: str) -> Connection:
        if name not in self.connections:
            self.connections[name] = self.server.connect()
            self.connections[name].hello(self.dialogue.resp)
        return self.connections[name]

    def _waits(self, connection: Connection) -> Reply:
        """("waits", ...) once the server says that the client is blocked, else its answer."""
        deadline = time.monotonic() + BLOCKED_SECONDS
        while time.monotonic() < deadline:
            if connection.has_data():
                return connection.read()
            if is_blocked(self.watcher, connection.id) and not connection.has_data():
                return "waits", None
            time.sleep(0.0005)
        return "neither blocked nor answered", BLOCKED_SECONDS

    def _fill(self, word: str) -> str:
        bare = word.removeprefix("(")
        if bare in self.ids:
            return word.replace(bare, self.ids[bare].decode())
        return word

    def _same(self, want: dict[str, Any], got: Reply) -> bool:
        (kind, value), (other, actual) = next(iter(want.items())), got
        if kind == "any":
            return other in value
        if kind != other:
            return False
        if kind == "$" and value.startswith("{{id"):
            return self.ids.setdefault(value, actual) == actual
        if kind in "*~>":
            return len(value) == len(actual) and all(map(self._same, value, actual))
        if kind == "%":
            return len(value) == len(actual) and all(
                self._same(key, got_key) and self._same(item, got_item)
                for (key, item), (got_key, got_item) in zip(value, actual, strict=True)
            )
        if isinstance(actual, bytes):
            return bool(value.encode("latin-1") == actual)
        return bool(value == actual)
