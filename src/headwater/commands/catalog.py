"""The command table as ACL rules see it: names, categories, and what requests touch."""

from __future__ import annotations

from headwater.acl.catalog import Catalog, Entry
from headwater.acl.patterns import READ, WRITE
from headwater.acl.plans import (
    ALL_CHANNELS,
    ALL_PATTERNS,
    NO_CHANNELS,
    ONE_CHANNEL,
    Plan,
    Ranges,
    Touched,
)
from headwater.commands.flags import CATEGORY_BITS, NO_AUTH
from headwater.commands.keyfinders import STREAM_OPTIONS, stream_keys
from headwater.commands.spec import Spec
from headwater.commands.spec.absent import ABSENT
from headwater.commands.table import Command, CommandTable

CHANNELS = {
    b"publish": ONE_CHANNEL,
    b"spublish": ONE_CHANNEL,
    b"subscribe": ALL_CHANNELS,
    b"ssubscribe": ALL_CHANNELS,
    b"psubscribe": ALL_PATTERNS,
}
"""Commands that need a permission for the channels they name. Who has subscribed may always
unsubscribe."""

_WRITING = frozenset(("insert", "delete", "update"))


def make_catalog(table: CommandTable) -> Catalog:
    """Everything that rules for the commands of `table` can name."""
    plans = {
        name: _plan(number, found) for number, (name, found) in enumerate(table.everything.items())
    }
    commands = []
    for found in table.commands.values():
        inside = found.subcommands or {}
        subcommands = tuple(
            Entry(sub.name, sub.categories, plans[sub.name], (), True) for sub in inside.values()
        )
        commands.append(Entry(found.name, found.categories, plans[found.name], subcommands))
    return Catalog(commands, CATEGORY_BITS, ABSENT)


def plans_of(catalog: Catalog) -> dict[bytes, Plan]:
    """The plan of each command by its full name."""
    entries = [e for command in catalog.commands for e in (command, *command.subcommands)]
    return {entry.name: entry.plan for entry in entries if entry.plan is not None}


def _plan(number: int, command: Command) -> Plan:
    channels = CHANNELS.get(command.name, NO_CHANNELS)
    always = bool(command.flags & NO_AUTH)
    spec = command.spec
    keys = [key for key in spec.keys if "not_key" not in key.flags]
    vague = spec.finder is not None and any(
        flag in key.flags for key in keys for flag in ("incomplete", "variable_flags")
    )
    if spec.finder is stream_keys:
        return Plan(number, always, keyword=b"STREAMS", options=STREAM_OPTIONS)
    if vague or not all(key.fixed and key.limit == 0 for key in keys):
        return Plan(number, always, find=_Finder(spec), channels=channels)
    ranges: Ranges = tuple(
        (
            key.begin,
            key.begin + key.last if key.last >= 0 else key.last,
            key.step,
            _need(key.flags),
        )
        for key in keys
    )
    return Plan(number, always, ranges, channels=channels)


def _need(flags: tuple[str, ...]) -> int:
    """What permission a key takes whose flags these are. EXISTS takes none but that to name it."""
    need = READ if "access" in flags else 0
    return need | (0 if _WRITING.isdisjoint(flags) else WRITE)


class _Finder:
    """Finds the keys of requests whose syntax must be read for that."""

    __slots__ = ("_spec",)

    def __init__(self, spec: Spec) -> None:
        self._spec = spec

    def __call__(self, words: list[bytes]) -> Touched:
        # One that does not fit the command names no keys: the command will refuse it.
        return [(at, _need(flags)) for at, flags in self._spec.find_keys(words) or ()]
