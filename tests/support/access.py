"""A small command table for rules, as headwater.acl takes it."""

from __future__ import annotations

from headwater.acl.catalog import Catalog, Entry
from headwater.acl.plans import Plan

READ, WRITE = 1, 2


def catalog() -> Catalog:
    """Four commands, one of which has subcommands, and one that is only known by name."""
    return Catalog(
        [
            Entry(b"get", READ, Plan(0)),
            Entry(b"set", WRITE, Plan(1)),
            Entry(b"del", WRITE, Plan(2)),
            Entry(
                b"config",
                0,
                Plan(3),
                (
                    Entry(b"config|get", READ, Plan(4), (), True),
                    Entry(b"config|set", WRITE, Plan(5), (), True),
                ),
            ),
        ],
        {"read": READ, "write": WRITE},
        ["hget", "cluster", "cluster|info"],
    )
