"""The command line: `headwater serve`, `headwater ls`, `headwater --version`, ...

One module for each command; `lazy.COMMANDS` names those that are imported only when called.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its status: 0 done, 1 failed, 2 used wrongly.

    130: it was ended by Ctrl-C, and so on as shells count signals.
    """
    try:
        arguments = sys.argv[1:]
        if arguments[:1] == ["serve"]:
            # A server starts without loading click, whose parser has no part in it.
            from headwater.cli.serve import serve

            sys.exit(serve(arguments[1:]))
        from headwater.cli.ending import be_done, listen

        listen()
        try:
            from headwater.cli.group import group

            group(arguments, prog_name="headwater")
        finally:
            be_done()
    except KeyboardInterrupt:
        sys.exit(130)
