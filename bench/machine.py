"""What the figures were made on: one short paragraph under every table."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from bench.disk import data_root, file_system
from bench.servers import Launch


def describe(launches: tuple[Launch, ...], server_core: int, load_core: int) -> dict[str, str]:
    """Machine, kernel, interpreter, the servers' versions and the cores used, as name -> text."""
    return {
        "cpu": f"{_cpu_model()}, {os.cpu_count()} cores",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "data": file_system(data_root()),
        "cores": f"servers on core {server_core}, load on core {load_core}",
        **{launch.label: launch.version() for launch in launches},
    }


def _cpu_model() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.machine()
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
