"""The command table and one module for each family of commands."""

from __future__ import annotations

from importlib import import_module

_FAMILIES = (
    "streams",
    "reading",
    "groups",
    "group_settings",
    "nacks",
    "reset",
    "redrive",
    "schedules",
    "schemas",
    "claims",
    "stream_config",
    "xinfo",
    "keys",
    "expire",
    "strings",
    "strings_numbers",
    "strings_lcs",
    "lists",
    "list_pops",
    "dump",
    "restore",
    "transactions",
    "scripts",
    "functions",
    "pubsub",
    "introspection",
    "authentication",
    "acl",
    "connection",
    "clients",
    "tracking",
    "server_info",
    "admin",
    "config_commands",
    "replication",
    "saving",
    "slowlog",
    "latency",
    "monitor",
    "debug",
)


def load_all() -> None:
    """Import every family, so that its commands are bound to their declarations."""
    for family in _FAMILIES:
        import_module(f"headwater.commands.{family}")
