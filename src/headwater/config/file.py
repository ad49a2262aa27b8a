"""Files in the syntax of redis.conf: one directive a line, `#` comments, `include`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from headwater.config.store import Config, ConfigError
from headwater.resp.parser import split_words

INCLUDE = "include"


def load_file(config: Config, path: str) -> None:
    """Read a file into the configuration and remember it for CONFIG REWRITE.

    Raises ConfigError, which names file and line, if it cannot be read or a line is wrong.
    """
    data = _read(path)
    load_data(config, data, path, (os.path.realpath(path),))
    config.path = os.path.abspath(path)


def load_stdin(config: Config) -> None:
    """Read directives from the standard input; there is no file to rewrite then."""
    load_data(config, sys.stdin.buffer.read(), "standard input", ())


def load_data(config: Config, data: bytes, source: str, open_files: tuple[str, ...]) -> None:
    """Read the lines of a file; `open_files` are those that include each other down to it."""
    data = data.removeprefix(b"\xef\xbb\xbf")  # some editors begin with this mark
    for number, line in enumerate(data.split(b"\n"), 1):
        config.place = f"{source}, line {number}"
        try:
            words = split_line(line)
            if words:
                apply_directive(config, words[0], words[1:], open_files)
        except ConfigError as error:
            raise ConfigError(f"{source}, line {number}: {error}") from None
    config.place = "--user"


def split_line(line: bytes) -> list[str]:
    """Return the words of a line, none for a comment or an empty line; raises ConfigError."""
    line = line.strip()
    if not line or line.startswith(b"#"):
        return []
    words = split_words(line)
    if words is None:
        raise ConfigError("unbalanced quotes")
    return [word.decode("utf-8", "surrogateescape") for word in words]


def apply_directive(
    config: Config, name: str, words: Sequence[str], open_files: tuple[str, ...] = ()
) -> None:
    """Set one directive, or read the files that `include` names; raises ConfigError.

    Patterns of `include` may match no file. Relative paths start at the working directory, as
    in Redis.
    """
    if name.lower() != INCLUDE:
        config.assign(name, words)
        return
    if len(words) != 1:
        raise ConfigError("'include' takes one file name or pattern")
    import glob  # most files include nothing

    paths = sorted(glob.glob(words[0])) if glob.has_magic(words[0]) else [words[0]]
    for path in paths:
        real = os.path.realpath(path)
        if real in open_files:
            raise ConfigError(f"'{path}' includes itself")
        load_data(config, _read(path), path, (*open_files, real))


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"cannot read configuration file '{path}': {reason}") from None
