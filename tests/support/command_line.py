"""`headwater ...` as tests run it: in this process, in a process of its own, or on a terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterable
from dataclasses import dataclass
from fcntl import ioctl
from types import TracebackType

from click.testing import CliRunner

from headwater.cli.group import group

COMMAND = (sys.executable, "-m", "headwater")
SECONDS = 30
_VARIABLES = (
    "HEADWATER_URL",
    "HEADWATER_PASSWORD",
    "HEADWATER_RICH",
    "NO_COLOR",
    "COLUMNS",
    "LINES",
)
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>]")


@dataclass
class Done:
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


def run(*words: str | bytes, url: str = "", environment: dict[str, str] | None = None) -> Done:
    """Run a command in this process, not on a terminal."""
    variables: dict[str, str | None] = dict.fromkeys(_VARIABLES)
    if url:
        variables["HEADWATER_URL"] = url
    variables.update(environment or {})
    arguments = [os.fsdecode(word) for word in words]
    result = CliRunner().invoke(group, arguments, prog_name="headwater", env=variables)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


def clean_environment(url: str = "", **more: str) -> dict[str, str]:
    """This process's environment for a command of its own, the package importable in it."""
    environment = {name: value for name, value in os.environ.items() if name not in _VARIABLES}
    environment["PYTHONPATH"] = os.pathsep.join(os.path.abspath(part) for part in sys.path if part)
    if url:
        environment["HEADWATER_URL"] = url
    return {**environment, **more}


def run_alone(*words: str, url: str = "", stdin: str = "", **more: str) -> Done:
    """Run a command in a process of its own, its output in pipes."""
    done = subprocess.run(
        [*COMMAND, *words],
        input=stdin,
        capture_output=True,
        text=True,
        env=clean_environment(url, **more),
        timeout=SECONDS,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


class Terminal:
    """A command on a pseudo-terminal of its own; ends with the `with` block at the latest."""

    def __init__(
        self,
        words: Iterable[str],
        url: str = "",
        columns: int = 80,
        lines: int = 24,
        command: Iterable[str] = COMMAND,
        **more: str,
    ) -> None:
        self.words = [*command, *words]
        self.output = ""
        self._taken = 0
        self._descriptor, inner = pty.openpty()
        self.resize(columns, lines)
        environment = clean_environment(url, TERM="xterm-256color", LC_ALL="C.UTF-8")
        environment.update(more)
        self.process = subprocess.Popen(
            self.words,
            stdin=inner,
            stdout=inner,
            stderr=inner,
            env=environment,
            preexec_fn=_take_terminal,
            start_new_session=True,
        )
        os.close(inner)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._descriptor)

    def resize(self, columns: int, lines: int) -> None:
        """Give the terminal another size; the program is told by the kernel."""
        ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    @property
    def text(self) -> str:
        """All output so far without escape sequences, line ends as `\\n`."""
        return _ESCAPE.sub("", self.output).replace("\r\n", "\n")

    def press(self, keys: str) -> None:
        """Type; "\\x03" is Ctrl-C."""
        os.write(self._descriptor, keys.encode())

    def expect(self, text: str, seconds: float = SECONDS) -> str:
        """Wait until `text` comes behind what was expected before; the text up to its end."""
        deadline = time.monotonic() + seconds
        while True:
            whole = self.text
            found = whole.find(text, self._taken)
            if found >= 0:
                begin, self._taken = self._taken, found + len(text)
                return whole[begin : self._taken]
            if not self._read(deadline):
                raise AssertionError(
                    f"{' '.join(self.words)!r} (status {self.process.poll()}) did not print "
                    f"{text!r}; it printed:\n{whole}"
                )

    def finish(self, seconds: float = SECONDS) -> int:
        """Wait for the end; the exit status. All output is in `text`."""
        deadline = time.monotonic() + seconds
        while self._read(deadline):
            pass
        return self.process.wait(max(0.1, deadline - time.monotonic()))

    def _read(self, deadline: float) -> bool:
        """Read what there is, or wait for it; whether there may be more."""
        ready, _, _ = select.select([self._descriptor], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:  # the program's end of it is closed
            return False
        self.output += data.decode("utf-8", "replace")
        return bool(data)


def _take_terminal() -> None:
    """In the new process: the pseudo-terminal is the one whose Ctrl-C reaches it."""
    ioctl(0, termios.TIOCSCTTY, 0)
