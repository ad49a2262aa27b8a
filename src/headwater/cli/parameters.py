"""What commands that talk to a server have in common: options, keys and groups with completion.

A command is a function of `link`, `out` and its own parameters under `@server_command`, with
click's own decorators above that.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click
import redis
from click.shell_completion import CompletionItem

from headwater.cli.connect import DEFAULT_URL, URL_VARIABLE, Link, open_link, shown_url
from headwater.cli.explaining import explain
from headwater.cli.failure import Failure, drop_output, fail
from headwater.cli.output import Output
from headwater.cli.words import shown
from headwater.errors import HeadwaterError

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

COMPLETION_SECONDS = 0.4
"""A completion is a courtesy: a server that is slower than this gives none."""

COMPLETIONS = 200
_ROUNDS = 10
_ROUND_COUNT = 1000
_SPECIAL = "\\*?[]"

F = TypeVar("F", bound=Callable[..., Any])

url_option = click.option(
    "--url",
    "-u",
    envvar=URL_VARIABLE,
    default=DEFAULT_URL,
    metavar="URL",
    help="The server: redis://[USER:PASSWORD@]HOST:PORT[/DB], rediss://..., unix:///PATH, or a "
    f"data directory.  [HEADWATER_URL; {DEFAULT_URL}]",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def server_command(function: F) -> Callable[..., None]:
    """Add --url and --json to a command, and call it with `link` and `out` instead of them.

    What it raises (Failure, redis-py's errors) is told on standard error, and ends the program with
    the failure's status. A command that makes the directory it is given sets `creates = True`.
    """

    @functools.wraps(function)
    def run(*args: Any, url: str, as_json: bool, **options: Any) -> None:
        with reported(url), open_link(url, create=getattr(function, "creates", False)) as link:
            function(*args, link=link, out=Output(as_json), **options)

    return url_option(json_option(run))


class reported:  # noqa: N801 - reads as a statement
    """Around a command: says what went wrong and exits with the status that belongs to it."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, BrokenPipeError):
            # Whoever read the output has had enough of it.
            drop_output()
            sys.exit(0)
        if isinstance(error, Failure):
            fail(error)
        if isinstance(error, redis.RedisError | HeadwaterError | OSError):
            try:
                sys.stdout.flush()
            except OSError:
                drop_output()
            fail(explain(error, shown_url(self._url)))


def to_bytes(text: str) -> bytes:
    """A word of the command line as the bytes it was."""
    return text.encode("utf-8", "surrogateescape")


class _ServerName(click.ParamType):  # type: ignore[type-arg]
    """A name that the server knows; its value is bytes."""

    def convert(
        self, value: object, param: click.Parameter | None, context: click.Context | None
    ) -> bytes:
        return value if isinstance(value, bytes) else to_bytes(str(value))

    def shell_complete(
        self, context: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        url = context.params.get("url") or os.environ.get(URL_VARIABLE) or DEFAULT_URL
        if "://" not in url:
            return []  # to open a directory is not cheap
        try:
            with open_link(url, timeout=COMPLETION_SECONDS) as link:
                names = self.names(link, context, to_bytes(incomplete))
        except Exception:  # nothing a completion could meet is worth a word on the prompt
            return []
        fitting = sorted({shown(name) for name in names if name.isascii() or _is_text(name)})
        return [CompletionItem(name) for name in fitting if name.startswith(incomplete)]

    def names(self, link: Link, context: click.Context, start: bytes) -> list[bytes]:
        """Names that begin with `start`."""
        raise NotImplementedError


class _Key(_ServerName):
    name = "key"

    def names(self, link: Link, context: click.Context, start: bytes) -> list[bytes]:
        text = start.decode("latin-1")
        pattern = "".join("\\" + letter if letter in _SPECIAL else letter for letter in text) + "*"
        cursor, found = b"0", []
        for _ in range(_ROUNDS):
            cursor, keys = link.call(
                *("SCAN", cursor, "MATCH", pattern.encode("latin-1")),
                *("COUNT", _ROUND_COUNT, "TYPE", "stream"),
            )
            found += keys
            if cursor == b"0" or len(found) >= COMPLETIONS:
                break
        return found[:COMPLETIONS]


class _Group(_ServerName):
    name = "group"

    def names(self, link: Link, context: click.Context, start: bytes) -> list[bytes]:
        return [facts["name"] for facts in link.groups(context.params["key"])]


class _Consumer(_ServerName):
    name = "consumer"

    def names(self, link: Link, context: click.Context, start: bytes) -> list[bytes]:
        rows = link.call("XINFO", "CONSUMERS", context.params["key"], context.params["group"])
        return [row[row.index(b"name") + 1] for row in rows]


def _is_text(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


KEY = _Key()
GROUP = _Group()
CONSUMER = _Consumer()
