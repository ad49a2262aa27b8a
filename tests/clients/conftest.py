"""What the client tests need beside a server: the Node packages, and the programs' output."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

NODE_FOLDER = Path(__file__).parent / "node"
CACHE = Path(__file__).parent.parent.parent / ".cache"
INSTALL_SECONDS = 240


@pytest.fixture(scope="session")
def node_environment() -> dict[str, str]:
    """Environment in which Node finds the pinned clients; installs them once per lock file."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("NODE CLIENTS ARE NOT TESTED: node and npm are not on this machine")
    lock = NODE_FOLDER / "package-lock.json"
    folder = CACHE / f"node-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "node.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for name in ("package.json", "package-lock.json"):
                shutil.copy(NODE_FOLDER / name, folder / name)
            subprocess.run(
                ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
                cwd=folder,
                check=True,
                timeout=INSTALL_SECONDS,
            )
            (folder / "complete").touch()
    return {**os.environ, "NODE_PATH": str(folder / "node_modules")}
