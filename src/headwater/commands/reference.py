"""docs/commands.md, written from the declarations: `python -m headwater.commands.reference`."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator

from headwater.commands.flags import category_names
from headwater.commands.spec import GROUPS, Spec

_PREFACE = """\
# Commands

<!-- Written by `python -m headwater.commands.reference`; edit src/headwater/commands/spec. -->

Every command of the server, in the notation of redis.io: `[x]` may be left out, `<x | y>` is one
of the two, `x [x ...]` may be repeated, words in capitals are given as they are (in any case).
*Since* is the version of Redis that brought the command; a client written for it needs no change.
`COMMAND DOCS` returns the same facts to programs.
"""
_SYNTAX_WIDTH = 96


def _anchor(name: str) -> str:
    """The fragment that Markdown viewers give a heading."""
    return name.lower().replace(" ", "-")


def _index(specs: tuple[Spec, ...]) -> str:
    """Links to a group's commands, in one paragraph."""
    links = [f"[{spec.name}](#{_anchor(spec.name)})" for spec in specs]
    return " · ".join(links)


def _entry(spec: Spec) -> Iterator[str]:
    """The lines about one command."""
    syntax = textwrap.wrap(
        spec.syntax,
        _SYNTAX_WIDTH,
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    yield from ("", f"### {spec.name}", "", "```", *syntax, "```", "")
    yield spec.summary
    yield ""
    yield f"- Since {spec.since}."
    for version, change in spec.history:
        yield f"- {version}: {change}"
    if spec.deprecated_since:
        yield f"- Deprecated since {spec.deprecated_since}; instead: {spec.replaced_by}."
    yield f"- Time: {spec.complexity}"
    categories = ", ".join(f"`@{name}`" for name in category_names(spec.category_bits))
    yield f"- ACL categories: {categories}."


def render() -> str:
    """The whole page."""
    lines = [_PREFACE]
    for title, specs in GROUPS:
        lines += [f"## {title}", "", _index(specs)]
        for spec in specs:
            lines += _entry(spec)
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
