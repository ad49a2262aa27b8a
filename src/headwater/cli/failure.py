"""What went wrong for somebody at the command line: what, what to do about it, exit status.

It needs no library of clients, so that commands about files start without one.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import NoReturn

import click

FAILED, MISUSED, INTERRUPTED = 1, 2, 130


class Failure(Exception):  # noqa: N818 - what a user reads is no error of the program
    """Ends a command: `text` says what is wrong, `hint` what to do about it ("" if nothing)."""

    def __init__(self, text: str, hint: str = "", status: int = FAILED) -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint
        self.status = status


def no_such_key(key: str) -> Failure:
    """The failure for a key that is not there."""
    return Failure(f"there is no key {key}", "`headwater ls` lists the streams.")


def not_a_stream(key: str, kind: str) -> Failure:
    """The failure for a key with a value of another type."""
    return Failure(f"{key} is no stream: it is a {kind}", "`headwater ls` lists the streams.")


def no_such_group(key: str, group: str, groups: list[str]) -> Failure:
    """The failure for a group that a stream does not have; `groups` are those it has."""
    if groups:
        names = ", ".join(groups[:10]) + (", ..." if len(groups) > 10 else "")
        return Failure(f"{key} has no group {group}", f"Its groups: {names}")
    return Failure(f"{key} has no group {group}", "It has no groups at all.")


def server_lacks(what: str, server: str, needs: str) -> Failure:
    """The failure when a server does not have a command; `needs`: which servers do."""
    return Failure(f"{server} does not have {what}", f"It takes {needs}.")


def of_file(error: OSError) -> Failure:
    """The failure behind an error of the system; one without a name is of the output."""
    name = "the output" if error.filename is None else str(error.filename)
    return Failure(f"{name}: {error.strerror or error}")


def fail(failure: Failure) -> NoReturn:
    """Tell a failure on standard error and exit."""
    tell(f"headwater: {failure.text}")
    if failure.hint:
        tell(failure.hint)
    sys.exit(failure.status)


def tell(text: str) -> None:
    """A remark on standard error. Where nobody can read it, nothing is lost but the remark."""
    with contextlib.suppress(OSError, ValueError):
        click.echo(text, err=True)


def ended(command: Callable[[], object]) -> int:
    """Run a command of click to its end and say what ended it; returns the exit status."""
    status = 0
    try:
        status = _ended(command)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output has had enough of it
        drop_output()
    except OSError as error:
        drop_output()
        tell(f"headwater: {of_file(error).text}")
        return FAILED
    return status


def _ended(command: Callable[[], object]) -> int:
    try:
        status = command()
    except click.Abort as abort:
        if isinstance(abort.__cause__ or abort.__context__, KeyboardInterrupt):
            return INTERRUPTED
        tell("Aborted!")
        return FAILED
    except click.ClickException as error:
        with contextlib.suppress(OSError, ValueError):
            error.show()
        return error.exit_code
    except SystemExit as end:  # with a number, in all of these commands
        status = end.code
    return status if isinstance(status, int) else 0


def drop_output() -> None:
    """What could not be written is not tried again when the program ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
