"""Programs that tests run beside a server, and what they print, line by line."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from types import TracebackType

LINE_SECONDS = 30


class Program:
    """A running program; ends with the `with` block at the latest."""

    def __init__(
        self, command: Sequence[str], environment: dict[str, str] | None = None, cwd: str = "."
    ) -> None:
        self.command = list(command)
        self.lines: list[str] = []
        self._rest = b""
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env={**(environment or os.environ), "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def kill(self) -> None:
        """End the program at once, and all that it has started: nothing of it sees it coming."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def expect(self, text: str, seconds: float = LINE_SECONDS) -> str:
        """The next line with `text` in it; AssertionError with all output when it does not come."""
        for line in self._lines(seconds):
            if text in line:
                return line
        raise AssertionError(
            f"{' '.join(self.command)!r} (status {self.process.poll()}) did not print {text!r}; "
            "it printed:\n" + "\n".join(self.lines)
        )

    def finish(self, seconds: float = LINE_SECONDS) -> str:
        """Wait for the end, which must be a good one, and return all output."""
        for _ in self._lines(seconds):
            pass
        status = self.process.wait(seconds)
        output = "\n".join(self.lines)
        assert status == 0, f"{' '.join(self.command)!r} ended with {status}:\n{output}"
        return output

    def _lines(self, seconds: float) -> Iterator[str]:
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        deadline = time.monotonic() + seconds
        while True:
            while b"\n" in self._rest:
                line, self._rest = self._rest.split(b"\n", 1)
                self.lines.append(line.decode("utf-8", "replace"))
                yield self.lines[-1]
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                return
            data = b""
            with contextlib.suppress(OSError):
                data = os.read(descriptor, 65536)
            if not data:
                if self._rest:
                    self.lines.append(self._rest.decode("utf-8", "replace"))
                    self._rest = b""
                    yield self.lines[-1]
                return
            self._rest += data
