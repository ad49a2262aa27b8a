"""DEBUG: what tests and the curious need; `enable-debug-command` says who may use it."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from headwater import errors
from headwater.commands.debug_protocol import write_example
from headwater.commands.digest import NOTHING, keyspace_digest, value_digest
from headwater.commands.table import command
from headwater.glob import matches

if TYPE_CHECKING:
    from headwater.commands.session import Session
    from headwater.resp.reply import Reply
    from headwater.resp.request import Request

MATCH_MAX_BYTES = 100_000
"""The longest text that STRINGMATCH-LEN makes up."""

_NUMBER = re.compile(rb"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_INTEGER = re.compile(rb"\s*[+-]?\d+")
_HELP = (
    "DEBUG <subcommand> [argument ...]. The subcommands are:",
    "DIGEST",
    "    40 hex digits that depend on the content of all databases and on nothing else.",
    "DIGEST-VALUE key [key ...]",
    "    The same for the value of each key.",
    "LOADAOF",
    "    Empty all databases and load the journal again.",
    "OBJECT key",
    "    Facts about how a key's value is stored.",
    "PROTOCOL string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
    "    An example of a type of reply.",
    "RELOAD [MERGE] [NOFLUSH] [NOSAVE]",
    "    Save a snapshot, empty all databases, load it. Options leave one of that out; MERGE lets",
    "    a key of the file take the place of one that is there.",
    "SET-ACTIVE-EXPIRE 0|1",
    "    Whether expired keys are deleted before somebody asks for them.",
    "SLEEP seconds",
    "    Let the whole server do nothing for a time.",
    "STRINGMATCH-LEN length pattern",
    "    Whether a pattern, as KEYS takes it, matches so many letters 'a'.",
    "HELP",
    "    List the subcommands.",
)


def _integer_of(word: bytes) -> int:
    """The number that a word begins with, 0 if it begins with none (as C's atoi)."""
    found = _INTEGER.match(word)
    return int(found[0]) if found is not None else 0


def _sleep(session: Session, request: Request, reply: Reply) -> None:
    """Stop the whole server for that time; no number is no time, as in Redis."""
    found = _NUMBER.match(request.arg(2))
    seconds = float(found[0]) if found is not None else 0.0
    if seconds > 0 and math.isfinite(seconds):
        time.sleep(seconds)
    reply.ok()


def _object(session: Session, request: Request, reply: Reply) -> None:
    """Facts about a key's value; the length is what it takes in memory, not in a file."""
    value = session.database.peek(request.arg(2))
    if value is None:
        raise errors.NO_SUCH_KEY.error()
    idle_ms = max(session.state.clock.now_ms - value.access_ms, 0)
    reply.simple(
        b"Value at:0x%x refcount:1 encoding:%b serializedlength:%d lru:%d lru_seconds_idle:%d"
        % (
            id(value),
            value.encoding(),
            value.memory_usage(),
            (value.access_ms // 1000) & 0xFFFFFF,
            idle_ms // 1000,
        )
    )


def _set_active_expire(session: Session, request: Request, reply: Reply) -> None:
    session.state.keyspace.active_expiry = _integer_of(request.arg(2)) != 0
    reply.ok()


def _digest(session: Session, request: Request, reply: Reply) -> None:
    reply.simple(keyspace_digest(session.state.keyspace).hex().encode())


def _digest_value(session: Session, request: Request, reply: Reply) -> None:
    reply.array(request.argc - 2)
    now_ms = session.state.clock.now_ms
    for i in range(2, request.argc):
        value = session.database.peek(request.arg(i))
        found = NOTHING if value is None else value_digest(value, now_ms)
        reply.simple(found.hex().encode())


def _stringmatch_len(session: Session, request: Request, reply: Reply) -> None:
    length = request.integer(2)
    if not 0 <= length <= MATCH_MAX_BYTES:
        raise errors.OUT_OF_RANGE.error()
    reply.integer(1 if matches(request.arg(3), b"a" * length, False) else 0)


def _reload(session: Session, request: Request, reply: Reply) -> None:
    options = {request.arg(i).upper() for i in range(2, request.argc)}
    if not options <= {b"MERGE", b"NOFLUSH", b"NOSAVE"}:
        raise errors.RELOAD_OPTIONS.error()
    session.state.persistence.saving.reload(
        b"NOSAVE" not in options, b"NOFLUSH" not in options, b"MERGE" in options
    )
    reply.ok()


def _load_journal(session: Session, request: Request, reply: Reply) -> None:
    if session.state.recorder.unit:
        # What EXEC has done so far is not in the journal yet.
        raise errors.NOT_IN_TRANSACTION.error()
    if not session.state.persistence.reload_journal():
        raise errors.LOADAOF_FAILED.error()
    reply.ok()


def _protocol(session: Session, request: Request, reply: Reply) -> None:
    write_example(request.arg(2).lower(), reply)


def _help(session: Session, request: Request, reply: Reply) -> None:
    reply.array(len(_HELP))
    for line in _HELP:
        reply.simple(line.encode())


Subcommand = Callable[["Session", "Request", "Reply"], None]

_SUBCOMMANDS: dict[bytes, tuple[int, Subcommand]] = {
    b"DIGEST": (2, _digest),
    b"DIGEST-VALUE": (-2, _digest_value),
    b"HELP": (2, _help),
    b"LOADAOF": (-2, _load_journal),
    b"OBJECT": (-3, _object),
    b"PROTOCOL": (3, _protocol),
    b"RELOAD": (-2, _reload),
    b"SET-ACTIVE-EXPIRE": (3, _set_active_expire),
    b"SLEEP": (3, _sleep),
    b"STRINGMATCH-LEN": (4, _stringmatch_len),
}
"""By name: the number of words as in a command's arity, and the function."""


@command("DEBUG")
def debug(session: Session, request: Request, reply: Reply) -> None:
    """Run one of the subcommands, which are no commands of their own, as in Redis."""
    name = request.arg(1)
    arity, run = _SUBCOMMANDS.get(name.upper(), (0, _help))
    if request.argc == arity or (arity < 0 and request.argc >= -arity):
        run(session, request, reply)
    else:
        raise errors.SUBCOMMAND_ARGUMENTS.error(name, b"DEBUG")
