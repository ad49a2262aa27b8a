"""Commands that are imported when they are called, so that none waits for the others' imports."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from typing import Any

import click

from headwater.cli.failure import ended

COMMANDS: dict[str, tuple[str, str]] = {
    "add": ("add:add", "Append entries to a stream."),
    "bench": ("bench:bench", "Measure a server for some seconds."),
    "completion": ("completion:completion", "Print a script that completes words in your shell."),
    "dead-letters": ("dead_letters:dead_letters", "List dead letters, and send them back."),
    "export": ("export:export", "Write data into an RDB file or JSON lines."),
    "import": ("import_:import_", "Take over data from files."),
    "info": ("info:info", "Describe a stream: groups, lag, pending entries, ages."),
    "ls": ("ls:ls", "List streams: length, memory, rate, groups."),
    "pending": ("pending:pending", "Show who has which entries, and for how long."),
    "reset": ("reset:reset", "Have a group read from another place."),
    "tail": ("tail:tail", "Print entries as they come."),
    "top": ("top:top", "Watch streams, groups and clients."),
}
"""By name: `module:attribute` in headwater.cli, and what the list of commands says of it."""


class LazyGroup(click.Group):
    """A group whose commands are those it has and those of COMMANDS."""

    def main(self, *args: Any, standalone_mode: bool = True, **more: Any) -> Any:
        main: Callable[..., Any] = functools.partial(super().main, standalone_mode=False)
        if not standalone_mode:
            return main(*args, **more)
        sys.exit(ended(lambda: main(*args, **more)))

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(f"headwater.cli.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if ctx.resilient_parsing and command is not None and rest:
            # While a value is completed, click would see an option without one and give up on
            # the arguments before it, which say what there is to complete.
            for option in command.params:
                takes_value = isinstance(option, click.Option) and not option.is_flag
                if takes_value and rest[-1] in option.opts:
                    return name, command, rest[:-1]
        return name, command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = []
        for name in self.list_commands(ctx):
            if name in COMMANDS:
                rows.append((name, COMMANDS[name][1]))
                continue
            command = super().get_command(ctx, name)
            if command is not None and not command.hidden:
                rows.append((name, command.get_short_help_str(100)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)
