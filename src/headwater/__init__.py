"""Headwater: an event-stream server and library for Python that speaks Redis Streams.

This file is never compiled: with HEADWATER_PURE=1 in the environment it makes the package's
own folder load from `.py` files alone, so that one installation serves both modes.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.machinery import FileFinder, SourceFileLoader
from typing import TYPE_CHECKING, Any

from headwater._version import __version__

if TYPE_CHECKING:
    from headwater import aio as aio
    from headwater.embedded.api import connect as connect
    from headwater.embedded.api import open as open  # noqa: A004 - it is headwater.open
    from headwater.embedded.engine import Engine as Engine
    from headwater.errors import HeadwaterError as HeadwaterError
    from headwater.errors import StoreClosed as StoreClosed
    from headwater.errors import StoreError as StoreError
    from headwater.errors import StoreInUse as StoreInUse

__all__ = [
    "Engine",
    "HeadwaterError",
    "StoreClosed",
    "StoreError",
    "StoreInUse",
    "__version__",
    "aio",
    "connect",
    "mode",
    "open",
]

_HOMES = {
    "Engine": "headwater.embedded.engine",
    "HeadwaterError": "headwater.errors",
    "StoreClosed": "headwater.errors",
    "StoreError": "headwater.errors",
    "StoreInUse": "headwater.errors",
    "connect": "headwater.embedded.api",
    "open": "headwater.embedded.api",
}
"""Where the public names are: a module is imported when a name of it is asked for."""


def _source_only(path: str) -> FileFinder:
    if not path.startswith(__path__[0]):
        raise ImportError
    return FileFinder(path, (SourceFileLoader, [".py"]))


if os.environ.get("HEADWATER_PURE", "") not in ("", "0"):
    sys.path_hooks.insert(0, _source_only)
    sys.path_importer_cache.pop(__path__[0], None)


def __getattr__(name: str) -> Any:
    if name == "aio":
        return import_module("headwater.aio")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'headwater' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def mode() -> str:
    """Return "compiled" or "interpreted": how the hot modules of this process run."""
    from headwater import raw

    return "interpreted" if (raw.__file__ or "").endswith(".py") else "compiled"
