"""A store in memory has nowhere to save to: what would, is refused in words instead of failing."""

from __future__ import annotations

from typing import Never

from headwater.config import Config
from headwater.engine import Engine
from headwater.errors import CommandError, StoreError
from headwater.persistence.saving import Saving

NOWHERE = "this store is in memory; for one on disk open it with a path: headwater.open(path)"


class _Unsaved(Saving):
    """The snapshots of a store that has none."""

    def save(self) -> Never:
        _refuse()

    def background_save(self, schedule: bool, in_exec: bool) -> Never:
        _refuse()

    def save_now(self) -> Never:
        _refuse()

    def reload(self, save: bool, flush: bool, merge: bool) -> Never:
        _refuse()


def check_config(config: Config) -> None:
    """Raise StoreError for a configuration that has a store in memory write files."""
    for name in ("appendonly", "save"):
        if _is_wanted(config, name):
            raise StoreError(f"config: {name!r}: {NOWHERE}")


def refuse_saving(engine: Engine) -> None:
    """Have an engine that is never given a directory refuse what needs one."""
    persistence = engine.persistence
    config = engine.config
    persistence.saving = _Unsaved(persistence)
    for name in ("rewrite", "schedule_rewrite", "reload_journal"):
        setattr(persistence, name, _refuse)
    config.on_change("appendonly", lambda: NOWHERE if _is_wanted(config, "appendonly") else None)
    config.on_change("save", lambda: NOWHERE if _is_wanted(config, "save") else None)


def _is_wanted(config: Config, name: str) -> bool:
    return bool(config.save_points) if name == "save" else config.get_bool(name)


def _refuse() -> Never:
    raise CommandError(f"ERR {NOWHERE}".encode())
