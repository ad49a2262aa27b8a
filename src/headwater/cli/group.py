"""The commands as click knows them; `serve` hands its arguments on, the option table reads them."""

from __future__ import annotations

import os
import sys

import click

import headwater
from headwater.config import OPTIONS, TOPICS, Option

_CONTEXT = {"help_option_names": ["-h", "--help"]}


def _print_version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if not value or context.resilient_parsing:
        return
    mode = headwater.mode()
    click.echo(f"headwater {headwater.__version__} ({mode})")
    if mode == "interpreted":
        if os.environ.get("HEADWATER_PURE", "") not in ("", "0"):
            click.echo("HEADWATER_PURE is set: the compiled modules are passed over.")
        else:
            click.echo(
                "The compiled modules are missing: this installation was built without a C\n"
                "compiler, or compiling failed. It works, several times slower. Install it with\n"
                "HEADWATER_EXT=require in the environment to see the compiler's error."
            )
    context.exit()


@click.group(context_settings=_CONTEXT)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version, and whether the hot modules are compiled.",
)
def group() -> None:
    """Headwater: an event-stream server that speaks Redis Streams."""


@group.command(
    "serve",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True},
    short_help="Start the server.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def _serve(arguments: tuple[str, ...]) -> None:
    from headwater.cli.serve import serve

    sys.exit(serve(arguments))


@group.command("config", context_settings=_CONTEXT)
def _config() -> None:
    """Print a configuration file with every directive and its default."""
    click.echo(default_file(), nl=False)


def default_file() -> str:
    """Return a configuration file that sets every directive to its default."""
    lines = ["# Headwater configuration. Every directive is shown with its default."]
    for topic in TOPICS:
        lines += ["", f"# --- {topic} ---"]
        for option in OPTIONS:
            if option.topic != topic:
                continue
            lines += [
                "",
                f"# {option.summary}",
                f"# {allowed_words(option)}",
                f"{option.name} {default_words(option.default)}",
            ]
    return "\n".join([*lines, ""])


def allowed_words(option: Option) -> str:
    """Return in a few words what a directive takes, with its unit."""
    unit = f" ({option.unit})" if option.unit not in ("", "bytes") else ""
    return option.kind.allowed() + unit


def default_words(default: str) -> str:
    """Return a default as it stands in a file."""
    return default or '""'
