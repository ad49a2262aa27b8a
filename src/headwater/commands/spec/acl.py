"""Users and what they may do.

The facts are those of Redis 8.10; `headwater.commands.grammar` explains `arguments`.
"""

from __future__ import annotations

from functools import partial

from headwater.commands.flags import ADMIN, LOADING, NOSCRIPT, STALE
from headwater.commands.spec.model import Spec

_spec = partial(Spec, group="server")

ACL: tuple[Spec, ...] = (
    _spec(
        name="ACL",
        arity=-2,
        since="6.0.0",
        summary="Commands about users and what they may do.",
        complexity="Depends on the subcommand.",
    ),
    _spec(
        name="ACL CAT",
        arity=-2,
        flags=NOSCRIPT | LOADING | STALE,
        since="6.0.0",
        summary="List the categories of commands, or the commands of one.",
        complexity="O(N) for N commands.",
        arguments="[category]",
    ),
    _spec(
        name="ACL DELUSER",
        arity=-3,
        flags=ADMIN | NOSCRIPT | LOADING | STALE,
        since="6.0.0",
        summary="Delete users and close their connections.",
        complexity="O(N) for N connections.",
        tips=(
            "request_policy:all_nodes",
            "response_policy:all_succeeded",
        ),
        arguments="username...",
    ),
    _spec(
        name="ACL DRYRUN",
        arity=-4,
        flags=ADMIN | NOSCRIPT | LOADING | STALE,
        since="7.0.0",
        summary="Tell whether a user may run a command, without running it.",
        complexity="O(N) for N patterns of the user.",
        arguments="username command [arg...]",
    ),
    _spec(
        name="ACL GENPASS",
        arity=-2,
        flags=NOSCRIPT | LOADING | STALE,
        since="6.0.0",
        summary="Return a random password.",
        complexity="O(1)",
        arguments="[bits:integer]",
    ),
    _spec(
        name="ACL GETUSER",
        arity=3,
        flags=ADMIN | NOSCRIPT | LOADING | STALE,
        since="6.0.0",
        summary="Return the rules of a user.",
        complexity="O(N) for N rules.",
        history=(("6.2.0", "Patterns of channels."), ("7.0.0", "Selectors; patterns as rules.")),
        arguments="username",
    ),
    _spec(
        name="ACL HELP",
        arity=2,
        flags=LOADING | STALE,
        since="6.0.0",
        summary="List the subcommands.",
        complexity="O(1)",
    ),
    _spec(
        name="ACL LIST",
        arity=2,
        flags=ADMIN | NOSCRIPT | LOADING | STALE,
        since="6.0.0",
        summary="Return all users as lines of the users' file.",
        complexity="O(N) for N users.",
    ),
    _spec(
        name="ACL LOAD",
        arity=2,
        flags=ADMIN | NOSCRIPT | LOADING | STALE,
        since="6.0.0",
        summary="Read the users from the file that aclfile names.",
        complexity="O(N) for N users.",
    ),
    _spec(
        name="ACL LOG",
        arity=-2,
        flags=ADMIN | NOSCRIPT | LOADING | STALE,
        since="6.0.0",
        summary="Show what was denied lately.",
        complexity="O(N) for N entries.",
        history=(("7.2.0", "ID and times of an entry."),),
        arguments="[operation=<count:integer | RESET>]",
    ),
    _spec(
        name="ACL SAVE",
        arity=2,
        flags=ADMIN | NOSCRIPT | LOADING | STALE,
        since="6.0.0",
        summary="Write the users to the file that aclfile names.",
        complexity="O(N) for N users.",
        tips=(
            "request_policy:all_nodes",
            "response_policy:all_succeeded",
        ),
    ),
    _spec(
        name="ACL SETUSER",
        arity=-3,
        flags=ADMIN | NOSCRIPT | LOADING | STALE,
        since="6.0.0",
        summary="Create a user, or change his rules.",
        complexity="O(N) for N rules.",
        history=(
            ("6.2.0", "Patterns of channels."),
            ("7.0.0", "Selectors and permissions of keys."),
        ),
        tips=(
            "request_policy:all_nodes",
            "response_policy:all_succeeded",
        ),
        arguments="username [rule...]",
    ),
    _spec(
        name="ACL USERS",
        arity=2,
        flags=ADMIN | NOSCRIPT | LOADING | STALE,
        since="6.0.0",
        summary="List the users' names.",
        complexity="O(N) for N users.",
    ),
    _spec(
        name="ACL WHOAMI",
        arity=2,
        flags=NOSCRIPT | LOADING | STALE,
        since="6.0.0",
        summary="Return the user of this connection.",
        complexity="O(1)",
    ),
)
