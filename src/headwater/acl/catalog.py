"""What rules can name: commands, their subcommands and their categories.

Made from the command table once, by whoever has it (`headwater.commands.catalog`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from headwater.acl.plans import Plan


@dataclass(frozen=True, slots=True)
class Entry:
    """One command or subcommand. name: in full and lower case, `xgroup|create`.

    plan: None if this server does not have the command, but knows it as one of Redis: rules may
    name it and change nothing.
    """

    name: bytes
    categories: int
    plan: Plan | None
    subcommands: tuple[Entry, ...] = ()
    is_subcommand: bool = False


class Catalog:
    """All commands by name, and the categories by theirs (`read` -> a bit)."""

    __slots__ = ("_by_name", "categories", "commands", "size")

    def __init__(
        self, commands: Iterable[Entry], categories: Mapping[str, int], absent: Iterable[str] = ()
    ) -> None:
        self.commands = tuple(commands)
        self.categories = {name.encode(): bit for name, bit in categories.items()}
        self._by_name: dict[bytes, Entry] = {}
        for command in self.commands:
            for entry in (command, *command.subcommands):
                self._by_name[entry.name] = entry
        for name in absent:
            text = name.encode()
            self._by_name.setdefault(text, Entry(text, 0, None, (), b"|" in text))
        self.size = 1 + max((e.plan.number for e in self._by_name.values() if e.plan), default=0)
        self._with_subcommands()

    def _with_subcommands(self) -> None:
        """Absent containers have subcommands too, so that the first arguments of others do not
        pass as such."""
        names = {name.partition(b"|")[0] for name in self._by_name if b"|" in name}
        for name in names:
            entry = self._by_name.get(name)
            if entry is not None and entry.plan is None:
                inside = tuple(
                    sub for sub in self._by_name.values() if sub.name.startswith(name + b"|")
                )
                self._by_name[name] = Entry(name, 0, None, inside)

    def find(self, name: bytes) -> Entry | None:
        """The command or subcommand called `name` in full, in any letter case."""
        return self._by_name.get(name.lower())

    def in_category(self, bit: int) -> list[Entry]:
        """The commands and subcommands of a category."""
        return [e for e in self._by_name.values() if e.plan is not None and e.categories & bit]
