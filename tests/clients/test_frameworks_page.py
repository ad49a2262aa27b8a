"""docs/frameworks.md tells the versions that are pinned, and the tests that there are."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
BESIDE = ("fastapi", "httpx")  # what tests of other pages need
PAGE = (ROOT / "docs" / "frameworks.md").read_text()


def row(name: str) -> str:
    """What the table says of one package."""
    [found] = [line for line in PAGE.splitlines() if line.startswith("|") and name in line][:1]
    return found


def test_python_versions() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    told = 0
    for requirement in groups["frameworks"]:
        name, version = requirement.split("==")
        name = name.split("[")[0]
        if name in BESIDE:
            continue
        told += 1
        assert version in row("FastStream" if name == "faststream" else name), requirement
    assert told >= 6


def test_node_versions() -> None:
    for folder in ("node", "node-moleculer"):
        package = json.loads((ROOT / "tests" / "clients" / folder / "package.json").read_text())
        for name, version in package["dependencies"].items():
            assert version in PAGE, f"{name} {version}"


def test_the_tests_it_names_are_there() -> None:
    names = re.findall(r"`(test_[\w*]+\.py)`", PAGE)
    assert len(names) >= 9
    for name in names:
        assert list(Path(__file__).parent.glob(name)), name
