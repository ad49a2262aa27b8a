"""What a page shows beside what happens: replies as people see them, IDs of another moment.

An entry ID of the page (13 digits, a dash, a number) stands for the ID that a server gave in its
place: wherever it stands again, in a reply or in a command, it is that one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from .wire import Reply

_TOKEN = re.compile(
    r"(?P<id>\b\d{13}-\d+\b)|(?P<ms>\b\d{13}\b)"
    r"|(?P<time>\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)"
    r"|(?P<rest>\.\.\.)"
)
_TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"


class Shown:
    """What the IDs of one page stand for."""

    def __init__(self) -> None:
        self._real: dict[str, str] = {}

    def real(self, text: str) -> str:
        """The text of a command or program with the IDs that were given in truth."""
        return re.sub(r"\b\d{13}(?:-\d+)?\b", lambda m: self._real.get(m[0], m[0]), text)

    def same(self, shown: str, happened: str, varies: Iterable[str] = ()) -> bool:
        """Whether this may have been shown; `...` stands for the rest of a line, or for lines."""
        shown, happened = _bare(shown), _bare(happened)
        pattern, tokens = self._pattern(shown, [words for words in varies if words])
        found = re.fullmatch(pattern, happened)
        if found is None:
            return False
        learned = dict(self._real)
        for token, real in zip(tokens, found.groups(), strict=True):
            if learned.setdefault(token, real) != real and "-" in token:
                return False
            if "-" in token:
                learned.setdefault(token.split("-")[0], real.split("-")[0])
        given = [real for token, real in learned.items() if "-" in token]
        if len(set(given)) != len(given):
            return False
        self._real = learned
        return True

    def _pattern(self, shown: str, varies: list[str]) -> tuple[str, list[str]]:
        parts: list[str] = []
        tokens: list[str] = []
        splitter = _TOKEN
        if varies:
            words = "|".join(re.escape(text) for text in sorted(varies, key=len, reverse=True))
            splitter = re.compile(rf"(?P<varies>{words})|{_TOKEN.pattern}")
        position = 0
        for found in splitter.finditer(shown):
            parts.append(_literal(shown[position : found.start()], bool(varies)))
            position = found.end()
            if found.lastgroup == "id":
                parts.append(r"(\d{13}-\d+)")
                tokens.append(found[0])
            elif found.lastgroup == "ms":
                parts.append(r"(\d{13})")
                tokens.append(found[0])
            elif found.lastgroup == "time":
                parts.append(_TIME)
            elif found.lastgroup == "varies":
                parts.append(r"\S[^\n]*?")
            elif _alone(shown, found) and shown[position : position + 1] == "\n":
                parts.append(r"(?:[^\n]*\n)*?")
                position += 1
            elif _alone(shown, found):
                parts.append(r"(?s:.*)")
            else:
                parts.append(r"[^\n]*?")
        parts.append(_literal(shown[position:], bool(varies)))
        return "".join(parts), tokens


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


def _literal(text: str, loose: bool) -> str:
    """A pattern for these words; loosely, columns may be wider and rules longer."""
    pattern = re.escape(text)
    if loose:
        pattern = re.sub(r"(?:\\ )+", " +", pattern)
        pattern = re.sub(r"(?:\\-){3,}", "-{3,}", pattern)
        pattern = re.sub("(?:─){3,}", "─{3,}", pattern)
    return pattern


def _alone(text: str, found: re.Match[str]) -> bool:
    """Whether nothing else stands on the line of this."""
    before = text[: found.start()].rpartition("\n")[2]
    return not before.strip() and not text[found.end() :].partition("\n")[0].strip()


def _bare(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").split("\n"))
