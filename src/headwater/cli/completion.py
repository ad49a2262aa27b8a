"""`headwater completion`: the script by which a shell completes commands, options, keys, groups."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from headwater.cli.parameters import CONTEXT

VARIABLE = "_HEADWATER_COMPLETE"


class _Bash(BashComplete):
    @staticmethod
    def _check_version() -> None:
        """Not asked: the script may be made for another machine than this one."""


_SHELLS: dict[str, type[ShellComplete]] = {
    "bash": _Bash,
    "zsh": ZshComplete,
    "fish": FishComplete,
}


@click.command("completion", context_settings=CONTEXT)
@click.argument("shell", type=click.Choice(tuple(_SHELLS)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script that completes commands, options, keys, groups and consumers.

    \b
    bash:  echo 'eval "$(headwater completion bash)"' >> ~/.bashrc
    zsh:   echo 'eval "$(headwater completion zsh)"' >> ~/.zshrc
    fish:  headwater completion fish > ~/.config/fish/completions/headwater.fish

    Names of keys, groups and consumers are those of the server of --url or HEADWATER_URL.
    """
    made = _SHELLS[shell](context.find_root().command, {}, "headwater", VARIABLE)
    click.echo(made.source())
