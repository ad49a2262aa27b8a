"""The HELP subcommands: a container's subcommands, printed from their declarations."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from headwater.commands.spec import SPECS

if TYPE_CHECKING:
    from headwater.commands.session import Session
    from headwater.resp.reply import Reply
    from headwater.resp.request import Request


def help_lines(container: str) -> list[str]:
    """A line for each subcommand of "XGROUP" as people write it, and one with its summary."""
    lines = [f"{container} <subcommand> [argument ...]. The subcommands are:"]
    if SPECS[container].arity == -1:
        lines += ["(no subcommand)", f"    {SPECS[container].summary}"]
    for spec in SPECS.values():
        if spec.container == container:
            lines += [spec.syntax.removeprefix(f"{container} "), f"    {spec.summary}"]
    return lines


def help_of(container: str) -> Callable[[Session, Request, Reply], None]:
    """The handler of a container's HELP: `command("XGROUP HELP")(help_of("XGROUP"))`."""
    lines = [line.encode() for line in help_lines(container)]

    def handler(session: Session, request: Request, reply: Reply) -> None:
        reply.array(len(lines))
        for line in lines:
            reply.simple(line)

    return handler
