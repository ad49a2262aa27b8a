"""Where the servers' data lies while it is measured: on a disk, never in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

_IN_MEMORY = ("tmpfs", "ramfs")
_ELSEWHERE = "/var/tmp"


def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """A new folder that ends with the object."""
    return tempfile.TemporaryDirectory(prefix="bench-", dir=data_root())


def data_root() -> Path:
    """The usual place of temporary files, or _ELSEWHERE if that one lies in memory."""
    usual = Path(tempfile.gettempdir())
    return Path(_ELSEWHERE) if file_system(usual).startswith(_IN_MEMORY) else usual


def file_system(path: Path) -> str:
    """Kind and device of the file system that holds `path`: "ext4 on /dev/vda"."""
    absolute = path.resolve()
    found, depth = "unknown", -1
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        mounted = Path(before.split()[4])
        kind, device = after.split()[:2]
        if absolute.is_relative_to(mounted) and len(mounted.parts) >= depth:
            found, depth = f"{kind} on {device}", len(mounted.parts)
    return found
