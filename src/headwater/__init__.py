"""Headwater: an event-stream server and library for Python that speaks Redis Streams.

This file is never compiled: with HEADWATER_PURE=1 in the environment it makes the package's
own folder load from `.py` files alone, so that one installation serves both modes.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import FileFinder, SourceFileLoader

from headwater._version import __version__

__all__ = ["__version__", "mode"]


def _source_only(path: str) -> FileFinder:
    if not path.startswith(__path__[0]):
        raise ImportError
    return FileFinder(path, (SourceFileLoader, [".py"]))


if os.environ.get("HEADWATER_PURE", "") not in ("", "0"):
    sys.path_hooks.insert(0, _source_only)
    sys.path_importer_cache.pop(__path__[0], None)


def mode() -> str:
    """Return "compiled" or "interpreted": how the hot modules of this process run."""
    from headwater import raw

    return "interpreted" if (raw.__file__ or "").endswith(".py") else "compiled"
