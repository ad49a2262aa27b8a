"""CONFIG REWRITE: put the values in force into the file, and leave the rest of it alone."""

from __future__ import annotations

import os
import re

from headwater.config.file import INCLUDE, load_data, split_line
from headwater.config.kinds import quote
from headwater.config.options import BY_NAME, OPTIONS
from headwater.config.store import USER, Config, ConfigError
from headwater.replacing import replace_file

MARK = "# Written by CONFIG REWRITE"
_PLAIN_RULE = re.compile(rb"[!#-&(-\[\]-~]+")  # no space, quote or backslash


def rewrite_file(config: Config, path: str) -> None:
    """Replace the file, all at once: after a crash it is the old one or the new one.

    Raises OSError, and ConfigError if the file as it now stands could not be read back.
    """
    path = os.path.realpath(path)
    try:
        with open(path, "rb") as file:
            old = file.read()
            mode = os.fstat(file.fileno()).st_mode & 0o7777
    except FileNotFoundError:
        old, mode = b"", 0o600  # it may hold a password
    replace_file(path, rewritten(config, old, path), mode)


def rewritten(config: Config, old: bytes, path: str) -> bytes:
    """Return the new text of a file.

    1. Comments, empty lines and `include` stay. A directive's first line takes the value in
       force unless its lines say so already; its other lines go.
    2. `user` lines make place for all users there are, where the first one stood.
    3. What loading that text would still get wrong is appended, below a line that says so.
    """
    lines: list[bytes] = []
    users = [_user_line(words) for words in config.user_lines()]
    wanted = {option.name: config.value_lines(option.name) for option in OPTIONS}
    settled = _settled(config, old)
    seen: set[str] = set()
    for line in old.split(b"\n"):
        words = _words(line)
        name = words[0].lower() if words else ""
        if name == USER:
            if name not in seen:
                lines.extend(users)
            seen.add(name)
        elif name not in BY_NAME or name in settled:
            lines.append(line)
        elif name not in seen:
            seen.add(name)
            lines.extend(_line(name, value) for value in wanted[name])
    while lines and not lines[-1].strip():
        lines.pop()

    loaded = Config()
    # Includes are read again, so that what they set is overruled where it is not in force.
    load_data(loaded, b"\n".join(lines), path, (path,))
    added = [] if USER in seen else users
    if len(loaded.users) > (len(users) if USER in seen else 0):
        raise ConfigError("users that an included file defines cannot be written anew")
    for name, values in wanted.items():
        # The default of dir depends on where the server is started next.
        missing = name == "dir" and not loaded.is_given(name)
        if not missing and loaded.value_lines(name) == values:
            continue
        if name == "save" and loaded.save_points and config.save_points:
            added.append(_line(name, '""'))
        added.extend(_line(name, value) for value in values)
    if added and MARK.encode() not in lines:
        lines.extend(([b""] if lines else []) + [MARK.encode()])
    return b"\n".join([*lines, *added, b""])


def _user_line(words: list[bytes]) -> bytes:
    """A `user` line; rules stand as they are, unless that would be read as something else."""
    parts = [part for word in words for part in word.split(b" ")] or [b""]
    shown = [
        part
        if _PLAIN_RULE.fullmatch(part)
        else quote(part.decode("utf-8", "surrogateescape")).encode()
        for part in parts
    ]
    return b" ".join([USER.encode(), *shown])


def _settled(config: Config, old: bytes) -> set[str]:
    """Return the directives whose lines in the file amount to the value in force."""
    loaded = Config()
    for line in old.split(b"\n"):
        words = _words(line)
        if words and words[0].lower() != INCLUDE:
            try:
                loaded.assign(words[0], words[1:])
            except ConfigError:
                continue
    return {
        name
        for name in BY_NAME
        if loaded.is_given(name) and loaded.value_lines(name) == config.value_lines(name)
    }


def _words(line: bytes) -> list[str]:
    try:
        return split_line(line)
    except ConfigError:
        return []


def _line(name: str, value: str) -> bytes:
    return f"{name} {value}".encode()
