"""The arguments of `headwater serve`, read as redis-server reads its own."""

from __future__ import annotations

from collections.abc import Sequence

from headwater.config import BY_NAME, Config, ConfigError, load_file, load_stdin
from headwater.config.file import INCLUDE, apply_directive
from headwater.config.store import USER

SAVE_WITHOUT_JOURNAL = "3600 1 300 100 60 10000"
"""Who switches the journal off and says nothing of snapshots gets them when Redis takes them."""


def read_arguments(arguments: Sequence[str]) -> Config | None:
    """Return the configuration of `[CONFIG_FILE|-] [--directive value ...]`.

    The file is read first, then the flags in their order. A flag's values go on until the next
    word that begins with `--`; `--directive=value` is understood too. Returns None if help is
    asked for anywhere. Raises ConfigError.
    """
    config = Config()
    words = list(arguments)
    if any(word in ("--help", "-h") for word in words):
        return None
    if words and not words[0].startswith("--"):
        path = words.pop(0)
        if path == "-":
            load_stdin(config)
        elif path.startswith("-"):
            raise ConfigError(f"unknown flag '{path}'; directives are given as --name value")
        else:
            load_file(config, path)
    while words:
        flag = words.pop(0)
        if not flag.startswith("--"):
            raise ConfigError(f"unexpected argument '{flag}'; directives are given as --name value")
        name, equals, value = flag[2:].partition("=")
        values = [value] if equals else _values(words)
        if not values and name.lower() == "save":
            values = [""]  # redis-server takes a bare --save so
        try:
            apply_directive(config, name, values)
        except ConfigError as error:
            raise ConfigError(f"command line: {error}") from None
    if not config.is_given("save") and not config.get_bool("appendonly"):
        config.assign("save", [SAVE_WITHOUT_JOURNAL])
    return config


def _values(words: list[str]) -> list[str]:
    """Take a flag's values off the front; the first may begin with `--` (a password, say)."""
    values: list[str] = []
    while words:
        if words[0].startswith("--") and (values or _is_flag(words[0])):
            break
        values.append(words.pop(0))
    return values


def _is_flag(word: str) -> bool:
    name = word[2:].partition("=")[0].lower()
    return name in BY_NAME or name in (INCLUDE, USER)
