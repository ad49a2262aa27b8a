"""The code blocks of a Markdown page, what each is, and what comments beside them ask of a test.

A comment on the lines above a block says how it is run:

    <!-- skip: REASON -->          it is not run; tests/docs counts these
    <!-- run by: tests/PATH -->    another test runs what it shows, and names the page
    <!-- needs: MODULE -->         it is run where this is installed
    <!-- until: TEXT -->           it runs for ever; once it has printed TEXT, Ctrl-C ends it
    <!-- raises: ERROR -->         the Python in it ends with this exception
    <!-- exits: STATUS -->         its last command ends with this status
    <!-- varies: WORDS | WORDS --> these words in what is shown stand for any others

and by itself, anywhere:

    <!-- run                       Python that is run there, and that readers do not see
    ...
    -->
    <!-- clock: 2026-11-23T09:00Z -->  sessions from here on: a clock that stands still
    <!-- passes: 10 minutes -->        that clock goes on
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
GENERATED = ("docs/commands.md", "docs/configuration.md")
"""Written from the code, which has tests of its own; what is in them is grammar, not programs."""

ABOVE = ("skip", "run by", "needs", "until", "raises", "exits", "varies")
ALONE = ("clock", "passes")
OTHERS = ("example", "generated")  # comments for other tests, and for people

PROMPT = re.compile(r"(?P<who>[\w.:-]*)> (?P<command>\S.*)")
_FENCE = re.compile(r"(?P<indent> *)(?P<ticks>```+)(?P<info>.*)")
_COMMENT = re.compile(r"\s*<!--\s*(?P<name>[a-z][a-z ]*?):\s*(?P<value>.*?)\s*-->\s*")
_TITLE = re.compile(r'title="([^"]+)"')
_HOLDS_INDENTED = re.compile(r"\s*(?:[-*+] |\d+\. |!!! |\?\?\? |\?\?\?\+ |=== )")


@dataclass
class Block:
    """A code block, or a comment that does something: then `language` is its name."""

    page: str
    line: int
    """Number of the first line of `text` in the page."""
    language: str
    text: str
    title: str = ""
    asks: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def all_pages() -> list[str]:
    """README.md and every page in docs, as paths from the root of the repository."""
    found = ["README.md"]
    found += sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))
    return [page for page in found if page not in GENERATED]


def blocks_of(page: str) -> list[Block]:
    """The blocks of a page, in order."""
    return list(_scan(page, (ROOT / page).read_text().split("\n")))


def kind_of(block: Block) -> str:
    """What a block is: its language, or what its first line shows it to be."""
    first = next((line for line in block.text.split("\n") if line.strip()), "")
    if block.language in ("", "text", "console", "redis"):
        if first.startswith("$ "):
            return "console"
        if PROMPT.fullmatch(first) or re.fullmatch(r"\(.+ passes\)", first):
            return "session"
    return {"bash": "sh", "shell": "sh", "py": "python"}.get(block.language, block.language)


def _scan(page: str, lines: list[str]) -> Iterator[Block]:
    asks: dict[str, str] = {}
    position = 0
    held = False  # whether indented lines belong to a list, a tab or a note
    while position < len(lines):
        line = lines[position]
        found = _FENCE.fullmatch(line)
        if found is not None:
            end = position + 1
            while lines[end].strip() != found["ticks"]:
                end += 1
            text = textwrap.dedent("\n".join(lines[position + 1 : end]))
            language, _, info = found["info"].strip().partition(" ")
            title = _TITLE.search(info)
            yield Block(page, position + 2, language, text, title.group(1) if title else "", asks)
            asks = {}
            position = end + 1
            continue
        if line.strip().startswith("<!--"):
            end = position
            while "-->" not in lines[end]:
                end += 1
            comment = "\n".join(lines[position : end + 1])
            named = _COMMENT.fullmatch(comment)
            if re.match(r"\s*<!-- run\n", comment):
                text = textwrap.dedent("\n".join(lines[position + 1 : end]))
                yield Block(page, position + 2, "run", text)
            elif named is not None and named["name"] in ALONE:
                yield Block(page, position + 1, named["name"], named["value"])
            elif named is not None and named["name"] not in OTHERS:
                assert named["name"] in ABOVE, f"{page}:{position + 1}: what is {comment!r}?"
                asks[named["name"]] = named["value"]
            position = end + 1
            continue
        if line.startswith("    ") and not held and (not position or not lines[position - 1]):
            end = position
            while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
                end += 1
            while not lines[end - 1].strip():
                end -= 1
            text = textwrap.dedent("\n".join(lines[position:end]))
            yield Block(page, position + 1, "", text, "", asks)
            asks = {}
            position = end
            continue
        if line.strip():
            if _HOLDS_INDENTED.match(line):
                held = True
            elif not line.startswith(" "):
                held = False
            assert not asks, f"{page}:{position + 1}: {asks} stand above no block"
        position += 1
