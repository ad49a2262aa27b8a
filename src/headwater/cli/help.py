"""The text of `headwater serve --help`, at 80 columns, from the option table."""

from __future__ import annotations

import textwrap

from headwater.cli.group import default_words
from headwater.config import OPTIONS, TOPICS, Option
from headwater.config.kinds import Enum

WIDTH = 79
_COLUMN = 33
_HARD_SPACE = "\0"

_HEAD = """\
Usage: headwater serve [CONFIG_FILE] [--DIRECTIVE VALUE ...]

Start the server. CONFIG_FILE is in the syntax of redis.conf ('-' reads it from
the standard input); flags are the same directives and win over it.

  headwater serve
  headwater serve headwater.conf --port 7000
  headwater serve --bind 127.0.0.1 -::1 --save "60 1000" --requirepass secret

Sizes take units: 1kb is 1024 bytes, 1k is 1000; so do mb, m, gb and g.
'headwater config' prints all directives as a file. Defaults are in brackets.
"""


def serve_help() -> str:
    """Return the help text, its directives grouped by topic."""
    parts = [_HEAD]
    for topic in TOPICS:
        parts.append(f"\n{topic}:\n")
        parts.extend(_row(option) for option in OPTIONS if option.topic == topic)
    parts.append("\nOther:\n")
    parts.append(_columns("--include", "Read more directives from a file or file pattern"))
    parts.append(_columns("-h, --help", "Show this text"))
    return "".join(parts)


def _row(option: Option) -> str:
    text = option.summary
    if isinstance(option.kind, Enum):
        text += f" ({', '.join(option.kind.names)})"
    unit = f" {option.unit}" if option.unit not in ("", "bytes") else ""
    default = f"[{default_words(option.default)}{unit}]"
    if len(default) < WIDTH - _COLUMN:
        default = default.replace(" ", _HARD_SPACE)  # not broken over two lines
    return _columns(f"--{option.name}", f"{text} {default}")


def _columns(name: str, text: str) -> str:
    lines = textwrap.wrap(text, WIDTH - _COLUMN, break_on_hyphens=False)
    first = f"  {name}".ljust(_COLUMN) + lines[0]
    block = "\n".join([first, *(" " * _COLUMN + line for line in lines[1:])]) + "\n"
    return block.replace(_HARD_SPACE, " ")
