"""`headwater serve`: read the configuration and run the server, or print the help."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from headwater.cli.arguments import read_arguments
from headwater.config import ConfigError


def serve(arguments: Sequence[str]) -> int:
    """Run a server until it stops; returns the exit status, 2 for a wrong configuration."""
    try:
        config = read_arguments(arguments)
    except ConfigError as error:
        # Names may hold bytes that are no text; the message must come out all the same.
        text = str(error).encode("utf-8", "backslashreplace").decode()
        sys.stderr.write(f"headwater: {text}\nTry 'headwater serve --help'.\n")
        return 2
    if config is None:
        from headwater.cli.help import serve_help

        sys.stdout.write(serve_help())
        return 0
    from headwater.server.main import run

    return run(config)
