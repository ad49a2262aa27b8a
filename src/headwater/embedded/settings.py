"""The configuration of an embedded store: what `config=` may hold, and what it starts from."""

from __future__ import annotations

import os
from collections.abc import Mapping

from headwater.config import Config
from headwater.embedded.memory import check_config
from headwater.errors import StoreError

Setting = str | int | float | bool
Settings = Mapping[str, Setting]

_MEMORY = {"save": "", "appendonly": "no", "dbfilename": ""}
_DIRECTORY = {"save": "", "appendonly": "yes"}


def directives(settings: Settings | None) -> dict[str, str]:
    """The directives as a file has them: `appendfsync` or `APPEND_FSYNC`, True for yes.

    Raises StoreError for what is no value, and for `dir`, which is the store's path.
    """
    found: dict[str, str] = {}
    for name, value in (settings or {}).items():
        if not isinstance(name, str) or not isinstance(value, str | int | float):
            raise StoreError(f"config: {name!r}: {value!r} is not a directive with its value")
        directive = name.lower().replace("_", "-")
        if directive == "dir":
            raise StoreError("config: 'dir' is the path that the store is opened with")
        found[directive] = ("no", "yes")[value] if isinstance(value, bool) else str(value)
    return found


def make_config(path: str | None, given: Mapping[str, str]) -> Config:
    """The configuration of a store; raises ConfigError, StoreError for a wrong directive."""
    config = Config()
    config.place = "config"
    defaults = _MEMORY if path is None else {**_DIRECTORY, "dir": os.fspath(path)}
    for name, value in {**defaults, **given}.items():
        config.assign(name, value.split() if name == "user" else [value])
    if path is None:
        check_config(config)
    return config
