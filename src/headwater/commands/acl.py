"""ACL: users, what they may do, and what was denied."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

from headwater import errors
from headwater.acl.denials import Denial
from headwater.acl.file import UserFileError
from headwater.acl.rules import (
    OpenSelectorError,
    RuleError,
    channel_rules,
    command_rules,
    flag_rules,
    has_spaces,
    key_rules,
    user_line,
)
from headwater.acl.selectors import Selector
from headwater.acl.users import DEFAULT
from headwater.commands.help import help_of
from headwater.commands.permissions import Permissions, described
from headwater.commands.table import command
from headwater.resp.request import from_words

if TYPE_CHECKING:
    from headwater.commands.session import Session
    from headwater.resp.reply import Reply
    from headwater.resp.request import Request

LOG_SHOWN = 10
PASSWORD_BITS, PASSWORD_MAX_BITS = 256, 4096
_NO_LINE_ENDS = str.maketrans("\r\n", "  ")
_log = logging.getLogger("headwater")


def _check_count(request: Request, most: int) -> None:
    if request.argc > most:
        raise errors.SUBCOMMAND_ARGUMENTS.error(request.arg(1), b"ACL")


# --- users ---


@command("ACL SETUSER")
def acl_setuser(session: Session, request: Request, reply: Reply) -> None:
    """Apply rules to a user, all or none; one who does not exist is created."""
    words = request.words()
    if has_spaces(words[2]):
        raise errors.ACL_USERNAME.error()
    try:
        session.state.access.set_rules(words[2], words[3:], session)
    except RuleError as error:
        raise errors.ACL_RULE.error(error.rule, error.reason) from None
    except OpenSelectorError as error:
        raise errors.ACL_OPEN_SELECTOR.error(error.word) from None
    reply.ok()


@command("ACL DELUSER")
def acl_deluser(session: Session, request: Request, reply: Reply) -> None:
    """Delete users; their connections are closed."""
    names = request.words()[2:]
    if DEFAULT in names:
        raise errors.ACL_DEFAULT_STAYS.error()
    reply.integer(session.state.access.delete(names, session))


@command("ACL GETUSER")
def acl_getuser(session: Session, request: Request, reply: Reply) -> None:
    """A user's rules by kind; null if there is no such user."""
    user = session.state.access.users.get(request.arg(2))
    if user is None:
        reply.null()
        return
    reply.map(6)
    reply.bulk(b"flags")
    flags = flag_rules(user)
    reply.set(len(flags))
    for flag in flags:
        reply.bulk(flag)
    reply.bulk(b"passwords")
    reply.array(len(user.passwords))
    for hashed in user.passwords:
        reply.bulk(hashed)
    _write_selector(reply, user.selectors[0])
    reply.bulk(b"selectors")
    reply.array(len(user.selectors) - 1)
    for selector in user.selectors[1:]:
        reply.map(3)
        _write_selector(reply, selector)


def _write_selector(reply: Reply, selector: Selector) -> None:
    reply.bulk(b"commands")
    reply.bulk(command_rules(selector))
    reply.bulk(b"keys")
    reply.bulk(key_rules(selector))
    reply.bulk(b"channels")
    reply.bulk(channel_rules(selector))


@command("ACL LIST")
def acl_list(session: Session, request: Request, reply: Reply) -> None:
    """Every user as a line of rules."""
    users = session.state.access.users
    reply.array(len(users))
    for user in users:
        reply.bulk(user_line(user))


@command("ACL USERS")
def acl_users(session: Session, request: Request, reply: Reply) -> None:
    """The names of all users."""
    users = session.state.access.users
    reply.array(len(users))
    for user in users:
        reply.bulk(user.name)


@command("ACL WHOAMI")
def acl_whoami(session: Session, request: Request, reply: Reply) -> None:
    """The user that this connection is."""
    reply.bulk(session.user)


@command("ACL LOAD")
def acl_load(session: Session, request: Request, reply: Reply) -> None:
    """Have the users in the file and no others; if any line is wrong, nothing changes."""
    access = session.state.access
    if not access.path:
        raise errors.ACL_NO_FILE.error()
    try:
        access.load(session)
    except UserFileError as error:
        _log.warning("ACL LOAD: %s", error)
        text = str(error).translate(_NO_LINE_ENDS).encode("utf-8", "surrogateescape")
        raise errors.CommandError(b"ERR " + text) from None
    reply.ok()


