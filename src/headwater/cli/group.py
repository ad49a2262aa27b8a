"""The commands as click knows them; `serve` hands its arguments on, the option table reads them."""

from __future__ import annotations

import os
import sys

import click
from click.shell_completion import CompletionItem

import headwater
from headwater.cli.lazy import LazyGroup
from headwater.config import BY_NAME, OPTIONS, TOPICS, Option

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


@click.group(cls=LazyGroup, context_settings=_CONTEXT)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version, and whether the hot modules are compiled.",
)
def group() -> None:
    """Headwater: an event-stream server that speaks Redis Streams.

    Commands that look at streams take --url, or HEADWATER_URL: of a Headwater, a Redis or a Valkey,
    or a data directory. Their results are for people; --json is for programs.
    """


class _Serve(click.Command):
    """`serve`, whose flags are the directives of the configuration."""

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        if not incomplete.startswith("-"):
            return [CompletionItem(incomplete, type="file")]
        return [
            CompletionItem(f"--{name}") for name in BY_NAME if f"--{name}".startswith(incomplete)
        ]


@group.command(
    "serve",
    cls=_Serve,
    add_help_option=False,
    context_settings={"ignore_unknown_options": True},
    short_help="Start the server.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def _serve(arguments: tuple[str, ...]) -> None:
    from headwater.cli.serve import serve

    sys.exit(serve(arguments))


@group.command("check", context_settings=_CONTEXT)
@click.argument("path", type=click.Path())
@click.option("--deep", is_flag=True, help="Load everything, as a start would, and count it.")
@click.option("--repair", "mend", is_flag=True, help="Keep what is sound, after a backup.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option(
    "--appenddirname", default="appendonlydir", metavar="NAME", help="As in the configuration."
)
@click.option("--dbfilename", default="dump.rdb", metavar="NAME", help="As in the configuration.")
def _check(
    path: str, deep: bool, mend: bool, as_json: bool, appenddirname: str, dbfilename: str
) -> None:
    """Verify the journal and the snapshot of a data directory, or one of their files.

    PATH is a data directory (the server's --dir), or a file in it. Everything is read to its end,
    nothing is changed, and a server may be using the directory meanwhile.

    --repair makes a journal that a start refuses one that it accepts: the longest part of the
    history that is sound stays, and what is dropped is told. Files that change are first copied
    to a new directory beside them. No server may be using the directory.

    Exit status: 0 sound; 1 not damaged, but a start cuts off a torn tail or leaves something out;
    2 damaged; 3 it could not be read, or not be repaired.
    """
    from headwater.cli.check import run_check

    sys.exit(run_check(path, appenddirname, dbfilename, deep, mend, as_json))


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
