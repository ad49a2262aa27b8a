"""The slow log: the latest commands that ran for long, and SLOWLOG, which shows it.

What counts as slow is `slowlog-log-slower-than` (ServerState.slow_us); time spent waiting in a
blocking command does not count. Entries are trimmed, so the log's memory is bounded.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from headwater import errors
from headwater.commands.help import help_of
from headwater.commands.redaction import REDACTED, secret_positions
from headwater.commands.table import command
from headwater.raw import cut

if TYPE_CHECKING:
    from headwater.commands.session import Session
    from headwater.resp.reply import Reply
    from headwater.resp.request import Request

MAX_ARGUMENTS = 32
"""Words kept of a request; the last one says how many there were (as Redis)."""
MAX_ARGUMENT_BYTES = 128
"""Bytes kept of a word, besides the remark how many there were (as Redis)."""
DEFAULT_MAX_LENGTH = 128
DEFAULT_GET_COUNT = 10


class SlowEntry:
    """One slow command: `id` grows for the life of the server, `took_us` is in microseconds."""

    __slots__ = ("address", "id", "name", "time_s", "took_us", "words")

    def __init__(
        self, number: int, time_s: int, took_us: int, words: list[bytes], address: str, name: bytes
    ) -> None:
        self.id = number
        self.time_s = time_s
        self.took_us = took_us
        self.words = words
        self.address = address
        self.name = name


class Slowlog:
    """The latest slow commands, at most `max_length` of them (`slowlog-max-len`)."""

    __slots__ = ("_entries", "_max_length", "_next_id")

    def __init__(self, max_length: int = DEFAULT_MAX_LENGTH) -> None:
        self._entries: deque[SlowEntry] = deque()
        self._max_length = max_length
        self._next_id = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def max_length(self) -> int:
        return self._max_length

    @max_length.setter
    def max_length(self, value: int) -> None:
        self._max_length = value
        self._trim()

    def record(self, session: Session, request: Request, took_us: int, now_ms: int) -> None:
        """Log a command that took `took_us` microseconds and ended at the unix time `now_ms`."""
        self._entries.appendleft(
            SlowEntry(
                self._next_id,
                now_ms // 1000,
                took_us,
                _shown_words(request),
                session.address,
                session.name,
            )
        )
        self._next_id += 1
        self._trim()

    def latest(self, count: int) -> list[SlowEntry]:
        """The latest `count` entries, newest first; -1: all."""
        if count < 0 or count >= len(self._entries):
            return list(self._entries)
        return [self._entries[i] for i in range(count)]

    def reset(self) -> None:
        """Forget all entries; IDs go on."""
        self._entries.clear()

    def _trim(self) -> None:
        while len(self._entries) > self._max_length:
            self._entries.pop()


def _shown_words(request: Request) -> list[bytes]:
    """What the log keeps of a request: no secrets, not too many words, none too long."""
    more = request.argc - MAX_ARGUMENTS + 1
    kept = request.argc if more <= 1 else MAX_ARGUMENTS - 1
    secrets = secret_positions(request)
    words = []
    for i in range(kept):
        left = request.length(i) - MAX_ARGUMENT_BYTES
        if i in secrets:
            words.append(REDACTED)
        elif left > 0:
            word = cut(request.buf, request.start(i), MAX_ARGUMENT_BYTES)
            words.append(word + b"... (%d more bytes)" % left)
        else:
            words.append(request.arg(i))
    if more > 1:
        words.append(b"... (%d more arguments)" % more)
    return words


@command("SLOWLOG GET")
def slowlog_get(session: Session, request: Request, reply: Reply) -> None:
    """The latest ten, or so many, slow commands, newest first; -1: all of them."""
    count = DEFAULT_GET_COUNT
    if request.argc > 3:
        raise errors.SUBCOMMAND_ARGUMENTS.error(request.arg(1), "SLOWLOG")
    if request.argc == 3:
        try:
            count = request.integer(2)
        except errors.CommandError:
            count = -2
        if count < -1:
            raise errors.SLOWLOG_COUNT.error()
    entries = session.state.slowlog.latest(count)
    reply.array(len(entries))
    for entry in entries:
        reply.array(6)
        reply.integer(entry.id)
        reply.integer(entry.time_s)
        reply.integer(entry.took_us)
        reply.array(len(entry.words))
        for word in entry.words:
            reply.bulk(word)
        reply.bulk_text(entry.address)
        reply.bulk(entry.name)


@command("SLOWLOG LEN")
def slowlog_len(session: Session, request: Request, reply: Reply) -> None:
    """How many commands the log holds."""
    reply.integer(len(session.state.slowlog))


@command("SLOWLOG RESET")
def slowlog_reset(session: Session, request: Request, reply: Reply) -> None:
    """Empty the log."""
    session.state.slowlog.reset()
    reply.ok()


command("SLOWLOG HELP")(help_of("SLOWLOG"))