@command("ACL SAVE")
def acl_save(session: Session, request: Request, reply: Reply) -> None:
    """Write all users into the file."""
    access = session.state.access
    if not access.path:
        raise errors.ACL_NO_FILE.error()
    try:
        access.save()
    except OSError as error:
        _log.warning("ACL SAVE to %s: %s", access.path, error.strerror or error)
        raise errors.ACL_NOT_SAVED.error() from None
    reply.ok()


# --- rules ---


@command("ACL CAT")
def acl_cat(session: Session, request: Request, reply: Reply) -> None:
    """All categories, or the commands of one."""
    _check_count(request, 3)
    catalog = session.state.access.rules.catalog
    if request.argc == 2:
        names = list(catalog.categories)
    else:
        bit = catalog.categories.get(request.arg(2).lower())
        if bit is None:
            raise errors.ACL_CATEGORY_UNKNOWN.error(request.arg(2))
        names = [entry.name for entry in catalog.in_category(bit)]
    reply.array(len(names))
    for name in names:
        reply.bulk(name)


@command("ACL DRYRUN")
def acl_dryrun(session: Session, request: Request, reply: Reply) -> None:
    """OK if a user may run a command, else a text that says what stands against it."""
    state = session.state
    user = state.access.users.get(request.arg(2))
    if user is None:
        raise errors.ACL_USER_UNKNOWN.error(request.arg(2))
    tried = from_words(request.words()[3:])
    found = state.table.resolve(tried)
    if found is None:
        raise errors.ACL_COMMAND_UNKNOWN.error(tried.arg(0))
    if not found.accepts(tried.argc):
        raise errors.WRONG_ARITY.error(found.name)
    permissions: Permissions = state.access.permissions_of(user)
    verdict = permissions.verdict(found, tried)
    if verdict == 0:
        reply.ok()
    else:
        reply.bulk(described(user, found, tried, verdict))


@command("ACL GENPASS")
def acl_genpass(session: Session, request: Request, reply: Reply) -> None:
    """Random hexadecimal digits for so many bits."""
    _check_count(request, 3)
    bits = request.integer(2) if request.argc == 3 else PASSWORD_BITS
    if not 0 < bits <= PASSWORD_MAX_BITS:
        raise errors.ACL_PASSWORD_BITS.error()
    digits = (bits + 3) // 4
    reply.bulk(secrets.token_hex((digits + 1) // 2)[:digits].encode())


# --- the log ---


@command("ACL LOG")
def acl_log(session: Session, request: Request, reply: Reply) -> None:
    """The newest denials; RESET forgets them all."""
    _check_count(request, 3)
    log = session.state.access.log
    if request.argc == 3 and request.text_equals(2, b"RESET"):
        log.clear()
        reply.ok()
        return
    count = request.integer(2) if request.argc == 3 else LOG_SHOWN
    entries = log.newest(count)
    now_ms = session.state.clock.now_ms
    reply.array(len(entries))
    for entry in entries:
        _write_denial(reply, entry, now_ms)


def _write_denial(reply: Reply, entry: Denial, now_ms: int) -> None:
    reply.map(10)
    reply.bulk(b"count")
    reply.integer(entry.count)
    reply.bulk(b"reason")
    reply.bulk_text(entry.reason)
    reply.bulk(b"context")
    reply.bulk_text(entry.context)
    reply.bulk(b"object")
    reply.bulk(entry.object)
    reply.bulk(b"username")
    reply.bulk(entry.username)
    reply.bulk(b"age-seconds")
    reply.double((now_ms - entry.updated_ms) / 1000)
    reply.bulk(b"client-info")
    reply.bulk(entry.client.encode("latin-1", "replace"))
    reply.bulk(b"entry-id")
    reply.integer(entry.id)
    reply.bulk(b"timestamp-created")
    reply.integer(entry.created_ms)
    reply.bulk(b"timestamp-last-updated")
    reply.integer(entry.updated_ms)


command("ACL HELP")(help_of("ACL"))
