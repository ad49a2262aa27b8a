"""COMMAND and its subcommands: the server describes its own commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater import errors
from headwater.commands.describe import write_docs, write_flags, write_info
from headwater.commands.flags import CATEGORY_BITS, NO_MANDATORY_KEYS
from headwater.commands.help import help_of
from headwater.commands.keyspecs import FoundKeys, Words
from headwater.commands.table import Command, CommandTable, command
from headwater.glob import matches
from headwater.resp.request import from_words

if TYPE_CHECKING:
    from headwater.commands.session import Session
    from headwater.resp.reply import Reply
    from headwater.resp.request import Request


def _table(session: Session) -> CommandTable:
    return session.state.table


@command("COMMAND")
def command_all(session: Session, request: Request, reply: Reply) -> None:
    """Describe every command, as COMMAND INFO."""
    table = _table(session)
    reply.array(len(table.commands))
    for found in table.commands.values():
        write_info(reply, found)


@command("COMMAND COUNT")
def command_count(session: Session, request: Request, reply: Reply) -> None:
    """The number of commands, without subcommands."""
    reply.integer(len(_table(session).commands))


@command("COMMAND INFO")
def command_info(session: Session, request: Request, reply: Reply) -> None:
    """Describe the named commands, null for a name nobody knows; without names, every command."""
    if request.argc == 2:
        command_all(session, request, reply)
        return
    table = _table(session)
    reply.array(request.argc - 2)
    for i in range(2, request.argc):
        found = table.find(request.arg(i))
        if found is None:
            reply.null()
        else:
            write_info(reply, found)


@command("COMMAND DOCS")
def command_docs(session: Session, request: Request, reply: Reply) -> None:
    """Document the named commands, leaving out unknown ones; without names, every command."""
    table = _table(session)
    if request.argc == 2:
        known = list(table.commands.values())
    else:
        named = [table.find(request.arg(i)) for i in range(2, request.argc)]
        known = [found for found in named if found is not None]
    reply.map(len(known))
    for found in known:
        write_docs(reply, found)


@command("COMMAND LIST")
def command_list(session: Session, request: Request, reply: Reply) -> None:
    """The full names of all commands, or of those a filter lets through.

    FILTERBY ACLCAT category | PATTERN glob | MODULE name (there are no modules).
    An unknown category has no commands; that is not an error, as in Redis 8.10.
    """
    table = _table(session)
    if request.argc == 2:
        names = list(table.everything)
    elif request.argc != 5 or not request.text_equals(2, b"FILTERBY"):
        raise errors.SYNTAX.error()
    elif request.text_equals(3, b"ACLCAT"):
        bit = CATEGORY_BITS.get(request.arg(4).decode("latin-1").lower(), 0)
        names = [name for name, found in table.everything.items() if found.categories & bit]
    elif request.text_equals(3, b"PATTERN"):
        pattern = request.arg(4)
        names = [name for name in table.everything if matches(pattern, name, True)]
    elif request.text_equals(3, b"MODULE"):
        names = []
    else:
        raise errors.SYNTAX.error()
    reply.array(len(names))
    for name in names:
        reply.bulk(name)


def _command_line(session: Session, words: Words) -> Command:
    """The command that a command line would run, or raises COMMAND_INVALID."""
    found = _table(session).resolve(from_words(words))
    if found is None:
        raise errors.COMMAND_INVALID.error()
    return found


def _keys_of_line(session: Session, request: Request) -> tuple[Words, FoundKeys]:
    """The command line in a GETKEYS request, and its keys."""
    words = request.words()[2:]
    found = _command_line(session, words)
    spec = found.spec
    if not spec.has_keys:
        raise errors.COMMAND_WITHOUT_KEYS.error()
    if not found.accepts(len(words)):
        raise errors.COMMAND_INVALID_ARITY.error()
    keys = spec.find_keys(words)
    if not keys and not found.flags & NO_MANDATORY_KEYS:
        raise errors.COMMAND_INVALID_ARGUMENTS.error()
    return words, keys or []


@command("COMMAND GETKEYS")
def command_getkeys(session: Session, request: Request, reply: Reply) -> None:
    """The keys in a command line."""
    words, keys = _keys_of_line(session, request)
    reply.array(len(keys))
    for position, _ in keys:
        reply.bulk(words[position])


@command("COMMAND GETKEYSANDFLAGS")
def command_getkeysandflags(session: Session, request: Request, reply: Reply) -> None:
    """The keys in a command line, each with what the command does to it."""
    words, keys = _keys_of_line(session, request)
    reply.array(len(keys))
    for position, flags in keys:
        reply.array(2)
        reply.bulk(words[position])
        write_flags(reply, flags)


command("COMMAND HELP")(help_of("COMMAND"))
