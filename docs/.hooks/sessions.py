"""Colours for the sessions of redis-cli in the pages: a lexer for fences of `redis`.

mkdocs loads this file (`hooks` in mkdocs.yml); pygments then finds the lexer by its name.
"""

from __future__ import annotations

import sys
from typing import Any, ClassVar

from pygments.lexer import RegexLexer, bygroups
from pygments.lexers import LEXERS
from pygments.token import Comment, Generic, Keyword, Text, Whitespace

__all__ = ["SessionLexer"]


class SessionLexer(RegexLexer):
    """Prompts, the words after them, and what comes back."""

    name = "Redis session"
    aliases: ClassVar[list[str]] = ["redis"]
    tokens: ClassVar[dict[str, list[Any]]] = {
        "root": [
            (r"^(\$ )(.*)(\n)", bygroups(Generic.Prompt, Text, Whitespace)),
            (r"^([\w.:-]*> )(\S+)(.*)(\n)", bygroups(Generic.Prompt, Keyword, Text, Whitespace)),
            (r"^\(error\).*\n", Generic.Error),
            (r"^\([^)]*(?:passes|pass|is killed)\)\n", Comment),
            (r".*\n", Generic.Output),
        ]
    }


def on_startup(**_: object) -> None:
    """Make the lexer known."""
    sys.modules["headwater_docs_sessions"] = sys.modules[__name__]
    LEXERS["SessionLexer"] = ("headwater_docs_sessions", SessionLexer.name, ("redis",), (), ())
