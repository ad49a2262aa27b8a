"""The arguments of a command, written as one line of syntax and read into a tree.

A declaration says `key [NOMKSTREAM@6.2.0] id-selector=<auto-id='*' | id> data=(field value)...`;
`parse` makes the tree that COMMAND DOCS sends, `syntax` prints it the way people write it:

    key [NOMKSTREAM] <* | id> field value [field value ...]

The notation:

    name            an argument; of type string, or key when it is called `key`
    name:integer    ... of another type: integer, double, key, pattern, unix-time
    name:same-key   a key that one key specification finds together with the key before
    name"text"      ... shown to people under another text
    TOKEN 'token'   a word to be given literally; alone it is an argument of its own
    TOKEN name      a word that announces a value: one argument
    name=TOKEN      a literal word whose argument has another name
    name=<a | b>    one of several
    name=(a b)      several in a row
    [a]             may be left out
    a...            may be repeated; TOKEN a+... repeats the word too
    a@6.2.0         exists since that version of Redis; a!2.8.12 deprecated since that one
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

TYPES = ("string", "integer", "double", "key", "pattern", "unix-time", "pure-token")
_LEXEME = re.compile(
    r"""\s*(?:
      (?P<literal>'[^']+'|[A-Z][A-Z0-9_-]*)
    | (?P<name>[a-z][a-z0-9_-]*)
    | :(?P<type>[a-z-]+)
    | "(?P<display>[^"]+)"
    | @(?P<since>[0-9.]*[0-9])
    | !(?P<deprecated>[0-9.]*[0-9])
    | (?P<mark>\+?\.\.\.|[][<>()|=])
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument, or a group of them (`type` is oneof or block)."""

    name: str
    type: str = "string"
    token: str = ""
    display: str = ""
    since: str = ""
    deprecated_since: str = ""
    optional: bool = False
    multiple: bool = False
    multiple_token: bool = False
    key_spec_index: int = -1
    members: tuple[Argument, ...] = ()


class _Reader:
    """A recursive-descent reader of one line of the notation."""

    __slots__ = ("_keys", "_lexemes", "_next", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._lexemes: list[tuple[str, str]] = []
        self._next = 0
        self._keys = 0
        position = 0
        end = len(text.rstrip())
        while position < end:
            match = _LEXEME.match(text, position)
            if match is None or match.lastgroup is None:
                raise ValueError(f"cannot read {text[position:]!r} in {text!r}")
            self._lexemes.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()

    def _peek(self) -> tuple[str, str]:
        if self._next < len(self._lexemes):
            return self._lexemes[self._next]
        return ("end", "")

    def _accept(self, kind: str, text: str = "") -> str:
        """The next lexeme's text if it is of this kind (and text), and step over it; else ''."""
        found, value = self._peek()
        if found != kind or (text and value != text):
            return ""
        self._next += 1
        return value

    def _expect(self, mark: str) -> None:
        if not self._accept("mark", mark):
            raise ValueError(f"{mark} is missing in {self._text!r}")

    def whole(self) -> tuple[Argument, ...]:
        arguments = self._sequence()
        if self._peek()[0] != "end":
            raise ValueError(f"unexpected {self._peek()[1]!r} in {self._text!r}")
        return arguments

    def _sequence(self) -> tuple[Argument, ...]:
        arguments: list[Argument] = []
        while True:
            kind, text = self._peek()
            if kind == "end" or (kind == "mark" and text in ("]", ")", ">", "|")):
                return tuple(arguments)
            if self._accept("mark", "["):
                inner = self._element()
                self._expect("]")
                arguments.append(self._postfix(replace(inner, optional=True)))
            else:
                arguments.append(self._element())

    def _element(self) -> Argument:
        token = self._accept("literal").strip("'")
        kind, text = self._peek()
        if token and kind != "name":
            return self._postfix(Argument(token.lower(), "pure-token", token))
        if kind != "name":
            raise ValueError(f"unexpected {text!r} in {self._text!r}")
        self._next += 1
        return self._postfix(self._named(text, token))

    def _named(self, name: str, token: str) -> Argument:
        if not self._accept("mark", "="):
            kind = self._accept("type") or ("key" if name == "key" else "string")
            if kind == "same-key":
                return Argument(name, "key", token, key_spec_index=self._keys - 1)
            if kind not in TYPES:
                raise ValueError(f"unknown type {kind!r} in {self._text!r}")
            index = -1
            if kind == "key":
                index = self._keys
                self._keys += 1
            return Argument(name, kind, token, key_spec_index=index)
        if self._accept("mark", "<"):
            choices = [self._choice()]
            while self._accept("mark", "|"):
                choices.append(self._choice())
            self._expect(">")
            return Argument(name, "oneof", token, members=tuple(choices))
        if self._accept("mark", "("):
            members = self._sequence()
            self._expect(")")
            return Argument(name, "block", token, members=members)
        literal = self._accept("literal").strip("'")
        if not literal or token:
            raise ValueError(f"nothing is named {name!r} in {self._text!r}")
        return Argument(name, "pure-token", literal)

    def _choice(self) -> Argument:
        choice = self._sequence()
        if len(choice) != 1:
            raise ValueError(f"a choice of several arguments needs a name in {self._text!r}")
        return choice[0]

    def _postfix(self, argument: Argument) -> Argument:
        while True:
            kind, text = self._peek()
            if kind == "display":
                argument = replace(argument, display=text)
            elif kind == "since":
                argument = replace(argument, since=text)
            elif kind == "deprecated":
                argument = replace(argument, deprecated_since=text)
            elif kind == "mark" and text == "...":
                argument = replace(argument, multiple=True)
            elif kind == "mark" and text == "+...":
                argument = replace(argument, multiple=True, multiple_token=True)
            else:
                return argument
            self._next += 1


def parse(text: str) -> tuple[Argument, ...]:
    """The arguments that `text` declares; ValueError says what cannot be read."""
    return _Reader(text).whole()


def _shown(argument: Argument) -> str:
    """One argument without the brackets and dots around it."""
    if argument.type == "pure-token":
        return argument.token
    if argument.type == "oneof":
        body = " | ".join(syntax((choice,)) for choice in argument.members)
        if not argument.optional or argument.token:
            body = f"<{body}>"
    elif argument.type == "block":
        body = syntax(argument.members)
    else:
        body = argument.display or argument.name
    return body


def syntax(arguments: tuple[Argument, ...]) -> str:
    """The arguments as people write them: `key [COUNT count] <* | id> [field value ...]`."""
    words: list[str] = []
    for argument in arguments:
        body = _shown(argument)
        token = argument.token if argument.type != "pure-token" else ""
        if argument.multiple_token:
            shown = f"{token} {body}"
            shown = f"{shown} [{shown} ...]"
        elif argument.multiple:
            shown = f"{body} [{body} ...]"
            if token:
                shown = f"{token} {shown}"
        else:
            shown = f"{token} {body}" if token else body
        words.append(f"[{shown}]" if argument.optional else shown)
    return " ".join(words)
