"""The declarations of all commands, by name: one row each, one file for each group.

A row is everything the server, COMMAND, ACL and the documentation need to know about a command
besides the function that runs it, which `headwater.commands.table.command` binds to it by name.
"""

from __future__ import annotations

from headwater.commands.spec.acl import ACL
from headwater.commands.spec.connection import CONNECTION
from headwater.commands.spec.delivery import DELIVERY
from headwater.commands.spec.keys import KEYS
from headwater.commands.spec.lists import LISTS
from headwater.commands.spec.model import Spec
from headwater.commands.spec.pubsub import PUBSUB_COMMANDS
from headwater.commands.spec.scripting import SCRIPTING
from headwater.commands.spec.server import SERVER
from headwater.commands.spec.streams import STREAMS
from headwater.commands.spec.strings import STRINGS
from headwater.commands.spec.transactions import TRANSACTIONS

GROUPS: tuple[tuple[str, tuple[Spec, ...]], ...] = (
    ("Streams", tuple(sorted(STREAMS + DELIVERY, key=lambda spec: spec.name))),
    ("Keyspace", KEYS),
    ("Strings", STRINGS),
    ("Lists", LISTS),
    ("Transactions", TRANSACTIONS),
    ("Pub/sub", PUBSUB_COMMANDS),
    ("Scripts", SCRIPTING),
    ("Connections", CONNECTION),
    ("Users", ACL),
    ("Server", SERVER),
)


def _by_name() -> dict[str, Spec]:
    found: dict[str, Spec] = {}
    for _, specs in GROUPS:
        for spec in specs:
            if spec.name in found:
                raise ValueError(f"command {spec.name} is declared twice")
            found[spec.name] = spec
    return found


SPECS: dict[str, Spec] = _by_name()

__all__ = ["GROUPS", "SPECS", "Spec"]
