"""What is declared about a command, apart from the function that runs it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from headwater.commands import grammar
from headwater.commands.flags import MOVABLE_KEYS, category_bits
from headwater.commands.keyspecs import Finder, FoundKeys, KeySpec, Words, find_keys, fixed_range


@dataclass(frozen=True)
class Spec:
    """One command, or one subcommand ("XGROUP CREATE").

    name: upper case; a subcommand's holds its container's name and a space.
    arity: number of words of a request, the name (and subcommand) included; negative: at least.
    flags: bits of `headwater.commands.flags`.
    categories: ACL categories besides those the flags imply.
    keys: where the keys stand; `finder`: a function that knows better, see `find_keys`.
    group, since, summary, complexity, history, doc_flags, deprecated_since, replaced_by: for
        people; `since` and `history` name versions of Redis.
    tips: what cluster clients are told, in Redis's words.
    arguments: the notation of `headwater.commands.grammar`.
    """

    name: str
    arity: int
    group: str
    since: str
    summary: str
    complexity: str
    flags: int = 0
    categories: tuple[str, ...] = ()
    keys: tuple[KeySpec, ...] = ()
    finder: Finder | None = None
    arguments: str = ""
    tips: tuple[str, ...] = ()
    history: tuple[tuple[str, str], ...] = ()
    doc_flags: tuple[str, ...] = ()
    deprecated_since: str = ""
    replaced_by: str = ""

    @cached_property
    def full_name(self) -> str:
        """As COMMAND, ACL and statistics call it: `xadd`, `xgroup|create`."""
        return self.name.lower().replace(" ", "|")

    @cached_property
    def container(self) -> str:
        """The name of the command this is a subcommand of; empty if it is none."""
        return self.name.partition(" ")[0] if " " in self.name else ""

    @cached_property
    def all_flags(self) -> int:
        """The declared flags and the computed one."""
        if self.finder is not None and any("incomplete" in key.flags for key in self.keys):
            return self.flags | MOVABLE_KEYS
        if all(key.fixed for key in self.keys):
            return self.flags
        return self.flags | MOVABLE_KEYS

    @cached_property
    def category_bits(self) -> int:
        return category_bits(self.categories, self.flags)

    @cached_property
    def fixed_range(self) -> tuple[int, int, int]:
        return fixed_range(self.keys)

    @cached_property
    def argument_tree(self) -> tuple[grammar.Argument, ...]:
        return grammar.parse(self.arguments)

    @property
    def has_keys(self) -> bool:
        """Whether a request can name keys at all."""
        return any("not_key" not in key.flags for key in self.keys)

    @cached_property
    def syntax(self) -> str:
        """The whole command as people write it."""
        return f"{self.name} {grammar.syntax(self.argument_tree)}".rstrip()

    def accepts(self, words: int) -> bool:
        """Whether a request of so many words has the right number of them."""
        return words == self.arity if self.arity > 0 else words >= -self.arity

    def find_keys(self, words: Words) -> FoundKeys | None:
        """The keys of a request; None if it does not fit the command."""
        return find_keys(self.keys, self.finder, words)
