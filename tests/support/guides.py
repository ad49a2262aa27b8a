"""The sessions in docs/guides: lines of `> COMMAND ...`, and what redis-cli shows of the reply."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from .wire import Reply

GUIDES = Path(__file__).parents[2] / "docs" / "guides"


def steps(name: str) -> Iterator[tuple[list[str], str]]:
    """Each command of a guide, and the lines that stand below it."""
    command: list[str] | None = None
    shown: list[str] = []
    for line in (GUIDES / name).read_text().split("\n"):
        text = line.strip()
        if line.startswith("    ") and text.startswith("> "):
            if command is not None:
                yield command, "\n".join(shown)
            command, shown = shlex.split(text[2:]), []
            indent = len(line) - len(text)
        elif command is not None and line.startswith(" " * indent) and text:
            shown.append(line[indent:])
        elif command is not None:
            yield command, "\n".join(shown)
            command = None
    if command is not None:
        yield command, "\n".join(shown)


def rendered(reply: Reply) -> str:
    """A reply as redis-cli shows it to people."""
    kind, value = reply
    if kind == "nil" or value is None:
        return "(nil)"
    if kind == ":":
        return f"(integer) {value!r}"
    if isinstance(value, bytes):
        text = value.decode()
        if kind == "-":
            return f"(error) {text}"
        return text if kind == "+" else '"' + text.replace('"', '\\"') + '"'
    assert isinstance(value, list)
    if not value:
        return "(empty array)"
    width = len(str(len(value)))
    lines = []
    for i, item in enumerate(value, 1):
        head = f"{i:>{width}}) "
        lines.append(head + rendered(item).replace("\n", "\n" + " " * len(head)))
    return "\n".join(lines)
