"""Runs the blocks of one page in a directory of its own, and compares what happens with the page.

Guarantees: 127.0.0.1:6379 in the page is a server of this run alone, on a port that was free; what
was started has ended when `run_page` returns.
"""

from __future__ import annotations

import configparser
import contextlib
import importlib.util
import itertools
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from headwater.config import Config
from headwater.config.file import load_data

from .embedded import NOW_MS, Client, Embedded
from .page_child import MARK
from .page_ports import VARIABLE
from .pages import PROMPT, Block, blocks_of, kind_of
from .servers import free_port, start_headwater
from .shown import Shown, rendered
from .wire import Connection

BLOCK_SECONDS = 60
SERVER_SECONDS = 30
PORTS = (6379, 6380, 7000, 7001, 8000)
PROGRAMS = Path(__file__).parent / "page_programs"
STAYS = ("headwater serve", "headwater top", "uvicorn ", "faststream run", "taskiq ")
"""Commands that go on until somebody ends them: the rest of the page runs beside them."""

UNITS_MS = {"second": 1000, "minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
UNITS_MS["week"] = 7 * UNITS_MS["day"]


class PageError(AssertionError):
    """The page shows something else than what happens."""


def run_page(page: str, directory: Path) -> None:
    """Run all blocks of a page, in order; PageError says which one is wrong, and how."""
    run = PageRun(page, directory)
    try:
        for block in run.blocks:
            run.block(block)
    finally:
        run.close()


class PageRun:
    def __init__(self, page: str, directory: Path) -> None:
        self.blocks = blocks_of(page)
        self.directory = directory / "page"
        self.directory.mkdir()
        self.logs = directory
        self.ports = {port: free_port() for port in PORTS}
        self.shown = Shown()
        self.printed: str | None = None  # what the last block printed, for an `output` block
        self.prelude: list[str] = []  # `export` and `cd` of the blocks so far
        self.clients: dict[str, Client | Connection] = {}
        self.world: Embedded | None = None
        self.server: Any = None
        self.serving: subprocess.Popen[bytes] | None = None
        self.started: list[subprocess.Popen[bytes]] = []
        self.child: subprocess.Popen[str] | None = None
        self.later = ""
        self.environment = self._environment()

    def _environment(self) -> dict[str, str]:
        parts = [PROGRAMS, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        return {
            **os.environ,
            "PATH": os.pathsep.join(
                (str(PROGRAMS), str(Path(sys.executable).parent), os.environ["PATH"])
            ),
            "PYTHONPATH": os.pathsep.join(str(Path(part).resolve()) for part in parts if part),
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "HEADWATER_DOCS_PYTHON": sys.executable,
            "NO_COLOR": "1",
            "TERM": "dumb",
            "COLUMNS": "100",
            VARIABLE: ",".join(f"{shown}:{real}" for shown, real in self.ports.items()),
        }

    # --- what there is in a page ---

    def block(self, block: Block) -> None:
        """Run one block."""
        if "skip" in block.asks or "run by" in block.asks:
            return
        if "needs" in block.asks and importlib.util.find_spec(block.asks["needs"]) is None:
            return
        kind = kind_of(block)
        step = getattr(self, f"_{kind}", None)
        if step is None:
            said = kind or "no language"
            raise PageError(f"{block.place}: a block of {said}: nobody knows how to run it")
        if block.title and kind not in ("console", "sh", "session", "output"):
            path = self.directory / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text + "\n")
            if kind == "python" and self._is_named_later(block):
                return
        step(block)

    def _is_named_later(self, block: Block) -> bool:
        """Whether a command or an import of the page runs this file."""
        stem = Path(block.title).stem
        used = re.compile(rf"(?<![\w.])(?:{stem}\.py|{stem}:\w+|(?:import|from) {stem})\b")
        rest = self.blocks[self.blocks.index(block) + 1 :]
        return stem == "conftest" or any(
            used.search(other.text)
            for other in rest
            if kind_of(other) in ("console", "sh", "python", "run")
        )

    def _text(self, block: Block) -> None:
        words = block.text.split()
        if words and words[0] in ("$", "headwater", "pip", "redis-cli", "import", "from", "make"):
            raise PageError(f"{block.place}: this is no text but a program; say which language")

    def _toml(self, block: Block) -> None:
        tomllib.loads(block.text)

    def _ini(self, block: Block) -> None:
        configparser.ConfigParser().read_string(block.text)

    def _json(self, block: Block) -> None:
        json.loads(block.text)

    def _jsonl(self, block: Block) -> None:
        for line in block.text.split("\n"):
            json.loads(line)

    def _yaml(self, block: Block) -> None:
        yaml = pytest.importorskip("yaml")
        assert list(yaml.safe_load_all(block.text)) != [None], block.place

    def _conf(self, block: Block) -> None:
        """Directives: each is one that there is, with a value that it takes."""
        load_data(Config(), block.text.encode(), block.place, ())

    def _clock(self, block: Block) -> None:
        now_ms = int(datetime.fromisoformat(block.text).timestamp() * 1000)
        self.world = Embedded()
        self.world.clock.advance(now_ms - NOW_MS)
        self.clients.clear()

    def _passes(self, block: Block) -> None:
        self._pass(block.text, block.place)

    def _pass(self, words: str, place: str) -> None:
        found = re.fullmatch(r"(a|an|one|\d+) (\w+?)s?", words)
        if self.world is None or found is None or found[2] not in UNITS_MS:
            raise PageError(f"{place}: no clock of ours passes {words!r}")
        count = int(found[1]) if found[1].isdigit() else 1
        self.world.pass_ms(count * UNITS_MS[found[2]])

    def _output(self, block: Block) -> None:
        if self.printed is None:
            raise PageError(f"{block.place}: nothing ran above this output")
        self._compare(block, block.line, block.text, self.printed)
        self.printed = None

    def _compare(self, block: Block, line: int, shown: str, happened: str) -> None:
        varies = [words.strip() for words in block.asks.get("varies", "").split(" | ")]
        same = shown.rstrip() == happened.rstrip()
        if not same and self.world is None:
            same = self.shown.same(shown, happened, varies)
        if not same:
            raise PageError(
                f"{block.page}:{line} shows\n{_indented(shown)}\nbut this happens:\n"
                f"{_indented(happened)}"
            )

    # --- sessions of redis-cli ---

    def _session(self, block: Block) -> None:
        lines = block.text.split("\n")
        position = 0
        while position < len(lines):
            line = lines[position]
            place = block.line + position
            position += 1
            if happens := re.fullmatch(r"\((.+?)(?: (?:passes|pass)| is killed)\)", line.strip()):
                if line.strip().endswith("is killed)"):
                    self._end_client(happens[1])
                else:
                    self._pass(happens[1], f"{block.page}:{place}")
                continue
            found = PROMPT.fullmatch(line)
            if found is None:
                if line.strip():
                    raise PageError(f"{block.page}:{place}: {line!r} follows no command")
                continue
            begin = position
            while position < len(lines) and not self._ends_reply(lines[position]):
                position += 1
            shown = "\n".join(lines[begin:position]).rstrip()
            words = shlex.split(self.shown.real(found["command"]))
            if words[0] in ("exit", "quit"):
                continue
            happened = rendered(self._client(found["who"]).call(*words))
            if shown:
                self._compare(block, block.line + begin, shown, happened)
            elif happened.startswith("(error)"):
                raise PageError(f"{block.page}:{place}: {happened}")

    @staticmethod
    def _ends_reply(line: str) -> bool:
        return bool(
            PROMPT.fullmatch(line) or re.fullmatch(r"\(.+( pass(es)?| is killed)\)", line.strip())
        )

    def _client(self, who: str) -> Client | Connection:
        if self.world is not None:
            client = self.world.main if not who else self.clients.get(who)
            return self.clients.setdefault(who, client or self.world.connect())
        address = re.fullmatch(r"(?:127\.0\.0\.1|localhost):(\d+)", who)
        port = int(address[1]) if address else 6379
        if who not in self.clients:
            if port == 6379:
                self._need_server()
            self.clients[who] = Connection("127.0.0.1", self.ports[port])
        return self.clients[who]

    def _end_client(self, who: str) -> None:
        client = self.clients.pop(who)
        if isinstance(client, Client):
            client.session.close()
        else:
            client.close()

    def _need_server(self) -> None:
        """Start the server that stands for 127.0.0.1:6379, if the page has not."""
        if self.server is None and self.serving is None:
            directory = self.logs / "server"
            directory.mkdir()
            self.server = start_headwater(directory, port=self.ports[6379])

    # --- Python ---

    def _run(self, block: Block) -> None:
        printed = self.printed
        self._python(block)
        self.printed = printed

    def _pycon(self, block: Block) -> None:
        """What `python` shows of each statement after `>>> `."""
        lines = block.text.split("\n")
        position = 0
        while position < len(lines):
            begin = position
            source = [lines[position].removeprefix(">>> ")]
            position += 1
            while position < len(lines) and lines[position].startswith("..."):
                source.append(lines[position][4:])
                position += 1
            reply = position
            while position < len(lines) and not lines[position].startswith(">>> "):
                position += 1
            shown = "\n".join(lines[reply:position]).strip()
            text = "\n".join(source)
            with contextlib.suppress(SyntaxError):
                compile(text, block.page, "eval")
                text = f"print(repr(__last)) if (__last := ({text})) is not None else None"
            place = block.line + begin
            happened = self._execute(Block(block.page, place, "python", text, asks=block.asks))
            self._compare(block, place, shown, happened.rstrip())

    def _python(self, block: Block) -> None:
        if block.title.startswith("test_"):
            self._command(block, f"pytest -q {block.title}", block.line)
            return
        self.printed = self._execute(block)

    def _execute(self, block: Block) -> str:
        """Run a block in the page's namespace and return what it printed."""
        expected = {
            block.line + i: line.split(MARK, 1)[1].strip()
            for i, line in enumerate(block.text.split("\n"))
            if MARK in line
        }
        child = self._python_child()
        assert child.stdin is not None
        assert child.stdout is not None
        request = {"page": block.page, "line": block.line, "text": self.shown.real(block.text)}
        child.stdin.write(json.dumps(request) + "\n")
        child.stdin.flush()
        until = block.asks.get("until")
        printed = ""
        limit = threading.Timer(BLOCK_SECONDS, child.kill)
        limit.start()
        try:
            for line in child.stdout:
                told = json.loads(line)
                if "out" in told:
                    printed += told["out"]
                    if until is not None and until in printed:
                        until = None
                        child.send_signal(signal.SIGINT)
                elif "need" in told:
                    self._need_server()
                    child.stdin.write("\n")
                    child.stdin.flush()
                elif "line" in told:
                    if (shown := expected.pop(told["line"], None)) is not None:
                        self._compare(block, told["line"], shown, told["value"])
                else:
                    self._check_end(block, told, printed)
                    if expected:
                        raise PageError(f"{block.page}: no value came for lines {list(expected)}")
                    return printed
        finally:
            limit.cancel()
        raise PageError(
            f"{block.place}: the program did not end within {BLOCK_SECONDS} s, or died; "
            f"it printed\n{_indented(printed)}\n{(self.logs / 'python.log').read_text()[-4000:]}"
        )

    @staticmethod
    def _check_end(block: Block, told: dict[str, Any], printed: str) -> None:
        wanted = block.asks.get("raises")
        if told["ended"] == "raised":
            if wanted not in told["names"]:
                raise PageError(f"{block.place}: {told['trace']}\n{_indented(printed)}")
        elif wanted is not None:
            raise PageError(f"{block.place}: {wanted} was not raised")
        elif "until" in block.asks and block.asks["until"] not in printed:
            raise PageError(f"{block.place}: it ended, and printed only\n{_indented(printed)}")

    def _python_child(self) -> subprocess.Popen[str]:
        if self.child is None:
            environment = dict(self.environment)
            environment["PYTHONPATH"] += os.pathsep + str(Path(__file__).parents[1])
            self.child = subprocess.Popen(
                [sys.executable, "-m", "support.page_child"],
                cwd=self.directory,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=(self.logs / "python.log").open("ab"),
                text=True,
            )
        return self.child

    # --- commands ---

    def _sh(self, block: Block) -> None:
        text = re.sub(r"\\\n", "\\\\\0", block.text)
        lines = [line.replace("\0", "\n") for line in text.split("\n")]
        commands = [line for line in lines if line.strip() and not line.startswith("#")]
        printed = ""
        for i, command in enumerate(commands):
            last = i == len(commands) - 1
            printed += self._command(block, command, block.line, last)
        self.printed = printed

    def _console(self, block: Block) -> None:
        lines = block.text.split("\n")
        starts = [i for i, line in enumerate(lines) if line.startswith("$ ")]
        for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
            command = lines[start][2:]
            position = start + 1
            while command.endswith("\\"):
                command += "\n" + lines[position]
                position += 1
            line = block.line + position
            # `^C` is where a terminal shows the Ctrl-C of `until`
            shown = "\n".join(x for x in lines[position:end] if x != "^C").rstrip()
            if shown and PROMPT.fullmatch(lines[position]):  # redis-cli, and what is said to it
                self._session(Block(block.page, line, "redis", shown, asks=block.asks))
                continue
            happened = self._command(block, command, line, end == len(lines), shown)
            if shown and not command.startswith(STAYS):
                self._compare(block, line, shown, happened)

    def _command(
        self, block: Block, command: str, line: int, last: bool = True, shown: str = ""
    ) -> str:
        """Run a command of a shell and return what it printed."""
        place = f"{block.page}:{line}"
        command = self._with_ports(self.shown.real(command))
        if command.endswith("&") or command.startswith(STAYS):
            self._start(place, command.removesuffix("&"), shown)
            return ""
        self._need_server()
        script = "\n".join(["set -eo pipefail", *self.prelude, command])
        program = subprocess.Popen(
            ["bash", "-c", script],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        limit = threading.Timer(BLOCK_SECONDS, os.killpg, (program.pid, signal.SIGKILL))
        limit.start()
        printed = b""
        until = block.asks.get("until") if last else None
        assert program.stdout is not None
        try:
            while data := program.stdout.read1(65536):  # type: ignore[attr-defined]
                printed += data
                if until is not None and until in self._as_in_page(printed):
                    os.killpg(program.pid, signal.SIGINT)
                    until = ""
            status = program.wait()
        finally:
            limit.cancel()
        happened = self._as_in_page(printed)
        wanted = int(block.asks.get("exits", "0")) if last else 0
        if until != "" and status != wanted:
            raise PageError(f"{place}: {command} ended with {status}:\n{_indented(happened)}")
        if until:
            raise PageError(f"{place}: {command} did not print {until!r}:\n{_indented(happened)}")
        if re.match(r"(cd|export) ", command):
            self.prelude.append(command)
        return happened

    def _start(self, place: str, command: str, shown: str) -> None:
        """Start what goes on; a server answers, and has logged what is shown, on return."""
        serves = command.startswith("headwater serve")
        own = serves and not re.search(r"--(tls-)?port [1-9]", command)  # not one beside it
        if own:
            self._stop_server()
        log = self.logs / f"started-{len(self.started)}.log"
        script = "\n".join([*self.prelude, f"exec {command}"])
        program = subprocess.Popen(
            ["bash", "-c", script],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=log.open("wb"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.started.append(program)
        if own:
            self.serving = program
        deadline = time.monotonic() + SERVER_SECONDS
        words = [*command.split(), "--port", str(self.ports[6379])]
        pairs = reversed([*itertools.pairwise(words)])  # the first of a name wins
        named = {word: int(value) for word, value in pairs if word.endswith("port")}
        port = named["--port"] or named.get("--tls-port", 0)
        wanted = [line for line in shown.split("\n") if line.strip()]
        while True:
            text = self._as_in_page(log.read_bytes())
            lines = text.split("\n")
            missing = [one for one in wanted if not any(self.shown.same(one, x) for x in lines)]
            if not missing and (not serves or _answers(port, tls=not named["--port"])):
                return
            if program.poll() is not None or time.monotonic() > deadline:
                raise PageError(
                    f"{place}: {command} did not come up, {missing}:\n{_indented(text)}"
                )
            time.sleep(0.02)

    def _with_ports(self, text: str) -> str:
        return re.sub(
            r"\b(?:" + "|".join(map(str, self.ports)) + r")\b",
            lambda found: str(self.ports[int(found[0])]),
            text,
        )

    def _as_in_page(self, data: bytes) -> str:
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data.decode("utf-8", "replace"))
        for shown, real in self.ports.items():
            text = text.replace(str(real), str(shown))
        return text.replace(str(self.directory), "/home/you")

    def _stop_server(self) -> None:
        for client in self.clients.values():
            if isinstance(client, Connection):
                client.close()
        self.clients.clear()
        if self.server is not None:
            self.server.stop()
        if self.serving is not None:
            _end(self.serving)
        self.server = self.serving = None

    def close(self) -> None:
        """End all that the page started."""
        if self.child is not None:
            assert self.child.stdin is not None
            assert self.child.stdout is not None
            self.child.stdin.close()
            try:
                self.child.wait(SERVER_SECONDS)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
            self.child.stdout.close()
        for program in self.started:
            _end(program)
        self._stop_server()


def _end(program: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(program.pid, signal.SIGTERM)
    try:
        program.wait(SERVER_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(program.pid, signal.SIGKILL)
        program.wait()


def _answers(port: int, tls: bool) -> bool:
    with contextlib.suppress(OSError, EOFError):
        if tls:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        with Connection("127.0.0.1", port) as connection:
            reply = connection.call("PING")
            return reply[0] != "-" or not reply[1].startswith(b"LOADING")
    return False


def _indented(text: str) -> str:
    return "\n".join("    " + line for line in text.rstrip("\n").split("\n"))
