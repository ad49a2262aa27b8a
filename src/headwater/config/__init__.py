"""Configuration: the option table, the values in force, and the file they are read from."""

from __future__ import annotations

from headwater.config.file import load_file, load_stdin
from headwater.config.kinds import OutputLimit, OutputLimits, SavePoint
from headwater.config.options import BY_NAME, OPTIONS, TOPICS, Option
from headwater.config.store import Config, ConfigError

__all__ = [
    "BY_NAME",
    "OPTIONS",
    "TOPICS",
    "Config",
    "ConfigError",
    "Option",
    "OutputLimit",
    "OutputLimits",
    "SavePoint",
    "load_file",
    "load_stdin",
]
