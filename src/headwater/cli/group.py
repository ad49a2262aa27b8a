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


@group.command("import", context_settings=_CONTEXT)
@click.argument("source", type=click.Path())
@click.option("--dir", "directory", metavar="DIR", help="The data directory to fill (.).")
@click.option("--force", is_flag=True, help="Replace the data that the directory has already.")
@click.option("--skip-unknown", is_flag=True, help="Leave out what Headwater does not have.")
def _import(source: str, directory: str | None, force: bool, skip_unknown: bool) -> None:
    """Take over the data of a Redis into a data directory, on which no server runs.

    SOURCE is an RDB file, an append-only file, the manifest or the directory of append-only files,
    or Redis's data directory.
    """
    from headwater.cli.import_ import run_import

    sys.exit(run_import(source, directory, force, skip_unknown))


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
