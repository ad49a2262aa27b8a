"""`pytest` for pages: with Headwater's plugin, also where only its source is on the path."""

from __future__ import annotations

import importlib.metadata
import sys

import pytest

PLUGIN = "headwater.testing.plugin"


def main(words: list[str]) -> int:
    installed = {point.value for point in importlib.metadata.entry_points(group="pytest11")}
    plugin = [] if PLUGIN in installed else ["-p", PLUGIN]
    return pytest.main(["-p", "no:cacheprovider", "-p", "no:xdist", *plugin, *words])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
