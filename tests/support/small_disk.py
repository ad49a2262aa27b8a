"""A small file system of its own for a test: a tmpfs, which needs root and the right to mount."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

MOUNT_SECONDS = 20


class SmallDisk:
    """A tmpfs of `size_bytes` on `path`, mounted until `unmount`. OSError when it cannot be."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self.path = path
        path.mkdir(exist_ok=True)
        if os.geteuid() != 0:
            raise OSError("mounting a file system needs root")
        self._run("mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "headwater-test", str(path))

    def free_bytes(self) -> int:
        """What is left for files."""
        facts = os.statvfs(self.path)
        return facts.f_bavail * facts.f_frsize

    def take(self, name: str, leave_bytes: int) -> Path:
        """Make a file that takes all space but `leave_bytes`."""
        path = self.path / name
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, self.free_bytes() - leave_bytes))
        return path

    def grow(self, size_bytes: int) -> None:
        """Let it be so big from now on."""
        self._run("mount", "-o", f"remount,size={size_bytes}", str(self.path))

    def make_read_only(self) -> None:
        """Nobody may write from now on; OSError while a file is open for writing."""
        self._run("mount", "-o", "remount,ro", str(self.path))

    def unmount(self) -> None:
        """Take the file system away, lazily if somebody still has a file of it."""
        self._run("umount", "-l", str(self.path))

    @staticmethod
    def _run(*command: str) -> None:
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=MOUNT_SECONDS)
        except FileNotFoundError as error:
            raise OSError(f"there is no {command[0]}") from error
        if done.returncode:
            raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
